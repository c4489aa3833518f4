/* mgmt/volfiles.c: a volume as its clients see it: gateways, stock clients, stock self-heal daemons.
 *
 * Names of translators are on disk (facts/brick-format.md: the changelog's attributes are named by protocol/client sections, linkto files name
 * the subvolumes of distribute), so they are GlusterFS's and never change. What decides where data goes stands in every kind of client's volfile
 * alike: kinds that disagree on it would damage the volume. */
#include "mgmt/volfiles.h"

#include <stdlib.h>
#include <string.h>

#include "mgmt/volfile_options.h"
#include "mgmt/volfile_text.h"

#define NAME_SIZE (VOLUME_NAME_MAX + 32)

struct writer {
	FILE *f;
	const struct volume *v;
	enum volfile_kind kind;
	const struct volfiles_tls *tls;
	char id[GFID_TEXT_SIZE];
	unsigned places;
	bool stock;
};

static void put_client(const struct writer *w, unsigned brick)
{
	const struct volume_brick *b = &w->v->bricks[brick];
	char name[NAME_SIZE];

	put_section(w->f, "protocol/client", "%s", volume_client_name(w->v, brick, name, sizeof(name)));
	put_option(w->f, "remote-host", b->host);
	put_option(w->f, "remote-subvolume", b->path);
	put_option(w->f, "transport-type", "tcp");
	if (!w->stock)
		put_option(w->f, "volume-id", w->id);
	if (w->kind != VOLFILE_CLIENT) {
		put_option(w->f, "username", w->v->login[0]);
		put_option(w->f, "password", w->v->login[1]);
	}
	put_options(w->f, w->v, w->places, "protocol/client", w->stock);
	put_tls(w->f, w->v, "client.ssl", w->tls);
	put_end(w->f, NULL);
}

/* "demo-client-0,demo-client-1" */
static void put_names(const struct writer *w, unsigned set, char between)
{
	char name[NAME_SIZE];
	unsigned i;

	for (i = 0; i < w->v->replica; i++) {
		if (i)
			fputc(between, w->f);
		fputs(volume_client_name(w->v, set * w->v->replica + i, name, sizeof(name)), w->f);
	}
}

static bool set_has(const struct writer *w, unsigned set, const char *client)
{
	char name[NAME_SIZE];
	unsigned i;

	for (i = 0; i < w->v->replica; i++)
		if (strcmp(volume_client_name(w->v, set * w->v->replica + i, name, sizeof(name)), client) == 0)
			return true;
	return false;
}

static bool has_arbiter(const struct volume *v, unsigned set)
{
	return v->arbiter && v->bricks[set * v->replica + v->replica - 1].arbiter;
}

/* A set refuses to prefer what is not its child, so only the one that has it hears of read-subvolume. */
static void put_set(const struct writer *w, unsigned set)
{
	static const char *const for_access[] = {
		"data-self-heal", "metadata-self-heal", "entry-self-heal", "background-self-heal-count", NULL
	};
	bool heals = w->kind == VOLFILE_SELF_HEAL;
	const char *preferred = volume_option(w->v, "cluster.read-subvolume");

	put_section(w->f, "cluster/replicate", "%s-replicate-%u", w->v->name, set);
	fprintf(w->f, "    option afr-pending-xattr ");
	put_names(w, set, ',');
	fputc('\n', w->f);
	put_option(w->f, "volume-id", w->id);
	if (has_arbiter(w->v, set))
		put_option(w->f, "arbiter-count", "1");
	if (heals) {
		put_option(w->f, "iam-self-heal-daemon", "yes");
		put_option(w->f, "data-self-heal", "on");
		put_option(w->f, "metadata-self-heal", "on");
		put_option(w->f, "entry-self-heal", "on");
		put_option(w->f, "background-self-heal-count", "0");
	}
	put_options_but(w->f, w->v, w->places, "cluster/replicate", w->stock, heals ? for_access : NULL);
	if (preferred && set_has(w, set, preferred))
		put_option(w->f, "read-subvolume", preferred);
	fprintf(w->f, "    subvolumes ");
	put_names(w, set, ' ');
	fprintf(w->f, "\nend-volume\n\n");
}

/* What distribute stands on, or the top of a self-heal daemon's graph. */
static void put_sets(const struct writer *w)
{
	const char *kind = w->v->replica > 1 ? "replicate" : "client";
	unsigned i;

	fprintf(w->f, "    subvolumes");
	for (i = 0; i < volume_sets(w->v); i++)
		fprintf(w->f, " %s-%s-%u", w->v->name, kind, i);
	fprintf(w->f, "\nend-volume\n\n");
}

/* What a stock client has above features/utime, from below, in glusterd's order. */
static const struct { const char *part, *type, *wanted; } layers[] = {
	{ "write-behind", "performance/write-behind", "performance.write-behind" },
	{ "read-ahead", "performance/read-ahead", "performance.read-ahead" },
	{ "readdir-ahead", "performance/readdir-ahead", "performance.readdir-ahead" },
	{ "io-cache", "performance/io-cache", "performance.io-cache" },
	{ "open-behind", "performance/open-behind", "performance.open-behind" },
	{ "quick-read", "performance/quick-read", "performance.quick-read" },
	{ "nl-cache", "performance/nl-cache", "performance.nl-cache" },
	{ "md-cache", "performance/md-cache", "performance.stat-prefetch" },
	{ "io-threads", "performance/io-threads", "performance.client-io-threads" },
};

/* Options that need more than the table says. */
static void put_special(const struct writer *w, const char *part)
{
	const struct volume_option_row *row = volume_option_find("performance.cache-size");
	const char *size = volume_option(w->v, row->name);
	char buf[32];

	if (size && ((strcmp(part, "io-cache") == 0 && !volume_option(w->v, "performance.io-cache-size")) ||
		     (strcmp(part, "quick-read") == 0 && !volume_option(w->v, "performance.quick-read-cache-size"))))
		put_option(w->f, "cache-size", volume_option_plain(row, size, buf, sizeof(buf)));
	if (strcmp(part, "md-cache") == 0 && volume_option_on(w->v, "features.cache-invalidation") &&
	    volume_option_on(w->v, "performance.cache-invalidation"))
		put_option(w->f, "cache-invalidation", "on");
}

static void put_stock_layers(const struct writer *w)
{
	char below[NAME_SIZE];
	unsigned i;

	snprintf(below, sizeof(below), "%s-utime", w->v->name);
	for (i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		if (!volume_option_on(w->v, layers[i].wanted))
			continue;
		put_section(w->f, layers[i].type, "%s-%s", w->v->name, layers[i].part);
		put_special(w, layers[i].part);
		put_options(w->f, w->v, w->places, layers[i].type, w->stock);
		put_end(w->f, below);
		snprintf(below, sizeof(below), "%s-%s", w->v->name, layers[i].part);
	}
	put_section(w->f, "debug/io-stats", "%s", w->v->name);
	put_options(w->f, w->v, w->places, "debug/io-stats", w->stock);
	put_end(w->f, below);
}

/* distribute stands there also over a single subvolume: a brick added later finds its directories in order. */
static void put_top(const struct writer *w)
{
	char dht[NAME_SIZE];

	put_section(w->f, "cluster/distribute", "%s-dht", w->v->name);
	put_options(w->f, w->v, w->places, "cluster/distribute", w->stock);
	put_sets(w);
	put_section(w->f, "features/utime", w->stock ? "%s-utime" : "%s", w->v->name);
	put_options(w->f, w->v, w->places, "features/utime", w->stock);
	snprintf(dht, sizeof(dht), "%s-dht", w->v->name);
	put_end(w->f, dht);
	if (w->stock)
		put_stock_layers(w);
}

static unsigned places_for(enum volfile_kind kind)
{
	if (kind == VOLFILE_GATEWAY)
		return PLACE(PLACE_CLIENT) | PLACE(PLACE_GATEWAY);
	if (kind == VOLFILE_SELF_HEAL)
		return PLACE(PLACE_CLIENT) | PLACE(PLACE_STOCK) | PLACE(PLACE_HEAL);
	return PLACE(PLACE_CLIENT) | PLACE(PLACE_STOCK);
}

char *volfile_for_clients(const struct volume *v, enum volfile_kind kind, const struct volfiles_tls *tls)
{
	struct writer w = { .v = v, .kind = kind, .tls = tls, .places = places_for(kind), .stock = kind != VOLFILE_GATEWAY };
	struct text t;
	unsigned i;

	text_open(&t);
	w.f = t.f;
	gfid_text(v->id, w.id);
	for (i = 0; i < v->nbricks; i++)
		put_client(&w, i);
	for (i = 0; v->replica > 1 && i < volume_sets(v); i++)
		put_set(&w, i);
	if (kind == VOLFILE_SELF_HEAL) {
		put_section(w.f, "debug/io-stats", "%s", v->name);
		put_options(w.f, v, w.places, "debug/io-stats", true);
		put_sets(&w);
	} else {
		put_top(&w);
	}
	return text_close(&t);
}
