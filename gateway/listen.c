/* gateway/listen.c: the sockets of a gateway, and their registration with rpcbind. */
#include "gateway/gatewayd.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpcbind.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"
#include "runtime/log.h"
#include "runtime/stream.h"

static int listen_on(struct gatewayd *d, struct sockaddr_storage *addr, struct error *err)
{
	struct error udp_err = { "" };
	uint16_t port;
	int ret;

	ret = rpc_server_listen(d->gw.tcp, (struct sockaddr *)addr, err, &port);
	if (ret < 0)
		return ret;
	ret = rpc_server_listen_udp(d->gw.udp, (struct sockaddr *)addr, &udp_err, &port);
	if (ret < 0)
		log_warning("MOUNT is not served over UDP", "reason=\"%s\"", udp_err.text);
	if (addr->ss_family == AF_INET6) {
		d->v6 = true;
		d->udp6 |= ret == 0;
	} else {
		d->v4 = true;
		d->udp4 |= ret == 0;
	}
	return 0;
}

/* Each address of --listen. A host without IPv6 is no failure while something else is listened on. */
int coroutine_fn gatewayd_listen(struct gatewayd *d, struct error *err)
{
	char *list = strdup(d->conf.listen), *next = list, *word;
	struct sockaddr_storage addr;
	struct error first = { "" };
	int ret = list ? 0 : -ENOMEM, failed = 0;

	while (ret >= 0 && (word = strsep(&next, ", "))) {
		struct error own = { "" };

		if (!*word)
			continue;
		ret = net_resolve(word, (uint16_t)d->conf.port, &addr, 1);
		if (ret < 0) {
			error_set(err, ret, "--listen: \"%s\" is no address of this host", word);
			break;
		}
		ret = listen_on(d, &addr, &own);
		if (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL) {
			failed = error_set(&first, ret, "%s", own.text);
			ret = 0;
		} else if (ret < 0) {
			error_set(err, ret, "%s", own.text[0] ? own.text : strerror(-ret));
		}
	}
	free(list);
	if (ret >= 0 && !d->v4 && !d->v6)
		ret = error_set(err, failed ? failed : -EINVAL, "nothing to listen on: %s",
				first.text[0] ? first.text : "--listen is empty");
	return ret < 0 ? ret : 0;
}

void gatewayd_register(struct gatewayd *d)
{
	const uint16_t port = (uint16_t)d->conf.port;
	struct rpcbind_entry entries[16];
	unsigned n = 0;
	int v6;

	if (d->conf.no_rpcbind)
		return;
	for (v6 = 0; v6 < 2; v6++) {
		if (v6 ? d->v6 : d->v4) {
			entries[n++] = (struct rpcbind_entry){ NFS3_PROGRAM, NFS3_VERSION, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, false, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, false, v6, port };
		}
		if (v6 ? d->udp6 : d->udp4) {
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V1, true, v6, port };
			entries[n++] = (struct rpcbind_entry){ MOUNT_PROGRAM, MOUNT_V3, true, v6, port };
		}
	}
	d->rpcbind = rpcbind_start(d->loop, entries, n);
}
