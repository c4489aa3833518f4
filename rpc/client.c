/* rpc/client.c: keeps one connection to one server: find it, connect, shake hands, wait until it is lost, wait a
 * little, again.
 *
 * All of that is one coroutine, so the life of a connection reads from top to bottom in keep(). */
#include "rpc/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

#define ADDRESSES 8
#define MS 1000000ull
#define CONNECT_MS 5000u
#define BACKOFF_MIN_MS 100u
#define BACKOFF_MAX_MS 3000u
#define PRIVILEGED_TRIES 20
#define HANDSHAKE_FACTOR 4	/* a handshake has several round trips */

static struct rpc_client *client_of(struct rpc_link *l)
{
	return container_of(l, struct rpc_client, link);
}

/* What speaks TLS only closes without a word when it is spoken to plainly. */
static bool turned_away(const struct rpc_client *c, int why)
{
	return !c->link.tls && !c->link.heard && c->state == RPC_CLIENT_HANDSHAKE && c->pending.count &&
	       (why == -ECONNRESET || why == -EPIPE);
}

void rpc_client_drop(struct rpc_client *c, int why)
{
	if (!c->link.stream)
		return;
	c->why = why;
	if (turned_away(c, why))
		snprintf(c->reason, sizeof(c->reason), "the peer closed the connection at our first call: perhaps it requires TLS");
	else
		snprintf(c->reason, sizeof(c->reason), "%s", rpc_link_story(&c->link, why));
	c->state = RPC_CLIENT_DOWN;
	timer_cancel(&c->watchdog);
	rpc_link_close(&c->link);
	if (c->waiting)
		co_wake(&c->lost, why);	/* first: whoever's call failed shall find us known to be down */
	c->waiting = false;
	rpc_client_fail_all(c, -ENOTCONN);
}

static void on_lost(struct rpc_link *l, int why)
{
	rpc_client_drop(client_of(l), why);
}

/* The struct outlives every callback: rpc_client_free() waits for main, which only ends from the loop. */
static void on_nothing(struct rpc_link *l)
{
	(void)l;
}

static void on_ready(struct rpc_link *l)
{
	struct rpc_client *c = client_of(l);

	if (c->waiting)
		co_wake(&c->lost, 0);
	c->waiting = false;
}

static const struct rpc_link_ops client_ops = { on_ready, rpc_client_record, on_lost, on_nothing, on_nothing, on_nothing };

/* --- one attempt --- */

static int coroutine_fn find_server(struct rpc_client *c, struct sockaddr_storage *addrs)
{
	int n;

	if (c->conf.locate)
		n = c->conf.locate(c->conf.user, addrs, ADDRESSES);
	else
		n = net_resolve(c->conf.host, c->conf.port, addrs, ADDRESSES);
	return n ? n : -ENOENT;
}

/* Some port between 600 and 1023 that is free, or any when we may not have one of those. */
static int coroutine_fn connect_privileged(struct rpc_client *c, const struct sockaddr *to, struct stream **ret_stream)
{
	struct sockaddr_storage from = { .ss_family = to->sa_family };
	int tries, ret = -EADDRINUSE;
	uint16_t dice;

	if (c->conf.from)
		memcpy(&from, c->conf.from, sockaddr_len(c->conf.from));
	for (tries = 0; tries < PRIVILEGED_TRIES && (ret == -EADDRINUSE || ret == -EADDRNOTAVAIL); tries++) {
		loop_random(c->loop, &dice, sizeof(dice));
		/* same place in both families */
		((struct sockaddr_in *)&from)->sin_port = htons((uint16_t)(600 + dice % 424));
		ret = stream_connect(c->loop, to, (struct sockaddr *)&from, ret_stream);
	}
	return ret == -EACCES ? stream_connect(c->loop, to, c->conf.from, ret_stream) : ret;
}

static int coroutine_fn open_stream(struct rpc_client *c, struct stream **ret_stream)
{
	struct sockaddr_storage addrs[ADDRESSES];
	uint64_t old;
	int n, i, ret;

	n = find_server(c, addrs);
	if (n < 0)
		return n;
	ret = -ENOENT;
	for (i = 0; i < n; i++) {
		old = co_set_deadline(loop_now_ns(c->loop) + c->conf.connect_ms * MS);
		if (c->conf.privileged)
			ret = connect_privileged(c, (struct sockaddr *)&addrs[i], ret_stream);
		else
			ret = stream_connect(c->loop, (struct sockaddr *)&addrs[i], c->conf.from, ret_stream);
		co_restore_deadline(old);
		if (!ret || c->closing)
			break;
	}
	return ret;
}

static int coroutine_fn shake_hands(struct rpc_client *c)
{
	uint64_t old;
	int ret;

	if (!c->conf.handshake)
		return 0;
	old = co_set_deadline(loop_now_ns(c->loop) + HANDSHAKE_FACTOR * c->conf.connect_ms * MS);
	ret = c->conf.handshake(c, c->conf.user);
	co_restore_deadline(old);
	if ((!ret || ret == -ENOTCONN) && !c->link.stream)	/* lost: why, tells more than that it is */
		ret = c->why;
	return ret;
}

/* The link bounds it in time. */
static int coroutine_fn shake_hands_tls(struct rpc_client *c)
{
	int ret;

	c->lost = (struct co_wait)CO_WAIT_INIT;
	c->waiting = true;
	ret = co_park(&c->lost);
	c->waiting = false;
	if (!ret && !c->link.stream)
		ret = c->why;
	return ret;
}

static int coroutine_fn attempt(struct rpc_client *c)
{
	struct stream *stream = NULL;
	struct tls *tls = NULL;
	int ret;

	c->reason[0] = '\0';
	ret = open_stream(c, &stream);
	if (ret < 0)
		return ret;
	if (c->conf.tls)
		tls = tls_new(c->conf.tls, stream);
	if (tls && tls_expect(tls, c->conf.host) < 0) {
		tls_free(tls);
		tls = NULL;
	}
	if (c->closing || (c->conf.tls && !tls)) {
		tls_free(tls);
		stream_close(stream);
		return c->closing ? -ECANCELED : -ENOMEM;
	}
	rpc_link_open(&c->link, c->loop, stream, tls, c->conf.max_record, &client_ops);
	c->state = RPC_CLIENT_HANDSHAKE;
	ret = tls ? shake_hands_tls(c) : 0;
	if (!ret)
		ret = shake_hands(c);
	if (ret < 0)
		rpc_client_drop(c, ret);
	return ret;
}

/* --- between attempts --- */

/* Somewhere in the upper half of min * 2^tries, capped: so that the clients of a server that restarts do not come
 * all at once. */
static uint64_t backoff_ns(struct rpc_client *c, unsigned tries)
{
	uint64_t ms = c->conf.backoff_max_ms;
	uint32_t dice;

	if (tries < 16 && ((uint64_t)c->conf.backoff_min_ms << tries) < ms)
		ms = (uint64_t)c->conf.backoff_min_ms << tries;
	loop_random(c->loop, &dice, sizeof(dice));
	return (ms / 2) * MS + dice % (ms / 2 * MS + 1);
}

static void coroutine_fn nap(struct rpc_client *c, unsigned tries)
{
	uint64_t old = co_set_deadline(loop_now_ns(c->loop) + backoff_ns(c, tries));

	if (!c->kicked && !c->closing) {
		c->nap = (struct co_wait)CO_WAIT_INIT;
		c->napping = true;
		co_park(&c->nap);
		c->napping = false;
	}
	c->kicked = false;
	co_restore_deadline(old);
}

void rpc_client_kick(struct rpc_client *c)
{
	if (c->state != RPC_CLIENT_DOWN)
		return;
	c->kicked = true;
	if (c->napping)
		co_wake(&c->nap, 0);
	c->napping = false;
}

/* --- the life of a connection --- */

static int coroutine_fn wait_until_lost(struct rpc_client *c)
{
	c->lost = (struct co_wait)CO_WAIT_INIT;
	c->waiting = true;
	if (c->link.stream)
		co_park(&c->lost);
	c->waiting = false;
	return c->why;
}

static void keep_reason(struct rpc_client *c, int why)
{
	if (!c->reason[0])
		snprintf(c->reason, sizeof(c->reason), "%s", strerror(-why));
}

static void coroutine_fn be_up(struct rpc_client *c)
{
	int why;

	c->state = RPC_CLIENT_UP;
	c->epoch++;
	c->ever = true;
	c->kicked = false;
	c->said[0] = '\0';
	log_info("connected", "name=%s certificate=%s", c->conf.name, c->link.tls ? log_quote(tls_peer_name(c->link.tls)) : "none");
	if (c->conf.up)
		c->conf.up(c->conf.user);
	why = wait_until_lost(c);
	if (c->closing)
		return;
	keep_reason(c, why);
	if (!c->conf.quiet)
		log_warning("connection lost, connecting again", "name=%s reason=%s", c->conf.name, log_quote(c->reason));
	if (c->conf.down)
		c->conf.down(c->conf.user, why);
}

static void coroutine_fn failed(struct rpc_client *c, int why, bool first)
{
	if (c->closing)
		return;
	keep_reason(c, why);
	if (!c->conf.quiet && strcmp(c->reason, c->said))	/* a connection's attempts mostly fail all for one reason */
		log_warning("cannot connect, trying again", "name=%s reason=%s", c->conf.name, log_quote(c->reason));
	memcpy(c->said, c->reason, sizeof(c->said));
	if (first && !c->ever && c->conf.down)
		c->conf.down(c->conf.user, why);
	c->ever = true;
}

static void coroutine_fn keep(void *arg)
{
	struct rpc_client *c = arg;
	unsigned tries = 0;
	int ret;

	while (!c->closing) {
		ret = attempt(c);
		if (ret < 0) {
			failed(c, ret, tries == 0);
			nap(c, tries++);
			continue;
		}
		be_up(c);
		tries = 0;
		if (!c->closing)
			nap(c, tries++);
	}
	rpc_client_drop(c, -ECANCELED);
	c->main = NULL;
	co_gate_leave(&c->gate);
}

static void coroutine_fn begin(void *arg)
{
	struct rpc_client *c = arg;

	c->main = co_self();
	keep(c);
}

static void set_default(uint32_t *value, uint32_t dflt)
{
	if (!*value)
		*value = dflt;
}

static void release(struct rpc_client *c)
{
	free((char *)c->conf.name);
	free((char *)c->conf.host);
	free((struct sockaddr *)c->conf.from);
	free(c->pending.slots);
	tls_context_unref(c->conf.tls);
	free(c);
}

/* The strings and the address are ours from here on. */
static bool copy_conf(struct rpc_client *c, const struct rpc_client_conf *conf)
{
	struct sockaddr_storage *from = NULL;

	c->conf = *conf;
	tls_context_ref(conf->tls);
	c->conf.name = strdup(conf->name ? conf->name : "rpc");
	c->conf.host = strdup(conf->host ? conf->host : "");
	if (conf->from)
		from = calloc(1, sizeof(*from));
	if (from)
		memcpy(from, conf->from, sockaddr_len(conf->from));
	c->conf.from = (struct sockaddr *)from;
	set_default(&c->conf.connect_ms, CONNECT_MS);
	set_default(&c->conf.backoff_min_ms, BACKOFF_MIN_MS);
	set_default(&c->conf.backoff_max_ms, BACKOFF_MAX_MS);
	return c->conf.name && c->conf.host && (from || !conf->from);
}

struct rpc_client *rpc_client_new(struct loop *loop, const struct rpc_client_conf *conf)
{
	struct rpc_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	co_gate_init(&c->gate);
	timer_init(&c->watchdog, rpc_client_on_watchdog, c);
	loop_random(loop, &c->next_xid, sizeof(c->next_xid));
	if (copy_conf(c, conf)) {
		co_gate_enter(&c->gate);
		if (co_start(loop, begin, c))
			return c;
	}
	release(c);
	return NULL;
}

void rpc_client_free(struct rpc_client *c)
{
	if (!c)
		return;
	c->closing = true;
	rpc_client_drop(c, -ECANCELED);
	if (c->napping)
		co_wake(&c->nap, 0);
	c->napping = false;
	if (c->main)
		co_cancel(c->main);
	co_shield();
	co_gate_close(&c->gate);
	co_unshield();
	timer_cancel(&c->watchdog);
	release(c);
}

bool rpc_client_is_up(const struct rpc_client *c)
{
	return c->state == RPC_CLIENT_UP;
}

void rpc_client_disconnect(struct rpc_client *c, int why)
{
	rpc_client_drop(c, why);
}

void rpc_client_mix(struct rpc_client *c)
{
	c->link.mix = true;
}

const char *rpc_client_reason(const struct rpc_client *c)
{
	return c->state == RPC_CLIENT_UP ? "" : c->reason;
}

uint64_t rpc_client_epoch(const struct rpc_client *c)
{
	return c->epoch;
}
