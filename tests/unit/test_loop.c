/* tests/unit/test_loop.c: the loop over epoll: coroutines, timers, posts, defers, offloads, watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop.h"
#include "runtime/sync.h"

#define MS 1000000ull

static struct loop *loop;

/* Runs @entry in a coroutine until it calls loop_stop(). */
static void run(co_entry *entry, void *arg)
{
	assert_non_null(co_start(loop, entry, arg));
	assert_int_equal(loop_run(loop), 0);
}

static int setup(void **state)
{
	loop = loop_new(NULL);
	return loop ? 0 : -1;
}

/* Deadlines of milliseconds mean nothing by a real clock on a busy machine: these tests have a simulated one. */
static int setup_sim(void **state)
{
	loop = loop_new_sim(1);
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	loop_free(loop);
	return 0;
}

/* --- park and wake --- */

struct parked { struct co_wait wait; int ret; bool done; };

static void coroutine_fn park_once(void *arg)
{
	struct parked *p = arg;

	p->ret = co_park(&p->wait);
	p->done = true;
}

static void coroutine_fn wake_before_and_after(void *arg)
{
	struct parked early = { CO_WAIT_INIT, 0, false }, late = { CO_WAIT_INIT, 0, false };

	co_wake(&early.wait, 7);
	assert_ptr_equal(early.wait.co, NULL);
	park_once(&early);
	assert_int_equal(early.ret, 7);

	assert_non_null(co_start(loop, park_once, &late));
	assert_false(late.done);	/* started from a coroutine: queued */
	co_yield();
	assert_non_null(late.wait.co);
	co_wake(&late.wait, 9);
	co_wake(&late.wait, 10);	/* the first one counts */
	assert_false(late.done);
	co_yield();
	assert_true(late.done);
	assert_int_equal(late.ret, 9);
	loop_stop(loop);
}

static void test_wake(void **state)
{
	run(wake_before_and_after, NULL);
}

static void coroutine_fn note(void *arg)
{
	*(int *)arg = 1;
}

static void test_start_from_loop_runs_at_once(void **state)
{
	int ran = 0;

	assert_null(co_self());
	assert_non_null(co_start(loop, note, &ran));
	assert_int_equal(ran, 1);
}

static void coroutine_fn stop_at_once(void *arg)
{
	loop_stop(loop);
}

static void test_stop_before_run(void **state)
{
	run(stop_at_once, NULL);
	run(stop_at_once, NULL);
}

static unsigned __attribute__((noinline)) dig(volatile uint8_t *above, unsigned depth)
{
	volatile uint8_t here[512];

	here[0] = above ? above[0] : 1;
	return depth ? dig(here, depth - 1) + here[0] : here[0];
}

static void coroutine_fn overflow(void *arg)
{
	_exit(dig(NULL, 1000) == 0);
}

/* 500 KiB do not fit: the guard page must end the process before another stack is written to. */
static void test_guard_page(void **state)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		close(STDERR_FILENO);
		co_start(loop, overflow, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void stop_it(void *arg)
{
	loop_stop(arg);
}

static void test_cap_of_coroutines(void **state)
{
	struct loop_limits limits = { .coroutines = 2 };
	struct parked p[3] = { 0 };
	struct loop *small;
	int i;

	small = loop_new(&limits);
	assert_non_null(co_start(small, park_once, &p[0]));
	assert_non_null(co_start(small, park_once, &p[1]));
	assert_null(co_start(small, park_once, &p[2]));
	for (i = 0; i < 2; i++)
		co_wake(&p[i].wait, 0);
	loop_post(small, stop_it, small);
	assert_int_equal(loop_run(small), 0);
	assert_true(p[0].done && p[1].done && !p[2].done);
	loop_free(small);
}

/* --- fan-out --- */

struct fan { unsigned started, ended; uint64_t fail; bool sleep; uint64_t deadline; int rets[64]; };

static int coroutine_fn fan_task(void *ctx, unsigned i)
{
	struct fan *f = ctx;

	f->started++;
	if (f->deadline)
		assert_int_equal(co_deadline(), f->deadline);
	f->rets[i] = f->sleep ? co_sleep_ns((64 - i) * MS / 8) : 0;
	f->ended++;
	return f->fail >> i & 1 ? -EIO : f->rets[i];
}

static void coroutine_fn fan_all(void *arg)
{
	struct fan f = { .fail = 0x10 };

	assert_int_equal(co_fanout(0, fan_task, &f), 0);
	assert_int_equal(f.started, 0);
	assert_int_equal(co_fanout(0x8, fan_task, &f), 0x8);
	f.sleep = true;
	assert_int_equal(co_fanout(0xffff, fan_task, &f), 0xffef);
	assert_int_equal(f.ended, 17);
	f.fail = 0;
	assert_true(co_fanout(UINT64_MAX, fan_task, &f) == UINT64_MAX);
	loop_stop(loop);
}

static void test_fanout(void **state)
{
	run(fan_all, NULL);
}

static void coroutine_fn fan_deadline(void *arg)
{
	struct fan f = { .sleep = true };
	uint64_t old;
	int i;

	f.deadline = loop_now_ns(loop) + 2 * MS;
	old = co_set_deadline(f.deadline);
	assert_int_equal(old, 0);
	assert_int_equal(co_fanout(0x1 | 1ull << 63, fan_task, &f), 1ull << 63);
	assert_int_equal(f.rets[0], -ETIMEDOUT);
	assert_int_equal(co_interrupted(), -ETIMEDOUT);
	assert_int_equal(co_sleep_ns(1), -ETIMEDOUT);		/* sticky */
	co_shield();
	assert_int_equal(co_sleep_ns(1), 0);
	memset(&f, 0, sizeof(f));
	f.sleep = true;
	assert_int_equal(co_fanout(0xff00, fan_task, &f), 0xff00);	/* children inherit the shield */
	co_unshield();
	co_restore_deadline(old);
	assert_int_equal(co_interrupted(), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(co_sleep_ns(1), 0);
	loop_stop(loop);
}

static void test_deadline(void **state)
{
	run(fan_deadline, NULL);
}

/* The task that runs on the caller's stack sets an earlier deadline: it must not reach its siblings, and theirs must
 * still come. */
static int coroutine_fn inner_deadline(void *ctx, unsigned i)
{
	int *rets = ctx;
	uint64_t old;

	if (i == 2) {
		old = co_set_deadline(loop_now_ns(loop) + 1 * MS);
		rets[2] = co_sleep_ns(50 * MS);
		co_shield();
		co_sleep_ns(8 * MS);		/* past the outer deadline with the inner one still set */
		co_unshield();
		co_restore_deadline(old);
		return rets[2];
	}
	rets[i] = co_sleep_ns(i == 0 ? 2 * MS : 60 * MS);
	return rets[i];
}

static void coroutine_fn siblings(void *arg)
{
	int rets[3] = { 0 };
	uint64_t start = loop_now_ns(loop), old = co_set_deadline(start + 5 * MS);

	assert_int_equal(co_fanout(7, inner_deadline, rets), 1);
	assert_int_equal(rets[0], 0);
	assert_int_equal(rets[1], -ETIMEDOUT);
	assert_int_equal(rets[2], -ETIMEDOUT);
	assert_true(loop_now_ns(loop) - start < 40 * MS);
	co_restore_deadline(old);
	loop_stop(loop);
}

static void test_inner_deadline(void **state)
{
	run(siblings, NULL);
}

static void coroutine_fn fan_cancelled(void *arg)
{
	struct fan *f = arg;

	co_fanout(0x7, fan_task, f);
	loop_stop(loop);
}

static void coroutine_fn cancel_after_a_while(void *arg)
{
	co_sleep_ns(1 * MS);
	co_cancel(arg);
}

static void test_cancel_reaches_children(void **state)
{
	struct fan f = { .sleep = true };
	struct coroutine *co = co_start(loop, fan_cancelled, &f);

	run(cancel_after_a_while, co);
	assert_int_equal(f.ended, 3);
	assert_int_equal(f.rets[0], -ECANCELED);
	assert_int_equal(f.rets[1], -ECANCELED);
	assert_int_equal(f.rets[2], -ECANCELED);
}

/* --- timers --- */

struct tick { struct timer t; int id; };
static int ticks[256], nticks;

static void ticked(void *arg)
{
	ticks[nticks++] = ((struct tick *)arg)->id;
}

static void stop_now(void *arg)
{
	loop_stop(loop);
}

static void test_timer_order(void **state)
{
	uint64_t now = loop_now_ns(loop);
	static struct tick t[200];
	struct timer end;
	int i, last = -1;

	nticks = 0;
	for (i = 0; i < 200; i++) {
		timer_init(&t[i].t, ticked, &t[i]);
		t[i].id = i * 37 % 200;
		timer_arm(loop, &t[i].t, now + 1000000);
	}
	for (i = 0; i < 200; i++)	/* moves both ways */
		timer_arm(loop, &t[i].t, now + 500000 + (uint64_t)t[i].id * 10000);
	for (i = 0; i < 200; i += 3)
		timer_cancel(&t[i].t);
	timer_cancel(&t[0].t);
	timer_init(&end, stop_now, NULL);
	timer_arm(loop, &end, now + 5 * MS);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(nticks, 133);
	for (i = 0; i < nticks; i++) {
		assert_true(ticks[i] > last);
		last = ticks[i];
	}
	assert_false(timer_armed(&t[1].t));
}

/* --- posts, defers, offload --- */

static atomic_int posted;

static void count_post(void *arg)
{
	if (atomic_fetch_add(&posted, 1) == 1999)
		loop_stop(loop);
}

static void *poster(void *arg)
{
	struct timespec nap = { 0, 20000 };
	int i;

	for (i = 0; i < 1000; i++) {
		loop_post(loop, count_post, NULL);
		if (i % 50 == 0)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

static void test_post_from_threads(void **state)
{
	pthread_t ids[2];
	int i;

	posted = 0;
	for (i = 0; i < 2; i++)
		pthread_create(&ids[i], NULL, poster, NULL);
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < 2; i++)
		pthread_join(ids[i], NULL);
	assert_int_equal(posted, 2000);
}

struct deferred { struct loop_defer d; int runs, done_before; struct fan *fan; };

static void on_defer(void *arg)
{
	struct deferred *d = arg;

	d->runs++;
	d->done_before = (int)d->fan->ended;
}

static int coroutine_fn defer_task(void *ctx, unsigned i)
{
	struct deferred *d = ctx;

	loop_defer(loop, &d->d);
	co_yield();
	d->fan->ended++;
	return 0;
}

static void coroutine_fn defer_entry(void *arg)
{
	struct deferred *d = arg;

	co_fanout(0xff, defer_task, d);
	assert_int_equal(d->runs, 0);
	co_sleep_ns(1);
	assert_int_equal(d->runs, 1);
	assert_int_equal(d->done_before, 8);	/* everything that was ready has run before */
	loop_defer(loop, &d->d);
	loop_defer_cancel(&d->d);
	co_sleep_ns(1);
	assert_int_equal(d->runs, 1);
	loop_stop(loop);
}

static void test_defer(void **state)
{
	struct fan f = { 0 };
	struct deferred d = { .d = { .fn = on_defer }, .fan = &f };

	d.d.arg = &d;
	run(defer_entry, &d);
}

static int blocking(void *arg)
{
	struct timespec nap = { 0, 1000000 };

	nanosleep(&nap, NULL);
	return *(int *)arg;
}

static int coroutine_fn offload_task(void *ctx, unsigned i)
{
	int value = (int)i + 1, n;

	for (n = 0; n < 5; n++)
		assert_int_equal(loop_offload(blocking, &value), value);
	return 0;
}

static void coroutine_fn offload_entry(void *arg)
{
	uint64_t old = co_set_deadline(loop_now_ns(loop) + 1);

	assert_true(co_fanout(UINT64_MAX, offload_task, NULL) == UINT64_MAX);	/* never interrupted */
	co_restore_deadline(old);
	loop_stop(loop);
}

static void test_offload(void **state)
{
	run(offload_entry, NULL);
}

/* A function that was always quick blocks for long once: neither what waits behind it nor what was done before it may
 * wait with it. It blocks until all others are done. */
static sem_t others_done;

static bool wait_a_minute(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	return sem_timedwait(sem, &until) == 0;
}

static int quick_or_slow(void *arg)
{
	return *(unsigned *)arg == 5 && !wait_a_minute(&others_done) ? -ETIMEDOUT : 0;
}

static int coroutine_fn one_slow(void *ctx, unsigned i)
{
	unsigned *done = ctx;

	assert_int_equal(loop_offload(quick_or_slow, &i), 0);
	if (i != 5 && ++*done == 19)
		sem_post(&others_done);
	return 0;
}

static void coroutine_fn surprise(void *arg)
{
	unsigned quick = 0, done = 0, i;

	assert_int_equal(sem_init(&others_done, 0, 0), 0);
	for (i = 0; i < 200; i++)
		loop_offload(quick_or_slow, &quick);
	assert_true(co_fanout(0xfffff, one_slow, &done) == 0xfffff);
	loop_stop(loop);
}

static void test_offload_surprise(void **state)
{
	run(surprise, NULL);
	sem_destroy(&others_done);
}

/* Long jobs run side by side: the first one waits until another has begun. */
static sem_t begun;

static int wait_for_another(void *arg)
{
	return wait_a_minute(&begun) ? 0 : -ETIMEDOUT;
}

static int begin(void *arg)
{
	sem_post(&begun);
	return 0;
}

static int coroutine_fn meeting_task(void *ctx, unsigned i)
{
	return loop_offload(i == 0 ? wait_for_another : begin, NULL);
}

static void coroutine_fn side_by_side(void *arg)
{
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(sem_init(&begun, 0, 0), 0);
		assert_int_equal(co_fanout(0xf, meeting_task, NULL), 0xf);
		sem_destroy(&begun);
	}
	loop_stop(loop);
}

static void test_offload_side_by_side(void **state)
{
	run(side_by_side, NULL);
}

/* --- watches --- */

struct piped { struct watch w; int fds[2]; int events; struct piped *other; };

static void pipe_readable(void *arg, uint32_t events)
{
	struct piped *p = arg;
	char c;

	p->events++;
	assert_int_equal(read(p->fds[0], &c, 1), 1);
	if (p->other)
		watch_remove(&p->other->w);	/* its event is in the same batch and must not come */
	loop_stop(loop);
}

static void test_watch_removed_in_batch(void **state)
{
	struct piped a = { 0 }, b = { 0 };
	struct piped *both[] = { &a, &b };
	int i;

	a.other = &b;
	b.other = &a;
	for (i = 0; i < 2; i++) {
		assert_int_equal(pipe(both[i]->fds), 0);
		both[i]->w = (struct watch){ .fd = both[i]->fds[0], .events = EPOLLIN };
		both[i]->w.fn = pipe_readable;
		both[i]->w.arg = both[i];
		assert_int_equal(watch_add(loop, &both[i]->w), 0);
		assert_int_equal(write(both[i]->fds[1], "x", 1), 1);
	}
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.events + b.events, 1);
	for (i = 0; i < 2; i++) {
		if (both[i]->events)
			watch_remove(&both[i]->w);
		close(both[i]->fds[0]);
		close(both[i]->fds[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_from_loop_runs_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_before_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_page, setup, teardown),
		cmocka_unit_test(test_cap_of_coroutines),
		cmocka_unit_test_setup_teardown(test_fanout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup_sim, teardown),
		cmocka_unit_test_setup_teardown(test_inner_deadline, setup_sim, teardown),
		cmocka_unit_test_setup_teardown(test_cancel_reaches_children, setup_sim, teardown),
		cmocka_unit_test_setup_teardown(test_timer_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_post_from_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offload_surprise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offload_side_by_side, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch_removed_in_batch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
