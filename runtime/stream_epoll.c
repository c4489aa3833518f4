/* runtime/stream_epoll.c: streams over sockets.
 *
 * Back-pressure is lazy: stream_want_read(false) touches nothing until bytes really come while nobody wants them,
 * because most of the time reading is wanted again before that. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/log.h"
#include "runtime/loop_private.h"

#define BACKLOG 1024
#define VECTORS_MAX 1024	/* the kernel refuses more; the rest is a short write */
#define RETRY_NS 100000000u	/* accept again after we ran out of descriptors */

struct socket_stream { struct stream s; struct watch watch; };
struct socket_listener { struct listener l; struct watch watch; struct timer retry; bool paused; };

/* --- stream --- */

static ssize_t socket_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct socket_stream *ss = container_of(s, struct socket_stream, s);
	ssize_t ret;

	do {
		ret = readv(ss->watch.fd, iov, n < VECTORS_MAX ? n : VECTORS_MAX);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static ssize_t socket_writev(struct stream *s, const struct iovec *iov, int n, bool more)
{
	struct socket_stream *ss = container_of(s, struct socket_stream, s);
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n < VECTORS_MAX ? (size_t)n : VECTORS_MAX };
	ssize_t ret;

	do {
		ret = sendmsg(ss->watch.fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

/* A peer that is gone raises SIGPIPE here, which daemons ignore. */
static ssize_t socket_splice(struct stream *s, int pipe, size_t len)
{
	struct socket_stream *ss = container_of(s, struct socket_stream, s);
	ssize_t ret;

	do {
		ret = splice(pipe, NULL, ss->watch.fd, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static uint32_t wanted(const struct stream *s)
{
	return (s->want_read ? EPOLLIN : 0) | (s->want_write ? EPOLLOUT : 0);
}

static void socket_update(struct stream *s)
{
	struct socket_stream *ss = container_of(s, struct socket_stream, s);
	uint32_t lazy = ss->watch.events & EPOLLIN;	/* stays until it disturbs */
	int ret;

	ret = watch_change(&ss->watch, wanted(s) | lazy);
	if (ret < 0)	/* no memory in the kernel: a stream that hears nothing must not linger */
		shutdown(ss->watch.fd, SHUT_RDWR);
}

static void socket_event(void *arg, uint32_t events)
{
	struct socket_stream *ss = arg;
	bool bad = events & (EPOLLERR | EPOLLHUP);
	bool readable = (events & EPOLLIN) || bad, writable = (events & EPOLLOUT) || bad;

	if ((readable && ss->s.want_read) || (writable && ss->s.want_write))
		stream_dispatch(&ss->s, readable, writable);
	else
		watch_change(&ss->watch, wanted(&ss->s));
}

static void socket_close(struct stream *s)
{
	struct socket_stream *ss = container_of(s, struct socket_stream, s);

	watch_remove(&ss->watch);
	close(ss->watch.fd);
}

static void set_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));	/* wishes only: a socket without them works */
}

/* Probes find a silent peer; the user timeout one that owes an acknowledgement, which probes would not be sent to. */
static void socket_dead_after(struct stream *s, uint32_t seconds)
{
	int fd = container_of(s, struct socket_stream, s)->watch.fd;
	int half = seconds > 2 ? (int)seconds / 2 : 1;

	if (s->peer.ss_family == AF_UNIX)
		return;
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, half);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, half > 5 ? half / 5 : 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)seconds * 1000);
}

static const struct stream_ops socket_ops = {
	socket_readv, socket_writev, socket_splice, socket_update, socket_dead_after, socket_close
};

/* Within one host there is no network to be gentle with: a congestion control that paces what is sent (BBR, where it is the default) costs
 * timers and small packets there. Reno is always there, for everybody, and does not. */
static void unpaced(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/* Takes @fd, also on failure. */
static struct stream *socket_stream_new(struct loop *loop, int fd, const struct sockaddr_storage *peer)
{
	struct socket_stream *ss = calloc(1, sizeof(*ss));
	socklen_t len = sizeof(ss->s.local);

	if (!ss) {
		close(fd);
		return NULL;
	}
	ss->s.ops = &socket_ops;
	ss->s.loop = loop;
	ss->s.peer = *peer;
	getsockname(fd, (struct sockaddr *)&ss->s.local, &len);
	ss->watch = (struct watch){ loop, fd, 0, socket_event, ss };
	watch_add(loop, &ss->watch);
	if (peer->ss_family == AF_UNIX)		/* it ends with its process: nothing to probe for */
		return &ss->s;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);	/* half-open peers go within some minutes */
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 120);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
	if (sockaddr_same_host((const struct sockaddr *)&ss->s.local, (const struct sockaddr *)peer))
		unpaced(fd);
	return &ss->s;
}

/* --- connect --- */

/* A name that nobody listens behind any more: its process was killed. A plain file refuses, too, and is not ours to remove. */
static bool stale(const struct sockaddr *addr)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(((const struct sockaddr_un *)addr)->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, addr, sockaddr_len(addr)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int bind_local(int fd, const struct sockaddr *addr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)addr;

	if (addr->sa_family == AF_UNIX)		/* before the name appears: then it never was open to others */
		fchmod(fd, 0600);
	if (bind(fd, addr, sockaddr_len(addr)) == 0)
		return 0;
	if (addr->sa_family != AF_UNIX || errno != EADDRINUSE)
		return -errno;
	if (!stale(addr))
		return -EADDRINUSE;
	unlink(un->sun_path);
	return bind(fd, addr, sockaddr_len(addr)) < 0 ? -errno : 0;
}

static int socket_open(const struct sockaddr *family_of, const struct sockaddr *bind_to)
{
	int fd = socket(family_of->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	if (!bind_to)
		return fd;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family_of->sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	ret = bind_local(fd, bind_to);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

static void connect_event(void *arg, uint32_t events)
{
	co_wake(arg, 0);
}

static int coroutine_fn wait_connected(struct loop *loop, int fd)
{
	struct co_wait wait = CO_WAIT_INIT;
	struct watch w = { loop, fd, EPOLLOUT, connect_event, &wait };
	socklen_t len = sizeof(int);
	int error = 0, ret;

	ret = watch_add(loop, &w);
	if (ret < 0)
		return ret;
	ret = co_park(&wait);
	watch_remove(&w);
	if (ret < 0)
		return ret;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

int epoll_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from, struct stream **ret_stream)
{
	struct sockaddr_storage peer = { 0 };
	int fd = socket_open(to, from), ret = 0;

	if (fd < 0)
		return fd;
	memcpy(&peer, to, sockaddr_len(to));
	if (connect(fd, to, sockaddr_len(to)) < 0)
		ret = errno == EINPROGRESS || errno == EINTR ? wait_connected(loop, fd) : -errno;
	if (ret < 0) {
		close(fd);
		return ret;
	}
	*ret_stream = socket_stream_new(loop, fd, &peer);
	return *ret_stream ? 0 : -ENOMEM;
}

/* --- listener --- */

static int listener_apply(struct socket_listener *sl)
{
	return watch_change(&sl->watch, sl->paused || timer_armed(&sl->retry) ? 0 : EPOLLIN);
}

static void accept_again(void *arg)
{
	listener_apply(arg);
}

static void out_of_descriptors(struct socket_listener *sl, int error)
{
	log_warning("cannot accept a connection, trying again in 100 ms", "error=%s", strerror(error));
	timer_arm(sl->l.loop, &sl->retry, loop_now_ns(sl->l.loop) + RETRY_NS);
	listener_apply(sl);
}

static void accept_event(void *arg, uint32_t events)
{
	struct socket_listener *sl = arg;
	struct sockaddr_storage peer;
	socklen_t len;
	struct stream *s;
	int fd;

	/* One connection an event: the owner may pause or close the listener from accepted(). Level triggering brings
	 * the next. */
	memset(&peer, 0, sizeof(peer));
	len = sizeof(peer);
	fd = accept4(sl->watch.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			out_of_descriptors(sl, errno);
		return;
	}
	s = socket_stream_new(sl->l.loop, fd, &peer);
	if (s)
		sl->l.accepted(sl->l.arg, s);
}

static int socket_listener_pause(struct listener *l, bool paused)
{
	struct socket_listener *sl = container_of(l, struct socket_listener, l);

	sl->paused = paused;
	return listener_apply(sl);
}

static void socket_listener_close(struct listener *l)
{
	struct socket_listener *sl = container_of(l, struct socket_listener, l);

	timer_cancel(&sl->retry);
	watch_remove(&sl->watch);
	if (l->addr.ss_family == AF_UNIX)
		unlink(((struct sockaddr_un *)&l->addr)->sun_path);
	close(sl->watch.fd);
	free(sl);
}

static const struct listener_ops socket_listener_ops = { socket_listener_pause, socket_listener_close };

int epoll_listen(struct loop *loop, const struct sockaddr *addr, struct listener **ret_listener)
{
	struct socket_listener *sl;
	socklen_t len = sizeof(sl->l.addr);
	int fd = socket_open(addr, addr), ret;

	if (fd < 0)
		return fd;
	sl = calloc(1, sizeof(*sl));
	ret = !sl ? -ENOMEM : listen(fd, BACKLOG) < 0 ? -errno : 0;
	if (!ret) {
		sl->l.ops = &socket_listener_ops;
		sl->l.loop = loop;
		getsockname(fd, (struct sockaddr *)&sl->l.addr, &len);
		timer_init(&sl->retry, accept_again, sl);
		sl->watch = (struct watch){ loop, fd, EPOLLIN, accept_event, sl };
		ret = watch_add(loop, &sl->watch);
	}
	if (ret < 0) {
		free(sl);
		close(fd);
		return ret;
	}
	*ret_listener = &sl->l;
	return 0;
}
