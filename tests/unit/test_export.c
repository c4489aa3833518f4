/* tests/unit/test_export.c: the syntax of exports(5) and the evaluator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "xlators/exports.h"

static struct export_set *parse(const char *text)
{
	struct error err = { "" };
	struct export_set *set = NULL;
	int ret = exports_parse(text, strlen(text), "exports", "demo", &set, &err);

	if (ret < 0)
		fail_msg("%s", err.text);
	return set;
}

/* The sentence of a text that must be refused. */
static const char *refused(const char *text)
{
	static struct error err;
	struct export_set *set = NULL;

	err.text[0] = '\0';
	assert_true(exports_parse(text, strlen(text), "exports", "demo", &set, &err) < 0);
	assert_null(set);
	return err.text;
}

static void assert_says(const char *sentence, const char *part)
{
	if (!strstr(sentence, part))
		fail_msg("\"%s\" does not say \"%s\"", sentence, part);
}

static struct sockaddr_storage peer(const char *text, uint16_t port)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	}
	return ss;
}

static const struct export_client *admit(struct export_set *set, const char *addr, uint16_t port, const char *name)
{
	struct sockaddr_storage ss = peer(addr, port);

	return export_admit(&set->exports[0], (struct sockaddr *)&ss, name);
}

static void test_defaults_are_safe(void **state)
{
	struct export_set *set = parse("/demo *\n");
	const struct export_options *o = &set->exports[0].clients[0].options;

	assert_false(o->rw);
	assert_true(o->sync);
	assert_true(o->secure);
	assert_true(o->root_squash);
	assert_false(o->all_squash);
	assert_int_equal(o->anonuid, 65534);
	assert_int_equal(o->anongid, 65534);
	export_set_unref(set);
}

static void test_every_option(void **state)
{
	struct export_set *set = parse(
		"/demo *(rw,async,insecure,no_root_squash,all_squash,anonuid=7,anongid=4294967295,no_subtree_check,"
		"fsid=0,sec=sys)");
	const struct export_options *o = &set->exports[0].clients[0].options;

	assert_true(o->rw);
	assert_false(o->sync);
	assert_false(o->secure);
	assert_false(o->root_squash);
	assert_true(o->all_squash);
	assert_int_equal(o->anonuid, 7);
	assert_int_equal(o->anongid, 4294967295u);
	export_set_unref(set);
}

static void test_line_syntax(void **state)
{
	struct export_set *set = parse("# a comment\n\n"
				       "/demo//a/ -rw,insecure 192.0.2.1 192.0.2.2(ro) # more\n"
				       "\"/demo/with blank\" \\\n  *(ro)\n"
				       "/demo/oct\\040al *\r\n");

	assert_int_equal(set->n, 3);
	assert_string_equal(set->exports[0].path, "/demo/a");
	assert_string_equal(set->exports[0].subdir, "a");
	assert_int_equal(set->exports[0].nclients, 2);
	assert_true(set->exports[0].clients[0].options.rw);
	assert_false(set->exports[0].clients[1].options.rw);
	assert_false(set->exports[0].clients[1].options.secure);
	assert_string_equal(set->exports[1].path, "/demo/with blank");
	assert_int_equal(set->exports[1].line, 4);
	assert_string_equal(set->exports[2].path, "/demo/oct al");
	assert_string_equal(set->exports[0].clients[1].spec, "192.0.2.2");
	export_set_unref(set);
}

static void test_errors_name_file_and_line(void **state)
{
	assert_says(refused("/demo *\n/demo/x *(rw,quick)\n"), "exports:2: unknown option \"quick\"");
	assert_says(refused("\n\n/other *\n"), "exports:3: \"/other\" is not in the volume");
	assert_says(refused("demo *\n"), "exports:1: expected a path");
	assert_says(refused("/demo\n"), "exported to nobody");
	assert_says(refused("/demo *(rw\n"), "expected client(options)");
	assert_says(refused("/demo *(anonuid=x)\n"), "anonuid wants a number");
	assert_says(refused("/demo 192.0.2.0/33\n"), "prefix length from 0 to 32");
	assert_says(refused("/demo 192.0.2.0/255.0.255.0\n"), "no network");
	assert_says(refused("/demo 2001:db8::/129\n"), "prefix length from 0 to 128");
	assert_says(refused("/demo @group\n"), "netgroups");
	assert_says(refused("/demo *(sec=krb5)\n"), "sec=sys");
	assert_says(refused("/demo *(sec=krb5:krb5p)\n"), "sec=sys");
	assert_says(refused("/demo *(xprtsec=tls)\n"), "TLS");
	assert_says(refused("/demo *(refer=/x@h)\n"), "NFSv3");
	assert_says(refused("/demo 192.0.2.*(rw)\n"), "write a network");
	assert_says(refused("/demo/../x *\n"), "have no place");
	assert_says(refused("/demo \"*\n"), "quote");
	assert_says(refused("/demo ho st!name\n"), "neither an address");
	assert_says(refused(""), "exports nothing");
	assert_says(refused("/demox *\n"), "not in the volume");
}

static void test_nul_is_refused(void **state)
{
	struct error err = { "" };
	struct export_set *set = NULL;

	assert_int_equal(exports_parse("/de\0mo *", 8, "exports", "demo", &set, &err), -EINVAL);
	assert_says(err.text, "NUL");
}

static void test_networks(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.0/25(insecure) 198.51.100.0/255.255.255.0(insecure) "
				       "2001:db8::/33(insecure) [2001:db9::1](insecure)\n");

	assert_non_null(admit(set, "192.0.2.127", 5000, NULL));
	assert_null(admit(set, "192.0.2.128", 5000, NULL));
	assert_non_null(admit(set, "::ffff:192.0.2.1", 5000, NULL));
	assert_non_null(admit(set, "198.51.100.200", 5000, NULL));
	assert_null(admit(set, "198.51.101.1", 5000, NULL));
	assert_non_null(admit(set, "2001:db8:7fff::1", 5000, NULL));
	assert_null(admit(set, "2001:db8:8000::1", 5000, NULL));
	assert_non_null(admit(set, "2001:db9::1", 5000, NULL));
	assert_null(admit(set, "2001:db9::2", 5000, NULL));
	export_set_unref(set);
}

static void test_everybody_of_one_family(void **state)
{
	struct export_set *set = parse("/demo 0.0.0.0/0(insecure)\n");

	assert_non_null(admit(set, "203.0.113.9", 5000, NULL));
	assert_null(admit(set, "2001:db8::1", 5000, NULL));
	export_set_unref(set);
}

static void test_most_specific_decides(void **state)
{
	struct export_set *set =
		parse("/demo *(rw,insecure) *.example.org(anonuid=1,insecure) 192.0.2.0/24(anonuid=2,insecure) "
		      "192.0.2.7(anonuid=3,insecure)\n");

	assert_int_equal(admit(set, "192.0.2.7", 9999, "a.example.org")->options.anonuid, 3);
	assert_int_equal(admit(set, "192.0.2.8", 9999, "a.example.org")->options.anonuid, 2);
	assert_int_equal(admit(set, "203.0.113.1", 9999, "A.Example.Org")->options.anonuid, 1);
	assert_true(admit(set, "203.0.113.1", 9999, "example.com")->options.rw);
	assert_true(admit(set, "203.0.113.1", 9999, NULL)->options.rw);
	export_set_unref(set);
}

static void test_secure_wants_a_low_port(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.1 192.0.2.2(insecure)\n");

	assert_non_null(admit(set, "192.0.2.1", 1023, NULL));
	assert_null(admit(set, "192.0.2.1", 1024, NULL));
	assert_non_null(admit(set, "192.0.2.2", 1024, NULL));
	export_set_unref(set);
}

static void test_host_names_match_their_addresses(void **state)
{
	struct export_set *set = parse("/demo host.example.org(insecure)\n");
	struct export_client *c = &set->exports[0].clients[0];
	struct sockaddr_storage ss = peer("192.0.2.9", 0);

	assert_true(set->has_hosts);
	assert_null(admit(set, "192.0.2.9", 5000, NULL));
	c->resolved = calloc(1, 16);
	c->nresolved = 1;
	export_address((struct sockaddr *)&ss, c->resolved[0]);
	assert_non_null(admit(set, "192.0.2.9", 5000, NULL));
	assert_null(admit(set, "192.0.2.10", 5000, NULL));
	export_set_unref(set);
}

static void test_paths(void **state)
{
	struct export_set *set = parse("/demo *\n/demo/a *\n");
	const char *rest;

	assert_true(export_covers(&set->exports[0], "/demo/a/b", &rest));
	assert_string_equal(rest, "a/b");
	assert_true(export_covers(&set->exports[1], "/demo/a/b", &rest));
	assert_string_equal(rest, "b");
	assert_false(export_covers(&set->exports[1], "/demo/ab", &rest));
	assert_true(export_covers(&set->exports[0], "/demo", &rest));
	assert_string_equal(rest, "");
	assert_ptr_equal(export_by_id(set, set->exports[1].id), &set->exports[1]);
	assert_null(export_by_id(set, set->exports[0].id ^ set->exports[1].id ^ 1));
	export_set_unref(set);
}

static void test_ids_survive_a_reload(void **state)
{
	struct export_set *a = parse("/demo *\n/demo/x *\n"), *b = parse("/demo/x *(rw)\n/demo/y *\n/demo *\n");

	assert_int_equal(a->exports[0].id, b->exports[2].id);
	assert_int_equal(a->exports[1].id, b->exports[0].id);
	assert_int_not_equal(a->generation, b->generation);
	export_set_unref(a);
	export_set_unref(b);
}

static void test_too_many(void **state)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int i;

	for (i = 0; i <= EXPORTS_MAX; i++)
		fprintf(f, "/demo/%d *\n", i);
	fclose(f);
	assert_says(refused(text), "more than 1024 exports");
	free(text);
}

static void test_file(void **state)
{
	char path[] = "/tmp/test_export.XXXXXX";
	struct error err = { "" };
	struct export_set *set;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "/demo *(rw)\n", 12), 12);
	close(fd);
	assert_int_equal(exports_read(path, "demo", &set, &err), 0);
	assert_int_equal(set->n, 1);
	export_set_unref(set);
	unlink(path);
	assert_int_equal(exports_read(path, "demo", &set, &err), -ENOENT);
	assert_says(err.text, path);
}

static void test_any_volume(void **state)
{
	const char text[] = "/one *\n/two/a/b *(ino32)\n";
	struct error err = { "" };
	struct export_set *set;

	assert_int_equal(exports_parse(text, strlen(text), "exports", NULL, &set, &err), 0);
	assert_int_equal(set->exports[0].volume_hash, export_name_hash("one", 3));
	assert_int_equal(set->exports[1].volume_len, 3);
	assert_string_equal(set->exports[1].subdir, "a/b");
	assert_false(set->exports[0].clients[0].options.ino32);
	assert_true(set->exports[1].clients[0].options.ino32);
	export_set_unref(set);
	assert_int_equal(exports_parse("# none\n", 7, "exports", NULL, &set, &err), 0);
	assert_int_equal(set->n, 0);
	assert_null(export_by_id(set, 1));
	export_set_unref(set);
	assert_int_equal(exports_parse("/ *\n", 4, "exports", NULL, &set, &err), -EINVAL);
	assert_says(err.text, "exports:1: expected a volume's name");
}

static void test_ids_are_found_among_many(void **state)
{
	struct export_set *set;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	for (i = 0; i < EXPORTS_MAX; i++)
		fprintf(f, "/demo/%u *\n", i);
	fclose(f);
	set = parse(text);
	for (i = 0; i < EXPORTS_MAX; i++)
		assert_ptr_equal(export_by_id(set, set->exports[i].id), &set->exports[i]);
	export_set_unref(set);
	free(text);
}

static struct export_verdict decide(struct export_set *set, const char *path, const char *addr, uint16_t port, const char *name)
{
	struct sockaddr_storage ss = peer(addr, port);
	struct export_verdict v;

	export_decide(set, path, (struct sockaddr *)&ss, name, &v);
	return v;
}

static bool wants_name(struct export_set *set, const char *path, const char *addr)
{
	struct sockaddr_storage ss = peer(addr, 700);

	return export_path_needs_name(set, path, (struct sockaddr *)&ss);
}

/* A name server is asked only where its answer may decide. */
static void test_names_are_wanted_last(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.1(rw) *.example.org(rw) 198.51.100.1(noaccess) *\n"
				       "/demo/x 192.0.2.0/24 *.bad.example(noaccess)\n/demo/y 192.0.2.0/24 *\n");

	assert_false(wants_name(set, "/demo", "192.0.2.1"));		/* an address decides */
	assert_false(wants_name(set, "/demo", "198.51.100.1"));	/* it is refused whatever it is called */
	assert_true(wants_name(set, "/demo", "203.0.113.1"));		/* a pattern comes before "*" */
	assert_true(wants_name(set, "/demo/x", "192.0.2.1"));		/* a name may be refused */
	assert_false(wants_name(set, "/demo/y", "203.0.113.1"));	/* no pattern, and the longest path decides */
	export_set_unref(set);
}

static void test_decisions_have_reasons(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.0/24(rw) *.example.org(ro,insecure)\n"
				       "/demo/a 198.51.100.1(insecure)\n/demo/a/b 192.0.2.9\n");
	struct export_verdict v = decide(set, "/demo/a/x", "192.0.2.1", 700, NULL);

	assert_int_equal(v.why, EXPORT_ALLOWED);	/* /demo/a does not let it in, /demo does */
	assert_int_equal(v.export->line, 1);
	assert_string_equal(v.client->spec, "192.0.2.0/24");
	assert_string_equal(v.rest, "a/x");
	v = decide(set, "/demo/a/b", "192.0.2.9", 700, NULL);
	assert_int_equal(v.export->line, 3);
	v = decide(set, "/demo/a/x", "192.0.2.1", 7000, NULL);
	assert_int_equal(v.why, EXPORT_NO_CLIENT);	/* the nearest says why: it lists somebody else */
	assert_int_equal(v.export->line, 2);
	v = decide(set, "/demo", "192.0.2.1", 7000, NULL);
	assert_int_equal(v.why, EXPORT_HIGH_PORT);
	assert_string_equal(v.client->spec, "192.0.2.0/24");
	v = decide(set, "/dem", "192.0.2.1", 700, NULL);
	assert_int_equal(v.why, EXPORT_NO_PATH);
	assert_null(v.export);
	assert_true(wants_name(set, "/demo/a", "203.0.113.1"));
	assert_false(wants_name(set, "/demo/a", "198.51.100.1"));
	assert_false(wants_name(set, "/demo", "192.0.2.1"));
	assert_false(wants_name(set, "/other", "203.0.113.1"));
	assert_int_equal(decide(set, "/demo", "203.0.113.1", 7000, "a.example.org").why, EXPORT_ALLOWED);
	export_set_unref(set);
}

static void test_noaccess_comes_first(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.0/24(noaccess) 192.0.2.7(rw) *(rw) *.bad.example(noaccess)\n");

	assert_null(admit(set, "192.0.2.7", 700, NULL));
	assert_null(admit(set, "192.0.2.8", 700, NULL));
	assert_non_null(admit(set, "198.51.100.1", 700, NULL));
	assert_null(admit(set, "198.51.100.1", 700, "a.bad.example"));
	assert_int_equal(decide(set, "/demo", "192.0.2.7", 700, NULL).why, EXPORT_REFUSED);
	export_set_unref(set);
}

static struct export_set *parse_lines(const char *text, const char *volume)
{
	struct error err = { "" };
	struct export_set *set = NULL;

	if (exports_parse_lines(text, strlen(text), "exports", volume, &set, &err) < 0)
		fail_msg("%s", err.text);
	return set;
}

/* A wrong line costs itself: its clients, also those before the mistake, and nothing else. */
static void test_a_wrong_line_costs_that_line(void **state)
{
	struct export_set *set = parse_lines("/one *\n/two 192.0.2.1 192.0.2.2(quick)\\\n *\n\n/three @group\nfour *\n"
					     "/one 192.0.2.9(rw) oh no! # x \\\n/five *\n/two *(ro)\n", NULL);
	static const unsigned lines[] = { 2, 5, 6, 7 };
	unsigned i;

	assert_int_equal(set->nwrong, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(set->wrong[i].line, lines[i]);
	assert_says(set->wrong[0].sentence, "exports:2: unknown option \"quick\"");
	assert_string_equal(set->wrong[1].path, "/three");
	assert_null(set->wrong[2].path);
	assert_int_equal(set->n, 4);
	assert_int_equal(set->exports[0].nclients, 1);		/* /one */
	assert_int_equal(set->exports[1].nclients, 1);		/* /two, from its second line */
	assert_string_equal(set->exports[1].clients[0].spec, "*");
	assert_int_equal(set->exports[2].nclients, 0);		/* /three keeps its handles, and lets nobody in */
	assert_ptr_equal(admit(set, "192.0.2.9", 700, NULL), &set->exports[0].clients[0]);
	assert_int_equal(set->nclients, 3);
	assert_ptr_equal(export_wrong_of(set, &set->exports[2]), &set->wrong[1]);
	assert_null(export_wrong_of(set, &set->exports[3]));
	assert_int_equal(decide(set, "/three", "192.0.2.1", 700, NULL).why, EXPORT_NO_CLIENT);
	export_set_unref(set);
}

static void test_nothing_right_is_nothing(void **state)
{
	struct export_set *set = NULL;
	struct error err = { "" };

	assert_int_equal(exports_parse_lines("/demo *(quick)\n", 15, "exports", "demo", &set, &err), -EINVAL);
	assert_says(err.text, "exports:1: unknown option");
	assert_null(set);
}

static void test_lines_of_one_path_are_one_export(void **state)
{
	struct export_set *set = parse("/demo 192.0.2.1(rw)\n/demo/x *\n/demo/ -async 192.0.2.2\n");

	assert_int_equal(set->n, 2);
	assert_int_equal(set->exports[0].nclients, 2);
	assert_true(admit(set, "192.0.2.1", 700, NULL)->options.rw);
	assert_false(admit(set, "192.0.2.2", 700, NULL)->options.sync);
	assert_int_equal(admit(set, "192.0.2.2", 700, NULL)->line, 3);
	export_set_unref(set);
}

/* nfs-utils exports to everybody then. */
static void test_a_blank_before_the_options(void **state)
{
	assert_says(refused("/demo 192.0.2.0/24 (rw)\n"), "write \"192.0.2.0/24(rw)\", or \"*(rw)\" if everybody is meant");
	assert_says(refused("/demo (rw)\n"), "no client stands before \"(rw)\": for everybody write \"*(rw)\"");
	assert_says(refused("/demo *(rw, sync)\n"), "without blanks");
	assert_says(refused("/demo \"\"\n"), "no client");
}

static void test_options_of_nfs_utils(void **state)
{
	static const char *const harmless[] = {
		"no_acl", "insecure_locks", "no_auth_nlm", "pnfs", "no_pnfs", "mp", "mountpoint", "mp=/x", "xprtsec=none", "xprtsec=none:tls",
		"nocrossmnt", "security_label", "nordirplus", "sec=krb5:sys", "fsid=root", "no_wdelay",
	};
	struct export_set *set;
	char line[64];
	unsigned i;

	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		snprintf(line, sizeof(line), "/demo *(rw,%s)\n", harmless[i]);
		set = parse(line);
		assert_true(set->exports[0].clients[0].options.rw);
		export_set_unref(set);
	}
	set = parse("/demo *(subtree_check) 192.0.2.1(subtree_check,no_subtree_check)\n");
	assert_true(set->exports[0].clients[0].options.subtree_check);
	assert_false(set->exports[0].clients[1].options.subtree_check);
	export_set_unref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_safe),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_noaccess_comes_first),
		cmocka_unit_test(test_line_syntax),
		cmocka_unit_test(test_errors_name_file_and_line),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_everybody_of_one_family),
		cmocka_unit_test(test_most_specific_decides),
		cmocka_unit_test(test_secure_wants_a_low_port),
		cmocka_unit_test(test_host_names_match_their_addresses),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_ids_survive_a_reload),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_any_volume),
		cmocka_unit_test(test_ids_are_found_among_many),
		cmocka_unit_test(test_decisions_have_reasons),
		cmocka_unit_test(test_names_are_wanted_last),
		cmocka_unit_test(test_a_wrong_line_costs_that_line),
		cmocka_unit_test(test_nothing_right_is_nothing),
		cmocka_unit_test(test_lines_of_one_path_are_one_export),
		cmocka_unit_test(test_a_blank_before_the_options),
		cmocka_unit_test(test_options_of_nfs_utils),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
