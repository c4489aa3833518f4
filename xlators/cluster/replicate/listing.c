/* xlators/cluster/replicate/listing.c: directories are listed from one copy, from the first page to the last.
 *
 * Positions are a brick's own, so each says whose it is: a listing that was begun on one copy goes on there, or waits for it,
 * while new ones begin where they can. Where a position has no room for that (the hashes of ext4 have none) the directory's last
 * beginning decides. */
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

#define HIDDEN_PREFIX ".glusterfs-anonymous-inode-"

/* Four bits of child above eight that tell such a position from a hash, above 34 of offset: all below 2^46, as cluster/distribute wants it. */
#define OFFSET_BITS 34
#define SIGN_BITS 8
#define SIGN 0xa5ull
#define CHILD_SHIFT (OFFSET_BITS + SIGN_BITS)

static uint64_t position_make(unsigned child, uint64_t off)
{
	return off >> OFFSET_BITS ? off : (uint64_t)(child + 1) << CHILD_SHIFT | SIGN << OFFSET_BITS | off;
}

/* -1: it does not say. */
static int position_read(const struct replicate *rp, uint64_t position, uint64_t *ret_off)
{
	uint64_t child = position >> CHILD_SHIFT;

	*ret_off = position;
	if ((position >> OFFSET_BITS & ((1u << SIGN_BITS) - 1)) != SIGN || child < 1 || child > rp->n)
		return -1;
	*ret_off = position & ((1ull << OFFSET_BITS) - 1);
	return (int)child - 1;
}

/* Nobody has anything against the object on @child, as far as we can know; @gfid NULL: against any object. */
static bool beyond_doubt(const struct replicate *rp, unsigned child, const uint8_t *gfid)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (i != child && (!rp->probed[i] || ((rp->blames[i] & bit(child)) && blamed_has(rp, i, gfid))))
			return false;
	return true;
}

/* A listing's child may be whole as a directory and stale for a file in it: attributes we cannot vouch for are left out. */
static void vouch_for_entries(struct xlator *xl, struct readdir_res *res, unsigned child)
{
	struct replicate *rp = replicate_of(xl);
	unsigned i;

	if (beyond_doubt(rp, child, NULL))
		return;
	replicate_probe_again(xl);
	for (i = 0; i < res->n; i++) {
		struct dirent_plus *e = &res->entries[i];
		struct inode *inode;
		struct copies *c;

		if (!iatt_present(&e->stat) || beyond_doubt(rp, child, e->stat.gfid))
			continue;
		inode = inode_find(xl_inodes(xl), e->stat.gfid);
		c = inode ? *inode_ctx(xl, inode) : NULL;
		if (!c || !copies_fresh(rp, c) || !(c->readable[READ_ATTR] & bit(child)))
			memset(&e->stat, 0, sizeof(e->stat));
		inode_unref(inode);
	}
}

static void finish_page(struct xlator *xl, const struct inode *dir, struct readdir_res *res, unsigned child)
{
	bool root = gfid_is_root(dir->gfid);
	unsigned i, n = 0;

	for (i = 0; i < res->n; i++) {
		if (root && strncmp(res->entries[i].name, HIDDEN_PREFIX, sizeof(HIDDEN_PREFIX) - 1) == 0)
			continue;
		res->entries[n] = res->entries[i];
		res->entries[n].off = position_make(child, res->entries[n].off);
		n++;
	}
	res->n = n;
	vouch_for_entries(xl, res, child);
}

/* @others could list it, too. */
static int coroutine_fn page_from(struct xlator *xl, struct call *call, const struct readdir_args *args, unsigned child, child_set others,
				  struct readdir_res *res)
{
	struct readdir_args asking = *args;
	int ret;

	do {		/* a page of nothing but what is hidden would look like the end */
		ret = copies_ask_one(xl, call, child, others, &(struct xl_asked){ .op = FOP_readdir, .args = &asking }, res);
		if (ret < 0 || !res->n)
			return ret;
		asking.offset = res->entries[res->n - 1].off;
		finish_page(xl, args->inode, res, child);
	} while (!res->n && !res->eof);
	return 0;
}

static int coroutine_fn begin_listing(struct xlator *xl, struct call *call, const struct readdir_args *args, struct copies *c,
				      struct readdir_res *res)
{
	struct replicate *rp = replicate_of(xl);
	child_set from = c->readable[READ_ENTRIES], late = 0;
	int ret = from ? -ENOTCONN : copies_excuse(rp, c, READ_ENTRIES);

	while (from) {
		unsigned child = copies_choose(rp, args->inode->gfid, from);
		uint64_t now = loop_now_ns(xl_loop(xl));

		from &= ~bit(child);
		ret = page_from(xl, call, args, child, from, res);
		if (ret == 0)
			c->listing = (int8_t)child;
		if (!errno_is_loss(ret))
			copies_found_late(xl, late, now);
		if (read_is_final(ret) || co_interrupted())
			return ret;
		if (ret == -ETIMEDOUT)
			late |= bit(child);
		memset(res, 0, sizeof(*res));
	}
	return ret;
}

int coroutine_fn replicate_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct replicate *rp = replicate_of(xl);
	struct readdir_args asking = *args;
	struct copies *c;
	int child, ret;

	if (!quorum_reads_allowed(rp))
		return -ENOTCONN;
	ret = copies_refresh(xl, args->inode, false, &c);
	if (ret < 0)
		return ret;
	if (!args->offset)
		return begin_listing(xl, call, args, c, res);
	child = position_read(rp, args->offset, &asking.offset);
	if (child < 0)
		child = c->listing >= 0 ? c->listing : (int)copies_choose(rp, args->inode->gfid, rp->all & ~rp->arbiter);
	if (!(c->readable[READ_ENTRIES] & bit((unsigned)child)))
		return c->readable[READ_ENTRIES] ? -ENOTCONN : copies_excuse(rp, c, READ_ENTRIES);
	return page_from(xl, call, &asking, (unsigned)child, 0, res);
}
