/* rpc/refusal.h: a peer that is refused comes again and again; the log shall say so once.
 *
 * A table of fixed size: which host was refused why. Another reason, or a success between, is news again. */
#ifndef RPC_REFUSAL_H
#define RPC_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define REFUSALS 64u		/* hosts; a power of two. Where two meet, the log says more than it must */

struct refusals { struct { uint64_t host, reason; } of[REFUSALS]; };	/* zeroed: nobody was */

bool refusal_is_news(struct refusals *r, const struct sockaddr *peer, const char *reason);
void refusal_over(struct refusals *r, const struct sockaddr *peer);	/* the host was let in */

#endif
