/* xlators/cluster/distribute/lookup.c: finding an object (brick-format.md B6).
 *
 * A name is asked of the subvolume it hashes to; a linkto there says where else; only when neither answers and the directory's layout makes
 * no promise are all asked. Directories are on all subvolumes, so their copies are read together, and made whole when they are not. */
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define MIXED_ATTEMPTS 5
#define MIXED_PAUSE_NS 10000000ull	/* and twice as long each time */

static const char *const want_names[] = { DHT_XATTR, DHT_LINKTO, DHT_MDS, DHT_COMMIT };

struct xattr_want dht_want(const struct xattr_want *next)
{
	return (struct xattr_want){ want_names, 4, next };
}

/* What a child that is away held when it was last heard of, it holds still. */
static void keep_unheard(struct xlator *xl, struct inode *inode, struct dht_layout *l)
{
	struct dht_dir *had = dht_dir(xl, inode);

	if (!had || !had->layout || !l->unheard)
		return;
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i].err && l->v[i].err != -ENOENT && l->v[i].err != -ENODATA && had->layout->v[i].err == 0)
			l->v[i] = had->layout->v[i];
	}
	dht_layout_settle(l);
	l->unheard = true;
}

/* The copies of a directory are in @ans: heals it when it needs that (not for a caller who holds the locks), remembers it, fills @res. */
static int coroutine_fn directory_found(struct xlator *xl, struct call *call, const struct lookup_args *args, struct answer *ans,
					int prefer, bool heal, struct lookup_res *res)
{
	struct dht_copies c;
	struct inode *inode;
	int ret = dht_copies_gather(xl, call, args, ans, prefer);

	if (ret == 0)
		ret = dht_copies_read(xl, ans, FOP_lookup, &c);
	if (ret < 0)
		return ret;
	if (c.mds >= 0)
		prefer = c.mds;
	for (unsigned i = 0; prefer < 0 || ans[prefer].err; i++)
		prefer = (int)i;
	inode = inode_get(xl_inodes(xl), c.stat.gfid);
	if (!inode) {
		dht_layout_unref(c.layout);
		return -ENOMEM;
	}
	if (heal && dht_needs_heal(&c)) {
		ret = dht_heal_dir(xl, call, args->name ? args->parent : NULL, args->name, &c);
		if (ret == -EAGAIN || ret == -ENOTCONN || ret == -ETIMEDOUT)
			c.layout->unheard = true;	/* what is missing now may be there later: no hole, but a reason to wait */
	}
	keep_unheard(xl, inode, c.layout);
	ret = dht_set_dir(xl, inode, c.layout, c.mds);
	*res = ans[prefer].res->lookup;
	res->stat = c.stat;
	res->parent = (struct iatt){ 0 };
	dht_iatt_complete(xl, inode, &c.stat);
	inode_unref(inode);
	dht_layout_unref(c.layout);
	return ret;
}

static void file_found(struct xlator *xl, struct lookup_res *res, int child)
{
	dht_set_cached_gfid(xl, &res->stat, child);
	dht_iatt_file(&res->stat);
	res->parent = (struct iatt){ 0 };
}

/* Among the answers of all: the child with the file's data. -1 none, -EIO two files of one name. @ret_linkto: a child with a linkto. */
static int pick_data(struct xlator *xl, const struct answer *ans, int *ret_linkto)
{
	int data = -1;

	*ret_linkto = -1;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		const struct lookup_res *r;

		if (ans[i].err)
			continue;
		r = &ans[i].res->lookup;
		if (dht_is_linkto(&r->stat, &r->xattrs)) {
			*ret_linkto = (int)i;
			continue;
		}
		if (data >= 0 && !gfid_equal(r->stat.gfid, ans[data].res->lookup.stat.gfid))
			return -EIO;
		/* Both ends of a migration may look alike for a moment: the source is the one marked so. */
		if (data < 0 || dht_phase1_mode(&r->stat))
			data = (int)i;
	}
	return data;
}

/* What all children say together: 0 when one has it, -ENOTCONN when one that is away might, -ENOENT, or the first real error. */
static int join_errors(struct xlator *xl, const struct answer *ans, bool *ret_dir)
{
	int away = 0, found = 0, other = 0;

	*ret_dir = false;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (!ans[i].err) {
			found = 1;
			*ret_dir |= S_ISDIR(ans[i].res->lookup.stat.mode);
		} else if (ans[i].err == -ENOTCONN || ans[i].err == -ETIMEDOUT) {
			away = ans[i].err;
		} else if (ans[i].err != 1 && !dht_gone(ans[i].err)) {
			other = ans[i].err;
		}
	}
	if (found)
		return 0;
	return other ? other : away ? away : -ENOENT;
}

/* A child may be away without our having noticed yet: only who said so does not have it. */
static bool all_answered(const struct xlator *xl, const struct answer *ans)
{
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err < 0 && !dht_gone(ans[i].err))
			return false;
	}
	return true;
}

int coroutine_fn dht_lookup_gfid(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct xattr_want want = dht_want(args->want);
	struct lookup_args a = *args;
	struct answer *ans;
	int known = dht_cached(xl, args->inode), child = known >= 0 ? known : dht_hinted(xl, args->inode), linkto, ret;
	bool dir;

	a.want = &want;
	if (child >= 0) {
		ret = xl_lookup(xl->children[child], call, &a, res);
		if (ret == 0 && !S_ISDIR(res->stat.mode) && !dht_is_linkto(&res->stat, &res->xattrs)) {
			file_found(xl, res, child);
			return 0;
		}
		if (ret < 0 && !dht_gone(ret) && known >= 0)
			return ret;
	}
	ans = dht_fanout_same(xl, call, FOP_lookup, &a, -1);
	if (!ans)
		return -ENOMEM;
	ret = join_errors(xl, ans, &dir);
	if (ret < 0)
		return ret;
	if (dir)
		return directory_found(xl, call, &a, ans, -1, true, res);
	child = pick_data(xl, ans, &linkto);
	if (child == -1)		/* linktos only: what they point to is away, or gone */
		return all_answered(xl, ans) && dht_all_up(xl) ? -ENOENT : -ENOTCONN;
	if (child < 0)
		return child;
	*res = ans[child].res->lookup;
	file_found(xl, res, child);
	return 0;
}

static bool leads_there(const struct xlator *xl, const struct lookup_res *link, const struct dht_found *f)
{
	const struct xattr *x = xattrs_find(&link->xattrs, DHT_LINKTO);

	return f->cached >= 0 && x && gfid_equal(link->stat.gfid, f->res.stat.gfid) &&
	       dht_child_by_name(xl, x->value, x->len) == f->cached;
}

/* A file that is not where its name hashes gets a linkto there, so that the next look is short; a linkto to nowhere goes. */
static void coroutine_fn mend_linkto(struct xlator *xl, struct call *call, const struct lookup_args *args, const struct answer *ans,
				     struct dht_found *f)
{
	const struct distribute *d = xl->priv;
	const struct iatt *st = &f->res.stat;

	if (!d->up[f->hashed] || f->hashed == f->cached || (ans[f->hashed].err && !dht_gone(ans[f->hashed].err)))
		return;
	if (!ans[f->hashed].err) {
		if (leads_there(xl, &ans[f->hashed].res->lookup, f))
			return;
		if (dht_linkto_remove(xl, call, args->parent, args->name, f->hashed) < 0)
			return;
		f->linkto = -1;
	}
	if (f->cached < 0)
		return;
	if (dht_linkto_make(xl, call, args->parent, args->name, st->gfid, f->hashed, f->cached, NULL, false) < 0)
		return;
	f->linkto = f->hashed;
	if (st->uid || st->gid)
		dht_linkto_owner(xl, call, st->gfid, f->hashed, st->uid, st->gid);
}

/* Asks all. With @mend the signpost is put right, which wants the name's lock held: another client may be at it. */
static int coroutine_fn ask_all(struct xlator *xl, struct call *call, const struct lookup_args *a, bool mend, struct dht_found *f)
{
	struct answer *ans = dht_fanout_same(xl, call, FOP_lookup, a, -1);
	int ret, linkto;
	bool dir;

	if (!ans)
		return -ENOMEM;
	ret = join_errors(xl, ans, &dir);
	if (ret < 0)
		return ret;
	f->cached = f->linkto = -1;
	if (dir)
		return directory_found(xl, call, a, ans, ans[f->hashed].err ? -1 : f->hashed, f->heal, &f->res);
	f->cached = pick_data(xl, ans, &linkto);
	if (f->cached < -1)
		return f->cached;
	f->linkto = linkto;
	if (f->cached == -1) {
		if (!dht_all_up(xl))
			return -ENOTCONN;
		if (mend)
			mend_linkto(xl, call, a, ans, f);
		return -ENOENT;
	}
	f->res = ans[f->cached].res->lookup;
	f->unsure = ans[f->hashed].err < 0 && !dht_gone(ans[f->hashed].err);
	if (mend)
		mend_linkto(xl, call, a, ans, f);
	file_found(xl, &f->res, f->cached);
	return 0;
}

/* The name and its signpost do not fit: no linkto where the file is not, or a linkto that leads nowhere. */
static bool unfit(const struct distribute *d, int ret, const struct dht_found *f)
{
	if (!d->up[f->hashed] || (ret < 0 && ret != -ENOENT))
		return false;
	if (ret == -ENOENT || f->cached < 0)
		return ret == -ENOENT && f->linkto == f->hashed;
	return f->cached != f->hashed;
}

/* Mending waits for nobody: when the name is locked, somebody is changing it, and it will be put right by the next who looks. */
static int coroutine_fn find_everywhere(struct xlator *xl, struct call *call, const struct lookup_args *a, struct dht_found *f)
{
	struct dht_locks locks;
	int ret = ask_all(xl, call, a, !f->heal, f);

	if (!f->heal || !unfit(xl->priv, ret, f))
		return ret;
	dht_locks_init(xl, &locks);
	dht_locks_add_name(&locks, f->hashed, a->parent, a->name);
	if (dht_locks_try(xl, call, &locks, 0) < 0)
		return ret;
	co_shield();
	f->heal = false;		/* a directory that turned up meanwhile wants the same lock */
	ret = ask_all(xl, call, a, true, f);
	f->heal = true;
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

static int coroutine_fn find_directory(struct xlator *xl, struct call *call, const struct lookup_args *a, struct dht_found *f)
{
	struct answer *ans = dht_fanout_same(xl, call, FOP_lookup, a, f->hashed);

	if (!ans)
		return -ENOMEM;
	ans[f->hashed].err = 0;
	ans[f->hashed].res = arena_alloc(call->arena, sizeof(*ans[0].res));
	if (!ans[f->hashed].res)
		return -ENOMEM;
	ans[f->hashed].res->lookup = f->res;
	f->cached = f->linkto = -1;
	return directory_found(xl, call, a, ans, f->hashed, f->heal, &f->res);
}

static int coroutine_fn follow_linkto(struct xlator *xl, struct call *call, const struct lookup_args *a, struct dht_found *f)
{
	const struct xattr *x = xattrs_find(&f->res.xattrs, DHT_LINKTO);
	struct lookup_res link = f->res;
	int ret;

	f->linkto = f->hashed;
	f->cached = dht_child_by_name(xl, x->value, x->len);
	if (f->cached < 0)
		return find_everywhere(xl, call, a, f);
	ret = xl_lookup(xl->children[f->cached], call, a, &f->res);
	if (ret < 0 && !dht_gone(ret))
		return ret;
	if (ret < 0 || !gfid_equal(f->res.stat.gfid, link.stat.gfid) || dht_is_linkto(&f->res.stat, &f->res.xattrs))
		return find_everywhere(xl, call, a, f);
	file_found(xl, &f->res, f->cached);
	return 0;
}

/* Of several names one that nothing tells of may be what is left of a rename that was cut short, and then it is gone (misplaced.c). */
static int coroutine_fn find_lost(struct xlator *xl, struct call *call, const struct lookup_args *a, struct dht_found *f)
{
	int ret = ask_all(xl, call, a, false, f);

	if (ret == 0 && f->cached >= 0 && f->linkto < 0 && f->res.stat.nlink > 1)
		return -ENOENT;
	return ret < 0 ? ret : find_everywhere(xl, call, a, f);
}

/* The hashed child has no such name: is that the answer? A layout read long ago is not trusted with it. */
static int coroutine_fn find_missing(struct xlator *xl, struct call *call, const struct lookup_args *a, const struct dht_layout *l,
				     struct dht_found *f)
{
	const struct distribute *d = xl->priv;
	struct dht_layout *fresh;
	int ret, hashed;

	if (!dht_settled(d, l))
		return find_everywhere(xl, call, a, f);
	if (f->thorough)
		return find_lost(xl, call, a, f);
	ret = dht_layout_get(xl, call, a->parent, d->layout_timeout_ms * 1000000, &fresh);
	if (ret < 0)
		return ret;
	hashed = dht_layout_search(fresh, dht_hash_name(d, a->name));
	ret = dht_settled(d, fresh) && hashed == f->hashed ? -ENOENT : 0;
	if (hashed >= 0)
		f->hashed = hashed;
	dht_layout_unref(fresh);
	return ret < 0 ? ret : find_everywhere(xl, call, a, f);
}

static int coroutine_fn find_once(struct xlator *xl, struct call *call, const struct lookup_args *a, const struct dht_layout *l,
				  struct dht_found *f)
{
	int ret = xl_lookup(xl->children[f->hashed], call, a, &f->res);

	if (ret == -ENOENT)
		return find_missing(xl, call, a, l, f);
	if (ret == -ENOTCONN)
		return find_everywhere(xl, call, a, f);	/* directories, and files that live elsewhere, can still be had */
	if (ret < 0)
		return ret;
	if (S_ISDIR(f->res.stat.mode))
		return find_directory(xl, call, a, f);
	if (dht_is_linkto(&f->res.stat, &f->res.xattrs))
		return follow_linkto(xl, call, a, f);
	f->cached = f->hashed;
	f->linkto = -1;
	f->parent_ctime = f->res.parent.ctime;
	file_found(xl, &f->res, f->hashed);
	return 0;
}

static int coroutine_fn find(struct xlator *xl, struct call *call, const struct lookup_args *args, bool heal, bool thorough,
			     struct dht_found *f)
{
	struct xattr_want want = dht_want(args->want);
	struct lookup_args a = *args;
	struct dht_layout *l;
	unsigned mixed = 0;
	int ret = 0;

	a.want = &want;
	for (int attempt = 0; attempt < 2; attempt++) {
		*f = (struct dht_found){ .cached = -1, .linkto = -1, .heal = heal, .thorough = thorough };
		ret = dht_hashed(xl, call, args->parent, args->name, &l);
		if (ret < 0)
			return ret;
		f->hashed = ret;
		ret = find_once(xl, call, &a, l, f);
		dht_layout_unref(l);
		/* Copies of two directories under one name: one is being renamed over the other, subvolume by subvolume. */
		if (ret == -EIO && mixed < MIXED_ATTEMPTS && co_sleep_ns(MIXED_PAUSE_NS << mixed++) == 0) {
			attempt--;
			continue;
		}
		if (ret != -ESTALE)
			return ret;
		/* The hashed child does not have the directory itself: look at all copies and heal, then ask again. */
		ret = dht_layout_reread(xl, call, args->parent, &l);
		if (ret < 0)
			return ret;
		dht_layout_unref(l);
	}
	return -ESTALE;
}

/* For those who change the name: what a file elsewhere only seems to be is not good enough. */
static int coroutine_fn find_surely(struct xlator *xl, struct call *call, struct inode *parent, const char *name, bool heal,
				    bool thorough, struct dht_found *f)
{
	int ret = find(xl, call, &(struct lookup_args){ .parent = parent, .name = name }, heal, thorough, f);

	return ret == 0 && f->unsure ? -ENOTCONN : ret;
}

int coroutine_fn dht_find(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_found *ret)
{
	return find_surely(xl, call, parent, name, true, false, ret);
}

int coroutine_fn dht_find_locked(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_found *ret)
{
	return find_surely(xl, call, parent, name, false, false, ret);
}

int coroutine_fn dht_find_thoroughly(struct xlator *xl, struct call *call, struct inode *parent, const char *name, bool locked,
				     struct dht_found *ret)
{
	return find_surely(xl, call, parent, name, !locked, true, ret);
}

int coroutine_fn dht_mend_name(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed, bool wait)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args a = { .parent = parent, .name = name, .want = &want };
	struct dht_found f = { .hashed = hashed, .cached = -1, .linkto = -1 };
	struct dht_locks locks;
	int ret;

	dht_locks_init(xl, &locks);
	dht_locks_add_name(&locks, hashed, parent, name);
	ret = wait ? dht_locks_take(xl, call, &locks) : dht_locks_try(xl, call, &locks, 0);
	if (ret < 0)
		return ret;
	co_shield();
	ret = ask_all(xl, call, &a, true, &f);
	co_unshield();
	dht_locks_release_later(xl, call, &locks);
	return ret;
}

int coroutine_fn distribute_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct dht_found f;
	int ret;

	if (dht_single(xl))
		return xl_lookup(xl->children[0], call, args, res);
	if (!args->name)
		return dht_lookup_gfid(xl, call, args, res);
	ret = find(xl, call, args, true, false, &f);
	*res = f.res;
	/* A rename that was cut short leaves a file with a name more than it has by right (README.md); the hashed child knows better. */
	return ret == 0 && f.unsure && res->stat.nlink > 1 ? -ENOTCONN : ret;
}
