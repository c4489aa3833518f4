/* rpc/rpcbind.c: our entries in the portmapper, kept there for as long as we run.
 *
 * The connection to rpcbind stays open: when it ends rpcbind has gone, and registering is the handshake of the next
 * one. Every ten seconds each entry is looked up, which keeps the connection from being closed as idle and finds
 * entries that somebody removed. What another living process holds is left alone; what a dead one left behind is
 * replaced. */
#include "rpc/rpcbind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpc.h"
#include "rpc/server.h"
#include "rpcgen/wire_inline.h"
#include "runtime/log.h"

#define RPCBIND_PROGRAM 100000u
#define RPCBIND_PORT 111
#define POLL_NS 10000000000ull
#define CALL_NS 3000000000ull
#define STOP_NS 2000000000ull
#define RETRY_MS 10000u		/* how long rpcbind may be back before we notice */
#define OWNER "superuser"

enum { PROC_SET = 1, PROC_UNSET = 2, PROC_GETADDR = 3 };	/* GETPORT in version 2 */

struct entry { struct rpcbind_entry e; bool set, warned; };

struct rpcbind {
	struct loop *loop;
	struct rpc_client *client;
	uint32_t vers;			/* that rpcbind speaks: 4, 3 or 2 */
	struct coroutine *poller;
	struct co_gate gate;		/* the poller is in it */
	bool stopping, ready;	/* ready: a first round of registering is over */
	unsigned n;
	struct entry entries[];
};

/* --- the three calls, in both shapes of their arguments --- */

struct mapping { uint32_t prog, vers; gf_string netid, addr, owner; };
struct port_mapping { uint32_t prog, vers, protocol, port; };

static bool_t code_mapping(XDR *xdrs, struct mapping *m)
{
	return wire_u32(xdrs, &m->prog) && wire_u32(xdrs, &m->vers) && xdr_gf_string(xdrs, &m->netid) &&
	       xdr_gf_string(xdrs, &m->addr) && xdr_gf_string(xdrs, &m->owner);
}

static bool_t code_port_mapping(XDR *xdrs, struct port_mapping *m)
{
	return wire_u32(xdrs, &m->prog) && wire_u32(xdrs, &m->vers) && wire_u32(xdrs, &m->protocol) &&
	       wire_u32(xdrs, &m->port);
}

static bool_t code_word(XDR *xdrs, uint32_t *word)
{
	return wire_u32(xdrs, word);
}

static void universal_address(const struct rpcbind_entry *e, char buf[32])
{
	snprintf(buf, 32, "%s.%u.%u", e->ipv6 ? "::" : "0.0.0.0", e->port >> 8, e->port & 0xff);
}

static const char *netid_of(const struct rpcbind_entry *e)
{
	return e->udp ? e->ipv6 ? "udp6" : "udp" : e->ipv6 ? "tcp6" : "tcp";
}

static int coroutine_fn call(struct rpcbind *r, struct rpc_call *c)
{
	uint64_t old = co_set_deadline(loop_now_ns(r->loop) + CALL_NS);
	int ret;

	c->prog = RPCBIND_PROGRAM;
	c->vers = r->vers;
	ret = rpc_client_call(r->client, c);
	co_restore_deadline(old);
	return ret;
}

/* The port in a universal address: its last two numbers. */
static uint16_t port_of_address(const char *address)
{
	const char *low = strrchr(address, '.'), *high = low;

	if (!low)
		return 0;
	while (high > address && high[-1] != '.')
		high--;
	return (uint16_t)(strtoul(high, NULL, 10) << 8 | strtoul(low + 1, NULL, 10));
}

static int coroutine_fn call_v2(struct rpcbind *r, const struct rpcbind_entry *e, uint32_t proc, uint32_t *ret_word)
{
	struct port_mapping m = { e->prog, e->vers, e->udp ? 17 : 6, proc == PROC_SET ? e->port : 0 };
	struct arena *arena = arena_new(1 << 16);
	struct rpc_call c = {
		.proc = proc, .arena = arena, .args = &m, .encode = (xdrproc_t)code_port_mapping,
		.res = ret_word, .decode = (xdrproc_t)code_word,
	};
	int ret = call(r, &c);

	arena_free(arena);
	return ret;
}

static int coroutine_fn call_v34(struct rpcbind *r, const struct rpcbind_entry *e, uint32_t proc, uint32_t *ret_word)
{
	char address[32];
	struct mapping m = { e->prog, e->vers, (char *)netid_of(e), proc == PROC_SET ? address : "", OWNER };
	struct arena *arena = arena_new(1 << 16);
	gf_string found = NULL;
	struct rpc_call c = { .proc = proc, .arena = arena, .args = &m, .encode = (xdrproc_t)code_mapping };
	int ret;

	universal_address(e, address);
	c.res = proc == PROC_GETADDR ? (void *)&found : ret_word;
	c.decode = proc == PROC_GETADDR ? (xdrproc_t)xdr_gf_string : (xdrproc_t)code_word;
	ret = call(r, &c);
	if (!ret && proc == PROC_GETADDR)
		*ret_word = port_of_address(found);
	arena_free(arena);
	return ret;
}

/* SET and UNSET give true or false, GETADDR a port or 0. Goes down to an older version when rpcbind does not know
 * this one. */
static int coroutine_fn ask(struct rpcbind *r, const struct rpcbind_entry *e, uint32_t proc, uint32_t *ret_word)
{
	int ret;

	*ret_word = 0;
	while (r->vers > 2) {
		ret = call_v34(r, e, proc, ret_word);
		if (ret != -EOPNOTSUPP)
			return ret;
		r->vers--;
	}
	return e->ipv6 ? 0 : call_v2(r, e, proc, ret_word);
}

/* --- registering --- */

struct holder { uint16_t port; bool udp; char name[128]; };

static int find_holder(void *arg)
{
	struct holder *h = arg;

	rpc_port_holder(h->port, h->udp, h->name, sizeof(h->name));
	return 0;
}

static void refused(struct entry *entry, const struct holder *h)
{
	if (!entry->warned)
		log_warning("rpcbind does not take our entry; clients that ask it will not find us",
			    "program=%u version=%u netid=%s port=%u holder=\"%s\" holder_port=%u", entry->e.prog,
			    entry->e.vers, netid_of(&entry->e), entry->e.port, *h->name ? h->name : "unknown", h->port);
	entry->warned = true;
}

/* 0 also when rpcbind refuses: that is not fatal. -errno: the connection is no good. */
static int coroutine_fn register_entry(struct rpcbind *r, struct entry *entry)
{
	struct holder h = { .udp = entry->e.udp };
	uint32_t word;
	int ret;

	entry->set = false;
	ret = ask(r, &entry->e, PROC_GETADDR, &word);
	if (ret < 0)
		return ret;
	h.port = (uint16_t)word;
	if (entry->e.gives_way && word && word != entry->e.port)
		return 0;
	if (word && word != entry->e.port)
		loop_offload(find_holder, &h);
	if (!*h.name) {
		if (word)
			ret = ask(r, &entry->e, PROC_UNSET, &word);	/* what a dead one left */
		if (!ret)
			ret = ask(r, &entry->e, PROC_SET, &word);
		if (ret < 0)
			return ret;
		entry->set = word;
	}
	if (!entry->set && !entry->e.gives_way && !(entry->e.ipv6 && r->vers == 2))
		refused(entry, &h);
	return 0;
}

static int coroutine_fn register_all(struct rpc_client *c, void *user)
{
	struct rpcbind *r = user;
	unsigned i;
	int ret = 0;

	r->client = c;		/* the handshake may come before rpc_client_new() returned */
	r->vers = 4;
	for (i = 0; i < r->n && !ret; i++)
		ret = register_entry(r, &r->entries[i]);
	r->ready = true;
	return ret;
}

static void lost(void *user, int why)
{
	struct rpcbind *r = user;
	unsigned i;

	(void)why;
	for (i = 0; i < r->n; i++)
		r->entries[i].set = false;
}

static int coroutine_fn locate(void *user, struct sockaddr_storage *ret_addrs, unsigned max)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret_addrs[0];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret_addrs[1];

	(void)user;
	if (max < 2)
		return -EINVAL;
	memset(ret_addrs, 0, 2 * sizeof(*ret_addrs));
	*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(RPCBIND_PORT),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(RPCBIND_PORT),
				     .sin6_addr = in6addr_loopback };
	return 2;
}

/* --- looking after it --- */

static void coroutine_fn look_after(struct rpcbind *r)
{
	uint32_t word;
	unsigned i;

	for (i = 0; i < r->n && rpc_client_is_up(r->client) && !r->stopping; i++) {
		if (ask(r, &r->entries[i].e, PROC_GETADDR, &word) < 0)
			return;
		if (!r->entries[i].set || word != r->entries[i].e.port)
			register_entry(r, &r->entries[i]);
	}
}

static void coroutine_fn poll_entries(void *arg)
{
	struct rpcbind *r = arg;

	r->poller = co_self();
	while (!r->stopping) {
		co_sleep_ns(POLL_NS);
		if (!r->stopping)
			look_after(r);
	}
	r->poller = NULL;
	co_gate_leave(&r->gate);
}

struct rpcbind *rpcbind_start(struct loop *loop, const struct rpcbind_entry *entries, unsigned n)
{
	struct rpcbind *r = calloc(1, sizeof(*r) + n * sizeof(r->entries[0]));
	struct rpc_client_conf conf = {
		.name = "rpcbind",
		.locate = locate,
		.handshake = register_all,
		.down = lost,
		.user = r,
		.privileged = true,
		.backoff_max_ms = RETRY_MS,
	};
	unsigned i;

	if (!r)
		return NULL;
	r->loop = loop;
	r->n = n;
	r->vers = 4;
	for (i = 0; i < n; i++)
		r->entries[i].e = entries[i];
	co_gate_init(&r->gate);
	r->client = rpc_client_new(loop, &conf);
	if (!r->client) {
		free(r);
		return NULL;
	}
	co_gate_enter(&r->gate);
	if (!co_start(loop, poll_entries, r))
		co_gate_leave(&r->gate);	/* registered once all the same */
	return r;
}

static void coroutine_fn unregister_all(struct rpcbind *r)
{
	uint64_t old = co_set_deadline(loop_now_ns(r->loop) + STOP_NS);
	uint32_t word;
	unsigned i;

	for (i = 0; i < r->n && rpc_client_is_up(r->client); i++) {
		const struct rpcbind_entry *e = &r->entries[i].e;

		if (e->gives_way && ask(r, e, PROC_GETADDR, &word) == 0 && word && word != e->port)
			continue;	/* somebody took it since */
		if (r->entries[i].set)
			ask(r, e, PROC_UNSET, &word);
	}
	co_restore_deadline(old);
}

void rpcbind_stop(struct rpcbind *r)
{
	if (!r)
		return;
	r->stopping = true;
	if (r->poller)
		co_cancel(r->poller);
	co_shield();
	co_gate_close(&r->gate);
	co_unshield();
	unregister_all(r);
	rpc_client_free(r->client);
	free(r);
}

bool rpcbind_registered(const struct rpcbind *r)
{
	unsigned i;

	if (!r->ready)
		return false;
	for (i = 0; i < r->n; i++)
		if (!r->entries[i].set && !r->entries[i].e.gives_way && !(r->entries[i].e.ipv6 && r->vers == 2))
			return false;
	return true;
}
