/* rpc/link.c: a stream with the framing on its one side and a queue of segments on the other.
 *
 * A segment is a window into an iobuf with a reference, or all that a pipe holds. Small messages lie back to back in
 * the current output buffer and grow one segment; a payload is a segment of its own. So a round's replies are a
 * handful of segments however many there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/link.h"
#include "rpc/message.h"

#define OUT_SIZE (16u << 10)
#define OUT_MAX (RPC_MAX_RECORD_DEFAULT - 16u)
#define OUT_LOW 512u		/* with less room left a new buffer is begun at once */
#define IOV_BATCH 64		/* as many as tls_writev() takes */
#define KEEP_SEGMENTS 16
#define READS_PER_ROUND 16	/* then the others have their turn */
#define LAST_FRAGMENT 0x80000000u
#define HANDSHAKE_S 10u
#define CLIENT_HELLO 0x1603u	/* how TLS begins, where a record's mark is expected */

static void on_flush(void *arg);
static void on_resume(void *arg);
static void on_readable(void *arg);
static void on_writable(void *arg);
static void on_late(void *arg);

static const struct stream_events link_events = { on_readable, on_writable };

void rpc_link_open(struct rpc_link *l, struct loop *loop, struct stream *stream, struct tls *tls, uint32_t max_record,
		   const struct rpc_link_ops *ops)
{
	memset(l, 0, sizeof(*l));
	l->ops = ops;
	l->loop = loop;
	l->stream = stream;
	l->tls = tls;
	l->ready = !tls;
	l->received_ns = l->sent_ns = loop_now_ns(loop);
	l->flush.fn = on_flush;
	l->flush.arg = l;
	l->resume.fn = on_resume;
	l->resume.arg = l;
	rpc_reader_init(&l->reader, max_record);
	timer_init(&l->late, on_late, l);
	stream_start(stream, &link_events, l);
	if (!tls)
		return;
	timer_arm(loop, &l->late, loop_now_ns(loop) + HANDSHAKE_S * 1000000000ull);
	loop_defer(loop, &l->resume);	/* a client speaks first */
}

static struct rpc_segment *segment(struct rpc_link *l, uint32_t i)
{
	return &l->queue[(l->head + i) & (l->queue_size - 1)];
}

static void count_unsent(struct rpc_link *l, int64_t bytes)
{
	l->unsent += (uint64_t)bytes;
	if (l->total)
		*l->total += (uint64_t)bytes;
}

static void forget_unsent(struct rpc_link *l)
{
	uint32_t i;

	for (i = 0; i < l->count; i++)
		iobuf_unref(segment(l, i)->buf);
	free(l->queue);
	l->queue = NULL;
	l->queue_size = l->head = l->count = 0;
	count_unsent(l, -(int64_t)l->unsent);
	iobuf_unref(l->out);
	l->out = NULL;
}

static void count_partial(struct rpc_link *l)
{
	bool partial = l->stream && rpc_link_partial(l);
	uint64_t bytes = partial && l->reader.buf ? l->reader.cap : 0;

	if (partial && (!l->partial_ns || l->partial_at != l->nrecords)) {
		l->partial_ns = loop_now_ns(l->loop);
		l->partial_at = l->nrecords;
	} else if (!partial) {
		l->partial_ns = 0;
	}
	if (l->partials)
		*l->partials += bytes - l->partial;
	l->partial = bytes;
}

void rpc_link_close(struct rpc_link *l)
{
	struct stream *s = l->stream;

	if (!s)
		return;
	l->stream = NULL;
	loop_defer_cancel(&l->flush);
	loop_defer_cancel(&l->resume);
	timer_cancel(&l->late);
	tls_free(l->tls);
	l->tls = NULL;
	stream_close(s);
	rpc_reader_fini(&l->reader);
	count_partial(l);
	forget_unsent(l);
}

/* The owner hears of it once, from here and never from inside its own call to us. */
static void lose(struct rpc_link *l, int why)
{
	if (!l->stream || l->lost)
		return;
	l->lost = true;
	l->ops->lost(l, why);
}

static void on_late(void *arg)
{
	struct rpc_link *l = arg;

	l->ops->hold(l);
	tls_give_up(l->tls, HANDSHAKE_S);
	lose(l, -ETIMEDOUT);
	l->ops->drop(l);
}

const char *rpc_link_story(const struct rpc_link *l, int why)
{
	if (l->tls)
		return tls_story(l->tls);
	if (why == -EMSGSIZE && l->reader.left >> 16 == CLIENT_HELLO)
		return "the peer speaks TLS, and none is spoken here";
	return "";
}

bool rpc_link_partial(const struct rpc_link *l)
{
	return rpc_reader_partial(&l->reader) || (l->tls && tls_partial(l->tls));
}

/* --- in --- */

/* Hands out complete records while the owner wants them. */
static int serve(struct rpc_link *l)
{
	struct payload record;
	int ret = 0;

	while (l->stream && !l->paused && (ret = rpc_reader_next(&l->reader, &record)) > 0) {
		l->nrecords++;
		l->ops->record(l, &record);
	}
	return ret < 0 ? ret : 0;
}

/* One read and what it brought: 1 when there may be more, 0 when not, -errno when the link is lost. */
static int read_once(struct rpc_link *l)
{
	struct iovec space;
	ssize_t n;
	int ret;

	ret = rpc_reader_space(&l->reader, &space);
	if (ret < 0)
		return ret;
	n = l->tls ? tls_read(l->tls, space.iov_base, space.iov_len) : stream_readv(l->stream, &space, 1);
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ECONNRESET;
	l->received_ns = loop_now_ns(l->loop);
	l->received += (uint64_t)n;
	l->heard = true;
	rpc_reader_filled(&l->reader, (uint32_t)n);
	ret = serve(l);
	if (ret < 0)
		return ret;
	return l->tls && l->stream ? tls_more(l->tls) : (size_t)n == space.iov_len;
}

/* As much as is there and wanted, but not for ever. */
static int read_some(struct rpc_link *l)
{
	int i, ret = 1;

	for (i = 0; i < READS_PER_ROUND && ret > 0 && l->stream && !l->paused; i++)
		ret = read_once(l);
	if (!l->tls || ret < 0)
		return ret;
	if (ret > 0 && !l->paused)
		loop_defer(l->loop, &l->resume);	/* what the layer holds makes no descriptor readable */
	if (tls_unsent(l->tls))
		rpc_link_queue_flush(l);
	return ret;
}

static int shake_hands(struct rpc_link *l)
{
	int ret = tls_handshake(l->tls);

	if (tls_unsent(l->tls))
		rpc_link_queue_flush(l);
	if (ret == 0) {
		timer_cancel(&l->late);
		l->ready = true;
		l->received_ns = l->sent_ns = loop_now_ns(l->loop);
		l->ops->ready(l);
	}
	return ret == -EAGAIN ? 0 : ret;
}

static void on_readable(void *arg)
{
	struct rpc_link *l = arg;
	int ret = 0;

	l->ops->hold(l);
	if (l->tls)
		tls_readable(l->tls);
	if (!l->ready)
		ret = shake_hands(l);
	if (!ret && l->ready)
		ret = read_some(l);
	if (ret < 0)
		lose(l, ret);
	else if (l->stream && !l->paused)
		rpc_reader_rest(&l->reader);
	count_partial(l);
	l->ops->drop(l);
}

/* Records may wait in the buffer, or in the TLS layer, though the socket has nothing new. */
static void on_resume(void *arg)
{
	struct rpc_link *l = arg;
	int ret;

	l->ops->hold(l);
	ret = !l->ready ? shake_hands(l) : l->paused ? 0 : serve(l);
	if (!ret && l->tls && l->ready && !l->paused)
		ret = read_some(l);
	if (ret < 0) {
		lose(l, ret);
	} else if (l->stream && !l->paused) {
		rpc_reader_rest(&l->reader);
		stream_want_read(l->stream, true);
	}
	count_partial(l);
	l->ops->drop(l);
}

void rpc_link_pause(struct rpc_link *l, bool paused)
{
	if (l->paused == paused || !l->stream)
		return;
	l->paused = paused;
	if (paused)
		stream_want_read(l->stream, false);
	else
		loop_defer(l->loop, &l->resume);
}

/* --- out --- */

static int grow_queue(struct rpc_link *l)
{
	uint32_t size = l->queue_size ? 2 * l->queue_size : 8, i;
	struct rpc_segment *bigger = malloc(size * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (i = 0; i < l->count; i++)
		bigger[i] = *segment(l, i);
	free(l->queue);
	l->queue = bigger;
	l->queue_size = size;
	l->head = 0;
	return 0;
}

/* Room for @n more segments, so that queueing a message cannot fail half way. */
static int reserve(struct rpc_link *l, uint32_t n)
{
	int ret = 0;

	while (!ret && l->queue_size - l->count < n)
		ret = grow_queue(l);
	return ret;
}

static void add_segment(struct rpc_link *l, struct iobuf *buf, uint32_t offset, uint32_t len, bool begins)
{
	struct rpc_segment *last = l->count ? segment(l, l->count - 1) : NULL;

	if (!len)
		return;
	count_unsent(l, len);
	if (last && !begins && last->buf == buf && last->offset + last->len == offset) {
		last->len += len;
		return;
	}
	*segment(l, l->count++) = (struct rpc_segment){ iobuf_ref(buf), offset, len, begins };
}

/* An output buffer with at least @room bytes free. */
static int out_room(struct rpc_link *l, uint32_t room)
{
	struct iobuf *fresh;

	if (l->out && l->out->size - l->out_used >= room)
		return 0;
	fresh = iobuf_new(room > OUT_SIZE ? room : OUT_SIZE);
	if (!fresh)
		return -ENOMEM;
	iobuf_unref(l->out);
	l->out = fresh;
	l->out_used = 0;
	return 0;
}

/* Queues the mark and @used encoded bytes at the end of the output buffer, the payloads between them, and the tail. */
static void queue_message(struct rpc_link *l, uint32_t used, const struct wire *w, const struct payload *tail)
{
	uint32_t total = used + (tail ? tail->len : 0), at = l->out_used, from = 0, upto, i;
	bool begins = l->tls && !l->mix;

	for (i = 0; i < w->ngaps; i++)
		total += w->gaps[i].data.len;
	rpc_put32(l->out->data + at, LAST_FRAGMENT | total);
	used += 4;
	for (i = 0; i < w->ngaps; i++) {
		upto = w->gaps[i].at + 4;
		add_segment(l, l->out, at + from, upto - from, begins);
		add_segment(l, w->gaps[i].data.buf, w->gaps[i].data.offset, w->gaps[i].data.len, false);
		from = upto;
		begins = false;
	}
	add_segment(l, l->out, at + from, used - from, begins);
	if (tail && tail->len)
		add_segment(l, tail->buf, tail->offset, tail->len, false);
	l->out_used += used;
	rpc_link_queue_flush(l);
}

int rpc_link_send(struct rpc_link *l, rpc_encode_fn *fn, void *arg, const struct payload *tail)
{
	uint32_t room = OUT_LOW, size;
	struct wire w;
	XDR xdrs;
	int ret;

	if (!l->stream || !l->ready)
		return -ENOTCONN;
	ret = reserve(l, 2 * WIRE_GAPS_MAX + 2);
	while (!ret) {
		ret = out_room(l, room);
		if (ret < 0)
			break;
		size = l->out->size - l->out_used - 4;
		wire_encode_init(&xdrs, &w, l->out->data + l->out_used + 4, size, NULL);
		if (fn(&xdrs, arg)) {
			queue_message(l, size - xdrs.x_handy, &w, tail);
			return 0;
		}
		if (l->out->size - l->out_used >= OUT_MAX)
			return -EMSGSIZE;
		room = l->out->size < OUT_MAX / 4 ? 4 * l->out->size : OUT_MAX;
	}
	return ret;
}

struct bytes { const void *data; uint32_t len; };

static bool_t encode_bytes(XDR *xdrs, void *arg)
{
	struct bytes *b = arg;

	if (xdrs->x_handy < b->len)
		return FALSE;
	memcpy(xdrs->x_private, b->data, b->len);
	xdrs->x_handy -= b->len;
	return TRUE;
}

int rpc_link_send_bytes(struct rpc_link *l, const void *data, uint32_t len)
{
	struct bytes b = { data, len };

	return rpc_link_send(l, encode_bytes, &b, NULL);
}

void rpc_link_queue_flush(struct rpc_link *l)
{
	loop_defer(l->loop, &l->flush);
}

static void sent(struct rpc_link *l, size_t bytes)
{
	struct rpc_segment *s;
	uint32_t n;

	count_unsent(l, -(int64_t)bytes);
	while (bytes) {
		s = segment(l, 0);
		n = bytes < s->len ? (uint32_t)bytes : s->len;
		s->offset += n;
		s->len -= n;
		bytes -= n;
		if (s->len)
			break;
		iobuf_unref(s->buf);
		l->head++;
		l->count--;
	}
}

/* What waits in a pipe leaves alone. Bytes, -errno. */
static ssize_t send_pipe(struct rpc_link *l, struct rpc_segment *s)
{
	ssize_t n = stream_splice(l->stream, s->buf->pipe[0], s->len);

	if (n > 0)
		s->buf->size -= (uint32_t)n;
	return n;
}

/* As many segments as one system call takes. Bytes, -errno. Under TLS there are no pipes: whoever lends asks first. */
static ssize_t send_some(struct rpc_link *l)
{
	struct iovec iov[IOV_BATCH];
	struct rpc_segment *s = segment(l, 0);
	uint64_t ends = 0;
	uint32_t i;

	if (!s->buf->data)
		return send_pipe(l, s);
	for (i = 0; i < IOV_BATCH && i < l->count && (s = segment(l, i))->buf->data; i++) {
		if (i && s->begins)
			ends |= 1ull << (i - 1);
		iov[i].iov_base = s->buf->data + s->offset;
		iov[i].iov_len = s->len;
	}
	if (l->tls)
		return tls_writev(l->tls, iov, (int)i, ends);
	return i < l->count && !s->buf->data ? stream_writev_more(l->stream, iov, (int)i) : stream_writev(l->stream, iov, (int)i);
}

/* 0 when all has left or the socket is full, -errno. */
static int flush(struct rpc_link *l)
{
	ssize_t n;
	int ret;

	if (l->tls && !l->count) {
		ret = tls_push(l->tls);
		return ret == -EAGAIN ? 0 : ret;
	}
	while (l->count && l->ready) {
		n = send_some(l);
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		l->sent_ns = loop_now_ns(l->loop);
		l->sent += (uint64_t)n;
		sent(l, (size_t)n);
	}
	return 0;
}

/* After a flush: wait for room in the socket, or hold nothing. */
static void ask_for_more(struct rpc_link *l)
{
	bool want = l->count > 0 || (l->tls && tls_unsent(l->tls));

	if (want != l->want_write)
		stream_want_write(l->stream, want);
	l->want_write = want;
	if (want)
		return;
	iobuf_unref(l->out);
	l->out = NULL;
	if (l->queue_size > KEEP_SEGMENTS)
		forget_unsent(l);
}

static void on_flush(void *arg)
{
	struct rpc_link *l = arg;
	int ret;

	if (!l->stream)
		return;
	l->ops->hold(l);
	ret = flush(l);
	if (ret < 0) {
		lose(l, ret);
	} else {
		ask_for_more(l);
		l->ops->sent(l);
	}
	l->ops->drop(l);
}

static void on_writable(void *arg)
{
	on_flush(arg);
}
