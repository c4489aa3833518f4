/* gateway/export.h: who may mount what, and as whom: exports(5), one evaluator for MOUNT and for every NFS procedure.
 *
 * A set of exports is read whole or not at all, replaced in one step, and lives as long as a call uses it. The most
 * specific client of a line decides: host or address, then the longest network, then a name pattern, then "*". */
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
	bool has_hosts, has_patterns;
};

/* All lines must be of @volume ("/volume" or below). The sentence names @filename and the line. 0, -EINVAL, -E2BIG or
 * -ENOMEM. */
int exports_parse(const char *text, size_t len, const char *filename, const char *volume, struct export_set **ret_set,
		  struct error *err);
int exports_read(const char *path, const char *volume, struct export_set **ret_set, struct error *err);	/* blocks */
struct export_set *export_set_ref(struct export_set *set);
void export_set_unref(struct export_set *set);		/* accepts NULL */

struct export *export_by_id(struct export_set *set, uint32_t id);	/* NULL when there is none */
/* Whether @path ("/demo/a/b") is in @ex; *ret_rest is then what follows the export's own path ("a/b", "" for it). */
bool export_covers(const struct export *ex, const char *path, const char **ret_rest);

/* The evaluator. @peer_name: the verified host name of the peer when the set has patterns, else NULL. NULL: not
 * allowed. The port is judged, too: below 1024 unless the client's options say "insecure". */
const struct export_client *export_admit(const struct export *ex, const struct sockaddr *peer, const char *peer_name);

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
