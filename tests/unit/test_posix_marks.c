/* tests/unit/test_posix_marks.c: which directories storage/posix serves, and what it does when its directory or its disk goes. */
#include "tests/unit/posix_fixture.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "xlators/brick_state.h"

#define VOLUME_ID_NAME "trusted.glusterfs.volume-id"

static char identity[96];	/* of the last brick that was asked */

static void remember_identity(struct brick *b)
{
	struct brick_state s;

	assert_true(brick_state(b->graph, &s));
	assert_true(s.up);
	snprintf(identity, sizeof(identity), "%s", s.identity);
}

static void refused(struct brick *b, int err, const char *words)
{
	struct error e = { "" };

	assert_int_equal(brick_start_error(b, &e), err);
	if (!strstr(e.text, words))
		print_error("%s\n", e.text);
	assert_non_null(strstr(e.text, words));
}

static void command(const char *fmt, const char *a, const char *b)
{
	char text[512];

	snprintf(text, sizeof(text), fmt, a, b);
	assert_int_equal(system(text), 0);
}

static void test_unmarked_is_refused(void **state)
{
	struct brick b;

	brick_new(&b, "");
	b.strict = true;
	refused(&b, -ENODATA, "has no " VOLUME_ID_NAME ", it is an empty directory");
	assert_true(getxattr(b.dir, VOLUME_ID_NAME, NULL, 0) < 0);
	assert_true(getxattr(b.dir, "trusted.gfid", NULL, 0) < 0);
	b.strict = false;
	brick_run(&b, remember_identity);
	b.strict = true;
	brick_run(&b, remember_identity);
	brick_remove(&b);
}

/* A stock manager marks with the volume's id only; where nothing is recorded yet .glusterfs has to be there, too. */
static void test_what_must_be_there(void **state)
{
	struct brick b;

	brick_new(&b, "");
	b.strict = true;
	assert_int_equal(setxattr(b.dir, VOLUME_ID_NAME, "\x11\x11\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x55\x55\x55\x55", 16, 0), 0);
	b.options = " option identity unknown\n";
	refused(&b, -ENODATA, "has no trusted.gfid");
	b.options = "";
	brick_run(&b, remember_identity);
	command("rm -r %s/.glusterfs%s", b.dir, "");
	b.options = " option identity unknown\n";
	refused(&b, -ENODATA, "has no .glusterfs");
	brick_remove(&b);
}

/* The same marks on another directory, as after a restore, are not the brick. */
static void test_record_decides(void **state)
{
	char options[160], other[160];
	struct brick b;

	brick_new(&b, "");
	brick_run(&b, remember_identity);
	snprintf(options, sizeof(options), " option identity \"%s\"\n", identity);
	b.options = options;
	b.strict = true;
	brick_run(&b, remember_identity);
	snprintf(other, sizeof(other), "%s.other", b.dir);
	command("mv %s %s", b.dir, other);
	command("cp -a --preserve=xattr %s %s", other, b.dir);
	refused(&b, -ESTALE, "is not the directory that was recorded");
	command("rm -r %s%s", b.dir, "");
	command("mv %s %s", other, b.dir);
	brick_remove(&b);
	snprintf(options, sizeof(options), " option identity \"xfs:00 %s\"\n", strchr(identity, ' ') + 1);
	brick_new(&b, "");
	brick_run(&b, remember_identity);
	b.options = options;
	b.strict = true;
	refused(&b, -ESTALE, "is not the file system that was recorded");
	brick_remove(&b);
}

/* --- while it runs --- */

static void await_state(struct brick *b, bool up, struct brick_state *s)
{
	unsigned i;

	for (i = 0; i < 600; i++) {
		assert_true(brick_state(b->graph, s));
		if (s->up == up)
			return;
		co_sleep_ns(50000000);
	}
	fail_msg("the brick is %s after 30 s", up ? "down" : "up");
}

static void directory_goes(struct brick *b)
{
	struct brick_state s;
	char other[160];

	await_state(b, true, &s);
	snprintf(other, sizeof(other), "%s.other", b->dir);
	command("mv %s %s", b->dir, other);
	await_state(b, false, &s);
	assert_true(s.gone);
	assert_non_null(strstr(s.reason, "the directory is gone"));
	command("mkdir %s%s", b->dir, "");
	command("rmdir %s%s", b->dir, "");
	command("mv %s %s", other, b->dir);
	await_state(b, true, &s);
	assert_false(s.gone);
}

static void test_directory_goes(void **state)
{
	struct brick b;

	brick_new(&b, " option health-check-interval 1\n");
	brick_run(&b, directory_goes);
	brick_remove(&b);
}

static void disk_hangs(struct brick *b)
{
	struct brick_state s;
	int fd = open(fixture_base, O_RDONLY | O_DIRECTORY);

	await_state(b, true, &s);
	assert_int_equal(ioctl(fd, FIFREEZE, 0), 0);
	await_state(b, false, &s);
	assert_int_equal(ioctl(fd, FITHAW, 0), 0);
	assert_false(s.gone);
	assert_non_null(strstr(s.reason, "has not answered for"));
	await_state(b, true, &s);
	close(fd);
}

static void test_disk_hangs(void **state)
{
	struct brick b;

	brick_new(&b, " option health-check-interval 1\n option health-check-timeout 1\n");
	brick_run(&b, disk_hangs);
	brick_remove(&b);
}

static int on_xfs(void **state)
{
	return fixture_mount("xfs", "mkfs.xfs -q");
}

static int unmount(void **state)
{
	fixture_unmount();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmarked_is_refused),
		cmocka_unit_test(test_what_must_be_there),
		cmocka_unit_test(test_record_decides),
		cmocka_unit_test(test_directory_goes),
		cmocka_unit_test_setup_teardown(test_disk_hangs, on_xfs, unmount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
