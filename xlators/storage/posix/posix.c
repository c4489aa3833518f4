/* xlators/storage/posix/posix.c: the class: options, life, and the list of fops. README.md says how the parts fit together. */
#include "xlators/storage/posix/posix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/log.h"

static const struct option options[] = {
	OPT_STR("directory", struct posix, directory, NULL, OPT_REQUIRED, "the directory this brick exports"),
	OPT_STR("volume-id", struct posix, volume_id, NULL, 0, "uuid of the volume, which the directory must be marked with"),
	OPT_BOOL("create", struct posix, create, "off", 0, "mark the directory when it is no brick yet; for once, when a brick is made"),
	OPT_STR("identity", struct posix, identity, NULL, OPT_LIVE,
		"which directory of which file system it must be; unknown: not recorded yet; none: the volume-id decides"),
	OPT_STR("glusterd-uuid", struct posix, node_uuid, NULL, 0, "uuid of this node, told to clients that ask"),
	OPT_STR("hostname", struct posix, hostname, NULL, 0, "name of this node in path information"),
	OPT_INT("shared-brick-count", struct posix, shared_brick_count, "1", 0, 65536, OPT_LIVE,
		"bricks on the same file system, each reporting its share of the space"),
	OPT_INT("reserve", struct posix, reserve, "1", 0, 100, OPT_LIVE, "percent of the file system kept free of new data"),
	OPT_BOOL("update-link-count-parent", struct posix, pgfid, "off", OPT_LIVE, "count an object's names in each directory"),
	OPT_BOOL("gfid2path", struct posix, gfid2path, "on", OPT_LIVE, "store each name of a file with the file"),
	OPT_BOOL("fips-mode-rchecksum", struct posix, fips, "on", OPT_LIVE, "compare blocks by SHA-256 instead of MD5"),
	OPT_INT("brick-uid", struct posix, brick_uid, "-1", -1, UINT32_MAX, 0, "owner given to the root directory; -1: leave"),
	OPT_INT("brick-gid", struct posix, brick_gid, "-1", -1, UINT32_MAX, 0, "group given to the root directory; -1: leave"),
	OPT_TIME_MS("health-check-interval", struct posix, health_ms, "30", 0, 86400000, OPT_LIVE,
		    "how often the file system is tried; 0: never"),
	OPT_TIME_MS("health-check-timeout", struct posix, health_timeout_ms, "20", 0, 86400000, OPT_LIVE,
		    "a file system that does not answer for so long has failed; 0: it may take any time"),
	OPT_INT("max-idle-nodes", struct posix, max_nodes, "16384", 64, 1 << 24, 0, "objects remembered that nobody uses"),
	OPT_BOOL("durable", struct posix, durable, "on", OPT_LIVE, "stable storage before the answer, for callers that ask for it"),
	OPT_END
};

struct opening { struct posix *px; struct error *err; };

static int open_blocking(void *arg)
{
	struct opening *t = arg;
	int ret;

	creds_begin();
	ret = brick_open(t->px, t->err);
	creds_end();
	return ret;
}

static int close_blocking(void *arg)
{
	creds_begin();
	brick_close(arg);
	creds_end();
	return 0;
}

static int default_hostname(struct posix *px)
{
	char name[256] = "";

	if (px->hostname)
		return 0;
	gethostname(name, sizeof(name) - 1);
	px->hostname = strdup(name);
	return px->hostname ? 0 : -ENOMEM;
}

static int coroutine_fn posix_init(struct xlator *xl, struct error *err)
{
	struct posix *px = xl->priv;
	struct opening t = { px, err };
	unsigned i;
	int ret;

	px->xl = xl;
	px->nowait_writes = true;
	co_gate_init(&px->running);
	for (i = 0; i < NAME_LOCKS; i++)
		pthread_mutex_init(&px->name_locks[i], NULL);
	nodes_init(px);
	ret = default_hostname(px);
	if (ret == 0)
		ret = loop_offload(open_blocking, &t);
	if (ret < 0)
		loop_offload(close_blocking, px);
	return ret;
}

static void coroutine_fn posix_start(struct xlator *xl)
{
	struct posix *px = xl->priv;

	health_start(px);
	janitor_kick(px);
	xl_notify(xl, XL_UP, NULL);
}

static void coroutine_fn posix_fini(struct xlator *xl)
{
	struct posix *px = xl->priv;

	px->stopping = true;
	health_stop(px);
	co_shield();
	co_gate_close(&px->running);
	loop_offload(close_blocking, px);
	co_unshield();
}

#define F(op) .op = fop_##op,
const struct xlator_class storage_posix_class = {
	.name = "storage/posix",
	.summary = "a brick: one local directory in GlusterFS's format",
	.storage = true,
	.priv_size = sizeof(struct posix),
	.options = options,
	.init = posix_init,
	.start = posix_start,
	.fini = posix_fini,
	.fops = {
		F(lookup) F(stat) F(readlink) F(mknod) F(mkdir) F(unlink) F(rmdir) F(symlink) F(rename) F(link)
		F(truncate) F(open) F(readv) F(writev) F(statfs) F(flush) F(fsync) F(setxattr) F(getxattr) F(removexattr)
		F(opendir) F(fsyncdir) F(access) F(create) F(readdir) F(xattrop) F(rchecksum)
		F(setattr) F(fallocate) F(discard) F(zerofill) F(seek)
	},
};
#undef F
