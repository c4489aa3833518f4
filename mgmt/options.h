/* mgmt/options.h: the options of a volume: GlusterFS's names where it has the option, and our own. One row each, in options.c.
 *
 * A row says where an option goes: to a translator of the gateway's or of a brick's graph (type, help, range and default then come from that
 * translator's own option row), into the exports, or to the manager. */
#ifndef MGMT_OPTIONS_H
#define MGMT_OPTIONS_H

#include <stdbool.h>

#include "mgmt/volume.h"
#include "runtime/option.h"

enum option_place {
	PLACE_CLIENT,			/* the graph of gateways and of stock clients: translator @type, option @key */
	PLACE_BRICK,			/* the graph of bricks */
	PLACE_EXPORTS,			/* nfs.*: who may mount, and how */
	PLACE_MANAGER,			/* what the manager itself does: nfs.disable, auth.*, TLS */
};

struct volume_option_row {
	const char *name;		/* "cluster.quorum-type" */
	enum option_place place;
	const char *type, *key;		/* "cluster/replicate", "quorum-type"; NULL for the last two places */
	const struct option *row;	/* of the last two places; NULL: the translator's */
	const char *dflt;		/* of a volume, where it differs from the row's; NULL: the row's */
	const char *help;		/* NULL: the row's */
};

/* Ends with a row without a name; in order of names. */
extern const struct volume_option_row volume_option_rows[];
const struct volume_option_row *volume_option_find(const char *name);	/* NULL when there is none */
/* -ENOENT: no such option, and the nearest name in @err; -EINVAL, -ERANGE: the sentence says what was expected. */
int volume_option_check(const char *name, const char *value, struct error *err);
/* What holds for @v: the value that is set, or the default ("" when there is none). */
const char *volume_option_effective(const struct volume *v, const char *name);
bool volume_option_on(const struct volume *v, const char *name);	/* of a boolean one */
const char *volume_option_default(const struct volume_option_row *row);
const char *volume_option_help(const struct volume_option_row *row);
const char *volume_option_type(const struct volume_option_row *row);	/* "boolean", "size", "one of none, auto, fixed" ... */
/* Takes effect without a restart of what it concerns? */
bool volume_option_is_live(const struct volume_option_row *row);

#endif
