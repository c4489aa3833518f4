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
#include "mgmt/patience.h"
#include "mgmt/process.h"
#include "mgmt/text.h"

#define PATHS_MAX     4096
#define LOG_SHOWN     (64u << 10)
#define LINES_DEFAULT 40
#define PREPARE_NS    1500000000ull
#define LOOK_NS       1000000000ull /* less than what the host that asks waits */

/* --- bricks-prepare {id, force, paths}, bricks-identify {id, paths}, bricks-release {id, paths: [{path, made, marked}]} --- */

struct preparing {
	json_t *args; /* a copy: the paths lie in it */
	struct brick_dir *dirs;
	unsigned n;
	uint8_t (*known)[16];
	char *roots;
	struct error err;
	int ret;
};

static int release_blocking(void *job)
{
	struct preparing *p = job;
	unsigned i;

	for (i = 0; i < p->n; i++)
		brick_dir_release(&p->dirs[i]);
	return 0;
}

static int prepare_blocking(void *job)
{
	struct preparing *p = job;
	unsigned i;
	int ret = 0;

	for (i = 0; i < p->n; i++) {
		ret = brick_dir_prepare(&p->dirs[i], &p->err);
		if (ret < 0)
			break;
	}
	while (ret < 0 && i-- > 0)
		brick_dir_release(&p->dirs[i]);
	p->ret = ret;
	return ret;
}

static int identify_blocking(void *job)
{
	struct preparing *p = job;
	unsigned i;

	p->ret = 0;
	for (i = 0; i < p->n && p->ret == 0; i++)
		p->ret = brick_dir_identify(&p->dirs[i], &p->err);
	return p->ret;
}

static int unprepare_blocking(void *job)
{
	return ((struct preparing *)job)->ret == 0 ? release_blocking(job) : 0;
}

static void free_preparing(void *job)
{
	struct preparing *p = job;

	json_decref(p->args);
	free(p->dirs);
	free(p->known);
	free(p->roots);
	free(p);
}

static json_t *left_behind(const struct manager *m)
{
	struct error err = { "" };

	error_set(&err, 0, "host %s: the disk of a brick does not answer", m->name);
	return json_failure(ETIMEDOUT, &err);
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
		json_array_append_new(list, need(json_pack("{s:s, s:b, s:b, s:s}", "path", p->dirs[i].path, "made", p->dirs[i].made,
							   "marked", p->dirs[i].marked, "identity", p->dirs[i].identity)));
	return json_success(need(json_pack("{s:o}", "paths", list)));
}

static json_t *coroutine_fn with_dirs(struct manager *m, json_t *args, const struct patient_job *kind)
{
	struct preparing *p = need(calloc(1, sizeof(*p)));
	const char *id = json_member(args, "id");
	json_t *paths, *answer;
	uint8_t own[16];
	size_t n, i;
	bool left;
	int ret;

	p->args = need(json_deep_copy(args));
	paths = json_object_get(p->args, "paths");
	n = json_array_size(paths);
	p->dirs = need(calloc(n + 1, sizeof(p->dirs[0])));
	p->known = known_ids(m);
	p->roots = need(strdup(m->conf.brick_roots));
	p->n = id && gfid_parse(id, own) && n <= PATHS_MAX ? (unsigned)n : 0;
	for (i = 0; i < p->n; i++) {
		p->dirs[i].path = json_string_value(json_array_get(paths, i));
		p->dirs[i].force = json_flag(args, "force");
		p->dirs[i].roots = json_flag(args, "remote") ? p->roots : NULL;
		p->dirs[i].known = (const uint8_t(*)[16])p->known;
		p->dirs[i].nknown = m->nvolumes;
		memcpy(p->dirs[i].id, own, 16);
		if (!p->dirs[i].path || p->dirs[i].path[0] != '/')
			p->n = 0;
	}
	ret = -EINVAL;
	if (p->n) {
		ret = patiently(m->loop, kind, p, PREPARE_NS, &left);
		if (left)
			return left_behind(m);
	}
	answer = ret < 0 ? json_failure(-ret, &p->err) : prepared(p);
	free_preparing(p);
	return answer;
}

static json_t *coroutine_fn bricks_prepare(struct manager *m, json_t *args)
{
	static const struct patient_job kind = { prepare_blocking, unprepare_blocking, free_preparing };

	return with_dirs(m, args, &kind);
}

static json_t *coroutine_fn bricks_identify(struct manager *m, json_t *args)
{
	static const struct patient_job kind = { identify_blocking, NULL, free_preparing };

	return with_dirs(m, args, &kind);
}

static json_t *coroutine_fn bricks_release(struct manager *m, json_t *args)
{
	static const struct patient_job kind = { release_blocking, NULL, free_preparing };
	struct preparing *p = need(calloc(1, sizeof(*p)));
	const char *id = json_member(args, "id");
	json_t *paths, *one;
	uint8_t own[16];
	size_t i;
	bool left;

	p->args = need(json_deep_copy(args));
	paths = json_object_get(p->args, "paths");
	if (!id || !gfid_parse(id, own) || json_array_size(paths) > PATHS_MAX) {
		free_preparing(p);
		return json_failure(EINVAL, &(struct error){ "" });
	}
	p->dirs = need(calloc(json_array_size(paths) + 1, sizeof(p->dirs[0])));
	json_array_foreach(paths, i, one) {
		const char *path = json_member(one, "path");

		if (!path || path[0] != '/')
			continue;
		p->dirs[p->n].path = path;
		p->dirs[p->n].made = json_flag(one, "made");
		p->dirs[p->n].marked = json_flag(one, "marked");
		memcpy(p->dirs[p->n++].id, own, 16);
	}
	patiently(m->loop, &kind, p, PREPARE_NS, &left);
	if (left)
		return left_behind(m);
	free_preparing(p);
	return json_success(NULL);
}

/* --- bricks-detail {paths}: of disks --- */

struct looking {
	json_t *args; /* a copy: the paths lie in it */
	struct brick_disk *disks;
	const char **paths;
	int *ret;
	unsigned n;
};

static int look_blocking(void *job)
{
	struct looking *l = job;
	unsigned i;

	for (i = 0; i < l->n; i++)
		l->ret[i] = l->paths[i] ? brick_dir_disk(l->paths[i], &l->disks[i]) : -EINVAL;
	return 0;
}

static void free_looking(void *job)
{
	struct looking *l = job;

	json_decref(l->args);
	free(l->disks);
	free(l->paths);
	free(l->ret);
	free(l);
}

static json_t *disk_json(const struct brick_disk *d)
{
	return need(json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:I}", "device", json_text(d->device), "filesystem",
			      json_text(d->filesystem), "mount_options", json_text(d->mount_options), "block_size", (json_int_t)d->block_size,
			      "size_total",
			      (json_int_t)d->size_total, "size_free", (json_int_t)d->size_free, "inodes_total",
			      (json_int_t)d->inodes_total, "inodes_free", (json_int_t)d->inodes_free, "inode_size", (int)d->inode_size,
			      "root_mode", (json_int_t)d->mode, "root_uid", (json_int_t)d->uid, "root_gid", (json_int_t)d->gid));
}

static json_t *coroutine_fn bricks_detail(struct manager *m, json_t *args)
{
	static const struct patient_job kind = { look_blocking, NULL, free_looking };
	struct looking *l = need(calloc(1, sizeof(*l)));
	json_t *result = need(json_object()), *paths;
	unsigned n, i;
	bool left;

	l->args = need(json_deep_copy(args));
	paths = json_object_get(l->args, "paths");
	n = json_array_size(paths) < PATHS_MAX ? (unsigned)json_array_size(paths) : PATHS_MAX;
	l->disks = need(calloc(n + 1, sizeof(struct brick_disk)));
	l->paths = need(calloc(n + 1, sizeof(char *)));
	l->ret = need(calloc(n + 1, sizeof(int)));
	for (i = 0; i < n; i++)
		l->paths[i] = json_string_value(json_array_get(paths, i));
	l->n = n;
	patiently(m->loop, &kind, l, LOOK_NS, &left);
	if (left) {
		json_decref(result);
		return left_behind(m);
	}
	for (i = 0; i < n; i++)
		if (l->ret[i] == 0)
			json_object_set_new(result, l->paths[i], disk_json(&l->disks[i]));
	free_looking(l);
	return json_success(result);
}

/* --- log-show {volume, path, lines}, log-rotate {volume, path} --- */

struct reading {
	char *file, *text;
	size_t len;
	unsigned lines;
};

/* The last lines of the file, from the last 64 KiB at most. */
static int tail_blocking(void *job)
{
	struct reading *r = job;
	int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = end > LOG_SHOWN ? end - LOG_SHOWN : 0;
	ssize_t n;
	char *at;
	unsigned lines = 0;

	if (fd < 0)
		return -errno;
	r->text = need(calloc(1, LOG_SHOWN + 1));
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

/* Two rotations in a second, or a clock that is set back, must not lose what was kept before. */
static int rotate_blocking(void *job)
{
	struct reading *r = job;
	long long now = time(NULL);
	int ret, i;
	char *old;

	for (i = 0, ret = -EEXIST; ret == -EEXIST && i < 1000; i++) {
		old = format("%s.%lld", r->file, now + i);
		ret = renameat2(AT_FDCWD, r->file, AT_FDCWD, old, RENAME_NOREPLACE) < 0 ? -errno : 0;
		free(old);
	}
	return ret;
}

static void free_reading(void *job)
{
	struct reading *r = job;

	free(r->file);
	free(r->text);
	free(r);
}

/* Does this host have that brick, be it running or not? */
static bool has_brick(const struct manager *m, const char *volume, const char *path)
{
	const struct known_volume *k = known_volume(m, volume);
	unsigned i;

	for (i = 0; k && k->v && i < k->v->nbricks; i++)
		if (strcmp(k->v->bricks[i].host_id, m->uuid) == 0 && strcmp(k->v->bricks[i].path, path) == 0)
			return true;
	return false;
}

static json_t *log_entry(const struct manager *m, const char *path, const struct reading *r)
{
	json_t *entry = need(json_pack("{s:s, s:s, s:o}", "host", m->name, "brick", path, "file", json_text(r->file)));

	if (r->text)
		json_object_set_new(entry, "text", json_text(r->text));
	return entry;
}

static json_t *log_failure(const struct manager *m, const char *path, const char *file, bool rotate, int ret)
{
	struct error err = { "" };

	if (ret == -ENOENT)
		error_set(&err, ret, "brick %s on host %s has no log yet (%s): it was not started there", path, m->name, file);
	else
		error_set(&err, ret, "host %s: the log %s cannot be %s: %s", m->name, file, rotate ? "rotated" : "read", strerror(-ret));
	return json_failure(-ret, &err);
}

static json_t *coroutine_fn log_request(struct manager *m, json_t *args, bool rotate)
{
	static const struct patient_job show = { tail_blocking, NULL, free_reading }, turn = { rotate_blocking, NULL, free_reading };
	const char *volume = json_member(args, "volume"), *path = json_member(args, "path");
	json_int_t lines = json_integer_value(json_object_get(args, "lines"));
	struct error err = { "" };
	struct host_brick *b;
	struct reading *r;
	json_t *answer;
	char *id;
	bool left;
	int ret;

	if (!volume || !path || !has_brick(m, volume, path)) {
		error_set(&err, 0, "%s is no brick of %s on host %s", path ? path : "?", volume ? volume : "?", m->name);
		return json_failure(ENOENT, &err);
	}
	r = need(calloc(1, sizeof(*r)));
	id = host_brick_id(volume, path);
	r->file = format("%s/bricks/%s.log", m->conf.log_dir, id);
	r->lines = lines > 0 && lines < LOG_SHOWN ? (unsigned)lines : lines > 0 ? LOG_SHOWN : LINES_DEFAULT;
	free(id);
	ret = patiently(m->loop, rotate ? &turn : &show, r, LOOK_NS, &left);
	if (left)
		return left_behind(m);
	b = host_brick_find(m, volume, path);
	if (ret == 0 && rotate && b && b->process)
		process_signal(b->process, SIGHUP);
	answer = ret < 0 ? log_failure(m, path, r->file, rotate, ret) : json_success(log_entry(m, path, r));
	free_reading(r);
	return answer;
}

static json_t *coroutine_fn log_show(struct manager *m, json_t *args)
{
	return log_request(m, args, false);
}

static json_t *coroutine_fn log_rotate(struct manager *m, json_t *args)
{
	return log_request(m, args, true);
}

/* "volume start NAME force": nobody waits out a backoff. */
static json_t *coroutine_fn bricks_hurry(struct manager *m, json_t *args)
{
	const char *name = json_member(args, "volume");
	struct host_brick *b;

	list_for_each_entry(b, &m->bricks, link)
		if (name && b->process && !b->stopping && strcmp(b->volume, name) == 0)
			process_hurry(b->process);
	return json_success(NULL);
}

static const struct host_request requests[] = {
	{ "bricks-prepare", bricks_prepare }, { "bricks-release", bricks_release },
	{ "bricks-identify", bricks_identify }, { "bricks-detail", bricks_detail },
	{ "bricks-clients", bricks_clients },
	{ "log-show", log_show },             { "log-rotate", log_rotate },
	{ "bricks-hurry", bricks_hurry },
};

const struct host_request *host_request_find(const char *name)
{
	unsigned i;

	for (i = 0; name && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, name) == 0)
			return &requests[i];
	return NULL;
}
