/* xlators/storage/posix/probe.h: asks the disk on a thread of its own, so that one that hangs keeps nobody but this thread. */
#ifndef STORAGE_POSIX_PROBE_H
#define STORAGE_POSIX_PROBE_H

#include <stdbool.h>

struct probe;

struct probe_answer {
	int err;		/* 0, or -errno of what failed */
	bool gone;		/* the directory's path leads elsewhere, or nowhere */
	char what[192];		/* what failed, as a part of a sentence */
};

/* Blocks. @root_fd: of the directory at @path. 0 or -errno. */
int probe_new(const char *path, int root_fd, struct probe **ret_probe);
/* The rest never blocks. Asks; one question at a time. */
void probe_ask(struct probe *p);
bool probe_answered(struct probe *p, struct probe_answer *ret_answer);	/* the last question; false: not yet */
void probe_free(struct probe *p);	/* accepts NULL; a thread that hangs is left to itself */

#endif
