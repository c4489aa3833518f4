/* tests/unit/test_volumes.c: several volumes behind one gateway: handles, graphs that are exchanged under calls, volumes that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/unit/nfs_rig.h"

#define BOTH "/demo *(rw,no_root_squash,insecure)\n/more *(rw,no_root_squash,insecure)\n/more/sub *(ro,insecure)\n"

static const uint8_t key[MAC_KEY_SIZE] = "another key, another key, anothe";
static const char more[] =
	"volume disk\n type storage/memory\n option disk rig2\nend-volume\n"
	"volume faults\n type debug/error-gen\n option enable off\n option failure %d\n subvolumes disk\nend-volume\n%s";
#define ANOTHER "volume trace\n type debug/trace\n subvolumes faults\nend-volume\n"

static struct volfile *volfile(int failure, const char *rest)
{
	struct error err = { "" };
	char text[1024];
	struct volfile *vf;

	snprintf(text, sizeof(text), more, failure, rest);
	vf = volfile_parse(text, strlen(text), "more.vol", &err);
	if (!vf)
		fail_msg("%s", err.text);
	return vf;
}

/* The second volume, /more, on the second disk; the reference is the set's. */
static struct volume *coroutine_fn add_more(struct rig *rig)
{
	struct error err = { "" };
	struct volume *vol = volume_new(rig->loop, "more", key, &err);

	rig->gw.volumes.fixed = false;
	if (volume_start(vol, volfile(100, ""), NULL, 0, &err) < 0 || volume_set_add(&rig->gw.volumes, vol, &err) < 0)
		fail_msg("%s", err.text);
	volume_unref(vol);
	return vol;
}

static void coroutine_fn handles_lead_to_their_volumes(struct rig *rig)
{
	struct volume *vol = add_more(rig);
	nfs_fh3 root, dir, fh, forged;
	RENAME3args args;
	RENAME3res res;
	fattr3 a, b;

	assert_int_equal(rig_mount(rig, "/more", &root), MNT3_OK);
	assert_int_equal(rig_mkdir(rig, &root, "here", 0755, &dir), NFS3_OK);
	assert_int_equal(rig_lookup(rig, &rig->root, "here", &fh), NFS3ERR_NOENT);
	assert_int_equal(rig_lookup(rig, &root, "here", &fh), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &root, &a), NFS3_OK);
	assert_int_equal(rig_getattr(rig, &rig->root, &b), NFS3_OK);
	assert_int_not_equal(a.fsid, b.fsid);
	args = (RENAME3args){ { root, rig_name("here") }, { rig->root, rig_name("there") } };
	NFS(rig, RENAME, &args, &res);
	assert_int_equal(res.status, NFS3ERR_XDEV);
	forged = root;
	memcpy(forged.data + 8, rig->root.data + 8, 16);
	assert_int_equal(rig_getattr(rig, &forged, &a), NFS3ERR_BADHANDLE);
	forged.data[8] ^= 1;
	assert_int_equal(rig_getattr(rig, &forged, &a), NFS3ERR_STALE);
	assert_true(vol->calls[NFSPROC3_GETATTR] >= 1);
	assert_int_equal(rig->gw.strangers, 2);
}

static void coroutine_fn a_retired_volume_is_stale(struct rig *rig)
{
	struct volume *vol = volume_ref(add_more(rig));
	nfs_fh3 root;
	fattr3 a;

	assert_int_equal(rig_mount(rig, "/more", &root), MNT3_OK);
	volume_set_remove(&rig->gw.volumes, vol);
	volume_retire(vol);
	assert_int_equal(rig_getattr(rig, &root, &a), NFS3ERR_STALE);
	assert_int_equal(rig_mount(rig, "/more", &root), MNT3ERR_NOENT);
	assert_int_equal(rig_getattr(rig, &rig->root, &a), NFS3_OK);
	assert_int_equal(volume_wait(vol, 1), -ESTALE);
	assert_int_equal(volume_gone(vol), 0);
	volume_unref(vol);
}

/* Its file was never good: clients are to come back, and get on when it is. */
static void coroutine_fn a_nameless_volume_is_waited_for(struct rig *rig)
{
	struct volume *vol = add_more(rig), *wait;
	struct error err = { "" };
	nfs_fh3 root, forged;
	fattr3 a;

	assert_int_equal(rig_mount(rig, "/more", &root), MNT3_OK);
	volume_set_remove(&rig->gw.volumes, volume_ref(vol));
	volume_retire(vol);
	volume_unref(vol);
	wait = volume_new(rig->loop, "more", key, &err);
	assert_int_equal(volume_set_add(&rig->gw.volumes, wait, &err), 0);
	assert_int_equal(rig_getattr(rig, &root, &a), NFS3ERR_JUKEBOX);
	forged = root;
	forged.data[30] ^= 1;
	assert_int_equal(rig_getattr(rig, &forged, &a), NFS3ERR_STALE);
	assert_int_equal(volume_start(wait, volfile(100, ""), NULL, 0, &err), 0);
	assert_int_equal(volume_set_add(&rig->gw.volumes, wait, &err), 0);
	assert_int_equal(rig_getattr(rig, &root, &a), NFS3_OK);
	volume_unref(wait);
}

static void coroutine_fn names_and_ids_are_unique(struct rig *rig)
{
	struct volume *vol = add_more(rig), *other;
	struct error err = { "" };

	other = volume_new(rig->loop, "more", key, &err);
	assert_int_equal(volume_set_add(&rig->gw.volumes, other, &err), -EEXIST);
	volume_unref(other);
	err.text[0] = '\0';
	other = volume_new(rig->loop, "third", key, &err);
	assert_int_equal(volume_start(other, volfile(100, ""), vol->id, 0, &err), 0);
	assert_int_equal(volume_set_add(&rig->gw.volumes, other, &err), -EEXIST);
	assert_non_null(strstr(err.text, "volume-id of more"));
	volume_retire(other);
	assert_int_equal(volume_gone(other), 0);
	volume_unref(other);
}

static void coroutine_fn options_change_in_place(struct rig *rig)
{
	struct volume *vol = add_more(rig);
	struct volume_graph *vg = vol->now;
	struct error err = { "" };
	uint8_t verifier[8];

	memcpy(verifier, vol->verifier, 8);
	assert_int_equal(volume_change(vol, volfile(100, ""), 0, &err), 0);
	assert_int_equal(volume_change(vol, volfile(50, ""), 0, &err), 1);
	assert_int_equal(volume_change(vol, volfile(200, ""), 0, &err), -ERANGE);
	assert_non_null(strstr(err.text, "more.vol: volume faults: option failure: expected a number from 0 to 100"));
	assert_ptr_equal(vol->now, vg);
	assert_memory_equal(vol->verifier, verifier, 8);
	assert_string_equal(volfile_option(vg->vf, 1, "failure"), "50");
	err.text[0] = '\0';
	assert_int_equal(volume_change(vol, volfile(50, "volume x\n type debug/trace\n option volume-id "
					       "6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f\n subvolumes faults\nend-volume\n"), 0, &err), -EREMOTE);
	assert_ptr_equal(vol->now, vg);
}

static void coroutine_fn a_graph_goes_with_its_last_call(struct rig *rig)
{
	struct volume *vol = add_more(rig);
	struct volume_graph *vg = volume_hold(vol);
	struct error err = { "" };
	uint8_t verifier[8];
	nfs_fh3 root, fh;
	WRITE3res w;
	unsigned i;

	assert_int_equal(rig_mount(rig, "/more", &root), MNT3_OK);
	assert_int_equal(rig_create(rig, &root, "kept", 0644, &fh), NFS3_OK);
	memcpy(verifier, vol->verifier, 8);
	assert_int_equal(volume_change(vol, volfile(100, ANOTHER), loop_now_ns(rig->loop) + 1000000000, &err), 1);
	assert_ptr_not_equal(vol->now, vg);
	assert_int_equal(vol->graphs, 2);
	assert_memory_not_equal(vol->verifier, verifier, 8);
	assert_int_equal(rig_write(rig, &fh, 0, "x", 1, FILE_SYNC, &w), NFS3_OK);
	assert_memory_equal(w.WRITE3res_u.resok.verf, vol->verifier, 8);
	volume_let_go(vg);
	for (i = 0; i < 1000 && vol->graphs > 1; i++)
		co_sleep_ns(1000000);
	assert_int_equal(vol->graphs, 1);
	assert_int_equal(volume_change(vol, volfile(100, "volume s\n type features/shard\n subvolumes faults\nend-volume\n"), 0, &err),
			 -EOPNOTSUPP);
	assert_int_equal(vol->graphs, 1);
}

/* More exports than a connection remembers verdicts of, in turns: each call is judged by its own. */
static void coroutine_fn verdicts_do_not_mix(struct rig *rig)
{
	nfs_fh3 dirs[2 * CONN_VERDICTS], fh;
	char path[32];
	unsigned i, round;

	for (i = 0; i < 2 * CONN_VERDICTS; i++) {
		snprintf(path, sizeof(path), "d%u", i);
		assert_int_equal(rig_mkdir(rig, &rig->root, path, 0777, &fh), NFS3_OK);
		snprintf(path, sizeof(path), "/demo/d%u", i);
		assert_int_equal(rig_mount(rig, path, &dirs[i]), MNT3_OK);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2 * CONN_VERDICTS; i++) {
			snprintf(path, sizeof(path), "f%u", round);
			assert_int_equal(rig_create(rig, &dirs[i], path, 0644, &fh), i % 2 ? NFS3ERR_ROFS : NFS3_OK);
		}
	}
}

#define CASE(name, exports) static void test_##name(void **state) { rig_disk(); rig_run(exports, name); rig_disk_free(); }
CASE(handles_lead_to_their_volumes, BOTH)
CASE(a_retired_volume_is_stale, BOTH)
CASE(a_nameless_volume_is_waited_for, BOTH)
CASE(names_and_ids_are_unique, BOTH)
CASE(options_change_in_place, BOTH)
CASE(a_graph_goes_with_its_last_call, BOTH)

static void test_verdicts_do_not_mix(void **state)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	fputs(RIG_OPEN, f);
	for (i = 0; i < 2 * CONN_VERDICTS; i++)
		fprintf(f, "/demo/d%u *(%s,no_root_squash,insecure)\n", i, i % 2 ? "ro" : "rw");
	fclose(f);
	rig_disk();
	rig_run(text, verdicts_do_not_mix);
	rig_disk_free();
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handles_lead_to_their_volumes),
		cmocka_unit_test(test_a_retired_volume_is_stale),
		cmocka_unit_test(test_a_nameless_volume_is_waited_for),
		cmocka_unit_test(test_names_and_ids_are_unique),
		cmocka_unit_test(test_options_change_in_place),
		cmocka_unit_test(test_a_graph_goes_with_its_last_call),
		cmocka_unit_test(test_verdicts_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
