/* The wire's types against records captured between real peers: decode with nothing left over, encode again, compare
 * byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rpcgen/gluster4.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"

#define RECORD_MAX 16384

struct codec {
	uint32_t prog, proc;
	xdrproc_t req, rsp;
};

#define C(prog, proc, req, rsp) { prog, proc, (xdrproc_t)xdr_gf_##req, (xdrproc_t)xdr_gf_##rsp }
#define FOP(proc, name, rsp) C(GF_FOP_PROGRAM, GF_FOP_##proc, name##_req, rsp)
static const struct codec codecs[] = {
	C(GF_DUMP_PROGRAM, GF_DUMP_DUMP, dump_req, dump_rsp),
	{ GF_DUMP_PROGRAM, GF_DUMP_PING, NULL, (xdrproc_t)xdr_gf_ping_rsp },
	C(GF_HANDSHAKE_PROGRAM, GF_HS_SETVOLUME, setvolume_req, setvolume_rsp),
	C(GF_HANDSHAKE_PROGRAM, GF_HS_GETSPEC, getspec_req, getspec_rsp),
	C(GF_PORTMAP_PROGRAM, GF_PMAP_SIGNIN, signin_req, sign_rsp),
	C(GF_PORTMAP_PROGRAM, GF_PMAP_PORTBYBRICK, portbybrick_req, portbybrick_rsp),
	FOP(LOOKUP, lookup, lookup_rsp), FOP(MKDIR, mkdir, entry_rsp), FOP(CREATE, create, create_rsp),
	FOP(ENTRYLK, entrylk, common_rsp), FOP(FINODELK, finodelk, common_rsp), FOP(INODELK, inodelk, common_rsp),
	FOP(FXATTROP, fxattrop, getxattr_rsp), FOP(WRITE, write, prepost_rsp), FOP(READ, read, read_rsp),
	FOP(FLUSH, flush, common_rsp), FOP(RELEASE, release, common_rsp), FOP(RELEASEDIR, release, common_rsp),
	FOP(OPENDIR, opendir, open_rsp), FOP(READDIRP, readdir, readdirp_rsp), FOP(SETATTR, setattr, prepost_rsp),
	FOP(SETXATTR, setxattr, common_rsp), FOP(SYMLINK, symlink, entry_rsp), FOP(RENAME, rename, rename_rsp),
	FOP(UNLINK, unlink, prepost_rsp), FOP(STATFS, statfs, statfs_rsp),
	C(GF_CALLBACK_PROGRAM, GF_CBK_INODELK_CONTENTION, cbk_inodelk_contention, common_rsp),
	C(GF_CALLBACK_PROGRAM, GF_CBK_CACHE_INVALIDATION, cbk_cache_invalidation, common_rsp),
};
#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

static uint8_t record[RECORD_MAX], again[RECORD_MAX];
static struct iobuf holder = { .refs = 1, .size = RECORD_MAX, .data = record };

static uint32_t word(uint32_t at)
{
	return (uint32_t)record[at] << 24 | (uint32_t)record[at + 1] << 16 | (uint32_t)record[at + 2] << 8 |
	       record[at + 3];
}

static uint32_t parse_hex(const char *hex)
{
	unsigned byte;
	uint32_t n = 0;

	while (sscanf(hex, "%2x", &byte) == 1 && n < RECORD_MAX) {
		record[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

/* Decodes at @at, encodes again and compares; returns the bytes left over. */
static uint32_t round_trip(const char *name, xdrproc_t proc, uint32_t at, uint32_t len)
{
	struct arena *arena = arena_new(1 << 20);
	void *object = arena_alloc(arena, 4096);
	uint32_t used;
	struct wire w;
	XDR x;

	wire_decode_init(&x, &w, &holder, at, len - at, arena);
	if (proc && !proc(&x, object))
		fail_msg("%s does not decode", name);
	used = len - at - x.x_handy;
	wire_encode_init(&x, &w, again, sizeof(again), arena);
	if (proc && !proc(&x, object))
		fail_msg("%s does not encode", name);
	if (sizeof(again) - x.x_handy != used || memcmp(again, record + at, used))
		fail_msg("%s encodes differently", name);
	arena_free(arena);
	return len - at - used;
}

/* Every shorter buffer must be refused, not read past. */
static void truncations(const char *name, xdrproc_t proc, uint32_t at, uint32_t len)
{
	uint32_t cut;

	for (cut = at; proc && cut < len; cut++) {
		struct arena *arena = arena_new(1 << 20);
		void *object = arena_alloc(arena, 4096);
		struct wire w;
		XDR x;

		wire_decode_init(&x, &w, &holder, at, cut - at, arena);
		if (proc(&x, object))
			fail_msg("%s decodes from %u of %u bytes", name, cut - at, len - at);
		arena_free(arena);
	}
}

static const struct codec *codec_for(uint32_t prog, uint32_t proc)
{
	size_t i;

	for (i = 0; i < N_CODECS; i++)
		if (codecs[i].prog == prog && codecs[i].proc == proc)
			return &codecs[i];
	fail_msg("no codec for program %u procedure %u", prog, proc);
	return NULL;
}

static void check_record(const char *name, const char *hex)
{
	static const struct codec *last;
	uint32_t len = parse_hex(hex), at = 24, left, expect = 0;
	xdrproc_t proc;

	if (word(4) == 0) {
		last = codec_for(word(12), word(20));
		at = 40 + word(28);
		proc = last->req;
		if (last->prog == GF_FOP_PROGRAM && last->proc == GF_FOP_WRITE)
			expect = word(at + 32);
	} else {
		proc = last->rsp;
		if (last->prog == GF_FOP_PROGRAM && last->proc == GF_FOP_READ)
			expect = word(at);
	}
	left = round_trip(name, proc, at, len);
	if (left != expect)
		fail_msg("%s leaves %u bytes, %u expected", name, left, expect);
	truncations(name, proc, at, len - left);
}

static void test_captured_records(void **state)
{
	char *line = NULL, *space;
	size_t size = 0;
	unsigned n = 0;
	FILE *f;

	f = fopen(VECTORS, "r");
	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		space = strchr(line, ' ');
		if (*line == '#' || !space)
			continue;
		*space = '\0';
		check_record(line, space + 1);
		n++;
	}
	free(line);
	fclose(f);
	assert_true(n > 60);
}

static void encode_into_record(xdrproc_t proc, void *object, struct wire *w, uint32_t *ret_len)
{
	XDR x;

	wire_encode_init(&x, w, record, sizeof(record), NULL);
	assert_true(proc(&x, object));
	*ret_len = (uint32_t)sizeof(record) - x.x_handy;
}

static void test_directory_page(void **state)
{
	static entryplus3 in[40];
	READDIRPLUS3res res = { .status = NFS3_OK }, out = { 0 };
	struct arena *arena = arena_new(1 << 20);
	struct wire w;
	uint32_t i, len;
	XDR x;

	for (i = 0; i < 40; i++) {
		in[i].fileid = i;
		in[i].cookie = ~(uint64_t)i;
		in[i].name = (filename3){ 1 + i % 3, "abc" };
		in[i].name_attributes.attributes_follow = i % 2;
		in[i].name_handle.handle_follows = i % 5 == 0;
		in[i].name_handle.post_op_fh3_u.handle.len = 32;
	}
	res.READDIRPLUS3res_u.resok.reply = (dirlistplus3){ 40, in, TRUE };
	encode_into_record((xdrproc_t)xdr_READDIRPLUS3res, &res, &w, &len);
	wire_decode_init(&x, &w, &holder, 0, len, arena);
	assert_true(xdr_READDIRPLUS3res(&x, &out));
	assert_int_equal(x.x_handy, 0);
	assert_int_equal(out.READDIRPLUS3res_u.resok.reply.n, 40);
	assert_true(out.READDIRPLUS3res_u.resok.reply.eof);
	for (i = 0; i < 40; i++) {
		const entryplus3 *e = &out.READDIRPLUS3res_u.resok.reply.entries[i];

		assert_int_equal(e->cookie, ~(uint64_t)i);
		assert_int_equal(e->name.len, 1 + i % 3);
		assert_int_equal(strlen(e->name.text), e->name.len);
		assert_int_equal(e->name_handle.handle_follows, i % 5 == 0);
	}
	truncations("page", (xdrproc_t)xdr_READDIRPLUS3res, 0, len);
	arena_free(arena);
}

static void test_payload_is_not_copied(void **state)
{
	uint8_t bytes[7] = "payload";
	struct iobuf b = { .refs = 1, .size = 7, .data = bytes };
	WRITE3args in = { .count = 7, .stable = FILE_SYNC, .data = { &b, 0, 7 } }, out = { 0 };
	struct arena *arena = arena_new(1 << 16);
	struct wire w;
	uint32_t len;
	XDR x;

	in.file.len = 5;
	encode_into_record((xdrproc_t)xdr_WRITE3args, &in, &w, &len);
	assert_int_equal(w.ngaps, 1);
	assert_ptr_equal(w.gaps[0].data.buf, &b);
	assert_int_equal(len, w.gaps[0].at + 1);		/* the padding comes behind the gap */
	memmove(record + w.gaps[0].at + 7, record + w.gaps[0].at, 1);
	memcpy(record + w.gaps[0].at, bytes, 7);
	wire_decode_init(&x, &w, &holder, 0, len + 7, arena);
	assert_true(xdr_WRITE3args(&x, &out));
	assert_int_equal(x.x_handy, 0);
	assert_ptr_equal(out.data.buf, &holder);
	assert_memory_equal(payload_data(&out.data), "payload", 7);
	arena_free(arena);
}

static void test_limits(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	filename3 name;
	nfs_fh3 fh;
	struct wire w;
	XDR x;

	memset(record, 0, sizeof(record));
	record[2] = 4;
	record[3] = 1;			/* a name of 1,025 bytes, a handle as long */
	wire_decode_init(&x, &w, &holder, 0, 4096, arena);
	assert_false(xdr_filename3(&x, &name));
	wire_decode_init(&x, &w, &holder, 0, 4096, arena);
	assert_false(xdr_nfs_fh3(&x, &fh));
	record[3] = 0;
	wire_decode_init(&x, &w, &holder, 0, 4096, arena);
	assert_true(xdr_filename3(&x, &name));
	memset(record, 0xff, 4);	/* a length near 2^32 must not wrap */
	wire_decode_init(&x, &w, &holder, 0, 4096, arena);
	assert_false(xdr_nfspath3(&x, &name));
	arena_free(arena);
}

/* A list without an end must not take more memory than its bytes justify. */
static void test_lists_are_bounded(void **state)
{
	struct arena *arena = arena_new(8 * RECORD_MAX);
	exports list;
	struct wire w;
	uint32_t i;
	XDR x;

	memset(record, 0, sizeof(record));
	for (i = 0; i < RECORD_MAX; i += 8)
		record[i + 3] = 1;		/* "1, empty name" for ever */
	wire_decode_init(&x, &w, &holder, 0, RECORD_MAX, arena);
	assert_false(xdr_exports(&x, &list));
	assert_true(arena_used(arena) < 8 * RECORD_MAX);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured_records), cmocka_unit_test(test_directory_page),
		cmocka_unit_test(test_payload_is_not_copied), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lists_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
