/* xlators/gfid.c: see gfid.h. */
#include "xlators/gfid.h"

#include "runtime/loop.h"

const uint8_t gfid_root[16] = { [15] = 1 };

bool gfid_is_null(const uint8_t *gfid)
{
	static const uint8_t zero[16];

	return gfid_equal(gfid, zero);
}

bool gfid_is_root(const uint8_t *gfid)
{
	return gfid_equal(gfid, gfid_root);
}

char *gfid_text(const uint8_t *gfid, char buf[GFID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = digits[gfid[i] >> 4];
		*to++ = digits[gfid[i] & 15];
	}
	*to = '\0';
	return buf;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool gfid_parse(const char *text, uint8_t *ret_gfid)
{
	uint8_t gfid[16];
	int i, high, low;

	for (i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0)
			return false;
		gfid[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return false;
	memcpy(ret_gfid, gfid, 16);
	return true;
}

uint64_t gfid_ino(const uint8_t *gfid)
{
	uint64_t ino = 0;
	int i;

	for (i = 8; i < 16; i++)
		ino = ino << 8 | gfid[i];
	return ino;
}

void gfid_new(struct loop *loop, uint8_t *ret_gfid)
{
	loop_random(loop, ret_gfid, 16);
	ret_gfid[6] = (ret_gfid[6] & 0x0f) | 0x40;
	ret_gfid[8] = (ret_gfid[8] & 0x3f) | 0x80;
}
