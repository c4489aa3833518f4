/* gateway/check.c: what administrators ask before they try: is the configuration right, and may this client mount that path?
 *
 * The answer comes from the evaluator that serves MOUNT and every procedure (export.h); here it is only put into words. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gatewayd.h"
#include "gateway/verdict.h"
#include "gateway/volume_dir.h"
#include "runtime/json_text.h"
#include "runtime/log.h"
#include "runtime/stream.h"

/* --- --check ---------------------------------------------------------------------------------------------------- */

struct findings { unsigned n; };

static void tell(void *arg, const char *sentence)
{
	struct findings *found = arg;

	found->n++;
	printf("%s\n", sentence);
}

static void check_graph(struct volfile *vf, struct findings *found, struct error *err)
{
	if (!vf || graph_check(vf, err) < 0)
		tell(found, err->text);
}

static void check_same_ids(struct volfile **files, const struct volume_dir *dir, struct findings *found)
{
	uint8_t (*ids)[16] = calloc(dir->n, 16);
	struct error err;
	unsigned i, j;

	for (i = 0; ids && i < dir->n; i++) {
		if (!files[i])
			continue;
		volume_find_id(files[i], dir->files[i].name, ids[i]);
		for (j = 0; j < i; j++) {
			if (!files[j] || memcmp(ids[i], ids[j], 16) != 0)
				continue;
			err.text[0] = '\0';
			error_set(&err, 0, "%s: it has the volume-id of %s", dir->files[i].path, dir->files[j].path);
			tell(found, err.text);
		}
	}
	free(ids);
}

static void check_dir(struct gatewayd *d, const struct volume_dir *dir, struct findings *found)
{
	struct volfile **files = calloc(dir->n + 1, sizeof(*files));
	unsigned i;

	for (i = 0; files && i < dir->n; i++) {
		const struct volume_file *f = &dir->files[i];
		struct error err = f->err;

		if (f->text && !err.text[0])
			files[i] = volume_parse(f->text, f->len, f->path, d->conf.cache_size, false, &err);
		check_graph(files[i], found, &err);
	}
	if (files)
		check_same_ids(files, dir, found);
	for (i = 0; files && i < dir->n; i++)
		volfile_free(files[i]);
	free(files);
}

static void tell_wrong(const struct export_set *set, struct findings *found)
{
	unsigned i;

	for (i = 0; set && i < set->nwrong; i++)
		tell(found, set->wrong[i].sentence);
}

static void check_exports(struct gatewayd *d, struct findings *found)
{
	struct export_set *set = NULL;
	struct error err = { "" };

	if (volume_one_exports(d, &set, &err) < 0)
		tell(found, err.text);
	tell_wrong(set, found);
	export_set_unref(set);
}

static int check_volumes(struct gatewayd *d, struct findings *found)
{
	struct volume_dir *dir = calloc(1, sizeof(*dir));
	struct error err = { "" };

	if (!dir || volume_dir_read(d->conf.volumes, d->exports_path, false, dir, &err) < 0) {
		tell(found, err.text);
	} else {
		check_dir(d, dir, found);
		if (!dir->exports)
			tell(found, dir->exports_err.text);
		tell_wrong(dir->exports, found);
		if (!found->n)
			printf("%u volumes and %u exports are in order\n", dir->n, dir->exports ? dir->exports->n : 0);
		volume_dir_free(dir);
	}
	free(dir);
	return found->n ? 1 : 0;
}

int gatewayd_check(struct gatewayd *d)
{
	struct findings found = { 0 };
	struct error err = { "" };
	struct volfile *vf;

	log_open("gatehouse-gateway", NULL, LOG_LEVEL_ERROR);
	if (d->conf.volumes)
		return check_volumes(d, &found);
	vf = volume_one_read(d, NULL, &err);
	check_graph(vf, &found, &err);
	if (vf && !d->conf.volume)
		d->conf.volume = strdup(volume_top_name(vf));
	volfile_free(vf);
	if (d->exports_path || (d->export_words && d->conf.volume))
		check_exports(d, &found);
	if (!found.n)
		printf("the volume and its exports are in order\n");
	return found.n ? 1 : 0;
}

/* --- --test-export ---------------------------------------------------------------------------------------------- */

struct question {
	char *client;
	const char *path;
	struct sockaddr_storage addr;
	char address[80];		/* without the port */
	bool port_meant;		/* the port was not given */
	struct verdict_case v;
};

struct test { struct gatewayd *d; struct volume_dir dir; struct export_set *set; struct peer_names *names; int status; };

#define PORT_MEANT 700			/* one that clients take when they may */

/* "ADDRESS", "HOST", or either with ":PORT"; an IPv6 address with a port stands in brackets. 0 or -errno. */
static int coroutine_fn find_client(struct question *q)
{
	char host[300], *colon;

	snprintf(host, sizeof(host), "%s", q->client);
	q->v.port = PORT_MEANT;
	q->port_meant = true;
	colon = strrchr(host, ':');
	if (colon && (strchr(host, ':') == colon || colon[-1] == ']')) {
		*colon = '\0';
		q->v.port = (unsigned)strtoul(colon + 1, NULL, 10);
		q->port_meant = false;
	}
	if (q->v.port > 65535)
		return -EINVAL;
	return net_resolve(host, (uint16_t)q->v.port, &q->addr, 1);
}

static void text_of_address(struct question *q)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&q->addr;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&q->addr;

	if (q->addr.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, q->address, sizeof(q->address));
	else
		inet_ntop(AF_INET, &in->sin_addr, q->address, sizeof(q->address));
}

static bool volume_is_there(const struct test *t, const char *path)
{
	size_t len = strcspn(path + 1, "/");
	unsigned i;

	for (i = 0; i < t->dir.n; i++)
		if (strlen(t->dir.files[i].name) == len && strncmp(t->dir.files[i].name, path + 1, len) == 0)
			return true;
	return !t->d->conf.volumes;
}

static void coroutine_fn decide(struct test *t, struct question *q)
{
	const struct sockaddr *peer = (const struct sockaddr *)&q->addr;

	q->v.file = t->d->exports_path ? t->d->exports_path : "--export";
	q->v.set = t->set;
	q->v.no_volume = q->path[0] != '/' || !volume_is_there(t, q->path);
	q->v.wants_name = export_path_needs_name(t->set, q->path, peer);
	if (q->v.wants_name)
		peer_name(t->names, peer, &q->v.name);
	export_decide(t->set, q->path, peer, q->v.name, &q->v.verdict);
	text_of_address(q);
}

static bool allowed(const struct question *q)
{
	return !q->v.no_volume && q->v.verdict.why == EXPORT_ALLOWED;
}

static void print_json(const struct test *t, const struct question *q, const char *reason)
{
	static const char *const words[] = { "allowed", "not exported", "client not listed", "port", "noaccess" };
	const struct export_verdict *v = &q->v.verdict;
	const struct export_options *o;

	printf("{\"client\": ");
	json_put_text(stdout, q->client);
	printf(", \"address\": \"%s\", \"port\": %u, \"name\": ", q->address, q->v.port);
	json_put_text(stdout, q->v.name);
	printf(", \"path\": ");
	json_put_text(stdout, q->path);
	printf(", \"allowed\": %s, \"why\": \"%s\", \"reason\": ", allowed(q) ? "true" : "false",
	       q->v.no_volume ? "no such volume" : words[v->why]);
	json_put_text(stdout, reason);
	printf(", \"file\": ");
	json_put_text(stdout, t->d->exports_path);
	if (v->export) {
		printf(", \"line\": %u, \"export\": ", v->client ? v->client->line : v->export->line);
		json_put_text(stdout, v->export->path);
	}
	if (v->client) {
		o = &v->client->options;
		printf(", \"matched\": ");
		json_put_text(stdout, v->client->spec);
		printf(", \"options\": {\"rw\": %s, \"sync\": %s, \"secure\": %s, \"root_squash\": %s, \"all_squash\": %s, \"ino32\": %s, "
		       "\"anonuid\": %u, \"anongid\": %u}", o->rw ? "true" : "false", o->sync ? "true" : "false",
		       o->secure ? "true" : "false", o->root_squash ? "true" : "false", o->all_squash ? "true" : "false",
		       o->ino32 ? "true" : "false", o->anonuid, o->anongid);
	}
	printf("}\n");
}

/* The answer may hang on the port that was taken for granted. */
static void add_port_meant(char **reason, const struct question *q)
{
	const struct export_client *client = q->v.verdict.client;
	char *longer;

	if (!q->port_meant || !allowed(q) || !client->options.secure)
		return;
	if (asprintf(&longer, "%s; a port below 1024 is taken for granted: CLIENT:PORT asks about another one", *reason) < 0)
		return;
	free(*reason);
	*reason = longer;
}

static void print(const struct test *t, const struct question *q)
{
	char *reason = verdict_text(&q->v);

	if (!reason)
		return;
	add_port_meant(&reason, q);
	if (t->d->conf.json) {
		print_json(t, q, reason);
	} else {
		printf("%s ", q->client);
		if (!strstr(q->client, q->address))
			printf("(%s) ", q->address);
		printf("%s mount %s: %s\n", allowed(q) ? "may" : "may not", q->path, reason);
	}
	free(reason);
}

/* "CLIENT PATH", taken apart in place. 2 for nonsense, else 0. */
static int parse_question(char *line, struct question *q)
{
	char *end;

	memset(q, 0, sizeof(*q));
	q->client = line + strspn(line, " \t");
	end = q->client + strcspn(q->client, " \t");
	if (*end)
		*end++ = '\0';
	q->path = end + strspn(end, " \t");
	if (*q->client && *q->path)
		return 0;
	fprintf(stderr, "--test-export wants 'CLIENT PATH', not '%s'\n", line);
	return 2;
}

static int coroutine_fn ask(struct test *t, char *line)
{
	struct question q;
	int ret = parse_question(line, &q);

	if (ret)
		return ret;
	if (find_client(&q) < 1) {
		fprintf(stderr, "%s is no address, and no host name that resolves\n", log_quote(q.client));
		return 2;
	}
	decide(t, &q);
	print(t, &q);
	return allowed(&q) ? 0 : 1;
}

static void coroutine_fn ask_all(void *arg)
{
	struct test *t = arg;
	char *next = t->d->tests, *line;
	int ret;

	export_set_resolve(t->set);
	t->names = peer_names_new(NULL);
	while (t->names && (line = strsep(&next, "\n"))) {
		ret = ask(t, line);
		if (ret > t->status)
			t->status = ret;
	}
	peer_names_free(t->names);
	loop_stop(t->d->loop);
}

static int read_exports(struct test *t, struct error *err)
{
	struct gatewayd *d = t->d;
	int ret;

	if (d->conf.volumes) {
		ret = volume_dir_read(d->conf.volumes, d->exports_path, false, &t->dir, err);
		if (ret < 0)
			return ret;
		t->set = t->dir.exports;
		return t->set ? 0 : error_set(err, -EINVAL, "%s", t->dir.exports_err.text);
	}
	if (d->conf.export && !d->conf.volume)
		return error_set(err, -EINVAL, "--export with --test-export wants the volume's name: --volume NAME");
	if (d->conf.volume)
		return volume_one_exports(d, &t->set, err);
	return exports_read(d->exports_path, NULL, &t->set, err);
}

int gatewayd_test_export(struct gatewayd *d)
{
	struct test t = { .d = d };
	struct error err = { "" };

	log_open("gatehouse-gateway", NULL, LOG_LEVEL_ERROR);
	if (read_exports(&t, &err) < 0) {
		fprintf(stderr, "gatehouse-gateway: %s\n", err.text);
		volume_dir_free(&t.dir);
		return 2;
	}
	d->loop = loop_new(NULL);
	if (!d->loop)
		return 2;
	co_start(d->loop, ask_all, &t);
	loop_run(d->loop);
	if (!d->conf.volumes)
		export_set_unref(t.set);
	volume_dir_free(&t.dir);
	return t.status;
}
