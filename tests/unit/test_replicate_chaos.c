/* tests/unit/test_replicate_chaos.c: clients that work while bricks die and return, from seeds. A failure prints its seed.
 *
 * Each client owns a file, a mode and a name that only it changes, in steps it counts; everybody reads them. A read may show the last answered
 * step or a later one that was tried, never an older one. At the end the disks must tell the truth about themselves. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "runtime/log.h"
#include "runtime/sim.h"
#include "tests/unit/replicate_world.h"

#define ROOT gfid_root
#define STEPS 60
#define USERS 3

static const char *const automatic[] = { "quorum-type", "auto", NULL };
static uint64_t seed;
static unsigned done;
static bool over;

/* What was answered last, what was tried last. */
static struct { uint8_t answered, tried; } data[USERS], mode[USERS];
static struct { bool there, known; } name[USERS];
static struct { unsigned reads, waits, writes, errors; } sum;

static int last_ret;

static void say_marks(unsigned b, const uint8_t *gfid)
{
	struct object *o = disk_object(b, gfid);
	unsigned j;

	for (j = 0; o && j < w.n; j++)
		fprintf(stderr, " b%u->b%u:%d,%d,%d", b, j, o->pending[j][0], o->pending[j][1], o->pending[j][2]);
	if (o)
		fprintf(stderr, " size=%u data=%u mode=%u", (unsigned)o->size, o->data[0], o->mode & 0777);
	fprintf(stderr, "%s;", w.disks[b].down ? " down" : "");
}

static void check(bool ok, unsigned who, const char *what)
{
	unsigned b, id;

	if (ok)
		return;
	fprintf(stderr, "seed=%llu n=%u client=%u at=%llu ret=%d: %s\n", (unsigned long long)seed, w.n, who,
		(unsigned long long)(loop_now_ns(w.loop) / 1000000), last_ret, what);
	for (id = 0; id <= USERS; id++) {
		for (b = 0; b < w.n; b++)
			say_marks(b, id ? id_gfid((uint8_t)id) : gfid_root);
		fprintf(stderr, "\n");
	}
	fail();
}

static const uint8_t *file_of(unsigned u) { return id_gfid((uint8_t)(1 + u)); }

static void step_write(unsigned c)
{
	int ret = do_write(c, file_of(c), 0, ++data[c].tried, 10, sim_random(w.loop, 2) ? O_DSYNC : 0, NULL);

	sum.writes++;
	sum.errors += ret < 0;
	last_ret = ret;
	if (ret == 0)
		data[c].answered = data[c].tried;
	else
		check(ret == -ENOTCONN, c, "a write failed with something else than wait");
}

static void step_mode(unsigned c)
{
	int ret = do_setattr(c, file_of(c), ++mode[c].tried);

	last_ret = ret;
	if (ret == 0)
		mode[c].answered = mode[c].tried;
	else
		check(ret == -ENOTCONN, c, "a setattr failed with something else than wait");
}

static void step_read(unsigned c)
{
	unsigned u = (unsigned)sim_random(w.loop, USERS);
	uint8_t least = data[u].answered, byte;
	uint32_t len;
	int ret = do_read(c, file_of(u), &byte, &len);

	sum.reads++;
	last_ret = ret;
	if (ret == 0)
		check(byte >= least && byte <= data[u].tried, c, "a read shows an older state");
	else
		check(ret == -ENOTCONN, 10 * c + u, "a read failed with something else than wait");
	sum.waits += ret < 0;
}

static void step_stat(unsigned c)
{
	unsigned u = (unsigned)sim_random(w.loop, USERS);
	uint8_t least = mode[u].answered;
	struct iatt st;
	int ret = sim_random(w.loop, 2) ? do_stat(c, file_of(u), &st) : do_lookup_gfid(c, file_of(u), &st);

	last_ret = ret;
	if (ret == 0)
		check((st.mode & 0777) >= least && (st.mode & 0777) <= mode[u].tried, 10 * c + u, "a stat shows an older state");
	else
		check(ret == -ENOTCONN, c, "a stat failed with something else than wait");
}

/* A call that failed may have been carried out in part: what it left is cleared up by trying again, as a client would. */
static void step_name(unsigned c)
{
	char text[3] = { 'n', (char)('0' + c), 0 };
	uint8_t id = (uint8_t)(10 + c);
	int ret = name[c].there ? do_unlink(c, ROOT, text) : do_create(c, ROOT, text, id, NULL);

	last_ret = ret;
	if (ret == 0) {
		name[c].there = !name[c].there;
		name[c].known = true;
	} else if (ret == -ENOTCONN) {
		name[c].known = false;
	} else {
		check(!name[c].known && ret == (name[c].there ? -ENOENT : -EEXIST), c, "a name is not as it was answered");
		name[c].there = !name[c].there;
		name[c].known = true;
	}
}

static void step_look(unsigned c)
{
	unsigned u = (unsigned)sim_random(w.loop, USERS);
	char text[3] = { 'n', (char)('0' + u), 0 };
	bool known = name[u].known, there = name[u].there;
	int ret = do_lookup(c, ROOT, text, NULL);

	if (!known || !name[u].known || u != c || ret == -ENOTCONN)
		return;
	check(ret == (there ? 0 : -ENOENT), c, "a lookup shows an older state");
}

static void user(void *arg)
{
	unsigned c = (unsigned)(uintptr_t)arg, i;
	static void (*const steps[])(unsigned) = { step_write, step_write, step_mode, step_read, step_read, step_stat, step_name, step_look };

	for (i = 0; i < STEPS; i++) {
		steps[sim_random(w.loop, 8)](c);
		co_sleep_ns(sim_random(w.loop, 400000000));
	}
	done++;
}

static void killer(void *arg)
{
	while (!over) {
		unsigned b = (unsigned)sim_random(w.loop, w.n);

		co_sleep_ns(sim_random(w.loop, 1500000000));
		world_kill(b);
		co_sleep_ns(sim_random(w.loop, 1500000000));
		if (sim_random(w.loop, 3) == 0)
			world_kill((b + 1) % w.n);
		co_sleep_ns(sim_random(w.loop, 500000000));
		world_start(b);
		world_start((b + 1) % w.n);
	}
	done++;
}

static unsigned accused(const uint8_t *gfid, unsigned type)
{
	unsigned i, j, set = 0;

	for (i = 0; i < w.n; i++)
		for (j = 0; j < w.n; j++)
			if (accuses(i, gfid, j, type))
				set |= 1u << j;
	return set;
}

static void check_disks(void)
{
	unsigned u, a, all = (1u << w.n) - 1;

	for (a = 0; a < w.n; a++)
		check(disk_locks(a) == 0, a, "a lock is left");
	check(accused(ROOT, 2) != all, 99, "the directory's copies all accuse each other");
	for (u = 0; u < USERS; u++) {
		unsigned bad = accused(file_of(u), 0), bad_mode = accused(file_of(u), 1);

		check(bad != all && bad_mode != all, u, "a file's copies all accuse each other");
		for (a = 0; a < w.n; a++) {
			struct object *o = disk_object(a, file_of(u));
			char text[3] = { 'n', (char)('0' + u), 0 };

			check((bad >> a & 1) || (o->data[0] >= data[u].answered && o->data[0] <= data[u].tried), u,
			      "an answered write is not on a whole copy");
			check((bad_mode >> a & 1) || (o->mode & 0777) >= mode[u].answered, u, "an answered setattr is not on a whole copy");
			check((accused(ROOT, 2) >> a & 1) || !name[u].known || !!disk_entry(a, ROOT, text) == name[u].there, u,
			      "an answered name is not on a whole copy");
		}
	}
}

static int change(unsigned what, unsigned u)
{
	char text[3] = { 'x', (char)('0' + u), 0 };

	switch (what) {
	case 0: return do_setattr(u, file_of(u), mode[u].tried);
	case 1: return do_write(u, file_of(u), 0, data[u].tried, 10, 0, NULL);
	case 2: return do_truncate(u, file_of(u), 10);
	case 3: return do_create(u, ROOT, text, (uint8_t)(20 + u), NULL);
	case 4: return do_setattr(u, id_gfid((uint8_t)(20 + u)), 0600);
	case 5: return do_write(u, id_gfid((uint8_t)(20 + u)), 0, 'x', 10, O_DSYNC, NULL);
	default: return do_unlink(u, ROOT, text);
	}
}

/* With everybody there nothing waits for ever, for whatever was missed before. */
static void everything_can_be_changed(void)
{
	unsigned u, what, tries;

	for (u = 0; u < USERS; u++)
		for (what = 0; what < 7; what++) {
			for (tries = 0; (last_ret = change(what, u)) == -ENOTCONN && tries < 10; tries++)
				co_sleep_ns(1000000000);
			check(last_ret == 0, 10 * what + u, "everybody is there, and a change is not made");
		}
}

static void chaos_body(void)
{
	unsigned c;

	memset(data, 0, sizeof(data));
	memset(mode, 0, sizeof(mode));
	memset(name, 0, sizeof(name));
	done = 0;
	over = false;
	for (c = 1; c < USERS; c++)
		world_client_new(c);
	for (c = 0; c < USERS; c++) {
		char text[3] = { 'f', (char)('0' + c), 0 };

		name[c].known = true;
		check(do_create(c, ROOT, text, (uint8_t)(1 + c), NULL) == 0, c, "the beginning");
		step_write(c);
		step_mode(c);
	}
	for (c = 0; c < USERS; c++)
		co_start(w.loop, user, (void *)(uintptr_t)c);
	co_start(w.loop, killer, NULL);
	while (done < USERS)
		co_sleep_ns(100000000);
	over = true;
	while (done < USERS + 1)
		co_sleep_ns(100000000);
	world_rest();
	check_disks();
	everything_can_be_changed();
	world_rest();
	check_disks();
}

static void run(unsigned n)
{
	const char *one = getenv("SEED");
	const char *from = getenv("FIRST"), *count = getenv("SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 10) : from ? strtoull(from, NULL, 10) : 1;
	uint64_t last = one ? first : first - 1 + (count ? strtoull(count, NULL, 10) : 100);

	memset(&sum, 0, sizeof(sum));
	for (seed = first; seed <= last; seed++)
		world_run(seed, n, automatic, chaos_body);
	fprintf(stderr, "copies=%u: %u reads (%u waited), %u writes (%u waited)\n", n, sum.reads, sum.waits, sum.writes, sum.errors);
}

static void test_two(void **state) { run(2); }
static void test_three(void **state) { run(3); }

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_two), cmocka_unit_test(test_three) };

	log_open("test_replicate_chaos", "/dev/null", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
