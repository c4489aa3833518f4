/* gateway/gateway.c: what all calls share: the servers, admission of peers, handles, and the walk from an export's root
 * to a path. */
#include "gateway/gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/filehandle.h"

#define NAME_TTL_NS 60000000000ull

static void conn_opened(struct rpc_conn *conn, void *user)
{
	struct gateway *gw = user;
	struct gateway_conn *gc = calloc(1, sizeof(*gc));
	int64_t sec;
	uint32_t nsec;

	if (gc) {
		gc->conn = conn;
		list_append(&gw->conns, &gc->link);
		loop_wallclock(gw->loop, &sec, &nsec);
		gc->opened_ns = sec * 1000000000 + nsec;
	}
	rpc_conn_set_user(conn, gc);
}

static void conn_closed(struct rpc_conn *conn, void *user)
{
	struct gateway_conn *gc = rpc_conn_user(conn);

	if (gc)
		list_remove(&gc->link);
	free(gc);
	rpc_conn_set_user(conn, NULL);
}

int gateway_serve(struct gateway *gw)
{
	static const struct rpc_program *const all[] = {
		&nfs3_program, &mount1_program, &mount3_program, &nlm1_program, &nlm3_program, &nlm4_program, NULL
	};
	static const struct rpc_program *const mounts[] = {
		&mount1_program, &mount3_program, &nlm1_program, &nlm3_program, &nlm4_program, NULL
	};
	struct rpc_service tcp = {
		.name = "nfs", .programs = all, .user = gw, .opened = conn_opened, .closed = conn_closed
	};
	struct rpc_service udp = { .name = "mount", .programs = mounts, .user = gw };
	int ret;

	gw->names = peer_names_new(NULL);
	gw->mounts = mount_list_new();
	gw->replay = rpc_replay_new(0, 0);
	list_init(&gw->conns);
	if (!gw->names || !gw->mounts || !gw->replay)
		return -ENOMEM;
	tcp.replay = gw->replay;
	ret = rpc_server_new(gw->loop, &tcp, &gw->tcp);
	return ret < 0 ? ret : rpc_server_new(gw->loop, &udp, &gw->udp);
}

void gateway_stop(struct gateway *gw)
{
	if (gw->tcp)
		rpc_server_free(gw->tcp);
	if (gw->udp)
		rpc_server_free(gw->udp);
	if (gw->replay)
		rpc_replay_free(gw->replay);
	peer_names_free(gw->names);
	mount_list_free(gw->mounts);
	export_set_unref(gw->exports);
}

static void let_go(void *arg)
{
	struct gateway_hold *hold = gateway_hold_of(arg);

	if (hold->vg)
		volume_let_go(hold->vg);
	else
		volume_unref(hold->volume);
	export_set_unref(hold->set);
}

/* A graph that was up is held at once, and holds its volume; else the volume is, until gateway_ready(). */
struct gateway_hold *gateway_hold(struct gateway *gw, struct rpc_request *rq, struct volume *vol)
{
	struct gateway_hold *hold = gateway_hold_of(rq);

	hold->set = export_set_ref(gw->exports);
	hold->volume = vol;
	if (vol && vol->now && vol->now->was_up)
		hold->vg = volume_hold(vol);
	else if (vol)
		volume_ref(vol);
	return arena_cleanup(rq->arena, let_go, rq) < 0 ? NULL : hold;
}

int coroutine_fn gateway_get_ready(struct gateway_hold *hold, uint64_t at_most_ns)
{
	int ret = volume_wait(hold->volume, at_most_ns);

	if (ret < 0)
		return ret;
	hold->vg = volume_hold(hold->volume);
	volume_unref(hold->volume);	/* the graph holds it from here on */
	return 0;
}

static struct gateway_verdict *verdict_of(struct gateway_conn *gc, const struct export *ex, uint64_t generation)
{
	unsigned i;

	for (i = 0; i < CONN_VERDICTS; i++)
		if (gc->verdicts[i].export == ex && gc->verdicts[i].generation == generation)
			return &gc->verdicts[i];
	return NULL;
}

static void remember(struct gateway *gw, struct rpc_request *rq, const struct export_set *set, const struct export *ex,
		     const struct export_client *client)
{
	struct gateway_conn *gc = rpc_conn_user(rq->conn);
	const struct gateway_hold *hold = gateway_hold_of(rq);
	struct gateway_verdict *v;

	if (!gc)
		return;
	v = verdict_of(gc, ex, set->generation);
	if (!v) {
		v = &gc->verdicts[gc->next++ % CONN_VERDICTS];
		memset(v, 0, sizeof(*v));
	}
	v->generation = set->generation;
	v->until_ns = loop_now_ns(gw->loop) + NAME_TTL_NS;
	v->export = ex;
	v->client = client;
	v->calls++;
	if (hold->volume)
		memcpy(v->volume_id, hold->volume->id, 16);
}

int coroutine_fn gateway_admit(struct gateway *gw, struct rpc_request *rq, struct export_set *set, const struct export *ex,
			       const struct export_client **ret_client)
{
	struct gateway_conn *gc = rq->conn ? rpc_conn_user(rq->conn) : NULL;
	const struct sockaddr *peer = (const struct sockaddr *)rq->peer;
	struct gateway_verdict *v = gc ? verdict_of(gc, ex, set->generation) : NULL;
	const char *name = NULL;

	if (v && loop_now_ns(gw->loop) < v->until_ns) {
		v->calls++;
		*ret_client = v->client;
		return v->client ? 0 : -EACCES;
	}
	if (export_needs_name(ex, peer) && peer_name(gw->names, peer, &name) < 0)
		return -EAGAIN;
	*ret_client = export_admit(ex, peer, name);
	if (rq->conn)
		remember(gw, rq, set, ex, *ret_client);
	if (rq->conn && *ret_client)
		rpc_conn_known(rq->conn);
	return *ret_client ? 0 : -EACCES;
}

int gateway_handle(struct volume_graph *vg, const struct export *ex, const struct iatt *stat, struct wire_handle *ret_handle)
{
	struct filehandle fh = { .type = stat->mode & S_IFMT, .export_id = ex->id };
	struct inode *inode = inode_find(vg->graph->inodes, stat->gfid);

	if (inode)
		fh.hint = inode->hint;
	inode_unref(inode);
	memcpy(fh.volume_id, vg->volume->id, 16);
	memcpy(fh.gfid, stat->gfid, 16);
	return filehandle_encode(vg->volume->mac, &fh, ret_handle);
}

int coroutine_fn gateway_lookup(struct graph *graph, struct call *call, const struct lookup_args *args, const uint8_t *gfid,
				struct lookup_res *res)
{
	struct lookup_args adopting = *args;
	int ret = xl_lookup(graph->top, call, args, res);
	uint8_t fresh[16];

	if (ret != -ENODATA || strcmp(args->name, "..") == 0)
		return ret;
	gfid_new(graph->loop, fresh);
	adopting.gfid_req = gfid ? gfid : fresh;
	return xl_lookup(graph->top, call, &adopting, res);
}

static int coroutine_fn step(struct graph *graph, struct call *call, const uint8_t *dir, const char *name,
			     struct iatt *ret_stat)
{
	struct lookup_args args = { .name = name };
	struct lookup_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret;

	args.parent = inode_get(graph->inodes, dir);
	if (!res || !args.parent) {
		inode_unref(args.parent);
		return -ENOMEM;
	}
	ret = gateway_lookup(graph, call, &args, NULL, res);
	inode_unref(args.parent);
	if (ret == 0)
		*ret_stat = res->stat;
	return ret;
}

static int coroutine_fn stat_of(struct graph *graph, struct call *call, const uint8_t *gfid, struct iatt *ret_stat)
{
	struct stat_res *res = arena_alloc(call->arena, sizeof(*res));
	struct stat_args args = { .inode = inode_get(graph->inodes, gfid) };
	int ret = res && args.inode ? xl_stat(graph->top, call, &args, res) : -ENOMEM;

	inode_unref(args.inode);
	if (ret == 0)
		*ret_stat = res->stat;
	return ret;
}

int coroutine_fn gateway_walk(struct graph *graph, struct arena *arena, const uint8_t *start, const char *path,
			      struct iatt *ret_stat)
{
	struct call call;
	const char *name;
	size_t len;
	int ret;

	/* As root: that a client may mount a directory does not depend on the modes of those above. */
	call_init(&call, arena);
	ret = stat_of(graph, &call, start, ret_stat);
	while (ret == 0) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			return 0;
		if (len > 255)
			return -ENAMETOOLONG;
		if (!S_ISDIR(ret_stat->mode))
			return -ENOTDIR;
		if (path[0] == '.' && (len == 1 || (len == 2 && path[1] == '.')))
			return -EACCES;
		name = arena_strndup(arena, path, len);
		if (!name)
			return -ENOMEM;
		path += len;
		ret = step(graph, &call, ret_stat->gfid, name, ret_stat);
	}
	return ret;
}

int coroutine_fn gateway_export_root(struct graph *graph, struct arena *arena, struct export *ex, uint8_t ret_gfid[16])
{
	struct iatt stat;
	int ret;

	if (!*ex->subdir) {
		memcpy(ret_gfid, gfid_root, 16);
		return 0;
	}
	if (!ex->root_known) {
		ret = gateway_walk(graph, arena, gfid_root, ex->subdir, &stat);
		if (ret < 0)
			return ret;
		memcpy(ex->root, stat.gfid, 16);
		ex->root_known = true;
	}
	memcpy(ret_gfid, ex->root, 16);
	return 0;
}
