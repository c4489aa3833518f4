/* xlators/cluster/distribute/selfheal.c: making a directory whole again: on every subvolume, with ranges that cover everything.
 *
 * A subvolume that was away, was added, or lost a race may miss the directory or its range. Whoever looks at the directory repairs it
 * under the locks that mkdir takes, after looking again: another client may have been faster. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define HEAL_XATTRS_MAX 256
#define MAKING_SECONDS 10
#define HEAL_ATTEMPTS 6
#define HEAL_PAUSE_NS 10000000ull	/* and twice as long each time */

bool dht_needs_heal(const struct dht_copies *c)
{
	if (c->layout->unheard)
		return false;		/* not while somebody who may know better is away */
	return c->layout->missing || !c->layout->complete || c->differ || (c->mds >= 0 && c->mds_pending);
}

/* Never waits for a lock: somebody who heals may hold others (a rename reads layouts under its own). Who holds it now is making the
 * directory, or healing it, and done soon. */
static int coroutine_fn heal_lock(struct xlator *xl, struct call *call, struct dht_locks *locks)
{
	int ret = -EAGAIN;

	for (unsigned attempt = 0; attempt < HEAL_ATTEMPTS; attempt++) {
		ret = dht_locks_try(xl, call, locks, 0);
		if (ret != -EAGAIN || co_sleep_ns(HEAL_PAUSE_NS << attempt) < 0)
			break;
	}
	return ret;
}

static int coroutine_fn read_again(struct xlator *xl, struct call *call, const struct lookup_args *args, int prefer,
				   struct dht_copies *c)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args a = *args;
	struct dht_copies fresh;
	struct answer *ans;
	int ret;

	a.want = &want;
	ans = dht_fanout_same(xl, call, FOP_lookup, &a, -1);
	if (!ans)
		return -ENOMEM;
	ret = dht_copies_gather(xl, call, &a, ans, prefer);
	if (ret == 0)
		ret = dht_copies_read(xl, ans, FOP_lookup, &fresh);
	if (ret < 0)
		return ret;
	if (fresh.found == 0 || fresh.layout->unheard) {
		ret = fresh.layout->unheard ? -ENOTCONN : -ENOENT;
		dht_layout_unref(fresh.layout);
		return ret;
	}
	dht_layout_unref(c->layout);
	*c = fresh;
	return 0;
}

/* Another directory has the name there: one that a rename was to replace, on every subvolume, and it was empty then. */
static int coroutine_fn make_room(struct xlator *xl, struct call *call, int child, const struct mkdir_args *mk)
{
	struct rmdir_args rm = { .parent = mk->parent, .name = mk->name };
	struct rmdir_res rres = { 0 };
	struct mkdir_res mres = { 0 };
	int ret = xl_rmdir(xl->children[child], call, &rm, &rres);

	return ret < 0 ? ret : xl_mkdir(xl->children[child], call, mk, &mres);
}

/* MKDIR where it is missing, then owner, mode and times of the others. Where the others' ranges cover everything the new copy says that it
 * takes no part: to GlusterFS a copy that says nothing is a hole. */
static int coroutine_fn make_missing(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				     const struct dht_copies *c)
{
	struct call own = dht_internal(call);
	struct mkdir_args mk = { .parent = parent, .name = name, .mode = c->stat.mode & 07777, .gfid = c->stat.gfid, .internal = true };
	struct setattr_args set = { .inode = dir, .stat = c->stat, .internal = true,
				    .valid = SET_MODE | SET_UID | SET_GID | SET_ATIME | SET_MTIME };
	const void **to = dht_args(xl, call), **then = dht_args(xl, call);
	struct dht_range none = { .commit = c->layout->commit };
	uint8_t value[DHT_RANGE_SIZE];
	struct xattr x = { DHT_XATTR, value, sizeof(value) };
	struct answer *ans;

	if (!to || !then)
		return -ENOMEM;
	dht_range_encode(&none, value);
	if (c->layout->complete)
		mk.xattrs = (struct xattrs){ &x, 1 };
	for (unsigned i = 0; i < xl->nchildren; i++)
		to[i] = c->layout->v[i].err == -ENOENT ? &mk : NULL;
	ans = dht_fanout(xl, &own, FOP_mkdir, to);
	if (!ans)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err == -EEXIST)
			ans[i].err = make_room(xl, &own, (int)i, &mk);
		if (ans[i].err < 0)
			return ans[i].err;
		then[i] = ans[i].err == 0 ? &set : NULL;
	}
	return dht_fanout(xl, &own, FOP_setattr, then) ? 0 : -ENOMEM;
}

static int coroutine_fn heal_missing(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				     struct dht_copies *c)
{
	struct distribute *d = xl->priv;
	struct dht_dir *up = dht_dir(xl, parent);
	struct dht_locks locks;
	int hashed = up && up->layout ? dht_layout_search(up->layout, dht_hash_name(d, name)) : -1, ret;

	if (hashed < 0)
		return -ENOENT;
	dht_locks_init(xl, &locks);
	dht_locks_add_name(&locks, hashed, parent, name);
	ret = heal_lock(xl, call, &locks);
	if (ret < 0)
		return ret;
	co_shield();
	ret = read_again(xl, call, &(struct lookup_args){ .parent = parent, .name = name }, hashed, c);
	if (ret == 0 && !gfid_equal(c->stat.gfid, dir->gfid))
		ret = -ESTALE;
	if (ret == 0 && c->layout->missing)
		ret = make_missing(xl, call, parent, name, dir, c);
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

int coroutine_fn dht_make_missing(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const uint8_t *gfid)
{
	struct inode *dir = inode_get(xl_inodes(xl), gfid);
	struct dht_copies c = { .layout = NULL };
	int ret = dir ? read_again(xl, call, &(struct lookup_args){ .parent = parent, .name = name }, -1, &c) : -ENOMEM;

	if (ret == 0 && !gfid_equal(c.stat.gfid, gfid))
		ret = -ESTALE;
	if (ret == 0 && c.layout->missing)
		ret = make_missing(xl, call, parent, name, dir, &c);
	dht_layout_unref(c.layout);
	inode_unref(dir);
	return ret;
}

static bool special_name(const struct dirent_plus *e)
{
	static const char *const hidden[] = { ".", "..", ".glusterfs", ".trashcan", "lost+found" };

	for (unsigned i = 0; i < 5; i++) {
		if (strcmp(e->name, hidden[i]) == 0)
			return true;
	}
	return strncmp(e->name, ".glusterfs-anonymous-inode-", 27) == 0;
}

/* A directory that has nothing in it can promise that every name will be where it hashes. */
static bool coroutine_fn nothing_inside(struct xlator *xl, struct call *call, struct inode *dir)
{
	struct readdir_args args = { .inode = dir, .size = 4096 };
	struct answer *ans = dht_fanout_same(xl, call, FOP_readdir, &args, -1);

	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		const struct readdir_res *r = &ans[i].res->readdir;

		if (ans[i].err || !r->eof)
			return false;
		for (unsigned k = 0; k < r->n; k++) {
			if (!special_name(&r->entries[k]))
				return false;
		}
	}
	return ans != NULL;
}

static const char *path_of(struct call *call, struct inode *parent, const char *name, const uint8_t *gfid)
{
	if (gfid_is_root(gfid))
		return "/";
	if (parent && name && gfid_is_root(parent->gfid))
		return arena_printf(call->arena, "/%s", name);
	return NULL;		/* deeper paths are not known to those who work by handles */
}

static bool no_ranges(const struct dht_layout *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i].err == 0)
			return false;
	}
	return true;
}

/* Writes each child's range where it is not what it was. */
static int coroutine_fn write_layout(struct xlator *xl, struct call *call, struct inode *dir, const struct dht_layout *was,
				     const struct dht_layout *now)
{
	struct call own = dht_internal(call);
	const void **to = dht_args(xl, call);
	struct answer *ans;

	if (!to)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		struct setxattr_args *set = arena_alloc(call->arena, sizeof(*set));
		struct xattr *x = arena_alloc(call->arena, sizeof(*x));
		uint8_t *value = arena_alloc(call->arena, DHT_RANGE_SIZE);

		if (!set || !x || !value)
			return -ENOMEM;
		if (now->v[i].err || (was->v[i].err == 0 && memcmp(&was->v[i], &now->v[i], sizeof(now->v[i])) == 0))
			continue;
		dht_range_encode(&now->v[i], value);
		*x = (struct xattr){ DHT_XATTR, value, DHT_RANGE_SIZE };
		*set = (struct setxattr_args){ .inode = dir, .xattrs = { x, 1 }, .internal = true };
		to[i] = set;
	}
	ans = dht_fanout(xl, &own, FOP_setxattr, to);
	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		if (ans[i].err < 0)
			return ans[i].err;
	}
	return ans ? 0 : -ENOMEM;
}

static int coroutine_fn new_layout(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				   struct dht_copies *c)
{
	const struct distribute *d = xl->priv;
	struct dht_layout *was = dht_layout_new(c->layout->n), *now = c->layout;
	const char *path = path_of(call, parent, name, dir->gfid);
	int ret;

	if (!was)
		return -ENOMEM;
	memcpy(was->v, now->v, now->n * sizeof(now->v[0]));
	dht_space_know(xl, call);
	if (no_ranges(now) && nothing_inside(xl, call, dir))
		dht_layout_assign(xl, now, dir->gfid, path, d->lookup_optimize ? d->commit : DHT_COMMIT_UNSETTLED);
	else
		dht_layout_fill(xl, now, dir->gfid, path);
	ret = now->complete ? write_layout(xl, call, dir, was, now) : -EIO;
	if (ret < 0) {
		memcpy(now->v, was->v, now->n * sizeof(now->v[0]));
		dht_layout_settle(now);
	}
	dht_layout_unref(was);
	return ret;
}

int coroutine_fn dht_level_range(struct xlator *xl, struct call *call, struct inode *dir, unsigned child)
{
	struct dht_layout *nothing = dht_layout_new(xl->nchildren);
	struct dht_copies c = { .layout = NULL };
	struct dht_locks locks;
	int ret;

	if (!nothing)
		return -ENOMEM;
	dht_locks_init(xl, &locks);
	dht_locks_add(&locks, child, dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	ret = heal_lock(xl, call, &locks);
	if (ret == 0) {
		co_shield();
		ret = read_again(xl, call, &(struct lookup_args){ .inode = dir }, -1, &c);
		for (unsigned i = 0; ret == 0 && i < xl->nchildren; i++) {
			nothing->v[i].err = -ENODATA;
			if (i != child)
				c.layout->v[i].err = -ENODATA;
		}
		if (ret == 0)
			ret = write_layout(xl, call, dir, nothing, c.layout);
		co_unshield();
	}
	dht_locks_release_later(xl, call, &locks);
	dht_layout_unref(nothing);
	dht_layout_unref(c.layout);
	return ret;
}

int coroutine_fn dht_layout_refused(struct xlator *xl, struct call *call, struct inode *dir, int child, const struct dht_range *refused)
{
	struct dht_layout *l;
	int ret = dht_layout_reread(xl, call, dir, &l);
	bool same;

	if (ret < 0)
		return ret;
	same = refused && child >= 0 && !l->v[child].err && memcmp(&l->v[child], refused, sizeof(*refused)) == 0;
	dht_layout_unref(l);
	if (!same)
		return 0;
	ret = dht_level_range(xl, call, dir, (unsigned)child);
	return ret == -EAGAIN ? 0 : ret;	/* somebody is at it */
}

/* Whoever makes it will make the missing copies and give all of them ranges. */
static bool perhaps_just_made(struct xlator *xl, const struct dht_copies *c)
{
	int64_t now;
	uint32_t nsec;

	loop_wallclock(xl_loop(xl), &now, &nsec);
	return no_ranges(c->layout) && now - c->stat.ctime.sec < MAKING_SECONDS;
}

static int coroutine_fn heal_layout(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				    struct dht_copies *c)
{
	const struct distribute *d = xl->priv;
	struct dht_locks locks;
	int ret;

	dht_locks_init(xl, &locks);
	if (dht_locks_room(&locks, call, xl->nchildren) < 0)
		return -ENOMEM;
	for (unsigned k = 0; k < xl->nchildren; k++)
		if (c->layout->v[d->order[k]].err != -ENOENT)
			dht_locks_add(&locks, d->order[k], dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	ret = heal_lock(xl, call, &locks);
	if (ret < 0)
		return ret;
	co_shield();
	ret = read_again(xl, call, &(struct lookup_args){ .inode = dir }, -1, c);
	if (ret == 0 && !c->layout->complete && (!c->layout->missing || !perhaps_just_made(xl, c)))
		ret = new_layout(xl, call, parent, name, dir, c);
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

/* Mode and owner of the authoritative copy to those that differ. */
static void coroutine_fn heal_owner(struct xlator *xl, struct call *call, struct inode *dir, struct dht_copies *c)
{
	struct call own = dht_internal(call);
	struct setattr_args set = { .inode = dir, .stat = c->stat, .valid = SET_MODE | SET_UID | SET_GID, .internal = true };
	struct answer *ans = dht_fanout_same(xl, &own, FOP_setattr, &set, c->mds);

	if (ans)
		c->differ = false;
}

static bool users_xattr(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "security.", 9) == 0 || strncmp(name, "system.posix_acl_", 17) == 0;
}

/* The authoritative copy counts changes of user attributes that another copy missed: copies them all, and takes off what it read. */
static void coroutine_fn heal_xattrs(struct xlator *xl, struct call *call, struct inode *dir, struct dht_copies *c)
{
	struct call own = dht_internal(call);
	struct getxattr_res have = { 0 };
	struct setxattr_args set = { .inode = dir, .internal = true };
	uint32_t minus = htobe32(-c->mds_pending);
	struct xattr operand = { DHT_MDS, &minus, sizeof(minus) };
	struct xattrop_args op = { .inode = dir, .op = XATTROP_ADD32, .operands = { &operand, 1 } };
	struct xattrop_res opres;
	struct answer *ans;

	if (xl_getxattr(xl->children[c->mds], &own, &(struct getxattr_args){ .inode = dir }, &have) < 0)
		return;
	set.xattrs.v = arena_alloc(call->arena, (have.xattrs.n + 1) * sizeof(struct xattr));
	for (uint32_t i = 0; set.xattrs.v && i < have.xattrs.n && set.xattrs.n < HEAL_XATTRS_MAX; i++) {
		if (users_xattr(have.xattrs.v[i].name))
			set.xattrs.v[set.xattrs.n++] = have.xattrs.v[i];
	}
	if (!set.xattrs.v)
		return;
	if (set.xattrs.n) {
		ans = dht_fanout_same(xl, &own, FOP_setxattr, &set, c->mds);
		for (unsigned i = 0; i < xl->nchildren; i++) {
			if (!ans || ans[i].err < 0)
				return;
		}
	}
	if (xl_xattrop(xl->children[c->mds], &own, &op, &opres) == 0)
		c->mds_pending = 0;
}

/* A copy that is missing can only be made by who knows the directory's name. Others close the hole that it leaves with the ranges of those that
 * are there: the missing one has no names in it, and takes no part when it is made. */
int coroutine_fn dht_heal_dir(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_copies *c)
{
	struct inode *dir = inode_get(xl_inodes(xl), c->stat.gfid);
	int ret = 0;

	if (!dir)
		return -ENOMEM;
	if (c->layout->missing)
		ret = parent && name ? heal_missing(xl, call, parent, name, dir, c) : -ENOENT;
	if ((ret == 0 || ret == -ENOENT) && (c->layout->missing || !c->layout->complete))
		ret = heal_layout(xl, call, parent, name, dir, c);
	if (ret == 0 && c->differ)
		heal_owner(xl, call, dir, c);
	if (ret == 0 && c->mds >= 0 && c->mds_pending)
		heal_xattrs(xl, call, dir, c);
	inode_unref(dir);
	return ret;
}
