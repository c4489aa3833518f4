/* gateway/subtree.h: does an object lie below its export's root now? A file handle says what it is, not where: objects are moved, and
 * the root's name may have gone to another directory. */
#ifndef GATEWAY_SUBTREE_H
#define GATEWAY_SUBTREE_H

#include "gateway/nfs3.h"

/* Walks up from directory @dir until the export's root is met. 0; -ESTALE: it is not met; or why the bricks could not say. *ret_at_root:
 * @dir is that root. @search: the caller must be allowed to pass each directory on the way, else -EACCES. */
int coroutine_fn subtree_has_dir(struct nfs_op *op, struct inode *dir, bool search, bool *ret_at_root);
/* The option subtree_check: the object has a name below the export's root that the caller can reach. 0, -ESTALE, -EACCES or why the
 * bricks could not say. */
int coroutine_fn subtree_check(struct nfs_op *op, struct inode *inode);

#endif
