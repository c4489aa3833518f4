/* xlators/cluster/replicate/modify.c: one engine for all entry and metadata transactions; the table at the end says what differs.
 *
 * plan, lock, mark (only while a copy is missing), act, judge, settle, unlock. Everything a transaction needs after its call is
 * answered lives in its own arena, so that settling and unlocking may go on in the background. What failed in this very call is put
 * on record before the answer; what was known to be missing is on record since the mark. */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "xlators/cluster/replicate/names.h"
#include "xlators/cluster/replicate/takeback.h"
#include "xlators/cluster/replicate/txn.h"

#define QUORUM_PATIENCE_NS 30000000000ull

static const struct row rows[FOP_COUNT];

void replicate_sub_call(struct call *sub, const struct call *call, struct arena *arena, const uint8_t owner[8])
{
	*sub = *call;
	sub->arena = arena;
	sub->uid = sub->gid = sub->ngroups = 0;
	sub->groups = NULL;
	sub->time_flags = 0;
	sub->lk_owner = owner;
	sub->lk_owner_len = 8;
	sub->durable = false;
	sub->release = NULL;
}

static void txn_free(struct txn *t)
{
	struct replicate *rp = replicate_of(t->xl);
	unsigned i;

	for (i = 0; i < t->nplaces; i++)
		inode_unref(t->places[i].inode);
	inode_unref(t->object);
	co_gate_leave(&rp->background);
	arena_free(t->arena);
}

static int txn_new(struct xlator *xl, struct call *call, enum fop op, const void *args, struct txn **ret_t)
{
	struct replicate *rp = replicate_of(xl);
	struct arena *arena = arena_new(512 << 10);
	struct txn *t = arena_alloc(arena, sizeof(*t));

	if (!co_gate_enter(&rp->background)) {
		arena_free(arena);
		return -ENOTCONN;
	}
	t->arena = arena;
	t->xl = xl;
	t->call = call;
	t->durable = call->durable;
	t->op = op;
	t->args = args;
	t->row = &rows[op];
	t->locks.domain = xl->name;
	t->locks.type = LOCK_WRITE;
	replicate_new_owner(rp, t->owner);
	replicate_sub_call(&t->sub, call, arena, t->owner);
	*ret_t = t;
	return 0;
}

static void txn_leave_span(struct txn *t)
{
	if (t->in_span)
		span_leave(*inode_ctx(t->xl, t->places[0].inode), &t->span);
	t->in_span = false;
}

/* ---- phases ------------------------------------------------------------------------------------------------------- */

/* The copies that are whole in every place this transaction touches. */
static int coroutine_fn txn_find_good(struct txn *t, bool force)
{
	struct replicate *rp = replicate_of(t->xl);
	bool somewhere = true;
	unsigned i;
	int ret;

	t->good = rp->all;
	for (i = 0; i < t->nplaces; i++) {
		ret = copies_refresh(t->xl, t->places[i].inode, force, &t->places[i].copies);
		if (ret < 0)
			return ret;
	}
	t->everywhere = 0;
	t->lacking = rp->all;
	for (i = 0; i < t->nplaces; i++) {
		t->good &= t->places[i].copies->good[t->row->type];
		t->everywhere |= t->places[i].copies->good[t->row->type];
		t->lacking &= t->places[i].copies->absent;
	}
	for (i = 0; i < t->nplaces && !t->good; i++)
		if (copies_excuse_change(rp, t->places[i].copies, t->row->type) == -ENOTCONN)
			return -ENOTCONN;
	for (i = 0; i < t->nplaces; i++)
		somewhere = somewhere && t->places[i].copies->good[t->row->type];
	return t->good ? 0 : somewhere ? -ENOTCONN : -EIO;	/* whole copies of each directory, none of both: healing will make one */
}

/* Enough take part: a quorum, or all that have what is changed, while the rest is there and has it not. */
static bool holds(const struct txn *t)
{
	const struct replicate *rp = replicate_of(t->xl);

	return quorum_holds(rp, t->part, t->lacking & rp->up) && (t->part & t->good);
}

static bool coroutine_fn agreed(struct txn *t)
{
	const struct replicate *rp = replicate_of(t->xl);
	struct agreement a = { t->places[0].inode, t->op == FOP_link ? t->object : NULL, t->places[0].name, t->part, t->good, false };

	/* what one alone did in a directory where others are whole, too, they would not know of */
	a.everybody = (t->part | (t->lacking & rp->up)) == rp->all && t->everywhere == t->good;
	return t->row->type != ENTRY || replicate_agreed(t->xl, &a);
}

static int coroutine_fn txn_lock(struct txn *t)
{
	struct replicate *rp = replicate_of(t->xl);
	child_set held;
	int ret;

	t->gen = rp->gen;
	ret = locks_take(t->xl, &t->sub, &t->locks, rp->up, true, &held);
	if (ret < 0)
		return ret;
	ret = txn_find_good(t, t->locks.waited);	/* whoever had the lock may have made a copy stale */
	if (ret < 0)
		return ret;
	t->lacking |= locks_lacking(&t->locks);
	t->part = copies_still(rp, held & ~t->lacking, t->gen);
	return holds(t) && agreed(t) ? 0 : -ENOTCONN;
}

static bool log_wanted(const struct replicate *rp, enum change type)
{
	return type == METADATA ? rp->metadata_log : rp->entry_log;
}

struct settle { struct txn *t; struct call call; struct changelog log[4]; unsigned n; };

static int coroutine_fn settle_task(void *ctx, unsigned i)
{
	struct settle *s = ctx;

	changelog_apply(s->t->xl, &s->call, &s->log[i]);
	return 0;
}

static struct settle *settle_new(struct txn *t, bool durable)
{
	struct settle *s = arena_alloc(t->arena, sizeof(*s));
	unsigned i;

	if (!s)
		return NULL;
	s->t = t;
	s->call = t->sub;
	s->call.durable = durable;
	for (i = 0; i < t->nplaces; i++)
		s->log[i].inode = t->places[i].inode;
	s->n = t->nplaces;
	/* Counters of one directory are touched once; its second name is indexed by a call that adds nothing. */
	if (t->nplaces == 2 && t->places[0].inode == t->places[1].inode)
		t->places[1].copies = NULL;
	return s;
}

/* While a copy is missing: raise dirty and accuse the missing one in advance, so that even our own death leaves no unmarked copy. */
static int coroutine_fn txn_mark(struct txn *t)
{
	struct replicate *rp = replicate_of(t->xl);
	struct settle *s;
	unsigned i;

	if (!log_wanted(rp, t->row->type) || (t->part == rp->all && rp->optimistic))
		return 0;
	s = settle_new(t, false);
	if (!s)
		return -ENOMEM;
	t->absent = rp->all & ~t->part;
	for (i = 0; i < s->n; i++) {
		struct changelog *log = &s->log[i];

		log->to = t->part;
		log->entry_create = rp->granular_entry ? t->places[i].name : NULL;
		if (!t->places[i].copies)
			continue;
		changelog_dirty(log, t->part, t->row->type, 1);
		changelog_accuse(log, t->part, t->absent, t->row->type, 1);
		log->last = copies_last(rp, t->places[i].copies, t->part, t->absent, t->row->type);
		copies_blame(rp, t->places[i].copies, t->part, t->absent, t->row->type);
	}
	co_fanout((1u << s->n) - 1, settle_task, s);
	for (i = 0; i < s->n; i++) {
		t->places[i].marked = s->log[i].ok;
		t->marked |= s->log[i].ok;
		if (t->places[i].copies)
			copies_told(rp, t->places[i].copies, s->log[i].to, s->log[i].ok, s->log[i].lacking);
		if (t->nplaces == 1)
			t->lacking |= s->log[i].lacking;
	}
	for (i = 0; i < s->n; i++)
		t->part &= t->places[i].marked;
	for (i = 0; i < s->n && !holds(t); i++)
		if (s->log[i].ans && quorum_met(rp, quorum_refusals(s->log[i].ans, s->log[i].to)))
			return quorum_error(s->log[i].ans, s->log[i].to, t->good);
	return holds(t) ? 0 : -ENOTCONN;
}

static const struct iatt *iatt_in(const struct answer *a, uint16_t at)
{
	return (const struct iatt *)((const char *)a->res + at);
}

static bool speaker_about(struct txn *t, unsigned whose, const struct answer *ans, child_set from, unsigned *ret_child)
{
	struct replicate *rp = replicate_of(t->xl);
	const struct place *p;

	if (whose == OBJECT) {
		const uint8_t *gfid = iatt_in(&ans[__builtin_ctzll(from)], t->row->iatts[0].at)->gfid;
		struct inode *known = inode_find(xl_inodes(t->xl), gfid);
		bool found = replicate_speaker(rp, known ? *inode_ctx(t->xl, known) : NULL, gfid, from, ret_child);

		inode_unref(known);
		return found;
	}
	p = &t->places[whose - PLACE];
	return replicate_speaker(rp, *inode_ctx(t->xl, p->inode), p->inode->gfid, from, ret_child);
}

/* Each attribute from the copy that a later read of that object will use; none where that copy did not take part. */
static void txn_fill(struct txn *t, const struct answer *ans, void *res)
{
	child_set from = t->verdict.ok & t->good ? t->verdict.ok & t->good : t->verdict.ok;
	unsigned i, child;

	memcpy(res, ans[__builtin_ctzll(from)].res, fop_res_sizes[t->op]);
	for (i = 0; i < 5 && t->row->iatts[i].whose != NOWHERE; i++) {
		struct iatt *st = (struct iatt *)((char *)res + t->row->iatts[i].at);

		if (speaker_about(t, t->row->iatts[i].whose, ans, from, &child))
			*st = *iatt_in(&ans[child], t->row->iatts[i].at);
		else if (!t->row->makes || t->row->iatts[i].whose != OBJECT)	/* of what is new its maker is always told */
			memset(st, 0, sizeof(*st));
	}
}

static const uint8_t *new_gfid(const struct txn *t)
{
	return replicate_new_gfid(t->op, t->args);
}

static const struct xattrs *new_xattrs(const struct txn *t)
{
	switch (t->op) {
	case FOP_mknod: return &((const struct mknod_args *)t->args)->xattrs;
	case FOP_mkdir: return &((const struct mkdir_args *)t->args)->xattrs;
	case FOP_create: return &((const struct create_args *)t->args)->xattrs;
	default: return &((const struct symlink_args *)t->args)->xattrs;
	}
}

/* Who of @ok speaks of the same object as @child. */
static child_set same_gfid(const struct txn *t, const struct answer *ans, child_set ok, unsigned child)
{
	const uint8_t *gfid = iatt_in(&ans[child], t->row->iatts[0].at)->gfid;
	child_set same = 0;
	unsigned i;

	for (i = 0; ok >> i; i++)
		if ((ok & bit(i)) && gfid_equal(iatt_in(&ans[i], t->row->iatts[0].at)->gfid, gfid))
			same |= bit(i);
	return same;
}

/* Answers about another object than the whole copies have made or found count as lost. Where these differ among themselves (lookup.c,
 * same_object) the side that is a quorum is right. */
static void distrust_other_gfids(struct txn *t, struct answer *ans)
{
	child_set ok = 0, same = 0, left;
	unsigned i;

	if (t->row->iatts[0].whose != OBJECT)
		return;
	for (i = 0; t->part >> i; i++)
		if ((t->part & bit(i)) && ans[i].err == 0)
			ok |= bit(i);
	for (left = ok & t->good; left; left &= ~same) {
		same = same_gfid(t, ans, ok, (unsigned)__builtin_ctzll(left));
		if (!(ok & t->good & ~same) || quorum_met(replicate_of(t->xl), same))
			break;
	}
	for (i = 0; same && ok >> i; i++)
		if (ok & ~same & bit(i))
			ans[i].err = -ENOTCONN;
}

static void txn_note_birth(struct txn *t, const struct answer *ans)
{
	struct replicate *rp = replicate_of(t->xl);
	child_set ok = t->verdict.ok;
	const struct iatt *st = iatt_in(&ans[__builtin_ctzll(ok)], t->row->iatts[0].at);
	struct copies *c;
	unsigned i;

	if (!t->row->makes || !gfid_equal(st->gfid, new_gfid(t)))
		return;				/* a create that found the file there */
	inode_unref(t->object);
	t->object = inode_get(xl_inodes(t->xl), st->gfid);
	c = t->object ? copies_of(t->xl, t->object) : NULL;
	if (!c)
		return;
	copies_born(rp, c, t->gen, ok);
	t->born_mode = st->mode;
	t->bornfor = S_ISLNK(st->mode) ? 0 : t->verdict.missed;
	for (i = 0; t->bornfor && i < CHANGES; i++)
		if (i == METADATA || (i == DATA && (S_ISREG(st->mode) || S_ISDIR(st->mode))) || (i == ENTRY && S_ISDIR(st->mode)))
			copies_blame(rp, c, ok, t->bornfor, i);
}

struct repetition { struct txn *t; struct answer *ans; struct lookup_args args; struct lookup_res *found; };

/* A brick that dies while it makes an object leaves one without a gfid. Then its other attributes may be missing, too, a directory's
 * range among them: it is made one of ours first. */
static int coroutine_fn finish_made(struct repetition *r, struct call *call, unsigned i)
{
	const struct xattrs *want = new_xattrs(r->t);
	struct setxattr_args set = { .xattrs = *want, .internal = true };
	struct lookup_args adopting = r->args;
	struct setxattr_res unused;
	int ret;

	adopting.gfid_req = new_gfid(r->t);
	ret = xl_lookup(r->t->xl->children[i], call, &adopting, &r->found[i]);
	if (ret < 0 || !want->n)
		return ret;
	set.inode = inode_get(xl_inodes(r->t->xl), new_gfid(r->t));
	ret = set.inode ? xl_setxattr(r->t->xl->children[i], call, &set, &unused) : -ENOMEM;
	inode_unref(set.inode);
	return ret;
}

/* Does the name stand for the very object now, as it would if the first try came this far? */
static int coroutine_fn found_task(void *ctx, unsigned i)
{
	struct repetition *r = ctx;
	struct call call;
	int ret;

	call_init(&call, r->t->arena);
	ret = xl_lookup(r->t->xl->children[i], &call, &r->args, &r->found[i]);
	if (ret == -ENODATA && r->t->row->makes)
		ret = finish_made(r, &call, i);
	if (errno_is_loss(ret))		/* nobody knows, then */
		r->ans[i].err = ret;
	if (ret < 0 || !gfid_equal(r->found[i].stat.gfid, r->t->tried.object))
		return -ENOENT;
	memset(r->ans[i].res, 0, fop_res_sizes[r->t->op]);
	memcpy((char *)r->ans[i].res + r->t->row->iatts[0].at, &r->found[i].stat, sizeof(struct iatt));
	r->ans[i].err = 0;
	return 0;
}

/* A call that is sent again finds its own work: that is success. */
static void coroutine_fn forgive_repetition(struct txn *t, struct answer *ans)
{
	const struct place *p = &t->places[t->nplaces - 1];
	bool removes = t->op == FOP_unlink || t->op == FOP_rmdir;
	int own = removes || t->op == FOP_rename ? -ENOENT : -EEXIST;
	struct repetition r = { t, ans, { .parent = p->inode, .name = p->name },
				arena_alloc(t->arena, REPLICATE_MAX * sizeof(*r.found)) };
	child_set ask = 0;
	unsigned i;

	for (i = 0; t->part >> i; i++) {
		if (!(t->part & bit(i)) || ans[i].err != own)
			continue;
		if (removes)
			ans[i].err = 0;
		else
			ask |= bit(i);
	}
	if (ask && r.found)
		co_fanout(ask, found_task, &r);
}

/* Find the object that a repetition would be about. What a stale copy has under the name may be another
 * one. */
static void remember_object(struct txn *t, const struct answer *ans)
{
	static const uint8_t nothing[16];
	unsigned i;

	if (t->row->makes)
		memcpy(t->seen, new_gfid(t), 16);
	for (i = 0; t->row->iatts[0].whose == OBJECT && !t->row->makes && t->part >> i; i++)
		if ((t->part & t->good & bit(i)) && ans[i].err == 0 &&
		    memcmp(iatt_in(&ans[i], t->row->iatts[0].at)->gfid, nothing, 16) != 0)
			memcpy(t->seen, iatt_in(&ans[i], t->row->iatts[0].at)->gfid, 16);
}

/* The brick compared the parent's layout and made nothing. */
static bool preop_failed(const struct txn *t, const union fop_res *res)
{
	switch (t->op) {
	case FOP_mknod: return res->mknod.preop_failed;
	case FOP_mkdir: return res->mkdir.preop_failed;
	case FOP_create: return res->create.preop_failed;
	default: return false;
	}
}

/* A refusal may carry results of its own: those of the child that gave it. */
static void take_refusal(struct txn *t, const struct answer *ans, void *res)
{
	bool clear = true;
	unsigned i;

	for (i = 0; t->part >> i; i++) {
		if (!(t->part & bit(i)))
			continue;
		if (ans[i].err == t->verdict.ret)
			memcpy(res, ans[i].res, fop_res_sizes[t->op]);
		clear = clear && preop_failed(t, ans[i].res);
	}
	if (clear && !t->verdict.ok)
		t->verdict.refused = true;
}

/* Where all copies take part and nothing was marked, success leaves nothing to do under the locks: bricks that can let go of theirs in the
 * same message (README.md, "Letting go"). */
static struct answer *coroutine_fn act_and_release(struct txn *t)
{
	struct replicate *rp = replicate_of(t->xl);
	struct lock_release release = { t->locks.domain, t->locks.n, { { NULL, false, NULL, 0, 0 } } };
	struct call call = *t->call;
	struct answer *ans;
	unsigned i, k, able = 0;

	_Static_assert(LOCK_RELEASE_MAX >= sizeof(t->locks.v) / sizeof(t->locks.v[0]), "all of them");
	for (i = 0; i < rp->n; i++)
		able += t->xl->children[i]->releases_locks;
	for (k = 0; k < t->locks.n; k++)
		able = t->locks.v[k].held == rp->all ? able : 0;
	if (!able || t->op == FOP_xattrop || t->marked || t->part != rp->all)
		return copies_ask(t->xl, t->call, t->part, t->op, t->args, NULL);
	for (k = 0; k < t->locks.n; k++) {
		const struct lockee *v = &t->locks.v[k];

		release.v[k] = (struct lock_released){ v->inode->gfid, v->entry, v->name, v->start, v->len };
	}
	call.release = &release;
	call.lk_owner = t->owner;
	call.lk_owner_len = sizeof(t->owner);
	ans = copies_ask(t->xl, &call, t->part, t->op, t->args, NULL);
	for (i = 0; ans && i < rp->n; i++)
		for (k = 0; ans[i].err == 0 && t->xl->children[i]->releases_locks && k < t->locks.n; k++)
			t->locks.v[k].held &= ~bit(i);
	return ans;
}

/* Some made it, too few to decide, and all others are there and refused: under their locks it is undone. */
static void coroutine_fn txn_take_back(struct txn *t, struct answer *ans)
{
	struct replicate *rp = replicate_of(t->xl);
	struct verdict *v = &t->verdict;
	struct take_back b = { t->xl, &t->sub, t->op, t->args, ans, t->part, v->ok, t->good };

	if (v->ret == 0 || !take_back_due(&b))
		return;
	take_back_look(&b);
	if (take_back_accept(&b, ans))
		quorum_judge(rp, ans, t->part, t->lacking & rp->up, t->good, v);
	if (v->ret < 0)
		take_back(&b, v);
}

static int coroutine_fn txn_act(struct txn *t, void *res)
{
	struct replicate *rp = replicate_of(t->xl);
	struct answer *ans;
	unsigned i;

	t->part = copies_still(rp, t->part, t->gen);
	if (!holds(t))
		return -ENOTCONN;
	t->acted = true;
	ans = act_and_release(t);
	if (!ans)
		return -ENOMEM;
	if (t->tried.unclear)
		forgive_repetition(t, ans);
	distrust_other_gfids(t, ans);
	remember_object(t, ans);
	quorum_judge(rp, ans, t->part, t->lacking & rp->up, t->good, &t->verdict);
	txn_take_back(t, ans);
	if (t->row->type == ENTRY)
		names_judge(rp, ans, t->part, t->lacking & rp->up, t->good, &t->verdict);
	if (t->everywhere != t->good)	/* between directories with different whole copies: with a confession both names might be gone */
		t->verdict.confess = 0;
	for (i = 0; i < t->nplaces && (t->verdict.missed || t->verdict.confess); i++) {
		struct copies *c = *inode_ctx(t->xl, t->places[i].inode);

		t->places[i].last = copies_last(rp, c, t->verdict.blamers, t->verdict.missed, t->row->type);
		copies_blame(rp, c, t->verdict.blamers, t->verdict.missed, t->row->type);
		copies_confess(rp, c, t->verdict.confess, t->row->type);
	}
	if (t->verdict.took_effect && !t->verdict.decided) {
		txn_note_birth(t, ans);
		if (t->verdict.ret == 0)
			txn_fill(t, ans, res);
	}
	if (t->verdict.ret < 0)
		take_refusal(t, ans, res);
	return t->verdict.ret;
}

/* Which counters speak of a new object that a child misses. */
static unsigned birth_types(const struct txn *t)
{
	unsigned types = 1u << METADATA;

	if (S_ISREG(t->born_mode) || (S_ISDIR(t->born_mode) && replicate_of(t->xl)->granular_entry))
		types |= 1u << DATA;
	return S_ISDIR(t->born_mode) ? types | 1u << ENTRY : types;
}

static void settle_birth(struct txn *t, struct changelog *log)
{
	unsigned types = birth_types(t), i;

	log->inode = t->object;
	for (i = 0; i < CHANGES; i++)
		if (types >> i & 1)
			changelog_accuse(log, t->bornfor ? t->verdict.ok : 0, t->bornfor, i, 1);
}

/* Blame laid on the absent in advance is taken back when nothing came of it, or when all whole
 * ones that took part blame themselves: then the absent are all that is left. */
static bool takes_back(const struct txn *t)
{
	const struct verdict *v = &t->verdict;

	return !v->took_effect || (v->confess && !(t->part & t->good & ~v->confess));
}

/* Lower dirty where it was raised, accuse whom the verdict names. */
static void settle_place(struct txn *t, struct changelog *log, const struct place *p)
{
	const struct verdict *v = &t->verdict;
	child_set settled = v->took_effect ? p->marked & v->ok & ~v->confess : p->marked;
	bool granular = replicate_of(t->xl)->granular_entry;

	if (p->copies) {
		changelog_dirty(log, settled, t->row->type, -1);
		changelog_accuse(log, v->blamers, v->missed & ~(v->took_effect ? t->absent : 0), t->row->type, 1);
		changelog_confess(log, v->confess, t->row->type);
		log->last = p->last;
		if (takes_back(t))
			changelog_accuse(log, p->marked, t->absent, t->row->type, -1);
	} else {
		log->to = settled | v->blamers | v->confess;
	}
	if (granular && (v->missed || v->confess))
		log->entry_create = p->name;
	else if (granular && v->took_effect && t->good == replicate_of(t->xl)->all)
		log->entry_delete = p->name;
}

static void note_marks(uint8_t (*told)[REPLICATE_MAX], child_set by, child_set about, bool self)
{
	unsigned i, j;

	for (i = 0; i < REPLICATE_MAX; i++)
		for (j = 0; (by & bit(i)) && j < REPLICATE_MAX; j++)
			if ((about & bit(j)) && (i == j) == self)
				told[i][j]++;
}

/* What stands on the bricks now because of this very call, should it be tried again. */
static void remember_marks(struct txn *t, const struct settle *s)
{
	const struct verdict *v = &t->verdict;
	child_set told = ~(child_set)0;
	unsigned i;

	for (i = 0; i < t->nplaces; i++)
		told &= s->log[i].ok;
	note_marks(t->tried.places, v->blamers & told, v->missed & t->good & ~t->absent, false);
	note_marks(t->tried.places, v->confess & told, v->confess, true);
	if (s->n > t->nplaces)
		note_marks(t->tried.object_marks, v->ok & s->log[t->nplaces].ok, t->bornfor & t->good & ~t->absent, false);
}

/* The second try reached copies that the first did not: they have not missed it after all. */
static void take_back_marks(struct txn *t, struct changelog *log, uint8_t (*told)[REPLICATE_MAX], unsigned types)
{
	child_set ok = t->verdict.ok;
	unsigned i, j, type;

	for (i = 0; i < REPLICATE_MAX; i++)
		for (j = 0; (ok & bit(i)) && j < REPLICATE_MAX; j++) {
			if (!(ok & bit(j)) || !told[i][j])
				continue;
			for (type = 0; type < CHANGES; type++)
				if (types >> type & 1)
					log->add[i].pending[j][type] -= told[i][j];
			log->to |= bit(i);
		}
}

static void hear_settled(struct txn *t, const struct changelog *log, uint64_t seq)
{
	struct replicate *rp = replicate_of(t->xl);
	struct copies *c = *inode_ctx(t->xl, log->inode);
	unsigned i;

	for (i = 0; c && i < rp->n; i++)
		if (log->ok & bit(i))
			copies_hear(rp, c, i, &log->ans[i].res->xattrop.values, t->gen, c->blamed_at > seq);
	if (!c)
		return;
	if (c->blamed_at > seq)		/* another call of ours accused somebody meanwhile: ask again */
		c->gen = 0;
	copies_update(rp, c);
}

/* The whole ones that were not told to accuse anybody, because no quorum would have it on record, are a minority that acted. About names
 * nothing is said: they are shown where any whole copy has them (README.md). Nor can those accuse whose disks take no marks: then the
 * overruled do so themselves. */
static void coroutine_fn confess(struct txn *t, struct settle *s)
{
	uint64_t which = 0;
	unsigned i;

	for (i = 0; i < t->nplaces; i++) {
		struct changelog *log = &s->log[i];
		bool unheard = t->verdict.overruled && t->places[i].copies && !quorum_met(replicate_of(t->xl), log->ok);
		child_set who = unheard ? t->verdict.overruled : t->places[i].last;

		if (!unheard && (!log->held_back || t->row->type == ENTRY))
			continue;
		*log = (struct changelog){ .inode = t->places[i].inode };
		changelog_confess(log, who, t->row->type);
		copies_confess(replicate_of(t->xl), t->places[i].copies, who, t->row->type);
		which |= 1u << i;
	}
	if (which)
		co_fanout(which, settle_task, s);
}

/* Does a quorum know of each copy that failed just now? Where everybody was asked it need not be one (quorum_judge). */
static bool on_record(struct txn *t, const struct settle *s)
{
	struct replicate *rp = replicate_of(t->xl);
	child_set others = (t->part | (t->lacking & rp->up)) == rp->all ? rp->all & ~t->verdict.ok : 0;
	bool good = true;
	unsigned i;

	for (i = 0; i < t->nplaces; i++) {
		struct place *p = &t->places[i];

		if (!p->copies || !s->log[i].to)
			continue;
		copies_told(rp, p->copies, s->log[i].to, s->log[i].ok, s->log[i].lacking);
		good = good && !s->log[i].held_back && quorum_holds(rp, s->log[i].ok, others);
	}
	return good;
}

/* False: a copy failed, and no quorum has that on record. */
static bool coroutine_fn txn_settle(struct txn *t)
{
	struct settle *s = settle_new(t, t->durable && (t->verdict.missed || t->verdict.confess));
	uint64_t seq = replicate_of(t->xl)->blame_seq;
	bool safe;
	unsigned i;

	if (!s)
		return false;
	for (i = 0; i < s->n; i++) {
		settle_place(t, &s->log[i], &t->places[i]);
		if (t->repent && t->places[i].copies)
			take_back_marks(t, &s->log[i], t->tried.places, 1u << ENTRY);
	}
	if (t->object && (t->bornfor || (t->repent && t->born_mode))) {
		settle_birth(t, &s->log[s->n]);
		if (t->repent)
			take_back_marks(t, &s->log[s->n], t->tried.object_marks, birth_types(t));
		s->n++;
	}
	co_fanout((1u << s->n) - 1, settle_task, s);
	for (i = 0; t->repent && i < s->n; i++)
		hear_settled(t, &s->log[i], seq);
	/* one that came since is not blamed any more */
	for (i = 0; takes_back(t) && (t->absent & replicate_of(t->xl)->up) && i < t->nplaces; i++)
		if (t->places[i].copies)
			t->places[i].copies->gen = 0;
	safe = on_record(t, s);
	remember_marks(t, s);
	confess(t, s);
	t->marked = 0;
	t->repent = false;
	return safe;
}

static void coroutine_fn txn_end(void *arg)
{
	struct txn *t = arg;

	co_shield();
	if (t->repent || (t->marked && (t->verdict.ok || t->verdict.refused || !t->acted)))
		txn_settle(t);		/* else perhaps something was done: let the marks stand */
	locks_release(t->xl, &t->sub, &t->locks);
	co_unshield();
	txn_free(t);
}

static void coroutine_fn txn_end_in_background(struct txn *t)
{
	if (!t->marked && !locks_held(&t->locks)) {
		txn_free(t);
		return;
	}
	t->call = NULL;
	t->args = NULL;
	if (!co_start(xl_loop(t->xl), txn_end, t))
		txn_end(t);
}

/* A copy that took part and failed, or a stale one that went its own way: on record before the answer. */
static bool must_accuse_now(const struct txn *t)
{
	return t->verdict.confess || (t->verdict.missed & ~(t->verdict.took_effect ? t->absent : 0));
}

/* @tried: in, what a first try left; out, what this one does. */
static int coroutine_fn modify_once(struct xlator *xl, struct call *call, enum fop op, const void *args, void *res, struct first_try *tried)
{
	struct txn *t;
	int ret = txn_new(xl, call, op, args, &t);

	if (ret < 0)
		return ret;
	t->tried = *tried;
	ret = t->row->plan(t);
	if (ret == 0)
		ret = txn_find_good(t, false);
	if (ret == 0)
		ret = txn_lock(t);
	if (ret == 0) {
		co_shield();
		ret = txn_mark(t);
		if (ret == 0)
			ret = txn_act(t, res);
		t->repent = ret == 0 && t->tried.unclear;
		if (must_accuse_now(t) && !txn_settle(t) && (ret == 0 || t->verdict.decided))
			ret = -ENOTCONN;
		co_unshield();
	}
	*tried = t->tried;
	if (t->acted && t->row->type == ENTRY && errno_is_loss(ret) && !t->verdict.refused) {
		tried->unclear = true;
		memcpy(tried->object, t->seen, 16);
	}
	txn_leave_span(t);
	txn_end_in_background(t);
	return ret;
}

static bool coroutine_fn quorum_returns(struct replicate *rp, struct loop *loop)
{
	uint64_t old = co_set_deadline(loop_now_ns(loop) + QUORUM_PATIENCE_NS);
	int ret = 0;

	while (ret == 0 && !rp->watch.silent && !quorum_met(rp, rp->up))	/* silence had its time */
		ret = co_queue_wait(&rp->came);
	co_restore_deadline(old);
	return ret == 0 && quorum_met(rp, rp->up);
}

/* An entry call that was lost half way cannot simply be tried again by the caller: it would find its own work and take it for another's. So
 * we do that ourselves, for a while, when the quorum is back. */
int coroutine_fn replicate_modify(struct xlator *xl, struct call *call, enum fop op, const void *args, void *res)
{
	struct replicate *rp = replicate_of(xl);
	struct first_try tried = { .unclear = false };
	unsigned again;
	int ret = -ENOTCONN;

	if (!quorum_met(rp, rp->up))
		return -ENOTCONN;
	for (again = 0; again < 4; again++) {
		uint32_t gen = rp->gen;
		bool unclear = tried.unclear;

		ret = modify_once(xl, call, op, args, res, &tried);
		if (unclear && op == FOP_rename && ret == -ENOENT && gfid_is_null(tried.object))
			ret = -ENOTCONN;	/* moved by the first try, or never there: the caller, told of the doubt, will look */
		if (!errno_is_loss(ret) || co_interrupted())
			break;
		if (tried.unclear ? !quorum_returns(rp, xl_loop(xl)) : gen == rp->gen || !quorum_met(rp, rp->up))
			break;		/* not done at all, and nothing changed since: the caller waits */
	}
	return ret;
}

#define NEW_OBJECT(op, makes_) [FOP_##op] = { ENTRY, makes_, plan_name, { \
	{ offsetof(struct op##_res, stat), OBJECT }, { offsetof(struct op##_res, preparent), PLACE }, \
	{ offsetof(struct op##_res, postparent), PLACE }, { 0, NOWHERE } } }
#define REMOVAL(op, plan_) [FOP_##op] = { ENTRY, false, plan_, { \
	{ offsetof(struct op##_res, preparent), PLACE }, { offsetof(struct op##_res, postparent), PLACE }, { 0, NOWHERE } } }
#define CHANGE(op) [FOP_##op] = { METADATA, false, plan_metadata, { \
	{ offsetof(struct op##_res, pre), PLACE }, { offsetof(struct op##_res, post), PLACE }, { 0, NOWHERE } } }

static const struct row rows[FOP_COUNT] = {
	NEW_OBJECT(mknod, true),
	NEW_OBJECT(mkdir, true),
	NEW_OBJECT(create, true),
	NEW_OBJECT(symlink, true),
	[FOP_link] = { ENTRY, false, plan_link, {
		{ offsetof(struct link_res, stat), OBJECT }, { offsetof(struct link_res, preparent), PLACE },
		{ offsetof(struct link_res, postparent), PLACE }, { 0, NOWHERE } } },
	REMOVAL(unlink, plan_name),
	REMOVAL(rmdir, plan_rmdir),
	[FOP_rename] = { ENTRY, false, plan_rename, {
		{ offsetof(struct rename_res, stat), OBJECT },
		{ offsetof(struct rename_res, preold), PLACE }, { offsetof(struct rename_res, postold), PLACE },
		{ offsetof(struct rename_res, prenew), PLACE2 }, { offsetof(struct rename_res, postnew), PLACE2 } } },
	CHANGE(setattr),
	CHANGE(setxattr),
	CHANGE(removexattr),
	[FOP_xattrop] = { METADATA, false, plan_metadata, { { 0, NOWHERE } } },
};
