/* runtime/daemon.c: signals through a signalfd, the pid file, and sd_notify's datagram by hand (no library needed for one line). */
#include "runtime/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int pid_file_fd = -1;

static void handled_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, SIGUSR1);
}

void daemon_signals_block(void)
{
	sigset_t set;

	handled_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void signal_ready(void *arg, uint32_t events)
{
	struct daemon_signals *signals = arg;
	struct signalfd_siginfo info;

	while (read(signals->watch.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->fn(signals->arg, (int)info.ssi_signo);
}

int daemon_signals_open(struct loop *loop, struct daemon_signals *signals, void (*fn)(void *arg, int signo), void *arg)
{
	sigset_t set;
	int ret;

	handled_signals(&set);
	memset(signals, 0, sizeof(*signals));
	signals->fn = fn;
	signals->arg = arg;
	signals->watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->watch.fd < 0)
		return -errno;
	signals->watch.events = EPOLLIN;
	signals->watch.fn = signal_ready;
	signals->watch.arg = signals;
	ret = watch_add(loop, &signals->watch);
	if (ret < 0)
		close(signals->watch.fd);
	return ret;
}

void daemon_signals_close(struct daemon_signals *signals)
{
	watch_remove(&signals->watch);
	close(signals->watch.fd);
	signals->watch.fd = -1;
}

void daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = 0;	/* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody listening is the manager's own matter: the daemon runs on. */
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

int daemon_pid_file(const char *path, struct error *err)
{
	char text[16];
	int fd, len, why;

	if (!path)
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set(err, -errno, "cannot write the pid file %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		why = errno;
		close(fd);
		return error_set(err, -why, "the pid file %s is held by a daemon that runs", path);
	}
	len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)len) != len) {
		why = errno;
		close(fd);
		return error_set(err, -why, "cannot write the pid file %s: %s", path, strerror(why));
	}
	pid_file_fd = fd;	/* open for good: the lock says that we live */
	return 0;
}

void daemon_pid_file_remove(const char *path)
{
	if (!path || pid_file_fd < 0)
		return;
	unlink(path);
	close(pid_file_fd);
	pid_file_fd = -1;
}
