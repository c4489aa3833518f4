/* bricks/main.c: gatehouse-brick: one directory, served. Command line, start, signals and the orderly end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bricks/brick.h"
#include "bricks/glusterd.h"
#include "bricks/volume.h"
#include "rpc/rpc.h"
#include "runtime/control.h"
#include "runtime/daemon.h"
#include "runtime/json_text.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/option.h"
#include "xlators/brick_identity.h"
#include "xlators/brick_state.h"

#define DRAIN_NS 20000000000ull
#define OPTIONS_MAX 64
#define COROUTINES 16384	/* one for each call in flight; those that wait for locks are the many */

struct conf {
	char *volfile, *volfile_server, *volfile_id, *sign_in, *directory, *volume_id, *volume, *brick_name, *listen, *allow, *option;
	char *pid_file, *log_file, *state_file, *control, *ssl_allow;
	struct brick_tls tls;
	bool help, version, arbiter, create;
	int log_level;
	int64_t port, helpers, idle_inodes;
};

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const struct option options[] = {
	OPT_STR("directory", struct conf, directory, NULL, 0, "the directory to serve"),
	OPT_BOOL("create", struct conf, create, "off", 0, "make the directory a brick: once, it is refused when it is one already"),
	OPT_STR("volume-id", struct conf, volume_id, NULL, 0, "the volume's uuid; a directory of another volume is refused"),
	OPT_STR("volume", struct conf, volume, NULL, 0, "the volume's name: narrows which pending marks the heal index watches"),
	OPT_STR("brick-name", struct conf, brick_name, NULL, 0, "what clients ask for as remote-subvolume (default: the directory)"),
	OPT_BOOL("arbiter", struct conf, arbiter, "off", 0, "the third brick of arbiter-count 1: keeps names and marks, but no data"),
	OPT_STR("volfile", struct conf, volfile, NULL, 0, "instead of a directory: a brick's volfile as glusterd writes it"),
	OPT_STR("volfile-server", struct conf, volfile_server, NULL, 0,
		"HOST[:PORT] of the glusterd that gives the volfile, and tells clients our port"),
	OPT_STR("volfile-id", struct conf, volfile_id, NULL, 0, "which one: VOLUME.HOST.PATH, the path's slashes as dashes"),
	OPT_STR("sign-in", struct conf, sign_in, NULL, 0, "HOST[:PORT] of a glusterd that shall tell clients our port"),
	OPT_STR("listen", struct conf, listen, "0.0.0.0,::", 0, "addresses to listen on"),
	OPT_INT("port", struct conf, port, "0", 0, 65535, 0, "TCP port (default: the volfile's, else 49152)"),
	OPT_STR("allow", struct conf, allow, "*", 0, "addresses that may connect: patterns and networks, with commas between"),
	OPT_BOOL("ssl", struct conf, tls.enabled, "off", 0, "speak TLS only; clients must show a certificate"),
	TLS_OPTION_ROWS("", struct conf, tls.conf),
	OPT_STR("ssl-allow", struct conf, ssl_allow, NULL, 0,
		"names of certificates (CN) that may connect: patterns, with commas between [*]"),
	OPT_STR("option", struct conf, option, NULL, 0,
		"LAYER.KEY=VALUE for one of the brick's layers, * for each that has it; may be repeated"),
	OPT_INT("helpers", struct conf, helpers, "16", 1, 256, 0, "threads for file system calls that may block"),
	OPT_INT("idle-inodes", struct conf, idle_inodes, "65536", 64, 1 << 24, 0, "how many unused inodes are remembered"),
	OPT_STR("pid-file", struct conf, pid_file, NULL, 0, "holds the process id while the brick runs"),
	OPT_STR("state-file", struct conf, state_file, NULL, 0, "where SIGUSR1 writes who the clients are and what they move"),
	OPT_STR("control", struct conf, control, NULL, 0, "a local socket on which it tells how it is, to its own user"),
	OPT_STR("log-file", struct conf, log_file, NULL, 0, "(default: standard error)"),
	OPT_ENUM("log-level", struct conf, log_level, "notice", log_levels, 0, "error, warning, notice, info or debug"),
	OPT_BOOL("help", struct conf, help, "off", 0, "this text"),
	OPT_BOOL("version", struct conf, version, "off", 0, "the version"),
	OPT_END
};

struct brickd {
	struct conf conf;
	struct brick_layer_option layer_options[OPTIONS_MAX];
	unsigned nlayer_options;
	struct loop *loop;
	struct volfile *vf;			/* the graph's */
	struct volfile *rules;			/* who may connect: the newest volfile's protocol/server, be it the graph's or not */
	struct brick_server_section section;	/* of @rules, when it is a stock volfile */
	bool stock;				/* it is one */
	struct glusterd *glusterd;		/* NULL: none has to do with us */
	struct graph *graph;
	struct brick_server *server;
	struct tls_context *tls;
	struct daemon_signals signals;
	struct control *control;
	struct error err;
	bool stopping, down, signals_open, reloading, dumping, dump_again;
	int status;
};

/* --- start --- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* A stock volfile brings its own rules; else the command line's --allow. */
static const char *auth_option(void *arg, const char *key)
{
	const struct brickd *d = arg;

	if (d->conf.ssl_allow && ends_with(key, ".ssl-allow"))
		return d->conf.ssl_allow;
	if (d->stock)
		return volfile_option(d->rules, d->section.index, key);
	return strncmp(key, "auth.addr.", 10) == 0 && ends_with(key, ".allow") ? d->conf.allow : NULL;
}

static const char *brick_name(const struct brickd *d)
{
	return d->conf.brick_name ? d->conf.brick_name : d->stock ? d->section.name : d->conf.directory;
}

static void coroutine_fn stop(void *arg);

/* The directory that is open is not the one that clients mean any more. The next start checks what is
 * there; this one must not hold a disk that was unmounted. */
static void end_when_gone(struct brickd *d)
{
	struct brick_state s;

	if (d->stopping || !d->graph || !brick_state(d->graph, &s) || !s.gone)
		return;
	d->stopping = true;
	d->status = 1;
	snprintf(d->err.text, sizeof(d->err.text), "%s: %s", d->conf.directory ? d->conf.directory : brick_name(d), s.reason);
	co_start(d->loop, stop, d);
}

static void graph_event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	struct brickd *d = owner;

	if (ev == XL_DOWN || ev == XL_UP)
		d->down = ev == XL_DOWN;
	if (d->server)
		brick_server_event(d->server, ev);
	if (ev == XL_DOWN)
		end_when_gone(d);
}

static int coroutine_fn find_glusterd(struct brickd *d, struct error *err)
{
	const char *server = d->conf.volfile_server ? d->conf.volfile_server : d->conf.sign_in;

	return server ? glusterd_new(d->loop, server, err, &d->glusterd) : 0;
}

static int coroutine_fn load_volfile(struct brickd *d, struct error *err)
{
	struct brick_volume_conf conf = {
		.directory = d->conf.directory, .volume_id = d->conf.volume_id, .volume = d->conf.volume, .options = d->layer_options,
		.noptions = d->nlayer_options, .arbiter = d->conf.arbiter,
		.create = d->conf.create,
	};
	const char *from = d->conf.volfile_id ? d->conf.volfile_id : "the command line";
	char *text = NULL;
	int ret;

	if (d->conf.create && identity_is_marked(d->conf.directory))
		ret = error_set(err, -EEXIST, "%s is a brick already: start it without --create, which is for once", d->conf.directory);
	else if (d->conf.volfile)
		ret = (d->vf = volfile_read(d->conf.volfile, err)) ? 0 : -EINVAL;
	else if (d->conf.volfile_id)
		ret = glusterd_volfile(d->glusterd, d->conf.volfile_id, err, &text);
	else
		ret = brick_volfile_text(&conf, err, &text);
	if (!ret && text)
		ret = (d->vf = volfile_parse(text, strlen(text), from, err)) ? 0 : -EINVAL;
	free(text);
	d->rules = d->vf;
	if (ret || !d->stock)
		return ret;
	ret = brick_server_section(d->vf, &d->section, err);
	return ret ? ret : brick_override(d->vf, d->layer_options, d->nlayer_options, err);
}

/* --ssl and its files, or what the volfile's section says. */
static int load_tls(struct brickd *d, struct error *err)
{
	struct brick_tls section = { .enabled = false }, *use = &d->conf.tls;
	int ret = 0;

	if (!use->enabled && d->stock) {
		ret = brick_section_tls(d->vf, d->section.index, &section, err);
		use = &section;
	}
	if (!ret && use->enabled) {
		d->tls = tls_context_new(&use->conf, TLS_SERVER, err);
		ret = d->tls ? 0 : -EINVAL;
	}
	brick_tls_free(&section);
	if (!ret && d->conf.ssl_allow && !d->tls)
		ret = error_set(err, -EINVAL, "--ssl-allow names certificates, but TLS is off (--ssl turns it on)");
	return ret;
}

static int coroutine_fn start_server(struct brickd *d, struct error *err)
{
	static const char *const skip[] = { "protocol/server", NULL };
	struct graph_conf gconf = {
		.loop = d->loop, .max_idle_inodes = (unsigned)d->conf.idle_inodes, .event = graph_event, .owner = d, .skip_types = skip,
	};
	struct brick_conf bconf = { .volume_id = d->conf.volume_id, .auth_option = auth_option, .auth_arg = d, .tls = d->tls };
	unsigned i;
	int ret;

	ret = graph_new(d->vf, &gconf, err, &d->graph);
	if (ret < 0)
		return ret;
	bconf.name = brick_name(d);
	for (i = 0; !bconf.volume_id && i < volfile_count(d->vf); i++)
		bconf.volume_id = volfile_option(d->vf, i, "volume-id");
	ret = brick_server_new(d->loop, d->graph, &bconf, err, &d->server);
	if (!ret && d->down)
		brick_server_event(d->server, XL_DOWN);
	return ret;
}

static int listen_on(void *server, const struct sockaddr *addr, struct error *err, uint16_t *port)
{
	return brick_server_listen(server, addr, err, port);
}

static int coroutine_fn start_listening(struct brickd *d, struct error *err)
{
	uint16_t port = (uint16_t)(d->conf.port ? d->conf.port : d->section.port ? d->section.port : 49152);
	int ret = rpc_listen_each(d->conf.listen, listen_on, d->server, &port, err);

	d->conf.port = port;
	return ret;
}

/* "status". The manager reads it: names stay. */
static bool answer_control(void *arg, const char *word, FILE *f)
{
	struct brickd *d = arg;
	struct brick_state s;
	unsigned i;

	if (strcmp(word, "status") || !d->graph || !brick_state(d->graph, &s))
		return false;
	fprintf(f, "{\"version\": \"%s\", \"pid\": %ld, \"up\": %s, \"reason\": ", PACKAGE_VERSION, (long)getpid(), s.up ? "true" : "false");
	json_put_text(f, s.reason);
	fprintf(f, ", \"identity\": ");
	json_put_text(f, s.identity);
	if (s.answered_ms != UINT64_MAX)
		fprintf(f, ", \"disk_answered_ms\": %llu", (unsigned long long)s.answered_ms);
	fprintf(f, ", \"troubles\": [");
	for (i = 0; i < BRICK_TROUBLES && s.troubles[i]; i++) {
		fprintf(f, "%s", i ? ", " : "");
		json_put_text(f, s.troubles[i]);
	}
	fprintf(f, "]}\n");
	return true;
}

static int coroutine_fn bring_up(struct brickd *d, struct error *err)
{
	int ret = daemon_pid_file(d->conf.pid_file, err);

	if (!ret)
		ret = find_glusterd(d, err);
	if (!ret)
		ret = load_volfile(d, err);
	if (!ret)
		ret = load_tls(d, err);
	if (!ret)
		ret = start_server(d, err);
	if (!ret && d->conf.control)	/* before it listens: who finds it listening may ask */
		ret = control_open(d->loop, d->conf.control, answer_control, d, err, &d->control);
	if (!ret)
		ret = start_listening(d, err);
	if (!ret && d->glusterd)
		ret = glusterd_sign_in(d->glusterd, brick_name(d), (uint16_t)d->conf.port);
	return ret;
}

/* --- the end --- */

static void coroutine_fn tear_down(struct brickd *d)
{
	uint64_t old;
	int ret = 0;

	glusterd_free(d->glusterd);	/* first: new clients shall not be sent here */
	d->glusterd = NULL;
	if (d->server) {
		old = co_set_deadline(loop_now_ns(d->loop) + DRAIN_NS);
		ret = brick_server_drain(d->server);
		co_restore_deadline(old);
	}
	if (ret < 0) {			/* calls still use all of it: leave it to the kernel */
		log_warning("calls in flight did not end in time and were dropped", "seconds=%d", (int)(DRAIN_NS / 1000000000));
		return;
	}
	brick_server_free(d->server);
	d->server = NULL;
	control_close(d->control);
	d->control = NULL;
	if (d->graph)
		graph_free(d->graph);
	if (d->rules != d->vf)
		volfile_free(d->rules);
	tls_context_unref(d->tls);
	volfile_free(d->vf);
	if (d->signals_open)
		daemon_signals_close(&d->signals);
}

static void coroutine_fn stop(void *arg)
{
	struct brickd *d = arg;

	daemon_notify("STOPPING=1");
	log_notice("stopping", "clients=%u", brick_server_clients(d->server));
	tear_down(d);
	if (d->status)
		log_error("ended", "reason=%s", log_quote(d->err.text));
	loop_stop(d->loop);
}

/* --- another volfile in place of the one we began with --- */

struct reading { struct brickd *d; struct volfile *vf; struct brick_server_section section; struct error err; };

static int read_blocking(void *arg)
{
	struct reading *r = arg;
	int ret;

	r->vf = volfile_read(r->d->conf.volfile, &r->err);
	ret = r->vf ? brick_server_section(r->vf, &r->section, &r->err) : -EINVAL;
	return ret ? ret : brick_override(r->vf, r->d->layer_options, r->d->nlayer_options, &r->err);
}

/* Who may connect is as the new file says from here on; what the graph cannot be brought to waits for another start. */
static void take_volfile(struct brickd *d, struct reading *r)
{
	struct volfile *old = d->rules;
	int ret = graph_reconfigure(d->graph, d->vf, r->vf, &r->err);

	d->rules = r->vf;
	d->section = r->section;
	if (old != d->vf)
		volfile_free(old);
	if (ret < 0) {
		log_warning("the volfile has changes that take effect when the brick is started again", "reason=\"%s\"", r->err.text);
		return;
	}
	volfile_free(d->vf);
	d->vf = r->vf;
	log_notice("volfile read again", "options_changed=%d", ret);
}

static void coroutine_fn reload(void *arg)
{
	struct brickd *d = arg;
	struct reading *r = calloc(1, sizeof(*r));
	int ret;

	if (log_reopen() < 0)
		log_error("the log file cannot be opened again", "file=%s", d->conf.log_file);
	if (!r || !d->conf.volfile || d->reloading) {
		free(r);
		return;
	}
	d->reloading = true;
	r->d = d;
	ret = loop_offload(read_blocking, r);
	if (ret < 0)
		log_error("the volfile cannot be used, the old one stays", "reason=\"%s\"", r->err.text);
	if (ret == 0 && !d->stopping)
		take_volfile(d, r);
	else
		volfile_free(r->vf);
	d->reloading = false;
	free(r);
}

/* --- the state, for whoever asks --- */

/* One at a time, as they share a file; who asks meanwhile gets another one. */
static void coroutine_fn dump(void *arg)
{
	struct brickd *d = arg;
	int ret;

	do {
		d->dump_again = false;
		ret = d->server ? brick_server_dump(d->server, d->conf.state_file) : 0;
	} while (d->dump_again && !d->stopping);
	d->dumping = false;
	if (ret < 0)
		log_error("the state file cannot be written", "file=%s reason=\"%s\"", d->conf.state_file, strerror(-ret));
}

static void begin_dump(struct brickd *d)
{
	if (!d->conf.state_file || d->stopping)
		return;
	d->dump_again = d->dumping;
	if (d->dumping)
		return;
	d->dumping = true; /* before it runs: it may end at once */
	if (!co_start(d->loop, dump, d))
		d->dumping = false;
}

static void on_signal(void *arg, int signo)
{
	struct brickd *d = arg;

	if (signo == SIGHUP) {
		co_start(d->loop, reload, d);
	} else if (signo == SIGUSR1) {
		begin_dump(d);
	} else if (!d->stopping) {
		d->stopping = true;
		co_start(d->loop, stop, d);
	}
}

static void coroutine_fn start(void *arg)
{
	struct brickd *d = arg;
	int ret = bring_up(d, &d->err);

	if (!ret) {
		ret = daemon_signals_open(d->loop, &d->signals, on_signal, d);
		d->signals_open = !ret;
	}
	if (ret < 0) {
		log_error("cannot start", "reason=\"%s\"", d->err.text[0] ? d->err.text : strerror(-ret));
		d->status = 1;
		tear_down(d);
		loop_stop(d->loop);
		return;
	}
	log_notice("serving", "brick=%s port=%d certificate=%s", d->conf.directory ? d->conf.directory : d->section.name, (int)d->conf.port,
		   d->tls ? log_quote(tls_context_name(d->tls)) : "none");
	daemon_notify("READY=1");
}

/* --- command line --- */

static int usage_error(const char *sentence)
{
	fprintf(stderr, "gatehouse-brick: %s (gatehouse-brick --help tells more)\n", sentence);
	return 2;
}

/* "--option" may be given many times, which an option table cannot say. */
static int collect_options(struct brickd *d, int argc, char **argv, struct error *err)
{
	char *word;
	int i, ret = 0;

	for (i = 1; !ret && i < argc && strcmp(argv[i], "--"); i++) {
		word = NULL;
		if (!strncmp(argv[i], "--option=", 9))
			word = argv[i] + 9;
		else if (!strcmp(argv[i], "--option") && i + 1 < argc)
			word = argv[++i];
		if (word && d->nlayer_options == OPTIONS_MAX)
			ret = error_set(err, -EINVAL, "at most %d --option are taken", OPTIONS_MAX);
		else if (word)
			ret = brick_option_parse(word, &d->layer_options[d->nlayer_options++], err);
	}
	return ret;
}

static int check_conf(struct brickd *d, int argc, char **argv, int first)
{
	struct error err = { "" };
	uint8_t id[16];

	if (first < argc)
		return usage_error("there are words that are no options");
	if (!d->conf.volfile + !d->conf.directory + !d->conf.volfile_id != 2)
		return usage_error("give either --directory DIR or --volfile FILE or --volfile-id ID");
	if (!d->conf.volfile_id != !d->conf.volfile_server)
		return usage_error("--volfile-server HOST and --volfile-id ID go together");
	if (d->conf.volfile_server && d->conf.sign_in)
		return usage_error("--volfile-server signs in there already");
	if (d->conf.create && (!d->conf.directory || !d->conf.volume_id))
		return usage_error("--create goes with --directory DIR and --volume-id UUID");
	if (d->conf.directory && d->conf.directory[0] != '/')
		return usage_error("--directory wants a full path, beginning with a slash");
	if (d->conf.volume_id && !gfid_parse(d->conf.volume_id, id))
		return usage_error("--volume-id wants a uuid");
	if (collect_options(d, argc, argv, &err) < 0)
		return usage_error(err.text);
	d->stock = !d->conf.directory;
	if (geteuid() != 0)
		return usage_error("a brick keeps its marks in trusted attributes and acts for all users: only root may run it");
	return 0;
}

static void print_help(void)
{
	printf("Usage: gatehouse-brick --directory DIR --volume-id UUID [--create] OPTION...\n"
	       "       gatehouse-brick --volfile FILE OPTION...\n"
	       "       gatehouse-brick --volfile-server HOST --volfile-id VOLUME.HOST.PATH OPTION...\n"
	       "Serves a directory as a brick by GlusterFS's protocol.\n\n");
	options_help(options, stdout);
}

static int run(struct brickd *d)
{
	struct loop_limits limits = { .coroutines = COROUTINES, .helpers = (unsigned)d->conf.helpers };

	if (log_open("gatehouse-brick", d->conf.log_file, (enum log_level)d->conf.log_level) < 0)
		return usage_error("the log file cannot be opened");
	d->loop = loop_new(&limits);
	if (!d->loop) {
		log_error("cannot start the event loop", "reason=\"%s\"", strerror(errno));
		return 1;
	}
	co_start(d->loop, start, d);
	loop_run(d->loop);
	daemon_pid_file_remove(d->conf.pid_file);
	return d->status;
}

int main(int argc, char **argv)
{
	static struct brickd d;
	struct error err = { "" };
	int first, ret;

	daemon_signals_block();
	options_init(options, &d.conf);
	first = options_argv(options, &d.conf, argc, argv, &err);
	if (first < 0) {
		ret = usage_error(err.text);
	} else if (d.conf.help) {
		print_help();
		ret = 0;
	} else if (d.conf.version) {
		printf("gatehouse-brick %s\n", PACKAGE_VERSION);
		ret = 0;
	} else {
		ret = check_conf(&d, argc, argv, first);
		if (!ret)
			ret = run(&d);
	}
	options_free(options, &d.conf);
	return ret;
}
