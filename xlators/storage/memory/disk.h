/* xlators/storage/memory/disk.h: private to storage/memory: objects, names, extended attributes and pages, each change with its undo.
 *
 * A change is part of the transaction disk_begin() opened; its undo record stays until something forces the journal that far. */
#ifndef XLATORS_STORAGE_MEMORY_DISK_H
#define XLATORS_STORAGE_MEMORY_DISK_H

#include <stdbool.h>

#include "runtime/hash.h"
#include "runtime/list.h"
#include "xlators/fop.h"
#include "xlators/storage/memory/memory.h"

#define MEMORY_PAGE 4096u
#define XATTR_LINKTO "trusted.glusterfs.dht.linkto"
#define XATTR_MDATA "trusted.glusterfs.mdata"

struct memory_disk {
	struct list link;
	char *name;
	uint64_t rng, limit, used, epoch;
	struct hash_table objects;
	struct list all;		/* objects, living or not */
	struct list journal;		/* struct undo, oldest first */
	uint64_t njournal;
	uint64_t txn, forced;		/* the last transaction begun; the last one forced */
	struct object *root;
};

struct object {
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
	struct hash_table names;	/* directory: struct dentry by name */
	struct list order;		/* the same, by offset */
	uint64_t next_off, nentries;
	struct object *parent;		/* of a directory; no reference */
};

struct dentry { struct hash_link link; struct list order; struct object *object; uint64_t off; char name[]; };
struct mxattr { struct list link; uint32_t len; void *value; char name[]; };
struct page { struct hash_link link; uint64_t index; uint8_t data[MEMORY_PAGE]; };

void *must_alloc(size_t size);		/* zeroed; aborts */
uint64_t disk_random(struct memory_disk *disk, uint64_t below);

/* disk.c: the journal */
void disk_begin(struct memory_disk *disk);
void disk_force(struct memory_disk *disk, uint64_t upto_txn);
struct object *object_find(struct memory_disk *disk, const uint8_t *gfid);	/* has a name; no reference */
struct object *object_new(struct memory_disk *disk, const uint8_t *gfid, uint32_t mode);	/* a reference for the caller */
struct object *object_ref(struct object *obj);
void object_unref(struct object *obj);
void object_touch(struct object *obj);		/* before any change of obj->st, mdata, parent */
void object_stat(const struct object *obj, struct iatt *ret_st);
struct dentry *entry_find(const struct object *dir, const char *name);
void entry_add(struct object *dir, const char *name, struct object *obj);
void entry_del(struct object *dir, struct dentry *d);
struct mxattr *mxattr_find(const struct object *obj, const char *name);
void mxattr_set(struct object *obj, const char *name, const void *value, uint32_t len);	/* value NULL: removes it */

/* disk_data.c: content */
int data_write(struct object *obj, uint64_t offset, const uint8_t *from, uint32_t len);	/* 0, -ENOSPC, -EFBIG */
void data_read(const struct object *obj, uint64_t offset, uint8_t *to, uint32_t len);
int data_truncate(struct object *obj, uint64_t size);
void data_punch(struct object *obj, uint64_t offset, uint64_t len);	/* reads as zeros then; the size stays */
bool data_next(const struct object *obj, uint64_t offset, bool hole, uint64_t *ret_offset);	/* SEEK_DATA, SEEK_HOLE */
void data_sync(struct object *obj);		/* unsynced content becomes stable */
void data_crash(struct object *obj);		/* a seeded part of what is unsynced goes */
void data_free(struct object *obj);

#endif
