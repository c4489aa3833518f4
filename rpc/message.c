/* rpc/message.c: call and reply headers, word by word: they are the same on every call, and this is the hottest code
 * there is. */
#include "rpc/message.h"

#include <errno.h>

#include "rpcgen/wire_inline.h"

#define RPC_VERSION 2

int rpc_call_parse(const uint8_t *record, uint32_t len, struct rpc_call_header *h)
{
	uint32_t at, verf_len;

	if (len < RPC_CALL_HEADER_MIN || rpc_get32(record + 4) != RPC_MSG_CALL)
		return -EBADMSG;
	h->xid = rpc_get32(record);
	h->rpcvers = rpc_get32(record + 8);
	if (h->rpcvers != RPC_VERSION)
		return -EPROTONOSUPPORT;
	h->prog = rpc_get32(record + 12);
	h->vers = rpc_get32(record + 16);
	h->proc = rpc_get32(record + 20);
	h->cred_flavor = rpc_get32(record + 24);
	h->cred_len = rpc_get32(record + 28);
	if (h->cred_len > RPC_AUTH_MAX)
		return -EACCES;
	h->cred = record + 32;
	at = 32 + ((h->cred_len + 3) & ~3u);
	if (len - 8 < at)
		return -EBADMSG;
	verf_len = rpc_get32(record + at + 4);
	if (verf_len > RPC_AUTH_MAX)
		return -EKEYREJECTED;
	h->body = at + 8 + ((verf_len + 3) & ~3u);
	return h->body > len ? -EBADMSG : 0;
}

bool_t rpc_call_encode(XDR *xdrs, uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
		       const struct rpc_cred *cred)
{
	uint8_t *p = wire_take(xdrs, 24);

	if (!p)
		return FALSE;
	p = rpc_put32(p, xid);
	p = rpc_put32(p, RPC_MSG_CALL);
	p = rpc_put32(p, RPC_VERSION);
	p = rpc_put32(p, prog);
	p = rpc_put32(p, vers);
	rpc_put32(p, proc);
	if (!rpc_auth_encode(xdrs, cred))
		return FALSE;
	p = wire_take(xdrs, 8);
	if (p)
		memset(p, 0, 8);	/* the verifier is AUTH_NONE */
	return p ? TRUE : FALSE;
}

int rpc_reply_parse(const uint8_t *record, uint32_t len, uint32_t *ret_body)
{
	uint32_t verf_len, at;

	if (len < 12 || rpc_get32(record + 4) != RPC_MSG_REPLY)
		return -EBADMSG;
	if (rpc_get32(record + 8) == RPC_REPLY_DENIED)
		return len >= 16 && rpc_get32(record + 12) == RPC_DENY_AUTH ? -EACCES : -EPROTO;
	if (rpc_get32(record + 8) != RPC_REPLY_ACCEPTED || len < RPC_REPLY_HEADER)
		return -EBADMSG;
	verf_len = rpc_get32(record + 16);
	if (verf_len > RPC_AUTH_MAX)
		return -EBADMSG;
	at = 20 + ((verf_len + 3) & ~3u);
	if (len - 4 < at)
		return -EBADMSG;
	*ret_body = at + 4;
	switch (rpc_get32(record + at)) {
	case RPC_ACCEPT_SUCCESS:
		return 0;
	case RPC_ACCEPT_PROG_UNAVAIL:
	case RPC_ACCEPT_PROG_MISMATCH:
	case RPC_ACCEPT_PROC_UNAVAIL:
		return -EOPNOTSUPP;
	default:
		return -EPROTO;
	}
}

uint32_t rpc_refusal_encode(uint8_t buf[RPC_REFUSAL_MAX], uint32_t xid, const struct rpc_refusal *r)
{
	uint8_t *p = rpc_put32(rpc_put32(buf, xid), RPC_MSG_REPLY);

	if (r->kind != RPC_REFUSE_ACCEPTED) {
		p = rpc_put32(p, RPC_REPLY_DENIED);
		if (r->kind == RPC_REFUSE_AUTH)
			p = rpc_put32(rpc_put32(p, RPC_DENY_AUTH), r->stat);
		else
			p = rpc_put32(rpc_put32(rpc_put32(p, RPC_DENY_VERSION), RPC_VERSION), RPC_VERSION);
		return (uint32_t)(p - buf);
	}
	p = rpc_put32(p, RPC_REPLY_ACCEPTED);
	p = rpc_put32(rpc_put32(p, RPC_FLAVOR_NONE), 0);
	p = rpc_put32(p, r->stat);
	if (r->stat == RPC_ACCEPT_PROG_MISMATCH)
		p = rpc_put32(rpc_put32(p, r->low), r->high);
	return (uint32_t)(p - buf);
}
