/* xlators/features/index_private.h: the state of features/index, on the loop. */
#ifndef XLATORS_FEATURES_INDEX_PRIVATE_H
#define XLATORS_FEATURES_INDEX_PRIVATE_H

#include "xlators/features/index.h"

#define INDEX_BASE_SIZE 64

/* An object that is in an index, or that an xattrop is working on. */
struct index_object {
	struct hash_link link;
	uint8_t gfid[16];
	uint32_t users;
	bool in[INDEX_ENTRY_CHANGES];	/* xattrop, dirty */
	bool dirty;			/* what the last xattrop saw */
	struct co_mutex mutex;		/* one change of it at a time: its index entry and its changelog must agree */
	struct list stale;		/* in index.stale while its dirty entry waits to be removed */
	uint64_t stale_since_ns;
};

struct index {
	char *base, *dirty_watchlist, *pending_watchlist;
	uint64_t linger_ms;
	int64_t max_known;
	/* end of options */
	struct xlator *xl;
	bool ready, stopping;
	int dirfds[INDEX_TYPES];
	char bases[INDEX_TYPES][INDEX_BASE_SIZE];
	struct hash_table objects;
	bool all_known;			/* what is not in objects is in no index */
	uint64_t count[INDEX_ENTRY_CHANGES];
	struct list stale;		/* oldest first */
	struct timer sweep;
	struct co_gate background;
	struct index_reserve reserve;
	uint64_t filled_ns;		/* when the reserve was last to be filled up */
	uint8_t virtual[INDEX_TYPES][16];	/* gfids of the three directories that clients may read */
	struct hash_table subdirs;	/* directories in entry-changes that a client looked up */
	struct list subdir_order;
	unsigned nsubdirs;
};

/* index.c */
/* For a healer: 1 when the entry was there, 0 when not. Waits while a change of the object is under way. */
int coroutine_fn index_remove(struct index *ix, enum index_type type, const uint8_t *gfid);

/* index_virtual.c: the index as directories that a healer reads. */
void index_virtual_init(struct index *ix);
void index_virtual_fini(struct index *ix);
int coroutine_fn index_lookup(struct xlator *, struct call *, const struct lookup_args *, struct lookup_res *);
int coroutine_fn index_fstat(struct xlator *, struct call *, const struct stat_args *, struct stat_res *);
int coroutine_fn index_getxattr(struct xlator *, struct call *, const struct getxattr_args *, struct getxattr_res *);
int coroutine_fn index_opendir(struct xlator *, struct call *, const struct opendir_args *, struct opendir_res *);
int coroutine_fn index_readdir(struct xlator *, struct call *, const struct readdir_args *, struct readdir_res *);
int coroutine_fn index_unlink(struct xlator *, struct call *, const struct unlink_args *, struct unlink_res *);
int coroutine_fn index_rmdir(struct xlator *, struct call *, const struct rmdir_args *, struct rmdir_res *);

#endif
