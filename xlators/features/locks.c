/* xlators/features/locks.c: features/locks, the locks that replicate, distribute and applications take on a brick.
 *
 * The one idea: every coordination between gateways is a lock here, and nothing survives the client that held it (facts: brick-wire.md
 * section 10, brick-format.md C2). The tables are in locks_table.c, fcntl locks in locks_posix.c and locks_move.c; here are the fops,
 * the counters that replies carry, and the word to holders that somebody else waits. */
#include <stdlib.h>
#include <string.h>

#include "xlators/features/locks.h"
#include "xlators/graph.h"

/* ---- contention ---- */

static void tell_holder(struct lock *lock)
{
	struct lock_domain *dom = lock->domain;
	struct client *client = client_ref(lock->owner_client->client);
	struct xl_upcall up = { 0 };

	up.kind = dom->kind == LOCK_KIND_INODE ? UPCALL_INODELK_CONTENTION : UPCALL_ENTRYLK_CONTENTION;
	memcpy(up.gfid, dom->of->inode->gfid, 16);
	up.domain = dom->name;
	up.name = lock->name;
	up.start = lock->start;
	up.len = lock->end == UINT64_MAX ? 0 : lock->end - lock->start + 1;
	up.type = lock->type;
	client->notify(client, &up);
	client_unref(client);
}

static void tell_holders(void *arg)
{
	struct locks *lk = arg;
	struct list *item;

	while ((item = list_pop(&lk->contended)))
		tell_holder(list_entry(item, struct lock, contended));
}

/* Told at the end of the round, so that the word never overtakes the reply that granted the lock. */
void lock_contend(struct locks *lk, struct lock *holder)
{
	struct client *client = holder->owner_client->client;
	uint64_t now;

	if (!lk->notify || holder->domain->kind == LOCK_KIND_POSIX || !client || !client->notify || !list_empty(&holder->contended))
		return;
	now = loop_now_ns(xl_loop(lk->xl));
	if (holder->notified_ns && now - holder->notified_ns < lk->notify_delay_ms * 1000000)
		return;
	holder->notified_ns = now ? now : 1;
	list_append(&lk->contended, &holder->contended);
	loop_defer(xl_loop(lk->xl), &lk->tell);
}

/* ---- counters ---- */

static uint32_t count_kind(struct locks *lk, struct inode *inode, enum lock_kind kind, const char *domain)
{
	struct lock_inode *li = lock_inode_find(lk, inode);
	struct list *pos;
	uint64_t n = 0;

	if (!li)
		return 0;
	list_for_each(pos, &li->domains) {
		struct lock_domain *dom = list_entry(pos, struct lock_domain, link);

		if (dom->kind == kind && (!domain || strcmp(dom->name, domain) == 0))
			n += dom->count;
	}
	return (uint32_t)n;
}

static void count_into(struct locks *lk, struct inode *inode, uint32_t what, const char *domain, struct counts *counts)
{
	if (what & COUNT_INODELK)
		counts->inodelk = count_kind(lk, inode, LOCK_KIND_INODE, domain);
	if (what & COUNT_ENTRYLK)
		counts->entrylk = count_kind(lk, inode, LOCK_KIND_ENTRY, NULL);
	if (what & COUNT_POSIXLK)
		counts->posixlk = count_kind(lk, inode, LOCK_KIND_POSIX, NULL);
}

static uint32_t count_name_in(const struct list *locks, const char *name)
{
	struct list *pos;
	uint32_t n = 0;

	list_for_each(pos, locks) {
		struct lock *lock = list_entry(pos, struct lock, link);

		n += lock->name && strcmp(lock->name, name) == 0;
	}
	return n;
}

/* Entry locks on this very name, in any domain. */
static uint32_t count_name(struct locks *lk, struct inode *parent, const char *name)
{
	struct lock_inode *li = lock_inode_find(lk, parent);
	struct list *pos;
	uint32_t n = 0;

	if (!li)
		return 0;
	list_for_each(pos, &li->domains) {
		struct lock_domain *dom = list_entry(pos, struct lock_domain, link);

		if (dom->kind == LOCK_KIND_ENTRY)
			n += count_name_in(&dom->held, name) + count_name_in(&dom->waiting, name);
	}
	return n;
}

static int coroutine_fn locks_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct locks *lk = xl->priv;
	struct inode *inode;
	int ret = xl_lookup(xl->children[0], call, args, res);

	if (!args->count)
		return ret;
	if (args->name && (args->count & COUNT_PARENT_ENTRYLK))
		res->counts.parent_entrylk = count_name(lk, args->parent, args->name);
	if (ret < 0)
		return ret;
	inode = args->name ? inode_find(xl_inodes(xl), res->stat.gfid) : inode_ref(args->inode);
	if (inode)
		count_into(lk, inode, args->count, args->count_domain, &res->counts);
	inode_unref(inode);
	return ret;
}

static int coroutine_fn locks_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	int ret = xl_stat(xl->children[0], call, args, res);

	if (ret == 0 && args->count)
		count_into(xl->priv, args->inode ? args->inode : args->fd->inode, args->count, NULL, &res->counts);
	return ret;
}

static int coroutine_fn locks_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res)
{
	int ret = xl_writev(xl->children[0], call, args, res);

	if (ret == 0 && args->count)
		count_into(xl->priv, args->inode ? args->inode : args->fd->inode, args->count, args->count_domain, &res->counts);
	return ret;
}

static int coroutine_fn locks_fsync(struct xlator *xl, struct call *call, const struct fsync_args *args, struct fsync_res *res)
{
	int ret = xl_fsync(xl->children[0], call, args, res);

	if (ret == 0 && args->count)
		count_into(xl->priv, args->inode ? args->inode : args->fd->inode, args->count, args->count_domain, &res->counts);
	return ret;
}

/* ---- the fops that lock ---- */

/* What is gone cannot be locked (-ESTALE), as on stock bricks: to a stock client a copy that gives the lock is one that is to make the change,
 * and when only one does, the changed name stays in its heal index. */
static int coroutine_fn must_be_there(struct locks *lk, struct call *call, struct inode *inode)
{
	struct access_args args = { .inode = inode };
	struct access_res res = { 0 };
	int ret = xl_access(lk->xl->children[0], call, &args, &res);

	return ret == -ENOENT || ret == -ESTALE ? -ESTALE : 0;
}

/* @inode: what must be there, or NULL: it is open, with a name or without. */
static int coroutine_fn lock_or_unlock(struct locks *lk, struct call *call, const struct lock_request *rq, enum lock_cmd cmd,
				       struct inode *inode)
{
	struct lock *lock;
	int ret;

	if (cmd == LOCK_UNLOCK)
		return lock_release(lk, call, rq);
	if (cmd == LOCK_GET)
		return -EINVAL;
	ret = inode ? must_be_there(lk, call, inode) : 0;
	if (ret == 0)
		ret = lock_new(lk, call, rq, &lock);
	return ret < 0 ? ret : lock_acquire(lk, lock, cmd == LOCK_WAIT);
}

static int coroutine_fn locks_inodelk(struct xlator *xl, struct call *call, const struct inodelk_args *args, struct inodelk_res *res)
{
	struct lock_request rq = { args->inode ? args->inode : args->fd->inode, LOCK_KIND_INODE,
				   args->domain ? args->domain : "", NULL, args->type, args->start, args->len };

	return lock_or_unlock(xl->priv, call, &rq, args->cmd, args->fd ? NULL : args->inode);
}

static int coroutine_fn locks_entrylk(struct xlator *xl, struct call *call, const struct entrylk_args *args, struct entrylk_res *res)
{
	struct lock_request rq = { args->inode, LOCK_KIND_ENTRY, args->domain ? args->domain : "", args->name, args->type, 0, 0 };

	return lock_or_unlock(xl->priv, call, &rq, args->cmd, args->inode);
}

/* What the caller holds for this very change, when it succeeded (call.release). */
static void release_with(struct xlator *xl, struct call *call)
{
	const struct lock_release *r = call->release;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		const struct lock_released *v = &r->v[i];
		struct inode *inode = inode_find(xl_inodes(xl), v->gfid);
		struct lock_request rq = { inode, v->entry ? LOCK_KIND_ENTRY : LOCK_KIND_INODE, r->domain, v->name, LOCK_WRITE, v->start,
					   v->len };

		if (inode)
			lock_release(xl->priv, call, &rq);
		inode_unref(inode);
	}
}

#define RELEASING(op) \
	static int coroutine_fn locks_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		int ret = xl_##op(xl->children[0], call, args, res); \
		if (ret == 0 && call->release) \
			release_with(xl, call); \
		return ret; \
	}
RELEASING(mknod)
RELEASING(mkdir)
RELEASING(symlink)
RELEASING(create)
RELEASING(link)
RELEASING(unlink)
RELEASING(rmdir)
RELEASING(rename)
RELEASING(setattr)
RELEASING(removexattr)

static int coroutine_fn locks_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	if (args->name && strcmp(args->name, LOCKINFO) == 0)
		return lockinfo_get(xl->priv, call, args, res);
	return xl_getxattr(xl->children[0], call, args, res);
}

static int coroutine_fn locks_setxattr(struct xlator *xl, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	const struct xattr *info = xattrs_find(&args->xattrs, LOCKINFO);
	int ret;

	if (info) {
		struct stat_args stat = { args->inode, args->fd };
		struct stat_res found = { 0 };

		ret = lockinfo_set(xl->priv, call, args, info);
		if (ret == 0)
			ret = xl_stat(xl->children[0], call, &stat, &found);
		res->pre = res->post = found.stat;
		return ret;
	}
	ret = xl_setxattr(xl->children[0], call, args, res);
	if (ret == 0 && call->release)
		release_with(xl, call);
	return ret;
}

static int coroutine_fn locks_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	locks_flush_owner(xl->priv, call, args->inode ? args->inode : args->fd->inode);
	return xl_flush(xl->children[0], call, args, res);
}

/* ---- life ---- */

/* Its domain stays until the client's last lock has gone: nothing is granted on the way out, and each queue is looked through once. */
static void drop_lock(struct locks *lk, struct lock *lock, struct list *touched)
{
	struct lock_domain *dom = lock->domain;

	if (list_empty(&dom->touched)) {
		list_append(touched, &dom->touched);
		dom->count++;
		inode_ref(dom->of->inode);
	}
	lock_discard(lk, lock);
}

static void drop_client(struct locks *lk, struct lock_client *lc)
{
	struct lock_domain *dom;
	struct inode *inode;
	struct list touched;

	list_init(&touched);
	lc->count++;			/* it must not go away under us */
	while (!list_empty(&lc->locks))
		drop_lock(lk, list_first(&lc->locks, struct lock, of_client), &touched);
	lc->count--;
	lock_client_put(lk, lc);
	while (!list_empty(&touched)) {
		dom = list_first(&touched, struct lock_domain, touched);
		inode = dom->of->inode;
		list_remove(&dom->touched);
		dom->count--;
		lock_regrant(lk, dom);
		inode_unref(inode);
	}
}

static void locks_client_gone(struct xlator *xl, struct client *client)
{
	struct locks *lk = xl->priv;
	struct lock_client *lc = lock_client_find(lk, client);

	if (lc)
		drop_client(lk, lc);
}

static int coroutine_fn locks_init(struct xlator *xl, struct error *err)
{
	struct locks *lk = xl->priv;

	lk->xl = xl;
	hash_init(&lk->clients);
	list_init(&lk->client_list);
	list_init(&lk->contended);
	lk->tell.fn = tell_holders;
	lk->tell.arg = lk;
	xl->releases_locks = true;
	return 0;
}

static void coroutine_fn locks_fini(struct xlator *xl)
{
	struct locks *lk = xl->priv;

	if (!lk->xl)
		return;
	while (!list_empty(&lk->client_list))
		drop_client(lk, list_first(&lk->client_list, struct lock_client, all));
	loop_defer_cancel(&lk->tell);
	hash_fini(&lk->clients);
}

static const struct option options[] = {
	OPT_BOOL("notify-contention", struct locks, notify, "on", OPT_LIVE, "tell the holder of a lock when another client wants it"),
	OPT_TIME_MS("notify-contention-delay", struct locks, notify_delay_ms, "5", 0, 60000, OPT_LIVE,
		    "least time between two such messages for one lock"),
	OPT_INT("max-locks-per-inode", struct locks, max_per_inode, "65536", 16, 1 << 24, OPT_LIVE,
		"locks held and waited for on one file or directory"),
	OPT_INT("max-locks-per-client", struct locks, max_per_client, "262144", 16, 1 << 24, OPT_LIVE,
		"locks held and waited for by one client"),
	OPT_INT("max-locks", struct locks, max_total, "1048576", 16, 1 << 26, OPT_LIVE, "locks held and waited for on this brick"),
	OPT_END
};

const struct xlator_class features_locks_class = {
	.name = "features/locks",
	.summary = "byte-range, entry and fcntl locks of a brick's clients",
	.priv_size = sizeof(struct locks),
	.options = options,
	.min_children = 1,
	.max_children = 1,
	.uses_inode_ctx = true,
	.init = locks_init,
	.fini = locks_fini,
	.client_gone = locks_client_gone,
	.fd_released = locks_fd_released,
	.fops = {
		.lookup = locks_lookup, .stat = locks_stat, .writev = locks_writev, .fsync = locks_fsync, .flush = locks_flush,
		.mknod = locks_mknod, .mkdir = locks_mkdir, .symlink = locks_symlink, .create = locks_create, .link = locks_link,
		.unlink = locks_unlink, .rmdir = locks_rmdir, .rename = locks_rename,
		.setattr = locks_setattr, .getxattr = locks_getxattr, .setxattr = locks_setxattr, .removexattr = locks_removexattr,
		.lk = locks_lk, .inodelk = locks_inodelk, .entrylk = locks_entrylk,
	},
};
