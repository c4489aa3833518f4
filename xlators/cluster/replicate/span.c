/* xlators/cluster/replicate/span.c: keeps our own calls on one inode apart where they overlap.
 *
 * The brick's locks cannot do this, because all our data and metadata locks of an inode share one owner, so that a setattr need not wait
 * until a delayed data lock is let go. First come, first served: a newcomer waits behind a waiter that it overlaps. */
#include "xlators/cluster/replicate/replicate.h"

static bool overlaps_any(const struct list *head, const struct list *until, const struct span *s)
{
	const struct list *pos;

	for (pos = head->next; pos != head && pos != until; pos = pos->next) {
		const struct span *other = list_entry(pos, struct span, link);

		if (s->start < other->end && other->start < s->end)
			return true;
	}
	return false;
}

int coroutine_fn span_enter(struct copies *c, struct span *s, uint64_t start, uint64_t len)
{
	int ret;

	*s = (struct span){ .start = start, .end = len && start + len > start ? start + len : UINT64_MAX };
	if (!overlaps_any(&c->running, NULL, s) && !overlaps_any(&c->waiting, NULL, s)) {
		s->granted = true;
		list_append(&c->running, &s->link);
		return 0;
	}
	list_append(&c->waiting, &s->link);
	ret = co_park(&s->wait);
	if (s->granted && ret == 0)
		return 0;
	span_leave(c, s);			/* in whichever list it is; those behind it may go on */
	return ret < 0 ? ret : -ECANCELED;
}

void span_leave(struct copies *c, struct span *s)
{
	struct list *pos, *tmp;

	list_remove(&s->link);
	list_for_each_safe(pos, tmp, &c->waiting) {
		struct span *w = list_entry(pos, struct span, link);

		if (overlaps_any(&c->running, NULL, w) || overlaps_any(&c->waiting, pos, w))
			continue;
		w->granted = true;
		list_remove(&w->link);
		list_append(&c->running, &w->link);
		co_wake(&w->wait, 0);
	}
}
