/* tests/unit/test_replicate_stack.c: cluster/replicate over the layers of real bricks (memory and locks) from a volfile, with
 * debug/error-gen between; and the debug translators by themselves. */
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

static const char *text;
static void (*body)(void);
static struct loop *loop;
static struct graph *graph;

static const char *const replicated =
	"volume m0\n type storage/memory\nend-volume\n"
	"volume l0\n type features/locks\n subvolumes m0\nend-volume\n"
	"volume vol-client-0\n type debug/error-gen\n option enable off\n option failure 100\n option error-no ENOSPC\n"
	" subvolumes l0\nend-volume\n"
	"volume m1\n type storage/memory\nend-volume\n"
	"volume l1\n type features/locks\n subvolumes m1\nend-volume\n"
	"volume vol-client-1\n type debug/error-gen\n option enable off\n option failure 100\n option error-no ENOSPC\n"
	" subvolumes l1\nend-volume\n"
	"volume vol-replicate-0\n type cluster/replicate\n option quorum-type auto\n subvolumes vol-client-0 vol-client-1\nend-volume\n";

static const char *const debugged =
	"volume m\n type storage/memory\nend-volume\n"
	"volume e\n type debug/error-gen\n option every 3\n option error-no EDQUOT\n option error-fops statfs,stat\n subvolumes m\nend-volume\n"
	"volume d\n type debug/delay-gen\n option delay-percentage 100\n option delay-duration 20000\n option delay-fops statfs\n"
	" subvolumes e\nend-volume\n"
	"volume t\n type debug/trace\n option log on\n subvolumes d\nend-volume\n";

static void entry(void *arg)
{
	struct error err = { "" };
	struct graph_conf conf = { .loop = loop };
	struct volfile *vf = volfile_parse(text, strlen(text), "test", &err);

	if (!vf || graph_new(vf, &conf, &err, &graph) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	volfile_free(vf);
	co_sleep_ns(1000000000);
	body();
	graph_free(graph);
	loop_stop(loop);
}

static void run(const char *volume, void (*what)(void))
{
	text = volume;
	body = what;
	loop = loop_new_sim(7);
	co_start(loop, entry, NULL);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

static void set(const char *xlator, const char *key, const char *value)
{
	struct error err = { "" };

	assert_int_equal(graph_set_option(graph, xlator, key, value, &err), 0);
}

/* The first 12 bytes of an attribute as three digits. */
static const char *mark(const char *child, const uint8_t *gfid, const char *key, char out[8])
{
	struct arena *arena = arena_new(1 << 20);
	struct inode *inode = inode_get(graph->inodes, gfid);
	struct getxattr_args args = { .inode = inode, .name = key };
	struct getxattr_res *res = arena_alloc(arena, sizeof(*res));
	const struct xattr *x;
	struct call call;

	call_init(&call, arena);
	x = xl_getxattr(graph_find(graph, child), &call, &args, res) == 0 ? xattrs_find(&res->xattrs, key) : NULL;
	if (x && x->len == 12)
		snprintf(out, 8, "%u%u%u", ((const uint8_t *)x->value)[3] % 10u, ((const uint8_t *)x->value)[7] % 10u,
			 ((const uint8_t *)x->value)[11] % 10u);
	else
		snprintf(out, 8, "none");
	inode_unref(inode);
	arena_free(arena);
	return out;
}

static const uint8_t file_gfid[16] = { 0xab, 1 };

static int create(const char *name, const uint8_t *gfid)
{
	struct arena *arena = arena_new(1 << 20);
	struct inode *root = inode_get(graph->inodes, gfid_root);
	struct create_args args = { .parent = root, .name = name, .flags = O_EXCL, .mode = 0644, .gfid = gfid };
	struct create_res *res = arena_alloc(arena, sizeof(*res));
	struct call call;
	int ret;

	call_init(&call, arena);
	ret = xl_create(graph->top, &call, &args, res);
	inode_unref(root);
	arena_free(arena);
	return ret;
}

static int write_file(char byte)
{
	struct arena *arena = arena_new(1 << 20);
	struct writev_args args = { .inode = inode_get(graph->inodes, file_gfid) };
	struct writev_res *res = arena_alloc(arena, sizeof(*res));
	struct call call;
	int ret;

	call_init(&call, arena);
	args.data = (struct payload){ iobuf_new(100), 0, 100 };
	memset(args.data.buf->data, byte, 100);
	ret = xl_writev(graph->top, &call, &args, res);
	iobuf_unref(args.data.buf);
	inode_unref(args.inode);
	arena_free(arena);
	return ret;
}

static char read_file(void)
{
	struct arena *arena = arena_new(1 << 20);
	struct readv_args args = { .inode = inode_get(graph->inodes, file_gfid), .size = 10 };
	struct readv_res *res = arena_alloc(arena, sizeof(*res));
	struct call call;
	char byte;

	call_init(&call, arena);
	byte = xl_readv(graph->top, &call, &args, res) == 0 ? (char)*payload_data(&res->data) : 0;
	inode_unref(args.inode);
	arena_free(arena);
	return byte;
}

static void stack_body(void)
{
	static const uint8_t other[16] = { 0xab, 2 };
	char m[8];

	assert_int_equal(create("file", file_gfid), 0);
	assert_int_equal(write_file('a'), 0);
	assert_string_equal(mark("l0", file_gfid, "trusted.afr.dirty", m), "100");
	co_sleep_ns(3000000000u);
	assert_string_equal(mark("l0", file_gfid, "trusted.afr.dirty", m), "000");
	assert_string_equal(mark("l1", file_gfid, "trusted.afr.vol-client-0", m), "none");

	set("vol-client-1", "error-fops", "writev, create");	/* one brick is full */
	set("vol-client-1", "enable", "on");
	assert_int_equal(write_file('b'), 0);
	assert_int_equal(create("other", other), 0);
	set("vol-client-1", "enable", "off");
	co_sleep_ns(3000000000u);
	assert_string_equal(mark("l0", file_gfid, "trusted.afr.vol-client-1", m), "100");
	assert_string_equal(mark("l0", gfid_root, "trusted.afr.vol-client-1", m), "001");
	assert_string_equal(mark("l0", other, "trusted.afr.vol-client-1", m), "110");
	assert_string_equal(mark("l0", file_gfid, "trusted.afr.dirty", m), "000");
	assert_int_equal(read_file(), 'b');

	set("vol-client-0", "error-fops", "writev");		/* now the whole copy is: the stale one alone is not enough */
	set("vol-client-0", "enable", "on");
	assert_int_equal(write_file('c'), -ENOSPC);
	set("vol-client-0", "enable", "off");
	co_sleep_ns(3000000000u);
	assert_string_equal(mark("l1", file_gfid, "trusted.afr.vol-client-0", m), "none");
	assert_int_equal(read_file(), 'b');
}

static void test_stack(void **state) { run(replicated, stack_body); }

static int statfs(void)
{
	struct arena *arena = arena_new(1 << 16);
	struct inode *root = inode_get(graph->inodes, gfid_root);
	struct statfs_args args = { root };
	struct statfs_res res;
	struct call call;
	int ret;

	call_init(&call, arena);
	ret = xl_statfs(graph->top, &call, &args, &res);
	inode_unref(root);
	arena_free(arena);
	return ret;
}

static void debug_body(void)
{
	uint64_t began = loop_now_ns(loop);
	unsigned i, failed = 0;
	struct error err = { "" };

	for (i = 0; i < 9; i++) {
		int ret = statfs();

		assert_true(ret == 0 || ret == -EDQUOT);
		failed += ret == -EDQUOT;
	}
	assert_int_equal(failed, 3);
	assert_true(loop_now_ns(loop) - began >= 180000000);
	set("t", "log", "off");
	set("d", "enable", "off");
	set("e", "every", "0");
	set("e", "failure", "50");
	began = loop_now_ns(loop);
	for (failed = i = 0; i < 200; i++)
		failed += statfs() < 0;
	assert_true(failed > 60 && failed < 140);
	assert_true(loop_now_ns(loop) - began < 180000000);
	set("e", "error-fops", "stat");
	for (failed = i = 0; i < 20; i++)
		failed += statfs() < 0;
	assert_int_equal(failed, 0);
	assert_int_equal(graph_set_option(graph, "e", "error-fops", "staat", &err), -EINVAL);
	assert_non_null(strstr(err.text, "staat"));
}

static void test_debug(void **state) { run(debugged, debug_body); }

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_stack), cmocka_unit_test(test_debug) };

	log_open("test_replicate_stack", "/dev/null", LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
