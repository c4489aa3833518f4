/* gateway/trust.c: the rules of a VFS, for bricks that expect one in front of them. */
#include "gateway/trust.h"

#include <string.h>
#include <sys/stat.h>

#include "xlators/graph.h"

#define SET_ID (S_ISUID | S_ISGID)
#define DEPTH_MAX 1024

static bool trusting(const struct nfs_op *op)
{
	return op->top->graph->stock_bricks > 0;
}

int coroutine_fn trust_times(struct nfs_op *op, const struct setattr_args *args)
{
	bool chosen = ((args->valid & SET_ATIME) && !(args->valid & SET_ATIME_NOW)) ||
		      ((args->valid & SET_MTIME) && !(args->valid & SET_MTIME_NOW));
	struct iatt stat;
	int ret;

	if (!chosen || op->call.uid == 0 || !trusting(op))
		return 0;
	ret = nfs_stat(op, args->inode, &stat);
	return ret < 0 ? ret : stat.uid == op->call.uid ? 0 : -EPERM;
}

/* Without execute permission for the group S_ISGID once meant mandatory locking, and stays. */
static uint32_t without_set_id(uint32_t mode)
{
	return mode & ~(uint32_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0)) & 07777;
}

int coroutine_fn trust_set_id(struct nfs_op *op, struct inode *inode, struct iatt *post)
{
	struct setattr_args args = { .inode = inode, .valid = SET_MODE };
	struct setattr_res *res;
	struct call root = op->call;
	int ret;

	if (op->call.uid == 0 || !(post->mode & SET_ID) || !trusting(op))
		return 0;
	args.stat.mode = without_set_id(post->mode);
	if (args.stat.mode == (post->mode & 07777))
		return 0;
	res = arena_alloc(op->rq->arena, sizeof(*res));
	if (!res)
		return -ENOMEM;
	root.uid = root.gid = root.ngroups = 0;
	ret = xl_setattr(op->top, &root, &args, res);
	if (ret == 0)
		*post = res->post;
	return ret;
}

int coroutine_fn trust_access(struct nfs_op *op, uint32_t *granted, struct iatt *ret_stat)
{
	int ret;

	if (!trusting(op))
		return 0;
	ret = nfs_stat(op, op->inode, ret_stat);
	if (ret == 0 && S_ISREG(ret_stat->mode) && !(ret_stat->mode & 0111))
		*granted &= ~(uint32_t)1;
	return ret;
}

bool trust_mode(const struct nfs_op *op, uint32_t type, uint32_t wanted, uint32_t got)
{
	return !S_ISDIR(type) && !S_ISLNK(type) && (wanted & ~got & SET_ID) && trusting(op);
}

int coroutine_fn trust_rename(struct nfs_op *op, const char *name, struct inode *to)
{
	struct lookup_args what = { .parent = op->inode, .name = name }, up = { .parent = to, .name = ".." };
	struct lookup_res *found, *above;
	struct call root = op->call;	/* what is above may be closed to the caller */
	unsigned depth;
	int ret;

	if (to == op->inode || !trusting(op))
		return 0;
	root.uid = root.gid = root.ngroups = 0;
	found = arena_alloc(op->rq->arena, sizeof(*found));
	above = arena_alloc(op->rq->arena, sizeof(*above));
	ret = found && above ? xl_lookup(op->top, &op->call, &what, found) : -ENOMEM;
	if (ret < 0 || !S_ISDIR(found->stat.mode))
		return ret == -ENOMEM ? ret : 0;	/* RENAME will say what is wrong */
	for (depth = 0; depth < DEPTH_MAX && !gfid_is_root(up.parent->gfid); depth++) {
		if (gfid_equal(up.parent->gfid, found->stat.gfid))
			return -EINVAL;
		memset(above, 0, sizeof(*above));
		ret = xl_lookup(op->top, &root, &up, above);
		if (ret < 0)
			return ret;
		up.parent = nfs_inode(op, above->stat.gfid, S_IFDIR);
		if (!up.parent)
			return -ENOMEM;
	}
	return 0;
}
