/* xlators/cluster/replicate/lookup.c: asks every copy, decides which answers to believe, remembers what they say of each other.
 *
 * When all answer and agree there is nothing to decide. Otherwise the copies of the parent directory that are whole decide whether the name
 * exists; a copy that is blamed for the parent's entries is not believed, neither about a name nor about its absence. */
#include <string.h>
#include <sys/stat.h>

#include "xlators/cluster/replicate/replicate.h"

static const struct iatt *stat_of(const struct answer *ans, unsigned i)
{
	return &ans[i].res->lookup.stat;
}

static bool is_absence(int err)
{
	return err == -ENOENT || err == -ESTALE;
}

static child_set absent_in(const struct answer *ans, child_set asked)
{
	child_set set = 0;
	unsigned i;

	for (i = 0; asked >> i; i++)
		if ((asked & bit(i)) && is_absence(ans[i].err))
			set |= bit(i);
	return set;
}

/* The copies in @ok that show the same object as @child. */
static child_set shown_with(const struct answer *ans, child_set ok, unsigned child)
{
	const struct iatt *st = stat_of(ans, child);
	child_set same = 0;
	unsigned i;

	for (i = 0; ok >> i; i++) {
		if (!(ok & bit(i)))
			continue;
		if (gfid_equal(stat_of(ans, i)->gfid, st->gfid) && (stat_of(ans, i)->mode & S_IFMT) == (st->mode & S_IFMT))
			same |= bit(i);
	}
	return same;
}

/* The copies in @ok that show what those in @from do. Where these do not agree, because a rename over the name was cut short, the side that is
 * a quorum is right, as it is for the next change; without one somebody who is away decides, else nobody. */
static int same_object(const struct replicate *rp, const struct answer *ans, child_set ok, child_set from, child_set *ret_same)
{
	child_set left = from;

	while (left) {
		child_set same = shown_with(ans, ok, (unsigned)__builtin_ctzll(left));

		if (!(from & ~same) || quorum_met(rp, same)) {
			*ret_same = same;
			return 0;
		}
		left &= ~same;
	}
	return rp->up == rp->all ? -EIO : -ENOTCONN;
}

/* Which answers about a name to believe: *ret_ok is narrowed to the copies of the one true object. */
static int coroutine_fn believe_name(struct xlator *xl, struct inode *parent, const struct answer *ans, child_set asked, child_set *ret_ok)
{
	struct replicate *rp = replicate_of(xl);
	child_set ok = *ret_ok, absent = absent_in(ans, asked), good;
	struct copies *c;
	int ret;

	if (ok == rp->all && shown_with(ans, ok, 0) == ok)
		return 0;
	if (absent == rp->all)
		return -ENOENT;
	ret = copies_refresh(xl, parent, false, &c);
	if (ret < 0)
		return ret;
	good = c->readable[READ_ENTRIES] | (c->good[ENTRY] & rp->arbiter);
	if (good && !(good & asked))		/* came while we asked */
		return -ENOTCONN;
	if (!good) {
		ret = copies_excuse(rp, c, READ_ENTRIES);
		if (ret != -EIO || !ok)		/* each accuses the other: a name that one of them has is shown */
			return ret != -EIO ? ret : quorum_error(ans, asked, asked);
		good = asked;
	}
	if (ok & good)
		return same_object(rp, ans, ok, ok & good, ret_ok);
	return absent & good ? -ENOENT : quorum_error(ans, asked, good);
}

/* By gfid alone: what was removed while a child was away still stands there. The absent ones are right when they could decide that without those
 * that have it, and have something against them, and those nothing against the absent ones. */
static bool is_zombie(const struct replicate *rp, const struct answer *ans, child_set ok, child_set absent)
{
	struct copies view = { 0 };
	unsigned i, j;

	if (!quorum_met(rp, rp->all & ~ok))
		return false;
	for (i = 0; i < rp->n; i++) {
		child_set accusers = 0;

		if (!(ok & bit(i)))
			continue;
		for (j = 0; j < rp->n; j++)
			if ((absent & bit(j)) && (rp->blames[j] & bit(i)))
				accusers |= bit(j);
		copies_hear(rp, &view, i, &ans[i].res->lookup.xattrs, 0, false);
		if (!accusers || (rp->blames[i] & absent)
		    || ((view.blames[i][DATA] | view.blames[i][METADATA] | view.blames[i][ENTRY]) & absent))
			return false;
	}
	return true;
}

static int believe_gfid(const struct replicate *rp, const struct inode *inode, const struct answer *ans, child_set asked, child_set *ret_ok)
{
	child_set absent = absent_in(ans, asked), ok = *ret_ok;
	unsigned i;

	for (i = 0; i < rp->n; i++)
		if ((ok & bit(i)) && !gfid_equal(stat_of(ans, i)->gfid, inode->gfid))
			ok &= ~bit(i);
	*ret_ok = ok;
	if (!ok && absent)			/* gone, unless those who could not answer know that it was missed here */
		return state_may_have_missed(rp, absent, rp->all & ~absent) ? -ENOTCONN : -ESTALE;
	if (!ok)
		return quorum_error(ans, asked, asked);
	if (!absent || !is_zombie(rp, ans, ok, absent))
		return 0;
	/* of what is new those that miss it may not be marked yet: one who is away may know */
	return rp->up == rp->all || quorum_met(rp, absent) ? -ESTALE : -ENOTCONN;
}

/* Without a transaction under way all copies of a file are equally long; what is shorter lost its end in a crash. Copies that are accused
 * of missing data have no say in this. */
static child_set smaller_copies(const struct replicate *rp, const struct answer *ans, child_set ok)
{
	child_set smaller = 0;
	uint64_t max = 0;
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		if (!(ok & ~rp->arbiter & bit(i)))
			continue;
		if (!S_ISREG(stat_of(ans, i)->mode) || ans[i].res->lookup.counts.inodelk)
			return 0;
		if (stat_of(ans, i)->size > max)
			max = stat_of(ans, i)->size;
	}
	for (i = 0; i < rp->n; i++)
		if ((ok & ~rp->arbiter & bit(i)) && stat_of(ans, i)->size < max)
			smaller |= bit(i);
	return smaller;
}

static void learn(const struct replicate *rp, struct copies *c, uint32_t gen, uint64_t seq, const struct answer *ans, child_set asked,
		  child_set ok)
{
	bool overtaken = c->blamed_at > seq;	/* an accusation of ours may be younger than the answers */
	unsigned i;

	if (gen < c->gen)
		return;
	for (i = 0; i < rp->n; i++)
		if (ok & bit(i))
			copies_hear(rp, c, i, &ans[i].res->lookup.xattrs, gen, overtaken);
		else if (absent_in(ans, asked) & bit(i))	/* what is not there accuses nobody */
			copies_hear(rp, c, i, NULL, gen, overtaken);
	c->present = (uint8_t)ok;
	c->absent = (uint8_t)absent_in(ans, asked);
	c->partial = asked & ~ok & ~absent_in(ans, asked);
	c->smaller = (uint8_t)smaller_copies(rp, ans, ok & ~copies_accused(rp, c, DATA));
	c->gen = c->doubted_at > seq ? 0 : gen;	/* 0: asked before somebody changed it */
	copies_update(rp, c);
}

/* @args as they go to each child: with the pending keys and the count of locks. */
static void ask_for_marks(struct xlator *xl, struct lookup_args *args, struct xattr_want *want)
{
	struct replicate *rp = replicate_of(xl);

	*want = (struct xattr_want){ rp->keys, rp->n + 1, args->want };
	args->want = want;
	args->count |= COUNT_INODELK;
	if (!args->count_domain)
		args->count_domain = xl->name;
}

/* One that may be believed in this; any, when each accuses the other; -ENOTCONN when a better one is away. */
static int whole_copy(const struct replicate *rp, const struct copies *c, const uint8_t *gfid, child_set ok, enum read_kind kind,
		      unsigned *ret_child)
{
	child_set from = ok & c->readable[kind];

	if (!from && (c->readable[kind] || copies_excuse(rp, c, kind) != -EIO))
		return -ENOTCONN;
	if (!from)
		from = ok & ~rp->arbiter ? ok & ~rp->arbiter : ok;
	*ret_child = copies_choose(rp, gfid, from);
	return 0;
}

/* An object of which no copy is whole: wait for a better one, or put the answer together from what is whole of each; where the copies accuse
 * each other attributes are still shown. */
static int speak(const struct replicate *rp, const struct copies *c, const uint8_t *gfid, const struct answer *ans, child_set ok,
		 struct lookup_res *res)
{
	child_set from = ok & c->readable[READ_ATTR];
	unsigned child;
	int ret;

	if (from) {
		*res = ans[copies_choose(rp, gfid, from)].res->lookup;
		return 0;
	}
	ret = whole_copy(rp, c, gfid, ok, READ_META, &child);
	if (ret < 0)
		return ret;
	*res = ans[child].res->lookup;
	ret = whole_copy(rp, c, gfid, ok, S_ISDIR(res->stat.mode) ? READ_ENTRIES : READ_DATA, &child);	/* whose size is true */
	if (ret < 0)
		return ret;
	replicate_compose(&res->stat, stat_of(ans, child), &res->stat);
	memset(&res->content, 0, sizeof(res->content));
	return 0;
}

static void parent_attributes(struct xlator *xl, struct inode *parent, const struct answer *ans, child_set ok, struct lookup_res *res)
{
	struct replicate *rp = replicate_of(xl);
	const struct copies *c = *inode_ctx(xl, parent);
	unsigned child;

	if (c && replicate_speaker(rp, c, parent->gfid, ok, &child))
		res->parent = ans[child].res->lookup.parent;
	else if (c)
		memset(&res->parent, 0, sizeof(res->parent));
}

/* Answers about one object, and what we knew when we asked. */
struct heard { uint32_t gen; uint64_t seq; struct answer *ans; child_set asked, ok; };

static int lookup_settle(struct xlator *xl, struct inode *inode, const struct heard *h, struct lookup_res *res)
{
	struct copies *c = copies_of(xl, inode);

	if (!c)
		return -ENOMEM;
	learn(replicate_of(xl), c, h->gen, h->seq, h->ans, h->asked, h->ok);
	return speak(replicate_of(xl), c, inode->gfid, h->ans, h->ok, res);
}

static int lookup_of(struct xlator *xl, struct heard *h, struct inode *inode, struct lookup_res *res)
{
	int ret = believe_gfid(replicate_of(xl), inode, h->ans, h->asked, &h->ok);

	return ret < 0 ? ret : lookup_settle(xl, inode, h, res);
}

/* A copy whose directory lacks the name may have the object all the same, and accuse somebody in it: such copies are asked for it by gfid. */
static int coroutine_fn hear_by_gfid(struct xlator *xl, struct call *call, const struct lookup_args *by_name, struct inode *inode,
				     struct heard *h)
{
	struct replicate *rp = replicate_of(xl);
	struct lookup_args asking = *by_name;
	int ret;

	asking.parent = NULL;
	asking.name = NULL;
	asking.inode = inode;
	h->seq = rp->blame_seq;
	h->gen = rp->gen;
	h->asked = rp->up;
	h->ans = copies_ask(xl, call, h->asked, FOP_lookup, &asking, &h->ok);
	if (!h->ans)
		return -ENOMEM;
	ret = believe_gfid(rp, inode, h->ans, h->asked, &h->ok);
	return ret == -ESTALE ? (h->ok ? 0 : -ENOENT) : ret;	/* the directory's whole copies know better than guesses do */
}

static int coroutine_fn lookup_once(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res,
				    bool *ret_nameless)
{
	struct replicate *rp = replicate_of(xl);
	struct lookup_args asking = *args;
	struct xattr_want want;
	child_set asked = rp->up, ok;
	uint64_t seq = rp->blame_seq;
	uint32_t gen = rp->gen;
	struct answer *ans;
	struct inode *inode;
	struct heard h;
	int ret;

	if (!quorum_reads_allowed(rp))
		return -ENOTCONN;
	ask_for_marks(xl, &asking, &want);
	asking.gfid_req = NULL;
	ans = copies_ask(xl, call, asked, FOP_lookup, &asking, &ok);
	if (!ans)
		return -ENOMEM;
	if (args->name && replicate_nameless(ans, asked))
		*ret_nameless = true;
	if (!args->name)
		return lookup_of(xl, &(struct heard){ gen, seq, ans, asked, ok }, args->inode, res);
	ret = believe_name(xl, args->parent, ans, asked, &ok);
	if (ret < 0)
		return ret;
	inode = inode_get(xl_inodes(xl), stat_of(ans, (unsigned)__builtin_ctzll(ok))->gfid);
	if (!inode)
		return -ENOMEM;
	h = (struct heard){ gen, seq, ans, asked, ok };
	ret = asked & ~ok ? hear_by_gfid(xl, call, &asking, inode, &h) : 0;
	if (ret == 0)
		ret = lookup_settle(xl, inode, &h, res);
	inode_unref(inode);
	if (ret == 0)
		parent_attributes(xl, args->parent, ans, ok, res);
	return ret;
}

int coroutine_fn replicate_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct replicate *rp = replicate_of(xl);
	bool nameless = false;
	unsigned tries = 3;
	uint32_t gen;
	int ret;

	do {		/* a child that came or went meanwhile may have made the difference */
		gen = rp->gen;
		ret = lookup_once(xl, call, args, res, &nameless);
		if (ret < 0 && nameless && args->gfid_req) {
			ret = replicate_adopt(xl, call, args);
			if (ret == 0)
				ret = lookup_once(xl, call, args, res, &nameless);
		}
	} while (ret == -ENOTCONN && gen != rp->gen && --tries && !co_interrupted());
	return ret;
}

static int coroutine_fn refresh(struct xlator *xl, struct arena *arena, struct inode *inode, struct copies *c)
{
	struct replicate *rp = replicate_of(xl);
	struct lookup_args asking = { .inode = inode };
	struct xattr_want want;
	struct call call;
	child_set asked = rp->up, ok;
	uint64_t seq = rp->blame_seq;
	uint32_t gen = rp->gen;
	struct answer *ans;
	int ret;

	call_init(&call, arena);
	ask_for_marks(xl, &asking, &want);
	ans = copies_ask(xl, &call, asked, FOP_lookup, &asking, &ok);
	if (!ans)
		return -ENOMEM;
	ret = believe_gfid(rp, inode, ans, asked, &ok);
	if (ret == 0)
		learn(rp, c, gen, seq, ans, asked, ok);
	return ret == -ENOENT ? -ESTALE : ret;
}

int coroutine_fn copies_refresh(struct xlator *xl, struct inode *inode, bool force, struct copies **ret_c)
{
	struct replicate *rp = replicate_of(xl);
	struct copies *c = copies_of(xl, inode);
	struct arena *arena;
	int tries, ret = 0;

	if (!c)
		return -ENOMEM;
	*ret_c = c;
	force = force || c->partial;
	for (tries = 0; tries < 3 && (force || !copies_fresh(rp, c)); tries++) {
		if (!quorum_reads_allowed(rp))
			return -ENOTCONN;
		arena = arena_new(1 << 20);
		ret = refresh(xl, arena, inode, c);
		arena_free(arena);
		if (ret < 0)
			return ret;
		force = false;
	}
	return copies_fresh(rp, c) ? 0 : -ENOTCONN;
}

/* A child whose heal index is empty accuses nobody. What we accuse ourselves meanwhile is not forgotten. */
void coroutine_fn replicate_probe(struct xlator *xl, child_set asked, child_set *ret_answered)
{
	struct replicate *rp = replicate_of(xl);
	struct inode *root = inode_get(xl_inodes(xl), gfid_root);
	struct arena *arena = arena_new(1 << 20);
	struct lookup_args args = { .inode = root, .count = COUNT_INDEX };
	child_set ok = 0, busy = 0;
	uint64_t seq = rp->blame_seq;
	struct answer *ans = NULL;
	struct call call;
	unsigned i;

	call_init(&call, arena);
	if (root)
		ans = copies_ask(xl, &call, asked, FOP_lookup, &args, &ok);
	for (i = 0; ans && i < rp->n; i++) {
		if (!(ok & bit(i)))
			continue;
		if (ans[i].res->lookup.counts.index)
			rp->blames[i] |= rp->all & ~bit(i);
		else if (seq == rp->blame_seq)
			blamed_none(rp, i);
		if (ans[i].res->lookup.counts.index)
			busy |= bit(i);
	}
	for (i = 0; i < rp->n; i++)
		if (busy & bit(i))
			blamed_learn(xl, i, root);
	*ret_answered = ok;
	arena_free(arena);
	inode_unref(root);
}
