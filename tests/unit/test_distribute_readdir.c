/* tests/unit/test_distribute_readdir.c: cluster/distribute: merged listings and their cookies.
 *
 * Bricks whose positions need 63 bits are made of bricks in memory by changing positions on the way: a small position becomes the hash of
 * itself, as on ext4, with collisions in the low bits, and each entry carries the position of the next one. */
#include "tests/unit/distribute_world.h"
#include "xlators/cluster/distribute/listing.h"

#define NAMES 700

/* --- a brick with wide positions --------------------------------------------------------------------------------- */

static enum scheme { PLAIN, NEXT, OWN } scheme;
static bool doubtful;		/* no copy's attributes can be vouched for */
static bool not_found;		/* what is there for a lookup is not there for a listing */

/* Ascending with @small; every so often several in a row differ in low bits only. */
static uint64_t wide(uint64_t small)
{
	uint64_t group = small / 8, in = small % 8;

	if (group % 3 == 0)
		return (1ull << 47) + (group << 40) + in;		/* a run of up to eight */
	return (1ull << 47) + (group << 40) + (in << 30) + in;
}

static struct dirent_plus *all;
static uint32_t nall;

/* The whole directory, and how it goes on from @offset: small positions are 1, 2, 3... */
static int wide_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct readdir_args a = *args;
	struct readdir_res r = { 0 };
	uint32_t i, first, max = args->size / 240;
	int ret;

	if (not_found)
		return -ESTALE;
	if (scheme == PLAIN) {
		ret = xl_readdir(xl->children[0], call, args, res);
		for (i = 0; doubtful && ret == 0 && i < res->n; i++)
			res->entries[i].stat = (struct iatt){ 0 };
		return ret;
	}
	all = arena_alloc(call->arena, (NAMES + 10) * sizeof(*all));
	a.offset = 0;
	a.size = 1 << 20;
	nall = 0;
	do {
		ret = xl_readdir(xl->children[0], call, &a, &r);
		if (ret < 0)
			return ret;
		for (i = 0; i < r.n; i++)
			all[nall++] = r.entries[i];
		a.offset = r.n ? r.entries[r.n - 1].off : a.offset;
	} while (!r.eof && r.n);
	for (first = 0; first < nall; first++) {
		uint64_t pos = wide(all[first].off);

		if (!args->offset || (scheme == NEXT ? pos >= args->offset : pos > args->offset))
			break;
	}
	max = max ? max : 1;
	res->n = nall - first < max ? nall - first : max;
	res->entries = all + first;
	res->eof = first + res->n == nall;
	for (i = first; i < first + res->n; i++) {
		uint64_t own = wide(all[i].off), next = i + 1 < nall ? wide(all[i + 1].off) : (1ull << 63) - 1;

		/* The next one's position is read before this entry's own changes. */
		all[i].off = scheme == NEXT ? next : own;
	}
	return 0;
}

static struct xlator_class wide_class;

static void interpose(void)
{
	wide_class = *child(0)->class;
	wide_class.fops.readdir = wide_readdir;
	for (unsigned i = 0; i < w.n; i++)
		child(i)->class = &wide_class;
}

/* --- listing ------------------------------------------------------------------------------------------------------- */

struct seen { unsigned count[NAMES], dots, pages, entries; uint64_t last; bool eof; };

static int page(struct inode *dir, uint64_t offset, uint32_t size, bool plus, struct readdir_res *res)
{
	struct readdir_args args = { .inode = dir, .offset = offset, .size = size, .plus = plus };

	arena_free(w.arena);		/* what the last page gave is done with */
	w.arena = arena_new(256u << 20);
	call_init(&w.call, w.arena);
	memset(res, 0, sizeof(*res));
	return xl_readdir(w.top, &w.call, &args, res);
}

static void note(struct seen *s, const struct readdir_res *r, uint32_t upto)
{
	for (uint32_t i = 0; i < upto; i++) {
		const struct dirent_plus *e = &r->entries[i];

		assert_int_equal(e->off >> 63, 0);
		s->last = e->off;
		s->entries++;
		if (e->name[0] == '.')
			s->dots++;
		else
			s->count[atoi(e->name + 1)]++;
	}
	s->pages++;
	s->eof = r->eof && upto == r->n;
}

static struct inode *filled(unsigned names)
{
	struct inode *dir;
	char name[16];

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	for (unsigned i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "%c%u", i % 10 == 9 ? 'd' : 'f', i);
		assert_int_equal(i % 10 == 9 ? mkd(dir, name) : mk(dir, name), 0);
	}
	return dir;
}

/* @keep: how many of a page the client takes; it goes on from the last one taken. */
static void whole_listing(struct inode *dir, unsigned names, uint32_t size, uint32_t keep, void (*between)(struct seen *, struct inode **))
{
	static struct seen s;
	struct readdir_res r;

	memset(&s, 0, sizeof(s));
	while (!s.eof) {
		assert_int_equal(page(dir, s.last, size, true, &r), 0);
		assert_true(r.n || r.eof);
		note(&s, &r, keep && keep < r.n ? keep : r.n);
		assert_true(s.pages < 10 * NAMES);
		if (between)
			between(&s, &dir);
	}
	for (unsigned i = 0; i < names; i++) {
		if (s.count[i] != 1)
			fail_msg("name %u listed %u times (scheme %d size %u keep %u)", i, s.count[i], scheme, size, keep);
	}
	assert_int_equal(s.dots, 2);
}

static void restart_between(struct seen *s, struct inode **dir)
{
	uint8_t gfid[16];

	if (s->pages % 7)
		return;
	memcpy(gfid, (*dir)->gfid, 16);
	world_restart();
	*dir = inode_get(w.graph->inodes, gfid);
	inode_unref(*dir);
}

/* rm -r: what was listed goes before the next page is asked for. */
static unsigned removed;

static void remove_between(struct seen *s, struct inode **dir)
{
	char name[16];

	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		if (i % 10 != 9 && s->count[i] && rm(*dir, name) == 0)
			removed++;
	}
}

static void body_plain(void)
{
	static const uint32_t sizes[] = { 1, 1024, 8192, 131072 };
	struct inode *dir;
	uint64_t before;
	struct readdir_res r;

	scheme = PLAIN;
	dir = filled(NAMES);
	for (unsigned i = 0; i < 4; i++)
		whole_listing(dir, NAMES, sizes[i], 0, NULL);
	whole_listing(dir, NAMES, 8192, 3, NULL);
	whole_listing(dir, NAMES, 8192, 0, restart_between);
	dir = node(w.root, "dir");
	assert_int_equal(page(dir, 0, 1 << 20, true, &r), 0);
	before = calls();
	assert_int_equal(page(dir, 0, 1 << 20, true, &r), 0);
	assert_true(r.eof);
	assert_int_equal(calls() - before, w.n);		/* one call a subvolume */
	removed = 0;
	whole_listing(dir, NAMES, 8192, 0, remove_between);
	assert_int_equal(removed, NAMES - NAMES / 10);
}

static void test_plain(void **state)
{
	world(3, NULL, body_plain);
}

static void body_wide(void)
{
	struct inode *dir = filled(NAMES);

	w.mounted = interpose;
	interpose();
	whole_listing(dir, NAMES, 131072, 0, NULL);
	whole_listing(dir, NAMES, 8192, 0, NULL);
	whole_listing(dir, NAMES, 240, 0, NULL);
	/* A client that stops anywhere, in the middle of a run too. */
	for (uint32_t keep = 1; keep < 12; keep++)
		whole_listing(dir, NAMES, 8192, keep, NULL);
	whole_listing(dir, NAMES, 4096, 5, restart_between);
	dir = node(w.root, "dir");
	removed = 0;
	whole_listing(dir, NAMES, 8192, 5, remove_between);
	assert_int_equal(removed, NAMES - NAMES / 10);
}

static void test_wide_next(void **state)
{
	scheme = NEXT;
	world(3, NULL, body_wide);
}

static void test_wide_own(void **state)
{
	scheme = OWN;
	world(5, NULL, body_wide);
}

static void body_linktos(void)
{
	struct inode *dir;
	static struct seen s;
	struct readdir_res r;
	char from[16], to[16];

	scheme = PLAIN;
	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	for (unsigned i = 0; i < 60; i++) {
		snprintf(from, sizeof(from), "x%u", i);
		snprintf(to, sizeof(to), "f%u", i);
		assert_int_equal(mk(dir, from), 0);
		assert_int_equal(mv(dir, from, dir, to), 0);
	}
	whole_listing(dir, 60, 8192, 0, NULL);
	assert_int_equal(page(dir, 0, 1 << 20, true, &r), 0);
	for (uint32_t i = 0; i < r.n; i++) {
		if (r.entries[i].type != DT_DIR)
			assert_int_equal(r.entries[i].stat.mode, S_IFREG | 0644);
	}
	assert_int_equal(page(dir, 0, 1 << 20, false, &r), 0);
	for (uint32_t i = 0; i < r.n; i++)
		assert_false(iatt_present(&r.entries[i].stat));
	/* While a subvolume is away a listing would lack names. */
	away(1, true);
	assert_int_equal(page(dir, 0, 1 << 20, true, &r), -ENOTCONN);
	assert_int_equal(graph_set_option(w.graph, "vol-dht", "readdir-partial", "on", NULL), 0);
	assert_int_equal(page(dir, 0, 1 << 20, true, &r), 0);
	note(&s, &r, r.n);
	assert_true(s.entries > 2 && s.entries < 62);
	assert_int_equal(page(dir, 1ull << 63, 8192, true, &r), -EINVAL);
	assert_int_equal(page(dir, 77ull << 46, 8192, true, &r), -EINVAL);
}

static void test_linktos(void **state)
{
	world(3, NULL, body_linktos);
}

/* --- names whose linkto was lost: another client's UNLINK hit it ------------------------------------------------------ */

static bool listed(struct inode *dir, const char *name)
{
	struct readdir_res r;

	assert_int_equal(page(dir, 0, 1 << 20, true, &r), 0);
	assert_true(r.eof);
	for (uint32_t i = 0; i < r.n; i++) {
		if (r.entries[i].namelen == strlen(name) && memcmp(r.entries[i].name, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

/* On child 0; NULL: no more. */
static void lookups_fail(const char *error)
{
	assert_int_equal(graph_set_option(w.graph, child(0)->name, "error-fops", "lookup", NULL), 0);
	if (error)
		assert_int_equal(graph_set_option(w.graph, child(0)->name, "error-no", error, NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(0)->name, "enable", error ? "on" : "off", NULL), 0);
}

/* A file on child 1 whose name hashes to child 0, and nothing on child 0 that tells. */
static const char *lost(struct inode *dir, const char *stem)
{
	const char *from = name_on(dir, "from", 1), *to = name_on(dir, stem, 0);
	struct unlink_res res = { 0 };

	assert_int_equal(mk(dir, from), 0);
	assert_int_equal(mv(dir, from, dir, to), 0);
	assert_string_equal(where(dir, to), "ld-");
	co_sleep_ns(1000000);		/* the rename's locks go after its answer, and mending waits for none */
	assert_int_equal(xl_unlink(child(0), &w.call, &(struct unlink_args){ .parent = dir, .name = to }, &res), 0);
	assert_int_equal(look(dir, to), -ENOENT);
	return to;
}

static void body_lost(void)
{
	uint64_t before;
	struct inode *dir;
	const char *name;

	scheme = PLAIN;
	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	/* What is listed can be had. */
	name = lost(dir, "a");
	assert_int_equal(w.upcalls, 0);
	assert_int_equal(graph_set_option(w.graph, "late0", "delay-percentage", "100", NULL), 0);	/* so that time passes */
	assert_int_equal(graph_set_option(w.graph, "late0", "enable", "on", NULL), 0);
	assert_true(listed(dir, name));
	assert_int_equal(graph_set_option(w.graph, "late0", "enable", "off", NULL), 0);
	assert_int_equal(w.upcalls, 1);		/* a cache above may hold that the name is not there */
	assert_int_equal(look(dir, name), 0);
	assert_string_equal(where(dir, name), "ld-");
	/* Not looked for in every listing, but again some seconds later. */
	name = lost(dir, "b");
	assert_true(listed(dir, name));
	assert_int_equal(look(dir, name), -ENOENT);
	co_sleep_ns(4 * DHT_NSEC);
	assert_true(listed(dir, name));
	assert_int_equal(look(dir, name), 0);
	/* While nothing changes, nothing is looked for. */
	co_sleep_ns(4 * DHT_NSEC);
	assert_true(listed(dir, name));
	co_sleep_ns(4 * DHT_NSEC);
	before = calls();
	assert_true(listed(dir, name));
	assert_int_equal(calls() - before, 2 * w.n);
	/* Who has seen it can remove and rename it. */
	name = lost(dir, "c");
	assert_int_equal(rm(dir, name), 0);
	assert_string_equal(where(dir, name), "---");
	name = lost(dir, "d");
	assert_int_equal(mv(dir, name, dir, "moved"), 0);
	assert_int_equal(look(dir, "moved"), 0);
	assert_int_equal(look(dir, name), -ENOENT);
	assert_int_equal(rm(dir, name), -ENOENT);
}

/* A file whose copies contradict each other does not keep the others from being listed. */
static void body_unreadable(void)
{
	struct inode *dir;
	const char *bad, *good;

	scheme = PLAIN;
	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	bad = name_on(dir, "bad", 0);
	good = name_on(dir, "good", 1);
	assert_int_equal(mk(dir, bad), 0);
	assert_int_equal(mk(dir, good), 0);
	interpose();
	doubtful = true;
	assert_true(listed(dir, bad) && listed(dir, good));
	lookups_fail("EIO");
	assert_true(listed(dir, bad) && listed(dir, good));
	lookups_fail("ENOTCONN");
	assert_int_equal(page(dir, 0, 1 << 20, true, &(struct readdir_res){ 0 }), -ENOTCONN);
	lookups_fail(NULL);
	doubtful = false;
	/* And no subvolume that has the directory is passed over. */
	not_found = true;
	assert_int_equal(page(dir, 0, 1 << 20, true, &(struct readdir_res){ 0 }), -ESTALE);
	not_found = false;
	assert_true(listed(dir, bad) && listed(dir, good));
}

static void test_unreadable(void **state)
{
	world(3, NULL, body_unreadable);
}

static void test_lost(void **state)
{
	world(3, NULL, body_lost);
}

/* One of two names of a file is hidden then (as if its rename had been cut short), until it keeps a directory from being removed. */
static void body_hidden(void)
{
	struct inode *dir, *other, *file;
	const char *name;
	struct iatt st;
	struct link_res res = { 0 };

	scheme = PLAIN;
	assert_int_equal(mkd(w.root, "dir"), 0);
	assert_int_equal(mkd(w.root, "other"), 0);
	dir = node(w.root, "dir");
	other = node(w.root, "other");
	name = lost(dir, "a");
	assert_int_equal(look_on(child(1), dir, name, &st), 0);
	file = inode_get(w.graph->inodes, st.gfid);
	assert_int_equal(xl_link(w.top, &w.call, &(struct link_args){ .inode = file, .newparent = other, .newname = "second" }, &res), 0);
	inode_unref(file);
	/* What is known to be a leftover only: where its lookup fails, there may be a file. */
	lookups_fail("EIO");
	assert_true(listed(dir, name));
	lookups_fail(NULL);
	assert_false(listed(dir, name));
	assert_int_equal(rm(dir, name), -ENOENT);
	assert_int_equal(mv(dir, name, dir, "x"), -ENOENT);
	assert_int_equal(look(dir, name), -ENOENT);
	co_sleep_ns(1000000);
	assert_int_equal(rmd(w.root, "dir"), -ENOTEMPTY);
	assert_true(listed(dir, name));
	assert_int_equal(rm(dir, name), 0);
	assert_int_equal(rmd(w.root, "dir"), 0);
	assert_int_equal(look(other, "second"), 0);
}

static void test_hidden(void **state)
{
	world(3, NULL, body_hidden);
}

static void test_cookie(void **state)
{
	static const unsigned ns[] = { 2, 3, 64, 65, 1000, 65535 };
	static const uint64_t offs[] = { 0, 1, 4096, (1ull << 46) - 1, 1ull << 46, 0x7fffffff00000000, (1ull << 63) - 1 };
	struct dht_pos pos;

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 7; k++) {
			unsigned rank = ns[i] - 1;
			uint64_t c = dht_cookie_pack(ns[i], rank, offs[k], 11);

			assert_int_equal(c >> 63, 0);
			assert_int_equal(dht_cookie_unpack(ns[i], c, &pos), 0);
			assert_int_equal(pos.rank, rank);
			assert_int_equal(pos.wide, dht_off_wide(offs[k]));
			assert_true(pos.off <= offs[k]);
			if (pos.wide)
				assert_int_equal(pos.after, 11);
			else
				assert_int_equal(pos.off, offs[k]);
			assert_int_equal(dht_off_bucket(ns[i], pos.off), dht_off_bucket(ns[i], offs[k]));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie), cmocka_unit_test(test_plain), cmocka_unit_test(test_wide_next),
		cmocka_unit_test(test_wide_own), cmocka_unit_test(test_linktos), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
