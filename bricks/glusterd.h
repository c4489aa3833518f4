/* bricks/glusterd.h: what a brick has to do with glusterd: it fetches its volfile there and tells on which port it listens
 * (facts/brick-wire.md sections 4 and 12). */
#ifndef BRICKS_GLUSTERD_H
#define BRICKS_GLUSTERD_H

#include <stdint.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct glusterd;
struct loop;

/* @server: HOST or HOST:PORT; the port is 24007 else. Connects in the background, again and again. 0 or -errno. */
int glusterd_new(struct loop *loop, const char *server, struct error *err, struct glusterd **ret);
/* Waits for the first attempt to connect; -errno and a sentence. The text is malloc'ed. */
int coroutine_fn glusterd_volfile(struct glusterd *g, const char *volfile_id, struct error *err, char **ret_text);
/* From now on clients that ask glusterd for @brick are told @port: at once, and again whenever glusterd has come back. */
int glusterd_sign_in(struct glusterd *g, const char *brick, uint16_t port);
void coroutine_fn glusterd_free(struct glusterd *g);	/* signs out; accepts NULL */

#endif
