/* gateway/nfs3_make.c: CREATE, MKDIR, SYMLINK and MKNOD.
 *
 * The one idea: the gfid of a new object follows from the request itself, by a keyed hash over client address, xid and
 * arguments. When a retransmission finds the name taken, the gfid tells whether this very request took it, also after
 * the gateway that did it was killed, and on another gateway with the same key. EXCLUSIVE creates put the client's
 * eight verifier bytes (with directory and name) in place of the xid, so the verifier is kept whole, made durable
 * together with the file, and takes nothing away from the file's times. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gateway/nfs3.h"
#include "gateway/trust.h"

#define DEFAULT_FILE_MODE 0600
#define DEFAULT_DIR_MODE 0700
#define SECONDS_PER_HOUR 3600

struct make {
	uint32_t type;			/* S_IFMT: DIR by mkdir, LNK by symlink, REG by create, others by mknod */
	const filename3 *name;
	const sattr3 *attrs;		/* NULL: none (EXCLUSIVE) */
	const uint8_t *verifier;	/* EXCLUSIVE */
	const char *target;
	uint64_t rdev;
	uint8_t gfid[16];
	bool again;			/* came before and left us in doubt: then @gfid is the one of that time */
	struct iatt stat, pre, post;	/* the object; its directory */
	bool existed;			/* with -EEXIST: @stat is what has the name */
};

/* What a gfid follows from. The hour is in it because clients use their xids again one day, and by then the object of the
 * old request may still live under another name. */
struct gfid_seed {
	uint8_t peer[16], volume[16];
	uint64_t hour, checksum;
	uint32_t xid, type;
	uint8_t dir[16];
	uint8_t verifier[NFS3_CREATEVERFSIZE];
	char name[NFS_NAME_MAX + 1];
};

/* Bricks file handles by a gfid's first two bytes. Where those follow from the directory, its files' handles lie together: spread over
 * 65,536 places almost every new file would need a directory of its own made there. The other 14 bytes keep gfids apart. */
static void beside_siblings(const uint8_t dir[16], uint8_t gfid[16])
{
	memcpy(gfid, dir + 14, 2);
}

static int derive_gfid(struct nfs_op *op, const struct make *m, uint64_t hour, uint8_t ret_gfid[16])
{
	struct gfid_seed seed;
	int ret;

	memset(&seed, 0, sizeof(seed));
	export_address((const struct sockaddr *)op->rq->peer, seed.peer);
	memcpy(seed.volume, op->volume->id, 16);
	seed.hour = hour;
	seed.type = m->type;
	if (m->verifier) {
		memcpy(seed.dir, op->inode->gfid, 16);
		memcpy(seed.verifier, m->verifier, NFS3_CREATEVERFSIZE);
		memcpy(seed.name, m->name->text, m->name->len);
	} else {
		seed.checksum = op->rq->checksum;
		seed.xid = op->rq->xid;
	}
	ret = mac_tag(op->volume->mac, MAC_DERIVE, &seed, m->verifier ? sizeof(seed) : offsetof(struct gfid_seed, dir), ret_gfid);
	ret_gfid[6] = (ret_gfid[6] & 0x0f) | 0x40;
	ret_gfid[8] = (ret_gfid[8] & 0x3f) | 0x80;
	beside_siblings(op->inode->gfid, ret_gfid);
	return ret;
}

static uint64_t hour_of(struct nfs_op *op)
{
	int64_t sec;
	uint32_t nsec;

	loop_wallclock(op->volume->loop, &sec, &nsec);
	return (uint64_t)sec / SECONDS_PER_HOUR;
}

/* Would this very request have given this gfid: in this hour, the last one, or the next by another gateway's clock? */
static bool made_by_us(struct nfs_op *op, const struct make *m, const uint8_t *gfid)
{
	uint64_t now = hour_of(op), hour;
	uint8_t mine[16];

	for (hour = now - 1; hour <= now + 1; hour++)
		if (derive_gfid(op, m, hour, mine) == 0 && gfid_equal(mine, gfid))
			return true;
	return false;
}

static uint32_t mode_of(const struct make *m)
{
	if (m->attrs && m->attrs->mode.set_it)
		return m->attrs->mode.set_mode3_u.mode & 07777;
	if (m->verifier)
		return 0;		/* the client sets it next, when it knows that the file is its own */
	return S_ISDIR(m->type) ? DEFAULT_DIR_MODE : DEFAULT_FILE_MODE;
}

#define TAKE(m, res) \
	do { \
		(m)->stat = (res)->stat; \
		(m)->pre = (res)->preparent; \
		(m)->post = (res)->postparent; \
	} while (0)

static int coroutine_fn make_file(struct nfs_op *op, struct make *m, union fop_res *res)
{
	struct create_args args = {
		.parent = op->inode,
		.name = m->name->text,
		.flags = O_CREAT | O_EXCL | O_RDWR,
		.mode = S_IFREG | mode_of(m),
		.gfid = m->gfid,
	};
	int ret = xl_create(op->top, &op->call, &args, &res->create);

	TAKE(m, &res->create);
	return ret;
}

static int coroutine_fn make_dir(struct nfs_op *op, struct make *m, union fop_res *res)
{
	struct mkdir_args args = {
		.parent = op->inode, .name = m->name->text, .mode = S_IFDIR | mode_of(m), .gfid = m->gfid
	};
	int ret = xl_mkdir(op->top, &op->call, &args, &res->mkdir);

	TAKE(m, &res->mkdir);
	return ret;
}

static int coroutine_fn make_symlink(struct nfs_op *op, struct make *m, union fop_res *res)
{
	struct symlink_args args = { .parent = op->inode, .name = m->name->text, .target = m->target, .gfid = m->gfid };
	int ret = xl_symlink(op->top, &op->call, &args, &res->symlink);

	TAKE(m, &res->symlink);
	return ret;
}

static int coroutine_fn make_node(struct nfs_op *op, struct make *m, union fop_res *res)
{
	struct mknod_args args = {
		.parent = op->inode,
		.name = m->name->text,
		.mode = m->type | mode_of(m),
		.rdev = m->rdev,
		.gfid = m->gfid,
	};
	int ret = xl_mknod(op->top, &op->call, &args, &res->mknod);

	TAKE(m, &res->mknod);
	return ret;
}

static int coroutine_fn make_once(struct nfs_op *op, struct make *m)
{
	union fop_res *res = arena_alloc(op->rq->arena, sizeof(*res));

	if (!res)
		return -ENOMEM;
	switch (m->type) {
	case S_IFREG:
		return make_file(op, m, res);
	case S_IFDIR:
		return make_dir(op, m, res);
	case S_IFLNK:
		return make_symlink(op, m, res);
	default:
		return make_node(op, m, res);
	}
}

/* The name (or, if it is free after all, the gfid) was taken. 0: by this very request, earlier. */
static int coroutine_fn taken(struct nfs_op *op, struct make *m)
{
	struct lookup_args args = { .parent = op->inode, .name = m->name->text };
	struct lookup_res *found = arena_alloc(op->rq->arena, sizeof(*found));
	int ret;

	if (!found)
		return -ENOMEM;
	ret = gateway_lookup(op->vg->graph, &op->call, &args, m->again ? m->gfid : NULL, found);
	if (ret == -ENOENT) {
		gfid_new(op->volume->loop, m->gfid);
		return make_once(op, m);
	}
	if (ret < 0)
		return ret;
	m->stat = found->stat;
	m->pre.mode = 0;
	m->post = found->parent;
	m->existed = true;
	if ((found->stat.mode & S_IFMT) != m->type)
		return -EEXIST;
	return (m->again && gfid_equal(found->stat.gfid, m->gfid)) || made_by_us(op, m, found->stat.gfid) ? 0 : -EEXIST;
}

/* What the client wants set beyond what making it set: owner, size, times. */
static int coroutine_fn finish(struct nfs_op *op, struct make *m)
{
	struct setattr_args args = { .inode = nfs_inode(op, m->stat.gfid, m->type) };
	struct setattr_res *sres = arena_alloc(op->rq->arena, sizeof(*sres));
	struct truncate_res *tres = arena_alloc(op->rq->arena, sizeof(*tres));
	int ret;

	if (!m->attrs)
		return 0;
	if (!args.inode || !sres || !tres)
		return -ENOMEM;
	if (S_ISREG(m->type) && m->attrs->size.set_it && m->attrs->size.set_size3_u.size != m->stat.size) {
		ret = nfs_truncate(op, args.inode, m->attrs->size.set_size3_u.size, tres);
		if (ret < 0)
			return ret;
		m->stat = tres->post;
	}
	nfs_sattr(m->attrs, &args);
	if (!trust_mode(op, m->type, args.stat.mode, m->stat.mode))
		args.valid &= ~(uint32_t)SET_MODE;
	if (args.valid & SET_ATIME_NOW)
		args.valid &= ~(uint32_t)(SET_ATIME | SET_ATIME_NOW);
	if (args.valid & SET_MTIME_NOW)
		args.valid &= ~(uint32_t)(SET_MTIME | SET_MTIME_NOW);
	if ((args.valid & SET_UID) && args.stat.uid == m->stat.uid)
		args.valid &= ~(uint32_t)SET_UID;
	if ((args.valid & SET_GID) && args.stat.gid == m->stat.gid)
		args.valid &= ~(uint32_t)SET_GID;
	if (!args.valid)
		return 0;
	ret = xl_setattr(op->top, &op->call, &args, sres);
	if (ret == 0)
		m->stat = sres->post;
	return ret;
}

static int coroutine_fn make(struct nfs_op *op, struct make *m)
{
	int ret;

	if (!S_ISDIR(op->inode->type))
		return -ENOTDIR;
	m->again = doubt_take(op->volume->doubts, op->rq, m->gfid);
	ret = m->again ? 0 : derive_gfid(op, m, hour_of(op), m->gfid);
	gateway_hold_of(op->rq)->gfid = arena_memdup(op->rq->arena, m->gfid, sizeof(m->gfid));
	if (ret == 0)
		ret = make_once(op, m);
	if (ret == -EEXIST)
		ret = taken(op, m);
	if (ret == 0)
		ret = finish(op, m);
	if (status_of(ret) == NFS3ERR_JUKEBOX && (*op->sent || m->again))
		doubt_add(op->volume->doubts, op->rq, m->gfid);
	return ret;
}

/* CREATE, MKDIR, SYMLINK and MKNOD answer alike: their results differ in name only. */
_Static_assert(sizeof(CREATE3res) == sizeof(MKDIR3res) && sizeof(CREATE3res) == sizeof(SYMLINK3res) &&
	       sizeof(CREATE3res) == sizeof(MKNOD3res), "one answer for four procedures");

static int coroutine_fn answer(struct nfs_op *op, struct make *m, nfsstat3 status, CREATE3res *r)
{
	CREATE3resok *ok = &r->CREATE3res_u.resok;

	r->status = status;
	if (status == NFS3_OK) {
		nfs_post_handle(op, &m->stat, &ok->obj);
		nfs_post(op, &m->stat, &ok->obj_attributes);
		nfs_wcc(op, op->inode, &m->pre, &m->post, &ok->dir_wcc);
	} else {
		nfs_wcc(op, op->inode, NULL, NULL, &r->CREATE3res_u.resfail.dir_wcc);
	}
	return nfs_done(op->rq, status);
}

/* UNCHECKED finds a file: it is what was asked for, and of the attributes only the size is applied. */
static int coroutine_fn use_existing(struct nfs_op *op, struct make *m)
{
	sattr3 only_size = { .size = m->attrs->size };

	if (!S_ISREG(m->stat.mode))
		return -EEXIST;
	m->attrs = &only_size;
	return finish(op, m);
}

int coroutine_fn nfs3_create(struct rpc_request *rq, const void *args, void *res)
{
	const CREATE3args *a = args;
	struct make m = { .type = S_IFREG, .name = &a->where.name };
	CREATE3res *r = res;
	struct nfs_op op;
	nfsstat3 status;
	int ret;

	r->status = nfs_begin(&op, rq, &a->where.dir, NFS_MODIFIES);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	if (a->how.mode == EXCLUSIVE)
		m.verifier = (const uint8_t *)a->how.createhow3_u.verf;
	else
		m.attrs = &a->how.createhow3_u.obj_attributes;
	status = nfs_name(m.name, NAME_MAKE);
	if (status == NFS3_OK) {
		ret = make(&op, &m);
		if (ret == -EEXIST && m.existed && a->how.mode == UNCHECKED)
			ret = use_existing(&op, &m);
		status = status_of(ret);
	}
	return answer(&op, &m, status, r);
}

int coroutine_fn nfs3_mkdir(struct rpc_request *rq, const void *args, void *res)
{
	const MKDIR3args *a = args;
	struct make m = { .type = S_IFDIR, .name = &a->where.name, .attrs = &a->attributes };
	CREATE3res *r = res;
	struct nfs_op op;
	nfsstat3 status;

	r->status = nfs_begin(&op, rq, &a->where.dir, NFS_MODIFIES);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	status = nfs_name(m.name, NAME_MAKE);
	if (status == NFS3_OK)
		status = status_of(make(&op, &m));
	return answer(&op, &m, status, r);
}

static nfsstat3 check_target(const nfspath3 *target)
{
	if (!target->len || strlen(target->text) < target->len)
		return NFS3ERR_INVAL;
	return target->len > 4095 ? NFS3ERR_NAMETOOLONG : NFS3_OK;
}

int coroutine_fn nfs3_symlink(struct rpc_request *rq, const void *args, void *res)
{
	const SYMLINK3args *a = args;
	struct make m = { .type = S_IFLNK, .name = &a->where.name, .attrs = &a->symlink.symlink_attributes };
	CREATE3res *r = res;
	struct nfs_op op;
	nfsstat3 status;

	r->status = nfs_begin(&op, rq, &a->where.dir, NFS_MODIFIES);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	m.target = a->symlink.symlink_data.text;
	status = nfs_name(m.name, NAME_MAKE);
	if (status == NFS3_OK)
		status = check_target(&a->symlink.symlink_data);
	if (status == NFS3_OK)
		status = status_of(make(&op, &m));
	return answer(&op, &m, status, r);
}

static nfsstat3 node_of(const mknoddata3 *what, struct make *m)
{
	const specdata3 *spec = &what->mknoddata3_u.device.spec;

	switch (what->type) {
	case NF3CHR:
	case NF3BLK:
		m->type = what->type == NF3CHR ? S_IFCHR : S_IFBLK;
		m->attrs = &what->mknoddata3_u.device.dev_attributes;
		m->rdev = makedev(spec->specdata1, spec->specdata2);
		return NFS3_OK;
	case NF3SOCK:
	case NF3FIFO:
		m->type = what->type == NF3SOCK ? S_IFSOCK : S_IFIFO;
		m->attrs = &what->mknoddata3_u.pipe_attributes;
		return NFS3_OK;
	default:
		return NFS3ERR_BADTYPE;
	}
}

int coroutine_fn nfs3_mknod(struct rpc_request *rq, const void *args, void *res)
{
	const MKNOD3args *a = args;
	struct make m = { .name = &a->where.name };
	CREATE3res *r = res;
	struct nfs_op op;
	nfsstat3 status;

	r->status = nfs_begin(&op, rq, &a->where.dir, NFS_MODIFIES);
	if (r->status != NFS3_OK)
		return nfs_done(rq, r->status);
	status = node_of(&a->what, &m);
	if (status == NFS3_OK && (S_ISCHR(m.type) || S_ISBLK(m.type)) && op.call.uid != 0)
		status = NFS3ERR_PERM;
	if (status == NFS3_OK)
		status = nfs_name(m.name, NAME_MAKE);
	if (status == NFS3_OK)
		status = status_of(make(&op, &m));
	return answer(&op, &m, status, r);
}
