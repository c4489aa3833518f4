/* runtime/hash.h: an intrusive chained hash table that grows, and one fast hash (XXH3 through libxxhash, its only
 * door). */
#ifndef RUNTIME_HASH_H
#define RUNTIME_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_link { struct hash_link *next; uint64_t hash; };
struct hash_table { struct hash_link **buckets; size_t nbuckets, count; };

void hash_init(struct hash_table *t);			/* no memory until the first insert */
void hash_fini(struct hash_table *t);			/* frees the buckets, not the elements */
void hash_insert(struct hash_table *t, struct hash_link *item, uint64_t hash);
void hash_remove(struct hash_table *t, struct hash_link *item);
/* First element with this very hash, then the next: the caller compares keys. */
struct hash_link *hash_find(const struct hash_table *t, uint64_t hash);
struct hash_link *hash_next(const struct hash_link *item);

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_xxh64(const void *data, size_t len);	/* XXH64, seed 0: GlusterFS's gfid2path digits */

#endif
