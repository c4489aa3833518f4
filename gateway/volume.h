/* gateway/volume.h: a volume behind the gateway: its identity, its graph, and what its bricks' comings and goings mean to NFS
 * clients.
 *
 * A volume outlives its graphs: when its volfile changes beyond options, a new graph takes the place of the old one, which
 * goes when the last call that began on it has ended. Volumes and graphs are counted by those who use them. */
#ifndef GATEWAY_VOLUME_H
#define GATEWAY_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/doubt.h"
#include "rpc/mac.h"
#include "runtime/hash.h"
#include "runtime/list.h"
#include "runtime/sync.h"
#include "xlators/graph.h"

#define VOLUME_PROCS 22			/* of NFS version 3 */
#define VOLUME_CHANGES 256

/* Changes of objects whose gfids end alike: how many began, and how many run. */
struct volume_changes { uint32_t begun, running; };

struct volume_graph {
	struct volume *volume;
	struct graph *graph;
	struct volfile *vf;		/* what it was built from */
	unsigned users;			/* calls, and the volume itself while this is its present one */
	bool up, was_up;
};

struct volume {
	struct volume_changes changes[VOLUME_CHANGES];
	struct loop *loop;
	char *name;
	uint64_t name_hash;		/* as exports have it */
	uint8_t id[16];			/* in every file handle */
	bool has_id;			/* false: its volfile was never good, so nobody knows */
	bool retired;
	uint64_t fsid;			/* from @id: the same on every gateway */
	uint8_t verifier[8];		/* of WRITE and COMMIT: another one after anything that may have lost unstable data */
	struct mac *mac;		/* signs its handles */
	struct doubts *doubts;
	struct volume_graph *now;	/* NULL: its volfile is not good, or it was retired */
	struct co_queue changed;	/* woken when a graph comes up, comes or goes */
	struct list in_set;		/* volume_set.h */
	struct hash_link by_id;
	unsigned refs, graphs, waiting;
	unsigned max_inodes;
	uint64_t calls[VOLUME_PROCS], failed;	/* failed: replies that were not NFS3_OK */
};

/* --- volfiles (volume_file.c) --- */

struct embedded { const char *const *dirs; unsigned n; unsigned replica; bool create; };	/* create: mark them */

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

/* --- life (volume.c) --- */

/* A volume without a graph; a reference for the caller. NULL with a sentence. */
struct volume *volume_new(struct loop *loop, const char *name, const uint8_t key[MAC_KEY_SIZE], struct error *err);
int volume_set_key(struct volume *vol, const uint8_t key[MAC_KEY_SIZE]);	/* handles signed so far are void; 0 or -ENOMEM */
struct volume *volume_ref(struct volume *vol);
void volume_unref(struct volume *vol);		/* accepts NULL */

/* Its first graph. @vf is the volume's when this succeeds. @id may be NULL: volume_find_id(). 0 or -errno with a sentence. */
int coroutine_fn volume_start(struct volume *vol, struct volfile *vf, const uint8_t *id, unsigned max_inodes, struct error *err);
/* From its present volfile to @vf, which is taken in any case: options are set, or else a new graph takes over, as soon as it
 * is up, at the latest at @until_ns. 0: all the same; 1: done; -EREMOTE: @vf is of a volume with another id; or -errno with a
 * sentence, and the volume is as it was. One at a time. */
int coroutine_fn volume_change(struct volume *vol, struct volfile *vf, uint64_t until_ns, struct error *err);
/* Nobody gets a graph from here on, and who waits for one is told. What calls hold stays until they end. */
void volume_retire(struct volume *vol);
/* Waits until the last graph is gone; or the interruption. */
int coroutine_fn volume_gone(struct volume *vol);

/* Waits until the volume can serve; after it was up once this returns at once (what is down then, calls find out). 0,
 * -ENOTCONN, or -ESTALE when it was retired. */
int coroutine_fn volume_wait(struct volume *vol, uint64_t at_most_ns);
void volume_graph_end(struct volume_graph *vg);		/* nobody uses it any more */
static inline void volume_let_go(struct volume_graph *vg)	/* accepts NULL */
{
	if (vg && --vg->users == 0)
		volume_graph_end(vg);
}
static inline struct volume_graph *volume_hold(struct volume *vol)	/* its present graph, which stays until let go; NULL: none */
{
	if (vol->now)
		vol->now->users++;
	return vol->now;
}

#endif
