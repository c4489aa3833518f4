/* tests/unit/test_privileges.c: what is given up stays given up, and user 0 still has what it owns. Each test is a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/privileges.h"

#define PORTS PRIVILEGE(CAP_NET_BIND_SERVICE)
#define NEED(condition) do { if (!(condition)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); _exit(1); } } while (0)

static char dir[] = "/tmp/test_privileges.XXXXXX";
static char own[64], other[64], away[64], inside[64];

static void in_a_process(void (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static uint64_t permitted(const char *status)
{
	const char *line = strstr(status, "CapPrm:");

	return line ? strtoull(line + 7, NULL, 16) : UINT64_MAX;
}

static uint64_t permitted_to(const char *file)
{
	static char text[8192];
	FILE *f = fopen(file, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
	return permitted(text);
}

static int can_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void *in_a_thread(void *ret_caps)
{
	*(uint64_t *)ret_caps = permitted_to("/proc/thread-self/status");
	return NULL;
}

static void gives_up(void)
{
	uint64_t caps = 1;
	pthread_t thread;

	NEED(can_open(other) == 0);
	NEED(privileges_keep(PORTS) == 0);
	NEED((permitted_to("/proc/self/status") & ~PORTS) == 0);
	NEED(can_open(other) == -EACCES && can_open(inside) == -EACCES);
	NEED(can_open(own) == 0);
	NEED(chown(own, 1, 1) < 0 && errno == EPERM);
	NEED(setuid(1) < 0);
	NEED(pthread_create(&thread, NULL, in_a_thread, &caps) == 0);
	pthread_join(thread, NULL);
	NEED((caps & ~PORTS) == 0);
	NEED(privileges_keep(PORTS) == 0);
	NEED(privileges_rest(UINT64_MAX) == 0);
	NEED(can_open(other) == -EACCES);
}

/* User 0 would get all of them back with the next program. */
static void stays_given_up(void)
{
	static char text[8192];
	size_t n;
	FILE *f;

	NEED(privileges_keep(PORTS) == 0);
	f = popen("cat /proc/self/status", "r");
	NEED(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	pclose(f);
	NEED((permitted(text) & ~PORTS) == 0);
}

static void rests(void)
{
	NEED(privileges_reach(other, W_OK) && privileges_reach(inside, R_OK));
	NEED(privileges_rest(PORTS) == 0);
	NEED(!privileges_reach(other, R_OK) && !privileges_reach(inside, R_OK) && !privileges_reach(away, X_OK));
	NEED(privileges_reach(own, R_OK | W_OK) && privileges_reach("/nothing/here", R_OK));
	NEED(can_open(other) == -EACCES);
	NEED(privileges_rest(UINT64_MAX) == 0);
	NEED(privileges_reach(other, W_OK) && can_open(other) == 0);
	NEED(privileges_keep(PORTS | PRIVILEGE(CAP_DAC_OVERRIDE)) == 0);
	NEED(can_open(other) == 0 && can_open(inside) == 0);
}

/* Who has nothing keeps nothing, and may ask. */
static void has_none(void)
{
	NEED(setgid(1) == 0 && setuid(1) == 0);
	NEED(privileges_keep(PORTS) == 0);
	NEED(permitted_to("/proc/self/status") == 0);
}

static void test_gives_up(void **state) { in_a_process(gives_up); }
static void test_stays_given_up(void **state) { in_a_process(stays_given_up); }
static void test_rests(void **state) { in_a_process(rests); }
static void test_has_none(void **state) { in_a_process(has_none); }

static void make(const char *path, uid_t owner)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchown(fd, owner, owner), 0);
	close(fd);
}

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(own, sizeof(own), "%s/own", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	snprintf(inside, sizeof(inside), "%s/away/inside", dir);
	make(own, 0);
	make(other, 1000);
	if (mkdir(away, 0700) < 0)
		return -1;
	make(inside, 0);
	return chown(away, 1000, 1000);
}

static int tear_down(void **state)
{
	unlink(own);
	unlink(other);
	unlink(inside);
	rmdir(away);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_stays_given_up),
		cmocka_unit_test(test_rests),
		cmocka_unit_test(test_has_none),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "test_privileges: needs root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
