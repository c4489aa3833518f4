/* gateway/nfs3_name.c: LOOKUP, REMOVE, RMDIR, RENAME and LINK. What makes objects is in nfs3_make.c. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/nfs3.h"
#include "gateway/subtree.h"
#include "gateway/trust.h"

#define RETRANSMISSION_NS 600000000000ll	/* who waits longer for an answer gets EXIST */
#define CLOCK_GRAIN_NS 100000000ll /* no gateway is back sooner; kernels stamp with a clock that lags a little */

/* ".." of the export's root is that root, and of a directory that is not below it any more nothing: nobody climbs out. */
static int coroutine_fn lookup_parent(struct nfs_op *op, struct lookup_res *res)
{
	struct lookup_args args = { .parent = op->inode, .name = ".." };
	bool at_root;
	int ret;

	ret = subtree_has_dir(op, op->inode, false, &at_root);
	if (ret < 0)
		return ret;
	if (at_root)
		return nfs_stat(op, op->inode, &res->stat);
	return xl_lookup(op->top, &op->call, &args, res);
}

static int coroutine_fn lookup_name(struct nfs_op *op, const char *name, struct lookup_res *res)
{
	struct lookup_args args = { .parent = op->inode, .name = name };

	if (!S_ISDIR(op->inode->type))
		return -ENOTDIR;
	if (strcmp(name, "..") == 0)
		return lookup_parent(op, res);
	if (strcmp(name, ".") != 0)
		return gateway_lookup(op->vg->graph, &op->call, &args, NULL, res);
	return nfs_stat(op, op->inode, &res->stat);
}

int coroutine_fn nfs3_lookup(struct rpc_request *rq, const void *args, void *res)
{
	struct lookup_res *found = arena_alloc(rq->arena, sizeof(*found));
	const LOOKUP3args *a = args;
	LOOKUP3res *r = res;
	LOOKUP3resok *ok = &r->LOOKUP3res_u.resok;
	struct nfs_op op;

	r->status = found ? nfs_begin(&op, rq, &a->what.dir, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = nfs_name(&a->what.name, NAME_LOOKUP);
	if (r->status == NFS3_OK)
		r->status = status_of(lookup_name(&op, a->what.name.text, found));
	if (r->status == NFS3_OK && gateway_handle(op.vg, op.export, &found->stat, &ok->object) < 0)
		r->status = NFS3ERR_SERVERFAULT;
	if (r->status != NFS3_OK) {
		nfs_post_ask(&op, op.inode, &found->parent, &r->LOOKUP3res_u.resfail.dir_attributes);
		r->status = nfs_settled(&op, r->status);
		return nfs_done(rq, r->status);
	}
	nfs_post(&op, &found->stat, &ok->obj_attributes);
	nfs_post(&op, &found->parent, &ok->dir_attributes);
	return nfs_done(rq, r->status);
}

/* Return whether this very call was in doubt before. It is in doubt again when it is put off once more, or when it is put off
 * for the first time after it was sent: a call that no brick has seen changed nothing. */
static bool doubted(struct nfs_op *op, int ret)
{
	bool again = doubt_take(op->volume->doubts, op->rq, NULL);

	if (status_of(ret) == NFS3ERR_JUKEBOX && (*op->sent || again))
		doubt_add(op->volume->doubts, op->rq, NULL);
	return again;
}

/* A name that is gone, when this very call was in doubt before: it was this call that removed it. */
static int settle(struct nfs_op *op, int ret)
{
	return doubted(op, ret) && ret == -ENOENT ? 0 : ret;
}

int coroutine_fn nfs3_remove(struct rpc_request *rq, const void *args, void *res)
{
	struct unlink_res *done = arena_alloc(rq->arena, sizeof(*done));
	const REMOVE3args *a = args;
	REMOVE3res *r = res;
	struct unlink_args uargs;
	struct nfs_op op;
	int ret;

	r->status = done ? nfs_begin(&op, rq, &a->object.dir, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = nfs_name(&a->object.name, NAME_REMOVE);
	if (r->status == NFS3_OK) {
		uargs = (struct unlink_args){ .parent = op.inode, .name = a->object.name.text };
		ret = S_ISDIR(op.inode->type) ? xl_unlink(op.top, &op.call, &uargs, done) : -ENOTDIR;
		r->status = status_of(settle(&op, ret));
	}
	nfs_wcc(&op, op.inode, &done->preparent, &done->postparent, &r->REMOVE3res_u.resok.dir_wcc);
	r->status = nfs_settled(&op, r->status);
	return nfs_done(rq, r->status);
}

int coroutine_fn nfs3_rmdir(struct rpc_request *rq, const void *args, void *res)
{
	struct rmdir_res *done = arena_alloc(rq->arena, sizeof(*done));
	const RMDIR3args *a = args;
	RMDIR3res *r = res;
	struct rmdir_args rargs;
	struct nfs_op op;
	int ret;

	r->status = done ? nfs_begin(&op, rq, &a->object.dir, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = nfs_name(&a->object.name, NAME_RMDIR);
	if (r->status == NFS3_OK) {
		rargs = (struct rmdir_args){ .parent = op.inode, .name = a->object.name.text };
		ret = S_ISDIR(op.inode->type) ? xl_rmdir(op.top, &op.call, &rargs, done) : -ENOTDIR;
		r->status = status_of(settle(&op, ret));
	}
	nfs_wcc(&op, op.inode, &done->preparent, &done->postparent, &r->RMDIR3res_u.resok.dir_wcc);
	r->status = nfs_settled(&op, r->status);
	return nfs_done(rq, r->status);
}

/* The same for RENAME, if there is something under the new name. */
static int coroutine_fn settle_rename(struct nfs_op *op, struct inode *to, const char *name, int ret)
{
	struct lookup_args args = { .parent = to, .name = name };
	struct lookup_res *found;
	int seen;

	if (settle(op, ret) == ret)
		return ret;
	found = arena_alloc(op->rq->arena, sizeof(*found));
	seen = found ? xl_lookup(op->top, &op->call, &args, found) : -ENOMEM;
	if (status_of(seen) == NFS3ERR_JUKEBOX) {	/* bricks went away again: still in doubt */
		doubt_add(op->volume->doubts, op->rq, NULL);
		return seen;
	}
	return seen == 0 ? 0 : ret;
}

static nfsstat3 coroutine_fn rename_names(struct nfs_op *op, const RENAME3args *a, struct inode *to,
					  struct rename_res *res)
{
	struct rename_args args = {
		.oldparent = op->inode, .oldname = a->from.name.text, .newparent = to, .newname = a->to.name.text,
	};
	nfsstat3 status;
	int ret;

	status = nfs_name(&a->from.name, NAME_RENAME);
	if (status == NFS3_OK)
		status = nfs_name(&a->to.name, NAME_RENAME);
	if (status != NFS3_OK)
		return status;
	if (!S_ISDIR(op->inode->type) || !S_ISDIR(to->type))
		return NFS3ERR_NOTDIR;
	ret = trust_rename(op, args.oldname, to);
	if (ret == 0)
		ret = xl_rename(op->top, &op->call, &args, res);
	if (ret == 0 || ret == -ENOENT || status_of(ret) == NFS3ERR_JUKEBOX)
		ret = settle_rename(op, to, args.newname, ret);
	return status_of(ret);
}

int coroutine_fn nfs3_rename(struct rpc_request *rq, const void *args, void *res)
{
	struct rename_res *done = arena_alloc(rq->arena, sizeof(*done));
	const RENAME3args *a = args;
	RENAME3res *r = res;
	RENAME3resok *ok = &r->RENAME3res_u.resok;
	struct inode *to = NULL;
	struct nfs_op op;

	r->status = done ? nfs_begin(&op, rq, &a->from.dir, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = nfs_second(&op, &a->to.dir, &to);
	if (r->status == NFS3_OK)
		r->status = rename_names(&op, a, to, done);
	nfs_wcc(&op, op.inode, &done->preold, &done->postold, &ok->fromdir_wcc);
	if (to)
		nfs_wcc(&op, to, &done->prenew, &done->postnew, &ok->todir_wcc);
	r->status = nfs_settled(&op, r->status);
	return nfs_done(rq, r->status);
}

/* EEXIST although the name is a link to this very object: a link() made twice, or the answer to one was lost, because it
 * was in doubt (@again) or because this gateway was killed. The last comes again over a new connection, and the
 * link's ctime is from before that connection. */
static bool coroutine_fn linked_before(struct nfs_op *op, struct inode *dir, const char *name, bool again,
				       struct iatt *ret_stat)
{
	struct gateway_conn *gc = op->rq->conn ? rpc_conn_user(op->rq->conn) : NULL;
	struct lookup_args args = { .parent = dir, .name = name };
	struct lookup_res *found = arena_alloc(op->rq->arena, sizeof(*found));
	int64_t age_ns;

	if (!found || xl_lookup(op->top, &op->call, &args, found) < 0)
		return false;
	*ret_stat = found->stat;
	if (!gfid_equal(found->stat.gfid, op->inode->gfid))
		return false;
	if (again || !gc)
		return again;
	age_ns = gc->opened_ns - (found->stat.ctime.sec * 1000000000 + found->stat.ctime.nsec);
	return age_ns > CLOCK_GRAIN_NS && age_ns < RETRANSMISSION_NS;
}

static nfsstat3 coroutine_fn link_name(struct nfs_op *op, const LINK3args *a, struct inode *dir, struct link_res *res)
{
	struct link_args args = { .inode = op->inode, .newparent = dir, .newname = a->link.name.text };
	nfsstat3 status = nfs_name(&a->link.name, NAME_MAKE);
	bool again;
	int ret;

	if (status != NFS3_OK)
		return status;
	if (!S_ISDIR(dir->type))
		return NFS3ERR_NOTDIR;
	if (S_ISDIR(op->inode->type))
		return NFS3ERR_INVAL;
	ret = xl_link(op->top, &op->call, &args, res);
	again = doubted(op, ret);
	if (ret == -EEXIST && linked_before(op, dir, a->link.name.text, again, &res->stat))
		ret = 0;
	return status_of(ret);
}

int coroutine_fn nfs3_link(struct rpc_request *rq, const void *args, void *res)
{
	struct link_res *done = arena_alloc(rq->arena, sizeof(*done));
	const LINK3args *a = args;
	LINK3res *r = res;
	LINK3resok *ok = &r->LINK3res_u.resok;
	struct inode *dir = NULL;
	struct nfs_op op;

	r->status = done ? nfs_begin(&op, rq, &a->file, NFS_MODIFIES) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = nfs_second(&op, &a->link.dir, &dir);
	if (r->status == NFS3_OK)
		r->status = link_name(&op, a, dir, done);
	nfs_post_ask(&op, op.inode, &done->stat, &ok->file_attributes);
	if (dir)
		nfs_wcc(&op, dir, &done->preparent, &done->postparent, &ok->linkdir_wcc);
	r->status = nfs_settled(&op, r->status);
	return nfs_done(rq, r->status);
}
