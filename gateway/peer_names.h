/* gateway/peer_names.h: host names in exports: names to addresses, asked again every minute, and addresses to names, for patterns
 * only.
 *
 * A name server may be slow, silent, or a stranger's own: one look-up an address is made at a time, few calls wait for one, none
 * for longer than two seconds, and what was found out is remembered, also that nothing was. */
#ifndef GATEWAY_PEER_NAMES_H
#define GATEWAY_PEER_NAMES_H

#include "runtime/coroutine.h"
#include "xlators/exports.h"

#define PEER_NAMES_WAIT_NS 2000000000ull

/* Asks for every host name of the set, several at a time; true when an answer changed. A name that cannot be resolved just
 * now keeps its addresses; one that does not exist loses them. Interrupted, it leaves the rest as they are. */
bool coroutine_fn export_set_resolve(struct export_set *set);
/* The addresses that the same names have in @from, for a set that is about to replace it. */
void export_set_inherit(struct export_set *set, const struct export_set *from);

struct peer_names;
/* Asks backwards, and forwards again: 0 and the name that leads back to @peer, -ENOENT: it has none, or -errno. */
typedef int coroutine_fn peer_lookup(const struct sockaddr *peer, char *ret_name, size_t size);
struct peer_names *peer_names_new(peer_lookup *lookup);		/* NULL: the resolver's */
void peer_names_free(struct peer_names *names);			/* a look-up that runs frees what it needs when it ends */
/* 0 and the name, valid until the next park; NULL: the peer has none that holds. -EAGAIN: not known yet, because the name server
 * does not answer or too many calls wait already. */
int coroutine_fn peer_name(struct peer_names *names, const struct sockaddr *peer, const char **ret_name);

#endif
