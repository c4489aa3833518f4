/* xlators/xlator.c: calls by number, fan-out to children, events to parents, clients of a brick. */
#include "xlators/xlator.h"

#include <assert.h>
#include <string.h>

#include "xlators/graph.h"

void call_init(struct call *call, struct arena *arena)
{
	memset(call, 0, sizeof(*call));
	call->arena = arena;
}

struct loop *xl_loop(const struct xlator *xl)
{
	return xl->graph->loop;
}

struct inode_table *xl_inodes(const struct xlator *xl)
{
	return xl->graph->inodes;
}

void xl_notify(struct xlator *xl, enum xl_event ev, const struct xl_upcall *upcall)
{
	unsigned i;

	if (xl == xl->graph->top && xl->graph->event)
		xl->graph->event(xl->graph->owner, ev, upcall);
	for (i = 0; i < xl->nparents; i++) {
		struct xlator *parent = xl->parents[i];

		if (parent->gone)
			continue;
		if (parent->class->event)
			parent->class->event(parent, xl->parent_index[i], ev, upcall);
		else
			xl_notify(parent, ev, upcall);
	}
}

int coroutine_fn xl_call(struct xlator *xl, struct call *call, enum fop op, const void *args, void *res)
{
	switch (op) {
#define F(op) case FOP_##op: return xl_##op(xl, call, args, res);
	FOPS(F)
#undef F
	case FOP_COUNT:
		break;
	}
	return -EOPNOTSUPP;
}

void xl_give_up(struct xlator *xl)
{
	unsigned i;

	if (xl->class->give_up)
		xl->class->give_up(xl);
	else
		for (i = 0; i < xl->nchildren; i++)
			xl_give_up(xl->children[i]);
}

struct fanout {
	struct xlator *xl;
	struct call *call;
	const struct xl_asked *asked;
	struct answer *answers;
};

static int coroutine_fn fanout_one(void *ctx, unsigned i)
{
	struct fanout *f = ctx;
	struct answer *a = &f->answers[i];

	a->err = xl_call(f->xl->children[i], f->call, f->asked->op, f->asked->each ? f->asked->each[i] : f->asked->args, a->res);
	if (f->asked->answered)
		f->asked->answered(f->asked->user, i, a->err);
	return a->err;
}

static struct answer *answers_new(struct fanout *f)
{
	unsigned i, n = f->xl->nchildren;

	f->answers = arena_alloc(f->call->arena, n * sizeof(*f->answers));
	if (!f->answers)
		return NULL;
	for (i = 0; i < n; i++) {
		f->answers[i].err = 1;
		if (!(f->asked->to & (child_set)1 << i))
			continue;
		f->answers[i].err = -ENOMEM;	/* what stands when no stack could be had */
		f->answers[i].res = arena_alloc(f->call->arena, fop_res_sizes[f->asked->op]);
		if (!f->answers[i].res)
			return NULL;
	}
	return f->answers;
}

struct answer *coroutine_fn xl_ask(struct xlator *xl, struct call *call, const struct xl_asked *asked, child_set *ret_ok)
{
	struct fanout f = { .xl = xl, .call = call, .asked = asked };
	child_set ok = 0;
	struct answer *answers;

	assert(xl->nchildren <= 64);
	answers = answers_new(&f);
	if (answers && asked->to)
		ok = co_fanout(asked->to, fanout_one, &f);
	if (ret_ok)
		*ret_ok = ok;
	return answers;
}

struct answer *coroutine_fn xl_fanout(struct xlator *xl, struct call *call, child_set to, enum fop op, const void *args,
				      child_set *ret_ok)
{
	return xl_ask(xl, call, &(struct xl_asked){ .to = to, .op = op, .args = args }, ret_ok);
}

struct answer *coroutine_fn xl_fanout_each(struct xlator *xl, struct call *call, child_set to, enum fop op,
					   const void *const *args, child_set *ret_ok)
{
	return xl_ask(xl, call, &(struct xl_asked){ .to = to, .op = op, .each = args }, ret_ok);
}

/* A volume is a few translators high. */
bool xl_removal_waits(const struct xlator *xl)
{
	bool waits = xl->removal_waits;
	unsigned i;

	for (i = 0; !waits && i < xl->nchildren; i++)
		waits = xl_removal_waits(xl->children[i]);
	return waits;
}

struct client *client_ref(struct client *client)
{
	client->refs++;
	return client;
}

void client_unref(struct client *client)
{
	if (client && --client->refs == 0)
		client->free(client);
}
