/* rpc/replay.c: the duplicate-request cache.
 *
 * Entries of running calls are not evicted: their number is bounded by the calls in flight. Finished ones keep the
 * whole reply and leave oldest first when a bound is reached. A reply too large to be kept is not remembered; none
 * of the procedures concerned has one. */
#include "rpc/replay_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hash.h"
#include "runtime/list.h"

#define ENTRIES_DEFAULT 16384u
#define BYTES_DEFAULT (8u << 20)

struct rpc_replay_entry {
	struct hash_link link;
	struct list age;		/* finished ones, oldest first */
	struct rpc_replay_key key;
	void *owner;			/* the running call */
	uint32_t len;
	uint8_t *reply;			/* NULL while running */
};

struct rpc_replay_cache {
	struct hash_table table;
	struct list finished;
	size_t max_entries, max_bytes, bytes;
	uint64_t hits, in_progress, misses;
};

struct rpc_replay_cache *rpc_replay_new(size_t max_entries, size_t max_bytes)
{
	struct rpc_replay_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	hash_init(&c->table);
	list_init(&c->finished);
	c->max_entries = max_entries ? max_entries : ENTRIES_DEFAULT;
	c->max_bytes = max_bytes ? max_bytes : BYTES_DEFAULT;
	return c;
}

static size_t cost(const struct rpc_replay_entry *e)
{
	return sizeof(*e) + e->len;
}

static void forget(struct rpc_replay_cache *c, struct rpc_replay_entry *e)
{
	hash_remove(&c->table, &e->link);
	list_remove(&e->age);
	c->bytes -= cost(e);
	free(e->reply);
	free(e);
}

void rpc_replay_free(struct rpc_replay_cache *c)
{
	if (!c)
		return;
	while (!list_empty(&c->finished))
		forget(c, list_first(&c->finished, struct rpc_replay_entry, age));
	hash_fini(&c->table);
	free(c);
}

void rpc_replay_stats(const struct rpc_replay_cache *c, struct rpc_replay_stats *ret_stats)
{
	*ret_stats = (struct rpc_replay_stats){
		.hits = c->hits, .in_progress = c->in_progress, .misses = c->misses,
		.entries = c->table.count, .bytes = c->bytes,
	};
}

void rpc_replay_key_address(struct rpc_replay_key *key, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *in = (const struct sockaddr_in *)peer;

	if (peer->ss_family == AF_INET6) {
		memcpy(key->address, &in6->sin6_addr, 16);
		return;
	}
	/* as a mapped address, so that both families of one host are one client */
	key->address[10] = key->address[11] = 0xff;
	memcpy(key->address + 12, &in->sin_addr, 4);
}

static struct rpc_replay_entry *find(struct rpc_replay_cache *c, const struct rpc_replay_key *key, uint64_t hash)
{
	struct hash_link *l;

	for (l = hash_find(&c->table, hash); l; l = hash_next(l))
		if (!memcmp(&container_of(l, struct rpc_replay_entry, link)->key, key, sizeof(*key)))
			return container_of(l, struct rpc_replay_entry, link);
	return NULL;
}

static void evict(struct rpc_replay_cache *c)
{
	while ((c->table.count > c->max_entries || c->bytes > c->max_bytes) && !list_empty(&c->finished))
		forget(c, list_first(&c->finished, struct rpc_replay_entry, age));
}

enum rpc_replay_state rpc_replay_begin(struct rpc_replay_cache *c, const struct rpc_replay_key *key, void *owner,
				       struct rpc_replay_entry **ret_entry)
{
	uint64_t hash = hash_bytes(key, sizeof(*key), 0);
	struct rpc_replay_entry *e = find(c, key, hash);

	*ret_entry = e;
	if (e && e->reply) {
		c->hits++;
		return RPC_REPLAY_DONE;
	}
	if (e) {
		c->in_progress++;
		return RPC_REPLAY_RUNNING;
	}
	c->misses++;
	e = calloc(1, sizeof(*e));
	if (!e)
		return RPC_REPLAY_NEW;
	e->key = *key;
	e->owner = owner;
	list_init(&e->age);
	hash_insert(&c->table, &e->link, hash);
	c->bytes += cost(e);
	evict(c);
	*ret_entry = e;
	return RPC_REPLAY_NEW;
}

void *rpc_replay_owner(const struct rpc_replay_entry *e)
{
	return e->owner;
}

const void *rpc_replay_reply(const struct rpc_replay_entry *e, uint32_t *ret_len)
{
	*ret_len = e->len;
	return e->reply;
}

void rpc_replay_finish(struct rpc_replay_cache *c, struct rpc_replay_entry *e, const void *reply, uint32_t len)
{
	e->owner = NULL;
	e->reply = malloc(len ? len : 1);
	if (!e->reply) {
		forget(c, e);
		return;
	}
	memcpy(e->reply, reply, len);
	e->len = len;
	c->bytes += len;
	list_append(&c->finished, &e->age);
	evict(c);
}

void rpc_replay_abort(struct rpc_replay_cache *c, struct rpc_replay_entry *e)
{
	forget(c, e);
}
