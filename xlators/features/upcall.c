/* xlators/features/upcall.c: features/upcall: a client that looked at an object hears when another one changed it, before that is answered.
 *
 * The one idea: gateways may remember attributes and names because the brick knows who looked (upcall_holders.c). Each fop here does three
 * things: note that the caller looks, pass the call on, tell the others and wait for them. Attributes that came with a directory listing
 * are no look: a client must not remember them. */
#include "xlators/features/upcall.h"

#include <string.h>
#include <sys/stat.h>

static struct inode *target(struct inode *inode, struct fd *fd)
{
	return inode ? inode : fd->inode;
}

/* Something may have changed although the call failed. */
static bool may_have_changed(int ret)
{
	return ret == 0 || ret == -EIO || ret == -ENOSPC || ret == -EDQUOT;
}

static void coroutine_fn tell(struct xlator *xl, const struct call *call, const uint8_t *gfid, uint32_t flags, const struct iatt *stat,
			      int ret)
{
	struct xl_upcall u = { .flags = flags };
	struct change ch;

	if (!may_have_changed(ret))
		return;
	change_begin(&ch, xl->priv, call);
	if (stat && ret == 0)
		u.stat = *stat;
	change_tell(&ch, gfid, &u);
	change_wait(&ch);
}

/* ---- looking ---- */

static int coroutine_fn upcall_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct upcall *up = xl->priv;
	uint64_t before = up->changes;
	struct inode *found;
	int ret;

	holders_add(up, call, args->name ? args->parent : args->inode);
	ret = xl_lookup(xl->children[0], call, args, res);
	if (ret < 0 || !args->name || !up->on || !call->client)
		return ret;
	found = inode_get(xl_inodes(xl), res->stat.gfid);
	if (!found)
		return 0;
	holders_add(up, call, found);
	if (holders_changed_since(up, found->gfid, before))	/* it was not ours yet when the others were told */
		ret = xl_lookup(xl->children[0], call, args, res);
	inode_unref(found);
	return ret;
}

#define LOOKING(op, inode_expr) \
	static int coroutine_fn upcall_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		holders_add(xl->priv, call, inode_expr); \
		return xl_##op(xl->children[0], call, args, res); \
	}
LOOKING(stat, target(args->inode, args->fd))
LOOKING(readlink, args->inode)
LOOKING(access, args->inode)
LOOKING(open, args->inode)
LOOKING(opendir, args->inode)
LOOKING(readv, target(args->inode, args->fd))
LOOKING(readdir, target(args->inode, args->fd))
LOOKING(getxattr, target(args->inode, args->fd))

/* ---- changing one object ---- */

#define CHANGING(op, flags, stat) \
	static int coroutine_fn upcall_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct inode *inode = target(args->inode, args->fd); \
		int ret; \
		holders_add(xl->priv, call, inode); \
		ret = xl_##op(xl->children[0], call, args, res); \
		tell(xl, call, inode->gfid, flags, stat, ret); \
		return ret; \
	}
CHANGING(writev, UP_SIZE | UP_TIMES, &res->post)
CHANGING(truncate, UP_SIZE | UP_TIMES, &res->post)
CHANGING(fallocate, UP_SIZE | UP_TIMES, &res->post)
CHANGING(discard, UP_SIZE | UP_TIMES, &res->post)
CHANGING(zerofill, UP_SIZE | UP_TIMES, &res->post)
CHANGING(setattr, UP_MODE | UP_OWN | UP_SIZE | UP_TIMES | UP_PERM | UP_XATTR, &res->post)
CHANGING(setxattr, UP_XATTR | UP_TIMES, &res->post)
CHANGING(removexattr, UP_XATTR_RM | UP_XATTR | UP_TIMES, &res->post)

static bool all_zero(const struct xattr *x)
{
	const uint8_t *p = x->value;
	uint32_t i;

	for (i = 0; i < x->len; i++)
		if (p[i])
			return false;
	return true;
}

/* "Dirty" goes up and down with every write and blames nobody; all else may change what may be read. */
static bool xattrop_matters(const struct xattrop_args *args)
{
	uint32_t i;

	for (i = 0; i < args->operands.n; i++)
		if (strcmp(args->operands.v[i].name, "trusted.afr.dirty") != 0 && !all_zero(&args->operands.v[i]))
			return true;
	return false;
}

static int coroutine_fn upcall_xattrop(struct xlator *xl, struct call *call, const struct xattrop_args *args, struct xattrop_res *res)
{
	struct inode *inode = target(args->inode, args->fd);
	int ret;

	holders_add(xl->priv, call, inode);
	ret = xl_xattrop(xl->children[0], call, args, res);
	if (xattrop_matters(args) && may_have_changed(ret)) {
		struct xl_upcall u = { .flags = UP_XATTR };
		struct change ch;

		change_begin(&ch, xl->priv, call);
		change_tell_all(&ch, inode->gfid, &u);	/* what replicate believes of copies outlives a lease */
		change_wait(&ch);
	}
	return ret;
}

/* ---- new names ---- */

/* The maker knows the new object's attributes from the answer: noted before it is made. */
static void expect(struct xlator *xl, struct call *call, const uint8_t *gfid)
{
	struct upcall *up = xl->priv;
	struct inode *inode = up->on && call->client && gfid ? inode_get(xl_inodes(xl), gfid) : NULL;

	if (inode)
		holders_add(up, call, inode);
	inode_unref(inode);
}

#define MAKING(op) \
	static int coroutine_fn upcall_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		int ret; \
		holders_add(xl->priv, call, args->parent); \
		expect(xl, call, args->gfid); \
		ret = xl_##op(xl->children[0], call, args, res); \
		tell(xl, call, args->parent->gfid, UP_TIMES, &res->postparent, ret); \
		return ret; \
	}
MAKING(mknod)
MAKING(mkdir)
MAKING(symlink)
MAKING(create)

static int coroutine_fn upcall_link(struct xlator *xl, struct call *call, const struct link_args *args, struct link_res *res)
{
	struct xl_upcall object = { .flags = UP_NLINK | UP_TIMES }, parent = { .flags = UP_TIMES };
	struct change ch;
	int ret;

	holders_add(xl->priv, call, args->newparent);
	holders_add(xl->priv, call, args->inode);
	ret = xl_link(xl->children[0], call, args, res);
	if (!may_have_changed(ret))
		return ret;
	if (ret == 0) {
		object.stat = res->stat;
		parent.stat = res->postparent;
	}
	change_begin(&ch, xl->priv, call);
	change_tell(&ch, args->inode->gfid, &object);
	change_tell(&ch, args->newparent->gfid, &parent);
	change_wait(&ch);
	return ret;
}

/* ---- names that go ---- */

/* Which object has this name now? Asked only when somebody else could be told. False: nobody, or there is none. */
static bool coroutine_fn who_has(struct xlator *xl, const struct call *call, struct inode *parent, const char *name, uint8_t *ret_gfid)
{
	struct lookup_args args = { .parent = parent, .name = name };
	struct lookup_res res;
	struct call as_root = *call;

	if (!((struct upcall *)xl->priv)->on || !holders_others(xl->priv, call))
		return false;
	as_root.uid = as_root.gid = 0;
	if (xl_lookup(xl->children[0], &as_root, &args, &res) < 0)
		return false;
	memcpy(ret_gfid, res.stat.gfid, 16);
	return true;
}

static void coroutine_fn tell_removed(struct xlator *xl, struct call *call, struct inode *parent, const struct iatt *postparent,
				      const uint8_t *gfid, int ret)
{
	struct xl_upcall object = { .flags = UP_NLINK | UP_TIMES | UP_PARENT_TIMES }, up = { .flags = UP_TIMES };
	struct change ch;

	if (!may_have_changed(ret))
		return;
	if (ret == 0)
		object.parent = up.stat = *postparent;
	change_begin(&ch, xl->priv, call);
	if (gfid)
		change_tell(&ch, gfid, &object);
	change_tell(&ch, parent->gfid, &up);
	change_wait(&ch);
}

static int coroutine_fn upcall_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	uint8_t gfid[16];
	bool known;
	int ret;

	holders_add(xl->priv, call, args->parent);
	known = who_has(xl, call, args->parent, args->name, gfid);
	ret = xl_unlink(xl->children[0], call, args, res);
	tell_removed(xl, call, args->parent, &res->postparent, known ? gfid : NULL, ret);
	return ret;
}

static int coroutine_fn upcall_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	uint8_t gfid[16];
	bool known;
	int ret;

	holders_add(xl->priv, call, args->parent);
	known = who_has(xl, call, args->parent, args->name, gfid);
	ret = xl_rmdir(xl->children[0], call, args, res);
	tell_removed(xl, call, args->parent, &res->postparent, known ? gfid : NULL, ret);
	return ret;
}

static int coroutine_fn upcall_rename(struct xlator *xl, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	struct xl_upcall object = { .flags = UP_RENAME | UP_PARENT_TIMES }, victim = { .flags = UP_NLINK | UP_TIMES | UP_PARENT_TIMES };
	struct xl_upcall parent = { .flags = UP_TIMES };
	uint8_t old[16], moved[16];
	bool replaced, known;
	struct change ch;
	int ret;

	holders_add(xl->priv, call, args->oldparent);
	holders_add(xl->priv, call, args->newparent);
	known = who_has(xl, call, args->oldparent, args->oldname, moved);
	replaced = who_has(xl, call, args->newparent, args->newname, old);
	ret = xl_rename(xl->children[0], call, args, res);
	if (!may_have_changed(ret))
		return ret;
	if (ret == 0) {
		object.stat = res->stat;
		object.parent = res->postnew;
		object.oldparent = res->postold;
	}
	change_begin(&ch, xl->priv, call);
	if (known)
		change_tell(&ch, moved, &object);
	if (replaced)
		change_tell(&ch, old, &victim);
	change_tell(&ch, args->oldparent->gfid, &parent);
	if (args->newparent != args->oldparent)
		change_tell(&ch, args->newparent->gfid, &parent);
	change_wait(&ch);
	return ret;
}

/* ---- life ---- */

static void upcall_client_gone(struct xlator *xl, struct client *client)
{
	holders_drop_client(xl->priv, client);
}

static void upcall_acknowledged(struct xlator *xl, struct client *client, uint64_t sequence)
{
	holders_acknowledged(xl->priv, client, sequence);
}

static int upcall_reconfigured(struct xlator *xl, struct error *err)
{
	const struct upcall *up = xl->priv;

	xl->lease_s = up->on ? (uint32_t)(up->lease_ms / 1000) : 0;
	return 0;
}

static int coroutine_fn upcall_init(struct xlator *xl, struct error *err)
{
	struct upcall *up = xl->priv;

	up->xl = xl;
	holders_init(up);
	return upcall_reconfigured(xl, err);
}

static void coroutine_fn upcall_fini(struct xlator *xl)
{
	if (((struct upcall *)xl->priv)->xl)
		holders_fini(xl->priv);
}

static const struct option options[] = {
	OPT_BOOL("cache-invalidation", struct upcall, on, "on", OPT_LIVE, "tell clients when what they looked at was changed by another one"),
	OPT_TIME_MS("cache-invalidation-timeout", struct upcall, tell_ms, "60", 1000, 3600000, OPT_LIVE,
		    "how long after its last look a client is told"),
	OPT_TIME_MS("lease", struct upcall, lease_ms, "3", 10, 60000, 0,
		    "how long a client that acknowledges may remember; so long a change waits at most for one that does not answer"),
	OPT_INT("max-holders", struct upcall, max_holders, "131072", 16, 1 << 26, OPT_LIVE, "looks that are remembered, over all clients"),
	OPT_END
};

const struct xlator_class features_upcall_class = {
	.name = "features/upcall",
	.summary = "tells clients what others changed",
	.priv_size = sizeof(struct upcall),
	.options = options,
	.min_children = 1,
	.max_children = 1,
	.uses_inode_ctx = true,
	.init = upcall_init,
	.reconfigured = upcall_reconfigured,
	.fini = upcall_fini,
	.client_gone = upcall_client_gone,
	.acknowledged = upcall_acknowledged,
	.fops = {
		.lookup = upcall_lookup, .stat = upcall_stat, .readlink = upcall_readlink, .access = upcall_access, .open = upcall_open,
		.opendir = upcall_opendir, .readv = upcall_readv, .readdir = upcall_readdir, .getxattr = upcall_getxattr,
		.writev = upcall_writev, .truncate = upcall_truncate, .fallocate = upcall_fallocate, .discard = upcall_discard,
		.zerofill = upcall_zerofill, .setattr = upcall_setattr, .setxattr = upcall_setxattr,
		.removexattr = upcall_removexattr, .xattrop = upcall_xattrop, .mknod = upcall_mknod, .mkdir = upcall_mkdir,
		.symlink = upcall_symlink, .create = upcall_create, .link = upcall_link, .unlink = upcall_unlink,
		.rmdir = upcall_rmdir, .rename = upcall_rename,
	},
};
