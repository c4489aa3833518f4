/* gateway/gateway.h: one gateway: a volume served as NFSv3 and MOUNT on one loop, and what all its calls share. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/doubt.h"
#include "gateway/export.h"
#include "gateway/volume.h"
#include "rpc/mac.h"
#include "rpc/replay.h"
#include "rpc/rpc.h"

struct mount_list;
struct wire_handle;

#define CHANGES_SLOTS 256

/* Changes of objects whose gfids end alike: how many began, and how many run. */
struct gateway_changes { uint32_t begun, running; };

struct gateway {
	struct gateway_changes changes[CHANGES_SLOTS];
	struct loop *loop;
	struct volume volume;
	struct mac *mac;
	struct export_set *exports;	/* replaced whole by a reload */
	struct peer_names *names;
	struct mount_list *mounts;
	struct rpc_replay_cache *replay;
	struct doubts *doubts;
	struct rpc_server *tcp, *udp;	/* udp: MOUNT only; NULL when it could not be had */
	uint64_t calls[32];		/* of each NFS procedure */
	uint64_t failed;		/* replies that were not NFS3_OK */
};

/* What a TCP connection remembers: when it began, and the last verdict of the evaluator, which holds for it. */
struct gateway_conn {
	int64_t opened_ns;		/* wall clock */
	uint64_t generation, until_ns;
	const struct export *export;
	const struct export_client *client;
};

/* @gw has loop, mac and exports set and its volume started. Next: rpc_server_listen(). 0 or -errno. */
int gateway_serve(struct gateway *gw);
void gateway_stop(struct gateway *gw);		/* after draining: frees servers, caches and lists */

/* The client entry of @ex that lets the caller of @rq in, or NULL. May park (names of peers). @ex must be held by its
 * set. */
const struct export_client *coroutine_fn gateway_admit(struct gateway *gw, struct rpc_request *rq,
						       struct export_set *set, const struct export *ex);
/* The arena holds a reference on the present set of exports from here on. NULL: no memory. */
struct export_set *gateway_exports(struct gateway *gw, struct arena *arena);
/* AUTH_SYS or nothing to the call's identity, squashed as @options say. */
void gateway_identity(struct call *call, struct rpc_request *rq, const struct export_options *options);

/* Attributes of what @path ("a/b", "" for the start itself) leads to from the directory @start, as root. -ENOENT,
 * -ENOTDIR (a symlink is not followed), -ENAMETOOLONG or what the bricks say. */
/* By name. What has no gfid yet (it was there before the directory became a brick, or a brick died making it) gets @gfid, or a new
 * one when that is NULL. */
int coroutine_fn gateway_lookup(struct gateway *gw, struct call *call, const struct lookup_args *args, const uint8_t *gfid,
				struct lookup_res *res);
int coroutine_fn gateway_walk(struct gateway *gw, struct arena *arena, const uint8_t *start, const char *path,
			      struct iatt *ret_stat);
/* The gfid of the export's root, looked up at its first use. */
int coroutine_fn gateway_export_root(struct gateway *gw, struct arena *arena, struct export *ex, uint8_t ret_gfid[16]);
int gateway_handle(struct gateway *gw, const struct export *ex, const struct iatt *stat,
		   struct wire_handle *ret_handle);

extern const struct rpc_program nfs3_program, mount1_program, mount3_program;

/* mount3.c */
struct mount_list *mount_list_new(void);
void mount_list_free(struct mount_list *list);
unsigned mount_list_count(const struct mount_list *list);

#endif
