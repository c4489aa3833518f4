/* xlators/brick_identity.h: which directory of which file system a brick is, as text that survives a reboot.
 *
 * "FILESYSTEM INODE-BIRTH": the file system's own id, then the directory's inode number and birth time.
 * storage/posix/README.md says why these. */
#ifndef XLATORS_BRICK_IDENTITY_H
#define XLATORS_BRICK_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/error.h"

#define IDENTITY_SIZE 96
#define IDENTITY_UNKNOWN "unknown"	/* nobody has recorded one yet */

/* Does the directory @path have a volume's id? Blocks. */
bool identity_is_marked(const char *path);
/* Of an open directory. 0 or -errno; blocks. */
int identity_of(int dirfd, char buf[IDENTITY_SIZE]);
/* Does it begin with the same file system? */
bool identity_same_fs(const char *a, const char *b);
/* "an empty directory on the root file system": what @dirfd is, for sentences. Returns @buf; blocks. */
const char *identity_describe(int dirfd, char *buf, size_t size);

#endif
