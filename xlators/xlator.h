/* xlators/xlator.h: the whole contract between translators.
 *
 * A translator is one file: a private struct, an option table, functions, one const class, one line in xlators.def. A
 * fop returns 0 or -errno,
 * may park, and finds everything it may keep for the call in the call's arena. A NULL fop passes to the first child. */
#ifndef XLATORS_XLATOR_H
#define XLATORS_XLATOR_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/arena.h"
#include "runtime/coroutine.h"
#include "runtime/error.h"
#include "runtime/loop.h"
#include "runtime/option.h"
#include "xlators/fop.h"
#include "xlators/gfid.h"
#include "xlators/inode.h"

struct graph;
struct xlator;
struct xl_upcall;

/* The other end of a brick's connection(s): owner of locks and fds (facts/brick-wire.md section 5). bricks/ makes them. */
struct client {
	const char *uuid;		/* process-uuid, for the log */
	uint32_t refs;
	bool trusted;			/* passed login authentication */
	/* answers an upcall that has a sequence: xlator_class.acknowledged is called then */
	bool acknowledges;
	/* Sends an upcall to it, never parks. -EOPNOTSUPP when it cannot take this kind. */
	int (*notify)(struct client *client, const struct xl_upcall *upcall);
	void (*free)(struct client *client);
};
void client_unref(struct client *client);	/* accepts NULL */
struct client *client_ref(struct client *client);

enum { PID_NO_ROOT_SQUASH = -4, PID_SELF_HEAL = -6, PID_REBALANCE = -3, PID_ADD_REPLICA = -12, PID_SET_UTIME = -13 };
enum { TIME_CTIME = 1, TIME_MTIME = 2, TIME_ATIME = 4, TIME_PARENT_CTIME = 8, TIME_PARENT_MTIME = 0x10, TIME_PARENT_ATIME = 0x20 };

/* Locks of the call's owner that a brick lets go by itself as soon as the change they were taken for has succeeded there: one message less.
 * A change that failed leaves them held. Only for children with releases_locks; to others it means nothing. */
#define LOCK_RELEASE_MAX 3
struct lock_release {
	const char *domain;
	unsigned n;
	struct lock_released {
		const uint8_t *gfid;
		bool entry;
		const char *name;	/* entry; NULL: the whole directory */
		uint64_t start, len;	/* else */
	} v[LOCK_RELEASE_MAX];
};

/* who asks, and the arena its results live in; copy it to change something for a sub-operation */
struct call {
	struct arena *arena;
	uint32_t uid, gid, ngroups;
	const uint32_t *groups;
	int32_t pid;
	uint32_t lk_owner_len;
	const uint8_t *lk_owner;	/* at most 91 bytes */
	/* which stored times the brick sets, to @time (brick-format.md A4); 0: leave alone */
	uint32_t time_flags;
	struct iatt_time time;
	struct client *client;		/* in bricks; NULL in gateways */
	bool durable;			/* an entry or attribute change must be on stable storage before the answer */
	const struct lock_release *release;	/* of this owner, when the change succeeds; NULL: none */
	/* Set to true once a storage was asked to change a name: from then on the call may have happened,
	 * whatever it answers. NULL: nobody wants to know. Shared by all copies of the call. */
	bool *sent;
};
static inline void call_sent(const struct call *call)
{
	if (call->sent)
		*call->sent = true;
}
/* root, pid 0, no lock owner, no times. */
void call_init(struct call *call, struct arena *arena);

/* Upwards: what became of a child, and what bricks tell. */
enum xl_event {
	XL_UP, XL_DOWN,			/* a child can (cannot) serve; sent on change only */
	/* the brick's process is another one: what it held unstable may be lost. Before XL_UP */
	XL_RESTARTED,
	XL_UPCALL,			/* struct xl_upcall */
};
enum xl_upcall_kind { UPCALL_INVALIDATE, UPCALL_INODELK_CONTENTION, UPCALL_ENTRYLK_CONTENTION };
struct xl_upcall {
	enum xl_upcall_kind kind;
	uint8_t gfid[16];
	uint32_t flags;			/* INVALIDATE: facts/brick-wire.md section 13 */
	const char *name;		/* entry that changed or whose lock is wanted, or NULL */
	const char *domain;
	uint64_t start, len;		/* the lock held */
	enum lock_type type;
	struct iatt stat, parent, oldparent;
	/* INVALIDATE, in bricks: not 0 asks for an acknowledgement (client.acknowledges) */
	uint64_t sequence;
	uint32_t expire_s;		/* INVALIDATE: how long the brick will go on telling */
};

#define F(op) int coroutine_fn (*op)(struct xlator *, struct call *, const struct op##_args *, struct op##_res *);
struct fops { FOPS(F) };
#undef F

struct xlator_class {
	const char *name, *summary;	/* "cluster/replicate"; one line for help and man */
	size_t priv_size;		/* zeroed, options parsed into it before init */
	const struct option *options;	/* may be NULL. An option of the volfile that is not here is a warning */
	unsigned min_children, max_children;
	bool uses_inode_ctx;
	bool storage;			/* carries calls out itself: whoever reaches it has been heard */
	int coroutine_fn (*init)(struct xlator *xl, struct error *err);	/* children are initialised already */
	/* the whole graph stands; leaves send XL_UP from here or later */
	void coroutine_fn (*start)(struct xlator *xl);
	void coroutine_fn (*fini)(struct xlator *xl);	/* parents are gone already */
	int (*reconfigured)(struct xlator *xl, struct error *err);	/* an OPT_LIVE option was set; may be NULL */
	void (*event)(struct xlator *xl, unsigned child, enum xl_event ev, const struct xl_upcall *upcall);
					/* never parks; NULL: pass on to the parents */
	void (*forget)(struct xlator *xl, struct inode *inode, void *ctx);	/* free the slot's content */
	/* The parent waits no longer: XL_DOWN, and what is under way fails with -ENOTCONN now. XL_UP when all of it has been answered: until
	 * then its effects may come, under the locks it was sent with. Never parks; NULL: passed on to the children. */
	void (*give_up)(struct xlator *xl);
	void (*client_gone)(struct xlator *xl, struct client *client);	/* release its locks; never parks */
	/* The client closes a descriptor it had open: release what it locked through that one. Never parks */
	void (*fd_released)(struct xlator *xl, struct client *client, struct fd *fd);
	/* of an upcall to it; never parks */
	void (*acknowledged)(struct xlator *xl, struct client *client, uint64_t sequence);
	struct fops fops;
};

struct xlator {
	const struct xlator_class *class;
	const char *name;
	void *priv;
	struct graph *graph;
	unsigned nchildren, nparents, slot;
	bool gone;			/* fini() was called: hears of nothing any more */
	struct xlator **children;
	struct xlator **parents;
	unsigned *parent_index;		/* which child of parents[i] this is */
	uint64_t calls[FOP_COUNT];	/* how often each fop was asked of this translator */
	/* The promise to tell of every change of what was read through here, for so long after the reading; 0: none. Set by features/upcall in a
	 * brick (its SETVOLUME reply says so) and by protocol/client, which counts graph->lease_epoch up whenever it changes. A lookup by name
	 * counts as reading the parent and its names, also when it finds nothing; what makes an object, as reading that. */
	/* XL_LEASE_NOBODY: the brick is away, has nothing to say and nothing can be read there */
	uint32_t lease_s;
	/* does what call.release says; set by protocol/client as its brick told, and by features/locks */
	bool releases_locks;
	/* Its brick lets a removal wait until no other client holds an inodelk on what is to go, as stock bricks do; set by protocol/client. */
	bool removal_waits;
};

#define XL_LEASE_NOBODY UINT32_MAX
/* bit i stands for children[i]; wider than 64 children: a translator's own bitmap */
typedef uint64_t child_set;
struct answer { int err; union fop_res *res; };	/* one child's reply in a fan-out; err 1: not asked */

struct loop *xl_loop(const struct xlator *xl);
struct inode_table *xl_inodes(const struct xlator *xl);
bool xl_removal_waits(const struct xlator *xl);	/* at it or any below it */
void xl_give_up(struct xlator *xl);	/* xlator_class.give_up */
/* to every parent; to the graph's owner from the top */
void xl_notify(struct xlator *xl, enum xl_event ev, const struct xl_upcall *upcall);

#define F(op) static inline int coroutine_fn xl_##op(struct xlator *xl, struct call *call, \
		const struct op##_args *args, struct op##_res *res) \
	{ \
		while (xl->calls[FOP_##op]++, !xl->class->fops.op) { \
			if (!xl->nchildren) \
				return -EOPNOTSUPP; \
			xl = xl->children[0]; \
		} \
		if (fop_changes_names(FOP_##op) && xl->class->storage) \
			call_sent(call); \
		return xl->class->fops.op(xl, call, args, res); \
	}
FOPS(F)
#undef F

/* Any fop by number: @res must have room for fop_res_sizes[op]. */
int coroutine_fn xl_call(struct xlator *xl, struct call *call, enum fop op, const void *args, void *res);

/* Wind @op with one and the same @args to every child in @to at once. Answers come from the call's arena, one for
 * each child. Returns NULL
 * (and *ret_ok 0) when the arena is full. */
struct answer *coroutine_fn xl_fanout(struct xlator *xl, struct call *call, child_set to, enum fop op, const void *args, child_set *ret_ok);
/* The same with arguments of each child's own: args[i] for bit i. */
struct answer *coroutine_fn xl_fanout_each(struct xlator *xl, struct call *call, child_set to, enum fop op, const void *const *args,
					   child_set *ret_ok);
/* xl_fanout() that reports each answer as it comes; args[i] for bit i, or the same for all when @each is NULL. */
struct xl_asked {
	child_set to;
	enum fop op;
	const void *args;
	const void *const *each;
	void (*answered)(void *user, unsigned child, int err);
	void *user;
};
struct answer *coroutine_fn xl_ask(struct xlator *xl, struct call *call, const struct xl_asked *asked,
				   child_set *ret_ok);

#endif
