/* xlators/cluster/distribute/data.c: operations on one file, which may be on the move to another subvolume (brick-format.md B9).
 *
 * Phase 1: the file is being copied; its mode shows sticky and setgid. What changes it is done on the source and then on the target too.
 * Phase 2: the source has become a linkto (or is gone): the call is done again where the file is now. */
#include <stddef.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define PROTECT_WRITES "trusted.glusterfs.protect.writes"
#define ATTEMPTS 3

/* Where a result holds the attributes that tell the phase; -1: nowhere. */
struct shape { short pre, post; };
#define POST(op, field) [FOP_##op] = { -1, (short)offsetof(struct op##_res, field) }
#define BOTH(op) [FOP_##op] = { (short)offsetof(struct op##_res, pre), (short)offsetof(struct op##_res, post) }
static const struct shape shapes[FOP_COUNT] = {
	POST(stat, stat), POST(readv, stat), POST(readlink, stat),
	BOTH(writev), BOTH(truncate), BOTH(fsync), BOTH(setxattr), BOTH(removexattr), BOTH(setattr),
	BOTH(fallocate), BOTH(discard), BOTH(zerofill),
};

static struct iatt *at(void *res, short offset)
{
	return offset >= 0 ? (struct iatt *)(void *)((char *)res + offset) : NULL;
}

static bool has_shape(enum fop op)
{
	return shapes[op].post != 0 || op == FOP_stat || op == FOP_readv || op == FOP_readlink;
}

static void strip(enum fop op, void *res)
{
	struct iatt *st;

	if (!has_shape(op))
		return;
	st = at(res, shapes[op].post);
	if (st)
		dht_iatt_file(st);
	st = at(res, shapes[op].pre);
	if (st)
		dht_iatt_file(st);
}

/* The target of a file in phase 1, or -ENOENT when it only looks like one: a user may set these mode bits. */
static int coroutine_fn migration_target(struct xlator *xl, struct call *call, struct inode *inode, int source)
{
	struct call own = dht_internal(call);
	struct xattr_want want = dht_want(NULL);
	struct lookup_args args = { .inode = inode, .want = &want };
	struct lookup_res res = { 0 };
	const struct xattr *x;
	int ret = xl_lookup(xl->children[source], &own, &args, &res);

	if (ret < 0)
		return ret;
	x = xattrs_find(&res.xattrs, DHT_LINKTO);
	return x ? dht_child_by_name(xl, x->value, x->len) : -ENOENT;
}

/* Tells the migrating process not to write old data over ours. */
static int coroutine_fn protect_writes(struct xlator *xl, struct call *call, struct inode *inode, int target)
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };
	struct call own = dht_internal(call);
	struct xattr x = { PROTECT_WRITES, one, sizeof(one) };
	struct setxattr_args args = { .inode = inode, .xattrs = { &x, 1 }, .internal = true };
	struct setxattr_res res;

	return xl_setxattr(xl->children[target], &own, &args, &res);
}

/* A chmod must not take off the marks of phase 1: the next writer would not know. */
static int coroutine_fn keep_marks(struct xlator *xl, struct call *call, const struct setattr_args *args, int source)
{
	struct call own = dht_internal(call);
	struct setattr_args again = { .inode = args->inode, .valid = SET_MODE, .internal = true,
				      .stat = { .mode = args->stat.mode | 03000 } };
	struct setattr_res res;

	return args->valid & SET_MODE ? xl_setattr(xl->children[source], &own, &again, &res) : 0;
}

/* The change stands on the source; now the target. A target that is gone means that the migration was given up. */
static int coroutine_fn mirror(struct xlator *xl, struct call *call, struct inode *inode, enum fop op, const void *args, int source)
{
	void *res = arena_alloc(call->arena, fop_res_sizes[op]);
	int target, ret = 0;

	if (!res)
		return -ENOMEM;
	if (op == FOP_setattr)
		ret = keep_marks(xl, call, args, source);
	target = migration_target(xl, call, inode, source);
	if (target < 0)
		return dht_gone(target) ? ret : target;
	if (op == FOP_writev || op == FOP_zerofill || op == FOP_discard)
		ret = protect_writes(xl, call, inode, target);
	if (ret == 0)
		ret = xl_call(xl->children[target], call, op, args, res);
	return dht_gone(ret) ? 0 : ret;
}

static bool in_phase1(enum fop op, void *res)
{
	struct iatt *pre = at(res, shapes[op].pre), *post = at(res, shapes[op].post);

	return (pre && dht_phase1_mode(pre)) || (post && dht_phase1_mode(post));
}

static bool changes_file(enum fop op)
{
	return fop_modifies(op) && op != FOP_fsync;
}

static int coroutine_fn finish(struct xlator *xl, struct call *call, struct inode *inode, enum fop op, const void *args, void *res,
			       int child)
{
	int ret = 0;

	if (changes_file(op) && has_shape(op) && in_phase1(op, res)) {
		co_shield();
		ret = mirror(xl, call, inode, op, args, child);
		co_unshield();
	}
	strip(op, res);
	return ret;
}

static bool moved(enum fop op, int ret, void *res)
{
	const struct iatt *post;

	if (ret < 0)
		return dht_gone(ret);
	if (!has_shape(op))
		return false;
	post = at(res, shapes[op].post);
	return post && dht_phase2_mode(post);
}

int coroutine_fn dht_on_file(struct xlator *xl, struct call *call, struct inode *inode, enum fop op, const void *args, void *res)
{
	int child = dht_locate(xl, call, inode), ret = -ESTALE;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		struct lookup_res again = { 0 };
		int now;

		if (child < 0)
			return child;
		ret = xl_call(xl->children[child], call, op, args, res);
		if (!moved(op, ret, res))
			return ret < 0 ? ret : finish(xl, call, inode, op, args, res, child);
		now = dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = inode }, &again);
		if (now < 0)
			return now == -ENOENT ? -ESTALE : now;
		now = dht_cached(xl, inode);
		if (now < 0)
			return -ESTALE;
		if (now == child)	/* it is where it was: the answer stands (mode 01000 may be a user's own) */
			return ret < 0 ? ret : finish(xl, call, inode, op, args, res, child);
		child = now;
	}
	return ret < 0 ? ret : -EIO;
}

/* The child that stands for a directory where any copy will do. */
static int coroutine_fn home(struct xlator *xl, struct call *call, struct inode *inode)
{
	const struct distribute *d = xl->priv;
	struct dht_dir *dir;
	int child = dht_locate(xl, call, inode);

	if (child != -EISDIR)
		return child;
	dir = dht_dir(xl, inode);
	if (dir && dir->mds >= 0 && d->up[dir->mds])
		return dir->mds;
	for (unsigned k = 0; k < xl->nchildren; k++) {
		if (d->up[d->order[k]])
			return (int)d->order[k];
	}
	return -ENOTCONN;
}

#define ON_FILE(op) \
	int coroutine_fn distribute_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		if (dht_single(xl)) \
			return xl_##op(xl->children[0], call, args, res); \
		return dht_on_file(xl, call, args->inode, FOP_##op, args, res); \
	}
#define ON_HOME(op) \
	int coroutine_fn distribute_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		int child; \
		if (dht_single(xl)) \
			return xl_##op(xl->children[0], call, args, res); \
		child = home(xl, call, args->inode); \
		if (child >= 0 && dht_cached(xl, args->inode) >= 0) \
			return dht_on_file(xl, call, args->inode, FOP_##op, args, res); \
		return child < 0 ? child : xl_##op(xl->children[child], call, args, res); \
	}

ON_FILE(readlink)
ON_FILE(truncate)
ON_FILE(open)
ON_FILE(readv)
ON_FILE(writev)
ON_FILE(flush)
ON_FILE(fsync)
ON_FILE(lk)
ON_FILE(rchecksum)
ON_FILE(fallocate)
ON_FILE(discard)
ON_FILE(zerofill)
ON_FILE(seek)
ON_HOME(access)
ON_HOME(getxattr)
ON_HOME(inodelk)
ON_HOME(xattrop)

int coroutine_fn distribute_entrylk(struct xlator *xl, struct call *call, const struct entrylk_args *args, struct entrylk_res *res)
{
	int child;

	if (dht_single(xl))
		return xl_entrylk(xl->children[0], call, args, res);
	child = args->name ? dht_hashed(xl, call, args->inode, args->name, NULL) : home(xl, call, args->inode);
	return child < 0 ? child : xl_entrylk(xl->children[child], call, args, res);
}

/* A directory has one descriptor a subvolume; those who serve NFS keep none, and nobody else is above us. */
int coroutine_fn distribute_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	return dht_single(xl) ? xl_opendir(xl->children[0], call, args, res) : -EOPNOTSUPP;
}

int coroutine_fn distribute_fsyncdir(struct xlator *xl, struct call *call, const struct fsyncdir_args *args, struct fsyncdir_res *res)
{
	struct answer *ans;

	if (dht_single(xl))
		return xl_fsyncdir(xl->children[0], call, args, res);
	ans = dht_fanout_same(xl, call, FOP_fsyncdir, args, -1);
	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		if (ans[i].err < 0)
			return ans[i].err;
	}
	return ans ? 0 : -ENOMEM;
}
