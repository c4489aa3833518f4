/* tests/unit/test_options.c: the table of volume options: every row is whole, and what names and values are taken and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/document.h"
#include "mgmt/option_checks.h"
#include "mgmt/options.h"
#include "xlators/graph.h"

#define PAGE_MAX (1u << 18)

static const struct xlator_class *class_of(const char *type)
{
	unsigned i;

	for (i = 0; xlator_classes[i]; i++)
		if (strcmp(xlator_classes[i]->name, type) == 0)
			return xlator_classes[i];
	return NULL;
}

static void every_row_is_whole(void **state)
{
	const struct volume_option_row *row;
	struct error err = { "" };

	for (row = volume_option_rows; row->name; row++) {
		if (row != volume_option_rows && strcmp(row[-1].name, row->name) >= 0)
			fail_msg("%s stands behind %s", row->name, row[-1].name);
		if (!row->row && (!row->type || !class_of(row->type) || !option_find(class_of(row->type)->options, row->key)))
			fail_msg("%s: no translator has it, and it has no row of its own", row->name);
		if (!volume_option_help(row) || strlen(volume_option_help(row)) < 5)
			fail_msg("%s: no help", row->name);
		if (!*volume_option_type(row))
			fail_msg("%s: no type", row->name);
		if (*volume_option_default(row) && volume_option_check(row->name, volume_option_default(row), &err) < 0)
			fail_msg("%s: its own default is refused: %s", row->name, err.text);
		if (row->place == PLACE_STOCK && strncmp(volume_option_help(row), "stock clients only: ", 20) != 0)
			fail_msg("%s: the help does not say that it is for stock clients only", row->name);
		assert_ptr_equal(volume_option_find(row->name), row);
	}
}

static void of_ours_goes_where_the_translator_has_it(void **state)
{
	const struct volume_option_row *row;

	for (row = volume_option_rows; row->name; row++) {
		if ((row->place != PLACE_CLIENT && row->place != PLACE_GATEWAY && row->place != PLACE_BRICK) || !row->type)
			continue;
		if (!class_of(row->type) || !option_find(class_of(row->type)->options, row->key))
			fail_msg("%s: %s has no option %s", row->name, row->type, row->key);
	}
}

static int check(const char *name, const char *value, const char *says)
{
	struct error err = { "" };
	int ret = volume_option_check(name, value, &err);

	if (says && !strstr(err.text, says))
		fail_msg("%s=%s says: %s", name, value, err.text);
	if (!says && ret)
		fail_msg("%s=%s is refused: %s", name, value, err.text);
	return ret;
}

static void unknown_names_get_the_nearest(void **state)
{
	assert_int_equal(check("cluster.quorom-type", "auto", "cluster.quorom-type is no option; did you mean cluster.quorum-type?"),
			 -ENOENT);
	assert_int_equal(check("quorom-type", "auto", "did you mean cluster.quorum-type?"), -ENOENT);
	assert_int_equal(check("nfs.disabel", "on", "did you mean nfs.disable?"), -ENOENT);
	assert_int_equal(check("xyzzy.nothing-near", "on", "\"volume set help\" lists them"), -ENOENT);
	assert_int_equal(check("", "on", "is no option"), -ENOENT);
	assert_int_equal(check("ssl", "on", "ssl may be client.ssl or server.ssl"), -ENOENT);
	assert_int_equal(check("user.", "on", "is no option"), -ENOENT);
}

static void a_prefix_may_be_left_out(void **state)
{
	assert_int_equal(check("quorum-type", "fixed", NULL), 0);
	assert_string_equal(volume_option_find("quorum-type")->name, "cluster.quorum-type");
	assert_null(volume_option_find("ssl"));
	assert_int_equal(check("user.note", "whatever", NULL), 0);
}

static void what_cannot_be_had_says_why(void **state)
{
	assert_int_equal(check("features.shard", "on", "features.shard cannot be set: files are never cut into pieces"), -EOPNOTSUPP);
	assert_int_equal(check("features.shard-block-size", "64MB", "never cut"), -EOPNOTSUPP);
	assert_int_equal(check("nfs.mem-factor", "15", "gatehouse-gateway(8)"), -EOPNOTSUPP);
	assert_int_equal(check("server.root-squash", "on", "nfs.root-squash"), -EOPNOTSUPP);
	assert_int_equal(check("features.ctime", "off", "cannot be switched off"), -EOPNOTSUPP);
	assert_int_equal(check("features.ctime", "on", NULL), 0);
}

/* Each: name, value, and what the refusal says; NULL: taken. */
static const struct { const char *name, *value, *says; } values[] = {
	{ "cluster.quorum-type", "fixed", NULL }, { "cluster.quorum-type", "most", "cluster.quorum-type: expected one of none, auto, fixed" },
	{ "cluster.quorum-count", "0", "a number from 1 to" }, { "cluster.eager-lock", "enable", NULL },
	{ "cluster.eager-lock", "x", "on or off" },
	{ "cluster.min-free-disk", "10%", NULL }, { "cluster.min-free-disk", "5GB", NULL },
	{ "cluster.min-free-disk", "110%", "more than 100%" },
	{ "cluster.min-free-disk", "5 apples", "a percentage" }, { "cluster.min-free-inodes", "5", NULL },
	{ "cluster.rsync-hash-regex", "^\\.(.+)\\.[^.]+$", NULL }, { "cluster.rsync-hash-regex", "(", "no regular expression" },
	{ "cluster.rsync-hash-regex", "none", NULL }, { "cluster.rsync-hash-regex", "abc", "a group" },
	{ "cluster.read-subvolume", "a-b-client-12", NULL }, { "cluster.read-subvolume", "client", "VOLUME-client-NUMBER" },
	{ "cluster.favorite-child-policy", "mtime", NULL }, { "cluster.favorite-child-policy", "best", "majority" },
	{ "network.ping-timeout", "42", NULL }, { "network.ping-timeout", "0", "a time from" },
	{ "performance.cache-size", "64MB", NULL }, { "performance.cache-size", "1MB", "a size from 4MiB" },
	{ "user.note", "a\nb", "control characters" }, { "auth.ssl-allow", "`id`", "backquotes" },
	{ "ssl.own-cert", "/etc/ssl/x.pem", NULL }, { "ssl.own-cert", "x.pem", "absolute path" },
	{ "auth.allow", "192.0.2.7,10.*,2001:db8::/32,192.0.2.0/24", NULL }, { "auth.allow", "*", NULL }, { "auth.allow", "none", NULL },
	{ "auth.allow", "host.example.org", "by address only" }, { "auth.allow", "fade", "by address only" },
	{ "auth.allow", "", "expected addresses" },
	{ "auth.allow", "192.0.2.0/255.255.255.0", "by address only" }, { "auth.reject", "300.1.1.1", "by address only" },
	{ "auth.allow", "/sub(192.0.2.7)", "by address only" },
	{ "nfs.rpc-auth-allow", "all", NULL }, { "nfs.rpc-auth-allow", "192.0.2.0/24, host.example.org,*.example.org,2001:db8::1", NULL },
	{ "nfs.rpc-auth-allow", "192.0.2.*", NULL }, { "nfs.rpc-auth-allow", "192.0.2.0/255.255.255.0", NULL },
	{ "nfs.rpc-auth-allow", "@group", "is no client" }, { "nfs.rpc-auth-allow", "a(rw)", "is no client" },
	{ "nfs.rpc-auth-allow", "192.0.2.0/33", "is no client" }, { "nfs.rpc-auth-allow", "192.0.?.1", "is no client" },
	{ "nfs.rpc-auth-allow", "2001:db8::/x", "is no client" }, { "nfs.rpc-auth-allow", " , ", "expected clients" },
	{ "nfs.rpc-auth-reject", "none", NULL },
	{ "nfs.export-dir", "/d1(192.0.2.0/24|host),/d 2", NULL }, { "nfs.export-dir", "/d1", NULL },
	{ "nfs.export-dir", "d1", "such as /home" },
	{ "nfs.export-dir", "/d1(", "expected /DIRECTORY(CLIENT|CLIENT)" }, { "nfs.export-dir", "/d1()", "expected /DIRECTORY" },
	{ "nfs.export-dir", "/d1(a)x", "expected /DIRECTORY" }, { "nfs.export-dir", "/d1,", "expected /DIRECTORY" },
	{ "nfs.export-dir", "/d1,,/d2", "such as /home" }, { "nfs.export-dir", "/", "such as /home" },
	{ "nfs.export-dir", "/a//b", "single slashes" },
	{ "nfs.export-dir", "/a/", "none at its end" }, { "nfs.export-dir", "/a/../b", "\"..\"" }, { "nfs.export-dir", "/a,/b,/a(h)", "twice" },
	{ "nfs.export-dir", "/a(|)", "no client" }, { "nfs.export-dir", "/a(@g)", "is no client" },
	{ "nfs.export-dir", "/a)b", "expected /DIRECTORY" },
	{ "nfs.exports", "192.0.2.0/24(rw,no_root_squash) *.example.org(ro,anonuid=5) -ino32 *", NULL },
	{ "nfs.exports", "(rw)", "for everybody write" },
	{ "nfs.exports", "192.0.2.0/24(rw,nosuchopt)", "option nfs.exports: unknown option \"nosuchopt\"" },
	{ "nfs.exports", "192.0.2.0/24 (rw)", "a blank stands between" }, { "nfs.exports", "*(rw) \\", "neither an address" },
	{ "nfs.exports", "*(anonuid=x)", "anonuid wants a number" }, { "nfs.exports", "192.0.2.0/33(rw)", "no network" },
	{ "nfs.exports", "", "expected clients" }, { "nfs.exports", "-rw", "expected clients" }, { "nfs.exports", "a(rw", "client(options)" },
	{ "nfs.exports", "a(rw)x", "client(options)" }, { "nfs.exports", "a((rw)", "client(options)" },
	{ "nfs.exports", "\"a b\"(rw)", "neither an address" },
	{ "nfs.exports", "192.0.2.*(rw)", "write a network" }, { "nfs.exports", "all(rw)", "write \"*\"" },
	{ "nfs.exports", "/demo *(rw)", "is no network" }, { "nfs.volume-access", "read-only", NULL },
	{ "nfs.volume-access", "ro", "one of read-write" },
	{ "nfs.anonuid", "4294967295", NULL }, { "nfs.anonuid", "-1", "a number from 0" },
};

static void values_are_judged(void **state)
{
	unsigned i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check(values[i].name, values[i].value, values[i].says);
}

static void what_holds_for_a_volume(void **state)
{
	struct volume *v = volume_new("demo");

	assert_string_equal(volume_option_effective(v, "cluster.quorum-type"), "auto");
	assert_string_equal(volume_option_effective(v, "network.ping-timeout"), "10");
	assert_string_equal(volume_option_effective(v, "nfs.export-dir"), "");
	assert_string_equal(volume_option_effective(v, "user.note"), "");
	assert_true(volume_option_on(v, "nfs.root-squash"));
	assert_false(volume_option_on(v, "nfs.disable"));
	volume_set_option(v, "nfs.disable", "enable");
	volume_set_option(v, "user.note", "x");
	assert_true(volume_option_on(v, "nfs.disable"));
	assert_string_equal(volume_option_effective(v, "user.note"), "x");
	assert_string_equal(volume_option_effective(v, "disable"), "enable");
	volume_free(v);
}

static void types_in_words(void **state)
{
	char buf[32];

	assert_string_equal(volume_option_type(volume_option_find("cluster.quorum-type")), "one of none, auto, fixed");
	assert_string_equal(volume_option_type(volume_option_find("nfs.disable")), "boolean");
	assert_string_equal(volume_option_type(volume_option_find("storage.reserve")), "number from 0 to 100");
	assert_string_equal(volume_option_type(volume_option_find("auth.allow")), "text");
	assert_string_equal(volume_option_plain(volume_option_find("performance.cache-size"), "64MB", buf, sizeof(buf)), "67108864");
	assert_string_equal(volume_option_plain(volume_option_find("network.ping-timeout"), "1500ms", buf, sizeof(buf)), "2");
	assert_string_equal(volume_option_plain(volume_option_find("cluster.quorum-type"), "AUTO", buf, sizeof(buf)), "auto");
	assert_string_equal(volume_option_plain(volume_option_find("cluster.eager-lock"), "Enable", buf, sizeof(buf)), "on");
	assert_string_equal(volume_option_plain(volume_option_find("storage.owner-uid"), "-1", buf, sizeof(buf)), "-1");
	assert_string_equal(volume_option_plain(volume_option_find("cluster.min-free-disk"), "5%", buf, sizeof(buf)), "5%");
	assert_true(volume_option_is_live(volume_option_find("nfs.rpc-auth-allow")));
	assert_true(volume_option_is_live(volume_option_find("cluster.eager-lock")));
	assert_false(volume_option_is_live(volume_option_find("cluster.quorum-type")));
	assert_false(volume_option_is_live(volume_option_find("client.ssl")));
}

static void check_attach(const struct volume *v, const char *allow, const char *who)
{
	char *text = volume_attach_text(v);

	assert_string_equal(volume_option_effective(v, "auth.allow"), allow);
	assert_string_equal(text, who);
	free(text);
}

/* A volume that was made when bricks were open stays so until somebody decides. */
static void bricks_are_for_logins_unless_said(void **state)
{
	struct volume *v = volume_new("demo");

	check_attach(v, "*", "every address, as root");
	v->login_only = true;
	check_attach(v, "none", "daemons of this cluster");
	volume_set_option(v, "auth.allow", "192.0.2.7");
	check_attach(v, "192.0.2.7", "daemons of this cluster, and the addresses 192.0.2.7");
	volume_set_option(v, "auth.ssl-allow", "h1,h2");
	check_attach(v, "192.0.2.7", "daemons of this cluster, and the addresses 192.0.2.7; certificates of h1,h2");
	volume_free(v);
}

/* For roff: a minus that is one, no line that begins with a dot. */
static void put_roff(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", f);
		else
			fprintf(f, *text == '-' ? "\\-" : "%c", *text);
	}
}

static char *manual_entry(const struct volume_option_row *row)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs(".TP\n.B ", f);
	put_roff(f, row->name);
	fputc('\n', f);
	put_roff(f, volume_option_help(row));
	fputs(" (", f);
	put_roff(f, volume_option_type(row));
	fputs(*volume_option_default(row) ? "; default " : "", f);
	put_roff(f, volume_option_default(row));
	fputs(")\n", f);
	fclose(f);
	return text;
}

static void every_option_is_in_the_manual(void **state)
{
	const struct volume_option_row *row;
	char *page = test_calloc(1, PAGE_MAX), *entry;
	FILE *f = fopen(MANUAL, "r");
	unsigned missing = 0;

	assert_non_null(f);
	assert_true(fread(page, 1, PAGE_MAX - 1, f) > 0);
	fclose(f);
	for (row = volume_option_rows; row->name; row++) {
		entry = manual_entry(row);
		if (!strstr(page, entry) && ++missing)
			print_error("%s", entry);
		free(entry);
	}
	test_free(page);
	if (missing)
		fail_msg("these %u entries are not in %s, or not so", missing, MANUAL);
}

/* Every option of GlusterFS is known by name: it is taken, or there is a reason why not. */
static void every_stock_option_is_known(void **state)
{
	FILE *f = fopen(STOCK_OPTIONS, "r");
	unsigned unknown = 0, n = 0;
	char name[128];

	assert_non_null(f);
	for (; fscanf(f, "%127s", name) == 1; n++)
		if (!volume_option_find(name) && !volume_option_refused(name) && ++unknown)
			print_error("%s is not known\n", name);
	fclose(f);
	assert_true(n > 300);
	assert_int_equal(unknown, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole), cmocka_unit_test(of_ours_goes_where_the_translator_has_it),
		cmocka_unit_test(unknown_names_get_the_nearest), cmocka_unit_test(a_prefix_may_be_left_out),
		cmocka_unit_test(what_cannot_be_had_says_why), cmocka_unit_test(values_are_judged),
		cmocka_unit_test(what_holds_for_a_volume), cmocka_unit_test(types_in_words),
		cmocka_unit_test(bricks_are_for_logins_unless_said),
		cmocka_unit_test(every_option_is_in_the_manual), cmocka_unit_test(every_stock_option_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
