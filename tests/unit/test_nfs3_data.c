/* tests/unit/test_nfs3_data.c: attributes, data, directories and the file system's figures, seen by an NFS client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/nfs_rig.h"

static int setup(void **state)
{
	rig_disk();
	return 0;
}

static int teardown(void **state)
{
	rig_disk_free();
	return 0;
}

static nfsstat3 coroutine_fn do_read(struct rig *rig, const nfs_fh3 *fh, uint64_t offset, uint32_t count, READ3res *res)
{
	READ3args args = { .file = *fh, .offset = offset, .count = count };

	NFS(rig, READ, &args, res);
	return res->status;
}

static nfsstat3 coroutine_fn do_access(struct rig *rig, const nfs_fh3 *fh, uint32_t asked, uint32_t *ret_granted)
{
	ACCESS3args args = { .object = *fh, .access = asked };
	ACCESS3res res;

	NFS(rig, ACCESS, &args, &res);
	*ret_granted = res.ACCESS3res_u.resok.access;
	if (res.status == NFS3_OK)
		assert_true(res.ACCESS3res_u.resok.obj_attributes.attributes_follow);
	return res.status;
}

/* --- data --- */

static void coroutine_fn read_write(struct rig *rig)
{
	READ3res rres;
	WRITE3res wres;
	COMMIT3args cargs;
	COMMIT3res cres;
	nfs_fh3 fh, dir;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_write(rig, &fh, 3, "hello", 5, UNSTABLE, &wres), NFS3_OK);
	assert_int_equal(wres.WRITE3res_u.resok.count, 5);
	assert_int_equal(wres.WRITE3res_u.resok.committed, UNSTABLE);
	assert_true(wres.WRITE3res_u.resok.file_wcc.before.attributes_follow);
	assert_int_equal(wres.WRITE3res_u.resok.file_wcc.after.post_op_attr_u.attributes.size, 8);
	cargs = (COMMIT3args){ .file = fh };
	NFS(rig, COMMIT, &cargs, &cres);
	assert_int_equal(cres.status, NFS3_OK);
	assert_memory_equal(cres.COMMIT3res_u.resok.verf, wres.WRITE3res_u.resok.verf, 8);
	assert_int_equal(do_read(rig, &fh, 0, 100, &rres), NFS3_OK);
	assert_int_equal(rres.READ3res_u.resok.count, 8);
	assert_true(rres.READ3res_u.resok.eof);
	assert_memory_equal(payload_data(&rres.READ3res_u.resok.data), "\0\0\0hello", 8);
	assert_int_equal(do_read(rig, &fh, 0, 4, &rres), NFS3_OK);
	assert_false(rres.READ3res_u.resok.eof);
	assert_int_equal(do_read(rig, &fh, 100, 4, &rres), NFS3_OK);
	assert_int_equal(rres.READ3res_u.resok.count, 0);
	assert_true(rres.READ3res_u.resok.eof);
	assert_int_equal(do_read(rig, &fh, UINT64_MAX, 4, &rres), NFS3_OK);
	assert_true(rres.READ3res_u.resok.eof);
	assert_int_equal(rig_write(rig, &fh, UINT64_MAX - 2, "abc", 3, UNSTABLE, &wres), NFS3ERR_FBIG);
	assert_int_equal(rig_write(rig, &fh, 0, "", 0, FILE_SYNC, &wres), NFS3_OK);
	assert_int_equal(wres.WRITE3res_u.resok.count, 0);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	assert_int_equal(do_read(rig, &dir, 0, 4, &rres), NFS3ERR_INVAL);
	assert_true(rres.READ3res_u.resfail.file_attributes.attributes_follow);
	assert_int_equal(rig_write(rig, &dir, 0, "x", 1, UNSTABLE, &wres), NFS3ERR_INVAL);
}

static void test_read_write_commit(void **state)
{
	rig_run(RIG_OPEN, read_write);
}

static void coroutine_fn verifier(struct rig *rig)
{
	WRITE3res before, after;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, UNSTABLE, &before), NFS3_OK);
	rig->volume->now->graph->event(rig->volume->now->graph->owner, XL_RESTARTED, NULL);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, UNSTABLE, &after), NFS3_OK);
	assert_memory_not_equal(before.WRITE3res_u.resok.verf, after.WRITE3res_u.resok.verf, 8);
}

static void test_verifier_changes_when_a_brick_restarts(void **state)
{
	rig_run(RIG_OPEN, verifier);
}

static void coroutine_fn stable_or_not(struct rig *rig)
{
	struct memory_disk *disk = memory_disk_find("rig");
	COMMIT3args margs;
	COMMIT3res mres;
	WRITE3res wres;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(memory_disk_unforced(disk), 0);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, FILE_SYNC, &wres), NFS3_OK);
	assert_int_equal(memory_disk_unforced(disk), 0);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, UNSTABLE, &wres), NFS3_OK);
	assert_int_not_equal(memory_disk_unforced(disk), 0);
	margs = (COMMIT3args){ .file = fh };
	NFS(rig, COMMIT, &margs, &mres);
	assert_int_equal(mres.status, NFS3_OK);
	assert_int_equal(memory_disk_unforced(disk), 0);
}

static void coroutine_fn async_promises_less(struct rig *rig)
{
	WRITE3res wres;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, FILE_SYNC, &wres), NFS3_OK);
	assert_int_equal(wres.WRITE3res_u.resok.committed, FILE_SYNC);
	assert_int_not_equal(memory_disk_unforced(memory_disk_find("rig")), 0);
}

static void test_stable_before_the_reply(void **state)
{
	rig_run(RIG_OPEN, stable_or_not);
	rig_disk();
	rig_run("/demo *(rw,async,no_root_squash,insecure)\n", async_promises_less);
}

static void coroutine_fn disk_errors(struct rig *rig)
{
	COMMIT3args cargs;
	COMMIT3res cres;
	WRITE3res wres;
	READ3res rres;
	nfs_fh3 fh, x;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	rig_fault(rig, "fsync", "EIO", false);
	cargs = (COMMIT3args){ .file = fh };
	NFS(rig, COMMIT, &cargs, &cres);
	assert_int_equal(cres.status, NFS3ERR_IO);
	assert_true(cres.COMMIT3res_u.resfail.file_wcc.after.attributes_follow);
	assert_false(cres.COMMIT3res_u.resfail.file_wcc.before.attributes_follow);
	rig_fault(rig, "writev", "ENOSPC", false);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, UNSTABLE, &wres), NFS3ERR_NOSPC);
	rig_fault(rig, "writev", "EDQUOT", false);
	assert_int_equal(rig_write(rig, &fh, 0, "a", 1, UNSTABLE, &wres), NFS3ERR_DQUOT);
	rig_fault(rig, "readv", "ENOTCONN", false);
	assert_int_equal(do_read(rig, &fh, 0, 1, &rres), NFS3ERR_JUKEBOX);
	rig_fault(rig, "create", "EROFS", false);
	assert_int_equal(rig_create(rig, &rig->root, "g", 0644, &x), NFS3ERR_ROFS);
	rig_fault(rig, "lookup", "ENOTCONN", false);
	assert_int_equal(rig_lookup(rig, &rig->root, "f", &x), NFS3ERR_JUKEBOX);
	rig_fault(rig, NULL, NULL, false);
	assert_int_equal(rig_lookup(rig, &rig->root, "f", &x), NFS3_OK);
}

static void test_errors_of_bricks(void **state)
{
	rig_run(RIG_OPEN, disk_errors);
}

/* --- permission --- */

static void be(struct rig *rig, uint32_t uid)
{
	rig->cred.uid = rig->cred.gid = uid;
}

static nfsstat3 coroutine_fn set_mode(struct rig *rig, const nfs_fh3 *fh, uint32_t mode)
{
	SETATTR3args args = { .object = *fh };
	SETATTR3res res;

	args.new_attributes.mode = (set_mode3){ .set_it = TRUE, .set_mode3_u.mode = mode };
	NFS(rig, SETATTR, &args, &res);
	return res.status;
}

static nfsstat3 coroutine_fn set_size(struct rig *rig, const nfs_fh3 *fh, uint64_t size)
{
	SETATTR3args args = { .object = *fh };
	SETATTR3res res;

	args.new_attributes.size = (set_size3){ .set_it = TRUE, .set_size3_u.size = size };
	NFS(rig, SETATTR, &args, &res);
	return res.status;
}

static void coroutine_fn owner_override(struct rig *rig)
{
	READ3res rres;
	WRITE3res wres;
	nfs_fh3 dir, fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0777, &dir), NFS3_OK);
	assert_int_equal(set_mode(rig, &dir, 0777), NFS3_OK);
	be(rig, 1000);
	assert_int_equal(rig_create(rig, &dir, "readonly", 0444, &fh), NFS3_OK);
	assert_int_equal(rig_write(rig, &fh, 0, "data", 4, UNSTABLE, &wres), NFS3_OK);
	assert_int_equal(set_mode(rig, &fh, 0), NFS3_OK);
	assert_int_equal(do_read(rig, &fh, 0, 4, &rres), NFS3_OK);
	assert_int_equal(set_size(rig, &fh, 2), NFS3_OK);
	be(rig, 1001);
	assert_int_equal(do_read(rig, &fh, 0, 4, &rres), NFS3ERR_ACCES);
	assert_int_equal(rres.READ3res_u.resok.count, 0);
	assert_int_equal(rig_write(rig, &fh, 0, "x", 1, UNSTABLE, &wres), NFS3ERR_ACCES);
	assert_int_equal(set_size(rig, &fh, 0), NFS3ERR_ACCES);
	assert_int_equal(set_mode(rig, &fh, 0777), NFS3ERR_PERM);
	be(rig, 1000);
	assert_int_equal(set_mode(rig, &fh, 0711), NFS3_OK);
	be(rig, 1001);
	assert_int_equal(do_read(rig, &fh, 0, 4, &rres), NFS3_OK);	/* it may be executed */
	assert_int_equal(rig_write(rig, &fh, 0, "x", 1, UNSTABLE, &wres), NFS3ERR_ACCES);
}

static void test_owner_reads_and_writes_whatever_the_mode(void **state)
{
	rig_run(RIG_OPEN, owner_override);
}

static void coroutine_fn access_bits(struct rig *rig)
{
	const uint32_t all = 0x3f;
	uint32_t granted;
	nfs_fh3 dir, fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &dir, "f", 0744, &fh), NFS3_OK);
	assert_int_equal(do_access(rig, &dir, all, &granted), NFS3_OK);
	assert_int_equal(granted, ACCESS3_READ | ACCESS3_LOOKUP | ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_DELETE);
	assert_int_equal(do_access(rig, &fh, all, &granted), NFS3_OK);
	assert_int_equal(granted, ACCESS3_READ | ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_EXECUTE);
	be(rig, 1001);
	assert_int_equal(do_access(rig, &dir, all, &granted), NFS3_OK);
	assert_int_equal(granted, ACCESS3_READ | ACCESS3_LOOKUP);
	assert_int_equal(do_access(rig, &fh, all, &granted), NFS3_OK);
	assert_int_equal(granted, ACCESS3_READ);
	assert_int_equal(do_access(rig, &fh, ACCESS3_MODIFY, &granted), NFS3_OK);
	assert_int_equal(granted, 0);
}

static void test_access_bits(void **state)
{
	rig_run(RIG_OPEN, access_bits);
}

static void coroutine_fn squashed(struct rig *rig)
{
	nfs_fh3 dir, fh;
	fattr3 attr;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3ERR_ACCES); /* the root directory is root's */
	assert_int_equal(rig_lookup(rig, &rig->root, "open", &dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &dir, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3_OK);
	assert_int_equal(attr.uid, 77);
	assert_int_equal(attr.gid, 78);
}

static void coroutine_fn make_open_dir(struct rig *rig)
{
	nfs_fh3 dir;

	assert_int_equal(rig_mkdir(rig, &rig->root, "open", 0777, &dir), NFS3_OK);
}

static void test_root_is_squashed(void **state)
{
	rig_run(RIG_OPEN, make_open_dir);
	rig_run("/demo *(rw,insecure,anonuid=77,anongid=78)\n", squashed);
}

static void coroutine_fn all_are_squashed(struct rig *rig)
{
	nfs_fh3 dir, fh;
	fattr3 attr;

	be(rig, 1000);
	assert_int_equal(rig_lookup(rig, &rig->root, "open", &dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &dir, "g", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3_OK);
	assert_int_equal(attr.uid, 65534);
}

static void test_all_are_squashed(void **state)
{
	rig_run(RIG_OPEN, make_open_dir);
	rig_run("/demo *(rw,insecure,all_squash)\n", all_are_squashed);
}

static void coroutine_fn read_only(struct rig *rig)
{
	RENAME3args mv = { .from = { rig->root, rig_name("open") }, .to = { rig->root, rig_name("b") } };
	LINK3args largs = { .link = { rig->root, rig_name("b") } };
	SYMLINK3args sl = { .where = { rig->root, rig_name("s") }, .symlink.symlink_data = rig_name("x") };
	MKNOD3args mk = { .where = { rig->root, rig_name("s") }, .what.type = NF3FIFO };
	REMOVE3args rm = { .object = { rig->root, rig_name("f") } };
	RMDIR3args rd = { .object = { rig->root, rig_name("open") } };
	union {
		RENAME3res mv;
		LINK3res l;
		SYMLINK3res sl;
		MKNOD3res mk;
		REMOVE3res rm;
		RMDIR3res rd;
		WRITE3res w;
		COMMIT3res c;
	} res;
	COMMIT3args cargs;
	uint32_t granted;
	nfs_fh3 dir, fh;

	assert_int_equal(rig_lookup(rig, &rig->root, "open", &dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &dir, "f", 0644, &fh), NFS3ERR_ROFS);
	assert_int_equal(rig_mkdir(rig, &dir, "f", 0644, &fh), NFS3ERR_ROFS);
	assert_int_equal(set_mode(rig, &dir, 0), NFS3ERR_ROFS);
	assert_int_equal(rig_write(rig, &dir, 0, "x", 1, UNSTABLE, &res.w), NFS3ERR_ROFS);
	largs.file = dir;
	cargs = (COMMIT3args){ .file = dir };
	NFS(rig, RENAME, &mv, &res.mv);
	assert_int_equal(res.mv.status, NFS3ERR_ROFS);
	NFS(rig, LINK, &largs, &res.l);
	assert_int_equal(res.l.status, NFS3ERR_ROFS);
	NFS(rig, SYMLINK, &sl, &res.sl);
	assert_int_equal(res.sl.status, NFS3ERR_ROFS);
	NFS(rig, MKNOD, &mk, &res.mk);
	assert_int_equal(res.mk.status, NFS3ERR_ROFS);
	NFS(rig, REMOVE, &rm, &res.rm);
	assert_int_equal(res.rm.status, NFS3ERR_ROFS);
	NFS(rig, RMDIR, &rd, &res.rd);
	assert_int_equal(res.rd.status, NFS3ERR_ROFS);
	NFS(rig, COMMIT, &cargs, &res.c);
	assert_int_equal(res.c.status, NFS3ERR_ROFS);
	assert_int_equal(do_access(rig, &dir, 0x3f, &granted), NFS3_OK);
	assert_int_equal(granted, ACCESS3_READ | ACCESS3_LOOKUP);
}

static void test_ro_in_every_modifying_procedure(void **state)
{
	rig_run(RIG_OPEN, make_open_dir);
	rig_run("/demo *(ro,no_root_squash,insecure)\n", read_only);
}

/* --- attributes --- */

static void coroutine_fn guard(struct rig *rig)
{
	SETATTR3args args;
	SETATTR3res res;
	fattr3 attr;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3_OK);
	memset(&args, 0, sizeof(args));
	args.object = fh;
	args.new_attributes.mode = (set_mode3){ .set_it = TRUE, .set_mode3_u.mode = 0600 };
	args.guard = (sattrguard3){ .check = TRUE, .sattrguard3_u.obj_ctime = attr.ctime };
	args.guard.sattrguard3_u.obj_ctime.nseconds ^= 1;
	NFS(rig, SETATTR, &args, &res);
	assert_int_equal(res.status, NFS3ERR_NOT_SYNC);
	assert_true(res.SETATTR3res_u.resfail.obj_wcc.after.attributes_follow);
	rig_fault(rig, "stat", "EIO", false);
	NFS(rig, SETATTR, &args, &res);
	assert_int_equal(res.status, NFS3ERR_IO);
	rig_fault(rig, NULL, NULL, false);
	args.guard.sattrguard3_u.obj_ctime = attr.ctime;
	NFS(rig, SETATTR, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_true(res.SETATTR3res_u.resok.obj_wcc.before.attributes_follow);
	assert_int_equal(res.SETATTR3res_u.resok.obj_wcc.after.post_op_attr_u.attributes.mode, 0600);
	args.guard.check = FALSE;
	args.new_attributes.atime = (set_atime){ .set_it = SET_TO_CLIENT_TIME, .set_atime_u.atime = { 1, 1000000000 } };
	NFS(rig, SETATTR, &args, &res);
	assert_int_equal(res.status, NFS3ERR_INVAL);
	assert_int_equal(set_size(rig, &rig->root, 0), NFS3ERR_INVAL);
}

static void test_setattr_guard(void **state)
{
	rig_run(RIG_OPEN, guard);
}

static void coroutine_fn figures(struct rig *rig)
{
	FSINFO3args iargs = { .fsroot = rig->root };
	PATHCONF3args pargs = { .object = rig->root };
	FSSTAT3args sargs;
	FSINFO3res ires;
	PATHCONF3res pres;
	FSSTAT3res sres;
	fattr3 a, b;
	nfs_fh3 fh;

	NFS(rig, FSINFO, &iargs, &ires);
	assert_int_equal(ires.status, NFS3_OK);
	assert_int_equal(ires.FSINFO3res_u.resok.rtmax, 1 << 20);
	assert_int_equal(ires.FSINFO3res_u.resok.wtmax, 1 << 20);
	assert_int_equal(ires.FSINFO3res_u.resok.properties, 0x1b);
	assert_int_equal(ires.FSINFO3res_u.resok.time_delta.nseconds, 1);
	NFS(rig, PATHCONF, &pargs, &pres);
	assert_int_equal(pres.status, NFS3_OK);
	assert_int_equal(pres.PATHCONF3res_u.resok.name_max, 255);
	assert_true(pres.PATHCONF3res_u.resok.case_preserving);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	sargs.fsroot = fh;			/* any object will do */
	NFS(rig, FSSTAT, &sargs, &sres);
	assert_int_equal(sres.status, NFS3_OK);
	assert_true(sres.FSSTAT3res_u.resok.tbytes >= sres.FSSTAT3res_u.resok.fbytes);
	assert_true(sres.FSSTAT3res_u.resok.obj_attributes.attributes_follow);
	assert_int_equal(rig_getattr(rig, &fh, &a), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &rig->root, &b), NFS3_OK);
	assert_true(a.fsid == b.fsid && a.fsid != 0);
	assert_int_not_equal(a.fileid, b.fileid);
}

static void test_figures_of_the_file_system(void **state)
{
	rig_run(RIG_OPEN, figures);
}

/* --- directories --- */

#define NAMES 300

static void coroutine_fn make_names(struct rig *rig, const nfs_fh3 *dir)
{
	char name[32];
	nfs_fh3 fh;
	int i;

	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		assert_int_equal(rig_create(rig, dir, name, 0644, &fh), NFS3_OK);
	}
}

static void coroutine_fn list_plus(struct rig *rig)
{
	READDIRPLUS3args args = { .dircount = 8192, .maxcount = 8192 };
	READDIRPLUS3res res;
	READDIRPLUS3resok *ok = &res.READDIRPLUS3res_u.resok;
	unsigned seen[NAMES] = { 0 }, i, dots = 0, pages = 0, n;
	fattr3 attr;
	uint64_t stats;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &args.dir), NFS3_OK);
	make_names(rig, &args.dir);
	stats = rig->volume->now->graph->top->calls[FOP_lookup];
	do {
		NFS(rig, READDIRPLUS, &args, &res);
		assert_int_equal(res.status, NFS3_OK);
		assert_true(ok->dir_attributes.attributes_follow);
		assert_true(ok->reply.n > 0 || ok->reply.eof);
		for (i = 0; i < ok->reply.n; i++) {
			entryplus3 *e = &ok->reply.entries[i];

			args.cookie = e->cookie;
			if (sscanf(e->name.text, "name-%u", &n) != 1) {
				dots++;
				continue;
			}
			seen[n]++;
			assert_true(e->name_attributes.attributes_follow);
			assert_true(e->name_handle.handle_follows);
			assert_true(e->fileid == e->name_attributes.post_op_attr_u.attributes.fileid);
			assert_int_equal(rig_getattr(rig, &e->name_handle.post_op_fh3_u.handle, &attr), NFS3_OK);
			assert_true(attr.fileid == e->fileid);
		}
		memcpy(args.cookieverf, ok->cookieverf, 8);
		pages++;
	} while (!ok->reply.eof);
	for (i = 0; i < NAMES; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(dots, 2);
	assert_true(pages > 3);
	assert_int_equal(rig->volume->now->graph->top->calls[FOP_lookup], stats);	/* never a lookup per entry */
	args.cookieverf[0] ^= 1;
	NFS(rig, READDIRPLUS, &args, &res);
	assert_int_equal(res.status, NFS3ERR_BAD_COOKIE);
	args.cookie = 0;
	args.maxcount = 100;
	NFS(rig, READDIRPLUS, &args, &res);
	assert_int_equal(res.status, NFS3ERR_TOOSMALL);
}

static void test_readdirplus(void **state)
{
	rig_run(RIG_OPEN, list_plus);
}

static uint32_t encoded_size(struct rig *rig, READDIR3res *res)
{
	static uint8_t buf[1 << 20];
	struct wire w;
	XDR xdrs;

	memset(&w, 0, sizeof(w));
	wire_encode_init(&xdrs, &w, buf, sizeof(buf), rig->arena);
	assert_true(xdr_READDIR3res(&xdrs, res));
	return (uint32_t)((uint8_t *)xdrs.x_private - buf);
}

static void coroutine_fn list_plain(struct rig *rig)
{
	READDIR3args args = { .count = 512 };
	READDIR3res res;
	READDIR3resok *ok = &res.READDIR3res_u.resok;
	unsigned total = 0, i;
	fattr3 attr, root;
	nfs_fh3 fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &args.dir), NFS3_OK);
	make_names(rig, &args.dir);
	assert_int_equal(rig_getattr(rig, &args.dir, &attr), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &rig->root, &root), NFS3_OK);
	do {
		NFS(rig, READDIR, &args, &res);
		assert_int_equal(res.status, NFS3_OK);
		assert_in_range(encoded_size(rig, &res), 1, 512 + 4);	/* @count is of what follows the status */
		for (i = 0; i < ok->reply.n; i++) {
			args.cookie = ok->reply.entries[i].cookie;
			total++;
			if (strcmp(ok->reply.entries[i].name.text, ".") == 0)
				assert_true(ok->reply.entries[i].fileid == attr.fileid);
		}
		memcpy(args.cookieverf, ok->cookieverf, 8);
	} while (!ok->reply.eof);
	assert_int_equal(total, NAMES + 2);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	args = (READDIR3args){ .dir = fh, .count = 512 };
	NFS(rig, READDIR, &args, &res);
	assert_int_equal(res.status, NFS3ERR_NOTDIR);
}

static void test_readdir(void **state)
{
	rig_run(RIG_OPEN, list_plain);
}

static void coroutine_fn unreadable_dir(struct rig *rig)
{
	READDIR3args args = { .count = 4096 };
	READDIR3res res;
	nfs_fh3 fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0711, &args.dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &args.dir, "f", 0644, &fh), NFS3_OK);
	be(rig, 1000);
	NFS(rig, READDIR, &args, &res);
	assert_int_equal(res.status, NFS3ERR_ACCES);
	assert_int_equal(rig_lookup(rig, &args.dir, "f", &fh), NFS3_OK);
	be(rig, 0);
	assert_int_equal(set_mode(rig, &args.dir, 0600), NFS3_OK);
	be(rig, 1000);
	assert_int_equal(rig_lookup(rig, &args.dir, "f", &fh), NFS3ERR_ACCES);
}

static void test_directory_permissions(void **state)
{
	rig_run(RIG_OPEN, unreadable_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_read_write_commit),
		T(test_verifier_changes_when_a_brick_restarts),
		T(test_stable_before_the_reply),
		T(test_errors_of_bricks),
		T(test_owner_reads_and_writes_whatever_the_mode),
		T(test_access_bits),
		T(test_root_is_squashed),
		T(test_all_are_squashed),
		T(test_ro_in_every_modifying_procedure),
		T(test_setattr_guard),
		T(test_figures_of_the_file_system),
		T(test_readdirplus),
		T(test_readdir),
		T(test_directory_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
