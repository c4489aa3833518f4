/* xlators/gfwire.h: fop.h's types as GlusterFS's wire structures and back, for both ends of a brick connection.
 *
 * protocol/client puts arguments and gets results; bricks/ gets arguments and puts results. One row for each
 * procedure of the FOP program
 * (version 400); our extension program has the same rows (bricks/PROTOCOL.md). What travels in xdata dictionaries
 * ends here: on the far
 * side of this header everything is a typed field. Facts: brick-wire.md sections 8, 9 and 11. */
#ifndef XLATORS_GFWIRE_H
#define XLATORS_GFWIRE_H

#include "rpcgen/gluster4.h"
#include "xlators/xlator.h"

/* Our extension: announced by DUMP, ignored by stock peers. Procedures below 100 are the FOP program's, durable before the reply. */
#define GATE_PROGRAM (0x67617465u + GF_FOP_PROGRAM)	/* "gate" */
#define GATE_VERSION 1u
enum { GATE_PROC_ACCESS = 100, GATE_PROC_INVALIDATED = 101, GATE_PROC_HEALTH = 102, GATE_PROC_COUNT };
#define GATE_KEY_EXTENSION "gatehouse-extension"	/* in SETVOLUME: "1", the client acknowledges upcalls */
/* in the reply of SETVOLUME: seconds for which the brick tells of changes (xlator.lease_s) */
#define GATE_KEY_LEASE "gatehouse-lease"
#define GATE_KEY_RELEASES "gatehouse-releases"	/* in the reply of SETVOLUME: 1, the brick does what GATE_KEY_RELEASE asks */
#define GATE_KEY_RELEASE "gatehouse-release"	/* in the xdata of a change: call.release (bricks/PROTOCOL.md) */
#define GATE_KEY_HEALTH "gatehouse-health"		/* in the reply of SETVOLUME: 1, the brick knows GATE_PROC_HEALTH */
#define GATE_KEY_SEQUENCE "gatehouse.sequence"	/* in the xdata of a callback that wants to be acknowledged */

/* ACCESS that answers with the subset granted; the request is the FOP program's. */
struct gate_access_rsp { int32_t op_ret, op_errno; uint32_t granted; };
bool_t xdr_gate_access_rsp(XDR *xdrs, struct gate_access_rsp *rsp);
/* Acknowledges the callback with this sequence number. */
struct gate_invalidated_req { uint64_t sequence; };
bool_t xdr_gate_invalidated_req(XDR *xdrs, struct gate_invalidated_req *req);
struct gate_status_rsp { int32_t op_ret, op_errno; };
bool_t xdr_gate_status_rsp(XDR *xdrs, struct gate_status_rsp *rsp);
/* Our PING. disk_ms: the disk last answered so long ago; UINT32_MAX: that is not known. */
struct gate_health_rsp { int32_t op_ret, op_errno; uint32_t up, disk_ms; };
bool_t xdr_gate_health_rsp(XDR *xdrs, struct gate_health_rsp *rsp);

/* One conversion. Zero it, set arena; it is passed to both the arguments' and the result's function of one call. */
struct gfwire {
	struct arena *arena;
	/* Objects of the call. Client: set by gfwire_objects_of(). Brick: set by get_args, then made inodes. NULL: none. */
	const uint8_t *gfid, *gfid2;
	int64_t fd;			/* GF_FD_ANONYMOUS when none is open */
	uint32_t lk_owner_len;		/* LK repeats the owner in its body */
	const uint8_t *lk_owner;
	bool want_stats;		/* SETXATTR, REMOVEXATTR: the caller wants attributes before and after */
	bool has_fd;			/* brick: the result carries @fd */
};

struct gfwire_proc {
	const char *name;		/* NULL: a procedure without a fop */
	enum fop op;
	bool by_fd;			/* the request names an fd beside the gfid */
	uint16_t req_size, rsp_size;
	uint16_t xdata;			/* where a changing request's dictionary lies; 0: locks cannot be released with it */
	xdrproc_t xdr_req, xdr_rsp;
	/* All: 0 or -ENOMEM, -E2BIG, -EINVAL. The target is zeroed by the caller and borrows from the source and the arena. */
	int (*put_args)(struct gfwire *gw, const void *args, void *req);
	int (*get_args)(struct gfwire *gw, const void *req, void *args);
	int (*put_res)(struct gfwire *gw, const void *args, const void *res, void *rsp);
	int (*get_res)(struct gfwire *gw, const void *args, const void *rsp, void *res);
	/* What travels beside an error; may be NULL. */
	void (*put_error)(struct gfwire *gw, const void *args, const void *res, void *rsp);
	void (*get_error)(struct gfwire *gw, const void *args, const void *rsp, void *res);
};
#define GFWIRE_PROCS (GF_FOP_COPY_FILE_RANGE + 1)
extern const struct gfwire_proc gfwire_procs[GFWIRE_PROCS];
enum { GFWIRE_REQ_MAX = 512, GFWIRE_RSP_MAX = 1024 };	/* no structure is larger */

/* Every reply begins with these. */
struct gfwire_head { int32_t op_ret, op_errno; };

/* Where a fop's arguments keep what a brick makes of gw.gfid, gw.gfid2 and gw.fd: byte offsets; GFWIRE_NONE: it has none. */
#define GFWIRE_NONE 0xff
struct gfwire_places { uint8_t inode, inode2, fd; };
extern const struct gfwire_places gfwire_places[FOP_COUNT];

/* Client: the objects that @args names, as gfids. */
void gfwire_objects_of(struct gfwire *gw, enum fop op, const void *args);

/* call.release as an entry of the request's dictionary. Put: after put_args; 0 or -ENOMEM, -E2BIG. Get: NULL when
 * there is none, or when it is nonsense: nothing is released then. */
int gfwire_put_release(struct gfwire *gw, const struct gfwire_proc *p, const struct lock_release *release, void *req);
const struct lock_release *gfwire_get_release(struct gfwire *gw, const struct gfwire_proc *p, const void *req);

void gfwire_put_iatt(const struct iatt *st, gf_iattx *ret_x);
void gfwire_get_iatt(const gf_iattx *x, struct iatt *ret_st);
void gfwire_put_iatt_old(const struct iatt *st, gf_iatt *ret_x);	/* callbacks */
void gfwire_get_iatt_old(const gf_iatt *x, struct iatt *ret_st);

#endif
