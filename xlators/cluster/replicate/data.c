/* xlators/cluster/replicate/data.c: changes of a file's content, and what makes them last.
 *
 * A write is: keep apart from what it overlaps, join the epoch (lock and dirty mark, mostly there already), write, record the verdict. */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

struct change_of_data {
	struct inode *inode;
	enum fop op;
	const void *args;
	uint64_t start, len;			/* len 0: to the end of the file and beyond */
	bool stable;
};

/* A copy that wrote less than the others did not do it: its disk ran full over it. */
static void distrust_short_writes(struct answer *ans, child_set part)
{
	uint32_t most = 0;
	unsigned i;

	for (i = 0; part >> i; i++)
		if ((part & bit(i)) && ans[i].err == 0 && ans[i].res->writev.written > most)
			most = ans[i].res->writev.written;
	for (i = 0; part >> i; i++)
		if ((part & bit(i)) && ans[i].err == 0 && ans[i].res->writev.written < most)
			ans[i].err = -ENOSPC;
}

static void note_stability(struct epoch *e, const struct change_of_data *d, const struct answer *ans, child_set ok)
{
	bool append = d->op == FOP_writev;
	unsigned i;

	e->seq++;
	if (d->stable)
		return;
	e->unstable = e->seq;
	for (i = 0; append && ok >> i; i++)
		if ((ok & bit(i)) && !ans[i].res->writev.is_append)
			append = false;
	if (!append)
		e->overwrote = e->seq;
}

static bool others_want_lock(const struct answer *ans, child_set ok)
{
	unsigned i;

	for (i = 0; ok >> i; i++)
		if ((ok & bit(i)) && ans[i].res->writev.counts.inodelk > 1)
			return true;
	return false;
}

/* All of these results begin with the attributes before and after. They are left out when no copy may be believed in all of them. */
static void take_result(const struct replicate *rp, const struct epoch *e, const struct answer *ans, child_set from, size_t size, void *res)
{
	unsigned child;

	_Static_assert(offsetof(struct writev_res, post) == sizeof(struct iatt) && offsetof(struct fsync_res, post) == sizeof(struct iatt)
		       && offsetof(struct truncate_res, post) == sizeof(struct iatt), "attributes come first");
	if (replicate_speaker(rp, e->copies, e->inode->gfid, from, &child)) {
		memcpy(res, ans[child].res, size);
		return;
	}
	memcpy(res, ans[__builtin_ctzll(from)].res, size);
	memset(res, 0, 2 * sizeof(struct iatt));
}

static int coroutine_fn change_in_epoch(struct xlator *xl, struct call *call, struct epoch *e, const struct change_of_data *d, void *res)
{
	struct replicate *rp = replicate_of(xl);
	child_set part = copies_still(rp, e->part, e->gen), good = e->good & part;
	struct answer *ans;
	struct verdict v;

	if (!epoch_holds(e, part) || !good)
		return -ENOTCONN;
	ans = copies_ask(xl, call, part, d->op, d->args, NULL);
	if (!ans)
		return -ENOMEM;
	if (d->op == FOP_writev)
		distrust_short_writes(ans, part);
	quorum_judge(rp, ans, part, e->lacking & rp->up, e->whole & ~e->missed, &v);
	if (v.took_effect)
		note_stability(e, d, ans, v.ok);
	if (d->op == FOP_writev && others_want_lock(ans, v.ok))
		e->end = true;
	v.ret = epoch_record(e, call, &v);
	if (v.ret == 0)
		take_result(rp, e, ans, v.ok & good, fop_res_sizes[d->op], res);
	return v.ret;
}

static int coroutine_fn change_data(struct xlator *xl, struct call *call, const struct change_of_data *d, void *res)
{
	struct copies *c = copies_of(xl, d->inode);
	struct epoch *e;
	struct span span;
	int ret;

	if (!c)
		return -ENOMEM;
	ret = span_enter(c, &span, d->start, d->len);
	if (ret < 0)
		return ret;
	ret = epoch_join(xl, call, d->inode, &e);
	if (ret == 0) {
		co_shield();
		ret = change_in_epoch(xl, call, e, d, res);
		epoch_leave(e);
		co_unshield();
	}
	span_leave(c, &span);
	return ret;
}

int coroutine_fn replicate_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	struct writev_args writing = *args;
	struct change_of_data d = { args->inode, FOP_writev, &writing, args->offset, args->data.len, args->flags & (O_DSYNC | O_SYNC) };

	writing.count |= COUNT_INODELK;
	writing.count_domain = xl->name;
	return change_data(xl, call, &d, res);
}

int coroutine_fn replicate_truncate(struct xlator *xl, struct call *call, const struct truncate_args *args, struct truncate_res *res)
{
	struct change_of_data d = { args->inode, FOP_truncate, args, 0, 0, call->durable };

	return change_data(xl, call, &d, res);
}

int coroutine_fn replicate_fallocate(struct xlator *xl, struct call *call, const struct fallocate_args *args, struct fallocate_res *res)
{
	struct change_of_data d = { args->inode, FOP_fallocate, args, 0, 0, call->durable };

	return change_data(xl, call, &d, res);
}

int coroutine_fn replicate_discard(struct xlator *xl, struct call *call, const struct discard_args *args, struct discard_res *res)
{
	struct change_of_data d = { args->inode, FOP_discard, args, args->offset, args->len, false };

	return change_data(xl, call, &d, res);
}

int coroutine_fn replicate_zerofill(struct xlator *xl, struct call *call, const struct zerofill_args *args, struct zerofill_res *res)
{
	struct change_of_data d = { args->inode, FOP_zerofill, args, 0, 0, false };

	return change_data(xl, call, &d, res);
}

/* Inside an epoch a copy that cannot sync is one that missed what it was to sync. */
static int coroutine_fn fsync_in_epoch(struct xlator *xl, struct call *call, const struct fsync_args *args, struct fsync_res *res)
{
	struct replicate *rp = replicate_of(xl);
	struct epoch *e;
	struct answer *ans;
	struct verdict v = { 0 };
	child_set part, good;
	uint64_t seq;
	int ret = epoch_join(xl, call, args->inode, &e);

	if (ret < 0)
		return ret;
	co_shield();
	seq = e->seq;
	part = copies_still(rp, e->part, e->gen);
	good = e->good & part;
	if (!epoch_holds(e, part) || !good)
		v.ret = -ENOTCONN;
	ans = v.ret < 0 ? NULL : copies_ask(xl, call, part, FOP_fsync, args, NULL);
	if (ans) {
		quorum_judge(rp, ans, part, e->lacking & rp->up, e->whole & ~e->missed, &v);
		v.ret = epoch_record(e, call, &v);
		if (v.took_effect && seq > e->synced)
			e->synced = seq;
		if (v.ret == 0)
			e->copies->unsynced = 0;
		if (v.ret == 0)
			take_result(rp, e, ans, v.ok & good, sizeof(*res), res);
	}
	epoch_leave(e);
	co_unshield();
	return ans || v.ret < 0 ? v.ret : -ENOMEM;
}

/* Without an epoch nothing of ours is unsynced on one copy only: one round, and only when the copies differ the whole transaction. What a copy
 * took with it when it went down is promised by this answer, and no restart has been heard of that would make the caller write it again: so
 * that copy is accused, by the marks of a new epoch. */
int coroutine_fn replicate_fsync(struct xlator *xl, struct call *call, const struct fsync_args *args, struct fsync_res *res)
{
	struct replicate *rp = replicate_of(xl);
	struct copies *c;
	struct answer *ans;
	child_set asked, ok;
	unsigned child;
	int ret = copies_refresh(xl, args->inode, false, &c);

	if (ret < 0)
		return ret;
	if (c->epoch || (c->unsynced & ~rp->up))
		return fsync_in_epoch(xl, call, args, res);
	asked = rp->up & ~c->absent;
	if (!quorum_holds(rp, asked, rp->up & c->absent))
		return -ENOTCONN;
	if (!(asked & c->good[DATA]))
		return copies_excuse_change(rp, c, DATA);
	ans = copies_ask(xl, call, asked, FOP_fsync, args, &ok);
	if (!ans)
		return -ENOMEM;
	if (!ok)
		return quorum_error(ans, asked, c->good[DATA]);
	if (ok != asked)
		return fsync_in_epoch(xl, call, args, res);
	if (replicate_speaker(rp, c, args->inode->gfid, ok, &child))
		*res = ans[child].res->fsync;
	return 0;
}

int coroutine_fn replicate_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	struct replicate *rp = replicate_of(xl);
	child_set asked, ok;
	struct answer *ans;
	int ret = epoch_finish(xl, args->inode);

	if (ret < 0)
		return ret;
	asked = rp->up;
	ans = copies_ask(xl, call, asked, FOP_flush, args, &ok);
	if (!ans)
		return -ENOMEM;
	return ok ? 0 : quorum_error(ans, asked, asked);
}
