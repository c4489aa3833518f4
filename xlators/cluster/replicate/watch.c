/* xlators/cluster/replicate/watch.c: is a copy silent while the others answer? README.md, "A silent copy".
 *
 * Every question to several copies is watched: who has answered, and when. Where one is late while the rest has answered, it is
 * given up: its translator ends all calls that wait for it, and is down until it has answered them (xlator.h, give_up). From
 * then on it is what a copy is whose connection broke: event.c, quorum.c and eager.c know nothing of silence. */
#include "xlators/cluster/replicate/replicate.h"

#define LOOK_AGAIN_NS 100000000ull
#define ALONE 3u			/* so many times as patient where without it nothing goes on */

static uint64_t patience_ns(const struct replicate *rp)
{
	return rp->slow_copy_ms * 1000000;
}

void watch_begin(struct xlator *xl, struct watched *w, child_set asked)
{
	struct replicate *rp = replicate_of(xl);
	uint64_t now = loop_now_ns(xl_loop(xl));

	*w = (struct watched){ .since_ns = now, .answered_ns = now, .asked = asked };
	list_append(&rp->watch.questions, &w->link);
	if (rp->slow_copy_ms && !timer_armed(&rp->watch.timer))
		timer_arm(xl_loop(xl), &rp->watch.timer, now + patience_ns(rp));
}

void watch_answered(struct xlator *xl, struct watched *w, unsigned child, int err)
{
	if (errno_is_loss(err)) {
		w->asked &= ~bit(child);
		return;
	}
	w->answered |= bit(child);
	w->answered_ns = loop_now_ns(xl_loop(xl));
}

void watch_end(struct watched *w)
{
	list_remove(&w->link);
}

/* The others' answers are the measure: where all are slow nobody is silent. A question to a few that none of them answers has no
 * measure, and is waited for longer. */
static bool waited_enough(const struct replicate *rp, const struct watched *w, child_set silent,
			  uint64_t now)
{
	uint64_t age = now - w->since_ns, others = w->answered_ns - w->since_ns, limit = patience_ns(rp);

	if (!w->answered)
		return age >= ALONE * limit && (rp->up & ~w->asked);
	if (!quorum_met(rp, rp->up & ~silent))
		limit *= ALONE;
	return age >= (limit > 2 * others ? limit : 2 * others);
}

static child_set find_silent(const struct replicate *rp, child_set except, uint64_t now)
{
	struct list *pos;

	list_for_each(pos, &rp->watch.questions) {
		const struct watched *w = list_entry(pos, struct watched, link);
		child_set silent = w->asked & ~w->answered & rp->up & ~except;

		if (now - w->since_ns < patience_ns(rp))
			break;			/* the others are younger */
		if (silent && waited_enough(rp, w, silent, now))
			return silent;
	}
	return 0;
}

static void give_up(struct xlator *xl, child_set silent)
{
	struct replicate *rp = replicate_of(xl);
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		if (!(silent & bit(i)))
			continue;
		xl_give_up(xl->children[i]);
		rp->watch.silent |= bit(i) & ~rp->up;
	}
}

static void look(void *arg)
{
	struct xlator *xl = arg;
	struct replicate *rp = replicate_of(xl);
	uint64_t now = loop_now_ns(xl_loop(xl)), next;
	child_set done = 0, silent;

	while (rp->slow_copy_ms && (silent = find_silent(rp, done, now)) != 0) {
		done |= silent;
		give_up(xl, silent);
	}
	if (list_empty(&rp->watch.questions) || timer_armed(&rp->watch.timer) || !rp->slow_copy_ms)
		return;
	next = list_first(&rp->watch.questions, struct watched, link)->since_ns + patience_ns(rp);
	timer_arm(xl_loop(xl), &rp->watch.timer, next > now + LOOK_AGAIN_NS ? next : now + LOOK_AGAIN_NS);
}

void watch_init(struct xlator *xl)
{
	struct replicate *rp = replicate_of(xl);

	list_init(&rp->watch.questions);
	timer_init(&rp->watch.timer, look, xl);
}

/* ---- questions to several copies ---- */

struct question { struct xlator *xl; struct watched watched; };

static void heard(void *user, unsigned child, int err)
{
	struct question *q = user;

	watch_answered(q->xl, &q->watched, child, err);
}

static struct answer *coroutine_fn ask(struct xlator *xl, struct call *call, struct xl_asked *asked,
				       child_set *ret_ok)
{
	struct question q = { .xl = xl };
	struct answer *ans;

	asked->answered = heard;
	asked->user = &q;
	watch_begin(xl, &q.watched, asked->to);
	ans = xl_ask(xl, call, asked, ret_ok);
	watch_end(&q.watched);
	return ans;
}

struct answer *coroutine_fn copies_ask(struct xlator *xl, struct call *call, child_set to, enum fop op,
				       const void *args, child_set *ret_ok)
{
	return ask(xl, call, &(struct xl_asked){ .to = to, .op = op, .args = args }, ret_ok);
}

struct answer *coroutine_fn copies_ask_each(struct xlator *xl, struct call *call, child_set to, enum fop op,
					    const void *const *args, child_set *ret_ok)
{
	return ask(xl, call, &(struct xl_asked){ .to = to, .op = op, .each = args }, ret_ok);
}

/* ---- a question to one copy ---- */

int coroutine_fn copies_ask_one(struct xlator *xl, struct call *call, unsigned child, child_set others,
				const struct xl_asked *asked, void *res)
{
	struct replicate *rp = replicate_of(xl);
	uint64_t old;
	int ret;

	if (!others || !rp->slow_copy_ms)
		return xl_call(xl->children[child], call, asked->op, asked->args, res);
	old = co_set_deadline(loop_now_ns(xl_loop(xl)) + patience_ns(rp));
	ret = xl_call(xl->children[child], call, asked->op, asked->args, res);
	co_restore_deadline(old);
	return ret;
}

void copies_found_late(struct xlator *xl, child_set late, uint64_t asked_ns)
{
	struct replicate *rp = replicate_of(xl);
	uint64_t took = loop_now_ns(xl_loop(xl)) - asked_ns;

	late &= rp->up;
	if (late && quorum_met(rp, rp->up & ~late) && 2 * took < patience_ns(rp))
		give_up(xl, late);
}
