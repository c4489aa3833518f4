/* xlators/cluster/replicate/replicate.h: what the files of this translator share. Read README.md beside it first.
 *
 * The one idea: what we believe of an inode's copies (struct copies) is the last heard rows of the pending matrix, learned at a generation.
 * A child's coming or going makes a new generation, and nothing learned before it decides a read without asking again. */
#ifndef REPLICATE_H
#define REPLICATE_H

#include "runtime/hash.h"
#include "runtime/list.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "xlators/cluster/replicate/watch.h"
#include "xlators/xlator.h"

#define REPLICATE_MAX 8			/* children; the sets kept per inode are one byte wide */

enum change { DATA, METADATA, ENTRY, CHANGES };		/* the three counters of a pending attribute, in their order on disk */
enum read_kind { READ_DATA, READ_META, READ_ENTRIES, READ_ATTR, READ_KINDS };	/* READ_ATTR: all of a stat */
enum quorum_type { QUORUM_NONE, QUORUM_AUTO, QUORUM_FIXED };

struct epoch;
struct blamed { struct hash_table hash; bool exact; };	/* gfids; not exact: perhaps others, too */

struct replicate {
	/* options */
	char *pending_names, *read_subvolume, *volume_id, *favorite_child_policy, *self_heal_algorithm, *data_heal;
	int quorum_type;
	int64_t quorum_count, arbiter_count, read_hash_mode, read_index, heal_window, heal_count, thin;
	uint64_t post_op_delay_ms, slow_copy_ms;
	bool eager_lock, ensure_durability, optimistic, data_log, metadata_log, entry_log, choose_local;
	bool granular_entry, anonymous_inode, metadata_heal, entry_heal, heal_daemon, full_lock;
	bool consistent_metadata, compound_fops, quorum_reads, stale_reads;

	unsigned n;
	child_set all, up, arbiter;
	child_set arrived;			/* connected; up once we know what the others hold against it */
	uint32_t arrivals[REPLICATE_MAX];
	const char *keys[REPLICATE_MAX + 1];	/* pending key of each child, then the dirty key */
	int read_preferred;			/* a child named by an option, or -1 */
	uint64_t next_owner;

	uint32_t gen;				/* counts comings and goings; never 0 */
	uint32_t up_since[REPLICATE_MAX];	/* generation of the last coming */
	uint32_t probed[REPLICATE_MAX];		/* generation at which its heal index was asked for; 0: never */
	child_set blames[REPLICATE_MAX];	/* whom some object on this child may blame ... */
	struct blamed blamed[REPLICATE_MAX];	/* ... and which objects those are */
	uint64_t asked_at_ns;			/* last time the indices were read */
	bool asking;
	uint64_t blame_seq;			/* counts our own accusations */

	struct list epochs;			/* held data locks, oldest first */
	unsigned nepochs;
	struct co_gate background;		/* coroutines that outlive their call */
	struct co_queue came;			/* woken when a child comes up */
	struct timer settle_in;			/* before we speak up with children missing */
	struct copy_watch watch;
	bool told_up;
};

/* What we know of one inode's copies; the content of the inode's slot. */
struct copies {
	const uint8_t *gfid;
	uint32_t gen;				/* learned at this generation; 0: never */
	uint8_t present, absent, smaller, heard;	/* copies that exist; that do not; that are too short; whose rows are known */
	uint8_t unsynced;			/* went down with data of ours that a crash loses without a trace */
	bool partial;				/* somebody who was asked did not say: ask again before it decides */
	uint8_t blames[REPLICATE_MAX][CHANGES];	/* rows of the pending matrix: whom each copy accuses */
	uint32_t heard_at[REPLICATE_MAX];
	uint8_t readable[READ_KINDS], good[CHANGES];	/* derived from the above; valid while gen is the current one */
	uint64_t blamed_at, doubted_at;		/* blame_seq of our last accusation; of another client's, perhaps */
	uint8_t owner[8];			/* lock owner of our data and metadata locks */
	int8_t listing;				/* child whose positions a listing goes by, or -1 */
	struct list running, waiting;		/* struct span */
	struct epoch *epoch;
	struct co_queue epoch_changed;
};

static inline child_set bit(unsigned child) { return (child_set)1 << child; }
static inline struct replicate *replicate_of(const struct xlator *xl) { return xl->priv; }

/* quorum.c: who may decide, and what the answers of a fan-out come to. */
bool quorum_met(const struct replicate *rp, child_set set);
bool quorum_holds(const struct replicate *rp, child_set set, child_set lacking);
bool quorum_reads_allowed(const struct replicate *rp);
bool quorum_others_idle(const struct replicate *rp);	/* no quorum without those that are up: nothing was missed by them all */
bool errno_is_loss(int err);			/* the child is gone: whether it acted is unknown */
bool errno_is_refusal(int err);			/* nothing was done */
struct verdict {
	int ret;				/* for the caller */
	child_set ok;				/* did it */
	child_set blamers, missed;		/* who must accuse whom; both empty when nothing is to be recorded */
	child_set confess, overruled;		/* who must accuse itself; who made what a quorum refused: missed, too */
	bool took_effect;			/* on copies that count */
	bool refused, decided;			/* by all: nothing was done; about the name, by @ok */
};
/* @good are the copies that were whole before, asked or not; @lacking are up and do not have the object. */
void quorum_judge(const struct replicate *rp, const struct answer *ans, child_set asked, child_set lacking, child_set good,
		  struct verdict *ret_v);
int quorum_error(const struct answer *ans, child_set asked, child_set good);
child_set quorum_refusals(const struct answer *ans, child_set asked);
/* state.c */
struct copies *copies_of(struct xlator *xl, struct inode *inode);	/* NULL: no memory */
void copies_free(struct copies *c);
bool copies_fresh(const struct replicate *rp, const struct copies *c);
void copies_update(const struct replicate *rp, struct copies *c);
/* Takes the rows out of an answer's attributes. */
void copies_hear(const struct replicate *rp, struct copies *c, unsigned child, const struct xattrs *set, uint32_t gen, bool add);
void copies_confess(struct replicate *rp, struct copies *c, child_set who, enum change type);
void copies_told(struct replicate *rp, struct copies *c, child_set to, child_set ok, child_set lacking);
void copies_blame(struct replicate *rp, struct copies *c, child_set by, child_set missed, enum change type);
child_set copies_accused(const struct replicate *rp, const struct copies *c, enum change type);
child_set copies_convicted(const struct replicate *rp, const struct copies *c, enum change type);
child_set copies_last(const struct replicate *rp, const struct copies *c, child_set by, child_set missed, enum change type);
bool state_may_have_missed(const struct replicate *rp, child_set here, child_set away);
void copies_born(struct replicate *rp, struct copies *c, uint32_t gen, child_set ok);
int copies_excuse(const struct replicate *rp, const struct copies *c, enum read_kind kind);	/* why nothing is readable */
int copies_excuse_change(const struct replicate *rp, const struct copies *c, enum change type);
unsigned copies_choose(const struct replicate *rp, const uint8_t *gfid, child_set from);	/* @from must not be empty */
child_set copies_still(const struct replicate *rp, child_set set, uint32_t gen);	/* those up without a break since @gen */

/* blamed.c */
void blamed_none(struct replicate *rp, unsigned child);
void blamed_add(struct replicate *rp, unsigned child, const uint8_t *gfid);
bool blamed_has(const struct replicate *rp, unsigned child, const uint8_t *gfid);	/* @gfid NULL: any; true when in doubt */
void coroutine_fn blamed_learn(struct xlator *xl, unsigned child, struct inode *root);
void blamed_fini(struct replicate *rp);

/* lookup.c */
int coroutine_fn replicate_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res);
/* Asks all copies again when what we know is of an older generation, or when @force. */
int coroutine_fn copies_refresh(struct xlator *xl, struct inode *inode, bool force, struct copies **ret_c);
/* Learns whose heal index is empty. *ret_asked: who answered; the caller says since when that holds. */
void coroutine_fn replicate_probe(struct xlator *xl, child_set asked, child_set *ret_answered);

struct agreement { struct inode *parent, *object; const char *name; child_set part, good; bool everybody; };
bool coroutine_fn replicate_agreed(struct xlator *xl, const struct agreement *a);
/* adopt.c: objects without a gfid get args->gfid_req, or the one another copy has. */
bool replicate_nameless(const struct answer *ans, child_set asked);
int coroutine_fn replicate_adopt(struct xlator *xl, const struct call *call, const struct lookup_args *args);

#include "xlators/cluster/replicate/changelog.h"

/* locks.c */
struct lockee {
	struct inode *inode; const char *name; bool entry; uint64_t start, len;
	child_set held, lacking;		/* results; lacking: they have no such object */
	bool if_there;				/* where it is lacking nothing need be locked */
};
struct locks { const char *domain; enum lock_type type; unsigned n; struct lockee v[3]; bool waited; };	/* waited: for somebody else */
#define METADATA_LOCK_START 9223372036854775806ull
/* All of @l on the children in @want. *ret_held: where all of them are held. 0 when that is not empty; an interruption leaves none behind. */
int coroutine_fn locks_take(struct xlator *xl, struct call *call, struct locks *l, child_set want, bool wait, child_set *ret_held);
void coroutine_fn locks_release(struct xlator *xl, struct call *call, struct locks *l);
bool locks_held(const struct locks *l);		/* any, anywhere */
child_set locks_lacking(const struct locks *l);	/* children that have none of what is to be locked */
void locks_sort(struct locks *l);
void replicate_new_owner(struct replicate *rp, uint8_t owner[8]);
int coroutine_fn replicate_inodelk(struct xlator *xl, struct call *call, const struct inodelk_args *args, struct inodelk_res *res);
int coroutine_fn replicate_entrylk(struct xlator *xl, struct call *call, const struct entrylk_args *args, struct entrylk_res *res);
int coroutine_fn replicate_lk(struct xlator *xl, struct call *call, const struct lk_args *args, struct lk_res *res);

/* span.c: our own calls on one inode that must not overlap. */
struct span { struct list link; uint64_t start, end; bool granted; struct co_wait wait; };
int coroutine_fn span_enter(struct copies *c, struct span *s, uint64_t start, uint64_t len);	/* len 0: to the end */
void span_leave(struct copies *c, struct span *s);

/* modify.c: entry and metadata transactions. */
int coroutine_fn replicate_modify(struct xlator *xl, struct call *call, enum fop op, const void *args, void *res);
/* The call for locks and marks: root's, with an owner and an arena of its own. */
void replicate_sub_call(struct call *sub, const struct call *call, struct arena *arena, const uint8_t owner[8]);

/* eager.c: the data lock and the raised dirty mark, kept over several calls. */
struct epoch {
	struct list link;
	struct xlator *xl;
	struct inode *inode;
	struct copies *copies;
	enum { EPOCH_TAKING, EPOCH_HELD, EPOCH_ENDING } state;
	bool end;				/* nobody joins any more */
	bool durable;				/* something in it was to be durable: so are its accusations */
	bool took_effect;			/* at least one change was made on copies that count */
	bool doubt;				/* a child was lost with data not synced: it may have kept it or not */
	bool unclear;				/* a change failed so that nobody knows what became of it */
	unsigned users;
	uint32_t gen;
	struct locks locks;
	child_set part, good, dirty;		/* who takes part; who of them is whole; where the mark is raised */
	child_set lacking;			/* who does not have the object at all */
	child_set whole;			/* who was whole at its beginning, lost since or not */
	child_set absent, shorter;		/* accused in advance; take part and accuse themselves */
	child_set missed, accused;		/* found wanting; already on record */
	child_set last;				/* copies_last() of what is not on record yet */
	uint64_t seq, unstable, overwrote, synced;	/* number of the last change; last unstable; last that size does not tell; last synced */
	struct timer idle;
};
int coroutine_fn epoch_join(struct xlator *xl, struct call *call, struct inode *inode, struct epoch **ret_e);
void coroutine_fn epoch_leave(struct epoch *e);
/* Records a verdict; parks for the accusation when a participant failed. */
int coroutine_fn epoch_record(struct epoch *e, struct call *call, const struct verdict *v);
bool epoch_holds(const struct epoch *e, child_set part);	/* enough take part */
int coroutine_fn epoch_finish(struct xlator *xl, struct inode *inode);	/* waits until the inode has none */
void epoch_contended(struct xlator *xl, struct inode *inode);
void epochs_lost_child(struct xlator *xl, unsigned child);
void coroutine_fn epochs_end_all(struct xlator *xl);

/* data.c */
int coroutine_fn replicate_writev(struct xlator *xl, struct call *call, const struct writev_args *args, struct writev_res *res);
int coroutine_fn replicate_truncate(struct xlator *xl, struct call *call, const struct truncate_args *args, struct truncate_res *res);
int coroutine_fn replicate_fallocate(struct xlator *xl, struct call *call, const struct fallocate_args *args, struct fallocate_res *res);
int coroutine_fn replicate_discard(struct xlator *xl, struct call *call, const struct discard_args *args, struct discard_res *res);
int coroutine_fn replicate_zerofill(struct xlator *xl, struct call *call, const struct zerofill_args *args, struct zerofill_res *res);
int coroutine_fn replicate_fsync(struct xlator *xl, struct call *call, const struct fsync_args *args, struct fsync_res *res);
int coroutine_fn replicate_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res);
/* Attributes of an object from the copy that reads would go to. False: no copy in @from may be believed in all of them. */
bool replicate_speaker(const struct replicate *rp, const struct copies *c, const uint8_t *gfid, child_set from, unsigned *ret_child);

/* read.c */
/* Where one copy missed a chmod and the other a write: the mode of one, the size of the other. */
void replicate_compose(const struct iatt *meta, const struct iatt *content, struct iatt *ret_st);
int coroutine_fn replicate_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res);
int coroutine_fn replicate_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res);
int coroutine_fn replicate_readlink(struct xlator *xl, struct call *call, const struct readlink_args *args, struct readlink_res *res);
int coroutine_fn replicate_getxattr(struct xlator *xl, struct call *call, const struct getxattr_args *args, struct getxattr_res *res);
int coroutine_fn replicate_readv(struct xlator *xl, struct call *call, const struct readv_args *args, struct readv_res *res);
int coroutine_fn replicate_seek(struct xlator *xl, struct call *call, const struct seek_args *args, struct seek_res *res);
int coroutine_fn replicate_rchecksum(struct xlator *xl, struct call *call, const struct rchecksum_args *args, struct rchecksum_res *res);
bool read_is_final(int ret);		/* another copy would say the same */

/* listing.c */
int coroutine_fn replicate_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res);

/* event.c */
void replicate_probe_again(struct xlator *xl);	/* in the background, not too often: healing may have emptied an index */
void replicate_event(struct xlator *xl, unsigned child, enum xl_event ev, const struct xl_upcall *upcall);
void replicate_settled(void *xl);		/* the timer's end */

#endif
