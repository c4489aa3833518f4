/* bricks/internal.h: the server's parts among themselves: clients, their fds, the programs. */
#ifndef BRICKS_INTERNAL_H
#define BRICKS_INTERNAL_H

#include "bricks/brick.h"
#include "rpc/refusal.h"
#include "rpc/rpc.h"
#include "runtime/list.h"
#include "xlators/gfwire.h"

/* fdtable.c: numbers for open files, the lowest free one first. */
struct fdtable { struct fd **v; uint32_t size, used, lowest, max; };
int fdtable_add(struct fdtable *t, struct fd *fd, int64_t *ret_number);	/* takes the reference; -EMFILE, -ENOMEM */
struct fd *fdtable_get(const struct fdtable *t, int64_t number);	/* borrowed; NULL when there is none */
void fdtable_remove(struct fdtable *t, int64_t number);
void fdtable_clear(struct fdtable *t);

/* clients.c: whoever shares a process-uuid is one client, whatever the number of its connections. */
struct brick_client {
	struct client base;		/* first: translators see this */
	struct brick_server *bs;
	struct list link, conns;	/* of the server; of its connections */
	struct fdtable fds;
	unsigned waiting;		/* calls of it that wait for a lock */
	int64_t opversion;		/* as it said; 0: it did not */
	bool owner_required;		/* it said an opversion that makes locks without an owner an error */
	char uuid[];
};

struct brick_conn {
	struct rpc_conn *rpc;
	struct brick_server *bs;
	struct brick_client *client;	/* NULL before SETVOLUME */
	struct list link;
};

struct brick_server {
	struct loop *loop;
	struct graph *graph;
	struct rpc_server *rpc;
	char *name, *volume_id;
	char uuid[GFID_TEXT_SIZE];	/* of this server process: another one means that unstable data may be lost */
	const char *(*auth_option)(void *arg, const char *key);
	void *auth_arg;
	unsigned max_fds, nclients, waiting;	/* waiting: calls of all clients that wait for locks */
	bool up;
	struct list clients;
	struct refusals refusals;	/* hosts that may not come in: said once */
};

int client_attach(struct brick_conn *conn, const char *uuid, struct brick_client **ret_client);
void client_detach(struct brick_conn *conn);
static inline struct brick_conn *brick_conn_of(const struct rpc_request *rq) { return rpc_conn_user(rq->conn); }

/* callback.c: calls to the client. */
int callback_upcall(struct client *client, const struct xl_upcall *upcall);
void callback_child(struct brick_client *c, bool up);

/* auth.c. Who wants to come in; @certificate: the CN of its certificate, NULL without TLS. */
struct auth_claim { const struct sockaddr *peer; const char *certificate, *username, *password; };
/* 0, or -EACCES and which rule refuses. @trusted: a login was accepted. */
int auth_check(const struct brick_server *bs, const struct auth_claim *claim, bool *ret_trusted, const char **ret_rule);

/* handshake.c and server.c: the programs. */
extern const struct rpc_program brick_dump_program, brick_handshake_program;
extern struct rpc_program brick_fop_program, brick_gate_program;
void brick_programs_init(void);

#endif
