/* xlators/exports.h: who may mount what, and as whom: exports(5). One parser for the gateway and for the manager, and one evaluator
 * for MOUNT and for every NFS procedure.
 *
 * A set of exports is replaced in one step, and lives as long as a call uses it. A line that is wrong costs that line: the set
 * names it, and serves the others. Lines of one path are one export. The most specific client of an export decides: host or
 * address, then the longest network, then a name pattern, then "*". A client that matches an entry with noaccess is refused first,
 * as GlusterFS's nfs.rpc-auth-reject has it. */
#ifndef XLATORS_EXPORTS_H
#define XLATORS_EXPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/error.h"

#define EXPORTS_MAX 1024		/* lines of a file */
#define EXPORT_CLIENTS_MAX 4096		/* clients of all lines */
#define EXPORT_ADDRS_MAX 16		/* addresses of one host name */

struct export_options {
	bool rw, sync, secure, root_squash, all_squash;
	bool noaccess;			/* nobody who matches is let in, whatever else matches */
	bool ino32;			/* file numbers are shown in 32 bits, for programs that know no more */
	bool subtree_check;		/* each handle must lie below the export's root now, and be within the caller's reach */
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
	bool has_patterns, refuses_patterns;	/* of names; the latter with noaccess */
	const char *subdir;		/* what follows the volume's name: "" or "sub/dir"; into path */
	uint32_t id; /* from the path alone, so it is the same after any reload and on every gateway */
	unsigned line;
	struct export_client *clients;
	unsigned nclients;		/* 0: only wrong lines name it. Its handles stay good and let nobody in */
	uint8_t root[16];		/* gfid of its root once looked up */
	bool root_known;
};

struct export_wrong {			/* a line that is not served */
	unsigned line;
	char *path;			/* as far as it could be read, else NULL */
	char *sentence;			/* with file and line */
};

struct export_set {
	unsigned refs;
	uint64_t generation;		/* changes with everything that may change a verdict */
	struct export *exports;
	unsigned n, nclients;
	bool has_hosts;
	struct export_wrong *wrong;
	unsigned nwrong;
	uint64_t text_hash;		/* export_text_hash() of what was parsed */
	unsigned index_size;		/* a power of two; a place holds an export's plus one, 0 is free */
	uint16_t *index;		/* by id */
};

/* All lines must be of @volume ("/volume" or below); NULL: of any volume, and there may be none at all. exports_parse() refuses a text
 * with any wrong line; the sentence names @filename and the line (NULL: neither). exports_parse_lines() takes the lines that are
 * right, and refuses a text that has none of @volume. 0, -EINVAL, -E2BIG or -ENOMEM. */
int exports_parse(const char *text, size_t len, const char *filename, const char *volume, struct export_set **ret_set,
		  struct error *err);
int exports_parse_lines(const char *text, size_t len, const char *filename, const char *volume,
			struct export_set **ret_set, struct error *err);
/* The same for the file at @path; blocks. */
int exports_read(const char *path, const char *volume, struct export_set **ret_set, struct error *err);
uint64_t export_text_hash(const char *text, size_t len);
struct export_set *export_set_ref(struct export_set *set);
void export_set_unref(struct export_set *set);		/* accepts NULL */

struct export *export_by_id(struct export_set *set, uint32_t id);	/* NULL when there is none */
uint64_t export_name_hash(const char *name, size_t len);
/* Whether @path ("/demo/a/b") is in @ex; *ret_rest is then what follows the export's own path ("a/b", "" for it). */
bool export_covers(const struct export *ex, const char *path, const char **ret_rest);

/* The evaluator. Everybody who lets somebody in, or explains why not, asks one of these three. @peer_name: the verified host
 * name of the peer when export_needs_name(), else NULL. NULL: not allowed. The port is judged, too: below 1024 unless the client's
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
/* May the verdict depend on the peer's host name? Not where an entry by address decides already. Names are asked for then only. */
bool export_needs_name(const struct export *ex, const struct sockaddr *peer);
bool export_path_needs_name(const struct export_set *set, const char *path, const struct sockaddr *peer);
/* The first wrong line of @ex; NULL: all are right. */
const struct export_wrong *export_wrong_of(const struct export_set *set, const struct export *ex);

/* IPv4 mapped into IPv6; zeros for other families. */
void export_address(const struct sockaddr *addr, uint8_t ret_bytes[16]);
unsigned export_port(const struct sockaddr *addr);

#endif
