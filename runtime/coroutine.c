/* runtime/coroutine.c: stackful coroutines: start, park and wake, fan-out, deadline and cancellation.
 *
 * The struct lies at the top of its own stack, and finished ones are kept with the stack, last used first, so that
 * starting one touches warm memory only. Whoever resumes a coroutine gets control back when that one parks: the loop,
 * or a parent that starts its children. */
#include "runtime/coroutine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/loop_private.h"

#define STACKS_KEPT 128		/* at rest ... */
#define STACKS_SWELL 1024	/* ... and under load: a fresh stack costs three system calls and its page faults */
#define EBB_NS 1000000000u
#define CHILDREN_FACTOR 16	/* how far children may go beyond the cap: a refused one looks like a failed brick */

struct coroutine {
	struct list link;		/* in ready or in the pool of stacks */
	struct loop *loop;
	struct co_context ctx;
	struct co_context *back;	/* who resumed it */
	co_entry *entry;
	void *arg;
	struct coroutine *parent;
	struct list children, sibling;	/* of fan-outs that are going on */
	struct co_wait *wait;		/* while parked */
	int interrupt;			/* why a park ended without a wake */
	unsigned shield;
	bool cancelled, done;
	uint64_t deadline_ns, inherited_ns;
	struct timer timer;		/* armed by whoever set a deadline of its own; reaches the descendants too */
	void *map;
	size_t map_size;
};

struct fanout {
	co_task *task;
	void *ctx;
	uint64_t ok;
	unsigned running;
	struct co_wait joined;
};

struct fanout_child { struct fanout *fanout; unsigned i; };

struct coroutine *co_self(void)
{
	struct loop *loop = loop_self();

	return loop ? loop->current : NULL;
}

/* --- stacks --- */

static struct coroutine *stack_map(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = CO_STACK_SIZE;
	struct coroutine *co;
	char *map;

#if defined(CO_ASAN) || defined(CO_TSAN)
	size *= 2;
#endif
	map = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
		   -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, page, PROT_NONE) < 0) {
		munmap(map, size + page);
		return NULL;
	}
	co = (struct coroutine *)(map + page + size - ((sizeof(*co) + 63) & ~(size_t)63));
	co->map = map;
	co->map_size = size + page;
	co->ctx.stack = map + page;
	co->ctx.size = (size_t)((char *)co - (map + page));
	co_stack_register(&co->ctx);
	return co;
}

static void stack_unmap(struct coroutine *co)
{
	co_stack_unregister(&co->ctx);
	munmap(co->map, co->map_size);
}

static void coroutine_entry(void)
{
	struct coroutine *co = co_self();

	co_context_entered(&co->ctx, co->back);
	co->entry(co->arg);
	co->done = true;
	co_context_switch(&co->ctx, co->back, true);
	abort();	/* nobody resumes what is done */
}

static struct coroutine *coroutine_new(struct loop *loop, unsigned cap, co_entry *entry, void *arg)
{
	struct list *link;
	struct coroutine *co;

	if (loop->alive >= cap)
		return NULL;
	link = list_pop(&loop->stacks);
	if (link) {
		co = list_entry(link, struct coroutine, link);
		if (--loop->nstacks < loop->stacks_low)
			loop->stacks_low = loop->nstacks;
	} else {
		co = stack_map();
		if (!co)
			return NULL;
	}
	loop->alive++;
	co->loop = loop;
	co->entry = entry;
	co->arg = arg;
	co->parent = NULL;
	list_init(&co->link);
	list_init(&co->children);
	list_init(&co->sibling);
	co->wait = NULL;
	co->shield = 0;
	co->cancelled = co->done = false;
	co->deadline_ns = co->inherited_ns = 0;
	memset(&co->timer, 0, sizeof(co->timer));
	co_context_init(&co->ctx, coroutine_entry);
	return co;
}

/* Gives back what lay unused for the whole of the last second, down to what is kept at rest. */
static void ebb(void *arg)
{
	struct loop *loop = arg;
	unsigned spare = loop->stacks_low;
	struct coroutine *co;

	for (; spare && loop->nstacks > STACKS_KEPT; spare--, loop->nstacks--) {
		co = list_entry(loop->stacks.prev, struct coroutine, link);
		list_remove(&co->link);
		stack_unmap(co);
	}
	loop->stacks_low = loop->nstacks;
	if (loop->nstacks > STACKS_KEPT)
		timer_arm(loop, &loop->stacks_ebb, loop->now_ns + EBB_NS);
}

static void stack_keep(struct loop *loop, struct coroutine *co)
{
	list_push(&loop->stacks, &co->link);
	if (++loop->nstacks <= STACKS_KEPT || timer_armed(&loop->stacks_ebb))
		return;
	loop->stacks_low = loop->nstacks;
	timer_init(&loop->stacks_ebb, ebb, loop);
	timer_arm(loop, &loop->stacks_ebb, loop->now_ns + EBB_NS);
}

static void coroutine_free(struct coroutine *co)
{
	struct loop *loop = co->loop;

	assert(list_empty(&co->children));
	timer_cancel(&co->timer);
	list_remove(&co->sibling);
	co_context_fini(&co->ctx);
	loop->alive--;
	if (loop->nstacks >= STACKS_SWELL)
		stack_unmap(co);
	else
		stack_keep(loop, co);
}

void co_pool_free(struct loop *loop)
{
	struct list *link;

	while ((link = list_pop(&loop->stacks)))
		stack_unmap(list_entry(link, struct coroutine, link));
	loop->nstacks = 0;
	timer_cancel(&loop->stacks_ebb);
}

/* --- run, park, wake --- */

static void resume(struct coroutine *co)
{
	struct loop *loop = co->loop;
	struct coroutine *before = loop->current;

	co->back = before ? &before->ctx : &loop->main;
	loop->current = co;
	co_context_switch(co->back, &co->ctx, false);
	loop->current = before;
	if (co->done)
		coroutine_free(co);
}

static void suspend(struct coroutine *co)
{
	co_context_switch(&co->ctx, co->back, false);
}

static void make_ready(struct coroutine *co)
{
	list_append(&co->loop->ready, &co->link);
	co->loop->nready++;
}

bool co_run_ready(struct loop *loop)
{
	unsigned n = loop->nready, skip;
	struct list *link;
	bool any = n > 0;

	for (; n; n--) {
		link = loop->ready.next;
		if (loop->ops->choose)
			for (skip = (unsigned)loop->ops->choose(loop, n); skip; skip--)
				link = link->next;
		list_remove(link);
		loop->nready--;
		resume(list_entry(link, struct coroutine, link));
	}
	return any;
}

struct coroutine *co_start(struct loop *loop, co_entry *entry, void *arg)
{
	struct coroutine *co;

	assert(loop == loop_self());
	co = coroutine_new(loop, loop->limits.coroutines, entry, arg);
	if (!co)
		return NULL;
	if (loop->current)
		make_ready(co);
	else
		resume(co);
	return co;
}

static int interruption(const struct coroutine *co)
{
	if (co->cancelled)
		return -ECANCELED;
	return co->deadline_ns && co->deadline_ns <= co->loop->now_ns ? -ETIMEDOUT : 0;
}

int co_park(struct co_wait *w)
{
	struct coroutine *co = co_self();
	int ret;

	assert(co);
	if (!w->woken) {
		ret = co->shield ? 0 : interruption(co);
		if (ret)
			return ret;
		w->co = co;
		co->wait = w;
		suspend(co);
		if (!w->woken)
			return co->interrupt;
	}
	w->woken = false;
	return w->result;
}

void co_wake(struct co_wait *w, int result)
{
	struct coroutine *co = w->co;

	if (w->woken)
		return;
	w->woken = true;
	w->result = result;
	if (!co)
		return;
	assert(co->loop == loop_self());
	w->co = NULL;
	co->wait = NULL;
	make_ready(co);
}

void co_yield(void)
{
	struct coroutine *co = co_self();

	assert(co);
	make_ready(co);
	suspend(co);
}

/* A wake may still come between now and the moment the coroutine runs; co_park() lets it win. */
static void interrupt(struct coroutine *co)
{
	if (!co->wait || co->shield)
		return;
	co->wait->co = NULL;
	co->wait = NULL;
	co->interrupt = interruption(co);
	make_ready(co);
}

/* --- fan-out --- */

static void coroutine_fn fanout_child(void *arg)
{
	struct fanout_child *child = arg;
	struct fanout *f = child->fanout;

	if (f->task(f->ctx, child->i) == 0)
		f->ok |= 1ull << child->i;
	if (!--f->running)
		co_wake(&f->joined, 0);
}

static void start_child(struct fanout *f, struct fanout_child *slot, struct coroutine *parent)
{
	struct loop *loop = parent->loop;
	struct coroutine *co = coroutine_new(loop, loop->limits.coroutines * CHILDREN_FACTOR, fanout_child, slot);

	if (!co)
		return;
	co->parent = parent;
	list_append(&parent->children, &co->sibling);
	co->shield = parent->shield ? 1 : 0;
	co->cancelled = parent->cancelled;
	co->deadline_ns = co->inherited_ns = parent->deadline_ns;
	f->running++;
	resume(co);
}

/* Takes one bit off @set: the lowest, or any in a simulation. */
static unsigned take_bit(struct loop *loop, uint64_t *set)
{
	uint64_t rest = *set, skip = 0;
	unsigned i;

	if (loop->ops->choose)
		skip = loop->ops->choose(loop, (uint64_t)__builtin_popcountll(rest));
	for (; skip; skip--)
		rest &= rest - 1;
	i = (unsigned)__builtin_ctzll(rest);
	*set &= ~(1ull << i);
	return i;
}

static uint64_t coroutine_fn fanout_many(uint64_t which, co_task *task, void *ctx)
{
	struct coroutine *co = co_self();
	struct fanout f = { task, ctx, 0, 0, CO_WAIT_INIT };
	struct fanout_child slots[63];
	unsigned used = 0, i;

	while (which & (which - 1)) {
		slots[used].fanout = &f;
		slots[used].i = take_bit(co->loop, &which);
		start_child(&f, &slots[used++], co);
	}
	i = (unsigned)__builtin_ctzll(which);
	if (task(ctx, i) == 0)
		f.ok |= 1ull << i;
	co_shield();		/* the children are on our stack: they end, and soon, being interrupted themselves */
	while (f.running)
		co_park(&f.joined);
	co_unshield();
	return f.ok;
}

uint64_t co_fanout(uint64_t which, co_task *task, void *ctx)
{
	unsigned i;

	assert(co_self());
	if (!which)
		return 0;
	if (which & (which - 1))
		return fanout_many(which, task, ctx);
	i = (unsigned)__builtin_ctzll(which);
	return task(ctx, i) == 0 ? which : 0;
}

/* --- interruption --- */

void co_shield(void)
{
	co_self()->shield++;
}

void co_unshield(void)
{
	struct coroutine *co = co_self();

	assert(co->shield);
	co->shield--;
}

void co_cancel(struct coroutine *co)
{
	struct list *link;

	co->cancelled = true;
	interrupt(co);
	list_for_each(link, &co->children)
		co_cancel(list_entry(link, struct coroutine, sibling));
}

int co_interrupted(void)
{
	return interruption(co_self());
}

/* Interrupts @co and its descendants whose deadline has come; returns the earliest one that has not (0: none). A
 * caller that runs one task of a fan-out itself may have an earlier deadline than the children, hence the second
 * round of the timer. */
static uint64_t expire(struct coroutine *co)
{
	uint64_t next = 0, below;
	struct list *link;

	if (co->deadline_ns > co->loop->now_ns)
		next = co->deadline_ns;
	else if (co->deadline_ns)
		interrupt(co);
	list_for_each(link, &co->children) {
		below = expire(list_entry(link, struct coroutine, sibling));
		if (below && (!next || below < next))
			next = below;
	}
	return next;
}

static void deadline_came(void *arg)
{
	struct coroutine *co = arg;
	uint64_t next = expire(co);

	if (next)
		timer_arm(co->loop, &co->timer, next);
}

static void deadline_arm(struct coroutine *co)
{
	timer_init(&co->timer, deadline_came, co);
	timer_arm(co->loop, &co->timer, co->deadline_ns);
}

uint64_t co_set_deadline(uint64_t at_ns)
{
	struct coroutine *co = co_self();
	uint64_t old = co->deadline_ns;

	if (at_ns && (!old || at_ns < old)) {
		co->deadline_ns = at_ns;
		timer_cancel(&co->timer);
		deadline_arm(co);
	}
	return old;
}

void co_restore_deadline(uint64_t old_at_ns)
{
	struct coroutine *co = co_self();

	if (co->deadline_ns == old_at_ns)
		return;
	co->deadline_ns = old_at_ns;
	timer_cancel(&co->timer);
	if (old_at_ns != co->inherited_ns)	/* an ancestor's timer reaches us with the inherited one */
		deadline_arm(co);
}

uint64_t co_deadline(void)
{
	return co_self()->deadline_ns;
}
