/* What a call costs: our server in one process, our client in another, over loopback, 1 and 16 outstanding.
 *
 * bench_rpc [SECONDS [OUTSTANDING]]. NULL is answered by the engine itself, ECHO runs a procedure in a coroutine,
 * SINK takes and SOURCE gives 1 MiB. Between processors of a virtual machine the wake-ups cost more than all else:
 * taskset -c 0 shows the engine. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rpc/rpc.h"
#include "rpcgen/nfs3.h"
#include "runtime/log.h"
#include "runtime/loop.h"

#define PROG 400000u
#define BULK (1u << 20)

static struct iobuf *bulk;

static int coroutine_fn run_echo(struct rpc_request *rq, const void *args, void *res)
{
	(void)rq;
	memcpy(res, args, sizeof(ACCESS3args));
	return RPC_OK;
}

static int coroutine_fn run_sink(struct rpc_request *rq, const void *args, void *res)
{
	(void)args;
	(void)res;
	return rq->tail.len == BULK ? RPC_OK : RPC_GARBAGE;
}

static int coroutine_fn run_source(struct rpc_request *rq, const void *args, void *res)
{
	(void)args;
	(void)res;
	rq->reply_tail = (struct payload){ bulk, 0, BULK };
	return RPC_OK;
}

static const struct rpc_proc procs[] = {
	{"NULL", NULL, NULL, NULL, 0, 0, RPC_IDEMPOTENT},
	{"ECHO", run_echo, (xdrproc_t)xdr_ACCESS3args, (xdrproc_t)xdr_ACCESS3args, sizeof(ACCESS3args),
	 sizeof(ACCESS3args), RPC_IDEMPOTENT},
	{"SINK", run_sink, NULL, NULL, 0, 0, RPC_IDEMPOTENT},
	{"SOURCE", run_source, NULL, NULL, 0, 0, RPC_IDEMPOTENT},
};
static const struct rpc_program program = { "bench", PROG, 1, 4, procs, NULL };
static const struct rpc_program *const programs[] = { &program, NULL };

static void serve(int tell)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rpc_service service = { .name = "bench", .programs = programs };
	struct loop *loop = loop_new(NULL);
	struct rpc_server *server;
	uint16_t port = 0;

	rpc_server_new(loop, &service, &server);
	if (rpc_server_listen(server, (struct sockaddr *)&addr, NULL, &port) < 0)
		_exit(1);
	if (write(tell, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	loop_run(loop);
	_exit(0);
}

static struct rpc_client *client;
static struct loop *loop;
static uint64_t end_ns, calls;
static unsigned running;
static uint32_t proc;

static void coroutine_fn caller(void *arg)
{
	(void)arg;
	while (loop_now_ns(loop) < end_ns) {
		struct arena *arena = arena_new(1 << 16);
		ACCESS3args args = { .object.len = 32, .access = 1 }, res = { 0 };
		struct rpc_call call = { .prog = PROG, .vers = 1, .proc = proc, .arena = arena };

		struct payload back;

		if (proc == 2)
			call.tail = (struct payload){ bulk, 0, BULK };
		if (proc == 3)
			call.ret_tail = &back;
		if (proc == 1) {
			call.encode = call.decode = (xdrproc_t)xdr_ACCESS3args;
			call.args = &args;
			call.res = &res;
		}
		if (rpc_client_call(client, &call) < 0) {
			fprintf(stderr, "call failed\n");
			exit(1);
		}
		arena_free(arena);
		calls++;
	}
	if (!--running)
		loop_stop(loop);
}

static double cpu_of(pid_t pid)
{
	clockid_t clock;
	struct timespec ts;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void measure(pid_t server, unsigned outstanding, double seconds)
{
	double cpu = cpu_of(server), own = cpu_of(getpid()), wall;
	uint64_t start = loop_now_ns(loop);
	unsigned i;

	calls = 0;
	running = outstanding;
	end_ns = start + (uint64_t)(seconds * 1e9);
	for (i = 0; i < outstanding; i++)
		co_start(loop, caller, NULL);
	loop_run(loop);
	wall = (double)(loop_now_ns(loop) - start) / 1e3;
	printf("%-6s %3u outstanding: %8.0f calls/s  %6.2f us each  CPU per call: server %5.2f us, client %5.2f us\n",
	       procs[proc].name, outstanding, (double)calls / wall * 1e6, wall / (double)calls,
	       (cpu_of(server) - cpu) / (double)calls, (cpu_of(getpid()) - own) / (double)calls);
}

static void on_up(void *user)
{
	(void)user;
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	struct rpc_client_conf conf = { .name = "bench", .host = "127.0.0.1", .up = on_up };
	unsigned counts[] = { 1, 16, 0 }, i;
	int pipefd[2];
	pid_t server;

	if (argc > 2)
		counts[0] = (unsigned)strtoul(argv[2], NULL, 10), counts[1] = 0;
	log_open("bench_rpc", NULL, LOG_LEVEL_WARNING);
	if (pipe(pipefd) < 0)
		return 1;
	bulk = iobuf_new(BULK);
	memset(bulk->data, 1, BULK);
	server = fork();
	if (!server)
		serve(pipefd[1]);
	if (read(pipefd[0], &conf.port, sizeof(conf.port)) != sizeof(conf.port))
		return 1;
	loop = loop_new(NULL);
	client = rpc_client_new(loop, &conf);
	loop_run(loop);
	for (proc = 0; proc < 4; proc++)
		for (i = 0; counts[i]; i++)
			measure(server, counts[i], seconds);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
