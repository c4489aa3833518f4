/* xlators/graph.h: a volume's translators, built from a volfile (facts/volfile.md), alive on one loop. */
#ifndef XLATORS_GRAPH_H
#define XLATORS_GRAPH_H

#include "xlators/xlator.h"

struct volfile;

/* Parses GlusterFS's grammar. NULL and a sentence with file, line and what was expected. Backquotes are
 * refused. At most 16 MiB, 4096 sections. */
struct volfile *volfile_parse(const char *text, size_t len, const char *filename, struct error *err);
struct volfile *volfile_read(const char *path, struct error *err);	/* reads the file: start-up only */
void volfile_free(struct volfile *vf);		/* accepts NULL */
/* What a reader may ask of it: sections in order of the text. */
unsigned volfile_count(const struct volfile *vf);
const char *volfile_name(const struct volfile *vf, unsigned i);
const char *volfile_type(const struct volfile *vf, unsigned i);
const char *volfile_option(const struct volfile *vf, unsigned i, const char *key);	/* NULL when absent */
/* In every section of that type, whatever stands there. Nothing is copied. 0 or -ENOMEM. */
int volfile_set_option(struct volfile *vf, const char *type, const char *key, const char *value);

struct graph {
	struct loop *loop;
	struct xlator *top;
	struct xlator **xlators;	/* children before parents */
	unsigned n;
	struct inode_table *inodes;
	/* counts promises made and lost (xlator.lease_s): what was kept in another epoch is worth nothing */
	uint64_t lease_epoch;
	unsigned stock_bricks;		/* connected to and not our own: they trust that a kernel checked each call (gateway/trust.h) */
	const char *from;		/* local address of the simulated host, or NULL */
	/* from the top translator; may be NULL */
	void (*event)(void *owner, enum xl_event ev, const struct xl_upcall *upcall);
	void *owner;
};

struct graph_conf {
	struct loop *loop;
	unsigned max_idle_inodes;	/* 0: 65536 */
	const char *from;
	void (*event)(void *owner, enum xl_event ev, const struct xl_upcall *upcall);
	void *owner;
	/* Sections with a type in this list (NULL-terminated) and those above them are left out (protocol/server for bricks). */
	const char *const *skip_types;
};
/* Builds, initialises and starts. Types that only change a client's own caching (performance/ and the like,
 * volfile.md section 6) become pass-through
 * translators; features/shard, cluster/disperse and unknown types are refused with a sentence. */
int coroutine_fn graph_new(const struct volfile *vf, const struct graph_conf *conf, struct error *err, struct graph **ret_graph);
/* What graph_new() would say of the sections and their options, without any of them coming alive. 0 or -errno with a sentence. */
int graph_check(const struct volfile *vf, struct error *err);
void coroutine_fn graph_free(struct graph *graph);
struct xlator *graph_find(const struct graph *graph, const char *name);	/* NULL when there is none */
/* Sets an option of a running translator: -EOPNOTSUPP when its row is not OPT_LIVE. */
int graph_set_option(struct graph *graph, const char *xlator, const char *key, const char *value, struct error *err);
/* Makes @graph, which was built from @now, what @wanted says, as far as that goes without building it anew. All or
 * nothing. How many options were set (0: the two files say the same); -EXDEV with a sentence about the first difference
 * that takes another graph; -EINVAL or -ERANGE with a sentence about a value. */
int graph_reconfigure(struct graph *graph, const struct volfile *now, const struct volfile *wanted, struct error *err);
void graph_client_gone(struct graph *graph, struct client *client);
void graph_fd_released(struct graph *graph, struct client *client, struct fd *fd);
void graph_client_acknowledged(struct graph *graph, struct client *client, uint64_t sequence);

extern const struct xlator_class *const xlator_classes[];	/* from xlators.def; NULL-terminated */

#endif
