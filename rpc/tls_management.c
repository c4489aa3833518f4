/* rpc/tls_management.c: TLS to and from managers (glusterd's port), which GlusterFS switches by a file and not by a volume's options: where the
 * file secure-access is, every connection of this host to any manager is under TLS. */
#include "rpc/tls.h"

#include <errno.h>
#include <unistd.h>

static const char *const markers[] = { "/var/lib/glusterd/secure-access", "/var/lib/gatehouse/secure-access" };

bool tls_management_wanted(void)
{
	return access(markers[0], F_OK) == 0 || access(markers[1], F_OK) == 0;
}

int tls_management(enum tls_side side, const struct tls_conf *conf, struct error *err, struct tls_context **ret_ctx)
{
	static struct tls_context *made[2];
	static const struct tls_conf usual;

	*ret_ctx = NULL;
	if (!made[side] && !tls_management_wanted())
		return 0;
	if (!made[side])
		made[side] = tls_context_new(conf ? conf : &usual, side, err);
	if (!made[side]) {
		error_prefix(err, "TLS to managers (%s is there)", access(markers[0], F_OK) == 0 ? markers[0] : markers[1]);
		return -EINVAL;
	}
	*ret_ctx = made[side];
	return 0;
}
