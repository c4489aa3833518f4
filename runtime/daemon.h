/* runtime/daemon.h: what every daemon of ours does at its edges: signals, pid file, and telling the service manager that it is ready. */
#ifndef RUNTIME_DAEMON_H
#define RUNTIME_DAEMON_H

#include "runtime/error.h"
#include "runtime/loop.h"

struct daemon_signals {			/* lives as long as the loop */
	struct watch watch;
	void (*fn)(void *arg, int signo);	/* on the loop's own stack: start a coroutine for anything that parks */
	void *arg;
};

/* Call first in main(), before any thread starts: SIGTERM, SIGINT, SIGHUP and SIGUSR1 then come by daemon_signals_open() alone; SIGPIPE is
 * ignored. */
void daemon_signals_block(void);
/* Hands these signals to fn(arg, signo). 0 or -errno. */
int daemon_signals_open(struct loop *loop, struct daemon_signals *signals, void (*fn)(void *arg, int signo), void *arg);
void daemon_signals_close(struct daemon_signals *signals);

/* Tells systemd's $NOTIFY_SOCKET ("READY=1", "RELOADING=1", "STOPPING=1"); does nothing when there is none. */
void daemon_notify(const char *state);

/* Writes the pid and keeps the file locked, so that a second daemon with the same file is refused with a sentence. 0 or -errno. @path NULL:
 * nothing to do. Start-up only: it touches the disk. */
int daemon_pid_file(const char *path, struct error *err);
void daemon_pid_file_remove(const char *path);

#endif
