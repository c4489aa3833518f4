/* mgmt/requests.c: a question to one host and its answer, as two documents of the store that go away by themselves: requests/UUID/ID and
 * answers/UUID/ID. Who may write to the store may ask; nobody else can. */
#include "mgmt/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/host_requests.h"
#include "mgmt/json.h"
#include "mgmt/text.h"
#include "runtime/log.h"

#define REQUEST_TTL_S 5
#define ANSWER_NS     1200000000ull
#define ANSWERING_MAX 64 /* at once; more are dropped and time out at the asker's */

static json_t *coroutine_fn answer_here(struct manager *m, const char *what, json_t *args)
{
	const struct host_request *r = host_request_find(what);

	struct error err = { "" };

	if (r)
		return r->answer(m, args);
	error_set(&err, -ENOSYS, "the manager of host %s is of another version and does not know the question", m->name);
	return json_failure(ENOSYS, &err);
}

/* --- the other side asks --- */

struct asked {
	struct manager *m;
	char *id;
	json_t *request;
};

static unsigned answering;

static void coroutine_fn answer_one(void *arg)
{
	struct asked *a = arg;
	struct manager *m = a->m;
	const char *from = json_member(a->request, "from");
	char *key = format("answers/%.36s/%.36s", from, a->id), *text;
	json_t *args = json_object_get(a->request, "args"), *answer;
	struct error err = { "" };

	json_object_set_new(args, "remote", json_true()); /* whatever it says of itself */
	answer = answer_here(m, json_member(a->request, "ask"), args);
	text = need(json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII));
	if (store_announce(m->store, key, text, strlen(text), REQUEST_TTL_S, true, &err) < 0)
		log_warning("another host's question could not be answered", "reason=%s", log_quote(err.text));
	free(text);
	free(key);
	json_decref(answer);
	json_decref(a->request);
	free(a->id);
	free(a);
	answering--;
	co_gate_leave(&m->background);
}

static void asked(struct manager *m, const char *id, const struct store_doc *doc)
{
	json_t *request = json_parse(doc->text, doc->len);
	const char *from = json_member(request, "from");
	struct asked *a;

	if (!from || !json_member(request, "ask") || strlen(id) != 36 || answering >= ANSWERING_MAX || !co_gate_enter(&m->background)) {
		json_decref(request);
		return;
	}
	a = need(calloc(1, sizeof(*a)));
	*a = (struct asked){ m, need(strdup(id)), request };
	answering++;
	if (co_start(m->loop, answer_one, a))
		return;
	answering--;
	co_gate_leave(&m->background);
	json_decref(request);
	free(a->id);
	free(a);
}

void requests_changed(struct manager *m, const char *key)
{
	const struct store_doc *doc = store_get(m->store, key);
	char *mine = format("requests/%s/", m->uuid);

	if (strncmp(key, "answers/", 8) == 0)
		co_queue_wake_all(&m->moved);
	else if (doc && strncmp(key, mine, strlen(mine)) == 0)
		asked(m, key + strlen(mine), doc);
	free(mine);
}

/* --- we ask --- */

static int coroutine_fn await_answer(struct manager *m, const char *key, json_t **ret_answer)
{
	uint64_t old = co_set_deadline(loop_now_ns(m->loop) + ANSWER_NS);
	const struct store_doc *doc;
	int ret = 0;

	while (!(doc = store_get(m->store, key)) && ret == 0)
		ret = co_queue_wait(&m->moved);
	co_restore_deadline(old);
	if (!doc)
		return ret;
	*ret_answer = json_parse(doc->text, doc->len);
	if (json_is_object(*ret_answer))
		return 0;
	json_decref(*ret_answer);
	return -EPROTO;
}

static int coroutine_fn ask_other(struct manager *m, const char *host_uuid, const char *what, json_t *args, json_t **ret_answer,
				  struct error *err)
{
	const struct host *h = known_host(m, host_uuid);
	char *name = need(strdup(h ? h->name : host_uuid)), id[GFID_TEXT_SIZE], *key, *answer_key, *text;
	uint8_t bytes[16];
	json_t *request;
	int ret;

	gfid_new(m->loop, bytes);
	gfid_text(bytes, id);
	key = format("requests/%.36s/%s", host_uuid, id);
	answer_key = format("answers/%s/%s", m->uuid, id);
	request = need(json_pack("{s:s, s:s, s:O}", "from", m->uuid, "ask", what, "args", args));
	text = need(json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII));
	ret = store_announce(m->store, key, text, strlen(text), REQUEST_TTL_S, true, err);
	if (ret == 0) {
		ret = await_answer(m, answer_key, ret_answer);
		if (ret < 0)
			error_set(err, ret, "host %s does not answer: is its manager running?", name);
	}
	free(name);
	free(key);
	free(answer_key);
	free(text);
	json_decref(request);
	return ret < 0 ? -EHOSTUNREACH : 0;
}

int coroutine_fn request_ask(struct manager *m, const char *host_uuid, const char *what, json_t *args, json_t **ret_answer,
			     struct error *err)
{
	const struct host *h;
	json_t *status;

	if (strcmp(host_uuid, m->uuid) == 0) {
		*ret_answer = answer_here(m, what, args);
		return 0;
	}
	status = host_status(m, host_uuid); /* who is not heard of need not be waited for */
	if (!status) {
		h = known_host(m, host_uuid);
		return error_set(err, -EHOSTUNREACH, "host %s has not been heard of for %d s or more: is its manager running?",
				 h ? h->name : host_uuid, STATUS_TTL_S);
	}
	json_decref(status);
	return ask_other(m, host_uuid, what, args, ret_answer, err);
}
