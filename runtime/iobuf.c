/* runtime/iobuf.c: payload blocks. Head and bytes are separate so that the bytes can be page aligned; both stay
 * together in the pool of their size class, because a block that was just used has its pages mapped and warm.
 *
 * A pool has a small size that it keeps and a larger one that it may swell to under load: a fresh block of 1 MiB
 * costs 256 page faults, more than copying what it will hold. What was not needed for a second goes back to the
 * system. */
#include "runtime/iobuf.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/loop_private.h"

#define PAGE 4096u

struct pooled { struct iobuf buf; struct pooled *next; };

/* 10 MiB at most per thread at rest, 46 MiB under load */
static const struct { uint32_t size, keep, swell; } classes[] = {
	{ 1u << 10, 256, 1024 },
	{ 4u << 10, 256, 1024 },
	{ 16u << 10, 64, 256 },
	{ 64u << 10, 24, 64 },
	{ 256u << 10, 4, 16 },
	{ (1u << 20) + (64u << 10), 5, 24 },
};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))
#define EBB_NS 1000000000u
#define PIPES_MAX 32		/* of a thread, at two descriptors each */

/* low: smallest count of this second */
static _Thread_local struct { struct pooled *free; uint32_t count, low; } pool[CLASSES];
static _Thread_local struct timer ebb_timer;
static _Thread_local struct { struct pooled *free; unsigned made; } pipes;

static unsigned class_for(uint32_t size)	/* CLASSES when it is too large to be pooled */
{
	unsigned c = 0;

	while (c < CLASSES && classes[c].size < size)
		c++;
	return c;
}

static struct pooled *block_new(uint32_t size)
{
	struct pooled *p = malloc(sizeof(*p));
	void *data = NULL;

	if (!p)
		return NULL;
	if (size >= PAGE && posix_memalign(&data, PAGE, size))
		data = NULL;
	else if (size < PAGE)
		data = malloc(size);
	if (!data) {
		free(p);
		return NULL;
	}
	p->buf.size = size;
	p->buf.data = data;
	return p;
}

static void block_free(struct pooled *p)
{
	free(p->buf.data);
	free(p);
}

struct iobuf *iobuf_new(uint32_t size)
{
	unsigned c = class_for(size);
	struct pooled *p;

	if (c < CLASSES && pool[c].free) {
		p = pool[c].free;
		pool[c].free = p->next;
		if (--pool[c].count < pool[c].low)
			pool[c].low = pool[c].count;
	} else {
		p = block_new(c < CLASSES ? classes[c].size : size);
		if (!p)
			return NULL;
	}
	p->buf.refs = 1;
	return &p->buf;
}

/* --- pipes --- */

static void pipe_free(struct pooled *p)
{
	close(p->buf.pipe[0]);
	close(p->buf.pipe[1]);
	free(p);
	pipes.made--;
}

static struct pooled *pipe_make(void)
{
	struct pooled *p = pipes.made < PIPES_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	if (pipe2(p->buf.pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(p);
		return NULL;
	}
	pipes.made++;
	if (fcntl(p->buf.pipe[1], F_SETPIPE_SZ, IOBUF_PIPE_BYTES) >= (int)IOBUF_PIPE_BYTES)
		return p;
	pipe_free(p);
	return NULL;
}

struct iobuf *iobuf_new_pipe(void)
{
	struct pooled *p = pipes.free;

	if (p)
		pipes.free = p->next;
	else
		p = pipe_make();
	if (!p)
		return NULL;
	p->buf.refs = 1;
	return &p->buf;
}

/* One that was not emptied goes, with the pages that nobody wants any more. */
static void pipe_put(struct pooled *p)
{
	if (p->buf.size) {
		pipe_free(p);
		return;
	}
	p->next = pipes.free;
	pipes.free = p;
}

/* --- references --- */

struct iobuf *iobuf_ref(struct iobuf *b)
{
	assert(b->refs && b->refs < UINT32_MAX);
	b->refs++;
	return b;
}

static void pool_free(unsigned c, uint32_t n)
{
	struct pooled *p;

	for (; n && (p = pool[c].free); n--) {
		pool[c].free = p->next;
		pool[c].count--;
		block_free(p);
	}
}

/* Gives back what lay unused for the whole of the last second, down to the size that is kept. */
static void ebb(void *arg)
{
	struct loop *loop = arg;
	uint32_t spare, over;
	bool swollen = false;
	unsigned c;

	for (c = 0; c < CLASSES; c++) {
		over = pool[c].count > classes[c].keep ? pool[c].count - classes[c].keep : 0;
		spare = pool[c].low < over ? pool[c].low : over;
		pool_free(c, spare);
		pool[c].low = pool[c].count;
		swollen |= over > spare;
	}
	if (swollen)
		timer_arm(loop, &ebb_timer, loop_now_ns(loop) + EBB_NS);
}

/* May the pool grow past what it keeps? Only where a loop will see to it that it shrinks again. */
static bool may_swell(unsigned c)
{
	struct loop *loop = loop_self();

	if (!loop || pool[c].count >= classes[c].swell)
		return false;
	if (!timer_armed(&ebb_timer)) {
		timer_init(&ebb_timer, ebb, loop);
		timer_arm(loop, &ebb_timer, loop_now_ns(loop) + EBB_NS);
		pool[c].low = pool[c].count;
	}
	return true;
}

void iobuf_unref(struct iobuf *b)
{
	struct pooled *p;
	unsigned c;

	if (!b)
		return;
	assert(b->refs);
	if (--b->refs)
		return;
	p = container_of(b, struct pooled, buf);
	if (!b->data) {
		pipe_put(p);
		return;
	}
	c = class_for(b->size);
	if (c == CLASSES || (pool[c].count >= classes[c].keep && !may_swell(c))) {
		block_free(p);
		return;
	}
	p->next = pool[c].free;
	pool[c].free = p;
	pool[c].count++;
}

void iobuf_pool_trim(void)
{
	struct pooled *p;
	unsigned c;

	timer_cancel(&ebb_timer);
	for (c = 0; c < CLASSES; c++)
		pool_free(c, pool[c].count);
	while ((p = pipes.free)) {
		pipes.free = p->next;
		pipe_free(p);
	}
}
