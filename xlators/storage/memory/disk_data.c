/* xlators/storage/memory/disk_data.c: content of files, in pages. Each change keeps the old page, so that a crash can take it back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/storage/memory/disk.h"

#define UNSYNCED_MAX 16384		/* pages of one file */
#define FILE_MAX (1ull << 44)
#define SIZE_ONLY UINT64_MAX		/* an undo record that is about the size alone */

struct undo_page {
	struct list link;
	uint64_t write, index, size;	/* which change; what was there before */
	struct disk_page *old;		/* NULL: there was none */
};

static void undo_drop(struct disk_object *obj, struct undo_page *u)
{
	list_remove(&u->link);
	obj->nundo--;
	free(u->old);
	free(u);
}

static uint64_t page_hash(uint64_t index)
{
	return hash_bytes(&index, sizeof(index), 0);
}

static struct disk_page *page_find(const struct disk_object *obj, uint64_t index)
{
	struct hash_link *l;

	for (l = hash_find(&obj->pages, page_hash(index)); l; l = hash_next(l))
		if (container_of(l, struct disk_page, link)->index == index)
			return container_of(l, struct disk_page, link);
	return NULL;
}

static void page_insert(struct disk_object *obj, struct disk_page *page)
{
	hash_insert(&obj->pages, &page->link, page_hash(page->index));
	obj->npages++;
	obj->disk->used += MEMORY_PAGE;
}

static struct disk_page *page_take(struct disk_object *obj, uint64_t index)
{
	struct disk_page *page = page_find(obj, index);

	if (!page)
		return NULL;
	hash_remove(&obj->pages, &page->link);
	obj->npages--;
	obj->disk->used -= MEMORY_PAGE;
	return page;
}

/* Takes page @index out and remembers it as what was there before this change. */
static struct disk_page *page_retire(struct disk_object *obj, uint64_t index)
{
	struct undo_page *u = disk_alloc(sizeof(*u));

	u->write = obj->writes;
	u->index = index;
	u->size = obj->size;
	u->old = page_take(obj, index);
	list_append(&obj->undo_data, &u->link);
	if (++obj->nundo > UNSYNCED_MAX)	/* write-back does not wait for ever */
		undo_drop(obj, list_first(&obj->undo_data, struct undo_page, link));
	return u->old;
}

static struct disk_page *page_for_change(struct disk_object *obj, uint64_t index)
{
	struct disk_page *old = page_retire(obj, index), *page = disk_alloc(sizeof(*page));

	if (old)
		memcpy(page->data, old->data, MEMORY_PAGE);
	page->index = index;
	page_insert(obj, page);
	return page;
}

int disk_data_write(struct disk_object *obj, uint64_t offset, const uint8_t *from, uint32_t len)
{
	uint64_t end = offset + len;

	if (end < offset || end > FILE_MAX)
		return -EFBIG;
	if (obj->disk->used + len > obj->disk->limit)
		return -ENOSPC;
	obj->writes++;
	while (len) {
		uint32_t in = (uint32_t)(offset % MEMORY_PAGE), n = MEMORY_PAGE - in < len ? MEMORY_PAGE - in : len;

		memcpy(page_for_change(obj, offset / MEMORY_PAGE)->data + in, from, n);
		from += n;
		offset += n;
		len -= n;
	}
	if (end > obj->size)
		obj->size = end;
	return 0;
}

void disk_data_read(const struct disk_object *obj, uint64_t offset, uint8_t *to, uint32_t len)
{
	while (len) {
		uint32_t in = (uint32_t)(offset % MEMORY_PAGE), n = MEMORY_PAGE - in < len ? MEMORY_PAGE - in : len;
		const struct disk_page *page = page_find(obj, offset / MEMORY_PAGE);

		if (page)
			memcpy(to, page->data + in, n);
		else
			memset(to, 0, n);
		to += n;
		offset += n;
		len -= n;
	}
}

/* First page with an index in [from, end). By stepping where that is short, else through the table. */
static bool next_page(const struct disk_object *obj, uint64_t from, uint64_t end, uint64_t *ret_index)
{
	uint64_t best = end;
	size_t i;

	if (end - from <= obj->npages * 4) {
		for (; from < end && !page_find(obj, from); from++)
			;
		*ret_index = from;
		return from < end;
	}
	for (i = 0; i < obj->pages.nbuckets; i++) {
		struct hash_link *l;

		for (l = obj->pages.buckets[i]; l; l = l->next) {
			uint64_t index = container_of(l, struct disk_page, link)->index;

			if (index >= from && index < best)
				best = index;
		}
	}
	*ret_index = best;
	return best < end;
}

static void punch(struct disk_object *obj, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len < offset || offset + len > FILE_MAX ? FILE_MAX : offset + len, index;

	while (offset < end && next_page(obj, offset / MEMORY_PAGE, (end - 1) / MEMORY_PAGE + 1, &index)) {
		uint64_t start = index * MEMORY_PAGE > offset ? index * MEMORY_PAGE : offset;
		uint64_t stop = (index + 1) * MEMORY_PAGE < end ? (index + 1) * MEMORY_PAGE : end;

		if (stop - start == MEMORY_PAGE)
			page_retire(obj, index);
		else
			memset(page_for_change(obj, index)->data + start % MEMORY_PAGE, 0, stop - start);
		offset = stop;
	}
}

void disk_data_punch(struct disk_object *obj, uint64_t offset, uint64_t len)
{
	obj->writes++;
	punch(obj, offset, len);
}

int disk_data_truncate(struct disk_object *obj, uint64_t size)
{
	if (size > FILE_MAX)
		return -EFBIG;
	obj->writes++;
	page_retire(obj, SIZE_ONLY);
	if (size < obj->size)
		punch(obj, size, FILE_MAX - size);
	obj->size = size;
	return 0;
}

bool disk_data_next(const struct disk_object *obj, uint64_t offset, bool hole, uint64_t *ret_offset)
{
	uint64_t index = offset / MEMORY_PAGE, found;

	if (offset >= obj->size)
		return false;
	if (hole) {
		while (index * MEMORY_PAGE < obj->size && page_find(obj, index))
			index++;
		found = index * MEMORY_PAGE;
		*ret_offset = found < offset ? offset : found > obj->size ? obj->size : found;
		return true;
	}
	if (!next_page(obj, index, (obj->size - 1) / MEMORY_PAGE + 1, &found))
		return false;
	*ret_offset = found * MEMORY_PAGE > offset ? found * MEMORY_PAGE : offset;
	return true;
}

void disk_data_sync(struct disk_object *obj)
{
	while (!list_empty(&obj->undo_data))
		undo_drop(obj, list_first(&obj->undo_data, struct undo_page, link));
}

void disk_data_crash(struct disk_object *obj)
{
	uint64_t first, survive;

	if (list_empty(&obj->undo_data))
		return;
	first = list_first(&obj->undo_data, struct undo_page, link)->write;
	survive = first + disk_random(obj->disk, obj->writes - first + 2);	/* changes before this one stay */
	while (!list_empty(&obj->undo_data)) {
		struct undo_page *u = list_entry(obj->undo_data.prev, struct undo_page, link);

		if (u->write < survive)
			break;
		if (u->index != SIZE_ONLY)
			free(page_take(obj, u->index));
		if (u->old)
			page_insert(obj, u->old);
		u->old = NULL;
		obj->size = u->size;
		undo_drop(obj, u);
	}
	disk_data_sync(obj);
}

void disk_data_free(struct disk_object *obj)
{
	size_t i;

	disk_data_sync(obj);
	for (i = 0; i < obj->pages.nbuckets; i++) {
		struct hash_link *l, *next;

		for (l = obj->pages.buckets[i]; l; l = next) {
			next = l->next;
			free(container_of(l, struct disk_page, link));
			obj->disk->used -= MEMORY_PAGE;
		}
	}
	hash_fini(&obj->pages);
}
