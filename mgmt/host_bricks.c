/* mgmt/host_bricks.c: this host's bricks: which should run, on which port, by which volfile.
 *
 * A brick's port is chosen when it is started first and stays while its process does; clients ask for it (portmap). */
#include "mgmt/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/document.h"
#include "mgmt/options.h"
#include "mgmt/patience.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "rpc/rpc.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define PROBE_NS    20000000ull
#define CONNECT_NS  1000000000ull
#define DISK_NS     1000000000ull
#define PATIENCE_MS 25000
#define ID_MAX      200 /* of a file's name: what is longer ends in a number of its own */
#define LAST_PORT   60999

struct host_brick *host_brick_find(const struct manager *m, const char *volume, const char *path)
{
	struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		if ((!volume || strcmp(b->volume, volume) == 0) && strcmp(b->path, path) == 0)
			return b;
	return NULL;
}

bool host_bricks_online(const struct manager *m, const char *volume)
{
	const struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		if ((!volume || strcmp(b->volume, volume) == 0) && (b->stopping || !b->online))
			return false;
	return true;
}

/* --- is it there yet? --- */

struct listening {
	pid_t pid;
	uint16_t port;
};

static int is_listening_blocking(void *arg)
{
	const struct listening *l = arg;

	return rpc_listens(l->pid, l->port);
}

/* One attempt. Somebody else may have the port: he must not get what is for our process. */
static bool coroutine_fn accepts(struct manager *m, uint16_t port, pid_t pid)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct listening l = { pid, port };
	uint64_t old = co_set_deadline(loop_now_ns(m->loop) + CONNECT_NS);
	struct stream *s = NULL;
	bool connected = stream_connect(m->loop, (struct sockaddr *)&to, NULL, &s) == 0;

	co_restore_deadline(old);
	if (connected)
		stream_close(s);
	return connected && loop_offload(is_listening_blocking, &l);
}

bool coroutine_fn await_port(struct manager *m, const uint16_t *port, struct process *const *alive)
{
	while (!m->stopping && *alive && process_state(*alive) == PROCESS_RUNNING) {
		if (accepts(m, *port, process_pid(*alive)))
			return !m->stopping && *alive && process_state(*alive) == PROCESS_RUNNING;
		if (co_sleep_ns(PROBE_NS) < 0)
			return false;
	}
	return false;
}

static void free_brick(struct host_brick *b)
{
	list_remove(&b->link);
	free(b->volume);
	free(b->path);
	free(b->id);
	free(b->volfile);
	daemon_said_clear(&b->said);
	free(b);
}

static void coroutine_fn probe(void *arg)
{
	struct host_brick *b = arg;
	struct manager *m = b->manager;
	bool answers;

	if (!co_gate_enter(&m->background)) {
		b->probing = false;
		return;
	}
	answers = await_port(m, &b->port, &b->process);
	b->probing = false;
	if (b->ended) { /* it was stopped meanwhile */
		free_brick(b);
	} else if (answers && !b->stopping) {
		b->online = true;
		log_notice("brick is online", "volume=%s brick=%s port=%u", b->volume, log_quote(b->path), b->port);
	}
	reconcile_moved(m);
	co_gate_leave(&m->background);
}

static void begin_probe(struct host_brick *b)
{
	if (b->probing || process_state(b->process) != PROCESS_RUNNING)
		return;
	b->probing = true;
	if (!co_start(b->manager->loop, probe, b))
		b->probing = false;
}

static bool port_is_lost(const struct host_brick *b);

static void brick_changed(void *arg)
{
	struct host_brick *b = arg;

	b->online = false;
	daemon_said_clear(&b->said);
	if (b->process)
		begin_probe(b);
	if (port_is_lost(b))
		reconcile_wanted(b->manager);
	reconcile_moved(b->manager);
}

/* --- ports --- */

/* By a brick other than @own. */
static bool port_is_taken(const struct manager *m, uint16_t port, const struct host_brick *own)
{
	const struct host_brick *b;
	const struct signed_in *s;

	list_for_each_entry(b, &m->bricks, link)
		if (b != own && b->port == port)
			return true;
	list_for_each_entry(s, &m->signed_in, link)
		if (s->port == port)
			return true;
	return false;
}

static bool can_bind(const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool is_free;

	if (fd < 0)
		return addr->sa_family == AF_INET6; /* a host without it */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	is_free = bind(fd, addr, len) == 0 || errno == EADDRNOTAVAIL;
	close(fd);
	return is_free;
}

static bool port_is_free(uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	return can_bind((struct sockaddr *)&v4, sizeof(v4)) && can_bind((struct sockaddr *)&v6, sizeof(v6));
}

/* Its process is dead, and another one has taken its port meanwhile: it would die again and again. */
static bool port_is_lost(const struct host_brick *b)
{
	return b->process && process_state(b->process) == PROCESS_DEAD && process_pid(b->process) == 0 && !port_is_free(b->port);
}

/* 0 when there is none. */
static uint16_t choose_port(const struct manager *m)
{
	unsigned port;

	for (port = (unsigned)m->conf.brick_ports; port <= LAST_PORT; port++)
		if (!port_is_taken(m, (uint16_t)port, NULL) && port_is_free((uint16_t)port))
			return (uint16_t)port;
	return 0;
}

/* --- files --- */

static uint32_t fold(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

char *host_brick_id(const char *volume, const char *path)
{
	char *dashes = need(malloc(strlen(path) + 1)), *id;

	brick_path_dashes(path, dashes, (unsigned)strlen(path) + 1);
	if (strlen(volume) + 1 + strlen(dashes) <= ID_MAX)
		id = format("%s-%s", volume, dashes);
	else
		id = format("%.60s-%.120s-%08x", volume, dashes, fold(path));
	free(dashes);
	return id;
}

/* Which disk each brick of a volume here is on, as far as that can be told in time. */
struct looking {
	char **paths; /* NULL: on another host */
	dev_t *disks;
	unsigned n;
};

static int look_blocking(void *job)
{
	struct looking *l = job;
	struct stat st;
	unsigned i;

	for (i = 0; i < l->n; i++)
		if (l->paths[i] && stat(l->paths[i], &st) == 0)
			l->disks[i] = st.st_dev;
	return 0;
}

static void free_looking(void *job)
{
	struct looking *l = job;
	unsigned i;

	for (i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
	free(l->disks);
	free(l);
}

static unsigned on_disk(const struct looking *l, dev_t disk)
{
	unsigned n = 0, i;

	for (i = 0; disk && i < l->n; i++)
		n += l->disks[i] == disk;
	return n;
}

void coroutine_fn host_bricks_shared(struct manager *m, const struct volume *v, unsigned **ret_shared)
{
	static const struct patient_job kind = { look_blocking, NULL, free_looking };
	struct looking *l = need(calloc(1, sizeof(*l)));
	unsigned n = v->nbricks, i;
	bool left;
	int ret;

	*ret_shared = need(calloc(n + 1, sizeof(unsigned)));
	*l = (struct looking){ need(calloc(n + 1, sizeof(char *))), need(calloc(n + 1, sizeof(dev_t))), n };
	for (i = 0; i < n; i++)
		if (strcmp(v->bricks[i].host_id, m->uuid) == 0)
			l->paths[i] = need(strdup(v->bricks[i].path));
	ret = patiently(m->loop, &kind, l, DISK_NS, &left);
	if (left) {
		if (ret == -ETIMEDOUT)
			log_warning("the disk of a brick does not answer", "volume=%s", v->name);
		return;
	}
	for (i = 0; i < n; i++)
		(*ret_shared)[i] = on_disk(l, l->disks[i]);
	free_looking(l);
}

char *host_brick_volfile(const struct manager *m, const struct volume *v, unsigned brick, unsigned shared)
{
	struct brick_facts facts = {
		.host_uuid = m->uuid,
		.shared_brick_count = shared ? shared : 1,
		.tls = manager_tls(m),
	};

	return volfile_for_brick(v, brick, &facts);
}

struct writing {
	const char *path, *text;
};

static int write_blocking(void *arg)
{
	struct writing *w = arg;

	return file_replace(w->path, w->text, strlen(w->text), 0600);
}

/* Named by the port, since the id may be longer than a socket's name. */
char *host_brick_control(const struct manager *m, uint16_t port)
{
	return format("%s/bricks/%u.control", m->conf.run_dir, port);
}

/* --- match --- */

static void launch(struct host_brick *b, const struct volume *v)
{
	struct manager *m = b->manager;
	char *volfile = format("%s/bricks/%s.vol", m->conf.run_dir, b->id), *pid = format("%s/bricks/%s.pid", m->conf.run_dir, b->id);
	char *log = format("%s/bricks/%s.log", m->conf.log_dir, b->id), *name = format("brick %s of %s", b->path, b->volume);
	const char *level = volume_option_effective(v, "diagnostics.brick-log-level");
	char *state = format("%s/bricks/%s.state", m->conf.run_dir, b->id), *control, left[8] = "", port[8];
	const char *argv[] = {
		m->conf.brick_program,     "--volfile", volfile, "--port", port, "--pid-file", pid, "--log-file", log, "--log-level",
		*level ? level : "notice", "--state-file", state, "--control", NULL, NULL
	};
	struct process_conf conf = { m->loop, name, pid, log, argv, brick_changed, b };

	if (process_left_argument(pid, "--port", left, sizeof(left)))
		b->port = (uint16_t)strtoul(left, NULL, 10);
	if (!b->port || port_is_taken(m, b->port, b))
		b->port = choose_port(m);
	snprintf(port, sizeof(port), "%u", b->port);
	argv[sizeof(argv) / sizeof(argv[0]) - 2] = control = host_brick_control(m, b->port);
	b->process = process_new(&conf);
	begin_probe(b);
	free(volfile);
	free(pid);
	free(log);
	free(name);
	free(state);
	free(control);
}

/* The brick runs, or is started, with the volfile that the volume has now. */
static void coroutine_fn match_one(struct manager *m, struct host_brick *b, struct volume *v, unsigned brick)
{
	char *path = format("%s/bricks/%s.vol", m->conf.run_dir, b->id), *text = host_brick_volfile(m, v, brick, b->shared);
	struct writing w = { path, text };
	int ret = 0;

	if (!b->volfile || strcmp(b->volfile, text) != 0) {
		ret = loop_offload(write_blocking, &w);
		if (ret == 0 && b->process)
			process_signal(b->process, SIGHUP);
		free(b->volfile);
		b->volfile = ret == 0 ? need(strdup(text)) : NULL;
	}
	if (ret < 0) {
		log_error("a brick's volfile cannot be written; it is tried again", "file=%s reason=\"%s\"", log_quote(path), strerror(-ret));
		m->unfinished = true;
	} else if (port_is_lost(b)) {
		log_warning("another process has taken the port of a brick: it gets another one", "volume=%s brick=%s port=%u", b->volume,
			    log_quote(b->path), b->port);
		process_leave(b->process);
		b->process = NULL;
		b->port = 0;
	}
	if (!b->process && ret == 0)
		launch(b, v);
	else if (b->process && b->version != v->version)	/* also "start force": somebody has done something about it */
		process_hurry(b->process);
	b->version = v->version;
	free(text);
	free(path);
}

static struct host_brick *add(struct manager *m, const char *volume, const char *path)
{
	struct host_brick *b = need(calloc(1, sizeof(*b)));

	b->manager = m;
	b->volume = need(strdup(volume));
	b->path = need(strdup(path));
	b->id = host_brick_id(volume, path);
	list_append(&m->bricks, &b->link);
	return b;
}

static void coroutine_fn stop_one(void *arg)
{
	struct host_brick *b = arg;
	struct manager *m = b->manager;
	struct process *p = b->process;
	bool entered = co_gate_enter(&m->background);

	b->stopping = true;
	b->process = NULL; /* nobody else may touch it from here on */
	process_stop(p, PATIENCE_MS);
	b->ended = true;
	if (!b->probing) /* else the probe frees it */
		free_brick(b);
	reconcile_wanted(m); /* it may be wanted again by now */
	reconcile_moved(m);
	if (entered)
		co_gate_leave(&m->background);
}

/* False: there was no room for a coroutine, and nothing has been done. */
static bool begin_stop(struct host_brick *b)
{
	b->online = false;
	if (b->process) {
		b->stopping = true;
		if (!co_start(b->manager->loop, stop_one, b))
			b->stopping = false;
		return b->stopping;
	}
	b->stopping = b->ended = true; /* it never ran */
	if (!b->probing)
		free_brick(b);
	return true;
}

static bool has_brick_here(const struct manager *m, const struct volume *v)
{
	unsigned i;

	for (i = 0; i < v->nbricks && strcmp(v->bricks[i].host_id, m->uuid) != 0; i++)
		;
	return i < v->nbricks;
}

/* A volume is looked up anew after every park: it may have changed or gone. */
static void coroutine_fn match_volume(struct manager *m, const char *name)
{
	const struct known_volume *k = known_volume(m, name);
	struct volume *v = k && k->v && k->v->state == VOLUME_STARTED ? volume_copy(k->v) : NULL;
	struct host_brick *b;
	unsigned *shared = NULL, i;

	if (v && has_brick_here(m, v))
		host_bricks_shared(m, v, &shared);
	for (i = 0; shared && i < v->nbricks && !m->stopping; i++) {
		if (strcmp(v->bricks[i].host_id, m->uuid) != 0)
			continue;
		b = host_brick_find(m, name, v->bricks[i].path);
		if (!b)
			b = add(m, name, v->bricks[i].path);
		b->wanted = true;
		if (shared[i])
			b->shared = shared[i];
		if (!b->stopping) /* else when it has ended */
			match_one(m, b, v, i);
	}
	free(shared);
	volume_free(v);
}

void coroutine_fn host_bricks_match(struct manager *m)
{
	struct host_brick *b, *next;
	unsigned i, n = m->nvolumes;
	char **names = need(calloc(n + 1, sizeof(char *)));

	list_for_each_entry(b, &m->bricks, link)
		b->wanted = false;
	for (i = 0; i < n; i++)
		names[i] = need(strdup(m->volumes[i].name));
	for (i = 0; i < n; i++) {
		match_volume(m, names[i]);
		free(names[i]);
	}
	free(names);
	list_for_each_entry_safe(b, next, &m->bricks, link)
		if (!b->wanted && !b->stopping && !m->stopping && !begin_stop(b))
			m->unfinished = true;
}

/* --- the end --- */

static struct host_brick *first_not_stopping(const struct manager *m)
{
	struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		if (!b->stopping)
			return b;
	return NULL;
}

void coroutine_fn host_bricks_stop(struct manager *m)
{
	struct host_brick *b;

	while ((b = first_not_stopping(m)))
		if (!begin_stop(b))
			stop_one(b);
	while (!list_empty(&m->bricks))
		if (co_queue_wait(&m->moved) < 0)
			return;
}

void host_bricks_leave(struct manager *m)
{
	struct host_brick *b, *next;

	list_for_each_entry_safe(b, next, &m->bricks, link) {
		if (b->process)
			process_leave(b->process);
		free_brick(b);
	}
}
