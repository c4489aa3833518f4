/* xlators/protocol/client_lock.c: locks that may wait long.
 *
 * GlusterFS's wire has no way to take a waiting lock request back. If whoever asked is interrupted meanwhile, the brick would grant the
 * lock to nobody. So the request runs in a coroutine of its own, which gives an unwanted lock back. */
#include <stdlib.h>
#include <string.h>

#include "xlators/protocol/client.h"

#define LOCK_ARENA (64u << 10)

struct lock_waiter {
	struct co_wait wait;
	bool answered;
};

struct lock_job {
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
		.op = job->op, .proc = job->op == FOP_inodelk ? GF_FOP_INODELK : GF_FOP_ENTRYLK, .fd = GF_FD_ANONYMOUS,
	};
	struct inodelk_res nothing;

	return client_send(job->pc, &job->call, &op, &job->args, &nothing);
}

static void job_free(struct lock_job *job)
{
	inode_unref(job->inode);
	arena_free(job->call.arena);
	free(job);
}

static void coroutine_fn lock_run(void *arg)
{
	struct lock_job *job = arg;
	int ret = send_lock(job);

	if (job->waiter) {
		job->waiter->answered = true;
		co_wake(&job->waiter->wait, ret);
	} else if (ret == 0) {
		if (job->op == FOP_inodelk)
			job->args.inodelk.cmd = LOCK_UNLOCK;
		else
			job->args.entrylk.cmd = LOCK_UNLOCK;
		send_lock(job);
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
	struct lock_waiter waiter = { CO_WAIT_INIT, false };

	if (!ret && !co_gate_enter(&job->pc->background))
		ret = -ENOTCONN;
	if (ret < 0) {
		job_free(job);
		return ret;
	}
	job->waiter = &waiter;
	if (!co_start(xl_loop(job->pc->xl), lock_run, job)) {
		co_gate_leave(&job->pc->background);
		job_free(job);
		return -ENOMEM;
	}
	ret = co_park(&waiter.wait);
	if (!waiter.answered)
		job->waiter = NULL;	/* interrupted: the job is still under way, and cleans up by itself */
	return ret;
}

static struct lock_job *job_new(struct pclient *pc, enum fop op)
{
	struct lock_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->pc = pc;
	job->op = op;
	call_init(&job->call, arena_new(LOCK_ARENA));
	return job;
}

int coroutine_fn client_inodelk_wait(struct pclient *pc, struct call *call, const struct inodelk_args *args)
{
	struct lock_job *job = job_new(pc, FOP_inodelk);
	const char *none = NULL;

	if (!job)
		return -ENOMEM;
	job->args.inodelk = *args;
	job->args.inodelk.fd = NULL;
	return run_job(job, own(job, call, args->inode, &job->args.inodelk.domain, &none));
}

int coroutine_fn client_entrylk_wait(struct pclient *pc, struct call *call, const struct entrylk_args *args)
{
	struct lock_job *job = job_new(pc, FOP_entrylk);

	if (!job)
		return -ENOMEM;
	job->args.entrylk = *args;
	return run_job(job, own(job, call, args->inode, &job->args.entrylk.domain, &job->args.entrylk.name));
}
