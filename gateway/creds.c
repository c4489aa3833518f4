/* gateway/creds.c: who the caller is to the bricks: the credential of the call after the export's squashing. */
#include "gateway/gateway.h"

static bool has_root_group(const struct rpc_cred *cred)
{
	uint32_t i;

	for (i = 0; i < cred->ngroups; i++)
		if (cred->groups[i] == 0)
			return true;
	return false;
}

/* Group 0 among the supplementary groups gives root's rights to files, too. Without memory for the changed list there
 * are no groups. */
static void squash_groups(struct call *call, const struct rpc_cred *cred, uint32_t anongid)
{
	uint32_t *groups = arena_memdup(call->arena, cred->groups, cred->ngroups * sizeof(*groups)), i;

	call->ngroups = groups ? cred->ngroups : 0;
	call->groups = groups;
	for (i = 0; i < call->ngroups; i++)
		if (groups[i] == 0)
			groups[i] = anongid;
}

void gateway_identity(struct call *call, struct rpc_request *rq, const struct export_options *options)
{
	const struct rpc_cred *cred = &rq->cred;

	call_init(call, rq->arena);
	call->durable = options->sync;
	if (options->all_squash || cred->flavor != RPC_FLAVOR_SYS) {
		call->uid = options->anonuid;
		call->gid = options->anongid;
		return;
	}
	call->uid = cred->uid;
	call->gid = cred->gid;
	call->ngroups = cred->ngroups;
	call->groups = cred->groups;
	if (!options->root_squash)
		return;
	if (call->uid == 0)
		call->uid = options->anonuid;
	if (call->gid == 0)
		call->gid = options->anongid;
	if (has_root_group(cred))
		squash_groups(call, cred, options->anongid);
}
