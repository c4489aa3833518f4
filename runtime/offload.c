/* runtime/offload.c: helper threads for calls that block.
 *
 * Jobs lie on the stacks of the coroutines that wait for them. The loop collects a round's jobs and hands them over under one lock; it
 * wakes at most one helper, which wakes the next if there is still work: the loop pays for one wake however many jobs there are. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/log.h"
#include "runtime/loop_private.h"

#define HELPER_STACK (512u << 10)	/* the resolver wants more than a coroutine does */
#define HELPERS_MAX 256
#define TAKE_MAX 8

struct job {
	struct job *next;
	int (*blocking)(void *arg);
	void *arg;
	int ret;
	struct co_wait wait;
	struct loop *loop;
	struct loop_item done;
};

struct offload {
	struct job *fresh, **fresh_end;		/* the loop's own: not handed over yet */
	unsigned nfresh;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *head, **end;
	unsigned queued, idle, signalled, max;	/* signalled: idle ones already on their way */
	bool stop;
	unsigned threads;
	pthread_t ids[HELPERS_MAX];
};

static void *helper(void *arg);

static struct offload *offload_new(unsigned max)
{
	struct offload *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->fresh_end = &o->fresh;
	o->end = &o->head;
	o->max = max < HELPERS_MAX ? max : HELPERS_MAX;
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->work, NULL);
	return o;
}

/* Signals are for the loops' threads. Called with the lock held. */
static int start_helper(struct offload *o)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, HELPER_STACK);
	ret = pthread_create(&o->ids[o->threads], &attr, helper, o);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!ret)
		o->threads++;
	return -ret;
}

/* Called with the lock held and work queued: sees that one more helper looks at it. */
static void wake_helper(struct offload *o)
{
	if (o->idle > o->signalled) {
		o->signalled++;
		pthread_cond_signal(&o->work);
	} else if (o->threads < o->max && o->queued > o->signalled) {
		start_helper(o);
	}
}

/* A long queue is taken in small bunches: fewer locks, and the others still find plenty. */
static struct job *take_jobs(struct offload *o)
{
	unsigned n = 1 + o->queued / (8 * o->max), i;
	struct job *first = o->head, *last = first;

	if (n > TAKE_MAX)
		n = TAKE_MAX;
	for (i = 1; i < n; i++)
		last = last->next;
	o->queued -= n;
	o->head = last->next;
	if (!o->head)
		o->end = &o->head;
	last->next = NULL;
	return first;
}

static void run_jobs(struct job *job)
{
	struct job *next;

	for (; job; job = next) {
		next = job->next;
		job->ret = job->blocking(job->arg);
		loop_post_item(job->loop, &job->done);	/* and @job is the loop's again */
	}
}

static void *helper(void *arg)
{
	struct offload *o = arg;
	struct job *jobs;

	pthread_mutex_lock(&o->lock);
	while (!o->stop || o->queued) {
		if (!o->queued) {
			o->idle++;
			pthread_cond_wait(&o->work, &o->lock);
			o->idle--;
			if (o->signalled)
				o->signalled--;
			continue;
		}
		jobs = take_jobs(o);
		if (o->queued)
			wake_helper(o);
		pthread_mutex_unlock(&o->lock);
		run_jobs(jobs);
		pthread_mutex_lock(&o->lock);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

void offload_flush(struct loop *loop)
{
	struct offload *o = loop->offload;
	struct job *stuck = NULL;

	if (!o || !o->fresh)
		return;
	pthread_mutex_lock(&o->lock);
	*o->end = o->fresh;
	o->end = o->fresh_end;
	o->queued += o->nfresh;
	o->fresh = NULL;
	o->fresh_end = &o->fresh;
	o->nfresh = 0;
	wake_helper(o);
	if (!o->threads) {	/* not even one could be started: slow is better than stuck */
		stuck = o->head;
		o->head = NULL;
		o->end = &o->head;
		o->queued = 0;
	}
	pthread_mutex_unlock(&o->lock);
	if (stuck) {
		log_warning("no helper thread could be started; the loop does blocking work itself", " ");
		run_jobs(stuck);
	}
}

static void job_done(void *arg)
{
	struct job *job = arg;

	co_wake(&job->wait, job->ret);
}

int offload_run(struct loop *loop, int (*blocking)(void *arg), void *arg)
{
	struct job job = { .blocking = blocking, .arg = arg, .wait = CO_WAIT_INIT, .loop = loop };
	struct offload *o;
	int ret;

	if (!loop->offload)
		loop->offload = offload_new(loop->limits.helpers);
	o = loop->offload;
	job.done = (struct loop_item){ NULL, job_done, &job, false };
	*o->fresh_end = &job;
	o->fresh_end = &job.next;
	o->nfresh++;
	co_shield();
	ret = co_park(&job.wait);
	co_unshield();
	return ret;
}

void offload_free(struct loop *loop)
{
	struct offload *o = loop->offload;
	unsigned i;

	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	o->stop = true;
	pthread_cond_broadcast(&o->work);
	pthread_mutex_unlock(&o->lock);
	for (i = 0; i < o->threads; i++)
		pthread_join(o->ids[i], NULL);
	pthread_cond_destroy(&o->work);
	pthread_mutex_destroy(&o->lock);
	free(o);
	loop->offload = NULL;
}
