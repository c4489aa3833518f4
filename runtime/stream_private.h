/* runtime/stream_private.h: the common head of the two kinds of stream and listener. */
#ifndef RUNTIME_STREAM_PRIVATE_H
#define RUNTIME_STREAM_PRIVATE_H

#include "runtime/stream.h"

struct stream_ops {
	ssize_t (*readv)(struct stream *s, const struct iovec *iov, int n);
	ssize_t (*writev)(struct stream *s, const struct iovec *iov, int n, bool more);
	ssize_t (*splice)(struct stream *s, int pipe, size_t len);	/* may be NULL */
	void (*update)(struct stream *s);	/* events, want_read or want_write has changed */
	void (*dead_after)(struct stream *s, uint32_t seconds);	/* may be NULL */
	void (*close)(struct stream *s);	/* lets go of everything but the struct */
};

struct stream {		/* first member of the backend's own struct: stream.c frees it */
	const struct stream_ops *ops;
	struct loop *loop;
	const struct stream_events *events;	/* NULL until stream_start() */
	void *arg;
	bool want_read, want_write;
	bool dispatching, closed;
	struct sockaddr_storage peer, local;
};

struct listener_ops {
	int (*pause)(struct listener *l, bool paused);
	void (*close)(struct listener *l);
};

struct listener {
	const struct listener_ops *ops;
	struct loop *loop;
	void (*accepted)(void *arg, struct stream *s);
	void *arg;
	struct sockaddr_storage addr;
};

void stream_dispatch(struct stream *s, bool readable, bool writable);	/* calls the owner back; @s may be gone after */

/* stream_epoll.c, stream_sim.c: the backends' doors in struct loop_ops */
int coroutine_fn epoll_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from,
			       struct stream **ret_stream);
int epoll_listen(struct loop *loop, const struct sockaddr *addr, struct listener **ret_listener);

#endif
