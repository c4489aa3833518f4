/* xlators/cluster/distribute/misplaced.c: files that are not where their name hashes, and whose linkto does not say so.
 *
 * A lookup that believes a miss on the hashed subvolume does not find them, so such a name is listed and cannot be had. They come about when a
 * client of GlusterFS removes a name that another client renamed a file over: its UNLINK takes no lock, goes where the replaced file was, and
 * hits the new file's linkto. What was removed then is the linkto alone; the file is still there and gets it back. */
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define SWEEP_EVERY_NS (3 * DHT_NSEC)	/* so often a directory that changes is checked, at most */
#define SWEEP_PAUSE_NS (20 * DHT_NSEC)	/* a listing that asks for no page so long has been given up */
#define REVEAL_SIZE (128u << 10)
#define BATCH 32u

/* When the copies of a directory were changed last, in one number; 0: some copy did not say. */
static uint64_t coroutine_fn last_changes(struct xlator *xl, struct call *call, struct inode *inode)
{
	struct call own = dht_internal(call);
	struct answer *ans = dht_fanout_same(xl, &own, FOP_stat, &(struct stat_args){ .inode = inode }, -1);
	uint64_t sum = 0;

	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		const struct iatt *st = &ans[i].res->stat.stat;
		uint64_t times[] = { (uint64_t)st->mtime.sec, st->mtime.nsec, (uint64_t)st->ctime.sec, st->ctime.nsec };

		if (ans[i].err)
			return 0;
		sum = hash_bytes(times, sizeof(times), sum);
	}
	return sum;
}

/* A listing that begins: one that has to check is under way, or was just now, or nothing has changed since. */
static void coroutine_fn begin_sweep(struct xlator *xl, struct call *call, struct inode *inode)
{
	uint64_t changes = last_changes(xl, call, inode), now = loop_now_ns(xl_loop(xl));
	struct dht_dir *dir = dht_dir(xl, inode);

	if (!dir)
		return;
	dir->sweeping = !changes || changes != dir->swept;
	if (dir->sweeping)
		dir->swept = 0;		/* until the end has been reached */
	dir->sweep_changes = changes;
	dir->sweep_ns = dir->sweep_page_ns = now ? now : 1;
}

/* Listing pages come one by one, each a call of its own: what is kept is whether somebody is on his way through the directory, checking. */
bool coroutine_fn dht_sweep_page(struct xlator *xl, struct call *call, struct inode *inode, bool first)
{
	struct dht_dir *dir = dht_dir(xl, inode);
	uint64_t now = loop_now_ns(xl_loop(xl));

	if (dir && first && (!dir->sweep_ns || now - dir->sweep_ns >= SWEEP_EVERY_NS)) {
		begin_sweep(xl, call, inode);
		dir = dht_dir(xl, inode);
		now = loop_now_ns(xl_loop(xl));
	}
	if (!dir)
		return true;
	if (!dir->sweeping || now - dir->sweep_page_ns > SWEEP_PAUSE_NS)
		return false;
	dir->sweep_page_ns = now;
	return true;
}

void dht_sweep_end(struct xlator *xl, struct inode *inode)
{
	struct dht_dir *dir = dht_dir(xl, inode);

	if (!dir || !dir->sweeping)
		return;
	dir->sweeping = false;
	dir->swept = dir->sweep_changes;
}

/* A name that nobody finds on @child, and whose file has another one, is what is left of a rename that was cut short. The caller holds the
 * lock of the name. */
int coroutine_fn dht_clear_leftover(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int child,
				    const uint8_t *gfid)
{
	struct xattr_want want = dht_want(NULL);
	struct call own = dht_internal(call);
	struct lookup_args look = { .parent = parent, .name = name, .want = &want };
	struct unlink_args args = { .parent = parent, .name = name, .internal = true };
	struct lookup_res *found = arena_alloc(call->arena, sizeof(*found));
	struct unlink_res unused;
	int ret = found ? xl_lookup(xl->children[child], &own, &look, found) : -ENOMEM;

	if (ret == 0 && (S_ISDIR(found->stat.mode) || found->stat.nlink < 2 || dht_is_linkto(&found->stat, &found->xattrs) ||
			 gfid_equal(found->stat.gfid, gfid)))
		return -EEXIST;
	if (ret == 0)
		ret = xl_unlink(xl->children[child], &own, &args, &unused);
	return dht_gone(ret) ? 0 : ret;
}

struct check {
	struct xlator *xl;
	struct call *call;
	struct inode *dir;
	struct dirent_plus *entry[BATCH];
	int hashed[BATCH];
	bool leftover[BATCH];
	int err[BATCH];
	bool reveal;			/* what is hidden as a leftover, too */
};

static bool coroutine_fn linkto_missing(const struct check *c, unsigned i)
{
	struct call own = dht_internal(c->call);
	struct lookup_args a = { .parent = c->dir, .name = c->entry[i]->name };
	struct lookup_res *found = arena_alloc(c->call->arena, sizeof(*found));

	return found && dht_gone(xl_lookup(c->xl->children[c->hashed[i]], &own, &a, found));
}

/* What a rename between subvolumes left when it was cut short looks the same, but for the file's second link: by that name a lookup finds
 * nothing, or the file that was not replaced after all. It is not mended but hidden, so that a rename has happened or not. A name that
 * cannot be read is shown: who asks for it hears why. Where an answer is to be waited for, the listing waits as well. */
static int coroutine_fn hide_leftover(struct check *c, unsigned i)
{
	const struct distribute *d = c->xl->priv;
	struct call own = dht_internal(c->call);
	struct lookup_args a = { .parent = c->dir, .name = c->entry[i]->name };
	struct lookup_res *found = arena_alloc(c->call->arena, sizeof(*found));
	int ret = found ? distribute_lookup(c->xl, &own, &a, found) : -ENOMEM;

	c->leftover[i] = dht_gone(ret) || (ret == 0 && !gfid_equal(found->stat.gfid, c->entry[i]->stat.gfid));
	return ret == -ENOMEM || (dht_in_doubt(ret) && !d->readdir_partial) ? ret : 0;
}

/* Above us somebody may know that there is no such name. */
static void tell_caches(const struct check *c)
{
	struct xl_upcall up = { .kind = UPCALL_INVALIDATE };

	memcpy(up.gfid, c->dir->gfid, 16);
	xl_notify(c->xl, XL_UPCALL, &up);
}

static int coroutine_fn check_task(void *ctx, unsigned i)
{
	struct check *c = ctx;

	if (c->entry[i]->stat.nlink > 1 && !c->reveal)
		c->err[i] = hide_leftover(c, i);
	else if (linkto_missing(c, i) && dht_mend_name(c->xl, c->call, c->dir, c->entry[i]->name, c->hashed[i], false) == 0)
		tell_caches(c);
	return 0;
}

static int coroutine_fn run_batch(struct check *c, unsigned n)
{
	uint64_t which = n ? ~0ull >> (64 - n) : 0, ran = co_fanout(which, check_task, c);

	for (unsigned i = 0; i < n; i++) {
		if (!(ran >> i & 1))
			return -ENOMEM;
		if (c->err[i] < 0)
			return c->err[i];
		if (c->leftover[i])
			c->entry[i]->namelen = 0;
	}
	return 0;
}

/* The subvolume whose linkto must tell of the name, or -1 when none need. */
static int told_by(const struct xlator *xl, const struct dht_layout *l, int child, const struct dirent_plus *e)
{
	int hashed;

	if (!iatt_present(&e->stat) || S_ISDIR(e->stat.mode) || dht_is_linkto(&e->stat, &e->xattrs))
		return -1;
	hashed = dht_layout_search(l, dht_hash_name(xl->priv, e->name));
	return hashed == child ? -1 : hashed;
}

int coroutine_fn dht_check_names(struct xlator *xl, struct call *call, struct inode *dir, const struct dht_layout *l, int child,
				 enum dht_check how, struct readdir_res *r)
{
	struct check *c = NULL;
	unsigned n = 0;
	uint32_t kept = 0;
	int ret = 0;

	for (uint32_t i = 0; i < r->n && ret == 0; i++) {
		int hashed = told_by(xl, l, child, &r->entries[i]);

		if (hashed < 0 || (how == DHT_CHECK_LEFTOVERS && r->entries[i].stat.nlink < 2))
			continue;
		if (!c)
			c = arena_alloc(call->arena, sizeof(*c));
		if (!c)
			return -ENOMEM;
		if (!n)
			*c = (struct check){ .xl = xl, .call = call, .dir = dir, .reveal = how == DHT_CHECK_REVEAL };
		c->entry[n] = &r->entries[i];
		c->hashed[n++] = hashed;
		if (n == BATCH) {
			ret = run_batch(c, n);
			n = 0;
		}
	}
	if (ret == 0 && n)
		ret = run_batch(c, n);
	for (uint32_t i = 0; i < r->n && c; i++) {
		if (r->entries[i].namelen)
			r->entries[kept++] = r->entries[i];
	}
	if (c)
		r->n = kept;
	return ret;
}

struct reveal { struct xlator *xl; struct call *call; struct inode *dir; struct dht_layout *layout; unsigned base; };

static int coroutine_fn reveal_task(void *ctx, unsigned bit)
{
	struct reveal *v = ctx;
	unsigned child = v->base + bit;
	struct xattr_want want = dht_want(NULL);
	struct readdir_args args = { .inode = v->dir, .size = REVEAL_SIZE, .plus = true, .want = &want };
	struct call own = dht_internal(v->call);
	struct readdir_res res = { 0 };

	own.arena = arena_new(8 << 20);
	if (xl_readdir(v->xl->children[child], &own, &args, &res) == 0)
		dht_check_names(v->xl, &own, v->dir, v->layout, (int)child, DHT_CHECK_REVEAL, &res);
	arena_free(own.arena);
	return 0;
}

void coroutine_fn dht_reveal_names(struct xlator *xl, struct call *call, const uint8_t *gfid)
{
	struct reveal v = { xl, call, inode_get(xl_inodes(xl), gfid), NULL, 0 };

	if (!v.dir || dht_layout_get(xl, call, v.dir, 0, &v.layout) < 0) {
		inode_unref(v.dir);
		return;
	}
	for (; v.base < xl->nchildren; v.base += 64) {
		unsigned n = xl->nchildren - v.base;

		co_fanout(n >= 64 ? ~0ull : (1ull << n) - 1, reveal_task, &v);
	}
	dht_layout_unref(v.layout);
	inode_unref(v.dir);
}
