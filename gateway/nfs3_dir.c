/* gateway/nfs3_dir.c: READDIR and READDIRPLUS: one batched brick call a page, attributes and handles with it, never a
 * lookup per entry.
 *
 * Cookies are the graph's own 64-bit positions (cluster/distribute's README says how they are made). The cookie
 * verifier names their format; it never changes because a directory changed, so a listing goes on while others add and
 * remove names. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/nfs3.h"

static const uint8_t cookie_format[NFS3_COOKIEVERFSIZE] = { 'g', 'a', 't', 'e', 'd', 'i', 'r', '1' };

#define PAGE_MIN 4096u
#define PAGE_MAX (512u << 10)
#define ATTR_BYTES (4 + 84)			/* post_op_attr with attributes */
#define HANDLE_BYTES (4 + 4 + FILEHANDLE_SIZE)	/* post_op_fh3 with a handle */
#define HEAD_BYTES (ATTR_BYTES + 8)		/* dir_attributes and cookieverf */
#define TAIL_BYTES 8				/* end of list, eof */

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

static uint32_t name_bytes(const struct dirent_plus *d)	/* fileid, name, cookie */
{
	return 8 + 4 + padded(d->namelen) + 8;
}

static bool is_dots(const struct dirent_plus *d)
{
	return d->name[0] == '.' && (d->namelen == 1 || (d->namelen == 2 && d->name[1] == '.'));
}

/* A page of the directory, and the directory's own attributes. */
static nfsstat3 coroutine_fn read_page(struct nfs_op *op, uint64_t cookie, const uint8_t *verf, uint32_t size,
				       struct readdir_res *page)
{
	struct readdir_args args = { .inode = op->inode, .offset = cookie, .size = size, .plus = true };
	int ret;

	if (!S_ISDIR(op->inode->type))
		return NFS3ERR_NOTDIR;
	if (cookie && memcmp(verf, cookie_format, sizeof(cookie_format)) != 0)
		return NFS3ERR_BAD_COOKIE;
	args.size = size < PAGE_MIN ? PAGE_MIN : size > PAGE_MAX ? PAGE_MAX : size;
	ret = xl_readdir(op->top, &op->call, &args, page);	/* whether the caller may read it, the brick says */
	if (ret == -EINVAL && cookie)
		return NFS3ERR_BAD_COOKIE;
	return status_of_object(ret);
}

/* The directory's own number for "."; for ".." of the export's root, too. */
static uint64_t fileid_of(const struct nfs_op *op, const struct dirent_plus *d, bool at_root)
{
	if (d->namelen == 1 && d->name[0] == '.')
		return nfs_fileid(op, gfid_ino(op->inode->gfid));
	if (is_dots(d) && at_root)
		return nfs_fileid(op, gfid_ino(op->inode->gfid));
	return nfs_fileid(op, gfid_is_null(d->stat.gfid) ? d->ino : gfid_ino(d->stat.gfid));
}

static bool coroutine_fn at_export_root(struct nfs_op *op)
{
	uint8_t root[16];

	if (gfid_is_root(op->inode->gfid))
		return true;
	return *op->export->subdir && gateway_export_root(op->vg->graph, op->rq->arena, op->export, root) == 0 &&
	       gfid_equal(root, op->inode->gfid);
}

static void fill_entry(const struct nfs_op *op, const struct dirent_plus *d, bool at_root, entry3 *e)
{
	e->fileid = fileid_of(op, d, at_root);
	e->name.text = (char *)d->name;
	e->name.len = d->namelen;
	e->cookie = d->off;
}

static nfsstat3 coroutine_fn fill_dirlist(struct nfs_op *op, const struct readdir_res *page, uint32_t count,
					  dirlist3 *list)
{
	bool at_root = at_export_root(op);
	uint32_t used = HEAD_BYTES + TAIL_BYTES, i;

	list->entries = arena_alloc(op->rq->arena, (page->n + 1) * sizeof(*list->entries));
	if (!list->entries)
		return NFS3ERR_JUKEBOX;
	for (i = 0; i < page->n; i++) {
		used += 4 + name_bytes(&page->entries[i]);
		if (used > count)
			break;
		fill_entry(op, &page->entries[i], at_root, &list->entries[list->n++]);
	}
	list->eof = page->eof && i == page->n;
	return page->n && !list->n ? NFS3ERR_TOOSMALL : NFS3_OK;
}

int coroutine_fn nfs3_readdir(struct rpc_request *rq, const void *args, void *res)
{
	struct readdir_res *page = arena_alloc(rq->arena, sizeof(*page));
	const READDIR3args *a = args;
	READDIR3res *r = res;
	READDIR3resok *ok = &r->READDIR3res_u.resok;
	uint32_t count = a->count < NFS_IO_MAX ? a->count : NFS_IO_MAX;
	struct nfs_op op;

	r->status = page ? nfs_begin(&op, rq, &a->dir, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	/* Names alone take a sixth of what a brick sends for an entry with its gfid. */
	r->status = read_page(&op, a->cookie, (const uint8_t *)a->cookieverf,
			      count < PAGE_MAX / 4 ? count * 4 : PAGE_MAX, page);
	if (r->status == NFS3_OK)
		r->status = fill_dirlist(&op, page, count, &ok->reply);
	if (r->status == NFS3_OK)
		memcpy(ok->cookieverf, cookie_format, sizeof(cookie_format));
	nfs_post_ask(&op, op.inode, NULL, &ok->dir_attributes);
	return nfs_done(rq, r->status);
}

/* Above the export's root nothing is told, not even attributes of "..". Below an exported subdirectory that is so everywhere: the
 * directory may have been moved out of it. */
static void fill_plus(struct nfs_op *op, const struct dirent_plus *d, bool at_root, entryplus3 *e)
{
	const bool hidden = (at_root || *op->export->subdir) && d->namelen == 2 && is_dots(d);

	fill_entry(op, d, at_root, (entry3 *)e);
	if (hidden || !iatt_present(&d->stat) || gfid_is_null(d->stat.gfid))
		return;
	nfs_post(op, &d->stat, &e->name_attributes);
	nfs_post_handle(op, &d->stat, &e->name_handle);
}

static nfsstat3 coroutine_fn fill_dirlistplus(struct nfs_op *op, const struct readdir_res *page, uint32_t dircount,
					      uint32_t maxcount, dirlistplus3 *list)
{
	uint32_t used = HEAD_BYTES + TAIL_BYTES, names = 0, i;
	bool at_root = at_export_root(op);

	list->entries = arena_alloc(op->rq->arena, (page->n + 1) * sizeof(*list->entries));
	if (!list->entries)
		return NFS3ERR_JUKEBOX;
	for (i = 0; i < page->n; i++) {
		const struct dirent_plus *d = &page->entries[i];

		used += 4 + name_bytes(d) + ATTR_BYTES + HANDLE_BYTES;
		names += name_bytes(d);
		if (used > maxcount || (names > dircount && list->n))
			break;
		fill_plus(op, d, at_root, &list->entries[list->n++]);
	}
	list->eof = page->eof && i == page->n;
	return page->n && !list->n ? NFS3ERR_TOOSMALL : NFS3_OK;
}

int coroutine_fn nfs3_readdirplus(struct rpc_request *rq, const void *args, void *res)
{
	struct readdir_res *page = arena_alloc(rq->arena, sizeof(*page));
	const READDIRPLUS3args *a = args;
	READDIRPLUS3res *r = res;
	READDIRPLUS3resok *ok = &r->READDIRPLUS3res_u.resok;
	uint32_t maxcount = a->maxcount < NFS_IO_MAX ? a->maxcount : NFS_IO_MAX;
	struct nfs_op op;

	r->status = page ? nfs_begin(&op, rq, &a->dir, NFS_READS) : NFS3ERR_JUKEBOX;
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	r->status = read_page(&op, a->cookie, (const uint8_t *)a->cookieverf, maxcount, page);
	if (r->status == NFS3_OK)
		r->status = fill_dirlistplus(&op, page, a->dircount, maxcount, &ok->reply);
	if (r->status == NFS3_OK)
		memcpy(ok->cookieverf, cookie_format, sizeof(cookie_format));
	nfs_post_ask(&op, op.inode, NULL, &ok->dir_attributes);
	return nfs_done(rq, r->status);
}
