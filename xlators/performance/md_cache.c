/* xlators/performance/md_cache.c: attributes, access decisions, short symlink targets and names, kept at the top of a
 * gateway's graph while the bricks promise to tell of changes, so that GETATTR, LOOKUP and ACCESS cost no brick call.
 * README.md beside this file tells the whole.
 *
 * The one idea to know: nothing is kept unless somebody promised to tell. lease_s of the graph's leaves says for how
 * long the bricks tell after a call; what it brought may be used until so long after it was sent, not after an
 * invalidation, and not at all when one came while the call was on its way. graph->lease_epoch counts connections that
 * came or went: what was kept in another epoch is void. */
#include <string.h>

#include "xlators/performance/md_cache.h"

#define SEARCH 1u			/* the execute bit of an access mask */

void md_void_all(struct md_cache *md)
{
	md->epoch++;
}

/* How long the leaves of the graph tell of changes, in nanoseconds: the least of those that are there. */
static uint64_t lease_of(struct md_cache *md, const struct graph *graph)
{
	uint32_t least = XL_LEASE_NOBODY;
	unsigned i;

	md->promised = true;
	if (md->sole)
		return MD_FOREVER;
	for (i = 0; i < graph->n; i++)
		if (!graph->xlators[i]->nchildren && graph->xlators[i]->lease_s < least)
			least = graph->xlators[i]->lease_s;
	if (least == XL_LEASE_NOBODY)
		return 0;
	md->promised = least > 0;
	if (!least && md->told_changes)
		return md->timeout_ms * 1000000;
	return least * 1000000000ull;
}

bool md_look(struct xlator *xl, struct md_view *ret_view)
{
	struct md_cache *md = xl->priv;
	uint64_t now = loop_now_ns(xl_loop(xl));

	if (md->graph_epoch != xl->graph->lease_epoch || !md->lease_known) {
		md->graph_epoch = xl->graph->lease_epoch;
		md->lease_known = true;
		md->lease_ns = lease_of(md, xl->graph);
		md_void_all(md);
	}
	*ret_view = (struct md_view){ md->epoch, md->changes,
				      md->lease_ns == MD_FOREVER ? MD_FOREVER : now + md->lease_ns };
	return md->lease_ns != 0;
}

/* --- STAT --- */

static int coroutine_fn md_stat(struct xlator *xl, struct call *call, const struct stat_args *args,
				struct stat_res *res)
{
	struct md_inode *c;
	struct md_view view;
	int ret;

	if (!md_look(xl, &view))
		return xl_stat(md_child(xl), call, args, res);
	c = args->want || args->count ? NULL : md_ctx_find(xl, args->inode);
	if (c && md_stat_fresh(xl, c)) {
		res->stat = c->stat;
		return 0;
	}
	ret = xl_stat(md_child(xl), call, args, res);
	if (ret == 0)
		md_keep_stat(xl, args->inode, &view, &res->stat);
	else if (ret == -ESTALE || ret == -ENOENT)
		md_drop(xl, args->inode);
	return ret;
}

/* --- LOOKUP --- */

static bool is_plain(const struct lookup_args *a)
{
	if (!a->name || a->want || a->count || a->content_max || a->gfid_req || a->gfidless || a->list_xattr)
		return false;
	return !(a->name[0] == '.' && (!a->name[1] || (a->name[1] == '.' && !a->name[2])));
}

/* The brick checks on every lookup that the caller may search the directory: from here it is answered to those only who
 * may. */
static bool may_search(const struct xlator *xl, struct md_inode *c, const struct call *call)
{
	const struct md_decision *d = call->uid ? md_decision(xl, c, call) : NULL;

	return !call->uid || (d && (d->granted & SEARCH));
}

/* The directory's attributes go with the answer; those of a named lookup are not kept, they are one subvolume's view of
 * it. */
static int coroutine_fn answer_parent(struct xlator *xl, struct call *call, struct inode *parent, struct md_inode *c,
				      struct iatt *ret_parent)
{
	struct stat_args args = { .inode = parent };
	struct stat_res *res;
	int ret;

	if (md_stat_fresh(xl, c)) {
		*ret_parent = c->stat;
		return 0;
	}
	res = arena_alloc(call->arena, sizeof(*res));
	if (!res)
		return -ENOMEM;
	memset(res, 0, sizeof(*res));
	ret = md_stat(xl, call, &args, res);
	*ret_parent = res->stat;
	return ret;
}

/* 1: not known here. */
static int coroutine_fn lookup_kept(struct xlator *xl, struct call *call, const struct lookup_args *args,
				    struct md_inode *dir, uint64_t key, struct lookup_res *res)
{
	struct md_name *n = md_name_find(xl, dir->names, key, args->name);
	struct inode *inode;
	struct md_inode *c;

	if (!n || !may_search(xl, dir, call))
		return 1;
	if (gfid_is_null(n->gfid))
		return -ENOENT;
	inode = inode_find(xl_inodes(xl), n->gfid);
	c = inode ? md_ctx_find(xl, inode) : NULL;
	inode_unref(inode);
	if (!c || !md_stat_fresh(xl, c))
		return 1;
	res->stat = c->stat;
	return answer_parent(xl, call, args->parent, dir, &res->parent);
}

static void keep_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args,
			const struct md_view *view, uint64_t names, uint64_t key, int ret, const struct lookup_res *res)
{
	struct md_cache *md = xl->priv;
	struct md_inode *dir;

	if (ret == 0)
		md_keep_object(xl, view, &res->stat);
	if (!names || (ret && ret != -ENOENT))
		return;
	if (call->uid)
		md_keep_decision(xl, args->parent, view, call, SEARCH, SEARCH);
	dir = md_ctx_find(xl, args->parent);
	if (dir && dir->names == names && md_unchanged(md, view, key))
		md_name_keep(xl, names, key, args->name, view->until, ret ? NULL : res->stat.gfid);
}

static int coroutine_fn md_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args,
				  struct lookup_res *res)
{
	struct md_inode *dir;
	struct md_view view;
	uint64_t names = 0, key = 0;
	int ret;

	if (!md_look(xl, &view))
		return xl_lookup(md_child(xl), call, args, res);
	dir = is_plain(args) ? md_ctx(xl, args->parent) : NULL;
	if (dir) {
		names = dir->names;
		key = md_name_key(names, args->name);
		ret = lookup_kept(xl, call, args, dir, key, res);
		if (ret <= 0)
			return ret;
	}
	ret = xl_lookup(md_child(xl), call, args, res);
	keep_lookup(xl, call, args, &view, names, key, ret, res);
	if (!args->name && (ret == -ESTALE || ret == -ENOENT))
		md_drop(xl, args->inode);
	return ret;
}

/* --- ACCESS --- */

struct access_and_stat {
	struct xlator *xl;
	struct call *call;
	const struct access_args *args;
	struct access_res *res;
	struct stat_res *stat;
	int ret;
};

static int coroutine_fn access_task(void *ctx, unsigned i)
{
	struct access_and_stat *as = ctx;
	struct stat_args args = { .inode = as->args->inode };

	if (i == 0)
		return as->ret = xl_access(md_child(as->xl), as->call, as->args, as->res);
	return md_stat(as->xl, as->call, &args, as->stat);
}

/* The attributes that the caller wants, too, are asked for at the same time. */
static int coroutine_fn ask_access(struct xlator *xl, struct call *call, const struct access_args *args,
				   struct access_res *res)
{
	struct access_and_stat as = { xl, call, args, res, NULL, -ENOMEM };

	if (!args->want_stat)
		return xl_access(md_child(xl), call, args, res);
	as.stat = arena_alloc(call->arena, sizeof(*as.stat));
	if (!as.stat)
		return -ENOMEM;
	memset(as.stat, 0, sizeof(*as.stat));
	if (co_fanout(3, access_task, &as) & 2)
		res->stat = as.stat->stat;
	return as.ret;
}

static int coroutine_fn md_access(struct xlator *xl, struct call *call, const struct access_args *args,
				  struct access_res *res)
{
	struct md_decision *d;
	struct md_inode *c;
	struct md_view view;
	int ret;

	if (!md_look(xl, &view))
		return ask_access(xl, call, args, res);
	c = md_ctx_find(xl, args->inode);
	d = c ? md_decision(xl, c, call) : NULL;
	if (d && !(args->mask & ~(uint32_t)d->asked)) {
		res->granted = d->granted & args->mask;
		if (args->want_stat && md_stat_fresh(xl, c))
			res->stat = c->stat;
		return 0;
	}
	ret = ask_access(xl, call, args, res);
	if (ret == 0 || ret == -EACCES)
		md_keep_decision(xl, args->inode, &view, call, args->mask, ret ? 0 : res->granted);
	else if (ret == -ESTALE || ret == -ENOENT)
		md_drop(xl, args->inode);
	return ret;
}

/* --- READLINK and READ --- */

static int coroutine_fn md_readlink(struct xlator *xl, struct call *call, const struct readlink_args *args,
				    struct readlink_res *res)
{
	struct md_inode *c;
	struct md_view view;
	int ret;

	if (!md_look(xl, &view))
		return xl_readlink(md_child(xl), call, args, res);
	c = md_ctx_find(xl, args->inode);
	if (c && c->target && c->target_until > loop_now_ns(xl_loop(xl)) && strlen(c->target) < args->size) {
		res->target = arena_strndup(call->arena, c->target, strlen(c->target));
		if (md_stat_fresh(xl, c))
			res->stat = c->stat;
		return res->target ? 0 : -ENOMEM;
	}
	ret = xl_readlink(md_child(xl), call, args, res);
	if (ret == 0) {
		md_keep_stat(xl, args->inode, &view, &res->stat);
		md_keep_target(xl, args->inode, &view, res->target);
	}
	return ret;
}

static int coroutine_fn md_readv(struct xlator *xl, struct call *call, const struct readv_args *args,
				 struct readv_res *res)
{
	struct md_view view;
	int ret;

	if (!md_look(xl, &view))
		return xl_readv(md_child(xl), call, args, res);
	ret = xl_readv(md_child(xl), call, args, res);
	if (ret == 0)
		md_keep_stat(xl, args->inode, &view, &res->stat);
	else if (ret == -ESTALE || ret == -ENOENT)
		md_drop(xl, args->inode);
	return ret;
}

/* --- life --- */

static void md_event(struct xlator *xl, unsigned child, enum xl_event ev, const struct xl_upcall *up)
{
	if (ev == XL_UPCALL && up->kind == UPCALL_INVALIDATE) {
		md_invalidate(xl, up->gfid, up->flags);
		if (!gfid_is_null(up->parent.gfid))
			md_invalidate(xl, up->parent.gfid, 0);
		if (!gfid_is_null(up->oldparent.gfid))
			md_invalidate(xl, up->oldparent.gfid, 0);
	} else if (ev != XL_UPCALL) {
		md_void_all(xl->priv);
	}
	xl_notify(xl, ev, up);
}

static int coroutine_fn md_init(struct xlator *xl, struct error *err)
{
	struct md_cache *md = xl->priv;

	hash_init(&md->names);
	list_init(&md->names_lru);
	list_init(&md->entries);
	return 0;
}

static void coroutine_fn md_fini(struct xlator *xl)
{
	struct md_cache *md = xl->priv;

	if (!md->names_lru.next)
		return;
	md_names_shrink(md, 0);
	hash_fini(&md->names);
}

static int md_reconfigured(struct xlator *xl, struct error *err)
{
	struct md_cache *md = xl->priv;

	md->lease_known = false;
	md_names_shrink(md, md->size);
	return 0;
}

#define IGNORED(name) \
	OPT_STR(name, struct md_cache, ignored, NULL, 0, "accepted for stock volfiles; changes nothing here")

static const struct option md_cache_options[] = {
	OPT_SIZE("cache-size", struct md_cache, size, "32MiB", 0, 1ll << 40, OPT_LIVE, "memory for cached names"),
	OPT_BOOL("sole-client", struct md_cache, sole, "off", 0,
		 "nobody else uses the bricks: cache without a promise"),
	OPT_BOOL("cache-invalidation", struct md_cache, told_changes, "off", OPT_LIVE,
		 "bricks that do not wait for acknowledgements tell of changes: keep for md-cache-timeout"),
	OPT_TIME_MS("md-cache-timeout", struct md_cache, timeout_ms, "1", 0, 600000, OPT_LIVE,
		    "how long to keep what such bricks told"),
	IGNORED("cache-selinux"), IGNORED("cache-capability-xattrs"), IGNORED("cache-ima-xattrs"),
	IGNORED("cache-swift-metadata"), IGNORED("cache-samba-metadata"), IGNORED("cache-posix-acl"),
	IGNORED("cache-glusterfs-metadata"), IGNORED("force-readdirp"), IGNORED("md-cache-statfs"),
	IGNORED("xattr-cache-list"), IGNORED("pass-through"), IGNORED("log-level"),
	OPT_END
};

const struct xlator_class performance_md_cache_class = {
	.name = "performance/md-cache",
	.summary = "attributes, access decisions and names kept while the bricks promise to tell of changes",
	.priv_size = sizeof(struct md_cache),
	.options = md_cache_options,
	.min_children = 1,
	.max_children = 1,
	.uses_inode_ctx = true,
	.init = md_init,
	.fini = md_fini,
	.reconfigured = md_reconfigured,
	.event = md_event,
	.forget = md_ctx_free,
#define F(op) .op = md_##op,
	.fops = {
		F(stat) F(lookup) F(access) F(readlink) F(readv)
		F(mknod) F(mkdir) F(unlink) F(rmdir) F(symlink) F(rename) F(link) F(create)
		F(truncate) F(writev) F(setxattr) F(removexattr) F(setattr) F(fallocate) F(discard) F(zerofill)
	},
#undef F
};
