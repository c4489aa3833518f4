/* tests/unit/test_sim.c: the simulated loop and network: repeatable from the seed, and honest about partitions and
 * kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "runtime/sim.h"
#include "runtime/stream.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static struct loop *loop;
static char trace[65536];
static size_t trace_len;

static void say(const char *fmt, int i)
{
	trace_len += (size_t)snprintf(trace + trace_len, sizeof(trace) - trace_len, "%llu ",
				      (unsigned long long)loop_now_ns(loop));
	trace_len += (size_t)snprintf(trace + trace_len, sizeof(trace) - trace_len, fmt, i);
	assert_true(trace_len < sizeof(trace) - 64);
}

static void begin(uint64_t seed)
{
	loop = loop_new_sim(seed);
	trace_len = 0;
	trace[0] = '\0';
}

static struct in_addr host(int n)
{
	return (struct in_addr){ htonl(0x0a000000u + (uint32_t)n) };
}

static const struct sockaddr *address(int n, uint16_t port)
{
	static struct sockaddr_in ring[4];
	static unsigned next;
	struct sockaddr_in *in = &ring[next++ % 4];

	*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host(n) };
	return (const struct sockaddr *)in;
}

/* --- time --- */

static void coroutine_fn sleep_long(void *arg)
{
	uint64_t start = loop_now_ns(loop), old;
	int64_t s0, s1;
	uint32_t ns;

	loop_wallclock(loop, &s0, &ns);
	assert_int_equal(co_sleep_ns(86400 * SECOND), 0);
	loop_wallclock(loop, &s1, &ns);
	assert_int_equal(loop_now_ns(loop) - start, 86400 * SECOND);
	assert_int_equal(s1 - s0, 86400);
	old = co_set_deadline(loop_now_ns(loop) + 5 * SECOND);
	assert_int_equal(co_sleep_ns(10 * SECOND), -ETIMEDOUT);
	assert_int_equal(loop_now_ns(loop) - start, 86405 * SECOND);
	co_restore_deadline(old);
	loop_stop(loop);
}

static void test_virtual_time(void **state)
{
	begin(1);
	co_start(loop, sleep_long, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(loop_run(loop), -EDEADLK);
	assert_true(loop_is_sim(loop));
	loop_free(loop);
}

/* --- order --- */

static int one_more(void *arg)
{
	return *(int *)arg + 1;
}

static int coroutine_fn busy_task(void *ctx, unsigned i)
{
	int n, value;
	uint8_t random;

	for (n = 0; n < 3; n++) {
		value = (int)i;
		say("%d\n", (int)i);
		assert_int_equal(loop_offload(one_more, &value), i + 1);
		co_yield();
		loop_random(loop, &random, 1);
		say("r%d\n", random);
	}
	return 0;
}

static void coroutine_fn busy(void *arg)
{
	assert_int_equal(co_fanout(0xffff, busy_task, NULL), 0xffff);
}

static char *busy_trace(uint64_t seed)
{
	begin(seed);
	co_start(loop, busy, NULL);
	assert_int_equal(loop_run(loop), -EDEADLK);
	loop_free(loop);
	return strdup(trace);
}

static void test_same_seed_same_trace(void **state)
{
	char *a = busy_trace(42), *b = busy_trace(42), *c = busy_trace(43);

	assert_true(strlen(a) > 500);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(b);
	free(c);
}

/* --- streams: an echo server and a client that counts --- */

struct end {
	struct stream *s;
	uint8_t out[8192];
	size_t out_len;
	size_t got;
	int result;		/* 1 while open; 0 end of file; -errno */
	bool echo, closes_when_told;
	uint32_t sum;
};

static struct end server;

static void end_writable(void *arg)
{
	struct end *e = arg;
	struct iovec iov = { e->out, e->out_len };
	ssize_t n = e->out_len ? stream_writev(e->s, &iov, 1) : 0;

	if (n > 0) {
		memmove(e->out, e->out + n, e->out_len - (size_t)n);
		e->out_len -= (size_t)n;
	}
	stream_want_write(e->s, e->out_len != 0);
	stream_want_read(e->s, e->out_len < sizeof(e->out) / 2);
}

static void end_readable(void *arg)
{
	uint8_t buf[1000];
	struct iovec iov = { buf, sizeof(buf) };
	struct end *e = arg;
	ssize_t n, i;

	n = stream_readv(e->s, &iov, 1);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		e->result = (int)n;
		say(e == &server ? "server %d\n" : "client %d\n", (int)n);
		stream_close(e->s);
		e->s = NULL;
		return;
	}
	for (i = 0; i < n; i++)
		e->sum = e->sum * 31 + buf[i];
	e->got += (size_t)n;
	say(e == &server ? "server +%d\n" : "client +%d\n", (int)n);
	if (e->echo) {
		memcpy(e->out + e->out_len, buf, (size_t)n);
		e->out_len += (size_t)n;
		end_writable(e);
	}
}

static const struct stream_events end_events = { end_readable, end_writable };

static void accepted(void *arg, struct stream *s)
{
	server = (struct end){ .s = s, .result = 1, .echo = true };
	stream_start(s, &end_events, &server);
}

static struct listener *serve(int n)
{
	struct listener *l;

	assert_int_equal(listener_open(loop, address(n, 24007), accepted, NULL, &l), 0);
	return l;
}

static void client_open(struct end *e)
{
	memset(e, 0, sizeof(*e));
	e->result = 1;
	assert_int_equal(stream_connect(loop, address(1, 24007), address(9, 0), &e->s), 0);
	stream_start(e->s, &end_events, e);
}

static uint32_t client_send(struct end *e, size_t total)
{
	uint32_t sum = 0;
	size_t sent = 0, i, room;

	while (sent < total && e->s) {
		room = sizeof(e->out) - e->out_len;
		if (room > total - sent)
			room = total - sent;
		for (i = 0; i < room; i++) {
			e->out[e->out_len + i] = (uint8_t)((sent + i) * 7);
			sum = sum * 31 + e->out[e->out_len + i];
		}
		e->out_len += room;
		sent += room;
		end_writable(e);
		stream_want_read(e->s, true);
		co_sleep_ns(1 * MS);
	}
	return sum;
}

static void coroutine_fn echo_client(void *arg)
{
	static struct end e;
	uint32_t sum;

	client_open(&e);
	sum = client_send(&e, 100000);
	while (e.got < 100000)
		co_sleep_ns(1 * MS);
	assert_int_equal(e.got, 100000);
	assert_int_equal(e.sum, sum);
	stream_close(e.s);
	co_sleep_ns(10 * MS);
	assert_int_equal(server.result, 0);
	assert_int_equal(server.got, 100000);
	loop_stop(loop);
}

static char *echo_trace(uint64_t seed)
{
	struct listener *l;

	begin(seed);
	l = serve(1);
	co_start(loop, echo_client, NULL);
	assert_int_equal(loop_run(loop), 0);
	listener_close(l);
	loop_free(loop);
	return strdup(trace);
}

static void test_echo(void **state)
{
	char *a = echo_trace(7), *b = echo_trace(7), *c = echo_trace(8);

	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(b);
	free(c);
}

/* --- partition, kill, power cut --- */

static void coroutine_fn partitioned(void *arg)
{
	static struct end e;
	uint64_t start, old;
	struct stream *s;

	client_open(&e);
	client_send(&e, 1000);
	co_sleep_ns(20 * MS);
	assert_int_equal(e.got, 1000);
	sim_partition(loop, host(1), host(9), true);
	client_send(&e, 1000);
	co_sleep_ns(30 * SECOND);
	assert_int_equal(e.got, 1000);
	assert_int_equal(server.got, 1000);
	old = co_set_deadline(loop_now_ns(loop) + 2 * SECOND);
	assert_int_equal(stream_connect(loop, address(1, 24007), address(9, 0), &s), -ETIMEDOUT);
	co_restore_deadline(old);
	sim_partition(loop, host(9), host(1), false);
	start = loop_now_ns(loop);
	while (e.got < 2000)
		co_sleep_ns(1 * MS);
	assert_true(loop_now_ns(loop) - start < 50 * MS);
	stream_close(e.s);
	co_sleep_ns(10 * MS);
	loop_stop(loop);
}

static void coroutine_fn killed(void *arg)
{
	static struct end e;
	struct stream *s;

	client_open(&e);
	sim_kill_host(loop, host(1), false);
	co_sleep_ns(5 * MS);
	assert_int_equal(e.result, -ECONNRESET);
	assert_int_equal(server.result, -ECONNRESET);
	assert_int_equal(stream_connect(loop, address(1, 24007), address(9, 0), &s), -ECONNREFUSED);
	assert_null(s);
	loop_stop(loop);
}

static void coroutine_fn power_cut(void *arg)
{
	struct listener *again;
	static struct end e;
	uint64_t old;
	struct stream *s;

	client_open(&e);
	sim_kill_host(loop, host(1), true);
	client_send(&e, 1000);
	co_sleep_ns(60 * SECOND);
	assert_int_equal(e.result, 1);		/* silence */
	assert_int_equal(e.got, 0);
	old = co_set_deadline(loop_now_ns(loop) + 2 * SECOND);
	assert_int_equal(stream_connect(loop, address(1, 24007), address(9, 0), &s), -ETIMEDOUT);
	co_restore_deadline(old);
	again = serve(1);
	client_send(&e, 10);			/* the host is back and does not know this stream */
	co_sleep_ns(5 * MS);
	assert_int_equal(e.result, -ECONNRESET);
	client_open(&e);
	stream_close(e.s);
	co_sleep_ns(10 * MS);
	listener_close(again);
	loop_stop(loop);
}

static void world(co_entry *entry)
{
	struct listener *l;
	uint64_t seed;

	for (seed = 0; seed < 20; seed++) {
		begin(seed);
		l = serve(1);
		co_start(loop, entry, NULL);
		assert_int_equal(loop_run(loop), 0);
		listener_close(l);
		loop_free(loop);
	}
}

static void test_partition(void **state)
{
	world(partitioned);
}

static void test_kill(void **state)
{
	world(killed);
}

static void test_power_cut(void **state)
{
	world(power_cut);
}

/* --- a writer nobody reads from must be told to wait, and told when to go on --- */

static void silent_accept(void *arg, struct stream *s)
{
	*(struct stream **)arg = s;
}

static bool may_write;

static void write_again(void *arg)
{
	may_write = true;
}

static void read_never(void *arg)
{
}

static void coroutine_fn flood(void *arg)
{
	static const struct stream_events events = { read_never, write_again };
	static uint8_t block[10000];
	struct iovec iov = { block, sizeof(block) };
	struct stream *s, **theirs = arg;
	size_t sent = 0, read = 0;
	ssize_t n;

	assert_int_equal(stream_connect(loop, address(1, 24007), address(9, 0), &s), 0);
	stream_start(s, &events, NULL);
	while ((n = stream_writev(s, &iov, 1)) > 0)
		sent += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(sent, 256 << 10);
	stream_want_write(s, true);
	co_sleep_ns(10 * MS);
	assert_false(may_write);
	while ((n = stream_readv(*theirs, &iov, 1)) > 0)
		read += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(read, sent);
	co_sleep_ns(10 * MS);
	assert_true(may_write);
	stream_close(s);
	stream_close(*theirs);
	loop_stop(loop);
}

static void test_back_pressure(void **state)
{
	struct stream *theirs = NULL;
	struct listener *l;

	begin(5);
	may_write = false;
	assert_int_equal(listener_open(loop, address(1, 24007), silent_accept, &theirs, &l), 0);
	co_start(loop, flood, &theirs);
	assert_int_equal(loop_run(loop), 0);
	listener_close(l);
	loop_free(loop);
}

/* --- stacks --- */

static size_t mapped_kb(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * 4;
}

static void coroutine_fn nap(void *arg)
{
	co_sleep_ns(MS);
}

/* Under load the pool of stacks swells, and no call pays for a new one; afterwards it shrinks to what is kept at rest. */
static void coroutine_fn swell_and_ebb(void *arg)
{
	size_t full, again;
	int i;

	for (i = 0; i < 600; i++)
		assert_non_null(co_start(loop, nap, NULL));
	co_sleep_ns(10 * MS);
	full = mapped_kb();
	for (i = 0; i < 600; i++)
		assert_non_null(co_start(loop, nap, NULL));
	again = mapped_kb();
	assert_true(again < full + 64 * 64);
	co_sleep_ns(4 * SECOND);
	assert_true(mapped_kb() < full - 400 * 64);
	loop_stop(loop);
}

static void test_stack_pool(void **state)
{
	begin(1);
	assert_non_null(co_start(loop, swell_and_ebb, NULL));
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_virtual_time),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_partition),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_stack_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
