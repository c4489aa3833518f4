/* tests/unit/test_memory.c: arena, iobuf, list and hash. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "runtime/arena.h"
#include "runtime/hash.h"
#include "runtime/iobuf.h"
#include "runtime/list.h"
#include "runtime/loop.h"

/* --- arena --- */

static void test_arena_zeroed_aligned(void **state)
{
	struct arena *a;
	size_t i, j, size;
	uint8_t *p;
	int round;

	for (round = 0; round < 3; round++) {	/* later rounds get used chunks from the pool */
		a = arena_new(1 << 20);
		for (i = 1; i < 200; i++) {
			size = i * 13 % 3000 + 1;
			p = arena_alloc(a, size);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (j = 0; j < size; j++)
				assert_int_equal(p[j], 0);
			memset(p, 0xaa, size);
		}
		arena_free(a);
	}
}

static void test_arena_limit(void **state)
{
	struct arena *a = arena_new(10000);

	assert_non_null(arena_alloc(a, 6000));
	assert_null(arena_alloc(a, 4001));
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 8));
	assert_non_null(arena_alloc(a, 4000));
	assert_int_equal(arena_used(a), 10000);
	assert_null(arena_alloc(a, 1));
	assert_null(arena_strdup(a, ""));
	assert_null(arena_printf(a, "%d", 1));
	assert_null(arena_memdup(a, "x", 1));
	arena_free(a);
	arena_free(NULL);
}

static void test_arena_large_and_small(void **state)
{
	struct arena *a = arena_new(16 << 20);
	char *small = arena_strdup(a, "first"), *big, *text;

	big = arena_alloc(a, 3 << 20);
	assert_non_null(big);
	memset(big, 1, 3 << 20);
	assert_string_equal(small, "first");
	text = arena_printf(a, "%s-%d", "x", 12345);
	assert_string_equal(text, "x-12345");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(a, "ab", 30), "ab");
	assert_memory_equal(arena_memdup(a, "a\0b", 3), "a\0b", 3);
	arena_free(a);
}

static char order[8];

static void note(void *arg)
{
	strncat(order, arg, sizeof(order) - strlen(order) - 1);
}

static void test_arena_cleanups(void **state)
{
	struct arena *a = arena_new(100);

	order[0] = '\0';
	assert_int_equal(arena_cleanup(a, note, "1"), 0);
	assert_int_equal(arena_cleanup(a, note, "2"), 0);
	assert_non_null(arena_alloc(a, 100 - arena_used(a)));
	assert_int_equal(arena_cleanup(a, note, "x"), -ENOMEM);
	assert_string_equal(order, "x");
	arena_free(a);
	assert_string_equal(order, "x21");
}

/* --- iobuf --- */

static void test_iobuf(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 1000, 1025, 4096, 4097, 65536, 1 << 20, (1 << 20) + 65536, 5 << 20 };
	struct iobuf *b[10];
	struct payload p = { 0 };
	unsigned i, round;

	assert_null(payload_data(&p));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 10; i++) {
			b[i] = iobuf_new(sizes[i]);
			assert_non_null(b[i]);
			assert_int_equal(b[i]->refs, 1);
			assert_true(b[i]->size >= sizes[i]);
			memset(b[i]->data, (int)i, sizes[i]);
			if (sizes[i] >= 4096)
				assert_int_equal((uintptr_t)b[i]->data % 4096, 0);
		}
		for (i = 0; i < 10; i++) {
			assert_ptr_equal(iobuf_ref(b[i]), b[i]);
			iobuf_unref(b[i]);
			assert_int_equal(b[i]->refs, 1);
			iobuf_unref(b[i]);
		}
	}
	iobuf_unref(NULL);
	b[0] = iobuf_new(100000);
	iobuf_unref(b[0]);
	b[1] = iobuf_new(200000);	/* same class: the warm block again */
	assert_ptr_equal(b[0], b[1]);
	p = (struct payload){ b[1], 17, 3 };
	assert_ptr_equal(payload_data(&p), b[1]->data + 17);
	iobuf_unref(b[1]);
}

/* Bytes that wait in a pipe have no address, wherever the window begins. */
static void test_payload_in_a_pipe(void **state)
{
	struct payload p = { iobuf_new_pipe(), 4096, 100 };

	assert_non_null(p.buf);
	assert_null(payload_data(&p));
	iobuf_unref(p.buf);
}

static void test_iobuf_pool_is_bounded(void **state)
{
	static struct iobuf *b[400];
	int i;

	for (i = 0; i < 400; i++)
		assert_non_null(b[i] = iobuf_new(5000));
	for (i = 0; i < 400; i++)
		iobuf_unref(b[i]);	/* valgrind and ASan tell if one is lost or freed twice */
}

static void test_iobuf_pool_ebbs(void **state)
{
	struct loop *loop = loop_new_sim(1);
	struct iobuf *b[20];
	struct timer t;
	size_t before;
	unsigned i;

	iobuf_unref(iobuf_new(1 << 20));
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	for (i = 0; i < 20; i++)
		b[i] = iobuf_new(1 << 20);
	for (i = 0; i < 20; i++)
		iobuf_unref(b[i]);
	timer_init(&t, (void (*)(void *))loop_stop, loop);
	timer_arm(loop, &t, loop_now_ns(loop) + 5000000000ull);
	assert_int_equal(loop_run(loop), 0);
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd - before < 6 << 20);	/* swollen for a moment, not for good */
	loop_free(loop);
}

/* --- list --- */

struct item { int n; struct list link; struct hash_link hash; };

static void test_list(void **state)
{
	struct list a = LIST_INIT(a), b = LIST_INIT(b), *pos, *tmp;
	struct item items[6];
	int i, sum = 0;

	assert_null(list_pop(&a));
	for (i = 0; i < 6; i++) {
		items[i].n = i;
		list_append(i < 3 ? &a : &b, &items[i].link);
	}
	list_splice(&a, &b);
	assert_true(list_empty(&b));
	list_splice(&a, &b);
	i = 0;
	list_for_each(pos, &a)
		assert_int_equal(list_entry(pos, struct item, link)->n, i++);
	list_for_each_safe(pos, tmp, &a)
		if (list_entry(pos, struct item, link)->n % 2)
			list_remove(pos);
	list_remove(&items[1].link);	/* twice does no harm */
	list_push(&a, &items[5].link);
	while ((pos = list_pop(&a)))
		sum = sum * 10 + list_entry(pos, struct item, link)->n;
	assert_int_equal(sum, 5024);
}

/* --- hash --- */

static void test_hash_table(void **state)
{
	enum { N = 5000 };
	struct item *items = calloc(N, sizeof(*items));
	struct hash_link *link;
	struct hash_table t;
	int i, found = 0;

	hash_init(&t);
	assert_null(hash_find(&t, 1));
	assert_null(t.buckets);
	for (i = 0; i < N; i++) {
		items[i].n = i;
		hash_insert(&t, &items[i].hash, (uint64_t)(i % 1000) << 32);	/* five of each; poor low bits */
	}
	assert_int_equal(t.count, N);
	for (link = hash_find(&t, 7ull << 32); link; link = hash_next(link)) {
		assert_int_equal(container_of(link, struct item, hash)->n % 1000, 7);
		found++;
	}
	assert_int_equal(found, 5);
	for (i = 0; i < N; i += 2)
		hash_remove(&t, &items[i].hash);
	assert_int_equal(t.count, N / 2);
	assert_null(hash_find(&t, 8ull << 32));
	assert_non_null(hash_find(&t, 9ull << 32));
	assert_null(hash_find(&t, 5));
	hash_fini(&t);
	free(items);
}

static void test_hash_functions(void **state)
{
	/* XXH64's published value of the empty input, seed 0 */
	assert_true(hash_xxh64("", 0) == 0xef46db3751d8e999ull);
	assert_true(hash_xxh64("a", 1) == 0xd24ec4f1a98c6e5bull);
	assert_true(hash_bytes("abc", 3, 0) == hash_bytes("abc", 3, 0));
	assert_true(hash_bytes("abc", 3, 0) != hash_bytes("abc", 3, 1));
	assert_true(hash_bytes("abc", 3, 0) != hash_bytes("abd", 3, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_zeroed_aligned),
		cmocka_unit_test(test_arena_limit),
		cmocka_unit_test(test_arena_large_and_small),
		cmocka_unit_test(test_arena_cleanups),
		cmocka_unit_test(test_iobuf),
		cmocka_unit_test(test_payload_in_a_pipe),
		cmocka_unit_test(test_iobuf_pool_is_bounded),
		cmocka_unit_test(test_iobuf_pool_ebbs),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_hash_table),
		cmocka_unit_test(test_hash_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
