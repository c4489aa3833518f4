/* mgmt/brick_dir.c: looks at a directory before it becomes a brick, as GlusterFS does: a file system of its own, not in use, not on the root. */
#include "mgmt/brick_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "mgmt/text.h"
#include "xlators/gfid.h"

#define VOLUME_ID "trusted.glusterfs.volume-id"
#define GFID      "trusted.gfid"

static char *parent_of(const char *path)
{
	char *copy = need(strdup(path)), *parent = need(strdup(dirname(copy)));

	free(copy);
	return parent;
}

static bool is_known(const struct brick_dir *d, const uint8_t *id)
{
	unsigned i;

	for (i = 0; i < d->nknown; i++)
		if (gfid_equal(d->known[i], id))
			return true;
	return false;
}

/* The directory itself carries a volume's id. */
static int check_own_mark(struct brick_dir *d, struct error *err)
{
	char text[GFID_TEXT_SIZE];
	uint8_t id[16];

	if (lgetxattr(d->path, VOLUME_ID, id, sizeof(id)) != sizeof(id) || gfid_equal(id, d->id))
		return 0;
	if (is_known(d, id))
		return error_set(err, -EBUSY, "%s is already in use as a brick of the volume with the id %s: name another directory",
				 d->path, gfid_text(id, text));
	if (!d->force)
		return error_set(err, -EBUSY,
				 "%s was a brick of a volume that is not known here (id %s) and may hold its data: name another "
				 "directory, or "
				 "append \"force\" to take it over with all that is in it",
				 d->path, gfid_text(id, text));
	return 0;
}

/* A brick in a brick would show the inner one's files to the outer one's clients. */
static int check_above(struct brick_dir *d, struct error *err)
{
	char *above = parent_of(d->path), *next;
	uint8_t id[16];
	int ret = 0;

	while (ret == 0 && strcmp(above, "/") != 0 && strcmp(above, ".") != 0) {
		if (lgetxattr(above, VOLUME_ID, id, sizeof(id)) > 0 || lgetxattr(above, GFID, id, sizeof(id)) > 0)
			ret = error_set(err, -EBUSY, "%s lies inside a brick: %s is one, or belongs to one; name a directory outside",
					d->path, above);
		next = parent_of(above);
		free(above);
		above = next;
	}
	free(above);
	return ret;
}

static int check_disk(struct brick_dir *d, const struct stat *own, const char *parent, struct error *err)
{
	struct stat root, up;

	if (d->force)
		return 0;
	if (stat("/", &root) == 0 && own->st_dev == root.st_dev)
		return error_set(err, -EINVAL,
				 "%s is on the root file system, which a full brick would fill: mount a file system for bricks, or "
				 "append "
				 "\"force\"",
				 d->path);
	if (stat(parent, &up) == 0 && up.st_dev != own->st_dev)
		return error_set(err, -EINVAL,
				 "%s is a mount point: were its file system not mounted one day, the empty directory below would be "
				 "served; "
				 "name a directory inside it (%s/brick), or append \"force\"",
				 d->path, d->path);
	return 0;
}

/* What a service manager keeps from us looks like this, and root is not used to it. */
static const char *hidden(const char *path, int error)
{
	bool home = strncmp(path, "/home/", 6) == 0 || strncmp(path, "/root/", 6) == 0;

	if (error != EROFS && error != EACCES && (error != ENOENT || !home))
		return "";
	return "; as a service it does not see /home and /root, nor write to /usr, /boot and /etc: see gatehouse-manager(8)";
}

static int make(struct brick_dir *d, const char *parent, struct stat *ret_stat, struct error *err)
{
	if (lstat(d->path, ret_stat) < 0) {
		if (errno != ENOENT)
			return error_set(err, -errno, "%s cannot be looked at: %s%s", d->path, strerror(errno), hidden(d->path, errno));
		if (mkdir(d->path, 0755) < 0)
			return error_set(err, -errno, "%s cannot be made: %s%s%s%s", d->path, strerror(errno),
					 errno == ENOENT ? "; make its parent first: " : "", errno == ENOENT ? parent : "",
					 hidden(d->path, errno));
		d->made = true;
		if (lstat(d->path, ret_stat) < 0)
			return -errno;
	}
	if (!S_ISDIR(ret_stat->st_mode))
		return error_set(err, -ENOTDIR, "%s is no directory", d->path);
	return 0;
}

static int mark_open(struct brick_dir *d, int fd, struct error *err)
{
	uint8_t old[16];
	int ret;

	if (fgetxattr(fd, VOLUME_ID, old, sizeof(old)) == sizeof(old) && gfid_equal(old, d->id))
		return 0;
	if (fsetxattr(fd, VOLUME_ID, d->id, 16, 0) == 0) {
		d->marked = true;
		return fsync(fd) == 0 ? 0 : error_set(err, -errno, "%s: its mark cannot be stored: %s", d->path, strerror(errno));
	}
	ret = -errno;
	if (ret == -EROFS || ret == -EACCES)
		return error_set(err, ret, "%s cannot become a brick: %s%s", d->path, strerror(-ret), hidden(d->path, -ret));
	return error_set(err, ret,
			 "%s: the file system has no trusted extended attributes, which a brick keeps its marks in (%s): use XFS, ext4 or btrfs",
			 d->path, strerror(-ret));
}

/* Marks the directory, and tells which one that is. */
static int mark(struct brick_dir *d, struct error *err)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret;

	if (fd < 0)
		return error_set(err, -errno, "%s cannot be opened: %s%s", d->path, strerror(errno), hidden(d->path, errno));
	ret = mark_open(d, fd, err);
	if (ret == 0) {
		ret = identity_of(fd, d->identity);
		if (ret < 0)
			error_set(err, ret, "%s: cannot tell which file system it is on: %s", d->path, strerror(-ret));
	}
	close(fd);
	return ret;
}

/* As storage/posix will check it, but for the record, which it is to become. */
static int check_brick(struct brick_dir *d, int fd, struct error *err)
{
	char text[GFID_TEXT_SIZE], there[96];
	uint8_t id[16];
	struct stat st;

	if (fgetxattr(fd, VOLUME_ID, id, sizeof(id)) != sizeof(id))
		return error_set(err, -ENODATA,
				 "%s holds no brick's data: it has no " VOLUME_ID ", it is %s; mount the disk, or restore the data with its "
				 "extended attributes", d->path, identity_describe(fd, there, sizeof(there)));
	if (!gfid_equal(id, d->id))
		return error_set(err, -EINVAL, "%s holds a brick of another volume, with the id %s", d->path, gfid_text(id, text));
	if (fgetxattr(fd, GFID, id, sizeof(id)) != sizeof(id) || !gfid_is_root(id))
		return error_set(err, -ENODATA, "%s holds no brick's data: it is not marked as a root (" GFID ")", d->path);
	if (fstatat(fd, ".glusterfs", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(err, -ENODATA, "%s holds no brick's data: it has no .glusterfs; restore that, too", d->path);
	return 0;
}

int brick_dir_identify(struct brick_dir *d, struct error *err)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret;

	if (fd < 0)
		return error_set(err, -errno, "%s cannot be opened: %s%s", d->path, strerror(errno), hidden(d->path, errno));
	ret = check_brick(d, fd, err);
	if (ret == 0) {
		ret = identity_of(fd, d->identity);
		if (ret < 0)
			error_set(err, ret, "%s: cannot tell which file system it is on: %s", d->path, strerror(-ret));
	}
	close(fd);
	return ret;
}

/* --- where commands of other hosts may have bricks --- */

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strcmp(dir, "/") == 0 || (strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]));
}

/* The root itself is no brick, and one that is a link counts for what it leads to. */
static bool is_below_root(const char *real, const char *roots)
{
	char *copy = need(strdup(roots)), *next = copy, *root, *resolved;
	bool below = false;

	while ((root = strsep(&next, ",")) && !below) {
		resolved = *root == '/' ? realpath(root, NULL) : NULL;
		below = resolved && is_below(real, resolved) && strcmp(real, resolved) != 0;
		free(resolved);
	}
	free(copy);
	return below;
}

/* Links resolved; what does not exist yet lies in its parent. NULL: there is no such place. malloc'ed. */
static char *real_place(const char *path)
{
	char *real = realpath(path, NULL), *parent, *last, *base;

	if (real || errno != ENOENT)
		return real;
	parent = parent_of(path);
	last = realpath(parent, NULL);
	base = need(strdup(path));
	if (last && strcmp(basename(base), "..") != 0 && strcmp(basename(base), ".") != 0)
		real = format("%s/%s", strcmp(last, "/") == 0 ? "" : last, basename(base));
	free(base);
	free(parent);
	free(last);
	return real;
}

/* The mount point that @real is on; malloc'ed. */
static char *mount_point_of(const char *real)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	char *best = need(strdup("/"));
	struct mntent *entry;

	while (f && (entry = getmntent(f)))
		if (is_below(real, entry->mnt_dir) && strlen(entry->mnt_dir) >= strlen(best)) {
			free(best);
			best = need(strdup(entry->mnt_dir));
		}
	if (f)
		endmntent(f);
	return best;
}

static int check_roots(const struct brick_dir *d, struct error *err)
{
	char *real, *mount;
	bool below;

	if (!d->roots)
		return 0;
	real = real_place(d->path);
	below = real && is_below_root(real, d->roots);
	mount = real ? mount_point_of(real) : need(strdup("/"));
	if (!below && strcmp(mount, "/") != 0)
		error_set(err, -EPERM, "%s is not below a directory for bricks of this host's (%s), and another host asks for it: make it by a "
			  "command here, or start gatehouse-manager with --brick-roots=%s,%s", d->path, d->roots, d->roots, mount);
	else if (!below)
		error_set(err, -EPERM, "%s is not below a directory for bricks of this host's (%s), and another host asks for it: make it by a "
			  "command here, or name more directories with gatehouse-manager --brick-roots", d->path, d->roots);
	free(mount);
	free(real);
	return below ? 0 : -EPERM;
}

int brick_dir_prepare(struct brick_dir *d, struct error *err)
{
	char *parent = parent_of(d->path);
	struct stat st;
	int ret;

	if (strcmp(d->path, "/") == 0)
		ret = error_set(err, -EINVAL, "the root directory cannot be a brick");
	else
		ret = check_roots(d, err);
	if (ret == 0)
		ret = make(d, parent, &st, err);
	if (ret == 0)
		ret = check_own_mark(d, err);
	if (ret == 0)
		ret = check_above(d, err);
	if (ret == 0)
		ret = check_disk(d, &st, parent, err);
	if (ret == 0)
		ret = mark(d, err);
	if (ret < 0)
		brick_dir_release(d);
	free(parent);
	return ret;
}

void brick_dir_release(const struct brick_dir *d)
{
	uint8_t id[16];

	if (d->marked && lgetxattr(d->path, VOLUME_ID, id, sizeof(id)) == sizeof(id) && gfid_equal(id, d->id))
		lremovexattr(d->path, VOLUME_ID);
	if (d->made)
		rmdir(d->path);
}

/* --- its disk --- */

/* The mount that @path is on: the one with the longest name, of several the last. The others are not touched: they may hang. */
static void find_mount(const char *path, struct brick_disk *disk)
{
	char *real = realpath(path, NULL);
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;
	size_t best = 0;

	while (f && real && (entry = getmntent(f))) {
		if (strlen(entry->mnt_dir) < best || !is_below(real, entry->mnt_dir))
			continue;
		best = strlen(entry->mnt_dir);
		snprintf(disk->device, sizeof(disk->device), "%s", entry->mnt_fsname);
		snprintf(disk->filesystem, sizeof(disk->filesystem), "%s", entry->mnt_type);
		snprintf(disk->mount_options, sizeof(disk->mount_options), "%s", entry->mnt_opts);
	}
	if (f)
		endmntent(f);
	free(real);
}

int brick_dir_disk(const char *path, struct brick_disk *disk)
{
	struct statvfs fs;
	struct stat st;

	memset(disk, 0, sizeof(*disk));
	if (stat(path, &st) < 0 || statvfs(path, &fs) < 0)
		return -errno;
	find_mount(path, disk);
	disk->mode = st.st_mode & 07777;
	disk->uid = st.st_uid;
	disk->gid = st.st_gid;
	disk->block_size = fs.f_frsize;
	disk->size_total = (uint64_t)fs.f_blocks * fs.f_frsize;
	disk->size_free = (uint64_t)fs.f_bavail * fs.f_frsize;
	disk->inodes_total = fs.f_files;
	disk->inodes_free = fs.f_ffree;
	return 0;
}
