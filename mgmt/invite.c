/* mgmt/invite.c: `gatehouse peer invite`: a word that proves two hosts to each other, once.
 *
 * The word is shown on one host and given on the other by the same administrator. While it is good this host listens at a port of its own, under
 * TLS whose key is the word: a peer that does not know it gets no byte through, and a host in its place cannot answer. The peer either takes
 * this host into its cluster (PROBE) or asks for the way into ours (JOIN). */
#include "mgmt/invite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/text.h"
#include "rpc/rpc.h"
#include "rpc/tls.h"
#include "rpcgen/gate_mgmt.h"
#include "runtime/log.h"

#define WORD_LETTERS 16		/* of 5 bits: nobody guesses 80 in the time that it is good */
#define WORD_SIZE (WORD_LETTERS + WORD_LETTERS / 4)
#define INVITE_NS (INVITE_MINUTES * 60 * 1000000000ull)
#define ANSWER_LEAVES_NS 200000000ull

struct invitation {
	struct rpc_server *server;
	struct timer end;
	struct manager *m;
	bool used;
};

/* abcd-efgh-jkmn-pqrs, without letters that are taken for others */
static void word_new(struct loop *loop, char ret_word[WORD_SIZE])
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
	uint8_t bytes[WORD_LETTERS];
	unsigned i, n = 0;

	loop_random(loop, bytes, sizeof(bytes));
	for (i = 0; i < WORD_LETTERS; i++) {
		if (i && i % 4 == 0)
			ret_word[n++] = '-';
		ret_word[n++] = letters[bytes[i] % (sizeof(letters) - 1)];
	}
	ret_word[n] = 0;
}

/* --- its end --- */

void coroutine_fn invite_end(struct manager *m)
{
	struct invitation *i = m->invitation;

	if (!i)
		return;
	m->invitation = NULL;
	timer_cancel(&i->end);
	if (i->server) {
		rpc_server_drain(i->server);
		rpc_server_free(i->server);
	}
	free(i);
}

static void coroutine_fn end_later(void *arg)
{
	struct invitation *i = arg;
	struct manager *m = i->m;

	if (!co_gate_enter(&m->background))
		return;
	co_sleep_ns(ANSWER_LEAVES_NS);
	if (m->invitation == i)
		invite_end(m);
	co_gate_leave(&m->background);
}

static void on_end(void *arg)
{
	struct invitation *i = arg;

	log_notice("an invitation has ended unused", "minutes=%d", INVITE_MINUTES);
	i->used = true;
	co_start(i->m->loop, end_later, i);
}

/* --- what the one that knows the word may ask --- */

static json_t *already_used(void)
{
	struct error err = { "" };

	error_set(&err, -EPERM, "the word was used already: run \"gatehouse peer invite\" again");
	return json_failure(EPERM, &err);
}

static json_t *way_to_the_store(struct manager *m, json_t *request)
{
	const char *by = json_member(request, "by");
	struct error err = { "" };

	if (!store_is_shared(m->store)) {
		error_set(&err, -EINVAL, "host %s keeps its volumes in %s, which other hosts cannot see: start its manager with --store "
			  "etcd://HOST:2379,... first", m->name, store_url(m->store));
		return json_failure(EINVAL, &err);
	}
	log_notice("a host joins this cluster by an invitation", "host=%s", log_quote(by ? by : "?"));
	return json_success(need(json_pack("{s:o, s:o}", "store", json_text(store_url(m->store)), "host", json_text(m->name))));
}

static int coroutine_fn invited(struct rpc_request *rq, const void *args, void *res, bool probe)
{
	struct manager *m = rpc_server_user(rq->server);
	struct invitation *i = m->invitation;
	json_t *request = programs_request(args, PROBE_MAX), *answer;

	if (!json_is_object(request)) {
		json_decref(request);
		return RPC_GARBAGE;
	}
	if (!i || i->used)
		answer = already_used();
	else
		answer = probe ? join_answer(m, request, JOIN_WORD) : way_to_the_store(m, request);
	if (i && i == m->invitation && !i->used && json_number(answer, "status") == 0) {
		i->used = true;
		co_start(m->loop, end_later, i);
	}
	json_decref(request);
	return programs_answer(rq, answer, res);
}

static int coroutine_fn run_invited_probe(struct rpc_request *rq, const void *args, void *res)
{
	return invited(rq, args, res, true);
}

static int coroutine_fn run_invited_join(struct rpc_request *rq, const void *args, void *res)
{
	return invited(rq, args, res, false);
}

#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)
#define PROC(name, run) \
	{ name, run, CODER(gate_text), CODER(gate_text), sizeof(struct gate_text), sizeof(struct gate_text), RPC_IDEMPOTENT, NULL }

static const struct rpc_proc procs[] = {
	[GATE_MGMT_NULL] = { .name = "NULL" },
	[GATE_MGMT_PROBE] = PROC("PROBE", run_invited_probe),
	[GATE_MGMT_JOIN] = PROC("JOIN", run_invited_join),
};
static const struct rpc_program program = {
	"invitation", GATE_MGMT_PROGRAM, GATE_MGMT_VERSION, sizeof(procs) / sizeof(procs[0]), procs, NULL
};
static const struct rpc_program *const programs[] = { &program, NULL };

/* --- its beginning --- */

static int listen_one(void *server, const struct sockaddr *addr, struct error *err, uint16_t *port)
{
	return rpc_server_listen(server, addr, err, port);
}

static int coroutine_fn invite_listen(struct manager *m, const char *word, struct invitation *i, struct error *err)
{
	static const struct rpc_limits limits = { .max_inflight = 1, .max_conns = 64, .max_unsent = 64u << 10, .idle_ms = 10000 };
	uint16_t port = (uint16_t)(m->conf.port + INVITE_PORT_OFFSET);
	struct tls_context *tls = tls_context_word(word, TLS_SERVER, err);
	struct rpc_service service = {
		.name = "invitation", .programs = programs, .user = m, .tls = tls, .limits = limits, .cancel_on_close = false,
	};
	int ret = tls ? rpc_server_new(m->loop, &service, &i->server) : -EIO;

	tls_context_unref(tls);
	return ret == 0 ? rpc_listen_each(m->conf.listen, listen_one, i->server, &port, err) : ret;
}

json_t *coroutine_fn invite_new(struct manager *m)
{
	struct invitation *i;
	struct error err = { "" };
	char word[WORD_SIZE];
	json_t *answer;
	int ret;

	if (m->conf.no_probe && !store_is_shared(m->store)) {
		error_set(&err, -EPERM, "this host was started with --no-probe: start it with --store instead");
		return json_failure(EPERM, &err);
	}
	co_shield();
	invite_end(m);
	co_unshield();
	i = need(calloc(1, sizeof(*i)));
	i->m = m;
	timer_init(&i->end, on_end, i);
	m->invitation = i;
	word_new(m->loop, word);
	ret = invite_listen(m, word, i, &err);
	if (ret < 0) {
		co_shield();
		invite_end(m);
		co_unshield();
		return json_failure(-ret, &err);
	}
	timer_arm(m->loop, &i->end, loop_now_ns(m->loop) + INVITE_NS);
	log_notice("one host may join by a word", "port=%d minutes=%d", (int)m->conf.port + INVITE_PORT_OFFSET, INVITE_MINUTES);
	answer = json_success(need(json_pack("{s:s, s:s, s:i, s:b}", "word", word, "host", m->name, "minutes", INVITE_MINUTES, "cluster",
					     store_is_shared(m->store))));
	explicit_bzero(word, sizeof(word));
	return answer;
}
