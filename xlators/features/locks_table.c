/* xlators/features/locks_table.c: who holds what in a domain of an inode, and who waits for it.
 *
 * The one idea: inode locks and entry locks differ only in lock_conflicts(). A request waits when it conflicts with a lock held by another
 * owner, or with a request that waits already (so that a stream of readers cannot starve a writer) unless its owner holds a lock in this
 * domain: making it wait then could be for ever, since the earlier waiter may be waiting for that very owner. */
#include <stdlib.h>
#include <string.h>

#include "xlators/features/locks.h"

#define DOMAIN_MAX 512
#define OWNER_MAX 96

struct lock_inode *lock_inode_find(struct locks *lk, struct inode *inode)
{
	return *inode_ctx(lk->xl, inode);
}

struct lock_domain *lock_domain_find(struct locks *lk, struct inode *inode, enum lock_kind kind, const char *name)
{
	struct lock_inode *li = lock_inode_find(lk, inode);
	struct lock_domain *dom;
	struct list *pos;

	if (!li)
		return NULL;
	list_for_each(pos, &li->domains) {
		dom = list_entry(pos, struct lock_domain, link);
		if (dom->kind == kind && strcmp(dom->name, name) == 0)
			return dom;
	}
	return NULL;
}

static struct lock_domain *domain_get(struct locks *lk, const struct lock_request *rq)
{
	struct lock_domain *dom = lock_domain_find(lk, rq->inode, rq->kind, rq->domain);
	void **slot = inode_ctx(lk->xl, rq->inode);
	struct lock_inode *li = *slot;

	if (dom)
		return dom;
	if (!li) {
		li = calloc(1, sizeof(*li));
		if (!li)
			return NULL;
		li->inode = rq->inode;
		list_init(&li->domains);
		*slot = li;
	}
	dom = calloc(1, sizeof(*dom) + strlen(rq->domain) + 1);
	if (dom) {
		memcpy(dom->name, rq->domain, strlen(rq->domain) + 1);
		dom->kind = rq->kind;
		dom->of = li;
		list_init(&dom->touched);
		list_init(&dom->held);
		list_init(&dom->waiting);
		list_append(&li->domains, &dom->link);
	} else if (list_empty(&li->domains)) {
		*slot = NULL;
		free(li);
	}
	return dom;
}

static void domain_put(struct locks *lk, struct lock_domain *dom)
{
	struct lock_inode *li = dom->of;

	if (dom->count)
		return;
	list_remove(&dom->link);
	free(dom);
	if (list_empty(&li->domains)) {
		*inode_ctx(lk->xl, li->inode) = NULL;
		free(li);
	}
}

struct lock_client *lock_client_find(struct locks *lk, const struct client *client)
{
	uint64_t hash = hash_bytes(&client, sizeof(client), 0);
	struct hash_link *it;

	for (it = hash_find(&lk->clients, hash); it; it = hash_next(it))
		if (container_of(it, struct lock_client, link)->client == client)
			return container_of(it, struct lock_client, link);
	return NULL;
}

struct lock_client *lock_client_get(struct locks *lk, struct client *client)
{
	struct lock_client *lc = lock_client_find(lk, client);

	if (lc)
		return lc;
	lc = calloc(1, sizeof(*lc));
	if (!lc)
		return NULL;
	lc->client = client ? client_ref(client) : NULL;
	list_init(&lc->locks);
	list_append(&lk->client_list, &lc->all);
	hash_insert(&lk->clients, &lc->link, hash_bytes(&client, sizeof(client), 0));
	return lc;
}

void lock_client_put(struct locks *lk, struct lock_client *lc)
{
	if (lc->count)
		return;
	hash_remove(&lk->clients, &lc->link);
	list_remove(&lc->all);
	client_unref(lc->client);
	free(lc);
}

bool lock_range(const struct lock_request *rq, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = rq->start;
	*ret_end = rq->len ? rq->start + rq->len - 1 : UINT64_MAX;
	return *ret_end >= rq->start;
}

/* Hangs a fresh lock into its domain and client; the limits were checked. */
static void lock_attach(struct locks *lk, struct lock *lock, struct lock_domain *dom, struct lock_client *lc)
{
	list_init(&lock->link);
	list_init(&lock->contended);
	list_append(&lc->locks, &lock->of_client);
	lock->domain = dom;
	lock->owner_client = lc;
	inode_ref(dom->of->inode);
	dom->count++;
	dom->of->count++;
	lc->count++;
	lk->total++;
}

void lock_give(struct locks *lk, struct lock *lock, struct lock_client *to)
{
	struct lock_client *from = lock->owner_client;

	list_remove(&lock->of_client);
	list_append(&to->locks, &lock->of_client);
	lock->owner_client = to;
	to->count++;
	from->count--;
	lock_client_put(lk, from);
}

static bool within_limits(const struct locks *lk, const struct lock_domain *dom, const struct lock_client *lc)
{
	return dom->of->count < (uint64_t)lk->max_per_inode && lc->count < (uint64_t)lk->max_per_client &&
	       lk->total < (uint64_t)lk->max_total;
}

static void lock_fill(struct lock *lock, const struct call *call, const struct lock_request *rq)
{
	lock->type = rq->type;
	lock->pid = (uint32_t)call->pid;
	lock->whole = rq->kind == LOCK_KIND_ENTRY && !rq->name;
	lock->owner_len = call->lk_owner_len;
	if (call->lk_owner_len)
		memcpy(lock->owner, call->lk_owner, call->lk_owner_len);
	if (!rq->name)
		return;
	memcpy(lock->owner + lock->owner_len, rq->name, strlen(rq->name) + 1);
	lock->name = (char *)lock->owner + lock->owner_len;
	lock->name_hash = hash_bytes(rq->name, strlen(rq->name), 0);
}

int lock_new(struct locks *lk, const struct call *call, const struct lock_request *rq, struct lock **ret_lock)
{
	struct lock_domain *dom;
	struct lock_client *lc;
	struct lock *lock = NULL;
	uint64_t start, end;

	if (call->lk_owner_len > OWNER_MAX || strlen(rq->domain) > DOMAIN_MAX || !lock_range(rq, &start, &end))
		return -EINVAL;
	if (rq->name && strlen(rq->name) > 255)
		return -ENAMETOOLONG;

	dom = domain_get(lk, rq);
	if (!dom)
		return -ENOLCK;
	lc = lock_client_get(lk, call->client);
	if (lc && within_limits(lk, dom, lc))
		lock = calloc(1, sizeof(*lock) + call->lk_owner_len + (rq->name ? strlen(rq->name) + 1 : 0));
	if (!lock) {
		domain_put(lk, dom);
		if (lc)
			lock_client_put(lk, lc);
		return -ENOLCK;
	}
	lock_fill(lock, call, rq);
	lock->start = start;
	lock->end = end;
	lock_attach(lk, lock, dom, lc);
	*ret_lock = lock;
	return 0;
}

int lock_clone(struct locks *lk, const struct lock *like, struct lock **ret_lock)
{
	struct lock *lock;

	if (!within_limits(lk, like->domain, like->owner_client))
		return -ENOLCK;
	lock = calloc(1, sizeof(*lock) + like->owner_len);
	if (!lock)
		return -ENOLCK;
	lock->type = like->type;
	lock->pid = like->pid;
	lock->fd = like->fd;
	lock->number = like->number;
	lock->start = like->start;
	lock->end = like->end;
	lock->owner_len = like->owner_len;
	memcpy(lock->owner, like->owner, like->owner_len);
	lock_attach(lk, lock, like->domain, like->owner_client);
	*ret_lock = lock;
	return 0;
}

/* Leaves the domain standing even when it is empty now: the caller regrants, which puts it. */
static void lock_detach(struct locks *lk, struct lock *lock)
{
	struct lock_client *lc = lock->owner_client;

	if (lock->waiter)
		lock->waiter->lock = NULL;
	list_remove(&lock->link);
	list_remove(&lock->of_client);
	list_remove(&lock->contended);
	lock->domain->count--;
	lock->domain->of->count--;
	lc->count--;
	lk->total--;
	lock_client_put(lk, lc);
}

void lock_discard(struct locks *lk, struct lock *lock)
{
	struct inode *inode = lock->domain->of->inode;

	if (lock->waiter && !lock->held)
		co_wake(&lock->waiter->wait, -ENOTCONN);
	lock_detach(lk, lock);
	free(lock);
	inode_unref(inode);
}

void lock_free(struct locks *lk, struct lock *lock)
{
	struct lock_domain *dom = lock->domain;
	struct inode *inode = inode_ref(dom->of->inode);

	lock_discard(lk, lock);
	lock_regrant(lk, dom);
	inode_unref(inode);
}

bool lock_is_of(const struct lock *lock, const struct client *client, const uint8_t *owner, uint32_t owner_len)
{
	return lock->owner_client->client == client && lock->owner_len == owner_len &&
	       (!owner_len || memcmp(lock->owner, owner, owner_len) == 0);
}

bool lock_same_owner(const struct lock *a, const struct lock *b)
{
	return lock_is_of(a, b->owner_client->client, b->owner, b->owner_len);
}

static bool same_name(const struct lock *a, const struct lock *b)
{
	return a->name_hash == b->name_hash && strcmp(a->name, b->name) == 0;
}

/* Both are in the same domain. */
bool lock_conflicts(const struct lock *a, const struct lock *b)
{
	if ((a->type == LOCK_READ && b->type == LOCK_READ) || lock_same_owner(a, b))
		return false;
	if (a->domain->kind == LOCK_KIND_ENTRY)
		return a->whole || b->whole || same_name(a, b);
	return a->start <= b->end && b->start <= a->end;
}

/* Tells every holder in the way: each of them has to let go. */
static bool conflicts_with_held(struct locks *lk, const struct lock *lock)
{
	struct list *pos;
	bool found = false;

	list_for_each(pos, &lock->domain->held) {
		struct lock *holder = list_entry(pos, struct lock, link);

		if (!lock_conflicts(holder, lock))
			continue;
		found = true;
		lock_contend(lk, holder);
	}
	return found;
}

static bool owner_holds_here(const struct lock *lock)
{
	struct list *pos;

	list_for_each(pos, &lock->domain->held)
		if (lock_same_owner(list_entry(pos, struct lock, link), lock))
			return true;
	return false;
}

/* @lock is new, or in the waiting list: then only those before it count. */
static bool conflicts_with_earlier(const struct lock *lock)
{
	struct list *pos;

	list_for_each(pos, &lock->domain->waiting) {
		if (pos == &lock->link)
			return false;
		if (lock_conflicts(list_entry(pos, struct lock, link), lock))
			return true;
	}
	return false;
}

/* POSIX locks have no queue to respect: what is free may be taken. */
static bool queue_forbids(const struct lock *lock)
{
	return lock->domain->kind != LOCK_KIND_POSIX && conflicts_with_earlier(lock) && !owner_holds_here(lock);
}

static void hold(struct lock *lock)
{
	list_remove(&lock->link);
	list_append(&lock->domain->held, &lock->link);
	lock->held = true;
}

/* The first one that conflicts with @lock. */
static struct lock *find_conflict(const struct list *locks, const struct lock *lock)
{
	struct list *pos;

	list_for_each(pos, locks)
		if (lock_conflicts(list_entry(pos, struct lock, link), lock))
			return list_entry(pos, struct lock, link);
	return NULL;
}

/* Who waits has told all holders that are in its way; one more conflict is enough to go on waiting. It moves to the front, where those who
 * wait for the same find it at once: there may be thousands of both. */
static bool must_still_wait(struct lock *lock)
{
	struct lock *holder = find_conflict(&lock->domain->held, lock);

	if (!holder)
		return queue_forbids(lock);
	list_remove(&holder->link);
	list_insert(&lock->domain->held, &holder->link);
	return true;
}

static int grant(struct locks *lk, struct lock *lock)
{
	struct lock_domain *dom = lock->domain;

	if (dom->kind == LOCK_KIND_POSIX)
		return lock_posix_apply(lk, lock);
	hold(lock);
	if (find_conflict(&dom->waiting, lock))
		lock_contend(lk, lock);
	return 0;
}

static bool grant_one(struct locks *lk, struct lock_domain *dom)
{
	struct list *pos;

	list_for_each(pos, &dom->waiting) {
		struct lock *lock = list_entry(pos, struct lock, link);
		int ret;

		if (must_still_wait(lock))
			continue;
		ret = grant(lk, lock);
		if (ret < 0)		/* out of locks: it leaves the queue, its coroutine frees it */
			list_remove(&lock->link);
		if (lock->waiter)
			co_wake(&lock->waiter->wait, ret);
		return true;
	}
	return false;
}

/* From the start after each grant: an owner that holds something now may pass those it had to stand behind. */
void lock_regrant(struct locks *lk, struct lock_domain *dom)
{
	if (dom->count) {
		dom->count++;		/* it must not go away under us */
		while (grant_one(lk, dom))
			;
		dom->count--;
	}
	domain_put(lk, dom);
}

int coroutine_fn lock_wait(struct locks *lk, struct lock *lock)
{
	struct lock_waiter waiter = { CO_WAIT_INIT, lock };
	int ret;

	lock->waiter = &waiter;
	list_append(&lock->domain->waiting, &lock->link);
	ret = co_park(&waiter.wait);
	if (!waiter.lock)		/* its client went, or a later call of its owner took it in already */
		return ret;
	lock->waiter = NULL;
	if (lock->held)			/* granted in the moment of the interruption: it counts */
		return 0;
	lock_free(lk, lock);
	return ret;
}

int coroutine_fn lock_acquire(struct locks *lk, struct lock *lock, bool wait)
{
	if (!conflicts_with_held(lk, lock) && !queue_forbids(lock)) {
		hold(lock);
		return 0;
	}
	if (wait)
		return lock_wait(lk, lock);
	lock_free(lk, lock);
	return -EAGAIN;
}

static bool is_asked(const struct lock *lock, const struct lock_request *rq, uint64_t start, uint64_t end)
{
	if (rq->kind == LOCK_KIND_ENTRY)
		return rq->name ? !lock->whole && strcmp(lock->name, rq->name) == 0 : lock->whole;
	return lock->start == start && lock->end == end;
}

int lock_release(struct locks *lk, const struct call *call, const struct lock_request *rq)
{
	struct lock_domain *dom = lock_domain_find(lk, rq->inode, rq->kind, rq->domain);
	uint64_t start, end;
	struct list *pos;

	if (!dom || !lock_range(rq, &start, &end))
		return -EINVAL;
	list_for_each(pos, &dom->held) {
		struct lock *lock = list_entry(pos, struct lock, link);

		if (!lock_is_of(lock, call->client, call->lk_owner, call->lk_owner_len) || !is_asked(lock, rq, start, end))
			continue;
		lock_free(lk, lock);
		return 0;
	}
	return -EINVAL;
}
