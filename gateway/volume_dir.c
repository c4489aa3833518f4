/* gateway/volume_dir.c: reading the directory, on a helper thread; see volume_dir.h. */
#include "gateway/volume_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/filehandle.h"
#include "gateway/gatewayd.h"
#include "runtime/file.h"

#define VOLFILE_MAX (16u << 20)

static char *path_in(const char *dir, const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", dir, name, suffix) < 0 ? NULL : path;
}

/* The name of the volume whose volfile the entry is, cut off in place; NULL: it is something else. */
static char *volume_of(char *entry)
{
	size_t len = strlen(entry);

	if (entry[0] == '.' || len <= 4 || strcmp(entry + len - 4, ".vol") != 0)
		return NULL;
	entry[len - 4] = '\0';
	return entry;
}

static void read_key(const char *dir, struct volume_file *f)
{
	char *path = path_in(dir, f->name, ".key");

	f->has_key = path && handle_key_load(path, f->key, &f->err) == 0;
	free(path);
}

static int read_file(const char *dir, const char *name, bool keys, struct volume_file *f)
{
	int ret;

	memset(f, 0, sizeof(*f));
	f->name = strdup(name);
	f->path = path_in(dir, name, ".vol");
	if (!f->name || !f->path)
		return -ENOMEM;
	if (gatewayd_bad_name(name)) {
		error_set(&f->err, -EINVAL, "%s: a volume's name has neither slashes, blanks nor quotes", f->path);
		return 0;
	}
	ret = file_read(f->path, VOLFILE_MAX, &f->text, &f->len);
	if (ret < 0)
		error_set(&f->err, ret, "cannot read the volfile %s: %s", f->path,
			  ret == -EFBIG ? "it is larger than 16 MiB" : strerror(-ret));
	if (keys)
		read_key(dir, f);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct volume_file *)a)->name, ((const struct volume_file *)b)->name);
}

static int read_volumes(const char *dir, DIR *entries, bool keys, struct volume_dir *ret_dir, struct error *err)
{
	struct volume_file *more;
	struct dirent *e;
	char *name;
	int ret = 0;

	while (ret == 0 && (e = readdir(entries))) {
		name = volume_of(e->d_name);
		if (!name)
			continue;
		if (ret_dir->n == VOLUMES_MAX)
			return error_set(err, -E2BIG, "%s: more than %d volumes", dir, VOLUMES_MAX);
		more = reallocarray(ret_dir->files, ret_dir->n + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		ret_dir->files = more;
		ret = read_file(dir, name, keys, &more[ret_dir->n++]);
	}
	if (ret_dir->n)
		qsort(ret_dir->files, ret_dir->n, sizeof(*ret_dir->files), by_name);
	return ret;
}

int volume_dir_read(const char *dir, const char *exports_path, bool keys, struct volume_dir *ret_dir, struct error *err)
{
	DIR *entries = opendir(dir);
	int ret;

	memset(ret_dir, 0, sizeof(*ret_dir));
	if (!entries)
		return error_set(err, -errno, "cannot read the directory %s: %s", dir, strerror(errno));
	ret = read_volumes(dir, entries, keys, ret_dir, err);
	closedir(entries);
	if (ret < 0)
		volume_dir_free(ret_dir);
	else
		exports_read(exports_path, NULL, &ret_dir->exports, &ret_dir->exports_err);
	return ret;
}

void volume_dir_free(struct volume_dir *dir)
{
	unsigned i;

	for (i = 0; i < dir->n; i++) {
		free(dir->files[i].name);
		free(dir->files[i].path);
		free(dir->files[i].text);
	}
	if (dir->files)
		explicit_bzero(dir->files, dir->n * sizeof(*dir->files));
	free(dir->files);
	export_set_unref(dir->exports);
	memset(dir, 0, sizeof(*dir));
}
