/* mgmt/patience.h: blocking work that may never end: a disk that hangs must not take a command, or the manager, with it. */
#ifndef MGMT_PATIENCE_H
#define MGMT_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/coroutine.h"

struct loop;

struct patient_job {
	int (*blocking)(void *job);	/* on a helper thread; must use nothing but what belongs to the job */
	int (*undo)(void *job);		/* likewise, when nobody waits any more for what has been done. May be NULL */
	void (*free)(void *job);
};

/* Waits for @blocking for @patience_ns, or until the coroutine's deadline. 0 or more, or -errno: what it returned, and @job is
 * the caller's again.
 * *ret_left is true: it was left to itself (-ETIMEDOUT, -ECANCELED, -EAGAIN), and must not be touched any more. */
int coroutine_fn patiently(struct loop *loop, const struct patient_job *kind, void *job, uint64_t patience_ns, bool *ret_left);

#endif
