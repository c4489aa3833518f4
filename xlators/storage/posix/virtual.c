/* xlators/storage/posix/virtual.c: getxattr, with the names that no file system knows (facts: brick-wire 11.2): where an object lies, which
 * node this is. */
#include "xlators/storage/posix/job.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define VALUE_MAX 65536
#define PATHS_MAX 4096

static int answer(struct call *call, const char *name, const void *value, size_t len, struct getxattr_res *res)
{
	struct xattr *x = arena_alloc(call->arena, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->name = arena_strdup(call->arena, name);
	x->value = arena_memdup(call->arena, value, len);
	x->len = len;
	res->xattrs.v = x;
	res->xattrs.n = 1;
	return x->name && x->value ? 0 : -ENOMEM;
}

static int answer_text(struct call *call, const char *name, const char *text, struct getxattr_res *res)
{
	return text ? answer(call, name, text, strlen(text) + 1, res) : -ENOMEM;
}

/* The path of one name, "<parent-gfid>/<name>", appended to @paths with ":" between. */
static void add_path(struct posix *px, const struct xattr *x, char *paths, size_t room, bool first_only)
{
	uint8_t parent[16];
	char text[GFID_TEXT_SIZE], *dir;
	size_t at = strlen(paths);

	if (x->len <= 37 || (first_only && at))
		return;
	memcpy(text, x->value, 36);
	text[36] = 0;
	if (!gfid_parse(text, parent) || handle_path(px, parent, &dir) < 0)
		return;
	if (at + strlen(dir) + x->len < room)
		snprintf(paths + at, room - at, "%s%s%.*s", at ? ":" : "", dir, (int)x->len - 36, (const char *)x->value + 36);
	free(dir);
}

/* "/dir/name", from the volume's root; several for hard links unless @first_only. Malloc'ed. */
static int paths_of(struct posix *px, struct node *node, bool first_only, char **ret_paths)
{
	char *paths;
	uint32_t i;
	int ret;

	if (node->type == S_IFDIR) {
		ret = handle_path(px, node->gfid, ret_paths);
		if (ret == 0 && !**ret_paths)
			memcpy(*ret_paths, "/", 2);
		return ret;
	}
	paths = calloc(1, PATHS_MAX);
	if (!paths)
		return -ENOMEM;
	pthread_mutex_lock(&node->lock);
	ret = attrs_load(px, node);
	for (i = 0; ret == 0 && i < node->attrs->n; i++)
		if (strncmp(node->attrs->v[i].name, XATTR_PATH_PREFIX, sizeof(XATTR_PATH_PREFIX) - 1) == 0)
			add_path(px, &node->attrs->v[i], paths, PATHS_MAX, first_only);
	pthread_mutex_unlock(&node->lock);
	if (ret == 0 && !*paths)
		ret = -ENODATA;
	if (ret < 0)
		free(paths);
	else
		*ret_paths = paths;
	return ret;
}

static int get_pathinfo(struct posix *px, struct call *call, struct node *node, const char *name, struct getxattr_res *res)
{
	char handle[HANDLE_MAX], *paths = NULL;
	const char *text;
	int ret = paths_of(px, node, true, &paths);

	if (ret == 0)
		text = arena_printf(call->arena, "<POSIX(%s):%s:%s%s>", px->directory, px->hostname, px->directory,
				    strcmp(paths, "/") ? paths : "/");
	else
		text = arena_printf(call->arena, "<POSIX(%s):%s:%s/" HANDLE_DIR "/%s>", px->directory, px->hostname, px->directory,
				    handle_name(node->gfid, handle));
	free(paths);
	return answer_text(call, name, text, res);
}

static int get_paths(struct posix *px, struct call *call, struct node *node, const char *name, struct getxattr_res *res)
{
	char *paths;
	int ret = paths_of(px, node, strcmp(name, "glusterfs.gfid2path") != 0, &paths);

	if (ret < 0)
		return ret;
	ret = answer_text(call, name, paths, res);
	free(paths);
	return ret;
}

static int get_real_filename(struct posix *px, struct call *call, struct node *node, const char *name, struct getxattr_res *res)
{
	const char *wanted = strchr(name, ':') + 1;
	int fd = node->type == S_IFDIR ? openat(node->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, ret = -ENOENT;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -ENOTDIR;
	}
	while (ret == -ENOENT && (e = readdir(dir)))
		if (strcasecmp(e->d_name, wanted) == 0 && name_check(node, e->d_name) == 0)
			ret = answer_text(call, name, e->d_name, res);
	closedir(dir);
	return ret;
}

static int get_stored(struct posix *px, struct call *call, struct node *node, const char *name, struct getxattr_res *res)
{
	uint8_t raw[MDATA_SIZE], *value;
	ssize_t n;
	int ret;

	if (strcmp(name, XATTR_MDATA) == 0) {
		pthread_mutex_lock(&node->lock);
		node_mdata_load(px, node);
		ret = node->mdata_state == MDATA_PRESENT ? 0 : -ENODATA;
		mdata_encode(&node->mdata, raw);
		pthread_mutex_unlock(&node->lock);
		return ret < 0 ? ret : answer(call, name, raw, sizeof(raw), res);
	}
	value = malloc(VALUE_MAX);
	if (!value)
		return -ENOMEM;
	creds_user(call);
	n = nx_get(node, name, value, VALUE_MAX);
	creds_root();
	ret = n < 0 ? (int)n : answer(call, name, value, n, res);
	free(value);
	return ret;
}

static int get_one(struct posix *px, struct call *call, struct node *node, const char *name, struct getxattr_res *res)
{
	if (strcmp(name, "trusted.glusterfs.pathinfo") == 0 || strcmp(name, "glusterfs.pathinfo") == 0)
		return get_pathinfo(px, call, node, name, res);
	if (strcmp(name, "trusted.glusterfs.node-uuid") == 0)
		return px->node_uuid ? answer_text(call, name, px->node_uuid, res) : -ENODATA;
	if (strcmp(name, "glusterfs.gfid2path") == 0 || strcmp(name, "glusterfs.gfidtopath") == 0 ||
	    strcmp(name, "glusterfs.ancestry.path") == 0)
		return get_paths(px, call, node, name, res);
	if (strncmp(name, "glusterfs.get_real_filename:", 28) == 0)
		return get_real_filename(px, call, node, name, res);
	if (strncmp(name, "glusterfs.", 10) == 0)
		return -ENODATA;
	return get_stored(px, call, node, name, res);
}

static int getxattr_job(struct posix *px, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	if (args->name && *args->name) {
		ret = get_one(px, call, node, args->name, res);
	} else {
		pthread_mutex_lock(&node->lock);
		node_mdata_load(px, node);
		ret = attrs_wanted(px, call, node, NULL, true, &res->xattrs);
		pthread_mutex_unlock(&node->lock);
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(getxattr, RESULTS)
