/* tests/unit/distribute_world.h: cluster/distribute over bricks in memory, for its tests.
 *
 * Each subvolume is storage/memory, features/locks and a debug/error-gen that plays the brick that is away. The disks outlive the graph, so
 * that a test can restart the gateway, or lose what it knew. */
#ifndef TESTS_DISTRIBUTE_WORLD_H
#define TESTS_DISTRIBUTE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>

#include "xlators/cluster/distribute/distribute.h"
#include "xlators/storage/memory/memory.h"

#define WORLD_MAX 80

static struct world {
	struct loop *loop;
	unsigned n;
	const char *options;
	struct memory_disk *disks[WORLD_MAX];
	struct volfile *vf;
	struct graph *graph;
	struct xlator *top;
	struct arena *arena;
	struct call call;
	struct inode *root;
	uint64_t next_gfid;
	void (*body)(void);
	void (*mounted)(void);
	struct xlator *other;		/* with world_twice: a second gateway on the same bricks */
	unsigned ups, downs;
} w;

static inline void world_event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	w.ups += ev == XL_UP;
	w.downs += ev == XL_DOWN;
}

static inline void world_mount(void)
{
	struct graph_conf conf = { .loop = w.loop, .event = world_event };
	struct error err = { "" };
	int ret = graph_new(w.vf, &conf, &err, &w.graph);

	if (ret < 0)
		fail_msg("graph_new: %d %s", ret, err.text);
	w.top = graph_find(w.graph, "vol-dht");
	w.other = graph_find(w.graph, "second-dht");
	w.root = inode_get(w.graph->inodes, gfid_root);
	w.arena = arena_new(256u << 20);
	call_init(&w.call, w.arena);
	if (w.mounted)
		w.mounted();
}

static inline void world_unmount(void)
{
	inode_unref(w.root);
	graph_free(w.graph);
	arena_free(w.arena);
}

static inline void world_restart(void)
{
	world_unmount();
	world_mount();
}

static inline void world_main(void *arg)
{
	co_yield();
	world_mount();
	w.body();
	world_unmount();
	loop_stop(w.loop);
}

static uint64_t world_seed = 7;
static bool world_twice;

static inline size_t world_distribute(char *text, const char *name, unsigned n, const char *options)
{
	size_t len = (size_t)sprintf(text, "volume %s\ntype cluster/distribute\n%s\nsubvolumes", name, options ? options : "");

	for (unsigned i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, " vol-client-%u", i);
	return len + (size_t)sprintf(text + len, "\nend-volume\n");
}

static inline void world(unsigned n, const char *options, void (*body)(void))
{
	char *text = malloc(1 << 20);
	size_t len = 0;
	unsigned i;
	struct error err = { "" };
	static unsigned worlds;		/* a test that fails leaves its disks behind */

	memset(&w, 0, sizeof(w));
	worlds++;
	w.n = n;
	w.body = body;
	w.loop = loop_new_sim(world_seed);
	for (i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%u.%u", i, worlds);
		w.disks[i] = memory_disk_new(name, i + 1, 64 << 20);
		len += (size_t)sprintf(text + len, "volume d%u\ntype storage/memory\noption disk %s\nend-volume\n"
				       "volume l%u\ntype features/locks\nsubvolumes d%u\nend-volume\n"
				       "volume late%u\ntype debug/delay-gen\noption enable off\noption delay-percentage 60\n"
				       "option delay-duration 1000\nsubvolumes l%u\nend-volume\n"
				       "volume vol-client-%u\ntype debug/error-gen\noption enable off\noption failure 100\n"
				       "option error-no ENOTCONN\nsubvolumes late%u\nend-volume\n", i, name, i, i, i, i, i, i);
	}
	if (world_twice)
		len += world_distribute(text + len, "second-dht", n, options);
	len += world_distribute(text + len, "vol-dht", n, options);
	if (world_twice)		/* a graph has one top */
		len += (size_t)sprintf(text + len, "volume both\ntype cluster/distribute\nsubvolumes second-dht vol-dht\nend-volume\n");
	w.vf = volfile_parse(text, len, "test", &err);
	if (!w.vf)
		fail_msg("%s", err.text);
	free(text);
	co_start(w.loop, world_main, NULL);
	loop_run(w.loop);
	volfile_free(w.vf);
	for (i = 0; i < n; i++)
		memory_disk_free(w.disks[i]);
	loop_free(w.loop);
}

static inline const uint8_t *new_gfid(void)
{
	static uint8_t gfids[16][16];
	uint64_t v = ++w.next_gfid;
	uint8_t *gfid = gfids[v % 16];

	memset(gfid, 0x40, 16);
	for (int i = 15; i > 7; i--, v >>= 8)
		gfid[i] = (uint8_t)v;
	return gfid;
}

static inline struct xlator *child(unsigned i)
{
	return w.top->children[i];
}

static inline void away(unsigned i, bool down)
{
	assert_int_equal(graph_set_option(w.graph, child(i)->name, "enable", down ? "on" : "off", NULL), 0);
	xl_notify(child(i), down ? XL_DOWN : XL_UP, NULL);
}

static inline uint64_t calls(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w.n; i++) {
		for (unsigned op = 0; op < FOP_COUNT; op++)
			sum += child(i)->calls[op];
	}
	return sum;
}

static inline int mk(struct inode *dir, const char *name)
{
	struct create_args args = { .parent = dir, .name = name, .flags = O_EXCL | O_RDWR, .mode = 0644, .gfid = new_gfid() };
	struct create_res res = { 0 };

	return xl_create(w.top, &w.call, &args, &res);
}

static inline int mkd(struct inode *dir, const char *name)
{
	struct mkdir_args args = { .parent = dir, .name = name, .mode = 0755, .gfid = new_gfid() };
	struct mkdir_res res = { 0 };
	int ret = xl_mkdir(w.top, &w.call, &args, &res);

	if (ret == 0)
		assert_true(S_ISDIR(res.stat.mode) && gfid_equal(res.stat.gfid, args.gfid));
	return ret;
}

static inline int rm(struct inode *dir, const char *name)
{
	struct unlink_res res = { 0 };

	return xl_unlink(w.top, &w.call, &(struct unlink_args){ .parent = dir, .name = name }, &res);
}

static inline int rmd(struct inode *dir, const char *name)
{
	struct rmdir_res res = { 0 };

	return xl_rmdir(w.top, &w.call, &(struct rmdir_args){ .parent = dir, .name = name }, &res);
}

static inline int mv(struct inode *dir, const char *name, struct inode *to, const char *newname)
{
	struct rename_args args = { .oldparent = dir, .oldname = name, .newparent = to, .newname = newname };
	struct rename_res res = { 0 };

	return xl_rename(w.top, &w.call, &args, &res);
}

static inline int look_on(struct xlator *xl, struct inode *dir, const char *name, struct iatt *ret_stat)
{
	static const char *const names[] = { DHT_LINKTO };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_res res = { 0 };
	int ret = xl_lookup(xl, &w.call, &(struct lookup_args){ .parent = dir, .name = name, .want = &want }, &res);

	if (ret_stat)
		*ret_stat = res.stat;
	return ret < 0 ? ret : dht_is_linkto(&res.stat, &res.xattrs);	/* 0: data, 1: linkto */
}

static inline int look(struct inode *dir, const char *name)
{
	return look_on(w.top, dir, name, NULL);
}

static inline struct inode *node(struct inode *dir, const char *name)	/* stays in the table's LRU: nothing is forgotten here */
{
	struct iatt st;
	struct inode *inode;

	assert_int_equal(look_on(w.top, dir, name, &st), 0);
	inode = inode_get(w.graph->inodes, st.gfid);
	inode_unref(inode);
	return inode;
}

static inline int hashed_of(struct inode *dir, const char *name)
{
	return dht_hashed(w.top, &w.call, dir, name, NULL);
}

/* A name starting with @stem that belongs on child @on. */
static inline const char *name_on(struct inode *dir, const char *stem, int on)
{
	static char names[8][64];
	static unsigned next;
	char *name = names[next++ % 8];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, 64, "%s%u", stem, i);
		if (hashed_of(dir, name) == on)
			return name;
	}
	fail();
	return NULL;
}

/* What of @name is on each child: "d" data, "l" linkto, "-" nothing, "D" directory. */
static inline const char *where(struct inode *dir, const char *name)
{
	static char text[WORLD_MAX + 1];
	unsigned i;

	for (i = 0; i < w.n; i++) {
		struct iatt st;
		int ret = look_on(child(i), dir, name, &st);

		text[i] = ret == 1 ? 'l' : ret < 0 ? '-' : S_ISDIR(st.mode) ? 'D' : 'd';
	}
	text[i] = '\0';
	return text;
}

#endif
