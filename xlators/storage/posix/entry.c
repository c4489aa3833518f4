/* xlators/storage/posix/entry.c: from a name to an object: lookup, with its repairs, and readlink.
 *
 * A name found through an inode number we know costs one system call. An object met for the first time gets its gfid read, its handle
 * checked, and both mended where a crash or a foreign hand left them unfinished. */
#include "xlators/storage/posix/job.h"

#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/log.h"

int name_check(const struct node *parent, const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return -EINVAL;
	if (memchr(name, '/', len))
		return -EPERM;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	return gfid_is_root(parent->gfid) && strcmp(name, HANDLE_DIR) == 0 ? -EPERM : 0;
}

static unsigned lock_index(const uint8_t *parent, const char *name)
{
	uint64_t seed;

	memcpy(&seed, parent + 8, 8);
	return hash_bytes(name, strlen(name), seed) % NAME_LOCKS;
}

void name_lock(struct posix *px, const uint8_t *parent, const char *name)
{
	pthread_mutex_lock(&px->name_locks[lock_index(parent, name)]);
}

void name_unlock(struct posix *px, const uint8_t *parent, const char *name)
{
	pthread_mutex_unlock(&px->name_locks[lock_index(parent, name)]);
}

void name_lock_two(struct posix *px, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2)
{
	unsigned a = lock_index(p1, n1), b = lock_index(p2, n2);

	pthread_mutex_lock(&px->name_locks[a < b ? a : b]);
	if (a != b)
		pthread_mutex_lock(&px->name_locks[a < b ? b : a]);
}

void name_unlock_two(struct posix *px, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2)
{
	unsigned a = lock_index(p1, n1), b = lock_index(p2, n2);

	pthread_mutex_unlock(&px->name_locks[a]);
	if (a != b)
		pthread_mutex_unlock(&px->name_locks[b]);
}

static int duplicate(const struct node *parent, const char *name, const uint8_t *gfid)
{
	char text[GFID_TEXT_SIZE], where[GFID_TEXT_SIZE];

	log_error("two objects carry one gfid; remove the copy's extended attribute trusted.gfid", "gfid=%s parent=%s name=%s",
		  gfid_text(gfid, text), gfid_text(parent->gfid, where), log_quote(name));
	return -EIO;
}

static int check_dir_handle(struct posix *px, struct node *parent, const char *name, const uint8_t *gfid, const struct statx *st)
{
	char known[256];
	uint8_t up[16];
	struct statx other;
	int fd, ret;

	if (handle_read_dir(px, gfid, up, known) == 0 && gfid_equal(up, parent->gfid) && strcmp(known, name) == 0)
		return 0;
	/* It points elsewhere: moved this moment, or left behind by a crash, or a copy. */
	ret = handle_open(px, gfid, &other, &fd);
	if (ret == 0) {
		close(fd);
		return other.stx_ino == st->stx_ino ? 0 : duplicate(parent, name, gfid);
	}
	return ret == -ESTALE ? handle_make_dir(px, parent->gfid, name, gfid) : ret;
}

static int check_handle(struct posix *px, struct node *parent, const char *name, const uint8_t *gfid, const struct statx *st)
{
	struct statx handle;
	int ret;

	if (S_ISDIR(st->stx_mode))
		return check_dir_handle(px, parent, name, gfid, st);
	ret = handle_stat(px, gfid, &handle);
	if (ret == 0)
		return handle.stx_ino == st->stx_ino ? 0 : duplicate(parent, name, gfid);
	if (ret == -ENOENT)
		ret = handle_link(px, parent->fd, name, gfid);
	return ret == -EEXIST ? duplicate(parent, name, gfid) : ret;
}

static int open_named(struct node *parent, const char *name, struct statx *ret_st, struct node *ret_object)
{
	int ret, tries;

	for (tries = 0; tries < 8; tries++) {
		ret = name_statx(parent->fd, name, ret_st);
		if (ret < 0)
			return ret;
		ret_object->type = ret_st->stx_mode & S_IFMT;
		ret_object->fd = object_open(parent->fd, name, ret_object->type);
		if (ret_object->fd == -ELOOP || ret_object->fd == -ENOTDIR)
			continue;		/* another kind of object by now */
		if (ret_object->fd < 0)
			return ret_object->fd;
		ret = object_statx_timeless(ret_object->fd, ret_st);
		if (ret == 0 && (ret_st->stx_mode & S_IFMT) == ret_object->type)
			return 0;
		close(ret_object->fd);
	}
	return -EAGAIN;
}

/* A first gfid: the attribute, then the handle. Under the name's lock. */
static int heal_gfid(struct posix *px, struct node *parent, const char *name, struct node *object, const uint8_t *gfid,
		     const struct statx *st)
{
	struct statx other;
	int fd, ret;

	ret = handle_open(px, gfid, &other, &fd);
	if (ret == 0) {
		close(fd);
		return -EEXIST;
	}
	if (ret != -ESTALE)
		return ret;
	ret = nx_set(object, XATTR_GFID, gfid, 16, 1);
	if (ret < 0)
		return ret;
	ret = S_ISDIR(st->stx_mode) ? handle_make_dir(px, parent->gfid, name, gfid) : handle_link(px, parent->fd, name, gfid);
	if (ret < 0)
		nx_remove(object, XATTR_GFID);
	return ret;
}

/* @ret_node is NULL with -ENODATA. With @gfid_req the caller holds the name's lock. */
int entry_find(struct posix *px, struct node *parent, const char *name, const uint8_t *gfid_req, struct statx *ret_st,
	       struct node **ret_node)
{
	struct node object = { .fd = -1 };
	bool healed = false;
	uint8_t gfid[16];
	int ret;

	*ret_node = NULL;
	ret = name_statx(parent->fd, name, ret_st);
	if (ret < 0)
		return ret;
	*ret_node = node_peek_ino(px, ret_st);
	if (*ret_node)
		return 0;
	ret = open_named(parent, name, ret_st, &object);
	if (ret < 0)
		return ret;
	ret = nx_get(&object, XATTR_GFID, gfid, 16);
	if (ret == -ENODATA && gfid_req) {
		ret = heal_gfid(px, parent, name, &object, gfid_req, ret_st);
		memcpy(gfid, gfid_req, 16);
		healed = true;
	} else if (ret >= 0) {
		ret = ret == 16 && !gfid_is_null(gfid) ? check_handle(px, parent, name, gfid, ret_st) : -EIO;
	}
	if (ret == 0)			/* the link count counts the handle */
		ret = object_statx_timeless(object.fd, ret_st);
	if (ret < 0) {
		close(object.fd);
		return ret;
	}
	ret = node_make(px, gfid, ret_st, object.fd, ret_node);
	if (ret == 0 && healed)
		path_attr_add(px, *ret_node, parent->gfid, name);
	return ret;
}

/* The same, ready to be worked on. What cannot be opened by its handle is a node from before somebody repaired the brick by hand. */
int entry_open(struct posix *px, struct node *parent, const char *name, struct statx *ret_st, struct node **ret_node)
{
	int ret = entry_find(px, parent, name, NULL, ret_st, ret_node);

	if (ret == 0)
		ret = node_open(px, *ret_node);
	if (ret == -ESTALE && *ret_node) {
		node_forget(px, *ret_node);
		node_put(px, *ret_node);
		ret = entry_find(px, parent, name, NULL, ret_st, ret_node);
	}
	return ret;
}

static int find_name(struct posix *px, struct node *parent, const struct lookup_args *args, struct statx *ret_st,
		     struct node **ret_node)
{
	const uint8_t *gfid_req = args->gfid_req && !gfid_is_null(args->gfid_req) ? args->gfid_req : NULL;
	int ret = entry_find(px, parent, args->name, NULL, ret_st, ret_node);

	if (ret == -ENODATA) {		/* not ours, or about to get its gfid from who is making it */
		name_lock(px, parent->gfid, args->name);
		ret = entry_find(px, parent, args->name, gfid_req, ret_st, ret_node);
		name_unlock(px, parent->gfid, args->name);
	}
	return ret;
}

static int find_dots(struct posix *px, struct node *parent, const char *name, struct node **ret_node)
{
	char self[256];
	uint8_t up[16];
	int ret;

	if (!name[1]) {
		*ret_node = node_ref(px, parent);
		return 0;
	}
	if (gfid_is_root(parent->gfid))
		return -ENODATA;
	ret = handle_read_dir(px, parent->gfid, up, self);
	return ret < 0 ? ret : node_get(px, up, ret_node);
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int find_in(struct posix *px, struct call *call, struct node *parent, const struct lookup_args *args, struct lookup_res *res,
		   struct node **ret_node)
{
	struct node nameless = { .fd = -1 };
	struct statx st;
	int ret = node_iatt(px, parent, &res->parent);

	if (ret == 0)
		ret = parent->type == S_IFDIR ? entry_may(px, call, parent, 1) : -ENOTDIR;
	if (ret < 0)
		return ret;
	if (is_dots(args->name)) {
		ret = find_dots(px, parent, args->name, ret_node);
		return ret < 0 ? ret : node_iatt(px, *ret_node, &res->stat);
	}
	ret = find_name(px, parent, args, &st, ret_node);
	if (ret == 0)
		return node_iatt_st(px, *ret_node, &st, &res->stat);
	if (ret == -ENODATA && args->gfidless) {
		ret = statx(parent->fd, args->name, AT_SYMLINK_NOFOLLOW, STATX_WANTED, &st) < 0 ? -errno : 0;
		iatt_fill(px, &nameless, &st, &res->stat);
	}
	node_put(px, *ret_node);
	*ret_node = NULL;
	return ret;
}

static int lookup_name(struct posix *px, struct call *call, const struct lookup_args *args, struct lookup_res *res,
		       struct node **ret_node)
{
	struct node *parent;
	int ret = node_of(px, args->parent, NULL, &parent);

	if (ret < 0)
		return ret;
	ret = name_check(parent, args->name);
	if (ret == 0)
		ret = find_in(px, call, parent, args, res, ret_node);
	node_put(px, parent);
	return ret;
}

static int lookup_job(struct posix *px, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct node *node = NULL;
	int ret;

	if (args->name) {
		ret = lookup_name(px, call, args, res, &node);
	} else {
		ret = node_of(px, args->inode, NULL, &node);
		if (ret == 0)
			ret = node_iatt(px, node, &res->stat);
		if (ret == -ESTALE)
			ret = -ENOENT;
	}
	if (ret == 0 && node) {
		pthread_mutex_lock(&node->lock);
		ret = attrs_wanted(px, call, node, args->want, args->list_xattr, &res->xattrs);
		pthread_mutex_unlock(&node->lock);
		res->counts.open_fd = node->opens;
	}
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(lookup, RESULTS)

static int statx_for(const struct node *node, struct statx *st)
{
	return node->mdata_state == MDATA_PRESENT ? object_statx_timeless(node->fd, st) : object_statx(node->fd, st);
}

/* The same from memory alone. False when something would have to be read; then nothing has been promised. */
static bool peek_parent(struct posix *px, struct call *call, struct node *parent, struct iatt *ret_iatt, int *ret_err)
{
	uint32_t granted = 0;
	struct statx st;
	bool known;

	if (pthread_mutex_trylock(&parent->lock))
		return false;
	known = parent->mdata_state != MDATA_UNKNOWN && statx_for(parent, &st) == 0 &&
		granted_peek(px, call, parent, &st, 1, &granted);
	if (known) {
		iatt_fill(px, parent, &st, ret_iatt);
		*ret_err = granted ? 0 : -EACCES;
	}
	pthread_mutex_unlock(&parent->lock);
	return known;
}

static bool peek_object(struct posix *px, struct call *call, struct node *node, const struct statx *st, const struct lookup_args *args,
			struct lookup_res *res, int *ret_err)
{
	struct statx full;
	bool known;

	if (pthread_mutex_trylock(&node->lock))
		return false;
	known = node->mdata_state != MDATA_UNKNOWN && (node->attrs || (!args->want && !args->list_xattr));
	if (known && node->mdata_state == MDATA_ABSENT) {
		known = node->fd >= 0 && object_statx(node->fd, &full) == 0;
		st = &full;
	}
	if (known) {
		iatt_fill(px, node, st, &res->stat);
		*ret_err = attrs_wanted(px, call, node, args->want, args->list_xattr, &res->xattrs);
		res->counts.open_fd = node->opens;
	}
	pthread_mutex_unlock(&node->lock);
	return known;
}

static bool peek_named(struct posix *px, struct call *call, struct node *parent, const struct lookup_args *args, struct lookup_res *res,
		       int *ret_err)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED };
	struct node *node;
	struct statx st;
	bool known;
	int fd;

	if (!peek_parent(px, call, parent, &res->parent, ret_err))
		return false;
	if (*ret_err)
		return true;
	fd = syscall(SYS_openat2, parent->fd, args->name, &how, sizeof(how));
	if (fd < 0) {
		*ret_err = -errno;
		return errno == ENOENT;
	}
	known = object_statx_timeless(fd, &st) == 0;
	close(fd);
	node = known ? node_peek_ino(px, &st) : NULL;
	if (!node)
		return false;
	known = peek_object(px, call, node, &st, args, res, ret_err);
	node_put(px, node);
	return known;
}

static bool lookup_peek(struct posix *px, struct call *call, const struct lookup_args *args, struct lookup_res *res, int *ret_err)
{
	struct node *node = node_of_peek(px, args->name ? args->parent : args->inode, NULL);
	struct statx st;
	bool known = false;

	if (!node)
		return false;
	if (args->name)
		known = node->type == S_IFDIR && !is_dots(args->name) && name_check(node, args->name) == 0 &&
			peek_named(px, call, node, args, res, ret_err);
	else if (object_statx_timeless(node->fd, &st) == 0)
		known = peek_object(px, call, node, &st, args, res, ret_err);
	node_put(px, node);
	return known;
}

struct content_ticket { struct posix *px; const struct iatt *stat; struct iobuf *buf; };

static int content_blocking(void *arg)
{
	struct content_ticket *t = arg;
	struct node *node;
	ssize_t n;
	int ret;

	creds_begin();
	ret = node_get(t->px, t->stat->gfid, &node);
	if (ret == 0) {
		n = pread(node->fd, t->buf->data, t->stat->size, 0);
		ret = n < 0 ? -errno : (int)n;
		node_put(t->px, node);
	}
	creds_end();
	return ret;
}

static void drop_iobuf(void *arg)
{
	iobuf_unref(arg);
}

/* A small file's whole content beside its attributes. Failing to read it only means it is left out. */
static void coroutine_fn add_content(struct posix *px, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct content_ticket t = { px, &res->stat, NULL };
	int n;

	if (!S_ISREG(res->stat.mode) || !res->stat.size || res->stat.size > args->content_max)
		return;
	t.buf = iobuf_new(res->stat.size);
	if (!t.buf)
		return;
	if (arena_cleanup(call->arena, drop_iobuf, t.buf) < 0)
		return;
	n = loop_offload(content_blocking, &t);
	if (n == (int)res->stat.size)
		res->content = (struct payload){ t.buf, 0, n };
}

int coroutine_fn fop_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct posix *px = xl->priv;
	int ret;

	if (!lookup_peek(px, call, args, res, &ret)) {
		memset(res, 0, sizeof(*res));
		ret = lookup_offload(xl, call, args, res);
	}
	if (ret == 0 && args->content_max)
		add_content(px, call, args, res);
	return ret;
}

static int readlink_job(struct posix *px, struct call *call, const struct readlink_args *args, struct readlink_res *res)
{
	char *target = arena_alloc(call->arena, PATH_MAX + 1);
	struct node *node;
	ssize_t n;
	int ret = target ? node_of(px, args->inode, NULL, &node) : -ENOMEM;

	if (ret < 0)
		return ret;
	n = node->type == S_IFLNK ? readlinkat(node->fd, "", target, PATH_MAX) : (errno = EINVAL, -1);
	ret = n < 0 ? -errno : node_iatt(px, node, &res->stat);
	if (ret == 0) {
		target[args->size && n > args->size ? args->size : n] = 0;
		res->target = target;
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(readlink, RESULTS)
