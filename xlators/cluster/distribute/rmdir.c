/* xlators/cluster/distribute/rmdir.c: removing a directory from every subvolume, or from none.
 *
 * It goes from the hashed subvolume last, so that until the end whoever looks finds it there and heals it. A subvolume that refuses (somebody
 * made a name there meanwhile) puts the others back as they were, with their old ranges. */
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define PAGE_SIZE_BYTES (128u << 10)

/* A linkto whose file is gone must not keep a directory alive. */
static int coroutine_fn drop_linkto(struct xlator *xl, struct call *call, struct inode *dir, int child, const struct dirent_plus *e)
{
	const struct xattr *x = xattrs_find(&e->xattrs, DHT_LINKTO);
	struct call own = dht_internal(call);
	struct lookup_args args = { .parent = dir, .name = e->name };
	struct lookup_res res = { 0 };
	int to, ret;

	if (!x || !dht_is_linkto(&e->stat, &e->xattrs))
		return -ENOTEMPTY;
	to = dht_child_by_name(xl, x->value, x->len);
	ret = to < 0 || to == child ? -ENOENT : xl_lookup(xl->children[to], &own, &args, &res);
	if (ret == 0)
		return -ENOTEMPTY;
	return dht_gone(ret) ? dht_linkto_remove(xl, &own, dir, e->name, child) : ret;
}

static bool dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int coroutine_fn child_empty(struct xlator *xl, struct call *call, struct inode *dir, int child)
{
	struct xattr_want want = dht_want(NULL);
	struct readdir_args args = { .inode = dir, .size = PAGE_SIZE_BYTES, .plus = true, .want = &want };
	struct call own = dht_internal(call);
	int ret = 0;

	for (bool eof = false; !eof && ret == 0; ) {
		struct readdir_res res = { 0 };

		own.arena = arena_new(8 << 20);
		ret = xl_readdir(xl->children[child], &own, &args, &res);
		for (uint32_t i = 0; ret == 0 && i < res.n; i++) {
			args.offset = res.entries[i].off;
			if (!dots(res.entries[i].name))
				ret = drop_linkto(xl, &own, dir, child, &res.entries[i]);
		}
		eof = res.eof || res.n == 0;
		arena_free(own.arena);
	}
	return dht_gone(ret) ? 0 : ret;
}

struct empty { struct xlator *xl; struct call *call; struct inode *dir; unsigned base; int err; };

static int coroutine_fn empty_task(void *ctx, unsigned bit)
{
	struct empty *e = ctx;
	int ret = child_empty(e->xl, e->call, e->dir, (int)(e->base + bit));

	if (ret < 0 && e->err != -ENOTEMPTY)
		e->err = ret;
	return ret;
}

int coroutine_fn dht_dir_empty(struct xlator *xl, struct call *call, struct inode *dir)
{
	struct empty e = { xl, call, dir, 0, 0 };

	for (; e.base < xl->nchildren && e.err == 0; e.base += 64) {
		unsigned n = xl->nchildren - e.base;
		uint64_t which = n >= 64 ? ~0ull : (1ull << n) - 1;

		if (co_fanout(which, empty_task, &e) != which && e.err == 0)
			e.err = -ENOMEM;
	}
	return e.err;
}

/* MKDIR again, with gfid, range and attributes as they were. */
void coroutine_fn dht_dir_put_back(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				   const struct dht_copies *c, const struct answer *removed)
{
	struct call own = dht_internal(call);
	struct setattr_args set = { .inode = dir, .stat = c->stat, .internal = true,
				    .valid = SET_MODE | SET_UID | SET_GID | SET_ATIME | SET_MTIME };
	const void **to = dht_args(xl, call), **then = dht_args(xl, call);
	static const uint8_t zero[4];

	for (unsigned i = 0; to && then && i < xl->nchildren; i++) {
		struct mkdir_args *mk = arena_alloc(call->arena, sizeof(*mk));
		struct xattr *x = arena_alloc(call->arena, 2 * sizeof(*x));
		uint8_t *value = arena_alloc(call->arena, DHT_RANGE_SIZE);

		if (removed[i].err || !mk || !x || !value)
			continue;
		dht_range_encode(&c->layout->v[i], value);
		x[0] = (struct xattr){ DHT_XATTR, value, DHT_RANGE_SIZE };
		x[1] = (struct xattr){ DHT_MDS, zero, sizeof(zero) };
		*mk = (struct mkdir_args){ .parent = parent, .name = name, .mode = c->stat.mode & 07777,
					   .gfid = c->stat.gfid, .internal = true, .xattrs = { x, c->mds == (int)i ? 2 : 1 } };
		if (c->layout->v[i].err)
			mk->xattrs.n = 0;
		to[i] = mk;
		then[i] = &set;
	}
	if (to && then && dht_fanout(xl, &own, FOP_mkdir, to))
		dht_fanout(xl, &own, FOP_setattr, then);
}

/* Removed where it is there to remove: 0. */
static int coroutine_fn remove_everywhere(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct inode *dir,
					  const struct dht_copies *c, int hashed, struct rmdir_res *res)
{
	struct rmdir_args known = { args->parent, args->name, args->recursive, dir };
	struct answer *ans = dht_fanout_same(xl, call, FOP_rmdir, &known, hashed);
	struct iatt post = { 0 };
	int ret = 0;

	if (!ans)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err == 0)
			dht_iatt_merge(&post, &ans[i].res->rmdir.postparent);
		else if (ans[i].err < 0 && !dht_gone(ans[i].err) && ret != -ENOTEMPTY)
			ret = ans[i].err;
	}
	if (ret == 0)
		ret = xl_rmdir(xl->children[hashed], call, &known, res);
	if (ret < 0) {
		dht_dir_put_back(xl, call, args->parent, args->name, dir, c, ans);
		return ret;
	}
	dht_iatt_merge(&res->postparent, &post);
	return 0;
}

/* Its copies as they are under the locks. */
int coroutine_fn dht_dir_copies(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed,
				struct dht_copies *c)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args a = { .parent = parent, .name = name, .want = &want };
	struct answer *ans = dht_fanout_same(xl, call, FOP_lookup, &a, -1);
	int ret;

	*c = (struct dht_copies){ 0 };
	if (!ans)
		return -ENOMEM;
	/* It was a directory before its name was locked. */
	if (!ans[hashed].err && !S_ISDIR(ans[hashed].res->lookup.stat.mode))
		return -ENOTDIR;
	ret = dht_copies_gather(xl, call, &a, ans, hashed);
	if (ret == 0)
		ret = dht_copies_read(xl, ans, FOP_lookup, c);
	if (ret < 0)
		return ret;
	if (c->layout->unheard)
		return -ENOTCONN;	/* where it stayed, it would come back to life */
	return c->found ? 0 : -ENOENT;
}

/* On stock bricks a directory's layout is locked everywhere before its names are (README.md, "Removals on stock bricks"). */
int coroutine_fn dht_dir_lock_doomed(struct xlator *xl, struct call *call, struct inode *dir, struct dht_locks *locks)
{
	const struct distribute *d = xl->priv;

	dht_locks_init(xl, locks);
	if (!xl_removal_waits(xl))
		return 0;
	if (dht_locks_room(locks, call, xl->nchildren) < 0)
		return -ENOMEM;
	for (unsigned k = 0; k < xl->nchildren; k++)
		dht_locks_add(locks, d->order[k], dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	return dht_locks_take(xl, call, locks);
}

static int coroutine_fn rmdir_locked(struct xlator *xl, struct call *call, const struct rmdir_args *args, int hashed,
				     struct rmdir_res *res)
{
	struct rmdir_args known = *args;	/* the children need not look up which directory it is */
	struct dht_locks locks;
	struct dht_copies c;
	struct inode *dir = NULL;
	int ret = dht_dir_copies(xl, call, args->parent, args->name, hashed, &c);

	dht_locks_init(xl, &locks);
	if (ret == 0) {
		dir = known.inode = inode_get(xl_inodes(xl), c.stat.gfid);
		ret = dir ? 0 : -ENOMEM;
	}
	if (ret == 0)
		ret = dht_dir_lock_doomed(xl, call, dir, &locks);
	if (ret == 0 && !args->recursive)
		ret = dht_dir_empty(xl, call, dir);
	if (ret == 0)
		ret = remove_everywhere(xl, call, &known, dir, &c, hashed, res);
	dht_locks_release_later(xl, call, &locks);	/* the stock bricks forget those of what is gone */
	dht_layout_unref(c.layout);
	inode_unref(dir);
	return ret;
}

int coroutine_fn distribute_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	struct dht_locks locks;
	struct dht_found f;
	int ret;

	if (dht_single(xl))
		return xl_rmdir(xl->children[0], call, args, res);
	ret = dht_find(xl, call, args->parent, args->name, &f);
	if (ret < 0)
		return ret;
	if (!S_ISDIR(f.res.stat.mode))
		return -ENOTDIR;
	if (!dht_all_up(xl))
		return -ENOTCONN;
	dht_locks_init(xl, &locks);
	dht_locks_add_name(&locks, f.hashed, args->parent, args->name);
	ret = dht_locks_take(xl, call, &locks);
	if (ret < 0)
		return ret;
	*res = (struct rmdir_res){ 0 };
	co_shield();
	ret = rmdir_locked(xl, call, args, f.hashed, res);
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	if (ret == -ENOTEMPTY)
		dht_reveal_names(xl, call, f.res.stat.gfid);
	if (ret == 0)
		dht_parent_result(xl, args->parent, &res->preparent, &res->postparent);
	return ret;
}
