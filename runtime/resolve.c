/* runtime/resolve.c: host names to addresses, and addresses to text. The resolver blocks, so names go to threads of its own
 * (resolver.h). */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "runtime/loop_private.h"
#include "runtime/resolver.h"

#define HOST_MAX 255
#define ANSWERS_MAX 16
#define PATIENCE_NS 20000000000ull	/* however long the name server may take */

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

struct lookup {			/* on the heap: the one that asks may give up */
	char host[HOST_MAX + 1];
	uint16_t port;
	unsigned max;
	struct sockaddr_storage addrs[ANSWERS_MAX];
};

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

static int coroutine_fn ask(enum resolver_kind kind, int (*blocking)(void *question), void *question, bool *ret_left)
{
	uint64_t old = co_set_deadline(loop_now_ns(loop_self()) + PATIENCE_NS);
	int ret = resolver_run(kind, blocking, question, ret_left);

	co_restore_deadline(old);
	return ret;
}

static int coroutine_fn look_up(const char *name, uint16_t port, struct sockaddr_storage *ret_addrs, unsigned max)
{
	struct lookup *l = calloc(1, sizeof(*l));
	bool left;
	int n;

	if (!l)
		return -ENOMEM;
	snprintf(l->host, sizeof(l->host), "%s", name);
	l->port = port;
	l->max = max < ANSWERS_MAX ? max : ANSWERS_MAX;
	n = ask(RESOLVER_ADDRESSES, lookup_blocking, l, &left);
	if (n > 0)
		memcpy(ret_addrs, l->addrs, (size_t)n * sizeof(*ret_addrs));
	if (!left)
		free(l);
	return n;
}

int net_resolve(const char *host, uint16_t port, struct sockaddr_storage *ret_addrs, unsigned max)
{
	char name[HOST_MAX + 1];
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
	return look_up(name, port, ret_addrs, max);
}

struct reverse { struct sockaddr_storage addr; char name[NI_MAXHOST]; };

static int reverse_blocking(void *arg)
{
	struct reverse *r = arg;
	const struct sockaddr *addr = (const struct sockaddr *)&r->addr;
	int error = getnameinfo(addr, sockaddr_len(addr), r->name, sizeof(r->name), NULL, 0, NI_NAMEREQD);

	return error ? lookup_errno(error) : 0;
}

int net_reverse(const struct sockaddr *addr, char *ret_name, size_t size)
{
	struct reverse *r;
	bool left;
	int ret;

	if (loop_is_sim(loop_self()))
		return -ENOENT;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memcpy(&r->addr, addr, sockaddr_len(addr));
	ret = ask(RESOLVER_NAMES, reverse_blocking, r, &left);
	if (ret == 0)
		ret = strlen(r->name) < size ? snprintf(ret_name, size, "%s", r->name), 0 : -ENOENT;
	if (!left)
		free(r);
	return ret;
}
