/* mgmt/brick_dir.h: may this directory become a brick? All of it blocks: through loop_offload(). */
#ifndef MGMT_BRICK_DIR_H
#define MGMT_BRICK_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/error.h"
#include "xlators/brick_identity.h"

struct brick_dir {
	const char *path;
	uint8_t id[16];			/* of the volume that it is for */
	bool force;
	const uint8_t (*known)[16];	/* ids of volumes that exist: their bricks are never taken */
	unsigned nknown;
	const char *roots;		/* directories with commas between, one of which it must lie below; NULL: anywhere */
	bool made;			/* brick_dir_prepare() made the directory */
	bool marked;			/* ... and put the volume's id on it */
	char identity[IDENTITY_SIZE];	/* ... and found which one it is */
};

/* Looks, makes the directory (its parent must be there) and marks it. 0 or -errno with a sentence: what, why and the cure. */
int brick_dir_prepare(struct brick_dir *d, struct error *err);
void brick_dir_release(const struct brick_dir *d);	/* undoes what prepare did, while nothing has been put there */

/* Finds which directory it is when it has the marks of a brick of the volume @id. Changes nothing. 0 or -errno with a sentence. */
int brick_dir_identify(struct brick_dir *d, struct error *err);

struct brick_disk {
	char device[256], filesystem[32], mount_options[256];
	uint64_t block_size, size_total, size_free, inodes_total, inodes_free;	/* sizes in bytes */
	uint32_t inode_size;		/* 0: not known */
	uint32_t mode, uid, gid;	/* of the brick's root directory */
};
int brick_dir_disk(const char *path, struct brick_disk *ret_disk);	/* 0 or -errno */

#endif
