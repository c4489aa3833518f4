/* xlators/cluster/distribute/distribute.c: the class: options, start, events and the table of operations.
 *
 * Distribute makes one volume of several subvolumes: each directory exists on all, each other object on one, chosen by the hash of its name
 * within the ranges of its directory. With one subvolume only, everything passes straight through. */
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define START_WAIT_NS (DHT_NSEC / 2)	/* for the other children, once the first is up */

static const struct option distribute_options[] = {
	OPT_BOOL("lookup-optimize", struct distribute, lookup_optimize, "on", OPT_LIVE,
		 "trust that a name is nowhere else when its directory's layout promises it"),
	OPT_STR("min-free-disk", struct distribute, min_free_disk, "10%", 0, "a subvolume with less free space gets no new files"),
	OPT_STR("min-free-inodes", struct distribute, min_free_inodes, "5%", 0, "a subvolume with fewer free inodes gets no new files"),
	OPT_BOOL("weighted-rebalance", struct distribute, weighted, "on", OPT_LIVE, "new directories give larger subvolumes larger ranges"),
	OPT_STR("rsync-hash-regex", struct distribute, rsync_text, "^\\.(.+)\\.[^.]+$", 0,
		"of names that match, only the first group is hashed"),
	OPT_STR("extra-hash-regex", struct distribute, extra_text, NULL, 0, "the same, tried first"),
	OPT_BOOL("randomize-hash-range-by-gfid", struct distribute, by_gfid, "off", OPT_LIVE,
		 "where a directory's ranges begin follows from its gfid, not from its path"),
	OPT_STR("decommissioned-bricks", struct distribute, decommissioned, NULL, 0, "subvolumes that are being removed"),
	OPT_TIME_MS("layout-timeout", struct distribute, layout_timeout_ms, "30", 100, 86400000, OPT_LIVE,
		    "a name is said to be missing on the word of a layout that is no older than this"),
	OPT_BOOL("readdir-partial", struct distribute, readdir_partial, "off", OPT_LIVE,
		 "list what can be had while a subvolume is away, instead of failing"),
	OPT_BOOL("readdir-optimize", struct distribute, readdir_optimize, "off", 0, "accepted; directories are always filtered here"),
	OPT_BOOL("use-readdirp", struct distribute, use_readdirp, "on", 0, "accepted; attributes are always read along"),
	OPT_BOOL("lock-migration", struct distribute, lock_migration, "off", 0, "accepted; locks are not migrated"),
	OPT_BOOL("force-migration", struct distribute, force_migration, "off", 0, "accepted"),
	OPT_END
};

int dht_child_by_name(const struct xlator *xl, const char *name, size_t len)
{
	while (len && name[len - 1] == '\0')
		len--;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (strlen(xl->children[i]->name) == len && memcmp(xl->children[i]->name, name, len) == 0)
			return (int)i;
	}
	return -ENOENT;
}

bool dht_all_up(const struct xlator *xl)
{
	const struct distribute *d = xl->priv;

	return d->nup == xl->nchildren;
}

struct call dht_internal(const struct call *call)
{
	struct call own = *call;

	own.uid = own.gid = own.ngroups = 0;
	own.groups = NULL;
	own.pid = PID_NO_ROOT_SQUASH;
	return own;
}

static int sort_children(struct xlator *xl, struct error *err)
{
	struct distribute *d = xl->priv;
	unsigned n = xl->nchildren;

	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		while (at > 0 && strcmp(xl->children[d->order[at - 1]]->name, xl->children[i]->name) > 0) {
			d->order[at] = d->order[at - 1];
			at--;
		}
		d->order[at] = i;
	}
	for (unsigned r = 0; r < n; r++) {
		d->rank[d->order[r]] = r;
		if (r && strcmp(xl->children[d->order[r - 1]]->name, xl->children[d->order[r]]->name) == 0)
			return error_set(err, -EINVAL, "subvolume %s is given twice", xl->children[d->order[r]]->name);
	}
	return 0;
}

static int parse_retired(struct xlator *xl, struct error *err)
{
	struct distribute *d = xl->priv;
	const char *at = d->decommissioned ? d->decommissioned : "";

	while (*at) {
		size_t len = strcspn(at, ", ");
		int child = len ? dht_child_by_name(xl, at, len) : 0;

		if (child < 0)
			return error_set(err, -EINVAL, "option decommissioned-bricks: no subvolume is called \"%.*s\"", (int)len, at);
		if (len)
			d->retired[child] = true;
		at += len;
		at += strspn(at, ", ");
	}
	return 0;
}

static void tell_up(struct xlator *xl)
{
	struct distribute *d = xl->priv;

	timer_cancel(&d->start_wait);
	if (d->told_up || !d->nup)
		return;
	d->told_up = true;
	xl_notify(xl, XL_UP, NULL);
}

static void start_waited(void *arg)
{
	tell_up(arg);
}

static int coroutine_fn distribute_init(struct xlator *xl, struct error *err)
{
	struct distribute *d = xl->priv;
	unsigned n = xl->nchildren;
	int ret;

	if (n > 65535)
		return error_set(err, -E2BIG, "at most 65535 subvolumes");
	d->order = calloc(n, sizeof(*d->order));
	d->rank = calloc(n, sizeof(*d->rank));
	d->up = calloc(n, sizeof(*d->up));
	d->reported = calloc(n, sizeof(*d->reported));
	d->retired = calloc(n, sizeof(*d->retired));
	d->space = calloc(n, sizeof(*d->space));
	if (!d->order || !d->rank || !d->up || !d->reported || !d->retired || !d->space)
		return -ENOMEM;
	co_gate_init(&d->work);
	timer_init(&d->start_wait, start_waited, xl);
	loop_random(xl_loop(xl), &d->next_owner, sizeof(d->next_owner));
	ret = sort_children(xl, err);
	if (ret == 0)
		ret = parse_retired(xl, err);
	if (ret == 0)
		ret = dht_regex_init(d, err);
	if (ret == 0)
		ret = dht_space_options(d, err);
	return ret;
}

static void coroutine_fn distribute_fini(struct xlator *xl)
{
	struct distribute *d = xl->priv;

	if (!d->space)
		return;
	timer_cancel(&d->start_wait);
	co_shield();
	co_gate_close(&d->work);
	co_unshield();
	dht_regex_fini(d);
	free(d->order);
	free(d->rank);
	free(d->up);
	free(d->reported);
	free(d->retired);
	free(d->space);
}

/* The volume is up when all children have spoken, or shortly after the first is up: a brick that never answers must not hold it. */
static void distribute_event(struct xlator *xl, unsigned child, enum xl_event ev, const struct xl_upcall *upcall)
{
	struct distribute *d = xl->priv;
	bool all = true;

	if (ev != XL_UP && ev != XL_DOWN) {
		xl_notify(xl, ev, upcall);
		return;
	}
	d->reported[child] = true;
	if (d->up[child] != (ev == XL_UP)) {
		d->up[child] = ev == XL_UP;
		d->nup += ev == XL_UP ? 1 : -1;
	}
	for (unsigned i = 0; i < xl->nchildren; i++)
		all &= d->reported[i];
	if (d->nup == 0) {
		timer_cancel(&d->start_wait);
		if (d->told_up || all)
			xl_notify(xl, XL_DOWN, NULL);
		d->told_up = false;
	} else if (all) {
		tell_up(xl);
	} else if (!d->told_up && !timer_armed(&d->start_wait)) {
		timer_arm(xl_loop(xl), &d->start_wait, loop_now_ns(xl_loop(xl)) + START_WAIT_NS);
	}
}

const struct xlator_class cluster_distribute_class = {
	.name = "cluster/distribute",
	.summary = "files spread over subvolumes by the hash of their names",
	.priv_size = sizeof(struct distribute),
	.options = distribute_options,
	.min_children = 1,
	.max_children = 65535,
	.uses_inode_ctx = true,
	.init = distribute_init,
	.fini = distribute_fini,
	.event = distribute_event,
	.forget = dht_forget,
#define F(op) .op = distribute_##op,
	.fops = { FOPS(F) },
#undef F
};
