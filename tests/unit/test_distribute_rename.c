/* tests/unit/test_distribute_rename.c: cluster/distribute: rename in every case, of files and of directories.
 *
 * Three subvolumes, so that where a name hashes, where its file is and where another name hashes can be three different ones. */
#include "tests/unit/distribute_world.h"

static struct inode *dir, *other;

static void two_dirs(void)
{
	assert_int_equal(mkd(w.root, "dir"), 0);
	assert_int_equal(mkd(w.root, "other"), 0);
	dir = node(w.root, "dir");
	other = node(w.root, "other");
}

/* A file whose name hashes to @hashed and whose data is on @cached: made under a name that belongs there, then renamed. */
static const char *file(struct inode *in, const char *stem, int hashed, int cached)
{
	const char *name = name_on(in, stem, hashed), *born;

	if (hashed == cached) {
		assert_int_equal(mk(in, name), 0);
		return name;
	}
	born = name_on(in, "born", cached);
	assert_int_equal(mk(in, born), 0);
	assert_int_equal(mv(in, born, in, name), 0);
	assert_int_equal(look(in, born), -ENOENT);
	return name;
}

static const char *expect(int hashed, int cached)
{
	static char text[4][8];
	static unsigned next;
	char *t = text[next++ % 4];

	strcpy(t, "---");
	t[hashed] = 'l';
	t[cached] = 'd';
	return t;
}

/* Every place for source and destination: 3 x 3 x 3 x (none or 3). */
static void one_case(int sh, int sc, int dh, int dc)
{
	struct iatt before, after;
	const char *from, *to;

	from = file(dir, "from", sh, sc);
	to = dc >= 0 ? file(other, "to", dh, dc) : name_on(other, "to", dh);
	assert_string_equal(where(dir, from), expect(sh, sc));
	if (dc >= 0)
		assert_string_equal(where(other, to), expect(dh, dc));
	assert_int_equal(look_on(w.top, dir, from, &before), 0);
	assert_int_equal(mv(dir, from, other, to), 0);
	assert_string_equal(where(dir, from), "---");
	assert_string_equal(where(other, to), expect(dh, sc));
	assert_int_equal(look(dir, from), -ENOENT);
	assert_int_equal(look_on(w.top, other, to, &after), 0);
	assert_true(gfid_equal(before.gfid, after.gfid));
	assert_int_equal(after.nlink, 1);
	assert_int_equal(rm(other, to), 0);
	assert_string_equal(where(other, to), "---");
}

static void body_cases(void)
{
	two_dirs();
	for (int sh = 0; sh < 3; sh++)
		for (int sc = 0; sc < 3; sc++)
			for (int dh = 0; dh < 3; dh++)
				for (int dc = -1; dc < 3; dc++)
					one_case(sh, sc, dh, dc);
	assert_int_equal(rmd(w.root, "dir"), 0);
	assert_int_equal(rmd(w.root, "other"), 0);
}

static void test_cases(void **state)
{
	world(3, NULL, body_cases);
}

static struct iatt shown(struct inode *inode)
{
	struct stat_args args = { .inode = inode };
	struct stat_res res = { 0 };

	assert_int_equal(xl_stat(w.top, &w.call, &args, &res), 0);
	return res.stat;
}

static void assert_same_times(const struct iatt *a, const struct iatt *b)
{
	assert_memory_equal(&a->mtime, &b->mtime, sizeof(a->mtime));
	assert_memory_equal(&a->ctime, &b->ctime, sizeof(a->ctime));
	assert_int_equal(a->nlink, b->nlink);
}

static void set_mode(struct inode *inode, uint32_t mode)
{
	struct setattr_args args = { .inode = inode, .valid = SET_MODE, .stat.mode = mode };
	struct setattr_res res = { 0 };

	assert_int_equal(xl_setattr(w.top, &w.call, &args, &res), 0);
}

/* RENAME and LINK by a stranger, wherever the names hash: refused, and no time has moved. */
static void refused_case(int dh, int err, const char *over)
{
	const char *from = file(dir, "from", 0, 0), *to = over ? over : name_on(other, "to", dh);
	struct inode *object = node(dir, from);
	struct iatt before[3] = { shown(dir), shown(other), shown(object) }, after[3];
	struct link_args ln = { .inode = object, .newparent = other, .newname = to };
	struct link_res lres = { 0 };

	co_sleep_ns(5000000);
	w.call.uid = w.call.gid = 1000;
	assert_int_equal(mv(dir, from, other, to), err);
	if (err == -EACCES)
		assert_int_equal(xl_link(w.top, &w.call, &ln, &lres), over ? -EEXIST : -EACCES);
	w.call.uid = w.call.gid = 0;
	after[0] = shown(dir);
	after[1] = shown(other);
	after[2] = shown(object);
	for (unsigned i = 0; i < 3; i++)
		assert_same_times(&before[i], &after[i]);
	assert_int_equal(rm(dir, from), 0);
}

static void body_refused(void)
{
	two_dirs();
	for (int dh = 0; dh < 3; dh++)
		refused_case(dh, -EACCES, NULL);
	for (int dh = 0; dh < 3; dh++)
		refused_case(dh, -EACCES, file(other, "over", dh, 0));
	set_mode(dir, 0777);			/* may take the name away, not put it there */
	for (int dh = 0; dh < 3; dh++)
		refused_case(dh, -EACCES, NULL);
	set_mode(other, 0777);
	set_mode(dir, 01777);			/* another's file in a sticky directory */
	for (int dh = 0; dh < 3; dh++)
		refused_case(dh, -EPERM, NULL);
}

static void test_refused_changes_nothing(void **state)
{
	world(3, NULL, body_refused);
}

/* Child @i is lost whenever it is asked for @fops; NULL: no more. */
static void fail_on(unsigned i, const char *fops)
{
	if (fops)
		assert_int_equal(graph_set_option(w.graph, child(i)->name, "error-fops", fops, NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(i)->name, "enable", fops ? "on" : "off", NULL), 0);
}

static void body_odd(void)
{
	struct link_res res = { 0 };
	const char *a, *b;

	two_dirs();
	a = name_on(dir, "a", 0);
	b = name_on(dir, "b", 1);
	assert_int_equal(mv(dir, a, dir, b), -ENOENT);
	assert_int_equal(mk(dir, a), 0);
	assert_int_equal(mv(dir, a, dir, a), 0);
	assert_string_equal(where(dir, a), "d--");
	assert_int_equal(mv(dir, a, w.root, "other"), -EISDIR);
	assert_int_equal(mv(w.root, "other", dir, a), -ENOTDIR);
	/* Two names of one file: nothing happens. */
	assert_int_equal(xl_link(w.top, &w.call, &(struct link_args){ .inode = node(dir, a), .newparent = dir, .newname = b }, &res), 0);
	assert_int_equal(mv(dir, a, dir, b), 0);
	assert_string_equal(where(dir, a), "d--");
	assert_string_equal(where(dir, b), "dl-");
	/* But the linkto's copies may not agree on that: they are asked. */
	fail_on(1, "rename");
	assert_int_equal(mv(dir, a, dir, b), -ENOTCONN);
	fail_on(1, NULL);
	assert_int_equal(mv(dir, a, dir, b), 0);
	assert_string_equal(where(dir, a), "d--");
	/* A hard link keeps its other name. */
	assert_int_equal(mv(dir, b, other, b), 0);
	assert_int_equal(look(dir, a), 0);
	assert_int_equal(look(dir, b), -ENOENT);
	assert_int_equal(look(other, b), 0);
}

static void test_odd(void **state)
{
	world(3, NULL, body_odd);
}

static void body_dirs(void)
{
	struct inode *sub;

	two_dirs();
	assert_int_equal(mkd(dir, "sub"), 0);
	sub = node(dir, "sub");
	assert_int_equal(mk(sub, "f"), 0);
	assert_int_equal(mv(dir, "sub", other, "moved"), 0);
	assert_string_equal(where(dir, "sub"), "---");
	assert_string_equal(where(other, "moved"), "DDD");
	assert_int_equal(look(sub, "f"), 0);
	assert_true(node(other, "moved") == sub);
	/* Over an empty directory, not over one with names in it, not into itself. */
	assert_int_equal(mkd(other, "empty"), 0);
	assert_int_equal(mv(other, "moved", other, "empty"), 0);
	assert_string_equal(where(other, "empty"), "DDD");
	assert_true(node(other, "empty") == sub);
	assert_int_equal(mkd(dir, "new"), 0);
	assert_int_equal(mv(dir, "new", other, "empty"), -ENOTEMPTY);
	assert_string_equal(where(dir, "new"), "DDD");
	assert_string_equal(where(other, "empty"), "DDD");
	assert_int_equal(look(sub, "f"), 0);
	assert_true(mv(w.root, "other", sub, "loop") < 0);
	assert_string_equal(where(w.root, "other"), "DDD");
}

static void test_dirs(void **state)
{
	world(3, NULL, body_dirs);
}

/* A subvolume refuses: the directory is back under its old name everywhere, and so is the empty one it was to replace. */
static void body_rollback(void)
{
	int refuses;

	two_dirs();
	assert_int_equal(mkd(w.root, "over"), 0);
	refuses = hashed_of(w.root, "over") == 0 ? 1 : 0;
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "error-no", "EIO", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "error-fops", "rename", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "enable", "on", NULL), 0);
	assert_int_equal(mv(w.root, "dir", w.root, "over"), -EIO);
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "enable", "off", NULL), 0);
	assert_string_equal(where(w.root, "dir"), "DDD");
	assert_string_equal(where(w.root, "over"), "DDD");
	assert_true(node(w.root, "dir") == dir);
	assert_int_equal(mk(node(w.root, "over"), "f"), 0);
	assert_int_equal(mk(dir, "f"), 0);
	/* rmdir the same: one refuses, all have it still, with its ranges. */
	assert_int_equal(mkd(w.root, "victim"), 0);
	refuses = hashed_of(w.root, "victim") == 0 ? 1 : 0;
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "error-fops", "rmdir", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "enable", "on", NULL), 0);
	assert_int_equal(rmd(w.root, "victim"), -EIO);
	assert_int_equal(graph_set_option(w.graph, child(refuses)->name, "enable", "off", NULL), 0);
	assert_string_equal(where(w.root, "victim"), "DDD");
	world_restart();
	assert_int_equal(mk(node(w.root, "victim"), "f"), 0);
}

static void test_rollback(void **state)
{
	world(3, NULL, body_rollback);
}

/* The gateway died between two subvolumes of a directory's rename over an empty one: on child 0 it happened, on the others not. */
static void body_cut_short(void)
{
	struct rename_args args = { .oldparent = w.root, .newparent = w.root };
	struct rename_res res = { 0 };
	const char *to;

	two_dirs();
	to = name_on(w.root, "to", 0);
	assert_int_equal(mkd(w.root, to), 0);
	assert_int_equal(mk(dir, "f"), 0);
	args.oldname = "dir";
	args.newname = to;
	assert_int_equal(xl_rename(child(0), &w.call, &args, &res), 0);
	co_sleep_ns(1000000);
	world_restart();
	/* The new name is the renamed directory, whole, with what is in it; the one it was to replace is nowhere. */
	dir = node(w.root, to);
	assert_true(memcmp(dir->gfid, res.stat.gfid, 16) == 0);
	assert_int_equal(look(dir, "f"), 0);
	for (unsigned i = 0; i < 12; i++) {
		char name[8];

		snprintf(name, sizeof(name), "g%u", i);
		assert_int_equal(mk(dir, name), 0);
	}
	/* Once more, and nothing is left of the old name. */
	mv(w.root, "dir", w.root, to);
	assert_int_equal(look(w.root, "dir"), -ENOENT);
	assert_int_equal(look(node(w.root, to), "f"), 0);
}

static void test_cut_short(void **state)
{
	world(3, NULL, body_cut_short);
}

/* A name on child 1 that hashes to child 0 and that nothing tells of: its file has been renamed, and the gateway died before it removed this. */
static const char *leftover(const char *stem)
{
	const char *from = name_on(dir, "from", 1), *old = name_on(dir, stem, 0);
	struct unlink_res gone = { 0 };
	struct link_res linked = { 0 };
	struct inode *inode;
	char second[64];

	snprintf(second, sizeof(second), "is-%s", old);
	assert_int_equal(mk(dir, from), 0);
	assert_int_equal(mv(dir, from, dir, old), 0);
	inode = node(dir, old);
	assert_int_equal(xl_link(w.top, &w.call, &(struct link_args){ .inode = inode, .newparent = other, .newname = second }, &linked), 0);
	assert_int_equal(xl_unlink(child(0), &w.call, &(struct unlink_args){ .parent = dir, .name = old }, &gone), 0);
	assert_string_equal(where(dir, old), "-d-");
	assert_int_equal(look(dir, old), -ENOENT);
	return old;
}

/* It is in nobody's way. */
static void body_leftover(void)
{
	struct link_res res = { 0 };
	const char *old, *to;

	two_dirs();
	/* A new object by that name leads there by its linkto, on its way to another name ... */
	old = leftover("a");
	assert_int_equal(mk(dir, old), 0);
	assert_string_equal(where(dir, old), "dd-");
	to = name_on(dir, "to", 1);
	assert_int_equal(mv(dir, old, dir, to), 0);
	assert_string_equal(where(dir, to), "dl-");
	assert_string_equal(where(dir, old), "---");
	/* ... another file is renamed to that name ... */
	old = leftover("b");
	to = file(dir, "c", 1, 1);
	assert_int_equal(mv(dir, to, dir, old), 0);
	assert_string_equal(where(dir, old), "ld-");
	/* ... or gets it as one more. */
	to = old;
	old = leftover("d");
	assert_int_equal(xl_link(w.top, &w.call, &(struct link_args){ .inode = node(dir, to), .newparent = dir, .newname = old }, &res), 0);
	assert_string_equal(where(dir, old), "ld-");
	assert_int_equal(res.stat.nlink, 2);
}

/* The new name was linked on the file's subvolume by an attempt that went no further. While the subvolume does not answer that has what the name
 * means so far, the two names of one file are not taken for the end of the rename. */
static void body_half_done(void)
{
	const char *from, *to;
	struct link_res res = { 0 };

	two_dirs();
	from = file(dir, "from", 1, 1);
	to = file(dir, "to", 0, 0);
	assert_int_equal(xl_link(child(1), &w.call, &(struct link_args){ .inode = node(dir, from), .newparent = dir, .newname = to }, &res), 0);
	fail_on(0, "lookup");
	assert_int_equal(mv(dir, from, dir, to), -ENOTCONN);
	fail_on(0, NULL);
	assert_string_equal(where(dir, from), "-d-");
	co_sleep_ns(1000000);
	assert_int_equal(mv(dir, from, dir, to), 0);
	assert_string_equal(where(dir, from), "---");
	assert_string_equal(where(dir, to), "ld-");
}

static void test_half_done(void **state)
{
	world(3, NULL, body_half_done);
}

static void test_leftover(void **state)
{
	world(3, NULL, body_leftover);
}

/* The file's rename fails where it would happen: both names stay as they were. */
static void body_file_rollback(void)
{
	const char *from, *to;

	two_dirs();
	from = file(dir, "from", 0, 0);
	to = file(other, "to", 1, 2);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "error-no", "EDQUOT", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "error-fops", "rename", NULL), 0);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "enable", "on", NULL), 0);
	assert_int_equal(mv(dir, from, other, to), -EDQUOT);
	assert_int_equal(graph_set_option(w.graph, child(1)->name, "enable", "off", NULL), 0);
	assert_string_equal(where(dir, from), "d--");
	assert_string_equal(where(other, to), "-ld");
	assert_int_equal(mv(dir, from, other, to), 0);
	assert_string_equal(where(other, to), "dl-");
}

static void test_file_rollback(void **state)
{
	world(3, NULL, body_file_rollback);
}

/* RENAME is carried out, and its answer is lost. */
static const struct xlator_class *sound;

static int coroutine_fn rename_unheard(struct xlator *xl, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	int ret = sound->fops.rename(xl, call, args, res);

	return ret < 0 ? ret : -ENOTCONN;
}

static int listed(struct inode *in, const char *name)
{
	struct readdir_args args = { .inode = in, .size = 65536, .plus = true };
	struct readdir_res res = { 0 };
	int n = 0;

	do {
		assert_int_equal(xl_readdir(w.top, &w.call, &args, &res), 0);
		for (unsigned i = 0; i < res.n; i++) {
			n += strcmp(res.entries[i].name, name) == 0;
			args.offset = res.entries[i].off;
		}
	} while (!res.eof);
	return n;
}

/* It happened, and nobody knows: the file is to be had under its new name, and RENAME sent again clears the old one away. */
static void body_unheard(void)
{
	static struct xlator_class deaf;
	const char *from, *to;
	struct iatt st;

	two_dirs();
	from = file(dir, "from", 1, 0);
	to = file(other, "to", 1, 1);
	sound = child(1)->class;
	deaf = *sound;
	deaf.fops.rename = rename_unheard;
	child(1)->class = &deaf;
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	child(1)->class = sound;
	world_restart();
	dir = node(w.root, "dir");
	other = node(w.root, "other");
	assert_int_equal(look(other, to), 0);
	assert_int_equal(listed(dir, from), 0);
	assert_int_equal(mv(dir, from, other, to), 0);
	assert_string_equal(where(dir, from), "---");
	assert_string_equal(where(other, to), "dl-");
	assert_int_equal(look_on(w.top, other, to, &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(mv(dir, from, other, to), -ENOENT);
}

static void test_unheard(void **state)
{
	world(3, NULL, body_unheard);
}

/* An object that the rename replaced on a third subvolume could not be removed: that is no success yet.
 * RENAME sent again finds no old name, and removes it, by the note that was left on it. */
static void body_replaced(void)
{
	const char *from, *to;

	two_dirs();
	from = file(dir, "from", 0, 0);
	to = file(other, "to", 1, 2);
	fail_on(2, "unlink");
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	fail_on(2, NULL);
	assert_string_equal(where(dir, from), "---");
	assert_string_equal(where(other, to), "dld");
	world_restart();
	dir = node(w.root, "dir");
	other = node(w.root, "other");
	assert_int_equal(mv(dir, from, other, to), -ENOENT);
	assert_string_equal(where(other, to), "dl-");
	assert_int_equal(listed(other, to), 1);
	assert_int_equal(rm(other, to), 0);
	assert_int_equal(listed(other, to), 0);
}

static void test_replaced(void **state)
{
	world(3, NULL, body_replaced);
}

/* The same where the new name hashes to the file, and where the file has both names still. */
static void body_replaced_in_place(void)
{
	struct link_res res = { 0 };
	const char *from, *to;

	two_dirs();
	from = file(dir, "from", 1, 0);
	to = file(other, "to", 0, 2);
	fail_on(2, "unlink");
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	fail_on(2, NULL);
	assert_string_equal(where(other, to), "d-d");
	assert_int_equal(mv(dir, from, other, to), -ENOENT);
	assert_string_equal(where(other, to), "d--");
	from = file(dir, "more", 0, 0);
	to = file(other, "over", 1, 2);
	fail_on(2, "unlink");
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	fail_on(2, NULL);
	assert_int_equal(xl_link(child(0), &w.call, &(struct link_args){
			.inode = node(other, to), .newparent = dir, .newname = from }, &res), 0);
	assert_int_equal(mv(dir, from, other, to), 0);
	assert_string_equal(where(dir, from), "d--");
	assert_string_equal(where(other, to), "dl-");
}

static void test_replaced_in_place(void **state)
{
	world(3, NULL, body_replaced_in_place);
}

/* A second file under a name is nobody's to remove unless the note says so. */
static void body_unnoted(void)
{
	struct create_args args = { .flags = O_EXCL | O_RDWR, .mode = 0644, .gfid = new_gfid() };
	struct create_res res = { 0 };
	const char *from;

	two_dirs();
	from = name_on(dir, "from", 0);
	args.parent = other;
	args.name = file(other, "to", 1, 0);
	assert_int_equal(xl_create(child(2), &w.call, &args, &res), 0);
	assert_int_equal(mv(dir, from, other, args.name), -ENOENT);
	assert_string_equal(where(other, args.name), "dld");
}

static void test_unnoted(void **state)
{
	world(3, NULL, body_unnoted);
}

/* It did not happen, and the file has the new name where its data is: that is not what the new name means, whoever cannot be asked for now. */
static void body_not_happened(void)
{
	const char *from, *to;
	struct iatt had, now;

	two_dirs();
	from = file(dir, "from", 0, 0);
	to = file(other, "to", 1, 1);
	assert_int_equal(look_on(w.top, other, to, &had), 0);
	fail_on(1, "rename");
	fail_on(0, "unlink");		/* nor can anything be undone */
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	fail_on(0, NULL);
	assert_string_equal(where(other, to), "dd-");
	fail_on(1, "lookup");
	assert_int_equal(look(other, to), -ENOTCONN);
	assert_int_equal(mv(dir, from, other, to), -ENOTCONN);
	assert_int_equal(rm(other, to), -ENOTCONN);
	assert_int_equal(look(dir, from), 0);
	fail_on(1, NULL);
	assert_int_equal(look_on(w.top, other, to, &now), 0);
	assert_true(gfid_equal(had.gfid, now.gfid));
	assert_int_equal(listed(other, to), 1);
	assert_int_equal(mv(dir, from, other, to), 0);
	assert_string_equal(where(dir, from), "---");
	assert_string_equal(where(other, to), "dl-");
}

static void test_not_happened(void **state)
{
	world(3, NULL, body_not_happened);
}

/* Somebody is migrating the file: the rename waits for the lock, and finds the file where it is then. */
static unsigned renamed;
static const char *old_name, *new_name;

static void rename_meanwhile(void *arg)
{
	assert_int_equal(mv(dir, old_name, dir, new_name), 0);
	renamed++;
}

static void body_waits(void)
{
	struct dht_locks locks;
	struct inode *f;

	two_dirs();
	renamed = 0;
	old_name = file(dir, "old", 0, 0);
	new_name = name_on(dir, "new", 0);
	f = node(dir, old_name);
	dht_locks_init(w.top, &locks);
	dht_locks_add(&locks, 0, f, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
	assert_int_equal(dht_locks_take(w.top, &w.call, &locks), 0);
	co_start(w.loop, rename_meanwhile, NULL);
	co_sleep_ns(1000000000);
	assert_int_equal(renamed, 0);
	dht_locks_release(w.top, &w.call, &locks);
	co_sleep_ns(1000000000);
	assert_int_equal(renamed, 1);
	assert_string_equal(where(dir, new_name), "d--");
	/* And no lock stays behind. */
	dht_locks_init(w.top, &locks);
	dht_locks_add(&locks, 0, dir, DHT_DOMAIN_LAYOUT, NULL, LOCK_WRITE);
	dht_locks_add(&locks, 0, dir, DHT_DOMAIN_ENTRY, old_name, LOCK_WRITE);
	dht_locks_add(&locks, 0, dir, DHT_DOMAIN_ENTRY, new_name, LOCK_WRITE);
	dht_locks_add(&locks, 0, f, DHT_DOMAIN_MIGRATE, NULL, LOCK_WRITE);
	assert_int_equal(dht_locks_try(w.top, &w.call, &locks, 0), 0);
	dht_locks_release(w.top, &w.call, &locks);
}

static void test_waits(void **state)
{
	world(3, NULL, body_waits);
}

/* Opposite renames at once neither deadlock nor lose the file. */
static unsigned finished;

static void swap(void *arg)
{
	bool there = arg != NULL;

	for (unsigned i = 0; i < 20; i++) {
		int ret = there ? mv(dir, "x", other, "y") : mv(other, "y", dir, "x");

		assert_true(ret == 0 || ret == -ENOENT);
	}
	finished++;
}

static void body_opposite(void)
{
	int found;

	two_dirs();
	finished = 0;
	assert_int_equal(mk(dir, "x"), 0);
	for (uintptr_t i = 0; i < 4; i++)
		co_start(w.loop, swap, (void *)(i & 1));
	while (finished < 4)
		co_sleep_ns(10000000);
	found = (look(dir, "x") == 0) + (look(other, "y") == 0);
	assert_int_equal(found, 1);
}

static void test_opposite(void **state)
{
	world(3, NULL, body_opposite);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refused_changes_nothing), cmocka_unit_test(test_odd), cmocka_unit_test(test_dirs),
		cmocka_unit_test(test_rollback), cmocka_unit_test(test_file_rollback), cmocka_unit_test(test_waits),
		cmocka_unit_test(test_opposite), cmocka_unit_test(test_cut_short), cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_half_done), cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_replaced_in_place), cmocka_unit_test(test_unnoted),
		cmocka_unit_test(test_unheard), cmocka_unit_test(test_not_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
