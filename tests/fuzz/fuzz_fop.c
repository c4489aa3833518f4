/* What a client may send to a brick as arguments, and a brick to a client as a result: from the record to typed fields and back.
 *
 * The first byte chooses the procedure, the second one whether it is a call or a reply. */
#include <stdlib.h>
#include <string.h>

#include "xlators/gfwire.h"

#define RECORD_MAX (64u << 10)
#define OUT_MAX (8 * RECORD_MAX)
#define ARENA_LIMIT (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(xdrproc_t coder, void *from, struct arena *arena)
{
	static uint8_t out[OUT_MAX];
	struct wire w;
	XDR xdrs;

	wire_encode_init(&xdrs, &w, out, OUT_MAX, arena);
	coder(&xdrs, from);
}

/* Objects: all that is needed of one is its gfid. */
static void place(union fop_args *args, uint8_t at, const uint8_t *gfid, struct inode *inode)
{
	if (!gfid || at == GFWIRE_NONE)
		return;
	memcpy(inode->gfid, gfid, 16);
	memcpy((char *)args + at, &inode, sizeof(inode));
}

static void fuzz_call(const struct gfwire_proc *p, const void *req, struct arena *arena)
{
	struct gfwire gw = { .arena = arena, .fd = GF_FD_ANONYMOUS };
	static struct inode one, two;
	static union fop_args args;
	uint64_t again[GFWIRE_REQ_MAX / 8] = { 0 };

	memset(&args, 0, sizeof(args));
	if (p->get_args(&gw, req, &args) < 0)
		return;
	place(&args, gfwire_places[p->op].inode, gw.gfid, &one);
	place(&args, gfwire_places[p->op].inode2, gw.gfid2, &two);
	gfwire_objects_of(&gw, p->op, &args);
	if (p->put_args(&gw, &args, again) == 0)
		encode(p->xdr_req, again, arena);
}

static void fuzz_reply(const struct gfwire_proc *p, const void *rsp, struct arena *arena)
{
	struct gfwire gw = { .arena = arena, .fd = GF_FD_ANONYMOUS, .want_stats = true };
	static union fop_args args;
	static union fop_res res;
	static uint64_t again[GFWIRE_RSP_MAX / 8];

	memset(&args, 0, sizeof(args));
	memset(&res, 0, sizeof(res));
	memset(again, 0, sizeof(again));
	if (p->op == FOP_lookup)
		args.lookup.content_max = 1 << 20;
	if (p->get_error)
		p->get_error(&gw, &args, rsp, &res);
	if (p->get_res(&gw, &args, rsp, &res) == 0 && p->put_res(&gw, &args, &res, again) == 0)
		encode(p->xdr_rsp, again, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iobuf record = { .refs = 1, .size = (uint32_t)size, .data = (uint8_t *)(uintptr_t)data };
	uint64_t body[GFWIRE_RSP_MAX / 8] = { 0 };
	const struct gfwire_proc *p;
	struct arena *arena;
	struct wire w;
	XDR xdrs;

	if (size < 2 || size > RECORD_MAX)
		return 0;
	p = &gfwire_procs[data[0] % GFWIRE_PROCS];
	if (!p->name)
		return 0;
	arena = arena_new(ARENA_LIMIT);
	wire_decode_init(&xdrs, &w, &record, 2, (uint32_t)size - 2, arena);
	if (data[1] & 1) {
		if (p->xdr_rsp(&xdrs, body))
			fuzz_reply(p, body, arena);
	} else if (p->xdr_req(&xdrs, body)) {
		fuzz_call(p, body, arena);
	}
	arena_free(arena);
	return 0;
}
