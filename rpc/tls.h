/* rpc/tls.h: TLS between daemons, GlusterFS's way (facts/brick-wire.md section 1): from the first byte of a connection,
 * both sides show a certificate, each is verified against a list of CAs, and who the peer is its certificate's subject
 * CN tells. Host names and purposes are not looked at. TLS 1.3; 1.2 where an option says so.
 *
 * Two things: a context holds the files (made once at start), and a `struct tls` lies between one link and its stream
 * with the stream's own face: it reads, writes, and says -EAGAIN. Only tls*.c include OpenSSL's ssl and x509 headers. */
#ifndef RPC_TLS_H
#define RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "runtime/error.h"
#include "runtime/option.h"

struct stream;
struct tls_context;
struct tls;

#define TLS_CERTIFICATE "/etc/ssl/glusterfs.pem"	/* where a stock installation has them */
#define TLS_KEY "/etc/ssl/glusterfs.key"
#define TLS_CA "/etc/ssl/glusterfs.ca"

enum tls_version { TLS_VERSION_1_3, TLS_VERSION_1_2 };
extern const char *const tls_versions[];	/* their names, for options */

/* What options say; zeroed is a valid one: the default files, TLS 1.3, only what a listed CA signed itself. */
struct tls_conf {
	const char *certificate, *key, *ca;	/* PEM files; NULL: the ones above. The certificate may have its chain behind it */
	const char *ciphers;			/* NULL: ours. With colons; TLS_... are suites of 1.3, other names count for 1.2 */
	const char *revoked;			/* a directory of revocation lists: refused, because nobody would read it */
	int64_t depth;				/* CAs between a peer's certificate and one of the list */
	int min_version;			/* enum tls_version */
	bool check_name;			/* of a client: the server's certificate must be for the host that it asked (tls_expect()) */
};

/* Rows of an option table for member @m of @st, by GlusterFS's names; @prefix "transport.socket." or "". */
#define TLS_OPTION_ROWS(prefix, st, m) \
	OPT_STR(prefix "ssl-own-cert", st, m.certificate, NULL, 0, "our certificate, PEM [" TLS_CERTIFICATE "]"), \
	OPT_STR(prefix "ssl-private-key", st, m.key, NULL, 0, "its key, PEM [" TLS_KEY "]"), \
	OPT_STR(prefix "ssl-ca-list", st, m.ca, NULL, 0, "the CAs that may sign a peer's certificate, PEM [" TLS_CA "]"), \
	OPT_INT(prefix "ssl-cert-depth", st, m.depth, "1", 0, 16, 0, "CAs between a peer's certificate and one of the list"), \
	OPT_STR(prefix "ssl-cipher-list", st, m.ciphers, NULL, 0, \
		"with colons; TLS_... names are suites of TLS 1.3, others count for 1.2 only"), \
	OPT_STR(prefix "ssl-crl-path", st, m.revoked, NULL, 0, "not supported: refused"), \
	OPT_ENUM(prefix "ssl-min-version", st, m.min_version, "1.3", tls_versions, 0, "1.3, or 1.2 to accept that as well")

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* Reads the files (it blocks: at start, or on a helper thread). NULL and a sentence that names the file and what is
 * wrong with it; one reference otherwise. Copies what it needs of @conf. Belongs to the thread that counts its references. */
struct tls_context *tls_context_new(const struct tls_conf *conf, enum tls_side side, struct error *err);
struct tls_context *tls_context_ref(struct tls_context *ctx);	/* accepts NULL */
void tls_context_unref(struct tls_context *ctx);		/* accepts NULL */
/* Neither side shows a certificate: both prove that they know @word (a TLS 1.3 pre-shared key with an ephemeral exchange), of which case
 * and dashes do not count. One reference; NULL: OpenSSL has failed. */
struct tls_context *tls_context_word(const char *word, enum tls_side side, struct error *err);
const char *tls_context_name(const struct tls_context *ctx);	/* the CN that peers see */

/* Management, GlusterFS's way: where /var/lib/glusterd/secure-access or /var/lib/gatehouse/secure-access is, connections to
 * and from managers are under TLS. @conf NULL: the default files. *ret_ctx is the process's own for good, made by the first
 * call (at start: it reads files); NULL when it is not wanted. 0, or -EINVAL and the sentence. */
bool tls_management_wanted(void);
int tls_management(enum tls_side side, const struct tls_conf *conf, struct error *err, struct tls_context **ret_ctx);

/* --- one connection ---
 *
 * Nothing parks and nothing blocks: what would says -EAGAIN, and the stream's readable() and writable() bring it on. A failed
 * connection stays failed; tls_story() tells why, for the log. */

struct tls *tls_new(struct tls_context *ctx, struct stream *stream);	/* borrows @stream; NULL: no memory */
/* Of a client, before the handshake: the host that it means, by a name or an address. Where the context checks names another's certificate is
 * refused: one for it by subjectAltName, or by its CN where it has no such names. 0 or -ENOMEM. */
int tls_expect(struct tls *t, const char *host);
void tls_free(struct tls *t);			/* says goodbye if it can be said at once; accepts NULL; before stream_close() */
/* 0 when done, -EAGAIN, or why not: -EPROTO, -ECONNRESET, the stream's error. */
int tls_handshake(struct tls *t);
/* Fills @buf as far as what has come allows. Bytes, 0 at the end, -EAGAIN, -errno. */
ssize_t tls_read(struct tls *t, void *buf, size_t len);
bool tls_more(const struct tls *t);		/* the last tls_read() did not end because the stream was dry */
void tls_readable(struct tls *t);		/* the stream says that something has come */
/* Encrypts the front of what is gathered (at most 64 pieces) into few records and sends it. Where bit i of @ends is set, no
 * record holds bytes of piece i and of the next. Bytes counted when all of their records have left; after -EAGAIN the next
 * call must begin with the same bytes (more may follow). -errno. */
ssize_t tls_writev(struct tls *t, const struct iovec *iov, int n, uint64_t ends);
int tls_push(struct tls *t);			/* sends what lies encrypted: 0 when all has left, -EAGAIN, -errno */
bool tls_unsent(const struct tls *t);
bool tls_partial(const struct tls *t);		/* half a record has come */

const char *tls_peer_name(const struct tls *t);	/* after the handshake: the CN, "" when it has none; lives as long as @t */
/* After the handshake: its certificate says that it is a server's, as `tls init` makes hosts'. */
bool tls_peer_serves(const struct tls *t);
const char *tls_story(const struct tls *t);	/* "" while nothing is wrong, or the end was an ordinary one */
void tls_give_up(struct tls *t, unsigned seconds);	/* the handshake took too long: makes the story */

#endif
