/* mgmt/command_exports.c: who may mount what. The gateway's own evaluator decides: it is run with the files that it serves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/options.h"
#include "mgmt/process.h"
#include "mgmt/text.h"

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
		error_set(&err, -EIO, "%s could not tell: %s", m->conf.gateway_program,
			  output && *output ? output : status < 0 ? strerror(-status) : "it said nothing");
		answer = json_failure(status < 0 ? -status : EIO, &err);
	}
	free(output);
	free(dir);
	free(what);
	return answer;
}

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
