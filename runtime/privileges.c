/* runtime/privileges.c: see privileges.h. By raw system calls: no library is needed for three of them. */
#include "runtime/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS _LINUX_CAPABILITY_U32S_3

static int get(struct __user_cap_data_struct *ret_caps)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capget, &head, ret_caps) < 0 ? -errno : 0;
}

static int set(const struct __user_cap_data_struct *caps)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}

/* A filter of system calls may forbid capset() to whom has nothing to give up, so it is not asked then. */
int privileges_keep(uint64_t keep)
{
	struct __user_cap_data_struct caps[WORDS];
	uint32_t more = 0;
	unsigned i;
	int ret = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : get(caps);

	if (ret < 0)
		return ret;
	for (i = 0; i < WORDS; i++) {
		uint32_t word = (uint32_t)(keep >> (32 * i));

		more |= (caps[i].permitted | caps[i].inheritable) & ~word;
		caps[i].permitted &= word;
		caps[i].effective &= word;
		caps[i].inheritable &= word;
	}
	return more ? set(caps) : 0;
}

int privileges_rest(uint64_t keep)
{
	struct __user_cap_data_struct caps[WORDS];
	uint32_t changed = 0;
	unsigned i;
	int ret = get(caps);

	if (ret < 0)
		return ret;
	for (i = 0; i < WORDS; i++) {
		uint32_t word = caps[i].permitted & (uint32_t)(keep >> (32 * i));

		changed |= caps[i].effective ^ word;
		caps[i].effective = word;
	}
	return changed ? set(caps) : 0;
}

bool privileges_reach(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 || errno == ENOENT;
}
