/* rpc/dispatch.c: one record in, one reply out: header, program, credential, arguments, the procedure in its
 * coroutine, the result.
 *
 * All that needs no waiting happens on the loop's own stack; refusals and the NULL procedure never see a coroutine.
 * The call lies in its arena and its arguments point into the record, which lives as long as the arena. */
#include <errno.h>
#include <string.h>

#include "rpc/server.h"
#include "rpcgen/wire_inline.h"
#include "runtime/hash.h"

#define ARENA_LIMIT (16u << 20)
#define REPLY_KEPT 4096u		/* replies of replay-cached procedures are small */

static const uint32_t verdict_stat[] = {
	[RPC_GARBAGE] = RPC_ACCEPT_GARBAGE, [RPC_PROC_UNAVAILABLE] = RPC_ACCEPT_PROC_UNAVAIL,
	[RPC_SYSTEM_ERROR] = RPC_ACCEPT_SYSTEM, [RPC_AUTH_BADCRED] = RPC_AUTH_STAT_BADCRED,
	[RPC_AUTH_TOOWEAK] = RPC_AUTH_STAT_TOOWEAK,
};

/* --- replies --- */

struct bytes { const uint8_t *data; uint32_t len; };

static bool_t encode_bytes(XDR *xdrs, void *arg)
{
	struct bytes *b = arg;
	uint8_t *p = wire_take(xdrs, b->len);

	if (p)
		memcpy(p, b->data, b->len);
	return p ? TRUE : FALSE;
}

static int deliver(const struct rpc_origin *to, rpc_encode_fn *fn, void *arg, const struct payload *tail)
{
	if (to->conn)
		return rpc_link_send(&to->conn->link, fn, arg, tail);
	return rpc_udp_send(to->socket, to->from, fn, arg, tail);
}

static void send_bytes(const struct rpc_origin *to, const void *data, uint32_t len)
{
	struct bytes b = { data, len };

	deliver(to, encode_bytes, &b, NULL);	/* a connection that is gone needs no reply */
}

static void refuse(const struct rpc_origin *to, uint32_t xid, const struct rpc_refusal *refusal)
{
	uint8_t buf[RPC_REFUSAL_MAX];

	send_bytes(to, buf, rpc_refusal_encode(buf, xid, refusal));
}

static void refuse_accepted(const struct rpc_origin *to, uint32_t xid, uint32_t stat)
{
	refuse(to, xid, &(struct rpc_refusal){ .kind = RPC_REFUSE_ACCEPTED, .stat = stat });
}

static void refuse_verdict(const struct rpc_origin *to, uint32_t xid, int verdict)
{
	struct rpc_refusal r = { .kind = RPC_REFUSE_ACCEPTED, .stat = RPC_ACCEPT_SYSTEM };

	if (verdict == RPC_DROP)
		return;
	if (verdict == RPC_AUTH_BADCRED || verdict == RPC_AUTH_TOOWEAK)
		r.kind = RPC_REFUSE_AUTH;
	if (verdict > RPC_DROP && verdict <= RPC_AUTH_TOOWEAK)
		r.stat = verdict_stat[verdict];
	refuse(to, xid, &r);
}

static bool_t encode_header(XDR *xdrs, uint32_t xid)
{
	uint8_t *p = wire_take(xdrs, RPC_REPLY_HEADER);

	if (!p)
		return FALSE;
	memset(p, 0, RPC_REPLY_HEADER);		/* accepted, AUTH_NONE, success */
	rpc_put32(rpc_put32(p, xid), RPC_MSG_REPLY);
	return TRUE;
}

static bool_t encode_null_reply(XDR *xdrs, void *arg)
{
	return encode_header(xdrs, *(uint32_t *)arg);
}

static bool_t encode_result(XDR *xdrs, void *arg)
{
	struct rpc_job *job = arg;

	return encode_header(xdrs, job->rq.xid) && (!job->rq.proc->encode || job->rq.proc->encode(xdrs, job->res));
}

/* --- the end of a call --- */

/* Encodes into memory of our own, because these bytes are kept for the duplicates that may come. */
static int reply_and_remember(struct rpc_job *job, const struct rpc_origin *to)
{
	uint8_t *buf = arena_alloc(job->rq.arena, REPLY_KEPT);
	struct wire w;
	uint32_t len;
	XDR xdrs;

	if (!buf)
		return -ENOMEM;
	wire_encode_init(&xdrs, &w, buf, REPLY_KEPT, job->rq.arena);
	if (!encode_result(&xdrs, job) || w.ngaps || job->rq.reply_tail.len)
		return -EMSGSIZE;
	len = REPLY_KEPT - xdrs.x_handy;
	rpc_replay_finish(to->server->service.replay, job->replay, buf, len);
	job->replay = NULL;
	send_bytes(to, buf, len);
	return 0;
}

static void reply(struct rpc_job *job)
{
	struct rpc_origin to = job->origin;

	if (job->reply_to)
		to.conn = job->reply_to;
	if (job->replay && reply_and_remember(job, &to) == 0)
		return;
	if (deliver(&to, encode_result, job, &job->rq.reply_tail) == -EMSGSIZE)
		refuse_accepted(&to, job->rq.xid, RPC_ACCEPT_SYSTEM);
}

bool rpc_request_splices(const struct rpc_request *rq)
{
	return rq->conn && rq->conn->link.stream && !rq->conn->link.tls && stream_splices(rq->conn->link.stream);
}

void rpc_request_set_waiting(struct rpc_request *rq, bool waiting)
{
	struct rpc_job *job = container_of(rq, struct rpc_job, rq);

	if (!rq->conn || job->waiting == waiting)
		return;
	job->waiting = waiting;
	if (waiting)
		rq->conn->waiting++;
	else
		rq->conn->waiting--;
	if (waiting && job->origin.server->draining)
		co_cancel(job->co);
	rpc_conn_settled(rq->conn);
}

/* Nobody waits for run() any more. It is not counted against the bound of its connection either, which would be full of such calls
 * otherwise. */
static void limit_over(void *arg)
{
	struct rpc_job *job = arg;
	void *res = arena_alloc(job->rq.arena, job->rq.proc->res_size);

	if (!res)
		return;
	job->answered = true;
	job->res = res;
	job->rq.reply_tail.len = 0;
	job->late(&job->rq, res);
	reply(job);
	rpc_request_set_waiting(&job->rq, true);
}

void rpc_request_answer_by(struct rpc_request *rq, uint64_t at_ns, void (*late)(struct rpc_request *rq, void *res))
{
	struct rpc_job *job = container_of(rq, struct rpc_job, rq);

	job->late = late;
	timer_init(&job->limit, limit_over, job);
	timer_arm(job->origin.server->loop, &job->limit, at_ns);
}

static void end_job(struct rpc_job *job)
{
	struct rpc_server *s = job->origin.server;
	struct rpc_conn *conn = job->origin.conn, *other = job->reply_to;
	struct rpc_socket *socket = job->origin.socket;

	s->held -= job->held;
	if (conn)
		conn->held -= job->held;
	rpc_request_set_waiting(&job->rq, false);
	if (job->replay)
		rpc_replay_abort(s->service.replay, job->replay);
	list_remove(&job->in_conn);
	arena_free(job->rq.arena);	/* the job lies in it */
	s->inflight--;
	if (conn) {
		conn->inflight--;
		rpc_conn_settled(conn);
		rpc_conn_unref(conn);
	} else {
		socket->inflight--;
	}
	if (other)
		rpc_conn_unref(other);
	rpc_server_settled(s);
}

static void coroutine_fn run_job(void *arg)
{
	struct rpc_job *job = arg;
	int verdict;

	job->co = co_self();
	verdict = job->rq.proc->run(&job->rq, job->args, job->res);
	if (job->late)
		timer_cancel(&job->limit);
	if (job->answered)
		job->late(&job->rq, NULL);
	else if (verdict == RPC_OK)
		reply(job);
	else
		refuse_verdict(&job->origin, job->rq.xid, verdict);
	end_job(job);
}

/* --- the beginning of a call --- */

/* 0 when the refusal was sent, -EBADMSG when this is no call. */
static int refuse_header(const struct rpc_origin *to, uint32_t xid, int why)
{
	struct rpc_refusal r = { .kind = RPC_REFUSE_AUTH, .stat = RPC_AUTH_STAT_BADCRED };

	if (why == -EBADMSG)
		return why;
	if (why == -EPROTONOSUPPORT)
		r.kind = RPC_REFUSE_VERSION;
	else if (why == -EKEYREJECTED)
		r.stat = RPC_AUTH_STAT_BADVERF;
	refuse(to, xid, &r);
	return 0;
}

static const struct rpc_program *find_program(const struct rpc_server *s, const struct rpc_call_header *h,
					      struct rpc_refusal *refusal)
{
	const struct rpc_program *const *p;

	*refusal = (struct rpc_refusal){
		.kind = RPC_REFUSE_ACCEPTED, .stat = RPC_ACCEPT_PROG_UNAVAIL, .low = UINT32_MAX
	};
	for (p = s->service.programs; *p; p++) {
		if ((*p)->prog != h->prog)
			continue;
		if ((*p)->vers == h->vers)
			return *p;
		refusal->stat = RPC_ACCEPT_PROG_MISMATCH;
		if ((*p)->vers < refusal->low)
			refusal->low = (*p)->vers;
		if ((*p)->vers > refusal->high)
			refusal->high = (*p)->vers;
	}
	return NULL;
}

/* The procedure to run, or NULL when the answer has been given. */
static const struct rpc_proc *find_proc(const struct rpc_origin *from, struct rpc_call_header *h,
					const struct rpc_program **ret_program)
{
	const struct rpc_proc *proc;
	struct rpc_refusal refusal;

	*ret_program = find_program(from->server, h, &refusal);
	if (!*ret_program) {
		refuse(from, h->xid, &refusal);
		return NULL;
	}
	if (from->conn)
		from->conn->spoke = true;
	proc = h->proc < (*ret_program)->nprocs ? &(*ret_program)->procs[h->proc] : NULL;
	if (proc && proc->run)
		return proc;
	if (h->proc == 0)
		deliver(from, encode_null_reply, &h->xid, NULL);
	else
		refuse_accepted(from, h->xid, RPC_ACCEPT_PROC_UNAVAIL);
	return NULL;
}

static void drop_record(void *record)
{
	iobuf_unref(record);
}

/* Copies what the origin borrowed, takes hold of the record, and makes the call. */
static struct rpc_job *make_job(const struct rpc_origin *from, const struct payload *record, struct payload *ret_record)
{
	struct arena *arena = arena_new(ARENA_LIMIT);
	struct rpc_job *job = arena_alloc(arena, sizeof(*job));
	struct iobuf *kept = rpc_record_keep(record, &ret_record->offset);

	if (!kept || arena_cleanup(arena, drop_record, kept) < 0)
		goto fail;
	ret_record->buf = kept;
	ret_record->len = record->len;
	job->held = record->len;
	job->origin = *from;
	list_init(&job->in_conn);
	job->rq.conn = from->conn;
	job->rq.server = from->server;
	job->rq.arena = arena;
	if (from->conn) {
		job->rq.peer = &from->conn->peer;
		return job;
	}
	job->origin.from = arena_memdup(arena, from->from, sizeof(*from->from));
	if (!job->origin.from)
		goto fail;
	job->rq.peer = &job->origin.from->peer;
	return job;
fail:
	arena_free(arena);
	return NULL;
}

/* Arguments, out of the kept record; what lies behind them becomes the tail. An enum rpc_verdict. */
static int decode_args(struct rpc_job *job, const struct payload *record, uint32_t body)
{
	const struct rpc_proc *proc = job->rq.proc;
	struct wire w;
	XDR xdrs;

	job->args = arena_alloc(job->rq.arena, proc->args_size ? proc->args_size : 1);
	job->res = arena_alloc(job->rq.arena, proc->res_size ? proc->res_size : 1);
	if (!job->args || !job->res)
		return RPC_SYSTEM_ERROR;
	wire_decode_init(&xdrs, &w, record->buf, record->offset + body, record->len - body, job->rq.arena);
	if (proc->decode && !proc->decode(&xdrs, job->args))
		return RPC_GARBAGE;
	if (xdrs.x_handy)
		job->rq.tail = (struct payload){ record->buf, record->offset + record->len - xdrs.x_handy,
						xdrs.x_handy };
	return RPC_OK;
}

/* Credential, admission, arguments: an enum rpc_verdict. */
static int prepare(struct rpc_job *job, const struct payload *record)
{
	struct rpc_call_header h;
	int ret;

	rpc_call_parse(payload_data(record), record->len, &h);	/* again: the first one was of bytes that may be gone */
	job->rq.xid = h.xid;
	ret = rpc_auth_decode(&h, job->rq.arena, &job->rq.cred);
	if (ret < 0)
		return ret == -ENOMEM ? RPC_SYSTEM_ERROR : RPC_AUTH_BADCRED;
	if (job->rq.program->admit) {
		ret = job->rq.program->admit(&job->rq);
		if (ret != RPC_OK)
			return ret;
	}
	if (job->rq.proc->replay == RPC_REPLAY_CACHED)
		job->rq.checksum = hash_bytes(payload_data(record) + h.body, record->len - h.body, 0);
	return decode_args(job, record, h.body);
}

/* The same call is running already: its reply shall go to where the client waits now. */
static void retarget(struct rpc_job *running, const struct rpc_origin *from)
{
	if (!from->conn || !running->origin.conn || from->conn == running->origin.conn ||
	    from->conn == running->reply_to)
		return;
	if (running->reply_to)
		rpc_conn_unref(running->reply_to);
	running->reply_to = rpc_conn_ref(from->conn);
}

/* True when a duplicate needs no second execution. */
static bool replayed(struct rpc_job *job, const struct rpc_origin *from)
{
	struct rpc_replay_key key;
	const void *kept;
	uint32_t len;

	if (job->rq.proc->replay != RPC_REPLAY_CACHED || !from->server->service.replay)
		return false;
	memset(&key, 0, sizeof(key));
	rpc_replay_key_address(&key, job->rq.peer);
	key.xid = job->rq.xid;
	key.prog = job->rq.program->prog;
	key.vers = job->rq.program->vers;
	key.proc = (uint32_t)(job->rq.proc - job->rq.program->procs);
	key.checksum = job->rq.checksum;
	switch (rpc_replay_begin(from->server->service.replay, &key, job, &job->replay)) {
	case RPC_REPLAY_NEW:
		return false;
	case RPC_REPLAY_RUNNING:
		retarget(rpc_replay_owner(job->replay), from);
		break;
	case RPC_REPLAY_DONE:
		kept = rpc_replay_reply(job->replay, &len);
		send_bytes(from, kept, len);
		break;
	}
	job->replay = NULL;
	return true;
}

static int start_job(struct rpc_job *job)
{
	struct rpc_conn *conn = job->origin.conn;
	struct rpc_server *s = job->origin.server;

	s->inflight++;
	s->held += job->held;
	if (conn) {
		rpc_conn_ref(conn);
		conn->inflight++;
		conn->held += job->held;
		list_append(&conn->jobs, &job->in_conn);
	} else {
		job->origin.socket->inflight++;
	}
	if (co_start(s->loop, run_job, job))
		return 0;
	end_job(job);
	return -EAGAIN;
}

int rpc_dispatch(const struct rpc_origin *from, const struct payload *record)
{
	const struct rpc_program *program;
	const struct rpc_proc *proc;
	struct rpc_call_header h;
	struct payload kept;
	struct rpc_job *job;
	int ret;

	ret = rpc_call_parse(payload_data(record), record->len, &h);
	if (ret < 0)
		return refuse_header(from, h.xid, ret);
	proc = find_proc(from, &h, &program);
	if (!proc)
		return 0;
	job = make_job(from, record, &kept);
	if (!job)
		return -EAGAIN;
	job->rq.program = program;
	job->rq.proc = proc;
	ret = prepare(job, &kept);
	if (ret == RPC_OK && !replayed(job, from)) {
		job->held += proc->reply_bytes ? proc->reply_bytes(job->args) : 0;
		return start_job(job);
	}
	if (ret != RPC_OK)
		refuse_verdict(from, h.xid, ret);
	arena_free(job->rq.arena);
	return 0;
}
