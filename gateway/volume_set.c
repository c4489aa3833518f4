/* gateway/volume_set.c: see volume_set.h. */
#include "gateway/volume_set.h"

#include <errno.h>
#include <string.h>

void volume_set_init(struct volume_set *set)
{
	list_init(&set->all);
	hash_init(&set->by_id);
	set->recent = NULL;
	set->n = 0;
	set->fixed = false;
}

/* Ids are random, or hashes: eight bytes of one are as good as a hash of it. */
static uint64_t id_hash(const uint8_t *id)
{
	uint64_t hash;

	memcpy(&hash, id, sizeof(hash));
	return hash;
}

static struct volume *by_id(const struct volume_set *set, const uint8_t *id)
{
	struct hash_link *link = hash_find(&set->by_id, id_hash(id));

	while (link) {
		struct volume *vol = container_of(link, struct volume, by_id);

		if (memcmp(vol->id, id, 16) == 0)
			return vol;
		link = hash_next(link);
	}
	return NULL;
}

struct volume *volume_set_find(const struct volume_set *set, const char *name, size_t len)
{
	struct list *pos;

	list_for_each(pos, &set->all) {
		struct volume *vol = list_entry(pos, struct volume, in_set);

		if (strlen(vol->name) == len && memcmp(vol->name, name, len) == 0)
			return vol;
	}
	return NULL;
}

int volume_set_add(struct volume_set *set, struct volume *vol, struct error *err)
{
	struct volume *other = volume_set_find(set, vol->name, strlen(vol->name));

	if (other && other != vol)
		return error_set(err, -EEXIST, "a volume named %s is served already", vol->name);
	if (vol->has_id) {
		other = by_id(set, vol->id);
		if (other == vol)
			return 0;
		if (other)
			return error_set(err, -EEXIST, "it has the volume-id of %s, so its file handles would be those of %s", other->name,
					 other->name);
		hash_insert(&set->by_id, &vol->by_id, id_hash(vol->id));
	}
	if (list_empty(&vol->in_set)) {
		list_append(&set->all, &volume_ref(vol)->in_set);
		set->n++;
	}
	return 0;
}

void volume_set_remove(struct volume_set *set, struct volume *vol)
{
	if (list_empty(&vol->in_set))
		return;
	if (by_id(set, vol->id) == vol)
		hash_remove(&set->by_id, &vol->by_id);
	if (set->recent == vol)
		set->recent = NULL;
	list_remove(&vol->in_set);
	set->n--;
	volume_unref(vol);
}

/* Whose volfile was never good, nobody knows the id of; its key tells its handles. */
static bool of_the_nameless(const struct volume_set *set, const struct wire_handle *wire)
{
	struct filehandle fh;
	struct list *pos;

	list_for_each(pos, &set->all) {
		const struct volume *vol = list_entry(pos, struct volume, in_set);

		if (!vol->has_id && filehandle_decode(vol->mac, vol->id, wire, &fh) != -EBADF)
			return true;
	}
	return false;
}

int volume_set_decode(struct volume_set *set, const struct wire_handle *wire, struct volume **ret_vol,
		      struct filehandle *ret_fh)
{
	struct volume *vol = set->recent;
	const uint8_t *id;

	if (vol && filehandle_says(wire, vol->id)) {
		*ret_vol = vol;
		return filehandle_decode(vol->mac, vol->id, wire, ret_fh);
	}
	id = filehandle_volume(wire);
	if (!id)
		return -EBADF;
	vol = by_id(set, id);
	if (vol) {
		*ret_vol = set->recent = vol;
		return filehandle_decode(vol->mac, id, wire, ret_fh);
	}
	if (set->fixed && !list_empty(&set->all)) {
		vol = list_first(&set->all, struct volume, in_set);
		return filehandle_decode(vol->mac, vol->id, wire, ret_fh);
	}
	return of_the_nameless(set, wire) ? -EAGAIN : -ESTALE;
}

void coroutine_fn volume_set_stop(struct volume_set *set)
{
	struct volume *vol;
	struct list *pos;

	list_for_each(pos, &set->all)
		volume_retire(list_entry(pos, struct volume, in_set));
	while (!list_empty(&set->all)) {
		vol = volume_ref(list_first(&set->all, struct volume, in_set));
		volume_set_remove(set, vol);
		volume_gone(vol);
		volume_unref(vol);
	}
	hash_fini(&set->by_id);
}
