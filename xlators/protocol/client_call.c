/* xlators/protocol/client_call.c: one call to the brick: credential, arguments, reply, errno.
 *
 * The structures of the wire live on this stack; dictionaries, names and data live in the call's arena or in the reply's record. */
#include <string.h>

#include "runtime/log.h"
#include "xlators/protocol/client.h"

#define CRED_BUDGET 91		/* groups plus bytes of the lock owner; past it a brick refuses */

static void fill_cred(const struct pclient *pc, const struct call *call, struct rpc_cred *cred)
{
	uint32_t room;

	memset(cred, 0, sizeof(*cred));
	cred->flavor = RPC_FLAVOR_GLUSTER3;
	cred->pid = call->pid;
	cred->uid = call->uid;
	cred->gid = call->gid;
	cred->lk_owner = call->lk_owner;
	cred->lk_owner_len = call->lk_owner_len > CRED_BUDGET ? CRED_BUDGET : call->lk_owner_len;
	room = CRED_BUDGET - cred->lk_owner_len;
	cred->groups = call->groups;
	cred->ngroups = !pc->send_gids ? 0 : call->ngroups > room ? room : call->ngroups;
	cred->time_flags = call->time_flags;
	if (call->time_flags) {
		cred->ctime_sec = (uint64_t)call->time.sec;
		cred->ctime_nsec = call->time.nsec;
	}
}

int client_status(const struct gfwire_head *head)
{
	if (head->op_ret >= 0)
		return 0;
	return head->op_errno > 0 && head->op_errno < 4096 ? -head->op_errno : -EIO;
}

static int map_rpc_error(int ret, bool own_deadline)
{
	switch (ret) {
	case -ETIMEDOUT:
		return own_deadline ? -ENOTCONN : ret;	/* older than frame-timeout: as good as gone */
	case -EPROTO:
		return -EIO;
	default:
		return ret;
	}
}

int coroutine_fn client_rpc(struct pclient *pc, struct call *call, struct rpc_call *rc)
{
	struct rpc_cred cred;
	bool own_deadline = !co_deadline();
	uint64_t old = 0;
	int ret;

	if (pc->state != CLIENT_UP && !(pc->silent && rc->outlasts))
		return -ENOTCONN;
	fill_cred(pc, call, &cred);
	rc->cred = &cred;
	rc->arena = call->arena;
	if (own_deadline)
		old = co_set_deadline(loop_now_ns(xl_loop(pc->xl)) + pc->frame_timeout_ms * 1000000ull);
	ret = rpc_client_call(pc->rpc, rc);
	if (own_deadline)
		co_restore_deadline(old);
	return map_rpc_error(ret, own_deadline);
}

/* An object that is gone is ESTALE, whichever of the two words the brick chose; of a name, ENOENT is the truth. */
static int map_missing(enum fop op, int err)
{
	switch (op) {
	case FOP_lookup: case FOP_mknod: case FOP_mkdir: case FOP_unlink: case FOP_rmdir: case FOP_symlink: case FOP_rename:
	case FOP_link: case FOP_create:
		return err;
	default:
		return err == -ENOENT ? -ESTALE : err;
	}
}

static bool is_other(const struct iatt *stat, const uint8_t *gfid)
{
	static const uint8_t none[16];

	return gfid && iatt_present(stat) && memcmp(stat->gfid, none, 16) && memcmp(stat->gfid, gfid, 16);
}

/* How a reply contradicts its call, or NULL. */
static const char *find_lie(const struct gfwire *gw, enum fop fop, const void *args, const void *rsp, const void *res)
{
	const struct readv_res *read = res;
	const struct writev_res *written = res;

	if (fop == FOP_readv) {
		if (is_other(&read->stat, gw->gfid))
			return "READ was answered with the attributes of another object";
		if (read->data.len > ((const struct readv_args *)args)->size)
			return "READ was answered with more bytes than were asked for";
		if (read->data.len != ((const struct gf_read_rsp *)rsp)->size)
			return "READ was answered with other bytes than it counts";
	} else if (fop == FOP_writev) {
		if (is_other(&written->post, gw->gfid))
			return "WRITE was answered with the attributes of another object";
		if (written->written > ((const struct writev_args *)args)->data.len)
			return "WRITE was answered with a greater count than it had bytes";
	}
	return NULL;
}

/* Nothing that this connection says can be believed any more. */
static int distrust(struct pclient *pc, const char *lie)
{
	log_warning("a brick contradicts itself, dropping the connection", "volume=%s host=%s brick=%s reason=%s",
		    pc->xl->name, pc->remote_host, log_quote(pc->remote_subvolume), log_quote(lie));
	rpc_client_disconnect(pc->rpc, -EPROTO);
	return -EIO;
}

int coroutine_fn client_send(struct pclient *pc, struct call *call, struct client_op *op, const void *args, void *res)
{
	const struct gfwire_proc *p = &gfwire_procs[op->proc];
	struct { uint64_t words[GFWIRE_REQ_MAX / 8]; } req;
	struct { uint64_t words[GFWIRE_RSP_MAX / 8]; } rsp;
	struct gfwire gw = { .arena = call->arena, .fd = op->fd, .lk_owner = call->lk_owner, .lk_owner_len = call->lk_owner_len };
	struct rpc_call rc = {
		.prog = op->durable ? GATE_PROGRAM : GF_FOP_PROGRAM, .vers = op->durable ? GATE_VERSION : GF_FOP_VERSION,
		.proc = op->proc, .encode = p->xdr_req, .decode = p->xdr_rsp, .args = &req, .res = &rsp, .outlasts = op->outlasts,
	};
	const char *lie;
	int ret;

	if (pc->state != CLIENT_UP && !(pc->silent && op->outlasts))
		return -ENOTCONN;
	memset(&req, 0, p->req_size);
	memset(&rsp, 0, p->rsp_size);
	gfwire_objects_of(&gw, op->op, args);
	ret = p->put_args(&gw, args, &req);
	if (ret == 0 && call->release && pc->xl->releases_locks)
		ret = gfwire_put_release(&gw, p, call->release, &req);
	if (ret < 0)
		return ret;
	if (op->op == FOP_writev)
		rc.tail = ((const struct writev_args *)args)->data;
	if (op->op == FOP_readv)
		rc.ret_tail = &((struct readv_res *)res)->data;
	if (fop_changes_names(op->op))
		call_sent(call);
	ret = client_rpc(pc, call, &rc);
	if (ret < 0)
		return ret;
	ret = client_status((const struct gfwire_head *)&rsp);
	if (ret < 0) {
		if (p->get_error)
			p->get_error(&gw, args, &rsp, res);
		return map_missing(op->op, ret);
	}
	ret = p->get_res(&gw, args, &rsp, res);
	op->fd = gw.fd;
	lie = ret ? NULL : find_lie(&gw, op->op, args, &rsp, res);
	return lie ? distrust(pc, lie) : ret;
}
