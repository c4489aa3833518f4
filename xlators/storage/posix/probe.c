/* xlators/storage/posix/probe.c: see probe.h. A question is: does the path still lead to the directory, and does the disk below it take a
 * write, store it, and give it back? */
#include "xlators/storage/posix/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEALTH_FILE ".glusterfs/health_check"

struct probe {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned refs;		/* the owner and the thread */
	bool asked, leaving;
	struct probe_answer answer;
	char *path;
	int root_fd;
};

static void probe_unref(struct probe *p)
{
	unsigned left;

	pthread_mutex_lock(&p->lock);
	left = --p->refs;
	pthread_mutex_unlock(&p->lock);
	if (left)
		return;
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	close(p->root_fd);
	free(p->path);
	free(p);
}

static int failed(struct probe_answer *a, int err, const char *what)
{
	a->err = err ? err : -EIO;
	snprintf(a->what, sizeof(a->what), "%s: %s", what, strerror(-a->err));
	return a->err;
}

static int check_path(const struct probe *p, struct probe_answer *a)
{
	struct stat own, there;

	if (fstat(p->root_fd, &own) < 0)
		return failed(a, -errno, "the directory cannot be looked at");
	if (stat(p->path, &there) < 0) {
		a->gone = errno == ENOENT || errno == ENOTDIR;
		return failed(a, -errno, a->gone ? "the directory is gone" : "the directory cannot be looked at");
	}
	if (there.st_dev == own.st_dev && there.st_ino == own.st_ino)
		return 0;
	a->gone = true;
	a->err = -ESTALE;
	snprintf(a->what, sizeof(a->what), "the directory is gone: another one, on %s file system, has its path",
		 there.st_dev == own.st_dev ? "the same" : "another");
	return -ESTALE;
}

/* `YYYY-MM-DD hh:mm:ss +zzzz`, rewritten in place; read back from the disk, not from memory. */
static int check_file(int fd, struct probe_answer *a)
{
	char text[32], back[32];
	time_t now = time(NULL);
	struct tm tm;
	ssize_t len;

	localtime_r(&now, &tm);
	errno = 0;
	len = (ssize_t)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	if (pwrite(fd, text, (size_t)len, 0) != len)
		return failed(a, -errno, "a write failed");
	if (fdatasync(fd) < 0)
		return failed(a, -errno, "a flush failed");
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (pread(fd, back, (size_t)len, 0) != len)
		return failed(a, -errno, "a read failed");
	return memcmp(text, back, (size_t)len) ? failed(a, -EIO, "a read returned other data than was written") : 0;
}

/* Without room there is nothing to be learnt, but nothing is broken. */
static bool is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

static void ask_disk(const struct probe *p, struct probe_answer *a)
{
	int fd;

	memset(a, 0, sizeof(*a));
	if (check_path(p, a) < 0)
		return;
	fd = openat(p->root_fd, HEALTH_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0) {
		failed(a, -errno, "the health check's file cannot be opened");
	} else {
		check_file(fd, a);
		close(fd);
	}
	if (is_full(a->err))
		a->err = 0;
}

static void *probe_main(void *arg)
{
	struct probe *p = arg;
	struct probe_answer answer;

	pthread_mutex_lock(&p->lock);
	while (!p->leaving) {
		if (!p->asked) {
			pthread_cond_wait(&p->wake, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		ask_disk(p, &answer);
		pthread_mutex_lock(&p->lock);
		p->answer = answer;
		p->asked = false;
	}
	pthread_mutex_unlock(&p->lock);
	probe_unref(p);
	return NULL;
}

int probe_new(const char *path, int root_fd, struct probe **ret_probe)
{
	struct probe *p = calloc(1, sizeof(*p));
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->refs = 2;
	p->path = strdup(path);
	p->root_fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = !p->path ? -ENOMEM : p->root_fd < 0 ? -errno : 0;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (ret == 0)
		ret = -pthread_create(&thread, &attr, probe_main, p);
	pthread_attr_destroy(&attr);
	if (ret == 0) {
		*ret_probe = p;
		return 0;
	}
	p->refs = 1;
	probe_unref(p);
	return ret;
}

void probe_ask(struct probe *p)
{
	pthread_mutex_lock(&p->lock);
	p->asked = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

bool probe_answered(struct probe *p, struct probe_answer *ret_answer)
{
	bool answered;

	pthread_mutex_lock(&p->lock);
	answered = !p->asked;
	if (answered)
		*ret_answer = p->answer;
	pthread_mutex_unlock(&p->lock);
	return answered;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->leaving = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	probe_unref(p);
}
