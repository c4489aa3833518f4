/* tests/sim/sim_nemesis.c: what goes wrong: bricks killed or without power, gateways killed, hosts cut off from each other, slow networks. */
#include <string.h>

#include "tests/sim/sim.h"

struct sickness { unsigned what, a, b; uint64_t for_ns; };

static void coroutine_fn brick_out(struct sickness *s)
{
	struct sim_brick *b = &sw.bricks[s->a];
	bool power, silent;

	if (!b->up)
		return;
	silent = rnd(3) == 0;
	power = rnd(2);
	sw.faults[power ? FAULT_POWER : FAULT_KILL]++;
	brick_kill(b, power, silent);
	co_sleep_ns(s->for_ns);
	brick_start(b);
}

static void coroutine_fn all_out(struct sickness *s)
{
	bool mine[BRICKS_MAX] = { false };
	unsigned i;

	sw.faults[FAULT_OUTAGE]++;
	for (i = 0; i < brick_count(); i++) {
		mine[i] = sw.bricks[i].up;
		if (mine[i])
			brick_kill(&sw.bricks[i], true, rnd(2));
	}
	co_sleep_ns(s->for_ns);
	for (i = 0; i < brick_count(); i++)
		if (mine[i])
			brick_start(&sw.bricks[i]);
}

static void coroutine_fn gateway_out(struct sickness *s)
{
	unsigned g = s->b;

	if (!sw.gateways[g])
		return;
	sw.faults[FAULT_GATEWAY]++;
	gateway_kill(g);
	co_sleep_ns(s->for_ns / 4 + 1);
	gateway_start(g);
}

static void coroutine_fn cut_off(struct sickness *s)
{
	struct in_addr brick = sw.bricks[s->a].host, gateway;

	if (!sw.gateways[s->b])
		return;
	gateway = sw.gateways[s->b]->host;
	sw.faults[FAULT_PARTITION]++;
	sim_trace("gateway %u and brick %u cannot talk", s->b, s->a);
	sim_partition(sw.loop, gateway, brick, true);
	co_sleep_ns(s->for_ns);
	sim_partition(sw.loop, gateway, brick, false);
	sim_trace("gateway %u and brick %u talk again", s->b, s->a);
}

static void coroutine_fn slow(struct sickness *s)
{
	sw.faults[FAULT_DELAY]++;
	sim_set_delay(sw.loop, MSEC, 200 * MSEC);
	co_sleep_ns(s->for_ns / 4 + 1);
	sim_set_delay(sw.loop, MSEC / 20, 2 * MSEC);
}

/* ---- disks that hang ----
 *
 * From a stream of their own, so that worlds without them keep their stories; one world in three has them. */

static uint64_t hang_state;

static uint64_t hang_rnd(uint64_t below)
{
	uint64_t x = hang_state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (x ^ x >> 31) % below;
}

static bool hanging;

static void coroutine_fn hang_disks(void *arg)
{
	while (!sw.quiet && !sw.failed) {
		struct sim_brick *b = &sw.bricks[hang_rnd(brick_count())];
		enum memory_hang how = hang_rnd(2) ? DISK_FROZEN : DISK_DEAD;

		co_sleep_ns(hang_rnd(2) ? hang_rnd(SEC) : hang_rnd(6 * SEC));
		sim_trace("disk of brick %u hangs%s", b->index, how == DISK_DEAD ? ", reads too" : "");
		memory_disk_hang(b->disk, how);
		sw.hangs++;
		co_sleep_ns(hang_rnd(2) ? hang_rnd(3 * SEC) : hang_rnd(15 * SEC));
		memory_disk_hang(b->disk, DISK_RUNS);
		sim_trace("disk of brick %u runs", b->index);
	}
	hanging = false;
}

static void hang_begin(void)
{
	hang_state = sw.seed ^ 0x68616e67ull;
	hanging = !hang_rnd(3) && !strchr(sw.without, 'h');
	if (hanging)
		co_start(sw.loop, hang_disks, NULL);
}

static unsigned sick;

static void coroutine_fn fall_ill(void *arg)
{
	struct sickness s = *(struct sickness *)arg;

	if (s.what < 9)
		brick_out(&s);
	else if (s.what < 10)
		all_out(&s);
	else if (s.what < 12 && !strchr(sw.without, 'g'))
		gateway_out(&s);
	else if (s.what >= 12 && s.what < 15 && !strchr(sw.without, 'p'))
		cut_off(&s);
	else
		slow(&s);
	sick--;
}

/* As tests/system/replica3.sh does: every copy in turn misses something, then all but one go at once and come back one by one. */
static void coroutine_fn in_turn(void)
{
	unsigned set = (unsigned)rnd(sw.sets) * sw.copies, i;

	sw.faults[FAULT_TURN]++;
	for (i = 0; i < sw.copies; i++) {
		brick_kill(&sw.bricks[set + i], false, false);
		co_sleep_ns(rnd(2 * SEC));
		brick_start(&sw.bricks[set + i]);
		co_sleep_ns(rnd(SEC));
	}
	co_sleep_ns(rnd(SEC));
	for (i = 0; i < sw.copies; i += 2) {
		brick_kill(&sw.bricks[set + i], false, false);
		co_sleep_ns(rnd(2) ? 0 : rnd(5 * MSEC));
	}
	co_sleep_ns(rnd(2 * SEC));
	for (i = sw.copies; i-- > 0; ) {
		if (sw.bricks[set + i].up)
			continue;
		brick_start(&sw.bricks[set + i]);
		co_sleep_ns(rnd(4 * SEC));
	}
}

void coroutine_fn sim_nemesis(void *arg)
{
	struct sickness s;
	unsigned i;

	hang_begin();
	if (strchr(sw.without, 't')) {
		in_turn();
		sw.quiet = true;
		while (hanging)
			co_sleep_ns(50 * MSEC);
		sim_trace("quiet");
		return;
	}

	for (i = 0; i < sw.rounds && !sw.failed; i++) {
		co_sleep_ns(rnd(3) ? rnd(300 * MSEC) : rnd(4 * SEC));
		s = (struct sickness){ (unsigned)rnd(16), (unsigned)rnd(brick_count()), (unsigned)rnd(sw.ngateways), 0 };
		s.for_ns = rnd(2) ? rnd(500 * MSEC) : rnd(8 * SEC);
		sick++;
		co_start(sw.loop, fall_ill, &s);
		co_yield();
	}
	while (sick)
		co_sleep_ns(50 * MSEC);
	sw.quiet = true;
	while (hanging)
		co_sleep_ns(50 * MSEC);
	sim_trace("quiet");
}
