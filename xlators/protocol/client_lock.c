/* xlators/protocol/client_lock.c: locks that may wait long.
 *
 * GlusterFS's wire has no way to take a waiting lock request back. If whoever asked is interrupted meanwhile, the brick would grant the
 * lock to nobody. So the request runs in a coroutine of its own, which gives an unwanted lock back.
 *
 * From a brick that was given up nothing is taken and nothing given back at once: the lock has to keep others away until all that was sent
 * under it is answered (client_silent.c). */
#include <stdlib.h>
#include <string.h>

#include "xlators/protocol/client.h"

#define LOCK_ARENA (64u << 10)

struct lock_waiter {
	struct co_wait wait;
	bool answered, sent_away;	/* sent_away: the job does not know us any more */
};

struct lock_job {
	struct list link;		/* in pc->lock_waits, in pc->owed or alone */
	struct pclient *pc;
	struct call call;
	enum fop op;
	union {
		struct inodelk_args inodelk;
		struct entrylk_args entrylk;
	} args;
	struct inode *inode;
	struct lock_waiter *waiter;	/* NULL once it has gone */
};

static int coroutine_fn send_lock(struct lock_job *job)
{
	struct client_op op = {
		.op = job->op, .proc = job->op == FOP_inodelk ? GF_FOP_INODELK : GF_FOP_ENTRYLK, .fd = GF_FD_ANONYMOUS, .outlasts = true,
	};
	struct inodelk_res nothing;

	return client_send(job->pc, &job->call, &op, &job->args, &nothing);
}

static void job_free(struct lock_job *job)
{
	list_remove(&job->link);
	inode_unref(job->inode);
	arena_free(job->call.arena);
	free(job);
}

static void coroutine_fn unlock(struct lock_job *job)
{
	if (job->op == FOP_inodelk)
		job->args.inodelk.cmd = LOCK_UNLOCK;
	else
		job->args.entrylk.cmd = LOCK_UNLOCK;
	send_lock(job);
}

static void coroutine_fn lock_run(void *arg)
{
	struct lock_job *job = arg;
	int ret = send_lock(job);

	if (job->waiter) {
		job->waiter->answered = true;
		co_wake(&job->waiter->wait, ret);
	} else if (ret == 0) {
		unlock(job);
	}
	co_gate_leave(&job->pc->background);
	job_free(job);
}

/* Everything that @job points to outlives the caller. 0 or -ENOMEM. */
static int own(struct lock_job *job, const struct call *call, struct inode *inode, const char **domain, const char **name)
{
	struct arena *arena = job->call.arena;

	job->inode = inode_ref(inode);
	job->call.pid = call->pid;
	job->call.uid = call->uid;
	job->call.gid = call->gid;
	job->call.lk_owner_len = call->lk_owner_len;
	if (call->lk_owner_len)
		job->call.lk_owner = arena_memdup(arena, call->lk_owner, call->lk_owner_len);
	if (*domain)
		*domain = arena_strdup(arena, *domain);
	if (*name && !(*name = arena_strdup(arena, *name)))
		return -ENOMEM;
	return call->lk_owner_len && !job->call.lk_owner ? -ENOMEM : 0;
}

static int coroutine_fn run_job(struct lock_job *job, int ret)
{
	struct lock_waiter waiter = { .wait = CO_WAIT_INIT };

	if (!ret && job->pc->state != CLIENT_UP)
		ret = -ENOTCONN;
	if (!ret && !co_gate_enter(&job->pc->background))
		ret = -ENOTCONN;
	if (ret < 0) {
		job_free(job);
		return ret;
	}
	job->waiter = &waiter;
	list_append(&job->pc->lock_waits, &job->link);
	if (!co_start(xl_loop(job->pc->xl), lock_run, job)) {
		co_gate_leave(&job->pc->background);
		job_free(job);
		return -ENOMEM;
	}
	ret = co_park(&waiter.wait);
	if (!waiter.answered && !waiter.sent_away)
		job->waiter = NULL;	/* interrupted: the job is still under way, and cleans up by itself */
	return ret;
}

void client_lock_waits_end(struct pclient *pc)
{
	struct list *pos;

	while ((pos = list_pop(&pc->lock_waits))) {
		struct lock_job *job = list_entry(pos, struct lock_job, link);
		struct lock_waiter *waiter = job->waiter;

		job->waiter = NULL;
		if (!waiter)
			continue;
		waiter->sent_away = true;
		co_wake(&waiter->wait, -ENOTCONN);
	}
}

static struct lock_job *job_new(struct pclient *pc, enum fop op)
{
	struct lock_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->pc = pc;
	job->op = op;
	list_init(&job->link);
	call_init(&job->call, arena_new(LOCK_ARENA));
	return job;
}

/* A job that owns all that @args point to. NULL: no memory. */
static struct lock_job *inodelk_job(struct pclient *pc, const struct call *call, const struct inodelk_args *args)
{
	struct lock_job *job = job_new(pc, FOP_inodelk);
	const char *none = NULL;

	if (!job)
		return NULL;
	job->args.inodelk = *args;
	job->args.inodelk.fd = NULL;
	if (own(job, call, args->inode, &job->args.inodelk.domain, &none) == 0)
		return job;
	job_free(job);
	return NULL;
}

static struct lock_job *entrylk_job(struct pclient *pc, const struct call *call, const struct entrylk_args *args)
{
	struct lock_job *job = job_new(pc, FOP_entrylk);

	if (!job)
		return NULL;
	job->args.entrylk = *args;
	if (own(job, call, args->inode, &job->args.entrylk.domain, &job->args.entrylk.name) == 0)
		return job;
	job_free(job);
	return NULL;
}

int coroutine_fn client_inodelk_wait(struct pclient *pc, struct call *call, const struct inodelk_args *args)
{
	struct lock_job *job = inodelk_job(pc, call, args);

	return job ? run_job(job, 0) : -ENOMEM;
}

int coroutine_fn client_entrylk_wait(struct pclient *pc, struct call *call, const struct entrylk_args *args)
{
	struct lock_job *job = entrylk_job(pc, call, args);

	return job ? run_job(job, 0) : -ENOMEM;
}

/* ---- locks of a brick that was given up ---- */

/* No memory: the brick lets go at the end of the connection, so that one has to end. */
static void owe(struct pclient *pc, struct lock_job *job)
{
	if (!job) {
		rpc_client_disconnect(pc->rpc, -ENOMEM);
		return;
	}
	list_append(&pc->owed, &job->link);
	client_settle(pc);
}

static void coroutine_fn give_back_run(void *arg)
{
	struct lock_job *job = arg;
	struct pclient *pc = job->pc;

	unlock(job);
	job_free(job);
	pc->giving_back--;
	client_settle(pc);
	co_gate_leave(&pc->background);
}

static void give_back(struct pclient *pc, struct lock_job *job)
{
	if (co_gate_enter(&pc->background)) {
		pc->giving_back++;
		if (co_start(xl_loop(pc->xl), give_back_run, job))
			return;
		pc->giving_back--;
		co_gate_leave(&pc->background);
	}
	owe(pc, NULL);
	job_free(job);
}

void client_give_back_owed(struct pclient *pc)
{
	struct list *pos;

	while (pc->silent && (pos = list_pop(&pc->owed)))
		give_back(pc, list_entry(pos, struct lock_job, link));
}

void client_forget_owed(struct pclient *pc)
{
	struct list *pos;

	while ((pos = list_pop(&pc->owed)))
		job_free(list_entry(pos, struct lock_job, link));
}

/* Interrupting a lock call that needs no waiting would leave in the dark whether the lock is held. */
static int coroutine_fn send_now(struct pclient *pc, struct call *call, enum fop op, uint32_t proc, const void *args)
{
	struct client_op sending = { .op = op, .proc = proc, .fd = GF_FD_ANONYMOUS };
	struct inodelk_res nothing;
	int ret;

	co_shield();
	ret = client_send(pc, call, &sending, args, &nothing);
	co_unshield();
	return ret;
}

int coroutine_fn client_inodelk_now(struct pclient *pc, struct call *call, const struct inodelk_args *args)
{
	bool silent = pc->silent;
	int ret = silent ? -ENOTCONN : send_now(pc, call, FOP_inodelk, GF_FOP_INODELK, args);

	if (ret != -ENOTCONN || !pc->silent || (silent && args->cmd != LOCK_UNLOCK))
		return ret;
	owe(pc, inodelk_job(pc, call, args));
	return args->cmd == LOCK_UNLOCK ? 0 : ret;
}

int coroutine_fn client_entrylk_now(struct pclient *pc, struct call *call, const struct entrylk_args *args)
{
	bool silent = pc->silent;
	int ret = silent ? -ENOTCONN : send_now(pc, call, FOP_entrylk, GF_FOP_ENTRYLK, args);

	if (ret != -ENOTCONN || !pc->silent || (silent && args->cmd != LOCK_UNLOCK))
		return ret;
	owe(pc, entrylk_job(pc, call, args));
	return args->cmd == LOCK_UNLOCK ? 0 : ret;
}
