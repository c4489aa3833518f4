/* gateway/filehandle.h: what an NFS client holds of an object: 56 bytes that say all, so that no gateway keeps state
 * for them.
 *
 *   0 version (1)   1 type (S_IFMT >> 12)   2 hint, be16   4 export id, be32   8 volume id   24 gfid
 *   40 MAC of the bytes before
 *
 * The same handle works on every gateway of the volume that has the key, and after any restart. The hint says on which
 * subvolume the object was when the handle was made (struct inode); it is never trusted, only tried first. */
#ifndef GATEWAY_FILEHANDLE_H
#define GATEWAY_FILEHANDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/mac.h"
#include "rpcgen/wire.h"
#include "runtime/error.h"

#define FILEHANDLE_SIZE 56
#define FILEHANDLE_AT_VOLUME 8

struct filehandle {
	uint32_t type;			/* S_IFMT bits */
	uint16_t hint;
	uint32_t export_id;
	uint8_t volume_id[16];
	uint8_t gfid[16];
};

int filehandle_encode(struct mac *mac, const struct filehandle *fh, struct wire_handle *ret_wire);	/* 0 or -EIO */
/* The 16 bytes that a handle says its volume has, unproven. NULL: cut short, or of another version. */
const uint8_t *filehandle_volume(const struct wire_handle *wire);
static inline bool filehandle_says(const struct wire_handle *wire, const uint8_t *volume_id)
{
	return wire->len == FILEHANDLE_SIZE && __builtin_memcmp(wire->data + FILEHANDLE_AT_VOLUME, volume_id, 16) == 0;
}
/* -EBADF: forged, cut short, of another version or key: NFS3ERR_BADHANDLE. -ESTALE: genuine, but of another volume than
 * @volume_id. */
int filehandle_decode(struct mac *mac, const uint8_t *volume_id, const struct wire_handle *wire,
		      struct filehandle *ret_fh);

/* The 32 bytes in the file at @path, which is made (mode 0600) when there is none. Blocks: start-up
 * only. 0 or -errno with a sentence; a file that others may read, or of another size, is refused. */
int handle_key_load(const char *path, uint8_t ret_key[MAC_KEY_SIZE], struct error *err);

#endif
