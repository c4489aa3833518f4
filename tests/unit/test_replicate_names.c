/* tests/unit/test_replicate_names.c: names that stand on some copies and not on others, without
 * a mark, and what may be said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "runtime/log.h"
#include "runtime/sim.h"
#include "tests/unit/replicate_world.h"

#define ROOT gfid_root
static const char *const automatic[] = { "quorum-type", "auto", NULL };

static unsigned accused(void)
{
	unsigned i, j, set = 0;

	for (i = 0; i < w.n; i++)
		for (j = 0; j < w.n; j++)
			if (accuses(i, ROOT, j, 2))
				set |= 1u << j;
	return set;
}

/* As a call leaves it whose client died before the brick was asked. */
static void take_away(unsigned brick, const char *name, uint8_t id)
{
	disk_entry(brick, ROOT, name)->exists = false;
	disk_object(brick, id_gfid(id))->exists = false;
}

static struct object *disk_object_new(unsigned brick)
{
	unsigned i;

	for (i = 0; w.disks[brick].objects[i].exists; i++)
		;
	return &w.disks[brick].objects[i];
}

static bool listed(const char *name)
{
	uint64_t offset = 0;
	bool found = false;
	char entry[32];

	while (do_list_next(0, ROOT, &offset, entry) == 0)
		found = found || strcmp(entry, name) == 0;
	return found;
}

/* CREATE sent again is told that the name is there, by two of three. The third, which is away,
 * has it not: it never was asked. */
static void exists_body(void)
{
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), 0);
	take_away(2, "n", 5);
	world_kill(2);
	assert_int_equal(do_create(0, ROOT, "n", 6, NULL), -EEXIST);
	world_rest();
	world_start(2);
	world_rest();
	assert_int_equal(accused(), 1u << 2);
	assert_true(listed("n"));
	assert_int_equal(do_lookup(0, ROOT, "n", NULL), 0);
}

static void test_exists(void **state) { world_run(1, 3, automatic, exists_body); }

/* UNLINK sent again is told that the name is gone; the third has it still. */
static void gone_body(void)
{
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), 0);
	take_away(0, "n", 5);
	take_away(1, "n", 5);
	world_kill(2);
	assert_int_equal(do_unlink(0, ROOT, "n"), -ENOENT);
	world_rest();
	world_start(2);
	world_rest();
	assert_int_equal(accused(), 1u << 2);
	assert_false(listed("n"));
	assert_int_equal(do_lookup(0, ROOT, "n", NULL), -ENOENT);
}

static void test_gone(void **state) { world_run(1, 3, automatic, gone_body); }

/* All are there and say the same: nothing to record. */
static void agreed_body(void)
{
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), 0);
	assert_int_equal(do_create(0, ROOT, "n", 6, NULL), -EEXIST);
	assert_int_equal(do_unlink(0, ROOT, "m"), -ENOENT);
	world_rest();
	assert_int_equal(accused(), 0);
}

static void test_agreed(void **state) { world_run(1, 3, automatic, agreed_body); }

/* That a name is gone is not one copy's to say, while the two others have it. */
static void lone_word_body(void)
{
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), 0);
	take_away(0, "n", 5);
	world_kill(2);
	world_arm(1, FOP_unlink, 1, DIE_BEFORE, 0);
	assert_int_equal(do_unlink(0, ROOT, "n"), -ENOTCONN);
	world_start(1);
	world_start(2);
	world_rest();
	assert_int_equal(do_unlink(0, ROOT, "n"), 0);
	assert_int_equal(do_lookup(0, ROOT, "n", NULL), -ENOENT);
}

static void test_lone_word(void **state) { world_run(1, 3, automatic, lone_word_body); }

static uint64_t comes_after_ns;

static void comer(void *arg)
{
	while (w.fault.armed)
		co_sleep_ns(10000);
	co_sleep_ns(comes_after_ns);
	world_start(1);
}

/* 1 and 2 renamed a file that the stale 0 lacks, and 1 goes before that is on record. Sent again
 * the call finds its work on 2, and 0 cannot follow: 2 is a minority and blames itself, where 1
 * is there again by then, too late to take part. Then it must not blame 1 as well, which is all
 * that is left. */
static void minority_body(void)
{
	int ret;

	world_kill(0);
	assert_int_equal(do_create(0, ROOT, "old", 5, NULL), 0);
	world_rest();
	world_start(0);
	world_rest();
	world_arm(1, FOP_xattrop, 1, DIE_BEFORE, 0);
	co_start(w.loop, comer, NULL);
	ret = do_rename(0, ROOT, "old", ROOT, "new");
	assert_true(ret == 0 || ret == -ENOTCONN);
	assert_false(w.fault.armed);
	world_rest();
	assert_int_not_equal(accused(), 7);
	assert_int_equal(do_create(0, ROOT, "m", 6, NULL), 0);
}

static void test_minority(void **state)
{
	for (comes_after_ns = 0; comes_after_ns < 10000000; comes_after_ns += 100000)
		world_run(1 + comes_after_ns, 3, automatic, minority_body);
}

static unsigned lost_lookup;

static void deafener(void *arg)
{
	while (w.fault.armed)
		co_sleep_ns(10000);
	world_start(1);
	world_arm(1, FOP_lookup, lost_lookup, FAIL_BEFORE, -ENOTCONN);
}

/* Sent again, the call asks the copies whether the work they find is its own. Where that answer is
 * lost, it is not known, and ENOENT is not the answer. */
static void deaf_body(void)
{
	int ret;

	world_kill(0);
	assert_int_equal(do_create(0, ROOT, "old", 5, NULL), 0);
	world_rest();
	world_start(0);
	world_rest();
	world_arm(1, FOP_xattrop, 1, DIE_BEFORE, 0);
	co_start(w.loop, deafener, NULL);
	ret = do_rename(0, ROOT, "old", ROOT, "new");
	assert_true(ret == 0 || ret == -ENOTCONN);
}

static void test_deaf(void **state)
{
	unsigned seed;

	for (seed = 1; seed <= 20; seed++)
		for (lost_lookup = 1; lost_lookup <= 10; lost_lookup++)
			world_run(seed, 3, automatic, deaf_body);
}

static void waker(void *arg)
{
	co_sleep_ns(2000000000);
	world_start(0);
}

/* The stale copy renamed another file than the whole one, whose answer was lost. A repetition is
 * about what whole copies had. */
static void other_file_body(void)
{
	assert_int_equal(do_create(0, ROOT, "old", 5, NULL), 0);
	world_kill(1);
	assert_int_equal(do_unlink(0, ROOT, "old"), 0);
	assert_int_equal(do_create(0, ROOT, "old", 6, NULL), 0);
	world_rest();
	world_start(1);
	world_rest();
	world_arm(0, FOP_rename, 1, DIE_AFTER, 0);
	co_start(w.loop, waker, NULL);
	assert_int_equal(do_rename(0, ROOT, "old", ROOT, "new"), -ENOTCONN);
	assert_true(disk_entry(0, ROOT, "new") && !disk_entry(0, ROOT, "old"));
}

static void test_other_file(void **state) { world_run(1, 2, automatic, other_file_body); }

/* A file was made on 1 and 2, and those that miss it are not marked yet. Whoever sees only 0,
 * which lacks it, and 2, which 0 accuses, must not say that it is gone: 1 may know. */
static void young_body(void)
{
	world_client_new(1);
	world_kill(2);
	assert_int_equal(do_create(0, ROOT, "a", 1, NULL), 0);
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), 0);
	world_rest();
	take_away(0, "n", 5);
	memset(disk_object(1, id_gfid(5))->pending, 0, sizeof(disk_object(1, id_gfid(5))->pending));
	world_start(2);
	world_rest();
	*disk_object_new(2) = *disk_object(1, id_gfid(5));
	world_cut(1, 1, true);
	assert_int_equal(do_lookup_gfid(1, id_gfid(5), NULL), -ENOTCONN);
	world_cut(1, 1, false);
	world_rest();
	assert_int_equal(do_lookup_gfid(1, id_gfid(5), NULL), 0);
}

static void test_young(void **state) { world_run(1, 3, automatic, young_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exists), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_agreed), cmocka_unit_test(test_lone_word),
		cmocka_unit_test(test_minority), cmocka_unit_test(test_other_file),
		cmocka_unit_test(test_young), cmocka_unit_test(test_deaf),
	};

	log_open("test_replicate_names", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
