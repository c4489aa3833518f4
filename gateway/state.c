/* gateway/state.c: the state dump: "key=value" lines in sections. The text is made on the loop, where it is consistent;
 * a helper writes it. */
#include "gateway/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/file.h"

struct dump { const char *path; char *text; size_t size; };

static void put_memory(FILE *f)
{
	unsigned long pages = 0, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm)
		return;
	if (fscanf(statm, "%lu %lu", &pages, &resident) == 2)
		fprintf(f, "[memory]\nresident_kib=%lu\n", resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
	fclose(statm);
}

static void put_xlators(FILE *f, const struct graph *graph)
{
	unsigned i, op;

	for (i = 0; i < graph->n; i++) {
		const struct xlator *xl = graph->xlators[i];

		fprintf(f, "[translator %s]\ntype=%s\n", xl->name, xl->class->name);
		for (op = 0; op < FOP_COUNT; op++)
			if (xl->calls[op])
				fprintf(f, "calls.%s=%llu\n", fop_names[op], (unsigned long long)xl->calls[op]);
	}
}

static void put_gateway(FILE *f, const struct gateway *gw)
{
	struct rpc_replay_stats replay;
	char id[GFID_TEXT_SIZE];
	unsigned i;

	rpc_replay_stats(gw->replay, &replay);
	fprintf(f, "[gateway]\nversion=%s\npid=%ld\nvolume=%s\nvolume_id=%s\nup=%s\n", PACKAGE_VERSION, (long)getpid(),
		gw->volume.name, gfid_text(gw->volume.id, id), gw->volume.up ? "yes" : "no");
	fprintf(f, "connections=%u\nmounts=%u\nexports=%u\ninodes=%u\nfailed=%llu\n", rpc_server_conns(gw->tcp),
		mount_list_count(gw->mounts), gw->exports->n, inode_table_count(gw->volume.graph->inodes),
		(unsigned long long)gw->failed);
	fprintf(f, "[replay]\nhits=%llu\nin_progress=%llu\nmisses=%llu\nentries=%zu\nbytes=%zu\n",
		(unsigned long long)replay.hits, (unsigned long long)replay.in_progress,
		(unsigned long long)replay.misses, replay.entries, replay.bytes);
	fprintf(f, "[nfs]\n");
	for (i = 0; i < nfs3_program.nprocs; i++)
		if (gw->calls[i])
			fprintf(f, "calls.%s=%llu\n", nfs3_program.procs[i].name, (unsigned long long)gw->calls[i]);
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
	put_memory(f);
	put_xlators(f, gw->volume.graph);
	ret = fclose(f) == 0 ? loop_offload(write_blocking, &d) : -ENOMEM;
	free(d.text);
	return ret;
}
