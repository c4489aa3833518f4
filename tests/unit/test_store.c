/* tests/unit/test_store.c: the mirror, and the store of one host: what lasts, what is refused, what a crash may leave. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "mgmt/store.h"
#include "runtime/loop.h"

static char dir[64], url[80];
static char heard[4096];		/* keys that changed, one after the other */
static struct store *store;
static struct loop *loop;

static void on_changed(void *user, const char *key)
{
	assert_non_null(store);		/* set before anything is told */
	strncat(heard, key, sizeof(heard) - strlen(heard) - 2);
	strcat(heard, " ");
}

static int coroutine_fn open_store(void)
{
	struct store_conf conf = { .loop = loop, .url = url, .changed = on_changed };
	struct error err = { "" };
	int ret = store_open(&conf, &err, &store);

	if (ret < 0)
		assert_true(err.text[0]);
	return ret;
}

static void coroutine_fn close_store(void)
{
	store_close(store);
	store = NULL;
}

static int coroutine_fn put(const char *key, const char *text, uint64_t expected)
{
	struct error err = { "" };

	return store_put(store, key, text, strlen(text), expected, &err);
}

static bool is(const char *key, const char *text)
{
	const struct store_doc *doc = store_get(store, key);

	return doc && doc->len == strlen(text) && strcmp(doc->text, text) == 0;
}

static void coroutine_fn body_lasts(void *arg)
{
	uint64_t revision;
	struct error err = { "" };

	assert_int_equal(open_store(), 0);
	assert_true(store_is_loaded(store));
	assert_false(store_is_shared(store));
	assert_int_equal(put("volumes/b", "one", 0), 0);
	assert_int_equal(put("volumes/a", "two", 0), 0);
	assert_string_equal(heard, "volumes/b volumes/a ");
	assert_int_equal(put("volumes/a", "three", 0), -EEXIST);
	revision = store_get(store, "volumes/a")->revision;
	assert_int_equal(put("volumes/a", "three", revision + 100), -ESTALE);
	assert_int_equal(put("volumes/a", "three", revision), 0);
	assert_int_equal(put("volumes/a", "four", revision), -ESTALE);
	assert_true(is("volumes/a", "three"));
	assert_int_equal(store_delete(store, "volumes/b", 99999, &err), -ESTALE);
	assert_int_equal(store_announce(store, "status/x", "{}", 2, 5, false, &err), 0);
	assert_true(is("status/x", "{}"));
	close_store();

	assert_int_equal(open_store(), 0);
	assert_true(is("volumes/a", "three"));
	assert_true(is("volumes/b", "one"));
	assert_null(store_get(store, "status/x"));	/* what was announced went with us */
	assert_int_equal(store_delete(store, "volumes/b", store_get(store, "volumes/b")->revision, &err), 0);
	assert_null(store_get(store, "volumes/b"));
	assert_int_equal(store_delete(store, "volumes/b", 1, &err), -ESTALE);
	close_store();
	loop_stop(loop);
}

static void coroutine_fn body_names(void *arg)
{
	static const char *const bad[] = { "volumes/../x", "volumes/", "volumes", "/etc/x", "volumes/a/b", "../x/y", "volumes/.x" };
	struct stat st;
	char path[128];
	unsigned i;

	assert_int_equal(open_store(), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(put(bad[i], "x", 0), -EINVAL);
	assert_int_equal(put("volumes/secret", "x", 0), 0);
	snprintf(path, sizeof(path), "%s/volumes/secret.xml", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close_store();
	loop_stop(loop);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/volumes/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* What a crash, an editor or a full disk may leave beside documents is no document, and hurts nothing. */
static void coroutine_fn body_rubbish(void *arg)
{
	char path[256], *big = malloc(STORE_DOCUMENT_MAX + 2);

	memset(big, 'x', STORE_DOCUMENT_MAX + 1);
	big[STORE_DOCUMENT_MAX + 1] = 0;
	assert_int_equal(open_store(), 0);
	assert_int_equal(put("volumes/good", "good", 0), 0);
	assert_int_equal(put("volumes/big", big, 0), -E2BIG);
	close_store();
	write_file("good.xml.tmp", "half");
	write_file(".hidden.xml", "x");
	write_file("note.txt", "x");
	write_file("huge.xml", big);
	snprintf(path, sizeof(path), "%s/volumes/dir.xml", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_store(), 0);
	assert_true(is("volumes/good", "good"));
	assert_null(store_get(store, "volumes/huge"));
	assert_null(store_get(store, "volumes/dir"));
	assert_null(store_get(store, "volumes/.hidden"));
	close_store();
	free(big);
	loop_stop(loop);
}

static void collect(void *arg, const struct store_doc *doc)
{
	strcat(arg, doc->key);
	strcat(arg, " ");
}

static void coroutine_fn body_mirror(void *arg)
{
	char list[128] = "";

	assert_int_equal(open_store(), 0);
	store_mirror(store, "hosts/2", "b", 1, 10);
	store_mirror(store, "hosts/1", "a", 1, 11);
	store_mirror(store, "hostsx", "c", 1, 12);
	store_each(store, "hosts/", collect, list);
	assert_string_equal(list, "hosts/1 hosts/2 ");
	heard[0] = 0;
	store_mirror(store, "hosts/1", "older", 5, 9);	/* late news is no news */
	assert_true(is("hosts/1", "a"));
	assert_string_equal(heard, "");
	store_mirror_begin(store);
	store_mirror(store, "hosts/2", "b", 1, 10);
	store_mirror_end(store);
	assert_null(store_get(store, "hosts/1"));
	assert_true(is("hosts/2", "b"));
	assert_string_equal(heard, "hosts/1 hostsx ");
	store_mirror(store, "hosts/2", NULL, 0, 20);
	assert_null(store_get(store, "hosts/2"));
	close_store();
	loop_stop(loop);
}

static void coroutine_fn body_refusals(void *arg)
{
	snprintf(url, sizeof(url), "dir:relative");
	assert_int_equal(open_store(), -EINVAL);
	snprintf(url, sizeof(url), "ftp://x");
	assert_int_equal(open_store(), -EINVAL);
	snprintf(url, sizeof(url), "dir:/proc/nowhere");
	assert_true(open_store() < 0);
	loop_stop(loop);
}

static void run(co_entry *body)
{
	char command[128];

	snprintf(dir, sizeof(dir), "/tmp/gatehouse-test-store.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(url, sizeof(url), "dir:%s", dir);
	heard[0] = 0;
	loop = loop_new(NULL);
	co_start(loop, body, NULL);
	loop_run(loop);
	loop_free(loop);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void test_lasts(void **state) { run(body_lasts); }
static void test_names(void **state) { run(body_names); }
static void test_rubbish(void **state) { run(body_rubbish); }
static void test_mirror(void **state) { run(body_mirror); }
static void test_refusals(void **state) { run(body_refusals); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lasts), cmocka_unit_test(test_names), cmocka_unit_test(test_rubbish), cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
