/* bricks/callback.c: calls from the brick to its client: they get no reply (facts/brick-wire.md section 13).
 *
 * A client that knows our extension finds a sequence number in the xdata of an invalidation and acknowledges it (PROTOCOL.md). */
#include <string.h>

#include "bricks/internal.h"

#define CALLBACK_ARENA 16384

static struct rpc_conn *any_conn(const struct brick_client *c)
{
	return list_empty(&c->conns) ? NULL : list_first(&c->conns, struct brick_conn, link)->rpc;
}

static int send_call(const struct brick_client *c, uint32_t proc, xdrproc_t encode, const void *body)
{
	struct rpc_conn *conn = any_conn(c);

	return conn ? rpc_conn_notify(conn, GF_CALLBACK_PROGRAM, GF_CALLBACK_VERSION, proc, encode, body) : -ENOTCONN;
}

static int flat(gfx_dict *d, gf_bytes *ret_bytes)
{
	ret_bytes->len = dict_flat_size(d);
	ret_bytes->data = arena_alloc(d->arena, ret_bytes->len);
	return ret_bytes->data ? dict_flat_encode(d, ret_bytes->data, ret_bytes->len) : -ENOMEM;
}

static int send_invalidation(const struct brick_client *c, const struct xl_upcall *u, struct arena *arena)
{
	char gfid[GFID_TEXT_SIZE];
	struct gf_cbk_cache_invalidation body = {
		.gfid = gfid_text(u->gfid, gfid), .event_type = 1, .flags = u->flags, .expire_seconds = u->expire_s,
	};
	gfx_dict d;
	int ret;

	gfwire_put_iatt_old(&u->stat, &body.stat);
	gfwire_put_iatt_old(&u->parent, &body.parent);
	gfwire_put_iatt_old(&u->oldparent, &body.oldparent);
	if (u->sequence) {
		if (!c->base.acknowledges)
			return -EOPNOTSUPP;
		dict_init(&d, arena);
		ret = dict_set_uint(&d, GATE_KEY_SEQUENCE, u->sequence);
		if (!ret)
			ret = flat(&d, &body.xdata);
		if (ret < 0)
			return ret;
	}
	return send_call(c, GF_CBK_CACHE_INVALIDATION, (xdrproc_t)(void (*)(void))xdr_gf_cbk_cache_invalidation, &body);
}

static int send_inodelk(const struct brick_client *c, const struct xl_upcall *u)
{
	struct gf_cbk_inodelk_contention body = {
		.flock = { .type = u->type == LOCK_READ ? 0 : 1, .start = u->start, .len = u->len },
		.domain = (char *)(uintptr_t)u->domain,
	};

	memcpy(body.gfid, u->gfid, 16);
	return send_call(c, GF_CBK_INODELK_CONTENTION, (xdrproc_t)(void (*)(void))xdr_gf_cbk_inodelk_contention, &body);
}

/* Stock clients never see this one from stock bricks; ours do. */
static int send_entrylk(const struct brick_client *c, const struct xl_upcall *u)
{
	struct gf_cbk_entrylk_contention body = {
		.type = u->type == LOCK_READ ? 0 : 1, .name = (char *)(uintptr_t)u->name, .domain = (char *)(uintptr_t)u->domain,
	};

	if (!c->base.acknowledges)
		return -EOPNOTSUPP;
	memcpy(body.gfid, u->gfid, 16);
	return send_call(c, GF_CBK_ENTRYLK_CONTENTION, (xdrproc_t)(void (*)(void))xdr_gf_cbk_entrylk_contention, &body);
}

int callback_upcall(struct client *client, const struct xl_upcall *u)
{
	const struct brick_client *c = container_of(client, struct brick_client, base);
	struct arena *arena;
	int ret;

	switch (u->kind) {
	case UPCALL_INODELK_CONTENTION:
		return send_inodelk(c, u);
	case UPCALL_ENTRYLK_CONTENTION:
		return send_entrylk(c, u);
	case UPCALL_INVALIDATE:
		break;
	}
	arena = arena_new(CALLBACK_ARENA);
	ret = send_invalidation(c, u, arena);
	arena_free(arena);
	return ret;
}

void callback_child(struct brick_client *c, bool up)
{
	send_call(c, up ? GF_CBK_CHILD_UP : GF_CBK_CHILD_DOWN, NULL, NULL);
}
