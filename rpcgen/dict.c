/* rpcgen/dict.c: the two encodings of GlusterFS's dictionaries (facts/brick-wire.md section 7).
 *
 * A dictionary is an array searched from the front: they hold a dozen pairs at most in practice, and 256 by limit.
 * Decoding copies no value: it points into the record. */
#include "rpcgen/dict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpcgen/wire_inline.h"

#define KEY_MAX 1024u
#define IATT_SIZE 148u
#define MDATA_SIZE 36u
#define FIRST_PAIRS 8u
#define PAIR_MIN_WIRE 12u	/* an empty key, a type and an empty value */
#define FLAT_PAIR_MIN 9u

void dict_init(struct gfx_dict *d, struct arena *arena)
{
	memset(d, 0, sizeof(*d));
	d->arena = arena;
}

static struct dict_pair *find(const struct gfx_dict *d, const char *key)
{
	uint32_t i;

	for (i = 0; i < d->n; i++)
		if (!strcmp(d->pairs[i].key, key))
			return &d->pairs[i];
	return NULL;
}

static int reserve(struct gfx_dict *d)
{
	uint32_t cap = d->cap ? 2 * d->cap : FIRST_PAIRS;
	struct dict_pair *pairs;

	if (d->n < d->cap)
		return 0;
	if (d->n >= DICT_MAX_PAIRS)
		return -E2BIG;
	pairs = arena_alloc(d->arena, cap * sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	if (d->n)
		memcpy(pairs, d->pairs, d->n * sizeof(*pairs));
	d->pairs = pairs;
	d->cap = cap;
	return 0;
}

/* The pair for @key, made when it is not there. */
static int place(struct gfx_dict *d, const char *key, struct dict_pair **ret_pair)
{
	struct dict_pair *p = find(d, key);
	int ret;

	if (!p) {
		if (strlen(key) >= KEY_MAX)
			return -E2BIG;
		ret = reserve(d);
		if (ret < 0)
			return ret;
		p = &d->pairs[d->n++];
	}
	d->null = false;
	memset(p, 0, sizeof(*p));
	p->key = key;
	*ret_pair = p;
	return 0;
}

int dict_set_int(struct gfx_dict *d, const char *key, int64_t value)
{
	struct dict_pair *p;
	int ret = place(d, key, &p);

	if (ret < 0)
		return ret;
	p->type = DICT_INT;
	p->num.i = value;
	return 0;
}

int dict_set_uint(struct gfx_dict *d, const char *key, uint64_t value)
{
	struct dict_pair *p;
	int ret = place(d, key, &p);

	if (ret < 0)
		return ret;
	p->type = DICT_UINT;
	p->num.u = value;
	return 0;
}

int dict_set_str(struct gfx_dict *d, const char *key, const char *text)
{
	return dict_set_data(d, key, DICT_STR, text, (uint32_t)strnlen(text, DICT_MAX_SIZE) + 1);
}

int dict_set_data(struct gfx_dict *d, const char *key, enum dict_type type, const void *data, uint32_t len)
{
	struct dict_pair *p;
	int ret;

	if (len > DICT_MAX_SIZE)
		return -E2BIG;
	ret = place(d, key, &p);
	if (ret < 0)
		return ret;
	p->type = type;
	p->data = data;
	p->len = len;
	return 0;
}

const struct dict_pair *dict_get(const struct gfx_dict *d, const char *key)
{
	return find(d, key);
}

static bool is_text(const struct dict_pair *p)
{
	return (p->type == DICT_STR || p->type == DICT_STR_OLD || p->type == DICT_BIN) && p->len &&
	       !((const char *)p->data)[p->len - 1];
}

bool dict_get_int(const struct gfx_dict *d, const char *key, int64_t *ret_value)
{
	const struct dict_pair *p = find(d, key);
	char *end;

	if (!p)
		return false;
	if (p->type == DICT_INT || p->type == DICT_UINT) {
		*ret_value = p->num.i;
		return true;
	}
	if (p->type == DICT_BIN || !is_text(p) || !*(const char *)p->data)
		return false;
	errno = 0;
	*ret_value = strtoll(p->data, &end, 10);
	return !errno && !*end;
}

const char *dict_get_str(const struct gfx_dict *d, const char *key)
{
	const struct dict_pair *p = find(d, key);

	return p && is_text(p) ? p->data : NULL;
}

/* --- the typed encoding of program version 400 --- */

/* How many bytes a type's value has: fixed ones, or 0 for counted ones. */
static uint32_t fixed_size(enum dict_type type)
{
	switch (type) {
	case DICT_GFID:
		return 16;
	case DICT_IATT:
		return IATT_SIZE;
	case DICT_MDATA:
		return MDATA_SIZE;
	default:
		return 0;
	}
}

static bool_t put_counted(XDR *xdrs, const void *data, uint32_t len)
{
	uint32_t pad = -len & 3;
	uint8_t *p;

	if (!wire_put32(xdrs, len))
		return FALSE;
	p = wire_take(xdrs, len + pad);
	if (!p)
		return FALSE;
	if (len)
		memcpy(p, data, len);
	memset(p + len, 0, pad);
	return TRUE;
}

static bool_t encode_pair(XDR *xdrs, struct dict_pair *p)
{
	uint32_t type = p->type;

	if (!put_counted(xdrs, p->key, (uint32_t)strlen(p->key) + 1) || !wire_put32(xdrs, type))
		return FALSE;
	switch (p->type) {
	case DICT_INT:
	case DICT_UINT:
	case DICT_DOUBLE:
		return wire_u64(xdrs, &p->num.u);
	case DICT_GFID:
	case DICT_IATT:
	case DICT_MDATA:
		return p->len == fixed_size(p->type) && wire_fixed(xdrs, (void *)p->data, p->len);
	case DICT_STR_OLD:
	case DICT_STR:
	case DICT_BIN:
		return put_counted(xdrs, p->data, p->len);
	}
	return FALSE;
}

static bool_t encode_dict(XDR *xdrs, gfx_dict *d)
{
	uint8_t *size_at = wire_take(xdrs, 4);
	uint32_t count = d->null && !d->n ? UINT32_MAX : d->n, size, i;
	uint8_t *start;

	if (!size_at || !wire_put32(xdrs, count) || !wire_put32(xdrs, d->n))
		return FALSE;
	start = xdrs->x_private;
	for (i = 0; i < d->n; i++)
		if (!encode_pair(xdrs, &d->pairs[i]))
			return FALSE;
	size = (uint32_t)((uint8_t *)xdrs->x_private - start);
	if (size > DICT_MAX_SIZE)
		return FALSE;
	size = htobe32(size);
	memcpy(size_at, &size, 4);
	return TRUE;
}

static bool_t take_counted(XDR *xdrs, uint32_t max, const void **ret_data, uint32_t *ret_len)
{
	uint32_t pad;

	if (!wire_get32(xdrs, ret_len) || *ret_len > max)
		return FALSE;
	pad = -*ret_len & 3;
	*ret_data = wire_take(xdrs, *ret_len + pad);
	return *ret_data ? TRUE : FALSE;
}

/* The key ends in a NUL on the wire; peers tolerate its absence, so do we. */
static bool_t decode_key(XDR *xdrs, struct arena *arena, const char **ret_key)
{
	const void *data;
	uint32_t len;

	if (!take_counted(xdrs, KEY_MAX, &data, &len))
		return FALSE;
	if (!len || ((const char *)data)[len - 1]) {
		if (len && memchr(data, 0, len))
			return FALSE;
		*ret_key = arena_strndup(arena, data, len);
		return *ret_key ? TRUE : FALSE;
	}
	*ret_key = data;
	return strlen(data) == len - 1 ? TRUE : FALSE;
}

static bool_t decode_pair(XDR *xdrs, struct arena *arena, struct dict_pair *p)
{
	uint32_t type;

	if (!decode_key(xdrs, arena, &p->key) || !wire_get32(xdrs, &type))
		return FALSE;
	p->type = (enum dict_type)type;
	switch (type) {
	case DICT_INT:
	case DICT_UINT:
	case DICT_DOUBLE:
		return wire_u64(xdrs, &p->num.u);
	case DICT_GFID:
	case DICT_IATT:
	case DICT_MDATA:
		p->len = fixed_size(p->type);
		p->data = wire_take(xdrs, p->len);
		return p->data ? TRUE : FALSE;
	case DICT_STR_OLD:
	case DICT_STR:
	case DICT_BIN:
		return take_counted(xdrs, DICT_MAX_SIZE, &p->data, &p->len);
	default:
		return FALSE;		/* XDR cannot skip what it does not know */
	}
}

static bool_t decode_dict(XDR *xdrs, gfx_dict *d)
{
	struct arena *arena = ((struct wire *)xdrs->x_public)->arena;
	uint32_t size, count, n, i;

	dict_init(d, arena);
	if (!wire_get32(xdrs, &size) || !wire_get32(xdrs, &count) || !wire_get32(xdrs, &n))
		return FALSE;
	d->null = !n && (int32_t)count < 0;
	if (!n)
		return TRUE;
	if (size > DICT_MAX_SIZE || n > DICT_MAX_PAIRS || n > xdrs->x_handy / PAIR_MIN_WIRE)
		return FALSE;
	d->pairs = arena_alloc(arena, n * sizeof(*d->pairs));
	if (!d->pairs)
		return FALSE;
	d->cap = n;
	for (i = 0; i < n; i++)
		if (!decode_pair(xdrs, arena, &d->pairs[i]))
			return FALSE;
	d->n = n;
	return TRUE;
}

bool_t xdr_gfx_dict(XDR *xdrs, gfx_dict *d)
{
	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	return xdrs->x_op == XDR_ENCODE ? encode_dict(xdrs, d) : decode_dict(xdrs, d);
}

/* --- the flat encoding --- */

/* The value as the flat form has it: numbers become text in @scratch. */
static const void *flat_value(const struct dict_pair *p, char scratch[32], uint32_t *ret_len)
{
	switch (p->type) {
	case DICT_INT:
		*ret_len = (uint32_t)snprintf(scratch, 32, "%lld", (long long)p->num.i) + 1;
		return scratch;
	case DICT_UINT:
		*ret_len = (uint32_t)snprintf(scratch, 32, "%llu", (unsigned long long)p->num.u) + 1;
		return scratch;
	case DICT_DOUBLE:
		*ret_len = (uint32_t)snprintf(scratch, 32, "%.17g", p->num.d) + 1;
		return scratch;
	default:
		*ret_len = p->len;
		return p->data;
	}
}

uint32_t dict_flat_size(const struct gfx_dict *d)
{
	uint32_t size = 4, i, len;
	char scratch[32];

	if (d->null && !d->n)
		return 0;
	for (i = 0; i < d->n; i++) {
		flat_value(&d->pairs[i], scratch, &len);
		size += FLAT_PAIR_MIN + (uint32_t)strlen(d->pairs[i].key) + len;
	}
	return size;
}

static uint8_t *put_be32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static uint32_t get_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

int dict_flat_encode(const struct gfx_dict *d, void *buf, uint32_t size)
{
	uint32_t need = dict_flat_size(d), i, len, key_len;
	uint8_t *p = buf;
	const void *value;
	char scratch[32];

	if (need > size || need > DICT_MAX_SIZE)
		return -E2BIG;
	if (!need)
		return 0;
	p = put_be32(p, d->n);
	for (i = 0; i < d->n; i++) {
		value = flat_value(&d->pairs[i], scratch, &len);
		key_len = (uint32_t)strlen(d->pairs[i].key);
		p = put_be32(p, key_len);
		p = put_be32(p, len);
		memcpy(p, d->pairs[i].key, key_len + 1);
		p += key_len + 1;
		if (len)
			memcpy(p, value, len);
		p += len;
	}
	return (int)need;
}

/* One pair at @p with @left bytes; returns how many it took, 0 when it is malformed. */
static uint32_t flat_pair(const uint8_t *p, uint32_t left, struct dict_pair *pair)
{
	uint32_t key_len, len;
	const char *key;

	if (left < FLAT_PAIR_MIN)
		return 0;
	key_len = get_be32(p);
	len = get_be32(p + 4);
	if (key_len >= KEY_MAX || key_len > left - FLAT_PAIR_MIN || len > left - FLAT_PAIR_MIN - key_len)
		return 0;
	key = (const char *)p + 8;
	if (strnlen(key, key_len + 1) != key_len)
		return 0;
	pair->key = key;
	pair->data = p + FLAT_PAIR_MIN + key_len;
	pair->len = len;
	pair->type = len && memchr(pair->data, 0, len) == (const char *)pair->data + len - 1 ? DICT_STR : DICT_BIN;
	return FLAT_PAIR_MIN + key_len + len;
}

int dict_flat_decode(struct gfx_dict *d, struct arena *arena, const void *buf, uint32_t len)
{
	const uint8_t *p = buf;
	uint32_t n, i, took;

	dict_init(d, arena);
	d->null = !len;
	if (!len)
		return 0;
	if (len > DICT_MAX_SIZE)
		return -E2BIG;
	if (len < 4)
		return -EBADMSG;
	n = get_be32(p);
	p += 4;
	len -= 4;
	if (n > DICT_MAX_PAIRS)
		return -E2BIG;
	if (n > len / FLAT_PAIR_MIN)
		return -EBADMSG;
	d->pairs = n ? arena_alloc(arena, n * sizeof(*d->pairs)) : NULL;
	if (n && !d->pairs)
		return -ENOMEM;
	d->cap = n;
	for (i = 0; i < n; i++) {
		took = flat_pair(p, len, &d->pairs[i]);
		if (!took)
			return -EBADMSG;
		p += took;
		len -= took;
	}
	d->n = n;
	return 0;
}
