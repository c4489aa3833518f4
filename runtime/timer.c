/* runtime/timer.c: a binary heap of pointers; each timer knows its place, so that moving and cancelling need no
 * search. */
#include <stdlib.h>

#include "runtime/loop_private.h"

/* Slots count from 1: slot 0 means not armed, and the children of slot s are 2s and 2s+1. */
static void place(struct loop *loop, struct timer *t, size_t slot)
{
	loop->heap[slot] = t;
	t->slot = slot;
}

static void sift_up(struct loop *loop, struct timer *t, size_t slot)
{
	while (slot > 1 && loop->heap[slot / 2]->at_ns > t->at_ns) {
		place(loop, loop->heap[slot / 2], slot);
		slot /= 2;
	}
	place(loop, t, slot);
}

static void sift_down(struct loop *loop, struct timer *t, size_t slot)
{
	size_t child;

	while ((child = slot * 2) <= loop->ntimers) {
		if (child < loop->ntimers && loop->heap[child + 1]->at_ns < loop->heap[child]->at_ns)
			child++;
		if (loop->heap[child]->at_ns >= t->at_ns)
			break;
		place(loop, loop->heap[child], slot);
		slot = child;
	}
	place(loop, t, slot);
}

static void settle(struct loop *loop, struct timer *t, size_t slot)
{
	if (slot > 1 && loop->heap[slot / 2]->at_ns > t->at_ns)
		sift_up(loop, t, slot);
	else
		sift_down(loop, t, slot);
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	*t = (struct timer){ .fn = fn, .arg = arg };
}

void timer_arm(struct loop *loop, struct timer *t, uint64_t at_ns)
{
	struct timer **heap;
	size_t size;

	assert(t->fn && (!t->slot || t->loop == loop));
	t->loop = loop;
	t->at_ns = at_ns;
	if (t->slot) {
		settle(loop, t, t->slot);
		return;
	}
	if (loop->ntimers + 1 >= loop->heap_size) {
		size = loop->heap_size ? loop->heap_size * 2 : 64;
		heap = realloc(loop->heap, size * sizeof(*heap));
		if (!heap)
			abort();	/* a deadline that never comes would be worse */
		loop->heap = heap;
		loop->heap_size = size;
	}
	sift_up(loop, t, ++loop->ntimers);
}

void timer_cancel(struct timer *t)
{
	struct loop *loop = t->loop;
	size_t slot = t->slot;
	struct timer *last;

	if (!slot)
		return;
	t->slot = 0;
	last = loop->heap[loop->ntimers--];
	if (last != t)
		settle(loop, last, slot);
}

bool timer_armed(const struct timer *t)
{
	return t->slot != 0;
}

uint64_t timers_next(const struct loop *loop)
{
	return loop->ntimers ? loop->heap[1]->at_ns : UINT64_MAX;
}

/* At most as many as there were at the start: one that arms itself again for now must not keep the loop here. */
void timers_run(struct loop *loop)
{
	size_t n = loop->ntimers;
	struct timer *t;

	for (; n && timers_next(loop) <= loop->now_ns; n--) {
		t = loop->heap[1];
		timer_cancel(t);
		t->fn(t->arg);
	}
}

static void slept(void *wait)
{
	co_wake(wait, 0);
}

int co_sleep_ns(uint64_t ns)
{
	struct loop *loop = loop_self();
	struct co_wait wait = CO_WAIT_INIT;
	struct timer t;
	int ret;

	timer_init(&t, slept, &wait);
	timer_arm(loop, &t, ns < UINT64_MAX - loop->now_ns ? loop->now_ns + ns : UINT64_MAX - 1);
	ret = co_park(&wait);
	timer_cancel(&t);
	return ret;
}
