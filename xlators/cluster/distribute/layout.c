/* xlators/cluster/distribute/layout.c: the ranges of hash values that a directory gives to its subvolumes.
 *
 * The truth is the attribute on each subvolume's copy of the directory; a struct dht_layout is what one look at all copies gave. It is
 * never changed once it hangs on an inode: a new look makes a new one, and who still holds the old one keeps a reference. */
#include <stdlib.h>

#include "xlators/cluster/distribute/distribute.h"

struct dht_layout *dht_layout_new(unsigned n)
{
	struct dht_layout *l = calloc(1, sizeof(*l) + n * sizeof(l->v[0]));

	if (!l)
		return NULL;
	l->refs = 1;
	l->n = n;
	l->commit = DHT_COMMIT_UNSETTLED;
	for (unsigned i = 0; i < n; i++)
		l->v[i].err = -ENOTCONN;
	return l;
}

struct dht_layout *dht_layout_ref(struct dht_layout *l)
{
	l->refs++;
	return l;
}

void dht_layout_unref(struct dht_layout *l)
{
	if (l && --l->refs == 0)
		free(l);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void dht_range_decode(struct dht_range *r, const struct xattr *x)
{
	const uint8_t *p;

	*r = (struct dht_range){ .err = -ENODATA };
	if (!x || x->len != DHT_RANGE_SIZE)
		return;
	p = x->value;
	r->commit = get32(p);
	r->type = get32(p + 4);
	r->start = get32(p + 8);
	r->stop = get32(p + 12);
	if (r->type <= 1 && r->start <= r->stop)
		r->err = 0;
}

void dht_range_encode(const struct dht_range *r, uint8_t buf[DHT_RANGE_SIZE])
{
	put32(buf, r->commit);
	put32(buf + 4, r->type);
	put32(buf + 8, r->start);
	put32(buf + 12, r->stop);
}

bool dht_range_takes_part(const struct dht_range *r)
{
	return r->err == 0 && (r->start || r->stop);
}

/* The range that begins next at or after @from, by start; NULL when there is none. */
static const struct dht_range *next_range(const struct dht_layout *l, uint64_t from, const struct dht_range *not)
{
	const struct dht_range *best = NULL;

	for (unsigned i = 0; i < l->n; i++) {
		const struct dht_range *r = &l->v[i];

		if (r != not && dht_range_takes_part(r) && r->start >= from && (!best || r->start < best->start))
			best = r;
	}
	return best;
}

static void settle_commit(struct dht_layout *l)
{
	bool first = true;

	l->commit = DHT_COMMIT_UNSETTLED;
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i].err)
			continue;
		if (!first && l->v[i].commit != l->commit) {
			l->commit = DHT_COMMIT_UNSETTLED;
			return;
		}
		l->commit = l->v[i].commit;
		first = false;
	}
}

void dht_layout_settle(struct dht_layout *l)
{
	const struct dht_range *r;
	uint64_t covered = 0, total = 0;

	l->missing = l->unheard = false;
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i].err == -ENOENT)
			l->missing = true;
		else if (l->v[i].err && l->v[i].err != -ENODATA)
			l->unheard = true;
		if (dht_range_takes_part(&l->v[i]))
			total += (uint64_t)l->v[i].stop - l->v[i].start + 1;
	}
	/* Walk from range to range as long as each begins where the last one ended. */
	while ((r = next_range(l, covered, NULL)) != NULL && r->start == covered)
		covered = (uint64_t)r->stop + 1;
	l->complete = covered == 1ull << 32 && total == covered;
	l->overlaps = false;
	for (unsigned i = 0; i < l->n && !l->complete; i++) {
		if (!dht_range_takes_part(&l->v[i]))
			continue;
		r = next_range(l, l->v[i].start, &l->v[i]);
		if (r && r->start <= l->v[i].stop)
			l->overlaps = true;
	}
	settle_commit(l);
}

int dht_layout_search(const struct dht_layout *l, uint32_t hash)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (dht_range_takes_part(&l->v[i]) && l->v[i].start <= hash && hash <= l->v[i].stop)
			return (int)i;
	}
	return -ENOENT;
}

/* A child that may get a range: it answered, is not being removed, and is not nearly full. */
static bool eligible(const struct xlator *xl, const struct dht_layout *l, unsigned child, bool even_full)
{
	const struct distribute *d = xl->priv;

	if (l->v[child].err && l->v[child].err != -ENODATA)
		return false;
	return !d->retired[child] && (even_full || !dht_full(xl, child));
}

/* Without every size there is nothing to weigh by. */
static bool equal_sizes(const struct xlator *xl, const bool *in)
{
	const struct distribute *d = xl->priv;
	uint64_t size = 0;
	bool equal = true;

	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (!in[i])
			continue;
		if (!d->space[i].known || !d->space[i].blocks)
			return true;
		if (size && d->space[i].blocks != size)
			equal = false;
		size = d->space[i].blocks;
	}
	return equal;
}

static void spread(struct xlator *xl, struct dht_layout *l, const bool *in, unsigned count, unsigned first, uint32_t commit)
{
	const struct distribute *d = xl->priv;
	bool equal = !d->weighted || equal_sizes(xl, in);
	struct dht_range *last = NULL;
	double total = 0;
	uint32_t at = 0;

	for (unsigned i = 0; i < l->n; i++)
		total += in[i] ? (double)d->space[i].blocks : 0;
	for (unsigned k = 0; k < l->n; k++) {
		unsigned child = d->order[(first + k) % l->n];
		struct dht_range *r = &l->v[child];
		uint32_t chunk = 0xffffffffu / count;

		if (r->err && r->err != -ENODATA)
			continue;
		*r = (struct dht_range){ .commit = commit };
		if (!in[child])
			continue;
		if (!equal)
			chunk = (uint32_t)((double)0xffffffffu * ((double)d->space[child].blocks / total));
		if (chunk < 2)
			continue;		/* too small for a range of its own */
		r->start = at;
		r->stop = at + (chunk - 1);
		at += chunk;
		last = r;
	}
	if (last)
		last->stop = 0xffffffffu;
}

void dht_layout_assign(struct xlator *xl, struct dht_layout *l, const uint8_t *gfid, const char *path, uint32_t commit)
{
	const struct distribute *d = xl->priv;
	char text[GFID_TEXT_SIZE];
	bool *in = calloc(l->n, sizeof(*in));
	unsigned count = 0;

	if (!in)
		return;
	for (int even_full = 0; even_full < 2 && count == 0; even_full++) {
		for (unsigned i = 0; i < l->n; i++) {
			in[i] = eligible(xl, l, i, even_full);
			count += in[i];
		}
	}
	if (count) {
		const char *seed = path && !d->by_gfid ? path : gfid_text(gfid, text);

		spread(xl, l, in, count, dht_hash(seed, strlen(seed)) % l->n, commit);
	}
	free(in);
	dht_layout_settle(l);
}

/* A child that answered, but has no range yet. */
static struct dht_range *without_range(struct xlator *xl, struct dht_layout *l)
{
	const struct distribute *d = xl->priv;

	for (unsigned k = 0; k < l->n; k++) {
		struct dht_range *r = &l->v[d->order[k]];

		if (r->err == -ENODATA && !d->retired[d->order[k]])
			return r;
	}
	return NULL;
}

static void close_hole(struct xlator *xl, struct dht_layout *l, uint32_t start, uint32_t stop, struct dht_range *before,
		       struct dht_range *after)
{
	struct dht_range *r = without_range(xl, l);

	if (r)
		*r = (struct dht_range){ .commit = DHT_COMMIT_UNSETTLED, .start = start, .stop = stop };
	else if (before)
		before->stop = stop;
	else if (after)
		after->start = start;
}

/* Names already placed stay where they hash as far as possible: a hole goes to a child without a range, else to a neighbour. The commit
 * hash says "unsettled", because names may have been made elsewhere while the hole was there. */
void dht_layout_fill(struct xlator *xl, struct dht_layout *l, const uint8_t *gfid, const char *path)
{
	struct dht_range *before = NULL;
	uint64_t at = 0;
	bool any = false;

	for (unsigned i = 0; i < l->n; i++)
		any |= dht_range_takes_part(&l->v[i]);
	if (!any || l->overlaps) {
		dht_layout_assign(xl, l, gfid, path, DHT_COMMIT_UNSETTLED);
		return;
	}
	while (at <= 0xffffffffu) {
		struct dht_range *r = (struct dht_range *)next_range(l, at, NULL);

		if (!r || r->start != at)
			close_hole(xl, l, (uint32_t)at, r ? r->start - 1 : 0xffffffffu, before, r);
		if (!r)
			break;
		before = r;
		at = (uint64_t)r->stop + 1;
	}
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i].err == -ENODATA)
			l->v[i] = (struct dht_range){ 0 };
		l->v[i].commit = DHT_COMMIT_UNSETTLED;
	}
	dht_layout_settle(l);
}
