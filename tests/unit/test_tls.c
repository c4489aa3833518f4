/* TLS under the engine, over the simulated network: who is let in, what is said of who is not, and that nothing a stranger sends does harm.
 *
 * Certificates are made by tls_make; OpenSSL is used directly only for what no honest program makes. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/pem.h>

#include "rpc/message.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "rpc/tls_make.h"
#include "rpc/tls_private.h"
#include "rpcgen/nfs3.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/sim.h"
#include "runtime/sync.h"

#define PROG 400000u
#define SERVER_IP "10.0.0.1"
#define CLIENT_IP "10.0.0.2"
#define PORT 49152
#define MS 1000000ull
#define BIG (1u << 20)

static char dir[] = "/tmp/gatehouse-test_tls.XXXXXX";
static char log_path[64];
static struct loop *loop;
static struct rpc_server *server;
static struct tls_context *server_tls;
static unsigned opened, closed;
static int min_version;
static bool check_name;
static unsigned seeds = 3;
static char seen_name[TLS_NAME_MAX];

/* --- files --- */

static const char *at(const char *name)
{
	static char paths[16][128];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void make_host(const char *ca, const char *name, const char *cn)
{
	static const char *const hosts[] = { "node1.example.org", "192.0.2.1", "2001:db8::1", NULL };
	static const char *const server[] = { SERVER_IP, NULL };
	struct tls_host host = {
		.ca_dir = at(ca), .to_dir = at(name), .cn = cn, .hosts = strcmp(name, "here") ? hosts : server,
		.client = strcmp(name, "mere") == 0,
	};
	struct error err = { "" };

	mkdir(at(name), 0700);
	if (tls_make_host(&host, &err) < 0)
		fail_msg("%s", err.text);
}

/* Signs it anew, for yesterday. */
static void let_expire(const char *ca, const char *name)
{
	STACK_OF(X509) *list;
	EVP_PKEY *key;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", at(ca), TLS_FILE_CA_KEY);
	assert_int_equal(tls_pem_key(path, &key, NULL), 0);
	snprintf(path, sizeof(path), "%s/%s", at(name), TLS_FILE_HOST);
	assert_int_equal(tls_pem_certificates(path, "certificate", &list, NULL), 0);
	X509_gmtime_adj(X509_getm_notBefore(sk_X509_value(list, 0)), -3 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(sk_X509_value(list, 0)), -86400);
	assert_true(X509_sign(sk_X509_value(list, 0), key, EVP_sha256()) > 0);
	f = fopen(path, "w");
	PEM_write_X509(f, sk_X509_value(list, 0));
	fclose(f);
	sk_X509_pop_free(list, X509_free);
	EVP_PKEY_free(key);
}

static int make_files(void **state)
{
	struct error err = { "" };

	assert_non_null(mkdtemp(dir));
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	assert_int_equal(log_open("test_tls", log_path, LOG_LEVEL_INFO), 0);
	mkdir(at("ca"), 0700);
	mkdir(at("other"), 0700);
	assert_int_equal(tls_make_ca(at("ca"), "the cluster", false, &err), 0);
	assert_int_equal(tls_make_ca(at("other"), "somebody else", false, &err), 0);
	make_host("ca", "brick", "brick1");
	make_host("ca", "gateway", "gateway1");
	make_host("ca", "here", "here1");
	make_host("ca", "mere", "mere1");
	make_host("ca", "late", "late1");
	let_expire("ca", "late");
	make_host("other", "foreign", "foreign1");
	return 0;
}

static int remove_files(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return getenv("KEEP") ? 0 : system(command);
}

/* Whose certificate, and whose CA it believes. */
static struct tls_context *context(const char *who, const char *believes, enum tls_side side)
{
	char certificate[128], key[128], ca[128];
	struct tls_conf conf = { certificate, key, ca, .depth = 1, .min_version = min_version, .check_name = check_name };
	struct error err = { "" };
	struct tls_context *ctx;

	snprintf(certificate, sizeof(certificate), "%s/%s/%s", dir, who, TLS_FILE_HOST);
	snprintf(key, sizeof(key), "%s/%s/%s", dir, who, TLS_FILE_HOST_KEY);
	snprintf(ca, sizeof(ca), "%s/%s/%s", dir, believes, TLS_FILE_HOST_CA);
	ctx = tls_context_new(&conf, side, &err);
	if (!ctx)
		print_message("%s\n", err.text);
	return ctx;
}

/* A context checks its own dates; this one forgets to, as stock daemons do. */
static struct tls_context *expired_context(void)
{
	struct tls_context *ctx = context("gateway", "gateway", TLS_CLIENT);
	char path[128];

	snprintf(path, sizeof(path), "%s/late/%s", dir, TLS_FILE_HOST);
	assert_int_equal(SSL_CTX_use_certificate_file(ctx->ssl, path, SSL_FILETYPE_PEM), 1);
	snprintf(path, sizeof(path), "%s/late/%s", dir, TLS_FILE_HOST_KEY);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx->ssl, path, SSL_FILETYPE_PEM), 1);
	return ctx;
}

static struct tls_context *bare_context(int max_version)
{
	struct tls_context *ctx = context("gateway", "gateway", TLS_CLIENT);

	SSL_CTX_free(ctx->ssl);
	ctx->ssl = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(ctx->ssl, max_version);
	return ctx;
}

static unsigned logged(const char *words)
{
	char *text, *found;
	unsigned n = 0;
	size_t len;

	assert_int_equal(file_read(log_path, 1 << 24, &text, &len), 0);
	for (found = text; (found = strstr(found, words)); found++)
		n++;
	free(text);
	return n;
}

static void expect_logged(const char *words, unsigned times)
{
	char *text;
	size_t len;

	if (logged(words) == times)
		return;
	assert_int_equal(file_read(log_path, 1 << 24, &text, &len), 0);
	fail_msg("\"%s\" is not %u times in the log:\n%s", words, times, text);
}

/* --- the service: what comes goes back --- */

static int coroutine_fn run_echo(struct rpc_request *rq, const void *args, void *res)
{
	memcpy(res, args, sizeof(ACCESS3args));
	rq->reply_tail = rq->tail;
	if (((const ACCESS3args *)args)->access % 7 == 3)
		co_sleep_ns(MS);
	return RPC_OK;
}

static const struct rpc_proc procs[] = {
	{ "NULL" },
	{ "ECHO", run_echo, (xdrproc_t)xdr_ACCESS3args, (xdrproc_t)xdr_ACCESS3args, sizeof(ACCESS3args), sizeof(ACCESS3args), RPC_IDEMPOTENT },
};
static const struct rpc_program program = { "test", PROG, 1, 2, procs, NULL };
static const struct rpc_program *const programs[] = { &program, NULL };

static void on_opened(struct rpc_conn *conn, void *user)
{
	opened++;
	snprintf(seen_name, sizeof(seen_name), "%s", rpc_conn_peer_name(conn) ? rpc_conn_peer_name(conn) : "(none)");
}

static void on_closed(struct rpc_conn *conn, void *user)
{
	closed++;
}

static struct sockaddr_in address(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static void (*scenario)(void);

static void coroutine_fn run_scenario(void *arg)
{
	scenario();
	loop_stop(loop);
}

static struct tls_context *word_context(const char *word, enum tls_side side)
{
	struct error err = { "" };
	struct tls_context *ctx = tls_context_word(word, side, &err);

	if (!ctx)
		fail_msg("%s", err.text);
	return ctx;
}

/* @who: the server's certificate; a word where nobody is believed; NULL: it speaks no TLS. */
static void play(void (*fn)(void), const char *who, const char *believes)
{
	struct rpc_service service = { .name = "test", .programs = programs, .opened = on_opened, .closed = on_closed,
				       .limits = { .max_record = 2 * BIG } };
	struct sockaddr_in addr = address(SERVER_IP, PORT);
	uint64_t seed;

	for (seed = 1; seed <= seeds; seed++) {
		loop = loop_new_sim(seed);
		opened = closed = 0;
		server_tls = service.tls = !who      ? NULL :
					   believes ? context(who, believes, TLS_SERVER) :
						      word_context(who, TLS_SERVER);
		assert_int_equal(rpc_server_new(loop, &service, &server), 0);
		tls_context_unref(server_tls);
		assert_int_equal(rpc_server_listen(server, (struct sockaddr *)&addr, NULL, NULL), 0);
		assert_int_equal(truncate(log_path, 0), 0);
		scenario = fn;
		co_start(loop, run_scenario, NULL);
		assert_int_equal(loop_run(loop), 0);
		rpc_server_free(server);
		assert_int_equal(opened, closed);
		loop_free(loop);
	}
}

/* --- our client --- */

static int coroutine_fn echo(struct rpc_client *c, uint32_t number, struct iobuf *tail, uint32_t len)
{
	ACCESS3args args = { .access = number }, res = { 0 };
	struct payload back = { 0 };
	struct arena *arena = arena_new(1 << 16);
	struct rpc_call call = {
		.prog = PROG, .vers = 1, .proc = 1, .encode = (xdrproc_t)xdr_ACCESS3args, .decode = (xdrproc_t)xdr_ACCESS3args, .args = &args,
		.res = &res, .arena = arena, .tail = { tail, 0, len }, .ret_tail = tail ? &back : NULL,
	};
	int ret = rpc_client_call(c, &call);

	if (!ret) {
		assert_int_equal(res.access, number);
		assert_int_equal(back.len, len);
		assert_true(!len || !memcmp(payload_data(&back), tail->data, len));
	}
	arena_free(arena);
	return ret;
}

static int coroutine_fn greet(struct rpc_client *c, void *user)
{
	return echo(c, 1, NULL, 0);
}

static struct rpc_client *client_start(struct tls_context *tls)
{
	static struct sockaddr_in from;
	struct rpc_client_conf conf = {
		.name = "client", .host = SERVER_IP, .port = PORT, .from = (struct sockaddr *)&from, .handshake = greet, .tls = tls,
		.max_record = 2 * BIG,
	};

	from = address(CLIENT_IP, 0);
	return rpc_client_new(loop, &conf);
}

/* It shall not get in within five seconds, for the reason that the words say. */
static void coroutine_fn refused(struct tls_context *tls, const char *words)
{
	struct rpc_client *c = client_start(tls);

	co_sleep_ns(5000 * MS);
	assert_false(rpc_client_is_up(c));
	if (!strstr(rpc_client_reason(c), words))
		fail_msg("\"%s\" is not in: %s", words, rpc_client_reason(c));
	rpc_client_free(c);
	tls_context_unref(tls);
	co_sleep_ns(100 * MS);
	assert_int_equal(rpc_server_conns(server), 0);
}

static struct rpc_client *coroutine_fn accepted(void)
{
	struct tls_context *tls = context("gateway", "gateway", TLS_CLIENT);
	struct rpc_client *c = client_start(tls);

	tls_context_unref(tls);
	co_sleep_ns(1000 * MS);
	if (!rpc_client_is_up(c))
		fail_msg("not connected: %s", rpc_client_reason(c));
	return c;
}

struct one { struct rpc_client *c; struct co_gate *gate; struct iobuf *tail; uint32_t number, len; };

static void coroutine_fn call_one(void *arg)
{
	struct one *one = arg;

	assert_int_equal(echo(one->c, one->number, one->tail, one->len), 0);
	co_gate_leave(one->gate);
}

/* A thousand calls at once, some with payloads of odd sizes, from nothing to a MiB. */
static void coroutine_fn much(void)
{
	static const uint32_t sizes[] = { 0, 1, 16383, 16384, 16385, 100, 250000, 65536, 0, 7, BIG };
	static struct one calls[1000];
	struct iobuf *tail = iobuf_new(BIG);
	struct rpc_client *c = accepted();
	struct co_gate gate;
	uint32_t i;

	if (sim_random(loop, 2))
		rpc_client_mix(c);
	for (i = 0; i < BIG; i++)
		tail->data[i] = (uint8_t)(i * 31 + (i >> 11));
	co_gate_init(&gate);
	for (i = 0; i < 1000; i++) {
		calls[i] = (struct one){ c, &gate, NULL, i, i % 3 ? 0 : sizes[i % (sizeof(sizes) / 4)] };
		calls[i].tail = calls[i].len ? tail : NULL;
		co_gate_enter(&gate);
		assert_non_null(co_start(loop, call_one, &calls[i]));
	}
	co_gate_close(&gate);
	assert_int_equal(opened, 1);
	assert_string_equal(seen_name, "gateway1");
	iobuf_unref(tail);
	rpc_client_free(c);
}

static void test_much(void **state)
{
	play(much, "brick", "brick");
}

/* --- who is not let in --- */

static void coroutine_fn strangers(void)
{
	refused(context("foreign", "brick", TLS_CLIENT), "it does not know the CA that signed our certificate");
	expect_logged("the peer's certificate CN=foreign1 (issuer CN=somebody else): unable to get local issuer", 1);
	expect_logged("CN=foreign1", 1);			/* once, whatever the number of attempts */
	refused(expired_context(), "our certificate has expired");
	expect_logged("CN=late1 (issuer CN=the cluster): certificate has expired on 2", 1);
	refused(bare_context(TLS1_3_VERSION), "it wants a certificate and got none");
	expect_logged("peer did not return a certificate", 1);
	refused(bare_context(TLS1_2_VERSION), "it does not speak this version of TLS");
	refused(context("gateway", "foreign", TLS_CLIENT), "certificate CN=brick1 (issuer CN=the cluster): in its chain: self-signed");
	refused(NULL, "perhaps it requires TLS");
	expect_logged("the peer speaks no TLS", 1);
	assert_int_equal(opened, 0);
	rpc_client_free(accepted());
}

static void test_strangers(void **state)
{
	play(strangers, "brick", "brick");
}

static void coroutine_fn plain_server(void)
{
	refused(context("gateway", "gateway", TLS_CLIENT), "perhaps it speaks no TLS");
	expect_logged("the peer speaks TLS, and none is spoken here", 1);
}

static void test_plain_server(void **state)
{
	play(plain_server, NULL, NULL);
}

/* --- a certificate of the CA, but not of the server that is meant --- */

static void coroutine_fn other_name(void)
{
	refused(context("gateway", "gateway", TLS_CLIENT), "certificate CN=brick1 is not for " SERVER_IP);
	assert_int_equal(opened, 0);
}

static void coroutine_fn right_name(void)
{
	rpc_client_free(accepted());
}

static void coroutine_fn mere_client(void)
{
	refused(context("gateway", "gateway", TLS_CLIENT), "is a client's, not a server's");
}

static void test_server_names(void **state)
{
	check_name = true;
	play(other_name, "brick", "brick");
	play(right_name, "here", "here");
	check_name = false;
	play(right_name, "brick", "brick");
	play(mere_client, "mere", "mere");
}

/* --- by a word --- */

static void coroutine_fn by_word(void)
{
	struct tls_context *tls;
	struct rpc_client *c;

	refused(word_context("abcd-efgh-jkmn-pqrt", TLS_CLIENT), "");
	refused(context("gateway", "gateway", TLS_CLIENT), "");
	refused(NULL, "");
	assert_int_equal(opened, 0);
	tls = word_context("ABCDefgh jkmn-pqrs", TLS_CLIENT);
	c = client_start(tls);
	tls_context_unref(tls);
	co_sleep_ns(1000 * MS);
	if (!rpc_client_is_up(c))
		fail_msg("not connected: %s", rpc_client_reason(c));
	assert_string_equal(seen_name, "");
	rpc_client_free(c);
}

static void test_by_word(void **state)
{
	play(by_word, "abcd-efgh-jkmn-pqrs", NULL);
}

/* A certificate is no answer to who knows the word. */
static void coroutine_fn impostor_of_a_word(void)
{
	refused(word_context("abcd-efgh-jkmn-pqrs", TLS_CLIENT), "");
	assert_int_equal(opened, 0);
}

static void test_impostor_of_a_word(void **state)
{
	play(impostor_of_a_word, "brick", "brick");
}

/* --- who means harm --- */

struct raw { struct stream *s; uint32_t n; bool ended; uint8_t in[4096]; };

static void raw_readable(void *arg)
{
	struct raw *raw = arg;
	struct iovec iov = { raw->in, sizeof(raw->in) };
	ssize_t n = stream_readv(raw->s, &iov, 1);

	if (n > 0)
		raw->n += (uint32_t)n;
	else if (n != -EAGAIN)
		raw->ended = true;
	if (raw->ended)
		stream_want_read(raw->s, false);
}

static const struct stream_events raw_events = { raw_readable, NULL };

static void coroutine_fn raw_open(struct raw *raw)
{
	struct sockaddr_in to = address(SERVER_IP, PORT), from = address(CLIENT_IP, 0);

	memset(raw, 0, sizeof(*raw));
	assert_int_equal(stream_connect(loop, (struct sockaddr *)&to, (struct sockaddr *)&from, &raw->s), 0);
	stream_start(raw->s, &raw_events, raw);
}

/* Until all is sent or the other side has had enough. */
static void coroutine_fn raw_send(struct raw *raw, const void *data, size_t len)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n;

	while (iov.iov_len && !raw->ended) {
		n = stream_writev(raw->s, &iov, 1);
		if (n < 0 && n != -EAGAIN)
			break;
		if (n > 0) {
			iov.iov_base = (char *)iov.iov_base + n;
			iov.iov_len -= (size_t)n;
		}
		co_sleep_ns(100000);
	}
}

static void coroutine_fn gone_after(struct raw *raw, unsigned ms)
{
	co_sleep_ns(ms * MS);
	assert_true(raw->ended);
	assert_int_equal(rpc_server_conns(server), 0);
	stream_close(raw->s);
}

static void coroutine_fn garbage(void)
{
	static uint8_t bytes[70000];
	static struct raw raw;
	unsigned i, k;

	for (i = 0; i < 40; i++) {
		loop_random(loop, bytes, sizeof(bytes));
		for (k = 0; k < i % 4; k++)
			bytes[k] = ((const uint8_t[]){ 0x16, 3, 1 })[k];	/* looks better and better */
		if (i % 8 >= 4)
			memcpy(bytes + 3, i % 8 == 4 ? "\x3f\xff\x01\x00\x3f" : "\x00\x30\x01\x00\x00", 5);
		raw_open(&raw);
		raw_send(&raw, bytes, i % 5 == 4 ? 70000 : 1 + sim_random(loop, 700));
		if (rpc_server_conns(server))			/* it waits for the rest of what it takes for a record */
			co_sleep_ns(10100 * MS);
		gone_after(&raw, 100);
	}
	raw_open(&raw);						/* nothing at all */
	co_sleep_ns(9500 * MS);
	assert_false(raw.ended);
	gone_after(&raw, 1000);
	expect_logged("the peer said nothing within 10 s", 1);
	raw_open(&raw);
	stream_close(raw.s);					/* a port probe is no event */
	co_sleep_ns(100 * MS);
	assert_int_equal(rpc_server_conns(server), 0);
	assert_int_equal(opened, 0);
	rpc_client_free(accepted());
}

static void test_garbage(void **state)
{
	play(garbage, "brick", "brick");
}

/* --- a peer with a good certificate that means harm: OpenSSL over blocks of memory, pumped by hand --- */

struct inside { struct raw raw; SSL *ssl; BIO *in, *out; };

static void coroutine_fn pump(struct inside *p)
{
	char *data;
	long len = BIO_get_mem_data(p->out, &data);

	raw_send(&p->raw, data, (size_t)len);
	(void)BIO_reset(p->out);
	if (p->raw.n && BIO_write(p->in, p->raw.in, (int)p->raw.n) > 0)
		p->raw.n = 0;
}

static void inside_readable(void *arg)
{
	struct raw *raw = arg;
	struct iovec iov = { raw->in + raw->n, sizeof(raw->in) - raw->n };
	ssize_t n = iov.iov_len ? stream_readv(raw->s, &iov, 1) : -EAGAIN;

	if (n > 0)
		raw->n += (uint32_t)n;
	else if (n != -EAGAIN)
		raw->ended = true;
	if (raw->ended || !iov.iov_len)
		stream_want_read(raw->s, false);
}

static const struct stream_events inside_events = { inside_readable, NULL };

static void coroutine_fn get_inside(struct inside *p, int version)
{
	struct tls_context *ctx = context("gateway", "gateway", TLS_CLIENT);

	raw_open(&p->raw);
	stream_start(p->raw.s, &inside_events, &p->raw);
	SSL_CTX_set_min_proto_version(ctx->ssl, version);
	SSL_CTX_set_max_proto_version(ctx->ssl, version);
	SSL_CTX_clear_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION);
	p->ssl = SSL_new(ctx->ssl);
	tls_context_unref(ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	SSL_set_bio(p->ssl, p->in, p->out);
	while (SSL_connect(p->ssl) != 1) {
		pump(p);
		assert_false(p->raw.ended);
		co_sleep_ns(MS);
	}
	pump(p);
	co_sleep_ns(20 * MS);
	assert_int_equal(rpc_server_conns(server), 1);
}

/* Half a record and then nothing is closed after idle_ms; all else that the peer does must end it at once. */
static void coroutine_fn expelled(struct inside *p, unsigned ms)
{
	co_sleep_ns(ms * MS);
	assert_int_equal(rpc_server_conns(server), 0);
	SSL_free(p->ssl);
	stream_close(p->raw.s);
}

static void coroutine_fn traitors(void)
{
	static uint8_t bytes[5000];
	static struct inside p;
	unsigned i;

	get_inside(&p, TLS1_3_VERSION);			/* asks for new keys for ever and reads no answer */
	stream_want_read(p.raw.s, false);
	for (i = 0; i < 200000 && rpc_server_conns(server); i++) {
		SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(p.ssl);
		if (i % 500 == 0)
			pump(&p);
	}
	expelled(&p, 100);
	expect_logged("the peer makes us answer and reads no answer", 1);
	get_inside(&p, TLS1_3_VERSION);			/* a record that was changed on the way */
	SSL_write(p.ssl, bytes, 1000);
	assert_int_equal(BIO_read(p.out, bytes, sizeof(bytes)), 1022);
	bytes[500] ^= 1;
	raw_send(&p.raw, bytes, 1022);
	expelled(&p, 100);
	expect_logged("decryption failed or bad record mac", 1);
	get_inside(&p, TLS1_3_VERSION);			/* half a record */
	SSL_write(p.ssl, bytes, 1000);
	BIO_read(p.out, bytes, sizeof(bytes));
	raw_send(&p.raw, bytes, 500);
	co_sleep_ns(1000 * MS);
	assert_int_equal(rpc_server_conns(server), 1);
	expelled(&p, 180000);
	get_inside(&p, TLS1_3_VERSION);			/* no RPC at all, properly encrypted */
	memset(bytes, 0xff, sizeof(bytes));
	SSL_write(p.ssl, bytes, 100);
	pump(&p);
	expelled(&p, 100);
	get_inside(&p, TLS1_3_VERSION);			/* goes without a goodbye */
	stream_close(p.raw.s);
	SSL_free(p.ssl);
	co_sleep_ns(100 * MS);
	assert_int_equal(rpc_server_conns(server), 0);
}

static void test_traitors(void **state)
{
	seeds = 1;		/* ten thousand keys are dear */
	play(traitors, "brick", "brick");
	seeds = 3;
}

/* TLS 1.2 when it is allowed; renegotiation never. */
static void coroutine_fn older(void)
{
	static struct inside p;
	unsigned i;

	get_inside(&p, TLS1_2_VERSION);
	for (i = 0; i < 5; i++) {
		SSL_renegotiate(p.ssl);
		SSL_do_handshake(p.ssl);
		pump(&p);
		co_sleep_ns(20 * MS);
	}
	assert_int_equal(opened, 1);
	assert_string_equal(seen_name, "gateway1");
	SSL_free(p.ssl);
	stream_close(p.raw.s);
	co_sleep_ns(100 * MS);
	rpc_client_free(accepted());
}

static void test_older(void **state)
{
	min_version = TLS_VERSION_1_2;
	play(older, "brick", "brick");
	min_version = TLS_VERSION_1_3;
}

/* --- files --- */

static void expect_error(struct tls_conf conf, const char *file, const char *words)
{
	struct error err = { "" };

	assert_null(tls_context_new(&conf, TLS_SERVER, &err));
	if (!strstr(err.text, file) || !strstr(err.text, words))
		fail_msg("\"%s\" and \"%s\" are not in: %s", file, words, err.text);
}

static void test_files(void **state)
{
	struct tls_conf good = { at("brick/glusterfs.pem"), at("brick/glusterfs.key"), at("brick/glusterfs.ca") }, bad = good;
	struct error err = { "" };
	struct tls_context *ctx;

	bad.certificate = "/nowhere/x.pem";
	expect_error(bad, "/nowhere/x.pem", "No such file");
	bad.certificate = dir;
	expect_error(bad, dir, "no plain file");
	bad.certificate = good.key;
	expect_error(bad, good.key, "no certificate in it");
	bad.certificate = at("late/glusterfs.pem");
	expect_error(bad, bad.certificate, "(CN=late1) expired on 20");
	bad = good;
	bad.key = at("gateway/glusterfs.key");
	expect_error(bad, bad.key, "does not belong to certificate");
	bad.key = good.certificate;
	expect_error(bad, bad.key, "no private key in it");
	bad = good;
	assert_int_equal(file_store(at("empty"), "", 0, 0644, true), 0);
	bad.ca = at("empty");
	expect_error(bad, bad.ca, "no certificate in it");
	assert_int_equal(file_store(at("broken"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 60, 0644, true), 0);
	bad.ca = at("broken");
	expect_error(bad, bad.ca, "number 1 in it cannot be read");
	bad = good;
	bad.revoked = "/etc/ssl/crl";
	expect_error(bad, "/etc/ssl/crl", "not read here");
	bad = good;
	bad.ciphers = "HIGH:TLS_NONSENSE";
	expect_error(bad, "TLS_NONSENSE", "does not know");
	good.ciphers = "HIGH:TLS_AES_256_GCM_SHA384:!aNULL";
	ctx = tls_context_new(&good, TLS_SERVER, &err);
	assert_string_equal(err.text, "");
	assert_string_equal(tls_context_name(ctx), "brick1");
	tls_context_unref(ctx);
}

static void test_make(void **state)
{
	struct tls_host host = { .ca_dir = at("ca"), .to_dir = at("brick"), .cn = "again" };
	struct error err = { "" };
	struct stat st;
	int64_t ends;

	assert_int_equal(tls_make_ca(at("ca"), "x", false, &err), -EEXIST);
	assert_non_null(strstr(err.text, "ca/ca.key exists"));
	err.text[0] = '\0';
	assert_int_equal(tls_make_host(&host, &err), -EEXIST);
	assert_non_null(strstr(err.text, "brick/glusterfs.key exists"));
	host.cn = "a,b";
	assert_int_equal(tls_make_host(&host, NULL), -EINVAL);
	host.cn = "";
	assert_int_equal(tls_make_host(&host, NULL), -EINVAL);
	host = (struct tls_host){ .ca_dir = at("none"), .to_dir = at("ca"), .cn = "x" };
	err.text[0] = '\0';
	assert_int_equal(tls_make_host(&host, &err), -ENOENT);
	assert_non_null(strstr(err.text, "none/ca.pem: No such file"));
	assert_int_equal(stat(at("brick/glusterfs.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(at("ca/ca.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tls_expiry(at("brick/glusterfs.pem"), &ends, NULL), 0);
	assert_in_range(ends, time(NULL) + 729 * 86400, time(NULL) + 731 * 86400);
	assert_int_equal(tls_expiry(at("ca/ca.pem"), &ends, NULL), 0);
	assert_in_range(ends, time(NULL) + 3649l * 86400, time(NULL) + 3651l * 86400);
	host = (struct tls_host){ .ca_dir = at("ca"), .to_dir = at("brick"), .cn = "brick1", .replace = true, .days = 36500 };
	assert_int_equal(tls_make_host(&host, NULL), 0);
	assert_int_equal(tls_expiry(at("brick/glusterfs.pem"), &ends, NULL), 0);
	assert_in_range(ends, time(NULL) + 3649l * 86400, time(NULL) + 3651l * 86400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_make), cmocka_unit_test(test_much), cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_plain_server),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_by_word),
		cmocka_unit_test(test_impostor_of_a_word), cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_traitors), cmocka_unit_test(test_older),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
