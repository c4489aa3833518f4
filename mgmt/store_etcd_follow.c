/* mgmt/store_etcd_follow.c: keeps the mirror as etcd is.
 *
 * Everything is read at one revision, then a watch tells each change after it. A watch that breaks begins again behind the last change it
 * told, on whichever endpoint answers then; only when etcd has compacted those changes away, or has become another etcd, is everything read
 * anew. Our own changes are mirrored when etcd confirms them; what the watch tells of the time before them must not undo them. */
#include "mgmt/store_etcd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/loop.h"

#define PAGE 64u			/* documents asked for at once at first; later as many as make up about ... */
#define PAGE_BYTES (3u << 20)
#define PAGE_MAX 1024u
#define READ_BYTES_MAX (512u << 20)
#define READ_UNTIL_MS 3000u		/* a page */
#define LOOK_MS 1000u			/* how often a silent watch is looked at */
#define OWN_DUE_MS 3000u		/* by then a watch must have told what we wrote ourselves */
#define CREATED_DUE_MS 3000u
#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 2000u
#define FOLLOWED_MS 300u		/* a watch that was there for so long has been one */
#define NEVER UINT64_MAX

/* --- our own changes, and what is told late --- */

struct grave { struct list link; uint64_t revision; char key[]; };

static void bury(struct store_etcd *x, const char *key, uint64_t revision)
{
	size_t len = strlen(key) + 1;
	struct grave *g = malloc(sizeof(*g) + len);

	if (!g)
		return;		/* the dead rises for as long as the watch lags; no more */
	g->revision = revision;
	memcpy(g->key, key, len);
	list_append(&x->graves, &g->link);
}

static bool is_dead(const struct store_etcd *x, const char *key, uint64_t revision)
{
	struct list *link;

	list_for_each(link, &x->graves) {
		const struct grave *g = list_entry(link, struct grave, link);

		if (revision <= g->revision && strcmp(key, g->key) == 0)
			return true;
	}
	return false;
}

void store_etcd_forget_graves(struct store_etcd *x, uint64_t up_to)
{
	struct list *link, *next;

	list_for_each_safe(link, next, &x->graves) {
		struct grave *g = list_entry(link, struct grave, link);

		if (g->revision > up_to)
			continue;
		list_remove(&g->link);
		free(g);
	}
}

void store_etcd_put_done(struct store_etcd *x, const char *key, const char *text, size_t len, uint64_t revision)
{
	if (revision > x->position) {
		if (x->own <= x->position)
			x->own_ns = loop_now_ns(x->loop);
		if (revision > x->own)
			x->own = revision;
	}
	store_mirror(x->s, key, text, len, revision);
}

void store_etcd_gone(struct store_etcd *x, const char *key, uint64_t revision)
{
	if (revision > x->position)
		bury(x, key, revision);
	store_mirror(x->s, key, NULL, 0, revision);
}

static void reach(struct store_etcd *x, uint64_t revision)
{
	x->position = revision;
	x->own_ns = loop_now_ns(x->loop);
	store_etcd_forget_graves(x, revision);
}

static void mirror(struct store_etcd *x, const struct etcd_kv *kv)
{
	size_t skip = strlen(x->prefix);
	const char *key = kv->key + skip;

	/* Keys that are none of ours: whoever put them there, nobody will ask for them. */
	if (kv->key_len <= skip || strlen(kv->key) != kv->key_len || memcmp(kv->key, x->prefix, skip) != 0)
		return;
	if (is_dead(x, key, kv->revision))
		return;
	if (kv->len > STORE_DOCUMENT_MAX)
		log_warning("a document is too large and ignored", "key=%s bytes=%zu", log_quote(kv->key), kv->len);
	store_mirror(x->s, key, kv->value, kv->len, kv->revision);
	if (!kv->value)
		store_etcd_announced_gone(x, key, kv->revision);
}

/* --- reading everything --- */

struct reading { struct etcd_answer *pages; size_t n, bytes; unsigned limit; uint64_t revision, cluster_id; };

static void reading_free(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		etcd_answer_free(&r->pages[i]);
	free(r->pages);
}

static int keep_page(struct reading *r, struct etcd_answer *a, struct error *err)
{
	struct etcd_answer *bigger = realloc(r->pages, (r->n + 1) * sizeof(*bigger));
	size_t i, bytes = 0, fit;

	if (!bigger) {
		etcd_answer_free(a);
		return -ENOMEM;
	}
	for (i = 0; i < a->n; i++)
		bytes += a->kvs[i].key_len + a->kvs[i].len + sizeof(a->kvs[i]);
	r->bytes += bytes;
	fit = a->n ? PAGE_BYTES / (bytes / a->n) + 1 : PAGE;
	r->limit = fit < PAGE_MAX ? (unsigned)fit : PAGE_MAX;
	if (!r->n) {
		r->revision = a->revision;
		r->cluster_id = a->cluster_id;
	}
	r->pages = bigger;
	r->pages[r->n++] = *a;
	if (r->bytes > READ_BYTES_MAX)
		return error_set(err, -E2BIG, "the documents in etcd are larger than %u MiB", READ_BYTES_MAX >> 20);
	return a->more && !a->n ? error_set(err, -EPROTO, "etcd says that there is more, and gives nothing") : 0;
}

/* One page behind the last key of the one before. */
static int coroutine_fn read_page(struct store_etcd *x, struct reading *r, const char *end, struct error *err)
{
	const struct etcd_answer *before = r->n ? &r->pages[r->n - 1] : NULL;
	const struct etcd_kv *last = before ? &before->kvs[before->n - 1] : NULL;
	struct etcd_range range = { .key = x->prefix, .key_len = strlen(x->prefix), .end = end, .limit = r->limit, .revision = r->revision };
	struct etcd_answer a;
	int ret;

	if (last) {		/* the NUL behind it makes it the next possible key */
		range.key = last->key;
		range.key_len = last->key_len + 1;
	}
	ret = etcd_range(x->e, &range, loop_now_ns(x->loop) + (uint64_t)READ_UNTIL_MS * STORE_ETCD_MS, err, &a);
	if (ret == -EMSGSIZE && r->limit > 1) {
		r->limit = r->limit > 8 ? r->limit / 8 : 1;
		err->text[0] = 0;
		return -EAGAIN;
	}
	if (ret < 0)
		return ret;
	return keep_page(r, &a, err);
}

/* Without a park, so that nobody sees the half of it. */
static void adopt(struct store_etcd *x, const struct reading *r)
{
	bool other = x->cluster_id && (r->cluster_id != x->cluster_id || r->revision < x->position);
	size_t i, k;

	if (other) {		/* its revisions say nothing about the ones we have */
		log_warning("this is another etcd than before, or an older one: all that is known is replaced", "store=%s",
			    log_quote(store_url(x->s)));
		store_mirror_begin(x->s);
		store_mirror_end(x->s);
		store_etcd_forget_graves(x, UINT64_MAX);
		x->own = 0;
	}
	for (i = 0; i < r->n; i++)
		for (k = 0; k < r->pages[i].n; k++)
			mirror(x, &r->pages[i].kvs[k]);
	store_mirror_end(x->s);
	x->cluster_id = r->cluster_id;
	x->known = true;
	reach(x, r->revision);
}

int coroutine_fn store_etcd_read_all(struct store_etcd *x, struct error *err)
{
	struct reading r = { .limit = PAGE };
	char *end = etcd_prefix_end(x->prefix);
	int ret = end ? 0 : -ENOMEM;

	store_mirror_begin(x->s);	/* before the first page: what we write ourselves meanwhile stays */
	while (ret == 0) {
		ret = read_page(x, &r, end, err);
		if (ret == -EAGAIN)
			ret = 0;
		else if (ret == 0 && !r.pages[r.n - 1].more)
			break;
	}
	free(end);
	if (ret == 0)
		adopt(x, &r);
	reading_free(&r);
	return ret;
}

/* --- the watch --- */

/* A change of several keys may come in fragments: it has been told when the last one has. */
static int take(struct store_etcd *x, const struct etcd_answer *a, struct error *err)
{
	uint64_t reached = a->n ? a->kvs[a->n - 1].revision : a->revision;
	size_t i;

	if (x->cluster_id && a->cluster_id != x->cluster_id) {
		x->known = false;
		return error_set(err, -ESTALE, "this is another etcd than before");
	}
	if (a->canceled && a->compact_revision) {
		x->known = false;
		return error_set(err, -ESTALE, "etcd has compacted its history up to revision %llu", (unsigned long long)a->compact_revision);
	}
	if (a->canceled)
		return error_set(err, -EPROTO, "etcd has canceled the watch: %s", a->reason);
	for (i = 0; i < a->n; i++)
		mirror(x, &a->kvs[i]);
	if (!a->created && !a->fragment && reached > x->position)
		reach(x, reached);
	return 0;
}

/* Nothing has come for a while. That is as it should be, unless we know better. */
static int look(const struct store_etcd *x, struct etcd_watch *w, bool created, uint64_t begun_ns, struct error *err)
{
	uint64_t now = loop_now_ns(x->loop);

	if (!x->known)
		return error_set(err, -ESTALE, "everything must be read anew");
	if (etcd_watch_astray(w))
		return error_set(err, -EHOSTUNREACH, "its endpoint does not answer any more");
	if (!created && now - begun_ns > (uint64_t)CREATED_DUE_MS * STORE_ETCD_MS)
		error_set(err, 0, "no watch comes to be");
	else if (x->own > x->position && now - x->own_ns > (uint64_t)OWN_DUE_MS * STORE_ETCD_MS && !etcd_silent_ms(x->e))
		error_set(err, 0, "it does not tell what we wrote");
	else
		return 0;
	etcd_watch_distrust(w);
	return -EHOSTUNREACH;
}

/* *since_ns, NEVER at first: since when etcd watches for us. */
static int coroutine_fn watch(struct store_etcd *x, struct error *err, uint64_t *since_ns)
{
	uint64_t begun_ns = loop_now_ns(x->loop);
	struct etcd_answer a;
	struct etcd_watch *w;
	int ret;

	ret = etcd_watch_open(x->e, x->prefix, x->position + 1, err, &w);
	if (ret < 0)
		return ret;
	x->own_ns = begun_ns;
	while (ret == 0) {
		ret = etcd_watch_next(w, LOOK_MS, err, &a);
		if (ret == -EAGAIN) {
			ret = look(x, w, *since_ns != NEVER, begun_ns, err);
		} else if (ret == 0) {
			if (a.created && *since_ns == NEVER)
				*since_ns = loop_now_ns(x->loop);
			ret = take(x, &a, err);
			etcd_answer_free(&a);
		}
	}
	etcd_watch_close(w);
	return ret;
}

/* Then what has ended it is no reason to wait: another member goes on, and who asks us meanwhile is told old things. */
static bool followed_for_a_while(const struct store_etcd *x, uint64_t since_ns)
{
	return since_ns != NEVER && loop_now_ns(x->loop) - since_ns >= (uint64_t)FOLLOWED_MS * STORE_ETCD_MS;
}

void coroutine_fn store_etcd_follow(void *arg)
{
	struct store_etcd *x = arg;
	uint64_t pause_ms = BACKOFF_MIN_MS, since_ns;
	int ret = 0, before;
	struct error err;

	while (co_interrupted() != -ECANCELED) {
		if (etcd_silent_ms(x->e)) {
			store_etcd_nap(x, &x->answers, LOOK_MS);
			continue;
		}
		err.text[0] = 0;
		since_ns = NEVER;
		before = ret;
		ret = x->known ? 0 : store_etcd_read_all(x, &err);
		if (ret == 0)
			ret = watch(x, &err, &since_ns);
		if (ret == -ECANCELED)
			break;
		if ((ret == -ESTALE && before != -ESTALE) || followed_for_a_while(x, since_ns))
			pause_ms = BACKOFF_MIN_MS;
		log_info("the store is not followed for a moment", "reason=%s next_ms=%llu", log_quote(err.text), (unsigned long long)pause_ms);
		store_etcd_nap(x, &x->answers, store_etcd_jitter(x, pause_ms));
		pause_ms = pause_ms * 2 < BACKOFF_MAX_MS ? pause_ms * 2 : BACKOFF_MAX_MS;
	}
	co_gate_leave(&x->inside);
}
