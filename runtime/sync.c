/* runtime/sync.c: locks and conditions between coroutines of one loop. A waiter lies on the stack of the coroutine
 * that waits; the one who releases hands over directly, so that nobody can slip in between and order of arrival is
 * order of service. */
#include "runtime/sync.h"

#include <assert.h>

struct waiter { struct list link; struct co_wait wait; };

static int coroutine_fn wait_in(struct list *waiters)
{
	struct waiter me = { .wait = CO_WAIT_INIT };
	int ret;

	list_append(waiters, &me.link);
	ret = co_park(&me.wait);
	list_remove(&me.link);		/* still there after an interruption only */
	return ret;
}

static bool wake_first(struct list *waiters)
{
	struct list *link = list_pop(waiters);

	if (!link)
		return false;
	co_wake(&list_entry(link, struct waiter, link)->wait, 0);
	return true;
}

void co_mutex_init(struct co_mutex *m)
{
	m->locked = false;
	list_init(&m->waiters);
}

int co_mutex_lock(struct co_mutex *m)
{
	if (co_mutex_trylock(m))
		return 0;
	return wait_in(&m->waiters);
}

bool co_mutex_trylock(struct co_mutex *m)
{
	if (m->locked)
		return false;
	m->locked = true;
	return true;
}

void co_mutex_unlock(struct co_mutex *m)
{
	assert(m->locked);
	if (!wake_first(&m->waiters))
		m->locked = false;
}

void co_queue_init(struct co_queue *q)
{
	list_init(&q->waiters);
}

int co_queue_wait(struct co_queue *q)
{
	return wait_in(&q->waiters);
}

void co_queue_wake_all(struct co_queue *q)
{
	while (wake_first(&q->waiters))
		;
}

bool co_queue_wake_one(struct co_queue *q)
{
	return wake_first(&q->waiters);
}

void co_gate_init(struct co_gate *g)
{
	g->holders = 0;
	g->closed = false;
	co_queue_init(&g->drained);
}

bool co_gate_enter(struct co_gate *g)
{
	if (g->closed)
		return false;
	g->holders++;
	return true;
}

void co_gate_leave(struct co_gate *g)
{
	assert(g->holders);
	if (!--g->holders)
		co_queue_wake_all(&g->drained);
}

int co_gate_close(struct co_gate *g)
{
	int ret = 0;

	g->closed = true;
	while (!ret && g->holders)
		ret = co_queue_wait(&g->drained);
	return ret;
}
