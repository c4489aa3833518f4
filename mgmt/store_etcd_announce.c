/* mgmt/store_etcd_announce.c: documents that go away with their host: put under a lease that is kept alive.
 *
 * What is announced is remembered here. When its lease is lost (etcd was away for longer than it lasts) or somebody has deleted it, it is
 * put again under a new one. One at a time works on leases (@announcing); wishes that come meanwhile are kept and are the next holder's
 * work. */
#include "mgmt/store_etcd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/loop.h"

#define TTL_MIN_S 2u		/* etcd grants no less */
#define ANNOUNCED_MAX 64u

struct announced {
	struct list link;
	char *key, *text, *wish;	/* NULL: it shall go away */
	size_t len, wish_len;
	unsigned ttl_s, wish_ttl_s;
	bool wished, due;		/* a new text has come; the text is not in etcd */
	int64_t lease;			/* 0: none */
	uint64_t renew_ns, revision;
};

static struct announced *find(const struct store_etcd *x, const char *key)
{
	struct list *link;

	list_for_each(link, &x->announced) {
		struct announced *a = list_entry(link, struct announced, link);

		if (strcmp(a->key, key) == 0)
			return a;
	}
	return NULL;
}

static void announced_free(struct announced *a)
{
	list_remove(&a->link);
	free(a->key);
	free(a->text);
	free(a->wish);
	free(a);
}

static struct announced *make(struct store_etcd *x, const char *key)
{
	struct announced *a;
	struct list *link;
	unsigned n = 0;

	list_for_each(link, &x->announced)
		n++;
	a = n < ANNOUNCED_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (!a)
		return NULL;
	a->key = strdup(key);
	if (!a->key)
		abort();
	list_append(&x->announced, &a->link);
	return a;
}

static int wish(struct store_etcd *x, const char *key, const char *text, size_t len, unsigned ttl_s)
{
	struct announced *a = find(x, key);
	char *own = NULL;

	if (!a)
		a = make(x, key);
	if (text)
		own = malloc(len + 1);
	if (!a || (text && !own)) {
		free(own);
		return -ENOMEM;
	}
	if (text)
		memcpy(own, text, len);
	free(a->wish);
	a->wish = own;
	a->wish_len = len;
	a->wish_ttl_s = ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s;
	a->wished = true;
	return 0;
}

/* --- the holder of @announcing --- */

static void take_wish(struct announced *a)
{
	if (!a->wished)
		return;
	free(a->text);
	a->text = a->wish;
	a->len = a->wish_len;
	a->wish = NULL;
	a->wished = false;
	a->due = true;
	if (a->ttl_s != a->wish_ttl_s)
		a->lease = 0;		/* the old one runs out with nothing under it */
	a->ttl_s = a->wish_ttl_s;
}

static int coroutine_fn grant(struct store_etcd *x, unsigned ttl_s, uint64_t until_ns, struct error *err, int64_t *ret_lease)
{
	struct etcd_answer a;
	int ret = etcd_grant(x->e, ttl_s, until_ns, err, &a);

	if (ret < 0)
		return ret;
	*ret_lease = a.lease;
	etcd_answer_free(&a);
	return *ret_lease ? 0 : error_set(err, -EPROTO, "etcd grants a lease without a number");
}

static int coroutine_fn put_under(struct store_etcd *x, const char *key, const char *text, size_t len, int64_t lease, uint64_t until_ns,
				  struct error *err, uint64_t *ret_revision)
{
	char *full = store_etcd_key(x, key);
	struct etcd_answer a;
	int ret = etcd_put(x->e, full, text, len, ETCD_ANY, lease, until_ns, err, &a);

	free(full);
	if (ret < 0)
		return ret;
	*ret_revision = a.revision;
	etcd_answer_free(&a);
	store_etcd_put_done(x, key, text, len, *ret_revision);
	return 0;
}

static int coroutine_fn renew_after(struct store_etcd *x, struct announced *a, int ret)
{
	uint64_t now = loop_now_ns(x->loop);

	a->renew_ns = ret == 0 ? now + (uint64_t)a->ttl_s * 1000 * STORE_ETCD_MS / 3 : now + 500ull * STORE_ETCD_MS;
	return ret;
}

/* A wish that comes meanwhile does not touch text: the next round takes it. */
static int coroutine_fn publish(struct store_etcd *x, struct announced *a, uint64_t until_ns, struct error *err)
{
	bool granted = false;
	int ret = 0;

	for (;;) {
		if (!a->lease) {
			ret = grant(x, a->ttl_s, until_ns, err, &a->lease);
			granted = true;
		}
		if (ret == 0)
			ret = put_under(x, a->key, a->text, a->len, a->lease, until_ns, err, &a->revision);
		if (ret != -ENOENT || granted)
			break;
		a->lease = 0;		/* lost: with a new one, then */
		err->text[0] = 0;
		ret = 0;
	}
	if (ret == 0)
		a->due = false;
	return renew_after(x, a, ret);
}

static int coroutine_fn delete_any(struct store_etcd *x, const char *key, uint64_t until_ns, struct error *err)
{
	char *full = store_etcd_key(x, key);
	struct etcd_answer a;
	int ret = etcd_delete(x->e, full, ETCD_ANY, until_ns, err, &a);

	free(full);
	if (ret < 0)
		return ret;
	store_etcd_gone(x, key, a.revision);
	etcd_answer_free(&a);
	return 0;
}

static int coroutine_fn withdraw(struct store_etcd *x, struct announced *a, uint64_t until_ns, struct error *err)
{
	struct etcd_answer answer;
	int ret = delete_any(x, a->key, until_ns, err);

	if (ret < 0)
		return renew_after(x, a, ret);
	if (a->lease && etcd_revoke(x->e, a->lease, until_ns, NULL, &answer) == 0)
		etcd_answer_free(&answer);
	a->lease = 0;
	a->due = false;
	if (!a->wished)
		announced_free(a);
	return 0;
}

static int coroutine_fn renew(struct store_etcd *x, struct announced *a, uint64_t until_ns, struct error *err)
{
	struct etcd_answer answer;
	int ret = etcd_keepalive(x->e, a->lease, until_ns, err, &answer);
	bool lost = ret == -ENOENT || (ret == 0 && !answer.ttl_s);

	if (ret == 0)
		etcd_answer_free(&answer);
	if (!lost)
		return renew_after(x, a, ret);
	log_notice("the lease of what this host announces was lost: announcing it anew", "key=%s", log_quote(a->key));
	err->text[0] = 0;
	a->lease = 0;
	a->due = true;
	return publish(x, a, until_ns, err);
}

/* May free @a. */
static int coroutine_fn work_on(struct store_etcd *x, struct announced *a, struct error *err)
{
	uint64_t until_ns = store_etcd_until(x);

	take_wish(a);
	if (!a->due && loop_now_ns(x->loop) < a->renew_ns)
		return 0;
	if (!a->text)
		return withdraw(x, a, until_ns, err);
	return a->due ? publish(x, a, until_ns, err) : renew(x, a, until_ns, err);
}

/* --- the coroutine --- */

static void coroutine_fn work(struct store_etcd *x)
{
	struct list *link, *next;
	struct error err;

	list_for_each_safe(link, next, &x->announced) {
		struct announced *a = list_entry(link, struct announced, link);

		err.text[0] = 0;
		if (work_on(x, a, &err) < 0 && (etcd_silent_ms(x->e) || co_interrupted()))
			return;
		if (err.text[0])
			log_warning("what this host announces cannot be kept in the store, trying again", "reason=%s", log_quote(err.text));
	}
}

static uint64_t until_next_ms(const struct store_etcd *x)
{
	uint64_t now = loop_now_ns(x->loop), next_ms = 1000;
	struct list *link;

	list_for_each(link, &x->announced) {
		const struct announced *a = list_entry(link, struct announced, link);
		uint64_t ms = a->renew_ns > now ? (a->renew_ns - now) / STORE_ETCD_MS + 1 : 1;

		if (ms < next_ms)
			next_ms = ms;
	}
	return next_ms;
}

void coroutine_fn store_etcd_keep(void *arg)
{
	struct store_etcd *x = arg;

	while (co_interrupted() != -ECANCELED) {
		if (etcd_silent_ms(x->e)) {
			store_etcd_nap(x, &x->answers, 1000);
			continue;
		}
		if (co_mutex_lock(&x->announcing) < 0)
			break;
		work(x);
		co_mutex_unlock(&x->announcing);
		store_etcd_nap(x, &x->announcer_work, until_next_ms(x));
	}
	co_gate_leave(&x->inside);
}

/* --- from outside --- */

void store_etcd_announced_gone(struct store_etcd *x, const char *key, uint64_t revision)
{
	struct announced *a = find(x, key);

	if (!a || !a->text || revision <= a->revision)
		return;
	a->due = true;
	a->renew_ns = 0;
	co_queue_wake_all(&x->announcer_work);
}

static int coroutine_fn announce_once(struct store_etcd *x, const char *key, const char *text, size_t len, unsigned ttl_s, struct error *err)
{
	uint64_t until_ns = store_etcd_until(x), revision;
	int64_t lease;
	int ret = grant(x, ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s, until_ns, err, &lease);

	return ret < 0 ? ret : put_under(x, key, text, len, lease, until_ns, err, &revision);
}

int coroutine_fn store_etcd_announce(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once,
				     struct error *err)
{
	struct store_etcd *x = store_private(s);
	struct announced *a;
	uint64_t old;
	int ret;

	if (len > STORE_DOCUMENT_MAX)
		return error_set(err, -E2BIG, "%s would have %zu bytes, more than the %u that a document may have", key, len,
				 STORE_DOCUMENT_MAX);
	if (text && once)
		return announce_once(x, key, text, len, ttl_s, err);
	if (!text && !find(x, key))
		return delete_any(x, key, store_etcd_until(x), err);
	ret = wish(x, key, text, len, ttl_s);
	if (ret < 0)
		return error_set(err, ret, "%s cannot be announced: too many are", key);
	old = co_set_deadline(store_etcd_until(x));
	ret = co_mutex_lock(&x->announcing);
	if (ret == 0) {
		a = find(x, key);
		ret = a ? work_on(x, a, err) : 0;
		co_mutex_unlock(&x->announcing);
	}
	co_restore_deadline(old);
	if (ret < 0)
		error_set(err, ret, "%s could not be announced in time; it is tried again", key);
	return ret;
}

void coroutine_fn store_etcd_withdraw_all(struct store_etcd *x)
{
	uint64_t until_ns = store_etcd_until(x);
	struct etcd_answer answer;
	struct announced *a;

	while (!list_empty(&x->announced)) {
		a = list_first(&x->announced, struct announced, link);
		if (a->lease && !etcd_silent_ms(x->e) && loop_now_ns(x->loop) < until_ns &&
		    etcd_revoke(x->e, a->lease, until_ns, NULL, &answer) == 0)
			etcd_answer_free(&answer);
		announced_free(a);
	}
}
