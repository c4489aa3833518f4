/* Record marking: every cut of the byte stream, fragments, limits, large records, buffers that calls still look at. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rpc/link.h"
#include "rpc/message.h"

#define STREAM_MAX (4u << 20)

static uint8_t stream[STREAM_MAX];
static uint32_t stream_len;
static const char *got[64];
static unsigned ngot;
static struct iobuf *held[64];

static int setup(void **state)
{
	stream_len = 0;
	ngot = 0;
	memset(held, 0, sizeof(held));
	return 0;
}

static void add_fragment(const void *data, uint32_t len, bool last)
{
	rpc_put32(stream + stream_len, len | (last ? 0x80000000u : 0));
	memcpy(stream + stream_len + 4, data, len);
	stream_len += 4 + len;
}

/* Feeds bytes [from, upto) as one read; returns the last answer of rpc_reader_next(). Each record is compared with
 * the next of @expect. */
static int feed(struct rpc_reader *r, uint32_t from, uint32_t upto, const char *const *expect, bool hold)
{
	struct payload record;
	struct iovec space;
	uint32_t n;
	int ret = 0;

	while (from < upto) {
		assert_int_equal(rpc_reader_space(r, &space), 0);
		assert_true(space.iov_len > 0);
		n = upto - from < space.iov_len ? upto - from : (uint32_t)space.iov_len;
		memcpy(space.iov_base, stream + from, n);
		rpc_reader_filled(r, n);
		from += n;
		while ((ret = rpc_reader_next(r, &record)) > 0) {
			assert_int_equal(record.len, strlen(expect[ngot]));
			assert_memory_equal(payload_data(&record), expect[ngot], record.len);
			if (hold)
				held[ngot] = iobuf_ref(record.buf);
			got[ngot++] = (const char *)payload_data(&record);
		}
		if (ret < 0)
			return ret;
		rpc_reader_rest(r);
	}
	return ret;
}

static const char *const words[] = { "alpha", "be", "", "gamma-delta", "epsilon", NULL };

static void add_words(void)
{
	add_fragment("alpha", 5, true);
	add_fragment("b", 1, false);
	add_fragment("", 0, false);
	add_fragment("e", 1, true);
	add_fragment("", 0, true);
	add_fragment("gamma", 5, false);
	add_fragment("-", 1, false);
	add_fragment("delta", 5, true);
	add_fragment("epsilon", 7, true);
}

static void test_every_split(void **state)
{
	uint32_t a, b;

	add_words();
	for (a = 0; a <= stream_len; a++) {
		for (b = a; b <= stream_len; b++) {
			struct rpc_reader r;

			rpc_reader_init(&r, 0);
			ngot = 0;
			feed(&r, 0, a, words, false);
			feed(&r, a, b, words, false);
			feed(&r, b, stream_len, words, false);
			assert_int_equal(ngot, 5);
			assert_false(rpc_reader_partial(&r));
			assert_null(r.buf);		/* nothing is held when nothing is half received */
			rpc_reader_fini(&r);
		}
	}
}

static void test_byte_by_byte(void **state)
{
	struct rpc_reader r;
	uint32_t i;

	add_words();
	rpc_reader_init(&r, 0);
	for (i = 0; i < stream_len; i++)
		feed(&r, i, i + 1, words, false);
	assert_int_equal(ngot, 5);
	rpc_reader_fini(&r);
}

/* What was handed out stays as it was while later bytes arrive, as long as somebody holds the buffer. */
static void test_held_records_stay(void **state)
{
	struct rpc_reader r;
	uint32_t i;
	unsigned n;

	add_words();
	rpc_reader_init(&r, 0);
	for (i = 0; i < stream_len; i += 3)
		feed(&r, i, i + 3 < stream_len ? i + 3 : stream_len, words, true);
	assert_int_equal(ngot, 5);
	for (n = 0; n < ngot; n++) {
		assert_memory_equal(got[n], words[n], strlen(words[n]));
		iobuf_unref(held[n]);
	}
	rpc_reader_fini(&r);
}

static void test_limit(void **state)
{
	static const char *const expect[] = { "12345678", NULL };
	struct rpc_reader r;

	rpc_reader_init(&r, 8);
	add_fragment("1234", 4, false);
	add_fragment("5678", 4, true);
	assert_int_equal(feed(&r, 0, stream_len, expect, false), 0);
	assert_int_equal(ngot, 1);
	setup(NULL);
	add_fragment("1234", 4, false);
	add_fragment("56789", 5, true);
	assert_int_equal(feed(&r, 0, stream_len, expect, false), -EMSGSIZE);
	rpc_reader_fini(&r);
}

/* The announced size alone must not take memory. */
static void test_limit_before_allocation(void **state)
{
	struct rpc_reader r;

	rpc_reader_init(&r, 1 << 20);
	rpc_put32(stream, 0xffffffffu);
	assert_int_equal(feed(&r, 0, 4, NULL, false), -EMSGSIZE);
	assert_int_equal(r.cap, RPC_RECEIVE_SIZE);
	rpc_reader_fini(&r);
}

static void check_large(const struct payload *record, uint32_t size, uint8_t tag)
{
	assert_int_equal(record->len, size);
	assert_int_equal(payload_data(record)[0], tag);
	assert_int_equal(payload_data(record)[size - 1], tag);
}

/* Large records in a row: from the second on each has a buffer of just its size, and nothing is copied. */
static void test_large_in_a_row(void **state)
{
	uint32_t size = 1000000, at = 0, records = 0;
	struct payload record;
	struct rpc_reader r;
	struct iovec space;
	int i;

	rpc_reader_init(&r, 1 << 20);
	for (i = 0; i < 4; i++) {
		rpc_put32(stream + stream_len, size | 0x80000000u);
		memset(stream + stream_len + 4, 'a' + i, size);
		stream_len += size + 4;
	}
	while (at < stream_len) {
		uint32_t n;

		assert_int_equal(rpc_reader_space(&r, &space), 0);
		if (records && !r.inside && r.scan == r.end)
			assert_int_equal(space.iov_len, size + 4);
		n = stream_len - at < space.iov_len ? stream_len - at : (uint32_t)space.iov_len;
		memcpy(space.iov_base, stream + at, n);
		at += n;
		rpc_reader_filled(&r, n);
		while (rpc_reader_next(&r, &record) > 0)
			check_large(&record, size, (uint8_t)('a' + records++));
		rpc_reader_rest(&r);
	}
	assert_int_equal(records, 4);
	rpc_reader_fini(&r);
}

/* Very many tiny fragments cost time in proportion to their bytes: a quadratic reader would not end this test in a
 * second. */
static void test_tiny_fragments(void **state)
{
	static const char one = 'x';
	struct payload record;
	struct rpc_reader r;
	struct iovec space;
	uint32_t i, at = 0, n;
	int ret = 0;

	for (i = 0; i < 400000; i++)
		add_fragment(&one, 1, i == 399999);
	rpc_reader_init(&r, 0);
	while (at < stream_len) {
		assert_int_equal(rpc_reader_space(&r, &space), 0);
		n = stream_len - at < space.iov_len ? stream_len - at : (uint32_t)space.iov_len;
		memcpy(space.iov_base, stream + at, n);
		at += n;
		rpc_reader_filled(&r, n);
		ret = rpc_reader_next(&r, &record);
	}
	assert_int_equal(ret, 1);
	check_large(&record, 400000, 'x');
	assert_true(r.cap < 3 * 400000);
	rpc_reader_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_split, setup),
		cmocka_unit_test_setup(test_byte_by_byte, setup),
		cmocka_unit_test_setup(test_held_records_stay, setup),
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_limit_before_allocation, setup),
		cmocka_unit_test_setup(test_large_in_a_row, setup),
		cmocka_unit_test_setup(test_tiny_fragments, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
