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
	unsigned ups, downs, upcalls;
} w;

static inline void world_event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	w.ups += ev == XL_UP;
	w.downs += ev == XL_DOWN;
	w.upcalls += ev == XL_UPCALL;
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

#include "tests/unit/distribute_ops.h"

#endif
