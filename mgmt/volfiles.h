/* mgmt/volfiles.h: a volume as volfiles (facts/volfile.md) and as lines of exports(5). Pure functions: text out, malloc'ed; never NULL (out of
 * memory aborts). Volume and options have been checked before. */
#ifndef MGMT_VOLFILES_H
#define MGMT_VOLFILES_H

#include "mgmt/volume.h"

/* Where TLS files are, when the volume's options switch it on ("client.ssl", "server.ssl"); NULL members: GlusterFS's defaults. */
struct volfiles_tls { const char *certificate, *key, *ca; };

enum volfile_kind {
	VOLFILE_GATEWAY,		/* for gatehouse-gateway */
	VOLFILE_CLIENT,			/* for a stock GlusterFS 10 client: also its performance translators, debug/io-stats on top */
	VOLFILE_CLIENT_TRUSTED,		/* the same with username and password, for hosts of the cluster */
	VOLFILE_SELF_HEAL,		/* shd/VOLUME: for a stock self-heal daemon */
	VOLFILE_KINDS
};
char *volfile_for_clients(const struct volume *v, enum volfile_kind kind, const struct volfiles_tls *tls);

struct brick_facts {
	const char *host_uuid;
	/* As gethostname() has it on the brick's host, or NULL for just that: stock clients and self-heal daemons find out by it which bricks
	 * are their own. Not what the administrator calls the host. */
	const char *hostname;
	unsigned shared_brick_count;	/* bricks of this volume on the same file system */
	const struct volfiles_tls *tls;
};
char *volfile_for_brick(const struct volume *v, unsigned brick, const struct brick_facts *facts);

/* The lines of exports(5) for one volume, "" when it is not exported: nfs.rpc-auth-allow, nfs.rpc-auth-reject, nfs.volume-access,
 * nfs.export-volumes, nfs.export-dir, nfs.exports and so on. */
char *exports_for_volume(const struct volume *v);
/* Would a gateway serve all of these lines? 0, or -errno with a sentence. */
int exports_for_volume_check(const struct volume *v, struct error *err);

#endif
