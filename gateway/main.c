/* gateway/main.c: gatehouse-gateway: options, start-up, signals and the orderly end.
 *
 * Everything that parks runs in one of three coroutines: start(), stop() and what a signal asks for. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <signal.h>

#include "gateway/filehandle.h"
#include "gateway/gateway.h"
#include "gateway/state.h"
#include "rpc/rpcbind.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"
#include "runtime/daemon.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define DRAIN_NS 30000000000ull
#define HOSTS_TTL_NS 60000000000ull
#define LISTEN_MAX 16

struct conf {
	char *volfile, *volume, *volume_id, *exports, *export, *listen, *handle_key, *log_file, *pid_file, *state_file;
	bool embed, no_rpcbind, help, version;
	int log_level;
	int64_t replica, port, idle_inodes;
	uint64_t cache_size;
};

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const struct option options[] = {
	OPT_STR("volfile", struct conf, volfile, NULL, 0, "the volume: a file in GlusterFS's volfile grammar"),
	OPT_BOOL("embed", struct conf, embed, "off", 0,
		 "serve the brick directories named at the end, from this very process"),
	OPT_INT("replica", struct conf, replica, "1", 1, 64, 0, "with --embed: so many copies of each file"),
	OPT_STR("volume", struct conf, volume, NULL, 0,
		"its name, exported as /NAME (default: the top section of the volfile)"),
	OPT_STR("volume-id", struct conf, volume_id, NULL, 0,
		"its uuid (default: the bricks' or the volfile's, else made from the name)"),
	OPT_STR("exports", struct conf, exports, NULL, 0, "file that says who may mount what (gatehouse-exports(5))"),
	OPT_STR("export", struct conf, export, NULL, 0,
		"the same for the whole volume: 'CLIENTS(OPTIONS)'; may be repeated"),
	OPT_STR("listen", struct conf, listen, "0.0.0.0,::", 0, "addresses to listen on"),
	OPT_INT("port", struct conf, port, "2049", 1, 65535, 0, "of NFS and MOUNT"),
	OPT_BOOL("no-rpcbind", struct conf, no_rpcbind, "off", 0, "do not register with rpcbind"),
	OPT_STR("handle-key", struct conf, handle_key, "/var/lib/gatehouse/handle.key", 0,
		"key that signs file handles; made when missing"),
	OPT_INT("idle-inodes", struct conf, idle_inodes, "65536", 4096, 1 << 24, 0,
		"how many unused inodes are remembered"),
	OPT_SIZE("cache-size", struct conf, cache_size, "32MiB", 0, 1ll << 40, 0,
		 "memory for attributes, names and access decisions; 0: none"),
	OPT_STR("log-file", struct conf, log_file, NULL, 0, "(default: standard error)"),
	OPT_ENUM("log-level", struct conf, log_level, "notice", log_levels, 0, "error, warning, notice, info or debug"),
	OPT_STR("pid-file", struct conf, pid_file, NULL, 0, "holds the process id while it runs"),
	OPT_STR("state-file", struct conf, state_file, "/run/gatehouse/gateway.state", 0,
		"where SIGUSR1 writes the state"),
	OPT_BOOL("help", struct conf, help, "off", 0, "this text"),
	OPT_BOOL("version", struct conf, version, "off", 0, "the version"),
	OPT_END
};

struct gatewayd {
	struct conf conf;
	char *export_text;		/* of all --export words; NULL: the file */
	const char **dirs;
	unsigned ndirs;
	struct loop *loop;
	struct gateway gw;
	struct rpcbind *rpcbind;
	struct daemon_signals signals;
	struct timer hosts_timer;
	struct error err;		/* why it cannot start */
	bool v4, v6, udp4, udp6, signals_open, stopping, resolving;
	int status;
};

/* --- start ------------------------------------------------------------------------------------------------------ */

/* "--export" may be given many times, which an option table cannot say: the words are put together here. */
static int collect_exports(struct gatewayd *d, int argc, char **argv, const char *volume)
{
	size_t size;
	FILE *f = open_memstream(&d->export_text, &size);
	bool any = false;
	int i;

	if (!f)
		return -ENOMEM;
	fprintf(f, "/%s", volume);
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *value = NULL;

		if (strncmp(argv[i], "--export=", 9) == 0)
			value = argv[i] + 9;
		else if (strcmp(argv[i], "--export") == 0 && i + 1 < argc)
			value = argv[++i];
		if (!value)
			continue;
		fprintf(f, " %s", value);
		any = true;
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	if (!any) {
		free(d->export_text);
		d->export_text = NULL;
	}
	return 0;
}

static int load_exports(struct gatewayd *d, struct export_set **ret_set, struct error *err)
{
	if (d->export_text)
		return exports_parse(d->export_text, strlen(d->export_text), "--export", d->gw.volume.name, ret_set,
				     err);
	return exports_read(d->conf.exports, d->gw.volume.name, ret_set, err);
}

/* The id that the first brick directory carries already, or one from the name. */
static void embedded_id(const struct gatewayd *d, const char *name, uint8_t ret_id[16])
{
	if (lgetxattr(d->dirs[0], "trusted.glusterfs.volume-id", ret_id, 16) != 16)
		volume_id_from_name(name, ret_id);
}

static struct volfile *load_volfile(struct gatewayd *d, const uint8_t *id, struct error *err)
{
	struct embedded bricks = { d->dirs, d->ndirs, (unsigned)d->conf.replica };
	char id_text[GFID_TEXT_SIZE], *text;
	struct volfile *vf;
	uint8_t own[16];

	if (!d->conf.embed)
		return volume_read(d->conf.volfile, d->conf.cache_size, err);
	if (!id) {
		embedded_id(d, d->conf.volume, own);
		id = own;
	}
	text = volume_embedded_volfile(d->conf.volume, gfid_text(id, id_text), &bricks, err);
	if (!text)
		return NULL;
	vf = volume_parse(text, strlen(text), "--embed", d->conf.cache_size, true, err);
	free(text);
	return vf;
}

static int coroutine_fn start_volume(struct gatewayd *d, int argc, char **argv, struct error *err)
{
	uint8_t id[16], *given = NULL;
	struct volfile *vf;
	int ret;

	if (d->conf.volume_id) {
		if (!gfid_parse(d->conf.volume_id, id))
			return error_set(err, -EINVAL, "--volume-id wants a uuid, not \"%s\"", d->conf.volume_id);
		given = id;
	}
	vf = load_volfile(d, given, err);
	if (!vf)
		return -EINVAL;
	if (!d->conf.volume) {
		d->conf.volume = strdup(volume_top_name(vf));
		if (!d->conf.volume)
			return -ENOMEM;
	}
	d->gw.volume.name = d->conf.volume;
	d->gw.volume.loop = d->loop;
	ret = collect_exports(d, argc, argv, d->conf.volume);
	if (ret == 0 && !d->export_text && !d->conf.exports)
		ret = error_set(err, -EINVAL, "nobody may mount: give --exports FILE, or --export '192.0.2.0/24(rw)'");
	if (ret == 0)
		ret = load_exports(d, &d->gw.exports, err);
	if (ret == 0)
		ret = volume_start(&d->gw.volume, vf, given, (unsigned)d->conf.idle_inodes, err);
	volfile_free(vf);
	return ret;
}

static int listen_on(struct gatewayd *d, struct sockaddr_storage *addr, struct error *err)
{
	struct error udp_err = { "" };
	uint16_t port;
	int ret;

	ret = rpc_server_listen(d->gw.tcp, (struct sockaddr *)addr, err, &port);
	if (ret < 0)
		return ret;
	ret = rpc_server_listen_udp(d->gw.udp, (struct sockaddr *)addr, &udp_err, &port);
	if (ret < 0)
		log_warning("MOUNT is not served over UDP", "reason=\"%s\"", udp_err.text);
	if (addr->ss_family == AF_INET6) {
		d->v6 = true;
		d->udp6 |= ret == 0;
	} else {
		d->v4 = true;
		d->udp4 |= ret == 0;
	}
	return 0;
}

/* Each address of --listen. A host without IPv6 is no failure while something else is listened on. */
static int coroutine_fn start_listening(struct gatewayd *d, struct error *err)
{
	char *list = strdup(d->conf.listen), *next = list, *word;
	struct sockaddr_storage addr;
	struct error first = { "" };
	int ret = list ? 0 : -ENOMEM, failed = 0;

	while (ret >= 0 && (word = strsep(&next, ", "))) {
		struct error own = { "" };

		if (!*word)
			continue;
		ret = net_resolve(word, (uint16_t)d->conf.port, &addr, 1);
		if (ret < 0) {
			error_set(err, ret, "--listen: \"%s\" is no address of this host", word);
			break;
		}
		ret = listen_on(d, &addr, &own);
		if (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL) {
			failed = error_set(&first, ret, "%s", own.text);
			ret = 0;
		} else if (ret < 0) {
			error_set(err, ret, "%s", own.text[0] ? own.text : strerror(-ret));
		}
	}
	free(list);
	if (ret >= 0 && !d->v4 && !d->v6)
		ret = error_set(err, failed ? failed : -EINVAL, "nothing to listen on: %s",
				first.text[0] ? first.text : "--listen is empty");
	return ret < 0 ? ret : 0;
}

static void start_rpcbind(struct gatewayd *d)
{
	const uint16_t port = (uint16_t)d->conf.port;
	struct rpcbind_entry entries[16];
	unsigned n = 0;
	int v6;

	if (d->conf.no_rpcbind)
		return;
	for (v6 = 0; v6 < 2; v6++) {
		if (v6 ? d->v6 : d->v4) {
			entries[n++] = (struct rpcbind_entry){ NFS3_PROGRAM, NFS3_VERSION, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, false, v6, port };
		}
		if (v6 ? d->udp6 : d->udp4) {
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, true, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, true, v6, port };
		}
	}
	d->rpcbind = rpcbind_start(d->loop, entries, n);
}

static void coroutine_fn resolve_hosts(void *arg)
{
	struct gatewayd *d = arg;

	d->resolving = true;
	export_set_resolve(d->gw.exports);
	d->resolving = false;
	if (!d->stopping && d->gw.exports->has_hosts)
		timer_arm(d->loop, &d->hosts_timer, loop_now_ns(d->loop) + HOSTS_TTL_NS);
}

static void hosts_due(void *arg)
{
	struct gatewayd *d = arg;

	if (!d->resolving && !d->stopping)
		co_start(d->loop, resolve_hosts, d);
}

static int coroutine_fn bring_up(struct gatewayd *d, int argc, char **argv, struct error *err)
{
	uint8_t key[MAC_KEY_SIZE];
	int ret;

	ret = daemon_pid_file(d->conf.pid_file, err);
	if (ret == 0)
		ret = handle_key_load(d->conf.handle_key, key, err);
	if (ret < 0)
		return ret;
	d->gw.loop = d->loop;
	d->gw.mac = mac_new(key);
	explicit_bzero(key, sizeof(key));
	if (!d->gw.mac)
		return error_set(err, -ENOMEM, "OpenSSL offers no SipHash, which signs file handles");
	ret = start_volume(d, argc, argv, err);
	if (ret == 0)
		ret = gateway_serve(&d->gw);
	if (ret == 0)
		ret = start_listening(d, err);
	if (ret < 0)
		return ret;
	timer_init(&d->hosts_timer, hosts_due, d);
	if (d->gw.exports->has_hosts)
		resolve_hosts(d);
	start_rpcbind(d);
	return 0;
}

/* --- signals ---------------------------------------------------------------------------------------------------- */

static void coroutine_fn tear_down(struct gatewayd *d)
{
	uint64_t old;
	int ret = 0;

	timer_cancel(&d->hosts_timer);
	if (d->rpcbind)
		rpcbind_stop(d->rpcbind);
	d->rpcbind = NULL;
	if (d->gw.tcp) {
		old = co_set_deadline(loop_now_ns(d->loop) + DRAIN_NS);
		ret = rpc_server_drain(d->gw.tcp);
		co_restore_deadline(old);
	}
	if (ret < 0) {			/* they still use all of it: leave it to the kernel */
		log_warning("calls in flight did not end in time and were dropped", "seconds=%d",
			    (int)(DRAIN_NS / 1000000000));
		return;
	}
	if (d->gw.udp)
		rpc_server_drain(d->gw.udp);
	gateway_stop(&d->gw);
	volume_stop(&d->gw.volume);
	if (d->signals_open)
		daemon_signals_close(&d->signals);
}

static void coroutine_fn stop(void *arg)
{
	struct gatewayd *d = arg;

	daemon_notify("STOPPING=1");
	log_notice("stopping", "connections=%u", rpc_server_conns(d->gw.tcp));
	tear_down(d);
	loop_stop(d->loop);
}

struct reload { struct gatewayd *d; struct export_set *set; struct error err; };

static int read_exports_blocking(void *arg)
{
	struct reload *r = arg;

	return load_exports(r->d, &r->set, &r->err);
}

/* All or nothing: calls in flight keep the set they began with, the next ones get the new one, host names resolved. */
static void coroutine_fn reload(void *arg)
{
	struct gatewayd *d = arg;
	struct reload *r = calloc(1, sizeof(*r));
	struct export_set *old = d->gw.exports;

	if (log_reopen() < 0)
		log_error("the log file cannot be opened again", "file=%s", d->conf.log_file);
	if (!r)
		return;
	daemon_notify("RELOADING=1");
	r->d = d;
	if (loop_offload(read_exports_blocking, r) < 0) {
		log_error("exports were not reloaded, the old ones stay", "reason=\"%s\"", r->err.text);
	} else if (d->stopping) {
		export_set_unref(r->set);
	} else {
		export_set_resolve(r->set);
		old = d->gw.exports;
		d->gw.exports = r->set;
		export_set_unref(old);
		log_notice("exports reloaded", "exports=%u clients=%u", r->set->n, r->set->nclients);
		if (r->set->has_hosts && !timer_armed(&d->hosts_timer))
			timer_arm(d->loop, &d->hosts_timer, loop_now_ns(d->loop) + HOSTS_TTL_NS);
	}
	daemon_notify("READY=1");
	free(r);
}

static void coroutine_fn dump(void *arg)
{
	struct gatewayd *d = arg;
	int ret;

	if (strncmp(d->conf.state_file, "/run/gatehouse/", 15) == 0)
		mkdir("/run/gatehouse", 0755);
	ret = state_dump(&d->gw, d->conf.state_file);
	if (ret < 0)
		log_error("cannot write the state", "file=%s reason=\"%s\"", d->conf.state_file, strerror(-ret));
	else
		log_notice("state written", "file=%s", d->conf.state_file);
}

static void on_signal(void *arg, int signo)
{
	struct gatewayd *d = arg;

	if (d->stopping)
		return;
	switch (signo) {
	case SIGHUP:
		co_start(d->loop, reload, d);
		return;
	case SIGUSR1:
		co_start(d->loop, dump, d);
		return;
	default:
		d->stopping = true;
		co_start(d->loop, stop, d);
	}
}

struct start_args { struct gatewayd *d; int argc; char **argv; };

static void coroutine_fn start(void *arg)
{
	struct start_args *sa = arg;
	struct gatewayd *d = sa->d;
	int ret;

	ret = bring_up(d, sa->argc, sa->argv, &d->err);
	if (ret == 0) {
		ret = daemon_signals_open(d->loop, &d->signals, on_signal, d);
		d->signals_open = ret == 0;
	}
	if (ret < 0) {
		log_error("cannot start", "reason=\"%s\"", d->err.text[0] ? d->err.text : strerror(-ret));
		d->status = 1;
		tear_down(d);
		loop_stop(d->loop);
		return;
	}
	log_notice("serving", "volume=%s port=%d exports=%u", d->gw.volume.name, (int)d->conf.port, d->gw.exports->n);
	if (volume_wait(&d->gw.volume, UINT64_MAX / 4) == 0)
		daemon_notify("READY=1");
}

/* --- command line ----------------------------------------------------------------------------------------------- */

static int usage_error(const char *sentence)
{
	fprintf(stderr, "gatehouse-gateway: %s (gatehouse-gateway --help tells more)\n", sentence);
	return 2;
}

static int check_conf(struct gatewayd *d, int argc, char **argv, int first)
{
	d->dirs = (const char **)argv + first;
	d->ndirs = (unsigned)(argc - first);
	if (d->conf.embed == (d->conf.volfile != NULL))
		return usage_error("give either --volfile FILE or --embed DIR...");
	if (d->conf.embed && !d->ndirs)
		return usage_error("--embed wants brick directories at the end");
	if (!d->conf.embed && d->ndirs)
		return usage_error("brick directories are for --embed only");
	if (d->conf.embed && !d->conf.volume)
		return usage_error("--embed wants the volume's name: --volume NAME");
	if (d->conf.exports && d->conf.export)
		return usage_error("give either --exports or --export");
	if (d->conf.volume && (!*d->conf.volume || strpbrk(d->conf.volume, "/ \t\n\"\\#`")))
		return usage_error("a volume's name has neither slashes, blanks nor quotes");
	return 0;
}

static void print_help(void)
{
	printf("Usage: gatehouse-gateway --volfile FILE OPTION...\n"
	       "       gatehouse-gateway --embed --replica N --volume NAME OPTION... DIR...\n"
	       "Serves a volume as NFS version 3.\n\n");
	options_help(options, stdout);
}

static int run(struct gatewayd *d, int argc, char **argv)
{
	struct start_args sa = { d, argc, argv };

	if (log_open("gatehouse-gateway", d->conf.log_file, (enum log_level)d->conf.log_level) < 0)
		return usage_error("the log file cannot be opened");
	d->loop = loop_new(NULL);
	if (!d->loop) {
		log_error("cannot start the event loop", "reason=\"%s\"", strerror(errno));
		return 1;
	}
	co_start(d->loop, start, &sa);
	loop_run(d->loop);
	daemon_pid_file_remove(d->conf.pid_file);
	free(d->export_text);
	return d->status;
}

int main(int argc, char **argv)
{
	static struct gatewayd d;
	struct error err = { "" };
	int first, ret;

	daemon_signals_block();
	options_init(options, &d.conf);
	first = options_argv(options, &d.conf, argc, argv, &err);
	if (first < 0) {
		ret = usage_error(err.text);
	} else if (d.conf.help || d.conf.version) {
		if (d.conf.help)
			print_help();
		else
			printf("gatehouse-gateway %s\n", PACKAGE_VERSION);
		ret = 0;
	} else {
		ret = check_conf(&d, argc, argv, first);
		if (ret == 0)
			ret = run(&d, argc, argv);
	}
	options_free(options, &d.conf);
	return ret;
}
