/* mgmt/reconcile.c: one coroutine makes this host as it is desired, again and again.
 *
 * Whatever changes what is desired counts `wanted` up; a pass that saw all of it sets `reached`. A pass looks at everything: there is
 * no list of steps that a crash could leave half done. What failed (a full disk) is tried again every second. Until the store has been
 * read, and it is sure that no other manager is this host, nothing is started, stopped or announced. */
#include "mgmt/manager.h"

#include <errno.h>

#include "runtime/log.h"

#define RETRY_NS  1000000000ull
#define GATHER_NS 5000000ull /* changes that come together make one pass */

static void wake_idle(struct manager *m)
{
	if (m->idle)
		co_wake(m->idle, 0);
}

void reconcile_wanted(struct manager *m)
{
	m->wanted++;
	m->announce_due = true;
	wake_idle(m);
}

void reconcile_moved(struct manager *m)
{
	m->announce_due = true;
	co_queue_wake_all(&m->moved);
	wake_idle(m);
}

static bool has_work(const struct manager *m)
{
	return m->stopping || (m->registered && (m->wanted != m->reached || m->announce_due));
}

static int coroutine_fn await_work(struct manager *m)
{
	uint64_t old;
	int ret = 0;

	while (ret == 0 && !has_work(m)) {
		struct co_wait wait = CO_WAIT_INIT;

		m->idle = &wait;
		old = co_set_deadline(m->unfinished ? loop_now_ns(m->loop) + RETRY_NS : 0);
		ret = co_park(&wait);
		co_restore_deadline(old);
		m->idle = NULL;
		if (ret == -ETIMEDOUT) {
			m->wanted++;
			ret = 0;
		}
	}
	return ret;
}

void coroutine_fn reconcile_main(void *arg)
{
	struct manager *m = arg;
	uint64_t seen;

	if (!co_gate_enter(&m->background))
		return;
	m->reconciling = true;
	while (!m->stopping && await_work(m) == 0 && !m->stopping) {
		co_sleep_ns(GATHER_NS);
		if (m->stopping)
			break;
		seen = m->wanted;
		if (seen != m->reached) {
			m->unfinished = false;
			host_bricks_match(m);
			host_gateway_match(m);
		}
		m->reached = seen;
		co_queue_wake_all(&m->moved);
		if (m->announce_due) {
			m->announce_due = false;
			status_announce(m);
		}
	}
	m->reconciling = false;
	co_queue_wake_all(&m->moved);
	co_gate_leave(&m->background);
}

int coroutine_fn reconcile_settled(struct manager *m, const char *volume)
{
	uint64_t wanted = m->wanted;
	int ret = 0;

	while (ret == 0 && (m->reached < wanted || !host_bricks_online(m, volume)))
		ret = co_queue_wait(&m->moved);
	return ret;
}

/* What it works on may be taken apart only when it has ended. */
void coroutine_fn reconcile_end(struct manager *m)
{
	m->stopping = true;
	wake_idle(m);
	while (m->reconciling && co_queue_wait(&m->moved) == 0)
		;
}

void coroutine_fn reconcile_stop(struct manager *m)
{
	m->stopping = true;
	wake_idle(m);
	co_queue_wake_all(&m->moved);
	co_gate_close(&m->background);
}
