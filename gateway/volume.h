/* gateway/volume.h: the volume behind the gateway: its graph, its identity, and what its bricks' comings and goings
 * mean to NFS clients. */
#ifndef GATEWAY_VOLUME_H
#define GATEWAY_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/sync.h"
#include "xlators/graph.h"

struct volume {
	struct loop *loop;
	struct graph *graph;
	const char *name;
	uint8_t id[16];			/* of the volume; in every file handle */
	uint64_t fsid;			/* from @id: the same on every gateway */
	uint8_t verifier[8]; /* of WRITE and COMMIT: another one after anything that may have lost unstable data */
	bool up, was_up;
	struct co_queue changed;	/* woken when up changes */
};

struct embedded { const char *const *dirs; unsigned n; unsigned replica; };

/* The text of a volfile with the bricks inside: storage/posix and what belongs above it for each directory, sets of
 * @replica, distribute over the sets. The caller frees it. NULL with a sentence. */
char *volume_embedded_volfile(const char *name, const char *id_text, const struct embedded *bricks, struct error *err);
/* Parses @text with performance/md-cache put on top, unless it has one. @sole: nobody else uses the bricks. NULL with a
 * sentence. */
struct volfile *volume_parse(const char *text, size_t len, const char *filename, uint64_t cache_size, bool sole,
			     struct error *err);
struct volfile *volume_read(const char *path, uint64_t cache_size, struct error *err); /* the same for a file; blocks */
const char *volume_top_name(const struct volfile *vf);		/* the volfile's own top section, the cache left out */

/* What a volfile says of the volume's identity: any section's volume-id, or else an id made from the name, the same
 * each time. */
void volume_find_id(const struct volfile *vf, const char *name, uint8_t ret_id[16]);
void volume_id_from_name(const char *name, uint8_t ret_id[16]);

/* @vol is zeroed but for loop and name; @id may be NULL. 0 or -errno with a sentence. */
int coroutine_fn volume_start(struct volume *vol, const struct volfile *vf, const uint8_t *id, unsigned max_inodes,
			      struct error *err);
void coroutine_fn volume_stop(struct volume *vol);
/* Waits until the volume can serve; after it was up once this returns at once (what is down then, calls find out). 0 or
 * -ENOTCONN. */
int coroutine_fn volume_wait(struct volume *vol, uint64_t at_most_ns);

#endif
