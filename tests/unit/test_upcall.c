/* tests/unit/test_upcall.c: features/upcall and features/access-control over a brick in memory, with two clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "xlators/graph.h"
#include "xlators/xlator.h"

static const char text[] =
	"volume m\n type storage/memory\nend-volume\nvolume ac\n type features/access-control\n subvolumes m\nend-volume\n"
	"volume u\n type features/upcall\n option lease 50ms\n option max-holders 16\n subvolumes ac\nend-volume\n";

struct tclient {
	struct client client;
	bool answers, broken;
	unsigned told;
	struct xl_upcall last;
};

static struct world {
	struct loop *loop;
	struct graph *graph;
	struct xlator *top;
	struct arena *arena;
	struct inode *root;
	struct tclient a, b;
	void (*body)(void);
} w;

struct answer_later { struct client *client; uint64_t sequence; };

static void answer(void *arg)
{
	struct answer_later *x = arg;

	co_sleep_ns(5000000);
	graph_client_acknowledged(w.graph, x->client, x->sequence);
	free(x);
}

static int note(struct client *client, const struct xl_upcall *up)
{
	struct tclient *c = container_of(client, struct tclient, client);
	struct answer_later *x;

	if (c->broken)
		return -ENOTCONN;
	c->told++;
	c->last = *up;
	if (!c->answers)
		return 0;
	x = malloc(sizeof(*x));
	*x = (struct answer_later){ client, up->sequence };
	co_start(w.loop, answer, x);
	return 0;
}

static struct call as(struct tclient *c)
{
	struct call call;

	call_init(&call, w.arena);
	call.client = &c->client;
	return call;
}

static void world_main(void *arg)
{
	struct graph_conf conf = { .loop = w.loop };
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), "test", &err);

	co_yield();
	assert_int_equal(graph_new(vf, &conf, &err, &w.graph), 0);
	volfile_free(vf);
	w.top = w.graph->top;
	w.root = inode_get(w.graph->inodes, gfid_root);
	w.arena = arena_new(1u << 20);
	w.a.client = (struct client){ .refs = 1, .notify = note, .acknowledges = true };
	w.b.client = w.a.client;
	w.a.answers = w.b.answers = true;
	w.body();
	inode_unref(w.root);
	graph_free(w.graph);
	assert_int_equal(w.a.client.refs, 1);
	assert_int_equal(w.b.client.refs, 1);
	arena_free(w.arena);
	loop_stop(w.loop);
}

static void in_world(void (*body)(void))
{
	memset(&w, 0, sizeof(w));
	w.body = body;
	w.loop = loop_new_sim(1);	/* no real clock: the machine may be busy */
	co_start(w.loop, world_main, NULL);
	loop_run(w.loop);
	loop_free(w.loop);
}

static const uint8_t *gfid_of(uint8_t n)
{
	static uint8_t gfid[16] = { 7, 7 };

	gfid[15] = n;
	return gfid;
}

static struct inode *inode_of(uint8_t n)
{
	struct inode *inode = inode_get(w.graph->inodes, gfid_of(n));

	inode_unref(inode);
	return inode;
}

static int mk(struct tclient *c, const char *name, uint8_t n)
{
	struct mknod_args args = { .parent = w.root, .name = name, .mode = S_IFREG | 0644, .gfid = gfid_of(n) };
	struct mknod_res res;
	struct call call = as(c);

	return xl_mknod(w.top, &call, &args, &res);
}

static int look(struct tclient *c, const char *name)
{
	struct lookup_args args = { .parent = w.root, .name = name };
	struct lookup_res res;
	struct call call = as(c);

	return xl_lookup(w.top, &call, &args, &res);
}

static int chmod_as(struct tclient *c, uint8_t n)
{
	struct setattr_args args = { .inode = inode_of(n), .valid = SET_MODE, .stat.mode = 0600 };
	struct setattr_res res;
	struct call call = as(c);

	return xl_setattr(w.top, &call, &args, &res);
}

static uint64_t since(uint64_t start)
{
	return (loop_now_ns(w.loop) - start) / 1000000;
}

static void told_and_acknowledged_body(void)
{
	uint64_t start;

	assert_int_equal(mk(&w.a, "f", 1), 0);
	assert_int_equal(w.a.told + w.b.told, 0);
	assert_int_equal(look(&w.b, "f"), 0);
	start = loop_now_ns(w.loop);
	assert_int_equal(chmod_as(&w.a, 1), 0);
	assert_true(since(start) >= 4 && since(start) < 45);	/* as soon as it answered */
	assert_int_equal(w.b.told, 1);
	assert_int_equal(w.a.told, 0);
	assert_memory_equal(w.b.last.gfid, gfid_of(1), 16);
	assert_int_equal(w.b.last.flags, 0x45e);
	assert_int_equal(w.b.last.stat.mode & 07777, 0600);
	assert_int_equal(chmod_as(&w.a, 1), 0);			/* it has not looked since */
	assert_int_equal(w.b.told, 1);
	assert_int_equal(look(&w.b, "f"), 0);
	assert_int_equal(chmod_as(&w.b, 1), 0);			/* a changes nothing here: it holds from its own change */
	assert_int_equal(w.a.told, 1);
}

static void told_and_acknowledged(void **state) { in_world(told_and_acknowledged_body); }

static void silent_body(void)
{
	uint64_t start;

	assert_int_equal(mk(&w.a, "f", 1), 0);
	assert_int_equal(look(&w.b, "f"), 0);
	w.b.answers = false;
	start = loop_now_ns(w.loop);
	assert_int_equal(chmod_as(&w.a, 1), 0);
	assert_true(since(start) >= 49);
	assert_true(since(start) < 80);
	start = loop_now_ns(w.loop);
	assert_int_equal(mk(&w.a, "g", 2), 0);			/* told of the parent; its lease is over: no waiting */
	assert_true(since(start) < 40);
	assert_int_equal(w.b.told, 2);
	assert_int_equal(look(&w.b, "f"), 0);
	w.b.client.acknowledges = false;			/* a stock client: told, never waited for */
	start = loop_now_ns(w.loop);
	assert_int_equal(chmod_as(&w.a, 1), 0);
	assert_true(since(start) < 40);
	assert_int_equal(w.b.told, 3);
	assert_int_equal(w.b.last.sequence, 0);
	w.b.client.acknowledges = true;
	assert_int_equal(look(&w.b, "f"), 0);
	w.b.broken = true;
	start = loop_now_ns(w.loop);
	assert_int_equal(chmod_as(&w.a, 1), 0);
	assert_true(since(start) < 40);
}

static void silent(void **state) { in_world(silent_body); }

static void gone_while_waited_for(void *arg)
{
	co_sleep_ns(5000000);
	graph_client_gone(w.graph, &w.b.client);
}

static void client_gone_body(void)
{
	uint64_t start;

	assert_int_equal(mk(&w.a, "f", 1), 0);
	assert_int_equal(look(&w.b, "f"), 0);
	w.b.answers = false;
	co_start(w.loop, gone_while_waited_for, NULL);
	start = loop_now_ns(w.loop);
	assert_int_equal(chmod_as(&w.a, 1), 0);
	assert_true(since(start) < 45);
	assert_int_equal(w.b.client.refs, 1);
}

static void client_gone(void **state) { in_world(client_gone_body); }

static void names_body(void)
{
	struct rename_args mv = { .oldparent = w.root, .oldname = "f", .newparent = w.root, .newname = "g" };
	struct rename_res mv_res;
	struct unlink_args rm = { .parent = w.root, .name = "g" };
	struct unlink_res rm_res;
	struct call call = as(&w.a);

	assert_int_equal(mk(&w.a, "f", 1), 0);
	assert_int_equal(mk(&w.a, "g", 2), 0);
	assert_int_equal(look(&w.b, "f"), 0);
	assert_int_equal(look(&w.b, "g"), 0);
	assert_int_equal(xl_rename(w.top, &call, &mv, &mv_res), 0);
	assert_int_equal(w.b.told, 3);				/* the moved, the replaced, the directory */
	assert_int_equal(look(&w.b, "g"), 0);
	w.b.told = 0;
	assert_int_equal(xl_unlink(w.top, &call, &rm, &rm_res), 0);
	assert_int_equal(w.b.told, 2);
	assert_int_equal(look(&w.b, "none"), -ENOENT);		/* a miss is remembered, too */
	w.b.told = 0;
	assert_int_equal(mk(&w.a, "none", 3), 0);
	assert_int_equal(w.b.told, 1);
	assert_true(gfid_is_root(w.b.last.gfid));
}

static void names(void **state) { in_world(names_body); }

static void marks_body(void)
{
	static const uint8_t one[12] = { 0, 0, 0, 1 };
	struct xattr x = { "trusted.afr.dirty", one, 12 };
	struct xattrop_args args = { .operands = { &x, 1 } };
	struct xattrop_res res;
	struct call call = as(&w.a);

	assert_int_equal(mk(&w.a, "f", 1), 0);
	assert_int_equal(look(&w.b, "f"), 0);
	args.inode = inode_of(1);
	assert_int_equal(xl_xattrop(w.top, &call, &args, &res), 0);
	assert_int_equal(w.b.told, 0);
	x.name = "trusted.afr.v-client-1";
	assert_int_equal(xl_xattrop(w.top, &call, &args, &res), 0);
	assert_int_equal(w.b.told, 1);
	assert_int_equal(w.b.last.flags, 0x400);
	assert_int_equal(xl_xattrop(w.top, &call, &args, &res), 0);
	assert_int_equal(w.b.told, 2);				/* of marks even who has not looked since */
}

static void marks(void **state) { in_world(marks_body); }

static void bounded_body(void)
{
	char name[8];
	uint8_t i;

	for (i = 1; i < 40; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(mk(&w.a, name, i), 0);
	}
	assert_true(w.a.told > 0);				/* made to forget what it looked at first */
	co_sleep_ns(20000000);
	assert_true(inode_table_count(w.graph->inodes) >= 16);
}

static void bounded(void **state) { in_world(bounded_body); }

static void acl_body(void)
{
	static const uint8_t good[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255, 0x20, 0, 0, 0, 255, 255, 255, 255,
	};
	struct xattr x = { "system.posix_acl_access", good, sizeof(good) };
	struct setxattr_args args = { .xattrs = { &x, 1 } };
	struct setxattr_res res;
	struct call call = as(&w.a);

	assert_int_equal(mk(&w.a, "f", 1), 0);
	args.inode = inode_of(1);
	x.len = sizeof(good) - 1;
	assert_int_equal(xl_setxattr(w.top, &call, &args, &res), -EINVAL);
	x.len = sizeof(good) - 8;				/* nobody for "other" */
	assert_int_equal(xl_setxattr(w.top, &call, &args, &res), -EINVAL);
	x.len = sizeof(good);
	call.uid = 5;
	assert_int_equal(xl_setxattr(w.top, &call, &args, &res), -EPERM);
	call.uid = 0;
	assert_int_equal(xl_setxattr(w.top, &call, &args, &res), 0);
}

static void acl(void **state) { in_world(acl_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_and_acknowledged), cmocka_unit_test(silent), cmocka_unit_test(client_gone), cmocka_unit_test(names),
		cmocka_unit_test(marks), cmocka_unit_test(bounded), cmocka_unit_test(acl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
