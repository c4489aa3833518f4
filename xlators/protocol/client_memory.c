/* xlators/protocol/client_memory.c: a stock brick remembers a file by each name, sometimes the wrong one (README.md, "A stock brick's memory").
 *
 * What it says by name is compared with what came along from its disk. Where they differ the object is asked for by its gfid: that
 * answer is never another file's. */
#include "xlators/mdata.h"
#include "xlators/protocol/client.h"

static const char *const names[] = { XATTR_MDATA };

const struct xattr_want *client_want_times(const struct pclient *pc, const struct xattr_want *want, struct xattr_want *room)
{
	if (pc->extension || pc->inode_times)
		return want;
	*room = (struct xattr_want){ names, 1, want };
	return room;
}

static bool same_time(const struct iatt_time *a, const struct iatt_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static bool same_times(const struct iatt *a, const struct mdata *b)
{
	return same_time(&a->ctime, &b->ctime) && same_time(&a->mtime, &b->mtime) && same_time(&a->atime, &b->atime);
}

/* Takes the attribute, which nobody asked for but we, out of @set: are the brick's times those on its disk? */
static bool take_times(const struct iatt *stat, struct xattrs *set)
{
	const struct xattr *found = xattrs_find(set, XATTR_MDATA);
	struct mdata md;
	bool same = !found || !mdata_decode(found->value, found->len, &md) || same_times(stat, &md);

	if (found)
		set->v[found - set->v] = set->v[--set->n];
	return same;
}

static int coroutine_fn stat_gfid(struct pclient *pc, struct call *call, const uint8_t *gfid, struct iatt *ret_stat)
{
	struct client_op op = { FOP_stat, GF_FOP_STAT, false, GF_FD_ANONYMOUS };
	struct stat_args args = { .inode = inode_get(xl_inodes(pc->xl), gfid) };
	struct stat_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = args.inode && res ? client_send(pc, call, &op, &args, res) : -ENOMEM;

	inode_unref(args.inode);
	if (ret == 0)
		*ret_stat = res->stat;
	return ret;
}

void coroutine_fn client_check_times(struct pclient *pc, struct call *call, struct lookup_res *res)
{
	struct iatt stat;

	if (take_times(&res->stat, &res->xattrs) || stat_gfid(pc, call, res->stat.gfid, &stat) < 0)
		return;
	/* It has times on its disk and does not go by them: "features.ctime off". */
	pc->inode_times = same_times(&stat, &(struct mdata){ res->stat.ctime, res->stat.mtime, res->stat.atime });
	res->stat = stat;
}

void coroutine_fn client_check_entries(struct pclient *pc, struct call *call, struct readdir_res *res)
{
	for (uint32_t i = 0; i < res->n; i++) {
		struct iatt *stat = &res->entries[i].stat;

		if (iatt_present(stat) || gfid_is_null(stat->gfid))
			continue;
		if (stat_gfid(pc, call, stat->gfid, stat) < 0)
			*stat = (struct iatt){ 0 };
	}
}
