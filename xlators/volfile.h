/* xlators/volfile.h: a parsed volfile as graph.c sees it. Everybody else asks through graph.h. */
#ifndef XLATORS_VOLFILE_H
#define XLATORS_VOLFILE_H

#include "runtime/arena.h"
#include "xlators/graph.h"

struct volfile_option { const char *key, *value; int line; };

struct volfile_section {
	const char *name, *type;
	int line;
	unsigned noptions, nchildren;
	struct volfile_option *options;
	unsigned *children;		/* places of sections above */
};

struct volfile {
	struct arena *arena;
	const char *filename;
	unsigned n;
	struct volfile_section *sections;
};

/* graph.c: an option that switches on what is only passed through here. */
bool graph_refuses(const char *key, const char *value);
int volfile_index(const struct volfile *vf, const char *name);	/* -1 when there is none */

#endif
