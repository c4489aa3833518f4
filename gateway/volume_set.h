/* gateway/volume_set.h: the volumes of a gateway: found by name for MOUNT, and by the id in a file handle for everything else. */
#ifndef GATEWAY_VOLUME_SET_H
#define GATEWAY_VOLUME_SET_H

#include "gateway/filehandle.h"
#include "gateway/volume.h"

struct volume_set {
	struct list all;		/* volume.in_set */
	struct hash_table by_id;
	struct volume *recent;		/* of the last handle; most calls in a row are of one volume */
	unsigned n;
	bool fixed;			/* nothing ever comes or goes: a handle of nobody here is a forged one */
};

void volume_set_init(struct volume_set *set);
void coroutine_fn volume_set_stop(struct volume_set *set);	/* retires all, and waits until their graphs are gone */
/* Holds a reference. -EEXIST with a sentence: one with this name, or this id, is there. To be called again once a volume got
 * its id (and only then does it find its handles). */
int volume_set_add(struct volume_set *set, struct volume *vol, struct error *err);
void volume_set_remove(struct volume_set *set, struct volume *vol);
struct volume *volume_set_find(const struct volume_set *set, const char *name, size_t len);	/* NULL: none; no reference */

/* From a handle to its volume (no reference) and its content. -EBADF: cut short, of another version, or not signed with the key
 * of the volume that it names; -ESTALE: of a volume that is not here; -EAGAIN: of one that is here, but cannot be served. */
int volume_set_decode(struct volume_set *set, const struct wire_handle *wire, struct volume **ret_vol,
		      struct filehandle *ret_fh);

#define volume_set_for_each(pos, set) list_for_each(pos, &(set)->all)

#endif
