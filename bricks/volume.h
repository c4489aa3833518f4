/* bricks/volume.h: a brick's volfile: made from the command line, or a stock one that is read. */
#ifndef BRICKS_VOLUME_H
#define BRICKS_VOLUME_H

#include "rpc/tls.h"
#include "runtime/error.h"
#include "xlators/graph.h"

struct brick_layer_option { const char *layer, *key, *value; };	/* "posix", "sync", "on" */

struct brick_volume_conf {
	const char *directory, *volume_id, *name, *volume;	/* volume, volume_id: NULL when not known */
	const struct brick_layer_option *options;
	unsigned noptions;
	bool arbiter;				/* keep names and marks, no data */
	bool create;				/* mark the directory */
};
/* storage/posix, features/access-control, locks, upcall, index, and on top a section with the brick's name. -EINVAL and a sentence when an
 * option names no layer. The text is malloc'ed. */
int brick_volfile_text(const struct brick_volume_conf *conf, struct error *err, char **ret_text);
/* The same options for the layers of a volfile that was read: they win over what stands in it. */
int brick_override(struct volfile *vf, const struct brick_layer_option *options, unsigned noptions, struct error *err);
/* "LAYER.KEY=VALUE", cut in place; the layer "*" is every one that has the option. */
int brick_option_parse(char *word, struct brick_layer_option *ret_option, struct error *err);

/* What a stock brick volfile says about serving: its last section must be protocol/server. */
struct brick_server_section { unsigned index; const char *name; int port; };	/* name: the brick's; port 0: not said */
int brick_server_section(const struct volfile *vf, struct brick_server_section *ret, struct error *err);

/* TLS as options say it; the rows are those of the command line, without ssl-enabled. */
struct brick_tls { bool enabled; struct tls_conf conf; };
/* What a volfile's section @index says of it (transport.socket.ssl-...). 0 or -errno; brick_tls_free() in any case. */
int brick_section_tls(const struct volfile *vf, unsigned index, struct brick_tls *ret, struct error *err);
void brick_tls_free(struct brick_tls *t);

#endif
