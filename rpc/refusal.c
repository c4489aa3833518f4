/* rpc/refusal.c: see refusal.h. */
#include "rpc/refusal.h"

#include <netinet/in.h>
#include <string.h>

#include "runtime/hash.h"

/* The address without the port: each attempt has another one. */
static uint64_t host_of(const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET6)
		return hash_bytes(&((const struct sockaddr_in6 *)peer)->sin6_addr, sizeof(struct in6_addr), AF_INET6);
	return hash_bytes(&((const struct sockaddr_in *)peer)->sin_addr, sizeof(struct in_addr), AF_INET);
}

bool refusal_is_news(struct refusals *r, const struct sockaddr *peer, const char *reason)
{
	uint64_t host = host_of(peer), why = hash_bytes(reason, strlen(reason), 0);
	unsigned i = host & (REFUSALS - 1);
	bool known = r->of[i].host == host && r->of[i].reason == why;

	r->of[i].host = host;
	r->of[i].reason = why;
	return !known;
}

void refusal_over(struct refusals *r, const struct sockaddr *peer)
{
	uint64_t host = host_of(peer);
	unsigned i = host & (REFUSALS - 1);

	if (r->of[i].host == host)
		r->of[i].host = r->of[i].reason = 0;
}
