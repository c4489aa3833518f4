/* mgmt/main.c: gatehouse-manager: options, start-up, signals and the orderly end. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/json.h"
#include "mgmt/manager.h"
#include "mgmt/text.h"
#include "rpc/tls.h"
#include "runtime/log.h"
#include "runtime/option.h"

#define TWIN_NS     ((STATUS_TTL_S + 2) * 1000000000ull)
#define REGISTER_NS 1000000000ull
#define HELPERS     64 /* started on demand; a disk that hangs keeps some for good */

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const struct option options[] = {
	OPT_STR("store", struct manager_conf, store, NULL, 0,
		"where volumes are kept: dir:/PATH, or etcd://HOST:PORT,... for many hosts, etcds:// under TLS (default: host.xml's, "
		"else STATE-DIR/store)"),
	OPT_STR("host", struct manager_conf, host, NULL, 0, "this host's name, as others know it (default: the system's)"),
	OPT_STR("listen", struct manager_conf, listen, "0.0.0.0,::", 0, "addresses to listen on"),
	OPT_INT("port", struct manager_conf, port, "24007", 1, 65535, 0, "TCP port for clients, bricks and other managers"),
	OPT_INT("nfs-port", struct manager_conf, nfs_port, "2049", 1, 65535, 0, "of this host's gateway"),
	OPT_INT("brick-ports", struct manager_conf, brick_ports, "49152", 1024, 60999, 0, "the first port for bricks"),
	OPT_STR("state-dir", struct manager_conf, state_dir, "/var/lib/gatehouse", 0, "what must last: host.xml and the directory store"),
	OPT_STR("run-dir", struct manager_conf, run_dir, "/run/gatehouse", 0, "sockets, volfiles and process ids"),
	OPT_STR("log-dir", struct manager_conf, log_dir, "/var/log/gatehouse", 0, "logs of the gateway and of bricks"),
	OPT_STR("log-file", struct manager_conf, log_file, NULL, 0, "the manager's own (default: standard error)"),
	OPT_ENUM("log-level", struct manager_conf, log_level, "notice", log_levels, 0, "error, warning, notice, info or debug"),
	OPT_STR("pid-file", struct manager_conf, pid_file, NULL, 0, "holds the process id while it runs (default: RUN-DIR/manager.pid)"),
	OPT_STR("brick-program", struct manager_conf, brick_program, NULL, 0, "(default: gatehouse-brick beside this program)"),
	OPT_STR("gateway-program", struct manager_conf, gateway_program, NULL, 0, "(default: gatehouse-gateway beside this program)"),
	OPT_STR("tls-certificate", struct manager_conf, tls_certificate, NULL, 0,
		"this host's certificate, for etcds:// and for volumes under TLS"),
	OPT_STR("tls-key", struct manager_conf, tls_key, NULL, 0, "its key"),
	OPT_STR("tls-ca", struct manager_conf, tls_ca, NULL, 0, "who signs certificates of this cluster"),
	OPT_BOOL("stop-daemons", struct manager_conf, stop_daemons, "off", 0,
		 "stop bricks and gateway at the end, too; else they run on"),
	OPT_BOOL("no-probe", struct manager_conf, no_probe, "off", 0, "refuse every probe: this host joins a cluster by --store only"),
	OPT_BOOL("trust-network", struct manager_conf, trust_network, "off", 0,
		 "GlusterFS's habit: probes need no word and no certificate, so that whoever reaches a fresh host's port takes it"),
	OPT_STR("brick-roots", struct manager_conf, brick_roots, "/srv,/data,/mnt,/bricks,/export,/gluster,/glusterfs,/rhgs", 0,
		"bricks that commands on other hosts make here must lie below one of these directories"),
	OPT_BOOL("no-rpcbind", struct manager_conf, no_rpcbind, "off", 0, "the gateway does not register with rpcbind"),
	OPT_BOOL("help", struct manager_conf, help, "off", 0, "this text"),
	OPT_BOOL("version", struct manager_conf, version, "off", 0, "the version"),
	OPT_END
};

/* --- start --- */

static int make_directory(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set(err, -errno, "the directory %s cannot be made: %s", path, strerror(errno));
	return 0;
}

static int make_directories(const struct manager_conf *conf, struct error *err)
{
	char *bricks = format("%s/bricks", conf->run_dir), *gateway = format("%s/gateway", conf->run_dir),
	     *logs = format("%s/bricks", conf->log_dir);
	const struct {
		const char *path;
		mode_t mode;
	} all[] = {
		{ conf->state_dir, 0700 }, { conf->run_dir, 0755 }, { conf->log_dir, 0750 },
		{ bricks, 0700 },          { gateway, 0700 },       { logs, 0750 },
	};
	unsigned i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(all) / sizeof(all[0]); i++)
		ret = make_directory(all[i].path, all[i].mode, err);
	free(bricks);
	free(gateway);
	free(logs);
	return ret;
}

static const char *twin_of(struct manager *m, json_t **ret_status)
{
	char *key = format("status/%s", m->uuid);
	const struct store_doc *doc = store_get(m->store, key);
	const char *instance;

	free(key);
	json_decref(*ret_status);
	*ret_status = doc ? json_parse(doc->text, doc->len) : NULL;
	instance = json_member(*ret_status, "instance");
	return instance && strcmp(instance, m->instance) != 0 ? json_member(*ret_status, "host") : NULL;
}

/* What an earlier run of ours announced goes away within its time; what stays is another manager with our uuid. */
static int coroutine_fn check_twin(struct manager *m, struct error *err)
{
	uint64_t end = loop_now_ns(m->loop) + TWIN_NS;
	json_t *status = NULL;
	const char *host;
	int ret = 0;

	while ((host = twin_of(m, &status)) && loop_now_ns(m->loop) < end && ret == 0)
		ret = co_sleep_ns(200000000ull);
	if (host && ret == 0)
		ret = error_set(err, -EEXIST,
				"another manager runs with this host's uuid %s (its host is named %s): one of the two directories is a "
				"copy; remove "
				"host.xml in %s and start again",
				m->uuid, host, m->conf.state_dir);
	json_decref(status);
	return ret;
}

/* The store may come late: then bricks and gateways go on as they are, and commands say what is missing. */
static void coroutine_fn join_store(void *arg)
{
	struct manager *m = arg;
	struct error err = { "" };
	bool said = false;
	int ret = -EAGAIN;

	if (!co_gate_enter(&m->background))
		return;
	while (!m->stopping && ret < 0) {
		if (store_is_loaded(m->store)) {
			err.text[0] = 0;
			ret = check_twin(m, &err);
			if (ret == -EEXIST) {
				log_error("cannot go on", "reason=\"%s\"", err.text);
				m->status = 1;
				co_gate_leave(&m->background);
				manager_stop(m);
				return;
			}
			if (ret == 0)
				ret = host_register(m, &err);
		}
		if (ret < 0 && !said)
			log_warning("the store does not answer, it is tried again and again", "store=%s reason=%s", store_url(m->store),
				    log_quote(err.text));
		said = said || ret < 0;
		if (ret < 0)
			co_sleep_ns(REGISTER_NS);
	}
	if (ret == 0) {
		log_notice("this host is part of the store", "store=%s host=%s uuid=%s volumes=%u", store_url(m->store), m->name, m->uuid,
			   m->nvolumes);
		reconcile_wanted(m);
	}
	co_gate_leave(&m->background);
}

static int coroutine_fn bring_up(struct manager *m, struct error *err)
{
	struct store_conf conf = {
		.loop = m->loop,
		.changed = (void (*)(void *, const char *))knowledge_changed,
		.user = m,
		.ca = m->conf.tls_ca,
		.certificate = m->conf.tls_certificate,
		.key = m->conf.tls_key,
	};
	const struct tls_conf tls = {
		.certificate = m->conf.tls_certificate, .key = m->conf.tls_key, .ca = m->conf.tls_ca, .depth = 1,
	};
	uint8_t instance[16];
	int ret = make_directories(&m->conf, err);

	if (ret == 0)
		ret = daemon_pid_file(m->conf.pid_file, err);
	if (ret == 0)
		ret = tls_management(TLS_SERVER, &tls, err, &m->tls_server);
	if (ret == 0)
		ret = tls_management(TLS_CLIENT, &tls, err, &m->tls_client);
	if (ret == 0)
		ret = host_settings_load(m, err);
	if (ret < 0)
		return ret;
	gfid_new(m->loop, instance);
	gfid_text(instance, m->instance);
	conf.url = m->conf.store;
	ret = store_open(&conf, err, &m->store);
	if (ret == 0)
		ret = programs_serve(m, err);
	if (ret < 0)
		return ret;
	co_start(m->loop, join_store, m);
	co_start(m->loop, reconcile_main, m);
	co_start(m->loop, host_health_main, m);
	return 0;
}

/* --- the end --- */

static void coroutine_fn tear_down(struct manager *m)
{
	m->stopping = true;
	if (m->health)
		co_cancel(m->health);
	if (m->tcp || m->local)
		programs_stop(m);
	reconcile_end(m);
	if (m->conf.stop_daemons && !m->again) {
		host_gateway_stop(m);
		host_bricks_stop(m);
	}
	reconcile_stop(m);
	host_gateway_leave(m);
	host_bricks_leave(m);
	store_close(m->store);
	m->store = NULL;
	if (m->signals_open)
		daemon_signals_close(&m->signals);
}

static void coroutine_fn stop(void *arg)
{
	struct manager *m = arg;

	daemon_notify("STOPPING=1");
	log_notice("stopping", "daemons=%s", m->conf.stop_daemons && !m->again ? "stopped, too" : "run on");
	tear_down(m);
	loop_stop(m->loop);
}

void manager_stop(struct manager *m)
{
	if (m->ending)
		return;
	m->ending = true;
	co_start(m->loop, stop, m);
}

static void on_signal(void *arg, int signo)
{
	struct manager *m = arg;

	if (signo == SIGHUP)
		log_reopen();
	else if (signo != SIGUSR1)
		manager_stop(m);
}

static void coroutine_fn start(void *arg)
{
	struct manager *m = arg;
	int ret = bring_up(m, &m->err);

	if (ret == 0) {
		ret = daemon_signals_open(m->loop, &m->signals, on_signal, m);
		m->signals_open = ret == 0;
	}
	if (ret < 0) {
		log_error("cannot start", "reason=\"%s\"", m->err.text[0] ? m->err.text : strerror(-ret));
		m->status = 1;
		m->ending = true;
		tear_down(m);
		loop_stop(m->loop);
		return;
	}
	log_notice("serving", "port=%d store=%s tls=%s", (int)m->conf.port, m->conf.store, m->tls_server ? "yes" : "no");
	daemon_notify("READY=1");
}

/* --- command line --- */

static int usage_error(const char *sentence)
{
	fprintf(stderr, "gatehouse-manager: %s (gatehouse-manager --help tells more)\n", sentence);
	return 2;
}

/* A program of ours in the same directory as this one. */
static char *beside_us(const char *name)
{
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	return n > 0 ? format("%s/%s", dirname(self), name) : format("/usr/sbin/%s", name);
}

static void fill_in(struct manager_conf *conf)
{
	if (!conf->brick_program)
		conf->brick_program = beside_us("gatehouse-brick");
	if (!conf->gateway_program)
		conf->gateway_program = beside_us("gatehouse-gateway");
	if (!conf->pid_file)
		conf->pid_file = format("%s/manager.pid", conf->run_dir);
}

static int check_conf(const struct manager_conf *conf, int argc, int first)
{
	if (first < argc)
		return usage_error("there are words that are no options");
	if (conf->state_dir[0] != '/' || conf->run_dir[0] != '/' || conf->log_dir[0] != '/')
		return usage_error("--state-dir, --run-dir and --log-dir want full paths, beginning with a slash");
	if (!conf->tls_certificate != !conf->tls_key)
		return usage_error("--tls-certificate and --tls-key go together");
	if (geteuid() != 0)
		return usage_error("it starts bricks, which only root may run");
	return 0;
}

/* Thousands of clients keep a connection each; bricks and gateway need it as well. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void print_help(void)
{
	printf("Usage: gatehouse-manager OPTION...\n"
	       "Keeps volumes, runs this host's bricks and gateway, and tells clients where they are. Commands: gatehouse(8).\n\n");
	options_help(options, stdout);
}

static int run(struct manager *m, char **argv)
{
	struct loop_limits limits = { .helpers = HELPERS };

	if (log_open("gatehouse-manager", m->conf.log_file, (enum log_level)m->conf.log_level) < 0)
		return usage_error("the log file cannot be opened");
	raise_descriptors();
	m->loop = loop_new(&limits);
	if (!m->loop) {
		log_error("cannot start the event loop", "reason=\"%s\"", strerror(errno));
		return 1;
	}
	list_init(&m->bricks);
	list_init(&m->signed_in);
	list_init(&m->spec_readers);
	co_mutex_init(&m->changing);
	co_queue_init(&m->moved);
	co_gate_init(&m->background);
	co_start(m->loop, start, m);
	loop_run(m->loop);
	knowledge_free(m);
	if (m->again) {
		daemon_pid_file_remove(m->conf.pid_file);
		execv("/proc/self/exe", argv);
		log_error("cannot begin anew", "reason=\"%s\"", strerror(errno));
		return 1;
	}
	host_free(m->self);
	free(m->name);
	daemon_pid_file_remove(m->conf.pid_file);
	return m->status;
}

int main(int argc, char **argv)
{
	static struct manager m;
	struct error err = { "" };
	int first, ret;

	daemon_signals_block();
	options_init(options, &m.conf);
	first = options_argv(options, &m.conf, argc, argv, &err);
	if (first < 0) {
		ret = usage_error(err.text);
	} else if (m.conf.help || m.conf.version) {
		if (m.conf.help)
			print_help();
		else
			printf("gatehouse-manager %s\n", PACKAGE_VERSION);
		ret = 0;
	} else {
		ret = check_conf(&m.conf, argc, first);
		if (ret == 0) {
			fill_in(&m.conf);
			ret = run(&m, argv);
		}
	}
	options_free(options, &m.conf);
	return ret;
}
