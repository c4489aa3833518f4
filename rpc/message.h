/* rpc/message.h: the headers of calls and replies (RFC 5531 section 9) and the credentials in them. */
#ifndef RPC_MESSAGE_H
#define RPC_MESSAGE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "rpc/rpc.h"

#define RPC_CALL_HEADER_MIN 40u
#define RPC_REPLY_HEADER 24u		/* of an accepted reply with an empty verifier */
#define RPC_AUTH_MAX 400u

enum { RPC_MSG_CALL = 0, RPC_MSG_REPLY = 1 };
enum { RPC_REPLY_ACCEPTED = 0, RPC_REPLY_DENIED = 1 };
enum { RPC_DENY_VERSION = 0, RPC_DENY_AUTH = 1 };
enum rpc_accept {
	RPC_ACCEPT_SUCCESS = 0, RPC_ACCEPT_PROG_UNAVAIL = 1, RPC_ACCEPT_PROG_MISMATCH = 2, RPC_ACCEPT_PROC_UNAVAIL = 3,
	RPC_ACCEPT_GARBAGE = 4, RPC_ACCEPT_SYSTEM = 5,
};
enum { RPC_AUTH_STAT_BADCRED = 1, RPC_AUTH_STAT_BADVERF = 3, RPC_AUTH_STAT_TOOWEAK = 5 };

static inline uint32_t rpc_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint8_t *rpc_put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

struct rpc_call_header {
	uint32_t xid, rpcvers, prog, vers, proc;
	uint32_t cred_flavor, cred_len;
	const uint8_t *cred;
	uint32_t body;			/* where the arguments begin */
};

/* 0; -EBADMSG when this is no call at all or is cut short. The xid is known with -EPROTONOSUPPORT (a version of RPC
 * that is not 2), -EACCES (the credential is longer than 400 bytes) and -EKEYREJECTED (the verifier is). */
int rpc_call_parse(const uint8_t *record, uint32_t len, struct rpc_call_header *ret_header);
bool_t rpc_call_encode(XDR *xdrs, uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc,
		       const struct rpc_cred *cred);

/* 0 and where the result begins; -EPROTO, -EOPNOTSUPP, -EACCES as rpc_client_call() says; -EBADMSG when it is
 * malformed. */
int rpc_reply_parse(const uint8_t *record, uint32_t len, uint32_t *ret_body);

enum rpc_refusal_kind { RPC_REFUSE_VERSION, RPC_REFUSE_AUTH, RPC_REFUSE_ACCEPTED };
struct rpc_refusal {
	enum rpc_refusal_kind kind;
	uint32_t stat;			/* auth_stat or accept_stat */
	uint32_t low, high;		/* PROG_MISMATCH */
};
#define RPC_REFUSAL_MAX 32u
uint32_t rpc_refusal_encode(uint8_t buf[RPC_REFUSAL_MAX], uint32_t xid, const struct rpc_refusal *r);	/* its length */

/* auth.c: 0, or -EACCES when the credential is malformed, over its budget or of a flavour nobody knows; -ENOMEM. */
int rpc_auth_decode(const struct rpc_call_header *h, struct arena *arena, struct rpc_cred *ret_cred);
/* flavour, length and body; groups past the budget are left out */
bool_t rpc_auth_encode(XDR *xdrs, const struct rpc_cred *cred);

#endif
