/* tests/unit/test_cli.c: the CLI's words: command lines to requests of the manager, and every refusal. */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mgmt/cli.h"
#include "runtime/log.h"

#define WORDS_MAX 32

/* "gatehouse" and the words of @line, which are split at blanks. */
static int parse(const char *line, struct cli_parsed *p, struct error *err)
{
	static char copy[1024];
	char *argv[WORDS_MAX] = { "gatehouse" }, *s;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (s = copy; *s;) {
		argv[argc++] = s;
		s += strcspn(s, " ");
		if (*s)
			*s++ = '\0';
	}
	err->text[0] = '\0';
	return cli_parse(argc, argv, p, err);
}

static void becomes(const char *line, const char *request)
{
	struct cli_parsed p;
	struct error err;
	json_t *wanted = json_loads(request, 0, NULL);
	char *got;

	assert_non_null(wanted);
	if (parse(line, &p, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	if (!json_equal(p.request, wanted)) {
		got = json_dumps(p.request, JSON_COMPACT);
		fail_msg("%s: %s, not %s", line, got, request);
	}
	json_decref(wanted);
	cli_parsed_free(&p);
}

static void refused(const char *line, const char *says)
{
	struct cli_parsed p;
	struct error err;

	if (parse(line, &p, &err) == 0)
		fail_msg("%s: not refused", line);
	if (!strstr(err.text, says))
		fail_msg("%s: \"%s\" does not say \"%s\"", line, err.text, says);
	assert_null(strchr(err.text, '\n'));
	cli_parsed_free(&p);
}

static void test_peers(void **state)
{
	becomes("peer probe node2", "{\"command\":\"peer-probe\",\"host\":\"node2\"}");
	becomes("peer probe [2001:db8::2]", "{\"command\":\"peer-probe\",\"host\":\"2001:db8::2\"}");
	becomes("peer probe 2001:db8::2", "{\"command\":\"peer-probe\",\"host\":\"2001:db8::2\"}");
	becomes("peer detach node2 force", "{\"command\":\"peer-detach\",\"host\":\"node2\",\"force\":true}");
	becomes("peer detach force", "{\"command\":\"peer-detach\",\"host\":\"force\"}");
	becomes("peer status", "{\"command\":\"peer-status\"}");
	becomes("pool list", "{\"command\":\"pool-list\"}");
	refused("peer probe", "HOST is missing; usage: gatehouse peer probe HOST");
	refused("peer probe node2 force", "\"force\" is not understood");
	becomes("peer probe node2 abcd-efgh-jkmn-pqrs",
		"{\"command\":\"peer-probe\",\"host\":\"node2\",\"word\":\"abcd-efgh-jkmn-pqrs\"}");
	becomes("peer join node1 abcdefghjkmnpqrs", "{\"command\":\"peer-join\",\"host\":\"node1\",\"word\":\"abcdefghjkmnpqrs\"}");
	becomes("peer invite", "{\"command\":\"peer-invite\"}");
	refused("peer join node1", "WORD is missing");
	refused("peer probe node2:/b", "no host");
	refused("peer probe [2001:db8::2", "no host");
	refused("peer status x", "\"x\" is not understood here; usage: gatehouse peer status");
}

static void test_create(void **state)
{
	becomes("volume create demo replica 2 h1:/b/1 h2:/b/1",
		"{\"command\":\"volume-create\",\"name\":\"demo\",\"replica\":2,\"bricks\":[\"h1:/b/1\",\"h2:/b/1\"]}");
	becomes("volume create demo h1:/b force",
		"{\"command\":\"volume-create\",\"name\":\"demo\",\"bricks\":[\"h1:/b\"],\"force\":true}");
	becomes("volume create demo transport tcp replica 3 arbiter 1 h1:/b h2:/b h3:/b",
		"{\"command\":\"volume-create\",\"name\":\"demo\",\"replica\":3,\"arbiter\":1,\"bricks\":[\"h1:/b\",\"h2:/b\",\"h3:/b\"]}");
	becomes("volume create demo replica 2 arbiter 1 transport tcp h1:/b h2:/b h3:/b",
		"{\"command\":\"volume-create\",\"name\":\"demo\",\"replica\":3,\"arbiter\":1,\"bricks\":[\"h1:/b\",\"h2:/b\",\"h3:/b\"]}");
	becomes("volume create demo [2001:db8::1]:/b 2001:db8::2:/b",
		"{\"command\":\"volume-create\",\"name\":\"demo\",\"bricks\":[\"[2001:db8::1]:/b\",\"[2001:db8::2]:/b\"]}");
	refused("volume create", "NAME is missing");
	refused("volume create demo", "HOST:DIR is missing");
	refused("volume create demo replica 2", "HOST:DIR is missing");
	refused("volume create demo force", "HOST:DIR is missing");
	refused("volume create h1:/b h2:/b", "the volume's name comes first");
	refused("volume create demo replica two h1:/b", "a number from 1 to 64, not \"two\"");
	refused("volume create demo replica -2 h1:/b", "a number from 1 to 64");
	refused("volume create demo replica 4294967298 h1:/b", "a number from 1 to 64");
	refused("volume create demo replica 4 arbiter 1 h1:/b", "replica 3 arbiter 1");
	refused("volume create demo arbiter 1 h1:/b", "replica 3 arbiter 1");
	refused("volume create demo replica 3 arbiter 2 h1:/b", "arbiter N is a number from 1 to 1");
	refused("volume create demo transport rdma h1:/b", "tcp");
	refused("volume create demo disperse 3 h1:/b", "GlusterFS's kind \"disperse\"");
	refused("volume create demo replcia 2 h1:/b", "did you mean \"replica\"?");
	refused("volume create demo h1:/b fore", "did you mean \"force\"?");
	refused("volume create demo h1:b", "no brick; write HOST:/DIRECTORY");
	refused("volume create demo /b", "no brick");
	refused("volume create demo :/b", "no brick");
	refused("volume create demo [2001:db8::1]:b", "no brick");
	refused("volume create demo [2001:db8::1]/b", "no brick");
}

static void test_volumes(void **state)
{
	becomes("volume start demo", "{\"command\":\"volume-start\",\"name\":\"demo\"}");
	becomes("volume start demo force", "{\"command\":\"volume-start\",\"name\":\"demo\",\"force\":true}");
	becomes("volume start force", "{\"command\":\"volume-start\",\"name\":\"force\"}");
	becomes("volume stop demo force", "{\"command\":\"volume-stop\",\"name\":\"demo\",\"force\":true}");
	becomes("volume delete demo", "{\"command\":\"volume-delete\",\"name\":\"demo\"}");
	becomes("volume list", "{\"command\":\"volume-list\"}");
	becomes("volume info", "{\"command\":\"volume-info\"}");
	becomes("volume info all", "{\"command\":\"volume-info\"}");
	becomes("volume info demo", "{\"command\":\"volume-info\",\"name\":\"demo\"}");
	becomes("volume status", "{\"command\":\"volume-status\"}");
	becomes("volume status all detail", "{\"command\":\"volume-status\",\"detail\":true}");
	becomes("volume status clients", "{\"command\":\"volume-status\",\"clients\":true}");
	becomes("volume status demo clients", "{\"command\":\"volume-status\",\"name\":\"demo\",\"clients\":true}");
	refused("volume start", "NAME is missing");
	refused("volume start demo forse", "did you mean \"force\"?");
	refused("volume delete demo force", "\"force\" is not understood here; usage: gatehouse volume delete NAME");
	refused("volume info demo extra", "\"extra\" is not understood");
	refused("volume status demo detial", "did you mean \"detail\"?");
	refused("volume status demo mem", "\"mem\" is not understood here; usage");
}

static void test_options(void **state)
{
	becomes("volume set demo a.b on", "{\"command\":\"volume-set\",\"name\":\"demo\",\"options\":[{\"name\":\"a.b\",\"value\":\"on\"}]}");
	becomes("volume set demo a.b on c.d -- --xml",
		"{\"command\":\"volume-set\",\"name\":\"demo\",\"options\":[{\"name\":\"a.b\",\"value\":\"on\"},"
		"{\"name\":\"c.d\",\"value\":\"--xml\"}]}");
	becomes("volume set demo help me", "{\"command\":\"volume-set\",\"name\":\"demo\",\"options\":[{\"name\":\"help\",\"value\":\"me\"}]}");
	becomes("volume set help", "{\"command\":\"volume-help\"}");
	becomes("volume get demo all", "{\"command\":\"volume-get\",\"name\":\"demo\",\"option\":\"all\"}");
	becomes("volume get demo a.b", "{\"command\":\"volume-get\",\"name\":\"demo\",\"option\":\"a.b\"}");
	becomes("volume reset demo", "{\"command\":\"volume-reset\",\"name\":\"demo\"}");
	becomes("volume reset demo all force", "{\"command\":\"volume-reset\",\"name\":\"demo\",\"force\":true}");
	becomes("volume reset demo a.b", "{\"command\":\"volume-reset\",\"name\":\"demo\",\"option\":\"a.b\"}");
	becomes("volume reset demo force", "{\"command\":\"volume-reset\",\"name\":\"demo\",\"force\":true}");
	refused("volume set demo", "KEY is missing");
	refused("volume set demo a.b", "VALUE is missing");
	refused("volume set demo a.b on c.d", "VALUE is missing");
	refused("volume get demo", "KEY (or \"all\") is missing");
	refused("volume reset demo a.b foce", "did you mean \"force\"?");
}

static void test_logs_and_exports(void **state)
{
	becomes("volume log demo", "{\"command\":\"volume-log\",\"name\":\"demo\",\"action\":\"show\"}");
	becomes("volume log demo show h:/b lines 5",
		"{\"command\":\"volume-log\",\"name\":\"demo\",\"action\":\"show\",\"brick\":\"h:/b\",\"lines\":5}");
	becomes("volume log demo rotate", "{\"command\":\"volume-log\",\"name\":\"demo\",\"action\":\"rotate\"}");
	becomes("volume log demo rotate h:/b", "{\"command\":\"volume-log\",\"name\":\"demo\",\"action\":\"rotate\",\"brick\":\"h:/b\"}");
	becomes("exports show", "{\"command\":\"exports-show\"}");
	becomes("exports show demo", "{\"command\":\"exports-show\",\"name\":\"demo\"}");
	becomes("exports test [2001:db8::7] /demo", "{\"command\":\"exports-test\",\"client\":\"2001:db8::7\",\"path\":\"/demo\"}");
	becomes("config check", "{\"command\":\"config-check\"}");
	becomes("version", "{\"command\":\"version\"}");
	becomes("tls init", "{\"hosts\":[]}");
	becomes("tls init h2 client gw1", "{\"hosts\":[\"h2\"],\"clients\":[\"gw1\"]}");
	becomes("tls init h2 into /x h3 directory /y", "{\"hosts\":[\"h2\",\"h3\"],\"into\":\"/x\",\"directory\":\"/y\"}");
	refused("volume log demo rotat", "did you mean \"rotate\"?");
	refused("volume log demo rotate lines 5", "\"lines\" is not understood");
	refused("volume log demo lines", "lines N is missing");
	refused("exports test /demo 192.0.2.1", "first comes the client");
	refused("exports test 192.0.2.1", "PATH is missing");
}

static void test_unknown_words(void **state)
{
	refused("", "a command is missing");
	refused("volume", "\"volume\" wants a word behind it; \"gatehouse volume help\"");
	refused("volume strat demo", "did you mean \"volume start\"?");
	refused("volumee list", "did you mean \"volume list\"?");
	refused("peers status", "did you mean \"peer status\"?");
	refused("volume heal demo", "of GlusterFS is not part of Gatehouse");
	refused("snapshot list", "of GlusterFS is not part of Gatehouse");
	refused("frobnicate all", "there is no command \"frobnicate all\"; \"gatehouse help\" lists them");
	refused("volume \xff list", "not written in UTF-8");
}

static void test_flags(void **state)
{
	struct cli_parsed p;
	struct error err;

	assert_int_equal(parse("--timeout 7 volume --xml info --mode=script demo --socket=/s", &p, &err), 0);
	assert_true(p.flags.xml && p.flags.script && !p.flags.json);
	assert_int_equal(p.flags.timeout_s, 7);
	assert_string_equal(p.flags.socket, "/s");
	assert_string_equal(p.command->words, "volume info");
	cli_parsed_free(&p);
	assert_int_equal(parse("volume list", &p, &err), 0);
	assert_string_equal(p.flags.socket, "/run/gatehouse/manager.sock");
	cli_parsed_free(&p);
	refused("volume list --jsn", "did you mean --json?");
	refused("volume list --frobnicate", "there is no flag --frobnicate");
	refused("volume list --json=yes", "--json takes no value");
	refused("volume list --timeout", "--timeout wants a value");
	refused("volume list --timeout=0", "from 1 to 86400");
	refused("volume list --timeout=5m", "from 1 to 86400");
	refused("volume list --mode=quiet", "--mode takes \"script\"");
	refused("volume list --json --xml", "exclude each other");
	refused("version --xml", "has no XML");
}

static void helps(const char *line, unsigned words)
{
	struct cli_parsed p;
	struct error err;

	assert_int_equal(parse(line, &p, &err), 0);
	assert_true(p.flags.help);
	assert_int_equal(p.nwords, words);
	cli_parsed_free(&p);
}

/* Words that people and scripts that know gluster type. */
static void test_gluster_habits(void **state)
{
	struct cli_parsed p;
	struct error err;

	becomes("v info", "{\"command\":\"volume-info\"}");
	becomes("vol status demo", "{\"command\":\"volume-status\",\"name\":\"demo\"}");
	becomes("po l", "{\"command\":\"pool-list\"}");
	becomes("vol set h cluster.quorum-type none", "{\"command\":\"volume-set\",\"name\":\"h\",\"options\":[{\"name\":"
		"\"cluster.quorum-type\",\"value\":\"none\"}]}");
	refused("vol sta demo", "no command \"vol sta\"");
	becomes("volume log rotate demo", "{\"command\":\"volume-log\",\"name\":\"demo\",\"action\":\"rotate\"}");
	becomes("volume log rotate rotate", "{\"command\":\"volume-log\",\"name\":\"rotate\",\"action\":\"rotate\"}");
	becomes("--log-level=ERROR --log-file /x --nolog --inet6 --wignore-partition volume list", "{\"command\":\"volume-list\"}");
	becomes("--remote-host=localhost volume list", "{\"command\":\"volume-list\"}");
	refused("--remote-host=elsewhere volume list", "run them on that host");
	becomes("--mode=script volume create demo replica 2 a:/b a:/c", "{\"command\":\"volume-create\",\"name\":\"demo\",\"replica\":2,"
		"\"bricks\":[\"a:/b\",\"a:/c\"],\"one_host\":true}");
	becomes("--wignore volume create demo a:/b", "{\"command\":\"volume-create\",\"name\":\"demo\",\"bricks\":[\"a:/b\"],"
		"\"one_host\":true}");
	assert_int_equal(parse("--print-logdir", &p, &err), 0);
	assert_string_equal(p.flags.print, "/var/log/gatehouse");
	cli_parsed_free(&p);
	assert_int_equal(parse("volume heal demo info --xml", &p, &err), -EINVAL);
	assert_true(p.flags.xml);
	cli_parsed_free(&p);
}

static void test_help(void **state)
{
	struct cli_out out = { NULL };
	char *text;
	size_t size;

	helps("help", 0);
	helps("--help", 0);
	helps("-h volume", 1);
	helps("volume help", 1);
	helps("help volume set", 2);
	helps("volume create help", 2);
	helps("volume create --help x", 3);
	out.f = open_memstream(&text, &size);
	assert_true(cli_help(&out, (const char *const[]){ "volume", "delete" }, 2));
	assert_false(cli_help(&out, (const char *const[]){ "volume", "del" }, 2));
	fclose(out.f);
	assert_string_equal(text, "usage:\n  volume delete NAME\n        forget it; the files in its bricks stay\n\n"
			    "\"gatehouse help\" lists all commands and flags; see gatehouse(8).\n");
	free(text);
}

/* What a row needs is there, and no line of help is longer than a terminal. */
static void test_table(void **state)
{
	const struct cli_command *c;

	for (c = cli_commands; c->words; c++) {
		assert_non_null(c->text);
		assert_true(!c->request == !!c->local);
		assert_true(*c->args == '\0' || c->make);
		assert_true(strlen(c->words) + strlen(c->args) < 79);
		assert_true(strlen(c->help) < 72);
		assert_false(c->xml_failed && !c->xml);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peers), cmocka_unit_test(test_create), cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_options), cmocka_unit_test(test_logs_and_exports), cmocka_unit_test(test_unknown_words),
		cmocka_unit_test(test_flags), cmocka_unit_test(test_gluster_habits), cmocka_unit_test(test_help), cmocka_unit_test(test_table),
	};

	log_open("test_cli", NULL, LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
