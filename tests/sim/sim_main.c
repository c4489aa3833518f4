/* tests/sim/sim_main.c: runs the simulated volume for some seeds: sim_volume [--seed N] [--count
 * N] [--jobs N] [--without WHAT] [--verbose].
 *
 * A failure prints its seed; --seed N --count 1 --verbose tells the story again, exactly as it
 * was. The first failure ends the run; with --jobs it goes on, and lists all in the end (make
 * sim). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/log.h"
#include "tests/sim/sim.h"

struct sim_world sw;
#define F(id, name) name,
const char *const sim_fault_names[FAULTS] = { SIM_FAULTS(F) };
#undef F

static double seconds(void)
{
	return (double)(loop_now_ns(sw.loop) / MSEC) / 1000;
}

void sim_fail(const char *fmt, ...)
{
	va_list ap;

	if (sw.failed)
		return;
	sw.failed = true;
	fprintf(stderr, "sim_volume: seed %llu, %u sets of %u, at %.3f s: ", (unsigned long long)sw.seed, sw.sets, sw.copies, seconds());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	loop_stop(sw.loop);
}

void sim_trace(const char *fmt, ...)
{
	va_list ap;

	if (!sw.verbose)
		return;
	printf("%10.3f ", seconds());
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void coroutine_fn stop_everything(void)
{
	unsigned i;

	for (i = 0; i < sw.ngateways; i++)
		gateway_kill(i);
	for (i = 0; i < brick_count(); i++)
		brick_kill(&sw.bricks[i], false, false);
	sim_clear_away();
}

static void coroutine_fn story(void *arg)
{
	unsigned i;

	co_yield();
	for (i = 0; i < brick_count(); i++)
		brick_start(&sw.bricks[i]);
	for (i = 0; i < sw.ngateways; i++)
		gateway_start(i);
	sim_users_start();
	co_sleep_ns(2 * SEC);
	sim_nemesis(NULL);
	while (sw.working)
		co_sleep_ns(100 * MSEC);
	co_sleep_ns(10 * SEC);		/* what is done in the background */
	sim_users_verify();
	sim_users_change();
	for (i = 0; i < sw.ngateways; i++) {	/* and seen through gateways that remember nothing */
		gateway_kill(i);
		gateway_start(i);
	}
	sim_users_verify();
	stop_everything();
	sim_disks_verify();
	loop_stop(sw.loop);
}

/* True when all was well. The world of a failed run is left as it is: it is full of coroutines. */
bool sim_run_seed(uint64_t seed, bool verbose, const char *without)
{
	int ret;

	memset(&sw, 0, sizeof(sw));
	sw.seed = seed;
	sw.verbose = verbose;
	sw.without = without;
	sw.loop = loop_new_sim(seed);
	sw.sets = 1 + (unsigned)rnd(2);
	sw.copies = 2 + (unsigned)rnd(2);
	sw.ngateways = 1 + (unsigned)rnd(GATEWAYS_MAX);
	sw.nusers = 1 + (unsigned)rnd(4);
	sw.rounds = 5 + (unsigned)rnd(20);
	world_make();
	co_start(sw.loop, story, NULL);
	ret = loop_run(sw.loop);
	if (ret < 0)
		sim_fail("nothing can happen any more: everybody waits for ever");
	if (sw.failed)
		return false;
	if (verbose)
		printf("seed %llu: %u sets of %u, %u gateways, %u users: %llu steps, %llu retries, %llu kills, %.0f s\n",
		       (unsigned long long)seed, sw.sets, sw.copies, sw.ngateways, sw.nusers, (unsigned long long)sw.ops,
		       (unsigned long long)sw.retries, (unsigned long long)sw.kills, seconds());
	world_free();
	loop_free(sw.loop);
	return true;
}

/* Seeds that found something once, and without what. Other changes make other stories of them; they are cheap to keep. */
static const struct { uint64_t seed; const char *without; } found[] = {
	{ 20, "gp" },			/* the accuser's directory lacked the name: its accusation was not heard, and old data read */
	{ 113, "" }, { 52, "" },	/* two copies accused each other: one was short of an append, and went on alone */
	{ 178, "" },			/* only one of two participants accused the third */
	{ 62, "" }, { 74, "" }, { 121, "" },	/* a stale copy's ESTALE, for a lock, a lookup and a mark */
	{ 63, "" }, { 135, "" }, { 140, "" },	/* a stale copy could not follow an entry call */
	{ 112, "" }, { 158, "" },	/* no copy is whole in both directories of a rename */
	{ 381, "" },			/* what is not there accused somebody */
	{ 21, "" }, { 110, "" }, { 96, "" }, { 895, "" },	/* a rename between subvolumes left a name behind */
	{ 70, "" }, { 770, "" },	/* a range that some copies had, a directory that a subvolume lacked: EIO */
	{ 417, "" }, { 555, "" },	/* names on one copy, and no mark */
	{ 1518, "" }, { 586, "" },	/* the answer to a linkto's RENAME was lost: its new name was taken back, its old one was a leftover */
	{ 2300, "" },			/* a linkto's RENAME had happened on two copies of three, and was vouched for without a mark */
	{ 3671, "" },			/* what a rename had begun was taken for its end while the other subvolume was away */
	{ 1140, "" },			/* a power cut took a new directory before it was forced */
};

static void run_or_exit(uint64_t seed, bool verbose, const char *without)
{
	if (sim_run_seed(seed, verbose, without))
		return;
	fflush(NULL);
	_exit(1);			/* that world cannot be taken down any more: a leak check would only add noise */
}

static int usage(void)
{
	fprintf(stderr, "usage: sim_volume [--seed N] [--count N] [--jobs N] [--verbose]"
		" [--without g|p|t|h]\n");
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0, count = 50, i;
	const char *without = "";
	unsigned jobs = 0;
	bool verbose = false;
	int a;

	for (a = 1; a < argc; a++) {
		if (strcmp(argv[a], "--verbose") == 0)
			verbose = true;
		else if (strcmp(argv[a], "--seed") == 0 && a + 1 < argc)
			seed = strtoull(argv[++a], NULL, 10);
		else if (strcmp(argv[a], "--count") == 0 && a + 1 < argc)
			count = strtoull(argv[++a], NULL, 10);
		else if (strcmp(argv[a], "--jobs") == 0 && a + 1 < argc)
			jobs = (unsigned)strtoul(argv[++a], NULL, 10);
		else if (strcmp(argv[a], "--without") == 0 && a + 1 < argc)
			without = argv[++a];
		else
			return usage();
	}
	log_open("sim_volume", NULL, verbose ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR);
	if (jobs)
		return sim_range(seed, count, jobs, without);
	for (i = 0; !seed && i < sizeof(found) / sizeof(found[0]); i++)
		run_or_exit(found[i].seed, verbose, found[i].without);
	seed = seed ? seed : 1;
	for (i = 0; i < count; i++)
		run_or_exit(seed + i, verbose, without);
	printf("sim_volume: %llu seeds from %llu, all well\n", (unsigned long long)count, (unsigned long long)seed);
	return 0;
}
