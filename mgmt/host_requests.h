/* mgmt/host_requests.h: what one host can be asked by another (requests.c), one row each. */
#ifndef MGMT_HOST_REQUESTS_H
#define MGMT_HOST_REQUESTS_H

#include "mgmt/manager.h"

struct host_request {
	const char *name;		/* "bricks-prepare" */
	json_t *coroutine_fn (*answer)(struct manager *m, json_t *args);	/* {"status":, "error":, "result":}, a new reference */
};
const struct host_request *host_request_find(const char *name);		/* NULL: not known. @name may be NULL */

json_t *coroutine_fn bricks_clients(struct manager *m, json_t *args);	/* host_clients.c: {paths} to {path: [{host, name, ...}]} */

#endif
