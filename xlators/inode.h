/* xlators/inode.h: what a graph knows about an object while somebody uses it, and for a bounded time after.
 *
 * One table a graph, one loop, no locks. Found by gfid, counted by references; an inode without references waits in
 * an LRU whose length is
 * bounded (then it is forgotten: each translator's forget() frees what it hung there). Translators keep state of an
 * inode in their
 * slot; state that must survive belongs on the bricks, not here. */
#ifndef XLATORS_INODE_H
#define XLATORS_INODE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/hash.h"
#include "runtime/list.h"

struct xlator;
struct inode_table;

struct inode {
	uint8_t gfid[16];
	uint32_t refs;
	uint32_t type;			/* S_IFMT bits once known, else 0 */
	/* where it was seen last, child index + 1 of cluster/distribute; file handles carry it over restarts. 0:
	 * unknown. Never trusted */
	uint16_t hint;
	struct inode_table *table;
	struct hash_link link;
	struct list lru;
	void *ctx[];			/* one slot for each translator that asked (xlator_class.uses_inode_ctx) */
};

struct inode_table *inode_table_new(struct xlator *const *xlators, unsigned n, unsigned nslots, unsigned max_idle);
void inode_table_free(struct inode_table *t);		/* every reference must be gone */
/* found or made; a reference for the caller. NULL: no memory */
struct inode *inode_get(struct inode_table *t, const uint8_t *gfid);
struct inode *inode_find(struct inode_table *t, const uint8_t *gfid);	/* NULL when unknown; a reference otherwise */
struct inode *inode_ref(struct inode *inode);
void inode_unref(struct inode *inode);			/* accepts NULL */
/* the translator's slot; NULL content at first */
void **inode_ctx(const struct xlator *xl, struct inode *inode);
unsigned inode_table_count(const struct inode_table *t);
void inode_table_set_max_idle(struct inode_table *t, unsigned max_idle);

/* An open file or directory of a brick's client. Graphs of gateways have none: NFSv3 knows no open. */
struct fd {
	struct inode *inode;
	int flags;			/* Linux open flags */
	uint32_t refs;
	void *handle;			/* the storage translator's */
	/* frees @handle; does not park (hands blocking work to a coroutine of its own) */
	void (*close)(struct fd *fd);
};
struct fd *fd_new(struct inode *inode, int flags);
struct fd *fd_ref(struct fd *fd);
void fd_unref(struct fd *fd);		/* the last one closes; accepts NULL */

#endif
