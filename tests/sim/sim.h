/* tests/sim/sim.h: a whole volume on the simulated loop: bricks on disks that forget, gateways, users, and bad luck from one seed.
 *
 * Everything runs in one thread with a virtual clock. A brick is a host with a real brick server over storage/memory; a gateway is a host
 * with the real client graph. Users work on the top of a gateway's graph as the NFS head does: durable calls, O_DSYNC, or write and fsync;
 * what may be cured by waiting they try again, elsewhere too, until it is answered. What was answered must be true for ever.
 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include "bricks/brick.h"
#include "runtime/sim.h"
#include "runtime/sync.h"
#include "xlators/graph.h"
#include "xlators/storage/memory/memory.h"
#include "xlators/xlator.h"

#define SEC 1000000000ull
#define MSEC 1000000ull
#define BRICKS_MAX 6
#define GATEWAYS_MAX 2

struct sim_brick {
	unsigned index;
	struct in_addr host;
	struct memory_disk *disk;
	struct graph *graph;
	struct brick_server *server;
	bool up;
};

struct sim_gateway {			/* one life of one; a restart makes another */
	unsigned index;
	struct in_addr host;
	struct graph *graph;
	bool dead;
	unsigned users;			/* calls in it */
	uint64_t restarts;		/* of bricks, as it heard: unstable writes before are in doubt */
};

/* The faults that the nemesis made, counted by kind. */
#define SIM_FAULTS(F) \
	F(KILL, "kill") F(POWER, "power") F(OUTAGE, "outage") F(GATEWAY, "gateway") \
	F(PARTITION, "partition") F(DELAY, "delay") F(TURN, "turn")
#define F(id, name) FAULT_##id,
enum sim_fault { SIM_FAULTS(F) FAULTS };
#undef F
extern const char *const sim_fault_names[FAULTS];

struct sim_world {
	uint64_t seed;
	struct loop *loop;
	unsigned sets, copies, ngateways, nusers, rounds;
	bool quiet, verbose;
	const char *without;		/* g: no gateway dies; p: no partitions; t: nothing but copies that go in turn; h: no disk hangs */
	struct sim_brick bricks[BRICKS_MAX];
	struct sim_gateway *gateways[GATEWAYS_MAX];
	unsigned burying;		/* dead processes whose remains are being cleared away */
	unsigned working;		/* users that are not done */
	bool failed;
	uint64_t ops, retries, kills, faults[FAULTS], hangs;
};
extern struct sim_world sw;

/* Says what is wrong, with the seed; the first one ends the run. */
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sim_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define CHECK(cond, ...) do { if (!(cond)) sim_fail(__VA_ARGS__); } while (0)
static inline uint64_t rnd(uint64_t below) { return sim_random(sw.loop, below); }
static inline unsigned brick_count(void) { return sw.sets * sw.copies; }

/* sim_main.c: true when all was well. The world of a failed run is left as it is. */
bool sim_run_seed(uint64_t seed, bool verbose, const char *without);
/* sim_range.c: exit status */
int sim_range(uint64_t from, uint64_t count, unsigned jobs, const char *without);

/* sim_hosts.c */
void coroutine_fn brick_start(struct sim_brick *b);
void coroutine_fn brick_kill(struct sim_brick *b, bool power, bool silent);
void coroutine_fn gateway_start(unsigned index);
void coroutine_fn gateway_kill(unsigned index);
bool gateway_sees_firsts(const struct sim_gateway *gw);	/* of pairs that others may go on with */
void coroutine_fn sim_clear_away(void);		/* until all that was killed is gone */
void world_make(void);
void world_free(void);

/* sim_users.c */
void sim_users_start(void);
void coroutine_fn sim_users_change(void);	/* everybody is there: everything can be changed, soon */
void coroutine_fn sim_users_verify(void);	/* all that was answered is there, seen through a gateway */
void sim_users_free(void);
const uint8_t *sim_user_gfid(unsigned user, unsigned file);	/* NULL: no such file now */

/* sim_nemesis.c */
void coroutine_fn sim_nemesis(void *arg);	/* bad luck until sw.rounds are over, then repairs everything */

/* sim_disks.c */
void coroutine_fn sim_disks_tell(const uint8_t *gfid);	/* with --verbose: what each disk has of an object */
void coroutine_fn sim_disks_verify(void);	/* copies that nobody blames are alike; all bricks are down */

#endif
