/* xlators/features/access_control.c: features/access-control: who may change POSIX ACLs, over storage that enforces them.
 *
 * The one idea: storage/posix works under the caller's own file-system ids, so the kernel decides every access, ACLs included, lets new objects
 * inherit default ACLs, and keeps mode and ACL in step. What is left to do here: an ACL that is no ACL is refused before it reaches the disk,
 * and only the owner (or root) sets one, whatever the storage below thinks of it. Everything else passes through. */
#include <string.h>

#include "xlators/xlator.h"

#define ACCESS_ACL "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"
#define ACL_VERSION 2u
#define ACL_ENTRIES_MAX 1024

enum { ACL_USER_OBJ = 1, ACL_USER = 2, ACL_GROUP_OBJ = 4, ACL_GROUP = 8, ACL_MASK = 0x10, ACL_OTHER = 0x20 };

static bool is_acl(const char *name)
{
	return strcmp(name, ACCESS_ACL) == 0 || strcmp(name, DEFAULT_ACL) == 0;
}

static uint32_t little(const uint8_t *p, unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* The kernel's form: a version, then entries of tag, permissions and id, sorted by tag. */
static bool acl_well_formed(const uint8_t *p, uint32_t len)
{
	uint32_t i, seen = 0, last = 0, n = (len - 4) / 8;

	if (len < 4 || (len - 4) % 8 || little(p, 4) != ACL_VERSION || n > ACL_ENTRIES_MAX)
		return false;
	for (i = 0; i < n; i++) {
		const uint8_t *e = p + 4 + 8 * i;
		uint32_t tag = little(e, 2);
		bool many = tag == ACL_USER || tag == ACL_GROUP;

		if (!tag || (tag & (tag - 1)) || tag > ACL_OTHER || tag < last || little(e + 2, 2) > 7 || ((seen & tag) && !many))
			return false;
		seen |= tag;
		last = tag;
	}
	if (!n)
		return true;		/* an empty one takes the ACL away */
	if ((seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK))
		return false;
	return (seen & ACL_USER_OBJ) && (seen & ACL_GROUP_OBJ) && (seen & ACL_OTHER);
}

static int coroutine_fn check_owner(struct xlator *xl, struct call *call, struct inode *inode, struct fd *fd)
{
	struct stat_args args = { .inode = inode, .fd = fd };
	struct call as_root = *call;
	struct stat_res res;
	int ret;

	if (call->uid == 0)
		return 0;
	as_root.uid = as_root.gid = 0;
	ret = xl_stat(xl->children[0], &as_root, &args, &res);
	return ret < 0 ? ret : res.stat.uid == call->uid ? 0 : -EPERM;
}

static int coroutine_fn ac_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	uint32_t i;
	int ret;

	for (i = 0; i < args->xattrs.n; i++) {
		const struct xattr *x = &args->xattrs.v[i];

		if (!is_acl(x->name))
			continue;
		if (!acl_well_formed(x->value, x->len))
			return -EINVAL;
		ret = check_owner(xl, call, args->inode, args->fd);
		if (ret < 0)
			return ret;
	}
	return xl_setxattr(xl->children[0], call, args, res);
}

static int coroutine_fn ac_removexattr(struct xlator *xl, struct call *call, const struct removexattr_args *args,
				       struct removexattr_res *res)
{
	uint32_t i;
	bool acl = is_acl(args->name);
	int ret;

	for (i = 0; i < args->many.n && !*args->name; i++)
		acl = acl || is_acl(args->many.v[i].name);
	ret = acl ? check_owner(xl, call, args->inode, args->fd) : 0;
	return ret < 0 ? ret : xl_removexattr(xl->children[0], call, args, res);
}

const struct xlator_class features_access_control_class = {
	.name = "features/access-control",
	.summary = "who may change POSIX ACLs; the storage enforces them",
	.min_children = 1,
	.max_children = 1,
	.fops = { .setxattr = ac_setxattr, .removexattr = ac_removexattr },
};
