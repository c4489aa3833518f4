/* xlators/storage/memory/memory_index.c: which objects accuse a copy, as features/index tells it on real bricks (facts: brick-format.md).
 *
 * Nothing is kept: the changelogs on the disk are looked through whenever somebody asks, so the index is right after every crash. Names of the
 * virtual directory are gfids; the position of each is its place in the disk's list. */
#include <dirent.h>
#include <string.h>

#include "xlators/storage/memory/memory_private.h"

#define INDEX_PENDING "trusted.afr."
#define INDEX_DIRTY "trusted.afr.dirty"
#define INDEX_PAGE 512u

static const uint8_t index_gfid[16] = { 0x69, 0x6e, 0x64, 0x65, 0x78, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1 };

static bool accuses(const struct disk_object *obj)
{
	struct list *pos;
	uint32_t i;

	list_for_each(pos, &obj->xattrs) {
		const struct mxattr *x = list_entry(pos, struct mxattr, link);

		if (strncmp(x->name, INDEX_PENDING, strlen(INDEX_PENDING)) != 0 || strcmp(x->name, INDEX_DIRTY) == 0)
			continue;
		for (i = 0; i < x->len; i++)
			if (((const uint8_t *)x->value)[i])
				return true;
	}
	return false;
}

uint32_t memory_index_count(const struct memory_disk *disk)
{
	struct list *pos;
	uint32_t n = 0;

	list_for_each(pos, &disk->all)
		n += accuses(list_entry(pos, struct disk_object, all));
	return n;
}

bool memory_index_is(const uint8_t *gfid)
{
	return gfid_equal(gfid, index_gfid);
}

/* False: @name is not the one that asks for the directory. */
bool memory_index_name(const char *name, struct call *call, struct xattrs *ret_set)
{
	struct xattr *x;

	if (!name || strcmp(name, "glusterfs.xattrop_index_gfid") != 0)
		return false;
	x = arena_alloc(call->arena, sizeof(*x));
	if (!x)
		return false;
	*x = (struct xattr){ arena_strdup(call->arena, name), arena_memdup(call->arena, index_gfid, 16), 16 };
	*ret_set = (struct xattrs){ x, 1 };
	return true;
}

int memory_index_list(const struct memory_disk *disk, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	struct list *pos;
	uint64_t off = 0;

	res->n = 0;
	res->eof = true;
	res->entries = arena_alloc(call->arena, INDEX_PAGE * sizeof(*res->entries));
	if (!res->entries)
		return -ENOMEM;
	list_for_each(pos, &disk->all) {
		const struct disk_object *obj = list_entry(pos, struct disk_object, all);
		char text[GFID_TEXT_SIZE];

		if (++off <= args->offset || !accuses(obj))
			continue;
		if (res->n == INDEX_PAGE) {
			res->eof = false;
			break;
		}
		res->entries[res->n] = (struct dirent_plus){ .ino = off, .off = off, .type = DT_REG, .namelen = GFID_TEXT_SIZE - 1 };
		res->entries[res->n++].name = arena_strdup(call->arena, gfid_text(obj->st.gfid, text));
	}
	return 0;
}
