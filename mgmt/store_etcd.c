/* mgmt/store_etcd.c: the store of several hosts: etcd.
 *
 * Three coroutines live as long as the store. The prober asks etcd something a second when nobody else does, so that silence is known before
 * a command needs the answer; the follower keeps the mirror as etcd is (store_etcd_follow.c); the announcer keeps leases alive
 * (store_etcd_announce.c). While etcd is silent only the prober asks; the others wait until it is answered. */
#include "mgmt/store_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/loop.h"

#define PROBE_MS 1000u		/* as old may be what we know of etcd's health */
#define TROUBLE_PAUSE_MS 600u

uint64_t store_etcd_until(const struct store_etcd *x)
{
	return loop_now_ns(x->loop) + (uint64_t)STORE_ETCD_CALL_MS * STORE_ETCD_MS;
}

char *store_etcd_key(const struct store_etcd *x, const char *key)
{
	char *full;

	if (asprintf(&full, "%s%s", x->prefix, key) < 0)
		abort();
	return full;
}

int coroutine_fn store_etcd_nap(struct store_etcd *x, struct co_queue *q, uint64_t ms)
{
	uint64_t old = co_set_deadline(loop_now_ns(x->loop) + ms * STORE_ETCD_MS);

	co_queue_wait(q);
	co_restore_deadline(old);
	return co_interrupted();
}

uint64_t store_etcd_jitter(struct store_etcd *x, uint64_t ms)
{
	uint32_t dice;

	loop_random(x->loop, &dice, sizeof(dice));
	return ms / 2 + dice % (ms / 2 + 1);
}

/* --- the prober --- */

/* A read that a majority must confirm: an etcd that can only tell old news counts as silent. */
static int coroutine_fn probe(struct store_etcd *x, struct error *err)
{
	struct etcd_range r = { .key = x->prefix, .key_len = strlen(x->prefix), .count_only = true };
	uint64_t before = x->position;
	struct etcd_answer a;
	int ret = etcd_range(x->e, &r, store_etcd_until(x), err, &a);

	if (ret < 0)
		return ret;
	if (x->known && a.revision < before) {
		log_warning("etcd has gone back: reading everything anew", "revision=%llu before=%llu", (unsigned long long)a.revision,
			    (unsigned long long)before);
		x->known = false;
	}
	etcd_answer_free(&a);
	return 0;
}

/* How long it may be until the next probe. */
static uint64_t pause_ms(struct store_etcd *x)
{
	uint64_t age_ms = (loop_now_ns(x->loop) - etcd_answered_ns(x->e)) / STORE_ETCD_MS;

	if (etcd_silent_ms(x->e))
		return store_etcd_jitter(x, TROUBLE_PAUSE_MS);
	return age_ms < PROBE_MS ? PROBE_MS - age_ms : 0;
}

static void coroutine_fn probe_on(void *arg)
{
	struct store_etcd *x = arg;
	bool silent = etcd_silent_ms(x->e) > 0, before = silent;
	struct error err;

	while (co_sleep_ns((pause_ms(x) + 1) * STORE_ETCD_MS) != -ECANCELED) {
		err.text[0] = 0;
		if (etcd_silent_ms(x->e) || !pause_ms(x))
			probe(x, &err);
		silent = etcd_silent_ms(x->e) > 0;
		if (silent && !before)
			log_warning("the store is silent: what is known of it stays, nothing can be written", "reason=%s", log_quote(err.text));
		if (!silent && before) {
			log_notice("the store answers again", "store=%s", log_quote(store_url(x->s)));
			co_queue_wake_all(&x->answers);
		}
		before = silent;
	}
	co_gate_leave(&x->inside);
}

/* --- writing --- */

/* Somebody else was faster: whoever asked reads the mirror next, so it must show what stands there now. */
static int refused(struct store_etcd *x, const char *key, uint64_t expected, const struct etcd_answer *a)
{
	const struct etcd_kv *kv = a->n ? &a->kvs[0] : NULL;

	if (kv && kv->len <= STORE_DOCUMENT_MAX)
		store_mirror(x->s, key, kv->value, kv->len, kv->revision);
	else if (!kv)
		store_etcd_gone(x, key, a->revision);
	return expected ? -ESTALE : -EEXIST;
}

static int coroutine_fn change(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err)
{
	struct store_etcd *x = store_private(s);
	char *full = store_etcd_key(x, key);
	struct etcd_answer a;
	int ret;

	if (text)
		ret = etcd_put(x->e, full, text, len, expected, 0, store_etcd_until(x), err, &a);
	else
		ret = etcd_delete(x->e, full, expected, store_etcd_until(x), err, &a);
	free(full);
	if (ret < 0)
		return ret;
	if (a.succeeded && text)
		store_etcd_put_done(x, key, text, len, a.revision);
	else if (a.succeeded)
		store_etcd_gone(x, key, a.revision);
	else
		ret = refused(x, key, expected, &a);
	etcd_answer_free(&a);
	return ret;
}

static int coroutine_fn etcd_ops_put(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err)
{
	return change(s, key, text, len, expected, err);
}

static int coroutine_fn etcd_ops_remove(struct store *s, const char *key, uint64_t expected, struct error *err)
{
	return change(s, key, NULL, 0, expected, err);
}

/* --- open and close --- */

static void coroutine_fn stop(struct store_etcd *x)
{
	if (x->prober)
		co_cancel(x->prober);
	if (x->follower)
		co_cancel(x->follower);
	if (x->announcer)
		co_cancel(x->announcer);
	co_shield();
	co_gate_close(&x->inside);
	co_unshield();
}

static void coroutine_fn etcd_ops_close(struct store *s)
{
	struct store_etcd *x = store_private(s);

	stop(x);
	co_shield();
	store_etcd_withdraw_all(x);
	co_unshield();
	store_etcd_forget_graves(x, UINT64_MAX);
	etcd_free(x->e);
	free(x->prefix);
	free(x);
}

static struct coroutine *start(struct store_etcd *x, co_entry *entry)
{
	struct coroutine *co = co_start(x->loop, entry, x);

	if (co)
		co_gate_enter(&x->inside);
	return co;
}

static int url_endpoints(const char *url, bool *ret_tls, const char **ret_endpoints, struct error *err)
{
	static const char *const schemes[] = { "etcd://", "etcds://" };
	size_t len;
	int i;

	for (i = 0; i < 2; i++) {
		len = strlen(schemes[i]);
		if (strncmp(url, schemes[i], len) == 0) {
			*ret_tls = i == 1;
			*ret_endpoints = url + len;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "the store \"%s\" begins with neither etcd:// nor etcds://", url);
}

static int make(struct store *s, const struct store_conf *conf, struct error *err)
{
	struct etcd_conf ec = { .loop = conf->loop, .ca = conf->ca, .certificate = conf->certificate, .key = conf->key };
	struct store_etcd *x;
	int ret = url_endpoints(conf->url, &ec.tls, &ec.endpoints, err);

	if (ret < 0)
		return ret;
	if (!conf->prefix[0])
		return error_set(err, -EINVAL, "the keys of the store need a prefix");
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	ret = etcd_new(&ec, err, &x->e);
	if (ret < 0) {
		free(x);
		return ret;
	}
	x->s = s;
	x->loop = conf->loop;
	x->prefix = strdup(conf->prefix);
	if (!x->prefix)
		abort();
	co_gate_init(&x->inside);
	co_queue_init(&x->answers);
	co_mutex_init(&x->announcing);
	co_queue_init(&x->announcer_work);
	list_init(&x->graves);
	list_init(&x->announced);
	store_set_private(s, x);
	return 0;
}

static int start_all(struct store_etcd *x, struct error *err)
{
	x->prober = start(x, probe_on);
	x->follower = start(x, store_etcd_follow);
	x->announcer = start(x, store_etcd_keep);
	return x->prober && x->follower && x->announcer ? 0 : error_set(err, -EAGAIN, "too many coroutines to open the store");
}

static int coroutine_fn etcd_ops_open(struct store *s, const struct store_conf *conf, struct error *err)
{
	struct error why = { "" };
	int ret = make(s, conf, err);

	if (ret < 0)
		return ret;
	ret = store_etcd_read_all(store_private(s), &why);
	if (ret == -EHOSTUNREACH || ret == -ETIMEDOUT || ret == -ESTALE) {
		log_warning("the store is silent at the start: it comes when etcd answers", "reason=%s", log_quote(why.text));
		ret = 0;
	}
	ret = ret < 0 ? error_set(err, ret, "%s", why.text) : start_all(store_private(s), err);
	if (ret < 0)
		etcd_ops_close(s);
	return ret;
}

static uint64_t etcd_ops_silent_ms(const struct store *s)
{
	return etcd_silent_ms(((struct store_etcd *)store_private(s))->e);
}

const struct store_ops store_etcd_ops = {
	.scheme = "etcd",
	.open = etcd_ops_open,
	.close = etcd_ops_close,
	.put = etcd_ops_put,
	.remove = etcd_ops_remove,
	.announce = store_etcd_announce,
	.silent_ms = etcd_ops_silent_ms,
};
