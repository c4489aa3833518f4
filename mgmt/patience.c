/* mgmt/patience.c: see patience.h. A coroutine of its own waits for the helper thread; who has asked may go meanwhile. */
#include "mgmt/patience.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "mgmt/text.h"
#include "runtime/loop.h"

struct waiting {
	struct loop *loop;
	const struct patient_job *kind;
	void *job;
	struct co_wait wait;
	int ret;
	bool done, left;
};

static void coroutine_fn wait_for(void *arg)
{
	struct waiting *w = arg;

	w->ret = loop_offload(w->kind->blocking, w->job);
	w->done = true;
	if (!w->left) {
		co_wake(&w->wait, 0);
		return;
	}
	if (w->kind->undo)
		loop_offload(w->kind->undo, w->job);
	w->kind->free(w->job);
	free(w);
}

int coroutine_fn patiently(struct loop *loop, const struct patient_job *kind, void *job, uint64_t patience_ns, bool *ret_left)
{
	struct waiting *w = need(calloc(1, sizeof(*w)));
	uint64_t old;
	int ret;

	*w = (struct waiting){ .loop = loop, .kind = kind, .job = job, .wait = CO_WAIT_INIT };
	*ret_left = true;
	if (!co_start(loop, wait_for, w)) {
		kind->free(job);
		free(w);
		return -EAGAIN;
	}
	old = co_set_deadline(loop_now_ns(loop) + patience_ns);
	ret = co_park(&w->wait);
	co_restore_deadline(old);
	if (!w->done) {
		w->left = true;
		return ret;
	}
	*ret_left = false;
	ret = w->ret;
	free(w);
	return ret;
}
