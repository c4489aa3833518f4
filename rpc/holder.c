/* rpc/holder.c: which process has a port? For the one sentence that tells the administrator what to stop.
 *
 * The kernel lists sockets by port with their inode numbers; the process that has this inode among its descriptors
 * is the holder. Reads /proc, so it is called at start or on a helper thread only. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/server.h"

/* The inode of a socket bound to @port in one of the kernel's tables, and whose it is; 0 when there is none. */
static unsigned long inode_in(const char *table, uint16_t port, bool udp, unsigned *ret_uid)
{
	unsigned long inode, found = 0;
	unsigned local, state;
	char line[512];
	FILE *f = fopen(table, "re");

	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*u %lu", &local, &state,
			   ret_uid, &inode) == 4 &&
		    local == port && (udp || state == 0x0a)) /* 0x0a: listening */
			found = inode;
	fclose(f);
	return found;
}

/* -EACCES: we may not look. */
static int has_socket(const char *pid, const char *wanted)
{
	char path[64], target[64];
	struct dirent *e;
	int found = 0;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == EACCES ? -EACCES : 0;
	while (found <= 0 && (e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			found = !strcmp(target, wanted);
		} else if (n < 0 && errno == EACCES) {
			found = -EACCES;
		}
	}
	closedir(dir);
	return found;
}

static void name_of(const char *pid, char *buf, uint32_t size)
{
	char path[64], name[64] = "process";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf, size, "%s (pid %.16s)", name, pid);
}

/* A process that acts for others hides its descriptors, but for whom has CAP_SYS_PTRACE. Then a listener of the same user must do. */
bool rpc_listens(int pid, uint16_t port)
{
	static const char *const tables[] = { "/proc/self/net/tcp", "/proc/self/net/tcp6" };
	char number[16], wanted[64];
	unsigned long inode;
	unsigned i, uid;
	int has;

	snprintf(number, sizeof(number), "%d", pid);
	for (i = 0; i < 2; i++) {
		inode = inode_in(tables[i], port, false, &uid);
		snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
		has = inode ? has_socket(number, wanted) : 0;
		if (has > 0 || (has == -EACCES && uid == geteuid()))
			return true;
	}
	return false;
}

void rpc_port_holder(uint16_t port, bool udp, char *buf, uint32_t size)
{
	unsigned uid;
	unsigned long inode = inode_in(udp ? "/proc/self/net/udp" : "/proc/self/net/tcp", port, udp, &uid);
	char wanted[64];
	struct dirent *e;
	DIR *proc;

	*buf = '\0';
	if (!inode)
		inode = inode_in(udp ? "/proc/self/net/udp6" : "/proc/self/net/tcp6", port, udp, &uid);
	proc = inode ? opendir("/proc") : NULL;
	if (!proc)
		return;
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	while (!*buf && (e = readdir(proc)))
		if (isdigit((unsigned char)*e->d_name) && has_socket(e->d_name, wanted) > 0)
			name_of(e->d_name, buf, size);
	closedir(proc);
}
