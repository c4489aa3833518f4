/* xlators/cluster/replicate/read.c: a read goes to one copy, always the same one of an inode while that may be read.
 *
 * Which copies may be read stands in the inode's slot, of this generation or it is asked for again first. A copy that fails is followed by
 * the next; when all have failed what we know is refreshed once. */
#include <string.h>
#include <sys/stat.h>

#include "xlators/cluster/replicate/replicate.h"

#define HIDDEN_PREFIX ".glusterfs-anonymous-inode-"

/* Another copy would say the same. */
static bool is_final(int ret)
{
	switch (ret) {
	case -EACCES: case -EPERM: case -EINVAL: case -ENODATA: case -ENXIO: case -ENOTDIR: case -EISDIR: case -ENAMETOOLONG:
	case -ERANGE: case -EOPNOTSUPP: case -ENOMEM:
		return true;
	default:
		return ret >= 0;
	}
}

static int coroutine_fn read_from(struct xlator *xl, struct call *call, enum fop op, const struct inode *inode, child_set from,
				  const void *args, void *res)
{
	struct replicate *rp = replicate_of(xl);
	int ret = -ENOTCONN, failed = 0;

	while (from) {
		unsigned child = copies_choose(rp, inode->gfid, from);

		ret = xl_call(xl->children[child], call, op, args, res);
		if (is_final(ret) || co_interrupted())
			return ret;
		if (!errno_is_loss(ret))
			failed = ret;
		from &= ~bit(child);
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
		ret = from ? read_from(xl, call, op, inode, from, args, res) : copies_excuse(rp, c, kind);
		if (is_final(ret) || co_interrupted())
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

/* Nobody has anything against any object on @child, as far as we can know. */
static bool beyond_doubt(const struct replicate *rp, unsigned child)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (i != child && ((rp->blames[i] & bit(child)) || !rp->probed[i]))
			return false;
	return true;
}

/* A listing's child may be whole as a directory and stale for a file in it: attributes we cannot vouch for are left out. */
static void vouch_for_entries(struct xlator *xl, struct readdir_res *res, unsigned child)
{
	struct replicate *rp = replicate_of(xl);
	bool all = beyond_doubt(rp, child);
	unsigned i;

	for (i = 0; i < res->n && !all; i++) {
		struct dirent_plus *e = &res->entries[i];
		struct inode *inode = iatt_present(&e->stat) ? inode_find(xl_inodes(xl), e->stat.gfid) : NULL;
		struct copies *c = inode ? *inode_ctx(xl, inode) : NULL;

		if (!c || !copies_fresh(rp, c) || !(c->readable[READ_ATTR] & bit(child)))
			memset(&e->stat, 0, sizeof(e->stat));
		inode_unref(inode);
	}
}

static void hide_internal(struct readdir_res *res, const struct inode *dir)
{
	unsigned i, n = 0;

	if (!gfid_is_root(dir->gfid))
		return;
	for (i = 0; i < res->n; i++)
		if (strncmp(res->entries[i].name, HIDDEN_PREFIX, sizeof(HIDDEN_PREFIX) - 1) != 0)
			res->entries[n++] = res->entries[i];
	res->n = n;
}

/* Positions are a brick's own: a listing goes on where it began, or waits for that copy. */
int coroutine_fn replicate_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct replicate *rp = replicate_of(xl);
	struct copies *c;
	child_set from;
	unsigned child;
	int ret;

	if (!quorum_reads_allowed(rp))
		return -ENOTCONN;
	ret = copies_refresh(xl, args->inode, false, &c);
	if (ret < 0)
		return ret;
	from = c->readable[READ_ENTRIES];
	while (from) {
		child = copies_choose(rp, args->inode->gfid, from);
		if (args->offset && c->listing >= 0)
			child = (unsigned)c->listing;
		if (!(from & bit(child)))
			return -ENOTCONN;
		ret = xl_readdir(xl->children[child], call, args, res);
		if (ret == 0) {
			if (!args->offset)
				c->listing = (int8_t)child;
			vouch_for_entries(xl, res, child);
			hide_internal(res, args->inode);
			return 0;
		}
		if (is_final(ret) || args->offset || co_interrupted())
			return ret;
		from &= ~bit(child);
		memset(res, 0, sizeof(*res));
	}
	return ret < 0 ? ret : copies_excuse(rp, c, READ_ENTRIES);
}
