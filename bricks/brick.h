/* bricks/brick.h: a graph of translators served to clients by GlusterFS's brick protocol (facts/brick-wire.md), and by our extension of it
 * (PROTOCOL.md).
 *
 * One loop, one graph, any number of connections. A daemon has one of these; a test may have several in one process. */
#ifndef BRICKS_BRICK_H
#define BRICKS_BRICK_H

#include <sys/socket.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"
#include "xlators/xlator.h"

struct brick_server;
struct graph;
struct loop;
struct tls_context;

struct brick_conf {
	const char *name;		/* what clients ask for (remote-subvolume); NULL: the name of the graph's top */
	const char *volume_id;		/* text; a client that names another one is refused. NULL: not known */
	/* auth.addr.NAME.allow, auth.addr.NAME.reject, auth.login.NAME.allow, auth.login.USER.password, auth.login.NAME.ssl-allow: the
	 * value, or NULL. No function: everybody may connect. */
	const char *(*auth_option)(void *arg, const char *key);
	void *auth_arg;
	struct tls_context *tls;	/* NULL: plain; else each connection must speak TLS. Referenced */
	unsigned max_fds;		/* of one client; 0: 65536 */
	unsigned max_conns;		/* 0: 4096 */
	unsigned max_inflight;		/* calls of one connection; 0: 256 */
};

/* Copies @conf's texts. The graph stays the caller's and must outlive the server. 0 or -errno. */
int brick_server_new(struct loop *loop, struct graph *graph, const struct brick_conf *conf, struct error *err, struct brick_server **ret);
int brick_server_listen(struct brick_server *bs, const struct sockaddr *addr, struct error *err, uint16_t *ret_port);
/* What the graph's top reports (graph_conf.event): clients hear when the file system goes or comes. */
void brick_server_event(struct brick_server *bs, enum xl_event ev);
int coroutine_fn brick_server_drain(struct brick_server *bs);	/* finishes what is in flight; 0 or the interruption */
void brick_server_free(struct brick_server *bs);		/* releases every client's locks and fds; accepts NULL */
/* Writes who the clients are, and what they have and move, to @path (aside, then renamed into place). 0 or -errno. */
int coroutine_fn brick_server_dump(const struct brick_server *bs, const char *path);
unsigned brick_server_clients(const struct brick_server *bs);

#endif
