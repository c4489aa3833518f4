/* runtime/sync.h: waiting between coroutines of one loop. No atomics: one thread only. All are fair (first come,
 * first served). */
#ifndef RUNTIME_SYNC_H
#define RUNTIME_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/coroutine.h"
#include "runtime/list.h"

struct co_mutex { bool locked; struct list waiters; };
void co_mutex_init(struct co_mutex *m);
int coroutine_fn co_mutex_lock(struct co_mutex *m);	/* 0, or the interruption and then it is not held */
bool co_mutex_trylock(struct co_mutex *m);
void co_mutex_unlock(struct co_mutex *m);

struct co_queue { struct list waiters; };		/* a condition: waiters re-check what they wait for */
void co_queue_init(struct co_queue *q);
int coroutine_fn co_queue_wait(struct co_queue *q);	/* 0 after a wake, or the interruption */
void co_queue_wake_all(struct co_queue *q);
bool co_queue_wake_one(struct co_queue *q);		/* false when nobody waits */

struct co_gate { uint32_t holders; bool closed; struct co_queue drained; };	/* counts who is in; drains */
void co_gate_init(struct co_gate *g);
bool co_gate_enter(struct co_gate *g);			/* false once closed */
void co_gate_leave(struct co_gate *g);
int coroutine_fn co_gate_close(struct co_gate *g);	/* waits until all have left; 0 or the interruption */

#endif
