/* bricks/glusterd.c: one connection to glusterd, kept as long as the brick runs.
 *
 * glusterd remembers what was signed in until it ends, so the brick signs in at every new connection: one that was restarted knows nothing. */
#include "bricks/glusterd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/rpc.h"
#include "rpc/tls.h"
#include "rpcgen/gluster4.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/sync.h"

#define GLUSTERD_PORT 24007
#define ARENA_SIZE (256u << 10)
#define CALL_NS 10000000000ull
#define MAX_OP_VERSION 100000

struct glusterd {
	struct loop *loop;
	struct rpc_client *rpc;
	struct co_wait first;			/* the attempt that glusterd_volfile() waits for */
	char *host, *brick;
	uint16_t port;				/* 0: there is nothing to tell yet */
	struct co_gate background;
};

#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)

/* --- the port --- */

static int coroutine_fn sign(struct glusterd *g, struct rpc_call *rc)
{
	struct arena *arena = arena_new(ARENA_SIZE);
	struct gf_sign_rsp rsp = { 0 };
	int ret;

	rc->prog = GF_PORTMAP_PROGRAM;
	rc->vers = GF_PORTMAP_VERSION;
	rc->res = &rsp;
	rc->decode = CODER(gf_sign_rsp);
	rc->arena = arena;
	ret = rpc_client_call(g->rpc, rc);
	arena_free(arena);
	if (!ret && rsp.op_ret < 0)
		ret = rsp.op_errno > 0 ? -rsp.op_errno : -EIO;
	return ret;
}

static void coroutine_fn sign_in(struct glusterd *g)
{
	struct gf_signin_req req = { g->brick, g->port, (int32_t)getpid() };
	struct rpc_call rc = { .proc = GF_PMAP_SIGNIN, .args = &req, .encode = CODER(gf_signin_req) };
	int ret = sign(g, &rc);

	if (ret < 0)
		log_warning("glusterd does not take our port: clients that ask it will not find this brick", "host=%s brick=%s reason=\"%s\"",
			    g->host, log_quote(g->brick), strerror(-ret));
	else
		log_notice("signed in", "glusterd=%s brick=%s port=%u", g->host, log_quote(g->brick), g->port);
}

static void coroutine_fn sign_out(struct glusterd *g)
{
	struct gf_signout_req req = { g->brick, g->port, 0 };
	struct rpc_call rc = { .proc = GF_PMAP_SIGNOUT, .args = &req, .encode = CODER(gf_signout_req) };
	int ret = sign(g, &rc);

	if (ret < 0)
		log_info("not signed out", "glusterd=%s reason=\"%s\"", g->host, strerror(-ret));
}

static void coroutine_fn sign_in_run(void *arg)
{
	struct glusterd *g = arg;

	if (g->port && rpc_client_is_up(g->rpc))
		sign_in(g);
	co_gate_leave(&g->background);
}

static void sign_in_soon(struct glusterd *g)
{
	if (co_gate_enter(&g->background) && !co_start(g->loop, sign_in_run, g))
		co_gate_leave(&g->background);
}

int glusterd_sign_in(struct glusterd *g, const char *brick, uint16_t port)
{
	g->brick = strdup(brick);
	if (!g->brick)
		return -ENOMEM;
	g->port = port;
	if (rpc_client_is_up(g->rpc))
		sign_in_soon(g);
	return 0;
}

/* --- the volfile --- */

static int put_versions(struct arena *arena, gf_bytes *ret_bytes)
{
	gfx_dict d;
	int ret;

	dict_init(&d, arena);
	ret = dict_set_int(&d, "min-op-version", 1);
	if (!ret)
		ret = dict_set_int(&d, "max-op-version", MAX_OP_VERSION);
	if (ret < 0)
		return ret;
	ret_bytes->len = dict_flat_size(&d);
	ret_bytes->data = arena_alloc(arena, ret_bytes->len);
	return ret_bytes->data ? dict_flat_encode(&d, ret_bytes->data, ret_bytes->len) : -ENOMEM;
}

static int coroutine_fn get_spec(struct glusterd *g, struct arena *arena, const char *volfile_id, char **ret_text)
{
	struct gf_getspec_req req = { .key = (char *)volfile_id };
	struct gf_getspec_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GF_HANDSHAKE_PROGRAM, .vers = GF_HANDSHAKE_VERSION, .proc = GF_HS_GETSPEC, .args = &req, .res = &rsp, .arena = arena,
		.encode = CODER(gf_getspec_req), .decode = CODER(gf_getspec_rsp),
	};
	int ret = put_versions(arena, &req.xdata);

	if (ret >= 0)
		ret = rpc_client_call(g->rpc, &rc);
	if (ret < 0)
		return ret;
	if (rsp.op_ret < 0)
		return rsp.op_errno > 0 ? -rsp.op_errno : -EIO;
	*ret_text = strndup((const char *)rsp.spec.data, rsp.spec.len);
	return *ret_text ? 0 : -ENOMEM;
}

int coroutine_fn glusterd_volfile(struct glusterd *g, const char *volfile_id, struct error *err, char **ret_text)
{
	uint64_t old = co_set_deadline(loop_now_ns(g->loop) + CALL_NS);
	struct arena *arena = arena_new(ARENA_SIZE);
	int ret = co_park(&g->first);

	if (ret < 0) {
		error_set(err, ret, "--volfile-server: there is no glusterd at %s: %s", g->host, strerror(-ret));
	} else {
		ret = get_spec(g, arena, volfile_id, ret_text);
		if (ret < 0)
			error_set(err, ret, "--volfile-id: glusterd at %s gives no volfile \"%s\": %s", g->host, volfile_id, strerror(-ret));
	}
	arena_free(arena);
	co_restore_deadline(old);
	return ret;
}

/* --- the connection --- */

static void up(void *user)
{
	struct glusterd *g = user;

	co_wake(&g->first, 0);
	if (g->port)
		sign_in_soon(g);
}

static void down(void *user, int why)
{
	struct glusterd *g = user;

	co_wake(&g->first, why < 0 ? why : -ENOTCONN);
}

static void coroutine_fn called_back(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs, struct arena *arena)
{
	struct glusterd *g = user;

	if (prog == GF_CALLBACK_PROGRAM && proc == GF_CBK_FETCHSPEC)
		log_notice("glusterd has another volfile: it takes effect when the brick is started again", "glusterd=%s", g->host);
}

/* HOST, HOST:PORT or [ADDRESS]:PORT, cut in place. */
static int take_port(char *server, char **ret_host, uint16_t *ret_port)
{
	char *bracket = *server == '[' ? strchr(server, ']') : NULL;
	char *colon = strchr(bracket ? bracket : server, ':'), *end = NULL;
	unsigned long port = GLUSTERD_PORT;

	if (colon && !strchr(colon + 1, ':')) {
		*colon = 0;
		port = strtoul(colon + 1, &end, 10);
		if (!port || port > 65535 || *end)
			return -EINVAL;
	}
	if (bracket)
		*bracket = 0;
	*ret_host = bracket ? server + 1 : server;
	*ret_port = (uint16_t)port;
	return **ret_host ? 0 : -EINVAL;
}

int glusterd_new(struct loop *loop, const char *server, struct error *err, struct glusterd **ret)
{
	struct rpc_client_conf conf = { .name = "glusterd", .up = up, .down = down, .callback = called_back };
	struct glusterd *g = calloc(1, sizeof(*g));
	char *text = strdup(server), *host = NULL;

	if (g && text && take_port(text, &host, &conf.port) < 0) {
		error_set(err, -EINVAL, "\"%s\" is no HOST or HOST:PORT of a glusterd", server);
	} else if (g && host) {
		g->loop = loop;
		co_gate_init(&g->background);
		g->host = strdup(host);
		conf.host = g->host;
		conf.user = g;
		if (tls_management(TLS_CLIENT, NULL, err, &conf.tls) == 0)
			g->rpc = g->host ? rpc_client_new(loop, &conf) : NULL;
	}
	free(text);
	if (g && g->rpc) {
		*ret = g;
		return 0;
	}
	if (g)
		free(g->host);
	free(g);
	return error_set(err, -EINVAL, "out of memory");
}

void coroutine_fn glusterd_free(struct glusterd *g)
{
	uint64_t old;

	if (!g)
		return;
	co_gate_close(&g->background);
	if (g->port && rpc_client_is_up(g->rpc)) {
		old = co_set_deadline(loop_now_ns(g->loop) + CALL_NS / 5);
		sign_out(g);
		co_restore_deadline(old);
	}
	rpc_client_free(g->rpc);
	free(g->host);
	free(g->brick);
	free(g);
}
