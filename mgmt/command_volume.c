/* mgmt/command_volume.c: volume create, start, stop, delete.
 *
 * create asks every host that is to have bricks to look at its directories and to mark them; only then the volume is written down. What was
 * marked for a volume that did not come to be is unmarked. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/document.h"
#include "mgmt/options.h"
#include "mgmt/text.h"

#define BRICKS_MAX 4096
#define PATH_LENGTH_MAX 900 /* bricks put it into the names of options */

/* --- words --- */

static int check_path(const char *path, struct error *err)
{
	const char *p;

	if (strlen(path) > PATH_LENGTH_MAX)
		return error_set(err, -ENAMETOOLONG, "a brick's path has at most %d bytes", PATH_LENGTH_MAX);
	for (p = path; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '`')
			return error_set(err, -EINVAL, "a brick's path has no control characters and no backquotes");
		if (*p == '/' && (p[1] == '/' || (p[1] == '.' && (p[2] == '/' || !p[2] || (p[2] == '.' && (p[3] == '/' || !p[3]))))))
			return error_set(err, -EINVAL, "the brick's path %s is not plain: write it without \"//\", \".\" and \"..\"",
					 path);
	}
	return 0;
}

/* "HOST:/DIR", "[ADDRESS]:/DIR" or "ADDRESS:/DIR" in two; malloc'ed. */
static int split_brick(const char *word, char **ret_host, char **ret_path, struct error *err)
{
	const char *sep = strstr(word, ":/");
	size_t host_len = sep ? (size_t)(sep - word) : 0, path_len;
	int ret;

	if (!host_len)
		return error_set(err, -EINVAL,
				 "\"%s\" is no brick: write HOST:DIR with a directory that begins with a slash, such as "
				 "server1:/srv/brick1",
				 word);
	ret = check_path(sep + 1, err);
	if (ret < 0)
		return ret;
	if (word[0] == '[' && host_len > 2 && sep[-1] == ']') {
		word++;
		host_len -= 2;
	}
	path_len = strlen(sep + 1);
	while (path_len > 1 && sep[path_len] == '/')
		path_len--;
	*ret_host = need(strndup(word, host_len));
	*ret_path = need(strndup(sep + 1, path_len));
	return 0;
}

static int check_host(struct manager *m, const char *name, char *ret_uuid, struct error *err)
{
	const struct host *h = known_host(m, name);

	if (!h)
		return error_set(err, -ENOENT, "host %s is not part of this cluster: \"gatehouse peer probe %s WORD\" makes it "
				 "join, by the word that \"gatehouse peer invite\" shows there", name, name);
	if (m->nhosts > 1 && strcmp(name, h->name) != 0 &&
	    (strcasecmp(name, "localhost") == 0 || strncmp(name, "127.", 4) == 0 || strcmp(name, "::1") == 0))
		return error_set(err, -EINVAL, "%s means another host everywhere: name this one %s, as the others know it", name,
				 m->name);
	snprintf(ret_uuid, GFID_TEXT_SIZE, "%s", h->uuid);
	return 0;
}

/* Is one path the other, or inside it? */
static bool overlap(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), n = la < lb ? la : lb;

	return strncmp(a, b, n) == 0 && (la == lb || (la < lb ? b : a)[n] == '/');
}

static int check_overlap(const struct volume *other, const char *uuid, const char *path, struct error *err)
{
	unsigned i;

	for (i = 0; i < other->nbricks; i++)
		if (strcmp(other->bricks[i].host_id, uuid) == 0 && overlap(other->bricks[i].path, path))
			return error_set(err, -EBUSY,
					 "%s is, contains, or lies inside the brick %s:%s of volume %s: name another directory", path,
					 other->bricks[i].host, other->bricks[i].path, other->name);
	return 0;
}

static int add_brick(struct manager *m, struct volume *v, const char *word, struct error *err)
{
	char *host = NULL, *path = NULL, uuid[GFID_TEXT_SIZE];
	unsigned i;
	int ret = split_brick(word, &host, &path, err);

	if (ret < 0)
		return ret;
	ret = check_host(m, host, uuid, err);
	if (ret == 0 && check_overlap(v, uuid, path, NULL) < 0)
		ret = error_set(err, -EINVAL, "%s is named twice, or inside another brick of this volume", word);
	for (i = 0; ret == 0 && i < m->nvolumes; i++)
		if (m->volumes[i].v)
			ret = check_overlap(m->volumes[i].v, uuid, path, err);
	if (ret == 0)
		volume_add_brick(v, host, uuid, path, v->arbiter && v->nbricks % v->replica == v->replica - 1);
	free(host);
	free(path);
	return ret;
}

static int check_spread(const struct volume *v, struct error *err)
{
	unsigned set, i, j;

	for (set = 0; v->replica > 1 && set < volume_sets(v); set++)
		for (i = set * v->replica; i < (set + 1) * v->replica; i++)
			for (j = i + 1; j < (set + 1) * v->replica; j++)
				if (strcmp(v->bricks[i].host_id, v->bricks[j].host_id) == 0)
					return error_set(err, -EINVAL,
							 "two bricks of one replica set (%s:%s and %s:%s) are on one host, whose loss "
							 "would take "
							 "both copies: spread each set over hosts, or append \"force\"",
							 v->bricks[i].host, v->bricks[i].path, v->bricks[j].host, v->bricks[j].path);
	return 0;
}

static int wrong_number(size_t nbricks, size_t replica, struct error *err)
{
	size_t less = nbricks - nbricks % replica, more = less + replica;
	const char *s = nbricks == 1 ? "" : "s", *is = nbricks == 1 ? "is" : "are";

	if (!less)
		return error_set(err, -EINVAL, "%zu brick%s %s not a multiple of the replica count %zu: name %zu", nbricks, s,
				 is, replica, more);
	return error_set(err, -EINVAL, "%zu bricks are not a multiple of the replica count %zu: name %zu or %zu", nbricks,
			 replica, less, more);
}

static int read_shape(struct volume *v, json_t *rq, size_t nbricks, struct error *err)
{
	int replica = json_number(rq, "replica"), arbiter = json_number(rq, "arbiter");

	if (arbiter && replica == 2) /* "replica 2 arbiter 1": two copies and an arbiter */
		replica = 3;
	v->replica = replica ? (unsigned)replica : 1;
	v->arbiter = arbiter ? 1 : 0;
	if (replica < 0 || replica > 64 || arbiter < 0 || arbiter > 1)
		return error_set(err, -EINVAL, "replica is a number from 1 to 64, and arbiter is 1");
	if (arbiter && replica != 3)
		return error_set(err, -EINVAL, "an arbiter is the third brick of each set: write \"replica 3 arbiter 1\"");
	if (!nbricks || nbricks > BRICKS_MAX)
		return error_set(err, -EINVAL, "a volume has 1 to %d bricks", BRICKS_MAX);
	if (nbricks % v->replica)
		return wrong_number(nbricks, v->replica, err);
	return 0;
}

static struct volume *read_create(struct manager *m, json_t *rq, struct error *err)
{
	const char *name = json_member(rq, "name");
	json_t *bricks = json_object_get(rq, "bricks"), *word;
	struct volume *v;
	size_t i;
	int ret;

	if (!name)
		name = "";
	ret = volume_name_check(name, err);
	if (ret == 0 && !store_is_loaded(m->store))
		ret = error_set(err, -EHOSTUNREACH, "the store %s does not answer: nothing can be created now", store_url(m->store));
	if (ret == 0 && known_volume(m, name))
		ret = error_set(err, -EEXIST, "volume %s exists already", name);
	if (ret < 0)
		return NULL;
	v = volume_new(name);
	ret = read_shape(v, rq, json_array_size(bricks), err);
	json_array_foreach(bricks, i, word)
		if (ret == 0)
			ret = json_is_string(word) ? add_brick(m, v, json_string_value(word), err)
						   : error_set(err, -EINVAL, "each brick must be HOST:DIR");
	if (ret == 0 && !json_flag(rq, "force") && !json_flag(rq, "one_host"))
		ret = check_spread(v, err);
	if (ret == 0)
		return v;
	volume_free(v);
	return NULL;
}

static void give_secrets(struct manager *m, struct volume *v)
{
	uint8_t uuid[16];
	unsigned i;

	gfid_new(m->loop, v->id);
	loop_random(m->loop, v->handle_key, sizeof(v->handle_key));
	for (i = 0; i < 2; i++) {
		gfid_new(m->loop, uuid);
		gfid_text(uuid, v->login[i]);
	}
	v->login_only = true;
}

/* --- preparing hosts --- */

struct preparing {
	struct manager *m;
	struct volume *v;
	const char **hosts; /* uuids, each once */
	json_t **answers;   /* of each host; NULL: none */
	struct error *errs;
	unsigned n;
	bool force;
	const char *what;
};

static void find_hosts(struct preparing *p)
{
	unsigned i, j;

	p->hosts = need(calloc(p->v->nbricks, sizeof(char *)));
	for (i = 0; i < p->v->nbricks; i++) {
		for (j = 0; j < p->n && strcmp(p->hosts[j], p->v->bricks[i].host_id) != 0; j++)
			;
		if (j == p->n)
			p->hosts[p->n++] = p->v->bricks[i].host_id;
	}
	p->answers = need(calloc(p->n, sizeof(json_t *)));
	p->errs = need(calloc(p->n, sizeof(struct error)));
}

static json_t *prepare_args(const struct preparing *p, unsigned host)
{
	json_t *paths = need(json_array());
	char id[GFID_TEXT_SIZE];
	unsigned i;

	for (i = 0; i < p->v->nbricks; i++)
		if (strcmp(p->v->bricks[i].host_id, p->hosts[host]) == 0)
			json_array_append_new(paths, need(json_string(p->v->bricks[i].path)));
	return need(json_pack("{s:s, s:b, s:o}", "id", gfid_text(p->v->id, id), "force", p->force, "paths", paths));
}

static int coroutine_fn prepare_host(void *ctx, unsigned i)
{
	struct preparing *p = ctx;
	json_t *args = prepare_args(p, i);
	int ret = request_ask(p->m, p->hosts[i], "bricks-prepare", args, &p->answers[i], &p->errs[i]);

	json_decref(args);
	if (ret == 0 && json_number(p->answers[i], "status")) {
		ret = -json_number(p->answers[i], "status");
		error_set(&p->errs[i], ret, "%s",
			  json_member(p->answers[i], "error") ? json_member(p->answers[i], "error") : strerror(-ret));
		json_decref(p->answers[i]);
		p->answers[i] = NULL;
	}
	return ret;
}

static int coroutine_fn release_host(void *ctx, unsigned i)
{
	struct preparing *p = ctx;
	struct error err = { "" };
	char id[GFID_TEXT_SIZE];
	json_t *args, *answer = NULL;
	int ret;

	if (!p->answers[i])
		return 0;
	args = need(json_pack("{s:s, s:O}", "id", gfid_text(p->v->id, id), "paths",
			      json_object_get(json_object_get(p->answers[i], "result"), "paths")));
	ret = request_ask(p->m, p->hosts[i], "bricks-release", args, &answer, &err);
	json_decref(args);
	json_decref(answer);
	return ret;
}

struct window {
	struct preparing *p;
	unsigned first;
	co_task *task;
};

static int coroutine_fn window_task(void *ctx, unsigned i)
{
	struct window *w = ctx;

	return w->task(w->p, w->first + i);
}

/* 64 hosts at a time. True when all succeeded. */
static bool coroutine_fn on_all_hosts(struct preparing *p, co_task *task)
{
	struct window w = { p, 0, task };
	bool all = true;

	for (; w.first < p->n; w.first += 64) {
		unsigned n = p->n - w.first < 64 ? p->n - w.first : 64;
		uint64_t set = n == 64 ? UINT64_MAX : (1ull << n) - 1;

		all &= co_fanout(set, window_task, &w) == set;
	}
	return all;
}

/* Record in the volume's document the directories that the hosts have marked. */
static void record_identities(const struct preparing *p)
{
	unsigned host, brick;
	json_t *one;
	size_t i;

	for (host = 0; host < p->n; host++)
		json_array_foreach(json_object_get(json_object_get(p->answers[host], "result"), "paths"), i, one)
			for (brick = 0; brick < p->v->nbricks; brick++) {
				struct volume_brick *b = &p->v->bricks[brick];
				const char *path = json_member(one, "path");

				if (path && strcmp(b->path, path) == 0 && strcmp(b->host_id, p->hosts[host]) == 0)
					volume_brick_set_identity(b, json_member(one, "identity"));
			}
}

static int first_error(const struct preparing *p, struct error *err)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		if (p->errs[i].text[0])
			return error_set(err, -EINVAL, "%s", p->errs[i].text);
	return error_set(err, -EIO, "the bricks could not be prepared");
}

static void free_preparing(struct preparing *p)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		json_decref(p->answers[i]);
	free(p->hosts);
	free(p->answers);
	free(p->errs);
}

static int coroutine_fn write_new(struct manager *m, struct volume *v, struct error *err)
{
	int ret = store_volume(m, v, 0, err);

	return ret == -EEXIST ? error_set(err, ret, "volume %s was created by somebody else just now", v->name) : ret;
}

static int coroutine_fn prepare_and_write(struct preparing *p, struct error *err)
{
	if (!on_all_hosts(p, prepare_host))
		return first_error(p, err);
	record_identities(p);
	return write_new(p->m, p->v, err);
}

json_t *coroutine_fn command_volume_create(struct manager *m, json_t *rq)
{
	struct error err = { "" };
	struct preparing p = { .m = m, .force = json_flag(rq, "force"), .v = read_create(m, rq, &err) };
	char id[GFID_TEXT_SIZE], *attach;
	json_t *answer;
	int ret;

	if (!p.v)
		return json_failure(EINVAL, &err);
	give_secrets(m, p.v);
	attach = volume_attach_text(p.v);
	find_hosts(&p);
	ret = prepare_and_write(&p, &err);
	if (ret < 0 && ret != -ETIMEDOUT) { /* in doubt the marks stay: the volume may have come to be */
		co_shield();
		on_all_hosts(&p, release_host);
		co_unshield();
	}
	answer = ret < 0 ? json_failure(-ret, &err)
			 : success_message(need(json_pack("{s:s, s:s}", "id", gfid_text(p.v->id, id), "attach", attach)),
					   "volume create: %s: success: please start the volume to access data", p.v->name);
	free(attach);
	free_preparing(&p);
	volume_free(p.v);
	return answer;
}

/* --- start, stop, delete --- */

struct state_change {
	enum volume_state to;
	bool force;
};

static int change_state(struct manager *m, struct volume *v, void *arg, struct error *err)
{
	const struct state_change *c = arg;

	if (c->to == VOLUME_STARTED && v->state == VOLUME_STARTED && !c->force)
		return error_set(err, -EALREADY, "Volume %s already started; \"volume start %s force\" starts bricks that are down",
				 v->name, v->name);
	if (c->to == VOLUME_STOPPED && v->state != VOLUME_STARTED && !c->force)
		return error_set(err, -EALREADY, "volume %s is not started", v->name);
	v->state = c->to;
	return 0;
}

/* Until every host that has bricks of @name says that all of them are online (or, stopped, that none is), or the deadline. */
static bool coroutine_fn await_everywhere(struct manager *m, const char *name, bool online)
{
	const struct known_volume *k;
	unsigned i;
	int ret = 0;

	while (ret == 0) {
		k = known_volume(m, name);
		for (i = 0; k && k->v && i < k->v->nbricks; i++) {
			json_t *status = brick_status_json(m, k->v, i);
			bool as_wanted = json_flag(status, "online") == online && json_flag(status, "known");

			json_decref(status);
			if (!as_wanted)
				break;
		}
		if (!k || !k->v || i == k->v->nbricks)
			return true;
		ret = co_queue_wait(&m->moved);
	}
	return false;
}

static void tell_laggards(struct manager *m, const char *name, json_t *answer, json_t *bricks)
{
	const struct known_volume *k = known_volume(m, name);
	unsigned i;

	for (i = 0; k && k->v && i < k->v->nbricks; i++) {
		json_t *status = brick_status_json(m, k->v, i);

		if (!json_flag(status, "known"))
			add_unreachable(answer, k->v->bricks[i].host, json_member(status, "reason"));
		else if (!json_flag(status, "online") && bricks)
			add_warning(answer, "brick %s is not online yet: %s", json_member(status, "name"), json_member(status, "reason"));
		if (bricks)
			json_array_append(bricks, status);
		json_decref(status);
	}
}

static int coroutine_fn hurry_host(void *ctx, unsigned i)
{
	struct preparing *p = ctx;
	json_t *args = need(json_pack("{s:s}", "volume", p->v->name)), *answer = NULL;
	int ret = request_ask(p->m, p->hosts[i], "bricks-hurry", args, &answer, &p->errs[i]);

	json_decref(args);
	json_decref(answer);
	return ret;
}

/* Bricks that wait out a backoff are started at once. A host that cannot be asked is told of among the laggards. */
static void coroutine_fn hurry_everywhere(struct manager *m, const char *name)
{
	const struct known_volume *k = known_volume(m, name);
	struct preparing p = { .m = m, .v = k && k->v ? volume_copy(k->v) : NULL };

	if (!p.v)
		return;
	find_hosts(&p);
	on_all_hosts(&p, hurry_host);
	free_preparing(&p);
	volume_free(p.v);
}

static json_t *coroutine_fn set_state(struct manager *m, json_t *rq, struct state_change change, const char *verb)
{
	struct error err = { "" };
	struct volume *v = named_volume(m, rq, &err);
	char *name, id[GFID_TEXT_SIZE];
	json_t *answer, *bricks = NULL;
	int ret;

	if (!v)
		return json_failure(ENOENT, &err);
	name = need(strdup(v->name));
	gfid_text(v->id, id);
	ret = change_volume(m, name, change_state, &change, &err);
	if (ret == 0) {
		if (change.to == VOLUME_STARTED && change.force)
			hurry_everywhere(m, name);
		reconcile_settled(m, name);
		await_everywhere(m, name, change.to == VOLUME_STARTED);
		answer = success_message(need(json_pack("{s:s}", "id", id)), "volume %s: %s: success", verb, name);
		if (change.to == VOLUME_STARTED) {
			bricks = need(json_array());
			json_object_set_new(json_object_get(answer, "result"), "bricks", bricks);
		}
		tell_laggards(m, name, answer, bricks);
		if (change.to == VOLUME_STARTED)
			warn_of_closed_root(m, name, answer);
	} else {
		answer = json_failure(-ret, &err);
	}
	free(name);
	return answer;
}

json_t *coroutine_fn command_volume_start(struct manager *m, json_t *rq)
{
	return set_state(m, rq, (struct state_change){ VOLUME_STARTED, json_flag(rq, "force") }, "start");
}

json_t *coroutine_fn command_volume_stop(struct manager *m, json_t *rq)
{
	return set_state(m, rq, (struct state_change){ VOLUME_STOPPED, json_flag(rq, "force") }, "stop");
}

json_t *coroutine_fn command_volume_delete(struct manager *m, json_t *rq)
{
	struct error err = { "" };
	struct volume *v = named_volume(m, rq, &err);
	char *key, *name, id[GFID_TEXT_SIZE];
	json_t *answer;
	int ret;

	if (!v)
		return json_failure(ENOENT, &err);
	if (v->state == VOLUME_STARTED) {
		error_set(&err, -EBUSY, "volume %s is started: stop it first (gatehouse volume stop %s)", v->name, v->name);
		return json_failure(EBUSY, &err);
	}
	name = need(strdup(v->name));
	gfid_text(v->id, id);
	key = format("volumes/%s", name);
	ret = store_delete(m->store, key, v->revision, &err);
	if (ret == -ESTALE)
		error_set(&err, ret, "volume %s was changed by somebody else just now: look at it and try again", name);
	answer = ret < 0 ? json_failure(-ret, &err)
			 : success_message(need(json_pack("{s:s}", "id", id)),
					   "volume delete: %s: success; the data stays in the bricks' directories", name);
	free(key);
	free(name);
	return answer;
}
