/* xlators/cluster/replicate/replicate.c: the same file on every child (facts: brick-format.md part C).
 *
 * This file is the class: options, start and end, and the calls that need no transaction. A write's way leads to data.c, every other change
 * goes through modify.c, reads through read.c and lookup.c. README.md tells the story. */
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "xlators/cluster/replicate/replicate.h"

static const char *const quorum_words[] = { "none", "auto", "fixed", NULL };

#define IDLE "accepted; healing is not done here"
#define NUMBER(name, member, dflt, lo, hi, help) OPT_INT(name, struct replicate, member, dflt, lo, hi, 0, help)

static const struct option options[] = {
	OPT_STR("afr-pending-xattr", struct replicate, pending_names, NULL, 0,
		"names in the pending attributes, in child order [children's names]"),
	OPT_ENUM("quorum-type", struct replicate, quorum_type, "none", quorum_words, 0, "how many copies a change needs"),
	NUMBER("quorum-count", quorum_count, "1", 1, REPLICATE_MAX, "copies needed with quorum-type fixed"),
	NUMBER("arbiter-count", arbiter_count, "0", 0, 1, "1: the last child keeps names and marks, no data"),
	NUMBER("thin-arbiter-count", thin, "0", 0, 0, "not served"),
	OPT_BOOL("eager-lock", struct replicate, eager_lock, "on", OPT_LIVE, "keep the data lock between writes"),
	OPT_TIME_MS("post-op-delay-secs", struct replicate, post_op_delay_ms, "1", 0, INT32_MAX, OPT_LIVE,
		    "how long it is kept after the last one"),
	OPT_TIME_MS("slow-copy-timeout", struct replicate, slow_copy_ms, "3", 0, 600000, OPT_LIVE,
		    "how long a copy may be silent that the others can go on without; 0: for ever"),
	OPT_BOOL("ensure-durability", struct replicate, ensure_durability, "on", OPT_LIVE, "sync data before its dirty mark goes"),
	OPT_BOOL("optimistic-change-log", struct replicate, optimistic, "on", OPT_LIVE,
		 "no mark before entry and metadata changes while all copies are up"),
	OPT_BOOL("data-change-log", struct replicate, data_log, "on", 0, "keep marks of data changes"),
	OPT_BOOL("metadata-change-log", struct replicate, metadata_log, "on", 0, "mark metadata changes beforehand"),
	OPT_BOOL("entry-change-log", struct replicate, entry_log, "on", 0, "mark entry changes beforehand"),
	OPT_BOOL("choose-local", struct replicate, choose_local, "on", 0, "accepted; the choice is stable for an inode instead"),
	NUMBER("read-hash-mode", read_hash_mode, "1", 0, 5, "0: read the first copy; else spread inodes over the copies"),
	OPT_STR("read-subvolume", struct replicate, read_subvolume, NULL, 0, "child to read from while it may be read"),
	NUMBER("read-subvolume-index", read_index, "-1", -1, REPLICATE_MAX - 1, "the same by its number"),
	OPT_BOOL("granular-entry-heal", struct replicate, granular_entry, "on", 0, "keep an index of changed names"),
	OPT_BOOL("use-anonymous-inode", struct replicate, anonymous_inode, "on", 0, IDLE),
	OPT_STR("volume-id", struct replicate, volume_id, NULL, 0, "the volume's id"),
	OPT_STR("favorite-child-policy", struct replicate, favorite_child_policy, "none", 0, IDLE),
	OPT_STR("data-self-heal-algorithm", struct replicate, self_heal_algorithm, NULL, 0, IDLE),
	OPT_STR("data-self-heal", struct replicate, data_heal, NULL, 0, IDLE),
	OPT_BOOL("metadata-self-heal", struct replicate, metadata_heal, "off", 0, IDLE),
	OPT_BOOL("entry-self-heal", struct replicate, entry_heal, "off", 0, IDLE),
	OPT_BOOL("self-heal-daemon", struct replicate, heal_daemon, "on", 0, IDLE),
	NUMBER("self-heal-window-size", heal_window, "8", 1, 1024, IDLE),
	NUMBER("background-self-heal-count", heal_count, "8", 0, 256, IDLE),
	OPT_BOOL("full-lock", struct replicate, full_lock, "on", 0, "accepted; the data lock is always the whole file"),
	OPT_BOOL("consistent-metadata", struct replicate, consistent_metadata, "off", 0, "accepted; attributes always come from one copy"),
	OPT_BOOL("use-compound-fops", struct replicate, compound_fops, "off", 0, "accepted without effect"),
	OPT_BOOL("stale-reads", struct replicate, stale_reads, "off", 0,
		 "read copies that may have missed changes while the one that would know is away"),
	OPT_BOOL("quorum-reads", struct replicate, quorum_reads, "on", 0, "accepted; reads follow quorum-type"),
	OPT_END
};

static int pending_keys(struct xlator *xl, struct error *err)
{
	struct replicate *rp = xl->priv;
	char *names = rp->pending_names ? strdup(rp->pending_names) : NULL, *rest = names, *name;
	unsigned n = 0;

	while (rest && (name = strsep(&rest, ", ")) != NULL) {
		char *key;

		if (!*name)
			continue;
		if (n == rp->n || asprintf(&key, "trusted.afr.%s", name) < 0) {
			n = rp->n + 1;
			break;
		}
		rp->keys[n++] = key;
	}
	free(names);
	if (rp->pending_names && n != rp->n)
		return error_set(err, -EINVAL, "%s: afr-pending-xattr must name each of the %u children once", xl->name, rp->n);
	for (; n < rp->n; n++)
		if (asprintf((char **)&rp->keys[n], "trusted.afr.%s", xl->children[n]->name) < 0)
			return -ENOMEM;
	rp->keys[rp->n] = strdup("trusted.afr.dirty");
	return rp->keys[rp->n] ? 0 : -ENOMEM;
}

static int read_preference(struct xlator *xl, struct error *err)
{
	struct replicate *rp = xl->priv;
	unsigned i;

	rp->read_preferred = (int)rp->read_index;
	for (i = 0; rp->read_subvolume && i < rp->n; i++)
		if (strcmp(xl->children[i]->name, rp->read_subvolume) == 0)
			rp->read_preferred = (int)i;
	if (rp->read_preferred >= (int)rp->n)
		return error_set(err, -EINVAL, "%s: read-subvolume-index %d, but there are %u children", xl->name, rp->read_preferred, rp->n);
	return 0;
}

static int coroutine_fn replicate_init(struct xlator *xl, struct error *err)
{
	struct replicate *rp = xl->priv;
	int ret;

	rp->n = xl->nchildren;
	rp->all = bit(rp->n) - 1;
	rp->gen = 1;
	list_init(&rp->epochs);
	watch_init(xl);
	co_gate_init(&rp->background);
	co_queue_init(&rp->came);
	timer_init(&rp->settle_in, replicate_settled, xl);
	loop_random(xl_loop(xl), &rp->next_owner, sizeof(rp->next_owner));
	rp->next_owner >>= 8;
	if (rp->arbiter_count && rp->n != 3)
		return error_set(err, -EINVAL, "%s: arbiter-count 1 takes three children, not %u", xl->name, rp->n);
	rp->arbiter = rp->arbiter_count ? bit(rp->n - 1) : 0;
	if (rp->quorum_type == QUORUM_FIXED && rp->quorum_count > (int64_t)rp->n)
		return error_set(err, -EINVAL, "%s: quorum-count %d of %u children", xl->name, (int)rp->quorum_count, rp->n);
	if (rp->quorum_type == QUORUM_NONE && rp->n > 1)
		log_warning("no quorum: copies that lose sight of each other may both be written", "set=%s quorum-type=none", xl->name);
	ret = pending_keys(xl, err);
	return ret < 0 ? ret : read_preference(xl, err);
}

static void coroutine_fn replicate_fini(struct xlator *xl)
{
	struct replicate *rp = xl->priv;
	unsigned i;

	co_shield();
	epochs_end_all(xl);
	co_gate_close(&rp->background);
	co_unshield();
	timer_cancel(&rp->watch.timer);
	timer_cancel(&rp->settle_in);		/* a child that was just arriving may have armed it until now */
	blamed_fini(rp);
	for (i = 0; i <= rp->n; i++)
		free((char *)rp->keys[i]);
}

static void replicate_forget(struct xlator *xl, struct inode *inode, void *ctx)
{
	copies_free(ctx);
}

#define MODIFY(op) \
	static int coroutine_fn replicate_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		return replicate_modify(xl, call, FOP_##op, args, res); \
	}
MODIFY(mknod)
MODIFY(mkdir)
MODIFY(symlink)
MODIFY(link)
MODIFY(unlink)
MODIFY(rmdir)
MODIFY(rename)
MODIFY(setattr)
MODIFY(xattrop)
#undef MODIFY

static int coroutine_fn replicate_create(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct create_args creating = *args;

	creating.want_fd = false;	/* an fd of one copy is of no use */
	return replicate_modify(xl, call, FOP_create, &creating, res);
}

static bool is_ours(const char *name)
{
	return strncmp(name, "trusted.afr.", 12) == 0;
}

static int coroutine_fn replicate_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	unsigned i;

	for (i = 0; i < args->xattrs.n; i++)
		if (is_ours(args->xattrs.v[i].name))
			return -EPERM;
	return replicate_modify(xl, call, FOP_setxattr, args, res);
}

static int coroutine_fn replicate_removexattr(struct xlator *xl, struct call *call, const struct removexattr_args *args,
					      struct removexattr_res *res)
{
	unsigned i;

	if (args->name && is_ours(args->name))
		return -EPERM;
	for (i = 0; i < args->many.n; i++)
		if (is_ours(args->many.v[i].name))
			return -EPERM;
	return replicate_modify(xl, call, FOP_removexattr, args, res);
}

/* The set is as full as its fullest child. */
static int coroutine_fn replicate_statfs(struct xlator *xl, struct call *call, const struct statfs_args *args, struct statfs_res *res)
{
	struct replicate *rp = xl->priv;
	child_set asked = rp->up & ~rp->arbiter, ok;
	struct answer *ans;
	unsigned i;

	if (!asked)
		return -ENOTCONN;
	ans = copies_ask(xl, call, asked, FOP_statfs, args, &ok);
	if (!ans)
		return -ENOMEM;
	if (!ok)
		return quorum_error(ans, asked, asked);
	*res = ans[__builtin_ctzll(ok)].res->statfs;
	for (i = 0; i < rp->n; i++) {
		const struct statfs_res *s = (ok & bit(i)) ? &ans[i].res->statfs : NULL;

		if (s && s->bavail * (s->frsize ? s->frsize : s->bsize) < res->bavail * (res->frsize ? res->frsize : res->bsize))
			*res = *s;
	}
	return 0;
}

static int coroutine_fn replicate_fsyncdir(struct xlator *xl, struct call *call, const struct fsyncdir_args *args, struct fsyncdir_res *res)
{
	struct replicate *rp = xl->priv;
	child_set asked = rp->up, ok;
	struct answer *ans = copies_ask(xl, call, asked, FOP_fsyncdir, args, &ok);

	if (!ans)
		return -ENOMEM;
	return quorum_met(rp, ok) ? 0 : quorum_error(ans, asked, asked);
}

/* Open files are the business of bricks' clients; a graph with copies serves callers that name inodes. */
static int coroutine_fn replicate_open(struct xlator *xl, struct call *call, const struct open_args *args, struct open_res *res)
{
	return -EOPNOTSUPP;
}

static int coroutine_fn replicate_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	return -EOPNOTSUPP;
}

#define F(op) .op = replicate_##op,
const struct xlator_class cluster_replicate_class = {
	.name = "cluster/replicate",
	.summary = "keeps the same files on every child and knows which copies missed a change",
	.priv_size = sizeof(struct replicate),
	.options = options,
	.min_children = 1, .max_children = REPLICATE_MAX,
	.uses_inode_ctx = true,
	.init = replicate_init,
	.fini = replicate_fini,
	.event = replicate_event,
	.forget = replicate_forget,
	.fops = { FOPS(F) },
};
#undef F
