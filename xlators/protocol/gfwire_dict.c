/* xlators/protocol/gfwire_dict.c: GlusterFS's xdata keys and the typed fields they stand for.
 *
 * A request's dictionary mixes questions to the brick (counters, content) with names of extended attributes to return: what is not a
 * known key is such a name. Replies mix the answers in the same way. */
#include "xlators/protocol/gfwire_impl.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define KEY_INODELK_COUNT "glusterfs.inodelk-count"
#define KEY_INODELK_DOMAIN "glusterfs.inodelk-dom-count"
#define KEY_ENTRYLK_COUNT "glusterfs.entrylk-count"
#define KEY_POSIXLK_COUNT "glusterfs.posixlk-count"
#define KEY_PARENT_ENTRYLK "glusterfs.parent-entrylk"
#define KEY_OPEN_FD "glusterfs.open-fd-count"
#define KEY_ACTIVE_FD "glusterfs.open-active-fd-count"
#define KEY_INDEX "link-count"
#define VALUE_INDEX "glusterfs.xattrop_index_count"
#define KEY_INDEX_KIND "glusterfs.index-ia-type-get-req"
#define ANSWER_INDEX_KIND "glusterfs.index-ia-type-get-rsp"
#define KEY_CONTENT "glusterfs.content"
#define KEY_LIST "list-xattr"
#define KEY_GFID_REQ "gfid-req"
#define KEY_GFIDLESS "gfidless-lookup"
#define KEY_PREOP "glusterfs.preop.parent.key"

/* Keys that no reader may take for an attribute's name. */
enum key {
	K_XATTR, K_INODELK_COUNT, K_INODELK_DOMAIN, K_ENTRYLK_COUNT, K_POSIXLK_COUNT, K_PARENT_ENTRYLK, K_OPEN_FD, K_INDEX, K_INDEX_KIND,
	K_CONTENT, K_LIST, K_GFID_REQ, K_GFIDLESS, K_PREOP, K_INTERNAL, K_FORCE_REPLACE, K_OTHER,
};

static const struct { const char *text; enum key key; } known[] = {
	{ KEY_INODELK_COUNT, K_INODELK_COUNT }, { KEY_INODELK_DOMAIN, K_INODELK_DOMAIN }, { KEY_ENTRYLK_COUNT, K_ENTRYLK_COUNT },
	{ KEY_POSIXLK_COUNT, K_POSIXLK_COUNT }, { KEY_PARENT_ENTRYLK, K_PARENT_ENTRYLK }, { KEY_OPEN_FD, K_OPEN_FD },
	{ KEY_ACTIVE_FD, K_OPEN_FD }, { KEY_INDEX, K_INDEX }, { KEY_INDEX_KIND, K_INDEX_KIND }, { ANSWER_INDEX_KIND, K_INDEX_KIND },
	{ KEY_CONTENT, K_CONTENT }, { KEY_LIST, K_LIST },
	{ KEY_GFID_REQ, K_GFID_REQ }, { KEY_GFIDLESS, K_GFIDLESS }, { KEY_PREOP, K_PREOP }, { KEY_INTERNAL, K_INTERNAL },
	{ KEY_FORCE_REPLACE, K_FORCE_REPLACE },
};

static bool starts(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Attributes live in one of four name spaces; all else is a question or private to some peer. */
static enum key classify(const char *key)
{
	size_t i;

	if (starts(key, "trusted.") || starts(key, "user.") || starts(key, "security.") || starts(key, "system."))
		return strcmp(key, "trusted.gfid") ? K_XATTR : K_OTHER;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(key, known[i].text))
			return known[i].key;
	return K_OTHER;
}

static void ready(struct gfwire *gw, gfx_dict *d)
{
	if (!d->arena)
		dict_init(d, gw->arena);
}

static int put_count_keys(gfx_dict *d, uint32_t count, const char *domain)
{
	static const struct { uint32_t bit; const char *key; } bits[] = {
		{ COUNT_ENTRYLK, KEY_ENTRYLK_COUNT }, { COUNT_POSIXLK, KEY_POSIXLK_COUNT },
		{ COUNT_PARENT_ENTRYLK, KEY_PARENT_ENTRYLK }, { COUNT_OPEN_FD, KEY_OPEN_FD },
		{ COUNT_INDEX_KIND, KEY_INDEX_KIND },
	};
	size_t i;
	int ret = 0;

	if (count & COUNT_INODELK)
		ret = domain ? dict_set_str(d, KEY_INODELK_DOMAIN, domain) : dict_set_uint(d, KEY_INODELK_COUNT, 0);
	if (!ret && count & COUNT_INDEX)
		ret = dict_set_str(d, KEY_INDEX, VALUE_INDEX);
	for (i = 0; !ret && i < sizeof(bits) / sizeof(bits[0]); i++)
		if (count & bits[i].bit)
			ret = dict_set_uint(d, bits[i].key, 0);
	return ret;
}

/* The number beside an attribute's name is the size expected: only a hint. */
static int put_want(gfx_dict *d, const struct xattr_want *want)
{
	unsigned i;
	int ret = 0;

	for (; want; want = want->next)
		for (i = 0; !ret && i < want->n; i++)
			ret = dict_set_uint(d, want->names[i], 256);
	return ret;
}

int gfwire_put_ask(struct gfwire *gw, gfx_dict *d, const struct gfwire_ask *ask)
{
	int ret;

	if (!ask->want && !ask->count && !ask->content_max && !ask->gfid_req && !ask->gfidless && !ask->list_xattr)
		return 0;
	ready(gw, d);
	ret = put_count_keys(d, ask->count, ask->count_domain);
	if (!ret)
		ret = put_want(d, ask->want);
	if (!ret && ask->content_max)
		ret = dict_set_uint(d, KEY_CONTENT, ask->content_max);
	if (!ret && ask->gfid_req)
		ret = dict_set_data(d, KEY_GFID_REQ, DICT_GFID, ask->gfid_req, 16);
	if (!ret && ask->gfidless)
		ret = dict_set_int(d, KEY_GFIDLESS, 1);
	if (!ret && ask->list_xattr)
		ret = dict_set_int(d, KEY_LIST, 1);
	return ret;
}

static const uint8_t *pair_gfid(const struct dict_pair *p)
{
	return (p->type == DICT_GFID || p->type == DICT_BIN) && p->len == 16 ? p->data : NULL;
}

static void get_question(const gfx_dict *d, const struct dict_pair *p, enum key key, struct gfwire_ask *ask)
{
	static const uint32_t bits[K_OTHER + 1] = {
		[K_INODELK_COUNT] = COUNT_INODELK, [K_ENTRYLK_COUNT] = COUNT_ENTRYLK, [K_POSIXLK_COUNT] = COUNT_POSIXLK,
		[K_PARENT_ENTRYLK] = COUNT_PARENT_ENTRYLK, [K_OPEN_FD] = COUNT_OPEN_FD, [K_INDEX] = COUNT_INDEX,
		[K_INODELK_DOMAIN] = COUNT_INODELK, [K_INDEX_KIND] = COUNT_INDEX_KIND,
	};
	int64_t number = 0;

	ask->count |= bits[key];
	if (key == K_INODELK_DOMAIN)
		ask->count_domain = dict_get_str(d, p->key);
	else if (key == K_CONTENT && dict_get_int(d, p->key, &number) && number > 0)
		ask->content_max = number > (1 << 20) ? 1u << 20 : (uint32_t)number;
	else if (key == K_GFID_REQ)
		ask->gfid_req = pair_gfid(p);
	else if (key == K_GFIDLESS)
		ask->gfidless = true;
	else if (key == K_LIST)
		ask->list_xattr = true;
}

int gfwire_get_ask(struct gfwire *gw, const gfx_dict *d, struct gfwire_ask *ask)
{
	struct xattr_want *want;
	const char **names = NULL;
	uint32_t i, n = 0;
	enum key key;

	memset(ask, 0, sizeof(*ask));
	if (!d->n)
		return 0;
	want = arena_alloc(gw->arena, sizeof(*want) + d->n * sizeof(*names));
	if (!want)
		return -ENOMEM;
	names = (const char **)(want + 1);
	for (i = 0; i < d->n; i++) {
		key = classify(d->pairs[i].key);
		if (key == K_XATTR)
			names[n++] = d->pairs[i].key;
		else
			get_question(d, &d->pairs[i], key, ask);
	}
	want->names = names;
	want->n = n;
	ask->want = n ? want : NULL;
	return 0;
}

int gfwire_put_counts(struct gfwire *gw, gfx_dict *d, uint32_t count, const struct counts *counts)
{
	const struct { uint32_t bit; const char *key; uint32_t value; } bits[] = {
		{ COUNT_INODELK, KEY_INODELK_COUNT, counts->inodelk }, { COUNT_ENTRYLK, KEY_ENTRYLK_COUNT, counts->entrylk },
		{ COUNT_POSIXLK, KEY_POSIXLK_COUNT, counts->posixlk }, { COUNT_PARENT_ENTRYLK, KEY_PARENT_ENTRYLK, counts->parent_entrylk },
		{ COUNT_INDEX, KEY_INDEX, counts->index },
	};
	size_t i;
	int ret = 0;

	if (!count)
		return 0;
	ready(gw, d);
	for (i = 0; !ret && i < sizeof(bits) / sizeof(bits[0]); i++)
		if (count & bits[i].bit)
			ret = dict_set_int(d, bits[i].key, bits[i].value);
	if (!ret && counts->index_kind && count & COUNT_INDEX_KIND)
		ret = dict_set_uint(d, ANSWER_INDEX_KIND, counts->index_kind);
	if (!ret && count & COUNT_OPEN_FD) {
		ret = dict_set_uint(d, KEY_OPEN_FD, counts->open_fd);
		if (!ret)
			ret = dict_set_uint(d, KEY_ACTIVE_FD, counts->open_fd);
	}
	return ret;
}

static uint32_t *count_field(enum key key, struct counts *counts)
{
	switch (key) {
	case K_INODELK_COUNT: return &counts->inodelk;
	case K_ENTRYLK_COUNT: return &counts->entrylk;
	case K_POSIXLK_COUNT: return &counts->posixlk;
	case K_PARENT_ENTRYLK: return &counts->parent_entrylk;
	case K_OPEN_FD: return &counts->open_fd;
	case K_INDEX: return &counts->index;
	case K_INDEX_KIND: return &counts->index_kind;
	default: return NULL;
	}
}

static void get_count(const gfx_dict *d, const struct dict_pair *p, enum key key, struct counts *counts)
{
	uint32_t *field = count_field(key, counts);
	int64_t number;

	if (field && dict_get_int(d, p->key, &number) && number >= 0)
		*field = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

void gfwire_get_counts(const gfx_dict *d, struct counts *counts)
{
	uint32_t i;

	for (i = 0; i < d->n; i++)
		get_count(d, &d->pairs[i], classify(d->pairs[i].key), counts);
}

/* What a brick makes up as text is of that type on the wire, where the value carries its NUL: a self-heal daemon finds out by it which bricks
 * are its own, and takes it in no other. */
static enum dict_type type_of(const struct xattr *x)
{
	bool made_up = strcmp(x->name, "trusted.glusterfs.pathinfo") == 0 || strcmp(x->name, "glusterfs.pathinfo") == 0 ||
		       strcmp(x->name, "trusted.glusterfs.node-uuid") == 0;

	return made_up && x->len && !((const char *)x->value)[x->len - 1] ? DICT_STR : DICT_BIN;
}

int gfwire_put_xattrs(struct gfwire *gw, gfx_dict *d, const struct xattrs *set)
{
	uint32_t i;
	int ret = 0;

	if (!set->n)
		return 0;
	ready(gw, d);
	for (i = 0; !ret && i < set->n; i++)
		ret = dict_set_data(d, set->v[i].name, type_of(&set->v[i]), set->v[i].value, set->v[i].len);
	return ret;
}

/* Numbers are decimal text for whoever keeps them as attributes. */
static int get_xattr(struct gfwire *gw, const struct dict_pair *p, struct xattr *x)
{
	char *text;

	x->name = p->key;
	if (p->type != DICT_INT && p->type != DICT_UINT && p->type != DICT_DOUBLE) {
		x->value = p->data;
		x->len = p->len;
		return 0;
	}
	text = p->type == DICT_DOUBLE ? arena_printf(gw->arena, "%f", p->num.d) :
	       p->type == DICT_INT ? arena_printf(gw->arena, "%lld", (long long)p->num.i) :
				     arena_printf(gw->arena, "%llu", (unsigned long long)p->num.u);
	if (!text)
		return -ENOMEM;
	x->value = text;
	x->len = (uint32_t)strlen(text) + 1;
	return 0;
}

static int get_pairs(struct gfwire *gw, const gfx_dict *d, bool all, struct xattrs *set, struct counts *counts)
{
	enum key key;
	uint32_t i;
	int ret;

	set->n = 0;
	set->v = NULL;
	if (!d->n)
		return 0;
	set->v = arena_alloc(gw->arena, d->n * sizeof(*set->v));
	if (!set->v)
		return -ENOMEM;
	for (i = 0; i < d->n; i++) {
		key = all ? K_XATTR : classify(d->pairs[i].key);
		if (key == K_XATTR) {
			ret = get_xattr(gw, &d->pairs[i], &set->v[set->n++]);
			if (ret < 0)
				return ret;
		} else if (counts) {
			get_count(d, &d->pairs[i], key, counts);
		}
	}
	return 0;
}

int gfwire_get_xattrs(struct gfwire *gw, const gfx_dict *d, struct xattrs *set)
{
	return get_pairs(gw, d, true, set, NULL);
}

int gfwire_get_answers(struct gfwire *gw, const gfx_dict *d, struct xattrs *set, struct counts *counts)
{
	return get_pairs(gw, d, false, set, counts);
}

int gfwire_put_flag(struct gfwire *gw, gfx_dict *d, const char *key, bool set)
{
	if (!set)
		return 0;
	ready(gw, d);
	return dict_set_str(d, key, "yes");
}

bool gfwire_get_flag(const gfx_dict *d, const char *key)
{
	int64_t number;

	if (!d->n || !dict_get(d, key))
		return false;
	return !dict_get_int(d, key, &number) || number != 0;
}

int gfwire_put_new(struct gfwire *gw, gfx_dict *d, const struct gfwire_new *n)
{
	int ret;

	if (!n->gfid)
		return -EINVAL;
	ready(gw, d);
	ret = dict_set_data(d, KEY_GFID_REQ, DICT_GFID, n->gfid, 16);
	if (!ret)
		ret = gfwire_put_xattrs(gw, d, n->xattrs);
	if (!ret && n->preop.key) {
		ret = dict_set_str(d, KEY_PREOP, n->preop.key);
		if (!ret)
			ret = dict_set_data(d, n->preop.key, DICT_BIN, n->preop.value, n->preop.len);
	}
	if (!ret)
		ret = gfwire_put_flag(gw, d, KEY_INTERNAL, n->internal);
	if (!ret)
		ret = gfwire_put_flag(gw, d, KEY_FORCE_REPLACE, n->force_replace);
	return ret;
}

/* The value that the parent should have travels under the attribute's own name and is no attribute of the new object. */
static void take_preop(struct gfwire_new *n)
{
	uint32_t i;

	for (i = 0; i < n->found.n; i++) {
		if (strcmp(n->found.v[i].name, n->preop.key))
			continue;
		n->preop.value = n->found.v[i].value;
		n->preop.len = n->found.v[i].len;
		n->found.v[i] = n->found.v[--n->found.n];
		return;
	}
	n->preop.key = NULL;
}

int gfwire_get_new(struct gfwire *gw, const gfx_dict *d, struct gfwire_new *n)
{
	const struct dict_pair *p = dict_get(d, KEY_GFID_REQ);
	int ret;

	memset(n, 0, sizeof(*n));
	n->gfid = p ? pair_gfid(p) : NULL;
	if (!n->gfid)
		return -EINVAL;
	n->internal = gfwire_get_flag(d, KEY_INTERNAL);
	n->force_replace = gfwire_get_flag(d, KEY_FORCE_REPLACE);
	n->preop.key = dict_get_str(d, KEY_PREOP);
	ret = gfwire_get_answers(gw, d, &n->found, NULL);
	if (!ret && n->preop.key)
		take_preop(n);
	return ret;
}
