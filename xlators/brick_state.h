/* xlators/brick_state.h: what a brick says of its disk, for the daemon that serves it. */
#ifndef XLATORS_BRICK_STATE_H
#define XLATORS_BRICK_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct graph;

#define BRICK_TROUBLES 5

struct brick_state {			/* texts are the brick's: good until the next park */
	bool up;
	bool gone;			/* its path leads elsewhere: nothing but a new start helps */
	const char *reason;		/* why it is not up; "" */
	const char *identity;		/* xlators/brick_identity.h */
	uint64_t answered_ms;		/* the disk last answered so long ago; UINT64_MAX: it is not asked, or never answered */
	const char *troubles[BRICK_TROUBLES];	/* what is amiss though it is up, a part of a sentence each; NULL behind the last */
};

/* Of the graph's first storage/posix. False when it has none. Never parks. */
bool brick_state(const struct graph *graph, struct brick_state *s);

#endif
