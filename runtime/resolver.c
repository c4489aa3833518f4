/* runtime/resolver.c: see resolver.h. A job is on the heap, because the one that waits for it may give up. */
#include "runtime/resolver.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "runtime/loop_private.h"

#define STACK (512u << 10)	/* the resolver wants more than a coroutine does */

struct job {
	struct list link;
	enum resolver_kind kind;
	int (*blocking)(void *question);
	void *question;
	int ret;
	bool left, done;	/* nobody waits for it; it has run and its loop was told */
	struct loop *loop;
	struct co_wait wait;
};

static struct service { struct list queue; unsigned queued, threads; } services[RESOLVER_KINDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void free_job(struct job *job)
{
	free(job->question);
	free(job);
}

static void told(void *arg)
{
	struct job *job = arg;

	if (job->left) {
		free_job(job);
		return;
	}
	job->done = true;
	co_wake(&job->wait, job->ret);
}

/* The first one that somebody still waits for. With the lock held. NULL: there is nothing to do. */
static struct job *next_job(struct service *s)
{
	struct job *job;

	while (s->queued) {
		job = list_first(&s->queue, struct job, link);
		list_remove(&job->link);
		s->queued--;
		if (job->loop)
			return job;
		free_job(job);
	}
	return NULL;
}

static void *work(void *arg)
{
	struct service *s = arg;
	struct job *job;
	struct loop *loop;

	pthread_mutex_lock(&lock);
	while ((job = next_job(s))) {
		pthread_mutex_unlock(&lock);
		job->ret = job->blocking(job->question);
		pthread_mutex_lock(&lock);
		loop = job->loop;
		if (loop)
			loop_post(loop, told, job);
		else
			free_job(job);
	}
	s->threads--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Signals are for the loops' threads. With the lock held. */
static bool start_thread(struct service *s)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	bool started;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	started = pthread_create(&id, &attr, work, s) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	s->threads += started;
	return started;
}

static bool submit(struct service *s, struct job *job)
{
	bool taken;

	pthread_mutex_lock(&lock);
	if (!s->queue.next)
		list_init(&s->queue);
	taken = s->queued < RESOLVER_QUEUE_MAX &&
		(s->threads >= RESOLVER_THREADS_MAX || start_thread(s) || s->threads);
	if (taken) {
		list_append(&s->queue, &job->link);
		s->queued++;
	}
	pthread_mutex_unlock(&lock);
	return taken;
}

/* The waiter gives up: the thread that runs the job frees it, or told() does when it was posted already. */
static void leave(struct job *job)
{
	pthread_mutex_lock(&lock);
	job->left = true;
	job->loop = NULL;
	pthread_mutex_unlock(&lock);
}

int coroutine_fn resolver_run(enum resolver_kind kind, int (*blocking)(void *question), void *question, bool *ret_left)
{
	struct job *job = calloc(1, sizeof(*job));
	int ret;

	*ret_left = false;
	if (!job)
		return -ENOMEM;
	job->kind = kind;
	job->blocking = blocking;
	job->question = question;
	job->loop = loop_self();
	if (!submit(&services[kind], job)) {
		free(job);
		return -EAGAIN;
	}
	ret = co_park(&job->wait);
	if (!job->done) {
		leave(job);
		*ret_left = true;
		return ret;
	}
	free(job);
	return ret;
}
