/* runtime/stream.c: the part of a stream that does not depend on what carries it. */
#include "runtime/stream.h"

#include <stdlib.h>

#include "runtime/loop_private.h"

int stream_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from,
		   struct stream **ret_stream)
{
	*ret_stream = NULL;
	return loop->ops->connect(loop, to, from, ret_stream);
}

int listener_open(struct loop *loop, const struct sockaddr *addr, void (*accepted)(void *arg, struct stream *s),
		  void *arg, struct listener **ret_listener)
{
	int ret;

	*ret_listener = NULL;
	ret = loop->ops->listen(loop, addr, ret_listener);
	if (ret < 0)
		return ret;
	(*ret_listener)->accepted = accepted;
	(*ret_listener)->arg = arg;
	return 0;
}

void listener_close(struct listener *l)
{
	if (l)
		l->ops->close(l);
}

int listener_pause(struct listener *l, bool paused)
{
	return l->ops->pause(l, paused);
}

void listener_address(const struct listener *l, struct sockaddr_storage *ret_addr)
{
	*ret_addr = l->addr;
}

void stream_start(struct stream *s, const struct stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
	s->want_read = true;
	s->ops->update(s);
}

ssize_t stream_readv(struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->readv(s, iov, n);
}

ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->writev(s, iov, n, false);
}

ssize_t stream_writev_more(struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->writev(s, iov, n, true);
}

ssize_t stream_splice(struct stream *s, int pipe, size_t len)
{
	return s->ops->splice(s, pipe, len);
}

bool stream_splices(const struct stream *s)
{
	return s->ops->splice != NULL;
}

void stream_dead_after(struct stream *s, uint32_t seconds)
{
	if (s->ops->dead_after)
		s->ops->dead_after(s, seconds);
}

void stream_want_read(struct stream *s, bool want)
{
	if (s->want_read == want)
		return;
	s->want_read = want;
	if (s->events)
		s->ops->update(s);
}

void stream_want_write(struct stream *s, bool want)
{
	if (s->want_write == want)
		return;
	s->want_write = want;
	if (s->events)
		s->ops->update(s);
}

/* Inside a callback the struct stays until the callback has returned: the dispatcher still looks at it. */
void stream_close(struct stream *s)
{
	if (!s)
		return;
	assert(!s->closed);
	s->closed = true;
	s->ops->close(s);
	if (!s->dispatching)
		free(s);
}

void stream_dispatch(struct stream *s, bool readable, bool writable)
{
	s->dispatching = true;
	if (readable && s->want_read)
		s->events->readable(s->arg);
	if (!s->closed && writable && s->want_write && s->events->writable)
		s->events->writable(s->arg);
	s->dispatching = false;
	if (s->closed)
		free(s);
}

const struct sockaddr_storage *stream_peer(const struct stream *s)
{
	return &s->peer;
}

const struct sockaddr_storage *stream_local(const struct stream *s)
{
	return &s->local;
}
