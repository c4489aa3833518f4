/* bricks/clients.c: client objects: owners of locks and open files.
 *
 * Connections whose SETVOLUME says the same process-uuid share one object. With the last connection everything it owns is released; what
 * still refers to it (a lock table's queue) keeps the struct alive, not its rights. */
#include <stdlib.h>
#include <string.h>

#include "bricks/internal.h"
#include "runtime/log.h"
#include "xlators/graph.h"

static void client_free(struct client *base)
{
	free(container_of(base, struct brick_client, base));
}

static struct brick_client *client_find(struct brick_server *bs, const char *uuid)
{
	struct brick_client *c;
	struct list *pos;

	list_for_each(pos, &bs->clients) {
		c = list_entry(pos, struct brick_client, link);
		if (!strcmp(c->uuid, uuid))
			return c;
	}
	return NULL;
}

static struct brick_client *client_new(struct brick_server *bs, const char *uuid)
{
	size_t size = strlen(uuid) + 1;
	struct brick_client *c = calloc(1, sizeof(*c) + size);

	if (!c)
		return NULL;
	memcpy(c->uuid, uuid, size);
	c->bs = bs;
	c->base.uuid = c->uuid;
	c->base.refs = 1;
	c->base.notify = callback_upcall;
	c->base.free = client_free;
	c->fds.max = bs->max_fds;
	list_init(&c->conns);
	list_append(&bs->clients, &c->link);
	bs->nclients++;
	return c;
}

int client_attach(struct brick_conn *conn, const char *uuid, struct brick_client **ret_client)
{
	struct brick_client *c = client_find(conn->bs, uuid);

	if (!c)
		c = client_new(conn->bs, uuid);
	if (!c)
		return -ENOMEM;
	conn->client = c;
	list_append(&c->conns, &conn->link);
	*ret_client = c;
	return 0;
}

void client_detach(struct brick_conn *conn)
{
	struct brick_client *c = conn->client;

	conn->client = NULL;
	list_remove(&conn->link);
	if (!c || !list_empty(&c->conns))
		return;
	log_info("client is gone", "client=%s", log_quote(c->uuid));
	list_remove(&c->link);
	c->bs->nclients--;
	graph_client_gone(c->bs->graph, &c->base);
	fdtable_clear(&c->fds);
	client_unref(&c->base);
}
