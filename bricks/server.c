/* bricks/server.c: the FOP program: a call's arguments to a fop on the graph, its result to a reply.
 *
 * One function serves every row of gfwire's table; the few procedures without a fop have their own below. File system errors travel in
 * the reply; an RPC error would look like a broken connection to clients. */
#include <string.h>

#include "bricks/internal.h"
#include "xlators/graph.h"
#include "xlators/brick_state.h"

struct serving {
	struct rpc_request *rq;
	struct brick_conn *conn;
	const struct gfwire_proc *proc;
	struct gfwire gw;
	struct call call;
	struct inode *inode, *inode2;	/* references */
	struct fd *fd;			/* a reference */
	union fop_args args;
	union fop_res res;
};

static void fill_call(struct serving *s)
{
	const struct rpc_cred *cred = &s->rq->cred;
	struct call *call = &s->call;

	call_init(call, s->rq->arena);
	call->uid = cred->uid;
	call->gid = cred->gid;
	call->groups = cred->groups;
	call->ngroups = cred->ngroups;
	call->pid = cred->pid;
	call->lk_owner = cred->lk_owner;
	call->lk_owner_len = cred->lk_owner_len;
	call->time_flags = cred->time_flags;
	call->time = (struct iatt_time){ (int64_t)cred->ctime_sec, cred->ctime_nsec };
	call->client = &s->conn->client->base;
	call->durable = s->rq->program == &brick_gate_program;
}

static void put_pointer(union fop_args *args, uint8_t place, void *pointer)
{
	memcpy((char *)args + place, &pointer, sizeof(pointer));
}

static int find_inode(struct serving *s, const uint8_t *gfid, uint8_t place, struct inode **ret_inode)
{
	if (!gfid || place == GFWIRE_NONE)
		return 0;
	if (gfid_is_null(gfid))
		return -EINVAL;
	*ret_inode = inode_get(s->conn->bs->graph->inodes, gfid);
	if (!*ret_inode)
		return -ENOMEM;
	put_pointer(&s->args, place, *ret_inode);
	return 0;
}

/* The gfid comes along with an fd; the fd's own inode counts. */
static int find_fd(struct serving *s, const struct gfwire_places *at)
{
	struct fd *fd = fdtable_get(&s->conn->client->fds, s->gw.fd);

	if (!fd)
		return -EBADF;
	s->fd = fd_ref(fd);
	s->inode = inode_ref(fd->inode);
	put_pointer(&s->args, at->fd, fd);
	put_pointer(&s->args, at->inode, fd->inode);
	return 0;
}

static int find_objects(struct serving *s)
{
	const struct gfwire_places *at = &gfwire_places[s->proc->op];
	int ret;

	if (s->proc->by_fd && s->gw.fd != GF_FD_ANONYMOUS)
		return find_fd(s, at);
	ret = find_inode(s, s->gw.gfid, at->inode, &s->inode);
	return ret ? ret : find_inode(s, s->gw.gfid2, at->inode2, &s->inode2);
}

/* A name is one component: nothing below may take it for a path. */
static int check_name(const char *name)
{
	return name && strchr(name, '/') ? -EPERM : 0;
}

static int check_names(const struct serving *s)
{
	const union fop_args *a = &s->args;

	switch (s->proc->op) {
	case FOP_lookup: return check_name(a->lookup.name);
	case FOP_mknod: return check_name(a->mknod.name);
	case FOP_mkdir: return check_name(a->mkdir.name);
	case FOP_unlink: return check_name(a->unlink.name);
	case FOP_rmdir: return check_name(a->rmdir.name);
	case FOP_symlink: return check_name(a->symlink.name);
	case FOP_create: return check_name(a->create.name);
	case FOP_link: return check_name(a->link.newname);
	case FOP_rename: return check_name(a->rename.oldname) ? : check_name(a->rename.newname);
	default: return 0;
	}
}

static int check_owner(const struct serving *s)
{
	uint32_t i;

	if (!s->conn->client->owner_required || (s->proc->op != FOP_inodelk && s->proc->op != FOP_entrylk))
		return 0;
	for (i = 0; i < s->call.lk_owner_len; i++)
		if (s->call.lk_owner[i])
			return 0;
	return -EINVAL;
}

/* What was opened gets its number, and belongs to the client from then on. */
static int keep_fd(struct serving *s)
{
	struct fd *fd = s->proc->op == FOP_open ? s->res.open.fd : s->proc->op == FOP_opendir ? s->res.opendir.fd : s->res.create.fd;
	int ret;

	if (!fd)
		return -EIO;
	ret = fdtable_add(&s->conn->client->fds, fd, &s->gw.fd);
	if (ret < 0)
		fd_unref(fd);
	return ret;
}

/* A waiting call costs a coroutine until it is granted. No client may have more of them waiting than are left for the others, so that however
 * many clients there are, one more finds room. */
#define WAITING_MAX 4096u	/* of one client */
#define WAITING_TOTAL 12288u	/* of all: three quarters of the brick's coroutines */

/* A call that may wait for a lock must not keep the unlock behind it from being read. */
static bool may_wait(const struct serving *s)
{
	switch (s->proc->op) {
	case FOP_inodelk: return s->args.inodelk.cmd == LOCK_WAIT;
	case FOP_entrylk: return s->args.entrylk.cmd == LOCK_WAIT;
	case FOP_lk: return s->args.lk.cmd == LOCK_WAIT;
	default: return false;
	}
}

static int coroutine_fn ask_graph(struct serving *s)
{
	struct brick_client *client = s->conn->client;
	struct brick_server *bs = s->conn->bs;
	struct xlator *top = bs->graph->top;
	int ret;

	if (!may_wait(s))
		return xl_call(top, &s->call, s->proc->op, &s->args, &s->res);
	if (client->waiting >= WAITING_MAX || client->waiting >= WAITING_TOTAL - bs->waiting)
		return -ENOLCK;
	client->waiting++;
	bs->waiting++;
	rpc_request_set_waiting(s->rq, true);
	ret = xl_call(top, &s->call, s->proc->op, &s->args, &s->res);
	rpc_request_set_waiting(s->rq, false);
	client->waiting--;
	bs->waiting--;
	return ret;
}

static int coroutine_fn run(struct serving *s, const void *req)
{
	enum fop op = s->proc->op;
	int ret = s->proc->get_args(&s->gw, req, &s->args);

	if (!ret)
		ret = find_objects(s);
	if (!ret)
		ret = check_names(s);
	if (!ret)
		ret = check_owner(s);
	if (ret < 0)
		return ret;
	s->call.release = gfwire_get_release(&s->gw, s->proc, req);
	if (op == FOP_writev)
		s->args.writev.data = s->rq->tail;
	if (op == FOP_readv)
		s->args.readv.lend = rpc_request_splices(s->rq);
	ret = ask_graph(s);
	if (!ret && (op == FOP_open || op == FOP_opendir || op == FOP_create))
		ret = keep_fd(s);
	if (!ret && op == FOP_readv)
		s->rq->reply_tail = s->res.readv.data;
	return ret;
}

static void put_error(struct serving *s, int err, void *rsp)
{
	memset(rsp, 0, s->proc->rsp_size);
	*(struct gfwire_head *)rsp = (struct gfwire_head){ -1, -err };
	s->rq->reply_tail.len = 0;
	if (s->proc->put_error)
		s->proc->put_error(&s->gw, &s->args, &s->res, rsp);
}

static int coroutine_fn serve(struct rpc_request *rq, const void *req, void *rsp)
{
	/* Arguments and result are too large for a frame of this stack with sanitizers; the arena is warm anyway. */
	struct serving *s = arena_alloc(rq->arena, sizeof(*s));
	int ret;

	if (!s)
		return RPC_SYSTEM_ERROR;
	s->rq = rq;
	s->conn = brick_conn_of(rq);
	s->proc = &gfwire_procs[rq->proc - rq->program->procs];
	s->gw.arena = rq->arena;
	s->gw.fd = GF_FD_ANONYMOUS;
	fill_call(s);
	ret = run(s, req);
	if (!ret)
		ret = s->proc->put_res(&s->gw, &s->args, &s->res, rsp);
	if (ret < 0 && ret != -ECANCELED)
		put_error(s, ret, rsp);
	fd_unref(s->fd);
	inode_unref(s->inode);
	inode_unref(s->inode2);
	return ret == -ECANCELED ? RPC_DROP : RPC_OK;
}

/* --- procedures without a fop --- */

static int coroutine_fn run_release(struct rpc_request *rq, const void *args, void *res)
{
	struct brick_conn *conn = brick_conn_of(rq);
	int64_t number = ((const struct gf_release_req *)args)->fd;
	struct fd *fd = fdtable_get(&conn->client->fds, number);

	if (fd)
		graph_fd_released(conn->bs->graph, &conn->client->base, fd);
	fdtable_remove(&conn->client->fds, number);
	return RPC_OK;
}

static int coroutine_fn run_unsupported(struct rpc_request *rq, const void *args, void *res)
{
	*(struct gfwire_head *)res = (struct gfwire_head){ -1, EOPNOTSUPP };
	return RPC_OK;
}

static int coroutine_fn run_no_leases(struct rpc_request *rq, const void *args, void *res)
{
	*(struct gfwire_head *)res = (struct gfwire_head){ -1, ENOSYS };
	return RPC_OK;
}

static int coroutine_fn run_garbage(struct rpc_request *rq, const void *args, void *res)
{
	return RPC_GARBAGE;
}

/* --- the extension --- */

static int coroutine_fn run_access(struct rpc_request *rq, const void *args, void *res)
{
	const struct gf_access_req *req = args;
	struct gate_access_rsp *rsp = res;
	struct brick_conn *conn = brick_conn_of(rq);
	struct serving s = { .rq = rq, .conn = conn, .proc = &gfwire_procs[GF_FOP_ACCESS] };
	int ret;

	fill_call(&s);
	ret = find_inode(&s, req->gfid, gfwire_places[FOP_access].inode, &s.inode);
	s.args.access.mask = req->mask & 7;
	if (!ret)
		ret = xl_access(conn->bs->graph->top, &s.call, &s.args.access, &s.res.access);
	inode_unref(s.inode);
	if (ret == -ECANCELED)
		return RPC_DROP;
	*rsp = ret < 0 ? (struct gate_access_rsp){ -1, -ret, 0 } : (struct gate_access_rsp){ 0, 0, s.res.access.granted };
	return RPC_OK;
}

static int coroutine_fn run_invalidated(struct rpc_request *rq, const void *args, void *res)
{
	struct brick_conn *conn = brick_conn_of(rq);

	graph_client_acknowledged(conn->bs->graph, &conn->client->base, ((const struct gate_invalidated_req *)args)->sequence);
	return RPC_OK;
}

static int coroutine_fn run_health(struct rpc_request *rq, const void *args, void *res)
{
	const struct brick_server *bs = brick_conn_of(rq)->bs;
	struct gate_health_rsp *rsp = res;
	struct brick_state s;

	*rsp = (struct gate_health_rsp){ 0, 0, bs->up, UINT32_MAX };
	if (brick_state(bs->graph, &s) && s.answered_ms < UINT32_MAX)
		rsp->disk_ms = (uint32_t)s.answered_ms;
	return RPC_OK;
}

/* A stranger's call is answered as stock bricks do. */
static int admit(struct rpc_request *rq)
{
	return rq->conn && brick_conn_of(rq)->client ? RPC_OK : RPC_GARBAGE;
}

#define CODER(name) ((xdrproc_t)(void (*)(void))xdr_##name)
#define PROC(name, run, req, rsp) \
	(struct rpc_proc){ name, run, CODER(req), CODER(rsp), sizeof(struct req), sizeof(struct rsp), RPC_IDEMPOTENT }
#define PROC0(name, run, rsp) (struct rpc_proc){ name, run, NULL, CODER(rsp), 0, sizeof(struct rsp), RPC_IDEMPOTENT }

static struct rpc_proc procs[GATE_PROC_COUNT];
struct rpc_program brick_fop_program = {
	.name = "fop", .prog = GF_FOP_PROGRAM, .vers = GF_FOP_VERSION, .nprocs = GFWIRE_PROCS, .procs = procs, .admit = admit,
};
struct rpc_program brick_gate_program = {
	.name = "gatehouse", .prog = GATE_PROGRAM, .vers = GATE_VERSION, .nprocs = GATE_PROC_COUNT, .procs = procs, .admit = admit,
};

/* So that the memory that many large reads would take is counted before they are made. */
static uint32_t read_bytes(const void *args)
{
	return ((const struct gf_read_req *)args)->size;
}

void brick_programs_init(void)
{
	static const uint32_t garbage[] = { GF_FOP_COMPOUND, GF_FOP_ICREATE, GF_FOP_NAMELINK };
	const struct gfwire_proc *p;
	uint32_t i;

	for (i = 0; i < GFWIRE_PROCS; i++) {
		p = &gfwire_procs[i];
		if (p->name)
			procs[i] = (struct rpc_proc){ p->name, serve, p->xdr_req, p->xdr_rsp, p->req_size, p->rsp_size, RPC_IDEMPOTENT };
	}
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		procs[garbage[i]] = (struct rpc_proc){ .name = "GARBAGE", .run = run_garbage };
	procs[GF_FOP_READ].reply_bytes = read_bytes;
	procs[GF_FOP_NULL] = (struct rpc_proc){ .name = "NULL" };
	procs[GF_FOP_RELEASE] = PROC("RELEASE", run_release, gf_release_req, gf_common_rsp);
	procs[GF_FOP_RELEASEDIR] = PROC("RELEASEDIR", run_release, gf_release_req, gf_common_rsp);
	procs[GF_FOP_IPC] = PROC("IPC", run_unsupported, gf_ipc_req, gf_common_rsp);
	procs[GF_FOP_LEASE] = PROC("LEASE", run_no_leases, gf_lease_req, gf_lease_rsp);
	procs[GF_FOP_GETACTIVELK] = PROC("GETACTIVELK", run_unsupported, gf_getactivelk_req, gf_getactivelk_rsp);
	procs[GF_FOP_SETACTIVELK] = PROC("SETACTIVELK", run_unsupported, gf_setactivelk_req, gf_common_rsp);
	procs[GF_FOP_COPY_FILE_RANGE] = PROC("COPY_FILE_RANGE", run_unsupported, gf_copy_file_range_req, gf_copy_file_range_rsp);
	procs[GATE_PROC_ACCESS] = PROC("GATE_ACCESS", run_access, gf_access_req, gate_access_rsp);
	procs[GATE_PROC_INVALIDATED] = PROC("GATE_INVALIDATED", run_invalidated, gate_invalidated_req, gate_status_rsp);
	procs[GATE_PROC_HEALTH] = PROC0("GATE_HEALTH", run_health, gate_health_rsp);
}
