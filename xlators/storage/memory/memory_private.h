/* xlators/storage/memory/memory_private.h: what the files of storage/memory share. */
#ifndef XLATORS_STORAGE_MEMORY_PRIVATE_H
#define XLATORS_STORAGE_MEMORY_PRIVATE_H

#include <sys/stat.h>

#include "xlators/storage/memory/disk.h"
#include "xlators/xlator.h"

struct memory {
	char *disk_name;
	uint64_t sync_time_ms;
	/* end of options */
	struct memory_disk *disk;
	bool owned;			/* no test gave a disk: it goes with the translator */
	uint64_t epoch;			/* of the disk when we started: see memory_disk_crash() */
};

struct memory_handle { struct disk_object *object; uint64_t epoch; };

/* memory.c */
int memory_object(struct memory *m, struct inode *inode, struct fd *fd, struct disk_object **ret_obj);	/* no reference; -EIO, -ESTALE */
int memory_directory(struct memory *m, struct inode *inode, struct disk_object **ret_dir);		/* and -ENOTDIR */
bool memory_allowed(const struct disk_object *obj, const struct call *call, uint32_t mask);	/* 4 read, 2 write, 1 search or execute */
bool memory_in_group(const struct call *call, uint32_t gid);
struct fd *memory_open(struct memory *m, struct disk_object *obj, struct inode *inode, int flags);
/* Sets times after a change: @which (TIME_CTIME...) from the clock, or what the call's flags say; for @parent its PARENT flags. Journalled. */
void memory_stamp(struct xlator *xl, const struct call *call, struct disk_object *obj, uint32_t which, bool parent);
/* Forces the journal as the call demands. 0, or -EIO: the disk crashed meanwhile. Parks. */
int coroutine_fn memory_settle(struct xlator *xl, const struct call *call);
int coroutine_fn memory_force(struct xlator *xl, uint64_t upto_txn);

/* memory_entry.c */
int coroutine_fn memory_mknod(struct xlator *, struct call *, const struct mknod_args *, struct mknod_res *);
int coroutine_fn memory_mkdir(struct xlator *, struct call *, const struct mkdir_args *, struct mkdir_res *);
int coroutine_fn memory_symlink(struct xlator *, struct call *, const struct symlink_args *, struct symlink_res *);
int coroutine_fn memory_create(struct xlator *, struct call *, const struct create_args *, struct create_res *);
int coroutine_fn memory_link(struct xlator *, struct call *, const struct link_args *, struct link_res *);
int coroutine_fn memory_unlink(struct xlator *, struct call *, const struct unlink_args *, struct unlink_res *);
int coroutine_fn memory_rmdir(struct xlator *, struct call *, const struct rmdir_args *, struct rmdir_res *);
int coroutine_fn memory_rename(struct xlator *, struct call *, const struct rename_args *, struct rename_res *);

/* memory_data.c */
int coroutine_fn memory_readv(struct xlator *, struct call *, const struct readv_args *, struct readv_res *);
int coroutine_fn memory_writev(struct xlator *, struct call *, const struct writev_args *, struct writev_res *);
int coroutine_fn memory_truncate(struct xlator *, struct call *, const struct truncate_args *, struct truncate_res *);
int coroutine_fn memory_fsync(struct xlator *, struct call *, const struct fsync_args *, struct fsync_res *);
int coroutine_fn memory_fallocate(struct xlator *, struct call *, const struct fallocate_args *, struct fallocate_res *);
int coroutine_fn memory_discard(struct xlator *, struct call *, const struct discard_args *, struct discard_res *);
int coroutine_fn memory_zerofill(struct xlator *, struct call *, const struct zerofill_args *, struct zerofill_res *);
int coroutine_fn memory_seek(struct xlator *, struct call *, const struct seek_args *, struct seek_res *);
int coroutine_fn memory_rchecksum(struct xlator *, struct call *, const struct rchecksum_args *, struct rchecksum_res *);
int memory_content(struct call *call, const struct disk_object *obj, uint64_t offset, uint32_t size, struct payload *ret_data);

/* memory_xattr.c */
int memory_wanted(struct call *call, const struct disk_object *obj, const struct xattr_want *want, bool all, struct xattrs *ret_set);
void memory_store_xattrs(struct disk_object *obj, const struct xattrs *set);
int coroutine_fn memory_setxattr(struct xlator *, struct call *, const struct setxattr_args *, struct setxattr_res *);
int coroutine_fn memory_getxattr(struct xlator *, struct call *, const struct getxattr_args *, struct getxattr_res *);
int coroutine_fn memory_removexattr(struct xlator *, struct call *, const struct removexattr_args *, struct removexattr_res *);
int coroutine_fn memory_xattrop(struct xlator *, struct call *, const struct xattrop_args *, struct xattrop_res *);
int coroutine_fn memory_readdir(struct xlator *, struct call *, const struct readdir_args *, struct readdir_res *);

/* memory_index.c */
uint32_t memory_index_count(const struct memory_disk *disk);
bool memory_index_is(const uint8_t *gfid);
bool memory_index_name(const char *name, struct call *call, struct xattrs *ret_set);
int memory_index_list(const struct memory_disk *disk, struct call *call, const struct readdir_args *args, struct readdir_res *res);

#endif
