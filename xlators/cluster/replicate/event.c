/* xlators/cluster/replicate/event.c: children that come and go, and what bricks tell.
 *
 * Each coming and going makes a new generation: what was known of any inode is asked for again before it decides anything. Parents see
 * one child, up while any of ours is; at first we wait a moment for the others, so that a start does not look like a failure. */
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "xlators/cluster/replicate/replicate.h"

#define PATIENCE_NS 500000000ull
#define INVALIDATE_MARKS 0x400u		/* extended attributes and nothing else: what an xattrop tells (facts: brick-wire.md section 13) */

static void tell_up(struct xlator *xl)
{
	struct replicate *rp = replicate_of(xl);

	timer_cancel(&rp->settle_in);
	if (rp->told_up || !rp->up)
		return;
	rp->told_up = true;
	if (!quorum_met(rp, rp->up))
		log_warning("quorum is missing from the start: writes wait for it, and reads of what it may have changed alone",
			    "set=%s stale-reads=%s", xl->name, rp->stale_reads ? "on" : "off");
	xl_notify(xl, XL_UP, NULL);
}

void replicate_settled(void *arg)
{
	tell_up(arg);
}

static void join(struct xlator *xl, unsigned child, child_set answered)
{
	struct replicate *rp = replicate_of(xl);
	unsigned i;

	rp->up |= bit(child);
	rp->up_since[child] = ++rp->gen;
	for (i = 0; i < rp->n; i++)
		if (answered & bit(i))
			rp->probed[i] = rp->gen;
	if (rp->told_up && quorum_met(rp, rp->up) && !quorum_met(rp, rp->up & ~bit(child)))
		log_notice("quorum is there again: writes go on", "set=%s child=%s", xl->name, xl->children[child]->name);
	co_queue_wake_all(&rp->came);
	if (rp->up == rp->all)
		tell_up(xl);
	else if (!rp->told_up && !timer_armed(&rp->settle_in))
		timer_arm(xl_loop(xl), &rp->settle_in, loop_now_ns(xl_loop(xl)) + PATIENCE_NS);
}

struct arrival { struct xlator *xl; unsigned child; uint32_t stamp; };

static void coroutine_fn arrival_entry(void *arg)
{
	struct arrival *a = arg;
	struct replicate *rp = replicate_of(a->xl);
	child_set answered;

	replicate_probe(a->xl, rp->up | bit(a->child), &answered);
	if (a->stamp == rp->arrivals[a->child])
		join(a->xl, a->child, answered);
	co_gate_leave(&rp->background);
	free(a);
}

#define ASK_AGAIN_NS 10000000000ull

static void coroutine_fn again_entry(void *arg)
{
	struct xlator *xl = arg;
	struct replicate *rp = replicate_of(xl);
	uint32_t gen = rp->gen;
	child_set answered;
	unsigned i;

	replicate_probe(xl, rp->up, &answered);
	for (i = 0; i < rp->n; i++)
		if (answered & bit(i))
			rp->probed[i] = gen;
	rp->asking = false;
	co_gate_leave(&rp->background);
}

void replicate_probe_again(struct xlator *xl)
{
	struct replicate *rp = replicate_of(xl);
	uint64_t now = loop_now_ns(xl_loop(xl));

	if (rp->asking || now - rp->asked_at_ns < ASK_AGAIN_NS || !co_gate_enter(&rp->background))
		return;
	rp->asking = true;
	rp->asked_at_ns = now;
	if (co_start(xl_loop(xl), again_entry, xl))
		return;
	rp->asking = false;
	co_gate_leave(&rp->background);
}

/* What the others hold against it is asked before it is used: a copy that was away must not decide anything until then. */
static void child_up(struct xlator *xl, unsigned child)
{
	struct replicate *rp = replicate_of(xl);
	struct arrival *a;

	if (rp->arrived & bit(child))
		return;
	rp->watch.silent &= ~bit(child);
	rp->arrived |= bit(child);
	if (!co_gate_enter(&rp->background))
		return;
	a = malloc(sizeof(*a));
	if (a)
		*a = (struct arrival){ xl, child, ++rp->arrivals[child] };
	if (a && co_start(xl_loop(xl), arrival_entry, a))
		return;
	free(a);
	co_gate_leave(&rp->background);
	join(xl, child, 0);
}

static void child_down(struct xlator *xl, unsigned child)
{
	struct replicate *rp = replicate_of(xl);
	bool had = quorum_met(rp, rp->up);

	rp->arrived &= ~bit(child);
	rp->arrivals[child]++;			/* one that is still being asked about comes to nothing */
	if (!(rp->up & bit(child)))
		return;
	rp->up &= ~bit(child);
	rp->gen++;
	if (had && !quorum_met(rp, rp->up))
		log_warning("quorum is missing: writes wait until it is back", "set=%s child=%s", xl->name, xl->children[child]->name);
	epochs_lost_child(xl, child);
	if (rp->up)
		return;
	timer_cancel(&rp->settle_in);
	if (rp->told_up) {
		rp->told_up = false;
		xl_notify(xl, XL_DOWN, NULL);
	}
}

/* Another client changed marks on @child: what we heard of it there is not all any more. */
static void marks_changed(struct replicate *rp, struct copies *c, unsigned child, const uint8_t *gfid)
{
	rp->blames[child] |= rp->all & ~bit(child);
	blamed_add(rp, child, gfid);
	if (!c)
		return;
	c->doubted_at = ++rp->blame_seq;
	c->heard_at[child] = 0;
	c->gen = 0;
}

static void upcall_from(struct xlator *xl, unsigned child, const struct xl_upcall *up)
{
	struct inode *inode = inode_find(xl_inodes(xl), up->gfid);
	struct copies *c = inode ? *inode_ctx(xl, inode) : NULL;

	if (c && up->kind == UPCALL_INODELK_CONTENTION && up->domain && strcmp(up->domain, xl->name) == 0)
		epoch_contended(xl, inode);
	if (up->kind == UPCALL_INVALIDATE && up->flags == INVALIDATE_MARKS)
		marks_changed(replicate_of(xl), c, child, up->gfid);
	inode_unref(inode);
}

void replicate_event(struct xlator *xl, unsigned child, enum xl_event ev, const struct xl_upcall *upcall)
{
	switch (ev) {
	case XL_UP:
		child_up(xl, child);
		break;
	case XL_DOWN:
		child_down(xl, child);
		break;
	case XL_RESTARTED:
		epochs_lost_child(xl, child);
		xl_notify(xl, ev, upcall);
		break;
	case XL_UPCALL:
		upcall_from(xl, child, upcall);
		if (upcall->kind != UPCALL_INODELK_CONTENTION || !upcall->domain || strcmp(upcall->domain, xl->name) != 0)
			xl_notify(xl, ev, upcall);
		break;
	}
}
