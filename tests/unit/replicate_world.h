/* tests/unit/replicate_world.h: up to three bricks in memory and clients of cluster/replicate over them, on the simulated loop.
 *
 * A brick keeps objects, names, pending counters and lock tables; it can be killed, and one call on it can be made to fail, before or after
 * its effect. What stands on the "disks" afterwards is what the tests judge. */
#ifndef REPLICATE_WORLD_H
#define REPLICATE_WORLD_H

#include "xlators/graph.h"
#include "xlators/xlator.h"

#define BRICKS 3
#define CLIENTS 3
#define OBJECTS 64
#define CONTENT 256

struct object {
	bool exists;
	uint8_t gfid[16];
	uint32_t mode, nlink, xattrs;	/* number of attributes that it was given */
	uint64_t size;
	uint8_t data[CONTENT];
	int32_t dirty[3], pending[BRICKS][3];
};
struct entry { bool exists; uint8_t parent[16], gfid[16]; char name[32]; };
struct held {
	bool exists, is_entry, whole;
	unsigned client, count;
	uint8_t owner[8], gfid[16];
	char domain[32], name[32];
	uint64_t start, len;
};
struct waiter;

struct disk {
	bool down, half;
	int refuses;			/* errno of a disk that is full or failing, for the calls below; 0: it is well */
	uint64_t refused;		/* bits by enum fop */
	struct object objects[OBJECTS];
	struct entry entries[OBJECTS * 2];
	struct held held[64];
	struct list waiters;
	unsigned contentions;		/* callbacks sent */
};

/* DIE_HALF: what is being made has its name, and neither gfid nor attributes. */
enum how { FAIL_BEFORE, FAIL_AFTER, DIE_BEFORE, DIE_AFTER, HOWS, DIE_HALF = HOWS };
struct fault { bool armed, fired; unsigned brick; int op; unsigned countdown; enum how how; int err; enum fop fired_op; bool fired_unlock; };

struct client_world {
	struct graph graph;
	struct xlator top, leaf[BRICKS];
	struct xlator *all[BRICKS + 1];
	bool alive, down[BRICKS];	/* cut off from one brick */
	unsigned ups, downs;
};

struct world {
	struct loop *loop;
	unsigned n;
	struct disk disks[BRICKS];
	struct client_world clients[CLIENTS];
	struct fault fault;
	uint64_t max_delay_ns;
	bool lax;			/* bricks lock what they do not have, as ours do */
	unsigned calls;			/* on all bricks */
};
extern struct world w;

/* Runs @body in a coroutine of a new world with @n bricks; @options are "key", "value", ..., NULL for cluster/replicate. */
void world_run(uint64_t seed, unsigned n, const char *const *options, void (*body)(void));
void world_client_new(unsigned client);		/* comes up; parks until the bricks answered its probe */
void world_client_free(unsigned client);
void world_kill(unsigned brick);
void world_start(unsigned brick);
void world_cut(unsigned client, unsigned brick, bool apart);
void world_rest(void);				/* long enough for delayed post-ops */
void world_arm(unsigned brick, int op, unsigned nth, enum how how, int err);	/* op -1: any call */

struct object *disk_object(unsigned brick, const uint8_t *gfid);	/* NULL: is not there */
struct entry *disk_entry(unsigned brick, const uint8_t *parent, const char *name);
unsigned disk_locks(unsigned brick);
bool accuses(unsigned brick, const uint8_t *gfid, unsigned about, unsigned type);

/* Calls of a client; each with an arena of its own, freed at once. */
struct inode *the_inode(unsigned client, const uint8_t *gfid);
int do_lookup(unsigned client, const uint8_t *parent, const char *name, struct iatt *ret_st);
int do_lookup_gfid(unsigned client, const uint8_t *gfid, struct iatt *ret_st);
int do_stat(unsigned client, const uint8_t *gfid, struct iatt *ret_st);
int do_create(unsigned client, const uint8_t *parent, const char *name, uint8_t id, struct iatt *ret_st);
int do_mkdir(unsigned client, const uint8_t *parent, const char *name, uint8_t id);
int do_symlink(unsigned client, const uint8_t *parent, const char *name, uint8_t id);
int do_unlink(unsigned client, const uint8_t *parent, const char *name);
int do_rmdir(unsigned client, const uint8_t *parent, const char *name);
int do_rename(unsigned client, const uint8_t *from, const char *name, const uint8_t *to, const char *newname);
int do_link(unsigned client, const uint8_t *gfid, const uint8_t *to, const char *name);
int do_write(unsigned client, const uint8_t *gfid, uint64_t offset, uint8_t byte, uint32_t len, uint32_t flags, struct iatt *ret_st);
int do_read(unsigned client, const uint8_t *gfid, uint8_t *ret_byte, uint32_t *ret_len);	/* first byte, length */
int do_truncate(unsigned client, const uint8_t *gfid, uint64_t size);
int do_fsync(unsigned client, const uint8_t *gfid);
int do_flush(unsigned client, const uint8_t *gfid);
int do_setattr(unsigned client, const uint8_t *gfid, uint32_t mode);
int do_list(unsigned client, const uint8_t *dir, unsigned *ret_n, unsigned *ret_with_stat);
/* One entry after *offset, which moves on; -ENOENT at the end. */
int do_list_next(unsigned client, const uint8_t *dir, uint64_t *offset, char name[32]);
const uint8_t *id_gfid(uint8_t id);		/* the gfid that do_create() and friends make of @id */

/* Between the two files of this world. */
void *test_brick_priv(unsigned client, unsigned brick);
void brick_forget_client(unsigned brick, unsigned client);

#endif
