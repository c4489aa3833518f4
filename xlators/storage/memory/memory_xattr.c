/* xlators/storage/memory/memory_xattr.c: extended attributes, xattrop, and listing directories with them. */
#include "xlators/storage/memory/memory_private.h"

#include <dirent.h>
#include <endian.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 65536
#define LISTING_MAX (128u << 10)
#define ENTRY_COST 208			/* what a brick reckons for an entry beside its name */

/* ---- reading ---- */

struct collector { struct call *call; struct xattrs *set; uint32_t room; };

static int collect(struct collector *c, const char *name, const void *value, uint32_t len)
{
	struct xattr *x;

	if (xattrs_find(c->set, name))
		return 0;
	if (c->set->n == c->room) {
		uint32_t room = c->room ? c->room * 2 : 8;
		struct xattr *bigger = arena_alloc(c->call->arena, room * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (c->set->n)
			memcpy(bigger, c->set->v, c->set->n * sizeof(*bigger));
		c->set->v = bigger;
		c->room = room;
	}
	x = &c->set->v[c->set->n];
	x->name = arena_strdup(c->call->arena, name);
	x->value = arena_memdup(c->call->arena, value, len);
	x->len = len;
	if (!x->name || (len && !x->value))
		return -ENOMEM;
	c->set->n++;
	return 0;
}

static int collect_name(struct collector *c, const struct disk_object *obj, const char *name)
{
	uint8_t mdata[MDATA_SIZE];
	const struct mxattr *x;

	if (strcmp(name, "trusted.gfid") == 0)
		return collect(c, name, obj->st.gfid, 16);
	if (strcmp(name, XATTR_MDATA) == 0 && obj->mdata) {
		mdata_encode(&(struct mdata){ obj->st.ctime, obj->st.mtime, obj->st.atime }, mdata);
		return collect(c, name, mdata, sizeof(mdata));
	}
	x = disk_xattr_find(obj, name);
	return x ? collect(c, name, x->value, x->len) : 0;
}

static int collect_matching(struct collector *c, const struct disk_object *obj, const char *pattern)
{
	struct list *pos;
	int ret = 0;

	list_for_each(pos, &obj->xattrs) {
		const struct mxattr *x = list_entry(pos, struct mxattr, link);

		if (ret == 0 && fnmatch(pattern, x->name, 0) == 0)
			ret = collect(c, x->name, x->value, x->len);
	}
	return ret;
}

int memory_wanted(struct call *call, const struct disk_object *obj, const struct xattr_want *want, bool all, struct xattrs *ret_set)
{
	struct collector c = { call, ret_set, 0 };
	unsigned i;
	int ret;

	*ret_set = (struct xattrs){ NULL, 0 };
	ret = all ? collect_matching(&c, obj, "*") : 0;
	for (; want; want = want->next)
		for (i = 0; i < want->n && ret == 0; i++)
			ret = strpbrk(want->names[i], "*?[") ? collect_matching(&c, obj, want->names[i])
							     : collect_name(&c, obj, want->names[i]);
	return ret;
}

int coroutine_fn memory_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	struct xattr_want want = { &args->name, 1, NULL };
	struct disk_object *obj;
	int ret = memory_object(xl->priv, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	if (memory_index_name(args->name, call, &res->xattrs))
		return 0;
	ret = memory_wanted(call, obj, args->name ? &want : NULL, !args->name, &res->xattrs);
	return ret < 0 ? ret : args->name && !res->xattrs.n ? -ENODATA : 0;
}

/* ---- changing ---- */

static bool is_fixed(const char *name)
{
	return strcmp(name, "trusted.gfid") == 0 || strcmp(name, "trusted.glusterfs.volume-id") == 0;
}

static bool store_times(struct disk_object *obj, const struct xattr *x)
{
	struct mdata md;

	if (strcmp(x->name, XATTR_MDATA) || !mdata_decode(x->value, x->len, &md))
		return false;
	disk_object_touch(obj);
	obj->mdata = true;
	obj->st.ctime = md.ctime;
	obj->st.mtime = md.mtime;
	obj->st.atime = md.atime;
	return true;
}

static void store_one(struct disk_object *obj, const struct xattr *x)
{
	if (is_fixed(x->name))		/* accepted and ignored, as on disk */
		return;
	if (!store_times(obj, x))
		disk_xattr_set(obj, x->name, x->value ? x->value : "", x->len);
}

void memory_store_xattrs(struct disk_object *obj, const struct xattrs *set)
{
	uint32_t i;

	for (i = 0; set && i < set->n; i++)
		store_one(obj, &set->v[i]);
}

static int may_change(const struct disk_object *obj, const struct call *call, const char *name)
{
	if (strncmp(name, "user.", 5) == 0)
		return memory_allowed(obj, call, 2) ? 0 : -EACCES;
	if (strncmp(name, "system.", 7) == 0)
		return call->uid == 0 || call->uid == obj->st.uid ? 0 : -EPERM;
	return strncmp(name, "trusted.", 8) == 0 || strncmp(name, "security.", 9) == 0 ? 0 : -EOPNOTSUPP;
}

static int may_set(const struct disk_object *obj, const struct call *call, const struct setxattr_args *args)
{
	uint32_t i;

	for (i = 0; i < args->xattrs.n; i++) {
		const struct xattr *x = &args->xattrs.v[i];
		bool there = disk_xattr_find(obj, x->name) != NULL;
		int ret = may_change(obj, call, x->name);

		if (ret < 0)
			return ret;
		if (strlen(x->name) > 255)
			return -ERANGE;
		if (x->len > VALUE_MAX)
			return -E2BIG;
		if ((args->flags == 1 && there) || (args->flags == 2 && !there))
			return there ? -EEXIST : -ENODATA;
	}
	return 0;
}

int coroutine_fn memory_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	int ret = memory_object(m, args->inode, args->fd, &obj);

	if (ret == 0)
		ret = may_set(obj, call, args);
	if (ret < 0)
		return ret;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	memory_stamp(xl, call, obj, TIME_CTIME, false);
	memory_store_xattrs(obj, &args->xattrs);
	disk_object_stat(obj, &res->post);
	return memory_settle(xl, call);
}

int coroutine_fn memory_removexattr(struct xlator *xl, struct call *call, const struct removexattr_args *args, struct removexattr_res *res)
{
	struct xattr one = { args->name, NULL, 0 };
	struct xattrs names = *args->name ? (struct xattrs){ &one, 1 } : args->many;
	struct memory *m = xl->priv;
	struct disk_object *obj;
	uint32_t i;
	int ret = memory_object(m, args->inode, args->fd, &obj);

	for (i = 0; i < names.n && ret == 0; i++)
		ret = may_change(obj, call, names.v[i].name);
	if (ret < 0)
		return ret;
	if (*args->name && !disk_xattr_find(obj, args->name))
		return -ENODATA;
	disk_object_stat(obj, &res->pre);
	disk_begin(m->disk);
	memory_stamp(xl, call, obj, TIME_CTIME, false);
	for (i = 0; i < names.n; i++)
		if (disk_xattr_find(obj, names.v[i].name))
			disk_xattr_set(obj, names.v[i].name, NULL, 0);
	disk_object_stat(obj, &res->post);
	return memory_settle(xl, call);
}

/* ---- xattrop ---- */

static bool all_zero(const uint8_t *p, uint32_t len)
{
	while (len && !*p)
		p++, len--;
	return !len;
}

static void put64(uint8_t *to, uint64_t v)
{
	v = htobe64(v);
	memcpy(to, &v, 8);
}

static uint64_t get64(const uint8_t *from)
{
	uint64_t v;

	memcpy(&v, from, 8);
	return be64toh(v);
}

static void combine32(uint8_t *to, const uint8_t *add, uint32_t len)
{
	uint32_t i, a, b;

	for (i = 0; i + 4 <= len; i += 4) {
		memcpy(&a, to + i, 4);
		memcpy(&b, add + i, 4);
		a = htobe32(be32toh(a) + be32toh(b));
		memcpy(to + i, &a, 4);
	}
}

static void combine(enum xattrop op, uint8_t *to, const uint8_t *operand, uint32_t len)
{
	uint32_t i;

	if (op == XATTROP_ADD32 || op == XATTROP_ADD32_DEFAULT)
		combine32(to, operand, len);
	else if (op == XATTROP_ADD64 || op == XATTROP_ADD64_DEFAULT)
		for (i = 0; i + 8 <= len; i += 8)
			put64(to + i, get64(to + i) + get64(operand + i));
	else
		for (i = 0; i < len; i++)
			to[i] = op == XATTROP_OR ? to[i] | operand[i] : op == XATTROP_AND ? to[i] & operand[i] : operand[i];
}

/* The old value for XATTROP_GET_AND_SET, the new one else. */
static int xattrop_one(struct call *call, struct disk_object *obj, enum xattrop op, const struct xattr *x, struct xattr *ret_value)
{
	const struct mxattr *old = disk_xattr_find(obj, x->name);
	uint32_t len = old && old->len > x->len ? old->len : x->len;
	uint8_t *value, *before;

	if (len > VALUE_MAX)
		return -E2BIG;
	value = arena_alloc(call->arena, len + 1);
	if (!value)
		return -ENOMEM;
	if (old)
		memcpy(value, old->value, old->len);
	*ret_value = (struct xattr){ arena_strdup(call->arena, x->name), value, len };
	if (!ret_value->name)
		return -ENOMEM;
	if (op != XATTROP_AND && op != XATTROP_GET_AND_SET && all_zero(x->value, x->len))
		return 0;
	before = op == XATTROP_GET_AND_SET ? arena_memdup(call->arena, value, len) : NULL;
	combine(op, value, x->value, x->len);
	disk_xattr_set(obj, x->name, value, len);
	if (before)
		ret_value->value = before;
	return 0;
}

int coroutine_fn memory_xattrop(struct xlator *xl, struct call *call, const struct xattrop_args *args, struct xattrop_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;
	uint32_t i;
	int ret = memory_object(m, args->inode, args->fd, &obj);

	if (ret < 0)
		return ret;
	res->values.n = args->operands.n;
	res->values.v = arena_alloc(call->arena, (args->operands.n + 1) * sizeof(*res->values.v));
	if (!res->values.v)
		return -ENOMEM;
	disk_begin(m->disk);
	for (i = 0; i < args->operands.n; i++) {
		ret = xattrop_one(call, obj, args->op, &args->operands.v[i], &res->values.v[i]);
		if (ret < 0)
			return ret;
	}
	return memory_settle(xl, call);
}

/* ---- listing ---- */

struct listing { struct call *call; const struct readdir_args *args; struct readdir_res *res; uint32_t room, used; };

/* False when the page is full. */
static int list_one(struct listing *l, const char *name, uint64_t off, const struct disk_object *obj)
{
	uint32_t len = (uint32_t)strlen(name), budget = l->args->size < LISTING_MAX ? l->args->size : LISTING_MAX;
	struct dirent_plus *e = &l->res->entries[l->res->n];

	if (l->res->n == l->room || (l->res->n && l->used + ENTRY_COST + len > budget))
		return -ENOSPC;
	l->used += ENTRY_COST + len;
	memset(e, 0, sizeof(*e));
	e->ino = gfid_ino(obj->st.gfid);
	e->off = off;
	e->name = arena_strdup(l->call->arena, name);
	e->namelen = len;
	e->type = IFTODT(obj->st.mode);
	if (!e->name)
		return -ENOMEM;
	l->res->n++;
	if (!l->args->plus)
		return 0;
	disk_object_stat(obj, &e->stat);
	return memory_wanted(l->call, obj, l->args->want, false, &e->xattrs);
}

static int list_all(struct listing *l, const struct disk_object *dir)
{
	struct list *pos;
	int ret = 0;

	if (l->args->offset < 1)
		ret = list_one(l, ".", 1, dir);
	if (ret == 0 && l->args->offset < 2)
		ret = list_one(l, "..", 2, dir->parent);
	list_for_each(pos, &dir->order) {
		const struct disk_entry *d = list_entry(pos, struct disk_entry, order);

		if (ret < 0)
			break;
		if (d->off > l->args->offset)
			ret = list_one(l, d->name, d->off, d->object);
	}
	return ret;
}

int coroutine_fn memory_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct listing l = { call, args, res, LISTING_MAX / ENTRY_COST + 1, 0 };
	struct memory *m = xl->priv;
	struct disk_object *dir;
	int ret;

	if (m->epoch == m->disk->epoch && args->inode && memory_index_is(args->inode->gfid))
		return memory_index_list(m->disk, call, args, res);
	ret = memory_object(m, args->inode, args->fd, &dir);
	if (ret == 0 && !S_ISDIR(dir->st.mode))
		ret = -ENOTDIR;
	if (ret < 0)
		return ret;
	if (!args->fd && !memory_allowed(dir, call, 4))
		return -EACCES;
	res->n = 0;
	if (l.room > dir->nentries + 2)
		l.room = (uint32_t)dir->nentries + 2;
	res->entries = arena_alloc(call->arena, l.room * sizeof(*res->entries));
	if (!res->entries)
		return -ENOMEM;
	ret = list_all(&l, dir);
	res->eof = ret == 0;
	return ret == -ENOSPC ? 0 : ret;
}
