/* xlators/cluster/distribute/readdir.c: one listing out of the listings of all subvolumes, one after another in the order of their names.
 *
 * Linktos are hidden; a directory is on all subvolumes and reported by the one its name hashes to. Names are never left out silently: while
 * a subvolume is away the listing fails (-ENOTCONN) and the client waits. How positions become cookies: cookie.c and README.md. */
#include <dirent.h>
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define ENTRY_COST 208			/* what bricks account beside the name */
#define READ_MIN 1024u
#define READ_MAX (1u << 20)

struct listing {
	struct xlator *xl;
	struct call *call;
	const struct readdir_args *args;
	struct dht_layout *layout;
	struct dirent_plus *v;
	uint32_t n;
	uint64_t used;
	struct dht_pos pos;
	bool raw;			/* pos.off is exact, as the child gave it just now */
	bool healed, sweep;
};

static unsigned child_of(const struct listing *l)
{
	const struct distribute *d = l->xl->priv;

	return d->order[l->pos.rank];
}

static bool dots(const struct dirent_plus *e)
{
	return e->name[0] == '.' && (e->namelen == 1 || (e->namelen == 2 && e->name[1] == '.'));
}

/* The one child whose copy of a directory is listed. */
static unsigned speaker(const struct listing *l, const char *name)
{
	const struct distribute *d = l->xl->priv;
	int child = dht_layout_search(l->layout, dht_hash_name(d, name));

	if (child >= 0 && (d->up[child] || !d->readdir_partial))
		return (unsigned)child;
	for (unsigned k = 0; k < l->xl->nchildren; k++) {
		if (d->up[d->order[k]])
			return d->order[k];
	}
	return d->order[0];
}

static bool wanted(const struct listing *l, const struct dirent_plus *e)
{
	if (dots(e))
		return l->pos.rank == 0;
	if (e->type == DT_DIR || S_ISDIR(e->stat.mode))
		return speaker(l, e->name) == child_of(l);
	return !dht_is_linkto(&e->stat, &e->xattrs);
}

/* One copy's attributes are not the directory's: only the gfid is told, and whoever wants attributes asks for them. */
static void present(struct listing *l, struct dirent_plus *e)
{
	if (dots(e) || e->type == DT_DIR || S_ISDIR(e->stat.mode)) {
		struct iatt only = { 0 };

		memcpy(only.gfid, e->stat.gfid, sizeof(only.gfid));
		e->stat = only;
	} else if (iatt_present(&e->stat)) {
		dht_set_cached_gfid(l->xl, &e->stat, (int)child_of(l));
		dht_iatt_file(&e->stat);
	}
	if (!l->args->plus) {
		e->stat = (struct iatt){ 0 };
		e->xattrs = (struct xattrs){ 0 };
	}
}

static bool same_run(const struct listing *l, const struct dirent_plus *a, const struct dirent_plus *b)
{
	unsigned n = l->xl->nchildren;

	return dht_off_wide(a->off) && dht_off_wide(b->off) && dht_off_bucket(n, a->off) == dht_off_bucket(n, b->off);
}

/* Without the end of the last run its members cannot be numbered: they are left for the next page. */
static uint32_t whole_runs(const struct listing *l, const struct readdir_res *r)
{
	uint32_t n = r->n;

	if (r->eof || !n || !dht_off_wide(r->entries[n - 1].off))
		return n;
	do {
		n--;
	} while (n && same_run(l, &r->entries[n - 1], &r->entries[r->n - 1]));
	return n;
}

/* How many entries at the start of a page the client has already: those of the cookie's run but the last pos.after of them. */
static uint32_t returned_before(const struct listing *l, const struct readdir_res *r, uint32_t n)
{
	unsigned nc = l->xl->nchildren;
	uint32_t members = 0;

	if (l->raw || !l->pos.wide)
		return 0;
	while (members < n && dht_off_wide(r->entries[members].off) &&
	       dht_off_bucket(nc, r->entries[members].off) == dht_off_bucket(nc, l->pos.off))
		members++;
	return members > l->pos.after ? members - l->pos.after : 0;
}

static int append(struct listing *l, const struct readdir_res *r, uint32_t n)
{
	struct dirent_plus *v = arena_alloc(l->call->arena, (l->n + n) * sizeof(*v));
	uint32_t first = returned_before(l, r, n);
	unsigned after = 0;

	if (!v)
		return -ENOMEM;
	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	/* Backwards, because an entry's cookie counts the members of its run that follow; then forwards to what is shown. */
	for (uint32_t i = n; i-- > first; ) {
		struct dirent_plus *e = &r->entries[i];

		after = i + 1 < n && same_run(l, e, &r->entries[i + 1]) ? after + 1 : 0;
		if (after >= DHT_COOKIE_RUN_MAX)
			return -EOVERFLOW;
		v[l->n + i] = *e;
		v[l->n + i].off = dht_cookie_pack(l->xl->nchildren, l->pos.rank, e->off, after);
	}
	for (uint32_t i = first, base = l->n; i < n; i++) {
		if (!wanted(l, &r->entries[i]))
			continue;
		v[l->n] = v[base + i];
		present(l, &v[l->n]);
		l->used += ENTRY_COST + v[l->n].namelen;
		l->n++;
	}
	return 0;
}

static int coroutine_fn read_page(struct listing *l, uint32_t size, struct readdir_res *r)
{
	struct xattr_want want = dht_want(l->args->want);
	struct readdir_args a = { .inode = l->args->inode, .offset = l->pos.off, .size = size, .plus = true, .want = &want };
	struct dht_layout *fresh;
	int ret = xl_readdir(l->xl->children[child_of(l)], l->call, &a, r);

	if (!dht_gone(ret))
		return ret;
	/* It misses the directory: heal, and ask again; if it still has none, it has no names either. One that has it and does not find it is
	 * not passed over. */
	if (!l->healed) {
		l->healed = true;
		ret = dht_layout_reread(l->xl, l->call, l->args->inode, &fresh);
		if (ret < 0)
			return ret;
		dht_layout_unref(l->layout);
		l->layout = fresh;
		*r = (struct readdir_res){ 0 };
		ret = xl_readdir(l->xl->children[child_of(l)], l->call, &a, r);
		if (!dht_gone(ret))
			return ret;
	}
	if (l->layout->v[child_of(l)].err != -ENOENT)
		return -ESTALE;
	*r = (struct readdir_res){ .eof = true };
	return 0;
}

/* Attributes that nobody vouches for (a doubtful copy in a replica set) do not tell a file from a linkto: ask by name. What cannot be read
 * there (copies that contradict each other) is shown all the same: who asks for it hears why. */
static int coroutine_fn settle_doubts(struct listing *l, struct readdir_res *r)
{
	struct xattr_want want = dht_want(l->args->want);
	struct call own = dht_internal(l->call);
	uint32_t i, n = 0;

	for (i = 0; i < r->n; i++) {
		struct dirent_plus *e = &r->entries[i];
		struct lookup_args a = { .parent = l->args->inode, .name = e->name, .want = &want };
		struct lookup_res *found;
		int ret;

		if (!iatt_present(&e->stat) && !dots(e) && e->type != DT_DIR) {
			found = arena_alloc(l->call->arena, sizeof(*found));
			ret = found ? xl_lookup(l->xl->children[child_of(l)], &own, &a, found) : -ENOMEM;
			if (dht_gone(ret))
				continue;
			if (ret < 0 && ret != -EIO)
				return ret;
			if (ret == 0) {
				e->stat = found->stat;
				e->xattrs = found->xattrs;
			}
		}
		r->entries[n++] = *e;
	}
	r->n = n;
	return dht_check_names(l->xl, l->call, l->args->inode, l->layout, (int)child_of(l), l->sweep ? DHT_CHECK_MEND : DHT_CHECK_LEFTOVERS, r);
}

/* One page of the current child. Moves the position behind what was taken. */
static int coroutine_fn take_page(struct listing *l)
{
	uint64_t left = l->args->size > l->used ? l->args->size - l->used : 0;
	uint32_t size = left < READ_MIN ? READ_MIN : (uint32_t)left, n;
	struct readdir_res r;
	int ret;

	for (;;) {
		r = (struct readdir_res){ 0 };
		ret = read_page(l, size, &r);
		if (ret == 0 && r.n == 0)
			r.eof = true;		/* before names that are gone by now are taken out */
		if (ret == 0)
			ret = settle_doubts(l, &r);
		if (ret < 0)
			return ret;
		n = whole_runs(l, &r);
		if (n || r.eof)
			break;
		if (size >= READ_MAX)		/* one run and no end of it */
			return -EOVERFLOW;
		size *= 4;
	}
	if (n) {
		uint64_t last = r.entries[n - 1].off;

		ret = append(l, &r, n);
		if (ret < 0)
			return ret;
		l->pos = (struct dht_pos){ .rank = l->pos.rank, .off = last };
		l->raw = true;
	}
	if (r.eof) {
		l->pos = (struct dht_pos){ .rank = l->pos.rank + 1 };
		l->raw = true;
	}
	return 0;
}

static int coroutine_fn list(struct listing *l)
{
	const struct distribute *d = l->xl->priv;
	uint64_t enough = l->args->size - l->args->size / 8;

	for (unsigned r = l->pos.rank; r < l->xl->nchildren && !d->readdir_partial; r++) {
		if (!d->up[d->order[r]])
			return -ENOTCONN;
	}
	while (l->pos.rank < l->xl->nchildren && (l->n == 0 || l->used + ENTRY_COST < enough)) {
		int ret = take_page(l);

		if (ret == -ENOTCONN && d->readdir_partial) {
			l->pos = (struct dht_pos){ .rank = l->pos.rank + 1 };
			l->raw = true;
			continue;
		}
		if (ret < 0)
			return l->n ? 0 : ret;	/* the rest, or its error, comes with the next page */
	}
	return 0;
}

int coroutine_fn distribute_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct listing l = { .xl = xl, .call = call, .args = args, .raw = args->offset == 0 };
	int ret;

	if (dht_single(xl))
		return xl_readdir(xl->children[0], call, args, res);
	if (args->offset) {
		ret = dht_cookie_unpack(xl->nchildren, args->offset, &l.pos);
		if (ret < 0)
			return ret;
	}
	ret = dht_layout_get(xl, call, args->inode, 0, &l.layout);
	if (ret < 0)
		return ret;
	l.sweep = dht_sweep_page(xl, call, args->inode, args->offset == 0);
	ret = list(&l);
	if (ret == 0 && l.pos.rank >= xl->nchildren)
		dht_sweep_end(xl, args->inode);
	dht_layout_unref(l.layout);
	*res = (struct readdir_res){ l.v, l.n, l.pos.rank >= xl->nchildren };
	return ret;
}
