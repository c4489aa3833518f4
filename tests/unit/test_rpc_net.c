/* What only a real socket shows: datagrams, results that wait in a pipe, the sentence about a port in use, and what an idle connection costs. */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "rpc/message.h"
#include "rpc/rpc.h"
#include "rpcgen/nfs3.h"
#include "runtime/log.h"
#include "runtime/loop.h"

#define PROG 400000u
#define IDLE 1000

static struct loop *loop;
static struct rpc_server *server;
static unsigned opened;

static int coroutine_fn run_echo(struct rpc_request *rq, const void *args, void *res)
{
	assert_null(rq->conn);
	memcpy(res, args, sizeof(ACCESS3args));
	return RPC_OK;
}

static uint8_t lent[300000];

static int coroutine_fn run_lend(struct rpc_request *rq, const void *args, void *res)
{
	struct iobuf *pipe = iobuf_new_pipe();

	assert_true(rpc_request_splices(rq));
	assert_non_null(pipe);
	assert_int_equal(write(pipe->pipe[1], lent, sizeof(lent)), sizeof(lent));
	pipe->size = sizeof(lent);
	assert_int_equal(arena_cleanup(rq->arena, (void (*)(void *))iobuf_unref, pipe), 0);
	rq->reply_tail = (struct payload){ pipe, 0, sizeof(lent) };
	return RPC_OK;
}

static const struct rpc_proc procs[] = {
	{"NULL", NULL, NULL, NULL, 0, 0, RPC_IDEMPOTENT},
	{"ECHO", run_echo, (xdrproc_t)xdr_ACCESS3args, (xdrproc_t)xdr_ACCESS3args, sizeof(ACCESS3args),
	 sizeof(ACCESS3args), RPC_IDEMPOTENT},
	{"LEND", run_lend, NULL, NULL, 0, 0, RPC_IDEMPOTENT},
};
static const struct rpc_program program = { "test", PROG, 1, 3, procs, NULL };
static const struct rpc_program *const programs[] = { &program, NULL };

static void stop_at(void *arg)
{
	loop_stop(loop);
}

static void run_for_ms(uint64_t ms)
{
	struct timer t;

	timer_init(&t, stop_at, NULL);
	timer_arm(loop, &t, loop_now_ns(loop) + ms * 1000000);
	loop_run(loop);
}

static void on_opened(struct rpc_conn *conn, void *user)
{
	opened++;
}

static int setup(void **state)
{
	struct rpc_service service = { .name = "test", .programs = programs, .opened = on_opened };

	opened = 0;
	loop = loop_new(NULL);
	return rpc_server_new(loop, &service, &server);
}

static int teardown(void **state)
{
	rpc_server_free(server);
	loop_free(loop);
	return 0;
}

static void datagrams_over(const struct sockaddr *any, struct sockaddr *to, socklen_t len)
{
	uint32_t words[] = { 77, 0, 2, PROG, 1, 1, 0, 0, 0, 0, 0, 4711 }, i;
	int fd = socket(any->sa_family, SOCK_DGRAM, 0);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t buf[256];
	uint16_t port;

	assert_int_equal(rpc_server_listen_udp(server, any, NULL, &port), 0);
	((struct sockaddr_in *)to)->sin_port = htons(port);
	for (i = 0; i < 12; i++)
		words[i] = htonl(words[i]);
	assert_int_equal(sendto(fd, words, sizeof(words), 0, to, len), sizeof(words));
	sendto(fd, words, 7, 0, to, len);			/* nonsense gets no answer */
	run_for_ms(20);
	assert_int_equal(recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len), 32);
	assert_memory_equal(&from, to, 8);			/* from the address that was asked */
	assert_int_equal(rpc_get32(buf), 77);
	assert_int_equal(rpc_get32(buf + 20), 0);
	assert_int_equal(rpc_get32(buf + 28), 4711);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
	close(fd);
}

static void test_datagrams(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };

	inet_pton(AF_INET, "127.0.0.53", &to.sin_addr);
	datagrams_over((struct sockaddr *)&any, (struct sockaddr *)&to, sizeof(to));
}

static void test_datagrams_v6(void **state)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6},
			    to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};

	if (rpc_server_listen(server, (struct sockaddr *)&to, NULL, NULL) < 0)
		skip();						/* no IPv6 here */
	datagrams_over((struct sockaddr *)&any, (struct sockaddr *)&to, sizeof(to));
}

/* More calls than there are pipes or than fit into the socket: each answer is whole, and they come in turn. */
static void test_lent(void **state)
{
	uint32_t words[] = { 0x80000028, 1, 0, 2, PROG, 1, 2, 0, 0, 0, 0 }, i, calls;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static uint8_t reply[28 + sizeof(lent)];
	size_t got = 0;
	uint16_t port;
	ssize_t n;
	int fd;

	for (i = 0; i < sizeof(lent); i++)
		lent[i] = (uint8_t)(i * 7 + i / 4096);
	for (i = 0; i < 11; i++)
		words[i] = htonl(words[i]);
	signal(SIGPIPE, SIG_IGN);	/* as daemons do: splice(2) knows no MSG_NOSIGNAL */
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&addr, NULL, &port), 0);
	addr.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	for (calls = 0; calls < 8; calls++)
		assert_int_equal(send(fd, words, sizeof(words), 0), sizeof(words));
	for (i = 0; i < 2000 && calls; i++) {
		run_for_ms(1);
		while ((n = recv(fd, reply + got, sizeof(reply) - got, MSG_DONTWAIT)) > 0 && (got += (size_t)n) == sizeof(reply)) {
			assert_int_equal(rpc_get32(reply), 0x80000000u | (24 + sizeof(lent)));
			assert_memory_equal(reply + 28, lent, sizeof(lent));
			got = 0;
			calls--;
		}
	}
	assert_int_equal(calls, 0);
	assert_int_equal(send(fd, words, sizeof(words), 0), sizeof(words));
	close(fd);			/* nobody reads the last one */
	run_for_ms(20);
}

static void test_port_in_use(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct error err = { "" };
	char me[32];
	uint16_t port;

	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&addr, &err, &port), 0);
	addr.sin_port = htons(port);
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&addr, &err, NULL), -EADDRINUSE);
	snprintf(me, sizeof(me), "(pid %d)", (int)getpid());
	assert_non_null(strstr(err.text, me));
}

/* --- over a local socket --- */

static struct sockaddr_un local = { .sun_family = AF_UNIX };

static int coroutine_fn locate_local(void *user, struct sockaddr_storage *ret_addrs, unsigned max)
{
	memcpy(ret_addrs, &local, sizeof(local));
	return 1;
}

static void coroutine_fn call_locally(void *arg)
{
	struct rpc_client_conf conf = { .name = "local", .locate = locate_local };
	struct rpc_call call = { .prog = PROG, .vers = 1, .arena = arena_new(1 << 16) };
	struct rpc_client *c = rpc_client_new(loop, &conf);
	int i;

	for (i = 0; i < 1000 && !rpc_client_is_up(c); i++)
		co_sleep_ns(1000000);
	assert_int_equal(rpc_client_call(c, &call), 0);
	rpc_client_free(c);
	arena_free(call.arena);
	loop_stop(loop);
}

static void test_local_socket(void **state)
{
	struct error err = { "" };
	uint16_t port = 7;

	snprintf(local.sun_path, sizeof(local.sun_path), "/tmp/test_rpc_net.%d", (int)getpid());
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&local, &err, &port), 0);
	assert_int_equal(port, 7);
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&local, &err, NULL), -EADDRINUSE);
	assert_non_null(strstr(err.text, local.sun_path));
	assert_non_null(co_start(loop, call_locally, NULL));
	assert_int_equal(loop_run(loop), 0);
	assert_true(opened >= 1);
}

/* A thousand connections that each made one call and are silent now. */
static void test_idle_connections(void **state)
{
	uint32_t words[] = { 0x80000028, 1, 0, 2, PROG, 1, 0, 0, 0, 0, 0 }, i;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rlimit files = { 4096, 4096 };
	static int fds[IDLE];
	size_t before;
	uint16_t port;

	setrlimit(RLIMIT_NOFILE, &files);
	assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&addr, NULL, &port), 0);
	addr.sin_port = htons(port);
	for (i = 0; i < 11; i++)
		words[i] = htonl(words[i]);
	run_for_ms(1);
	before = mallinfo2().uordblks;
	for (i = 0; i < IDLE; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
		assert_int_equal(write(fds[i], words, sizeof(words)), sizeof(words));
		if (i % 200 == 199)
			run_for_ms(20);
	}
	for (i = 0; i < 100 && opened < IDLE; i++)
		run_for_ms(20);
	run_for_ms(50);
	assert_int_equal(rpc_server_conns(server), IDLE);
	assert_true(mallinfo2().uordblks - before < (size_t)IDLE * 2048 + (1 << 20));	/* the pools are the rest */
	for (i = 0; i < IDLE; i++) {
		assert_int_equal(recv(fds[i], words, sizeof(words), MSG_DONTWAIT), 28);
		close(fds[i]);
	}
	for (i = 0; i < 100 && rpc_server_conns(server); i++)
		run_for_ms(20);
	assert_int_equal(rpc_server_conns(server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_datagrams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_datagrams_v6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_local_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_connections, setup, teardown),
	};

	log_open("test_rpc_net", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
