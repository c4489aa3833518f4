/* Dictionaries: both encodings there and back, conversions between number forms, limits, malformed input. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rpcgen/dict.h"
#include "rpcgen/wire.h"

static uint8_t bytes[8192];
static struct iobuf holder = { .refs = 1, .size = sizeof(bytes), .data = bytes };
static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new(1 << 20);
	memset(bytes, 0, sizeof(bytes));
	return 0;
}

static int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

static uint32_t encode(struct gfx_dict *d)
{
	struct wire w;
	XDR x;

	wire_encode_init(&x, &w, bytes, sizeof(bytes), arena);
	assert_true(xdr_gfx_dict(&x, d));
	return (uint32_t)sizeof(bytes) - x.x_handy;
}

static bool decode(struct gfx_dict *d, uint32_t len, uint32_t *ret_left)
{
	struct wire w;
	bool ok;
	XDR x;

	wire_decode_init(&x, &w, &holder, 0, len, arena);
	ok = xdr_gfx_dict(&x, d);
	*ret_left = x.x_handy;
	return ok;
}

static void fill(struct gfx_dict *d)
{
	static const uint8_t gfid[16] = { 1, 2, 3 }, mdata[36] = { 9 }, iatt[148] = { 8 };

	dict_init(d, arena);
	assert_int_equal(dict_set_int(d, "int", -5), 0);
	assert_int_equal(dict_set_uint(d, "uint", UINT64_MAX), 0);
	assert_int_equal(dict_set_str(d, "text", "hello"), 0);
	assert_int_equal(dict_set_data(d, "bin", DICT_BIN, "a\0b", 3), 0);
	assert_int_equal(dict_set_data(d, "gfid", DICT_GFID, gfid, 16), 0);
	assert_int_equal(dict_set_data(d, "mdata", DICT_MDATA, mdata, 36), 0);
	assert_int_equal(dict_set_data(d, "iatt", DICT_IATT, iatt, 148), 0);
	assert_int_equal(dict_set_int(d, "int", 42), 0);		/* replaces */
	assert_int_equal(d->n, 7);
}

static void test_typed(void **state)
{
	struct gfx_dict d, out;
	uint32_t len, left, cut;
	int64_t value;

	fill(&d);
	len = encode(&d);
	assert_int_equal(bytes[2] << 8 | bytes[3], len - 12);
	assert_true(decode(&out, len, &left));
	assert_int_equal(left, 0);
	assert_int_equal(out.n, 7);
	assert_true(dict_get_int(&out, "int", &value));
	assert_int_equal(value, 42);
	assert_string_equal(dict_get_str(&out, "text"), "hello");
	assert_null(dict_get_str(&out, "bin"));
	assert_null(dict_get(&out, "nothing"));
	assert_int_equal(dict_get(&out, "bin")->len, 3);
	assert_memory_equal(dict_get(&out, "gfid")->data, "\1\2\3", 3);
	assert_int_equal(dict_set_str(&out, "more", "x"), 0);		/* a decoded one can grow */
	assert_string_equal(dict_get_str(&out, "text"), "hello");
	for (cut = 0; cut < len; cut++)
		assert_false(decode(&out, cut, &left));
}

static void test_null_and_empty(void **state)
{
	static const uint8_t none[12] = { 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	struct gfx_dict d = { .null = true }, out;
	uint32_t left;

	assert_int_equal(encode(&d), 12);
	assert_memory_equal(bytes, none, 12);
	assert_true(decode(&out, 12, &left));
	assert_true(out.null);
	dict_init(&d, arena);
	assert_int_equal(encode(&d), 12);
	assert_true(decode(&out, 12, &left));
	assert_false(out.null);
	assert_int_equal(out.n, 0);
}

static void test_malformed(void **state)
{
	struct gfx_dict d, out;
	uint32_t left, len;

	dict_init(&d, arena);
	dict_set_int(&d, "key", 1);
	len = encode(&d);
	bytes[23] = 77;				/* a type nobody knows */
	assert_false(decode(&out, len, &left));
	encode(&d);
	bytes[17] = 0;				/* a NUL inside the key */
	assert_false(decode(&out, len, &left));
	encode(&d);
	bytes[8] = 0x7f;			/* two billion pairs */
	assert_false(decode(&out, len, &left));
}

/* A key without its NUL is tolerated, as real peers do. */
static void test_key_without_nul(void **state)
{
	static const uint8_t wire[] = { 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 'a', 'b', 'c', 'd',
					0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9 };
	struct gfx_dict out;
	uint32_t left;
	int64_t value;

	memcpy(bytes, wire, sizeof(wire));
	assert_true(decode(&out, sizeof(wire), &left));
	assert_true(dict_get_int(&out, "abcd", &value));
	assert_int_equal(value, 9);
}

static void test_numbers_as_text(void **state)
{
	struct gfx_dict d;
	int64_t value;

	dict_init(&d, arena);
	dict_set_str(&d, "good", "-17");
	dict_set_str(&d, "bad", "17x");
	dict_set_str(&d, "none", "");
	dict_set_data(&d, "open", DICT_STR, "12", 2);
	assert_true(dict_get_int(&d, "good", &value));
	assert_int_equal(value, -17);
	assert_false(dict_get_int(&d, "bad", &value));
	assert_false(dict_get_int(&d, "none", &value));
	assert_false(dict_get_int(&d, "open", &value));
}

static void test_flat(void **state)
{
	struct gfx_dict d, out;
	uint32_t size;
	int64_t value;
	int len;

	fill(&d);
	size = dict_flat_size(&d);
	assert_int_equal(dict_flat_encode(&d, bytes, size - 1), -E2BIG);
	len = dict_flat_encode(&d, bytes, sizeof(bytes));
	assert_int_equal(len, size);
	assert_int_equal(dict_flat_decode(&out, arena, bytes, size), 0);
	assert_int_equal(out.n, 7);
	assert_true(dict_get_int(&out, "int", &value));
	assert_int_equal(value, 42);
	assert_string_equal(dict_get_str(&out, "uint"), "18446744073709551615");
	assert_string_equal(dict_get_str(&out, "text"), "hello");
	assert_int_equal(dict_get(&out, "iatt")->len, 148);
	for (len = 1; len < (int)size; len++)
		assert_int_equal(dict_flat_decode(&out, arena, bytes, (uint32_t)len), -EBADMSG);
	assert_int_equal(dict_flat_decode(&out, arena, bytes, 0), 0);
	assert_true(out.null);
	assert_int_equal(dict_flat_size(&out), 0);
	memset(bytes, 0xff, 4);
	assert_int_equal(dict_flat_decode(&out, arena, bytes, size), -E2BIG);
}

static void test_limits(void **state)
{
	static char keys[DICT_MAX_PAIRS + 1][8];
	struct gfx_dict d;
	unsigned i;

	dict_init(&d, arena);
	for (i = 0; i <= DICT_MAX_PAIRS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		assert_int_equal(dict_set_int(&d, keys[i], i), i < DICT_MAX_PAIRS ? 0 : -E2BIG);
	}
	assert_int_equal(dict_set_data(&d, "k1", DICT_BIN, "", DICT_MAX_SIZE + 1), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_typed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_null_and_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_without_nul, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_as_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
