/* runtime/offload.c: helper threads for calls that block.
 *
 * Jobs lie on the stacks of the coroutines that wait for them. The loop collects a round's jobs and hands them over
 * under one lock. Waking a thread costs ten times what reading a cached page does, so it is learnt per function how
 * long its jobs take: short ones are left to the helpers that are awake, long ones get a helper each. The loop wakes
 * one at most; that one wakes the next. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/log.h"
#include "runtime/loop_private.h"

#define HELPER_STACK (512u << 10)	/* the resolver wants more than a coroutine does */
#define HELPERS_MAX 256
#define BUNCH_NS 16000u		/* what short jobs did is told together: one wake of the loop for all */
#define BUNCH_MAX 16
#define BUNCH_SHARE 4u		/* this part of those that wait is told together, however long they take */
#define HELPER_NS 30000u	/* work that is worth another helper */
#define TOOK_MAX_NS 200000u	/* longer is long: an outlier must not be remembered for ever */
#define STALL_NS 1000000u	/* queued work is looked after that often, should a job take longer than ever before */
#define KNOWN 64		/* functions whose duration is remembered */
#define SPIN_NS 10000u		/* about what going to sleep and being woken costs */
#define SPIN_DOUBT 8		/* so many vain spins in a row, and it is tried on every 16th occasion only */

struct job {
	struct job *next;
	int (*blocking)(void *arg);
	void *arg;
	int ret;
	uint32_t expected_ns, took_ns;
	uint64_t started_ns;
	struct co_wait wait;
	struct loop *loop;
	struct loop_item done;
};

struct experience { int (*blocking)(void *arg); uint32_t average_ns; };

/* Looking again for a moment before sleeping pays when jobs are short, and is pure loss when they are long:
 * experience decides. */
struct spin { int vain; unsigned skipped; };

struct offload {
	unsigned outstanding;			/* the loop's own */
	struct spin loop_spin;
	struct experience known[KNOWN];
	struct job *fresh, **fresh_end;		/* the loop's own: not handed over yet */
	unsigned nfresh;
	uint64_t fresh_ns;			/* expected of them */

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *head, **end;
	atomic_uint queued;			/* changed under the lock */
	unsigned idle, signalled, max;		/* signalled: idle ones already on their way */
	uint64_t work_ns;			/* expected of all that is queued or running */
	uint64_t taken_ns;			/* when a helper last took work */
	struct loop_item *newest, *oldest;	/* done and not told yet */
	atomic_uint untold;
	uint64_t told_ns;
	struct spin helper_spin;
	bool spinning;				/* one helper at most: it will see new work by itself */
	bool stop;
	unsigned threads;
	pthread_t ids[HELPERS_MAX];
};

static void *helper(void *arg);

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static unsigned peek(atomic_uint *n)	/* without the lock: a hint */
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static bool spin_worth_it(struct spin *spin)
{
	return spin->vain < SPIN_DOUBT || ++spin->skipped % 16 == 0;
}

static void relax(void)
{
	unsigned i;

	for (i = 0; i < 8; i++) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield");
#endif
	}
}

static void spin_learn(struct spin *spin, bool found)
{
	if (found)
		spin->vain = 0;
	else if (spin->vain < SPIN_DOUBT)
		spin->vain++;
}

/* The loop is about to sleep while helpers work for it. */
void offload_spin(struct loop *loop)
{
	struct offload *o = loop->offload;
	uint64_t end;
	bool found;

	if (!o || !o->outstanding || !spin_worth_it(&o->loop_spin))
		return;
	for (end = clock_ns() + SPIN_NS; !(found = loop_posted(loop)) && clock_ns() < end; relax())
		;
	spin_learn(&o->loop_spin, found);
}

/* A helper is about to sleep. Called with the lock held; gives it up meanwhile. */
static void helper_spin(struct offload *o)
{
	uint64_t end;

	if (o->spinning || !spin_worth_it(&o->helper_spin))
		return;
	o->spinning = true;
	pthread_mutex_unlock(&o->lock);
	for (end = clock_ns() + SPIN_NS; !peek(&o->queued) && clock_ns() < end; relax())
		;
	pthread_mutex_lock(&o->lock);
	o->spinning = false;
	spin_learn(&o->helper_spin, o->queued != 0);
}

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

/* --- how long jobs take: the loop's own knowledge --- */

static struct experience *experience_of(struct offload *o, int (*blocking)(void *arg))
{
	struct experience *e = &o->known[((uintptr_t)blocking >> 4) % KNOWN];

	if (e->blocking != blocking)
		*e = (struct experience){ blocking, TOOK_MAX_NS };
	return e;
}

static void learn(struct offload *o, const struct job *job)
{
	struct experience *e = experience_of(o, job->blocking);

	e->average_ns = (uint32_t)((e->average_ns * 7ull + job->took_ns) / 8);
}

/* --- waking helpers; with the lock held and work queued --- */

static void wake_helper(struct offload *o)
{
	unsigned awake = o->threads - o->idle + o->signalled;
	uint64_t wanted = 1 + o->work_ns / HELPER_NS;

	if (o->spinning || awake >= wanted)
		return;
	if (o->idle > o->signalled) {
		o->signalled++;
		pthread_cond_signal(&o->work);
	} else if (o->threads < o->max) {
		start_helper(o);
	}
}

/* --- the helpers; with the lock held at start and end --- */

static struct job *take_job(struct offload *o)
{
	struct job *job = o->head;

	o->queued--;
	o->head = job->next;
	if (!o->head)
		o->end = &o->head;
	o->taken_ns = clock_ns();
	return job;
}

static void run_job(struct job *job)
{
	uint64_t now;

	job->ret = job->blocking(job->arg);
	now = clock_ns();
	job->took_ns = now - job->started_ns < TOOK_MAX_NS ? (uint32_t)(now - job->started_ns) : TOOK_MAX_NS;
}

static void tell(struct offload *o, struct loop *loop)
{
	struct loop_item *newest = o->newest, *oldest = o->oldest;

	o->newest = NULL;
	o->untold = 0;
	pthread_mutex_unlock(&o->lock);
	loop_post_items(loop, newest, oldest);
	pthread_mutex_lock(&o->lock);
}

/* Is what was done told now? Nothing is kept back while a helper may be busy for long, unless many more wait: what waited behind so many
 * may wait for a few more. Should that go wrong, the loop looks after it (rescue). */
static bool time_to_tell(const struct offload *o, uint64_t now)
{
	if (!o->queued || o->untold >= BUNCH_MAX)
		return true;
	if (o->untold * BUNCH_SHARE <= o->queued)
		return false;
	return o->head->expected_ns > BUNCH_NS || now - o->told_ns > BUNCH_NS;
}

static void job_ended(struct offload *o, struct job *job)
{
	struct loop *loop = job->loop;

	o->work_ns -= job->expected_ns;
	if (!o->untold) {
		o->oldest = &job->done;
		o->told_ns = job->started_ns;
	}
	job->done.next = o->newest;
	o->newest = &job->done;
	o->untold++;
	if (time_to_tell(o, job->started_ns + job->took_ns))
		tell(o, loop);
}

static void *helper(void *arg)
{
	struct offload *o = arg;
	struct job *job;

	pthread_mutex_lock(&o->lock);
	while (!o->stop || o->queued) {
		if (!o->queued)
			helper_spin(o);
		if (!o->queued && !o->stop) {
			o->idle++;
			pthread_cond_wait(&o->work, &o->lock);
			o->idle--;
			if (o->signalled)
				o->signalled--;
		}
		if (!o->queued)
			continue;
		job = take_job(o);
		if (o->queued)
			wake_helper(o);
		job->started_ns = o->taken_ns;
		pthread_mutex_unlock(&o->lock);
		run_job(job);
		pthread_mutex_lock(&o->lock);
		job_ended(o, job);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* --- the loop's side --- */

/* Not even one helper could be started: slow is better than stuck. Called with the lock held. */
static void run_all_here(struct offload *o)
{
	struct job *job;

	log_warning("no helper thread could be started; the loop does blocking work itself");
	while (o->queued) {
		job = take_job(o);
		job->started_ns = o->taken_ns;
		run_job(job);
		job_ended(o, job);
	}
}

/* A job takes longer than its function ever did: what waits behind it gets another helper, what was done before it is
 * told. */
static void rescue(struct offload *o, struct loop *loop)
{
	uint64_t plenty = (uint64_t)HELPER_NS * o->max;

	if (clock_ns() - o->taken_ns < STALL_NS / 2)
		return;
	if (o->untold)
		tell(o, loop);
	if (o->queued) {
		o->work_ns += plenty;
		wake_helper(o);
		o->work_ns -= plenty;
	}
}

static bool needs_care(struct offload *o)
{
	return peek(&o->queued) || peek(&o->untold);
}

void offload_flush(struct loop *loop)
{
	struct offload *o = loop->offload;

	if (!o || (!o->fresh && !needs_care(o)))
		return;
	pthread_mutex_lock(&o->lock);
	if (o->queued || o->untold)
		rescue(o, loop);
	if (o->fresh) {
		*o->end = o->fresh;
		o->end = o->fresh_end;
		o->queued += o->nfresh;
		o->work_ns += o->fresh_ns;
		o->fresh = NULL;
		o->fresh_end = &o->fresh;
		o->nfresh = 0;
		o->fresh_ns = 0;
		wake_helper(o);
	}
	if (!o->threads)
		run_all_here(o);
	pthread_mutex_unlock(&o->lock);
}

uint64_t offload_until(struct loop *loop, uint64_t until_ns)
{
	struct offload *o = loop->offload;
	uint64_t look;

	if (!o || !needs_care(o))
		return until_ns;
	look = clock_ns() + STALL_NS;
	return look < until_ns ? look : until_ns;
}

static void job_done(void *arg)
{
	struct job *job = arg;

	job->loop->offload->outstanding--;
	learn(job->loop->offload, job);
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
	job.expected_ns = experience_of(o, blocking)->average_ns;
	o->fresh_ns += job.expected_ns;
	*o->fresh_end = &job;
	o->fresh_end = &job.next;
	o->nfresh++;
	o->outstanding++;
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
