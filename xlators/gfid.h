/* xlators/gfid.h: the 16 bytes that name an object on every brick, as bytes, text and inode number. */
#ifndef XLATORS_GFID_H
#define XLATORS_GFID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GFID_TEXT_SIZE 37		/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and a NUL */

extern const uint8_t gfid_root[16];	/* 00..01 */

static inline bool gfid_equal(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, 16) == 0; }
bool gfid_is_null(const uint8_t *gfid);
bool gfid_is_root(const uint8_t *gfid);
char *gfid_text(const uint8_t *gfid, char buf[GFID_TEXT_SIZE]);	/* returns @buf */
bool gfid_parse(const char *text, uint8_t *ret_gfid);		/* exactly 36 characters, either case */
uint64_t gfid_ino(const uint8_t *gfid);				/* the last 8 bytes, big-endian */
struct loop;
void gfid_new(struct loop *loop, uint8_t *ret_gfid);		/* random, version 4 */

#endif
