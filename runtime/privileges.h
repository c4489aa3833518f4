/* runtime/privileges.h: giving up for good what a daemon does not need. */
#ifndef RUNTIME_PRIVILEGES_H
#define RUNTIME_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#define PRIVILEGE(cap) (UINT64_C(1) << (cap))	/* of a CAP_... of <linux/capability.h> */

/* From here on this thread, and those that it starts, have at most the capabilities in the mask @keep, and no program that they run gains any:
 * call it before the first thread starts. The user stays: user 0 then reads and writes what it owns, and what others may. 0 or -errno. */
int privileges_keep(uint64_t keep);
/* Rests all capabilities but @keep, or (UINT64_MAX) wakes those again: to find out what would be missed. 0 or -errno. */
int privileges_rest(uint64_t keep);
bool privileges_reach(const char *path, int mode);	/* access(2), as what is awake now; a file that is not there is reached */

#endif
