/* mgmt/invite.h: where an invitation is answered, and for how long. */
#ifndef MGMT_INVITE_H
#define MGMT_INVITE_H

#define INVITE_PORT_OFFSET 1	/* beside the manager's port: 24008, which firewalls for GlusterFS let through as well */
#define INVITE_MINUTES 15

#endif
