/* xlators/features/index_virtual.c: the indices seen as directories: a healer finds their gfids by getxattr, lists them, removes what it healed.
 *
 * The one idea: three gfids, new in each process, stand for the three directories; a sub-directory of entry-changes gets one when it is looked
 * up. Calls on other objects pass through untouched. Nothing is kept open: a listing goes on from an offset of the file system. */
#include "xlators/features/index_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SUBDIRS_MAX 4096
#define ENTRY_COST 208
#define PAGE_MAX 512
enum { KIND_FILES = 1, KIND_DIRS = 2 };	/* counts.index_kind: a stock healer lists no index directory before it knows */

struct index_subdir { struct hash_link link; struct list order; uint8_t virtual[16]; char dir[GFID_TEXT_SIZE]; };

void index_virtual_init(struct index *ix)
{
	hash_init(&ix->subdirs);
	list_init(&ix->subdir_order);
}

static void subdir_free(struct index *ix, struct index_subdir *sd)
{
	hash_remove(&ix->subdirs, &sd->link);
	list_remove(&sd->order);
	ix->nsubdirs--;
	free(sd);
}

void index_virtual_fini(struct index *ix)
{
	while (!list_empty(&ix->subdir_order))
		subdir_free(ix, list_first(&ix->subdir_order, struct index_subdir, order));
	hash_fini(&ix->subdirs);
}

static struct index_subdir *subdir_find(struct index *ix, const uint8_t *gfid)
{
	struct hash_link *l;

	for (l = hash_find(&ix->subdirs, hash_bytes(gfid, 16, 0)); l; l = hash_next(l))
		if (gfid_equal(container_of(l, struct index_subdir, link)->virtual, gfid))
			return container_of(l, struct index_subdir, link);
	return NULL;
}

static struct index_subdir *subdir_of(struct index *ix, const char *dir)
{
	struct index_subdir *sd;
	struct list *pos;

	list_for_each(pos, &ix->subdir_order)
		if (strcmp(list_entry(pos, struct index_subdir, order)->dir, dir) == 0)
			return list_entry(pos, struct index_subdir, order);
	if (ix->nsubdirs == SUBDIRS_MAX)
		subdir_free(ix, list_first(&ix->subdir_order, struct index_subdir, order));
	sd = calloc(1, sizeof(*sd));
	if (!sd)
		return NULL;
	gfid_new(xl_loop(ix->xl), sd->virtual);
	memcpy(sd->dir, dir, sizeof(sd->dir));
	hash_insert(&ix->subdirs, &sd->link, hash_bytes(sd->virtual, 16, 0));
	list_append(&ix->subdir_order, &sd->order);
	ix->nsubdirs++;
	return sd;
}

/* Is @gfid one of ours? Then where it is. */
static bool is_virtual(struct index *ix, const uint8_t *gfid, struct index_path *ret_path)
{
	struct index_subdir *sd;
	enum index_type type;

	for (type = 0; type < INDEX_TYPES; type++) {
		*ret_path = (struct index_path){ ix->dirfds[type], type, NULL, "" };
		if (gfid_equal(gfid, ix->virtual[type]))
			return true;
	}
	sd = ix->nsubdirs ? subdir_find(ix, gfid) : NULL;
	if (sd)
		memcpy(ret_path->dir, sd->dir, sizeof(ret_path->dir));
	return sd != NULL;
}

/* A name in a virtual directory: gfids, but in a sub-directory of entry-changes, where it is any name. */
static int step_into(struct index_path *path, const char *name)
{
	uint8_t gfid[16];

	if (!*name || strlen(name) > 255 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (*path->dir) {
		path->entry = name;
		return 0;
	}
	if (!gfid_parse(name, gfid))
		return -ENOENT;
	if (path->type == INDEX_ENTRY_CHANGES)
		gfid_text(gfid, path->dir);
	else
		path->entry = name;
	return 0;
}

struct stat_job { struct index_path path; struct iatt st; };

static int job_stat(void *arg)
{
	struct stat_job *job = arg;

	return index_stat(&job->path, &job->st);
}

static int coroutine_fn stat_virtual(const struct index_path *path, const uint8_t *gfid, struct iatt *ret_st)
{
	struct stat_job job = { .path = *path };
	int ret = loop_offload(job_stat, &job);

	if (ret < 0)
		return ret;
	*ret_st = job.st;
	memcpy(ret_st->gfid, gfid, 16);
	return 0;
}

static int coroutine_fn lookup_inside(struct index *ix, struct index_path *path, const struct lookup_args *args, struct lookup_res *res)
{
	char dir[GFID_TEXT_SIZE];
	struct index_subdir *sd;
	uint8_t gfid[16];
	int ret = stat_virtual(path, args->parent->gfid, &res->parent);

	if (ret == 0)
		ret = step_into(path, args->name);
	if (ret < 0)
		return ret;
	gfid_new(xl_loop(ix->xl), gfid);
	ret = stat_virtual(path, gfid, &res->stat);
	if (ret < 0 || !S_ISDIR(res->stat.mode))
		return ret;
	gfid_parse(args->name, gfid);
	sd = subdir_of(ix, gfid_text(gfid, dir));
	if (!sd)
		return -ENOMEM;
	memcpy(res->stat.gfid, sd->virtual, 16);
	return 0;
}

int coroutine_fn index_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct index *ix = xl->priv;
	struct index_path path;
	int ret;

	if (args->name ? !is_virtual(ix, args->parent->gfid, &path) : !is_virtual(ix, args->inode->gfid, &path)) {
		ret = xl_lookup(xl->children[0], call, args, res);
	} else {
		memset(res, 0, sizeof(*res));
		ret = args->name ? lookup_inside(ix, &path, args, res) : stat_virtual(&path, args->inode->gfid, &res->stat);
		res->counts.index_kind = path.type == INDEX_ENTRY_CHANGES && !*path.dir ? KIND_DIRS : KIND_FILES;
	}
	if (args->count & COUNT_INDEX)
		res->counts.index = ix->count[INDEX_XATTROP] > 0;
	return ret;
}

int coroutine_fn index_fstat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct index *ix = xl->priv;
	const uint8_t *gfid = args->inode ? args->inode->gfid : args->fd->inode->gfid;
	struct index_path path;
	int ret;

	if (is_virtual(ix, gfid, &path)) {
		memset(res, 0, sizeof(*res));
		ret = stat_virtual(&path, gfid, &res->stat);
	} else {
		ret = xl_stat(xl->children[0], call, args, res);
	}
	if (args->count & COUNT_INDEX)
		res->counts.index = ix->count[INDEX_XATTROP] > 0;
	return ret;
}

/* ---- names of the indices ---- */

static const struct virtual_name { const char *name; enum index_type type; bool count; } virtual_names[] = {
	{ "glusterfs.xattrop_index_gfid", INDEX_XATTROP, false },
	{ "glusterfs.xattrop_dirty_gfid", INDEX_DIRTY, false },
	{ "glusterfs.xattrop_entry_changes_gfid", INDEX_ENTRY_CHANGES, false },
	{ "glusterfs.xattrop_index_count", INDEX_XATTROP, true },
	{ "glusterfs.xattrop_dirty_count", INDEX_DIRTY, true },
};

static int answer_virtual(struct index *ix, struct call *call, const struct virtual_name *vn, struct getxattr_res *res)
{
	struct xattr *x = arena_alloc(call->arena, sizeof(*x));
	char *text;

	if (!x)
		return -ENOMEM;
	x->name = vn->name;
	if (vn->count) {		/* integers travel as decimal text */
		text = arena_printf(call->arena, "%llu", (unsigned long long)ix->count[vn->type]);
		x->value = text;
		x->len = text ? (uint32_t)strlen(text) + 1 : 0;
	} else {
		x->value = arena_memdup(call->arena, ix->virtual[vn->type], 16);
		x->len = 16;
	}
	res->xattrs = (struct xattrs){ x, 1 };
	return x->value ? 0 : -ENOMEM;
}

int coroutine_fn index_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	unsigned i;

	if (args->name && strncmp(args->name, "glusterfs.xattrop_", 18) == 0)
		for (i = 0; i < sizeof(virtual_names) / sizeof(*virtual_names); i++)
			if (strcmp(args->name, virtual_names[i].name) == 0)
				return answer_virtual(xl->priv, call, &virtual_names[i], res);
	return xl_getxattr(xl->children[0], call, args, res);
}

/* ---- listing ---- */

int coroutine_fn index_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	struct index_path path;

	if (!is_virtual(xl->priv, args->inode->gfid, &path))
		return xl_opendir(xl->children[0], call, args, res);
	res->fd = fd_new(args->inode, O_RDONLY | O_DIRECTORY);
	return res->fd ? 0 : -ENOMEM;
}

struct list_job { struct index_path path; uint64_t offset; unsigned max; struct index_listing listing; };

static int job_list(void *arg)
{
	struct list_job *job = arg;

	return index_list(&job->path, job->offset, job->max, &job->listing);
}

static int fill_page(struct call *call, const struct index_listing *l, uint32_t size, struct readdir_res *res)
{
	uint32_t used = 0;
	unsigned i;

	memset(res, 0, sizeof(*res));
	res->entries = arena_alloc(call->arena, (l->n + 1) * sizeof(*res->entries));
	if (!res->entries)
		return -ENOMEM;
	for (i = 0; i < l->n; i++) {
		struct dirent_plus *e = &res->entries[res->n];

		used += ENTRY_COST + (uint32_t)strlen(l->names[i].name);
		if (res->n && used > size)
			return 0;
		e->name = arena_strdup(call->arena, l->names[i].name);
		if (!e->name)
			return -ENOMEM;
		e->namelen = (uint32_t)strlen(e->name);
		e->off = l->names[i].off;
		e->type = l->names[i].type;
		res->n++;
	}
	res->eof = l->eof;
	return 0;
}

int coroutine_fn index_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	const uint8_t *gfid = args->inode ? args->inode->gfid : args->fd->inode->gfid;
	struct list_job job = { .offset = args->offset, .max = args->size / ENTRY_COST + 1 };
	int ret;

	if (!is_virtual(xl->priv, gfid, &job.path))
		return xl_readdir(xl->children[0], call, args, res);
	if (job.max > PAGE_MAX)
		job.max = PAGE_MAX;
	ret = loop_offload(job_list, &job);
	if (ret < 0)
		return ret;
	ret = fill_page(call, &job.listing, args->size, res);
	index_listing_free(&job.listing);
	return ret;
}

/* ---- removing ---- */

static int job_del(void *arg)
{
	return index_del(arg);
}

static int coroutine_fn remove_entry(struct index *ix, struct index_path *path)
{
	uint8_t gfid[16];

	if (path->type != INDEX_ENTRY_CHANGES && gfid_parse(path->entry, gfid))
		return index_remove(ix, path->type, gfid);
	return loop_offload(job_del, path);
}

static int coroutine_fn remove_inside(struct index *ix, const struct index_path *parent_path, const uint8_t *parent, const char *name,
				      bool directory, struct iatt *ret_pre, struct iatt *ret_post)
{
	struct index_path path = *parent_path;
	int ret = step_into(&path, name);

	if (ret < 0)
		return ret;
	if (directory != !path.entry)
		return directory ? -ENOTDIR : -EISDIR;
	ret = remove_entry(ix, &path);
	if (ret <= 0)
		return ret < 0 ? ret : -ENOENT;
	ret = stat_virtual(parent_path, parent, ret_post);
	*ret_pre = *ret_post;
	return ret;
}

int coroutine_fn index_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	struct index_path path;

	if (!is_virtual(xl->priv, args->parent->gfid, &path))
		return xl_unlink(xl->children[0], call, args, res);
	memset(res, 0, sizeof(*res));
	return remove_inside(xl->priv, &path, args->parent->gfid, args->name, false, &res->preparent, &res->postparent);
}

int coroutine_fn index_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	struct index_path path;

	if (!is_virtual(xl->priv, args->parent->gfid, &path))
		return xl_rmdir(xl->children[0], call, args, res);
	memset(res, 0, sizeof(*res));
	return remove_inside(xl->priv, &path, args->parent->gfid, args->name, true, &res->preparent, &res->postparent);
}
