/* xlators/cluster/distribute/entry.c: making and removing names of files (brick-format.md B7).
 *
 * A new name goes to the subvolume it hashes to, under the condition that this subvolume's range is still the one we hashed with: the brick
 * compares it with its own in the same step (the pre-op check), so a client with an old layout cannot put a name where nobody looks. */
#include <fcntl.h>
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define ATTEMPTS 3
#define UNLINK_ATTEMPTS 6

/* What create, mknod and symlink have in common. @run makes the object on one child. */
struct make {
	struct inode *parent;
	const char *name;
	const uint8_t *gfid;
	const void *args;
	void *res;
	struct iatt *stat, *pre, *post;
	bool excl, overflow;
	int hashed;
	struct dht_range range;		/* what the last attempt went by */
	int coroutine_fn (*run)(struct make *m, struct xlator *child, struct call *call, const struct preop *preop, bool *ret_stale);
};

static int coroutine_fn run_create(struct make *m, struct xlator *child, struct call *call, const struct preop *preop, bool *ret_stale)
{
	struct create_args args = *(const struct create_args *)m->args;
	struct create_res *res = m->res;
	int ret;

	args.preop = preop ? *preop : (struct preop){ 0 };
	*res = (struct create_res){ 0 };
	ret = xl_create(child, call, &args, res);
	*ret_stale = res->preop_failed;
	return ret;
}

static int coroutine_fn run_mknod(struct make *m, struct xlator *child, struct call *call, const struct preop *preop, bool *ret_stale)
{
	struct mknod_args args = *(const struct mknod_args *)m->args;
	struct mknod_res *res = m->res;
	int ret;

	args.preop = preop ? *preop : (struct preop){ 0 };
	*res = (struct mknod_res){ 0 };
	ret = xl_mknod(child, call, &args, res);
	*ret_stale = res->preop_failed;
	return ret;
}

static int coroutine_fn run_symlink(struct make *m, struct xlator *child, struct call *call, const struct preop *preop, bool *ret_stale)
{
	struct symlink_res *res = m->res;

	(void)preop;
	*ret_stale = false;
	*res = (struct symlink_res){ 0 };
	return xl_symlink(child, call, m->args, res);
}

static int made(struct xlator *xl, struct make *m, int child)
{
	dht_set_cached_gfid(xl, m->stat, child);
	dht_iatt_file(m->stat);
	dht_parent_result(xl, m->parent, m->pre, m->post);
	return 0;
}

/* CREATE without O_EXCL of a name that exists: opens it where it is. */
static int coroutine_fn open_existing(struct xlator *xl, struct call *call, struct make *m, const struct dht_found *f)
{
	bool stale;
	int ret;

	if (m->excl)
		return -EEXIST;
	if (f->cached < 0)
		return -EISDIR;
	ret = m->run(m, xl->children[f->cached], call, NULL, &stale);
	return ret < 0 ? ret : made(xl, m, f->cached);
}

/* A linkto and its file are two steps: under the name's lock nobody takes the first for a leftover, or makes another between. */
static int coroutine_fn lock_name(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed,
				  struct dht_locks *locks)
{
	dht_locks_init(xl, locks);
	dht_locks_add_name(locks, hashed, parent, name);
	return dht_locks_take(xl, call, locks);
}

/* The hashed subvolume is full: a linkto there, the file on the emptiest. */
static int coroutine_fn make_elsewhere(struct xlator *xl, struct call *call, struct make *m, int hashed, int target,
				       const struct preop *preop, bool *ret_stale)
{
	struct dht_locks locks;
	struct dht_found f;
	bool stale;
	int ret = lock_name(xl, call, m->parent, m->name, hashed, &locks);

	if (ret < 0)
		return ret;
	co_shield();
	ret = dht_may_name(xl, call, (unsigned)hashed, m->parent, m->name);
	if (ret == 0)
		ret = dht_linkto_make(xl, call, m->parent, m->name, m->gfid, hashed, target, preop, false);
	*ret_stale = ret == -ESTALE;
	if (ret == 0) {
		ret = m->run(m, xl->children[target], call, NULL, &stale);
		if (ret < 0 && !dht_in_doubt(ret))	/* in doubt it stays: a file that is there would not be found without */
			dht_linkto_remove(xl, call, m->parent, m->name, hashed);
		else if (ret == 0)
			dht_linkto_keep(xl, call, m->parent, m->name, m->stat, hashed, target);
	}
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	if (ret == 0)
		return made(xl, m, target);
	if (ret != -EEXIST || m->excl)
		return ret;
	ret = dht_find(xl, call, m->parent, m->name, &f);
	return ret == 0 ? open_existing(xl, call, m, &f) : ret;
}

static int coroutine_fn make_hashed(struct xlator *xl, struct call *call, struct make *m, int hashed, const struct preop *preop,
				    bool *ret_stale)
{
	struct dht_found f;
	int ret = m->run(m, xl->children[hashed], call, preop, ret_stale);

	if (ret < 0)
		return ret;
	if (m->excl || !dht_phase2_mode(m->stat) || gfid_equal(m->stat->gfid, m->gfid))
		return made(xl, m, hashed);
	/* It opened what was there, and that may be a linkto. */
	ret = dht_find(xl, call, m->parent, m->name, &f);
	return ret < 0 ? ret : open_existing(xl, call, m, &f);
}

/* Where nothing promises that a name not found on its hashed child is nowhere, it must be looked for before it is made. */
static int coroutine_fn make_once(struct xlator *xl, struct call *call, struct make *m, bool *ret_stale)
{
	const struct distribute *d = xl->priv;
	struct dht_layout *l;
	struct dht_found f;
	uint8_t range[DHT_RANGE_SIZE];
	struct preop preop = { DHT_XATTR, range, sizeof(range) };
	bool settled;
	int hashed, target = -1, ret;

	*ret_stale = false;
	hashed = dht_hashed(xl, call, m->parent, m->name, &l);
	if (hashed < 0)
		return hashed;
	m->hashed = hashed;
	m->range = l->v[hashed];
	dht_range_encode(&m->range, range);
	settled = dht_settled(d, l);
	dht_layout_unref(l);
	if (!settled) {
		ret = dht_find(xl, call, m->parent, m->name, &f);
		if (ret == 0)
			return open_existing(xl, call, m, &f);
		if (ret != -ENOENT)
			return ret;
	}
	if (m->overflow) {
		dht_space_know(xl, call);
		if (d->retired[hashed] || dht_full(xl, (unsigned)hashed))
			target = dht_emptiest(xl, hashed);
	}
	if (target >= 0)
		return make_elsewhere(xl, call, m, hashed, target, &preop, ret_stale);
	return make_hashed(xl, call, m, hashed, &preop, ret_stale);
}

static int coroutine_fn make(struct xlator *xl, struct call *call, struct make *m)
{
	bool stale;
	int ret = -ESTALE;

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		ret = make_once(xl, call, m, &stale);
		if (!stale && !dht_gone(ret))
			return ret;
		/* The layout changed, or this child misses the directory: look at all copies, heal, and try again. */
		ret = dht_layout_refused(xl, call, m->parent, m->hashed, stale ? &m->range : NULL);
		if (ret < 0)
			return ret;
		ret = -ENOTCONN;	/* it is there; somebody is at its layout all the time, or a subvolume lacks it: later, then */
	}
	return ret;
}

int coroutine_fn distribute_create(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct make m = { args->parent, args->name, args->gfid, args, res, &res->stat, &res->preparent, &res->postparent,
			  (args->flags & O_EXCL) != 0, true, -1, { 0 }, run_create };

	if (dht_single(xl))
		return xl_create(xl->children[0], call, args, res);
	return make(xl, call, &m);
}

int coroutine_fn distribute_mknod(struct xlator *xl, struct call *call, const struct mknod_args *args, struct mknod_res *res)
{
	struct make m = { args->parent, args->name, args->gfid, args, res, &res->stat, &res->preparent, &res->postparent,
			  true, true, -1, { 0 }, run_mknod };

	if (dht_single(xl))
		return xl_mknod(xl->children[0], call, args, res);
	return make(xl, call, &m);
}

int coroutine_fn distribute_symlink(struct xlator *xl, struct call *call, const struct symlink_args *args, struct symlink_res *res)
{
	struct make m = { args->parent, args->name, args->gfid, args, res, &res->stat, &res->preparent, &res->postparent,
			  true, false, -1, { 0 }, run_symlink };

	if (dht_single(xl))
		return xl_symlink(xl->children[0], call, args, res);
	return make(xl, call, &m);
}

/* LINK goes where the file is; where the new name hashes, a linkto says so, and is made first so that the name is never lost. */
static int coroutine_fn link_once(struct xlator *xl, struct call *call, const struct link_args *args, int hashed, int cached,
				  struct link_res *res)
{
	struct dht_locks locks;
	int ret;

	if (hashed == cached)
		return xl_link(xl->children[cached], call, args, res);
	ret = lock_name(xl, call, args->newparent, args->newname, hashed, &locks);
	if (ret < 0)
		return ret;
	co_shield();
	ret = dht_may_name(xl, call, (unsigned)hashed, args->newparent, args->newname);
	if (ret == 0)
		ret = dht_linkto_make(xl, call, args->newparent, args->newname, args->inode->gfid, hashed, cached, NULL, false);
	if (ret == 0) {
		ret = xl_link(xl->children[cached], call, args, res);
		if (ret == -EEXIST && dht_clear_leftover(xl, call, args->newparent, args->newname, cached, args->inode->gfid) == 0)
			ret = xl_link(xl->children[cached], call, args, res);
		if (ret < 0 && ret != -EEXIST && !dht_in_doubt(ret))
			dht_linkto_remove(xl, call, args->newparent, args->newname, hashed);
		else if (ret == 0)
			dht_linkto_keep(xl, call, args->newparent, args->newname, &res->stat, hashed, cached);
	}
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

static int coroutine_fn link_prepare(struct xlator *xl, struct call *call, const struct link_args *args)
{
	struct dht_layout *l;
	struct dht_found f;
	int hashed, ret;
	bool settled;

	hashed = dht_hashed(xl, call, args->newparent, args->newname, &l);
	if (hashed < 0)
		return hashed;
	settled = dht_settled(xl->priv, l);
	dht_layout_unref(l);
	if (settled)
		return hashed;
	ret = dht_find(xl, call, args->newparent, args->newname, &f);
	if (ret == 0)
		return -EEXIST;
	return ret == -ENOENT ? hashed : ret;
}

int coroutine_fn distribute_link(struct xlator *xl, struct call *call, const struct link_args *args, struct link_res *res)
{
	int ret = -ESTALE, hashed, cached;

	if (dht_single(xl))
		return xl_link(xl->children[0], call, args, res);
	for (int attempt = 0; attempt < 2; attempt++) {
		struct lookup_res again = { 0 };

		cached = dht_locate(xl, call, args->inode);
		if (cached == -EISDIR)
			return -EPERM;
		if (cached < 0)
			return cached;
		hashed = link_prepare(xl, call, args);
		if (hashed < 0)
			return hashed;
		ret = link_once(xl, call, args, hashed, cached, res);
		if (!dht_gone(ret))
			break;
		/* The file moved, or its directory is missing there. */
		ret = dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = args->inode }, &again);
		if (ret == 0)
			ret = dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = args->newparent }, &again);
		if (ret < 0)
			return dht_gone(ret) ? -ESTALE : ret;
		ret = -ENOTCONN;	/* both are there */
	}
	if (ret < 0)
		return ret;
	dht_iatt_file(&res->stat);
	dht_parent_result(xl, args->newparent, &res->preparent, &res->postparent);
	return 0;
}

/* A file and its linkto: what was found is looked for again under the lock. */
static int coroutine_fn unlink_both(struct xlator *xl, struct call *call, const struct unlink_args *args, int hashed, struct unlink_res *res)
{
	struct dht_locks locks;
	struct dht_found f;
	int ret = lock_name(xl, call, args->parent, args->name, hashed, &locks);

	if (ret < 0)
		return ret;
	co_shield();
	ret = dht_find_locked(xl, call, args->parent, args->name, &f);
	if (ret == 0 && f.cached < 0)
		ret = -EISDIR;
	if (ret == 0)
		ret = xl_unlink(xl->children[f.cached], call, args, res);
	if (ret == 0 && f.linkto >= 0)
		dht_linkto_remove(xl, call, args->parent, args->name, f.linkto);
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

/* What went was the linkto of another file: that file's name is what the caller removed, so its data goes, too. */
static void coroutine_fn remove_rest(struct xlator *xl, struct call *call, const struct unlink_args *args, int hashed, const uint8_t *gfid)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args a = { .parent = args->parent, .name = args->name, .want = &want };
	struct dht_locks locks;
	struct unlink_res unused;
	struct answer *ans;

	if (lock_name(xl, call, args->parent, args->name, hashed, &locks) < 0)
		return;
	ans = dht_fanout_same(xl, call, FOP_lookup, &a, -1);
	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		const struct lookup_res *l = &ans[i].res->lookup;

		if (ans[i].err || !gfid_equal(l->stat.gfid, gfid))
			continue;
		if (dht_is_linkto(&l->stat, &l->xattrs))
			dht_linkto_remove(xl, call, args->parent, args->name, (int)i);
		else if (!S_ISDIR(l->stat.mode))
			xl_unlink(xl->children[i], call, args, &unused);
	}
	dht_locks_release_later(xl, call, &locks);
}

/* The file was where its name hashes and UNLINK there took no lock. If a rename put a linkto in the file's place just before, it was that
 * which went, and the renamed file must not stay half there. Our bricks say what they removed; after others' a second look is spared when the
 * directory did not change meanwhile. */
static void coroutine_fn unlinked_right(struct xlator *xl, struct call *call, const struct unlink_args *args, const struct dht_found *f,
					const struct unlink_res *res)
{
	struct call own = dht_internal(call);
	struct inode *inode;
	struct lookup_res now = { 0 };
	int ret = -ENOMEM;

	if (!gfid_is_null(res->removed)) {
		if (!gfid_equal(res->removed, f->res.stat.gfid))
			remove_rest(xl, call, args, f->hashed, res->removed);
		return;
	}
	if (f->parent_ctime.sec == res->preparent.ctime.sec && f->parent_ctime.nsec == res->preparent.ctime.nsec)
		return;
	inode = inode_get(xl_inodes(xl), f->res.stat.gfid);
	if (inode)
		ret = xl_lookup(xl->children[f->cached], &own, &(struct lookup_args){ .inode = inode }, &now);
	inode_unref(inode);
	if (!dht_gone(ret) && (ret < 0 || now.stat.nlink >= f->res.stat.nlink))
		dht_mend_name(xl, call, args->parent, args->name, f->hashed, true);
}

static int coroutine_fn unlink_found(struct xlator *xl, struct call *call, const struct unlink_args *args, const struct dht_found *f,
				     struct unlink_res *res)
{
	int ret;

	if (f->linkto >= 0)
		return unlink_both(xl, call, args, f->hashed, res);
	co_shield();
	ret = xl_unlink(xl->children[f->cached], call, args, res);
	if (ret == 0)
		unlinked_right(xl, call, args, f, res);
	co_unshield();
	return ret;
}

/* On stock bricks the file is locked before its name (README.md, "Removals on stock bricks"). -EAGAIN: by then the name was another's. */
static int coroutine_fn unlink_once(struct xlator *xl, struct call *call, const struct unlink_args *args, struct dht_found *f,
				    struct unlink_res *res)
{
	int cached = f->cached, ret;
	struct dht_locks locks;
	struct inode *inode;

	if (!xl_removal_waits(xl->children[cached]))
		return unlink_found(xl, call, args, f, res);
	inode = inode_get(xl_inodes(xl), f->res.stat.gfid);
	if (!inode)
		return -ENOMEM;
	dht_locks_init(xl, &locks);
	dht_locks_add(&locks, (unsigned)cached, inode, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
	ret = dht_locks_take(xl, call, &locks);
	if (ret == 0)
		ret = dht_find(xl, call, args->parent, args->name, f);
	if (ret == 0 && (f->cached != cached || !gfid_equal(f->res.stat.gfid, inode->gfid)))
		ret = -EAGAIN;
	if (ret == 0)
		ret = unlink_found(xl, call, args, f, res);
	dht_locks_release_later(xl, call, &locks);
	inode_unref(inode);
	return ret;
}

static int coroutine_fn unlink_where_gone(struct xlator *xl, struct call *call,
					  const struct unlink_args *args)
{
	struct lookup_args look = { .parent = args->parent, .name = args->name };
	struct call own = dht_internal(call);
	struct answer *ans = dht_fanout_same(xl, &own, FOP_lookup, &look, -1);
	const void **to = dht_args(xl, call);
	int ret = -ENOENT;

	if (!ans || !to)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++)
		to[i] = dht_gone(ans[i].err) ? args : NULL;	/* what is hidden stays */
	ans = dht_fanout(xl, call, FOP_unlink, to);
	for (unsigned i = 0; ans && i < xl->nchildren; i++)
		if (dht_in_doubt(ans[i].err))
			ret = ans[i].err;
	return ans ? ret : -ENOMEM;
}

/* Nobody finds the name. But a lookup is answered by whatever whole copy is there, and what a
 * change is answered has to stay true. So the removal itself goes everywhere: each subvolume
 * then says with all it takes that the name is gone, and keeps on record whom it did not hear. */
static int coroutine_fn unlink_missing(struct xlator *xl, struct call *call,
				       const struct unlink_args *args, int hashed)
{
	struct dht_locks locks;
	struct dht_found f;
	int ret = lock_name(xl, call, args->parent, args->name, hashed, &locks);

	if (ret < 0)
		return ret;
	ret = dht_find_thoroughly(xl, call, args->parent, args->name, true, &f);
	if (ret == 0)
		ret = -EAGAIN;
	if (ret == -ENOENT)
		ret = unlink_where_gone(xl, call, args);
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

int coroutine_fn distribute_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	struct dht_found f;
	int ret = -EAGAIN;

	if (dht_single(xl))
		return xl_unlink(xl->children[0], call, args, res);
	for (int attempt = 0; attempt < UNLINK_ATTEMPTS && (dht_gone(ret) || ret == -EAGAIN); attempt++) {
		ret = dht_find(xl, call, args->parent, args->name, &f);
		if (ret == -ENOENT)	/* who removes a name has seen it */
			ret = dht_find_thoroughly(xl, call, args->parent, args->name, false, &f);
		if (ret == -ENOENT)
			ret = unlink_missing(xl, call, args, f.hashed);
		if (ret == -EAGAIN)
			continue;
		if (ret < 0)
			return ret;
		if (f.cached < 0)
			return -EISDIR;
		ret = unlink_once(xl, call, args, &f, res);
	}
	if (ret < 0)
		return ret;
	memcpy(res->removed, f.res.stat.gfid, 16);
	dht_parent_result(xl, args->parent, &res->preparent, &res->postparent);
	return 0;
}
