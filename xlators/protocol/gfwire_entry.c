/* xlators/protocol/gfwire_entry.c: fops on names: lookup, making, removing, moving and listing entries. */
#include "xlators/protocol/gfwire_impl.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEY_CONTENT "glusterfs.content"
#define KEY_ONLY_LINKTO "unlink-only-if-dht-linkto-file"
#define KEY_REMOVED "gatehouse-removed"	/* in our bricks' answer: the gfid of what UNLINK removed */
#define KEY_NOT_IF_OPEN "dont-unlink-for-open-fd"

static void put_gfid(uint8_t *to, const uint8_t *gfid)
{
	if (gfid)
		memcpy(to, gfid, 16);
}

static char *text(const char *s)	/* the wire's type is not const */
{
	return (char *)(uintptr_t)s;
}

/* --- lookup --- */

GFWIRE_PUT_ARGS(lookup)
{
	const struct lookup_args *a = from;
	struct gf_lookup_req *q = to;
	struct gfwire_ask ask = { a->want, a->count, a->count_domain, a->content_max, a->gfid_req, a->gfidless, a->list_xattr };

	put_gfid(q->pargfid, a->name ? gw->gfid : NULL);
	put_gfid(q->gfid, a->name ? NULL : gw->gfid2);
	q->bname = text(a->name);
	return gfwire_put_ask(gw, &q->xdata, &ask);
}

GFWIRE_GET_ARGS(lookup)
{
	const struct gf_lookup_req *q = from;
	struct lookup_args *a = to;
	struct gfwire_ask ask;
	int ret = gfwire_get_ask(gw, &q->xdata, &ask);

	if (ret < 0)
		return ret;
	if (*q->bname) {
		gw->gfid = q->pargfid;
		a->name = q->bname;
	} else {
		gw->gfid2 = q->gfid;
	}
	a->want = ask.want;
	a->count = ask.count;
	a->count_domain = ask.count_domain;
	a->content_max = ask.content_max;
	a->gfid_req = ask.gfid_req;
	a->gfidless = ask.gfidless;
	a->list_xattr = ask.list_xattr;
	return 0;
}

GFWIRE_PUT_RES(lookup)
{
	const struct lookup_args *a = args;
	const struct lookup_res *r = from;
	struct gf_lookup_rsp *p = to;
	int ret;

	gfwire_put_iatt(&r->stat, &p->stat);
	gfwire_put_iatt(&r->parent, &p->postparent);
	ret = gfwire_put_counts(gw, &p->xdata, a->count, &r->counts);
	if (!ret)
		ret = gfwire_put_xattrs(gw, &p->xdata, &r->xattrs);
	if (!ret && r->content.len) {
		if (!p->xdata.arena)
			dict_init(&p->xdata, gw->arena);
		ret = dict_set_data(&p->xdata, KEY_CONTENT, DICT_BIN, payload_data(&r->content), r->content.len);
	}
	return ret;
}

static void drop_buffer(void *arg)
{
	iobuf_unref(arg);
}

/* Content is small and rare: it is copied out of the record. */
static int get_content(struct gfwire *gw, const gfx_dict *d, struct payload *ret_content)
{
	const struct dict_pair *p = d->n ? dict_get(d, KEY_CONTENT) : NULL;
	struct iobuf *buf;
	int ret;

	if (!p || !p->len)
		return 0;
	buf = iobuf_new(p->len);
	if (!buf)
		return -ENOMEM;
	ret = arena_cleanup(gw->arena, drop_buffer, buf);
	if (ret < 0)
		return ret;
	memcpy(buf->data, p->data, p->len);
	*ret_content = (struct payload){ buf, 0, p->len };
	return 0;
}

GFWIRE_GET_RES(lookup)
{
	const struct lookup_args *a = args;
	const struct gf_lookup_rsp *p = from;
	struct lookup_res *r = to;
	int ret;

	gfwire_get_iatt(&p->stat, &r->stat);
	gfwire_get_iatt(&p->postparent, &r->parent);
	ret = gfwire_get_answers(gw, &p->xdata, &r->xattrs, &r->counts);
	if (!ret && a->content_max)
		ret = get_content(gw, &p->xdata, &r->content);
	return ret;
}

GFWIRE_PUT_ERROR(lookup)
{
	const struct lookup_args *a = args;
	const struct lookup_res *r = from;
	struct gf_lookup_rsp *p = to;

	gfwire_put_counts(gw, &p->xdata, a->count & COUNT_INDEX, &r->counts);
}

GFWIRE_GET_ERROR(lookup)
{
	gfwire_get_counts(&((const struct gf_lookup_rsp *)from)->xdata, &((struct lookup_res *)to)->counts);
}

/* --- making entries --- */

GFWIRE_PUT_ARGS(mknod)
{
	const struct mknod_args *a = from;
	struct gf_mknod_req *q = to;
	struct gfwire_new n = { a->gfid, &a->xattrs, { 0 }, a->preop, a->internal, a->force_replace };

	put_gfid(q->pargfid, gw->gfid);
	q->mode = a->mode;
	q->dev = a->rdev;
	q->bname = text(a->name);
	return gfwire_put_new(gw, &q->xdata, &n);
}

GFWIRE_GET_ARGS(mknod)
{
	const struct gf_mknod_req *q = from;
	struct mknod_args *a = to;
	struct gfwire_new n;
	int ret = gfwire_get_new(gw, &q->xdata, &n);

	if (ret < 0)
		return ret;
	gw->gfid = q->pargfid;
	*a = (struct mknod_args){ NULL, q->bname, q->mode & ~(q->umask & 07777), q->dev, n.gfid, n.found, n.preop, n.internal,
				  n.force_replace };
	return 0;
}

GFWIRE_PUT_ARGS(mkdir)
{
	const struct mkdir_args *a = from;
	struct gf_mkdir_req *q = to;
	struct gfwire_new n = { a->gfid, &a->xattrs, { 0 }, a->preop, a->internal, false };

	put_gfid(q->pargfid, gw->gfid);
	q->mode = a->mode;
	q->bname = text(a->name);
	return gfwire_put_new(gw, &q->xdata, &n);
}

GFWIRE_GET_ARGS(mkdir)
{
	const struct gf_mkdir_req *q = from;
	struct mkdir_args *a = to;
	struct gfwire_new n;
	int ret = gfwire_get_new(gw, &q->xdata, &n);

	if (ret < 0)
		return ret;
	gw->gfid = q->pargfid;
	*a = (struct mkdir_args){ NULL, q->bname, q->mode & ~(q->umask & 07777), n.gfid, n.found, n.preop, n.internal };
	return 0;
}

GFWIRE_PUT_ARGS(symlink)
{
	const struct symlink_args *a = from;
	struct gf_symlink_req *q = to;
	struct gfwire_new n = { a->gfid, &a->xattrs, { 0 }, { 0 }, false, false };

	put_gfid(q->pargfid, gw->gfid);
	q->bname = text(a->name);
	q->target = text(a->target);
	return gfwire_put_new(gw, &q->xdata, &n);
}

GFWIRE_GET_ARGS(symlink)
{
	const struct gf_symlink_req *q = from;
	struct symlink_args *a = to;
	struct gfwire_new n;
	int ret = gfwire_get_new(gw, &q->xdata, &n);

	if (ret < 0)
		return ret;
	gw->gfid = q->pargfid;
	*a = (struct symlink_args){ NULL, q->bname, q->target, n.gfid, n.found };
	return 0;
}

GFWIRE_PUT_ARGS(create)
{
	const struct create_args *a = from;
	struct gf_create_req *q = to;
	struct gfwire_new n = { a->gfid, &a->xattrs, { 0 }, a->preop, false, false };

	put_gfid(q->pargfid, gw->gfid);
	q->flags = a->flags;
	q->mode = a->mode;
	q->bname = text(a->name);
	return gfwire_put_new(gw, &q->xdata, &n);
}

GFWIRE_GET_ARGS(create)
{
	const struct gf_create_req *q = from;
	struct create_args *a = to;
	struct gfwire_new n;
	int ret = gfwire_get_new(gw, &q->xdata, &n);

	if (ret < 0)
		return ret;
	gw->gfid = q->pargfid;
	*a = (struct create_args){ NULL, q->bname, q->flags, q->mode & ~(q->umask & 07777), n.gfid, n.found, n.preop, true };
	return 0;
}

/* mknod, mkdir, symlink and link share the wire's reply and the first three fields of their results. */
_Static_assert(offsetof(struct mkdir_res, postparent) == offsetof(struct link_res, postparent), "alike");
_Static_assert(offsetof(struct mknod_res, preop_failed) == offsetof(struct mkdir_res, preop_failed), "alike");

GFWIRE_PUT_RES(entry)
{
	const struct link_res *r = from;
	struct gf_entry_rsp *p = to;

	gfwire_put_iatt(&r->stat, &p->stat);
	gfwire_put_iatt(&r->preparent, &p->preparent);
	gfwire_put_iatt(&r->postparent, &p->postparent);
	return 0;
}

GFWIRE_GET_RES(entry)
{
	const struct gf_entry_rsp *p = from;
	struct link_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	gfwire_get_iatt(&p->preparent, &r->preparent);
	gfwire_get_iatt(&p->postparent, &r->postparent);
	return 0;
}

GFWIRE_PUT_RES(mkentry)
{
	return gfwire_put_entry_res(gw, args, from, to);
}

GFWIRE_GET_RES(mkentry)
{
	return gfwire_get_entry_res(gw, args, from, to);
}

static void put_preop_failed(struct gfwire *gw, gfx_dict *d, bool failed)
{
	if (!failed)
		return;
	dict_init(d, gw->arena);
	dict_set_int(d, KEY_PREOP_FAILED, 1);
}

GFWIRE_PUT_ERROR(mknod)
{
	put_preop_failed(gw, &((struct gf_entry_rsp *)to)->xdata, ((const struct mknod_res *)from)->preop_failed);
}

GFWIRE_GET_ERROR(mknod)
{
	((struct mknod_res *)to)->preop_failed = gfwire_get_flag(&((const struct gf_entry_rsp *)from)->xdata, KEY_PREOP_FAILED);
}

GFWIRE_PUT_ERROR(mkdir)
{
	gfwire_put_mknod_error(gw, args, from, to);
}

GFWIRE_GET_ERROR(mkdir)
{
	gfwire_get_mknod_error(gw, args, from, to);
}

GFWIRE_PUT_ERROR(create)
{
	put_preop_failed(gw, &((struct gf_create_rsp *)to)->xdata, ((const struct create_res *)from)->preop_failed);
}

GFWIRE_GET_ERROR(create)
{
	((struct create_res *)to)->preop_failed = gfwire_get_flag(&((const struct gf_create_rsp *)from)->xdata, KEY_PREOP_FAILED);
}

GFWIRE_PUT_RES(create)
{
	const struct create_res *r = from;
	struct gf_create_rsp *p = to;

	gfwire_put_iatt(&r->stat, &p->stat);
	gfwire_put_iatt(&r->preparent, &p->preparent);
	gfwire_put_iatt(&r->postparent, &p->postparent);
	p->fd = (uint64_t)gw->fd;
	return 0;
}

GFWIRE_GET_RES(create)
{
	const struct gf_create_rsp *p = from;
	struct create_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	gfwire_get_iatt(&p->preparent, &r->preparent);
	gfwire_get_iatt(&p->postparent, &r->postparent);
	gw->fd = (int64_t)p->fd;
	return 0;
}

/* --- removing and moving --- */

GFWIRE_PUT_ARGS(unlink)
{
	const struct unlink_args *a = from;
	struct gf_unlink_req *q = to;
	int ret;

	put_gfid(q->pargfid, gw->gfid);
	q->bname = text(a->name);
	dict_init(&q->xdata, gw->arena);
	ret = dict_set_uint(&q->xdata, KEY_LINK_COUNT, 0);
	if (!ret && a->only_if_linkto)
		ret = dict_set_int(&q->xdata, KEY_ONLY_LINKTO, 1);
	if (!ret && a->not_if_open)
		ret = dict_set_int(&q->xdata, KEY_NOT_IF_OPEN, 1);
	if (!ret)
		ret = gfwire_put_flag(gw, &q->xdata, KEY_INTERNAL, a->internal);
	if (!ret)
		ret = gfwire_put_flag(gw, &q->xdata, KEY_DONT_ACCOUNT, a->dont_account);
	return ret;
}

GFWIRE_GET_ARGS(unlink)
{
	const struct gf_unlink_req *q = from;
	struct unlink_args *a = to;

	gw->gfid = q->pargfid;
	a->name = q->bname;
	a->only_if_linkto = gfwire_get_flag(&q->xdata, KEY_ONLY_LINKTO);
	a->not_if_open = gfwire_get_flag(&q->xdata, KEY_NOT_IF_OPEN);
	a->internal = gfwire_get_flag(&q->xdata, KEY_INTERNAL);
	a->dont_account = gfwire_get_flag(&q->xdata, KEY_DONT_ACCOUNT);
	return 0;
}

GFWIRE_PUT_ARGS(rmdir)
{
	const struct rmdir_args *a = from;
	struct gf_rmdir_req *q = to;

	put_gfid(q->pargfid, gw->gfid);
	q->bname = text(a->name);
	q->xflags = a->recursive;
	return 0;
}

GFWIRE_GET_ARGS(rmdir)
{
	const struct gf_rmdir_req *q = from;
	struct rmdir_args *a = to;

	gw->gfid = q->pargfid;
	a->name = q->bname;
	a->recursive = q->xflags != 0;
	return 0;
}

GFWIRE_PUT_RES(parents)
{
	const struct rmdir_res *r = from;
	struct gf_prepost_rsp *p = to;

	gfwire_put_iatt(&r->preparent, &p->pre);
	gfwire_put_iatt(&r->postparent, &p->post);
	return 0;
}

GFWIRE_GET_RES(parents)
{
	const struct gf_prepost_rsp *p = from;
	struct rmdir_res *r = to;

	gfwire_get_iatt(&p->pre, &r->preparent);
	gfwire_get_iatt(&p->post, &r->postparent);
	return 0;
}

_Static_assert(offsetof(struct unlink_res, postparent) == offsetof(struct rmdir_res, postparent), "alike");

GFWIRE_PUT_RES(unlink)
{
	const struct unlink_res *r = from;
	struct gf_prepost_rsp *p = to;

	gfwire_put_parents_res(gw, args, from, to);
	dict_init(&p->xdata, gw->arena);
	if (!gfid_is_null(r->removed) && dict_set_data(&p->xdata, KEY_REMOVED, DICT_GFID, r->removed, sizeof(r->removed)) < 0)
		return -ENOMEM;
	return dict_set_uint(&p->xdata, KEY_LINK_COUNT, r->nlink_before);
}

GFWIRE_GET_RES(unlink)
{
	const struct gf_prepost_rsp *p = from;
	const struct dict_pair *removed = p->xdata.n ? dict_get(&p->xdata, KEY_REMOVED) : NULL;
	struct unlink_res *r = to;
	int64_t links;

	gfwire_get_parents_res(gw, args, from, to);
	if (p->xdata.n && dict_get_int(&p->xdata, KEY_LINK_COUNT, &links) && links > 0)
		r->nlink_before = (uint32_t)links;
	if (removed && removed->data && removed->len == sizeof(r->removed))
		memcpy(r->removed, removed->data, sizeof(r->removed));
	return 0;
}

GFWIRE_PUT_ARGS(rename)
{
	const struct rename_args *a = from;
	struct gf_rename_req *q = to;
	int ret;

	put_gfid(q->oldgfid, gw->gfid);
	put_gfid(q->newgfid, gw->gfid2);
	q->oldbname = text(a->oldname);
	q->newbname = text(a->newname);
	ret = gfwire_put_flag(gw, &q->xdata, KEY_INTERNAL, a->internal);
	return ret ? ret : gfwire_put_flag(gw, &q->xdata, KEY_DONT_ACCOUNT, a->dont_account);
}

GFWIRE_GET_ARGS(rename)
{
	const struct gf_rename_req *q = from;
	struct rename_args *a = to;

	gw->gfid = q->oldgfid;
	gw->gfid2 = q->newgfid;
	a->oldname = q->oldbname;
	a->newname = q->newbname;
	a->internal = gfwire_get_flag(&q->xdata, KEY_INTERNAL);
	a->dont_account = gfwire_get_flag(&q->xdata, KEY_DONT_ACCOUNT);
	return 0;
}

GFWIRE_PUT_RES(rename)
{
	const struct rename_res *r = from;
	struct gf_rename_rsp *p = to;

	gfwire_put_iatt(&r->stat, &p->stat);
	gfwire_put_iatt(&r->preold, &p->preoldparent);
	gfwire_put_iatt(&r->postold, &p->postoldparent);
	gfwire_put_iatt(&r->prenew, &p->prenewparent);
	gfwire_put_iatt(&r->postnew, &p->postnewparent);
	return 0;
}

GFWIRE_GET_RES(rename)
{
	const struct gf_rename_rsp *p = from;
	struct rename_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	gfwire_get_iatt(&p->preoldparent, &r->preold);
	gfwire_get_iatt(&p->postoldparent, &r->postold);
	gfwire_get_iatt(&p->prenewparent, &r->prenew);
	gfwire_get_iatt(&p->postnewparent, &r->postnew);
	return 0;
}

GFWIRE_PUT_ARGS(link)
{
	const struct link_args *a = from;
	struct gf_link_req *q = to;
	int ret;

	put_gfid(q->oldgfid, gw->gfid);
	put_gfid(q->newgfid, gw->gfid2);
	q->newbname = text(a->newname);
	ret = gfwire_put_flag(gw, &q->xdata, KEY_INTERNAL, a->internal);
	if (!ret)
		ret = gfwire_put_flag(gw, &q->xdata, KEY_FORCE_REPLACE, a->force_replace);
	return ret ? ret : gfwire_put_flag(gw, &q->xdata, KEY_DONT_ACCOUNT, a->dont_account);
}

GFWIRE_GET_ARGS(link)
{
	const struct gf_link_req *q = from;
	struct link_args *a = to;

	gw->gfid = q->oldgfid;
	gw->gfid2 = q->newgfid;
	a->newname = q->newbname;
	a->internal = gfwire_get_flag(&q->xdata, KEY_INTERNAL);
	a->force_replace = gfwire_get_flag(&q->xdata, KEY_FORCE_REPLACE);
	a->dont_account = gfwire_get_flag(&q->xdata, KEY_DONT_ACCOUNT);
	return 0;
}
