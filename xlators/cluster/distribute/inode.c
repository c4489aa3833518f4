/* xlators/cluster/distribute/inode.c: what we keep of an inode: of a file the child that holds it, of a directory its layout.
 *
 * Both are hints that the bricks may have outlived: a file that is not where we thought is looked for again, and an entry is made only
 * while the brick still has the range we hashed with (the pre-op check). A file costs no memory here: its child is in the slot itself. */
#include <stdlib.h>

#include "xlators/cluster/distribute/distribute.h"

#define HOLE_ATTEMPTS 5
#define HOLE_PAUSE_NS 20000000ull	/* and twice as long each time */

static bool is_file(const void *ctx)
{
	return (uintptr_t)ctx & 1;
}

int dht_cached(const struct xlator *xl, struct inode *inode)
{
	void *ctx = *inode_ctx(xl, inode);

	return is_file(ctx) ? (int)((uintptr_t)ctx >> 1) : -1;
}

void dht_set_cached(const struct xlator *xl, struct inode *inode, int child)
{
	const struct distribute *d = xl->priv;
	void **slot = inode_ctx(xl, inode);

	if (*slot && !is_file(*slot))
		return;
	*slot = (void *)((uintptr_t)child << 1 | 1);
	inode->hint = (uint16_t)(d->rank[child] + 1);
}

/* What a file handle remembered of the last gateway: worth asking first. */
int dht_hinted(const struct xlator *xl, const struct inode *inode)
{
	const struct distribute *d = xl->priv;

	if (inode->type == S_IFDIR || !inode->hint || inode->hint > xl->nchildren)
		return -1;
	return (int)d->order[inode->hint - 1];
}

/* For an object that the caller may soon name by its gfid alone. */
void dht_set_cached_gfid(const struct xlator *xl, const struct iatt *stat, int child)
{
	struct inode *inode;

	if (gfid_is_null(stat->gfid) || S_ISDIR(stat->mode))
		return;
	inode = inode_get(xl_inodes(xl), stat->gfid);
	if (!inode)
		return;
	inode->type = stat->mode & S_IFMT;
	dht_set_cached(xl, inode, child);
	inode_unref(inode);
}

struct dht_dir *dht_dir(const struct xlator *xl, struct inode *inode)
{
	void *ctx = *inode_ctx(xl, inode);

	return is_file(ctx) ? NULL : ctx;
}

int dht_set_dir(const struct xlator *xl, struct inode *inode, struct dht_layout *layout, int mds)
{
	void **slot = inode_ctx(xl, inode);
	struct dht_dir *dir = is_file(*slot) ? NULL : *slot;

	if (!dir) {
		dir = calloc(1, sizeof(*dir));
		if (!dir)
			return -ENOMEM;
		*slot = dir;
		dir->mds = -1;
	}
	if (layout != dir->layout) {
		dht_layout_unref(dir->layout);
		dir->layout = dht_layout_ref(layout);
	}
	if (mds >= 0)
		dir->mds = mds;
	inode->type = S_IFDIR;
	return 0;
}

void dht_forget(struct xlator *xl, struct inode *inode, void *ctx)
{
	struct dht_dir *dir = ctx;

	(void)xl;
	(void)inode;
	if (!ctx || is_file(ctx))
		return;
	dht_layout_unref(dir->layout);
	free(dir);
}

/* The volume's commit hash lives on the root; asking for the root's attributes learns it. */
static void coroutine_fn know_commit(struct xlator *xl, struct call *call)
{
	struct distribute *d = xl->priv;
	struct inode *root;
	struct lookup_res res = { 0 };

	if (d->commit_known)
		return;
	root = inode_get(xl_inodes(xl), gfid_root);
	if (root)
		dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = root }, &res);
	inode_unref(root);
}

int coroutine_fn dht_layout_reread(struct xlator *xl, struct call *call, struct inode *dir, struct dht_layout **ret)
{
	struct lookup_res res = { 0 };
	struct dht_dir *have;
	int err;

	know_commit(xl, call);
	err = dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = dir }, &res);
	if (err < 0)
		return err == -ENOENT ? -ESTALE : err;
	have = dht_dir(xl, dir);
	if (!have || !have->layout)
		return -ENOTDIR;
	*ret = dht_layout_ref(have->layout);
	return 0;
}

/* A layout with holes is read again, unless the holes belong to a child that is still away. */
static bool usable(struct xlator *xl, const struct dht_layout *l, uint64_t max_age_ns)
{
	uint64_t age = loop_now_ns(xl_loop(xl)) - l->at_ns;

	if (!l->complete && (!l->unheard || dht_all_up(xl)))
		return false;
	return !max_age_ns || age < max_age_ns;
}

int coroutine_fn dht_layout_get(struct xlator *xl, struct call *call, struct inode *dir, uint64_t max_age_ns, struct dht_layout **ret)
{
	struct distribute *d = xl->priv;
	struct dht_dir *have = dht_dir(xl, dir);

	if (dht_cached(xl, dir) >= 0)
		return -ENOTDIR;
	if (have && have->layout && d->commit_known && usable(xl, have->layout, max_age_ns)) {
		*ret = dht_layout_ref(have->layout);
		return 0;
	}
	return dht_layout_reread(xl, call, dir, ret);
}

static int coroutine_fn hashed_once(struct xlator *xl, struct call *call, struct inode *dir, const char *name,
				    struct dht_layout **ret_layout, bool *ret_missing)
{
	struct distribute *d = xl->priv;
	struct dht_layout *l;
	int ret;

	ret = dht_layout_get(xl, call, dir, 0, &l);
	if (ret < 0)
		return ret;
	ret = dht_layout_search(l, dht_hash_name(d, name));
	if (ret < 0)
		ret = dht_all_up(xl) && !l->unheard ? -EIO : -ENOTCONN;	/* a hole: its owner is away, or healing failed */
	*ret_missing = l->missing;
	if (ret >= 0 && ret_layout)
		*ret_layout = dht_layout_ref(l);
	dht_layout_unref(l);
	return ret;
}

/* A hole may be a directory that another client is making or removing right now: look a few times more. While a subvolume lacks it altogether it
 * will be closed in the end (selfheal.c): that is a reason to wait. */
int coroutine_fn dht_hashed(struct xlator *xl, struct call *call, struct inode *dir, const char *name, struct dht_layout **ret_layout)
{
	bool missing = false;
	int ret = hashed_once(xl, call, dir, name, ret_layout, &missing);

	for (unsigned attempt = 0; ret == -EIO && attempt < HOLE_ATTEMPTS; attempt++) {
		if (co_sleep_ns(HOLE_PAUSE_NS << attempt) < 0)
			break;
		ret = hashed_once(xl, call, dir, name, ret_layout, &missing);
	}
	return ret == -EIO && missing ? -ENOTCONN : ret;
}

int coroutine_fn dht_locate(struct xlator *xl, struct call *call, struct inode *inode)
{
	struct lookup_res res = { 0 };
	int child = dht_cached(xl, inode), ret;

	if (child >= 0)
		return child;
	if (gfid_is_root(inode->gfid) || inode->type == S_IFDIR || dht_dir(xl, inode)) {
		struct dht_layout *l;

		ret = dht_layout_get(xl, call, inode, 0, &l);
		if (ret < 0)
			return ret;
		dht_layout_unref(l);
		return -EISDIR;
	}
	ret = dht_lookup_gfid(xl, call, &(struct lookup_args){ .inode = inode }, &res);
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	child = dht_cached(xl, inode);
	return child >= 0 ? child : -EISDIR;
}

bool dht_settled(const struct distribute *d, const struct dht_layout *l)
{
	return d->lookup_optimize && d->commit_known && (l->complete || l->unheard) && l->commit == d->commit;
}
