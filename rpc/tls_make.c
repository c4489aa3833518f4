/* rpc/tls_make.c: see tls_make.h. */
#include "rpc/tls_make.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "rpc/tls_private.h"
#include "runtime/file.h"

#define DAY_S 86400l
#define CA_DAYS 3650
#define HOST_DAYS 730
#define SKEW_S 3600l		/* a peer's clock may be behind ours */
#define CN_MAX 64		/* X.520's bound */

/* Who signs: its certificate (NULL: the new one, by itself) and key. */
struct signer { X509 *cert; EVP_PKEY *key; };

static int openssl_failed(struct error *err, const char *what)
{
	return error_set(err, -EIO, "cannot make %s: %s", what, tls_error());
}

static int path_of(const char *dir, const char *name, char **ret_path, struct error *err)
{
	return asprintf(ret_path, "%s/%s", dir, name) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int check_name(const char *name, struct error *err)
{
	const char *at;

	for (at = name; *at; at++)
		if (*at == ',' || *at == '*' || (unsigned char)*at < ' ' || *at == 0x7f)
			return error_set(err, -EINVAL, "a certificate's name must not have commas, stars or unprintable characters in it");
	if (!*name || strlen(name) > CN_MAX)
		return error_set(err, -EINVAL, "a certificate's name must have 1 to %d bytes, not %zu", CN_MAX, strlen(name));
	return 0;
}

/* --- files --- */

static int store(const char *dir, const char *name, BIO *pem, unsigned mode, bool fresh, struct error *err)
{
	char *data, *path;
	long len = BIO_get_mem_data(pem, &data);
	int ret = path_of(dir, name, &path, err);

	if (ret < 0)
		return ret;
	ret = file_store(path, data, (size_t)len, mode, fresh);
	if (ret == -EEXIST)
		error_set(err, ret, "%s exists; it is not replaced unasked", path);
	else if (ret < 0)
		error_set(err, ret, "cannot write %s: %s", path, strerror(-ret));
	free(path);
	return ret;
}

static int store_cert(const char *dir, const char *name, X509 *cert, struct error *err)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int ret = pem && PEM_write_bio_X509(pem, cert) ? store(dir, name, pem, 0644, false, err) : openssl_failed(err, name);

	BIO_free(pem);
	return ret;
}

static int store_key(const char *dir, const char *name, EVP_PKEY *key, bool replace, struct error *err)
{
	BIO *pem = BIO_new(BIO_s_secmem());
	int ret = pem && PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) ? store(dir, name, pem, 0600, !replace, err) :
											       openssl_failed(err, name);

	BIO_free(pem);
	return ret;
}

/* Asked before anything is written, so that a refusal changes nothing; the key's own writing makes sure. */
static int check_no_key(const char *dir, const char *name, bool replace, struct error *err)
{
	char *path;
	int ret = path_of(dir, name, &path, err);

	if (ret < 0)
		return ret;
	if (!replace && access(path, F_OK) == 0)
		ret = error_set(err, -EEXIST, "%s exists; it is not replaced unasked", path);
	free(path);
	return ret;
}

/* --- certificates --- */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

/* By structure, not by OpenSSL's little language: a name with a comma in it must not become two. */
static bool add_host(GENERAL_NAMES *names, const char *host)
{
	uint8_t address[16];
	int len = inet_pton(AF_INET, host, address) == 1 ? 4 : inet_pton(AF_INET6, host, address) == 1 ? 16 : 0;
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *text = len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	if (!name || !text || !ASN1_STRING_set(text, len ? (const void *)address : host, len ? len : (int)strlen(host)) ||
	    !sk_GENERAL_NAME_push(names, name)) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(text);
		return false;
	}
	GENERAL_NAME_set0_value(name, len ? GEN_IPADD : GEN_DNS, text);
	return true;
}

static bool add_hosts(X509 *cert, const char *const *hosts)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool ok = names;

	for (; ok && hosts && *hosts; hosts++)
		ok = add_host(names, *hosts);
	if (ok && sk_GENERAL_NAME_num(names))
		ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

/* 127 random bits: nobody counts certificates here. */
static bool set_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *number;
	bool ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok;
}

static bool set_dates(X509 *cert, const X509 *issuer, long days)
{
	const ASN1_TIME *end = issuer ? X509_get0_notAfter(issuer) : NULL;

	if (!X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_S) || !X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL))
		return false;
	return !end || ASN1_TIME_compare(X509_get0_notAfter(cert), end) <= 0 || X509_set1_notAfter(cert, end);
}

static bool set_subject(X509 *cert, const char *cn)
{
	return X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0) == 1;
}

/* Everything but the extensions and the signature. */
static X509 *new_cert(const char *cn, EVP_PKEY *key, const X509 *issuer, long days)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) && set_dates(cert, issuer, days) && set_subject(cert, cn) &&
	    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) && X509_set_pubkey(cert, key))
		return cert;
	X509_free(cert);
	return NULL;
}

static X509 *new_ca(const char *name, EVP_PKEY *key)
{
	X509 *cert = new_cert(name, key, NULL, CA_DAYS);

	if (cert && add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
	    add_extension(cert, cert, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") && X509_sign(cert, key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

static X509 *new_host(const struct tls_host *host, EVP_PKEY *key, const struct signer *ca)
{
	const char *uses = host->client ? "clientAuth" : "serverAuth,clientAuth";
	X509 *cert = new_cert(host->cn, key, ca->cert, host->days ? (long)host->days : HOST_DAYS);

	if (cert && add_extension(cert, ca->cert, NID_subject_key_identifier, "hash") &&
	    add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(cert, ca->cert, NID_ext_key_usage, uses) &&
	    add_hosts(cert, host->hosts) &&
	    X509_sign(cert, ca->key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

/* --- the CA --- */

int tls_make_ca(const char *dir, const char *name, bool replace, struct error *err)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int ret = check_name(name, err);

	if (!ret)
		ret = check_no_key(dir, TLS_FILE_CA_KEY, replace, err);
	if (ret < 0)
		return ret;
	key = EVP_EC_gen("P-256");
	cert = key ? new_ca(name, key) : NULL;
	ret = cert ? store_cert(dir, TLS_FILE_CA, cert, err) : openssl_failed(err, "a CA");
	if (!ret)
		ret = store_key(dir, TLS_FILE_CA_KEY, key, replace, err);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ret;
}

static int check_ca(const char *path, const struct signer *ca, struct error *err)
{
	char date[32];

	if (X509_check_private_key(ca->cert, ca->key) != 1)
		return error_set(err, -EINVAL, "%s: the key beside it belongs to another certificate", path);
	if (tls_seconds(X509_get0_notAfter(ca->cert)) <= (int64_t)time(NULL))
		return error_set(err, -EKEYEXPIRED, "%s expired on %s: make a new CA", path, tls_date(X509_get0_notAfter(ca->cert), date));
	return 0;
}

static int load_ca(const char *dir, struct signer *ca, struct error *err)
{
	STACK_OF(X509) *list = NULL;
	char *path = NULL, *key_path = NULL;
	int ret = path_of(dir, TLS_FILE_CA, &path, err);

	if (!ret)
		ret = path_of(dir, TLS_FILE_CA_KEY, &key_path, err);
	if (!ret)
		ret = tls_pem_certificates(path, "CA", &list, err);
	if (!ret) {
		ca->cert = sk_X509_shift(list);
		ret = tls_pem_key(key_path, &ca->key, err);
	}
	if (!ret)
		ret = check_ca(path, ca, err);
	sk_X509_pop_free(list, X509_free);
	free(path);
	free(key_path);
	return ret;
}

/* --- a host --- */

static int store_host(const struct tls_host *host, X509 *cert, EVP_PKEY *key, X509 *ca, struct error *err)
{
	int ret = store_cert(host->to_dir, TLS_FILE_HOST_CA, ca, err);

	if (!ret)
		ret = store_cert(host->to_dir, TLS_FILE_HOST, cert, err);
	return ret ? ret : store_key(host->to_dir, TLS_FILE_HOST_KEY, key, host->replace, err);
}

static int make_host(const struct tls_host *host, const struct signer *ca, struct error *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? new_host(host, key, ca) : NULL;
	int ret = cert ? store_host(host, cert, key, ca->cert, err) : openssl_failed(err, "a certificate");

	X509_free(cert);
	EVP_PKEY_free(key);
	return ret;
}

int tls_make_host(const struct tls_host *host, struct error *err)
{
	struct signer ca = { NULL, NULL };
	int ret = check_name(host->cn, err);

	if (!ret)
		ret = check_no_key(host->to_dir, TLS_FILE_HOST_KEY, host->replace, err);
	if (!ret)
		ret = load_ca(host->ca_dir, &ca, err);
	if (!ret)
		ret = make_host(host, &ca, err);
	X509_free(ca.cert);
	EVP_PKEY_free(ca.key);
	return ret;
}

int tls_expiry(const char *file, int64_t *ret_seconds, struct error *err)
{
	STACK_OF(X509) *list;
	int ret = tls_pem_certificates(file, "certificate", &list, err);

	if (ret < 0)
		return ret;
	*ret_seconds = tls_seconds(X509_get0_notAfter(sk_X509_value(list, 0)));
	sk_X509_pop_free(list, X509_free);
	return 0;
}
