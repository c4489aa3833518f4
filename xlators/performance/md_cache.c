/* xlators/performance/md_cache.c: attributes, access decisions, short symlink targets and names, kept at the top of a gateway's graph while the
 * bricks promise to tell of changes, so that GETATTR, LOOKUP and ACCESS cost no brick call. README.md beside this file tells the whole.
 *
 * The one idea to know: nothing is kept unless somebody promised to tell. lease_s of the graph's leaves says for how long the bricks tell after a
 * call; what it brought may be used until so long after it was sent, not after an invalidation, and not at all when one came while the call
 * was on its way. graph->lease_epoch counts connections that came or went: what was kept in another epoch is void. */
#include "xlators/xlator.h"

struct md_cache {
	uint64_t size;
	bool sole, cache_invalidation;
	uint64_t timeout_ms;
	char *ignored;
};

#define IGNORED(name) OPT_STR(name, struct md_cache, ignored, NULL, 0, "accepted for stock volfiles; changes nothing here")

static const struct option md_cache_options[] = {
	OPT_SIZE("cache-size", struct md_cache, size, "32MiB", 0, 1ll << 40, OPT_LIVE, "memory for cached names"),
	OPT_BOOL("sole-client", struct md_cache, sole, "off", 0, "nobody else uses the bricks: cache without a promise"),
	OPT_BOOL("cache-invalidation", struct md_cache, cache_invalidation, "off", OPT_LIVE,
		 "bricks that do not wait for acknowledgements tell of changes: cache for md-cache-timeout, with that much staleness"),
	OPT_TIME_MS("md-cache-timeout", struct md_cache, timeout_ms, "1", 0, 600000, OPT_LIVE,
		    "how long to keep what such bricks told"),
	IGNORED("cache-selinux"), IGNORED("cache-capability-xattrs"), IGNORED("cache-ima-xattrs"), IGNORED("cache-swift-metadata"),
	IGNORED("cache-samba-metadata"), IGNORED("cache-posix-acl"), IGNORED("cache-glusterfs-metadata"), IGNORED("force-readdirp"),
	IGNORED("md-cache-statfs"), IGNORED("xattr-cache-list"), IGNORED("pass-through"), IGNORED("log-level"),
	OPT_END
};

const struct xlator_class performance_md_cache_class = {
	.name = "performance/md-cache",
	.summary = "attributes, access decisions and names kept while the bricks promise to tell of changes",
	.priv_size = sizeof(struct md_cache),
	.options = md_cache_options,
	.min_children = 1,
	.max_children = 1,
};
