/* xlators/storage/posix/health.c: what a brick does by itself: stores times that are newer than on disk, each second; sees that its file
 * system still takes writes, each half minute, and how full it is, each second. A brick whose disk fails says so and serves no more. */
#include "xlators/storage/posix/posix.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

#define TICK_NS 1000000000ull

static int measure(void *arg)
{
	space_measure(arg);
	return 0;
}

/* `YYYY-MM-DD hh:mm:ss +zzzz`, rewritten in place. */
static int write_health(void *arg)
{
	struct posix *px = arg;
	char text[32];
	time_t now = time(NULL);
	struct tm tm;
	size_t len;
	int fd, ret;

	creds_begin();
	localtime_r(&now, &tm);
	len = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	fd = openat(px->handles_fd, "health_check", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	ret = fd < 0 || pwrite(fd, text, len, 0) != (ssize_t)len || fdatasync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	creds_end();
	return ret;
}

static int flush_times(void *arg)
{
	struct posix *px = arg;
	int ret;

	creds_begin();
	ret = mdata_flush_all(px);
	creds_end();
	return ret;
}

static void coroutine_fn health(void *arg)
{
	struct posix *px = arg;
	uint64_t due = loop_now_ns(xl_loop(px->xl));
	bool down = false;

	while (!px->stopping) {
		if (px->nodes.ndirty && loop_offload(flush_times, px) < 0)
			log_warning("times of some objects could not be stored", "directory=%s", log_quote(px->directory));
		if (px->reserve)
			loop_offload(measure, px);
		if (px->health_ms && loop_now_ns(xl_loop(px->xl)) >= due) {
			int ret = loop_offload(write_health, px);

			due = loop_now_ns(xl_loop(px->xl)) + px->health_ms * 1000000;
			if (ret < 0 && !down) {
				down = true;
				log_error("the brick's file system fails; it serves no more until it is repaired and started again",
					  "directory=%s error=\"%s\"", log_quote(px->directory), strerror(-ret));
				xl_notify(px->xl, XL_DOWN, NULL);
			}
		}
		if (co_sleep_ns(TICK_NS) == -ECANCELED)
			break;
	}
	px->health = NULL;
	co_gate_leave(&px->running);
}

void health_start(struct posix *px)
{
	if (!co_gate_enter(&px->running))
		return;
	px->health = co_start(xl_loop(px->xl), health, px);
	if (!px->health)
		co_gate_leave(&px->running);
}
