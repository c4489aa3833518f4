/* tests/unit/rpc_rig.c: see rpc_rig.h. */
#include "tests/unit/rpc_rig.h"

struct loop *loop;
struct rpc_server *server;
struct rpc_replay_cache *cache;
struct sockaddr_in server_addr, client_addr;
unsigned executed, running, most_running, opened, closed, canceled;
struct rpc_conn *last_conn;
unsigned coroutines;
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

unsigned late_results, late_ends;

static void late_answer(struct rpc_request *rq, void *res)
{
	if (res)
		((ACCESS3args *)res)->access = 77;
	late_results += res != NULL;
	late_ends += res == NULL;
}

/* A hanging disk does this to a call: it heeds no deadline. */
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
static const struct rpc_proc procs[] = {
	[ECHO] = P(run_echo, RPC_IDEMPOTENT), [SLEEP] = P(run_sleep, RPC_IDEMPOTENT),
	[VERDICT] = P(run_verdict, RPC_IDEMPOTENT), [COUNT] = P(run_count, RPC_REPLAY_CACHED),
	[WHOAMI] = P(run_whoami, RPC_IDEMPOTENT), [LOCK] = P(run_lock, RPC_IDEMPOTENT),
	[STUCK] = P(run_stuck, RPC_REPLAY_CACHED), [MISSING] = { 0 },
};
static const struct rpc_program v3 = { "test3", PROG, 3, 9, procs, admit };
static const struct rpc_program v5 = { "test5", PROG, 5, 9, procs, NULL };
static const struct rpc_program *const programs[] = { &v3, &v5, NULL };

bool all_known;

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

struct rpc_service service = {
	.name = "test", .programs = programs, .opened = on_opened, .closed = on_closed,
	.limits = { .max_inflight = 8, .max_record = 70000, .idle_ms = 1000 },
};

void start_server(void)
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

struct sockaddr_in address(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

void play_with(void (*fn)(void), uint64_t seed)
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

void play(void (*fn)(void))
{
	uint64_t seed;

	for (seed = 1; seed <= 5; seed++)
		play_with(fn, seed);
}

/* --- a client without our client: bytes --- */


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

struct raw *coroutine_fn raw_open(void)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	assert_int_equal(
		stream_connect(loop, (struct sockaddr *)&server_addr, (struct sockaddr *)&client_addr, &raw->s), 0);
	stream_start(raw->s, &raw_events, raw);
	return raw;
}

void raw_close(struct raw *raw)
{
	stream_close(raw->s);
	free(raw);
}

/* Waits at most @ms for @bytes more; returns what came. */
uint32_t coroutine_fn raw_wait(struct raw *raw, uint32_t bytes, uint64_t ms)
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

uint32_t build_call(uint8_t *buf, uint32_t xid, uint32_t vers, uint32_t proc, uint32_t access)
{
	/* a handle of length 0 */
	uint32_t words[] = { 0, xid, 0, 2, PROG, vers, proc, 0, 0, 0, 0, 0, access }, i;

	words[0] = 0x80000000u | (sizeof(words) - 4);
	for (i = 0; i < sizeof(words) / 4; i++)
		rpc_put32(buf + 4 * i, words[i]);
	return sizeof(words);
}

void coroutine_fn raw_send(struct raw *raw, const void *data, uint32_t len)
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
void coroutine_fn expect_words(struct raw *raw, const uint8_t *call, uint32_t len, unsigned n,
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

uint32_t coroutine_fn count_via(struct raw *raw, uint32_t xid)
{
	uint8_t call[64];
	uint32_t len = build_call(call, xid, 3, COUNT, 0);

	raw->n = 0;
	raw_send(raw, call, len);
	assert_int_equal(raw_wait(raw, 36, 500), 36);
	return rpc_get32(raw->in + 32);
}
