/* A brick's server over the simulated network: who may come in, what is refused and how, and what goes with a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "bricks/internal.h"
#include "rpc/rpc.h"
#include "runtime/log.h"
#include "runtime/sim.h"
#include "xlators/gfwire.h"
#include "xlators/graph.h"

#define VOLUME_ID "11111111-2222-3333-4444-555555555555"
#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)

static const char brick_text[] =
	"volume disk\n type storage/memory\nend-volume\n"
	"volume mybrick\n type features/locks\n subvolumes disk\nend-volume\n";

struct world {
	struct loop *loop;
	struct graph *graph;
	struct brick_server *server;
	void coroutine_fn (*test)(struct world *w);
	const char *allow, *reject;
	struct arena *arena;
	bool passed;
};

static const char *auth_option(void *arg, const char *key)
{
	const struct world *w = arg;

	if (!strcmp(key, "auth.addr.mybrick.allow"))
		return w->allow;
	if (!strcmp(key, "auth.addr.mybrick.reject"))
		return w->reject;
	if (!strcmp(key, "auth.login.mybrick.allow"))
		return "friend";
	return !strcmp(key, "auth.login.friend.password") ? "secret" : NULL;
}

static void address(const char *host, uint16_t port, struct sockaddr_in *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sin_family = AF_INET;
	ret->sin_port = htons(port);
	inet_pton(AF_INET, host, &ret->sin_addr);
}

static void coroutine_fn start_brick(struct world *w)
{
	struct error err = { "" };
	struct graph_conf conf = { .loop = w->loop, .from = "10.0.0.1" };
	struct brick_conf bconf = { .volume_id = VOLUME_ID, .auth_option = auth_option, .auth_arg = w };
	struct volfile *vf = volfile_parse(brick_text, strlen(brick_text), "test", &err);
	struct sockaddr_in addr;
	uint16_t port;

	assert_non_null(vf);
	assert_int_equal(graph_new(vf, &conf, &err, &w->graph), 0);
	volfile_free(vf);
	assert_int_equal(brick_server_new(w->loop, w->graph, &bconf, &err, &w->server), 0);
	address("10.0.0.1", 49152, &addr);
	assert_int_equal(brick_server_listen(w->server, (struct sockaddr *)&addr, &err, &port), 0);
}

/* --- a bare client --- */

struct peer { struct rpc_client *rpc; struct co_wait up; unsigned callbacks; uint64_t sequence; };

static void peer_up(void *user)
{
	co_wake(&((struct peer *)user)->up, 0);
}

static void coroutine_fn peer_called(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs, struct arena *arena)
{
	((struct peer *)user)->callbacks++;
}

static void coroutine_fn peer_connect(struct world *w, struct peer *p, const char *from)
{
	struct sockaddr_in addr;
	struct rpc_client_conf conf = {
		.name = "peer", .host = "10.0.0.1", .port = 49152, .from = (struct sockaddr *)&addr, .up = peer_up, .callback = peer_called,
		.user = p,
	};

	memset(p, 0, sizeof(*p));
	address(from, 0, &addr);
	p->rpc = rpc_client_new(w->loop, &conf);
	assert_int_equal(co_park(&p->up), 0);
}

static int coroutine_fn peer_call(struct world *w, struct peer *p, uint32_t prog, uint32_t vers, uint32_t proc, xdrproc_t encode,
				  const void *args, xdrproc_t decode, void *res)
{
	struct rpc_cred cred = { .flavor = RPC_FLAVOR_GLUSTER3, .lk_owner_len = 4, .lk_owner = (const uint8_t *)"ownr" };
	struct rpc_call rc = {
		.prog = prog, .vers = vers, .proc = proc, .cred = &cred, .encode = encode, .decode = decode, .args = args, .res = res,
		.arena = w->arena,
	};

	return rpc_client_call(p->rpc, &rc);
}

/* SETVOLUME with these pairs, key and value in turn; the errno answered. */
static int coroutine_fn setvolume(struct world *w, struct peer *p, const char *const *pairs, const char **ret_said)
{
	struct gf_setvolume_req req;
	struct gf_setvolume_rsp rsp = { 0 };
	gfx_dict d;

	dict_init(&d, w->arena);
	for (; *pairs; pairs += 2)
		assert_int_equal(dict_set_str(&d, pairs[0], pairs[1]), 0);
	req.dict.len = dict_flat_size(&d);
	req.dict.data = arena_alloc(w->arena, req.dict.len);
	dict_flat_encode(&d, req.dict.data, req.dict.len);
	assert_int_equal(peer_call(w, p, GF_HANDSHAKE_PROGRAM, GF_HANDSHAKE_VERSION, GF_HS_SETVOLUME, CODER(gf_setvolume_req), &req,
				   CODER(gf_setvolume_rsp), &rsp), 0);
	assert_int_equal(dict_flat_decode(&d, w->arena, rsp.dict.data, rsp.dict.len), 0);
	if (ret_said)
		*ret_said = dict_get_str(&d, "ERROR");
	assert_non_null(dict_get_str(&d, "ERROR"));
	if (rsp.op_ret == 0)
		assert_non_null(dict_get_str(&d, "process-uuid"));
	return rsp.op_ret < 0 ? rsp.op_errno : 0;
}

#define GOOD "fops-version", "1298437", "remote-subvolume", "mybrick"
#define SETVOLUME(w, p, ...) setvolume(w, p, (const char *const[]){ __VA_ARGS__, NULL }, NULL)

static int coroutine_fn inodelk(struct world *w, struct peer *p, uint32_t cmd, uint32_t type)
{
	struct gf_inodelk_req req = { .cmd = cmd, .type = type, .flock = { .type = type }, .domain = "test" };
	struct gf_common_rsp rsp = { 0 };
	int ret;

	memcpy(req.gfid, gfid_root, 16);
	ret = peer_call(w, p, GF_FOP_PROGRAM, GF_FOP_VERSION, GF_FOP_INODELK, CODER(gf_inodelk_req), &req, CODER(gf_common_rsp), &rsp);
	return ret ? ret : rsp.op_ret < 0 ? -rsp.op_errno : 0;
}

static int coroutine_fn opendir_root(struct world *w, struct peer *p, int64_t *ret_fd)
{
	struct gf_opendir_req req = { .gfid = { 0 } };
	struct gf_open_rsp rsp = { 0 };
	int ret;

	memcpy(req.gfid, gfid_root, 16);
	ret = peer_call(w, p, GF_FOP_PROGRAM, GF_FOP_VERSION, GF_FOP_OPENDIR, CODER(gf_opendir_req), &req, CODER(gf_open_rsp), &rsp);
	*ret_fd = rsp.fd;
	return ret ? ret : rsp.op_ret < 0 ? -rsp.op_errno : 0;
}

static int coroutine_fn stat_fd(struct world *w, struct peer *p, int64_t fd)
{
	struct gf_fstat_req req = { .fd = fd };
	struct gf_stat_rsp rsp = { 0 };
	int ret;

	memcpy(req.gfid, gfid_root, 16);
	ret = peer_call(w, p, GF_FOP_PROGRAM, GF_FOP_VERSION, GF_FOP_FSTAT, CODER(gf_fstat_req), &req, CODER(gf_stat_rsp), &rsp);
	return ret ? ret : rsp.op_ret < 0 ? -rsp.op_errno : 0;
}

/* --- tests --- */

static void coroutine_fn refusals(struct world *w)
{
	struct peer p;

	peer_connect(w, &p, "10.0.0.2");
	assert_int_equal(SETVOLUME(w, &p, "remote-subvolume", "mybrick", "fops-version", "1298437"), EINVAL);
	assert_int_equal(SETVOLUME(w, &p, "remote-subvolume", "mybrick", "process-uuid", "a"), EINVAL);
	assert_int_equal(SETVOLUME(w, &p, "remote-subvolume", "mybrick", "process-uuid", "a", "fops-version", "7"), EINVAL);
	assert_int_equal(SETVOLUME(w, &p, "process-uuid", "a", "fops-version", "1298437"), EINVAL);
	assert_int_equal(SETVOLUME(w, &p, "process-uuid", "a", "fops-version", "1298437", "remote-subvolume", "other"), ENOENT);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "volume-id", "99999999-2222-3333-4444-555555555555"), EINVAL);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "username", "friend", "password", "wrong"), EACCES);
	assert_int_equal(brick_server_clients(w->server), 0);
	assert_int_equal(inodelk(w, &p, 1, 1), -EPROTO);	/* a stranger's call is garbage */
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "volume-id", VOLUME_ID), 0);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "b"), EINVAL);
	assert_int_equal(brick_server_clients(w->server), 1);
	assert_int_equal(inodelk(w, &p, 1, 1), 0);
	rpc_client_free(p.rpc);
}

static void coroutine_fn addresses(struct world *w)
{
	struct peer p;

	w->allow = "10.0.0.0/28, 10.1.*";
	w->reject = "10.0.0.3";
	peer_connect(w, &p, "10.0.0.2");
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), 0);
	rpc_client_free(p.rpc);
	peer_connect(w, &p, "10.0.0.3");
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), EACCES);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "username", "friend", "password", "secret"), EACCES);
	rpc_client_free(p.rpc);
	peer_connect(w, &p, "10.1.7.7");
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), 0);
	rpc_client_free(p.rpc);
	peer_connect(w, &p, "10.0.0.77");
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), EACCES);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "username", "stranger", "password", "secret"), EACCES);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a", "username", "friend", "password", "secret"), 0);
	rpc_client_free(p.rpc);
}

/* Two connections of one process-uuid are one client; the last one takes locks and fds along. */
static void coroutine_fn sharing(struct world *w)
{
	struct peer one, two, other;
	int64_t fd;

	peer_connect(w, &one, "10.0.0.2");
	peer_connect(w, &two, "10.0.0.2");
	peer_connect(w, &other, "10.0.0.3");
	assert_int_equal(SETVOLUME(w, &one, GOOD, "process-uuid", "same"), 0);
	assert_int_equal(SETVOLUME(w, &two, GOOD, "process-uuid", "same"), 0);
	assert_int_equal(SETVOLUME(w, &other, GOOD, "process-uuid", "other", "opversion", "100000"), 0);
	assert_int_equal(brick_server_clients(w->server), 2);
	assert_int_equal(opendir_root(w, &one, &fd), 0);
	assert_int_equal(fd, 0);
	assert_int_equal(stat_fd(w, &two, fd), 0);
	assert_int_equal(stat_fd(w, &other, fd), -EBADF);
	assert_int_equal(inodelk(w, &one, 1, 1), 0);
	assert_int_equal(inodelk(w, &two, 1, 1), 0);
	assert_int_equal(inodelk(w, &other, 1, 1), -EAGAIN);
	co_sleep_ns(10000000);
	assert_true(one.callbacks + two.callbacks >= 1);	/* the holder heard that somebody waits */
	rpc_client_free(one.rpc);
	co_sleep_ns(50000000);
	assert_int_equal(inodelk(w, &other, 1, 1), -EAGAIN);
	assert_int_equal(stat_fd(w, &two, fd), 0);
	rpc_client_free(two.rpc);
	co_sleep_ns(50000000);
	assert_int_equal(inodelk(w, &other, 1, 1), 0);
	assert_int_equal(brick_server_clients(w->server), 1);
	rpc_client_free(other.rpc);
}

static void coroutine_fn refused_programs(struct world *w)
{
	struct gf_getspec_req req = { .key = "vol" };
	struct gf_getspec_rsp rsp = { 0 };
	struct gf_common_rsp common = { 0 };
	struct gf_dump_req dreq = { 0 };
	struct gf_dump_rsp dump = { 0 };
	struct peer p;
	unsigned i, found = 0;

	peer_connect(w, &p, "10.0.0.2");
	assert_int_equal(peer_call(w, &p, GF_DUMP_PROGRAM, 1, GF_DUMP_DUMP, CODER(gf_dump_req), &dreq, CODER(gf_dump_rsp), &dump), 0);
	for (i = 0; i < dump.progs.n; i++) {
		assert_int_not_equal(dump.progs.entries[i].prog, GF_PORTMAP_PROGRAM);
		found += dump.progs.entries[i].prog == GF_FOP_PROGRAM || dump.progs.entries[i].prog == GATE_PROGRAM;
	}
	assert_int_equal(found, 2);
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), 0);
	assert_int_equal(peer_call(w, &p, GF_HANDSHAKE_PROGRAM, 2, GF_HS_GETSPEC, CODER(gf_getspec_req), &req, CODER(gf_getspec_rsp), &rsp), 0);
	assert_int_equal(rsp.op_ret, -1);
	assert_int_equal(rsp.op_errno, ENOSYS);
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, GF_FOP_PUT, NULL, NULL, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, GF_FOP_COMPOUND, NULL, NULL, NULL, NULL), -EPROTO);
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, 57, NULL, NULL, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 330, 1, NULL, NULL, NULL, NULL), -EOPNOTSUPP);
	struct gf_release_req unknown = { .fd = 77 };
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, GF_FOP_RELEASE, CODER(gf_release_req), &unknown, CODER(gf_common_rsp),
				   &common), 0);
	assert_int_equal(common.op_ret, 0);
	rpc_client_free(p.rpc);
}

/* A name with a slash reaches no storage. */
static void coroutine_fn names(struct world *w)
{
	struct gf_lookup_req req = { .bname = "a/b" };
	struct gf_lookup_rsp rsp = { 0 };
	struct peer p;

	peer_connect(w, &p, "10.0.0.2");
	assert_int_equal(SETVOLUME(w, &p, GOOD, "process-uuid", "a"), 0);
	memcpy(req.pargfid, gfid_root, 16);
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, GF_FOP_LOOKUP, CODER(gf_lookup_req), &req, CODER(gf_lookup_rsp), &rsp), 0);
	assert_int_equal(rsp.op_ret, -1);
	assert_int_equal(rsp.op_errno, EPERM);
	memset(&rsp, 0, sizeof(rsp));
	req.bname = "";			/* and no gfid: neither a name nor an object */
	assert_int_equal(peer_call(w, &p, GF_FOP_PROGRAM, 400, GF_FOP_LOOKUP, CODER(gf_lookup_req), &req, CODER(gf_lookup_rsp), &rsp), 0);
	assert_int_equal(rsp.op_errno, EINVAL);
	rpc_client_free(p.rpc);
}

static void coroutine_fn run(void *arg)
{
	struct world *w = arg;

	start_brick(w);
	w->test(w);
	assert_int_equal(brick_server_drain(w->server), 0);
	brick_server_free(w->server);
	graph_free(w->graph);
	w->passed = true;
	loop_stop(w->loop);
}

static void in_world(void coroutine_fn (*test)(struct world *w))
{
	struct world w = { .loop = loop_new_sim(7), .test = test, .arena = arena_new(4 << 20), .allow = "*" };

	co_start(w.loop, run, &w);
	loop_run(w.loop);
	assert_true(w.passed);
	arena_free(w.arena);
	loop_free(w.loop);
}

static void test_refusals(void **state) { in_world(refusals); }
static void test_addresses(void **state) { in_world(addresses); }
static void test_sharing(void **state) { in_world(sharing); }
static void test_refused_programs(void **state) { in_world(refused_programs); }
static void test_names(void **state) { in_world(names); }

/* --- the rules alone --- */

static const char *rules(void *arg, const char *key)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (!strcmp(key, pairs[0]))
			return pairs[1];
	return NULL;
}

static bool comes_in(const char *const *pairs, const char *certificate)
{
	struct brick_server bs = { .name = (char *)"b", .auth_option = rules, .auth_arg = (void *)pairs };
	struct sockaddr_in addr;
	struct auth_claim claim = { .peer = (struct sockaddr *)&addr, .certificate = certificate };
	const char *rule = NULL;
	bool trusted, in;

	address("192.0.2.7", 1000, &addr);
	in = auth_check(&bs, &claim, &trusted, &rule) == 0;
	assert_false(trusted);
	assert_int_equal(in, !rule);
	return in;
}

static void test_certificates(void **state)
{
	static const char *const some[] = { "auth.login.b.ssl-allow", "node1, the gateway,lab-*", NULL };
	static const char *const any[] = { "auth.login.b.ssl-allow", "*", NULL };
	static const char *const nobody[] = { "auth.login.b.ssl-allow", "", NULL };
	static const char *const none[] = { NULL };
	static const char *const elsewhere[] = { "auth.login.b.ssl-allow", "node1", "auth.addr.b.allow", "192.0.2.8", NULL };
	static const char *const rejected[] = { "auth.login.b.ssl-allow", "node1", "auth.addr.b.reject", "192.0.2.7", NULL };

	assert_true(comes_in(some, "node1") && comes_in(some, "the gateway") && comes_in(some, "lab-7"));
	assert_false(comes_in(some, "node") || comes_in(some, "node11") || comes_in(some, "gateway") || comes_in(some, ""));
	assert_false(comes_in(some, "node1, the gateway,lab-*") || comes_in(some, "*"));
	assert_true(comes_in(any, "whoever") && comes_in(any, ""));
	assert_false(comes_in(nobody, "node1") || comes_in(nobody, ""));
	assert_true(comes_in(none, "whoever") && comes_in(none, NULL));
	assert_true(comes_in(elsewhere, "node1"));
	assert_false(comes_in(elsewhere, "node2") || comes_in(rejected, "node1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_addresses), cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_refused_programs), cmocka_unit_test(test_names), cmocka_unit_test(test_certificates),
	};

	log_open("test_brick", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
