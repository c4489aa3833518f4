/* rpc/tls.c: one connection's TLS between a link and its stream.
 *
 * OpenSSL never touches the stream: it reads from and writes to two blocks of ours. In: one read of the stream brings many
 * records, and OpenSSL takes them from the block. Out: a round's messages are cut into full records, encrypted behind each
 * other into one block, and leave in one write; until that block has left nothing more is encrypted, so a peer that does not
 * read makes us hold one block more than without TLS, and back-pressure is the link's as ever.
 *
 * Before the handshake is done a peer can make us hold: OpenSSL's own state, one block of input, a chain of certificates of
 * limited length. What it can make us write without reading (answers to key updates) ends the connection past OUT_MAX. */
#include "rpc/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "rpc/tls_private.h"
#include "runtime/iobuf.h"
#include "runtime/stream.h"

#define IN_SIZE (64u << 10)
#define RECORD SSL3_RT_MAX_PLAIN_LENGTH
#define CHUNK (15u * RECORD)		/* encrypted at once: with what TLS adds it fits into OUT_MAX, and into a core's cache */
#define RECORD_EXTRA 64u		/* what TLS adds to a record, and some more */
#define OUT_ROOM 512u			/* ... and what it says between records */
#define OUT_MAX (256u << 10)
#define STORY 240			/* log_quote() shows no more */
#define CONTENT_ALERT 0x15
#define CONTENT_HANDSHAKE 0x16

struct tls {
	struct tls_context *ctx;
	SSL *ssl;
	struct stream *stream;
	struct iobuf *in, *out;
	uint32_t in_from, in_upto, out_from, out_upto;
	size_t owed;			/* bytes of the caller's that lie encrypted in @out */
	bool begun, eof, dry, more, ready, serves;
	char *host;			/* whom a client expects; NULL: it does not check */
	int failed;			/* -errno, for ever */
	int io_error;			/* of the stream */
	char name[TLS_NAME_MAX];
	char story[STORY];
};

/* The first story is the cause; what follows from it would only bury it. */
static void __attribute__((format(printf, 2, 3))) tell(struct tls *t, const char *fmt, ...)
{
	va_list ap;

	if (t->story[0])
		return;
	va_start(ap, fmt);
	vsnprintf(t->story, sizeof(t->story), fmt, ap);
	va_end(ap);
}

/* --- in: from the stream to OpenSSL --- */

/* What a peer says first tells whether it speaks TLS at all. It gets no alert: a stock peer without TLS would take it for the
 * mark of a record of 350 MB. */
static bool is_tls(struct tls *t)
{
	uint8_t first = t->in->data[0];

	t->begun = true;
	if (first == CONTENT_HANDSHAKE || (t->ctx->side == TLS_CLIENT && first == CONTENT_ALERT))
		return true;
	tell(t, "the peer speaks no TLS");
	t->io_error = -EPROTO;
	return false;
}

/* 1 when there are bytes, 0 when not now, -1 for never. */
static int fill(struct tls *t)
{
	struct iovec iov;
	ssize_t n;

	if (t->eof || t->io_error)
		return -1;
	if (t->dry)
		return 0;
	if (!t->in)
		t->in = iobuf_new(IN_SIZE);
	if (!t->in) {
		t->io_error = -ENOMEM;
		return -1;
	}
	iov = (struct iovec){ t->in->data, t->in->size };
	n = stream_readv(t->stream, &iov, 1);
	t->dry = n < (ssize_t)iov.iov_len;	/* a short read has taken all that was there */
	t->eof = n == 0;
	if (n < 0 && n != -EAGAIN)
		t->io_error = (int)n;
	t->in_from = 0;
	t->in_upto = n > 0 ? (uint32_t)n : 0;
	if (n > 0)
		return t->begun || is_tls(t) ? 1 : -1;
	return n == -EAGAIN ? 0 : -1;
}

static void let_go_of_input(struct tls *t)
{
	if (t->in_from < t->in_upto)
		return;
	iobuf_unref(t->in);
	t->in = NULL;
	t->in_from = t->in_upto = 0;
}

static int io_read(BIO *bio, char *to, int len)
{
	struct tls *t = BIO_get_data(bio);
	uint32_t n = (uint32_t)len;
	int ret = 1;

	BIO_clear_retry_flags(bio);
	if (t->in_from == t->in_upto)
		ret = fill(t);
	if (ret == 0)
		BIO_set_retry_read(bio);
	if (ret <= 0)
		return -1;
	if (n > t->in_upto - t->in_from)
		n = t->in_upto - t->in_from;
	memcpy(to, t->in->data + t->in_from, n);
	t->in_from += n;
	return (int)n;
}

/* --- out: from OpenSSL to the stream --- */

/* Room for @len more bytes in the block: a larger one when need be, up to OUT_MAX. */
static bool make_room(struct tls *t, uint32_t len)
{
	uint32_t held = t->out_upto - t->out_from, size = held + len;
	struct iobuf *fresh;

	if (t->out && t->out->size - t->out_upto >= len)
		return true;
	if (size > OUT_MAX)
		return false;
	fresh = iobuf_new(size);
	if (!fresh)
		return false;
	if (held)
		memcpy(fresh->data, t->out->data + t->out_from, held);
	iobuf_unref(t->out);
	t->out = fresh;
	t->out_from = 0;
	t->out_upto = held;
	return true;
}

static int io_write(BIO *bio, const char *from, int len)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!make_room(t, (uint32_t)len)) {
		tell(t, "the peer makes us answer and reads no answer");
		t->io_error = -ENOBUFS;
		return -1;
	}
	memcpy(t->out->data + t->out_upto, from, (size_t)len);
	t->out_upto += (uint32_t)len;
	return len;
}

static long io_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct tls *t = BIO_get_data(bio);

	if (cmd == BIO_CTRL_EOF)
		return t->eof;
	return cmd == BIO_CTRL_FLUSH;		/* tls_push() is the flush */
}

BIO_METHOD *tls_io_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (m) {
		BIO_meth_set_read(m, io_read);
		BIO_meth_set_write(m, io_write);
		BIO_meth_set_ctrl(m, io_ctrl);
	}
	return m;
}

static int send_out(struct tls *t)
{
	struct iovec iov;
	ssize_t n;

	while (t->out_from < t->out_upto) {
		iov = (struct iovec){ t->out->data + t->out_from, t->out_upto - t->out_from };
		n = stream_writev(t->stream, &iov, 1);
		if (n < 0)
			return (int)n;
		t->out_from += (uint32_t)n;
	}
	iobuf_unref(t->out);
	t->out = NULL;
	t->out_from = t->out_upto = 0;
	return 0;
}

bool tls_unsent(const struct tls *t)
{
	return t->out_from < t->out_upto;
}

/* --- what went wrong --- */

int tls_on_verify(int ok, X509_STORE_CTX *store)
{
	struct tls *t = SSL_get_app_data(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	const X509 *cert = X509_STORE_CTX_get0_cert(store), *bad = X509_STORE_CTX_get_current_cert(store);
	int why = X509_STORE_CTX_get_error(store);
	char subject[TLS_SUBJECT_MAX], issuer[TLS_SUBJECT_MAX], date[32] = "";

	if (ok)
		return ok;
	tls_subject(X509_get_subject_name(cert), subject);
	tls_subject(X509_get_issuer_name(cert), issuer);
	if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		tell(t, "the peer's certificate %.90s is not for %.64s: \"gatehouse tls init\" makes one with its names; a stock "
		     "peer's is taken with client.ssl-check-name off", subject, t->host ? t->host : "it");
		return ok;
	}
	if (bad && why == X509_V_ERR_CERT_HAS_EXPIRED)
		tls_date(X509_get0_notAfter(bad), date);
	tell(t, "the peer's certificate %.90s (issuer %.60s): %s%s%s%s", subject, issuer, bad && bad != cert ? "in its chain: " : "",
	     X509_verify_cert_error_string(why), *date ? " on " : "", date);
	return ok;
}

/* What the peer's alert means for whoever reads our log. */
static const char *alert_text(int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
		return "our certificate is bad, it says";
	case SSL_AD_CERTIFICATE_REVOKED:
		return "our certificate is revoked, it says";
	case SSL_AD_CERTIFICATE_EXPIRED:
		return "our certificate has expired, it says";
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
		return "it does not know the CA that signed our certificate";
	case SSL_AD_DECRYPT_ERROR:
		return "a signature is wrong, it says";
	case SSL_AD_PROTOCOL_VERSION:
		return "it does not speak this version of TLS";
	case SSL_AD_HANDSHAKE_FAILURE:
		return "it found no cipher in common, or wants another certificate";
	case 116:	/* certificate_required: too new for a name in OpenSSL 3.0's public headers */
		return "it wants a certificate and got none";
	default:
		return NULL;
	}
}

static void explain(struct tls *t)
{
	unsigned long code = ERR_peek_last_error();
	int alert = code ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : -1;
	bool ended = t->eof || t->io_error == -ECONNRESET;

	if (code && ERR_GET_LIB(code) == ERR_LIB_SSL && alert >= 0 && alert < 256)
		tell(t, "the peer refuses us: %s (we are \"%.60s\")", alert_text(alert) ? alert_text(alert) : ERR_reason_error_string(code),
		     t->ctx->name);
	else if (!t->ready && ended && t->ctx->side == TLS_CLIENT)
		tell(t, "the peer closed the connection during the TLS handshake%s",
		     t->begun ? "" : " without a word: perhaps it speaks no TLS");
	else if (!t->ready && ended && t->begun)
		tell(t, "the peer closed the connection during the TLS handshake");
	else if (!ended && !t->io_error)
		tell(t, "TLS: %s", code ? ERR_reason_error_string(code) : "the connection broke");
	ERR_clear_error();
}

/* What a failed call of OpenSSL's means: -EAGAIN, 0 for a proper end, or -errno for ever. */
static int verdict(struct tls *t, int ret)
{
	int why = SSL_get_error(t->ssl, ret);

	if (why == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (why == SSL_ERROR_ZERO_RETURN) {
		t->eof = true;
		return 0;
	}
	explain(t);
	t->failed = t->io_error ? t->io_error : t->eof ? -ECONNRESET : -EPROTO;
	return t->failed;
}

/* The peer is gone for writing; perhaps it said why before it went. */
static void hear_last_words(struct tls *t)
{
	char byte;
	size_t n;

	t->dry = false;
	ERR_clear_error();
	if (!SSL_peek_ex(t->ssl, &byte, 1, &n))
		verdict(t, 0);
}

int tls_push(struct tls *t)
{
	int ret = send_out(t);

	if (ret == 0 || ret == -EAGAIN || t->failed)
		return ret;
	hear_last_words(t);
	if (!t->failed)
		t->failed = ret;
	return t->failed;
}

const char *tls_story(const struct tls *t)
{
	return t->story;
}

void tls_give_up(struct tls *t, unsigned seconds)
{
	if (t->begun)
		tell(t, "the peer did not finish the TLS handshake within %u s", seconds);
	else
		tell(t, "the peer said nothing within %u s, where the TLS handshake is due%s", seconds,
		     t->ctx->side == TLS_CLIENT ? ": perhaps it speaks no TLS" : "");
	t->failed = -ETIMEDOUT;
}

/* --- its life --- */

struct tls *tls_new(struct tls_context *ctx, struct stream *stream)
{
	struct tls *t = calloc(1, sizeof(*t));
	BIO *bio = BIO_new(ctx->io);

	if (t)
		t->ssl = SSL_new(ctx->ssl);
	if (!t || !bio || !t->ssl) {
		ERR_clear_error();
		BIO_free(bio);
		if (t)
			SSL_free(t->ssl);
		free(t);
		return NULL;
	}
	t->ctx = tls_context_ref(ctx);
	t->stream = stream;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (ctx->side == TLS_SERVER)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return t;
}

int tls_expect(struct tls *t, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	uint8_t address[16];

	if (!t->ctx->check_name || !host || !*host)
		return 0;
	t->host = strdup(host);
	if (!t->host)
		return -ENOMEM;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) ? 0 : -ENOMEM;
	return X509_VERIFY_PARAM_set1_host(param, host, 0) ? 0 : -ENOMEM;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->ready && !t->failed && !t->io_error) {
		SSL_shutdown(t->ssl);
		send_out(t);
	}
	ERR_clear_error();
	SSL_free(t->ssl);
	iobuf_unref(t->in);
	iobuf_unref(t->out);
	tls_context_unref(t->ctx);
	free(t->host);
	free(t);
}

int tls_handshake(struct tls *t)
{
	const X509 *cert;
	int ret;

	if (t->failed)
		return t->failed;
	ERR_clear_error();
	ret = SSL_do_handshake(t->ssl);
	ret = ret == 1 ? 0 : verdict(t, ret);
	let_go_of_input(t);
	if (ret == 0 && t->eof)
		ret = t->failed = -ECONNRESET;
	if (ret < 0 && ret != -EAGAIN) {
		send_out(t);		/* the alert that tells the peer why */
		return ret;
	}
	if (!ret) {
		t->ready = true;
		cert = SSL_get0_peer_certificate(t->ssl);
		if (cert)
			tls_common_name(cert, t->name);
		t->serves = cert && tls_certificate_serves(cert, false);
		if (cert && t->ctx->side == TLS_CLIENT && !tls_certificate_serves(cert, true)) {
			tell(t, "the peer's certificate \"%.90s\" is a client's, not a server's", t->name);
			return t->failed = -EPROTO;
		}
	}
	if (tls_push(t) < 0 && t->failed)
		return t->failed;
	return ret;
}

const char *tls_peer_name(const struct tls *t)
{
	return t->name;
}

bool tls_peer_serves(const struct tls *t)
{
	return t->serves;
}

/* --- bytes --- */

void tls_readable(struct tls *t)
{
	t->dry = false;
}

bool tls_more(const struct tls *t)
{
	return t->more;
}

bool tls_partial(const struct tls *t)
{
	return SSL_has_pending(t->ssl);
}

ssize_t tls_read(struct tls *t, void *buf, size_t len)
{
	size_t got = 0, n;
	int ret = 0;

	t->more = false;
	if (t->failed)
		return t->failed;
	while (got < len) {
		ERR_clear_error();
		if (!SSL_read_ex(t->ssl, (uint8_t *)buf + got, len - got, &n)) {
			ret = verdict(t, 0);
			break;
		}
		got += n;
	}
	/* What came before an end or a failure is served first. */
	t->more = got && ret != -EAGAIN;
	let_go_of_input(t);
	return got ? (ssize_t)got : ret;
}

/* --- encryption --- */

struct gathering { const struct iovec *iov; int n; uint64_t ends; size_t at, taken; struct iobuf *stage; uint32_t staged; };

/* One record, or several when there is more than fits into one. */
static int seal(struct tls *t, const void *data, size_t len)
{
	size_t n;

	ERR_clear_error();
	if (SSL_write_ex(t->ssl, data, len, &n))
		return 0;
	n = (size_t)-verdict(t, 0);
	if (!t->failed)			/* it would have to read first: never with what 1.3 and our options allow */
		t->failed = -EPROTO;
	return -(int)n;
}

/* Puts @len bytes of the next piece, or as many as go in, into the block in which small ones become a record. */
static int stage(struct tls *t, struct gathering *g, size_t len, bool end)
{
	size_t n = RECORD - g->staged;
	int ret;

	if (!g->stage)
		g->stage = iobuf_new(RECORD);
	if (!g->stage)
		return t->failed = -ENOMEM;
	if (n > len)
		n = len;
	memcpy(g->stage->data + g->staged, (uint8_t *)g->iov->iov_base + g->at, n);
	g->staged += (uint32_t)n;
	g->at += n;
	g->taken += n;
	if (g->staged < RECORD && !(end && n == len))
		return 0;
	ret = seal(t, g->stage->data, g->staged);
	g->staged = 0;
	return ret;
}

/* One step: a full record, or the last one, straight from where it lies; else towards one. */
static int gather(struct tls *t, struct gathering *g)
{
	size_t len = g->iov->iov_len - g->at;
	bool end = g->n == 1 || g->ends & 1 || g->taken + len >= CHUNK;
	int ret;

	if (len > CHUNK - g->taken)
		len = CHUNK - g->taken;
	if (g->staged || (len < RECORD && !end)) {
		ret = stage(t, g, len, end);
	} else {
		if (len > RECORD)
			len = RECORD;
		ret = len ? seal(t, (uint8_t *)g->iov->iov_base + g->at, len) : 0;
		g->at += len;
		g->taken += len;
	}
	if (g->at == g->iov->iov_len) {
		g->iov++;
		g->n--;
		g->ends >>= 1;
		g->at = 0;
	}
	return ret;
}

static uint32_t room_for(const struct iovec *iov, int n)
{
	size_t total = 0;
	int i;

	for (i = 0; i < n && total < CHUNK; i++)
		total += iov[i].iov_len;
	if (total > CHUNK)
		total = CHUNK;
	return (uint32_t)(total + (total / RECORD + (unsigned)n) * RECORD_EXTRA + OUT_ROOM);
}

static int encrypt(struct tls *t, const struct iovec *iov, int n, uint64_t ends)
{
	struct gathering g = { .iov = iov, .n = n, .ends = ends };
	int ret = 0;

	make_room(t, room_for(iov, n));
	while (!ret && g.n && g.taken < CHUNK)
		ret = gather(t, &g);
	iobuf_unref(g.stage);
	t->owed = g.taken;
	return ret;
}

ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n, uint64_t ends)
{
	ssize_t owed;
	int ret = t->failed ? t->failed : tls_push(t);

	if (!ret && !t->owed && n) {
		ret = encrypt(t, iov, n, ends);
		if (!ret)
			ret = tls_push(t);
	}
	if (ret < 0)
		return ret;
	owed = (ssize_t)t->owed;
	t->owed = 0;
	return owed;
}
