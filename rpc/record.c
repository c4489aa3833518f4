/* rpc/record.c: records out of a byte stream.
 *
 * A record whose fragments all lie in the receive buffer is handed out in place: later fragments are moved down over
 * the marks between them, each byte at most once. The limit is checked when a mark is read, before anything is
 * allocated for it. A record that does not fit into the rest of the buffer moves to a buffer just large enough, and
 * then nothing is read past its end, so that large records in a row are never copied: the next buffer has their size
 * from the start. */
#include <errno.h>
#include <string.h>

#include "rpc/link.h"
#include "rpc/message.h"

#define LAST_FRAGMENT 0x80000000u

void rpc_reader_init(struct rpc_reader *r, uint32_t max_record)
{
	memset(r, 0, sizeof(*r));
	r->max_record = max_record ? max_record : RPC_MAX_RECORD_DEFAULT;
}

void rpc_reader_fini(struct rpc_reader *r)
{
	iobuf_unref(r->buf);
	r->buf = NULL;
	r->inside = false;
	r->scan = r->end = r->len = r->left = 0;
}

static int begin_buffer(struct rpc_reader *r)
{
	uint32_t size = r->expect ? r->expect : RPC_RECEIVE_SIZE;

	r->buf = iobuf_new(size);
	if (!r->buf)
		return -ENOMEM;
	r->cap = size;
	r->scan = r->end = 0;
	return 0;
}

/* Takes what is half received to a buffer with room for the rest. */
static int move(struct rpc_reader *r)
{
	uint32_t body = r->inside ? r->len : 0, loose = r->end - r->scan, size;
	struct iobuf *bigger;

	size = body + loose + r->left;
	/* more fragments may come: room for them in proportion to what has come already */
	if (!r->inside || !r->last)
		size += body / 2 + RPC_RECEIVE_SIZE;
	else if (size < RPC_RECEIVE_SIZE)
		size = RPC_RECEIVE_SIZE;
	bigger = iobuf_new(size);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger->data, r->buf->data + r->start, body);
	memcpy(bigger->data + body, r->buf->data + r->scan, loose);
	iobuf_unref(r->buf);
	r->buf = bigger;
	r->cap = size;
	r->start = 0;
	r->scan = body;
	r->end = body + loose;
	return 0;
}

/* Nothing is half received: starts over at the front, unless calls still look at what lies there. */
static void recycle(struct rpc_reader *r)
{
	if (r->buf->refs == 1) {
		r->scan = r->end = 0;
	} else if (r->cap - r->end < RPC_RECEIVE_SIZE / 4) {
		iobuf_unref(r->buf);
		r->buf = NULL;
	}
}

int rpc_reader_space(struct rpc_reader *r, struct iovec *ret_space)
{
	uint32_t need = r->inside && r->left ? r->left : 4;
	int ret = 0;

	if (r->buf && !r->inside && r->scan == r->end)
		recycle(r);
	if (!r->buf)
		ret = begin_buffer(r);
	else if (r->cap - r->end < need)
		ret = move(r);
	if (ret < 0)
		return ret;
	ret_space->iov_base = r->buf->data + r->end;
	ret_space->iov_len = r->cap - r->end;
	return 0;
}

void rpc_reader_filled(struct rpc_reader *r, uint32_t bytes)
{
	r->end += bytes;
}

/* The next fragment's mark: 1, 0 when it has not come yet, -EMSGSIZE. */
static int read_mark(struct rpc_reader *r)
{
	uint32_t mark;

	if (r->end - r->scan < 4)
		return 0;
	mark = rpc_get32(r->buf->data + r->scan);
	r->scan += 4;
	if (!r->inside) {
		r->inside = true;
		r->start = r->scan;
		r->len = 0;
	}
	r->last = mark & LAST_FRAGMENT;
	r->left = mark & ~LAST_FRAGMENT;
	return r->left > r->max_record - r->len ? -EMSGSIZE : 1;
}

int rpc_reader_next(struct rpc_reader *r, struct payload *ret_record)
{
	uint32_t n;
	int ret;

	if (!r->buf)
		return 0;
	do {
		if (!r->inside || !r->left) {
			ret = read_mark(r);
			if (ret <= 0)
				return ret;
		}
		n = r->end - r->scan < r->left ? r->end - r->scan : r->left;
		if (n && r->start + r->len != r->scan)
			memmove(r->buf->data + r->start + r->len, r->buf->data + r->scan, n);
		r->len += n;
		r->scan += n;
		r->left -= n;
		if (r->left)
			return 0;
	} while (!r->last);
	*ret_record = (struct payload){ r->buf, r->start, r->len };
	r->inside = false;
	r->expect = r->len > RPC_RECEIVE_SIZE / 2 ? r->len + 4 : 0;
	return 1;
}

void rpc_reader_rest(struct rpc_reader *r)
{
	if (!r->buf || r->inside || r->scan != r->end)
		return;
	iobuf_unref(r->buf);
	r->buf = NULL;
}

bool rpc_reader_partial(const struct rpc_reader *r)
{
	return r->buf && (r->inside || r->scan != r->end);
}

struct iobuf *rpc_record_keep(const struct payload *record, uint32_t *ret_offset)
{
	struct iobuf *copy;

	if (record->len > RPC_SMALL_RECORD) {
		*ret_offset = record->offset;
		return iobuf_ref(record->buf);
	}
	copy = iobuf_new(RPC_SMALL_RECORD);
	if (!copy)
		return NULL;
	memcpy(copy->data, payload_data(record), record->len);
	*ret_offset = 0;
	return copy;
}
