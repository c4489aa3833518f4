/* rpc/rpcbind.h: our entries in the portmapper (RFC 1833, versions 2 to 4).
 *
 * Speaks to 127.0.0.1 and ::1 port 111 of our own network namespace, never through rpcbind's unix socket (that may
 * be another namespace's). Registers again when rpcbind restarts, removes the entries at the end. Being refused is
 * not fatal: the log says who holds the port. */
#ifndef RPC_RPCBIND_H
#define RPC_RPCBIND_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/coroutine.h"

struct loop;
struct rpcbind;
/* gives_way: registered only where nobody else is, alive or dead, and taken by anybody who wants it. */
struct rpcbind_entry { uint32_t prog, vers; bool udp; bool ipv6; uint16_t port; bool gives_way; };

/* copies; in the background */
struct rpcbind *rpcbind_start(struct loop *loop, const struct rpcbind_entry *entries, unsigned n);
void coroutine_fn rpcbind_stop(struct rpcbind *r);		/* unregisters (2 s at most), then frees */
bool rpcbind_registered(const struct rpcbind *r);		/* all that could be registered is */

#endif
