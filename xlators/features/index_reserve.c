/* xlators/features/index_reserve.c: room for marks on a file system that is full.
 *
 * A copy that refuses a change must be able to write down what it or others missed. So the brick keeps a small file of allocated blocks; when a
 * mark or its entry in the index meets a full disk the file gives up a piece, and the mark is tried again. It is filled up when there is room.
 * Everything here blocks. */
#include "xlators/features/index.h"

#include <stdatomic.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE (1 << 20)
#define PIECE (64 << 10)

void index_reserve_open(struct index_reserve *r, const char *base)
{
	int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	r->left = 0;
	r->fd = dir < 0 ? -1 : openat(dir, "reserve", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dir >= 0)
		close(dir);
	if (r->fd >= 0 && fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode))
		r->left = st.st_size < (off_t)st.st_blocks * 512 ? st.st_size : (off_t)st.st_blocks * 512;
	index_reserve_fill(r);
}

void index_reserve_close(struct index_reserve *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

bool index_reserve_short(const struct index_reserve *r)
{
	return r->fd >= 0 && r->left < RESERVE;
}

/* Not the last blocks that there are: others need them more. */
void index_reserve_fill(struct index_reserve *r)
{
	struct statvfs vfs;

	if (!index_reserve_short(r) || fstatvfs(r->fd, &vfs) < 0 || vfs.f_bavail * vfs.f_frsize < 16ull * RESERVE)
		return;
	if (fallocate(r->fd, 0, 0, RESERVE) == 0)
		r->left = RESERVE;
}

bool index_reserve_spend(struct index_reserve *r)
{
	int64_t left = r->fd < 0 ? 0 : atomic_fetch_sub(&r->left, PIECE) - PIECE;

	if (r->fd < 0 || left < 0) {
		r->left = 0;
		return false;
	}
	return ftruncate(r->fd, left) == 0;
}
