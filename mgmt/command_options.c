/* mgmt/command_options.c: volume set, reset, get and help: options by their table (options.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/options.h"
#include "mgmt/text.h"

/* --- set, reset --- */

/* Bricks under TLS and clients without it, or the other way round, find each other no more. */
static bool is_switch_of_tls(const struct volume_option_row *row)
{
	return row && (strcmp(row->name, "client.ssl") == 0 || strcmp(row->name, "server.ssl") == 0);
}

static int set_options(struct manager *m, struct volume *v, void *arg, struct error *err)
{
	json_t *options = arg, *one;
	bool exports = false;
	size_t i;
	int ret;

	json_array_foreach(options, i, one) {
		const char *name = json_member(one, "name"), *value = json_member(one, "value");
		const struct volume_option_row *row;

		if (!name || !value)
			return error_set(err, -EINVAL, "an option is set as a name and a value");
		ret = volume_option_check(name, value, err);
		if (ret < 0)
			return ret;
		row = volume_option_find(name);
		exports |= row && row->place == PLACE_EXPORTS;
		if (v->state == VOLUME_STARTED && is_switch_of_tls(row) && strcmp(volume_option_effective(v, row->name), value) != 0)
			return error_set(err, -EBUSY, "%s changes bricks and whoever uses them at once: stop volume %s first", row->name,
					 v->name);
		volume_set_option(v, row ? row->name : name, value); /* user.* has no row */
		v->login_only = v->login_only || (row && strcmp(row->name, "auth.allow") == 0);
	}
	return exports ? exports_for_volume_check(v, err) : 0;
}

static int reset_options(struct manager *m, struct volume *v, void *arg, struct error *err)
{
	const char *name = arg;
	const struct volume_option_row *row;

	if (!name || strcmp(name, "all") == 0) {
		while (v->noptions)
			volume_set_option(v, v->options[0].name, NULL);
		return 0;
	}
	row = volume_option_find(name);
	if (!row && !volume_option(v, name))
		return volume_option_check(name, "", err) < 0 ? -ENOENT : error_set(err, -ENOENT, "there is no option \"%s\"", name);
	volume_set_option(v, row ? row->name : name, NULL);
	return 0;
}

/* What does not take effect by itself. */
static void tell_effect(const struct volume *v, const char *name, json_t *answer)
{
	const struct volume_option_row *row = volume_option_find(name);

	if (row && !volume_option_is_live(row) && v->state == VOLUME_STARTED &&
	    (row->place == PLACE_BRICK || row->place == PLACE_MANAGER))
		add_warning(answer, "%s takes effect when the volume is stopped and started again", row->name);
	if (is_switch_of_tls(row) && volume_option_on(v, "client.ssl") != volume_option_on(v, "server.ssl"))
		add_warning(answer, "client.ssl and server.ssl differ: with one of them only, nobody reaches the bricks");
	if (row && row->place == PLACE_EXPORTS && strcmp(row->name, "nfs.exports") != 0 && volume_option(v, "nfs.exports"))
		add_warning(answer, "nfs.exports is set and says all by itself: %s changes nothing until it is reset", row->name);
}

static json_t *coroutine_fn change_options(struct manager *m, json_t *rq, const char *verb, volume_change *change, void *arg)
{
	struct error err = { "" };
	struct volume *v = named_volume(m, rq, &err);
	char *name;
	json_t *answer, *one;
	size_t i;
	int ret;

	if (!v)
		return json_failure(ENOENT, &err);
	name = need(strdup(v->name));
	ret = change_volume(m, name, change, arg, &err);
	if (ret < 0) {
		answer = json_failure(-ret, &err);
	} else {
		reconcile_settled(m, name);
		answer = success_message(NULL, "volume %s: success", verb);
		json_array_foreach(json_object_get(rq, "options"), i, one)
			if (known_volume(m, name) && known_volume(m, name)->v)
				tell_effect(known_volume(m, name)->v, json_member(one, "name"), answer);
	}
	free(name);
	return answer;
}

json_t *coroutine_fn command_volume_set(struct manager *m, json_t *rq)
{
	json_t *options = json_object_get(rq, "options");
	struct error err = { "" };

	if (!json_array_size(options)) {
		error_set(&err, -EINVAL, "no option is named: write \"volume set NAME OPTION VALUE\"; \"volume set help\" lists options");
		return json_failure(EINVAL, &err);
	}
	return change_options(m, rq, "set", set_options, options);
}

json_t *coroutine_fn command_volume_reset(struct manager *m, json_t *rq)
{
	return change_options(m, rq, "reset", reset_options, (void *)json_member(rq, "option"));
}

/* --- get, help --- */

static json_t *option_json(const struct volume *v, const struct volume_option_row *row)
{
	return need(json_pack("{s:s, s:o, s:b}", "name", row->name, "value", json_text(volume_option_effective(v, row->name)), "default",
			      !volume_option(v, row->name)));
}

json_t *coroutine_fn command_volume_get(struct manager *m, json_t *rq)
{
	const char *name = json_member(rq, "option");
	struct error err = { "" };
	const struct volume *v = named_volume(m, rq, &err);
	const struct volume_option_row *row;
	json_t *list;

	if (!v)
		return json_failure(ENOENT, &err);
	list = need(json_array());
	if (!name || strcmp(name, "all") == 0) {
		for (row = volume_option_rows; row->name; row++)
			json_array_append_new(list, option_json(v, row));
		return json_success(need(json_pack("{s:o}", "options", list)));
	}
	row = volume_option_find(name);
	if (!row) {
		json_decref(list);
		volume_option_check(name, "", &err);
		return json_failure(ENOENT, &err);
	}
	json_array_append_new(list, option_json(v, row));
	return json_success(need(json_pack("{s:o}", "options", list)));
}

json_t *coroutine_fn command_volume_help(struct manager *m, json_t *rq)
{
	json_t *list = need(json_array());
	const struct volume_option_row *row;

	for (row = volume_option_rows; row->name; row++)
		json_array_append_new(list,
				      need(json_pack("{s:s, s:o, s:o, s:b, s:o}", "name", row->name, "value",
						     json_text(volume_option_default(row)), "help", json_text(volume_option_help(row)),
						     "live", volume_option_is_live(row), "type", json_text(volume_option_type(row)))));
	return json_success(need(json_pack("{s:o}", "options", list)));
}
