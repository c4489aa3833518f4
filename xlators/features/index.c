/* xlators/features/index.c: features/index: which objects of this brick may need healing (facts: brick-format A6).
 *
 * The one idea: an object is entered before its changelog becomes non-zero and taken out after it became zero, so a crash in between leaves an
 * entry too many, never one too few. The entries of a running brick are known in memory; the files change only when membership does. An
 * entry of the dirty index outlives its reason for some seconds, because the next write would make it again. */
#include "xlators/features/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "runtime/log.h"
#include "xlators/features/index_private.h"

/* ---- serial per object ---- */

static struct index_object *object_find(struct index *ix, const uint8_t *gfid)
{
	struct hash_link *l;

	for (l = hash_find(&ix->objects, hash_bytes(gfid, 16, 0)); l; l = hash_next(l))
		if (gfid_equal(container_of(l, struct index_object, link)->gfid, gfid))
			return container_of(l, struct index_object, link);
	return NULL;
}

static struct index_object *object_get(struct index *ix, const uint8_t *gfid)
{
	struct index_object *o = object_find(ix, gfid);

	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return NULL;
		memcpy(o->gfid, gfid, 16);
		co_mutex_init(&o->mutex);
		list_init(&o->stale);
		hash_insert(&ix->objects, &o->link, hash_bytes(gfid, 16, 0));
	}
	o->users++;
	return o;
}

/* Entries are known as long as there is room to know them; after that, only the files know. */
static void object_put(struct index *ix, struct index_object *o)
{
	if (--o->users || !list_empty(&o->stale))
		return;
	if (o->in[INDEX_XATTROP] || o->in[INDEX_DIRTY]) {
		if (ix->objects.count <= (uint64_t)ix->max_known)
			return;
		ix->all_known = false;
	}
	hash_remove(&ix->objects, &o->link);
	list_remove(&o->stale);
	free(o);
}

/* ---- entries ---- */

struct job { const struct index_path *path; struct index_reserve *reserve; char base[INDEX_BASE_SIZE]; };

static bool is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

static int job_add(void *arg)
{
	struct job *job = arg;
	int ret = index_add(job->path, job->base);

	while (is_full(ret) && index_reserve_spend(job->reserve))
		ret = index_add(job->path, job->base);
	return ret;
}

static int job_spend(void *arg)
{
	return index_reserve_spend(arg);
}

static int job_fill(void *arg)
{
	index_reserve_fill(arg);
	return 0;
}

static int job_del(void *arg)
{
	return index_del(((struct job *)arg)->path);
}

/* The file that all entries of a type are links to. New names at each start and when one has as many links as the file system allows. */
static void new_base(struct index *ix, enum index_type type)
{
	char text[GFID_TEXT_SIZE];
	uint8_t gfid[16];

	gfid_new(xl_loop(ix->xl), gfid);
	snprintf(ix->bases[type], sizeof(ix->bases[type]), "%s-%s", index_names[type], gfid_text(gfid, text));
}

static int coroutine_fn add_path(struct index *ix, const struct index_path *path)
{
	struct job job = { path, &ix->reserve, "" };
	int tries, ret = -EMLINK;

	for (tries = 0; tries < 3 && ret == -EMLINK; tries++) {
		memcpy(job.base, ix->bases[path->type], sizeof(job.base));
		ret = loop_offload(job_add, &job);
		if (ret == -EMLINK && memcmp(job.base, ix->bases[path->type], sizeof(job.base)) == 0)
			new_base(ix, path->type);
	}
	if (ret < 0)
		log_warning("cannot enter an object in the heal index; it heals only by a full crawl", "type=%s error=%s",
			    index_names[path->type], strerror(-ret));
	return ret;
}

static int coroutine_fn del_path(const struct index_path *path)
{
	struct job job = { path, NULL, "" };

	return loop_offload(job_del, &job);
}

static struct index_path object_path(struct index *ix, enum index_type type, const uint8_t *gfid, char text[GFID_TEXT_SIZE])
{
	struct index_path path = { ix->dirfds[type], type, gfid_text(gfid, text), "" };

	return path;
}

/* The object's mutex is held. */
static void coroutine_fn enter(struct index *ix, struct index_object *o, enum index_type type)
{
	char text[GFID_TEXT_SIZE];
	struct index_path path = object_path(ix, type, o->gfid, text);
	int ret;

	if (type == INDEX_DIRTY)
		list_remove(&o->stale);
	if (o->in[type])
		return;
	ret = add_path(ix, &path);
	o->in[type] = ret >= 0;
	ix->count[type] += ret > 0;
}

/* 1 when there was an entry, which is gone now; 0 when there was none. */
static int coroutine_fn leave(struct index *ix, struct index_object *o, enum index_type type)
{
	char text[GFID_TEXT_SIZE];
	struct index_path path = object_path(ix, type, o->gfid, text);
	int ret;

	if (!o->in[type] && ix->all_known)
		return 0;
	ret = del_path(&path);
	if (ret < 0)
		return ret;
	o->in[type] = false;
	ix->count[type] -= ret > 0;
	return ret;
}

static void coroutine_fn leave_later(struct index *ix, struct index_object *o)
{
	uint64_t now = loop_now_ns(xl_loop(ix->xl));

	if (!o->in[INDEX_DIRTY])
		leave(ix, o, INDEX_DIRTY);
	if (!o->in[INDEX_DIRTY] || !list_empty(&o->stale))
		return;
	o->stale_since_ns = now;
	list_append(&ix->stale, &o->stale);
	if (!timer_armed(&ix->sweep))
		timer_arm(xl_loop(ix->xl), &ix->sweep, now + ix->linger_ms * 1000000);
}

static void coroutine_fn sweep_main(void *arg)
{
	struct index *ix = arg;

	while (!list_empty(&ix->stale) && !ix->stopping) {
		struct index_object *o = list_first(&ix->stale, struct index_object, stale);

		if (loop_now_ns(xl_loop(ix->xl)) - o->stale_since_ns < ix->linger_ms * 1000000)
			break;
		list_remove(&o->stale);
		o->users++;
		co_mutex_lock(&o->mutex);
		if (!o->dirty)
			leave(ix, o, INDEX_DIRTY);
		co_mutex_unlock(&o->mutex);
		object_put(ix, o);
	}
	if (!list_empty(&ix->stale) && !ix->stopping)
		timer_arm(xl_loop(ix->xl), &ix->sweep,
			  list_first(&ix->stale, struct index_object, stale)->stale_since_ns + ix->linger_ms * 1000000);
	co_gate_leave(&ix->background);
}

static void sweep(void *arg)
{
	struct index *ix = arg;

	if (!co_gate_enter(&ix->background))
		return;
	if (!co_start(xl_loop(ix->xl), sweep_main, ix)) {
		co_gate_leave(&ix->background);
		timer_arm(xl_loop(ix->xl), &ix->sweep, loop_now_ns(xl_loop(ix->xl)) + ix->linger_ms * 1000000);
	}
}

/* ---- xattrop ---- */

static bool in_watchlist(const char *list, const char *key)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len && strncmp(key, list, len) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

static bool is_watched(const struct index *ix, enum index_type type, const char *key)
{
	bool dirty = strcmp(key, ix->dirty_watchlist) == 0;

	return type == INDEX_DIRTY ? dirty : !dirty && in_watchlist(ix->pending_watchlist, key);
}

static bool all_zero(const struct xattr *x)
{
	const uint8_t *p = x->value;
	uint32_t i;

	for (i = 0; i < x->len; i++)
		if (p[i])
			return false;
	return true;
}

struct watch_state { bool any, nonzero; };

static struct watch_state watched(const struct index *ix, enum index_type type, const struct xattrs *set)
{
	struct watch_state ws = { false, false };
	uint32_t i;

	for (i = 0; i < set->n; i++) {
		if (!is_watched(ix, type, set->v[i].name))
			continue;
		ws.any = true;
		ws.nonzero = ws.nonzero || !all_zero(&set->v[i]);
	}
	return ws;
}

static bool name_ok(const char *name)
{
	return *name && strlen(name) <= 255 && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void coroutine_fn note_entry(struct index *ix, const uint8_t *gfid, const char *name, bool add)
{
	char text[GFID_TEXT_SIZE];
	struct index_path path = { ix->dirfds[INDEX_ENTRY_CHANGES], INDEX_ENTRY_CHANGES, name, "" };

	if (!name_ok(name))
		return;
	memcpy(path.dir, gfid_text(gfid, text), sizeof(path.dir));
	if (add)
		add_path(ix, &path);
	else
		del_path(&path);
}

/* A healer that made all of a directory's copies equal asks for it: which names were touched no longer matters. */
static void coroutine_fn forget_entries(struct index *ix, const uint8_t *gfid)
{
	char text[GFID_TEXT_SIZE];
	struct index_path path = { ix->dirfds[INDEX_ENTRY_CHANGES], INDEX_ENTRY_CHANGES, NULL, "" };

	memcpy(path.dir, gfid_text(gfid, text), sizeof(path.dir));
	del_path(&path);
}

/* The object's mutex is held, if there is one: entries, then the change itself, then what became zero is let go. */
static int coroutine_fn xattrop_watched(struct index *ix, struct index_object *o, struct call *call, const struct xattrop_args *args,
					struct xattrop_res *res)
{
	enum index_type type;
	int ret;

	for (type = INDEX_XATTROP; type <= INDEX_DIRTY; type++)
		if (watched(ix, type, &args->operands).nonzero)
			enter(ix, o, type);
	if (args->entry_create)
		note_entry(ix, o->gfid, args->entry_create, true);

	ret = xl_xattrop(ix->xl->children[0], call, args, res);
	while (is_full(ret) && loop_offload(job_spend, &ix->reserve) > 0)
		ret = xl_xattrop(ix->xl->children[0], call, args, res);
	if (ret == -ENOENT || ret == -ESTALE) {		/* nothing is left to heal */
		leave(ix, o, INDEX_XATTROP);
		leave(ix, o, INDEX_DIRTY);
	}
	if (ret < 0)
		return ret;
	for (type = INDEX_XATTROP; type <= INDEX_DIRTY; type++) {
		struct watch_state ws = watched(ix, type, &res->values);

		if (type == INDEX_DIRTY && ws.any)
			o->dirty = ws.nonzero;
		if (ws.any && !ws.nonzero && type == INDEX_XATTROP) {
			leave(ix, o, type);
			if (args->purge_index)
				forget_entries(ix, o->gfid);
		} else if (ws.any && !ws.nonzero) {
			leave_later(ix, o);
		}
	}
	if (args->entry_delete)
		note_entry(ix, o->gfid, args->entry_delete, false);
	return 0;
}

/* Marks come while something is wrong and when it is over: reason enough to look whether there is room again, once a second. */
static void coroutine_fn fill_reserve(struct index *ix)
{
	uint64_t now = loop_now_ns(xl_loop(ix->xl));

	if (!index_reserve_short(&ix->reserve) || now - ix->filled_ns < 1000000000ull)
		return;
	ix->filled_ns = now;
	loop_offload(job_fill, &ix->reserve);
}

static int coroutine_fn index_xattrop(struct xlator *xl, struct call *call, const struct xattrop_args *args, struct xattrop_res *res)
{
	struct index *ix = xl->priv;
	const uint8_t *gfid = args->inode ? args->inode->gfid : args->fd->inode->gfid;
	struct index_object *o;
	int ret;

	if (!args->entry_create && !args->entry_delete && !watched(ix, INDEX_XATTROP, &args->operands).any &&
	    !watched(ix, INDEX_DIRTY, &args->operands).any)
		return xl_xattrop(xl->children[0], call, args, res);
	o = object_get(ix, gfid);
	if (!o)
		return -ENOMEM;
	ret = co_mutex_lock(&o->mutex);
	if (ret == 0) {
		ret = xattrop_watched(ix, o, call, args, res);
		co_mutex_unlock(&o->mutex);
		fill_reserve(ix);
	}
	object_put(ix, o);
	return ret;
}

/* ---- life ---- */

int coroutine_fn index_remove(struct index *ix, enum index_type type, const uint8_t *gfid)
{
	struct index_object *o = object_get(ix, gfid);
	int ret;

	if (!o)
		return -ENOMEM;
	ret = co_mutex_lock(&o->mutex);
	if (ret == 0) {
		ret = leave(ix, o, type);
		co_mutex_unlock(&o->mutex);
	}
	object_put(ix, o);
	return ret;
}

static int job_open(void *arg)
{
	struct index *ix = arg;
	int ret = index_open(ix->base, ix->dirfds);
	enum index_type type;

	for (type = 0; type < INDEX_TYPES && ret == 0; type++) {
		struct index_path path = { ix->dirfds[type], type, NULL, "" };

		index_tidy(&path);
		if (type != INDEX_ENTRY_CHANGES)	/* now: a full disk may have no inode left */
			index_make_base(&path, ix->bases[type]);
	}
	if (ret == 0)
		index_reserve_open(&ix->reserve, ix->base);
	return ret;
}

struct scan { struct index_path path; uint64_t offset; struct index_listing listing; };

static int job_scan(void *arg)
{
	struct scan *scan = arg;

	return index_list(&scan->path, scan->offset, 1024, &scan->listing);
}

static int take_over(struct index *ix, enum index_type type, const char *name)
{
	struct index_object *o;
	uint8_t gfid[16];

	if (!gfid_parse(name, gfid))
		return 0;
	o = object_get(ix, gfid);
	if (!o)
		return -ENOMEM;
	o->in[type] = true;
	ix->count[type]++;
	object_put(ix, o);
	return 0;
}

/* What a former process left: entries stay until their object's changelog is zero. */
static int coroutine_fn load(struct index *ix, enum index_type type)
{
	struct scan scan = { .path = { ix->dirfds[type], type, NULL, "" } };
	bool eof = false;
	unsigned i;
	int ret = 0;

	while (!eof && ret == 0) {
		ret = loop_offload(job_scan, &scan);
		if (ret < 0)
			return ret;
		for (i = 0; i < scan.listing.n && ret == 0; i++)
			ret = take_over(ix, type, scan.listing.names[i].name);
		eof = scan.listing.eof;
		if (scan.listing.n)
			scan.offset = scan.listing.names[scan.listing.n - 1].off;
		index_listing_free(&scan.listing);
	}
	return ret;
}

static int coroutine_fn index_init(struct xlator *xl, struct error *err)
{
	struct index *ix = xl->priv;
	enum index_type type;
	int ret;

	ix->xl = xl;
	ix->all_known = true;
	hash_init(&ix->objects);
	list_init(&ix->stale);
	index_virtual_init(ix);
	timer_init(&ix->sweep, sweep, ix);
	co_gate_init(&ix->background);
	ix->ready = true;
	for (type = 0; type < INDEX_TYPES; type++) {
		ix->dirfds[type] = -1;
		gfid_new(xl_loop(xl), ix->virtual[type]);
		new_base(ix, type);
	}
	ix->reserve.fd = -1;
	ret = loop_offload(job_open, ix);
	if (ret == 0)
		ret = load(ix, INDEX_XATTROP);
	if (ret == 0)
		ret = load(ix, INDEX_DIRTY);
	return ret < 0 ? error_set(err, ret, "the heal index in %s cannot be used: %s", ix->base, strerror(-ret)) : 0;
}

static void coroutine_fn index_fini(struct xlator *xl)
{
	struct index *ix = xl->priv;
	size_t i;

	if (!ix->ready)
		return;
	ix->stopping = true;
	timer_cancel(&ix->sweep);
	co_shield();
	co_gate_close(&ix->background);
	co_unshield();
	for (i = 0; i < ix->objects.nbuckets; i++) {
		struct hash_link *l, *next;

		for (l = ix->objects.buckets[i]; l; l = next) {
			next = l->next;
			free(container_of(l, struct index_object, link));
		}
	}
	hash_fini(&ix->objects);
	index_virtual_fini(ix);
	index_close(ix->dirfds);
	index_reserve_close(&ix->reserve);
}

static const struct option options[] = {
	OPT_STR("index-base", struct index, base, NULL, OPT_REQUIRED, "the directory .glusterfs/indices of the brick"),
	OPT_STR("xattrop-dirty-watchlist", struct index, dirty_watchlist, "trusted.afr.dirty", 0, "attribute of the dirty index"),
	OPT_STR("xattrop-pending-watchlist", struct index, pending_watchlist, "trusted.afr.", 0,
		"beginnings of the names of attributes that blame a copy, separated by commas"),
	OPT_TIME_MS("dirty-linger", struct index, linger_ms, "5", 0, 600000, OPT_LIVE,
		    "how long an object stays in the dirty index after its changelog became clean"),
	OPT_INT("known-entries", struct index, max_known, "262144", 0, 1 << 26, OPT_LIVE, "entries of the indices kept in memory"),
	OPT_END
};

const struct xlator_class features_index_class = {
	.name = "features/index",
	.summary = "finds the objects that may need healing",
	.priv_size = sizeof(struct index),
	.options = options,
	.min_children = 1,
	.max_children = 1,
	.init = index_init,
	.fini = index_fini,
	.fops = {
		.xattrop = index_xattrop, .lookup = index_lookup, .stat = index_fstat, .getxattr = index_getxattr,
		.opendir = index_opendir, .readdir = index_readdir, .unlink = index_unlink, .rmdir = index_rmdir,
	},
};
