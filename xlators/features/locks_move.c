/* xlators/features/locks_move.c: fcntl locks that change hands between two connections of one client process.
 *
 * A GlusterFS client that gets another volfile builds a second graph, connects anew and opens its files again; then it reads
 * trusted.glusterfs.lockinfo of the old descriptor and sets it on the new one. The value is a flat dictionary with one pair for each brick, as
 * replicate merges them. Ours names the old connection by a random number, so that nobody moves locks whose number he was not given. A brick
 * that was started again in between finds no pair of its own, and has nothing to move. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rpcgen/dict.h"
#include "xlators/features/locks.h"

#define KEY_SIZE 32

static uint64_t random_number(struct locks *lk)
{
	uint64_t number;

	loop_random(xl_loop(lk->xl), &number, sizeof(number));
	number &= INT64_MAX;		/* a dictionary's numbers are signed */
	return number ? number : 1;
}

static const char *lockinfo_key(struct locks *lk, char key[KEY_SIZE])
{
	if (!lk->number)
		lk->number = random_number(lk);
	snprintf(key, KEY_SIZE, "gatehouse-%016" PRIx64, lk->number);
	return key;
}

static struct lock_domain *posix_domain(struct locks *lk, struct inode *inode)
{
	return lock_domain_find(lk, inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN);
}

static bool has_lock_of(const struct list *locks, const struct lock_client *lc)
{
	struct list *pos;

	list_for_each(pos, locks)
		if (list_entry(pos, struct lock, link)->owner_client == lc)
			return true;
	return false;
}

int lockinfo_get(struct locks *lk, struct call *call, struct inode *inode, struct getxattr_res *res)
{
	struct lock_client *lc = lock_client_find(lk, call->client);
	struct lock_domain *dom = posix_domain(lk, inode);
	char key[KEY_SIZE];
	gfx_dict info;
	struct xattr *x;
	uint8_t *value;

	if (!lc || !dom || (!has_lock_of(&dom->held, lc) && !has_lock_of(&dom->waiting, lc)))
		return 0;
	if (!lc->number)
		lc->number = random_number(lk);
	dict_init(&info, call->arena);
	if (dict_set_uint(&info, lockinfo_key(lk, key), lc->number) < 0)
		return -ENOMEM;
	x = arena_alloc(call->arena, sizeof(*x));
	value = arena_alloc(call->arena, dict_flat_size(&info));
	if (!x || !value)
		return -ENOMEM;
	dict_flat_encode(&info, value, dict_flat_size(&info));
	*x = (struct xattr){ LOCKINFO, value, dict_flat_size(&info) };
	res->xattrs = (struct xattrs){ x, 1 };
	return 0;
}

static struct lock_client *client_by_number(struct locks *lk, uint64_t number)
{
	struct lock_client *lc;

	list_for_each_entry(lc, &lk->client_list, all)
		if (lc->number == number)
			return lc;
	return NULL;
}

/* All of @from's in this domain: what is held, and what is waited for. The new owner's own locks in the range give way, as for any lock. */
static int move_locks(struct locks *lk, struct lock_domain *dom, struct lock_client *from, struct lock_client *to)
{
	struct list *lists[] = { &dom->held, &dom->waiting }, moved, *pos, *tmp;
	unsigned i;
	int ret = 0;

	list_init(&moved);
	for (i = 0; i < 2; i++) {
		list_for_each_safe(pos, tmp, lists[i]) {
			struct lock *lock = list_entry(pos, struct lock, link);

			if (lock->owner_client != from)
				continue;
			lock_give(lock, to);
			if (!lock->held)
				continue;
			list_remove(&lock->link);
			list_append(&moved, &lock->link);
		}
	}
	while (!list_empty(&moved)) {
		struct lock *lock = list_first(&moved, struct lock, link);

		if (ret == 0)
			ret = lock_posix_apply(lk, lock);
		if (ret < 0) {
			list_remove(&lock->link);
			list_append(&dom->held, &lock->link);
		}
	}
	return ret;
}

int lockinfo_set(struct locks *lk, struct call *call, struct inode *inode, const struct xattr *x)
{
	struct lock_client *from, *to;
	struct lock_domain *dom;
	char key[KEY_SIZE];
	int64_t number;
	gfx_dict info;
	int ret = dict_flat_decode(&info, call->arena, x->value, x->len);

	if (ret < 0)
		return ret == -EBADMSG ? -EINVAL : ret;
	if (!dict_get_int(&info, lockinfo_key(lk, key), &number) || !number)
		return 0;
	from = client_by_number(lk, (uint64_t)number);
	dom = posix_domain(lk, inode);
	if (!from || !dom || from->client == call->client)
		return 0;
	to = lock_client_get(lk, call->client);
	if (!to)
		return -ENOLCK;
	dom->count++;		/* neither may go away under us */
	from->count++;
	to->count++;
	inode_ref(inode);
	ret = move_locks(lk, dom, from, to);
	to->count--;
	from->count--;
	dom->count--;
	lock_client_put(lk, from);
	lock_client_put(lk, to);
	lock_regrant(lk, dom);
	inode_unref(inode);
	return ret;
}
