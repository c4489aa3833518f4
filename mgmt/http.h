/* mgmt/http.h: POST over HTTP or HTTPS: the only door to libcurl.
 *
 * Runs on the loop; what waits is the coroutine. Only http and https, only to the URL given: no proxy of the environment is used and no
 * redirect followed. What a server answers is bounded before it is stored. Connections are kept and used again. SIGPIPE must be ignored
 * (runtime/daemon.h does); some descriptors of libcurl's own are not closed on exec, so whoever forks closes what it does not know. */
#ifndef MGMT_HTTP_H
#define MGMT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct loop;
struct http;
struct http_stream;

struct http_conf {
	struct loop *loop;			/* not a simulated one */
	const char *ca;				/* PEM files. NULL: the authorities of the system */
	const char *certificate, *key;		/* NULL: we show none */
};

int http_new(const struct http_conf *conf, struct error *err, struct http **ret_http);
void http_free(struct http *h);		/* no request may be on its way; accepts NULL */

struct http_request {
	const char *url;
	const char *body;		/* JSON; must stay until http_post() returns (a stream copies it) */
	size_t len;
	size_t answer_max;		/* bytes of the body, of a stream: of what has not been taken yet */
	unsigned connect_ms;		/* name, connection and TLS must stand by then */
	/* A connection of its own. On one that was kept, libcurl sends again by itself when the server had closed it; what must not be done
	 * twice must not go there. */
	bool fresh;
};

struct http_response {
	int status;			/* 200, 404, ...; 0 without an answer */
	bool sent;			/* the server may have the request (also told after a failure) */
	char *body;			/* with a NUL behind it; NULL after a failure */
	size_t len;
};

/* Parks until the whole answer is there: 0, whatever its status. Else -errno with a sentence about the server, which does not name it:
 * -ECONNREFUSED, -EHOSTUNREACH (also a name that is not known), -ECONNRESET (in the middle), -ETIMEDOUT (the coroutine's deadline, or no
 * connection in time), -ECANCELED, -EKEYREJECTED (TLS: either side does not trust the other), -EMSGSIZE, -EPROTO (this is no HTTP), -ENOMEM.
 * The transfer is over then. */
int coroutine_fn http_post(struct http *h, const struct http_request *rq, struct error *err, struct http_response *ret);
void http_response_free(struct http_response *r);

/* An answer that comes line by line and may go on for days. A peer that is not reachable any more is found out within half a minute. */
int http_stream_open(struct http *h, const struct http_request *rq, struct error *err, struct http_stream **ret_stream);
/* The next line without its end, with a NUL behind it; valid until the next park. 0; -ENODATA: the server has ended it; -ETIMEDOUT and
 * -ECANCELED harm nothing: it can be called again; else as above. */
int coroutine_fn http_stream_line(struct http_stream *s, struct error *err, const char **ret_line, size_t *ret_len);
int http_stream_status(const struct http_stream *s);		/* 0 before the first line */
void http_stream_close(struct http_stream *s);			/* accepts NULL */

#endif
