/* gateway/volume_server.c: see volume_server.h. The life of it is one coroutine: keep() goes round the servers, session()
 * is what happens with one of them. */
#include "gateway/volume_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpc.h"
#include "rpc/tls.h"
#include "rpcgen/gluster4.h"
#include "runtime/hash.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/sync.h"

#define GLUSTERD_PORT 24007
#define HOST_MAX 255
#define SPEC_MAX (4u << 20)
#define CONNECT_NS 10000000000ull
#define ANSWER_NS 10000000000ull
#define PING_NS 30000000000ull
#define SETTLE_NS 100000000ull		/* a server that changes several options tells of each */
#define NAP_MIN_NS 200000000ull
#define NAP_MAX_NS 10000000000ull
#define SAY_AGAIN_NS 600000000000ull

struct server {
	char host[HOST_MAX + 1];
	uint16_t port;
	int said;			/* the reason in the log, told again when it changes and every ten minutes */
	uint64_t said_ns;
	uint64_t refused;		/* hash of the file that was not taken, which is told once */
};

#define TOLD (-EUCLEAN)			/* a session ended because of what was told already */

struct volume_server {
	struct volume_server_conf conf;
	struct server servers[VOLUME_SERVERS_MAX];
	unsigned n, at;
	struct coroutine *main;
	struct co_queue news;		/* any of those below changed */
	bool up, changed, taken, stopping, ended;
	int lost, refused;		/* refused: nobody there knows the volume */
	char *text;			/* the file that was taken last */
	size_t len;
	struct error err;
};

/* --- the list of servers --- */

/* "host", "host:port", "[v6]:port"; a bare IPv6 address has more colons than one. */
static int parse_server(const char *word, struct server *ret_server)
{
	const char *host = word, *port = NULL, *end = word + strlen(word);
	unsigned long number = GLUSTERD_PORT;
	char *rest;

	if (*word == '[') {
		host = word + 1;
		end = strchr(word, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		port = end[1] ? end + 2 : NULL;
	} else if (strchr(word, ':') && strchr(word, ':') == strrchr(word, ':')) {
		end = strchr(word, ':');
		port = end + 1;
	}
	if (port) {
		number = strtoul(port, &rest, 10);
		if (*port < '0' || *port > '9' || *rest || !number || number > 65535)
			return -EINVAL;
	}
	if (end == host || end - host > HOST_MAX)
		return -EINVAL;
	memset(ret_server, 0, sizeof(*ret_server));
	memcpy(ret_server->host, host, (size_t)(end - host));
	ret_server->port = (uint16_t)number;
	return 0;
}

static void add_server(struct volume_server *vs, const struct server *s)
{
	unsigned i;

	for (i = 0; i < vs->n; i++)
		if (strcmp(vs->servers[i].host, s->host) == 0 && vs->servers[i].port == s->port)
			return;
	if (vs->n < VOLUME_SERVERS_MAX)
		vs->servers[vs->n++] = *s;
}

/* What an administrator wrote must be right; what a server names is used as far as it makes sense (@err NULL). */
static int add_servers(struct volume_server *vs, const char *list, struct error *err)
{
	char *copy = strdup(list), *next = copy, *word;
	struct server server;
	int ret = copy ? 0 : -ENOMEM;

	while (ret == 0 && (word = strsep(&next, ", "))) {
		if (!*word)
			continue;
		if (parse_server(word, &server) == 0)
			add_server(vs, &server);
		else if (err)
			ret = error_set(err, -EINVAL, "--volfile-server: \"%s\" is no host, or HOST:PORT", word);
	}
	free(copy);
	if (ret == 0 && !vs->n)
		ret = error_set(err, -EINVAL, "--volfile-server: no server is named");
	return ret;
}

/* --- what is said --- */

static const char *reason_of(int why)
{
	switch (-why) {
	case ECONNREFUSED:
		return "nobody listens there";
	case ETIMEDOUT:
		return "it does not answer";
	case ENOTCONN:
	case ECONNRESET:
	case EPIPE:
		return "it closed the connection";
	case EOPNOTSUPP:
		return "it does not know GlusterFS's handshake";
	case EPROTONOSUPPORT:
		return "the volume has features of a newer GlusterFS than is known here";
	case EPROTO:
	case EBADMSG:
	case EMSGSIZE:
	case E2BIG:
		return "its answer makes no sense";
	case ENOENT:
		return "its name does not resolve";
	default:
		return strerror(-why);
	}
}

static void say(struct volume_server *vs, struct server *s, int why)
{
	uint64_t now = loop_now_ns(vs->conf.loop);

	if (vs->stopping || why == TOLD || (s->said == why && now < s->said_ns + SAY_AGAIN_NS))
		return;
	s->said = why;
	s->said_ns = now;
	log_warning(vs->taken ? "the volume server is lost, the volume is served as it was; trying again" :
				"the volume's file cannot be had yet, trying again",
		    "volume=%s server=%s:%u reason=\"%s\"", vs->conf.volume, s->host, s->port, reason_of(why));
}

/* --- calls --- */

static int coroutine_fn call(struct volume_server *vs, struct rpc_client *c, struct rpc_call *rc)
{
	uint64_t old = co_set_deadline(loop_now_ns(vs->conf.loop) + ANSWER_NS);
	int ret = rpc_client_call(c, rc);

	co_restore_deadline(old);
	return ret;
}

static int coroutine_fn dump(struct volume_server *vs, struct rpc_client *c, struct arena *arena)
{
	struct gf_dump_req req = { GF_DUMP_ID };
	struct gf_dump_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GF_DUMP_PROGRAM, .vers = GF_DUMP_VERSION, .proc = GF_DUMP_DUMP, .args = &req, .res = &rsp, .arena = arena,
	};
	uint32_t i;
	int ret;

	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_dump_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_dump_rsp;
	ret = call(vs, c, &rc);
	if (ret < 0)
		return ret;
	for (i = 0; i < rsp.progs.n; i++)
		if (rsp.progs.entries[i].prog == GF_HANDSHAKE_PROGRAM && rsp.progs.entries[i].vers == GF_HANDSHAKE_VERSION)
			return 0;
	return -EOPNOTSUPP;
}

static int coroutine_fn ping(struct volume_server *vs, struct rpc_client *c)
{
	struct arena *arena = arena_new(4096);
	struct gf_ping_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GF_DUMP_PROGRAM, .vers = GF_DUMP_VERSION, .proc = GF_DUMP_PING, .res = &rsp, .arena = arena,
	};
	int ret;

	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_ping_rsp;
	ret = call(vs, c, &rc);
	arena_free(arena);
	return ret == -EOPNOTSUPP ? 0 : ret;	/* alive, if not talkative */
}

static int xdata_of(struct arena *arena, gf_bytes *ret_bytes)
{
	static const uint32_t room = 256;
	gfx_dict d;
	int ret;

	dict_init(&d, arena);
	ret = dict_set_int(&d, "min-op-version", 1);
	if (ret == 0)
		ret = dict_set_int(&d, "max-op-version", 100000);
	ret_bytes->data = arena_alloc(arena, room);
	if (ret < 0 || !ret_bytes->data)
		return -ENOMEM;
	ret = dict_flat_encode(&d, ret_bytes->data, room);
	ret_bytes->len = ret < 0 ? 0 : (uint32_t)ret;
	return ret < 0 ? ret : 0;
}

static int coroutine_fn getspec(struct volume_server *vs, struct rpc_client *c, struct arena *arena, struct gf_getspec_rsp *rsp)
{
	struct gf_getspec_req req = { .flags = 1, .key = (char *)vs->conf.volume };
	struct rpc_call rc = {
		.prog = GF_HANDSHAKE_PROGRAM, .vers = GF_HANDSHAKE_VERSION, .proc = GF_HS_GETSPEC, .args = &req, .res = rsp,
		.arena = arena,
	};
	int ret = xdata_of(arena, &req.xdata);

	if (ret < 0)
		return ret;
	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_getspec_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_getspec_rsp;
	return call(vs, c, &rc);
}

/* --- a reply --- */

static void remember_servers(struct volume_server *vs, struct arena *arena, const gf_bytes *xdata)
{
	const char *list;
	gfx_dict d;

	dict_init(&d, arena);
	if (!xdata->len || dict_flat_decode(&d, arena, xdata->data, xdata->len) < 0)
		return;
	list = dict_get_str(&d, "cluster.brick-vol-servers");
	if (!list)
		list = dict_get_str(&d, "servers-list");
	if (list)
		add_servers(vs, list, NULL);
}

static void keep_text(struct volume_server *vs, const gf_text *spec)
{
	free(vs->text);
	vs->text = malloc(spec->len);
	vs->len = vs->text ? spec->len : 0;
	if (vs->text)
		memcpy(vs->text, spec->data, spec->len);
}

/* An error reply. That the volume is unknown is an error, and the first file is not waited for then. Later it may only be that
 * this server left the cluster. */
static int refusal(struct volume_server *vs, struct server *s, int op_errno)
{
	struct error err = { "" };

	if (op_errno == EOPNOTSUPP)
		return -EPROTONOSUPPORT;
	if (op_errno != ENOENT)
		return op_errno > 0 && op_errno < 4096 ? -op_errno : -EPROTO;
	error_set(&err, -ENOENT, "%s:%u has no volume named \"%s\"", s->host, s->port, vs->conf.volume);
	if (vs->taken) {
		if (s->said != -ENOENT)
			log_error("the volume is unknown now, it is served as it was", "reason=\"%s\"", err.text);
		s->said = -ENOENT;
		return vs->n == 1 ? 0 : TOLD;
	}
	vs->err = err;
	vs->refused = -ENOENT;
	co_queue_wake_all(&vs->news);
	return 0;
}

static void tell_refused(struct volume_server *vs, struct server *s, const struct gf_getspec_rsp *rsp, const char *reason)
{
	uint64_t hash = hash_bytes(rsp->spec.data, rsp->spec.len, 0);

	if (hash != s->refused)
		log_error(vs->taken ? "the volume's new file is not taken, the old one stays" : "the volume's file is not taken",
			  "server=%s:%u reason=\"%s\"", s->host, s->port, reason);
	s->refused = hash;
}

/* A file that is not taken ends the session where another server may have a better one. */
static int coroutine_fn use(struct volume_server *vs, struct server *s, const struct gf_getspec_rsp *rsp)
{
	char from[HOST_MAX + 64];
	struct error err = { "" };
	int ret;

	if (rsp->op_ret < 0)
		return refusal(vs, s, rsp->op_errno);
	if (!rsp->spec.len)
		return -EPROTO;
	s->said = 0;
	if (vs->taken && vs->len == rsp->spec.len && memcmp(vs->text, rsp->spec.data, vs->len) == 0)
		return 0;
	snprintf(from, sizeof(from), "volume %.40s of %s", vs->conf.volume, s->host);
	ret = vs->conf.take(vs->conf.user, (const char *)rsp->spec.data, rsp->spec.len, from, &err);
	if (ret < 0) {
		tell_refused(vs, s, rsp, err.text[0] ? err.text : strerror(-ret));
		return vs->taken && vs->n == 1 ? 0 : TOLD;
	}
	s->refused = 0;
	keep_text(vs, &rsp->spec);
	vs->taken = true;
	co_queue_wake_all(&vs->news);
	return 0;
}

static int coroutine_fn fetch(struct volume_server *vs, struct rpc_client *c, struct server *s)
{
	struct arena *arena = arena_new(1u << 20);
	struct gf_getspec_rsp rsp = { 0 };
	int ret = getspec(vs, c, arena, &rsp);

	if (ret == 0) {
		remember_servers(vs, arena, &rsp.xdata);
		ret = use(vs, s, &rsp);
	}
	arena_free(arena);
	return ret;
}

/* --- one server --- */

static void server_up(void *user)
{
	struct volume_server *vs = user;

	vs->up = true;
	co_queue_wake_all(&vs->news);
}

static void server_down(void *user, int why)
{
	struct volume_server *vs = user;

	vs->lost = why < 0 ? why : -ENOTCONN;
	co_queue_wake_all(&vs->news);
}

static void coroutine_fn server_calls(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs, struct arena *arena)
{
	struct volume_server *vs = user;

	if (prog != GF_CALLBACK_PROGRAM || vers != GF_CALLBACK_VERSION || proc != GF_CBK_FETCHSPEC)
		return;
	vs->changed = true;
	co_queue_wake_all(&vs->news);
}

/* Until @cond, what ends a session, or @ns are over: then -ETIMEDOUT. */
static int coroutine_fn wait_for(struct volume_server *vs, const bool *cond, uint64_t ns)
{
	uint64_t old = co_set_deadline(loop_now_ns(vs->conf.loop) + ns);
	int ret = 0;

	while (!*cond && !vs->lost && !vs->stopping && ret == 0)
		ret = co_queue_wait(&vs->news);
	co_restore_deadline(old);
	return vs->stopping ? -ECANCELED : vs->lost ? vs->lost : ret;
}

/* The file is here: hear of changes, and see now and then that the server is alive. */
static int coroutine_fn stay(struct volume_server *vs, struct rpc_client *c, struct server *s)
{
	int ret = 0;

	while (ret == 0) {
		ret = wait_for(vs, &vs->changed, PING_NS);
		if (ret == -ETIMEDOUT) {
			ret = ping(vs, c);
		} else if (ret == 0) {
			wait_for(vs, &vs->stopping, SETTLE_NS);
			vs->changed = false;
			ret = fetch(vs, c, s);
		}
	}
	return ret;
}

static int coroutine_fn session(struct volume_server *vs, struct server *s)
{
	struct rpc_client_conf conf = {
		.name = vs->conf.volume, .host = s->host, .port = s->port, .up = server_up, .down = server_down,
		.callback = server_calls, .user = vs, .quiet = true, .max_record = SPEC_MAX + (64u << 10),
	};
	struct rpc_client *c;
	struct arena *arena;
	int ret;

	vs->up = vs->changed = false;
	vs->lost = 0;
	ret = tls_management(TLS_CLIENT, NULL, &vs->err, &conf.tls);
	if (ret < 0)
		return ret;
	c = rpc_client_new(vs->conf.loop, &conf);
	if (!c)
		return -ENOMEM;
	ret = wait_for(vs, &vs->up, CONNECT_NS);
	arena = arena_new(256u << 10);
	if (ret == 0)
		ret = dump(vs, c, arena);
	arena_free(arena);
	if (ret == 0)
		ret = fetch(vs, c, s);
	if (ret == 0)
		ret = stay(vs, c, s);
	if (ret == -ENOTCONN && vs->lost)
		ret = vs->lost;		/* the call only knows that its connection is gone */
	rpc_client_free(c);
	return ret;
}

/* --- all of them --- */

/* Every server is tried once before anybody naps for long; then the naps double. */
static uint64_t nap_ns(struct volume_server *vs, unsigned tries)
{
	unsigned rounds = tries / vs->n;
	uint64_t ns = NAP_MAX_NS;
	uint32_t dice;

	if (tries % vs->n)
		return NAP_MIN_NS;
	if (rounds < 16 && NAP_MIN_NS << rounds < ns)
		ns = NAP_MIN_NS << rounds;
	loop_random(vs->conf.loop, &dice, sizeof(dice));
	return ns / 2 + dice % (ns / 2 + 1);
}

static void coroutine_fn keep(void *arg)
{
	struct volume_server *vs = arg;
	unsigned tries = 0;
	uint64_t began;
	int ret;

	vs->main = co_self();
	while (!vs->stopping) {
		struct server now = vs->servers[vs->at];	/* the list may grow meanwhile, not shrink */

		began = loop_now_ns(vs->conf.loop);
		ret = session(vs, &now);
		say(vs, &now, ret);
		vs->servers[vs->at] = now;
		if (loop_now_ns(vs->conf.loop) > began + 2 * PING_NS)
			tries = 0;
		vs->at = (vs->at + 1) % vs->n;
		vs->lost = 0;
		if (!vs->stopping)
			wait_for(vs, &vs->stopping, nap_ns(vs, ++tries));
	}
	vs->ended = true;
	co_queue_wake_all(&vs->news);
}

int volume_server_start(const struct volume_server_conf *conf, struct error *err, struct volume_server **ret_vs)
{
	struct volume_server *vs = calloc(1, sizeof(*vs));
	int ret;

	if (!vs)
		return -ENOMEM;
	vs->conf = *conf;
	vs->conf.volume = strdup(conf->volume);
	co_queue_init(&vs->news);
	ret = vs->conf.volume ? add_servers(vs, conf->servers, err) : -ENOMEM;
	if (ret == 0 && !co_start(conf->loop, keep, vs))
		ret = -ENOMEM;
	if (ret == 0) {
		*ret_vs = vs;
		return 0;
	}
	free((char *)vs->conf.volume);
	free(vs);
	return ret;
}

int coroutine_fn volume_server_first(struct volume_server *vs, struct error *err)
{
	int ret = 0;

	while (!vs->taken && !vs->refused && !vs->stopping && ret == 0)
		ret = co_queue_wait(&vs->news);
	if (vs->taken)
		return 0;
	if (vs->refused)
		return error_set(err, vs->refused, "%s", vs->err.text);
	return ret < 0 ? ret : -ECANCELED;
}

void coroutine_fn volume_server_stop(struct volume_server *vs)
{
	if (!vs)
		return;
	vs->stopping = true;
	co_queue_wake_all(&vs->news);
	if (vs->main)
		co_cancel(vs->main);
	co_shield();
	while (!vs->ended)
		co_queue_wait(&vs->news);
	co_unshield();
	free((char *)vs->conf.volume);
	free(vs->text);
	free(vs);
}
