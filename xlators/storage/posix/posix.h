/* xlators/storage/posix/posix.h: what the files of this translator share. README.md tells the whole story.
 *
 * Everything that may block runs on a helper thread, one job a fop; the loop itself touches only what is in memory already. State shared
 * by helpers and loop sits in the node table (node.c): its lock is held for moments only, never across a system call. A node's own lock
 * may be held across system calls, so the loop only tries it. */
#ifndef STORAGE_POSIX_H
#define STORAGE_POSIX_H

#include <fcntl.h>
#include <linux/stat.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "runtime/hash.h"
#include "runtime/list.h"
#include "runtime/sync.h"
#include "xlators/mdata.h"
#include "xlators/brick_identity.h"
#include "xlators/storage/posix/probe.h"
#include "xlators/brick_state.h"
#include "xlators/xlator.h"

#define HANDLE_DIR ".glusterfs"
#define HANDLE_MAX 48			/* "aa/bb/<uuid>" and a NUL, with room */
#define XATTR_GFID "trusted.gfid"
#define XATTR_VOLUME_ID "trusted.glusterfs.volume-id"
#define XATTR_LINKTO "trusted.glusterfs.dht.linkto"
#define XATTR_PATH_PREFIX "trusted.gfid2path."
#define STATX_WANTED (STATX_BASIC_STATS | STATX_BTIME)
#define DEPTH_MAX 1024			/* directories between an object and the root */

enum mdata_state { MDATA_UNKNOWN, MDATA_ABSENT, MDATA_PRESENT };

/* An object this brick has dealt with lately: its open descriptor, its times, its extended attributes. One node a gfid. */
struct node {
	struct hash_link by_gfid, by_ino;
	struct list idle;		/* without references, oldest first */
	struct list idle_fd;		/* the same, those with a descriptor */
	uint32_t refs;			/* these, hashed, fds: under the table's lock */
	bool hashed, ino_hashed;
	uint8_t gfid[16];
	uint32_t type;			/* S_IFMT bits */
	uint64_t ino;
	uint64_t born;			/* birth time in ns: ino and born together name one object for ever */
	int fd;				/* read-write for files, O_RDONLY for directories, else O_PATH; -1: opened when needed */
	uint32_t opens;			/* open files of clients; under the table's lock */
	bool parked;			/* its last name is gone, its handle waits in unlink/ for the last close */

	pthread_mutex_t lock;		/* the rest; also what makes xattrop atomic and link counts steady */
	pthread_rwlock_t layout;	/* directories: entries are made under it while a parent's attribute must not change */
	enum mdata_state mdata_state;
	bool mdata_dirty;		/* newer than on disk; the node is on the list of those to flush */
	struct mdata mdata;
	struct list dirty;		/* under the table's lock */
	struct xattrs *attrs;		/* all extended attributes, sorted as the kernel lists them; NULL: not loaded */
	bool attrs_big;			/* too many to keep */
};

struct node_table {
	pthread_mutex_t lock;
	struct hash_table by_gfid, by_ino;
	struct list idle, idle_fd;
	unsigned nidle, nidle_fd, count, max_idle, max_idle_fd;
	struct list dead;		/* nodes whose descriptor the loop must not close itself */
	bool reaping;
	struct list dirty;
	unsigned ndirty;
};

struct commit {				/* loop only */
	struct list waiting;
	bool forcing;
	uint64_t forces, served;
};

#define NAME_LOCKS 256

enum trouble { TROUBLE_FULL, TROUBLE_NO_INODES, TROUBLE_READ_ONLY, TROUBLE_NO_FILES, TROUBLES };
struct health {				/* loop only */
	struct probe *probe;
	uint64_t asked_ns, due_ns, answered_ns;	/* asked_ns 0: no question is open; answered_ns 0: there was no good answer yet */
	uint64_t no_files_ns;		/* when a call last failed for want of descriptors */
	bool down, gone, troubled[TROUBLES];
	char reason[256];		/* why it is down */
};

struct posix {
	/* options */
	char *directory, *volume_id, *identity, *node_uuid, *hostname;
	int64_t shared_brick_count, reserve, brick_uid, brick_gid, max_nodes;
	bool create, pgfid, gfid2path, fips, durable;
	uint64_t health_ms, health_timeout_ms;

	/* state */
	struct xlator *xl;
	char found_identity[IDENTITY_SIZE];	/* of the directory as it was opened */
	int root_fd, handles_fd, marker_fd;
	uint64_t fs_dev;
	bool log_force;			/* XFS, ext4: an fsync of one inode forces the log for all; else syncfs */
	bool nowait_writes;
	_Atomic bool full;		/* below the reserve when space_measure() last looked */
	struct iatt_time torn_from, torn_to;	/* objects changed by a run that was killed in this time may have newer times than stored */
	struct node *root;
	struct node_table nodes;
	struct commit commit;
	pthread_mutex_t name_locks[NAME_LOCKS];
	uint64_t marker_turn;
	struct co_gate running;		/* background coroutines */
	_Atomic bool stopping;
	bool janitor_wanted, janitor_running;
	uint32_t landfill_turn;
	struct coroutine *chores, *watch;
	struct health health;
};

/* What an open file or directory of a client hangs into struct fd. */
struct posix_fd {
	struct posix *px;
	struct node *node;
	int sys;			/* read position of a directory is its own */
	pthread_mutex_t lock;		/* directories: position */
};

/* space.c: the reserve, a share of the file system that users cannot fill. Both block. */
bool space_measure(struct posix *px);				/* asks the file system; sets px->full */
bool space_refuses(struct posix *px, const struct call *call);	/* -ENOSPC for this caller? Asks again before it says so */

/* creds.c: who this helper thread is to the file system. A job starts and ends as root. */
void creds_begin(void);
void creds_end(void);
void creds_user(const struct call *call);
void creds_root(void);
bool creds_in_job(void);		/* may this thread block now? */
/* Does plain mode arithmetic allow @mask (4, 2, 1)? Only valid where no ACL is. */
bool creds_mode_allows(const struct call *call, const struct statx *st, unsigned mask);

/* node.c: the table. Functions that may block say so; *_peek never do. */
void nodes_init(struct posix *px);
void nodes_fini(struct posix *px);
int node_get(struct posix *px, const uint8_t *gfid, struct node **ret_node);		/* blocks; has its descriptor. -ESTALE: none such */
struct node *node_peek(struct posix *px, const uint8_t *gfid, bool with_fd);		/* NULL: not in memory */
struct node *node_peek_ino(struct posix *px, const struct statx *st);
/* Blocks. Takes @fd over (closes it on failure, too; -1: none yet). Finds or makes the node of this object. */
int node_make(struct posix *px, const uint8_t *gfid, const struct statx *st, int fd, struct node **ret_node);
int node_open(struct posix *px, struct node *node);					/* blocks; sees to node->fd */
struct node *node_ref(struct posix *px, struct node *node);
void node_put(struct posix *px, struct node *node);					/* accepts NULL */
void node_forget(struct posix *px, struct node *node);					/* the object is gone: never found again */
int coroutine_fn node_reap(struct posix *px);

/* handle.c: .glusterfs/aa/bb/uuid. All block. */
char *handle_name(const uint8_t *gfid, char buf[HANDLE_MAX]);
int handle_open(struct posix *px, const uint8_t *gfid, struct statx *ret_st, int *ret_fd);	/* as node->fd wants it. -ESTALE */
int handle_link(struct posix *px, int dirfd, const char *name, const uint8_t *gfid);	/* -EEXIST: another object has this gfid */
int handle_make_dir(struct posix *px, const uint8_t *parent, const char *name, const uint8_t *gfid);	/* replaces an old one */
int handle_read_dir(struct posix *px, const uint8_t *gfid, uint8_t *ret_parent, char ret_name[256]);
int handle_remove(struct posix *px, const uint8_t *gfid);
int handle_park(struct posix *px, const uint8_t *gfid);		/* to unlink/ */
int handle_unpark(struct posix *px, const uint8_t *gfid);	/* delete it there */
int handle_stat(struct posix *px, const uint8_t *gfid, struct statx *ret_st);		/* the handle itself: -ENOENT */
int handle_path(struct posix *px, const uint8_t *gfid, char **ret_path);	/* of a directory, "" for the root; malloc'ed */
int object_open(int dirfd, const char *name, uint32_t type);	/* descriptor or -errno */

/* attr.c */
int object_statx(int fd, struct statx *st);
int object_statx_timeless(int fd, struct statx *st);
int name_statx(int dirfd, const char *name, struct statx *st);
void iatt_fill(struct posix *px, const struct node *node, const struct statx *st, struct iatt *iatt);
int node_iatt(struct posix *px, struct node *node, struct iatt *ret_iatt);	/* blocks */
bool node_iatt_peek(struct posix *px, struct node *node, struct iatt *ret_iatt);	/* does not: false when it would */
int node_iatt_st(struct posix *px, struct node *node, const struct statx *st, struct iatt *ret_iatt);	/* @st timeless; blocks */
/* Times of the object (or, shifted, of the parent) as the call says; TIME_ bits 1, 2, 4. Block at most for the first look. */
void node_touch(struct posix *px, struct node *node, const struct call *call, uint32_t bits);
/* node->lock held, times known; @bits of those three only. Blocks when mdata_crowded(). */
void node_touch_locked(struct posix *px, struct node *node, const struct call *call, uint32_t bits);
bool mdata_crowded(struct posix *px);
void node_touch_parent(struct posix *px, struct node *node, const struct call *call);
void node_mdata_load(struct posix *px, struct node *node);	/* node->lock held; blocks */
int node_mdata_flush(struct posix *px, struct node *node);	/* blocks */
int mdata_flush_all(struct posix *px);			/* blocks */
bool node_has_acl(struct posix *px, struct node *node);		/* node->lock held; blocks */
/* The bits of @mask that are granted; false when that cannot be said without blocking. node->lock held. */
bool granted_peek(struct posix *px, struct call *call, struct node *node, const struct statx *st, unsigned mask, uint32_t *ret_granted);

/* xattr.c: the raw calls on a node, and the cached set */
ssize_t nx_get(const struct node *node, const char *name, void *buf, size_t len);
int nx_set(const struct node *node, const char *name, const void *value, size_t len, int flags);
int nx_remove(const struct node *node, const char *name);
int attrs_load(struct posix *px, struct node *node);	/* node->lock held; blocks. -E2BIG: too many to keep */
void attrs_drop(struct node *node);			/* node->lock held */
void attrs_changed(struct node *node, const char *name, const void *value, size_t len);	/* node->lock held */
bool xattr_hidden(const struct call *call, const char *name);
/* What a lookup asked for, into the call's arena; node->lock held. Blocks unless attributes are loaded and all is in memory. */
int attrs_wanted(struct posix *px, struct call *call, struct node *node, const struct xattr_want *want, bool all, struct xattrs *ret_set);
int xattrs_apply(struct posix *px, struct node *node, const struct xattrs *set);	/* of a new object */
void path_attr_add(struct posix *px, struct node *node, const uint8_t *parent, const char *name);
void path_attr_remove(struct posix *px, struct node *node, const uint8_t *parent, const char *name);

/* entry.c */
int name_check(const struct node *parent, const char *name);
/* The object under a name, not necessarily open; heals gfid (@gfid_req) and handle. -ENODATA: it has no gfid. Blocks. */
int entry_find(struct posix *px, struct node *parent, const char *name, const uint8_t *gfid_req, struct statx *ret_st,
	       struct node **ret_node);
int entry_open(struct posix *px, struct node *parent, const char *name, struct statx *ret_st, struct node **ret_node);
int entry_may(struct posix *px, struct call *call, struct node *node, unsigned mask);	/* 0, -EACCES or what the kernel says; as root */
void name_lock(struct posix *px, const uint8_t *parent, const char *name);
void name_unlock(struct posix *px, const uint8_t *parent, const char *name);
void name_lock_two(struct posix *px, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2);
void name_unlock_two(struct posix *px, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2);

/* remove.c: what becomes of an object whose name went. @links: on disk, before. */
void object_unnamed(struct posix *px, struct call *call, struct node *node, uint32_t links, const uint8_t *parent, const char *name);
void janitor_kick(struct posix *px);
int purge_at_start(struct posix *px);

/* data.c */
int fd_attach(struct posix *px, struct node *node, int sys, struct fd *fd);
int node_of(struct posix *px, struct inode *inode, struct fd *fd, struct node **ret_node);	/* blocks; a reference */
struct node *node_of_peek(struct posix *px, struct inode *inode, struct fd *fd);
int reopen(struct node *node, int flags);		/* a descriptor of its own, as the current user */

/* commit.c */
bool commit_was_here(const struct posix *px);	/* before commit_init(): a daemon of ours has served this directory */
int commit_init(struct posix *px);
int coroutine_fn commit_wait(struct posix *px);	/* returns when all done before it is on stable storage */

/* health.c, brick.c */
void health_start(struct posix *px);
void health_stop(struct posix *px);
void health_note_error(struct posix *px, int err);	/* how a call ended; loop only */
int brick_open(struct posix *px, struct error *err);	/* blocks */
void brick_close(struct posix *px);

int coroutine_fn job_end(struct posix *px, struct call *call, struct arena *arena, int ret, bool stable);	/* see job.h */

#define F(op) int coroutine_fn fop_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res);
FOPS(F)
#undef F

#endif
