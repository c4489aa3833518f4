/* xlators/cluster/distribute/mkdir.c: making and removing directories, which live on every subvolume (brick-format.md B5).
 *
 * The hashed subvolume decides: the directory is made there first and removed there last, under locks on the name, so that two clients never
 * make two directories of one name. Each of the other subvolumes gets its range with its MKDIR, and at the same time the hashed one, by an
 * XATTR_CREATE that tells whether somebody healed the directory meanwhile. He does that under the layout lock, which is not taken for it:
 * what the others have is final by then or not there, and a missing directory is healed under the name's lock; so the healer's layout agrees
 * with ours, or it is written on all and stays. Where a subvolume is away, or failed, ranges are set under the layout lock, afterwards. */
#include <string.h>
#include <sys/xattr.h>

#include "xlators/cluster/distribute/distribute.h"

#define ATTEMPTS 3

static const uint8_t mds_zero[4];

struct newdir {
	const struct mkdir_args *args;
	struct dht_locks name_locks, layout_lock;
	struct inode *dir;
	struct dht_layout *parent_layout, *layout;
	int hashed;
	bool early;			/* ranges went out with the directories */
	bool failed;			/* one of the others did not make it */
	bool existed;			/* on one of the other children, from somebody's earlier attempt */
	int denied;			/* why one of the others would not have it: its disk is full, say */
	bool stale, refused;		/* the parent is not as we believe; that is, its range */
	struct iatt stat, post;
};

static int coroutine_fn lock_name(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed,
				  struct dht_locks *locks)
{
	dht_locks_init(xl, locks);
	dht_locks_add_name(locks, hashed, parent, name);
	return dht_locks_take(xl, call, locks);
}

static int coroutine_fn make_on_hashed(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct mkdir_args args = *n->args;
	struct mkdir_res res = { 0 };
	uint8_t range[DHT_RANGE_SIZE];
	struct xattr *v = arena_alloc(call->arena, (args.xattrs.n + 1) * sizeof(*v));
	int ret;

	if (!v)
		return -ENOMEM;
	if (args.xattrs.n)
		memcpy(v, args.xattrs.v, args.xattrs.n * sizeof(*v));
	v[args.xattrs.n++] = (struct xattr){ DHT_MDS, mds_zero, sizeof(mds_zero) };
	args.xattrs.v = v;
	dht_range_encode(&n->parent_layout->v[n->hashed], range);
	args.preop = (struct preop){ DHT_XATTR, range, sizeof(range) };
	ret = xl_mkdir(xl->children[n->hashed], call, &args, &res);
	n->refused = res.preop_failed;
	n->stale = n->refused || dht_gone(ret);
	if (ret < 0)
		return ret;
	n->dir = inode_get(xl_inodes(xl), args.gfid);
	dht_iatt_merge(&n->stat, &res.stat);
	n->post = res.postparent;
	return n->dir ? 0 : -ENOMEM;
}

static const char *path_of(struct call *call, const struct mkdir_args *args)
{
	return gfid_is_root(args->parent->gfid) ? arena_printf(call->arena, "/%s", args->name) : NULL;
}

static void assign(struct xlator *xl, struct call *call, struct newdir *n)
{
	const struct distribute *d = xl->priv;

	dht_layout_assign(xl, n->layout, n->args->gfid, path_of(call, n->args),
			  d->lookup_optimize && d->commit_known ? d->commit : DHT_COMMIT_UNSETTLED);
	n->layout->at_ns = loop_now_ns(xl_loop(xl));
}

static struct xattr *range_xattr(struct call *call, const struct newdir *n, unsigned child)
{
	struct xattr *x = arena_alloc(call->arena, sizeof(*x));
	uint8_t *value = arena_alloc(call->arena, DHT_RANGE_SIZE);

	if (!x || !value)
		return NULL;
	dht_range_encode(&n->layout->v[child], value);
	*x = (struct xattr){ DHT_XATTR, value, DHT_RANGE_SIZE };
	return x;
}

/* MKDIR for each of the others, its range among the attributes. */
static const void **with_ranges(struct xlator *xl, struct call *call, const struct newdir *n)
{
	const void **to = dht_args(xl, call);

	for (unsigned i = 0; to && i < xl->nchildren; i++) {
		struct mkdir_args *args = arena_memdup(call->arena, n->args, sizeof(*args));
		struct xattr *v = arena_alloc(call->arena, (n->args->xattrs.n + 1) * sizeof(*v)), *x = range_xattr(call, n, i);

		if (!args || !v || !x)
			return NULL;
		if ((int)i == n->hashed)
			continue;
		if (args->xattrs.n)
			memcpy(v, args->xattrs.v, args->xattrs.n * sizeof(*v));
		if (!n->layout->v[i].err)
			v[args->xattrs.n++] = *x;
		args->xattrs.v = v;
		to[i] = args;
	}
	return to;
}

static int coroutine_fn set_hashed_range(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct call own = dht_internal(call);
	struct xattr *x = range_xattr(call, n, (unsigned)n->hashed);
	struct setxattr_args set = { .inode = n->dir, .xattrs = { x, 1 }, .flags = XATTR_CREATE, .internal = true };
	struct setxattr_res res = { 0 };
	int ret;

	if (!x)
		return -ENOMEM;
	if (n->layout->v[n->hashed].err)
		return -EIO;
	ret = xl_setxattr(xl->children[n->hashed], &own, &set, &res);
	if (ret == 0 && iatt_present(&res.post))
		dht_iatt_merge(&n->stat, &res.post);
	return ret;
}

struct others { struct xlator *xl; struct call *call; struct newdir *n; struct answer *ans; int ret; };

/* Two things at once: the directory on the other children, and either the last range or the layout lock of the new directory. */
static int coroutine_fn others_task(void *ctx, unsigned i)
{
	struct others *o = ctx;
	struct newdir *n = o->n;
	const void **to = n->early && i == 0 ? with_ranges(o->xl, o->call, n) : NULL;

	if (i == 1)
		return o->ret = n->early ? set_hashed_range(o->xl, o->call, n) : dht_locks_try(o->xl, o->call, &n->layout_lock, 0);
	if (to)
		o->ans = dht_fanout(o->xl, o->call, FOP_mkdir, to);
	else if (!n->early)
		o->ans = dht_fanout_same(o->xl, o->call, FOP_mkdir, n->args, n->hashed);
	return o->ans ? 0 : -ENOMEM;
}

/* A directory that one subvolume refuses is made nowhere: the others first, the hashed one last. Where that fails it is there after all, and
 * whoever looks at it makes it whole. */
static void coroutine_fn take_back(struct xlator *xl, struct call *call, struct newdir *n, const struct answer *ans)
{
	struct call own = dht_internal(call);
	struct rmdir_args args = { .parent = n->args->parent, .name = n->args->name, .inode = n->dir };
	struct rmdir_res unused = { 0 };
	const void **to = dht_args(xl, call);

	for (unsigned i = 0; to && i < xl->nchildren; i++)
		to[i] = (int)i != n->hashed && ans[i].err == 0 ? &args : NULL;
	if (to)
		dht_fanout(xl, &own, FOP_rmdir, to);
	if (!to || xl_rmdir(xl->children[n->hashed], &own, &args, &unused) < 0)
		n->denied = 0;
}

/* The caller may make it on the hashed child, so it is the volume's business to have it on the others. *ret_second: of the second thing. */
static int coroutine_fn make_on_others(struct xlator *xl, struct call *call, struct newdir *n, int *ret_second)
{
	struct others o = { xl, call, n, NULL, -ENOMEM };

	co_fanout(3, others_task, &o);
	*ret_second = o.ret;
	if (!o.ans)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (o.ans[i].err == 0) {
			dht_iatt_merge(&n->stat, &o.ans[i].res->mkdir.stat);
			dht_iatt_merge(&n->post, &o.ans[i].res->mkdir.postparent);
		}
		n->existed |= o.ans[i].err == -EEXIST;
		n->failed |= o.ans[i].err < 0 && o.ans[i].err != -EEXIST;
		if (o.ans[i].err < 0 && o.ans[i].err != -EEXIST && !dht_gone(o.ans[i].err) && !dht_in_doubt(o.ans[i].err))
			n->denied = o.ans[i].err;
	}
	if (n->denied)
		take_back(xl, call, n, o.ans);
	for (unsigned i = 0; i < xl->nchildren && (!n->early || n->failed); i++) {
		bool there = (int)i == n->hashed || o.ans[i].err == 0 || o.ans[i].err == -EEXIST;

		n->layout->v[i].err = there ? -ENODATA : o.ans[i].err;
	}
	return 0;
}

/* Every child's own range, unless it has one. -EEXIST: somebody healed the directory before we had the lock. */
static int coroutine_fn set_ranges(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct call own = dht_internal(call);
	const void **to = dht_args(xl, call);
	struct answer *ans;
	int ret = 0;

	if (!to)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		struct setxattr_args *set = arena_alloc(call->arena, sizeof(*set));
		struct xattr *x = range_xattr(call, n, i);

		if (!set || !x)
			return -ENOMEM;
		if (n->layout->v[i].err)
			continue;
		*set = (struct setxattr_args){ .inode = n->dir, .xattrs = { x, 1 }, .internal = true,
					       .flags = n->early ? 0 : XATTR_CREATE };	/* early: some of them are ours, and void */
		to[i] = set;
	}
	ans = dht_fanout(xl, &own, FOP_setxattr, to);
	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		if (ans[i].err == 0 && iatt_present(&ans[i].res->setxattr.post))
			dht_iatt_merge(&n->stat, &ans[i].res->setxattr.post);
		if (ans[i].err < 0 && ret != -EEXIST)
			ret = ans[i].err;
	}
	return ans ? ret : -ENOMEM;
}

/* Something was there, or somebody was faster: look at all copies and let the healing sort it out. Then force what was made, too: the ranges
 * that would have done it were not written. */
static int coroutine_fn look_again(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct call own = dht_internal(call);
	struct setattr_args same = { .inode = n->dir, .stat = n->stat, .valid = SET_ATIME, .internal = true };
	struct lookup_res res = { 0 };
	struct answer *ans;

	if (distribute_lookup(xl, call, &(struct lookup_args){ .parent = n->args->parent, .name = n->args->name }, &res) == 0 &&
	    S_ISDIR(res.stat.mode))
		n->stat = res.stat;
	if (!call->durable)
		return 0;
	ans = dht_fanout_same(xl, &own, FOP_setattr, &same, -1);
	if (ans && dht_gone(ans[n->hashed].err))
		return -ENOTCONN;	/* a power cut took what was not forced yet: to be made again */
	return ans ? ans[n->hashed].err : -ENOMEM;
}

/* Under the layout lock, on those that are there. */
static int coroutine_fn set_late(struct xlator *xl, struct call *call, struct newdir *n)
{
	assign(xl, call, n);
	return set_ranges(xl, call, n);
}

static int coroutine_fn give_layout(struct xlator *xl, struct call *call, struct newdir *n, int second)
{
	int ret = -EEXIST;

	if (n->early && n->failed && !n->existed && second != -EEXIST)
		second = dht_locks_try(xl, call, &n->layout_lock, 0);
	if (n->existed)
		ret = -EEXIST;
	else if (n->early && !n->failed)
		ret = second;
	else if (second == 0)
		ret = set_late(xl, call, n);
	if (ret == 0)
		dht_set_dir(xl, n->dir, n->layout, n->hashed);
	dht_locks_release_later(xl, call, &n->layout_lock);
	dht_locks_release_later(xl, call, &n->name_locks);
	return ret < 0 ? look_again(xl, call, n) : 0;
}

/* Nothing is answered before the ranges are written, on every child: where they are written after the directory, forcing them forces it, too. */
static int coroutine_fn mkdir_locked(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct call unforced = *call;
	int ret, second = -ENOMEM;

	unforced.durable = false;
	ret = make_on_hashed(xl, &unforced, n);
	if (ret == 0) {
		n->layout = dht_layout_new(xl->nchildren);
		ret = n->layout ? 0 : -ENOMEM;
	}
	if (ret == 0) {
		dht_locks_init(xl, &n->layout_lock);
		dht_locks_add(&n->layout_lock, (unsigned)n->hashed, n->dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
		for (unsigned i = 0; i < xl->nchildren; i++)
			n->layout->v[i].err = -ENODATA;
		n->early = dht_all_up(xl);
		if (n->early)
			assign(xl, call, n);
		ret = make_on_others(xl, n->early ? call : &unforced, n, &second);
	}
	if (ret == 0)
		ret = n->denied;
	if (ret < 0) {
		dht_locks_release_later(xl, call, &n->layout_lock);
		dht_locks_release_later(xl, call, &n->name_locks);
		return ret;
	}
	return give_layout(xl, call, n, second);
}

static int coroutine_fn mkdir_once(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct dht_found f;
	int ret;

	n->hashed = dht_hashed(xl, call, n->args->parent, n->args->name, &n->parent_layout);
	if (n->hashed < 0)
		return n->hashed;
	if (!dht_settled(xl->priv, n->parent_layout)) {
		ret = dht_find(xl, call, n->args->parent, n->args->name, &f);
		if (ret != -ENOENT)
			return ret == 0 ? -EEXIST : ret;
	}
	dht_space_know(xl, call);
	ret = lock_name(xl, call, n->args->parent, n->args->name, n->hashed, &n->name_locks);
	if (dht_gone(ret))
		n->stale = true;
	if (ret < 0)
		return ret;
	co_shield();
	ret = mkdir_locked(xl, call, n);
	co_unshield();
	return ret;
}

int coroutine_fn distribute_mkdir(struct xlator *xl, struct call *call, const struct mkdir_args *args, struct mkdir_res *res)
{
	struct newdir *n;
	struct dht_range range;
	int ret = -ESTALE;

	if (dht_single(xl))
		return xl_mkdir(xl->children[0], call, args, res);
	n = arena_alloc(call->arena, sizeof(*n));
	if (!n)
		return -ENOMEM;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		*n = (struct newdir){ .args = args };
		ret = mkdir_once(xl, call, n);
		if (n->refused)
			range = n->parent_layout->v[n->hashed];
		inode_unref(n->dir);
		dht_layout_unref(n->layout);
		dht_layout_unref(n->parent_layout);
		if (!n->stale)
			break;
		ret = dht_layout_refused(xl, call, args->parent, n->hashed, n->refused ? &range : NULL);
		if (ret < 0)
			return ret;
		ret = -ENOTCONN;	/* it is there; somebody is at its layout all the time, or a subvolume lacks it: later, then */
	}
	if (ret < 0)
		return ret;
	*res = (struct mkdir_res){ .stat = n->stat, .postparent = n->post };
	dht_iatt_dir(&res->stat);
	dht_parent_result(xl, args->parent, &res->preparent, &res->postparent);
	return 0;
}
