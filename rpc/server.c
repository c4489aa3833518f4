/* rpc/server.c: listeners and connections: who may connect, when a connection is read, how it ends.
 *
 * Back-pressure is one rule: a connection with too many calls in flight, or too many reply bytes that its peer does
 * not take, is not read until it has come down again. A sweep closes what stands still with half a record received
 * or with replies that nobody takes.
 *
 * A peer is a stranger until the service calls rpc_conn_known(). Strangers have seconds to say something and to finish
 * what they begin, and at max_conns an idle one gives way to a new connection. */
#include "rpc/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpcgen/wire_inline.h"
#include "runtime/hash.h"
#include "runtime/log.h"

#define INFLIGHT_DEFAULT 128u
#define CONNS_DEFAULT 4096u
#define UNSENT_DEFAULT (4u << 20)
#define HELD_DEFAULT (4u << 20)
#define MEMORY_DEFAULT (256u << 20)
#define IDLE_MS_DEFAULT 120000u
#define STRANGER_MS_DEFAULT 10000u
#define SWEEP_MS_MAX 2500u
#define KNOWN_RECORD_MS 5000u
#define STARVED_NS 5000000u		/* all coroutines are taken: try again after this */
#define MS 1000000ull

struct rpc_listener { struct rpc_server *server; struct listener *listener; struct list in_server; };

/* --- a connection's life --- */

void rpc_conn_bytes(const struct rpc_conn *conn, uint64_t *ret_received, uint64_t *ret_sent)
{
	*ret_received = conn->link.received;
	*ret_sent = conn->link.sent;
}

struct rpc_conn *rpc_conn_ref(struct rpc_conn *conn)
{
	conn->refs++;
	return conn;
}

void rpc_conn_unref(struct rpc_conn *conn)
{
	if (!conn || --conn->refs)
		return;
	free(conn->name);
	free(conn);
}

void rpc_conn_set_user(struct rpc_conn *conn, void *user)
{
	conn->user = user;
}

void *rpc_conn_user(const struct rpc_conn *conn)
{
	return conn->user;
}

const struct sockaddr_storage *rpc_conn_peer(const struct rpc_conn *conn)
{
	return &conn->peer;
}

const char *rpc_conn_peer_name(const struct rpc_conn *conn)
{
	return conn->name;
}

bool rpc_conn_peer_serves(const struct rpc_conn *conn)
{
	return conn->serves;
}

void rpc_conn_mix(struct rpc_conn *conn)
{
	conn->link.mix = true;
}

/* --- strangers --- */

/* The count of connections from the peer's address; of IPv6 the network, because one host has all of it. */
static uint16_t *stranger_count(struct rpc_conn *conn)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&conn->peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&conn->peer;
	uint64_t h = 0;

	if (conn->peer.ss_family == AF_INET)
		h = hash_bytes(&v4->sin_addr, 4, 0);
	else if (conn->peer.ss_family == AF_INET6)
		h = hash_bytes(&v6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : 8, 0);
	return &conn->server->strangers[h % STRANGER_SLOTS];
}

void rpc_conn_known(struct rpc_conn *conn)
{
	if (conn->known)
		return;
	conn->known = true;
	conn->link.reader.max_record = conn->server->service.limits.max_record;
	--*stranger_count(conn);
}

static bool gives_way(const struct rpc_conn *conn)
{
	return conn->link.stream && !conn->known && !conn->inflight && !conn->link.count;
}

/* The idlest stranger of the address that has most connections, or NULL. */
static struct rpc_conn *find_stranger(struct rpc_server *s, const struct rpc_conn *except)
{
	struct rpc_conn *found = NULL, *conn;
	unsigned most = 0, n;
	struct list *l;

	list_for_each(l, &s->conns) {
		conn = list_entry(l, struct rpc_conn, in_server);
		n = gives_way(conn) && conn != except ? *stranger_count(conn) : 0;
		if (n < most || !n)
			continue;
		if (n > most || conn->link.received_ns < found->link.received_ns)
			found = conn;
		most = n;
	}
	return found;
}

/* The connection whose unfinished record is oldest, or NULL. What a known peer sends just now may take its time. */
static struct rpc_conn *find_unfinished(struct rpc_server *s)
{
	uint64_t now_ns = loop_now_ns(s->loop);
	struct rpc_conn *found = NULL, *conn;
	struct list *l;

	list_for_each(l, &s->conns) {
		conn = list_entry(l, struct rpc_conn, in_server);
		if (!conn->link.stream || conn->link.paused || !conn->link.partial)
			continue;
		if (conn->known && now_ns - conn->link.partial_ns < KNOWN_RECORD_MS * MS)
			continue;
		if (!found || conn->link.partial_ns < found->link.partial_ns)
			found = conn;
	}
	return found;
}

/* Half of the memory for all is left to calls and replies. */
static void shed_unfinished(struct rpc_server *s)
{
	struct rpc_conn *conn;

	while (s->partial > s->service.limits.max_memory / 2 && (conn = find_unfinished(s)))
		rpc_conn_close(conn);
}

static void pause_listeners(struct rpc_server *s, bool paused)
{
	struct list *l;

	s->full = paused;
	list_for_each(l, &s->listeners)
		listener_pause(list_entry(l, struct rpc_listener, in_server)->listener, paused);
}

/* The connection is closed and its last call has ended. */
static void conn_gone(struct rpc_conn *conn)
{
	struct rpc_server *s = conn->server;

	if (conn->gone || conn->link.stream || conn->inflight)
		return;
	conn->gone = true;
	if (conn->opened && s->service.closed)
		s->service.closed(conn, s->service.user);
	list_remove(&conn->in_server);
	if (!conn->known)
		--*stranger_count(conn);
	s->nconns--;
	if (s->full && !s->draining)
		pause_listeners(s, false);
	if (!s->nconns)
		timer_cancel(&s->sweep);
	rpc_server_settled(s);
	rpc_conn_unref(conn);
}

static void forget_stash(struct rpc_conn *conn)
{
	iobuf_unref(conn->stash.buf);
	conn->stash = (struct payload){ 0 };
}

void rpc_conn_close(struct rpc_conn *conn)
{
	struct rpc_job *job;
	struct list *l;

	if (!conn->link.stream)
		return;
	rpc_conn_ref(conn);
	rpc_link_close(&conn->link);
	forget_stash(conn);
	list_for_each(l, &conn->jobs) {
		job = list_entry(l, struct rpc_job, in_conn);
		/* a long reply belongs to a call that only reads: nobody is left to take it */
		if (conn->server->service.cancel_on_close || job->rq.proc->reply_bytes)
			co_cancel(job->co);
	}
	conn_gone(conn);
	rpc_conn_unref(conn);
}

static struct rpc_conn *conn_of(struct rpc_link *l)
{
	return container_of(l, struct rpc_conn, link);
}

/* The memory for all is used up: then a connection that has its share must wait for its own to be done. */
static bool must_wait(const struct rpc_conn *conn)
{
	const struct rpc_server *s = conn->server;

	return s->held + s->unsent + s->partial > s->service.limits.max_memory &&
	       (conn->inflight > conn->waiting || conn->link.unsent);
}

static bool overloaded(const struct rpc_conn *conn)
{
	const struct rpc_limits *limits = &conn->server->service.limits;

	return must_wait(conn) || conn->inflight - conn->waiting >= limits->max_inflight ||
	       conn->link.unsent > limits->max_unsent || conn->held > limits->max_held;
}

/* Below three quarters of one bound and half of the other: so that reading does not stop and go with every call. */
static bool relieved(const struct rpc_conn *conn)
{
	const struct rpc_limits *limits = &conn->server->service.limits;

	return !must_wait(conn) && conn->inflight - conn->waiting <= limits->max_inflight * 3 / 4 &&
	       conn->link.unsent <= limits->max_unsent / 2 && conn->held <= limits->max_held / 2;
}

void rpc_conn_settled(struct rpc_conn *conn)
{
	if (conn->link.paused && !conn->stash.buf && !conn->server->draining && relieved(conn)) {
		conn->link.received_ns = loop_now_ns(conn->link.loop);	/* the pause was ours, not the peer's */
		rpc_link_pause(&conn->link, false);
	}
	conn_gone(conn);
}

void rpc_server_settled(struct rpc_server *s)
{
	if (s->draining)
		co_queue_wake_all(&s->changed);
}

/* --- what the link tells --- */

/* No coroutine was free: keep the record and ask again soon. */
static void starve(struct rpc_conn *conn, const struct payload *record)
{
	struct rpc_server *s = conn->server;

	conn->stash = *record;
	iobuf_ref(conn->stash.buf);
	rpc_link_pause(&conn->link, true);
	if (!timer_armed(&s->starved))
		timer_arm(s->loop, &s->starved, loop_now_ns(s->loop) + STARVED_NS);
}

static void on_record(struct rpc_link *l, const struct payload *record)
{
	struct rpc_conn *conn = conn_of(l);
	struct rpc_origin from = { .server = conn->server, .conn = conn };
	int ret = rpc_dispatch(&from, record);

	if (!l->stream)
		return;
	if (ret == -EAGAIN)
		starve(conn, record);
	else if (ret < 0)
		rpc_conn_close(conn);
	else if (overloaded(conn))
		rpc_link_pause(l, true);
}

static struct rpc_conn *first_starved(const struct rpc_server *s)
{
	struct list *l;

	list_for_each(l, &s->conns)
		if (list_entry(l, struct rpc_conn, in_server)->stash.buf)
			return list_entry(l, struct rpc_conn, in_server);
	return NULL;
}

static void on_starved(void *arg)
{
	struct rpc_server *s = arg;
	struct rpc_conn *conn;
	struct payload record;
	bool again = false;

	/* From the front each time: what a call does may close any connection. */
	while (!again && !s->draining && (conn = first_starved(s))) {
		record = conn->stash;
		conn->stash = (struct payload){ 0 };
		rpc_conn_ref(conn);
		on_record(&conn->link, &record);
		iobuf_unref(record.buf);
		again = conn->stash.buf;	/* still none: the others wait as well */
		rpc_conn_settled(conn);
		rpc_conn_unref(conn);
	}
}

/* The connection may be used: with TLS it is known by now who that is. */
static void open_conn(struct rpc_conn *conn)
{
	struct rpc_server *s = conn->server;

	conn->opened = true;
	if (s->service.opened)
		s->service.opened(conn, s->service.user);
}

static void on_ready(struct rpc_link *l)
{
	struct rpc_conn *conn = conn_of(l);

	refusal_over(&conn->server->refusals, (struct sockaddr *)&conn->peer);
	conn->name = strdup(tls_peer_name(l->tls));
	conn->serves = tls_peer_serves(l->tls);
	if (conn->name)
		open_conn(conn);
	else
		rpc_conn_close(conn);
}

/* Such a peer tries again every few seconds. */
static void tell_once(struct rpc_conn *conn, const char *story)
{
	const struct sockaddr *peer = (const struct sockaddr *)&conn->peer;
	char text[64];

	if (refusal_is_news(&conn->server->refusals, peer, story))
		log_warning("a connection is refused", "service=%s peer=%s reason=%s", conn->server->service.name,
			    sockaddr_text(peer, text, sizeof(text)), log_quote(story));
}

static void on_lost(struct rpc_link *l, int why)
{
	struct rpc_conn *conn = conn_of(l);
	const char *story = rpc_link_story(l, why);
	char peer[64];

	if (*story)
		tell_once(conn, story);
	else if (why == -EMSGSIZE)
		log_warning("record past the limit, closing the connection", "service=%s peer=%s limit=%u",
			    conn->server->service.name,
			    sockaddr_text((struct sockaddr *)&conn->peer, peer, sizeof(peer)),
			    conn->server->service.limits.max_record);
	rpc_conn_close(conn);
}

static void on_sent(struct rpc_link *l)
{
	rpc_conn_settled(conn_of(l));
	rpc_server_settled(conn_of(l)->server);
}

static void on_hold(struct rpc_link *l)
{
	rpc_conn_ref(conn_of(l));
}

static void on_drop(struct rpc_link *l)
{
	struct rpc_conn *conn = conn_of(l);

	if (conn->link.partial)
		shed_unfinished(conn->server);
	rpc_conn_unref(conn);
}

static const struct rpc_link_ops conn_ops = { on_ready, on_record, on_lost, on_sent, on_hold, on_drop };

/* --- notifications --- */

struct notice { uint32_t xid, prog, vers, proc; xdrproc_t encode; const void *args; };

static bool_t encode_notice(XDR *xdrs, void *arg)
{
	struct notice *n = arg;

	return rpc_call_encode(xdrs, n->xid, n->prog, n->vers, n->proc, NULL) &&
	       (!n->encode || n->encode(xdrs, (void *)n->args));
}

int rpc_conn_notify(struct rpc_conn *conn, uint32_t prog, uint32_t vers, uint32_t proc, xdrproc_t encode,
		    const void *args)
{
	struct notice n = { conn->notify_xid + 1, prog, vers, proc, encode, args };

	if (!conn->link.stream)
		return -ENOTCONN;
	if (conn->link.unsent > conn->server->service.limits.max_unsent)
		return -ENOBUFS;
	conn->notify_xid++;
	return rpc_link_send(&conn->link, encode_notice, &n, NULL);
}

/* --- sweeping --- */

static bool stranger_is_late(const struct rpc_conn *conn, uint64_t now_ns)
{
	uint64_t limit_ns = conn->server->service.limits.stranger_ms * MS;

	if (!conn->spoke && now_ns - conn->since_ns > limit_ns)
		return true;
	return !conn->link.paused && conn->link.partial_ns && now_ns - conn->link.partial_ns > limit_ns;
}

static bool stands_still(const struct rpc_conn *conn, uint64_t now_ns)
{
	uint64_t idle_ns = conn->server->service.limits.idle_ms * MS;
	const struct rpc_link *l = &conn->link;

	if (l->count && now_ns - l->sent_ns > idle_ns && now_ns - l->received_ns > idle_ns)
		return true;
	if (!conn->known && stranger_is_late(conn, now_ns))
		return true;
	return !l->paused && rpc_link_partial(l) && now_ns - l->received_ns > idle_ns;
}

static void arm_sweep(struct rpc_server *s)
{
	uint32_t ms = s->service.limits.idle_ms / 4;

	timer_arm(s->loop, &s->sweep, loop_now_ns(s->loop) + (ms < SWEEP_MS_MAX ? ms : SWEEP_MS_MAX) * MS);
}

static void on_sweep(void *arg)
{
	struct rpc_server *s = arg;
	struct list *l = s->conns.next, *next;
	struct rpc_conn *conn;

	for (; l != &s->conns; l = next) {
		next = l->next;
		conn = list_entry(l, struct rpc_conn, in_server);
		if (!conn->link.stream || !stands_still(conn, loop_now_ns(s->loop)))
			continue;
		rpc_conn_close(conn);
		next = s->conns.next;	/* closed() may have closed others: from the front again */
	}
	if (s->full && !s->draining && find_stranger(s, NULL))
		pause_listeners(s, false);
	if (s->nconns)
		arm_sweep(s);
}

/* --- accepting --- */

/* At the limit a stranger goes for the newest connection. When all are known or busy, the next one has to wait. */
static void make_room(struct rpc_server *s, const struct rpc_conn *newest)
{
	struct rpc_conn *victim;

	if (s->nconns > s->service.limits.max_conns) {
		victim = find_stranger(s, newest);
		if (victim)
			rpc_conn_close(victim);
	}
	if (s->nconns >= s->service.limits.max_conns && !find_stranger(s, newest))
		pause_listeners(s, true);
}

static void on_accepted(void *arg, struct stream *stream)
{
	struct rpc_server *s = ((struct rpc_listener *)arg)->server;
	struct rpc_conn *conn = calloc(1, sizeof(*conn));
	struct tls *tls = conn && s->service.tls ? tls_new(s->service.tls, stream) : NULL;

	if (!conn || (s->service.tls && !tls)) {
		free(conn);
		stream_close(stream);
		return;
	}
	conn->refs = 1;
	conn->server = s;
	conn->peer = *stream_peer(stream);
	conn->since_ns = loop_now_ns(s->loop);
	list_init(&conn->jobs);
	list_append(&s->conns, &conn->in_server);
	if (!s->nconns++)
		arm_sweep(s);
	++*stranger_count(conn);
	make_room(s, conn);
	if (s->service.limits.dead_s)
		stream_dead_after(stream, s->service.limits.dead_s);
	rpc_link_open(&conn->link, s->loop, stream, tls, s->service.limits.max_stranger_record, &conn_ops);
	conn->link.total = &s->unsent;
	conn->link.partials = &s->partial;
	if (!tls)
		open_conn(conn);
}

static void set_default(uint32_t *limit, uint32_t value)
{
	if (!*limit)
		*limit = value;
}

int rpc_server_new(struct loop *loop, const struct rpc_service *service, struct rpc_server **ret_server)
{
	struct rpc_server *s = calloc(1, sizeof(*s));

	*ret_server = s;
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->service = *service;
	tls_context_ref(service->tls);
	set_default(&s->service.limits.max_record, RPC_MAX_RECORD_DEFAULT);
	set_default(&s->service.limits.max_stranger_record, s->service.limits.max_record);
	set_default(&s->service.limits.stranger_ms, STRANGER_MS_DEFAULT);
	set_default(&s->service.limits.max_inflight, INFLIGHT_DEFAULT);
	set_default(&s->service.limits.max_conns, CONNS_DEFAULT);
	set_default(&s->service.limits.max_unsent, UNSENT_DEFAULT);
	set_default(&s->service.limits.max_held, HELD_DEFAULT);
	set_default(&s->service.limits.max_memory, MEMORY_DEFAULT);
	set_default(&s->service.limits.idle_ms, IDLE_MS_DEFAULT);
	list_init(&s->conns);
	list_init(&s->listeners);
	list_init(&s->sockets);
	co_queue_init(&s->changed);
	timer_init(&s->sweep, on_sweep, s);
	timer_init(&s->starved, on_starved, s);
	return 0;
}

static int listen_failed(const struct sockaddr *addr, struct error *err, int ret)
{
	char text[64], holder[128] = "";

	sockaddr_text(addr, text, sizeof(text));
	if (ret == -EADDRINUSE && addr->sa_family != AF_UNIX)
		rpc_port_holder(ntohs(((const struct sockaddr_in *)addr)->sin_port), false, holder, sizeof(holder));
	if (*holder)
		return error_set(err, ret, "cannot listen on %s: %s holds that port; stop it or choose another port",
				 text, holder);
	return error_set(err, ret, "cannot listen on %s: %s", text, strerror(-ret));
}

int rpc_server_listen(struct rpc_server *s, const struct sockaddr *addr, struct error *err, uint16_t *ret_port)
{
	struct rpc_listener *l = calloc(1, sizeof(*l));
	struct sockaddr_storage bound;
	int ret;

	if (!l)
		return -ENOMEM;
	l->server = s;
	ret = listener_open(s->loop, addr, on_accepted, l, &l->listener);
	if (ret < 0) {
		free(l);
		return listen_failed(addr, err, ret);
	}
	list_append(&s->listeners, &l->in_server);
	listener_address(l->listener, &bound);
	if (ret_port && addr->sa_family != AF_UNIX)
		/* both families have it in the same place */
		*ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

void *rpc_server_user(const struct rpc_server *s)
{
	return s->service.user;
}

unsigned rpc_server_conns(const struct rpc_server *s)
{
	return s->nconns;
}

/* --- the end --- */

static void close_doors(struct rpc_server *s)
{
	struct rpc_listener *l;
	struct list *link;

	while ((link = list_pop(&s->listeners))) {
		l = list_entry(link, struct rpc_listener, in_server);
		listener_close(l->listener);
		free(l);
	}
	list_for_each(link, &s->sockets)
		watch_change(&list_entry(link, struct rpc_socket, in_server)->watch, 0);
}

static bool drained(const struct rpc_server *s)
{
	struct list *l;

	if (s->inflight)
		return false;
	list_for_each(l, &s->conns)
		if (list_entry(l, struct rpc_conn, in_server)->link.count)
			return false;
	return true;
}

static void close_all(struct rpc_server *s)
{
	struct list *l, *next;

	list_for_each_safe(l, next, &s->conns)
		rpc_conn_close(list_entry(l, struct rpc_conn, in_server));
}

/* Nothing is read any more: what would end these calls' wait cannot arrive. */
static void cancel_waiting(struct rpc_conn *conn)
{
	struct list *l;

	list_for_each(l, &conn->jobs)
		if (list_entry(l, struct rpc_job, in_conn)->waiting)
			co_cancel(list_entry(l, struct rpc_job, in_conn)->co);
}

int rpc_server_drain(struct rpc_server *s)
{
	struct list *l;
	int ret = 0;

	s->draining = true;
	close_doors(s);
	list_for_each(l, &s->conns) {
		rpc_link_pause(&list_entry(l, struct rpc_conn, in_server)->link, true);
		cancel_waiting(list_entry(l, struct rpc_conn, in_server));
	}
	while (!ret && !drained(s))
		ret = co_queue_wait(&s->changed);
	if (!ret)
		close_all(s);
	return ret;
}

void rpc_server_free(struct rpc_server *s)
{
	struct list *link;

	if (!s)
		return;
	assert(!s->inflight);
	s->draining = true;
	close_doors(s);
	close_all(s);
	while ((link = list_pop(&s->sockets)))
		rpc_udp_close(list_entry(link, struct rpc_socket, in_server));
	timer_cancel(&s->sweep);
	timer_cancel(&s->starved);
	tls_context_unref(s->service.tls);
	free(s);
}
