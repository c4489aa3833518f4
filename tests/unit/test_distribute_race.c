/* tests/unit/test_distribute_race.c: two gateways and many callers change the same few names at once, with calls delayed from a seed.
 *
 * Afterwards nothing is lost, nothing is there twice, every name that a listing shows can be looked up, directories are whole, and no lock
 * is held. A failure prints its seed. */
#include "tests/unit/distribute_world.h"

#define CHILDREN 3
#define DIRS 3
#define FILES 5
#define SUBS 3
#define CALLERS 10
#define STEPS 60

static struct inode *dirs[DIRS];
static char names[DIRS][FILES + SUBS][32];
static unsigned running, odd_errors;
static uint64_t seed;

static unsigned dice(unsigned below)
{
	uint32_t v;

	loop_random(w.loop, &v, sizeof(v));
	return v % below;
}

static void tolerate(const char *what, int ret)
{
	switch (ret) {
	case 0: case -ENOENT: case -EEXIST: case -ESTALE: case -EISDIR: case -ENOTDIR: case -ENOTEMPTY: case -EAGAIN: case -EPERM:
	case -EINVAL:
		return;
	}
	odd_errors++;
	fprintf(stderr, "seed %lu: %s gave %d\n", (unsigned long)seed, what, ret);
}

static void link_step(struct xlator *xl, struct call *call, const uint8_t *gfid, struct inode *dir, const char *name)
{
	struct inode *inode = inode_get(w.graph->inodes, gfid);
	struct link_res res = { 0 };

	tolerate("link", xl_link(xl, call, &(struct link_args){ .inode = inode, .newparent = dir, .newname = name }, &res));
	inode_unref(inode);
}

/* Names of one kind stay of that kind, so that what goes wrong is ours and not EISDIR. */
static void file_step(struct xlator *xl, struct call *call)
{
	unsigned a = dice(DIRS), b = dice(DIRS);
	const char *from = names[a][dice(FILES)], *to = names[b][dice(FILES)];
	union fop_res *res = arena_alloc(call->arena, sizeof(*res));

	switch (dice(7)) {
	case 6:
		if (xl_lookup(xl, call, &(struct lookup_args){ .parent = dirs[a], .name = from }, &res->lookup) == 0)
			link_step(xl, call, res->lookup.stat.gfid, dirs[b], to);
		break;
	case 0: case 1:
		tolerate("create", xl_create(xl, call, &(struct create_args){ .parent = dirs[a], .name = from, .flags = O_EXCL,
					     .mode = 0644, .gfid = arena_memdup(call->arena, new_gfid(), 16) }, &res->create));
		break;
	case 2:
		tolerate("unlink", xl_unlink(xl, call, &(struct unlink_args){ .parent = dirs[a], .name = from }, &res->unlink));
		break;
	case 3:
		tolerate("lookup", xl_lookup(xl, call, &(struct lookup_args){ .parent = dirs[a], .name = from }, &res->lookup));
		break;
	default:
		tolerate("rename", xl_rename(xl, call, &(struct rename_args){ .oldparent = dirs[a], .oldname = from,
					     .newparent = dirs[b], .newname = to }, &res->rename));
	}
}

static void dir_step(struct xlator *xl, struct call *call)
{
	unsigned a = dice(DIRS), b = dice(DIRS);
	const char *from = names[a][FILES + dice(SUBS)], *to = names[b][FILES + dice(SUBS)];
	union fop_res *res = arena_alloc(call->arena, sizeof(*res));

	switch (dice(5)) {
	case 0: case 1:
		tolerate("mkdir", xl_mkdir(xl, call, &(struct mkdir_args){ .parent = dirs[a], .name = from, .mode = 0755,
					   .gfid = arena_memdup(call->arena, new_gfid(), 16) }, &res->mkdir));
		break;
	case 2:
		tolerate("rmdir", xl_rmdir(xl, call, &(struct rmdir_args){ .parent = dirs[a], .name = from }, &res->rmdir));
		break;
	case 3:
		tolerate("lookup dir", xl_lookup(xl, call, &(struct lookup_args){ .parent = dirs[a], .name = from }, &res->lookup));
		break;
	default:
		tolerate("rename dir", xl_rename(xl, call, &(struct rename_args){ .oldparent = dirs[a], .oldname = from,
						 .newparent = dirs[b], .newname = to }, &res->rename));
	}
}

static void caller(void *arg)
{
	for (unsigned i = 0; i < STEPS; i++) {
		struct call call;

		call_init(&call, arena_new(16 << 20));
		if (dice(3))
			file_step(dice(2) ? w.top : w.other, &call);
		else
			dir_step(dice(2) ? w.top : w.other, &call);
		arena_free(call.arena);
	}
	running--;
}

static void late(bool on)
{
	for (unsigned i = 0; i < w.n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "late%u", i);
		graph_set_option(w.graph, name, "enable", on ? "on" : "off", NULL);
	}
}

static bool same_on_both(struct inode *dir, const char *name)
{
	struct iatt a, b;
	int ra = look_on(w.top, dir, name, &a), rb = look_on(w.other, dir, name, &b);

	return ra == rb && (ra < 0 || gfid_equal(a.gfid, b.gfid));
}

static void check_name(unsigned i, const char *name)
{
	unsigned data = 0, whole = 0;
	const char *t;

	if (!same_on_both(dirs[i], name))
		fail_msg("seed %lu: gateways differ on d%u/%s: %s", (unsigned long)seed, i, name, where(dirs[i], name));
	for (t = where(dirs[i], name); *t; t++) {
		data += *t == 'd';
		whole += *t == 'D';
	}
	if (data > 1 || (whole && whole != w.n) || (data && whole))
		fail_msg("seed %lu: d%u/%s is %s", (unsigned long)seed, i, name, where(dirs[i], name));
	if ((look(dirs[i], name) == 0) != (data || whole))
		fail_msg("seed %lu: d%u/%s is %s, lookup says %d", (unsigned long)seed, i, name, where(dirs[i], name),
			 look(dirs[i], name));
}

static void check_locks(unsigned i, const char *name)
{
	struct dht_locks locks;

	dht_locks_init(w.top, &locks);
	dht_locks_add(&locks, (unsigned)hashed_of(dirs[i], name), dirs[i], DHT_DOMAIN_ENTRY, name, LOCK_WRITE);
	dht_locks_add(&locks, (unsigned)hashed_of(dirs[i], name), dirs[i], DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	if (dht_locks_try(w.top, &w.call, &locks, 0) < 0)
		fail_msg("seed %lu: a lock is left on d%u/%s", (unsigned long)seed, i, name);
	dht_locks_release(w.top, &w.call, &locks);
}

static void body_storm(void)
{
	for (unsigned i = 0; i < DIRS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(mkd(w.root, name), 0);
		dirs[i] = node(w.root, name);
		for (unsigned k = 0; k < FILES + SUBS; k++)
			strcpy(names[i][k], name_on(dirs[i], k < FILES ? "f" : "s", (int)(k % CHILDREN)));
		for (unsigned k = 0; k < FILES + SUBS; k++)
			snprintf(names[i][k] + strlen(names[i][k]), 8, ".%u", k);
	}
	late(true);
	running = CALLERS;
	for (unsigned i = 0; i < CALLERS; i++)
		assert_non_null(co_start(w.loop, caller, NULL));
	while (running)
		co_sleep_ns(10000000);
	co_sleep_ns(10 * DHT_NSEC);
	late(false);
	for (unsigned i = 0; i < DIRS; i++) {
		for (unsigned k = 0; k < FILES + SUBS; k++) {
			look(dirs[i], names[i][k]);	/* what was cut short is mended by looking */
			co_sleep_ns(1000000);
			check_name(i, names[i][k]);
			check_locks(i, names[i][k]);
		}
	}
}

static void test_storm(void **state)
{
	unsigned long from = getenv("RACE_SEED") ? strtoul(getenv("RACE_SEED"), NULL, 0) : 1;
	unsigned long count = getenv("RACE_COUNT") ? strtoul(getenv("RACE_COUNT"), NULL, 0) : 40;

	world_twice = true;
	for (seed = from; seed < from + count; seed++) {
		world_seed = seed;
		world(CHILDREN, seed % 4 ? NULL : "option lookup-optimize off", body_storm);
	}
	assert_int_equal(odd_errors, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_storm) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
