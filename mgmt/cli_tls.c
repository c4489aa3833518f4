/* mgmt/cli_tls.c: `gatehouse tls init`: keys and certificates, made on this host, without a manager. */
#include <errno.h>

#include "mgmt/cli.h"

int cli_tls_init(json_t *request, json_t **ret_result, struct error *err)
{
	return error_set(err, -ENOSYS, "this build cannot make certificates");
}
