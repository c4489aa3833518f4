/* tests/unit/test_inode.c: gfids as text, and the table of inodes with its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "xlators/xlator.h"

static unsigned forgotten;

static void forget(struct xlator *xl, struct inode *inode, void *ctx)
{
	forgotten++;
	free(ctx);
}

static const struct xlator_class keeper_class = { .name = "test/keeper", .uses_inode_ctx = true, .forget = forget };
static struct xlator keeper = { .class = &keeper_class, .name = "keeper" };
static struct xlator *const xlators[] = { &keeper };

static void number(uint8_t *gfid, unsigned n)
{
	memset(gfid, 0, 16);
	gfid[14] = (uint8_t)(n >> 8);
	gfid[15] = (uint8_t)n;
}

static void one_gfid_is_one_inode(void **state)
{
	struct inode_table *t = inode_table_new(xlators, 1, 1, 10);
	uint8_t gfid[16];
	struct inode *a, *b;

	number(gfid, 7);
	assert_null(inode_find(t, gfid));
	a = inode_get(t, gfid);
	b = inode_get(t, gfid);
	assert_ptr_equal(a, b);
	assert_int_equal(inode_table_count(t), 1);
	*inode_ctx(&keeper, a) = malloc(1);
	inode_unref(a);
	inode_unref(b);
	a = inode_find(t, gfid);
	assert_ptr_equal(a, b);
	assert_non_null(*inode_ctx(&keeper, a));
	inode_unref(a);
	forgotten = 0;
	inode_table_free(t);
	assert_int_equal(forgotten, 1);
}

static void idle_inodes_are_bounded_oldest_first(void **state)
{
	struct inode_table *t = inode_table_new(xlators, 1, 1, 10);
	struct inode *held;
	uint8_t gfid[16];
	unsigned i;

	number(gfid, 0);
	held = inode_get(t, gfid);
	forgotten = 0;
	for (i = 1; i <= 100; i++) {
		struct inode *inode;

		number(gfid, i);
		inode = inode_get(t, gfid);
		*inode_ctx(&keeper, inode) = malloc(1);
		inode_unref(inode);
	}
	assert_int_equal(inode_table_count(t), 11);
	assert_int_equal(forgotten, 90);
	number(gfid, 90);
	assert_null(inode_find(t, gfid));
	number(gfid, 91);
	inode_unref(inode_find(t, gfid));	/* and so becomes the youngest */
	inode_table_set_max_idle(t, 1);
	assert_int_equal(inode_table_count(t), 2);
	assert_ptr_equal(inode_find(t, gfid), inode_get(t, gfid));
	inode_unref(inode_find(t, gfid));
	inode_unref(inode_find(t, gfid));
	{
		struct inode *young = inode_find(t, gfid);

		while (young->refs > 1)
			inode_unref(young);
		inode_unref(young);
	}
	inode_unref(held);
	inode_table_free(t);
}

static void gfids_as_text(void **state)
{
	static const char text[] = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
	char buf[GFID_TEXT_SIZE];
	uint8_t gfid[16];

	assert_true(gfid_parse(text, gfid));
	assert_string_equal(gfid_text(gfid, buf), text);
	assert_true(gfid_ino(gfid) == 0x8293a4b5c6d7e8f9);
	assert_false(gfid_parse("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f", gfid));
	assert_false(gfid_parse("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9a", gfid));
	assert_false(gfid_parse("0a1b2c3d4e5f-6071-8293-a4b5c6d7e8f9-a", gfid));
	assert_false(gfid_parse("ga1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", gfid));
	assert_true(gfid_is_root(gfid_root));
	assert_true(gfid_parse("0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9", gfid));
	assert_string_equal(gfid_text(gfid, buf), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_gfid_is_one_inode),
		cmocka_unit_test(idle_inodes_are_bounded_oldest_first),
		cmocka_unit_test(gfids_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
