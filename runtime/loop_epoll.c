/* runtime/loop_epoll.c: the loop over epoll.
 *
 * Level triggered; an event's data is its `struct watch`, called directly. A watch that is removed while a batch of
 * events is being served is struck from the rest of the batch, so that its memory may go at once. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop_private.h"

#define BATCH 64

struct poller {
	int epoll_fd, wake_fd;
	struct epoll_event events[BATCH];
	int nevents, at;
	size_t random_left;
	uint8_t random[256];		/* one system call for many small wishes */
};

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int timeout_ms(struct loop *loop, uint64_t until_ns)
{
	uint64_t now, ms;

	if (until_ns == UINT64_MAX)
		return -1;
	if (!until_ns)
		return 0;
	now = clock_ns();
	if (until_ns <= now)
		return 0;
	ms = (until_ns - now + 999999) / 1000000;	/* never early: an empty round costs more than a late timer */
	return ms < 3600000 ? (int)ms : 3600000;
}

static int epoll_ops_wait(struct loop *loop, uint64_t until_ns)
{
	struct poller *p = loop->backend;
	struct watch *w;
	int n;

	n = epoll_wait(p->epoll_fd, p->events, BATCH, timeout_ms(loop, until_ns));
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	loop->now_ns = clock_ns();
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	p->nevents = n;
	for (p->at = 0; p->at < p->nevents; p->at++) {
		w = p->events[p->at].data.ptr;
		if (w)		/* NULL: the wake-up, or struck */
			w->fn(w->arg, p->events[p->at].events);
	}
	p->nevents = 0;
	return 0;
}

static void epoll_ops_wake(struct loop *loop)
{
	struct poller *p = loop->backend;
	uint64_t one = 1;

	while (write(p->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void epoll_ops_wallclock(struct loop *loop, int64_t *ret_sec, uint32_t *ret_nsec)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	*ret_sec = ts.tv_sec;
	*ret_nsec = (uint32_t)ts.tv_nsec;
}

static void get_random(void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = getrandom(buf, len, 0);
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			buf = (char *)buf + n;
			len -= (size_t)n;
		}
	}
}

static void epoll_ops_random(struct loop *loop, void *buf, size_t len)
{
	struct poller *p = loop->backend;

	if (len > sizeof(p->random) / 4) {
		get_random(buf, len);
		return;
	}
	if (p->random_left < len) {
		get_random(p->random, sizeof(p->random));
		p->random_left = sizeof(p->random);
	}
	p->random_left -= len;
	memcpy(buf, p->random + p->random_left, len);
	explicit_bzero(p->random + p->random_left, len);
}

static void epoll_ops_fini(struct loop *loop)
{
	struct poller *p = loop->backend;

	close(p->wake_fd);
	close(p->epoll_fd);
	free(p);
}

static const struct loop_ops epoll_ops = {
	.wait = epoll_ops_wait,
	.wake = epoll_ops_wake,
	.wallclock = epoll_ops_wallclock,
	.random = epoll_ops_random,
	.offload = offload_run,
	.connect = epoll_connect,
	.listen = epoll_listen,
	.fini = epoll_ops_fini,
};

static struct poller *poller_new(void)
{
	struct epoll_event wake = { .events = EPOLLIN | EPOLLET };	/* edge: nobody has to read the counter */
	struct poller *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->epoll_fd >= 0 && p->wake_fd >= 0 && epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &wake) == 0)
		return p;
	if (p->epoll_fd >= 0)
		close(p->epoll_fd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	free(p);
	return NULL;
}

struct loop *loop_new(const struct loop_limits *limits)
{
	struct poller *p = poller_new();
	struct loop *loop = p ? malloc(sizeof(*loop)) : NULL;

	if (!loop) {
		free(p);
		return NULL;
	}
	loop_init(loop, &epoll_ops, limits);
	loop->backend = p;
	loop->now_ns = clock_ns();
	return loop;
}

/* --- watches. One without events is not in the epoll set: epoll would report its errors for ever --- */

static int control(struct watch *w, int op, uint32_t events)
{
	struct poller *p = w->loop->backend;
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(p->epoll_fd, op, w->fd, &ev) < 0 ? -errno : 0;
}

int watch_add(struct loop *loop, struct watch *w)
{
	if (loop_is_sim(loop))
		return -ENOTSUP;
	w->loop = loop;
	return w->events ? control(w, EPOLL_CTL_ADD, w->events) : 0;
}

int watch_change(struct watch *w, uint32_t events)
{
	int op = !events ? EPOLL_CTL_DEL : !w->events ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	int ret;

	if (events == w->events)
		return 0;
	ret = control(w, op, events);
	if (!ret)
		w->events = events;
	return ret;
}

void watch_remove(struct watch *w)
{
	struct poller *p = w->loop->backend;
	int i;

	watch_change(w, 0);
	for (i = p->at + 1; i < p->nevents; i++)
		if (p->events[i].data.ptr == w)
			p->events[i].data.ptr = NULL;
}

bool loop_is_sim(const struct loop *loop)
{
	return loop->ops != &epoll_ops;
}
