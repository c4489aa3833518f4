/* rpcgen/lists.c: XDR's linked lists coded as arrays: no recursion and no allocation per entry.
 *
 * On the wire such a list is "1, entry, 1, entry, ..., 0". How many entries a record can hold at most follows from
 * the bytes left and the smallest encoding of one; the array doubles up to that, in the arena, and so stays in
 * proportion to the bytes that came. */
#include "rpcgen/gluster4.h"
#include "rpcgen/mount3.h"
#include "rpcgen/nfs3.h"
#include "rpcgen/wire_inline.h"

#define FIRST_ENTRIES 16

static bool_t encode_list(XDR *xdrs, uint32_t n, void *entries, uint32_t entry_size, wire_entry *entry)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!wire_put32(xdrs, 1) || !entry(xdrs, (char *)entries + (size_t)i * entry_size))
			return FALSE;
	return wire_put32(xdrs, 0);
}

/* Room for one more of @max at most, or FALSE. */
static bool_t grow(struct arena *arena, void **entries, uint32_t n, uint32_t *cap, uint32_t max, uint32_t entry_size)
{
	uint32_t want = *cap ? 2 * *cap : FIRST_ENTRIES;
	void *bigger;

	if (n < *cap)
		return TRUE;
	if (want > max)
		want = max;
	if (n == want)
		return FALSE;
	bigger = arena_alloc(arena, (size_t)want * entry_size);
	if (!bigger)
		return FALSE;
	if (n)
		memcpy(bigger, *entries, (size_t)n * entry_size);
	*entries = bigger;
	*cap = want;
	return TRUE;
}

/* @min_wire counts the word before the entry, too. */
bool_t wire_list(XDR *xdrs, uint32_t *n, void **entries, uint32_t entry_size, uint32_t min_wire, wire_entry *entry)
{
	struct wire *w = (struct wire *)xdrs->x_public;
	uint32_t more, cap = 0, max = xdrs->x_handy / min_wire;

	if (xdrs->x_op == XDR_FREE)
		return TRUE;
	if (xdrs->x_op == XDR_ENCODE)
		return encode_list(xdrs, *n, *entries, entry_size, entry);
	*n = 0;
	*entries = NULL;
	for (;;) {
		if (!wire_get32(xdrs, &more))
			return FALSE;
		if (!more)
			return TRUE;
		if (!grow(w->arena, entries, *n, &cap, max, entry_size) ||
		    !entry(xdrs, (char *)*entries + (size_t)*n * entry_size))
			return FALSE;
		++*n;
	}
}

/* --- NFS: pages of a directory --- */

static bool_t code_entry3(XDR *xdrs, void *arg)
{
	entry3 *e = arg;

	return xdr_uint64_t(xdrs, &e->fileid) && xdr_filename3(xdrs, &e->name) && xdr_uint64_t(xdrs, &e->cookie);
}

bool_t xdr_dirlist3(XDR *xdrs, dirlist3 *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(entry3), 24, code_entry3) &&
	       xdr_bool(xdrs, &list->eof);
}

static bool_t code_entryplus3(XDR *xdrs, void *arg)
{
	entryplus3 *e = arg;

	return code_entry3(xdrs, e) && xdr_post_op_attr(xdrs, &e->name_attributes) &&
	       xdr_post_op_fh3(xdrs, &e->name_handle);
}

bool_t xdr_dirlistplus3(XDR *xdrs, dirlistplus3 *list)
{
	_Static_assert(offsetof(entryplus3, cookie) == offsetof(entry3, cookie), "an entryplus3 begins like an entry3");

	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(entryplus3), 32, code_entryplus3) &&
	       xdr_bool(xdrs, &list->eof);
}

/* --- MOUNT --- */

bool_t xdr_dirpath(XDR *xdrs, dirpath *path)
{
	return wire_text(xdrs, path, MNTPATHLEN);
}

bool_t xdr_mount_name(XDR *xdrs, mount_name *name)
{
	return wire_text(xdrs, name, MNTNAMLEN);
}

bool_t xdr_mount_flavors(XDR *xdrs, mount_flavors *list)
{
	uint32_t i;

	if (!wire_u32(xdrs, &list->n) || list->n > 16)
		return FALSE;
	for (i = 0; i < list->n; i++)
		if (!wire_u32(xdrs, &list->flavors[i]))
			return FALSE;
	return TRUE;
}

static bool_t code_mountbody(XDR *xdrs, void *arg)
{
	struct mountbody *m = arg;

	return xdr_mount_name(xdrs, &m->ml_hostname) && xdr_dirpath(xdrs, &m->ml_directory);
}

bool_t xdr_mountlist(XDR *xdrs, mountlist *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct mountbody), 12, code_mountbody);
}

static bool_t code_group(XDR *xdrs, void *arg)
{
	return xdr_mount_name(xdrs, arg);
}

static bool_t code_exportnode(XDR *xdrs, void *arg)
{
	struct exportnode *e = arg;

	return xdr_dirpath(xdrs, &e->ex_dir) && wire_list(xdrs, &e->ex_groups.n, (void **)&e->ex_groups.names,
							  sizeof(mount_name), 8, code_group);
}

bool_t xdr_exports(XDR *xdrs, exports *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct exportnode), 12, code_exportnode);
}

/* --- GlusterFS --- */

static bool_t code_dirent(XDR *xdrs, void *arg)
{
	struct gf_dirent *e = arg;

	return xdr_uint64_t(xdrs, &e->ino) && xdr_uint64_t(xdrs, &e->off) && xdr_uint32_t(xdrs, &e->len) &&
	       xdr_uint32_t(xdrs, &e->type) && xdr_gf_string(xdrs, &e->name);
}

bool_t xdr_gf_dirlist(XDR *xdrs, gf_dirlist *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct gf_dirent), 32, code_dirent);
}

static bool_t code_direntp(XDR *xdrs, void *arg)
{
	struct gf_direntp *e = arg;

	return code_dirent(xdrs, e) && xdr_gf_iattx(xdrs, &e->stat) && xdr_gfx_dict(xdrs, &e->dict);
}

bool_t xdr_gf_dirlistp(XDR *xdrs, gf_dirlistp *list)
{
	_Static_assert(offsetof(struct gf_direntp, name) == offsetof(struct gf_dirent, name), "they begin alike");

	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct gf_direntp), 192, code_direntp);
}

static bool_t code_lockent(XDR *xdrs, void *arg)
{
	struct gf_lockent *e = arg;

	return xdr_gf_flock(xdrs, &e->flock) && xdr_gf_string(xdrs, &e->client_uid) && xdr_uint32_t(xdrs, &e->lk_flags);
}

bool_t xdr_gf_locklist(XDR *xdrs, gf_locklist *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct gf_lockent), 44, code_lockent);
}

static bool_t code_prog(XDR *xdrs, void *arg)
{
	struct gf_prog *e = arg;

	return xdr_gf_string(xdrs, &e->name) && xdr_uint64_t(xdrs, &e->prog) && xdr_uint64_t(xdrs, &e->vers);
}

bool_t xdr_gf_progs(XDR *xdrs, gf_progs *list)
{
	return wire_list(xdrs, &list->n, (void **)&list->entries, sizeof(struct gf_prog), 24, code_prog);
}
