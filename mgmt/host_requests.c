/* mgmt/host_requests.c: what a host does when it is asked: prepare directories for bricks, tell how they are, show and rotate logs. */
#include "mgmt/host_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mgmt/brick_dir.h"
#include "mgmt/json.h"
#include "mgmt/process.h"
#include "mgmt/text.h"

#define PATHS_MAX 4096
#define LOG_SHOWN (64u << 10)

/* --- bricks-prepare {id, force, paths}, bricks-release {id, paths: [{path, made, marked}]} --- */

struct preparing {
	struct brick_dir *dirs;
	unsigned n;
	struct error err;
};

static int prepare_blocking(void *arg)
{
	struct preparing *p = arg;
	unsigned i;
	int ret = 0;

	for (i = 0; i < p->n; i++) {
		ret = brick_dir_prepare(&p->dirs[i], &p->err);
		if (ret < 0)
			break;
	}
	while (ret < 0 && i-- > 0)
		brick_dir_release(&p->dirs[i]);
	return ret;
}

static int release_blocking(void *arg)
{
	struct preparing *p = arg;
	unsigned i;

	for (i = 0; i < p->n; i++)
		brick_dir_release(&p->dirs[i]);
	return 0;
}

static uint8_t (*known_ids(const struct manager *m))[16]
{
	uint8_t(*ids)[16] = need(calloc(m->nvolumes + 1, 16));
	unsigned i;

	for (i = 0; i < m->nvolumes; i++)
		if (m->volumes[i].v)
			memcpy(ids[i], m->volumes[i].v->id, 16);
	return ids;
}

static json_t *prepared(const struct preparing *p)
{
	json_t *list = need(json_array());
	unsigned i;

	for (i = 0; i < p->n; i++)
		json_array_append_new(list, need(json_pack("{s:s, s:b, s:b}", "path", p->dirs[i].path, "made", p->dirs[i].made, "marked",
							   p->dirs[i].marked)));
	return json_success(need(json_pack("{s:o}", "paths", list)));
}

static json_t *coroutine_fn bricks_prepare(struct manager *m, json_t *args)
{
	json_t *paths = json_object_get(args, "paths"), *answer;
	const char *id = json_member(args, "id");
	size_t n = json_array_size(paths), i;
	struct preparing p = { .n = (unsigned)n };
	uint8_t(*known)[16], own[16];
	int ret;

	if (!id || !gfid_parse(id, own) || !n || n > PATHS_MAX)
		return json_failure(EINVAL, &p.err);
	known = known_ids(m);
	p.dirs = need(calloc(n, sizeof(p.dirs[0])));
	for (i = 0; i < n; i++) {
		p.dirs[i].path = json_string_value(json_array_get(paths, i));
		p.dirs[i].force = json_flag(args, "force");
		p.dirs[i].known = (const uint8_t(*)[16])known;
		p.dirs[i].nknown = m->nvolumes;
		memcpy(p.dirs[i].id, own, 16);
		if (!p.dirs[i].path || p.dirs[i].path[0] != '/')
			p.n = 0;
	}
	ret = p.n ? loop_offload(prepare_blocking, &p) : -EINVAL;
	answer = ret < 0 ? json_failure(-ret, &p.err) : prepared(&p);
	free(p.dirs);
	free(known);
	return answer;
}

static json_t *coroutine_fn bricks_release(struct manager *m, json_t *args)
{
	json_t *paths = json_object_get(args, "paths"), *one;
	const char *id = json_member(args, "id");
	struct preparing p = { 0 };
	uint8_t own[16];
	size_t i;

	if (!id || !gfid_parse(id, own) || json_array_size(paths) > PATHS_MAX)
		return json_failure(EINVAL, &p.err);
	p.dirs = need(calloc(json_array_size(paths) + 1, sizeof(p.dirs[0])));
	json_array_foreach(paths, i, one) {
		const char *path = json_member(one, "path");

		if (!path || path[0] != '/')
			continue;
		p.dirs[p.n].path = path;
		p.dirs[p.n].made = json_flag(one, "made");
		p.dirs[p.n].marked = json_flag(one, "marked");
		memcpy(p.dirs[p.n++].id, own, 16);
	}
	loop_offload(release_blocking, &p);
	free(p.dirs);
	return json_success(NULL);
}

/* --- bricks-detail {paths}: of disks --- */

struct looking {
	const char **paths;
	struct brick_disk *disks;
	int *ret;
	unsigned n;
};

static int look_blocking(void *arg)
{
	struct looking *l = arg;
	unsigned i;

	for (i = 0; i < l->n; i++)
		l->ret[i] = l->paths[i] ? brick_dir_disk(l->paths[i], &l->disks[i]) : -EINVAL;
	return 0;
}

static json_t *disk_json(const struct brick_disk *d)
{
	return need(json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:i}", "device", json_text(d->device), "filesystem",
			      json_text(d->filesystem), "mount_options", json_text(d->mount_options), "block_size", (json_int_t)d->block_size, "size_total",
			      (json_int_t)d->size_total, "size_free", (json_int_t)d->size_free, "inodes_total",
			      (json_int_t)d->inodes_total, "inodes_free", (json_int_t)d->inodes_free, "inode_size", (int)d->inode_size));
}

static json_t *coroutine_fn bricks_detail(struct manager *m, json_t *args)
{
	json_t *paths = json_object_get(args, "paths"), *result = need(json_object());
	size_t n = json_array_size(paths), i;
	struct looking l = { need(calloc(n + 1, sizeof(char *))), need(calloc(n + 1, sizeof(struct brick_disk))),
			     need(calloc(n + 1, sizeof(int))), (unsigned)n };

	for (i = 0; i < n; i++)
		l.paths[i] = json_string_value(json_array_get(paths, i));
	loop_offload(look_blocking, &l);
	for (i = 0; i < n; i++)
		if (l.ret[i] == 0)
			json_object_set_new(result, l.paths[i], disk_json(&l.disks[i]));
	free(l.paths);
	free(l.disks);
	free(l.ret);
	return json_success(result);
}

/* --- log-show {volume, path, lines}, log-rotate {volume, path} --- */

struct reading {
	const char *file;
	char *text;
	size_t len;
	unsigned lines;
};

/* The last lines of the file, from the last 64 KiB at most. */
static int tail_blocking(void *arg)
{
	struct reading *r = arg;
	int fd = open(r->file, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = end > LOG_SHOWN ? end - LOG_SHOWN : 0;
	ssize_t n;
	char *at;
	unsigned lines = 0;

	r->text = need(calloc(1, LOG_SHOWN + 1));
	if (fd < 0)
		return -errno;
	n = pread(fd, r->text, LOG_SHOWN, from);
	close(fd);
	r->len = n > 0 ? (size_t)n : 0;
	for (at = r->text + r->len; at > r->text && lines <= r->lines; at--)
		lines += at[-1] == '\n' && at != r->text + r->len;
	if (lines > r->lines)
		at++;
	r->len = (size_t)(r->text + r->len - at);
	memmove(r->text, at, r->len + 1);
	return 0;
}

static int rotate_blocking(void *arg)
{
	struct reading *r = arg;
	char *old = format("%s.%lld", r->file, (long long)time(NULL));
	int ret = rename(r->file, old) < 0 ? -errno : 0;

	free(old);
	return ret;
}

static json_t *log_entry(struct manager *m, const struct host_brick *b, const char *file, const char *text)
{
	json_t *entry = need(json_pack("{s:s, s:s, s:o}", "host", m->name, "brick", b->path, "file", json_text(file)));

	if (text)
		json_object_set_new(entry, "text", json_text(text));
	return entry;
}

static json_t *coroutine_fn log_request(struct manager *m, json_t *args, bool rotate)
{
	const char *volume = json_member(args, "volume"), *path = json_member(args, "path");
	struct host_brick *b = volume && path ? host_brick_find(m, volume, path) : NULL;
	struct error err = { "" };
	struct reading r = { .lines = (unsigned)json_integer_value(json_object_get(args, "lines")) };
	json_t *entry;
	char *file;
	int ret;

	if (!b) {
		error_set(&err, 0, "%s is no running brick of %s on host %s", path ? path : "?", volume ? volume : "?", m->name);
		return json_failure(ENOENT, &err);
	}
	if (!r.lines)
		r.lines = 40;
	r.file = file = format("%s/bricks/%s.log", m->conf.log_dir, b->id);
	ret = loop_offload(rotate ? rotate_blocking : tail_blocking, &r);
	b = host_brick_find(m, volume, path);
	if (ret == 0 && rotate && b && b->process)
		process_signal(b->process, SIGHUP);
	if (ret < 0 || !b) {
		error_set(&err, 0, "host %s: the log %s cannot be %s: %s", m->name, file, rotate ? "rotated" : "read",
			  strerror(ret < 0 ? -ret : ENOENT));
		entry = json_failure(EIO, &err);
	} else {
		entry = json_success(log_entry(m, b, file, r.text));
	}
	free(r.text);
	free(file);
	return entry;
}

static json_t *coroutine_fn log_show(struct manager *m, json_t *args)
{
	return log_request(m, args, false);
}

static json_t *coroutine_fn log_rotate(struct manager *m, json_t *args)
{
	return log_request(m, args, true);
}

static const struct host_request requests[] = {
	{ "bricks-prepare", bricks_prepare }, { "bricks-release", bricks_release },
	{ "bricks-detail", bricks_detail },   { "log-show", log_show },
	{ "log-rotate", log_rotate },
};

const struct host_request *host_request_find(const char *name)
{
	unsigned i;

	for (i = 0; name && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, name) == 0)
			return &requests[i];
	return NULL;
}
