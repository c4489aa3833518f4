/* xlators/cluster/replicate/read.c: a read goes to one copy, always the same one of an inode while that may be read.
 *
 * Which copies may be read stands in the inode's slot, of this generation or it is asked for again first. A copy that fails is followed by
 * the next; when all have failed what we know is refreshed once. */
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

/* Another copy would say the same. */
bool read_is_final(int ret)
{
	switch (ret) {
	case -EACCES: case -EPERM: case -EINVAL: case -ENODATA: case -ENXIO: case -ENOTDIR: case -EISDIR: case -ENAMETOOLONG:
	case -ERANGE: case -EOPNOTSUPP: case -ENOMEM:
		return true;
	default:
		return ret >= 0;
	}
}

/* @patient: those in @from that are slow are waited for, too. */
static int coroutine_fn read_from(struct xlator *xl, struct call *call, enum fop op, const struct inode *inode, child_set from, bool patient,
				  const void *args, void *res)
{
	struct replicate *rp = replicate_of(xl);
	int ret = -ENOTCONN, failed = 0;
	child_set late = 0;

	while (from) {
		unsigned child = copies_choose(rp, inode->gfid, from);
		uint64_t now = loop_now_ns(xl_loop(xl));

		from &= ~bit(child);
		ret = copies_ask_one(xl, call, child, patient ? 0 : from, &(struct xl_asked){ .op = op, .args = args }, res);
		if (!errno_is_loss(ret))
			copies_found_late(xl, late, now);
		if (read_is_final(ret) || co_interrupted())
			return ret;
		if (ret == -ETIMEDOUT)
			late |= bit(child);
		if (!errno_is_loss(ret))
			failed = ret;
		memset(res, 0, fop_res_sizes[op]);
	}
	return failed ? failed : ret;
}

void replicate_compose(const struct iatt *meta, const struct iatt *content, struct iatt *ret_st)
{
	struct iatt st = *meta;

	st.size = content->size;
	st.blocks = content->blocks;
	st.mtime = content->mtime;
	if (content->ctime.sec > st.ctime.sec || (content->ctime.sec == st.ctime.sec && content->ctime.nsec > st.ctime.nsec))
		st.ctime = content->ctime;
	*ret_st = st;
}

static int coroutine_fn read_one(struct xlator *xl, struct call *call, enum fop op, struct inode *inode, enum read_kind kind,
				 const void *args, void *res)
{
	struct replicate *rp = replicate_of(xl);
	struct copies *c;
	child_set from;
	int ret = -ENOTCONN, round;

	if (!quorum_reads_allowed(rp))
		return -ENOTCONN;
	for (round = 0; round < 2; round++) {
		int err = copies_refresh(xl, inode, round > 0, &c);

		if (err < 0)
			return err;
		from = c->readable[kind];
		ret = from ? read_from(xl, call, op, inode, from, round > 0, args, res) : copies_excuse(rp, c, kind);
		if (read_is_final(ret) || co_interrupted())
			return ret;
	}
	return ret;
}

/* Attributes are shown even where no copy is whole: a lookup has all the answers to put together. */
static int coroutine_fn stat_by_lookup(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct lookup_args asking = { .inode = args->inode, .want = args->want, .count = args->count };
	struct lookup_res *found = arena_alloc(call->arena, sizeof(*found));
	int ret = found ? replicate_lookup(xl, call, &asking, found) : -ENOMEM;

	if (ret < 0)
		return ret;
	*res = (struct stat_res){ found->stat, found->xattrs, found->counts };
	return 0;
}

int coroutine_fn replicate_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	int ret = read_one(xl, call, FOP_stat, args->inode, READ_ATTR, args, res);

	return ret == -EIO ? stat_by_lookup(xl, call, args, res) : ret;
}

int coroutine_fn replicate_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res)
{
	return read_one(xl, call, FOP_access, args->inode, READ_META, args, res);
}

int coroutine_fn replicate_readlink(struct xlator *xl, struct call *call, const struct readlink_args *args, struct readlink_res *res)
{
	return read_one(xl, call, FOP_readlink, args->inode, READ_META, args, res);
}

int coroutine_fn replicate_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	return read_one(xl, call, FOP_getxattr, args->inode, READ_META, args, res);
}

int coroutine_fn replicate_readv(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	return read_one(xl, call, FOP_readv, args->inode, READ_DATA, args, res);
}

int coroutine_fn replicate_seek(struct xlator *xl, struct call *call, const struct seek_args *args, struct seek_res *res)
{
	return read_one(xl, call, FOP_seek, args->inode, READ_DATA, args, res);
}

int coroutine_fn replicate_rchecksum(struct xlator *xl, struct call *call, const struct rchecksum_args *args, struct rchecksum_res *res)
{
	return read_one(xl, call, FOP_rchecksum, args->inode, READ_DATA, args, res);
}
