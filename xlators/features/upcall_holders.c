/* xlators/features/upcall_holders.c: which clients may remember what, and how they are told that it changed.
 *
 * The contract with a client that acknowledges: what it learned it uses for the lease time (xlator.lease_s, 3 s) after it asked and no longer. A
 * change is answered when all who hold a lease said that they forgot, or when the leases are over, whichever comes first: nobody then
 * believes the old state. A reply that was under way when an invalidation of its object came in must not be remembered. Clients that cannot
 * acknowledge are told, for the longer time that stock clients expect, and never waited for. */
#include "xlators/features/upcall.h"

#include <stdlib.h>
#include <string.h>

/* ---- clients ---- */

static struct upcall_client *client_find(const struct upcall *up, const struct client *client)
{
	struct hash_link *l;

	for (l = hash_find(&up->clients, hash_bytes(&client, sizeof(client), 0)); l; l = hash_next(l))
		if (container_of(l, struct upcall_client, link)->client == client)
			return container_of(l, struct upcall_client, link);
	return NULL;
}

static struct upcall_client *client_get(struct upcall *up, struct client *client)
{
	struct upcall_client *uc = client_find(up, client);

	if (uc)
		return uc;
	uc = calloc(1, sizeof(*uc));
	if (!uc)
		return NULL;
	uc->client = client_ref(client);
	list_init(&uc->holders);
	list_init(&uc->asked);
	list_append(&up->client_list, &uc->all);
	hash_insert(&up->clients, &uc->link, hash_bytes(&client, sizeof(client), 0));
	return uc;
}

static void client_free(struct upcall *up, struct upcall_client *uc)
{
	hash_remove(&up->clients, &uc->link);
	list_remove(&uc->all);
	client_unref(uc->client);
	free(uc);
}

/* ---- holders ---- */

static void holder_free(struct upcall *up, struct holder *h)
{
	struct upcall_inode *ui = *inode_ctx(up->xl, h->inode);
	struct list *pos;

	list_for_each(pos, &h->uc->asked)
		if (list_entry(pos, struct asked, link)->holder == h)
			list_entry(pos, struct asked, link)->holder = NULL;
	list_remove(&h->of_inode);
	list_remove(&h->of_client);
	list_remove(&h->age);
	up->nholders--;
	if (list_empty(&ui->holders)) {
		*inode_ctx(up->xl, h->inode) = NULL;
		free(ui);
	}
	inode_unref(h->inode);
	free(h);
}

static void purge(void *arg)
{
	struct upcall *up = arg;
	uint64_t now = loop_now_ns(xl_loop(up->xl)), kept = up->tell_ms * 1000000;

	while (!list_empty(&up->oldest)) {
		struct holder *h = list_first(&up->oldest, struct holder, age);

		if (now - h->looked_ns < kept) {
			timer_arm(xl_loop(up->xl), &up->purge, h->looked_ns + kept);
			return;
		}
		holder_free(up, h);
	}
}

static void send_one(struct upcall *up, struct holder *h, struct xl_upcall *u, struct change *ch);

static bool has_lease(const struct upcall *up, const struct holder *h)
{
	return h->uc->client->acknowledges && loop_now_ns(xl_loop(up->xl)) < h->looked_ns + up->lease_ms * 1000000;
}

/* No room: who looked longest ago is made to forget. If it still has a lease, its record stays until it has forgotten. */
static void evict(struct upcall *up)
{
	struct holder *h = list_first(&up->oldest, struct holder, age);
	struct xl_upcall u = { .flags = UP_TIMES };

	list_remove(&h->age);
	list_append(&up->oldest, &h->age);
	if (h->told || !has_lease(up, h) || up->nholders >= (uint64_t)up->max_holders * 2)
		holder_free(up, h);
	else
		send_one(up, h, &u, NULL);
}

static struct holder *holder_new(struct upcall *up, struct client *client, struct inode *inode)
{
	struct upcall_client *uc = client_get(up, client);
	struct upcall_inode *ui = *inode_ctx(up->xl, inode);
	struct holder *h = uc ? calloc(1, sizeof(*h)) : NULL;

	if (h && !ui) {
		ui = calloc(1, sizeof(*ui));
		if (ui) {
			list_init(&ui->holders);
			*inode_ctx(up->xl, inode) = ui;
		}
	}
	if (!h || !ui) {
		free(h);
		return NULL;
	}
	h->inode = inode_ref(inode);
	h->uc = uc;
	list_append(&ui->holders, &h->of_inode);
	list_append(&uc->holders, &h->of_client);
	list_append(&up->oldest, &h->age);
	up->nholders++;
	return h;
}

static struct holder *holder_find(struct upcall *up, const struct client *client, struct inode *inode)
{
	struct upcall_inode *ui = *inode_ctx(up->xl, inode);
	struct list *pos;

	if (!ui)
		return NULL;
	list_for_each(pos, &ui->holders)
		if (list_entry(pos, struct holder, of_inode)->uc->client == client)
			return list_entry(pos, struct holder, of_inode);
	return NULL;
}

void holders_add(struct upcall *up, const struct call *call, struct inode *inode)
{
	struct holder *h;

	if (!up->on || !call->client || !call->client->notify)
		return;
	h = holder_find(up, call->client, inode);
	if (!h && up->nholders >= (uint64_t)up->max_holders)
		evict(up);
	if (!h)
		h = holder_new(up, call->client, inode);
	if (!h)
		return;		/* no memory: then it is not told; its own lease bounds the harm */
	h->looked_ns = loop_now_ns(xl_loop(up->xl));
	h->told = 0;
	list_remove(&h->age);
	list_append(&up->oldest, &h->age);
	if (!timer_armed(&up->purge))
		timer_arm(xl_loop(up->xl), &up->purge, h->looked_ns + up->tell_ms * 1000000);
}

bool holders_others(const struct upcall *up, const struct call *call)
{
	struct list *pos;

	list_for_each(pos, &up->client_list)
		if (list_entry(pos, struct upcall_client, all)->client != call->client)
			return true;
	return false;
}

bool holders_changed_since(const struct upcall *up, const uint8_t *gfid, uint64_t before)
{
	uint64_t i;

	if (up->changes - before > UPCALL_RECENT)
		return true;
	for (i = before; i < up->changes; i++)
		if (gfid_equal(up->changed[i % UPCALL_RECENT], gfid))
			return true;
	return false;
}

/* ---- telling ---- */

static void asked_done(struct asked *a)
{
	if (a->change && --a->change->left == 0)
		co_wake(&a->change->wait, 0);
	list_remove(&a->of_change);
	list_remove(&a->link);
	free(a);
}

/* NULL: no answer is wanted (or there is no memory for it: then the wait is not exact, as with a stock client). */
static struct asked *ask(struct upcall *up, struct upcall_client *uc, struct holder *h, struct change *ch)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->sequence = ++up->sequence;
	a->holder = h;
	a->uc = uc;
	a->change = ch ? &ch->wait : NULL;
	list_init(&a->of_change);
	list_append(&uc->asked, &a->link);
	if (ch) {
		ch->wait.left++;
		list_append(&ch->asked, &a->of_change);
	}
	return a;
}

/* 0: sent, and @a (if any) will be answered. */
static int notify(struct upcall *up, struct upcall_client *uc, struct xl_upcall *u, struct asked *a)
{
	int ret;

	u->kind = UPCALL_INVALIDATE;
	u->expire_s = (uint32_t)(up->tell_ms / 1000);
	u->sequence = a ? a->sequence : 0;
	ret = uc->client->notify(uc->client, u);
	if (ret < 0 && a)		/* its connection is gone: so is what it remembers */
		asked_done(a);
	return ret;
}

/* With @ch the change waits for the answer. */
static void send_one(struct upcall *up, struct holder *h, struct xl_upcall *u, struct change *ch)
{
	struct asked *a = has_lease(up, h) ? ask(up, h->uc, h, ch) : NULL;
	uint64_t until = h->looked_ns + up->lease_ms * 1000000;

	memcpy(u->gfid, h->inode->gfid, 16);
	if (a && ch && until > ch->wait.until_ns)
		ch->wait.until_ns = until;
	if (a)
		h->told = a->sequence;
	if (notify(up, h->uc, u, a) < 0 || !a)
		holder_free(up, h);
}

void change_begin(struct change *ch, struct upcall *up, const struct call *call)
{
	memset(ch, 0, sizeof(*ch));
	ch->up = up;
	ch->call = call;
	list_init(&ch->asked);
}

void change_tell(struct change *ch, const uint8_t *gfid, struct xl_upcall *u)
{
	struct upcall *up = ch->up;
	struct inode *inode = up->on ? inode_find(xl_inodes(up->xl), gfid) : NULL;
	struct upcall_inode *ui = inode ? *inode_ctx(up->xl, inode) : NULL;
	struct list *pos, *tmp;

	memcpy(up->changed[up->changes++ % UPCALL_RECENT], gfid, 16);
	if (ui) {
		ch->wait.left++;	/* no wake before everybody is told */
		list_for_each_safe(pos, tmp, &ui->holders) {
			struct holder *h = list_entry(pos, struct holder, of_inode);
			bool last = tmp == &ui->holders;

			if (h->uc->client != ch->call->client)
				send_one(up, h, u, ch);
			if (last)	/* the list's head may have gone with its last holder */
				break;
		}
		ch->wait.left--;
	}
	inode_unref(inode);
}

void change_tell_all(struct change *ch, const uint8_t *gfid, struct xl_upcall *u)
{
	struct upcall *up = ch->up;
	struct list *pos;

	if (!up->on)
		return;
	memcpy(up->changed[up->changes++ % UPCALL_RECENT], gfid, 16);
	memcpy(u->gfid, gfid, 16);
	ch->wait.left++;
	list_for_each(pos, &up->client_list) {
		struct upcall_client *uc = list_entry(pos, struct upcall_client, all);

		if (uc->client != ch->call->client)
			notify(up, uc, u, uc->client->acknowledges ? ask(up, uc, NULL, ch) : NULL);
	}
	ch->wait.left--;
	if (ch->wait.left)
		ch->wait.until_ns = loop_now_ns(xl_loop(up->xl)) + up->lease_ms * 1000000;
}

static void give_up(void *arg)
{
	co_wake(arg, -ETIMEDOUT);
}

/* Who did not answer in time has lost its lease by now. */
static void forget_silent(struct change *ch)
{
	while (!list_empty(&ch->asked)) {
		struct asked *a = list_first(&ch->asked, struct asked, of_change);
		struct holder *h = a->holder;

		a->change = NULL;
		if (h && h->told == a->sequence)
			holder_free(ch->up, h);
		asked_done(a);
	}
}

void coroutine_fn change_wait(struct change *ch)
{
	struct loop *loop = xl_loop(ch->up->xl);
	struct timer timer;

	if (!ch->wait.left)
		return;
	memset(&timer, 0, sizeof(timer));
	timer_init(&timer, give_up, &ch->wait.wait);
	timer_arm(loop, &timer, ch->wait.until_ns);
	co_shield();
	co_park(&ch->wait.wait);
	co_unshield();
	timer_cancel(&timer);
	forget_silent(ch);
}

void holders_acknowledged(struct upcall *up, struct client *client, uint64_t sequence)
{
	struct upcall_client *uc = client_find(up, client);
	struct list *pos;

	if (!uc)
		return;
	list_for_each(pos, &uc->asked) {
		struct asked *a = list_entry(pos, struct asked, link);
		struct holder *h = a->holder;

		if (a->sequence != sequence)
			continue;
		asked_done(a);
		if (h && h->told == sequence)		/* has not looked again since */
			holder_free(up, h);
		break;
	}
}

void holders_drop_client(struct upcall *up, struct client *client)
{
	struct upcall_client *uc = client_find(up, client);

	if (!uc)
		return;
	while (!list_empty(&uc->asked))
		asked_done(list_first(&uc->asked, struct asked, link));
	while (!list_empty(&uc->holders))
		holder_free(up, list_first(&uc->holders, struct holder, of_client));
	client_free(up, uc);
}

void holders_init(struct upcall *up)
{
	hash_init(&up->clients);
	list_init(&up->client_list);
	list_init(&up->oldest);
	timer_init(&up->purge, purge, up);
}

void holders_fini(struct upcall *up)
{
	while (!list_empty(&up->client_list))
		holders_drop_client(up, list_first(&up->client_list, struct upcall_client, all)->client);
	timer_cancel(&up->purge);
	hash_fini(&up->clients);
}
