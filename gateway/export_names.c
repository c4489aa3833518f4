/* gateway/export_names.c: host names in exports: names to addresses (asked again every minute), addresses to names (for
 * patterns only).
 *
 * An answer of the resolver is never waited for with the loop standing still: these functions park. What a peer claims
 * to be called counts only when that name leads back to the peer's address. */
#include "gateway/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/list.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define NAMES_MAX 1024
#define NAME_TTL_NS 60000000000ull

static bool set_addresses(struct export_client *c, const struct sockaddr_storage *addrs, unsigned n)
{
	uint8_t (*fresh)[16] = n ? calloc(n, 16) : NULL;
	unsigned i;

	if (n && !fresh)
		return false;
	for (i = 0; i < n; i++)
		export_address((const struct sockaddr *)&addrs[i], fresh[i]);
	if (n == c->nresolved && (!n || memcmp(fresh, c->resolved, (size_t)n * 16) == 0)) {
		free(fresh);
		return false;
	}
	free(c->resolved);
	c->resolved = fresh;
	c->nresolved = n;
	return true;
}

static bool coroutine_fn resolve_client(struct export_client *c)
{
	struct sockaddr_storage *addrs = calloc(EXPORT_ADDRS_MAX, sizeof(*addrs));
	bool changed = false;
	int n;

	if (!addrs)
		return false;
	n = net_resolve(c->spec, 0, addrs, EXPORT_ADDRS_MAX);
	if (n > 0) {
		changed = set_addresses(c, addrs, (unsigned)n);
	} else {
		log_warning("exported host name does not resolve, it is refused until it does",
			    "host=%s line=%u keeps=%u", c->spec, c->line, n == -ENOENT ? 0 : c->nresolved);
		if (n == -ENOENT)
			changed = set_addresses(c, NULL, 0);
	}
	free(addrs);
	return changed;
}

bool coroutine_fn export_set_resolve(struct export_set *set)
{
	bool changed = false;
	unsigned i, j;

	if (!set->has_hosts)
		return false;
	export_set_ref(set);
	for (i = 0; i < set->n; i++)
		for (j = 0; j < set->exports[i].nclients; j++)
			if (set->exports[i].clients[j].kind == CLIENT_HOST)
				changed |= resolve_client(&set->exports[i].clients[j]);
	if (changed)
		set->generation++;
	export_set_unref(set);
	return changed;
}

struct peer {
	struct list link;		/* oldest first */
	uint8_t addr[16];
	uint64_t until_ns;
	char *name;			/* NULL: it has none that holds */
};

struct peer_names {
	struct list peers;
	unsigned n;
};

struct peer_names *peer_names_new(void)
{
	struct peer_names *names = calloc(1, sizeof(*names));

	if (names)
		list_init(&names->peers);
	return names;
}

static void drop(struct peer_names *names, struct peer *p)
{
	list_remove(&p->link);
	names->n--;
	free(p->name);
	free(p);
}

void peer_names_free(struct peer_names *names)
{
	if (!names)
		return;
	while (!list_empty(&names->peers))
		drop(names, list_first(&names->peers, struct peer, link));
	free(names);
}

static struct peer *find(struct peer_names *names, const uint8_t *addr)
{
	uint64_t now = loop_now_ns(loop_self());
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &names->peers) {
		struct peer *p = list_entry(pos, struct peer, link);

		if (p->until_ns <= now)
			drop(names, p);
		else if (memcmp(p->addr, addr, 16) == 0)
			return p;
	}
	return NULL;
}

static bool coroutine_fn leads_back(const char *name, const uint8_t *addr)
{
	struct sockaddr_storage *addrs = calloc(EXPORT_ADDRS_MAX, sizeof(*addrs));
	uint8_t bytes[16];
	bool found = false;
	int i, n;

	n = addrs ? net_resolve(name, 0, addrs, EXPORT_ADDRS_MAX) : 0;
	for (i = 0; i < n && !found; i++) {
		export_address((const struct sockaddr *)&addrs[i], bytes);
		found = memcmp(bytes, addr, 16) == 0;
	}
	free(addrs);
	return found;
}

const char *coroutine_fn peer_name(struct peer_names *names, const struct sockaddr *peer)
{
	char name[256];
	uint8_t addr[16];
	struct peer *p;
	bool good;

	export_address(peer, addr);
	p = find(names, addr);
	if (p)
		return p->name;
	good = net_reverse(peer, name, sizeof(name)) == 0 && leads_back(name, addr);
	p = find(names, addr);		/* another call may have been quicker */
	if (p)
		return p->name;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	memcpy(p->addr, addr, 16);
	p->name = good ? strdup(name) : NULL;
	p->until_ns = loop_now_ns(loop_self()) + NAME_TTL_NS;
	if (names->n == NAMES_MAX)
		drop(names, list_first(&names->peers, struct peer, link));
	list_append(&names->peers, &p->link);
	names->n++;
	return p->name;
}
