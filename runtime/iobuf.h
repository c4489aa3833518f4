/* runtime/iobuf.h: refcounted blocks for payload; payload bytes are never copied in between.
 *
 * A block belongs to the thread that made it (references are not atomic); a helper thread of loop_offload() may fill
 * or read the bytes while the loop holds a reference. Blocks up to 1 MiB + 64 KiB are pooled by size class; the pool
 * is bounded. A block without @data is a pipe: pages of a file that leave for a socket as they are (stream_splice). */
#ifndef RUNTIME_IOBUF_H
#define RUNTIME_IOBUF_H

#include <stdint.h>

struct iobuf {
	uint32_t refs, size;
	uint8_t *data;			/* page aligned from 4 KiB up; NULL: @size bytes wait in the pipe */
	int pipe[2];			/* only where @data is NULL; neither end blocks */
};

struct payload {			/* a borrowed window into @buf */
	struct iobuf *buf;		/* NULL when len is 0 */
	uint32_t offset, len;
};

struct iobuf *iobuf_new(uint32_t size);	/* at least @size bytes, not zeroed; NULL when there is no memory */
#define IOBUF_PIPE_BYTES (1u << 20)	/* what fits into one, when it begins with a page */
struct iobuf *iobuf_new_pipe(void);	/* an empty one; NULL: no more to be had, the bytes have to be copied */
struct iobuf *iobuf_ref(struct iobuf *b);
void iobuf_unref(struct iobuf *b);	/* accepts NULL */

/* NULL for no bytes, and for bytes that wait in a pipe. */
static inline uint8_t *payload_data(const struct payload *p)
{
	return p->buf && p->buf->data ? p->buf->data + p->offset : (uint8_t *)0;
}

#endif
