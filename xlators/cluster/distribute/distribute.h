/* xlators/cluster/distribute/distribute.h: what the files of this translator share. README.md tells the ideas.
 *
 * A child is named by its index in xl->children. "order" sorts the children by name: GlusterFS assigns ranges in that order and our
 * directory cookies count in it, so that neither depends on how the volfile lists them. */
#ifndef DISTRIBUTE_H
#define DISTRIBUTE_H

#include <regex.h>
#include <sys/stat.h>
#include "runtime/log.h"
#include "runtime/sync.h"
#include "xlators/graph.h"
#include "xlators/xlator.h"

#define DHT_XATTR "trusted.glusterfs.dht"
#define DHT_LINKTO "trusted.glusterfs.dht.linkto"
#define DHT_MDS "trusted.glusterfs.dht.mds"
#define DHT_COMMIT "trusted.glusterfs.dht.commithash"
#define DHT_RANGE_SIZE 16		/* bytes of DHT_XATTR on disk */
#define DHT_COMMIT_UNSETTLED 1u		/* of a layout that promises nothing about where names are */
#define DHT_LINKTO_MODE (S_IFREG | 01000)
#define DHT_NSEC 1000000000ull
/* --- the translator ---------------------------------------------------------------------------------------- */
struct dht_space { uint64_t blocks, bsize, bavail, files, ffree; bool known; };

struct distribute {
	bool lookup_optimize, weighted, by_gfid, readdir_optimize, use_readdirp, lock_migration, force_migration, readdir_partial;
	char *min_free_disk, *min_free_inodes, *rsync_text, *extra_text, *decommissioned;
	uint64_t layout_timeout_ms;

	regex_t rsync, extra;
	bool have_rsync, have_extra;
	double free_disk_percent, free_inode_percent;	/* below 0: the bytes or the count hold instead */
	uint64_t free_disk_bytes, free_inode_count;

	unsigned *order, *rank;		/* order[r] is the child of rank r; rank[] is the inverse */
	bool *up, *reported, *retired;	/* per child; retired: being removed, takes nothing new */
	unsigned nup;
	bool told_up;
	struct timer start_wait;

	struct dht_space *space;
	uint64_t space_at_ns;		/* 0: never asked */
	bool space_busy;
	uint32_t commit;		/* the volume's commit hash */
	bool commit_known;
	uint64_t next_owner;		/* of locks */
	struct co_gate work;		/* coroutines that outlive their call */
};

static inline bool dht_single(const struct xlator *xl) { return xl->nchildren == 1; }
static inline bool dht_gone(int err) { return err == -ENOENT || err == -ESTALE; }
/* The child was lost over it: whether it did what it was asked to do is not known. */
static inline bool dht_in_doubt(int err) { return err == -ENOTCONN || err == -ETIMEDOUT || err == -ECANCELED; }
int dht_child_by_name(const struct xlator *xl, const char *name, size_t len);	/* index, or -ENOENT */
bool dht_all_up(const struct xlator *xl);
/* A copy of @call that acts for the volume itself: root, never squashed. */
struct call dht_internal(const struct call *call);

/* --- hash.c -------------------------------------------------------------------------------------------------- */
uint32_t dht_hash(const void *data, size_t len);
uint32_t dht_hash_name(const struct distribute *d, const char *name);	/* after munging */
int dht_regex_init(struct distribute *d, struct error *err);
void dht_regex_fini(struct distribute *d);

/* --- layout.c ------------------------------------------------------------------------------------------------ */
struct dht_range {
	uint32_t commit, type, start, stop;	/* start = stop = 0: takes no part */
	int err;		/* 0; -ENODATA: no attribute; -ENOENT: no directory there; else why nothing is known */
};
struct dht_layout {
	uint32_t refs;
	unsigned n;
	bool complete;		/* the ranges cover everything once */
	bool overlaps;
	bool missing;		/* some child answered that it has no such directory */
	bool unheard;		/* some child did not answer */
	uint32_t commit;	/* common to all ranges, else DHT_COMMIT_UNSETTLED */
	uint64_t at_ns;		/* when it was read */
	struct dht_range v[];	/* by child index */
};
struct dht_layout *dht_layout_new(unsigned n);		/* NULL: no memory */
struct dht_layout *dht_layout_ref(struct dht_layout *l);
void dht_layout_unref(struct dht_layout *l);		/* accepts NULL */
void dht_layout_settle(struct dht_layout *l);		/* computes complete, overlaps, commit... from v[] */
bool dht_range_takes_part(const struct dht_range *r);
void dht_range_decode(struct dht_range *r, const struct xattr *x);	/* @x NULL: -ENODATA */
void dht_range_encode(const struct dht_range *r, uint8_t buf[DHT_RANGE_SIZE]);
int dht_layout_search(const struct dht_layout *l, uint32_t hash);	/* child, or -ENOENT for a hole */
/* Whole new ranges for a directory (B4). @path NULL: the gfid's text stands for it. */
void dht_layout_assign(struct xlator *xl, struct dht_layout *l, const uint8_t *gfid, const char *path, uint32_t commit);
void dht_layout_fill(struct xlator *xl, struct dht_layout *l, const uint8_t *gfid, const char *path);	/* closes holes, moves little */

/* --- inode.c: what we keep of an inode ----------------------------------------------------------------------- */
struct dht_dir {
	struct dht_layout *layout;
	int mds;			/* child, or -1 */
	struct iatt_time atime, mtime, ctime;	/* the newest seen since all copies were last asked */
	bool sweeping;			/* misplaced.c: when the last sweep began and took a page, what it goes by, what one has done */
	uint64_t sweep_ns, sweep_page_ns, sweep_changes, swept;
};
int dht_cached(const struct xlator *xl, struct inode *inode);		/* child of a file, or -1 when unknown or a directory */
void dht_set_cached(const struct xlator *xl, struct inode *inode, int child);
int dht_hinted(const struct xlator *xl, const struct inode *inode);	/* child, or -1 */
void dht_set_cached_gfid(const struct xlator *xl, const struct iatt *stat, int child);
struct dht_dir *dht_dir(const struct xlator *xl, struct inode *inode);	/* NULL when unknown or no directory. Gone after a park */
int dht_set_dir(const struct xlator *xl, struct inode *inode, struct dht_layout *layout, int mds);
void dht_forget(struct xlator *xl, struct inode *inode, void *ctx);
/* The directory's layout, read from the bricks when unknown or older than @max_age_ns (0: any age will do). A reference. */
int coroutine_fn dht_layout_get(struct xlator *xl, struct call *call, struct inode *dir, uint64_t max_age_ns, struct dht_layout **ret);
int coroutine_fn dht_layout_reread(struct xlator *xl, struct call *call, struct inode *dir, struct dht_layout **ret);
/* Where @name belongs: a child, or -errno. *ret_layout (a reference) may be NULL for "not wanted". */
int coroutine_fn dht_hashed(struct xlator *xl, struct call *call, struct inode *dir, const char *name, struct dht_layout **ret_layout);
/* The child that holds a file, asking all when unknown. -EISDIR: a directory, and its dht_dir() is known now. */
int coroutine_fn dht_locate(struct xlator *xl, struct call *call, struct inode *inode);
bool dht_settled(const struct distribute *d, const struct dht_layout *l);	/* a miss on the hashed child is a miss */

/* --- iatt.c: attributes ---------------------------------------------------------------------------------------- */
bool dht_is_linkto(const struct iatt *stat, const struct xattrs *xattrs);
static inline bool dht_phase2_mode(const struct iatt *st) { return st->mode == DHT_LINKTO_MODE; }
static inline bool dht_phase1_mode(const struct iatt *st) { return S_ISREG(st->mode) && (st->mode & 03000) == 03000; }
void dht_iatt_file(struct iatt *st);			/* strips what migration put into the mode */
void dht_iatt_merge(struct iatt *to, const struct iatt *from);	/* another copy of the same directory */
void dht_iatt_dir(struct iatt *st);			/* size and blocks that every copy agrees on */
/* Attributes of a directory from one copy only: joined with the newest times known. */
void dht_iatt_partial(const struct xlator *xl, struct inode *dir, struct iatt *st);
void dht_iatt_complete(const struct xlator *xl, struct inode *dir, const struct iatt *st);	/* remembers the times */
void dht_parent_result(const struct xlator *xl, struct inode *dir, struct iatt *pre, struct iatt *post);

/* --- permission.c: 0, -EACCES, -EPERM, or why the child cannot say */
int coroutine_fn dht_may_change(struct xlator *xl, struct call *call, unsigned child, struct inode *dir);
int coroutine_fn dht_may_name(struct xlator *xl, struct call *call, unsigned child, struct inode *dir, const char *name);
int coroutine_fn dht_may_unname(struct xlator *xl, struct call *call, unsigned child, struct inode *dir,
				const struct iatt *object);	/* sticky directories, too */

/* --- fan.c: many children, many locks ---------------------------------------------------------------------------- */
/* Like xl_fanout_each(), for any number of children: args[i] NULL leaves child i out. NULL when the arena is full. */
struct answer *coroutine_fn dht_fanout(struct xlator *xl, struct call *call, enum fop op, const void *const *args);
struct answer *coroutine_fn dht_fanout_same(struct xlator *xl, struct call *call, enum fop op, const void *args, int except);
const void **dht_args(struct xlator *xl, struct call *call);		/* zeroed, one a child */

#define DHT_LOCKS_MAX 8
#define DHT_DOMAIN_LAYOUT "dht.layout.heal"
#define DHT_DOMAIN_ENTRY "dht.entry.sync"
#define DHT_DOMAIN_MIGRATE "dht.file.migrate"
struct dht_lock {
	unsigned child;
	struct inode *inode;		/* borrowed while taking; referenced while held */
	const char *name;		/* of an entry lock; NULL: inode lock */
	const char *domain;
	enum lock_type type;
	bool held;
};
struct dht_locks {
	struct dht_lock *v;
	unsigned n, max;
	uint64_t owner;
	struct dht_lock few[DHT_LOCKS_MAX];
};
void dht_locks_init(struct xlator *xl, struct dht_locks *l);
int dht_locks_room(struct dht_locks *l, struct call *call, unsigned n);	/* for more than DHT_LOCKS_MAX, from the arena */
void dht_locks_add(struct dht_locks *l, unsigned child, struct inode *inode, const char *domain, const char *name, enum lock_type type);
/* The locks of a name on its hashed child: its parent's layout for reading, the entry for writing. */
void dht_locks_add_name(struct dht_locks *l, int hashed, struct inode *parent, const char *name);
/* All at once without waiting; when one is taken, one after another in the order added, waiting. 0, or none is held. */
int coroutine_fn dht_locks_take(struct xlator *xl, struct call *call, struct dht_locks *l);
int coroutine_fn dht_locks_try(struct xlator *xl, struct call *call, struct dht_locks *l, unsigned from);	/* those added since; -EAGAIN */
void coroutine_fn dht_locks_release(struct xlator *xl, struct call *call, struct dht_locks *l);
void coroutine_fn dht_locks_release_later(struct xlator *xl, struct call *call, struct dht_locks *l);	/* the caller need not wait */

/* --- lookup.c ------------------------------------------------------------------------------------------------------ */
int coroutine_fn distribute_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res);
/* Where a name's object really is. */
struct dht_found {
	int hashed, cached;		/* cached: -1 for a directory */
	int linkto;			/* the child that has a linkto of this name, or -1 */
	bool heal;			/* a directory found broken is mended on the way */
	bool thorough;			/* a miss is not believed */
	bool unsure;			/* a file found elsewhere, while the hashed child did not say what the name is */
	struct iatt_time parent_ctime;	/* on the hashed child, when its answer was all that was needed */
	struct lookup_res res;
};
/* Asks all children under the name's lock and puts its linkto right. Without @wait -EAGAIN when somebody else holds the lock. */
int coroutine_fn dht_mend_name(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed, bool wait);
/* For changes: -ENOTCONN where the child that the name hashes to cannot be heard. */
int coroutine_fn dht_find(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_found *ret);
/* For a caller who holds the locks on the name: mends no directory, since that takes the same locks. */
int coroutine_fn dht_find_locked(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_found *ret);
/* All children are asked before a name is said to be missing, and its linkto is put right. @locked: the caller holds the locks on the name. */
int coroutine_fn dht_find_thoroughly(struct xlator *xl, struct call *call, struct inode *parent, const char *name, bool locked,
				     struct dht_found *ret);
int coroutine_fn dht_lookup_gfid(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res);
struct xattr_want dht_want(const struct xattr_want *next);
/* A directory's copies as found: attributes, layout, mds. */
struct dht_copies { struct iatt stat; struct dht_layout *layout; int mds; uint32_t mds_pending; bool differ; unsigned found; };
/* After a lookup by name: asks by gfid those who do not have the directory that @prefer means under this name. (copies.c) */
int coroutine_fn dht_copies_gather(struct xlator *xl, struct call *call, const struct lookup_args *args, struct answer *ans, int prefer);
int dht_copies_read(struct xlator *xl, const struct answer *ans, enum fop op, struct dht_copies *ret);	/* layout: a reference */

/* --- linkto.c ------------------------------------------------------------------------------------------------------ */
int coroutine_fn dht_linkto_make(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const uint8_t *gfid,
				 int on, int to, const struct preop *preop, bool force);
int coroutine_fn dht_linkto_owner(struct xlator *xl, struct call *call, const uint8_t *gfid, int on, uint32_t uid, uint32_t gid);
void coroutine_fn dht_linkto_keep(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const struct iatt *stat,
				  int on, int to);
int coroutine_fn dht_linkto_remove(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int on);

/* --- selfheal.c ---------------------------------------------------------------------------------------------------- */
/* Makes what is missing of a directory; @name NULL: only its layout. Reads the copies again into @c. Best effort: 0 when whole. */
/* The bricks of @child compare with another range of @dir than is read from it: its copies differ. Writes it once more, on all of them. */
int coroutine_fn dht_level_range(struct xlator *xl, struct call *call, struct inode *dir, unsigned child);
/* The layout may have changed under us: reads it again. Where the range that @child refused is still the one that is read, levels it. */
int coroutine_fn dht_layout_refused(struct xlator *xl, struct call *call, struct inode *dir, int child, const struct dht_range *refused);
int coroutine_fn dht_heal_dir(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct dht_copies *c);
/* Makes the directory where it misses. The caller holds the locks on its name. */
int coroutine_fn dht_make_missing(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const uint8_t *gfid);
bool dht_needs_heal(const struct dht_copies *c);

/* --- space.c ------------------------------------------------------------------------------------------------------- */
bool dht_full(const struct xlator *xl, unsigned child);
int dht_emptiest(const struct xlator *xl, int except);	/* child to take what the hashed one cannot, or -1 */
void coroutine_fn dht_space_know(struct xlator *xl, struct call *call);	/* waits only when nothing is known yet */
void coroutine_fn dht_space_refresh(struct xlator *xl, bool wait);
int dht_space_options(struct distribute *d, struct error *err);
int coroutine_fn distribute_statfs(struct xlator *xl, struct call *call, const struct statfs_args *args, struct statfs_res *res);

/* --- the rest of the table ------------------------------------------------------------------------------------------ */
#define DHT_FOP(op) int coroutine_fn distribute_##op(struct xlator *, struct call *, const struct op##_args *, struct op##_res *);
DHT_FOP(create) DHT_FOP(mknod) DHT_FOP(symlink) DHT_FOP(link) DHT_FOP(unlink)
DHT_FOP(mkdir) DHT_FOP(rmdir) DHT_FOP(rename) DHT_FOP(readdir) DHT_FOP(opendir) DHT_FOP(fsyncdir)
DHT_FOP(stat) DHT_FOP(setattr) DHT_FOP(access) DHT_FOP(setxattr) DHT_FOP(getxattr) DHT_FOP(removexattr) DHT_FOP(xattrop)
DHT_FOP(readlink) DHT_FOP(truncate) DHT_FOP(open) DHT_FOP(readv) DHT_FOP(writev) DHT_FOP(flush) DHT_FOP(fsync) DHT_FOP(lk)
DHT_FOP(inodelk) DHT_FOP(entrylk) DHT_FOP(rchecksum) DHT_FOP(fallocate) DHT_FOP(discard) DHT_FOP(zerofill) DHT_FOP(seek)
#undef DHT_FOP
/* A fop on one file: to the child that holds it, following it when it moved (data.c). */
int coroutine_fn dht_on_file(struct xlator *xl, struct call *call, struct inode *inode, enum fop op, const void *args, void *res);
/* A directory's rename, once rename.c knows it is one and holds the locks on both names. @to NULL: the new name is free. */
int coroutine_fn dht_rename_dir(struct xlator *xl, struct call *call, const struct rename_args *args, const struct dht_found *from,
				const struct dht_found *to, int dst_hashed, struct rename_res *res);
/* MKDIR again where removed[i].err is 0, with gfid, ranges and attributes as in @c. */
void coroutine_fn dht_dir_put_back(struct xlator *xl, struct call *call, struct inode *parent, const char *name, struct inode *dir,
				   const struct dht_copies *c, const struct answer *removed);
/* A directory's copies by name, read anew. -ENOTCONN when a child cannot answer; c->layout is a reference or NULL in any case. */
int coroutine_fn dht_dir_copies(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int hashed,
				struct dht_copies *c);
/* What has to be held before a directory goes, by rmdir or by a rename over it. *locks is to be released, whatever the result. */
int coroutine_fn dht_dir_lock_doomed(struct xlator *xl, struct call *call, struct inode *dir, struct dht_locks *locks);
int coroutine_fn dht_dir_empty(struct xlator *xl, struct call *call, struct inode *dir);	/* 0, -ENOTEMPTY... removes stale linktos */

#endif
