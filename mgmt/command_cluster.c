/* mgmt/command_cluster.c: which hosts there are, how they join and leave; and whether what is stored is in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/options.h"
#include "mgmt/text.h"

/* --- peers --- */

static json_t *peer_json(struct manager *m, const struct host *h)
{
	json_t *names = need(json_array()), *status = host_status(m, h->uuid), *peer;
	unsigned i;

	for (i = 0; i < h->naddresses; i++)
		json_array_append_new(names, json_text(h->addresses[i]));
	peer = need(json_pack("{s:s, s:o, s:o, s:b, s:b}", "uuid", h->uuid, "host", json_text(h->name), "hostnames", names, "connected",
			      status != NULL, "self", strcmp(h->uuid, m->uuid) == 0));
	json_decref(status);
	return peer;
}

json_t *coroutine_fn command_peer_status(struct manager *m, json_t *rq)
{
	json_t *peers = need(json_array()), *answer = json_success(need(json_pack("{s:o}", "peers", peers)));
	uint64_t silent = store_silent_ms(m->store);
	unsigned i;

	for (i = 0; i < m->nhosts; i++)
		json_array_append_new(peers, peer_json(m, m->hosts[i]));
	if (silent > 2000)
		add_warning(answer, "the store %s has not answered for %u s: this is what was known then", store_url(m->store),
			    (unsigned)(silent / 1000));
	return answer;
}

json_t *coroutine_fn command_peer_probe(struct manager *m, json_t *rq)
{
	const char *name = json_member(rq, "host");
	const struct host *h = name ? known_host(m, name) : NULL;
	struct error err = { "" };
	json_t *answer = NULL;
	int ret;

	if (!name || host_name_check(name, &err) < 0)
		return error_set(&err, -EINVAL, "no host is named"), json_failure(EINVAL, &err);
	if (h && strcmp(h->uuid, m->uuid) == 0)
		return success_message(need(json_pack("{s:s, s:s}", "uuid", m->uuid, "host", m->name)), "peer probe: success: "
				       "Probe on localhost not needed");
	if (h)
		return success_message(need(json_pack("{s:s, s:s}", "uuid", h->uuid, "host", h->name)),
				       "peer probe: success: host %s is a peer already", h->name);
	if (!store_is_shared(m->store)) {
		error_set(&err, -EINVAL,
			  "this host keeps its volumes in %s, which other hosts cannot see: start the managers with --store "
			  "etcd://HOST:2379,... first",
			  store_url(m->store));
		return json_failure(EINVAL, &err);
	}
	ret = join_probe(m, name, json_member(rq, "word"), &answer, &err);
	return ret < 0 ? json_failure(-ret, &err) : answer;
}

json_t *coroutine_fn command_peer_invite(struct manager *m, json_t *rq)
{
	return invite_new(m);
}

json_t *coroutine_fn command_peer_join(struct manager *m, json_t *rq)
{
	const char *name = json_member(rq, "host"), *word = json_member(rq, "word");
	struct error err = { "" };
	json_t *answer = NULL;
	int ret;

	if (!name || !word || host_name_check(name, &err) < 0)
		return error_set(&err, -EINVAL, "a host and its word are named: write \"peer join HOST WORD\""), json_failure(EINVAL, &err);
	ret = join_by_word(m, name, word, &answer, &err);
	return ret < 0 ? json_failure(-ret, &err) : answer;
}

/* The brick that host @uuid has, or NULL. */
static const char *volume_with_brick_on(const struct manager *m, const char *uuid)
{
	unsigned i, j;

	for (i = 0; i < m->nvolumes; i++)
		for (j = 0; m->volumes[i].v && j < m->volumes[i].v->nbricks; j++)
			if (strcmp(m->volumes[i].v->bricks[j].host_id, uuid) == 0)
				return m->volumes[i].name;
	return NULL;
}

json_t *coroutine_fn command_peer_detach(struct manager *m, json_t *rq)
{
	const char *name = json_member(rq, "host");
	const struct host *h = name ? known_host(m, name) : NULL;
	struct error err = { "" };
	char *key;
	int ret;

	if (!h)
		ret = error_set(&err, -ENOENT, "host %s is not part of this cluster; \"gatehouse pool list\" tells which are",
				name ? name : "");
	else if (strcmp(h->uuid, m->uuid) == 0)
		ret = error_set(&err, -EINVAL, "this is the local host: detach it from another one");
	else if (volume_with_brick_on(m, h->uuid))
		ret = error_set(&err, -EBUSY, "host %s has bricks of volume %s: they must be removed from it first", h->name,
				volume_with_brick_on(m, h->uuid));
	else
		ret = 0;
	if (ret < 0)
		return json_failure(-ret, &err);
	key = format("hosts/%s", h->uuid);
	ret = store_delete(m->store, key, h->revision, &err);
	free(key);
	return ret < 0 ? json_failure(-ret, &err) : success_message(NULL, "peer detach: success");
}

json_t *coroutine_fn command_version(struct manager *m, json_t *rq)
{
	return json_success(need(json_pack("{s:s, s:s, s:o, s:o}", "manager", PACKAGE_VERSION, "uuid", m->uuid, "host",
					   json_text(m->name), "store", json_text(store_url(m->store)))));
}

/* --- config check --- */

static void problem(json_t *list, const char *where, const char *what)
{
	json_array_append_new(list, need(json_pack("{s:o, s:o}", "where", json_text(where), "problem", json_text(what))));
}

static void check_options(const struct volume *v, json_t *problems)
{
	unsigned i;

	for (i = 0; i < v->noptions; i++) {
		struct error err = { "" };
		char *where;

		if (volume_option_check(v->options[i].name, v->options[i].value, &err) >= 0)
			continue;
		where = format("volumes/%s", v->name);
		problem(problems, where, err.text);
		free(where);
	}
}

/* Each option may be right by itself, and what they make together not. */
static void check_exports(const struct volume *v, json_t *problems)
{
	struct error err = { "" };
	char *where;

	if (exports_for_volume_check(v, &err) == 0)
		return;
	where = format("volumes/%s", v->name);
	problem(problems, where, err.text);
	free(where);
}

static void check_hosts(const struct manager *m, const struct volume *v, json_t *problems)
{
	unsigned i;

	for (i = 0; i < v->nbricks; i++) {
		char *where, *what;

		if (known_host(m, v->bricks[i].host_id))
			continue;
		where = format("volumes/%s", v->name);
		what = format("brick %s:%s is on a host (%s) that is not part of this cluster", v->bricks[i].host, v->bricks[i].path,
			      v->bricks[i].host_id);
		problem(problems, where, what);
		free(where);
		free(what);
	}
}

static void check_name(void *problems, const struct store_doc *doc)
{
	struct error err = { "" };

	if (volume_name_check(strchr(doc->key, '/') + 1, &err) < 0)
		problem(problems, doc->key, err.text);
}

static void tell_difference(void *problems, const char *volume, const char *what)
{
	char *where = format("volumes/%s", volume);

	problem(problems, where, what);
	free(where);
}

json_t *coroutine_fn command_config_check(struct manager *m, json_t *rq)
{
	json_t *problems = need(json_array());
	unsigned i;

	store_each(m->store, "volumes/", check_name, problems);
	for (i = 0; i < m->nvolumes; i++) {
		const struct known_volume *k = &m->volumes[i];
		char *where = format("volumes/%s", k->name);

		if (k->problem)
			problem(problems, where, k->problem);
		free(where);
		if (k->v) {
			check_options(k->v, problems);
			check_exports(k->v, problems);
			check_hosts(m, k->v, problems);
		}
	}
	gateway_differences(m, tell_difference, problems);
	return json_success(need(json_pack("{s:o}", "problems", problems)));
}
