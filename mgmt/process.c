/* mgmt/process.c: see process.h. A process is watched by a descriptor of its own (pidfd), so that one that is not our child can be
 * watched, too. */
#include "mgmt/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mgmt/text.h"
#include "runtime/log.h"
#include "runtime/loop.h"

#define BACKOFF_MIN_NS 250000000ull
#define BACKOFF_MAX_NS 30000000000ull
#define STEADY_NS      60000000000ull /* who has run so long begins at the shortest backoff again */
#define REPLACE_NS 25000000000ull
#define TAIL_SIZE      4096
#define CMDLINE_SIZE   8192

extern char **environ;

struct process {
	struct process_conf conf;
	char **argv;
	enum process_state state;
	pid_t pid;
	bool child, adopted, replacing; /* child: ours to reap; replacing: one with other settings is ending */
	struct watch watch;  /* of the pidfd; fd -1 when there is none */
	struct timer again;
	struct co_wait *ended; /* process_stop() waits */
	uint64_t started_ns, backoff_ns;
	unsigned restarts;
	off_t log_from; /* where this run's output begins */
	char reason[768];
};

/* --- what runs already --- */

/* The pid in a pid file that is locked, so that its daemon lives; 0 when there is none. */
static pid_t pid_file_holder(const char *path)
{
	char text[24] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return 0;
	held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (held && read(fd, text, sizeof(text) - 1) <= 0)
		held = false;
	close(fd);
	return held ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* /proc/PID/cmdline: words with a NUL behind each. Its length, 0 when it cannot be read. */
static size_t read_cmdline(pid_t pid, char *buf, size_t size)
{
	char path[40];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	return (size_t)n;
}

static bool argument_of(pid_t pid, const char *option, char *buf, size_t size)
{
	static char line[CMDLINE_SIZE];
	char *word, *next;
	size_t len = pid ? read_cmdline(pid, line, sizeof(line)) : 0;

	for (word = line; word < line + len; word = next) {
		next = word + strlen(word) + 1;
		if (strcmp(word, option) == 0 && next < line + len)
			return (size_t)snprintf(buf, size, "%s", next) < size;
	}
	return false;
}

bool process_left_argument(const char *pid_file, const char *option, char *buf, size_t size)
{
	return argument_of(pid_file_holder(pid_file), option, buf, size);
}

bool process_argument(const struct process *p, const char *option, char *buf, size_t size)
{
	return argument_of(p->pid, option, buf, size);
}

/* The same words, whatever path the program has by now. */
static bool same_command(const struct process *p, pid_t pid)
{
	static char line[CMDLINE_SIZE];
	char *word = line;
	size_t len = read_cmdline(pid, line, sizeof(line));
	unsigned i;

	for (i = 0; p->argv[i]; i++, word += strlen(word) + 1)
		if (word >= line + len || (i && strcmp(word, p->argv[i]) != 0))
			return false;
	return word == line + len;
}

/* --- its life --- */

static void start(struct process *p);
static void begin(struct process *p);

static void say_changed(struct process *p)
{
	if (p->conf.changed)
		p->conf.changed(p->conf.user);
}

/* The last line that it wrote, without the time and the program's name before the message. */
static void read_last_words(struct process *p, char *buf, size_t size)
{
	static char tail[TAIL_SIZE];
	char *line, *message;
	int fd = open(p->conf.log_file, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = end > TAIL_SIZE - 1 ? end - (TAIL_SIZE - 1) : 0;
	ssize_t n;

	buf[0] = 0;
	if (fd < 0)
		return;
	if (from < p->log_from && p->log_from <= end)
		from = p->log_from;
	n = pread(fd, tail, TAIL_SIZE - 1, from);
	close(fd);
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	tail[n] = 0;
	line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	message = strstr(line, "]: ");
	snprintf(buf, size, "%.*s", (int)size - 1, message ? message + 3 : line);
}

static void note_death(struct process *p, const char *how)
{
	char words[640];

	read_last_words(p, words, sizeof(words));
	snprintf(p->reason, sizeof(p->reason), "%s%s%s", how, words[0] ? "; it said last: " : "", words);
}

/* By the descriptor: the number may be another process's by the time we hear of the end of one that is not our child. */
static int send_signal(const struct process *p, int signo)
{
	return pidfd_send_signal(p->watch.fd, signo, NULL, 0) < 0 ? -errno : 0;
}

static void forget_pid(struct process *p)
{
	if (p->watch.fd >= 0) {
		watch_remove(&p->watch);
		close(p->watch.fd);
	}
	p->watch.fd = -1;
	p->pid = 0;
}

static void died(struct process *p, const char *how)
{
	uint64_t now = loop_now_ns(p->conf.loop);

	forget_pid(p);
	if (p->replacing) {
		timer_cancel(&p->again);
		begin(p);
		return;
	}
	if (p->state == PROCESS_STOPPING) {
		if (p->ended)
			co_wake(p->ended, 0);
		return;
	}
	note_death(p, how);
	if (now - p->started_ns > STEADY_NS)
		p->backoff_ns = BACKOFF_MIN_NS;
	p->state = PROCESS_DEAD;
	log_error("a daemon has died and is started again", "what=%s in_ms=%u reason=%s", log_quote(p->conf.name),
		  (unsigned)(p->backoff_ns / 1000000), log_quote(p->reason));
	timer_arm(p->conf.loop, &p->again, now + p->backoff_ns);
	p->backoff_ns = p->backoff_ns * 2 > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : p->backoff_ns * 2;
	say_changed(p);
}

static void describe_end(int status, char *buf, size_t size)
{
	if (WIFEXITED(status))
		snprintf(buf, size, "it ended with status %d", WEXITSTATUS(status));
	else
		snprintf(buf, size, "it was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

static void on_exit_of(void *arg, uint32_t events)
{
	struct process *p = arg;
	char how[96] = "it ended";
	int status;

	if (p->child && waitpid(p->pid, &status, WNOHANG) == p->pid)
		describe_end(status, how, sizeof(how));
	died(p, how);
}

static int watch_pid(struct process *p, pid_t pid, bool child)
{
	int ret;

	p->watch = (struct watch){ p->conf.loop, pidfd_open(pid, 0), EPOLLIN, on_exit_of, p };
	if (p->watch.fd < 0)
		return -errno;
	fcntl(p->watch.fd, F_SETFD, FD_CLOEXEC);
	ret = watch_add(p->conf.loop, &p->watch);
	if (ret < 0) {
		close(p->watch.fd);
		p->watch.fd = -1;
		return ret;
	}
	p->pid = pid;
	p->child = child;
	p->state = PROCESS_RUNNING;
	p->started_ns = loop_now_ns(p->conf.loop);
	return 0;
}

/* Ours without the service manager's socket: when we are ready is for us to tell, not for a brick. */
static char **environment(void)
{
	unsigned n = 0, i;
	char **env;

	while (environ[n])
		n++;
	env = need(calloc(n + 1, sizeof(char *)));
	for (i = n = 0; environ[i]; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[n++] = environ[i];
	return env;
}

/* All signals as a program expects them, a session of its own, input from nowhere. @out: what becomes of its output. */
static int spawn(const char *const *argv, const char *log_file, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char **env = environment();
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	if (log_file)
		posix_spawn_file_actions_addopen(&files, 1, log_file, O_WRONLY | O_CREAT | O_APPEND, 0640);
	else
		posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3); /* also what a library forgot to close at exec */
	ret = posix_spawn(ret_pid, argv[0], &files, &attr, (char *const *)argv, env);
	free(env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -ret;
}

static void start(struct process *p)
{
	int fd = open(p->conf.log_file, O_RDONLY | O_CLOEXEC), ret;
	char how[512];
	pid_t pid;

	p->log_from = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (fd >= 0)
		close(fd);
	ret = spawn((const char *const *)p->argv, p->conf.log_file, -1, &pid);
	if (ret == 0)
		ret = watch_pid(p, pid, true);
	p->started_ns = loop_now_ns(p->conf.loop);
	if (ret == 0)
		return;
	snprintf(how, sizeof(how), "%.300s cannot be started: %s", p->argv[0], strerror(-ret));
	p->log_from = (off_t)1 << 62;
	died(p, how);
}

/* For the first time. */
static void begin(struct process *p)
{
	p->replacing = false;
	start(p);
	if (p->state == PROCESS_RUNNING)
		log_notice("a daemon was started", "what=%s pid=%d", log_quote(p->conf.name), (int)p->pid);
	say_changed(p);
}

static void start_again(void *arg)
{
	struct process *p = arg;

	if (p->replacing) {		/* it was asked to end, and has not */
		send_signal(p, SIGKILL);
		return;
	}
	p->restarts++;
	start(p);
	if (p->state == PROCESS_RUNNING)
		log_notice("a daemon was started again", "what=%s pid=%d restarts=%u", log_quote(p->conf.name), (int)p->pid, p->restarts);
	say_changed(p);
}

static void copy_conf(struct process *p, const struct process_conf *conf)
{
	unsigned n = 0, i;

	p->conf = *conf;
	p->conf.name = need(strdup(conf->name));
	p->conf.pid_file = need(strdup(conf->pid_file));
	p->conf.log_file = need(strdup(conf->log_file));
	while (conf->argv[n])
		n++;
	p->argv = need(calloc(n + 1, sizeof(char *)));
	for (i = 0; i < n; i++)
		p->argv[i] = need(strdup(conf->argv[i]));
}

struct process *process_new(const struct process_conf *conf)
{
	struct process *p = need(calloc(1, sizeof(*p)));
	pid_t pid;

	copy_conf(p, conf);
	p->watch.fd = -1;
	p->backoff_ns = BACKOFF_MIN_NS;
	timer_init(&p->again, start_again, p);
	pid = pid_file_holder(p->conf.pid_file);
	if (pid && same_command(p, pid) && watch_pid(p, pid, false) == 0) {
		p->adopted = true;
		log_notice("a daemon that runs already is taken over", "what=%s pid=%d", log_quote(p->conf.name), (int)pid);
		return p;
	}
	if (pid && watch_pid(p, pid, false) == 0) { /* from other settings: its end makes room */
		log_notice("a daemon with other settings is stopped first", "what=%s pid=%d", log_quote(p->conf.name), (int)pid);
		p->replacing = true;
		p->state = PROCESS_DEAD;
		send_signal(p, SIGTERM);
		timer_arm(p->conf.loop, &p->again, loop_now_ns(p->conf.loop) + REPLACE_NS);
		return p;
	}
	begin(p);
	return p;
}

void process_leave(struct process *p)
{
	unsigned i;

	timer_cancel(&p->again);
	forget_pid(p);
	for (i = 0; p->argv[i]; i++)
		free(p->argv[i]);
	free(p->argv);
	free((char *)p->conf.name);
	free((char *)p->conf.pid_file);
	free((char *)p->conf.log_file);
	free(p);
}

static void coroutine_fn await_end(struct process *p, unsigned patience_ms)
{
	struct co_wait wait = CO_WAIT_INIT;
	uint64_t old;

	if (!p->pid)
		return;
	p->ended = &wait;
	old = co_set_deadline(loop_now_ns(p->conf.loop) + patience_ms * 1000000ull);
	co_park(&wait);
	co_restore_deadline(old);
	p->ended = NULL;
}

void coroutine_fn process_stop(struct process *p, unsigned patience_ms)
{
	timer_cancel(&p->again);
	p->state = PROCESS_STOPPING;
	p->replacing = false; /* nothing is to follow the one that is ending */
	if (p->pid) {
		send_signal(p, SIGTERM);
		await_end(p, patience_ms);
	}
	if (p->pid) {
		log_warning("a daemon does not end and is killed", "what=%s pid=%d", log_quote(p->conf.name), (int)p->pid);
		send_signal(p, SIGKILL);
		await_end(p, 5000);
	}
	log_notice("a daemon was stopped", "what=%s", log_quote(p->conf.name));
	process_leave(p);
}

void process_hurry(struct process *p)
{
	if (p->state != PROCESS_DEAD || p->replacing)
		return;
	p->backoff_ns = BACKOFF_MIN_NS;
	timer_arm(p->conf.loop, &p->again, loop_now_ns(p->conf.loop));
}

int process_signal(struct process *p, int signo)
{
	return p->pid ? send_signal(p, signo) : -ESRCH;
}

enum process_state process_state(const struct process *p)
{
	return p->state;
}
pid_t process_pid(const struct process *p)
{
	return p->pid;
}
unsigned process_restarts(const struct process *p)
{
	return p->restarts;
}
const char *process_reason(const struct process *p)
{
	return p->reason;
}
bool process_was_adopted(const struct process *p)
{
	return p->adopted;
}

/* --- to its end --- */

struct run {
	struct loop *loop;
	struct co_wait wait;
	struct watch out, end;
	char *text;
	size_t len, max;
};

/* Reads until the program's end of the pipe is closed. */
static void on_output(void *arg, uint32_t events)
{
	static char spill[4096];
	struct run *r = arg;
	bool room = r->len < r->max;
	ssize_t n = read(r->out.fd, room ? r->text + r->len : spill, room ? r->max - r->len : sizeof(spill));

	if (n > 0 && room)
		r->len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		co_wake(&r->wait, 0);
}

static void on_end(void *arg, uint32_t events)
{
	struct run *r = arg;

	co_wake(&r->wait, 0);
}

/* Parks until the descriptor of @w has said what is waited for. */
static int coroutine_fn await_watch(struct run *r, struct watch *w)
{
	int ret = watch_add(r->loop, w);

	if (ret < 0)
		return ret;
	r->wait = (struct co_wait)CO_WAIT_INIT;
	ret = co_park(&r->wait);
	watch_remove(w);
	return ret;
}

static int coroutine_fn run_to_end(struct run *r, unsigned patience_ms)
{
	uint64_t old = co_set_deadline(loop_now_ns(r->loop) + patience_ms * 1000000ull);
	int ret = await_watch(r, &r->out);

	if (ret == 0)
		ret = await_watch(r, &r->end);
	co_restore_deadline(old);
	return ret;
}

static int spawn_piped(struct run *r, const char *const *argv, pid_t *ret_pid)
{
	int pipes[2], ret;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	fcntl(pipes[1], F_SETFL, 0);
	ret = spawn(argv, NULL, pipes[1], ret_pid);
	close(pipes[1]);
	if (ret < 0) {
		close(pipes[0]);
		return ret;
	}
	r->out = (struct watch){ r->loop, pipes[0], EPOLLIN, on_output, r };
	r->end = (struct watch){ r->loop, pidfd_open(*ret_pid, 0), EPOLLIN, on_end, r };
	return 0;
}

int coroutine_fn process_run(struct loop *loop, const char *const *argv, unsigned patience_ms, size_t max, char **ret_output)
{
	struct run r = { .loop = loop, .max = max };
	int ret, status = 0;
	pid_t pid;

	ret = spawn_piped(&r, argv, &pid);
	if (ret < 0)
		return ret;
	r.text = need(malloc(max + 1));
	ret = r.end.fd < 0 ? -EMFILE : run_to_end(&r, patience_ms);
	if (ret < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) /* it has ended, or does so now */
		;
	close(r.out.fd);
	if (r.end.fd >= 0)
		close(r.end.fd);
	if (ret < 0) {
		free(r.text);
		return ret;
	}
	r.text[r.len] = 0;
	*ret_output = r.text;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
