/* mgmt/host_gateway.c: this host's gateway: one process that serves every started volume whose nfs.disable is off.
 *
 * Its directory holds NAME.vol and NAME.key of each volume and one file of exports (`gatehouse-gateway --volumes DIR`). What has
 * changed there is told with SIGHUP. */
#include "mgmt/manager.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/options.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/file.h"
#include "runtime/log.h"

#define PATIENCE_MS 35000

/* What the gateway should serve, as files. */
struct desired {
	const struct manager *m;
	struct host_gateway *g;
	char *exports;
	char **names, **volfiles;
	uint8_t (*keys)[VOLUME_KEY_SIZE];
	unsigned n;
	bool changed;
	int ret;
	char *failed; /* the file that could not be written */
};

static void add_volume(struct desired *d, const struct volume *v, FILE *exports)
{
	char *lines = exports_for_volume(v);

	d->names = need(realloc(d->names, (d->n + 1) * sizeof(char *)));
	d->volfiles = need(realloc(d->volfiles, (d->n + 1) * sizeof(char *)));
	d->keys = need(realloc(d->keys, (d->n + 1) * sizeof(d->keys[0])));
	d->names[d->n] = need(strdup(v->name));
	d->volfiles[d->n] = volfile_for_clients(v, VOLFILE_GATEWAY, manager_tls(d->m));
	memcpy(d->keys[d->n], v->handle_key, VOLUME_KEY_SIZE);
	d->n++;
	fputs(lines, exports);
	free(lines);
}

static void gather(struct desired *d)
{
	size_t size;
	FILE *exports = need(open_memstream(&d->exports, &size));
	unsigned i;

	for (i = 0; i < d->m->nvolumes; i++) {
		const struct volume *v = d->m->volumes[i].v;

		if (v && v->state == VOLUME_STARTED && !volume_option_on(v, "nfs.disable"))
			add_volume(d, v, exports);
	}
	fclose(exports);
	need(d->exports);
}

static void free_names(char **names, char **volfiles, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		free(names[i]);
		free(volfiles[i]);
	}
	free(names);
	free(volfiles);
}

/* --- files --- */

static void put_file(struct desired *d, const char *name, const char *suffix, const void *data, size_t len)
{
	char *path = format("%s/gateway/%s%s", d->m->conf.run_dir, name, suffix);
	int ret = file_replace(path, data, len, 0600);

	if (ret < 0 && !d->failed) {
		d->ret = ret;
		d->failed = path;
		return;
	}
	free(path);
}

static const char *written_volfile(const struct host_gateway *g, const char *name)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		if (strcmp(g->names[i], name) == 0)
			return g->volfiles[i];
	return NULL;
}

static bool is_desired(const struct desired *d, const char *name)
{
	unsigned i;

	for (i = 0; i < d->n; i++)
		if (strcmp(d->names[i], name) == 0)
			return true;
	return false;
}

static void remove_file(struct desired *d, const char *name)
{
	char *path = format("%s/gateway/%s", d->m->conf.run_dir, name);

	unlink(path);
	free(path);
	d->changed = true;
}

/* Files of volumes that are served no more, also those that an earlier manager has left. */
static void remove_others(struct desired *d)
{
	char *path = format("%s/gateway", d->m->conf.run_dir), *dot, *stem;
	struct dirent *entry;
	DIR *dir = opendir(path);

	free(path);
	while (dir && (entry = readdir(dir))) {
		stem = need(strdup(entry->d_name));
		dot = strrchr(stem, '.');
		if (dot && dot != stem && (strcmp(dot, ".vol") == 0 || strcmp(dot, ".key") == 0)) {
			*dot = 0;
			if (!is_desired(d, stem))
				remove_file(d, entry->d_name);
		}
		free(stem);
	}
	if (dir)
		closedir(dir);
}

/* The exports last: they name volumes that must be there. */
static int write_blocking(void *arg)
{
	struct desired *d = arg;
	unsigned i;

	for (i = 0; i < d->n; i++) {
		const char *old = written_volfile(d->g, d->names[i]);

		if (old && strcmp(old, d->volfiles[i]) == 0)
			continue;
		put_file(d, d->names[i], ".key", d->keys[i], VOLUME_KEY_SIZE);
		put_file(d, d->names[i], ".vol", d->volfiles[i], strlen(d->volfiles[i]));
		d->changed = true;
	}
	remove_others(d);
	if (!d->g->exports || strcmp(d->g->exports, d->exports) != 0) {
		put_file(d, "exports", "", d->exports, strlen(d->exports));
		d->changed = true;
	}
	return 0;
}

/* --- the process --- */

static void coroutine_fn probe(void *arg)
{
	struct manager *m = arg;
	uint16_t port = (uint16_t)m->conf.nfs_port;
	bool answers = false;

	if (co_gate_enter(&m->background)) {
		answers = await_port(m, &port, &m->gateway.process);
		co_gate_leave(&m->background);
	}
	m->gateway.probing = false;
	if (answers && m->gateway.process) {
		m->gateway.online = true;
		log_notice("gateway is online", "port=%d volumes=%u", (int)m->conf.nfs_port, m->gateway.n);
	}
	reconcile_moved(m);
}

static void begin_probe(struct manager *m)
{
	if (m->gateway.probing || process_state(m->gateway.process) != PROCESS_RUNNING)
		return;
	m->gateway.probing = true;
	if (!co_start(m->loop, probe, m))
		m->gateway.probing = false;
}

static void gateway_changed(void *arg)
{
	struct manager *m = arg;

	m->gateway.online = false;
	daemon_said_clear(&m->gateway.said);
	if (m->gateway.process)
		begin_probe(m);
	reconcile_moved(m);
}

char *host_gateway_control(const struct manager *m)
{
	return format("%s/gateway.control", m->conf.run_dir);
}

static void launch(struct manager *m)
{
	char *dir = format("%s/gateway", m->conf.run_dir), *pid = format("%s/gateway.pid", m->conf.run_dir);
	char *log = format("%s/gateway.log", m->conf.log_dir), *state = format("%s/gateway.state", m->conf.run_dir);
	char *port = format("%d", (int)m->conf.nfs_port), *control = host_gateway_control(m);
	const char *argv[] = { m->conf.gateway_program,
			       "--volumes",
			       dir,
			       "--port",
			       port,
			       "--pid-file",
			       pid,
			       "--log-file",
			       log,
			       "--state-file",
			       state,
			       "--control",
			       control,
			       m->conf.no_rpcbind ? "--no-rpcbind" : NULL,
			       NULL };
	struct process_conf conf = { m->loop, "gateway", pid, log, argv, gateway_changed, m };

	m->gateway.process = process_new(&conf);
	m->gateway.written_ns = loop_now_ns(m->loop);
	if (process_was_adopted(m->gateway.process))
		process_signal(m->gateway.process, SIGHUP);
	begin_probe(m);
	free(dir);
	free(pid);
	free(log);
	free(state);
	free(port);
	free(control);
}

void coroutine_fn host_gateway_stop(struct manager *m)
{
	struct process *p = m->gateway.process;

	m->gateway.process = NULL;
	m->gateway.online = false;
	if (p)
		process_stop(p, PATIENCE_MS);
	host_gateway_leave(m);
}

void host_gateway_leave(struct manager *m)
{
	struct host_gateway *g = &m->gateway;

	if (g->process)
		process_leave(g->process);
	g->process = NULL;
	daemon_said_clear(&g->said);
	free_names(g->names, g->volfiles, g->n);
	free(g->exports);
	g->names = g->volfiles = NULL;
	g->exports = NULL;
	g->n = 0;
}

/* A volume whose document is damaged, and was when we began: what its exports were stands only in the files that there are. */
static const char *unknown_volume(const struct manager *m)
{
	unsigned i;

	for (i = 0; i < m->nvolumes; i++)
		if (!m->volumes[i].v)
			return m->volumes[i].name;
	return NULL;
}

void coroutine_fn host_gateway_match(struct manager *m)
{
	struct desired d = { .m = m, .g = &m->gateway };

	if (unknown_volume(m)) {
		log_warning("the gateway is left as it is until the volume's document is mended", "volume=%s", unknown_volume(m));
		return;
	}
	gather(&d);
	loop_offload(write_blocking, &d);
	if (d.failed) {
		log_error("the gateway's files cannot be written; it is tried again", "file=%s reason=\"%s\"", log_quote(d.failed),
			  strerror(-d.ret));
		m->unfinished = true;
		if (d.keys)
			explicit_bzero(d.keys, d.n * sizeof(d.keys[0]));
		free(d.keys);
		free(d.failed);
		free(d.exports);
		free_names(d.names, d.volfiles, d.n);
		return;
	}
	free_names(m->gateway.names, m->gateway.volfiles, m->gateway.n);
	free(m->gateway.exports);
	m->gateway.names = d.names;
	m->gateway.volfiles = d.volfiles;
	m->gateway.n = d.n;
	m->gateway.exports = d.exports;
	if (d.keys)
		explicit_bzero(d.keys, d.n * sizeof(d.keys[0]));
	free(d.keys);
	if (m->gateway.n == 0) {
		if (m->gateway.process)
			host_gateway_stop(m);
	} else if (!m->gateway.process) {
		launch(m);
	} else if (d.changed) {
		process_signal(m->gateway.process, SIGHUP);
		m->gateway.written_ns = loop_now_ns(m->loop);
	}
}
