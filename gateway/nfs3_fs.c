/* gateway/nfs3_fs.c: FSSTAT, FSINFO and PATHCONF: what the volume is, without flattery. */
#include <errno.h>

#include "gateway/nfs3.h"

#define LINK_MAX_PORTABLE 64999		/* ext4 allows 65000 and the brick needs one for its handle; XFS allows more */

int coroutine_fn nfs3_fsstat(struct rpc_request *rq, const void *args, void *res)
{
	struct statfs_res *fs = arena_alloc(rq->arena, sizeof(*fs));
	const FSSTAT3args *a = args;
	FSSTAT3res *r = res;
	FSSTAT3resok *ok = &r->FSSTAT3res_u.resok;
	struct statfs_args sargs;
	struct nfs_op op;
	uint64_t unit;

	r->status = fs ? nfs_begin(&op, rq, &a->fsroot, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	sargs = (struct statfs_args){ .inode = op.inode };
	r->status = status_of_object(xl_statfs(op.top, &op.call, &sargs, fs));
	nfs_post_ask(&op, op.inode, NULL, &ok->obj_attributes);
	if (op.gone)		/* the file system is there still: the handle's object is not */
		r->status = NFS3ERR_STALE;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	unit = fs->frsize ? fs->frsize : fs->bsize;
	ok->tbytes = fs->blocks * unit;
	ok->fbytes = fs->bfree * unit;
	ok->abytes = fs->bavail * unit;
	ok->tfiles = fs->files;
	ok->ffiles = fs->ffree;
	ok->afiles = fs->favail;
	return nfs_done(rq, r->status);
}

int coroutine_fn nfs3_fsinfo(struct rpc_request *rq, const void *args, void *res)
{
	const FSINFO3args *a = args;
	FSINFO3res *r = res;
	FSINFO3resok *ok = &r->FSINFO3res_u.resok;
	struct nfs_op op;
	struct iatt stat;
	int ret;

	r->status = nfs_begin(&op, rq, &a->fsroot, NFS_READS);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	ret = nfs_stat(&op, op.inode, &stat);
	r->status = status_of_object(ret);
	if (ret < 0)
		return nfs_done(rq, r->status);
	nfs_post(&op, &stat, &ok->obj_attributes);
	ok->rtmax = ok->rtpref = ok->wtmax = ok->wtpref = NFS_IO_MAX;
	ok->rtmult = ok->wtmult = 4096;
	ok->dtpref = NFS_DIR_PREFERRED;
	ok->maxfilesize = INT64_MAX;
	ok->time_delta = (nfstime3){ 0, 1 };
	ok->properties = FSF3_LINK | FSF3_SYMLINK | FSF3_HOMOGENEOUS | FSF3_CANSETTIME;
	return nfs_done(rq, r->status);
}

int coroutine_fn nfs3_pathconf(struct rpc_request *rq, const void *args, void *res)
{
	const PATHCONF3args *a = args;
	PATHCONF3res *r = res;
	PATHCONF3resok *ok = &r->PATHCONF3res_u.resok;
	struct nfs_op op;
	struct iatt stat;
	int ret;

	r->status = nfs_begin(&op, rq, &a->object, NFS_READS);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	ret = nfs_stat(&op, op.inode, &stat);
	r->status = status_of_object(ret);
	if (ret < 0)
		return nfs_done(rq, r->status);
	nfs_post(&op, &stat, &ok->obj_attributes);
	ok->linkmax = LINK_MAX_PORTABLE;
	ok->name_max = NFS_NAME_MAX;
	ok->no_trunc = TRUE;
	ok->chown_restricted = TRUE;
	ok->case_insensitive = FALSE;
	ok->case_preserving = TRUE;
	return nfs_done(rq, r->status);
}
