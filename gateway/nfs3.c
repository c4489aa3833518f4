/* gateway/nfs3.c: the table of NFSv3's procedures, and how each of them begins. */
#include "gateway/nfs3.h"
#include "gateway/subtree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gateway/doubt.h"

/* Before a Linux client sends again over TCP (60 s): it gets JUKEBOX, not silence. */
#define CALL_DEADLINE_NS 45000000000ull
#define CALL_LIMIT_NS 48000000000ull	/* for what does not heed the deadline: it restores an invariant, or waits for a disk */
#define READY_NS 10000000000ull

/* What a reply may become, so that slow readers cannot make us hold more than the bound (rpc_limits.max_held). */
static uint32_t read_bytes(const void *args)
{
	const READ3args *a = args;

	return a->count < NFS_IO_MAX ? a->count : NFS_IO_MAX;
}

static uint32_t readdir_bytes(const void *args)
{
	const READDIR3args *a = args;

	return a->count < NFS_IO_MAX ? a->count : NFS_IO_MAX;
}

static uint32_t readdirplus_bytes(const void *args)
{
	const READDIRPLUS3args *a = args;

	return a->maxcount < NFS_IO_MAX ? a->maxcount : NFS_IO_MAX;
}

#define LONG_ROW(upper, lower, policy, bytes) \
	[NFSPROC3_##upper] = { #upper, nfs3_##lower, (xdrproc_t)xdr_##upper##3args, (xdrproc_t)xdr_##upper##3res, \
			       sizeof(upper##3args), sizeof(upper##3res), policy, bytes }
#define ROW(upper, lower, policy) LONG_ROW(upper, lower, policy, NULL)

static const struct rpc_proc procs[] = {
	ROW(GETATTR, getattr, RPC_IDEMPOTENT),
	ROW(SETATTR, setattr, RPC_REPLAY_CACHED),
	ROW(LOOKUP, lookup, RPC_IDEMPOTENT),
	ROW(ACCESS, access, RPC_IDEMPOTENT),
	ROW(READLINK, readlink, RPC_IDEMPOTENT),
	LONG_ROW(READ, read, RPC_IDEMPOTENT, read_bytes),
	ROW(WRITE, write, RPC_IDEMPOTENT),
	ROW(CREATE, create, RPC_REPLAY_CACHED),
	ROW(MKDIR, mkdir, RPC_REPLAY_CACHED),
	ROW(SYMLINK, symlink, RPC_REPLAY_CACHED),
	ROW(MKNOD, mknod, RPC_REPLAY_CACHED),
	ROW(REMOVE, remove, RPC_REPLAY_CACHED),
	ROW(RMDIR, rmdir, RPC_REPLAY_CACHED),
	ROW(RENAME, rename, RPC_REPLAY_CACHED),
	ROW(LINK, link, RPC_REPLAY_CACHED),
	LONG_ROW(READDIR, readdir, RPC_IDEMPOTENT, readdir_bytes),
	LONG_ROW(READDIRPLUS, readdirplus, RPC_IDEMPOTENT, readdirplus_bytes),
	ROW(FSSTAT, fsstat, RPC_IDEMPOTENT),
	ROW(FSINFO, fsinfo, RPC_IDEMPOTENT),
	ROW(PATHCONF, pathconf, RPC_IDEMPOTENT),
	ROW(COMMIT, commit, RPC_IDEMPOTENT),
};

const struct rpc_program nfs3_program = {
	.name = "NFS3", .prog = NFS3_PROGRAM, .vers = NFS3_VERSION, .procs = procs,
	.nprocs = sizeof(procs) / sizeof(procs[0]),
};

static void unref_inode(void *inode)
{
	inode_unref(inode);
}

struct inode *nfs_inode(struct nfs_op *op, const uint8_t *gfid, uint32_t type)
{
	struct inode *inode = inode_get(op->vg->graph->inodes, gfid);

	if (!inode)
		return NULL;
	if (!inode->type)
		inode->type = type;
	return arena_cleanup(op->rq->arena, unref_inode, inode) < 0 ? NULL : inode;
}

static struct inode *inode_of(struct nfs_op *op, const struct filehandle *fh)
{
	struct inode *inode = nfs_inode(op, fh->gfid, fh->type);

	if (inode && !inode->hint)
		inode->hint = fh->hint;
	return inode;
}

static void change_ended(void *slot)
{
	((struct volume_changes *)slot)->running--;
}

static struct volume_changes *changes_of(struct volume *vol, const struct inode *inode)
{
	return &vol->changes[inode->gfid[15] % VOLUME_CHANGES];
}

static nfsstat3 change_begin(struct nfs_op *op, unsigned which)
{
	struct nfs_change *change = &op->change[which];
	const struct inode *inode = which ? op->second : op->inode;
	struct volume_changes *slot = changes_of(op->volume, inode);

	if (which && slot == op->change[0].slot)	/* one directory twice, or as good as one */
		return NFS3_OK;
	slot->running++;
	*change = (struct nfs_change){ slot, ++slot->begun, slot->running == 1 };
	return arena_cleanup(op->rq->arena, change_ended, slot) < 0 ? NFS3ERR_JUKEBOX : NFS3_OK;
}

bool nfs_ran_alone(const struct nfs_op *op, const struct inode *inode)
{
	const struct volume_changes *slot = changes_of(op->volume, inode);
	unsigned i;

	for (i = 0; i < 2; i++)
		if (op->change[i].slot == slot)
			return op->change[i].alone && op->change[i].turn == slot->begun;
	return false;
}

/* The export of a handle, if it still is one of the volume whose handle it is. */
static struct export *export_of(const struct gateway_hold *hold, const struct filehandle *fh)
{
	struct export *ex = export_by_id(hold->set, fh->export_id);

	return ex && ex->volume_hash == hold->volume->name_hash ? ex : NULL;
}

/* The client comes again; what became of the call meanwhile is in doubt. Each result begins with its status, and what follows NFS3ERR_JUKEBOX
 * is attributes that are not there. */
static void answer_late(struct rpc_request *rq, void *res)
{
	struct gateway_hold *hold = gateway_hold_of(rq);

	if (res)
		*(nfsstat3 *)res = NFS3ERR_JUKEBOX;
	if (hold->sent && rq->proc->replay == RPC_REPLAY_CACHED)
		doubt_add(hold->volume->doubts, rq, hold->gfid);
}

nfsstat3 coroutine_fn nfs_begin(struct nfs_op *op, struct rpc_request *rq, const nfs_fh3 *fh, enum nfs_need need)
{
	struct gateway *gw = rpc_server_user(rq->server);
	const struct export_client *client;
	struct gateway_hold *hold;
	struct filehandle decoded;
	int ret;

	co_set_deadline(loop_now_ns(gw->loop) + CALL_DEADLINE_NS);
	rpc_request_answer_by(rq, loop_now_ns(gw->loop) + CALL_LIMIT_NS, answer_late);
	op->gw = gw;
	op->rq = rq;
	op->gone = false;
	memset(op->change, 0, sizeof(op->change));
	ret = volume_set_decode(&gw->volumes, fh, &op->volume, &decoded);
	if (ret < 0)
		return status_of(ret);
	op->volume->calls[rq->proc - procs]++;
	hold = gateway_hold(gw, rq, op->volume);
	if (!hold)
		return NFS3ERR_JUKEBOX;
	op->export = export_of(hold, &decoded);
	if (!op->export)
		return NFS3ERR_STALE;
	ret = gateway_admit(gw, rq, hold->set, op->export, &client);
	if (ret < 0)
		return status_of(ret);
	op->options = &client->options;
	if (need == NFS_MODIFIES && !op->options->rw)
		return NFS3ERR_ROFS;
	gateway_identity(&op->call, rq, op->options);
	op->call.sent = &hold->sent;
	op->sent = &hold->sent;
	ret = gateway_ready(hold, READY_NS);
	if (ret < 0)
		return status_of(ret);
	op->vg = hold->vg;
	op->top = op->vg->graph->top;
	op->inode = inode_of(op, &decoded);
	if (!op->inode)
		return NFS3ERR_JUKEBOX;
	if (op->options->subtree_check) {
		ret = subtree_check(op, op->inode);
		if (ret < 0)
			return status_of(ret);
	}
	return need == NFS_MODIFIES ? change_begin(op, 0) : NFS3_OK;
}

nfsstat3 coroutine_fn nfs_second(struct nfs_op *op, const nfs_fh3 *fh, struct inode **ret_inode)
{
	struct filehandle decoded;
	struct volume *vol;
	int ret = volume_set_decode(&op->gw->volumes, fh, &vol, &decoded);

	if (ret < 0)
		return status_of(ret);
	if (vol != op->volume)
		return NFS3ERR_XDEV;
	if (decoded.export_id != op->export->id)
		return NFS3ERR_XDEV;
	*ret_inode = op->second = inode_of(op, &decoded);
	if (*ret_inode && op->options->subtree_check) {
		ret = subtree_check(op, *ret_inode);
		if (ret < 0)
			return status_of(ret);
	}
	return *ret_inode ? change_begin(op, 1) : NFS3ERR_JUKEBOX;
}

/* RFC 1813 says for some procedures what "." and ".." get; where it does not, what servers have always answered. */
nfsstat3 nfs_name(const filename3 *name, enum nfs_name_use use)
{
	bool dot = name->len == 1 && name->text[0] == '.';
	bool dotdot = name->len == 2 && name->text[0] == '.' && name->text[1] == '.';

	if (!name->len)
		return NFS3ERR_ACCES;
	if (strlen(name->text) < name->len || memchr(name->text, '/', name->len))
		return NFS3ERR_INVAL;
	if (name->len > NFS_NAME_MAX)
		return NFS3ERR_NAMETOOLONG;
	if (!dot && !dotdot)
		return NFS3_OK;
	switch (use) {
	case NAME_LOOKUP:
		return NFS3_OK;
	case NAME_MAKE:
		return NFS3ERR_EXIST;
	case NAME_REMOVE:
		return NFS3ERR_ACCES;
	case NAME_RMDIR:
		return dot ? NFS3ERR_INVAL : NFS3ERR_EXIST;
	default:
		return NFS3ERR_INVAL;
	}
}

int coroutine_fn nfs_stat(struct nfs_op *op, struct inode *inode, struct iatt *ret_stat)
{
	struct stat_res *res = arena_alloc(op->rq->arena, sizeof(*res));
	struct stat_args args = { .inode = inode };
	int ret;

	if (!res)
		return -ENOMEM;
	ret = xl_stat(op->top, &op->call, &args, res);
	if (ret == 0)
		*ret_stat = res->stat;
	return ret;
}

int coroutine_fn nfs_may_read(struct nfs_op *op, struct inode *inode, const struct iatt *stat)
{
	struct access_args args = { .inode = inode, .mask = 4 | 1 };
	struct access_res res = { 0 };
	struct iatt own;
	int ret;

	if (op->call.uid == 0 || (stat && iatt_present(stat) && stat->uid == op->call.uid))
		return 0;
	ret = xl_access(op->top, &op->call, &args, &res);
	if (ret == 0 && res.granted)
		return 0;
	if ((ret < 0 && ret != -EACCES) || (stat && iatt_present(stat)))
		return ret < 0 ? ret : -EACCES;
	ret = nfs_stat(op, inode, &own);
	return ret < 0 ? ret : own.uid == op->call.uid ? 0 : -EACCES;
}

int coroutine_fn nfs_may_write(struct nfs_op *op, struct inode *inode)
{
	struct access_args args = { .inode = inode, .mask = 2 };
	struct access_res res = { 0 };
	struct iatt own;
	int ret;

	if (op->call.uid == 0)
		return 0;
	ret = xl_access(op->top, &op->call, &args, &res);
	if (ret == 0 && res.granted)
		return 0;
	if (ret < 0 && ret != -EACCES)
		return ret;
	ret = nfs_stat(op, inode, &own);
	return ret < 0 ? ret : own.uid == op->call.uid ? 0 : -EACCES;
}

nfsstat3 nfs_settled(const struct nfs_op *op, nfsstat3 status)
{
	return op->gone && status != NFS3_OK && status != NFS3ERR_JUKEBOX ? NFS3ERR_STALE : status;
}

int nfs_done(struct rpc_request *rq, nfsstat3 status)
{
	const struct gateway_hold *hold = gateway_hold_of(rq);
	struct gateway *gw;

	if (hold->volume) {
		hold->volume->failed += status != NFS3_OK;
	} else {
		gw = rpc_server_user(rq->server);
		gw->strangers++;
	}
	return RPC_OK;
}
