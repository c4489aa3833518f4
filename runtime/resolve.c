/* runtime/resolve.c: host names to addresses, and addresses to text. The resolver blocks, so names go to a helper
 * thread. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "runtime/loop_private.h"

#define HOST_MAX 255

socklen_t sockaddr_len(const struct sockaddr *addr)
{
	switch (addr->sa_family) {
	case AF_INET:
		return sizeof(struct sockaddr_in);
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	case AF_UNIX:
		return sizeof(struct sockaddr_un);
	default:
		return sizeof(struct sockaddr);
	}
}

const char *sockaddr_text(const struct sockaddr *addr, char *buf, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		if (in6->sin6_scope_id)
			snprintf(buf, size, "[%s%%%u]:%u", host, in6->sin6_scope_id, ntohs(in6->sin6_port));
		else
			snprintf(buf, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(in->sin_port));
	} else if (addr->sa_family == AF_UNIX) {
		snprintf(buf, size, "%.*s", (int)sizeof(un->sun_path), *un->sun_path ? un->sun_path : "unix");
	} else {
		snprintf(buf, size, "family-%u", addr->sa_family);
	}
	return buf;
}

/* All as IPv6, IPv4 mapped: then equal hosts are equal bytes. */
static bool host_bytes(const struct sockaddr *addr, uint8_t ret_bytes[16])
{
	if (addr->sa_family == AF_INET6) {
		memcpy(ret_bytes, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
		return true;
	}
	if (addr->sa_family != AF_INET)
		return false;
	memset(ret_bytes, 0, 10);
	memset(ret_bytes + 10, 0xff, 2);
	memcpy(ret_bytes + 12, &((const struct sockaddr_in *)addr)->sin_addr, 4);
	return true;
}

bool sockaddr_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t x[16], y[16];

	return host_bytes(a, x) && host_bytes(b, y) && memcmp(x, y, 16) == 0;
}

static bool parse_numeric(char *host, uint16_t port, struct sockaddr_storage *ret_addr)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_addr;
	struct sockaddr_in *in = (struct sockaddr_in *)ret_addr;
	char *scope = strchr(host, '%');

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return true;
	}
	if (scope)
		*scope = '\0';
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1) {
		if (scope)
			*scope = '%';
		return false;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	if (scope) {
		in6->sin6_scope_id = if_nametoindex(scope + 1);
		if (!in6->sin6_scope_id)
			in6->sin6_scope_id = (uint32_t)strtoul(scope + 1, NULL, 10);
	}
	return true;
}

struct lookup { const char *host; uint16_t port; struct sockaddr_storage *addrs; unsigned max; };

static int lookup_errno(int error)
{
	switch (error) {
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return errno ? -errno : -EIO;
	default:
		return -ENOENT;
	}
}

static int lookup_blocking(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *ai;
	struct lookup *l = arg;
	unsigned n = 0;
	int error;

	error = getaddrinfo(l->host, NULL, &hints, &list);
	if (error)
		return lookup_errno(error);
	for (ai = list; ai && n < l->max; ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		memset(&l->addrs[n], 0, sizeof(l->addrs[n]));
		memcpy(&l->addrs[n], ai->ai_addr, ai->ai_addrlen);
		if (ai->ai_family == AF_INET)
			((struct sockaddr_in *)&l->addrs[n])->sin_port = htons(l->port);
		else
			((struct sockaddr_in6 *)&l->addrs[n])->sin6_port = htons(l->port);
		n++;
	}
	freeaddrinfo(list);
	return n ? (int)n : -ENOENT;
}

int net_resolve(const char *host, uint16_t port, struct sockaddr_storage *ret_addrs, unsigned max)
{
	char name[HOST_MAX + 1];
	struct lookup lookup = { name, port, ret_addrs, max };
	size_t len = strlen(host);

	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (!max || !len || len > HOST_MAX)
		return -EINVAL;
	memcpy(name, host, len);
	name[len] = '\0';
	if (parse_numeric(name, port, ret_addrs))
		return 1;
	if (loop_is_sim(loop_self()))
		return -ENOENT;		/* what the real resolver says does not follow from the seed */
	return loop_offload(lookup_blocking, &lookup);
}

struct reverse { const struct sockaddr *addr; char *name; size_t size; };

static int reverse_blocking(void *arg)
{
	struct reverse *r = arg;
	int error = getnameinfo(r->addr, sockaddr_len(r->addr), r->name, (socklen_t)r->size, NULL, 0, NI_NAMEREQD);

	return error ? lookup_errno(error) : 0;
}

int net_reverse(const struct sockaddr *addr, char *ret_name, size_t size)
{
	struct reverse reverse = { addr, ret_name, size };

	if (loop_is_sim(loop_self()))
		return -ENOENT;
	return loop_offload(reverse_blocking, &reverse);
}
