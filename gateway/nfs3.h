/* gateway/nfs3.h: what the NFS procedures share: from a handle to an allowed call on an inode, and from attributes to
 * RFC 1813's structures.
 *
 * A procedure is: nfs_begin(), one fop, and filling in the result. Results are zeroed before they come here, so what is
 * not filled in says "no attributes". "before" attributes are sent only when the fop itself returned them (then they
 * are atomic with the change). */
#ifndef GATEWAY_NFS3_H
#define GATEWAY_NFS3_H

#include "gateway/filehandle.h"
#include "gateway/gateway.h"
#include "gateway/status.h"
#include "rpcgen/nfs3.h"

#define NFS_NAME_MAX 255
#define NFS_IO_MAX (1u << 20)
#define NFS_DIR_PREFERRED (128u << 10)

/* "before" attributes may be told only when nothing else came between them and the change (RFC 1813, 2.6). A brick does
 * not promise that, so they are told only of a change that ran alone. */
struct nfs_change { struct volume_changes *slot; uint32_t turn; bool alone; };

struct nfs_op {				/* on the procedure's stack */
	struct gateway *gw;
	struct rpc_request *rq;
	struct volume *volume;
	struct volume_graph *vg;	/* of when the call began: another one may have taken over since */
	struct xlator *top;
	struct export *export;
	const struct export_options *options;
	struct inode *inode, *second;	/* of the first and the second handle; held by the call's arena */
	struct call call;
	struct nfs_change change[2];	/* of the first and the second handle's object */
	const bool *sent;		/* in the hold */
	bool gone;			/* an object that attributes were wanted of does not exist any more */
};

enum nfs_need { NFS_READS, NFS_MODIFIES };

/* Handle, volume, export, admission, read-only, identity, inode, readiness. NFS3_OK or why not; then *op may be used for
 * nothing. */
nfsstat3 coroutine_fn nfs_begin(struct nfs_op *op, struct rpc_request *rq, const nfs_fh3 *fh, enum nfs_need need);
/* A second handle, which must be of the same export (else XDEV). */
nfsstat3 coroutine_fn nfs_second(struct nfs_op *op, const nfs_fh3 *fh, struct inode **ret_inode);
/* No other change of the inode has begun since this one did, and none was running then. */
bool nfs_ran_alone(const struct nfs_op *op, const struct inode *inode);
/* The inode of a gfid, held until the call ends. NULL: no memory. */
struct inode *nfs_inode(struct nfs_op *op, const uint8_t *gfid, uint32_t type);

enum nfs_name_use { NAME_LOOKUP, NAME_MAKE, NAME_REMOVE, NAME_RMDIR, NAME_RENAME };
nfsstat3 nfs_name(const filename3 *name, enum nfs_name_use use);

/* Permission that a client without open() cannot be asked for at the right time: the owner may always read, write and
 * resize a regular file, whoever may execute it may read it. 0, -EACCES or why the brick could not say. */
int coroutine_fn nfs_may_write(struct nfs_op *op, struct inode *inode);
int coroutine_fn nfs_may_read(struct nfs_op *op, struct inode *inode, const struct iatt *stat);	/* @stat may be NULL */

uint64_t nfs_fileid(const struct nfs_op *op, uint64_t number);	/* as the export shows it: in 32 bits with ino32, never 0 */
void nfs_attr(const struct nfs_op *op, const struct iatt *stat, fattr3 *ret_attr);
/* Absent attributes: nothing follows. */
void nfs_post(const struct nfs_op *op, const struct iatt *stat, post_op_attr *ret_post);
void nfs_pre(const struct iatt *stat, pre_op_attr *ret_pre);
/* The same, asking the bricks for what the fop did not return. */
void coroutine_fn nfs_post_ask(struct nfs_op *op, struct inode *inode, const struct iatt *stat, post_op_attr *ret_post);
void coroutine_fn nfs_wcc(struct nfs_op *op, struct inode *inode, const struct iatt *pre, const struct iatt *post,
			  wcc_data *ret_wcc);
int coroutine_fn nfs_stat(struct nfs_op *op, struct inode *inode, struct iatt *ret_stat);
void nfs_post_handle(const struct nfs_op *op, const struct iatt *stat, post_op_fh3 *ret_fh);

/* sattr3 to the attributes that SETATTR sets (all but the size). */
void nfs_sattr(const sattr3 *set, struct setattr_args *ret_args);
int coroutine_fn nfs_truncate(struct nfs_op *op, struct inode *inode, uint64_t size, struct truncate_res *res);

/* Whose object is gone is told STALE, not what its last type or its missing names would make of it. To be asked after
 * the reply's attributes were. */
nfsstat3 nfs_settled(const struct nfs_op *op, nfsstat3 status);
/* Counts the reply; every procedure returns through it. */
int nfs_done(struct rpc_request *rq, nfsstat3 status);

#define NFS_PROCS(P) \
	P(GETATTR, getattr) P(SETATTR, setattr) P(LOOKUP, lookup) P(ACCESS, access) P(READLINK, readlink) \
	P(READ, read) P(WRITE, write) P(CREATE, create) P(MKDIR, mkdir) P(SYMLINK, symlink) P(MKNOD, mknod) \
	P(REMOVE, remove) P(RMDIR, rmdir) P(RENAME, rename) P(LINK, link) P(READDIR, readdir) \
	P(READDIRPLUS, readdirplus) P(FSSTAT, fsstat) P(FSINFO, fsinfo) P(PATHCONF, pathconf) P(COMMIT, commit)
#define P(upper, lower) int coroutine_fn nfs3_##lower(struct rpc_request *rq, const void *args, void *res);
NFS_PROCS(P)
#undef P

#endif
