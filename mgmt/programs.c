/* mgmt/programs.c: what the manager serves. On TCP 24007 GlusterFS's own programs (facts/brick-wire.md sections 4, 5, 12): clients, bricks and
 * gateways find volfiles and ports there, stock ones, too. On the unix socket, which only root can open, the commands. */
#include "mgmt/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "mgmt/document.h"
#include "mgmt/json.h"
#include "mgmt/text.h"
#include "rpc/rpc.h"
#include "rpcgen/dict.h"
#include "rpcgen/gate_mgmt.h"
#include "rpcgen/gluster4.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define SIGNED_IN_MAX 4096
#define READERS_MAX   4096
#define CONNS_MAX     4096u
#define OWN_DESCRIPTORS 512u
#define ANSWER_MAX    (1u << 20)
#define OP_VERSION    100000 /* what a volume of ours needs at most: GlusterFS 10 */

/* A connection that has fetched a volfile and wants to hear when there is a new one. */
struct spec_reader {
	struct list link;
	struct rpc_conn *conn;
	char *volume;
};

static struct manager *manager_of(const struct rpc_request *rq)
{
	return rpc_server_user(rq->server);
}

/* --- DUMP --- */

static struct gf_prog listed[] = {
	{ "GlusterFS Handshake", GF_HANDSHAKE_PROGRAM, GF_HANDSHAKE_VERSION },
	{ "Gluster Portmap", GF_PORTMAP_PROGRAM, GF_PORTMAP_VERSION },
	{ "GF-DUMP", GF_DUMP_PROGRAM, GF_DUMP_VERSION },
	{ "Gatehouse manager", GATE_MGMT_PROGRAM, GATE_MGMT_VERSION },
};

static int coroutine_fn run_dump(struct rpc_request *rq, const void *args, void *res)
{
	struct gf_dump_rsp *rsp = res;

	rsp->progs.n = sizeof(listed) / sizeof(listed[0]);
	rsp->progs.entries = listed;
	return RPC_OK;
}

static int coroutine_fn run_success(struct rpc_request *rq, const void *args, void *res)
{
	return RPC_OK;
}

static int coroutine_fn run_not_here(struct rpc_request *rq, const void *args, void *res)
{
	int32_t *head = res; /* op_ret, op_errno */

	head[0] = -1;
	head[1] = ENOSYS;
	return RPC_OK;
}

/* --- portmap --- */

static struct signed_in *signed_in_find(const struct manager *m, const char *brick)
{
	struct signed_in *s;

	list_for_each_entry(s, &m->signed_in, link)
		if (strcmp(s->brick, brick) == 0)
			return s;
	return NULL;
}

static int coroutine_fn run_portbybrick(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_portbybrick_req *req = args;
	struct gf_portbybrick_rsp *rsp = res;
	const struct manager *m = manager_of(rq);
	const struct host_brick *b = host_brick_find(m, NULL, req->brick);
	const struct signed_in *s = signed_in_find(m, req->brick);

	if (b && b->online)
		rsp->port = b->port;
	else if (s)
		rsp->port = s->port;
	else
		rsp->op_ret = -1;
	return RPC_OK;
}

static int coroutine_fn run_brickbyport(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_brickbyport_req *req = args;
	struct gf_brickbyport_rsp *rsp = res;
	const struct manager *m = manager_of(rq);
	const struct host_brick *b;
	const struct signed_in *s;

	rsp->op_ret = -1;
	list_for_each_entry(b, &m->bricks, link)
		if (b->online && b->port == req->port) {
			rsp->op_ret = 0;
			rsp->brick = arena_strdup(rq->arena, b->path);
		}
	list_for_each_entry(s, &m->signed_in, link)
		if (s->port == req->port) {
			rsp->op_ret = 0;
			rsp->brick = arena_strdup(rq->arena, s->brick);
		}
	return RPC_OK;
}

static bool is_privileged(const struct sockaddr_storage *peer)
{
	uint16_t port = ((const struct sockaddr_in *)peer)->sin_port; /* at the same place for both families */

	return ntohs(port) < 1024;
}

static bool from_this_host(const struct manager *m, const struct rpc_request *rq)
{
	char text[64], *end;

	sockaddr_text((const struct sockaddr *)rq->peer, text, sizeof(text));
	end = strrchr(text, ':');
	if (end)
		*end = 0;
	if (text[0] == '[') {
		text[strcspn(text, "]")] = 0;
		memmove(text, text + 1, strlen(text));
	}
	return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0 ||
	       has_address(m, strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text);
}

/* Only root's processes of this host get what clients log in with, and have bricks here to speak of. The kernel says so: an address and a
 * port below 1024 prove neither (an address may be translated, a port be open to anybody in a container). glusterd asks for the address
 * only; another user of this host would learn the volume's login from it, or send a brick's clients to himself. */
static bool is_trusted(const struct manager *m, const struct rpc_request *rq)
{
	return from_this_host(m, rq) && rpc_peer_is_root((const struct sockaddr *)rq->peer, (uint16_t)m->conf.port);
}

static void forget_signed_in(struct signed_in *s)
{
	list_remove(&s->link);
	free(s->brick);
	free(s);
}

static int coroutine_fn run_signin(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_signin_req *req = args;
	struct gf_sign_rsp *rsp = res;
	struct manager *m = manager_of(rq);
	struct signed_in *s = signed_in_find(m, req->brick), *i;
	unsigned n = 0;

	list_for_each_entry(i, &m->signed_in, link)
		n++;
	if (!is_trusted(m, rq) || req->port <= 0 || req->port > 65535 || (!s && n >= SIGNED_IN_MAX)) {
		rsp->op_ret = -1;
		rsp->op_errno = EPERM;
		return RPC_OK;
	}
	if (!s) {
		s = need(calloc(1, sizeof(*s)));
		s->brick = need(strdup(req->brick));
		list_append(&m->signed_in, &s->link);
	}
	s->port = (uint16_t)req->port;
	s->pid = req->pid;
	log_info("a brick signed in", "brick=%s port=%d", log_quote(s->brick), s->port);
	return RPC_OK;
}

static int coroutine_fn run_signout(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_signout_req *req = args;
	struct gf_sign_rsp *rsp = res;
	struct manager *m = manager_of(rq);
	struct signed_in *s = signed_in_find(m, req->brick);

	if (s && s->port == req->port && is_trusted(m, rq))
		forget_signed_in(s);
	else
		rsp->op_ret = -1;
	return RPC_OK;
}

/* --- GETSPEC --- */

/* The brick of @v that "HOST.PATH-WITH-DASHES" means, -1 when there is none. */
static int brick_by_key(const struct volume *v, const char *rest)
{
	char *own, *dashes;
	unsigned i;
	bool same;

	for (i = 0; i < v->nbricks; i++) {
		dashes = need(malloc(strlen(v->bricks[i].path) + 1));
		brick_path_dashes(v->bricks[i].path, dashes, (unsigned)strlen(v->bricks[i].path) + 1);
		own = format("%s.%s", v->bricks[i].host, dashes);
		same = strcmp(own, rest) == 0;
		free(own);
		free(dashes);
		if (same)
			return (int)i;
	}
	return -1;
}

static const struct volume *volume_by_key(const struct manager *m, const char *key)
{
	const struct known_volume *k = known_volume(m, key);

	return k ? k->v : NULL;
}

/* Disks are looked at, and the volume may change meanwhile. */
static char *coroutine_fn brick_spec(struct manager *m, const char *name, const char *rest)
{
	const struct volume *v = volume_by_key(m, name);
	int brick = v ? brick_by_key(v, rest) : -1;
	unsigned *shared, n;
	char *text = NULL;

	if (brick < 0)
		return NULL;
	host_bricks_shared(m, v, &shared);
	n = shared[brick];
	free(shared);
	v = volume_by_key(m, name);
	brick = v ? brick_by_key(v, rest) : -1;
	if (brick >= 0)
		text = host_brick_volfile(m, v, (unsigned)brick, n);
	return text;
}

/* The text that a key asks for, or NULL. *ret_volume: whose it is, malloc'ed; *ret_own: the text itself, when it was made for this call. */
static const char *coroutine_fn spec_for(struct manager *m, const char *key, bool trusted, char **ret_volume, char **ret_own)
{
	const char *dot = strchr(key, '.');

	while (*key == '/')
		key++;
	if (strncmp(key, "shd/", 4) == 0 || strncmp(key, "gateway/", 8) == 0) {
		*ret_volume = need(strdup(strchr(key, '/') + 1));
		return trusted ? known_volfile(m, *ret_volume, *key == 's' ? VOLFILE_SELF_HEAL : VOLFILE_GATEWAY) : NULL;
	}
	if (known_volume(m, key)) {
		*ret_volume = need(strdup(key));
		return known_volfile(m, key, trusted ? VOLFILE_CLIENT_TRUSTED : VOLFILE_CLIENT);
	}
	if (!dot)
		return NULL;
	*ret_volume = format("%.*s", (int)(dot - key), key);
	return *ret_own = trusted ? brick_spec(m, *ret_volume, dot + 1) : NULL;
}

static void remember_reader(struct manager *m, struct rpc_conn *conn, const char *volume)
{
	struct spec_reader *r;
	unsigned n = 0;

	list_for_each_entry(r, &m->spec_readers, link) {
		n++;
		if (r->conn == conn && strcmp(r->volume, volume) == 0)
			return;
	}
	if (n >= READERS_MAX)
		return;
	r = need(calloc(1, sizeof(*r)));
	*r = (struct spec_reader){ .conn = conn, .volume = need(strdup(volume)) };
	list_append(&m->spec_readers, &r->link);
}

static void forget_reader(struct spec_reader *r)
{
	list_remove(&r->link);
	free(r->volume);
	free(r);
}

static void conn_closed(struct rpc_conn *conn, void *user)
{
	struct manager *m = user;
	struct spec_reader *r, *next;

	list_for_each_entry_safe(r, next, &m->spec_readers, link)
		if (r->conn == conn)
			forget_reader(r);
}

void programs_volume_changed(struct manager *m, const char *volume)
{
	struct spec_reader *r;

	if (!m->tcp)
		return;
	list_for_each_entry(r, &m->spec_readers, link)
		if (strcmp(r->volume, volume) == 0)
			rpc_conn_notify(r->conn, GF_CALLBACK_PROGRAM, GF_CALLBACK_VERSION, GF_CBK_FETCHSPEC, NULL, NULL);
}

/* Other hosts that have the same volfiles: "h2:24007 h3:24007". */
static char *other_servers(const struct manager *m, struct arena *arena)
{
	char *list = arena_strdup(arena, "");
	unsigned i;

	for (i = 0; list && i < m->nhosts; i++)
		if (strcmp(m->hosts[i]->uuid, m->uuid) != 0)
			list = arena_printf(arena, "%s%s%s:%d", list, *list ? " " : "", m->hosts[i]->name, (int)m->conf.port);
	return list;
}

static int answer_servers(struct manager *m, struct rpc_request *rq, gf_bytes *ret_bytes)
{
	char *servers = other_servers(m, rq->arena);
	gfx_dict d;
	int ret;

	dict_init(&d, rq->arena);
	if (!servers || !*servers)
		return 0;
	ret = dict_set_str(&d, "servers-list", servers);
	if (ret < 0)
		return ret;
	ret_bytes->len = dict_flat_size(&d);
	ret_bytes->data = arena_alloc(rq->arena, ret_bytes->len);
	return ret_bytes->data ? dict_flat_encode(&d, ret_bytes->data, ret_bytes->len) : -ENOMEM;
}

/* Without xdata, or when what it names is too old, a client cannot read what we would send. */
static int check_client(struct rpc_request *rq, const struct gf_getspec_req *req)
{
	int64_t min = 1, max = 0;
	gfx_dict d;

	dict_init(&d, rq->arena);
	if (!req->xdata.len || dict_flat_decode(&d, rq->arena, req->xdata.data, req->xdata.len) < 0)
		return EOPNOTSUPP;
	dict_get_int(&d, "min-op-version", &min);
	dict_get_int(&d, "max-op-version", &max);
	return min <= OP_VERSION && max >= 40000 ? 0 : EOPNOTSUPP;
}

static int coroutine_fn run_getspec(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_getspec_req *req = args;
	struct gf_getspec_rsp *rsp = res;
	struct manager *m = manager_of(rq);
	char *volume = NULL, *own = NULL;
	const char *text = NULL;
	int error = check_client(rq, req);

	if (!error) {
		text = spec_for(m, req->key, is_trusted(m, rq), &volume, &own);
		error = text ? 0 : ENOENT;
	}
	if (error) {
		log_info("a volfile was asked for that is not to be had", "key=%s errno=%d", log_quote(req->key), error);
		rsp->op_ret = -1;
		rsp->op_errno = error;
	} else {
		rsp->spec.len = (uint32_t)strlen(text);
		rsp->spec.data = arena_memdup(rq->arena, text, rsp->spec.len);
		rsp->op_ret = (int32_t)rsp->spec.len;
		if (rq->conn)
			remember_reader(m, rq->conn, volume);
		if (!rsp->spec.data || ((req->flags & 1) && answer_servers(m, rq, &rsp->xdata) < 0))
			error = ENOMEM;
	}
	free(own);
	free(volume);
	return error == ENOMEM ? RPC_SYSTEM_ERROR : RPC_OK;
}

/* --- our own --- */

/* NULL when it is longer than a call may be. */
static char *text_of(json_t *answer)
{
	char *text = need(json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII));

	if (strlen(text) <= ANSWER_MAX)
		return text;
	free(text);
	return NULL;
}

/* The answer's text lives in the arena. */
int programs_answer(struct rpc_request *rq, json_t *answer, struct gate_text *res)
{
	struct error err = { "" };
	char *text = text_of(answer);
	struct iobuf *buf;
	size_t len;

	json_decref(answer);
	if (!text) {
		error_set(&err, -E2BIG, "the answer is longer than 1 MiB, which is as much as a command can say: name one volume, or "
			  "fewer lines");
		answer = json_failure(E2BIG, &err);
		text = need(text_of(answer));
		json_decref(answer);
	}
	len = strlen(text);
	buf = need(iobuf_new((uint32_t)len));
	memcpy(buf->data, text, len);
	free(text);
	res->json = (struct payload){ buf, 0, (uint32_t)len };
	return arena_cleanup(rq->arena, (void (*)(void *))iobuf_unref, buf) < 0 ? RPC_SYSTEM_ERROR : RPC_OK;
}

json_t *programs_request(const struct gate_text *req, size_t max)
{
	if (!req->json.len || req->json.len > max)
		return NULL;
	return json_parse((const char *)req->json.buf->data + req->json.offset, req->json.len);
}

static int coroutine_fn run_command(struct rpc_request *rq, const void *args, void *res)
{
	struct manager *m = manager_of(rq);
	json_t *request = programs_request(args, ANSWER_MAX), *answer;
	uint64_t old;

	if (!json_is_object(request)) {
		json_decref(request);
		return RPC_GARBAGE;
	}
	old = co_set_deadline(loop_now_ns(m->loop) + COMMAND_NS);
	answer = command_run(m, request);
	co_restore_deadline(old);
	json_decref(request);
	return programs_answer(rq, answer, res);
}

/* Nothing that a stranger sends is read. */
static int coroutine_fn run_probe(struct rpc_request *rq, const void *args, void *res)
{
	struct manager *m = manager_of(rq);
	enum join_proof proof = m->tls_server && rpc_conn_peer_serves(rq->conn) ? JOIN_CERTIFICATE :
				is_privileged(rq->peer)				? JOIN_PORT :
										  JOIN_NO_PROOF;
	bool readable = proof == JOIN_CERTIFICATE || (proof == JOIN_PORT && m->conf.trust_network);
	json_t *request = readable ? programs_request(args, PROBE_MAX) : need(json_object()), *answer;

	if (!json_is_object(request)) {
		json_decref(request);
		return RPC_GARBAGE;
	}
	answer = join_answer(m, request, proof);
	json_decref(request);
	return programs_answer(rq, answer, res);
}

/* --- the tables --- */

#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)
#define PROC(name, run, req, rsp)                                                                                                        \
	{                                                                                                                                \
		name, run, CODER(req), CODER(rsp), sizeof(struct req), sizeof(struct rsp), RPC_IDEMPOTENT, NULL                          \
	}
#define PROC0(name, run, rsp)                                                                                                            \
	{                                                                                                                                \
		name, run, NULL, CODER(rsp), 0, sizeof(struct rsp), RPC_IDEMPOTENT, NULL                                                 \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rpc_proc dump_procs[] = {
	[GF_DUMP_NULL] = { .name = "NULL" },
	[GF_DUMP_DUMP] = PROC("DUMP", run_dump, gf_dump_req, gf_dump_rsp),
	[GF_DUMP_PING] = PROC0("PING", run_success, gf_ping_rsp),
};

static const struct rpc_proc handshake_procs[] = {
	[GF_HS_NULL] = { .name = "NULL" },
	[GF_HS_SETVOLUME] = PROC("SETVOLUME", run_not_here, gf_setvolume_req, gf_setvolume_rsp),
	[GF_HS_GETSPEC] = PROC("GETSPEC", run_getspec, gf_getspec_req, gf_getspec_rsp),
	[GF_HS_PING] = PROC0("PING", run_success, gf_ping_rsp),
	[GF_HS_SET_LK_VER] = PROC("SET_LK_VER", run_success, gf_set_lk_ver_req, gf_set_lk_ver_rsp),
	[GF_HS_EVENT_NOTIFY] = PROC("EVENT_NOTIFY", run_success, gf_event_notify_req, gf_event_notify_rsp),
	[GF_HS_GET_VOLUME_INFO] = PROC("GET_VOLUME_INFO", run_not_here, gf_volume_info_req, gf_volume_info_rsp),
	[GF_HS_GET_SNAPSHOT_INFO] = PROC("GET_SNAPSHOT_INFO", run_not_here, gf_volume_info_req, gf_volume_info_rsp),
};

static const struct rpc_proc portmap_procs[] = {
	[GF_PMAP_NULL] = { .name = "NULL" },
	[GF_PMAP_PORTBYBRICK] = PROC("PORTBYBRICK", run_portbybrick, gf_portbybrick_req, gf_portbybrick_rsp),
	[GF_PMAP_BRICKBYPORT] = PROC("BRICKBYPORT", run_brickbyport, gf_brickbyport_req, gf_brickbyport_rsp),
	[GF_PMAP_SIGNIN] = PROC("SIGNIN", run_signin, gf_signin_req, gf_sign_rsp),
	[GF_PMAP_SIGNOUT] = PROC("SIGNOUT", run_signout, gf_signout_req, gf_sign_rsp),
};

static const struct rpc_proc probe_procs[] = {
	[GATE_MGMT_NULL] = { .name = "NULL" },
	[GATE_MGMT_PROBE] = PROC("PROBE", run_probe, gate_text, gate_text),
};

static const struct rpc_proc command_procs[] = {
	[GATE_MGMT_NULL] = { .name = "NULL" },
	[GATE_MGMT_COMMAND] = PROC("COMMAND", run_command, gate_text, gate_text),
};

static const struct rpc_program dump_program = { "dump", GF_DUMP_PROGRAM, GF_DUMP_VERSION, COUNT(dump_procs), dump_procs, NULL };
static const struct rpc_program handshake_program = { "handshake",          GF_HANDSHAKE_PROGRAM,
						      GF_HANDSHAKE_VERSION, COUNT(handshake_procs),
						      handshake_procs,      NULL };
static const struct rpc_program portmap_program = { "portmap",          GF_PORTMAP_PROGRAM,
						    GF_PORTMAP_VERSION, COUNT(portmap_procs),
						    portmap_procs,      NULL };
static const struct rpc_program probe_program = { "probe", GATE_MGMT_PROGRAM, GATE_MGMT_VERSION, COUNT(probe_procs), probe_procs, NULL };
static const struct rpc_program command_program = { "command", GATE_MGMT_PROGRAM, GATE_MGMT_VERSION, COUNT(command_procs), command_procs,
						    NULL };

static const struct rpc_program *const tcp_programs[] = { &dump_program, &handshake_program, &portmap_program, &probe_program, NULL };
static const struct rpc_program *const local_programs[] = { &command_program, NULL };

/* --- serving --- */

static int listen_local(struct manager *m, struct error *err)
{
	char *path = format("%s/manager.sock", m->conf.run_dir);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	uint16_t port;
	int ret;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		ret = error_set(err, -ENAMETOOLONG, "the path %s is too long for a socket: choose a shorter --run-dir", path);
		free(path);
		return ret;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	ret = rpc_server_listen(m->local, (struct sockaddr *)&addr, err, &port);
	if (ret < 0)
		error_set(err, ret, "cannot listen at %s: %s", path, strerror(-ret));
	free(path);
	return ret;
}

static int listen_on(void *server, const struct sockaddr *addr, struct error *err, uint16_t *port)
{
	return rpc_server_listen(server, addr, err, port);
}

static int coroutine_fn listen_tcp(struct manager *m, struct error *err)
{
	uint16_t port = (uint16_t)m->conf.port;

	return rpc_listen_each(m->conf.listen, listen_on, m->tcp, &port, err);
}

/* Strangers may not take the descriptors that commands, bricks and the store need. */
static uint32_t connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= CONNS_MAX + OWN_DESCRIPTORS)
		return CONNS_MAX;
	return limit.rlim_cur > 2 * OWN_DESCRIPTORS ? (uint32_t)limit.rlim_cur - OWN_DESCRIPTORS : (uint32_t)limit.rlim_cur / 2;
}

int coroutine_fn programs_serve(struct manager *m, struct error *err)
{
	/* what a stranger gets is short and made at once: a volfile, a port; so that others need not wait for long */
	struct rpc_limits tcp_limits = {
		.max_inflight = 16, .max_conns = connections_max(), .max_unsent = 64u << 10, .max_memory = 64u << 20, .idle_ms = 30000
	};
	/* a command a connection at a time, and the next one when the answer has been read */
	static const struct rpc_limits local_limits = { .max_inflight = 1, .max_conns = 256, .max_unsent = 64u << 10 };
	struct rpc_service tcp = { .name = "manager",
				   .programs = tcp_programs,
				   .user = m,
				   .closed = conn_closed, .tls = m->tls_server,
				   .limits = tcp_limits,
				   .cancel_on_close = true };
	struct rpc_service local = { .name = "commands",
				     .programs = local_programs,
				     .user = m,
				     .limits = local_limits,
				     .cancel_on_close = false };
	int ret = rpc_server_new(m->loop, &tcp, &m->tcp);

	if (ret == 0)
		ret = rpc_server_new(m->loop, &local, &m->local);
	if (ret == 0)
		ret = listen_tcp(m, err);
	return ret == 0 ? listen_local(m, err) : ret;
}

void coroutine_fn programs_stop(struct manager *m)
{
	struct signed_in *s, *next;

	invite_end(m);
	if (m->local) {
		rpc_server_drain(m->local);
		rpc_server_free(m->local);
	}
	if (m->tcp) {
		rpc_server_drain(m->tcp);
		rpc_server_free(m->tcp);
	}
	m->tcp = m->local = NULL;
	list_for_each_entry_safe(s, next, &m->signed_in, link)
		forget_signed_in(s);
}
