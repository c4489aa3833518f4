/* xlators/debug/fops.h: what the debug translators share. */
#ifndef DEBUG_FOPS_H
#define DEBUG_FOPS_H

#include "xlators/xlator.h"

/* "writev, fsync": a bit for each. NULL or empty: all of them. -EINVAL and a sentence for a name that is none. */
int debug_fops_parse(const char *list, uint64_t *ret_set, struct error *err);

#endif
