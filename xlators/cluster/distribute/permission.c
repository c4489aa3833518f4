/* xlators/cluster/distribute/permission.c: may the caller change names, asked before a change of several steps.
 *
 * A brick decides about the one step it carries out. Where a linkto is put up first, as root, the refusal
 * would come after that step, which moves times that a refused call must leave alone. */
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define MAY_WRITE_SEARCH 3u

int coroutine_fn dht_may_change(struct xlator *xl, struct call *call, unsigned child, struct inode *dir)
{
	struct access_args args = { .inode = dir, .mask = MAY_WRITE_SEARCH };
	struct access_res res = { 0 };
	int ret;

	if (call->uid == 0)
		return 0;
	ret = xl_access(xl->children[child], call, &args, &res);
	return ret == 0 && res.granted != MAY_WRITE_SEARCH ? -EACCES : ret;
}

/* That a name is taken is said first, as the brick says it. */
int coroutine_fn dht_may_name(struct xlator *xl, struct call *call, unsigned child, struct inode *dir, const char *name)
{
	struct lookup_args args = { .parent = dir, .name = name };
	struct call own = dht_internal(call);
	struct lookup_res res = { 0 };
	int ret = dht_may_change(xl, call, child, dir);

	return ret == -EACCES && xl_lookup(xl->children[child], &own, &args, &res) == 0 ? -EEXIST : ret;
}

int coroutine_fn dht_may_unname(struct xlator *xl, struct call *call, unsigned child, struct inode *dir,
				const struct iatt *object)
{
	struct stat_args args = { .inode = dir };
	struct stat_res res = { 0 };
	int ret = dht_may_change(xl, call, child, dir);

	if (ret < 0 || call->uid == 0 || call->uid == object->uid)
		return ret;
	ret = xl_stat(xl->children[child], call, &args, &res);
	if (ret < 0)
		return ret;
	return (res.stat.mode & S_ISVTX) && res.stat.uid != call->uid ? -EPERM : 0;
}
