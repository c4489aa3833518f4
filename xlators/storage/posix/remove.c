/* xlators/storage/posix/remove.c: names that go: unlink, rmdir, rename; what becomes of the objects; the landfill's janitor.
 *
 * The name goes first, as the caller; the handle follows as root. A handle without a name, left by a crash in between, is
 * removed when somebody asks for it. An object that is still open keeps its handle in unlink/ until the last close. */
#include "xlators/storage/posix/job.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/log.h"

void object_unnamed(struct posix *px, struct call *call, struct node *node, uint32_t links, const uint8_t *parent, const char *name)
{
	bool open;

	if (node->type == S_IFDIR) {
		node_forget(px, node);
		handle_remove(px, node->gfid);
		return;
	}
	if (links > 2) {
		path_attr_remove(px, node, parent, name);
		node_touch(px, node, call, call->time_flags & TIME_CTIME);
		return;
	}
	pthread_mutex_lock(&node->lock);
	node_forget(px, node);
	pthread_mutex_lock(&px->nodes.lock);
	open = node->opens > 0;
	node->parked = open;
	pthread_mutex_unlock(&px->nodes.lock);
	if (open)
		handle_park(px, node->gfid);
	else
		handle_remove(px, node->gfid);
	pthread_mutex_unlock(&node->lock);
}

static bool is_linkto(const struct node *node, const struct statx *st)
{
	char value[8];
	ssize_t n;

	if (!S_ISREG(st->stx_mode) || (st->stx_mode & 07777) != 01000)
		return false;
	n = nx_get(node, XATTR_LINKTO, value, sizeof(value));
	return n >= 0 || n == -ERANGE;
}

struct removing {
	struct posix *px;
	struct call *call;
	struct node *parent, *node;
	const char *name;
	struct statx st;
	bool locked;
};

static int remove_begin(struct removing *r, struct inode *parent, struct iatt *preparent)
{
	int ret = node_of(r->px, parent, NULL, &r->parent);

	if (ret < 0)
		return ret;
	if (r->parent->type != S_IFDIR)
		return -ENOTDIR;
	ret = name_check(r->parent, r->name);
	if (ret == 0)
		ret = node_iatt(r->px, r->parent, preparent);
	if (ret < 0)
		return ret;
	name_lock(r->px, r->parent->gfid, r->name);
	r->locked = true;
	ret = entry_open(r->px, r->parent, r->name, &r->st, &r->node);
	if (ret == -EACCES || ret == -ENODATA)		/* not ours yet: a name like any other */
		ret = 0;
	return ret;
}

static int remove_end(struct removing *r, int ret, struct iatt *postparent)
{
	if (r->locked)
		name_unlock(r->px, r->parent->gfid, r->name);
	if (ret == 0) {
		node_touch_parent(r->px, r->parent, r->call);
		ret = node_iatt(r->px, r->parent, postparent);
	}
	node_put(r->px, r->node);
	node_put(r->px, r->parent);
	return ret;
}

static int unlink_as_caller(struct removing *r, int flags)
{
	int ret;

	creds_user(r->call);
	ret = unlinkat(r->parent->fd, r->name, flags) < 0 ? -errno : 0;
	creds_root();
	return ret;
}

static int unlink_object(struct removing *r, const struct unlink_args *args, struct unlink_res *res)
{
	struct node *node = r->node;
	uint32_t links;
	int ret;

	if (!node)
		return args->only_if_linkto ? -EBUSY : unlink_as_caller(r, 0);
	if (node->type == S_IFDIR)
		return -EISDIR;
	if (args->only_if_linkto && !is_linkto(node, &r->st))
		return -EBUSY;
	if (args->not_if_open && node->opens)
		return -EBUSY;
	pthread_rwlock_wrlock(&node->layout);
	ret = object_statx_timeless(node->fd, &r->st);
	links = r->st.stx_nlink;
	if (ret == 0)
		ret = unlink_as_caller(r, 0);
	if (ret == 0) {
		res->nlink_before = links ? links - 1 : 0;
		memcpy(res->removed, node->gfid, sizeof(res->removed));
		object_unnamed(r->px, r->call, node, links, r->parent->gfid, r->name);
	}
	pthread_rwlock_unlock(&node->layout);
	return ret;
}

static int unlink_job(struct posix *px, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	struct removing r = { .px = px, .call = call, .name = args->name };
	int ret = remove_begin(&r, args->parent, &res->preparent);

	if (ret == 0)
		ret = unlink_object(&r, args, res);
	return remove_end(&r, ret, &res->postparent);
}
POSIX_FOP(unlink, STABLE)

/* A whole tree out of the way at once; the janitor deletes it later. */
static int to_landfill(struct removing *r)
{
	char to[HANDLE_MAX], text[GFID_TEXT_SIZE];
	int ret = entry_may(r->px, r->call, r->parent, 2 | 1);

	if (ret < 0)
		return ret;
	snprintf(to, sizeof(to), "landfill/%s", gfid_text(r->node->gfid, text));
	if (renameat(r->parent->fd, r->name, r->px->handles_fd, to) < 0)
		return -errno;
	return 0;
}

static int rmdir_job(struct posix *px, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	struct removing r = { .px = px, .call = call, .name = args->name };
	int ret = remove_begin(&r, args->parent, &res->preparent);

	if (ret == 0 && r.node && r.node->type != S_IFDIR)
		ret = -ENOTDIR;
	if (ret == 0) {
		ret = args->recursive && r.node ? to_landfill(&r) : unlink_as_caller(&r, AT_REMOVEDIR);
		if (ret == -EEXIST)
			ret = -ENOTEMPTY;
	}
	if (ret == 0 && r.node)
		object_unnamed(px, call, r.node, 0, r.parent->gfid, r.name);
	return remove_end(&r, ret, &res->postparent);
}
POSIX_OFFLOADED(rmdir, STABLE)

int coroutine_fn fop_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	int ret = rmdir_offload(xl, call, args, res);

	if (ret == 0 && args->recursive)
		janitor_kick(xl->priv);
	return ret;
}

/* --- the janitor: what lies in landfill/ goes, with the handles of everything inside ------------------------- */

static void bury_handle(struct posix *px, int fd, const char *name, const struct statx *st)
{
	struct node object = { .type = st->stx_mode & S_IFMT }, *known;
	uint8_t gfid[16];

	if (!S_ISDIR(st->stx_mode) && st->stx_nlink > 2)
		return;			/* has other names */
	object.fd = object_open(fd, name, object.type);
	if (object.fd < 0)
		return;
	if (nx_get(&object, XATTR_GFID, gfid, 16) == 16) {
		known = node_peek(px, gfid, false);
		if (known)
			node_forget(px, known);
		if (known && known->opens && !S_ISDIR(st->stx_mode)) {
			known->parked = true;
			handle_park(px, gfid);
		} else {
			handle_remove(px, gfid);
		}
		node_put(px, known);
	}
	close(object.fd);
}

/* Deletes the entries of one directory; those that are directories with something inside are moved up to the landfill first, so that
 * depth costs no stack. Returns how many it met. */
static unsigned sweep(struct posix *px, DIR *dir, int landfill)
{
	struct dirent *e;
	unsigned met = 0;

	while ((e = readdir(dir)) && !px->stopping) {
		char to[32];
		struct statx st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || name_statx(dirfd(dir), e->d_name, &st) < 0)
			continue;
		met++;
		bury_handle(px, dirfd(dir), e->d_name, &st);
		if (unlinkat(dirfd(dir), e->d_name, S_ISDIR(st.stx_mode) ? AT_REMOVEDIR : 0) == 0 || !S_ISDIR(st.stx_mode))
			continue;
		snprintf(to, sizeof(to), "tree-%u-%u", (unsigned)getpid(), px->landfill_turn++);
		renameat(dirfd(dir), e->d_name, landfill, to);
	}
	return met;
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* One pass over the landfill's own entries: each directory is emptied, then removed. */
static int janitor_pass(void *arg)
{
	struct posix *px = arg;
	DIR *fill, *dir;
	struct dirent *e;
	int met = 0;

	creds_begin();
	fill = open_dir(px->handles_fd, "landfill");
	while (fill && (e = readdir(fill)) && !px->stopping) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		dir = open_dir(dirfd(fill), e->d_name);
		if (dir) {
			sweep(px, dir, dirfd(fill));
			closedir(dir);
		}
		met += unlinkat(dirfd(fill), e->d_name, dir ? AT_REMOVEDIR : 0) == 0;
	}
	if (fill)
		closedir(fill);
	creds_end();
	return met;
}

static void coroutine_fn janitor(void *arg)
{
	struct posix *px = arg;

	while (px->janitor_wanted && !px->stopping) {
		px->janitor_wanted = false;
		if (loop_offload(janitor_pass, px) > 0)
			px->janitor_wanted = true;
	}
	px->janitor_running = false;
	co_gate_leave(&px->running);
}

void janitor_kick(struct posix *px)
{
	px->janitor_wanted = true;
	if (px->janitor_running || !co_gate_enter(&px->running))
		return;
	px->janitor_running = true;
	if (co_start(xl_loop(px->xl), janitor, px))
		return;
	px->janitor_running = false;		/* the next kick, or the next start, does it */
	co_gate_leave(&px->running);
}

/* Files that were unlinked while open by a run that is gone. */
int purge_at_start(struct posix *px)
{
	DIR *dir = open_dir(px->handles_fd, "unlink");
	struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	return 0;
}
