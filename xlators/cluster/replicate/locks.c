/* xlators/cluster/replicate/locks.c: locks on several bricks (facts: C2).
 *
 * First all at once without waiting; when somebody else holds one, give back what was got and take them one by one, waiting, in
 * the order every client uses: lockee by lockee, child 0 upwards. A wait that is interrupted cannot be taken back on a brick, so it
 * runs in a coroutine of its own, which gives back what nobody wants any more. */
#include <string.h>

#include "xlators/cluster/replicate/replicate.h"

void replicate_new_owner(struct replicate *rp, uint8_t owner[8])
{
	uint64_t id = ++rp->next_owner;

	memcpy(owner, &id, sizeof(id));
}

static int coroutine_fn lock_one(struct xlator *child, struct call *call, const struct locks *l, const struct lockee *v, enum lock_cmd cmd)
{
	if (v->entry) {
		struct entrylk_args args = { v->inode, l->domain, v->name, cmd, l->type };
		struct entrylk_res res;

		return xl_entrylk(child, call, &args, &res);
	} else {
		struct inodelk_args args = { v->inode, NULL, l->domain, cmd, l->type, v->start, v->len };
		struct inodelk_res res;

		return xl_inodelk(child, call, &args, &res);
	}
}

static bool is_lack(int err)
{
	return err == -ENOENT || err == -ESTALE;
}

/* A refusal that says nothing of a lock: whether it was taken is not known, so it is given back. */
static void coroutine_fn take_back(struct xlator *child, struct call *call, const struct locks *l, const struct lockee *v, int err)
{
	if (err != -EAGAIN && !is_lack(err) && err != -ENOTCONN && err != -EINVAL)
		lock_one(child, call, l, v, LOCK_UNLOCK);
}

struct round {
	struct watched watched;
	uint8_t left[REPLICATE_MAX];	/* lockees that each child was not heard about yet */
	struct xlator *xl;
	struct call *call;
	struct locks *l;
	enum lock_cmd cmd;
	int8_t conflict;
	int err;			/* a refusal that is neither a conflict nor a loss */
	bool lost;			/* some child did not answer: what the others refuse is not the last word */
};

static int coroutine_fn round_task(void *ctx, unsigned i)
{
	struct round *r = ctx;
	struct lockee *v = &r->l->v[i / REPLICATE_MAX];
	unsigned child = i % REPLICATE_MAX;
	int ret = lock_one(r->xl->children[child], r->call, r->l, v, r->cmd);

	if (!--r->left[child] || errno_is_loss(ret))
		watch_answered(r->xl, &r->watched, child, ret);
	if (r->cmd == LOCK_UNLOCK) {
		v->held &= ~bit(child);
		return ret;
	}
	if (ret == 0)
		v->held |= bit(child);
	else if (ret == -EAGAIN)
		r->conflict = 1;
	else if (errno_is_loss(ret))
		r->lost = true;
	else
		r->err = ret;
	if (is_lack(ret))
		v->lacking |= bit(child);
	if (ret < 0)
		take_back(r->xl->children[child], r->call, r->l, v, ret);
	return ret;
}

/* One task for each lockee and child. @have: locks that are held already, or NULL. */
static void coroutine_fn run_round(struct round *r, child_set want, const struct lockee *have)
{
	uint64_t which = 0;
	child_set asked = 0;
	unsigned k;

	_Static_assert(3 * REPLICATE_MAX <= 64, "a bit for each lock");
	for (k = 0; k < r->l->n; k++) {
		child_set on = r->cmd == LOCK_UNLOCK ? r->l->v[k].held : want & ~(have ? have[k].held | have[k].lacking : 0);
		unsigned i;

		for (i = 0; i < REPLICATE_MAX; i++)
			r->left[i] += on >> i & 1;
		asked |= on;
		which |= on << (k * REPLICATE_MAX);
	}
	if (!which)
		return;
	watch_begin(r->xl, &r->watched, asked);
	co_fanout(which, round_task, r);
	watch_end(&r->watched);
}

bool locks_held(const struct locks *l)
{
	unsigned k;

	for (k = 0; k < l->n && !l->v[k].held; k++)
		;
	return k < l->n;
}

child_set locks_lacking(const struct locks *l)
{
	child_set lacking = ~(child_set)0;
	unsigned k;

	for (k = 0; k < l->n; k++)
		lacking &= l->v[k].if_there ? ~(child_set)0 : l->v[k].lacking;
	return lacking;
}

void coroutine_fn locks_release(struct xlator *xl, struct call *call, struct locks *l)
{
	struct round r = { .xl = xl, .call = call, .l = l, .cmd = LOCK_UNLOCK };

	co_shield();
	run_round(&r, 0, NULL);
	co_unshield();
}

static child_set held_all(const struct locks *l)
{
	child_set held = ~(child_set)0;
	unsigned k;

	for (k = 0; k < l->n; k++)
		held &= l->v[k].held | (l->v[k].if_there ? l->v[k].lacking : 0);
	return held;
}

/* The contended way. Shared by its coroutine, the waits it started, and the waiter, who looks at it only while it is not abandoned. */
struct patience {
	struct arena *arena;
	struct xlator *xl;
	struct call call;
	struct locks locks;
	child_set want;
	unsigned refs;
	int err;
	bool lost, abandoned;
	struct co_wait done;
};

/* One lock on one copy, awaited in a coroutine of its own: it is not wanted any more where that copy is passed over. */
struct await { struct patience *p; unsigned k, child; bool answered, passed_over; int ret; struct co_wait wait; };

static void patience_unref(struct patience *p)
{
	struct replicate *rp = replicate_of(p->xl);
	unsigned k;

	if (--p->refs)
		return;
	for (k = 0; k < p->locks.n; k++)
		inode_unref(p->locks.v[k].inode);
	co_gate_leave(&rp->background);
	arena_free(p->arena);
}

static void coroutine_fn await_run(void *arg)
{
	struct await *a = arg;
	struct patience *p = a->p;
	struct xlator *child = p->xl->children[a->child];
	const struct lockee *v = &p->locks.v[a->k];

	a->ret = lock_one(child, &p->call, &p->locks, v, LOCK_WAIT);
	a->answered = true;
	if (!a->passed_over)
		co_wake(&a->wait, 0);
	else if (a->ret == 0)
		lock_one(child, &p->call, &p->locks, v, LOCK_UNLOCK);
	patience_unref(p);
}

static struct await *await_start(struct patience *p, unsigned k, unsigned child)
{
	struct await *a = arena_alloc(p->arena, sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct await){ .p = p, .k = k, .child = child };
	p->refs++;
	if (co_start(xl_loop(p->xl), await_run, a))
		return a;
	p->refs--;
	return NULL;
}

/* Can the rest be had without @child? Gives back what it got unless @keep. */
static bool coroutine_fn rest_is_free(struct patience *p, unsigned child, bool keep)
{
	child_set rest = p->want & ~bit(child);
	struct locks more = p->locks;
	struct round r = { .xl = p->xl, .call = &p->call, .l = &more, .cmd = LOCK_TRY };
	bool all = true;
	unsigned k;

	if (!quorum_met(replicate_of(p->xl), rest))
		return false;
	for (k = 0; k < more.n; k++)
		more.v[k].held = more.v[k].lacking = 0;
	run_round(&r, rest, p->locks.v);
	for (k = 0; k < more.n; k++)
		all = all && !(rest & ~(p->locks.v[k].held | p->locks.v[k].lacking | more.v[k].held | more.v[k].lacking));
	for (k = 0; all && keep && k < more.n; k++) {
		p->locks.v[k].held |= more.v[k].held;
		p->locks.v[k].lacking |= more.v[k].lacking;
	}
	if (!all || !keep)
		locks_release(p->xl, &p->call, &more);
	return all;
}

#define PASS_OVER_NS 500000000ull

/* Whoever holds the lock on a silent copy cannot let go of it there, but does elsewhere. So where all but one copy can be locked, and half a
 * second later still, that one is passed over: as if it were away. It is asked twice, because a lock may be on its way from one to another. */
static int coroutine_fn await_lock(struct patience *p, unsigned k, unsigned child)
{
	uint64_t slow = replicate_of(p->xl)->slow_copy_ms * 1000000, rest = slow > PASS_OVER_NS ? slow - PASS_OVER_NS : slow;
	struct await *a = await_start(p, k, child);
	bool free_before = false, free;

	if (!a)
		return -ENOMEM;
	while (!a->answered) {
		uint64_t old = co_set_deadline(slow ? loop_now_ns(xl_loop(p->xl)) + rest : 0);

		co_park(&a->wait);
		co_restore_deadline(old);
		if (a->answered || p->abandoned)
			break;
		free = rest_is_free(p, child, free_before);
		if (a->answered)
			break;
		if (free && free_before) {
			p->want &= ~bit(child);
			break;
		}
		free_before = free;
		rest = PASS_OVER_NS;
	}
	a->passed_over = !a->answered;
	return a->answered ? a->ret : -EAGAIN;
}

static void coroutine_fn patience_run(void *arg)
{
	struct patience *p = arg;
	unsigned k, i;

	for (k = 0; k < p->locks.n; k++) {
		struct lockee *v = &p->locks.v[k];

		for (i = 0; i < REPLICATE_MAX && !p->abandoned; i++) {
			int ret;

			if (!(p->want & ~v->held & bit(i)))
				continue;
			ret = await_lock(p, k, i);
			if (ret == 0)
				v->held |= bit(i);
			else
				take_back(p->xl->children[i], &p->call, &p->locks, v, ret);
			if (is_lack(ret))
				v->lacking |= bit(i);
			if (errno_is_loss(ret))
				p->lost = true;
			else if (ret < 0 && ret != -EAGAIN)
				p->err = ret;
		}
	}
	if (p->abandoned)
		locks_release(p->xl, &p->call, &p->locks);
	else
		co_wake(&p->done, 0);		/* the waiter takes over */
	patience_unref(p);
}

static struct patience *patience_new(struct xlator *xl, const struct call *call, const struct locks *l, child_set want)
{
	struct replicate *rp = replicate_of(xl);
	struct arena *arena = arena_new(256 << 10);
	struct patience *p = arena_alloc(arena, sizeof(*p));
	unsigned k;

	if (!co_gate_enter(&rp->background)) {
		arena_free(arena);
		return NULL;
	}
	p->arena = arena;
	p->xl = xl;
	p->call = *call;
	p->call.arena = arena;
	p->call.sent = NULL;
	p->call.groups = arena_memdup(arena, call->groups, call->ngroups * sizeof(*call->groups));
	p->call.lk_owner = arena_memdup(arena, call->lk_owner, call->lk_owner_len);
	p->locks = *l;
	p->locks.domain = arena_strdup(arena, l->domain);
	p->want = want;
	p->refs = 1;
	for (k = 0; k < l->n; k++) {
		inode_ref(l->v[k].inode);
		if (l->v[k].name)
			p->locks.v[k].name = arena_strdup(arena, l->v[k].name);
	}
	return p;
}

/* *ret_refused: why nothing is held, where that is so. */
static int coroutine_fn locks_wait(struct xlator *xl, struct call *call, struct locks *l, child_set want, int *ret_refused)
{
	struct patience *p = patience_new(xl, call, l, want);
	unsigned k;
	int ret;

	if (!p)
		return -ENOTCONN;
	if (!co_start(xl_loop(xl), patience_run, p)) {
		patience_unref(p);
		return -ENOMEM;
	}
	p->refs++;
	ret = co_park(&p->done);
	if (ret < 0) {				/* we only ever wake with 0 */
		p->abandoned = true;
		patience_unref(p);
		return ret;
	}
	for (k = 0; k < l->n; k++) {
		l->v[k].held = p->locks.v[k].held;
		l->v[k].lacking = p->locks.v[k].lacking;
	}
	*ret_refused = p->lost ? -ENOTCONN : p->err;
	patience_unref(p);
	return ret;
}

int coroutine_fn locks_take(struct xlator *xl, struct call *call, struct locks *l, child_set want, bool wait, child_set *ret_held)
{
	struct round r = { .xl = xl, .call = call, .l = l, .cmd = LOCK_TRY };
	int ret, refused;

	co_shield();
	run_round(&r, want, NULL);
	co_unshield();
	refused = r.lost ? -ENOTCONN : r.err;
	if (r.conflict) {
		l->waited = true;
		locks_release(xl, call, l);
		ret = wait ? locks_wait(xl, call, l, want, &refused) : -EAGAIN;
		if (ret < 0)
			return ret;
	}
	*ret_held = held_all(l);
	if (*ret_held)
		return 0;
	locks_release(xl, call, l);
	return refused < 0 ? refused : -ENOTCONN;
}

static int lockee_order(const struct lockee *a, const struct lockee *b)
{
	int order = memcmp(a->inode->gfid, b->inode->gfid, 16);

	if (order)
		return order;
	if (!a->name || !b->name)
		return !!a->name - !!b->name;
	return strcmp(a->name, b->name);
}

/* By gfid, then the whole directory, then names; what is there twice, once. */
void locks_sort(struct locks *l)
{
	unsigned i, j, n = 0;

	for (i = 1; i < l->n; i++)
		for (j = i; j > 0 && lockee_order(&l->v[j - 1], &l->v[j]) > 0; j--) {
			struct lockee tmp = l->v[j];

			l->v[j] = l->v[j - 1];
			l->v[j - 1] = tmp;
		}
	for (i = 0; i < l->n; i++)
		if (!n || lockee_order(&l->v[n - 1], &l->v[i]) != 0)
			l->v[n++] = l->v[i];
	l->n = n;
}

/* Locks that translators above take in domains of their own. */
static int coroutine_fn pass_locks(struct xlator *xl, struct call *call, struct locks *l, enum lock_cmd cmd)
{
	struct replicate *rp = replicate_of(xl);
	child_set held;
	int ret;

	if (cmd == LOCK_UNLOCK) {
		l->v[0].held = rp->up | rp->watch.silent;	/* a silent one keeps it until it is told */
		locks_release(xl, call, l);
		return 0;
	}
	if (!quorum_met(rp, rp->up))
		return -ENOTCONN;
	ret = locks_take(xl, call, l, rp->up, cmd == LOCK_WAIT, &held);
	if (ret == 0 && !quorum_holds(rp, held, locks_lacking(l))) {
		locks_release(xl, call, l);
		ret = -ENOTCONN;
	}
	return ret;
}

int coroutine_fn replicate_inodelk(struct xlator *xl, struct call *call, const struct inodelk_args *args, struct inodelk_res *res)
{
	struct locks l = { args->domain, args->type, 1, { { args->inode, NULL, false, args->start, args->len, 0, 0, false } }, false };

	return pass_locks(xl, call, &l, args->cmd);
}

int coroutine_fn replicate_entrylk(struct xlator *xl, struct call *call, const struct entrylk_args *args, struct entrylk_res *res)
{
	struct locks l = { args->domain, args->type, 1, { { args->inode, args->name, true, 0, 0, 0, 0, false } }, false };

	return pass_locks(xl, call, &l, args->cmd);
}

/* Locks of applications: one after the other, so that two who want the same never hold half each. */
int coroutine_fn replicate_lk(struct xlator *xl, struct call *call, const struct lk_args *args, struct lk_res *res)
{
	struct replicate *rp = replicate_of(xl);
	struct lk_args undo = *args;
	child_set held = 0;
	int ret = -ENOTCONN, err = 0;
	unsigned i;

	for (i = 0; i < rp->n && err == 0; i++) {
		if (!(rp->up & bit(i)))
			continue;
		ret = xl_lk(xl->children[i], call, args, res);
		if (ret == 0 && args->cmd == LOCK_GET)
			return 0;
		if (ret == 0)
			held |= bit(i);
		else if (!errno_is_loss(ret) || co_interrupted())
			err = ret;
	}
	if (args->cmd == LOCK_UNLOCK || args->cmd == LOCK_GET)
		return held ? 0 : ret;
	if (err == 0 && quorum_met(rp, held))
		return 0;
	undo.cmd = LOCK_UNLOCK;
	co_shield();
	for (i = 0; i < rp->n; i++) {
		struct lk_res unused;

		if (held & bit(i))
			xl_lk(xl->children[i], call, &undo, &unused);
	}
	co_unshield();
	return err ? err : -ENOTCONN;
}
