/* gateway/doubt.h: changes that were sent to bricks, and whose outcome nobody knows, because bricks went away before all answers were in.
 *
 * Their clients were told to come back (JUKEBOX), and do so under another xid, so the cache of replies does not know them. Without this memory
 * a mkdir that had happened after all would answer EXIST, a remove NOENT. It is bounded and forgets after ten minutes. */
#ifndef GATEWAY_DOUBT_H
#define GATEWAY_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/rpc.h"

struct doubts;

struct doubts *doubts_new(void);
void doubts_free(struct doubts *doubts);	/* accepts NULL */
/* @gfid: of what the call would have made; NULL for calls that make nothing. */
void doubt_add(struct doubts *doubts, const struct rpc_request *rq, const uint8_t *gfid);
/* Was this very call (client, user, procedure, arguments) in doubt? It is not any more. @ret_gfid may be NULL. */
bool doubt_take(struct doubts *doubts, const struct rpc_request *rq, uint8_t *ret_gfid);

#endif
