/* xlators/cluster/distribute/linkto.c: the signpost on the subvolume where a name hashes, when its file lives on another (B7). */
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

/* A linkto of another file, or a file, is in the way: -EEXIST. The very one wanted: 0. */
static int coroutine_fn same_linkto(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const uint8_t *gfid,
				    int on, int to)
{
	struct xattr_want want = dht_want(NULL);
	struct lookup_args args = { .parent = parent, .name = name, .want = &want };
	struct lookup_res res = { 0 };
	const struct xattr *x;

	if (xl_lookup(xl->children[on], call, &args, &res) < 0 || !dht_is_linkto(&res.stat, &res.xattrs))
		return -EEXIST;
	x = xattrs_find(&res.xattrs, DHT_LINKTO);
	return gfid_equal(res.stat.gfid, gfid) && dht_child_by_name(xl, x->value, x->len) == to ? 0 : -EEXIST;
}

int coroutine_fn dht_linkto_make(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const uint8_t *gfid,
				 int on, int to, const struct preop *preop, bool force)
{
	struct call own = dht_internal(call);
	const char *target = xl->children[to]->name;
	struct xattr x = { DHT_LINKTO, target, (uint32_t)strlen(target) + 1 };
	struct mknod_args args = { .parent = parent, .name = name, .mode = DHT_LINKTO_MODE, .gfid = gfid, .xattrs = { &x, 1 },
				   .internal = true, .force_replace = force };
	struct mknod_res res = { 0 };
	int ret;

	if (preop)
		args.preop = *preop;
	ret = xl_mknod(xl->children[on], &own, &args, &res);
	if (ret < 0 && res.preop_failed)
		return -ESTALE;
	if (ret == -EEXIST)
		return same_linkto(xl, &own, parent, name, gfid, on, to);
	return ret;
}

/* The brick made it as root's; quota, sticky directories and the like look at the owner. */
int coroutine_fn dht_linkto_owner(struct xlator *xl, struct call *call, const uint8_t *gfid, int on, uint32_t uid, uint32_t gid)
{
	struct call own = dht_internal(call);
	struct inode *inode = inode_get(xl_inodes(xl), gfid);
	struct setattr_args args = { .inode = inode, .stat = { .uid = uid, .gid = gid }, .valid = SET_UID | SET_GID, .internal = true };
	struct setattr_res res;
	int ret = inode ? xl_setattr(xl->children[on], &own, &args, &res) : -ENOMEM;

	inode_unref(inode);
	return ret;
}

/* The file is there now. A client that looked before it was may have taken its linkto for a stale one and removed it. */
void coroutine_fn dht_linkto_keep(struct xlator *xl, struct call *call, struct inode *parent, const char *name, const struct iatt *stat,
				  int on, int to)
{
	struct call own = dht_internal(call);
	struct lookup_args args = { .parent = parent, .name = name };
	struct lookup_res res = { 0 };

	if (dht_gone(xl_lookup(xl->children[on], &own, &args, &res)))
		dht_linkto_make(xl, call, parent, name, stat->gfid, on, to, NULL, false);
	if (stat->uid || stat->gid)
		dht_linkto_owner(xl, call, stat->gfid, on, stat->uid, stat->gid);
}

int coroutine_fn dht_linkto_remove(struct xlator *xl, struct call *call, struct inode *parent, const char *name, int on)
{
	struct call own = dht_internal(call);
	struct unlink_args args = { .parent = parent, .name = name, .only_if_linkto = true, .internal = true, .dont_account = true };
	struct unlink_res res;
	int ret = xl_unlink(xl->children[on], &own, &args, &res);

	return dht_gone(ret) ? 0 : ret;
}
