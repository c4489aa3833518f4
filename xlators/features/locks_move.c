/* xlators/features/locks_move.c: fcntl and flock locks that change hands between two connections of one client process.
 *
 * A GlusterFS client that gets another volfile builds a second graph, connects anew and opens its files again; then it reads
 * trusted.glusterfs.lockinfo of the old descriptor and sets it on the new one. The value is a flat dictionary with one pair for each brick, as
 * replicate merges them. Ours gives the old descriptor's locks a random number, so that nobody moves locks whose number he was not given. A
 * brick that was started again in between finds no pair of its own, and has nothing to move. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/features/locks.h"

#define KEY_LEN 26		/* "gatehouse-" and 16 digits */
#define PAIRS_MAX 256

/* One pair as a flat dictionary has it: their number, both lengths, the key with its NUL, the number as text with its. */
struct lockinfo {
	uint32_t pairs, key_len, value_len;
	char key[KEY_LEN + 1], value[21];
};

static uint64_t random_number(struct locks *lk)
{
	uint64_t number;

	loop_random(xl_loop(lk->xl), &number, sizeof(number));
	number &= INT64_MAX;
	return number ? number : 1;
}

static void lockinfo_key(struct locks *lk, char key[KEY_LEN + 1])
{
	if (!lk->number)
		lk->number = random_number(lk);
	snprintf(key, KEY_LEN + 1, "gatehouse-%016" PRIx64, lk->number);
}

static uint32_t lockinfo_fill(struct locks *lk, struct lockinfo *info, uint64_t number)
{
	uint32_t len = (uint32_t)snprintf(info->value, sizeof(info->value), "%" PRIu64, number) + 1;

	info->pairs = htonl(1);
	info->key_len = htonl(KEY_LEN);
	info->value_len = htonl(len);
	lockinfo_key(lk, info->key);
	return offsetof(struct lockinfo, value) + len;
}

static bool take_length(const uint8_t **at, size_t *left, uint32_t *ret_len)
{
	if (*left < 4)
		return false;
	memcpy(ret_len, *at, 4);
	*ret_len = ntohl(*ret_len);
	*at += 4;
	*left -= 4;
	return true;
}

/* Finds this brick's number, 0 for none, among those of all bricks. -EINVAL: that is no lockinfo. */
static int lockinfo_number(struct locks *lk, const struct xattr *x, uint64_t *ret_number)
{
	const uint8_t *at = x->value;
	size_t left = x->len;
	uint32_t n, klen, vlen;
	char key[KEY_LEN + 1];

	*ret_number = 0;
	lockinfo_key(lk, key);
	if (!take_length(&at, &left, &n) || n > PAIRS_MAX)
		return -EINVAL;
	while (n--) {
		if (!take_length(&at, &left, &klen) || !take_length(&at, &left, &vlen) || klen >= left || vlen > left - klen - 1)
			return -EINVAL;
		if (klen == KEY_LEN && memcmp(at, key, KEY_LEN) == 0 && vlen && !at[klen + vlen])
			*ret_number = strtoull((const char *)at + klen + 1, NULL, 10);
		at += klen + 1 + vlen;
		left -= klen + 1 + vlen;
	}
	return 0;
}

static struct lock_domain *posix_domain(struct locks *lk, struct inode *inode)
{
	return lock_domain_find(lk, inode, LOCK_KIND_POSIX, LOCK_POSIX_DOMAIN);
}

/* Gives @number to the descriptor's locks in the list. Returns how many these are. */
static unsigned number_locks(struct list *locks, const struct client *client, const struct fd *fd, uint64_t number)
{
	struct list *pos;
	unsigned n = 0;

	list_for_each(pos, locks) {
		struct lock *lock = list_entry(pos, struct lock, link);

		if (lock->owner_client->client != client || lock->fd != fd)
			continue;
		lock->number = number;
		n++;
	}
	return n;
}

int lockinfo_get(struct locks *lk, struct call *call, const struct getxattr_args *args, struct getxattr_res *res)
{
	struct lock_domain *dom = posix_domain(lk, args->inode ? args->inode : args->fd->inode);
	uint64_t number = random_number(lk);
	struct lockinfo *info;
	struct xattr *x;

	if (!dom || number_locks(&dom->held, call->client, args->fd, number) +
		    number_locks(&dom->waiting, call->client, args->fd, number) == 0)
		return 0;
	x = arena_alloc(call->arena, sizeof(*x));
	info = arena_alloc(call->arena, sizeof(*info));
	if (!x || !info)
		return -ENOMEM;
	*x = (struct xattr){ LOCKINFO, info, lockinfo_fill(lk, info, number) };
	res->xattrs = (struct xattrs){ x, 1 };
	return 0;
}

/* Hands the locks of that number in @from over; those held wait in @moved to be taken in anew. */
static void give_numbered(struct locks *lk, struct list *from, uint64_t number, struct lock_client *to, const struct fd *fd, struct list *moved)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, from) {
		struct lock *lock = list_entry(pos, struct lock, link);

		if (lock->number != number)
			continue;
		lock_give(lk, lock, to);
		lock->fd = fd;
		lock->number = 0;
		if (!lock->held)
			continue;
		list_remove(&lock->link);
		list_append(moved, &lock->link);
	}
}

/* The new owner's own locks in the range give way, as for any lock. */
static int take_in(struct locks *lk, struct lock_domain *dom, struct list *moved)
{
	struct lock *lock;
	int ret = 0;

	while (!list_empty(moved)) {
		lock = list_first(moved, struct lock, link);
		if (ret == 0)
			ret = lock_posix_apply(lk, lock);
		if (ret < 0) {
			list_remove(&lock->link);
			list_append(&dom->held, &lock->link);
		}
	}
	return ret;
}

static int move_locks(struct locks *lk, struct lock_domain *dom, uint64_t number, struct lock_client *to, const struct fd *fd)
{
	struct inode *inode = inode_ref(dom->of->inode);
	struct list moved;
	int ret;

	list_init(&moved);
	dom->count++;		/* neither may go away under us */
	to->count++;
	give_numbered(lk, &dom->held, number, to, fd, &moved);
	give_numbered(lk, &dom->waiting, number, to, fd, &moved);
	ret = take_in(lk, dom, &moved);
	to->count--;
	dom->count--;
	lock_client_put(lk, to);
	lock_regrant(lk, dom);
	inode_unref(inode);
	return ret;
}

int lockinfo_set(struct locks *lk, struct call *call, const struct setxattr_args *args, const struct xattr *x)
{
	struct lock_domain *dom = posix_domain(lk, args->inode ? args->inode : args->fd->inode);
	struct lock_client *to;
	uint64_t number;
	int ret = lockinfo_number(lk, x, &number);

	if (ret < 0 || !dom || !number)
		return ret;
	to = lock_client_get(lk, call->client);
	return to ? move_locks(lk, dom, number, to, args->fd) : -ENOLCK;
}
