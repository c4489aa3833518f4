/* xlators/exports.c: sets of exports and the evaluator: from a peer's address to the one client entry that decides. */
#include "xlators/exports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hash.h"

struct export_set *export_set_ref(struct export_set *set)
{
	set->refs++;
	return set;
}

void export_set_unref(struct export_set *set)
{
	unsigned i, j;

	if (!set || --set->refs > 0)
		return;
	for (i = 0; i < set->n; i++) {
		struct export *ex = &set->exports[i];

		for (j = 0; j < ex->nclients; j++) {
			free(ex->clients[j].spec);
			free(ex->clients[j].resolved);
		}
		free(ex->clients);
		free(ex->path);
	}
	for (i = 0; i < set->nwrong; i++) {
		free(set->wrong[i].path);
		free(set->wrong[i].sentence);
	}
	free(set->wrong);
	free(set->exports);
	free(set->index);
	free(set);
}

struct export *export_by_id(struct export_set *set, uint32_t id)
{
	unsigned i;

	if (!set->index_size)
		return NULL;
	for (i = id & (set->index_size - 1); set->index[i]; i = (i + 1) & (set->index_size - 1))
		if (set->exports[set->index[i] - 1].id == id)
			return &set->exports[set->index[i] - 1];
	return NULL;
}

uint64_t export_name_hash(const char *name, size_t len)
{
	return hash_bytes(name, len, 1);
}

bool export_covers(const struct export *ex, const char *path, const char **ret_rest)
{
	size_t len = strlen(ex->path);

	if (strncmp(path, ex->path, len) != 0 || (path[len] && path[len] != '/'))
		return false;
	path += len;
	while (*path == '/')
		path++;
	*ret_rest = path;
	return true;
}

void export_address(const struct sockaddr *addr, uint8_t ret_bytes[16])
{
	memset(ret_bytes, 0, 16);
	if (addr->sa_family == AF_INET6) {
		memcpy(ret_bytes, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
	} else if (addr->sa_family == AF_INET) {
		memset(ret_bytes + 10, 0xff, 2);
		memcpy(ret_bytes + 12, &((const struct sockaddr_in *)addr)->sin_addr, 4);
	}
}

static bool in_network(const uint8_t *addr, const uint8_t *net, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(addr, net, whole) != 0)
		return false;
	return !rest || ((addr[whole] ^ net[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

static bool has_address(const struct export_client *c, const uint8_t *addr)
{
	unsigned i;

	for (i = 0; i < c->nresolved; i++)
		if (memcmp(c->resolved[i], addr, 16) == 0)
			return true;
	return false;
}

#define SCORE_HOST 1000
#define SCORE_NETWORK 10
#define SCORE_PATTERN 2
#define SCORE_ANY 1

/* How specific the match is; 0: none. */
static unsigned match(const struct export_client *c, const uint8_t *addr, const char *peer_name)
{
	switch (c->kind) {
	case CLIENT_HOST:
		return has_address(c, addr) ? SCORE_HOST : 0;
	case CLIENT_NETWORK:
		return in_network(addr, c->addr, c->prefix) ? SCORE_NETWORK + c->prefix : 0;
	case CLIENT_PATTERN:
		return peer_name && fnmatch(c->spec, peer_name, FNM_CASEFOLD) == 0 ? SCORE_PATTERN : 0;
	default:
		return SCORE_ANY;
	}
}

unsigned export_port(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	return addr->sa_family == AF_INET ? ntohs(((const struct sockaddr_in *)addr)->sin_port) : 0;
}

enum export_why export_judge(const struct export *ex, const struct sockaddr *peer, const char *peer_name,
			     const struct export_client **ret_client)
{
	const struct export_client *best = NULL;
	unsigned i, score, best_score = 0;
	uint8_t addr[16];

	export_address(peer, addr);
	for (i = 0; i < ex->nclients; i++) {
		score = match(&ex->clients[i], addr, peer_name);
		if (score && ex->clients[i].options.noaccess) {
			*ret_client = &ex->clients[i];
			return EXPORT_REFUSED;
		}
		if (score <= best_score)
			continue;
		best = &ex->clients[i];
		best_score = score;
	}
	*ret_client = best;
	if (!best)
		return EXPORT_NO_CLIENT;
	return best->options.secure && export_port(peer) >= IPPORT_RESERVED ? EXPORT_HIGH_PORT : EXPORT_ALLOWED;
}

const struct export_client *export_admit(const struct export *ex, const struct sockaddr *peer, const char *peer_name)
{
	const struct export_client *client;

	return export_judge(ex, peer, peer_name, &client) == EXPORT_ALLOWED ? client : NULL;
}

void export_decide(struct export_set *set, const char *path, const struct sockaddr *peer, const char *peer_name,
		   struct export_verdict *ret_verdict)
{
	struct export_verdict v = { EXPORT_NO_PATH };
	size_t longest = 0, len;
	unsigned i;

	*ret_verdict = v;
	for (i = 0; i < set->n; i++) {
		v.export = &set->exports[i];
		if (!export_covers(v.export, path, &v.rest))
			continue;
		v.why = export_judge(v.export, peer, peer_name, &v.client);
		len = strlen(v.export->path) + (v.why == EXPORT_ALLOWED ? PATH_MAX : 0);
		if (len <= longest)
			continue;
		longest = len;
		*ret_verdict = v;
	}
}

bool export_needs_name(const struct export *ex, const struct sockaddr *peer)
{
	unsigned i, score, best = 0;
	uint8_t addr[16];

	if (!ex->has_patterns)
		return false;
	export_address(peer, addr);
	for (i = 0; i < ex->nclients; i++) {
		score = match(&ex->clients[i], addr, NULL);
		if (score && ex->clients[i].options.noaccess)
			return false;
		if (score > best)
			best = score;
	}
	return best < SCORE_NETWORK || ex->refuses_patterns;
}

bool export_path_needs_name(const struct export_set *set, const char *path, const struct sockaddr *peer)
{
	size_t decided = 0, wanted = 0, len;
	const char *rest;
	unsigned i;

	for (i = 0; i < set->n; i++) {
		const struct export *ex = &set->exports[i];

		if (!export_covers(ex, path, &rest))
			continue;
		len = strlen(ex->path);
		if (export_needs_name(ex, peer))
			wanted = len > wanted ? len : wanted;
		else if (export_admit(ex, peer, NULL))
			decided = len > decided ? len : decided;
	}
	return wanted > decided;
}

const struct export_wrong *export_wrong_of(const struct export_set *set, const struct export *ex)
{
	unsigned i;

	for (i = 0; i < set->nwrong; i++)
		if (set->wrong[i].path && strcmp(set->wrong[i].path, ex->path) == 0)
			return &set->wrong[i];
	return NULL;
}
