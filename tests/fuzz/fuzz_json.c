/* tests/fuzz/fuzz_json.c: any text is JSON or none. What options it has are set on a volume as `volume set` does; then the volume's document
 * reads as it was, and its volfiles are volfiles of as many sections as before: no value reaches beyond its own line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/document.h"
#include "mgmt/json.h"
#include "mgmt/options.h"
#include "mgmt/volfiles.h"
#include "xlators/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
	if (!right)
		abort();
}

static struct volume *new_volume(void)
{
	static const char uuid[] = "6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f";
	struct volume *v = volume_new("demo");

	gfid_parse(uuid, v->id);
	memcpy(v->login[0], uuid, sizeof(uuid));
	memcpy(v->login[1], uuid, sizeof(uuid));
	v->replica = 2;
	volume_add_brick(v, "h1", uuid, "/b/1", false);
	volume_add_brick(v, "h2", uuid, "/b/2", false);
	return v;
}

static unsigned sections(const char *text, const char *volume_kind)
{
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), volume_kind, &err);
	unsigned n;

	must(vf);
	n = volfile_count(vf);
	volfile_free(vf);
	return n;
}

static void check_texts(const struct volume *v)
{
	static const struct brick_facts facts = { .host_uuid = "6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f", .shared_brick_count = 1 };
	struct volume *plain = new_volume();
	char *with = volfile_for_clients(v, VOLFILE_GATEWAY, NULL), *without = volfile_for_clients(plain, VOLFILE_GATEWAY, NULL);

	must(sections(with, "gateway") == sections(without, "plain"));
	free(with);
	free(without);
	with = volfile_for_brick(v, 0, &facts);
	without = volfile_for_brick(plain, 0, &facts);
	must(sections(with, "brick") == sections(without, "plain"));
	free(with);
	free(without);
	with = volfile_for_clients(v, VOLFILE_CLIENT_TRUSTED, NULL);
	sections(with, "client");
	free(with);
	with = exports_for_volume(v);
	for (without = with; *without; without = strchr(without, '\n') + 1)
		must(strncmp(without, "/demo", 5) == 0 && strchr(without, '\n'));
	free(with);
	volume_free(plain);
}

static void set_options(struct volume *v, json_t *options)
{
	const char *name, *value;
	json_t *one;
	size_t i;

	json_array_foreach(options, i, one) {
		struct error err = { "" };

		name = json_member(one, "name");
		value = json_member(one, "value");
		if (!name || !value)
			continue;
		if (volume_option_check(name, value, &err) < 0)
			must(err.text[0]);
		else
			volume_set_option(v, volume_option_find(name) ? volume_option_find(name)->name : name, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *request = json_parse((const char *)data, size);
	struct volume *v = new_volume(), *again;
	struct error err = { "" };
	size_t len;
	char *text;

	json_number(request, "replica");
	json_flag(request, "force");
	set_options(v, json_object_get(request, "options"));
	check_texts(v);
	text = volume_text(v, &len);
	again = volume_parse(text, len, "again", &err); /* NULL: a character that XML has not; the manager refuses it then */
	if (again)
		must(again->noptions == v->noptions);
	free(text);
	volume_free(again);
	volume_free(v);
	json_decref(request);
	return 0;
}
