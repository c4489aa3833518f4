/* rpc/udp.c: the same programs over datagrams, for MOUNT and the like: a datagram is a record.
 *
 * The reply leaves from the address at which the call arrived: clients of a host with several addresses insist on
 * that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rpc/server.h"

#define DATAGRAM_MAX (64u << 10)
#define REPLY_MAX 8192u
#define PER_ROUND 32
#define INFLIGHT_MAX 1024u	/* what comes beyond is dropped: the sender asks again */

union control { char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))]; struct cmsghdr align; };

static void remember_local(struct rpc_udp_address *from, struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&from->local.v4, CMSG_DATA(c), sizeof(from->local.v4));
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&from->local.v6, CMSG_DATA(c), sizeof(from->local.v6));
	}
}

/* One datagram; false when there is none. */
static bool receive(struct rpc_socket *socket)
{
	struct iobuf *buf = iobuf_new(DATAGRAM_MAX);
	struct rpc_udp_address from = { 0 };
	struct rpc_origin origin = { .server = socket->server, .socket = socket, .from = &from };
	struct iovec iov = { buf ? buf->data : NULL, DATAGRAM_MAX };
	union control control;
	struct msghdr msg = {.msg_name = &from.peer,
			     .msg_namelen = sizeof(from.peer),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct payload record;
	ssize_t n;

	if (!buf)
		return false;
	n = recvmsg(socket->watch.fd, &msg, MSG_DONTWAIT);
	if (n > 0 && !(msg.msg_flags & MSG_TRUNC) && socket->inflight < INFLIGHT_MAX) {
		remember_local(&from, &msg);
		record = (struct payload){ buf, 0, (uint32_t)n };
		rpc_dispatch(&origin, &record);		/* what cannot be served now is asked again by its sender */
	}
	iobuf_unref(buf);
	return n >= 0;
}

static void on_event(void *arg, uint32_t events)
{
	int i;

	(void)events;
	for (i = 0; i < PER_ROUND; i++)
		if (!receive(arg))
			return;
}

/* The source address of the reply, as a control message. */
static void set_source(struct rpc_socket *socket, const struct rpc_udp_address *to, struct msghdr *msg,
		       union control *control)
{
	struct in6_pktinfo v6 = to->local.v6;
	struct in_pktinfo v4 = { .ipi_spec_dst = to->local.v4.ipi_addr };
	bool is6 = socket->family == AF_INET6;
	size_t len = is6 ? sizeof(v6) : sizeof(v4);
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(len);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = is6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = is6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), is6 ? (void *)&v6 : (void *)&v4, len);
}

int rpc_udp_send(struct rpc_socket *socket, const struct rpc_udp_address *to, rpc_encode_fn *fn, void *arg,
		 const struct payload *tail)
{
	struct iobuf *buf = iobuf_new(REPLY_MAX);
	struct msghdr msg = {.msg_name = (void *)&to->peer,
			     .msg_namelen = sockaddr_len((const struct sockaddr *)&to->peer)};
	union control control;
	struct iovec iov;
	struct wire w;
	int ret = -EMSGSIZE;
	XDR xdrs;

	if (!buf)
		return -ENOMEM;
	wire_encode_init(&xdrs, &w, buf->data, REPLY_MAX, NULL);
	if (fn(&xdrs, arg) && !w.ngaps && (!tail || !tail->len)) {
		iov = (struct iovec){ buf->data, REPLY_MAX - xdrs.x_handy };
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		set_source(socket, to, &msg, &control);
		ret = sendmsg(socket->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	}
	iobuf_unref(buf);
	return ret;
}

void rpc_udp_close(struct rpc_socket *socket)
{
	watch_remove(&socket->watch);
	close(socket->watch.fd);
	free(socket);
}

static int open_socket(const struct sockaddr *addr)
{
	int fd = socket(addr->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, ret;

	if (fd < 0)
		return -errno;
	if (addr->sa_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	if (bind(fd, addr, sockaddr_len(addr)) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int listen_failed(const struct sockaddr *addr, struct error *err, int ret)
{
	char text[64], holder[128] = "";

	sockaddr_text(addr, text, sizeof(text));
	if (ret == -EADDRINUSE)
		rpc_port_holder(ntohs(((const struct sockaddr_in *)addr)->sin_port), true, holder, sizeof(holder));
	return error_set(err, ret, "cannot listen on %s (UDP): %s%s%s", text, strerror(-ret),
			 *holder ? ", held by " : "", holder);
}

int rpc_server_listen_udp(struct rpc_server *s, const struct sockaddr *addr, struct error *err, uint16_t *ret_port)
{
	struct rpc_socket *us = calloc(1, sizeof(*us));
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	int fd, ret;

	if (!us)
		return -ENOMEM;
	fd = open_socket(addr);
	us->server = s;
	us->family = addr->sa_family;
	us->watch = (struct watch){ .fd = fd, .events = EPOLLIN, .fn = on_event, .arg = us };
	ret = fd < 0 ? fd : watch_add(s->loop, &us->watch);
	if (ret < 0) {
		if (fd >= 0)
			close(fd);
		free(us);
		return listen_failed(addr, err, ret);
	}
	list_append(&s->sockets, &us->in_server);
	getsockname(fd, (struct sockaddr *)&bound, &len);
	if (ret_port)
		*ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}
