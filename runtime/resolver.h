/* runtime/resolver.h: threads for the system's resolver (NSS, DNS), which may not answer for minutes.
 *
 * They are not the loop's helpers, so a silent name server keeps no disk and no file waiting. Each kind of question has its own
 * queue and its own threads: names of strangers do not stand before the names of bricks. */
#ifndef RUNTIME_RESOLVER_H
#define RUNTIME_RESOLVER_H

#include <stdbool.h>

#include "runtime/coroutine.h"

enum resolver_kind { RESOLVER_ADDRESSES, RESOLVER_NAMES, RESOLVER_KINDS };	/* of a name; of an address */

#define RESOLVER_THREADS_MAX 16		/* of a kind; they end when there is nothing to ask */
#define RESOLVER_QUEUE_MAX 64		/* questions of a kind that wait for a thread */

/* Runs blocking(@question) on one of the kind's threads and parks. Returns what it returned; -EAGAIN at once: too many questions
 * wait; or the interruption. @question is from malloc(). *ret_left: the question is not the caller's any more; the thread frees
 * it when it ends. */
int coroutine_fn resolver_run(enum resolver_kind kind, int (*blocking)(void *question), void *question, bool *ret_left);

#endif
