/* rpc/local.c: who is at the other end of a connection from this very host? The kernel tells, by its socket diagnosis (sock_diag(7)).
 *
 * A privileged port says as much, but stock clients of our day do not use one. No call here waits for anything. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/rpc.h"

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

struct answer {
	struct nlmsghdr head;
	struct inet_diag_msg body;
	char rest[512];
};

/* The kernel answers within send(). */
static int ask(const struct question *q, struct answer *a)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	ssize_t n = -1;

	if (fd < 0)
		return -errno;
	if (send(fd, q, sizeof(*q), 0) == (ssize_t)sizeof(*q))
		n = recv(fd, a, sizeof(*a), 0);
	close(fd);
	return n >= (ssize_t)(sizeof(a->head) + sizeof(a->body)) && a->head.nlmsg_type == SOCK_DIAG_BY_FAMILY ? 0 : -ENOENT;
}

/* Who connects to an address of its own host does so from the same address. */
static void fill(struct inet_diag_req_v2 *d, const struct sockaddr *peer, uint16_t port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const void *addr = peer->sa_family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
	size_t len = peer->sa_family == AF_INET ? sizeof(v4->sin_addr) : sizeof(v6->sin6_addr);

	d->sdiag_family = (uint8_t)peer->sa_family;
	d->sdiag_protocol = IPPROTO_TCP;
	d->idiag_states = 1u << TCP_ESTABLISHED;
	d->id.idiag_sport = v4->sin_port; /* at the same place for both families */
	d->id.idiag_dport = htons(port);
	memcpy(d->id.idiag_src, addr, len);
	memcpy(d->id.idiag_dst, addr, len);
	d->id.idiag_cookie[0] = d->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

bool rpc_peer_is_root(const struct sockaddr *peer, uint16_t port)
{
	struct question q = { .head = { sizeof(q), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0 } };
	struct answer a;

	if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6)
		return false;
	fill(&q.body, peer, port);
	memset(&a, 0, sizeof(a));
	return ask(&q, &a) == 0 && a.body.id.idiag_sport == q.body.id.idiag_sport && a.body.idiag_uid == 0;
}
