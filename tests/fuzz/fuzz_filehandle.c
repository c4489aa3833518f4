/* tests/fuzz/fuzz_filehandle.c: no bytes but our own make a file handle, and what decodes encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "gateway/filehandle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[MAC_KEY_SIZE] = { 1, 2, 3 }, volume[16] = { 0 };
	static struct mac *mac;
	struct wire_handle wire = { 0 }, again = { 0 };
	struct filehandle fh;

	if (!mac)
		mac = mac_new(key);
	wire.len = size < sizeof(wire.data) ? (uint32_t)size : sizeof(wire.data);
	memcpy(wire.data, data, wire.len);
	if (filehandle_decode(mac, volume, &wire, &fh) < 0) {
		/* signed by us, the same bytes must pass or be refused for what they say, and never crash */
		if (wire.len != FILEHANDLE_SIZE)
			return 0;
		mac_tag(mac, MAC_SIGN, wire.data, FILEHANDLE_SIZE - MAC_SIZE, wire.data + FILEHANDLE_SIZE - MAC_SIZE);
		if (filehandle_decode(mac, volume, &wire, &fh) < 0)
			return 0;
	}
	filehandle_encode(mac, &fh, &again);
	/* The type has four bits in a byte of its own; all else must be the same. */
	wire.data[1] = again.data[1];
	if (memcmp(wire.data, again.data, FILEHANDLE_SIZE - MAC_SIZE) != 0)
		abort();
	return 0;
}
