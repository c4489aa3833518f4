/* tests/system/store_probe.c: a store as a manager has it, told by lines what to do.
 *
 * store_probe URL [CA [CERTIFICATE KEY]]; each line of the standard input is answered by one line that begins with ok, or with the number of
 * an errno and its sentence; lines that begin with ! tell of changes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mgmt/store.h"
#include "runtime/log.h"
#include "runtime/loop.h"

#define LINE_MAX_BYTES 4096
#define WORDS 6

static struct loop *loop;
static struct store *store;
static struct store_conf conf;
static char buf[LINE_MAX_BYTES];
static size_t have;
static bool ended;
static struct co_wait *waiter;

static void readable(void *arg, uint32_t events)
{
	ssize_t n = read(0, buf + have, sizeof(buf) - have);

	if (n > 0)
		have += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		ended = true;
	if (waiter)
		co_wake(waiter, 0);
}

static bool coroutine_fn next_line(char *line)
{
	struct co_wait wait = CO_WAIT_INIT;
	char *end;

	while (!(end = memchr(buf, '\n', have))) {
		if (ended)
			return false;
		wait = (struct co_wait)CO_WAIT_INIT;
		waiter = &wait;
		co_park(&wait);
		waiter = NULL;
	}
	*end = 0;
	memcpy(line, buf, (size_t)(end - buf) + 1);
	have -= (size_t)(end - buf) + 1;
	memmove(buf, end + 1, have);
	return true;
}

static void changed(void *user, const char *key)
{
	const struct store_doc *doc = store ? store_get(store, key) : NULL;

	printf("!%s %llu\n", key, doc ? (unsigned long long)doc->revision : 0ull);
}

static void answer(int ret, const struct error *err, const char *key)
{
	const struct store_doc *doc = key ? store_get(store, key) : NULL;

	if (ret < 0)
		printf("%d %s\n", -ret, err->text);
	else
		printf("ok %llu\n", doc ? (unsigned long long)doc->revision : 0ull);
}

static void hash_one(void *arg, const struct store_doc *doc)
{
	uint64_t *sums = arg;
	size_t i;

	sums[0]++;
	for (i = 0; i < doc->len; i++)
		sums[1] = sums[1] * 31 + (unsigned char)doc->text[i];
	sums[1] = sums[1] * 31 + doc->revision;
}

static void list_one(void *arg, const struct store_doc *doc)
{
	printf(" %s=%llu", doc->key, (unsigned long long)doc->revision);
}

static void coroutine_fn put(char **w, struct error *err)
{
	size_t len = strcmp(w[0], "big") == 0 ? strtoul(w[2], NULL, 10) : strlen(w[2]);
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	if (strcmp(w[0], "big") != 0)
		memcpy(text, w[2], len);
	answer(store_put(store, w[1], text, len, strtoull(w[3], NULL, 10), err), err, w[1]);
	free(text);
}

static void coroutine_fn obey(char **w)
{
	struct error err = { "" };
	const struct store_doc *doc;
	uint64_t sums[2] = { 0 };

	if (strcmp(w[0], "put") == 0 || strcmp(w[0], "big") == 0) {
		put(w, &err);
	} else if (strcmp(w[0], "delete") == 0) {
		answer(store_delete(store, w[1], strtoull(w[2], NULL, 10), &err), &err, NULL);
	} else if (strcmp(w[0], "announce") == 0) {
		answer(store_announce(store, w[1], w[2], strlen(w[2]), (unsigned)strtoul(w[3], NULL, 10), *w[4], &err), &err, w[1]);
	} else if (strcmp(w[0], "withdraw") == 0) {
		answer(store_announce(store, w[1], NULL, 0, 0, false, &err), &err, NULL);
	} else if (strcmp(w[0], "get") == 0) {
		doc = store_get(store, w[1]);
		printf(doc ? "ok %llu %.60s\n" : "2 none\n", doc ? (unsigned long long)doc->revision : 0, doc ? doc->text : "");
	} else if (strcmp(w[0], "list") == 0) {
		printf("ok");
		store_each(store, w[1], list_one, NULL);
		printf("\n");
	} else if (strcmp(w[0], "sum") == 0) {
		store_each(store, w[1], hash_one, sums);
		printf("ok %llu %llu\n", (unsigned long long)sums[0], (unsigned long long)sums[1]);
	} else if (strcmp(w[0], "silent") == 0) {
		printf("ok %llu\n", (unsigned long long)store_silent_ms(store));
	} else {
		printf("22 what is %s?\n", w[0]);
	}
}

static void coroutine_fn run(void *arg)
{
	struct error err = { "" };
	char line[LINE_MAX_BYTES], *words[WORDS], *rest;
	int ret = store_open(&conf, &err, &store), i;

	answer(ret, &err, NULL);
	while (ret == 0 && next_line(line)) {
		rest = line;
		for (i = 0; i < WORDS; i++)
			words[i] = rest && (rest[0]) ? strsep(&rest, " ") : "";
		obey(words);
	}
	if (ret == 0)
		store_close(store);
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	struct watch in = { .fd = 0, .events = EPOLLIN, .fn = readable };

	if (argc < 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open("store_probe", NULL, LOG_LEVEL_INFO);
	loop = loop_new(NULL);
	conf = (struct store_conf){ .loop = loop, .url = argv[1], .ca = argc > 2 ? argv[2] : NULL, .certificate = argc > 3 ? argv[3] : NULL,
				    .key = argc > 4 ? argv[4] : NULL, .changed = changed };
	fcntl(0, F_SETFL, O_NONBLOCK);
	watch_add(loop, &in);
	co_start(loop, run, NULL);
	loop_run(loop);
	watch_remove(&in);
	loop_free(loop);
	return 0;
}
