/* xlators/cluster/replicate/agree.c: will an entry call succeed on a quorum, while one copy is away and another is stale?
 *
 * A stale copy follows along where it can. Where it cannot, because it has other names, only the whole copies would make the change, with no
 * quorum: the call would fail, and yet have happened. So before anything is marked the stale ones are asked what they have under the name. */
#include "xlators/cluster/replicate/replicate.h"

static bool same_answer(const struct answer *a, const struct answer *b)
{
	if (a->err < 0 || b->err < 0)
		return a->err == b->err;
	return gfid_equal(a->res->lookup.stat.gfid, b->res->lookup.stat.gfid);
}

/* Who of @part answers @args as the first whole copy does. */
static child_set coroutine_fn who_agrees(struct xlator *xl, struct arena *arena, const struct lookup_args *args, child_set part, child_set good)
{
	unsigned i, first = (unsigned)__builtin_ctzll(part & good);
	child_set same = 0;
	struct answer *ans;
	struct call call;

	call_init(&call, arena);
	ans = copies_ask(xl, &call, part, FOP_lookup, args, NULL);
	for (i = 0; ans && part >> i; i++)
		if ((part & bit(i)) && !errno_is_loss(ans[i].err) && same_answer(&ans[i], &ans[first]))
			same |= bit(i);
	return same;
}

/* The name, and the object that is to get a name, or NULL. With everybody there the whole ones decide. */
bool coroutine_fn replicate_agreed(struct xlator *xl, const struct agreement *a)
{
	const struct replicate *rp = replicate_of(xl);
	struct lookup_args by_name = { .parent = a->parent, .name = a->name }, by_gfid = { .inode = a->object };
	child_set part = a->part;
	struct arena *arena;

	if (a->everybody || quorum_met(rp, part & a->good))
		return true;
	arena = arena_new(1 << 20);
	part = who_agrees(xl, arena, &by_name, part, a->good);
	if (a->object && (part & a->good))
		part &= who_agrees(xl, arena, &by_gfid, part, a->good);
	arena_free(arena);
	return quorum_met(rp, part);
}
