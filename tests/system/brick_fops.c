/* tests/system/brick_fops.c: every fop of a brick, through protocol/client, with the answers checked.
 *
 *   brick_fops HOST PORT SUBVOLUME [durable]          exits 0 when all of it held
 *   brick_fops HOST PORT SUBVOLUME bench [COUNT [OP [DEPTH]]]
 *                                                    microseconds of wall clock and CPU for each call, alone and 32 at once
 *
 * Works on our bricks and on stock ones; what only one kind does is marked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/sync.h"
#include "xlators/graph.h"

#define CHECK(cond) do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: failed: %s (ret %d: %s)\n", __FILE__, __LINE__, #cond, ret, strerror(ret < 0 ? -ret : ret)); \
			exit(1); \
		} \
	} while (0)

static struct graph *graph;
static struct xlator *top;
static struct loop *loop;
static struct co_wait up_wait;
static struct inode *root;
static const char *mode, *only_op = "";
static unsigned bench_count = 20000, first_depth = 1;
static struct call call;
static bool durable;

static void event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	if (ev == XL_UP)
		co_wake(&up_wait, 0);
}

static void new_call(void)
{
	static uint8_t owner[8] = "driver1";

	if (call.arena)
		arena_free(call.arena);
	call_init(&call, arena_new(8 << 20));
	call.lk_owner = owner;
	call.lk_owner_len = 8;
	call.durable = durable;
	call.time_flags = TIME_CTIME | TIME_MTIME | TIME_ATIME | TIME_PARENT_CTIME | TIME_PARENT_MTIME;
	loop_wallclock(loop, &call.time.sec, &call.time.nsec);
}

static struct inode *inode_of(const struct iatt *st)
{
	return inode_get(graph->inodes, st->gfid);
}

static struct payload data_of(const char *text, uint32_t len)
{
	struct iobuf *b = iobuf_new(len);

	memcpy(b->data, text, len);
	return (struct payload){ b, 0, len };
}

static struct inode *coroutine_fn make_dir(struct inode *parent, const char *name)
{
	uint8_t gfid[16];
	struct mkdir_args a = { .parent = parent, .name = name, .mode = 0755, .gfid = gfid };
	struct mkdir_res r = { 0 };
	int ret;

	new_call();
	gfid_new(loop, gfid);
	ret = xl_mkdir(top, &call, &a, &r);
	CHECK(ret == 0 && S_ISDIR(r.stat.mode) && gfid_equal(r.stat.gfid, gfid) && (r.stat.mode & 0777) == 0755);
	CHECK(iatt_present(&r.preparent) && iatt_present(&r.postparent));
	ret = xl_mkdir(top, &call, &a, &r);
	CHECK(ret == -EEXIST);
	return inode_get(graph->inodes, gfid);
}

static struct inode *coroutine_fn make_file(struct inode *parent, const char *name)
{
	uint8_t gfid[16];
	struct create_args a = { .parent = parent, .name = name, .flags = O_RDWR | O_CREAT | O_EXCL, .mode = S_IFREG | 0644, .gfid = gfid };
	struct create_res r = { 0 };
	int ret;

	new_call();
	gfid_new(loop, gfid);
	ret = xl_create(top, &call, &a, &r);
	CHECK(ret == 0 && S_ISREG(r.stat.mode) && gfid_equal(r.stat.gfid, gfid) && r.stat.nlink == 1 && !r.fd);
	ret = xl_create(top, &call, &a, &r);
	CHECK(ret == -EEXIST);
	return inode_get(graph->inodes, gfid);
}

static void coroutine_fn test_lookup(struct inode *dir)
{
	static const char *const names[] = { "user.none", "trusted.glusterfs.dht" };
	struct xattr_want want = { names, 2, NULL };
	struct lookup_args a = { .parent = dir, .name = "nothing" };
	struct lookup_args byid = { .inode = dir, .want = &want, .count = COUNT_INODELK | COUNT_INDEX };
	struct lookup_res r = { 0 };
	uint8_t gfid[16];
	int ret;

	new_call();
	ret = xl_lookup(top, &call, &a, &r);
	CHECK(ret == -ENOENT);
	ret = xl_lookup(top, &call, &byid, &r);
	CHECK(ret == 0 && gfid_equal(r.stat.gfid, dir->gfid) && S_ISDIR(r.stat.mode) && r.counts.inodelk == 0);
	gfid_new(loop, gfid);
	byid.inode = inode_get(graph->inodes, gfid);
	ret = xl_lookup(top, &call, &byid, &r);
	CHECK(ret == -ENOENT || ret == -ESTALE);
	inode_unref(byid.inode);
	a.name = "a/b";
	ret = xl_lookup(top, &call, &a, &r);
	CHECK(ret == -EPERM || ret == -EINVAL);
}

static void coroutine_fn test_data(struct inode *dir)
{
	struct inode *file = make_file(dir, "data");
	struct writev_args w = { .inode = file, .data = data_of("hello, brick", 12) };
	struct writev_res wr = { 0 };
	struct readv_args rd = { .inode = file, .size = 4096 };
	struct readv_res rr = { 0 };
	struct truncate_args t = { .inode = file, .offset = 5, .handle = true };
	struct truncate_res tr = { 0 };
	struct fsync_args fs = { .inode = file };
	struct fsync_res fr = { 0 };
	struct stat_args sa = { .inode = file };
	struct stat_res sr = { 0 };
	struct lookup_args la = { .parent = dir, .name = "data", .content_max = 100 };
	struct lookup_res lr = { 0 };
	int ret;

	new_call();
	ret = xl_writev(top, &call, &w, &wr);
	CHECK(ret == 0 && wr.written == 12 && wr.pre.size == 0 && wr.post.size == 12 && wr.is_append);
	w.flags = O_DSYNC;
	w.offset = 12;
	w.count = COUNT_INODELK | COUNT_OPEN_FD;
	w.count_domain = "driver";
	ret = xl_writev(top, &call, &w, &wr);
	CHECK(ret == 0 && wr.written == 12 && wr.post.size == 24 && wr.is_append && wr.counts.inodelk == 0);
	ret = xl_readv(top, &call, &rd, &rr);
	CHECK(ret == 0 && rr.data.len == 24 && rr.eof && !memcmp(payload_data(&rr.data), "hello, brickhello, brick", 24) && rr.stat.size == 24);
	rd.size = 5;
	ret = xl_readv(top, &call, &rd, &rr);
	CHECK(ret == 0 && rr.data.len == 5 && !rr.eof);
	rd.offset = 100;
	rr = (struct readv_res){ 0 };
	ret = xl_readv(top, &call, &rd, &rr);
	CHECK(ret == 0 && rr.data.len == 0 && rr.eof);
	ret = xl_lookup(top, &call, &la, &lr);
	CHECK(ret == 0 && lr.content.len == 24 && !memcmp(payload_data(&lr.content), "hello", 5));
	ret = xl_truncate(top, &call, &t, &tr);
	CHECK(ret == 0 && tr.pre.size == 24 && tr.post.size == 5);
	t.handle = false;
	t.offset = 9;
	ret = xl_truncate(top, &call, &t, &tr);
	CHECK(ret == 0 && tr.pre.size == 5 && tr.post.size == 9);
	ret = xl_fsync(top, &call, &fs, &fr);
	CHECK(ret == 0 && fr.post.size == 9);
	ret = xl_stat(top, &call, &sa, &sr);
	CHECK(ret == 0 && sr.stat.size == 9 && sr.stat.nlink == 1);
	iobuf_unref(w.data.buf);
	inode_unref(file);
}

static void coroutine_fn test_space(struct inode *dir)
{
	struct inode *file = make_file(dir, "space");
	struct fallocate_args fa = { .inode = file, .len = 65536 };
	struct fallocate_res fr = { 0 };
	struct discard_args da = { .inode = file, .offset = 4096, .len = 4096 };
	struct discard_res dr = { 0 };
	struct zerofill_args za = { .inode = file, .offset = 0, .len = 4096 };
	struct zerofill_res zr = { 0 };
	struct seek_args se = { .inode = file, .offset = 70000 };
	struct seek_res sr = { 0 };
	struct rchecksum_args ca = { .inode = file, .len = 4096 };
	struct rchecksum_res cr = { 0 };
	struct statfs_args sfa = { .inode = root };
	struct statfs_res sfr = { 0 };
	int ret;

	new_call();
	ret = xl_fallocate(top, &call, &fa, &fr);
	CHECK(ret == 0 && fr.post.size == 65536);
	ret = xl_discard(top, &call, &da, &dr);
	CHECK(ret == 0);
	ret = xl_zerofill(top, &call, &za, &zr);
	CHECK(ret == 0 || ret == -EOPNOTSUPP);
	ret = xl_seek(top, &call, &se, &sr);
	CHECK(ret == -ENXIO);
	ret = xl_rchecksum(top, &call, &ca, &cr);
	CHECK(ret == 0);
	ret = xl_statfs(top, &call, &sfa, &sfr);
	CHECK(ret == 0 && sfr.bsize && sfr.blocks >= sfr.bfree && sfr.namemax >= 255);
	inode_unref(file);
}

static void coroutine_fn test_attributes(struct inode *dir)
{
	struct inode *file = make_file(dir, "attr");
	struct setattr_args a = { .inode = file, .valid = SET_MODE | SET_UID | SET_GID | SET_MTIME,
				  .stat = { .mode = 0640, .uid = 1001, .gid = 1002, .mtime = { 1000000, 5 } } };
	struct setattr_res r = { 0 };
	struct xattr x = { "user.colour", "green", 5 };
	struct setxattr_args xa = { .inode = file, .xattrs = { &x, 1 } };
	struct setxattr_res xr = { 0 };
	struct getxattr_args ga = { .inode = file, .name = "user.colour" };
	struct getxattr_res gr = { 0 };
	struct removexattr_args ra = { .inode = file, .name = "user.colour" };
	struct removexattr_res rr = { 0 };
	struct access_args aa = { .inode = file, .mask = 7 };
	struct access_res ar = { 0 };
	uint32_t groups[200];
	int ret, i;

	for (i = 0; i < 200; i++)
		groups[i] = 5000 + (uint32_t)i;
	new_call();
	call.time_flags = TIME_CTIME;	/* with TIME_MTIME a stock brick takes the call's time, not the one given */
	ret = xl_setattr(top, &call, &a, &r);
	CHECK(ret == 0 && (r.pre.mode & 07777) == 0644 && (r.post.mode & 07777) == 0640 && r.post.uid == 1001 && r.post.gid == 1002);
	CHECK(r.post.mtime.sec == 1000000 && r.post.mtime.nsec == 5);
	a.valid = SET_MTIME | SET_MTIME_NOW;
	call.time_flags = TIME_CTIME | TIME_MTIME;
	ret = xl_setattr(top, &call, &a, &r);
	CHECK(ret == 0 && r.post.mtime.sec == call.time.sec && r.post.mtime.nsec == call.time.nsec);
	a.valid = SET_MTIME;
	ret = xl_setxattr(top, &call, &xa, &xr);
	CHECK(ret == 0);
	xa.flags = 1;		/* XATTR_CREATE */
	ret = xl_setxattr(top, &call, &xa, &xr);
	CHECK(ret == -EEXIST);
	ret = xl_getxattr(top, &call, &ga, &gr);
	CHECK(ret == 0 && gr.xattrs.n == 1 && gr.xattrs.v[0].len == 5 && !memcmp(gr.xattrs.v[0].value, "green", 5));
	ga.name = NULL;
	ret = xl_getxattr(top, &call, &ga, &gr);
	CHECK(ret == 0 && xattrs_find(&gr.xattrs, "user.colour") && !xattrs_find(&gr.xattrs, "trusted.gfid"));
	ret = xl_removexattr(top, &call, &ra, &rr);
	CHECK(ret == 0);
	ga.name = "user.colour";
	ret = xl_getxattr(top, &call, &ga, &gr);
	CHECK(ret == -ENODATA);
	call.uid = 2000;
	call.gid = 2000;
	ret = xl_access(top, &call, &aa, &ar);
	CHECK(ret == 0 && ar.granted == 0);
	groups[0] = 1002;		/* must survive the cut of the list */
	call.groups = groups;
	call.ngroups = 200;
	ret = xl_access(top, &call, &aa, &ar);
	CHECK(ret == 0 && ar.granted == 4);
	aa.mask = 4;
	ret = xl_access(top, &call, &aa, &ar);
	CHECK(ret == 0 && ar.granted == 4);
	inode_unref(file);
}

static void coroutine_fn test_entries(struct inode *dir)
{
	struct inode *sub = make_dir(dir, "sub"), *file = make_file(dir, "one");
	uint8_t gfid[16];
	struct link_args la = { .inode = file, .newparent = sub, .newname = "two" };
	struct link_res lr = { 0 };
	struct rename_args ra = { .oldparent = sub, .oldname = "two", .newparent = dir, .newname = "three", .inode = file };
	struct rename_res rr = { 0 };
	struct unlink_args ua = { .parent = dir, .name = "three" };
	struct unlink_res ur = { 0 };
	struct symlink_args sa = { .parent = dir, .name = "sym", .target = "a/target", .gfid = gfid };
	struct symlink_res sr = { 0 };
	struct readlink_args rl = { .size = 4096 };
	struct readlink_res rlr = { 0 };
	struct mknod_args ma = { .parent = dir, .name = "fifo", .mode = S_IFIFO | 0600, .gfid = gfid };
	struct mknod_res mr = { 0 };
	struct rmdir_args da = { .parent = dir, .name = "sub" };
	struct rmdir_res dr = { 0 };
	int ret;

	new_call();
	ret = xl_link(top, &call, &la, &lr);
	CHECK(ret == 0 && lr.stat.nlink == 2);
	ret = xl_rmdir(top, &call, &da, &dr);
	CHECK(ret == -ENOTEMPTY);
	ret = xl_rename(top, &call, &ra, &rr);
	CHECK(ret == 0 && gfid_equal(rr.stat.gfid, file->gfid) && iatt_present(&rr.preold) && iatt_present(&rr.postnew));
	ret = xl_unlink(top, &call, &ua, &ur);
	CHECK(ret == 0 && ur.nlink_before == 2 && iatt_present(&ur.postparent));
	ret = xl_unlink(top, &call, &ua, &ur);
	CHECK(ret == -ENOENT);
	gfid_new(loop, gfid);
	ret = xl_symlink(top, &call, &sa, &sr);
	CHECK(ret == 0 && S_ISLNK(sr.stat.mode));
	rl.inode = inode_of(&sr.stat);
	ret = xl_readlink(top, &call, &rl, &rlr);
	CHECK(ret == 0 && !strcmp(rlr.target, "a/target"));
	inode_unref(rl.inode);
	gfid_new(loop, gfid);
	ret = xl_mknod(top, &call, &ma, &mr);
	CHECK(ret == 0 && S_ISFIFO(mr.stat.mode));
	ret = xl_rmdir(top, &call, &da, &dr);
	CHECK(ret == 0);
	inode_unref(sub);
	inode_unref(file);
}

static void coroutine_fn test_preop(struct inode *dir)
{
	uint8_t gfid[16];
	struct mkdir_args a = { .parent = dir, .name = "checked", .mode = 0755, .gfid = gfid,
				.preop = { "trusted.glusterfs.dht", "0123456789abcdef", 16 } };
	struct mkdir_res r = { 0 };
	struct xattr x = { "trusted.glusterfs.dht", "fedcba9876543210", 16 };
	struct setxattr_args xa = { .inode = dir, .xattrs = { &x, 1 } };
	struct setxattr_res xr = { 0 };
	int ret;

	new_call();
	gfid_new(loop, gfid);
	ret = xl_setxattr(top, &call, &xa, &xr);
	CHECK(ret == 0);
	ret = xl_mkdir(top, &call, &a, &r);
	CHECK(ret == -EIO && r.preop_failed);
	a.preop.value = x.value;
	ret = xl_mkdir(top, &call, &a, &r);
	CHECK(ret == 0);
}

/* A file made in a directory with such a condition is checked like one, and does not inherit the attribute. */
static void coroutine_fn test_preop_file(struct inode *dir, bool wrong)
{
	struct preop preop = { "trusted.glusterfs.dht", wrong ? "0123456789abcdef" : "fedcba9876543210", 16 };
	uint8_t gfid[16], gfid2[16];
	struct create_args a = { .parent = dir, .name = "checked-file", .flags = O_RDWR | O_EXCL, .mode = 0644, .gfid = gfid, .preop = preop };
	struct mknod_args ma = { .parent = dir, .name = "checked-fifo", .mode = S_IFIFO | 0600, .gfid = gfid2, .preop = preop };
	struct xattr_want want = { (const char *const[]){ "trusted.glusterfs.dht" }, 1, NULL };
	struct lookup_args la = { .parent = dir, .want = &want };
	struct lookup_res lr = { 0 };
	struct create_res r = { 0 };
	struct mknod_res mr = { 0 };
	int ret;

	new_call();
	gfid_new(loop, gfid);
	gfid_new(loop, gfid2);
	ret = xl_create(top, &call, &a, &r);
	CHECK(wrong ? ret == -EIO && r.preop_failed : ret == 0);
	if (wrong)
		return;
	ret = xl_mknod(top, &call, &ma, &mr);
	CHECK(ret == 0);
	la.name = a.name;
	ret = xl_lookup(top, &call, &la, &lr);
	CHECK(ret == 0 && lr.xattrs.n == 0);
	la.name = ma.name;
	lr = (struct lookup_res){ 0 };
	ret = xl_lookup(top, &call, &la, &lr);
	CHECK(ret == 0 && lr.xattrs.n == 0);
}

/* A directory is born with its range, when MKDIR brings one. */
static void coroutine_fn test_range(struct inode *dir)
{
	uint8_t gfid[16];
	struct xattr x = { "trusted.glusterfs.dht", "fedcba9876543210", 16 };
	struct mkdir_args a = { .parent = dir, .name = "ranged", .mode = 0755, .gfid = gfid, .xattrs = { &x, 1 } };
	const char *const names[] = { x.name };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_args la = { .parent = dir, .name = "ranged", .want = &want };
	struct mkdir_res r = { 0 };
	struct lookup_res lr = { 0 };
	const struct xattr *found;
	int ret;

	new_call();
	gfid_new(loop, gfid);
	ret = xl_mkdir(top, &call, &a, &r);
	CHECK(ret == 0);
	ret = xl_lookup(top, &call, &la, &lr);
	CHECK(ret == 0);
	found = xattrs_find(&lr.xattrs, x.name);
	CHECK(found && found->len == x.len && !memcmp(found->value, x.value, x.len));
}

static void coroutine_fn test_readdir(struct inode *dir)
{
	struct inode *many = make_dir(dir, "many");
	struct readdir_args a = { .inode = many, .size = 131072, .plus = true };
	struct readdir_res r = { 0 };
	struct opendir_args oa = { .inode = many };
	struct opendir_res or = { 0 };
	unsigned i, n = 0, pages = 0;
	char name[32];
	int ret;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "entry-%03u", i);
		inode_unref(make_file(many, name));
	}
	new_call();
	ret = xl_opendir(top, &call, &oa, &or);
	CHECK(ret == 0 && or.fd);
	for (a.fd = NULL, a.size = 8192; ; a.fd = or.fd, pages++) {
		memset(&r, 0, sizeof(r));
		ret = xl_readdir(top, &call, &a, &r);
		CHECK(ret == 0);
		for (i = 0; i < r.n; i++) {
			CHECK(r.entries[i].namelen == strlen(r.entries[i].name));
			if (strncmp(r.entries[i].name, "entry-", 6) == 0) {
				n++;
				CHECK(S_ISREG(r.entries[i].stat.mode));
			}
			a.offset = r.entries[i].off;
		}
		if (r.eof)
			break;
		CHECK(pages < 100);
	}
	CHECK(n == 300 && pages >= 4);
	a.plus = false;
	a.offset = 0;
	a.size = 131072;
	ret = xl_readdir(top, &call, &a, &r);
	CHECK(ret == 0 && r.n == 302);
	fd_unref(or.fd);
	inode_unref(many);
}

static void coroutine_fn test_open_file(struct inode *dir)
{
	uint8_t gfid[16];
	struct create_args a = {
		.parent = dir, .name = "open", .flags = O_RDWR | O_CREAT, .mode = S_IFREG | 0644, .gfid = gfid, .want_fd = true,
	};
	struct create_res r = { 0 };
	struct unlink_args ua = { .parent = dir, .name = "open" };
	struct unlink_res ur = { 0 };
	struct writev_args w = { .data = data_of("still here", 10) };
	struct writev_res wr = { 0 };
	struct stat_args sa = { 0 };
	struct stat_res sr = { 0 };
	struct open_args oa = { .flags = O_RDONLY };
	struct open_res or = { 0 };
	struct flush_args fa = { 0 };
	struct flush_res fr;
	int ret;

	new_call();
	gfid_new(loop, gfid);
	ret = xl_create(top, &call, &a, &r);
	CHECK(ret == 0 && r.fd);
	oa.inode = r.fd->inode;
	ret = xl_open(top, &call, &oa, &or);
	CHECK(ret == 0 && or.fd);
	ua.not_if_open = false;
	ret = xl_unlink(top, &call, &ua, &ur);
	CHECK(ret == 0 && ur.nlink_before == 1);
	w.fd = sa.fd = fa.fd = r.fd;
	w.inode = sa.inode = fa.inode = r.fd->inode;
	ret = xl_writev(top, &call, &w, &wr);
	CHECK(ret == 0 && wr.written == 10);
	ret = xl_stat(top, &call, &sa, &sr);
	CHECK(ret == 0 && sr.stat.size == 10 && sr.stat.nlink == 0);
	ret = xl_flush(top, &call, &fa, &fr);
	CHECK(ret == 0);
	fd_unref(or.fd);
	fd_unref(r.fd);
	iobuf_unref(w.data.buf);
}

static void coroutine_fn test_xattrop(struct inode *dir)
{
	static const uint8_t one[12] = { 0, 0, 0, 1 };
	struct inode *file = make_file(dir, "counters");
	struct xattr x = { "trusted.afr.dirty", one, 12 };
	struct xattrop_args a = { .inode = file, .op = XATTROP_ADD32, .operands = { &x, 1 } };
	struct xattrop_res r = { 0 };
	const struct xattr *got;
	int ret;

	new_call();
	ret = xl_xattrop(top, &call, &a, &r);
	CHECK(ret == 0);
	ret = xl_xattrop(top, &call, &a, &r);
	CHECK(ret == 0);
	got = xattrs_find(&r.values, "trusted.afr.dirty");
	CHECK(got && got->len == 12 && ((const uint8_t *)got->value)[3] == 2);
	inode_unref(file);
}

struct waiter { struct inode *inode; int ret; bool done; struct co_wait wait; };

static void coroutine_fn wait_for_lock(void *arg)
{
	static uint8_t other[8] = "driver2";
	struct waiter *w = arg;
	struct inodelk_args a = { .inode = w->inode, .domain = "driver", .cmd = LOCK_WAIT, .type = LOCK_WRITE, .len = 10 };
	struct inodelk_res r;
	struct call c;
	uint64_t old = 0;

	call_init(&c, arena_new(65536));
	c.lk_owner = other;
	c.lk_owner_len = 8;
	if (w->ret)		/* give up after so many milliseconds */
		old = co_set_deadline(loop_now_ns(loop) + (uint64_t)w->ret * 1000000);
	w->ret = xl_inodelk(top, &c, &a, &r);
	if (old)
		co_restore_deadline(old);
	arena_free(c.arena);
	w->done = true;
	co_wake(&w->wait, 0);
}

static void coroutine_fn test_locks(struct inode *dir)
{
	static uint8_t other[8] = "driver2";
	struct inode *file = make_file(dir, "locked");
	struct inodelk_args a = { .inode = file, .domain = "driver", .cmd = LOCK_TRY, .type = LOCK_WRITE, .len = 10 }, b = a;
	struct inodelk_res r;
	struct entrylk_args e = { .inode = dir, .domain = "driver", .name = "name", .cmd = LOCK_TRY, .type = LOCK_WRITE }, all = e;
	struct entrylk_res er;
	struct lookup_args la = { .inode = file, .count = COUNT_INODELK, .count_domain = "driver" };
	struct lookup_res lr = { 0 };
	struct waiter w = { .inode = file };
	struct call c2;
	int ret;

	new_call();
	c2 = call;
	c2.lk_owner = other;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	ret = xl_inodelk(top, &c2, &b, &r);
	CHECK(ret == -EAGAIN);
	ret = xl_lookup(top, &call, &la, &lr);
	CHECK(ret == 0 && lr.counts.inodelk == 1);
	co_start(loop, wait_for_lock, &w);
	co_sleep_ns(50000000);
	CHECK(!w.done);
	a.cmd = LOCK_UNLOCK;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	co_park(&w.wait);
	CHECK(w.ret == 0);
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == -EINVAL);
	/* The second owner holds it. Another waiter that gives up must not keep it when it comes. */
	w = (struct waiter){ .inode = file, .ret = 100 };
	a.cmd = LOCK_WAIT;
	c2.lk_owner = call.lk_owner;
	b.cmd = LOCK_UNLOCK;
	c2.lk_owner = other;
	ret = xl_inodelk(top, &c2, &b, &r);
	CHECK(ret == 0);
	a.cmd = LOCK_TRY;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	co_start(loop, wait_for_lock, &w);
	co_park(&w.wait);
	CHECK(w.ret == -ETIMEDOUT);
	a.cmd = LOCK_UNLOCK;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	co_sleep_ns(100000000);
	a.cmd = LOCK_TRY;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	a.cmd = LOCK_UNLOCK;
	ret = xl_inodelk(top, &call, &a, &r);
	CHECK(ret == 0);
	ret = xl_entrylk(top, &call, &e, &er);
	CHECK(ret == 0);
	all.name = NULL;
	ret = xl_entrylk(top, &c2, &all, &er);
	CHECK(ret == -EAGAIN);
	e.cmd = LOCK_UNLOCK;
	ret = xl_entrylk(top, &call, &e, &er);
	CHECK(ret == 0);
	inode_unref(file);
}

static void coroutine_fn test_gone(struct inode *dir)
{
	struct inode *file = make_file(dir, "gone");
	struct unlink_args ua = { .parent = dir, .name = "gone" };
	struct unlink_res ur = { 0 };
	struct stat_args sa = { .inode = file };
	struct stat_res sr = { 0 };
	int ret;

	new_call();
	ret = xl_unlink(top, &call, &ua, &ur);
	CHECK(ret == 0);
	ret = xl_stat(top, &call, &sa, &sr);
	CHECK(ret == -ESTALE);
	inode_unref(file);
}

__attribute__((noinline)) static void coroutine_fn test_everything(void)
{
	char name[64], text[GFID_TEXT_SIZE];
	uint8_t gfid[16];
	struct inode *dir;

	gfid_new(loop, gfid);
	snprintf(name, sizeof(name), "driver-%.8s", gfid_text(gfid, text));
	dir = make_dir(root, name);
	test_lookup(dir);
	test_data(dir);
	test_space(dir);
	test_attributes(dir);
	test_entries(dir);
	test_preop(dir);
	test_preop_file(dir, true);
	test_preop_file(dir, false);
	test_range(dir);
	test_readdir(dir);
	test_open_file(dir);
	test_xattrop(dir);
	test_locks(dir);
	test_gone(dir);
	inode_unref(dir);
	printf("all fops behave\n");
}

/* --- bench --- */

enum bench { BENCH_STAT, BENCH_LOOKUP, BENCH_READ, BENCH_WRITE, BENCH_XATTROP, BENCH_LOCK, BENCH_COUNT };
static const char *const bench_names[] = { "stat", "lookup", "read 4 KiB", "write 4 KiB", "xattrop", "inodelk pair" };
struct bench_run { enum bench what; struct inode *dir, *file; struct payload data; unsigned left, running; struct co_wait done; };

static int coroutine_fn bench_one(struct bench_run *b, struct call *c)
{
	static const uint8_t one[12] = { 0, 0, 0, 1 };
	struct xattr x[3] = { { "trusted.afr.dirty", one, 12 }, { "trusted.afr.b-0", one, 12 }, { "trusted.afr.b-1", one, 12 } };
	union fop_res res;
	union fop_args a;

	memset(&a, 0, sizeof(a));
	memset(&res, 0, sizeof(res));
	a.stat.inode = b->file;
	switch (b->what) {
	case BENCH_STAT: return xl_stat(top, c, &a.stat, &res.stat);
	case BENCH_LOOKUP:
		a.lookup = (struct lookup_args){ .parent = b->dir, .name = "bench" };
		return xl_lookup(top, c, &a.lookup, &res.lookup);
	case BENCH_READ: a.readv.size = 4096; return xl_readv(top, c, &a.readv, &res.readv);
	case BENCH_WRITE: a.writev.data = b->data; return xl_writev(top, c, &a.writev, &res.writev);
	case BENCH_XATTROP: a.xattrop.operands = (struct xattrs){ x, 3 }; return xl_xattrop(top, c, &a.xattrop, &res.xattrop);
	default:
		a.inodelk = (struct inodelk_args){ .inode = b->file, .domain = "bench", .cmd = LOCK_TRY, .type = LOCK_READ, .len = 1 };
		xl_inodelk(top, c, &a.inodelk, &res.inodelk);
		a.inodelk.cmd = LOCK_UNLOCK;
		return xl_inodelk(top, c, &a.inodelk, &res.inodelk);
	}
}

static void coroutine_fn bench_worker(void *arg)
{
	static uint8_t owner[8] = "bench";
	struct bench_run *b = arg;
	struct call c;
	int ret;

	while (b->left) {
		b->left--;
		call_init(&c, arena_new(1 << 20));
		c.lk_owner = owner;
		c.lk_owner_len = 8;
		if (b->what == BENCH_WRITE) {
			c.time_flags = TIME_CTIME | TIME_MTIME;
			loop_wallclock(loop, &c.time.sec, &c.time.nsec);
		}
		ret = bench_one(b, &c);
		CHECK(ret == 0);
		arena_free(c.arena);
	}
	if (!--b->running)
		co_wake(&b->done, 0);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

__attribute__((noinline)) static void coroutine_fn bench(void)
{
	char name[64], text[GFID_TEXT_SIZE];
	uint8_t gfid[16];
	struct inode *dir, *file;
	static char zeroes[4096];
	struct payload data = data_of(zeroes, 4096);
	struct writev_args w = { .data = data };
	struct writev_res wr = { 0 };
	unsigned depth, what, i;

	gfid_new(loop, gfid);
	snprintf(name, sizeof(name), "bench-%.8s", gfid_text(gfid, text));
	dir = make_dir(root, name);
	w.inode = file = make_file(dir, "bench");
	new_call();
	xl_writev(top, &call, &w, &wr);
	for (depth = first_depth; depth <= 32; depth *= 32) {
		for (what = 0; what < BENCH_COUNT; what++) {
			struct bench_run b = { .what = what, .dir = dir, .file = file, .data = data, .left = bench_count, .running = depth };
			double t = seconds(), c = cpu();

			if (strncmp(bench_names[what], only_op, strlen(only_op)))
				continue;
			for (i = 0; i < depth; i++)
				co_start(loop, bench_worker, &b);
			co_park(&b.done);
			printf("%-14s %2u at once: %6.2f us, client's CPU %5.2f us\n", bench_names[what], depth,
			       (seconds() - t) / bench_count * 1e6, (cpu() - c) / bench_count * 1e6);
			fflush(stdout);
		}
	}
	iobuf_unref(data.buf);
	inode_unref(file);
	inode_unref(dir);
}

static void coroutine_fn run(void *arg)
{
	char **argv = arg;
	static char text[4096];
	struct error err = { "" };
	struct graph_conf conf = { .loop = loop, .event = event };
	struct volfile *vf;
	int ret;

	snprintf(text, sizeof(text), "volume c\n type protocol/client\n option remote-host %s\n option remote-port %s\n"
		 " option remote-subvolume \"%s\"\nend-volume\n", argv[1], argv[2], argv[3]);
	vf = volfile_parse(text, strlen(text), "driver", &err);
	ret = vf ? graph_new(vf, &conf, &err, &graph) : -EINVAL;
	if (ret < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	top = graph->top;
	co_set_deadline(loop_now_ns(loop) + 10000000000ull);
	ret = co_park(&up_wait);
	CHECK(ret == 0);
	co_restore_deadline(0);
	root = inode_get(graph->inodes, gfid_root);
	durable = !strcmp(mode, "durable");
	if (!strcmp(mode, "bench"))
		bench();
	else
		test_everything();
	arena_free(call.arena);
	inode_unref(root);
	graph_free(graph);
	volfile_free(vf);
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: brick_fops HOST PORT SUBVOLUME [durable | bench [COUNT]]\n");
		return 2;
	}
	mode = argc > 4 ? argv[4] : "";
	if (argc > 5)
		bench_count = (unsigned)atoi(argv[5]);
	if (argc > 6)
		only_op = argv[6];
	if (argc > 7)
		first_depth = (unsigned)atoi(argv[7]);
	log_open("brick_fops", NULL, LOG_LEVEL_INFO);
	loop = loop_new(NULL);
	co_start(loop, run, argv);
	loop_run(loop);
	loop_free(loop);
	return 0;
}
