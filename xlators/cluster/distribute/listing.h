/* xlators/cluster/distribute/listing.h: what listings and what looks at them share. */
#ifndef DISTRIBUTE_LISTING_H
#define DISTRIBUTE_LISTING_H

#include "xlators/cluster/distribute/distribute.h"

/* --- misplaced.c: files without the linkto that should tell where they are ------------------------------------------ */
enum dht_check { DHT_CHECK_LEFTOVERS, DHT_CHECK_MEND, DHT_CHECK_REVEAL };
/* A page of @child's listing: leftovers of renames that were cut short are taken out (REVEAL: made whole names again), and with MEND a file by
 * its only name gets the linkto back that it misses. */
int coroutine_fn dht_check_names(struct xlator *xl, struct call *call, struct inode *dir, const struct dht_layout *l, int child,
				 enum dht_check how, struct readdir_res *r);
/* Is this page of a listing one to be mended? Asked before it is read. */
bool coroutine_fn dht_sweep_page(struct xlator *xl, struct call *call, struct inode *dir, bool first);
void dht_sweep_end(struct xlator *xl, struct inode *dir);
/* Removes what is left of a rename that was cut short from where @name does not hash to, so that @gfid can have it there. 0: nothing is in the
 * way now. -EEXIST: something else is, or that very file. */
int coroutine_fn dht_clear_leftover(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int child,
				    const uint8_t *gfid);
/* A directory that has names does not go: those that nobody sees, and so nobody can remove, are made whole. */
void coroutine_fn dht_reveal_names(struct xlator *xl, struct call *call, const uint8_t *gfid);

/* --- replaced.c: what a rename replaces on a third subvolume ---------------------------- */
/* Before the rename: @victim on child @on is replaced by the file @by under this name. */
int coroutine_fn dht_note_replaced(struct xlator *xl, struct call *call, struct inode *parent,
				   const char *name, struct inode *victim, int on, const uint8_t *by);
/* After it, under the name's lock: @f, found under the name, has replaced what bears such a
 * note. */
int coroutine_fn dht_clear_replaced(struct xlator *xl, struct call *call, struct inode *parent,
				    const char *name, const struct dht_found *f);

/* --- cookie.c: a directory position among many subvolumes in 63 bits ------------------------------------------- */
#define DHT_COOKIE_RUN_MAX 16
struct dht_pos { unsigned rank; uint64_t off; bool wide; unsigned after; };
/* @after: entries of this child that follow in the same bucket; only for wide offsets. */
uint64_t dht_cookie_pack(unsigned nchildren, unsigned rank, uint64_t off, unsigned after);
int dht_cookie_unpack(unsigned nchildren, uint64_t cookie, struct dht_pos *ret);	/* -EINVAL: none of ours */
bool dht_off_wide(uint64_t off);
uint64_t dht_off_bucket(unsigned nchildren, uint64_t off);	/* equal for offsets that a cookie cannot tell apart */

#endif
