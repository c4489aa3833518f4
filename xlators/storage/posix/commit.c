/* xlators/storage/posix/commit.c: stable before the reply, many operations for one force.
 *
 * A caller whose operation must be on stable storage joins those that wait. The first of them forces for all who wait at that moment; who
 * comes while a force is under way waits for the next, because its change may have come too late for this one. On file systems with one
 * log (XFS, ext4) the force is an fsync of a marker file whose inode is changed after every operation of the group: an fsync of a clean
 * inode would force nothing. Elsewhere it is syncfs. */
#include "xlators/storage/posix/posix.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MARKER "gatehouse-commit"
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

struct waiter { struct list link; struct co_wait wait; bool lead; };

bool commit_was_here(const struct posix *px)
{
	struct stat st;

	return fstatat(px->handles_fd, MARKER, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int commit_init(struct posix *px)
{
	struct statfs fs;

	list_init(&px->commit.waiting);
	if (fstatfs(px->root_fd, &fs) < 0)
		return -errno;
	px->log_force = fs.f_type == XFS_SUPER_MAGIC || fs.f_type == EXT4_SUPER_MAGIC;
	px->marker_fd = openat(px->handles_fd, MARKER, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return px->marker_fd < 0 ? -errno : 0;
}

/* An attribute, because setting a new value is always a transaction; a write within one tick of the clock need not be. */
static int force(void *arg)
{
	struct posix *px = arg;
	struct { struct timespec now; uint64_t turn; } value = { .turn = ++px->marker_turn };
	int ret;

	creds_begin();
	ret = mdata_flush_all(px);
	clock_gettime(CLOCK_REALTIME, &value.now);	/* ext4 leaves out setting the value that is there, say from the last run */
	if (ret == 0 && px->log_force)
		ret = fsetxattr(px->marker_fd, "trusted.gatehouse.turn", &value, sizeof(value), 0) < 0 ||
		      fsync(px->marker_fd) < 0 ? -errno : 0;
	else if (ret == 0)
		ret = syncfs(px->root_fd) < 0 ? -errno : 0;
	creds_end();
	return ret;
}

static void coroutine_fn force_group(struct commit *c, struct posix *px, int *ret_result)
{
	struct list group, *item;

	list_init(&group);
	list_splice(&group, &c->waiting);
	c->forcing = true;
	c->forces++;
	*ret_result = loop_offload(force, px);
	c->forcing = false;
	c->served++;
	while ((item = list_pop(&group))) {
		struct waiter *w = list_entry(item, struct waiter, link);

		c->served++;
		co_wake(&w->wait, *ret_result);
	}
	if (!list_empty(&c->waiting)) {		/* the first of those who came meanwhile leads the next group */
		struct waiter *next = list_first(&c->waiting, struct waiter, link);

		list_remove(&next->link);
		next->lead = true;
		c->forcing = true;		/* nobody else may start one until it runs */
		co_wake(&next->wait, 0);
	}
}

/* Never interrupted: the change is made already, and its answer must say whether it is stable. */
int coroutine_fn commit_wait(struct posix *px)
{
	struct commit *c = &px->commit;
	struct waiter self = { .wait = CO_WAIT_INIT };
	int ret;

	list_init(&self.link);
	if (c->forcing) {
		list_append(&c->waiting, &self.link);
		co_shield();
		ret = co_park(&self.wait);
		co_unshield();
		if (!self.lead)
			return ret;
	} else {
		c->forcing = true;
		co_yield();			/* those whose helpers have just finished join */
	}
	force_group(c, px, &ret);
	return ret;
}

static void drop_arena(void *arg)
{
	arena_free(arg);
}

/* What a job leaves behind: its results live as long as the call; its change may have to be stable. */
int coroutine_fn job_end(struct posix *px, struct call *call, struct arena *arena, int ret, bool stable)
{
	health_note_error(px, ret);
	if (arena && arena_cleanup(call->arena, drop_arena, arena) < 0)
		return -ENOMEM;
	if (ret >= 0 && stable && call->durable && px->durable) {
		int err = commit_wait(px);

		if (err < 0)
			return err;
	}
	return ret;
}
