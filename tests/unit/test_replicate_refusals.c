/* tests/unit/test_replicate_refusals.c: one copy whose disk is full, read-only or failing, now and then, under a random workload of two clients.
 *
 * A refusal is an answer: no call waits for anything, each is answered with success or with the disk's error. What was answered holds at once
 * and afterwards, for both clients; what was refused has not happened; copies that nobody accuses are alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "runtime/log.h"
#include "runtime/sim.h"
#include "tests/unit/replicate_world.h"

#define DIRS 4
#define NAMES 4
#define FIRST_ID 10
#define LAST_ID 250
#define STEPS 120

#define F(op) (1ull << FOP_##op)
#define MAKERS (F(mknod) | F(mkdir) | F(create) | F(symlink) | F(link))
#define CHANGES_ALL (MAKERS | F(writev) | F(truncate) | F(unlink) | F(rmdir) | F(rename) | F(setattr) | F(setxattr))

static const char *const automatic[] = { "quorum-type", "auto", NULL };
static const char *const names[NAMES] = { "a", "b", "c", "d" };

/* The state that answers have promised. */
static struct { bool there[DIRS]; uint8_t id[DIRS][NAMES]; } tree;
static const char *const dir_names[DIRS] = { "", "d1", "d2", "d3" };
static struct { bool exists, dir; uint8_t byte; uint32_t len, mode; } objects[256];
static struct { unsigned brick; uint64_t seed, ops; int err; } sc;
static unsigned step;

static const uint8_t *dir_gfid(unsigned d) { return d ? id_gfid((uint8_t)d) : gfid_root; }

static void check(bool ok, const char *what, int ret)
{
	if (ok)
		return;
	fprintf(stderr, "n=%u brick=%u err=%d ops=%llx seed=%u step=%u: %s (%d)\n", w.n, sc.brick, sc.err, (unsigned long long)sc.ops,
		(unsigned)sc.seed, step, what, ret);
	fail();
}

static unsigned rnd(unsigned below) { return (unsigned)sim_random(w.loop, below); }

static unsigned links_of(uint8_t id)
{
	unsigned d, k, n = 0;

	for (d = 0; d < DIRS; d++)
		for (k = 0; k < NAMES; k++)
			n += tree.id[d][k] == id;
	return n;
}

static void drop(uint8_t id)
{
	if (id && !links_of(id))
		objects[id].exists = false;
}

/* 0: it happened. The disk's error: it did not. Nothing else is an answer. */
static bool answered(int ret, const char *what)
{
	check(ret == 0 || (ret == sc.err && w.disks[sc.brick].refuses), what, ret);
	return ret == 0;
}

static uint8_t next_id(void)
{
	static uint8_t id = FIRST_ID;

	do
		id = id >= LAST_ID ? FIRST_ID : id + 1;
	while (objects[id].exists || disk_object(0, id_gfid(id)) || disk_object(1, id_gfid(id)) || disk_object(2, id_gfid(id)));
	return id;
}

static void make(unsigned client, unsigned d, unsigned k)
{
	uint8_t id = next_id();
	bool dir = rnd(3) == 0;
	int ret = dir ? do_mkdir(client, dir_gfid(d), names[k], id) : do_create(client, dir_gfid(d), names[k], id, NULL);

	if (!answered(ret, dir ? "mkdir" : "create"))
		return;
	tree.id[d][k] = id;
	memset(&objects[id], 0, sizeof(objects[id]));
	objects[id].exists = true;
	objects[id].dir = dir;
	objects[id].mode = dir ? 0755 : 0644;
}

static void take_away(unsigned client, unsigned d, unsigned k)
{
	uint8_t id = tree.id[d][k];
	bool dir = objects[id].dir;

	if (answered(dir ? do_rmdir(client, dir_gfid(d), names[k]) : do_unlink(client, dir_gfid(d), names[k]), dir ? "rmdir" : "unlink")) {
		tree.id[d][k] = 0;
		drop(id);
	}
}

static void rename_or_link(unsigned client, unsigned d, unsigned k)
{
	unsigned d2 = rnd(DIRS), k2 = rnd(NAMES);
	uint8_t id = tree.id[d][k], old = tree.id[d2][k2];

	if (!tree.there[d2])
		return;
	if (rnd(3) == 0 && !objects[id].dir) {
		if (!old && answered(do_link(client, id_gfid(id), dir_gfid(d2), names[k2]), "link"))
			tree.id[d2][k2] = id;
		return;
	}
	if (old == id || (old && objects[old].dir != objects[id].dir))
		return;
	if (!answered(do_rename(client, dir_gfid(d), names[k], dir_gfid(d2), names[k2]), "rename"))
		return;
	tree.id[d][k] = 0;
	tree.id[d2][k2] = id;
	drop(old);
}

static void change(unsigned client, uint8_t id)
{
	uint8_t byte = (uint8_t)(1 + rnd(200));
	uint32_t mode = 0600 | rnd(8);

	if (objects[id].dir || rnd(4) == 0) {
		if (answered(do_setattr(client, id_gfid(id), mode), "setattr"))
			objects[id].mode = mode;
	} else if (rnd(5) == 0) {
		if (answered(do_truncate(client, id_gfid(id), 0), "truncate"))
			objects[id].len = 0;
	} else if (answered(do_write(client, id_gfid(id), 0, byte, 10, rnd(2) ? O_DSYNC : 0, NULL), "write")) {
		objects[id].byte = byte;
		objects[id].len = 10;
	}
}

/* The directories come and go, too: a MKDIR that was refused is sent again, for the same gfid. */
static bool make_or_remove_dir(unsigned client, unsigned d)
{
	unsigned k;

	if (!d || (tree.there[d] && rnd(6)))
		return !tree.there[d];
	if (!tree.there[d]) {
		tree.there[d] = answered(do_mkdir(client, gfid_root, dir_names[d], (uint8_t)d), "mkdir of a directory");
		return true;
	}
	for (k = 0; k < NAMES; k++)
		if (tree.id[d][k])
			return false;
	tree.there[d] = !answered(do_rmdir(client, gfid_root, dir_names[d]), "rmdir of a directory");
	return true;
}

static void see(unsigned client, unsigned d, unsigned k)
{
	struct iatt st = { .mode = 0 };
	int ret = do_lookup(client, dir_gfid(d), names[k], &st);
	uint8_t id = tree.id[d][k], byte = 0;
	uint32_t len = 0;

	if (d && k == 0) {
		struct iatt dir;
		int found = do_lookup(client, gfid_root, dir_names[d], &dir);

		check(found == (tree.there[d] ? 0 : -ENOENT), "a directory is not what was answered", found);
	}
	if (!tree.there[d])
		return;
	if (!id) {
		check(ret == -ENOENT, "a name is there that was never made, or was removed", ret);
		return;
	}
	check(ret == 0 && gfid_equal(st.gfid, id_gfid(id)), "a name is not what was answered", ret);
	check((st.mode & 07777) == objects[id].mode, "the mode is another one", (int)st.mode);
	if (objects[id].dir)
		return;
	ret = do_read(client, id_gfid(id), &byte, &len);
	check(ret == 0 && len == objects[id].len && (!len || byte == objects[id].byte), "the content is another one", ret);
}

static bool accused(unsigned about, const uint8_t *gfid, unsigned type)
{
	unsigned i;

	for (i = 0; i < w.n; i++)
		if (accuses(i, gfid, about, type))
			return true;
	return false;
}

/* Every copy that nobody accuses has what was answered, and nobody accuses the copies that were always well without cause. */
static void check_disks(void)
{
	unsigned b, d, k, id;

	for (b = 0; b < w.n; b++) {
		for (d = 0; d < DIRS; d++)
			for (k = 0; k < NAMES; k++) {
				struct entry *e = disk_entry(b, dir_gfid(d), names[k]);
				uint8_t has = tree.id[d][k];

				if (!accused(b, dir_gfid(d), 2))
					check(has ? e && gfid_equal(e->gfid, id_gfid(has)) : !e, "a good copy has other names", (int)b);
			}
		for (id = FIRST_ID; id <= LAST_ID; id++) {
			struct object *o = disk_object(b, id_gfid((uint8_t)id));

			if (!objects[id].exists || !o || objects[id].dir)
				continue;
			check(accused(b, id_gfid((uint8_t)id), 1) || (o->mode & 07777) == objects[id].mode,
			      "a good copy has another mode", (int)b);
			check(accused(b, id_gfid((uint8_t)id), 0)
			      || (o->size == objects[id].len && (!o->size || o->data[0] == objects[id].byte)),
			      "a good copy has other content", (int)b);
		}
	}
}

static void body(void)
{
	unsigned d, k, client;

	memset(&tree, 0, sizeof(tree));
	memset(objects, 0, sizeof(objects));
	world_client_new(1);
	tree.there[0] = true;
	for (step = 0; step < STEPS; step++) {
		client = rnd(2);
		d = rnd(DIRS);
		k = rnd(NAMES);
		if (rnd(12) == 0) {
			w.disks[sc.brick].refuses = w.disks[sc.brick].refuses ? 0 : sc.err;
			w.disks[sc.brick].refused = sc.ops;
		}
		if (step == STEPS - 30)
			sc.ops = w.disks[sc.brick].refused = 0;		/* well again: everything can be changed */
		if (step >= STEPS - 30)
			w.disks[sc.brick].refuses = 0;
		if (make_or_remove_dir(client, d))
			;
		else if (!tree.id[d][k])
			make(client, d, k);
		else if (rnd(2))
			change(client, tree.id[d][k]);
		else if (rnd(3))
			rename_or_link(client, d, k);
		else
			take_away(client, d, k);
		for (d = 0; d < DIRS; d++)
			for (k = 0; k < NAMES; k++)
				see(rnd(2), d, k);
	}
	world_rest();
	check_disks();
	check(!disk_locks(0) && !disk_locks(1) && !disk_locks(2), "a lock is left", 0);
}

static void every_brick(unsigned n, int err, uint64_t ops)
{
	for (sc.brick = 0; sc.brick < n; sc.brick++)
		for (sc.seed = 1; sc.seed <= 10; sc.seed++) {
			sc.err = err;
			sc.ops = ops;
			world_run(sc.seed, n, automatic, body);
		}
}

static void test_full(void **state)
{
	every_brick(2, -ENOSPC, MAKERS | F(writev) | F(truncate));
	every_brick(3, -ENOSPC, MAKERS | F(writev) | F(truncate) | F(rename));
}

static void test_inodes(void **state)
{
	every_brick(2, -ENOSPC, F(mknod) | F(mkdir) | F(create) | F(symlink));
}

static void test_quota(void **state)
{
	every_brick(2, -EDQUOT, MAKERS | F(writev) | F(rename));
}

static void test_failing(void **state)
{
	every_brick(2, -EIO, CHANGES_ALL);
	every_brick(3, -EIO, CHANGES_ALL);
}

static void test_forbidden(void **state)
{
	every_brick(2, -EACCES, CHANGES_ALL);
}

/* No mark can be made on such a disk, either. */
static void test_read_only(void **state)
{
	every_brick(2, -EROFS, CHANGES_ALL | F(xattrop));
	every_brick(3, -EROFS, CHANGES_ALL | F(xattrop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full), cmocka_unit_test(test_inodes), cmocka_unit_test(test_quota), cmocka_unit_test(test_failing),
		cmocka_unit_test(test_forbidden), cmocka_unit_test(test_read_only),
	};

	log_open("test_replicate_refusals", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
