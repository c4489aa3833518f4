/* xlators/cluster/replicate/eager.c: an epoch is the time one inode's data lock and dirty mark are kept (facts: C4).
 *
 * The first change takes the lock, raises dirty and accuses absent copies in advance; later ones join. It ends after a rest, when
 * another client asks for the lock, when a child comes or goes, or when a copy failed: then the data is synced where its loss would
 * not show, dirty is lowered and the lock let go. One coroutine at a time takes or ends an epoch; the others wait on epoch_changed. */
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

#define MAX_EPOCHS 4096			/* past it the oldest idle one ends early */
#define RETRY_NS 100000000ull

static void coroutine_fn epoch_end(struct epoch *e);
static void end_entry(void *arg);

static void epoch_free(struct epoch *e)
{
	struct replicate *rp = replicate_of(e->xl);
	struct copies *c = e->copies;

	timer_cancel(&e->idle);
	list_remove(&e->link);
	rp->nepochs--;
	c->epoch = NULL;
	co_queue_wake_all(&c->epoch_changed);
	inode_unref(e->inode);
	free(e);
	co_gate_leave(&rp->background);
}

/* From anywhere: starts the end of an epoch that nobody uses. */
static void start_end(struct epoch *e)
{
	e->end = true;
	if (e->state != EPOCH_HELD || e->users)
		return;
	e->state = EPOCH_ENDING;
	timer_cancel(&e->idle);
	if (co_start(xl_loop(e->xl), end_entry, e))
		return;
	e->state = EPOCH_HELD;
	timer_arm(xl_loop(e->xl), &e->idle, loop_now_ns(xl_loop(e->xl)) + RETRY_NS);
}

static void end_entry(void *arg)
{
	struct epoch *e = arg;

	co_shield();
	epoch_end(e);
	co_unshield();
}

static void idle_over(void *arg)
{
	start_end(arg);
}

static void make_room(struct replicate *rp)
{
	struct list *pos;

	if (rp->nepochs < MAX_EPOCHS)
		return;
	list_for_each(pos, &rp->epochs) {
		struct epoch *e = list_entry(pos, struct epoch, link);

		if (e->state == EPOCH_HELD && !e->users) {
			start_end(e);
			return;
		}
	}
}

static struct epoch *epoch_new(struct xlator *xl, struct inode *inode, struct copies *c)
{
	struct replicate *rp = replicate_of(xl);
	struct epoch *e;

	make_room(rp);
	if (!co_gate_enter(&rp->background))
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e) {
		co_gate_leave(&rp->background);
		return NULL;
	}
	e->xl = xl;
	e->inode = inode_ref(inode);
	e->copies = c;
	e->locks = (struct locks){ xl->name, LOCK_WRITE, 1, { { e->inode, NULL, false, 0, 0, 0, 0, false } }, false };
	timer_init(&e->idle, idle_over, e);
	list_append(&rp->epochs, &e->link);
	rp->nepochs++;
	c->epoch = e;
	return e;
}

static void hear_marks(struct replicate *rp, struct epoch *e, const struct changelog *log)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (log->ok & bit(i))
			copies_hear(rp, e->copies, i, &log->ans[i].res->xattrop.values, e->gen, true);
	copies_update(rp, e->copies);
}

/* Dirty +1, and the copies that are not here are accused before anything changes. Those that are too short accuse themselves: the longer ones
 * may be a minority, which the others may go on without. */
static int coroutine_fn raise_marks(struct epoch *e, struct call *sub)
{
	struct replicate *rp = replicate_of(e->xl);
	struct changelog log = { .inode = e->inode, .to = e->part };
	child_set part = e->part, refused;

	if (!rp->data_log)
		return 0;
	e->absent = rp->all & ~part;
	e->shorter = part & e->copies->smaller;
	changelog_dirty(&log, part, DATA, 1);
	changelog_accuse(&log, part, e->absent, DATA, 1);	/* a quorum remembers it */
	changelog_confess(&log, e->shorter, DATA);
	log.last = copies_last(rp, e->copies, part, e->absent, DATA);
	copies_blame(rp, e->copies, part, e->absent, DATA);
	copies_confess(rp, e->copies, e->shorter, DATA);
	changelog_apply(e->xl, sub, &log);
	if (!log.ans)
		return -ENOMEM;
	e->dirty = e->part = log.ok;
	e->lacking |= log.lacking;
	copies_told(rp, e->copies, part, log.ok, log.lacking);
	e->missed = e->accused = e->absent | e->shorter;
	hear_marks(rp, e, &log);
	refused = quorum_refusals(log.ans, part);
	if (!log.ok || (quorum_met(rp, refused) && !epoch_holds(e, log.ok)))
		return quorum_error(log.ans, refused ? refused : part, e->copies->good[DATA]);
	return 0;
}

bool epoch_holds(const struct epoch *e, child_set part)
{
	const struct replicate *rp = replicate_of(e->xl);

	return quorum_holds(rp, part, e->lacking & rp->up);
}

static int part_is_enough(const struct epoch *e)
{
	const struct replicate *rp = replicate_of(e->xl);

	if (!epoch_holds(e, e->part))
		return -ENOTCONN;
	if (e->part & e->copies->good[DATA])
		return 0;
	if (!copies_fresh(rp, e->copies) || e->copies->good[DATA])	/* the whole copy came too late for the lock */
		return -ENOTCONN;
	return copies_excuse_change(rp, e->copies, DATA);
}

static int coroutine_fn epoch_take(struct epoch *e, struct call *call)
{
	struct replicate *rp = replicate_of(e->xl);
	struct arena *arena = arena_new(256 << 10);
	struct call sub;
	child_set held;
	int ret;

	replicate_sub_call(&sub, call, arena, e->copies->owner);
	ret = locks_take(e->xl, &sub, &e->locks, rp->up, true, &held);
	if (ret == 0 && (e->locks.waited || !copies_fresh(rp, e->copies)))	/* whoever had it may have made a copy stale */
		ret = copies_refresh(e->xl, e->inode, e->locks.waited, &e->copies);
	if (ret == 0) {
		co_shield();
		e->lacking = locks_lacking(&e->locks) | e->copies->absent;
		e->part = copies_still(rp, held & ~(child_set)e->copies->absent, e->gen);
		ret = part_is_enough(e);
		if (ret == 0)
			ret = raise_marks(e, &sub);
		if (ret == 0)
			ret = part_is_enough(e);
		e->good = e->whole = e->part & e->copies->good[DATA];
		co_unshield();
	}
	arena_free(arena);
	return ret;
}

static bool usable(const struct replicate *rp, const struct epoch *e)
{
	return e->state == EPOCH_HELD && !e->end && e->gen == rp->gen;
}

/* Makes an epoch, or waits until somebody else has made or ended one. 1: look again. */
static int coroutine_fn epoch_attempt(struct xlator *xl, struct call *call, struct inode *inode, struct copies *c)
{
	struct replicate *rp = replicate_of(xl);
	struct epoch *e = c->epoch;
	uint32_t gen;
	int ret;

	if (e) {
		start_end(e);			/* not usable: let it go as soon as its users have */
		if (c->epoch != e)
			return 1;
		ret = co_queue_wait(&c->epoch_changed);
		return ret < 0 ? ret : 1;
	}
	ret = copies_refresh(xl, inode, false, &c);
	if (ret < 0 || c->epoch)
		return ret < 0 ? ret : 1;
	e = epoch_new(xl, inode, c);
	if (!e)
		return -ENOMEM;
	gen = e->gen = rp->gen;
	ret = epoch_take(e, call);
	if (ret < 0) {
		e->state = EPOCH_ENDING;
		if (!co_start(xl_loop(xl), end_entry, e))
			end_entry(e);
		return ret == -ENOTCONN && gen != rp->gen && quorum_met(rp, rp->up) ? 1 : ret;
	}
	e->state = EPOCH_HELD;
	return 0;
}

int coroutine_fn epoch_join(struct xlator *xl, struct call *call, struct inode *inode, struct epoch **ret_e)
{
	struct replicate *rp = replicate_of(xl);
	struct copies *c = copies_of(xl, inode);
	int ret = 0;

	if (!c)
		return -ENOMEM;
	while (!c->epoch || !usable(rp, c->epoch)) {
		if (!quorum_met(rp, rp->up))
			return -ENOTCONN;
		if (c->epoch && c->epoch->state == EPOCH_TAKING)
			ret = co_queue_wait(&c->epoch_changed);
		else
			ret = epoch_attempt(xl, call, inode, c);
		if (ret < 0)
			return ret;
		if (ret == 0 && c->epoch && c->epoch->state == EPOCH_HELD)
			break;			/* taken by us just now, even if a child came or went meanwhile */
	}
	(*ret_e = c->epoch)->users++;
	co_queue_wake_all(&c->epoch_changed);
	if (call->durable)
		c->epoch->durable = true;
	timer_cancel(&c->epoch->idle);
	return 0;
}

void coroutine_fn epoch_leave(struct epoch *e)
{
	struct replicate *rp = replicate_of(e->xl);
	struct loop *loop = xl_loop(e->xl);

	if (--e->users)
		return;
	if (e->end || !rp->eager_lock || e->gen != rp->gen || !rp->post_op_delay_ms)
		start_end(e);
	else
		timer_arm(loop, &e->idle, loop_now_ns(loop) + rp->post_op_delay_ms * 1000000);
}

static void confess(struct epoch *e, struct call *sub, child_set who)
{
	struct changelog log = { .inode = e->inode };

	copies_confess(replicate_of(e->xl), e->copies, who, DATA);
	changelog_confess(&log, who, DATA);
	changelog_apply(e->xl, sub, &log);
	e->missed |= who;
	e->good &= ~who;
}

/* False: no quorum has it on record. The whole ones, who were not told to accuse anybody then, are a minority that acted. */
static bool coroutine_fn accuse(struct epoch *e, const struct call *call, const struct verdict *v, child_set last)
{
	struct replicate *rp = replicate_of(e->xl);
	struct arena *arena = arena_new(256 << 10);
	struct changelog log = { .inode = e->inode, .last = last };
	struct call sub;

	replicate_sub_call(&sub, call, arena, e->copies->owner);
	sub.durable = e->durable;
	changelog_accuse(&log, v->blamers, v->missed, DATA, 1);
	changelog_confess(&log, v->confess, DATA);
	changelog_apply(e->xl, &sub, &log);
	copies_told(rp, e->copies, log.to, log.ok, log.lacking);
	e->accused |= v->missed | v->confess;
	if (log.held_back)
		confess(e, &sub, last);
	else if (v->overruled && !epoch_holds(e, log.ok))	/* those that refused cannot even write that down */
		confess(e, &sub, v->overruled);
	arena_free(arena);
	return !log.held_back && epoch_holds(e, log.ok);
}

/* What the caller is to be told: -ENOTCONN where a copy failed and no quorum knows of it, for then the change is not safe. */
int coroutine_fn epoch_record(struct epoch *e, struct call *call, const struct verdict *v)
{
	struct replicate *rp = replicate_of(e->xl);
	child_set news = v->missed & ~e->accused, last;

	if (v->took_effect)
		e->took_effect = true;
	if (!v->ok && !v->refused)
		e->unclear = true;
	if (!v->missed && !v->confess)
		return v->ret;
	last = copies_last(rp, e->copies, v->blamers, v->missed, DATA);
	copies_blame(rp, e->copies, v->blamers, v->missed, DATA);
	copies_confess(rp, e->copies, v->confess, DATA);
	e->missed |= v->took_effect ? v->missed | v->confess : v->overruled & e->good;
	e->good &= ~e->missed;
	if (!news && v->took_effect && !v->confess)
		return v->ret;
	e->end = true;			/* the next change begins with marks that name it in advance */
	return accuse(e, call, v, last) || v->ret < 0 ? v->ret : -ENOTCONN;
}

/* Without an answer to judge: on record when the epoch ends. A stale copy's word against the last whole one counts for nothing. */
static void epoch_found_wanting(struct epoch *e, child_set who)
{
	who &= e->part;
	if (!who || !(e->good & ~who))
		return;
	e->missed |= who;
	e->good &= ~who;
	e->last |= copies_last(replicate_of(e->xl), e->copies, e->part & ~e->missed, who, DATA);
	copies_blame(replicate_of(e->xl), e->copies, e->part & ~e->missed, who, DATA);
}

/* Data that a crash would lose without a trace is synced; a copy that cannot has missed it. */
static void coroutine_fn epoch_sync(struct epoch *e, struct call *sub)
{
	struct replicate *rp = replicate_of(e->xl);
	struct fsync_args args = { .inode = e->inode, .datasync = true };
	child_set asked = copies_still(rp, e->part & ~e->missed, e->gen), ok;
	struct answer *ans;
	unsigned i;

	if (!rp->ensure_durability || e->overwrote <= e->synced || !asked)
		return;
	ans = copies_ask(e->xl, sub, asked, FOP_fsync, &args, &ok);
	for (i = 0; ans && i < rp->n; i++) {
		if (!(asked & ~ok & bit(i)))
			continue;
		if (errno_is_loss(ans[i].err))
			e->doubt = true;
		else if (ok)
			epoch_found_wanting(e, bit(i));
	}
}

static void coroutine_fn lower_marks(struct epoch *e, struct call *sub)
{
	struct replicate *rp = replicate_of(e->xl);
	struct changelog log = { .inode = e->inode };
	child_set news = e->missed & ~e->accused, by = e->part & ~(e->missed & ~e->shorter);

	if (!e->doubt)
		changelog_dirty(&log, e->took_effect ? e->dirty & ~(e->missed & ~e->shorter) : e->dirty, DATA, -1);
	if (news) {
		changelog_accuse(&log, by, news, DATA, 1);
		log.last = e->last;
		sub->durable = e->durable;
	}
	if (!e->took_effect)
		changelog_accuse(&log, e->dirty, e->absent, DATA, -1);
	log.to &= rp->up;
	if (!log.to)
		return;
	changelog_apply(e->xl, sub, &log);
}

static void coroutine_fn epoch_end(struct epoch *e)
{
	struct arena *arena = arena_new(1 << 20);
	struct call call, sub;

	call_init(&call, arena);
	replicate_sub_call(&sub, &call, arena, e->copies->owner);
	if (e->dirty && (e->took_effect || !e->unclear)) {	/* else perhaps something was done: let the marks stand */
		epoch_sync(e, &sub);
		lower_marks(e, &sub);
	}
	locks_release(e->xl, &sub, &e->locks);
	arena_free(arena);
	epoch_free(e);
}

int coroutine_fn epoch_finish(struct xlator *xl, struct inode *inode)
{
	struct copies *c = *inode_ctx(xl, inode);
	int ret = 0;

	while (c && c->epoch && ret == 0) {
		start_end(c->epoch);
		if (c->epoch)
			ret = co_queue_wait(&c->epoch_changed);
	}
	return ret;
}

void epoch_contended(struct xlator *xl, struct inode *inode)
{
	struct copies *c = *inode_ctx(xl, inode);

	if (c && c->epoch)
		start_end(c->epoch);
}

/* Its lock is gone, and perhaps data that was not synced yet. That is nobody's fault yet: callers that were not promised anything send it again
 * (XL_RESTARTED tells them). Until then dirty stays raised, so that the copies will be compared. */
void epochs_lost_child(struct xlator *xl, unsigned child)
{
	struct replicate *rp = replicate_of(xl);
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &rp->epochs) {
		struct epoch *e = list_entry(pos, struct epoch, link);

		if (!(e->part & bit(child)))
			continue;
		if (e->overwrote > e->synced) {
			e->doubt = true;
			e->copies->unsynced |= (uint8_t)bit(child);
		}
		e->part &= ~bit(child);
		e->good &= ~bit(child);
		start_end(e);
	}
}

void coroutine_fn epochs_end_all(struct xlator *xl)
{
	struct replicate *rp = replicate_of(xl);
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &rp->epochs)
		start_end(list_entry(pos, struct epoch, link));
}
