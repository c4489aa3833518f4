/* xlators/storage/memory/disk.c: objects and names, and the journal that can undo what was not forced.
 *
 * The one idea: every change is applied at once and leaves a record of what was there before. Forcing drops records from the oldest on;
 * a crash applies them from the newest back to a seeded point. Whole transactions only: a rename is not torn. */
#include "xlators/storage/memory/disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/gfid.h"

#define JOURNAL_MAX 65536

enum undo_kind { UNDO_OBJECT_NEW, UNDO_ATTRIBUTES, UNDO_NAME_ADD, UNDO_NAME_DEL, UNDO_XATTR };

struct undo {
	struct list link;
	uint64_t txn;
	enum undo_kind kind;
	struct disk_object *object;		/* a reference */
	struct disk_entry *dentry;		/* NAME_DEL: owned */
	struct mxattr *xattr;		/* XATTR: the old one, or an empty one with len UINT32_MAX: there was none */
	struct iatt st;
	struct disk_object *parent;
	bool mdata;
};

static struct list disks = LIST_INIT(disks);

void *disk_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

uint64_t disk_random(struct memory_disk *disk, uint64_t below)
{
	uint64_t x = disk->rng += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return (x ^ (x >> 31)) % below;
}

/* ---- objects ---- */

static uint64_t gfid_hash(const uint8_t *gfid)
{
	return hash_bytes(gfid, 16, 0);
}

struct disk_object *disk_object_find(struct memory_disk *disk, const uint8_t *gfid)
{
	struct hash_link *l;

	for (l = hash_find(&disk->objects, gfid_hash(gfid)); l; l = hash_next(l)) {
		struct disk_object *obj = container_of(l, struct disk_object, link);

		if (obj->st.nlink && gfid_equal(obj->st.gfid, gfid))
			return obj;
	}
	return NULL;
}

struct disk_object *disk_object_ref(struct disk_object *obj)
{
	obj->refs++;
	return obj;
}

void disk_object_unref(struct disk_object *obj)
{
	if (--obj->refs > 0)
		return;
	hash_remove(&obj->disk->objects, &obj->link);
	list_remove(&obj->all);
	disk_data_free(obj);
	while (!list_empty(&obj->xattrs)) {
		struct mxattr *x = list_entry(list_pop(&obj->xattrs), struct mxattr, link);

		free(x->value);
		free(x);
	}
	assert(list_empty(&obj->order));
	hash_fini(&obj->names);
	free(obj->target);
	free(obj);
}

static struct undo *undo_add(struct disk_object *obj, enum undo_kind kind)
{
	struct undo *u = disk_alloc(sizeof(*u));

	u->kind = kind;
	u->txn = obj->last_txn = obj->disk->txn;
	u->object = disk_object_ref(obj);
	list_append(&obj->disk->journal, &u->link);
	if (++obj->disk->njournal > JOURNAL_MAX)	/* a real log is not endless either */
		disk_force(obj->disk, list_first(&obj->disk->journal, struct undo, link)->txn);
	return u;
}

static struct disk_object *object_alloc(struct memory_disk *disk, const uint8_t *gfid, uint32_t mode)
{
	struct disk_object *obj = disk_alloc(sizeof(*obj));

	obj->disk = disk;
	obj->refs = 1;
	memcpy(obj->st.gfid, gfid, 16);
	obj->st.mode = mode;
	obj->st.blksize = MEMORY_PAGE;
	obj->st.dev = 1;
	obj->next_off = 3;		/* after "." and ".." */
	hash_init(&obj->pages);
	hash_init(&obj->names);
	list_init(&obj->order);
	list_init(&obj->undo_data);
	list_init(&obj->xattrs);
	hash_insert(&disk->objects, &obj->link, gfid_hash(gfid));
	list_append(&disk->all, &obj->all);
	return obj;
}

struct disk_object *disk_object_new(struct memory_disk *disk, const uint8_t *gfid, uint32_t mode)
{
	struct disk_object *obj = object_alloc(disk, gfid, mode);

	undo_add(obj, UNDO_OBJECT_NEW);
	return obj;
}

void disk_object_touch(struct disk_object *obj)
{
	struct undo *u = undo_add(obj, UNDO_ATTRIBUTES);

	u->st = obj->st;
	u->mdata = obj->mdata;
	u->parent = obj->parent;
}

void disk_object_stat(const struct disk_object *obj, struct iatt *ret_st)
{
	*ret_st = obj->st;
	ret_st->size = obj->size;
	ret_st->blocks = obj->npages * (MEMORY_PAGE / 512);
	if (obj->target)
		ret_st->size = strlen(obj->target);
	else if (obj->st.nlink && (obj->st.mode & 0170000) == 0040000)
		ret_st->size = MEMORY_PAGE;
}

/* ---- names ---- */

static uint64_t name_hash(const char *name)
{
	return hash_bytes(name, strlen(name), 0);
}

struct disk_entry *disk_entry_find(const struct disk_object *dir, const char *name)
{
	struct hash_link *l;

	for (l = hash_find(&dir->names, name_hash(name)); l; l = hash_next(l))
		if (strcmp(container_of(l, struct disk_entry, link)->name, name) == 0)
			return container_of(l, struct disk_entry, link);
	return NULL;
}

/* Back to its old place, so that offsets stay stable. */
static void entry_link(struct disk_object *dir, struct disk_entry *d)
{
	struct list *pos = dir->order.prev;

	while (pos != &dir->order && list_entry(pos, struct disk_entry, order)->off > d->off)
		pos = pos->prev;
	list_insert(pos, &d->order);
	hash_insert(&dir->names, &d->link, name_hash(d->name));
	dir->nentries++;
}

static void entry_unlink(struct disk_object *dir, struct disk_entry *d)
{
	list_remove(&d->order);
	hash_remove(&dir->names, &d->link);
	dir->nentries--;
}

static void entry_free(struct disk_entry *d)
{
	disk_object_unref(d->object);
	free(d);
}

void disk_entry_add(struct disk_object *dir, const char *name, struct disk_object *obj)
{
	struct disk_entry *d = disk_alloc(sizeof(*d) + strlen(name) + 1);

	memcpy(d->name, name, strlen(name) + 1);
	d->object = disk_object_ref(obj);
	d->off = dir->next_off++;
	entry_link(dir, d);
	undo_add(dir, UNDO_NAME_ADD)->dentry = d;
	obj->last_txn = dir->disk->txn;
}

void disk_entry_del(struct disk_object *dir, struct disk_entry *d)
{
	entry_unlink(dir, d);
	undo_add(dir, UNDO_NAME_DEL)->dentry = d;
	d->object->last_txn = dir->disk->txn;
}

/* ---- extended attributes ---- */

struct mxattr *disk_xattr_find(const struct disk_object *obj, const char *name)
{
	struct list *pos;

	list_for_each(pos, &obj->xattrs)
		if (strcmp(list_entry(pos, struct mxattr, link)->name, name) == 0)
			return list_entry(pos, struct mxattr, link);
	return NULL;
}

static struct mxattr *mxattr_new(const char *name, const void *value, uint32_t len)
{
	struct mxattr *x = disk_alloc(sizeof(*x) + strlen(name) + 1);

	memcpy(x->name, name, strlen(name) + 1);
	list_init(&x->link);
	x->len = len;
	if (value) {
		x->value = disk_alloc(len + 1);
		memcpy(x->value, value, len);
	}
	return x;
}

static void mxattr_free(struct mxattr *x)
{
	if (!x)
		return;
	free(x->value);
	free(x);
}

void disk_xattr_set(struct disk_object *obj, const char *name, const void *value, uint32_t len)
{
	struct mxattr *old = disk_xattr_find(obj, name);
	struct undo *u = undo_add(obj, UNDO_XATTR);

	if (old)
		list_remove(&old->link);
	u->xattr = old ? old : mxattr_new(name, NULL, 0);	/* without a value: there was none */
	if (value)
		list_append(&obj->xattrs, &mxattr_new(name, value, len)->link);
}

/* ---- the journal ---- */

void disk_begin(struct memory_disk *disk)
{
	disk->txn++;
}

static void undo_free(struct undo *u)
{
	list_remove(&u->link);
	u->object->disk->njournal--;
	if (u->kind == UNDO_NAME_DEL && u->dentry)
		entry_free(u->dentry);
	mxattr_free(u->xattr);
	disk_object_unref(u->object);
	free(u);
}

void disk_force(struct memory_disk *disk, uint64_t upto_txn)
{
	while (!list_empty(&disk->journal)) {
		struct undo *u = list_first(&disk->journal, struct undo, link);

		if (u->txn > upto_txn)
			break;
		undo_free(u);
	}
	if (upto_txn > disk->forced)
		disk->forced = upto_txn;
}

static void undo_xattr(struct undo *u)
{
	struct mxattr *now = disk_xattr_find(u->object, u->xattr->name);

	if (now) {
		list_remove(&now->link);
		mxattr_free(now);
	}
	if (!u->xattr->value)
		return;
	list_append(&u->object->xattrs, &u->xattr->link);
	u->xattr = NULL;
}

static void undo_apply(struct undo *u)
{
	switch (u->kind) {
	case UNDO_OBJECT_NEW:
		u->object->st.nlink = 0;
		break;
	case UNDO_ATTRIBUTES:
		u->object->st = u->st;
		u->object->mdata = u->mdata;
		u->object->parent = u->parent;
		break;
	case UNDO_NAME_ADD:
		entry_unlink(u->object, u->dentry);
		entry_free(u->dentry);
		break;
	case UNDO_NAME_DEL:
		entry_link(u->object, u->dentry);
		u->dentry = NULL;
		break;
	case UNDO_XATTR:
		undo_xattr(u);
		break;
	}
	undo_free(u);
}

void memory_disk_hang(struct memory_disk *disk, enum memory_hang hang)
{
	disk->hang = hang;
	co_queue_wake_all(&disk->runs);
}

uint64_t memory_disk_unforced(const struct memory_disk *disk)
{
	return disk->njournal;
}

void memory_disk_kill(struct memory_disk *disk)
{
	struct list *pos;

	disk->epoch++;
	co_queue_wake_all(&disk->runs);
	list_for_each(pos, &disk->all)
		list_entry(pos, struct disk_object, all)->opens = 0;
}

void memory_disk_crash(struct memory_disk *disk)
{
	uint64_t survive = disk->forced + disk_random(disk, disk->txn - disk->forced + 1);
	struct list *pos, *tmp;

	memory_disk_kill(disk);
	while (!list_empty(&disk->journal)) {
		struct undo *u = list_entry(disk->journal.prev, struct undo, link);

		if (u->txn <= survive)
			break;
		undo_apply(u);
	}
	disk_force(disk, disk->txn);
	list_for_each_safe(pos, tmp, &disk->all)
		disk_data_crash(list_entry(pos, struct disk_object, all));
}

/* ---- disks ---- */

struct memory_disk *memory_disk_find(const char *name)
{
	struct list *pos;

	list_for_each(pos, &disks)
		if (strcmp(list_entry(pos, struct memory_disk, link)->name, name) == 0)
			return list_entry(pos, struct memory_disk, link);
	return NULL;
}

struct memory_disk *memory_disk_new(const char *name, uint64_t seed, uint64_t limit)
{
	struct memory_disk *disk = disk_alloc(sizeof(*disk));

	disk->name = disk_alloc(strlen(name) + 1);
	memcpy(disk->name, name, strlen(name) + 1);
	disk->rng = seed;
	disk->limit = limit ? limit : 1ull << 30;
	hash_init(&disk->objects);
	list_init(&disk->all);
	list_init(&disk->journal);
	co_queue_init(&disk->runs);
	list_append(&disks, &disk->link);
	disk->root = object_alloc(disk, gfid_root, 0040755);
	disk->root->st.nlink = 2;
	disk->root->parent = disk->root;
	return disk;
}

static void empty_directory(struct disk_object *dir)
{
	while (!list_empty(&dir->order)) {
		struct disk_entry *d = list_first(&dir->order, struct disk_entry, order);

		entry_unlink(dir, d);
		entry_free(d);
	}
}

void memory_disk_free(struct memory_disk *disk)
{
	struct list *pos;

	if (!disk)
		return;
	disk_force(disk, UINT64_MAX);
	list_for_each(pos, &disk->all)
		disk_object_ref(list_entry(pos, struct disk_object, all));
	list_for_each(pos, &disk->all)
		empty_directory(list_entry(pos, struct disk_object, all));
	disk_object_unref(disk->root);
	while (!list_empty(&disk->all)) {
		assert(list_first(&disk->all, struct disk_object, all)->refs == 1);
		disk_object_unref(list_first(&disk->all, struct disk_object, all));
	}
	list_remove(&disk->link);
	hash_fini(&disk->objects);
	free(disk->name);
	free(disk);
}
