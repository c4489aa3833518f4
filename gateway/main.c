/* gateway/main.c: gatehouse-gateway: the command line. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/gatewayd.h"
#include "runtime/log.h"
#include "runtime/option.h"
#include "xlators/brick_identity.h"

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const struct option options[] = {
	OPT_STR("volfile", struct conf, volfile, NULL, 0, "the volume: a file in GlusterFS's volfile grammar"),
	OPT_STR("volfile-server", struct conf, volfile_server, NULL, 0,
		"fetch it from glusterd or gatehouse-manager instead: HOST[:PORT],...; may be repeated"),
	OPT_STR("volfile-id", struct conf, volfile_id, NULL, 0, "name of the volume to fetch"),
	OPT_STR("volumes", struct conf, volumes, NULL, 0,
		"serve every NAME.vol in this directory as /NAME; keys in NAME.key, exports in the file exports"),
	OPT_BOOL("embed", struct conf, embed, "off", 0,
		 "serve the brick directories named at the end, from this very process"),
	OPT_BOOL("create", struct conf, create, "off", 0,
		 "with --embed: make the directories bricks; once, it is refused when one of them is a brick already"),
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
	OPT_STR("control", struct conf, control, NULL, 0, "a local socket on which it tells how it is, to its own user"),
	OPT_STR("state-file", struct conf, state_file, "/run/gatehouse/gateway.state", 0,
		"where SIGUSR1 writes the state"),
	OPT_BOOL("check", struct conf, check, "off", 0, "only tell what is wrong with volfiles and exports"),
	OPT_STR("test-export", struct conf, test_export, NULL, 0,
		"only tell whether CLIENT may mount PATH, and why: 'CLIENT PATH'; may be repeated"),
	OPT_BOOL("json", struct conf, json, "off", 0, "tell that as JSON"),
	OPT_BOOL("help", struct conf, help, "off", 0, "this text"),
	OPT_BOOL("version", struct conf, version, "off", 0, "the version"),
	OPT_END
};

/* Some options may be given many times, which an option table cannot say: their words are put together here, with
 * @between. NULL in *ret_text when there is none. */
static int collect(int argc, char **argv, const char *option, char between, char **ret_text)
{
	size_t size, len = strlen(option);
	FILE *f = open_memstream(ret_text, &size);
	bool any = false;
	int i;

	if (!f)
		return -ENOMEM;
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
		if (any)
			putc(between, f);
		fputs(value, f);
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

void gatewayd_state_dir(struct gatewayd *d)
{
	if (strncmp(d->conf.state_file, "/run/gatehouse/", 15) == 0)
		mkdir("/run/gatehouse", 0755);
}

bool gatewayd_bad_name(const char *name)
{
	return name && (!*name || strlen(name) > NAME_MAX || strpbrk(name, "/ \t\n\"\\#`"));
}

static int usage_error(const char *sentence)
{
	fprintf(stderr, "gatehouse-gateway: %s (gatehouse-gateway --help tells more)\n", sentence);
	return 2;
}

static int check_volume(struct gatewayd *d)
{
	const struct conf *c = &d->conf;
	unsigned i;
	int sources = c->embed + (c->volfile != NULL) + (c->volfile_server != NULL) + (c->volumes != NULL);

	if (sources == 0 && c->test_export && c->exports)
		return 0;
	if (sources != 1)
		return usage_error("give one of --volumes DIR, --volfile FILE, --volfile-server HOST and --embed DIR...");
	if ((c->volfile_server != NULL) != (c->volfile_id != NULL))
		return usage_error("--volfile-server HOST and --volfile-id VOLUME belong together");
	if (c->embed && !d->ndirs)
		return usage_error("--embed wants brick directories at the end");
	if (!c->embed && d->ndirs)
		return usage_error("brick directories are for --embed only");
	if (c->embed && !c->volume)
		return usage_error("--embed wants the volume's name: --volume NAME");
	if (c->create && !c->embed)
		return usage_error("--create goes with --embed");
	for (i = 0; c->create && i < d->ndirs; i++)
		if (identity_is_marked(d->dirs[i]))
			return usage_error("one of the directories is a brick already: start without --create, which is for once");
	if (c->volumes && (c->volume || c->volume_id || c->export))
		return usage_error("--volume, --volume-id and --export are for one volume, not for --volumes");
	if (c->volfile_server && (c->check || (c->test_export && !c->volume)))
		return usage_error("what a volume server would say is not asked for here: give --volume NAME with --test-export");
	return 0;
}

static int check_conf(struct gatewayd *d, int argc, char **argv, int first)
{
	const struct conf *c = &d->conf;
	int ret;

	d->dirs = (const char **)argv + first;
	d->ndirs = (unsigned)(argc - first);
	ret = check_volume(d);
	if (ret)
		return ret;
	if (c->exports && c->export)
		return usage_error("give either --exports or --export");
	if (!c->volumes && !c->exports && !c->export && !c->check)
		return usage_error("nobody may mount: give --exports FILE, or --export '192.0.2.0/24(rw)'");
	if (gatewayd_bad_name(c->volume) || gatewayd_bad_name(c->volfile_id))
		return usage_error("a volume's name has neither slashes, blanks nor quotes, and at most 255 characters");
	if (c->exports || !c->volumes)
		d->exports_path = c->exports ? strdup(c->exports) : NULL;
	else if (asprintf(&d->exports_path, "%s/exports", c->volumes) < 0)
		d->exports_path = NULL;
	if (collect(argc, argv, "--export", ' ', &d->export_words) < 0 ||
	    collect(argc, argv, "--volfile-server", ',', &d->servers) < 0 ||
	    collect(argc, argv, "--test-export", '\n', &d->tests) < 0)
		return usage_error("out of memory");
	return 0;
}

static void print_help(void)
{
	printf("Usage: gatehouse-gateway --volumes DIR OPTION...\n"
	       "       gatehouse-gateway --volfile FILE OPTION...\n"
	       "       gatehouse-gateway --volfile-server HOST --volfile-id VOLUME OPTION...\n"
	       "       gatehouse-gateway --embed [--create] --replica N --volume NAME OPTION... DIR...\n"
	       "Serves volumes as NFS version 3.\n\n");
	options_help(options, stdout);
}

static int run(struct gatewayd *d)
{
	if (log_open("gatehouse-gateway", d->conf.log_file, (enum log_level)d->conf.log_level) < 0)
		return usage_error("the log file cannot be opened");
	if (gatewayd_drop_privileges(d, &d->err) < 0) {
		log_error("cannot start", "reason=\"%s\"", d->err.text);
		return 1;
	}
	d->loop = loop_new(NULL);
	if (!d->loop) {
		log_error("cannot start the event loop", "reason=\"%s\"", strerror(errno));
		return 1;
	}
	gatewayd_run(d);
	daemon_pid_file_remove(d->conf.pid_file);
	return d->status;
}

static int act(struct gatewayd *d, int argc, char **argv, int first)
{
	int ret;

	if (d->conf.help) {
		print_help();
		return 0;
	}
	if (d->conf.version) {
		printf("gatehouse-gateway %s\n", PACKAGE_VERSION);
		return 0;
	}
	ret = check_conf(d, argc, argv, first);
	if (ret)
		return ret;
	if (d->conf.test_export)
		return gatewayd_test_export(d);
	return d->conf.check ? gatewayd_check(d) : run(d);
}

int main(int argc, char **argv)
{
	static struct gatewayd d;
	struct error err = { "" };
	int first, ret;

	daemon_signals_block();
	options_init(options, &d.conf);
	first = options_argv(options, &d.conf, argc, argv, &err);
	ret = first < 0 ? usage_error(err.text) : act(&d, argc, argv, first);
	options_free(options, &d.conf);
	free(d.export_words);
	free(d.servers);
	free(d.tests);
	free(d.exports_path);
	return ret;
}
