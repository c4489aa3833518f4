/* xlators/protocol/client_memory.c: a stock brick tells the times of the file that it remembers by a name, which may not be the one that is
 * there (README.md, "A stock brick's memory"). What is on its disk comes along as an extended attribute, and counts. */
#include "xlators/mdata.h"
#include "xlators/protocol/client.h"

static const char *const names[] = { XATTR_MDATA };

const struct xattr_want *client_want_times(const struct pclient *pc, const struct xattr_want *want, struct xattr_want *room)
{
	if (pc->extension)
		return want;
	*room = (struct xattr_want){ names, 1, want };
	return room;
}

/* Nobody asked for the attribute but we. */
void client_take_times(const struct pclient *pc, struct iatt *stat, struct xattrs *set)
{
	const struct xattr *found = pc->extension ? NULL : xattrs_find(set, XATTR_MDATA);
	struct mdata md;

	if (!found)
		return;
	if (mdata_decode(found->value, found->len, &md)) {
		stat->ctime = md.ctime;
		stat->mtime = md.mtime;
		stat->atime = md.atime;
	}
	set->v[found - set->v] = set->v[set->n - 1];
	set->n--;
}
