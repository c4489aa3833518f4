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
	PLACE_GATEWAY,			/* the graph of gateways only: stock clients have no such option */
	PLACE_STOCK,			/* the graph of stock clients only. Without @key: whether (and how) the translator stands there at all */
	PLACE_HEAL,			/* the graph of stock self-heal daemons only */
	PLACE_BRICK,			/* the graph of bricks */
	PLACE_EXPORTS,			/* nfs.*: who may mount, and how */
	PLACE_MANAGER,			/* what the manager itself does: nfs.disable, auth.*, TLS, log levels */
};

struct volume_option_row {
	const char *name;		/* "cluster.quorum-type" */
	enum option_place place;
	const char *type, *key;		/* "cluster/replicate", "quorum-type"; NULL where it goes to no translator's option */
	const struct option *row;	/* NULL: the translator's */
	const char *dflt;		/* of a volume, where it differs from the row's; NULL: the row's */
	const char *help;		/* NULL: the row's */
	bool always;			/* stands in volfiles also when it is not set: the defaults of ours and of stock clients differ */
	int (*check)(const char *name, const char *value, struct error *err);	/* what a row cannot say; NULL: nothing more */
};

/* Ends with a row without a name; in order of names (options_table.c). */
extern const struct volume_option_row volume_option_rows[];
/* @name may lack what stands before the dot where that leaves no doubt, as with GlusterFS: documents keep row->name. NULL when there is none;
 * "user.*" has none either, though it may be set. */
const struct volume_option_row *volume_option_find(const char *name);
/* -ENOENT: no such option, and the nearest name in @err; -EOPNOTSUPP: GlusterFS has it and we do not, and why; -EINVAL, -ERANGE: the sentence
 * says what was expected. */
int volume_option_check(const char *name, const char *value, struct error *err);
/* What holds for @v: the value that is set, or the default ("" when there is none). */
const char *volume_option_effective(const struct volume *v, const char *name);
/* A sentence that says who may attach to the bricks, by auth.allow and auth.ssl-allow. malloc'ed. */
char *volume_attach_text(const struct volume *v);
bool volume_option_on(const struct volume *v, const char *name);	/* of a boolean one */
const char *volume_option_default(const struct volume_option_row *row);
const char *volume_option_help(const struct volume_option_row *row);
const char *volume_option_type(const struct volume_option_row *row);	/* "boolean", "one of none, auto, fixed", "number from 0 to 100" ... */
/* @value in the one way that everybody reads alike, stock clients, too: sizes in bytes, times in whole seconds (rounded up), numbers in digits,
 * words as the row has them. Text as it is. Returns @buf, @value or a word. */
const char *volume_option_plain(const struct volume_option_row *row, const char *value, char *buf, unsigned size);
/* Takes effect without a restart of what it concerns? */
bool volume_option_is_live(const struct volume_option_row *row);

#endif
