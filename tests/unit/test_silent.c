/* Copies that do not answer: cluster/replicate over protocol/client and real brick servers, whose disks in memory hang, in one simulated
 * world. How long a caller waits, what stands on the disks when it is answered, and that nothing that comes late overtakes anybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <cmocka.h>

#include "bricks/brick.h"
#include "runtime/log.h"
#include "runtime/sim.h"
#include "runtime/sync.h"
#include "xlators/graph.h"
#include "xlators/storage/memory/memory.h"

#define MSEC 1000000ull
#define SEC 1000000000ull
#define GATEWAYS 2
#define BRICKS 3

struct brick { struct memory_disk *disk; struct graph *graph; struct brick_server *server; };
static struct loop *loop;
static struct brick bricks[BRICKS];
static struct graph *gateways[GATEWAYS];
static unsigned copies;
static void coroutine_fn (*body)(void);
static bool passed;

static const uint8_t file_gfid[16] = { 0xab, 1 };

static struct in_addr host(unsigned net, unsigned n)
{
	return (struct in_addr){ htonl(0x0a000000u | net << 8 | (n + 1)) };
}

static struct graph *coroutine_fn make_graph(const char *text, const char *from)
{
	struct graph_conf conf = { .loop = loop, .from = from };
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), "test", &err);
	struct graph *graph = NULL;

	assert_non_null(vf);
	assert_int_equal(graph_new(vf, &conf, &err, &graph), 0);
	volfile_free(vf);
	return graph;
}

static void coroutine_fn start_brick(unsigned i)
{
	struct brick *b = &bricks[i];
	struct brick_conf conf = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(49152), .sin_addr = host(1, i) };
	struct error err = { "" };
	uint16_t port;
	char text[256];

	snprintf(text, sizeof(text), "volume disk\n type storage/memory\n option disk d%u\nend-volume\n"
		 "volume brick-%u\n type features/locks\n subvolumes disk\nend-volume\n", i, i);
	b->graph = make_graph(text, NULL);
	assert_int_equal(brick_server_new(loop, b->graph, &conf, &err, &b->server), 0);
	assert_int_equal(brick_server_listen(b->server, (struct sockaddr *)&addr, &err, &port), 0);
}

static void coroutine_fn start_gateway(unsigned g)
{
	char *text, from[INET_ADDRSTRLEN];
	struct in_addr self = host(2, g);
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	for (i = 0; i < copies; i++)
		fprintf(f, "volume c%u\n type protocol/client\n option remote-host 10.0.1.%u\n option remote-port 49152\n"
			" option remote-subvolume brick-%u\n option ping-timeout 60\nend-volume\n", i, i + 1, i);
	fprintf(f, "volume set\n type cluster/replicate\n option quorum-type auto\n option post-op-delay-secs 200ms\n subvolumes");
	for (i = 0; i < copies; i++)
		fprintf(f, " c%u", i);
	fprintf(f, "\nend-volume\n");
	fclose(f);
	inet_ntop(AF_INET, &self, from, sizeof(from));
	gateways[g] = make_graph(text, from);
	free(text);
}

static void coroutine_fn run(void *arg)
{
	unsigned i;

	for (i = 0; i < copies; i++)
		start_brick(i);
	for (i = 0; i < GATEWAYS; i++)
		start_gateway(i);
	co_sleep_ns(2 * SEC);
	body();
	for (i = 0; i < copies; i++)
		memory_disk_hang(bricks[i].disk, DISK_RUNS);
	co_sleep_ns(2 * SEC);
	for (i = 0; i < GATEWAYS; i++)
		graph_free(gateways[i]);
	for (i = 0; i < copies; i++) {
		assert_int_equal(brick_server_drain(bricks[i].server), 0);
		brick_server_free(bricks[i].server);
		graph_free(bricks[i].graph);
	}
	passed = true;
	loop_stop(loop);
}

static void in_world(unsigned n, void coroutine_fn (*what)(void))
{
	char name[8];
	unsigned i;

	loop = loop_new_sim(23);
	copies = n;
	body = what;
	passed = false;
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		bricks[i].disk = memory_disk_new(name, i + 1, 0);
	}
	co_start(loop, run, NULL);
	loop_run(loop);
	assert_true(passed);
	loop_free(loop);
	for (i = 0; i < n; i++)
		memory_disk_free(bricks[i].disk);
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

#define FRAME(op, graph) \
	struct arena *arena = arena_new(1 << 20); \
	struct op##_res *res = arena_alloc(arena, sizeof(*res)); \
	struct call call; \
	int ret; call_init(&call, arena)

static uint64_t now_ms(void) { return loop_now_ns(loop) / MSEC; }

static int coroutine_fn create(struct graph *g, const char *name, const uint8_t *gfid)
{
	struct create_args a = { .parent = inode_get(g->inodes, gfid_root), .name = name, .flags = O_EXCL, .mode = 0644, .gfid = gfid };
	FRAME(create, g);

	ret = xl_create(g->top, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

static int coroutine_fn write_byte(struct graph *g, uint8_t byte, uint32_t flags)
{
	struct writev_args a = { .inode = inode_get(g->inodes, file_gfid), .flags = flags };
	FRAME(writev, g);

	a.data = (struct payload){ iobuf_new(8), 0, 8 };
	memset(a.data.buf->data, byte, 8);
	ret = xl_writev(g->top, &call, &a, res);
	iobuf_unref(a.data.buf);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

/* The file's first byte, or -errno. */
static int coroutine_fn read_byte(struct graph *g, const uint8_t *gfid)
{
	struct readv_args a = { .inode = inode_get(g->inodes, gfid), .size = 8 };
	FRAME(readv, g);

	ret = xl_readv(g->top, &call, &a, res);
	if (ret == 0)
		ret = res->data.len ? *payload_data(&res->data) : 0;
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

static int coroutine_fn sync_file(struct graph *g)
{
	struct fsync_args a = { .inode = inode_get(g->inodes, file_gfid) };
	FRAME(fsync, g);

	ret = xl_fsync(g->top, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

/* Does brick @by accuse @about of anything in the object? Asked below its locks, as a disk that runs answers. */
static bool coroutine_fn accuses(unsigned by, unsigned about, const uint8_t *gfid)
{
	struct graph *g = bricks[by].graph;
	char key[32];
	struct getxattr_args a = { .inode = inode_get(g->inodes, gfid), .name = key };
	const struct xattr *x;
	bool any = false;
	unsigned i;
	FRAME(getxattr, g);

	snprintf(key, sizeof(key), "trusted.afr.c%u", about);
	ret = xl_getxattr(g->top, &call, &a, res);
	x = ret == 0 ? xattrs_find(&res->xattrs, key) : NULL;
	for (i = 0; x && i < x->len; i++)
		any = any || ((const uint8_t *)x->value)[i];
	inode_unref(a.inode);
	arena_free(arena);
	return any;
}

/* May a stranger lock the file's data on this brick now? Lets go at once. */
static bool coroutine_fn lockable(unsigned brick)
{
	struct graph *g = bricks[brick].graph;
	struct inodelk_args a = { .inode = inode_get(g->inodes, file_gfid), .domain = "set", .cmd = LOCK_TRY, .type = LOCK_WRITE };
	FRAME(inodelk, g);

	call.lk_owner = (const uint8_t *)"stranger";
	call.lk_owner_len = 8;
	ret = xl_inodelk(g->top, &call, &a, res);
	a.cmd = LOCK_UNLOCK;
	if (ret == 0)
		xl_inodelk(g->top, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret == 0;
}

static void coroutine_fn make_file(void)
{
	assert_int_equal(create(gateways[0], "f", file_gfid), 0);
	assert_int_equal(write_byte(gateways[0], 'a', 0), 0);
	co_sleep_ns(SEC);
}

struct aside { int ret; bool done; };

static void coroutine_fn write_aside(void *arg)
{
	struct aside *a = arg;

	a->ret = write_byte(gateways[0], 'l', 0);
	a->done = true;
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

static void coroutine_fn one_of_three(void)
{
	uint64_t since;

	make_file();
	memory_disk_hang(bricks[1].disk, DISK_FROZEN);
	since = now_ms();
	assert_int_equal(write_byte(gateways[0], 'b', 0), 0);
	assert_in_range(now_ms() - since, 2900, 3200);
	assert_true(accuses(0, 1, file_gfid) && accuses(2, 1, file_gfid));	/* before the answer */
	since = now_ms();
	assert_int_equal(write_byte(gateways[0], 'c', O_DSYNC), 0);
	assert_int_equal(create(gateways[0], "g", (const uint8_t[16]){ 0xab, 2 }), 0);
	assert_int_equal(sync_file(gateways[0]), 0);
	assert_int_equal(read_byte(gateways[0], file_gfid), 'c');
	assert_in_range(now_ms() - since, 0, 300);
	co_sleep_ns(20 * SEC);
	assert_true(lockable(0) && lockable(2));
	assert_false(lockable(1));		/* what was sent under the lock may still come */
	memory_disk_hang(bricks[1].disk, DISK_RUNS);
	co_sleep_ns(SEC);
	assert_true(lockable(1));
	assert_int_equal(read_byte(gateways[0], file_gfid), 'c');
	assert_int_equal(read_byte(gateways[1], file_gfid), 'c');
	assert_true(accuses(0, 1, file_gfid) && accuses(2, 1, file_gfid));
}

/* A write that lands late must not land on a newer one. */
static void coroutine_fn late_and_newer(void)
{
	struct aside late = { 0 };
	uint64_t since;

	make_file();
	memory_disk_hang(bricks[1].disk, DISK_FROZEN);
	co_start(loop, write_aside, &late);
	co_sleep_ns(4 * SEC);
	assert_true(late.done);
	assert_int_equal(late.ret, 0);
	since = now_ms();
	assert_int_equal(write_byte(gateways[1], 'n', 0), 0);	/* has given up nobody yet: the lock is what is in its way */
	assert_in_range(now_ms() - since, 0, 3700);
	memory_disk_hang(bricks[1].disk, DISK_RUNS);
	co_sleep_ns(5 * SEC);
	assert_int_equal(write_byte(gateways[1], 'o', 0), 0);
	assert_int_equal(read_byte(gateways[0], file_gfid), 'o');
	assert_int_equal(read_byte(gateways[1], file_gfid), 'o');
	co_sleep_ns(2 * SEC);
	assert_int_equal(read_byte(bricks[1].graph, file_gfid), 'o');	/* it follows along; the order is kept */
}

/* Where all are slow nobody is to blame. */
static void coroutine_fn all_slow(void)
{
	unsigned i;

	make_file();
	for (i = 0; i < 3; i++)
		memory_disk_hang(bricks[i].disk, DISK_FROZEN);
	co_start(loop, write_aside, &(struct aside){ 0 });
	co_sleep_ns(8 * SEC);
	for (i = 0; i < 3; i++) {
		memory_disk_hang(bricks[i].disk, DISK_RUNS);
		co_sleep_ns(SEC);
	}
	co_sleep_ns(SEC);
	assert_false(accuses(0, 1, file_gfid) || accuses(0, 2, file_gfid));
	assert_false(accuses(2, 1, file_gfid) || accuses(1, 0, file_gfid));
	assert_int_equal(read_byte(gateways[0], file_gfid), 'l');
}

/* A disk that does not even read: the other copies do, and the next call asks them first. */
static void coroutine_fn dead_reads(void)
{
	uint8_t gfids[8][16] = { { 0xab, 0 } };
	uint64_t since, longest = 0, all = 0;
	char name[8];
	unsigned i;

	for (i = 0; i < 8; i++) {
		memcpy(gfids[i], (const uint8_t[16]){ 0xab, (uint8_t)(10 + i) }, 16);
		snprintf(name, sizeof(name), "r%u", i);
		assert_int_equal(create(gateways[0], name, gfids[i]), 0);
	}
	co_sleep_ns(SEC);
	memory_disk_hang(bricks[2].disk, DISK_DEAD);
	for (i = 0; i < 8; i++) {
		since = now_ms();
		assert_int_equal(read_byte(gateways[0], gfids[i]), 0);
		all += now_ms() - since;
		if (now_ms() - since > longest)
			longest = now_ms() - since;
	}
	assert_in_range(longest, 2900, 3200);
	assert_in_range(all, 0, longest + 300);
}

/* Two copies: the second is done without after three seconds; the first is waited for a little longer, and then nothing is promised. */
static void coroutine_fn second_of_two(void)
{
	uint64_t since;

	make_file();
	memory_disk_hang(bricks[1].disk, DISK_FROZEN);
	since = now_ms();
	assert_int_equal(write_byte(gateways[0], 'b', 0), 0);
	assert_in_range(now_ms() - since, 2900, 3200);
	assert_true(accuses(0, 1, file_gfid));
}

static void coroutine_fn first_of_two(void)
{
	uint64_t since;

	make_file();
	memory_disk_hang(bricks[0].disk, DISK_FROZEN);
	since = now_ms();
	assert_int_equal(write_byte(gateways[0], 'b', 0), -ENOTCONN);
	assert_in_range(now_ms() - since, 2900, 10000);
	since = now_ms();
	assert_int_equal(create(gateways[0], "g", (const uint8_t[16]){ 0xab, 2 }), -ENOTCONN);
	assert_int_equal(write_byte(gateways[0], 'c', 0), -ENOTCONN);
	assert_in_range(now_ms() - since, 0, 200);
	memory_disk_hang(bricks[0].disk, DISK_RUNS);
	co_sleep_ns(SEC);
	assert_int_equal(write_byte(gateways[0], 'd', 0), 0);
	assert_int_equal(create(gateways[0], "h", (const uint8_t[16]){ 0xab, 3 }), 0);
	assert_int_equal(read_byte(gateways[0], file_gfid), 'd');
}

/* A brick that loses a connection finishes what came over it before it grants the locks that it was sent under. */
static void coroutine_fn lost_connection(void)
{
	struct in_addr self = host(2, 0);

	make_file();
	memory_disk_hang(bricks[1].disk, DISK_FROZEN);
	assert_int_equal(write_byte(gateways[0], 'b', 0), 0);
	sim_kill_host(loop, self, false);
	co_sleep_ns(2 * SEC);
	assert_true(lockable(0));
	assert_false(lockable(1));
	memory_disk_hang(bricks[1].disk, DISK_RUNS);
	co_sleep_ns(SEC);
	assert_true(lockable(1));
}

/* A cut cable, which nobody hears of, is silence, too. */
static void coroutine_fn cut_cable(void)
{
	uint64_t since;

	make_file();
	sim_partition(loop, host(2, 0), host(1, 2), true);
	since = now_ms();
	assert_int_equal(write_byte(gateways[0], 'b', 0), 0);
	assert_in_range(now_ms() - since, 2900, 3200);
	co_sleep_ns(10 * SEC);
	assert_int_equal(write_byte(gateways[0], 'c', 0), 0);
	assert_int_equal(read_byte(gateways[0], file_gfid), 'c');
	sim_partition(loop, host(2, 0), host(1, 2), false);
	co_sleep_ns(5 * SEC);
	assert_int_equal(write_byte(gateways[1], 'd', 0), 0);
	assert_int_equal(read_byte(gateways[0], file_gfid), 'd');
	co_sleep_ns(SEC);
	assert_true(lockable(0) && lockable(1) && lockable(2));
}

static void test_one_of_three(void **state) { in_world(3, one_of_three); }
static void test_late_and_newer(void **state) { in_world(3, late_and_newer); }
static void test_all_slow(void **state) { in_world(3, all_slow); }
static void test_dead_reads(void **state) { in_world(3, dead_reads); }
static void test_second_of_two(void **state) { in_world(2, second_of_two); }
static void test_first_of_two(void **state) { in_world(2, first_of_two); }
static void test_lost_connection(void **state) { in_world(3, lost_connection); }
static void test_cut_cable(void **state) { in_world(3, cut_cable); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_of_three), cmocka_unit_test(test_late_and_newer), cmocka_unit_test(test_all_slow),
		cmocka_unit_test(test_dead_reads), cmocka_unit_test(test_second_of_two), cmocka_unit_test(test_first_of_two),
		cmocka_unit_test(test_lost_connection), cmocka_unit_test(test_cut_cable),
	};

	log_open("test_silent", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
