/* protocol/client against a brick, both in one simulated world: up and down, a brick that is another process now, calls that are cut off,
 * locks that nobody waits for any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "bricks/brick.h"
#include "runtime/log.h"
#include "runtime/sim.h"
#include "runtime/sync.h"
#include "xlators/graph.h"
#include "xlators/mdata.h"
#include "xlators/protocol/client.h"

#define BRICK "10.0.0.1"
#define CLIENT "10.0.0.2"

static const char brick_text[] =
	"volume disk\n type storage/memory\nend-volume\n"
	"volume late\n type debug/delay-gen\n option delay-percentage 0\n subvolumes disk\nend-volume\n"
	"volume mybrick\n type features/locks\n subvolumes late\nend-volume\n";
static const char client_text[] =
	"volume c\n type protocol/client\n option remote-host " BRICK "\n option remote-port 49152\n option remote-subvolume mybrick\n"
	" option ping-timeout 4\nend-volume\n";

struct world {
	struct loop *loop;
	struct graph *brick, *client;
	struct brick_server *server;
	struct inode *root;
	void coroutine_fn (*test)(struct world *w);
	unsigned ups, downs, restarts, upcalls;
	bool restart_after_up, passed;
	struct co_queue changed;
};

static void event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	struct world *w = owner;

	w->ups += ev == XL_UP;
	w->downs += ev == XL_DOWN;
	w->upcalls += ev == XL_UPCALL;
	w->restarts += ev == XL_RESTARTED;
	if (ev == XL_RESTARTED && w->ups > w->downs)
		w->restart_after_up = true;
	co_queue_wake_all(&w->changed);
}

static struct graph *coroutine_fn make_graph(struct world *w, const char *text, const char *from, bool watch)
{
	struct graph_conf conf = { .loop = w->loop, .from = from, .event = watch ? event : NULL, .owner = w };
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), "test", &err);
	struct graph *graph;

	assert_non_null(vf);
	assert_int_equal(graph_new(vf, &conf, &err, &graph), 0);
	volfile_free(vf);
	return graph;
}

static void coroutine_fn serve(struct world *w)
{
	struct brick_conf conf = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(49152) };
	struct error err = { "" };
	uint16_t port;

	inet_pton(AF_INET, BRICK, &addr.sin_addr);
	assert_int_equal(brick_server_new(w->loop, w->brick, &conf, &err, &w->server), 0);
	assert_int_equal(brick_server_listen(w->server, (struct sockaddr *)&addr, &err, &port), 0);
}

static void kill_brick(bool silent)
{
	struct in_addr host;

	inet_pton(AF_INET, BRICK, &host);
	sim_kill_host(loop_self(), host, silent);
}

static void coroutine_fn wait_up(struct world *w, unsigned ups)
{
	while (w->ups < ups)
		assert_int_equal(co_queue_wait(&w->changed), 0);
}

static int coroutine_fn stat_root(struct world *w)
{
	struct arena *arena = arena_new(65536);
	struct stat_args a = { .inode = w->root };
	struct stat_res r = { 0 };
	struct call call;
	int ret;

	call_init(&call, arena);
	ret = xl_stat(w->client->top, &call, &a, &r);
	arena_free(arena);
	return ret;
}

static int coroutine_fn lock(struct world *w, const char *owner, enum lock_cmd cmd)
{
	struct arena *arena = arena_new(65536);
	struct inodelk_args a = { .inode = w->root, .domain = "test", .cmd = cmd, .type = LOCK_WRITE };
	struct inodelk_res r;
	struct call call;
	int ret;

	call_init(&call, arena);
	call.lk_owner = (const uint8_t *)owner;
	call.lk_owner_len = 4;
	ret = xl_inodelk(w->client->top, &call, &a, &r);
	arena_free(arena);
	return ret;
}

/* --- tests --- */

static void coroutine_fn restart(struct world *w)
{
	assert_int_equal(stat_root(w), 0);
	kill_brick(false);
	brick_server_free(w->server);
	co_sleep_ns(50000000);
	assert_int_equal(w->downs, 1);
	assert_int_equal(stat_root(w), -ENOTCONN);	/* at once */
	assert_int_equal(w->restarts, 0);
	serve(w);
	wait_up(w, 2);
	assert_int_equal(w->restarts, 1);
	assert_false(w->restart_after_up);
	assert_int_equal(stat_root(w), 0);
}

struct pending { struct world *w; int ret; bool done; int (*what)(struct world *w); };

static int coroutine_fn wait_lock(struct world *w) { return lock(w, "two ", LOCK_WAIT); }

static void coroutine_fn pending_run(void *arg)
{
	struct pending *p = arg;

	p->ret = p->what(p->w);
	p->done = true;
}

/* A call that waits at the brick when the connection breaks ends with -ENOTCONN. */
static void coroutine_fn cut_off(struct world *w)
{
	struct pending p = { .w = w, .what = wait_lock };

	assert_int_equal(lock(w, "one ", LOCK_TRY), 0);
	co_start(w->loop, pending_run, &p);
	co_sleep_ns(20000000);
	assert_false(p.done);
	kill_brick(false);
	co_sleep_ns(20000000);		/* the brick's own end of the call, too */
	brick_server_free(w->server);
	assert_true(p.done);
	assert_int_equal(p.ret, -ENOTCONN);
	serve(w);
	wait_up(w, 2);
	assert_int_equal(lock(w, "two ", LOCK_TRY), 0);	/* the brick forgot the locks of who was gone */
}

/* A brick that ends does not wait for calls that wait for locks. */
static void coroutine_fn orderly_end(struct world *w)
{
	struct pending p = { .w = w, .what = wait_lock };
	uint64_t old;

	assert_int_equal(lock(w, "one ", LOCK_TRY), 0);
	co_start(w->loop, pending_run, &p);
	co_sleep_ns(20000000);
	old = co_set_deadline(loop_now_ns(w->loop) + 1000000000);
	assert_int_equal(brick_server_drain(w->server), 0);
	co_restore_deadline(old);
	co_sleep_ns(20000000);
	assert_true(p.done);
	assert_int_equal(p.ret, -ENOTCONN);
}

/* A brick that falls silent counts as down when the ping time-out is over, not before. */
static void coroutine_fn silence(struct world *w)
{
	struct pending p = { .w = w, .what = stat_root };
	uint64_t begun = loop_now_ns(w->loop);

	kill_brick(true);
	co_start(w->loop, pending_run, &p);
	while (!p.done)
		co_sleep_ns(1000000);
	assert_int_equal(p.ret, -ENOTCONN);
	assert_in_range((loop_now_ns(w->loop) - begun) / 1000000, 1000, 6000);
	brick_server_free(w->server);
	serve(w);
	wait_up(w, 2);
}

static void coroutine_fn given_up(struct world *w)
{
	uint64_t old;

	assert_int_equal(lock(w, "one ", LOCK_TRY), 0);
	old = co_set_deadline(loop_now_ns(w->loop) + 50000000);
	assert_int_equal(lock(w, "two ", LOCK_WAIT), -ETIMEDOUT);
	co_restore_deadline(old);
	assert_int_equal(lock(w, "one ", LOCK_UNLOCK), 0);
	co_sleep_ns(50000000);		/* granted to nobody, given back */
	assert_int_equal(lock(w, "one ", LOCK_TRY), 0);
	assert_int_equal(lock(w, "one ", LOCK_UNLOCK), 0);
}

static void coroutine_fn contention(struct world *w)
{
	assert_int_equal(lock(w, "one ", LOCK_TRY), 0);
	assert_int_equal(lock(w, "two ", LOCK_TRY), -EAGAIN);
	co_sleep_ns(20000000);
	assert_int_equal(w->upcalls, 1);
	assert_int_equal(lock(w, "one ", LOCK_UNLOCK), 0);
}

/* A deadline ends the call, not the connection. */
static void coroutine_fn deadline(struct world *w)
{
	struct error err = { "" };
	uint64_t old;

	assert_int_equal(graph_set_option(w->brick, "late", "delay-percentage", "100", &err), 0);
	assert_int_equal(graph_set_option(w->brick, "late", "delay-duration", "500000", &err), 0);
	old = co_set_deadline(loop_now_ns(w->loop) + 50000000);
	assert_int_equal(stat_root(w), -ETIMEDOUT);
	co_restore_deadline(old);
	assert_int_equal(stat_root(w), 0);
	assert_int_equal(w->downs, 0);
}

/* --- a stock brick that remembers another file by each name ----------------------------------------------------- */

static enum { REMEMBERS, INODE_TIMES } brick_kind;
static bool handle_lost;		/* of the directory */
static unsigned asked;			/* lookups that wanted the times on the disk */
static const uint8_t remembered[16] = "remembered one.";

static bool wanted(const struct xattr_want *want, const char *name)
{
	for (; want; want = want->next) {
		for (unsigned i = 0; i < want->n; i++) {
			if (strcmp(want->names[i], name) == 0)
				return true;
		}
	}
	return false;
}

static void add_xattr(struct call *call, struct xattrs *set, const char *name, const void *value, uint32_t len)
{
	struct xattr *v = arena_alloc(call->arena, (set->n + 2) * sizeof(*v));
	void *copy = arena_alloc(call->arena, len);

	memcpy(copy, value, len);
	v[0] = (struct xattr){ "user.first", "1", 1 };
	v[1] = (struct xattr){ name, copy, len };
	if (set->n)
		memcpy(v + 2, set->v, set->n * sizeof(*v));
	*set = (struct xattrs){ v, set->n + 2 };
}

static int coroutine_fn memory_of_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	int ret = xl_lookup(xl->children[0], call, args, res);
	struct mdata disk = { res->stat.ctime, res->stat.mtime, res->stat.atime };
	uint8_t raw[MDATA_SIZE];

	if (ret < 0 || !args->name || !wanted(args->want, XATTR_MDATA))
		return ret;
	asked++;
	if (brick_kind == INODE_TIMES)
		disk.mtime.sec = 1;
	else
		res->stat.mtime.sec = 1;
	mdata_encode(&disk, raw);
	add_xattr(call, &res->xattrs, XATTR_MDATA, raw, sizeof(raw));
	return 0;
}

static int coroutine_fn memory_of_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	int ret = handle_lost && !args->fd ? -ENOENT : xl_readdir(xl->children[0], call, args, res);

	for (uint32_t i = 0; ret == 0 && i < res->n; i++) {
		struct dirent_plus *e = &res->entries[i];

		if (e->name[0] == '.')
			continue;
		add_xattr(call, &e->xattrs, "trusted.gfid", e->stat.gfid, 16);
		memcpy(e->stat.gfid, strcmp(e->name, "gone") ? remembered : e->stat.gfid, 16);
		if (strcmp(e->name, "gone") == 0)	/* by the time it is asked for */
			memset((uint8_t *)(uintptr_t)e->xattrs.v[1].value, 0xee, 16);
		e->stat.mtime.sec = 1;
	}
	return ret;
}

static void coroutine_fn make_file(struct world *w, struct call *call, const char *name, uint8_t first)
{
	uint8_t gfid[16] = { first };
	struct mknod_args a = { .parent = w->root, .name = name, .mode = 0100644, .gfid = gfid };
	struct mknod_res *r = arena_alloc(call->arena, sizeof(*r));

	assert_int_equal(xl_mknod(w->client->top, call, &a, r), 0);
}

static int64_t coroutine_fn mtime_looked_up(struct world *w, struct call *call)
{
	static const char *const names[] = { "user.mine" };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_args a = { .parent = w->root, .name = "file", .want = &want };
	struct lookup_res *r = arena_alloc(call->arena, sizeof(*r));

	assert_int_equal(xl_lookup(w->client->top, call, &a, r), 0);
	assert_null(xattrs_find(&r->xattrs, XATTR_MDATA));
	assert_int_equal(r->stat.gfid[0], 1);
	return r->stat.mtime.sec;
}

static void coroutine_fn check_entries(struct world *w, struct call *call)
{
	struct readdir_args a = { .inode = w->root, .size = 65536, .plus = true };
	struct readdir_res r = { 0 };
	unsigned seen = 0;

	assert_int_equal(xl_readdir(w->client->top, call, &a, &r), 0);
	for (uint32_t i = 0; i < r.n; i++) {
		const struct dirent_plus *e = &r.entries[i];

		if (strcmp(e->name, "gone") == 0) {
			assert_false(iatt_present(&e->stat));
			assert_true(gfid_is_null(e->stat.gfid));
		} else if (e->name[0] != '.') {
			assert_int_equal(e->stat.gfid[0], 1);
			assert_int_not_equal(e->stat.mtime.sec, 1);
			assert_non_null(xattrs_find(&e->xattrs, "user.first"));
		}
		seen += e->name[0] != '.';
	}
	assert_int_equal(seen, 2);
}

static void coroutine_fn stock_memory(struct world *w)
{
	struct xlator *late = w->brick->top->children[0];
	struct xlator_class forgetful = *late->class;
	const struct xlator_class *own = late->class;
	struct pclient *pc = w->client->top->priv;
	struct arena *arena = arena_new(1 << 20);
	struct call call;

	call_init(&call, arena);
	make_file(w, &call, "file", 1);
	make_file(w, &call, "gone", 2);
	forgetful.fops.lookup = memory_of_lookup;
	forgetful.fops.readdir = memory_of_readdir;
	late->class = &forgetful;
	asked = 0;
	/* Our own brick remembers nothing. */
	assert_true(pc->extension);
	mtime_looked_up(w, &call);
	assert_int_equal(asked, 0);
	pc->extension = false;
	brick_kind = REMEMBERS;
	for (unsigned i = 1; i < 4; i++) {
		assert_int_not_equal(mtime_looked_up(w, &call), 1);
		assert_int_equal(asked, i);
	}
	check_entries(w, &call);
	/* A directory that is not found by its gfid can be opened. */
	handle_lost = true;
	check_entries(w, &call);
	handle_lost = false;
	/* With features.ctime off what is on the disk means nothing: it is not asked for a second time. */
	brick_kind = INODE_TIMES;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_not_equal(mtime_looked_up(w, &call), 1);
		assert_int_equal(asked, 4);
	}
	pc->extension = true;
	late->class = own;
	arena_free(arena);
}

/* A brick tells at once that its file system went or came; one that could not be heard then says so when it is asked whether it is there. */
static void coroutine_fn health(struct world *w)
{
	struct pclient *pc = w->client->top->priv;
	struct pending p = { .w = w, .what = stat_root };
	struct error err = { "" };

	brick_server_event(w->server, XL_DOWN);
	co_sleep_ns(50000000);
	assert_int_equal(w->downs, 1);
	brick_server_event(w->server, XL_UP);
	wait_up(w, 2);
	assert_int_equal(stat_root(w), 0);
	brick_server_event(w->server, XL_DOWN);
	co_sleep_ns(50000000);
	assert_int_equal(w->downs, 2);
	pc->child_down = false;		/* as if it had not been heard */
	client_match_state(pc);
	assert_int_equal(graph_set_option(w->brick, "late", "delay-duration", "30000000", &err), 0);
	assert_int_equal(graph_set_option(w->brick, "late", "delay-percentage", "100", &err), 0);
	co_start(w->loop, pending_run, &p);
	co_sleep_ns(5000000000ull);
	assert_int_equal(w->downs, 3);
	while (!p.done)
		co_sleep_ns(1000000000);
}

static void coroutine_fn run(void *arg)
{
	struct world *w = arg;

	w->brick = make_graph(w, brick_text, BRICK, false);
	serve(w);
	w->client = make_graph(w, client_text, CLIENT, true);
	w->root = inode_get(w->client->inodes, gfid_root);
	wait_up(w, 1);
	w->test(w);
	inode_unref(w->root);
	graph_free(w->client);
	assert_int_equal(brick_server_drain(w->server), 0);
	brick_server_free(w->server);
	graph_free(w->brick);
	w->passed = true;
	loop_stop(w->loop);
}

static void in_world(void coroutine_fn (*test)(struct world *w))
{
	struct world w = { .loop = loop_new_sim(11), .test = test };

	co_queue_init(&w.changed);
	co_start(w.loop, run, &w);
	loop_run(w.loop);
	assert_true(w.passed);
	loop_free(w.loop);
}

static void test_restart(void **state) { in_world(restart); }
static void test_cut_off(void **state) { in_world(cut_off); }
static void test_orderly_end(void **state) { in_world(orderly_end); }
static void test_silence(void **state) { in_world(silence); }
static void test_given_up(void **state) { in_world(given_up); }
static void test_contention(void **state) { in_world(contention); }
static void test_deadline(void **state) { in_world(deadline); }
static void test_stock_memory(void **state) { in_world(stock_memory); }
static void test_health(void **state) { in_world(health); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart), cmocka_unit_test(test_cut_off), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_orderly_end),
		cmocka_unit_test(test_given_up), cmocka_unit_test(test_contention), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_stock_memory), cmocka_unit_test(test_health),
	};

	log_open("test_client", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
