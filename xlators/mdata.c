/* xlators/mdata.c: a version, flags that are 0, and ctime, mtime and atime as seconds and nanoseconds, big-endian. */
#include "xlators/mdata.h"

#include <endian.h>
#include <string.h>

static void put_time(uint8_t *raw, const struct iatt_time *t)
{
	uint64_t v[2] = { htobe64((uint64_t)t->sec), htobe64(t->nsec) };

	memcpy(raw, v, 16);
}

static void get_time(const uint8_t *raw, struct iatt_time *t)
{
	uint64_t v[2];

	memcpy(v, raw, 16);
	t->sec = (int64_t)be64toh(v[0]);
	t->nsec = (uint32_t)be64toh(v[1]);
}

void mdata_encode(const struct mdata *md, uint8_t raw[MDATA_SIZE])
{
	memset(raw, 0, 9);
	raw[0] = 1;
	put_time(raw + 9, &md->ctime);
	put_time(raw + 25, &md->mtime);
	put_time(raw + 41, &md->atime);
}

bool mdata_decode(const uint8_t *raw, size_t len, struct mdata *ret_md)
{
	if (len != MDATA_SIZE || raw[0] != 1)
		return false;
	get_time(raw + 9, &ret_md->ctime);
	get_time(raw + 25, &ret_md->mtime);
	get_time(raw + 41, &ret_md->atime);
	return true;
}
