/* xlators/features/utime.c: features/utime: the gateway's clock decides times, so that all copies of an object have the same ones.
 *
 * The one idea: each changing call carries one time, taken here once, and flags that say which stored times of the object and of its
 * parent the bricks set to it (facts: brick-wire.md section 3). Bricks never go backwards, except by an explicit SETATTR. */
#include "xlators/xlator.h"

enum {
	MAKES = TIME_CTIME | TIME_MTIME | TIME_ATIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME,
	MOVES = TIME_CTIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME,
	WRITES = TIME_CTIME | TIME_MTIME,
};

struct utime { bool noatime; };

static struct call stamped(struct xlator *xl, const struct call *call, uint32_t flags)
{
	struct call mine = *call;

	mine.time_flags = flags;
	if (flags)
		loop_wallclock(xl_loop(xl), &mine.time.sec, &mine.time.nsec);
	return mine;
}

static uint32_t on_read(const struct xlator *xl)
{
	return ((const struct utime *)xl->priv)->noatime ? 0 : TIME_ATIME;
}

/* A brick takes these flags for "the clock of this call", over any time given: a time that was set explicitly goes without. */
static uint32_t on_setattr(const struct setattr_args *args)
{
	return TIME_CTIME | (args->valid & SET_MTIME_NOW ? TIME_MTIME : 0) | (args->valid & SET_ATIME_NOW ? TIME_ATIME : 0);
}

#define STAMPED(op, flags) \
	static int coroutine_fn utime_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct call mine = stamped(xl, call, flags); \
		return xl_##op(xl->children[0], &mine, args, res); \
	}
STAMPED(mknod, MAKES)
STAMPED(mkdir, MAKES)
STAMPED(symlink, MAKES)
STAMPED(create, MAKES)
STAMPED(unlink, MOVES)
STAMPED(rmdir, MOVES)
STAMPED(link, MOVES)
STAMPED(rename, MOVES)
STAMPED(writev, WRITES)
STAMPED(truncate, WRITES)
STAMPED(fallocate, WRITES)
STAMPED(discard, WRITES)
STAMPED(zerofill, WRITES)
STAMPED(setattr, on_setattr(args))
STAMPED(setxattr, TIME_CTIME)
STAMPED(removexattr, TIME_CTIME)
STAMPED(open, on_read(xl))
STAMPED(opendir, on_read(xl))
STAMPED(readv, on_read(xl))

static const struct option options[] = {
	OPT_BOOL("noatime", struct utime, noatime, "on", OPT_LIVE, "reading does not change the time of last access"),
	OPT_END
};

const struct xlator_class features_utime_class = {
	.name = "features/utime",
	.summary = "gives changes the gateway's time",
	.priv_size = sizeof(struct utime),
	.options = options,
	.min_children = 1,
	.max_children = 1,
	.fops = {
		.mknod = utime_mknod, .mkdir = utime_mkdir, .symlink = utime_symlink, .create = utime_create, .unlink = utime_unlink,
		.rmdir = utime_rmdir, .link = utime_link, .rename = utime_rename, .writev = utime_writev, .truncate = utime_truncate,
		.fallocate = utime_fallocate, .discard = utime_discard, .zerofill = utime_zerofill, .setattr = utime_setattr,
		.setxattr = utime_setxattr, .removexattr = utime_removexattr, .open = utime_open, .opendir = utime_opendir,
		.readv = utime_readv,
	},
};
