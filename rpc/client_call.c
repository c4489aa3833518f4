/* rpc/client_call.c: calls and their replies, calls from the server, and the watch over a silent one.
 *
 * A call's record of itself lies on the caller's stack while it is parked. Its reply is decoded on arrival, out of
 * the receive buffer, and the caller wakes with the result in place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/client.h"
#include "rpc/message.h"
#include "runtime/log.h"

#define FIRST_SLOTS 64u
#define CALLBACKS_MAX 1024u
#define CALLBACK_ARENA (1u << 20)
#define MS 1000000ull

struct rpc_pending {
	uint32_t xid;
	struct rpc_call *call;		/* NULL: given up. Such an entry is on the heap, and holds the xid's place */
	struct co_wait wait;
};

/* --- the table --- */

static void place(struct rpc_pending_table *t, struct rpc_pending *p)
{
	uint32_t i = p->xid & (t->size - 1);

	while (t->slots[i])
		i = (i + 1) & (t->size - 1);
	t->slots[i] = p;
}

static int table_grow(struct rpc_pending_table *t)
{
	struct rpc_pending_table bigger = { .size = t->size ? 2 * t->size : FIRST_SLOTS, .count = t->count };
	uint32_t i;

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < t->size; i++)
		if (t->slots[i])
			place(&bigger, t->slots[i]);
	free(t->slots);
	*t = bigger;
	return 0;
}

static int table_add(struct rpc_pending_table *t, struct rpc_pending *p)
{
	if (2 * (t->count + 1) > t->size) {
		int ret = table_grow(t);

		if (ret < 0)
			return ret;
	}
	place(t, p);
	t->count++;
	return 0;
}

/* Closes the gap at @i: later entries of the same run move up, so that searches need no tombstones. */
static void table_close_gap(struct rpc_pending_table *t, uint32_t i)
{
	uint32_t mask = t->size - 1, j = i, home;

	for (;;) {
		j = (j + 1) & mask;
		if (!t->slots[j])
			break;
		home = t->slots[j]->xid & mask;
		if (((j - home) & mask) < ((j - i) & mask))
			continue;	/* its home lies behind the gap */
		t->slots[i] = t->slots[j];
		i = j;
	}
	t->slots[i] = NULL;
}

static struct rpc_pending *table_take(struct rpc_pending_table *t, uint32_t xid)
{
	uint32_t i;
	struct rpc_pending *p;

	if (!t->size)
		return NULL;
	for (i = xid & (t->size - 1); t->slots[i]; i = (i + 1) & (t->size - 1)) {
		p = t->slots[i];
		if (p->xid != xid)
			continue;
		table_close_gap(t, i);
		t->count--;
		return p;
	}
	return NULL;
}

void rpc_client_fail_all(struct rpc_client *c, int why)
{
	struct rpc_pending_table *t = &c->pending;
	struct rpc_pending *p;
	uint32_t i;

	for (i = 0; i < t->size && t->count; i++) {
		p = t->slots[i];
		if (!p)
			continue;
		t->slots[i] = NULL;
		t->count--;
		if (p->call)
			co_wake(&p->wait, why);
		else
			free(p);
	}
	c->given_up = 0;
}

/* The entry of a call that nobody waits for any more stays, so that its answer is known when it comes. */
static bool give_up(struct rpc_client *c, struct rpc_pending **slot)
{
	struct rpc_pending *p = *slot, *rest;

	if (!p || !p->call || p->call->outlasts)
		return true;
	rest = calloc(1, sizeof(*rest));
	if (!rest)
		return false;
	rest->xid = p->xid;
	*slot = rest;
	c->given_up++;
	p->call = NULL;
	co_wake(&p->wait, -ENOTCONN);
	return true;
}

unsigned rpc_client_give_up(struct rpc_client *c)
{
	uint32_t i;

	for (i = 0; c->state == RPC_CLIENT_UP && i < c->pending.size; i++)
		if (!give_up(c, &c->pending.slots[i]))
			rpc_client_drop(c, -ENOMEM);
	return c->given_up;
}

static void late_answer(struct rpc_client *c, struct rpc_pending *p)
{
	free(p);
	if (!--c->given_up && c->conf.settled)
		c->conf.settled(c->conf.user);
}

/* --- a call --- */

struct outgoing { struct rpc_client *c; struct rpc_call *call; uint32_t xid; };

static bool_t encode_call(XDR *xdrs, void *arg)
{
	struct outgoing *o = arg;
	struct rpc_call *call = o->call;

	return rpc_call_encode(xdrs, o->xid, call->prog, call->vers, call->proc, call->cred) &&
	       (!call->encode || call->encode(xdrs, (void *)call->args));
}

static void watch(struct rpc_client *c)
{
	if (c->conf.ping_ms && c->conf.ping && !timer_armed(&c->watchdog))
		timer_arm(c->loop, &c->watchdog, loop_now_ns(c->loop) + c->conf.ping_ms * MS);
}

static int coroutine_fn call_and_wait(struct rpc_client *c, struct rpc_call *call)
{
	struct rpc_pending p = { .xid = ++c->next_xid, .call = call, .wait = CO_WAIT_INIT };
	struct outgoing o = { c, call, p.xid };
	int ret;

	ret = table_add(&c->pending, &p);
	if (ret < 0)
		return ret;
	ret = rpc_link_send(&c->link, encode_call, &o, &call->tail);
	if (ret < 0) {
		table_take(&c->pending, p.xid);
		return ret == -EMSGSIZE ? -E2BIG : ret;
	}
	if (c->pending.count == 1)
		c->waiting_since_ns = loop_now_ns(c->loop);
	watch(c);
	ret = co_park(&p.wait);
	if (p.call)
		table_take(&c->pending, p.xid);		/* still there after an interruption only */
	return ret;
}

/* During the handshake only the coroutine that makes it may call. */
static bool may_call(const struct rpc_client *c)
{
	return c->state == RPC_CLIENT_UP || (c->state == RPC_CLIENT_HANDSHAKE && co_self() == c->main);
}

int rpc_client_call(struct rpc_client *c, struct rpc_call *call)
{
	int ret = co_interrupted();

	if (ret < 0)
		return ret;
	if (!may_call(c) || !co_gate_enter(&c->gate))
		return -ENOTCONN;
	ret = call_and_wait(c, call);
	co_gate_leave(&c->gate);
	return ret;
}

/* --- its reply --- */

static void drop_record(void *record)
{
	iobuf_unref(record);
}

/* The record stays as long as the arena when the result may point into it. */
static int keep_record(struct rpc_call *call, const struct payload *record, struct payload *ret_kept)
{
	ret_kept->len = record->len;
	ret_kept->buf = rpc_record_keep(record, &ret_kept->offset);
	if (!ret_kept->buf)
		return -ENOMEM;
	return arena_cleanup(call->arena, drop_record, ret_kept->buf);
}

static int decode_reply(struct rpc_call *call, const struct payload *record)
{
	struct payload kept;
	struct wire w;
	uint32_t body;
	XDR xdrs;
	int ret;

	ret = rpc_reply_parse(payload_data(record), record->len, &body);
	if (ret < 0)
		return ret == -EBADMSG ? -EPROTO : ret;
	if (!call->decode && !call->ret_tail)
		return 0;
	ret = keep_record(call, record, &kept);
	if (ret < 0)
		return ret;
	wire_decode_init(&xdrs, &w, kept.buf, kept.offset + body, kept.len - body, call->arena);
	if (call->decode && !call->decode(&xdrs, call->res))
		return -EPROTO;
	if (call->ret_tail)
		*call->ret_tail = (struct payload){ xdrs.x_handy ? kept.buf : NULL,
						    kept.offset + kept.len - xdrs.x_handy, xdrs.x_handy };
	return 0;
}

/* --- calls from the server --- */

struct callback {
	struct rpc_client *c;
	struct arena *arena;
	struct rpc_call_header h;
	struct wire w;
	XDR xdrs;
};

static void end_callback(struct callback *cb)
{
	struct rpc_client *c = cb->c;

	arena_free(cb->arena);
	c->callbacks--;
	co_gate_leave(&c->gate);
}

static void coroutine_fn run_callback(void *arg)
{
	struct callback *cb = arg;

	cb->c->conf.callback(cb->c->conf.user, cb->h.prog, cb->h.vers, cb->h.proc, &cb->xdrs, cb->arena);
	end_callback(cb);
}

static void on_call(struct rpc_client *c, const struct payload *record)
{
	struct payload kept = { .len = record->len };
	struct callback *cb;
	struct arena *arena;

	if (!c->conf.callback)
		return;
	if (c->callbacks >= CALLBACKS_MAX || !co_gate_enter(&c->gate)) {
		log_warning("too many calls from the server at once, one is lost", "name=%s", c->conf.name);
		return;
	}
	c->callbacks++;
	arena = arena_new(CALLBACK_ARENA);
	cb = arena_alloc(arena, sizeof(*cb));
	cb->c = c;
	cb->arena = arena;
	kept.buf = rpc_record_keep(record, &kept.offset);
	if (!kept.buf || arena_cleanup(arena, drop_record, kept.buf) < 0 ||
	    rpc_call_parse(payload_data(&kept), kept.len, &cb->h) < 0) {
		end_callback(cb);
		return;
	}
	wire_decode_init(&cb->xdrs, &cb->w, kept.buf, kept.offset + cb->h.body, kept.len - cb->h.body, arena);
	if (!co_start(c->loop, run_callback, cb))
		end_callback(cb);
}

void rpc_client_record(struct rpc_link *l, const struct payload *record)
{
	struct rpc_client *c = container_of(l, struct rpc_client, link);
	struct rpc_pending *p;

	if (record->len < 8) {
		rpc_client_drop(c, -EPROTO);
		return;
	}
	if (rpc_get32(payload_data(record) + 4) == RPC_MSG_CALL) {
		on_call(c, record);
		return;
	}
	p = table_take(&c->pending, rpc_get32(payload_data(record)));
	if (p && !p->call)
		late_answer(c, p);
	else if (p)	/* else its caller was interrupted */
		co_wake(&p->wait, decode_reply(p->call, record));
}

/* --- is the server still there? --- */

static void coroutine_fn ping(void *arg)
{
	struct rpc_client *c = arg;
	uint64_t epoch = c->epoch, old;
	int ret;

	old = co_set_deadline(loop_now_ns(c->loop) + c->conf.ping_timeout_ms * MS);
	ret = c->conf.ping(c, c->conf.user);
	co_restore_deadline(old);
	c->pinging = false;
	if (ret == -ETIMEDOUT && c->epoch == epoch && c->state == RPC_CLIENT_UP)
		rpc_client_drop(c, -ETIMEDOUT);
	else if (c->pending.count && c->state == RPC_CLIENT_UP)
		watch(c);
	co_gate_leave(&c->gate);
}

static void start_ping(struct rpc_client *c)
{
	if (c->pinging || !co_gate_enter(&c->gate))
		return;
	c->pinging = true;
	if (co_start(c->loop, ping, c))
		return;
	c->pinging = false;
	co_gate_leave(&c->gate);
}

void rpc_client_on_watchdog(void *arg)
{
	struct rpc_client *c = arg;
	uint64_t heard = c->link.received_ns > c->waiting_since_ns ? c->link.received_ns : c->waiting_since_ns;
	uint64_t due = heard + c->conf.ping_ms * MS;

	if (c->state != RPC_CLIENT_UP || !c->pending.count)
		return;
	if (loop_now_ns(c->loop) < due)
		timer_arm(c->loop, &c->watchdog, due);
	else
		start_ping(c);
}
