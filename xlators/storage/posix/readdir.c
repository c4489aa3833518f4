/* xlators/storage/posix/readdir.c: directories: opendir, readdir with and without attributes.
 *
 * Positions are the file system's own (d_off), so they survive everything the file system lets them survive, this brick's restart
 * included. Inode numbers are those of the gfids, which is what clients see elsewhere. */
#include "xlators/storage/posix/job.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUDGET_MAX (128u << 10)
#define ENTRY_COST 209			/* what a brick accounts an entry, without its name */
#define READ_SIZE 32768

struct linux_dirent64 { uint64_t d_ino; int64_t d_off; uint16_t d_reclen; uint8_t d_type; char d_name[]; };

static int opendir_job(struct posix *px, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, NULL, &node);

	if (ret < 0)
		return ret;
	ret = node->type == S_IFDIR ? entry_may(px, call, node, 4) : -ENOTDIR;
	if (ret == 0) {
		ret = openat(node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = ret < 0 ? -errno : ret;
	}
	if (ret >= 0)
		node_touch(px, node, call, call->time_flags & TIME_ATIME);
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(opendir, 0)

int coroutine_fn fop_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	struct posix *px = xl->priv;
	int sys = opendir_offload(xl, call, args, res);
	struct node *node;
	int ret;

	if (sys < 0)
		return sys;
	node = node_peek(px, args->inode->gfid, true);
	res->fd = node ? fd_new(args->inode, O_RDONLY | O_DIRECTORY) : NULL;
	if (!res->fd) {
		close(sys);
		node_put(px, node);
		return node ? -ENOMEM : -ESTALE;
	}
	ret = fd_attach(px, node, sys, res->fd);
	if (ret < 0) {
		fd_unref(res->fd);
		res->fd = NULL;
	}
	return ret;
}

struct listing {
	struct posix *px;
	struct call *call;
	const struct readdir_args *args;
	struct readdir_res *res;
	struct node *dir;
	int sys;
	uint32_t budget, room;
};

static void describe_parent(struct listing *l, struct dirent_plus *e)
{
	char name[256];
	uint8_t gfid[16];

	if (gfid_is_root(l->dir->gfid))
		e->ino = UINT64_MAX;		/* outside of the volume */
	else if (handle_read_dir(l->px, l->dir->gfid, gfid, name) == 0)
		e->ino = gfid_ino(gfid);
}

/* gfid, and attributes when wanted. What cannot be read leaves the entry without: the client looks the name up then. */
static void describe(struct listing *l, struct dirent_plus *e)
{
	struct node *node = NULL;
	struct statx st;
	int ret;

	if (strcmp(e->name, "..") == 0) {
		describe_parent(l, e);
		return;
	}
	if (strcmp(e->name, ".") == 0) {
		node = node_ref(l->px, l->dir);
		ret = object_statx_timeless(node->fd, &st);
	} else {
		ret = entry_find(l->px, l->dir, e->name, NULL, &st, &node);
	}
	if (ret == 0) {
		e->ino = gfid_ino(node->gfid);
		e->type = (st.stx_mode & S_IFMT) >> 12;
	}
	if (ret == 0 && l->args->plus) {
		if (node_iatt_st(l->px, node, &st, &e->stat) < 0)
			memset(&e->stat, 0, sizeof(e->stat));
		pthread_mutex_lock(&node->lock);
		if (attrs_wanted(l->px, l->call, node, l->args->want, false, &e->xattrs) < 0)
			e->xattrs.n = 0;
		pthread_mutex_unlock(&node->lock);
	}
	node_put(l->px, node);
}

/* 1: added, 0: left out, -ENOSPC: the budget is used up */
static int add_entry(struct listing *l, const struct linux_dirent64 *d)
{
	size_t len = strlen(d->d_name);
	struct dirent_plus *e = &l->res->entries[l->res->n];

	if (gfid_is_root(l->dir->gfid) && strcmp(d->d_name, HANDLE_DIR) == 0)
		return 0;
	if (ENTRY_COST + len > l->budget || l->res->n == l->room)
		return -ENOSPC;
	e->name = arena_strndup(l->call->arena, d->d_name, len);
	if (!e->name)
		return l->res->n ? -ENOSPC : -ENOMEM;
	e->namelen = len;
	e->ino = d->d_ino;
	e->off = d->d_off;
	e->type = d->d_type;
	describe(l, e);
	l->budget -= ENTRY_COST + len;
	l->res->n++;
	return 1;
}

static int fill(struct listing *l, char *buf)
{
	for (;;) {
		long n = syscall(SYS_getdents64, l->sys, buf, READ_SIZE), at = 0;
		int ret;

		if (n < 0)
			return -errno;
		if (n == 0) {
			l->res->eof = true;
			return 0;
		}
		while (at < n) {
			const struct linux_dirent64 *d = (void *)(buf + at);

			ret = add_entry(l, d);
			if (ret == -ENOSPC)
				return l->res->n ? 0 : -EINVAL;
			if (ret < 0)
				return ret;
			at += d->d_reclen;
		}
	}
}

static int list_from(struct listing *l)
{
	char *buf = malloc(READ_SIZE);
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = lseek(l->sys, l->args->offset, SEEK_SET) < 0 ? -errno : fill(l, buf);
	free(buf);
	return ret;
}

static int readdir_job(struct posix *px, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct posix_fd *pfd = args->fd ? args->fd->handle : NULL;
	struct listing l = { .px = px, .call = call, .args = args, .res = res };
	int ret = node_of(px, args->inode, args->fd, &l.dir);

	if (ret < 0)
		return ret;
	res->n = 0;
	res->eof = false;
	l.budget = args->size < BUDGET_MAX ? args->size : BUDGET_MAX;
	l.room = l.budget / ENTRY_COST + 1;
	res->entries = arena_alloc(call->arena, l.room * sizeof(*res->entries));
	ret = !res->entries ? -ENOMEM : l.dir->type != S_IFDIR ? -ENOTDIR : 0;
	if (ret == 0 && pfd) {
		pthread_mutex_lock(&pfd->lock);
		l.sys = pfd->sys;
		ret = list_from(&l);
		pthread_mutex_unlock(&pfd->lock);
	} else if (ret == 0) {
		ret = entry_may(px, call, l.dir, 4);
		l.sys = ret == 0 ? openat(l.dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		if (ret == 0)
			ret = l.sys < 0 ? -errno : list_from(&l);
		if (l.sys >= 0)
			close(l.sys);
	}
	node_put(px, l.dir);
	return ret;
}
POSIX_FOP(readdir, RESULTS)
