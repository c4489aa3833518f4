/* xlators/cluster/replicate/takeback.h: undoing a change that some copies made and the others refused (README.md, "A refusal is an answer"). */
#ifndef REPLICATE_TAKEBACK_H
#define REPLICATE_TAKEBACK_H

#include "xlators/cluster/replicate/replicate.h"

struct take_back {
	struct xlator *xl;
	struct call *call;			/* root's, for locks and marks */
	enum fop op;
	const void *args;
	const struct answer *ans;
	child_set part;				/* who was asked, and is locked */
	child_set ok, good;			/* made it; were whole before */
	uint8_t gfid[16];			/* the object that got a name; result */
	/* what stands on the disks; result of take_back_look() */
	child_set made, silent;			/* the change; could not say. The rest is as it was */
	struct answer *there;			/* lookups of the name that was given, or NULL */
	bool replaced;				/* the name meant something else before */
};

/* Is everybody there, and do those that did not make it say so for reasons of their own? */
bool take_back_due(const struct take_back *b);
/* What did those do that refused? An error does not always say that nothing was done. */
void coroutine_fn take_back_look(struct take_back *b);
/* Turns the answers of those that refused, and made it all the same, into success. Returns who that is. */
child_set take_back_accept(struct take_back *b, struct answer *ans);
/* Undoes it, and leaves in the verdict what is not undone. The caller holds the locks on those that refused, so that nobody else changes
 * the names. */
void coroutine_fn take_back(struct take_back *b, struct verdict *v);
/* gfid that a create, mknod, mkdir or symlink gives. */
const uint8_t *replicate_new_gfid(enum fop op, const void *args);

#endif
