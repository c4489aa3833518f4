/* xlators/cluster/replicate/adopt.c: names whose object has no gfid yet: files that were in the directory before it became a brick, and
 * what a brick left half made when it was killed.
 *
 * The one idea: all copies must be given the same gfid. Under the name's lock the copies are asked again; one that is whole and has a
 * gfid lends it to the others, else the caller's is taken. */
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

bool replicate_nameless(const struct answer *ans, child_set asked)
{
	unsigned i;

	for (i = 0; asked >> i; i++)
		if ((asked & bit(i)) && ans[i].err == -ENODATA)
			return true;
	return false;
}

static const uint8_t *gfid_to_give(struct xlator *xl, const struct lookup_args *args, const struct answer *ans, child_set ok)
{
	const struct copies *c = *inode_ctx(xl, args->parent);

	if (c)
		ok &= c->good[ENTRY];
	return ok ? ans[__builtin_ctzll(ok)].res->lookup.stat.gfid : args->gfid_req;
}

static int coroutine_fn give(struct xlator *xl, struct call *call, const struct lookup_args *args, child_set to)
{
	struct lookup_args asking = { .parent = args->parent, .name = args->name };
	struct answer *ans;
	child_set ok, nameless = 0;
	uint8_t gfid[16];
	unsigned i;

	ans = copies_ask(xl, call, to, FOP_lookup, &asking, &ok);
	if (!ans)
		return -ENOMEM;
	for (i = 0; to >> i; i++)
		if ((to & bit(i)) && ans[i].err == -ENODATA)
			nameless |= bit(i);
	if (!nameless)
		return 0;
	memcpy(gfid, gfid_to_give(xl, args, ans, ok), 16);
	asking.gfid_req = gfid;
	return copies_ask(xl, call, nameless, FOP_lookup, &asking, &ok) ? 0 : -ENOMEM;
}

int coroutine_fn replicate_adopt(struct xlator *xl, const struct call *call, const struct lookup_args *args)
{
	struct replicate *rp = replicate_of(xl);
	struct locks locks = { .domain = xl->name, .type = LOCK_WRITE, .n = 1 };
	struct arena *arena = arena_new(1 << 20);
	struct copies *c;
	struct call sub;
	uint8_t owner[8];
	child_set held;
	int ret;

	locks.v[0] = (struct lockee){ args->parent, args->name, true, 0, 0, 0, 0, false };
	replicate_new_owner(rp, owner);
	replicate_sub_call(&sub, call, arena, owner);
	ret = copies_refresh(xl, args->parent, false, &c);
	if (ret == 0)
		ret = locks_take(xl, &sub, &locks, rp->up, true, &held);
	if (ret == 0) {
		co_shield();
		ret = quorum_met(rp, held) ? give(xl, &sub, args, held) : -ENOTCONN;
		locks_release(xl, &sub, &locks);
		co_unshield();
	}
	arena_free(arena);
	return ret;
}
