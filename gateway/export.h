/* gateway/export.h: who may mount what, and as whom: exports(5), one evaluator for MOUNT and for every NFS procedure.
 *
 * A set of exports is read whole or not at all, replaced in one step, and lives as long as a call uses it. The most
 * specific client of a line decides: host or address, then the longest network, then a name pattern, then "*". But who matches a
 * client with noaccess is refused first, as GlusterFS's nfs.rpc-auth-reject has it. */
#ifndef GATEWAY_EXPORT_H
#define GATEWAY_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

#define EXPORTS_MAX 1024		/* lines of a file */
#define EXPORT_CLIENTS_MAX 4096		/* clients of all lines */
#define EXPORT_ADDRS_MAX 16		/* addresses of one host name */

struct export_options {
	bool rw, sync, secure, root_squash, all_squash;
	bool noaccess;			/* nobody who matches is let in, whatever else matches */
	bool ino32;			/* file numbers are shown in 32 bits, for programs that know no more */
	uint32_t anonuid, anongid;
};

enum export_client_kind { CLIENT_ANY, CLIENT_PATTERN, CLIENT_NETWORK, CLIENT_HOST };

struct export_client {
	char *spec;			/* as written, for showmount */
	enum export_client_kind kind;
	uint8_t addr[16];		/* NETWORK; IPv4 as ::ffff:a.b.c.d */
	unsigned prefix;
	uint8_t (*resolved)[16];	/* HOST: its addresses of now */
	unsigned nresolved;
	unsigned line;
	struct export_options options;
};

struct export {
	char *path;			/* "/demo/sub" */
	size_t volume_len;		/* of the volume's name, which follows the first slash */
	uint64_t volume_hash;		/* of that name: export_name_hash() */
	bool has_patterns;		/* then verdicts need the peer's name */
	const char *subdir;		/* what follows the volume's name: "" or "sub/dir"; into path */
	uint32_t id; /* from the path alone, so it is the same after any reload and on every gateway */
	unsigned line;
	struct export_client *clients;
	unsigned nclients;
	uint8_t root[16];		/* gfid of its root once looked up */
	bool root_known;
};

struct export_set {
	unsigned refs;
	uint64_t generation;		/* changes with everything that may change a verdict */
	struct export *exports;
	unsigned n, nclients;
	bool has_hosts;
	unsigned index_size;		/* a power of two; a place holds an export's plus one, 0 is free */
	uint16_t *index;		/* by id */
};

/* All lines must be of @volume ("/volume" or below); NULL: of any volume, and there may be none at all. The sentence names
 * @filename and the line. 0, -EINVAL, -E2BIG or -ENOMEM. */
int exports_parse(const char *text, size_t len, const char *filename, const char *volume, struct export_set **ret_set,
		  struct error *err);
/* Says every error of the file at @path to @tell, a sentence each; how many. Blocks. */
unsigned exports_check(const char *path, const char *volume, void (*tell)(void *arg, const char *sentence), void *arg);
int exports_read(const char *path, const char *volume, struct export_set **ret_set, struct error *err);	/* blocks */
struct export_set *export_set_ref(struct export_set *set);
void export_set_unref(struct export_set *set);		/* accepts NULL */

struct export *export_by_id(struct export_set *set, uint32_t id);	/* NULL when there is none */
uint64_t export_name_hash(const char *name, size_t len);
/* Whether @path ("/demo/a/b") is in @ex; *ret_rest is then what follows the export's own path ("a/b", "" for it). */
bool export_covers(const struct export *ex, const char *path, const char **ret_rest);

/* The evaluator. Everybody who lets somebody in, or explains why not, asks one of these three. @peer_name: the verified host
 * name of the peer when @ex has patterns, else NULL. NULL: not allowed. The port is judged, too: below 1024 unless the client's
 * options say "insecure". */
const struct export_client *export_admit(const struct export *ex, const struct sockaddr *peer, const char *peer_name);
enum export_why { EXPORT_ALLOWED, EXPORT_NO_PATH, EXPORT_NO_CLIENT, EXPORT_HIGH_PORT, EXPORT_REFUSED };	/* the last: noaccess */
/* The same, telling why not; *ret_client is who matched, if anybody did. */
enum export_why export_judge(const struct export *ex, const struct sockaddr *peer, const char *peer_name,
			     const struct export_client **ret_client);
struct export_verdict {
	enum export_why why;
	struct export *export;		/* that decides; NULL: NO_PATH */
	const struct export_client *client;	/* that matched; NULL: none */
	const char *rest;		/* of the path, below the export */
};
/* Mounting @path: the export with the longest path that lets the peer in decides, or else the longest that covers it. */
void export_decide(struct export_set *set, const char *path, const struct sockaddr *peer, const char *peer_name,
		   struct export_verdict *ret_verdict);
bool export_wants_name(const struct export_set *set, const char *path);	/* the verdict may depend on the peer's name */

/* Asks the resolver for every host name of the set; true when an answer changed. A name that cannot be resolved just
 * now keeps its addresses; one that does not exist loses them. */
bool coroutine_fn export_set_resolve(struct export_set *set);

/* Host names of peers, wanted for patterns only: looked up backwards, confirmed forwards, remembered for a minute. */
struct peer_names;
struct peer_names *peer_names_new(void);
void peer_names_free(struct peer_names *names);
/* NULL: unknown. Valid until the next park. */
const char *coroutine_fn peer_name(struct peer_names *names, const struct sockaddr *peer);

/* IPv4 mapped into IPv6; zeros for other families. */
void export_address(const struct sockaddr *addr, uint8_t ret_bytes[16]);

#endif
