/* rpc/link.h: one TCP connection as both sides of the engine see it: records in, messages out.
 *
 * In: one read fills a receive buffer and every complete record in it is handed out where it lies; a large record
 * gets a buffer of its own size. Nothing is held while nothing is half received. Out: messages of a round are
 * encoded one behind the other into a shared buffer and leave in one writev at the end of the round; payloads stay
 * where they are and are sent from there. With TLS (tls.h) a layer lies between the link and its stream; records are
 * exchanged once its handshake is done. */
#ifndef RPC_LINK_H
#define RPC_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <rpc/types.h>
#include <rpc/xdr.h>

#include "rpc/tls.h"
#include "rpcgen/wire.h"
#include "runtime/iobuf.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define RPC_MAX_RECORD_DEFAULT ((1u << 20) + (64u << 10))
#define RPC_RECEIVE_SIZE (64u << 10)
#define RPC_SMALL_RECORD 1024u		/* copied out, so that a call that parks does not pin the receive buffer */

/* --- record.c: the framing (RFC 5531 section 11) --- */

struct rpc_reader {
	struct iobuf *buf;	/* NULL while nothing is held */
	uint32_t cap;		/* bytes of @buf that may be filled */
	uint32_t start, len;	/* the record's body so far */
	uint32_t scan, end;	/* bytes received and not looked at */
	uint32_t left;		/* of the current fragment, still to come */
	uint32_t expect;	/* large records come in rows of one size: the last one's, or 0 */
	uint32_t max_record;
	bool inside, last;
};

void rpc_reader_init(struct rpc_reader *r, uint32_t max_record);
void rpc_reader_fini(struct rpc_reader *r);
int rpc_reader_space(struct rpc_reader *r, struct iovec *ret_space);	/* where to read to; 0 or -ENOMEM */
void rpc_reader_filled(struct rpc_reader *r, uint32_t bytes);
/* 1 and the next record, borrowed from the reader's buffer; 0 when more must be read; -EMSGSIZE past the limit. */
int rpc_reader_next(struct rpc_reader *r, struct payload *ret_record);
void rpc_reader_rest(struct rpc_reader *r);	/* nothing more to read now: lets go of an empty buffer */
bool rpc_reader_partial(const struct rpc_reader *r);
/* A reference to @record that does not pin the receive buffer when it is small. NULL when there is no memory. */
struct iobuf *rpc_record_keep(const struct payload *record, uint32_t *ret_offset);

/* --- link.c --- */

struct rpc_link;
struct rpc_link_ops {
	void (*ready)(struct rpc_link *l);		/* the TLS handshake is done; without TLS never called */
	void (*record)(struct rpc_link *l, const struct payload *record);
	/* end of file, an error, a record past the limit; the owner closes */
	void (*lost)(struct rpc_link *l, int why);
	void (*sent)(struct rpc_link *l);		/* some bytes have left */
	void (*hold)(struct rpc_link *l);		/* the owner stays while we are in its link */
	void (*drop)(struct rpc_link *l);
};

struct rpc_segment { struct iobuf *buf; uint32_t offset, len; bool begins; };	/* begins: a message, and that matters */

struct rpc_link {
	const struct rpc_link_ops *ops;
	struct loop *loop;
	struct stream *stream;		/* NULL once closed */
	struct tls *tls;		/* NULL: none */
	struct rpc_reader reader;
	bool paused, want_write, lost, ready;
	bool heard;			/* something has come */
	/* Messages may share a TLS record. Stock peers read one message an event and then ask their socket, which does not know
	 * what OpenSSL still holds: for them each message ends its record. */
	bool mix;
	struct iobuf *out;		/* what messages are encoded into */
	uint32_t out_used;
	struct rpc_segment *queue;	/* ring */
	uint32_t queue_size, head, count;
	uint64_t unsent, *total;	/* @total: the owner's sum over its links, or NULL */
	/* Memory of a record that is not complete, and the owner's sum of it, or NULL; since when. */
	uint64_t partial, *partials, partial_ns;
	uint64_t nrecords, partial_at;	/* records so far; the count when @partial_ns was taken */
	uint64_t received_ns, sent_ns;	/* when bytes last moved */
	uint64_t received, sent;	/* bytes in all */
	struct loop_defer flush, resume;
	struct timer late;		/* bounds the handshake */
};

/* @tls: NULL, or the layer on @stream; the link owns both. Its handshake has 10 s, then the link is lost. */
void rpc_link_open(struct rpc_link *l, struct loop *loop, struct stream *stream, struct tls *tls, uint32_t max_record,
		   const struct rpc_link_ops *ops);
void rpc_link_close(struct rpc_link *l);	/* forgets what is unsent; may be called twice */
void rpc_link_pause(struct rpc_link *l, bool paused);
/* Encodes one message with fn(xdr, arg) and queues it; @tail follows the encoded bytes. 0, -ENOTCONN, -EMSGSIZE,
 * -ENOMEM. */
typedef bool_t rpc_encode_fn(XDR *xdrs, void *arg);
int rpc_link_send(struct rpc_link *l, rpc_encode_fn *fn, void *arg, const struct payload *tail);
/* one whole message, without its mark */
int rpc_link_send_bytes(struct rpc_link *l, const void *data, uint32_t len);
void rpc_link_queue_flush(struct rpc_link *l);
/* Half a record, or half of what TLS made of it, has come. */
bool rpc_link_partial(const struct rpc_link *l);
/* Of a link that was lost and is not closed yet: why, for the log, when more can be told than an errno does. "" otherwise. */
const char *rpc_link_story(const struct rpc_link *l, int why);

#endif
