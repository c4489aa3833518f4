/* runtime/iobuf.c: payload blocks. Head and bytes are separate so that the bytes can be page aligned; both stay
 * together in the pool of their size class, because a block that was just used has its pages mapped and warm. */
#include "runtime/iobuf.h"

#include <assert.h>
#include <stdlib.h>

#include "runtime/loop_private.h"

#define PAGE 4096u

struct pooled { struct iobuf buf; struct pooled *next; };

static const struct { uint32_t size, keep; } classes[] = {	/* 10 MiB at most per thread */
	{ 1u << 10, 256 },
	{ 4u << 10, 256 },
	{ 16u << 10, 64 },
	{ 64u << 10, 24 },
	{ 256u << 10, 4 },
	{ (1u << 20) + (64u << 10), 5 },
};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static _Thread_local struct { struct pooled *free; uint32_t count; } pool[CLASSES];

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
		pool[c].count--;
	} else {
		p = block_new(c < CLASSES ? classes[c].size : size);
		if (!p)
			return NULL;
	}
	p->buf.refs = 1;
	return &p->buf;
}

struct iobuf *iobuf_ref(struct iobuf *b)
{
	assert(b->refs && b->refs < UINT32_MAX);
	b->refs++;
	return b;
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
	c = class_for(b->size);
	if (c == CLASSES || pool[c].count >= classes[c].keep) {
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

	for (c = 0; c < CLASSES; c++) {
		while ((p = pool[c].free)) {
			pool[c].free = p->next;
			block_free(p);
		}
		pool[c].count = 0;
	}
}
