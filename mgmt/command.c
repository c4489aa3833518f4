/* mgmt/command.c: from a command's name to its function, and what the functions share. */
#include "mgmt/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/document.h"
#include "mgmt/text.h"

#define TRIES 5

static const struct {
	const char *name;
	command_fn *run;
} commands[] = {
	{ "volume-create", command_volume_create }, { "volume-start", command_volume_start }, { "volume-stop", command_volume_stop },
	{ "volume-delete", command_volume_delete }, { "volume-list", command_volume_list },   { "volume-info", command_volume_info },
	{ "volume-status", command_volume_status }, { "volume-log", command_volume_log },     { "volume-set", command_volume_set },
	{ "volume-reset", command_volume_reset },   { "volume-get", command_volume_get },     { "volume-help", command_volume_help },
	{ "peer-invite", command_peer_invite },     { "peer-join", command_peer_join },
	{ "peer-probe", command_peer_probe },       { "peer-detach", command_peer_detach },   { "peer-status", command_peer_status },
	{ "pool-list", command_peer_status },       { "exports-show", command_exports_show }, { "exports-test", command_exports_test },
	{ "brick-accept", command_brick_accept },
	{ "config-check", command_config_check },   { "version", command_version },
};

json_t *coroutine_fn command_run(struct manager *m, json_t *rq)
{
	const char *name = json_member(rq, "command");
	struct error err = { "" };
	unsigned i;

	for (i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(m, rq);
	error_set(&err, -ENOSYS, "this manager (version %s) has no command \"%s\": are the programs of one version?", PACKAGE_VERSION,
		  name ? name : "");
	return json_failure(ENOSYS, &err);
}

struct volume *named_volume(const struct manager *m, const json_t *rq, struct error *err)
{
	const char *name = json_member(rq, "name");
	const struct known_volume *k = name ? known_volume(m, name) : NULL;

	if (!name)
		error_set(err, -EINVAL, "no volume is named");
	else if (!store_is_loaded(m->store))
		error_set(err, -EHOSTUNREACH, "nothing is known of volumes yet: the store %s has not answered since this manager runs",
			  store_url(m->store));
	else if (!k)
		error_set(err, -ENOENT, "volume %s does not exist; \"gatehouse volume list\" tells which there are", name);
	else if (!k->v)
		error_set(err, -EINVAL, "volume %s cannot be used: its document is damaged: %s", name, k->problem);
	else
		return k->v;
	return NULL;
}

/* What could not be read again is not written: JSON has characters that XML has not. */
int coroutine_fn store_volume(struct manager *m, struct volume *v, uint64_t expected, struct error *err)
{
	char *key = format("volumes/%s", v->name), *text;
	struct volume *again;
	size_t len;
	int ret = -EINVAL;

	v->version++;
	text = volume_text(v, &len);
	again = len > STORE_DOCUMENT_MAX ? NULL : volume_parse(text, len, key, err);
	if (again || len > STORE_DOCUMENT_MAX) /* which the store has a sentence for */
		ret = store_put(m->store, key, text, len, expected, err);
	else
		error_prefix(err, "this cannot be written down");
	volume_free(again);
	explicit_bzero(text, len);
	free(text);
	free(key);
	return ret;
}

static int coroutine_fn try_change(struct manager *m, const char *name,
				   volume_change *change, void *arg,
				   struct error *err)
{
	const struct known_volume *k = known_volume(m, name);
	struct volume *copy;
	int ret;

	if (!k || !k->v)
		return error_set(err, -ENOENT, "volume %s does not exist", name);
	if (k->problem)
		return error_set(err, -EINVAL, "volume %s cannot be changed while its document is damaged: %s", name, k->problem);
	copy = volume_copy(k->v);
	ret = change(m, copy, arg, err);
	if (ret == 0)
		ret = store_volume(m, copy, copy->revision, err);
	volume_free(copy);
	return ret;
}

int coroutine_fn change_volume(struct manager *m, const char *name,
			       volume_change *change, void *arg,
			       struct error *err)
{
	int ret = co_mutex_lock(&m->changing), i;

	if (ret < 0)
		return error_set(err, ret, "volume %s is being changed by others all the time: try again", name);
	ret = -ESTALE;
	for (i = 0; i < TRIES && ret == -ESTALE; i++) {
		if (i)
			co_sleep_ns(20000000); /* the other change is on its way to us */
		err->text[0] = 0;
		ret = try_change(m, name, change, arg, err);
	}
	co_mutex_unlock(&m->changing);
	if (ret == -ESTALE)
		error_set(err, ret, "volume %s is being changed by others all the time: try again", name);
	return ret;
}

static char *vformat(const char *fmt, va_list args)
{
	char *text = NULL;
	int len = vasprintf(&text, fmt, args);

	return need(len < 0 ? NULL : text);
}

json_t *success_message(json_t *result, const char *fmt, ...)
{
	json_t *answer = json_success(result);
	va_list args;
	char *text;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	json_object_set_new(answer, "message", json_text(text));
	free(text);
	return answer;
}

/* The array @name of @answer, made when there is none. */
static json_t *list_of(json_t *answer, const char *name)
{
	json_t *list = json_object_get(answer, name);

	if (!list) {
		list = need(json_array());
		json_object_set_new(answer, name, list);
	}
	return list;
}

void add_warning(json_t *answer, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	json_array_append_new(list_of(answer, "warnings"), json_text(text));
	free(text);
}

void add_unreachable(json_t *answer, const char *host, const char *reason)
{
	json_t *list = list_of(answer, "unreachable"), *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (strcmp(json_member(one, "host"), host) == 0)
			return;
	json_array_append_new(list, need(json_pack("{s:s, s:o}", "host", host, "reason", json_text(reason))));
}

char *brick_name(const struct volume_brick *b)
{
	return format(strchr(b->host, ':') ? "[%s]:%s" : "%s:%s", b->host, b->path);
}
