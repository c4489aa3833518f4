/* mgmt/command_brick.c: which directory a brick is: accepted by command, or recorded when a brick that had no record has started well. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/text.h"
#include "runtime/log.h"

struct record {
	const char *host_id, *path, *identity;
	bool only_first;	/* not when there is one already */
};

static struct volume_brick *brick_of(const struct volume *v, const char *host_id, const char *path)
{
	unsigned i;

	for (i = 0; i < v->nbricks; i++)
		if (strcmp(v->bricks[i].host_id, host_id) == 0 && strcmp(v->bricks[i].path, path) == 0)
			return &v->bricks[i];
	return NULL;
}

static int set_identity(struct manager *m, struct volume *v, void *arg, struct error *err)
{
	const struct record *r = arg;
	struct volume_brick *b = brick_of(v, r->host_id, r->path);

	if (!b)
		return error_set(err, -ENOENT, "%s is no brick of volume %s any more", r->path, v->name);
	if (r->only_first && b->identity)
		return -EALREADY;
	volume_brick_set_identity(b, r->identity);
	return 0;
}

void coroutine_fn brick_record_first(struct manager *m, const char *volume, const char *path, const char *identity)
{
	struct record r = { m->uuid, path, identity, true };
	struct error err = { "" };
	int ret = change_volume(m, volume, set_identity, &r, &err);

	if (ret == 0)
		log_notice("it is recorded which directory a brick is", "volume=%s brick=%s identity=%s", volume, log_quote(path),
			   log_quote(identity));
	else if (ret != -EALREADY)
		log_warning("it could not be recorded which directory a brick is", "volume=%s brick=%s reason=%s", volume, log_quote(path),
			    log_quote(err.text));
}

/* The volume and brick that "HOST:DIR" is; NULL with a sentence. */
static const struct volume *brick_named(struct manager *m, const char *word, const struct volume_brick **ret_brick, struct error *err)
{
	const struct volume_brick *b;
	const struct host *h;
	const char *sep = word ? strstr(word, ":/") : NULL;
	char *host = sep ? need(strndup(word, (size_t)(sep - word))) : NULL, *bare = host;
	size_t len = host ? strlen(host) : 0;
	unsigned i;

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		bare = host + 1;
	}
	h = bare ? known_host(m, bare) : NULL;
	for (i = 0; h && i < m->nvolumes; i++) {
		b = m->volumes[i].v ? brick_of(m->volumes[i].v, h->uuid, sep + 1) : NULL;
		if (b) {
			free(host);
			*ret_brick = b;
			return m->volumes[i].v;
		}
	}
	free(host);
	error_set(err, -ENOENT, "%s is no brick of any volume; \"gatehouse volume info\" tells which there are", word ? word : "this");
	return NULL;
}

/* Asks the brick's host; the directory's identity, malloc'ed, or NULL with a sentence. */
static char *coroutine_fn identify(struct manager *m, const struct volume *v, const struct volume_brick *b, struct error *err)
{
	char id[GFID_TEXT_SIZE], *identity = NULL, *host = need(strdup(b->host_id));
	json_t *args = need(json_pack("{s:s, s:[s]}", "id", gfid_text(v->id, id), "paths", b->path)), *answer = NULL, *one;

	if (request_ask(m, host, "bricks-identify", args, &answer, err) == 0) {
		one = json_array_get(json_object_get(json_object_get(answer, "result"), "paths"), 0);
		if (json_member(one, "identity"))
			identity = need(strdup(json_member(one, "identity")));
		else
			error_set(err, -EINVAL, "%s", json_member(answer, "error") ? json_member(answer, "error") : "its host could not tell");
	}
	json_decref(args);
	json_decref(answer);
	free(host);
	return identity;
}

json_t *coroutine_fn command_brick_accept(struct manager *m, json_t *rq)
{
	const char *word = json_member(rq, "brick");
	const struct volume_brick *b = NULL;
	struct error err = { "" };
	const struct volume *v = brick_named(m, word, &b, &err);
	struct record r = { .only_first = false };
	char *name, *path, *host_id, *identity;
	json_t *answer;
	int ret;

	if (!v)
		return json_failure(ENOENT, &err);
	name = need(strdup(v->name));	/* asking parks */
	path = need(strdup(b->path));
	host_id = need(strdup(b->host_id));
	identity = identify(m, v, b, &err);
	r = (struct record){ host_id, path, identity, false };
	ret = identity ? change_volume(m, name, set_identity, &r, &err) : -EINVAL;
	if (ret == 0)
		reconcile_settled(m, name);
	answer = ret < 0 ? json_failure(-ret, &err) : success_message(need(json_pack("{s:s}", "identity", identity)),
		"brick accept: %s: success: this directory is the brick from now on", word);
	free(name);
	free(path);
	free(host_id);
	free(identity);
	return answer;
}
