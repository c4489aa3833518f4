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
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define PROBE_NS    20000000ull
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

bool coroutine_fn await_port(struct manager *m, uint16_t port, struct process *const *alive)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct stream *s;

	while (!m->stopping && *alive && process_state(*alive) == PROCESS_RUNNING) {
		if (stream_connect(m->loop, (struct sockaddr *)&to, NULL, &s) == 0) {
			stream_close(s);
			return true;
		}
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
	answers = await_port(m, b->port, &b->process);
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

static void brick_changed(void *arg)
{
	struct host_brick *b = arg;

	b->online = false;
	if (b->process)
		begin_probe(b);
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

static bool port_is_free(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool is_free;

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	is_free = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	close(fd);
	return is_free;
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

static char *brick_id(const char *volume, const char *path)
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

static unsigned bricks_on_same_disk(const struct manager *m, const struct volume *v, unsigned brick)
{
	struct stat own, other;
	unsigned n = 0, i;

	if (stat(v->bricks[brick].path, &own) < 0)
		return 1;
	for (i = 0; i < v->nbricks; i++)
		if (strcmp(v->bricks[i].host_id, m->uuid) == 0 && stat(v->bricks[i].path, &other) == 0 && other.st_dev == own.st_dev)
			n++;
	return n ? n : 1;
}

char *host_brick_volfile(const struct manager *m, const struct volume *v, unsigned brick)
{
	struct brick_facts facts = {
		.host_uuid = m->uuid,
		
		.shared_brick_count = bricks_on_same_disk(m, v, brick),
		.tls = manager_tls(m),
	};

	return volfile_for_brick(v, brick, &facts);
}

struct writing {
	const struct manager *m;
	const struct volume *v;
	unsigned brick;
	const char *path;
	char *text;
};

/* The disks of bricks are looked at: they may hang. */
static int make_text_blocking(void *arg)
{
	struct writing *w = arg;

	w->text = host_brick_volfile(w->m, w->v, w->brick);
	return 0;
}

static int write_blocking(void *arg)
{
	struct writing *w = arg;

	return file_replace(w->path, w->text, strlen(w->text), 0600);
}

/* --- match --- */

static void launch(struct host_brick *b, const struct volume *v)
{
	struct manager *m = b->manager;
	char *volfile = format("%s/bricks/%s.vol", m->conf.run_dir, b->id), *pid = format("%s/bricks/%s.pid", m->conf.run_dir, b->id);
	char *log = format("%s/bricks/%s.log", m->conf.log_dir, b->id), *name = format("brick %s of %s", b->path, b->volume);
	const char *level = volume_option_effective(v, "diagnostics.brick-log-level");
	char left[8] = "", port[8];
	const char *argv[] = {
		m->conf.brick_program,     "--volfile", volfile, "--port", port, "--pid-file", pid, "--log-file", log, "--log-level",
		*level ? level : "notice", NULL
	};
	struct process_conf conf = { m->loop, name, pid, log, argv, brick_changed, b };

	if (process_left_argument(pid, "--port", left, sizeof(left)))
		b->port = (uint16_t)strtoul(left, NULL, 10);
	if (!b->port || port_is_taken(m, b->port, b))
		b->port = choose_port(m);
	snprintf(port, sizeof(port), "%u", b->port);
	b->process = process_new(&conf);
	begin_probe(b);
	free(volfile);
	free(pid);
	free(log);
	free(name);
}

/* The brick runs, or is started, with the volfile that the volume has now. */
static void coroutine_fn match_one(struct manager *m, struct host_brick *b, struct volume *v, unsigned brick)
{
	char *path = format("%s/bricks/%s.vol", m->conf.run_dir, b->id);
	struct writing w = { m, v, brick, path, NULL };
	int ret;

	loop_offload(make_text_blocking, &w);
	if (!b->volfile || strcmp(b->volfile, w.text) != 0) {
		ret = loop_offload(write_blocking, &w);
		if (ret < 0)
			log_error("a brick's volfile cannot be written", "file=%s reason=\"%s\"", log_quote(path), strerror(-ret));
		if (ret == 0 && b->process)
			process_signal(b->process, SIGHUP);
		free(b->volfile);
		b->volfile = w.text;
		w.text = NULL;
	}
	if (!b->process)
		launch(b, v);
	free(w.text);
	free(path);
}

static struct host_brick *add(struct manager *m, const char *volume, const char *path)
{
	struct host_brick *b = need(calloc(1, sizeof(*b)));

	b->manager = m;
	b->volume = need(strdup(volume));
	b->path = need(strdup(path));
	b->id = brick_id(volume, path);
	list_append(&m->bricks, &b->link);
	return b;
}

static void coroutine_fn stop_one(void *arg)
{
	struct host_brick *b = arg;
	struct manager *m = b->manager;
	struct process *p = b->process;
	bool entered = co_gate_enter(&m->background);

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

static void begin_stop(struct host_brick *b)
{
	b->online = false;
	b->stopping = true;
	if (!b->process || !co_start(b->manager->loop, stop_one, b))
		b->stopping = b->process != NULL;
}

/* A volume is looked up anew after every park: it may have changed or gone. */
static void coroutine_fn match_volume(struct manager *m, const char *name)
{
	const struct known_volume *k = known_volume(m, name);
	struct volume *v = k && k->v && k->v->state == VOLUME_STARTED ? volume_copy(k->v) : NULL;
	struct host_brick *b;
	unsigned i;

	for (i = 0; v && i < v->nbricks; i++) {
		if (strcmp(v->bricks[i].host_id, m->uuid) != 0)
			continue;
		b = host_brick_find(m, name, v->bricks[i].path);
		if (!b)
			b = add(m, name, v->bricks[i].path);
		b->wanted = true;
		if (!b->stopping) /* else when it has ended */
			match_one(m, b, v, i);
	}
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
		if (!b->wanted && !b->stopping)
			begin_stop(b);
}

/* --- the end --- */

void coroutine_fn host_bricks_stop(struct manager *m)
{
	struct host_brick *b, *next;

	list_for_each_entry_safe(b, next, &m->bricks, link)
		if (!b->stopping)
			begin_stop(b);
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
