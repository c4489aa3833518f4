/* xlators/brick_identity.c: see brick_identity.h. */
#include "xlators/brick_identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BCACHEFS_MAGIC 0xca451a4e
#define ZFS_MAGIC      0x2fc12fc1

/* XFS reports the device number in f_fsid, which a reboot may change. Its superblock's uuid comes with its geometry. */
struct xfs_geometry { uint8_t sizes[64], uuid[16], rest[32]; };
#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)

static bool xfs_uuid(int fd, char *buf, size_t size)
{
	struct xfs_geometry g;
	char hex[33];
	unsigned i;

	memset(&g, 0, sizeof(g));
	if (ioctl(fd, XFS_GEOMETRY, &g) < 0)
		return false;
	for (i = 0; i < sizeof(g.uuid); i++)
		snprintf(hex + 2 * i, 3, "%02x", g.uuid[i]);
	snprintf(buf, size, "xfs:%s", hex);
	return true;
}

/* Is f_fsid made of an id that is on the disk, or of a random one of this very mount? Elsewhere it may be the device's number. */
static bool fsid_lasts(uint32_t type)
{
	return type == EXT4_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC || type == TMPFS_MAGIC || type == BCACHEFS_MAGIC || type == ZFS_MAGIC;
}

static int fs_id(int fd, char *buf, size_t size)
{
	struct statfs fs;
	uint32_t id[2];

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type == XFS_SUPER_MAGIC && xfs_uuid(fd, buf, size))
		return 0;
	memcpy(id, &fs.f_fsid, sizeof(id));
	if (fsid_lasts((uint32_t)fs.f_type))
		snprintf(buf, size, "%x:%08x%08x", (uint32_t)fs.f_type, id[0], id[1]);
	else
		snprintf(buf, size, "%x", (uint32_t)fs.f_type);
	return 0;
}

int identity_of(int dirfd, char buf[IDENTITY_SIZE])
{
	struct statx st;
	char fs[56];
	int ret = fs_id(dirfd, fs, sizeof(fs));

	if (ret < 0)
		return ret;
	if (statx(dirfd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_BTIME))
		memset(&st.stx_btime, 0, sizeof(st.stx_btime));
	snprintf(buf, IDENTITY_SIZE, "%s %llu-%lld.%09u", fs, (unsigned long long)st.stx_ino, (long long)st.stx_btime.tv_sec,
		 st.stx_btime.tv_nsec);
	return 0;
}

bool identity_is_marked(const char *path)
{
	return getxattr(path, "trusted.glusterfs.volume-id", NULL, 0) >= 0;
}

bool identity_same_fs(const char *a, const char *b)
{
	size_t len = strcspn(a, " ");

	return len == strcspn(b, " ") && strncmp(a, b, len) == 0;
}

static bool is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool empty = true;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	return empty;
}

const char *identity_describe(int dirfd, char *buf, size_t size)
{
	struct stat st, root;
	bool on_root = fstat(dirfd, &st) == 0 && stat("/", &root) == 0 && st.st_dev == root.st_dev;

	snprintf(buf, size, "%s directory on %s", is_empty(dirfd) ? "an empty" : "a", on_root ? "the root file system" :
		 "a mounted file system");
	return buf;
}
