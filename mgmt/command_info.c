/* mgmt/command_info.c: volume list, info, status, log: what is desired, and what is. Nothing here waits for anything but a host's own
 * answer about its disks and logs, and not for long. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/options.h"
#include "mgmt/process.h"
#include "mgmt/text.h"

#define LOGS_SHOWN (512u << 10) /* of an answer, which has 1 MiB at most */

/* --- list, info --- */

static void warn_of_store(const struct manager *m, json_t *answer)
{
	uint64_t silent = store_silent_ms(m->store);

	if (!store_is_loaded(m->store))
		add_warning(answer, "the store %s has not answered since this manager runs: nothing is known yet", store_url(m->store));
	else if (silent > 2000)
		add_warning(answer, "the store %s has not answered for %u s: this is what was known then", store_url(m->store),
			    (unsigned)(silent / 1000));
}

json_t *coroutine_fn command_volume_list(struct manager *m, json_t *rq)
{
	json_t *names = need(json_array()), *answer;
	unsigned i;

	for (i = 0; i < m->nvolumes; i++)
		json_array_append_new(names, need(json_string(m->volumes[i].name)));
	answer = json_success(need(json_pack("{s:o}", "volumes", names)));
	warn_of_store(m, answer);
	return answer;
}

static json_t *info_of(const struct volume *v)
{
	json_t *bricks = need(json_array()), *options = need(json_array());
	char id[GFID_TEXT_SIZE], *name;
	unsigned i;

	for (i = 0; i < v->nbricks; i++) {
		const struct volume_brick *b = &v->bricks[i];

		name = brick_name(b);
		json_array_append_new(bricks, need(json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", name, "host", b->host, "host_id",
							     b->host_id, "path", b->path, "arbiter", b->arbiter)));
		free(name);
	}
	for (i = 0; i < v->noptions; i++)
		json_array_append_new(options, need(json_pack("{s:s, s:s}", "name", v->options[i].name, "value", v->options[i].value)));
	return need(json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:o, s:o}", "name", v->name, "id", gfid_text(v->id, id), "status",
			      volume_state_word(v->state), "replica", v->replica, "arbiter", v->arbiter, "distribute", volume_sets(v),
			      "version", (json_int_t)v->version, "bricks", bricks, "options", options));
}

/* One, or all when none is named. @each appends what it makes of a volume. Fails with a sentence for one that is not there. */
static json_t *for_volumes(struct manager *m, json_t *rq, json_t *(*each)(struct manager *m, const struct volume *v, json_t *answer))
{
	json_t *list = need(json_array()), *answer = json_success(need(json_pack("{s:o}", "volumes", list)));
	struct error err = { "" };
	const struct volume *v;
	unsigned i;

	if (json_member(rq, "name")) {
		v = named_volume(m, rq, &err);
		if (!v) {
			json_decref(answer);
			return json_failure(ENOENT, &err);
		}
		json_array_append_new(list, each(m, v, answer));
	}
	for (i = 0; i < m->nvolumes; i++) {
		const struct known_volume *k = &m->volumes[i];

		if (json_member(rq, "name") && strcmp(json_member(rq, "name"), k->name) != 0)
			continue;
		if (k->problem)
			add_warning(answer, "volume %s: its document is damaged%s: %s", k->name,
				    k->v ? ", what it said before holds" : "", k->problem);
		if (k->v && !json_member(rq, "name"))
			json_array_append_new(list, each(m, k->v, answer));
	}
	warn_of_store(m, answer);
	return answer;
}

static json_t *each_info(struct manager *m, const struct volume *v, json_t *answer)
{
	return info_of(v);
}

json_t *coroutine_fn command_volume_info(struct manager *m, json_t *rq)
{
	return for_volumes(m, rq, each_info);
}

/* --- status --- */

static char *not_heard_of(const char *host)
{
	return format("host %s has not been heard of for %d s or more", host, STATUS_TTL_S);
}

json_t *brick_status_json(struct manager *m, const struct volume *v, unsigned brick)
{
	const struct volume_brick *b = &v->bricks[brick];
	json_t *status = host_status(m, b->host_id), *own = status_brick(status, v->name, b->path), *result;
	char *name = brick_name(b), *silent = status ? NULL : not_heard_of(b->host);
	const char *reason = own ? json_member(own, "reason") : status ? "it is not started" : silent;

	result = need(json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:o}", "name", name, "host", b->host, "host_id",
				b->host_id, "path", b->path, "known", status != NULL, "online", json_flag(own, "online"), "port",
				json_number(own, "port"), "pid", json_number(own, "pid"), "restarts", json_number(own, "restarts"),
				"reason", json_text(reason ? reason : "")));
	if (json_member(own, "trouble"))
		json_object_set_new(result, "trouble", json_text(json_member(own, "trouble")));
	free(name);
	free(silent);
	json_decref(status);
	return result;
}

static bool serves(const json_t *gateway, const char *volume)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(gateway, "volumes"), i, name)
		if (json_is_string(name) && strcmp(json_string_value(name), volume) == 0)
			return true;
	return false;
}

/* Every host has a gateway, so that any of them can be mounted from. */
static json_t *gateway_of(struct manager *m, const struct host *h, const char *volume)
{
	json_t *status = host_status(m, h->uuid), *gateway = json_object_get(status, "gateway"), *result;
	char *silent = status ? NULL : not_heard_of(h->name);
	const char *reason = silent ? silent : serves(gateway, volume) ? json_member(gateway, "reason") : "it does not serve this volume";
	bool online = serves(gateway, volume) && json_flag(gateway, "online");

	result = need(json_pack("{s:s, s:s, s:b, s:b, s:i, s:i, s:o}", "host", h->name, "host_id", h->uuid, "known", status != NULL,
				"online", online, "port", online ? json_number(gateway, "port") : 0, "pid",
				online ? json_number(gateway, "pid") : 0, "reason", json_text(reason ? reason : "")));
	free(silent);
	json_decref(status);
	return result;
}

static json_t *each_status(struct manager *m, const struct volume *v, json_t *answer)
{
	json_t *bricks = need(json_array()), *gateways = need(json_array()), *one;
	char id[GFID_TEXT_SIZE], *attach = volume_attach_text(v);
	unsigned i;

	if (!v->login_only)
		add_warning(answer, "volume %s: its bricks serve every address as root, which was the default when it was made; "
			    "\"gatehouse volume set %s auth.allow none\" leaves them to the cluster's daemons", v->name, v->name);
	for (i = 0; i < v->nbricks; i++) {
		one = brick_status_json(m, v, i);
		if (!json_flag(one, "known"))
			add_unreachable(answer, v->bricks[i].host, json_member(one, "reason"));
		json_array_append_new(bricks, one);
	}
	for (i = 0; i < m->nhosts; i++)
		json_array_append_new(gateways, gateway_of(m, m->hosts[i], v->name));
	one = need(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name", v->name, "id", gfid_text(v->id, id), "status",
			     volume_state_word(v->state), "bricks", bricks, "gateways", gateways, "attach", json_text(attach)));
	free(attach);
	return one;
}

/* --- details that only the bricks' hosts know --- */

struct asking {
	struct manager *m;
	struct asked {
		const char *uuid;
		json_t *args, *answer;
		struct error err;
	} *hosts;
	unsigned n, first;
	const char *what;
};

static int coroutine_fn ask_one(void *ctx, unsigned i)
{
	struct asking *a = ctx;
	struct asked *h = &a->hosts[a->first + i];
	int ret = request_ask(a->m, h->uuid, a->what, h->args, &h->answer, &h->err);

	if (ret == 0 && json_number(h->answer, "status")) {
		ret = error_set(&h->err, -json_number(h->answer, "status"), "%s",
				json_member(h->answer, "error") ? json_member(h->answer, "error") : "it could not tell");
		json_decref(h->answer);
		h->answer = NULL;
	}
	return ret;
}

static struct asked *asked_host(struct asking *a, const char *uuid)
{
	unsigned i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->hosts[i].uuid, uuid) == 0)
			return &a->hosts[i];
	a->hosts = need(realloc(a->hosts, (a->n + 1) * sizeof(a->hosts[0])));
	a->hosts[a->n] = (struct asked){ .uuid = uuid, .args = need(json_pack("{s:[]}", "paths")) };
	return &a->hosts[a->n++];
}

/* 64 hosts at a time. */
static void coroutine_fn ask_all(struct asking *a)
{
	for (a->first = 0; a->first < a->n; a->first += 64) {
		unsigned n = a->n - a->first < 64 ? a->n - a->first : 64;

		co_fanout(n == 64 ? UINT64_MAX : (1ull << n) - 1, ask_one, a);
	}
}

/* Puts what each brick's host says about it into @member of its entry in @answer. */
static void coroutine_fn add_from_hosts(struct manager *m, json_t *answer, const char *what, const char *member)
{
	json_t *volumes = json_object_get(json_object_get(answer, "result"), "volumes"), *v, *b, *told;
	struct asking a = { .m = m, .what = what };
	size_t i, j;
	unsigned n;

	json_array_foreach(volumes, i, v)
		json_array_foreach(json_object_get(v, "bricks"), j, b)
			if (json_flag(b, "known"))
				json_array_append(json_object_get(asked_host(&a, json_member(b, "host_id"))->args, "paths"),
						  json_object_get(b, "path"));
	ask_all(&a);
	json_array_foreach(volumes, i, v)
		json_array_foreach(json_object_get(v, "bricks"), j, b) {
			struct asked *h = json_flag(b, "known") ? asked_host(&a, json_member(b, "host_id")) : NULL;

			told = h ? json_object_get(json_object_get(h->answer, "result"), json_member(b, "path")) : NULL;
			if (told)
				json_object_set(b, member, told);
			else if (h && !h->answer)
				add_unreachable(answer, json_member(b, "host"), h->err.text);
			else if (h && json_flag(b, "online"))
				add_warning(answer, "brick %s: nothing could be learnt of its %s in time; try again", json_member(b, "name"),
					    strcmp(member, "detail") == 0 ? "disk" : member);
		}
	for (n = 0; n < a.n; n++) {
		json_decref(a.hosts[n].args);
		json_decref(a.hosts[n].answer);
	}
	free(a.hosts);
}

json_t *coroutine_fn command_volume_status(struct manager *m, json_t *rq)
{
	json_t *answer = for_volumes(m, rq, each_status);

	if (json_number(answer, "status") == 0 && json_flag(rq, "detail"))
		add_from_hosts(m, answer, "bricks-detail", "detail");
	if (json_number(answer, "status") == 0 && json_flag(rq, "clients"))
		add_from_hosts(m, answer, "bricks-clients", "clients");
	if (json_number(answer, "status") == 0)
		warn_of_gateway(m, json_member(rq, "name"), answer);
	return answer;
}

/* --- log --- */

static void coroutine_fn log_of_brick(struct manager *m, json_t *rq, const struct volume_brick *b, const char *volume, json_t *answer,
				      json_t *files)
{
	const char *action = json_member(rq, "action");
	json_t *args = need(json_pack("{s:s, s:s, s:i}", "volume", volume, "path", b->path, "lines", json_number(rq, "lines"))),
	       *one = NULL;
	struct error err = { "" };

	if (request_ask(m, b->host_id, action && strcmp(action, "rotate") == 0 ? "log-rotate" : "log-show", args, &one, &err) < 0)
		add_unreachable(answer, b->host, err.text);
	else if (json_number(one, "status"))
		add_warning(answer, "%s", json_member(one, "error"));
	else
		json_array_append(files, json_object_get(one, "result"));
	json_decref(args);
	json_decref(one);
}

static size_t text_size(const json_t *files)
{
	json_t *file;
	size_t size = 0, i;

	json_array_foreach(files, i, file)
		size += json_string_length(json_object_get(file, "text"));
	return size;
}

json_t *coroutine_fn command_volume_log(struct manager *m, json_t *rq)
{
	struct error err = { "" };
	const struct volume *named = named_volume(m, rq, &err);
	const char *brick = json_member(rq, "brick");
	json_t *answer, *files;
	struct volume *v;
	unsigned i;
	char *name;

	if (!named)
		return json_failure(ENOENT, &err);
	v = volume_new(named->name); /* asking parks, and the volume may change meanwhile */
	for (i = 0; i < named->nbricks; i++)
		volume_add_brick(v, named->bricks[i].host, named->bricks[i].host_id, named->bricks[i].path, false);
	files = need(json_array());
	answer = json_success(need(json_pack("{s:o}", "files", files)));
	for (i = 0; i < v->nbricks; i++) {
		name = brick_name(&v->bricks[i]);
		if (brick && strcmp(brick, name) != 0)
			; /* another one is asked for */
		else if (text_size(files) < LOGS_SHOWN)
			log_of_brick(m, rq, &v->bricks[i], v->name, answer, files);
		else
			add_warning(answer, "brick %s: its log is left out, this answer is long enough: name this brick", name);
		free(name);
	}
	if (brick && !json_array_size(files) && !json_object_get(answer, "warnings") && !json_object_get(answer, "unreachable")) {
		json_decref(answer);
		error_set(&err, -ENOENT, "%s is no brick of volume %s; \"gatehouse volume info %s\" tells which there are", brick,
			  v->name, v->name);
		answer = json_failure(ENOENT, &err);
	}
	volume_free(v);
	return answer;
}
