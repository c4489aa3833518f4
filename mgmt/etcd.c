/* mgmt/etcd.c: which endpoint a call goes to, for how long, and what its failure means.
 *
 * A call is tried on one endpoint after the other until one gives an answer that the next would give as well, or the time is over. A write
 * whose answer was lost may have been carried out: the next try is then refused by its own success, which etcd_put() and etcd_delete() tell
 * from that of somebody else. */
#include "mgmt/etcd.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/http.h"
#include "runtime/loop.h"

#define ENDPOINTS_MAX 16u
#define MS 1000000u
#define TRY_MS 600u		/* one endpoint, when there are others */
#define READ_MS 2000u		/* a page of documents takes longer than a word */
#define CONNECT_MS 600u
#define PAUSE_MS 50u		/* between rounds over all endpoints */
#define ANSWER_MAX (8u << 20)	/* a document of 1 MiB has 1.4 in base64; pages are made smaller */

struct endpoint { char *name; char why[200]; };	/* why: it did not answer last time */

struct etcd {
	struct loop *loop;
	struct http *http;
	bool tls, trouble;
	uint64_t answered_ns;
	unsigned current, n;
	struct endpoint endpoints[ENDPOINTS_MAX];
};

struct call {
	enum etcd_shape shape;
	const char *path;
	char *json;			/* freed by the call */
	bool proves;			/* an answer needs a majority */
	bool once;			/* libcurl must not repeat it by itself */
	unsigned try_ms;
	uint64_t until_ns;
	bool perhaps, unsent;		/* out: it may have been carried out; no endpoint could even be connected to */
	struct error rejection;		/* out: why one would not talk to us at all */
	int rejected;
};

struct etcd_watch { struct etcd *e; unsigned at; struct http_stream *stream; };

/* --- endpoints --- */

static int add_endpoint(struct etcd *e, const char *text, size_t len, struct error *err)
{
	struct endpoint *ep = &e->endpoints[e->n];
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-._:[]%", text[i]))
			break;
	if (!len || i < len || len > 256)
		return error_set(err, -EINVAL, "\"%.*s\" is no endpoint of etcd: HOST:PORT is wanted", (int)len, text);
	if (e->n == ENDPOINTS_MAX)
		return error_set(err, -EINVAL, "more than %u endpoints of etcd", ENDPOINTS_MAX);
	for (i = len; i && text[i - 1] != ':' && text[i - 1] != ']'; i--)
		;
	if (asprintf(&ep->name, "%.*s%s", (int)len, text, i && text[i - 1] == ':' ? "" : ":2379") < 0)
		abort();
	e->n++;
	return 0;
}

static int add_endpoints(struct etcd *e, const char *list, struct error *err)
{
	size_t len;
	int ret;

	for (;;) {
		len = strcspn(list, ",");
		ret = add_endpoint(e, list, len, err);
		if (ret < 0 || !list[len])
			return ret;
		list += len + 1;
	}
}

int etcd_new(const struct etcd_conf *conf, struct error *err, struct etcd **ret_etcd)
{
	struct http_conf http = { conf->loop, conf->ca, conf->certificate, conf->key };
	struct etcd *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->loop = conf->loop;
	e->tls = conf->tls;
	e->answered_ns = loop_now_ns(conf->loop);
	ret = add_endpoints(e, conf->endpoints, err);
	if (ret == 0)
		ret = http_new(&http, err, &e->http);
	if (ret < 0)
		etcd_free(e);
	else
		*ret_etcd = e;
	return ret;
}

void etcd_free(struct etcd *e)
{
	unsigned i;

	if (!e)
		return;
	http_free(e->http);
	for (i = 0; i < e->n; i++)
		free(e->endpoints[i].name);
	free(e);
}

uint64_t etcd_silent_ms(const struct etcd *e)
{
	/* Never 0 while there is trouble: the clock stands still for one round of the loop. */
	return e->trouble ? (loop_now_ns(e->loop) - e->answered_ns) / MS + 1 : 0;
}

uint64_t etcd_answered_ns(const struct etcd *e)
{
	return e->answered_ns;
}

static void answered(struct etcd *e)
{
	e->answered_ns = loop_now_ns(e->loop);
	e->trouble = false;
}

/* --- what an answer other than 200 means. -EAGAIN: another endpoint may know better --- */

enum { GRPC_INVALID = 3, GRPC_DEADLINE = 4, GRPC_NOT_FOUND = 5, GRPC_DENIED = 7, GRPC_EXHAUSTED = 8, GRPC_RANGE = 11, GRPC_UNAVAILABLE = 14,
       GRPC_UNAUTHENTICATED = 16 };

static int meaning(int status, int code, const char *said)
{
	switch (code) {
	case GRPC_NOT_FOUND:
		return -ENOENT;
	case GRPC_RANGE:
		return strstr(said, "compacted") ? -ESTALE : -EAGAIN;
	case GRPC_EXHAUSTED:
		return strstr(said, "larger than max") ? -EMSGSIZE : strstr(said, "space") ? -ENOSPC : -EAGAIN;
	case GRPC_DENIED:
	case GRPC_UNAUTHENTICATED:
		return -EACCES;
	case GRPC_INVALID:
		return -EINVAL;
	case GRPC_DEADLINE:
	case GRPC_UNAVAILABLE:
		return -EAGAIN;
	}
	return status >= 500 || status == 408 || status == 429 ? -EAGAIN : -EPROTO;
}

static int refusal(const struct endpoint *ep, int status, const char *text, size_t len, struct error *err)
{
	char said[200];
	int code = etcd_decode_refusal(text, len, said, sizeof(said)), ret = meaning(status, code, said);

	if (ret == -EAGAIN)
		return error_set(err, ret, "%s", said[0] ? said : "it answers that it cannot");
	if (code < 0)
		return error_set(err, -EPROTO, "it answers with the HTTP status %d: this is no etcd", status);
	return error_set(err, ret, "etcd at %s refuses: %s", ep->name, said);
}

/* --- one endpoint --- */

static int coroutine_fn try_one(struct etcd *e, struct endpoint *ep, struct call *c, struct etcd_answer *ret, struct error *err)
{
	char url[400];
	struct http_request rq = { .url = url, .body = c->json, .len = strlen(c->json), .answer_max = ANSWER_MAX, .connect_ms = CONNECT_MS,
				   .fresh = c->once };
	uint64_t until = loop_now_ns(e->loop) + (uint64_t)c->try_ms * MS, old;
	struct http_response res;
	int r;

	snprintf(url, sizeof(url), "%s://%s%s", e->tls ? "https" : "http", ep->name, c->path);
	old = co_set_deadline(e->n == 1 || until > c->until_ns ? c->until_ns : until);
	r = http_post(e->http, &rq, err, &res);
	co_restore_deadline(old);
	c->unsent &= !res.sent;
	c->perhaps |= r < 0 && res.sent;
	if (r < 0)
		return r;
	if (res.status == 200) {
		r = etcd_decode(c->shape, res.body, res.len, ret, err);
		c->perhaps |= r < 0;
	} else {
		r = refusal(ep, res.status, res.body, res.len, err);
		c->perhaps |= (r == -EAGAIN || r == -EPROTO) && !strstr(err->text, "no leader");
	}
	http_response_free(&res);
	return r;
}

static bool is_final(int ret)
{
	switch (ret) {
	case 0:
	case -ENOENT:
	case -ESTALE:
	case -EMSGSIZE:
	case -ENOSPC:
	case -EACCES:
	case -EINVAL:
	case -ECANCELED:
	case -ENOMEM:
		return true;
	}
	return false;
}

/* --- all of them --- */

static int all_failed(struct etcd *e, const struct call *c, struct error *err)
{
	int ret = c->perhaps && c->once ? -ETIMEDOUT : -EHOSTUNREACH, room = (int)(sizeof(err->text) - 80) / (int)e->n - 2;
	uint64_t silent_ms = etcd_silent_ms(e);
	char text[sizeof(err->text)] = "";
	size_t len = 0;
	unsigned i;

	if (c->rejected)
		return error_set(err, c->rejected, "%s", c->rejection.text);
	for (i = 0; i < e->n && len < sizeof(text); i++)
		if (e->endpoints[i].why[0])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", len ? "; " : "", room, e->endpoints[i].why);
	return error_set(err, ret, "etcd has not answered for %llu.%llu s (%s)", (unsigned long long)silent_ms / 1000,
			 (unsigned long long)silent_ms % 1000 / 100, text);
}

static void remember(struct call *c, struct endpoint *ep, int ret, const struct error *why)
{
	const char *text = why->text[0] ? why->text : "no answer in time";

	snprintf(ep->why, sizeof(ep->why), "%.80s: %.110s", ep->name, text);
	if (ret != -EKEYREJECTED && ret != -EPROTO)
		return;
	c->rejected = ret;
	error_set(&c->rejection, ret, "etcd at %s: %s", ep->name, text);
}

static int coroutine_fn try_all(struct etcd *e, struct call *c, struct etcd_answer *ret, struct error *err)
{
	struct error why;
	unsigned tries, at;
	int r;

	c->unsent = true;
	for (tries = 1; ; tries++) {
		at = e->current;
		why.text[0] = 0;
		r = try_one(e, &e->endpoints[at], c, ret, &why);
		if (is_final(r)) {
			e->endpoints[at].why[0] = 0;
			if (c->proves && r != -ECANCELED && r != -ENOMEM && r != -EACCES)
				answered(e);
			return r < 0 ? error_set(err, r, "%s", why.text) : 0;
		}
		remember(c, &e->endpoints[at], r, &why);
		if (e->current == at)
			e->current = (at + 1) % e->n;
		if (co_interrupted() || loop_now_ns(e->loop) >= c->until_ns)
			break;
		if (tries % e->n)
			continue;
		if (c->unsent || c->rejected)
			break;
		co_sleep_ns(PAUSE_MS * MS);
	}
	if (co_interrupted() == -ECANCELED)
		return -ECANCELED;
	e->trouble = true;
	return all_failed(e, c, err);
}

static int coroutine_fn call(struct etcd *e, struct call *c, struct etcd_answer *ret, struct error *err)
{
	int r;

	*ret = (struct etcd_answer){ 0 };
	if (!c->json)
		return -ENOMEM;
	r = try_all(e, c, ret, err);
	free(c->json);
	c->json = NULL;
	return r;
}

/* --- the calls --- */

int coroutine_fn etcd_range(struct etcd *e, const struct etcd_range *r, uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	struct call c = { .shape = ETCD_RANGE, .path = "/v3/kv/range", .json = etcd_encode_range(r), .proves = true,
			  .try_ms = r->count_only ? TRY_MS : READ_MS, .until_ns = until_ns };

	return call(e, &c, ret, err);
}

static bool stands_as(const struct etcd_answer *a, const char *key, const char *value, size_t len)
{
	if (!value)
		return a->n == 0;
	return a->n == 1 && strcmp(a->kvs[0].key, key) == 0 && a->kvs[0].len == len && memcmp(a->kvs[0].value, value, len) == 0;
}

/* The revision of a put or delete that is done is that of the answer's header. */
static int coroutine_fn change(struct etcd *e, const char *key, const char *value, size_t len, uint64_t expected, int64_t lease,
			       uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	struct call c = { .shape = ETCD_TXN, .path = "/v3/kv/txn", .json = etcd_encode_txn(key, value, len, expected, lease), .proves = true,
			  .once = expected != ETCD_ANY, .try_ms = TRY_MS, .until_ns = until_ns };
	int r = call(e, &c, ret, err);

	if (r == 0 && !ret->succeeded && c.perhaps && stands_as(ret, key, value, len)) {
		ret->succeeded = true;
		if (value)
			ret->revision = ret->kvs[0].revision;
	}
	return r;
}

int coroutine_fn etcd_put(struct etcd *e, const char *key, const char *value, size_t len, uint64_t expected, int64_t lease, uint64_t until_ns,
			  struct error *err, struct etcd_answer *ret)
{
	return change(e, key, value, len, expected, lease, until_ns, err, ret);
}

int coroutine_fn etcd_delete(struct etcd *e, const char *key, uint64_t expected, uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	return change(e, key, NULL, 0, expected, 0, until_ns, err, ret);
}

int coroutine_fn etcd_grant(struct etcd *e, unsigned ttl_s, uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	struct call c = { .shape = ETCD_LEASE, .path = "/v3/lease/grant", .json = etcd_encode_grant(ttl_s), .proves = true,
			  .try_ms = TRY_MS, .until_ns = until_ns };

	return call(e, &c, ret, err);
}

/* The leader answers it alone, also one that has lost its majority and does not know yet. */
int coroutine_fn etcd_keepalive(struct etcd *e, int64_t lease, uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	struct call c = { .shape = ETCD_KEEPALIVE, .path = "/v3/lease/keepalive", .json = etcd_encode_lease(lease), .try_ms = TRY_MS,
			  .until_ns = until_ns };

	return call(e, &c, ret, err);
}

int coroutine_fn etcd_revoke(struct etcd *e, int64_t lease, uint64_t until_ns, struct error *err, struct etcd_answer *ret)
{
	struct call c = { .shape = ETCD_LEASE, .path = "/v3/lease/revoke", .json = etcd_encode_lease(lease), .proves = true,
			  .try_ms = TRY_MS, .until_ns = until_ns };

	return call(e, &c, ret, err);
}

/* --- the watch --- */

int etcd_watch_open(struct etcd *e, const char *prefix, uint64_t from_revision, struct error *err, struct etcd_watch **ret_watch)
{
	char url[400], *json = etcd_encode_watch(prefix, from_revision);
	struct http_request rq = { .url = url, .body = json, .len = json ? strlen(json) : 0, .answer_max = ANSWER_MAX,
				   .connect_ms = CONNECT_MS };
	struct etcd_watch *w = calloc(1, sizeof(*w));
	int ret = w && json ? 0 : -ENOMEM;

	if (ret == 0) {
		w->e = e;
		w->at = e->current;
		snprintf(url, sizeof(url), "%s://%s/v3/watch", e->tls ? "https" : "http", e->endpoints[w->at].name);
		ret = http_stream_open(e->http, &rq, err, &w->stream);
	}
	free(json);
	if (ret < 0) {
		free(w);
		return ret;
	}
	*ret_watch = w;
	return 0;
}

int coroutine_fn etcd_watch_next(struct etcd_watch *w, unsigned wait_ms, struct error *err, struct etcd_answer *ret)
{
	const struct endpoint *ep = &w->e->endpoints[w->at];
	uint64_t old = co_set_deadline(loop_now_ns(w->e->loop) + (uint64_t)wait_ms * MS);
	struct error why = { "" };
	const char *line;
	size_t len;
	int r, interrupted;

	*ret = (struct etcd_answer){ 0 };
	r = http_stream_line(w->stream, &why, &line, &len);
	co_restore_deadline(old);
	interrupted = co_interrupted();
	if (interrupted)
		return interrupted;
	if (r == -ETIMEDOUT && !why.text[0])
		return -EAGAIN;
	if (r == 0)
		r = http_stream_status(w->stream) == 200 ? etcd_decode(ETCD_WATCH, line, len, ret, &why)
							 : refusal(ep, http_stream_status(w->stream), line, len, &why);
	if (r == 0)
		return 0;
	etcd_watch_distrust(w);
	return error_set(err, r == -EAGAIN ? -EHOSTUNREACH : r, "the watch of etcd at %s: %s", ep->name, why.text);
}

bool etcd_watch_astray(const struct etcd_watch *w)
{
	return !w->e->trouble && w->at != w->e->current;
}

void etcd_watch_distrust(struct etcd_watch *w)
{
	struct etcd *e = w->e;

	if (e->current == w->at)
		e->current = (w->at + 1) % e->n;
}

void etcd_watch_close(struct etcd_watch *w)
{
	if (!w)
		return;
	http_stream_close(w->stream);
	free(w);
}
