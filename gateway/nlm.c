/* gateway/nlm.c: the network lock manager, which has no locks yet: every call for one is answered with "no locks" at once.
 *
 * A client that mounts without "nolock" asks rpcbind for this program at its first lock, and again every few seconds for as long as
 * nobody is there; the process that wants the lock cannot even be killed. Told that there are no locks, it gets ENOLCK. The _MSG
 * procedures want their answer as a call of ours, to a client that may be anybody; they have no reply, so they are only taken. */
#include "gateway/gateway.h"
#include "rpcgen/nlm4.h"

static int answer(nlm_netobj cookie, void *res)
{
	nlm_res *r = res;

	r->cookie = cookie;
	r->stat = NLM_DENIED_NOLOCKS;
	return RPC_OK;
}

/* The cookie is the first member of all arguments. */
static int coroutine_fn nlm_lock_call(struct rpc_request *rq, const void *args, void *res)
{
	(void)rq;
	return answer(*(const nlm_netobj *)args, res);
}

static int coroutine_fn nlm_share(struct rpc_request *rq, const void *args, void *res)
{
	const nlm_shareargs *a = args;
	nlm_shareres *r = res;

	(void)rq;
	r->cookie = a->cookie;
	r->stat = NLM_DENIED_NOLOCKS;
	return RPC_OK;
}

/* Messages, answers to calls that were never made, and the news that a client has restarted: nothing follows from them. */
static int coroutine_fn nlm_ignore(struct rpc_request *rq, const void *args, void *res)
{
	(void)rq;
	(void)args;
	(void)res;
	return RPC_OK;
}

#define CALL(proc, type) \
	[NLMPROC_##proc] = { #proc, nlm_lock_call, (xdrproc_t)xdr_##type, (xdrproc_t)xdr_nlm_res, sizeof(type), sizeof(nlm_res), \
			     RPC_IDEMPOTENT }
#define SHARE(proc) \
	[NLMPROC_##proc] = { #proc, nlm_share, (xdrproc_t)xdr_nlm_shareargs, (xdrproc_t)xdr_nlm_shareres, sizeof(nlm_shareargs), \
			     sizeof(nlm_shareres), RPC_IDEMPOTENT }
#define IGNORE(proc) [NLMPROC_##proc] = { #proc, nlm_ignore, NULL, NULL, 0, 0, RPC_IDEMPOTENT }

/* @nlm: nlm or nlm4, by the width of offsets. */
#define CALLS(nlm) \
	CALL(TEST, nlm##_testargs), CALL(LOCK, nlm##_lockargs), CALL(CANCEL, nlm##_cancargs), CALL(UNLOCK, nlm##_unlockargs), \
	CALL(GRANTED, nlm##_testargs), \
	IGNORE(TEST_MSG), IGNORE(LOCK_MSG), IGNORE(CANCEL_MSG), IGNORE(UNLOCK_MSG), IGNORE(GRANTED_MSG), \
	IGNORE(TEST_RES), IGNORE(LOCK_RES), IGNORE(CANCEL_RES), IGNORE(UNLOCK_RES), IGNORE(GRANTED_RES)
#define SHARES(nlm) SHARE(SHARE), SHARE(UNSHARE), CALL(NM_LOCK, nlm##_lockargs), IGNORE(FREE_ALL)

static const struct rpc_proc v1_procs[] = { CALLS(nlm) };
static const struct rpc_proc v3_procs[] = { CALLS(nlm), SHARES(nlm) };
static const struct rpc_proc v4_procs[] = { CALLS(nlm4), SHARES(nlm4) };

#define NPROCS(procs) (sizeof(procs) / sizeof((procs)[0]))
const struct rpc_program nlm1_program = { "NLM1", NLM_PROGRAM, NLM_V1, NPROCS(v1_procs), v1_procs, NULL };
const struct rpc_program nlm3_program = { "NLM3", NLM_PROGRAM, NLM_V3, NPROCS(v3_procs), v3_procs, NULL };
const struct rpc_program nlm4_program = { "NLM4", NLM_PROGRAM, NLM_V4, NPROCS(v4_procs), v4_procs, NULL };
