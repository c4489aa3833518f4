/* xlators/cluster/distribute/rename_dir.c: renaming a directory, which happens on every subvolume or on none.
 *
 * First where the new name hashes, because there everybody looks; then on all others. If one of those refuses, the rest is renamed back. */
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

static void coroutine_fn rename_back(struct xlator *xl, struct call *call, const struct rename_args *args, const struct answer *ans)
{
	struct call own = dht_internal(call);
	struct rename_args back = { .oldparent = args->newparent, .oldname = args->newname, .newparent = args->oldparent,
				    .newname = args->oldname, .inode = args->inode, .internal = true };
	const void **to = dht_args(xl, call);

	for (unsigned i = 0; to && i < xl->nchildren; i++)
		to[i] = ans[i].err == 0 ? &back : NULL;
	if (to)
		dht_fanout(xl, &own, FOP_rename, to);
}

static int coroutine_fn rename_all(struct xlator *xl, struct call *call, const struct rename_args *args, int first,
				   struct rename_res *res, struct answer **ret_ans)
{
	struct answer *ans;
	union fop_res *mine = arena_alloc(call->arena, sizeof(*mine));
	int ret = mine ? xl_rename(xl->children[first], call, args, &mine->rename) : -ENOMEM;

	if (ret < 0)
		return ret;
	ans = dht_fanout_same(xl, call, FOP_rename, args, first);
	if (!ans)
		return -EIO;
	ans[first] = (struct answer){ 0, mine };
	*ret_ans = ans;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		const struct rename_res *r = &ans[i].res->rename;

		if (ans[i].err < 0 && !dht_gone(ans[i].err))
			ret = ans[i].err;
		if (ans[i].err)
			continue;
		dht_iatt_merge(&res->stat, &r->stat);
		dht_iatt_merge(&res->postold, &r->postold);
		dht_iatt_merge(&res->postnew, &r->postnew);
	}
	return ret;
}

int coroutine_fn dht_rename_dir(struct xlator *xl, struct call *call, const struct rename_args *args, const struct dht_found *from,
				const struct dht_found *to, int dst_hashed, struct rename_res *res)
{
	struct inode *over = NULL, *dir;
	struct dht_copies c = { 0 };
	struct answer *ans = NULL;
	struct dht_locks locks;
	int ret = 0;

	dht_locks_init(xl, &locks);
	if (to && !S_ISDIR(to->res.stat.mode))
		return -ENOTDIR;
	if (to && gfid_equal(to->res.stat.gfid, args->oldparent->gfid))
		return -ENOTEMPTY;	/* of this very directory, whose layout is locked already */
	if (!dht_all_up(xl))
		return -ENOTCONN;
	if (to && gfid_equal(from->res.stat.gfid, to->res.stat.gfid)) {
		/* One name, or two after a rename that was cut short: it is finished where the directory has the old one still. */
		if (args->oldparent != args->newparent || strcmp(args->oldname, args->newname) != 0)
			dht_fanout_same(xl, call, FOP_rename, args, -1);
		return 0;
	}
	if (to) {
		over = inode_get(xl_inodes(xl), to->res.stat.gfid);
		ret = over ? dht_dir_copies(xl, call, args->newparent, args->newname, dst_hashed, &c) : -ENOMEM;
		if (ret == 0)
			ret = dht_dir_lock_doomed(xl, call, over, &locks);
		if (ret == 0)
			ret = dht_dir_empty(xl, call, over);
	}
	if (ret == 0) {
		co_shield();
		ret = rename_all(xl, call, args, dst_hashed, res, &ans);
		if (dht_gone(ret) && !ans) {	/* the subvolume that decides lacks it: it gets it now */
			ret = dht_make_missing(xl, call, args->oldparent, args->oldname, from->res.stat.gfid);
			if (ret == 0)
				ret = rename_all(xl, call, args, dst_hashed, res, &ans);
			if (dht_gone(ret) && !ans)
				ret = -EAGAIN;
		}
		if (ret < 0 && ans) {
			rename_back(xl, call, args, ans);
			if (over)
				dht_dir_put_back(xl, call, args->newparent, args->newname, over, &c, ans);
		}
		co_unshield();
	}
	dht_locks_release_later(xl, call, &locks);
	dir = inode_find(xl_inodes(xl), from->res.stat.gfid);
	if (ret == 0 && dir)
		dht_iatt_complete(xl, dir, &res->stat);
	inode_unref(dir);
	inode_unref(over);
	dht_layout_unref(c.layout);
	return ret;
}
