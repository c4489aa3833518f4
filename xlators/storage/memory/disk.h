/* xlators/storage/memory/disk.h: private to storage/memory: objects, names, extended attributes and pages, each change with its undo.
 *
 * A change is part of the transaction disk_begin() opened; its undo record stays until something forces the journal that far. */
#ifndef XLATORS_STORAGE_MEMORY_DISK_H
#define XLATORS_STORAGE_MEMORY_DISK_H

#include <stdbool.h>

#include "runtime/hash.h"
#include "runtime/list.h"
#include "runtime/sync.h"
#include "xlators/fop.h"
#include "xlators/mdata.h"
#include "xlators/storage/memory/memory.h"

#define MEMORY_PAGE 4096u
#define XATTR_LINKTO "trusted.glusterfs.dht.linkto"

struct memory_disk {
	struct list link;
	char *name;
	uint64_t rng, limit, used, epoch, calls;
	enum memory_hang hang;
	struct co_queue runs;
	struct hash_table objects;
	struct list all;		/* objects, living or not */
	struct list journal;		/* struct undo, oldest first */
	uint64_t njournal;
	uint64_t txn, forced;		/* the last transaction begun; the last one forced */
	struct disk_object *root;
};

struct disk_object {
	struct hash_link link;		/* in disk.objects, by gfid */
	struct list all;
	struct memory_disk *disk;
	uint32_t refs;			/* names, undo records, open handles, the disk (root) */
	uint32_t opens;
	bool mdata;			/* its times are the clients', not the clock's */
	struct iatt st;			/* without size and blocks */
	uint64_t size, last_txn, writes;	/* writes: how many changes of content there were */
	struct hash_table pages;
	uint64_t npages;
	struct list undo_data;		/* struct undo_page, oldest first */
	uint64_t nundo;
	struct list xattrs;
	char *target;			/* symbolic link */
	struct hash_table names;	/* directory: struct disk_entry by name */
	struct list order;		/* the same, by offset */
	uint64_t next_off, nentries;
	struct disk_object *parent;		/* of a directory; no reference */
};

struct disk_entry { struct hash_link link; struct list order; struct disk_object *object; uint64_t off; char name[]; };
struct mxattr { struct list link; uint32_t len; void *value; char name[]; };
struct disk_page { struct hash_link link; uint64_t index; uint8_t data[MEMORY_PAGE]; };

void *disk_alloc(size_t size);		/* zeroed; aborts */
uint64_t disk_random(struct memory_disk *disk, uint64_t below);

/* disk.c: the journal */
void disk_begin(struct memory_disk *disk);
void disk_force(struct memory_disk *disk, uint64_t upto_txn);
struct disk_object *disk_object_find(struct memory_disk *disk, const uint8_t *gfid);	/* has a name; no reference */
struct disk_object *disk_object_new(struct memory_disk *disk, const uint8_t *gfid, uint32_t mode);	/* a reference for the caller */
struct disk_object *disk_object_ref(struct disk_object *obj);
void disk_object_unref(struct disk_object *obj);
void disk_object_touch(struct disk_object *obj);		/* before any change of obj->st, mdata, parent */
void disk_object_stat(const struct disk_object *obj, struct iatt *ret_st);
struct disk_entry *disk_entry_find(const struct disk_object *dir, const char *name);
void disk_entry_add(struct disk_object *dir, const char *name, struct disk_object *obj);
void disk_entry_del(struct disk_object *dir, struct disk_entry *d);
struct mxattr *disk_xattr_find(const struct disk_object *obj, const char *name);
void disk_xattr_set(struct disk_object *obj, const char *name, const void *value, uint32_t len);	/* value NULL: removes it */

/* disk_data.c: content */
int disk_data_write(struct disk_object *obj, uint64_t offset, const uint8_t *from, uint32_t len);	/* 0, -ENOSPC, -EFBIG */
void disk_data_read(const struct disk_object *obj, uint64_t offset, uint8_t *to, uint32_t len);
int disk_data_truncate(struct disk_object *obj, uint64_t size);
void disk_data_punch(struct disk_object *obj, uint64_t offset, uint64_t len);	/* reads as zeros then; the size stays */
bool disk_data_next(const struct disk_object *obj, uint64_t offset, bool hole, uint64_t *ret_offset);	/* SEEK_DATA, SEEK_HOLE */
void disk_data_sync(struct disk_object *obj);		/* unsynced content becomes stable */
void disk_data_crash(struct disk_object *obj);		/* a seeded part of what is unsynced goes */
void disk_data_free(struct disk_object *obj);

#endif
