/* tests/unit/test_stream.c: streams and listeners over loopback sockets, and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#endif

#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define MS 1000000ull

static struct loop *loop;
static struct listener *listener;
static struct sockaddr_storage address;

struct end {
	struct stream *s;
	size_t got, reads;
	int result;		/* 1 while open */
	bool writable, close_on_read;
};

static struct end server;

static void end_readable(void *arg)
{
	static uint8_t buf[65536];
	struct iovec iov = { buf, sizeof(buf) };
	struct end *e = arg;
	ssize_t n;

	e->reads++;
	while ((n = stream_readv(e->s, &iov, 1)) > 0)
		e->got += (size_t)n;
	if (n != -EAGAIN)
		e->result = (int)n;
	if (n != -EAGAIN || e->close_on_read) {
		stream_close(e->s);
		e->s = NULL;
	}
}

static void end_writable(void *arg)
{
	struct end *e = arg;

	e->writable = true;
	stream_want_write(e->s, false);
}

static const struct stream_events events = { end_readable, end_writable };

static void begin(struct end *e, struct stream *s)
{
	memset(e, 0, sizeof(*e));
	e->s = s;
	e->result = 1;
	stream_start(s, &events, e);
}

static void accepted(void *arg, struct stream *s)
{
	begin(&server, s);
}

static int setup(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	loop = loop_new(NULL);
	if (!loop || listener_open(loop, (struct sockaddr *)&in, accepted, NULL, &listener) < 0)
		return -1;
	listener_address(listener, &address);
	memset(&server, 0, sizeof(server));
	return 0;
}

static int teardown(void **state)
{
	listener_close(listener);
	loop_free(loop);
	return 0;
}

static void run(co_entry *entry)
{
	assert_non_null(co_start(loop, entry, NULL));
	assert_int_equal(loop_run(loop), 0);
}

static struct stream *client(void)
{
	struct stream *s;

	assert_int_equal(stream_connect(loop, (struct sockaddr *)&address, NULL, &s), 0);
	assert_non_null(s);
	return s;
}

static void coroutine_fn wait_for(const volatile size_t *value, size_t at_least)
{
	int i;

	for (i = 0; i < 2000 && *value < at_least; i++)
		co_sleep_ns(1 * MS);
	assert_true(*value >= at_least);
}

static void coroutine_fn bytes(void *arg)
{
	struct iovec iov[2] = { { "hello", 5 }, { " world", 6 } };
	char a[64], b[64];
	struct end e;

	begin(&e, client());
	assert_int_equal(stream_writev(e.s, iov, 2), 11);
	wait_for(&server.got, 11);
	assert_string_equal(sockaddr_text((struct sockaddr *)stream_peer(e.s), a, sizeof(a)),
			    sockaddr_text((struct sockaddr *)stream_local(server.s), b, sizeof(b)));
	assert_string_equal(sockaddr_text((struct sockaddr *)stream_local(e.s), a, sizeof(a)),
			    sockaddr_text((struct sockaddr *)stream_peer(server.s), b, sizeof(b)));
	assert_int_equal(stream_writev(server.s, iov, 1), 5);
	wait_for(&e.got, 5);
	stream_close(e.s);
	while (server.result == 1)
		co_sleep_ns(1 * MS);
	assert_int_equal(server.result, 0);
	assert_null(server.s);
	loop_stop(loop);
}

static void test_bytes(void **state)
{
	run(bytes);
}

static void coroutine_fn many_vectors(void *arg)
{
	static struct iovec iov[3000];
	struct end e;
	size_t sent = 0;
	ssize_t n;
	int i;

	for (i = 0; i < 3000; i++)
		iov[i] = (struct iovec){ "ab", 2 };
	begin(&e, client());
	while (sent < 6000) {
		n = stream_writev(e.s, iov + sent / 2, (int)(3000 - sent / 2));
		assert_true(n > 0 && n % 2 == 0);
		sent += (size_t)n;
	}
	wait_for(&server.got, 6000);
	stream_close(e.s);
	stream_close(server.s);
	loop_stop(loop);
}

static void test_many_vectors(void **state)
{
	run(many_vectors);
}

/* Reading paused: the writer fills the pipe and waits; no CPU is burnt; then all goes on. */
static void coroutine_fn back_pressure(void *arg)
{
	static uint8_t block[65536];
	struct iovec iov = { block, sizeof(block) };
	struct end e;
	size_t sent = 0, reads;
	clock_t before;
	ssize_t n;

	begin(&e, client());
	wait_for((size_t *)&server.s, 1);
	stream_want_read(server.s, false);
	while ((n = stream_writev(e.s, &iov, 1)) > 0 || (co_sleep_ns(5 * MS), n = stream_writev(e.s, &iov, 1)) > 0)
		sent += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_true(sent > sizeof(block));
	stream_want_write(e.s, true);
	reads = server.reads;
	before = clock();
	co_sleep_ns(100 * MS);
	assert_true(clock() - before < CLOCKS_PER_SEC / 20);
	assert_int_equal(server.reads, reads);
	assert_false(e.writable);
	stream_want_read(server.s, true);
	wait_for(&server.got, sent);
	co_sleep_ns(5 * MS);
	assert_true(e.writable);
	stream_close(e.s);
	stream_close(server.s);
	loop_stop(loop);
}

static void test_back_pressure(void **state)
{
	run(back_pressure);
}

/* The other end resets while nobody wants to read: epoll would report that for ever, and must not be asked. */
static void coroutine_fn reset_while_paused(void *arg)
{
	struct linger now = { 1, 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	struct end *e = &server;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	clock_t before;

	assert_int_equal(connect(fd, (struct sockaddr *)in, sizeof(*in)), 0);
	wait_for((size_t *)&server.s, 1);
	stream_want_read(server.s, false);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	co_sleep_ns(5 * MS);
	before = clock();
	co_sleep_ns(100 * MS);
	assert_true(clock() - before < CLOCKS_PER_SEC / 20);
	assert_int_equal(e->result, 1);
	stream_want_read(server.s, true);
	co_sleep_ns(5 * MS);
	assert_int_equal(e->result, -ECONNRESET);
	loop_stop(loop);
}

static void test_reset_while_paused(void **state)
{
	run(reset_while_paused);
}

static void coroutine_fn close_inside(void *arg)
{
	struct iovec iov = { "x", 1 };
	struct end e;

	begin(&e, client());
	wait_for((size_t *)&server.s, 1);
	server.close_on_read = true;
	stream_want_write(server.s, true);	/* both callbacks are due; the first one closes */
	stream_writev(e.s, &iov, 1);
	while (e.result == 1)
		co_sleep_ns(1 * MS);
	assert_int_equal(e.result, 0);
	assert_null(server.s);
	loop_stop(loop);
}

static void test_close_inside_callback(void **state)
{
	run(close_inside);
}

static void coroutine_fn refused(void *arg)
{
	struct sockaddr_in elsewhere = { .sin_family = AF_INET, .sin_addr = { htonl(0xc0000201) } };
	struct listener *second;
	struct stream *s;

	assert_int_equal(listener_open(loop, (struct sockaddr *)&address, accepted, NULL, &second), -EADDRINUSE);
	assert_null(second);
	listener_close(listener);
	listener = NULL;
	assert_int_equal(stream_connect(loop, (struct sockaddr *)&address, NULL, &s), -ECONNREFUSED);
	assert_null(s);
	assert_int_equal(stream_connect(loop, (struct sockaddr *)&address, (struct sockaddr *)&elsewhere, &s),
			 -EADDRNOTAVAIL);
	loop_stop(loop);
}

static void test_refused(void **state)
{
	run(refused);
}

/* A listener whose backlog is full does not answer: the deadline must. */
static void coroutine_fn no_answer(void *arg)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret = 0, n = 0;
	socklen_t len = sizeof(in);
	struct stream *s[8];
	uint64_t old;

	bind(fd, (struct sockaddr *)&in, len);
	listen(fd, 0);
	getsockname(fd, (struct sockaddr *)&in, &len);
	old = co_set_deadline(loop_now_ns(loop) + 100 * MS);
	while (n < 8 && !(ret = stream_connect(loop, (struct sockaddr *)&in, NULL, &s[n])))
		n++;
	assert_int_equal(ret, -ETIMEDOUT);
	co_restore_deadline(old);
	while (n)
		stream_close(s[--n]);
	close(fd);
	loop_stop(loop);
}

static void test_connect_deadline(void **state)
{
	run(no_answer);
}

static void coroutine_fn paused(void *arg)
{
	struct stream *s;

	assert_int_equal(listener_pause(listener, true), 0);
	s = client();		/* the kernel's backlog answers */
	co_sleep_ns(10 * MS);
	assert_null(server.s);
	assert_int_equal(listener_pause(listener, false), 0);
	wait_for((size_t *)&server.s, 1);
	stream_close(s);
	stream_close(server.s);
	loop_stop(loop);
}

static void test_listener_pause(void **state)
{
	run(paused);
}

/* Out of descriptors: the loop neither spins nor forgets the connection. */
static void coroutine_fn no_descriptors(void *arg)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	int fd = socket(AF_INET, SOCK_STREAM, 0), probe = dup(fd);
	struct rlimit old, low;
	clock_t before;

	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)probe;
	close(probe);
	log_open("test", "/dev/null", LOG_LEVEL_ERROR);
	setrlimit(RLIMIT_NOFILE, &low);
	assert_int_equal(connect(fd, (struct sockaddr *)in, sizeof(*in)), 0);
	before = clock();
	co_sleep_ns(150 * MS);
	assert_true(clock() - before < CLOCKS_PER_SEC / 20);
	assert_null(server.s);
	setrlimit(RLIMIT_NOFILE, &old);
	wait_for((size_t *)&server.s, 1);
	stream_close(server.s);
	close(fd);
	log_open("test", NULL, LOG_LEVEL_NOTICE);
	loop_stop(loop);
}

static void test_no_descriptors(void **state)
{
#ifdef HAVE_VALGRIND_VALGRIND_H
	if (RUNNING_ON_VALGRIND)
		skip();		/* it has descriptors of its own beyond the limit */
#endif
	run(no_descriptors);
}

/* --- local sockets --- */

static struct sockaddr_un here(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/test_stream.%d.%s", (int)getpid(), name);
	return un;
}

static void coroutine_fn local(void *arg)
{
	static uint8_t block[1 << 20];
	struct sockaddr_un un = here("local");
	struct iovec iov = { block, sizeof(block) };
	struct sockaddr *addr = (struct sockaddr *)&un;
	struct listener *mine, *second;
	struct end e;
	struct stream *s;
	struct stat st;
	size_t sent = 0;
	char text[128];
	ssize_t n;

	assert_int_equal(stream_connect(loop, addr, NULL, &s), -ENOENT);
	assert_int_equal(listener_open(loop, addr, accepted, NULL, &mine), 0);
	assert_int_equal(stat(un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(listener_open(loop, addr, accepted, NULL, &second), -EADDRINUSE);
	wait_for(&server.reads, 1);		/* the second one's knock, and gone again */
	assert_null(server.s);
	assert_int_equal(stream_connect(loop, addr, NULL, &s), 0);
	begin(&e, s);
	wait_for((size_t *)&server.s, 1);
	assert_string_equal(sockaddr_text((struct sockaddr *)stream_peer(s), text, sizeof(text)), un.sun_path);
	assert_string_equal(sockaddr_text((struct sockaddr *)stream_peer(server.s), text, sizeof(text)), "unix");
	stream_dead_after(s, 5);
	for (; sent < sizeof(block); co_sleep_ns(1 * MS)) {	/* more than the socket holds at once */
		iov.iov_len = sizeof(block) - sent;
		n = stream_writev(s, &iov, 1);
		sent += n > 0 ? (size_t)n : 0;
	}
	wait_for(&server.got, sizeof(block));
	stream_close(server.s);
	while (e.result == 1)
		co_sleep_ns(1 * MS);
	assert_int_equal(e.result, 0);
	listener_close(mine);
	assert_int_equal(access(un.sun_path, F_OK), -1);
	loop_stop(loop);
}

static void test_local(void **state)
{
	run(local);
}

/* A process that was killed leaves its name behind: refused to those who call, free for the next one. A plain file is not. */
static void coroutine_fn left_behind(void *arg)
{
	struct sockaddr_un un = here("left");
	struct sockaddr *addr = (struct sockaddr *)&un;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct listener *mine;
	struct stream *s;
	FILE *f;

	assert_int_equal(bind(fd, addr, sizeof(un)), 0);
	close(fd);
	assert_int_equal(stream_connect(loop, addr, NULL, &s), -ECONNREFUSED);
	assert_int_equal(listener_open(loop, addr, accepted, NULL, &mine), 0);
	assert_int_equal(stream_connect(loop, addr, NULL, &s), 0);
	wait_for((size_t *)&server.s, 1);
	stream_close(s);
	while (server.result == 1)
		co_sleep_ns(1 * MS);
	listener_close(mine);
	f = fopen(un.sun_path, "w");
	fclose(f);
	assert_int_equal(listener_open(loop, addr, accepted, NULL, &mine), -EADDRINUSE);
	assert_int_equal(access(un.sun_path, F_OK), 0);
	unlink(un.sun_path);
	loop_stop(loop);
}

static void test_left_behind(void **state)
{
	run(left_behind);
}

/* --- addresses --- */

static struct sockaddr_storage parse(const char *host, uint16_t port)
{
	struct sockaddr_storage addr;

	assert_int_equal(net_resolve(host, port, &addr, 1), 1);
	return addr;
}

static void coroutine_fn resolve(void *arg)
{
	struct sockaddr_storage a = parse("192.0.2.1", 2049), b = parse("[2001:db8::1]", 111);
	struct sockaddr_storage c = parse("::ffff:192.0.2.1", 1);
	struct sockaddr_storage many[8];
	char text[64];
	int n;

	assert_string_equal(sockaddr_text((struct sockaddr *)&a, text, sizeof(text)), "192.0.2.1:2049");
	assert_string_equal(sockaddr_text((struct sockaddr *)&b, text, sizeof(text)), "[2001:db8::1]:111");
	b = parse("fe80::1%lo", 9);
	assert_true(((struct sockaddr_in6 *)&b)->sin6_scope_id > 0);
	assert_int_equal(sockaddr_len((struct sockaddr *)&a), sizeof(struct sockaddr_in));
	assert_int_equal(sockaddr_len((struct sockaddr *)&b), sizeof(struct sockaddr_in6));
	assert_true(sockaddr_same_host((struct sockaddr *)&a, (struct sockaddr *)&c));
	assert_false(sockaddr_same_host((struct sockaddr *)&a, (struct sockaddr *)&b));
	n = net_resolve("localhost", 7, many, 8);
	assert_true(n >= 1);
	assert_true(sockaddr_same_host((struct sockaddr *)&many[0], (struct sockaddr *)&(struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }) || many[0].ss_family == AF_INET6);
	assert_int_equal(net_resolve("", 7, many, 8), -EINVAL);
	assert_int_equal(net_resolve("[]", 7, many, 8), -EINVAL);
	assert_true(net_resolve("no-such-host.invalid", 7, many, 8) < 0);
	loop_stop(loop);
}

static void test_addresses(void **state)
{
	run(resolve);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bytes), T(test_many_vectors), T(test_back_pressure), T(test_reset_while_paused),
		T(test_close_inside_callback), T(test_refused),
		T(test_connect_deadline), T(test_listener_pause), T(test_no_descriptors), T(test_addresses),
		T(test_local), T(test_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
