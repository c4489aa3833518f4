/* rpcgen/wire.h: the types that the .x files name but do not define: payload, handles and names that are never
 * copied, allocated or recursed into by generated code. Their xdr_T() functions are ours (wire.c).
 *
 * Decoding works in a context hung on the XDR handle (x_public): where small copies are allocated (the call's arena)
 * and which iobuf the record lives in. Encoding a payload leaves a gap: the bytes stay where they are and leave by
 * an iovec of their own. */
#ifndef RPCGEN_WIRE_H
#define RPCGEN_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

#include "runtime/arena.h"
#include "runtime/iobuf.h"

#define WIRE_GAPS_MAX 4

struct wire {
	struct arena *arena;		/* names, dictionaries, lists */
	/* decode: what the bytes lie in; payloads borrow from it (no reference taken) */
	struct iobuf *record;
	struct wire_gap {		/* encode: payload to be sent after @at encoded bytes */
		uint32_t at;
		struct payload data;
	} gaps[WIRE_GAPS_MAX];
	unsigned ngaps;
};

/* Handles over memory; @w must outlive them. Past @size an encode fails. */
void wire_decode_init(XDR *xdrs, struct wire *w, struct iobuf *record, uint32_t offset, uint32_t len,
		      struct arena *arena);
void wire_encode_init(XDR *xdrs, struct wire *w, void *buf, uint32_t size, struct arena *arena);

/* opaque<>: NFS's data, at most 1 MiB + 4 KiB on decode; the padding is sent, too */
typedef struct payload payload;
bool_t xdr_payload(XDR *xdrs, payload *p);

typedef struct wire_handle { uint32_t len; uint8_t data[64]; } nfs_fh3;	/* RFC 1813 2.4: opaque<64> */
bool_t xdr_nfs_fh3(XDR *xdrs, nfs_fh3 *fh);

/* text is NUL-terminated in the arena on decode; @len excludes that NUL, so an embedded NUL shows as strlen(text) <
 * len. */
typedef struct wire_name { uint32_t len; char *text; } filename3;	/* string<1024> on decode, refused past it */
bool_t xdr_filename3(XDR *xdrs, filename3 *name);
typedef struct wire_name nfspath3;					/* string<4096> */
bool_t xdr_nfspath3(XDR *xdrs, nfspath3 *path);

typedef uint8_t gfid16[16];			/* GlusterFS: fixed 16 bytes */
bool_t xdr_gfid16(XDR *xdrs, uint8_t *gfid);

/* A GlusterFS string<>: on decode NUL-terminated in the arena, at most 4 KiB. NULL encodes as "". */
typedef char *gf_string;
bool_t xdr_gf_string(XDR *xdrs, gf_string *s);
/* A GlusterFS opaque<> of at most 128 KiB: on decode it points into the record. */
typedef struct wire_bytes { uint32_t len; uint8_t *data; } gf_bytes;
bool_t xdr_gf_bytes(XDR *xdrs, gf_bytes *b);
typedef gf_bytes nlm_netobj;		/* NLM's, up to 1 KiB, in the same way */
bool_t xdr_nlm_netobj(XDR *xdrs, nlm_netobj *obj);
typedef gf_bytes gf_text;		/* up to 4 MiB: a volume file */
bool_t xdr_gf_text(XDR *xdrs, gf_text *t);

#endif
