/* gateway/volume.c: the life of a volume: its graphs, and their events.
 *
 * The write verifier: a client keeps UNSTABLE data until a COMMIT with the same verifier succeeded. So it must be new
 * when this process is, and again when a brick comes back as another process, or another graph takes over: whatever was held
 * unstable may be gone, and clients then send it again. */
#include "gateway/volume.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/exports.h"
#include "runtime/log.h"

/* Calls that wait for a volume to come up for the first time. The others are sent away at once: clients share one connection
 * among their volumes, and it has room for so many calls only. */
#define WAITING_MAX 16

struct volume *volume_new(struct loop *loop, const char *name, const uint8_t key[MAC_KEY_SIZE], struct error *err)
{
	struct volume *vol = calloc(1, sizeof(*vol));

	if (!vol)
		return NULL;
	vol->loop = loop;
	vol->refs = 1;
	vol->name = strdup(name);
	vol->name_hash = export_name_hash(name, strlen(name));
	vol->doubts = doubts_new();
	vol->mac = mac_new(key);
	co_queue_init(&vol->changed);
	list_init(&vol->in_set);
	loop_random(loop, vol->verifier, sizeof(vol->verifier));
	if (vol->name && vol->doubts && vol->mac)
		return vol;
	if (!vol->mac)
		error_set(err, -ENOMEM, "OpenSSL offers no SipHash, which signs file handles");
	volume_unref(vol);
	return NULL;
}

int volume_set_key(struct volume *vol, const uint8_t key[MAC_KEY_SIZE])
{
	struct mac *mac = mac_new(key);

	if (!mac)
		return -ENOMEM;
	mac_free(vol->mac);
	vol->mac = mac;
	return 0;
}

struct volume *volume_ref(struct volume *vol)
{
	vol->refs++;
	return vol;
}

void volume_unref(struct volume *vol)
{
	if (!vol || --vol->refs > 0)
		return;
	mac_free(vol->mac);
	doubts_free(vol->doubts);
	free(vol->name);
	free(vol);
}

/* --- graphs --- */

static void volume_event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	struct volume_graph *vg = owner;
	struct volume *vol = vg->volume;

	switch (ev) {
	case XL_UP:
	case XL_DOWN:
		if (vg->up == (ev == XL_UP))
			return;
		vg->up = ev == XL_UP;
		vg->was_up |= vg->up;
		if (vg->up && vg == vol->now)
			log_notice("volume is up", "volume=%s", vol->name);
		else if (vg == vol->now)
			log_warning("volume is down, clients wait until its bricks are back", "volume=%s", vol->name);
		co_queue_wake_all(&vol->changed);
		return;
	case XL_RESTARTED:
		loop_random(vol->loop, vol->verifier, sizeof(vol->verifier));
		return;
	case XL_UPCALL:
		return;			/* caches inside the graph have seen it */
	}
}

static void coroutine_fn destroy(void *arg)
{
	struct volume_graph *vg = arg;
	struct volume *vol = vg->volume;

	graph_free(vg->graph);
	volfile_free(vg->vf);
	free(vg);
	vol->graphs--;
	co_queue_wake_all(&vol->changed);
	volume_unref(vol);
}

void volume_graph_end(struct volume_graph *vg)
{
	if (!co_start(vg->volume->loop, destroy, vg))
		log_error("an old graph stays in memory: too many calls at once", "volume=%s", vg->volume->name);
}

/* A graph that only waits to be used. Takes @vf when it succeeds. */
static int coroutine_fn build(struct volume *vol, struct volfile *vf, struct error *err, struct volume_graph **ret_vg)
{
	struct volume_graph *vg = calloc(1, sizeof(*vg));
	struct graph_conf conf = { .loop = vol->loop, .max_idle_inodes = vol->max_inodes, .event = volume_event, .owner = vg };
	int ret;

	if (!vg)
		return -ENOMEM;
	vg->volume = volume_ref(vol);
	vg->users = 1;
	vol->graphs++;
	ret = graph_new(vf, &conf, err, &vg->graph);
	if (ret == 0) {
		vg->vf = vf;
		*ret_vg = vg;
		return 0;
	}
	vol->graphs--;
	volume_unref(vol);
	free(vg);
	return ret;
}

static void set_id(struct volume *vol, const uint8_t *id)
{
	uint64_t half;

	memcpy(vol->id, id, 16);
	vol->has_id = true;
	memcpy(&half, vol->id, 8);
	vol->fsid = be64toh(half);
	memcpy(&half, vol->id + 8, 8);
	vol->fsid ^= be64toh(half);
}

int coroutine_fn volume_start(struct volume *vol, struct volfile *vf, const uint8_t *id, unsigned max_inodes, struct error *err)
{
	struct volume_graph *vg;
	uint8_t own[16];
	int ret;

	vol->max_inodes = max_inodes;
	if (!id) {
		volume_find_id(vf, vol->name, own);
		id = own;
	}
	set_id(vol, id);
	ret = build(vol, vf, err, &vg);
	if (ret < 0)
		return ret;
	vol->now = vg;
	if (vg->up)
		log_notice("volume is up", "volume=%s", vol->name);
	co_queue_wake_all(&vol->changed);
	return 0;
}

/* --- change --- */

static void coroutine_fn wait_until_up(struct volume *vol, const struct volume_graph *vg, uint64_t until_ns)
{
	uint64_t old = co_set_deadline(until_ns);
	int ret = 0;

	while (!vg->up && vol->now && ret == 0)
		ret = co_queue_wait(&vol->changed);
	co_restore_deadline(old);
}

/* Bricks inside the process have one lock table, in one graph. */
static bool has_bricks_inside(const struct volfile *vf)
{
	unsigned i;

	for (i = 0; i < volfile_count(vf); i++)
		if (strncmp(volfile_type(vf, i), "storage/", 8) == 0)
			return strcmp(volfile_type(vf, i), "storage/memory") != 0;
	return false;
}

static int coroutine_fn exchange(struct volume *vol, struct volfile *vf, uint64_t until_ns, const char *why, struct error *err)
{
	struct volume_graph *vg, *old;
	int ret;

	if (has_bricks_inside(vf))
		return error_set(err, -EOPNOTSUPP, "%s, which takes effect when the gateway is started again, with bricks inside", why);
	ret = build(vol, vf, err, &vg);
	if (ret < 0)
		return ret;
	wait_until_up(vol, vg, until_ns);
	old = vol->now;
	if (!old) {			/* retired meanwhile */
		volume_let_go(vg);
		return 1;
	}
	vol->now = vg;
	loop_random(vol->loop, vol->verifier, sizeof(vol->verifier));
	log_notice("the volume has another graph", "volume=%s up=%s reason=\"%s\"", vol->name, vg->up ? "yes" : "no", why);
	volume_let_go(old);
	co_queue_wake_all(&vol->changed);
	return 1;
}

static bool same_id(const struct volume *vol, const struct volfile *a, const struct volfile *b)
{
	uint8_t ids[2][16];

	volume_find_id(a, vol->name, ids[0]);
	volume_find_id(b, vol->name, ids[1]);
	return memcmp(ids[0], ids[1], 16) == 0;
}

/* -EXDEV: takes another graph. Else @vf is taken. */
static int change_options(struct volume *vol, struct volume_graph *vg, struct volfile *vf, struct error *err)
{
	int ret = graph_reconfigure(vg->graph, vg->vf, vf, err);

	if (ret == -EXDEV)
		return ret;
	if (ret <= 0) {
		volfile_free(vf);
		return ret;
	}
	log_notice("the volume's options changed", "volume=%s options=%d", vol->name, ret);
	volfile_free(vg->vf);
	vg->vf = vf;
	return 1;
}

int coroutine_fn volume_change(struct volume *vol, struct volfile *vf, uint64_t until_ns, struct error *err)
{
	struct volume_graph *vg = volume_hold(vol);
	struct error why = { "" };
	int ret = -EREMOTE;

	if (!vg || !same_id(vol, vg->vf, vf)) {
		error_set(err, ret, "it has another volume-id");
		volfile_free(vf);
	} else {
		ret = change_options(vol, vg, vf, &why);
		if (ret == -EXDEV) {
			ret = exchange(vol, vf, until_ns, why.text, err);
			if (ret < 0)
				volfile_free(vf);
		} else if (ret < 0) {
			error_set(err, ret, "%s", why.text);
		}
	}
	volume_let_go(vg);
	return ret;
}

/* --- end --- */

void volume_retire(struct volume *vol)
{
	struct volume_graph *vg = vol->now;

	vol->retired = true;
	vol->now = NULL;
	volume_let_go(vg);
	co_queue_wake_all(&vol->changed);
}

int coroutine_fn volume_gone(struct volume *vol)
{
	int ret = 0;

	while (vol->graphs && ret == 0)
		ret = co_queue_wait(&vol->changed);
	return ret;
}

int coroutine_fn volume_wait(struct volume *vol, uint64_t at_most_ns)
{
	uint64_t old;
	int ret = 0;

	if (vol->now && vol->now->was_up)
		return 0;
	if (vol->retired || !vol->now || vol->waiting >= WAITING_MAX)
		return vol->retired ? -ESTALE : -ENOTCONN;
	old = co_set_deadline(loop_now_ns(vol->loop) + at_most_ns);
	vol->waiting++;
	while (vol->now && !vol->now->was_up && ret == 0)
		ret = co_queue_wait(&vol->changed);
	vol->waiting--;
	co_restore_deadline(old);
	return vol->retired ? -ESTALE : vol->now->was_up ? 0 : -ENOTCONN;
}
