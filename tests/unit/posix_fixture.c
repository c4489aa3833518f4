/* tests/unit/posix_fixture.c: see posix_fixture.h */
#include "tests/unit/posix_fixture.h"

#include <sched.h>
#include <sys/mount.h>

const char *fixture_base = "/tmp";
static char mount_dir[64];

static void sh(const char *fmt, const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof(command), fmt, a, b);
	assert_int_equal(system(command), 0);
}

static char device[64];

/* Mounts of ours are nobody else's: a namespace that another process makes meanwhile would hold the file system after our umount, and mounting
 * it again after a shutdown would find the dead one. */
static void own_mounts(void)
{
	static bool done;

	if (done)
		return;
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	done = true;
}

int fixture_mount(const char *type, const char *mkfs)
{
	char image[128];
	FILE *p;

	own_mounts();
	strcpy(mount_dir, "/tmp/gatehouse-posix-XXXXXX");
	assert_non_null(mkdtemp(mount_dir));
	snprintf(image, sizeof(image), "%s.img", mount_dir);
	sh("truncate -s 400M %s && %s", image, "true");
	sh("%s %s >/dev/null 2>&1", mkfs, image);
	snprintf(image, sizeof(image), "losetup -f --show %s.img", mount_dir);
	p = popen(image, "r");
	assert_non_null(p);
	assert_non_null(fgets(device, sizeof(device), p));
	device[strcspn(device, "\n")] = 0;
	assert_int_equal(pclose(p), 0);
	sh("mount %s %s", device, mount_dir);
	fixture_base = mount_dir;
	return 0;
}

void fixture_unmount(void)
{
	if (!*mount_dir)
		return;
	sh("umount -l %s && rm -f %s.img", mount_dir, mount_dir);
	sh("losetup -d %s%s", device, "");
	rmdir(mount_dir);
	*mount_dir = 0;
	fixture_base = "/tmp";
}

/* Stops the file system without flushing its log. */
void fixture_power_cut(void)
{
	sh("xfs_io -x -c shutdown %s%s", mount_dir, "");
}

void fixture_remount(void)
{
	sh("umount %s && true %s", mount_dir, "");
	sh("mount %s %s", device, mount_dir);
}

void brick_new(struct brick *b, const char *options)
{
	memset(b, 0, sizeof(*b));
	b->options = options ? options : "";
	snprintf(b->dir, sizeof(b->dir), "%s/brick-XXXXXX", fixture_base);
	assert_non_null(mkdtemp(b->dir));
	chmod(b->dir, 0755);
}

void brick_remove(struct brick *b)
{
	sh("rm -rf %s%s", b->dir, "");
}

static int coroutine_fn start(struct brick *b, struct error *err)
{
	char text[1024];
	struct graph_conf conf = { .loop = b->loop };
	struct volfile *vf;
	int ret;

	snprintf(text, sizeof(text),
		 "volume px\n type storage/posix\n option directory %s\n option volume-id %s\n option create %s\n%send-volume\n", b->dir,
		 VOLUME_ID, b->strict ? "off" : "on", b->options);
	vf = volfile_parse(text, strlen(text), "test", err);
	assert_non_null(vf);
	ret = graph_new(vf, &conf, err, &b->graph);
	volfile_free(vf);
	return ret;
}

static void coroutine_fn run(void *arg)
{
	struct brick *b = arg;
	struct error err = { "" };
	int ret = start(b, &err);

	if (ret < 0)
		print_error("%s\n", err.text);
	assert_int_equal(ret, 0);
	b->xl = b->graph->top;
	b->arena = arena_new(64 << 20);
	call_init(&b->call, b->arena);
	b->body(b);
	arena_free(b->arena);
	graph_free(b->graph);
	loop_stop(b->loop);
}

void brick_run(struct brick *b, void (*body)(struct brick *b))
{
	b->loop = loop_new(NULL);
	assert_non_null(b->loop);
	b->body = body;
	assert_non_null(co_start(b->loop, run, b));
	assert_int_equal(loop_run(b->loop), 0);
	loop_free(b->loop);
}

struct failing { struct brick *b; struct error *err; int ret; };

static void coroutine_fn run_failing(void *arg)
{
	struct failing *f = arg;

	f->ret = start(f->b, f->err);
	if (f->ret == 0)
		graph_free(f->b->graph);
	loop_stop(f->b->loop);
}

int brick_start_error(struct brick *b, struct error *err)
{
	struct failing f = { b, err, 0 };

	b->loop = loop_new(NULL);
	assert_non_null(co_start(b->loop, run_failing, &f));
	assert_int_equal(loop_run(b->loop), 0);
	loop_free(b->loop);
	return f.ret;
}

void brick_test(void (*body)(struct brick *b))
{
	struct brick b;

	brick_new(&b, NULL);
	brick_run(&b, body);
	brick_remove(&b);
}

char *brick_path(const struct brick *b, const char *fmt, ...)
{
	static char ring[4][4096];
	static unsigned turn;
	char *to = ring[turn++ % 4];
	size_t at = snprintf(to, sizeof(ring[0]), "%s/", b->dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to + at, sizeof(ring[0]) - at, fmt, ap);
	va_end(ap);
	return to;
}

const uint8_t *gfid_n(unsigned n)
{
	static uint8_t ring[8][16];
	static unsigned turn;
	uint8_t *g = ring[turn++ % 8];

	memset(g, 0x40, 16);
	g[0] = n * 7;
	g[1] = n >> 3;
	g[12] = n >> 24;
	g[13] = n >> 16;
	g[14] = n >> 8;
	g[15] = n;
	return g;
}

char *handle_of(const struct brick *b, const uint8_t *gfid)
{
	char text[GFID_TEXT_SIZE];

	gfid_text(gfid, text);
	return brick_path(b, ".glusterfs/%.2s/%.2s/%s", text, text + 2, text);
}

static void drop_inode(void *arg)
{
	inode_unref(arg);
}

struct inode *inode_n(struct brick *b, const uint8_t *gfid)
{
	struct inode *inode = inode_get(b->graph->inodes, gfid);

	assert_non_null(inode);
	assert_int_equal(arena_cleanup(b->arena, drop_inode, inode), 0);
	return inode;
}

void as_user(struct brick *b, uint32_t uid, uint32_t gid)
{
	b->call.uid = uid;
	b->call.gid = gid;
}

void at_time(struct brick *b, uint32_t flags, int64_t sec, uint32_t nsec)
{
	b->call.time_flags = flags;
	b->call.time = (struct iatt_time){ sec, nsec };
}

int do_create(struct brick *b, const uint8_t *parent, const char *name, unsigned n, uint32_t mode, struct iatt *st)
{
	struct create_args args = { .parent = inode_n(b, parent), .name = name, .flags = O_EXCL | O_RDWR, .mode = mode,
				    .gfid = arena_memdup(b->arena, gfid_n(n), 16) };
	struct create_res res = { 0 };
	int ret = xl_create(b->xl, &b->call, &args, &res);

	if (st)
		*st = res.stat;
	return ret;
}

int do_mkdir(struct brick *b, const uint8_t *parent, const char *name, unsigned n, uint32_t mode, struct iatt *st)
{
	struct mkdir_args args = { .parent = inode_n(b, parent), .name = name, .mode = mode, .gfid = arena_memdup(b->arena, gfid_n(n), 16) };
	struct mkdir_res res = { 0 };
	int ret = xl_mkdir(b->xl, &b->call, &args, &res);

	if (st)
		*st = res.stat;
	return ret;
}

int do_symlink(struct brick *b, const uint8_t *parent, const char *name, unsigned n, const char *target)
{
	struct symlink_args args = { .parent = inode_n(b, parent), .name = name, .target = target,
				     .gfid = arena_memdup(b->arena, gfid_n(n), 16) };
	struct symlink_res res = { 0 };

	return xl_symlink(b->xl, &b->call, &args, &res);
}

int do_lookup(struct brick *b, const uint8_t *parent, const char *name, struct iatt *st)
{
	struct lookup_args args = { .parent = inode_n(b, parent), .name = name };
	struct lookup_res res = { 0 };
	int ret = xl_lookup(b->xl, &b->call, &args, &res);

	if (st)
		*st = res.stat;
	return ret;
}

int do_stat(struct brick *b, const uint8_t *gfid, struct iatt *st)
{
	struct stat_args args = { .inode = inode_n(b, gfid) };
	struct stat_res res = { 0 };
	int ret = xl_stat(b->xl, &b->call, &args, &res);

	if (st)
		*st = res.stat;
	return ret;
}

int do_unlink(struct brick *b, const uint8_t *parent, const char *name)
{
	struct unlink_args args = { .parent = inode_n(b, parent), .name = name };
	struct unlink_res res = { 0 };

	return xl_unlink(b->xl, &b->call, &args, &res);
}

int do_rmdir(struct brick *b, const uint8_t *parent, const char *name)
{
	struct rmdir_args args = { .parent = inode_n(b, parent), .name = name };
	struct rmdir_res res = { 0 };

	return xl_rmdir(b->xl, &b->call, &args, &res);
}

int do_rename(struct brick *b, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2)
{
	struct rename_args args = { .oldparent = inode_n(b, p1), .oldname = n1,
				    .newparent = inode_n(b, p2), .newname = n2 };
	struct rename_res res = { 0 };

	return xl_rename(b->xl, &b->call, &args, &res);
}

int do_link(struct brick *b, const uint8_t *gfid, const uint8_t *parent, const char *name, struct iatt *st)
{
	struct link_args args = { .inode = inode_n(b, gfid), .newparent = inode_n(b, parent), .newname = name };
	struct link_res res = { 0 };
	int ret = xl_link(b->xl, &b->call, &args, &res);

	if (st)
		*st = res.stat;
	return ret;
}

int do_write(struct brick *b, const uint8_t *gfid, uint64_t offset, const void *data, uint32_t len, uint32_t flags,
	     struct writev_res *res)
{
	struct writev_args args = { .inode = inode_n(b, gfid), .offset = offset, .flags = flags };
	struct writev_res own = { 0 };
	struct iobuf *buf = iobuf_new(len ? len : 1);
	int ret;

	memcpy(buf->data, data, len);
	args.data = (struct payload){ buf, 0, len };
	ret = xl_writev(b->xl, &b->call, &args, res ? res : &own);
	iobuf_unref(buf);
	return ret;
}

int do_read(struct brick *b, const uint8_t *gfid, uint64_t offset, uint32_t size, struct readv_res *res)
{
	struct readv_args args = { .inode = inode_n(b, gfid), .offset = offset, .size = size };

	memset(res, 0, sizeof(*res));
	return xl_readv(b->xl, &b->call, &args, res);
}

const char *attr_hex(const char *path, const char *name)
{
	static char ring[4][1024];
	static unsigned turn;
	char *to = ring[turn++ % 4];
	uint8_t value[500];
	ssize_t n = lgetxattr(path, name, value, sizeof(value)), i;

	*to = 0;
	for (i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", value[i]);
	return to;
}
