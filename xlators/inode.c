/* xlators/inode.c: see inode.h. The table is a hash over gfids; idle inodes wait in one LRU, oldest first. */
#include "xlators/inode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/xlator.h"

struct inode_table {
	struct hash_table hash;
	struct list idle;
	unsigned nidle, max_idle;
	unsigned nslots, nxlators;
	struct xlator *const *xlators;
};

struct inode_table *inode_table_new(struct xlator *const *xlators, unsigned n, unsigned nslots, unsigned max_idle)
{
	struct inode_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	hash_init(&t->hash);
	list_init(&t->idle);
	t->xlators = xlators;
	t->nxlators = n;
	t->nslots = nslots;
	t->max_idle = max_idle;
	return t;
}

static uint64_t gfid_hash(const uint8_t *gfid)
{
	return hash_bytes(gfid, 16, 0);
}

/* Taken out of the table first: what forget() does may look inodes up again. */
static void inode_forget(struct inode *inode)
{
	struct inode_table *t = inode->table;
	unsigned i;

	hash_remove(&t->hash, &inode->link);
	for (i = t->nxlators; i-- > 0;) {
		struct xlator *xl = t->xlators[i];

		if (!xl->class->uses_inode_ctx || !inode->ctx[xl->slot])
			continue;
		assert(xl->class->forget);
		xl->class->forget(xl, inode, inode->ctx[xl->slot]);
	}
	free(inode);
}

static void inode_shrink(struct inode_table *t, unsigned keep)
{
	while (t->nidle > keep) {
		struct list *oldest = list_pop(&t->idle);

		t->nidle--;
		inode_forget(list_entry(oldest, struct inode, lru));
	}
}

void inode_table_free(struct inode_table *t)
{
	if (!t)
		return;
	inode_shrink(t, 0);
	assert(t->hash.count == 0);
	hash_fini(&t->hash);
	free(t);
}

static struct inode *inode_search(struct inode_table *t, const uint8_t *gfid, uint64_t hash)
{
	struct hash_link *link = hash_find(&t->hash, hash);

	while (link) {
		struct inode *inode = container_of(link, struct inode, link);

		if (gfid_equal(inode->gfid, gfid))
			return inode;
		link = hash_next(link);
	}
	return NULL;
}

struct inode *inode_find(struct inode_table *t, const uint8_t *gfid)
{
	struct inode *inode = inode_search(t, gfid, gfid_hash(gfid));

	return inode ? inode_ref(inode) : NULL;
}

struct inode *inode_get(struct inode_table *t, const uint8_t *gfid)
{
	uint64_t hash = gfid_hash(gfid);
	struct inode *inode = inode_search(t, gfid, hash);

	if (inode)
		return inode_ref(inode);
	inode = calloc(1, sizeof(*inode) + t->nslots * sizeof(void *));
	if (!inode)
		return NULL;
	memcpy(inode->gfid, gfid, 16);
	inode->refs = 1;
	inode->table = t;
	list_init(&inode->lru);
	hash_insert(&t->hash, &inode->link, hash);
	return inode;
}

struct inode *inode_ref(struct inode *inode)
{
	if (inode->refs++ == 0) {
		list_remove(&inode->lru);
		inode->table->nidle--;
	}
	return inode;
}

void inode_unref(struct inode *inode)
{
	struct inode_table *t;

	if (!inode)
		return;
	assert(inode->refs > 0);
	if (--inode->refs > 0)
		return;
	t = inode->table;
	list_append(&t->idle, &inode->lru);
	t->nidle++;
	inode_shrink(t, t->max_idle);
}

void **inode_ctx(const struct xlator *xl, struct inode *inode)
{
	assert(xl->class->uses_inode_ctx);
	return &inode->ctx[xl->slot];
}

unsigned inode_table_count(const struct inode_table *t)
{
	return (unsigned)t->hash.count;
}

void inode_table_set_max_idle(struct inode_table *t, unsigned max_idle)
{
	t->max_idle = max_idle;
	inode_shrink(t, max_idle);
}

struct fd *fd_new(struct inode *inode, int flags)
{
	struct fd *fd = calloc(1, sizeof(*fd));

	if (!fd)
		return NULL;
	fd->inode = inode_ref(inode);
	fd->flags = flags;
	fd->refs = 1;
	return fd;
}

struct fd *fd_ref(struct fd *fd)
{
	fd->refs++;
	return fd;
}

void fd_unref(struct fd *fd)
{
	if (!fd || --fd->refs > 0)
		return;
	if (fd->close)
		fd->close(fd);
	inode_unref(fd->inode);
	free(fd);
}
