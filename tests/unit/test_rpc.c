/* The engine over the simulated network: calls and replies, every refusal, the replay cache, back-pressure,
 * reconnecting, draining. */
#include "tests/unit/rpc_rig.h"

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
		cmocka_unit_test(test_drain),
	};

	log_open("test_rpc", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
