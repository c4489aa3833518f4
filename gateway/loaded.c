/* gateway/loaded.c: what this gateway has taken of its directory, in a file beside its state: the manager compares it with what it wrote.
 *
 * One JSON object, written at the start and after each reload: "pid", "exports" (a hash of the text that is served; null: none was good),
 * "wrong" (lines that are not served) and for each volume a hash of its file, and whether that was taken. */
#include "gateway/gatewayd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/volume_dir.h"
#include "runtime/file.h"
#include "runtime/json_text.h"
#include "runtime/log.h"

struct report { char *path, *text; size_t size; };

static int write_blocking(void *arg)
{
	struct report *r = arg;

	return file_replace(r->path, r->text, r->size, 0644);
}

static void put_wrong(FILE *f, const struct export_set *set)
{
	unsigned i;

	for (i = 0; i < set->nwrong; i++) {
		fprintf(f, "%s\n  {\"path\": ", i ? "," : "");
		json_put_text(f, set->wrong[i].path);
		fprintf(f, ", \"problem\": ");
		json_put_text(f, set->wrong[i].sentence);
		fprintf(f, "}");
	}
}

static void put_volumes(FILE *f, const struct volume_dir *dir)
{
	unsigned i;

	for (i = 0; i < dir->n; i++) {
		const struct volume_file *file = &dir->files[i];

		fprintf(f, "%s\n  ", i ? "," : "");
		json_put_text(f, file->name);
		fprintf(f, ": {\"file\": \"%016llx\", \"taken\": %s}",
			(unsigned long long)(file->text ? export_text_hash(file->text, file->len) : 0), file->taken ? "true" : "false");
	}
}

void coroutine_fn gatewayd_tell_loaded(struct gatewayd *d, const struct volume_dir *dir)
{
	const struct export_set *set = d->gw.exports;
	struct report r = { NULL };
	FILE *f = open_memstream(&r.text, &r.size);
	int ret;

	if (!f)
		return;
	fprintf(f, "{\"pid\": %ld, \"exports\": \"%016llx\", \"wrong\": [", (long)getpid(), (unsigned long long)(set ? set->text_hash : 0));
	if (set)
		put_wrong(f, set);
	fprintf(f, "],\n \"volumes\": {");
	put_volumes(f, dir);
	fprintf(f, "}}\n");
	ret = fclose(f) == 0 && asprintf(&r.path, "%s.loaded", d->conf.state_file) > 0 ? loop_offload(write_blocking, &r) : -ENOMEM;
	if (ret < 0)
		log_debug("what was loaded cannot be written", "file=%s.loaded", d->conf.state_file);
	free(r.path);
	free(r.text);
}
