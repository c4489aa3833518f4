/* tests/unit/test_peer_names.c: names of peers, with a name server that is quick, silent or gone, on a simulated clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "gateway/peer_names.h"
#include "runtime/loop.h"

#define SECOND 1000000000ull

static struct loop *loop;
static struct peer_names *names;
static unsigned lookups, answered, unknown;
static uint64_t server_takes_ns, slowest_ns;
static int server_says;

static int coroutine_fn fake_lookup(const struct sockaddr *peer, char *ret_name, size_t size)
{
	int ret = server_says;

	lookups++;
	co_sleep_ns(server_takes_ns);
	snprintf(ret_name, size, "a.example.org");
	return ret;
}

static struct sockaddr_storage address(unsigned last)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(0xc0000200u + last);
	return ss;
}

static int coroutine_fn ask(unsigned last, const char **ret_name)
{
	struct sockaddr_storage ss = address(last);

	return peer_name(names, (struct sockaddr *)&ss, ret_name);
}

static void coroutine_fn ask_and_count(void *arg)
{
	uint64_t begun = loop_now_ns(loop);
	const char *name;
	int ret = ask((unsigned)(uintptr_t)arg, &name);

	answered++;
	unknown += ret == -EAGAIN;
	if (loop_now_ns(loop) - begun > slowest_ns)
		slowest_ns = loop_now_ns(loop) - begun;
}

static void run(co_entry *entry)
{
	lookups = answered = unknown = 0;
	slowest_ns = 0;
	loop = loop_new_sim(1);
	names = peer_names_new(fake_lookup);
	co_start(loop, entry, NULL);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

static void coroutine_fn finish(void)
{
	peer_names_free(names);
	co_sleep_ns(100 * SECOND);	/* look-ups that still run end */
	loop_stop(loop);
}

static void coroutine_fn one_address(void *arg)
{
	unsigned i;

	server_takes_ns = 60 * SECOND;
	server_says = -EAGAIN;
	for (i = 0; i < 500; i++)
		co_start(loop, ask_and_count, (void *)7);
	co_sleep_ns(SECOND / 10);
	assert_int_equal(lookups, 1);
	assert_int_equal(answered, 500 - 32);
	assert_int_equal(slowest_ns, 0);
	co_sleep_ns(2 * SECOND);
	assert_int_equal(answered, 500);
	assert_int_equal(unknown, 500);
	assert_true(slowest_ns <= PEER_NAMES_WAIT_NS + SECOND / 10);
	finish();
}

static void one_lookup_an_address(void **state)
{
	run(one_address);
}

static void coroutine_fn many_addresses(void *arg)
{
	const char *name;
	unsigned i;

	server_takes_ns = 60 * SECOND;
	server_says = -EAGAIN;
	for (i = 0; i < 200; i++)
		co_start(loop, ask_and_count, (void *)(uintptr_t)i);
	co_sleep_ns(3 * SECOND);
	assert_int_equal(lookups, 32);
	assert_int_equal(answered, 200);
	co_sleep_ns(60 * SECOND);
	server_takes_ns = 0;
	server_says = 0;
	assert_int_equal(ask(199, &name), 0);
	assert_string_equal(name, "a.example.org");
	finish();
}

static void lookups_are_bounded(void **state)
{
	run(many_addresses);
}

static void coroutine_fn remembering(void *arg)
{
	const char *name;

	server_takes_ns = 0;
	server_says = -ENOENT;
	assert_int_equal(ask(1, &name), 0);
	assert_null(name);
	server_says = 0;
	assert_int_equal(ask(1, &name), 0);	/* that it has none is remembered */
	assert_null(name);
	assert_int_equal(lookups, 1);
	co_sleep_ns(31 * SECOND);
	ask(1, &name);				/* what was known, while it is asked for again */
	co_sleep_ns(SECOND);
	assert_int_equal(ask(1, &name), 0);
	assert_string_equal(name, "a.example.org");
	server_says = -EAGAIN;			/* a name server that is silent takes no known name away, */
	server_takes_ns = 10 * SECOND;
	co_sleep_ns(61 * SECOND);
	assert_int_equal(ask(1, &name), 0);
	assert_string_equal(name, "a.example.org");
	co_sleep_ns(11 * SECOND);
	assert_int_equal(ask(1, &name), 0);
	assert_non_null(name);
	co_sleep_ns(3700 * SECOND);		/* not for ever */
	ask(1, &name);
	co_sleep_ns(11 * SECOND);
	assert_int_equal(ask(1, &name), -EAGAIN);
	finish();
}

static void answers_are_remembered(void **state)
{
	run(remembering);
}

static void export_names_survive_a_reload(void **state)
{
	const char text[] = "/demo host.example.org other.example.org\n";
	struct export_set *old, *set;
	struct error err = { "" };

	assert_int_equal(exports_parse(text, strlen(text), "exports", "demo", &old, &err), 0);
	assert_int_equal(exports_parse(text, strlen(text), "exports", "demo", &set, &err), 0);
	old->exports[0].clients[0].resolved = calloc(2, 16);
	old->exports[0].clients[0].nresolved = 2;
	export_set_inherit(set, old);
	assert_int_equal(set->exports[0].clients[0].nresolved, 2);
	assert_int_equal(set->exports[0].clients[1].nresolved, 0);
	export_set_unref(old);
	export_set_unref(set);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lookup_an_address),
		cmocka_unit_test(lookups_are_bounded),
		cmocka_unit_test(answers_are_remembered),
		cmocka_unit_test(export_names_survive_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
