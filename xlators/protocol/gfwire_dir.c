/* xlators/protocol/gfwire_dir.c: pages of directories. @size is the brick's memory budget on both sides, not a wire size. */
#include "xlators/protocol/gfwire_impl.h"

#include <string.h>

/* Asked for with every entry: see forget_remembered(). Our own brick takes it for no question. */
static const char *const own_gfid[] = { "trusted.gfid" };

GFWIRE_PUT_ARGS(readdir)
{
	const struct readdir_args *a = from;
	struct gf_readdir_req *q = to;

	memcpy(q->gfid, gw->gfid, 16);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->size = a->size;
	return 0;
}

GFWIRE_GET_ARGS(readdir)
{
	const struct gf_readdir_req *q = from;
	struct readdir_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->size = q->size;
	return 0;
}

GFWIRE_PUT_ARGS(readdirp)
{
	const struct readdir_args *a = from;
	struct gf_readdir_req *q = to;
	struct xattr_want want = { own_gfid, 1, a->want };
	struct gfwire_ask ask = { .want = &want };
	int ret = gfwire_put_readdir_args(gw, from, to);

	return ret ? ret : gfwire_put_ask(gw, &q->xdata, &ask);
}

GFWIRE_GET_ARGS(readdirp)
{
	const struct gf_readdir_req *q = from;
	struct readdir_args *a = to;
	struct gfwire_ask ask;
	int ret = gfwire_get_readdir_args(gw, from, to);

	if (!ret)
		ret = gfwire_get_ask(gw, &q->xdata, &ask);
	if (ret < 0)
		return ret;
	a->plus = true;
	a->want = ask.want;
	return 0;
}

static void put_head(const struct readdir_res *r, void *to)
{
	struct gfwire_head *head = to;

	head->op_ret = (int32_t)r->n;
	head->op_errno = r->eof ? ENOENT : 0;
}

static bool get_eof(const void *from)
{
	const struct gfwire_head *head = from;

	return head->op_errno == ENOENT || head->op_ret == 0;
}

GFWIRE_PUT_RES(readdir)
{
	const struct readdir_res *r = from;
	struct gf_readdir_rsp *p = to;
	struct gf_dirent *e;
	uint32_t i;

	put_head(r, to);
	if (!r->n)
		return 0;
	e = arena_alloc(gw->arena, r->n * sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (i = 0; i < r->n; i++)
		e[i] = (struct gf_dirent){ r->entries[i].ino, r->entries[i].off, r->entries[i].namelen, r->entries[i].type,
					   (char *)(uintptr_t)r->entries[i].name };
	p->list.n = r->n;
	p->list.entries = e;
	return 0;
}

GFWIRE_GET_RES(readdir)
{
	const struct gf_readdir_rsp *p = from;
	struct readdir_res *r = to;
	const struct gf_dirent *e = p->list.entries;
	uint32_t i;

	r->eof = get_eof(from);
	r->n = 0;
	if (!p->list.n)
		return 0;
	r->entries = arena_alloc(gw->arena, p->list.n * sizeof(*r->entries));
	if (!r->entries)
		return -ENOMEM;
	for (i = 0; i < p->list.n; i++, r->n++) {
		r->entries[i].ino = e[i].ino;
		r->entries[i].off = e[i].off;
		r->entries[i].name = e[i].name;
		r->entries[i].namelen = (uint32_t)strlen(e[i].name);
		r->entries[i].type = e[i].type;
	}
	return 0;
}

GFWIRE_PUT_RES(readdirp)
{
	const struct readdir_res *r = from;
	struct gf_readdirp_rsp *p = to;
	const struct dirent_plus *d;
	struct gf_direntp *e;
	uint32_t i;
	int ret;

	put_head(r, to);
	if (!r->n)
		return 0;
	e = arena_alloc(gw->arena, r->n * sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (i = 0; i < r->n; i++) {
		d = &r->entries[i];
		e[i].ino = d->ino;
		e[i].off = d->off;
		e[i].len = d->namelen;
		e[i].type = d->type;
		e[i].name = (char *)(uintptr_t)d->name;
		gfwire_put_iatt(&d->stat, &e[i].stat);
		ret = gfwire_put_xattrs(gw, &e[i].dict, &d->xattrs);
		if (ret < 0)
			return ret;
	}
	p->list.n = r->n;
	p->list.entries = e;
	return 0;
}

/* A GlusterFS brick tells gfid and times of the file that it remembers by a name, which may be another one. The object's own gfid came along;
 * where it differs, it is told, and no attributes. Extended attributes are read from the object. */
static void forget_remembered(const struct gf_direntp *e, struct dirent_plus *d)
{
	const struct dict_pair *own = e->dict.n ? dict_get(&e->dict, own_gfid[0]) : NULL;

	if (!own || own->len != 16 || !iatt_present(&d->stat) || gfid_equal(own->data, d->stat.gfid))
		return;
	d->ino = gfid_ino(own->data);
	d->stat = (struct iatt){ 0 };
	memcpy(d->stat.gfid, own->data, 16);
}

GFWIRE_GET_RES(readdirp)
{
	const struct gf_readdirp_rsp *p = from;
	struct readdir_res *r = to;
	const struct gf_direntp *e = p->list.entries;
	struct dirent_plus *d;
	uint32_t i;
	int ret;

	r->eof = get_eof(from);
	r->n = 0;
	if (!p->list.n)
		return 0;
	r->entries = arena_alloc(gw->arena, p->list.n * sizeof(*r->entries));
	if (!r->entries)
		return -ENOMEM;
	for (i = 0; i < p->list.n; i++, r->n++) {
		d = &r->entries[i];
		d->ino = e[i].ino;
		d->off = e[i].off;
		d->name = e[i].name;
		d->namelen = (uint32_t)strlen(e[i].name);
		d->type = e[i].type;
		gfwire_get_iatt(&e[i].stat, &d->stat);
		ret = gfwire_get_answers(gw, &e[i].dict, &d->xattrs, NULL);
		if (ret < 0)
			return ret;
		forget_remembered(&e[i], d);
	}
	return 0;
}
