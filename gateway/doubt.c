/* gateway/doubt.c: see doubt.h. A list suffices: it is empty unless bricks have just gone away. */
#include "gateway/doubt.h"

#include <stdlib.h>
#include <string.h>

#include "xlators/exports.h"
#include "runtime/list.h"
#include "runtime/loop.h"

#define DOUBTS_MAX 1024
#define DOUBT_NS 600000000000ull

struct doubt {
	struct list link;		/* oldest first */
	uint64_t until_ns, checksum;
	const struct rpc_proc *proc;
	uint32_t uid;
	uint8_t peer[16], gfid[16];
};

struct doubts { struct list list; unsigned n; };

struct doubts *doubts_new(void)
{
	struct doubts *doubts = calloc(1, sizeof(*doubts));

	if (doubts)
		list_init(&doubts->list);
	return doubts;
}

static void drop(struct doubts *doubts, struct doubt *d)
{
	list_remove(&d->link);
	doubts->n--;
	free(d);
}

void doubts_free(struct doubts *doubts)
{
	if (!doubts)
		return;
	while (!list_empty(&doubts->list))
		drop(doubts, list_first(&doubts->list, struct doubt, link));
	free(doubts);
}

static void describe(const struct rpc_request *rq, struct doubt *d)
{
	memset(d, 0, sizeof(*d));
	export_address((const struct sockaddr *)rq->peer, d->peer);
	d->proc = rq->proc;
	d->checksum = rq->checksum;
	d->uid = rq->cred.uid;
}

void doubt_add(struct doubts *doubts, const struct rpc_request *rq, const uint8_t *gfid)
{
	struct doubt *d = malloc(sizeof(*d));

	if (!d)
		return;
	if (doubts->n == DOUBTS_MAX)
		drop(doubts, list_first(&doubts->list, struct doubt, link));
	describe(rq, d);
	if (gfid)
		memcpy(d->gfid, gfid, 16);
	d->until_ns = loop_now_ns(loop_self()) + DOUBT_NS;
	list_append(&doubts->list, &d->link);
	doubts->n++;
}

bool doubt_take(struct doubts *doubts, const struct rpc_request *rq, uint8_t *ret_gfid)
{
	struct list *pos, *tmp;
	struct doubt want;
	uint64_t now;

	if (list_empty(&doubts->list))
		return false;
	now = loop_now_ns(loop_self());
	describe(rq, &want);
	list_for_each_safe(pos, tmp, &doubts->list) {
		struct doubt *d = list_entry(pos, struct doubt, link);

		if (d->until_ns <= now) {
			drop(doubts, d);
			continue;
		}
		if (d->proc != want.proc || d->checksum != want.checksum || d->uid != want.uid || memcmp(d->peer, want.peer, 16))
			continue;
		if (ret_gfid)
			memcpy(ret_gfid, d->gfid, 16);
		drop(doubts, d);
		return true;
	}
	return false;
}
