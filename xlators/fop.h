/* xlators/fop.h: each file operation once, with typed arguments and a typed result.
 *
 * What GlusterFS puts in xdata dictionaries is a named field here. Pointers in arguments live as long as the call;
 * pointers in results
 * live in the call's arena (payloads: as long as the arena). An inode in arguments is borrowed; results carry
 * attributes with a gfid,
 * not inodes. All lengths are bytes. Numbers, flags and semantics: facts/brick-wire.md sections 8 to 11. */
#ifndef XLATORS_FOP_H
#define XLATORS_FOP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/iobuf.h"

struct inode;
struct fd;

#define FOPS(F) \
	F(lookup) F(stat) F(readlink) F(mknod) F(mkdir) F(unlink) F(rmdir) F(symlink) F(rename) F(link) \
	F(truncate) F(open) F(readv) F(writev) F(statfs) F(flush) F(fsync) F(setxattr) F(getxattr) F(removexattr) \
	F(opendir) F(fsyncdir) F(access) F(create) F(lk) F(readdir) F(inodelk) F(entrylk) F(xattrop) F(rchecksum) \
	F(setattr) F(fallocate) F(discard) F(zerofill) F(seek)

struct iatt_time { int64_t sec; uint32_t nsec; };
struct iatt {				/* all zero = absent; iatt_present() */
	uint8_t gfid[16];
	uint32_t mode;			/* type and permissions */
	uint32_t nlink, uid, gid, blksize;
	uint64_t dev, rdev, size, blocks;	/* blocks of 512 bytes; rdev as Linux's dev_t */
	struct iatt_time atime, mtime, ctime;
};
static inline bool iatt_present(const struct iatt *st) { return st->mode != 0; }

struct xattr { const char *name; const void *value; uint32_t len; };
struct xattrs { struct xattr *v; uint32_t n; };
const struct xattr *xattrs_find(const struct xattrs *set, const char *name);	/* NULL when absent */

/* Names of extended attributes to return beside the attributes: a chain, so that each translator adds its own without copying. */
struct xattr_want { const char *const *names; unsigned n; const struct xattr_want *next; };

/* Counters that a brick adds to a reply when asked (bits of `count`, values in struct counts). */
enum { COUNT_INODELK = 1, COUNT_ENTRYLK = 2, COUNT_POSIXLK = 4, COUNT_PARENT_ENTRYLK = 8, COUNT_OPEN_FD = 16, COUNT_INDEX = 32,
       COUNT_INDEX_KIND = 64 };
/* index_kind: what the entries of a virtual index directory are, as a healer removes them: 1 files, 2 directories; 0: it is none */
struct counts { uint32_t inodelk, entrylk, posixlk, parent_entrylk, open_fd; uint32_t index, index_kind; };

/* "Make the entry only while the parent's extended attribute @key has this very value" (B5): else -EIO and preop_failed. */
struct preop { const char *key; const void *value; uint32_t len; };

struct lookup_args {
	struct inode *parent; const char *name;	/* by name ... */
	struct inode *inode;			/* ... or, with name NULL, by gfid */
	const struct xattr_want *want;
	uint32_t count;				/* COUNT_ bits */
	const char *count_domain;		/* inodelk counts of this lock domain only; NULL: all */
	uint32_t content_max;			/* return whole content up to this size in res.content */
	const uint8_t *gfid_req;		/* object without gfid: give it this one */
	bool gfidless;				/* answer for an object without gfid, too */
	bool list_xattr;			/* return all visible extended attributes */
};
struct lookup_res {
	struct iatt stat, parent;		/* .parent absent without a name */
	struct xattrs xattrs;
	struct counts counts;			/* index valid on -ENOENT, too */
	struct payload content;
};
struct stat_args { struct inode *inode; struct fd *fd; const struct xattr_want *want; uint32_t count; };
struct stat_res { struct iatt stat; struct xattrs xattrs; struct counts counts; };
struct readlink_args { struct inode *inode; uint32_t size; };
struct readlink_res { struct iatt stat; const char *target; };

/* mode is final (umask applied); xattrs are set on the new object (linkto, dht.mds, ACLs); gfid is required. */
struct mknod_args {
	struct inode *parent; const char *name; uint32_t mode; uint64_t rdev;
	const uint8_t *gfid; struct xattrs xattrs; struct preop preop; bool internal, force_replace;
};
struct mknod_res { struct iatt stat, preparent, postparent; bool preop_failed; };
struct mkdir_args {
	struct inode *parent; const char *name; uint32_t mode;
	const uint8_t *gfid; struct xattrs xattrs; struct preop preop; bool internal;
};
struct mkdir_res { struct iatt stat, preparent, postparent; bool preop_failed; };
struct symlink_args {
	struct inode *parent; const char *name; const char *target;
	const uint8_t *gfid; struct xattrs xattrs;
};
struct symlink_res { struct iatt stat, preparent, postparent; };
struct create_args {
	/* flags: O_EXCL and access mode; existing file without O_EXCL: opened */
	struct inode *parent; const char *name; uint32_t flags, mode;
	const uint8_t *gfid; struct xattrs xattrs; struct preop preop; bool want_fd;
};
/* fd: a reference for the caller, if wanted */
struct create_res { struct iatt stat, preparent, postparent; struct fd *fd; bool preop_failed; };
struct unlink_args {
	struct inode *parent; const char *name;
	bool only_if_linkto;			/* -EBUSY unless mode 01000 and linkto attribute */
	bool not_if_open;			/* -EBUSY while an fd is open */
	bool internal, dont_account;
};
/* removed: the object's gfid, or null when not known */
struct unlink_res { struct iatt preparent, postparent; uint32_t nlink_before; uint8_t removed[16]; };
struct rmdir_args {
	struct inode *parent; const char *name; bool recursive;
	/* the directory itself, when known; replicate looks it up else, to lock it */
	struct inode *inode;
};
struct rmdir_res { struct iatt preparent, postparent; };
struct rename_args {
	struct inode *oldparent; const char *oldname; struct inode *newparent; const char *newname;
	struct inode *inode;			/* the object, when known; translators that need it look it up else */
	bool internal, dont_account;
};
/* what had the new name, or null */
struct rename_res { struct iatt stat, preold, postold, prenew, postnew; bool replaced_known; uint8_t replaced[16]; };
struct link_args { struct inode *inode, *newparent; const char *newname; bool internal, force_replace, dont_account; };
struct link_res { struct iatt stat, preparent, postparent; };

/* With fd, or with handle set: the caller is taken to have it open, permission was decided already (wire: FTRUNCATE). */
struct truncate_args { struct inode *inode; struct fd *fd; uint64_t offset; bool handle; };
struct truncate_res { struct iatt pre, post; };
struct open_args { struct inode *inode; uint32_t flags; };
struct open_res { struct fd *fd; };		/* a reference for the caller */
/* no fd: anonymous, unchecked. @lend: the answer's data may wait in a pipe (runtime/iobuf.h); nobody on the way looks at it. */
struct readv_args { struct inode *inode; struct fd *fd; uint64_t offset; uint32_t size, flags; bool lend; };
struct readv_res { struct iatt stat; struct payload data; bool eof; };
struct writev_args {
	struct inode *inode; struct fd *fd; uint64_t offset; struct payload data;
	uint32_t flags;				/* O_DSYNC, O_SYNC: on stable storage before the answer */
	uint32_t count; const char *count_domain;
};
struct writev_res { struct iatt pre, post; uint32_t written; bool is_append; struct counts counts; };
struct statfs_args { struct inode *inode; };
struct statfs_res { uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax; };
struct flush_args { struct inode *inode; struct fd *fd; };
struct flush_res { char none; };
struct fsync_args { struct inode *inode; struct fd *fd; bool datasync; uint32_t count; const char *count_domain; };
struct fsync_res { struct iatt pre, post; struct counts counts; };
/* alone: attributes of users, and access control lists, that are not among @xattrs are removed */
struct setxattr_args { struct inode *inode; struct fd *fd; struct xattrs xattrs; uint32_t flags; bool internal, alone; };
struct setxattr_res { struct iatt pre, post; };
struct getxattr_args { struct inode *inode; struct fd *fd; const char *name; };	/* NULL: all visible */
struct getxattr_res { struct xattrs xattrs; };
/* name "": the names in @many */
struct removexattr_args { struct inode *inode; struct fd *fd; const char *name; struct xattrs many; };
struct removexattr_res { struct iatt pre, post; };
struct opendir_args { struct inode *inode; };
struct opendir_res { struct fd *fd; };
struct fsyncdir_args { struct inode *inode; struct fd *fd; bool datasync; };
struct fsyncdir_res { char none; };
struct access_args { struct inode *inode; uint32_t mask; bool want_stat; };	/* 4 read, 2 write, 1 execute */
/* subset of mask; 0 with every bit denied. stat: when wanted, if it costs no time */
struct access_res { uint32_t granted; struct iatt stat; };

/* <fcntl.h> has macros of that name for mandatory locks: included above, so that they stay away */
#undef LOCK_READ
#undef LOCK_WRITE
enum lock_cmd { LOCK_TRY, LOCK_WAIT, LOCK_UNLOCK, LOCK_GET };
enum lock_type { LOCK_READ, LOCK_WRITE };
struct lk_args { struct inode *inode; struct fd *fd; enum lock_cmd cmd; enum lock_type type; uint64_t start, len; uint32_t pid; };
struct lk_res { bool conflict; enum lock_type type; uint64_t start, len; uint32_t pid; uint32_t owner_len; uint8_t owner[96]; };
struct inodelk_args { struct inode *inode; struct fd *fd; const char *domain; enum lock_cmd cmd; enum lock_type type; uint64_t start, len; };
struct inodelk_res { char none; };		/* -EAGAIN: LOCK_TRY and taken; -EINVAL: no such lock to unlock */
struct entrylk_args { struct inode *inode; const char *domain; const char *name; enum lock_cmd cmd; enum lock_type type; };
struct entrylk_res { char none; };

struct dirent_plus {
	uint64_t ino, off;			/* off: pass as offset to go on after this entry */
	const char *name; uint32_t namelen, type;	/* DT_ */
	struct iatt stat;			/* absent without plus, or when it could not be read */
	struct xattrs xattrs;
};
struct readdir_args { struct inode *inode; struct fd *fd; uint64_t offset; uint32_t size; bool plus; const struct xattr_want *want; };
/* "." and ".." included as the storage gives them */
struct readdir_res { struct dirent_plus *entries; uint32_t n; bool eof; };

enum xattrop { XATTROP_ADD32, XATTROP_ADD64, XATTROP_OR, XATTROP_AND, XATTROP_GET_AND_SET, XATTROP_ADD32_DEFAULT, XATTROP_ADD64_DEFAULT };
struct xattrop_args {
	struct inode *inode; struct fd *fd; enum xattrop op; struct xattrs operands;
	const char *entry_create, *entry_delete;	/* granular entry index (A6) */
	bool purge_index;
};
struct xattrop_res { struct xattrs values; };	/* the new values */
struct rchecksum_args { struct inode *inode; struct fd *fd; uint64_t offset; uint32_t len; };
struct rchecksum_res { uint32_t weak; uint8_t strong[32]; bool zeroes; };

enum {
	SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_ATIME = 0x10, SET_MTIME = 0x20, SET_CTIME = 0x40,
	SET_ATIME_NOW = 0x80, SET_MTIME_NOW = 0x100,
};
struct setattr_args { struct inode *inode; struct fd *fd; struct iatt stat; uint32_t valid; bool internal; };
struct setattr_res { struct iatt pre, post; };
struct fallocate_args { struct inode *inode; struct fd *fd; bool keep_size; uint64_t offset, len; };
struct fallocate_res { struct iatt pre, post; };
struct discard_args { struct inode *inode; struct fd *fd; uint64_t offset, len; };
struct discard_res { struct iatt pre, post; };
struct zerofill_args { struct inode *inode; struct fd *fd; uint64_t offset, len; };
struct zerofill_res { struct iatt pre, post; };
struct seek_args { struct inode *inode; struct fd *fd; uint64_t offset; bool hole; };
struct seek_res { uint64_t offset; };

#define F(op) FOP_##op,
enum fop { FOPS(F) FOP_COUNT };
#undef F
#define F(op) struct op##_args op;
union fop_args { FOPS(F) };
#undef F
#define F(op) struct op##_res op;
union fop_res { FOPS(F) };
#undef F

extern const char *const fop_names[FOP_COUNT];
extern const uint32_t fop_res_sizes[FOP_COUNT], fop_args_sizes[FOP_COUNT];
static inline bool fop_changes_names(enum fop op)
{
	return op == FOP_mknod || op == FOP_mkdir || op == FOP_unlink || op == FOP_rmdir || op == FOP_symlink ||
	       op == FOP_rename || op == FOP_link || op == FOP_create;
}
bool fop_modifies(enum fop op);		/* entries, data, attributes or extended attributes of an object */

#endif
