/* xlators/performance/md_cache_names.c: names of directories, there or not, in one hash table with an LRU and a bound
 * in bytes.
 *
 * A name is kept under its directory's number, not its gfid: giving the directory a new number forgets all its names at
 * once, and those left behind drift to the end of the LRU. */
#include <stdlib.h>
#include <string.h>

#include "xlators/performance/md_cache.h"

/* What malloc() takes for it, and its share of the buckets. */
static uint64_t cost(size_t len)
{
	return ((offsetof(struct md_name, name) + len + 8 + 15) & ~(size_t)15) + sizeof(void *);
}

uint64_t md_name_key(uint64_t names, const char *name)
{
	return hash_bytes(name, strlen(name), names);
}

static struct md_name *search(const struct md_cache *md, uint64_t names, uint64_t key, const char *name)
{
	struct hash_link *link = hash_find(&md->names, key);
	size_t len = strlen(name);

	for (; link; link = hash_next(link)) {
		struct md_name *n = container_of(link, struct md_name, link);

		if (n->names == names && n->len == len && memcmp(n->name, name, len) == 0)
			return n;
	}
	return NULL;
}

static void name_free(struct md_cache *md, struct md_name *n)
{
	hash_remove(&md->names, &n->link);
	list_remove(&n->lru);
	md->used -= cost(n->len);
	free(n);
}

struct md_name *md_name_find(struct xlator *xl, uint64_t names, uint64_t key, const char *name)
{
	struct md_cache *md = xl->priv;
	struct md_name *n = search(md, names, key, name);

	if (!n || n->until <= loop_now_ns(xl_loop(xl)))
		return NULL;
	list_remove(&n->lru);
	list_append(&md->names_lru, &n->lru);
	return n;
}

void md_names_shrink(struct md_cache *md, uint64_t to)
{
	while (md->used > to && !list_empty(&md->names_lru))
		name_free(md, list_first(&md->names_lru, struct md_name, lru));
}

void md_name_keep(struct xlator *xl, uint64_t names, uint64_t key, const char *name, uint64_t until,
		  const uint8_t *gfid)
{
	static const uint8_t nothing[16];
	struct md_cache *md = xl->priv;
	struct md_name *n = search(md, names, key, name);
	size_t len = strlen(name);

	if (!n) {
		if (len > 255 || cost(len) > md->size)
			return;
		md_names_shrink(md, md->size - cost(len));
		n = malloc(offsetof(struct md_name, name) + len);
		if (!n)
			return;
		n->names = names;
		n->len = (uint8_t)len;
		memcpy(n->name, name, len);
		list_init(&n->lru);
		hash_insert(&md->names, &n->link, key);
		md->used += cost(len);
	}
	list_remove(&n->lru);
	list_append(&md->names_lru, &n->lru);
	n->until = until;
	memcpy(n->gfid, gfid ? gfid : nothing, 16);
}

void md_name_drop(struct xlator *xl, uint64_t names, uint64_t key, const char *name)
{
	struct md_cache *md = xl->priv;
	struct md_name *n = search(md, names, key, name);

	if (n)
		name_free(md, n);
}
