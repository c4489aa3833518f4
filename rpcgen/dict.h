/* rpcgen/dict.h: GlusterFS dictionaries, typed on the v400 wire and flat elsewhere (facts/brick-wire.md section 7).
 *
 * Only protocol/, bricks/ and mgmt/ see these; translators have typed fields. Keys and values live in the arena or
 * point into the record. A dictionary has at most 256 pairs and 1 MiB. */
#ifndef RPCGEN_DICT_H
#define RPCGEN_DICT_H

#include <stdbool.h>
#include <stdint.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

#include "runtime/arena.h"

#define DICT_MAX_PAIRS 256
#define DICT_MAX_SIZE (1u << 20)

enum dict_type {
	DICT_STR_OLD = 1, DICT_INT = 2, DICT_UINT = 3, DICT_DOUBLE = 4, DICT_STR = 5, DICT_BIN = 6,
	DICT_GFID = 7, DICT_IATT = 8, DICT_MDATA = 9,
};

struct dict_pair {
	const char *key;		/* NUL-terminated */
	enum dict_type type;
	uint32_t len;			/* of data, for all but INT, UINT, DOUBLE; STR includes its NUL */
	const void *data;		/* IATT: 148 bytes, MDATA: 36 bytes, as on the wire */
	union { int64_t i; uint64_t u; double d; } num;
};

typedef struct gfx_dict {
	/* count -1 on the wire; a zeroed struct is an empty dictionary, set null for NULL */
	bool null;
	uint32_t n, cap;
	struct dict_pair *pairs;
	struct arena *arena;		/* where dict_set allocates */
} gfx_dict;

void dict_init(struct gfx_dict *d, struct arena *arena);	/* empty, encodes as 0/0/0 */
/* All return 0 or -ENOMEM, -E2BIG. Key and data are not copied: they live as long as the dictionary. Setting a key
 * again replaces it. */
int dict_set_int(struct gfx_dict *d, const char *key, int64_t value);
int dict_set_uint(struct gfx_dict *d, const char *key, uint64_t value);
int dict_set_str(struct gfx_dict *d, const char *key, const char *text);
int dict_set_data(struct gfx_dict *d, const char *key, enum dict_type type, const void *data, uint32_t len);
const struct dict_pair *dict_get(const struct gfx_dict *d, const char *key);		/* NULL when absent */
/* Any of INT, UINT, STR holding a number: peers convert freely. */
bool dict_get_int(const struct gfx_dict *d, const char *key, int64_t *ret_value);
/* NULL when absent or not NUL-terminated text */
const char *dict_get_str(const struct gfx_dict *d, const char *key);

bool_t xdr_gfx_dict(XDR *xdrs, gfx_dict *d);		/* v400; decoding needs a struct wire in x_public (wire.h) */
uint32_t dict_flat_size(const struct gfx_dict *d);
/* bytes, or -E2BIG; integers as decimal text */
int dict_flat_encode(const struct gfx_dict *d, void *buf, uint32_t size);
/* All pairs become STR or BIN. 0 or -EBADMSG, -ENOMEM, -E2BIG. */
int dict_flat_decode(struct gfx_dict *d, struct arena *arena, const void *buf, uint32_t len);

#endif
