/* bricks/brick.c: the server as a whole: its life, its connections, and the news that its file system went or came back. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bricks/internal.h"
#include "runtime/loop.h"
#include "xlators/graph.h"

#define BRICK_IO_MAX (8u << 20) /* of one READ or WRITE: Samba goes so far, through GlusterFS's client library */
#define DEFAULT_FDS 65536
#define DEAD_CLIENT_S 40		/* its locks hold others up for no longer */
#define DEFAULT_INFLIGHT 256

static void conn_opened(struct rpc_conn *rpc, void *user)
{
	struct brick_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		rpc_conn_close(rpc);
		return;
	}
	conn->rpc = rpc;
	conn->bs = user;
	list_init(&conn->link);
	rpc_conn_set_user(rpc, conn);
}

static void conn_closed(struct rpc_conn *rpc, void *user)
{
	struct brick_conn *conn = rpc_conn_user(rpc);

	if (!conn)
		return;
	client_detach(conn);
	rpc_conn_set_user(rpc, NULL);
	free(conn);
}

static const struct rpc_program *const programs[] = {
	&brick_fop_program, &brick_gate_program, &brick_handshake_program, &brick_dump_program, NULL
};

/* One client must not open so many files that none are left for connections and for everybody else's calls. */
static unsigned default_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > DEFAULT_FDS)
		return DEFAULT_FDS;
	return (unsigned)(limit.rlim_cur / 4);
}

static int copy_conf(struct brick_server *bs, const struct brick_conf *conf)
{
	bs->name = strdup(conf->name ? conf->name : bs->graph->top->name);
	bs->volume_id = conf->volume_id ? strdup(conf->volume_id) : NULL;
	bs->auth_option = conf->auth_option;
	bs->auth_arg = conf->auth_arg;
	bs->max_fds = conf->max_fds ? conf->max_fds : default_fds();
	return bs->name && (bs->volume_id || !conf->volume_id) ? 0 : -ENOMEM;
}

int brick_server_new(struct loop *loop, struct graph *graph, const struct brick_conf *conf, struct error *err, struct brick_server **ret)
{
	struct brick_server *bs = calloc(1, sizeof(*bs));
	struct rpc_service service = {
		.name = "brick", .programs = programs, .tls = conf->tls,
		.user = bs, .opened = conn_opened, .closed = conn_closed, .cancel_on_close = true,
		.limits = { .max_record = BRICK_IO_MAX + (64u << 10), .max_stranger_record = 64u << 10, .max_conns = conf->max_conns,
			    .max_inflight = conf->max_inflight ? conf->max_inflight : DEFAULT_INFLIGHT,
			    .max_held = 2 * BRICK_IO_MAX, .dead_s = DEAD_CLIENT_S },
	};
	uint8_t uuid[16];
	int status;

	if (!bs)
		return error_set(err, -ENOMEM, "out of memory");
	brick_programs_init();
	bs->loop = loop;
	bs->graph = graph;
	bs->up = true;
	list_init(&bs->clients);
	gfid_new(loop, uuid);
	gfid_text(uuid, bs->uuid);
	status = copy_conf(bs, conf);
	if (!status)
		status = rpc_server_new(loop, &service, &bs->rpc);
	if (status < 0) {
		brick_server_free(bs);
		return error_set(err, status, "cannot set up the brick's server: %s", strerror(-status));
	}
	*ret = bs;
	return 0;
}

int brick_server_listen(struct brick_server *bs, const struct sockaddr *addr, struct error *err, uint16_t *ret_port)
{
	return rpc_server_listen(bs->rpc, addr, err, ret_port);
}

void brick_server_event(struct brick_server *bs, enum xl_event ev)
{
	bool up = ev == XL_UP;
	struct list *pos;

	if ((ev != XL_UP && ev != XL_DOWN) || bs->up == up)
		return;
	bs->up = up;
	list_for_each(pos, &bs->clients)
		callback_child(list_entry(pos, struct brick_client, link), up);
}

int coroutine_fn brick_server_drain(struct brick_server *bs)
{
	return rpc_server_drain(bs->rpc);
}

void brick_server_free(struct brick_server *bs)
{
	if (!bs)
		return;
	if (bs->rpc)
		rpc_server_free(bs->rpc);
	free(bs->name);
	free(bs->volume_id);
	free(bs);
}

unsigned brick_server_clients(const struct brick_server *bs)
{
	return bs->nclients;
}
