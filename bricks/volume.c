/* bricks/volume.c: the layers of a brick, as a volfile's text; and what a stock brick volfile's protocol/server section tells. */
#include "bricks/volume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/brick_identity.h"

static const struct { const char *layer, *type; } layers[] = {
	{ "posix", "storage/posix" },
	{ "arbiter", "features/arbiter" },
	{ "access-control", "features/access-control" },
	{ "locks", "features/locks" },
	{ "upcall", "features/upcall" },
	{ "index", "features/index" },
};
#define ARBITER 1		/* its place in the table */
#define LAYERS (sizeof(layers) / sizeof(layers[0]))

static int layer_find(const char *name)
{
	size_t i;

	for (i = 0; i < LAYERS; i++)
		if (!strcmp(layers[i].layer, name))
			return (int)i;
	return -1;
}

int brick_option_parse(char *word, struct brick_layer_option *o, struct error *err)
{
	char *dot = strchr(word, '.'), *equal = dot ? strchr(dot, '=') : NULL;

	if (!equal || dot == word || equal == dot + 1)
		return error_set(err, -EINVAL, "--option wants LAYER.KEY=VALUE, such as locks.notify-contention=off, not \"%s\"", word);
	*dot = *equal = 0;
	*o = (struct brick_layer_option){ word, dot + 1, equal + 1 };
	if (strcmp(word, "*") && layer_find(word) < 0)
		return error_set(err, -EINVAL,
				 "--option: there is no layer \"%s\"; there are posix, arbiter, access-control, locks, upcall and index",
				 word);
	return 0;
}

/* A word of the volfile grammar, in quotes; a backslash takes the next character as it is. */
static void put_quoted(FILE *f, const char *word)
{
	fputc('"', f);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			fputc('\\', f);
		fputc(*word, f);
	}
	fputc('"', f);
}

static void put_option(FILE *f, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(f, "    option %s ", key);
	put_quoted(f, value);
	fputc('\n', f);
}

static void put_index(FILE *f, const struct brick_volume_conf *conf)
{
	char *base, *pending;

	if (asprintf(&base, "%s/.glusterfs/indices", conf->directory) > 0) {
		put_option(f, "index-base", base);
		free(base);
	}
	put_option(f, "xattrop-dirty-watchlist", "trusted.afr.dirty");
	if (asprintf(&pending, "trusted.afr.%s%s", conf->volume ? conf->volume : "", conf->volume ? "-" : "") > 0) {
		put_option(f, "xattrop-pending-watchlist", pending);
		free(pending);
	}
}

static const struct xlator_class *class_of(unsigned layer)
{
	unsigned i;

	for (i = 0; xlator_classes[i]; i++)
		if (!strcmp(xlator_classes[i]->name, layers[layer].type))
			return xlator_classes[i];
	return NULL;
}

/* "*" stands for every layer that has the option. */
static bool option_is_for(const struct brick_layer_option *o, unsigned layer)
{
	const struct xlator_class *class = class_of(layer);

	if (strcmp(o->layer, "*"))
		return !strcmp(o->layer, layers[layer].layer);
	return class && class->options && option_find(class->options, o->key);
}

static void put_layer(FILE *f, const struct brick_volume_conf *conf, unsigned i, unsigned below)
{
	unsigned n;

	fprintf(f, "volume brick-%s\n    type %s\n", layers[i].layer, layers[i].type);
	if (i == 0) {
		put_option(f, "directory", conf->directory);
		put_option(f, "volume-id", conf->volume_id);
		put_option(f, "identity", IDENTITY_UNKNOWN);
		put_option(f, "create", conf->create ? "on" : NULL);
	}
	if (i == LAYERS - 1)
		put_index(f, conf);
	for (n = 0; n < conf->noptions; n++)
		if (option_is_for(&conf->options[n], i))
			put_option(f, conf->options[n].key, conf->options[n].value);
	if (i)
		fprintf(f, "    subvolumes brick-%s\n", layers[below].layer);
	fprintf(f, "end-volume\n");
}

int brick_volfile_text(const struct brick_volume_conf *conf, struct error *err, char **ret_text)
{
	size_t size;
	FILE *f = open_memstream(ret_text, &size);
	unsigned i, below = 0;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < LAYERS; i++) {
		if (!class_of(i) || (i == ARBITER && !conf->arbiter))
			continue;	/* not built in, or not wanted */
		put_layer(f, conf, i, below);
		below = i;
	}
	return fclose(f) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

int brick_override(struct volfile *vf, const struct brick_layer_option *options, unsigned noptions, struct error *err)
{
	unsigned n, i;
	int ret = 0;

	for (n = 0; n < noptions; n++)
		for (i = 0; !ret && i < LAYERS; i++)
			if (option_is_for(&options[n], i))
				ret = volfile_set_option(vf, layers[i].type, options[n].key, options[n].value);
	return ret ? error_set(err, ret, "out of memory") : 0;
}

int brick_server_section(const struct volfile *vf, struct brick_server_section *s, struct error *err)
{
	unsigned last = volfile_count(vf) - 1;
	const char *port;
	char *end = NULL;
	long number;

	memset(s, 0, sizeof(*s));
	if (!volfile_count(vf) || strcmp(volfile_type(vf, last), "protocol/server"))
		return error_set(err, -EINVAL, "a brick's volfile ends with a section of type protocol/server");
	if (!last)
		return error_set(err, -EINVAL, "the volfile has nothing below protocol/server");
	s->index = last;
	s->name = volfile_name(vf, last - 1);
	port = volfile_option(vf, last, "transport.socket.listen-port");
	if (!port)
		port = volfile_option(vf, last, "listen-port");
	number = port ? strtol(port, &end, 10) : 0;
	s->port = (int)number;
	if (number < 0 || number > 65535 || (end && *end))
		return error_set(err, -EINVAL, "the volfile's listen-port %s is no port", port);
	return 0;
}

/* --- TLS in that section --- */

static const struct option tls_rows[] = {
	OPT_BOOL("transport.socket.ssl-enabled", struct brick_tls, enabled, "off", 0, ""),
	TLS_OPTION_ROWS("transport.socket.", struct brick_tls, conf),
	OPT_END
};

int brick_section_tls(const struct volfile *vf, unsigned index, struct brick_tls *t, struct error *err)
{
	const struct option *row;
	const char *value;
	int ret = 0;

	memset(t, 0, sizeof(*t));
	options_init(tls_rows, t);
	for (row = tls_rows; !ret && row->name; row++) {
		value = volfile_option(vf, index, row->name);
		if (value)
			ret = option_set(tls_rows, t, row->name, value, err);
	}
	if (ret < 0)
		error_prefix(err, "the volfile's section protocol/server");
	return ret;
}

void brick_tls_free(struct brick_tls *t)
{
	options_free(tls_rows, t);
}
