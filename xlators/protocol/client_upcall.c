/* xlators/protocol/client_upcall.c: calls from the brick: invalidations, wanted locks, and whether its file system is there.
 *
 * An upcall goes up the graph synchronously: when xl_notify() returns, no translator above keeps what was invalidated. Then our own
 * bricks hear so, by the sequence number they sent along. */
#include <string.h>

#include "xlators/protocol/client.h"

static void coroutine_fn acknowledge(struct pclient *pc, struct arena *arena, const gf_bytes *xdata)
{
	struct gate_invalidated_req req;
	struct gate_status_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GATE_PROGRAM, .vers = GATE_VERSION, .proc = GATE_PROC_INVALIDATED, .args = &req, .res = &rsp, .outlasts = true,
	};
	struct call call;
	int64_t sequence;
	gfx_dict d;

	if (!pc->extension || !xdata->len)
		return;
	dict_init(&d, arena);
	if (dict_flat_decode(&d, arena, xdata->data, xdata->len) < 0 || !dict_get_int(&d, GATE_KEY_SEQUENCE, &sequence))
		return;
	req.sequence = (uint64_t)sequence;
	rc.encode = (xdrproc_t)(void (*)(void))xdr_gate_invalidated_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gate_status_rsp;
	call_init(&call, arena);
	client_rpc(pc, &call, &rc);	/* a lost one costs the brick its lease's time, nothing more */
}

static void coroutine_fn invalidation(struct pclient *pc, XDR *xdrs, struct arena *arena)
{
	struct gf_cbk_cache_invalidation body = { 0 };
	struct xl_upcall u = { .kind = UPCALL_INVALIDATE };

	if (!xdr_gf_cbk_cache_invalidation(xdrs, &body) || !gfid_parse(body.gfid, u.gfid))
		return;
	u.flags = body.flags;
	gfwire_get_iatt_old(&body.stat, &u.stat);
	gfwire_get_iatt_old(&body.parent, &u.parent);
	gfwire_get_iatt_old(&body.oldparent, &u.oldparent);
	xl_notify(pc->xl, XL_UPCALL, &u);
	acknowledge(pc, arena, &body.xdata);
}

static void coroutine_fn inodelk_wanted(struct pclient *pc, XDR *xdrs)
{
	struct gf_cbk_inodelk_contention body = { 0 };
	struct xl_upcall u = { .kind = UPCALL_INODELK_CONTENTION };

	if (!xdr_gf_cbk_inodelk_contention(xdrs, &body))
		return;
	memcpy(u.gfid, body.gfid, 16);
	u.domain = body.domain;
	u.type = body.flock.type == 0 ? LOCK_READ : LOCK_WRITE;
	u.start = body.flock.start;
	u.len = body.flock.len;
	xl_notify(pc->xl, XL_UPCALL, &u);
}

static void coroutine_fn entrylk_wanted(struct pclient *pc, XDR *xdrs)
{
	struct gf_cbk_entrylk_contention body = { 0 };
	struct xl_upcall u = { .kind = UPCALL_ENTRYLK_CONTENTION };

	if (!xdr_gf_cbk_entrylk_contention(xdrs, &body))
		return;
	memcpy(u.gfid, body.gfid, 16);
	u.domain = body.domain;
	u.name = body.name && *body.name ? body.name : NULL;
	u.type = body.type == 0 ? LOCK_READ : LOCK_WRITE;
	xl_notify(pc->xl, XL_UPCALL, &u);
}

void coroutine_fn client_callback(void *user, uint32_t prog, uint32_t vers, uint32_t proc, XDR *xdrs, struct arena *arena)
{
	struct pclient *pc = user;

	if (prog != GF_CALLBACK_PROGRAM || vers != GF_CALLBACK_VERSION || pc->stopping)
		return;
	switch (proc) {
	case GF_CBK_CACHE_INVALIDATION:
		invalidation(pc, xdrs, arena);
		break;
	case GF_CBK_INODELK_CONTENTION:
		inodelk_wanted(pc, xdrs);
		break;
	case GF_CBK_ENTRYLK_CONTENTION:
		entrylk_wanted(pc, xdrs);
		break;
	case GF_CBK_CHILD_UP:
		pc->child_down = false;
		client_match_state(pc);
		break;
	case GF_CBK_CHILD_DOWN:
		pc->child_down = true;
		client_match_state(pc);
		break;
	default:
		break;		/* volfile changes and the like: not our business */
	}
}
