/* mgmt/host_clients.c: who is connected to this host's bricks. Each brick tells it in a file when it gets SIGUSR1 (gatehouse-brick(8)).
 *
 * The old file is removed first: one that is there is news. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/host_requests.h"
#include "mgmt/json.h"
#include "mgmt/patience.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/file.h"

#define BRICKS_ASKED 4096
#define STATE_MAX    (4u << 20)
#define LOOK_NS      300000000ull
#define WAIT_NS      500000000ull
#define AGAIN_NS     10000000ull

struct telling {
	char *path, *file; /* of the brick; of its state */
	char *text;	   /* NULL: not told yet */
	bool asked;
};

struct listening {
	struct telling *all;
	unsigned n, told;
};

static int forget_blocking(void *job)
{
	struct listening *l = job;
	unsigned i;

	for (i = 0; i < l->n; i++)
		unlink(l->all[i].file);
	return 0;
}

static int read_blocking(void *job)
{
	struct listening *l = job;
	size_t len;
	unsigned i;

	for (i = 0; i < l->n; i++)
		if (l->all[i].asked && !l->all[i].text && file_read(l->all[i].file, STATE_MAX, &l->all[i].text, &len) == 0)
			l->told++;
	return 0;
}

static void free_listening(void *job)
{
	struct listening *l = job;
	unsigned i;

	for (i = 0; i < l->n; i++) {
		free(l->all[i].path);
		free(l->all[i].file);
		free(l->all[i].text);
	}
	free(l->all);
	free(l);
}

static struct listening *bricks_named(const struct manager *m, json_t *paths)
{
	struct listening *l = need(calloc(1, sizeof(*l)));
	const struct host_brick *b;
	json_t *path;
	size_t i;

	l->all = need(calloc(json_array_size(paths) + 1, sizeof(l->all[0])));
	json_array_foreach(paths, i, path) {
		b = json_is_string(path) ? host_brick_find(m, NULL, json_string_value(path)) : NULL;
		if (!b || !b->process || l->n == BRICKS_ASKED)
			continue;
		l->all[l->n].path = need(strdup(b->path));
		l->all[l->n++].file = format("%s/bricks/%s.state", m->conf.run_dir, b->id);
	}
	return l;
}

/* How many were asked. */
static unsigned ask_all(const struct manager *m, struct listening *l)
{
	unsigned asked = 0, i;

	for (i = 0; i < l->n; i++) {
		const struct host_brick *b = host_brick_find(m, NULL, l->all[i].path);

		l->all[i].asked = b && b->process && b->online && process_signal(b->process, SIGUSR1) == 0;
		asked += l->all[i].asked;
	}
	return asked;
}

/* GlusterFS lists connections; several may be one client's. */
static json_t *clients_of(const char *state)
{
	json_t *all = json_parse(state, strlen(state)), *list = need(json_array()), *client, *conn;
	size_t i, j;

	json_array_foreach(json_object_get(all, "clients"), i, client)
		json_array_foreach(json_object_get(client, "connections"), j, conn) {
			const char *address = json_member(conn, "address"), *uuid = json_member(client, "uuid");

			json_array_append_new(list, need(json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "host", address ? address : "", "name",
				uuid ? uuid : "", "bytes_read", json_integer_value(json_object_get(conn, "bytes_received")), "bytes_written",
				json_integer_value(json_object_get(conn, "bytes_sent")), "op_version",
				json_integer_value(json_object_get(client, "opversion")), "open_files",
				json_integer_value(json_object_get(client, "open_files")))));
		}
	json_decref(all);
	return list;
}

json_t *coroutine_fn bricks_clients(struct manager *m, json_t *args)
{
	static const struct patient_job forget = { forget_blocking, NULL, free_listening }, read = { read_blocking, NULL, free_listening };
	struct listening *l = bricks_named(m, json_object_get(args, "paths"));
	uint64_t end = loop_now_ns(m->loop) + WAIT_NS;
	json_t *result = need(json_object());
	unsigned asked, i;
	bool left;

	patiently(m->loop, &forget, l, LOOK_NS, &left);
	if (left)
		return json_success(result);
	asked = ask_all(m, l);
	while (l->told < asked && loop_now_ns(m->loop) < end && co_sleep_ns(AGAIN_NS) == 0) {
		patiently(m->loop, &read, l, LOOK_NS, &left);
		if (left)
			return json_success(result);
	}
	for (i = 0; i < l->n; i++)
		if (l->all[i].text)
			json_object_set_new(result, l->all[i].path, clients_of(l->all[i].text));
	free_listening(l);
	return json_success(result);
}
