/* gateway/export.c: sets of exports and the evaluator: from a peer's address to the one client entry that decides. */
#include "gateway/export.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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
	free(set->exports);
	free(set);
}

struct export *export_by_id(struct export_set *set, uint32_t id)
{
	unsigned i;

	for (i = 0; i < set->n; i++)
		if (set->exports[i].id == id)
			return &set->exports[i];
	return NULL;
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

/* How specific the match is; 0: none. */
static unsigned match(const struct export_client *c, const uint8_t *addr, const char *peer_name)
{
	switch (c->kind) {
	case CLIENT_HOST:
		return has_address(c, addr) ? 1000 : 0;
	case CLIENT_NETWORK:
		return in_network(addr, c->addr, c->prefix) ? 10 + c->prefix : 0;
	case CLIENT_PATTERN:
		return peer_name && fnmatch(c->spec, peer_name, FNM_CASEFOLD) == 0 ? 2 : 0;
	default:
		return 1;
	}
}

static unsigned port_of(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	return addr->sa_family == AF_INET ? ntohs(((const struct sockaddr_in *)addr)->sin_port) : 0;
}

const struct export_client *export_admit(const struct export *ex, const struct sockaddr *peer, const char *peer_name)
{
	const struct export_client *best = NULL;
	unsigned i, score, best_score = 0;
	uint8_t addr[16];

	export_address(peer, addr);
	for (i = 0; i < ex->nclients; i++) {
		score = match(&ex->clients[i], addr, peer_name);
		if (score <= best_score)
			continue;
		best = &ex->clients[i];
		best_score = score;
	}
	if (best && best->options.secure && port_of(peer) >= IPPORT_RESERVED)
		return NULL;
	return best;
}
