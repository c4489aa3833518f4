/* mgmt/host_health.c: asks each daemon of this host once a second how it is, over its control socket: one whose loop hangs does not answer.
 *
 * A brick's answer tells how its disk is and which directory it serves; the directory is recorded when nobody has yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/json.h"
#include "mgmt/manager.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/control.h"
#include "runtime/log.h"

#define ROUND_NS   1000000000ull
#define ANSWER_NS  1000000000ull
#define HUNG_NS    3000000000ull	/* a busy machine is no hung daemon */
#define AGAIN_S    5			/* others hear so often for how long one hangs */
#define ANSWER_MAX (64u << 10)
#define WINDOW     64

struct question {
	char *volume, *path, *socket, *text;	/* volume NULL: the gateway */
	pid_t pid;
	uint64_t asked_ns;
	int ret;
};

struct round { struct manager *m; struct question *all; unsigned n, first; };

void daemon_said_clear(struct daemon_said *s)
{
	free(s->down);
	free(s->trouble);
	*s = (struct daemon_said){ .silent_ns = 0 };
}

char *daemon_reason(const struct manager *m, const struct daemon_said *s, const struct process *p)
{
	if (s->hung)
		return format("hung for %u s: its process %d does not answer", (unsigned)((loop_now_ns(m->loop) - s->silent_ns) / 1000000000),
			      (int)process_pid(p));
	return s->down ? format("it serves nothing: %s", s->down) : NULL;
}

/* --- asking --- */

static void add_question(struct round *r, const char *volume, const char *path, char *socket, pid_t pid)
{
	r->all = need(realloc(r->all, (r->n + 1) * sizeof(r->all[0])));
	r->all[r->n++] = (struct question){
		volume ? need(strdup(volume)) : NULL, path ? need(strdup(path)) : NULL, socket, NULL, pid, 0, 0,
	};
}

static void gather(struct round *r)
{
	struct manager *m = r->m;
	const struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		if (b->online && b->process && process_pid(b->process))
			add_question(r, b->volume, b->path, host_brick_control(m, b->port), process_pid(b->process));
	if (m->gateway.online && m->gateway.process && process_pid(m->gateway.process))
		add_question(r, NULL, NULL, host_gateway_control(m), process_pid(m->gateway.process));
}

static int coroutine_fn ask_one(void *ctx, unsigned i)
{
	struct round *r = ctx;
	struct question *q = &r->all[r->first + i];
	uint64_t old;

	q->asked_ns = loop_now_ns(r->m->loop);
	old = co_set_deadline(q->asked_ns + ANSWER_NS);
	q->ret = control_ask(r->m->loop, q->socket, "status", ANSWER_MAX, &q->text);
	co_restore_deadline(old);
	return 0;
}

/* --- answers --- */

static bool replace(char **text, char *with)
{
	bool same = *text == with || (*text && with && strcmp(*text, with) == 0);

	free(*text);
	*text = with;
	return !same;
}

static char *joined(const json_t *list)
{
	char *text = NULL, *longer;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_is_string(one)) {
			longer = format("%s%s%s", text ? text : "", text ? "; " : "", json_string_value(one));
			free(text);
			text = longer;
		}
	return text;
}

static void set_hung(struct manager *m, struct daemon_said *s, bool hung, const struct process *p, const struct question *q)
{
	if (s->hung == hung)
		return;
	s->hung = hung;
	if (hung)
		log_warning("a daemon hangs: it does not answer", "what=%s pid=%d", log_quote(q->path ? q->path : "gateway"),
			    (int)process_pid(p));
	else
		log_notice("a daemon that hung answers again", "what=%s pid=%d", log_quote(q->path ? q->path : "gateway"),
			   (int)process_pid(p));
	reconcile_moved(m);
}

/* Silence is no answer in time. One without a socket is of an older version, or still starting: nothing is known of it. */
static void take_silence(struct manager *m, struct daemon_said *s, const struct process *p, const struct question *q)
{
	if (q->ret != -ETIMEDOUT && q->ret != -EAGAIN) {
		s->silent_ns = 0;
		return;
	}
	if (!s->silent_ns)
		s->silent_ns = q->asked_ns;
	set_hung(m, s, loop_now_ns(m->loop) - s->silent_ns >= HUNG_NS, p, q);
	if (s->hung && (loop_now_ns(m->loop) - s->silent_ns) / ROUND_NS % AGAIN_S == 0)
		reconcile_moved(m);
}

static void take_answer(struct manager *m, struct daemon_said *s, const struct process *p, const struct question *q, const json_t *a)
{
	const char *reason = json_member(a, "reason");
	bool moved;

	set_hung(m, s, false, p, q);
	s->silent_ns = 0;
	moved = replace(&s->down, json_flag(a, "up") ? NULL : need(strdup(reason ? reason : "it is down")));
	moved |= replace(&s->trouble, joined(json_object_get(a, "troubles")));
	if (moved)
		reconcile_moved(m);
}

static bool needs_record(const struct manager *m, const struct host_brick *b)
{
	const struct known_volume *k = known_volume(m, b->volume);
	unsigned i;

	for (i = 0; k && k->v && i < k->v->nbricks; i++)
		if (strcmp(k->v->bricks[i].host_id, m->uuid) == 0 && strcmp(k->v->bricks[i].path, b->path) == 0)
			return !k->v->bricks[i].identity;
	return false;
}

static void coroutine_fn take_brick(struct manager *m, const struct question *q)
{
	struct host_brick *b = host_brick_find(m, q->volume, q->path);
	json_t *a = q->ret == 0 ? json_parse(q->text, strlen(q->text)) : NULL;
	const char *identity = json_member(a, "identity");

	if (!b || !b->process || process_pid(b->process) != q->pid) {
		json_decref(a); /* it has gone meanwhile */
		return;
	}
	if (!json_is_object(a)) {
		take_silence(m, &b->said, b->process, q);
		json_decref(a);
		return;
	}
	take_answer(m, &b->said, b->process, q, a);
	if (json_flag(a, "up") && identity && !b->said.recorded && needs_record(m, b)) {
		b->said.recorded = true; /* once a start, however it goes */
		brick_record_first(m, q->volume, q->path, identity);
	}
	json_decref(a);
}

static void take_gateway(struct manager *m, const struct question *q)
{
	struct host_gateway *g = &m->gateway;
	json_t *a = q->ret == 0 ? json_parse(q->text, strlen(q->text)) : NULL;

	if (g->process && process_pid(g->process) == q->pid) {
		if (json_is_object(a))
			take_answer(m, &g->said, g->process, q, a);
		else
			take_silence(m, &g->said, g->process, q);
	}
	json_decref(a);
}

static void coroutine_fn run_round(struct manager *m)
{
	struct round r = { .m = m };
	unsigned i;

	gather(&r);
	for (; r.first < r.n; r.first += WINDOW) {
		unsigned n = r.n - r.first < WINDOW ? r.n - r.first : WINDOW;

		co_fanout(n == WINDOW ? UINT64_MAX : (1ull << n) - 1, ask_one, &r);
	}
	for (i = 0; i < r.n; i++) {
		if (r.all[i].volume)
			take_brick(m, &r.all[i]);
		else
			take_gateway(m, &r.all[i]);
		free(r.all[i].volume);
		free(r.all[i].path);
		free(r.all[i].socket);
		free(r.all[i].text);
	}
	free(r.all);
}

void coroutine_fn host_health_main(void *arg)
{
	struct manager *m = arg;

	if (!co_gate_enter(&m->background))
		return;
	m->health = co_self();
	while (!m->stopping && co_sleep_ns(ROUND_NS) == 0 && !m->stopping)
		run_round(m);
	m->health = NULL;
	co_gate_leave(&m->background);
}
