/* mgmt/command_exports.c: who may mount what. The gateway's own evaluator decides: it is run with the files that it serves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/options.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "xlators/exports.h"

#define PATIENCE_MS 1500
#define OUTPUT_MAX  (64u << 10)

/* One line "PATH CLIENTS(OPTIONS) ..." as {"path":, "clients": [{"who":, "options":}]}. */
static json_t *line_json(char *line)
{
	json_t *clients = need(json_array());
	char *word, *path = strsep(&line, " \t"), *options;

	while ((word = strsep(&line, " \t"))) {
		if (!*word)
			continue;
		options = strchr(word, '(');
		if (options) {
			*options++ = 0;
			options[strcspn(options, ")")] = 0;
		}
		json_array_append_new(clients, need(json_pack("{s:o, s:o}", "who", json_text(word), "options",
							      json_text(options ? options : ""))));
	}
	return need(json_pack("{s:o, s:o}", "path", json_text(path), "clients", clients));
}

static void add_lines(const struct volume *v, json_t *exports, char **text)
{
	char *lines = exports_for_volume(v), *next = lines, *line, *longer = format("%s%s", *text, lines);

	free(*text);
	*text = longer;
	while ((line = strsep(&next, "\n")))
		if (*line == '/')
			json_array_append_new(exports, line_json(line));
	free(lines);
}

json_t *coroutine_fn command_exports_show(struct manager *m, json_t *rq)
{
	json_t *exports = need(json_array()), *answer;
	const char *name = json_member(rq, "name");
	char *text = need(strdup(""));
	struct error err = { "" };
	unsigned i;

	if (name && !named_volume(m, rq, &err)) {
		json_decref(exports);
		free(text);
		return json_failure(ENOENT, &err);
	}
	for (i = 0; i < m->nvolumes; i++) {
		const struct volume *v = m->volumes[i].v;

		if (v && (!name || strcmp(name, v->name) == 0) && v->state == VOLUME_STARTED && !volume_option_on(v, "nfs.disable"))
			add_lines(v, exports, &text);
	}
	answer = json_success(need(json_pack("{s:o, s:o}", "text", json_text(text), "exports", exports)));
	free(text);
	warn_of_gateway(m, name, answer);
	return answer;
}

/* Why the gateway would know nothing of @path: a sentence, malloc'ed, or NULL. */
static char *why_not_served(const struct manager *m, const char *path)
{
	char *name = need(strndup(path + 1, strcspn(path + 1, "/"))), *why = NULL;
	const struct known_volume *k = known_volume(m, name);

	if (!k)
		why = format("there is no volume %s; \"gatehouse volume list\" tells which there are", name);
	else if (!k->v)
		why = format("the document of volume %s is damaged: %s", name, k->problem);
	else if (k->v->state != VOLUME_STARTED)
		why = format("volume %s is not started: \"gatehouse volume start %s\" does that", name, name);
	else if (volume_option_on(k->v, "nfs.disable"))
		why = format("volume %s is not served by NFS: \"gatehouse volume reset %s nfs.disable\" changes that", name, name);
	free(name);
	return why;
}

static json_t *coroutine_fn ask_gateway(struct manager *m, const char *client, const char *path)
{
	char *dir = format("%s/gateway", m->conf.run_dir), *what = format("%s %s", client, path), *output = NULL;
	const char *argv[] = { m->conf.gateway_program, "--volumes", dir, "--json", "--test-export", what, NULL };
	int status = process_run(m->loop, argv, PATIENCE_MS, OUTPUT_MAX, &output);
	json_t *result = status == 0 || status == 1 ? json_parse(output, strlen(output)) : NULL, *answer;
	struct error err = { "" };

	if (json_is_object(result)) {
		answer = json_success(result);
	} else {
		json_decref(result);
		if (output)
			output[strcspn(output, "\n")] = '\0';
		if (status == 2 && output && *output)	/* the question was wrong, and it says how */
			error_set(&err, -EINVAL, "%s", output);
		else
			error_set(&err, -EIO, "%s could not tell: %s", m->conf.gateway_program,
				  output && *output ? output : status < 0 ? strerror(-status) : "it said nothing");
		answer = json_failure(status < 0 ? -status : status == 2 ? EINVAL : EIO, &err);
	}
	free(output);
	free(dir);
	free(what);
	return answer;
}

/* --- can anybody create at the root? --- */

struct root_dir { uint32_t mode, uid, gid; };

/* One of this entry's callers, whoever is the luckiest. */
static bool may_create(const struct export_options *o, const struct root_dir *d)
{
	if (o->all_squash)
		return d->mode & (o->anonuid == d->uid ? 0200 : o->anongid == d->gid ? 0020 : 0002);
	return !o->root_squash || (d->mode & 0002) || ((d->mode & 0200) && d->uid) || ((d->mode & 0020) && d->gid);
}

/* Is the root exported for writing at all, and @ret_may: may anybody create there? */
static bool root_is_writable(const struct volume *v, const struct root_dir *d, bool *ret_may)
{
	char *lines = exports_for_volume(v);
	struct export_set *set;
	bool writable = false;
	unsigned i, j;

	*ret_may = false;
	if (exports_parse_lines(lines, strlen(lines), NULL, NULL, &set, NULL) == 0) {
		for (i = 0; i < set->n; i++)
			for (j = 0; !*set->exports[i].subdir && j < set->exports[i].nclients; j++) {
				const struct export_options *o = &set->exports[i].clients[j].options;

				writable |= o->rw && !o->noaccess;
				*ret_may |= o->rw && !o->noaccess && may_create(o, d);
			}
		export_set_unref(set);
	}
	free(lines);
	return writable;
}

static bool coroutine_fn find_root(struct manager *m, const struct volume *v, struct root_dir *ret)
{
	char *path = need(strdup(v->bricks[0].path));
	json_t *args = need(json_pack("{s:[s]}", "paths", path)), *told = NULL, *root;
	struct error err = { "" };
	bool found = request_ask(m, v->bricks[0].host_id, "bricks-detail", args, &told, &err) == 0;

	root = found ? json_object_get(json_object_get(told, "result"), path) : NULL;
	found = json_is_integer(json_object_get(root, "root_mode"));
	ret->mode = (uint32_t)json_integer_value(json_object_get(root, "root_mode"));
	ret->uid = (uint32_t)json_integer_value(json_object_get(root, "root_uid"));
	ret->gid = (uint32_t)json_integer_value(json_object_get(root, "root_gid"));
	json_decref(told);
	json_decref(args);
	free(path);
	return found;
}

void coroutine_fn warn_of_closed_root(struct manager *m, const char *name, json_t *answer)
{
	const struct known_volume *k = known_volume(m, name);
	struct root_dir d;
	bool may;

	if (!k || !k->v || volume_option_on(k->v, "nfs.disable") || !find_root(m, k->v, &d))
		return;
	k = known_volume(m, name);
	if (k && k->v && root_is_writable(k->v, &d, &may) && !may)
		add_warning(answer,
			    "no NFS client may create anything at the root of %s: it belongs to %u:%u with mode %04o, and root is squashed. "
			    "\"gatehouse volume set %s storage.owner-uid UID storage.owner-gid GID\" before the start gives it to a user; "
			    "with nfs.root-squash off root of each client may make directories for users",
			    name, d.uid, d.gid, d.mode, name);
}

/* --- test --- */

json_t *coroutine_fn command_exports_test(struct manager *m, json_t *rq)
{
	const char *client = json_member(rq, "client"), *path = json_member(rq, "path");
	struct error err = { "" };
	json_t *result;
	char *why;

	if (!client || !*client || !path || strpbrk(client, " \t\n") || path[0] != '/') {
		error_set(&err, -EINVAL, "write \"exports test CLIENT PATH\": an address or a host's name, and a path such as /demo");
		return json_failure(EINVAL, &err);
	}
	why = why_not_served(m, path);
	if (!why)
		return ask_gateway(m, client, path);
	result = need(json_pack("{s:b, s:o, s:i, s:s}", "allowed", 0, "reason", json_text(why), "line", 0, "options", ""));
	free(why);
	return json_success(result);
}
