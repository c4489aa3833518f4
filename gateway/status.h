/* gateway/status.h: errno as the translators give it becomes nfsstat3 and mountstat3 here and nowhere else. */
#ifndef GATEWAY_STATUS_H
#define GATEWAY_STATUS_H

#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"

nfsstat3 status_of(int err);		/* 0 or -errno of a fop on a name: ENOENT means that the name is missing */
nfsstat3 status_of_object(int err);	/* of a fop on a handle's own object: ENOENT means that it vanished */
mountstat3 status_of_mount(int err);

#endif
