/* mgmt/store.c: the mirror of the store in memory, and the way to the implementation that an url names.
 *
 * Documents stand in an array sorted by key: there are few, they are looked up often and listed by prefix. */
#include "mgmt/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/loop.h"

#define DOCUMENTS_MAX 100000

struct entry {
	struct store_doc doc;
	bool seen;
};

struct store {
	const struct store_ops *ops;
	struct store_conf conf;
	void *priv;
	struct entry *entries;
	unsigned n, cap;
	bool loaded;
};

static const struct store_ops *const kinds[] = { &store_dir_ops, &store_etcd_ops, NULL };

static const struct store_ops *kind_of(const char *url)
{
	unsigned i;

	for (i = 0; kinds[i]; i++)
		if (strncmp(url, kinds[i]->scheme, strlen(kinds[i]->scheme)) == 0)
			return kinds[i];
	return NULL;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void free_store(struct store *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		free((char *)s->entries[i].doc.key);
		free((char *)s->entries[i].doc.text);
	}
	free(s->entries);
	free((char *)s->conf.url);
	free((char *)s->conf.ca);
	free((char *)s->conf.certificate);
	free((char *)s->conf.key);
	free((char *)s->conf.prefix);
	free(s);
}

int coroutine_fn store_open(const struct store_conf *conf, struct error *err, struct store **ret_store)
{
	const struct store_ops *ops = kind_of(conf->url);
	struct store *s;
	int ret;

	if (!ops)
		return error_set(err, -EINVAL, "the store \"%s\" begins with neither dir: nor etcd://", conf->url);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->conf = *conf;
	s->conf.url = copy(conf->url);
	s->conf.ca = copy(conf->ca);
	s->conf.certificate = copy(conf->certificate);
	s->conf.key = copy(conf->key);
	s->conf.prefix = copy(conf->prefix ? conf->prefix : "/gatehouse/");
	*ret_store = s; /* changed() may look already */
	ret = ops->open(s, &s->conf, err);
	if (ret < 0) {
		*ret_store = NULL;
		free_store(s);
	}
	return ret;
}

void coroutine_fn store_close(struct store *s)
{
	if (!s)
		return;
	s->conf.changed = NULL;
	s->ops->close(s);
	free_store(s);
}

/* --- the mirror --- */

/* The first entry whose key is not less. */
static unsigned place(const struct store *s, const char *key)
{
	unsigned lo = 0, hi = s->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (strcmp(s->entries[mid].doc.key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct entry *find(const struct store *s, const char *key)
{
	unsigned i = place(s, key);

	return i < s->n && strcmp(s->entries[i].doc.key, key) == 0 ? &s->entries[i] : NULL;
}

const struct store_doc *store_get(struct store *s, const char *key)
{
	struct entry *e = find(s, key);

	return e ? &e->doc : NULL;
}

void store_each(struct store *s, const char *prefix, void (*fn)(void *arg, const struct store_doc *doc), void *arg)
{
	size_t len = strlen(prefix);
	unsigned i;

	for (i = place(s, prefix); i < s->n && strncmp(s->entries[i].doc.key, prefix, len) == 0; i++)
		fn(arg, &s->entries[i].doc);
}

static void tell(struct store *s, const char *key)
{
	if (s->conf.changed)
		s->conf.changed(s->conf.user, key);
}

static void forget(struct store *s, struct entry *e)
{
	char *key = (char *)e->doc.key;

	free((char *)e->doc.text);
	s->n--;
	memmove(e, e + 1, (size_t)(&s->entries[s->n] - e) * sizeof(*e));
	tell(s, key);
	free(key);
}

static struct entry *insert(struct store *s, const char *key)
{
	unsigned i = place(s, key);
	struct entry *bigger;

	if (s->n == DOCUMENTS_MAX)
		return NULL;
	if (s->n == s->cap) {
		bigger = realloc(s->entries, (s->cap * 2 + 16) * sizeof(*bigger));
		if (!bigger)
			return NULL;
		s->entries = bigger;
		s->cap = s->cap * 2 + 16;
	}
	memmove(&s->entries[i + 1], &s->entries[i], (s->n - i) * sizeof(s->entries[0]));
	s->entries[i] = (struct entry){ .doc.key = strdup(key) };
	if (!s->entries[i].doc.key)
		abort();
	s->n++;
	return &s->entries[i];
}

void store_mirror(struct store *s, const char *key, const char *text, size_t len, uint64_t revision)
{
	struct entry *e = find(s, key);
	char *own;

	if (e)
		e->seen = true;
	if (e && revision <= e->doc.revision)
		return;
	if (!text) {
		if (e)
			forget(s, e);
		return;
	}
	if (len > STORE_DOCUMENT_MAX)
		return;
	if (!e)
		e = insert(s, key);
	own = e ? malloc(len + 1) : NULL;
	if (!own)
		return;
	memcpy(own, text, len);
	own[len] = 0;
	free((char *)e->doc.text);
	e->doc.text = own;
	e->doc.len = len;
	e->doc.revision = revision;
	e->seen = true;
	tell(s, key);
}

void store_mirror_begin(struct store *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		s->entries[i].seen = false;
}

void store_mirror_end(struct store *s)
{
	unsigned i = 0;

	while (i < s->n) {
		if (s->entries[i].seen)
			i++;
		else
			forget(s, &s->entries[i]);
	}
	s->loaded = true;
}

bool store_is_loaded(const struct store *s)
{
	return s->loaded;
}

/* --- writing --- */

int coroutine_fn store_put(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err)
{
	if (len > STORE_DOCUMENT_MAX)
		return error_set(err, -E2BIG, "%s would have %zu bytes, more than the %u that a document may have", key, len,
				 STORE_DOCUMENT_MAX);
	return s->ops->put(s, key, text, len, expected, err);
}

int coroutine_fn store_delete(struct store *s, const char *key, uint64_t expected, struct error *err)
{
	return s->ops->remove(s, key, expected, err);
}

int coroutine_fn store_announce(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once,
				struct error *err)
{
	return s->ops->announce(s, key, text, len, ttl_s, once, err);
}

uint64_t store_silent_ms(const struct store *s)
{
	return s->ops->silent_ms(s);
}
const char *store_url(const struct store *s)
{
	return s->conf.url;
}
bool store_is_shared(const struct store *s)
{
	return s->ops != &store_dir_ops;
}
void *store_private(const struct store *s)
{
	return s->priv;
}
void store_set_private(struct store *s, void *priv)
{
	s->priv = priv;
}
const struct store_conf *store_conf(const struct store *s)
{
	return &s->conf;
}
