/* The engine over the simulated network: calls and replies, every refusal, the replay cache, back-pressure,
 * reconnecting, draining. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rpc/message.h"
#include "rpc/replay.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "rpcgen/nfs3.h"
#include "runtime/log.h"
#include "runtime/loop_private.h"
#include "runtime/sim.h"
#include "runtime/stream.h"

#define PROG 400000u
#define SERVER_IP "10.0.0.1"
#define CLIENT_IP "10.0.0.2"
#define MS 1000000ull

static struct loop *loop;
static struct rpc_server *server;
static struct rpc_replay_cache *cache;
static struct sockaddr_in server_addr, client_addr;
static unsigned executed, running, most_running, opened, closed, canceled;
static struct rpc_conn *last_conn;
static unsigned coroutines;
static void (*scenario)(void);

/* --- the service --- */

static int coroutine_fn run_echo(struct rpc_request *rq, const void *args, void *res)
{
	executed++;
	memcpy(res, args, sizeof(ACCESS3args));
	rq->reply_tail = rq->tail;
	return RPC_OK;
}

static int coroutine_fn run_sleep(struct rpc_request *rq, const void *args, void *res)
{
	int ret;

	running++;
	if (running > most_running)
		most_running = running;
	ret = co_sleep_ns(50 * MS);
	if (ret == -ECANCELED)
		canceled++;
	running--;
	return run_echo(rq, args, res);
}

static int coroutine_fn run_verdict(struct rpc_request *rq, const void *args, void *res)
{
	return (int)((const ACCESS3args *)args)->access;
}

static int coroutine_fn run_count(struct rpc_request *rq, const void *args, void *res)
{
	co_sleep_ns(20 * MS);
	executed++;
	((ACCESS3args *)res)->access = executed;
	return RPC_OK;
}

/* Waits until access is 1: as many locks do for one unlock. */
static int coroutine_fn run_lock(struct rpc_request *rq, const void *args, void *res)
{
	static bool unlocked;

	if (((const ACCESS3args *)args)->access)
		unlocked = true;
	rpc_request_set_waiting(rq, true);
	running++;
	while (!unlocked)
		co_sleep_ns(MS);
	if (!--running)
		unlocked = false;
	return run_echo(rq, args, res);
}

static unsigned late_results, late_ends;

static void late_answer(struct rpc_request *rq, void *res)
{
	if (res)
		((ACCESS3args *)res)->access = 77;
	late_results += res != NULL;
	late_ends += res == NULL;
}

/* What a hanging disk does to a call: it heeds no deadline. */
static int coroutine_fn run_stuck(struct rpc_request *rq, const void *args, void *res)
{
	rpc_request_answer_by(rq, loop_now_ns(loop) + 2000 * MS, late_answer);
	co_shield();
	co_sleep_ns(((const ACCESS3args *)args)->access * MS);
	co_unshield();
	return run_echo(rq, args, res);
}

static int coroutine_fn run_whoami(struct rpc_request *rq, const void *args, void *res)
{
	ACCESS3args *out = res;

	out->access = rq->cred.uid + rq->cred.ngroups * 1000 + (rq->cred.ngroups ? rq->cred.groups[0] * 100000 : 0);
	out->object.len = rq->cred.lk_owner_len;
	if (rq->cred.lk_owner_len)
		memcpy(out->object.data, rq->cred.lk_owner, rq->cred.lk_owner_len > 64 ? 64 : rq->cred.lk_owner_len);
	return RPC_OK;
}

static int admit(struct rpc_request *rq)
{
	return rq->cred.uid == 666 ? RPC_AUTH_TOOWEAK : RPC_OK;
}

#define P(fn, replay)                                                                                                  \
	{                                                                                                              \
#fn, fn, (xdrproc_t)xdr_ACCESS3args, (xdrproc_t)xdr_ACCESS3args, sizeof(ACCESS3args),                  \
			sizeof(ACCESS3args), replay                                                                    \
	}
enum { ECHO = 1, SLEEP, VERDICT, COUNT, WHOAMI, LOCK, STUCK, MISSING };
static const struct rpc_proc procs[] = {
	[ECHO] = P(run_echo, RPC_IDEMPOTENT), [SLEEP] = P(run_sleep, RPC_IDEMPOTENT),
	[VERDICT] = P(run_verdict, RPC_IDEMPOTENT), [COUNT] = P(run_count, RPC_REPLAY_CACHED),
	[WHOAMI] = P(run_whoami, RPC_IDEMPOTENT), [LOCK] = P(run_lock, RPC_IDEMPOTENT),
	[STUCK] = P(run_stuck, RPC_REPLAY_CACHED), [MISSING] = { 0 },
};
static const struct rpc_program v3 = { "test3", PROG, 3, 9, procs, admit };
static const struct rpc_program v5 = { "test5", PROG, 5, 9, procs, NULL };
static const struct rpc_program *const programs[] = { &v3, &v5, NULL };

static bool all_known;

static void on_opened(struct rpc_conn *conn, void *user)
{
	opened++;
	last_conn = conn;
	if (all_known)
		rpc_conn_known(conn);
}

static void on_closed(struct rpc_conn *conn, void *user)
{
	closed++;
	if (last_conn == conn)
		last_conn = NULL;
}

static struct rpc_service service = {
	.name = "test", .programs = programs, .opened = on_opened, .closed = on_closed,
	.limits = { .max_inflight = 8, .max_record = 70000, .idle_ms = 1000 },
};

static void start_server(void)
{
	assert_int_equal(rpc_server_new(loop, &service, &server), 0);
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&server_addr, NULL, NULL), 0);
}

/* --- the frame of a scenario --- */

static void coroutine_fn run_scenario(void *arg)
{
	scenario();
	loop_stop(loop);
}

static struct sockaddr_in address(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static void play_with(void (*fn)(void), uint64_t seed)
{
	loop = loop_new_sim(seed);
	if (coroutines)
		loop->limits.coroutines = coroutines;
	server_addr = address(SERVER_IP, 2049);
	client_addr = address(CLIENT_IP, 0);
	executed = running = most_running = opened = closed = canceled = 0;
	cache = rpc_replay_new(0, 0);
	service.replay = cache;
	start_server();
	scenario = fn;
	co_start(loop, run_scenario, NULL);
	assert_int_equal(loop_run(loop), 0);
	rpc_server_free(server);
	rpc_replay_free(cache);
	loop_free(loop);
}

static void play(void (*fn)(void))
{
	uint64_t seed;

	for (seed = 1; seed <= 5; seed++)
		play_with(fn, seed);
}

/* --- a client without our client: bytes --- */

struct raw { struct stream *s; uint8_t in[1 << 17]; uint32_t n; bool ended; struct co_wait wait; bool waiting; };

static void raw_readable(void *arg)
{
	struct raw *raw = arg;
	struct iovec iov = { raw->in + raw->n, sizeof(raw->in) - raw->n };
	ssize_t n = stream_readv(raw->s, &iov, 1);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		raw->ended = true;
		stream_want_read(raw->s, false);
	} else {
		raw->n += (uint32_t)n;
	}
	if (raw->waiting)
		co_wake(&raw->wait, 0);
	raw->waiting = false;
}

static const struct stream_events raw_events = { raw_readable, NULL };

static struct raw *coroutine_fn raw_open(void)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	assert_int_equal(
		stream_connect(loop, (struct sockaddr *)&server_addr, (struct sockaddr *)&client_addr, &raw->s), 0);
	stream_start(raw->s, &raw_events, raw);
	return raw;
}

static void raw_close(struct raw *raw)
{
	stream_close(raw->s);
	free(raw);
}

/* Waits at most @ms for @bytes more; returns what came. */
static uint32_t coroutine_fn raw_wait(struct raw *raw, uint32_t bytes, uint64_t ms)
{
	uint64_t old = co_set_deadline(loop_now_ns(loop) + ms * MS);

	while (raw->n < bytes && !raw->ended) {
		raw->wait = (struct co_wait)CO_WAIT_INIT;
		raw->waiting = true;
		if (co_park(&raw->wait) < 0)
			break;
	}
	raw->waiting = false;
	co_restore_deadline(old);
	return raw->n;
}

static uint32_t build_call(uint8_t *buf, uint32_t xid, uint32_t vers, uint32_t proc, uint32_t access)
{
	/* a handle of length 0 */
	uint32_t words[] = { 0, xid, 0, 2, PROG, vers, proc, 0, 0, 0, 0, 0, access }, i;

	words[0] = 0x80000000u | (sizeof(words) - 4);
	for (i = 0; i < sizeof(words) / 4; i++)
		rpc_put32(buf + 4 * i, words[i]);
	return sizeof(words);
}

static void coroutine_fn raw_send(struct raw *raw, const void *data, uint32_t len)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n;

	while (iov.iov_len) {
		n = stream_writev(raw->s, &iov, 1);
		if (n > 0) {
			iov.iov_base = (char *)iov.iov_base + n;
			iov.iov_len -= (size_t)n;
		}
		co_sleep_ns(10000);
	}
}

/* Sends @len bytes and checks that the reply's words behind xid and type are exactly these. */
static void coroutine_fn expect_words(struct raw *raw, const uint8_t *call, uint32_t len, unsigned n,
				      const uint32_t *words)
{
	unsigned i;

	raw->n = 0;
	raw_send(raw, call, len);
	assert_int_equal(raw_wait(raw, 12 + 4 * n, 1000), 12 + 4 * n);
	assert_int_equal(rpc_get32(raw->in), 0x80000000u | (8 + 4 * n));
	assert_int_equal(rpc_get32(raw->in + 4), rpc_get32(call + 4));
	assert_int_equal(rpc_get32(raw->in + 8), 1);
	for (i = 0; i < n; i++)
		assert_int_equal(rpc_get32(raw->in + 12 + 4 * i), words[i]);
}

#define EXPECT(raw, call, len, ...) do { \
		const uint32_t words_[] = { __VA_ARGS__ }; \
		expect_words(raw, call, len, sizeof(words_) / 4, words_); \
	} while (0)

static void coroutine_fn refusals(void)
{
	struct raw *raw = raw_open();
	uint8_t call[64];
	uint32_t len;

	len = build_call(call, 1, 3, 0, 0);
	EXPECT(raw, call, len, 0, 0, 0, 0);				/* NULL needs no run() */
	len = build_call(call, 2, 3, ECHO, 77);
	EXPECT(raw, call, len, 0, 0, 0, 0, 0, 77);
	rpc_put32(call + 12, 3);
	EXPECT(raw, call, len, 1, 0, 2, 2);				/* RPC_MISMATCH */
	len = build_call(call, 3, 3, ECHO, 0);
	rpc_put32(call + 16, PROG + 1);
	EXPECT(raw, call, len, 0, 0, 0, 1);				/* PROG_UNAVAIL */
	len = build_call(call, 4, 4, ECHO, 0);
	EXPECT(raw, call, len, 0, 0, 0, 2, 3, 5);			/* PROG_MISMATCH */
	len = build_call(call, 5, 3, MISSING, 0);
	EXPECT(raw, call, len, 0, 0, 0, 3);				/* PROC_UNAVAIL: no such function */
	len = build_call(call, 6, 3, 1000000, 0);
	EXPECT(raw, call, len, 0, 0, 0, 3);				/* ... nor number */
	len = build_call(call, 7, 3, ECHO, 0) - 4;
	rpc_put32(call, 0x80000000u | (len - 4));
	EXPECT(raw, call, len, 0, 0, 0, 4);				/* GARBAGE_ARGS */
	len = build_call(call, 8, 3, VERDICT, RPC_SYSTEM_ERROR);
	EXPECT(raw, call, len, 0, 0, 0, 5);
	len = build_call(call, 9, 3, VERDICT, RPC_AUTH_TOOWEAK);
	EXPECT(raw, call, len, 1, 1, 5);
	len = build_call(call, 10, 3, VERDICT, RPC_AUTH_BADCRED);
	EXPECT(raw, call, len, 1, 1, 1);
	len = build_call(call, 11, 3, ECHO, 0);
	rpc_put32(call + 28, 6);					/* a flavour nobody knows */
	EXPECT(raw, call, len, 1, 1, 1);
	len = build_call(call, 12, 3, ECHO, 0);
	rpc_put32(call + 32, 404);
	EXPECT(raw, call, len, 1, 1, 1);				/* AUTH_BADCRED: longer than 400 bytes */
	len = build_call(call, 13, 3, ECHO, 0);
	rpc_put32(call + 40, 401);
	EXPECT(raw, call, len, 1, 1, 3);				/* AUTH_BADVERF */
	raw_close(raw);
}

static void test_refusals(void **state)
{
	play(refusals);
}

/* RPC_DROP gets no answer; what is no RPC at all ends the connection, and so does a
 * record past the limit. */
static void coroutine_fn silence(void)
{
	struct raw *raw = raw_open();
	uint8_t call[64];
	uint32_t len = build_call(call, 1, 3, VERDICT, RPC_DROP);

	raw_send(raw, call, len);
	assert_int_equal(raw_wait(raw, 1, 500), 0);
	assert_false(raw->ended);
	rpc_put32(call, 0x80000000u | 4);
	raw_send(raw, call, 8);
	raw_wait(raw, 1, 500);
	assert_true(raw->ended);
	raw_close(raw);
	raw = raw_open();
	rpc_put32(call, 0x80000000u | 70001);
	raw_send(raw, call, 4);
	raw_wait(raw, 1, 500);
	assert_true(raw->ended);
	raw_close(raw);
}

static void test_silence(void **state)
{
	play(silence);
}

/* A connection that sent half a record and then nothing is closed; an idle one is not. */
static void coroutine_fn half_open(void)
{
	struct raw *half = raw_open(), *idle = raw_open();
	uint8_t call[64];

	build_call(call, 1, 3, ECHO, 0);
	raw_send(half, call, 20);
	raw_wait(half, 1, 3000);
	assert_true(half->ended);
	raw_wait(idle, 1, 3000);
	assert_false(idle->ended);
	raw_close(half);
	raw_close(idle);
}

static void test_half_open(void **state)
{
	play(half_open);
}

/* --- the replay cache --- */

static uint32_t coroutine_fn count_via(struct raw *raw, uint32_t xid)
{
	uint8_t call[64];
	uint32_t len = build_call(call, xid, 3, COUNT, 0);

	raw->n = 0;
	raw_send(raw, call, len);
	assert_int_equal(raw_wait(raw, 36, 500), 36);
	return rpc_get32(raw->in + 32);
}

static void coroutine_fn replays(void)
{
	struct raw *one = raw_open(), *two = raw_open();
	struct rpc_replay_stats stats;
	uint8_t call[64];
	uint32_t len;

	assert_int_equal(count_via(one, 100), 1);
	assert_int_equal(count_via(one, 100), 1);		/* the answer of the first */
	assert_int_equal(count_via(two, 100), 1);		/* another connection of the same client */
	assert_int_equal(count_via(two, 101), 2);
	len = build_call(call, 100, 3, COUNT, 5);		/* the same xid with other arguments is another call */
	two->n = 0;
	raw_send(two, call, len);
	raw_wait(two, 36, 500);
	assert_int_equal(rpc_get32(two->in + 32), 3);
	len = build_call(call, 102, 3, COUNT, 0);		/* in progress: the duplicate is swallowed ... */
	one->n = two->n = 0;
	raw_send(one, call, len);
	co_sleep_ns(10 * MS);
	raw_send(two, call, len);
	assert_int_equal(raw_wait(two, 36, 500), 36);		/* ... and the reply goes where the client asked last */
	assert_int_equal(executed, 4);
	assert_int_equal(raw_wait(one, 1, 100), 0);
	rpc_replay_stats(cache, &stats);
	assert_int_equal(stats.hits, 2);
	assert_int_equal(stats.in_progress, 1);
	assert_int_equal(stats.entries, 4);
	raw_close(one);
	raw_close(two);
}

static void test_replays(void **state)
{
	play(replays);
}

/* --- our client --- */

static unsigned ups, downs;
static int handshake_result;
static unsigned callbacks;

static void on_up(void *user)
{
	ups++;
}

static void on_down(void *user, int why)
{
	downs++;
}

static int coroutine_fn call_access(struct rpc_client *c, uint32_t proc, uint32_t *access, const struct rpc_cred *cred)
{
	struct arena *arena = arena_new(1 << 20);
	ACCESS3args args = { .access = *access }, res = { 0 };
	struct rpc_call call = {
		.prog = PROG, .vers = 3, .proc = proc, .cred = cred, .encode = (xdrproc_t)xdr_ACCESS3args,
		.decode = (xdrproc_t)xdr_ACCESS3args, .args = &args, .res = &res, .arena = arena,
	};
	int ret = rpc_client_call(c, &call);

	*access = res.access;
	arena_free(arena);
	return ret;
}

static int coroutine_fn on_handshake(struct rpc_client *c, void *user)
{
	uint32_t access = 1;
	int ret = call_access(c, ECHO, &access, NULL);

	return ret < 0 ? ret : handshake_result;
}

static void coroutine_fn on_callback(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs,
				     struct arena *arena)
{
	ACCESS3args args;

	assert_int_equal(prog, 7);
	assert_true(xdr_ACCESS3args(xdrs, &args));
	callbacks += args.access;
}

static int coroutine_fn on_ping(struct rpc_client *c, void *user)
{
	struct rpc_call call = { .prog = PROG, .vers = 3 };

	return rpc_client_call(c, &call);
}

static struct rpc_client *new_client(void)
{
	struct rpc_client_conf conf = {
		.name = "test",
		.host = SERVER_IP,
		.port = 2049,
		.from = (struct sockaddr *)&client_addr,
		.handshake = on_handshake,
		.up = on_up,
		.down = on_down,
		.callback = on_callback,
		.ping_ms = 1000,
		.ping_timeout_ms = 1000,
		.ping = on_ping,
	};

	ups = downs = callbacks = 0;
	handshake_result = 0;
	return rpc_client_new(loop, &conf);
}

static void coroutine_fn wait_up(struct rpc_client *c)
{
	int i;

	for (i = 0; i < 20000 && !rpc_client_is_up(c); i++)
		co_sleep_ns(MS);
	assert_true(rpc_client_is_up(c));
}

static void coroutine_fn errors_of_calls(void)
{
	struct rpc_client *c = new_client();
	uint32_t access = 5;

	assert_int_equal(call_access(c, ECHO, &access, NULL), -ENOTCONN);
	wait_up(c);
	access = 42;
	assert_int_equal(call_access(c, ECHO, &access, NULL), 0);
	assert_int_equal(access, 42);
	assert_int_equal(call_access(c, MISSING, &access, NULL), -EOPNOTSUPP);
	access = RPC_SYSTEM_ERROR;
	assert_int_equal(call_access(c, VERDICT, &access, NULL), -EPROTO);
	access = RPC_AUTH_TOOWEAK;
	assert_int_equal(call_access(c, VERDICT, &access, NULL), -EACCES);
	co_set_deadline(loop_now_ns(loop) + 20 * MS);
	assert_int_equal(call_access(c, SLEEP, &access, NULL), -ETIMEDOUT);
	co_restore_deadline(0);
	co_sleep_ns(200 * MS);				/* the late reply finds nobody and does no harm */
	access = 43;
	assert_int_equal(call_access(c, ECHO, &access, NULL), 0);
	assert_int_equal(access, 43);
	rpc_client_free(c);
	co_sleep_ns(50 * MS);
	assert_int_equal(closed, opened);
}

static void test_errors_of_calls(void **state)
{
	play(errors_of_calls);
}

static void coroutine_fn credentials(void)
{
	static const uint8_t owner[80] = "owner";
	uint32_t groups[100], access, i;
	struct rpc_client *c = new_client();
	struct rpc_cred sys = { .flavor = RPC_FLAVOR_SYS, .uid = 7, .ngroups = 20, .groups = groups };
	struct rpc_cred gf = {.flavor = RPC_FLAVOR_GLUSTER3,
			      .uid = 8,
			      .ngroups = 100,
			      .groups = groups,
			      .lk_owner = owner,
			      .lk_owner_len = 8};

	for (i = 0; i < 100; i++)
		groups[i] = 1;
	wait_up(c);
	assert_int_equal(call_access(c, WHOAMI, &access, &sys), 0);
	assert_int_equal(access, 100000 + 16 * 1000 + 7);		/* AUTH_SYS has room for 16 groups */
	assert_int_equal(call_access(c, WHOAMI, &access, &gf), 0);
	assert_int_equal(access, 100000 + 83 * 1000 + 8);		/* 91 less the owner's bytes */
	gf.flavor = RPC_FLAVOR_GLUSTER2;
	assert_int_equal(call_access(c, WHOAMI, &access, &gf), 0);
	assert_int_equal(access, 100000 + 87 * 1000 + 8);
	gf.lk_owner_len = 96;
	assert_int_equal(call_access(c, WHOAMI, &access, &gf), -E2BIG);
	sys.uid = 666;
	assert_int_equal(call_access(c, WHOAMI, &access, &sys), -EACCES);
	rpc_client_free(c);
}

static void test_credentials(void **state)
{
	play(credentials);
}

/* Bytes before and behind the structures travel untouched, whatever the network cuts. */
static void coroutine_fn tails(void)
{
	struct rpc_client *c = new_client();
	struct arena *arena = arena_new(1 << 20);
	struct iobuf *data = iobuf_new(60000);
	ACCESS3args args = { .access = 9 }, res = { 0 };
	struct payload back = { 0 };
	struct rpc_call call = {
		.prog = PROG, .vers = 3, .proc = ECHO, .encode = (xdrproc_t)xdr_ACCESS3args, .args = &args, .res = &res,
		.decode = (xdrproc_t)xdr_ACCESS3args, .arena = arena, .ret_tail = &back,
	};
	uint32_t i;

	for (i = 0; i < 60000; i++)
		data->data[i] = (uint8_t)(i * 7 + i / 256);
	wait_up(c);
	for (i = 1; i <= 60000; i = i * 5 + 2) {
		call.tail = (struct payload){ data, 0, i };
		assert_int_equal(rpc_client_call(c, &call), 0);
		assert_int_equal(res.access, 9);
		assert_int_equal(back.len, i);
		assert_memory_equal(payload_data(&back), data->data, i);
	}
	iobuf_unref(data);
	arena_free(arena);
	rpc_client_free(c);
}

static void test_tails(void **state)
{
	play(tails);
}

struct many { struct rpc_client *c; int failures; };

static int coroutine_fn one_of_many(void *ctx, unsigned i)
{
	struct many *m = ctx;
	uint32_t access = i;
	int ret = call_access(m->c, i % 2 ? SLEEP : ECHO, &access, NULL);

	if (ret || access != i)
		m->failures++;
	return ret;
}

/* 64 calls at once over a connection that runs 8: all are answered, never more than 8 at a time. */
static void coroutine_fn back_pressure(void)
{
	struct many m = { .c = new_client() };

	wait_up(m.c);
	assert_int_equal(co_fanout(~0ull, one_of_many, &m), ~0ull);
	assert_int_equal(m.failures, 0);
	assert_int_equal(most_running, 8);
	rpc_client_free(m.c);
}

static void test_back_pressure(void **state)
{
	play(back_pressure);
}

static int coroutine_fn one_lock(void *ctx, unsigned i)
{
	uint32_t access = i == 63;

	return call_access(((struct many *)ctx)->c, LOCK, &access, NULL);
}

/* Far more calls wait than may be in flight, for the last one that is sent: it must be read. */
static void coroutine_fn waiting_calls(void)
{
	struct many m = { .c = new_client() };
	uint64_t old;

	wait_up(m.c);
	old = co_set_deadline(loop_now_ns(loop) + 5000 * MS);
	assert_int_equal(co_fanout(~0ull, one_lock, &m), ~0ull);
	co_restore_deadline(old);
	rpc_client_free(m.c);
}

/* A call that waits for what nothing interrupts is answered by its limit; one that is in time is not touched. */
static void coroutine_fn answered_by(void)
{
	struct rpc_client *c = new_client();
	uint32_t access = 30000;
	uint64_t since;

	late_results = late_ends = 0;
	wait_up(c);
	since = loop_now_ns(loop);
	assert_int_equal(call_access(c, STUCK, &access, NULL), 0);
	assert_int_equal(access, 77);
	assert_in_range(loop_now_ns(loop) - since, 2000 * MS, 2100 * MS);
	assert_int_equal(late_results, 1);
	assert_int_equal(late_ends, 0);
	access = 500;
	assert_int_equal(call_access(c, STUCK, &access, NULL), 0);
	assert_int_equal(access, 500);
	co_sleep_ns(30000 * MS);
	assert_int_equal(late_results, 1);
	assert_int_equal(late_ends, 1);
	rpc_client_free(c);
}

static void test_answered_by(void **state)
{
	play(answered_by);
}

static void test_waiting_calls(void **state)
{
	play(waiting_calls);
}

static void coroutine_fn reconnect(void)
{
	struct rpc_client *c = new_client();
	uint32_t access = 1;
	uint64_t before;

	wait_up(c);
	assert_int_equal(rpc_client_epoch(c), 1);
	sim_kill_host(loop, server_addr.sin_addr, false);
	assert_int_equal(call_access(c, SLEEP, &access, NULL), -ENOTCONN);
	assert_false(rpc_client_is_up(c));
	co_sleep_ns(MS);
	assert_int_equal(downs, 1);
	rpc_server_free(server);
	co_sleep_ns(10000 * MS);
	assert_false(rpc_client_is_up(c));
	start_server();
	before = loop_now_ns(loop);
	wait_up(c);
	assert_true(loop_now_ns(loop) - before <= 3100 * MS);	/* backoff_max and the handshake */
	assert_int_equal(rpc_client_epoch(c), 2);
	assert_int_equal(downs, 1);
	rpc_client_free(c);
}

static void test_reconnect(void **state)
{
	play(reconnect);
}

/* A handshake that fails is not up; kick makes the next attempt come at once. */
static void coroutine_fn handshake_fails(void)
{
	struct rpc_client *c = new_client();
	unsigned i;

	handshake_result = -EPERM;
	for (i = 0; i < 5000 && !downs; i++)
		co_sleep_ns(MS);
	assert_int_equal(downs, 1);
	assert_int_equal(ups, 0);
	co_sleep_ns(20000 * MS);
	assert_int_equal(downs, 1);			/* told once */
	handshake_result = 0;
	rpc_client_kick(c);
	co_sleep_ns(100 * MS);
	assert_true(rpc_client_is_up(c));
	rpc_client_free(c);
}

static void test_handshake_fails(void **state)
{
	play(handshake_fails);
}

/* The server's host goes dark without a word: the ping finds out, within ping_ms + ping_timeout_ms. */
static void coroutine_fn dead_peer(void)
{
	struct rpc_client *c = new_client();
	uint32_t access = 1;
	uint64_t begin;

	wait_up(c);
	sim_kill_host(loop, server_addr.sin_addr, true);
	begin = loop_now_ns(loop);
	assert_int_equal(call_access(c, ECHO, &access, NULL), -ENOTCONN);
	assert_true(loop_now_ns(loop) - begin < 2500 * MS);
	assert_true(loop_now_ns(loop) - begin >= 2000 * MS);
	rpc_client_free(c);
}

static void test_dead_peer(void **state)
{
	play(dead_peer);
}

static void coroutine_fn notices(void)
{
	struct rpc_client *c = new_client();
	ACCESS3args args = { .access = 3 };

	wait_up(c);
	assert_non_null(last_conn);
	assert_int_equal(rpc_conn_notify(last_conn, 7, 1, 2, (xdrproc_t)xdr_ACCESS3args, &args), 0);
	assert_int_equal(rpc_conn_notify(last_conn, 7, 1, 2, (xdrproc_t)xdr_ACCESS3args, &args), 0);
	co_sleep_ns(100 * MS);
	assert_int_equal(callbacks, 6);
	rpc_conn_close(last_conn);
	co_sleep_ns(5000 * MS);
	assert_int_equal(rpc_client_epoch(c), 2);
	rpc_client_free(c);
}

static void coroutine_fn cancel_on_close(void)
{
	struct rpc_client *c = new_client();
	uint32_t access = 1;

	wait_up(c);
	co_set_deadline(loop_now_ns(loop) + 20 * MS);
	assert_int_equal(call_access(c, SLEEP, &access, NULL), -ETIMEDOUT);
	co_restore_deadline(0);
	rpc_client_free(c);
	co_sleep_ns(10 * MS);
	assert_int_equal(canceled, service.cancel_on_close);
	assert_int_equal(closed, service.cancel_on_close);	/* only after the last call has ended */
	co_sleep_ns(100 * MS);
	assert_int_equal(closed, 1);
}

static void test_cancel_on_close(void **state)
{
	play(cancel_on_close);
	service.cancel_on_close = true;
	play(cancel_on_close);
	service.cancel_on_close = false;
}

static struct many drained;

static void coroutine_fn drain_caller(void *arg)
{
	uint32_t access = 4;

	if (call_access(drained.c, SLEEP, &access, NULL) || access != 4)
		drained.failures++;
}

/* Calls in flight finish and their replies arrive; then all is closed. */
static void coroutine_fn drain(void)
{
	unsigned i;

	drained = (struct many){ .c = new_client() };
	wait_up(drained.c);
	for (i = 0; i < 6; i++)
		co_start(loop, drain_caller, NULL);
	co_sleep_ns(10 * MS);
	assert_int_equal(running, 6);
	assert_int_equal(rpc_server_drain(server), 0);
	assert_int_equal(running, 0);
	assert_int_equal(rpc_server_conns(server), 0);
	co_sleep_ns(100 * MS);
	assert_int_equal(drained.failures, 0);
	assert_false(rpc_client_is_up(drained.c));
	rpc_client_free(drained.c);
}

static void test_drain(void **state)
{
	play(drain);
}

/* --- what a bad peer may cost --- */

/* A client that asks and asks and never reads: its calls stop being read, what is queued stays bounded, and in the
 * end it is closed. */
static void coroutine_fn slow_reader(void)
{
	struct raw *raw = raw_open();
	uint8_t *call = calloc(1, 60000);
	struct iovec iov = { call, 60000 };
	uint32_t len = build_call(call, 1, 3, ECHO, 0), most = 0, i;

	stream_want_read(raw->s, false);
	rpc_put32(call, 0x80000000u | (60000 - 4));
	assert_int_equal(len, 52);
	for (i = 0; i < 3000; i++) {
		ssize_t n = stream_writev(raw->s, &iov, 1);

		if (n > 0) {
			iov.iov_base = (char *)iov.iov_base + n;
			iov.iov_len -= (size_t)n;
		}
		if (!iov.iov_len)
			iov = (struct iovec){ call, 60000 };
		co_sleep_ns(MS / 10);
		if (last_conn && last_conn->link.unsent > most)
			most = (uint32_t)last_conn->link.unsent;
	}
	assert_true(most > 300000 && most < 300000 + 70000);
	co_sleep_ns(3000 * MS);
	assert_int_equal(closed, 1);
	free(call);
	raw_close(raw);
}

static void test_slow_reader(void **state)
{
	service.limits.max_unsent = 300000;
	play(slow_reader);
	service.limits.max_unsent = 0;
}

/* Many that never read share one bound: past it each holds one reply at most. */
static void coroutine_fn many_slow_readers(void)
{
	uint8_t *call = calloc(1, 60000);
	struct raw *raw[8];
	uint64_t most = 0;
	unsigned i, k;

	build_call(call, 1, 3, ECHO, 0);
	rpc_put32(call, 0x80000000u | (60000 - 4));
	for (i = 0; i < 8; i++) {
		raw[i] = raw_open();
		stream_want_read(raw[i]->s, false);
	}
	for (k = 0; k < 160; k++) {
		struct iovec iov = { call, 60000 };

		stream_writev(raw[k % 8]->s, &iov, 1);	/* cut anywhere: that one's stream is nonsense then, and closed */
		co_sleep_ns(MS / 2);
		most = server->unsent > most ? server->unsent : most;
	}
	assert_true(most > 200000 && most < 200000 + 9 * 60000);
	for (i = 0; i < 8; i++)
		raw_close(raw[i]);
	co_sleep_ns(50 * MS);
	assert_int_equal(server->unsent, 0);
	assert_int_equal(server->held, 0);
	free(call);
}

static void test_many_slow_readers(void **state)
{
	service.limits.max_memory = 200000;
	play(many_slow_readers);
	service.limits.max_memory = 0;
}

/* More calls than coroutines: they wait, none is lost. */
static void coroutine_fn starved(void)
{
	struct raw *raw[4];
	uint8_t call[64];
	unsigned i, k;

	for (i = 0; i < 4; i++)
		raw[i] = raw_open();
	for (i = 0; i < 4; i++)
		for (k = 0; k < 6; k++)
			raw_send(raw[i], call, build_call(call, k, 3, SLEEP, i));
	for (i = 0; i < 4; i++) {
		assert_int_equal(raw_wait(raw[i], 6 * 36, 5000), 6 * 36);
		raw_close(raw[i]);
	}
	assert_int_equal(executed, 24);
	assert_true(most_running <= 9);		/* the scenario itself is the tenth */
}

static void test_starved(void **state)
{
	coroutines = 10;
	play(starved);
	coroutines = 0;
}

static struct raw *third;

static void coroutine_fn open_third(void *arg)
{
	third = raw_open();
}

/* Past max_conns the next one waits for its turn, where all are known. */
static void coroutine_fn many_connections(void)
{
	struct raw *one = raw_open(), *two = raw_open();

	third = NULL;
	co_start(loop, open_third, NULL);
	co_sleep_ns(500 * MS);
	assert_null(third);
	raw_close(one);
	co_sleep_ns(500 * MS);
	assert_non_null(third);
	assert_int_equal(count_via(third, 1), 1);
	assert_int_equal(opened, 3);
	raw_close(two);
	raw_close(third);
}

static void test_many_connections(void **state)
{
	service.limits.max_conns = 2;
	all_known = true;
	play_with(many_connections, 1);
	all_known = false;
	service.limits.max_conns = 0;
}

static struct raw *coroutine_fn raw_open_known(void)
{
	struct raw *raw = raw_open();

	co_sleep_ns(100 * MS);		/* until it is accepted */
	rpc_conn_known(last_conn);
	return raw;
}

/* A stranger gives way to a newer connection: the idlest one of the address that has most. A known peer stays. */
static void coroutine_fn strangers_give_way(void)
{
	struct sockaddr_in own = client_addr, other = address("192.0.2.77", 0);
	struct raw *known = raw_open_known(), *lone, *idle, *busy, *next;

	client_addr = other;
	lone = raw_open();
	client_addr = own;
	idle = raw_open();
	co_sleep_ns(10 * MS);
	busy = raw_open();
	assert_int_equal(count_via(busy, 7), 1);
	next = raw_open();
	assert_int_equal(count_via(next, 8), 2);
	raw_wait(idle, 1, 500);
	assert_true(idle->ended);
	assert_false(busy->ended || lone->ended || known->ended);
	raw_close(known);
	raw_close(lone);
	raw_close(idle);
	raw_close(busy);
	raw_close(next);
}

static void test_strangers_give_way(void **state)
{
	service.limits.max_conns = 4;
	play_with(strangers_give_way, 1);
	service.limits.max_conns = 0;
}

/* A stranger that calls nothing goes, though it dribbles; one that has called stays. */
static void coroutine_fn silent_strangers(void)
{
	struct raw *known = raw_open_known(), *silent = raw_open(), *dribbling = raw_open(), *spoke = raw_open();
	uint8_t call[64];
	unsigned i;

	assert_int_equal(count_via(spoke, 1), 1);
	build_call(call, 1, 3, ECHO, 0);
	for (i = 0; i < 26 && !dribbling->ended; i++) {
		raw_send(dribbling, call + i, 1);
		raw_wait(dribbling, 1, 500);
	}
	raw_wait(silent, 1, 500);
	assert_true(silent->ended && dribbling->ended);
	assert_false(spoke->ended || known->ended);
	raw_close(silent);
	raw_close(dribbling);
	raw_close(spoke);
	raw_close(known);
}

static void test_silent_strangers(void **state)
{
	play_with(silent_strangers, 1);
}

/* A stranger's record is bounded lower; unfinished ones are shed, the oldest first. */
static void coroutine_fn unfinished_records(void)
{
	static uint8_t part[50000];
	struct raw *greedy = raw_open(), *r[8];
	unsigned i, ended = 0;

	rpc_put32(part, 0x80000000u | 60001);
	raw_send(greedy, part, 4);
	raw_wait(greedy, 1, 500);
	assert_true(greedy->ended);
	raw_close(greedy);
	rpc_put32(part, 0x80000000u | 60000);
	for (i = 0; i < 8; i++) {
		r[i] = raw_open();
		raw_send(r[i], part, sizeof(part));
		co_sleep_ns(MS);
	}
	raw_wait(r[0], 1, 200);
	for (i = 0; i < 8; i++)
		ended += r[i]->ended;
	assert_true(r[0]->ended && !r[7]->ended && ended >= 4);
	for (i = 0; i < 8; i++)
		raw_close(r[i]);
}

static void test_unfinished_records(void **state)
{
	service.limits.max_memory = 520000;
	service.limits.max_stranger_record = 60000;
	play_with(unfinished_records, 1);
	service.limits.max_stranger_record = 0;
	service.limits.max_memory = 0;
}

static void test_notices(void **state)
{
	play_with(notices, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),        cmocka_unit_test(test_silence),
		cmocka_unit_test(test_half_open),       cmocka_unit_test(test_replays),
		cmocka_unit_test(test_errors_of_calls), cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_tails),           cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_answered_by),
		cmocka_unit_test(test_waiting_calls),   cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_handshake_fails), cmocka_unit_test(test_dead_peer),
		cmocka_unit_test(test_notices),         cmocka_unit_test(test_cancel_on_close),
		cmocka_unit_test(test_drain),           cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_many_slow_readers),
		cmocka_unit_test(test_starved),         cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_strangers_give_way), cmocka_unit_test(test_silent_strangers),
		cmocka_unit_test(test_unfinished_records),
	};

	log_open("test_rpc", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
