/* gateway/trust.h: what stock bricks leave to their client's kernel.
 *
 * A brick of GlusterFS's own trusts that a VFS has looked at a call before it comes: some rules it does not know, some it breaks on. Our bricks
 * ask their kernel themselves. All of these do nothing where there is no stock brick. They see what was true before the call, as a VFS does. */
#ifndef GATEWAY_TRUST_H
#define GATEWAY_TRUST_H

#include "gateway/nfs3.h"

/* Times of the client's choice are the owner's to set: -EPERM for others. */
int coroutine_fn trust_times(struct nfs_op *op, const struct setattr_args *args);
/* Content that somebody else than root changed: set-id bits go. @post: after the change; replaced when it was not the last one. */
int coroutine_fn trust_set_id(struct nfs_op *op, struct inode *inode, struct iatt *post);
/* root may execute what somebody may. A stock brick grants root everything, and answers for what is gone; @ret_stat: what it is now. */
int coroutine_fn trust_access(struct nfs_op *op, uint32_t *granted, struct iatt *ret_stat);
/* Which bits a new object should have and has not: making it as its owner cost it the set-id bits. */
bool trust_mode(const struct nfs_op *op, uint32_t type, uint32_t wanted, uint32_t got);
/* -EINVAL: the directory @name in op->inode is @to, or above it. A stock brick would lose the handles of both. */
int coroutine_fn trust_rename(struct nfs_op *op, const char *name, struct inode *to);

#endif
