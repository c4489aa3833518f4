/* xlators/cluster/distribute/rename.c: renaming a file in all its cases (brick-format.md B8).
 *
 * The file's data never moves: it keeps its subvolume, and where the new name hashes elsewhere a linkto says so. Letters as in the fact page:
 * sh, sc where the old name hashes and the file is; dh, dc the same of the new name and of what it names so far. Locks keep out other
 * renames of the names (entry), new layouts (layout) and the migration of both files (migrate); what was found is found under them. */
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define ATTEMPTS 6
#define PATIENCE_TRIES 60u
#define PATIENCE_STEP_NS 500000000ull

struct renaming {
	const struct rename_args *args;
	struct rename_res *res;
	struct dht_locks locks;
	int sh, dh;
	struct dht_found src, dst;
	bool dst_exists, stale, again;	/* again: sent once more after it had happened */
	/* Files to be locked against migration before anything else is locked, as the last attempt found them. */
	struct inode *src_inode, *dst_inode;
	int sc, dc;
};

/* Every client locks names in this order: subvolume's name, parent's gfid, name. */
static bool name_first(const struct xlator *xl, const struct renaming *r)
{
	const struct distribute *d = xl->priv;
	int c;

	if (r->sh != r->dh)
		return d->rank[r->sh] < d->rank[r->dh];
	c = memcmp(r->args->oldparent->gfid, r->args->newparent->gfid, 16);
	return c ? c < 0 : strcmp(r->args->oldname, r->args->newname) <= 0;
}

static void add_migrate(const struct xlator *xl, struct renaming *r)
{
	const struct distribute *d = xl->priv;
	bool src = r->src_inode != NULL, dst = r->dst_inode != NULL, dst_first = false;

	if (src && dst)
		dst_first = d->rank[r->dc] < d->rank[r->sc] ||
			    (r->dc == r->sc && memcmp(r->dst_inode->gfid, r->src_inode->gfid, 16) < 0);
	if (dst && dst_first)
		dht_locks_add(&r->locks, (unsigned)r->dc, r->dst_inode, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
	if (src)
		dht_locks_add(&r->locks, (unsigned)r->sc, r->src_inode, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
	if (dst && !dst_first)
		dht_locks_add(&r->locks, (unsigned)r->dc, r->dst_inode, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
}

static int coroutine_fn lock_names(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;

	r->sh = dht_hashed(xl, call, a->oldparent, a->oldname, NULL);
	if (r->sh < 0)
		return r->sh;
	r->dh = dht_hashed(xl, call, a->newparent, a->newname, NULL);
	if (r->dh < 0)
		return r->dh;
	dht_locks_init(xl, &r->locks);
	add_migrate(xl, r);
	if (name_first(xl, r)) {
		dht_locks_add_name(&r->locks, r->sh, a->oldparent, a->oldname);
		dht_locks_add_name(&r->locks, r->dh, a->newparent, a->newname);
	} else {
		dht_locks_add_name(&r->locks, r->dh, a->newparent, a->newname);
		dht_locks_add_name(&r->locks, r->sh, a->oldparent, a->oldname);
	}
	return dht_locks_take(xl, call, &r->locks);
}

struct find_both { struct xlator *xl; struct call *call; struct renaming *r; int err[2]; };

static int coroutine_fn find_task(void *ctx, unsigned i)
{
	struct find_both *f = ctx;
	const struct rename_args *a = f->r->args;

	if (i == 0)		/* who renames a name has seen it */
		f->err[0] = dht_find_thoroughly(f->xl, f->call, a->oldparent, a->oldname, true, &f->r->src);
	else
		f->err[1] = dht_find_locked(f->xl, f->call, a->newparent, a->newname, &f->r->dst);
	return 0;
}

static int coroutine_fn find_names(struct xlator *xl, struct call *call, struct renaming *r)
{
	struct find_both f = { xl, call, r, { -ENOMEM, -ENOMEM } };

	co_fanout(3, find_task, &f);
	r->dst_exists = f.err[1] == 0;
	/* The layout that said where to lock is not the one that holds now. */
	r->stale = r->src.hashed != r->sh || r->dst.hashed != r->dh;
	if (f.err[0] < 0)
		return f.err[0];
	if (f.err[1] < 0 && f.err[1] != -ENOENT)
		return f.err[1];
	return 0;
}

static void forget_files(struct renaming *r)
{
	inode_unref(r->src_inode);
	inode_unref(r->dst_inode);
	r->src_inode = r->dst_inode = NULL;
}

static bool locked_as_found(const struct renaming *r)
{
	if (!r->src_inode || !gfid_equal(r->src_inode->gfid, r->src.res.stat.gfid) || r->sc != r->src.cached)
		return false;
	if (!r->dst_exists)
		return true;
	return r->dst_inode && gfid_equal(r->dst_inode->gfid, r->dst.res.stat.gfid) && r->dc == r->dst.cached;
}

static int adopt_files(struct xlator *xl, struct renaming *r)
{
	forget_files(r);
	r->sc = r->src.cached;
	r->src_inode = inode_get(xl_inodes(xl), r->src.res.stat.gfid);
	if (r->dst_exists) {
		r->dc = r->dst.cached;
		r->dst_inode = inode_get(xl_inodes(xl), r->dst.res.stat.gfid);
	}
	return r->src_inode && (r->dst_inode || !r->dst_exists) ? 0 : -ENOMEM;
}

struct still { struct xlator *xl; struct call *call; struct inode *inode[2]; int child[2]; int err[2]; };

static int coroutine_fn still_task(void *ctx, unsigned i)
{
	struct still *s = ctx;
	struct call own = dht_internal(s->call);
	struct xattr_want want = dht_want(NULL);
	struct lookup_args args = { .inode = s->inode[i], .want = &want };
	struct lookup_res res = { 0 };

	s->err[i] = xl_lookup(s->xl->children[s->child[i]], &own, &args, &res);
	if (s->err[i] == 0 && dht_is_linkto(&res.stat, &res.xattrs))
		s->err[i] = -ESTALE;
	return 0;
}

/* The migrate locks came after the names were found: did a file move in between? */
static int coroutine_fn still_there(struct xlator *xl, struct call *call, const struct renaming *r)
{
	struct still s = { xl, call, { r->src_inode, r->dst_inode }, { r->sc, r->dc }, { -ENOMEM, r->dst_inode ? -ENOMEM : 0 } };

	co_fanout(r->dst_inode ? 3 : 1, still_task, &s);
	return s.err[0] < 0 ? s.err[0] : s.err[1];
}

/* 0: both files are locked against migration. -EAGAIN: start over, with the files known now. */
static int coroutine_fn lock_files(struct xlator *xl, struct call *call, struct renaming *r)
{
	unsigned names;
	int ret;

	if (locked_as_found(r))
		return 0;
	if (r->src_inode) {		/* locked others than these: their locks go with all */
		ret = adopt_files(xl, r);
		return ret < 0 ? ret : -EAGAIN;
	}
	ret = adopt_files(xl, r);
	if (ret < 0)
		return ret;
	names = r->locks.n;
	add_migrate(xl, r);
	ret = dht_locks_try(xl, call, &r->locks, names);
	if (ret == 0)
		ret = still_there(xl, call, r);
	return dht_gone(ret) ? -EAGAIN : ret;
}

static void parents(struct renaming *r, const struct rename_res *from)
{
	r->res->postold = from->postold;
	r->res->postnew = from->postnew;
}

/* B: the new name hashes to where the file is. */
static int coroutine_fn rename_in_place(struct xlator *xl, struct call *call, struct renaming *r)
{
	return xl_rename(xl->children[r->sc], call, r->args, r->res);
}

/* A linkto to the file under its old name on dh, owned like the file, so that RENAME there means the same as on the file. */
static int coroutine_fn signpost(struct xlator *xl, struct call *call, struct renaming *r, bool *ret_made)
{
	const struct rename_args *a = r->args;
	const struct iatt *st = &r->src.res.stat;
	int ret = 0;

	*ret_made = !(r->sh == r->dh && r->src.linkto == r->dh);
	if (*ret_made)
		ret = dht_linkto_make(xl, call, a->oldparent, a->oldname, st->gfid, r->dh, r->src.cached, NULL, true);
	if (ret == -EEXIST && dht_clear_leftover(xl, call, a->oldparent, a->oldname, r->dh, st->gfid) == 0)
		ret = dht_linkto_make(xl, call, a->oldparent, a->oldname, st->gfid, r->dh, r->src.cached, NULL, true);
	if (ret == 0)
		dht_linkto_owner(xl, call, st->gfid, r->dh, st->uid, st->gid);
	return ret;
}

/* The file has both names by now: were that answered, the old one would stay, and sending RENAME again does nothing to two names of one file. So
 * this waits for the subvolume rather than giving up at once. */
static int coroutine_fn remove_old_name(struct xlator *child, struct call *call, const struct unlink_args *args)
{
	struct unlink_res unused;
	unsigned tries = PATIENCE_TRIES;
	int ret;

	while ((ret = xl_unlink(child, call, args, &unused)) == -ENOTCONN && --tries)
		co_sleep_ns(PATIENCE_STEP_NS);
	return dht_gone(ret) ? 0 : ret;
}

/* Does the file @gfid itself stand under this name on @child? -EEXIST: something else does. */
static int coroutine_fn stands_there(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int child,
				     const uint8_t *gfid, struct iatt *ret_stat)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args look = { .parent = parent, .name = name, .want = &want };
	struct lookup_res found = { 0 };
	int ret = xl_lookup(xl->children[child], call, &look, &found);

	if (ret == 0 && (!gfid_equal(found.stat.gfid, gfid) || dht_is_linkto(&found.stat, &found.xattrs)))
		return -EEXIST;
	*ret_stat = found.stat;
	return ret;
}

/* An earlier try that was cut short may have linked it already. */
static int coroutine_fn link_new_name(struct xlator *xl, struct call *call, struct renaming *r, struct link_res *res)
{
	struct link_args args = { .inode = r->src_inode, .newparent = r->args->newparent, .newname = r->args->newname,
				  .internal = true, .force_replace = true, .dont_account = true };
	int ret = xl_link(xl->children[r->sc], call, &args, res);

	if (ret != -EEXIST)
		return ret;
	*res = (struct link_res){ 0 };
	ret = stands_there(xl, call, args.newparent, args.newname, r->sc, args.inode->gfid, &res->stat);
	if (ret == -EEXIST && dht_clear_leftover(xl, call, args.newparent, args.newname, r->sc, args.inode->gfid) == 0)
		ret = xl_link(xl->children[r->sc], call, &args, res);
	return ret;
}

/* A: the new name hashes elsewhere, and what it names is not on the file's subvolume. RENAME of the linkto is the moment it happens. */
static int coroutine_fn rename_by_linkto(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;
	struct call own = dht_internal(call);
	struct unlink_args undo = { .parent = a->newparent, .name = a->newname, .internal = true, .dont_account = true };
	struct unlink_args old = { .parent = a->oldparent, .name = a->oldname, .internal = true, .dont_account = true };
	struct unlink_res unused;
	struct link_res linked = { 0 };
	struct rename_res moved = { 0 };
	bool made;
	int ret = signpost(xl, call, r, &made);

	if (ret == 0)
		ret = link_new_name(xl, &own, r, &linked);
	if (ret == 0) {
		ret = xl_rename(xl->children[r->dh], call, a, &moved);
		/* In doubt the new name may be the only one that a lookup finds by now: both stay, as if we had died here. */
		if (ret < 0 && !dht_in_doubt(ret))
			xl_unlink(xl->children[r->sc], &own, &undo, &unused);
	}
	if (ret < 0) {
		if (made)
			dht_linkto_remove(xl, call, a->oldparent, a->oldname, r->dh);
		return dht_gone(ret) ? -EAGAIN : ret;	/* somebody took the linkto for a stale one: look again */
	}
	ret = remove_old_name(xl->children[r->sc], &own, &old);
	/* A remove of what the new name named takes no lock, and may have hit our linkto. */
	dht_linkto_keep(xl, call, a->newparent, a->newname, &linked.stat, r->dh, r->sc);
	r->res->stat = linked.stat;
	r->res->stat.nlink -= r->res->stat.nlink > 1;
	parents(r, &moved);
	return ret;
}

/* A: the same, but what the new name names so far is on the file's subvolume too: RENAME there is the moment, the linkto follows. */
static int coroutine_fn rename_over(struct xlator *xl, struct call *call, struct renaming *r)
{
	struct call own = dht_internal(call);
	struct rename_res unused = { 0 };
	bool made;
	int ret = signpost(xl, call, r, &made);

	if (ret == 0) {
		ret = xl_rename(xl->children[r->sc], call, r->args, r->res);
		if (ret < 0 && made)
			dht_linkto_remove(xl, call, r->args->oldparent, r->args->oldname, r->dh);
	}
	if (ret < 0)
		return ret;
	/* When this fails, the linkto there names another gfid than the file has, so the next lookup mends it. */
	if (xl_rename(xl->children[r->dh], &own, r->args, &unused) < 0)
		dht_linkto_remove(xl, call, r->args->oldparent, r->args->oldname, r->dh);
	return 0;
}

static bool replaces_elsewhere(const struct renaming *r)
{
	return r->dst_exists && r->dc != r->sc && r->dc != r->dh;
}

/* Clear what the old names left behind. The rename has happened; a linkto that is left is harmless,
 * and found by lookups. What was replaced is not: while it may be there, nothing is answered
 * (replaced.c). */
static int coroutine_fn clean_up(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;
	struct call own = dht_internal(call);
	struct unlink_args args = { .parent = a->newparent, .name = a->newname, .internal = true };
	struct lookup_res found = { 0 };
	int ret;

	/* Where somebody made the new name a link to this very file meanwhile, RENAME did nothing, as POSIX wants: the old name stands. */
	if (r->src.linkto >= 0 && r->src.linkto != r->sc && r->src.linkto != r->dh &&
	    dht_gone(xl_lookup(xl->children[r->sc], &own, &(struct lookup_args){ .parent = a->oldparent, .name = a->oldname }, &found)))
		dht_linkto_remove(xl, call, a->oldparent, a->oldname, r->src.linkto);
	if (!replaces_elsewhere(r))
		return 0;
	ret = remove_old_name(xl->children[r->dc], &own, &args);
	return dht_in_doubt(ret) ? ret : 0;
}

/* Two names of one file: POSIX wants nothing done. But the linkto may stand under the new name on some copies of its subvolume and not on
 * others, where an earlier try was cut short. Before the names are vouched for, RENAME of the linkto is sent again and decides: it does nothing
 * where it was done, or says that the old name is gone (-EAGAIN). */
static int coroutine_fn two_names(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;
	struct rename_res unused = { 0 };
	bool made;
	int ret;

	r->res->stat = r->src.res.stat;
	if (a->oldparent == a->newparent && strcmp(a->oldname, a->newname) == 0)
		return 0;
	if (r->dst.linkto != r->dh)
		return dht_clear_replaced(xl, call, a->newparent, a->newname, &r->dst);
	co_shield();
	ret = signpost(xl, call, r, &made);
	if (ret == 0)
		ret = xl_rename(xl->children[r->dh], call, a, &unused);
	if (made)
		dht_linkto_remove(xl, call, a->oldparent, a->oldname, r->dh);
	if (ret == 0)
		ret = dht_clear_replaced(xl, call, a->newparent, a->newname, &r->dst);
	co_unshield();
	return dht_gone(ret) ? -EAGAIN : dht_in_doubt(ret) ? ret : 0;
}

/* All of it is asked where the file is: directories have one owner and mode everywhere. */
static int coroutine_fn may_rename(struct xlator *xl, struct call *call, const struct renaming *r)
{
	const struct rename_args *a = r->args;
	int ret = dht_may_unname(xl, call, (unsigned)r->sc, a->oldparent, &r->src.res.stat);

	if (ret < 0)
		return ret;
	if (r->dst_exists)
		return dht_may_unname(xl, call, (unsigned)r->sc, a->newparent, &r->dst.res.stat);
	return a->newparent == a->oldparent ? 0 : dht_may_change(xl, call, (unsigned)r->sc, a->newparent);
}

static int coroutine_fn rename_as_it_lies(struct xlator *xl, struct call *call, struct renaming *r)
{
	if (r->dh == r->sc)
		return rename_in_place(xl, call, r);
	if (r->dst_exists && r->dc == r->sc)
		return rename_over(xl, call, r);
	return rename_by_linkto(xl, call, r);
}

static int coroutine_fn rename_file(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *asked = r->args;
	struct rename_args known = *asked;
	int ret;

	if (r->dst_exists && S_ISDIR(r->dst.res.stat.mode))
		return -EISDIR;
	if (r->dst_exists && gfid_equal(r->src.res.stat.gfid, r->dst.res.stat.gfid))
		return two_names(xl, call, r);
	ret = lock_files(xl, call, r);
	if (ret == 0 && r->dh != r->sc)		/* several steps */
		ret = may_rename(xl, call, r);
	if (ret < 0)
		return ret;
	known.inode = r->src_inode;		/* the children need not look up that it is no directory */
	known.inode->type = r->src.res.stat.mode & S_IFMT;
	r->args = &known;
	co_shield();
	if (replaces_elsewhere(r))	/* a disk that takes no note does not stop the rename */
		ret = dht_note_replaced(xl, call, asked->newparent, asked->newname, r->dst_inode,
					r->dc, r->src_inode->gfid);
	if (!dht_in_doubt(ret))
		ret = rename_as_it_lies(xl, call, r);
	if (ret == 0)
		ret = clean_up(xl, call, r);
	co_unshield();
	r->args = asked;
	if (ret == 0)
		dht_iatt_file(&r->res->stat);
	return ret;
}

/* The old name may be left where the data is. */
static int coroutine_fn remove_left_name(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;
	const struct iatt *st = &r->dst.res.stat;
	struct call own = dht_internal(call);
	struct unlink_args old = { .parent = a->oldparent, .name = a->oldname, .internal = true, .dont_account = true };
	struct iatt unused;
	int ret;

	if (st->nlink < 2 || r->dst.cached == r->dh)
		return -ENOENT;
	ret = stands_there(xl, &own, a->oldparent, a->oldname, r->dst.cached, st->gfid, &unused);
	if (ret < 0)
		return dht_gone(ret) || ret == -EEXIST ? -ENOENT : ret;
	co_shield();
	ret = remove_old_name(xl->children[r->dst.cached], call, &old);	/* which the caller must be allowed to */
	co_unshield();
	return ret;
}

/* No lookup finds the old name: was this rename cut short when it had happened already? Then the
 * file may have that name still, beside the new one, where its data is, and what it replaced may
 * stand there: this is RENAME sent again. */
static int coroutine_fn finish_cut_short(struct xlator *xl, struct call *call, struct renaming *r)
{
	const struct rename_args *a = r->args;
	int ret, err;

	if (r->stale || !r->dst_exists || S_ISDIR(r->dst.res.stat.mode))
		return -ENOENT;
	ret = remove_left_name(xl, call, r);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	co_shield();
	err = dht_clear_replaced(xl, call, a->newparent, a->newname, &r->dst);
	co_unshield();
	if (err < 0 || ret < 0)
		return err < 0 ? err : ret;
	r->res->stat = r->dst.res.stat;
	r->res->stat.nlink--;
	r->again = true;
	return 0;
}

/* An object that is gone cannot be locked. It may be a file that the last attempt found, and then the next one
 * looks again; otherwise it is one of the two directories. */
static int lock_refused(struct renaming *r, int ret)
{
	if (!dht_gone(ret))
		return ret;
	if (!r->src_inode && !r->dst_inode)
		return -ESTALE;
	forget_files(r);
	return -EAGAIN;
}

/* Where a linkto cannot be made again and again, the directory itself may be gone: waiting would not help then. */
static int coroutine_fn gone_or_busy(struct xlator *xl, struct call *call, struct inode *dir)
{
	struct dht_layout *l;
	int ret = dht_layout_reread(xl, call, dir, &l);

	if (ret < 0)
		return ret;
	dht_layout_unref(l);
	return -EAGAIN;
}

static int coroutine_fn rename_once(struct xlator *xl, struct call *call, struct renaming *r)
{
	int ret = lock_names(xl, call, r);

	if (ret < 0)
		return lock_refused(r, ret);
	*r->res = (struct rename_res){ 0 };
	ret = find_names(xl, call, r);
	if (ret == -ENOENT)
		ret = finish_cut_short(xl, call, r);
	else if (ret == 0 && r->stale)
		ret = -EAGAIN;
	else if (ret == 0 && S_ISDIR(r->src.res.stat.mode))
		ret = dht_rename_dir(xl, call, r->args, &r->src, r->dst_exists ? &r->dst : NULL, r->dh, r->res);
	else if (ret == 0)
		ret = rename_file(xl, call, r);
	dht_locks_release_later(xl, call, &r->locks);
	return ret;
}

int coroutine_fn distribute_rename(struct xlator *xl, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	struct renaming *r;
	int ret = -EAGAIN;

	if (dht_single(xl))
		return xl_rename(xl->children[0], call, args, res);
	r = arena_alloc(call->arena, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->args = args;
	r->res = res;
	if (args->inode && dht_cached(xl, args->inode) >= 0) {
		r->src_inode = inode_ref(args->inode);
		r->sc = dht_cached(xl, args->inode);
	}
	for (int attempt = 0; attempt < ATTEMPTS && ret == -EAGAIN; attempt++)
		ret = rename_once(xl, call, r);
	if (ret == -EAGAIN)
		ret = gone_or_busy(xl, call, args->newparent);
	forget_files(r);
	if (ret < 0)
		return ret;
	res->replaced_known = !r->again;	/* what the first try replaced nobody knows any more */
	if (r->dst_exists && !r->again)
		memcpy(res->replaced, r->dst.res.stat.gfid, 16);
	dht_parent_result(xl, args->oldparent, &res->preold, &res->postold);
	dht_parent_result(xl, args->newparent, &res->prenew, &res->postnew);
	return 0;
}
