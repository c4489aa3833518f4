/* tests/unit/test_posix_entry.c: names on a brick: format on disk, handles, repairs, rights. */
#include "tests/unit/posix_fixture.h"

#include <dirent.h>
#include <sys/sysmacros.h>

#define FILE_TIMES (TIME_CTIME | TIME_MTIME | TIME_ATIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME)

static nlink_t links_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : st.st_nlink;
}

static ino_t ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : st.st_ino;
}

static const char *link_at(const char *path)
{
	static char target[4096];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = 0;
	return target;
}

/* --- what a new brick is --- */

static void new_brick(struct brick *b)
{
	struct stat st;
	unsigned i;

	assert_string_equal(attr_hex(b->dir, "trusted.gfid"), "00000000000000000000000000000001");
	assert_string_equal(attr_hex(b->dir, "trusted.glusterfs.volume-id"), "11111111222233334444555555555555");
	assert_int_equal(stat(brick_path(b, ".glusterfs"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (i = 0; i < 256; i++) {
		assert_int_equal(stat(brick_path(b, ".glusterfs/%02x", i), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_string_equal(link_at(handle_of(b, gfid_root)), "../../..");
	assert_int_equal(stat(brick_path(b, ".glusterfs/indices/xattrop"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(brick_path(b, ".glusterfs/landfill"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	co_sleep_ns(50000000);
	assert_int_equal(stat(brick_path(b, ".glusterfs/health_check"), &st), 0);
	assert_int_equal(st.st_size, 25);
}

static void test_new_brick(void **state)
{
	brick_test(new_brick);
}

static void nothing(struct brick *b)
{
}

static void test_refusals(void **state)
{
	struct error err = { "" };
	struct brick b;

	brick_new(&b, "");
	brick_run(&b, nothing);
	setxattr(b.dir, "trusted.glusterfs.volume-id", "other-volume-id.", 16, 0);
	assert_int_equal(brick_start_error(&b, &err), -EINVAL);
	assert_non_null(strstr(err.text, "belongs to another volume"));
	assert_int_equal(lremovexattr(b.dir, "trusted.glusterfs.volume-id"), 0);
	setxattr(b.dir, "trusted.gfid", "0123456789abcdef", 16, 0);
	err.text[0] = 0;
	assert_int_equal(brick_start_error(&b, &err), -EINVAL);
	assert_non_null(strstr(err.text, "part of another brick"));
	brick_remove(&b);
	err.text[0] = 0;
	assert_int_equal(brick_start_error(&b, &err), -ENOENT);
	assert_non_null(strstr(err.text, b.dir));
	strcpy(b.dir, "/proc/self");
	err.text[0] = 0;
	assert_true(brick_start_error(&b, &err) < 0);
	assert_non_null(strstr(err.text, "/proc/self"));
}

static void serve_twice(struct brick *b)
{
	struct error err = { "" };
	struct brick other = *b;
	struct graph_conf conf = { .loop = b->loop };
	char text[512];
	struct volfile *vf;
	struct graph *graph;

	snprintf(text, sizeof(text), "volume px\n type storage/posix\n option directory %s\n option create on\nend-volume\n", other.dir);
	vf = volfile_parse(text, strlen(text), "test", &err);
	assert_int_equal(graph_new(vf, &conf, &err, &graph), -EBUSY);
	volfile_free(vf);
}

static void test_served_once(void **state)
{
	brick_test(serve_twice);
}

/* --- format --- */

static void format(struct brick *b)
{
	static const uint8_t dir_gfid[16] = { 0x24, 0xd6, 0x0c, 0xbb, 0xd9, 0x68, 0x4e, 0x69, 0xb0, 0x43, 0x65, 0x27, 0x10, 0xca, 0x94, 0x4e };
	struct mkdir_args mk = { .parent = inode_n(b, gfid_root), .name = "d1", .mode = 0755, .gfid = dir_gfid };
	struct xattr mds = { "trusted.glusterfs.dht.mds", "\0\0\0\0", 4 };
	struct mkdir_res mkres = { 0 };
	struct iatt st;
	char *file, *handle;

	at_time(b, FILE_TIMES, 0x6b02d2b9, 0x2812e75e);
	mk.xattrs = (struct xattrs){ &mds, 1 };
	assert_int_equal(xl_mkdir(b->xl, &b->call, &mk, &mkres), 0);
	assert_string_equal(attr_hex(brick_path(b, "d1"), "trusted.gfid"), "24d60cbbd9684e69b043652710ca944e");
	assert_string_equal(attr_hex(brick_path(b, "d1"), "trusted.glusterfs.dht.mds"), "00000000");
	assert_string_equal(attr_hex(brick_path(b, "d1"), "trusted.glusterfs.mdata"),
			    "010000000000000000000000006b02d2b9000000002812e75e000000006b02d2b9000000002812e75e"
			    "000000006b02d2b9000000002812e75e");
	assert_string_equal(link_at(brick_path(b, ".glusterfs/24/d6/24d60cbb-d968-4e69-b043-652710ca944e")),
			    "../../00/00/00000000-0000-0000-0000-000000000001/d1");
	assert_int_equal(mkres.stat.mode, S_IFDIR | 0755);
	assert_int_equal(mkres.stat.nlink, 2);
	assert_int_equal(mkres.stat.mtime.sec, 0x6b02d2b9);
	assert_int_equal(mkres.postparent.mtime.nsec, 0x2812e75e);

	assert_int_equal(do_create(b, dir_gfid, "f2", 7, 0644, &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_memory_equal(st.gfid, gfid_n(7), 16);
	file = brick_path(b, "d1/f2");
	handle = handle_of(b, gfid_n(7));
	assert_int_equal(ino_of(file), ino_of(handle));
	assert_int_equal(links_of(file), 2);
	assert_string_equal(attr_hex(file, "trusted.gfid2path.178a23ddde324efb"),
			    "32346436306362622d643936382d346536392d623034332d3635323731306361393434652f6632");

	assert_int_equal(do_symlink(b, dir_gfid, "sl", 8, "f1"), 0);
	assert_int_equal(links_of(handle_of(b, gfid_n(8))), 2);
	assert_string_equal(link_at(handle_of(b, gfid_n(8))), "f1");
	assert_string_equal(attr_hex(brick_path(b, "d1/sl"), "trusted.gfid2path.1b47c31b5e56dde6"),
			    "32346436306362622d643936382d346536392d623034332d3635323731306361393434652f736c");
}

static void test_format(void **state)
{
	brick_test(format);
}

static void special_files(struct brick *b)
{
	struct mknod_args args = { .parent = inode_n(b, gfid_root), .name = "fifo", .mode = S_IFIFO | 0600, .gfid = gfid_n(1) };
	struct mknod_res res = { 0 };
	struct iatt st;

	assert_int_equal(xl_mknod(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.stat.mode, S_IFIFO | 0600);
	assert_int_equal(links_of(handle_of(b, gfid_n(1))), 2);
	args.name = "dev";
	args.mode = S_IFCHR | 0640;
	args.rdev = makedev(1, 3);
	args.gfid = gfid_n(2);
	assert_int_equal(xl_mknod(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(do_stat(b, gfid_n(2), &st), 0);
	assert_int_equal(st.rdev, makedev(1, 3));
	args.name = "nogfid";
	args.gfid = NULL;
	assert_int_equal(xl_mknod(b->xl, &b->call, &args, &res), -EINVAL);
	as_user(b, 1000, 1000);
	args.name = "dev2";
	args.gfid = gfid_n(3);
	assert_true(xl_mknod(b->xl, &b->call, &args, &res) < 0);
}

static void test_special_files(void **state)
{
	brick_test(special_files);
}

/* A linkto file comes to where the data is: one more name of it. */
static void internal_mknod(struct brick *b)
{
	struct mknod_args args = { .parent = inode_n(b, gfid_root), .name = "b", .mode = S_IFREG | 01000, .gfid = gfid_n(1), .internal = true };
	struct xattr linkto = { "trusted.glusterfs.dht.linkto", "vol-client-0", 13 };
	struct unlink_args un = { .parent = inode_n(b, gfid_root), .name = "a", .only_if_linkto = true };
	struct mknod_res res = { 0 };
	struct unlink_res unres = { 0 };

	assert_int_equal(do_create(b, gfid_root, "a", 1, 0644, NULL), 0);
	assert_int_equal(xl_mknod(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.stat.nlink, 2);
	assert_int_equal(ino_of(brick_path(b, "a")), ino_of(brick_path(b, "b")));
	assert_int_equal(xl_unlink(b->xl, &b->call, &un, &unres), -EBUSY);
	args.name = "link";
	args.gfid = gfid_n(2);
	args.xattrs = (struct xattrs){ &linkto, 1 };
	assert_int_equal(xl_mknod(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.stat.mode, S_IFREG | 01000);
	un.name = "link";
	assert_int_equal(xl_unlink(b->xl, &b->call, &un, &unres), 0);
	assert_int_equal(unres.nlink_before, 1);
	assert_int_equal(links_of(handle_of(b, gfid_n(2))), 0);
}

static void test_internal_mknod(void **state)
{
	brick_test(internal_mknod);
}

/* --- lookup --- */

static void lookups(struct brick *b)
{
	struct iatt st;
	char long_name[300];

	memset(long_name, 'x', 256);
	long_name[256] = 0;
	assert_int_equal(do_lookup(b, gfid_root, "absent", NULL), -ENOENT);
	assert_int_equal(do_lookup(b, gfid_root, ".glusterfs", NULL), -EPERM);
	assert_int_equal(do_lookup(b, gfid_root, "a/b", NULL), -EPERM);
	assert_int_equal(do_lookup(b, gfid_root, long_name, NULL), -ENAMETOOLONG);
	assert_int_equal(do_lookup(b, gfid_root, "..", NULL), -ENODATA);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "f", 2, 0644, NULL), 0);
	assert_int_equal(do_lookup(b, gfid_n(1), "f", &st), 0);
	assert_memory_equal(st.gfid, gfid_n(2), 16);
	assert_int_equal(do_lookup(b, gfid_n(1), "..", &st), 0);
	assert_memory_equal(st.gfid, gfid_root, 16);
	assert_int_equal(do_lookup(b, gfid_n(1), ".", &st), 0);
	assert_memory_equal(st.gfid, gfid_n(1), 16);
	assert_int_equal(do_lookup(b, gfid_n(2), "x", NULL), -ENOTDIR);
	assert_int_equal(do_lookup(b, gfid_n(99), "x", NULL), -ESTALE);
	assert_int_equal(do_stat(b, gfid_n(99), NULL), -ESTALE);
	long_name[255] = 0;
	assert_int_equal(do_create(b, gfid_n(1), long_name, 3, 0644, NULL), 0);
	assert_int_equal(do_lookup(b, gfid_n(1), long_name, NULL), 0);
}

static void test_lookup(void **state)
{
	brick_test(lookups);
}

static void adopt_directory(struct brick *b)
{
	struct lookup_args args = { .parent = inode_n(b, gfid_root), .name = "old" };
	struct lookup_res res = { 0 };
	int fd = open(brick_path(b, "old"), O_CREAT | O_RDWR, 0644);

	close(fd);
	mkdir(brick_path(b, "olddir"), 0755);
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), -ENODATA);
	args.gfidless = true;
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_true(gfid_is_null(res.stat.gfid));
	args.gfidless = false;
	args.gfid_req = gfid_n(5);
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_memory_equal(res.stat.gfid, gfid_n(5), 16);
	assert_int_equal(res.stat.nlink, 1);
	assert_int_equal(ino_of(handle_of(b, gfid_n(5))), ino_of(brick_path(b, "old")));
	args.name = "olddir";
	args.gfid_req = gfid_n(6);
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_string_equal(link_at(handle_of(b, gfid_n(6))), "../../00/00/00000000-0000-0000-0000-000000000001/olddir");
	args.gfid_req = gfid_n(7);	/* has one already: kept */
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_memory_equal(res.stat.gfid, gfid_n(6), 16);
	/* a gfid in use is not given twice */
	close(open(brick_path(b, "second"), O_CREAT | O_RDWR, 0644));
	args.name = "second";
	args.gfid_req = gfid_n(5);
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), -EEXIST);
}

static void test_adopt(void **state)
{
	brick_test(adopt_directory);
}

static void make_for_repair(struct brick *b)
{
	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0755, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_n(1), "sub", 2, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "f", 3, 0644, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "gone", 4, 0644, NULL), 0);
}

static void repair(struct brick *b)
{
	struct iatt st;

	/* a crash before the handle was made */
	assert_int_equal(do_stat(b, gfid_n(3), NULL), -ESTALE);
	assert_int_equal(do_lookup(b, gfid_n(1), "f", &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(do_stat(b, gfid_n(3), NULL), 0);
	/* between a directory's rename and its handle's */
	assert_int_equal(do_stat(b, gfid_n(2), NULL), -ESTALE);
	assert_int_equal(do_lookup(b, gfid_root, "moved", &st), 0);
	assert_memory_equal(st.gfid, gfid_n(2), 16);
	assert_int_equal(do_stat(b, gfid_n(2), NULL), 0);
	/* between an unlink and its handle's */
	assert_int_equal(do_stat(b, gfid_n(4), NULL), -ESTALE);
	assert_int_equal(links_of(handle_of(b, gfid_n(4))), 0);
	/* a copy made behind our back is not served as the original */
	assert_int_equal(do_lookup(b, gfid_root, "copy", NULL), -EIO);
}

static void test_repair(void **state)
{
	struct brick b;
	uint8_t gfid[16];

	brick_new(&b, NULL);
	brick_run(&b, make_for_repair);
	assert_int_equal(unlink(handle_of(&b, gfid_n(3))), 0);
	assert_int_equal(rename(brick_path(&b, "d/sub"), brick_path(&b, "moved")), 0);
	assert_int_equal(unlink(brick_path(&b, "d/gone")), 0);
	close(open(brick_path(&b, "copy"), O_CREAT | O_RDWR, 0644));
	memcpy(gfid, gfid_n(1), 16);
	setxattr(brick_path(&b, "copy"), "trusted.gfid", gfid, 16, 0);
	brick_run(&b, repair);
	brick_remove(&b);
}

static void deep_build(struct brick *b)
{
	unsigned i;

	assert_int_equal(do_mkdir(b, gfid_root, "n", 1, 0755, NULL), 0);
	for (i = 1; i < 100; i++)
		assert_int_equal(do_mkdir(b, gfid_n(i), "n", i + 1, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(100), "leaf", 101, 0644, NULL), 0);
	assert_int_equal(do_symlink(b, gfid_n(100), "evil", 102, "../../00/00/00000000-0000-0000-0000-000000000001/n"), 0);
}

static void deep_find(struct brick *b)
{
	struct getxattr_args args = { .inode = inode_n(b, gfid_n(100)), .name = "glusterfs.gfidtopath" };
	struct getxattr_res res = { 0 };
	struct iatt st;

	assert_int_equal(do_lookup(b, gfid_n(100), "leaf", &st), 0);	/* far deeper than the kernel follows links */
	assert_int_equal(do_rename(b, gfid_n(3), "n", gfid_root, "m"), 0);
	assert_int_equal(do_stat(b, gfid_n(102), &st), 0);
	assert_true(S_ISLNK(st.mode));		/* a user's link that looks like a handle is still a link */
	assert_int_equal(xl_getxattr(b->xl, &b->call, &args, &res), 0);
	assert_memory_equal(res.xattrs.v[0].value, "/m/n/n/n", 8);
	assert_int_equal(res.xattrs.v[0].len, 2 * 97 + 1);
}

static void test_deep(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, deep_build);
	brick_run(&b, deep_find);
	brick_remove(&b);
}

static void wants(struct brick *b)
{
	static const char *const names[] = { "trusted.glusterfs.dht", "trusted.afr.*", "user.none", "trusted.gfid" };
	struct xattr_want want = { names, 4, NULL };
	struct xattr set[3] = { { "trusted.glusterfs.dht", "0123456789abcdef", 16 }, { "trusted.afr.dirty", "abcdefghijkl", 12 },
				{ "user.mine", "v", 1 } };
	struct setxattr_args sx = { .inode = inode_n(b, gfid_n(1)), .xattrs = { set, 3 } };
	struct lookup_args args = { .parent = inode_n(b, gfid_root), .name = "f", .want = &want };
	struct setxattr_res sxres = { 0 };
	struct lookup_res res = { 0 };
	unsigned i;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(xl_setxattr(b->xl, &b->call, &sx, &sxres), 0);
	for (i = 0; i < 2; i++) {		/* from disk, from memory */
		assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
		assert_int_equal(res.xattrs.n, 2);
		assert_memory_equal(xattrs_find(&res.xattrs, "trusted.afr.dirty")->value, "abcdefghijkl", 12);
		assert_null(xattrs_find(&res.xattrs, "trusted.gfid"));
	}
	args.list_xattr = true;
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.xattrs.n, 3);
	args.list_xattr = false;
	want.names = (const char *const[]){ "trusted.*" };
	want.n = 1;
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_non_null(xattrs_find(&res.xattrs, "trusted.gfid"));
	assert_null(xattrs_find(&res.xattrs, "user.mine"));
}

static void test_wants(void **state)
{
	brick_test(wants);
}

static void content(struct brick *b)
{
	struct lookup_args args = { .parent = inode_n(b, gfid_root), .name = "f", .content_max = 5 };
	struct lookup_res res = { 0 };

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "hello", 5, 0, NULL), 0);
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.content.len, 5);
	assert_memory_equal(payload_data(&res.content), "hello", 5);
	args.content_max = 4;
	memset(&res, 0, sizeof(res));
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.content.len, 0);
}

static void test_content(void **state)
{
	brick_test(content);
}

/* --- names that come and go --- */

static void create_again(struct brick *b)
{
	struct create_args args = { .parent = inode_n(b, gfid_root), .name = "f", .flags = O_RDWR, .mode = 0600, .gfid = gfid_n(2),
				    .want_fd = true };
	struct create_res res = { 0 };

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(do_create(b, gfid_root, "f", 2, 0644, NULL), -EEXIST);
	assert_int_equal(do_create(b, gfid_root, "g", 1, 0644, NULL), -EEXIST);		/* the gfid is taken ... */
	assert_int_equal(links_of(brick_path(b, "g")), 0);				/* ... and the name undone */
	assert_int_equal(xl_create(b->xl, &b->call, &args, &res), 0);
	assert_memory_equal(res.stat.gfid, gfid_n(1), 16);
	assert_non_null(res.fd);
	fd_unref(res.fd);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 3, 0755, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 4, 0755, NULL), -EEXIST);
	assert_int_equal(do_mkdir(b, gfid_root, "e", 3, 0755, NULL), -EEXIST);
	args.name = "d";
	assert_int_equal(xl_create(b->xl, &b->call, &args, &res), -EISDIR);
}

static void test_create_again(void **state)
{
	brick_test(create_again);
}

static void preop(struct brick *b)
{
	struct mkdir_args args = { .parent = inode_n(b, gfid_root), .name = "d", .mode = 0755, .gfid = gfid_n(1),
				   .preop = { "trusted.glusterfs.dht", "0123456789abcdef", 16 } };
	struct xattr x = { "trusted.glusterfs.dht", "0123456789abcdef", 16 };
	struct setxattr_args sx = { .inode = inode_n(b, gfid_root), .xattrs = { &x, 1 } };
	struct setxattr_res sxres = { 0 };
	struct mkdir_res res = { 0 };

	assert_int_equal(xl_mkdir(b->xl, &b->call, &args, &res), -EIO);
	assert_true(res.preop_failed);
	assert_int_equal(links_of(brick_path(b, "d")), 0);
	assert_int_equal(xl_setxattr(b->xl, &b->call, &sx, &sxres), 0);
	memset(&res, 0, sizeof(res));
	assert_int_equal(xl_mkdir(b->xl, &b->call, &args, &res), 0);
	assert_false(res.preop_failed);
}

static void test_preop(void **state)
{
	brick_test(preop);
}

static void links(struct brick *b)
{
	struct iatt st;
	char *key = "trusted.gfid2path.5a60200abdac90d9";	/* of "a" in the root */

	assert_int_equal(do_create(b, gfid_root, "a", 1, 0644, NULL), 0);
	assert_int_equal(do_link(b, gfid_n(1), gfid_root, "b", &st), 0);
	assert_int_equal(st.nlink, 2);
	assert_int_equal(do_link(b, gfid_n(1), gfid_root, "b", NULL), -EEXIST);
	assert_true(*attr_hex(brick_path(b, "b"), key));
	assert_int_equal(do_unlink(b, gfid_root, "a"), 0);
	assert_false(*attr_hex(brick_path(b, "b"), key));
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(do_unlink(b, gfid_root, "b"), 0);
	assert_int_equal(links_of(handle_of(b, gfid_n(1))), 0);
	assert_int_equal(do_stat(b, gfid_n(1), NULL), -ESTALE);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 2, 0755, NULL), 0);
	assert_int_equal(do_unlink(b, gfid_root, "d"), -EISDIR);
	assert_int_equal(do_link(b, gfid_n(2), gfid_root, "d2", NULL), -EPERM);
}

static void test_links(void **state)
{
	brick_test(links);
}

static void renames(struct brick *b)
{
	struct iatt st;
	ino_t ino;

	assert_int_equal(do_mkdir(b, gfid_root, "p", 1, 0755, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "q", 2, 0755, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_n(1), "c", 3, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(3), "f", 4, 0644, NULL), 0);
	assert_int_equal(do_rename(b, gfid_n(1), "c", gfid_n(2), "c2"), 0);
	assert_non_null(strstr(link_at(handle_of(b, gfid_n(3))), "/c2"));
	assert_int_equal(do_lookup(b, gfid_n(3), "f", &st), 0);
	assert_int_equal(do_lookup(b, gfid_n(3), "..", &st), 0);
	assert_memory_equal(st.gfid, gfid_n(2), 16);
	/* over an empty directory, over a full one */
	assert_int_equal(do_mkdir(b, gfid_root, "empty", 5, 0755, NULL), 0);
	assert_int_equal(do_rename(b, gfid_root, "empty", gfid_n(2), "c2"), -ENOTEMPTY);
	assert_int_equal(do_rename(b, gfid_n(2), "c2", gfid_root, "empty"), 0);
	assert_int_equal(do_stat(b, gfid_n(5), NULL), -ESTALE);
	assert_int_equal(links_of(handle_of(b, gfid_n(5))), 0);
	/* a file over another: the loser's handle goes */
	assert_int_equal(do_create(b, gfid_root, "x", 6, 0644, NULL), 0);
	assert_int_equal(do_create(b, gfid_root, "y", 7, 0644, NULL), 0);
	ino = ino_of(brick_path(b, "x"));
	assert_int_equal(do_rename(b, gfid_root, "x", gfid_root, "y"), 0);
	assert_int_equal(ino_of(brick_path(b, "y")), ino);
	assert_int_equal(do_stat(b, gfid_n(7), NULL), -ESTALE);
	/* two names of one object: both stay */
	assert_int_equal(do_link(b, gfid_n(6), gfid_root, "z", NULL), 0);
	assert_int_equal(do_rename(b, gfid_root, "y", gfid_root, "z"), 0);
	assert_int_equal(links_of(brick_path(b, "y")), 3);
	assert_int_equal(do_rename(b, gfid_root, "empty", gfid_n(3), "self"), -EINVAL);
	assert_int_equal(do_rename(b, gfid_root, "absent", gfid_root, "w"), -ENOENT);
}

static void test_renames(void **state)
{
	brick_test(renames);
}

static void removed_dirs(struct brick *b)
{
	struct rmdir_args args = { .parent = inode_n(b, gfid_root), .name = "tree", .recursive = true };
	struct rmdir_res res = { 0 };
	unsigned i;

	assert_int_equal(do_mkdir(b, gfid_root, "tree", 1, 0755, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_n(1), "sub", 2, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(2), "f", 3, 0644, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "kept", 4, 0644, NULL), 0);
	assert_int_equal(do_link(b, gfid_n(4), gfid_root, "kept", NULL), 0);
	assert_int_equal(do_rmdir(b, gfid_root, "tree"), -ENOTEMPTY);
	assert_int_equal(do_rmdir(b, gfid_root, "kept"), -ENOTDIR);
	assert_int_equal(xl_rmdir(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(do_lookup(b, gfid_root, "tree", NULL), -ENOENT);
	for (i = 0; i < 100 && links_of(handle_of(b, gfid_n(3))); i++)
		co_sleep_ns(10000000);
	assert_int_equal(links_of(handle_of(b, gfid_n(3))), 0);
	for (i = 0; i < 100 && links_of(brick_path(b, ".glusterfs/landfill")) > 2; i++)
		co_sleep_ns(10000000);
	assert_int_equal(links_of(handle_of(b, gfid_n(2))), 0);
	assert_int_equal(do_stat(b, gfid_n(4), NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "e", 9, 0755, NULL), 0);
	assert_int_equal(do_rmdir(b, gfid_root, "e"), 0);
	assert_int_equal(links_of(handle_of(b, gfid_n(9))), 0);
	assert_int_equal(do_create(b, gfid_n(9), "f", 10, 0644, NULL), -ESTALE);
}

static void test_removed_dirs(void **state)
{
	brick_test(removed_dirs);
}

static void unlinked_open(struct brick *b)
{
	struct open_args args = { .inode = inode_n(b, gfid_n(1)), .flags = O_RDWR };
	struct unlink_args un = { .parent = inode_n(b, gfid_root), .name = "f", .not_if_open = true };
	struct stat_args sa = { .inode = inode_n(b, gfid_n(1)) };
	struct open_res res = { 0 };
	struct unlink_res unres = { 0 };
	struct stat_res sares = { 0 };
	char text[GFID_TEXT_SIZE], *parked;
	unsigned i;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(xl_unlink(b->xl, &b->call, &un, &unres), -EBUSY);
	un.not_if_open = false;
	assert_int_equal(xl_unlink(b->xl, &b->call, &un, &unres), 0);
	parked = brick_path(b, ".glusterfs/unlink/%s", gfid_text(gfid_n(1), text));
	assert_int_equal(links_of(parked), 1);
	sa.fd = res.fd;
	assert_int_equal(xl_stat(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(sares.stat.nlink, 0);
	assert_int_equal(do_stat(b, gfid_n(1), NULL), -ESTALE);
	fd_unref(res.fd);
	for (i = 0; i < 100 && links_of(parked); i++)
		co_sleep_ns(10000000);
	assert_int_equal(links_of(parked), 0);
}

static void test_unlinked_open(void **state)
{
	brick_test(unlinked_open);
}

/* --- rights --- */

static void rights(struct brick *b)
{
	static const uint32_t groups[] = { 4000, 5000 };
	struct access_args ac = { .mask = 7 };
	struct access_res acres = { 0 };
	struct iatt st;

	assert_int_equal(do_mkdir(b, gfid_root, "home", 1, 0750, NULL), 0);
	assert_int_equal(chown(brick_path(b, "home"), 1000, 5000), 0);
	as_user(b, 2000, 2000);
	assert_int_equal(do_create(b, gfid_root, "no", 2, 0644, NULL), -EACCES);
	assert_int_equal(do_create(b, gfid_n(1), "no", 2, 0644, NULL), -EACCES);
	assert_int_equal(do_lookup(b, gfid_n(1), "x", NULL), -EACCES);
	b->call.groups = groups;
	b->call.ngroups = 2;
	assert_int_equal(do_lookup(b, gfid_n(1), "x", NULL), -ENOENT);
	assert_int_equal(do_create(b, gfid_n(1), "no", 2, 0644, NULL), -EACCES);
	ac.inode = inode_n(b, gfid_n(1));
	assert_int_equal(xl_access(b->xl, &b->call, &ac, &acres), 0);
	assert_int_equal(acres.granted, 5);
	b->call.ngroups = 0;
	as_user(b, 1000, 1000);
	assert_int_equal(do_create(b, gfid_n(1), "mine", 2, 0600, &st), 0);
	assert_int_equal(st.uid, 1000);
	assert_int_equal(st.gid, 1000);
	as_user(b, 2000, 2000);
	assert_int_equal(do_link(b, gfid_n(2), gfid_n(1), "stolen", NULL), -EACCES);
	assert_int_equal(do_unlink(b, gfid_n(1), "mine"), -EACCES);
	assert_int_equal(do_rename(b, gfid_n(1), "mine", gfid_root, "mine"), -EACCES);
	b->call.pid = -6;				/* a heal */
	assert_int_equal(do_rename(b, gfid_n(1), "mine", gfid_root, "mine"), 0);
	b->call.pid = 0;
	/* hard links to what one does not own, as POSIX has it */
	as_user(b, 0, 0);
	assert_int_equal(do_mkdir(b, gfid_root, "open", 3, 0777, NULL), 0);
	as_user(b, 2000, 2000);
	assert_int_equal(do_link(b, gfid_n(2), gfid_n(3), "theirs", NULL), 0);
	/* a sticky directory */
	assert_int_equal(chmod(brick_path(b, "open"), 01777), 0);
	as_user(b, 3000, 3000);
	assert_int_equal(do_unlink(b, gfid_n(3), "theirs"), -EPERM);
}

static void test_rights(void **state)
{
	brick_test(rights);
}

/* An ACL that the mode bits do not tell of. */
static void acl_rights(struct brick *b)
{
	struct access_args ac = { .mask = 7 };
	struct access_res acres = { 0 };
	static const uint8_t acl[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 7, 0, 0xd0, 7, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
		0x10, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };	/* u::rwx,u:2000:rwx,g::-,m::rwx,o::- */
	struct xattr x = { "system.posix_acl_access", acl, sizeof(acl) };
	struct setxattr_args sx = { .xattrs = { &x, 1 } };
	struct setxattr_res sxres = { 0 };

	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0700, NULL), 0);
	ac.inode = sx.inode = inode_n(b, gfid_n(1));
	as_user(b, 2000, 2000);
	assert_int_equal(xl_access(b->xl, &b->call, &ac, &acres), 0);
	assert_int_equal(acres.granted, 0);
	as_user(b, 0, 0);
	assert_int_equal(xl_setxattr(b->xl, &b->call, &sx, &sxres), 0);
	as_user(b, 2000, 2000);
	assert_int_equal(xl_access(b->xl, &b->call, &ac, &acres), 0);
	assert_int_equal(acres.granted, 7);
	assert_int_equal(do_create(b, gfid_n(1), "f", 2, 0644, NULL), 0);
	as_user(b, 2001, 2000);
	assert_int_equal(xl_access(b->xl, &b->call, &ac, &acres), 0);
	assert_int_equal(acres.granted, 0);
	assert_int_equal(do_lookup(b, gfid_n(1), "f", NULL), -EACCES);
}

static void test_acl_rights(void **state)
{
	brick_test(acl_rights);
}

/* Ids that the kernel does not take must not leave the caller with those of whoever came before, root for one. */
static void impossible_ids(struct brick *b)
{
	struct iatt st;

	assert_int_equal(do_mkdir(b, gfid_root, "roots", 1, 0770, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "open", 2, 0777, NULL), 0);
	as_user(b, UINT32_MAX, UINT32_MAX);
	assert_int_equal(do_create(b, gfid_n(1), "f", 3, 0644, &st), -EACCES);
	assert_int_equal(do_create(b, gfid_n(2), "f", 3, 0644, &st), 0);
	assert_int_equal(st.uid, 65534);
	assert_int_equal(st.gid, 65534);
	as_user(b, 1000, UINT32_MAX);
	assert_int_equal(do_create(b, gfid_n(1), "g", 4, 0644, &st), -EACCES);
	assert_int_equal(do_create(b, gfid_n(2), "g", 4, 0644, &st), 0);
	assert_int_equal(st.uid, 1000);
	assert_int_equal(st.gid, 65534);
	as_user(b, 0, 0);
	assert_int_equal(do_create(b, gfid_n(1), "h", 5, 0644, &st), 0);
	assert_int_equal(st.uid, 0);
}

static void test_impossible_ids(void **state)
{
	(void)state;
	brick_test(impossible_ids);
}

static void setgid_directory(struct brick *b)
{
	struct iatt st;

	assert_int_equal(do_mkdir(b, gfid_root, "shared", 1, 02777, &st), 0);
	assert_int_equal(st.mode, S_IFDIR | 02777);
	assert_int_equal(chown(brick_path(b, "shared"), 0, 7000), 0);
	as_user(b, 1000, 1000);
	assert_int_equal(do_create(b, gfid_n(1), "f", 2, 0644, &st), 0);
	assert_int_equal(st.gid, 7000);
	assert_int_equal(st.uid, 1000);
	assert_int_equal(do_mkdir(b, gfid_n(1), "d", 3, 0755, &st), 0);
	assert_int_equal(st.mode, S_IFDIR | 02755);
	assert_int_equal(do_symlink(b, gfid_n(1), "s", 4, "x"), 0);
	as_user(b, 0, 1234);
	assert_int_equal(do_create(b, gfid_root, "g", 5, 0666, &st), 0);
	assert_int_equal(st.gid, 1234);
	assert_int_equal(st.mode, S_IFREG | 0666);		/* no umask of ours */
}

static void test_setgid_directory(void **state)
{
	brick_test(setgid_directory);
}

struct pair { struct brick *b; unsigned made[2]; };

static int coroutine_fn one_user(void *ctx, unsigned i)
{
	struct pair *p = ctx;
	struct brick mine = *p->b;
	unsigned n;

	as_user(&mine, 1000 + i, 2000 + i);
	for (n = 0; n < 200; n++) {
		char name[32];
		struct iatt st;

		sprintf(name, "f%u-%u", i, n);
		if (do_create(&mine, gfid_n(1), name, 10 + n * 2 + i, 0600, &st) < 0 || st.uid != 1000 + i || st.gid != 2000 + i)
			return -EIO;
		if (do_create(&mine, gfid_n(2 + !i), name, 1000 + n * 2 + i, 0600, &st) != -EACCES)
			return -EPERM;
		p->made[i]++;
	}
	return 0;
}

/* Two users at once on one process: neither ever acts as the other. */
static void two_users(struct brick *b)
{
	struct pair p = { b, { 0, 0 } };

	assert_int_equal(do_mkdir(b, gfid_root, "open", 1, 0777, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "first", 2, 0700, NULL), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "second", 3, 0700, NULL), 0);
	assert_int_equal(chown(brick_path(b, "first"), 1000, 2000), 0);
	assert_int_equal(chown(brick_path(b, "second"), 1001, 2001), 0);
	assert_int_equal(co_fanout(3, one_user, &p), 3);
	assert_int_equal(p.made[0] + p.made[1], 400);
}

static void test_two_users(void **state)
{
	brick_test(two_users);
}

/* --- listing --- */

static bool seen[6000];

static unsigned list_page(struct brick *b, uint64_t *offset, bool plus, bool *ret_eof)
{
	struct readdir_args args = { .inode = inode_n(b, gfid_n(1)), .offset = *offset, .size = 32768, .plus = plus };
	struct readdir_res res = { 0 };
	unsigned i, names = 0;

	assert_int_equal(xl_readdir(b->xl, &b->call, &args, &res), 0);
	for (i = 0; i < res.n; i++) {
		const struct dirent_plus *e = &res.entries[i];
		unsigned n;

		*offset = e->off;
		if (e->name[0] == '.')
			continue;
		n = atoi(e->name + 1);
		assert_false(seen[n]);
		seen[n] = true;
		names++;
		assert_int_equal(e->ino, gfid_ino(gfid_n(n + 10)));
		if (plus) {
			assert_memory_equal(e->stat.gfid, gfid_n(n + 10), 16);
			assert_true(S_ISREG(e->stat.mode));
			assert_int_equal(e->stat.nlink, 1);
		}
	}
	*ret_eof = res.eof;
	return names;
}

static unsigned list_all(struct brick *b, bool plus, bool delete)
{
	uint64_t offset = 0;
	unsigned names = 0;
	bool eof = false;

	memset(seen, 0, sizeof(seen));
	while (!eof) {
		unsigned before = names;

		names += list_page(b, &offset, plus, &eof);
		if (delete && before != names) {
			unsigned n;

			for (n = 0; n < 5000; n++)
				if (seen[n]) {
					char name[16];

					sprintf(name, "n%u", n);
					do_unlink(b, gfid_n(1), name);
				}
		}
	}
	return names;
}

static void listing(struct brick *b)
{
	unsigned n;
	uint64_t offset = 0;
	bool eof;

	assert_int_equal(do_mkdir(b, gfid_root, "many", 1, 0755, NULL), 0);
	for (n = 0; n < 5000; n++) {
		char name[16];

		sprintf(name, "n%u", n);
		assert_int_equal(do_create(b, gfid_n(1), name, n + 10, 0644, NULL), 0);
	}
	assert_int_equal(list_all(b, false, false), 5000);
	assert_int_equal(list_all(b, true, false), 5000);
	memset(seen, 0, sizeof(seen));
	list_page(b, &offset, true, &eof);
	assert_int_equal(list_all(b, true, true), 5000);
	assert_int_equal(do_rmdir(b, gfid_root, "many"), 0);
}

static void hidden_handles(struct brick *b)
{
	struct opendir_args od = { .inode = inode_n(b, gfid_root) };
	struct readdir_args args = { .inode = od.inode, .size = 4096, .plus = true };
	struct opendir_res odres = { 0 };
	struct readdir_res res = { 0 };
	unsigned i;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(xl_opendir(b->xl, &b->call, &od, &odres), 0);
	args.fd = odres.fd;
	assert_int_equal(xl_readdir(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.n, 3);
	assert_true(res.eof);
	for (i = 0; i < res.n; i++)
		assert_string_not_equal(res.entries[i].name, ".glusterfs");
	fd_unref(odres.fd);
	args.fd = NULL;
	args.size = 100;
	assert_int_equal(xl_readdir(b->xl, &b->call, &args, &res), -EINVAL);
	args.size = 1 << 20;
	as_user(b, 1000, 1000);
	chmod(b->dir, 0711);
	assert_int_equal(xl_readdir(b->xl, &b->call, &args, &res), -EACCES);
	assert_int_equal(xl_opendir(b->xl, &b->call, &od, &odres), -EACCES);
}

static void test_listing(void **state)
{
	brick_test(listing);
}

static void test_hidden_handles(void **state)
{
	brick_test(hidden_handles);
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
		cmocka_unit_test(test_new_brick), cmocka_unit_test(test_refusals), cmocka_unit_test(test_served_once),
		cmocka_unit_test(test_format), cmocka_unit_test(test_special_files), cmocka_unit_test(test_internal_mknod),
		cmocka_unit_test(test_lookup), cmocka_unit_test(test_adopt), cmocka_unit_test(test_repair),
		cmocka_unit_test(test_deep), cmocka_unit_test(test_wants), cmocka_unit_test(test_content),
		cmocka_unit_test(test_create_again), cmocka_unit_test(test_preop), cmocka_unit_test(test_links),
		cmocka_unit_test(test_renames), cmocka_unit_test(test_removed_dirs), cmocka_unit_test(test_unlinked_open),
		cmocka_unit_test(test_rights), cmocka_unit_test(test_acl_rights), cmocka_unit_test(test_setgid_directory),
		cmocka_unit_test(test_impossible_ids),
		cmocka_unit_test(test_two_users), cmocka_unit_test(test_hidden_handles), cmocka_unit_test(test_listing),
	};
	int failed = cmocka_run_group_tests_name("posix names", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("posix names on XFS", tests, mount_xfs, unmount);
}
