/* Fops to the wire and back, on calls and replies captured between real peers: what is understood and sent again means the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <cmocka.h>

#include "xlators/gfwire.h"

#define RECORD_MAX 16384

static struct inode_table *inodes;
static struct arena *arena;

struct bytes { uint32_t len; uint8_t data[RECORD_MAX]; };

static uint32_t word(const struct bytes *b, uint32_t at)
{
	return (uint32_t)b->data[at] << 24 | (uint32_t)b->data[at + 1] << 16 | (uint32_t)b->data[at + 2] << 8 | b->data[at + 3];
}

static void parse_hex(const char *hex, struct bytes *b)
{
	unsigned byte;

	for (b->len = 0; sscanf(hex, "%2x", &byte) == 1 && b->len < RECORD_MAX; hex += 2)
		b->data[b->len++] = (uint8_t)byte;
}

static bool find_vector(const char *name, struct bytes *b)
{
	static char line[4 * RECORD_MAX];
	const char *dir = getenv("srcdir");
	char path[512];
	size_t len = strlen(name);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/unit/vectors/wire-vectors.txt", dir ? dir : ".");
	f = fopen(path, "r");
	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		parse_hex(line + len + 1, b);
		found = true;
	}
	fclose(f);
	return found;
}

static void decode(xdrproc_t coder, const struct bytes *b, uint32_t at, void *to)
{
	static struct iobuf record;
	struct wire w;
	XDR xdrs;

	record = (struct iobuf){ 1, b->len, (uint8_t *)(uintptr_t)b->data };
	wire_decode_init(&xdrs, &w, &record, at, b->len - at, arena);
	assert_true(coder(&xdrs, to));
}

static void encode(xdrproc_t coder, const void *from, struct bytes *b)
{
	struct wire w;
	XDR xdrs;

	wire_encode_init(&xdrs, &w, b->data, RECORD_MAX, arena);
	assert_true(coder(&xdrs, (void *)(uintptr_t)from));
	b->len = RECORD_MAX - xdrs.x_handy;
}

static void place_inode(void *args, uint8_t place, const uint8_t *gfid)
{
	struct inode *inode;

	if (!gfid || place == GFWIRE_NONE)
		return;
	inode = inode_get(inodes, gfid);
	memcpy((char *)args + place, &inode, sizeof(inode));
	inode_unref(inode);		/* stays in the table's memory of unused ones */
}

struct call_case { const char *name; uint32_t proc; };
static const struct call_case cases[] = {
	{ "lookup_root", GF_FOP_LOOKUP }, { "lookup_name_missing", GF_FOP_LOOKUP }, { "mkdir_on_hashed_subvolume", GF_FOP_MKDIR },
	{ "create", GF_FOP_CREATE }, { "entrylk_lock", GF_FOP_ENTRYLK }, { "finodelk_lock", GF_FOP_FINODELK },
	{ "fxattrop_pre_op", GF_FOP_FXATTROP }, { "write", GF_FOP_WRITE }, { "fxattrop_post_op", GF_FOP_FXATTROP },
	{ "read", GF_FOP_READ }, { "flush", GF_FOP_FLUSH }, { "finodelk_unlock", GF_FOP_FINODELK }, { "opendir", GF_FOP_OPENDIR },
	{ "readdirp", GF_FOP_READDIRP }, { "setattr_mode", GF_FOP_SETATTR }, { "setxattr", GF_FOP_SETXATTR }, { "symlink", GF_FOP_SYMLINK },
	{ "rename", GF_FOP_RENAME }, { "unlink", GF_FOP_UNLINK }, { "statfs", GF_FOP_STATFS }, { "inodelk_metadata_lock", GF_FOP_INODELK },
};

/* Where xdata lies: last in all requests; in replies behind the head, in READ's last. */
static gfx_dict *xdata_of_req(const struct gfwire_proc *p, void *req)
{
	return (gfx_dict *)((char *)req + p->req_size - sizeof(gfx_dict));
}

static gfx_dict *xdata_of_rsp(uint32_t proc, void *rsp)
{
	return proc == GF_FOP_READ ? &((struct gf_read_rsp *)rsp)->xdata : &((struct gf_common_rsp *)rsp)->xdata;
}

static void get_args(const struct gfwire_proc *p, const void *req, struct gfwire *gw, union fop_args *args)
{
	memset(args, 0, sizeof(*args));
	*gw = (struct gfwire){ .arena = arena, .fd = GF_FD_ANONYMOUS };
	assert_int_equal(p->get_args(gw, req, args), 0);
	place_inode(args, gfwire_places[p->op].inode, gw->gfid);
	place_inode(args, gfwire_places[p->op].inode2, gw->gfid2);
}

static void put_args(const struct gfwire_proc *p, const union fop_args *args, int64_t fd, void *req)
{
	struct gfwire gw = { .arena = arena, .fd = fd };

	memset(req, 0, p->req_size);
	gfwire_objects_of(&gw, p->op, args);
	assert_int_equal(p->put_args(&gw, args, req), 0);
}

static void check_call(const struct gfwire_proc *p, const struct bytes *record, uint32_t body, union fop_args *args)
{
	static struct bytes first, second;
	static uint64_t one[GFWIRE_REQ_MAX / 8], two[GFWIRE_REQ_MAX / 8], three[GFWIRE_REQ_MAX / 8];
	static union fop_args again;
	struct gfwire gw, gw2;
	gfx_dict *x;

	decode(p->xdr_req, record, body, one);
	get_args(p, one, &gw, args);
	put_args(p, args, gw.fd, two);
	/* All but xdata is the same, byte for byte. */
	encode(p->xdr_req, two, &first);
	*xdata_of_req(p, one) = (gfx_dict){ 0 };
	x = xdata_of_req(p, two);
	gfx_dict kept = *x;
	*x = (gfx_dict){ 0 };
	encode(p->xdr_req, one, &first);
	encode(p->xdr_req, two, &second);
	if (p->op != FOP_writev)		/* its size is that of the payload, which is not here */
		assert_int_equal(first.len, second.len);
	if (p->op != FOP_writev)
		assert_memory_equal(first.data, second.data, first.len);
	/* And what we send means the same to whoever gets it. */
	*x = kept;
	encode(p->xdr_req, two, &first);
	decode(p->xdr_req, &first, 0, three);
	get_args(p, three, &gw2, &again);
	put_args(p, &again, gw2.fd, two);
	encode(p->xdr_req, two, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
}

static void check_reply(const struct gfwire_proc *p, uint32_t proc, const struct bytes *record, const union fop_args *args)
{
	static struct bytes first, second;
	static uint64_t one[GFWIRE_RSP_MAX / 8], two[GFWIRE_RSP_MAX / 8];
	struct gfwire gw = { .arena = arena, .fd = GF_FD_ANONYMOUS };
	struct gfwire_head *head = (struct gfwire_head *)one, *head2 = (struct gfwire_head *)two;
	static union fop_res res;

	memset(one, 0, sizeof(one));
	memset(two, 0, sizeof(two));
	memset(&res, 0, sizeof(res));
	decode(p->xdr_rsp, record, 24, one);
	if (head->op_ret < 0)
		return;
	assert_int_equal(p->get_res(&gw, args, one, &res), 0);
	if (p->op == FOP_readv)
		res.readv.data.len = ((struct gf_read_rsp *)one)->size;
	assert_int_equal(p->put_res(&gw, args, &res, two), 0);
	if (head->op_ret != head2->op_ret)
		assert_true(p->op == FOP_getxattr);
	head2->op_errno = head->op_errno;	/* garbage in replies of success */
	*xdata_of_rsp(proc, one) = *xdata_of_rsp(proc, two) = (gfx_dict){ 0 };
	encode(p->xdr_rsp, one, &first);
	encode(p->xdr_rsp, two, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
}

static void test_vectors(void **state)
{
	static struct bytes call, reply;
	union fop_args args;
	char name[64];
	uint32_t cred;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "%s.call", cases[i].name);
		assert_true(find_vector(name, &call));
		snprintf(name, sizeof(name), "%s.reply", cases[i].name);
		assert_true(find_vector(name, &reply));
		assert_int_equal(word(&call, 20), cases[i].proc);
		cred = word(&call, 28);
		check_call(&gfwire_procs[cases[i].proc], &call, 32 + cred + 8, &args);
		check_reply(&gfwire_procs[cases[i].proc], cases[i].proc, &reply, &args);
	}
}

/* Decodes a captured call's arguments. */
static void args_of(const char *name, uint32_t proc, struct gfwire *gw, union fop_args *args)
{
	static struct bytes call;
	uint64_t *req = arena_alloc(arena, GFWIRE_REQ_MAX);

	assert_true(find_vector(name, &call));
	decode(gfwire_procs[proc].xdr_req, &call, 32 + word(&call, 28) + 8, req);
	get_args(&gfwire_procs[proc], req, gw, args);
}

static void test_lookup_questions(void **state)
{
	struct gfwire gw;
	union fop_args a;

	args_of("lookup_root.call", GF_FOP_LOOKUP, &gw, &a);
	assert_null(a.lookup.name);
	assert_true(gfid_is_root(gw.gfid2));
	assert_true(a.lookup.list_xattr);
	assert_int_equal(a.lookup.count, COUNT_INDEX | COUNT_PARENT_ENTRYLK | COUNT_ENTRYLK | COUNT_INODELK | COUNT_OPEN_FD);
	assert_int_equal(a.lookup.want->n, 10);
	args_of("lookup_name_missing.call", GF_FOP_LOOKUP, &gw, &a);
	assert_string_equal(a.lookup.name, "file");
	assert_true(gfid_equal(gw.gfid, a.lookup.parent->gfid) && !gw.gfid2);
}

static void test_creation(void **state)
{
	struct gfwire gw;
	union fop_args a;

	args_of("mkdir_on_hashed_subvolume.call", GF_FOP_MKDIR, &gw, &a);
	assert_string_equal(a.mkdir.name, "dir");
	assert_string_equal(a.mkdir.preop.key, "trusted.glusterfs.dht");
	assert_int_equal(a.mkdir.preop.len, 16);
	assert_int_equal(a.mkdir.xattrs.n, 1);		/* dht.mds; neither the parent's value nor the gfid */
	assert_string_equal(a.mkdir.xattrs.v[0].name, "trusted.glusterfs.dht.mds");
	assert_non_null(a.mkdir.gfid);
	args_of("create.call", GF_FOP_CREATE, &gw, &a);
	assert_true(a.create.want_fd);
	assert_int_equal(a.create.mode, 0100644);
}

static void test_locks_and_counts(void **state)
{
	struct gfwire gw;
	union fop_args a;

	args_of("finodelk_lock.call", GF_FOP_FINODELK, &gw, &a);
	assert_int_equal(gw.fd, 0);
	assert_int_equal(a.inodelk.cmd, LOCK_TRY);
	assert_int_equal(a.inodelk.type, LOCK_WRITE);
	args_of("finodelk_unlock.call", GF_FOP_FINODELK, &gw, &a);
	assert_int_equal(a.inodelk.cmd, LOCK_UNLOCK);
	args_of("write.call", GF_FOP_WRITE, &gw, &a);
	assert_int_equal(a.writev.count, COUNT_INODELK | COUNT_OPEN_FD);
	assert_non_null(a.writev.count_domain);
}

/* Hot calls carry no dictionary at all unless something is asked. */
static void test_hot_calls_are_lean(void **state)
{
	struct inode *inode = inode_get(inodes, gfid_root);
	union fop_args a = { 0 };
	uint64_t req[GFWIRE_REQ_MAX / 8];
	static const uint32_t procs[] = { GF_FOP_STAT, GF_FOP_READ, GF_FOP_WRITE, GF_FOP_INODELK, GF_FOP_XATTROP, GF_FOP_LOOKUP };
	size_t i;

	a.stat.inode = inode;		/* first in all of them */
	for (i = 0; i < sizeof(procs) / sizeof(procs[0]); i++) {
		put_args(&gfwire_procs[procs[i]], &a, GF_FD_ANONYMOUS, req);
		assert_int_equal(xdata_of_req(&gfwire_procs[procs[i]], req)->n, 0);
	}
	inode_unref(inode);
}

static void test_unlink_flags_and_error_fields(void **state)
{
	struct inode *inode = inode_get(inodes, gfid_root);
	static union fop_args a, b;
	static union fop_res res, got;
	static uint64_t req[GFWIRE_REQ_MAX / 8], rsp[GFWIRE_RSP_MAX / 8];
	const struct gfwire_proc *p = &gfwire_procs[GF_FOP_UNLINK];
	struct gfwire gw;

	a.unlink = (struct unlink_args){ .parent = inode, .name = "x", .only_if_linkto = true, .not_if_open = true, .internal = true };
	put_args(p, &a, GF_FD_ANONYMOUS, req);
	get_args(p, req, &gw, &b);
	assert_true(b.unlink.only_if_linkto && b.unlink.not_if_open && b.unlink.internal && !b.unlink.dont_account);
	p = &gfwire_procs[GF_FOP_MKDIR];
	res.mkdir.preop_failed = true;
	p->put_error(&gw, &a, &res, rsp);
	p->get_error(&gw, &a, rsp, &got);
	assert_true(got.mkdir.preop_failed);
	memset(rsp, 0, sizeof(rsp));
	memset(&a, 0, sizeof(a));
	a.lookup.count = COUNT_INDEX | COUNT_INODELK | COUNT_INDEX_KIND;
	memset(&res, 0, sizeof(res));
	memset(&got, 0, sizeof(got));
	res.lookup.counts.index = 1;
	p = &gfwire_procs[GF_FOP_LOOKUP];
	p->put_error(&gw, &a, &res, rsp);
	p->get_error(&gw, &a, rsp, &got);
	assert_int_equal(got.lookup.counts.index, 1);
	res.lookup.counts.index_kind = 2;
	memset(rsp, 0, sizeof(rsp));
	assert_int_equal(p->put_res(&gw, &a, &res, rsp), 0);
	assert_int_equal(dict_get(&((struct gf_lookup_rsp *)rsp)->xdata, "glusterfs.index-ia-type-get-rsp")->type, DICT_UINT);
	assert_int_equal(p->get_res(&gw, &a, rsp, &got), 0);
	assert_int_equal(got.lookup.counts.index_kind, 2);
	inode_unref(inode);
}

/* A stock brick's entry is of the file that it remembers by the name. */
static void test_remembered_entries(void **state)
{
	static const uint8_t remembered[16] = "remembered one.", own[16] = "the one there..";
	struct gf_direntp e[] = {
		{ .ino = 1, .off = 10, .name = (char *)"same", .type = 8, .stat = { .flags = 1, .mode = 0100644 } },
		{ .ino = 2, .off = 20, .name = (char *)"another", .type = 8, .stat = { .flags = 1, .mode = 0100644 } },
		{ .ino = 3, .off = 30, .name = (char *)"untold", .type = 8, .stat = { .flags = 1, .mode = 0100644 } },
	};
	struct gf_readdirp_rsp rsp = { .op_ret = 3, .list = { 3, e } };
	struct readdir_args a = { .inode = inode_get(inodes, gfid_root), .plus = true }, b = { 0 };
	struct readdir_res res = { 0 };
	const struct gfwire_proc *p = &gfwire_procs[GF_FOP_READDIRP];
	struct gf_readdir_req req = { 0 };
	struct gfwire gw = { .arena = arena };

	for (unsigned i = 0; i < 3; i++) {
		memcpy(e[i].stat.gfid, i == 0 ? own : remembered, 16);
		dict_init(&e[i].dict, arena);
		assert_int_equal(dict_set_data(&e[i].dict, "trusted.glusterfs.dht.linkto", DICT_BIN, "x", 2), 0);
		if (i < 2)
			assert_int_equal(dict_set_data(&e[i].dict, "trusted.gfid", DICT_BIN, own, 16), 0);
	}
	assert_int_equal(p->get_res(&gw, &a, &rsp, &res), 0);
	assert_int_equal(res.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(iatt_present(&res.entries[i].stat), i != 1);
		assert_int_equal(res.entries[i].xattrs.n, 1);
	}
	assert_memory_equal(res.entries[1].stat.gfid, own, 16);
	assert_int_equal(res.entries[1].ino, gfid_ino(own));
	assert_string_equal(res.entries[1].name, "another");
	/* It is asked for always, and our brick takes it for no question. */
	put_args(p, (union fop_args *)&a, GF_FD_ANONYMOUS, &req);
	assert_non_null(dict_get(&req.xdata, "trusted.gfid"));
	assert_int_equal(p->get_args(&gw, &req, &b), 0);
	assert_null(b.want);
	inode_unref(a.inode);
}

static void test_attributes_in_xdata(void **state)
{
	struct gfwire gw = { .arena = arena, .want_stats = true };
	struct setxattr_res res = { 0 }, got = { 0 };
	struct gf_common_rsp rsp = { 0 };
	static struct bytes b;

	res.pre.mode = res.post.mode = 0100644;
	res.pre.size = 5;
	res.post.ctime = (struct iatt_time){ 1234567890123, 999 };
	assert_int_equal(gfwire_procs[GF_FOP_SETXATTR].put_res(&gw, NULL, &res, &rsp), 0);
	encode((xdrproc_t)(void (*)(void))xdr_gf_common_rsp, &rsp, &b);
	memset(&rsp, 0, sizeof(rsp));
	decode((xdrproc_t)(void (*)(void))xdr_gf_common_rsp, &b, 0, &rsp);
	assert_int_equal(gfwire_procs[GF_FOP_SETXATTR].get_res(&gw, NULL, &rsp, &got), 0);
	assert_int_equal(got.pre.size, 5);
	assert_int_equal(got.post.ctime.sec, 1234567890123);
	assert_int_equal(got.post.ctime.nsec, 999);
}

/* As a stock brick answers for /dev/null's 1:3, and back. */
static void test_device_numbers(void **state)
{
	struct iatt st = { .mode = S_IFCHR | 0600, .rdev = makedev(1, 3) }, got = { 0 };
	gf_iattx x;

	gfwire_put_iatt(&st, &x);
	assert_true(x.rdev == 0x100000003ull);
	gfwire_get_iatt(&x, &got);
	assert_true(got.rdev == makedev(1, 3));
}

/* Locks to release travel with any change, and what is cut short or too long releases nothing. */
static void test_releases(void **state)
{
	static const uint8_t one[16] = { 1 }, two[16] = { 2 };
	const struct lock_release given = { "volume-replicate-0", 3, {
		{ one, true, "name", 0, 0 }, { two, true, NULL, 0, 0 }, { two, false, NULL, 9223372036854775806ull, 7 } } };
	static uint64_t req[GFWIRE_REQ_MAX / 8], back[GFWIRE_REQ_MAX / 8];
	static struct bytes record;
	struct gfwire gw = { .arena = arena };
	uint32_t proc, carriers = 0;

	for (proc = 0; proc < GFWIRE_PROCS; proc++) {
		const struct gfwire_proc *p = &gfwire_procs[proc];
		const struct lock_release *got;
		struct dict_pair *pair;
		uint32_t len;

		if (!p->name || !p->xdata)
			continue;
		carriers++;
		memset(req, 0, sizeof(req));
		assert_null(gfwire_get_release(&gw, p, req));
		assert_int_equal(gfwire_put_release(&gw, p, &given, req), 0);
		got = gfwire_get_release(&gw, p, req);
		assert_non_null(got);
		assert_string_equal(got->domain, given.domain);
		assert_int_equal(got->n, 3);
		assert_memory_equal(got->v[0].gfid, one, 16);
		assert_string_equal(got->v[0].name, "name");
		assert_true(got->v[1].entry && !got->v[1].name && !got->v[2].entry);
		assert_memory_equal(got->v[2].gfid, two, 16);
		assert_int_equal(got->v[2].start, 9223372036854775806ull);
		assert_int_equal(got->v[2].len, 7);
		pair = &((gfx_dict *)((char *)req + p->xdata))->pairs[0];
		len = pair->len;
		for (pair->len = 0; pair->len < len; pair->len++)
			if (pair->len != 19 && pair->len != 19 + 22 && pair->len != 19 + 22 + 17)
				assert_null(gfwire_get_release(&gw, p, req));
	}
	assert_int_equal(carriers, 14);
	/* Through the coder, beside what the call itself says. */
	{
		const struct gfwire_proc *p = &gfwire_procs[GF_FOP_MKNOD];
		union fop_args args = { .mknod = { .name = "x", .gfid = one } }, again;

		put_args(p, &args, GF_FD_ANONYMOUS, req);
		assert_int_equal(gfwire_put_release(&gw, p, &given, req), 0);
		encode(p->xdr_req, req, &record);
		decode(p->xdr_req, &record, 0, back);
		assert_non_null(gfwire_get_release(&gw, p, back));
		get_args(p, back, &gw, &again);
		assert_int_equal(again.mknod.xattrs.n, 0);
	}
}

static int setup(void **state)
{
	inodes = inode_table_new(NULL, 0, 0, 64);
	arena = arena_new(1 << 20);
	return 0;
}

static int teardown(void **state)
{
	inode_table_free(inodes);
	arena_free(arena);
	return 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_vectors), T(test_lookup_questions), T(test_creation), T(test_locks_and_counts), T(test_hot_calls_are_lean),
		T(test_unlink_flags_and_error_fields), T(test_remembered_entries), T(test_attributes_in_xdata), T(test_device_numbers),
		T(test_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
