/* tests/unit/distribute_ops.h: what a test does to a volume, in one line each. The second half of distribute_world.h. */
#ifndef TESTS_DISTRIBUTE_OPS_H
#define TESTS_DISTRIBUTE_OPS_H

static inline const uint8_t *new_gfid(void)
{
	static uint8_t gfids[16][16];
	uint64_t v = ++w.next_gfid;
	uint8_t *gfid = gfids[v % 16];

	memset(gfid, 0x40, 16);
	for (int i = 15; i > 7; i--, v >>= 8)
		gfid[i] = (uint8_t)v;
	return gfid;
}

static inline struct xlator *child(unsigned i)
{
	return w.top->children[i];
}

static inline void away(unsigned i, bool down)
{
	assert_int_equal(graph_set_option(w.graph, child(i)->name, "enable", down ? "on" : "off", NULL), 0);
	xl_notify(child(i), down ? XL_DOWN : XL_UP, NULL);
}

static inline uint64_t calls(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w.n; i++) {
		for (unsigned op = 0; op < FOP_COUNT; op++)
			sum += child(i)->calls[op];
	}
	return sum;
}

static inline int mk(struct inode *dir, const char *name)
{
	struct create_args args = { .parent = dir, .name = name, .flags = O_EXCL | O_RDWR, .mode = 0644, .gfid = new_gfid() };
	struct create_res res = { 0 };

	return xl_create(w.top, &w.call, &args, &res);
}

static inline int mkd(struct inode *dir, const char *name)
{
	struct mkdir_args args = { .parent = dir, .name = name, .mode = 0755, .gfid = new_gfid() };
	struct mkdir_res res = { 0 };
	int ret = xl_mkdir(w.top, &w.call, &args, &res);

	if (ret == 0)
		assert_true(S_ISDIR(res.stat.mode) && gfid_equal(res.stat.gfid, args.gfid));
	return ret;
}

static inline int rm(struct inode *dir, const char *name)
{
	struct unlink_res res = { 0 };

	return xl_unlink(w.top, &w.call, &(struct unlink_args){ .parent = dir, .name = name }, &res);
}

static inline int rmd(struct inode *dir, const char *name)
{
	struct rmdir_res res = { 0 };

	return xl_rmdir(w.top, &w.call, &(struct rmdir_args){ .parent = dir, .name = name }, &res);
}

static inline int mv(struct inode *dir, const char *name, struct inode *to, const char *newname)
{
	struct rename_args args = { .oldparent = dir, .oldname = name, .newparent = to, .newname = newname };
	struct rename_res res = { 0 };

	return xl_rename(w.top, &w.call, &args, &res);
}

static inline int look_on(struct xlator *xl, struct inode *dir, const char *name, struct iatt *ret_stat)
{
	static const char *const names[] = { DHT_LINKTO };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_res res = { 0 };
	int ret = xl_lookup(xl, &w.call, &(struct lookup_args){ .parent = dir, .name = name, .want = &want }, &res);

	if (ret_stat)
		*ret_stat = res.stat;
	return ret < 0 ? ret : dht_is_linkto(&res.stat, &res.xattrs);	/* 0: data, 1: linkto */
}

static inline int look(struct inode *dir, const char *name)
{
	return look_on(w.top, dir, name, NULL);
}

static inline struct inode *node(struct inode *dir, const char *name)	/* stays in the table's LRU: nothing is forgotten here */
{
	struct iatt st;
	struct inode *inode;

	assert_int_equal(look_on(w.top, dir, name, &st), 0);
	inode = inode_get(w.graph->inodes, st.gfid);
	inode_unref(inode);
	return inode;
}

static inline int hashed_of(struct inode *dir, const char *name)
{
	return dht_hashed(w.top, &w.call, dir, name, NULL);
}

/* A name starting with @stem that belongs on child @on. */
static inline const char *name_on(struct inode *dir, const char *stem, int on)
{
	static char names[8][64];
	static unsigned next;
	char *name = names[next++ % 8];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, 64, "%s%u", stem, i);
		if (hashed_of(dir, name) == on)
			return name;
	}
	fail();
	return NULL;
}

/* What of @name is on each child: "d" data, "l" linkto, "-" nothing, "D" directory. */
static inline const char *where(struct inode *dir, const char *name)
{
	static char text[WORLD_MAX + 1];
	unsigned i;

	for (i = 0; i < w.n; i++) {
		struct iatt st;
		int ret = look_on(child(i), dir, name, &st);

		text[i] = ret == 1 ? 'l' : ret < 0 ? '-' : S_ISDIR(st.mode) ? 'D' : 'd';
	}
	text[i] = '\0';
	return text;
}

#endif
