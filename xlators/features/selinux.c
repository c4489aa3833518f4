/* xlators/features/selinux.c: features/selinux: a client's security.selinux is kept as trusted.glusterfs.selinux, as GlusterFS's bricks do.
 *
 * The label belongs to the clients' policy, not to this host's: under its own name the brick's kernel would judge by it. glusterd switches this
 * on for every volume. Only calls that name the attribute are renamed (facts/volfile.md section 6). */
#include <errno.h>
#include <string.h>

#include "xlators/xlator.h"

#define CLIENTS_NAME "security.selinux"
#define OUR_NAME "trusted.glusterfs.selinux"

struct selinux { bool on; };

static bool renamed(const struct xlator *xl, const char *name)
{
	return ((const struct selinux *)xl->priv)->on && name && !strcmp(name, CLIENTS_NAME);
}

static int coroutine_fn selinux_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	struct setxattr_args mine = *args;
	uint32_t i;

	for (i = 0; i < args->xattrs.n && !renamed(xl, args->xattrs.v[i].name); i++)
		;
	if (i == args->xattrs.n)
		return xl_setxattr(xl->children[0], call, args, res);
	mine.xattrs.v = arena_memdup(call->arena, args->xattrs.v, args->xattrs.n * sizeof(*args->xattrs.v));
	if (!mine.xattrs.v)
		return -ENOMEM;
	mine.xattrs.v[i].name = OUR_NAME;
	return xl_setxattr(xl->children[0], call, &mine, res);
}

static int coroutine_fn selinux_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	struct getxattr_args mine = *args;
	uint32_t i;
	int ret;

	if (!renamed(xl, args->name))
		return xl_getxattr(xl->children[0], call, args, res);
	mine.name = OUR_NAME;
	ret = xl_getxattr(xl->children[0], call, &mine, res);
	for (i = 0; !ret && i < res->xattrs.n; i++)
		if (!strcmp(res->xattrs.v[i].name, OUR_NAME))
			res->xattrs.v[i].name = CLIENTS_NAME;
	return ret;
}

static const struct option options[] = {
	OPT_BOOL("selinux", struct selinux, on, "on", 0, "keep the clients' security.selinux under a name that this host's kernel ignores"),
	OPT_END
};

const struct xlator_class features_selinux_class = {
	.name = "features/selinux",
	.summary = "keeps the clients' SELinux labels away from the brick's kernel",
	.priv_size = sizeof(struct selinux),
	.options = options,
	.min_children = 1,
	.max_children = 1,
	.fops = { .setxattr = selinux_setxattr, .getxattr = selinux_getxattr },
};
