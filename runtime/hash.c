/* runtime/hash.c: chains in a power-of-two array that doubles when it holds one element a bucket. The only file that
 * knows libxxhash. */
#include "runtime/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_BUCKETS 16

/* Callers may bring hashes with poor low bits (a gfid, a number): the multiplication spreads them. */
static size_t bucket_of(size_t nbuckets, uint64_t hash)
{
	return (size_t)((hash * 0x9e3779b97f4a7c15ull) >> 32) & (nbuckets - 1);
}

void hash_init(struct hash_table *t)
{
	memset(t, 0, sizeof(*t));
}

void hash_fini(struct hash_table *t)
{
	free(t->buckets);
	memset(t, 0, sizeof(*t));
}

static void grow(struct hash_table *t)
{
	size_t n = t->nbuckets ? t->nbuckets * 2 : FIRST_BUCKETS, i, b;
	struct hash_link **buckets = calloc(n, sizeof(*buckets)), *item, *next;

	if (!buckets) {
		if (!t->nbuckets)
			abort();
		return;		/* longer chains are slower, not wrong */
	}
	for (i = 0; i < t->nbuckets; i++) {
		for (item = t->buckets[i]; item; item = next) {
			next = item->next;
			b = bucket_of(n, item->hash);
			item->next = buckets[b];
			buckets[b] = item;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->nbuckets = n;
}

void hash_insert(struct hash_table *t, struct hash_link *item, uint64_t hash)
{
	size_t b;

	if (t->count >= t->nbuckets && t->nbuckets < 1u << 31)
		grow(t);
	b = bucket_of(t->nbuckets, hash);
	item->hash = hash;
	item->next = t->buckets[b];
	t->buckets[b] = item;
	t->count++;
}

void hash_remove(struct hash_table *t, struct hash_link *item)
{
	struct hash_link **at;

	assert(t->nbuckets);
	for (at = &t->buckets[bucket_of(t->nbuckets, item->hash)]; *at != item; at = &(*at)->next)
		assert(*at);
	*at = item->next;
	item->next = NULL;
	t->count--;
}

static struct hash_link *same(struct hash_link *item, uint64_t hash)
{
	while (item && item->hash != hash)
		item = item->next;
	return item;
}

struct hash_link *hash_find(const struct hash_table *t, uint64_t hash)
{
	return t->nbuckets ? same(t->buckets[bucket_of(t->nbuckets, hash)], hash) : NULL;
}

struct hash_link *hash_next(const struct hash_link *item)
{
	return same(item->next, item->hash);
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

uint64_t hash_xxh64(const void *data, size_t len)
{
	return XXH64(data, len, 0);
}
