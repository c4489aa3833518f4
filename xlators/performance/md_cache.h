/* xlators/performance/md_cache.h: performance/md-cache's own parts, shared by its files. README.md tells the whole. */
#ifndef XLATORS_PERFORMANCE_MD_CACHE_H
#define XLATORS_PERFORMANCE_MD_CACHE_H

#include "xlators/graph.h"
#include "xlators/xlator.h"

#define MD_FOREVER UINT64_MAX
#define MD_DECISIONS 4			/* callers of whom one inode remembers what they may do */
#define MD_CHANGED 256			/* changes back to which a call that was on its way can be judged */
#define MD_TARGET_MAX 255		/* longer symlink targets are asked for each time */

struct md_cache {
	uint64_t size;
	bool sole, told_changes;
	uint64_t timeout_ms;
	char *ignored;

	uint64_t epoch;			/* what was kept in another one is void */
	uint64_t graph_epoch;		/* graph.lease_epoch that @lease_ns follows from */
	uint64_t lease_ns;		/* how long what a call brings may be kept; 0: not at all */
	bool lease_known;
	bool promised;			/* no change goes unheard while it lasts */

	uint64_t changes;		/* how many were recorded in changed[] */
	uint64_t changed[MD_CHANGED];	/* keys of inodes and names, a ring */

	struct hash_table names;
	struct list names_lru;		/* oldest first */
	uint64_t used;			/* bytes of names and targets */
	uint64_t next_names;
	struct list entries;		/* struct md_entry: names that calls of ours are changing */
	bool removed_named, replaced_named;	/* the layers below say what an unlink removed and a rename replaced */
};

/* What a caller may do with an inode: of the permissions @asked about, @granted. */
struct md_decision { uint64_t until, groups; uint32_t uid, gid; uint8_t asked, granted; };

struct md_inode {
	uint64_t epoch;
	uint64_t names;			/* names of this directory are kept under it; a new one forgets them all */
	uint64_t stat_until, target_until;
	struct iatt stat;
	char *target;
	struct md_decision decisions[MD_DECISIONS];
	uint32_t told;			/* invalidations seen */
	uint32_t changing;		/* calls of ours that change it and are on their way */
	uint8_t next_decision;
	bool overlap;			/* more than one of them at some time since there was none */
	bool ours;			/* the stat was dropped for a change that left permissions alone */
};

/* The world as a call found it when it was sent. */
struct md_view { uint64_t epoch, changes, until; };

/* md_cache.c: false: nothing may be kept now. Void what is kept. */
bool md_look(struct xlator *xl, struct md_view *ret_view);
void md_void_all(struct md_cache *md);
static inline struct xlator *md_child(struct xlator *xl) { return xl->children[0]; }

/* md_cache_inode.c. A context is of this epoch when it is returned; md_ctx() makes it and may return NULL without
 * memory. */
struct md_inode *md_ctx(struct xlator *xl, struct inode *inode);
struct md_inode *md_ctx_find(struct xlator *xl, struct inode *inode);
void md_ctx_free(struct xlator *xl, struct inode *inode, void *ctx);
void md_record(struct md_cache *md, uint64_t key);
bool md_unchanged(const struct md_cache *md, const struct md_view *view, uint64_t key);
uint64_t md_key(const uint8_t *gfid);
bool md_stat_fresh(const struct xlator *xl, const struct md_inode *c);
void md_keep_stat(struct xlator *xl, struct inode *inode, const struct md_view *view, const struct iatt *stat);
void md_keep_object(struct xlator *xl, const struct md_view *view, const struct iatt *stat);
void md_drop(struct xlator *xl, struct inode *inode); /* all of it: it changed in a way we do not know, or is gone */
void md_drop_gfid(struct xlator *xl, const uint8_t *gfid);
void md_invalidate(struct xlator *xl, const uint8_t *gfid, uint32_t flags);	/* the bricks say so */
struct md_decision *md_decision(const struct xlator *xl, struct md_inode *c, const struct call *call);
void md_keep_decision(struct xlator *xl, struct inode *inode, const struct md_view *view, const struct call *call,
		      uint32_t asked, uint32_t granted);
void md_forget_decisions(struct md_inode *c);
void md_keep_target(struct xlator *xl, struct inode *inode, const struct md_view *view, const char *target);

/* md_cache_names.c. A name's key is made of the directory's number and the name. */
struct md_name {
	struct hash_link link;
	struct list lru;
	uint64_t names, until;
	uint8_t gfid[16];		/* null: there is no such name */
	uint8_t len;
	char name[];
};
uint64_t md_name_key(uint64_t names, const char *name);
/* Fresh ones; counts as use. */
struct md_name *md_name_find(struct xlator *xl, uint64_t names, uint64_t key, const char *name);
void md_name_keep(struct xlator *xl, uint64_t names, uint64_t key, const char *name, uint64_t until,
		  const uint8_t *gfid);
void md_name_drop(struct xlator *xl, uint64_t names, uint64_t key, const char *name);
void md_names_shrink(struct md_cache *md, uint64_t to);

/* md_cache_modify.c: what changes something. */
#define F(op) \
	int coroutine_fn md_##op(struct xlator *xl, struct call *call, const struct op##_args *args,                   \
				 struct op##_res *res);
F(mknod) F(mkdir) F(unlink) F(rmdir) F(symlink) F(rename) F(link) F(create)
F(truncate) F(writev) F(setxattr) F(removexattr) F(setattr) F(fallocate) F(discard) F(zerofill)
#undef F

#endif
