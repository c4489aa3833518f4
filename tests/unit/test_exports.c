/* tests/unit/test_exports.c: nfs.* options as lines of exports(5), which the gateway's own parser reads again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/options.h"
#include "mgmt/volfiles.h"

#define OPTIONS_MAX 4

struct option_set { const char *name, *value; };

static const struct { struct option_set set[OPTIONS_MAX]; const char *lines; } cases[] = {
	{ { { NULL } }, "/demo *(rw)\n" },
	{ { { "nfs.disable", "on" } }, "" },
	{ { { "nfs.rpc-auth-allow", "none" } }, "" },
	{ { { "nfs.rpc-auth-allow", "192.0.2.*, host.example.org,2001:db8::/32" } },
	  "/demo 192.0.2.0/24(rw) host.example.org(rw) 2001:db8::/32(rw)\n" },
	{ { { "nfs.volume-access", "read-only" }, { "nfs.trusted-sync", "on" }, { "nfs.ports-insecure", "on" }, { "nfs.enable-ino32", "on" } },
	  "/demo *(ro,async,insecure,ino32)\n" },
	{ { { "nfs.root-squash", "off" }, { "nfs.all-squash", "on" }, { "nfs.anonuid", "1000" }, { "nfs.anongid", "100" } },
	  "/demo *(rw,no_root_squash,all_squash,anonuid=1000,anongid=100)\n" },
	{ { { "nfs.volume-access", "Read-Only" }, { "nfs.anonuid", "+007" } }, "/demo *(ro,anonuid=7)\n" },
	{ { { "nfs.rpc-auth-reject", "192.0.2.9" } }, "/demo 192.0.2.9(noaccess) *(rw)\n" },
	{ { { "nfs.export-dir", "/d1(192.0.2.0/24|host),/d 2" }, { "nfs.rpc-auth-reject", "bad.example.org" } },
	  "/demo bad.example.org(noaccess) *(rw)\n"
	  "/demo/d1 bad.example.org(noaccess) 192.0.2.0/24(rw) host(rw)\n"
	  "/demo/d\\0402 bad.example.org(noaccess) *(rw)\n" },
	{ { { "nfs.export-dir", "/a,/b" }, { "nfs.export-volumes", "off" } }, "/demo/a *(rw)\n/demo/b *(rw)\n" },
	{ { { "nfs.export-dir", "/a" }, { "nfs.export-dirs", "off" } }, "/demo *(rw)\n" },
	{ { { "nfs.export-dir", "/a\"b\\c#" }, { "nfs.export-volumes", "off" } }, "/demo/a\\042b\\134c\\043 *(rw)\n" },
	{ { { "nfs.exports", "192.0.2.0/24(rw,no_root_squash) *(ro)" }, { "nfs.volume-access", "read-only" }, { "nfs.rpc-auth-allow", "none" } },
	  "/demo 192.0.2.0/24(rw,no_root_squash) *(ro)\n" },
	{ { { "nfs.exports", "*(ro)" }, { "nfs.enable-ino32", "on" } }, "/demo -ino32 *(ro)\n" },
};

static void options_become_lines(void **state)
{
	struct error err = { "" };
	struct volume *v;
	unsigned i, n;
	char *text;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = volume_new("demo");
		for (n = 0; n < OPTIONS_MAX && cases[i].set[n].name; n++) {
			if (volume_option_check(cases[i].set[n].name, cases[i].set[n].value, &err) < 0)
				fail_msg("case %u: %s", i, err.text);
			volume_set_option(v, cases[i].set[n].name, cases[i].set[n].value);
		}
		text = exports_for_volume(v);
		assert_string_equal(text, cases[i].lines);
		free(text);
		volume_free(v);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(options_become_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
