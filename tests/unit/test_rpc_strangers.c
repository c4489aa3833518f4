/* tests/unit/test_rpc_strangers.c: what a bad peer may cost: slow readers, too many connections, silent strangers, half records. */
#include "tests/unit/rpc_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_many_slow_readers),
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_strangers_give_way),
		cmocka_unit_test(test_silent_strangers),
		cmocka_unit_test(test_unfinished_records),
	};

	log_open("test_rpc_strangers", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
