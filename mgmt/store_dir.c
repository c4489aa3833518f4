/* mgmt/store_dir.c: the store of one host: a document a file, kind/NAME.xml below one directory.
 *
 * A file is written aside, flushed, renamed into place, and the directory flushed: a crash leaves the old or the new one. Revisions are counted
 * in memory; they only have to differ. What is announced is kept in memory only. Files work on a helper thread. */
#include "mgmt/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/sync.h"

#define SUFFIX ".xml"

struct dir_store {
	char *path;
	uint64_t next_revision;
	struct co_mutex writing; /* one after the other: what is expected is looked at and replaced as one */
};

struct job {
	struct store *s;
	const char *path, *text;
	size_t len;
	struct error *err;
};

/* "volumes/demo" is volumes/demo.xml below the directory. Names are checked by whoever makes keys; a dot or slash too many goes nowhere. */
static char *path_of(const struct dir_store *d, const char *key)
{
	const char *name = strchr(key, '/');
	char *path = NULL;

	if (!name || !name[1] || name[1] == '.' || strchr(name + 1, '/') || *key == '.' || *key == '/')
		return NULL;
	return asprintf(&path, "%s/%s%s", d->path, key, SUFFIX) < 0 ? NULL : path;
}

static void read_one(struct store *s, const char *kind, const char *name)
{
	struct dir_store *d = store_private(s);
	size_t stem = strlen(name) - strlen(SUFFIX), len;
	char *key = NULL, *path = NULL, *text;
	int ret;

	if (asprintf(&key, "%s/%.*s", kind, (int)stem, name) < 0 || asprintf(&path, "%s/%s/%s", d->path, kind, name) < 0)
		abort();
	ret = file_read(path, STORE_DOCUMENT_MAX, &text, &len);
	if (ret == 0) {
		store_mirror(s, key, text, len, ++d->next_revision);
		free(text);
	} else {
		log_error("a document of the store cannot be read", "file=%s reason=\"%s\"", log_quote(path), strerror(-ret));
	}
	free(key);
	free(path);
}

static int read_kind(struct store *s, const char *kind)
{
	struct dir_store *d = store_private(s);
	struct dirent *entry;
	char *path = NULL;
	size_t len;
	DIR *dir;

	if (asprintf(&path, "%s/%s", d->path, kind) < 0)
		abort();
	dir = opendir(path);
	free(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (entry->d_name[0] != '.' && len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0)
			read_one(s, kind, entry->d_name);
	}
	closedir(dir);
	return 0;
}

static int make_directory(const char *path, struct error *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "the store's directory %s cannot be made: %s", path, strerror(errno));
	return 0;
}

static int open_blocking(void *arg)
{
	static const char *const kinds[] = { "volumes", "hosts" };
	struct job *j = arg;
	struct dir_store *d = store_private(j->s);
	char *path = NULL;
	unsigned i;
	int ret = make_directory(d->path, j->err);

	for (i = 0; ret == 0 && i < 2; i++) {
		if (asprintf(&path, "%s/%s", d->path, kinds[i]) < 0)
			abort();
		ret = make_directory(path, j->err);
		free(path);
		if (ret == 0)
			ret = read_kind(j->s, kinds[i]);
		if (ret < 0)
			error_set(j->err, ret, "the store's directory %s cannot be read: %s", d->path, strerror(-ret));
	}
	return ret;
}

static void coroutine_fn dir_close(struct store *s)
{
	struct dir_store *d = store_private(s);

	free(d->path);
	free(d);
}

/* The first reading is done right here: a manager has nothing else to do before. */
static int coroutine_fn dir_open(struct store *s, const struct store_conf *conf, struct error *err)
{
	struct dir_store *d = calloc(1, sizeof(*d));
	struct job j = { .s = s, .err = err };
	int ret;

	if (!d)
		return -ENOMEM;
	d->path = strdup(conf->url + strlen(store_dir_ops.scheme));
	co_mutex_init(&d->writing);
	store_set_private(s, d);
	if (!d->path || d->path[0] != '/') {
		ret = error_set(err, -EINVAL, "the store %s wants a full path after dir:", conf->url);
	} else {
		store_mirror_begin(s);
		ret = open_blocking(&j);
		store_mirror_end(s);
	}
	if (ret < 0)
		dir_close(s);
	return ret;
}

static int write_blocking(void *arg)
{
	struct job *j = arg;

	return file_store(j->path, j->text, j->len, 0600, false);
}

static int remove_blocking(void *arg)
{
	struct job *j = arg;

	if (unlink(j->path) < 0 && errno != ENOENT)
		return -errno;
	return file_flush_directory_of(j->path);
}

static int as_expected(struct store *s, const char *key, uint64_t expected)
{
	const struct store_doc *doc = store_get(s, key);

	if (expected == 0)
		return doc ? -EEXIST : 0;
	return doc && doc->revision == expected ? 0 : -ESTALE;
}

/* @text NULL: remove it. */
static int coroutine_fn change(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err)
{
	struct dir_store *d = store_private(s);
	struct job j = { .s = s, .text = text, .len = len, .path = path_of(d, key) };
	int ret;

	if (!j.path)
		return error_set(err, -EINVAL, "\"%s\" is no name of a document", key);
	ret = co_mutex_lock(&d->writing);
	if (ret == 0) {
		ret = as_expected(s, key, expected);
		if (ret == 0) {
			ret = loop_offload(text ? write_blocking : remove_blocking, &j);
			if (ret < 0)
				error_set(err, ret, "%s cannot be written: %s", j.path, strerror(-ret));
			else
				store_mirror(s, key, text, len, ++d->next_revision);
		}
		co_mutex_unlock(&d->writing);
	}
	free((char *)j.path);
	return ret;
}

static int coroutine_fn dir_put(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err)
{
	return change(s, key, text, len, expected, err);
}

static int coroutine_fn dir_remove(struct store *s, const char *key, uint64_t expected, struct error *err)
{
	return change(s, key, NULL, 0, expected, err);
}

static int coroutine_fn dir_announce(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once,
				     struct error *err)
{
	struct dir_store *d = store_private(s);

	store_mirror(s, key, text, len, ++d->next_revision);
	return 0;
}

static uint64_t dir_silent_ms(const struct store *s)
{
	return 0;
}

const struct store_ops store_dir_ops = {
	.scheme = "dir:",
	.open = dir_open,
	.close = dir_close,
	.put = dir_put,
	.remove = dir_remove,
	.announce = dir_announce,
	.silent_ms = dir_silent_ms,
};
