/* tests/unit/test_replicate_faults.c: every failure of every call of every operation on every child.
 *
 * For each operation the first, second, ... call on one brick fails, before or after its effect, alone or with the brick; until the operation
 * makes no more calls there. Afterwards the brick is back, and the disks must tell the truth: copies that differ are accused, only the copy that
 * failed is, an answered change stands on the copies nobody accuses, no lock is left, and no client ever reads anything else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "runtime/log.h"
#include "runtime/sim.h"
#include "tests/unit/replicate_world.h"

#define ROOT gfid_root
#define FILE_ID 1
#define DIR_ID 2
#define DIR2_ID 3
#define NEW_ID 9

static const char *const automatic[] = { "quorum-type", "auto", NULL };

enum { OP_CREATE, OP_MKDIR, OP_SYMLINK, OP_LINK, OP_UNLINK, OP_RMDIR, OP_RENAME, OP_SETATTR, OP_WRITE, OP_APPEND, OP_TWO_WRITES, OP_STABLE,
       OP_TRUNCATE, OP_WRITE_FSYNC, OPS };

static struct { int op; unsigned brick, nth, absent; enum how how; int err; int ret; bool fired; } sc;
#define NOBODY 99u

static int operate(unsigned client)
{
	int ret;

	switch (sc.op) {
	case OP_CREATE: return do_create(client, ROOT, "new", NEW_ID, NULL);
	case OP_MKDIR: return do_mkdir(client, ROOT, "new", NEW_ID);
	case OP_SYMLINK: return do_symlink(client, ROOT, "new", NEW_ID);
	case OP_LINK: return do_link(client, id_gfid(FILE_ID), id_gfid(DIR_ID), "new");
	case OP_UNLINK: return do_unlink(client, ROOT, "file");
	case OP_RMDIR: return do_rmdir(client, ROOT, "dir2");
	case OP_RENAME: return do_rename(client, ROOT, "file", id_gfid(DIR_ID), "new");
	case OP_SETATTR: return do_setattr(client, id_gfid(FILE_ID), 0600);
	case OP_WRITE: return do_write(client, id_gfid(FILE_ID), 0, 'n', 10, 0, NULL);
	case OP_APPEND: return do_write(client, id_gfid(FILE_ID), 10, 'n', 10, 0, NULL);
	case OP_STABLE: return do_write(client, id_gfid(FILE_ID), 0, 'n', 10, O_DSYNC, NULL);
	case OP_TWO_WRITES:
		ret = do_write(client, id_gfid(FILE_ID), 0, 'm', 10, 0, NULL);
		return ret < 0 ? ret : do_write(client, id_gfid(FILE_ID), 0, 'n', 10, 0, NULL);
	case OP_TRUNCATE: return do_truncate(client, id_gfid(FILE_ID), 4);
	default:
		ret = do_write(client, id_gfid(FILE_ID), 0, 'n', 10, 0, NULL);
		return ret < 0 ? ret : do_fsync(client, id_gfid(FILE_ID));
	}
}

/* Has the change been made on this disk? */
static bool made_on(unsigned b)
{
	struct object *f = disk_object(b, id_gfid(FILE_ID));

	switch (sc.op) {
	case OP_CREATE: case OP_MKDIR: case OP_SYMLINK: return disk_entry(b, ROOT, "new");
	case OP_LINK: return disk_entry(b, id_gfid(DIR_ID), "new");
	case OP_UNLINK: return !disk_entry(b, ROOT, "file");
	case OP_RMDIR: return !disk_entry(b, ROOT, "dir2");
	case OP_RENAME: return !disk_entry(b, ROOT, "file") && disk_entry(b, id_gfid(DIR_ID), "new");
	case OP_SETATTR: return f && (f->mode & 07777) == 0600;
	case OP_APPEND: return f && f->size == 20;
	case OP_TRUNCATE: return f && f->size == 4;
	default: return f && f->data[0] == 'n';
	}
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "op=%d brick=%u nth=%u how=%d err=%d absent=%u n=%u ret=%d fired=%s%s: %s\n", sc.op, sc.brick, sc.nth, sc.how, sc.err,
		sc.absent, w.n, sc.ret, w.fault.fired ? fop_names[w.fault.fired_op] : "no", w.fault.fired_unlock ? "(unlock)" : "", what);
	fail();
}

static unsigned accused_of(const uint8_t *gfid, unsigned type)
{
	unsigned i, j, set = 0;

	for (i = 0; i < w.n; i++)
		for (j = 0; j < w.n; j++)
			if (accuses(i, gfid, j, type))
				set |= 1u << j;
	return set;
}

static bool same_entries(unsigned a, unsigned b, const uint8_t *dir)
{
	unsigned i, k;

	for (k = 0; k < 2; k++) {
		struct disk *d = &w.disks[k ? b : a];

		for (i = 0; i < 2 * OBJECTS; i++) {
			struct entry *e = &d->entries[i], *o;

			if (!e->exists || !gfid_equal(e->parent, dir))
				continue;
			o = disk_entry(k ? a : b, dir, e->name);
			if (!o || !gfid_equal(o->gfid, e->gfid))
				return false;
		}
	}
	return true;
}

static bool same(unsigned a, unsigned b, const uint8_t *gfid, unsigned type)
{
	struct object *x = disk_object(a, gfid), *y = disk_object(b, gfid);

	if (!x || !y)
		return true;		/* names are the directory's affair */
	if (type == 0)
		return !S_ISREG(x->mode) || (x->size == y->size && !memcmp(x->data, y->data, CONTENT));
	if (type == 1)
		return x->mode == y->mode;
	return !S_ISDIR(x->mode) || same_entries(a, b, gfid);
}

/* Copies that nobody accuses are alike; somebody is always left; dirty is lowered where nothing failed. */
static void check_object(const uint8_t *gfid, unsigned may_be_accused)
{
	unsigned t, a, b;

	for (t = 0; t < 3; t++) {
		unsigned accused = accused_of(gfid, t);

		check(!(accused & ~may_be_accused), "a copy is accused that missed nothing");
		for (a = 0; a < w.n; a++)
			for (b = a + 1; b < w.n; b++)
				check(((accused >> a | accused >> b) & 1) || same(a, b, gfid, t), "copies differ and nobody says so");
		for (a = 0; a < w.n; a++)
			check((may_be_accused >> a & 1) || (sc.how >= DIE_BEFORE && t == 0) || !disk_object(a, gfid)
			      || !disk_object(a, gfid)->dirty[t], "dirty is left raised");
	}
}

static unsigned main_type(void)
{
	return sc.op <= OP_RENAME ? 2 : sc.op == OP_SETATTR ? 1 : 0;
}

static const uint8_t *main_place(void)
{
	return sc.op == OP_LINK ? id_gfid(DIR_ID) : sc.op < OP_SETATTR ? ROOT : id_gfid(FILE_ID);
}

/* What a client sees: the change, the state before, or "wait". */
static void check_view(unsigned client, const char *who)
{
	bool made = false, before = false;
	struct iatt st = { .mode = 0 };
	uint8_t byte = 0;
	uint32_t len = 0;
	int ret;

	switch (sc.op) {
	case OP_CREATE: case OP_MKDIR: case OP_SYMLINK: case OP_LINK:
		ret = do_lookup(client, sc.op == OP_LINK ? id_gfid(DIR_ID) : ROOT, "new", &st);
		made = ret == 0;
		before = ret == -ENOENT;
		break;
	case OP_UNLINK: case OP_RMDIR: case OP_RENAME:
		ret = do_lookup(client, ROOT, sc.op == OP_RMDIR ? "dir2" : "file", &st);
		made = ret == -ENOENT;
		before = ret == 0;
		break;
	case OP_SETATTR:
		ret = do_stat(client, id_gfid(FILE_ID), &st);
		made = ret == 0 && (st.mode & 07777) == 0600;
		before = ret == 0 && !made;
		break;
	default:
		ret = do_read(client, id_gfid(FILE_ID), &byte, &len);
		made = ret == 0 && (sc.op == OP_APPEND ? len == 20 : sc.op == OP_TRUNCATE ? len == 4 : byte == 'n');
		before = ret == 0 && !made;
	}
	if (sc.op == OP_CREATE && sc.ret == 0) {
		ret = do_stat(client, id_gfid(NEW_ID), &st);
		check(ret == 0 || ret == -ENOTCONN, "a new object is not found by its gfid");
	}
	if (!made && !before)
		check(ret == -ENOTCONN, "neither an answer nor a reason to wait");
	check(!(sc.ret == 0 && before), who);
}

static void check_everything(void)
{
	static const uint8_t ids[] = { FILE_ID, DIR_ID, DIR2_ID, NEW_ID };
	unsigned i, may = 1u << sc.brick | (sc.absent == NOBODY ? 0 : 1u << sc.absent);

	if (sc.ret < 0 && (w.n == 2 || sc.absent != NOBODY))
		may = (1u << w.n) - 1;	/* the one that is left may accuse itself */
	check_object(ROOT, may);
	for (i = 0; i < 4; i++)
		check_object(id_gfid(ids[i]), may);
	for (i = 0; i < w.n; i++)
		check(disk_locks(i) == 0 || (w.fault.fired_unlock && sc.how == FAIL_BEFORE), "a lock is left");
	for (i = 0; i < w.n && sc.ret == 0; i++)
		check((accused_of(main_place(), main_type()) >> i & 1) || made_on(i), "an answered change is not on a copy that nobody accuses");
	if (sc.ret == 0 && sc.absent != NOBODY)
		check(accused_of(main_place(), main_type()) >> sc.absent & 1, "the absent copy is not accused");
	if (!w.fault.fired || w.fault.fired_unlock)
		check(!(accused_of(main_place(), main_type()) & ~(sc.absent == NOBODY ? 0 : 1u << sc.absent))
		      || (sc.how >= DIE_BEFORE && main_type() == 0), "accused though it did everything");
}

static void scenario(void)
{
	unsigned d;

	check(do_create(0, ROOT, "file", FILE_ID, NULL) == 0 && do_mkdir(0, ROOT, "dir", DIR_ID) == 0 && do_mkdir(0, ROOT, "dir2", DIR2_ID) == 0
	      && do_write(0, id_gfid(FILE_ID), 0, 'o', 10, 0, NULL) == 0, "the beginning");
	world_rest();
	if (sc.absent != NOBODY)
		world_kill(sc.absent);
	world_arm(sc.brick, -1, sc.nth, sc.how, sc.err);
	sc.ret = operate(0);
	world_rest();
	sc.fired = w.fault.fired;
	w.fault.armed = false;
	world_start(sc.brick);
	if (sc.absent != NOBODY)
		world_start(sc.absent);
	world_rest();
	check_everything();
	check_view(0, "the client reads what it was before an answered change");
	for (d = 0; d < w.n; d++) {
		world_kill(d);
		check_view(0, "a stale copy is read while another is away");
		world_client_new(1);
		check_view(1, "a stale copy is read by a client that just began");
		world_client_free(1);
		world_start(d);
		co_sleep_ns(100000000);
	}
}

/* Must the operation succeed whatever the fault was? Where the rest is a quorum. */
static bool must_succeed(unsigned n)
{
	return sc.absent == NOBODY && (n == 3 || sc.brick == 1);
}

static void every_fault(unsigned n, unsigned absent, int err)
{
	for (sc.op = 0; sc.op < OPS; sc.op++)
		for (sc.brick = 0; sc.brick < n; sc.brick++)
			for (sc.how = 0; sc.how < HOWS; sc.how++)
				for (sc.nth = 1, sc.fired = true; sc.fired && sc.brick != absent; sc.nth++) {
					sc.absent = absent;
					sc.err = err;
					world_run(sc.nth, n, automatic, scenario);
					if (must_succeed(n))
						check(sc.ret == 0, "the client sees an error though a quorum is left");
				}
}

static void test_two(void **state) { every_fault(2, NOBODY, -EIO); }
static void test_two_full(void **state) { every_fault(2, NOBODY, -ENOSPC); }
static void test_two_degraded(void **state) { every_fault(2, 1, -EIO); }
static void test_three(void **state) { every_fault(3, NOBODY, -EIO); }
static void test_three_degraded(void **state) { every_fault(3, 2, -EIO); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two), cmocka_unit_test(test_two_full), cmocka_unit_test(test_two_degraded), cmocka_unit_test(test_three),
		cmocka_unit_test(test_three_degraded),
	};

	log_open("test_replicate_faults", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
