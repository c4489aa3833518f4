/* tests/unit/replicate_brick.c: the bricks of replicate_world.h, as leaf translators over shared disks. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/sim.h"
#include "tests/unit/replicate_world.h"

struct leaf { unsigned client, brick; };
struct waiter { struct list link; struct held want; struct co_wait wait; };

static struct leaf *leaf_of(struct xlator *xl) { return xl->priv; }
static struct disk *disk_of(struct xlator *xl) { return &w.disks[leaf_of(xl)->brick]; }

static bool cut_off(struct xlator *xl)
{
	struct leaf *l = leaf_of(xl);

	return w.disks[l->brick].down || w.clients[l->client].down[l->brick] || !w.clients[l->client].alive;
}

static int fault_due(struct xlator *xl, enum fop op, bool unlock)
{
	struct fault *f = &w.fault;

	if (!f->armed || f->brick != leaf_of(xl)->brick || (f->op >= 0 && f->op != (int)op) || --f->countdown)
		return 0;
	f->armed = false;
	f->fired = true;
	f->fired_op = op;
	f->fired_unlock = unlock;
	return 1;
}

static void delay(void)
{
	co_sleep_ns(50000 + sim_random(w.loop, w.max_delay_ns));
}

/* Around every call: the way there, perhaps a fault, the effect, the way back. */
static int begin(struct xlator *xl, enum fop op, bool unlock, int *ret_late)
{
	*ret_late = 0;
	w.calls++;
	delay();
	if (cut_off(xl))
		return -ENOTCONN;
	if (disk_of(xl)->refuses && (disk_of(xl)->refused >> op & 1))
		return disk_of(xl)->refuses;
	if (!fault_due(xl, op, unlock))
		return 0;
	switch (w.fault.how) {
	case FAIL_BEFORE:
		return w.fault.err;
	case DIE_BEFORE:
		world_kill(leaf_of(xl)->brick);
		return -ENOTCONN;
	case FAIL_AFTER:
		*ret_late = w.fault.err;
		return 0;
	case DIE_HALF:
		w.disks[leaf_of(xl)->brick].half = true;
		/* fall through */
	default:
		*ret_late = -ENOTCONN;
		return 0;
	}
}

static int end(struct xlator *xl, int ret, int late)
{
	if (late == -ENOTCONN)
		world_kill(leaf_of(xl)->brick);
	delay();
	if (cut_off(xl))
		return -ENOTCONN;
	return late ? late : ret;
}

static struct object *find(struct xlator *xl, const uint8_t *gfid) { return disk_object(leaf_of(xl)->brick, gfid); }

static void fill(struct xlator *xl, const struct object *o, struct iatt *st)
{
	memset(st, 0, sizeof(*st));
	if (!o)
		return;
	memcpy(st->gfid, o->gfid, 16);
	st->mode = o->mode;
	st->nlink = o->nlink;
	st->size = o->size;
	st->blocks = 100 + leaf_of(xl)->brick;	/* tells which brick spoke */
}

static struct xattrs marks_of(struct call *call, const struct object *o)
{
	struct xattrs set = { arena_alloc(call->arena, (BRICKS + 1) * sizeof(struct xattr)), 0 };
	unsigned i, t;

	for (i = 0; i <= w.n; i++) {
		const int32_t *from = i < w.n ? o->pending[i] : o->dirty;
		uint8_t *v = arena_alloc(call->arena, 12);

		for (t = 0; t < 3; t++) {
			v[4 * t + 2] = (uint8_t)(from[t] >> 8);
			v[4 * t + 3] = (uint8_t)from[t];
		}
		set.v[set.n++] = (struct xattr){ i < w.n ? arena_printf(call->arena, "trusted.afr.b%u", i) : "trusted.afr.dirty", v, 12 };
	}
	return set;
}

static unsigned count_inodelks(struct xlator *xl, const uint8_t *gfid, const char *domain)
{
	struct disk *d = disk_of(xl);
	struct list *pos;
	unsigned i, n = 0;

	for (i = 0; i < 64; i++)
		if (d->held[i].exists && !d->held[i].is_entry && gfid_equal(d->held[i].gfid, gfid)
		    && (!domain || !strcmp(domain, d->held[i].domain)))
			n += d->held[i].count;
	list_for_each(pos, &d->waiters)
		n += !list_entry(pos, struct waiter, link)->want.is_entry && gfid_equal(list_entry(pos, struct waiter, link)->want.gfid, gfid);
	return n;
}

static bool is_named(const struct object *o);

static bool index_busy(const struct disk *d)
{
	unsigned i;

	for (i = 0; i < OBJECTS; i++)
		if (is_named(&d->objects[i]))
			return true;
	return false;
}

#define CALL(op) static int brick_##op(struct xlator *xl, struct call *call, const struct op##_args *a, struct op##_res *r)
#define BEGIN(op) int late, ret = begin(xl, FOP_##op, false, &late); if (ret < 0) return ret
#define END return end(xl, ret, late)

static int name_it(struct xlator *xl, struct entry *e, const uint8_t *gfid)
{
	memcpy(find(xl, e->gfid)->gfid, gfid, 16);
	memcpy(e->gfid, gfid, 16);
	return 0;
}

CALL(lookup)
{
	struct object *o;
	struct entry *e = NULL;
	BEGIN(lookup);

	if (a->name && (!find(xl, a->parent->gfid) || !(e = disk_entry(leaf_of(xl)->brick, a->parent->gfid, a->name))))
		ret = -ENOENT;
	if (ret == 0 && e && gfid_is_null(e->gfid))
		ret = a->gfid_req ? name_it(xl, e, a->gfid_req) : -ENODATA;
	o = ret == 0 ? find(xl, e ? e->gfid : a->inode->gfid) : NULL;
	if (ret == 0 && !o)
		ret = a->name ? -ENOENT : -ESTALE;
	if (ret == 0) {
		fill(xl, o, &r->stat);
		if (a->name)
			fill(xl, find(xl, a->parent->gfid), &r->parent);
		r->xattrs = marks_of(call, o);
		if (a->count & COUNT_INODELK)
			r->counts.inodelk = count_inodelks(xl, o->gfid, a->count_domain);
	}
	r->counts.index = index_busy(disk_of(xl));
	END;
}

CALL(stat)
{
	BEGIN(stat);
	ret = find(xl, a->inode->gfid) ? 0 : -ESTALE;
	fill(xl, find(xl, a->inode->gfid), &r->stat);
	END;
}

CALL(access)
{
	BEGIN(access);
	ret = find(xl, a->inode->gfid) ? 0 : -ESTALE;
	r->granted = a->mask;
	END;
}

static int add_entry(struct xlator *xl, const uint8_t *parent, const char *name, const uint8_t *gfid)
{
	struct disk *d = disk_of(xl);
	unsigned i;

	if (!find(xl, parent))
		return -ENOENT;
	if (disk_entry(leaf_of(xl)->brick, parent, name))
		return -EEXIST;
	for (i = 0; d->entries[i].exists; i++)
		;
	d->entries[i].exists = true;
	memcpy(d->entries[i].parent, parent, 16);
	memcpy(d->entries[i].gfid, gfid, 16);
	strncpy(d->entries[i].name, name, sizeof(d->entries[i].name) - 1);
	find(xl, parent)->size++;
	return 0;
}

static int make(struct xlator *xl, const uint8_t *parent, const char *name, const uint8_t *gfid, uint32_t mode, uint32_t xattrs)
{
	static const uint8_t none[16];
	struct disk *d = disk_of(xl);
	bool half = w.disks[leaf_of(xl)->brick].half;
	int ret = add_entry(xl, parent, name, half ? none : gfid);
	unsigned i;

	if (ret < 0)
		return ret;
	d->half = false;
	for (i = 0; d->objects[i].exists; i++)
		;
	memset(&d->objects[i], 0, sizeof(d->objects[i]));
	d->objects[i].exists = true;
	memcpy(d->objects[i].gfid, half ? none : gfid, 16);
	d->objects[i].xattrs = half ? 0 : xattrs;
	d->objects[i].mode = mode;
	d->objects[i].nlink = 1;
	return 0;
}

#define MAKER(op, mode_) \
	CALL(op) \
	{ \
		BEGIN(op); \
		fill(xl, find(xl, a->parent->gfid), &r->preparent); \
		ret = make(xl, a->parent->gfid, a->name, a->gfid, mode_, a->xattrs.n); \
		if (ret == 0) \
			fill(xl, find(xl, a->gfid), &r->stat); \
		fill(xl, find(xl, a->parent->gfid), &r->postparent); \
		END; \
	}
MAKER(create, S_IFREG | a->mode)
MAKER(mkdir, S_IFDIR | a->mode)
MAKER(mknod, a->mode)
MAKER(symlink, S_IFLNK | 0777)

static int drop(struct xlator *xl, const uint8_t *parent, const char *name)
{
	struct entry *e = disk_entry(leaf_of(xl)->brick, parent, name);
	struct object *o = e ? find(xl, e->gfid) : NULL;

	if (!o)
		return -ENOENT;
	e->exists = false;
	find(xl, parent)->size--;
	if (!--o->nlink)
		o->exists = false;
	return 0;
}

CALL(unlink)
{
	BEGIN(unlink);
	fill(xl, find(xl, a->parent->gfid), &r->preparent);
	ret = drop(xl, a->parent->gfid, a->name);
	fill(xl, find(xl, a->parent->gfid), &r->postparent);
	END;
}

CALL(rmdir)
{
	BEGIN(rmdir);
	fill(xl, find(xl, a->parent->gfid), &r->preparent);
	ret = drop(xl, a->parent->gfid, a->name);
	fill(xl, find(xl, a->parent->gfid), &r->postparent);
	END;
}

CALL(link)
{
	BEGIN(link);
	ret = find(xl, a->inode->gfid) ? add_entry(xl, a->newparent->gfid, a->newname, a->inode->gfid) : -ESTALE;
	if (ret == 0)
		find(xl, a->inode->gfid)->nlink++;
	fill(xl, find(xl, a->inode->gfid), &r->stat);
	fill(xl, find(xl, a->newparent->gfid), &r->postparent);
	END;
}

CALL(rename)
{
	struct entry *e;
	uint8_t gfid[16];
	BEGIN(rename);

	fill(xl, find(xl, a->oldparent->gfid), &r->preold);
	fill(xl, find(xl, a->newparent->gfid), &r->prenew);
	e = disk_entry(leaf_of(xl)->brick, a->oldparent->gfid, a->oldname);
	ret = e && find(xl, a->newparent->gfid) ? 0 : -ENOENT;
	if (ret == 0) {
		memcpy(gfid, e->gfid, 16);
		drop(xl, a->newparent->gfid, a->newname);
		e->exists = false;
		find(xl, a->oldparent->gfid)->size--;
		ret = add_entry(xl, a->newparent->gfid, a->newname, gfid);
		fill(xl, find(xl, gfid), &r->stat);
	}
	fill(xl, find(xl, a->oldparent->gfid), &r->postold);
	fill(xl, find(xl, a->newparent->gfid), &r->postnew);
	END;
}

CALL(writev)
{
	struct object *o;
	BEGIN(writev);

	o = find(xl, a->inode->gfid);
	if (o) {
		fill(xl, o, &r->pre);
		r->is_append = a->offset == o->size;
		memcpy(o->data + a->offset, payload_data(&a->data), a->data.len);
		if (a->offset + a->data.len > o->size)
			o->size = a->offset + a->data.len;
		fill(xl, o, &r->post);
		r->written = a->data.len;
		if (a->count & COUNT_INODELK)
			r->counts.inodelk = count_inodelks(xl, o->gfid, a->count_domain);
	}
	ret = o ? 0 : -ESTALE;
	END;
}

CALL(truncate)
{
	struct object *o;
	BEGIN(truncate);

	o = find(xl, a->inode->gfid);
	if (o) {
		o->size = a->offset;
		memset(o->data + o->size, 0, CONTENT - o->size);
		fill(xl, o, &r->post);
	}
	ret = o ? 0 : -ESTALE;
	END;
}

CALL(readv)
{
	struct object *o;
	BEGIN(readv);

	o = find(xl, a->inode->gfid);
	ret = o ? 0 : -ESTALE;
	if (o && o->size) {
		r->data.buf = iobuf_new(CONTENT);
		memcpy(r->data.buf->data, o->data, CONTENT);
		r->data.len = (uint32_t)o->size;
		arena_cleanup(call->arena, (void (*)(void *))iobuf_unref, r->data.buf);
	}
	fill(xl, o, &r->stat);
	END;
}

CALL(setattr)
{
	struct object *o;
	BEGIN(setattr);

	o = find(xl, a->inode->gfid);
	fill(xl, o, &r->pre);
	if (o && (a->valid & SET_MODE))
		o->mode = (o->mode & S_IFMT) | (a->stat.mode & 07777);
	fill(xl, o, &r->post);
	ret = o ? 0 : -ESTALE;
	END;
}

CALL(setxattr)
{
	struct object *o;
	BEGIN(setxattr);

	o = find(xl, a->inode->gfid);
	if (o)
		o->xattrs = a->xattrs.n;
	ret = o ? 0 : -ESTALE;
	END;
}

CALL(fsync)
{
	BEGIN(fsync);
	fill(xl, find(xl, a->inode->gfid), &r->post);
	ret = find(xl, a->inode->gfid) ? 0 : -ESTALE;
	END;
}

CALL(flush)
{
	BEGIN(flush);
	END;
}

static const uint8_t index_gfid[16] = { 0x1d };

static bool is_named(const struct object *o)
{
	unsigned j, t;

	for (j = 0; o->exists && j < BRICKS; j++)
		for (t = 0; t < 3; t++)
			if (o->pending[j][t])
				return true;
	return false;
}

static void list_index(struct disk *d, struct call *call, struct readdir_res *r)
{
	unsigned i;

	for (i = 0; i < OBJECTS; i++)
		if (is_named(&d->objects[i]))
			r->entries[r->n++].name = gfid_text(d->objects[i].gfid, arena_alloc(call->arena, GFID_TEXT_SIZE));
}

CALL(getxattr)
{
	struct xattr *x;
	BEGIN(getxattr);

	ret = -ENODATA;
	if (a->name && strcmp(a->name, "glusterfs.xattrop_index_gfid") == 0) {
		x = arena_alloc(call->arena, sizeof(*x));
		*x = (struct xattr){ a->name, index_gfid, 16 };
		r->xattrs = (struct xattrs){ x, 1 };
		ret = 0;
	}
	END;
}

CALL(readdir)
{
	struct disk *d = disk_of(xl);
	unsigned i;
	BEGIN(readdir);

	r->entries = arena_alloc(call->arena, 2 * OBJECTS * sizeof(*r->entries));
	if (gfid_equal(a->inode->gfid, index_gfid))
		list_index(d, call, r);
	for (i = 0; i < 2 * OBJECTS; i++) {
		if (!d->entries[i].exists || !gfid_equal(d->entries[i].parent, a->inode->gfid) || i < a->offset)
			continue;
		r->entries[r->n].name = arena_strdup(call->arena, d->entries[i].name);
		r->entries[r->n].off = i + 1;
		fill(xl, find(xl, d->entries[i].gfid), &r->entries[r->n++].stat);
	}
	r->eof = true;
	END;
}

/* As a brick does that keeps its clients' caches true: the others hear of it before the answer. */
static void tell_others(struct xlator *xl, const uint8_t *gfid)
{
	struct xl_upcall up = { .kind = UPCALL_INVALIDATE, .flags = 0x400 };
	unsigned c;

	memcpy(up.gfid, gfid, 16);
	for (c = 0; c < CLIENTS; c++)
		if (c != leaf_of(xl)->client && w.clients[c].alive && !w.clients[c].down[leaf_of(xl)->brick])
			xl_notify(&w.clients[c].leaf[leaf_of(xl)->brick], XL_UPCALL, &up);
}

CALL(xattrop)
{
	bool news = false;
	struct object *o;
	unsigned i, t;
	BEGIN(xattrop);

	o = find(xl, a->inode->gfid);
	for (i = 0; o && i < a->operands.n; i++) {
		const struct xattr *x = &a->operands.v[i];
		int32_t *to = !strcmp(x->name, "trusted.afr.dirty") ? o->dirty : o->pending[x->name[13] - '0'];

		for (t = 0; t < 3; t++) {
			const uint8_t *v = (const uint8_t *)x->value + 4 * t;

			news = news || (to != o->dirty && (v[0] | v[1] | v[2] | v[3]));
			to[t] += (int32_t)((uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]);
		}
	}
	if (o)
		r->values = marks_of(call, o);
	if (news)
		tell_others(xl, o->gfid);
	ret = o ? 0 : -ESTALE;
	END;
}

/* ---- locks -------------------------------------------------------------------------------------------------------- */

static bool same_owner(const struct held *a, const struct held *b)
{
	return a->client == b->client && memcmp(a->owner, b->owner, 8) == 0;
}

static bool clash(const struct held *a, const struct held *b)
{
	if (!a->exists || a->is_entry != b->is_entry || !gfid_equal(a->gfid, b->gfid) || strcmp(a->domain, b->domain) || same_owner(a, b))
		return false;
	if (a->is_entry)
		return a->whole || b->whole || strcmp(a->name, b->name) == 0;
	return (!a->len || b->start < a->start + a->len) && (!b->len || a->start < b->start + b->len);
}

static struct held *blocker(struct disk *d, const struct held *want)
{
	unsigned i;

	for (i = 0; i < 64; i++)
		if (clash(&d->held[i], want))
			return &d->held[i];
	return NULL;
}

static struct held *same_lock(struct disk *d, const struct held *want)
{
	unsigned i;

	for (i = 0; i < 64; i++) {
		struct held *h = &d->held[i];

		if (h->exists && same_owner(h, want) && h->is_entry == want->is_entry && gfid_equal(h->gfid, want->gfid)
		    && h->start == want->start && h->len == want->len
		    && h->whole == want->whole && !strcmp(h->name, want->name) && !strcmp(h->domain, want->domain))
			return h;
	}
	return NULL;
}

static void grant(struct disk *d, const struct held *want)
{
	struct held *h = same_lock(d, want);
	unsigned i;

	if (h) {
		h->count++;
		return;
	}
	for (i = 0; d->held[i].exists; i++)
		;
	d->held[i] = *want;
	d->held[i].count = 1;
}

static void grant_waiters(struct disk *d)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &d->waiters) {
		struct waiter *wt = list_entry(pos, struct waiter, link);

		if (blocker(d, &wt->want))
			continue;
		list_remove(&wt->link);
		grant(d, &wt->want);
		co_wake(&wt->wait, 0);
	}
}

static void tell_holder(struct xlator *xl, const struct held *h)
{
	struct xl_upcall up = { .kind = h->is_entry ? UPCALL_ENTRYLK_CONTENTION : UPCALL_INODELK_CONTENTION, .domain = h->domain };

	memcpy(up.gfid, h->gfid, 16);
	disk_of(xl)->contentions++;
	xl_notify(&w.clients[h->client].leaf[leaf_of(xl)->brick], XL_UPCALL, &up);
}

static int lock(struct xlator *xl, struct held *want, enum lock_cmd cmd)
{
	struct disk *d = disk_of(xl);
	struct held *h;

	want->exists = true;
	if (cmd == LOCK_UNLOCK) {
		h = same_lock(d, want);
		if (!h)
			return -EINVAL;
		h->exists = --h->count > 0;
		grant_waiters(d);
		return 0;
	}
	h = blocker(d, want);
	if (h) {
		struct waiter wt = { .want = *want };
		int ret;

		tell_holder(xl, h);
		if (cmd == LOCK_TRY)
			return -EAGAIN;
		list_append(&d->waiters, &wt.link);
		ret = co_park(&wt.wait);
		list_remove(&wt.link);
		return ret;
	}
	grant(d, want);
	return 0;
}

static void describe(struct xlator *xl, struct call *call, const char *domain, const struct inode *inode, struct held *ret_h)
{
	memset(ret_h, 0, sizeof(*ret_h));
	ret_h->client = leaf_of(xl)->client;
	memcpy(ret_h->owner, call->lk_owner, 8);
	memcpy(ret_h->gfid, inode->gfid, 16);
	strncpy(ret_h->domain, domain, sizeof(ret_h->domain) - 1);
}

CALL(inodelk)
{
	struct held want;
	int late, ret = begin(xl, FOP_inodelk, a->cmd == LOCK_UNLOCK, &late);

	if (ret < 0)
		return ret;
	describe(xl, call, a->domain, a->inode, &want);
	want.start = a->start;
	want.len = a->len;
	ret = w.lax || find(xl, a->inode->gfid) || a->cmd == LOCK_UNLOCK ? lock(xl, &want, a->cmd) : -ESTALE;
	END;
}

CALL(entrylk)
{
	struct held want;
	int late, ret = begin(xl, FOP_entrylk, a->cmd == LOCK_UNLOCK, &late);

	if (ret < 0)
		return ret;
	describe(xl, call, a->domain, a->inode, &want);
	want.is_entry = true;
	want.whole = !a->name;
	strncpy(want.name, a->name ? a->name : "", sizeof(want.name) - 1);
	ret = w.lax || find(xl, a->inode->gfid) || a->cmd == LOCK_UNLOCK ? lock(xl, &want, a->cmd) : -ESTALE;
	END;
}

/* A client's connection is gone: its locks are let go, its waiting calls fail. */
void brick_forget_client(unsigned brick, unsigned client)
{
	struct disk *d = &w.disks[brick];
	struct list *pos, *tmp;
	unsigned i;

	list_for_each_safe(pos, tmp, &d->waiters) {
		struct waiter *wt = list_entry(pos, struct waiter, link);

		if (wt->want.client != client)
			continue;
		list_remove(&wt->link);
		co_wake(&wt->wait, -ENOTCONN);
	}
	for (i = 0; i < 64; i++)
		if (d->held[i].client == client)
			d->held[i].exists = false;
	grant_waiters(d);
}

CALL(statfs)
{
	BEGIN(statfs);
	r->bsize = r->frsize = 4096;
	r->bavail = 1000 - (uint64_t)(disk_of(xl) - w.disks);
	END;
}

const struct xlator_class test_brick_class = {
	.name = "test/brick", .priv_size = sizeof(struct leaf),
	.fops = {
		.lookup = brick_lookup, .stat = brick_stat, .access = brick_access, .create = brick_create, .mkdir = brick_mkdir,
		.mknod = brick_mknod,
		.symlink = brick_symlink, .unlink = brick_unlink, .rmdir = brick_rmdir, .link = brick_link, .rename = brick_rename,
		.writev = brick_writev, .truncate = brick_truncate, .readv = brick_readv, .setattr = brick_setattr,
		.setxattr = brick_setxattr, .fsync = brick_fsync,
		.flush = brick_flush, .readdir = brick_readdir, .xattrop = brick_xattrop, .inodelk = brick_inodelk, .entrylk = brick_entrylk,
		.statfs = brick_statfs, .getxattr = brick_getxattr,
	},
};

void *test_brick_priv(unsigned client, unsigned brick)
{
	struct leaf *l = calloc(1, sizeof(*l));

	l->client = client;
	l->brick = brick;
	return l;
}
