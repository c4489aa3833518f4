/* runtime/loop.h: one event loop per thread: coroutines, timers, descriptors, helper threads.
 *
 * Two backends with one face: epoll, and a simulation with a virtual clock, seeded order and a fake network (sim.h).
 * Code above runtime/ cannot tell them apart. Only loop_post() may be called from another thread. */
#ifndef RUNTIME_LOOP_H
#define RUNTIME_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/coroutine.h"
#include "runtime/list.h"

struct loop;

struct loop_limits {
	unsigned coroutines;		/* cap of coroutines alive at once; 0: 4096 */
	unsigned helpers;		/* helper threads; 0: 4 */
};

struct loop *loop_new(const struct loop_limits *limits);	/* NULL: default limits. NULL with errno on failure */
struct loop *loop_new_sim(uint64_t seed);			/* virtual clock starting at a fixed wall time */
void loop_free(struct loop *loop);				/* no coroutine may be alive */
struct loop *loop_self(void);					/* of this thread; set by loop_new and loop_run */
bool loop_is_sim(const struct loop *loop);

int loop_run(struct loop *loop);	/* until loop_stop(); a sim also ends when nothing can ever happen (-EDEADLK) */
void loop_stop(struct loop *loop);	/* same thread only */
void loop_post(struct loop *to, void (*fn)(void *), void *arg);	/* the only door between threads */

uint64_t loop_now_ns(struct loop *loop);	/* monotonic; cached for one round of the loop */
void loop_wallclock(struct loop *loop, int64_t *ret_sec, uint32_t *ret_nsec);
void loop_random(struct loop *loop, void *buf, size_t len);	/* getrandom(2); seeded in a simulation */

/* Runs once at the end of the current round, after everything that was ready has run: where output of many replies
 * leaves together. */
struct loop_defer { struct list link; void (*fn)(void *); void *arg; };	/* zeroed = not queued */
void loop_defer(struct loop *loop, struct loop_defer *d);	/* no effect when queued already */
void loop_defer_cancel(struct loop_defer *d);

struct timer {			/* zeroed = not armed */
	struct loop *loop;
	uint64_t at_ns;
	size_t slot;		/* private: place in the heap plus one */
	void (*fn)(void *);
	void *arg;
};
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_arm(struct loop *loop, struct timer *t, uint64_t at_ns);	/* moves it when armed */
void timer_cancel(struct timer *t);
bool timer_armed(const struct timer *t);
int coroutine_fn co_sleep_ns(uint64_t ns);	/* 0, -ETIMEDOUT or -ECANCELED */

/* A descriptor of the epoll loop: UDP sockets, signalfd, inotify. Level triggered. Not in a simulation (-ENOTSUP). */
struct watch { struct loop *loop; int fd; uint32_t events; void (*fn)(void *arg, uint32_t events); void *arg; };
int watch_add(struct loop *loop, struct watch *w);	/* events: EPOLLIN, EPOLLOUT; 0 or -errno */
int watch_change(struct watch *w, uint32_t events);
void watch_remove(struct watch *w);

/* Runs blocking(arg) on a helper thread and parks meanwhile. Never interrupted: @arg may live on the caller's stack.
 * Returns what blocking() returned. In a simulation it runs inline after a seeded delay. Helpers are started on
 * demand; work is taken in order. */
int coroutine_fn loop_offload(int (*blocking)(void *arg), void *arg);

#endif
