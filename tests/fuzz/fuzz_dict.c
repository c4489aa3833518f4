/* Dictionaries in both encodings: what decodes encodes again and decodes to the same pairs. The first byte chooses
 * the encoding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcgen/dict.h"
#include "rpcgen/wire.h"

#define OUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[OUT_MAX];

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static int decode_typed(const void *bytes, uint32_t len, struct arena *arena, struct gfx_dict *d)
{
	struct iobuf *holder = arena_alloc(arena, sizeof(*holder));
	struct wire w;
	XDR x;

	*holder = (struct iobuf){ .refs = 1, .size = len, .data = (uint8_t *)bytes };
	wire_decode_init(&x, &w, holder, 0, len, arena);
	return xdr_gfx_dict(&x, d);
}

static int encode_typed(struct gfx_dict *d, struct arena *arena)
{
	struct wire w;
	XDR x;

	wire_encode_init(&x, &w, out, OUT_MAX, arena);
	check(xdr_gfx_dict(&x, d), "decoded but does not encode");
	return (int)(OUT_MAX - x.x_handy);
}

static void same(const struct gfx_dict *a, const struct gfx_dict *b)
{
	uint32_t i;

	check(a->n == b->n && a->null == b->null, "another number of pairs");
	for (i = 0; i < a->n; i++) {
		const struct dict_pair *p = &a->pairs[i], *q = &b->pairs[i];

		check(!strcmp(p->key, q->key) && p->type == q->type && p->len == q->len, "another pair");
		check(p->len ? !memcmp(p->data, q->data, p->len) : p->num.u == q->num.u, "another value");
	}
}

static void look(const struct gfx_dict *d)
{
	int64_t value;
	uint32_t i;

	for (i = 0; i < d->n; i++) {
		check(dict_get(d, d->pairs[i].key) != NULL, "a key is not found");
		dict_get_int(d, d->pairs[i].key, &value);
		dict_get_str(d, d->pairs[i].key);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena;
	struct gfx_dict d, again;
	uint8_t *exact;
	int len;

	if (!size || size > OUT_MAX / 8)
		return 0;
	arena = arena_new(16 << 20);
	exact = malloc(size);		/* of just this size, so that reading past the end shows */
	memcpy(exact, data + 1, size - 1);
	if (data[0] & 1) {
		if (decode_typed(exact, (uint32_t)size - 1, arena, &d)) {
			look(&d);
			len = encode_typed(&d, arena);
			check(decode_typed(out, (uint32_t)len, arena, &again), "does not decode its own encoding");
			same(&d, &again);
		}
	} else if (dict_flat_decode(&d, arena, exact, (uint32_t)size - 1) == 0) {
		look(&d);
		check(dict_flat_size(&d) <= size - 1, "grows");
		len = dict_flat_encode(&d, out, OUT_MAX);
		check(len == (int)dict_flat_size(&d), "another size than announced");
		check(dict_flat_decode(&again, arena, out, (uint32_t)len) == 0, "does not decode its own encoding");
		same(&d, &again);
	}
	check(arena_used(arena) < 65536 + 64 * size, "takes too much memory");
	free(exact);
	arena_free(arena);
	return 0;
}
