/* bricks/state.c: the brick's state: one JSON object. The text is made on the loop, where it is consistent; a helper writes it.
 *
 * What is in it is told in gatehouse-brick(8): the manager reads it, so names stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bricks/internal.h"
#include "runtime/file.h"
#include "runtime/json_text.h"
#include "runtime/stream.h"

#define UUID_SHOWN 256

struct dump { const char *path; char *text; size_t size; };

#define ULL(n) ((unsigned long long)(n))

/* A client may say anything: what is no plain text is no reason why the others could not be read of. */
static void put_uuid(FILE *f, const char *uuid)
{
	char text[UUID_SHOWN + 1];
	size_t i;

	for (i = 0; uuid[i] && i < UUID_SHOWN; i++)
		text[i] = uuid[i] < ' ' || uuid[i] == 0x7f ? '?' : uuid[i];
	text[i] = 0;
	json_put_text(f, text);
}

static void put_connections(FILE *f, const struct brick_client *c)
{
	const char *comma = "";
	uint64_t in, out;
	struct list *pos;
	char text[80];

	fprintf(f, ", \"connections\": [");
	list_for_each(pos, &c->conns) {
		const struct rpc_conn *conn = list_entry(pos, struct brick_conn, link)->rpc;

		rpc_conn_bytes(conn, &in, &out);
		fprintf(f, "%s{\"address\": ", comma);
		json_put_text(f, sockaddr_text((const struct sockaddr *)rpc_conn_peer(conn), text, sizeof(text)));
		fprintf(f, ", \"bytes_received\": %llu, \"bytes_sent\": %llu}", ULL(in), ULL(out));
		comma = ", ";
	}
	fprintf(f, "]");
}

static void put_client(FILE *f, const struct brick_client *c)
{
	fprintf(f, "  {\"uuid\": ");
	put_uuid(f, c->uuid);
	fprintf(f, ", \"opversion\": %lld, \"trusted\": %s, \"open_files\": %u, \"waiting_for_locks\": %u", (long long)c->opversion,
		c->base.trusted ? "true" : "false", c->fds.used, c->waiting);
	put_connections(f, c);
	fprintf(f, "}");
}

static void put_brick(FILE *f, const struct brick_server *bs)
{
	const char *comma = "";
	struct list *pos;

	fprintf(f, "{\"version\": \"%s\", \"pid\": %ld, \"brick\": ", PACKAGE_VERSION, (long)getpid());
	json_put_text(f, bs->name);
	fprintf(f, ", \"up\": %s, \"waiting_for_locks\": %u,\n \"clients\": [\n", bs->up ? "true" : "false", bs->waiting);
	list_for_each(pos, &bs->clients) {
		fputs(comma, f);
		put_client(f, list_entry(pos, struct brick_client, link));
		comma = ",\n";
	}
	fprintf(f, "\n ]}\n");
}

static int write_blocking(void *arg)
{
	struct dump *d = arg;

	return file_replace(d->path, d->text, d->size, 0644);
}

int coroutine_fn brick_server_dump(const struct brick_server *bs, const char *path)
{
	struct dump d = { .path = path };
	FILE *f = open_memstream(&d.text, &d.size);
	int ret;

	if (!f)
		return -ENOMEM;
	put_brick(f, bs);
	ret = fclose(f) == 0 ? loop_offload(write_blocking, &d) : -ENOMEM;
	free(d.text);
	return ret;
}
