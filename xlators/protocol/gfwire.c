/* xlators/protocol/gfwire.c: the table of procedures, and attributes. */
#include "xlators/gfwire.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rpcgen/wire_inline.h"
#include "xlators/protocol/gfwire_impl.h"

#define IATT_VALID 0x17ffull	/* all but the birth time */

/* In attributes a device's number travels as major << 32 | minor, though MKNOD sends Linux's dev_t. */
static uint64_t put_rdev(uint64_t dev)
{
	return (uint64_t)major(dev) << 32 | minor(dev);
}

static uint64_t get_rdev(uint64_t rdev)
{
	return makedev(rdev >> 32, rdev & 0xffffffff);
}

void gfwire_put_iatt(const struct iatt *st, gf_iattx *x)
{
	if (!iatt_present(st)) {
		memset(x, 0, sizeof(*x));
		return;
	}
	memcpy(x->gfid, st->gfid, 16);
	x->flags = IATT_VALID;
	x->ino = gfid_ino(st->gfid);
	x->dev = st->dev;
	x->rdev = put_rdev(st->rdev);
	x->size = st->size;
	x->blocks = st->blocks;
	x->attributes = x->attributes_mask = 0;
	x->atime = st->atime.sec;
	x->mtime = st->mtime.sec;
	x->ctime = st->ctime.sec;
	x->btime = 0;
	x->atime_nsec = st->atime.nsec;
	x->mtime_nsec = st->mtime.nsec;
	x->ctime_nsec = st->ctime.nsec;
	x->btime_nsec = 0;
	x->nlink = st->nlink;
	x->uid = st->uid;
	x->gid = st->gid;
	x->blksize = st->blksize;
	x->mode = st->mode;
}

void gfwire_get_iatt(const gf_iattx *x, struct iatt *st)
{
	memcpy(st->gfid, x->gfid, 16);
	st->mode = x->mode;
	st->nlink = x->nlink;
	st->uid = x->uid;
	st->gid = x->gid;
	st->blksize = x->blksize;
	st->dev = x->dev;
	st->rdev = get_rdev(x->rdev);
	st->size = x->size;
	st->blocks = x->blocks;
	st->atime = (struct iatt_time){ x->atime, x->atime_nsec };
	st->mtime = (struct iatt_time){ x->mtime, x->mtime_nsec };
	st->ctime = (struct iatt_time){ x->ctime, x->ctime_nsec };
}

void gfwire_put_iatt_old(const struct iatt *st, gf_iatt *x)
{
	memset(x, 0, sizeof(*x));
	if (!iatt_present(st))
		return;
	memcpy(x->gfid, st->gfid, 16);
	x->ino = gfid_ino(st->gfid);
	x->dev = st->dev;
	x->mode = st->mode;
	x->nlink = st->nlink;
	x->uid = st->uid;
	x->gid = st->gid;
	x->rdev = put_rdev(st->rdev);
	x->size = st->size;
	x->blksize = st->blksize;
	x->blocks = st->blocks;
	x->atime = (uint32_t)st->atime.sec;
	x->atime_nsec = st->atime.nsec;
	x->mtime = (uint32_t)st->mtime.sec;
	x->mtime_nsec = st->mtime.nsec;
	x->ctime = (uint32_t)st->ctime.sec;
	x->ctime_nsec = st->ctime.nsec;
}

void gfwire_get_iatt_old(const gf_iatt *x, struct iatt *st)
{
	memset(st, 0, sizeof(*st));
	memcpy(st->gfid, x->gfid, 16);
	st->mode = x->mode;
	st->nlink = x->nlink;
	st->uid = x->uid;
	st->gid = x->gid;
	st->blksize = x->blksize;
	st->dev = x->dev;
	st->rdev = get_rdev(x->rdev);
	st->size = x->size;
	st->blocks = x->blocks;
	st->atime = (struct iatt_time){ x->atime, x->atime_nsec };
	st->mtime = (struct iatt_time){ x->mtime, x->mtime_nsec };
	st->ctime = (struct iatt_time){ x->ctime, x->ctime_nsec };
}

bool_t xdr_gate_access_rsp(XDR *xdrs, struct gate_access_rsp *rsp)
{
	return wire_u32(xdrs, (uint32_t *)&rsp->op_ret) && wire_u32(xdrs, (uint32_t *)&rsp->op_errno) && wire_u32(xdrs, &rsp->granted);
}

bool_t xdr_gate_health_rsp(XDR *xdrs, struct gate_health_rsp *rsp)
{
	return wire_u32(xdrs, (uint32_t *)&rsp->op_ret) && wire_u32(xdrs, (uint32_t *)&rsp->op_errno) && wire_u32(xdrs, &rsp->up) &&
	       wire_u32(xdrs, &rsp->disk_ms);
}

bool_t xdr_gate_invalidated_req(XDR *xdrs, struct gate_invalidated_req *req)
{
	return wire_u64(xdrs, &req->sequence);
}

bool_t xdr_gate_status_rsp(XDR *xdrs, struct gate_status_rsp *rsp)
{
	return wire_u32(xdrs, (uint32_t *)&rsp->op_ret) && wire_u32(xdrs, (uint32_t *)&rsp->op_errno);
}

#define NONE GFWIRE_NONE
#define PLACE(op, inode, inode2, fd) [FOP_##op] = { inode, inode2, fd }
#define AT(op, field) offsetof(struct op##_args, field)
const struct gfwire_places gfwire_places[FOP_COUNT] = {
	PLACE(lookup, AT(lookup, parent), AT(lookup, inode), NONE),
	PLACE(stat, AT(stat, inode), NONE, AT(stat, fd)),
	PLACE(readlink, AT(readlink, inode), NONE, NONE),
	PLACE(mknod, AT(mknod, parent), NONE, NONE),
	PLACE(mkdir, AT(mkdir, parent), NONE, NONE),
	PLACE(unlink, AT(unlink, parent), NONE, NONE),
	PLACE(rmdir, AT(rmdir, parent), NONE, NONE),
	PLACE(symlink, AT(symlink, parent), NONE, NONE),
	PLACE(rename, AT(rename, oldparent), AT(rename, newparent), NONE),
	PLACE(link, AT(link, inode), AT(link, newparent), NONE),
	PLACE(truncate, AT(truncate, inode), NONE, AT(truncate, fd)),
	PLACE(open, AT(open, inode), NONE, NONE),
	PLACE(readv, AT(readv, inode), NONE, AT(readv, fd)),
	PLACE(writev, AT(writev, inode), NONE, AT(writev, fd)),
	PLACE(statfs, AT(statfs, inode), NONE, NONE),
	PLACE(flush, AT(flush, inode), NONE, AT(flush, fd)),
	PLACE(fsync, AT(fsync, inode), NONE, AT(fsync, fd)),
	PLACE(setxattr, AT(setxattr, inode), NONE, AT(setxattr, fd)),
	PLACE(getxattr, AT(getxattr, inode), NONE, AT(getxattr, fd)),
	PLACE(removexattr, AT(removexattr, inode), NONE, AT(removexattr, fd)),
	PLACE(opendir, AT(opendir, inode), NONE, NONE),
	PLACE(fsyncdir, AT(fsyncdir, inode), NONE, AT(fsyncdir, fd)),
	PLACE(access, AT(access, inode), NONE, NONE),
	PLACE(create, AT(create, parent), NONE, NONE),
	PLACE(lk, AT(lk, inode), NONE, AT(lk, fd)),
	PLACE(readdir, AT(readdir, inode), NONE, AT(readdir, fd)),
	PLACE(inodelk, AT(inodelk, inode), NONE, AT(inodelk, fd)),
	PLACE(entrylk, AT(entrylk, inode), NONE, NONE),
	PLACE(xattrop, AT(xattrop, inode), NONE, AT(xattrop, fd)),
	PLACE(rchecksum, AT(rchecksum, inode), NONE, AT(rchecksum, fd)),
	PLACE(setattr, AT(setattr, inode), NONE, AT(setattr, fd)),
	PLACE(fallocate, AT(fallocate, inode), NONE, AT(fallocate, fd)),
	PLACE(discard, AT(discard, inode), NONE, AT(discard, fd)),
	PLACE(zerofill, AT(zerofill, inode), NONE, AT(zerofill, fd)),
	PLACE(seek, AT(seek, inode), NONE, AT(seek, fd)),
};

static const uint8_t *object_at(const void *args, uint8_t place)
{
	struct inode *inode = NULL;

	if (place != NONE)
		memcpy(&inode, (const char *)args + place, sizeof(inode));
	return inode ? inode->gfid : NULL;
}

void gfwire_objects_of(struct gfwire *gw, enum fop op, const void *args)
{
	gw->gfid = object_at(args, gfwire_places[op].inode);
	gw->gfid2 = object_at(args, gfwire_places[op].inode2);
}

/* Procedure, fop, whether by fd; the wire's structures; the conversions. */
#define ROW__(proc, fop, fd, req, rsp, xdata, a, r, pe, ge) \
	[GF_FOP_##proc] = { #proc, FOP_##fop, fd, sizeof(struct gf_##req##_req), sizeof(struct gf_##rsp##_rsp), xdata, \
		(xdrproc_t)xdr_gf_##req##_req, (xdrproc_t)xdr_gf_##rsp##_rsp, gfwire_put_##a##_args, gfwire_get_##a##_args, \
		gfwire_put_##r##_res, gfwire_get_##r##_res, pe, ge }
#define ROW_(proc, fop, fd, req, rsp, a, r, pe, ge) ROW__(proc, fop, fd, req, rsp, 0, a, r, pe, ge)
#define XDATA(req) offsetof(struct gf_##req##_req, xdata)
#define ROW(proc, fop, fd, req, rsp, a, r) ROW_(proc, fop, fd, req, rsp, a, r, NULL, NULL)
#define ROW_E(proc, fop, fd, req, rsp, a, r, e) \
	ROW_(proc, fop, fd, req, rsp, a, r, gfwire_put_##e##_error, gfwire_get_##e##_error)
/* Changes that may release locks. */
#define ROW_X(proc, fop, fd, req, rsp, a, r) ROW__(proc, fop, fd, req, rsp, XDATA(req), a, r, NULL, NULL)
#define ROW_XE(proc, fop, fd, req, rsp, a, r, e) \
	ROW__(proc, fop, fd, req, rsp, XDATA(req), a, r, gfwire_put_##e##_error, gfwire_get_##e##_error)

#pragma GCC diagnostic ignored "-Wcast-function-type"
const struct gfwire_proc gfwire_procs[GFWIRE_PROCS] = {
	ROW(STAT, stat, false, stat, stat, stat, stat),
	ROW(READLINK, readlink, false, readlink, readlink, readlink, readlink),
	ROW_XE(MKNOD, mknod, false, mknod, entry, mknod, mkentry, mknod),
	ROW_XE(MKDIR, mkdir, false, mkdir, entry, mkdir, mkentry, mkdir),
	ROW_X(UNLINK, unlink, false, unlink, prepost, unlink, unlink),
	ROW_X(RMDIR, rmdir, false, rmdir, prepost, rmdir, parents),
	ROW_X(SYMLINK, symlink, false, symlink, entry, symlink, entry),
	ROW_X(RENAME, rename, false, rename, rename, rename, rename),
	ROW_X(LINK, link, false, link, entry, link, entry),
	ROW(TRUNCATE, truncate, false, truncate, prepost, truncate, prepost),
	ROW(OPEN, open, false, open, open, open, open),
	ROW(READ, readv, true, read, read, read, read),
	ROW(WRITE, writev, true, write, prepost, write, write),
	ROW(STATFS, statfs, false, statfs, statfs, statfs, statfs),
	ROW(FLUSH, flush, true, flush, common, flush, nothing),
	ROW(FSYNC, fsync, true, fsync, prepost, fsync, fsync),
	ROW_X(SETXATTR, setxattr, false, setxattr, common, setxattr, setxattr),
	ROW(GETXATTR, getxattr, false, getxattr, getxattr, getxattr, getxattr),
	ROW_X(REMOVEXATTR, removexattr, false, removexattr, common, removexattr, setxattr),
	ROW(OPENDIR, opendir, false, opendir, open, opendir, opendir),
	ROW(FSYNCDIR, fsyncdir, true, fsyncdir, common, fsyncdir, nothing),
	ROW(ACCESS, access, false, access, common, access, access),
	ROW_XE(CREATE, create, false, create, create, create, create, create),
	ROW(FTRUNCATE, truncate, true, ftruncate, prepost, ftruncate, prepost),
	ROW(FSTAT, stat, true, fstat, stat, fstat, stat),
	ROW(LK, lk, true, lk, lk, lk, lk),
	ROW_E(LOOKUP, lookup, false, lookup, lookup, lookup, lookup, lookup),
	ROW(READDIR, readdir, true, readdir, readdir, readdir, readdir),
	ROW(INODELK, inodelk, false, inodelk, common, inodelk, nothing),
	ROW(FINODELK, inodelk, true, finodelk, common, finodelk, nothing),
	ROW(ENTRYLK, entrylk, false, entrylk, common, entrylk, nothing),
	ROW(FENTRYLK, entrylk, false, fentrylk, common, fentrylk, nothing),
	ROW(XATTROP, xattrop, false, xattrop, getxattr, xattrop, xattrop),
	ROW(FXATTROP, xattrop, true, fxattrop, getxattr, fxattrop, xattrop),
	ROW(FGETXATTR, getxattr, true, fgetxattr, getxattr, fgetxattr, getxattr),
	ROW_X(FSETXATTR, setxattr, true, fsetxattr, common, fsetxattr, setxattr),
	ROW(RCHECKSUM, rchecksum, true, rchecksum, rchecksum, rchecksum, rchecksum),
	ROW_X(SETATTR, setattr, false, setattr, prepost, setattr, prepost),
	ROW_X(FSETATTR, setattr, true, fsetattr, prepost, fsetattr, prepost),
	ROW(READDIRP, readdir, true, readdir, readdirp, readdirp, readdirp),
	ROW_X(FREMOVEXATTR, removexattr, true, fremovexattr, common, fremovexattr, setxattr),
	ROW(FALLOCATE, fallocate, true, fallocate, prepost, fallocate, prepost),
	ROW(DISCARD, discard, true, discard, prepost, discard, prepost),
	ROW(ZEROFILL, zerofill, true, discard, prepost, zerofill, prepost),
	ROW(SEEK, seek, true, seek, seek, seek, seek),
};

_Static_assert(sizeof(struct gf_setattr_req) <= GFWIRE_REQ_MAX && sizeof(struct gf_fsetattr_req) <= GFWIRE_REQ_MAX, "room");
_Static_assert(sizeof(struct gf_rename_rsp) <= GFWIRE_RSP_MAX, "room");
