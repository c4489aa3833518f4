/* rpcgen/wire.c: XDR handles over memory, and the types that are coded by hand because they point into the record.
 *
 * A wire needs the operations vector only for the few library routines that reach it (xdr_void, tests); generated
 * code works on the cursor itself (wire_inline.h). */
#include "rpcgen/wire.h"

#include "rpcgen/wire_inline.h"

#define PAYLOAD_MAX ((1u << 20) + 4096)
#define FH_MAX 64u
#define FILENAME_MAX_LEN 1024u
#define PATH_MAX_LEN 4096u
#define GF_STRING_MAX 4096u
#define GF_BYTES_MAX (128u << 10)
#define NETOBJ_MAX 1024u
#define GF_TEXT_MAX (4u << 20)

#undef xdr_gfid16

static bool_t ops_getlong(XDR *x, long *v)
{
	uint8_t *p = wire_take(x, 4);
	uint32_t be;

	if (!p)
		return FALSE;
	memcpy(&be, p, 4);
	*v = (int32_t)be32toh(be);
	return TRUE;
}

static bool_t ops_putlong(XDR *x, const long *v)
{
	uint8_t *p = wire_take(x, 4);
	uint32_t be = htobe32((uint32_t)*v);

	if (!p)
		return FALSE;
	memcpy(p, &be, 4);
	return TRUE;
}

static bool_t ops_getbytes(XDR *x, char *to, u_int len)
{
	uint8_t *p = wire_take(x, len);

	if (!p)
		return FALSE;
	memcpy(to, p, len);
	return TRUE;
}

static bool_t ops_putbytes(XDR *x, const char *from, u_int len)
{
	uint8_t *p = wire_take(x, len);

	if (!p)
		return FALSE;
	memcpy(p, from, len);
	return TRUE;
}

static u_int ops_getpos(XDR *x)
{
	return (u_int)((char *)x->x_private - x->x_base);
}

static bool_t ops_setpos(XDR *x, u_int at)
{
	u_int size = ops_getpos(x) + x->x_handy;

	if (at > size)
		return FALSE;
	x->x_private = x->x_base + at;
	x->x_handy = size - at;
	return TRUE;
}

/* Nobody gets a pointer into the record by this way: it may not be aligned. */
static int32_t *ops_inline(XDR *x, u_int len)
{
	(void)x;
	(void)len;
	return NULL;
}

static void ops_destroy(XDR *x)
{
	(void)x;
}

static bool_t ops_control(XDR *x, int request, void *info)
{
	(void)x;
	(void)request;
	(void)info;
	return FALSE;
}

static const struct xdr_ops wire_ops = {
	.x_getlong = ops_getlong,
	.x_putlong = ops_putlong,
	.x_getbytes = ops_getbytes,
	.x_putbytes = ops_putbytes,
	.x_getpostn = ops_getpos,
	.x_setpostn = ops_setpos,
	.x_inline = ops_inline,
	.x_destroy = ops_destroy,
	.x_control = ops_control,
};

static void wire_init(XDR *xdrs, struct wire *w, enum xdr_op op, void *data, uint32_t len, struct arena *arena)
{
	w->arena = arena;
	w->ngaps = 0;
	xdrs->x_op = op;
	xdrs->x_ops = (struct xdr_ops *)&wire_ops;
	xdrs->x_public = (char *)w;
	xdrs->x_private = data;
	xdrs->x_base = data;
	xdrs->x_handy = len;
}

void wire_decode_init(XDR *xdrs, struct wire *w, struct iobuf *record, uint32_t offset, uint32_t len,
		      struct arena *arena)
{
	w->record = record;
	wire_init(xdrs, w, XDR_DECODE, record ? record->data + offset : NULL, record ? len : 0, arena);
}

void wire_encode_init(XDR *xdrs, struct wire *w, void *buf, uint32_t size, struct arena *arena)
{
	w->record = NULL;
	wire_init(xdrs, w, XDR_ENCODE, buf, size, arena);
}

static struct wire *wire_of(XDR *xdrs)
{
	return (struct wire *)xdrs->x_public;
}

static uint32_t padding(uint32_t len)
{
	return -len & 3;
}

/* The length and the bytes of an opaque<@max>: *ret_data lies in the record. */
static bool_t take_opaque(XDR *xdrs, uint32_t max, uint32_t *ret_len, uint8_t **ret_data)
{
	if (!wire_get32(xdrs, ret_len) || *ret_len > max || xdrs->x_handy < *ret_len + padding(*ret_len))
		return FALSE;
	*ret_data = wire_take(xdrs, *ret_len + padding(*ret_len));
	return TRUE;
}

static bool_t put_opaque(XDR *xdrs, uint32_t max, uint32_t len, const void *data)
{
	uint8_t *p;

	if (len > max || !wire_put32(xdrs, len))
		return FALSE;
	p = wire_take(xdrs, len + padding(len));
	if (!p)
		return FALSE;
	if (len) {
		memset(p + len + padding(len) - 4, 0, 4);
		memcpy(p, data, len);
	}
	return TRUE;
}

/* Encoding leaves the bytes where they are; the padding is encoded behind the gap. */
static bool_t put_gap(XDR *xdrs, payload *p)
{
	struct wire *w = wire_of(xdrs);
	uint8_t *pad;

	if (p->len > PAYLOAD_MAX || w->ngaps == WIRE_GAPS_MAX || !wire_put32(xdrs, p->len))
		return FALSE;
	if (!p->len)
		return TRUE;
	w->gaps[w->ngaps].at = ops_getpos(xdrs);
	w->gaps[w->ngaps].data = *p;
	w->ngaps++;
	pad = wire_take(xdrs, padding(p->len));
	if (!pad)
		return FALSE;
	memset(pad, 0, padding(p->len));
	return TRUE;
}

bool_t xdr_payload(XDR *xdrs, payload *p)
{
	struct wire *w = wire_of(xdrs);
	uint8_t *data;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_gap(xdrs, p);
	if (!take_opaque(xdrs, PAYLOAD_MAX, &p->len, &data))
		return FALSE;
	p->buf = p->len ? w->record : NULL;
	p->offset = p->len ? (uint32_t)(data - w->record->data) : 0;
	return TRUE;
}

bool_t xdr_nfs_fh3(XDR *xdrs, nfs_fh3 *fh)
{
	uint8_t *data;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, FH_MAX, fh->len, fh->data);
	if (!take_opaque(xdrs, FH_MAX, &fh->len, &data))
		return FALSE;
	memcpy(fh->data, data, fh->len);
	return TRUE;
}

bool_t wire_text(XDR *xdrs, struct wire_name *name, uint32_t max)
{
	uint8_t *data;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, max, name->len, name->text);
	if (!take_opaque(xdrs, max, &name->len, &data))
		return FALSE;
	name->text = arena_alloc(wire_of(xdrs)->arena, name->len + 1);	/* not strndup: a NUL inside must show */
	if (!name->text)
		return FALSE;
	memcpy(name->text, data, name->len);
	return TRUE;
}

bool_t xdr_filename3(XDR *xdrs, filename3 *name)
{
	return wire_text(xdrs, name, FILENAME_MAX_LEN);
}

bool_t xdr_nfspath3(XDR *xdrs, nfspath3 *path)
{
	return wire_text(xdrs, path, PATH_MAX_LEN);
}

bool_t xdr_gfid16(XDR *xdrs, uint8_t *gfid)
{
	return wire_fixed(xdrs, gfid, 16);
}

bool_t xdr_gf_string(XDR *xdrs, gf_string *s)
{
	uint32_t len;
	uint8_t *data;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, GF_STRING_MAX, *s ? (uint32_t)strnlen(*s, GF_STRING_MAX + 1) : 0, *s);
	if (!take_opaque(xdrs, GF_STRING_MAX, &len, &data) || memchr(data, 0, len))
		return FALSE;
	*s = arena_strndup(wire_of(xdrs)->arena, (const char *)data, len);
	return *s ? TRUE : FALSE;
}

bool_t xdr_gf_bytes(XDR *xdrs, gf_bytes *b)
{
	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, GF_BYTES_MAX, b->len, b->data);
	return take_opaque(xdrs, GF_BYTES_MAX, &b->len, &b->data);
}

bool_t xdr_nlm_netobj(XDR *xdrs, nlm_netobj *obj)
{
	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, NETOBJ_MAX, obj->len, obj->data);
	return take_opaque(xdrs, NETOBJ_MAX, &obj->len, &obj->data);
}

bool_t xdr_gf_text(XDR *xdrs, gf_text *t)
{
	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return put_opaque(xdrs, GF_TEXT_MAX, t->len, t->data);
	return take_opaque(xdrs, GF_TEXT_MAX, &t->len, &t->data);
}
