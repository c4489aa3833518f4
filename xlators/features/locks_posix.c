/* xlators/features/locks_posix.c: fcntl(2) byte-range locks (the LK fop).
 *
 * The one idea: the locks an owner holds never overlap. A new lock cuts its range out of them first (one may split in two), then melts
 * together with neighbours of its own type; unlocking is the cutting alone. */
#include <string.h>

#include "xlators/features/locks.h"

struct cut {			/* take [start, end] out of what this owner holds */
	struct lock_domain *domain;
	const struct client *client;
	const uint8_t *owner;
	uint32_t owner_len;
	uint64_t start, end;
};

static bool cut_touches(const struct cut *cut, const struct lock *l)
{
	return l->start <= cut->end && l->end >= cut->start &&
	       lock_is_of(l, cut->client, cut->owner, cut->owner_len);
}

/* The range lies inside one lock: two pieces stay. Nothing is changed on failure. */
static int split(struct locks *lk, const struct cut *cut, struct lock *l)
{
	struct lock *tail;
	int ret = lock_clone(lk, l, &tail);

	if (ret < 0)
		return ret;
	tail->start = cut->end + 1;
	tail->held = true;
	list_insert(&l->link, &tail->link);
	l->end = cut->start - 1;
	return 0;
}

/* 0 or -ENOLCK. The domain stays, even if empty: the caller regrants it. */
static int cut_out(struct locks *lk, const struct cut *cut)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &cut->domain->held) {
		struct lock *l = list_entry(pos, struct lock, link);

		if (!cut_touches(cut, l))
			continue;
		if (l->start < cut->start && l->end > cut->end)
			return split(lk, cut, l);
		if (l->start < cut->start)
			l->end = cut->start - 1;
		else if (l->end > cut->end)
			l->start = cut->end + 1;
		else
			lock_discard(lk, l);
	}
	return 0;
}

static bool adjacent(const struct lock *a, const struct lock *b)
{
	return (a->end != UINT64_MAX && a->end + 1 == b->start) || (b->end != UINT64_MAX && b->end + 1 == a->start);
}

static void melt(struct locks *lk, struct lock *lock)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &lock->domain->held) {
		struct lock *l = list_entry(pos, struct lock, link);

		if (l == lock || l->type != lock->type || !lock_same_owner(l, lock) || !adjacent(l, lock))
			continue;
		if (l->start < lock->start)
			lock->start = l->start;
		else
			lock->end = l->end;
		lock_discard(lk, l);
	}
}

int lock_posix_apply(struct locks *lk, struct lock *lock)
{
	struct cut cut = { lock->domain, lock->owner_client->client, lock->owner, lock->owner_len, lock->start, lock->end };
	int ret;

	list_remove(&lock->link);
	ret = cut_out(lk, &cut);
	if (ret < 0)
		return ret;
	lock->held = true;
	list_append(&lock->domain->held, &lock->link);
	melt(lk, lock);
	return 0;
}

static struct lock *find_conflict(const struct lock *lock)
{
	struct list *pos;

	list_for_each(pos, &lock->domain->held)
		if (lock_conflicts(list_entry(pos, struct lock, link), lock))
			return list_entry(pos, struct lock, link);
	return NULL;
}

static void describe(const struct lock *l, struct lk_res *res)
{
	res->conflict = true;
	res->type = l->type;
	res->start = l->start;
	res->len = l->end == UINT64_MAX ? 0 : l->end - l->start + 1;
	res->pid = l->pid;
	res->owner_len = l->owner_len;
	memcpy(res->owner, l->owner, l->owner_len);
}

static int unlock(struct locks *lk, const struct call *call, const struct lock_request *rq)
{
	struct cut cut = { lock_domain_find(lk, rq->inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN), call->client,
			   call->lk_owner, call->lk_owner_len, 0, 0 };
	struct inode *inode;
	int ret;

	if (!lock_range(rq, &cut.start, &cut.end))
		return -EINVAL;
	if (!cut.domain)
		return 0;
	inode = inode_ref(rq->inode);
	ret = cut_out(lk, &cut);
	lock_regrant(lk, cut.domain);
	inode_unref(inode);
	return ret;
}

static int coroutine_fn acquire(struct locks *lk, struct lock *lock, const struct lk_args *args, struct lk_res *res)
{
	struct lock_domain *dom = lock->domain;
	struct lock *other = find_conflict(lock);
	int ret;

	if (args->cmd == LOCK_GET) {
		if (other)
			describe(other, res);
		lock_free(lk, lock);
		return 0;
	}
	if (other && args->cmd == LOCK_WAIT)
		return lock_wait(lk, lock);
	ret = other ? -EAGAIN : lock_posix_apply(lk, lock);
	if (ret < 0)
		lock_free(lk, lock);
	else
		lock_regrant(lk, dom);		/* a write lock that became a read lock lets others in */
	return ret;
}

int coroutine_fn locks_lk(struct xlator *xl, struct call *call, const struct lk_args *args, struct lk_res *res)
{
	struct locks *lk = xl->priv;
	struct lock_request rq = { args->inode ? args->inode : args->fd->inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN, NULL,
				   args->type, args->start, args->len };
	struct lock *lock;
	int ret;

	memset(res, 0, sizeof(*res));
	if (args->cmd == LOCK_UNLOCK)
		return unlock(lk, call, &rq);
	ret = lock_new(lk, call, &rq, &lock);
	if (ret < 0)
		return ret;
	lock->pid = args->pid;
	lock->fd = args->fd;
	ret = acquire(lk, lock, args, res);
	if (ret == 0 && args->cmd != LOCK_GET) {
		res->type = args->type;
		res->start = args->start;
		res->len = args->len;
		res->pid = args->pid;
	}
	return ret;
}

void locks_flush_owner(struct locks *lk, const struct call *call, struct inode *inode)
{
	struct lock_request rq = { inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN, NULL, LOCK_READ, 0, 0 };

	unlock(lk, call, &rq);		/* the whole range: nothing can split */
}

/* Locks taken through it go with it: flock(2) locks end so, as nobody flushes them. */
void locks_fd_released(struct xlator *xl, struct client *client, struct fd *fd)
{
	struct locks *lk = xl->priv;
	struct lock_domain *dom = lock_domain_find(lk, fd->inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN);
	struct list *lists[] = { dom ? &dom->held : NULL, dom ? &dom->waiting : NULL }, *pos, *tmp;
	struct inode *inode;
	unsigned i;

	if (!dom)
		return;
	inode = inode_ref(fd->inode);
	dom->count++;		/* it must not go away under us */
	for (i = 0; i < 2; i++) {
		list_for_each_safe(pos, tmp, lists[i]) {
			struct lock *lock = list_entry(pos, struct lock, link);

			if (lock->fd == fd && lock->owner_client->client == client)
				lock_discard(lk, lock);
		}
	}
	dom->count--;
	lock_regrant(lk, dom);
	inode_unref(inode);
}
