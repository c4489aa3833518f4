/* gateway/volume_server.h: a volume's file from a management daemon: glusterd or gatehouse-manager, by GETSPEC
 * (facts/brick-wire.md sections 12 and 13).
 *
 * One server is connected at a time. The connection stays, and the file is fetched again when the server says that it
 * changed (FETCHSPEC), and after each new connection. A server that refuses, hangs or talks rubbish costs its deadline
 * and a sentence in the log; then the next one is tried, all round, ever more slowly. */
#ifndef GATEWAY_VOLUME_SERVER_H
#define GATEWAY_VOLUME_SERVER_H

#include <stddef.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct loop;
struct volume_server;

#define VOLUME_SERVERS_MAX 32

struct volume_server_conf {
	struct loop *loop;
	const char *servers;		/* "HOST[:PORT],..."; those that a reply names are added */
	const char *volume;
	/* The file, when it is another one than the last that was taken. @from names it in sentences. -errno with a
	 * sentence: it is not taken. */
	int coroutine_fn (*take)(void *user, const char *text, size_t len, const char *from, struct error *err);
	void *user;
};

/* Copies @conf and begins. -EINVAL with a sentence about @servers, or -ENOMEM. */
int volume_server_start(const struct volume_server_conf *conf, struct error *err, struct volume_server **ret_vs);
/* Waits, for ever if need be, until the first file was taken: 0; -ENOENT with a sentence when a server does not know the
 * volume; or the interruption. */
int coroutine_fn volume_server_first(struct volume_server *vs, struct error *err);
void coroutine_fn volume_server_stop(struct volume_server *vs);		/* accepts NULL */

#endif
