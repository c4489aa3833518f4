/* xlators/storage/memory/memory.c: storage/memory, a brick's storage in memory, for tests and for the simulator.
 *
 * The one idea: the semantics of storage/posix as far as the gateway's translators can tell, on a disk (memory.h) that loses in a crash
 * what was not forced. Every fop changes the disk without parking, and parks only for the time a force takes. */
#include "xlators/storage/memory/memory_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int memory_object(struct memory *m, struct inode *inode, struct fd *fd, struct disk_object **ret_obj)
{
	struct memory_handle *h = fd ? fd->handle : NULL;

	if (m->epoch != m->disk->epoch)
		return -EIO;
	if (h) {
		*ret_obj = h->object;
		return h->epoch == m->epoch ? 0 : -EBADF;
	}
	if (!inode && fd)
		inode = fd->inode;
	*ret_obj = disk_object_find(m->disk, inode->gfid);
	return *ret_obj ? 0 : -ESTALE;
}

int memory_directory(struct memory *m, struct inode *inode, struct disk_object **ret_dir)
{
	int ret = memory_object(m, inode, NULL, ret_dir);

	return ret < 0 ? ret : S_ISDIR((*ret_dir)->st.mode) ? 0 : -ENOTDIR;
}

bool memory_in_group(const struct call *call, uint32_t gid)
{
	uint32_t i;

	for (i = 0; i < call->ngroups; i++)
		if (call->groups[i] == gid)
			return true;
	return call->gid == gid;
}

bool memory_allowed(const struct disk_object *obj, const struct call *call, uint32_t mask)
{
	uint32_t mode = obj->st.mode;

	if (call->uid == 0)
		return !(mask & 1) || S_ISDIR(mode) || (mode & 0111);
	if (call->uid == obj->st.uid)
		mode >>= 6;
	else if (memory_in_group(call, obj->st.gid))
		mode >>= 3;
	return (mode & mask) == mask;
}

static bool later(struct iatt_time a, struct iatt_time b)
{
	return a.sec > b.sec || (a.sec == b.sec && a.nsec > b.nsec);
}

static void set_times(struct disk_object *obj, uint32_t which, struct iatt_time t, bool forward_only)
{
	if ((which & TIME_CTIME) && (!forward_only || later(t, obj->st.ctime)))
		obj->st.ctime = t;
	if ((which & TIME_MTIME) && (!forward_only || later(t, obj->st.mtime)))
		obj->st.mtime = t;
	if ((which & TIME_ATIME) && (!forward_only || later(t, obj->st.atime)))
		obj->st.atime = t;
}

void memory_stamp(struct xlator *xl, const struct call *call, struct disk_object *obj, uint32_t which, bool parent)
{
	uint32_t flags = parent ? call->time_flags >> 3 : call->time_flags & 7;
	struct iatt_time now;

	disk_object_touch(obj);
	if (call->time_flags) {
		obj->mdata = true;
		set_times(obj, flags, call->time, true);
	} else if (!obj->mdata) {
		loop_wallclock(xl_loop(xl), &now.sec, &now.nsec);
		set_times(obj, which, now, false);
	}
}

int coroutine_fn memory_force(struct xlator *xl, uint64_t upto_txn)
{
	struct memory *m = xl->priv;

	if (m->sync_time_ms) {
		co_shield();
		co_sleep_ns(m->sync_time_ms * 1000000);
		co_unshield();
	}
	if (m->epoch != m->disk->epoch)
		return -EIO;
	disk_force(m->disk, upto_txn);
	return 0;
}

int coroutine_fn memory_settle(struct xlator *xl, const struct call *call)
{
	struct memory *m = xl->priv;

	return call->durable ? memory_force(xl, m->disk->txn) : 0;
}

/* ---- open handles ---- */

static void handle_close(struct fd *fd)
{
	struct memory_handle *h = fd->handle;

	if (h->epoch == h->object->disk->epoch)
		h->object->opens--;
	disk_object_unref(h->object);
	free(h);
}

struct fd *memory_open(struct memory *m, struct disk_object *obj, struct inode *inode, int flags)
{
	struct fd *fd = fd_new(inode, flags);
	struct memory_handle *h = disk_alloc(sizeof(*h));

	if (!fd)
		abort();
	h->object = disk_object_ref(obj);
	h->epoch = m->epoch;
	obj->opens++;
	fd->handle = h;
	fd->close = handle_close;
	return fd;
}

static int coroutine_fn memory_open_file(struct xlator *xl, struct call *call, const struct open_args *args, struct open_res *res)
{
	static const uint32_t need[] = { [O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6, [O_ACCMODE] = 6 };
	struct disk_object *obj;
	int ret = memory_object(xl->priv, args->inode, NULL, &obj);

	if (ret < 0)
		return ret;
	if (S_ISDIR(obj->st.mode) && (args->flags & O_ACCMODE) != O_RDONLY)
		return -EISDIR;
	if (!memory_allowed(obj, call, need[args->flags & O_ACCMODE]))
		return -EACCES;
	if (args->flags & O_TRUNC)
		disk_data_truncate(obj, 0);
	res->fd = memory_open(xl->priv, obj, args->inode, (int)args->flags);
	return 0;
}

static int coroutine_fn memory_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *dir = m->disk->root;
	int ret = 0;

	if (m->epoch != m->disk->epoch || !memory_index_is(args->inode->gfid))
		ret = memory_directory(m, args->inode, &dir);
	if (ret < 0)
		return ret;
	if (!memory_allowed(dir, call, 4))
		return -EACCES;
	res->fd = memory_open(xl->priv, dir, args->inode, O_RDONLY | O_DIRECTORY);
	return 0;
}

static int coroutine_fn memory_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	return 0;
}

static int coroutine_fn memory_fsyncdir(struct xlator *xl, struct call *call, const struct fsyncdir_args *args, struct fsyncdir_res *res)
{
	struct disk_object *dir;
	int ret = memory_object(xl->priv, args->inode, args->fd, &dir);

	return ret < 0 ? ret : memory_force(xl, dir->last_txn);
}

/* ---- looking ---- */

static int lookup_name(struct memory *m, struct call *call, const struct lookup_args *args, struct lookup_res *res, struct disk_object **ret_obj)
{
	struct disk_object *dir;
	struct disk_entry *d;
	int ret = memory_directory(m, args->parent, &dir);

	if (ret < 0)
		return ret;
	if (!memory_allowed(dir, call, 1))
		return -EACCES;
	if (strlen(args->name) > 255)
		return -ENAMETOOLONG;
	disk_object_stat(dir, &res->parent);
	if (strcmp(args->name, ".") == 0 || strcmp(args->name, "..") == 0) {
		*ret_obj = args->name[1] ? dir->parent : dir;
		return 0;
	}
	d = disk_entry_find(dir, args->name);
	if (!d)
		return -ENOENT;
	*ret_obj = d->object;
	return 0;
}

static int coroutine_fn memory_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret;

	memset(res, 0, sizeof(*res));
	if (m->epoch != m->disk->epoch)
		return -EIO;
	ret = args->name ? lookup_name(m, call, args, res, &obj) : memory_object(m, args->inode, NULL, &obj);
	if (ret == -ESTALE && !args->name)
		return -ENOENT;
	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->stat);
	res->counts.open_fd = obj->opens;
	if (args->count & COUNT_INDEX)
		res->counts.index = memory_index_count(m->disk) > 0;
	if (S_ISREG(obj->st.mode) && args->content_max && obj->size <= args->content_max)
		ret = memory_content(call, obj, 0, (uint32_t)obj->size, &res->content);
	return ret < 0 ? ret : memory_wanted(call, obj, args->want, args->list_xattr, &res->xattrs);
}

static int coroutine_fn memory_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct disk_object *obj;
	int ret = memory_object(xl->priv, args->inode, args->fd, &obj);

	memset(res, 0, sizeof(*res));
	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->stat);
	res->counts.open_fd = obj->opens;
	return memory_wanted(call, obj, args->want, false, &res->xattrs);
}

static int coroutine_fn memory_readlink(struct xlator *xl, struct call *call, const struct readlink_args *args, struct readlink_res *res)
{
	struct disk_object *obj;
	int ret = memory_object(xl->priv, args->inode, NULL, &obj);

	if (ret < 0)
		return ret;
	if (!obj->target)
		return -EINVAL;
	disk_object_stat(obj, &res->stat);
	res->target = arena_strndup(call->arena, obj->target, strnlen(obj->target, args->size));
	return res->target ? 0 : -ENOMEM;
}

static int coroutine_fn memory_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res)
{
	struct disk_object *obj;
	uint32_t bit;
	int ret = memory_object(xl->priv, args->inode, NULL, &obj);

	if (ret < 0)
		return ret;
	res->granted = 0;
	for (bit = 1; bit <= 4; bit <<= 1)
		if ((args->mask & bit) && memory_allowed(obj, call, bit))
			res->granted |= bit;
	return 0;
}

static int coroutine_fn memory_statfs(struct xlator *xl, struct call *call, const struct statfs_args *args, struct statfs_res *res)
{
	struct memory *m = xl->priv;
	uint64_t total = m->disk->limit / MEMORY_PAGE, used = m->disk->used / MEMORY_PAGE;

	if (m->epoch != m->disk->epoch)
		return -EIO;
	memset(res, 0, sizeof(*res));
	res->bsize = res->frsize = MEMORY_PAGE;
	res->blocks = total;
	res->bfree = res->bavail = total > used ? total - used : 0;
	res->files = 1u << 20;
	res->ffree = res->favail = res->files > m->disk->objects.count ? res->files - m->disk->objects.count : 0;
	res->fsid = (uint64_t)(uintptr_t)m->disk;
	res->namemax = 255;
	return 0;
}

/* ---- attributes ---- */

static int may_setattr(const struct disk_object *obj, const struct call *call, const struct setattr_args *args)
{
	uint32_t now = SET_ATIME_NOW | SET_MTIME_NOW;
	bool owner = call->uid == 0 || call->uid == obj->st.uid;

	if ((args->valid & (SET_MODE | SET_GID | SET_CTIME)) && !owner)
		return -EPERM;
	if ((args->valid & (SET_ATIME | SET_MTIME)) && !owner)
		return (args->valid & (SET_ATIME | SET_MTIME)) && !(args->valid & now) ? -EPERM : -EACCES;
	if ((args->valid & now) && !owner && !memory_allowed(obj, call, 2))
		return -EACCES;
	if (call->uid == 0)
		return 0;
	if ((args->valid & SET_UID) && args->stat.uid != obj->st.uid)
		return -EPERM;
	if ((args->valid & SET_GID) && args->stat.gid != obj->st.gid && !memory_in_group(call, args->stat.gid))
		return -EPERM;
	return 0;
}

static void apply_mode_owner(struct disk_object *obj, const struct call *call, const struct setattr_args *args)
{
	if ((args->valid & (SET_UID | SET_GID)) && S_ISREG(obj->st.mode))
		obj->st.mode &= ~(uint32_t)(obj->st.mode & S_IXGRP ? S_ISUID | S_ISGID : S_ISUID);
	if (args->valid & SET_UID)
		obj->st.uid = args->stat.uid;
	if (args->valid & SET_GID)
		obj->st.gid = args->stat.gid;
	if (!(args->valid & SET_MODE))
		return;
	obj->st.mode = (obj->st.mode & S_IFMT) | (args->stat.mode & 07777);
	if (call->uid != 0 && !S_ISDIR(obj->st.mode) && !memory_in_group(call, obj->st.gid))
		obj->st.mode &= ~(uint32_t)S_ISGID;
}

static void apply_times(struct xlator *xl, struct disk_object *obj, const struct setattr_args *args)
{
	struct iatt_time now;

	loop_wallclock(xl_loop(xl), &now.sec, &now.nsec);
	if (args->valid & (SET_ATIME | SET_ATIME_NOW))
		obj->st.atime = args->valid & SET_ATIME_NOW ? now : args->stat.atime;
	if (args->valid & (SET_MTIME | SET_MTIME_NOW))
		obj->st.mtime = args->valid & SET_MTIME_NOW ? now : args->stat.mtime;
	if (args->valid & SET_CTIME)
		obj->st.ctime = args->stat.ctime;
}

static int coroutine_fn memory_setattr(struct xlator *xl, struct call *call, const struct setattr_args *args, struct setattr_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = memory_object(m, args->inode, args->fd, &obj);

	if (ret == 0)
		ret = may_setattr(obj, call, args);
	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	memory_stamp(xl, call, obj, TIME_CTIME, false);
	apply_mode_owner(obj, call, args);
	apply_times(xl, obj, args);
	disk_object_stat(obj, &res->post);
	return memory_settle(xl, call);
}

/* ---- life ---- */

static int coroutine_fn memory_init(struct xlator *xl, struct error *err)
{
	struct memory *m = xl->priv;
	const char *name = m->disk_name ? m->disk_name : xl->name;

	m->disk = memory_disk_find(name);
	if (!m->disk && m->disk_name)
		return error_set(err, -ENOENT, "there is no memory disk named %s", name);
	m->owned = !m->disk;
	if (m->owned)
		m->disk = memory_disk_new(name, 1, 0);
	m->epoch = m->disk->epoch;
	return 0;
}

static void coroutine_fn memory_start(struct xlator *xl)
{
	xl_notify(xl, XL_UP, NULL);
}

static void coroutine_fn memory_fini(struct xlator *xl)
{
	struct memory *m = xl->priv;

	if (m->owned)
		memory_disk_free(m->disk);
}

/* ---- a disk that hangs ---- */

/* A helper thread that waits for a disk cannot be interrupted. */
static void coroutine_fn wait_for_disk(struct memory *m, enum fop op)
{
	struct memory_disk *disk = m->disk;

	co_shield();
	while (m->epoch == disk->epoch && disk->hang != DISK_RUNS &&
	       (disk->hang == DISK_DEAD || fop_modifies(op) || op == FOP_fsync || op == FOP_fsyncdir))
		co_queue_wait(&disk->runs);
	co_unshield();
}

/* Every other call hangs after its effect. */
#define HANGS(op, function) \
	static int coroutine_fn disk_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct memory *m = xl->priv; \
		bool after = ++m->disk->calls & 1; \
		int ret; \
		if (!after) \
			wait_for_disk(m, FOP_##op); \
		ret = function(xl, call, args, res); \
		if (after) \
			wait_for_disk(m, FOP_##op); \
		return ret; \
	}
HANGS(lookup, memory_lookup)
HANGS(stat, memory_stat)
HANGS(readlink, memory_readlink)
HANGS(mknod, memory_mknod)
HANGS(mkdir, memory_mkdir)
HANGS(unlink, memory_unlink)
HANGS(rmdir, memory_rmdir)
HANGS(symlink, memory_symlink)
HANGS(rename, memory_rename)
HANGS(link, memory_link)
HANGS(truncate, memory_truncate)
HANGS(open, memory_open_file)
HANGS(readv, memory_readv)
HANGS(writev, memory_writev)
HANGS(statfs, memory_statfs)
HANGS(flush, memory_flush)
HANGS(fsync, memory_fsync)
HANGS(setxattr, memory_setxattr)
HANGS(getxattr, memory_getxattr)
HANGS(removexattr, memory_removexattr)
HANGS(opendir, memory_opendir)
HANGS(fsyncdir, memory_fsyncdir)
HANGS(access, memory_access)
HANGS(create, memory_create)
HANGS(readdir, memory_readdir)
HANGS(xattrop, memory_xattrop)
HANGS(rchecksum, memory_rchecksum)
HANGS(setattr, memory_setattr)
HANGS(fallocate, memory_fallocate)
HANGS(discard, memory_discard)
HANGS(zerofill, memory_zerofill)
HANGS(seek, memory_seek)

static const struct option options[] = {
	OPT_STR("disk", struct memory, disk_name, NULL, 0, "name of the disk that a test made; none: an own one that goes with the translator"),
	OPT_TIME_MS("sync-time", struct memory, sync_time_ms, "0", 0, 60000, OPT_LIVE, "how long a force of the disk takes"),
	OPT_END
};

const struct xlator_class storage_memory_class = {
	.name = "storage/memory",
	.summary = "a brick's storage in memory, for tests",
	.storage = true,
	.priv_size = sizeof(struct memory),
	.options = options,
	.init = memory_init,
	.start = memory_start,
	.fini = memory_fini,
	.fops = {
		.lookup = disk_lookup, .stat = disk_stat, .readlink = disk_readlink, .mknod = disk_mknod,
		.mkdir = disk_mkdir, .unlink = disk_unlink, .rmdir = disk_rmdir, .symlink = disk_symlink,
		.rename = disk_rename, .link = disk_link, .truncate = disk_truncate, .open = disk_open,
		.readv = disk_readv, .writev = disk_writev, .statfs = disk_statfs, .flush = disk_flush,
		.fsync = disk_fsync, .setxattr = disk_setxattr, .getxattr = disk_getxattr,
		.removexattr = disk_removexattr, .opendir = disk_opendir, .fsyncdir = disk_fsyncdir,
		.access = disk_access, .create = disk_create, .readdir = disk_readdir,
		.xattrop = disk_xattrop, .rchecksum = disk_rchecksum, .setattr = disk_setattr,
		.fallocate = disk_fallocate, .discard = disk_discard, .zerofill = disk_zerofill,
		.seek = disk_seek,
	},
};
