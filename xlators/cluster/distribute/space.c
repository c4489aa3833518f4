/* xlators/cluster/distribute/space.c: how full the subvolumes are: for statfs, for new files, for new layouts.
 *
 * What creation needs may be some seconds old, so it is refreshed in the background and nobody waits for it, but the very first. */
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

#define SPACE_AGE_NS (10 * DHT_NSEC)

bool dht_full(const struct xlator *xl, unsigned child)
{
	const struct distribute *d = xl->priv;
	const struct dht_space *s = &d->space[child];

	if (!s->known || !s->blocks)
		return false;
	if (d->free_disk_percent >= 0) {
		if ((double)s->bavail * 100 < d->free_disk_percent * (double)s->blocks)
			return true;
	} else if (s->bavail < d->free_disk_bytes / (s->bsize ? s->bsize : 1)) {
		return true;
	}
	if (!s->files)
		return false;		/* file systems without a number of inodes */
	if (d->free_inode_percent >= 0)
		return (double)s->ffree * 100 < d->free_inode_percent * (double)s->files;
	return s->ffree < d->free_inode_count;
}

int dht_emptiest(const struct xlator *xl, int except)
{
	const struct distribute *d = xl->priv;
	double most = 0;
	int best = -1;

	for (unsigned i = 0; i < xl->nchildren; i++) {
		double free_bytes = (double)d->space[i].bavail * (double)d->space[i].bsize;

		if ((int)i == except || !d->up[i] || d->retired[i] || !d->space[i].known || dht_full(xl, i))
			continue;
		if (best < 0 || free_bytes > most) {
			best = (int)i;
			most = free_bytes;
		}
	}
	return best;
}

/* "10%" or a number of bytes (or of inodes). */
static int parse_least(const char *option, const char *text, double *ret_percent, uint64_t *ret_count, struct error *err)
{
	static const char units[] = "KMGTP";
	char *end;
	double v = strtod(text, &end);
	const char *unit;

	if (end == text || !(v >= 0))
		return error_set(err, -EINVAL, "option %s: expected a percentage like 10%% or a number, got \"%.64s\"", option, text);
	*ret_percent = -1;
	if (*end == '%' || (*end == '\0' && v <= 100)) {
		if (v > 100)
			return error_set(err, -ERANGE, "option %s: more than 100%%", option);
		*ret_percent = v;
		return 0;
	}
	unit = *end ? strchr(units, *end & ~0x20) : NULL;
	if (*end && !unit && strcmp(end, "B") != 0)
		return error_set(err, -EINVAL, "option %s: unknown unit in \"%.64s\"", option, text);
	for (; unit && unit >= units; unit--)
		v *= 1024;
	*ret_count = v >= 1.8e19 ? UINT64_MAX : (uint64_t)v;
	return 0;
}

int dht_space_options(struct distribute *d, struct error *err)
{
	int ret = parse_least("min-free-disk", d->min_free_disk, &d->free_disk_percent, &d->free_disk_bytes, err);

	if (ret < 0)
		return ret;
	return parse_least("min-free-inodes", d->min_free_inodes, &d->free_inode_percent, &d->free_inode_count, err);
}

static void coroutine_fn refresh(struct xlator *xl)
{
	struct distribute *d = xl->priv;
	struct arena *arena = arena_new(1 << 20);
	struct inode *root = inode_get(xl_inodes(xl), gfid_root);
	struct statfs_args args = { .inode = root };
	struct answer *ans;
	struct call call;

	call_init(&call, arena);
	ans = root ? dht_fanout_same(xl, &call, FOP_statfs, &args, -1) : NULL;
	for (unsigned i = 0; ans && i < xl->nchildren; i++) {
		const struct statfs_res *s = &ans[i].res->statfs;

		if (ans[i].err)
			continue;
		d->space[i] = (struct dht_space){ s->blocks, s->frsize ? s->frsize : s->bsize, s->bavail, s->files, s->ffree, true };
	}
	d->space_at_ns = loop_now_ns(xl_loop(xl));
	inode_unref(root);
	arena_free(arena);
}

static void coroutine_fn refresh_run(void *arg)
{
	struct xlator *xl = arg;
	struct distribute *d = xl->priv;

	refresh(xl);
	d->space_busy = false;
	co_gate_leave(&d->work);
}

void coroutine_fn dht_space_refresh(struct xlator *xl, bool wait)
{
	struct distribute *d = xl->priv;

	if (wait) {
		refresh(xl);
		return;
	}
	if (d->space_busy || !co_gate_enter(&d->work))
		return;
	d->space_busy = true;
	if (co_start(xl_loop(xl), refresh_run, xl))
		return;
	d->space_busy = false;
	co_gate_leave(&d->work);
}

void coroutine_fn dht_space_know(struct xlator *xl, struct call *call)
{
	struct distribute *d = xl->priv;

	(void)call;
	if (!d->space_at_ns)
		dht_space_refresh(xl, true);
	else if (loop_now_ns(xl_loop(xl)) - d->space_at_ns >= SPACE_AGE_NS)
		dht_space_refresh(xl, false);
}

static uint64_t scaled(uint64_t count, uint64_t unit, uint64_t to_unit)
{
	return unit == to_unit ? count : (uint64_t)((double)count * ((double)unit / (double)to_unit));
}

/* Blocks of different sizes are counted in the largest. */
static void add_up(struct statfs_res *sum, const struct statfs_res *s)
{
	uint64_t unit = s->frsize ? s->frsize : s->bsize, to = sum->frsize;

	sum->blocks += scaled(s->blocks, unit, to);
	sum->bfree += scaled(s->bfree, unit, to);
	sum->bavail += scaled(s->bavail, unit, to);
	sum->files += s->files;
	sum->ffree += s->ffree;
	sum->favail += s->favail;
	sum->flag |= s->flag;
	if (s->namemax && (!sum->namemax || s->namemax < sum->namemax))
		sum->namemax = s->namemax;
}

int coroutine_fn distribute_statfs(struct xlator *xl, struct call *call, const struct statfs_args *args, struct statfs_res *res)
{
	struct answer *ans;
	int first_error = -ENOTCONN;
	bool any = false;

	if (dht_single(xl))
		return xl_statfs(xl->children[0], call, args, res);
	ans = dht_fanout_same(xl, call, FOP_statfs, args, -1);
	if (!ans)
		return -ENOMEM;
	*res = (struct statfs_res){ .bsize = 512, .frsize = 512 };
	for (unsigned i = 0; i < xl->nchildren; i++) {
		const struct statfs_res *s = &ans[i].res->statfs;

		if (ans[i].err) {
			first_error = ans[i].err;
			continue;
		}
		any = true;
		res->bsize = s->bsize > res->bsize ? s->bsize : res->bsize;
		res->frsize = s->frsize > res->frsize ? s->frsize : res->frsize;
	}
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (!ans[i].err)
			add_up(res, &ans[i].res->statfs);
	}
	return any ? 0 : dht_gone(first_error) ? -ESTALE : first_error;
}
