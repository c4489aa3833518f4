/* tests/unit/test_storage_memory.c: storage/memory: what the gateway's translators rely on, and what a crash takes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "xlators/graph.h"
#include "xlators/storage/memory/memory.h"
#include "xlators/xlator.h"

static const char volfile[] = "volume m\n    type storage/memory\n    option disk d\nend-volume\n"
			      "volume t\n    type features/utime\n    subvolumes m\nend-volume\n";

static struct world {
	struct loop *loop;
	struct memory_disk *disk;
	struct volfile *vf;
	struct graph *graph;
	struct xlator *top;
	struct arena *arena;
	struct call call;
	struct inode *root;
	void (*body)(void);
} w;

static void mount_disk(void)
{
	struct graph_conf conf = { .loop = w.loop };
	struct error err = { "" };

	assert_int_equal(graph_new(w.vf, &conf, &err, &w.graph), 0);
	w.top = graph_find(w.graph, "m");		/* times come from the brick, but where a test looks at utime */
	w.root = inode_get(w.graph->inodes, gfid_root);
	w.arena = arena_new(16u << 20);
	call_init(&w.call, w.arena);
}

static void unmount_disk(void)
{
	inode_unref(w.root);
	arena_free(w.arena);
	graph_free(w.graph);
}

static void remount(void)
{
	memory_disk_crash(w.disk);
	unmount_disk();
	mount_disk();
}

static void world_main(void *arg)
{
	co_yield();
	mount_disk();
	w.body();
	unmount_disk();
	loop_stop(w.loop);
}

static void in_world(uint64_t seed, void (*body)(void))
{
	memset(&w, 0, sizeof(w));
	w.body = body;
	w.loop = loop_new(NULL);
	w.disk = memory_disk_new("d", seed, 1 << 20);
	w.vf = volfile_parse(volfile, strlen(volfile), "test", NULL);
	assert_non_null(w.vf);
	co_start(w.loop, world_main, NULL);
	loop_run(w.loop);
	volfile_free(w.vf);
	memory_disk_free(w.disk);
	assert_null(memory_disk_find("d"));
	loop_free(w.loop);
}

static const uint8_t *gfid_of(unsigned n)
{
	static uint8_t gfid[16];

	memset(gfid, 0x40, 15);
	gfid[14] = (uint8_t)(n >> 8);
	gfid[15] = (uint8_t)n;
	return gfid;
}

static struct inode *inode_of(unsigned n)
{
	struct inode *inode = inode_get(w.graph->inodes, gfid_of(n));

	inode_unref(inode);		/* stays in the LRU: nothing in these tests is forgotten */
	return inode;
}

static int mk(struct inode *parent, const char *name, unsigned n)
{
	struct create_args args = { .parent = parent, .name = name, .flags = O_EXCL | O_RDWR, .mode = 0644, .gfid = gfid_of(n) };
	struct create_res res;

	return xl_create(w.top, &w.call, &args, &res);
}

static int mkd(struct inode *parent, const char *name, unsigned n)
{
	struct mkdir_args args = { .parent = parent, .name = name, .mode = 0755, .gfid = gfid_of(n) };
	struct mkdir_res res;

	return xl_mkdir(w.top, &w.call, &args, &res);
}

static int rm(struct inode *parent, const char *name)
{
	struct unlink_args args = { .parent = parent, .name = name };
	struct unlink_res res;

	return xl_unlink(w.top, &w.call, &args, &res);
}

static int mv(struct inode *from, const char *old, struct inode *to, const char *new)
{
	struct rename_args args = { .oldparent = from, .oldname = old, .newparent = to, .newname = new };
	struct rename_res res;

	return xl_rename(w.top, &w.call, &args, &res);
}

static int look(struct inode *parent, const char *name, struct iatt *ret_st)
{
	struct lookup_args args = { .parent = parent, .name = name };
	struct lookup_res res;
	int ret = xl_lookup(w.top, &w.call, &args, &res);

	if (ret_st)
		*ret_st = res.stat;
	return ret;
}

static int put(unsigned n, uint64_t offset, const char *text, uint32_t flags)
{
	struct iobuf *buf = iobuf_new((uint32_t)strlen(text));
	struct writev_args args = { .inode = inode_of(n), .offset = offset, .flags = flags, .data = { buf, 0, (uint32_t)strlen(text) } };
	struct writev_res res;
	int ret;

	memcpy(buf->data, text, strlen(text));
	ret = xl_writev(w.top, &w.call, &args, &res);
	iobuf_unref(buf);
	return ret;
}

static const char *get(unsigned n)
{
	struct readv_args args = { .inode = inode_of(n), .size = 65536 };
	struct readv_res res;

	if (xl_readv(w.top, &w.call, &args, &res) < 0)
		return "(gone)";
	return arena_strndup(w.arena, res.data.len ? (char *)payload_data(&res.data) : "", res.data.len);
}

static int sync_file(unsigned n)
{
	struct fsync_args args = { .inode = inode_of(n) };
	struct fsync_res res;

	return xl_fsync(w.top, &w.call, &args, &res);
}

static void names_body(void)
{
	struct iatt st;

	assert_int_equal(mkd(w.root, "d", 1), 0);
	assert_int_equal(mkd(inode_of(1), "sub", 2), 0);
	assert_int_equal(mk(w.root, "f", 3), 0);
	assert_int_equal(mk(w.root, "f", 4), -EEXIST);
	assert_int_equal(mk(w.root, "g", 3), -EEXIST);		/* the gfid is taken */
	assert_int_equal(mk(w.root, "a/b", 5), -EINVAL);
	assert_int_equal(look(w.root, "f", &st), 0);
	assert_memory_equal(st.gfid, gfid_of(3), 16);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(mv(w.root, "f", inode_of(1), "sub"), -EISDIR);
	assert_int_equal(mv(w.root, "d", inode_of(2), "x"), -EINVAL);	/* into itself */
	assert_int_equal(mv(w.root, "f", inode_of(1), "f2"), 0);
	assert_int_equal(look(w.root, "f", NULL), -ENOENT);
	assert_int_equal(look(inode_of(1), "f2", NULL), 0);
	assert_int_equal(look(inode_of(2), "..", &st), 0);
	assert_memory_equal(st.gfid, gfid_of(1), 16);
	assert_int_equal(mv(inode_of(1), "sub", w.root, "sub"), 0);
	assert_int_equal(look(inode_of(2), "..", &st), 0);
	assert_true(gfid_is_root(st.gfid));
	assert_int_equal(look(w.root, "d", &st), 0);
	assert_int_equal(st.nlink, 2);
	assert_int_equal(rm(w.root, "d"), -EISDIR);
	assert_int_equal(rm(inode_of(1), "f2"), 0);
	assert_int_equal(look(inode_of(1), "f2", NULL), -ENOENT);
	assert_string_equal(get(3), "(gone)");
}

static void names(void **state) { in_world(1, names_body); }

static void crash_forgets_body(void)
{
	memory_disk_crash(w.disk);	/* nothing done yet */
	assert_int_equal(mk(w.root, "x", 1), -EIO);		/* a dead process */
	unmount_disk();
	mount_disk();
	w.call.durable = true;
	assert_int_equal(mk(w.root, "kept", 1), 0);
	assert_int_equal(memory_disk_unforced(w.disk), 0);
	w.call.durable = false;
	assert_int_equal(mk(w.root, "first", 2), 0);
	assert_int_equal(mk(w.root, "second", 3), 0);
	assert_int_equal(mv(w.root, "kept", w.root, "moved"), 0);
	assert_int_equal(rm(w.root, "first"), 0);
	remount();
	/* Some prefix of the four survived. */
	if (look(w.root, "moved", NULL) == 0) {
		assert_int_equal(look(w.root, "second", NULL), 0);
		assert_int_equal(look(w.root, "kept", NULL), -ENOENT);
	} else {
		assert_int_equal(look(w.root, "kept", NULL), 0);
		if (look(w.root, "second", NULL) == 0)
			assert_int_equal(look(w.root, "first", NULL), 0);
	}
	assert_int_equal(memory_disk_unforced(w.disk), 0);
}

static void crash_forgets(void **state)
{
	uint64_t seed;

	for (seed = 1; seed < 40; seed++)
		in_world(seed, crash_forgets_body);
}

static bool lost, survived;

static void crash_data_body(void)
{
	w.call.durable = true;
	assert_int_equal(mk(w.root, "f", 1), 0);
	w.call.durable = false;
	assert_int_equal(put(1, 0, "stable", O_DSYNC), 0);
	assert_int_equal(put(1, 0, "STABLE", 0), 0);
	assert_int_equal(sync_file(1), 0);
	assert_int_equal(put(1, 6, " lost", 0), 0);
	assert_string_equal(get(1), "STABLE lost");
	remount();
	if (strcmp(get(1), "STABLE") == 0)
		lost = true;
	else if (strcmp(get(1), "STABLE lost") == 0)
		survived = true;
	else
		fail();
}

static void crash_data(void **state)
{
	uint64_t seed;

	lost = survived = false;
	for (seed = 1; seed < 40; seed++)
		in_world(seed, crash_data_body);
	assert_true(lost);
	assert_true(survived);
}

static void fsync_forces_names_body(void)
{
	assert_int_equal(mk(w.root, "f", 1), 0);
	assert_int_equal(mk(w.root, "g", 2), 0);
	assert_int_equal(sync_file(2), 0);
	remount();
	assert_int_equal(look(w.root, "f", NULL), 0);		/* came before */
	assert_int_equal(look(w.root, "g", NULL), 0);
}

static void fsync_forces_names(void **state)
{
	uint64_t seed;

	for (seed = 1; seed < 10; seed++)
		in_world(seed, fsync_forces_names_body);
}

static void sparse_body(void)
{
	struct truncate_args cut = { .offset = 3 };
	struct truncate_res cut_res;
	struct seek_args seek = { .offset = 0 };
	struct seek_res seek_res;
	struct iatt st;

	assert_int_equal(mk(w.root, "f", 1), 0);
	assert_int_equal(put(1, 10000, "far", 0), 0);
	assert_int_equal(look(w.root, "f", &st), 0);
	assert_int_equal(st.size, 10003);
	assert_int_equal(st.blocks, 8);
	seek.inode = cut.inode = inode_of(1);
	assert_int_equal(xl_seek(w.top, &w.call, &seek, &seek_res), 0);
	assert_int_equal(seek_res.offset, 8192);
	assert_int_equal(put(1, 0, "begin", 0), 0);
	assert_int_equal(xl_truncate(w.top, &w.call, &cut, &cut_res), 0);
	assert_int_equal(cut_res.pre.size, 10003);
	assert_int_equal(cut_res.post.size, 3);
	assert_string_equal(get(1), "beg");
	cut.offset = 10;
	assert_int_equal(xl_truncate(w.top, &w.call, &cut, &cut_res), 0);
	assert_string_equal(get(1), "beg");			/* zeros after it */
	assert_int_equal(put(1, 1ull << 60, "x", 0), -EFBIG);
}

static void sparse(void **state) { in_world(1, sparse_body); }

static void xattrop_body(void)
{
	uint8_t one[12] = { 0, 0, 0, 1 }, zero[12] = { 0 };
	struct xattr v[2] = { { "trusted.afr.dirty", one, 12 }, { "trusted.afr.v-client-0", zero, 12 } };
	struct xattrop_args args = { .inode = w.root, .operands = { v, 2 } };
	struct xattrop_res res;
	const char *name = "trusted.afr.v-client-0";
	struct getxattr_args getx = { .inode = w.root, .name = name };
	struct getxattr_res getx_res;
	uint8_t minus[12] = { 0xff, 0xff, 0xff, 0xff };

	assert_int_equal(xl_xattrop(w.top, &w.call, &args, &res), 0);
	assert_int_equal(xl_xattrop(w.top, &w.call, &args, &res), 0);
	assert_int_equal(((uint8_t *)res.values.v[0].value)[3], 2);
	assert_int_equal(xl_getxattr(w.top, &w.call, &getx, &getx_res), -ENODATA);	/* zeros create nothing */
	v[0].value = minus;
	assert_int_equal(xl_xattrop(w.top, &w.call, &args, &res), 0);
	assert_int_equal(((uint8_t *)res.values.v[0].value)[3], 1);
	getx.name = "trusted.afr.dirty";
	assert_int_equal(xl_getxattr(w.top, &w.call, &getx, &getx_res), 0);
	assert_memory_equal(getx_res.xattrs.v[0].value, one, 12);
}

static void xattrop(void **state) { in_world(1, xattrop_body); }

static void linkto_preop_body(void)
{
	struct xattr x = { "trusted.glusterfs.dht.linkto", "other", 6 };
	struct mknod_args mkn = { .parent = w.root, .name = "l", .mode = S_IFREG | 01000, .gfid = gfid_of(1), .xattrs = { &x, 1 } };
	struct mknod_res mkn_res;
	struct mkdir_args mkdr = { .parent = w.root, .name = "d", .mode = 0755, .preop = { "trusted.glusterfs.dht", "abc", 3 } };
	struct mkdir_res mkdr_res;
	struct unlink_args un = { .parent = w.root, .name = "f", .only_if_linkto = true };
	struct unlink_res un_res;
	uint8_t g[16];

	assert_int_equal(xl_mknod(w.top, &w.call, &mkn, &mkn_res), 0);
	assert_int_equal(xl_mknod(w.top, &w.call, &mkn, &mkn_res), -EEXIST);
	mkn.force_replace = true;
	assert_int_equal(xl_mknod(w.top, &w.call, &mkn, &mkn_res), 0);
	mkn.force_replace = false;
	mkn.internal = true;
	mkn.name = "l2";
	assert_int_equal(xl_mknod(w.top, &w.call, &mkn, &mkn_res), 0);	/* a second name */
	assert_int_equal(mkn_res.stat.nlink, 2);
	assert_int_equal(mk(w.root, "f", 7), 0);
	assert_int_equal(xl_unlink(w.top, &w.call, &un, &un_res), -EBUSY);
	un.name = "l2";
	assert_int_equal(xl_unlink(w.top, &w.call, &un, &un_res), 0);
	assert_int_equal(un_res.nlink_before, 2);
	memcpy(g, gfid_of(9), 16);
	mkdr.gfid = g;
	assert_int_equal(xl_mkdir(w.top, &w.call, &mkdr, &mkdr_res), -EIO);
	assert_true(mkdr_res.preop_failed);
	mkdr.preop.key = NULL;
	assert_int_equal(xl_mkdir(w.top, &w.call, &mkdr, &mkdr_res), 0);
}

static void linkto_preop(void **state) { in_world(1, linkto_preop_body); }

static void listing_body(void)
{
	struct readdir_args args = { .inode = w.root, .size = 2000, .plus = true };
	struct readdir_res res;
	unsigned i, seen = 0, pages = 0;
	char name[32];

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		assert_int_equal(mk(w.root, name, i + 1), 0);
	}
	do {
		assert_int_equal(xl_readdir(w.top, &w.call, &args, &res), 0);
		assert_true(res.n > 0 || res.eof);
		for (i = 0; i < res.n; i++) {
			args.offset = res.entries[i].off;
			if (res.entries[i].name[0] == '.')
				continue;
			seen++;
			assert_true(iatt_present(&res.entries[i].stat));
			assert_int_equal(rm(w.root, res.entries[i].name), 0);	/* deleting while listing skips none */
		}
		pages++;
	} while (!res.eof);
	assert_int_equal(seen, 100);
	assert_true(pages > 5);
}

static void listing(void **state) { in_world(1, listing_body); }

static void permissions_body(void)
{
	struct access_args acc = { w.root, 7 };
	struct access_res acc_res;
	struct setattr_args chm = { .stat.mode = 0600, .valid = SET_MODE };
	struct setattr_res chm_res;
	struct open_args op = { .flags = O_RDONLY };
	struct open_res op_res;
	static const uint32_t groups[] = { 7, 8 };

	assert_int_equal(mk(w.root, "f", 1), 0);
	chm.inode = op.inode = inode_of(1);
	assert_int_equal(xl_setattr(w.top, &w.call, &chm, &chm_res), 0);
	w.call.uid = w.call.gid = 100;
	assert_int_equal(xl_access(w.top, &w.call, &acc, &acc_res), 0);
	assert_int_equal(acc_res.granted, 5);
	assert_int_equal(mk(w.root, "g", 2), -EACCES);
	assert_int_equal(xl_open(w.top, &w.call, &op, &op_res), -EACCES);
	assert_int_equal(xl_setattr(w.top, &w.call, &chm, &chm_res), -EPERM);
	w.call.uid = 0;
	chm.valid = SET_GID | SET_MODE;
	chm.stat.gid = 8;
	chm.stat.mode = 0640;
	assert_int_equal(xl_setattr(w.top, &w.call, &chm, &chm_res), 0);
	w.call.uid = 100;
	assert_int_equal(xl_open(w.top, &w.call, &op, &op_res), -EACCES);
	w.call.groups = groups;
	w.call.ngroups = 2;
	assert_int_equal(xl_open(w.top, &w.call, &op, &op_res), 0);
	assert_int_equal(rm(w.root, "f"), -EACCES);
	w.call.uid = 0;
	assert_int_equal(rm(w.root, "f"), 0);
	fd_unref(op_res.fd);
}

static void permissions(void **state) { in_world(1, permissions_body); }

static void client_times_body(void)
{
	struct stat_args args = { 0 };
	struct stat_res res;

	w.call.time_flags = 0x1f;
	w.call.time = (struct iatt_time){ 1000, 5 };
	assert_int_equal(mk(w.root, "f", 1), 0);
	args.inode = inode_of(1);
	assert_int_equal(xl_stat(w.top, &w.call, &args, &res), 0);
	assert_int_equal(res.stat.ctime.sec, 1000);
	assert_int_equal(res.stat.atime.nsec, 5);
	w.call.time_flags = TIME_CTIME | TIME_MTIME;
	w.call.time.sec = 900;
	assert_int_equal(put(1, 0, "x", 0), 0);			/* never backwards */
	assert_int_equal(xl_stat(w.top, &w.call, &args, &res), 0);
	assert_int_equal(res.stat.mtime.sec, 1000);
	w.call.time.sec = 1001;
	assert_int_equal(put(1, 0, "x", 0), 0);
	assert_int_equal(xl_stat(w.top, &w.call, &args, &res), 0);
	assert_int_equal(res.stat.mtime.sec, 1001);
	assert_int_equal(res.stat.atime.sec, 1000);
	args.inode = w.root;
	assert_int_equal(xl_stat(w.top, &w.call, &args, &res), 0);
	assert_int_equal(res.stat.mtime.sec, 1000);
}

static void client_times(void **state) { in_world(1, client_times_body); }

static void gateway_times_body(void)
{
	struct stat_args args = { 0 };
	struct stat_res before, after;
	struct setattr_args set = { .valid = SET_MTIME, .stat.mtime = { 5, 0 } };
	struct setattr_res set_res;

	w.top = w.graph->top;
	assert_int_equal(mk(w.root, "f", 1), 0);
	args.inode = set.inode = inode_of(1);
	assert_int_equal(xl_stat(w.top, &w.call, &args, &before), 0);
	assert_true(before.stat.mtime.sec > 1000000);
	assert_memory_equal(&before.stat.mtime, &before.stat.ctime, sizeof(before.stat.ctime));
	assert_memory_equal(&before.stat.atime, &before.stat.ctime, sizeof(before.stat.ctime));
	co_sleep_ns(3000000);
	assert_string_equal(get(1), "");
	assert_int_equal(put(1, 0, "x", 0), 0);
	assert_int_equal(xl_stat(w.top, &w.call, &args, &after), 0);
	assert_memory_equal(&before.stat.atime, &after.stat.atime, sizeof(after.stat.atime));
	assert_true(memcmp(&before.stat.mtime, &after.stat.mtime, sizeof(after.stat.mtime)) != 0);
	assert_int_equal(xl_setattr(w.top, &w.call, &set, &set_res), 0);
	assert_int_equal(set_res.post.mtime.sec, 5);
	assert_true(set_res.post.ctime.sec > 1000000);
}

static void gateway_times(void **state) { in_world(1, gateway_times_body); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test(crash_forgets), cmocka_unit_test(crash_data),
		cmocka_unit_test(fsync_forces_names), cmocka_unit_test(sparse), cmocka_unit_test(xattrop),
		cmocka_unit_test(linkto_preop), cmocka_unit_test(listing), cmocka_unit_test(permissions), cmocka_unit_test(client_times),
		cmocka_unit_test(gateway_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
