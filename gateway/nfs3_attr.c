/* gateway/nfs3_attr.c: attributes: the conversions, and GETATTR, SETATTR, ACCESS. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gateway/nfs3.h"
#include "gateway/trust.h"

#define NO_ID UINT32_MAX	/* chown(2) takes it for "leave it as it is" */

static ftype3 type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return NF3DIR;
	case S_IFBLK:
		return NF3BLK;
	case S_IFCHR:
		return NF3CHR;
	case S_IFLNK:
		return NF3LNK;
	case S_IFSOCK:
		return NF3SOCK;
	case S_IFIFO:
		return NF3FIFO;
	default:
		return NF3REG;
	}
}

static nfstime3 time_of(const struct iatt_time *t)
{
	return (nfstime3){ .seconds = (uint32_t)t->sec, .nseconds = t->nsec };
}

uint64_t nfs_fileid(const struct nfs_op *op, uint64_t number)
{
	uint32_t folded;

	if (!op->options->ino32)
		return number;
	folded = (uint32_t)(number ^ number >> 32);
	return folded ? folded : 1;
}

void nfs_attr(const struct nfs_op *op, const struct iatt *stat, fattr3 *ret_attr)
{
	*ret_attr = (fattr3){
		.type = type_of(stat->mode), .mode = stat->mode & 07777, .nlink = stat->nlink, .uid = stat->uid,
		.gid = stat->gid, .size = stat->size, .used = stat->blocks * 512, .fsid = op->volume->fsid,
		.fileid = nfs_fileid(op, gfid_ino(stat->gfid)), .atime = time_of(&stat->atime), .mtime = time_of(&stat->mtime),
		.ctime = time_of(&stat->ctime),
	};
	if (S_ISBLK(stat->mode) || S_ISCHR(stat->mode)) {
		ret_attr->rdev.specdata1 = major(stat->rdev);
		ret_attr->rdev.specdata2 = minor(stat->rdev);
	}
}

void nfs_post(const struct nfs_op *op, const struct iatt *stat, post_op_attr *ret_post)
{
	ret_post->attributes_follow = iatt_present(stat);
	if (ret_post->attributes_follow)
		nfs_attr(op, stat, &ret_post->post_op_attr_u.attributes);
}

void nfs_pre(const struct iatt *stat, pre_op_attr *ret_pre)
{
	ret_pre->attributes_follow = iatt_present(stat);
	if (ret_pre->attributes_follow)
		ret_pre->pre_op_attr_u.attributes =
			(wcc_attr){ stat->size, time_of(&stat->mtime), time_of(&stat->ctime) };
}

void coroutine_fn nfs_post_ask(struct nfs_op *op, struct inode *inode, const struct iatt *stat, post_op_attr *ret_post)
{
	struct iatt own;
	int ret;

	if (stat && iatt_present(stat)) {
		nfs_post(op, stat, ret_post);
		return;
	}
	ret = nfs_stat(op, inode, &own);
	if (ret == 0)
		nfs_post(op, &own, ret_post);
	op->gone |= ret == -ESTALE || ret == -ENOENT;
}

void coroutine_fn nfs_wcc(struct nfs_op *op, struct inode *inode, const struct iatt *pre, const struct iatt *post,
			  wcc_data *ret_wcc)
{
	if (pre && nfs_ran_alone(op, inode))
		nfs_pre(pre, &ret_wcc->before);
	nfs_post_ask(op, inode, post, &ret_wcc->after);
}

void nfs_post_handle(const struct nfs_op *op, const struct iatt *stat, post_op_fh3 *ret_fh)
{
	ret_fh->handle_follows = gateway_handle(op->vg, op->export, stat, &ret_fh->post_op_fh3_u.handle) == 0;
}

void nfs_sattr(const sattr3 *set, struct setattr_args *ret_args)
{
	struct iatt *st = &ret_args->stat;

	if (set->mode.set_it) {
		ret_args->valid |= SET_MODE;
		st->mode = set->mode.set_mode3_u.mode & 07777;
	}
	if (set->uid.set_it) {
		ret_args->valid |= SET_UID;
		st->uid = set->uid.set_uid3_u.uid;
	}
	if (set->gid.set_it) {
		ret_args->valid |= SET_GID;
		st->gid = set->gid.set_gid3_u.gid;
	}
	if (set->atime.set_it == SET_TO_CLIENT_TIME) {
		ret_args->valid |= SET_ATIME;
		st->atime = (struct iatt_time){ set->atime.set_atime_u.atime.seconds,
						set->atime.set_atime_u.atime.nseconds };
	} else if (set->atime.set_it == SET_TO_SERVER_TIME) {
		ret_args->valid |= SET_ATIME | SET_ATIME_NOW;
	}
	if (set->mtime.set_it == SET_TO_CLIENT_TIME) {
		ret_args->valid |= SET_MTIME;
		st->mtime = (struct iatt_time){ set->mtime.set_mtime_u.mtime.seconds,
						set->mtime.set_mtime_u.mtime.nseconds };
	} else if (set->mtime.set_it == SET_TO_SERVER_TIME) {
		ret_args->valid |= SET_MTIME | SET_MTIME_NOW;
	}
}

int coroutine_fn nfs3_getattr(struct rpc_request *rq, const void *args, void *res)
{
	const GETATTR3args *a = args;
	GETATTR3res *r = res;
	struct nfs_op op;
	struct iatt stat;

	r->status = nfs_begin(&op, rq, &a->object, NFS_READS);
	if (r->status == NFS3_OK)
		r->status = status_of_object(nfs_stat(&op, op.inode, &stat));
	if (r->status == NFS3_OK)
		nfs_attr(&op, &stat, &r->GETATTR3res_u.resok.obj_attributes);
	return nfs_done(rq, r->status);
}

/* NOT_SYNC unless the object's ctime is the guard's; an object that cannot be asked fails closed. */
static nfsstat3 coroutine_fn check_guard(struct nfs_op *op, const sattrguard3 *guard, struct iatt *ret_stat)
{
	const nfstime3 *want = &guard->sattrguard3_u.obj_ctime;
	int ret;

	if (!guard->check)
		return NFS3_OK;
	ret = nfs_stat(op, op->inode, ret_stat);
	if (ret < 0)
		return status_of_object(ret);
	if ((uint32_t)ret_stat->ctime.sec != want->seconds || ret_stat->ctime.nsec != want->nseconds)
		return NFS3ERR_NOT_SYNC;
	return NFS3_OK;
}

int coroutine_fn nfs_truncate(struct nfs_op *op, struct inode *inode, uint64_t size, struct truncate_res *res)
{
	struct truncate_args args = { .inode = inode, .offset = size, .handle = true };
	int ret;

	if (!S_ISREG(inode->type))
		return -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	ret = nfs_may_write(op, inode);
	return ret < 0 ? ret : xl_truncate(op->top, &op->call, &args, res);
}

static bool good_time(const nfstime3 *t)
{
	return t->nseconds < 1000000000;
}

static nfsstat3 check_sattr(const sattr3 *set)
{
	if ((set->atime.set_it == SET_TO_CLIENT_TIME && !good_time(&set->atime.set_atime_u.atime)) ||
	    (set->mtime.set_it == SET_TO_CLIENT_TIME && !good_time(&set->mtime.set_mtime_u.mtime)))
		return NFS3ERR_INVAL;
	if ((set->uid.set_it && set->uid.set_uid3_u.uid == NO_ID) || (set->gid.set_it && set->gid.set_gid3_u.gid == NO_ID))
		return NFS3ERR_INVAL;
	return NFS3_OK;
}

/* The size goes first: if that is refused, nothing was changed. */
static int coroutine_fn apply(struct nfs_op *op, const sattr3 *set, struct iatt *ret_pre, struct iatt *ret_post)
{
	struct setattr_args args = { .inode = op->inode };
	struct setattr_res *sres = arena_alloc(op->rq->arena, sizeof(*sres));
	struct truncate_res *tres = arena_alloc(op->rq->arena, sizeof(*tres));
	int ret = 0;

	if (!sres || !tres)
		return -ENOMEM;
	if (set->size.set_it) {
		ret = nfs_truncate(op, op->inode, set->size.set_size3_u.size, tres);
		*ret_pre = tres->pre;
		*ret_post = tres->post;
	}
	nfs_sattr(set, &args);
	if (ret == 0 && set->size.set_it)
		ret = trust_set_id(op, op->inode, ret_post);
	if (ret == 0 && args.valid)
		ret = trust_times(op, &args);
	if (ret < 0 || !args.valid)
		return ret;
	ret = xl_setattr(op->top, &op->call, &args, sres);
	if (ret < 0)
		return ret;
	if (!set->size.set_it)
		*ret_pre = sres->pre;
	*ret_post = sres->post;
	return 0;
}

int coroutine_fn nfs3_setattr(struct rpc_request *rq, const void *args, void *res)
{
	struct iatt pre = { .mode = 0 }, post = { .mode = 0 }, guarded;
	const SETATTR3args *a = args;
	SETATTR3res *r = res;
	struct nfs_op op;

	r->status = nfs_begin(&op, rq, &a->object, NFS_MODIFIES);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = check_sattr(&a->new_attributes);
	if (r->status == NFS3_OK)
		r->status = check_guard(&op, &a->guard, &guarded);
	if (r->status == NFS3_OK)
		r->status = status_of_object(apply(&op, &a->new_attributes, &pre, &post));
	if (r->status != NFS3_OK)
		post.mode = 0;		/* part of it may have happened: ask */
	nfs_wcc(&op, op.inode, r->status == NFS3_OK ? &pre : NULL, &post, &r->SETATTR3res_u.resok.obj_wcc);
	return nfs_done(rq, r->status);
}

/* Which of the brick's three permissions each NFS bit stands for; bits that mean nothing for the type are never
 * granted. */
static uint32_t needs(uint32_t type, uint32_t bit)
{
	bool dir = type == S_IFDIR;

	switch (bit) {
	case ACCESS3_READ:
		return 4;
	case ACCESS3_LOOKUP:
		return dir ? 1 : 0;
	case ACCESS3_MODIFY:
	case ACCESS3_EXTEND:
		return dir ? 2 | 1 : 2;
	case ACCESS3_DELETE:
		return dir ? 2 | 1 : 0;
	case ACCESS3_EXECUTE:
		return type == S_IFREG ? 1 : 0;
	default:
		return 0;
	}
}

static uint32_t rwx_mask(uint32_t type, uint32_t bits)
{
	uint32_t bit, mask = 0;

	for (bit = ACCESS3_READ; bit <= ACCESS3_EXECUTE; bit <<= 1)
		if (bits & bit)
			mask |= needs(type, bit);
	return mask;
}

static uint32_t nfs_bits(uint32_t type, uint32_t asked, uint32_t granted)
{
	uint32_t bit, bits = 0, want;

	for (bit = ACCESS3_READ; bit <= ACCESS3_EXECUTE; bit <<= 1) {
		want = needs(type, bit);
		if ((asked & bit) && want && (granted & want) == want)
			bits |= bit;
	}
	return bits;
}

int coroutine_fn nfs3_access(struct rpc_request *rq, const void *args, void *res)
{
	const ACCESS3args *a = args;
	struct access_args aargs;
	struct access_res ares = { 0 };
	ACCESS3res *r = res;
	struct nfs_op op;
	uint32_t asked = a->access;
	int ret = 0;

	r->status = nfs_begin(&op, rq, &a->object, NFS_READS);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	if (!op.options->rw)
		asked &= ~(uint32_t)(ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_DELETE);
	aargs = (struct access_args){ op.inode, rwx_mask(op.inode->type, asked), true };
	if (aargs.mask)
		ret = xl_access(op.top, &op.call, &aargs, &ares);
	if (ret == -EACCES)
		ret = 0;
	if (ret == 0 && aargs.mask)
		ret = trust_access(&op, &ares.granted, &ares.stat);
	if (ret == 0 && !aargs.mask)
		ret = nfs_stat(&op, op.inode, &ares.stat);
	r->status = status_of_object(ret);
	nfs_post_ask(&op, op.inode, &ares.stat, &r->ACCESS3res_u.resok.obj_attributes);
	if (r->status == NFS3_OK)
		r->ACCESS3res_u.resok.access = nfs_bits(op.inode->type, asked, ares.granted);
	return nfs_done(rq, r->status);
}
