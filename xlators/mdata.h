/* xlators/mdata.h: trusted.glusterfs.mdata, the times of an object that clients see (brick-format.md A4). */
#ifndef XLATORS_MDATA_H
#define XLATORS_MDATA_H

#include "xlators/fop.h"

#define XATTR_MDATA "trusted.glusterfs.mdata"
#define MDATA_SIZE 57

struct mdata { struct iatt_time ctime, mtime, atime; };

void mdata_encode(const struct mdata *md, uint8_t raw[MDATA_SIZE]);
/* False: it is something else, and *ret_md is unchanged. */
bool mdata_decode(const uint8_t *raw, size_t len, struct mdata *ret_md);

#endif
