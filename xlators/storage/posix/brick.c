/* xlators/storage/posix/brick.c: a directory becomes, or proves to be, the brick of this volume.
 *
 * What is refused here is refused with one sentence: serving the wrong directory, or one that cannot keep our attributes, destroys data. */
#include "xlators/storage/posix/posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

#define STATE_CLEAN "gatehouse-clean"

static int no_attributes(const struct posix *px, int ret, struct error *err)
{
	return error_set(err, ret, "%s: the file system keeps no trusted extended attributes; use XFS or ext4", px->directory);
}

/* One sentence: what is missing, what is there, and the cure. */
static int no_brick(const struct posix *px, const char *missing, struct error *err)
{
	char there[96];

	return error_set(err, -ENODATA, "%s is no brick: it has no %s, it is %s; is its disk mounted?%s", px->directory, missing,
			 identity_describe(px->root_fd, there, sizeof(there)),
			 px->identity ? "" : " A new brick is started with --create once.");
}

static int mark_volume_id(struct posix *px, const uint8_t *id, struct error *err)
{
	int ret;

	if (fsetxattr(px->root_fd, XATTR_VOLUME_ID, id, 16, XATTR_CREATE) == 0)
		return 0;
	ret = -errno;
	if (ret == -EOPNOTSUPP || ret == -ENOTSUP)
		return no_attributes(px, ret, err);
	if (ret == -EPERM)
		return error_set(err, ret, "%s: no right to set trusted extended attributes; run as root", px->directory);
	return error_set(err, ret, "%s: cannot set its volume id: %s", px->directory, strerror(-ret));
}

static int check_volume_id(struct posix *px, struct error *err)
{
	uint8_t wanted[16], found[16];
	char text[GFID_TEXT_SIZE];
	ssize_t n = fgetxattr(px->root_fd, XATTR_VOLUME_ID, found, 16);
	int ret;

	if (n < 0 && errno == EOPNOTSUPP)
		return no_attributes(px, -EOPNOTSUPP, err);
	if (n < 0 && errno != ENODATA) {
		ret = -errno;
		return error_set(err, ret, "%s: cannot read its volume id: %s", px->directory, strerror(-ret));
	}
	if (!px->volume_id)
		return 0;
	if (!gfid_parse(px->volume_id, wanted))
		return error_set(err, -EINVAL, "volume-id is not a uuid: %s", px->volume_id);
	if (n == 16)
		return gfid_equal(found, wanted) ? 0 : error_set(err, -EINVAL, "%s belongs to another volume, %s", px->directory,
								gfid_text(found, text));
	if (n >= 0)
		return error_set(err, -EINVAL, "%s: its volume id is damaged", px->directory);
	return px->create ? mark_volume_id(px, wanted, err) : no_brick(px, XATTR_VOLUME_ID, err);
}

/* Another disk, or another directory, with the right volume's id: a copy, or an older state of this one. */
static int check_identity(struct posix *px, struct error *err)
{
	char there[96];
	int ret = identity_of(px->root_fd, px->found_identity);

	if (ret < 0)
		return error_set(err, ret, "%s: cannot tell which file system it is on: %s", px->directory, strerror(-ret));
	if (px->create || !px->identity || !strcmp(px->identity, IDENTITY_UNKNOWN) || !strcmp(px->identity, px->found_identity))
		return 0;
	identity_describe(px->root_fd, there, sizeof(there));
	return error_set(err, -ESTALE,
			 "%s is not the %s that was recorded for this brick (%s): there is %s (%s); mount the right disk, or, when the data "
			 "was moved or restored on purpose, \"gatehouse brick accept HOST:%s\"", px->directory,
			 identity_same_fs(px->identity, px->found_identity) ? "directory" : "file system", px->identity, there,
			 px->found_identity, px->directory);
}

/* The marks that a directory must have beside its volume's id when no record says that it is the right one. A
 * stock manager's bricks lack it before their first start: there the volume id alone decides. */
static bool needs_handles(const struct posix *px)
{
	return !px->create && (!px->volume_id || (px->identity && !strcmp(px->identity, IDENTITY_UNKNOWN)));
}

/* trusted.* must work even when no volume-id was configured to be tried with. */
static int check_root_gfid(struct posix *px, struct error *err)
{
	uint8_t gfid[16];
	ssize_t n = fgetxattr(px->root_fd, XATTR_GFID, gfid, 16);
	int ret;

	if (n == 16 && gfid_is_root(gfid))
		return 0;
	if (n >= 0)
		return error_set(err, -EINVAL, "%s is part of another brick: its gfid is not a root's", px->directory);
	ret = -errno;
	if (ret == -ENODATA && needs_handles(px))
		return no_brick(px, XATTR_GFID, err);
	if (ret == -ENODATA && fsetxattr(px->root_fd, XATTR_GFID, gfid_root, 16, XATTR_CREATE) == 0)
		return 0;
	ret = -errno;
	if (ret == -EOPNOTSUPP)
		return no_attributes(px, ret, err);
	return error_set(err, ret, "%s: cannot set trusted.gfid: %s", px->directory, strerror(-ret));
}

static int make_dir(int at, const char *name, mode_t mode)
{
	return mkdirat(at, name, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_tree(struct posix *px)
{
	static const struct { const char *name; mode_t mode; } dirs[] = {
		{ "indices", 0600 }, { "indices/xattrop", 0600 }, { "indices/dirty", 0600 }, { "indices/entry-changes", 0600 },
		{ "unlink", 0600 }, { "landfill", 0755 }, { "00/00", 0700 },
	};
	char name[3];
	unsigned i;
	int ret = 0;

	for (i = 0; ret == 0 && i < 256; i++) {
		snprintf(name, sizeof(name), "%02x", i);
		ret = make_dir(px->handles_fd, name, 0700);
	}
	for (i = 0; ret == 0 && i < sizeof(dirs) / sizeof(*dirs); i++)
		ret = make_dir(px->handles_fd, dirs[i].name, dirs[i].mode);
	if (ret == 0 && symlinkat("../../..", px->handles_fd, "00/00/00000000-0000-0000-0000-000000000001") < 0 && errno != EEXIST)
		ret = -errno;
	return ret;
}

static int open_tree(struct posix *px, struct error *err)
{
	struct statx root, handles;
	struct stat st;
	int ret = 0;

	if (needs_handles(px) && fstatat(px->root_fd, HANDLE_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return no_brick(px, HANDLE_DIR, err);
	ret = make_dir(px->root_fd, HANDLE_DIR, 0600);
	if (ret == 0) {
		px->handles_fd = openat(px->root_fd, HANDLE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		ret = px->handles_fd < 0 ? -errno : make_tree(px);
	}
	if (ret < 0)
		return error_set(err, ret, "%s: cannot prepare " HANDLE_DIR " in it: %s", px->directory, strerror(-ret));
	/* Links between two file systems do not exist. */
	if (object_statx(px->root_fd, &root) == 0 && object_statx(px->handles_fd, &handles) == 0 &&
	    (root.stx_dev_major != handles.stx_dev_major || root.stx_dev_minor != handles.stx_dev_minor))
		return error_set(err, -EXDEV, "%s: " HANDLE_DIR " in it is on another file system", px->directory);
	if (flock(px->handles_fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, -EBUSY, "%s is served by another process already", px->directory);
	return 0;
}

static struct iatt_time stamp(const struct timespec *t)
{
	struct iatt_time out = { t->tv_sec, t->tv_nsec };

	return out;
}

/* The mark of a run that stored everything before it ended goes while we run. Missing, and a health file there: a run was killed, some time
 * after its last sign of life; times may be missing for what changed from shortly before that until now. */
static void check_clean(struct posix *px)
{
	struct timespec now;
	struct stat st;

	/* Stock daemons write that file, too, and store each time at once: only ours leaves times behind. */
	if (unlinkat(px->handles_fd, STATE_CLEAN, 0) == 0 || !commit_was_here(px))
		return;
	if (fstatat(px->handles_fd, "health_check", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	px->torn_to = stamp(&now);
	px->torn_from = stamp(&st.st_mtim);
	px->torn_from.sec -= 60;
}

static int open_root_node(struct posix *px, struct error *err)
{
	struct statx st;
	int fd = openat(px->root_fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC), ret;

	if (fd < 0)
		return error_set(err, -errno, "%s: cannot be opened", px->directory);
	if (px->brick_uid >= 0 || px->brick_gid >= 0)
		if (fchown(fd, px->brick_uid, px->brick_gid) < 0)
			log_warning("cannot set the owner of the brick's root", "directory=%s", log_quote(px->directory));
	ret = object_statx(fd, &st);
	if (ret < 0) {
		close(fd);
		return error_set(err, ret, "%s: cannot be read", px->directory);
	}
	return node_make(px, gfid_root, &st, fd, &px->root);
}

int brick_open(struct posix *px, struct error *err)
{
	int ret;

	px->handles_fd = px->marker_fd = -1;
	px->root_fd = open(px->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (px->root_fd < 0) {
		ret = -errno;
		return error_set(err, ret, "brick directory %s: %s%s", px->directory, strerror(-ret),
				 ret == -ENOENT ? "; is its disk mounted?" : "");
	}
	ret = check_volume_id(px, err);
	if (ret == 0)
		ret = check_identity(px, err);
	if (ret == 0)
		ret = check_root_gfid(px, err);
	if (ret == 0)
		ret = open_tree(px, err);
	if (ret < 0)
		return ret;
	check_clean(px);
	ret = probe_new(px->directory, px->root_fd, &px->health.probe);
	if (ret == 0)
		ret = commit_init(px);
	if (ret == 0)
		ret = purge_at_start(px);
	if (ret < 0)
		return error_set(err, ret, "%s: %s", px->directory, strerror(-ret));
	return open_root_node(px, err);
}

void brick_close(struct posix *px)
{
	if (px->handles_fd >= 0 && mdata_flush_all(px) == 0) {
		int fd = openat(px->handles_fd, STATE_CLEAN, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0)
			close(fd);
	}
	probe_free(px->health.probe);
	node_put(px, px->root);
	nodes_fini(px);
	if (px->marker_fd >= 0)
		close(px->marker_fd);
	if (px->handles_fd >= 0)
		close(px->handles_fd);
	if (px->root_fd >= 0)
		close(px->root_fd);
}
