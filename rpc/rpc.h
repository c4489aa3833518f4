/* rpc/rpc.h: ONC RPC (RFC 5531) over record-marked TCP and over UDP; a program is a const table.
 *
 * Server: one readiness event reads once and serves every complete record it holds; each call runs in its own
 * coroutine; replies of one round leave in one writev. In-flight calls of a connection are bounded: past the bound
 * its socket is not read. Client: calls are pipelined; a connection that dies fails everything outstanding with
 * -ENOTCONN and comes back by itself with backoff and jitter. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

#include "runtime/arena.h"
#include "runtime/coroutine.h"
#include "runtime/error.h"
#include "runtime/iobuf.h"

struct loop;
struct rpc_conn;
struct rpc_server;
struct rpc_client;
struct rpc_replay_cache;
struct tls_context;

enum {
	RPC_FLAVOR_NONE = 0, RPC_FLAVOR_SYS = 1,
	RPC_FLAVOR_GLUSTER2 = 390039, RPC_FLAVOR_GLUSTER3 = 390040,	/* facts/brick-wire.md section 3 */
};

struct rpc_cred {
	uint32_t flavor, uid, gid, ngroups;
	const uint32_t *groups;
	int32_t pid;				/* GlusterFS flavours */
	uint32_t time_flags, ctime_nsec;	/* GlusterFS v3 */
	uint64_t ctime_sec;
	uint32_t lk_owner_len;
	const uint8_t *lk_owner;
};

/* What rpc_proc.run returns besides 0 (success: the result is sent): no reply at all, or the refusals of RFC 5531. */
enum rpc_verdict {
	RPC_OK = 0, RPC_DROP = 1, RPC_GARBAGE = 2, RPC_PROC_UNAVAILABLE = 3, RPC_SYSTEM_ERROR = 4,
	RPC_AUTH_BADCRED = 5, RPC_AUTH_TOOWEAK = 6,
};

struct rpc_request {
	struct rpc_conn *conn;		/* NULL over UDP */
	struct rpc_server *server;
	const struct rpc_program *program;
	const struct rpc_proc *proc;
	const struct sockaddr_storage *peer;
	uint32_t xid;
	uint64_t checksum;		/* of the arguments' bytes; computed for replay-cached procedures only */
	struct rpc_cred cred;
	struct arena *arena;		/* freed when the reply is sent */
	void *user[5];			/* run()'s own, until the arena goes; zeroed at first */
	/* call bytes after the decoded arguments (GlusterFS WRITE); borrowed from the record */
	struct payload tail;
	/* set by run(): bytes after the encoded result (GlusterFS READ); lives as long as the arena. All of a pipe where
	 * rpc_request_splices() */
	struct payload reply_tail;
};

/* A call that waits for another call of the same peer (a lock for its unlock) says so meanwhile: it does not count
 * against max_inflight then, or the one that would end the wait might never be read. Draining the server cancels it. */
void rpc_request_set_waiting(struct rpc_request *rq, bool waiting);
/* The call is answered at @at_ns at the latest, whatever run() is waiting for: late(rq, res) fills its zeroed result then. What
 * run() returns after that goes nowhere; when it has, late() is called once more, with NULL. It never parks. */
void rpc_request_answer_by(struct rpc_request *rq, uint64_t at_ns, void (*late)(struct rpc_request *rq, void *res));

bool rpc_request_splices(const struct rpc_request *rq);

enum rpc_replay { RPC_IDEMPOTENT, RPC_REPLAY_CACHED };

struct rpc_proc {
	const char *name;		/* NULL: not implemented, PROC_UNAVAIL */
	int coroutine_fn (*run)(struct rpc_request *rq, const void *args, void *res);	/* enum rpc_verdict */
	xdrproc_t decode, encode;	/* rpcgen's; NULL for void */
	uint32_t args_size, res_size;	/* both zeroed before use, in the arena */
	enum rpc_replay replay;
	uint32_t (*reply_bytes)(const void *args);	/* how long the reply may become when it can be long; NULL: short */
};

struct rpc_program {
	const char *name;
	uint32_t prog, vers, nprocs;
	/* indexed by procedure number; NULL procedure 0 is answered by the engine when it has no run() */
	const struct rpc_proc *procs;
	/* before decoding; enum rpc_verdict (e.g. no SETVOLUME yet). NULL: accept */
	int (*admit)(struct rpc_request *rq);
};

struct rpc_limits {
	uint32_t max_record;		/* 0: 1 MiB + 64 KiB; checked before allocation */
	uint32_t max_stranger_record;	/* the same until rpc_conn_known(); 0: as max_record */
	uint32_t max_inflight;		/* calls of one connection; 0: 128 */
	uint32_t max_conns;		/* 0: 4096 */
	/* reply bytes queued for a slow reader before its calls stop being read; 0: 4 MiB */
	uint32_t max_unsent;
	/* bytes of a connection's calls in flight and of the replies they announce; 0: 4 MiB */
	uint32_t max_held;
	/* Calls in flight, unsent replies and unfinished records of all connections, in bytes. Past it each may have one
	 * call. Where unfinished records hold half of it, the connection with the oldest is closed. 0: 256 MiB */
	uint32_t max_memory;
	uint32_t dead_s;		/* a peer that cannot be reached is gone after so long; 0: some minutes */
	uint32_t idle_ms;		/* a connection that sent half a record and then nothing; 0: 120 s */
	/* a stranger that has called nothing yet, or does not finish a record; 0: 10 s */
	uint32_t stranger_ms;
};

struct rpc_service {
	const char *name;			/* "nfs", "brick": for the log */
	/* NULL-terminated; PROG_MISMATCH tells the lowest and highest version here */
	const struct rpc_program *const *programs;
	struct rpc_limits limits;
	void *user;
	void (*opened)(struct rpc_conn *conn, void *user);	/* with TLS: after its handshake; may be NULL */
	void (*closed)(struct rpc_conn *conn, void *user);	/* after the last call of @conn ended; may be NULL */
	/* calls of a gone peer are cancelled (bricks: yes; NFS: no, they finish) */
	bool cancel_on_close;
	struct rpc_replay_cache *replay;	/* NULL: none. replay.h */
	struct tls_context *tls;		/* NULL: plain. Referenced. Over TCP every connection must speak TLS then. tls.h */
};

int rpc_server_new(struct loop *loop, const struct rpc_service *service, struct rpc_server **ret_server);
/* TCP, or a local socket; may be called for several addresses. 0 or -errno; the sentence of -EADDRINUSE names the holder when it can be
 * found. */
int rpc_server_listen(struct rpc_server *s, const struct sockaddr *addr, struct error *err, uint16_t *ret_port);
/* The same programs over UDP (replies above 8 KiB are not sent). Epoll loop only. */
int rpc_server_listen_udp(struct rpc_server *s, const struct sockaddr *addr, struct error *err, uint16_t *ret_port);
/* addresses.c: @one for each address of @list ("0.0.0.0,::"), with *port, which it may change. A host without IPv6 is no failure while something
 * else is listened on. */
typedef int rpc_listen_one(void *ctx, const struct sockaddr *addr, struct error *err, uint16_t *port);
int coroutine_fn rpc_listen_each(const char *list, rpc_listen_one *one, void *ctx, uint16_t *port, struct error *err);
void *rpc_server_user(const struct rpc_server *s);
/* Stops accepting and reading, lets calls in flight finish and replies leave, then closes all. 0, or the
 * interruption. */
int coroutine_fn rpc_server_drain(struct rpc_server *s);
/* closes what is left; closed() is called for each. No call may be running */
void rpc_server_free(struct rpc_server *s);
unsigned rpc_server_conns(const struct rpc_server *s);

/* The peer has shown that it may use the service (it attached, it uses an export). Connections that are not known are
 * closed for newer ones at max_conns, first the idlest of the address that has most of them. */
void rpc_conn_known(struct rpc_conn *conn);
void rpc_conn_set_user(struct rpc_conn *conn, void *user);
void *rpc_conn_user(const struct rpc_conn *conn);
const struct sockaddr_storage *rpc_conn_peer(const struct rpc_conn *conn);
void rpc_conn_bytes(const struct rpc_conn *conn, uint64_t *ret_received, uint64_t *ret_sent);
/* With TLS: the CN of the peer's certificate, "" when it has none; NULL without. Lives as long as @conn. */
const char *rpc_conn_peer_name(const struct rpc_conn *conn);
bool rpc_conn_peer_serves(const struct rpc_conn *conn);	/* its certificate is a host's (tls_peer_serves()) */
/* The peer is one of ours: its messages may share TLS records, which a stock peer would not read to their end. */
void rpc_conn_mix(struct rpc_conn *conn);
struct rpc_conn *rpc_conn_ref(struct rpc_conn *conn);	/* the struct stays; the socket may be gone */
void rpc_conn_unref(struct rpc_conn *conn);
void rpc_conn_close(struct rpc_conn *conn);		/* from the server's side */
/* Server to client: a call that gets no reply (GlusterFS callbacks). -ENOTCONN when it is gone, -ENOBUFS past
 * max_unsent. */
int rpc_conn_notify(struct rpc_conn *conn, uint32_t prog, uint32_t vers, uint32_t proc, xdrproc_t encode,
		    const void *args);

/* --- client --------------------------------------------------------------------------------------------------- */

struct rpc_client_conf {
	const char *name;			/* for the log: "demo-client-0" */
	const char *host;			/* literal or name; resolved anew at each attempt */
	uint16_t port;
	const struct sockaddr *from;		/* NULL, or the local address (simulation) */
	/* from a port below 1024, if we may: rpcbind and strict bricks ask for it */
	bool privileged;
	/* Asked before each attempt when set, to find address and port (portmapper lookups). Count or -errno. */
	int coroutine_fn (*locate)(void *user, struct sockaddr_storage *ret_addrs, unsigned max);
	/* after connect; calls work inside; -errno drops it */
	int coroutine_fn (*handshake)(struct rpc_client *c, void *user);
	void (*up)(void *user);			/* the handshake succeeded */
	void (*down)(void *user, int why);	/* it was up and is not now, or the very first attempt failed */
	void (*settled)(void *user);		/* after rpc_client_give_up(); never parks; may be NULL */
	/* A call from the server (callback program); decode from @xdrs. Runs in a coroutine. NULL: ignored. */
	void coroutine_fn (*callback)(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs,
				      struct arena *arena);
	void *user;
	bool quiet;				/* connections that fail or break are for the owner to tell of */
	/* NULL: plain. Referenced. handshake() runs inside TLS; have one, because a server refuses our certificate only after
	 * TLS is done on our side */
	struct tls_context *tls;
	uint32_t max_record;			/* 0: 1 MiB + 64 KiB */
	uint32_t connect_ms, backoff_min_ms, backoff_max_ms;	/* 0: 5000, 100, 3000 */
	/* silence while calls are outstanding before a ping, and how long that may take; 0: none */
	uint32_t ping_ms, ping_timeout_ms;
	int coroutine_fn (*ping)(struct rpc_client *c, void *user);
};

/* copies @conf; starts connecting */
struct rpc_client *rpc_client_new(struct loop *loop, const struct rpc_client_conf *conf);
/* fails what is outstanding with -ENOTCONN and waits for it */
void coroutine_fn rpc_client_free(struct rpc_client *c);
bool rpc_client_is_up(const struct rpc_client *c);
void rpc_client_kick(struct rpc_client *c);		/* drop the backoff: try now */
void rpc_client_disconnect(struct rpc_client *c, int why);	/* drops the connection; it comes back */
/* Fails what is outstanding with -ENOTCONN at once, but for calls that outlast it, and keeps the connection. What the server was
 * sent it may still execute: conf.settled() is called, once, when it has answered all of that. Not called when the connection is
 * lost before, nor when 0 is returned: the number of calls that were given up. */
unsigned rpc_client_give_up(struct rpc_client *c);
uint64_t rpc_client_epoch(const struct rpc_client *c);	/* counts successful handshakes */
void rpc_client_mix(struct rpc_client *c);		/* in handshake(): the server is one of ours. As rpc_conn_mix() */
/* Why there is no connection, for a human: the TLS layer's sentence or the errno's text; "" while there is one. */
const char *rpc_client_reason(const struct rpc_client *c);

struct rpc_call {
	uint32_t prog, vers, proc;
	const struct rpc_cred *cred;		/* NULL: AUTH_NONE */
	xdrproc_t encode, decode;		/* NULL for void */
	const void *args;
	void *res;				/* zeroed by whoever makes the call */
	/* results live here; payloads borrow from the reply record, which lives as long as the arena */
	struct arena *arena;
	struct payload tail;			/* sent after the arguments, outside XDR */
	struct payload *ret_tail;		/* bytes after the decoded result; NULL when none is expected */
	bool outlasts;				/* goes on when the others are given up */
};
/* One call. 0; -ENOTCONN (not up, or lost while waiting: it may have been executed); -ETIMEDOUT, -ECANCELED (the
 * park); -EPROTO (a refusal or an undecodable reply), -EOPNOTSUPP (PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL),
 * -EACCES (AUTH_ERROR), -E2BIG, -ENOMEM. */
int coroutine_fn rpc_client_call(struct rpc_client *c, struct rpc_call *call);

/* local.c: is @peer, which is connected to our @port at its own address, a process of root on this host? What cannot be found out is no. */
bool rpc_peer_is_root(const struct sockaddr *peer, uint16_t port);
/* holder.c: does process @pid listen on TCP @port? Reads /proc: at start, or on a helper thread. */
bool rpc_listens(int pid, uint16_t port);

#endif
