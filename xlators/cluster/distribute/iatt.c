/* xlators/cluster/distribute/iatt.c: one set of attributes out of many copies of a directory, and out of a file that is on the move.
 *
 * A directory exists on every subvolume; entries come and go on one of them, so its times are the newest of all copies. Its size and
 * blocks mean nothing across subvolumes and are the same constant always, as in GlusterFS, so that attributes do not flap. */
#include "xlators/cluster/distribute/distribute.h"

#define DIR_SIZE 4096
#define DIR_BLOCKS 8

bool dht_is_linkto(const struct iatt *stat, const struct xattrs *xattrs)
{
	const struct xattr *x;

	if (!dht_phase2_mode(stat))
		return false;
	x = xattrs_find(xattrs, DHT_LINKTO);
	return x && x->len > 1;
}

void dht_iatt_file(struct iatt *st)
{
	if (dht_phase1_mode(st))
		st->mode &= ~03000u;
}

static bool newer(const struct iatt_time *a, const struct iatt_time *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

static void newest(struct iatt_time *to, const struct iatt_time *from)
{
	if (newer(from, to))
		*to = *from;
}

void dht_iatt_dir(struct iatt *st)
{
	if (!S_ISDIR(st->mode))
		return;
	st->size = DIR_SIZE;
	st->blocks = DIR_BLOCKS;
	if (st->nlink < 2)
		st->nlink = 2;
}

void dht_iatt_merge(struct iatt *to, const struct iatt *from)
{
	if (!iatt_present(from))
		return;
	if (!iatt_present(to)) {
		*to = *from;
	} else {
		newest(&to->atime, &from->atime);
		newest(&to->mtime, &from->mtime);
		newest(&to->ctime, &from->ctime);
		if (from->nlink > to->nlink)
			to->nlink = from->nlink;
	}
	dht_iatt_dir(to);
}

void dht_iatt_partial(const struct xlator *xl, struct inode *inode, struct iatt *st)
{
	struct dht_dir *dir = dht_dir(xl, inode);

	if (!iatt_present(st) || !S_ISDIR(st->mode))
		return;
	dht_iatt_dir(st);
	if (!dir)
		return;
	newest(&st->atime, &dir->atime);
	newest(&st->mtime, &dir->mtime);
	newest(&st->ctime, &dir->ctime);
	dht_iatt_complete(xl, inode, st);
}

void dht_iatt_complete(const struct xlator *xl, struct inode *inode, const struct iatt *st)
{
	struct dht_dir *dir = dht_dir(xl, inode);

	if (!dir || !iatt_present(st))
		return;
	dir->atime = st->atime;
	dir->mtime = st->mtime;
	dir->ctime = st->ctime;
}

/* One subvolume's "before" is not the directory's: another one may have changed since the caller last looked. So there is none. */
void dht_parent_result(const struct xlator *xl, struct inode *dir, struct iatt *pre, struct iatt *post)
{
	*pre = (struct iatt){ 0 };
	dht_iatt_partial(xl, dir, post);
}
