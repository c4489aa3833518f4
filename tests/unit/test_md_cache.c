/* tests/unit/test_md_cache.c: performance/md-cache over one scripted brick: what costs a call, what does not, and what
 * must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "runtime/sync.h"
#include "xlators/graph.h"
#include "xlators/xlator.h"

extern const struct xlator_class performance_md_cache_class;

#define OBJECTS 64
#define LEASE_S 3

/* The brick: object i has gfid(i); 1 is the root. A name "n5" in the root stands for object 5 while it exists. */
static struct {
	struct loop *loop;
	struct xlator top, leaf, *all[2], *children[1], *parents[1];
	unsigned index[1];
	struct graph graph;
	struct arena *arena;
	struct iatt objects[OBJECTS];
	bool named[OBJECTS];
	bool search_denied;
	bool hold;			/* answers are made, but wait */
	unsigned held;
	struct co_queue release;
	struct iatt_time clock;
} w;

static const uint8_t *gfid(unsigned i)
{
	static uint8_t g[8][16];
	static unsigned next;
	uint8_t *to = g[next++ % 8];

	if (i == 1)
		return gfid_root;
	memset(to, 0, 16);
	memcpy(to, &i, sizeof(i));
	to[6] = 0x40;
	return to;
}

static unsigned number(const uint8_t *g)
{
	unsigned i;

	memcpy(&i, g, sizeof(i));
	return gfid_is_root(g) ? 1 : i;
}

static struct iatt *object(const struct inode *inode) { return &w.objects[number(inode->gfid)]; }
static void tick(struct iatt *st) { w.clock.sec++; st->ctime = st->mtime = w.clock; }

static void fake_make(unsigned i, uint32_t mode)
{
	w.objects[i] = (struct iatt){ .mode = mode, .nlink = 1, .uid = 10, .gid = 10 };
	memcpy(w.objects[i].gfid, gfid(i), 16);
	tick(&w.objects[i]);
}

static int coroutine_fn answered(int ret)
{
	w.held += w.hold;
	while (w.hold)
		co_queue_wait(&w.release);
	return ret;
}

/* "n5" or "made5"; names beyond the array are not there. */
static unsigned object_of(const char *name)
{
	unsigned i = (unsigned)atoi(name + 1);

	return i > 1 && i < OBJECTS ? i : 0;
}

static int coroutine_fn fake_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args,
				    struct lookup_res *res)
{
	unsigned i;

	if (!args->name) {
		res->stat = *object(args->inode);
		return answered(iatt_present(&res->stat) ? 0 : -ESTALE);
	}
	if (w.search_denied && call->uid == 666)
		return answered(-EACCES);
	i = object_of(args->name);
	if (!i || !w.named[i])
		return answered(-ENOENT);
	res->stat = w.objects[i];
	res->parent = *object(args->parent);
	return answered(0);
}

static int coroutine_fn fake_stat(struct xlator *xl, struct call *call, const struct stat_args *args,
				  struct stat_res *res)
{
	res->stat = *object(args->inode);
	return answered(iatt_present(&res->stat) ? 0 : -ESTALE);
}

static int coroutine_fn fake_access(struct xlator *xl, struct call *call, const struct access_args *args,
				    struct access_res *res)
{
	uint32_t mode = object(args->inode)->mode;

	res->granted = (object(args->inode)->uid == call->uid ? mode >> 6 : mode) & args->mask;
	return answered(0);
}

static int coroutine_fn fake_readlink(struct xlator *xl, struct call *call, const struct readlink_args *args,
				      struct readlink_res *res)
{
	res->target = "somewhere";
	res->stat = *object(args->inode);
	return answered(0);
}

static int coroutine_fn fake_create(struct xlator *xl, struct call *call, const struct create_args *args,
				    struct create_res *res)
{
	unsigned i = object_of(args->name);

	if (w.named[i])
		return answered(-EEXIST);
	fake_make(i, args->mode);
	w.named[i] = true;
	tick(object(args->parent));
	res->stat = w.objects[i];
	res->postparent = *object(args->parent);
	return answered(0);
}

static int coroutine_fn fake_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args,
				    struct unlink_res *res)
{
	unsigned i = object_of(args->name);

	if (!w.named[i])
		return answered(-ENOENT);
	w.named[i] = false;
	w.objects[i].mode = 0;
	tick(object(args->parent));
	res->postparent = *object(args->parent);
	return answered(0);
}

static int coroutine_fn fake_rename(struct xlator *xl, struct call *call, const struct rename_args *args,
				    struct rename_res *res)
{
	unsigned from = object_of(args->oldname), to = object_of(args->newname);

	w.named[from] = false;		/* moves out of sight: only what it replaced matters here */
	w.named[to] = false;
	w.objects[to].mode = 0;
	res->stat = w.objects[from];
	tick(object(args->oldparent));
	res->postold = res->postnew = *object(args->oldparent);
	return answered(0);
}

static int coroutine_fn fake_writev(struct xlator *xl, struct call *call, const struct writev_args *args,
				    struct writev_res *res)
{
	struct iatt *st = object(args->inode);

	st->size = args->offset;
	tick(st);
	res->post = *st;
	return answered(0);
}

static int coroutine_fn fake_setattr(struct xlator *xl, struct call *call, const struct setattr_args *args,
				     struct setattr_res *res)
{
	struct iatt *st = object(args->inode);

	st->mode = (st->mode & S_IFMT) | args->stat.mode;
	tick(st);
	res->post = *st;
	return answered(0);
}

static const struct xlator_class brick_class = {
	.name = "test/brick",
	.fops = { .lookup = fake_lookup,
		  .stat = fake_stat,
		  .access = fake_access,
		  .readlink = fake_readlink,
		  .create = fake_create,
		  .unlink = fake_unlink,
		  .rename = fake_rename,
		  .writev = fake_writev,
		  .setattr = fake_setattr },
};

/* --- the world --- */

static void (*body)(void);
static const char *const *settings;

static void coroutine_fn entry(void *arg)
{
	struct error err;
	unsigned i;

	w.arena = arena_new(64 << 20);
	w.all[0] = &w.leaf;
	w.all[1] = &w.top;
	w.children[0] = &w.leaf;
	w.parents[0] = &w.top;
	w.leaf = (struct xlator){ .class = &brick_class,
				  .name = "brick",
				  .graph = &w.graph,
				  .nparents = 1,
				  .parents = w.parents,
				  .parent_index = w.index,
				  .lease_s = LEASE_S };
	w.top = (struct xlator){ .class = &performance_md_cache_class,
				 .name = "top",
				 .graph = &w.graph,
				 .nchildren = 1,
				 .children = w.children,
				 .priv = calloc(1, performance_md_cache_class.priv_size) };
	w.graph = (struct graph){ .loop = w.loop, .top = &w.top, .xlators = w.all, .n = 2 };
	w.graph.inodes = inode_table_new(w.all, 2, 1, 100000);
	options_init(w.top.class->options, w.top.priv);
	for (i = 0; settings && settings[i]; i += 2)
		assert_int_equal(option_set(w.top.class->options, w.top.priv, settings[i], settings[i + 1], &err), 0);
	assert_int_equal(w.top.class->init(&w.top, &err), 0);
	co_queue_init(&w.release);
	fake_make(1, S_IFDIR | 0755);
	fake_make(5, S_IFREG | 0644);
	fake_make(6, S_IFLNK | 0777);
	w.named[5] = w.named[6] = true;
	body();
	inode_table_set_max_idle(w.graph.inodes, 0);
	w.top.class->fini(&w.top);
	inode_table_free(w.graph.inodes);
	options_free(w.top.class->options, w.top.priv);
	free(w.top.priv);
	arena_free(w.arena);
	loop_stop(w.loop);
}

static void run(void (*what)(void), const char *const *options)
{
	memset(&w, 0, sizeof(w));
	w.loop = loop_new_sim(1);
	body = what;
	settings = options;
	assert_non_null(co_start(w.loop, entry, NULL));
	assert_int_equal(loop_run(w.loop), 0);
	loop_free(w.loop);
}

/* How many calls the brick has seen. */
static uint64_t cost(void)
{
	static uint64_t before;
	uint64_t now = 0, cost;
	unsigned i;

	for (i = 0; i < FOP_COUNT; i++)
		now += w.leaf.calls[i];
	cost = now - before;
	before = now;
	return cost;
}

static struct call as(uint32_t uid)
{
	struct call call;

	call_init(&call, w.arena);
	call.uid = call.gid = uid;
	return call;
}

static int stat_as(uint32_t uid, unsigned i, struct iatt *ret_stat)
{
	struct call call = as(uid);
	struct stat_args args = { .inode = inode_get(w.graph.inodes, gfid(i)) };
	struct stat_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_stat(&w.top, &call, &args, res);

	*ret_stat = res->stat;
	inode_unref(args.inode);
	return ret;
}

static int lookup_as(uint32_t uid, const char *name, struct lookup_res *ret_res)
{
	struct call call = as(uid);
	struct lookup_args args = { .parent = inode_get(w.graph.inodes, gfid_root), .name = name };
	int ret;

	memset(ret_res, 0, sizeof(*ret_res));
	ret = xl_lookup(&w.top, &call, &args, ret_res);
	inode_unref(args.parent);
	return ret;
}

static uint32_t access_as(uint32_t uid, unsigned i, uint32_t mask)
{
	struct call call = as(uid);
	struct access_args args = { .inode = inode_get(w.graph.inodes, gfid(i)), .mask = mask };
	struct access_res res = { 0 };

	assert_int_equal(xl_access(&w.top, &call, &args, &res), 0);
	inode_unref(args.inode);
	return res.granted;
}

static int chmod_by_us(unsigned i, uint32_t mode)
{
	struct call call = as(0);
	struct setattr_args args = { .inode = inode_get(w.graph.inodes, gfid(i)),
				     .stat.mode = mode,
				     .valid = SET_MODE };
	struct setattr_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_setattr(&w.top, &call, &args, res);

	inode_unref(args.inode);
	return ret;
}

static int write_by_us(unsigned i, uint64_t size)
{
	struct call call = as(0);
	struct writev_args args = { .inode = inode_get(w.graph.inodes, gfid(i)), .offset = size };
	struct writev_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_writev(&w.top, &call, &args, res);

	inode_unref(args.inode);
	return ret;
}

static int create_by_us(const char *name)
{
	struct call call = as(0);
	struct create_args args = { .parent = inode_get(w.graph.inodes, gfid_root),
				    .name = name,
				    .mode = S_IFREG | 0600 };
	struct create_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_create(&w.top, &call, &args, res);

	inode_unref(args.parent);
	return ret;
}

static int unlink_by_us(const char *name)
{
	struct call call = as(0);
	struct unlink_args args = { .parent = inode_get(w.graph.inodes, gfid_root), .name = name };
	struct unlink_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_unlink(&w.top, &call, &args, res);

	inode_unref(args.parent);
	return ret;
}

static int rename_by_us(const char *from, const char *to)
{
	struct call call = as(0);
	struct inode *root = inode_get(w.graph.inodes, gfid_root);
	struct rename_args args = { .oldparent = root, .oldname = from, .newparent = root, .newname = to };
	struct rename_res *res = arena_alloc(w.arena, sizeof(*res));
	int ret = xl_rename(&w.top, &call, &args, res);

	inode_unref(root);
	return ret;
}

static void told(unsigned i, uint32_t flags)
{
	struct xl_upcall up = { .kind = UPCALL_INVALIDATE, .flags = flags };

	memcpy(up.gfid, gfid(i), 16);
	xl_notify(&w.leaf, XL_UPCALL, &up);
}

static void knows_all(void)
{
	struct lookup_res l;
	struct iatt st;

	assert_int_equal(stat_as(0, 1, &st), 0);
	assert_int_equal(lookup_as(0, "n5", &l), 0);
	cost();
}

/* --- what is answered from here --- */

static void hits_body(void)
{
	struct lookup_res l;
	struct iatt st;

	cost();
	assert_int_equal(stat_as(7, 1, &st), 0);
	assert_int_equal(cost(), 1);
	assert_int_equal(lookup_as(0, "n5", &l), 0);
	assert_int_equal(cost(), 1);
	assert_int_equal(stat_as(0, 5, &st), 0);
	assert_int_equal(stat_as(7, 5, &st), 0);
	assert_int_equal(lookup_as(0, "n5", &l), 0);
	assert_int_equal(number(l.stat.gfid), 5);
	assert_true(S_ISDIR(l.parent.mode));
	assert_int_equal(cost(), 0);
	assert_int_equal(access_as(0, 5, 7), 4);
	assert_int_equal(cost(), 1);
	assert_int_equal(access_as(0, 5, 4), 4);
	assert_int_equal(access_as(0, 5, 3), 0);
	assert_int_equal(cost(), 0);
	assert_int_equal(access_as(10, 5, 4 | 2), 4 | 2);
	assert_int_equal(access_as(11, 5, 4 | 2), 4);
	assert_int_equal(cost(), 2);
}

static void readlink_body(void)
{
	struct call call = as(0);
	struct readlink_args args = { .inode = inode_get(w.graph.inodes, gfid(6)), .size = 4096 };
	unsigned i;

	cost();
	for (i = 0; i < 3; i++) {
		struct readlink_res res = { .target = NULL };

		assert_int_equal(xl_readlink(&w.top, &call, &args, &res), 0);
		assert_string_equal(res.target, "somewhere");
		assert_int_equal(number(res.stat.gfid), 6);
	}
	assert_int_equal(cost(), 1);
	args.size = 9;
	assert_int_equal(xl_readlink(&w.top, &call, &args, &(struct readlink_res){ .target = NULL }), 0);
	assert_int_equal(cost(), 1);
	inode_unref(args.inode);
}

static void no_promise_body(void)
{
	struct lookup_res l;
	struct iatt st;

	w.leaf.lease_s = 0;
	cost();
	stat_as(0, 5, &st);
	stat_as(0, 5, &st);
	lookup_as(0, "n5", &l);
	lookup_as(0, "n5", &l);
	access_as(0, 5, 4);
	access_as(0, 5, 4);
	assert_int_equal(cost(), 6);
}

static void stock_body(void)
{
	struct iatt st;

	w.leaf.lease_s = 0;
	cost();
	stat_as(0, 5, &st);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
	co_sleep_ns(1000000001);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
}

static void expiry_body(void)
{
	struct lookup_res l;
	struct iatt st;

	knows_all();
	access_as(0, 5, 4);
	cost();
	co_sleep_ns(LEASE_S * 1000000000ull - 1000000);
	stat_as(0, 5, &st);
	lookup_as(0, "n5", &l);
	access_as(0, 5, 4);
	assert_int_equal(cost(), 0);
	co_sleep_ns(1000000);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
	access_as(0, 5, 4);
	assert_int_equal(cost(), 1);
	lookup_as(0, "n5", &l);
	assert_int_equal(cost(), 1);
}

static void sole_body(void)
{
	struct iatt st;

	w.leaf.lease_s = 0;
	knows_all();
	co_sleep_ns(86400000000000ull);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 0);
	xl_notify(&w.leaf, XL_DOWN, NULL);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
}

static void epoch_body(void)
{
	struct lookup_res l;
	struct iatt st;

	knows_all();
	w.graph.lease_epoch++;
	stat_as(0, 5, &st);
	lookup_as(0, "n5", &l);
	assert_int_equal(cost(), 2);
	lookup_as(0, "n5", &l);			/* the directory's attributes are missing */
	assert_int_equal(cost(), 1);
	lookup_as(0, "n5", &l);
	assert_int_equal(cost(), 0);
	w.leaf.lease_s = XL_LEASE_NOBODY;
	w.graph.lease_epoch++;
	stat_as(0, 5, &st);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 2);
	w.leaf.lease_s = LEASE_S;
	w.graph.lease_epoch++;
	stat_as(0, 5, &st);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
	xl_notify(&w.leaf, XL_RESTARTED, NULL);
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 1);
}

/* --- who may be answered --- */

static void users_body(void)
{
	struct lookup_res l;

	w.search_denied = true;
	knows_all();
	assert_int_equal(lookup_as(666, "n5", &l), -EACCES);
	assert_int_equal(lookup_as(666, "n9", &l), -EACCES);
	assert_int_equal(cost(), 2);
	assert_int_equal(lookup_as(7, "n5", &l), 0);	/* a stranger is asked for, once */
	assert_int_equal(cost(), 1);
	assert_int_equal(lookup_as(7, "n5", &l), 0);
	assert_int_equal(cost(), 0);
	assert_int_equal(lookup_as(666, "n5", &l), -EACCES);
	assert_int_equal(cost(), 1);
	told(1, 0x2 | 0x40);				/* somebody made the directory stricter */
	assert_int_equal(lookup_as(0, "n5", &l), 0);
	cost();
	assert_int_equal(lookup_as(7, "n5", &l), 0);
	assert_int_equal(cost(), 1);
}

static void groups_body(void)
{
	struct inode *inode = inode_get(w.graph.inodes, gfid(5));
	struct access_args args = { .inode = inode, .mask = 4 };
	uint32_t groups[2] = { 3, 4 };
	struct access_res res = { 0 };
	struct call call = as(20);

	cost();
	xl_access(&w.top, &call, &args, &res);
	call.groups = groups;
	call.ngroups = 2;
	xl_access(&w.top, &call, &args, &res);
	assert_int_equal(cost(), 2);
	xl_access(&w.top, &call, &args, &res);
	assert_int_equal(cost(), 0);
	call.ngroups = 1;
	xl_access(&w.top, &call, &args, &res);
	call.gid = 21;
	xl_access(&w.top, &call, &args, &res);
	assert_int_equal(cost(), 2);
	inode_unref(inode);
}

static void decisions_body(void)
{
	struct iatt st;

	knows_all();
	access_as(10, 5, 7);
	cost();
	assert_int_equal(write_by_us(5, 99), 0);	/* content says nothing of permissions */
	access_as(10, 5, 7);
	assert_int_equal(cost(), 1);
	assert_int_equal(stat_as(0, 5, &st), 0);
	assert_int_equal(st.size, 99);
	assert_int_equal(cost(), 0);
	told(5, 0x18);
	access_as(10, 5, 7);
	assert_int_equal(cost(), 0);
	assert_int_equal(chmod_by_us(5, 0400), 0);
	assert_int_equal(access_as(10, 5, 7), 4);
	assert_int_equal(cost(), 2);
	w.objects[5].mode = S_IFREG;			/* by another: told, or seen */
	tick(&w.objects[5]);
	told(5, 0x45e);
	assert_int_equal(access_as(10, 5, 7), 0);
}

/* --- changes --- */

static void invalidated_body(void)
{
	struct lookup_res l;
	struct iatt st;

	knows_all();
	assert_int_equal(lookup_as(0, "n8", &l), -ENOENT);
	assert_int_equal(lookup_as(0, "n8", &l), -ENOENT);
	assert_int_equal(cost(), 1);
	w.objects[5].size = 1234;
	told(5, 0x18);
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 1234);
	fake_make(8, S_IFREG | 0600);
	w.named[8] = true;
	told(1, 0x10);
	assert_int_equal(lookup_as(0, "n8", &l), 0);
	told(5, 0x20);					/* somebody read it */
	cost();
	stat_as(0, 5, &st);
	assert_int_equal(cost(), 0);
}

static void ours_body(void)
{
	struct lookup_res l;
	struct iatt st;

	knows_all();
	assert_int_equal(lookup_as(0, "n9", &l), -ENOENT);
	assert_int_equal(create_by_us("n9"), 0);
	cost();
	assert_int_equal(lookup_as(0, "n9", &l), 0);
	assert_int_equal(l.stat.mode, S_IFREG | 0600);
	assert_int_equal(l.parent.ctime.sec, w.objects[1].ctime.sec);
	assert_int_equal(stat_as(0, 1, &st), 0);
	assert_int_equal(st.ctime.sec, w.objects[1].ctime.sec);
	assert_int_equal(cost(), 0);
	assert_int_equal(unlink_by_us("n9"), 0);
	assert_int_equal(cost(), 1);
	assert_int_equal(lookup_as(0, "n9", &l), -ENOENT);
	assert_int_equal(cost(), 0);
	assert_int_equal(stat_as(0, 9, &st), -ESTALE);
}

/* What disappears under a name that we do not know must be forgotten all the same. */
static void victims_body(void)
{
	struct iatt st;

	cost();
	stat_as(0, 5, &st);				/* by its handle alone */
	assert_int_equal(unlink_by_us("n5"), 0);
	assert_int_equal(cost(), 3);			/* asked what it is, first */
	assert_int_equal(stat_as(0, 5, &st), -ESTALE);
	fake_make(7, S_IFREG | 0600);
	fake_make(8, S_IFREG | 0600);
	w.named[7] = w.named[8] = true;
	stat_as(0, 7, &st);
	stat_as(0, 8, &st);
	assert_int_equal(rename_by_us("n7", "n8"), 0);
	assert_int_equal(stat_as(0, 8, &st), -ESTALE);
}

static int late_ret;
static struct lookup_res late_lookup;
static struct iatt late_stat;

static void coroutine_fn lookup_late(void *arg) { late_ret = lookup_as(0, "n5", &late_lookup); }
static void coroutine_fn absent_late(void *arg) { late_ret = lookup_as(0, "n9", &late_lookup); }
static void coroutine_fn stat_late(void *arg) { late_ret = stat_as(0, 5, &late_stat); }
static void coroutine_fn write_late(void *arg) { late_ret = write_by_us(5, 50); }

static void hold(void (*what)(void *))
{
	w.hold = true;
	w.held = 0;
	late_ret = 1;
	assert_non_null(co_start(w.loop, what, NULL));
	while (!w.held)
		co_sleep_ns(1000);
	w.hold = false;
}

static void let_go(void)
{
	co_queue_wake_all(&w.release);
	while (late_ret == 1)
		co_sleep_ns(1000);
}

/* The directory before and after a create of ours. */
static struct create_res *created(const char *name)
{
	struct call call = as(0);
	struct create_args args = { .parent = inode_get(w.graph.inodes, gfid_root), .name = name,
				    .mode = S_IFREG | 0600 };
	struct create_res *res = arena_alloc(w.arena, sizeof(*res));

	memset(res, 0, sizeof(*res));
	assert_int_equal(xl_create(&w.top, &call, &args, res), 0);
	inode_unref(args.parent);
	return res;
}

static struct create_res *slow_create;
static void coroutine_fn create_late(void *arg)
{
	slow_create = created("n12");
	late_ret = 0;
}

static void before_body(void)
{
	struct rename_args mv = { .oldparent = inode_get(w.graph.inodes, gfid_root), .oldname = "n9", .newname = "n8" };
	struct rename_res *moved = arena_alloc(w.arena, sizeof(*moved));
	struct call call = as(0);
	struct create_res *res;
	struct iatt was;

	res = created("n10");				/* nothing is known of the directory */
	assert_false(iatt_present(&res->preparent));
	knows_all();
	was = w.objects[1];
	res = created("n9");
	assert_memory_equal(&res->preparent.mtime, &was.mtime, sizeof(was.mtime));
	assert_memory_equal(&res->postparent.mtime, &w.objects[1].mtime, sizeof(was.mtime));
	was = w.objects[1];
	res = created("n11");				/* the last answer is what is known now */
	assert_memory_equal(&res->preparent.mtime, &was.mtime, sizeof(was.mtime));

	was = w.objects[1];
	mv.newparent = mv.oldparent;
	memset(moved, 0, sizeof(*moved));
	assert_int_equal(xl_rename(&w.top, &call, &mv, moved), 0);
	assert_memory_equal(&moved->preold.mtime, &was.mtime, sizeof(was.mtime));
	assert_memory_equal(&moved->prenew.mtime, &was.mtime, sizeof(was.mtime));
	assert_memory_equal(&moved->postold.mtime, &w.objects[1].mtime, sizeof(was.mtime));
	inode_unref(mv.oldparent);

	knows_all();
	hold(create_late);				/* another gateway's change comes in between */
	told(1, 0x10);
	let_go();
	assert_false(iatt_present(&slow_create->preparent));
	w.named[12] = false;
	knows_all();
	hold(create_late);				/* or another one of ours */
	res = created("n13");
	let_go();
	assert_false(iatt_present(&slow_create->preparent) && iatt_present(&res->preparent));
	knows_all();
	co_sleep_ns((LEASE_S + 1) * 1000000000ull);	/* or nobody would have told us */
	res = created("n14");
	assert_false(iatt_present(&res->preparent));
}

/* Bricks that tell of changes without waiting may tell too late. */
static void not_before_body(void)
{
	w.leaf.lease_s = 0;
	knows_all();
	assert_false(iatt_present(&created("n9")->preparent));
}

static void late_body(void)
{
	struct lookup_res l;
	struct iatt st;

	hold(lookup_late);				/* 1. told while the answer is on its way */
	w.objects[5].size = 77;
	told(5, 0x18);
	let_go();
	assert_int_equal(late_lookup.stat.size, 0);
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 77);

	hold(absent_late);				/* 2. a name is made by another */
	fake_make(9, S_IFREG | 0600);
	w.named[9] = true;
	told(1, 0x10);
	let_go();
	assert_int_equal(late_ret, -ENOENT);
	assert_int_equal(lookup_as(0, "n9", &l), 0);

	told(5, 0x18);
	hold(stat_late);				/* 3. by ourselves */
	assert_int_equal(write_by_us(5, 88), 0);
	let_go();
	assert_int_equal(late_stat.size, 77);
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 88);

	assert_int_equal(unlink_by_us("n9"), 0);
	told(1, 0x10);
	hold(absent_late);				/* 4. a name made by ourselves */
	assert_int_equal(create_by_us("n9"), 0);
	let_go();
	assert_int_equal(late_ret, -ENOENT);
	assert_int_equal(lookup_as(0, "n9", &l), 0);

	told(5, 0x18);
	hold(stat_late);				/* 5. the connection was another one */
	w.objects[5].size = 99;
	w.graph.lease_epoch++;
	let_go();
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 99);

	hold(write_late);				/* 6. two writes whose answers come in the other order */
	assert_int_equal(write_by_us(5, 60), 0);
	let_go();
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 60);

	hold(write_late);				/* 7. another one's write after ours, told before our answer */
	w.objects[5].size = 61;
	told(5, 0x18);
	let_go();
	stat_as(0, 5, &st);
	assert_int_equal(st.size, 61);
}

/* --- bounds --- */

static void bound_body(void)
{
	struct lookup_res l;
	char name[32];
	unsigned i;

	knows_all();
	for (i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "absent-name-%06u", i);
		assert_int_equal(lookup_as(0, name, &l), -ENOENT);
	}
	assert_int_equal(cost(), 200000);
	for (i = 199000; i < 200000; i++) {
		snprintf(name, sizeof(name), "absent-name-%06u", i);
		assert_int_equal(lookup_as(0, name, &l), -ENOENT);
	}
	assert_int_equal(cost(), 0);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "absent-name-%06u", i);
		assert_int_equal(lookup_as(0, name, &l), -ENOENT);
	}
	assert_int_equal(cost(), 1000);			/* the oldest had to go: 1 MiB holds some 10,000 */
	for (i = 199900; i < 200000; i++) {
		snprintf(name, sizeof(name), "absent-name-%06u", i);
		assert_int_equal(lookup_as(0, name, &l), -ENOENT);
	}
	assert_int_equal(cost(), 0);
}

static const char *const stock[] = { "cache-invalidation", "on", NULL };
static const char *const sole[] = { "sole-client", "on", NULL };
static const char *const small[] = { "cache-size", "1MiB", NULL };

#define TEST(name, options) static void test_##name(void **state) { run(name##_body, options); }
TEST(hits, NULL)
TEST(readlink, NULL)
TEST(no_promise, NULL)
TEST(stock, stock)
TEST(expiry, NULL)
TEST(sole, sole)
TEST(epoch, NULL)
TEST(users, NULL)
TEST(groups, NULL)
TEST(decisions, NULL)
TEST(invalidated, NULL)
TEST(ours, NULL)
TEST(before, NULL)
TEST(not_before, stock)
TEST(victims, NULL)
TEST(late, NULL)
TEST(bound, small)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_readlink),
		cmocka_unit_test(test_no_promise),
		cmocka_unit_test(test_stock),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_sole),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_invalidated),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_before),
		cmocka_unit_test(test_not_before),
		cmocka_unit_test(test_victims),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
