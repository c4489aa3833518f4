/* tests/unit/test_replicate_layout.c: cluster/distribute over pairs of copies that do not have the same range of a directory.
 *
 * A brick that dies while a directory is made, or while its range is written, may come back without it. The other copy shows the range, names
 * are made under the condition that every copy has it, and one refuses: that must be put right, and is no error for anybody. Nor is a directory
 * that a whole subvolume does not have, to those who know nothing but its gfid. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/log.h"
#include "xlators/graph.h"

#define RANGE "trusted.glusterfs.dht"

static struct loop *loop;
static struct graph *graph;
static unsigned victim;			/* the brick that lacks the range; 4 and more: has a wrong one; 8 and more: a pair lacks the directory */
static const uint8_t dir_gfid[16] = { 0xd1 };

static char *volume(void)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	for (i = 0; i < 4; i++)
		fprintf(f, "volume m%u\n type storage/memory\nend-volume\n"
			"volume vol-client-%u\n type features/locks\n subvolumes m%u\nend-volume\n", i, i, i);
	for (i = 0; i < 2; i++)
		fprintf(f, "volume vol-replicate-%u\n type cluster/replicate\n option quorum-type auto\n"
			" subvolumes vol-client-%u vol-client-%u\nend-volume\n", i, 2 * i, 2 * i + 1);
	fprintf(f, "volume vol-dht\n type cluster/distribute\n subvolumes vol-replicate-0 vol-replicate-1\nend-volume\n");
	fclose(f);
	return text;
}

#define FRAME(op) struct arena *arena = arena_new(1 << 20); struct call call; struct op##_res *res = arena_alloc(arena, sizeof(*res)); int ret; \
	call_init(&call, arena)
#define DONE(inode) do { inode_unref(inode); arena_free(arena); return ret; } while (0)

static int make_dir(const uint8_t *parent, const char *name, const uint8_t *gfid)
{
	struct mkdir_args args = { .parent = inode_get(graph->inodes, parent), .name = name, .mode = 0755, .gfid = gfid };
	FRAME(mkdir);

	ret = xl_mkdir(graph->top, &call, &args, res);
	DONE(args.parent);
}

static int make_file(const char *name, const uint8_t *gfid)
{
	struct create_args args = { .parent = inode_get(graph->inodes, dir_gfid), .name = name, .flags = O_EXCL, .mode = 0644, .gfid = gfid };
	FRAME(create);

	ret = xl_create(graph->top, &call, &args, res);
	DONE(args.parent);
}

static int spoil(unsigned brick)
{
	struct inode *dir = inode_get(graph->inodes, dir_gfid);
	char name[16];
	FRAME(removexattr);

	snprintf(name, sizeof(name), "m%u", brick % 4);
	ret = xl_removexattr(graph_find(graph, name), &call, &(struct removexattr_args){ .inode = dir, .name = RANGE }, res);
	if (ret == 0 && brick >= 4) {
		struct xattr wrong = { RANGE, "\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0", 16 };
		struct setxattr_args set = { .inode = dir, .xattrs = { &wrong, 1 } };
		struct setxattr_res sres;

		ret = xl_setxattr(graph_find(graph, name), &call, &set, &sres);
	}
	DONE(dir);
}

static int spoil_pair(unsigned pair)
{
	struct rmdir_args args = { .parent = inode_get(graph->inodes, gfid_root), .name = "d" };
	char name[16];
	unsigned i;
	FRAME(rmdir);

	for (i = 2 * pair, ret = 0; ret == 0 && i < 2 * pair + 2; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		ret = xl_rmdir(graph_find(graph, name), &call, &args, res);
	}
	DONE(args.parent);
}

static void body(void)
{
	unsigned i;

	assert_int_equal(make_dir(gfid_root, "d", dir_gfid), 0);
	if (victim < 8)
		assert_int_equal(make_file("before", (const uint8_t[16]){ 0xf0 }), 0);
	assert_int_equal(victim < 8 ? spoil(victim) : spoil_pair(victim - 8), 0);
	for (i = 0; i < 12; i++) {
		uint8_t gfid[16] = { 0xfa, (uint8_t)i, 1 };
		char name[16];

		snprintf(name, sizeof(name), "name%u", i);
		assert_int_equal(i % 3 ? make_file(name, gfid) : make_dir(dir_gfid, name, gfid), 0);
	}
}

static void entry(void *arg)
{
	struct error err = { "" };
	struct graph_conf conf = { .loop = loop };
	char *text = volume();
	struct volfile *vf = volfile_parse(text, strlen(text), "test", &err);

	if (!vf || graph_new(vf, &conf, &err, &graph) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	volfile_free(vf);
	free(text);
	co_sleep_ns(1000000000);
	body();
	co_sleep_ns(3000000000u);
	graph_free(graph);
	loop_stop(loop);
}

static void test_ranges(void **state)
{
	for (victim = 0; victim < 10; victim++) {
		loop = loop_new_sim(7 + victim);
		co_start(loop, entry, NULL);
		assert_int_equal(loop_run(loop), 0);
		loop_free(loop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges) };

	log_open("test_replicate_layout", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
