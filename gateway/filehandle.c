/* gateway/filehandle.c: file handles to bytes and back. */
#include "gateway/filehandle.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define HANDLE_VERSION 1
#define AT_TYPE 1
#define AT_HINT 2
#define AT_EXPORT 4
#define AT_VOLUME FILEHANDLE_AT_VOLUME
#define AT_GFID 24
#define AT_MAC 40

_Static_assert(AT_MAC + MAC_SIZE == FILEHANDLE_SIZE, "the MAC ends the handle");

int filehandle_encode(struct mac *mac, const struct filehandle *fh, struct wire_handle *ret_wire)
{
	uint8_t *p = ret_wire->data;
	uint16_t hint = htobe16(fh->hint);
	uint32_t export_id = htobe32(fh->export_id);

	p[0] = HANDLE_VERSION;
	p[AT_TYPE] = fh->type >> 12;
	memcpy(p + AT_HINT, &hint, sizeof(hint));
	memcpy(p + AT_EXPORT, &export_id, sizeof(export_id));
	memcpy(p + AT_VOLUME, fh->volume_id, 16);
	memcpy(p + AT_GFID, fh->gfid, 16);
	ret_wire->len = FILEHANDLE_SIZE;
	return mac_tag(mac, MAC_SIGN, p, AT_MAC, p + AT_MAC);
}

const uint8_t *filehandle_volume(const struct wire_handle *wire)
{
	return wire->len == FILEHANDLE_SIZE && wire->data[0] == HANDLE_VERSION ? wire->data + AT_VOLUME : NULL;
}

int filehandle_decode(struct mac *mac, const uint8_t *volume_id, const struct wire_handle *wire,
		      struct filehandle *ret_fh)
{
	const uint8_t *p = wire->data;
	uint8_t tag[MAC_SIZE];
	uint16_t hint;
	uint32_t export_id;

	if (wire->len != FILEHANDLE_SIZE || p[0] != HANDLE_VERSION || mac_tag(mac, MAC_SIGN, p, AT_MAC, tag) < 0 ||
	    !mac_equal(tag, p + AT_MAC))
		return -EBADF;
	if (memcmp(p + AT_VOLUME, volume_id, 16) != 0)
		return -ESTALE;
	memcpy(&hint, p + AT_HINT, sizeof(hint));
	memcpy(&export_id, p + AT_EXPORT, sizeof(export_id));
	ret_fh->type = (uint32_t)p[AT_TYPE] << 12;
	ret_fh->hint = be16toh(hint);
	ret_fh->export_id = be32toh(export_id);
	memcpy(ret_fh->volume_id, volume_id, 16);
	memcpy(ret_fh->gfid, p + AT_GFID, 16);
	return 0;
}
