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

static int check_volumes(struct gatewayd *d, struct findings *found)
{
	struct volume_dir *dir = calloc(1, sizeof(*dir));
	struct error err = { "" };

	if (!dir || volume_dir_read(d->conf.volumes, d->exports_path, false, dir, &err) < 0) {
		tell(found, err.text);
	} else {
		check_dir(d, dir, found);
		exports_check(d->exports_path, NULL, tell, found);
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
	struct export_set *set;
	struct volfile *vf;

	log_open("gatehouse-gateway", NULL, LOG_LEVEL_ERROR);
	if (d->conf.volumes)
		return check_volumes(d, &found);
	vf = volume_one_read(d, NULL, &err);
	check_graph(vf, &found, &err);
	if (vf && !d->conf.volume)
		d->conf.volume = strdup(volume_top_name(vf));
	volfile_free(vf);
	err.text[0] = '\0';
	if (d->exports_path) {
		exports_check(d->exports_path, d->conf.volume, tell, &found);
	} else if (d->export_words && d->conf.volume) {
		if (volume_one_exports(d, &set, &err) == 0)
			export_set_unref(set);
		else
			tell(&found, err.text);
	}
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
	unsigned port;
	const char *name;		/* of the client, when it mattered and is known */
	bool wants_name, no_volume;
	struct export_verdict verdict;
};

struct test { struct gatewayd *d; struct volume_dir dir; struct export_set *set; struct peer_names *names; int status; };

#define PORT_MEANT 700			/* one that clients take when they may */

/* "ADDRESS", "HOST", or either with ":PORT"; an IPv6 address with a port stands in brackets. 0 or -errno. */
static int coroutine_fn find_client(struct question *q)
{
	char host[300], *colon;

	snprintf(host, sizeof(host), "%s", q->client);
	q->port = PORT_MEANT;
	colon = strrchr(host, ':');
	if (colon && (strchr(host, ':') == colon || colon[-1] == ']')) {
		*colon = '\0';
		q->port = (unsigned)strtoul(colon + 1, NULL, 10);
	}
	if (q->port > 65535)
		return -EINVAL;
	return net_resolve(host, (uint16_t)q->port, &q->addr, 1);
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

	q->no_volume = q->path[0] != '/' || !volume_is_there(t, q->path);
	q->wants_name = export_wants_name(t->set, q->path);
	if (q->wants_name)
		q->name = peer_name(t->names, peer);
	export_decide(t->set, q->path, peer, q->name, &q->verdict);
	text_of_address(q);
}

static void put_options(FILE *f, const struct export_options *o)
{
	fprintf(f, "%s, %s, ", o->rw ? "reading and writing (rw)" : "reading only (ro)",
		o->sync ? "answers after stable storage (sync)" : "answers before stable storage (async)");
	if (o->all_squash)
		fprintf(f, "everybody becomes %u:%u (all_squash)", o->anonuid, o->anongid);
	else if (o->root_squash)
		fprintf(f, "root becomes %u:%u (root_squash)", o->anonuid, o->anongid);
	else
		fprintf(f, "root stays root (no_root_squash)");
	fprintf(f, ", %s", o->secure ? "from ports below 1024 only (secure)" : "from any port (insecure)");
	if (o->ino32)
		fprintf(f, ", file numbers of 32 bits (ino32)");
}

static void put_others(FILE *f, const struct question *q)
{
	const struct export *ex = q->verdict.export;
	unsigned i;

	for (i = 0; i < ex->nclients && i < 8; i++)
		fprintf(f, "%s%s", i ? ", " : "", ex->clients[i].spec);
	if (ex->nclients > 8)
		fprintf(f, " and %u more", ex->nclients - 8);
	if (q->wants_name && !q->name)
		fprintf(f, "; the client's address has no host name that leads back to it, so no pattern matches");
	else if (q->name)
		fprintf(f, "; the client's name is %s", q->name);
}

/* The decision and its reason, as one sentence. */
static void put_reason(FILE *f, const struct test *t, const struct question *q)
{
	const struct export_verdict *v = &q->verdict;
	const char *file = t->d->exports_path ? t->d->exports_path : "--export";

	if (q->no_volume) {
		fprintf(f, "there is no such volume");
		return;
	}
	switch (v->why) {
	case EXPORT_NO_PATH:
		fprintf(f, "%s exports neither it nor a directory above it", file);
		return;
	case EXPORT_NO_CLIENT:
		fprintf(f, "%s:%u exports %s, but only to %s", file, v->export->line, v->export->path,
			v->export->nclients == 1 ? "" : "these: ");
		put_others(f, q);
		return;
	case EXPORT_HIGH_PORT:
		fprintf(f, "%s:%u lets %s in from ports below 1024 only, and the port is %u (the option insecure lifts that)", file,
			v->client->line, v->client->spec, q->port);
		return;
	case EXPORT_REFUSED:
		fprintf(f, "%s:%u refuses %s access (noaccess), whatever else matches", file, v->client->line, v->client->spec);
		return;
	case EXPORT_ALLOWED:
		fprintf(f, "%s:%u exports %s to %s: ", file, v->client->line, v->export->path, v->client->spec);
		put_options(f, &v->client->options);
		return;
	}
}

static bool allowed(const struct question *q)
{
	return !q->no_volume && q->verdict.why == EXPORT_ALLOWED;
}

static void print_json(const struct test *t, const struct question *q, const char *reason)
{
	static const char *const words[] = { "allowed", "not exported", "client not listed", "port", "noaccess" };
	const struct export_verdict *v = &q->verdict;
	const struct export_options *o;

	printf("{\"client\": ");
	json_put_text(stdout, q->client);
	printf(", \"address\": \"%s\", \"port\": %u, \"name\": ", q->address, q->port);
	json_put_text(stdout, q->name);
	printf(", \"path\": ");
	json_put_text(stdout, q->path);
	printf(", \"allowed\": %s, \"why\": \"%s\", \"reason\": ", allowed(q) ? "true" : "false",
	       q->no_volume ? "no such volume" : words[v->why]);
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

static void print(const struct test *t, const struct question *q)
{
	char *reason = NULL;
	size_t size;
	FILE *f = open_memstream(&reason, &size);

	if (!f)
		return;
	put_reason(f, t, q);
	if (fclose(f) != 0)
		return;
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
	fprintf(stderr, "gatehouse-gateway: --test-export wants 'CLIENT PATH', not '%s'\n", line);
	return 2;
}

static int coroutine_fn ask(struct test *t, char *line)
{
	struct question q;
	int ret = parse_question(line, &q);

	if (ret)
		return ret;
	if (find_client(&q) < 1) {
		fprintf(stderr, "gatehouse-gateway: --test-export: %s is no address, and no host that resolves\n", q.client);
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
	t->names = peer_names_new();
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
