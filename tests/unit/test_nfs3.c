/* tests/unit/test_nfs3.c: the procedures of NFSv3 and MOUNT as a client sees them, error paths included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "rpcgen/mount3.h"
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

/* --- MOUNT and handles --- */

static void coroutine_fn mount_statuses(struct rig *rig)
{
	nfs_fh3 fh, sub;

	assert_int_equal(rig->result, MNT3_OK);
	assert_in_range(rig->root.len, 16, 64);
	assert_int_equal(rig_mkdir(rig, &rig->root, "sub", 0750, &sub), NFS3_OK);
	assert_int_equal(rig_create(rig, &sub, "file", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &fh), MNT3_OK);
	assert_memory_equal(fh.data, sub.data, 16);
	assert_int_equal(rig_mount(rig, "/demo//sub/", &fh), MNT3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub/file", &fh), MNT3ERR_NOTDIR);
	assert_int_equal(rig_mount(rig, "/demo/none", &fh), MNT3ERR_NOENT);
	assert_int_equal(rig_mount(rig, "/demo/..", &fh), MNT3ERR_ACCES);
	assert_int_equal(rig_mount(rig, "/other", &fh), MNT3ERR_NOENT);
	assert_int_equal(rig_mount(rig, "demo", &fh), MNT3ERR_NOENT);
}

static void test_mount_statuses(void **state)
{
	rig_run(RIG_OPEN, mount_statuses);
}

static void coroutine_fn mount_lists(struct rig *rig)
{
	dirpath path = { 5, (char *)"/demo" };
	mountlist list = { 0 };
	exports exported = { 0 };

	assert_int_equal(rig_call(rig, &mount3_program, MOUNTPROC3_DUMP, NULL, &list), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.entries[0].ml_hostname.text, "127.0.0.1");
	assert_string_equal(list.entries[0].ml_directory.text, "/demo");
	assert_int_equal(rig_call(rig, &mount3_program, MOUNTPROC3_EXPORT, NULL, &exported), 0);
	assert_int_equal(exported.n, 2);
	assert_string_equal(exported.entries[0].ex_dir.text, "/demo");
	assert_int_equal(exported.entries[0].ex_groups.n, 2);
	assert_string_equal(exported.entries[0].ex_groups.names[1].text, "192.0.2.0/24");
	assert_int_equal(rig_call(rig, &mount1_program, MOUNTPROC3_UMNT, &path, NULL), 0);
	assert_int_equal(rig_call(rig, &mount1_program, MOUNTPROC3_DUMP, NULL, &list), 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(rig_mount(rig, "/demo", &rig->root), MNT3_OK);
	assert_int_equal(rig_call(rig, &mount3_program, MOUNTPROC3_UMNTALL, NULL, NULL), 0);
	assert_int_equal(mount_list_count(rig->gw.mounts), 0);
}

static void test_mount_lists(void **state)
{
	rig_run("/demo *(rw,no_root_squash,insecure) 192.0.2.0/24\n/demo/x *\n", mount_lists);
}

static void coroutine_fn mount1_is_refused(struct rig *rig)
{
	dirpath path = { 5, (char *)"/demo" };
	fhstatus res = { 0 };

	assert_int_equal(rig_call(rig, &mount1_program, MOUNTPROC3_MNT, &path, &res), 0);
	assert_int_equal(res.fhs_status, EACCES);
}

static void test_mount1_is_refused(void **state)
{
	rig_run(RIG_OPEN, mount1_is_refused);
}

static void coroutine_fn strangers(struct rig *rig)
{
	nfs_fh3 fh;

	assert_int_equal(rig->result, MNT3ERR_ACCES);
	assert_int_equal(rig_mount(rig, "/demo/none", &fh), MNT3ERR_ACCES);
}

static void test_strangers_are_refused(void **state)
{
	rig_run("/demo 192.0.2.0/24(rw,insecure)\n", strangers);
	rig_run("/demo *(rw)\n", strangers);		/* our port is not below 1024 */
}

static void coroutine_fn named_host(struct rig *rig)
{
	nfs_fh3 fh;

	assert_int_equal(rig->result, MNT3ERR_ACCES);	/* not resolved yet */
	assert_true(export_set_resolve(rig->gw.exports));
	assert_int_equal(rig_mount(rig, "/demo", &fh), MNT3_OK);
	assert_false(export_set_resolve(rig->gw.exports));
}

static void coroutine_fn pattern_matches(struct rig *rig)
{
	assert_int_equal(rig->result, MNT3_OK);
}

static void coroutine_fn pattern_differs(struct rig *rig)
{
	assert_int_equal(rig->result, MNT3ERR_ACCES);
}

/* What the resolver of this machine calls 127.0.0.1, or NULL. */
static const char *own_name(char *buf, size_t size)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;
	bool back;

	if (getnameinfo((struct sockaddr *)&in, sizeof(in), buf, (socklen_t)size, NULL, 0, NI_NAMEREQD))
		return NULL;
	if (getaddrinfo(buf, NULL, &hints, &ai))
		return NULL;
	back = ((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr == in.sin_addr.s_addr;
	freeaddrinfo(ai);
	return back ? buf : NULL;
}

static void test_host_names(void **state)
{
	char name[200], text[300];

	if (!own_name(name, sizeof(name)))
		skip();
	snprintf(text, sizeof(text), "/demo %s(rw,insecure)\n", name);
	rig_run(text, named_host);
	snprintf(text, sizeof(text), "/demo %.3s*(rw,insecure)\n", name);
	rig_run(text, pattern_matches);
	rig_run("/demo *.example.org(rw,insecure)\n", pattern_differs);
}

static nfs_fh3 kept;

static void coroutine_fn keep_root(struct rig *rig)
{
	kept = rig->root;
}

static void coroutine_fn use_kept(struct rig *rig)
{
	fattr3 attr;

	assert_int_equal(rig_getattr(rig, &kept, &attr), NFS3ERR_ACCES);
}

static void coroutine_fn use_kept_of_no_export(struct rig *rig)
{
	fattr3 attr;

	assert_int_equal(rig_getattr(rig, &kept, &attr), NFS3ERR_STALE);
}

static void test_every_procedure_asks_the_evaluator(void **state)
{
	rig_run(RIG_OPEN, keep_root);
	rig_run("/demo 192.0.2.0/24(rw,insecure)\n", use_kept);
	rig_run("/demo/sub *(rw,insecure)\n", use_kept_of_no_export);
}

static void coroutine_fn bad_handles(struct rig *rig)
{
	nfs_fh3 fh = rig->root, gone;
	REMOVE3args rm = { .object = { rig->root, rig_name("f") } };
	REMOVE3res rmres;
	fattr3 attr;

	fh.data[30] ^= 1;
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3ERR_BADHANDLE);
	fh = rig->root;
	fh.len = 20;
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3ERR_BADHANDLE);
	fh.len = 0;
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3ERR_BADHANDLE);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &gone), NFS3_OK);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3_OK);
	assert_int_equal(rig_getattr(rig, &gone, &attr), NFS3ERR_STALE);
}

static void test_bad_handles(void **state)
{
	rig_run(RIG_OPEN, bad_handles);
}

/* --- names --- */

static void coroutine_fn lookup_rules(struct rig *rig)
{
	nfs_fh3 dir, file, found;
	fattr3 a, b;
	char longest[257];

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	assert_int_equal(rig_create(rig, &dir, "f", 0644, &file), NFS3_OK);
	assert_int_equal(rig_lookup(rig, &dir, "f", &found), NFS3_OK);
	assert_memory_equal(found.data, file.data, file.len);
	assert_int_equal(rig_lookup(rig, &dir, ".", &found), NFS3_OK);
	assert_memory_equal(found.data, dir.data, dir.len);
	assert_int_equal(rig_lookup(rig, &dir, "..", &found), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &found, &a), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &rig->root, &b), NFS3_OK);
	assert_int_equal(a.fileid, b.fileid);
	assert_int_equal(rig_lookup(rig, &rig->root, "..", &found), NFS3_OK);
	assert_memory_equal(found.data, rig->root.data, rig->root.len);
	assert_int_equal(rig_lookup(rig, &dir, "none", &found), NFS3ERR_NOENT);
	assert_int_equal(rig_lookup(rig, &file, "x", &found), NFS3ERR_NOTDIR);
	assert_int_equal(rig_lookup(rig, &dir, "a/b", &found), NFS3ERR_INVAL);
	assert_int_equal(rig_lookup(rig, &dir, "", &found), NFS3ERR_ACCES);
	memset(longest, 'n', 256);
	longest[256] = '\0';
	assert_int_equal(rig_lookup(rig, &dir, longest, &found), NFS3ERR_NAMETOOLONG);
	longest[255] = '\0';
	assert_int_equal(rig_create(rig, &dir, longest, 0644, &found), NFS3_OK);
}

static void test_lookup_rules(void **state)
{
	rig_run(RIG_OPEN, lookup_rules);
}

static void coroutine_fn above_the_root(struct rig *rig)
{
	nfs_fh3 sub, found;

	assert_int_equal(rig_mkdir(rig, &rig->root, "sub", 0755, &sub), NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &sub), MNT3_OK);
	assert_int_equal(rig_lookup(rig, &sub, "..", &found), NFS3_OK);
	assert_memory_equal(found.data, sub.data, sub.len);
}

static void test_never_above_the_exports_root(void **state)
{
	rig_run("/demo *(rw,no_root_squash,insecure)\n/demo/sub *(rw,no_root_squash,insecure)\n", above_the_root);
}

static void coroutine_fn dots(struct rig *rig)
{
	REMOVE3args rm = { .object = { rig->root, rig_name(".") } };
	RMDIR3args rd = { .object = { rig->root, rig_name(".") } };
	RENAME3args mv = { .from = { rig->root, rig_name("a") }, .to = { rig->root, rig_name("..") } };
	filename3 nul = { 3, (char *)"a\0b" };
	CREATE3args cr = { .where = { rig->root, nul } };
	REMOVE3res rmres;
	RMDIR3res rdres;
	RENAME3res mvres;
	CREATE3res crres;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, ".", 0644, &fh), NFS3ERR_EXIST);
	assert_int_equal(rig_mkdir(rig, &rig->root, "..", 0755, &fh), NFS3ERR_EXIST);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3ERR_ACCES);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_INVAL);
	rd.object.name = rig_name("..");
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_EXIST);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_INVAL);
	NFS(rig, CREATE, &cr, &crres);
	assert_int_equal(crres.status, NFS3ERR_INVAL);
}

static void test_dots_and_nul(void **state)
{
	rig_run(RIG_OPEN, dots);
}

/* --- making --- */

static void coroutine_fn create_modes(struct rig *rig)
{
	CREATE3args args = { .where = { rig->root, rig_name("f") }, .how.mode = UNCHECKED };
	sattr3 *set = &args.how.createhow3_u.obj_attributes;
	CREATE3res res;
	WRITE3res wres;
	fattr3 attr;
	nfs_fh3 fh;

	set->mode = (set_mode3){ .set_it = TRUE, .set_mode3_u.mode = 0640 };
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_true(res.CREATE3res_u.resok.dir_wcc.before.attributes_follow);
	assert_true(res.CREATE3res_u.resok.dir_wcc.after.attributes_follow);
	fh = res.CREATE3res_u.resok.obj.post_op_fh3_u.handle;
	assert_int_equal(rig_write(rig, &fh, 0, "hello", 5, FILE_SYNC, &wres), NFS3_OK);
	set->mode.set_mode3_u.mode = 0777;
	NFS(rig, CREATE, &args, &res);		/* exists: neither mode nor content change */
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3_OK);
	assert_int_equal(attr.mode, 0640);
	assert_int_equal(attr.size, 5);
	set->size = (set_size3){ .set_it = TRUE };
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(res.CREATE3res_u.resok.obj_attributes.post_op_attr_u.attributes.size, 0);
	args.how.mode = GUARDED;
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3ERR_EXIST);
	assert_true(res.CREATE3res_u.resfail.dir_wcc.after.attributes_follow);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &fh), NFS3_OK);
	args.how.mode = UNCHECKED;
	args.where.name = rig_name("d");
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3ERR_EXIST);
}

static void test_create_modes(void **state)
{
	rig_run(RIG_OPEN, create_modes);
}

static void coroutine_fn exclusive(struct rig *rig)
{
	CREATE3args args = { .where = { rig->root, rig_name("x") }, .how.mode = EXCLUSIVE };
	CREATE3res res;
	uint64_t id;
	int i;

	memcpy(args.how.createhow3_u.verf, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	id = res.CREATE3res_u.resok.obj_attributes.post_op_attr_u.attributes.fileid;
	NFS(rig, CREATE, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(res.CREATE3res_u.resok.obj_attributes.post_op_attr_u.attributes.fileid, id);
	for (i = 0; i < 64; i++) {
		args.how.createhow3_u.verf[i / 8] ^= (char)(1 << (i % 8));
		NFS(rig, CREATE, &args, &res);
		assert_int_equal(res.status, NFS3ERR_EXIST);
		args.how.createhow3_u.verf[i / 8] ^= (char)(1 << (i % 8));
	}
}

static void test_exclusive_keeps_every_bit(void **state)
{
	rig_run(RIG_OPEN, exclusive);
}

static uint64_t made_id;
static MKDIR3args made_args;

static void coroutine_fn make_once(struct rig *rig)
{
	MKDIR3res res;

	made_args = (MKDIR3args){ .where = { rig->root, rig_name("once") } };
	memset(&res, 0, sizeof(res));
	assert_int_equal(rig_raw(rig, 77, NFSPROC3_MKDIR, &made_args, &res), 0);
	assert_int_equal(res.status, NFS3_OK);
	made_id = res.MKDIR3res_u.resok.obj_attributes.post_op_attr_u.attributes.fileid;
	memset(&res, 0, sizeof(res));		/* the cache of replies answers */
	assert_int_equal(rig_raw(rig, 77, NFSPROC3_MKDIR, &made_args, &res), 0);
	assert_int_equal(res.status, NFS3_OK);
}

static void coroutine_fn make_again(struct rig *rig)
{
	MKDIR3res res;

	memset(&res, 0, sizeof(res));
	assert_int_equal(rig_raw(rig, 77, NFSPROC3_MKDIR, &made_args, &res), 0);
	assert_int_equal(res.status, NFS3_OK);
	assert_true(res.MKDIR3res_u.resok.obj_attributes.post_op_attr_u.attributes.fileid == made_id);
	memset(&res, 0, sizeof(res));
	assert_int_equal(rig_raw(rig, 78, NFSPROC3_MKDIR, &made_args, &res), 0);
	assert_int_equal(res.status, NFS3ERR_EXIST);
}

static void test_retransmission_after_a_restart(void **state)
{
	rig_run(RIG_OPEN, make_once);
	rig_run(RIG_OPEN, make_again);		/* another gateway with the same key, an empty cache of replies */
}

static LINK3args link_args;

static void coroutine_fn link_once(struct rig *rig)
{
	LINK3res res;
	nfs_fh3 fh;

	assert_int_equal(rig_create(rig, &rig->root, "first", 0644, &fh), NFS3_OK);
	link_args = (LINK3args){ .file = fh, .link = { rig->root, rig_name("second") } };
	NFS(rig, LINK, &link_args, &res);
	assert_int_equal(res.status, NFS3_OK);
	NFS(rig, LINK, &link_args, &res);	/* another call, with another xid: not the same one again */
	assert_int_equal(res.status, NFS3ERR_EXIST);
	assert_true(res.LINK3res_u.resfail.linkdir_wcc.after.attributes_follow);
	co_sleep_ns(200000000);
}

static void coroutine_fn link_again(struct rig *rig)
{
	LINK3args other = link_args;
	LINK3res res;
	nfs_fh3 fh;

	NFS(rig, LINK, &link_args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(res.LINK3res_u.resok.file_attributes.post_op_attr_u.attributes.nlink, 2);
	assert_int_equal(rig_create(rig, &rig->root, "third", 0644, &fh), NFS3_OK);
	other.file = fh;
	NFS(rig, LINK, &other, &res);
	assert_int_equal(res.status, NFS3ERR_EXIST);
}

static void test_link_retransmitted_after_a_restart(void **state)
{
	rig_run(RIG_OPEN, link_once);
	rig_run(RIG_OPEN, link_again);
}

/* Done, but the answer says that the bricks are away. The client comes back under another xid. */
static void coroutine_fn in_doubt(struct rig *rig)
{
	REMOVE3args rm = { .object = { rig->root, rig_name("f") } };
	RMDIR3args rd = { .object = { rig->root, rig_name("d") } };
	RENAME3args mv = { .from = { rig->root, rig_name("f") }, .to = { rig->root, rig_name("g") } };
	LINK3args ln = { .link = { rig->root, rig_name("l") } };
	REMOVE3res rmres;
	RMDIR3res rdres;
	RENAME3res mvres;
	LINK3res lnres;
	nfs_fh3 dir, file, again;

	rig_fault(rig, "mkdir,create,link,rename,unlink,rmdir", "ENOTCONN", true);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3ERR_JUKEBOX);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &file), NFS3ERR_JUKEBOX);
	rig_fault(rig, NULL, NULL, false);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0700, &dir), NFS3ERR_EXIST);	/* another's, not the one in doubt */
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3ERR_EXIST);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &file), NFS3_OK);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &again), NFS3ERR_EXIST);
	ln.file = file;
	rig_fault(rig, "mkdir,create,link,rename,unlink,rmdir", "ENOTCONN", true);
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3ERR_JUKEBOX);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_JUKEBOX);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_JUKEBOX);
	rig_fault(rig, NULL, NULL, false);
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3_OK);
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3ERR_EXIST);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3_OK);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_NOENT);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3_OK);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_NOENT);
	rm.object.name = rig_name("g");
	rig_fault(rig, "unlink", "ENOTCONN", true);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3ERR_JUKEBOX);
	rig_fault(rig, NULL, NULL, false);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3_OK);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3ERR_NOENT);
}

static void test_what_was_in_doubt_is_settled(void **state)
{
	rig_run(RIG_OPEN, in_doubt);
}

/* Put off before any brick was asked: nothing has happened, and the call that comes again is a new one. */
static void coroutine_fn not_sent(struct rig *rig)
{
	REMOVE3args rm = { .object = { rig->root, rig_name("never-was") } };
	RMDIR3args rd = { .object = { rig->root, rig_name("never-was") } };
	RENAME3args mv = { .from = { rig->root, rig_name("never-was") }, .to = { rig->root, rig_name("there") } };
	LINK3args ln = { .link = { rig->root, rig_name("name") } };
	nfs_fh3 there, dir;
	REMOVE3res rmres;
	RMDIR3res rdres;
	RENAME3res mvres;
	LINK3res lnres;

	assert_int_equal(rig_create(rig, &rig->root, "there", 0644, &there), NFS3_OK);
	ln.file = there;
	rig_fault(rig, "mkdir,link,rename,unlink,rmdir", "ENOTCONN", false);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3ERR_JUKEBOX);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_JUKEBOX);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_JUKEBOX);
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3ERR_JUKEBOX);
	assert_int_equal(rig_mkdir(rig, &rig->root, "name", 0755, &dir), NFS3ERR_JUKEBOX);
	rig_fault(rig, NULL, NULL, false);
	NFS(rig, REMOVE, &rm, &rmres);
	assert_int_equal(rmres.status, NFS3ERR_NOENT);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_NOENT);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_NOENT);
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3_OK);
	assert_int_equal(rig_mkdir(rig, &rig->root, "name", 0755, &dir), NFS3ERR_EXIST);
}

static void test_what_was_not_sent_is_not_in_doubt(void **state)
{
	rig_run(RIG_OPEN, not_sent);
}

static void coroutine_fn removed_directory(struct rig *rig)
{
	RMDIR3args rd = { .object = { rig->root, rig_name("d") } };
	FSSTAT3args fs;
	FSINFO3args info;
	FSSTAT3res fsres;
	FSINFO3res infores;
	RMDIR3res rdres;
	nfs_fh3 dir;

	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	fs.fsroot = info.fsroot = dir;
	NFS(rig, FSSTAT, &fs, &fsres);
	assert_int_equal(fsres.status, NFS3_OK);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3_OK);
	NFS(rig, FSSTAT, &fs, &fsres);
	assert_int_equal(fsres.status, NFS3ERR_STALE);
	NFS(rig, FSINFO, &info, &infores);
	assert_int_equal(infores.status, NFS3ERR_STALE);
}

static void test_fsstat_of_what_was_removed(void **state)
{
	rig_run(RIG_OPEN, removed_directory);
}

static void coroutine_fn anonymous(struct rig *rig)
{
	nfs_fh3 fh;

	rig->cred.flavor = RPC_FLAVOR_NONE;
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &fh), NFS3ERR_ACCES);
	assert_int_equal(rig_lookup(rig, &rig->root, "none", &fh), NFS3ERR_NOENT);
}

static void test_auth_none_is_nobody(void **state)
{
	rig_run(RIG_OPEN, anonymous);
}

static void coroutine_fn exported_dir_made_anew(struct rig *rig)
{
	RMDIR3args rd = { .object = { rig->root, rig_name("sub") } };
	RMDIR3res rdres;
	nfs_fh3 old, sub, fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "sub", 0755, &old), NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &sub), MNT3_OK);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &sub), MNT3ERR_NOENT);
	assert_int_equal(rig_mkdir(rig, &rig->root, "sub", 0755, &old), NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &sub), MNT3_OK);
	assert_int_equal(rig_mkdir(rig, &sub, "x", 0755, &fh), NFS3_OK);
}

static void test_exported_dir_made_anew(void **state)
{
	rig_run("/demo *(rw,no_root_squash,insecure)\n/demo/sub *(rw,no_root_squash,insecure)\n",
		exported_dir_made_anew);
}

static void coroutine_fn other_exports(struct rig *rig)
{
	RENAME3args mv = { .from = { rig->root, rig_name("f") } };
	LINK3args ln = { .link = { rig->root, rig_name("g") } };
	RENAME3res mvres;
	LINK3res lnres;
	nfs_fh3 sub, fh;

	assert_int_equal(rig_mkdir(rig, &rig->root, "sub", 0755, &sub), NFS3_OK);
	assert_int_equal(rig_create(rig, &rig->root, "f", 0644, &fh), NFS3_OK);
	assert_int_equal(rig_mount(rig, "/demo/sub", &sub), MNT3_OK);
	mv.to = (diropargs3){ sub, rig_name("f") };
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_XDEV);
	assert_int_equal(rig_create(rig, &sub, "h", 0644, &fh), NFS3_OK);
	ln.file = fh;
	NFS(rig, LINK, &ln, &lnres);
	assert_int_equal(lnres.status, NFS3ERR_XDEV);
}

static void test_exports_are_devices(void **state)
{
	rig_run("/demo *(rw,no_root_squash,insecure)\n/demo/sub *(rw,no_root_squash,insecure)\n", other_exports);
}

static void coroutine_fn special_files(struct rig *rig)
{
	MKNOD3args args = { .where = { rig->root, rig_name("dev") }, .what.type = NF3CHR };
	MKNOD3res res;
	fattr3 *attr = &res.MKNOD3res_u.resok.obj_attributes.post_op_attr_u.attributes;

	args.what.mknoddata3_u.device.spec = (specdata3){ 4, 300 };
	NFS(rig, MKNOD, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(attr->type, NF3CHR);
	assert_int_equal(attr->rdev.specdata1, 4);
	assert_int_equal(attr->rdev.specdata2, 300);
	args.where.name = rig_name("fifo");
	args.what.type = NF3FIFO;
	NFS(rig, MKNOD, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(attr->type, NF3FIFO);
	args.where.name = rig_name("sock");
	args.what.type = NF3SOCK;
	NFS(rig, MKNOD, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_int_equal(attr->type, NF3SOCK);
	args.what.type = NF3REG;
	NFS(rig, MKNOD, &args, &res);
	assert_int_equal(res.status, NFS3ERR_BADTYPE);
}

static void test_special_files(void **state)
{
	rig_run(RIG_OPEN, special_files);
}

static void coroutine_fn symlinks(struct rig *rig)
{
	SYMLINK3args args = { .where = { rig->root, rig_name("l") }, .symlink.symlink_data = rig_name("to/where") };
	READLINK3args rargs;
	READLINK3res rres;
	SETATTR3args sargs;
	SETATTR3res sres;
	SYMLINK3res res;
	fattr3 attr;
	nfs_fh3 fh;

	NFS(rig, SYMLINK, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	fh = res.SYMLINK3res_u.resok.obj.post_op_fh3_u.handle;
	rargs.symlink = fh;
	NFS(rig, READLINK, &rargs, &rres);
	assert_int_equal(rres.status, NFS3_OK);
	assert_string_equal(rres.READLINK3res_u.resok.data.text, "to/where");
	memset(&sargs, 0, sizeof(sargs));
	sargs.object = fh;
	sargs.new_attributes.mtime = (set_mtime){ .set_it = SET_TO_CLIENT_TIME, .set_mtime_u.mtime = { 1000000, 5 } };
	NFS(rig, SETATTR, &sargs, &sres);
	assert_int_equal(sres.status, NFS3_OK);
	assert_int_equal(rig_getattr(rig, &fh, &attr), NFS3_OK);
	assert_int_equal(attr.mtime.seconds, 1000000);
	rargs.symlink = rig->root;
	NFS(rig, READLINK, &rargs, &rres);
	assert_int_equal(rres.status, NFS3ERR_INVAL);
	assert_true(rres.READLINK3res_u.resfail.symlink_attributes.attributes_follow);
	args.symlink.symlink_data = rig_name("");
	NFS(rig, SYMLINK, &args, &res);
	assert_int_equal(res.status, NFS3ERR_INVAL);
}

static void test_symlinks(void **state)
{
	rig_run(RIG_OPEN, symlinks);
}

static void coroutine_fn links_and_renames(struct rig *rig)
{
	LINK3args largs = { .link = { rig->root, rig_name("b") } };
	RENAME3args mv = { .from = { rig->root, rig_name("b") } };
	RMDIR3args rd = { .object = { rig->root, rig_name("d") } };
	nfs_fh3 file, dir, found;
	LINK3res lres;
	RENAME3res mvres;
	RMDIR3res rdres;

	assert_int_equal(rig_create(rig, &rig->root, "a", 0644, &file), NFS3_OK);
	assert_int_equal(rig_mkdir(rig, &rig->root, "d", 0755, &dir), NFS3_OK);
	largs.file = file;
	NFS(rig, LINK, &largs, &lres);
	assert_int_equal(lres.status, NFS3_OK);
	assert_int_equal(lres.LINK3res_u.resok.file_attributes.post_op_attr_u.attributes.nlink, 2);
	assert_true(lres.LINK3res_u.resok.linkdir_wcc.after.attributes_follow);
	largs.file = dir;
	NFS(rig, LINK, &largs, &lres);
	assert_int_equal(lres.status, NFS3ERR_INVAL);
	mv.to = (diropargs3){ dir, rig_name("c") };
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3_OK);
	assert_true(mvres.RENAME3res_u.resok.fromdir_wcc.before.attributes_follow);
	assert_true(mvres.RENAME3res_u.resok.todir_wcc.after.attributes_follow);
	assert_int_equal(rig_lookup(rig, &dir, "c", &found), NFS3_OK);
	NFS(rig, RENAME, &mv, &mvres);
	assert_int_equal(mvres.status, NFS3ERR_NOENT);
	assert_true(mvres.RENAME3res_u.resfail.fromdir_wcc.after.attributes_follow);
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_NOTEMPTY);
	rd.object.name = rig_name("a");
	NFS(rig, RMDIR, &rd, &rdres);
	assert_int_equal(rdres.status, NFS3ERR_NOTDIR);
}

static void test_links_and_renames(void **state)
{
	rig_run(RIG_OPEN, links_and_renames);
}

/* --- one handle for one object, however it was found --- */

#define OBJECTS 24

static nfs_fh3 handles[OBJECTS];

static void coroutine_fn same_handles(struct rig *rig, const nfs_fh3 *dir)
{
	READDIRPLUS3args args = { .dir = *dir, .dircount = 65536, .maxcount = 65536 };
	READDIRPLUS3res res;
	dirlistplus3 *list = &res.READDIRPLUS3res_u.resok.reply;
	unsigned i, n, seen = 0;
	char name[16];
	nfs_fh3 fh;

	NFS(rig, READDIRPLUS, &args, &res);
	assert_int_equal(res.status, NFS3_OK);
	assert_true(list->eof);
	for (i = 0; i < list->n; i++) {
		if (sscanf(list->entries[i].name.text, "n%u", &n) != 1)
			continue;
		seen++;
		if (!list->entries[i].name_handle.handle_follows) {	/* a directory: no single brick knows all of it */
			assert_int_equal(n % 3, 1);
			continue;
		}
		assert_memory_equal(&list->entries[i].name_handle.post_op_fh3_u.handle, &handles[n], sizeof(fh));
	}
	assert_int_equal(seen, OBJECTS);
	for (i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		memset(&fh, 0, sizeof(fh));
		assert_int_equal(rig_lookup(rig, dir, name, &fh), NFS3_OK);
		assert_memory_equal(&fh, &handles[i], sizeof(fh));
	}
}

static nfsstat3 coroutine_fn make_object(struct rig *rig, unsigned i, const char *name, nfs_fh3 *ret_fh)
{
	SYMLINK3args args = { .where = { rig->root, rig_name(name) }, .symlink.symlink_data = rig_name("to") };
	SYMLINK3res res;

	if (i % 3 == 0)
		return rig_create(rig, &rig->root, name, 0644, ret_fh);
	if (i % 3 == 1)
		return rig_mkdir(rig, &rig->root, name, 0755, ret_fh);
	NFS(rig, SYMLINK, &args, &res);
	*ret_fh = res.SYMLINK3res_u.resok.obj.post_op_fh3_u.handle;
	return res.status;
}

static void coroutine_fn make_and_look(struct rig *rig)
{
	RENAME3args mv = { .from = { .dir = rig->root }, .to = { .dir = rig->root } };
	RENAME3res mvres;
	char name[16], moved[16];
	unsigned i;

	for (i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), i % 2 ? "n%u" : "old%u", i);
		assert_int_equal(make_object(rig, i, name, &handles[i]), NFS3_OK);
		if (i % 2)
			continue;
		snprintf(moved, sizeof(moved), "n%u", i);	/* many of these hash to the other subvolume */
		mv.from.name = rig_name(name);
		mv.to.name = rig_name(moved);
		NFS(rig, RENAME, &mv, &mvres);
		assert_int_equal(mvres.status, NFS3_OK);
	}
	same_handles(rig, &rig->root);
}

static void coroutine_fn look_again(struct rig *rig)
{
	fattr3 attr;
	unsigned i;

	for (i = 0; i < OBJECTS; i += 5)
		assert_int_equal(rig_getattr(rig, &handles[i], &attr), NFS3_OK);
	same_handles(rig, &rig->root);
}

static void test_one_handle_for_one_object(void **state)
{
	rig_volfile = "volume a\n type storage/memory\n option disk rig\nend-volume\n"
		      "volume b\n type storage/memory\n option disk rig2\nend-volume\n"
		      "volume la\n type features/locks\n subvolumes a\nend-volume\n"
		      "volume lb\n type features/locks\n subvolumes b\nend-volume\n"
		      "volume demo\n type cluster/distribute\n subvolumes la lb\nend-volume\n";
	rig_run(RIG_OPEN, make_and_look);
	rig_run(RIG_OPEN, look_again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_mount_statuses),
		T(test_mount_lists),
		T(test_mount1_is_refused),
		T(test_strangers_are_refused),
		T(test_host_names),
		T(test_every_procedure_asks_the_evaluator),
		T(test_bad_handles),
		T(test_lookup_rules),
		T(test_never_above_the_exports_root),
		T(test_dots_and_nul),
		T(test_create_modes),
		T(test_exclusive_keeps_every_bit),
		T(test_retransmission_after_a_restart),
		T(test_link_retransmitted_after_a_restart),
		T(test_what_was_in_doubt_is_settled),
		T(test_what_was_not_sent_is_not_in_doubt),
		T(test_fsstat_of_what_was_removed),
		T(test_auth_none_is_nobody),
		T(test_exported_dir_made_anew),
		T(test_exports_are_devices),
		T(test_special_files),
		T(test_symlinks),
		T(test_links_and_renames),
		T(test_one_handle_for_one_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
