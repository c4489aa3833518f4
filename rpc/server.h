/* rpc/server.h: what the files of the server share: the server, its connections, its datagram sockets, a call in
 * flight.
 *
 * A call's origin is where its reply goes: a connection or a datagram's sender. The rest of a call does not know the
 * difference. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include <netinet/in.h>

#include "rpc/link.h"
#include "rpc/message.h"
#include "rpc/refusal.h"
#include "rpc/replay_private.h"
#include "rpc/rpc.h"
#include "runtime/list.h"
#include "runtime/sync.h"

#define STRANGER_SLOTS 1024u	/* where two addresses meet, they are taken for one */

struct rpc_server {
	struct loop *loop;
	struct rpc_service service;
	struct list conns, listeners, sockets;
	unsigned nconns, inflight;
	uint64_t unsent, held;		/* bytes: replies of all connections; calls in flight with the replies they announced */
	uint64_t partial;		/* bytes: records that are not complete */
	uint16_t strangers[STRANGER_SLOTS];	/* connections that are not known, by address */
	bool draining, full;		/* full: at max_conns, the listeners are paused */
	struct timer sweep;		/* closes what stands still */
	struct timer starved;		/* serves what found no coroutine */
	struct co_queue changed;	/* a call ended or bytes left, while draining */
	struct refusals refusals;	/* hosts whose TLS failed: said once */
};

struct rpc_conn {
	struct rpc_link link;
	struct rpc_server *server;
	struct list in_server, jobs;
	struct sockaddr_storage peer;
	void *user;
	unsigned refs, inflight, waiting;	/* waiting: of those in flight, not counted against the bound */
	uint32_t notify_xid;
	uint64_t held;			/* bytes of calls in flight and of the replies they announced */
	char *name;			/* of the peer, from its certificate */
	bool serves;			/* its certificate is a host's */
	bool opened, gone;		/* opened(), closed() have been called */
	bool spoke;			/* it has called a program that is served here */
	bool known;			/* rpc_conn_known() */
	uint64_t since_ns;		/* when it was accepted */
	struct payload stash;		/* a record for which there was no coroutine */
};

/* From where a datagram came and at which of our addresses it arrived. */
struct rpc_udp_address {
	struct sockaddr_storage peer;
	union { struct in_pktinfo v4; struct in6_pktinfo v6; } local;
};

struct rpc_socket {
	struct rpc_server *server;
	struct list in_server;
	struct watch watch;
	sa_family_t family;
	unsigned inflight;
};

struct rpc_origin {
	struct rpc_server *server;
	struct rpc_conn *conn;			/* or */
	struct rpc_socket *socket;
	const struct rpc_udp_address *from;	/* of a datagram */
};

struct rpc_job {			/* lies in its own arena */
	struct rpc_request rq;
	struct rpc_origin origin;
	struct list in_conn;		/* or alone, over UDP */
	struct coroutine *co;
	void *args, *res;
	uint32_t held;			/* of the server's and the connection's */
	bool waiting, answered;		/* answered: before run() was done */
	struct timer limit;
	void (*late)(struct rpc_request *rq, void *res);
	struct rpc_replay_entry *replay;
	struct rpc_conn *reply_to;	/* a duplicate came by this newer connection: the client waits there */
};

/* dispatch.c. Serves one record. -EAGAIN: no coroutine was free, nothing has been done. -EBADMSG: this is not RPC,
 * close. 0 otherwise. */
int rpc_dispatch(const struct rpc_origin *from, const struct payload *record);
/* server.c: a call of @conn has ended. */
void rpc_conn_settled(struct rpc_conn *conn);
void rpc_server_settled(struct rpc_server *s);
/* udp.c: encodes and sends one datagram; what does not fit into 8 KiB is not sent. */
int rpc_udp_send(struct rpc_socket *socket, const struct rpc_udp_address *to, rpc_encode_fn *fn, void *arg,
		 const struct payload *tail);
void rpc_udp_close(struct rpc_socket *socket);
/* holder.c: who holds the port? "gatehouse (pid 12)" or "". Reads /proc: at start, or on a helper thread. */
void rpc_port_holder(uint16_t port, bool udp, char *buf, uint32_t size);

#endif
