/* gateway/subtree.c: see subtree.h. Directories know their parent. Of a file the bricks tell its paths, which are only hints: each is
 * walked, and has to end at this very file. */
#include "gateway/subtree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 1024
#define HINTS_MAX 16

static int coroutine_fn may_pass(struct nfs_op *op, struct inode *dir)
{
	struct access_args args = { .inode = dir, .mask = 1 };
	struct access_res *res = arena_alloc(op->rq->arena, sizeof(*res));
	int ret = res ? xl_access(op->top, &op->call, &args, res) : -ENOMEM;

	return ret < 0 ? ret : res->granted & 1 ? 0 : -EACCES;
}

static int coroutine_fn parent_of(struct nfs_op *op, struct inode *dir, struct inode **ret_parent)
{
	struct lookup_args args = { .parent = dir, .name = ".." };
	struct lookup_res *res = arena_alloc(op->rq->arena, sizeof(*res));
	struct call root = op->call;	/* what is above may be closed to the caller */
	int ret;

	root.uid = root.gid = root.ngroups = 0;
	ret = res ? xl_lookup(op->top, &root, &args, res) : -ENOMEM;
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	*ret_parent = nfs_inode(op, res->stat.gfid, S_IFDIR);
	return *ret_parent ? 0 : -ENOMEM;
}

int coroutine_fn subtree_has_dir(struct nfs_op *op, struct inode *dir, bool search, bool *ret_at_root)
{
	struct inode *at = dir;
	uint8_t root[16];
	unsigned depth;
	int ret;

	ret = gateway_export_root(op->vg->graph, op->rq->arena, op->export, root);
	if (ret < 0)
		return ret;
	*ret_at_root = gfid_equal(dir->gfid, root) || gfid_is_root(dir->gfid);
	if (gfid_is_root(root) && !search)
		return 0;		/* everything is below it */
	for (depth = 0; ret == 0 && depth < DEPTH_MAX; depth++) {
		if (gfid_equal(at->gfid, root))
			return 0;
		if (gfid_is_root(at->gfid))
			return -ESTALE;
		ret = parent_of(op, at, &at);
		if (ret == 0 && search)
			ret = may_pass(op, at);
	}
	return ret < 0 ? ret : -ESTALE;
}

/* @hint as a path from the volume's root to @inode: does it lead through the export's root, and to the object? As the caller. */
static int coroutine_fn try_hint(struct nfs_op *op, struct inode *inode, const char *hint)
{
	struct lookup_res *res = arena_alloc(op->rq->arena, sizeof(*res));
	struct lookup_args args = { .parent = NULL };
	size_t len = strlen(op->export->subdir), name;
	uint8_t root[16];
	int ret = gateway_export_root(op->vg->graph, op->rq->arena, op->export, root);

	if (ret < 0 || !res)
		return ret < 0 ? ret : -ENOMEM;
	hint += strspn(hint, "/");
	if (len && (strncmp(hint, op->export->subdir, len) != 0 || hint[len] != '/'))
		return -ESTALE;
	args.parent = nfs_inode(op, root, S_IFDIR);
	for (hint += len; args.parent; hint += name) {
		hint += strspn(hint, "/");
		name = strcspn(hint, "/");
		if (!name)
			return gfid_equal(args.parent->gfid, inode->gfid) ? 0 : -ESTALE;
		args.name = arena_strndup(op->rq->arena, hint, name);
		memset(res, 0, sizeof(*res));
		ret = args.name ? xl_lookup(op->top, &op->call, &args, res) : -ENOMEM;
		if (ret < 0)
			return ret == -ENOENT || ret == -ENOTDIR || ret == -ENODATA ? -ESTALE : ret;
		args.parent = nfs_inode(op, res->stat.gfid, res->stat.mode & S_IFMT);
	}
	return -ENOMEM;
}

/* "/a/x:/b/y": where one ends and the next begins is not sure, for names may have colons. Each way is tried. */
static int coroutine_fn try_hints(struct nfs_op *op, struct inode *inode, char *hints)
{
	char *starts[HINTS_MAX], *end, *copy;
	unsigned n = 0, i, tried = 0;
	int ret, worst = -ESTALE;

	for (end = hints; n < HINTS_MAX && end && *end; end = strstr(end, ":/"), end = end ? end + 1 : NULL)
		starts[n++] = end;
	for (i = 0; i < n; i++) {
		for (end = strstr(starts[i], ":/"); tried++ < HINTS_MAX; end = strstr(end + 1, ":/")) {
			copy = arena_strndup(op->rq->arena, starts[i], end ? (size_t)(end - starts[i]) : strlen(starts[i]));
			ret = copy ? try_hint(op, inode, copy) : -ENOMEM;
			if (ret == 0)
				return 0;
			if (ret != -ESTALE)
				worst = ret;
			if (!end)
				break;
		}
	}
	return worst;
}

static int coroutine_fn ask_hints(struct nfs_op *op, struct inode *inode, const char *name, char **ret_hints)
{
	struct getxattr_args args = { .inode = inode, .name = name };
	struct getxattr_res *res = arena_alloc(op->rq->arena, sizeof(*res));
	struct call root = op->call;
	int ret;

	root.uid = root.gid = root.ngroups = 0;
	ret = res ? xl_getxattr(op->top, &root, &args, res) : -ENOMEM;
	if (ret < 0)
		return ret;
	*ret_hints = res->xattrs.n ? arena_strndup(op->rq->arena, res->xattrs.v[0].value, res->xattrs.v[0].len) : NULL;
	return *ret_hints ? 0 : -ENODATA;
}

int coroutine_fn subtree_check(struct nfs_op *op, struct inode *inode)
{
	static const char *const names[] = { "glusterfs.gfidtopath", "glusterfs.gfid2path" };	/* one, or all of them; stock bricks differ */
	int ret, worst = -ESTALE;
	bool at_root;
	char *hints;
	unsigned i;

	if (S_ISDIR(inode->type))
		return subtree_has_dir(op, inode, true, &at_root);
	for (i = 0; i < 2; i++) {
		ret = ask_hints(op, inode, names[i], &hints);
		if (ret == 0)
			ret = try_hints(op, inode, hints);
		if (ret == 0)
			return 0;
		if (ret != -ESTALE && ret != -ENODATA && ret != -EOPNOTSUPP)
			worst = ret;
	}
	return worst;
}
