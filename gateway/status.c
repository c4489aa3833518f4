/* gateway/status.c: the one place where errors change their names.
 *
 * The idea: what waiting can cure (a brick that is away, missing quorum, a call that took too long, memory) is
 * NFS3ERR_JUKEBOX, so that hard mounts wait; what the brick said about its own disk passes as itself; what nobody
 * expects is SERVERFAULT, never a made-up success. */
#include "gateway/status.h"

#include <errno.h>

struct row { int err; nfsstat3 status; };

static const struct row rows[] = {
	{ 0, NFS3_OK },
	{ EPERM, NFS3ERR_PERM },
	{ ENOENT, NFS3ERR_NOENT },
	{ EIO, NFS3ERR_IO },
	{ ENXIO, NFS3ERR_NXIO },
	{ EACCES, NFS3ERR_ACCES },
	{ EEXIST, NFS3ERR_EXIST },
	{ EXDEV, NFS3ERR_XDEV },
	{ ENODEV, NFS3ERR_NODEV },
	{ ENOTDIR, NFS3ERR_NOTDIR },
	{ EISDIR, NFS3ERR_ISDIR },
	{ EINVAL, NFS3ERR_INVAL },
	{ EFBIG, NFS3ERR_FBIG },
	{ ENOSPC, NFS3ERR_NOSPC },
	{ EROFS, NFS3ERR_ROFS },
	{ EMLINK, NFS3ERR_MLINK },
	{ ENAMETOOLONG, NFS3ERR_NAMETOOLONG },
	{ ENOTEMPTY, NFS3ERR_NOTEMPTY },
	{ EDQUOT, NFS3ERR_DQUOT },
	{ ESTALE, NFS3ERR_STALE },
	{ EREMOTE, NFS3ERR_REMOTE },
	{ EBADF, NFS3ERR_BADHANDLE },
	{ EOPNOTSUPP, NFS3ERR_NOTSUPP },
	{ ENOSYS, NFS3ERR_NOTSUPP },
	{ ELOOP, NFS3ERR_INVAL },
	{ ERANGE, NFS3ERR_INVAL },
	{ EOVERFLOW, NFS3ERR_FBIG },
	{ ETXTBSY, NFS3ERR_JUKEBOX },
	{ EREMOTEIO, NFS3ERR_IO },
	/* waiting helps */
	{ ENOTCONN, NFS3ERR_JUKEBOX },
	{ ETIMEDOUT, NFS3ERR_JUKEBOX },
	{ ECANCELED, NFS3ERR_JUKEBOX },
	{ ECONNRESET, NFS3ERR_JUKEBOX },
	{ ECONNREFUSED, NFS3ERR_JUKEBOX },
	{ ECONNABORTED, NFS3ERR_JUKEBOX },
	{ EHOSTUNREACH, NFS3ERR_JUKEBOX },
	{ EHOSTDOWN, NFS3ERR_JUKEBOX },
	{ ENETUNREACH, NFS3ERR_JUKEBOX },
	{ ENETDOWN, NFS3ERR_JUKEBOX },
	{ EPIPE, NFS3ERR_JUKEBOX },
	{ EAGAIN, NFS3ERR_JUKEBOX },
	{ EBUSY, NFS3ERR_JUKEBOX },
	{ EINTR, NFS3ERR_JUKEBOX },
	{ ENOMEM, NFS3ERR_JUKEBOX },
	{ ENOBUFS, NFS3ERR_JUKEBOX },
	{ EMFILE, NFS3ERR_JUKEBOX },
	{ ENFILE, NFS3ERR_JUKEBOX },
	{ EDEADLK, NFS3ERR_JUKEBOX },
	{ ENOLCK, NFS3ERR_JUKEBOX },
};

nfsstat3 status_of(int err)
{
	unsigned i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == -err)
			return rows[i].status;
	return NFS3ERR_SERVERFAULT;
}

nfsstat3 status_of_object(int err)
{
	return err == -ENOENT ? NFS3ERR_STALE : status_of(err);
}

mountstat3 status_of_mount(int err)
{
	switch (-err) {
	case 0:
		return MNT3_OK;
	case EPERM:
		return MNT3ERR_PERM;
	case ENOENT:
	case ESTALE:
		return MNT3ERR_NOENT;
	case EACCES:
		return MNT3ERR_ACCES;
	case ENOTDIR:
		return MNT3ERR_NOTDIR;
	case EINVAL:
		return MNT3ERR_INVAL;
	case ENAMETOOLONG:
		return MNT3ERR_NAMETOOLONG;
	case EOPNOTSUPP:
		return MNT3ERR_NOTSUPP;
	case EIO:
		return MNT3ERR_IO;
	default:
		return MNT3ERR_SERVERFAULT;
	}
}
