/* runtime/loop.c: one round of the loop, whatever the backend.
 *
 *   wait for events, run their callbacks -> coroutines and posts until none is ready -> expired timers and what they
 *   made ready -> defers. Offloads collected meanwhile go to the helpers before the defers run. */
#include "runtime/loop.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/loop_private.h"

#define COROUTINES_DEFAULT 4096
#define HELPERS_DEFAULT 4
#define PASSES_MAX 64		/* coroutines that yield to each other must not keep the loop from its descriptors */

static _Thread_local struct loop *self;

struct loop *loop_self(void)
{
	return self;
}

int loop_init(struct loop *loop, const struct loop_ops *ops, const struct loop_limits *limits)
{
	memset(loop, 0, sizeof(*loop));
	loop->ops = ops;
	if (limits)
		loop->limits = *limits;
	if (!loop->limits.coroutines)
		loop->limits.coroutines = COROUTINES_DEFAULT;
	if (!loop->limits.helpers)
		loop->limits.helpers = HELPERS_DEFAULT;
	list_init(&loop->ready);
	list_init(&loop->stacks);
	list_init(&loop->defers);
	self = loop;
	return 0;
}

/* --- posts: a stack that other threads push to and the loop takes whole --- */

void loop_post_items(struct loop *to, struct loop_item *newest, struct loop_item *oldest)
{
	struct loop_item *head = atomic_load_explicit(&to->posts, memory_order_relaxed);

	do {
		oldest->next = head;
	} while (!atomic_compare_exchange_weak(&to->posts, &head, newest));
	/* The loop says asleep first and looks for posts after; we push first and look after: one of us sees the
	 * other. */
	if (atomic_load(&to->asleep) && atomic_exchange(&to->asleep, false))
		to->ops->wake(to);
}

bool loop_posted(struct loop *loop)
{
	return atomic_load(&loop->posts) != NULL;
}

void loop_post(struct loop *to, void (*fn)(void *), void *arg)
{
	struct loop_item *item = malloc(sizeof(*item));

	if (!item)
		abort();
	*item = (struct loop_item){ NULL, fn, arg, true };
	loop_post_items(to, item, item);
}

static struct loop_item *take_posts(struct loop *loop)
{
	struct loop_item *item, *next, *ordered = NULL;

	if (!atomic_load_explicit(&loop->posts, memory_order_relaxed))
		return NULL;
	for (item = atomic_exchange(&loop->posts, NULL); item; item = next) {
		next = item->next;
		item->next = ordered;
		ordered = item;
	}
	return ordered;
}

static bool run_posts(struct loop *loop)
{
	struct loop_item *item = take_posts(loop), *next;
	bool any = item != NULL;

	for (; item; item = next) {
		void (*fn)(void *) = item->fn;
		void *arg = item->arg;

		next = item->next;
		if (item->allocated)
			free(item);
		fn(arg);
	}
	return any;
}

/* --- defers --- */

void loop_defer(struct loop *loop, struct loop_defer *d)
{
	if (!d->link.next)
		list_append(&loop->defers, &d->link);
}

void loop_defer_cancel(struct loop_defer *d)
{
	if (!d->link.next)
		return;
	list_remove(&d->link);
	d->link.next = NULL;
}

static void run_defers(struct loop *loop)
{
	struct list now = LIST_INIT(now);
	struct list *link;
	struct loop_defer *d;

	list_splice(&now, &loop->defers);
	while ((link = list_pop(&now))) {
		d = list_entry(link, struct loop_defer, link);
		d->link.next = NULL;
		d->fn(d->arg);
	}
}

/* --- the round --- */

static void run_ready(struct loop *loop)
{
	unsigned pass;
	bool any = true;

	for (pass = 0; any && pass < PASSES_MAX; pass++) {
		any = co_run_ready(loop);
		any |= run_posts(loop);
	}
}

static int wait_for_events(struct loop *loop)
{
	uint64_t until = timers_next(loop);
	int ret;

	if (loop->nready || !list_empty(&loop->defers) || loop->stopping)
		until = 0;
	if (until) {
		offload_spin(loop);
		until = offload_until(loop, until);
		atomic_store(&loop->asleep, true);
		if (loop_posted(loop))
			until = 0;
	}
	ret = loop->ops->wait(loop, until);
	return ret;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	self = loop;
	run_ready(loop);
	while (!loop->stopping) {
		offload_flush(loop);
		run_defers(loop);
		ret = wait_for_events(loop);
		if (ret < 0)
			break;
		run_ready(loop);
		if (timers_next(loop) <= loop->now_ns) {
			timers_run(loop);
			run_ready(loop);
		}
	}
	loop->stopping = false;
	return ret;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	assert(!loop->current && !loop->alive);
	offload_free(loop);
	run_posts(loop);
	loop->ops->fini(loop);
	co_pool_free(loop);
	arena_pool_trim();
	iobuf_pool_trim();
	free(loop->heap);
	if (self == loop)
		self = NULL;
	free(loop);
}

uint64_t loop_now_ns(struct loop *loop)
{
	return loop->now_ns;
}

void loop_wallclock(struct loop *loop, int64_t *ret_sec, uint32_t *ret_nsec)
{
	loop->ops->wallclock(loop, ret_sec, ret_nsec);
}

void loop_random(struct loop *loop, void *buf, size_t len)
{
	loop->ops->random(loop, buf, len);
}

int loop_offload(int (*blocking)(void *arg), void *arg)
{
	struct loop *loop = loop_self();

	return loop->ops->offload(loop, blocking, arg);
}
