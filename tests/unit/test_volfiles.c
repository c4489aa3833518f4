/* tests/unit/test_volfiles.c: volfiles that the manager writes: the parser reads them, our translators know every type and option in those for
 * gateways and bricks, and they are what they have always been (vectors/volfiles). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/options.h"
#include "mgmt/volfiles.h"
#include "xlators/volfile.h"

#define TEXT_MAX 65536

static const struct brick_facts facts = { .host_uuid = "8f14e45f-ceea-467f-9f5b-2c6f1b0a7d11", .hostname = "h9", .shared_brick_count = 1 };

static struct volume *volume(unsigned bricks, unsigned replica, unsigned arbiter)
{
	struct volume *v = volume_new("demo");
	char host[16], path[16];
	unsigned i;

	v->replica = replica;
	v->arbiter = arbiter;
	assert_true(gfid_parse("6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f", v->id));
	snprintf(v->login[0], sizeof(v->login[0]), "ed8ea985-4393-44f5-9042-48694ae7e0e6");
	snprintf(v->login[1], sizeof(v->login[1]), "69db297e-0ed2-4e1e-8150-9ab05258d080");
	for (i = 0; i < bricks; i++) {
		snprintf(host, sizeof(host), "h%u", i + 1);
		snprintf(path, sizeof(path), "/b/%u", i + 1);
		volume_add_brick(v, host, facts.host_uuid, path, arbiter && i % replica == replica - 1);
	}
	return v;
}

static struct volfile *parse(const char *text)
{
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), "written", &err);

	if (!vf)
		fail_msg("%s\n%s", err.text, text);
	return vf;
}

static const struct xlator_class *class_of(const char *type)
{
	unsigned i;

	for (i = 0; xlator_classes[i]; i++)
		if (strcmp(xlator_classes[i]->name, type) == 0)
			return xlator_classes[i];
	return NULL;
}

/* Values, too: each must be one that the translator takes at its start. */
static void check_section(const struct volfile_section *s)
{
	const struct xlator_class *class = class_of(s->type);
	struct error err = { "" };
	unsigned i, k;
	void *priv;

	if (strcmp(s->type, "debug/io-stats") == 0 || strcmp(s->type, "protocol/server") == 0)
		return;			/* passed over, and bricks/ itself */
	if (!class)
		fail_msg("%s: no translator of type %s", s->name, s->type);
	assert_true(s->nchildren >= class->min_children && s->nchildren <= class->max_children);
	if (!class->options && s->noptions)
		fail_msg("%s: a translator of type %s has no options", s->name, s->type);
	if (!class->options)
		return;
	priv = test_calloc(1, class->priv_size);
	options_init(class->options, priv);
	for (i = 0; i < s->noptions; i++) {
		if (option_set(class->options, priv, s->options[i].key, s->options[i].value, &err) < 0)
			fail_msg("%s: %s", s->name, err.text);
		for (k = 0; k < i; k++)
			if (strcmp(s->options[i].key, s->options[k].key) == 0)
				fail_msg("%s: %s stands there twice", s->name, s->options[i].key);
	}
	assert_int_equal(options_check(class->options, priv, &err), 0);
	options_free(class->options, priv);
	test_free(priv);
}

static void check_ours(const char *text)
{
	struct volfile *vf = parse(text);
	unsigned i;

	for (i = 0; i < vf->n; i++)
		check_section(&vf->sections[i]);
	volfile_free(vf);
}

static void golden(const char *text, const char *file)
{
	char *path = NULL, *want = test_malloc(TEXT_MAX);
	size_t n;
	FILE *f;

	assert_true(asprintf(&path, "%s/%s", VECTORS, file) > 0);
	f = fopen(path, "r");
	n = f ? fread(want, 1, TEXT_MAX - 1, f) : 0;
	want[n] = '\0';
	if (f)
		fclose(f);
	if (strcmp(want, text) != 0)
		fail_msg("it is not what %s says:\n%s", file, text);
	free(path);
	test_free(want);
}

static void they_are_as_always(void **state)
{
	static const struct { const char *name; unsigned bricks, replica, arbiter; } shapes[] = {
		{ "one", 1, 1, 0 }, { "four", 4, 1, 0 }, { "2x2", 4, 2, 0 }, { "replica3", 3, 3, 0 }, { "arbiter", 3, 3, 1 },
	};
	static const char *const names[] = { "gateway", "client", "trusted", "self-heal" };
	char file[64], *text;
	struct volume *v;
	unsigned i, kind;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		v = volume(shapes[i].bricks, shapes[i].replica, shapes[i].arbiter);
		for (kind = VOLFILE_GATEWAY; kind <= VOLFILE_SELF_HEAL; kind++) {
			if (kind == VOLFILE_SELF_HEAL && v->replica == 1)
				continue;
			text = volfile_for_clients(v, kind, NULL);
			snprintf(file, sizeof(file), "%s.%s.vol", shapes[i].name, names[kind]);
			golden(text, file);
			volfile_free(parse(text));
			if (kind == VOLFILE_GATEWAY)
				check_ours(text);
			free(text);
		}
		text = volfile_for_brick(v, v->nbricks - 1, &facts);
		snprintf(file, sizeof(file), "%s.brick.vol", shapes[i].name);
		golden(text, file);
		check_ours(text);
		free(text);
		volume_free(v);
	}
}

/* An example of each option that goes into a volfile; a text's is its default or one of these. */
static const char *example(const struct volume_option_row *row)
{
	static const struct { const char *name, *value; } texts[] = {
		{ "cluster.extra-hash-regex", "(.*)~" }, { "cluster.read-subvolume", "demo-client-2" }, { "ssl.ca-list", "/ca.pem" },
		{ "ssl.own-cert", "/own.pem" }, { "ssl.private-key", "/key.pem" }, { "ssl.cipher-list", "HIGH:!aNULL" },
		{ "auth.ssl-allow", "a,b" }, { "performance.cache-priority", "*.jpg:3" },
		{ "performance.xattr-cache-list", "user.a,user.b" },
		{ "cluster.data-self-heal-algorithm", "diff" }, { "transport.address-family", "inet6" }, { "performance.cache-size", "64MB" },
	};
	unsigned i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].name, row->name) == 0)
			return texts[i].value;
	return volume_option_default(row);
}

static const char *value_in(const struct volfile *vf, const char *type, const char *key)
{
	const char *value = NULL;
	unsigned i;

	for (i = 0; i < vf->n && !value; i++)
		if (strcmp(vf->sections[i].type, type) == 0)
			value = volfile_option(vf, i, key);
	return value;
}

/* Every row that names a translator arrives there, and nothing that is for one kind only in another. */
static void every_option_arrives(void **state)
{
	struct volume *v = volume(4, 2, 0);
	const struct volume_option_row *row;
	struct volfile *gateway, *client, *heal, *brick;
	struct error err = { "" };
	char *text;

	for (row = volume_option_rows; row->name; row++) {
		if (row->type && (!*example(row) || volume_option_check(row->name, example(row), &err) < 0))
			fail_msg("%s: an example is wanted here: %s", row->name, err.text);
		if (row->place != PLACE_EXPORTS && *example(row))
			volume_set_option(v, row->name, row->row && row->row->type == OPT_T_BOOL && !row->key ? "on" : example(row));
	}
	volume_set_option(v, "client.ssl", "off");
	text = volfile_for_clients(v, VOLFILE_GATEWAY, NULL);
	check_ours(text);
	gateway = parse(text);
	free(text);
	client = parse(text = volfile_for_clients(v, VOLFILE_CLIENT, NULL));
	free(text);
	heal = parse(text = volfile_for_clients(v, VOLFILE_SELF_HEAL, NULL));
	free(text);
	text = volfile_for_brick(v, 1, &facts);
	check_ours(text);
	brick = parse(text);
	free(text);
	for (row = volume_option_rows; row->name; row++) {
		if (!row->key)
			continue;
		if (!value_in(gateway, row->type, row->key) == (row->place == PLACE_CLIENT || row->place == PLACE_GATEWAY))
			fail_msg("%s and the gateway", row->name);
		if (!value_in(client, row->type, row->key) == (row->place == PLACE_CLIENT || row->place == PLACE_STOCK))
			fail_msg("%s and the stock client", row->name);
		if (row->place == PLACE_HEAL && !value_in(heal, row->type, row->key))
			fail_msg("%s and the self-heal daemon", row->name);
		if (!value_in(brick, row->type, row->key) == (row->place == PLACE_BRICK))
			fail_msg("%s and the brick", row->name);
	}
	volfile_free(gateway);
	volfile_free(client);
	volfile_free(heal);
	volfile_free(brick);
	volume_free(v);
}

static void only_its_set_prefers_a_brick(void **state)
{
	struct volume *v = volume(4, 2, 0);
	struct volfile *vf;
	char *text;

	volume_set_option(v, "cluster.read-subvolume", "demo-client-2");
	vf = parse(text = volfile_for_clients(v, VOLFILE_CLIENT, NULL));
	assert_string_equal(volfile_name(vf, 4), "demo-replicate-0");
	assert_null(volfile_option(vf, 4, "read-subvolume"));
	assert_string_equal(volfile_option(vf, 5, "read-subvolume"), "demo-client-2");
	free(text);
	volfile_free(vf);
	volume_free(v);
}

static void stock_clients_read_plain_numbers(void **state)
{
	struct volume *v = volume(1, 1, 0);
	struct volfile *vf;
	char *text;

	volume_set_option(v, "network.ping-timeout", "1500ms");
	volume_set_option(v, "performance.cache-size", "64MiB");
	vf = parse(text = volfile_for_clients(v, VOLFILE_CLIENT, NULL));
	assert_string_equal(value_in(vf, "protocol/client", "ping-timeout"), "2");
	assert_string_equal(value_in(vf, "performance/quick-read", "cache-size"), "67108864");
	volfile_free(vf);
	free(text);
	vf = parse(text = volfile_for_clients(v, VOLFILE_GATEWAY, NULL));
	assert_string_equal(value_in(vf, "protocol/client", "ping-timeout"), "1500ms");
	volfile_free(vf);
	free(text);
	volume_free(v);
}

static void tls_when_it_is_on(void **state)
{
	const struct volfiles_tls tls = { "/etc/own.pem", "/etc/key.pem", "/etc/ca.pem" };
	struct brick_facts with = facts;
	struct volume *v = volume(1, 1, 0);
	struct volfile *vf;
	char *text;

	with.tls = &tls;
	vf = parse(text = volfile_for_clients(v, VOLFILE_GATEWAY, &tls));
	assert_null(value_in(vf, "protocol/client", "transport.socket.ssl-enabled"));
	volfile_free(vf);
	free(text);
	volume_set_option(v, "client.ssl", "on");
	volume_set_option(v, "server.ssl", "on");
	volume_set_option(v, "ssl.own-cert", "/my/own.pem");
	vf = parse(text = volfile_for_clients(v, VOLFILE_GATEWAY, &tls));
	assert_string_equal(value_in(vf, "protocol/client", "transport.socket.ssl-enabled"), "on");
	assert_string_equal(value_in(vf, "protocol/client", "transport.socket.ssl-own-cert"), "/my/own.pem");
	assert_string_equal(value_in(vf, "protocol/client", "transport.socket.ssl-private-key"), "/etc/key.pem");
	volfile_free(vf);
	free(text);
	vf = parse(text = volfile_for_brick(v, 0, &with));
	assert_string_equal(value_in(vf, "protocol/server", "transport.socket.ssl-enabled"), "on");
	assert_string_equal(value_in(vf, "protocol/server", "transport.socket.ssl-ca-list"), "/etc/ca.pem");
	volfile_free(vf);
	free(text);
	volume_free(v);
}

static void who_may_come_to_a_brick(void **state)
{
	struct volume *v = volume(1, 1, 0);
	struct volfile *vf;
	char *text;

	volume_set_option(v, "auth.allow", "192.0.2.7,10.*");
	volume_set_option(v, "auth.reject", "10.9.9.9");
	vf = parse(text = volfile_for_brick(v, 0, &facts));
	assert_string_equal(value_in(vf, "protocol/server", "auth.addr./b/1.allow"), "192.0.2.7,10.*");
	assert_string_equal(value_in(vf, "protocol/server", "auth.addr./b/1.reject"), "10.9.9.9");
	assert_string_equal(value_in(vf, "protocol/server", "auth.login./b/1.allow"), v->login[0]);
	volfile_free(vf);
	free(text);
	volume_set_option(v, "auth.allow", "none");
	vf = parse(text = volfile_for_brick(v, 0, &facts));
	assert_string_equal(value_in(vf, "protocol/server", "auth.addr./b/1.allow"), "none");
	volfile_free(vf);
	free(text);
	volume_free(v);
}

/* Paths are whatever a directory can be called, but for backquotes, which `volume create` refuses. */
static void hostile_names(void **state)
{
	static const char *const paths[] = { "/a b", "/a\"b", "/a\\b", "/a\\", "/#a", "/a#b", "/volume", "/ü\t", "/{{ x }}", "/$HOME", "/a,b",
					      "/-" };
	struct volume *v = volume_new("vol-client-0_X");
	struct volfile *vf;
	char *text, *key;
	unsigned i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		volume_add_brick(v, i ? "option" : "2001:db8::1", facts.host_uuid, paths[i], false);
	vf = parse(text = volfile_for_clients(v, VOLFILE_GATEWAY, NULL));
	check_ours(text);
	for (i = 0; i < v->nbricks; i++) {
		assert_string_equal(volfile_option(vf, i, "remote-subvolume"), paths[i]);
		assert_string_equal(volfile_option(vf, i, "remote-host"), v->bricks[i].host);
	}
	volfile_free(vf);
	free(text);
	for (i = 0; i < v->nbricks; i++) {
		vf = parse(text = volfile_for_brick(v, i, &facts));
		check_ours(text);
		assert_string_equal(volfile_option(vf, 0, "directory"), paths[i]);
		assert_string_equal(volfile_name(vf, vf->n - 2), paths[i]);
		assert_true(asprintf(&key, "auth.addr.%s.allow", paths[i]) > 0);
		assert_string_equal(volfile_option(vf, vf->n - 1, key), "*");
		free(key);
		volfile_free(vf);
		free(text);
	}
	volume_free(v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_as_always), cmocka_unit_test(every_option_arrives), cmocka_unit_test(only_its_set_prefers_a_brick),
		cmocka_unit_test(stock_clients_read_plain_numbers), cmocka_unit_test(tls_when_it_is_on),
		cmocka_unit_test(who_may_come_to_a_brick), cmocka_unit_test(hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
