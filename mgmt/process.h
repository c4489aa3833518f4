/* mgmt/process.h: a daemon of this host: started or taken over, watched, started again with backoff when it dies, stopped.
 *
 * One that an earlier manager left running is recognised by its pid file, which it keeps locked, and by its command line. Start and stop of a
 * process are the only way in which a manager touches one. */
#ifndef MGMT_PROCESS_H
#define MGMT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/coroutine.h"

struct loop;
struct process;

enum process_state { PROCESS_RUNNING, PROCESS_DEAD, PROCESS_STOPPING };	/* dead: it will be started again */

struct process_conf {
	struct loop *loop;
	const char *name;		/* for the log: "brick h1:/b/1 of demo" */
	const char *pid_file, *log_file;
	/* NULL-terminated; argv[0] is the program's path. Its last output on standard error, or in @log_file, is why it died */
	const char *const *argv;
	void (*changed)(void *user);	/* it died or was started again; never parks. May be NULL */
	void *user;
};

/* Copies @conf; starts it, or takes over the one that runs. Never NULL; that it could not be started shows as PROCESS_DEAD. */
struct process *process_new(const struct process_conf *conf);
/* SIGTERM, and SIGKILL when it has not ended after @patience_ms; frees. */
void coroutine_fn process_stop(struct process *p, unsigned patience_ms);
void process_leave(struct process *p);		/* frees; the daemon runs on */
/* One that is dead is started again at once: what made it die may be over. */
void process_hurry(struct process *p);
int process_signal(struct process *p, int signo);	/* 0, -ESRCH */

enum process_state process_state(const struct process *p);
pid_t process_pid(const struct process *p);	/* 0 when it does not run */
unsigned process_restarts(const struct process *p);	/* since this manager runs */
const char *process_reason(const struct process *p);	/* why it died last, "" when it has not */
bool process_was_adopted(const struct process *p);
/* The word behind @option on the command line of the running process (a brick's --port), into @buf. false when there is none. */
bool process_argument(const struct process *p, const char *option, char *buf, size_t size);
/* The same for a process that an earlier manager left, before it is taken over. */
bool process_left_argument(const char *pid_file, const char *option, char *buf, size_t size);

/* Runs a program to its end; its output, at most @max bytes, malloc'ed with a NUL behind it. The exit status, or -errno; -ETIMEDOUT kills it. */
int coroutine_fn process_run(struct loop *loop, const char *const *argv, unsigned patience_ms, size_t max, char **ret_output);

#endif
