/* xlators/storage/posix/creds.c: a helper thread takes the caller's identity while the file system decides, and puts it back.
 *
 * By raw system calls, because the C library's wrappers change every thread of the process. A system call of this kind costs a copy
 * of the kernel's credentials, so the thread remembers what it is and changes only what differs. */
#include "xlators/storage/posix/posix.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS_KEPT 256
#define NOBODY 65534u

static _Thread_local struct {
	uint32_t uid, gid;
	int ngroups;			/* -1: too many to remember */
	uint32_t groups[GROUPS_KEPT];
	bool in_job;
	bool own_fs;			/* umask is this thread's alone */
	mode_t umask;
} self;

/* Modes of new objects are final, so the umask must be 0: for good on a helper, which gets its own; for the job only elsewhere. */
void creds_begin(void)
{
	assert(!self.in_job);
	self.in_job = true;
	if (self.own_fs)
		return;
	if (!loop_self() && unshare(CLONE_FS) == 0)
		self.own_fs = true;
	self.umask = umask(0);
}

/* The kernel refuses an id that is none (4294967295, or one its user namespace does not know) without a word and leaves the one before,
 * which may be root's. Such a caller is nobody. */
static uint32_t become(long setter, uint32_t id)
{
	syscall(setter, id);
	if (!id || (uint32_t)syscall(setter, -1) == id)
		return id;
	syscall(setter, NOBODY);
	if ((uint32_t)syscall(setter, -1) != NOBODY)
		abort();		/* never with more rights than the caller's */
	return NOBODY;
}

static void set_ids(uint32_t uid, uint32_t gid)
{
	if (gid != self.gid)
		self.gid = become(SYS_setfsgid, gid);
	if (uid != self.uid)
		self.uid = become(SYS_setfsuid, uid);
}

void creds_root(void)
{
	set_ids(0, self.gid);		/* the user id is what carries the capabilities */
}

/* Supplementary groups of the last caller may stay: to user 0 they give nothing it does not have. */
void creds_end(void)
{
	set_ids(0, 0);
	self.in_job = false;
	if (!self.own_fs)
		umask(self.umask);
}

static void set_groups(const struct call *call)
{
	size_t len = call->ngroups * sizeof(*call->groups);

	if (self.ngroups == (int)call->ngroups && (!len || memcmp(self.groups, call->groups, len) == 0))
		return;
	if (syscall(SYS_setgroups, call->ngroups, call->groups) < 0) {
		/* More groups than the kernel takes: with none the caller can only lose rights. */
		syscall(SYS_setgroups, 0, NULL);
		self.ngroups = -1;
		return;
	}
	self.ngroups = call->ngroups <= GROUPS_KEPT ? (int)call->ngroups : -1;
	if (self.ngroups > 0)
		memcpy(self.groups, call->groups, len);
}

void creds_user(const struct call *call)
{
	if (call->pid < 0)
		return;
	if (call->uid)
		set_groups(call);
	set_ids(call->uid, call->gid);
}

bool creds_in_job(void)
{
	return self.in_job;
}

static bool in_group(const struct call *call, uint32_t gid)
{
	uint32_t i;

	if (call->gid == gid)
		return true;
	for (i = 0; i < call->ngroups; i++)
		if (call->groups[i] == gid)
			return true;
	return false;
}

bool creds_mode_allows(const struct call *call, const struct statx *st, unsigned mask)
{
	unsigned mode = st->stx_mode;

	if (call->pid < 0 || call->uid == 0)
		return !(mask & 1) || S_ISDIR(mode) || (mode & 0111);
	if (call->uid == st->stx_uid)
		mode >>= 6;
	else if (in_group(call, st->stx_gid))
		mode >>= 3;
	return (mode & mask) == mask;
}
