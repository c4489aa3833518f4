/* bricks/handshake.c: what we serve (DUMP), who the client is and which brick it wants (SETVOLUME), and answers to the rest of the
 * handshake program (facts/brick-wire.md sections 4 to 6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bricks/internal.h"
#include "runtime/log.h"
#include "runtime/stream.h"
#include "xlators/graph.h"

#define OWNER_REQUIRED_FROM 70000
#define UUID_MAX 1024

static struct gf_prog listed[] = {
	{ "GlusterFS 4.x v1", GF_FOP_PROGRAM, GF_FOP_VERSION },
	{ "GlusterFS Handshake", GF_HANDSHAKE_PROGRAM, GF_HANDSHAKE_VERSION },
	{ "GF-DUMP", GF_DUMP_PROGRAM, GF_DUMP_VERSION },
	{ "Gatehouse", GATE_PROGRAM, GATE_VERSION },
};

static int coroutine_fn run_dump(struct rpc_request *rq, const void *args, void *res)
{
	struct gf_dump_rsp *rsp = res;

	rsp->progs.n = sizeof(listed) / sizeof(listed[0]);
	rsp->progs.entries = listed;
	return RPC_OK;
}

static int coroutine_fn run_ping(struct rpc_request *rq, const void *args, void *res)
{
	return RPC_OK;
}

static int coroutine_fn run_refused(struct rpc_request *rq, const void *args, void *res)
{
	struct gfwire_head *head = res;		/* GETSPEC, volume and snapshot information: a manager's business */

	*head = (struct gfwire_head){ -1, ENOSYS };
	return RPC_OK;
}

/* --- SETVOLUME --- */

struct answer_text { int err; const char *text; };

static struct answer_text refuse(int err, const char *text)
{
	return (struct answer_text){ err, text };
}

static struct answer_text check_names(const struct brick_server *bs, const gfx_dict *d)
{
	const char *subvolume = dict_get_str(d, "remote-subvolume"), *uuid = dict_get_str(d, "process-uuid");
	const char *volume = dict_get_str(d, "volume-id");
	int64_t version;

	if (!uuid || !*uuid || strlen(uuid) > UUID_MAX)
		return refuse(EINVAL, "UUID not specified");
	if (!dict_get_int(d, "fops-version", &version) || version != GF_FOP_PROGRAM)
		return refuse(EINVAL, "version mismatch: fops-version must be 1298437");
	if (!subvolume)
		return refuse(EINVAL, "remote-subvolume is not specified");
	if (strcmp(subvolume, bs->name))
		return refuse(ENOENT, "Brick not found");
	if (volume && bs->volume_id && strcasecmp(volume, bs->volume_id))
		return refuse(EINVAL, "Volume-ID different, this brick belongs to another volume");
	if (dict_get(d, "subdir-mount"))
		return refuse(EOPNOTSUPP, "subdirectories are not exported");
	return refuse(0, "Success");
}

/* A client that is refused asks again every few seconds: the log tells it once. */
static bool may_come_in(struct brick_conn *conn, const gfx_dict *d, bool *ret_trusted)
{
	struct auth_claim claim = {
		.peer = (const struct sockaddr *)rpc_conn_peer(conn->rpc), .certificate = rpc_conn_peer_name(conn->rpc),
		.username = dict_get_str(d, "username"), .password = dict_get_str(d, "password"),
	};
	const char *rule = "";
	char peer[64], reason[512];

	if (auth_check(conn->bs, &claim, ret_trusted, &rule) == 0) {
		refusal_over(&conn->bs->refusals, claim.peer);
		return true;
	}
	snprintf(reason, sizeof(reason), "%s: %s", rule, claim.certificate ? claim.certificate : "none");
	if (refusal_is_news(&conn->bs->refusals, claim.peer, reason))
		log_warning("a client is refused", "rule=\"%s\" peer=%s certificate=%s client=%s", rule,
			    sockaddr_text(claim.peer, peer, sizeof(peer)), claim.certificate ? log_quote(claim.certificate) : "none",
			    log_quote(dict_get_str(d, "process-uuid")));
	return false;
}

static struct answer_text attach(struct brick_conn *conn, const gfx_dict *d)
{
	const struct sockaddr *peer = (const struct sockaddr *)rpc_conn_peer(conn->rpc);
	const char *uuid = dict_get_str(d, "process-uuid"), *name = rpc_conn_peer_name(conn->rpc);
	struct brick_client *c;
	bool trusted;
	int64_t number = 0;
	char text[64];

	if (!may_come_in(conn, d, &trusted))
		return refuse(EACCES, "Authentication failed");
	if (conn->client)
		return strcmp(conn->client->uuid, uuid) ? refuse(EINVAL, "this connection has another process-uuid already") :
							  refuse(0, "Success");
	if (client_attach(conn, uuid, &c) < 0)
		return refuse(ENOMEM, "out of memory");
	rpc_conn_known(conn->rpc);
	c->base.trusted = trusted;
	c->base.acknowledges = dict_get_int(d, GATE_KEY_EXTENSION, &number) && number == 1;
	if (c->base.acknowledges)	/* it has our extension: it is one of ours */
		rpc_conn_mix(conn->rpc);
	c->opversion = dict_get_int(d, "opversion", &number) ? number : 0;
	c->owner_required = c->opversion >= OWNER_REQUIRED_FROM;
	log_info("client connected", "peer=%s certificate=%s client=%s", sockaddr_text(peer, text, sizeof(text)),
		 name ? log_quote(name) : "none", log_quote(uuid));
	return refuse(0, "Success");
}

/* What features/upcall, if it is in the graph, promises to every client that acknowledges. */
static uint32_t lease_of(const struct graph *graph)
{
	unsigned i;

	for (i = 0; i < graph->n; i++)
		if (graph->xlators[i]->lease_s)
			return graph->xlators[i]->lease_s;
	return 0;
}

static bool releases_locks(const struct graph *graph)
{
	unsigned i;

	for (i = 0; i < graph->n && !graph->xlators[i]->releases_locks; i++)
		;
	return i < graph->n;
}

static int reply(const struct brick_server *bs, struct arena *arena, struct answer_text answer, gf_bytes *ret_bytes)
{
	gfx_dict d;
	int ret;

	dict_init(&d, arena);
	ret = dict_set_str(&d, "ERROR", answer.text);
	if (!ret && !answer.err) {
		ret = dict_set_str(&d, "process-uuid", bs->uuid);
		if (!ret && bs->volume_id)
			ret = dict_set_str(&d, "volume-id", bs->volume_id);
		if (!ret)
			ret = dict_set_str(&d, "child_up", bs->up ? "1" : "0");
		if (!ret)
			ret = dict_set_str(&d, "clnt-lk-version", "0");
		if (!ret && releases_locks(bs->graph))
			ret = dict_set_uint(&d, GATE_KEY_RELEASES, 1);
		if (!ret)
			ret = dict_set_uint(&d, GATE_KEY_HEALTH, 1);
		if (!ret && lease_of(bs->graph))
			ret = dict_set_uint(&d, GATE_KEY_LEASE, lease_of(bs->graph));
	}
	if (ret < 0)
		return ret;
	ret_bytes->len = dict_flat_size(&d);
	ret_bytes->data = arena_alloc(arena, ret_bytes->len);
	return ret_bytes->data ? dict_flat_encode(&d, ret_bytes->data, ret_bytes->len) : -ENOMEM;
}

static int coroutine_fn run_setvolume(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_setvolume_req *req = args;
	struct gf_setvolume_rsp *rsp = res;
	struct brick_conn *conn = brick_conn_of(rq);
	struct answer_text answer;
	gfx_dict d;

	dict_init(&d, rq->arena);
	if (dict_flat_decode(&d, rq->arena, req->dict.data, req->dict.len) < 0)
		return RPC_GARBAGE;
	answer = check_names(conn->bs, &d);
	if (!answer.err)
		answer = attach(conn, &d);
	if (answer.err)
		*(struct gfwire_head *)rsp = (struct gfwire_head){ -1, answer.err };
	return reply(conn->bs, rq->arena, answer, &rsp->dict) < 0 ? RPC_SYSTEM_ERROR : RPC_OK;
}

/* --- programs --- */

#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)
#define PROC(name, run, req, rsp) { name, run, CODER(req), CODER(rsp), sizeof(struct req), sizeof(struct rsp), RPC_IDEMPOTENT }
#define PROC0(name, run, rsp) { name, run, NULL, CODER(rsp), 0, sizeof(struct rsp), RPC_IDEMPOTENT }

static const struct rpc_proc dump_procs[] = {
	[GF_DUMP_NULL] = { .name = "NULL" },
	[GF_DUMP_DUMP] = PROC("DUMP", run_dump, gf_dump_req, gf_dump_rsp),
	[GF_DUMP_PING] = PROC0("PING", run_ping, gf_ping_rsp),
};

static const struct rpc_proc handshake_procs[] = {
	[GF_HS_NULL] = { .name = "NULL" },
	[GF_HS_SETVOLUME] = PROC("SETVOLUME", run_setvolume, gf_setvolume_req, gf_setvolume_rsp),
	[GF_HS_GETSPEC] = PROC("GETSPEC", run_refused, gf_getspec_req, gf_getspec_rsp),
	[GF_HS_PING] = PROC0("PING", run_ping, gf_ping_rsp),
	[GF_HS_SET_LK_VER] = PROC("SET_LK_VER", run_ping, gf_set_lk_ver_req, gf_set_lk_ver_rsp),
	[GF_HS_EVENT_NOTIFY] = PROC("EVENT_NOTIFY", run_refused, gf_event_notify_req, gf_event_notify_rsp),
	[GF_HS_GET_VOLUME_INFO] = PROC("GET_VOLUME_INFO", run_refused, gf_volume_info_req, gf_volume_info_rsp),
	[GF_HS_GET_SNAPSHOT_INFO] = PROC("GET_SNAPSHOT_INFO", run_refused, gf_volume_info_req, gf_volume_info_rsp),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
const struct rpc_program brick_dump_program = {
	.name = "dump", .prog = GF_DUMP_PROGRAM, .vers = GF_DUMP_VERSION, .nprocs = COUNT(dump_procs), .procs = dump_procs,
};
const struct rpc_program brick_handshake_program = {
	.name = "handshake", .prog = GF_HANDSHAKE_PROGRAM, .vers = GF_HANDSHAKE_VERSION, .nprocs = COUNT(handshake_procs),
	.procs = handshake_procs,
};
