/* runtime/arena.c: a chain of chunks handed out front to back. The arena itself lies in its first chunk, so that a
 * call that needs little memory costs one pop from the pool and one push back. */
#include "runtime/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/loop_private.h"

#define FIRST_CHUNK 4096u
#define LAST_CHUNK (64u << 10)		/* chunks double up to here */
#define CLASSES 5			/* 4, 8, 16, 32, 64 KiB */
#define KEEP_BYTES (512u << 10)		/* of each class, per thread */
#define ALIGN(n) (((n) + 15) & ~(size_t)15)

struct chunk { struct chunk *next; size_t size; };	/* 16 bytes: what follows is aligned */
struct cleanup { struct cleanup *next; void (*fn)(void *); void *arg; };

struct arena {
	struct chunk *chunks;		/* newest first; the last one holds this struct */
	char *at, *end;
	size_t limit, used, next_size;
	struct cleanup *cleanups;
};

static _Thread_local struct { struct chunk *free; size_t bytes; } pool[CLASSES];

static int class_of(size_t size)
{
	int c = 0;

	if (size > LAST_CHUNK)
		return -1;
	while (FIRST_CHUNK << c < size)
		c++;
	return c;
}

static struct chunk *chunk_get(size_t size)
{
	int c = class_of(size);
	struct chunk *chunk;

	if (c >= 0)
		size = FIRST_CHUNK << c;
	if (c >= 0 && pool[c].free) {
		chunk = pool[c].free;
		pool[c].free = chunk->next;
		pool[c].bytes -= size;
		return chunk;
	}
	chunk = malloc(size);
	if (!chunk)
		abort();
	chunk->size = size;
	return chunk;
}

static void chunk_put(struct chunk *chunk)
{
	int c = class_of(chunk->size);

	if (c < 0 || pool[c].bytes + chunk->size > KEEP_BYTES) {
		free(chunk);
		return;
	}
	chunk->next = pool[c].free;
	pool[c].free = chunk;
	pool[c].bytes += chunk->size;
}

void arena_pool_trim(void)
{
	struct chunk *chunk;
	int c;

	for (c = 0; c < CLASSES; c++) {
		while ((chunk = pool[c].free)) {
			pool[c].free = chunk->next;
			free(chunk);
		}
		pool[c].bytes = 0;
	}
}

struct arena *arena_new(size_t limit)
{
	struct chunk *chunk = chunk_get(FIRST_CHUNK);
	struct arena *a = (struct arena *)(chunk + 1);

	chunk->next = NULL;
	a->chunks = chunk;
	a->at = (char *)a + ALIGN(sizeof(*a));
	a->end = (char *)chunk + chunk->size;
	a->limit = limit;
	a->used = 0;
	a->next_size = FIRST_CHUNK * 2;
	a->cleanups = NULL;
	return a;
}

void arena_free(struct arena *a)
{
	struct chunk *chunk, *next;
	struct cleanup *c;

	if (!a)
		return;
	while ((c = a->cleanups)) {
		a->cleanups = c->next;
		c->fn(c->arg);
	}
	for (chunk = a->chunks; chunk; chunk = next) {
		next = chunk->next;
		chunk_put(chunk);
	}
}

/* A piece too large for the usual chunk gets one of its own, and the current chunk stays in use. */
static void *alloc_own(struct arena *a, size_t size)
{
	struct chunk *chunk = chunk_get(size + sizeof(*chunk));

	chunk->next = a->chunks->next;
	a->chunks->next = chunk;
	return chunk + 1;
}

static void *take(struct arena *a, size_t size)
{
	struct chunk *chunk;
	void *ret;

	if (size > a->limit - a->used)
		return NULL;
	a->used += size;
	size = ALIGN(size);
	if (size > (size_t)(a->end - a->at)) {
		if (size + sizeof(*chunk) > a->next_size / 2)
			return alloc_own(a, size);
		chunk = chunk_get(a->next_size);
		chunk->next = a->chunks;
		a->chunks = chunk;
		a->at = (char *)(chunk + 1);
		a->end = (char *)chunk + chunk->size;
		if (a->next_size < LAST_CHUNK)
			a->next_size *= 2;
	}
	ret = a->at;
	a->at += size;
	return ret;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = take(a, size);

	return p ? memset(p, 0, size) : NULL;
}

void *arena_memdup(struct arena *a, const void *data, size_t len)
{
	void *p = take(a, len);

	if (p && len)
		memcpy(p, data, len);
	return p;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	size_t n = strnlen(text, len);
	char *p = n < SIZE_MAX ? take(a, n + 1) : NULL;

	if (!p)
		return NULL;
	memcpy(p, text, n);
	p[n] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_memdup(a, text, strlen(text) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : take(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

int arena_cleanup(struct arena *a, void (*fn)(void *), void *arg)
{
	struct cleanup *c = take(a, sizeof(*c));

	if (!c) {
		fn(arg);
		return -ENOMEM;
	}
	c->next = a->cleanups;
	c->fn = fn;
	c->arg = arg;
	a->cleanups = c;
	return 0;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
