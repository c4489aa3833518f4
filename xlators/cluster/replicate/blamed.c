/* xlators/cluster/replicate/blamed.c: which objects each child accuses somebody of, as its heal index names them.
 *
 * A row of the pending matrix is heard when its object is looked up. For objects that nobody looked up while the accuser was
 * there, the index is all there is: an object that is not in it is beyond suspicion. Read when a child comes up, kept current with
 * our own marks, bounded: past the bound every object is suspected. */
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

#define MAX_NAMED 16384
#define PAGE_SIZE (128u << 10)

struct named { struct hash_link link; uint8_t gfid[16]; };

static struct named *find(const struct blamed *b, const uint8_t *gfid)
{
	struct hash_link *l;

	for (l = hash_find(&b->hash, hash_bytes(gfid, 16, 0)); l; l = hash_next(l))
		if (gfid_equal(container_of(l, struct named, link)->gfid, gfid))
			return container_of(l, struct named, link);
	return NULL;
}

static void add(struct blamed *b, const uint8_t *gfid)
{
	struct named *n;

	if (!b->exact || find(b, gfid))
		return;
	n = b->hash.count < MAX_NAMED ? malloc(sizeof(*n)) : NULL;
	if (!n) {
		b->exact = false;
		return;
	}
	memcpy(n->gfid, gfid, 16);
	hash_insert(&b->hash, &n->link, hash_bytes(gfid, 16, 0));
}

static void clear(struct blamed *b)
{
	size_t i;

	for (i = 0; i < b->hash.nbuckets; i++)
		while (b->hash.buckets[i]) {
			struct hash_link *l = b->hash.buckets[i];

			hash_remove(&b->hash, l);
			free(container_of(l, struct named, link));
		}
	hash_fini(&b->hash);
	memset(b, 0, sizeof(*b));
	hash_init(&b->hash);
}

void blamed_none(struct replicate *rp, unsigned child)
{
	clear(&rp->blamed[child]);
	rp->blamed[child].exact = true;
	rp->blames[child] = 0;
}

void blamed_fini(struct replicate *rp)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		clear(&rp->blamed[i]);
}

void blamed_add(struct replicate *rp, unsigned child, const uint8_t *gfid)
{
	add(&rp->blamed[child], gfid);
}

bool blamed_has(const struct replicate *rp, unsigned child, const uint8_t *gfid)
{
	return !gfid || !rp->blamed[child].exact || find(&rp->blamed[child], gfid);
}

static int coroutine_fn index_gfid(struct xlator *child, struct inode *root, uint8_t *ret_gfid)
{
	struct arena *arena = arena_new(1 << 20);
	struct getxattr_args args = { .inode = root, .name = "glusterfs.xattrop_index_gfid" };
	struct getxattr_res *res = arena_alloc(arena, sizeof(*res));
	const struct xattr *x;
	struct call call;
	int ret;

	call_init(&call, arena);
	ret = xl_getxattr(child, &call, &args, res);
	x = ret == 0 ? xattrs_find(&res->xattrs, args.name) : NULL;
	if (x && x->len == 16)
		memcpy(ret_gfid, x->value, 16);
	else if (ret == 0)
		ret = -ENODATA;
	arena_free(arena);
	return ret;
}

/* 1: there is more. */
static int coroutine_fn read_page(struct xlator *child, struct inode *index, uint64_t *offset, struct blamed *b)
{
	struct arena *arena = arena_new(4 << 20);
	struct readdir_args args = { .inode = index, .offset = *offset, .size = PAGE_SIZE };
	struct readdir_res *res = arena_alloc(arena, sizeof(*res));
	uint8_t gfid[16];
	struct call call;
	unsigned i;
	int ret;

	call_init(&call, arena);
	ret = xl_readdir(child, &call, &args, res);
	for (i = 0; ret == 0 && i < res->n; i++)
		if (gfid_parse(res->entries[i].name, gfid))
			add(b, gfid);
	if (ret == 0 && res->n && !res->eof) {
		*offset = res->entries[res->n - 1].off;
		ret = 1;
	}
	arena_free(arena);
	return ret;
}

static int coroutine_fn read_index(struct xlator *xl, unsigned child, struct inode *root, struct blamed *b)
{
	uint8_t gfid[16];
	struct inode *index;
	uint64_t offset = 0;
	int ret = index_gfid(xl->children[child], root, gfid);

	if (ret < 0)
		return ret;
	index = inode_get(xl_inodes(xl), gfid);
	do
		ret = index ? read_page(xl->children[child], index, &offset, b) : -ENOMEM;
	while (ret == 1 && b->exact);
	inode_unref(index);
	return b->exact ? ret : -EOVERFLOW;
}

void coroutine_fn blamed_learn(struct xlator *xl, unsigned child, struct inode *root)
{
	struct replicate *rp = replicate_of(xl);
	struct blamed fresh = { .exact = true }, old;
	uint64_t seq = rp->blame_seq;
	size_t i;
	int ret;

	hash_init(&fresh.hash);
	ret = read_index(xl, child, root, &fresh);
	old = rp->blamed[child];
	if (ret < 0 || (seq != rp->blame_seq && !old.exact))
		fresh.exact = false;
	for (i = 0; seq != rp->blame_seq && i < old.hash.nbuckets; i++) {	/* ours of the meantime are among the old ones */
		struct hash_link *l;

		for (l = old.hash.buckets[i]; l; l = l->next)
			add(&fresh, container_of(l, struct named, link)->gfid);
	}
	rp->blamed[child] = fresh;
	clear(&old);
}
