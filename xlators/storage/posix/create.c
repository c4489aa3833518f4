/* xlators/storage/posix/create.c: new names: create, mknod, mkdir, symlink, link.
 *
 * Always the same order: the object under its name, as the caller; then, as root, its attributes, its gfid, and last its handle. What
 * fails is undone; where a crash leaves off, the next lookup goes on: no gfid yet means a gfid can still be given, no handle means it is
 * made. The name's lock keeps such a lookup from meddling with a creation that is merely under way. */
#include "xlators/storage/posix/job.h"

#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/list.h"

struct making {
	struct posix *px;
	struct call *call;
	struct node *parent;
	const char *name;
	bool layout_held, locked;
	struct node *node;		/* what was made */
	struct statx st;		/* of a new object, its mask 0 else */
};

/* The parent's attribute must be what the caller expects, and stay so until the entry is there. */
static int check_preop(struct making *m, const struct preop *preop, bool *ret_failed)
{
	const struct xattr *x;
	int ret;

	pthread_rwlock_rdlock(&m->parent->layout);
	m->layout_held = true;
	pthread_mutex_lock(&m->parent->lock);
	ret = attrs_load(m->px, m->parent);
	if (ret == 0) {
		x = xattrs_find(m->parent->attrs, preop->key);
		*ret_failed = !x || x->len != preop->len || memcmp(x->value, preop->value, x->len);
		ret = *ret_failed ? -EIO : 0;
	}
	pthread_mutex_unlock(&m->parent->lock);
	return ret;
}

static int make_begin(struct making *m, struct inode *parent, const uint8_t *gfid, const struct preop *preop, bool *ret_failed,
		      struct iatt *preparent)
{
	int ret;

	if (!gfid || gfid_is_null(gfid))
		return -EINVAL;
	ret = node_of(m->px, parent, NULL, &m->parent);
	if (ret < 0)
		return ret;
	if (m->parent->type != S_IFDIR)
		return -ENOTDIR;
	ret = name_check(m->parent, m->name);
	if (ret == 0)
		ret = node_iatt(m->px, m->parent, preparent);
	if (ret < 0)
		return ret;
	if (space_refuses(m->px, m->call))
		return -ENOSPC;
	name_lock(m->px, m->parent->gfid, m->name);
	m->locked = true;
	return preop && preop->key ? check_preop(m, preop, ret_failed) : 0;
}

static int make_end(struct making *m, int ret, struct iatt *stat, struct iatt *postparent)
{
	if (m->locked)
		name_unlock(m->px, m->parent->gfid, m->name);
	if (m->layout_held)
		pthread_rwlock_unlock(&m->parent->layout);
	if (ret == 0) {
		node_touch_parent(m->px, m->parent, m->call);
		ret = m->st.stx_mask ? node_iatt_st(m->px, m->node, &m->st, stat) : node_iatt(m->px, m->node, stat);
	}
	if (ret == 0)
		ret = node_iatt(m->px, m->parent, postparent);
	node_put(m->px, m->node);
	node_put(m->px, m->parent);
	return ret;
}

static void first_times(struct node *object, const struct call *call)
{
	struct mdata *md = &object->mdata;
	uint8_t raw[MDATA_SIZE];

	if (!(call->time_flags & (TIME_CTIME | TIME_MTIME | TIME_ATIME)))
		return;
	md->ctime = md->mtime = md->atime = call->time;
	mdata_encode(md, raw);
	if (nx_set(object, XATTR_MDATA, raw, sizeof(raw), 0) == 0)
		object->mdata_state = MDATA_PRESENT;
}

/* Gives the new object all it needs to be one of ours, and makes its node. Takes object->fd over. */
static int adopt(struct making *m, struct node *object, const uint8_t *gfid, const struct xattrs *xattrs)
{
	bool dir = object->type == S_IFDIR;
	int ret;

	ret = xattrs_apply(m->px, object, xattrs);
	if (ret == 0)			/* with it the object comes to life: a directory has its range by then */
		ret = nx_set(object, XATTR_GFID, gfid, 16, XATTR_CREATE);
	if (ret == 0) {
		first_times(object, m->call);
		if (!dir)
			path_attr_add(m->px, object, m->parent->gfid, m->name);
		ret = dir ? handle_make_dir(m->px, m->parent->gfid, m->name, gfid) :
			    handle_link(m->px, m->parent->fd, m->name, gfid);
	}
	if (ret < 0) {
		close(object->fd);
		return ret;
	}
	ret = object_statx_timeless(object->fd, &m->st);
	if (ret == 0)
		ret = node_make(m->px, gfid, &m->st, object->fd, &m->node);
	else
		close(object->fd);
	if (ret < 0) {
		handle_remove(m->px, gfid);
	} else {
		pthread_mutex_lock(&m->node->lock);
		m->node->mdata = object->mdata;
		m->node->mdata_state = object->mdata_state == MDATA_PRESENT ? MDATA_PRESENT : MDATA_ABSENT;
		pthread_mutex_unlock(&m->node->lock);
	}
	return ret;
}

/* @object: type, and fd when it is open already. */
static int adopt_or_undo(struct making *m, struct node *object, const uint8_t *gfid, const struct xattrs *xattrs)
{
	int ret = 0;

	pthread_mutex_init(&object->lock, NULL);
	if (object->fd < 0) {
		object->fd = object_open(m->parent->fd, m->name, object->type);
		ret = object->fd < 0 ? object->fd : 0;
	}
	if (ret == 0)
		ret = adopt(m, object, gfid, xattrs);
	if (ret < 0)
		unlinkat(m->parent->fd, m->name, object->type == S_IFDIR ? AT_REMOVEDIR : 0);
	pthread_mutex_destroy(&object->lock);
	return ret;
}

/* A directory's gfid may name one directory only. */
static int gfid_is_free(struct posix *px, const uint8_t *gfid)
{
	struct statx st;
	int fd, ret = handle_open(px, gfid, &st, &fd);

	if (ret == 0) {
		close(fd);
		return -EEXIST;
	}
	return ret == -ESTALE ? 0 : ret;
}

static int existing(struct making *m, const struct create_args *args)
{
	static const uint8_t masks[4] = { 4, 2, 6, 4 };
	struct statx st;
	int ret = entry_open(m->px, m->parent, m->name, &st, &m->node);

	if (ret < 0)
		return ret;
	if (m->node->type != S_IFREG)
		return m->node->type == S_IFDIR ? -EISDIR : -EEXIST;
	ret = entry_may(m->px, m->call, m->parent, 1);
	return ret < 0 ? ret : entry_may(m->px, m->call, m->node, masks[args->flags & O_ACCMODE]);
}

/* A new regular file, open: one system call less than mknod and open. As the caller. */
static int make_file(struct making *m, unsigned mode)
{
	int fd;

	creds_user(m->call);
	fd = openat(m->parent->fd, m->name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode & 07777);
	if (fd < 0)
		fd = -errno;
	creds_root();
	return fd;
}

static int create_job(struct posix *px, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct making m = { .px = px, .call = call, .name = args->name };
	struct node object = { .fd = -1, .type = S_IFREG };
	int ret = make_begin(&m, args->parent, args->gfid, &args->preop, &res->preop_failed, &res->preparent);

	if (ret == 0) {
		object.fd = make_file(&m, args->mode);
		ret = object.fd < 0 ? object.fd : 0;
		if (ret == 0)
			ret = adopt_or_undo(&m, &object, args->gfid, &args->xattrs);
		else if (ret == -EEXIST && !(args->flags & O_EXCL))
			ret = existing(&m, args);
	}
	return make_end(&m, ret, &res->stat, &res->postparent);
}
POSIX_OFFLOADED(create, STABLE)

int coroutine_fn fop_create(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct posix *px = xl->priv;
	struct inode *inode;
	struct node *node;
	int ret = create_offload(xl, call, args, res);

	if (ret < 0 || !args->want_fd)
		return ret;
	node = node_peek(px, res->stat.gfid, true);
	inode = node ? inode_get(xl_inodes(xl), res->stat.gfid) : NULL;
	res->fd = inode ? fd_new(inode, args->flags) : NULL;
	inode_unref(inode);
	if (!res->fd) {
		node_put(px, node);
		return node ? -ENOMEM : -ESTALE;
	}
	ret = fd_attach(px, node, -1, res->fd);
	if (ret < 0) {
		fd_unref(res->fd);
		res->fd = NULL;
	}
	return ret;
}

/* A linkto file, or a heal that met the object under another name before: one more name of what has the gfid already. */
static int link_existing(struct making *m, const uint8_t *gfid)
{
	char handle[HANDLE_MAX];
	int ret = node_get(m->px, gfid, &m->node);

	if (ret < 0)
		return ret;
	if (m->node->type == S_IFDIR)
		return -EEXIST;
	pthread_rwlock_wrlock(&m->node->layout);
	ret = linkat(m->px->handles_fd, handle_name(gfid, handle), m->parent->fd, m->name, 0) < 0 ? -errno : 0;
	pthread_rwlock_unlock(&m->node->layout);
	if (ret == 0)
		path_attr_add(m->px, m->node, m->parent->gfid, m->name);
	return ret;
}

/* What force-replace may replace: a linkto file that stands for the very object. */
static int drop_stale_linkto(struct making *m, const uint8_t *gfid)
{
	struct node *old;
	struct statx st;
	char value[8];
	int ret = entry_open(m->px, m->parent, m->name, &st, &old);

	if (ret < 0)
		return ret;
	ret = gfid_equal(old->gfid, gfid) && (st.stx_mode & 07777) == 01000 &&
	      (ret = nx_get(old, XATTR_LINKTO, value, sizeof(value)), ret >= 0 || ret == -ERANGE) ? 0 : -EEXIST;
	if (ret == 0) {
		pthread_rwlock_wrlock(&old->layout);
		ret = unlinkat(m->parent->fd, m->name, 0) < 0 ? -errno : 0;
		if (ret == 0)
			object_unnamed(m->px, m->call, old, st.stx_nlink, m->parent->gfid, m->name);
		pthread_rwlock_unlock(&old->layout);
	}
	node_put(m->px, old);
	return ret;
}

static int make_node(struct making *m, const struct mknod_args *args)
{
	struct node object = { .fd = -1, .type = args->mode & S_IFMT };
	int ret;

	if (!object.type)
		object.type = S_IFREG;
	if (object.type == S_IFDIR || object.type == S_IFLNK)
		return -EINVAL;
	if (args->internal) {
		ret = link_existing(m, args->gfid);
		if (ret != -ESTALE)
			return ret;
	}
	if (object.type == S_IFREG) {
		object.fd = make_file(m, args->mode);
		ret = object.fd < 0 ? object.fd : 0;
	} else {
		creds_user(m->call);
		ret = mknodat(m->parent->fd, args->name, object.type | (args->mode & 07777), args->rdev) < 0 ? -errno : 0;
		creds_root();
	}
	return ret < 0 ? ret : adopt_or_undo(m, &object, args->gfid, &args->xattrs);
}

static int mknod_job(struct posix *px, struct call *call, const struct mknod_args *args, struct mknod_res *res)
{
	struct making m = { .px = px, .call = call, .name = args->name };
	int ret = make_begin(&m, args->parent, args->gfid, &args->preop, &res->preop_failed, &res->preparent);

	if (ret == 0) {
		ret = make_node(&m, args);
		if (ret == -EEXIST && args->force_replace) {
			node_put(px, m.node);
			m.node = NULL;
			ret = drop_stale_linkto(&m, args->gfid);
			if (ret == 0)
				ret = make_node(&m, args);
		}
	}
	return make_end(&m, ret, &res->stat, &res->postparent);
}
POSIX_FOP(mknod, STABLE)

/* mkdir(2) takes no set-id bits from the mode. Where the caller may not set them they stay off, as with chmod. */
static void set_id_bits(struct making *m, unsigned mode)
{
	struct statx st;

	if ((mode & 06000) && name_statx(m->parent->fd, m->name, &st) == 0)
		fchmodat(m->parent->fd, m->name, (st.stx_mode | (mode & 06000)) & 07777, 0);
}

static int mkdir_job(struct posix *px, struct call *call, const struct mkdir_args *args, struct mkdir_res *res)
{
	struct making m = { .px = px, .call = call, .name = args->name };
	struct node object = { .fd = -1, .type = S_IFDIR };
	int ret = make_begin(&m, args->parent, args->gfid, &args->preop, &res->preop_failed, &res->preparent);

	if (ret == 0)
		ret = gfid_is_free(px, args->gfid);
	if (ret == 0) {
		creds_user(call);
		ret = mkdirat(m.parent->fd, args->name, args->mode & 07777) < 0 ? -errno : 0;
		if (ret == 0)
			set_id_bits(&m, args->mode);
		creds_root();
		if (ret == 0)
			ret = adopt_or_undo(&m, &object, args->gfid, &args->xattrs);
	}
	return make_end(&m, ret, &res->stat, &res->postparent);
}
POSIX_FOP(mkdir, STABLE)

static int symlink_job(struct posix *px, struct call *call, const struct symlink_args *args, struct symlink_res *res)
{
	struct making m = { .px = px, .call = call, .name = args->name };
	struct node object = { .fd = -1, .type = S_IFLNK };
	int ret = make_begin(&m, args->parent, args->gfid, NULL, NULL, &res->preparent);

	if (ret == 0) {
		creds_user(call);
		ret = symlinkat(args->target, m.parent->fd, args->name) < 0 ? -errno : 0;
		creds_root();
		if (ret == 0)
			ret = adopt_or_undo(&m, &object, args->gfid, &args->xattrs);
	}
	return make_end(&m, ret, &res->stat, &res->postparent);
}
POSIX_FOP(symlink, STABLE)

/* As root after the caller's right to write there is clear: the kernel's own protection of hard links would refuse what POSIX allows. */
static int make_link(struct making *m, const uint8_t *gfid)
{
	char handle[HANDLE_MAX];
	int ret = entry_may(m->px, m->call, m->parent, 2 | 1);

	if (ret < 0)
		return ret;
	pthread_rwlock_wrlock(&m->node->layout);
	ret = linkat(m->px->handles_fd, handle_name(gfid, handle), m->parent->fd, m->name, 0) < 0 ? -errno : 0;
	pthread_rwlock_unlock(&m->node->layout);
	return ret;
}

static int link_job(struct posix *px, struct call *call, const struct link_args *args, struct link_res *res)
{
	struct making m = { .px = px, .call = call, .name = args->newname };
	int ret = make_begin(&m, args->newparent, args->inode->gfid, NULL, NULL, &res->preparent);

	if (ret == 0)
		ret = node_of(px, args->inode, NULL, &m.node);
	if (ret == 0 && m.node->type == S_IFDIR)
		ret = -EPERM;
	if (ret == 0) {
		ret = make_link(&m, args->inode->gfid);
		if (ret == -EEXIST && args->force_replace) {
			ret = drop_stale_linkto(&m, args->inode->gfid);
			if (ret == 0)
				ret = make_link(&m, args->inode->gfid);
		}
	}
	if (ret == 0) {
		path_attr_add(px, m.node, m.parent->gfid, m.name);
		node_touch(px, m.node, call, call->time_flags & TIME_CTIME);
	}
	return make_end(&m, ret, &res->stat, &res->postparent);
}
POSIX_FOP(link, STABLE)
