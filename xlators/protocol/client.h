/* xlators/protocol/client.h: protocol/client's own parts, shared by its files only. */
#ifndef XLATORS_PROTOCOL_CLIENT_H
#define XLATORS_PROTOCOL_CLIENT_H

#include "rpc/rpc.h"
#include "rpc/tls.h"
#include "runtime/sync.h"
#include "xlators/gfwire.h"

enum client_state { CLIENT_UNKNOWN, CLIENT_UP, CLIENT_DOWN };

struct pclient {
	char *remote_host, *remote_subvolume, *username, *password, *volume_id;
	int64_t remote_port;
	uint64_t ping_timeout_ms, frame_timeout_ms;
	bool send_gids, tls_enabled;
	struct tls_conf tls_conf;
	char *ignored;			/* options of stock volfiles that change nothing here land here, as text */

	struct xlator *xl;
	struct rpc_client *rpc;
	struct tls_context *tls;	/* NULL: plain */
	struct tls_context *manager_tls;	/* to who tells the brick's port; borrowed */
	enum client_state state;
	bool extension;			/* the peer serves GATE_PROGRAM */
	bool inode_times;		/* it does not go by trusted.glusterfs.mdata */
	bool tells_health;		/* it answers GATE_PROC_HEALTH */
	bool child_down;		/* handshake done, but the brick's file system is away */
	bool silent;			/* given up (client_silent.c): down for the graph, and the connection stands */
	bool settling;			/* the locks in @owed are being given back */
	uint32_t lease_s;		/* as the brick promised, while @silent hides it */
	unsigned giving_back;		/* unlocks under way */
	uint64_t silent_since_ns;
	struct list lock_waits, owed;	/* struct lock_job: with a waiter; locks to be given back when all is answered */
	struct timer silent_too_long;
	bool stopping;
	struct co_gate background;	/* coroutines that outlive the call that started them */
	unsigned connects;
	uint64_t refused;		/* a hash of what the brick's last refusal said: the log has it; 0: none */
	char context[GFID_TEXT_SIZE];
	char server_uuid[128];
	struct client_scratch {		/* client_durable.c: the unlinked file whose fsync commits entry changes of a stock brick */
		uint64_t epoch;		/* of the connection that @fd belongs to; 0: none */
		struct inode *inode;
		int64_t fd;
		uint32_t counter;
		struct commit_group *open, *running;
	} scratch;
};

/* client_call.c. One procedure of the FOP program for @call; @durable: through the extension program. */
struct client_op {
	enum fop op;
	uint32_t proc;
	bool durable;
	int64_t fd;			/* in: the brick's number or GF_FD_ANONYMOUS; out: of OPEN, OPENDIR, CREATE */
	bool outlasts;			/* goes on, and may be begun, while the brick is given up */
};
int coroutine_fn client_send(struct pclient *pc, struct call *call, struct client_op *op, const void *args, void *res);
/* Any other call on this connection, with the caller's credential. */
int coroutine_fn client_rpc(struct pclient *pc, struct call *call, struct rpc_call *rc);
/* 0 or -errno that a reply's first two words say. */
int client_status(const struct gfwire_head *head);

/* client_handshake.c */
int coroutine_fn client_locate(void *user, struct sockaddr_storage *ret_addrs, unsigned max);
int coroutine_fn client_handshake(struct rpc_client *c, void *user);
int coroutine_fn client_ping(struct rpc_client *c, void *user);

/* client_upcall.c */
void coroutine_fn client_callback(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs, struct arena *arena);

/* client.c */
void client_match_state(struct pclient *pc);	/* to what is known of connection, brick and silence; tells the parents */

/* client_lock.c: waiting locks that survive an interrupted waiter and are given back then. */
int coroutine_fn client_inodelk_wait(struct pclient *pc, struct call *call, const struct inodelk_args *args);
int coroutine_fn client_entrylk_wait(struct pclient *pc, struct call *call, const struct entrylk_args *args);
/* Locks and unlocks that need no waiting. */
int coroutine_fn client_inodelk_now(struct pclient *pc, struct call *call, const struct inodelk_args *args);
int coroutine_fn client_entrylk_now(struct pclient *pc, struct call *call, const struct entrylk_args *args);
void client_lock_waits_end(struct pclient *pc);	/* those who wait get -ENOTCONN; what is granted later is given back */
void client_give_back_owed(struct pclient *pc);	/* in the background; pc->giving_back counts them */
void client_forget_owed(struct pclient *pc);

/* client_silent.c: a brick that is not waited for any more. */
void client_give_up(struct xlator *xl);
void client_settled(void *user);		/* it has answered all that was given up */
void client_settle(struct pclient *pc);
void client_silence_ended(struct pclient *pc);	/* with the connection */
void client_silence_init(struct pclient *pc);

/* client_memory.c: what a stock brick answers by name. LOOKUP: what to ask for beside @want (in @room); the answer's times are made right. */
const struct xattr_want *client_want_times(const struct pclient *pc, const struct xattr_want *want, struct xattr_want *room);
void coroutine_fn client_check_times(struct pclient *pc, struct call *call, struct lookup_res *res);
/* READDIRP: attributes of the entries that have come with their gfid alone (gfwire_dir.c); absent when they cannot be had. */
void coroutine_fn client_check_entries(struct pclient *pc, struct call *call, struct readdir_res *res);

/* client_durable.c: after a successful change through a stock brick, make it stable: 0 or why it may not be. */
bool client_needs_commit(const struct call *call, enum fop op);
int coroutine_fn client_make_durable(struct pclient *pc, struct call *call, enum fop op, const void *args, const void *res);
void client_scratch_drop(struct pclient *pc);

#endif
