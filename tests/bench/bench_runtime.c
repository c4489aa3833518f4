/* tests/bench/bench_runtime.c: what the ground floor costs: switches, fan-outs, offloads, timers, bytes over
 * loopback. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "runtime/arena.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

static struct loop *loop;

static double now_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void say(const char *what, double seconds, double times, double unit, const char *unit_name)
{
	printf("%-44s %9.2f %s\n", what, seconds * unit / times, unit_name);
}

static int coroutine_fn yield_task(void *ctx, unsigned i)
{
	long n = *(long *)ctx;

	while (n--)
		co_yield();
	return 0;
}

static int coroutine_fn nothing(void *ctx, unsigned i)
{
	return 0;
}

static int coroutine_fn one_park(void *ctx, unsigned i)
{
	co_yield();
	return 0;
}

static void empty_coroutine(void *arg)
{
}

static int quick(void *arg)
{
	return 0;
}

static int coroutine_fn offloads(void *ctx, unsigned i)
{
	long n = *(long *)ctx;

	while (n--)
		loop_offload(quick, NULL);
	return 0;
}

static void coroutine_fn bench_coroutines(void)
{
	long n = 2000000, i;
	double t = now_s(CLOCK_MONOTONIC);

	yield_task(&n, 0);
	say("park and resume (two switches, ready list)", now_s(CLOCK_MONOTONIC) - t, 2e6, 1e9, "ns");
	n = 20000;
	t = now_s(CLOCK_MONOTONIC);
	co_fanout(UINT64_MAX, yield_task, &n);
	say("the same among 64 coroutines", now_s(CLOCK_MONOTONIC) - t, 64 * 2e4, 1e9, "ns");
	t = now_s(CLOCK_MONOTONIC);
	for (i = 0; i < 1000000; i++)
		co_fanout(3, nothing, NULL);
	say("fan-out to 2, no park", now_s(CLOCK_MONOTONIC) - t, 1e6, 1e9, "ns");
	t = now_s(CLOCK_MONOTONIC);
	for (i = 0; i < 1000000; i++)
		co_fanout(3, one_park, NULL);
	say("fan-out to 2, one park each", now_s(CLOCK_MONOTONIC) - t, 1e6, 1e9, "ns");
}

static void coroutine_fn bench_offload(void)
{
	double t, cpu;
	long n = 20000;

	t = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	offloads(&n, 0);
	say("offload round trip, one at a time", now_s(CLOCK_MONOTONIC) - t, 2e4, 1e6, "us");
	say("  its CPU", now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, 2e4, 1e6, "us");
	n = 5000;
	t = now_s(CLOCK_MONOTONIC);
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	co_fanout(UINT32_MAX, offloads, &n);
	say("offload, 32 outstanding", now_s(CLOCK_MONOTONIC) - t, 32 * 5e3, 1e6, "us");
	say("  its CPU", now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, 32 * 5e3, 1e6, "us");
}

static void never(void *arg)
{
}

static void bench_timers_and_memory(void)
{
	static struct timer t[1000];
	struct arena *a;
	double start;
	long i;

	for (i = 0; i < 1000; i++)
		timer_init(&t[i], never, NULL);
	start = now_s(CLOCK_MONOTONIC);
	for (i = 0; i < 2000000; i++)
		timer_arm(loop, &t[i % 1000], loop_now_ns(loop) + 30000000000ull + (uint64_t)i);
	say("timer moved, 1000 armed", now_s(CLOCK_MONOTONIC) - start, 2e6, 1e9, "ns");
	for (i = 0; i < 1000; i++)
		timer_cancel(&t[i]);
	start = now_s(CLOCK_MONOTONIC);
	for (i = 0; i < 1000000; i++) {
		a = arena_new(1 << 20);
		arena_alloc(a, 200);
		arena_free(a);
	}
	say("arena of one small piece", now_s(CLOCK_MONOTONIC) - start, 1e6, 1e9, "ns");
}

/* --- ping-pong over loopback, both ends on this loop --- */

static long pings;
static struct stream *ends[2];
static int nends;

static void pong(void *arg)
{
	struct stream *s = arg;
	char buf[128];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n = stream_readv(s, &iov, 1);

	if (n <= 0 || --pings <= 0) {
		loop_stop(loop);
		return;
	}
	iov.iov_len = (size_t)n;
	stream_writev(s, &iov, 1);
}

static const struct stream_events pong_events = { pong, NULL };

static void accepted(void *arg, struct stream *s)
{
	ends[nends++] = s;
	stream_start(s, &pong_events, s);
}

static void coroutine_fn connect_and_ping(void *arg)
{
	struct sockaddr_storage addr;
	struct stream *s;
	struct iovec iov = { "0123456789012345678901234567890123456789", 40 };

	listener_address(arg, &addr);
	if (stream_connect(loop, (struct sockaddr *)&addr, NULL, &s) < 0)
		abort();
	ends[nends++] = s;
	stream_start(s, &pong_events, s);
	stream_writev(s, &iov, 1);
}

static void bench_streams(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct listener *l;
	double t;

	if (listener_open(loop, (struct sockaddr *)&in, accepted, NULL, &l) < 0)
		abort();
	pings = 100000;
	t = now_s(CLOCK_MONOTONIC);
	co_start(loop, connect_and_ping, l);
	loop_run(loop);
	say("stream: one message over loopback", now_s(CLOCK_MONOTONIC) - t, 1e5, 1e6, "us");
	while (nends)
		stream_close(ends[--nends]);
	listener_close(l);
}

static void coroutine_fn all(void *arg)
{
	bench_coroutines();
	bench_offload();
	loop_stop(loop);
}

int main(void)
{
	double t;
	long i;

	loop = loop_new(NULL);
	if (!loop)
		return 1;
	t = now_s(CLOCK_MONOTONIC);
	for (i = 0; i < 1000000; i++)
		co_start(loop, empty_coroutine, NULL);
	say("coroutine started and ended", now_s(CLOCK_MONOTONIC) - t, 1e6, 1e9, "ns");
	co_start(loop, all, NULL);
	loop_run(loop);
	bench_timers_and_memory();
	bench_streams();
	loop_free(loop);
	return 0;
}
