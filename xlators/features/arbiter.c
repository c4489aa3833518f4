/* xlators/features/arbiter.c: features/arbiter: the brick of an arbiter, which keeps names, attributes and marks but no data.
 *
 * The one idea: clients send an arbiter every change, data included, because what they count are answers. Here a change of data is answered
 * with the object's attributes and does not reach the disk: files stay empty. Clients that know about arbiters never read from one; to
 * others a read is an error, not an empty file. */
#include <errno.h>
#include <sys/stat.h>

#include "xlators/xlator.h"

/* The object must be there, or the answer would be a lie. */
static int coroutine_fn attributes(struct xlator *xl, struct call *call, struct inode *inode, struct fd *fd, struct iatt *pre,
				   struct iatt *post)
{
	struct stat_args args = { .inode = inode, .fd = fd };
	struct stat_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret;

	if (!res)
		return -ENOMEM;
	ret = xl_stat(xl->children[0], call, &args, res);
	if (ret == 0)
		*pre = *post = res->stat;
	return ret;
}

/* A change of content by a user takes the set-id bits away, here as on the copies that make it. */
static int coroutine_fn drop_set_ids(struct xlator *xl, struct call *call, struct inode *inode, struct iatt *post)
{
	struct setattr_args args = { .inode = inode, .valid = SET_MODE, .stat = *post };
	struct setattr_res *res;
	struct call as_root = *call;
	uint32_t drop = S_ISUID | (post->mode & S_IXGRP ? S_ISGID : 0);
	int ret;

	if (!call->uid || !S_ISREG(post->mode) || !(post->mode & drop))
		return 0;
	res = arena_alloc(call->arena, sizeof(*res));
	if (!res)
		return -ENOMEM;
	as_root.uid = as_root.gid = as_root.ngroups = 0;
	args.stat.mode &= ~drop;
	ret = xl_setattr(xl->children[0], &as_root, &args, res);
	if (ret == 0)
		*post = res->post;
	return ret;
}

static int coroutine_fn swallow(struct xlator *xl, struct call *call, struct inode *inode, struct fd *fd, struct iatt *pre,
				struct iatt *post)
{
	int ret = attributes(xl, call, inode, fd, pre, post);

	return ret ? ret : drop_set_ids(xl, call, inode, post);
}

#define SWALLOWED(op) \
	static int coroutine_fn arbiter_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		return swallow(xl, call, args->inode, args->fd, &res->pre, &res->post); \
	}
SWALLOWED(truncate)
SWALLOWED(fallocate)
SWALLOWED(discard)
SWALLOWED(zerofill)

static int coroutine_fn arbiter_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	int ret = swallow(xl, call, args->inode, args->fd, &res->pre, &res->post);

	res->written = ret == 0 ? args->data.len : 0;
	res->is_append = true;		/* nothing is overwritten that a crash could undo */
	return ret;
}

static int coroutine_fn arbiter_readv(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	return -ENOSYS;
}

static int coroutine_fn arbiter_seek(struct xlator *xl, struct call *call, const struct seek_args *args, struct seek_res *res)
{
	return -ENOSYS;
}

const struct xlator_class features_arbiter_class = {
	.name = "features/arbiter",
	.summary = "a brick that keeps names and marks, but no data",
	.min_children = 1,
	.max_children = 1,
	.fops = {
		.truncate = arbiter_truncate, .writev = arbiter_writev, .fallocate = arbiter_fallocate, .discard = arbiter_discard,
		.zerofill = arbiter_zerofill, .readv = arbiter_readv, .seek = arbiter_seek,
	},
};
