/* runtime/loop_private.h: what the files of runtime/ know of each other; nobody outside includes it.
 *
 * A loop is common parts (coroutines, timers, defers, posts, offloads) over a backend, which knows how to wait and
 * how bytes travel. */
#ifndef RUNTIME_LOOP_PRIVATE_H
#define RUNTIME_LOOP_PRIVATE_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "runtime/coroutine_switch.h"
#include "runtime/loop.h"
#include "runtime/stream_private.h"

struct loop_ops {
	/* Waits for events at most until @until_ns (UINT64_MAX: for ever; not in the future: not at all), sets now_ns
	 * and runs the callbacks. -EDEADLK when nothing can ever happen. */
	int (*wait)(struct loop *loop, uint64_t until_ns);
	void (*wake)(struct loop *loop);	/* from any thread: makes wait() return */
	void (*wallclock)(struct loop *loop, int64_t *ret_sec, uint32_t *ret_nsec);
	void (*random)(struct loop *loop, void *buf, size_t len);
	uint64_t (*choose)(struct loop *loop, uint64_t below);	/* NULL: order of arrival */
	int coroutine_fn (*offload)(struct loop *loop, int (*blocking)(void *arg), void *arg);
	int coroutine_fn (*connect)(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from,
				    struct stream **ret_stream);
	int (*listen)(struct loop *loop, const struct sockaddr *addr, struct listener **ret_listener);
	void (*fini)(struct loop *loop);
};

struct loop_item { struct loop_item *next; void (*fn)(void *); void *arg; bool allocated; };

struct loop {
	const struct loop_ops *ops;
	void *backend;			/* struct poller or struct sim */
	uint64_t now_ns;
	bool stopping;
	struct loop_limits limits;

	struct coroutine *current;	/* NULL on the loop's own stack */
	struct co_context main;
	struct list ready;		/* coroutines to resume */
	unsigned nready, alive;
	struct list stacks;		/* finished coroutines kept for their stacks */
	unsigned nstacks, stacks_low;	/* low: fewest of this second */
	struct timer stacks_ebb;

	struct timer **heap;
	size_t ntimers, heap_size;
	struct list defers;

	_Atomic(struct loop_item *) posts;	/* last posted first */
	atomic_bool asleep;
	struct offload *offload;
};

int loop_init(struct loop *loop, const struct loop_ops *ops, const struct loop_limits *limits);
/* loop_post() without the allocation, of a chain: newest->...->oldest run oldest first. */
void loop_post_items(struct loop *to, struct loop_item *newest, struct loop_item *oldest);
bool loop_posted(struct loop *loop);

/* coroutine.c */
bool co_run_ready(struct loop *loop);		/* one pass over what is ready now; true when there was something */
void co_pool_free(struct loop *loop);

/* timer.c */
uint64_t timers_next(const struct loop *loop);	/* UINT64_MAX when none is armed */
void timers_run(struct loop *loop);

/* offload.c */
int coroutine_fn offload_run(struct loop *loop, int (*blocking)(void *arg), void *arg);
void offload_flush(struct loop *loop);		/* hands what this round collected to the helpers */
void offload_spin(struct loop *loop);		/* before sleeping: a helper may be about to finish */
uint64_t offload_until(struct loop *loop, uint64_t until_ns);	/* how long the loop may sleep with work queued */
void offload_free(struct loop *loop);

/* Pools of the calling thread. */
void arena_pool_trim(void);
void iobuf_pool_trim(void);

#endif
