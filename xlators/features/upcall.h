/* xlators/features/upcall.h: private to features/upcall. */
#ifndef XLATORS_FEATURES_UPCALL_H
#define XLATORS_FEATURES_UPCALL_H

#include "runtime/hash.h"
#include "runtime/list.h"
#include "xlators/xlator.h"

/* What changed (facts: brick-wire.md section 13). */
enum {
	UP_NLINK = 1, UP_MODE = 2, UP_OWN = 4, UP_SIZE = 8, UP_TIMES = 0x10, UP_PERM = 0x40, UP_RENAME = 0x80, UP_PARENT_TIMES = 0x200,
	UP_XATTR = 0x400, UP_XATTR_RM = 0x800,
};

#define UPCALL_RECENT 256

struct upcall {
	bool on;
	uint64_t tell_ms, lease_ms;	/* how long a looker is told; how long one that acknowledges may remember */
	int64_t max_holders;
	/* end of options */
	struct xlator *xl;
	struct hash_table clients;	/* struct upcall_client by pointer */
	struct list client_list;
	struct list oldest;		/* struct holder, those that looked longest ago first */
	uint64_t nholders, sequence;
	struct timer purge;
	uint64_t changes;		/* how many objects changed; the last of them: */
	uint8_t changed[UPCALL_RECENT][16];
};

struct upcall_client {
	struct hash_link link;
	struct list all;		/* stays until the client goes */
	struct client *client;		/* a reference */
	struct list holders, asked;	/* asked: struct asked, in the order they were sent */
};

/* A client that may remember something about an inode. Keeps a reference on the inode: it must be found when it changes. */
struct holder {
	struct list of_inode, of_client, age;
	struct inode *inode;
	struct upcall_client *uc;
	uint64_t looked_ns;
	uint64_t told;			/* sequence of the last invalidation sent since it last looked; 0: none */
};

struct upcall_inode { struct list holders; };	/* in the inode's slot while there are holders */

/* An invalidation on its way, and who waits for its acknowledgement (nobody, if the waiter gave up). */
struct change_wait { struct co_wait wait; unsigned left; uint64_t until_ns; };
struct asked {
	struct list link, of_change;
	uint64_t sequence;
	struct holder *holder;		/* NULL once it is gone */
	struct change_wait *change;
	struct upcall_client *uc;
};

void holders_init(struct upcall *up);
void holders_fini(struct upcall *up);
/* The caller is going to look at @inode: before it does, so that no change falls between. */
void holders_add(struct upcall *up, const struct call *call, struct inode *inode);
bool holders_others(const struct upcall *up, const struct call *call);	/* is there any other client? */
/* Were others told of a change of this object after up->changes was @before? (Perhaps, when that is long ago.) */
bool holders_changed_since(const struct upcall *up, const uint8_t *gfid, uint64_t before);
void holders_drop_client(struct upcall *up, struct client *client);
void holders_acknowledged(struct upcall *up, struct client *client, uint64_t sequence);

/* Changes of one fop: tell() for each object that changed, then one wait for all acknowledgements. */
struct change { struct upcall *up; const struct call *call; struct change_wait wait; struct list asked; };
void change_begin(struct change *ch, struct upcall *up, const struct call *call);
void change_tell(struct change *ch, const uint8_t *gfid, struct xl_upcall *u);	/* fills in kind, gfid, sequence */
void change_tell_all(struct change *ch, const uint8_t *gfid, struct xl_upcall *u);	/* every other client, whether it looked or not */
void coroutine_fn change_wait(struct change *ch);

#endif
