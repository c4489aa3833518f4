/* runtime/arena.h: memory that lives as long as one call.
 *
 * Small chunks (4 KiB first, then doubling) come from a per-thread pool; everything goes at once in arena_free().
 * An arena has a limit: arena_alloc() returns NULL past it and the caller answers -ENOMEM. */
#ifndef RUNTIME_ARENA_H
#define RUNTIME_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena *arena_new(size_t limit);		/* never NULL (out of memory aborts) */
void arena_free(struct arena *a);		/* accepts NULL; runs the cleanups first, last added first */
void *arena_alloc(struct arena *a, size_t size);	/* zeroed, 16-byte aligned; NULL past the limit */
void *arena_memdup(struct arena *a, const void *data, size_t len);
char *arena_strndup(struct arena *a, const char *text, size_t len);	/* adds the NUL */
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Calls fn(arg) when the arena is freed: for references (iobuf, inode) that live as long as the call. -ENOMEM past
 * the limit, and then fn(arg) has been called already. */
int arena_cleanup(struct arena *a, void (*fn)(void *), void *arg);
size_t arena_used(const struct arena *a);

#endif
