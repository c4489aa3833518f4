/* gateway/volume_apply.c: from what is served to what the directory says.
 *
 * The one idea: a volume whose file is wrong is never taken away from its clients. It goes on as it was; and one that was never
 * good waits without a graph, so that its file handles are told to come back instead of being void. */
#include "gateway/volume_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gatewayd.h"
#include "runtime/log.h"

static void wrong(const struct volume_file *f, const struct volume *vol, const struct error *err)
{
	if (vol && vol->now)
		log_error("the volume's new file is not taken, the old one stays", "volume=%s reason=\"%s\"", f->name, err->text);
	else
		log_error("the volume cannot be served", "volume=%s reason=\"%s\"", f->name, err->text);
}

static void retire(struct gatewayd *d, struct volume *vol)
{
	volume_ref(vol);
	volume_set_remove(&d->gw.volumes, vol);
	volume_retire(vol);
	volume_unref(vol);
}

/* Takes @vf; NULL: the volume is to wait for a better one. */
static int coroutine_fn begin(struct gatewayd *d, const struct volume_file *f, struct volfile *vf, struct error *err)
{
	struct volume *vol = volume_new(d->loop, f->name, f->key, err);
	int ret = vol ? 0 : -ENOMEM, added;

	if (vol && vf)
		ret = volume_start(vol, vf, NULL, (unsigned)d->conf.idle_inodes, err);
	if (!vol || ret < 0)
		volfile_free(vf);
	if (!vol)
		return ret;
	added = volume_set_add(&d->gw.volumes, vol, err);
	if (added < 0)
		volume_retire(vol);
	volume_unref(vol);
	return ret < 0 ? ret : added;
}

static struct volfile *parse(struct gatewayd *d, const struct volume_file *f, struct error *err)
{
	if (!f->text || !f->has_key) {
		*err = f->err;
		return NULL;
	}
	return volume_parse(f->text, f->len, f->path, d->conf.cache_size, false, err);
}

static int coroutine_fn change(struct volume *vol, const struct volume_file *f, struct volfile *vf, uint64_t until_ns, struct error *err)
{
	int ret = volume_change(vol, vf, until_ns, err);

	return ret < 0 ? ret : volume_set_key(vol, f->key);
}

static int coroutine_fn apply_one(struct gatewayd *d, const struct volume_file *f, uint64_t until_ns)
{
	struct volume *vol = volume_set_find(&d->gw.volumes, f->name, strlen(f->name));
	struct error err = { "" };
	struct volfile *vf = parse(d, f, &err);
	int ret = vf ? 0 : -EINVAL;

	if (vf && vol && vol->now) {
		ret = change(vol, f, vf, until_ns, &err);
		if (ret != -EREMOTE)
			goto out;
		err.text[0] = '\0';
		log_notice("another volume has the name now: file handles of the old one are void", "volume=%s", f->name);
		vf = parse(d, f, &err);
	}
	if (vf) {
		if (vol)
			retire(d, vol);
		vol = NULL;
		ret = begin(d, f, vf, &err);
	} else if (!vol && f->has_key) {
		begin(d, f, NULL, NULL);
	}
out:
	if (ret < 0)
		wrong(f, vol, &err);
	return ret;
}

static const struct volume_file *file_of(const struct volume_dir *dir, const char *name)
{
	unsigned i;

	for (i = 0; i < dir->n; i++)
		if (strcmp(dir->files[i].name, name) == 0)
			return &dir->files[i];
	return NULL;
}

static void retire_gone(struct gatewayd *d, const struct volume_dir *dir)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &d->gw.volumes.all) {
		struct volume *vol = list_entry(pos, struct volume, in_set);

		if (file_of(dir, vol->name))
			continue;
		log_notice("the volume is not served any more", "volume=%s calls_in_flight=%u", vol->name,
			   vol->now ? vol->now->users - 1 : 0);
		retire(d, vol);
	}
}

static void tell_useless_exports(struct gatewayd *d, const struct export_set *set)
{
	unsigned i;

	for (i = 0; i < set->n; i++)
		if (!volume_set_find(&d->gw.volumes, set->exports[i].path + 1, set->exports[i].volume_len))
			log_warning("the export has no effect: its volume is not served", "file=%s line=%u path=%s", d->exports_path,
				    set->exports[i].line, log_quote(set->exports[i].path));
}

unsigned coroutine_fn volume_dir_apply(struct gatewayd *d, struct volume_dir *dir)
{
	uint64_t until_ns = loop_now_ns(d->loop) + RELOAD_WAIT_NS;
	unsigned i, bad = 0;

	for (i = 0; i < dir->n && !d->stopping; i++) {
		dir->files[i].taken = apply_one(d, &dir->files[i], until_ns) >= 0 && dir->files[i].text;
		bad += !dir->files[i].taken;
	}
	if (!dir->exports) {
		log_error("exports were not reloaded, the old ones stay", "reason=\"%s\"", dir->exports_err.text);
		bad++;
	} else {
		gatewayd_take_exports(d, dir->exports);
		dir->exports = NULL;
		bad += d->gw.exports->nwrong;
		tell_useless_exports(d, d->gw.exports);
	}
	if (!d->stopping)
		retire_gone(d, dir);
	gatewayd_tell_loaded(d, dir);
	return bad;
}
