/* gateway/state.c: the state dump: one JSON object. The text is made on the loop, where it is consistent; a helper writes it.
 *
 * What is in it is told in gatehouse-gateway(8): others read it, so names stay. */
#include "gateway/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/json_text.h"
#include "runtime/stream.h"

struct dump { const char *path; char *text; size_t size; };

#define ULL(n) ((unsigned long long)(n))

static void put_memory(FILE *f)
{
	unsigned long pages = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm)
		return;
	if (fscanf(statm, "%lu %lu", &pages, &resident) == 2)
		fprintf(f, ",\n \"resident_kib\": %lu", resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
	fclose(statm);
}

static void put_fops(FILE *f, const struct xlator *xl)
{
	const char *comma = "";
	unsigned op;

	for (op = 0; op < FOP_COUNT; op++) {
		if (!xl->calls[op])
			continue;
		fprintf(f, "%s\"%s\": %llu", comma, fop_names[op], ULL(xl->calls[op]));
		comma = ", ";
	}
}

static void put_xlators(FILE *f, const struct graph *graph)
{
	unsigned i;

	fprintf(f, ",\n   \"translators\": [");
	for (i = 0; graph && i < graph->n; i++) {
		fprintf(f, "%s\n    {\"name\": ", i ? "," : "");
		json_put_text(f, graph->xlators[i]->name);
		fprintf(f, ", \"type\": ");
		json_put_text(f, graph->xlators[i]->class->name);
		fprintf(f, ", \"calls\": {");
		put_fops(f, graph->xlators[i]);
		fprintf(f, "}}");
	}
	fprintf(f, "]");
}

static void put_calls(FILE *f, const struct volume *vol)
{
	const char *comma = "";
	unsigned i;

	fprintf(f, ",\n   \"calls\": {");
	for (i = 0; i < nfs3_program.nprocs; i++) {
		if (!vol->calls[i])
			continue;
		fprintf(f, "%s\"%s\": %llu", comma, nfs3_program.procs[i].name, ULL(vol->calls[i]));
		comma = ", ";
	}
	fprintf(f, "}");
}

/* How many calls for @vol came over the connection, as far as it remembers. */
static uint64_t calls_over(const struct gateway_conn *gc, const struct volume *vol)
{
	uint64_t calls = 0;
	unsigned i;

	for (i = 0; i < CONN_VERDICTS; i++)
		if (memcmp(gc->verdicts[i].volume_id, vol->id, 16) == 0)
			calls += gc->verdicts[i].calls;
	return calls;
}

static void put_clients(FILE *f, const struct gateway *gw, const struct volume *vol)
{
	uint64_t calls, in, out;
	const char *comma = "";
	struct list *pos;
	char text[80];

	fprintf(f, ",\n   \"clients\": [");
	list_for_each(pos, &gw->conns) {
		struct gateway_conn *gc = list_entry(pos, struct gateway_conn, link);

		calls = vol->has_id ? calls_over(gc, vol) : 0;
		if (!calls)
			continue;
		rpc_conn_bytes(gc->conn, &in, &out);
		fprintf(f, "%s\n    {\"address\": ", comma);
		json_put_text(f, sockaddr_text((const struct sockaddr *)rpc_conn_peer(gc->conn), text, sizeof(text)));
		fprintf(f, ", \"since\": %lld, \"calls\": %llu, \"bytes_received\": %llu, \"bytes_sent\": %llu}",
			(long long)(gc->opened_ns / 1000000000), ULL(calls), ULL(in), ULL(out));
		comma = ",";
	}
	fprintf(f, "]");
}

static void put_volume(FILE *f, const struct gateway *gw, const struct volume *vol)
{
	const struct volume_graph *vg = vol->now;
	char id[GFID_TEXT_SIZE];

	fprintf(f, "  {\"name\": ");
	json_put_text(f, vol->name);
	fprintf(f, ", \"id\": ");
	json_put_text(f, vol->has_id ? gfid_text(vol->id, id) : NULL);
	fprintf(f, ", \"served\": %s, \"up\": %s,\n   \"inodes\": %u, \"graphs\": %u, \"failed\": %llu", vg ? "true" : "false",
		vg && vg->up ? "true" : "false", vg ? inode_table_count(vg->graph->inodes) : 0, vol->graphs, ULL(vol->failed));
	put_calls(f, vol);
	mount_list_put(f, gw->mounts, vol->name);
	put_clients(f, gw, vol);
	put_xlators(f, vg ? vg->graph : NULL);
	fprintf(f, "}");
}

static void put_gateway(FILE *f, const struct gateway *gw)
{
	struct rpc_replay_stats replay;
	struct list *pos;
	const char *comma = "";

	rpc_replay_stats(gw->replay, &replay);
	fprintf(f, "{\"version\": \"%s\", \"pid\": %ld,\n", PACKAGE_VERSION, (long)getpid());
	fprintf(f, " \"connections\": %u, \"mounts\": %u, \"exports\": %u, \"unknown_handles\": %llu,\n", rpc_server_conns(gw->tcp),
		mount_list_count(gw->mounts), gw->exports->n, ULL(gw->strangers));
	fprintf(f, " \"replay\": {\"hits\": %llu, \"in_progress\": %llu, \"misses\": %llu, \"entries\": %zu, \"bytes\": %zu}",
		ULL(replay.hits), ULL(replay.in_progress), ULL(replay.misses), replay.entries, replay.bytes);
	put_memory(f);
	fprintf(f, ",\n \"volumes\": [\n");
	volume_set_for_each(pos, &gw->volumes) {
		fputs(comma, f);
		put_volume(f, gw, list_entry(pos, struct volume, in_set));
		comma = ",\n";
	}
	fprintf(f, "\n ]}\n");
}

static int write_blocking(void *arg)
{
	struct dump *d = arg;

	return file_replace(d->path, d->text, d->size, 0644);
}

int coroutine_fn state_dump(struct gateway *gw, const char *path)
{
	struct dump d = { .path = path };
	FILE *f = open_memstream(&d.text, &d.size);
	int ret;

	if (!f)
		return -ENOMEM;
	put_gateway(f, gw);
	ret = fclose(f) == 0 ? loop_offload(write_blocking, &d) : -ENOMEM;
	free(d.text);
	return ret;
}
