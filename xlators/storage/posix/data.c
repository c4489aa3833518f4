/* xlators/storage/posix/data.c: open files; read, write, truncate, flush, fsync.
 *
 * A node's descriptor is read-write and serves every caller, opened by them or not; rights are decided when a client opens, not here. Reads
 * and writes that the page cache can take are done on the loop with RWF_NOWAIT; whatever would wait goes to a helper. */
#include "xlators/storage/posix/job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_MAX (8u << 20)		/* what Samba may ask for at once, through GlusterFS's client library */
#define LEND_MIN (256u << 10)		/* what it saves to copy less must pay for a helper and two more system calls */
#define PAGE 4096u

int node_of(struct posix *px, struct inode *inode, struct fd *fd, struct node **ret_node)
{
	struct posix_fd *pfd = fd ? fd->handle : NULL;

	if (!pfd)
		return node_get(px, fd ? fd->inode->gfid : inode->gfid, ret_node);
	*ret_node = node_ref(px, pfd->node);
	return 0;
}

struct node *node_of_peek(struct posix *px, struct inode *inode, struct fd *fd)
{
	struct posix_fd *pfd = fd ? fd->handle : NULL;

	return pfd ? node_ref(px, pfd->node) : node_peek(px, fd ? fd->inode->gfid : inode->gfid, true);
}

static int unpark(void *arg)
{
	struct posix_fd *pfd = arg;

	creds_begin();
	pthread_mutex_lock(&pfd->node->lock);		/* whoever parks it has finished */
	handle_unpark(pfd->px, pfd->node->gfid);
	pthread_mutex_unlock(&pfd->node->lock);
	node_put(pfd->px, pfd->node);
	creds_end();
	return 0;
}

static void coroutine_fn last_close(void *arg)
{
	struct posix_fd *pfd = arg;

	loop_offload(unpark, pfd);
	co_gate_leave(&pfd->px->running);
	free(pfd);
}

static void posix_fd_close(struct fd *fd)
{
	struct posix_fd *pfd = fd->handle;
	struct posix *px = pfd->px;
	bool last;

	if (pfd->sys >= 0)
		close(pfd->sys);
	pthread_mutex_destroy(&pfd->lock);
	pthread_mutex_lock(&px->nodes.lock);
	last = --pfd->node->opens == 0 && pfd->node->parked;
	pthread_mutex_unlock(&px->nodes.lock);
	if (last && co_gate_enter(&px->running)) {
		if (co_start(xl_loop(px->xl), last_close, pfd))
			return;
		co_gate_leave(&px->running);	/* the next start purges it */
	}
	node_put(px, pfd->node);
	free(pfd);
}

/* Takes the reference of @node and @sys over, on failure too. */
int fd_attach(struct posix *px, struct node *node, int sys, struct fd *fd)
{
	struct posix_fd *pfd = calloc(1, sizeof(*pfd));

	if (!pfd) {
		if (sys >= 0)
			close(sys);
		node_put(px, node);
		return -ENOMEM;
	}
	pfd->px = px;
	pfd->node = node;
	pfd->sys = sys;
	pthread_mutex_init(&pfd->lock, NULL);
	pthread_mutex_lock(&px->nodes.lock);
	node->opens++;
	pthread_mutex_unlock(&px->nodes.lock);
	fd->handle = pfd;
	fd->close = posix_fd_close;
	return 0;
}

static int open_job(struct posix *px, struct call *call, const struct open_args *args, struct open_res *res)
{
	static const uint8_t masks[4] = { 4, 2, 6, 6 };
	unsigned mask = masks[args->flags & O_ACCMODE] | (args->flags & O_TRUNC ? 2 : 0);
	struct node *node;
	int ret = node_of(px, args->inode, NULL, &node);

	if (ret < 0)
		return ret;
	if ((args->flags & 040) && !(mask & 2))
		mask = 1;			/* opened to be executed */
	/* Samba opens directories so, to have something to close; reading them that way fails later, as open(2) has it. */
	if (node->type != S_IFREG && (node->type != S_IFDIR || (mask & 2)))
		ret = node->type == S_IFDIR ? -EISDIR : node->type == S_IFLNK ? -ELOOP : -ENXIO;
	if (ret == 0)
		ret = entry_may(px, call, node, mask);
	if (ret == 0 && (args->flags & O_TRUNC)) {
		creds_user(call);
		ret = ftruncate(node->fd, 0) < 0 ? -errno : 0;
		creds_root();
	}
	if (ret == 0)
		node_touch(px, node, call, call->time_flags & TIME_ATIME);
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(open, STABLE)

int coroutine_fn fop_open(struct xlator *xl, struct call *call, const struct open_args *args, struct open_res *res)
{
	struct posix *px = xl->priv;
	int ret = open_offload(xl, call, args, res);
	struct node *node;

	if (ret < 0)
		return ret;
	node = node_peek(px, args->inode->gfid, true);
	res->fd = node ? fd_new(args->inode, args->flags) : NULL;
	if (!res->fd) {
		node_put(px, node);
		return node ? -ENOMEM : -ESTALE;
	}
	ret = fd_attach(px, node, -1, res->fd);
	if (ret < 0) {
		fd_unref(res->fd);
		res->fd = NULL;
	}
	return ret;
}

/* Pages of the file themselves, which whoever sends them looks at when they leave: a write that comes before that may show in part, as it
 * may in any read that it overlaps. */
static ssize_t lend(struct node *node, struct iobuf *pipe, uint64_t offset, uint32_t size)
{
	loff_t at = (loff_t)offset;
	ssize_t n = 1;

	while (n > 0 && pipe->size < size) {
		n = splice(node->fd, &at, pipe->pipe[1], NULL, size - pipe->size, SPLICE_F_MOVE);
		if (n > 0)
			pipe->size += n;
	}
	return n < 0 ? -errno : (ssize_t)pipe->size;
}

static int read_into(struct posix *px, struct node *node, struct readv_res *res, uint64_t offset, uint32_t size, int flags)
{
	struct iovec v = { payload_data(&res->data), size };
	ssize_t n;

	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (!res->data.buf->data)
		n = lend(node, res->data.buf, offset, size);
	else
		n = !size ? 0 : (n = preadv2(node->fd, &v, 1, offset, flags)) < 0 ? -errno : n;
	if (n < 0)
		return n;
	res->data.len = n;
	return 0;
}

static int readv_job(struct posix *px, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = read_into(px, node, res, args->offset, args->size < READ_MAX ? args->size : READ_MAX, 0);
	if (ret == 0) {
		node_touch(px, node, call, call->time_flags & TIME_ATIME);
		ret = node_iatt(px, node, &res->stat);
	}
	if (ret == 0)
		res->eof = args->offset + res->data.len >= res->stat.size;
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(readv, 0)

/* True when the page cache had it all. */
static bool readv_peek(struct posix *px, struct call *call, const struct readv_args *args, struct readv_res *res, uint32_t size)
{
	struct node *node = call->time_flags & TIME_ATIME ? NULL : node_of_peek(px, args->inode, args->fd);
	bool done;

	if (!node)
		return false;
	done = read_into(px, node, res, args->offset, size, RWF_NOWAIT) == 0 && node_iatt_peek(px, node, &res->stat);
	if (done) {
		res->eof = args->offset + res->data.len >= res->stat.size;
		done = res->eof || res->data.len == size;
	}
	node_put(px, node);
	return done;
}

static void drop_iobuf(void *arg)
{
	iobuf_unref(arg);
}

/* False: no pipe, or a file system that cannot; nothing has been promised. */
static bool coroutine_fn readv_lent(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	struct iobuf *pipe = iobuf_new_pipe();

	if (!pipe || arena_cleanup(call->arena, drop_iobuf, pipe) < 0)
		return false;
	res->data = (struct payload){ pipe, 0, 0 };
	return readv_offload(xl, call, args, res) == 0 && res->data.len;
}

int coroutine_fn fop_readv(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res)
{
	uint32_t size = args->size < READ_MAX ? args->size : READ_MAX;
	struct iobuf *buf;
	int ret = 0;

	if (args->offset > (uint64_t)INT64_MAX - size)
		return -EINVAL;
	if (args->lend && size >= LEND_MIN && size <= IOBUF_PIPE_BYTES && args->offset % PAGE == 0 && readv_lent(xl, call, args, res))
		return 0;
	buf = iobuf_new(size ? size : 1);
	if (!buf || arena_cleanup(call->arena, drop_iobuf, buf) < 0)
		return -ENOMEM;
	res->data = (struct payload){ buf, 0, 0 };
	if (!readv_peek(xl->priv, call, args, res, size)) {
		res->data.len = 0;
		ret = readv_offload(xl, call, args, res);
	}
	if (ret < 0 || !res->data.len)
		res->data = (struct payload){ 0 };
	return ret;
}

/* --- write ----------------------------------------------------------------------------------------------------- */

static int write_flags(const struct writev_args *args)
{
	return args->fd && (args->fd->flags & O_APPEND) ? RWF_APPEND : 0;
}

static int sync_flags(const struct writev_args *args)
{
	return (args->flags | (args->fd ? args->fd->flags : 0)) & (O_SYNC | O_DSYNC);
}

static bool read_only(const struct fd *fd)
{
	return fd && fd->handle && (fd->flags & O_ACCMODE) == O_RDONLY;
}

static int write_all(struct node *node, const struct writev_args *args, uint32_t from, int flags)
{
	uint32_t at = from;

	while (at < args->data.len) {
		struct iovec v = { payload_data(&args->data) + at, args->data.len - at };
		ssize_t n = pwritev2(node->fd, &v, 1, args->offset + at, flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return at > from ? (int)(at - from) : n < 0 ? -errno : -EIO;
		at += n;
	}
	return at - from;
}

static void forget_capability(struct node *node)
{
	pthread_mutex_lock(&node->lock);
	if (node->attrs && xattrs_find(node->attrs, "security.capability"))
		attrs_drop(node);
	pthread_mutex_unlock(&node->lock);
}

/* As the caller only where it matters: set-id bits go unless root writes. */
static int write_as(struct call *call, struct node *node, const struct iatt *pre, const struct writev_args *args, uint32_t from,
		    int flags)
{
	bool set_id = pre->mode & (S_ISUID | S_ISGID);
	int ret;

	if (set_id)
		creds_user(call);
	ret = write_all(node, args, from, flags);
	if (set_id)
		creds_root();
	forget_capability(node);
	return ret;
}

static int writev_job(struct posix *px, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	int sync = sync_flags(args), flags = write_flags(args);
	uint32_t from = res->written;		/* what the fast path had done */
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node), err;

	if (ret < 0)
		return ret;
	if (node->type != S_IFREG)
		ret = node->type == S_IFDIR ? -EISDIR : -EINVAL;
	else if (!from)
		ret = space_refuses(px, call) ? -ENOSPC : node_iatt(px, node, &res->pre);
	if (ret == 0) {
		res->is_append = flags || args->offset == res->pre.size;
		/* O_SYNC wants the times on disk as well, so one fsync does it all afterwards. */
		ret = write_as(call, node, &res->pre, args, from, flags | (sync && sync != O_SYNC ? RWF_DSYNC : 0));
	}
	if (ret >= 0) {
		res->written = from + ret;
		node_touch(px, node, call, call->time_flags & (TIME_CTIME | TIME_MTIME));
		err = sync == O_SYNC ? node_mdata_flush(px, node) : 0;
		if (err == 0 && sync == O_SYNC)
			err = fsync(node->fd) < 0 ? -errno : 0;
		ret = err < 0 ? err : node_iatt(px, node, &res->post);
	}
	res->counts.open_fd = node->opens;
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(writev, 0)

/* node locked. 1: done; 0: not, or not all (res->written says how much). */
static int try_write(struct posix *px, struct call *call, struct node *node, const struct writev_args *args, struct writev_res *res)
{
	struct iovec v = { payload_data(&args->data), args->data.len };
	struct statx st;
	ssize_t n;

	if (node->mdata_state != MDATA_PRESENT || node->type != S_IFREG || object_statx_timeless(node->fd, &st) < 0)
		return 0;
	if ((st.stx_mode & (S_ISUID | S_ISGID)) || (node->attrs && xattrs_find(node->attrs, "security.capability")))
		return 0;
	n = pwritev2(node->fd, &v, 1, args->offset, RWF_NOWAIT);
	if (n < 0) {
		if (errno == EOPNOTSUPP || errno == EINVAL)
			px->nowait_writes = false;
		return 0;
	}
	iatt_fill(px, node, &st, &res->pre);
	res->written = n;
	res->is_append = args->offset == st.stx_size;
	if ((uint32_t)n < args->data.len)
		return 0;
	node_touch_locked(px, node, call, call->time_flags & (TIME_CTIME | TIME_MTIME));
	if (object_statx_timeless(node->fd, &st) < 0)
		return 0;
	iatt_fill(px, node, &st, &res->post);
	return 1;
}

static bool writev_peek(struct posix *px, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	struct node *node;
	bool done = false;

	if (!px->nowait_writes || px->full || !args->data.len || sync_flags(args) ||
	    write_flags(args) || mdata_crowded(px))
		return false;
	node = node_of_peek(px, args->inode, args->fd);
	if (node && !pthread_mutex_trylock(&node->lock)) {
		done = try_write(px, call, node, args, res) == 1;
		pthread_mutex_unlock(&node->lock);
		res->counts.open_fd = node->opens;
	}
	node_put(px, node);
	return done;
}

int coroutine_fn fop_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	struct posix *px = xl->priv;

	if (args->offset > (uint64_t)INT64_MAX - args->data.len)
		return -EFBIG;
	if (read_only(args->fd))
		return -EBADF;
	res->written = 0;
	return writev_peek(px, call, args, res) ? 0 : writev_offload(xl, call, args, res);
}

static int truncate_job(struct posix *px, struct call *call, const struct truncate_args *args, struct truncate_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node->type == S_IFREG ? node_iatt(px, node, &res->pre) : node->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (ret == 0 && read_only(args->fd))
		ret = -EINVAL;			/* what ftruncate(2) says */
	if (ret == 0 && !args->fd && !args->handle)
		ret = entry_may(px, call, node, 2);
	if (ret == 0 && args->offset > (uint64_t)INT64_MAX)
		ret = -EFBIG;
	if (ret == 0) {
		if (res->pre.mode & (S_ISUID | S_ISGID))
			creds_user(call);
		ret = ftruncate(node->fd, args->offset) < 0 ? -errno : 0;
		creds_root();
		forget_capability(node);
	}
	if (ret == 0) {
		node_touch(px, node, call, call->time_flags & (TIME_CTIME | TIME_MTIME));
		ret = node_iatt(px, node, &res->post);
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(truncate, STABLE)

int coroutine_fn fop_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	return 0;			/* locks are features/locks'; data needs nothing at close */
}

static int sync_node(struct posix *px, struct node *node, bool datasync)
{
	int ret = node_mdata_flush(px, node);

	if (node->type != S_IFREG && node->type != S_IFDIR)
		return ret;
	if ((datasync ? fdatasync(node->fd) : fsync(node->fd)) < 0)
		return -errno;
	return ret;
}

static int fsync_job(struct posix *px, struct call *call, const struct fsync_args *args, struct fsync_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node_iatt(px, node, &res->pre);
	if (ret == 0)
		ret = sync_node(px, node, args->datasync);
	if (ret == 0)
		ret = node_iatt(px, node, &res->post);
	node_put(px, node);
	return ret;
}
POSIX_FOP(fsync, 0)

static int fsyncdir_job(struct posix *px, struct call *call, const struct fsyncdir_args *args, struct fsyncdir_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = sync_node(px, node, args->datasync);
	node_put(px, node);
	return ret;
}
POSIX_FOP(fsyncdir, 0)
