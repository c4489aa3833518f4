/* xlators/storage/posix/rename.c: one object changes its name, another may lose its own.
 *
 * The kernel's rename is the one step that counts, done as the caller; handles and path attributes follow as root. A directory's stale
 * handle, left by a crash in between, is set right by the next lookup of the new name. */
#include "xlators/storage/posix/job.h"

#include <stdio.h>
#include <string.h>

struct renaming {
	struct posix *px;
	struct call *call;
	const struct rename_args *args;
	struct node *oldparent, *newparent, *node, *victim;
	struct statx st, victim_st;
	bool locked;
};

static int rename_begin(struct renaming *r, struct rename_res *res)
{
	const struct rename_args *args = r->args;
	int ret = node_of(r->px, args->oldparent, NULL, &r->oldparent);

	if (ret == 0)
		ret = node_of(r->px, args->newparent, NULL, &r->newparent);
	if (ret < 0)
		return ret;
	if (r->oldparent->type != S_IFDIR || r->newparent->type != S_IFDIR)
		return -ENOTDIR;
	ret = name_check(r->oldparent, args->oldname);
	if (ret == 0)
		ret = name_check(r->newparent, args->newname);
	if (ret == 0)
		ret = node_iatt(r->px, r->oldparent, &res->preold);
	if (ret == 0)
		ret = node_iatt(r->px, r->newparent, &res->prenew);
	if (ret < 0)
		return ret;
	name_lock_two(r->px, r->oldparent->gfid, args->oldname, r->newparent->gfid, args->newname);
	r->locked = true;
	ret = entry_open(r->px, r->oldparent, args->oldname, &r->st, &r->node);
	if (ret < 0)
		return ret;
	ret = entry_open(r->px, r->newparent, args->newname, &r->victim_st, &r->victim);
	return ret == -ENOENT || ret == -ENODATA ? 0 : ret;
}

static int rename_as_caller(struct renaming *r)
{
	int ret;

	creds_user(r->call);
	ret = renameat(r->oldparent->fd, r->args->oldname, r->newparent->fd, r->args->newname) < 0 ? -errno : 0;
	creds_root();
	return ret == -EEXIST ? -ENOTEMPTY : ret;
}

static int rename_over(struct renaming *r)
{
	struct node *victim = r->victim;
	int ret;

	if (!victim)
		return rename_as_caller(r);
	pthread_rwlock_wrlock(&victim->layout);
	ret = object_statx_timeless(victim->fd, &r->victim_st);
	if (ret == 0)
		ret = rename_as_caller(r);
	if (ret == 0)
		object_unnamed(r->px, r->call, victim, r->victim_st.stx_nlink, r->newparent->gfid, r->args->newname);
	pthread_rwlock_unlock(&victim->layout);
	return ret;
}

static int follow_up(struct renaming *r)
{
	const struct rename_args *args = r->args;
	int ret = 0;

	if (r->node->type == S_IFDIR) {
		ret = handle_make_dir(r->px, r->newparent->gfid, args->newname, r->node->gfid);
	} else {
		path_attr_remove(r->px, r->node, r->oldparent->gfid, args->oldname);
		path_attr_add(r->px, r->node, r->newparent->gfid, args->newname);
	}
	node_touch(r->px, r->node, r->call, r->call->time_flags & TIME_CTIME);
	node_touch_parent(r->px, r->oldparent, r->call);
	if (r->newparent != r->oldparent)
		node_touch_parent(r->px, r->newparent, r->call);
	return ret;
}

static int rename_job(struct posix *px, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	struct renaming r = { .px = px, .call = call, .args = args };
	int ret = rename_begin(&r, res);

	if (ret == 0 && r.node != r.victim) {
		ret = rename_over(&r);
		if (ret == 0)
			ret = follow_up(&r);
	} else if (ret == 0) {
		ret = rename_as_caller(&r);	/* two names of one object: nothing happens, but the rights are checked */
	}
	if (r.locked)
		name_unlock_two(px, r.oldparent->gfid, args->oldname, r.newparent->gfid, args->newname);
	if (ret == 0)
		ret = node_iatt(px, r.node, &res->stat);
	if (ret == 0)
		ret = node_iatt(px, r.oldparent, &res->postold);
	if (ret == 0)
		ret = node_iatt(px, r.newparent, &res->postnew);
	node_put(px, r.victim);
	node_put(px, r.node);
	node_put(px, r.oldparent);
	node_put(px, r.newparent);
	return ret;
}
POSIX_FOP(rename, STABLE)
