/* xlators/reconfigure.c: from one volfile to the next while the graph runs: what differs, and whether options alone can
 * bring the graph there.
 *
 * Two passes over the same differences: the first only looks, so that nothing is half done when the last one turns out to
 * need another graph. */
#include "xlators/graph.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "xlators/volfile.h"

struct change {
	struct graph *graph;
	const struct volfile *wanted;
	struct xlator *xl;
	const struct volfile_section *now, *next;
	struct error *err;
	bool apply;
	int count;
};

static const char *value_of(const struct volfile_section *s, const char *key)
{
	unsigned i;

	for (i = s->noptions; i-- > 0;)		/* the last one counts */
		if (strcmp(s->options[i].key, key) == 0)
			return s->options[i].value;
	return NULL;
}

/* Who asks from the server's own host is told user and password, and others are not: not hearing them again is no change. */
static bool may_go(const char *type, const char *key)
{
	return strcmp(type, "protocol/client") == 0 && (strcmp(key, "username") == 0 || strcmp(key, "password") == 0);
}

static int try_value(struct change *c, const struct option *table, const char *key, const char *value)
{
	void *scratch = calloc(1, c->xl->class->priv_size);
	struct error err = { "" };
	int ret;

	if (!scratch)
		return -ENOMEM;
	options_init(table, scratch);
	ret = option_set(table, scratch, key, value, &err);
	options_free(table, scratch);
	free(scratch);
	return ret < 0 ? error_set(c->err, ret, "%s: volume %s: %s", c->wanted->filename, c->next->name, err.text) : 0;
}

/* @value NULL: the option is gone, so its default counts. */
static int change_option(struct change *c, const char *key, const char *value)
{
	const struct option *table = c->xl->class->options, *row = table ? option_find(table, key) : NULL;

	if (!row && !(value && graph_refuses(key, value)))
		return 0;			/* it means nothing here, then as now */
	if (!value && row)
		value = row->dflt;
	if (!row || !(row->flags & OPT_LIVE) || !value)
		return error_set(c->err, -EXDEV, "option %s of %s is another one", log_quote(key), c->next->name);
	c->count++;
	return c->apply ? graph_set_option(c->graph, c->next->name, key, value, c->err) : try_value(c, table, key, value);
}

static int change_options(struct change *c)
{
	const struct volfile_section *now = c->now, *next = c->next;
	const char *old;
	unsigned i;
	int ret = 0;

	for (i = 0; i < next->noptions && ret == 0; i++) {
		const struct volfile_option *o = &next->options[i];

		if (value_of(next, o->key) != o->value)
			continue;
		old = value_of(now, o->key);
		if (!old || strcmp(old, o->value) != 0)
			ret = change_option(c, o->key, o->value);
	}
	for (i = 0; i < now->noptions && ret == 0; i++)
		if (!value_of(next, now->options[i].key) && !may_go(now->type, now->options[i].key))
			ret = change_option(c, now->options[i].key, NULL);
	return ret;
}

/* The first section of @of that @in has not. */
static const char *missing(const struct volfile *of, const struct volfile *in)
{
	unsigned i;

	for (i = 0; i < of->n; i++)
		if (volfile_index(in, of->sections[i].name) < 0)
			return of->sections[i].name;
	return NULL;
}

static int same_shape(const struct volfile *now, const struct volfile *wanted, struct error *err)
{
	const char *name = missing(wanted, now);
	unsigned i;

	if (name)
		return error_set(err, -EXDEV, "%s is new", name);
	name = missing(now, wanted);
	if (name)
		return error_set(err, -EXDEV, "%s is gone", name);
	for (i = 0; i < now->n && i < wanted->n; i++) {
		const struct volfile_section *a = &now->sections[i], *b = &wanted->sections[i];

		if (strcmp(a->name, b->name) != 0 || strcmp(a->type, b->type) != 0)
			return error_set(err, -EXDEV, "%s (%s) stands where %s (%s) was", b->name, b->type, a->name, a->type);
		if (a->nchildren != b->nchildren ||
		    (a->nchildren && memcmp(a->children, b->children, a->nchildren * sizeof(*a->children)) != 0))
			return error_set(err, -EXDEV, "%s has other subvolumes", b->name);
	}
	return 0;
}

static int pass(struct change *c, const struct volfile *now)
{
	unsigned i;
	int ret = 0;

	c->count = 0;
	for (i = 0; i < now->n && ret == 0; i++) {
		c->now = &now->sections[i];
		c->next = &c->wanted->sections[i];
		c->xl = graph_find(c->graph, c->now->name);
		if (c->xl)			/* NULL: left out of this graph */
			ret = change_options(c);
	}
	return ret;
}

int graph_reconfigure(struct graph *graph, const struct volfile *now, const struct volfile *wanted, struct error *err)
{
	struct change c = { .graph = graph, .wanted = wanted, .err = err };
	int ret = same_shape(now, wanted, err);

	if (ret == 0)
		ret = pass(&c, now);
	c.apply = true;
	if (ret == 0 && c.count)
		ret = pass(&c, now);
	return ret < 0 ? ret : c.count;
}
