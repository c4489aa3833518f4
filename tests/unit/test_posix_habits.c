/* tests/unit/test_posix_habits.c: storage/posix: what stock bricks do beside storing, and their clients count on. */
#include "tests/unit/posix_fixture.h"

#include <fcntl.h>

#include "xlators/storage/posix/posix.h"

static void count_blocks(struct brick *b)
{
	struct stat_args args = { .inode = inode_n(b, gfid_n(1)) };
	struct stat_res res = { 0 };
	int fd;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	fd = open(brick_path(b, "f"), O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
	close(fd);
	assert_int_equal(xl_stat(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.stat.size, 1);
	assert_int_equal(res.stat.blocks, 1);
}

static void test_count_blocks(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, count_blocks);
	brick_remove(&b);
}

static int64_t atime_of(struct brick *b, unsigned n)
{
	struct stat_args args = { .inode = inode_n(b, gfid_n(n)) };
	struct stat_res res = { 0 };

	assert_int_equal(xl_stat(b->xl, &b->call, &args, &res), 0);
	return res.stat.atime.sec;
}

static void opening_reads(struct brick *b)
{
	struct open_args file = { .inode = inode_n(b, gfid_n(1)) };
	struct opendir_args dir = { .inode = inode_n(b, gfid_n(2)) };
	struct open_res opened = { 0 };
	struct opendir_res listed = { 0 };

	b->call.time = (struct iatt_time){ 1000, 0 };
	b->call.time_flags = TIME_CTIME | TIME_MTIME | TIME_ATIME;
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 2, 0755, NULL), 0);
	b->call.time = (struct iatt_time){ 2000, 0 };
	b->call.time_flags = TIME_ATIME;
	assert_int_equal(xl_open(b->xl, &b->call, &file, &opened), 0);
	assert_int_equal(xl_opendir(b->xl, &b->call, &dir, &listed), 0);
	b->call.time_flags = 0;
	assert_int_equal(atime_of(b, 1), 2000);
	assert_int_equal(atime_of(b, 2), 2000);
	fd_unref(opened.fd);
	fd_unref(listed.fd);
}

static void test_opening_reads(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, opening_reads);
	brick_remove(&b);
}

static int set_one(struct brick *b, unsigned n, const char *name, const void *value, uint32_t len, uint32_t flags)
{
	struct xattr x = { name, value, len };
	struct setxattr_args args = { .inode = inode_n(b, gfid_n(n)), .xattrs = { &x, 1 }, .flags = flags };
	struct setxattr_res res = { 0 };

	return xl_setxattr(b->xl, &b->call, &args, &res);
}

static int get_one(struct brick *b, unsigned n, const char *name, struct getxattr_res *res)
{
	struct getxattr_args args = { .inode = inode_n(b, gfid_n(n)), .name = name };

	memset(res, 0, sizeof(*res));
	return xl_getxattr(b->xl, &b->call, &args, res);
}

/* Distribute's healing sends this: the attributes that a directory is to have, and no others of users. */
static void xattrs_alone(struct brick *b)
{
	struct xattr set[] = { { "user.new", "2", 1 }, { "user.same", "3", 1 } };
	struct setxattr_args args = { .inode = inode_n(b, gfid_n(1)), .xattrs = { set, 2 }, .alone = true };
	struct setxattr_res res = { 0 };
	struct getxattr_res got;

	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0755, NULL), 0);
	assert_int_equal(set_one(b, 1, "user.old", "1", 1, 0), 0);
	assert_int_equal(set_one(b, 1, "user.same", "1", 1, 0), 0);
	assert_int_equal(set_one(b, 1, "trusted.other", "1", 1, 0), 0);
	assert_int_equal(xl_setxattr(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(get_one(b, 1, "user.old", &got), -ENODATA);
	assert_int_equal(get_one(b, 1, "user.new", &got), 0);
	assert_int_equal(get_one(b, 1, "user.same", &got), 0);
	assert_memory_equal(got.xattrs.v[0].value, "3", 1);
	assert_int_equal(get_one(b, 1, "trusted.other", &got), 0);
}

/* Bit-rot's own attributes are nobody's to write, and not listed. */
static void xattrs_bit_rot(struct brick *b)
{
	struct removexattr_args rm = { .inode = inode_n(b, gfid_n(1)), .name = "trusted.bit-rot.bad-file" };
	struct removexattr_res rmres = { 0 };
	struct getxattr_res got;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(set_one(b, 1, "trusted.bit-rot.version", "1", 1, 0), -EINVAL);
	assert_int_equal(set_one(b, 1, "trusted.glusterfs.set-signature", "1", 1, 0), -EINVAL);
	assert_int_equal(setxattr(brick_path(b, "f"), "trusted.bit-rot.bad-file", "1", 1, 0), 0);
	assert_int_equal(xl_removexattr(b->xl, &b->call, &rm, &rmres), -EINVAL);
	assert_int_equal(get_one(b, 1, NULL, &got), 0);
	assert_null(xattrs_find(&got.xattrs, "trusted.bit-rot.bad-file"));
}

static void test_xattrs_of_clients(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, xattrs_alone);
	brick_remove(&b);
	brick_new(&b, NULL);
	brick_run(&b, xattrs_bit_rot);
	brick_remove(&b);
}

static int mount_xfs(void **state)
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
		cmocka_unit_test(test_count_blocks), cmocka_unit_test(test_opening_reads), cmocka_unit_test(test_xattrs_of_clients),
	};

	return cmocka_run_group_tests_name("posix habits on XFS", tests, mount_xfs, unmount);
}
