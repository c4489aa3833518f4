/* xlators/cluster/distribute/copies.c: one directory out of the answers of all subvolumes.
 *
 * What was done on one subvolume after another may have been cut short: a directory renamed here and not there, or renamed over another one here
 * only. The subvolume where the name hashes decides which directory the name means; where others know it under another name they are asked
 * for it by its gfid, so that a half-done rename is a directory with two names, and not an error. */
#include <stdlib.h>
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

static void answer_parts(const struct answer *a, enum fop op, const struct iatt **st, const struct xattrs **xattrs)
{
	*st = op == FOP_stat ? &a->res->stat.stat : &a->res->lookup.stat;
	*xattrs = op == FOP_stat ? &a->res->stat.xattrs : &a->res->lookup.xattrs;
}

/* Decimal text; absent on a volume that was never rebalanced. */
static void learn_commit(struct distribute *d, const struct xattrs *xattrs)
{
	const struct xattr *x = xattrs_find(xattrs, DHT_COMMIT);
	char text[16] = "0";

	if (x && x->len < sizeof(text)) {
		memcpy(text, x->value, x->len);
		text[x->len] = '\0';
	}
	d->commit = (uint32_t)strtoul(text, NULL, 10);
	d->commit_known = true;
}

static void learn_mds(struct dht_copies *c, const struct xattrs *xattrs, unsigned child)
{
	const struct xattr *x = xattrs_find(xattrs, DHT_MDS);
	const uint8_t *p;

	if (!x || x->len != 4 || c->mds >= 0)
		return;
	p = x->value;
	c->mds = (int)child;
	c->mds_pending = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Mode and owner of the authoritative copy for the whole. */
static void adopt_owner(struct xlator *xl, const struct answer *ans, enum fop op, struct dht_copies *c)
{
	const struct distribute *d = xl->priv;
	const struct iatt *base = NULL, *st;
	const struct xattrs *xattrs;

	if (c->mds >= 0)
		answer_parts(&ans[c->mds], op, &base, &xattrs);
	for (unsigned k = 0; k < xl->nchildren; k++) {
		if (ans[d->order[k]].err)
			continue;
		answer_parts(&ans[d->order[k]], op, &st, &xattrs);
		if (!base)
			base = st;
		if (st->mode != base->mode || st->uid != base->uid || st->gid != base->gid)
			c->differ = true;
	}
	if (base) {
		c->stat.mode = base->mode;
		c->stat.uid = base->uid;
		c->stat.gid = base->gid;
	}
}

int dht_copies_read(struct xlator *xl, const struct answer *ans, enum fop op, struct dht_copies *c)
{
	const struct iatt *st;
	const struct xattrs *xattrs;

	*c = (struct dht_copies){ .mds = -1, .layout = dht_layout_new(xl->nchildren) };
	if (!c->layout)
		return -ENOMEM;
	for (unsigned i = 0; i < xl->nchildren; i++) {
		if (ans[i].err) {
			c->layout->v[i].err = dht_gone(ans[i].err) ? -ENOENT : ans[i].err == 1 ? -ENOTCONN : ans[i].err;
			continue;
		}
		answer_parts(&ans[i], op, &st, &xattrs);
		if (!S_ISDIR(st->mode) || (c->found && !gfid_equal(st->gfid, c->stat.gfid))) {
			dht_layout_unref(c->layout);
			c->layout = NULL;
			return -EIO;	/* a directory here and something else under its name there */
		}
		c->found++;
		dht_range_decode(&c->layout->v[i], xattrs_find(xattrs, DHT_XATTR));
		learn_mds(c, xattrs, i);
		dht_iatt_merge(&c->stat, st);
		if (gfid_is_root(st->gfid))
			learn_commit(xl->priv, xattrs);
	}
	adopt_owner(xl, ans, op, c);
	c->layout->at_ns = loop_now_ns(xl_loop(xl));
	dht_layout_settle(c->layout);
	return 0;
}

/* Whose answer says which directory a name means. -1: nobody has one. */
static int decider(struct xlator *xl, const struct answer *ans, int prefer)
{
	const struct distribute *d = xl->priv;

	if (prefer >= 0 && !ans[prefer].err)
		return prefer;
	for (unsigned k = 0; k < xl->nchildren; k++) {
		if (!ans[d->order[k]].err)
			return (int)d->order[k];
	}
	return -1;
}

int coroutine_fn dht_copies_gather(struct xlator *xl, struct call *call, const struct lookup_args *args, struct answer *ans, int prefer)
{
	struct lookup_args by_gfid = { .want = args->want };
	const void **to = dht_args(xl, call);
	int first = args->name ? decider(xl, ans, prefer) : -1;
	const uint8_t *gfid = first >= 0 ? ans[first].res->lookup.stat.gfid : NULL;
	struct answer *more;
	bool any = false;

	if (!to)
		return -ENOMEM;
	for (unsigned i = 0; gfid && i < xl->nchildren; i++) {
		bool other = ans[i].err == 0 && !gfid_equal(ans[i].res->lookup.stat.gfid, gfid);

		if (ans[i].err == 0 && !S_ISDIR(ans[i].res->lookup.stat.mode))
			return -EIO;
		to[i] = dht_gone(ans[i].err) || other ? &by_gfid : NULL;
		any |= to[i] != NULL;
	}
	if (!any)
		return 0;
	by_gfid.inode = inode_get(xl_inodes(xl), gfid);
	more = by_gfid.inode ? dht_fanout(xl, call, FOP_lookup, to) : NULL;
	inode_unref(by_gfid.inode);
	for (unsigned i = 0; more && i < xl->nchildren; i++) {
		if (to[i])
			ans[i] = more[i];
	}
	return more ? 0 : -ENOMEM;
}
