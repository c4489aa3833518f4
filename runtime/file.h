/* runtime/file.h: whole small files: configuration read, reports written. Both block: at start-up, or through
 * loop_offload(). */
#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The whole of @path, malloc'ed, with a NUL behind it. -EFBIG past @max bytes, -EINVAL for no plain file, or -errno. */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len);
/* Written aside and renamed into place: a reader sees the old or the new one. 0 or -errno. */
int file_replace(const char *path, const void *data, size_t len, unsigned mode);
/* The same for what must not be lost: file and name are on disk when it returns. With @fresh an existing file is -EEXIST. */
int file_store(const char *path, const void *data, size_t len, unsigned mode, bool fresh);
int file_flush_directory_of(const char *path);		/* names in the directory that @path is in are on stable storage */

#endif
