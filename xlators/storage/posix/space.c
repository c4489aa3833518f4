/* xlators/storage/posix/space.c: the reserve that users cannot fill; where a file has blocks and what they sum up to: fallocate, discard,
 * zerofill, seek, rchecksum. */
#include "xlators/storage/posix/job.h"

#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "xlators/storage/posix/digest.h"

#define CHECKSUM_MAX (16u << 20)

bool space_measure(struct posix *px)
{
	struct statvfs vfs;

	if (!px->reserve)
		px->full = false;
	else if (fstatvfs(px->root_fd, &vfs) == 0)
		px->full = vfs.f_bavail < vfs.f_blocks / 100 * px->reserve;
	return px->full;
}

/* A measurement of a second ago is no reason to refuse: somebody may have made room since. */
bool space_refuses(struct posix *px, const struct call *call)
{
	return call->pid >= 0 && px->full && space_measure(px);
}

static int change_space(struct posix *px, struct call *call, struct inode *inode, struct fd *fd, int mode, uint64_t offset,
			uint64_t len, struct iatt *pre, struct iatt *post)
{
	struct node *node;
	int ret = node_of(px, inode, fd, &node);

	if (ret < 0)
		return ret;
	ret = node->type == S_IFREG ? node_iatt(px, node, pre) : node->type == S_IFDIR ? -EISDIR : -ENODEV;
	if (ret == 0 && !fd)
		ret = entry_may(px, call, node, 2);
	if (ret == 0 && !(mode & FALLOC_FL_PUNCH_HOLE) && space_refuses(px, call))
		ret = -ENOSPC;
	if (ret == 0) {
		if (pre->mode & (S_ISUID | S_ISGID))
			creds_user(call);
		ret = fallocate(node->fd, mode, offset, len) < 0 ? -errno : 0;
		creds_root();
	}
	if (ret == 0) {
		node_touch(px, node, call, call->time_flags);
		ret = node_iatt(px, node, post);
	}
	node_put(px, node);
	return ret;
}

static int fallocate_job(struct posix *px, struct call *call, const struct fallocate_args *args, struct fallocate_res *res)
{
	return change_space(px, call, args->inode, args->fd, args->keep_size ? FALLOC_FL_KEEP_SIZE : 0, args->offset, args->len,
			    &res->pre, &res->post);
}
POSIX_FOP(fallocate, STABLE)

static int discard_job(struct posix *px, struct call *call, const struct discard_args *args, struct discard_res *res)
{
	return change_space(px, call, args->inode, args->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, args->offset, args->len,
			    &res->pre, &res->post);
}
POSIX_FOP(discard, STABLE)

static int zerofill_job(struct posix *px, struct call *call, const struct zerofill_args *args, struct zerofill_res *res)
{
	return change_space(px, call, args->inode, args->fd, FALLOC_FL_ZERO_RANGE, args->offset, args->len, &res->pre, &res->post);
}
POSIX_FOP(zerofill, STABLE)

static int seek_job(struct posix *px, struct call *call, const struct seek_args *args, struct seek_res *res)
{
	struct node *node;
	off_t at;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	if (node->type != S_IFREG) {
		ret = -EINVAL;
	} else {
		/* The position of the shared descriptor means nothing to anybody. */
		at = lseek(node->fd, args->offset, args->hole ? SEEK_HOLE : SEEK_DATA);
		if (at < 0)
			ret = -errno;
		else
			res->offset = at;
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(seek, 0)

static bool all_zero(const uint8_t *data, size_t len)
{
	return !len || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

static int rchecksum_job(struct posix *px, struct call *call, const struct rchecksum_args *args, struct rchecksum_res *res)
{
	struct node *node;
	uint8_t *buf;
	ssize_t n;
	int ret;

	if (args->len > CHECKSUM_MAX)
		return -EINVAL;
	ret = node_of(px, args->inode, args->fd, &node);
	if (ret < 0)
		return ret;
	buf = malloc(args->len ? args->len : 1);
	n = buf ? pread(node->fd, buf, args->len, args->offset) : -1;
	ret = !buf ? -ENOMEM : n < 0 ? -errno : 0;
	if (ret == 0) {
		res->weak = digest_weak(buf, n);
		res->zeroes = all_zero(buf, n);
		memset(res->strong, 0, sizeof(res->strong));
		if (px->fips)
			digest_sha256(buf, n, res->strong);
		else
			digest_md5(buf, n, res->strong);
	}
	free(buf);
	node_put(px, node);
	return ret;
}
POSIX_FOP(rchecksum, 0)
