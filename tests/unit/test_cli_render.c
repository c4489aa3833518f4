/* tests/unit/test_cli_render.c: the manager's answers as the CLI shows them, held against texts that were read by people, and answers that are
 * not what they should be.
 *
 * cli/answers/NAME.json becomes cli/golden/NAME.txt; with CLI_GOLDEN_WRITE in the environment the latter are written instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mgmt/cli.h"
#include "runtime/file.h"

#define WORDS_MAX 16

static const char *const golden[][2] = {	/* the command line, and whose answer */
	{ "volume info", "info" }, { "volume info", "info-none" }, { "volume info nosuch", "info-unknown" }, { "volume list", "list" },
	{ "volume list", "list-none" }, { "volume status demo", "status" }, { "volume status demo", "status-down" },
	{ "volume status", "status-unknown" }, { "volume status demo detail", "status-detail" },
	{ "volume status demo clients", "status-clients" }, { "volume status demo", "status-not-started" },
	{ "peer status", "peer-status" }, { "peer status", "peer-status-down" }, { "peer status", "peer-none" },
	{ "pool list", "pool-list" }, { "pool list", "pool-list-down" }, { "volume create demo h:/b", "create" },
	{ "volume create demo h:/b", "create-again" }, { "volume start demo", "start-partly" }, { "volume get demo all", "get-all" },
	{ "volume set help", "help" }, { "volume reset demo", "reset" }, { "volume log demo", "log" },
	{ "volume log demo", "log-none" },
	{ "volume log demo rotate", "log-rotate" }, { "exports show", "exports-show" }, { "exports show", "exports-none" },
	{ "exports test 192.0.2.7 /demo", "exports-test" }, { "exports test 203.0.113.9 /demo", "exports-test-no" },
	{ "config check", "config-check" }, { "config check", "config-check-bad" }, { "version", "version" }, { NULL, NULL }
};

static int split(const char *line, char copy[256], char **argv)
{
	int argc = 1;
	char *s;

	snprintf(copy, 256, "%s", line);
	for (s = copy; *s;) {
		argv[argc++] = s;
		s += strcspn(s, " ");
		if (*s)
			*s++ = '\0';
	}
	return argc;
}

/* What the terminal would show, all in one text, and the exit status. */
static char *shown(const char *line, const json_t *answer, bool color, enum cli_exit *ret_exit)
{
	char *argv[WORDS_MAX] = { "gatehouse" }, copy[256], *text;
	struct cli_out out = { NULL, color, color };
	struct error err = { "" };
	struct cli_parsed p;
	size_t size;

	if (cli_parse(split(line, copy, argv), argv, &p, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	out.f = open_memstream(&text, &size);
	*ret_exit = cli_render(&p, answer, &out, &out);
	fclose(out.f);
	cli_parsed_free(&p);
	return text;
}

static json_t *answer_of(const char *name)
{
	struct error err = { "" };
	json_t *answer = NULL;
	char path[512], *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/answers/%s.json", CLI_FIXTURES, name);
	assert_int_equal(file_read(path, CLI_TEXT_MAX, &text, &len), 0);
	if (cli_answer_parse(text, len, &answer, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	free(text);
	return answer;
}

static void compare(const char *line, const char *name)
{
	json_t *answer = answer_of(name);
	enum cli_exit status;
	char path[512], *got = shown(line, answer, false, &status), *wanted;
	size_t len;

	snprintf(path, sizeof(path), "%s/golden/%s.txt", CLI_FIXTURES, name);
	if (getenv("CLI_GOLDEN_WRITE")) {
		assert_int_equal(file_replace(path, got, strlen(got), 0644), 0);
	} else {
		assert_int_equal(file_read(path, CLI_TEXT_MAX, &wanted, &len), 0);
		assert_string_equal(got, wanted);
		free(wanted);
	}
	free(got);
	json_decref(answer);
}

static void test_golden(void **state)
{
	unsigned i;

	for (i = 0; golden[i][0]; i++)
		compare(golden[i][0], golden[i][1]);
}

static void exits(const char *line, const char *name, enum cli_exit wanted)
{
	json_t *answer = answer_of(name);
	enum cli_exit status;

	free(shown(line, answer, false, &status));
	assert_int_equal(status, wanted);
	json_decref(answer);
}

static void test_exit_status(void **state)
{
	exits("volume info", "info", CLI_OK);
	exits("volume info", "info-unknown", CLI_FAILED);
	exits("exports test 192.0.2.7 /demo", "exports-test", CLI_OK);
	exits("exports test 192.0.2.7 /demo", "exports-test-no", CLI_FAILED);
	exits("exports test 192.0.2.7 /demo --json", "exports-test-no", CLI_FAILED);
	exits("config check", "config-check", CLI_OK);
	exits("config check", "config-check-bad", CLI_FAILED);
	exits("volume status", "status-unknown", CLI_OK);
}

/* Text that is not coloured is the same as text that is, without its colours. */
static void test_color(void **state)
{
	json_t *answer = answer_of("status-unknown");
	enum cli_exit status;
	char *plain = shown("volume status", answer, false, &status), *color = shown("volume status", answer, true, &status);
	char *from, *to;

	assert_non_null(strstr(color, "\033[32mY\033[0m"));
	assert_non_null(strstr(color, "\033[33m?\033[0m"));
	assert_null(strchr(plain, '\033'));
	for (from = to = color; *from;) {
		if (*from == '\033')
			from += strcspn(from, "m") + 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	assert_string_equal(plain, color);
	free(plain);
	free(color);
	json_decref(answer);
}

/* --- answers that are not what they should be ------------------------------------------------------------------- */

static void unreadable(const char *text, size_t len)
{
	struct error err = { "" };
	json_t *answer = NULL;

	assert_true(cli_answer_parse(text, len, &answer, &err) < 0);
	assert_null(answer);
	assert_non_null(strstr(err.text, "is not understood"));
}

static void test_unreadable(void **state)
{
	char *deep = malloc(1 << 20);

	memset(deep, '[', 1 << 20);
	unreadable(deep, 1 << 20);
	free(deep);
	unreadable("", 0);
	unreadable("{}", 2);
	unreadable("[]", 2);
	unreadable("hello", 5);
	unreadable("{\"status\":\"0\"}", 14);
	unreadable("{\"status\":0", 11);
	unreadable("{\"status\":0,\"x\":\"\xff\"}", 20);
	unreadable("{\"status\":0,\"x\":\"\\u0000\"}", 25);
	unreadable("{\"status\":99999999999999999999}", 31);
}

static bool has_xml(const char *line)
{
	char copy[256], *argv[WORDS_MAX] = { "gatehouse" };
	unsigned used;
	int argc = split(line, copy, argv);

	return cli_find((const char *const *)argv + 1, (unsigned)argc - 1, &used)->xml;
}

static void show_all_ways(const char *line, const json_t *answer)
{
	static const char *const ways[] = { "", " --json", " --xml" };
	enum cli_exit status;
	char words[256], *text;
	const char *s;
	unsigned i;

	for (i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "%s%s", line, ways[i]);
		if (i == 2 && !has_xml(line))
			continue;
		text = shown(words, answer, false, &status);
		for (s = text; *s; s++)
			if ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t')
				fail_msg("%s: a control character got through: %s", words, text);
		free(text);
	}
}

/* Every value of every answer is replaced, one at a time, by values of other types and by text that would harm a terminal. */
static const char *const nasty[] = {
	"null", "true", "-1", "9223372036854775807", "1.5", "\"\"", "[]", "{}", "[null, 1, \"x\", {}, []]",
	"\"\\u001b[2J\\u009b31m\\r\\n\\u202e\\u0007\\u007f%s%n<&>\\\"'\"", NULL
};

static void spoil_each(const char *line, json_t *answer, json_t *in);

static void spoil_one(const char *line, json_t *answer, json_t *in, const char *key, size_t index)
{
	json_t *old = json_incref(key ? json_object_get(in, key) : json_array_get(in, index));
	json_t *bad;
	unsigned i;

	for (i = 0; nasty[i]; i++) {
		bad = json_loads(nasty[i], JSON_DECODE_ANY, NULL);
		assert_non_null(bad);
		if (key)
			json_object_set_new(in, key, bad);
		else
			json_array_set_new(in, index, bad);
		show_all_ways(line, answer);
	}
	if (key)
		json_object_set(in, key, old);
	else
		json_array_set(in, index, old);
	spoil_each(line, answer, old);
	json_decref(old);
}

static void spoil_each(const char *line, json_t *answer, json_t *in)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(in))
		json_object_foreach(in, key, value)
			spoil_one(line, answer, in, key, 0);
	for (i = 0; json_is_array(in) && i < json_array_size(in) && i < 3; i++)
		spoil_one(line, answer, in, NULL, i);
}

static void test_hostile(void **state)
{
	json_t *answer;
	unsigned i;

	for (i = 0; golden[i][0]; i++) {
		answer = answer_of(golden[i][1]);
		spoil_each(golden[i][0], answer, answer);
		json_decref(answer);
	}
}

static void prints(const char *text, const char *wanted)
{
	char *got = printable(text, false);

	assert_string_equal(got, wanted);
	free(got);
}

static void test_printable(void **state)
{
	prints("node1:/srv/b 1", "node1:/srv/b 1");
	prints("K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x90\x9f", "K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x90\x9f");
	prints("\033[31mred\033[0m\r\n\t", "\\x1b[31mred\\x1b[0m\\x0d\\n\\t");
	prints("\xc2\x9b" "31m\x7f", "\\x9b31m\\x7f");
	prints("a\xe2\x80\xae" "b\xe2\x80\x8b", "a\\u202eb\\u200b");
	prints("\xff\xc3", "\\xff\\xc3");
	prints("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80");
}

/* A promise that is not kept is no empty list. */
static void test_lacking(void **state)
{
	json_t *answer = json_loads("{\"status\":0,\"result\":{\"volumes\":7}}", 0, NULL);
	enum cli_exit status;
	char *text = shown("volume list", answer, false, &status);

	assert_int_equal(status, CLI_FAILED);
	assert_non_null(strstr(text, "volume list: failed: the manager's answer lacks"));
	free(text);
	text = shown("volume list --json", answer, false, &status);
	assert_int_equal(status, CLI_FAILED);
	assert_non_null(strstr(text, "\"error\": "));
	free(text);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_exit_status), cmocka_unit_test(test_color),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_hostile), cmocka_unit_test(test_printable),
		cmocka_unit_test(test_lacking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
