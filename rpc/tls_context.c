/* rpc/tls_context.c: the files of one side, checked at start as far as they can be, so that what a peer would refuse is a
 * sentence here first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "rpc/tls_private.h"
#include "runtime/log.h"

/* 128 bits first: nobody breaks them, and they cost a quarter less than 256. */
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define PEER_CHAIN_MAX (32l << 10)	/* bytes of certificates that a peer may send; before it is known who it is */
#define SOON_S (30 * 86400)

const char *const tls_versions[] = { [TLS_VERSION_1_3] = "1.3", [TLS_VERSION_1_2] = "1.2", NULL };

static const char *or_default(const char *path, const char *dflt)
{
	return path && *path ? path : dflt;
}

static int check_dates(const X509 *cert, const char *path, struct error *err)
{
	const ASN1_TIME *begin = X509_get0_notBefore(cert), *end = X509_get0_notAfter(cert);
	int64_t now = (int64_t)time(NULL);
	char subject[TLS_SUBJECT_MAX], date[32];

	tls_subject(X509_get_subject_name(cert), subject);
	if (tls_seconds(end) <= now)
		return error_set(err, -EKEYEXPIRED, "certificate %s (%s) expired on %s", path, subject, tls_date(end, date));
	if (tls_seconds(begin) > now)
		return error_set(err, -EKEYREJECTED, "certificate %s (%s) is not valid before %s: is this host's clock right?", path, subject,
				 tls_date(begin, date));
	if (tls_seconds(end) < now + SOON_S)
		log_warning("a certificate will expire soon: after that no peer talks to us", "file=%s subject=%s expires=\"%s\"", path,
			    log_quote(subject), tls_date(end, date));
	return 0;
}

/* Takes the chain's certificates over from @list. */
static int use_certificates(struct tls_context *ctx, STACK_OF(X509) *list, const char *path, struct error *err)
{
	X509 *cert = sk_X509_value(list, 0), *issuer;
	int ret = check_dates(cert, path, err);

	if (ret < 0)
		return ret;
	tls_common_name(cert, ctx->name);
	if (SSL_CTX_use_certificate(ctx->ssl, cert) != 1)
		return error_set(err, -EINVAL, "certificate %s cannot be used: %s", path, tls_error());
	while (sk_X509_num(list) > 1) {
		issuer = sk_X509_delete(list, 1);
		if (SSL_CTX_add0_chain_cert(ctx->ssl, issuer) != 1) {
			X509_free(issuer);
			return error_set(err, -EINVAL, "certificate %s: its chain cannot be used: %s", path, tls_error());
		}
	}
	return 0;
}

static int load_certificate(struct tls_context *ctx, const char *path, struct error *err)
{
	STACK_OF(X509) *list;
	int ret = tls_pem_certificates(path, "certificate", &list, err);

	if (ret < 0)
		return ret;
	ret = use_certificates(ctx, list, path, err);
	sk_X509_pop_free(list, X509_free);
	return ret;
}

static int load_key(struct tls_context *ctx, const char *path, const char *certificate, struct error *err)
{
	EVP_PKEY *key;
	int ret = tls_pem_key(path, &key, err);

	if (ret < 0)
		return ret;
	if (X509_check_private_key(SSL_CTX_get0_certificate(ctx->ssl), key) != 1)
		ret = error_set(err, -EINVAL, "private key %s does not belong to certificate %s", path, certificate);
	else if (SSL_CTX_use_PrivateKey(ctx->ssl, key) != 1)
		ret = error_set(err, -EINVAL, "private key %s cannot be used: %s", path, tls_error());
	EVP_PKEY_free(key);
	return ret;
}

static int load_ca(struct tls_context *ctx, const char *path, struct error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl);
	STACK_OF(X509) *list;
	int ret = tls_pem_certificates(path, "CA list", &list, err), i;

	if (ret < 0)
		return ret;
	for (i = 0; !ret && i < sk_X509_num(list); i++) {
		if (X509_STORE_add_cert(store, sk_X509_value(list, i)) != 1)
			ret = error_set(err, -EINVAL, "CA list %s: certificate number %d cannot be used: %s", path, i + 1, tls_error());
		/* a server tells its clients whose certificates it takes */
		if (!ret && ctx->side == TLS_SERVER)
			SSL_CTX_add_client_CA(ctx->ssl, sk_X509_value(list, i));
	}
	sk_X509_pop_free(list, X509_free);
	return ret;
}

/* Suites of 1.3 and ciphers of 1.2 have different doors in OpenSSL; the option is one list of both. */
static int set_ciphers(struct tls_context *ctx, const char *list, struct error *err)
{
	char *copy = strdup(list), *suites = calloc(1, strlen(list) + 1), *others = calloc(1, strlen(list) + 1), *next = copy, *word, *to;
	int ret = copy && suites && others ? 0 : error_set(err, -ENOMEM, "out of memory");

	while (!ret && (word = strsep(&next, ":, "))) {
		to = strncmp(word, "TLS_", 4) ? others : suites;
		if (!*word)
			continue;
		if (*to)
			*(to + strlen(to)) = ':';
		memcpy(to + strlen(to), word, strlen(word));
	}
	if (!ret && *suites && SSL_CTX_set_ciphersuites(ctx->ssl, suites) != 1)
		ret = error_set(err, -EINVAL, "ssl-cipher-list: \"%s\" has a suite of TLS 1.3 that OpenSSL does not know", suites);
	if (!ret && *others && SSL_CTX_set_cipher_list(ctx->ssl, others) != 1)
		ret = error_set(err, -EINVAL, "ssl-cipher-list: OpenSSL has no cipher for \"%s\"", others);
	ERR_clear_error();
	free(copy);
	free(suites);
	free(others);
	return ret;
}

static int set_up(struct tls_context *ctx, const struct tls_conf *conf, struct error *err)
{
	SSL_CTX *ssl = ctx->ssl;

	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);	/* an idle connection holds next to nothing */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);			/* connections live long: nobody would come back with one */
	SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_MAX);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, tls_on_verify);
	SSL_CTX_set_verify_depth(ssl, (int)conf->depth);
	SSL_CTX_set_purpose(ssl, X509_PURPOSE_ANY);		/* one certificate serves and asks; stock ones say nothing of it */
	if (!SSL_CTX_set_min_proto_version(ssl, conf->min_version == TLS_VERSION_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) || !SSL_CTX_set_ciphersuites(ssl, SUITES))
		return error_set(err, -EINVAL, "OpenSSL cannot be set up: %s", tls_error());
	return conf->ciphers && *conf->ciphers ? set_ciphers(ctx, conf->ciphers, err) : 0;
}

static int load(struct tls_context *ctx, const struct tls_conf *conf, struct error *err)
{
	const char *certificate = or_default(conf->certificate, TLS_CERTIFICATE);
	int ret;

	ctx->check_name = conf->check_name;
	if (conf->revoked && *conf->revoked && strcasecmp(conf->revoked, "NULL"))
		return error_set(err, -EOPNOTSUPP, "ssl-crl-path %s: revocation lists are not read here; take the option out, and keep "
				 "revoked names off ssl-allow", conf->revoked);
	ret = set_up(ctx, conf, err);
	if (!ret)
		ret = load_certificate(ctx, certificate, err);
	if (!ret)
		ret = load_key(ctx, or_default(conf->key, TLS_KEY), certificate, err);
	return ret ? ret : load_ca(ctx, or_default(conf->ca, TLS_CA), err);
}

struct tls_context *tls_context_new(const struct tls_conf *conf, enum tls_side side, struct error *err)
{
	struct tls_context *ctx = calloc(1, sizeof(*ctx));

	if (!ctx) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	ctx->refs = 1;
	ctx->side = side;
	ctx->ssl = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
	ctx->io = tls_io_method();
	if (!ctx->ssl || !ctx->io)
		error_set(err, -ENOMEM, "OpenSSL cannot be set up: %s", tls_error());
	else if (load(ctx, conf, err) == 0)
		return ctx;
	tls_context_unref(ctx);
	return NULL;
}

/* --- by a word --- */

#define WORD_IDENTITY "gatehouse word"
#define WORD_SUITE "TLS_AES_128_GCM_SHA256"

static const uint8_t word_suite[2] = { 0x13, 0x01 };

static SSL_SESSION *word_session(SSL *ssl)
{
	const struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, word_suite);
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && suite && SSL_SESSION_set1_master_key(session, ctx->secret, sizeof(ctx->secret)) &&
	    SSL_SESSION_set_cipher(session, suite) && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static int word_offer(SSL *ssl, const EVP_MD *md, const uint8_t **ret_id, size_t *ret_len, SSL_SESSION **ret_session)
{
	*ret_session = word_session(ssl);
	*ret_id = (const uint8_t *)WORD_IDENTITY;
	*ret_len = strlen(WORD_IDENTITY);
	return *ret_session != NULL;
}

static int word_find(SSL *ssl, const uint8_t *id, size_t len, SSL_SESSION **ret_session)
{
	bool ours = len == strlen(WORD_IDENTITY) && memcmp(id, WORD_IDENTITY, len) == 0;

	*ret_session = ours ? word_session(ssl) : NULL;
	return *ret_session || !ours;
}

static bool word_secret(const char *word, uint8_t secret[32])
{
	char text[256] = "gatehouse:";
	size_t len = strlen(text);
	unsigned size = 0;
	bool done;

	for (; *word && len < sizeof(text) - 1; word++)
		if (*word != '-' && *word != ' ')
			text[len++] = *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;
	done = EVP_Digest(text, len, secret, &size, EVP_sha256(), NULL) == 1;
	OPENSSL_cleanse(text, sizeof(text));
	return done;
}

/* A server without a certificate takes nobody who does not know the word. A client with no CA takes no certificate in its place. */
struct tls_context *tls_context_word(const char *word, enum tls_side side, struct error *err)
{
	static const struct tls_conf none;
	struct tls_context *ctx = calloc(1, sizeof(*ctx));

	if (!ctx) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	ctx->refs = 1;
	ctx->side = side;
	snprintf(ctx->name, sizeof(ctx->name), "who knows the word");
	ctx->ssl = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
	ctx->io = tls_io_method();
	if (!ctx->ssl || !ctx->io || set_up(ctx, &none, err) < 0 || !SSL_CTX_set_ciphersuites(ctx->ssl, WORD_SUITE) ||
	    !SSL_CTX_set_app_data(ctx->ssl, ctx) || !word_secret(word, ctx->secret)) {
		error_set(err, -EIO, "OpenSSL cannot be set up: %s", tls_error());
		tls_context_unref(ctx);
		return NULL;
	}
	if (side == TLS_SERVER) {
		SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_psk_find_session_callback(ctx->ssl, word_find);
	} else {
		SSL_CTX_set_psk_use_session_callback(ctx->ssl, word_offer);
	}
	return ctx;
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
	if (ctx)
		ctx->refs++;
	return ctx;
}

void tls_context_unref(struct tls_context *ctx)
{
	if (!ctx || --ctx->refs)
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->io);
	OPENSSL_cleanse(ctx->secret, sizeof(ctx->secret));
	free(ctx);
}

const char *tls_context_name(const struct tls_context *ctx)
{
	return ctx->name;
}
