/* rpc/tls_private.h: what the files on TLS share: the context, and PEM files with sentences about them. */
#ifndef RPC_TLS_PRIVATE_H
#define RPC_TLS_PRIVATE_H

#include <time.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "rpc/tls.h"

#define TLS_NAME_MAX 256	/* bytes of a CN, with its NUL; longer ones are no name that anybody allows */
#define TLS_SUBJECT_MAX 200

struct tls_context {
	unsigned refs;
	enum tls_side side;
	SSL_CTX *ssl;
	BIO_METHOD *io;			/* tls.c's way to a stream */
	char name[TLS_NAME_MAX];
	bool check_name;
	uint8_t secret[32];		/* tls_context_word()'s */
};

/* tls.c: set into a context by tls_context_new(). */
BIO_METHOD *tls_io_method(void);
int tls_on_verify(int ok, X509_STORE_CTX *store);

/* tls_pem.c: all of a file's certificates in their order, at least one; @what: "certificate", "CA list". 0 or -errno. */
int tls_pem_certificates(const char *path, const char *what, STACK_OF(X509) **ret, struct error *err);
int tls_pem_key(const char *path, EVP_PKEY **ret, struct error *err);
/* "CN=a,O=b", cut to TLS_SUBJECT_MAX, nothing in it that would break a line. Returns @buf. */
const char *tls_subject(const X509_NAME *name, char *buf);
void tls_common_name(const X509 *cert, char ret_name[TLS_NAME_MAX]);	/* "" when there is none that can be trusted */
/* Is it a server's, by its extended key usage? @unsaid: the answer where it has none. */
bool tls_certificate_serves(const X509 *cert, bool unsaid);
/* "2026-11-23 10:11 UTC" of a certificate's time. Returns @buf, of 32 bytes. */
const char *tls_date(const ASN1_TIME *time, char *buf);
int64_t tls_seconds(const ASN1_TIME *time);	/* since 1970 */
const char *tls_error(void);			/* OpenSSL's reason for the last failure; empties its queue */

#endif
