/* xlators/protocol/gfwire_file.c: fops on an object's data and attributes. A request that names an fd begins with gfid and fd. */
#include "xlators/protocol/gfwire_impl.h"

#include <stddef.h>
#include <string.h>

#define KEY_IS_APPEND "glusterfs.write-is-append"

static void put_object(const struct gfwire *gw, uint8_t *gfid)
{
	if (gw->gfid)
		memcpy(gfid, gw->gfid, 16);
}

/* Requests whose body is the object, perhaps an fd, and xdata. */
#define OBJECT_ONLY(name, type) \
	GFWIRE_PUT_ARGS(name) \
	{ \
		put_object(gw, ((struct type *)to)->gfid); \
		return 0; \
	} \
	GFWIRE_GET_ARGS(name) \
	{ \
		gw->gfid = ((const struct type *)from)->gfid; \
		return 0; \
	}
OBJECT_ONLY(statfs, gf_statfs_req)
OBJECT_ONLY(opendir, gf_opendir_req)

/* --- attributes --- */

GFWIRE_PUT_ARGS(stat)
{
	const struct stat_args *a = from;
	struct gf_stat_req *q = to;
	struct gfwire_ask ask = { .want = a->want, .count = a->count };

	put_object(gw, q->gfid);
	return gfwire_put_ask(gw, &q->xdata, &ask);
}

static int get_stat(struct gfwire *gw, const gfx_dict *xdata, struct stat_args *a)
{
	struct gfwire_ask ask;
	int ret = gfwire_get_ask(gw, xdata, &ask);

	a->want = ask.want;
	a->count = ask.count;
	return ret;
}

GFWIRE_GET_ARGS(stat)
{
	const struct gf_stat_req *q = from;

	gw->gfid = q->gfid;
	return get_stat(gw, &q->xdata, to);
}

GFWIRE_PUT_ARGS(fstat)
{
	const struct stat_args *a = from;
	struct gf_fstat_req *q = to;
	struct gfwire_ask ask = { .want = a->want, .count = a->count };

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	return gfwire_put_ask(gw, &q->xdata, &ask);
}

GFWIRE_GET_ARGS(fstat)
{
	const struct gf_fstat_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	return get_stat(gw, &q->xdata, to);
}

GFWIRE_PUT_RES(stat)
{
	const struct stat_args *a = args;
	const struct stat_res *r = from;
	struct gf_stat_rsp *p = to;
	int ret;

	gfwire_put_iatt(&r->stat, &p->stat);
	ret = gfwire_put_counts(gw, &p->xdata, a->count, &r->counts);
	return ret ? ret : gfwire_put_xattrs(gw, &p->xdata, &r->xattrs);
}

GFWIRE_GET_RES(stat)
{
	const struct gf_stat_rsp *p = from;
	struct stat_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	return gfwire_get_answers(gw, &p->xdata, &r->xattrs, &r->counts);
}

/* The wire's validity bits are ours. */
static void put_setattr(const struct setattr_args *a, gf_iattx *stat, int32_t *valid)
{
	stat->mode = a->stat.mode;
	stat->uid = a->stat.uid;
	stat->gid = a->stat.gid;
	stat->atime = a->stat.atime.sec;
	stat->atime_nsec = a->stat.atime.nsec;
	stat->mtime = a->stat.mtime.sec;
	stat->mtime_nsec = a->stat.mtime.nsec;
	stat->ctime = a->stat.ctime.sec;
	stat->ctime_nsec = a->stat.ctime.nsec;
	*valid = (int32_t)a->valid;
}

static void get_setattr(const gf_iattx *x, int32_t valid, const gfx_dict *xdata, struct setattr_args *a)
{
	a->stat.mode = x->mode;
	a->stat.uid = x->uid;
	a->stat.gid = x->gid;
	a->stat.atime = (struct iatt_time){ x->atime, x->atime_nsec };
	a->stat.mtime = (struct iatt_time){ x->mtime, x->mtime_nsec };
	a->stat.ctime = (struct iatt_time){ x->ctime, x->ctime_nsec };
	a->valid = (uint32_t)valid & (SET_MODE | SET_UID | SET_GID | SET_ATIME | SET_MTIME | SET_CTIME | SET_ATIME_NOW | SET_MTIME_NOW);
	a->internal = gfwire_get_flag(xdata, KEY_INTERNAL);
}

GFWIRE_PUT_ARGS(setattr)
{
	const struct setattr_args *a = from;
	struct gf_setattr_req *q = to;

	put_object(gw, q->gfid);
	put_setattr(a, &q->stat, &q->valid);
	return gfwire_put_flag(gw, &q->xdata, KEY_INTERNAL, a->internal);
}

GFWIRE_GET_ARGS(setattr)
{
	const struct gf_setattr_req *q = from;

	gw->gfid = q->gfid;
	get_setattr(&q->stat, q->valid, &q->xdata, to);
	return 0;
}

GFWIRE_PUT_ARGS(fsetattr)
{
	const struct setattr_args *a = from;
	struct gf_fsetattr_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	put_setattr(a, &q->stat, &q->valid);
	return gfwire_put_flag(gw, &q->xdata, KEY_INTERNAL, a->internal);
}

GFWIRE_GET_ARGS(fsetattr)
{
	const struct gf_fsetattr_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	get_setattr(&q->stat, q->valid, &q->xdata, to);
	return 0;
}

/* truncate, setattr, fallocate, discard, zerofill: attributes before and after, first in all their results. */
_Static_assert(!offsetof(struct setattr_res, pre) && !offsetof(struct zerofill_res, pre) && !offsetof(struct discard_res, pre), "alike");

GFWIRE_PUT_RES(prepost)
{
	const struct truncate_res *r = from;
	struct gf_prepost_rsp *p = to;

	gfwire_put_iatt(&r->pre, &p->pre);
	gfwire_put_iatt(&r->post, &p->post);
	return 0;
}

GFWIRE_GET_RES(prepost)
{
	const struct gf_prepost_rsp *p = from;
	struct truncate_res *r = to;

	gfwire_get_iatt(&p->pre, &r->pre);
	gfwire_get_iatt(&p->post, &r->post);
	return 0;
}

GFWIRE_PUT_ARGS(access)
{
	struct gf_access_req *q = to;

	put_object(gw, q->gfid);
	q->mask = ((const struct access_args *)from)->mask;
	return 0;
}

GFWIRE_GET_ARGS(access)
{
	const struct gf_access_req *q = from;

	gw->gfid = q->gfid;
	((struct access_args *)to)->mask = q->mask & 7;
	return 0;
}

/* The stock reply is yes or no for the whole mask. */
GFWIRE_PUT_RES(access)
{
	const struct access_args *a = args;
	const struct access_res *r = from;
	struct gfwire_head *head = to;

	if (a->mask & ~r->granted)
		*head = (struct gfwire_head){ -1, EACCES };
	return 0;
}

GFWIRE_GET_RES(access)
{
	((struct access_res *)to)->granted = ((const struct access_args *)args)->mask;
	return 0;
}

GFWIRE_PUT_ARGS(readlink)
{
	struct gf_readlink_req *q = to;

	put_object(gw, q->gfid);
	q->size = ((const struct readlink_args *)from)->size;
	return 0;
}

GFWIRE_GET_ARGS(readlink)
{
	const struct gf_readlink_req *q = from;

	gw->gfid = q->gfid;
	((struct readlink_args *)to)->size = q->size;
	return 0;
}

GFWIRE_PUT_RES(readlink)
{
	const struct readlink_res *r = from;
	struct gf_readlink_rsp *p = to;

	gfwire_put_iatt(&r->stat, &p->stat);
	p->path = (char *)(uintptr_t)r->target;
	p->op_ret = r->target ? (int32_t)strlen(r->target) : 0;
	return 0;
}

GFWIRE_GET_RES(readlink)
{
	const struct gf_readlink_rsp *p = from;
	struct readlink_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	r->target = p->path;
	return 0;
}

/* --- open files --- */

GFWIRE_PUT_ARGS(open)
{
	struct gf_open_req *q = to;

	put_object(gw, q->gfid);
	q->flags = ((const struct open_args *)from)->flags;
	return 0;
}

GFWIRE_GET_ARGS(open)
{
	const struct gf_open_req *q = from;

	gw->gfid = q->gfid;
	((struct open_args *)to)->flags = q->flags;
	return 0;
}

GFWIRE_PUT_RES(open)
{
	((struct gf_open_rsp *)to)->fd = gw->fd;
	return 0;
}

GFWIRE_GET_RES(open)
{
	gw->fd = ((const struct gf_open_rsp *)from)->fd;
	return 0;
}

GFWIRE_PUT_RES(opendir)
{
	return gfwire_put_open_res(gw, args, from, to);
}

GFWIRE_GET_RES(opendir)
{
	return gfwire_get_open_res(gw, args, from, to);
}

GFWIRE_PUT_ARGS(flush)
{
	struct gf_flush_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	return 0;
}

GFWIRE_GET_ARGS(flush)
{
	const struct gf_flush_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	return 0;
}

/* --- data --- */

GFWIRE_PUT_ARGS(read)
{
	const struct readv_args *a = from;
	struct gf_read_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->size = a->size;
	q->flag = a->flags;
	return 0;
}

GFWIRE_GET_ARGS(read)
{
	const struct gf_read_req *q = from;
	struct readv_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->size = q->size;
	a->flags = q->flag;
	return 0;
}

GFWIRE_PUT_RES(read)
{
	const struct readv_res *r = from;
	struct gf_read_rsp *p = to;

	gfwire_put_iatt(&r->stat, &p->stat);
	p->op_ret = (int32_t)r->data.len;
	p->op_errno = r->eof ? ENOENT : 0;
	p->size = r->data.len;
	return 0;
}

/* The data is the rest of the record: the caller puts it into @data. */
GFWIRE_GET_RES(read)
{
	const struct readv_args *a = args;
	const struct gf_read_rsp *p = from;
	struct readv_res *r = to;

	gfwire_get_iatt(&p->stat, &r->stat);
	r->eof = p->op_errno == ENOENT || (iatt_present(&r->stat) && a->offset + p->size >= r->stat.size);
	return 0;
}

GFWIRE_PUT_ARGS(write)
{
	const struct writev_args *a = from;
	struct gf_write_req *q = to;
	struct gfwire_ask ask = { .count = a->count, .count_domain = a->count_domain };
	int ret;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->size = a->data.len;
	q->flag = a->flags;
	if (!a->count)
		return 0;
	ret = gfwire_put_ask(gw, &q->xdata, &ask);
	return ret ? ret : dict_set_uint(&q->xdata, KEY_IS_APPEND, 4);
}

GFWIRE_GET_ARGS(write)
{
	const struct gf_write_req *q = from;
	struct writev_args *a = to;
	struct gfwire_ask ask;
	int ret = gfwire_get_ask(gw, &q->xdata, &ask);

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->flags = q->flag;
	a->count = ask.count;
	a->count_domain = ask.count_domain;
	return ret;
}

GFWIRE_PUT_RES(write)
{
	const struct writev_args *a = args;
	const struct writev_res *r = from;
	struct gf_prepost_rsp *p = to;
	int ret;

	gfwire_put_iatt(&r->pre, &p->pre);
	gfwire_put_iatt(&r->post, &p->post);
	p->op_ret = (int32_t)r->written;
	if (!a->count)
		return 0;
	ret = gfwire_put_counts(gw, &p->xdata, a->count, &r->counts);
	return ret ? ret : dict_set_uint(&p->xdata, KEY_IS_APPEND, r->is_append);
}

GFWIRE_GET_RES(write)
{
	const struct writev_args *a = args;
	const struct gf_prepost_rsp *p = from;
	struct writev_res *r = to;
	int64_t append;

	gfwire_get_iatt(&p->pre, &r->pre);
	gfwire_get_iatt(&p->post, &r->post);
	r->written = (uint32_t)p->op_ret;
	r->is_append = iatt_present(&r->pre) && r->pre.size == a->offset;
	if (!p->xdata.n)
		return 0;
	gfwire_get_counts(&p->xdata, &r->counts);
	if (dict_get_int(&p->xdata, KEY_IS_APPEND, &append))
		r->is_append = append != 0;
	return 0;
}

GFWIRE_PUT_ARGS(truncate)
{
	struct gf_truncate_req *q = to;

	put_object(gw, q->gfid);
	q->offset = ((const struct truncate_args *)from)->offset;
	return 0;
}

GFWIRE_GET_ARGS(truncate)
{
	const struct gf_truncate_req *q = from;

	gw->gfid = q->gfid;
	((struct truncate_args *)to)->offset = q->offset;
	return 0;
}

GFWIRE_PUT_ARGS(ftruncate)
{
	struct gf_ftruncate_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = ((const struct truncate_args *)from)->offset;
	return 0;
}

GFWIRE_GET_ARGS(ftruncate)
{
	const struct gf_ftruncate_req *q = from;
	struct truncate_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->handle = true;
	return 0;
}

GFWIRE_PUT_ARGS(fsync)
{
	const struct fsync_args *a = from;
	struct gf_fsync_req *q = to;
	struct gfwire_ask ask = { .count = a->count, .count_domain = a->count_domain };

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->data = a->datasync;
	return gfwire_put_ask(gw, &q->xdata, &ask);
}

GFWIRE_GET_ARGS(fsync)
{
	const struct gf_fsync_req *q = from;
	struct fsync_args *a = to;
	struct gfwire_ask ask;
	int ret = gfwire_get_ask(gw, &q->xdata, &ask);

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->datasync = q->data != 0;
	a->count = ask.count;
	a->count_domain = ask.count_domain;
	return ret;
}

GFWIRE_PUT_RES(fsync)
{
	const struct fsync_res *r = from;
	struct gf_prepost_rsp *p = to;

	gfwire_put_prepost_res(gw, args, from, to);
	return gfwire_put_counts(gw, &p->xdata, ((const struct fsync_args *)args)->count, &r->counts);
}

GFWIRE_GET_RES(fsync)
{
	const struct gf_prepost_rsp *p = from;

	gfwire_get_prepost_res(gw, args, from, to);
	gfwire_get_counts(&p->xdata, &((struct fsync_res *)to)->counts);
	return 0;
}

GFWIRE_PUT_ARGS(fsyncdir)
{
	struct gf_fsyncdir_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->data = ((const struct fsyncdir_args *)from)->datasync;
	return 0;
}

GFWIRE_GET_ARGS(fsyncdir)
{
	const struct gf_fsyncdir_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	((struct fsyncdir_args *)to)->datasync = q->data != 0;
	return 0;
}
