/* xlators/cluster/replicate/state.c: what is known of an inode's copies, and which of them may be read.
 *
 * A copy is accused by the rows of the pending matrix. The rows of children that are up are as of the last refresh; the row of
 * one that went down is remembered: its accusation does not end because it cannot repeat it. Where a row was never heard the copy
 * is suspect, unless the child's heal index did not name the object while this copy was up, or the absent could not have decided
 * anything without those that are up and is not known to accuse anybody. */
#include <stdlib.h>
#include <string.h>

#include "runtime/hash.h"
#include "xlators/cluster/replicate/replicate.h"

struct copies *copies_of(struct xlator *xl, struct inode *inode)
{
	void **slot = inode_ctx(xl, inode);
	struct copies *c = *slot;

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->gfid = inode->gfid;
	c->listing = -1;
	list_init(&c->running);
	list_init(&c->waiting);
	co_queue_init(&c->epoch_changed);
	replicate_new_owner(replicate_of(xl), c->owner);
	*slot = c;
	return c;
}

void copies_free(struct copies *c)
{
	free(c);
}

bool copies_fresh(const struct replicate *rp, const struct copies *c)
{
	return c->gen == rp->gen;
}

child_set copies_still(const struct replicate *rp, child_set set, uint32_t gen)
{
	child_set still = 0;
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if ((set & rp->up & bit(i)) && rp->up_since[i] <= gen)
			still |= bit(i);
	return still;
}

/* May the absent child @i accuse @j of something we never heard? When it was @idle it cannot have missed an answered change; then only
 * accusations that we know of count, and among three and more a minority does not accuse (quorum.c). */
static bool may_accuse(const struct replicate *rp, const struct copies *c, unsigned i, unsigned j, bool idle)
{
	if ((c->heard & bit(i)) && c->heard_at[i] >= rp->up_since[j])
		return false;
	if (idle && rp->n > 2)
		return false;
	if ((rp->blames[i] & bit(j)) && blamed_has(rp, i, c->gfid))
		return true;
	if (idle || rp->quorum_type == QUORUM_NONE)	/* the latter was chosen for being available */
		return false;
	return rp->probed[i] == 0 || rp->probed[i] < rp->up_since[j];
}

static child_set suspects(const struct replicate *rp, const struct copies *c)
{
	child_set found = 0;
	bool idle = quorum_others_idle(rp);
	unsigned i, j;

	for (j = 0; j < rp->n; j++)
		for (i = 0; (rp->up & bit(j)) && i < rp->n; i++)
			if (!(rp->up & bit(i)) && may_accuse(rp, c, i, j, idle))
				found |= bit(j);
	return found;
}

/* Of an object that is not there at all: may those in @away have one that those in @here missed? */
bool state_may_have_missed(const struct replicate *rp, child_set here, child_set away)
{
	static const struct copies nothing;
	bool idle = !quorum_met(rp, away);
	unsigned i, j;

	for (j = 0; j < rp->n; j++)
		for (i = 0; (here & bit(j)) && i < rp->n; i++)
			if ((away & bit(i)) && ((rp->blames[i] & bit(j)) || may_accuse(rp, &nothing, i, j, idle)))
				return true;
	return false;
}

/* Whose accusation answered changes may rest upon: a quorum shares it, or it is a confession. */
child_set copies_convicted(const struct replicate *rp, const struct copies *c, enum change type)
{
	child_set found = 0, accusers;
	unsigned i, j;

	for (j = 0; j < rp->n; j++) {
		for (accusers = 0, i = 0; i < rp->n; i++)
			if ((c->heard & bit(i)) && (c->blames[i][type] & bit(j)))
				accusers |= bit(i);
		if ((accusers & bit(j)) || (accusers && quorum_met(rp, accusers)))
			found |= bit(j);
	}
	return found;
}

/* What a minority says of somebody, because its mark was cut short, counts until nobody would be left: then, with all rows known, it is
 * known that nothing answered rests upon it. Two copies are no majority of anything: there each is believed. */
child_set copies_accused(const struct replicate *rp, const struct copies *c, enum change type)
{
	child_set found = 0;
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (c->heard & bit(i))
			found |= c->blames[i][type];
	if (found == rp->all && c->present == rp->all && rp->n > 2 && rp->quorum_type == QUORUM_AUTO)
		return copies_convicted(rp, c, type);
	return found;
}

/* @by are about to accuse @missed. A whole copy must not be the only one to accuse another whole one: should it go away, the rest goes on
 * with that one, and accuses it in turn. So where somebody is accused for the first time the stale ones are told first: these whole
 * ones wait until it is known that a quorum has it. */
child_set copies_last(const struct replicate *rp, const struct copies *c, child_set by, child_set missed, enum change type)
{
	child_set accused = copies_accused(rp, c, type);

	return (missed & ~copies_convicted(rp, c, type)) && (by & accused) ? by & ~accused : 0;
}

static child_set accused_kind(const struct replicate *rp, const struct copies *c, enum read_kind kind)
{
	child_set data = copies_accused(rp, c, DATA);

	switch (kind) {
	case READ_DATA:
		return data | c->smaller;
	case READ_META:
		return copies_accused(rp, c, METADATA);
	case READ_ENTRIES:
		return data | copies_accused(rp, c, ENTRY);	/* data of a directory: names are missing wholesale */
	default:
		return data | c->smaller | copies_accused(rp, c, METADATA) | copies_accused(rp, c, ENTRY);
	}
}

void copies_update(const struct replicate *rp, struct copies *c)
{
	child_set there = c->present & rp->up, base = there & ~suspects(rp, c), read = rp->stale_reads ? there : base;
	unsigned i;

	for (i = 0; i < READ_KINDS; i++)
		c->readable[i] = (uint8_t)(read & ~accused_kind(rp, c, i) & ~rp->arbiter);
	for (i = 0; i < CHANGES; i++)
		c->good[i] = (uint8_t)(base & ~copies_accused(rp, c, i));
	c->good[DATA] &= (uint8_t)~(c->smaller | rp->arbiter);
}

static void hear_row(struct copies *c, unsigned child, unsigned about, const uint8_t *v, uint32_t len, bool add)
{
	uint8_t mask = (uint8_t)bit(about);
	unsigned t;

	for (t = 0; t < CHANGES; t++) {
		bool set = v && len >= 4 * (t + 1) && (v[4 * t] | v[4 * t + 1] | v[4 * t + 2] | v[4 * t + 3]);

		if (set)
			c->blames[child][t] |= mask;
		else if (!add)
			c->blames[child][t] &= (uint8_t)~mask;
	}
}

void copies_hear(const struct replicate *rp, struct copies *c, unsigned child, const struct xattrs *set, uint32_t gen, bool add)
{
	unsigned j;

	for (j = 0; j < rp->n; j++) {
		const struct xattr *x = set ? xattrs_find(set, rp->keys[j]) : NULL;

		hear_row(c, child, j, x ? x->value : NULL, x ? x->len : 0, add);
	}
	c->heard |= (uint8_t)bit(child);
	c->heard_at[child] = gen;
}

void copies_blame(struct replicate *rp, struct copies *c, child_set by, child_set missed, enum change type)
{
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		if (!(by & bit(i)))
			continue;
		if (!(c->heard & bit(i))) {
			c->heard |= (uint8_t)bit(i);
			c->heard_at[i] = 0;	/* this much is known, but not that it is all */
		}
		c->blames[i][type] |= (uint8_t)missed;
		rp->blames[i] |= missed;
		blamed_add(rp, i, c->gfid);
	}
	c->blamed_at = ++rp->blame_seq;
	copies_update(rp, c);
}

/* Those in @to were to put something on record, @ok did, @lacking have no such object. */
void copies_told(struct replicate *rp, struct copies *c, child_set to, child_set ok, child_set lacking)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (to & ~ok & lacking & bit(i))	/* what is not there accuses nobody */
			copies_hear(rp, c, i, NULL, rp->gen, false);
	if (to & ~ok & ~lacking)			/* what we believe was said may not have been */
		c->gen = 0;
}

void copies_confess(struct replicate *rp, struct copies *c, child_set who, enum change type)
{
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if (who & bit(i))
			copies_blame(rp, c, bit(i), bit(i), type);
}

void copies_born(struct replicate *rp, struct copies *c, uint32_t gen, child_set ok)
{
	unsigned i;

	memset(c->blames, 0, sizeof(c->blames));
	c->heard = (uint8_t)rp->all;		/* nobody can accuse anyone of what is new */
	for (i = 0; i < rp->n; i++)
		c->heard_at[i] = gen;
	c->present = (uint8_t)ok;
	c->absent = c->smaller = 0;
	c->partial = false;
	c->gen = gen;
	copies_update(rp, c);
}

/* That the copies accuse each other is known for sure only when all are there: what we remember of one that is away may never have reached
 * it. One that did not answer, and is unaccused, may have what we need; a suspect one waits for its accuser. */
static int excuse(const struct replicate *rp, const struct copies *c, child_set bad)
{
	child_set silent = rp->up & ~(child_set)(c->present | c->absent);

	if ((rp->all & ~rp->up) || (silent & ~rp->arbiter & ~bad) || (suspects(rp, c) & ~bad))
		return -ENOTCONN;
	return -EIO;
}

int copies_excuse(const struct replicate *rp, const struct copies *c, enum read_kind kind)
{
	return excuse(rp, c, accused_kind(rp, c, kind));
}

int copies_excuse_change(const struct replicate *rp, const struct copies *c, enum change type)
{
	return excuse(rp, c, copies_accused(rp, c, type) | (type == DATA ? c->smaller : 0));
}

/* The same one for an inode as long as it may be read, whoever else comes and goes. */
unsigned copies_choose(const struct replicate *rp, const uint8_t *gfid, child_set from)
{
	unsigned i, start = 0;

	if (rp->read_preferred >= 0 && (from & bit((unsigned)rp->read_preferred)))
		return (unsigned)rp->read_preferred;
	if (rp->read_hash_mode != 0)
		start = (unsigned)(hash_bytes(gfid, 16, 0) % rp->n);
	for (i = 0; i < rp->n; i++)
		if (from & bit((start + i) % rp->n))
			return (start + i) % rp->n;
	return 0;
}

bool replicate_speaker(const struct replicate *rp, const struct copies *c, const uint8_t *gfid, child_set from, unsigned *ret_child)
{
	if (c && c->gen)
		from &= c->readable[READ_ATTR];
	else if (from & ~rp->arbiter)
		from &= ~rp->arbiter;
	*ret_child = copies_choose(rp, gfid, from);
	return from != 0;
}
