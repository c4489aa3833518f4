/* xlators/graph.c: from a volfile's sections to running translators, children before parents, and back down again. */
#include "xlators/graph.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "xlators/volfile.h"

#define XLATOR(class) extern const struct xlator_class class;
#include "xlators/xlators.def"
#undef XLATOR
#define XLATOR(class) &class,
const struct xlator_class *const xlator_classes[] = {
#include "xlators/xlators.def"
	NULL
};
#undef XLATOR

#define DEFAULT_IDLE_INODES 65536

/* Sections of stock volfiles that only change a client's own caching, or features that are off unless an option says
 * otherwise
 * (facts/volfile.md sections 4 and 6). They stay in the graph under their name and hand every call on. */
static const char *const passed_through[] = {
	"performance/*", "debug/io-stats", "debug/sink", "meta", "features/changelog", "features/bitrot-stub", "features/trash",
	"features/worm", "features/read-only", "features/leases", "features/marker", "features/barrier",
	"features/quota", "features/quiesce", "features/gfid-access", "features/snapview-client", "features/snapview-server",
	"features/thin-arbiter", "features/sdfs", "features/cloudsync", NULL
};

/* Options that switch such a feature on: then handing calls on would be a lie. */
static const char *const must_be_off[] = { "read-only", "worm", "server-quota", "bitrot", "changelog", "trash", "leases", NULL };

static const struct xlator_class passthrough_class = {
	.name = "passthrough", .summary = "hands every call to its only child", .min_children = 1, .max_children = 1,
};

struct builder {
	const struct volfile *vf;
	const struct graph_conf *conf;
	struct error *err;
	struct graph *graph;
	struct xlator **by_section;	/* NULL: left out */
	unsigned nslots, ninit;
};

static bool in_list(const char *const *patterns, const char *word)
{
	for (; patterns && *patterns; patterns++)
		if (fnmatch(*patterns, word, 0) == 0)
			return true;
	return false;
}

static const struct xlator_class *class_find(const char *type)
{
	unsigned i;

	for (i = 0; xlator_classes[i]; i++)
		if (strcmp(xlator_classes[i]->name, type) == 0)
			return xlator_classes[i];
	return in_list(passed_through, type) ? &passthrough_class : NULL;
}

static bool value_is_on(const char *value)
{
	static const char *const words[] = { "on", "yes", "true", "enable", "1", NULL };

	return in_list(words, value);
}

bool graph_refuses(const char *key, const char *value)
{
	return in_list(must_be_off, key) && value_is_on(value);
}

static int check_passthrough(struct builder *b, const struct volfile_section *s)
{
	unsigned i;

	for (i = 0; i < s->noptions; i++)
		if (graph_refuses(s->options[i].key, s->options[i].value))
			return error_set(b->err, -EOPNOTSUPP, "%s:%d: %s has \"%s\" switched on, which is not served here: switch it off first",
					 b->vf->filename, s->options[i].line, s->type, s->options[i].key);
	return 0;
}

static int set_options(struct builder *b, struct xlator *xl, const struct volfile_section *s)
{
	struct error err;
	unsigned i;
	int ret;

	if (!xl->class->options)
		return 0;
	options_init(xl->class->options, xl->priv);
	for (i = 0; i < s->noptions; i++) {
		err.text[0] = '\0';
		ret = option_set(xl->class->options, xl->priv, s->options[i].key, s->options[i].value, &err);
		if (ret == -ENOENT)
			log_warning("option is not known and has no effect", "file=%s line=%d volume=%s type=%s option=%s",
				    b->vf->filename, s->options[i].line, s->name, s->type, log_quote(s->options[i].key));
		else if (ret < 0)
			return error_set(b->err, ret, "%s:%d: volume %s: %s", b->vf->filename, s->options[i].line, s->name, err.text);
	}
	err.text[0] = '\0';
	ret = options_check(xl->class->options, xl->priv, &err);
	return ret < 0 ? error_set(b->err, ret, "%s:%d: volume %s: %s", b->vf->filename, s->line, s->name, err.text) : 0;
}

static int link_child(struct xlator *parent, unsigned place, struct xlator *child)
{
	struct xlator **parents = realloc(child->parents, (child->nparents + 1) * sizeof(*parents));
	unsigned *index;

	if (!parents)
		return -ENOMEM;
	child->parents = parents;
	index = realloc(child->parent_index, (child->nparents + 1) * sizeof(*index));
	if (!index)
		return -ENOMEM;
	child->parent_index = index;
	parents[child->nparents] = parent;
	index[child->nparents++] = place;
	parent->children[place] = child;
	return 0;
}

static struct xlator *xlator_alloc(struct builder *b, const struct volfile_section *s, const struct xlator_class *class)
{
	struct xlator *xl = calloc(1, sizeof(*xl));

	if (!xl)
		return NULL;
	xl->class = class;
	xl->name = strdup(s->name);
	xl->priv = calloc(1, class->priv_size ? class->priv_size : 1);
	xl->children = calloc(s->nchildren ? s->nchildren : 1, sizeof(*xl->children));
	xl->graph = b->graph;
	xl->nchildren = s->nchildren;
	if (class->uses_inode_ctx)
		xl->slot = b->nslots++;
	b->graph->xlators[b->graph->n++] = xl;
	return xl->name && xl->priv && xl->children ? xl : NULL;
}

static int check_children(struct builder *b, const struct volfile_section *s, const struct xlator_class *class)
{
	if (s->nchildren < class->min_children || s->nchildren > class->max_children)
		return error_set(b->err, -EINVAL, "%s:%d: volume %s: %s takes %u to %u subvolumes, not %u", b->vf->filename, s->line,
				 s->name, s->type, class->min_children, class->max_children, s->nchildren);
	return 0;
}

static bool skipped(struct builder *b, const struct volfile_section *s)
{
	unsigned i;

	if (in_list(b->conf->skip_types, s->type))
		return true;
	for (i = 0; i < s->nchildren; i++)
		if (!b->by_section[s->children[i]])
			return true;
	return false;
}

static int build_section(struct builder *b, unsigned place)
{
	const struct volfile_section *s = &b->vf->sections[place];
	const struct xlator_class *class = class_find(s->type);
	struct xlator *xl;
	unsigned i;
	int ret;

	if (skipped(b, s))
		return 0;
	if (!class)
		return error_set(b->err, -EOPNOTSUPP, "%s:%d: volume %s: type %s is not served here", b->vf->filename, s->line, s->name,
				 log_quote(s->type));
	ret = class == &passthrough_class ? check_passthrough(b, s) : 0;
	if (ret == 0)
		ret = check_children(b, s, class);
	if (ret < 0)
		return ret;
	xl = xlator_alloc(b, s, class);
	if (!xl)
		return -ENOMEM;
	b->by_section[place] = b->graph->top = xl;
	for (i = 0; i < s->nchildren && ret == 0; i++)
		ret = link_child(xl, i, b->by_section[s->children[i]]);
	return ret < 0 ? ret : set_options(b, xl, s);
}

/* A section that nobody names and that is not the top one would be built for nothing: most often a mistake. */
static int check_used(struct builder *b)
{
	unsigned i;

	if (!b->graph->top)
		return error_set(b->err, -EINVAL, "%s: no volume is left to serve", b->vf->filename);
	for (i = 0; i < b->graph->n; i++)
		if (b->graph->xlators[i] != b->graph->top && !b->graph->xlators[i]->nparents)
			return error_set(b->err, -EINVAL, "%s: volume %s is no subvolume of any other, and only the last one may be so",
					 b->vf->filename, b->graph->xlators[i]->name);
	return 0;
}

static int coroutine_fn init_all(struct builder *b)
{
	struct graph *graph = b->graph;
	unsigned idle = b->conf->max_idle_inodes ? b->conf->max_idle_inodes : DEFAULT_IDLE_INODES;
	int ret;

	graph->inodes = inode_table_new(graph->xlators, graph->n, b->nslots, idle);
	if (!graph->inodes)
		return -ENOMEM;
	for (b->ninit = 0; b->ninit < graph->n; b->ninit++) {
		struct xlator *xl = graph->xlators[b->ninit];

		ret = xl->class->init ? xl->class->init(xl, b->err) : 0;
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void coroutine_fn graph_destroy(struct graph *graph, unsigned ninit)
{
	unsigned i;

	if (graph->inodes)
		inode_table_set_max_idle(graph->inodes, 0);
	for (i = ninit; i-- > 0;) {
		if (graph->xlators[i]->class->fini)
			graph->xlators[i]->class->fini(graph->xlators[i]);
		graph->xlators[i]->gone = true;
	}
	inode_table_free(graph->inodes);
	for (i = 0; i < graph->n; i++) {
		struct xlator *xl = graph->xlators[i];

		if (xl->priv && xl->class->options)
			options_free(xl->class->options, xl->priv);
		free(xl->priv);
		free(xl->children);
		free(xl->parents);
		free(xl->parent_index);
		free((char *)xl->name);
		free(xl);
	}
	free(graph->xlators);
	free((char *)graph->from);
	free(graph);
}

static struct graph *graph_alloc(const struct volfile *vf, const struct graph_conf *conf)
{
	struct graph *graph = calloc(1, sizeof(*graph));

	if (!graph)
		return NULL;
	graph->loop = conf->loop;
	graph->event = conf->event;
	graph->owner = conf->owner;
	graph->from = conf->from ? strdup(conf->from) : NULL;
	graph->xlators = calloc(vf->n, sizeof(*graph->xlators));
	if (graph->xlators)
		return graph;
	free((char *)graph->from);
	free(graph);
	return NULL;
}

static int build_all(struct builder *b)
{
	unsigned i;
	int ret = 0;

	b->graph = graph_alloc(b->vf, b->conf);
	b->by_section = calloc(b->vf->n, sizeof(*b->by_section));
	if (!b->graph || !b->by_section)
		ret = -ENOMEM;
	for (i = 0; i < b->vf->n && ret == 0; i++)
		ret = build_section(b, i);
	return ret == 0 ? check_used(b) : ret;
}

int coroutine_fn graph_new(const struct volfile *vf, const struct graph_conf *conf, struct error *err, struct graph **ret_graph)
{
	struct builder b = { .vf = vf, .conf = conf, .err = err };
	unsigned i;
	int ret = build_all(&b);

	if (ret == 0)
		ret = init_all(&b);
	free(b.by_section);
	if (ret < 0) {
		error_set(err, ret, "%s: %s", vf->filename, strerror(-ret));
		if (b.graph)
			graph_destroy(b.graph, b.ninit);
		return ret;
	}
	for (i = 0; i < b.graph->n; i++)
		if (b.graph->xlators[i]->class->start)
			b.graph->xlators[i]->class->start(b.graph->xlators[i]);
	*ret_graph = b.graph;
	return 0;
}

int graph_check(const struct volfile *vf, struct error *err)
{
	struct graph_conf conf = { 0 };
	struct builder b = { .vf = vf, .conf = &conf, .err = err };
	int ret = build_all(&b);

	free(b.by_section);
	if (ret < 0)
		error_set(err, ret, "%s: %s", vf->filename, strerror(-ret));
	if (b.graph)
		graph_destroy(b.graph, 0);
	return ret;
}

void coroutine_fn graph_free(struct graph *graph)
{
	if (!graph)
		return;
	graph->event = NULL;
	graph_destroy(graph, graph->n);
}

struct xlator *graph_find(const struct graph *graph, const char *name)
{
	unsigned i;

	for (i = 0; i < graph->n; i++)
		if (strcmp(graph->xlators[i]->name, name) == 0)
			return graph->xlators[i];
	return NULL;
}

int graph_set_option(struct graph *graph, const char *xlator, const char *key, const char *value, struct error *err)
{
	struct xlator *xl = graph_find(graph, xlator);
	const struct option *row;
	int ret;

	if (!xl)
		return error_set(err, -ENOENT, "there is no translator named %s", log_quote(xlator));
	row = xl->class->options ? option_find(xl->class->options, key) : NULL;
	if (row && !(row->flags & OPT_LIVE))
		return error_set(err, -EOPNOTSUPP, "option %s of %s takes effect at the next start only", key, xl->name);
	if (!row)
		return error_set(err, -ENOENT, "%s has no option %s", xl->class->name, log_quote(key));
	ret = option_set(xl->class->options, xl->priv, key, value, err);
	if (ret < 0 || !xl->class->reconfigured)
		return ret;
	return xl->class->reconfigured(xl, err);
}

void graph_client_gone(struct graph *graph, struct client *client)
{
	unsigned i;

	for (i = graph->n; i-- > 0;)
		if (graph->xlators[i]->class->client_gone)
			graph->xlators[i]->class->client_gone(graph->xlators[i], client);
}

void graph_fd_released(struct graph *graph, struct client *client, struct fd *fd)
{
	unsigned i;

	for (i = graph->n; i-- > 0;)
		if (graph->xlators[i]->class->fd_released)
			graph->xlators[i]->class->fd_released(graph->xlators[i], client, fd);
}

void graph_client_acknowledged(struct graph *graph, struct client *client, uint64_t sequence)
{
	unsigned i;

	for (i = 0; i < graph->n; i++)
		if (graph->xlators[i]->class->acknowledged)
			graph->xlators[i]->class->acknowledged(graph->xlators[i], client, sequence);
}
