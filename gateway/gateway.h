/* gateway/gateway.h: one gateway: volumes served as NFSv3 and MOUNT on one loop, and what all its calls share. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "gateway/peer_names.h"
#include "gateway/volume_set.h"
#include "rpc/replay.h"
#include "rpc/rpc.h"

struct mount_list;
struct wire_handle;

struct gateway {
	struct loop *loop;
	struct volume_set volumes;
	struct export_set *exports;	/* of all volumes; replaced whole by a reload */
	const char *exports_file;	/* where they stand, for the log */
	struct peer_names *names;
	struct mount_list *mounts;
	struct list conns;		/* struct gateway_conn */
	struct rpc_replay_cache *replay;
	struct rpc_server *tcp, *udp;	/* udp: MOUNT and NLM; NULL when it could not be had */
	uint64_t strangers;		/* calls with a handle of no volume here */
};

/* What the evaluator said of this peer and an export: holds until the exports change, or a name may have. */
struct gateway_verdict {
	uint64_t generation, until_ns, calls;
	const struct export *export;
	const struct export_client *client;
	uint8_t volume_id[16];
};
#define CONN_VERDICTS 8

/* What a TCP connection remembers. Clients share one among all that they mounted. */
struct gateway_conn {
	struct list link;		/* gateway.conns */
	struct rpc_conn *conn;
	int64_t opened_ns;		/* wall clock */
	unsigned next;			/* verdict to replace */
	struct gateway_verdict verdicts[CONN_VERDICTS];
};

/* What a call uses until its arena goes: the exports of when it began, its volume, and the graph that it works on. It lies in
 * rq->user. */
struct gateway_hold {
	struct export_set *set;
	struct volume *volume;		/* NULL: none */
	struct volume_graph *vg;	/* after gateway_ready() */
	const uint8_t *gfid;		/* of what the call makes; in its arena */
	bool sent;			/* bricks were asked to change names: the call may have happened */
};
static inline struct gateway_hold *gateway_hold_of(struct rpc_request *rq)
{
	_Static_assert(sizeof(struct gateway_hold) <= sizeof(rq->user), "a hold lies in the request");
	return (struct gateway_hold *)rq->user;
}

/* @gw has loop, volumes and exports. Next: rpc_server_listen(). 0 or -errno. */
int gateway_serve(struct gateway *gw);
void gateway_stop(struct gateway *gw);		/* after draining: frees servers, caches and lists, but no volumes */

/* @vol may be NULL. NULL: no memory. */
struct gateway_hold *gateway_hold(struct gateway *gw, struct rpc_request *rq, struct volume *vol);
/* Waits until the call's volume can serve, and holds its graph. 0, -ENOTCONN, or -ESTALE: it is not served any more. */
int coroutine_fn gateway_get_ready(struct gateway_hold *hold, uint64_t at_most_ns);
static inline int coroutine_fn gateway_ready(struct gateway_hold *hold, uint64_t at_most_ns)
{
	return hold->vg ? 0 : gateway_get_ready(hold, at_most_ns);
}

/* The client entry of @ex that lets the caller of @rq in. 0, -EACCES, or -EAGAIN: the peer's name decides, and is not known yet. Parks
 * for names only. @ex must be held by its set. */
int coroutine_fn gateway_admit(struct gateway *gw, struct rpc_request *rq, struct export_set *set, const struct export *ex,
			       const struct export_client **ret_client);
/* AUTH_SYS or nothing to the call's identity, squashed as @options say. */
void gateway_identity(struct call *call, struct rpc_request *rq, const struct export_options *options);

/* By name. What has no gfid yet (it was there before the directory became a brick, or a brick died making it) gets @gfid, or a new
 * one when that is NULL. */
int coroutine_fn gateway_lookup(struct graph *graph, struct call *call, const struct lookup_args *args, const uint8_t *gfid,
				struct lookup_res *res);
/* Attributes of what @path ("a/b", "" for the start itself) leads to from the directory @start, as root. -ENOENT,
 * -ENOTDIR (a symlink is not followed), -ENAMETOOLONG or what the bricks say. */
int coroutine_fn gateway_walk(struct graph *graph, struct arena *arena, const uint8_t *start, const char *path,
			      struct iatt *ret_stat);
/* The gfid of the export's root, looked up at its first use. */
int coroutine_fn gateway_export_root(struct graph *graph, struct arena *arena, struct export *ex, uint8_t ret_gfid[16]);
int gateway_handle(struct volume_graph *vg, const struct export *ex, const struct iatt *stat, struct wire_handle *ret_handle);

extern const struct rpc_program nfs3_program, mount1_program, mount3_program, nlm1_program, nlm3_program, nlm4_program;

/* mount3.c */
struct mount_list *mount_list_new(void);
void mount_list_free(struct mount_list *list);
unsigned mount_list_count(const struct mount_list *list);
void mount_list_put(FILE *f, const struct mount_list *list, const char *volume);	/* "mounts": those of the volume, as JSON */

#endif
