/* xlators/cluster/distribute/attr.c: attributes and extended attributes of files and of directories.
 *
 * A directory's are on every subvolume. A change goes to the authoritative copy first and counts when it succeeded there; copies that missed
 * it are repaired when somebody looks at the directory next (selfheal.c). */
#include <endian.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

/* What a plain stat of all copies tells: attributes always, the layout only when all of it came along. */
static void remember(struct xlator *xl, struct inode *inode, struct dht_copies *c)
{
	if (c->layout->complete && !c->layout->unheard)
		dht_set_dir(xl, inode, c->layout, c->mds);
	dht_iatt_complete(xl, inode, &c->stat);
}

static int first_error(struct xlator *xl, const struct answer *ans)
{
	int gone = -ENOTCONN;

	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err < 0 && !dht_gone(ans[i].err))
			return ans[i].err;
		if (ans[i].err < 0)
			gone = ans[i].err;
	}
	return gone;
}

static int coroutine_fn stat_dir(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct xattr_want want = dht_want(args->want);
	struct stat_args a = *args;
	struct dht_copies c;
	struct answer *ans;
	int ret;

	a.want = &want;
	ans = dht_fanout_same(xl, call, FOP_stat, &a, -1);
	if (!ans)
		return -ENOMEM;
	ret = dht_copies_read(xl, ans, FOP_stat, &c);
	if (ret < 0)
		return ret;
	if (c.found) {
		for (unsigned i = 0; i < xl->nchildren && !res->stat.mode; i++) {
			if (ans[i].err == 0)
				*res = ans[c.mds >= 0 ? c.mds : (int)i].res->stat;
		}
		res->stat = c.stat;
		remember(xl, args->inode, &c);
	} else {
		ret = first_error(xl, ans);
	}
	dht_layout_unref(c.layout);
	return ret;
}

int coroutine_fn distribute_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct lookup_args a = { .inode = args->inode, .want = args->want, .count = args->count };
	struct lookup_res l = { 0 };
	int ret;

	if (dht_single(xl))
		return xl_stat(xl->children[0], call, args, res);
	if (dht_cached(xl, args->inode) >= 0)
		return dht_on_file(xl, call, args->inode, FOP_stat, args, res);
	*res = (struct stat_res){ 0 };
	if (dht_dir(xl, args->inode))
		return stat_dir(xl, call, args, res);
	ret = dht_lookup_gfid(xl, call, &a, &l);	/* nothing known of it: finding it tells its attributes too */
	if (ret < 0)
		return ret == -ENOENT ? -ESTALE : ret;
	*res = (struct stat_res){ l.stat, l.xattrs, l.counts };
	return 0;
}

/* The copy that counts: marked so, or the first by name when none is (the root). */
static int authoritative(struct xlator *xl, struct inode *inode)
{
	const struct distribute *d = xl->priv;
	struct dht_dir *dir = dht_dir(xl, inode);

	return dir && dir->mds >= 0 ? dir->mds : (int)d->order[0];
}

/* Does @op on the authoritative copy @first, then on the others. *ret_missed: how many others failed. */
static struct answer *coroutine_fn on_copies(struct xlator *xl, struct call *call, int first, enum fop op, const void *args,
					     int *ret_err, unsigned *ret_missed)
{
	union fop_res *res = arena_alloc(call->arena, fop_res_sizes[op]);
	struct answer *ans = NULL;

	*ret_missed = 0;
	*ret_err = res ? xl_call(xl->children[first], call, op, args, res) : -ENOMEM;
	if (*ret_err < 0)
		return NULL;
	co_shield();
	ans = dht_fanout_same(xl, call, op, args, first);
	co_unshield();
	if (!ans) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	ans[first] = (struct answer){ 0, res };
	for (unsigned i = 0; i < xl->nchildren; i++)
		*ret_missed += ans[i].err < 0;
	return ans;
}

static int coroutine_fn setattr_dir(struct xlator *xl, struct call *call, const struct setattr_args *args, struct setattr_res *res)
{
	struct answer *ans;
	unsigned missed;
	int first = authoritative(xl, args->inode), ret;

	ans = on_copies(xl, call, first, FOP_setattr, args, &ret, &missed);
	if (!ans)
		return ret;
	*res = ans[first].res->setattr;
	res->pre = res->post = (struct iatt){ 0 };
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err == 0)
			dht_iatt_merge(&res->post, &ans[i].res->setattr.post);
	}
	dht_iatt_complete(xl, args->inode, &res->post);
	return 0;
}

int coroutine_fn distribute_setattr(struct xlator *xl, struct call *call, const struct setattr_args *args, struct setattr_res *res)
{
	int ret;

	if (dht_single(xl))
		return xl_setattr(xl->children[0], call, args, res);
	ret = dht_locate(xl, call, args->inode);
	if (ret == -EISDIR)
		return setattr_dir(xl, call, args, res);
	return ret < 0 ? ret : dht_on_file(xl, call, args->inode, FOP_setattr, args, res);
}

/* The counter on the authoritative copy says that some copy's user attributes are behind. */
static void coroutine_fn blame(struct xlator *xl, struct call *call, struct inode *inode, int first)
{
	struct call own = dht_internal(call);
	uint32_t one = htobe32(1);
	struct xattr x = { DHT_MDS, &one, sizeof(one) };
	struct xattrop_args args = { .inode = inode, .op = XATTROP_ADD32, .operands = { &x, 1 } };
	struct xattrop_res res;

	xl_xattrop(xl->children[first], &own, &args, &res);
}

static int coroutine_fn xattr_dir(struct xlator *xl, struct call *call, struct inode *inode, enum fop op, const void *args, void *res)
{
	struct answer *ans;
	unsigned missed;
	int first = authoritative(xl, inode), ret;

	ans = on_copies(xl, call, first, op, args, &ret, &missed);
	if (!ans)
		return ret;
	memcpy(res, ans[first].res, fop_res_sizes[op]);
	if (missed)
		blame(xl, call, inode, first);
	return 0;
}

int coroutine_fn distribute_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	int ret;

	if (dht_single(xl))
		return xl_setxattr(xl->children[0], call, args, res);
	ret = dht_locate(xl, call, args->inode);
	if (ret != -EISDIR)
		return ret < 0 ? ret : dht_on_file(xl, call, args->inode, FOP_setxattr, args, res);
	ret = xattr_dir(xl, call, args->inode, FOP_setxattr, args, res);
	if (ret == 0)
		dht_parent_result(xl, args->inode, &res->pre, &res->post);
	return ret;
}

int coroutine_fn distribute_removexattr(struct xlator *xl, struct call *call, const struct removexattr_args *args,
					struct removexattr_res *res)
{
	int ret;

	if (dht_single(xl))
		return xl_removexattr(xl->children[0], call, args, res);
	ret = dht_locate(xl, call, args->inode);
	if (ret != -EISDIR)
		return ret < 0 ? ret : dht_on_file(xl, call, args->inode, FOP_removexattr, args, res);
	ret = xattr_dir(xl, call, args->inode, FOP_removexattr, args, res);
	if (ret == 0)
		dht_parent_result(xl, args->inode, &res->pre, &res->post);
	return ret;
}
