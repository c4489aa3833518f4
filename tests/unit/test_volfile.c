/* tests/unit/test_volfile.c: the volfile grammar and what it refuses, and graphs built from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "runtime/loop.h"
#include "xlators/graph.h"

static const char two[] =
	"# a comment\n"
	"volume a\n    type debug/io-stats-below\n    option key \"a value\\\"s\"\n    OPTION other x\nend-volume\n"
	"volume b\n    type debug/io-stats\n    subvolumes a\n    option late 1\nend-volume\n";

static struct volfile *parse(const char *text, struct error *err)
{
	err->text[0] = '\0';
	return volfile_parse(text, strlen(text), "t.vol", err);
}

static void reads_sections_and_options(void **state)
{
	struct error err;
	struct volfile *vf = parse(two, &err);

	assert_non_null(vf);
	assert_int_equal(volfile_count(vf), 2);
	assert_string_equal(volfile_name(vf, 0), "a");
	assert_string_equal(volfile_type(vf, 1), "debug/io-stats");
	assert_string_equal(volfile_option(vf, 0, "key"), "a value\"s");
	assert_string_equal(volfile_option(vf, 0, "other"), "x");
	assert_string_equal(volfile_option(vf, 1, "late"), "1");
	assert_null(volfile_option(vf, 1, "key"));
	volfile_free(vf);
}

static void refuses_with_file_line_and_expectation(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "", "t.vol:1: expected \"volume\", found the end of the file" },
		{ "volumes x\n", "t.vol:1: expected \"volume\", found \"volumes\"" },
		{ "volume a\ntype x/y\n", "t.vol:3: expected option, subvolumes or end-volume, found the end of the file" },
		{ "volume a\noption k v\nend-volume", "t.vol:2: expected \"type\", found \"option\"" },
		{ "volume a\ntype x/y\nsubvolumes nobody\nend-volume",
		  "t.vol:3: expected the name of a volume defined above, found \"nobody\"" },
		{ "volume a\ntype x/y\nsubvolumes a\nend-volume", "t.vol:3: expected the name of a volume defined above, found \"a\"" },
		{ "volume a\ntype x/y\nend-volume\nvolume a\n", "t.vol:4: a volume named \"a\" stands above already" },
		{ "volume a\ntype x/y\noption k `id`\nend-volume", "backquotes" },
		{ "volume a\ntype x/y\noption k \"open\nend-volume", "t.vol:3: this quote is never closed" },
		{ "volume a\ntype x/y\noption k a\"b\nend-volume", "double quotes" },
	};
	struct error err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(parse(bad[i].text, &err));
		if (!strstr(err.text, bad[i].says))
			fail_msg("case %zu says: %s", i, err.text);
	}
}

static void many_quotes_do_not_exhaust_memory(void **state)
{
	enum { N = 4000 };
	static char text[N * 40 + 100];
	struct volfile *vf;
	struct error err;
	size_t at = 0;
	int i;

	at += (size_t)snprintf(text, sizeof(text), "volume a\ntype x/y\n");
	for (i = 0; i < N; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "option k%d \"quoted value\"\n", i);
	snprintf(text + at, sizeof(text) - at, "end-volume\n");
	vf = parse(text, &err);
	if (!vf)
		fail_msg("%s", err.text);
	volfile_free(vf);
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "volume a\0b\ntype x/y\nend-volume\n";
	struct error err = { "" };

	assert_null(volfile_parse(text, sizeof(text) - 1, "t.vol", &err));
	assert_non_null(strstr(err.text, "NUL"));
}

struct attempt { const char *text; int ret; bool done; struct error err; };

static void coroutine_fn build(void *arg)
{
	struct attempt *a = arg;
	struct volfile *vf = volfile_parse(a->text, strlen(a->text), "g.vol", &a->err);
	struct graph_conf conf = { .loop = loop_self() };
	struct graph *graph = NULL;

	a->ret = vf ? graph_new(vf, &conf, &a->err, &graph) : -EINVAL;
	graph_free(graph);
	volfile_free(vf);
	a->done = true;
	loop_stop(loop_self());
}

static void graphs_refuse_what_they_cannot_serve(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "volume a\ntype nowhere/nothing\nend-volume", "g.vol:1: volume a: type \"nowhere/nothing\" is not served here" },
		{ "volume a\ntype features/shard\nend-volume", "features/shard\" is not served here" },
		{ "volume a\ntype debug/io-stats\nend-volume", "takes 1 to 1 subvolumes, not 0" },
		{ "volume a\ntype debug/io-stats\nsubvolumes\nend-volume", "expected the name of a volume" },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct loop *loop = loop_new(NULL);
		struct attempt a = { .text = bad[i].text };

		co_start(loop, build, &a);
		loop_run(loop);		/* a stop before the run counts */
		assert_true(a.done);
		loop_free(loop);
		assert_true(a.ret < 0);
		if (!strstr(a.err.text, bad[i].says))
			fail_msg("case %zu says: %s", i, a.err.text);
	}
}

/* What becomes of the first text's graph when the second comes. */
struct step { const char *now, *wanted; int ret; const char *says; };

#define CLIENT(more) "volume c\ntype protocol/client\noption remote-host h\noption remote-subvolume /b\n" more "end-volume\n"
#define TOP(type, more) "volume t\ntype " type "\n" more "subvolumes c\nend-volume\n"

static const struct step steps[] = {
	{ CLIENT(""), CLIENT(""), 0, "" },
	{ CLIENT("") TOP("features/utime", ""), CLIENT("") TOP("features/utime", "option noatime off\n"), 1, "" },
	{ CLIENT("") TOP("features/utime", "option noatime off\n"), CLIENT("") TOP("features/utime", ""), 1, "" },
	{ CLIENT("") TOP("features/utime", ""), CLIENT("") TOP("features/utime", "option noatime maybe\n"), -EINVAL,
	  "new.vol: volume t: option noatime: expected on or off" },
	{ CLIENT(""), CLIENT("option remote-port 7\n"), -EXDEV, "option \"remote-port\" of c is another one" },
	{ CLIENT(""), CLIENT("option nobody-knows it\n"), 0, "" },
	{ CLIENT("option username u\noption password p\n"), CLIENT(""), 0, "" },	/* not told to who asks from afar */
	{ CLIENT("option username u\n"), CLIENT("option username v\n"), -EXDEV, "username" },
	{ CLIENT("") TOP("performance/write-behind", ""), CLIENT("") TOP("performance/write-behind", "option cache-size 1MB\n"), 0, "" },
	{ CLIENT("") TOP("features/read-only", ""), CLIENT("") TOP("features/read-only", "option read-only on\n"), -EXDEV, "read-only" },
	{ CLIENT(""), CLIENT("") TOP("features/utime", ""), -EXDEV, "t is new" },
	{ CLIENT("") TOP("features/utime", ""), CLIENT(""), -EXDEV, "t is gone" },
	{ CLIENT("") TOP("features/utime", ""), CLIENT("") TOP("debug/trace", ""), -EXDEV, "t (debug/trace) stands where" },
};

static void coroutine_fn reconfigure_all(void *arg)
{
	struct graph_conf conf = { .loop = loop_self() };
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct step *s = &steps[i];
		struct error err = { "" };
		struct volfile *now = volfile_parse(s->now, strlen(s->now), "old.vol", &err);
		struct volfile *wanted = volfile_parse(s->wanted, strlen(s->wanted), "new.vol", &err);
		struct graph *graph = NULL;
		int ret;

		if (!now || !wanted || graph_new(now, &conf, &err, &graph) < 0)
			fail_msg("case %zu: %s", i, err.text);
		ret = graph_reconfigure(graph, now, wanted, &err);
		if (ret != s->ret || !strstr(err.text, s->says))
			fail_msg("case %zu returns %d and says: %s", i, ret, err.text);
		graph_free(graph);
		volfile_free(now);
		volfile_free(wanted);
	}
	loop_stop(loop_self());
}

static void graphs_go_from_one_volfile_to_the_next(void **state)
{
	struct loop *loop = loop_new(NULL);

	co_start(loop, reconfigure_all, NULL);
	loop_run(loop);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections_and_options),
		cmocka_unit_test(refuses_with_file_line_and_expectation),
		cmocka_unit_test(many_quotes_do_not_exhaust_memory),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(graphs_refuse_what_they_cannot_serve),
		cmocka_unit_test(graphs_go_from_one_volfile_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
