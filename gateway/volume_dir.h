/* gateway/volume_dir.h: volumes as a directory tells them: NAME.vol is the volfile of /NAME, NAME.key signs its handles, and the
 * file "exports" says who may mount what of all of them. */
#ifndef GATEWAY_VOLUME_DIR_H
#define GATEWAY_VOLUME_DIR_H

#include "xlators/exports.h"
#include "rpc/mac.h"
#include "runtime/coroutine.h"

#define VOLUMES_MAX 1024

struct volume_file {
	char *name, *path;
	char *text;			/* NULL: cannot be read */
	size_t len;
	bool has_key, taken;		/* taken: by volume_dir_apply() */
	uint8_t key[MAC_KEY_SIZE];
	struct error err;		/* why the text or the key is missing */
};

struct volume_dir {
	struct volume_file *files;	/* by name */
	unsigned n;
	struct export_set *exports;	/* NULL: @exports_err says why */
	struct error exports_err;
};

/* Reads all of it, which blocks. @keys: make keys that are missing; else none is read. 0, or -errno with a sentence when the
 * directory itself cannot be read; what is wrong with single files stands beside them. */
int volume_dir_read(const char *dir, const char *exports_path, bool keys, struct volume_dir *ret_dir, struct error *err);
void volume_dir_free(struct volume_dir *dir);

struct gatewayd;
/* Makes the gateway serve what @dir says: new volumes, changed ones, then the exports (which are taken over), then those that are
 * gone. What is wrong with one changes nothing for it and stands in the log. How many were wrong. */
unsigned coroutine_fn volume_dir_apply(struct gatewayd *d, struct volume_dir *dir);
void coroutine_fn gatewayd_tell_loaded(struct gatewayd *d, const struct volume_dir *dir);	/* loaded.c */

#endif
