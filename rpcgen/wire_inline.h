/* rpcgen/wire_inline.h: the XDR primitives inlined into generated code.
 *
 * All our XDR handles are wires (wire.h): x_private is the place in memory, x_handy the bytes left. So the code that
 * rpcgen emits need not go through the operations vector for every word: the macros below take the place of the
 * library's functions in those files. */
#ifndef RPCGEN_WIRE_INLINE_H
#define RPCGEN_WIRE_INLINE_H

#include <endian.h>
#include <string.h>

#include "rpcgen/wire.h"

/* The next @len bytes, or NULL past the end. */
static inline uint8_t *wire_take(XDR *x, uint32_t len)
{
	uint8_t *p = x->x_private;

	if (__builtin_expect(x->x_handy < len, 0))
		return NULL;
	x->x_handy -= len;
	x->x_private = p + len;
	return p;
}

static inline bool_t wire_get32(XDR *x, uint32_t *ret_v)
{
	uint8_t *p = wire_take(x, 4);
	uint32_t be = 0;

	if (p)
		memcpy(&be, p, 4);
	*ret_v = be32toh(be);
	return p ? TRUE : FALSE;
}

static inline bool_t wire_put32(XDR *x, uint32_t v)
{
	uint8_t *p = wire_take(x, 4);

	v = htobe32(v);
	if (p)
		memcpy(p, &v, 4);
	return p ? TRUE : FALSE;
}

/* Either way, as the handle says. */
static inline bool_t wire_u32(XDR *x, uint32_t *v)
{
	uint8_t *p;
	uint32_t be;

	if (__builtin_expect(x->x_op == XDR_FREE, 0))
		return TRUE;
	p = wire_take(x, 4);
	if (!p)
		return FALSE;
	if (x->x_op == XDR_ENCODE) {
		be = htobe32(*v);
		memcpy(p, &be, 4);
	} else {
		memcpy(&be, p, 4);
		*v = be32toh(be);
	}
	return TRUE;
}

static inline bool_t wire_u64(XDR *x, uint64_t *v)
{
	uint8_t *p;
	uint64_t be;

	if (__builtin_expect(x->x_op == XDR_FREE, 0))
		return TRUE;
	p = wire_take(x, 8);
	if (!p)
		return FALSE;
	if (x->x_op == XDR_ENCODE) {
		be = htobe64(*v);
		memcpy(p, &be, 8);
	} else {
		memcpy(&be, p, 8);
		*v = be64toh(be);
	}
	return TRUE;
}

static inline bool_t wire_bool(XDR *x, bool_t *v)
{
	uint32_t word = *v ? 1 : 0;

	if (!wire_u32(x, &word))
		return FALSE;
	if (x->x_op == XDR_DECODE)
		*v = word ? TRUE : FALSE;
	return TRUE;
}

/* @len is a multiple of four: the fixed opaques of our protocols all are. */
static inline bool_t wire_fixed(XDR *x, void *data, uint32_t len)
{
	uint8_t *p;

	if (__builtin_expect(x->x_op == XDR_FREE, 0))
		return TRUE;
	p = wire_take(x, len);
	if (!p)
		return FALSE;
	if (x->x_op == XDR_ENCODE)
		memcpy(p, data, len);
	else
		memcpy(data, p, len);
	return TRUE;
}

/* A counted text of at most @max bytes, in the arena on decode; and a list "1, entry, 1, entry, 0" as an array
 * (wire.c, lists.c). */
bool_t wire_text(XDR *xdrs, struct wire_name *name, uint32_t max);
typedef bool_t wire_entry(XDR *xdrs, void *entry);
bool_t wire_list(XDR *xdrs, uint32_t *n, void **entries, uint32_t entry_size, uint32_t min_wire, wire_entry *entry);

#define xdr_uint32_t(x, v) wire_u32((x), (uint32_t *)(v))
#define xdr_int32_t(x, v) wire_u32((x), (uint32_t *)(v))
#define xdr_uint64_t(x, v) wire_u64((x), (uint64_t *)(v))
#define xdr_int64_t(x, v) wire_u64((x), (uint64_t *)(v))
#define xdr_bool(x, v) wire_bool((x), (v))
#define xdr_enum(x, v) wire_u32((x), (uint32_t *)(v))
#define xdr_opaque(x, data, len) wire_fixed((x), (data), (len))
#define xdr_gfid16(x, gfid) wire_fixed((x), (gfid), 16)

#endif
