/* tests/unit/test_sync.c: mutex, queue and gate, on the simulated loop so that every seed is another order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "runtime/sync.h"
#include "runtime/loop.h"

#define SEEDS 30

static struct loop *loop;

static void run(co_entry *entry, void *arg)
{
	uint64_t seed;

	for (seed = 0; seed < SEEDS; seed++) {
		loop = loop_new_sim(seed);
		assert_non_null(co_start(loop, entry, arg));
		assert_int_equal(loop_run(loop), -EDEADLK);
		loop_free(loop);
	}
}

/* --- mutex --- */

struct shared { struct co_mutex m; int inside, count; int order[64]; };

static int coroutine_fn critical(void *ctx, unsigned i)
{
	struct shared *s = ctx;
	int n;

	for (n = 0; n < 5; n++) {
		assert_int_equal(co_mutex_lock(&s->m), 0);
		assert_int_equal(s->inside++, 0);
		assert_false(co_mutex_trylock(&s->m));
		co_yield();
		co_sleep_ns(100);
		s->count++;
		s->inside--;
		co_mutex_unlock(&s->m);
	}
	return 0;
}

static void coroutine_fn exclusive(void *arg)
{
	struct shared s = { 0 };

	co_mutex_init(&s.m);
	assert_true(co_fanout(0xffff, critical, &s) == 0xffff);
	assert_int_equal(s.count, 80);
	assert_false(s.m.locked);
}

static void test_mutex_excludes(void **state)
{
	run(exclusive, NULL);
}

static int coroutine_fn in_turn(void *ctx, unsigned i)
{
	struct shared *s = ctx;

	co_sleep_ns(i * 100000);
	if (co_mutex_lock(&s->m) < 0)
		return -EIO;
	s->order[s->count++] = (int)i;
	co_sleep_ns(1000000);
	co_mutex_unlock(&s->m);
	return 0;
}

static void coroutine_fn fair(void *arg)
{
	struct shared s = { 0 };
	int i;

	co_mutex_init(&s.m);
	assert_true(co_fanout(0xff, in_turn, &s) == 0xff);
	for (i = 0; i < 8; i++)
		assert_int_equal(s.order[i], i);
}

static void test_mutex_is_fair(void **state)
{
	run(fair, NULL);
}

/* One waiter of three times out while it waits: the lock must go on to the others. */
static int coroutine_fn impatient(void *ctx, unsigned i)
{
	struct shared *s = ctx;
	uint64_t old = 0;
	int ret;

	co_sleep_ns(i * 10000);
	if (i == 1)
		old = co_set_deadline(loop_now_ns(loop) + 50000);
	ret = co_mutex_lock(&s->m);
	if (i == 1) {
		assert_int_equal(ret, -ETIMEDOUT);
		co_restore_deadline(old);
		return ret;
	}
	assert_int_equal(ret, 0);
	co_sleep_ns(1000000);
	s->count++;
	co_mutex_unlock(&s->m);
	return 0;
}

static void coroutine_fn interrupted_waiter(void *arg)
{
	struct shared s = { 0 };

	co_mutex_init(&s.m);
	assert_true(co_fanout(7, impatient, &s) == 5);
	assert_int_equal(s.count, 2);
	assert_false(s.m.locked);
	assert_true(list_empty(&s.m.waiters));
}

static void test_mutex_interrupted(void **state)
{
	run(interrupted_waiter, NULL);
}

/* The holder hands over at the very moment the waiter's deadline comes: whoever wins, the lock is not lost. */
static int coroutine_fn at_the_same_moment(void *ctx, unsigned i)
{
	struct shared *s = ctx;
	uint64_t old;
	int ret;

	if (i == 0) {
		assert_int_equal(co_mutex_lock(&s->m), 0);
		co_sleep_ns(1000000);
		co_mutex_unlock(&s->m);
		return 0;
	}
	co_yield();
	old = co_set_deadline(loop_now_ns(loop) + 900000 + i * 20000);
	ret = co_mutex_lock(&s->m);
	co_restore_deadline(old);
	if (!ret)
		co_mutex_unlock(&s->m);
	return ret;
}

static void coroutine_fn race(void *arg)
{
	struct shared s = { 0 };

	co_mutex_init(&s.m);
	co_fanout(0x3ff, at_the_same_moment, &s);
	assert_false(s.m.locked);
	assert_true(list_empty(&s.m.waiters));
}

static void test_mutex_race(void **state)
{
	run(race, NULL);
}

/* --- queue --- */

struct box { struct co_queue q; int items, taken, timeouts; };

static int coroutine_fn consumer_or_producer(void *ctx, unsigned i)
{
	struct box *b = ctx;
	uint64_t old;
	int n;

	if (i == 9) {
		for (n = 0; n < 8; n++) {
			co_sleep_ns(10000);
			b->items++;
			co_queue_wake_one(&b->q);
		}
		return 0;
	}
	old = co_set_deadline(loop_now_ns(loop) + 1000000);
	while (!b->items) {
		if (co_queue_wait(&b->q) == -ETIMEDOUT) {
			b->timeouts++;
			break;
		}
	}
	co_restore_deadline(old);
	if (b->items) {
		b->items--;
		b->taken++;
	}
	return 0;
}

static void coroutine_fn queue(void *arg)
{
	struct box b = { 0 };

	co_queue_init(&b.q);
	assert_false(co_queue_wake_one(&b.q));
	assert_true(co_fanout(0x3ff, consumer_or_producer, &b) == 0x3ff);
	assert_int_equal(b.taken, 8);
	assert_int_equal(b.timeouts, 1);
}

static void test_queue(void **state)
{
	run(queue, NULL);
}

static int coroutine_fn wait_for_all(void *ctx, unsigned i)
{
	struct box *b = ctx;

	if (i < 5)
		return co_queue_wait(&b->q);
	co_sleep_ns(1000);
	co_queue_wake_all(&b->q);
	return 0;
}

static void coroutine_fn wake_all(void *arg)
{
	struct box b = { 0 };

	co_queue_init(&b.q);
	assert_true(co_fanout(0x3f, wait_for_all, &b) == 0x3f);
}

static void test_queue_wake_all(void **state)
{
	run(wake_all, NULL);
}

/* --- gate --- */

struct door { struct co_gate g; int left; };

static int coroutine_fn pass(void *ctx, unsigned i)
{
	struct door *d = ctx;
	uint64_t old;

	if (i < 4) {
		assert_true(co_gate_enter(&d->g));
		co_sleep_ns((i + 1) * 1000000);
		d->left++;
		co_gate_leave(&d->g);
		return 0;
	}
	co_sleep_ns(100000);
	old = co_set_deadline(loop_now_ns(loop) + 1000000);
	assert_int_equal(co_gate_close(&d->g), -ETIMEDOUT);
	co_restore_deadline(old);
	assert_false(co_gate_enter(&d->g));
	assert_int_equal(co_gate_close(&d->g), 0);
	assert_int_equal(d->left, 4);
	assert_int_equal(co_gate_close(&d->g), 0);
	return 0;
}

static void coroutine_fn gate(void *arg)
{
	struct door d = { 0 };

	co_gate_init(&d.g);
	assert_true(co_fanout(0x1f, pass, &d) == 0x1f);
}

static void test_gate(void **state)
{
	run(gate, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutex_excludes),
		cmocka_unit_test(test_mutex_is_fair),
		cmocka_unit_test(test_mutex_interrupted),
		cmocka_unit_test(test_mutex_race),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_queue_wake_all),
		cmocka_unit_test(test_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
