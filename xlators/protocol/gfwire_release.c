/* xlators/protocol/gfwire_release.c: call.release in the dictionary of a change (bricks/PROTOCOL.md).
 *
 * One value of bytes, because it travels with every change of an entry: a dictionary in a dictionary would cost more than it says. */
#include "xlators/protocol/gfwire_impl.h"

#include <endian.h>
#include <string.h>

enum { RELEASE_RANGE, RELEASE_NAME, RELEASE_WHOLE };	/* the first byte of each lock */
enum { LOCK_MAX = 1 + 16 + 256 };

static uint32_t put_lock(uint8_t *to, const struct lock_released *v)
{
	uint64_t range[2] = { htobe64(v->start), htobe64(v->len) };
	const void *more = v->entry ? (const void *)v->name : range;
	uint32_t len = !v->entry ? sizeof(range) : v->name ? (uint32_t)strlen(v->name) + 1 : 0;

	to[0] = !v->entry ? RELEASE_RANGE : v->name ? RELEASE_NAME : RELEASE_WHOLE;
	memcpy(to + 1, v->gfid, 16);
	if (len)
		memcpy(to + 17, more, len);
	return 17 + len;
}

int gfwire_put_release(struct gfwire *gw, const struct gfwire_proc *p, const struct lock_release *release, void *req)
{
	gfx_dict *d = (gfx_dict *)((char *)req + p->xdata);
	uint32_t len = (uint32_t)strlen(release->domain) + 1, i;
	uint8_t *bytes;

	if (!p->xdata)
		return 0;
	bytes = arena_alloc(gw->arena, len + LOCK_RELEASE_MAX * LOCK_MAX);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, release->domain, len);
	for (i = 0; i < release->n; i++) {
		if (release->v[i].name && strlen(release->v[i].name) > 255)
			return -ENAMETOOLONG;
		len += put_lock(bytes + len, &release->v[i]);
	}
	if (!d->arena)
		dict_init(d, gw->arena);
	return dict_set_data(d, GATE_KEY_RELEASE, DICT_BIN, bytes, len);
}

/* The bytes up to the first NUL, with it; 0: there is none. */
static uint32_t text_len(const uint8_t *at, uint32_t room)
{
	const uint8_t *end = memchr(at, 0, room);

	return end ? (uint32_t)(end - at) + 1 : 0;
}

/* How many bytes the lock takes; 0: nonsense. */
static uint32_t get_lock(const uint8_t *at, uint32_t room, struct lock_released *v)
{
	uint64_t range[2];
	uint32_t len = 0;

	if (room < 17)
		return 0;
	*v = (struct lock_released){ .gfid = at + 1, .entry = at[0] != RELEASE_RANGE };
	switch (at[0]) {
	case RELEASE_RANGE:
		if (room < 17 + sizeof(range))
			return 0;
		memcpy(range, at + 17, sizeof(range));
		v->start = be64toh(range[0]);
		v->len = be64toh(range[1]);
		return 17 + sizeof(range);
	case RELEASE_NAME:
		len = text_len(at + 17, room - 17);
		v->name = (const char *)at + 17;
		return len ? 17 + len : 0;
	case RELEASE_WHOLE:
		return 17;
	default:
		return 0;
	}
}

const struct lock_release *gfwire_get_release(struct gfwire *gw, const struct gfwire_proc *p, const void *req)
{
	const gfx_dict *d = (const gfx_dict *)((const char *)req + p->xdata);
	const struct dict_pair *pair = p->xdata && d->n ? dict_get(d, GATE_KEY_RELEASE) : NULL;
	struct lock_release *release;
	uint32_t at, len;

	if (!pair || pair->type != DICT_BIN || !pair->data)
		return NULL;
	release = arena_alloc(gw->arena, sizeof(*release));
	if (!release)
		return NULL;
	release->n = 0;
	release->domain = pair->data;
	for (at = text_len(pair->data, pair->len); at && at < pair->len; at += len) {
		len = release->n < LOCK_RELEASE_MAX ? get_lock((const uint8_t *)pair->data + at, pair->len - at, &release->v[release->n]) : 0;
		if (!len)
			return NULL;
		release->n++;
	}
	return release->n ? release : NULL;
}
