/* tests/unit/test_etcd.c: etcd's JSON there and back, hostile answers, and which endpoint is believed when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "mgmt/etcd.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define MS 1000000ull
#define HEADER "\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\"," \
	"\"revision\":\"7\",\"raft_term\":\"2\"}"
#define KV "{\"key\":\"L2cvYQ==\",\"create_revision\":\"2\",\"mod_revision\":\"6\",\"version\":\"1\",\"value\":\"aGVsbG8=\"}"

/* --- JSON --- */

static void encodes(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void test_encode(void **state)
{
	struct etcd_range all = { .key = "/g/", .key_len = 3, .end = "/g0", .limit = 5, .revision = UINT64_MAX };
	struct etcd_range one = { .key = "/g/\0", .key_len = 4, .count_only = true };
	char *end = etcd_prefix_end("/g/");

	assert_string_equal(end, "/g0");
	free(end);
	encodes(etcd_encode_range(&all),
		"{\"key\":\"L2cv\",\"range_end\":\"L2cw\",\"limit\":\"5\",\"revision\":\"18446744073709551615\"}");
	encodes(etcd_encode_range(&one), "{\"key\":\"L2cvAA==\",\"count_only\":true}");
	encodes(etcd_encode_txn("/g/a", "hello", 5, 0, 0),
		"{\"success\":[{\"request_put\":{\"key\":\"L2cvYQ==\",\"value\":\"aGVsbG8=\"}}],"
		"\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"L2cvYQ==\",\"mod_revision\":\"0\"}],"
		"\"failure\":[{\"request_range\":{\"key\":\"L2cvYQ==\"}}]}");
	encodes(etcd_encode_txn("/g/a", "hello", 5, ETCD_ANY, 17),
		"{\"success\":[{\"request_put\":{\"key\":\"L2cvYQ==\",\"value\":\"aGVsbG8=\",\"lease\":\"17\"}}]}");
	encodes(etcd_encode_txn("/g/a", NULL, 0, ETCD_ANY, 0), "{\"success\":[{\"request_delete_range\":{\"key\":\"L2cvYQ==\"}}]}");
	encodes(etcd_encode_grant(10), "{\"TTL\":\"10\"}");
	encodes(etcd_encode_lease(INT64_MAX), "{\"ID\":\"9223372036854775807\"}");
	encodes(etcd_encode_watch("/g/", 3), "{\"create_request\":{\"key\":\"L2cv\",\"range_end\":\"L2cw\",\"start_revision\":\"3\","
		"\"progress_notify\":true,\"fragment\":true}}");
}

static struct etcd_answer decodes(enum etcd_shape shape, const char *text)
{
	struct error err = { "" };
	struct etcd_answer a;

	if (etcd_decode(shape, text, strlen(text), &a, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return a;
}

static void test_decode(void **state)
{
	struct etcd_answer a = decodes(ETCD_RANGE, "{" HEADER "}");

	assert_true(a.cluster_id == 14841639068965178418ull && a.revision == 7 && a.n == 0 && !a.more);
	a = decodes(ETCD_RANGE, "{" HEADER ",\"kvs\":[" KV ",{\"key\":\"AP8=\",\"mod_revision\":5}],"
		    "\"more\":true,\"count\":\"9\",\"new\":[{}]}");
	assert_true(a.n == 2 && a.more && a.kvs[0].revision == 6 && a.kvs[1].revision == 5);
	assert_string_equal(a.kvs[0].key, "/g/a");
	assert_string_equal(a.kvs[0].value, "hello");
	assert_int_equal(a.kvs[1].key_len, 2);
	assert_memory_equal(a.kvs[1].key, "\0\xff", 3);
	assert_string_equal(a.kvs[1].value, "");
	etcd_answer_free(&a);
	a = decodes(ETCD_TXN, "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{\"header\":{\"revision\":\"7\"}}}]}");
	assert_true(a.succeeded && a.revision == 7);
	a = decodes(ETCD_TXN, "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":[" KV "]}}]}");
	assert_true(!a.succeeded && a.n == 1);
	etcd_answer_free(&a);
	a = decodes(ETCD_LEASE, "{" HEADER ",\"ID\":\"7587899201692899339\",\"TTL\":\"10\"}");
	assert_true(a.lease == 7587899201692899339 && a.ttl_s == 10);
	a = decodes(ETCD_KEEPALIVE, "{\"result\":{" HEADER ",\"ID\":\"12\"}}\n");
	assert_true(a.lease == 12 && a.ttl_s == 0);
	a = decodes(ETCD_WATCH, "{\"result\":{" HEADER ",\"fragment\":true,\"events\":[{\"kv\":" KV "},{\"type\":\"DELETE\",\"kv\":"
		    "{\"key\":\"L2cvYQ==\",\"mod_revision\":\"7\"}}]}}");
	assert_true(a.n == 2 && a.fragment && a.kvs[0].value && !a.kvs[1].value && a.kvs[1].revision == 7);
	etcd_answer_free(&a);
	a = decodes(ETCD_WATCH, "{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":\"3\",\"cancel_reason\":\"a\\u0007b\"}}");
	assert_true(a.canceled && a.compact_revision == 3);
	assert_string_equal(a.reason, "a b");
}

static const struct { enum etcd_shape shape; const char *text; } hostile[] = {
	{ ETCD_RANGE, "" }, { ETCD_RANGE, "{" }, { ETCD_RANGE, "null" }, { ETCD_RANGE, "[]" }, { ETCD_RANGE, "{}" }, { ETCD_RANGE, "{}{}" },
	{ ETCD_RANGE, "<html>Not Found</html>" },
	{ ETCD_RANGE, "{\"header\":[]}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":\"18446744073709551616\"}}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":\"9223372036854775808\"}}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":\"-1\"}}" }, { ETCD_RANGE, "{\"header\":{\"revision\":\"\"}}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":-1}}" }, { ETCD_RANGE, "{\"header\":{\"revision\":1.5}}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":99999999999999999999999}}" }, { ETCD_RANGE, "{\"header\":{\"revision\":1e400}}" },
	{ ETCD_RANGE, "{\"header\":{\"revision\":\" 1\"}}" }, { ETCD_RANGE, "{\"header\":{\"revision\":true}}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":{}}" }, { ETCD_RANGE, "{" HEADER ",\"kvs\":[1]}" }, { ETCD_RANGE, "{" HEADER ",\"kvs\":[{}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[" KV ",{\"key\":\"L2c\",\"mod_revision\":\"1\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[{\"key\":\"L2cv\\n\",\"mod_revision\":\"1\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[{\"key\":\"=2cv\",\"mod_revision\":\"1\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[{\"key\":\"L===\",\"mod_revision\":\"1\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[{\"key\":17,\"mod_revision\":\"1\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"kvs\":[{\"key\":\"L2cv\",\"mod_revision\":\"0\"}]}" },
	{ ETCD_RANGE, "{" HEADER ",\"more\":\"yes\"}" }, { ETCD_RANGE, "{" HEADER ",\"more\":true,\"more\":true}" },
	{ ETCD_TXN, "{" HEADER "}" }, { ETCD_TXN, "{" HEADER ",\"responses\":[7]}" }, { ETCD_TXN, "{" HEADER ",\"succeeded\":1}" },
	{ ETCD_LEASE, "{" HEADER ",\"ID\":\"9223372036854775808\"}" }, { ETCD_LEASE, "{" HEADER ",\"ID\":{}}" },
	{ ETCD_KEEPALIVE, "{" HEADER ",\"ID\":\"1\"}" }, { ETCD_KEEPALIVE, "{\"result\":[]}" },
	{ ETCD_WATCH, "{\"error\":{\"message\":\"transport is closing\"}}" }, { ETCD_WATCH, "{\"error\":7}" },
	{ ETCD_WATCH, "{\"result\":{" HEADER ",\"events\":[{}]}}" }, { ETCD_WATCH, "{\"result\":{" HEADER ",\"events\":[{\"kv\":[]}]}}" },
	{ ETCD_WATCH, "{\"result\":{" HEADER ",\"events\":[{\"type\":\"MOVE\",\"kv\":" KV "}]}}" },
	{ ETCD_WATCH, "{\"result\":{" HEADER ",\"compact_revision\":\"x\"}}" },
};

static void refuses(enum etcd_shape shape, const char *text, size_t len)
{
	char *exact = malloc(len ? len : 1);		/* of just this size, so that reading past the end shows */
	struct error err = { "" };
	struct etcd_answer a;

	memcpy(exact, text, len);
	if (etcd_decode(shape, exact, len, &a, &err) != -EPROTO || !err.text[0])
		fail_msg("taken: %.*s", (int)len, text);
	free(exact);
}

static void test_hostile(void **state)
{
	static const char whole[] = "{" HEADER ",\"kvs\":[" KV "],\"count\":\"1\"}";
	char *many = malloc(2000001);
	size_t i;

	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		refuses(hostile[i].shape, hostile[i].text, strlen(hostile[i].text));
	for (i = 0; i < sizeof(whole) - 1; i++)
		refuses(ETCD_RANGE, whole, i);
	memset(many, '[', 2000000);			/* deeper than any stack */
	refuses(ETCD_RANGE, many, 2000000);
	for (i = 0; i < 2000000; i += 2)
		memcpy(many + i, "0,", 2);
	many[0] = '[';
	refuses(ETCD_RANGE, many, 2000000);
	free(many);
}

static void refusal_is(const char *text, int code, const char *said)
{
	char got[40];

	assert_int_equal(etcd_decode_refusal(text, strlen(text), got, sizeof(got)), code);
	assert_string_equal(got, said);
}

static void test_refusal(void **state)
{
	refusal_is("{\"error\":\"etcdserver: no leader\",\"message\":\"etcdserver: no leader\",\"code\":14}", 14, "etcdserver: no leader");
	refusal_is("{\"error\":\"only this\",\"code\":5}", 5, "only this");
	refusal_is("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"closing\"}}", 14, "closing");
	refusal_is("{\"code\":11,\"message\":\"a\\nb\",\"details\":[]}", 11, "a b");
	refusal_is("{\"code\":\"11\",\"message\":7}", -1, "");
	refusal_is("{\"code\":111111111111}", -1, "");
	refusal_is("Not Found\n", -1, "");
	refusal_is("{\"code\":1,\"message\":\"01234567890123456789012345678901234567890123456789\"}", 1,
		   "012345678901234567890123456789012345678");
}

/* --- endpoints: each answers its requests with what it was given, in order; NULL closes; "" is silence --- */

#define ANSWERS 8

struct endpoint {
	struct listener *listener;
	const char *answers[ANSWERS];
	unsigned asked;
	unsigned short port;
};
struct conn { struct endpoint *ep; struct stream *s; char in[65536]; size_t have; };

static struct loop *loop;
static struct endpoint endpoints[2];
static struct etcd *etcd;

static void answer(struct conn *c)
{
	const char *text = c->ep->asked < ANSWERS ? c->ep->answers[c->ep->asked] : NULL;
	char head[200];
	struct iovec iov[2] = { { head, 0 }, { (char *)text, text ? strlen(text) : 0 } };
	int status = 200;

	c->ep->asked++;
	c->have = 0;
	if (!text) {
		stream_close(c->s);
		free(c);
		return;
	}
	if (!*text)
		return;
	if (text[0] != '{') {
		status = atoi(text);
		iov[1].iov_base = (char *)text + 4;
		iov[1].iov_len -= 4;
	}
	iov[0].iov_len = (size_t)snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status, iov[1].iov_len);
	stream_writev(c->s, iov, 2);
}

static void readable(void *arg)
{
	struct conn *c = arg;
	struct iovec iov = { c->in + c->have, sizeof(c->in) - 1 - c->have };
	ssize_t n = stream_readv(c->s, &iov, 1);
	char *length, *end;

	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		stream_close(c->s);
		free(c);
		return;
	}
	c->have += n > 0 ? (size_t)n : 0;
	c->in[c->have] = 0;
	length = strstr(c->in, "Content-Length: ");
	end = strstr(c->in, "\r\n\r\n");
	if (length && end && c->in + c->have >= end + 4 + atoi(length + 16))
		answer(c);
}

static void accepted(void *arg, struct stream *s)
{
	static const struct stream_events events = { readable, NULL };
	struct conn *c = calloc(1, sizeof(*c));

	c->ep = arg;
	c->s = s;
	stream_start(s, &events, c);
}

static int setup(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_storage address;
	struct etcd_conf conf = { 0 };
	char list[64];
	unsigned i;

	conf.loop = loop = loop_new(NULL);
	memset(endpoints, 0, sizeof(endpoints));
	for (i = 0; i < 2; i++) {
		if (listener_open(loop, (struct sockaddr *)&in, accepted, &endpoints[i], &endpoints[i].listener) < 0)
			return -1;
		listener_address(endpoints[i].listener, &address);
		endpoints[i].port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	}
	snprintf(list, sizeof(list), "127.0.0.1:%u,127.0.0.1:%u", endpoints[0].port, endpoints[1].port);
	conf.endpoints = list;
	return etcd_new(&conf, NULL, &etcd);
}

static void coroutine_fn linger(void *arg)
{
	etcd_free(etcd);
	co_sleep_ns(20 * MS);		/* the servers' ends of the connections */
	loop_stop(loop);
}

static int teardown(void **state)
{
	co_start(loop, linger, NULL);
	loop_run(loop);
	listener_close(endpoints[0].listener);
	listener_close(endpoints[1].listener);
	loop_free(loop);
	return 0;
}

static void run(co_entry *entry)
{
	assert_non_null(co_start(loop, entry, NULL));
	assert_int_equal(loop_run(loop), 0);
}

#define DONE "{" HEADER ",\"succeeded\":true,\"responses\":[]}"
#define STANDS "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":[" KV "]}}]}"
#define STANDS_NOT "{" HEADER ",\"responses\":[{\"response_range\":{}}]}"
#define NO_LEADER "503 {\"error\":\"etcdserver: no leader\",\"message\":\"etcdserver: no leader\",\"code\":14}"
#define TIMED_OUT "503 {\"message\":\"etcdserver: request timed out\",\"code\":14}"

static struct etcd_answer got;
static struct error said;

static int coroutine_fn put(const char *first, const char *second, uint64_t expected)
{
	int ret;

	endpoints[0].answers[endpoints[0].asked] = first;
	endpoints[1].answers[endpoints[1].asked] = second;
	said.text[0] = 0;
	ret = etcd_put(etcd, "/g/a", "hello", 5, expected, 0, loop_now_ns(loop) + 1200 * MS, &said, &got);
	etcd_answer_free(&got);
	return ret;
}

static void coroutine_fn next_endpoint(void *arg)
{
	assert_int_equal(put(DONE, NULL, 0), 0);
	assert_true(got.succeeded && got.revision == 7 && endpoints[0].asked == 1);
	assert_int_equal(etcd_silent_ms(etcd), 0);
	assert_int_equal(put(NO_LEADER, DONE, 0), 0);
	assert_true(got.succeeded && endpoints[0].asked == 2 && endpoints[1].asked == 1);
	assert_int_equal(put(NULL, DONE, 0), 0);		/* stays with the one that answered */
	assert_true(endpoints[0].asked == 2 && endpoints[1].asked == 2);
	assert_int_equal(put(DONE, "", 0), 0);			/* silence: 600 ms */
	assert_true(got.succeeded && endpoints[0].asked == 3 && endpoints[1].asked == 3);
	loop_stop(loop);
}

static void test_next_endpoint(void **state) { run(next_endpoint); }

/* Refused by our own success, or by somebody else's. */
static void coroutine_fn own_success(void *arg)
{
	assert_int_equal(put(STANDS, NULL, 0), 0);
	assert_false(got.succeeded);
	assert_int_equal(put(NULL, STANDS, 0), 0);		/* the first has closed the connection over it */
	assert_true(got.succeeded && got.revision == 6);
	assert_int_equal(put(STANDS, NO_LEADER, 0), 0);		/* the first has surely not done it */
	assert_false(got.succeeded);
	assert_int_equal(put(TIMED_OUT, STANDS, 0), 0);
	assert_true(got.succeeded);
	endpoints[1].answers[endpoints[1].asked] = TIMED_OUT;
	endpoints[0].answers[endpoints[0].asked] = STANDS_NOT;
	assert_int_equal(etcd_delete(etcd, "/g/a", 5, loop_now_ns(loop) + 1200 * MS, &said, &got), 0);
	assert_true(got.succeeded);
	loop_stop(loop);
}

static void test_own_success(void **state) { run(own_success); }

static void coroutine_fn in_vain(void *arg)
{
	uint64_t begun = loop_now_ns(loop);
	unsigned i;

	assert_int_equal(put("", "", 0), -ETIMEDOUT);
	assert_true(loop_now_ns(loop) - begun < 1900 * MS);
	assert_non_null(strstr(said.text, "etcd has not answered for "));
	assert_non_null(strstr(said.text, "no answer in time; 127.0.0.1"));
	co_sleep_ns(50 * MS);
	assert_true(etcd_silent_ms(etcd) > 1200);
	for (i = 0; i < ANSWERS; i++)
		endpoints[0].answers[i] = endpoints[1].answers[i] = "404 {\"message\":\"etcdserver: requested lease not found\",\"code\":5}";
	endpoints[0].asked = endpoints[1].asked = 0;
	said.text[0] = 0;
	assert_int_equal(etcd_revoke(etcd, 5, loop_now_ns(loop) + 1200 * MS, &said, &got), -ENOENT);
	assert_non_null(strstr(said.text, "refuses: etcdserver: requested lease not found"));
	assert_int_equal(etcd_silent_ms(etcd), 0);
	for (i = 0; i < ANSWERS; i++)
		endpoints[0].answers[i] = endpoints[1].answers[i] = "404 Not Found\n";
	endpoints[0].asked = endpoints[1].asked = 0;
	assert_int_equal(put("404 Not Found\n", "404 Not Found\n", 0), -EPROTO);
	assert_non_null(strstr(said.text, "this is no etcd"));
	loop_stop(loop);
}

static void test_in_vain(void **state) { run(in_vain); }

static void test_endpoints(void **state)
{
	static const char *const wrong[] = { "", ",", "a,", "a b", "a/b", "user@a", "a?b", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17" };
	struct loop *l = loop_new(NULL);
	struct etcd_conf conf = { .loop = l };
	struct etcd *e;
	unsigned i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = { "" };

		conf.endpoints = wrong[i];
		assert_int_equal(etcd_new(&conf, &err, &e), -EINVAL);
		assert_true(err.text[0]);
	}
	conf.endpoints = "h1,h2:2379,[::1],[fe80::1]:99";
	assert_int_equal(etcd_new(&conf, NULL, &e), 0);
	etcd_free(e);
	loop_free(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test_setup_teardown(test_next_endpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_success, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_vain, setup, teardown),
	};

	log_open("test_etcd", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
