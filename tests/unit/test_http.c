/* tests/unit/test_http.c: POST against a small server that is slow, silent, talks nonsense, talks too much, or hangs up in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "mgmt/http.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define MS 1000000ull
#define PIECES 6

/* What is answered to a path: pieces with a pause before each, then an end or nothing more. The last one for ever when "endless". */
struct manner { const char *path; const char *pieces[PIECES]; unsigned pause_ms; bool close, endless; };

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct manner manners[] = {
	{ "/ok", { HEAD "Content-Length: 4\r\n\r\n{}\n\n" } },
	{ "/none", { "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nNot Found\n" } },
	{ "/slow", { HEAD, "Content-Length", ": 6\r\n\r\n", "abc", "def" }, .pause_ms = 20 },
	{ "/silent", { NULL } },
	{ "/hangs", { HEAD "Content-Length: 6\r\n\r\nabc" } },
	{ "/garbage", { "hello, this is no HTTP\r\n\r\n" } },
	{ "/length", { HEAD "Content-Length: -5\r\n\r\nabc" } },
	{ "/huge", { HEAD "Content-Length: 1000000000\r\n\r\n", "0123456789012345678901234567890123456789" }, .endless = true },
	{ "/heads", { HEAD, "X-More: 0123456789012345678901234567890123456789\r\n" }, .endless = true },
	{ "/chunked", { CHUNKED, "3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n" }, .pause_ms = 5 },
	{ "/chunk", { CHUNKED, "zz\r\nabc\r\n" } },
	{ "/middle", { HEAD "Content-Length: 100\r\n\r\nabc" }, .close = true },
	{ "/closes", { "" }, .close = true },
	{ "/elsewhere", { "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n" } },
	{ "/lines", { CHUNKED, "4\r\none\n\r\n", "6\r\ntwo\nth\r\n", "8\r\nree\nlast\r\n0\r\n\r\n" }, .pause_ms = 30 },
	{ "/torn", { CHUNKED, "4\r\none\n\r\n", "20\r\ntw" }, .pause_ms = 5, .close = true },
	{ "/long", { CHUNKED, "28\r\n0123456789012345678901234567890123456789\r\n" }, .endless = true },
};

static struct loop *loop;
static struct http *http;
static struct listener *listener;
static char base[64];
static unsigned accepted_n, ended_n;

struct conn {
	struct stream *s;
	char in[65536];
	size_t have;
	const struct manner *m;
	unsigned piece;
	size_t sent;
	struct timer timer;
};

static void conn_end(struct conn *c)
{
	timer_cancel(&c->timer);
	stream_close(c->s);
	free(c);
	ended_n++;
}

static void next_piece(void *arg)
{
	struct conn *c = arg;
	const char *text = c->piece < PIECES ? c->m->pieces[c->piece] : NULL;
	struct iovec iov;
	ssize_t n;

	if (!text) {
		if (c->m->close)
			conn_end(c);
		return;
	}
	iov = (struct iovec){ (char *)text + c->sent, strlen(text) - c->sent };
	n = iov.iov_len ? stream_writev(c->s, &iov, 1) : 0;
	if (n > 0)
		c->sent += (size_t)n;
	stream_want_write(c->s, n == -EAGAIN);
	if (n < 0 || c->sent < strlen(text))
		return;
	c->sent = 0;
	if (!c->m->endless || (c->piece + 1 < PIECES && c->m->pieces[c->piece + 1]))
		c->piece++;
	timer_arm(loop, &c->timer, loop_now_ns(loop) + c->m->pause_ms * MS);
}

static void serve(struct conn *c)
{
	char *head_end = strstr(c->in, "\r\n\r\n"), *length, path[32] = "";
	unsigned i;

	if (!head_end)
		return;
	length = strstr(c->in, "Content-Length: ");
	if (!length || c->in + c->have < head_end + 4 + strtoul(length + 16, NULL, 10))
		return;
	sscanf(c->in, "POST %31s", path);
	assert_non_null(strstr(c->in, "Content-Type: application/json"));
	assert_null(strstr(c->in, "Expect:"));
	c->have = 0;
	c->piece = 0;
	for (i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		if (strcmp(path, manners[i].path) == 0)
			c->m = &manners[i];
	assert_non_null(c->m);
	next_piece(c);
}

static void conn_readable(void *arg)
{
	struct conn *c = arg;
	struct iovec iov;
	ssize_t n;

	do {
		iov = (struct iovec){ c->in + c->have, sizeof(c->in) - 1 - c->have };
		n = stream_readv(c->s, &iov, 1);
		if (n > 0)
			c->have += (size_t)n;
	} while (n > 0);
	c->in[c->have] = 0;
	if (n != -EAGAIN)
		conn_end(c);
	else
		serve(c);
}

static const struct stream_events events = { conn_readable, next_piece };

static void accepted(void *arg, struct stream *s)
{
	struct conn *c = calloc(1, sizeof(*c));

	accepted_n++;
	c->s = s;
	timer_init(&c->timer, next_piece, c);
	stream_start(s, &events, c);
}

static int setup(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct http_conf conf = { 0 };
	struct sockaddr_storage address;
	char text[64];

	/* What must not be heeded. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	accepted_n = ended_n = 0;
	conf.loop = loop = loop_new(NULL);
	if (!loop || listener_open(loop, (struct sockaddr *)&in, accepted, NULL, &listener) < 0 || http_new(&conf, NULL, &http) < 0)
		return -1;
	listener_address(listener, &address);
	snprintf(base, sizeof(base), "http://%s", sockaddr_text((struct sockaddr *)&address, text, sizeof(text)));
	return 0;
}

static void coroutine_fn close_all(void *arg)
{
	int i;

	http_free(http);
	for (i = 0; i < 1000 && ended_n < accepted_n; i++)
		co_sleep_ns(1 * MS);
	assert_int_equal(ended_n, accepted_n);
	loop_stop(loop);
}

static int teardown(void **state)
{
	co_start(loop, close_all, NULL);
	loop_run(loop);
	listener_close(listener);
	loop_free(loop);
	return 0;
}

static void run(co_entry *entry)
{
	assert_non_null(co_start(loop, entry, NULL));
	assert_int_equal(loop_run(loop), 0);
}

static struct http_request request(const char *path, char *url, size_t size)
{
	snprintf(url, size, "%s%s", base, path);
	return (struct http_request){ .url = url, .body = "{\"a\":1}", .len = 7, .answer_max = 10000, .connect_ms = 500 };
}

static int coroutine_fn post(const char *path, unsigned within_ms, struct http_response *ret, struct error *err)
{
	char url[128];
	struct http_request rq = request(path, url, sizeof(url));
	uint64_t old = co_set_deadline(loop_now_ns(loop) + within_ms * MS);
	int r;

	err->text[0] = 0;
	r = http_post(http, &rq, err, ret);
	co_restore_deadline(old);
	return r;
}

static void coroutine_fn answers(const char *path, int status, const char *body)
{
	struct http_response res;
	struct error err;

	assert_int_equal(post(path, 2000, &res, &err), 0);
	assert_int_equal(res.status, status);
	assert_true(res.sent);
	assert_string_equal(res.body, body);
	assert_int_equal(res.len, strlen(body));
	http_response_free(&res);
}

static void coroutine_fn fails(const char *path, int expected)
{
	bool waits = expected == -ETIMEDOUT;
	struct http_response res;
	struct error err;
	int ret = post(path, waits ? 200 : 4000, &res, &err);

	if (ret != expected)
		print_error("%s: %d %s\n", path, ret, err.text);
	assert_int_equal(ret, expected);
	assert_true(err.text[0]);
	assert_null(res.body);
	assert_true(res.sent);
	http_response_free(&res);
}

static void coroutine_fn good(void *arg)
{
	answers("/ok", 200, "{}\n\n");
	answers("/none", 404, "Not Found\n");
	answers("/slow", 200, "abcdef");
	answers("/chunked", 200, "abcde");
	answers("/elsewhere", 302, "");
	assert_int_equal(accepted_n, 1);
	loop_stop(loop);
}

static void coroutine_fn bad(void *arg)
{
	fails("/silent", -ETIMEDOUT);
	fails("/hangs", -ETIMEDOUT);
	fails("/garbage", -EPROTO);
	fails("/length", -EPROTO);
	fails("/huge", -EMSGSIZE);
	fails("/heads", -EMSGSIZE);
	fails("/chunk", -ECONNRESET);
	fails("/middle", -ECONNRESET);
	fails("/closes", -ECONNRESET);
	loop_stop(loop);
}

static void coroutine_fn fresh(void *arg)
{
	struct http_response res;
	char url[128];
	struct http_request rq = request("/ok", url, sizeof(url));

	answers("/ok", 200, "{}\n\n");
	rq.fresh = true;
	assert_int_equal(http_post(http, &rq, NULL, &res), 0);
	http_response_free(&res);
	assert_int_equal(accepted_n, 2);
	loop_stop(loop);
}

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / MS;
}

/* Nobody there; a name that nobody knows, or for which no name server answers: the loop must not stand still for either. */
static void coroutine_fn nobody(void *arg)
{
	struct http_request rq = { .url = "http://127.0.0.1:1/ok", .body = "", .answer_max = 100, .connect_ms = 200 };
	struct http_response res;
	struct error err = { "" };
	uint64_t begun;
	int ret;

	assert_int_equal(http_post(http, &rq, &err, &res), -ECONNREFUSED);
	assert_string_equal(err.text, "Connection refused");
	assert_false(res.sent);
	rq.url = "http://no-such-host.invalid:1/ok";
	begun = clock_ms();
	ret = http_post(http, &rq, NULL, &res);
	assert_true(ret == -EHOSTUNREACH || ret == -ETIMEDOUT);
	assert_true(clock_ms() - begun < 1500);
	assert_false(res.sent);
	rq.url = "file:///etc/passwd";
	assert_int_equal(http_post(http, &rq, NULL, &res), -EPROTO);
	loop_stop(loop);
}

static void coroutine_fn posts_in_vain(void *arg)
{
	int *ret = arg;
	struct http_response res;
	struct error err;

	*ret = post("/silent", 100000, &res, &err);
}

static void coroutine_fn canceled(void *arg)
{
	struct coroutine *co;
	int ret = 1, i;

	co = co_start(loop, posts_in_vain, &ret);
	co_sleep_ns(50 * MS);
	assert_int_equal(ret, 1);
	co_cancel(co);
	for (i = 0; i < 2000 && ended_n < accepted_n; i++)
		co_sleep_ns(1 * MS);
	assert_int_equal(ret, -ECANCELED);
	assert_int_equal(ended_n, accepted_n);		/* the connection went with it */
	loop_stop(loop);
}

static int coroutine_fn line_within(struct http_stream *s, unsigned ms, const char **ret_line, size_t *ret_len)
{
	uint64_t old = co_set_deadline(loop_now_ns(loop) + ms * MS);
	int ret = http_stream_line(s, NULL, ret_line, ret_len);

	co_restore_deadline(old);
	return ret;
}

static void coroutine_fn lines(void *arg)
{
	static const char *const expected[] = { "one", "two", "three", "last" };
	char url[128];
	struct http_request rq = request("/lines", url, sizeof(url));
	struct http_stream *s;
	const char *line;
	unsigned i, waits = 0;
	size_t len;
	int ret;

	assert_int_equal(http_stream_open(http, &rq, NULL, &s), 0);
	assert_int_equal(http_stream_status(s), 0);
	for (i = 0; i < 4; i++) {
		while ((ret = line_within(s, 10, &line, &len)) == -ETIMEDOUT)
			waits++;
		assert_int_equal(ret, 0);
		assert_string_equal(line, expected[i]);
		assert_int_equal(len, strlen(expected[i]));
	}
	assert_true(waits >= 3);
	assert_int_equal(http_stream_status(s), 200);
	assert_int_equal(line_within(s, 1000, &line, &len), -ENODATA);
	http_stream_close(s);
	loop_stop(loop);
}

static void coroutine_fn broken_lines(void *arg)
{
	char url[128];
	struct http_request rq = request("/torn", url, sizeof(url));
	struct http_stream *s;
	const char *line;
	size_t len;

	assert_int_equal(http_stream_open(http, &rq, NULL, &s), 0);
	assert_int_equal(line_within(s, 1000, &line, &len), 0);
	assert_string_equal(line, "one");
	/* What has come of the second one ends with the connection, and is no line for who knows what a line is. */
	assert_int_equal(line_within(s, 1000, &line, &len), -ECONNRESET);
	http_stream_close(s);
	rq = request("/long", url, sizeof(url));
	assert_int_equal(http_stream_open(http, &rq, NULL, &s), 0);
	assert_int_equal(line_within(s, 2000, &line, &len), -EMSGSIZE);
	http_stream_close(s);
	rq = request("/silent", url, sizeof(url));
	assert_int_equal(http_stream_open(http, &rq, NULL, &s), 0);
	assert_int_equal(line_within(s, 20, &line, &len), -ETIMEDOUT);
	http_stream_close(s);
	loop_stop(loop);
}

static void test_good(void **state) { run(good); }
static void test_bad(void **state) { run(bad); }
static void test_fresh(void **state) { run(fresh); }
static void test_nobody(void **state) { run(nobody); }
static void test_canceled(void **state) { run(canceled); }
static void test_lines(void **state) { run(lines); }
static void test_broken_lines(void **state) { run(broken_lines); }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_canceled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_lines, setup, teardown),
	};

	log_open("test_http", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
