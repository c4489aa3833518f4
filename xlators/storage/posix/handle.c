/* xlators/storage/posix/handle.c: .glusterfs/aa/bb/<uuid>, the place where any object is found by its gfid.
 *
 * A file, link or device has a hard link there, a directory a symbolic link "../../pp/qq/<parent>/<name>". Following those by hand, upwards
 * to a directory we know and down again, checks each step, never meets the kernel's limit on links, and never follows a user's. */
#include "xlators/storage/posix/posix.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TARGET_MAX (sizeof("../../aa/bb/") + 36 + 1 + 256)

char *handle_name(const uint8_t *gfid, char buf[HANDLE_MAX])
{
	static const char hex[] = "0123456789abcdef";

	buf[0] = hex[gfid[0] >> 4];
	buf[1] = hex[gfid[0] & 15];
	buf[2] = '/';
	buf[3] = hex[gfid[1] >> 4];
	buf[4] = hex[gfid[1] & 15];
	buf[5] = '/';
	gfid_text(gfid, buf + 6);
	return buf;
}

/* The second level exists on demand only. */
static int make_second_level(struct posix *px, const char *name)
{
	char dir[] = { name[0], name[1], '/', name[3], name[4], 0 };

	if (mkdirat(px->handles_fd, dir, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)		/* the first level is made at the start, and once more if somebody took it away */
		return -errno;
	dir[2] = 0;
	if (mkdirat(px->handles_fd, dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir[2] = '/';
	return mkdirat(px->handles_fd, dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int handle_stat(struct posix *px, const uint8_t *gfid, struct statx *ret_st)
{
	char name[HANDLE_MAX];

	return name_statx(px->handles_fd, handle_name(gfid, name), ret_st);
}

/* Linked already to the same object is success: a lookup may have repaired what a create was about to finish. */
static int linked_already(struct posix *px, int dirfd, const char *name, const uint8_t *gfid)
{
	struct statx old, new;
	int ret = handle_stat(px, gfid, &old);

	if (ret == 0)
		ret = name_statx(dirfd, name, &new);
	if (ret < 0)
		return ret;
	return old.stx_ino == new.stx_ino ? 0 : -EEXIST;
}

int handle_link(struct posix *px, int dirfd, const char *name, const uint8_t *gfid)
{
	char handle[HANDLE_MAX];
	int ret;

	handle_name(gfid, handle);
	if (linkat(dirfd, name, px->handles_fd, handle, 0) == 0)
		return 0;
	if (errno == ENOENT) {
		ret = make_second_level(px, handle);
		if (ret < 0)
			return ret;
		if (linkat(dirfd, name, px->handles_fd, handle, 0) == 0)
			return 0;
	}
	return errno == EEXIST ? linked_already(px, dirfd, name, gfid) : -errno;
}

/* Made beside and renamed into place, so that at no moment the directory has no handle. */
int handle_make_dir(struct posix *px, const uint8_t *parent, const char *name, const uint8_t *gfid)
{
	char handle[HANDLE_MAX], up[HANDLE_MAX], target[TARGET_MAX + 8], temp[HANDLE_MAX + 16];
	int ret;

	handle_name(gfid, handle);
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(target, sizeof(target), "../../%s/%.255s", handle_name(parent, up), name);
	if (symlinkat(target, px->handles_fd, handle) == 0)
		return 0;
	if (errno == ENOENT) {
		ret = make_second_level(px, handle);
		if (ret < 0)
			return ret;
		if (symlinkat(target, px->handles_fd, handle) == 0)
			return 0;
	}
	if (errno != EEXIST)
		return -errno;
	snprintf(temp, sizeof(temp), "%s.%x", handle, (unsigned)gettid());
	unlinkat(px->handles_fd, temp, 0);		/* of a run that was killed here */
	if (symlinkat(target, px->handles_fd, temp) < 0)
		return -errno;
	if (renameat(px->handles_fd, temp, px->handles_fd, handle) < 0)
		return -errno;
	return 0;
}

static bool parse_target(char *target, uint8_t *ret_parent, char ret_name[256])
{
	size_t len = strlen(target);

	/* "../../pp/qq/<uuid>/<name>" */
	if (len < 12 + 36 + 2 || memcmp(target, "../../", 6) || target[12 + 36] != '/' || len - (12 + 37) > 255)
		return false;
	target[12 + 36] = 0;
	if (!gfid_parse(target + 12, ret_parent))
		return false;
	memcpy(ret_name, target + 12 + 37, len - (12 + 37) + 1);
	return !strchr(ret_name, '/') && strcmp(ret_name, "..") && strcmp(ret_name, ".");
}

int handle_read_dir(struct posix *px, const uint8_t *gfid, uint8_t *ret_parent, char ret_name[256])
{
	char handle[HANDLE_MAX], target[TARGET_MAX + 1];
	ssize_t n = readlinkat(px->handles_fd, handle_name(gfid, handle), target, TARGET_MAX);

	if (n < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	target[n] = 0;
	return parse_target(target, ret_parent, ret_name) ? 0 : -ESTALE;
}

int handle_remove(struct posix *px, const uint8_t *gfid)
{
	char handle[HANDLE_MAX];

	return unlinkat(px->handles_fd, handle_name(gfid, handle), 0) < 0 ? -errno : 0;
}

int handle_park(struct posix *px, const uint8_t *gfid)
{
	char handle[HANDLE_MAX], parked[HANDLE_MAX + 8];

	handle_name(gfid, handle);
	snprintf(parked, sizeof(parked), "unlink/%s", handle + 6);
	return renameat(px->handles_fd, handle, px->handles_fd, parked) < 0 ? -errno : 0;
}

int handle_unpark(struct posix *px, const uint8_t *gfid)
{
	char text[GFID_TEXT_SIZE], parked[HANDLE_MAX];

	snprintf(parked, sizeof(parked), "unlink/%s", gfid_text(gfid, text));
	return unlinkat(px->handles_fd, parked, 0) < 0 ? -errno : 0;
}

/* Files open read-write, so that one descriptor serves all; where the file system forbids that, reading must do. */
int object_open(int dirfd, const char *name, uint32_t type)
{
	int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, fd;

	if (type == S_IFDIR)
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOATIME | flags);
	else if (type != S_IFREG)
		fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	else
		fd = openat(dirfd, name, O_RDWR | O_NOATIME | flags);
	if (fd < 0 && type == S_IFREG && (errno == EROFS || errno == ETXTBSY || errno == EPERM))
		fd = openat(dirfd, name, O_RDONLY | O_NOATIME | flags);
	return fd < 0 ? -errno : fd;
}

struct step { struct step *down; uint8_t gfid[16]; char name[256]; };

static int step_down(struct posix *px, struct node *dir, const struct step *step, struct statx *ret_st, int *ret_fd)
{
	uint8_t found[16];
	int ret, fd = object_open(dir->fd, step->name, S_IFDIR);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? -ESTALE : fd;
	ret = object_statx_timeless(fd, ret_st);
	if (ret == 0 && (fgetxattr(fd, XATTR_GFID, found, 16) != 16 || !gfid_equal(found, step->gfid)))
		ret = -ESTALE;		/* another directory has the name now */
	if (ret < 0) {
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

static void steps_free(struct step *step)
{
	while (step) {
		struct step *down = step->down;

		free(step);
		step = down;
	}
}

/* Reads handles upwards until a directory is met that is open already. */
static int climb(struct posix *px, const uint8_t *gfid, struct step **ret_steps, struct node **ret_top)
{
	struct step *first = NULL;
	uint8_t at[16], parent[16];
	unsigned depth;

	memcpy(at, gfid, 16);
	for (depth = 0; depth < DEPTH_MAX; depth++) {
		struct step *step = malloc(sizeof(*step));
		int ret = step ? handle_read_dir(px, at, parent, step->name) : -ENOMEM;

		if (ret < 0) {
			free(step);
			steps_free(first);
			return ret;
		}
		memcpy(step->gfid, at, 16);
		step->down = first;
		first = step;
		*ret_top = gfid_is_root(parent) ? node_ref(px, px->root) : node_peek(px, parent, true);
		if (*ret_top) {
			*ret_steps = first;
			return 0;
		}
		memcpy(at, parent, 16);
	}
	steps_free(first);
	return -ELOOP;
}

static int open_directory(struct posix *px, const uint8_t *gfid, struct statx *ret_st, int *ret_fd)
{
	struct step *steps, *step;
	struct node *dir, *next;
	int ret = climb(px, gfid, &steps, &dir);

	if (ret < 0)
		return ret;
	for (step = steps; ret == 0; step = step->down) {
		ret = step_down(px, dir, step, ret_st, ret_fd);
		if (ret < 0 || !step->down)
			break;
		ret = node_make(px, step->gfid, ret_st, *ret_fd, &next);
		if (ret == 0) {
			node_put(px, dir);
			dir = next;
		}
	}
	node_put(px, dir);
	steps_free(steps);
	return ret;
}

int handle_open(struct posix *px, const uint8_t *gfid, struct statx *ret_st, int *ret_fd)
{
	char handle[HANDLE_MAX], proc[32];
	uint8_t found[16];
	int fd, ret;

	ret = handle_stat(px, gfid, ret_st);
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	fd = object_open(px->handles_fd, handle_name(gfid, handle), ret_st->stx_mode & S_IFMT);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP ? -ESTALE : fd;
	/* A link of a user's carries the gfid itself; the handle of a directory has no attribute at all. */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (S_ISLNK(ret_st->stx_mode) && getxattr(proc, XATTR_GFID, found, 16) < 0) {
		ret = errno;
		close(fd);
		return ret == ENODATA ? open_directory(px, gfid, ret_st, ret_fd) : -ret;
	}
	ret = object_statx_timeless(fd, ret_st);
	if (ret == 0 && ret_st->stx_nlink < 2) {
		/* Its last name went and we were killed before the handle followed. */
		handle_remove(px, gfid);
		ret = -ESTALE;
	}
	if (ret < 0)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}

int handle_path(struct posix *px, const uint8_t *gfid, char **ret_path)
{
	size_t room = 4096, at = room;
	char *path, name[256];
	uint8_t self[16], parent[16];
	unsigned depth;
	int ret = 0;

	path = malloc(room);
	if (!path)
		return -ENOMEM;
	path[--at] = 0;
	memcpy(self, gfid, 16);
	for (depth = 0; !gfid_is_root(self) && ret == 0; depth++) {
		size_t len;

		ret = depth < DEPTH_MAX ? handle_read_dir(px, self, parent, name) : -ELOOP;
		if (ret < 0)
			break;
		len = strlen(name);
		if (len + 1 > at) {
			ret = -ENAMETOOLONG;
			break;
		}
		at -= len;
		memcpy(path + at, name, len);
		path[--at] = '/';
		memcpy(self, parent, 16);
	}
	if (ret < 0) {
		free(path);
		return ret;
	}
	memmove(path, path + at, room - at);
	*ret_path = path;
	return 0;
}
