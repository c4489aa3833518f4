/* gateway/peer_names.c: see peer_names.h.
 *
 * A look-up belongs to nobody: it is a coroutine of its own, which outlives the calls that wait for it. A call that waits gives up
 * after two seconds; the look-up goes on, and its answer serves the next call. A name that was known goes on being used while it is
 * asked for again, so clients that mounted long ago never wait. */
#include "gateway/peer_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/list.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/stream.h"
#include "runtime/sync.h"

#define NAMES_MAX 1024		/* addresses remembered */
#define LOOKUPS_MAX 32		/* that run at a time */
#define WAITING_MAX 32		/* calls that wait for one */
#define TTL_NS 60000000000ull
#define NONE_TTL_NS 30000000000ull	/* an address without a name */
#define SILENT_TTL_NS 5000000000ull	/* the name server did not answer */
#define STALE_NS 3600000000000ull	/* a known name stays so long while the name server does not answer */
#define AT_A_TIME 16u

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
			    "host=%s line=%u keeps=%u", log_quote(c->spec), c->line, n == -ENOENT ? 0 : c->nresolved);
		if (n == -ENOENT)
			changed = set_addresses(c, NULL, 0);
	}
	free(addrs);
	return changed;
}

struct resolving { struct export_client *clients[AT_A_TIME]; unsigned n; bool changed; };

static int coroutine_fn resolve_task(void *ctx, unsigned i)
{
	struct resolving *r = ctx;

	r->changed |= resolve_client(r->clients[i]);
	return 0;
}

static void coroutine_fn resolve_these(struct resolving *r)
{
	if (r->n)
		co_fanout((1ull << r->n) - 1, resolve_task, r);
	r->n = 0;
}

bool coroutine_fn export_set_resolve(struct export_set *set)
{
	struct resolving r = { .n = 0 };
	unsigned i, j;

	if (!set->has_hosts)
		return false;
	export_set_ref(set);
	for (i = 0; i < set->n; i++)
		for (j = 0; j < set->exports[i].nclients && !co_interrupted(); j++) {
			if (set->exports[i].clients[j].kind == CLIENT_HOST)
				r.clients[r.n++] = &set->exports[i].clients[j];
			if (r.n == AT_A_TIME)
				resolve_these(&r);
		}
	resolve_these(&r);
	if (r.changed)
		set->generation++;
	export_set_unref(set);
	return r.changed;
}

static void inherit(struct export_client *c, const struct export_set *from)
{
	unsigned i, j;

	for (i = 0; i < from->n; i++)
		for (j = 0; j < from->exports[i].nclients; j++) {
			const struct export_client *old = &from->exports[i].clients[j];

			if (old->kind != CLIENT_HOST || !old->nresolved || strcmp(old->spec, c->spec) != 0)
				continue;
			c->resolved = calloc(old->nresolved, sizeof(*c->resolved));
			if (c->resolved)
				memcpy(c->resolved, old->resolved, old->nresolved * sizeof(*c->resolved));
			c->nresolved = c->resolved ? old->nresolved : 0;
			return;
		}
}

void export_set_inherit(struct export_set *set, const struct export_set *from)
{
	unsigned i, j;

	for (i = 0; from && from->has_hosts && i < set->n; i++)
		for (j = 0; j < set->exports[i].nclients; j++)
			if (set->exports[i].clients[j].kind == CLIENT_HOST && !set->exports[i].clients[j].resolved)
				inherit(&set->exports[i].clients[j], from);
}

/* --- names of peers --- */

struct peer {
	struct list link;		/* oldest first */
	struct peer_names *names;
	struct sockaddr_storage from;
	uint8_t addr[16];
	uint64_t until_ns, named_ns;	/* asked again after that; when the name was last confirmed */
	char *name;			/* NULL: it has none that holds */
	bool asking, known;		/* known: the name server answered */
	struct co_queue answered;
};

struct peer_names {
	struct list peers;
	unsigned n, lookups, waiting;
	bool closed;			/* freed when the last look-up ends */
	peer_lookup *lookup;
};

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

static int coroutine_fn ask_resolver(const struct sockaddr *peer, char *ret_name, size_t size)
{
	uint8_t addr[16];
	int ret = net_reverse(peer, ret_name, size);

	export_address(peer, addr);
	return ret < 0 ? ret : leads_back(ret_name, addr) ? 0 : -ENOENT;
}

struct peer_names *peer_names_new(peer_lookup *lookup)
{
	struct peer_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	list_init(&names->peers);
	names->lookup = lookup ? lookup : ask_resolver;
	return names;
}

static void drop(struct peer_names *names, struct peer *p)
{
	list_remove(&p->link);
	names->n--;
	free(p->name);
	free(p);
}

static void free_if_over(struct peer_names *names)
{
	if (!names->closed || names->lookups)
		return;
	while (!list_empty(&names->peers))
		drop(names, list_first(&names->peers, struct peer, link));
	free(names);
}

void peer_names_free(struct peer_names *names)
{
	if (!names)
		return;
	names->closed = true;
	free_if_over(names);
}

static struct peer *find(struct peer_names *names, const uint8_t *addr)
{
	struct list *pos;

	list_for_each(pos, &names->peers) {
		struct peer *p = list_entry(pos, struct peer, link);

		if (memcmp(p->addr, addr, 16) == 0)
			return p;
	}
	return NULL;
}

/* An answer replaces what was known. No answer leaves a known name for a while. */
static void learn(struct peer *p, int ret, const char *name)
{
	uint64_t now = loop_now_ns(loop_self());
	bool answered = ret == 0 || ret == -ENOENT;

	if (answered || (p->name && now > p->named_ns + STALE_NS)) {
		free(p->name);
		p->name = ret == 0 ? strdup(name) : NULL;
		p->known = answered;
		p->named_ns = now;
	}
	p->until_ns = now + (ret == 0 ? TTL_NS : answered ? NONE_TTL_NS : SILENT_TTL_NS);
}

static void coroutine_fn look_up(void *arg)
{
	struct peer *p = arg;
	struct peer_names *names = p->names;
	char name[256];
	int ret = names->lookup((const struct sockaddr *)&p->from, name, sizeof(name));

	learn(p, ret, name);
	p->asking = false;
	names->lookups--;
	co_queue_wake_all(&p->answered);
	free_if_over(names);
}

static void begin(struct peer_names *names, struct peer *p)
{
	p->asking = true;
	names->lookups++;
	if (co_start(loop_self(), look_up, p))
		return;
	p->asking = false;
	names->lookups--;
}

/* Room for another address; nobody waits for what goes. */
static bool make_room(struct peer_names *names)
{
	struct list *pos;

	if (names->n < NAMES_MAX)
		return true;
	list_for_each(pos, &names->peers) {
		struct peer *p = list_entry(pos, struct peer, link);

		if (p->asking || !list_empty(&p->answered.waiters))
			continue;
		drop(names, p);
		return true;
	}
	return false;
}

static struct peer *add(struct peer_names *names, const struct sockaddr *peer, const uint8_t *addr)
{
	struct peer *p = make_room(names) ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->names = names;
	memcpy(&p->from, peer, sockaddr_len(peer));
	memcpy(p->addr, addr, 16);
	co_queue_init(&p->answered);
	list_append(&names->peers, &p->link);
	names->n++;
	return p;
}

/* The first answer about @addr, for two seconds at most. The peer's entry may be another one, or gone, afterwards. */
static struct peer *coroutine_fn await(struct peer_names *names, struct peer *p, const uint8_t *addr)
{
	uint64_t old;
	int ret = 0;

	if (names->waiting >= WAITING_MAX)
		return p;
	names->waiting++;
	old = co_set_deadline(loop_now_ns(loop_self()) + PEER_NAMES_WAIT_NS);
	while (ret == 0 && p && p->asking && !p->known) {
		ret = co_queue_wait(&p->answered);
		p = find(names, addr);
	}
	co_restore_deadline(old);
	names->waiting--;
	return p;
}

int coroutine_fn peer_name(struct peer_names *names, const struct sockaddr *peer, const char **ret_name)
{
	uint8_t addr[16];
	struct peer *p;

	*ret_name = NULL;
	export_address(peer, addr);
	p = find(names, addr);
	if (!p && names->lookups < LOOKUPS_MAX)
		p = add(names, peer, addr);
	if (!p)
		return -EAGAIN;
	if (!p->asking && loop_now_ns(loop_self()) >= p->until_ns && names->lookups < LOOKUPS_MAX)
		begin(names, p);
	if (!p->known && p->asking)
		p = await(names, p, addr);
	if (!p || !p->known)
		return -EAGAIN;
	*ret_name = p->name;
	return 0;
}
