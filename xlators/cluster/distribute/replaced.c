/* xlators/cluster/distribute/replaced.c: what a rename replaces on a third subvolume (README.md, "A
 * rename between subvolumes that is cut short").
 *
 * It goes last, when the new name means the renamed file already. So a rename that dies before that
 * leaves it there: listed a second time, in the way of other renames, and back when the new name is
 * removed. Two files under one name look like that for other reasons, too. So it is written on it,
 * before the rename happens, which file replaces it and under which name; RENAME sent again removes
 * what bears that note, and nothing else. */
#include <string.h>

#include "xlators/cluster/distribute/listing.h"

#define REPLACED "trusted.gatehouse.dht.replaced"

struct note { uint8_t parent[16], by[16]; char name[256]; };

static uint32_t write_note(struct note *n, const struct inode *parent, const char *name,
			   const uint8_t *by)
{
	size_t len = strnlen(name, sizeof(n->name));

	memcpy(n->parent, parent->gfid, 16);
	memcpy(n->by, by, 16);
	memcpy(n->name, name, len);
	return (uint32_t)(32 + len);
}

int coroutine_fn dht_note_replaced(struct xlator *xl, struct call *call, struct inode *parent,
				   const char *name, struct inode *victim, int on, const uint8_t *by)
{
	struct call own = dht_internal(call);
	struct note note;
	struct xattr x = { REPLACED, &note, write_note(&note, parent, name, by) };
	struct setxattr_args args = { .inode = victim, .xattrs = { &x, 1 }, .internal = true };
	struct setxattr_res unused;

	return xl_setxattr(xl->children[on], &own, &args, &unused);
}

static bool bears(const struct lookup_res *found, const struct note *note, uint32_t len)
{
	const struct xattr *x = xattrs_find(&found->xattrs, REPLACED);

	return x && x->len == len && memcmp(x->value, note, len) == 0 &&
	       !S_ISDIR(found->stat.mode) && !gfid_equal(found->stat.gfid, note->by);
}

/* The new name means the file, on record: it is made once more, and is there. */
static int coroutine_fn confirm(struct xlator *xl, struct call *call, struct inode *parent,
				const char *name, const struct dht_found *f)
{
	struct call own = dht_internal(call);
	const uint8_t *gfid = f->res.stat.gfid;
	struct link_args args = { .newparent = parent, .newname = name, .internal = true };
	struct link_res unused = { 0 };
	int ret;

	if (f->cached != f->hashed)
		return dht_linkto_make(xl, call, parent, name, gfid, f->hashed, f->cached, NULL,
				       false);
	args.inode = inode_get(xl_inodes(xl), gfid);
	ret = args.inode ? xl_link(xl->children[f->cached], &own, &args, &unused) : -ENOMEM;
	inode_unref(args.inode);
	return ret == -EEXIST ? 0 : ret;
}

int coroutine_fn dht_clear_replaced(struct xlator *xl, struct call *call, struct inode *parent,
				    const char *name, const struct dht_found *f)
{
	static const char *const names[] = { REPLACED };
	struct xattr_want want = { names, 1, NULL };
	struct lookup_args look = { .parent = parent, .name = name, .want = &want };
	struct unlink_args args = { .parent = parent, .name = name, .internal = true };
	struct call own = dht_internal(call);
	struct answer *ans = dht_fanout_same(xl, &own, FOP_lookup, &look, -1);
	struct note note;
	uint32_t len = write_note(&note, parent, name, f->res.stat.gfid);
	struct unlink_res unused;
	bool confirmed = false;
	int ret = ans ? 0 : -ENOMEM;

	for (unsigned i = 0; ret == 0 && i < xl->nchildren; i++) {
		if (dht_in_doubt(ans[i].err))
			ret = ans[i].err;
		if (ans[i].err || (int)i == f->cached || !bears(&ans[i].res->lookup, &note, len))
			continue;
		if (!confirmed)
			ret = confirm(xl, call, parent, name, f);
		confirmed = true;
		if (ret == 0)
			ret = xl_unlink(xl->children[i], &own, &args, &unused);
		if (dht_gone(ret))
			ret = 0;
	}
	return ret;
}
