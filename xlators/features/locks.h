/* xlators/features/locks.h: private to the files of features/locks.
 *
 * A lock of any kind is one `struct lock` in one `struct lock_domain` of one inode. It is in exactly one of the domain's lists (held or
 * waiting) and in its client's list, and it keeps a reference on the inode: state of an inode lives while a lock of it lives. */
#ifndef XLATORS_FEATURES_LOCKS_H
#define XLATORS_FEATURES_LOCKS_H

#include "runtime/hash.h"
#include "runtime/list.h"
#include "xlators/xlator.h"

#define LOCK_POSIX_DOMAIN ""
#define LOCKINFO "trusted.glusterfs.lockinfo"

enum lock_kind { LOCK_KIND_INODE, LOCK_KIND_ENTRY, LOCK_KIND_POSIX };

struct locks {
	uint64_t notify_delay_ms;
	int64_t max_per_inode, max_per_client, max_total;
	bool notify;
	/* end of options */
	struct xlator *xl;
	struct hash_table clients;	/* struct lock_client by the pointer of its client */
	struct list client_list;
	uint64_t total;
	struct list contended;		/* locks whose holders are told at the end of this round */
	struct loop_defer tell;
	uint64_t number;		/* of this brick's run, in lockinfo; 0: none was needed yet */
};

struct lock_client {
	struct hash_link link;
	struct list all;		/* in locks.client_list */
	struct client *client;		/* a reference; NULL in a graph without clients */
	struct list locks;
	uint64_t count;
};

struct lock_inode {			/* what hangs in the inode's slot */
	struct inode *inode;		/* no reference of its own: the locks have them */
	struct list domains;
	uint64_t count;
};

struct lock_domain {
	struct list link;		/* in lock_inode.domains */
	struct list touched;		/* while a client is dropped: to be looked through at the end */
	struct lock_inode *of;
	enum lock_kind kind;
	uint64_t count;
	struct list held, waiting;	/* waiting: first come, first served */
	char name[];
};

struct lock_waiter {			/* on the waiting coroutine's stack */
	struct co_wait wait;
	struct lock *lock;		/* NULL once the lock was freed under the waiter */
};

struct lock {
	struct list link;		/* in held or waiting */
	struct list of_client, contended;
	struct lock_domain *domain;
	struct lock_client *owner_client;
	struct lock_waiter *waiter;
	enum lock_type type;
	bool held, whole;		/* whole: an entry lock without a name */
	uint32_t pid;
	const struct fd *fd;		/* POSIX: the descriptor it was taken through, to compare only; NULL: none */
	uint64_t number;		/* POSIX: what lockinfo calls it; 0: nobody asked */
	uint64_t start, end;		/* ranges, both inclusive */
	uint64_t name_hash;
	uint64_t notified_ns;		/* when its holder was last told of a contender; 0 never */
	const char *name;		/* entry locks; points behind the owner */
	uint32_t owner_len;
	uint8_t owner[];
};

/* What is asked for: a lock not in any list yet. */
struct lock_request {
	struct inode *inode;
	enum lock_kind kind;
	const char *domain, *name;
	enum lock_type type;
	uint64_t start, len;
};

/* locks_table.c */
int lock_new(struct locks *lk, const struct call *call, const struct lock_request *rq, struct lock **ret_lock);
/* A new lock of the same owner in the same domain, in no list yet: for splitting. */
int lock_clone(struct locks *lk, const struct lock *like, struct lock **ret_lock);
void lock_free(struct locks *lk, struct lock *lock);	/* and grants what waited for it; frees the domain when it is empty */
void lock_discard(struct locks *lk, struct lock *lock);	/* frees it and no more: the caller calls lock_regrant() in the end */
int coroutine_fn lock_acquire(struct locks *lk, struct lock *lock, bool wait);	/* the lock is freed on failure */
int lock_release(struct locks *lk, const struct call *call, const struct lock_request *rq);	/* 0 or -EINVAL */
int coroutine_fn lock_wait(struct locks *lk, struct lock *lock);	/* queue it and park; freed on failure */
bool lock_same_owner(const struct lock *a, const struct lock *b);
bool lock_conflicts(const struct lock *a, const struct lock *b);
bool lock_range(const struct lock_request *rq, uint64_t *ret_start, uint64_t *ret_end);
void lock_regrant(struct locks *lk, struct lock_domain *dom);	/* after something left @dom; frees @dom when it is empty */
struct lock_domain *lock_domain_find(struct locks *lk, struct inode *inode, enum lock_kind kind, const char *name);
struct lock_inode *lock_inode_find(struct locks *lk, struct inode *inode);
bool lock_is_of(const struct lock *lock, const struct client *client, const uint8_t *owner, uint32_t owner_len);
struct lock_client *lock_client_find(struct locks *lk, const struct client *client);
struct lock_client *lock_client_get(struct locks *lk, struct client *client);	/* NULL: out of memory */
void lock_give(struct locks *lk, struct lock *lock, struct lock_client *to);	/* makes @to its owner's client */
void lock_client_put(struct locks *lk, struct lock_client *lc);		/* frees it when nothing is left */

/* locks_posix.c */
int coroutine_fn locks_lk(struct xlator *xl, struct call *call, const struct lk_args *args, struct lk_res *res);
void locks_flush_owner(struct locks *lk, const struct call *call, struct inode *inode);
void locks_fd_released(struct xlator *xl, struct client *client, struct fd *fd);
int lock_posix_apply(struct locks *lk, struct lock *lock);	/* makes @lock held: its owner's other locks give way, neighbours merge */

/* locks_move.c: the value of LOCKINFO. No attribute in the answer: the caller locked nothing through that descriptor. */
int lockinfo_get(struct locks *lk, struct call *call, const struct getxattr_args *args, struct getxattr_res *res);
int lockinfo_set(struct locks *lk, struct call *call, const struct setxattr_args *args, const struct xattr *x);

/* locks.c */
void lock_contend(struct locks *lk, struct lock *holder);	/* somebody wants what @holder has */

#endif
