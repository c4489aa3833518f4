/* rpc/replay.h: the duplicate-request cache: a retransmitted non-idempotent call gets the answer of the first, not a
 * second execution.
 *
 * Key: client address without port, xid, program, version, procedure, checksum of the arguments. A call still in
 * progress swallows its duplicates (the first one's reply serves the client). Bounded by entries and bytes; finished
 * entries leave oldest first. */
#ifndef RPC_REPLAY_H
#define RPC_REPLAY_H

#include <stddef.h>
#include <stdint.h>

struct rpc_replay_cache;
struct rpc_replay_stats { uint64_t hits, in_progress, misses; size_t entries, bytes; };

struct rpc_replay_cache *rpc_replay_new(size_t max_entries, size_t max_bytes);	/* 0: 16384 and 8 MiB */
void rpc_replay_free(struct rpc_replay_cache *cache);
void rpc_replay_stats(const struct rpc_replay_cache *cache, struct rpc_replay_stats *ret_stats);

#endif
