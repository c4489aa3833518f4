/* rpc/tls_pem.c: certificates and keys out of files, with a sentence for each way that can go wrong.
 *
 * Files are read whole and given to OpenSSL from memory: so errors have their errno, and nothing asks for a passphrase. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <openssl/x509v3.h>

#include "rpc/tls_private.h"
#include "runtime/file.h"

#define FILE_BYTES_MAX (4u << 20)

const char *tls_error(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason ? reason : "an error that OpenSSL has no name for";
}

static int open_pem(const char *path, const char *what, char **ret_text, size_t *ret_len, BIO **ret_bio, struct error *err)
{
	int ret = file_read(path, FILE_BYTES_MAX, ret_text, ret_len);

	if (ret < 0)
		return error_set(err, ret, "%s %s: %s", what, path, ret == -EINVAL ? "is no plain file" : strerror(-ret));
	*ret_bio = BIO_new_mem_buf(*ret_text, (int)*ret_len);
	if (*ret_bio)
		return 0;
	free(*ret_text);
	return error_set(err, -ENOMEM, "out of memory");
}

static void close_pem(BIO *bio, char *text, size_t len)
{
	BIO_free(bio);
	OPENSSL_cleanse(text, len);	/* it may be a key */
	free(text);
}

/* The end of the file ends the list; a damaged certificate does not. */
static int read_certificates(BIO *bio, const char *path, const char *what, STACK_OF(X509) *list, struct error *err)
{
	X509 *cert;

	ERR_clear_error();
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (!sk_X509_push(list, cert)) {
			X509_free(cert);
			return error_set(err, -ENOMEM, "out of memory");
		}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return error_set(err, -EINVAL, "%s %s: certificate number %d in it cannot be read: %s", what, path, sk_X509_num(list) + 1,
				 tls_error());
	ERR_clear_error();
	return sk_X509_num(list) ? 0 : error_set(err, -EINVAL, "%s %s: there is no certificate in it (PEM is expected)", what, path);
}

int tls_pem_certificates(const char *path, const char *what, STACK_OF(X509) **ret, struct error *err)
{
	STACK_OF(X509) *list;
	char *text;
	size_t len;
	BIO *bio;
	int status = open_pem(path, what, &text, &len, &bio, err);

	if (status < 0)
		return status;
	list = sk_X509_new_null();
	status = list ? read_certificates(bio, path, what, list, err) : error_set(err, -ENOMEM, "out of memory");
	close_pem(bio, text, len);
	if (status < 0)
		sk_X509_pop_free(list, X509_free);
	else
		*ret = list;
	return status;
}

static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

int tls_pem_key(const char *path, EVP_PKEY **ret, struct error *err)
{
	bool asked = false;
	char *text;
	size_t len;
	BIO *bio;
	int status = open_pem(path, "private key", &text, &len, &bio, err);

	if (status < 0)
		return status;
	*ret = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	if (!*ret && asked)
		status = error_set(err, -EINVAL, "private key %s: it is encrypted, and nobody is there to give the passphrase", path);
	else if (!*ret)
		status = error_set(err, -EINVAL, "private key %s: there is no private key in it (PEM is expected)", path);
	ERR_clear_error();
	close_pem(bio, text, len);
	return status;
}

/* --- what stands in a certificate --- */

static bool harmless(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

const char *tls_subject(const X509_NAME *name, char *buf)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, buf, TLS_SUBJECT_MAX - 1);
	BIO_free(bio);
	buf[n > 0 ? n : 0] = '\0';
	if (!harmless(buf))
		snprintf(buf, TLS_SUBJECT_MAX, "(a name that cannot be printed)");
	return buf;
}

void tls_common_name(const X509 *cert, char ret_name[TLS_NAME_MAX])
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), len;
	unsigned char *text = NULL;

	ret_name[0] = '\0';
	if (at < 0)
		return;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	/* A NUL inside would make two different names look the same. */
	if (len > 0 && len < TLS_NAME_MAX && !memchr(text, 0, (size_t)len)) {
		memcpy(ret_name, text, (size_t)len);
		ret_name[len] = '\0';
	}
	OPENSSL_free(text);
	if (!harmless(ret_name))
		ret_name[0] = '\0';
}

int64_t tls_seconds(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) ? (int64_t)timegm(&tm) : 0;
}

const char *tls_date(const ASN1_TIME *time, char *buf)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(time, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M UTC", &tm))
		snprintf(buf, 32, "an unknown date");
	return buf;
}

bool tls_certificate_serves(const X509 *cert, bool unsaid)
{
	EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	bool serves = uses ? false : unsaid;
	int i, nid;

	for (i = 0; uses && i < sk_ASN1_OBJECT_num(uses); i++) {
		nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(uses, i));
		serves = serves || nid == NID_server_auth || nid == NID_anyExtendedKeyUsage;
	}
	EXTENDED_KEY_USAGE_free(uses);
	return serves;
}
