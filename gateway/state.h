/* gateway/state.h: a picture of the gateway for whoever must find out what it is doing (SIGUSR1). */
#ifndef GATEWAY_STATE_H
#define GATEWAY_STATE_H

#include "gateway/gateway.h"

/* Writes the state to @path (aside, then renamed into place). 0 or -errno. */
int coroutine_fn state_dump(struct gateway *gw, const char *path);

#endif
