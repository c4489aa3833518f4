/* tests/unit/test_locks.c: features/locks over a leaf that answers anything. Each case runs in one coroutine; waiters in their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "xlators/graph.h"
#include "xlators/xlator.h"

extern const struct xlator_class features_locks_class;

static int leaf_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	memset(res, 0, sizeof(*res));
	return -ENOENT;
}

static int leaf_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	memset(res, 0, sizeof(*res));
	return 0;
}

static int leaf_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	memset(res, 0, sizeof(*res));
	return 0;
}

static int leaf_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	return 0;
}

static int leaf_says;

static int leaf_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	return leaf_says;
}

static int leaf_setattr(struct xlator *xl, struct call *call, const struct setattr_args *args, struct setattr_res *res)
{
	return leaf_says;
}

static int gone;		/* what ACCESS says: is there such an object? */

static int leaf_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res)
{
	return gone;
}

static const struct xlator_class leaf_class = {
	.name = "leaf",
	.fops = { .access = leaf_access, .rmdir = leaf_rmdir, .setattr = leaf_setattr, .lookup = leaf_lookup, .stat = leaf_stat,
		  .writev = leaf_writev, .flush = leaf_flush },
};

struct tclient {
	struct client client;
	unsigned told;
	struct xl_upcall last;
};

static struct world {
	struct loop *loop;
	struct graph graph;
	struct xlator leaf, locks;
	struct xlator *all[2];
	struct inode *inode, *dir;
	struct tclient a, b;
	void (*body)(void);
} w;

static int note(struct client *client, const struct xl_upcall *up)
{
	struct tclient *c = container_of(client, struct tclient, client);

	c->told++;
	c->last = *up;
	return 0;
}

static struct call as(struct tclient *c, uint8_t owner)
{
	static uint8_t owners[256];
	struct call call;

	owners[owner] = owner;
	call_init(&call, NULL);
	call.client = &c->client;
	call.lk_owner = &owners[owner];
	call.lk_owner_len = 1;
	return call;
}

static int ilk(struct tclient *c, uint8_t owner, const char *domain, enum lock_cmd cmd, enum lock_type type, uint64_t start, uint64_t len)
{
	struct call call = as(c, owner);
	struct inodelk_args args = { w.inode, NULL, domain, cmd, type, start, len };
	struct inodelk_res res;

	return xl_inodelk(&w.locks, &call, &args, &res);
}

static int elk(struct tclient *c, uint8_t owner, const char *name, enum lock_cmd cmd, enum lock_type type)
{
	struct call call = as(c, owner);
	struct entrylk_args args = { w.dir, "d", name, cmd, type };
	struct entrylk_res res;

	return xl_entrylk(&w.locks, &call, &args, &res);
}

static int plk(struct tclient *c, uint8_t owner, enum lock_cmd cmd, enum lock_type type, uint64_t start, uint64_t len, struct lk_res *ret_res)
{
	struct call call = as(c, owner);
	struct lk_args args = { w.inode, NULL, cmd, type, start, len, owner };
	struct lk_res res;
	int ret = xl_lk(&w.locks, &call, &args, &res);

	if (ret_res)
		*ret_res = res;
	return ret;
}

/* A lock asked for in a coroutine of its own. */
struct waiter {
	struct tclient *c;
	uint8_t owner;
	const char *domain, *name;
	int kind;
	enum lock_type type;
	uint64_t start, len;
	uint64_t deadline_ns;
	bool done;
	int ret;
};

static void wait_for(void *arg)
{
	struct waiter *x = arg;

	if (x->deadline_ns)
		co_set_deadline(loop_now_ns(w.loop) + x->deadline_ns);
	if (x->kind == 'i')
		x->ret = ilk(x->c, x->owner, x->domain, LOCK_WAIT, x->type, x->start, x->len);
	else if (x->kind == 'e')
		x->ret = elk(x->c, x->owner, x->name, LOCK_WAIT, x->type);
	else
		x->ret = plk(x->c, x->owner, LOCK_WAIT, x->type, x->start, x->len, NULL);
	x->done = true;
}

static void settle(void)
{
	int i;

	for (i = 0; i < 4; i++)
		assert_int_equal(co_sleep_ns(1000000), 0);
}

static void begin(struct waiter *x)
{
	co_start(w.loop, wait_for, x);
	settle();
}

static uint32_t count(uint32_t what)
{
	struct call call = as(&w.a, 1);
	struct stat_args args = { what == COUNT_ENTRYLK ? w.dir : w.inode, NULL, NULL, what };
	struct stat_res res;

	assert_int_equal(xl_stat(&w.locks, &call, &args, &res), 0);
	return what == COUNT_INODELK ? res.counts.inodelk : what == COUNT_ENTRYLK ? res.counts.entrylk : res.counts.posixlk;
}


static void set_up_xlator(struct xlator *xl, const struct xlator_class *class, const char *name)
{
	memset(xl, 0, sizeof(*xl));
	xl->class = class;
	xl->name = name;
	xl->graph = &w.graph;
	xl->priv = calloc(1, class->priv_size + 1);
	if (class->options)
		options_init(class->options, xl->priv);
}

static void world_main(void *arg)
{
	static struct xlator *children[1];
	uint8_t gfid[16] = { 9 };

	co_yield();			/* loop_stop() counts only once loop_run() runs */

	set_up_xlator(&w.leaf, &leaf_class, "leaf");
	set_up_xlator(&w.locks, &features_locks_class, "locks");
	children[0] = &w.leaf;
	w.locks.children = children;
	w.locks.nchildren = 1;
	w.all[0] = &w.leaf;
	w.all[1] = &w.locks;
	w.graph.xlators = w.all;
	w.graph.n = 2;
	w.graph.loop = w.loop;
	w.graph.inodes = inode_table_new(w.all, 2, 1, 0);
	w.inode = inode_get(w.graph.inodes, gfid);
	w.dir = inode_get(w.graph.inodes, gfid_root);
	w.a.client.refs = w.b.client.refs = 1;
	w.a.client.notify = w.b.client.notify = note;
	assert_int_equal(option_set(features_locks_class.options, w.locks.priv, "notify-contention-delay", "50ms", NULL), 0);
	assert_int_equal(features_locks_class.init(&w.locks, NULL), 0);
	w.body();
	features_locks_class.fini(&w.locks);
	assert_int_equal(w.a.client.refs, 1);
	assert_int_equal(w.b.client.refs, 1);
	inode_unref(w.inode);
	inode_unref(w.dir);
	inode_table_free(w.graph.inodes);
	free(w.locks.priv);
	free(w.leaf.priv);
	loop_stop(w.loop);
}

static void in_world(void (*body)(void))
{
	memset(&w, 0, sizeof(w));
	w.body = body;
	w.loop = loop_new_sim(1);	/* no real clock: the machine may be busy */
	assert_non_null(w.loop);
	co_start(w.loop, world_main, NULL);
	loop_run(w.loop);
	loop_free(w.loop);
}

static void inodelk_basics_body(void)
{
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 0), 0);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_TRY, LOCK_WRITE, 100, 1), -EAGAIN);
	assert_int_equal(ilk(&w.a, 2, "d", LOCK_TRY, LOCK_READ, 0, 0), -EAGAIN);	/* another owner on the same connection */
	assert_int_equal(ilk(&w.b, 1, "other", LOCK_TRY, LOCK_WRITE, 0, 0), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 0), 0);		/* nests */
	assert_int_equal(count(COUNT_INODELK), 3);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 0, 5), -EINVAL);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 0, 0), 0);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 0), -EAGAIN);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 0, 0), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 0, 0), -EINVAL);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_TRY, LOCK_READ, 0, 10), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, 5, 10), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 10, 0), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 9, 1), -EAGAIN);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(ilk(&w.a, 1, "nobody", LOCK_UNLOCK, LOCK_WRITE, 0, 0), -EINVAL);
}

static void inodelk_basics(void **state) { in_world(inodelk_basics_body); }

static void fairness_body(void)
{
	struct waiter writer = { &w.b, 1, "d", .kind = 'i', .type = LOCK_WRITE };
	struct waiter reader = { &w.b, 2, "d", .kind = 'i', .type = LOCK_READ };

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, 0, 0), 0);
	begin(&writer);
	assert_false(writer.done);
	assert_int_equal(ilk(&w.a, 2, "d", LOCK_TRY, LOCK_READ, 0, 0), -EAGAIN);	/* behind the writer */
	begin(&reader);
	assert_false(reader.done);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, 50, 1), 0);		/* holds one here already */
	assert_int_equal(count(COUNT_INODELK), 4);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_READ, 50, 1), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_READ, 0, 0), 0);
	settle();
	assert_true(writer.done);
	assert_int_equal(writer.ret, 0);
	assert_false(reader.done);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 0, 0), 0);
	settle();
	assert_true(reader.done);
	assert_int_equal(reader.ret, 0);
}

static void fairness(void **state) { in_world(fairness_body); }

static void entrylk_body(void)
{
	struct waiter all = { &w.b, 1, .kind = 'e', .type = LOCK_WRITE };
	struct call call = as(&w.a, 1);
	struct lookup_args args = { .parent = w.dir, .name = "x", .count = COUNT_PARENT_ENTRYLK };
	struct lookup_res res;

	assert_int_equal(elk(&w.a, 1, "x", LOCK_TRY, LOCK_WRITE), 0);
	assert_int_equal(elk(&w.b, 1, "x", LOCK_TRY, LOCK_WRITE), -EAGAIN);
	assert_int_equal(elk(&w.b, 1, "y", LOCK_TRY, LOCK_WRITE), 0);
	assert_int_equal(elk(&w.b, 2, NULL, LOCK_TRY, LOCK_WRITE), -EAGAIN);
	assert_int_equal(xl_lookup(&w.locks, &call, &args, &res), -ENOENT);
	assert_int_equal(res.counts.parent_entrylk, 1);
	begin(&all);
	assert_false(all.done);
	assert_int_equal(elk(&w.a, 2, "z", LOCK_TRY, LOCK_WRITE), -EAGAIN);	/* conflicts with the one that waits */
	assert_int_equal(count(COUNT_ENTRYLK), 3);
	assert_int_equal(elk(&w.a, 1, "y", LOCK_UNLOCK, LOCK_WRITE), -EINVAL);
	assert_int_equal(elk(&w.a, 1, "x", LOCK_UNLOCK, LOCK_WRITE), 0);
	settle();
	assert_true(all.done);			/* "y" is its own */
	assert_int_equal(elk(&w.a, 1, "q", LOCK_TRY, LOCK_READ), -EAGAIN);
	assert_int_equal(elk(&w.b, 1, NULL, LOCK_UNLOCK, LOCK_WRITE), 0);
	assert_int_equal(elk(&w.a, 1, "q", LOCK_TRY, LOCK_READ), 0);
	assert_int_equal(elk(&w.b, 7, "q", LOCK_TRY, LOCK_READ), 0);
}

static void entrylk(void **state) { in_world(entrylk_body); }

static void contention_body(void)
{
	struct waiter first = { &w.b, 1, "d", .kind = 'i', .type = LOCK_WRITE, .start = 4, .len = 4 };

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 2, 10), 0);
	begin(&first);
	assert_int_equal(w.a.told, 1);
	assert_int_equal(w.a.last.kind, UPCALL_INODELK_CONTENTION);
	assert_int_equal(w.a.last.start, 2);
	assert_int_equal(w.a.last.len, 10);
	assert_memory_equal(w.a.last.gfid, w.inode->gfid, 16);
	assert_int_equal(ilk(&w.b, 2, "d", LOCK_TRY, LOCK_WRITE, 2, 1), -EAGAIN);
	settle();
	assert_int_equal(w.a.told, 1);		/* not so soon again */
	co_sleep_ns(60000000);
	assert_int_equal(ilk(&w.b, 2, "d", LOCK_TRY, LOCK_WRITE, 2, 1), -EAGAIN);
	settle();
	assert_int_equal(w.a.told, 2);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_WRITE, 2, 10), 0);
	settle();
	assert_true(first.done);
	assert_int_equal(w.b.told, 0);
}

static void contention(void **state) { in_world(contention_body); }

static void interrupted_body(void)
{
	struct waiter late = { &w.b, 1, "d", .kind = 'i', .type = LOCK_WRITE, .deadline_ns = 20000000 };
	struct waiter behind = { &w.b, 2, "d", .kind = 'i', .type = LOCK_READ };

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, 0, 0), 0);
	begin(&late);
	begin(&behind);
	assert_false(behind.done);
	co_sleep_ns(40000000);
	assert_true(late.done);
	assert_int_equal(late.ret, -ETIMEDOUT);
	assert_true(behind.done);		/* nobody stands before it any more */
	assert_int_equal(behind.ret, 0);
	assert_int_equal(count(COUNT_INODELK), 2);
}

static void interrupted(void **state) { in_world(interrupted_body); }

static void client_gone_body(void)
{
	struct waiter own = { &w.a, 2, "d", .kind = 'i', .type = LOCK_WRITE };
	struct waiter other = { &w.b, 1, "d", .kind = 'i', .type = LOCK_WRITE };
	struct waiter posix = { &w.b, 1, .kind = 'p', .type = LOCK_WRITE };
	struct waiter entry = { &w.b, 1, .name = "n", .kind = 'e', .type = LOCK_WRITE };

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 0), 0);
	assert_int_equal(elk(&w.a, 1, NULL, LOCK_TRY, LOCK_WRITE), 0);
	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 0, 0, NULL), 0);
	begin(&own);
	begin(&other);
	begin(&posix);
	begin(&entry);
	features_locks_class.client_gone(&w.locks, &w.a.client);
	settle();
	assert_int_equal(own.ret, -ENOTCONN);
	assert_true(own.done && other.done && posix.done && entry.done);
	assert_int_equal(other.ret | posix.ret | entry.ret, 0);
	assert_int_equal(w.a.client.refs, 1);
	features_locks_class.client_gone(&w.locks, &w.a.client);
	features_locks_class.client_gone(&w.locks, &w.b.client);
	assert_int_equal(count(COUNT_INODELK) + count(COUNT_POSIXLK) + count(COUNT_ENTRYLK), 0);
}

static void client_gone(void **state) { in_world(client_gone_body); }

static void posix_ranges_body(void)
{
	struct lk_res res;
	struct waiter x = { &w.b, 9, .kind = 'p', .type = LOCK_WRITE, .start = 40, .len = 20 };

	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 0, 100, NULL), 0);
	assert_int_equal(plk(&w.a, 1, LOCK_UNLOCK, LOCK_WRITE, 40, 20, NULL), 0);	/* splits */
	assert_int_equal(count(COUNT_POSIXLK), 2);
	assert_int_equal(plk(&w.b, 2, LOCK_TRY, LOCK_WRITE, 40, 20, NULL), 0);
	assert_int_equal(plk(&w.b, 2, LOCK_TRY, LOCK_WRITE, 59, 2, &res), -EAGAIN);
	assert_int_equal(plk(&w.b, 2, LOCK_GET, LOCK_READ, 0, 0, &res), 0);
	assert_true(res.conflict);
	assert_int_equal(res.start, 0);
	assert_int_equal(res.len, 40);
	assert_int_equal(res.owner[0], 1);
	begin(&x);
	assert_false(x.done);
	assert_int_equal(plk(&w.b, 2, LOCK_TRY, LOCK_READ, 40, 20, NULL), 0);	/* downgrade */
	settle();
	assert_false(x.done);
	assert_int_equal(plk(&w.b, 2, LOCK_UNLOCK, LOCK_READ, 0, 0, NULL), 0);
	settle();
	assert_true(x.done);
	assert_int_equal(plk(&w.b, 9, LOCK_UNLOCK, LOCK_READ, 0, 0, NULL), 0);
	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 40, 20, NULL), 0);	/* melts into one */
	assert_int_equal(count(COUNT_POSIXLK), 1);
	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_READ, 10, 10, NULL), 0);
	assert_int_equal(count(COUNT_POSIXLK), 3);
	assert_int_equal(plk(&w.b, 2, LOCK_TRY, LOCK_READ, 12, 2, NULL), 0);
}

static void posix_ranges(void **state) { in_world(posix_ranges_body); }

static void flush_body(void)
{
	struct call call = as(&w.a, 1);
	struct flush_args args = { w.inode, NULL };
	struct flush_res res;

	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 0, 10, NULL), 0);
	assert_int_equal(plk(&w.a, 2, LOCK_TRY, LOCK_WRITE, 10, 10, NULL), 0);
	assert_int_equal(xl_flush(&w.locks, &call, &args, &res), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_WRITE, 0, 10, NULL), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_WRITE, 10, 1, NULL), -EAGAIN);
}

static void flush_releases(void **state) { in_world(flush_body); }

static void limits_body(void)
{
	int i;

	assert_int_equal(option_set(features_locks_class.options, w.locks.priv, "max-locks-per-inode", "16", NULL), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, i, 1), 0);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_TRY, LOCK_READ, 0, 1), -ENOLCK);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_READ, 0, 1, NULL), -ENOLCK);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_UNLOCK, LOCK_READ, 3, 1), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_READ, 0, 10, NULL), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_UNLOCK, LOCK_READ, 4, 1, NULL), -ENOLCK);	/* would need one more */
	assert_int_equal(plk(&w.b, 1, LOCK_UNLOCK, LOCK_READ, 0, 0, NULL), 0);
}

static void limits(void **state) { in_world(limits_body); }

static void domain_count_body(void)
{
	struct call call = as(&w.a, 1);
	struct writev_args args = { .inode = w.inode, .count = COUNT_INODELK, .count_domain = "d" };
	struct writev_res res;

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_READ, 0, 1), 0);
	assert_int_equal(ilk(&w.a, 1, "e", LOCK_TRY, LOCK_READ, 0, 1), 0);
	assert_int_equal(xl_writev(&w.locks, &call, &args, &res), 0);
	assert_int_equal(res.counts.inodelk, 1);
	args.count_domain = NULL;
	assert_int_equal(xl_writev(&w.locks, &call, &args, &res), 0);
	assert_int_equal(res.counts.inodelk, 2);
}

static void domain_count(void **state) { in_world(domain_count_body); }

static int change(uint8_t owner, const struct lock_release *release, int says)
{
	struct call call = as(&w.a, owner);
	struct setattr_args set = { .inode = w.inode };
	struct rmdir_args rm = { .parent = w.dir, .name = "n" };
	struct setattr_res set_res;
	struct rmdir_res rm_res;

	call.release = release;
	leaf_says = says;
	return release->v[0].entry ? xl_rmdir(&w.locks, &call, &rm, &rm_res) : xl_setattr(&w.locks, &call, &set, &set_res);
}

/* A change that succeeded lets go of what was taken for it, at once and of nothing else; one that failed keeps all. */
static void release_body(void)
{
	struct lock_release names = { "d", 2, { { w.dir->gfid, true, "n", 0, 0 }, { w.dir->gfid, true, NULL, 0, 0 } } };
	struct lock_release range = { "d", 1, { { w.inode->gfid, false, NULL, 100, 0 } } };
	struct waiter x = { .c = &w.b, .owner = 2, .kind = 'e', .name = "n", .type = LOCK_WRITE };

	assert_true(w.locks.releases_locks);
	assert_int_equal(elk(&w.a, 1, "n", LOCK_TRY, LOCK_WRITE), 0);
	assert_int_equal(elk(&w.a, 1, NULL, LOCK_TRY, LOCK_WRITE), 0);
	begin(&x);
	assert_int_equal(change(1, &names, -EIO), -EIO);
	assert_int_equal(count(COUNT_ENTRYLK), 3);
	assert_int_equal(change(3, &names, 0), 0);	/* not this owner's */
	assert_int_equal(count(COUNT_ENTRYLK), 3);
	assert_false(x.done);
	assert_int_equal(change(1, &names, 0), 0);
	settle();
	assert_true(x.done);
	assert_int_equal(x.ret, 0);
	assert_int_equal(count(COUNT_ENTRYLK), 1);	/* the waiter's own */

	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 100, 0), 0);
	assert_int_equal(ilk(&w.a, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 10), 0);
	assert_int_equal(change(1, &range, 0), 0);
	assert_int_equal(count(COUNT_INODELK), 1);
}

static void release(void **state) { in_world(release_body); }

/* A file without a name that is still open. */
static int open_ilk(enum lock_cmd cmd)
{
	struct call call = as(&w.a, 1);
	struct fd fd = { .inode = w.inode };
	struct inodelk_args args = { w.inode, &fd, "d", cmd, LOCK_WRITE, 0, 0 };
	struct inodelk_res res;

	return xl_inodelk(&w.locks, &call, &args, &res);
}

static void gone_body(void)
{
	assert_int_equal(elk(&w.a, 1, "held", LOCK_TRY, LOCK_WRITE), 0);
	gone = -ENOENT;
	assert_int_equal(elk(&w.a, 1, "x", LOCK_TRY, LOCK_WRITE), -ESTALE);
	assert_int_equal(elk(&w.b, 1, "x", LOCK_WAIT, LOCK_WRITE), -ESTALE);
	assert_int_equal(ilk(&w.b, 1, "d", LOCK_TRY, LOCK_WRITE, 0, 0), -ESTALE);
	assert_int_equal(count(COUNT_INODELK), 0);
	assert_int_equal(open_ilk(LOCK_TRY), 0);
	assert_int_equal(open_ilk(LOCK_UNLOCK), 0);
	assert_int_equal(elk(&w.a, 1, "held", LOCK_UNLOCK, LOCK_WRITE), 0);
	assert_int_equal(count(COUNT_ENTRYLK), 0);
	gone = -EIO;		/* says nothing about it */
	assert_int_equal(elk(&w.a, 1, "x", LOCK_TRY, LOCK_WRITE), 0);
	assert_int_equal(elk(&w.a, 1, "x", LOCK_UNLOCK, LOCK_WRITE), 0);
	gone = 0;
}

static void what_is_gone(void **state) { in_world(gone_body); }

/* --- locks that change hands --- */

static struct xattr lockinfo_of(struct tclient *c, struct arena *arena)
{
	struct call call = as(c, 1);
	struct getxattr_args args = { .inode = w.inode, .name = "trusted.glusterfs.lockinfo" };
	struct getxattr_res res = { 0 };

	call.arena = arena;
	assert_int_equal(xl_getxattr(&w.locks, &call, &args, &res), 0);
	return res.xattrs.n ? res.xattrs.v[0] : (struct xattr){ 0 };
}

static int give_lockinfo(struct tclient *c, struct arena *arena, struct xattr info)
{
	struct call call = as(c, 1);
	struct setxattr_args args = { .inode = w.inode, .xattrs = { &info, 1 } };
	struct setxattr_res res = { 0 };

	call.arena = arena;
	return xl_setxattr(&w.locks, &call, &args, &res);
}

/* A stock client with a new graph: its locks, and what its processes wait for, pass to the new connection and outlive the old one. */
static void moved_body(void)
{
	struct arena *arena = arena_new(1 << 16);
	struct waiter x = { &w.a, 2, .kind = 'p', .type = LOCK_WRITE, .start = 50, .len = 10 };
	struct lk_res res;
	struct xattr info;

	assert_null(lockinfo_of(&w.a, arena).name);	/* it has none there */
	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 0, 100, NULL), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_READ, 200, 10, NULL), 0);
	begin(&x);
	info = lockinfo_of(&w.a, arena);
	assert_string_equal(info.name, "trusted.glusterfs.lockinfo");
	assert_int_equal(give_lockinfo(&w.b, arena, info), 0);
	assert_int_equal(give_lockinfo(&w.b, arena, info), 0);		/* twice does no harm */
	assert_null(lockinfo_of(&w.a, arena).name);
	features_locks_class.client_gone(&w.locks, &w.a.client);
	settle();
	assert_false(x.done);
	assert_int_equal(plk(&w.b, 3, LOCK_GET, LOCK_WRITE, 0, 0, &res), 0);
	assert_true(res.conflict && res.start == 0 && res.len == 100 && res.owner_len == 1 && res.owner[0] == 1);
	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_WRITE, 0, 1, NULL), -EAGAIN);
	assert_int_equal(plk(&w.b, 1, LOCK_UNLOCK, LOCK_WRITE, 0, 0, NULL), 0);
	settle();
	assert_true(x.done);
	assert_int_equal(x.ret, 0);
	features_locks_class.client_gone(&w.locks, &w.b.client);
	assert_int_equal(count(COUNT_POSIXLK), 0);
	arena_free(arena);
}

/* Locks that one descriptor holds, or waits for, end with it; another descriptor of that client keeps its own. */
static int fd_lk(struct fd *fd, uint8_t owner, enum lock_cmd cmd, uint64_t start)
{
	struct call call = as(&w.a, owner);
	struct lk_args args = { NULL, fd, cmd, LOCK_WRITE, start, 1, owner };
	struct lk_res res;

	return xl_lk(&w.locks, &call, &args, &res);
}

static void fd_released_body(void)
{
	struct fd one = { .inode = w.inode }, two = { .inode = w.inode };
	struct waiter x = { &w.b, 1, .kind = 'p', .type = LOCK_WRITE, .start = 0, .len = 1 };

	assert_int_equal(fd_lk(&one, 1, LOCK_TRY, 0), 0);
	assert_int_equal(fd_lk(&two, 2, LOCK_TRY, 5), 0);
	begin(&x);
	features_locks_class.fd_released(&w.locks, &w.b.client, &one);	/* not that client's */
	settle();
	assert_false(x.done);
	features_locks_class.fd_released(&w.locks, &w.a.client, &one);
	settle();
	assert_true(x.done);
	assert_int_equal(count(COUNT_POSIXLK), 2);
	features_locks_class.fd_released(&w.locks, &w.a.client, &two);
	assert_int_equal(count(COUNT_POSIXLK), 1);
	features_locks_class.client_gone(&w.locks, &w.b.client);
}

static void fd_released(void **state) { in_world(fd_released_body); }

static void moved(void **state) { in_world(moved_body); }

/* The new connection's own locks in the range give way; what is no lockinfo of this brick moves nothing. */
static void moved_over_body(void)
{
	struct arena *arena = arena_new(1 << 16);
	struct lk_res res;
	struct xattr info;

	assert_int_equal(plk(&w.a, 1, LOCK_TRY, LOCK_READ, 0, 100, NULL), 0);
	assert_int_equal(plk(&w.b, 1, LOCK_TRY, LOCK_READ, 50, 100, NULL), 0);
	info = lockinfo_of(&w.a, arena);
	assert_int_equal(give_lockinfo(&w.b, arena, (struct xattr){ info.name, "\0\0\0", 3 }), -EINVAL);
	assert_int_equal(give_lockinfo(&w.b, arena, (struct xattr){ info.name, "\0\0\0\0", 4 }), 0);
	assert_int_equal(count(COUNT_POSIXLK), 2);
	assert_int_equal(give_lockinfo(&w.b, arena, info), 0);
	assert_int_equal(count(COUNT_POSIXLK), 1);
	assert_int_equal(plk(&w.a, 9, LOCK_GET, LOCK_WRITE, 0, 0, &res), 0);
	assert_true(res.conflict && res.start == 0 && res.len == 150);
	features_locks_class.client_gone(&w.locks, &w.b.client);
	arena_free(arena);
}

static void moved_over(void **state) { in_world(moved_over_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inodelk_basics), cmocka_unit_test(fairness), cmocka_unit_test(entrylk), cmocka_unit_test(contention),
		cmocka_unit_test(interrupted), cmocka_unit_test(client_gone), cmocka_unit_test(posix_ranges),
		cmocka_unit_test(flush_releases), cmocka_unit_test(limits), cmocka_unit_test(domain_count),
		cmocka_unit_test(release), cmocka_unit_test(what_is_gone), cmocka_unit_test(moved),
		cmocka_unit_test(moved_over), cmocka_unit_test(fd_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
