/* gateway/listen.c: the sockets of a gateway, and their registration with rpcbind. */
#include "gateway/gatewayd.h"

#include <netinet/in.h>
#include <string.h>

#include "rpc/rpcbind.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"
#include "rpcgen/nlm4.h"
#include "runtime/log.h"

static int listen_on(void *ctx, const struct sockaddr *addr, struct error *err, uint16_t *port)
{
	struct gatewayd *d = ctx;
	struct error udp_err = { "" };
	uint16_t unused;
	int ret;

	ret = rpc_server_listen(d->gw.tcp, addr, err, port);
	if (ret < 0)
		return ret;
	ret = rpc_server_listen_udp(d->gw.udp, addr, &udp_err, &unused);
	if (ret < 0)
		log_warning("MOUNT and NLM are not served over UDP", "reason=\"%s\"", udp_err.text);
	if (addr->sa_family == AF_INET6) {
		d->v6 = true;
		d->udp6 |= ret == 0;
	} else {
		d->v4 = true;
		d->udp4 |= ret == 0;
	}
	return 0;
}

int coroutine_fn gatewayd_listen(struct gatewayd *d, struct error *err)
{
	uint16_t port = (uint16_t)d->conf.port;

	return rpc_listen_each(d->conf.listen, listen_on, d, &port, err);
}

/* A host that mounts from elsewhere has a lock manager of its own, its kernel's: that one stays. */
static unsigned add_nlm(struct rpcbind_entry *entries, bool udp, bool v6, uint16_t port)
{
	static const uint32_t versions[] = { NLM_V1, NLM_V3, NLM_V4 };
	unsigned i;

	for (i = 0; i < 3; i++)
		entries[i] = (struct rpcbind_entry){ NLM_PROGRAM, versions[i], udp, v6, port, .gives_way = true };
	return 3;
}

void gatewayd_register(struct gatewayd *d)
{
	const uint16_t port = (uint16_t)d->conf.port;
	struct rpcbind_entry entries[32];
	unsigned n = 0;
	int v6;

	if (d->conf.no_rpcbind)
		return;
	for (v6 = 0; v6 < 2; v6++) {
		if (v6 ? d->v6 : d->v4) {
			entries[n++] = (struct rpcbind_entry){ NFS3_PROGRAM, NFS3_VERSION, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, false, v6, port };
			n += add_nlm(&entries[n], false, v6, port);
		}
		if (v6 ? d->udp6 : d->udp4) {
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, true, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, true, v6, port };
			n += add_nlm(&entries[n], true, v6, port);
		}
	}
	d->rpcbind = rpcbind_start(d->loop, entries, n);
}
