/* gateway/volume_one.c: the set of one volume, which the command line describes: a volfile, one that is fetched, or bricks inside. */
#include "gateway/gatewayd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "runtime/log.h"

int volume_one_exports(struct gatewayd *d, struct export_set **ret_set, struct error *err)
{
	char *line;
	int ret;

	if (!d->export_words)
		return exports_read(d->exports_path, d->conf.volume, ret_set, err);
	if (asprintf(&line, "/%s %s", d->conf.volume, d->export_words) < 0)
		return -ENOMEM;
	ret = exports_parse(line, strlen(line), "--export", d->conf.volume, ret_set, err);
	free(line);
	return ret;
}

/* The id that the first brick directory carries already, or one from the name. */
static void embedded_id(const struct gatewayd *d, const char *name, uint8_t ret_id[16])
{
	if (lgetxattr(d->dirs[0], "trusted.glusterfs.volume-id", ret_id, 16) != 16)
		volume_id_from_name(name, ret_id);
}

struct volfile *volume_one_read(struct gatewayd *d, const uint8_t *id, struct error *err)
{
	struct embedded bricks = { d->dirs, d->ndirs, (unsigned)d->conf.replica, d->conf.create };
	char id_text[GFID_TEXT_SIZE], *text;
	struct volfile *vf;
	uint8_t own[16];

	if (!d->conf.embed)
		return volume_read(d->conf.volfile, d->conf.cache_size, err);
	if (!id) {
		embedded_id(d, d->conf.volume, own);
		id = own;
	}
	text = volume_embedded_volfile(d->conf.volume, gfid_text(id, id_text), &bricks, err);
	if (!text)
		return NULL;
	vf = volume_parse(text, strlen(text), "--embed", d->conf.cache_size, true, err);
	free(text);
	return vf;
}

static struct volume *the_volume(struct gatewayd *d)
{
	return list_first(&d->gw.volumes.all, struct volume, in_set);
}

/* The volfile that the server has now. Before the volume is started it waits in @fetched. */
static int coroutine_fn take_volfile(void *user, const char *text, size_t len, const char *from, struct error *err)
{
	struct gatewayd *d = user;
	struct volfile *vf = volume_parse(text, len, from, d->conf.cache_size, false, err);
	int ret;

	if (!vf)
		return -EINVAL;
	if (d->gw.volumes.n) {
		ret = volume_change(the_volume(d), vf, loop_now_ns(d->loop) + RELOAD_WAIT_NS, err);
		return ret < 0 ? ret : 0;
	}
	volfile_free(d->fetched);
	d->fetched = vf;
	return 0;
}

/* Nothing is listened on before it is here: clients wait for a server that is not there, and would lose their handles to
 * one that does not know its volume yet. */
static struct volfile *coroutine_fn fetch_volfile(struct gatewayd *d, struct error *err)
{
	struct volume_server_conf conf = {
		.loop = d->loop, .servers = d->servers, .volume = d->conf.volfile_id, .take = take_volfile, .user = d,
	};
	struct volfile *vf = NULL;
	int ret = volume_server_start(&conf, err, &d->vs);

	if (ret == 0)
		ret = volume_server_first(d->vs, err);
	if (ret == 0) {
		vf = d->fetched;
		d->fetched = NULL;
	}
	return vf;
}

static int name_volume(struct gatewayd *d, const struct volfile *vf)
{
	if (!d->conf.volume)
		d->conf.volume = strdup(d->conf.volfile_id ? d->conf.volfile_id : volume_top_name(vf));
	return d->conf.volume ? 0 : -ENOMEM;
}

static int coroutine_fn start_with(struct gatewayd *d, struct volfile *vf, const uint8_t *id, const uint8_t *key, struct error *err)
{
	struct export_set *set;
	struct volume *vol;
	int ret = name_volume(d, vf);

	if (ret == 0)
		ret = volume_one_exports(d, &set, err);
	if (ret < 0)
		return ret;
	gatewayd_take_exports(d, set);
	vol = volume_new(d->loop, d->conf.volume, key, err);
	if (!vol)
		return -ENOMEM;
	ret = volume_start(vol, vf, id, (unsigned)d->conf.idle_inodes, err);
	if (ret == 0) {
		volume_set_add(&d->gw.volumes, vol, NULL);
		d->gw.volumes.fixed = true;
	}
	volume_unref(vol);
	return ret;
}

/* What the server told while the volume was being started. */
static void coroutine_fn catch_up(struct gatewayd *d)
{
	struct error err = { "" };
	struct volfile *vf = d->fetched;

	d->fetched = NULL;
	if (vf && volume_change(the_volume(d), vf, loop_now_ns(d->loop), &err) < 0)
		log_error("the volume's new file is not taken, the old one stays", "reason=\"%s\"", err.text);
}

int coroutine_fn volume_one_start(struct gatewayd *d, struct error *err)
{
	uint8_t id[16], *given = NULL, key[MAC_KEY_SIZE];
	struct volfile *vf;
	int ret;

	if (d->conf.volume_id) {
		if (!gfid_parse(d->conf.volume_id, id))
			return error_set(err, -EINVAL, "--volume-id wants a uuid, not \"%s\"", d->conf.volume_id);
		given = id;
	}
	ret = handle_key_load(d->conf.handle_key, key, err);
	if (ret < 0)
		return ret;
	vf = d->conf.volfile_server ? fetch_volfile(d, err) : volume_one_read(d, given, err);
	ret = vf ? start_with(d, vf, given, key, err) : -EINVAL;
	explicit_bzero(key, sizeof(key));
	if (ret < 0)
		volfile_free(vf);
	else
		catch_up(d);
	return ret;
}
