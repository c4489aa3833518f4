/* gateway/nfs3_data.c: READ, WRITE, COMMIT and READLINK.
 *
 * Durability: a stable WRITE reaches the bricks as O_DSYNC or O_SYNC, COMMIT as fsync, and its error is the client's to
 * know. An export with "async" promises less, as with knfsd: stable writes are answered like unstable ones, and COMMIT
 * without waiting for a disk. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/nfs3.h"
#include "gateway/trust.h"

static int coroutine_fn read_file(struct nfs_op *op, const READ3args *a, struct readv_res *res)
{
	struct readv_args args = { .inode = op->inode,
				   .offset = a->offset,
				   .size = a->count < NFS_IO_MAX ? a->count : NFS_IO_MAX };
	int ret;

	if (!S_ISREG(op->inode->type))
		return -EINVAL;
	if (a->offset <= INT64_MAX && args.offset + args.size > INT64_MAX)
		args.size = (uint32_t)(INT64_MAX - args.offset);
	if (a->offset > INT64_MAX || !args.size) {	/* nothing is there, or wanted; a stock brick refuses to read nothing */
		res->eof = a->offset >= INT64_MAX;
		ret = nfs_stat(op, op->inode, &res->stat);
	} else {
		ret = xl_readv(op->top, &op->call, &args, res);
	}
	/* The data came with the owner, so that the owner's and root's reads cost one brick call; nobody else sees it
	 * unasked. */
	return ret < 0 ? ret : nfs_may_read(op, op->inode, &res->stat);
}

int coroutine_fn nfs3_read(struct rpc_request *rq, const void *args, void *res)
{
	struct readv_res *got = arena_alloc(rq->arena, sizeof(*got));
	const READ3args *a = args;
	READ3res *r = res;
	READ3resok *ok = &r->READ3res_u.resok;
	struct nfs_op op;

	r->status = got ? nfs_begin(&op, rq, &a->file, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = status_of_object(read_file(&op, a, got));
	if (r->status != NFS3_OK) {
		nfs_post_ask(&op, op.inode, &got->stat, &r->READ3res_u.resfail.file_attributes);
		r->status = nfs_settled(&op, r->status);
		return nfs_done(rq, r->status);
	}
	nfs_post_ask(&op, op.inode, &got->stat, &ok->file_attributes);
	ok->data = got->data;
	ok->count = got->data.len;
	ok->eof = got->eof || (iatt_present(&got->stat) && a->offset + ok->count >= got->stat.size);
	return nfs_done(rq, r->status);
}

static uint32_t stable_flags(const struct nfs_op *op, stable_how stable)
{
	if (!op->options->sync || stable == UNSTABLE)
		return 0;
	return stable == DATA_SYNC ? O_DSYNC : O_SYNC;
}

static int coroutine_fn write_file(struct nfs_op *op, const WRITE3args *a, struct writev_res *res)
{
	struct writev_args args = {
		.inode = op->inode, .offset = a->offset, .data = a->data, .flags = stable_flags(op, a->stable)
	};
	int ret;

	if (!S_ISREG(op->inode->type) || a->count > a->data.len || a->stable > FILE_SYNC)
		return -EINVAL;
	if (a->offset > INT64_MAX || a->count > INT64_MAX - a->offset)
		return -EFBIG;
	ret = nfs_may_write(op, op->inode);
	if (ret < 0 || !a->count)
		return ret;
	args.data.len = a->count;
	ret = xl_writev(op->top, &op->call, &args, res);
	return ret < 0 ? ret : trust_set_id(op, op->inode, &res->post);
}

int coroutine_fn nfs3_write(struct rpc_request *rq, const void *args, void *res)
{
	struct writev_res *wrote = arena_alloc(rq->arena, sizeof(*wrote));
	const WRITE3args *a = args;
	WRITE3res *r = res;
	WRITE3resok *ok = &r->WRITE3res_u.resok;
	writeverf3 verifier;
	struct nfs_op op;

	r->status = wrote ? nfs_begin(&op, rq, &a->file, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	/* Taken before the write: if a brick restarts meanwhile, the client must find another one at its COMMIT. */
	memcpy(verifier, op.volume->verifier, sizeof(verifier));
	r->status = status_of_object(write_file(&op, a, wrote));
	nfs_wcc(&op, op.inode, r->status == NFS3_OK ? &wrote->pre : NULL, &wrote->post, &ok->file_wcc);
	if (r->status == NFS3_OK) {
		ok->count = a->count ? wrote->written : 0;
		ok->committed = a->stable;
		memcpy(ok->verf, verifier, sizeof(verifier));
	}
	return nfs_done(rq, r->status);
}

static int coroutine_fn commit_file(struct nfs_op *op, struct fsync_res *res)
{
	struct fsync_args args = { .inode = op->inode };

	if (!S_ISREG(op->inode->type))
		return -EINVAL;
	return op->options->sync ? xl_fsync(op->top, &op->call, &args, res) : 0;
}

int coroutine_fn nfs3_commit(struct rpc_request *rq, const void *args, void *res)
{
	struct fsync_res *synced = arena_alloc(rq->arena, sizeof(*synced));
	const COMMIT3args *a = args;
	COMMIT3res *r = res;
	struct nfs_op op;

	r->status = synced ? nfs_begin(&op, rq, &a->file, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = status_of_object(commit_file(&op, synced));
	nfs_wcc(&op, op.inode, r->status == NFS3_OK ? &synced->pre : NULL, &synced->post,
		&r->COMMIT3res_u.resok.file_wcc);
	if (r->status == NFS3_OK)	/* taken after the fsync: what a restart lost during it is sent again */
		memcpy(r->COMMIT3res_u.resok.verf, op.volume->verifier, NFS3_WRITEVERFSIZE);
	return nfs_done(rq, r->status);
}

int coroutine_fn nfs3_readlink(struct rpc_request *rq, const void *args, void *res)
{
	struct readlink_res *got = arena_alloc(rq->arena, sizeof(*got));
	const READLINK3args *a = args;
	READLINK3res *r = res;
	struct readlink_args largs = { .size = 4096 };
	struct nfs_op op;
	int ret;

	r->status = got ? nfs_begin(&op, rq, &a->symlink, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	largs.inode = op.inode;
	ret = S_ISLNK(op.inode->type) ? xl_readlink(op.top, &op.call, &largs, got) : -EINVAL;
	r->status = status_of_object(ret);
	nfs_post_ask(&op, op.inode, &got->stat, &r->READLINK3res_u.resok.symlink_attributes);
	r->status = nfs_settled(&op, r->status);
	if (r->status == NFS3_OK) {
		r->READLINK3res_u.resok.data.text = (char *)got->target;
		r->READLINK3res_u.resok.data.len = (uint32_t)strlen(got->target);
	}
	return nfs_done(rq, r->status);
}
