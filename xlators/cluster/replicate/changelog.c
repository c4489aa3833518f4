/* xlators/cluster/replicate/changelog.c: the counters on the bricks (facts: C1, C3).
 *
 * Every xattrop carries every pending key and the dirty key, zeros included: the brick's index forgets an object when all keys of one call
 * end up zero, so a call that left one out could make it forget too much. */
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

static void put32(uint8_t *to, int32_t value)
{
	uint32_t v = (uint32_t)value;

	to[0] = (uint8_t)(v >> 24);
	to[1] = (uint8_t)(v >> 16);
	to[2] = (uint8_t)(v >> 8);
	to[3] = (uint8_t)v;
}

static bool operands(const struct replicate *rp, struct arena *arena, const struct marks *m, struct xattrs *ret_set)
{
	struct xattr *v = arena_alloc(arena, (rp->n + 1) * sizeof(*v));
	uint8_t *values = arena_alloc(arena, (rp->n + 1) * 4 * CHANGES);
	unsigned i, t;

	if (!v || !values)
		return false;
	for (i = 0; i <= rp->n; i++) {
		for (t = 0; t < CHANGES; t++)
			put32(values + 4 * (CHANGES * i + t), i < rp->n ? m->pending[i][t] : m->dirty[t]);
		v[i] = (struct xattr){ rp->keys[i], values + 4 * CHANGES * i, 4 * CHANGES };
	}
	*ret_set = (struct xattrs){ v, rp->n + 1 };
	return true;
}

static void coroutine_fn tell(struct xlator *xl, struct call *call, struct changelog *log, child_set to)
{
	const struct replicate *rp = replicate_of(xl);
	struct xattrop_args args[REPLICATE_MAX];
	const void *each[REPLICATE_MAX];
	struct answer *ans;
	child_set ok = 0;
	int same = -1;
	unsigned i;

	for (i = 0; i < rp->n; i++) {
		each[i] = &args[i];
		if (!(to & bit(i)))
			continue;
		args[i] = (struct xattrop_args){ .inode = log->inode, .op = XATTROP_ADD32,
						 .entry_create = log->entry_create, .entry_delete = log->entry_delete };
		if (same >= 0 && memcmp(&log->add[i], &log->add[same], sizeof(log->add[i])) == 0)
			args[i].operands = args[same].operands;
		else if (!operands(rp, call->arena, &log->add[i], &args[i].operands))
			return;
		if (same < 0)
			same = (int)i;
	}
	ans = copies_ask_each(xl, call, to, FOP_xattrop, each, &ok);
	log->ok |= ok;
	for (i = 0; ans && i < rp->n; i++) {
		if ((to & bit(i)) && (ans[i].err == -ENOENT || ans[i].err == -ESTALE))
			log->lacking |= bit(i);
		if (log->ans && (to & bit(i)))
			log->ans[i] = ans[i];
	}
	if (!log->ans)
		log->ans = ans;
}

void coroutine_fn changelog_apply(struct xlator *xl, struct call *call, struct changelog *log)
{
	const struct replicate *rp = replicate_of(xl);
	child_set first = log->to & ~log->last, last = log->to & log->last;

	log->ok = log->lacking = 0;
	log->ans = NULL;
	if (first)
		tell(xl, call, log, first);
	log->held_back = last && first && !(log->ans && quorum_holds(rp, log->ok | last, log->lacking));
	if (last && !log->held_back)
		tell(xl, call, log, last);
}

void changelog_accuse(struct changelog *log, child_set by, child_set missed, enum change type, int32_t by_how_much)
{
	unsigned i, j;

	for (i = 0; i < REPLICATE_MAX; i++)
		for (j = 0; (by & bit(i)) && j < REPLICATE_MAX; j++)
			if (missed & ~bit(i) & bit(j))
				log->add[i].pending[j][type] += by_how_much;
	log->to |= by;
}

void changelog_confess(struct changelog *log, child_set who, enum change type)
{
	unsigned i;

	for (i = 0; i < REPLICATE_MAX; i++)
		if (who & bit(i))
			log->add[i].pending[i][type]++;
	log->to |= who;
}

void changelog_dirty(struct changelog *log, child_set on, enum change type, int32_t by_how_much)
{
	unsigned i;

	for (i = 0; i < REPLICATE_MAX; i++)
		if (on & bit(i))
			log->add[i].dirty[type] += by_how_much;
	log->to |= on;
}
