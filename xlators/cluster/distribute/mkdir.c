/* xlators/cluster/distribute/mkdir.c: making and removing directories, which live on every subvolume (brick-format.md B5).
 *
 * The hashed subvolume decides: the directory is made there first and removed there last, under locks on the name, so that two clients never
 * make two directories of one name. The ranges are written under the layout lock of the new directory, and only where nobody wrote any yet:
 * setting them with XATTR_CREATE tells, so the usual case needs no look at the copies first. */
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
	bool existed;			/* on one of the other children, from somebody's earlier attempt */
	bool stale;
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
	n->stale = res.preop_failed || dht_gone(ret);
	if (ret < 0)
		return ret;
	n->dir = inode_get(xl_inodes(xl), args.gfid);
	dht_iatt_merge(&n->stat, &res.stat);
	n->post = res.postparent;
	return n->dir ? 0 : -ENOMEM;
}

struct others { struct xlator *xl; struct call *call; struct newdir *n; struct answer *ans; };

/* Two things at once: the directory on the other children, and the layout lock of the new directory. */
static int coroutine_fn others_task(void *ctx, unsigned i)
{
	struct others *o = ctx;

	if (i == 1)
		return dht_locks_try(o->xl, o->call, &o->n->layout_lock, 0);
	o->ans = dht_fanout_same(o->xl, o->call, FOP_mkdir, o->n->args, o->n->hashed);
	return o->ans ? 0 : -ENOMEM;
}

/* The caller may make it on the hashed child, so it is the volume's business to have it on the others. */
static int coroutine_fn make_on_others(struct xlator *xl, struct call *call, struct newdir *n, uint64_t *ret_done)
{
	struct others o = { xl, call, n, NULL };

	dht_locks_init(xl, &n->layout_lock);
	dht_locks_add(&n->layout_lock, (unsigned)n->hashed, n->dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	*ret_done = co_fanout(3, others_task, &o);
	if (!o.ans)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		n->layout->v[i].err = (int)i == n->hashed ? -ENODATA : o.ans[i].err;
		if (o.ans[i].err == 0) {
			dht_iatt_merge(&n->stat, &o.ans[i].res->mkdir.stat);
			dht_iatt_merge(&n->post, &o.ans[i].res->mkdir.postparent);
		}
		if (o.ans[i].err == 0 || o.ans[i].err == -EEXIST)
			n->layout->v[i].err = -ENODATA;
		n->existed |= o.ans[i].err == -EEXIST;
	}
	return 0;
}

static const char *path_of(struct call *call, const struct mkdir_args *args)
{
	return gfid_is_root(args->parent->gfid) ? arena_printf(call->arena, "/%s", args->name) : NULL;
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
		struct xattr *x = arena_alloc(call->arena, sizeof(*x));
		uint8_t *value = arena_alloc(call->arena, DHT_RANGE_SIZE);

		if (!set || !x || !value)
			return -ENOMEM;
		if (n->layout->v[i].err)
			continue;
		dht_range_encode(&n->layout->v[i], value);
		*x = (struct xattr){ DHT_XATTR, value, DHT_RANGE_SIZE };
		*set = (struct setxattr_args){ .inode = n->dir, .xattrs = { x, 1 }, .flags = XATTR_CREATE, .internal = true };
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
	return ans ? ans[n->hashed].err : -ENOMEM;
}

static int coroutine_fn give_layout(struct xlator *xl, struct call *call, struct newdir *n, bool locked)
{
	const struct distribute *d = xl->priv;
	int ret = -EEXIST;

	if (locked && !n->existed) {
		dht_layout_assign(xl, n->layout, n->args->gfid, path_of(call, n->args),
				  d->lookup_optimize && d->commit_known ? d->commit : DHT_COMMIT_UNSETTLED);
		n->layout->at_ns = loop_now_ns(xl_loop(xl));
		ret = set_ranges(xl, call, n);
		if (ret == 0)
			dht_set_dir(xl, n->dir, n->layout, n->hashed);
	}
	dht_locks_release_later(xl, call, &n->layout_lock);
	dht_locks_release_later(xl, call, &n->name_locks);
	return ret < 0 ? look_again(xl, call, n) : 0;
}

/* Nothing is answered before the ranges are written, on every child: forcing them forces the directories made before, so these need no
 * force of their own. */
static int coroutine_fn mkdir_locked(struct xlator *xl, struct call *call, struct newdir *n)
{
	struct call unforced = *call;
	uint64_t done = 0;
	int ret;

	unforced.durable = false;
	ret = make_on_hashed(xl, &unforced, n);
	if (ret == 0) {
		n->layout = dht_layout_new(xl->nchildren);
		ret = n->layout ? make_on_others(xl, &unforced, n, &done) : -ENOMEM;
	}
	if (ret < 0) {
		dht_locks_release_later(xl, call, &n->layout_lock);
		dht_locks_release_later(xl, call, &n->name_locks);
		return ret;
	}
	return give_layout(xl, call, n, (done & 2) != 0);
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
	struct dht_layout *l;
	int ret = -EIO;

	if (dht_single(xl))
		return xl_mkdir(xl->children[0], call, args, res);
	n = arena_alloc(call->arena, sizeof(*n));
	if (!n)
		return -ENOMEM;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		*n = (struct newdir){ .args = args };
		ret = mkdir_once(xl, call, n);
		inode_unref(n->dir);
		dht_layout_unref(n->layout);
		dht_layout_unref(n->parent_layout);
		if (!n->stale)
			break;
		ret = dht_layout_reread(xl, call, args->parent, &l);
		if (ret < 0)
			return ret;
		dht_layout_unref(l);
		ret = -EIO;
	}
	if (ret < 0)
		return ret;
	*res = (struct mkdir_res){ .stat = n->stat, .postparent = n->post };
	dht_iatt_dir(&res->stat);
	dht_parent_result(xl, args->parent, &res->preparent, &res->postparent);
	return 0;
}
