/* tests/unit/test_log.c: lines, levels, the limit per call site, reopening, quoting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/log.h"
#include "runtime/loop.h"

static char path[64];

static char *contents(const char *file)
{
	static char text[65536];
	int fd = open(file, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static int setup(void **state)
{
	int fd;

	strcpy(path, "/tmp/gatehouse-log-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return log_open("gatehouse-test", path, LOG_LEVEL_INFO);
}

static int teardown(void **state)
{
	unlink(path);
	return log_open("gatehouse-test", NULL, LOG_LEVEL_NOTICE);
}

static void test_line(void **state)
{
	char want[128];
	char *text;

	log_warning("brick went down", "brick=%s port=%d", "demo-client-0", 49152);
	log_debug("nobody sees this", "x=%d", 1);
	log_error("bare message");
	text = contents(path);
	assert_int_equal(lines(text), 2);
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[23], 'Z');
	snprintf(want, sizeof(want), "Z W gatehouse-test[%ld]: brick went down brick=demo-client-0 port=49152\n",
		 (long)getpid());
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "]: bare message\n"));
	assert_null(strstr(text, "nobody"));
}

static void test_one_event_one_line(void **state)
{
	static char huge[3000];

	memset(huge, 'h', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	log_error("odd", "value=%s", "a\nb\x1b");
	log_error("huge", "value=%s", huge);
	assert_int_equal(lines(contents(path)), 2);
	assert_non_null(strstr(contents(path), "odd value=a?b?\n"));
}

static void repeat(int n)
{
	while (n--)
		log_info("again", "n=%d", n);
}

static void coroutine_fn repeat_slowly(void *arg)
{
	repeat(25);
	co_sleep_ns(6000000000ull);
	repeat(1);
	loop_stop(loop_self());
}

static void test_limit(void **state)
{
	struct loop *loop = loop_new_sim(1);
	char *text;

	co_start(loop, repeat_slowly, NULL);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
	text = contents(path);
	assert_int_equal(lines(text), 11);
	assert_non_null(strstr(text, "again n=15\n"));
	assert_null(strstr(text, "again n=14\n"));
	assert_non_null(strstr(text, "again n=0 suppressed=15\n"));
	assert_non_null(strstr(text, "2027-01-15T08:00:07"));	/* a simulation logs its own time */
}

static void test_reopen(void **state)
{
	char rotated[80];

	log_info("before", "x=1");
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	assert_int_equal(rename(path, rotated), 0);
	assert_int_equal(log_reopen(), 0);
	log_info("after", "x=2");
	assert_non_null(strstr(contents(rotated), "before x=1"));
	assert_non_null(strstr(contents(path), "after x=2"));
	assert_int_equal(lines(contents(path)), 1);
	unlink(rotated);
	assert_true(log_open("x", "/nonexistent/dir/log", LOG_LEVEL_INFO) < 0);
	log_info("still here", "x=3");
	assert_non_null(strstr(contents(path), "still here"));
}

static void test_levels(void **state)
{
	enum log_level level;

	assert_true(log_level_parse("Debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("loud", &level));
	assert_true(log_enabled(LOG_LEVEL_INFO));
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
}

static void test_quote(void **state)
{
	char huge[1000];

	assert_string_equal(log_quote("plain"), "\"plain\"");
	assert_string_equal(log_quote("a\"b\\c\nd"), "\"a\\\"b\\\\c\\x0ad\"");
	assert_string_equal(log_quote(NULL), "(null)");
	memset(huge, 'q', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_true(strlen(log_quote(huge)) < 256);
	assert_non_null(strstr(log_quote(huge), "...\""));
	assert_string_not_equal(log_quote("one"), log_quote("two"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_line), T(test_one_event_one_line), T(test_limit), T(test_reopen), T(test_levels), T(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
