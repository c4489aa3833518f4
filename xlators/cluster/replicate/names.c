/* xlators/cluster/replicate/names.c: a refusal that says what stands under a name is an answer
 * like any other (README.md, "A name on one copy").
 *
 * EEXIST and ENOENT may be all that a call sent again ever hears: it finds its own work. The
 * caller relies on it. So they need what success needs: enough copies that say so, and those
 * that were not heard, or say otherwise, blamed on record. Other refusals (EACCES, ENOSPC) say
 * nothing of the name. */
#include "xlators/cluster/replicate/names.h"

static bool is_about_name(int err)
{
	return err == -ENOENT || err == -EEXIST;
}

void names_judge(const struct replicate *rp, const struct answer *ans, child_set asked,
		 child_set lacking, child_set good, struct verdict *v)
{
	child_set said = 0, differ = rp->all & ~asked;
	unsigned i;

	if (!is_about_name(v->ret))
		return;
	for (i = 0; i < rp->n; i++) {
		if (!(asked & bit(i)))
			continue;
		if (ans[i].err == v->ret)
			said |= bit(i);
		else if (is_about_name(ans[i].err) || !errno_is_refusal(ans[i].err))
			differ |= bit(i);
	}
	if (!differ)
		return;
	if (!quorum_holds(rp, said, lacking) && ((asked | lacking) != rp->all || (good & ~said))) {
		v->ret = -ENOTCONN;
		return;
	}
	if (v->ok)		/* quorum_judge() deals with those that made it all the same */
		return;
	v->took_effect = v->decided = true;
	v->ok = v->blamers = said;
	v->missed = differ;
}
