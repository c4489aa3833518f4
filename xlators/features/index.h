/* xlators/features/index.h: private to features/index. index_files.c does the system calls, on helper threads only. */
#ifndef XLATORS_FEATURES_INDEX_H
#define XLATORS_FEATURES_INDEX_H

#include "runtime/hash.h"
#include "runtime/list.h"
#include "runtime/sync.h"
#include "xlators/xlator.h"

enum index_type { INDEX_XATTROP, INDEX_DIRTY, INDEX_ENTRY_CHANGES, INDEX_TYPES };

extern const char *const index_names[INDEX_TYPES];	/* "xattrop", "dirty", "entry-changes": directories of the index base */

/* A place in the index. Without @entry it is the directory itself; @dir is for entry-changes: the directory whose names changed. */
struct index_path {
	int dirfd;			/* of the type's directory */
	enum index_type type;
	const char *entry;		/* a name that was checked, or NULL */
	char dir[GFID_TEXT_SIZE];	/* gfid text, or "" */
};

struct index_listing {			/* malloc'ed by the job, freed by the caller */
	struct index_name { uint64_t off; uint32_t type; char *name; } *names;
	unsigned n;
	bool eof;
};

/* index_reserve.c: blocks kept for marks. All block but index_reserve_short(). */
struct index_reserve { int fd; _Atomic int64_t left; };
void index_reserve_open(struct index_reserve *r, const char *base);	/* where that fails there is none */
void index_reserve_close(struct index_reserve *r);
bool index_reserve_short(const struct index_reserve *r);
void index_reserve_fill(struct index_reserve *r);
bool index_reserve_spend(struct index_reserve *r);			/* true: there is some room now */

/* All of these block. 0 or -errno. */
int index_open(const char *base, int dirfds[INDEX_TYPES]);	/* makes the directories that are missing */
void index_close(int dirfds[INDEX_TYPES]);
/* 1: newly there, 0: was there; -EMLINK: @base, the file that all entries of a type are hard links to, can take no more. Makes @base when it
 * is missing. */
int index_add(const struct index_path *path, const char *base);
/* 1: it was there and is gone, 0: was not there. A sub-directory goes with all that is in it: so does a stock brick's. */
int index_del(const struct index_path *path);
int index_stat(const struct index_path *path, struct iatt *ret_st);
/* From @offset on; hides base files and, where names are gfids, all that are none. @max names at most. */
int index_list(const struct index_path *path, uint64_t offset, unsigned max, struct index_listing *ret_listing);
void index_listing_free(struct index_listing *l);
int index_make_base(const struct index_path *path, const char *base);
int index_tidy(const struct index_path *path);	/* removes base files of former processes that nothing refers to */

#endif
