/* mgmt/store_etcd.h: what the files of the store over etcd know of each other; nobody else includes it. */
#ifndef MGMT_STORE_ETCD_H
#define MGMT_STORE_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/etcd.h"
#include "mgmt/store.h"
#include "runtime/list.h"
#include "runtime/sync.h"

#define STORE_ETCD_MS 1000000u
#define STORE_ETCD_CALL_MS 1200u	/* a command is answered within 2 s, also by "nobody answers" */

struct store_etcd {
	struct store *s;
	struct loop *loop;
	struct etcd *e;
	char *prefix;
	struct co_gate inside;			/* the coroutines below */
	struct coroutine *prober, *follower, *announcer;
	struct co_queue answers;		/* woken when etcd answers again: whoever has given up tries again */

	/* Following. */
	bool known;				/* the mirror holds all changes up to @position; else everything must be read (anew) */
	uint64_t position, cluster_id;
	uint64_t own, own_ns;			/* the newest change of ours that the watch has not told yet, and since when it is due */
	struct list graves;			/* what we deleted and the watch may still tell as alive */

	/* Announced documents, each under a lease of its own. */
	struct list announced;
	struct co_mutex announcing;
	struct co_queue announcer_work;
};

/* store_etcd.c */
uint64_t store_etcd_until(const struct store_etcd *x);	/* when a call that begins now must have ended */
char *store_etcd_key(const struct store_etcd *x, const char *key);	/* with the prefix; to be freed */
/* Parks until @q is woken, at most so long. 0, or -ECANCELED when the store closes. */
int coroutine_fn store_etcd_nap(struct store_etcd *x, struct co_queue *q, uint64_t ms);
uint64_t store_etcd_jitter(struct store_etcd *x, uint64_t ms);	/* between half of it and all */

/* store_etcd_follow.c */
int coroutine_fn store_etcd_read_all(struct store_etcd *x, struct error *err);
void coroutine_fn store_etcd_follow(void *x);		/* the coroutine */
/* What etcd has confirmed is mirrored before the watch tells: we put it; there was none at that revision. */
void store_etcd_put_done(struct store_etcd *x, const char *key, const char *text, size_t len, uint64_t revision);
void store_etcd_gone(struct store_etcd *x, const char *key, uint64_t revision);
void store_etcd_forget_graves(struct store_etcd *x, uint64_t up_to);

/* store_etcd_announce.c */
int coroutine_fn store_etcd_announce(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once,
				     struct error *err);
void coroutine_fn store_etcd_keep(void *x);		/* the coroutine */
void store_etcd_announced_gone(struct store_etcd *x, const char *key, uint64_t revision);	/* somebody deleted it: put it again */
void coroutine_fn store_etcd_withdraw_all(struct store_etcd *x);

#endif
