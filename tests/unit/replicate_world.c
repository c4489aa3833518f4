/* tests/unit/replicate_world.c: makes and breaks the world of replicate_world.h, and the calls tests make in it. */
#include "tests/unit/replicate_world.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern const struct xlator_class cluster_replicate_class, test_brick_class;

struct world w;
static void (*the_body)(void);
static const char *const *the_options;

static void on_event(void *owner, enum xl_event ev, const struct xl_upcall *up)
{
	struct client_world *c = owner;

	c->ups += ev == XL_UP;
	c->downs += ev == XL_DOWN;
}

static void link_leaf(struct client_world *c, unsigned client, unsigned i)
{
	struct xlator *leaf = &c->leaf[i];
	char name[16];

	snprintf(name, sizeof(name), "b%u", i);
	leaf->class = &test_brick_class;
	leaf->name = strdup(name);
	leaf->priv = test_brick_priv(client, i);
	leaf->graph = &c->graph;
	leaf->nparents = 1;
	leaf->parents = calloc(1, sizeof(*leaf->parents));
	leaf->parents[0] = &c->top;
	leaf->parent_index = calloc(1, sizeof(*leaf->parent_index));
	leaf->parent_index[0] = i;
	c->top.children[i] = leaf;
	c->all[i] = leaf;
}

void world_client_new(unsigned client)
{
	struct client_world *c = &w.clients[client];
	struct error err = { "" };
	unsigned i;

	memset(c, 0, sizeof(*c));
	c->top.class = &cluster_replicate_class;
	c->top.name = "set";
	c->top.priv = calloc(1, c->top.class->priv_size);
	c->top.graph = &c->graph;
	c->top.nchildren = w.n;
	c->top.children = calloc(w.n, sizeof(*c->top.children));
	c->all[w.n] = &c->top;
	for (i = 0; i < w.n; i++)
		link_leaf(c, client, i);
	c->graph.loop = w.loop;
	c->graph.top = &c->top;
	c->graph.xlators = c->all;
	c->graph.n = w.n + 1;
	c->graph.event = on_event;
	c->graph.owner = c;
	c->graph.inodes = inode_table_new(c->all, w.n + 1, 1, 1000);
	options_init(c->top.class->options, c->top.priv);
	for (i = 0; the_options && the_options[i]; i += 2)
		if (option_set(c->top.class->options, c->top.priv, the_options[i], the_options[i + 1], &err) < 0)
			abort();
	if (c->top.class->init(&c->top, &err) < 0)
		abort();
	c->alive = true;
	for (i = 0; i < w.n; i++)
		if (!w.disks[i].down)
			xl_notify(&c->leaf[i], XL_UP, NULL);
	co_sleep_ns(1000000000);
}

void world_client_free(unsigned client)
{
	struct client_world *c = &w.clients[client];
	unsigned i;

	if (!c->alive)
		return;
	c->graph.event = NULL;
	inode_table_set_max_idle(c->graph.inodes, 0);
	c->top.class->fini(&c->top);
	inode_table_free(c->graph.inodes);
	c->alive = false;
	options_free(c->top.class->options, c->top.priv);
	free(c->top.priv);
	free(c->top.children);
	for (i = 0; i < w.n; i++) {
		brick_forget_client(i, client);
		free((char *)c->leaf[i].name);
		free(c->leaf[i].priv);
		free(c->leaf[i].parents);
		free(c->leaf[i].parent_index);
	}
}

void world_kill(unsigned brick)
{
	unsigned c;

	if (w.disks[brick].down)
		return;
	w.disks[brick].down = true;
	for (c = 0; c < CLIENTS; c++) {
		brick_forget_client(brick, c);
		if (w.clients[c].alive && !w.clients[c].down[brick])
			xl_notify(&w.clients[c].leaf[brick], XL_DOWN, NULL);
	}
}

void world_start(unsigned brick)
{
	unsigned c;

	if (!w.disks[brick].down)
		return;
	w.disks[brick].down = false;
	for (c = 0; c < CLIENTS; c++) {
		if (!w.clients[c].alive || w.clients[c].down[brick])
			continue;
		xl_notify(&w.clients[c].leaf[brick], XL_RESTARTED, NULL);
		xl_notify(&w.clients[c].leaf[brick], XL_UP, NULL);
	}
}

void world_cut(unsigned client, unsigned brick, bool apart)
{
	struct client_world *c = &w.clients[client];

	if (c->down[brick] == apart)
		return;
	c->down[brick] = apart;
	if (apart)
		brick_forget_client(brick, client);
	if (!w.disks[brick].down)
		xl_notify(&c->leaf[brick], apart ? XL_DOWN : XL_UP, NULL);
}

void world_rest(void)
{
	co_sleep_ns(3000000000u);
}

void world_arm(unsigned brick, int op, unsigned nth, enum how how, int err)
{
	w.fault = (struct fault){ .armed = true, .brick = brick, .op = op, .countdown = nth, .how = how, .err = err };
}

static void entry(void *arg)
{
	unsigned c;

	world_client_new(0);
	the_body();
	world_rest();
	for (c = 0; c < CLIENTS; c++)
		world_client_free(c);
	co_sleep_ns(1000000000);
	loop_stop(w.loop);
}

void world_run(uint64_t seed, unsigned n, const char *const *options, void (*body)(void))
{
	unsigned i;

	memset(&w, 0, sizeof(w));
	w.loop = loop_new_sim(seed);
	w.n = n;
	w.max_delay_ns = 300000;
	the_body = body;
	the_options = options;
	for (i = 0; i < n; i++) {
		struct object *root = &w.disks[i].objects[0];

		list_init(&w.disks[i].waiters);
		root->exists = true;
		root->nlink = 2;
		root->mode = S_IFDIR | 0755;
		memcpy(root->gfid, gfid_root, 16);
	}
	co_start(w.loop, entry, NULL);
	if (loop_run(w.loop) != 0)
		abort();
	loop_free(w.loop);
}

struct object *disk_object(unsigned brick, const uint8_t *gfid)
{
	unsigned i;

	for (i = 0; i < OBJECTS; i++)
		if (w.disks[brick].objects[i].exists && gfid_equal(w.disks[brick].objects[i].gfid, gfid))
			return &w.disks[brick].objects[i];
	return NULL;
}

struct entry *disk_entry(unsigned brick, const uint8_t *parent, const char *name)
{
	unsigned i;

	for (i = 0; i < 2 * OBJECTS; i++) {
		struct entry *e = &w.disks[brick].entries[i];

		if (e->exists && gfid_equal(e->parent, parent) && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

unsigned disk_locks(unsigned brick)
{
	unsigned i, n = 0;

	for (i = 0; i < 64; i++)
		n += w.disks[brick].held[i].exists;
	return n;
}

bool accuses(unsigned brick, const uint8_t *gfid, unsigned about, unsigned type)
{
	struct object *o = disk_object(brick, gfid);

	return o && o->pending[about][type] != 0;
}

const uint8_t *id_gfid(uint8_t id)
{
	static uint8_t gfids[256][16];

	gfids[id][0] = 0xab;
	gfids[id][15] = id;
	return gfids[id];
}

struct inode *the_inode(unsigned client, const uint8_t *gfid)
{
	return inode_get(w.clients[client].graph.inodes, gfid);
}

#define TOP (&w.clients[client].top)
#define FRAME(op) struct arena *arena = arena_new(1 << 20); struct call call; struct op##_res *res = arena_alloc(arena, sizeof(*res)); int ret; \
	call_init(&call, arena)

int do_lookup(unsigned client, const uint8_t *parent, const char *name, struct iatt *st)
{
	struct lookup_args a = { .parent = the_inode(client, parent), .name = name };
	FRAME(lookup);

	ret = xl_lookup(TOP, &call, &a, res);
	if (ret == 0 && st)
		*st = res->stat;
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_lookup_gfid(unsigned client, const uint8_t *gfid, struct iatt *st)
{
	struct lookup_args a = { .inode = the_inode(client, gfid) };
	FRAME(lookup);

	ret = xl_lookup(TOP, &call, &a, res);
	if (ret == 0 && st)
		*st = res->stat;
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_stat(unsigned client, const uint8_t *gfid, struct iatt *st)
{
	struct stat_args a = { .inode = the_inode(client, gfid) };
	FRAME(stat);

	ret = xl_stat(TOP, &call, &a, res);
	if (ret == 0 && st)
		*st = res->stat;
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_create(unsigned client, const uint8_t *parent, const char *name, uint8_t id, struct iatt *st)
{
	struct create_args a = { .parent = the_inode(client, parent), .name = name, .flags = O_EXCL, .mode = 0644, .gfid = id_gfid(id) };
	FRAME(create);

	ret = xl_create(TOP, &call, &a, res);
	if (ret == 0 && st)
		*st = res->stat;
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_mkdir(unsigned client, const uint8_t *parent, const char *name, uint8_t id)
{
	struct mkdir_args a = { .parent = the_inode(client, parent), .name = name, .mode = 0755, .gfid = id_gfid(id) };
	FRAME(mkdir);

	ret = xl_mkdir(TOP, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_symlink(unsigned client, const uint8_t *parent, const char *name, uint8_t id)
{
	struct symlink_args a = { .parent = the_inode(client, parent), .name = name, .target = "t", .gfid = id_gfid(id) };
	FRAME(symlink);

	ret = xl_symlink(TOP, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_unlink(unsigned client, const uint8_t *parent, const char *name)
{
	struct unlink_args a = { .parent = the_inode(client, parent), .name = name };
	FRAME(unlink);

	ret = xl_unlink(TOP, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_rmdir(unsigned client, const uint8_t *parent, const char *name)
{
	struct rmdir_args a = { .parent = the_inode(client, parent), .name = name };
	FRAME(rmdir);

	ret = xl_rmdir(TOP, &call, &a, res);
	inode_unref(a.parent);
	arena_free(arena);
	return ret;
}

int do_rename(unsigned client, const uint8_t *from, const char *name, const uint8_t *to, const char *newname)
{
	struct rename_args a = { .oldparent = the_inode(client, from), .oldname = name, .newparent = the_inode(client, to), .newname = newname };
	FRAME(rename);

	ret = xl_rename(TOP, &call, &a, res);
	inode_unref(a.oldparent);
	inode_unref(a.newparent);
	arena_free(arena);
	return ret;
}

int do_link(unsigned client, const uint8_t *gfid, const uint8_t *to, const char *name)
{
	struct link_args a = { .inode = the_inode(client, gfid), .newparent = the_inode(client, to), .newname = name };
	FRAME(link);

	ret = xl_link(TOP, &call, &a, res);
	inode_unref(a.inode);
	inode_unref(a.newparent);
	arena_free(arena);
	return ret;
}

int do_write(unsigned client, const uint8_t *gfid, uint64_t offset, uint8_t byte, uint32_t len, uint32_t flags, struct iatt *st)
{
	struct writev_args a = { .inode = the_inode(client, gfid), .offset = offset, .flags = flags };
	FRAME(writev);

	a.data = (struct payload){ iobuf_new(len), 0, len };
	memset(a.data.buf->data, byte, len);
	ret = xl_writev(TOP, &call, &a, res);
	if (ret == 0 && st)
		*st = res->post;
	iobuf_unref(a.data.buf);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_read(unsigned client, const uint8_t *gfid, uint8_t *ret_byte, uint32_t *ret_len)
{
	struct readv_args a = { .inode = the_inode(client, gfid), .size = CONTENT };
	FRAME(readv);

	ret = xl_readv(TOP, &call, &a, res);
	if (ret == 0) {
		*ret_len = res->data.len;
		*ret_byte = res->data.len ? *payload_data(&res->data) : 0;
	}
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_truncate(unsigned client, const uint8_t *gfid, uint64_t size)
{
	struct truncate_args a = { .inode = the_inode(client, gfid), .offset = size };
	FRAME(truncate);

	ret = xl_truncate(TOP, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_fsync(unsigned client, const uint8_t *gfid)
{
	struct fsync_args a = { .inode = the_inode(client, gfid) };
	FRAME(fsync);

	ret = xl_fsync(TOP, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_flush(unsigned client, const uint8_t *gfid)
{
	struct flush_args a = { .inode = the_inode(client, gfid) };
	FRAME(flush);

	ret = xl_flush(TOP, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_setattr(unsigned client, const uint8_t *gfid, uint32_t mode)
{
	struct setattr_args a = { .inode = the_inode(client, gfid), .stat = { .mode = mode }, .valid = SET_MODE };
	FRAME(setattr);

	ret = xl_setattr(TOP, &call, &a, res);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_list(unsigned client, const uint8_t *dir, unsigned *ret_n, unsigned *ret_with_stat)
{
	struct readdir_args a = { .inode = the_inode(client, dir), .size = 65536, .plus = true };
	FRAME(readdir);
	unsigned i;

	ret = xl_readdir(TOP, &call, &a, res);
	*ret_n = res->n;
	for (*ret_with_stat = i = 0; i < res->n; i++)
		*ret_with_stat += iatt_present(&res->entries[i].stat);
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}

int do_list_next(unsigned client, const uint8_t *dir, uint64_t *offset, char name[32])
{
	struct readdir_args a = { .inode = the_inode(client, dir), .size = 65536, .offset = *offset };
	FRAME(readdir);

	ret = xl_readdir(TOP, &call, &a, res);
	if (ret == 0 && !res->n)
		ret = -ENOENT;
	if (ret == 0) {
		snprintf(name, 32, "%s", res->entries[0].name);
		*offset = res->entries[0].off;
	}
	inode_unref(a.inode);
	arena_free(arena);
	return ret;
}
