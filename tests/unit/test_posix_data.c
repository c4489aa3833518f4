/* tests/unit/test_posix_data.c: content, attributes, times and extended attributes on a brick, and what is stable when. */
#include "tests/unit/posix_fixture.h"

#include <time.h>

#include "xlators/storage/posix/digest.h"
#include "xlators/storage/posix/posix.h"

#define FILE_TIMES (TIME_CTIME | TIME_MTIME | TIME_ATIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME)
#define NOW 1800000000		/* after any clock this runs by */

/* --- read and write --- */

static void read_write(struct brick *b)
{
	struct writev_res wr = { 0 };
	struct readv_res rd;
	static char big[10000];

	memset(big, 'b', sizeof(big));
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0600, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "hello", 5, 0, &wr), 0);
	assert_int_equal(wr.written, 5);
	assert_int_equal(wr.pre.size, 0);
	assert_int_equal(wr.post.size, 5);
	assert_true(wr.is_append);
	assert_int_equal(do_write(b, gfid_n(1), 1, "E", 1, 0, &wr), 0);
	assert_false(wr.is_append);
	assert_int_equal(do_read(b, gfid_n(1), 0, 100, &rd), 0);
	assert_int_equal(rd.data.len, 5);
	assert_memory_equal(payload_data(&rd.data), "hEllo", 5);
	assert_true(rd.eof);
	assert_int_equal(rd.stat.size, 5);
	assert_int_equal(do_read(b, gfid_n(1), 0, 3, &rd), 0);
	assert_false(rd.eof);
	assert_int_equal(do_read(b, gfid_n(1), 2, 3, &rd), 0);
	assert_true(rd.eof);
	assert_int_equal(do_read(b, gfid_n(1), 77, 3, &rd), 0);
	assert_int_equal(rd.data.len, 0);
	assert_true(rd.eof);
	/* a hole reads as zeros; the end of it is far */
	assert_int_equal(do_write(b, gfid_n(1), 1 << 20, big, sizeof(big), O_SYNC, &wr), 0);
	assert_int_equal(do_write(b, gfid_n(1), (1 << 20) + 5000, big, 5000, O_DSYNC, &wr), 0);
	assert_int_equal(do_read(b, gfid_n(1), 4096, 4, &rd), 0);
	assert_memory_equal(payload_data(&rd.data), "\0\0\0\0", 4);
	assert_int_equal(do_read(b, gfid_n(1), 1 << 20, 20000, &rd), 0);
	assert_int_equal(rd.data.len, 10000);
	assert_memory_equal(payload_data(&rd.data), big, 10000);
	assert_int_equal(do_write(b, gfid_n(1), UINT64_MAX - 2, "x", 1, 0, &wr), -EFBIG);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 2, 0700, NULL), 0);
	assert_int_equal(do_read(b, gfid_n(2), 0, 4, &rd), -EISDIR);
	assert_int_equal(do_write(b, gfid_n(2), 0, "x", 1, 0, &wr), -EISDIR);
	assert_int_equal(do_read(b, gfid_n(3), 0, 4, &rd), -ESTALE);
}

static void test_read_write(void **state)
{
	brick_test(read_write);
}

/* Samba opens directories with OPEN, and asks for as much as 8 MiB at once, by way of GlusterFS's client library. */
static void as_samba_does(struct brick *b)
{
	enum { SIZE = 8 << 20 };
	struct open_args args = { .inode = inode_n(b, gfid_n(1)), .flags = O_RDONLY };
	struct open_res res = { 0 };
	struct writev_res wr;
	struct readv_res rd;
	uint8_t *data = calloc(1, SIZE);

	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0700, NULL), 0);
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), 0);
	fd_unref(res.fd);
	args.flags = O_RDWR;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), -EISDIR);
	args.flags = O_RDONLY | O_TRUNC;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), -EISDIR);
	assert_int_equal(do_create(b, gfid_root, "f", 2, 0600, NULL), 0);
	data[SIZE - 1] = 7;
	assert_int_equal(do_write(b, gfid_n(2), 0, data, SIZE, 0, &wr), 0);
	assert_int_equal(do_read(b, gfid_n(2), 0, SIZE, &rd), 0);
	assert_int_equal(rd.data.len, SIZE);
	assert_int_equal(payload_data(&rd.data)[SIZE - 1], 7);
	free(data);
}

static void test_as_samba_does(void **state)
{
	brick_test(as_samba_does);
}

/* Data that left the page cache is read all the same. */
static void cold_read(struct brick *b)
{
	static char data[300000];
	struct readv_res rd;
	unsigned i;
	int fd;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0600, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, data, sizeof(data), O_SYNC, NULL), 0);
	fd = open(brick_path(b, "f"), O_RDONLY);
	for (i = 0; i < 3; i++) {
		posix_fadvise(fd, i == 1 ? 100000 : 0, i == 1 ? 50000 : 0, POSIX_FADV_DONTNEED);
		assert_int_equal(do_read(b, gfid_n(1), 3, sizeof(data), &rd), 0);
		assert_int_equal(rd.data.len, sizeof(data) - 3);
		assert_memory_equal(payload_data(&rd.data), data + 3, sizeof(data) - 3);
	}
	close(fd);
}

static void test_cold_read(void **state)
{
	brick_test(cold_read);
}

static void read_lent(struct brick *b, uint64_t offset, struct readv_res *res)
{
	struct readv_args args = { .inode = inode_n(b, gfid_n(1)), .offset = offset, .size = 1 << 20, .lend = true };

	memset(res, 0, sizeof(*res));
	assert_int_equal(xl_readv(b->xl, &b->call, &args, res), 0);
}

/* What may wait in a pipe does, unless it begins within a page or ends before it begins. */
static void lent_read(struct brick *b)
{
	static char data[(1 << 20) + 5000], got[1 << 20];
	struct readv_res rd;
	unsigned i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 4096;
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0600, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, data, sizeof(data), O_SYNC, NULL), 0);
	for (i = 0; i < sizeof(data); i += sizeof(got) - 4096) {
		uint32_t len = sizeof(data) - i < sizeof(got) ? sizeof(data) - i : sizeof(got);

		read_lent(b, i, &rd);
		assert_null(rd.data.buf->data);
		assert_int_equal(rd.data.len, len);
		assert_int_equal(rd.stat.size, sizeof(data));
		assert_int_equal(rd.eof, i + len == sizeof(data));
		assert_int_equal(read(rd.data.buf->pipe[0], got, sizeof(got)), len);
		assert_memory_equal(got, data + i, len);
		rd.data.buf->size = 0;
	}
	read_lent(b, 3, &rd);
	assert_memory_equal(payload_data(&rd.data), data + 3, 1 << 20);
	read_lent(b, 2 << 20, &rd);
	assert_int_equal(rd.data.len, 0);
	assert_true(rd.eof);
}

static void test_lent_read(void **state)
{
	brick_test(lent_read);
}

static void truncated(struct brick *b)
{
	struct truncate_args args = { .inode = inode_n(b, gfid_n(1)), .offset = 3 };
	struct truncate_res res = { 0 };
	struct fallocate_args fa = { .inode = args.inode, .offset = 0, .len = 8192 };
	struct fallocate_res fares = { 0 };
	struct discard_args di = { .inode = args.inode, .offset = 0, .len = 4096 };
	struct discard_res dires = { 0 };
	struct seek_args sk = { .inode = args.inode, .offset = 4096 };
	struct seek_res skres = { 0 };

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0400, NULL), 0);
	assert_int_equal(chown(brick_path(b, "f"), 1000, 1000), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "hello", 5, 0, NULL), 0);
	as_user(b, 1000, 1000);
	assert_int_equal(xl_truncate(b->xl, &b->call, &args, &res), -EACCES);
	args.handle = true;
	assert_int_equal(xl_truncate(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.pre.size, 5);
	assert_int_equal(res.post.size, 3);
	as_user(b, 0, 0);
	assert_int_equal(xl_fallocate(b->xl, &b->call, &fa, &fares), 0);
	assert_int_equal(fares.post.size, 8192);
	assert_true(fares.post.blocks >= 16);
	assert_int_equal(xl_discard(b->xl, &b->call, &di, &dires), 0);
	assert_true(dires.post.blocks < fares.post.blocks);
	sk.hole = true;
	assert_int_equal(xl_seek(b->xl, &b->call, &sk, &skres), 0);
	sk.offset = 1 << 20;
	assert_int_equal(xl_seek(b->xl, &b->call, &sk, &skres), -ENXIO);
}

static void test_truncated(void **state)
{
	brick_test(truncated);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

static void set_id_bits(struct brick *b)
{
	struct truncate_args tr = { .inode = inode_n(b, gfid_n(1)), .handle = true };
	struct truncate_res trres = { 0 };
	struct setattr_args sa = { .inode = tr.inode, .valid = SET_UID, .stat.uid = 3000 };
	struct setattr_res sares = { 0 };
	char *path = brick_path(b, "f");

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0777, NULL), 0);
	assert_int_equal(chown(path, 1000, 1000), 0);
	assert_int_equal(chmod(path, 06777), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "root", 4, 0, NULL), 0);
	assert_int_equal(mode_of(path), 06777);
	as_user(b, 2000, 2000);
	assert_int_equal(do_write(b, gfid_n(1), 0, "user", 4, 0, NULL), 0);
	assert_int_equal(mode_of(path), 0777);
	assert_int_equal(chmod(path, 06777), 0);
	assert_int_equal(xl_truncate(b->xl, &b->call, &tr, &trres), 0);
	assert_int_equal(mode_of(path), 0777);
	assert_int_equal(chmod(path, 06777), 0);
	as_user(b, 0, 0);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(mode_of(path), 0777);
	assert_int_equal(sares.post.uid, 3000);
}

static void test_set_id_bits(void **state)
{
	brick_test(set_id_bits);
}

static void open_modes(struct brick *b)
{
	struct open_args args = { .inode = inode_n(b, gfid_n(1)), .flags = O_RDONLY };
	struct writev_args wa = { .inode = args.inode, .offset = 0 };
	struct writev_res wres = { 0 };
	struct open_res res = { 0 };

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0640, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "hello", 5, 0, NULL), 0);
	assert_int_equal(chown(brick_path(b, "f"), 1000, 5000), 0);
	as_user(b, 2000, 2000);
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), -EACCES);
	as_user(b, 2000, 5000);
	args.flags = O_RDWR;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), -EACCES);
	args.flags = O_RDONLY | O_TRUNC;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), -EACCES);
	args.flags = O_RDONLY;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), 0);
	wa.fd = res.fd;
	assert_int_equal(xl_writev(b->xl, &b->call, &wa, &wres), -EBADF);
	fd_unref(res.fd);
	as_user(b, 1000, 1000);
	args.flags = O_WRONLY | O_APPEND;
	assert_int_equal(xl_open(b->xl, &b->call, &args, &res), 0);
	wa.fd = res.fd;
	wa.data = (struct payload){ iobuf_new(4), 0, 1 };
	assert_int_equal(xl_writev(b->xl, &b->call, &wa, &wres), 0);
	assert_int_equal(wres.post.size, 6);
	assert_true(wres.is_append);
	iobuf_unref(wa.data.buf);
	fd_unref(res.fd);
}

static void test_open_modes(void **state)
{
	brick_test(open_modes);
}

/* --- times --- */

static void times(struct brick *b)
{
	struct setattr_args sa = { .inode = inode_n(b, gfid_n(1)), .valid = SET_MTIME | SET_ATIME };
	struct setattr_res sares = { 0 };
	struct iatt st, root;

	at_time(b, FILE_TIMES, NOW, 5);
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, &st), 0);
	assert_int_equal(st.mtime.sec, NOW);
	assert_int_equal(st.atime.nsec, 5);
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 10, 6);
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, 0, NULL), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, NOW + 10);
	assert_int_equal(st.ctime.sec, NOW + 10);
	assert_int_equal(st.atime.sec, NOW);
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 5, 0);		/* late: times do not go back */
	assert_int_equal(do_write(b, gfid_n(1), 0, "y", 1, 0, NULL), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, NOW + 10);
	at_time(b, 0, 0, 0);						/* a client without such times */
	assert_int_equal(do_write(b, gfid_n(1), 0, "z", 1, 0, NULL), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, NOW + 10);
	/* explicit ones may */
	sa.stat.mtime = (struct iatt_time){ 1000, 1 };
	sa.stat.atime = (struct iatt_time){ 2000, 2 };
	at_time(b, TIME_CTIME | TIME_MTIME | TIME_ATIME, NOW + 20, 0);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(sares.post.mtime.sec, 1000);
	assert_int_equal(sares.post.atime.nsec, 2);
	assert_int_equal(sares.post.ctime.sec, NOW + 20);
	sa.valid = SET_MTIME_NOW;
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 30, 3);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(sares.post.mtime.sec, NOW + 30);
	assert_int_equal(sares.post.atime.sec, 2000);
	/* and the parent's */
	at_time(b, TIME_CTIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME, NOW + 40, 4);
	assert_int_equal(do_unlink(b, gfid_root, "f"), 0);
	assert_int_equal(do_stat(b, gfid_root, &root), 0);
	assert_int_equal(root.mtime.sec, NOW + 40);
	assert_int_equal(root.ctime.nsec, 4);
}

static void test_times(void **state)
{
	brick_test(times);
}

static void plain_times(struct brick *b)
{
	struct setattr_args sa = { .inode = inode_n(b, gfid_n(1)), .valid = SET_MTIME | SET_ATIME | SET_MODE,
				   .stat = { .mode = 0600, .mtime = { 77, 1 }, .atime = { 88, 2 } } };
	struct setattr_res sares = { 0 };
	struct iatt st;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, 77);
	assert_int_equal(st.mode, S_IFREG | 0600);
	assert_string_equal(attr_hex(brick_path(b, "f"), "trusted.glusterfs.mdata"), "");
	assert_int_equal(do_symlink(b, gfid_root, "s", 2, "nowhere"), 0);
	sa.inode = inode_n(b, gfid_n(2));
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(sares.post.mtime.sec, 77);
	assert_true(S_ISLNK(sares.post.mode));
	as_user(b, 2000, 2000);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), -EPERM);
}

static void test_plain_times(void **state)
{
	brick_test(plain_times);
}

static void write_late_times(struct brick *b)
{
	at_time(b, FILE_TIMES, NOW, 0);
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 9, 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, 0, NULL), 0);
}

static void times_kept(struct brick *b)
{
	struct iatt st;

	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, NOW + 9);
}

/* Times wait in memory for a moment; a stop, an fsync and a second of time store them. */
static void test_times_stored(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, write_late_times);
	brick_run(&b, times_kept);
	brick_remove(&b);
}

static const char *stored_mtime(struct brick *b)
{
	return attr_hex(brick_path(b, "f"), "trusted.glusterfs.mdata") + 18 + 32;
}

static void times_stored_when(struct brick *b)
{
	struct fsync_args fs = { .inode = inode_n(b, gfid_n(1)) };
	struct fsync_res fsres = { 0 };
	char wanted[17];
	unsigned i;

	write_late_times(b);
	assert_int_equal(xl_fsync(b->xl, &b->call, &fs, &fsres), 0);
	snprintf(wanted, sizeof(wanted), "%016llx", (unsigned long long)NOW + 9);
	assert_memory_equal(stored_mtime(b), wanted, 16);
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 12, 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, 0, NULL), 0);
	snprintf(wanted, sizeof(wanted), "%016llx", (unsigned long long)NOW + 12);
	for (i = 0; i < 40 && strncmp(stored_mtime(b), wanted, 16); i++)
		co_sleep_ns(100000000);
	assert_memory_equal(stored_mtime(b), wanted, 16);
	at_time(b, TIME_CTIME | TIME_MTIME, NOW + 13, 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, O_SYNC, NULL), 0);
	snprintf(wanted, sizeof(wanted), "%016llx", (unsigned long long)NOW + 13);
	assert_memory_equal(stored_mtime(b), wanted, 16);
}

static void test_times_stored_when(void **state)
{
	brick_test(times_stored_when);
}

static void old_times(struct brick *b)
{
	at_time(b, FILE_TIMES, 1000, 0);
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	co_sleep_ns(100000000);			/* the health file is there */
}

static void torn_times(struct brick *b)
{
	struct iatt st;

	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_true(st.mtime.sec > 1000);
}

/* Killed with times in memory only: what was changed since the last sign of life shows the kernel's. */
static void test_torn_times(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, old_times);
	assert_int_equal(unlink(brick_path(&b, ".glusterfs/gatehouse-clean")), 0);
	brick_run(&b, torn_times);
	brick_remove(&b);
}

/* --- extended attributes --- */

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

static void xattrs(struct brick *b)
{
	struct removexattr_args rm = { .inode = inode_n(b, gfid_n(1)), .name = "" };
	/* What a heal takes off a copy: all that it was told of, the stored times with it. */
	struct xattr many[] = { { "user.a", NULL, 0 }, { "user.gone", NULL, 0 }, { "trusted.glusterfs.mdata", NULL, 0 }, { "user.c", NULL, 0 } };
	struct removexattr_res rmres = { 0 };
	struct getxattr_res res;
	char path[256];

	assert_int_equal(do_mkdir(b, gfid_root, "d", 2, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(2), "f", 1, 0644, NULL), 0);
	assert_int_equal(set_one(b, 1, "user.a", "1", 1, 0), 0);
	assert_int_equal(set_one(b, 1, "user.a", "1", 1, XATTR_CREATE), -EEXIST);
	assert_int_equal(set_one(b, 1, "user.b", "1", 1, XATTR_REPLACE), -ENODATA);
	assert_int_equal(set_one(b, 1, "trusted.gfid", "0123456789abcdef", 16, 0), 0);	/* answered, not done */
	assert_int_equal(do_stat(b, gfid_n(1), NULL), 0);
	assert_int_equal(get_one(b, 1, "user.none", &res), -ENODATA);
	assert_int_equal(get_one(b, 1, "user.a", &res), 0);
	assert_int_equal(res.xattrs.v[0].len, 1);
	assert_int_equal(get_one(b, 1, NULL, &res), 0);
	assert_int_equal(res.xattrs.n, 1);
	at_time(b, TIME_CTIME, 1000, 0);
	assert_int_equal(set_one(b, 1, "user.c", "1", 1, 0), 0);
	at_time(b, 0, 0, 0);
	rm.many = (struct xattrs){ many, 4 };
	assert_int_equal(xl_removexattr(b->xl, &b->call, &rm, &rmres), 0);
	assert_string_equal(attr_hex(brick_path(b, "d/f"), "trusted.glusterfs.mdata"), "");
	assert_int_equal(get_one(b, 1, "user.c", &res), -ENODATA);
	assert_int_equal(get_one(b, 1, "user.a", &res), -ENODATA);
	rm.name = "user.a";
	assert_int_equal(xl_removexattr(b->xl, &b->call, &rm, &rmres), -ENODATA);
	assert_int_equal(get_one(b, 1, "glusterfs.gfid2path", &res), 0);
	assert_string_equal(res.xattrs.v[0].value, "/d/f");
	assert_int_equal(get_one(b, 1, "trusted.glusterfs.pathinfo", &res), 0);
	snprintf(path, sizeof(path), "<POSIX(%s):", b->dir);
	assert_memory_equal(res.xattrs.v[0].value, path, strlen(path));
	snprintf(path, sizeof(path), ":%s/d/f>", b->dir);
	assert_non_null(strstr(res.xattrs.v[0].value, path));
	assert_int_equal(get_one(b, 2, "glusterfs.get_real_filename:F", &res), 0);
	assert_string_equal(res.xattrs.v[0].value, "f");
	assert_int_equal(get_one(b, 1, "trusted.glusterfs.node-uuid", &res), -ENODATA);
	as_user(b, 2000, 2000);
	assert_int_equal(set_one(b, 1, "user.a", "1", 1, 0), -EACCES);
}

static void test_xattrs(void **state)
{
	brick_test(xattrs);
}

static void many_xattrs(struct brick *b)
{
	static const char *const names[] = { "user.*" };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_args args = { .parent = inode_n(b, gfid_root), .name = "f", .want = &want };
	struct lookup_res res = { 0 };
	static char value[1500];
	char name[32];
	unsigned i;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	for (i = 0; i < 4; i++) {
		sprintf(name, "user.%u", i);
		if (set_one(b, 1, name, value, 800, 0) == -ENOSPC)
			break;
	}
	assert_int_equal(xl_lookup(b->xl, &b->call, &args, &res), 0);
	assert_int_equal(res.xattrs.n, i);
}

static void test_many_xattrs(void **state)
{
	brick_test(many_xattrs);
}

static void client_times(struct brick *b)
{
	uint8_t wire[36] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6 };
	uint8_t disk[57] = { 1 };
	struct getxattr_res res;
	struct iatt st;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(set_one(b, 1, "set-ctime-mdata", wire, sizeof(wire), 0), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.atime.sec, 1);
	assert_int_equal(st.mtime.sec, 2);
	assert_int_equal(st.ctime.sec, 3);
	assert_int_equal(st.atime.nsec, 4);
	wire[7] = 9;
	assert_int_equal(set_one(b, 1, "set-ctime-mdata", wire, sizeof(wire), 0), 0);	/* only the first counts */
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.atime.sec, 1);
	disk[24 - 8] = 44;		/* ctime seconds */
	assert_int_equal(set_one(b, 1, "trusted.glusterfs.mdata", disk, sizeof(disk), 0), 0);	/* a heal's */
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.ctime.sec, 44);
	assert_int_equal(st.mtime.sec, 0);
	assert_int_equal(get_one(b, 1, "trusted.glusterfs.mdata", &res), 0);
	assert_memory_equal(res.xattrs.v[0].value, disk, sizeof(disk));
	assert_int_equal(set_one(b, 1, "trusted.glusterfs.mdata", disk, 5, 0), -EINVAL);
}

static void test_client_times(void **state)
{
	brick_test(client_times);
}

static int op(struct brick *b, enum xattrop kind, const void *value, uint32_t len, struct xattrop_res *res)
{
	struct xattr x = { "trusted.afr.dirty", value, len };
	struct xattrop_args args = { .inode = inode_n(b, gfid_n(1)), .op = kind, .operands = { &x, 1 } };

	memset(res, 0, sizeof(*res));
	return xl_xattrop(b->xl, &b->call, &args, res);
}

static int coroutine_fn add_fifty(void *ctx, unsigned i)
{
	struct xattrop_res res;
	unsigned n;

	for (n = 0; n < 50; n++)
		if (op(ctx, XATTROP_ADD32, "\0\0\0\1\0\0\0\0\xff\xff\xff\xff", 12, &res) < 0)
			return -EIO;
	return 0;
}

static void xattrops(struct brick *b)
{
	struct xattrop_res res;

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(op(b, XATTROP_ADD32, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, &res), 0);
	assert_memory_equal(res.values.v[0].value, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_string_equal(attr_hex(brick_path(b, "f"), "trusted.afr.dirty"), "");	/* looked only */
	assert_int_equal(co_fanout(0xf, add_fifty, b), 0xf);
	assert_string_equal(attr_hex(brick_path(b, "f"), "trusted.afr.dirty"), "000000c800000000ffffff38");
	assert_int_equal(op(b, XATTROP_OR, "\1", 1, &res), 0);
	assert_int_equal(res.values.v[0].len, 12);
	assert_memory_equal(res.values.v[0].value, "\1\0\0\xc8", 4);
	assert_int_equal(op(b, XATTROP_AND, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, &res), 0);
	assert_string_equal(attr_hex(brick_path(b, "f"), "trusted.afr.dirty"), "000000000000000000000000");
	assert_int_equal(op(b, XATTROP_GET_AND_SET, "new", 3, &res), 0);
	assert_memory_equal(res.values.v[0].value, "\0\0\0\0", 4);
	assert_string_equal(attr_hex(brick_path(b, "f"), "trusted.afr.dirty"), "6e6577");
}

static void test_xattrops(void **state)
{
	brick_test(xattrops);
}

static void checksums(struct brick *b)
{
	struct rchecksum_args args = { .inode = inode_n(b, gfid_n(1)), .len = 3 };
	struct rchecksum_res res = { 0 };

	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	assert_int_equal(do_write(b, gfid_n(1), 0, "abc\0\0", 5, 0, NULL), 0);
	assert_int_equal(xl_rchecksum(b->xl, &b->call, &args, &res), 0);
	assert_memory_equal(res.strong, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23", 16);
	assert_int_equal(res.weak, 0x024d0127);
	assert_false(res.zeroes);
	args.offset = 3;
	assert_int_equal(xl_rchecksum(b->xl, &b->call, &args, &res), 0);
	assert_true(res.zeroes);
}

static void test_checksums(void **state)
{
	uint8_t out[32], long_text[200];

	memset(long_text, 'a', sizeof(long_text));
	digest_md5((const uint8_t *)"abc", 3, out);
	assert_memory_equal(out, "\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72", 16);
	digest_md5(long_text, 120, out);
	assert_memory_equal(out, "\x5f\x61\xc0\xcc\xad\x4c\xac\x44\xc7\x5f\xf5\x05\xe1\xf1\xe5\x37", 16);
	digest_sha256(long_text, 119, out);
	assert_memory_equal(out, "\x31\xeb\xa5\x1c\x31\x3a\x5c\x08\x22\x6a\xdf\x18\xd4\xa3\x59\xcf", 16);
	brick_test(checksums);
}

static void space_told(struct brick *b)
{
	struct statfs_args args = { .inode = inode_n(b, gfid_root) };
	struct statfs_res res = { 0 };

	assert_int_equal(xl_statfs(b->xl, &b->call, &args, &res), 0);
	assert_true(res.blocks > 0 && res.bavail <= res.bfree && res.bfree <= res.blocks);
	assert_int_equal(res.namemax, 255);
	b->call.arena = b->arena;
}

static void full_brick(struct brick *b)
{
	struct writev_res wr = { 0 };
	unsigned i;

	for (i = 0; i < 100 && !((struct posix *)b->xl->priv)->full; i++)
		co_sleep_ns(10000000);
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), -ENOSPC);
	b->call.pid = -6;
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	b->call.pid = 0;
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, 0, &wr), -ENOSPC);
	assert_int_equal(do_unlink(b, gfid_root, "f"), 0);
}

/* Room that was made is there for the next call; a file system that fills up is noticed in about a second. */
static void room_made(struct brick *b)
{
	struct posix *px = b->xl->priv;
	struct writev_res wr = { 0 };
	unsigned i;

	px->full = true;
	assert_int_equal(do_create(b, gfid_root, "f", 1, 0644, NULL), 0);
	px->full = true;
	assert_int_equal(do_write(b, gfid_n(1), 0, "x", 1, 0, &wr), 0);
	assert_false(px->full);
	px->reserve = 100;
	for (i = 0; i < 500 && !px->full; i++)
		co_sleep_ns(10000000);
	assert_int_equal(do_create(b, gfid_root, "g", 2, 0644, NULL), -ENOSPC);
}

static void test_space(void **state)
{
	struct brick b;

	brick_test(room_made);
	brick_test(space_told);
	brick_new(&b, " option reserve 100\n");
	brick_run(&b, full_brick);
	brick_remove(&b);
}

/* Many more objects than descriptors and nodes are kept. */
static void crowd(struct brick *b)
{
	struct posix *px = b->xl->priv;
	struct readv_res rd;
	unsigned n;
	char name[16];

	px->nodes.max_idle_fd = 20;
	for (n = 1; n <= 500; n++) {
		sprintf(name, "n%u", n);
		assert_int_equal(do_create(b, gfid_root, name, n, 0644, NULL), 0);
		assert_int_equal(do_write(b, gfid_n(n), 0, name, strlen(name), 0, NULL), 0);
	}
	assert_true(px->nodes.nidle_fd <= 24);
	assert_true(px->nodes.nidle <= 70);
	for (n = 500; n >= 1; n--) {
		sprintf(name, "n%u", n);
		assert_int_equal(do_read(b, gfid_n(n), 0, 100, &rd), 0);
		assert_int_equal(rd.data.len, strlen(name));
		assert_memory_equal(payload_data(&rd.data), name, rd.data.len);
	}
}

static void test_crowd(void **state)
{
	struct brick b;

	brick_new(&b, " option max-idle-nodes 64\n");
	brick_run(&b, crowd);
	brick_remove(&b);
}

/* --- stable before the reply --- */

static int coroutine_fn make_durable(void *ctx, unsigned i)
{
	struct brick *b = ctx;
	char name[16];

	sprintf(name, "f%u", i);
	return do_create(b, gfid_root, name, 100 + i, 0644, NULL);
}

static void group_commit(struct brick *b)
{
	struct posix *px = b->xl->priv;
	uint64_t before;

	assert_int_equal(do_create(b, gfid_root, "calm", 1, 0644, NULL), 0);
	assert_int_equal(px->commit.forces, 0);
	b->call.durable = true;
	assert_int_equal(do_create(b, gfid_root, "a", 2, 0644, NULL), 0);
	assert_int_equal(px->commit.forces, 1);
	assert_int_equal(do_create(b, gfid_root, "a", 2, 0644, NULL), -EEXIST);		/* nothing to force */
	assert_int_equal(px->commit.forces, 1);
	assert_int_equal(do_rename(b, gfid_root, "a", gfid_root, "b"), 0);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 3, 0755, NULL), 0);
	assert_int_equal(do_unlink(b, gfid_root, "b"), 0);
	assert_int_equal(do_rmdir(b, gfid_root, "d"), 0);
	assert_int_equal(px->commit.forces, 5);
	before = px->commit.forces;
	assert_int_equal(co_fanout(UINT64_MAX, make_durable, b), UINT64_MAX);
	assert_int_equal(px->commit.served, 5 + 64);
	assert_true(px->commit.forces - before < 32);		/* shared: far fewer than operations */
}

static void test_group_commit(void **state)
{
	brick_test(group_commit);
}

static void sync_all(struct brick *b)
{
	sync();
}

static void durable_work(struct brick *b)
{
	struct setattr_args sa = { .inode = inode_n(b, gfid_n(4)), .valid = SET_MODE, .stat.mode = 0612 };
	struct setattr_res sares = { 0 };

	b->call.durable = true;
	at_time(b, FILE_TIMES, NOW, 0);
	assert_int_equal(do_mkdir(b, gfid_root, "d", 1, 0755, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "old", 2, 0644, NULL), 0);
	assert_int_equal(do_rename(b, gfid_n(1), "old", gfid_n(1), "new"), 0);
	assert_int_equal(do_write(b, gfid_n(2), 0, "stable", 6, O_SYNC, NULL), 0);
	assert_int_equal(do_create(b, gfid_n(1), "gone", 3, 0644, NULL), 0);
	assert_int_equal(do_unlink(b, gfid_n(1), "gone"), 0);
	assert_int_equal(do_create(b, gfid_root, "mode", 4, 0644, NULL), 0);
	at_time(b, TIME_CTIME, NOW + 50, 0);
	assert_int_equal(xl_setattr(b->xl, &b->call, &sa, &sares), 0);
	assert_int_equal(co_fanout(0xff, make_durable, b), 0xff);
	fixture_power_cut();
}

static void durable_check(struct brick *b)
{
	struct readv_res rd;
	struct iatt st;
	unsigned i;

	assert_int_equal(do_lookup(b, gfid_root, "d", &st), 0);
	assert_int_equal(do_stat(b, gfid_n(1), &st), 0);
	assert_int_equal(st.mtime.sec, NOW);
	assert_int_equal(do_lookup(b, gfid_n(1), "new", &st), 0);
	assert_int_equal(do_lookup(b, gfid_n(1), "old", &st), -ENOENT);
	assert_int_equal(do_lookup(b, gfid_n(1), "gone", &st), -ENOENT);
	assert_int_equal(do_read(b, gfid_n(2), 0, 10, &rd), 0);
	assert_int_equal(rd.data.len, 6);
	assert_memory_equal(payload_data(&rd.data), "stable", 6);
	assert_int_equal(do_stat(b, gfid_n(4), &st), 0);
	assert_int_equal(st.mode, S_IFREG | 0612);
	assert_int_equal(st.ctime.sec, NOW + 50);
	for (i = 0; i < 8; i++)
		assert_int_equal(do_stat(b, gfid_n(100 + i), &st), 0);
}

static void careless_work(struct brick *b)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		assert_int_equal(make_durable(b, i), 0);
	fixture_power_cut();
}

static void careless_check(struct brick *b)
{
	unsigned i, lost = 0;

	for (i = 0; i < 8; i++)
		lost += do_stat(b, gfid_n(100 + i), NULL) == -ESTALE;
	assert_int_not_equal(lost, 0);		/* else the cut cuts nothing and the other half proves nothing */
}

/* What was answered as stable is there after a power cut; what was not need not be. */
static void test_power_cut(void **state)
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, sync_all);
	brick_run(&b, durable_work);
	fixture_remount();
	brick_run(&b, durable_check);
	brick_new(&b, " option health-check-interval 0\n");	/* its fdatasync would force the log, too */
	brick_run(&b, sync_all);
	brick_run(&b, careless_work);
	fixture_remount();
	brick_run(&b, careless_check);
}

static void one_durable(struct brick *b)
{
	b->call.durable = true;
	assert_int_equal(make_durable(b, 0), 0);
}

static void another_durable(struct brick *b)
{
	b->call.durable = true;
	assert_int_equal(make_durable(b, 1), 0);
	fixture_power_cut();
}

static void both_there(struct brick *b)
{
	assert_int_equal(do_stat(b, gfid_n(100), NULL), 0);
	assert_int_equal(do_stat(b, gfid_n(101), NULL), 0);
}

/* The first force of a run: the marker must not get the very value it has from the run before, which changes nothing. */
static void test_first_force(void **state)
{
	struct brick b;

	brick_new(&b, " option health-check-interval 0\n");
	brick_run(&b, one_durable);
	brick_run(&b, another_durable);
	fixture_remount();
	brick_run(&b, both_there);
}

static int mount_xfs(void **state)
{
	return fixture_mount("xfs", "mkfs.xfs -q");
}

static int mount_ext4(void **state)
{
	return fixture_mount("ext4", "mkfs.ext4 -q -F");
}

static int unmount(void **state)
{
	fixture_unmount();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write), cmocka_unit_test(test_as_samba_does), cmocka_unit_test(test_cold_read),
		cmocka_unit_test(test_lent_read),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_set_id_bits), cmocka_unit_test(test_open_modes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_plain_times), cmocka_unit_test(test_times_stored), cmocka_unit_test(test_times_stored_when),
		cmocka_unit_test(test_torn_times), cmocka_unit_test(test_xattrs), cmocka_unit_test(test_many_xattrs),
		cmocka_unit_test(test_client_times), cmocka_unit_test(test_xattrops), cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_space), cmocka_unit_test(test_crowd), cmocka_unit_test(test_group_commit),
		cmocka_unit_test(test_power_cut), cmocka_unit_test(test_first_force),
	};
	int failed = cmocka_run_group_tests_name("posix content on XFS", tests, mount_xfs, unmount);

	return failed + cmocka_run_group_tests_name("posix content on ext4", tests, mount_ext4, unmount);
}
