/* xlators/cluster/replicate/watch.h: which copy does not answer what the others have answered? README.md, "A silent copy". */
#ifndef REPLICATE_WATCH_H
#define REPLICATE_WATCH_H

#include "runtime/list.h"
#include "runtime/loop.h"
#include "xlators/xlator.h"

/* A question under way. */
struct watched {
	struct list link;
	uint64_t since_ns, answered_ns;	/* asked; last answered by somebody */
	child_set asked, answered;
};

struct copy_watch {
	struct list questions;		/* oldest first */
	struct timer timer;
	child_set silent;		/* given up, and not up again since */
};

void watch_init(struct xlator *xl);
void watch_begin(struct xlator *xl, struct watched *w, child_set asked);
void watch_answered(struct xlator *xl, struct watched *w, unsigned child, int err);
void watch_end(struct watched *w);

/* xl_fanout() and xl_fanout_each(), watched. */
struct answer *coroutine_fn copies_ask(struct xlator *xl, struct call *call, child_set to, enum fop op,
				       const void *args, child_set *ret_ok);
struct answer *coroutine_fn copies_ask_each(struct xlator *xl, struct call *call, child_set to, enum fop op,
					    const void *const *args, child_set *ret_ok);
/* One copy; -ETIMEDOUT when it is slow and one of @others could answer, too: the caller asks that, and then tells us. */
int coroutine_fn copies_ask_one(struct xlator *xl, struct call *call, unsigned child, child_set others,
				const struct xl_asked *asked, void *res);
/* Those in @late did not answer what another copy, asked at @asked_ns, has answered now. */
void copies_found_late(struct xlator *xl, child_set late, uint64_t asked_ns);

#endif
