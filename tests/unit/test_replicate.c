/* tests/unit/test_replicate.c: cluster/replicate's rules one by one; test_replicate_faults.c breaks everything everywhere. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/replicate_world.h"

static const char *const automatic[] = { "quorum-type", "auto", NULL };
static const char *const none[] = { "quorum-type", "none", NULL };
static const char *const arbiter[] = { "quorum-type", "auto", "arbiter-count", "1", NULL };

#define ROOT gfid_root
#define RUN(n, options, body) world_run(1, n, options, body)

static unsigned calls_of(int (*what)(void))
{
	unsigned before = w.calls;

	assert_int_equal(what(), 0);
	return w.calls - before;
}

static int create_f(void) { return do_create(0, ROOT, "f", 1, NULL); }
static int write_f(void) { return do_write(0, id_gfid(1), 0, 'a', 10, 0, NULL); }
static int append_f(void) { return do_write(0, id_gfid(1), 10, 'b', 10, 0, NULL); }
static int stat_f(void) { return do_stat(0, id_gfid(1), NULL); }
static int setattr_f(void) { return do_setattr(0, id_gfid(1), 0600); }
static int lookup_f(void) { return do_lookup(0, ROOT, "f", NULL); }

static void no_locks(void)
{
	unsigned i;

	for (i = 0; i < w.n; i++)
		assert_int_equal(disk_locks(i), 0);
}

static void no_marks(const uint8_t *gfid)
{
	unsigned i, j, t;

	for (i = 0; i < w.n; i++)
		for (t = 0; t < 3; t++) {
			assert_int_equal(disk_object(i, gfid)->dirty[t], 0);
			for (j = 0; j < w.n; j++)
				assert_false(accuses(i, gfid, j, t));
		}
}

static void rounds_body(void)
{
	uint8_t byte;
	uint32_t len;

	do_lookup_gfid(0, ROOT, NULL);
	assert_int_equal(calls_of(create_f), 4);	/* lock, create on both; the unlock comes later */
	co_sleep_ns(100000000);
	assert_int_equal(calls_of(lookup_f), 2);
	assert_int_equal(calls_of(stat_f), 1);
	assert_int_equal(calls_of(write_f), 6);		/* lock, mark, write */
	assert_int_equal(calls_of(append_f), 2);
	assert_int_equal(disk_object(0, id_gfid(1))->dirty[0], 1);
	assert_int_equal(calls_of(setattr_f), 4);	/* does not wait for the data lock */
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(len, 20);
	world_rest();
	no_locks();
	no_marks(id_gfid(1));
	no_marks(ROOT);
}

static void test_rounds(void **state) { RUN(2, automatic, rounds_body); }

static void degraded_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;

	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	world_rest();
	world_kill(1);
	assert_int_equal(do_create(0, ROOT, "g", 2, NULL), 0);
	assert_int_equal(do_mkdir(0, ROOT, "d", 3), 0);
	assert_int_equal(do_symlink(0, ROOT, "s", 4), 0);
	assert_int_equal(do_write(0, id_gfid(1), 0, 'z', 10, 0, NULL), 0);
	world_rest();
	assert_int_equal(disk_object(0, ROOT)->pending[1][2], 3);	/* as the facts' vector: one for each */
	assert_true(accuses(0, id_gfid(1), 1, 0) && !accuses(0, id_gfid(1), 1, 1));
	assert_true(accuses(0, id_gfid(2), 1, 0) && accuses(0, id_gfid(2), 1, 1) && !accuses(0, id_gfid(2), 1, 2));
	assert_true(accuses(0, id_gfid(3), 1, 0) && accuses(0, id_gfid(3), 1, 1) && accuses(0, id_gfid(3), 1, 2));
	assert_false(accuses(0, id_gfid(4), 1, 0) || accuses(0, id_gfid(4), 1, 1));
	assert_int_equal(disk_object(0, ROOT)->dirty[2], 0);
	assert_int_equal(disk_object(0, id_gfid(1))->dirty[0], 0);
	world_start(1);
	co_sleep_ns(5000000);
	assert_int_equal(do_lookup(0, ROOT, "g", NULL), 0);		/* the copy that lacks it is not believed */
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(byte, 'z');
	world_kill(0);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), -ENOTCONN);	/* only the stale one is left: wait */
	assert_int_equal(do_lookup(0, ROOT, "g", NULL), -ENOTCONN);
	assert_int_equal(do_lookup(0, ROOT, "nothing", NULL), -ENOTCONN);
	world_start(0);
	co_sleep_ns(5000000);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(byte, 'z');
}

static void test_degraded(void **state) { RUN(2, automatic, degraded_body); }

/* Of what the heal index does not name nobody missed anything: it is served, though never looked at before. */
static void index_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;
	unsigned n, with, first;

	for (first = 0; first < 2; first++) {
		assert_int_equal(do_create(0, ROOT, first ? "f1" : "f0", (uint8_t)(1 + first), NULL), 0);
		assert_int_equal(do_create(0, ROOT, first ? "h1" : "h0", (uint8_t)(5 + first), NULL), 0);
		assert_int_equal(do_write(0, id_gfid((uint8_t)(5 + first)), 0, 'h', 3, 0, NULL), 0);
		world_rest();
		world_kill(1);
		assert_int_equal(do_write(0, id_gfid((uint8_t)(1 + first)), 0, 'f', 3, 0, NULL), 0);
		world_rest();
		world_start(1);
		co_sleep_ns(10000000);
		world_client_new(1);
		assert_int_equal(do_list(1, ROOT, &n, &with), 0);
		assert_true(n == 2 + 2 * first && with >= n - 1 - first);
		world_kill(0);
		assert_int_equal(do_read(1, id_gfid((uint8_t)(5 + first)), &byte, &len), 0);
		assert_int_equal(byte, 'h');
		assert_int_equal(do_read(1, id_gfid((uint8_t)(1 + first)), &byte, &len), -ENOTCONN);
		world_start(0);
		co_sleep_ns(10000000);
		world_client_free(1);
	}
}

static void test_index(void **state) { RUN(2, automatic, index_body); }

/* Of two, the second alone: reads go on, changes wait; a gateway that just started knows nothing and waits. */
static void quorum2_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;
	int ret;

	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	world_rest();
	world_kill(0);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(byte, 'a');
	assert_int_equal(write_f(), -ENOTCONN);
	assert_int_equal(do_create(0, ROOT, "g", 2, NULL), -ENOTCONN);
	assert_int_equal(setattr_f(), -ENOTCONN);
	world_client_new(1);
	ret = do_read(1, id_gfid(1), &byte, &len);
	assert_int_equal(ret, -ENOTCONN);
	world_start(0);
	co_sleep_ns(5000000);
	assert_int_equal(do_read(1, id_gfid(1), &byte, &len), 0);
	assert_int_equal(write_f(), 0);
	world_rest();
	no_locks();
	no_marks(id_gfid(1));
}

static void test_quorum2(void **state) { RUN(2, automatic, quorum2_body); }

static void quorum3_body(void)
{
	uint8_t byte = 0;
	uint32_t len = 0;

	assert_int_equal(create_f(), 0);
	world_kill(0);
	assert_int_equal(write_f(), 0);
	world_rest();
	world_kill(1);
	assert_int_equal(write_f(), -ENOTCONN);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), -ENOTCONN);
	world_start(0);
	co_sleep_ns(5000000);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(byte, 'a');
	assert_true(accuses(2, id_gfid(1), 0, 0) && !accuses(2, id_gfid(1), 1, 0));
}

static void test_quorum3(void **state) { RUN(3, automatic, quorum3_body); }

static void arbiter_body(void)
{
	struct iatt st;
	unsigned i;
	char name[8] = "x0";

	for (i = 0; i < 6; i++) {
		name[1] = (char)('0' + i);
		assert_int_equal(do_create(0, ROOT, name, (uint8_t)(10 + i), &st), 0);
		assert_int_not_equal(st.blocks, 102);
		disk_object(2, id_gfid((uint8_t)(10 + i)))->size = 0;
		assert_int_equal(do_stat(0, id_gfid((uint8_t)(10 + i)), &st), 0);
		assert_int_not_equal(st.blocks, 102);
	}
	world_kill(1);
	assert_int_equal(do_write(0, id_gfid(10), 0, 'q', 5, 0, NULL), 0);	/* the copy and the arbiter are enough */
	world_rest();
	world_start(1);
	co_sleep_ns(5000000);
	world_kill(0);
	assert_int_equal(do_write(0, id_gfid(10), 0, 'r', 5, 0, NULL), -ENOTCONN);	/* only the arbiter is whole */
	assert_int_equal(do_write(0, id_gfid(11), 0, 'r', 5, 0, NULL), 0);
}

static void test_arbiter(void **state) { RUN(3, arbiter, arbiter_body); }

static void split_body(void)
{
	uint8_t byte;
	uint32_t len;
	struct iatt st;

	assert_int_equal(create_f(), 0);
	world_rest();
	disk_object(0, id_gfid(1))->pending[1][0] = 1;
	disk_object(1, id_gfid(1))->pending[0][0] = 1;
	world_client_new(1);
	assert_int_equal(do_lookup(1, ROOT, "f", &st), 0);
	assert_int_equal(do_stat(1, id_gfid(1), &st), 0);
	assert_int_equal(do_read(1, id_gfid(1), &byte, &len), -EIO);
	assert_int_equal(do_write(1, id_gfid(1), 0, 'x', 1, 0, NULL), -EIO);
}

static void test_split_brain(void **state) { RUN(2, automatic, split_body); }

static void gfid_mismatch_body(void)
{
	struct iatt st;

	assert_int_equal(create_f(), 0);
	memcpy(disk_entry(1, ROOT, "f")->gfid, id_gfid(9), 16);
	memcpy(disk_object(1, id_gfid(1))->gfid, id_gfid(9), 16);
	assert_int_equal(do_lookup(0, ROOT, "f", &st), 0);
	assert_true(gfid_equal(st.gfid, id_gfid(1)));	/* of two the first decides */
	disk_object(1, ROOT)->pending[0][2] = 1;	/* once it is blamed, the second is believed */
	world_client_new(1);
	assert_int_equal(do_lookup(1, ROOT, "f", &st), 0);
	assert_true(gfid_equal(st.gfid, id_gfid(9)));
}

static void test_gfid_mismatch(void **state) { RUN(2, automatic, gfid_mismatch_body); }

/* Removed while a child was away: that child still has it, and nobody accuses that object. */
static void zombie_body(void)
{
	assert_int_equal(create_f(), 0);
	world_rest();
	world_kill(1);
	assert_int_equal(do_unlink(0, ROOT, "f"), 0);
	world_rest();
	world_start(1);
	co_sleep_ns(5000000);
	assert_int_equal(do_lookup(0, ROOT, "f", NULL), -ENOENT);
	assert_int_equal(do_lookup_gfid(0, id_gfid(1), NULL), -ESTALE);
	world_client_new(1);
	assert_int_equal(do_lookup_gfid(1, id_gfid(1), NULL), -ESTALE);
	assert_int_equal(do_create(1, ROOT, "f", 2, NULL), 0);	/* the stale child says EEXIST: it is not asked */
	assert_int_equal(do_lookup(1, ROOT, "f", NULL), 0);
}

static void test_zombie(void **state) { RUN(2, automatic, zombie_body); }

static void steady_body(void)
{
	unsigned i, n, with;
	struct iatt a, b, c;

	for (i = 0; i < 8; i++) {
		char name[2] = { (char)('a' + i), 0 };
		uint8_t id = (uint8_t)(20 + i);

		assert_int_equal(do_create(0, ROOT, name, id, &a), 0);
		assert_int_equal(do_write(0, id_gfid(id), 0, 'x', 3, 0, &b), 0);
		assert_int_equal(do_lookup(0, ROOT, name, &c), 0);
		assert_int_equal(a.blocks, b.blocks);
		assert_int_equal(a.blocks, c.blocks);
		assert_int_equal(do_stat(0, id_gfid(id), &c), 0);
		assert_int_equal(a.blocks, c.blocks);
	}
	assert_int_equal(do_list(0, ROOT, &n, &with), 0);
	assert_int_equal(n, 8);
	assert_int_equal(with, 8);
	world_kill(1);
	assert_int_equal(do_write(0, id_gfid(20), 0, 'y', 3, 0, NULL), 0);
	world_rest();
	world_start(1);
	co_sleep_ns(5000000);
	world_client_new(1);
	assert_int_equal(do_list(1, ROOT, &n, &with), 0);	/* listed from either; nothing stale is shown */
	assert_int_equal(n, 8);
}

static void test_steady(void **state) { RUN(2, automatic, steady_body); }

/* The bricks keep the names in other places; a copy dies in the middle of a listing. */
static void listing_body(void)
{
	uint64_t at = 0, fresh = 0;
	char name[32];
	unsigned i, child, seen = 0;
	struct entry swap;

	for (i = 0; i < 6; i++) {
		char text[2] = { (char)('a' + i), 0 };

		assert_int_equal(do_create(0, ROOT, text, (uint8_t)(20 + i), NULL), 0);
	}
	swap = w.disks[1].entries[0];
	w.disks[1].entries[0] = w.disks[1].entries[5];
	w.disks[1].entries[5] = swap;
	for (i = 0; i < 3; i++) {
		assert_int_equal(do_list_next(0, ROOT, &at, name), 0);
		seen |= 1u << (name[0] - 'a');
	}
	child = (unsigned)(at >> 42) - 1;
	assert_true(child < 3 && at < 1ull << 46);
	world_kill(child);
	assert_int_equal(do_list_next(0, ROOT, &at, name), -ENOTCONN);
	for (i = 0; i < 6; i++)
		assert_int_equal(do_list_next(0, ROOT, &fresh, name), 0);
	assert_int_equal(do_list_next(0, ROOT, &fresh, name), -ENOENT);
	world_start(child);
	co_sleep_ns(5000000);
	while (do_list_next(0, ROOT, &at, name) == 0) {
		assert_false(seen >> (name[0] - 'a') & 1);
		seen |= 1u << (name[0] - 'a');
	}
	assert_int_equal(seen, 63);
}

static void test_listing(void **state) { RUN(3, automatic, listing_body); }

/* ---- the eager lock ------------------------------------------------------------------------------------------------ */

static void contention_body(void)
{
	uint8_t byte = 0;
	uint32_t len;
	unsigned i;
	uint64_t began;

	world_client_new(1);
	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	began = loop_now_ns(w.loop);
	for (i = 0; i < 6; i++)
		assert_int_equal(do_write((i + 1) % 2, id_gfid(1), 0, (uint8_t)('k' + i), 10, 0, NULL), 0);
	assert_true(loop_now_ns(w.loop) - began < 500000000);	/* nobody waited for the delay to end */
	assert_true(w.disks[0].contentions > 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(do_read(i, id_gfid(1), &byte, &len), 0);
		assert_int_equal(byte, 'p');
	}
	world_rest();
	no_locks();
	no_marks(id_gfid(1));
}

static void test_contention(void **state) { RUN(2, automatic, contention_body); }

struct many { unsigned i, client; unsigned *done; int ret; };

static void writer(void *arg)
{
	struct many *m = arg;

	m->ret = do_write(m->client, id_gfid(1), m->i % 4 * 5, (uint8_t)('a' + m->i), 10, m->i % 3 ? 0 : O_DSYNC, NULL);
	(*m->done)++;
}

/* Overlapping and disjoint writes of two clients at once: both copies end the same. */
static void storm_body(void)
{
	static struct many m[24];
	unsigned done = 0, i;

	world_client_new(1);
	assert_int_equal(create_f(), 0);
	for (i = 0; i < 24; i++) {
		m[i] = (struct many){ i, i / 3 % 2, &done, 1 };
		co_start(w.loop, writer, &m[i]);
	}
	while (done < 24)
		co_sleep_ns(1000000);
	for (i = 0; i < 24; i++)
		assert_int_equal(m[i].ret, 0);
	world_rest();
	no_locks();
	no_marks(id_gfid(1));
	assert_int_equal(disk_object(0, id_gfid(1))->size, disk_object(1, id_gfid(1))->size);
	assert_memory_equal(disk_object(0, id_gfid(1))->data, disk_object(1, id_gfid(1))->data, CONTENT);
}

static void test_storm(void **state)
{
	uint64_t seed;

	for (seed = 1; seed < 20; seed++)
		world_run(seed, 2, automatic, storm_body);
}

static void flush_body(void)
{
	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	assert_int_equal(do_flush(0, id_gfid(1)), 0);
	assert_int_equal(disk_object(0, id_gfid(1))->dirty[0], 0);
	assert_int_equal(do_truncate(0, id_gfid(1), 3), 0);
	assert_int_equal(do_fsync(0, id_gfid(1)), 0);
	world_rest();
	no_locks();
	no_marks(id_gfid(1));
}

static void test_flush(void **state) { RUN(2, automatic, flush_body); }

/* A child that dies with data it had not synced may have lost it: nobody is blamed, the copies are left to be compared. */
static void unsynced_body(void)
{
	assert_int_equal(create_f(), 0);
	assert_int_equal(do_create(0, ROOT, "g", 2, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(1), 0, 'u', 10, 0, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(1), 0, 'v', 10, 0, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(2), 0, 's', 10, 0, NULL), 0);
	assert_int_equal(do_write(0, id_gfid(2), 0, 't', 10, O_DSYNC, NULL), 0);
	world_kill(1);
	world_start(1);
	world_rest();
	assert_int_equal(disk_object(0, id_gfid(1))->dirty[0], 1);
	assert_int_equal(disk_object(0, id_gfid(2))->dirty[0], 0);
	assert_false(accuses(0, id_gfid(1), 1, 0) || accuses(0, id_gfid(2), 1, 0) || accuses(1, id_gfid(1), 0, 0));
	assert_int_equal(do_write(0, id_gfid(1), 0, 'w', 10, O_DSYNC, NULL), 0);
	world_rest();
	no_locks();
}

static int again_ret;

static void again_create(void *arg)
{
	uint8_t id = *(uint8_t *)arg;
	char name[3] = { 'n', (char)('0' + id - 30), 0 };

	again_ret = do_create(0, ROOT, name, id, NULL);
}

static void again_unlink(void *arg)
{
	again_ret = do_unlink(0, ROOT, arg);
}

/* The first of two dies in the middle of a create: the call waits for it, finds its own work on the other, and takes the accusation back. */
static void again_body(void)
{
	unsigned how;

	for (how = DIE_BEFORE; how <= DIE_AFTER; how++) {
		uint8_t id = (uint8_t)(30 + how);
		char name[3] = { 'n', (char)('0' + how), 0 };

		world_arm(0, FOP_create, 1, how, 0);
		again_ret = 1;
		co_start(w.loop, again_create, &id);
		co_sleep_ns(2000000000);
		assert_true(w.fault.fired && again_ret == 1);
		assert_true(accuses(1, ROOT, 1, 2) && !accuses(1, ROOT, 0, 2));
		world_start(0);
		co_sleep_ns(1000000000);
		assert_int_equal(again_ret, 0);
		assert_non_null(disk_entry(0, ROOT, name));
		no_marks(ROOT);
		no_marks(id_gfid(id));
		no_locks();
		assert_int_equal(do_write(0, id_gfid(id), 0, 'x', 10, 0, NULL), 0);
		world_arm(0, FOP_unlink, 1, how, 0);
		again_ret = 1;
		co_start(w.loop, again_unlink, name);
		co_sleep_ns(2000000000);
		world_start(0);
		co_sleep_ns(1000000000);
		assert_int_equal(again_ret, 0);
		assert_null(disk_entry(0, ROOT, name));
		no_marks(ROOT);
	}
}

static void test_again(void **state) { RUN(2, automatic, again_body); }

static void test_unsynced(void **state) { RUN(2, automatic, unsynced_body); }

/* A copy that lost its tail in a crash is not read, and is on record before the file grows over the loss. */
static void shorter_body(void)
{
	uint8_t byte;
	uint32_t len = 0;

	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	world_rest();
	world_kill(1);
	disk_object(1, id_gfid(1))->size = 4;
	memset(disk_object(1, id_gfid(1))->data, 0, CONTENT);
	world_start(1);
	co_sleep_ns(5000000);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), 0);
	assert_int_equal(len, 10);
	assert_int_equal(append_f(), 0);
	world_rest();
	assert_true(accuses(1, id_gfid(1), 1, 0) && !accuses(0, id_gfid(1), 1, 0));
	world_client_new(1);
	assert_int_equal(do_read(1, id_gfid(1), &byte, &len), 0);
	assert_int_equal(byte, 'a');
}

static void test_shorter(void **state) { RUN(2, automatic, shorter_body); }

/* ---- interruption --------------------------------------------------------------------------------------------------- */

static int interrupted_ret;

static void impatient(void *arg)
{
	co_set_deadline(loop_now_ns(w.loop) + 20000000);
	interrupted_ret = arg ? do_create(0, ROOT, "f", 1, NULL) : do_write(0, id_gfid(1), 0, 'i', 5, 0, NULL);
}

static void foreign_lock(bool entry, enum lock_cmd cmd)
{
	struct arena *arena = arena_new(1 << 16);
	struct call call;
	unsigned i;

	call_init(&call, arena);
	call.lk_owner = (const uint8_t *)"foreign1";
	call.lk_owner_len = 8;
	for (i = 0; i < w.n; i++) {
		struct xlator *leaf = &w.clients[1].leaf[i];
		struct inode *inode = the_inode(1, entry ? ROOT : id_gfid(1));
		struct entrylk_args e = { inode, "set", "f", cmd, LOCK_WRITE };
		struct inodelk_args n = { inode, NULL, "set", cmd, LOCK_WRITE, 0, 0 };
		struct entrylk_res er;
		struct inodelk_res nr;

		assert_int_equal(entry ? xl_entrylk(leaf, &call, &e, &er) : xl_inodelk(leaf, &call, &n, &nr), 0);
		inode_unref(inode);
	}
	arena_free(arena);
}

static void interruption_body(void)
{
	unsigned k;

	world_client_new(1);
	do_lookup_gfid(0, ROOT, NULL);
	for (k = 0; k < 2; k++) {
		bool entry = k == 0;

		foreign_lock(entry, LOCK_TRY);
		interrupted_ret = 0;
		co_start(w.loop, impatient, entry ? &interrupted_ret : NULL);
		co_sleep_ns(200000000);
		assert_int_equal(interrupted_ret, -ETIMEDOUT);
		assert_int_equal(disk_locks(0), 1);
		foreign_lock(entry, LOCK_UNLOCK);
		co_sleep_ns(200000000);
		no_locks();
		if (entry)
			assert_int_equal(create_f(), 0);
		co_sleep_ns(200000000);
	}
	assert_int_equal(write_f(), 0);
}

static void test_interruption(void **state) { RUN(2, automatic, interruption_body); }

/* With quorum-type none either half goes on alone: allowed, and the marks then say so. */
static void none_body(void)
{
	uint8_t byte;
	uint32_t len;

	assert_int_equal(create_f(), 0);
	world_rest();
	world_kill(0);
	assert_int_equal(write_f(), 0);
	world_rest();
	assert_true(accuses(1, id_gfid(1), 0, 0));
	world_start(0);
	co_sleep_ns(5000000);
	world_kill(1);
	assert_int_equal(do_read(0, id_gfid(1), &byte, &len), -ENOTCONN);
	assert_int_equal(write_f(), -ENOTCONN);
}

static void test_none(void **state) { RUN(2, none, none_body); }

/* A client that begins while the first copy is away: what that one may have done alone is not told by the second. */
static int begin_without_first(void)
{
	uint8_t byte;
	uint32_t len;
	unsigned n, with_stat;
	int ret;

	assert_int_equal(create_f(), 0);
	assert_int_equal(write_f(), 0);
	world_rest();
	world_kill(0);
	world_client_free(0);
	world_client_new(1);
	ret = do_read(1, id_gfid(1), &byte, &len);
	assert_int_equal(do_list(1, ROOT, &n, &with_stat), ret);
	assert_int_equal(do_lookup(1, ROOT, "f", NULL), ret);
	return ret;
}

static void first_away_body(void) { assert_int_equal(begin_without_first(), -ENOTCONN); }
static void first_away_stale_body(void)
{
	assert_int_equal(begin_without_first(), 0);
	assert_int_equal(do_write(1, id_gfid(1), 0, 'x', 1, 0, NULL), -ENOTCONN);
}
static void first_away_none_body(void) { assert_int_equal(begin_without_first(), 0); }

static const char *const stale[] = { "quorum-type", "auto", "stale-reads", "on", NULL };

static void test_first_away(void **state)
{
	RUN(2, automatic, first_away_body);
	RUN(2, stale, first_away_stale_body);
	RUN(2, none, first_away_none_body);
}

static void directories_body(void)
{
	assert_int_equal(do_mkdir(0, ROOT, "d", 1), 0);
	assert_int_equal(do_mkdir(0, ROOT, "e", 2), 0);
	assert_int_equal(do_create(0, id_gfid(1), "x", 3, NULL), 0);
	assert_int_equal(do_link(0, id_gfid(3), id_gfid(2), "y"), 0);
	assert_int_equal(do_rename(0, id_gfid(1), "x", id_gfid(2), "z"), 0);
	assert_int_equal(do_rename(0, ROOT, "d", ROOT, "e2"), 0);
	assert_int_equal(do_rmdir(0, ROOT, "e2"), 0);
	assert_int_equal(do_rmdir(0, ROOT, "e2"), -ENOENT);
	world_rest();
	no_locks();
	no_marks(ROOT);
	no_marks(id_gfid(2));
	no_marks(id_gfid(3));
}

static void test_directories(void **state) { RUN(2, automatic, directories_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds), cmocka_unit_test(test_degraded), cmocka_unit_test(test_index),
		cmocka_unit_test(test_quorum2), cmocka_unit_test(test_quorum3), cmocka_unit_test(test_arbiter),
		cmocka_unit_test(test_split_brain), cmocka_unit_test(test_gfid_mismatch), cmocka_unit_test(test_zombie),
		cmocka_unit_test(test_steady), cmocka_unit_test(test_listing), cmocka_unit_test(test_contention),
		cmocka_unit_test(test_storm), cmocka_unit_test(test_flush), cmocka_unit_test(test_unsynced),
		cmocka_unit_test(test_again), cmocka_unit_test(test_shorter), cmocka_unit_test(test_interruption),
		cmocka_unit_test(test_none), cmocka_unit_test(test_first_away), cmocka_unit_test(test_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
