/* runtime/coroutine.h: stackful coroutines; one never leaves the loop it started on.
 *
 * Each request runs in one, so that a translator reads as straight-line C. Structured: co_fanout() joins its
 * children, so what they use may live on the caller's stack. A park may be interrupted: by the deadline (-ETIMEDOUT)
 * or because the client is gone (-ECANCELED); the interruption is sticky (every later unshielded park returns it at
 * once) and reaches fan-out children. Unwinding is ordinary return. */
#ifndef RUNTIME_COROUTINE_H
#define RUNTIME_COROUTINE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __clang__
#define coroutine_fn __attribute__((annotate("coroutine_fn")))	/* may park; call from a coroutine_fn only */
#else
#define coroutine_fn
#endif

#define CO_STACK_SIZE (64u << 10)	/* plus a guard page below; doubled under sanitizers */

struct loop;
struct coroutine;
typedef void coroutine_fn co_entry(void *arg);
typedef int coroutine_fn co_task(void *ctx, unsigned i);

/* Starts entry(arg) on @loop, which must be the calling thread's own. Called from the loop's own stack it runs at
 * once until its first park; called from a coroutine it is queued. Returns NULL (and runs nothing) past the loop's
 * cap of coroutines. */
struct coroutine *co_start(struct loop *loop, co_entry *entry, void *arg);
struct coroutine *co_self(void);	/* NULL on the loop's own stack */

/* Runs task(ctx, i) at once for each bit i of @which and returns when all have returned, so @ctx may live on the
 * caller's stack. Returns the set of tasks that returned 0. Inherits deadline and shield; one task runs on the
 * caller's own stack. A child for which no stack could be had counts as one that failed. */
uint64_t coroutine_fn co_fanout(uint64_t which, co_task *task, void *ctx);

/* One park. The waiter tells its address to whoever will wake it; after an interruption it must take it back itself
 * before returning. */
struct co_wait {
	struct coroutine *co;	/* NULL before the park and after the wake */
	int result;
	bool woken;		/* a wake before the park is not lost */
};
#define CO_WAIT_INIT { 0 }
int coroutine_fn co_park(struct co_wait *w);	/* co_wake()'s result, -ETIMEDOUT or -ECANCELED */
void co_wake(struct co_wait *w, int result);	/* same loop only. The sleeper runs later, from the loop */
void coroutine_fn co_yield(void);		/* let everything else that is ready run first */

void co_shield(void);			/* parks of this coroutine ignore deadline and cancellation until ... (nests) */
void co_unshield(void);
/* Absolute loop_now_ns() time, 0 for none. An inner deadline can only be earlier. Returns the old one, to put back
 * with co_restore_deadline. */
uint64_t co_set_deadline(uint64_t at_ns);
void co_restore_deadline(uint64_t old_at_ns);	/* forgets an expiry that only the inner deadline caused */
uint64_t co_deadline(void);
void co_cancel(struct coroutine *co);		/* -ECANCELED at its next unshielded park, or now if it is parked */
int co_interrupted(void);	/* 0, -ETIMEDOUT or -ECANCELED: would an unshielded park return at once? */

#endif
