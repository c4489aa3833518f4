/* rpc/auth.c: credentials: AUTH_NONE, AUTH_SYS (RFC 5531 appendix A) and GlusterFS's two flavours
 * (facts/brick-wire.md section 3).
 *
 * The latter have a budget: groups plus bytes of the lock owner, so that all fits into the 400 bytes of a
 * credential. */
#include <errno.h>

#include "rpc/message.h"
#include "rpcgen/wire_inline.h"

#define SYS_MACHINE_MAX 255u
#define SYS_GROUPS_MAX 16u
#define GLUSTER2_BUDGET 95u
#define GLUSTER3_BUDGET 91u

static const char machine_name[] = "gatehouse";

static int read_groups(XDR *x, struct arena *arena, uint32_t max, struct rpc_cred *cred)
{
	uint32_t *groups, i;

	if (!wire_get32(x, &cred->ngroups) || cred->ngroups > max || cred->ngroups > x->x_handy / 4)
		return -EACCES;
	if (!cred->ngroups)
		return 0;
	groups = arena_alloc(arena, cred->ngroups * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	for (i = 0; i < cred->ngroups; i++)
		wire_get32(x, &groups[i]);
	cred->groups = groups;
	return 0;
}

static int decode_sys(XDR *x, struct arena *arena, struct rpc_cred *cred)
{
	uint32_t stamp, len;

	if (!wire_get32(x, &stamp) || !wire_get32(x, &len) || len > SYS_MACHINE_MAX || !wire_take(x, (len + 3) & ~3u))
		return -EACCES;
	if (!wire_get32(x, &cred->uid) || !wire_get32(x, &cred->gid))
		return -EACCES;
	return read_groups(x, arena, SYS_GROUPS_MAX, cred);
}

static int decode_gluster(XDR *x, struct arena *arena, struct rpc_cred *cred, uint32_t budget)
{
	bool v3 = cred->flavor == RPC_FLAVOR_GLUSTER3;
	uint32_t pid;
	int ret;

	if (!wire_get32(x, &pid) || !wire_get32(x, &cred->uid) || !wire_get32(x, &cred->gid))
		return -EACCES;
	cred->pid = (int32_t)pid;
	if (v3 &&
	    (!wire_get32(x, &cred->time_flags) || !wire_get32(x, &cred->ctime_nsec) || !wire_u64(x, &cred->ctime_sec)))
		return -EACCES;
	ret = read_groups(x, arena, budget, cred);
	if (ret < 0)
		return ret;
	if (!wire_get32(x, &cred->lk_owner_len) || cred->lk_owner_len > budget - cred->ngroups)
		return -EACCES;
	cred->lk_owner = wire_take(x, (cred->lk_owner_len + 3) & ~3u);
	return cred->lk_owner ? 0 : -EACCES;
}

int rpc_auth_decode(const struct rpc_call_header *h, struct arena *arena, struct rpc_cred *cred)
{
	XDR x = { .x_op = XDR_DECODE, .x_private = (void *)h->cred, .x_handy = (h->cred_len + 3) & ~3u };

	cred->flavor = h->cred_flavor;
	switch (h->cred_flavor) {
	case RPC_FLAVOR_NONE:
		return 0;
	case RPC_FLAVOR_SYS:
		return decode_sys(&x, arena, cred);
	case RPC_FLAVOR_GLUSTER2:
		return decode_gluster(&x, arena, cred, GLUSTER2_BUDGET);
	case RPC_FLAVOR_GLUSTER3:
		return decode_gluster(&x, arena, cred, GLUSTER3_BUDGET);
	default:
		return -EACCES;
	}
}

static bool_t put_groups(XDR *x, const struct rpc_cred *cred, uint32_t max)
{
	uint32_t n = cred->ngroups < max ? cred->ngroups : max, i;

	if (!wire_put32(x, n))
		return FALSE;
	for (i = 0; i < n; i++)
		if (!wire_put32(x, cred->groups[i]))
			return FALSE;
	return TRUE;
}

static bool_t put_bytes(XDR *x, const void *data, uint32_t len)
{
	uint32_t padded = (len + 3) & ~3u;
	uint8_t *p;

	if (!wire_put32(x, len))
		return FALSE;
	p = wire_take(x, padded);
	if (!p)
		return FALSE;
	if (len) {
		memset(p + padded - 4, 0, 4);
		memcpy(p, data, len);
	}
	return TRUE;
}

static bool_t encode_gluster(XDR *x, const struct rpc_cred *cred, uint32_t budget)
{
	uint64_t sec = cred->ctime_sec;

	if (cred->lk_owner_len > budget)
		return FALSE;
	if (!wire_put32(x, (uint32_t)cred->pid) || !wire_put32(x, cred->uid) || !wire_put32(x, cred->gid))
		return FALSE;
	if (cred->flavor == RPC_FLAVOR_GLUSTER3 &&
	    (!wire_put32(x, cred->time_flags) || !wire_put32(x, cred->ctime_nsec) || !wire_u64(x, &sec)))
		return FALSE;
	return put_groups(x, cred, budget - cred->lk_owner_len) && put_bytes(x, cred->lk_owner, cred->lk_owner_len);
}

static bool_t encode_sys(XDR *x, const struct rpc_cred *cred)
{
	return wire_put32(x, 0) && put_bytes(x, machine_name, sizeof(machine_name) - 1) && wire_put32(x, cred->uid) &&
	       wire_put32(x, cred->gid) && put_groups(x, cred, SYS_GROUPS_MAX);
}

static bool_t encode_body(XDR *x, const struct rpc_cred *cred)
{
	switch (cred->flavor) {
	case RPC_FLAVOR_NONE:
		return TRUE;
	case RPC_FLAVOR_SYS:
		return encode_sys(x, cred);
	case RPC_FLAVOR_GLUSTER2:
		return encode_gluster(x, cred, GLUSTER2_BUDGET);
	case RPC_FLAVOR_GLUSTER3:
		return encode_gluster(x, cred, GLUSTER3_BUDGET);
	default:
		return FALSE;
	}
}

bool_t rpc_auth_encode(XDR *x, const struct rpc_cred *cred)
{
	static const struct rpc_cred none = { .flavor = RPC_FLAVOR_NONE };
	uint8_t *len_at;

	if (!cred)
		cred = &none;
	if (!wire_put32(x, cred->flavor))
		return FALSE;
	len_at = wire_take(x, 4);
	if (!len_at || !encode_body(x, cred))
		return FALSE;
	rpc_put32(len_at, (uint32_t)((uint8_t *)x->x_private - len_at - 4));
	return TRUE;
}
