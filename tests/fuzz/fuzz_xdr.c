/* Every type of the wire: what decodes must encode again, to something that decodes to the same bytes, within the
 * memory its size justifies.
 *
 * The first two bytes choose the type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcgen/gluster4.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"

#define RECORD_MAX (64u << 10)
#define OUT_MAX (4 * RECORD_MAX)
#define ARENA_LIMIT (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T(name) { (xdrproc_t)xdr_##name, sizeof(name), #name }
static const struct { xdrproc_t proc; size_t size; const char *name; } types[] = {
	T(specdata3), T(nfstime3), T(fattr3), T(post_op_attr), T(wcc_attr), T(pre_op_attr), T(wcc_data),
	T(post_op_fh3), T(set_mode3), T(set_uid3), T(set_gid3), T(set_size3), T(set_atime), T(set_mtime), T(sattr3),
	T(diropargs3), T(GETATTR3args), T(GETATTR3resok), T(GETATTR3res), T(sattrguard3), T(SETATTR3args),
	T(SETATTR3resok), T(SETATTR3resfail), T(SETATTR3res), T(LOOKUP3args), T(LOOKUP3resok), T(LOOKUP3resfail),
	T(LOOKUP3res), T(ACCESS3args), T(ACCESS3resok), T(ACCESS3resfail), T(ACCESS3res), T(READLINK3args),
	T(READLINK3resok), T(READLINK3resfail), T(READLINK3res), T(READ3args), T(READ3resok), T(READ3resfail),
	T(READ3res), T(WRITE3args), T(WRITE3resok), T(WRITE3resfail), T(WRITE3res), T(createhow3), T(CREATE3args),
	T(CREATE3resok), T(CREATE3resfail), T(CREATE3res), T(MKDIR3args), T(MKDIR3resok), T(MKDIR3resfail),
	T(MKDIR3res), T(symlinkdata3), T(SYMLINK3args), T(SYMLINK3resok), T(SYMLINK3resfail), T(SYMLINK3res),
	T(devicedata3), T(mknoddata3), T(MKNOD3args), T(MKNOD3resok), T(MKNOD3resfail), T(MKNOD3res), T(REMOVE3args),
	T(REMOVE3resok), T(REMOVE3resfail), T(REMOVE3res), T(RMDIR3args), T(RMDIR3resok), T(RMDIR3resfail),
	T(RMDIR3res), T(RENAME3args), T(RENAME3resok), T(RENAME3resfail), T(RENAME3res), T(LINK3args), T(LINK3resok),
	T(LINK3resfail), T(LINK3res), T(READDIR3args), T(READDIR3resok), T(READDIR3resfail), T(READDIR3res),
	T(READDIRPLUS3args), T(READDIRPLUS3resok), T(READDIRPLUS3resfail), T(READDIRPLUS3res), T(FSSTAT3args),
	T(FSSTAT3resok), T(FSSTAT3resfail), T(FSSTAT3res), T(FSINFO3args), T(FSINFO3resok), T(FSINFO3resfail),
	T(FSINFO3res), T(PATHCONF3args), T(PATHCONF3resok), T(PATHCONF3resfail), T(PATHCONF3res), T(COMMIT3args),
	T(COMMIT3resok), T(COMMIT3resfail), T(COMMIT3res), T(dirlist3), T(dirlistplus3), T(mountres3_ok),
	T(mountres3), T(fhstatus), T(dirpath), T(mount_name), T(mount_flavors), T(mountlist), T(exports),
	T(gf_iattx), T(gf_iatt), T(gf_flock), T(gf_statfs), T(gf_lease), T(gf_dump_req), T(gf_dump_rsp),
	T(gf_ping_rsp), T(gf_setvolume_req), T(gf_setvolume_rsp), T(gf_getspec_req), T(gf_getspec_rsp),
	T(gf_set_lk_ver_req), T(gf_set_lk_ver_rsp), T(gf_event_notify_req), T(gf_event_notify_rsp),
	T(gf_volume_info_req), T(gf_volume_info_rsp), T(gf_portbybrick_req), T(gf_portbybrick_rsp),
	T(gf_brickbyport_req), T(gf_brickbyport_rsp), T(gf_signin_req), T(gf_signout_req), T(gf_sign_rsp),
	T(gf_common_rsp), T(gf_stat_rsp), T(gf_prepost_rsp), T(gf_entry_rsp), T(gf_open_rsp), T(gf_getxattr_rsp),
	T(gf_stat_req), T(gf_readlink_req), T(gf_readlink_rsp), T(gf_mknod_req), T(gf_mkdir_req), T(gf_unlink_req),
	T(gf_rmdir_req), T(gf_symlink_req), T(gf_rename_req), T(gf_rename_rsp), T(gf_link_req), T(gf_truncate_req),
	T(gf_open_req), T(gf_read_req), T(gf_read_rsp), T(gf_write_req), T(gf_statfs_req), T(gf_statfs_rsp),
	T(gf_flush_req), T(gf_fsync_req), T(gf_setxattr_req), T(gf_getxattr_req), T(gf_removexattr_req),
	T(gf_opendir_req), T(gf_fsyncdir_req), T(gf_access_req), T(gf_create_req), T(gf_create_rsp),
	T(gf_ftruncate_req), T(gf_fstat_req), T(gf_lk_req), T(gf_lk_rsp), T(gf_lookup_req), T(gf_lookup_rsp),
	T(gf_readdir_req), T(gf_readdir_rsp), T(gf_readdirp_rsp), T(gf_inodelk_req), T(gf_finodelk_req),
	T(gf_entrylk_req), T(gf_fentrylk_req), T(gf_xattrop_req), T(gf_fxattrop_req), T(gf_fgetxattr_req),
	T(gf_fsetxattr_req), T(gf_rchecksum_req), T(gf_rchecksum_rsp), T(gf_setattr_req), T(gf_fsetattr_req),
	T(gf_release_req), T(gf_fremovexattr_req), T(gf_fallocate_req), T(gf_discard_req), T(gf_ipc_req),
	T(gf_seek_req), T(gf_seek_rsp), T(gf_lease_req), T(gf_lease_rsp), T(gf_getactivelk_req),
	T(gf_getactivelk_rsp), T(gf_setactivelk_req), T(gf_copy_file_range_req), T(gf_copy_file_range_rsp),
	T(gf_cbk_cache_invalidation), T(gf_cbk_recall_lease), T(gf_cbk_inodelk_contention),
	T(gf_cbk_entrylk_contention), T(gf_cbk_statedump), T(gf_cbk_event_notify), T(gf_dirlist), T(gf_dirlistp),
	T(gf_locklist), T(gf_progs),
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static uint8_t record[RECORD_MAX], out[2][OUT_MAX], joined[2][OUT_MAX];

static void check(int ok, const char *what, const char *type)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", type, what);
	abort();
}

static int decode(unsigned type, uint8_t *bytes, uint32_t len, struct arena *arena, void **ret_object,
		  uint32_t *ret_used)
{
	struct iobuf *holder = arena_alloc(arena, sizeof(*holder));
	struct wire w;
	XDR x;

	*holder = (struct iobuf){ .refs = 1, .size = len, .data = bytes };
	*ret_object = arena_alloc(arena, types[type].size);
	wire_decode_init(&x, &w, holder, 0, len, arena);
	if (!types[type].proc(&x, *ret_object))
		return 0;
	*ret_used = len - x.x_handy;
	return 1;
}

/* Encodes and puts the payloads into their gaps; returns the length. */
static uint32_t encode(unsigned type, void *object, unsigned which, struct arena *arena)
{
	uint32_t len, from = 0, to = 0, i;
	struct wire w;
	XDR x;

	wire_encode_init(&x, &w, out[which], OUT_MAX, arena);
	check(types[type].proc(&x, object), "decoded but does not encode", types[type].name);
	len = OUT_MAX - x.x_handy;
	for (i = 0; i < w.ngaps; i++) {
		memcpy(joined[which] + to, out[which] + from, w.gaps[i].at - from);
		to += w.gaps[i].at - from;
		from = w.gaps[i].at;
		memcpy(joined[which] + to, payload_data(&w.gaps[i].data), w.gaps[i].data.len);
		to += w.gaps[i].data.len;
	}
	memcpy(joined[which] + to, out[which] + from, len - from);
	return to + len - from;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena, *second;
	uint32_t used, len, again;
	unsigned type;
	void *object;

	if (size < 2 || size - 2 > RECORD_MAX)
		return 0;
	type = (unsigned)(data[0] << 8 | data[1]) % N_TYPES;
	memcpy(record, data + 2, size - 2);
	arena = arena_new(ARENA_LIMIT);
	second = arena_new(ARENA_LIMIT);
	if (decode(type, record, (uint32_t)size - 2, arena, &object, &used)) {
		check(arena_used(arena) < 65536 + 64 * size, "takes too much memory", types[type].name);
		len = encode(type, object, 0, arena);
		check(len <= used + 4096, "grows", types[type].name);
		check(decode(type, joined[0], len, second, &object, &used), "does not decode its own encoding",
		      types[type].name);
		check(used == len, "leaves bytes of its own encoding", types[type].name);
		again = encode(type, object, 1, second);
		check(again == len && !memcmp(joined[0], joined[1], len), "encodes differently the second time",
		      types[type].name);
	}
	arena_free(arena);
	arena_free(second);
	return 0;
}
