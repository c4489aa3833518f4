/* tests/unit/test_distribute.c: cluster/distribute: hashing, layouts, lookup, making and removing, attributes. */
#include "tests/unit/distribute_world.h"

/* --- hash and layouts, no graph --------------------------------------------------------------------------------- */

static uint32_t hash_text(const char *s)
{
	return dht_hash(s, strlen(s));
}

static void test_hash(void **state)
{
	static const struct { const char *name; uint32_t hash; } v[] = {
		{ "", 0x884774a2 }, { "a", 0x3a17e4e6 }, { "ab", 0xc3af40d9 }, { "abc", 0xba8bd29a }, { "abcd", 0xd89627f6 },
		{ "f1", 0xd3b4775a }, { "big", 0x49ab4b36 }, { "hello", 0xa7923147 }, { "README.md", 0x49624ce6 },
		{ "0123456789abcd", 0x4f711d14 }, { "0123456789abcde", 0x9fc1c536 }, { "0123456789abcdef", 0x6ecb5ada },
		{ "0123456789abcdefg", 0x7f5d9903 }, { "0123456789abcdef0123456789abcdefX", 0x82ed0068 },
		{ "\xc3\xa9", 0x65cfcaa1 }, { "\xff", 0xee42408a }, { "\x80", 0xf2d4db34 }, { "abc\x80", 0x8e5a4167 },
		{ "abc\x80\x81\x82", 0xbd5e7264 }, { "\x01", 0x50ed5649 }, { "/h/s6", 0xedbb4bb6 }, { "/", 0x8619bd58 },
		{ "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90", 0x06f84f75 },
	};
	char x[255];

	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(hash_text(v[i].name), v[i].hash);
	memset(x, 'x', sizeof(x));
	assert_int_equal(dht_hash(x, 100), 0x44a3f7ce);
	assert_int_equal(dht_hash(x, 255), 0x8ca66f57);
}

static void test_munge(void **state)
{
	static const struct { const char *name, *hashed; } v[] = {
		{ ".foo.txt.AbCdEf", "foo.txt" }, { "foo.txt", "foo.txt" }, { ".foo.txt", "foo" }, { ".foo", ".foo" }, { ".a.b", "a" },
		{ ".a.", ".a." }, { "..a.b", ".a" }, { ".a..b", "a." }, { "a.b.c", "a.b.c" }, { ".x.y.z", "x.y" }, { "..", ".." },
		{ ".b.bak.000", "b.bak" },
	};
	struct distribute d = { .rsync_text = (char *)"^\\.(.+)\\.[^.]+$" };
	struct error err = { "" };

	assert_int_equal(dht_regex_init(&d, NULL), 0);
	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(dht_hash_name(&d, v[i].name), hash_text(v[i].hashed));
	dht_regex_fini(&d);
	d.extra_text = (char *)"^(.+)~$";
	d.rsync_text = (char *)"none";
	assert_int_equal(dht_regex_init(&d, NULL), 0);
	assert_int_equal(dht_hash_name(&d, "a~"), hash_text("a"));
	assert_int_equal(dht_hash_name(&d, ".a.b"), hash_text(".a.b"));
	dht_regex_fini(&d);
	d.extra_text = (char *)"(";
	assert_int_equal(dht_regex_init(&d, &err), -EINVAL);
	assert_non_null(strstr(err.text, "extra-hash-regex"));
}

static struct dht_layout *ranges(unsigned n, const uint32_t (*r)[2])
{
	struct dht_layout *l = dht_layout_new(n);

	for (unsigned i = 0; i < n; i++)
		l->v[i] = (struct dht_range){ .start = r[i][0], .stop = r[i][1] };
	dht_layout_settle(l);
	return l;
}

static void test_layout_settle(void **state)
{
	static const uint32_t whole[][2] = { { 0x80000000, 0xffffffff }, { 0, 0 }, { 0, 0x7fffffff } };
	static const uint32_t hole[][2] = { { 0x80000001, 0xffffffff }, { 0, 0 }, { 0, 0x7fffffff } };
	static const uint32_t overlap[][2] = { { 0x7fffffff, 0xffffffff }, { 0, 0 }, { 0, 0x7fffffff } };
	static const uint32_t twice[][2] = { { 0, 0xffffffff }, { 0, 0xffffffff } };
	struct dht_layout *l = ranges(3, whole);
	struct dht_range back;
	uint8_t raw[16];

	assert_true(l->complete && !l->overlaps);
	assert_int_equal(dht_layout_search(l, 0), 2);
	assert_int_equal(dht_layout_search(l, 0x7fffffff), 2);
	assert_int_equal(dht_layout_search(l, 0x80000000), 0);
	assert_int_equal(dht_layout_search(l, 0xffffffff), 0);
	dht_range_encode(&l->v[0], raw);
	dht_range_decode(&back, &(struct xattr){ DHT_XATTR, raw, 16 });
	assert_memory_equal(&back, &l->v[0], sizeof(back));
	dht_range_decode(&back, &(struct xattr){ DHT_XATTR, raw, 15 });
	assert_int_equal(back.err, -ENODATA);
	dht_layout_unref(l);
	l = ranges(3, hole);
	assert_true(!l->complete && !l->overlaps);
	assert_int_equal(dht_layout_search(l, 0x80000000), -ENOENT);
	dht_layout_unref(l);
	l = ranges(3, overlap);
	assert_true(!l->complete && l->overlaps);
	dht_layout_unref(l);
	l = ranges(2, twice);
	assert_true(!l->complete && l->overlaps);
	dht_layout_unref(l);
}

/* --- in a world ------------------------------------------------------------------------------------------------- */

static void range_on(unsigned i, struct inode *dir, struct dht_range *ret)
{
	struct getxattr_res res = { 0 };
	int r = xl_getxattr(child(i), &w.call, &(struct getxattr_args){ .inode = dir, .name = DHT_XATTR }, &res);

	dht_range_decode(ret, r == 0 ? xattrs_find(&res.xattrs, DHT_XATTR) : NULL);
}

static void body_assign(void)
{
	/* As a stock volume of two equal subvolumes lays them out (hashes.md). */
	static const struct { const char *name; unsigned first; } v[] = {
		{ "dd1", 0 }, { "dd2", 1 }, { "dd3", 0 }, { "dd4", 1 }, { "dd7", 1 }, { "dd9", 0 }, { "dd12", 0 }, { "h", 0 }, { "d1", 0 },
	};
	struct dht_range a, b;

	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(mkd(w.root, v[i].name), 0);
		range_on(v[i].first, node(w.root, v[i].name), &a);
		range_on(!v[i].first, node(w.root, v[i].name), &b);
		assert_int_equal(a.err, 0);
		assert_int_equal(a.start, 0);
		assert_int_equal(a.stop, 0x7ffffffe);
		assert_int_equal(b.start, 0x7fffffff);
		assert_int_equal(b.stop, 0xffffffff);
		assert_int_equal(a.commit, 0);
	}
}

static void test_assign(void **state)
{
	world(2, NULL, body_assign);
}

static void body_assign3(void)
{
	struct dht_range r;
	uint64_t sum = 0;

	assert_int_equal(mkd(w.root, "x"), 0);
	for (unsigned i = 0; i < 3; i++) {
		range_on(i, node(w.root, "x"), &r);
		assert_true((r.start == 0 && r.stop == 0x55555554) || (r.start == 0x55555555 && r.stop == 0xaaaaaaa9) ||
			    (r.start == 0xaaaaaaaa && r.stop == 0xffffffff));
		sum += (uint64_t)r.stop - r.start + 1;
	}
	assert_int_equal(sum, 1ull << 32);
}

static void test_assign3(void **state)
{
	world(3, NULL, body_assign3);
}

static void body_make(void)
{
	struct inode *dir;
	struct iatt st;
	char name[16];

	assert_int_equal(mkd(w.root, "dir"), 0);
	assert_string_equal(where(w.root, "dir"), "DDD");
	assert_int_equal(mkd(w.root, "dir"), -EEXIST);
	assert_int_equal(mk(w.root, "dir"), -EEXIST);
	dir = node(w.root, "dir");
	for (unsigned i = 0; i < 30; i++) {
		char want[4] = "---";

		snprintf(name, sizeof(name), "f%u", i);
		want[hashed_of(dir, name)] = 'd';
		assert_int_equal(mk(dir, name), 0);
		assert_string_equal(where(dir, name), want);
		assert_int_equal(mk(dir, name), -EEXIST);
		assert_int_equal(mkd(dir, name), -EEXIST);
	}
	assert_int_equal(look_on(w.top, dir, "f3", &st), 0);
	assert_int_equal(st.mode, S_IFREG | 0644);
	assert_int_equal(look(dir, "nothing"), -ENOENT);
	assert_int_equal(rmd(w.root, "dir"), -ENOTEMPTY);
	assert_string_equal(where(w.root, "dir"), "DDD");
	assert_int_equal(rmd(dir, "f3"), -ENOTDIR);
	assert_int_equal(rm(w.root, "dir"), -EISDIR);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(rm(dir, name), 0);
		assert_int_equal(rm(dir, name), -ENOENT);
	}
	assert_int_equal(rmd(w.root, "dir"), 0);
	assert_string_equal(where(w.root, "dir"), "---");
	assert_int_equal(rmd(w.root, "dir"), -ENOENT);
	assert_int_equal(look(w.root, "dir"), -ENOENT);
	assert_int_equal(look(dir, "f3"), -ESTALE);
}

static void test_make(void **state)
{
	world(3, NULL, body_make);
}

/* What a call costs, exactly. */
static void body_counts(void)
{
	struct inode *dir;
	uint64_t before;

	assert_int_equal(mkd(w.root, "warm"), 0);
	co_sleep_ns(1000000000);
	before = calls();
	assert_int_equal(mkd(w.root, "dir"), 0);
	co_sleep_ns(1000000000);
	/* lock layout and name, MKDIR, range, two unlocks; MKDIR with its range on the other */
	assert_int_equal(calls() - before, 7);
	dir = node(w.root, "dir");
	before = calls();
	assert_int_equal(mk(dir, "f"), 0);
	assert_int_equal(calls() - before, 1);
	before = calls();
	assert_int_equal(look(dir, "f"), 0);
	assert_int_equal(calls() - before, 1);
	before = calls();
	assert_int_equal(look(dir, "absent"), -ENOENT);
	assert_int_equal(calls() - before, 1);
	before = calls();
	assert_int_equal(rm(dir, "f"), 0);
	assert_int_equal(calls() - before, 2);
	assert_int_equal(mk(dir, "a"), 0);
	before = calls();
	assert_int_equal(mv(dir, "a", dir, name_on(dir, "b", hashed_of(dir, "a"))), 0);
	co_sleep_ns(1000000000);
	/* layout lock, two name locks, two lookups, migrate lock, a look that it did not move, RENAME, four unlocks */
	assert_int_equal(calls() - before, 12);
}

static void test_counts(void **state)
{
	world(2, NULL, body_counts);
}

static void body_single(void)
{
	struct inode *dir;
	uint64_t before;

	before = calls();
	assert_int_equal(mkd(w.root, "dir"), 0);
	assert_int_equal(calls() - before, 1);
	dir = node(w.root, "dir");
	before = calls();
	assert_int_equal(mk(dir, "a"), 0);
	assert_int_equal(mv(dir, "a", w.root, "b"), 0);
	assert_int_equal(rm(w.root, "b"), 0);
	assert_int_equal(rmd(w.root, "dir"), 0);
	assert_int_equal(calls() - before, 4);
}

static void test_single(void **state)
{
	world(1, NULL, body_single);
}

/* A file handle's hint spares asking all; a hint that is wrong costs a call, no more. */
static void body_hint(void)
{
	struct stat_res st = { 0 };
	struct inode *dir, *f;
	uint8_t gfid[16];
	uint16_t hint;
	uint64_t before;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	assert_int_equal(mk(dir, name_on(dir, "f", 2)), 0);
	f = node(dir, name_on(dir, "f", 2));
	memcpy(gfid, f->gfid, 16);
	hint = f->hint;
	assert_true(hint);
	for (uint16_t h = 0; h < 9; h++) {
		world_restart();
		f = inode_get(w.graph->inodes, gfid);
		f->hint = h;
		before = calls();
		assert_int_equal(xl_stat(w.top, &w.call, &(struct stat_args){ .inode = f }, &st), 0);
		assert_int_equal(calls() - before, h == hint ? 1 : h && h <= 5 ? 6 : 5);
		assert_int_equal(f->hint, hint);
		inode_unref(f);
	}
}

static void test_hint(void **state)
{
	world(5, NULL, body_hint);
}

/* After a restart nothing is known but the gfid. */
static void body_restart(void)
{
	struct stat_res st = { 0 };
	struct inode *dir, *f;
	uint8_t gfid[16], dirgfid[16];
	struct iatt a;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	memcpy(dirgfid, dir->gfid, 16);
	assert_int_equal(mk(dir, "f"), 0);
	assert_int_equal(look_on(w.top, dir, "f", &a), 0);
	memcpy(gfid, a.gfid, 16);
	world_restart();
	f = inode_get(w.graph->inodes, gfid);
	assert_int_equal(xl_stat(w.top, &w.call, &(struct stat_args){ .inode = f }, &st), 0);
	assert_int_equal(st.stat.mode, a.mode);
	inode_unref(f);
	dir = inode_get(w.graph->inodes, dirgfid);
	assert_int_equal(look(dir, "f"), 0);
	assert_int_equal(mk(dir, "f"), -EEXIST);
	assert_int_equal(mk(dir, "g"), 0);
	inode_unref(dir);
	dir = inode_get(w.graph->inodes, new_gfid());
	assert_int_equal(xl_stat(w.top, &w.call, &(struct stat_args){ .inode = dir }, &st), -ESTALE);
	assert_int_equal(mk(dir, "g"), -ESTALE);
	inode_unref(dir);
}

static void test_restart(void **state)
{
	world(3, NULL, body_restart);
}

static void body_down(void)
{
	struct inode *dir;
	const char *here, *there;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	here = name_on(dir, "here", 0);
	there = name_on(dir, "there", 1);
	assert_int_equal(mk(dir, here), 0);
	assert_int_equal(mk(dir, there), 0);
	away(1, true);
	assert_int_equal(look(dir, here), 0);
	assert_int_equal(look(dir, there), -ENOTCONN);
	assert_int_equal(mk(dir, name_on(dir, "more", 0)), 0);
	assert_int_equal(mk(dir, name_on(dir, "more", 1)), -ENOTCONN);
	assert_int_equal(rmd(w.root, "dir"), -ENOTCONN);
	assert_int_equal(look(w.root, "dir"), 0);
	world_restart();		/* and with nothing known from before */
	away(1, true);
	dir = node(w.root, "dir");
	assert_int_equal(look(dir, here), 0);
	assert_int_equal(look(dir, there), -ENOTCONN);
	assert_int_equal(mk(dir, name_on(dir, "again", 0)), 0);
	away(1, false);
	assert_int_equal(look(dir, there), 0);
}

static void test_down(void **state)
{
	world(2, NULL, body_down);
}

static void body_events(void)
{
	away(0, false);
	assert_int_equal(w.ups, 1);
	for (unsigned i = 0; i < w.n; i++)
		away(i, true);
	assert_int_equal(w.downs, 1);
	away(70, false);
	assert_int_equal(w.ups, 2);
	for (unsigned i = 0; i < w.n; i++)
		away(i, false);
	assert_int_equal(w.ups, 2);
	/* More children than a set of 64 bits holds. */
	assert_int_equal(mkd(w.root, "wide"), 0);
	for (unsigned i = 0; i < w.n; i++)
		assert_int_equal(where(w.root, "wide")[i], 'D');
	assert_int_equal(mk(node(w.root, "wide"), "f"), 0);
	assert_int_equal(rmd(w.root, "wide"), -ENOTEMPTY);
}

static void test_events(void **state)
{
	world(75, NULL, body_events);
}

static void strip_range(unsigned i, struct inode *dir)
{
	struct removexattr_res res = { 0 };

	assert_int_equal(xl_removexattr(child(i), &w.call, &(struct removexattr_args){ .inode = dir, .name = DHT_XATTR }, &res), 0);
}

/* A hole in the layout, and a copy of the directory that is missing, are mended by whoever looks. */
static void body_heal(void)
{
	struct inode *dir;
	struct dht_range was, now;
	struct rmdir_res res = { 0 };
	const char *f;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	f = name_on(dir, "f", 1);
	assert_int_equal(mk(dir, f), 0);
	range_on(2, dir, &was);
	strip_range(2, dir);
	assert_int_equal(look(w.root, "dir"), 0);
	range_on(2, dir, &now);
	assert_int_equal(now.err, 0);
	assert_int_equal(now.start, was.start);
	assert_int_equal(now.stop, was.stop);
	assert_int_equal(now.commit, DHT_COMMIT_UNSETTLED);
	assert_int_equal(look(dir, f), 0);
	assert_int_equal(mkd(w.root, "gone"), 0);
	dir = node(w.root, "gone");
	range_on(1, dir, &was);
	assert_int_equal(xl_rmdir(child(1), &w.call, &(struct rmdir_args){ .parent = w.root, .name = "gone" }, &res), 0);
	assert_string_equal(where(w.root, "gone"), "D-D");
	assert_int_equal(look(w.root, "gone"), 0);
	assert_string_equal(where(w.root, "gone"), "DDD");
	range_on(1, dir, &now);
	assert_int_equal(now.start, was.start);
	assert_int_equal(mk(dir, name_on(dir, "g", 1)), 0);
}

static void test_heal(void **state)
{
	world(3, NULL, body_heal);
}

/* Made while a subvolume was away: it gets no range, and says so once somebody looks. */
static void body_absent(void)
{
	struct dht_range r;
	struct inode *dir;

	look(w.root, "any");
	for (unsigned i = 0; i < 3; i++) {
		if (hashed_of(w.root, "dir") != (int)i) {
			away(i, true);
			assert_int_equal(mkd(w.root, "dir"), 0);
			dir = node(w.root, "dir");
			for (unsigned k = 0; k < 3; k++)
				assert_int_equal(mk(dir, k == 0 ? "a" : k == 1 ? "b" : "c"), 0);
			away(i, false);
			assert_int_equal(where(w.root, "dir")[i], '-');
			assert_int_equal(look(w.root, "dir"), 0);
			assert_string_equal(where(w.root, "dir"), "DDD");
			range_on(i, dir, &r);
			assert_int_equal(r.err, 0);
			assert_int_equal(r.start | r.stop, 0);
			assert_int_equal(r.commit, 0);
			return;
		}
	}
}

static void test_absent(void **state)
{
	world(3, NULL, body_absent);
}

/* Another client gave the directory other ranges: what we know is old, the brick says so, and the name goes where it belongs now. */
static void body_preop(void)
{
	struct dht_range r[2];
	struct inode *dir;
	const char *name;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	name = name_on(dir, "f", 0);
	range_on(0, dir, &r[1]);
	range_on(1, dir, &r[0]);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t raw[16];
		struct xattr x = { DHT_XATTR, raw, 16 };
		struct setxattr_res res = { 0 };

		dht_range_encode(&r[i], raw);
		assert_int_equal(xl_setxattr(child(i), &w.call, &(struct setxattr_args){ .inode = dir, .xattrs = { &x, 1 } }, &res), 0);
	}
	assert_int_equal(mk(dir, name), 0);
	assert_string_equal(where(dir, name), "-d");
	assert_int_equal(mkd(dir, name_on(dir, "d", 1)), 0);
}

static void test_preop(void **state)
{
	world(2, NULL, body_preop);
}

/* A file where nobody would look for it: found by asking all, and a linkto left behind. */
static void body_linkto(void)
{
	struct create_args args = { .name = NULL, .flags = O_EXCL, .mode = 0640, .gfid = new_gfid() };
	struct create_res res = { 0 };
	struct inode *dir;
	struct iatt st;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	strip_range(0, dir);		/* heals to a layout that promises nothing */
	assert_int_equal(look(w.root, "dir"), 0);
	co_sleep_ns(1000000);		/* the heal's locks go after its answer */
	args.parent = dir;
	args.name = name_on(dir, "f", 0);
	assert_int_equal(xl_create(child(1), &w.call, &args, &res), 0);
	assert_string_equal(where(dir, args.name), "-d");
	assert_int_equal(mk(dir, args.name), -EEXIST);
	assert_int_equal(look_on(w.top, dir, args.name, &st), 0);
	assert_int_equal(st.mode, S_IFREG | 0640);
	assert_string_equal(where(dir, args.name), "ld");
	assert_int_equal(look(dir, args.name), 0);
	assert_int_equal(rm(dir, args.name), 0);
	assert_string_equal(where(dir, args.name), "--");
	/* A linkto to nothing is no file, and does not keep the directory. */
	assert_int_equal(dht_linkto_make(w.top, &w.call, dir, args.name, new_gfid(), 0, 1, NULL, false), 0);
	assert_string_equal(where(dir, args.name), "l-");
	assert_int_equal(rmd(w.root, "dir"), 0);
}

static void test_linkto(void **state)
{
	world(2, NULL, body_linkto);
}

static void body_full(void)
{
	struct distribute *d = w.top->priv;
	struct inode *dir;
	const char *name;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	name = name_on(dir, "f", 0);
	d->space[0] = (struct dht_space){ 1000, 4096, 10, 0, 0, true };
	d->space[1] = (struct dht_space){ 1000, 4096, 900, 0, 0, true };
	d->space_at_ns = loop_now_ns(w.loop);
	assert_int_equal(mk(dir, name), 0);
	assert_string_equal(where(dir, name), "ld");
	assert_int_equal(mk(dir, name), -EEXIST);
	assert_int_equal(look(dir, name), 0);
	assert_int_equal(rm(dir, name), 0);
	assert_string_equal(where(dir, name), "--");
}

static void test_full(void **state)
{
	world(2, NULL, body_full);
}

/* One subvolume has no room for a directory: then it is nowhere. One that lacks a directory all the same gets it before it is renamed there, and
 * what cannot be made in it is put off, not called stale. */
static void body_denied(void)
{
	struct rmdir_args gone = { .parent = w.root };
	struct rmdir_res unused;
	const char *name = arena_strdup(w.arena, name_on(w.root, "d", 0)), *to = arena_strdup(w.arena, name_on(w.root, "to", 1));
	struct iatt st;

	assert_int_equal(graph_set_option(w.graph, child(1)->name, "error-no", "ENOSPC", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "error-fops", "mkdir", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "enable", "on", NULL), 0);
	assert_int_equal(mkd(w.root, name), -ENOSPC);
	assert_int_equal(look_on(child(0), w.root, name, &st), -ENOENT);
	assert_int_equal(look(w.root, name), -ENOENT);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "enable", "off", NULL), 0);
	assert_int_equal(mkd(w.root, name), 0);
	gone.name = name;
	assert_int_equal(xl_rmdir(child(1), &w.call, &gone, &unused), 0);
	assert_int_equal(mv(w.root, name, w.root, to), 0);
	assert_int_equal(look_on(child(0), w.root, to, &st), 0);
	assert_int_equal(look_on(child(1), w.root, to, &st), 0);
	assert_int_equal(look(w.root, name), -ENOENT);
}

static void test_denied(void **state)
{
	world(2, NULL, body_denied);
}

static void body_hardlink(void)
{
	struct link_res res = { 0 };
	struct link_args args = { 0 };
	struct inode *dir;
	const char *f, *same, *other;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	f = name_on(dir, "f", 0);
	same = name_on(dir, "same", 0);
	other = name_on(dir, "other", 1);
	assert_int_equal(mk(dir, f), 0);
	args = (struct link_args){ .inode = node(dir, f), .newparent = dir, .newname = same };
	assert_int_equal(xl_link(w.top, &w.call, &args, &res), 0);
	assert_string_equal(where(dir, same), "d-");
	args.newname = other;
	assert_int_equal(xl_link(w.top, &w.call, &args, &res), 0);
	assert_string_equal(where(dir, other), "dl");
	assert_int_equal(res.stat.nlink, 3);
	assert_int_equal(xl_link(w.top, &w.call, &args, &res), -EEXIST);
	assert_int_equal(look(dir, other), 0);
	assert_int_equal(rm(dir, other), 0);
	assert_string_equal(where(dir, other), "--");
	assert_int_equal(look(dir, f), 0);
}

static void test_hardlink(void **state)
{
	world(2, NULL, body_hardlink);
}

static void body_attributes(void)
{
	struct setattr_args set = { .valid = SET_MODE, .stat = { .mode = 0700 } };
	static struct setattr_res sres;
	static struct stat_res a, b;
	struct create_args args = { .flags = O_EXCL, .mode = 0644 };
	struct create_res made = { 0 };
	struct statfs_res all = { 0 }, one = { 0 };
	struct inode *dir;
	struct iatt st;

	assert_int_equal(mkd(w.root, "dir"), 0);
	dir = node(w.root, "dir");
	co_sleep_ns(5000000);
	args.parent = dir;
	args.name = "f";
	args.gfid = new_gfid();
	assert_int_equal(xl_create(w.top, &w.call, &args, &made), 0);
	assert_false(iatt_present(&made.preparent));
	assert_int_equal(xl_stat(w.top, &w.call, &(struct stat_args){ .inode = dir }, &a), 0);
	assert_memory_equal(&made.postparent.mtime, &a.stat.mtime, sizeof(a.stat.mtime));
	assert_int_equal(a.stat.size, 4096);
	assert_int_equal(a.stat.nlink, 2);
	set.inode = dir;
	assert_int_equal(xl_setattr(w.top, &w.call, &set, &sres), 0);
	assert_int_equal(sres.post.mode, S_IFDIR | 0700);
	for (unsigned i = 0; i < w.n; i++) {
		assert_int_equal(look_on(child(i), w.root, "dir", &st), 0);
		assert_int_equal(st.mode, S_IFDIR | 0700);
	}
	/* One copy has another mode: the authoritative one counts, and the others are mended. */
	set.stat.mode = 0755;
	assert_int_equal(xl_setattr(child(hashed_of(w.root, "dir") == 0), &w.call, &set, &sres), 0);
	assert_int_equal(xl_stat(w.top, &w.call, &(struct stat_args){ .inode = dir }, &b), 0);
	assert_int_equal(b.stat.mode, S_IFDIR | 0700);
	assert_int_equal(look(w.root, "dir"), 0);
	for (unsigned i = 0; i < w.n; i++) {
		assert_int_equal(look_on(child(i), w.root, "dir", &st), 0);
		assert_int_equal(st.mode, S_IFDIR | 0700);
	}
	assert_int_equal(xl_statfs(w.top, &w.call, &(struct statfs_args){ .inode = w.root }, &all), 0);
	assert_int_equal(xl_statfs(child(0), &w.call, &(struct statfs_args){ .inode = w.root }, &one), 0);
	assert_int_equal(all.blocks * all.frsize, one.blocks * one.frsize * w.n);
}

static void test_attributes(void **state)
{
	world(3, NULL, body_attributes);
}

/* A file on its way to another subvolume. */
static struct moving { struct inode *dir, *f; const char *name; struct writev_args wr; struct writev_res wres; struct readv_res rres; } mo;

static void chmod_on(struct xlator *xl, struct inode *inode, uint32_t mode)
{
	struct setattr_args set = { .inode = inode, .valid = SET_MODE, .stat = { .mode = mode } };
	struct setattr_res res = { 0 };

	assert_int_equal(xl_setattr(xl, &w.call, &set, &res), 0);
}

/* Marked on the source, a linkto on the target: changes go to both. */
static void phase1(void)
{
	struct xattr to = { DHT_LINKTO, "vol-client-1", 13 };
	struct setxattr_args set = { .inode = mo.f, .xattrs = { &to, 1 } };
	struct setxattr_res res = { 0 };
	struct iatt st;

	assert_int_equal(dht_linkto_make(w.top, &w.call, mo.dir, mo.name, mo.f->gfid, 1, 0, NULL, false), 0);
	chmod_on(child(0), mo.f, 03644);
	assert_int_equal(xl_setxattr(child(0), &w.call, &set, &res), 0);
	assert_int_equal(xl_writev(w.top, &w.call, &mo.wr, &mo.wres), 0);
	assert_int_equal(mo.wres.post.mode, S_IFREG | 0644);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(xl_readv(child(i), &w.call, &(struct readv_args){ .inode = mo.f, .size = 16 }, &mo.rres), 0);
		assert_int_equal(mo.rres.data.len, 5);
	}
	chmod_on(w.top, mo.f, 0600);
	assert_int_equal(look_on(child(0), mo.dir, mo.name, &st), 0);
	assert_int_equal(st.mode, S_IFREG | 03600);
}

/* The source is a linkto now, and then it is gone. */
static void phase2(void)
{
	struct link_res lres = { 0 };
	struct unlink_res ures = { 0 };
	struct removexattr_res res = { 0 };

	chmod_on(child(0), mo.f, 01000);
	chmod_on(child(1), mo.f, 0644);
	assert_int_equal(xl_removexattr(child(1), &w.call, &(struct removexattr_args){ .inode = mo.f, .name = DHT_LINKTO }, &res), 0);
	mo.wr.offset = 5;
	assert_int_equal(xl_writev(w.top, &w.call, &mo.wr, &mo.wres), 0);
	assert_int_equal(mo.wres.post.size, 10);
	assert_int_equal(mo.wres.post.mode, S_IFREG | 0644);
	assert_string_equal(where(mo.dir, mo.name), "ld");
	assert_int_equal(xl_link(w.top, &w.call, &(struct link_args){ .inode = mo.f, .newparent = mo.dir, .newname = "2nd" }, &lres), 0);
	dht_set_cached(w.top, mo.f, 0);
	assert_int_equal(xl_unlink(child(0), &w.call, &(struct unlink_args){ .parent = mo.dir, .name = mo.name }, &ures), 0);
	assert_int_equal(xl_readv(w.top, &w.call, &(struct readv_args){ .inode = mo.f, .size = 16 }, &mo.rres), 0);
	assert_int_equal(mo.rres.data.len, 10);
}

static void body_migration(void)
{
	struct iobuf *buf = iobuf_new(16);

	memcpy(buf->data, "hello", 5);
	assert_int_equal(mkd(w.root, "dir"), 0);
	mo.dir = node(w.root, "dir");
	mo.name = name_on(mo.dir, "f", 0);
	assert_int_equal(mk(mo.dir, mo.name), 0);
	mo.f = node(mo.dir, mo.name);
	mo.wr = (struct writev_args){ .inode = mo.f, .data = { buf, 0, 5 } };
	phase1();
	phase2();
	iobuf_unref(buf);
}

static void test_migration(void **state)
{
	world(2, NULL, body_migration);
}

struct race { struct inode *dir; int ret[2]; unsigned done; };
static struct race race;

static void race_mkdir(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	race.ret[i] = mkd(w.root, "same");
	race.done++;
}

/* Two at once: one directory, one EEXIST, and nothing left locked. */
static void body_race(void)
{
	memset(&race, 0, sizeof(race));
	for (uintptr_t i = 0; i < 2; i++)
		co_start(w.loop, race_mkdir, (void *)i);
	while (race.done < 2)
		co_sleep_ns(1000000);
	assert_int_equal(race.ret[0] + race.ret[1], -EEXIST);
	assert_int_equal(rmd(w.root, "same"), 0);
	assert_int_equal(mkd(w.root, "same"), 0);
}

static void layout_lock(unsigned on, enum lock_cmd cmd)
{
	struct inodelk_args args = { .inode = w.root, .domain = "dht.layout.heal", .cmd = cmd, .type = LOCK_WRITE };
	struct call call = w.call;
	struct inodelk_res res;

	call.lk_owner = (const uint8_t *)"somebody else";
	call.lk_owner_len = 13;
	assert_int_equal(xl_inodelk(child(on), &call, &args, &res), 0);
}

static int make_until(uint64_t deadline_ns, const char *name)
{
	uint64_t old = co_set_deadline(deadline_ns);
	int ret = mkd(w.root, name);

	co_restore_deadline(old);
	return ret;
}

/* A lock that somebody holds for ever: the call ends at its deadline, leaves nothing locked, and can be made again. */
static void body_held_elsewhere(void)
{
	const char *name = name_on(w.root, "late", 1);
	uint64_t now, before;

	assert_int_equal(mkd(w.root, "first"), 0);
	co_sleep_ns(1000000000);		/* nothing of ours is locked any more */
	now = loop_now_ns(w.loop);
	layout_lock(1, LOCK_TRY);
	assert_int_equal(make_until(now + 45000000000ull, name), -ETIMEDOUT);
	assert_in_range(loop_now_ns(w.loop) - now, 44000000000ull, 46000000000ull);
	layout_lock(1, LOCK_UNLOCK);
	before = loop_now_ns(w.loop);
	assert_int_equal(mkd(w.root, name), 0);
	assert_int_equal(mkd(w.root, name_on(w.root, "other", 1)), 0);
	assert_in_range(loop_now_ns(w.loop) - before, 0, 1000000000);
}

static void test_held_elsewhere(void **state)
{
	world(3, NULL, body_held_elsewhere);
}

static void test_race(void **state)
{
	world(3, NULL, body_race);
}

/* That a name is gone is what the removal itself was told, on every subvolume, and not a lookup. */
static void body_gone_everywhere(void)
{
	uint64_t before[3];

	for (unsigned i = 0; i < 3; i++)
		before[i] = child(i)->calls[FOP_unlink];
	assert_int_equal(rm(w.root, "nothing"), -ENOENT);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(child(i)->calls[FOP_unlink], before[i] + 1);
	graph_set_option(w.graph, child(1)->name, "error-fops", "unlink", NULL);
	graph_set_option(w.graph, child(1)->name, "enable", "on", NULL);
	assert_int_equal(rm(w.root, "nothing"), -ENOTCONN);
	graph_set_option(w.graph, child(1)->name, "enable", "off", NULL);
}

static void test_gone_everywhere(void **state)
{
	world(3, NULL, body_gone_everywhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone_everywhere),
		cmocka_unit_test(test_hash), cmocka_unit_test(test_munge), cmocka_unit_test(test_layout_settle),
		cmocka_unit_test(test_assign), cmocka_unit_test(test_assign3), cmocka_unit_test(test_make),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_single), cmocka_unit_test(test_restart), cmocka_unit_test(test_hint),
		cmocka_unit_test(test_down), cmocka_unit_test(test_events), cmocka_unit_test(test_heal),
		cmocka_unit_test(test_preop), cmocka_unit_test(test_absent), cmocka_unit_test(test_linkto), cmocka_unit_test(test_full),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_hardlink), cmocka_unit_test(test_attributes), cmocka_unit_test(test_migration),
		cmocka_unit_test(test_race), cmocka_unit_test(test_held_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
