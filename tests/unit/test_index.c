/* tests/unit/test_index.c: features/index with its files in a temporary directory, over a brick in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xlators/features/index.h"
#include "xlators/graph.h"
#include "xlators/xlator.h"

static struct world {
	struct loop *loop;
	struct graph *graph;
	struct xlator *top;
	struct arena *arena;
	struct call call;
	struct inode *root;
	char base[64];
	void (*body)(void);
} w;

static const uint8_t one[12] = { 0, 0, 0, 1 }, minus[12] = { 0xff, 0xff, 0xff, 0xff }, zero[12];

static void start_graph(void)
{
	char text[512];
	struct graph_conf conf = { .loop = w.loop };
	struct error err = { "" };
	struct volfile *vf;

	snprintf(text, sizeof(text),
		 "volume m\n type storage/memory\nend-volume\nvolume i\n type features/index\n option index-base %s/indices\n"
		 " option xattrop-pending-watchlist trusted.afr.v-\n option dirty-linger 30ms\n subvolumes m\nend-volume\n", w.base);
	vf = volfile_parse(text, strlen(text), "test", &err);
	assert_non_null(vf);
	assert_int_equal(graph_new(vf, &conf, &err, &w.graph), 0);
	volfile_free(vf);
	w.top = w.graph->top;
	w.root = inode_get(w.graph->inodes, gfid_root);
}

static void stop_graph(void)
{
	inode_unref(w.root);
	graph_free(w.graph);
}

static void world_main(void *arg)
{
	co_yield();
	w.arena = arena_new(1u << 20);
	call_init(&w.call, w.arena);
	start_graph();
	w.body();
	stop_graph();
	arena_free(w.arena);
	loop_stop(w.loop);
}

static void in_world(void (*body)(void))
{
	char command[128];

	memset(&w, 0, sizeof(w));
	w.body = body;
	strncpy(w.base, "/tmp/test_index.XXXXXX", sizeof(w.base) - 1);
	assert_non_null(mkdtemp(w.base));
	w.loop = loop_new_sim(1);	/* no real clock: the machine may be busy */
	co_start(w.loop, world_main, NULL);
	loop_run(w.loop);
	loop_free(w.loop);
	snprintf(command, sizeof(command), "rm -rf %s", w.base);
	assert_int_equal(system(command), 0);
}

/* Entries (not base files) in a directory of the index; -1 when there is none. */
static int entries(const char *dir)
{
	char path[256];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "%s/indices/%s", w.base, dir);
	d = opendir(path);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' && strncmp(e->d_name, dir, 5) != 0 && strncmp(e->d_name, "entry-changes", 13) != 0;
	closedir(d);
	return n;
}

static struct xattrop_res change(const void *dirty, const void *pending, const char *create, const char *delete)
{
	struct xattr v[2] = { { "trusted.afr.dirty", dirty, 12 }, { "trusted.afr.v-client-1", pending, 12 } };
	struct xattrop_args args = { .inode = w.root, .operands = { v, 2 }, .entry_create = create, .entry_delete = delete };
	struct xattrop_res res;

	assert_int_equal(xl_xattrop(w.top, &w.call, &args, &res), 0);
	return res;
}

static uint32_t index_flag(void)
{
	struct lookup_args args = { .parent = w.root, .name = "nothing", .count = COUNT_INDEX };
	struct lookup_res res;

	assert_int_equal(xl_lookup(w.top, &w.call, &args, &res), -ENOENT);
	return res.counts.index;
}

static void life_of_an_entry_body(void)
{
	assert_int_equal(entries("xattrop"), 0);
	assert_int_equal(index_flag(), 0);
	change(zero, zero, NULL, NULL);
	assert_int_equal(entries("dirty"), 0);
	change(one, zero, NULL, NULL);
	assert_int_equal(entries("dirty"), 1);
	assert_int_equal(entries("xattrop"), 0);
	change(minus, one, NULL, NULL);
	assert_int_equal(entries("xattrop"), 1);
	assert_int_equal(index_flag(), 1);
	assert_int_equal(entries("dirty"), 1);		/* lingers */
	co_sleep_ns(80000000);
	assert_int_equal(entries("dirty"), 0);
	change(zero, minus, NULL, NULL);
	assert_int_equal(entries("xattrop"), 0);
	assert_int_equal(index_flag(), 0);
	change(one, zero, NULL, NULL);
	change(minus, zero, NULL, NULL);
	change(one, zero, NULL, NULL);			/* dirty again before the sweep */
	co_sleep_ns(80000000);
	assert_int_equal(entries("dirty"), 1);
}

static void life_of_an_entry(void **state) { in_world(life_of_an_entry_body); }

static struct inode *virtual_dir(const char *name)
{
	struct getxattr_args args = { .inode = w.root, .name = name };
	struct getxattr_res res;

	assert_int_equal(xl_getxattr(w.top, &w.call, &args, &res), 0);
	assert_int_equal(res.xattrs.v[0].len, 16);
	return inode_get(w.graph->inodes, res.xattrs.v[0].value);
}

static unsigned list(struct inode *dir, char *ret_name)
{
	struct opendir_args open = { dir };
	struct opendir_res opened;
	struct readdir_args args = { .size = 4096 };
	struct readdir_res res;
	unsigned i, n = 0;

	assert_int_equal(xl_opendir(w.top, &w.call, &open, &opened), 0);
	args.fd = opened.fd;
	do {
		assert_int_equal(xl_readdir(w.top, &w.call, &args, &res), 0);
		for (i = 0; i < res.n; i++) {
			args.offset = res.entries[i].off;
			if (res.entries[i].name[0] == '.')
				continue;
			n++;
			if (ret_name)
				snprintf(ret_name, 256, "%s", res.entries[i].name);
		}
	} while (!res.eof);
	fd_unref(opened.fd);
	return n;
}

static int rm(struct inode *dir, const char *name)
{
	struct unlink_args args = { .parent = dir, .name = name };
	struct unlink_res res;

	return xl_unlink(w.top, &w.call, &args, &res);
}

/* What a stock healer asks of an index directory before it lists it: how to remove its entries. */
static unsigned kind_of(struct inode *dir)
{
	struct lookup_args args = { .inode = dir, .count = COUNT_INDEX_KIND };
	struct lookup_res res;

	assert_int_equal(xl_lookup(w.top, &w.call, &args, &res), 0);
	return res.counts.index_kind;
}

static void healer_view_body(void)
{
	struct inode *dir = virtual_dir("glusterfs.xattrop_index_gfid");
	char name[256];

	assert_int_equal(kind_of(dir), 1);
	assert_int_equal(kind_of(w.root), 0);
	assert_int_equal(list(dir, name), 0);
	change(zero, one, NULL, NULL);
	assert_int_equal(list(dir, name), 1);
	assert_string_equal(name, "00000000-0000-0000-0000-000000000001");
	assert_int_equal(rm(dir, "../dirty"), -EINVAL);
	assert_int_equal(rm(dir, "xattrop-base"), -ENOENT);
	assert_int_equal(rm(dir, name), 0);
	assert_int_equal(rm(dir, name), -ENOENT);
	assert_int_equal(entries("xattrop"), 0);
	assert_int_equal(index_flag(), 0);
	change(zero, one, NULL, NULL);			/* enters again */
	assert_int_equal(entries("xattrop"), 1);
	inode_unref(dir);
}

static void healer_view(void **state) { in_world(healer_view_body); }

static void entry_changes_body(void)
{
	struct inode *dir = virtual_dir("glusterfs.xattrop_entry_changes_gfid"), *sub;
	struct lookup_args look = { .parent = dir };
	struct lookup_res found;
	struct rmdir_args rmd = { .parent = dir };
	struct rmdir_res rmd_res;
	char name[256];

	assert_int_equal(kind_of(dir), 2);
	change(one, zero, "new file", NULL);
	change(zero, zero, "other", NULL);
	change(zero, zero, "a/b", NULL);			/* no such name: ignored */
	assert_int_equal(list(dir, name), 1);
	look.name = rmd.name = name;
	assert_int_equal(xl_lookup(w.top, &w.call, &look, &found), 0);
	assert_true(S_ISDIR(found.stat.mode));
	sub = inode_get(w.graph->inodes, found.stat.gfid);
	assert_int_equal(list(sub, NULL), 2);
	change(zero, zero, NULL, "other");
	assert_int_equal(rm(sub, "new file"), 0);
	assert_int_equal(list(sub, NULL), 0);
	change(zero, zero, "left over", NULL);			/* a healer that is done with the directory does not ask what is left */
	assert_int_equal(xl_rmdir(w.top, &w.call, &rmd, &rmd_res), 0);
	assert_int_equal(list(dir, NULL), 0);
	inode_unref(sub);
	inode_unref(dir);
}

static void entry_changes(void **state) { in_world(entry_changes_body); }

static void heal_done(const void *pending)
{
	struct xattr v = { "trusted.afr.v-client-1", pending, 12 };
	struct xattrop_args args = { .inode = w.root, .operands = { &v, 1 }, .purge_index = true };
	struct xattrop_res res;

	assert_int_equal(xl_xattrop(w.top, &w.call, &args, &res), 0);
}

/* The names go when the healer has taken the last mark off and says so, not before. */
static void purged_body(void)
{
	struct inode *dir = virtual_dir("glusterfs.xattrop_entry_changes_gfid");

	change(zero, one, "a", NULL);
	change(zero, one, "b", NULL);
	heal_done(minus);
	assert_int_equal(list(dir, NULL), 1);
	heal_done(minus);
	assert_int_equal(list(dir, NULL), 0);
	assert_int_equal(entries("xattrop"), 0);
	inode_unref(dir);
}

static void purged(void **state) { in_world(purged_body); }

/* The reserve gives up piece after piece, and is filled up where there is room. */
static void reserve_body(void)
{
	struct index_reserve r;
	unsigned pieces = 0;

	index_reserve_open(&r, w.base);
	assert_false(index_reserve_short(&r));
	while (index_reserve_spend(&r))
		assert_true(index_reserve_short(&r) && ++pieces < 1000);
	assert_true(pieces > 10);
	assert_false(index_reserve_spend(&r));
	index_reserve_fill(&r);
	assert_false(index_reserve_short(&r));
	index_reserve_close(&r);
}

static void reserve(void **state) { in_world(reserve_body); }

static void restart_body(void)
{
	struct getxattr_args args = { .name = "glusterfs.xattrop_index_count" };
	struct getxattr_res res;
	struct inode *dir;

	change(one, one, NULL, NULL);
	stop_graph();
	start_graph();
	assert_int_equal(index_flag(), 1);
	args.inode = w.root;
	assert_int_equal(xl_getxattr(w.top, &w.call, &args, &res), 0);
	assert_string_equal(res.xattrs.v[0].value, "1");
	dir = virtual_dir("glusterfs.xattrop_dirty_gfid");
	assert_int_equal(list(dir, NULL), 1);
	inode_unref(dir);
	change(zero, zero, NULL, NULL);			/* the brick in memory is a new one: all is clean */
	assert_int_equal(entries("xattrop"), 0);
}

static void restart(void **state) { in_world(restart_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_an_entry), cmocka_unit_test(healer_view), cmocka_unit_test(entry_changes), cmocka_unit_test(purged),
		cmocka_unit_test(reserve), cmocka_unit_test(restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
