/* rpc/tls_make.h: a cluster's own CA and the certificates of its hosts, so that TLS needs no other tool.
 *
 * All of it blocks (keys, fsync): in a command, or through loop_offload(). Files are PEM, written aside, flushed and renamed:
 * whole or not there. Functions keep nothing of their arguments; 0, or -errno and a sentence that names the file. */
#ifndef RPC_TLS_MAKE_H
#define RPC_TLS_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/error.h"

/* What lies in a directory of a CA, and what a host needs of it: the names that stock daemons and ours look for in /etc/ssl. */
#define TLS_FILE_CA_KEY "ca.key"		/* mode 0600; of the CA alone, no daemon needs it */
#define TLS_FILE_CA "ca.pem"
#define TLS_FILE_HOST_KEY "glusterfs.key"	/* mode 0600 */
#define TLS_FILE_HOST "glusterfs.pem"
#define TLS_FILE_HOST_CA "glusterfs.ca"		/* the CA's certificate again */

/* @dir/ca.key and ca.pem: EC P-256, CN @name, for 10 years. @dir must be there. -EEXIST when it has a ca.key, unless @replace:
 * then every certificate of the old one is worthless. */
int tls_make_ca(const char *dir, const char *name, bool replace, struct error *err);

struct tls_host {
	const char *ca_dir;		/* where tls_make_ca() was */
	const char *to_dir;		/* where the three files go; must be there */
	const char *cn;			/* who it is: 1 to 64 bytes, no comma (ssl-allow is a list) and nothing unprintable */
	const char *const *hosts;	/* names and addresses for subjectAltName, NULL-terminated; NULL: none */
	bool client;			/* good for a client only: nobody takes it for a brick or a manager */
	bool replace;			/* an existing key; else -EEXIST */
	unsigned days;			/* 0: 2 years. Never longer than the CA */
};

/* The key is written last: where it is, all is. */
int tls_make_host(const struct tls_host *host, struct error *err);

/* When the first certificate in @file ends, in seconds since 1970. */
int tls_expiry(const char *file, int64_t *ret_seconds, struct error *err);

#endif
