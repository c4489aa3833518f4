/* tests/sim/sim_range.c: many seeds, in processes of their own, to the end: a failure leaves a
 * world that cannot be taken down, so its process ends there and another goes on with the next
 * seed. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define JOBS_MAX 64
#define CHUNK 100
#define TELL_EVERY 1000

struct report { uint64_t seed, ops, retries, faults[FAULTS]; bool failed; };
struct job { pid_t pid; int fd; uint64_t next, end; };

static struct {
	uint64_t from, end, next, told, ran, ops, retries, faults[FAULTS];
	const char *without;
	struct job jobs[JOBS_MAX];
	unsigned njobs;
	uint64_t *failed;
	size_t nfailed;
	struct timespec began;
} range;

static void work(const struct job *j, int fd)
{
	uint64_t seed;

	for (seed = j->next; seed < j->end; seed++) {
		struct report r = { .seed = seed };

		r.failed = !sim_run_seed(seed, false, range.without);
		r.ops = sw.ops;
		r.retries = sw.retries;
		memcpy(r.faults, sw.faults, sizeof(r.faults));
		fflush(NULL);
		if (write(fd, &r, sizeof(r)) != sizeof(r) || r.failed)
			break;
	}
	_exit(0);
}

/* Goes on with what is left of a chunk, or begins one. */
static void begin(struct job *j)
{
	int fds[2];

	j->pid = 0;
	if (j->next >= j->end) {
		j->next = range.next;
		j->end = range.end - range.next > CHUNK ? range.next + CHUNK : range.end;
		range.next = j->end;
	}
	if (j->next >= j->end)
		return;
	if (pipe(fds) < 0 || (j->pid = fork()) < 0) {
		perror("sim_volume");
		exit(2);
	}
	if (j->pid == 0) {
		close(fds[0]);
		work(j, fds[1]);
	}
	close(fds[1]);
	j->fd = fds[0];
}

static void note_failure(uint64_t seed)
{
	range.failed = realloc(range.failed, (range.nfailed + 1) * sizeof(*range.failed));
	range.failed[range.nfailed++] = seed;
}

/* Everything below this was run. */
static uint64_t done_below(void)
{
	uint64_t low = range.next;
	unsigned i;

	for (i = 0; i < range.njobs; i++)
		if (range.jobs[i].pid && range.jobs[i].next < low)
			low = range.jobs[i].next;
	return low;
}

static void tell(void)
{
	uint64_t low = done_below();

	if (low < range.told + TELL_EVERY && low < range.end)
		return;
	range.told = low;
	printf("sim_volume: done %llu to %llu, %zu failed; go on with FROM=%llu\n",
	       (unsigned long long)range.from, (unsigned long long)low - 1, range.nfailed,
	       (unsigned long long)low);
	fflush(stdout);
}

static void hear(struct job *j)
{
	struct report r;
	ssize_t n = read(j->fd, &r, sizeof(r));
	int status, k;

	if (n == sizeof(r)) {
		range.ran++;
		range.ops += r.ops;
		range.retries += r.retries;
		for (k = 0; k < FAULTS; k++)
			range.faults[k] += r.faults[k];
		if (r.failed)
			note_failure(r.seed);
		j->next = r.seed + 1;
		return;
	}
	close(j->fd);
	waitpid(j->pid, &status, 0);
	if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "sim_volume: seed %llu: its process died (%s)\n",
			(unsigned long long)j->next,
			WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
		note_failure(j->next++);
		range.ran++;
	}
	begin(j);
	tell();
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void summary(void)
{
	struct rusage use;
	struct timespec now;
	double wall, cpu;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC, &now);
	wall = (double)(now.tv_sec - range.began.tv_sec) +
	       (double)(now.tv_nsec - range.began.tv_nsec) / 1e9;
	getrusage(RUSAGE_CHILDREN, &use);
	cpu = seconds_of(&use.ru_utime) + seconds_of(&use.ru_stime);
	printf("sim_volume: %llu seeds from %llu in %.0f s, %.1f ms of CPU each: %llu steps,"
	       " %llu retries;", (unsigned long long)range.ran, (unsigned long long)range.from,
	       wall, range.ran ? cpu * 1000 / (double)range.ran : 0,
	       (unsigned long long)range.ops, (unsigned long long)range.retries);
	for (i = 0; i < FAULTS; i++)
		printf(" %s %llu", sim_fault_names[i], (unsigned long long)range.faults[i]);
	qsort(range.failed, range.nfailed, sizeof(*range.failed), by_number);
	printf("\nsim_volume: %zu failed", range.nfailed);
	for (i = 0; i < range.nfailed; i++)
		printf("%s %llu", i ? "" : ":", (unsigned long long)range.failed[i]);
	putchar('\n');
}

int sim_range(uint64_t from, uint64_t count, unsigned jobs, const char *without)
{
	struct pollfd fds[JOBS_MAX];
	unsigned i, n;

	range.from = range.next = range.told = from;
	range.end = from + count;
	range.without = without;
	range.njobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
	clock_gettime(CLOCK_MONOTONIC, &range.began);
	for (i = 0; i < range.njobs; i++)
		begin(&range.jobs[i]);
	do {
		for (n = i = 0; i < range.njobs; i++) {
			const struct job *j = &range.jobs[i];

			fds[i] = (struct pollfd){ j->pid ? j->fd : -1, POLLIN, 0 };
			n += j->pid != 0;
		}
		if (n)
			poll(fds, range.njobs, -1);
		for (i = 0; i < range.njobs; i++)
			if (range.jobs[i].pid && fds[i].revents)
				hear(&range.jobs[i]);
	} while (n);
	summary();
	free(range.failed);
	return range.nfailed != 0;
}
