/* gateway/main.c: gatehouse-gateway: options, start-up, signals and the orderly end.
 *
 * Everything that parks runs in one of three coroutines: start(), stop() and what a signal asks for. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
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
#include "gateway/volume_server.h"
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
	char *volfile, *volfile_server, *volfile_id;
	char *volume, *volume_id, *exports, *export, *listen, *handle_key, *log_file, *pid_file, *state_file;
	bool embed, no_rpcbind, help, version;
	int log_level;
	int64_t replica, port, idle_inodes;
	uint64_t cache_size;
};

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const struct option options[] = {
	OPT_STR("volfile", struct conf, volfile, NULL, 0, "the volume: a file in GlusterFS's volfile grammar"),
	OPT_STR("volfile-server", struct conf, volfile_server, NULL, 0,
		"fetch it from glusterd or gatehouse-manager instead: HOST[:PORT],...; may be repeated"),
	OPT_STR("volfile-id", struct conf, volfile_id, NULL, 0, "name of the volume to fetch"),
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
	char *servers;			/* all --volfile-server words */
	const char **dirs;
	unsigned ndirs;
	struct loop *loop;
	struct gateway gw;
	struct volume_server *vs;	/* where the volfile comes from; NULL: from a file */
	struct volfile *fetched;	/* arrived from there, not in use yet */
	struct volfile *vf;		/* in use */
	struct coroutine *starter;	/* while start-up goes on */
	struct rpcbind *rpcbind;
	struct daemon_signals signals;
	struct timer hosts_timer;
	struct error err;		/* why it cannot start */
	bool v4, v6, udp4, udp6, signals_open, stopping, resolving;
	int status;
};

/* --- start ------------------------------------------------------------------------------------------------------ */

/* Some options may be given many times, which an option table cannot say: their words are put together here, after @head.
 * NULL in *ret_text when there is none. */
static int collect(int argc, char **argv, const char *option, const char *head, char **ret_text)
{
	size_t size, len = strlen(option);
	FILE *f = open_memstream(ret_text, &size);
	bool any = false;
	int i;

	if (!f)
		return -ENOMEM;
	fputs(head, f);
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *value = NULL;

		if (strncmp(argv[i], option, len) != 0)
			continue;
		if (argv[i][len] == '=')
			value = argv[i] + len + 1;
		else if (!argv[i][len] && i + 1 < argc)
			value = argv[++i];
		if (!value)
			continue;
		fprintf(f, " %s", value);
		any = true;
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	if (!any) {
		free(*ret_text);
		*ret_text = NULL;
	}
	return 0;
}

static int collect_exports(struct gatewayd *d, int argc, char **argv)
{
	char head[NAME_MAX + 2];

	snprintf(head, sizeof(head), "/%s", d->conf.volume);
	return collect(argc, argv, "--export", head, &d->export_text);
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

/* From the volfile in use to @vf, which is ours now. What only another graph could do is told, not done. */
static int change_volfile(struct gatewayd *d, struct volfile *vf, struct error *err)
{
	int ret = graph_reconfigure(d->gw.volume.graph, d->vf, vf, err);

	if (ret > 0) {
		log_notice("the volume's options changed", "volume=%s options=%d", d->gw.volume.name, ret);
		volfile_free(d->vf);
		d->vf = vf;
		return 0;
	}
	volfile_free(vf);
	if (ret != -EXDEV)
		return ret;
	log_warning("the volume's file changed, which takes effect when the gateway is started again", "volume=%s reason=\"%s\"",
		    d->gw.volume.name, err->text);
	return 0;
}

/* The volfile that the server has now. Before the volume is started it waits in @fetched. */
static int coroutine_fn take_volfile(void *user, const char *text, size_t len, const char *from, struct error *err)
{
	struct gatewayd *d = user;
	struct volfile *vf = volume_parse(text, len, from, d->conf.cache_size, false, err);

	if (!vf)
		return -EINVAL;
	if (d->gw.volume.graph)
		return change_volfile(d, vf, err);
	volfile_free(d->fetched);
	d->fetched = vf;
	return 0;
}

/* Nothing is listened on before it is here: clients wait for a server that is not there, and would lose their handles to
 * one that does not know its volume yet. */
static struct volfile *coroutine_fn fetch_volfile(struct gatewayd *d, int argc, char **argv, struct error *err)
{
	struct volume_server_conf conf = { .loop = d->loop, .volume = d->conf.volfile_id, .take = take_volfile, .user = d };
	struct volfile *vf = NULL;
	int ret = collect(argc, argv, "--volfile-server", "", &d->servers);

	conf.servers = d->servers;
	if (ret == 0)
		ret = volume_server_start(&conf, err, &d->vs);
	if (ret == 0)
		ret = volume_server_first(d->vs, err);
	if (ret == 0) {
		vf = d->fetched;
		d->fetched = NULL;
	}
	return vf;
}

static int name_volume(struct gatewayd *d, const struct volfile *vf)
{
	if (!d->conf.volume)
		d->conf.volume = strdup(d->conf.volfile_id ? d->conf.volfile_id : volume_top_name(vf));
	d->gw.volume.name = d->conf.volume;
	d->gw.volume.loop = d->loop;
	return d->conf.volume ? 0 : -ENOMEM;
}

static int coroutine_fn start_volume(struct gatewayd *d, int argc, char **argv, struct error *err)
{
	uint8_t id[16], *given = NULL;
	struct error late = { "" };
	int ret;

	if (d->conf.volume_id) {
		if (!gfid_parse(d->conf.volume_id, id))
			return error_set(err, -EINVAL, "--volume-id wants a uuid, not \"%s\"", d->conf.volume_id);
		given = id;
	}
	d->vf = d->conf.volfile_server ? fetch_volfile(d, argc, argv, err) : load_volfile(d, given, err);
	if (!d->vf)
		return -EINVAL;
	ret = name_volume(d, d->vf);
	if (ret == 0)
		ret = collect_exports(d, argc, argv);
	if (ret == 0 && !d->export_text && !d->conf.exports)
		ret = error_set(err, -EINVAL, "nobody may mount: give --exports FILE, or --export '192.0.2.0/24(rw)'");
	if (ret == 0)
		ret = load_exports(d, &d->gw.exports, err);
	if (ret == 0)
		ret = volume_start(&d->gw.volume, d->vf, given, (unsigned)d->conf.idle_inodes, err);
	if (ret == 0 && d->fetched) {		/* it changed meanwhile */
		change_volfile(d, d->fetched, &late);
		d->fetched = NULL;
	}
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
	volume_server_stop(d->vs);
	d->vs = NULL;
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
	volfile_free(d->vf);
	volfile_free(d->fetched);
	if (d->signals_open)
		daemon_signals_close(&d->signals);
}

static void coroutine_fn stop(void *arg)
{
	struct gatewayd *d = arg;

	daemon_notify("STOPPING=1");
	log_notice("stopping", "connections=%u", d->gw.tcp ? rpc_server_conns(d->gw.tcp) : 0);
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
	if (d->starter && (signo == SIGHUP || signo == SIGUSR1)) {
		log_notice("not yet: still starting", "signal=%d", signo);
		return;
	}
	switch (signo) {
	case SIGHUP:
		co_start(d->loop, reload, d);
		return;
	case SIGUSR1:
		co_start(d->loop, dump, d);
		return;
	default:
		d->stopping = true;
		if (d->starter)
			co_cancel(d->starter);
		else
			co_start(d->loop, stop, d);
	}
}

struct start_args { struct gatewayd *d; int argc; char **argv; };

static void coroutine_fn start(void *arg)
{
	struct start_args *sa = arg;
	struct gatewayd *d = sa->d;
	int ret;

	d->starter = co_self();
	ret = daemon_signals_open(d->loop, &d->signals, on_signal, d);
	d->signals_open = ret == 0;
	if (ret == 0)
		ret = bring_up(d, sa->argc, sa->argv, &d->err);
	d->starter = NULL;
	if (d->stopping) {
		co_start(d->loop, stop, d);	/* this coroutine was cancelled */
		return;
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

static bool bad_name(const char *name)
{
	return name && (!*name || strlen(name) > NAME_MAX || strpbrk(name, "/ \t\n\"\\#`"));
}

static int check_conf(struct gatewayd *d, int argc, char **argv, int first)
{
	d->dirs = (const char **)argv + first;
	d->ndirs = (unsigned)(argc - first);
	if (d->conf.embed + (d->conf.volfile != NULL) + (d->conf.volfile_server != NULL) != 1)
		return usage_error("give one of --volfile FILE, --volfile-server HOST and --embed DIR...");
	if ((d->conf.volfile_server != NULL) != (d->conf.volfile_id != NULL))
		return usage_error("--volfile-server HOST and --volfile-id VOLUME belong together");
	if (d->conf.embed && !d->ndirs)
		return usage_error("--embed wants brick directories at the end");
	if (!d->conf.embed && d->ndirs)
		return usage_error("brick directories are for --embed only");
	if (d->conf.embed && !d->conf.volume)
		return usage_error("--embed wants the volume's name: --volume NAME");
	if (d->conf.exports && d->conf.export)
		return usage_error("give either --exports or --export");
	if (bad_name(d->conf.volume) || bad_name(d->conf.volfile_id))
		return usage_error("a volume's name has neither slashes, blanks nor quotes, and at most 255 characters");
	return 0;
}

static void print_help(void)
{
	printf("Usage: gatehouse-gateway --volfile FILE OPTION...\n"
	       "       gatehouse-gateway --volfile-server HOST --volfile-id VOLUME OPTION...\n"
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
	free(d->servers);
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
