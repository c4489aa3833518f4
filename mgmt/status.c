/* mgmt/status.c: what this host says of itself: which of its bricks and whether its gateway are online, and why not.
 *
 * Announced in the store whenever it changes; it goes away with us. */
#include "mgmt/manager.h"

#include <stdlib.h>
#include <string.h>

#include "mgmt/json.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/log.h"

static json_t *brick_status(const struct host_brick *b)
{
	const struct process *p = b->process;
	const char *reason = b->online ? "" : b->stopping ? "it is being stopped" : "it is being started";
	char *said = b->online && p ? daemon_reason(b->manager, &b->said, p) : NULL;
	json_t *status;

	if (!b->online && p && *process_reason(p))
		reason = process_reason(p);
	status = need(json_pack("{s:s, s:s, s:b, s:i, s:i, s:o, s:i}", "volume", b->volume, "path", b->path, "online", b->online && !said,
				"port", b->online ? b->port : 0, "pid", p ? (int)process_pid(p) : 0, "reason",
				json_text(said ? said : reason), "restarts", p ? (int)process_restarts(p) : 0));
	if (b->online && b->said.trouble)
		json_object_set_new(status, "trouble", json_text(b->said.trouble));
	free(said);
	return status;
}

static json_t *gateway_status(const struct manager *m)
{
	const struct host_gateway *g = &m->gateway;
	json_t *names = need(json_array());
	const char *reason = g->online ? "" : "it is being started";
	char *said = g->online && g->process ? daemon_reason(m, &g->said, g->process) : NULL;
	json_t *status;
	unsigned i;

	for (i = 0; i < g->n; i++)
		json_array_append_new(names, need(json_string(g->names[i])));
	if (!g->online && g->process && *process_reason(g->process))
		reason = process_reason(g->process);
	status = need(json_pack("{s:b, s:i, s:i, s:o, s:o}", "online", g->online && !said, "port", (int)m->conf.nfs_port, "pid",
				g->process ? (int)process_pid(g->process) : 0, "reason", json_text(said ? said : reason), "volumes", names));
	free(said);
	return status;
}

json_t *status_of_this_host(const struct manager *m)
{
	json_t *bricks = need(json_array()), *status;
	const struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		json_array_append_new(bricks, brick_status(b));
	status = need(json_pack("{s:s, s:s, s:s, s:o}", "host", m->name, "instance", m->instance, "version", PACKAGE_VERSION, "bricks",
				bricks));
	if (m->gateway.n)
		json_object_set_new(status, "gateway", gateway_status(m));
	return status;
}

static char *index_key(const char *volume, const char *path)
{
	return format("%s %s", volume, path); /* no volume's name has a blank */
}

json_t *status_indexed(json_t *status)
{
	json_t *index = need(json_object()), *brick;
	size_t i;

	json_array_foreach(json_object_get(status, "bricks"), i, brick) {
		const char *volume = json_member(brick, "volume"), *path = json_member(brick, "path");
		char *key = volume && path ? index_key(volume, path) : NULL;

		if (key)
			json_object_set(index, key, brick);
		free(key);
	}
	json_object_set_new(status, "index", index);
	return status;
}

json_t *status_brick(const json_t *status, const char *volume, const char *path)
{
	char *key = index_key(volume, path);
	json_t *brick = json_object_get(json_object_get(status, "index"), key);

	free(key);
	return brick;
}

void coroutine_fn status_announce(struct manager *m)
{
	json_t *status = status_of_this_host(m);
	char *text = need(json_dumps(status, JSON_COMPACT | JSON_ENSURE_ASCII)), *key = format("status/%s", m->uuid);
	struct error err = { "" };

	if (store_announce(m->store, key, text, strlen(text), STATUS_TTL_S, false, &err) < 0)
		log_warning("other hosts cannot be told how this one is; it is tried again", "reason=%s", log_quote(err.text));
	free(text);
	free(key);
	json_decref(status);
}
