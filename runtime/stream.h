/* runtime/stream.h: TCP as the layers above see it, over epoll and over the simulated network alike. Local sockets (AF_UNIX), too, over epoll.
 *
 * Reading and writing never block and need no coroutine, so that an idle connection costs a descriptor and a struct.
 * A stream tells its owner when it may be readable or writable; the owner reads until -EAGAIN. Closing inside a
 * callback is allowed. */
#ifndef RUNTIME_STREAM_H
#define RUNTIME_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct stream;
struct listener;

struct stream_events {
	void (*readable)(void *arg);	/* data, end of file or an error waits */
	void (*writable)(void *arg);	/* only while asked for with stream_want_write() */
};

/* Parks until connected. @from NULL: any local address (a simulation needs one: it names the host). 0 or -errno. */
int coroutine_fn stream_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from,
				struct stream **ret_stream);
/* Calls @accepted with each new stream, which it owns then. The address family, with IPV6_V6ONLY set for IPv6, and
 * SO_REUSEADDR. A local socket is for its own user (0600); the name of one that was killed is taken over, and goes when the listener is
 * closed. Two processes must not open the same one at once: a pid file keeps them apart. */
int listener_open(struct loop *loop, const struct sockaddr *addr, void (*accepted)(void *arg, struct stream *s),
		  void *arg, struct listener **ret_listener);
void listener_close(struct listener *l);		/* accepts NULL */
int listener_pause(struct listener *l, bool paused);	/* e.g. past a cap of connections */
void listener_address(const struct listener *l, struct sockaddr_storage *ret_addr);	/* the port it really got */

void stream_start(struct stream *s, const struct stream_events *events, void *arg);	/* from now on callbacks come */
ssize_t stream_readv(struct stream *s, const struct iovec *iov, int n);	/* bytes, 0 at end of file, -EAGAIN, -errno */
ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n);	/* bytes, -EAGAIN, -errno */
/* The same, when more follows at once: what does not fill a packet may wait for that. */
ssize_t stream_writev_more(struct stream *s, const struct iovec *iov, int n);
/* Moves up to @len bytes out of a pipe that holds them, without copying. Bytes, -EAGAIN, -errno. */
ssize_t stream_splice(struct stream *s, int pipe, size_t len);
bool stream_splices(const struct stream *s);		/* can it? */
void stream_want_read(struct stream *s, bool want);	/* false: back-pressure; true after stream_start() */
void stream_want_write(struct stream *s, bool want);
/* A peer that has been unreachable for so long is gone: an error is read. Without it: after some minutes. */
void stream_dead_after(struct stream *s, uint32_t seconds);
void stream_close(struct stream *s);			/* accepts NULL; frees it; no callback comes after */
const struct sockaddr_storage *stream_peer(const struct stream *s);
const struct sockaddr_storage *stream_local(const struct stream *s);

/* Text of an address and port: "192.0.2.1:2049", "[2001:db8::1]:2049"; a local socket's path, or "unix" without one. @size at least 64.
 * Returns @buf. */
const char *sockaddr_text(const struct sockaddr *addr, char *buf, size_t size);
socklen_t sockaddr_len(const struct sockaddr *addr);
/* Without the port, IPv4-mapped IPv6 taken for IPv4. */
bool sockaddr_same_host(const struct sockaddr *a, const struct sockaddr *b);
/* Numeric literals (brackets or not) at once; names through the resolver's threads (resolver.h). At most @max results
 * (16). Count or -errno: -ENOENT for a name that does not exist, -EAGAIN when nobody could say, -ETIMEDOUT. */
int coroutine_fn net_resolve(const char *host, uint16_t port, struct sockaddr_storage *ret_addrs, unsigned max);
/* The other way round, without any proof that the name is true. 0 or -errno (-ENOENT: it has no name). */
int coroutine_fn net_reverse(const struct sockaddr *addr, char *ret_name, size_t size);

#endif
