/* rpc/replay_private.h: the duplicate-request cache as the dispatcher uses it. */
#ifndef RPC_REPLAY_PRIVATE_H
#define RPC_REPLAY_PRIVATE_H

#include <stdint.h>
#include <sys/socket.h>

#include "rpc/replay.h"

struct rpc_replay_entry;

struct rpc_replay_key {		/* zeroed before it is filled: it is hashed and compared as bytes */
	uint8_t address[16];
	uint32_t xid, prog, vers, proc;
	uint64_t checksum;
};

enum rpc_replay_state { RPC_REPLAY_NEW, RPC_REPLAY_RUNNING, RPC_REPLAY_DONE };

void rpc_replay_key_address(struct rpc_replay_key *key, const struct sockaddr_storage *peer);
/* NEW: an entry was made, to be ended with _finish or _abort. RUNNING and DONE: the one that is there. NULL entry:
 * no memory, run uncached. */
enum rpc_replay_state rpc_replay_begin(struct rpc_replay_cache *cache, const struct rpc_replay_key *key, void *owner,
				       struct rpc_replay_entry **ret_entry);
void *rpc_replay_owner(const struct rpc_replay_entry *entry);
const void *rpc_replay_reply(const struct rpc_replay_entry *entry, uint32_t *ret_len);
void rpc_replay_finish(struct rpc_replay_cache *cache, struct rpc_replay_entry *entry, const void *reply, uint32_t len);
void rpc_replay_abort(struct rpc_replay_cache *cache, struct rpc_replay_entry *entry);

#endif
