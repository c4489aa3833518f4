/* xlators/cluster/replicate/quorum.c: who may decide, and what the answers of several copies come to.
 *
 * A change counts when enough copies made it and at least one of them was whole before. A copy that is blamed already may follow
 * along, but its word alone is worth nothing: what it says neither succeeds a call nor accuses a whole copy.
 *
 * A minority that made a change the others may not have made must not accuse them: they can go on without it, accuse it in turn,
 * and nobody would be right. Where a quorum says that it did not make it, that is the answer, and accuses the minority (overruled). Where
 * answers were lost, the minority accuses itself, unless it was the only whole copy. That holds for the second of two as well: the first may
 * go on alone, perhaps with another client.
 *
 * Where every child took part there is nobody to wait for: what all whole copies made is made, though the stale ones could not follow. */
#include "xlators/cluster/replicate/replicate.h"

bool quorum_met(const struct replicate *rp, child_set set)
{
	unsigned count = (unsigned)__builtin_popcountll(set);

	switch (rp->quorum_type) {
	case QUORUM_AUTO:
		return 2 * count > rp->n || (2 * count == rp->n && (set & 1));
	case QUORUM_FIXED:
		return count >= (unsigned)rp->quorum_count;
	default:
		return count > 0;
	}
}

/* @lacking are there, too, and say that they do not have the object: nobody can go on with it without @set. */
bool quorum_holds(const struct replicate *rp, child_set set, child_set lacking)
{
	return quorum_met(rp, set) || (set && (set | lacking) == rp->all);
}

/* With three copies and more a lone one may not even be read: the others may be going on without it. Of two, the second may be read while
 * nothing is known against it (state.c, suspects). */
bool quorum_reads_allowed(const struct replicate *rp)
{
	return rp->up && (rp->quorum_type != QUORUM_AUTO || rp->n <= 2 || quorum_met(rp, rp->up));
}

bool quorum_others_idle(const struct replicate *rp)
{
	child_set others = rp->all & ~rp->up;

	return !others || !quorum_met(rp, others);
}

bool errno_is_loss(int err)
{
	return err == -ENOTCONN || err == -ETIMEDOUT || err == -ECANCELED || err == -ECONNRESET || err == -EPIPE;
}

bool errno_is_refusal(int err)
{
	return err < 0 && !errno_is_loss(err) && err != -EIO && err != -ENOMEM;
}

/* The copies that answered that they did not do it. */
child_set quorum_refusals(const struct answer *ans, child_set asked)
{
	child_set refused = 0;
	unsigned i;

	for (i = 0; asked >> i; i++)
		if ((asked & bit(i)) && ans[i].err < 0 && !errno_is_loss(ans[i].err))
			refused |= bit(i);
	return refused;
}

int quorum_error(const struct answer *ans, child_set asked, child_set good)
{
	child_set heed = asked & good;		/* nothing that a stale copy says reaches a caller */
	unsigned i;

	for (i = 0; heed >> i; i++)
		if ((heed & bit(i)) && ans[i].err < 0 && !errno_is_loss(ans[i].err))
			return ans[i].err;
	return -ENOTCONN;
}

void quorum_judge(const struct replicate *rp, const struct answer *ans, child_set asked, child_set lacking, child_set good,
		  struct verdict *v)
{
	unsigned i;

	*v = (struct verdict){ 0 };
	for (i = 0; i < rp->n; i++)
		if ((asked & bit(i)) && ans[i].err == 0)
			v->ok |= bit(i);
	if (!v->ok) {
		v->refused = asked != 0;
		for (i = 0; i < rp->n; i++)
			if ((asked & bit(i)) && !errno_is_refusal(ans[i].err))
				v->refused = false;
		v->ret = quorum_error(ans, asked, good);
		return;
	}
	if (!(v->ok & good)) {		/* only copies that are stale anyway: let the whole ones say so once more */
		v->ret = quorum_error(ans, asked, good);
		v->blamers = asked & good;
		v->missed = v->ok;
		if (quorum_refusals(ans, asked) == (asked & ~v->ok))
			v->overruled = v->ok;
		return;
	}
	v->took_effect = true;
	if (!quorum_met(rp, v->ok) && ((asked | lacking) != rp->all || (good & ~v->ok))) {
		v->ret = quorum_error(ans, asked & good & ~v->ok, good);
		if (good & ~v->ok) {
			child_set refused = quorum_refusals(ans, asked);

			if (quorum_met(rp, refused) && (refused & good)) {
				v->took_effect = false;
				v->blamers = refused;
				v->missed = v->overruled = v->ok;
			} else {
				v->confess = v->ok;
			}
			return;
		}
	}
	v->blamers = v->ok;
	v->missed = rp->all & ~v->ok;
}
