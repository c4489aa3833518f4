/* xlators/cluster/replicate/txn.h: one entry or metadata transaction, as the files that carry it out share it (README.md, "A change"). */
#ifndef REPLICATE_TXN_H
#define REPLICATE_TXN_H

#include "xlators/cluster/replicate/replicate.h"

enum { OBJECT, PLACE, PLACE2, NOWHERE };	/* whose attributes a field of a result holds */

struct txn;
struct row {
	enum change type;
	bool makes;				/* a new object, to be marked for those who miss it */
	int coroutine_fn (*plan)(struct txn *t);
	struct { uint16_t at; uint8_t whose; } iatts[5];	/* ends with at 0 twice: whose NOWHERE */
};

/* An inode whose counters this transaction touches: the object of a metadata change, the directories of an entry change. */
struct place {
	struct inode *inode;
	struct copies *copies;
	const char *name;
	child_set marked;			/* where its mark was made */
	child_set last;				/* copies_last() of what the verdict is to put on record */
};

/* The remains of a first try that was lost half way: the object it was about, and what it put on record. */
struct first_try {
	bool unclear;
	uint8_t object[16];
	uint8_t places[REPLICATE_MAX][REPLICATE_MAX], object_marks[REPLICATE_MAX][REPLICATE_MAX];	/* how often who accused whom */
};

struct txn {
	struct arena *arena;
	struct xlator *xl;
	struct call *call;			/* the caller's: not after the answer */
	struct call sub;
	bool durable;
	enum fop op;
	const void *args;
	const struct row *row;
	struct locks locks;
	unsigned nplaces;
	struct place places[2];
	struct inode *object;			/* found by plan(), or made */
	struct span span;
	bool in_span;
	bool acted;				/* the call itself was sent */
	struct first_try tried;
	bool repent;				/* take back what the first try put on record */
	uint32_t gen;
	child_set good, part, marked, absent;
	child_set everywhere;			/* whole in some place */
	child_set lacking;			/* have none of the places */
	struct verdict verdict;
	child_set bornfor;			/* children that miss the new object; 0 when there is none */
	uint32_t born_mode;
	uint8_t owner[8], seen[16];
};

/* plan.c: the places and locks of each kind of change; 0 or -errno. What is taken is released with the transaction. */
int coroutine_fn plan_name(struct txn *t);
int coroutine_fn plan_link(struct txn *t);
int coroutine_fn plan_rmdir(struct txn *t);
int coroutine_fn plan_rename(struct txn *t);
int coroutine_fn plan_metadata(struct txn *t);

#endif
