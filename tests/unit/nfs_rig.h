/* tests/unit/nfs_rig.h: a whole gateway over loopback on a disk in memory, and a client that speaks NFS to it.
 *
 * The graph is storage/memory under debug/error-gen ("faults", switched off at first), so a test can make any fop fail.
 * The disk outlives rig_run(), so a test can "restart" the gateway by running twice. */
#ifndef TESTS_NFS_RIG_H
#define TESTS_NFS_RIG_H

#include "gateway/gateway.h"
#include "gateway/nfs3.h"
#include "xlators/storage/memory/memory.h"

struct rig {
	struct loop *loop;
	struct gateway gw;
	struct volume *volume;		/* held by the gateway */
	struct rpc_client *client;
	struct arena *arena;		/* results of calls; lives as long as the rig */
	struct rpc_cred cred;		/* of the next calls; uid 0 at first */
	uint16_t port;
	nfs_fh3 root;
	void coroutine_fn (*fn)(struct rig *rig);
	const char *exports;
	int result;
};

void rig_disk(void);			/* a fresh disk */
void rig_disk_free(void);
extern const char *rig_volfile;		/* another graph; the disks "rig" and "rig2" are there. NULL: the usual one */
/* Starts a gateway with this exports text, mounts /demo, runs @fn in a coroutine, stops all. */
void rig_run(const char *exports, void coroutine_fn (*fn)(struct rig *rig));
#define RIG_OPEN "/demo *(rw,no_root_squash,insecure)\n"

int coroutine_fn rig_call(struct rig *rig, const struct rpc_program *program, uint32_t proc, const void *args,
			  void *res);
/* NFS procedures by name: the result is zeroed first; fails the test when there is no reply. */
#define NFS(rig, PROC, args, res) do { \
		memset(res, 0, sizeof(*(res))); \
		assert_int_equal(rig_call(rig, &nfs3_program, NFSPROC3_##PROC, args, res), 0); \
	} while (0)
mountstat3 coroutine_fn rig_mount(struct rig *rig, const char *path, nfs_fh3 *ret_fh);

/* A record sent over a connection of its own with this very xid, as a retransmitting client would. The result is
 * decoded. 0 or -errno. */
int coroutine_fn rig_raw(struct rig *rig, uint32_t xid, uint32_t proc, const void *args, void *res);

/* debug/error-gen: fops named (comma-separated) fail with this errno from now on; NULL: none. */
void rig_fault(struct rig *rig, const char *fops, const char *error, bool after);

filename3 rig_name(const char *text);
nfsstat3 coroutine_fn rig_create(struct rig *rig, const nfs_fh3 *dir, const char *name, uint32_t mode, nfs_fh3 *ret_fh);
nfsstat3 coroutine_fn rig_mkdir(struct rig *rig, const nfs_fh3 *dir, const char *name, uint32_t mode, nfs_fh3 *ret_fh);
nfsstat3 coroutine_fn rig_lookup(struct rig *rig, const nfs_fh3 *dir, const char *name, nfs_fh3 *ret_fh);
nfsstat3 coroutine_fn rig_getattr(struct rig *rig, const nfs_fh3 *fh, fattr3 *ret_attr);
nfsstat3 coroutine_fn rig_write(struct rig *rig, const nfs_fh3 *fh, uint64_t offset, const void *data, uint32_t len,
				stable_how stable, WRITE3res *res);

#endif
