/* xlators/cluster/distribute/fan.c: one call to many children, and the locks that keep clients of a volume apart.
 *
 * Locks are asked for all at once without waiting; only when one is taken are they awaited, one after another in the order that every
 * client uses, so that no two clients wait for each other. Trying and releasing is shielded: an interrupted lock call may hold or not.
 * Waiting is not, because it may be for ever; a wait that is interrupted leaves no lock behind (protocol/client, cluster/replicate). */
#include <stdlib.h>

#include "xlators/cluster/distribute/distribute.h"

struct fan { struct xlator *xl; struct call *call; enum fop op; const void *const *args; struct answer *ans; unsigned base; };

static int coroutine_fn fan_one(void *ctx, unsigned bit)
{
	struct fan *f = ctx;
	unsigned i = f->base + bit;

	f->ans[i].err = xl_call(f->xl->children[i], f->call, f->op, f->args[i], f->ans[i].res);
	return f->ans[i].err;
}

struct answer *coroutine_fn dht_fanout(struct xlator *xl, struct call *call, enum fop op, const void *const *args)
{
	unsigned n = xl->nchildren;
	struct fan f = { xl, call, op, args, arena_alloc(call->arena, n * sizeof(struct answer)), 0 };

	if (!f.ans)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		f.ans[i].err = 1;
		if (!args[i])
			continue;
		f.ans[i].res = arena_alloc(call->arena, fop_res_sizes[op]);
		if (!f.ans[i].res)
			return NULL;
		f.ans[i].err = -ENOMEM;		/* stays when there is no stack for its coroutine */
	}
	for (; f.base < n; f.base += 64) {
		uint64_t which = 0;

		for (unsigned bit = 0; bit < 64 && f.base + bit < n; bit++)
			which |= args[f.base + bit] ? 1ull << bit : 0;
		if (which)
			co_fanout(which, fan_one, &f);
	}
	return f.ans;
}

const void **dht_args(struct xlator *xl, struct call *call)
{
	return arena_alloc(call->arena, xl->nchildren * sizeof(void *));
}

struct answer *coroutine_fn dht_fanout_same(struct xlator *xl, struct call *call, enum fop op, const void *args, int except)
{
	const void **each = dht_args(xl, call);

	if (!each)
		return NULL;
	for (unsigned i = 0; i < xl->nchildren; i++)
		each[i] = (int)i == except ? NULL : args;
	return dht_fanout(xl, call, op, each);
}

void dht_locks_init(struct xlator *xl, struct dht_locks *l)
{
	struct distribute *d = xl->priv;

	*l = (struct dht_locks){ .max = DHT_LOCKS_MAX, .owner = ++d->next_owner };
	l->v = l->few;
}

int dht_locks_room(struct dht_locks *l, struct call *call, unsigned n)
{
	if (n <= l->max)
		return 0;
	l->v = arena_alloc(call->arena, n * sizeof(l->v[0]));
	if (!l->v)
		return -ENOMEM;
	l->max = n;
	return 0;
}

void dht_locks_add(struct dht_locks *l, unsigned child, struct inode *inode, const char *domain, const char *name, enum lock_type type)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct dht_lock *had = &l->v[i];

		if (had->child == child && had->inode == inode && had->domain == domain && had->type == type &&
		    (had->name == name || (had->name && name && strcmp(had->name, name) == 0)))
			return;		/* both ends of a rename in one directory share the lock */
	}
	if (l->n < l->max)
		l->v[l->n++] = (struct dht_lock){ child, inode, name, domain, type, false };
}

void dht_locks_add_name(struct dht_locks *l, int hashed, struct inode *parent, const char *name)
{
	dht_locks_add(l, (unsigned)hashed, parent, DHT_DOMAIN_LAYOUT, NULL, LOCK_READ);
	dht_locks_add(l, (unsigned)hashed, parent, DHT_DOMAIN_ENTRY, name, LOCK_WRITE);
}

static int coroutine_fn lock_call(struct xlator *xl, struct call *call, const struct dht_lock *lk, enum lock_cmd cmd)
{
	struct xlator *child = xl->children[lk->child];

	if (lk->name) {
		struct entrylk_args args = { lk->inode, lk->domain, lk->name, cmd, lk->type };
		struct entrylk_res res;

		return xl_entrylk(child, call, &args, &res);
	} else {
		struct inodelk_args args = { lk->inode, NULL, lk->domain, cmd, lk->type, 0, 0 };
		struct inodelk_res res;

		return xl_inodelk(child, call, &args, &res);
	}
}

struct lock_round { struct xlator *xl; struct call *call; struct dht_locks *l; enum lock_cmd cmd; unsigned base; int err; };

static int coroutine_fn lock_one(void *ctx, unsigned bit)
{
	struct lock_round *r = ctx;
	struct dht_lock *lk = &r->l->v[r->base + bit];
	int ret = lock_call(r->xl, r->call, lk, r->cmd);

	if (r->cmd == LOCK_UNLOCK) {
		lk->held = false;
		inode_unref(lk->inode);
	} else if (ret == 0) {
		lk->held = true;
		inode_ref(lk->inode);
	} else if (r->err == 0 || r->err == -EAGAIN) {
		r->err = ret;
	}
	return ret;
}

/* A round over the locks from @from on: those not held when locking, those held when unlocking. */
static int coroutine_fn lock_round(struct lock_round *r, unsigned from)
{
	uint64_t which, done;

	for (r->base = from; r->base < r->l->n; r->base += 64) {
		which = 0;
		for (unsigned bit = 0; bit < 64 && r->base + bit < r->l->n; bit++)
			which |= r->l->v[r->base + bit].held == (r->cmd == LOCK_UNLOCK) ? 1ull << bit : 0;
		done = which ? co_fanout(which, lock_one, r) : 0;
		if (done != which && r->err == 0 && r->cmd != LOCK_UNLOCK)
			r->err = -ENOMEM;
		/* No stack for one of the coroutines must not leave a lock behind. */
		for (unsigned bit = 0; r->cmd == LOCK_UNLOCK && bit < 64; bit++) {
			if ((which >> bit & 1) && r->l->v[r->base + bit].held)
				lock_one(r, bit);
		}
	}
	return r->err;
}

static struct call lock_owner(const struct call *call, const struct dht_locks *l)
{
	struct call own = dht_internal(call);

	own.lk_owner = (const uint8_t *)&l->owner;
	own.lk_owner_len = sizeof(l->owner);
	return own;
}

int coroutine_fn dht_locks_try(struct xlator *xl, struct call *call, struct dht_locks *l, unsigned from)
{
	struct call own = lock_owner(call, l);
	struct lock_round r = { xl, &own, l, LOCK_TRY, 0, 0 };

	co_shield();
	if (lock_round(&r, from) < 0) {
		r.cmd = LOCK_UNLOCK;
		lock_round(&r, from);
	}
	co_unshield();
	return r.err;
}

int coroutine_fn dht_locks_take(struct xlator *xl, struct call *call, struct dht_locks *l)
{
	struct call own = lock_owner(call, l);
	int ret = dht_locks_try(xl, call, l, 0);

	if (ret != -EAGAIN)
		return ret;
	for (unsigned i = 0; i < l->n; i++) {
		ret = lock_call(xl, &own, &l->v[i], LOCK_WAIT);
		if (ret < 0)
			break;
		l->v[i].held = true;
		inode_ref(l->v[i].inode);
	}
	if (ret < 0)
		dht_locks_release(xl, call, l);
	return ret;
}

void coroutine_fn dht_locks_release(struct xlator *xl, struct call *call, struct dht_locks *l)
{
	struct call own = lock_owner(call, l);
	struct lock_round r = { xl, &own, l, LOCK_UNLOCK, 0, 0 };

	co_shield();
	lock_round(&r, 0);
	co_unshield();
}

/* Locks on their way out: owns its inode references, its arena and the names. */
struct parting { struct xlator *xl; struct arena *arena; struct call call; struct dht_locks locks; };

static void coroutine_fn parting_run(void *arg)
{
	struct parting *p = arg;
	struct distribute *d = p->xl->priv;

	dht_locks_release(p->xl, &p->call, &p->locks);
	arena_free(p->arena);
	free(p);
	co_gate_leave(&d->work);
}

static struct parting *parting_new(struct xlator *xl, const struct dht_locks *l)
{
	struct parting *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->xl = xl;
	p->arena = arena_new(1 << 20);
	p->locks = *l;
	p->locks.v = arena_memdup(p->arena, l->v, l->n * sizeof(l->v[0]));
	call_init(&p->call, p->arena);
	for (unsigned i = 0; p->locks.v && i < l->n; i++) {
		if (!l->v[i].name)
			continue;
		p->locks.v[i].name = arena_strdup(p->arena, l->v[i].name);
		if (!p->locks.v[i].name)
			p->locks.v = NULL;
	}
	if (p->locks.v)
		return p;
	arena_free(p->arena);
	free(p);
	return NULL;
}

void coroutine_fn dht_locks_release_later(struct xlator *xl, struct call *call, struct dht_locks *l)
{
	struct distribute *d = xl->priv;
	struct parting *p = NULL;
	bool held = false;

	for (unsigned i = 0; i < l->n; i++)
		held |= l->v[i].held;
	if (!held)
		return;
	if (co_gate_enter(&d->work)) {
		p = parting_new(xl, l);
		if (p && co_start(xl_loop(xl), parting_run, p)) {
			l->n = 0;
			return;
		}
		co_gate_leave(&d->work);
	}
	if (p) {
		arena_free(p->arena);
		free(p);
	}
	dht_locks_release(xl, call, l);
}
