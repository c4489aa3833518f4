/* gateway/verdict.c: see verdict.h. */
#include "gateway/verdict.h"

static void put_squash(FILE *f, const struct export_options *o)
{
	if (o->all_squash)
		fprintf(f, "everybody becomes %u:%u (all_squash)", o->anonuid, o->anongid);
	else if (o->root_squash)
		fprintf(f, "root becomes %u:%u (root_squash)", o->anonuid, o->anongid);
	else
		fprintf(f, "root stays root (no_root_squash)");
}

static void put_options(FILE *f, const struct export_options *o)
{
	fprintf(f, "%s, %s, ", o->rw ? "reading and writing (rw)" : "reading only (ro)",
		o->sync ? "answers after stable storage (sync)" : "answers before stable storage (async)");
	put_squash(f, o);
	fprintf(f, ", %s", o->secure ? "from ports below 1024 only (secure)" : "from any port (insecure)");
	if (o->subtree_check)
		fprintf(f, ", each file must be within reach below the export (subtree_check)");
	if (o->ino32)
		fprintf(f, ", file numbers of 32 bits (ino32)");
}

static void put_name(FILE *f, const struct verdict_case *c)
{
	if (c->wants_name && !c->name)
		fprintf(f, "; the client's address has no host name that leads back to it, so no pattern matches");
	else if (c->name)
		fprintf(f, "; the client's name is %s", c->name);
}

static void put_wrong(FILE *f, const struct verdict_case *c)
{
	const struct export_wrong *wrong = export_wrong_of(c->set, c->verdict.export);

	if (wrong)
		fprintf(f, "; a line of it is wrong and is not served: %s", wrong->sentence);
}

static void put_not_listed(FILE *f, const struct verdict_case *c)
{
	const struct export *ex = c->verdict.export;
	unsigned i;

	if (!ex->nclients) {
		fprintf(f, "%s is served to nobody", ex->path);
		put_wrong(f, c);
		return;
	}
	fprintf(f, "%s:%u exports %s, but only to %s", c->file, ex->line, ex->path, ex->nclients == 1 ? "" : "these: ");
	for (i = 0; i < ex->nclients && i < 8; i++)
		fprintf(f, "%s%s", i ? ", " : "", ex->clients[i].spec);
	if (ex->nclients > 8)
		fprintf(f, " and %u more", ex->nclients - 8);
	put_name(f, c);
	put_wrong(f, c);
}

void verdict_put(FILE *f, const struct verdict_case *c)
{
	const struct export_verdict *v = &c->verdict;

	if (c->no_volume) {
		fprintf(f, "there is no such volume");
		return;
	}
	switch (v->why) {
	case EXPORT_NO_PATH:
		fprintf(f, "%s exports neither it nor a directory above it", c->file);
		return;
	case EXPORT_NO_CLIENT:
		put_not_listed(f, c);
		return;
	case EXPORT_HIGH_PORT:
		fprintf(f, "%s:%u lets %s in from ports below 1024 only, and the port is %u (the option insecure lifts that)",
			c->file, v->client->line, v->client->spec, c->port);
		return;
	case EXPORT_REFUSED:
		fprintf(f, "%s:%u refuses %s access (noaccess), whatever else matches", c->file, v->client->line,
			v->client->spec);
		return;
	case EXPORT_ALLOWED:
		fprintf(f, "%s:%u exports %s to %s: ", c->file, v->client->line, v->export->path, v->client->spec);
		put_options(f, &v->client->options);
		return;
	}
}

char *verdict_text(const struct verdict_case *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	verdict_put(f, c);
	return fclose(f) == 0 ? text : NULL;
}
