/* runtime/stream_sim.c: the simulated network.
 *
 * A stream end holds what is on its way to it: a list of pieces with arrival times that never decrease. The end of
 * the stream and a reset are pieces as well, so they keep their place behind the data. A partition only hides pieces
 * that have arrived. Each end has one timer, for the next moment at which its owner might have to be called. */
#include <stdlib.h>
#include <string.h>

#include "runtime/sim_private.h"

#define WINDOW (256u << 10)		/* bytes on the way and unread before a writer must wait */
#define PIECE_MAX (64u << 10)
#define AGAIN_NS 1000u			/* level triggering: unread bytes are announced again */
#define SYN_RETRY_NS 1000000000u
#define SYN_RETRIES 127
#define PAUSED_RETRY_NS 10000000u

enum piece_kind { PIECE_DATA, PIECE_END, PIECE_RESET };

struct piece {
	struct list link;
	enum piece_kind kind;
	uint64_t at_ns;
	size_t len, taken;
	uint8_t data[];
};

struct sim_stream {
	struct stream s;
	struct list link;		/* in sim->streams */
	struct sim *sim;
	struct sim_stream *peer;	/* NULL when the other end is closed or its host was killed */
	struct list incoming;
	size_t unread;			/* bytes in @incoming */
	uint64_t last_at_ns;		/* nothing may overtake it */
	size_t lost;			/* written to a host that is dark */
	bool reset_due;			/* the answer to writing to a closed end is on its way */
	int error;
	struct timer timer;
};

struct sim_listener { struct listener l; struct list link; bool paused; };

struct sim_connect {
	struct list link;
	struct sim *sim;
	struct sockaddr_in to, from;
	struct timer timer;
	unsigned tries;
	bool answered;
	int result;
	struct sim_stream *stream;
	struct co_wait wait;
};

struct partition { struct list link; struct in_addr a, b; };
struct dark_host { struct list link; struct in_addr host; };

static struct in_addr host_of(const struct sockaddr_storage *addr)
{
	return ((const struct sockaddr_in *)addr)->sin_addr;
}

static void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* --- partitions and dark hosts --- */

static struct partition *partition_find(struct sim *sim, struct in_addr a, struct in_addr b)
{
	struct partition *p;
	struct list *link;

	list_for_each(link, &sim->partitions) {
		p = list_entry(link, struct partition, link);
		if ((p->a.s_addr == a.s_addr && p->b.s_addr == b.s_addr) ||
		    (p->a.s_addr == b.s_addr && p->b.s_addr == a.s_addr))
			return p;
	}
	return NULL;
}

static struct dark_host *dark_find(struct sim *sim, struct in_addr host)
{
	struct list *link;

	list_for_each(link, &sim->dark_hosts)
		if (list_entry(link, struct dark_host, link)->host.s_addr == host.s_addr)
			return list_entry(link, struct dark_host, link);
	return NULL;
}

static bool unreachable(struct sim *sim, struct in_addr a, struct in_addr b)
{
	return partition_find(sim, a, b) || dark_find(sim, a) || dark_find(sim, b);
}

/* --- what an owner can see --- */

static bool held_back(const struct sim_stream *ss)
{
	return partition_find(ss->sim, host_of(&ss->s.local), host_of(&ss->s.peer));
}

static struct piece *first_piece(const struct sim_stream *ss)
{
	return list_empty(&ss->incoming) ? NULL : list_first(&ss->incoming, struct piece, link);
}

static struct piece *arrived(const struct sim_stream *ss)
{
	struct piece *p = first_piece(ss);

	return p && p->at_ns <= ss->sim->loop->now_ns && !held_back(ss) ? p : NULL;
}

static size_t room(const struct sim_stream *ss)
{
	size_t used = ss->peer ? ss->peer->unread : dark_find(ss->sim, host_of(&ss->s.peer)) ? ss->lost : 0;

	return used < WINDOW ? WINDOW - used : 0;
}

static void timer_at(struct sim_stream *ss, uint64_t at_ns)
{
	if (!timer_armed(&ss->timer) || ss->timer.at_ns > at_ns)
		timer_arm(ss->sim->loop, &ss->timer, at_ns);
}

/* When must the owner next be called? Not before @from_ns. */
static void rearm(struct sim_stream *ss, uint64_t from_ns)
{
	struct piece *p = first_piece(ss);

	if (!ss->s.events)
		return;
	if ((ss->s.want_read || ss->s.want_write) && ss->error)
		timer_at(ss, from_ns);
	if (ss->s.want_write && room(ss))
		timer_at(ss, from_ns);
	if ((ss->s.want_read || (ss->s.want_write && p && p->kind == PIECE_RESET)) && p && !held_back(ss))
		timer_at(ss, p->at_ns > from_ns ? p->at_ns : from_ns);
}

static void stream_event(void *arg)
{
	struct sim_stream *ss = arg;
	struct piece *p = arrived(ss);
	bool bad = ss->error || (p && p->kind == PIECE_RESET), readable = p || bad, writable = room(ss) || bad;

	rearm(ss, ss->sim->loop->now_ns + AGAIN_NS);
	if (ss->s.events)
		stream_dispatch(&ss->s, readable, writable);
}

/* --- pieces --- */

static void send_piece(struct sim_stream *to, enum piece_kind kind, const struct iovec *iov, int n, size_t skip,
		       size_t len)
{
	struct piece *p = must_alloc(sizeof(*p) + len);
	uint64_t at = to->sim->loop->now_ns + sim_network_delay(to->sim);
	size_t done = 0, part;

	for (; n && done < len; n--, iov++) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		part = iov->iov_len - skip < len - done ? iov->iov_len - skip : len - done;
		memcpy(p->data + done, (const char *)iov->iov_base + skip, part);
		done += part;
		skip = 0;
	}
	p->kind = kind;
	p->len = len;
	p->at_ns = at > to->last_at_ns ? at : to->last_at_ns;
	to->last_at_ns = p->at_ns;
	to->unread += len;
	list_append(&to->incoming, &p->link);
	rearm(to, p->at_ns);
}

static void drop_pieces(struct sim_stream *ss)
{
	struct list *link;

	while ((link = list_pop(&ss->incoming)))
		free(list_entry(link, struct piece, link));
	ss->unread = 0;
}

static size_t take_bytes(struct piece *p, const struct iovec *iov, int n)
{
	size_t done = 0, part;

	for (; n && p->taken < p->len; n--, iov++) {
		part = iov->iov_len < p->len - p->taken ? iov->iov_len : p->len - p->taken;
		memcpy(iov->iov_base, p->data + p->taken, part);
		p->taken += part;
		done += part;
	}
	return done;
}

/* --- the stream's operations --- */

static ssize_t sim_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct sim_stream *ss = container_of(s, struct sim_stream, s);
	struct piece *p = arrived(ss);
	bool was_full;
	size_t done;

	if (p && p->kind == PIECE_RESET)
		ss->error = -ECONNRESET;
	if (ss->error)
		return ss->error;
	if (!p)
		return -EAGAIN;
	if (p->kind == PIECE_END)
		return 0;
	was_full = ss->unread >= WINDOW;
	done = take_bytes(p, iov, n);
	ss->unread -= done;
	if (p->taken == p->len) {
		list_remove(&p->link);
		free(p);
	}
	if (was_full && ss->peer)
		rearm(ss->peer, ss->sim->loop->now_ns + sim_network_delay(ss->sim));
	return (ssize_t)done;
}

static size_t total_len(const struct iovec *iov, int n)
{
	size_t len = 0;

	while (n--)
		len += (iov++)->iov_len;
	return len;
}

/* The other end is gone: bytes vanish, and if its host is up it says so. */
static void write_to_nobody(struct sim_stream *ss, size_t len)
{
	if (dark_find(ss->sim, host_of(&ss->s.peer))) {
		ss->lost += len;
	} else if (!ss->reset_due) {
		ss->reset_due = true;
		send_piece(ss, PIECE_RESET, NULL, 0, 0, 0);
	}
}

static ssize_t sim_writev(struct stream *s, const struct iovec *iov, int n, bool more)
{
	struct sim_stream *ss = container_of(s, struct sim_stream, s);
	size_t len = total_len(iov, n), done = 0, part;
	struct piece *p = arrived(ss);

	if (p && p->kind == PIECE_RESET)
		ss->error = -ECONNRESET;
	if (ss->error)
		return ss->error;
	if (len > room(ss))
		len = room(ss);
	if (!len)
		return total_len(iov, n) ? -EAGAIN : 0;
	if (len > 1 && sim_random(ss->sim->loop, 16) == 0)
		len = 1 + sim_random(ss->sim->loop, len - 1);
	if (!ss->peer) {
		write_to_nobody(ss, len);
		return (ssize_t)len;
	}
	for (; done < len; done += part) {
		part = len - done < PIECE_MAX ? len - done : PIECE_MAX;
		if (part > 1 && sim_random(ss->sim->loop, 4) == 0)
			part = 1 + sim_random(ss->sim->loop, part - 1);
		send_piece(ss->peer, PIECE_DATA, iov, n, done, part);
	}
	return (ssize_t)len;
}

static void sim_update(struct stream *s)
{
	struct sim_stream *ss = container_of(s, struct sim_stream, s);

	rearm(ss, ss->sim->loop->now_ns);
}

static void sim_close(struct stream *s)
{
	struct sim_stream *ss = container_of(s, struct sim_stream, s);

	timer_cancel(&ss->timer);
	if (ss->peer) {
		send_piece(ss->peer, ss->unread ? PIECE_RESET : PIECE_END, NULL, 0, 0, 0);
		ss->peer->peer = NULL;
		rearm(ss->peer, ss->sim->loop->now_ns);
	}
	drop_pieces(ss);
	list_remove(&ss->link);
}

static const struct stream_ops sim_stream_ops = { sim_readv, sim_writev, NULL, sim_update, NULL, sim_close };

static struct sim_stream *stream_new(struct sim *sim, const struct sockaddr_in *local, const struct sockaddr_in *peer)
{
	struct sim_stream *ss = must_alloc(sizeof(*ss));

	ss->s.ops = &sim_stream_ops;
	ss->s.loop = sim->loop;
	memcpy(&ss->s.local, local, sizeof(*local));
	memcpy(&ss->s.peer, peer, sizeof(*peer));
	ss->sim = sim;
	list_init(&ss->incoming);
	timer_init(&ss->timer, stream_event, ss);
	list_append(&sim->streams, &ss->link);
	return ss;
}

/* --- listeners --- */

static struct sim_listener *listener_find(struct sim *sim, const struct sockaddr_in *to)
{
	const struct sockaddr_in *addr;
	struct list *link;

	list_for_each(link, &sim->listeners) {
		addr = (const struct sockaddr_in *)&list_entry(link, struct sim_listener, link)->l.addr;
		if (addr->sin_port == to->sin_port &&
		    (addr->sin_addr.s_addr == to->sin_addr.s_addr || addr->sin_addr.s_addr == htonl(INADDR_ANY)))
			return list_entry(link, struct sim_listener, link);
	}
	return NULL;
}

static int sim_listener_pause(struct listener *l, bool paused)
{
	container_of(l, struct sim_listener, l)->paused = paused;
	return 0;
}

static void sim_listener_close(struct listener *l)
{
	struct sim_listener *sl = container_of(l, struct sim_listener, l);

	list_remove(&sl->link);
	free(sl);
}

static const struct listener_ops sim_listener_ops = { sim_listener_pause, sim_listener_close };

static uint16_t take_port(struct sim *sim)
{
	if (sim->next_port < 32768)
		sim->next_port = 32768;
	return htons(sim->next_port++);
}

int sim_listen(struct loop *loop, const struct sockaddr *addr, struct listener **ret_listener)
{
	struct sockaddr_in in = *(const struct sockaddr_in *)addr;
	struct sim *sim = sim_of(loop);
	struct sim_listener *sl;

	if (addr->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!in.sin_port)
		in.sin_port = take_port(sim);
	if (listener_find(sim, &in))
		return -EADDRINUSE;
	sim_start_host(loop, in.sin_addr);
	sl = must_alloc(sizeof(*sl));
	sl->l.ops = &sim_listener_ops;
	sl->l.loop = loop;
	memcpy(&sl->l.addr, &in, sizeof(in));
	list_append(&sim->listeners, &sl->link);
	*ret_listener = &sl->l;
	return 0;
}

/* --- connecting: a request travels there, is answered there, and the answer travels back --- */

static void answer(struct sim_connect *c, int result)
{
	c->answered = true;
	c->result = result;
	timer_arm(c->sim->loop, &c->timer, c->sim->loop->now_ns + sim_network_delay(c->sim));
}

static void accept_connect(struct sim_connect *c, struct sim_listener *sl)
{
	struct sim_stream *theirs = stream_new(c->sim, &c->to, &c->from);

	c->stream = stream_new(c->sim, &c->from, &c->to);
	c->stream->peer = theirs;
	theirs->peer = c->stream;
	answer(c, 0);
	sl->l.accepted(sl->l.arg, &theirs->s);
}

static void connect_event(void *arg)
{
	struct sim_connect *c = arg;
	struct sim_listener *sl;
	uint64_t now = c->sim->loop->now_ns;

	if (c->answered) {
		co_wake(&c->wait, c->result);
		return;
	}
	sl = listener_find(c->sim, &c->to);
	if (unreachable(c->sim, c->to.sin_addr, c->from.sin_addr)) {
		if (++c->tries > SYN_RETRIES)
			answer(c, -ETIMEDOUT);
		else
			timer_arm(c->sim->loop, &c->timer, now + SYN_RETRY_NS);
	} else if (sl && sl->paused) {
		timer_arm(c->sim->loop, &c->timer, now + PAUSED_RETRY_NS);
	} else if (sl) {
		accept_connect(c, sl);
	} else {
		answer(c, -ECONNREFUSED);
	}
}

int sim_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from, struct stream **ret_stream)
{
	struct sim_connect c = { .sim = sim_of(loop), .wait = CO_WAIT_INIT };
	int ret;

	if (!from)
		return -EINVAL;
	if (to->sa_family != AF_INET || from->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	memcpy(&c.to, to, sizeof(c.to));
	memcpy(&c.from, from, sizeof(c.from));
	if (dark_find(c.sim, c.from.sin_addr))
		return -ENETUNREACH;
	if (!c.from.sin_port)
		c.from.sin_port = take_port(c.sim);
	timer_init(&c.timer, connect_event, &c);
	timer_arm(loop, &c.timer, loop->now_ns + sim_network_delay(c.sim));
	list_append(&c.sim->connects, &c.link);
	ret = co_park(&c.wait);
	timer_cancel(&c.timer);
	list_remove(&c.link);
	if (ret < 0 && c.stream)
		stream_close(&c.stream->s);
	else if (c.stream)
		*ret_stream = &c.stream->s;
	return ret;
}

/* --- what a test does to the world --- */

void sim_partition(struct loop *loop, struct in_addr a, struct in_addr b, bool apart)
{
	struct sim *sim = sim_of(loop);
	struct partition *p = partition_find(sim, a, b);
	struct list *link;

	if (apart && !p) {
		p = must_alloc(sizeof(*p));
		p->a = a;
		p->b = b;
		list_append(&sim->partitions, &p->link);
	}
	if (apart || !p)
		return;
	list_remove(&p->link);
	free(p);
	list_for_each(link, &sim->streams)
		rearm(list_entry(link, struct sim_stream, link), loop->now_ns + sim_network_delay(sim));
}

/* Its own code, if a test lets it go on, finds every connection broken; the other ends learn it, or not. */
static void kill_stream(struct sim_stream *ss, bool silent)
{
	struct sim_stream *peer = ss->peer;

	if (peer) {
		peer->peer = NULL;
		if (!silent) {
			peer->reset_due = true;
			send_piece(peer, PIECE_RESET, NULL, 0, 0, 0);
		}
	}
	ss->peer = NULL;
	ss->error = -ECONNRESET;
	drop_pieces(ss);
	rearm(ss, ss->sim->loop->now_ns);
}

void sim_kill_host(struct loop *loop, struct in_addr host, bool silent)
{
	struct sim *sim = sim_of(loop);
	struct list *link, *tmp;
	struct dark_host *dark;
	struct sim_connect *c;

	if (silent && !dark_find(sim, host)) {
		dark = must_alloc(sizeof(*dark));
		dark->host = host;
		list_append(&sim->dark_hosts, &dark->link);
	}
	list_for_each_safe(link, tmp, &sim->listeners)
		if (host_of(&list_entry(link, struct sim_listener, link)->l.addr).s_addr == host.s_addr)
			list_remove(link);
	list_for_each(link, &sim->streams)
		if (host_of(&list_entry(link, struct sim_stream, link)->s.local).s_addr == host.s_addr)
			kill_stream(list_entry(link, struct sim_stream, link), silent);
	list_for_each(link, &sim->connects) {
		c = list_entry(link, struct sim_connect, link);
		if (c->from.sin_addr.s_addr == host.s_addr)
			answer(c, -ECONNRESET);
	}
}

void sim_start_host(struct loop *loop, struct in_addr host)
{
	struct dark_host *dark = dark_find(sim_of(loop), host);

	if (!dark)
		return;
	list_remove(&dark->link);
	free(dark);
}

void sim_network_init(struct sim *sim)
{
	list_init(&sim->streams);
	list_init(&sim->listeners);
	list_init(&sim->connects);
	list_init(&sim->partitions);
	list_init(&sim->dark_hosts);
}

void sim_network_fini(struct sim *sim)
{
	struct list *link;

	assert(list_empty(&sim->streams) && list_empty(&sim->connects));
	while ((link = list_pop(&sim->partitions)))
		free(list_entry(link, struct partition, link));
	while ((link = list_pop(&sim->dark_hosts)))
		free(list_entry(link, struct dark_host, link));
}
