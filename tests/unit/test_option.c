/* tests/unit/test_option.c: option tables, and the sentences of runtime/error.h they produce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "runtime/option.h"

struct conf {
	bool on;
	int64_t number;
	uint64_t size, time;
	char *text, *needed;
	int kind;
};

static const char *const kinds[] = { "auto", "fixed", "none", NULL };

static const struct option table[] = {
	OPT_BOOL("eager-lock", struct conf, on, "on", OPT_LIVE, "keep the lock while nobody wants it"),
	OPT_INT("quorum-count", struct conf, number, "2", -1, 64, 0, "copies that must be there"),
	OPT_SIZE("cache-size", struct conf, size, "32MiB", 1 << 20, 1ll << 40, OPT_LIVE, "memory for cached pages"),
	OPT_TIME_MS("ping-timeout", struct conf, time, "42", 1, 3600000, 0, "silence that ends a connection"),
	OPT_STR("remote-host", struct conf, text, "localhost", 0, "where the brick is"),
	OPT_STR("volume-id", struct conf, needed, NULL, OPT_REQUIRED, "the volume"),
	OPT_ENUM("quorum-type", struct conf, kind, "auto", kinds, 0, "how many copies make a quorum"),
	OPT_END
};

static struct conf c;
static struct error err;

static int set(const char *name, const char *value)
{
	memset(&err, 0, sizeof(err));
	return option_set(table, &c, name, value, &err);
}

static int setup(void **state)
{
	memset(&c, 0xee, sizeof(c));
	options_init(table, &c);
	return 0;
}

static int teardown(void **state)
{
	options_free(table, &c);
	return c.text || c.needed;
}

static void test_defaults(void **state)
{
	assert_true(c.on);
	assert_int_equal(c.number, 2);
	assert_int_equal(c.size, 32 << 20);
	assert_int_equal(c.time, 42000);
	assert_string_equal(c.text, "localhost");
	assert_null(c.needed);
	assert_int_equal(c.kind, 0);
}

static void test_booleans(void **state)
{
	static const char *const on[] = { "on", "YES", "true", "enable", "1" };
	static const char *const off[] = { "off", "no", "False", "disable", "0" };
	int i;

	for (i = 0; i < 5; i++) {
		assert_int_equal(set("eager-lock", on[i]), 0);
		assert_true(c.on);
		assert_int_equal(set("eager-lock", off[i]), 0);
		assert_false(c.on);
	}
	assert_int_equal(set("eager-lock", "maybe"), -EINVAL);
	assert_string_equal(err.text, "option eager-lock: expected on or off, got \"maybe\"");
}

static void test_sizes(void **state)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "1048576", 1 << 20 }, { "1048576B", 1 << 20 }, { "2048KB", 2 << 20 }, { "1.5MB", 3 << 19 },
		{ "7GiB", 7ull << 30 },
		{ "1tb", 1ull << 40 }, { "64 MB", 64 << 20 }, { "2m", 2 << 20 },
	};
	static const struct { const char *text; int ret; } bad[] = {
		{ "", -EINVAL }, { "MB", -EINVAL }, { "-1MB", -EINVAL }, { "1XB", -EINVAL }, { "1MB x", -EINVAL },
		{ " 1MB", -EINVAL },
		{ "1KB", -ERANGE }, { "2TB", -ERANGE }, { "99999999999999999999", -ERANGE },
		{ "18446744073709551615TB", -ERANGE },
	};
	unsigned i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(set("cache-size", good[i].text), 0);
		assert_int_equal(c.size, good[i].bytes);
	}
	assert_int_equal(set("cache-size", "3MB"), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(set("cache-size", bad[i].text), bad[i].ret);
	assert_int_equal(c.size, 3 << 20);	/* refused values leave the old one */
	assert_string_equal(err.text,
			    "option cache-size: expected a size from 1MiB to 1TiB, got \"18446744073709551615TB\"");
}

static void test_times(void **state)
{
	assert_int_equal(set("ping-timeout", "250ms"), 0);
	assert_int_equal(c.time, 250);
	assert_int_equal(set("ping-timeout", "2min"), 0);
	assert_int_equal(c.time, 120000);
	assert_int_equal(set("ping-timeout", "0.5s"), 0);
	assert_int_equal(c.time, 500);
	assert_int_equal(set("ping-timeout", "0"), -ERANGE);
	assert_int_equal(set("ping-timeout", "2h"), -ERANGE);
	assert_string_equal(err.text, "option ping-timeout: expected a time from 1ms to 3600s, got \"2h\"");
}

static void test_numbers_words_and_texts(void **state)
{
	assert_int_equal(set("quorum-count", "-1"), 0);
	assert_int_equal(c.number, -1);
	assert_int_equal(set("quorum-count", "65"), -ERANGE);
	assert_int_equal(set("quorum-count", "1x"), -EINVAL);
	assert_int_equal(set("quorum-count", ""), -EINVAL);
	assert_int_equal(set("quorum-count", "9999999999999999999999"), -ERANGE);
	assert_int_equal(set("quorum-type", "none"), 0);
	assert_int_equal(c.kind, 2);
	assert_int_equal(set("quorum-type", "all"), -EINVAL);
	assert_string_equal(err.text, "option quorum-type: expected one of auto, fixed, none, got \"all\"");
	assert_int_equal(set("remote-host", "a"), 0);
	assert_int_equal(set("remote-host", "b c"), 0);
	assert_string_equal(c.text, "b c");
}

static void test_unknown_names(void **state)
{
	assert_int_equal(set("cach-size", "1"), -ENOENT);
	assert_string_equal(err.text, "no option \"cach-size\"; did you mean \"cache-size\"?");
	assert_int_equal(set("utterly-different", "1"), -ENOENT);
	assert_string_equal(err.text, "no option \"utterly-different\"");
	assert_int_equal(option_set(table, &c, "x", "1", NULL), -ENOENT);
	assert_null(option_find(table, "x"));
	assert_string_equal(option_find(table, "volume-id")->help, "the volume");
}

static void test_required(void **state)
{
	memset(&err, 0, sizeof(err));
	assert_int_equal(options_check(table, &c, &err), -EINVAL);
	assert_string_equal(err.text, "option volume-id is required: the volume");
	assert_int_equal(set("volume-id", "v"), 0);
	assert_int_equal(options_check(table, &c, &err), 0);
}

static void test_command_line(void **state)
{
	char *argv[] = { "prog", "--eager-lock", "--cache-size=2MB", "--remote-host", "h1", "brick", "--quorum-count=3",
			 NULL };
	char *dashes[] = { "prog", "--eager-lock=off", "--", "--cache-size=4MB", NULL };
	char *lacking[] = { "prog", "--cache-size", NULL };
	char *wrong[] = { "prog", "--cache-sice=1MB", NULL };

	c.on = false;
	assert_int_equal(options_argv(table, &c, 7, argv, &err), 5);
	assert_true(c.on);
	assert_int_equal(c.size, 2 << 20);
	assert_string_equal(c.text, "h1");
	assert_int_equal(c.number, 2);
	assert_int_equal(options_argv(table, &c, 4, dashes, &err), 3);
	assert_false(c.on);
	assert_int_equal(c.size, 2 << 20);
	memset(&err, 0, sizeof(err));
	assert_int_equal(options_argv(table, &c, 2, lacking, &err), -EINVAL);
	assert_string_equal(err.text, "option --cache-size needs a value");
	memset(&err, 0, sizeof(err));
	assert_int_equal(options_argv(table, &c, 2, wrong, &err), -ENOENT);
	assert_string_equal(err.text, "no option \"cache-sice\"; did you mean \"cache-size\"?");
	assert_int_equal(options_argv(table, &c, 1, argv, &err), 1);
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	options_help(table, f);
	fclose(f);
	assert_non_null(strstr(text, "  --cache-size=SIZE                 memory for cached pages [32MiB]\n"));
	assert_non_null(strstr(text, "--quorum-type=auto|fixed|none"));
	assert_non_null(strstr(text, "--volume-id=TEXT                  the volume [required]\n"));
	free(text);
}

/* --- error.h --- */

static void test_error(void **state)
{
	struct error e = { "" };
	char longest[600];

	assert_int_equal(error_set(NULL, -EIO, "x"), -EIO);
	error_prefix(NULL, "x");
	error_prefix(&e, "nothing to precede");
	assert_string_equal(e.text, "");
	assert_int_equal(error_set(&e, -EINVAL, "line %d", 3), -EINVAL);
	assert_int_equal(error_set(&e, -EIO, "later"), -EIO);
	error_prefix(&e, "file %s", "f");
	assert_string_equal(e.text, "file f: line 3");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	error_prefix(&e, "%s", longest);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	error_prefix(&e, "p");
	assert_memory_equal(e.text, "p: aaa", 6);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_defaults), T(test_booleans), T(test_sizes), T(test_times), T(test_numbers_words_and_texts),
		T(test_unknown_names), T(test_required), T(test_command_line), T(test_help),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
