/* runtime/loop_sim.c: the simulated loop: time that jumps and chance that repeats.
 *
 * Everything that happens later is a timer, so waiting is setting the clock to the next one. Whatever has a choice
 * (which ready coroutine goes first, how long a packet takes) asks one generator, so that a seed tells the whole
 * story. */
#include <stdlib.h>
#include <string.h>

#include "runtime/sim_private.h"

#define WALL_START_S 1800000000		/* 2027-01-15T08:00:00Z */
#define ROUND_NS 1000u			/* a round takes time, else code that polls the clock would never see it move */

static const struct loop_ops sim_ops;

struct sim *sim_of(struct loop *loop)
{
	assert(loop->ops == &sim_ops);
	return loop->backend;
}

/* splitmix64 */
static uint64_t next_random(struct sim *sim)
{
	uint64_t z = (sim->random += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t sim_random(struct loop *loop, uint64_t below)
{
	return below > 1 ? next_random(sim_of(loop)) % below : 0;
}

static uint64_t between(struct sim *sim, uint64_t min, uint64_t max)
{
	return min + sim_random(sim->loop, max - min + 1);
}

uint64_t sim_network_delay(struct sim *sim)
{
	return between(sim, sim->delay_min_ns, sim->delay_max_ns);
}

static int sim_ops_wait(struct loop *loop, uint64_t until_ns)
{
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	if (until_ns == UINT64_MAX)
		return -EDEADLK;
	loop->now_ns = until_ns > loop->now_ns ? until_ns : loop->now_ns + ROUND_NS;
	return 0;
}

static void sim_ops_wake(struct loop *loop)
{
	/* It never sleeps. */
}

static void sim_ops_wallclock(struct loop *loop, int64_t *ret_sec, uint32_t *ret_nsec)
{
	*ret_sec = WALL_START_S + (int64_t)(loop->now_ns / 1000000000u);
	*ret_nsec = (uint32_t)(loop->now_ns % 1000000000u);
}

static void sim_ops_random(struct loop *loop, void *buf, size_t len)
{
	struct sim *sim = sim_of(loop);
	uint64_t word;
	size_t n;

	for (; len; len -= n, buf = (char *)buf + n) {
		word = next_random(sim);
		n = len < sizeof(word) ? len : sizeof(word);
		memcpy(buf, &word, n);
	}
}

static int coroutine_fn sim_ops_offload(struct loop *loop, int (*blocking)(void *arg), void *arg)
{
	struct sim *sim = sim_of(loop);

	co_shield();
	co_sleep_ns(between(sim, sim->offload_min_ns, sim->offload_max_ns));
	co_unshield();
	return blocking(arg);
}

static void sim_ops_fini(struct loop *loop)
{
	struct sim *sim = sim_of(loop);

	sim_network_fini(sim);
	free(sim);
}

static const struct loop_ops sim_ops = {
	.wait = sim_ops_wait,
	.wake = sim_ops_wake,
	.wallclock = sim_ops_wallclock,
	.random = sim_ops_random,
	.choose = sim_random,
	.offload = sim_ops_offload,
	.connect = sim_connect,
	.listen = sim_listen,
	.fini = sim_ops_fini,
};

struct loop *loop_new_sim(uint64_t seed)
{
	struct loop *loop = malloc(sizeof(*loop));
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!loop || !sim)
		abort();
	loop_init(loop, &sim_ops, NULL);
	loop->backend = sim;
	loop->now_ns = 1000000000u;	/* 0 would read as "no deadline" */
	sim->loop = loop;
	sim->random = seed;
	sim_set_delay(loop, 50000, 2000000);
	sim_set_offload_delay(loop, 10000, 500000);
	sim_network_init(sim);
	return loop;
}

void sim_set_delay(struct loop *loop, uint64_t min_ns, uint64_t max_ns)
{
	struct sim *sim = sim_of(loop);

	assert(min_ns <= max_ns);
	sim->delay_min_ns = min_ns;
	sim->delay_max_ns = max_ns;
}

void sim_set_offload_delay(struct loop *loop, uint64_t min_ns, uint64_t max_ns)
{
	struct sim *sim = sim_of(loop);

	assert(min_ns <= max_ns);
	sim->offload_min_ns = min_ns;
	sim->offload_max_ns = max_ns;
}
