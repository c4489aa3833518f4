/* xlators/protocol/gfwire_misc.c: locks, extended attributes, space and checksums. */
#include "xlators/protocol/gfwire_impl.h"

#include <stddef.h>
#include <string.h>

#define KEY_STATS_WANTED "dht-get-iatt-in-xattr"
#define KEY_PRESTAT "virt-gf-prestat"
#define KEY_POSTSTAT "virt-gf-poststat"
#define KEY_ENTRY_CREATE "glusterfs.xattrop-entry-create"
#define KEY_ENTRY_DELETE "glusterfs.xattrop-entry-delete"
#define KEY_PURGE_INDEX "glusterfs.xattrop-purge-index"
#define KEY_CHECK_ZERO "check-zero-filled"
#define KEY_HAS_ZEROES "buf-has-zeroes"
#define KEY_SET_MDATA "set-ctime-mdata"

enum { WIRE_GETLK = 0, WIRE_SETLK = 1, WIRE_SETLKW = 2 };
enum { WIRE_READ = 0, WIRE_WRITE = 1, WIRE_UNLOCK = 2 };
enum { WIRE_ENTRYLK_WAIT = 0, WIRE_ENTRYLK_UNLOCK = 1, WIRE_ENTRYLK_TRY = 2 };

static void put_object(const struct gfwire *gw, uint8_t *gfid)
{
	if (gw->gfid)
		memcpy(gfid, gw->gfid, 16);
}

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* --- locks --- */

static uint32_t lock_type(enum lock_cmd cmd, enum lock_type type)
{
	return cmd == LOCK_UNLOCK ? WIRE_UNLOCK : type == LOCK_READ ? WIRE_READ : WIRE_WRITE;
}

static void put_lock(enum lock_cmd cmd, enum lock_type type, uint64_t start, uint64_t len, uint32_t *ret_cmd, uint32_t *ret_type,
		     gf_flock *flock)
{
	*ret_cmd = cmd == LOCK_WAIT ? WIRE_SETLKW : cmd == LOCK_GET ? WIRE_GETLK : WIRE_SETLK;
	*ret_type = flock->type = lock_type(cmd, type);
	flock->start = start;
	flock->len = len;
}

static int get_lock(uint32_t cmd, uint32_t type, enum lock_cmd *ret_cmd, enum lock_type *ret_type)
{
	if (cmd > WIRE_SETLKW || type > WIRE_UNLOCK)
		return -EINVAL;
	*ret_type = type == WIRE_READ ? LOCK_READ : LOCK_WRITE;
	*ret_cmd = cmd == WIRE_GETLK ? LOCK_GET : type == WIRE_UNLOCK ? LOCK_UNLOCK : cmd == WIRE_SETLKW ? LOCK_WAIT : LOCK_TRY;
	return 0;
}

GFWIRE_PUT_ARGS(lk)
{
	const struct lk_args *a = from;
	struct gf_lk_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	put_lock(a->cmd, a->type, a->start, a->len, &q->cmd, &q->type, &q->flock);
	q->flock.pid = a->pid;
	q->flock.lk_owner.len = gw->lk_owner_len;
	q->flock.lk_owner.data = (uint8_t *)(uintptr_t)gw->lk_owner;
	return 0;
}

GFWIRE_GET_ARGS(lk)
{
	const struct gf_lk_req *q = from;
	struct lk_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->start = q->flock.start;
	a->len = q->flock.len;
	a->pid = q->flock.pid;
	return get_lock(q->cmd, q->type, &a->cmd, &a->type);
}

GFWIRE_PUT_RES(lk)
{
	const struct lk_res *r = from;
	struct gf_lk_rsp *p = to;

	p->flock.type = !r->conflict ? WIRE_UNLOCK : r->type == LOCK_READ ? WIRE_READ : WIRE_WRITE;
	p->flock.start = r->start;
	p->flock.len = r->len;
	p->flock.pid = r->pid;
	p->flock.lk_owner.len = r->owner_len;
	p->flock.lk_owner.data = (uint8_t *)(uintptr_t)r->owner;
	return 0;
}

GFWIRE_GET_RES(lk)
{
	const struct gf_lk_rsp *p = from;
	struct lk_res *r = to;

	r->conflict = ((const struct lk_args *)args)->cmd == LOCK_GET && p->flock.type != WIRE_UNLOCK;
	r->type = p->flock.type == WIRE_READ ? LOCK_READ : LOCK_WRITE;
	r->start = p->flock.start;
	r->len = p->flock.len;
	r->pid = p->flock.pid;
	r->owner_len = p->flock.lk_owner.len > sizeof(r->owner) ? sizeof(r->owner) : p->flock.lk_owner.len;
	if (r->owner_len)
		memcpy(r->owner, p->flock.lk_owner.data, r->owner_len);
	return 0;
}

GFWIRE_PUT_ARGS(inodelk)
{
	const struct inodelk_args *a = from;
	struct gf_inodelk_req *q = to;

	put_object(gw, q->gfid);
	put_lock(a->cmd, a->type, a->start, a->len, &q->cmd, &q->type, &q->flock);
	q->domain = text(a->domain);
	return 0;
}

GFWIRE_GET_ARGS(inodelk)
{
	const struct gf_inodelk_req *q = from;
	struct inodelk_args *a = to;

	gw->gfid = q->gfid;
	a->start = q->flock.start;
	a->len = q->flock.len;
	a->domain = q->domain;
	return get_lock(q->cmd, q->type, &a->cmd, &a->type);
}

GFWIRE_PUT_ARGS(finodelk)
{
	const struct inodelk_args *a = from;
	struct gf_finodelk_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	put_lock(a->cmd, a->type, a->start, a->len, &q->cmd, &q->type, &q->flock);
	q->domain = text(a->domain);
	return 0;
}

GFWIRE_GET_ARGS(finodelk)
{
	const struct gf_finodelk_req *q = from;
	struct inodelk_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->start = q->flock.start;
	a->len = q->flock.len;
	a->domain = q->domain;
	return get_lock(q->cmd, q->type, &a->cmd, &a->type);
}

static int get_entrylk(uint32_t cmd, uint32_t type, uint64_t namelen, const char *name, const char *domain, struct entrylk_args *a)
{
	static const enum lock_cmd cmds[] = {
		[WIRE_ENTRYLK_WAIT] = LOCK_WAIT, [WIRE_ENTRYLK_UNLOCK] = LOCK_UNLOCK, [WIRE_ENTRYLK_TRY] = LOCK_TRY,
	};

	if (cmd > WIRE_ENTRYLK_TRY || type > WIRE_WRITE)
		return -EINVAL;
	a->cmd = cmds[cmd];
	a->type = type == WIRE_READ ? LOCK_READ : LOCK_WRITE;
	a->name = namelen ? name : NULL;
	a->domain = domain;
	return 0;
}

GFWIRE_PUT_ARGS(entrylk)
{
	const struct entrylk_args *a = from;
	struct gf_entrylk_req *q = to;

	if (a->cmd == LOCK_GET)
		return -EINVAL;
	put_object(gw, q->gfid);
	q->cmd = a->cmd == LOCK_WAIT ? WIRE_ENTRYLK_WAIT : a->cmd == LOCK_UNLOCK ? WIRE_ENTRYLK_UNLOCK : WIRE_ENTRYLK_TRY;
	q->type = a->type == LOCK_READ ? WIRE_READ : WIRE_WRITE;
	q->namelen = a->name != NULL;
	q->name = text(a->name);
	q->domain = text(a->domain);
	return 0;
}

GFWIRE_GET_ARGS(entrylk)
{
	const struct gf_entrylk_req *q = from;

	gw->gfid = q->gfid;
	return get_entrylk(q->cmd, q->type, q->namelen, q->name, q->domain, to);
}

GFWIRE_PUT_ARGS(fentrylk)
{
	return -EINVAL;		/* entry locks are by gfid here */
}

GFWIRE_GET_ARGS(fentrylk)
{
	const struct gf_fentrylk_req *q = from;

	gw->gfid = q->gfid;	/* the directory; its fd adds nothing */
	return get_entrylk(q->cmd, q->type, q->namelen, q->name, q->domain, to);
}

GFWIRE_PUT_RES(nothing)
{
	return 0;
}

GFWIRE_GET_RES(nothing)
{
	return 0;
}

/* --- extended attributes --- */

static int put_stats_wanted(struct gfwire *gw, gfx_dict *xdata)
{
	if (!xdata->arena)
		dict_init(xdata, gw->arena);
	return dict_set_int(xdata, KEY_STATS_WANTED, 1);
}

static int put_setxattr(struct gfwire *gw, const struct setxattr_args *a, gfx_dict *dict, gfx_dict *xdata)
{
	int ret = gfwire_put_xattrs(gw, dict, &a->xattrs);

	if (!ret)
		ret = gfwire_put_flag(gw, xdata, KEY_INTERNAL, a->internal);
	if (!ret)
		ret = gfwire_put_flag(gw, xdata, KEY_SYNC_XATTRS, a->alone);
	return ret ? ret : put_stats_wanted(gw, xdata);
}

/* Clients hand an object's first times to bricks that have none: ours keep times from the beginning. */
static void drop_set_mdata(struct xattrs *set)
{
	uint32_t i;

	for (i = 0; i < set->n; i++)
		if (!strcmp(set->v[i].name, KEY_SET_MDATA))
			set->v[i--] = set->v[--set->n];
}

static int get_setxattr(struct gfwire *gw, uint32_t flags, const gfx_dict *dict, const gfx_dict *xdata, struct setxattr_args *a)
{
	int ret = gfwire_get_xattrs(gw, dict, &a->xattrs);

	drop_set_mdata(&a->xattrs);
	a->flags = flags;
	a->internal = gfwire_get_flag(xdata, KEY_INTERNAL);
	a->alone = gfwire_get_flag(xdata, KEY_SYNC_XATTRS);
	gw->want_stats = gfwire_get_flag(xdata, KEY_STATS_WANTED);
	return ret;
}

GFWIRE_PUT_ARGS(setxattr)
{
	const struct setxattr_args *a = from;
	struct gf_setxattr_req *q = to;

	put_object(gw, q->gfid);
	q->flags = a->flags;
	return put_setxattr(gw, a, &q->dict, &q->xdata);
}

GFWIRE_GET_ARGS(setxattr)
{
	const struct gf_setxattr_req *q = from;

	gw->gfid = q->gfid;
	return get_setxattr(gw, q->flags, &q->dict, &q->xdata, to);
}

GFWIRE_PUT_ARGS(fsetxattr)
{
	const struct setxattr_args *a = from;
	struct gf_fsetxattr_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->flags = a->flags;
	return put_setxattr(gw, a, &q->dict, &q->xdata);
}

GFWIRE_GET_ARGS(fsetxattr)
{
	const struct gf_fsetxattr_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	return get_setxattr(gw, q->flags, &q->dict, &q->xdata, to);
}

static int put_removexattr(struct gfwire *gw, const struct removexattr_args *a, gf_string *name, gfx_dict *xdata)
{
	int ret = gfwire_put_xattrs(gw, xdata, &a->many);

	*name = text(a->name);
	return ret ? ret : put_stats_wanted(gw, xdata);
}

static int get_removexattr(struct gfwire *gw, const char *name, const gfx_dict *xdata, struct removexattr_args *a)
{
	a->name = name;
	gw->want_stats = gfwire_get_flag(xdata, KEY_STATS_WANTED);
	return *name ? 0 : gfwire_get_answers(gw, xdata, &a->many, NULL);
}

GFWIRE_PUT_ARGS(removexattr)
{
	struct gf_removexattr_req *q = to;

	put_object(gw, q->gfid);
	return put_removexattr(gw, from, &q->name, &q->xdata);
}

GFWIRE_GET_ARGS(removexattr)
{
	const struct gf_removexattr_req *q = from;

	gw->gfid = q->gfid;
	return get_removexattr(gw, q->name, &q->xdata, to);
}

GFWIRE_PUT_ARGS(fremovexattr)
{
	struct gf_fremovexattr_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	return put_removexattr(gw, from, &q->name, &q->xdata);
}

GFWIRE_GET_ARGS(fremovexattr)
{
	const struct gf_fremovexattr_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	return get_removexattr(gw, q->name, &q->xdata, to);
}

/* Attributes as a dictionary's value: 148 bytes in the wire's byte order. */
static int put_stat_pair(struct gfwire *gw, gfx_dict *d, const char *key, const struct iatt *st)
{
	struct wire w;
	gf_iattx x = { 0 };
	uint8_t *bytes = arena_alloc(gw->arena, 148);
	XDR xdrs;

	if (!bytes)
		return -ENOMEM;
	gfwire_put_iatt(st, &x);
	wire_encode_init(&xdrs, &w, bytes, 148, gw->arena);
	if (!xdr_gf_iattx(&xdrs, &x))
		return -EINVAL;
	return dict_set_data(d, key, DICT_IATT, bytes, 148);
}

static void get_stat_pair(struct gfwire *gw, const gfx_dict *d, const char *key, struct iatt *st)
{
	const struct dict_pair *p = dict_get(d, key);
	struct iobuf window;
	struct wire w;
	gf_iattx x;
	XDR xdrs;

	if (!p || p->type != DICT_IATT || p->len != 148)
		return;
	window = (struct iobuf){ 1, p->len, (uint8_t *)(uintptr_t)p->data };
	wire_decode_init(&xdrs, &w, &window, 0, p->len, gw->arena);
	if (xdr_gf_iattx(&xdrs, &x))
		gfwire_get_iatt(&x, st);
}

_Static_assert(offsetof(struct setxattr_res, post) == offsetof(struct removexattr_res, post), "alike");

GFWIRE_PUT_RES(setxattr)
{
	const struct setxattr_res *r = from;
	struct gf_common_rsp *p = to;
	int ret;

	if (!gw->want_stats || !iatt_present(&r->post))
		return 0;
	dict_init(&p->xdata, gw->arena);
	ret = put_stat_pair(gw, &p->xdata, KEY_PRESTAT, &r->pre);
	if (!ret)
		ret = put_stat_pair(gw, &p->xdata, KEY_POSTSTAT, &r->post);
	return ret ? ret : put_stat_pair(gw, &p->xdata, KEY_STATS_WANTED, &r->post);
}

GFWIRE_GET_RES(setxattr)
{
	const struct gf_common_rsp *p = from;
	struct setxattr_res *r = to;

	if (!p->xdata.n)
		return 0;
	get_stat_pair(gw, &p->xdata, KEY_PRESTAT, &r->pre);
	get_stat_pair(gw, &p->xdata, KEY_POSTSTAT, &r->post);
	if (!iatt_present(&r->post))
		get_stat_pair(gw, &p->xdata, KEY_STATS_WANTED, &r->post);
	return 0;
}

GFWIRE_PUT_ARGS(getxattr)
{
	struct gf_getxattr_req *q = to;

	put_object(gw, q->gfid);
	q->name = text(((const struct getxattr_args *)from)->name);
	q->namelen = q->name != NULL;
	return 0;
}

GFWIRE_GET_ARGS(getxattr)
{
	const struct gf_getxattr_req *q = from;

	gw->gfid = q->gfid;
	((struct getxattr_args *)to)->name = q->namelen ? q->name : NULL;
	return 0;
}

GFWIRE_PUT_ARGS(fgetxattr)
{
	struct gf_fgetxattr_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->name = text(((const struct getxattr_args *)from)->name);
	q->namelen = q->name != NULL;
	return 0;
}

GFWIRE_GET_ARGS(fgetxattr)
{
	const struct gf_fgetxattr_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	((struct getxattr_args *)to)->name = q->namelen ? q->name : NULL;
	return 0;
}

GFWIRE_PUT_RES(getxattr)
{
	const struct getxattr_args *a = args;
	const struct getxattr_res *r = from;
	struct gf_getxattr_rsp *p = to;

	p->op_ret = a->name && r->xattrs.n == 1 ? (int32_t)r->xattrs.v[0].len : (int32_t)r->xattrs.n;
	return gfwire_put_xattrs(gw, &p->dict, &r->xattrs);
}

GFWIRE_GET_RES(getxattr)
{
	return gfwire_get_xattrs(gw, &((const struct gf_getxattr_rsp *)from)->dict, &((struct getxattr_res *)to)->xattrs);
}

static int put_xattrop(struct gfwire *gw, const struct xattrop_args *a, uint32_t *flags, gfx_dict *dict, gfx_dict *xdata)
{
	int ret = gfwire_put_xattrs(gw, dict, &a->operands);

	*flags = a->op;		/* our numbers are the wire's */
	if (ret || !(a->entry_create || a->entry_delete || a->purge_index))
		return ret;
	dict_init(xdata, gw->arena);
	if (a->entry_create)
		ret = dict_set_str(xdata, KEY_ENTRY_CREATE, a->entry_create);
	if (!ret && a->entry_delete)
		ret = dict_set_str(xdata, KEY_ENTRY_DELETE, a->entry_delete);
	if (!ret && a->purge_index)
		ret = dict_set_int(xdata, KEY_PURGE_INDEX, 1);
	return ret;
}

static int get_xattrop(struct gfwire *gw, uint32_t flags, const gfx_dict *dict, const gfx_dict *xdata, struct xattrop_args *a)
{
	if (flags > XATTROP_ADD64_DEFAULT)
		return -EINVAL;
	a->op = (enum xattrop)flags;
	if (xdata->n) {
		a->entry_create = dict_get_str(xdata, KEY_ENTRY_CREATE);
		a->entry_delete = dict_get_str(xdata, KEY_ENTRY_DELETE);
		a->purge_index = gfwire_get_flag(xdata, KEY_PURGE_INDEX);
	}
	return gfwire_get_xattrs(gw, dict, &a->operands);
}

GFWIRE_PUT_ARGS(xattrop)
{
	struct gf_xattrop_req *q = to;

	put_object(gw, q->gfid);
	return put_xattrop(gw, from, &q->flags, &q->dict, &q->xdata);
}

GFWIRE_GET_ARGS(xattrop)
{
	const struct gf_xattrop_req *q = from;

	gw->gfid = q->gfid;
	return get_xattrop(gw, q->flags, &q->dict, &q->xdata, to);
}

GFWIRE_PUT_ARGS(fxattrop)
{
	struct gf_fxattrop_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	return put_xattrop(gw, from, &q->flags, &q->dict, &q->xdata);
}

GFWIRE_GET_ARGS(fxattrop)
{
	const struct gf_fxattrop_req *q = from;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	return get_xattrop(gw, q->flags, &q->dict, &q->xdata, to);
}

GFWIRE_PUT_RES(xattrop)
{
	return gfwire_put_xattrs(gw, &((struct gf_getxattr_rsp *)to)->dict, &((const struct xattrop_res *)from)->values);
}

GFWIRE_GET_RES(xattrop)
{
	return gfwire_get_xattrs(gw, &((const struct gf_getxattr_rsp *)from)->dict, &((struct xattrop_res *)to)->values);
}

/* --- file system, space, checksums --- */

_Static_assert(sizeof(struct statfs_res) == sizeof(gf_statfs) && offsetof(struct statfs_res, namemax) == offsetof(gf_statfs, namemax),
	       "the same eleven words");

GFWIRE_PUT_RES(statfs)
{
	memcpy(&((struct gf_statfs_rsp *)to)->statfs, from, sizeof(gf_statfs));
	return 0;
}

GFWIRE_GET_RES(statfs)
{
	memcpy(to, &((const struct gf_statfs_rsp *)from)->statfs, sizeof(gf_statfs));
	return 0;
}

GFWIRE_PUT_ARGS(fallocate)
{
	const struct fallocate_args *a = from;
	struct gf_fallocate_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->flags = a->keep_size;
	q->offset = a->offset;
	q->size = a->len;
	return 0;
}

GFWIRE_GET_ARGS(fallocate)
{
	const struct gf_fallocate_req *q = from;
	struct fallocate_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->keep_size = q->flags & 1;
	a->offset = q->offset;
	a->len = q->size;
	return q->flags & ~1u ? -EOPNOTSUPP : 0;
}

_Static_assert(offsetof(struct discard_args, len) == offsetof(struct zerofill_args, len), "alike");

GFWIRE_PUT_ARGS(discard)
{
	const struct discard_args *a = from;
	struct gf_discard_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->size = a->len;
	return 0;
}

GFWIRE_GET_ARGS(discard)
{
	const struct gf_discard_req *q = from;
	struct discard_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->len = q->size;
	return 0;
}

GFWIRE_PUT_ARGS(zerofill)
{
	return gfwire_put_discard_args(gw, from, to);
}

GFWIRE_GET_ARGS(zerofill)
{
	return gfwire_get_discard_args(gw, from, to);
}

GFWIRE_PUT_ARGS(seek)
{
	const struct seek_args *a = from;
	struct gf_seek_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->what = a->hole;
	return 0;
}

GFWIRE_GET_ARGS(seek)
{
	const struct gf_seek_req *q = from;
	struct seek_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->hole = q->what == 1;
	return q->what == 0 || q->what == 1 ? 0 : -EINVAL;
}

GFWIRE_PUT_RES(seek)
{
	((struct gf_seek_rsp *)to)->offset = ((const struct seek_res *)from)->offset;
	return 0;
}

GFWIRE_GET_RES(seek)
{
	((struct seek_res *)to)->offset = ((const struct gf_seek_rsp *)from)->offset;
	return 0;
}

GFWIRE_PUT_ARGS(rchecksum)
{
	const struct rchecksum_args *a = from;
	struct gf_rchecksum_req *q = to;

	put_object(gw, q->gfid);
	q->fd = gw->fd;
	q->offset = a->offset;
	q->len = a->len;
	dict_init(&q->xdata, gw->arena);
	return dict_set_int(&q->xdata, KEY_CHECK_ZERO, 1);
}

GFWIRE_GET_ARGS(rchecksum)
{
	const struct gf_rchecksum_req *q = from;
	struct rchecksum_args *a = to;

	gw->gfid = q->gfid;
	gw->fd = q->fd;
	a->offset = q->offset;
	a->len = q->len;
	return 0;
}

/* Our sums are SHA-256: the key says so. */
GFWIRE_PUT_RES(rchecksum)
{
	const struct rchecksum_res *r = from;
	struct gf_rchecksum_rsp *p = to;
	int ret;

	p->flags = 1;
	p->weak = r->weak;
	p->strong.len = sizeof(r->strong);
	p->strong.data = (uint8_t *)(uintptr_t)r->strong;
	dict_init(&p->xdata, gw->arena);
	ret = dict_set_int(&p->xdata, "fips-mode-rchecksum", 1);
	return ret ? ret : dict_set_int(&p->xdata, KEY_HAS_ZEROES, r->zeroes);
}

GFWIRE_GET_RES(rchecksum)
{
	const struct gf_rchecksum_rsp *p = from;
	struct rchecksum_res *r = to;
	int64_t zeroes = 0;

	r->weak = p->weak;
	memcpy(r->strong, p->strong.data, p->strong.len > sizeof(r->strong) ? sizeof(r->strong) : p->strong.len);
	r->zeroes = p->xdata.n && dict_get_int(&p->xdata, KEY_HAS_ZEROES, &zeroes) && zeroes;
	return 0;
}
