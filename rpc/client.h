/* rpc/client.h: what the two files of the client share. */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "rpc/link.h"
#include "rpc/rpc.h"
#include "runtime/sync.h"

struct rpc_pending;

/* Calls that wait for their reply, by xid: open addressing; xids count up, so there are hardly ever collisions. */
struct rpc_pending_table { struct rpc_pending **slots; uint32_t size, count; };

enum rpc_client_state { RPC_CLIENT_DOWN, RPC_CLIENT_HANDSHAKE, RPC_CLIENT_UP };

struct rpc_client {
	struct rpc_client_conf conf;
	struct loop *loop;
	struct rpc_link link;
	enum rpc_client_state state;
	struct coroutine *main;		/* the one that keeps the connection */
	struct co_wait lost;		/* main waits here while the connection stands */
	struct co_wait nap;		/* ... and here between attempts */
	struct co_gate gate;		/* main, calls, callbacks, pings: all that must end before the struct goes */
	bool closing, waiting, napping, kicked, ever;
	int why;			/* the connection was lost for this reason */
	char reason[256], said[256];	/* ... for a human; and what the log has of it already */
	uint32_t next_xid, callbacks;
	uint64_t epoch;
	struct rpc_pending_table pending;
	uint32_t given_up;		/* of those, how many nobody waits for any more */
	uint64_t waiting_since_ns;	/* when the first of the outstanding calls was made */
	struct timer watchdog;
	bool pinging;
};

/* client.c */
void rpc_client_drop(struct rpc_client *c, int why);	/* closes the connection; everything outstanding fails */
/* client_call.c */
void rpc_client_record(struct rpc_link *l, const struct payload *record);
void rpc_client_fail_all(struct rpc_client *c, int why);
void rpc_client_on_watchdog(void *arg);

#endif
