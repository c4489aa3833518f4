/* mgmt/http.c: libcurl's multi interface on our loop.
 *
 * libcurl says which descriptors and which time it waits for (on_socket, on_timer) and works in their callbacks, on the loop's own stack:
 * TLS would need more than a coroutine's. A coroutine only begins a transfer, parks, and takes it out again; nothing of ours runs inside
 * libcurl's callbacks but copying. */
#include "mgmt/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/log.h"
#include "runtime/loop.h"

#define HEAD_MAX 65536			/* bytes of an answer's header lines */
#define CONNECTIONS_KEPT 8
#define KEEPALIVE_IDLE_S 10L		/* probes after so long, and then every ... */
#define KEEPALIVE_EACH_S 4L
#define UNACKNOWLEDGED_MS 20000		/* a peer that owes us an acknowledgement for so long is gone */

struct http {
	struct loop *loop;
	CURLM *multi;
	struct curl_slist *headers;
	struct timer timer;
	char *ca, *certificate, *key;
	unsigned transfers;
};

struct socket_watch { struct http *h; struct watch watch; };

struct transfer {
	struct http *h;
	CURL *easy;
	bool stream, done, too_big;
	CURLcode result;
	char *buf;			/* of what came, buf[begin, end) has not been taken */
	size_t begin, end, size, max, head;
	struct co_wait *waiter;
	char said[CURL_ERROR_SIZE];
};

struct http_stream { struct transfer t; };

/* --- the loop --- */

static void wake(struct transfer *t)
{
	if (t->waiter)
		co_wake(t->waiter, 0);
	t->waiter = NULL;
}

static void collect(struct http *h)
{
	struct transfer *t;
	char *private;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left))) {
		if (msg->msg != CURLMSG_DONE || curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
			continue;
		t = (struct transfer *)private;
		t->done = true;
		t->result = msg->data.result;
		wake(t);
	}
}

static void on_event(void *arg, uint32_t events)
{
	struct socket_watch *sw = arg;
	struct http *h = sw->h;		/* the watch may be gone after the call */
	int running, flags = 0;

	flags |= events & EPOLLIN ? CURL_CSELECT_IN : 0;
	flags |= events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
	flags |= events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
	curl_multi_socket_action(h->multi, sw->watch.fd, flags, &running);
	collect(h);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	struct socket_watch *sw = known;
	struct http *h = arg;

	if (what == CURL_POLL_REMOVE) {
		if (sw)
			watch_remove(&sw->watch);
		free(sw);
		return 0;
	}
	if (sw)
		return watch_change(&sw->watch, events) < 0 ? -1 : 0;
	sw = calloc(1, sizeof(*sw));
	if (!sw)
		return -1;
	sw->h = h;
	sw->watch = (struct watch){ h->loop, fd, events, on_event, sw };
	if (watch_add(h->loop, &sw->watch) < 0) {
		free(sw);
		return -1;
	}
	curl_multi_assign(h->multi, fd, sw);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http *h = arg;

	if (timeout_ms < 0)
		timer_cancel(&h->timer);
	else
		timer_arm(h->loop, &h->timer, loop_now_ns(h->loop) + (uint64_t)timeout_ms * 1000000u);
	return 0;
}

static void time_came(void *arg)
{
	struct http *h = arg;
	int running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(h);
}

/* --- all requests --- */

static char *copy(const char *text)
{
	char *own = text ? strdup(text) : NULL;

	if (text && !own)
		abort();
	return own;
}

int http_new(const struct http_conf *conf, struct error *err, struct http **ret_http)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(h);
		return error_set(err, -ENOMEM, "libcurl cannot be initialized");
	}
	h->loop = conf->loop;
	h->ca = copy(conf->ca);
	h->certificate = copy(conf->certificate);
	h->key = copy(conf->key);
	timer_init(&h->timer, time_came, h);
	h->multi = curl_multi_init();
	h->headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
	if (!h->multi || !h->headers)
		abort();
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	*ret_http = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->transfers)
		abort();
	curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->headers);
	timer_cancel(&h->timer);
	free(h->ca);
	free(h->certificate);
	free(h->key);
	free(h);
	curl_global_cleanup();
}

/* --- one transfer --- */

static bool make_room(struct transfer *t, size_t more)
{
	size_t size;
	char *bigger;

	if (t->begin)
		memmove(t->buf, t->buf + t->begin, t->end - t->begin);
	t->end -= t->begin;
	t->begin = 0;
	size = t->end + more + 1;
	if (size <= t->size)
		return true;
	size = size < 4096 ? 4096 : size * 2;
	bigger = realloc(t->buf, size);
	if (!bigger)
		return false;
	t->buf = bigger;
	t->size = size;
	return true;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = one * n;

	if (len > t->max - (t->end - t->begin)) {
		t->too_big = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (t->end + len + 1 > t->size && !make_room(t, len))
		return CURL_WRITEFUNC_ERROR;
	memcpy(t->buf + t->end, data, len);
	t->end += len;
	if (t->stream && memchr(data, '\n', len))
		wake(t);
	return len;
}

static size_t on_head(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;

	t->head += one * n;
	t->too_big |= t->head > HEAD_MAX;
	return t->too_big ? 0 : one * n;
}

/* Daemons that we start must not inherit it; and the kernel shall give up a peer that is gone. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol), ms = UNACKNOWLEDGED_MS;

	if (fd < 0)
		return CURL_SOCKET_BAD;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return fd;
}

static void set_tls(struct transfer *t)
{
	struct http *h = t->h;

	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (h->ca) {		/* that one, and none of the system's beside it */
		curl_easy_setopt(t->easy, CURLOPT_CAINFO, h->ca);
		curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
	}
	if (h->certificate)
		curl_easy_setopt(t->easy, CURLOPT_SSLCERT, h->certificate);
	if (h->key)
		curl_easy_setopt(t->easy, CURLOPT_SSLKEY, h->key);
}

static void set_request(struct transfer *t, const struct http_request *rq)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_URL, rq->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* Else taking a transfer out while its name is looked up waits for the resolver. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->h->headers);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->len);
	curl_easy_setopt(e, t->stream ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS, rq->body);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)rq->connect_ms);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, rq->fresh ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EACH_S);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->said);
	curl_easy_setopt(e, CURLOPT_PRIVATE, (void *)t);
	set_tls(t);
}

static int transfer_begin(struct transfer *t, struct http *h, const struct http_request *rq, bool stream, struct error *err)
{
	*t = (struct transfer){ .h = h, .stream = stream, .max = rq->answer_max };
	t->easy = curl_easy_init();
	if (!t->easy)
		return error_set(err, -ENOMEM, "no memory for a request");
	set_request(t, rq);
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK) {
		curl_easy_cleanup(t->easy);
		return error_set(err, -ENOMEM, "no memory for a request");
	}
	h->transfers++;
	return 0;
}

static void transfer_end(struct transfer *t)
{
	curl_multi_remove_handle(t->h->multi, t->easy);
	curl_easy_cleanup(t->easy);
	t->h->transfers--;
	free(t->buf);
	t->buf = NULL;
}

static int coroutine_fn transfer_wait(struct transfer *t)
{
	struct co_wait wait = CO_WAIT_INIT;
	int ret;

	t->waiter = &wait;
	ret = co_park(&wait);
	t->waiter = NULL;
	return ret;
}

/* --- why it failed --- */

static int tls_failure(const struct transfer *t, struct error *err)
{
	const struct http *h = t->h;
	const char *said = log_quote(t->said[0] ? t->said : curl_easy_strerror(t->result));

	switch (t->result) {
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(err, -EKEYREJECTED, "the CA file %s cannot be used", h->ca ? h->ca : "of the system");
	case CURLE_SSL_CERTPROBLEM:
		return error_set(err, -EKEYREJECTED, "our certificate %s with the key %s cannot be used: %.160s",
				 h->certificate ? h->certificate : "(none)", h->key ? h->key : "(none)", said);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return error_set(err, -EKEYREJECTED, "its certificate is not accepted with the CA file %s: %.160s",
				 h->ca ? h->ca : "of the system", said);
	default:
		return error_set(err, -EKEYREJECTED, "it does not take our certificate %s: %.160s",
				 h->certificate ? h->certificate : "(we have none)", said);
	}
}

/* Under TLS 1.3 a server refuses a client's certificate after the handshake has succeeded for us: then it is an alert in the middle. */
static bool is_tls_failure(const struct transfer *t)
{
	switch (t->result) {
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return true;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return strstr(t->said, "alert") && strstr(t->said, "certificate");
	default:
		return false;
	}
}

static int failure(const struct transfer *t, struct error *err)
{
	const char *said = log_quote(t->said[0] ? t->said : curl_easy_strerror(t->result));
	long number = 0;

	if (t->too_big)
		return error_set(err, -EMSGSIZE, "it answers with more than %zu bytes", t->max);
	if (is_tls_failure(t))
		return tls_failure(t, err);
	switch (t->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return error_set(err, -EHOSTUNREACH, "its name is not known");
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
		return error_set(err, number == EHOSTUNREACH || number == ENETUNREACH ? -EHOSTUNREACH : -ECONNREFUSED, "%s",
				 number ? strerror((int)number) : "no connection");
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(err, -ETIMEDOUT, "no connection in time");
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return error_set(err, -ECONNRESET, "it has closed the connection in the middle");
	case CURLE_OUT_OF_MEMORY:
	case CURLE_WRITE_ERROR:
		return error_set(err, -ENOMEM, "no memory for the answer");
	default:
		return error_set(err, -EPROTO, "it does not speak as it should: %.200s", said);
	}
}

static int status_of(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static bool was_sent(const struct transfer *t)
{
	long bytes = 0;

	curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

/* --- a whole answer --- */

int coroutine_fn http_post(struct http *h, const struct http_request *rq, struct error *err, struct http_response *ret)
{
	struct transfer t;
	int r;

	*ret = (struct http_response){ 0 };
	r = transfer_begin(&t, h, rq, false, err);
	if (r < 0)
		return r;
	while (r == 0 && !t.done)
		r = transfer_wait(&t);
	ret->sent = was_sent(&t);
	if (r < 0)
		error_set(err, r, "no answer in time");
	else if (t.result != CURLE_OK)
		r = failure(&t, err);
	else if (!make_room(&t, 0))
		r = -ENOMEM;
	if (r == 0) {
		t.buf[t.end] = 0;
		ret->status = status_of(&t);
		ret->body = t.buf;
		ret->len = t.end;
		t.buf = NULL;
	}
	transfer_end(&t);
	return r;
}

void http_response_free(struct http_response *r)
{
	free(r->body);
	*r = (struct http_response){ 0 };
}

/* --- line by line --- */

int http_stream_open(struct http *h, const struct http_request *rq, struct error *err, struct http_stream **ret_stream)
{
	struct http_stream *s = malloc(sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	ret = transfer_begin(&s->t, h, rq, true, err);
	if (ret < 0) {
		free(s);
		return ret;
	}
	*ret_stream = s;
	return 0;
}

/* Only what has not been looked at yet is searched for the end of a line: a big one comes in many pieces. */
static bool take_line(struct transfer *t, size_t *looked, const char **ret_line, size_t *ret_len)
{
	size_t len = t->end - t->begin;
	char *line, *end;

	if (!len)
		return false;
	line = t->buf + t->begin;
	end = memchr(line + *looked, '\n', len - *looked);
	*looked = len;
	if (!end && !(t->done && t->result == CURLE_OK))
		return false;	/* the rest is no line before the answer is whole */
	if (!end)
		end = line + len;	/* on_body() always leaves room for a NUL */
	*end = 0;
	*ret_line = line;
	*ret_len = (size_t)(end - line);
	t->begin += *ret_len + 1;
	if (t->begin > t->end)
		t->begin = t->end;
	return true;
}

int coroutine_fn http_stream_line(struct http_stream *s, struct error *err, const char **ret_line, size_t *ret_len)
{
	struct transfer *t = &s->t;
	size_t looked = 0;
	int ret;

	for (;;) {
		if (take_line(t, &looked, ret_line, ret_len))
			return 0;
		if (t->done)
			break;
		ret = transfer_wait(t);
		if (ret < 0)
			return ret;
	}
	return t->result == CURLE_OK ? error_set(err, -ENODATA, "it has ended its answer") : failure(t, err);
}

int http_stream_status(const struct http_stream *s)
{
	return status_of(&s->t);
}

void http_stream_close(struct http_stream *s)
{
	if (!s)
		return;
	transfer_end(&s->t);
	free(s);
}
