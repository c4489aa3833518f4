/* tests/system/volfile_write.c: prints what the manager would write for a volume: a volfile, or lines of exports(5).
 *
 *	volfile_write KIND NAME REPLICA ARBITER PORT [OPTION=VALUE...] HOST:DIR...
 *	volfile_write options
 *
 * KIND is gateway, client, trusted, self-heal, exports or a brick's number. No manager tells ports where this is used: with PORT other than 0
 * brick N is said to be on PORT + N. "options" lists those that go to stock clients and self-heal daemons: name, an example of a value (or a
 * dash), type of translator and key (or a dash). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/options.h"
#include "mgmt/volfiles.h"

#define HOST_ID "8f14e45f-ceea-467f-9f5b-2c6f1b0a7d11"

static int die(const char *why)
{
	fprintf(stderr, "volfile_write: %s\n", why);
	return 2;
}

static int take_word(struct volume *v, char *word, unsigned arbiter)
{
	char *equal = strchr(word, '='), *colon = strchr(word, ':');
	struct error err = { "" };

	if (equal && word[0] != '/' && (!colon || equal < colon || strchr(word, '.') < equal)) {
		*equal = '\0';
		if (volume_option_check(word, equal + 1, &err) < 0)
			return die(err.text);
		volume_set_option(v, word, equal + 1);
		return 0;
	}
	if (!colon || colon[1] != '/')
		return die("expected HOST:DIR");
	*colon = '\0';
	volume_add_brick(v, word, HOST_ID, colon + 1, arbiter && v->nbricks % v->replica == v->replica - 1);
	return 0;
}

/* The text, with the port of each brick in its section. */
static void print(const char *text, unsigned port)
{
	const char *end;

	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		printf("%.*s\n", (int)(end - text), text);
		if (port && strncmp(text, "    option remote-host ", 23) == 0)
			printf("    option remote-port %u\n", port++);
	}
}

static char *write_kind(const struct volume *v, const char *kind)
{
	static const struct { const char *name; enum volfile_kind kind; } kinds[] = {
		{ "gateway", VOLFILE_GATEWAY }, { "client", VOLFILE_CLIENT }, { "trusted", VOLFILE_CLIENT_TRUSTED },
		{ "self-heal", VOLFILE_SELF_HEAL },
	};
	struct brick_facts facts = { .host_uuid = HOST_ID, .shared_brick_count = 1 };
	char *end;
	unsigned long brick;
	unsigned i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			return volfile_for_clients(v, kinds[i].kind, NULL);
	if (strcmp(kind, "exports") == 0)
		return exports_for_volume(v);
	brick = strtoul(kind, &end, 10);
	return *end || brick >= v->nbricks ? NULL : volfile_for_brick(v, (unsigned)brick, &facts);
}

static int list_options(void)
{
	const struct volume_option_row *row;
	const char *value;
	char buf[32];

	for (row = volume_option_rows; row->name; row++) {
		if (row->place != PLACE_CLIENT && row->place != PLACE_STOCK && row->place != PLACE_HEAL)
			continue;
		value = volume_option_plain(row, volume_option_default(row), buf, sizeof(buf));
		if (strcmp(volume_option_type(row), "boolean") == 0)
			value = "on";
		printf("%s %s %s %s\n", row->name, *value ? value : "-", row->type ? row->type : "-", row->key ? row->key : "-");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct volume *v;
	unsigned arbiter;
	char *text;
	int i;

	if (argc == 2 && strcmp(argv[1], "options") == 0)
		return list_options();
	if (argc < 7)
		return die("KIND NAME REPLICA ARBITER PORT [OPTION=VALUE...] HOST:DIR...");
	v = volume_new(argv[2]);
	v->replica = (unsigned)strtoul(argv[3], NULL, 10);
	v->arbiter = arbiter = (unsigned)strtoul(argv[4], NULL, 10);
	gfid_parse("6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f", v->id);
	snprintf(v->login[0], sizeof(v->login[0]), "ed8ea985-4393-44f5-9042-48694ae7e0e6");
	snprintf(v->login[1], sizeof(v->login[1]), "69db297e-0ed2-4e1e-8150-9ab05258d080");
	for (i = 6; i < argc; i++)
		if (take_word(v, argv[i], arbiter))
			return 2;
	text = write_kind(v, argv[1]);
	if (!text)
		return die("there is no such kind or brick");
	print(text, (unsigned)strtoul(argv[5], NULL, 10));
	free(text);
	volume_free(v);
	return 0;
}
