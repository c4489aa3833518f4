/* mgmt/gateway_loaded.c: does this host's gateway hold what is stored? It writes what it has taken beside its state
 * (gateway/loaded.c); here that is compared with what was written for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/command.h"
#include "mgmt/patience.h"
#include "mgmt/process.h"
#include "mgmt/text.h"
#include "runtime/file.h"
#include "xlators/exports.h"

#define LOADED_MAX (4u << 20)
#define LOOK_NS    300000000ull
#define GRACE_NS   3000000000ull /* a gateway needs a moment to read what was written */

struct looking {
	char *path, *text;
};

static int look_blocking(void *job)
{
	struct looking *l = job;
	size_t len;

	return file_read(l->path, LOADED_MAX, &l->text, &len);
}

static void free_looking(void *job)
{
	struct looking *l = job;

	free(l->path);
	free(l->text);
	free(l);
}

/* A new reference, or NULL: nothing is there, or it cannot be read in time. */
static json_t *coroutine_fn read_loaded(struct manager *m)
{
	static const struct patient_job kind = { look_blocking, NULL, free_looking };
	struct looking *l = need(calloc(1, sizeof(*l)));
	json_t *loaded = NULL;
	bool left;

	l->path = format("%s/gateway.state.loaded", m->conf.run_dir);
	patiently(m->loop, &kind, l, LOOK_NS, &left);
	if (left)
		return NULL;
	if (l->text)
		loaded = json_parse(l->text, strlen(l->text));
	free_looking(l);
	return loaded;
}

static bool is_hash_of(const char *hash, const char *text)
{
	char own[17];

	snprintf(own, sizeof(own), "%016llx", (unsigned long long)export_text_hash(text, strlen(text)));
	return hash && strcmp(hash, own) == 0;
}

static void tell_volume(const struct host_gateway *g, unsigned i, const json_t *loaded, gateway_differs *tell, void *arg)
{
	const json_t *volume = json_object_get(json_object_get(loaded, "volumes"), g->names[i]);

	if (!volume || !is_hash_of(json_member(volume, "file"), g->volfiles[i]))
		tell(arg, g->names[i], "the gateway has not read the volume's file as it is now");
	else if (!json_flag(volume, "taken"))
		tell(arg, g->names[i],
		     "the gateway has not taken the volume's file as it is now and serves it as it was, if at all; its log says why");
}

static void tell_wrong(const struct host_gateway *g, const json_t *loaded, gateway_differs *tell, void *arg)
{
	json_t *one;
	size_t i;
	unsigned n;

	json_array_foreach(json_object_get(loaded, "wrong"), i, one) {
		const char *path = json_member(one, "path"), *problem = json_member(one, "problem");

		for (n = 0; path && problem && n < g->n; n++)
			if (strncmp(path + 1, g->names[n], strlen(g->names[n])) == 0 && strchr("/", path[1 + strlen(g->names[n])]))
				tell(arg, g->names[n], problem);
	}
}

void coroutine_fn gateway_differences(struct manager *m, gateway_differs *tell, void *arg)
{
	const struct host_gateway *g = &m->gateway;
	json_t *loaded;
	unsigned i;

	if (!g->process || !g->online || loop_now_ns(m->loop) < g->written_ns + GRACE_NS)
		return;
	loaded = read_loaded(m);
	if (!loaded || !g->process || json_number(loaded, "pid") != (int)process_pid(g->process)) {
		json_decref(loaded); /* a gateway that tells nothing is of an older version, or starts */
		return;
	}
	for (i = 0; i < g->n; i++) {
		tell_volume(g, i, loaded, tell, arg);
		if (!g->exports || !is_hash_of(json_member(loaded, "exports"), g->exports))
			tell(arg, g->names[i], "the gateway has not read the exports as they are now: it still goes by older ones");
	}
	tell_wrong(g, loaded, tell, arg);
	json_decref(loaded);
}

struct warning { json_t *answer; const char *only; };

static void warn(void *arg, const char *volume, const char *problem)
{
	struct warning *w = arg;

	if (!w->only || strcmp(w->only, volume) == 0)
		add_warning(w->answer, "volume %s: %s", volume, problem);
}

void coroutine_fn warn_of_gateway(struct manager *m, const char *volume, json_t *answer)
{
	struct warning w = { answer, volume };

	gateway_differences(m, warn, &w);
}
