/* mgmt/etcd.h: etcd over its JSON gateway (v3): the calls that a store needs, on several endpoints.
 *
 * The endpoint that answered last is asked first; when it is slow, refuses connections or has no leader, the next one is. All that comes
 * back is untrusted: bounded, and checked for its shape. Everything on one loop. */
#ifndef MGMT_ETCD_H
#define MGMT_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct loop;
struct etcd;

#define ETCD_ANY UINT64_MAX		/* no matter at which revision */

struct etcd_kv {
	char *key, *value;		/* with a NUL behind them; value NULL: deleted */
	size_t key_len, len;
	uint64_t revision;		/* never 0 */
};

struct etcd_answer {
	uint64_t cluster_id, revision;
	struct etcd_kv *kvs;		/* of a range; of a put or delete that did not succeed: what stands there; of a watch: what happened */
	size_t n;
	bool more;			/* range: cut at the limit */
	bool succeeded;			/* put, delete: the revision was as expected */
	int64_t lease;
	uint64_t ttl_s;			/* 0 from a keepalive: the lease is gone */
	bool created, canceled, fragment;
	uint64_t compact_revision;	/* watch canceled: what it began with is forgotten; read anew */
	char reason[160];		/* why it was canceled */
};
void etcd_answer_free(struct etcd_answer *a);

struct etcd_conf {
	struct loop *loop;
	const char *endpoints;			/* "h1:2379,[::1]:2379,h3"; 2379 when there is no port */
	bool tls;
	const char *ca, *certificate, *key;	/* PEM files, or NULL */
};
int etcd_new(const struct etcd_conf *conf, struct error *err, struct etcd **ret_etcd);	/* asks nobody yet */
void etcd_free(struct etcd *e);			/* no call may be under way; accepts NULL */

/* All calls: 0, or -errno with a sentence that names the endpoints. -EHOSTUNREACH: none answers (or none has a leader); -ETIMEDOUT: one has
 * been asked and did not answer: it may have been done; -ENOENT: no such lease; -ESTALE: that revision is compacted away; -EMSGSIZE: the
 * answer is too large; -EKEYREJECTED, -EACCES, -EINVAL, -ENOSPC: refused; -EPROTO: this is no etcd; -ECANCELED. They end by @until_ns
 * (loop_now_ns). */
struct etcd_range { const char *key; size_t key_len; const char *end; unsigned limit; uint64_t revision; bool count_only; };
int coroutine_fn etcd_range(struct etcd *e, const struct etcd_range *r, uint64_t until_ns, struct error *err, struct etcd_answer *ret);
/* Only when the key has @expected as its revision (0: when there is none). Answered with succeeded, and the revision of what stands there
 * now. A try whose answer was lost and that was carried out counts as succeeded. */
int coroutine_fn etcd_put(struct etcd *e, const char *key, const char *value, size_t len, uint64_t expected, int64_t lease, uint64_t until_ns,
			  struct error *err, struct etcd_answer *ret);
int coroutine_fn etcd_delete(struct etcd *e, const char *key, uint64_t expected, uint64_t until_ns, struct error *err, struct etcd_answer *ret);
int coroutine_fn etcd_grant(struct etcd *e, unsigned ttl_s, uint64_t until_ns, struct error *err, struct etcd_answer *ret);
int coroutine_fn etcd_keepalive(struct etcd *e, int64_t lease, uint64_t until_ns, struct error *err, struct etcd_answer *ret);
int coroutine_fn etcd_revoke(struct etcd *e, int64_t lease, uint64_t until_ns, struct error *err, struct etcd_answer *ret);

struct etcd_watch;
int etcd_watch_open(struct etcd *e, const char *prefix, uint64_t from_revision, struct error *err, struct etcd_watch **ret_watch);
/* -EAGAIN: nothing came within @wait_ms. Else as above; the watch is of no use then. */
int coroutine_fn etcd_watch_next(struct etcd_watch *w, unsigned wait_ms, struct error *err, struct etcd_answer *ret);
bool etcd_watch_astray(const struct etcd_watch *w);	/* its endpoint is not the one that answers the calls */
void etcd_watch_distrust(struct etcd_watch *w);		/* the next watch, and call, begins on another endpoint */
void etcd_watch_close(struct etcd_watch *w);		/* accepts NULL */

/* 0 when the last call was answered by a majority of etcd; else since when none was. */
uint64_t etcd_silent_ms(const struct etcd *e);
uint64_t etcd_answered_ns(const struct etcd *e);	/* when the last one was; at first: when it was made */

/* --- JSON. Texts are allocated; NULL: no memory --- */

enum etcd_shape { ETCD_RANGE, ETCD_TXN, ETCD_LEASE, ETCD_KEEPALIVE, ETCD_WATCH };

char *etcd_encode_range(const struct etcd_range *r);
char *etcd_encode_txn(const char *key, const char *value, size_t len, uint64_t expected, int64_t lease);	/* value NULL: delete */
char *etcd_encode_grant(unsigned ttl_s);
char *etcd_encode_lease(int64_t lease);
char *etcd_encode_watch(const char *prefix, uint64_t from_revision);
/* What ends all that begins with @prefix; to be freed. */
char *etcd_prefix_end(const char *prefix);
/* 0, -EPROTO with a sentence, or -ENOMEM; @ret is to be freed after 0 only. */
int etcd_decode(enum etcd_shape shape, const char *text, size_t len, struct etcd_answer *ret, struct error *err);
/* Of an answer with another status than 200: gRPC's code (-1 when there is none), and what it says, printable. */
int etcd_decode_refusal(const char *text, size_t len, char *ret_said, size_t size);

#endif
