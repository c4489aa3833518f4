/* xlators/storage/memory/memory_entry.c: names: make, remove, rename. Each fop is one transaction of the disk's journal. */
#include "xlators/storage/memory/memory_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int check_name(const char *name)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return strlen(name) > 255 ? -ENAMETOOLONG : 0;
}

/* The directory, if the caller may change names in it. */
static int writable_directory(struct memory *m, struct call *call, struct inode *inode, const char *name, struct disk_object **ret_dir)
{
	int ret = memory_directory(m, inode, ret_dir);

	if (ret == 0)
		ret = check_name(name);
	if (ret < 0)
		return ret;
	return memory_allowed(*ret_dir, call, 3) ? 0 : -EACCES;
}

/* A sticky directory: only the owner of the object or of the directory takes a name away. */
static bool may_remove(const struct disk_object *dir, const struct disk_object *obj, const struct call *call)
{
	return !(dir->st.mode & S_ISVTX) || call->uid == 0 || call->uid == dir->st.uid || call->uid == obj->st.uid;
}

static bool is_linkto(const struct disk_object *obj)
{
	return S_ISREG(obj->st.mode) && (obj->st.mode & 07777) == S_ISVTX && disk_xattr_find(obj, XATTR_LINKTO);
}

static bool preop_holds(const struct disk_object *dir, const struct preop *preop)
{
	const struct mxattr *x;

	if (!preop->key)
		return true;
	x = disk_xattr_find(dir, preop->key);
	return x && x->len == preop->len && memcmp(x->value, preop->value, preop->len) == 0;
}

struct making {
	struct inode *parent;
	const char *name;
	const uint8_t *gfid;
	uint32_t mode;
	uint64_t rdev;
	const struct xattrs *xattrs;
	const struct preop *preop;
	const char *target;
	struct disk_object *dir, *made;
	struct iatt pre, post, stat;
	bool preop_failed;
};

/* Everything that can refuse a new name; -EEXIST leaves the existing object in mk->made. */
static int may_make(struct memory *m, struct call *call, struct making *mk)
{
	struct disk_entry *d;
	int ret = writable_directory(m, call, mk->parent, mk->name, &mk->dir);

	if (ret == -EACCES && disk_entry_find(mk->dir, mk->name) && memory_allowed(mk->dir, call, 1))
		ret = 0;		/* it exists: that is the better answer */
	if (ret < 0)
		return ret;
	disk_object_stat(mk->dir, &mk->pre);
	d = disk_entry_find(mk->dir, mk->name);
	if (d) {
		mk->made = d->object;
		return -EEXIST;
	}
	if (!mk->gfid || gfid_is_null(mk->gfid))
		return -EINVAL;
	if (mk->preop && !preop_holds(mk->dir, mk->preop)) {
		mk->preop_failed = true;
		return -EIO;
	}
	return 0;
}

static void own(struct disk_object *obj, const struct disk_object *dir, const struct call *call)
{
	obj->st.uid = call->uid;
	obj->st.gid = call->gid;
	if (!(dir->st.mode & S_ISGID))
		return;
	obj->st.gid = dir->st.gid;
	if (S_ISDIR(obj->st.mode))
		obj->st.mode |= S_ISGID;
}

static void enter(struct xlator *xl, struct call *call, struct making *mk, struct disk_object *obj)
{
	disk_entry_add(mk->dir, mk->name, obj);
	memory_stamp(xl, call, mk->dir, TIME_CTIME | TIME_MTIME, true);
	disk_object_stat(obj, &mk->stat);
	disk_object_stat(mk->dir, &mk->post);
	mk->made = obj;
}

static void make(struct xlator *xl, struct call *call, struct making *mk)
{
	struct memory *m = xl->priv;
	struct disk_object *obj;

	disk_begin(m->disk);
	obj = disk_object_new(m->disk, mk->gfid, mk->mode);
	own(obj, mk->dir, call);
	obj->st.rdev = mk->rdev;
	if (mk->target)
		obj->target = memcpy(disk_alloc(strlen(mk->target) + 1), mk->target, strlen(mk->target));
	memory_stamp(xl, call, obj, TIME_CTIME | TIME_MTIME | TIME_ATIME, false);
	memory_store_xattrs(obj, mk->xattrs);
	disk_object_touch(mk->dir);
	obj->st.nlink = 1;
	if (S_ISDIR(mk->mode)) {
		obj->st.nlink = 2;
		obj->parent = mk->dir;
		mk->dir->st.nlink++;
	}
	enter(xl, call, mk, obj);
	disk_object_unref(obj);
}

static int make_new(struct xlator *xl, struct call *call, struct making *mk)
{
	struct memory *m = xl->priv;
	int ret = may_make(m, call, mk);

	if (ret < 0)
		return ret;
	if (disk_object_find(m->disk, mk->gfid))
		return -EEXIST;
	make(xl, call, mk);
	return 0;
}

/* Internal MKNOD of a gfid that is here already: another name for it. With force_replace a stale linkto of this gfid is written anew. */
static int mknod_known(struct xlator *xl, struct call *call, const struct mknod_args *args, struct making *mk, int why)
{
	struct memory *m = xl->priv;
	struct disk_object *obj = disk_object_find(m->disk, args->gfid);

	if (why == -EEXIST) {
		if (!args->force_replace || mk->made != obj || !is_linkto(obj))
			return -EEXIST;
		disk_begin(m->disk);
		memory_store_xattrs(obj, mk->xattrs);
		disk_object_stat(obj, &mk->stat);
		disk_object_stat(mk->dir, &mk->post);
		return 0;
	}
	if (S_ISDIR(obj->st.mode))
		return -EEXIST;
	disk_begin(m->disk);
	disk_object_touch(obj);
	obj->st.nlink++;
	enter(xl, call, mk, obj);
	return 0;
}

int coroutine_fn memory_mknod(struct xlator *xl, struct call *call, const struct mknod_args *args, struct mknod_res *res)
{
	struct memory *m = xl->priv;
	struct making mk = { .parent = args->parent, .name = args->name, .gfid = args->gfid, .mode = args->mode, .rdev = args->rdev,
			     .xattrs = &args->xattrs, .preop = &args->preop };
	int ret;

	if (!(args->mode & S_IFMT))
		mk.mode |= S_IFREG;
	ret = may_make(m, call, &mk);
	if (ret == 0 && !disk_object_find(m->disk, args->gfid))
		make(xl, call, &mk);
	else if ((ret == 0 && args->internal) || ret == -EEXIST)
		ret = mknod_known(xl, call, args, &mk, ret);
	else if (ret == 0)
		ret = -EEXIST;
	*res = (struct mknod_res){ mk.stat, mk.pre, mk.post, mk.preop_failed };
	return ret < 0 ? ret : memory_settle(xl, call);
}

int coroutine_fn memory_mkdir(struct xlator *xl, struct call *call, const struct mkdir_args *args, struct mkdir_res *res)
{
	struct making mk = { .parent = args->parent, .name = args->name, .gfid = args->gfid, .mode = S_IFDIR | (args->mode & 07777),
			     .xattrs = &args->xattrs, .preop = &args->preop };
	int ret = make_new(xl, call, &mk);

	*res = (struct mkdir_res){ mk.stat, mk.pre, mk.post, mk.preop_failed };
	return ret < 0 ? ret : memory_settle(xl, call);
}

int coroutine_fn memory_symlink(struct xlator *xl, struct call *call, const struct symlink_args *args, struct symlink_res *res)
{
	struct making mk = { .parent = args->parent, .name = args->name, .gfid = args->gfid, .mode = S_IFLNK | 0777,
			     .xattrs = &args->xattrs, .target = args->target };
	int ret = strlen(args->target) > 4095 ? -ENAMETOOLONG : make_new(xl, call, &mk);

	*res = (struct symlink_res){ mk.stat, mk.pre, mk.post };
	return ret < 0 ? ret : memory_settle(xl, call);
}

static int open_existing(struct xlator *xl, struct call *call, const struct create_args *args, struct making *mk)
{
	static const uint32_t need[] = { [O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6, [O_ACCMODE] = 6 };

	if (args->flags & O_EXCL)
		return -EEXIST;
	if (S_ISDIR(mk->made->st.mode))
		return -EISDIR;
	if (!memory_allowed(mk->made, call, need[args->flags & O_ACCMODE]))
		return -EACCES;
	if (args->flags & O_TRUNC)
		disk_data_truncate(mk->made, 0);
	disk_object_stat(mk->made, &mk->stat);
	mk->post = mk->pre;
	return 0;
}

int coroutine_fn memory_create(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct making mk = { .parent = args->parent, .name = args->name, .gfid = args->gfid, .mode = S_IFREG | (args->mode & 07777),
			     .xattrs = &args->xattrs, .preop = &args->preop };
	struct fd *fd = NULL;
	int ret = make_new(xl, call, &mk);

	if (ret == -EEXIST && mk.made)
		ret = open_existing(xl, call, args, &mk);
	if (ret == 0 && args->want_fd) {
		struct inode *inode = inode_get(xl_inodes(xl), mk.stat.gfid);

		if (!inode)
			abort();
		fd = memory_open(xl->priv, mk.made, inode, (int)args->flags);
		inode_unref(inode);
	}
	if (ret == 0)
		ret = memory_settle(xl, call);
	if (ret < 0) {
		fd_unref(fd);
		fd = NULL;
	}
	*res = (struct create_res){ mk.stat, mk.pre, mk.post, fd, mk.preop_failed };
	return ret;
}

int coroutine_fn memory_link(struct xlator *xl, struct call *call, const struct link_args *args, struct link_res *res)
{
	struct memory *m = xl->priv;
	struct making mk = { .parent = args->newparent, .name = args->newname, .gfid = args->inode->gfid };
	struct disk_object *obj;
	int ret = memory_object(m, args->inode, NULL, &obj);

	if (ret == 0)
		ret = S_ISDIR(obj->st.mode) ? -EPERM : may_make(m, call, &mk);
	if (ret == -EEXIST && args->force_replace && mk.made == obj && is_linkto(obj)) {
		ret = 0;
		disk_object_stat(obj, &mk.stat);
		mk.post = mk.pre;
	} else if (ret == 0) {
		disk_begin(m->disk);
		memory_stamp(xl, call, obj, TIME_CTIME, false);
		obj->st.nlink++;
		enter(xl, call, &mk, obj);
	}
	*res = (struct link_res){ mk.stat, mk.pre, mk.post };
	return ret < 0 ? ret : memory_settle(xl, call);
}

/* ---- removing ---- */

/* Takes a name away, and with the last one the object's life. */
static void drop_name(struct xlator *xl, struct call *call, struct disk_object *dir, struct disk_entry *d)
{
	struct disk_object *obj = d->object;

	memory_stamp(xl, call, obj, TIME_CTIME, false);
	if (S_ISDIR(obj->st.mode)) {
		obj->st.nlink = 0;
		disk_object_touch(dir);
		dir->st.nlink--;
	} else {
		obj->st.nlink--;
	}
	disk_entry_del(dir, d);
	memory_stamp(xl, call, dir, TIME_CTIME | TIME_MTIME, true);
}

static int find_to_remove(struct memory *m, struct call *call, struct inode *parent, const char *name, struct disk_object **ret_dir,
			  struct disk_entry **ret_d)
{
	int ret = writable_directory(m, call, parent, name, ret_dir);

	if (ret < 0)
		return ret;
	*ret_d = disk_entry_find(*ret_dir, name);
	if (!*ret_d)
		return -ENOENT;
	return may_remove(*ret_dir, (*ret_d)->object, call) ? 0 : -EPERM;
}

int coroutine_fn memory_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *dir;
	struct disk_entry *d;
	int ret = find_to_remove(m, call, args->parent, args->name, &dir, &d);

	if (ret < 0)
		return ret;
	if (S_ISDIR(d->object->st.mode))
		return -EISDIR;
	if ((args->only_if_linkto && !is_linkto(d->object)) || (args->not_if_open && d->object->opens))
		return -EBUSY;
	res->nlink_before = d->object->st.nlink;
	memcpy(res->removed, d->object->st.gfid, sizeof(res->removed));
	disk_object_stat(dir, &res->preparent);
	disk_begin(m->disk);
	drop_name(xl, call, dir, d);
	disk_object_stat(dir, &res->postparent);
	return memory_settle(xl, call);
}

/* The whole tree, leaves first, without recursion: down to some empty directory or file, take it, start over. */
static void empty_tree(struct xlator *xl, struct call *call, struct disk_object *top)
{
	while (top->nentries) {
		struct disk_object *dir = top;
		struct disk_entry *d = list_first(&dir->order, struct disk_entry, order);

		while (S_ISDIR(d->object->st.mode) && d->object->nentries) {
			dir = d->object;
			d = list_first(&dir->order, struct disk_entry, order);
		}
		drop_name(xl, call, dir, d);
	}
}

int coroutine_fn memory_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	struct memory *m = xl->priv;
	struct disk_object *dir;
	struct disk_entry *d;
	int ret = find_to_remove(m, call, args->parent, args->name, &dir, &d);

	if (ret < 0)
		return ret;
	if (!S_ISDIR(d->object->st.mode))
		return -ENOTDIR;
	if (d->object->nentries && !args->recursive)
		return -ENOTEMPTY;
	disk_object_stat(dir, &res->preparent);
	disk_begin(m->disk);
	empty_tree(xl, call, d->object);
	drop_name(xl, call, dir, d);
	disk_object_stat(dir, &res->postparent);
	return memory_settle(xl, call);
}

/* ---- rename ---- */

struct renaming { struct disk_object *from, *to, *obj; struct disk_entry *source, *victim; };

static bool is_inside(const struct disk_object *dir, const struct disk_object *of)
{
	while (dir != of && dir->parent != dir)
		dir = dir->parent;
	return dir == of;
}

static int may_replace(const struct renaming *rn, const struct call *call)
{
	const struct disk_object *victim = rn->victim->object;

	if (!may_remove(rn->to, victim, call))
		return -EPERM;
	if (S_ISDIR(victim->st.mode) && !S_ISDIR(rn->obj->st.mode))
		return -EISDIR;
	if (!S_ISDIR(victim->st.mode) && S_ISDIR(rn->obj->st.mode))
		return -ENOTDIR;
	return victim->nentries ? -ENOTEMPTY : 0;
}

static int may_rename(struct memory *m, struct call *call, const struct rename_args *args, struct renaming *rn)
{
	int ret = find_to_remove(m, call, args->oldparent, args->oldname, &rn->from, &rn->source);

	if (ret == 0)
		ret = writable_directory(m, call, args->newparent, args->newname, &rn->to);
	if (ret < 0)
		return ret;
	rn->obj = rn->source->object;
	rn->victim = disk_entry_find(rn->to, args->newname);
	if (S_ISDIR(rn->obj->st.mode) && is_inside(rn->to, rn->obj))
		return -EINVAL;
	return rn->victim && rn->victim->object != rn->obj ? may_replace(rn, call) : 0;
}

static void move(struct xlator *xl, struct call *call, const struct rename_args *args, struct renaming *rn)
{
	struct disk_object *obj = disk_object_ref(rn->obj);

	if (rn->victim)
		drop_name(xl, call, rn->to, rn->victim);
	disk_entry_del(rn->from, rn->source);
	disk_entry_add(rn->to, args->newname, obj);
	memory_stamp(xl, call, obj, TIME_CTIME, false);
	memory_stamp(xl, call, rn->from, TIME_CTIME | TIME_MTIME, true);
	memory_stamp(xl, call, rn->to, TIME_CTIME | TIME_MTIME, true);
	if (S_ISDIR(obj->st.mode) && rn->from != rn->to) {
		rn->from->st.nlink--;
		rn->to->st.nlink++;
		obj->parent = rn->to;
	}
	disk_object_unref(obj);
}

int coroutine_fn memory_rename(struct xlator *xl, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	struct memory *m = xl->priv;
	struct renaming rn = { 0 };
	int ret = may_rename(m, call, args, &rn);

	if (ret < 0)
		return ret;
	disk_object_stat(rn.from, &res->preold);
	disk_object_stat(rn.to, &res->prenew);
	if (!rn.victim || rn.victim->object != rn.obj) {	/* two names of one object: nothing to do */
		disk_begin(m->disk);
		move(xl, call, args, &rn);
	}
	disk_object_stat(rn.obj, &res->stat);
	disk_object_stat(rn.from, &res->postold);
	disk_object_stat(rn.to, &res->postnew);
	return memory_settle(xl, call);
}
