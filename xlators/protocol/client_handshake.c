/* xlators/protocol/client_handshake.c: finding the brick's port and introducing ourselves (facts/brick-wire.md sections 5 and 6).
 *
 * DUMP tells whether the peer serves the FOPs and our extension; SETVOLUME names the brick and who we are. The process-uuid is new with
 * each connection, so that a brick never takes two of them, or two loops, for one client. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/stream.h"
#include "xlators/graph.h"
#include "xlators/protocol/client.h"

#define GLUSTERD_PORT 24007
#define HANDSHAKE_ARENA (256u << 10)
#define HANDSHAKE_MS 10000ull

static int coroutine_fn call_plain(struct rpc_client *c, struct arena *arena, struct rpc_call *rc)
{
	rc->arena = arena;
	return rpc_client_call(c, rc);
}

/* Which of the programs that matter the peer lists. */
static int coroutine_fn dump(struct rpc_client *c, struct arena *arena, bool *ret_fops, bool *ret_extension)
{
	struct gf_dump_req req = { GF_DUMP_ID };
	struct gf_dump_rsp rsp = { 0 };
	struct rpc_call rc = { .prog = GF_DUMP_PROGRAM, .vers = GF_DUMP_VERSION, .proc = GF_DUMP_DUMP, .args = &req, .res = &rsp };
	uint32_t i;
	int ret;

	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_dump_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_dump_rsp;
	ret = call_plain(c, arena, &rc);
	if (ret < 0)
		return ret;
	*ret_fops = *ret_extension = false;
	for (i = 0; i < rsp.progs.n; i++) {
		if (rsp.progs.entries[i].prog == GF_FOP_PROGRAM && rsp.progs.entries[i].vers == GF_FOP_VERSION)
			*ret_fops = true;
		if (rsp.progs.entries[i].prog == GATE_PROGRAM && rsp.progs.entries[i].vers == GATE_VERSION)
			*ret_extension = true;
	}
	return 0;
}

/* --- glusterd's portmapper, when the volfile gives no port --- */

struct asking {
	struct co_wait wait;
};

static void asking_up(void *user)
{
	co_wake(&((struct asking *)user)->wait, 0);
}

static void asking_down(void *user, int why)
{
	co_wake(&((struct asking *)user)->wait, why < 0 ? why : -ENOTCONN);
}

static int coroutine_fn ask_port(struct pclient *pc, struct rpc_client *c, struct arena *arena, uint16_t *ret_port)
{
	struct gf_portbybrick_req req = { pc->remote_subvolume };
	struct gf_portbybrick_rsp rsp = { 0 };
	struct rpc_call rc = { .prog = GF_PORTMAP_PROGRAM, .vers = GF_PORTMAP_VERSION, .proc = GF_PMAP_PORTBYBRICK, .args = &req, .res = &rsp };
	int ret;

	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_portbybrick_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_portbybrick_rsp;
	ret = call_plain(c, arena, &rc);
	if (ret < 0)
		return ret;
	if (rsp.op_ret < 0 || rsp.port <= 0 || rsp.port > 65535) {
		log_warning("glusterd knows no port for the brick, asking again later", "volume=%s host=%s brick=%s", pc->xl->name,
			    pc->remote_host, log_quote(pc->remote_subvolume));
		return -ECONNREFUSED;
	}
	*ret_port = (uint16_t)rsp.port;
	return 0;
}

static int coroutine_fn port_from_glusterd(struct pclient *pc, uint16_t *ret_port)
{
	struct asking asking = { CO_WAIT_INIT };
	struct rpc_client_conf conf = {
		.name = pc->xl->name, .host = pc->remote_host, .port = GLUSTERD_PORT, .up = asking_up, .down = asking_down, .user = &asking,
		.tls = pc->manager_tls,
	};
	struct arena *arena = arena_new(HANDSHAKE_ARENA);
	uint64_t old = co_set_deadline(loop_now_ns(xl_loop(pc->xl)) + HANDSHAKE_MS * 1000000);
	struct rpc_client *c = rpc_client_new(xl_loop(pc->xl), &conf);
	int ret;

	if (!c) {
		ret = -ENOMEM;
	} else {
		ret = co_park(&asking.wait);
		if (!ret)
			ret = ask_port(pc, c, arena, ret_port);
		rpc_client_free(c);
	}
	co_restore_deadline(old);
	arena_free(arena);
	return ret;
}

int coroutine_fn client_locate(void *user, struct sockaddr_storage *ret_addrs, unsigned max)
{
	struct pclient *pc = user;
	uint16_t port = (uint16_t)pc->remote_port;
	int ret = 0;

	if (!port)
		ret = port_from_glusterd(pc, &port);
	return ret < 0 ? ret : net_resolve(pc->remote_host, port, ret_addrs, max);
}

/* --- SETVOLUME --- */

static int set_text(gfx_dict *d, const char *key, const char *text)
{
	return text && *text ? dict_set_str(d, key, text) : 0;
}

static int introduce(struct pclient *pc, struct arena *arena, bool extension, gf_bytes *ret_bytes)
{
	bool simulated = loop_is_sim(xl_loop(pc->xl));
	char host[65] = "localhost";
	char *uuid;
	gfx_dict d;
	int ret;

	/* longer words make longer messages, and of a seed another story on each machine */
	if (!simulated)
		gethostname(host, sizeof(host) - 1);
	uuid = arena_printf(arena, "CTX_ID:%s-GRAPH_ID:0-PID:%d-HOST:%s-PC_NAME:%s-RECON_NO:-%u",
			    pc->context, simulated ? 10000 : (int)getpid(), host, pc->xl->name,
			    pc->connects++);
	if (!uuid)
		return -ENOMEM;
	dict_init(&d, arena);
	ret = set_text(&d, "remote-subvolume", pc->remote_subvolume);
	if (!ret)
		ret = set_text(&d, "process-uuid", uuid);
	if (!ret)
		ret = dict_set_int(&d, "fops-version", GF_FOP_PROGRAM);
	if (!ret)
		ret = dict_set_int(&d, "clnt-lk-version", 1);
	if (!ret)
		ret = set_text(&d, "process-name", "gatehouse");
	if (!ret)
		ret = extension ? set_text(&d, GATE_KEY_EXTENSION, "1") : 0;
	if (!ret)
		ret = set_text(&d, "volume-id", pc->volume_id);
	if (!ret)
		ret = set_text(&d, "username", pc->username);
	if (!ret)
		ret = set_text(&d, "password", pc->password);
	if (ret < 0)
		return ret;
	ret_bytes->len = dict_flat_size(&d);
	ret_bytes->data = arena_alloc(arena, ret_bytes->len);
	return ret_bytes->data ? dict_flat_encode(&d, ret_bytes->data, ret_bytes->len) : -ENOMEM;
}

static int refused(struct pclient *pc, const struct gf_setvolume_rsp *rsp, const gfx_dict *d)
{
	const char *text = dict_get_str(d, "ERROR");
	int ret = client_status((const struct gfwire_head *)rsp);
	uint64_t said = hash_bytes(text ? text : "", text ? strlen(text) : 0, (uint64_t)-ret) | 1;

	if (said != pc->refused)
		log_warning("the brick refuses us, trying again", "volume=%s host=%s brick=%s errno=%d said=%s", pc->xl->name, pc->remote_host,
			    log_quote(pc->remote_subvolume), -ret, log_quote(text ? text : ""));
	pc->refused = said;
	return ret;
}

static int accepted(struct pclient *pc, const gfx_dict *d)
{
	const char *uuid = dict_get_str(d, "process-uuid"), *volume = dict_get_str(d, "volume-id");
	int64_t up = 1, lease = 0, releases = 0, health = 0;

	if (volume && pc->volume_id && *pc->volume_id && strcasecmp(volume, pc->volume_id)) {
		log_warning("the brick belongs to another volume, trying again", "volume=%s brick=%s volume-id=%s", pc->xl->name,
			    log_quote(pc->remote_subvolume), log_quote(volume));
		return -ESTALE;
	}
	dict_get_int(d, "child_up", &up);
	dict_get_int(d, GATE_KEY_LEASE, &lease);
	pc->xl->lease_s = lease > 0 && lease < XL_LEASE_NOBODY ? (uint32_t)lease : 0;
	dict_get_int(d, GATE_KEY_RELEASES, &releases);
	pc->xl->releases_locks = releases == 1;
	pc->xl->graph->lease_epoch++;	/* a new connection: what the brick promised over the old one is off */
	dict_get_int(d, GATE_KEY_HEALTH, &health);
	pc->tells_health = health == 1;
	pc->child_down = up == 0;
	pc->refused = 0;
	if (!uuid)
		return 0;
	if (pc->server_uuid[0] && strcmp(pc->server_uuid, uuid))
		xl_notify(pc->xl, XL_RESTARTED, NULL);
	snprintf(pc->server_uuid, sizeof(pc->server_uuid), "%s", uuid);
	return 0;
}

static int coroutine_fn setvolume(struct pclient *pc, struct rpc_client *c, bool extension, struct arena *arena)
{
	struct rpc_cred cred = { .flavor = RPC_FLAVOR_GLUSTER3 };
	struct gf_setvolume_req req = { { 0, NULL } };
	struct gf_setvolume_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GF_HANDSHAKE_PROGRAM, .vers = GF_HANDSHAKE_VERSION, .proc = GF_HS_SETVOLUME, .cred = &cred, .args = &req, .res = &rsp,
	};
	gfx_dict d;
	int ret = introduce(pc, arena, extension, &req.dict);

	if (ret < 0)
		return ret;
	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_setvolume_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_setvolume_rsp;
	ret = call_plain(c, arena, &rc);
	if (ret < 0)
		return ret;
	dict_init(&d, arena);
	if (rsp.dict.len) {
		ret = dict_flat_decode(&d, arena, rsp.dict.data, rsp.dict.len);
		if (ret < 0)
			return ret;
	}
	return rsp.op_ret < 0 ? refused(pc, &rsp, &d) : accepted(pc, &d);
}

int coroutine_fn client_handshake(struct rpc_client *c, void *user)
{
	struct pclient *pc = user;
	struct arena *arena = arena_new(HANDSHAKE_ARENA);
	bool fops = false, extension = false;
	int ret = dump(c, arena, &fops, &extension);

	if (!ret && !fops) {
		log_warning("the peer does not serve GlusterFS's file operations version 400, trying again", "volume=%s host=%s",
			    pc->xl->name, pc->remote_host);
		ret = -EPROTONOSUPPORT;
	}
	if (!ret && extension)
		rpc_client_mix(c);
	if (!ret)
		ret = setvolume(pc, c, extension, arena);
	if (!ret) {
		pc->extension = extension;
		pc->inode_times = false;
		pc->xl->graph->stock_bricks += !extension - pc->xl->removal_waits;
		pc->xl->removal_waits = !extension;
	}
	arena_free(arena);
	return ret;
}

/* The callbacks say so, too, as soon as it happens; one may be lost with a connection. */
static void hear_health(struct pclient *pc, const struct gate_health_rsp *rsp)
{
	if (pc->child_down == !rsp->up)
		return;
	pc->child_down = !rsp->up;
	if (pc->child_down && rsp->disk_ms != UINT32_MAX)
		log_warning("the brick's file system is down", "volume=%s brick=%s disk_answered_s_ago=%u", pc->xl->name,
			    log_quote(pc->remote_subvolume), rsp->disk_ms / 1000);
	client_match_state(pc);
}

/* One of our bricks tells more than that it is there. */
static int coroutine_fn ping_for_health(struct rpc_client *c, struct pclient *pc)
{
	struct arena *arena = arena_new(4096);
	struct gate_health_rsp rsp = { 0 };
	struct rpc_call rc = { .prog = GATE_PROGRAM, .vers = GATE_VERSION, .proc = GATE_PROC_HEALTH, .res = &rsp,
			       .outlasts = true };
	int ret;

	rc.decode = (xdrproc_t)(void (*)(void))xdr_gate_health_rsp;
	ret = call_plain(c, arena, &rc);
	if (ret == 0 && rsp.op_ret == 0 && !pc->stopping)
		hear_health(pc, &rsp);
	arena_free(arena);
	return ret;
}

int coroutine_fn client_ping(struct rpc_client *c, void *user)
{
	struct pclient *pc = user;
	struct gf_ping_rsp rsp = { 0 };
	struct rpc_call rc = { .prog = GF_DUMP_PROGRAM, .vers = GF_DUMP_VERSION, .proc = GF_DUMP_PING, .res = &rsp,
			       .outlasts = true };
	struct arena *arena;
	int ret;

	if (pc->extension && pc->tells_health)
		return ping_for_health(c, pc);
	arena = arena_new(4096);
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_ping_rsp;
	ret = call_plain(c, arena, &rc);
	arena_free(arena);
	return ret;
}
