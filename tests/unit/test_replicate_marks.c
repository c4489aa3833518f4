/* tests/unit/test_replicate_marks.c: what calls leave that were cut short, and what can be done with it once everybody is there again. */
#include <fcntl.h>
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

static void kill_and_create(unsigned brick, const char *name, uint8_t id)
{
	world_kill(brick);
	assert_int_equal(do_create(0, ROOT, name, id, NULL), 0);
	world_rest();
	world_start(brick);
	world_rest();
}

/* Bricks 0 and 1 in turn missed something: only brick 2 is whole. */
static void leave_whole_2(void)
{
	kill_and_create(0, "a", 1);
	kill_and_create(1, "b", 2);
	assert_true(accuses(2, ROOT, 0, 2) && accuses(2, ROOT, 1, 2) && !accuses(0, ROOT, 2, 2) && !accuses(1, ROOT, 2, 2));
}

static unsigned accused(const uint8_t *gfid, unsigned type)
{
	unsigned i, j, set = 0;

	for (i = 0; i < w.n; i++)
		for (j = 0; j < w.n; j++)
			if (accuses(i, gfid, j, type))
				set |= 1u << j;
	return set;
}

/* The stale copies have something else under the name, so that a new object stands on the whole one alone. All are there: it must be possible
 * to work with it. */
static void alone_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;

	leave_whole_2();
	world_arm(2, FOP_create, 1, DIE_BEFORE, 0);
	assert_int_equal(do_create(0, ROOT, "n", 5, NULL), -ENOTCONN);
	assert_true(disk_entry(0, ROOT, "n") && disk_entry(1, ROOT, "n"));
	world_start(2);
	world_rest();
	assert_int_equal(do_create(0, ROOT, "n", 6, NULL), 0);
	assert_true(disk_object(2, id_gfid(6)) && !disk_object(0, id_gfid(6)) && !disk_object(1, id_gfid(6)));
	assert_int_equal(do_truncate(0, id_gfid(6), 0), 0);
	assert_int_equal(do_write(0, id_gfid(6), 0, 'x', 10, 0, NULL), 0);
	assert_int_equal(do_fsync(0, id_gfid(6)), 0);
	assert_int_equal(do_setattr(0, id_gfid(6), 0600), 0);
	assert_int_equal(do_read(0, id_gfid(6), &byte, &len), 0);
	assert_int_equal(byte, 'x');
	world_rest();
	assert_false(accuses(2, id_gfid(6), 2, 0));
	world_kill(0);			/* it might be going on without us, if it had been healed: wait */
	assert_int_equal(do_write(0, id_gfid(6), 0, 'y', 10, 0, NULL), -ENOTCONN);
	assert_int_equal(do_setattr(0, id_gfid(6), 0644), -ENOTCONN);
	world_start(0);
	world_rest();
	assert_int_equal(do_write(0, id_gfid(6), 0, 'y', 10, 0, NULL), 0);
}

static void test_alone(void **state) { world_run(1, 3, automatic, alone_body); }

/* The same of a directory: its names can be changed. */
static void alone_dir_body(void)
{
	leave_whole_2();
	world_arm(2, FOP_mkdir, 1, DIE_BEFORE, 0);
	assert_int_equal(do_mkdir(0, ROOT, "d", 5), -ENOTCONN);
	world_start(2);
	world_rest();
	assert_int_equal(do_mkdir(0, ROOT, "d", 6), 0);
	assert_int_equal(do_create(0, id_gfid(6), "in", 7, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(7), 0, 'x', 10, O_DSYNC, NULL), 0);
	assert_int_equal(do_rename(0, id_gfid(6), "in", id_gfid(6), "out"), 0);
	assert_int_equal(do_unlink(0, id_gfid(6), "out"), 0);
	world_rest();
	assert_int_equal(do_rmdir(0, ROOT, "d"), 0);
}

static void test_alone_dir(void **state) { world_run(1, 3, automatic, alone_dir_body); }

/* Brick 1 is stale, 2 is away, and the marks that accuse 2 are cut short by the death of 1 or 0, or the change itself is. Whoever is left must
 * never be accused by those it may go on without. */
static struct { unsigned victim, nth, with; enum how how; enum fop op; bool data; } cut;
#define NOBODY 9u

static void accomplice(void *arg)
{
	while (w.fault.armed)
		co_sleep_ns(1000);
	if (w.fault.fired && cut.with != NOBODY)
		world_kill(cut.with);
}

static int cut_change(unsigned client, char value)
{
	return cut.data ? do_write(client, id_gfid(9), 0, (uint8_t)value, 10, O_DSYNC, NULL) : do_setattr(client, id_gfid(9), (uint32_t)value);
}

static void cut_body(void)
{
	unsigned type = cut.data ? 0 : 1, tries;
	int ret;

	assert_int_equal(do_create(0, ROOT, "f", 9, NULL), 0);
	assert_int_equal(cut_change(0, 'a'), 0);
	world_rest();
	world_kill(1);
	assert_int_equal(cut_change(0, 'b'), 0);
	world_rest();
	world_start(1);
	world_rest();
	assert_int_equal(accused(id_gfid(9), type), 1u << 1);
	world_kill(2);
	world_arm(cut.victim, (int)cut.op, cut.nth, cut.how, -EIO);
	co_start(w.loop, accomplice, NULL);
	cut_change(0, 'c');
	w.fault.armed = false;
	world_rest();
	world_start(2);
	world_start(cut.victim);
	world_rest();
	world_client_new(1);		/* somebody who does not remember */
	cut_change(1, 'd');		/* may have to wait */
	world_rest();
	for (tries = 0; tries < 3; tries++)
		world_start(tries);
	world_rest();
	ret = cut_change(1, 'e');
	world_rest();
	if (ret != 0 || accused(id_gfid(9), type) == 7)
		print_message("victim=%u nth=%u how=%d op=%s data=%d with=%u ret=%d accused=%x\n", cut.victim, cut.nth, cut.how,
			      fop_names[cut.op], cut.data, cut.with, ret, accused(id_gfid(9), type));
	assert_int_equal(ret, 0);
	assert_int_not_equal(accused(id_gfid(9), type), 7);
}

static void run_cut(unsigned seed, enum fop op, enum how how)
{
	for (cut.victim = 0; cut.victim < 2; cut.victim++)
		for (cut.nth = 1; cut.nth <= 3; cut.nth++)
			for (cut.with = 0; cut.with <= NOBODY; cut.with += cut.with ? NOBODY - 1 : 1) {
				if (cut.with == cut.victim)
					continue;
				cut.op = op;
				cut.how = how;
				cut.data = seed % 2;
				world_run(seed, 3, automatic, cut_body);
			}
}

static void test_cut(void **state)
{
	static const enum fop ops[] = { FOP_xattrop, FOP_writev, FOP_setattr };
	static const enum how hows[] = { DIE_BEFORE, DIE_AFTER, FAIL_BEFORE };
	unsigned seed, o, h;

	for (seed = 1; seed <= 20; seed++)
		for (o = 0; o < 3; o++)
			for (h = 0; h < 3; h++)
				run_cut(seed, ops[o], hows[h]);
}

/* Whoever made something learns what it is, also when the copies that told go away in that moment. */
static void murderer(void *arg)
{
	co_sleep_ns(sim_random(w.loop, 1600000));
	world_kill(2);
}

static unsigned made;

static void maker_body(void)
{
	struct iatt st = { .mode = 0 };

	leave_whole_2();
	co_start(w.loop, murderer, NULL);
	world_arm(0, FOP_create, 1, DIE_BEFORE, 0);
	if (do_create(0, ROOT, "n", 5, &st) == 0) {
		assert_true(gfid_equal(st.gfid, id_gfid(5)) && S_ISREG(st.mode));
		made++;
	}
}

static void test_maker(void **state)
{
	unsigned seed;

	made = 0;
	for (seed = 1; seed <= 1000; seed++)
		world_run(seed, 3, automatic, maker_body);
	assert_true(made);
}

static int mkdir_with_range(void)
{
	struct arena *arena = arena_new(1 << 20);
	struct xattr range = { "trusted.glusterfs.dht", "0123456789abcdef", 16 };
	struct mkdir_args a = { .parent = the_inode(0, ROOT), .name = "d", .mode = 0755, .gfid = id_gfid(5), .xattrs = { &range, 1 } };
	struct mkdir_res *res = arena_alloc(arena, sizeof(*res));
	struct call call;
	int ret;

	call_init(&call, arena);
	ret = xl_mkdir(&w.clients[0].top, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

static void waker(void *arg)
{
	co_sleep_ns(2000000000);
	world_start(0);
}

/* A brick that died while it made a directory left a name and nothing else. The call that is sent again makes it whole. */
static void half_body(void)
{
	world_arm(0, FOP_mkdir, 1, DIE_HALF, 0);
	co_start(w.loop, waker, NULL);
	assert_int_equal(mkdir_with_range(), 0);
	assert_int_equal(disk_object(0, id_gfid(5))->xattrs, 1);
	assert_int_equal(disk_object(1, id_gfid(5))->xattrs, 1);
}

static void test_half(void **state) { world_run(1, 2, automatic, half_body); }

/* A rename was cut short after the first of two had done it, and nobody knew what the name stood for: what the caller is told is to look. */
static void moved_body(void)
{
	world_kill(1);
	assert_int_equal(do_create(0, ROOT, "old", 5, NULL), 0);
	world_start(1);
	world_rest();
	world_arm(0, FOP_rename, 1, DIE_AFTER, 0);
	co_start(w.loop, waker, NULL);
	assert_int_equal(do_rename(0, ROOT, "old", ROOT, "new"), -ENOTCONN);
	assert_int_equal(do_lookup(0, ROOT, "new", NULL), 0);
}

static void test_moved(void **state) { world_run(1, 2, automatic, moved_body); }

/* What a brick that went away may have put on record is not held against anybody with an error. */
static void rumour_body(void)
{
	w.lax = true;
	world_kill(0);
	assert_int_equal(do_create(0, ROOT, "f", 5, NULL), 0);	/* 0 lacks it */
	world_start(0);
	world_rest();
	world_kill(2);
	assert_int_equal(do_write(0, id_gfid(5), 0, 'x', 10, O_DSYNC, NULL), -ENOTCONN);	/* 0 cannot put anything on record */
	world_kill(0);
	world_start(2);
	world_rest();
	world_arm(2, FOP_writev, 1, DIE_BEFORE, 0);
	assert_int_equal(do_write(0, id_gfid(5), 0, 'x', 10, O_DSYNC, NULL), -ENOTCONN);
	world_start(2);
	world_rest();
	assert_int_equal(do_write(0, id_gfid(5), 0, 'y', 10, O_DSYNC, NULL), 0);
	world_start(0);
	world_rest();
	assert_int_equal(do_write(0, id_gfid(5), 0, 'z', 10, O_DSYNC, NULL), 0);
}

static void test_rumour(void **state) { world_run(1, 3, automatic, rumour_body); }

/* A copy that goes down with data that was not synced is accused by the fsync that succeeds without it: no restart was heard of by then. */
static void unsynced_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;

	assert_int_equal(do_create(0, ROOT, "f", 5, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(5), 0, 'o', 10, O_DSYNC, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(5), 0, 'n', 10, 0, NULL), 0);
	world_kill(1);
	memset(disk_object(1, id_gfid(5))->data, 'o', 10);	/* the power went, too */
	co_sleep_ns(100000000);
	assert_int_equal(do_fsync(0, id_gfid(5)), 0);
	world_rest();
	assert_true(accuses(0, id_gfid(5), 1, 0));
	world_start(1);
	world_rest();
	assert_int_equal(do_read(0, id_gfid(5), &byte, &len), 0);
	assert_int_equal(byte, 'n');
}

static void test_unsynced(void **state) { world_run(1, 2, automatic, unsynced_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone), cmocka_unit_test(test_alone_dir), cmocka_unit_test(test_cut), cmocka_unit_test(test_maker),
		cmocka_unit_test(test_half), cmocka_unit_test(test_moved), cmocka_unit_test(test_rumour),
		cmocka_unit_test(test_unsynced),
	};

	log_open("test_replicate_marks", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
