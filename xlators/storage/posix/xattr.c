/* xlators/storage/posix/xattr.c: extended attributes: the raw calls, the cached set of a node, getxattr, setxattr, removexattr.
 *
 * All attributes of an object fit into its inode as a rule, so a node keeps the whole set once asked: lookups name a dozen attributes
 * of which most do not exist, and each would be a system call. Every change goes through here, so the set is never stale. */
#include "xlators/storage/posix/job.h"

#include <endian.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KEPT_MAX 4096			/* bytes of one object's attributes */
#define KEPT_NUMBER 64
#define LIST_MAX 65536
#define VALUE_MAX 65536

static bool path_only(const struct node *node, char proc[32])
{
	if (node->type == S_IFREG || node->type == S_IFDIR)
		return false;
	snprintf(proc, 32, "/proc/self/fd/%d", node->fd);
	return true;
}

ssize_t nx_get(const struct node *node, const char *name, void *buf, size_t len)
{
	char proc[32];
	ssize_t n = path_only(node, proc) ? getxattr(proc, name, buf, len) : fgetxattr(node->fd, name, buf, len);

	return n < 0 ? -errno : n;
}

int nx_set(const struct node *node, const char *name, const void *value, size_t len, int flags)
{
	char proc[32];
	int ret = path_only(node, proc) ? setxattr(proc, name, value, len, flags) : fsetxattr(node->fd, name, value, len, flags);

	return ret < 0 ? -errno : 0;
}

int nx_remove(const struct node *node, const char *name)
{
	char proc[32];

	return (path_only(node, proc) ? removexattr(proc, name) : fremovexattr(node->fd, name)) < 0 ? -errno : 0;
}

static ssize_t nx_list(const struct node *node, char *buf, size_t len)
{
	char proc[32];
	ssize_t n = path_only(node, proc) ? listxattr(proc, buf, len) : flistxattr(node->fd, buf, len);

	return n < 0 ? -errno : n;
}

void attrs_drop(struct node *node)
{
	free(node->attrs);
	node->attrs = NULL;
	node->attrs_big = false;
}

/* One value changed: in place when it fits, which is what counters do. */
void attrs_changed(struct node *node, const char *name, const void *value, size_t len)
{
	const struct xattr *x = node->attrs ? xattrs_find(node->attrs, name) : NULL;

	if (x && x->len == len)
		memcpy((void *)x->value, value, len);
	else
		attrs_drop(node);
}

/* Reads every attribute into @room bytes at @to: name, NUL, value padded to 8. Returns the number, or -E2BIG. */
static int read_all(const struct node *node, const char *list, size_t len, struct xattr *v, char *to, size_t room)
{
	const char *name;
	int n = 0;

	for (name = list; name < list + len; name += strlen(name) + 1) {
		size_t namelen = strlen(name) + 1;
		ssize_t got;

		if (n == KEPT_NUMBER || namelen > room)
			return -E2BIG;
		got = nx_get(node, name, to + namelen, room - namelen);
		if (got == -ENODATA)
			continue;
		if (got == -ERANGE)
			return -E2BIG;
		if (got < 0)
			return got;
		v[n].name = memcpy(to, name, namelen);
		v[n].value = to + namelen;
		v[n++].len = got;
		to += namelen + got;
		room -= namelen + got;
	}
	return n;
}

static struct xattrs *pack(const struct xattr *v, unsigned n, const char *from, size_t bytes)
{
	struct xattrs *set = malloc(sizeof(*set) + n * sizeof(*v) + bytes);
	char *copy;
	unsigned i;

	if (!set)
		return NULL;
	set->v = (struct xattr *)(set + 1);
	set->n = n;
	copy = (char *)(set->v + n);
	memcpy(copy, from, bytes);
	for (i = 0; i < n; i++) {
		set->v[i].name = copy + (v[i].name - from);
		set->v[i].value = copy + ((const char *)v[i].value - from);
		set->v[i].len = v[i].len;
	}
	return set;
}

struct load { char list[KEPT_MAX], data[KEPT_MAX]; struct xattr v[KEPT_NUMBER]; };

int attrs_load(struct posix *px, struct node *node)
{
	struct load *l;
	ssize_t len;
	int n, ret;

	if (node->attrs)
		return 0;
	ret = node_open(px, node);
	if (ret < 0)
		return ret;
	if (node->attrs_big)
		return -E2BIG;
	l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	len = nx_list(node, l->list, sizeof(l->list));
	n = len == -ERANGE ? -E2BIG : len < 0 ? (int)len : read_all(node, l->list, len, l->v, l->data, sizeof(l->data));
	if (n >= 0) {
		size_t bytes = n ? (const char *)l->v[n - 1].value + l->v[n - 1].len - l->data : 0;

		node->attrs = pack(l->v, n, l->data, bytes);
		ret = node->attrs ? 0 : -ENOMEM;
	} else {
		node->attrs_big = n == -E2BIG;
		ret = n;
	}
	free(l);
	return ret;
}

static bool starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Signatures and versions are the bit-rot daemon's; stock bricks show them to nobody, and let nobody else write them. */
static bool is_bit_rot(const char *name)
{
	return starts(name, "trusted.bit-rot.") || strcmp(name, "trusted.glusterfs.set-signature") == 0;
}

bool xattr_hidden(const struct call *call, const char *name)
{
	size_t len = strlen(name);

	if (strcmp(name, XATTR_MDATA) == 0)
		return call->pid >= 0;
	return strcmp(name, XATTR_GFID) == 0 || strcmp(name, XATTR_VOLUME_ID) == 0 || starts(name, XATTR_PATH_PREFIX) ||
	       is_bit_rot(name) || starts(name, "trusted.glusterfs.quota.") || starts(name, "trusted.pgfid.") ||
	       (len > 6 && starts(name, "trusted.glusterfs.") && strcmp(name + len - 6, ".xtime") == 0);
}

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

static bool wanted_by(const struct xattr_want *want, const char *name)
{
	unsigned i;

	for (; want; want = want->next)
		for (i = 0; i < want->n; i++) {
			const char *w = want->names[i];

			if (is_pattern(w) ? fnmatch(w, name, 0) == 0 : strcmp(w, name) == 0 && strcmp(name, XATTR_GFID) != 0)
				return true;
		}
	return false;
}

static int add_result(struct call *call, struct node *node, struct xattrs *set, const char *name, const void *value, uint32_t len)
{
	struct xattr *x = &set->v[set->n];
	uint8_t raw[MDATA_SIZE];

	if (strcmp(name, XATTR_MDATA) == 0 && node->mdata_state == MDATA_PRESENT) {
		mdata_encode(&node->mdata, raw);	/* newer than the stored one, perhaps */
		value = raw;
		len = sizeof(raw);
	}
	x->name = arena_strdup(call->arena, name);
	x->value = arena_memdup(call->arena, value, len);
	x->len = len;
	if (!x->name || !x->value)
		return -ENOMEM;
	set->n++;
	return 0;
}

/* Too many to keep: list and read as asked, nothing cached. */
static int wanted_slowly(struct call *call, struct node *node, const struct xattr_want *want, bool all, struct xattrs *ret_set)
{
	char *list = malloc(LIST_MAX + VALUE_MAX), *value = list + LIST_MAX, *name;
	ssize_t len, got;
	unsigned n = 0;
	int ret = 0;

	if (!list)
		return -ENOMEM;
	len = nx_list(node, list, LIST_MAX);
	for (name = list; len > 0 && name < list + len; name += strlen(name) + 1)
		n++;
	ret_set->v = arena_alloc(call->arena, (n + 1) * sizeof(*ret_set->v));
	if (!ret_set->v)
		ret = -ENOMEM;
	for (name = list; ret == 0 && len > 0 && name < list + len; name += strlen(name) + 1) {
		if (!wanted_by(want, name) && !(all && !xattr_hidden(call, name)))
			continue;
		got = nx_get(node, name, value, VALUE_MAX);
		if (got >= 0)
			ret = add_result(call, node, ret_set, name, value, got);
	}
	free(list);
	return len < 0 && len != -EOPNOTSUPP ? (int)len : ret;
}

int attrs_wanted(struct posix *px, struct call *call, struct node *node, const struct xattr_want *want, bool all, struct xattrs *ret_set)
{
	const struct xattrs *set;
	unsigned i;
	int ret;

	ret_set->n = 0;
	if (!want && !all)
		return 0;
	ret = attrs_load(px, node);
	if (ret == -E2BIG)
		return wanted_slowly(call, node, want, all, ret_set);
	if (ret < 0)
		return ret == -EOPNOTSUPP ? 0 : ret;
	set = node->attrs;
	ret_set->v = arena_alloc(call->arena, (set->n + 1) * sizeof(*set->v));
	if (!ret_set->v)
		return -ENOMEM;
	for (i = 0; i < set->n; i++) {
		const struct xattr *x = &set->v[i];

		if (!wanted_by(want, x->name) && !(all && !xattr_hidden(call, x->name)))
			continue;
		ret = add_result(call, node, ret_set, x->name, x->value, x->len);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int xattrs_apply(struct posix *px, struct node *node, const struct xattrs *set)
{
	uint32_t i;
	int ret;

	for (i = 0; i < set->n; i++) {
		const char *name = set->v[i].name;

		if (strcmp(name, XATTR_GFID) == 0 || strcmp(name, XATTR_VOLUME_ID) == 0 || is_bit_rot(name))
			continue;
		ret = nx_set(node, name, set->v[i].value, set->v[i].len, 0);
		if (ret < 0 && ret != -EOPNOTSUPP)
			return ret;
	}
	return 0;
}

static void path_attr(const uint8_t *parent, const char *name, char key[64], char value[320], size_t *ret_len)
{
	char text[GFID_TEXT_SIZE];

	*ret_len = snprintf(value, 320, "%s/%s", gfid_text(parent, text), name);
	snprintf(key, 64, XATTR_PATH_PREFIX "%016llx", (unsigned long long)hash_xxh64(value, *ret_len));
}

/* trusted.pgfid.<parent>: how many names the object has in that directory. */
static void count_names(struct posix *px, struct node *node, const uint8_t *parent, int change)
{
	char key[64], text[GFID_TEXT_SIZE];
	uint32_t count = 0;

	if (!px->pgfid)
		return;
	snprintf(key, sizeof(key), "trusted.pgfid.%s", gfid_text(parent, text));
	if (nx_get(node, key, &count, sizeof(count)) != sizeof(count))
		count = 0;
	count = htobe32(be32toh(count) + change);
	if (count)
		nx_set(node, key, &count, sizeof(count), 0);
	else
		nx_remove(node, key);
}

/* Best effort: an object with very many names has no room for all of them. */
void path_attr_add(struct posix *px, struct node *node, const uint8_t *parent, const char *name)
{
	char key[64], value[320];
	size_t len;

	if (node->type == S_IFDIR)
		return;
	pthread_mutex_lock(&node->lock);
	path_attr(parent, name, key, value, &len);
	if (px->gfid2path)
		nx_set(node, key, value, len, 0);
	count_names(px, node, parent, 1);
	attrs_drop(node);
	pthread_mutex_unlock(&node->lock);
}

void path_attr_remove(struct posix *px, struct node *node, const uint8_t *parent, const char *name)
{
	char key[64], value[320];
	size_t len;

	if (node->type == S_IFDIR)
		return;
	pthread_mutex_lock(&node->lock);
	path_attr(parent, name, key, value, &len);
	nx_remove(node, key);
	count_names(px, node, parent, -1);
	attrs_drop(node);
	pthread_mutex_unlock(&node->lock);
}

/* The times a client's clock gives an object that had none stored yet: on-disk form, or the wire's 36 bytes. */
static int set_first_mdata(struct node *node, const struct xattr *x)
{
	struct mdata md;
	const uint8_t *raw = x->value;
	uint64_t sec[3];
	uint32_t nsec[3];

	if (node->mdata_state == MDATA_PRESENT)
		return 0;
	if (x->len == 36) {
		memcpy(sec, raw, 24);
		memcpy(nsec, raw + 24, 12);
		md.atime = (struct iatt_time){ (int64_t)be64toh(sec[0]), be32toh(nsec[0]) };
		md.mtime = (struct iatt_time){ (int64_t)be64toh(sec[1]), be32toh(nsec[1]) };
		md.ctime = (struct iatt_time){ (int64_t)be64toh(sec[2]), be32toh(nsec[2]) };
	} else if (!mdata_decode(raw, x->len, &md)) {
		return -EINVAL;
	}
	node->mdata = md;
	return 1;
}

/* node locked. Times that a heal or this call brings replace what the node knows. */
static int set_mdata(struct node *node, const struct xattr *x, bool first)
{
	uint8_t raw[MDATA_SIZE];
	int ret;

	if (first) {
		ret = set_first_mdata(node, x);
		if (ret <= 0)
			return ret;
	} else if (!mdata_decode(x->value, x->len, &node->mdata)) {
		return -EINVAL;
	}
	mdata_encode(&node->mdata, raw);
	node->mdata_dirty = false;
	ret = nx_set(node, XATTR_MDATA, raw, sizeof(raw), 0);
	node->mdata_state = ret < 0 ? MDATA_UNKNOWN : MDATA_PRESENT;
	return ret;
}

static int set_one(struct posix *px, struct call *call, struct node *node, const struct xattr *x, uint32_t flags)
{
	int ret;

	if (strcmp(x->name, XATTR_GFID) == 0 || strcmp(x->name, XATTR_VOLUME_ID) == 0)
		return 0;			/* answered, never done */
	if (is_bit_rot(x->name))
		return -EINVAL;
	if (strcmp(x->name, "set-ctime-mdata") == 0 || strcmp(x->name, XATTR_MDATA) == 0) {
		node_mdata_load(px, node);
		return set_mdata(node, x, strcmp(x->name, XATTR_MDATA) != 0);
	}
	creds_user(call);
	ret = nx_set(node, x->name, x->value, x->len, flags & (XATTR_CREATE | XATTR_REPLACE));
	creds_root();
	return ret;
}

static bool is_users(const char *name)
{
	return starts(name, "user.") || starts(name, "system.posix_acl_");
}

/* Removes what users have set there and @set does not have: it was removed elsewhere while this brick was away. */
static int remove_others(struct call *call, struct node *node, const struct xattrs *set)
{
	char *list = malloc(LIST_MAX), *name;
	ssize_t len = list ? nx_list(node, list, LIST_MAX) : -ENOMEM;
	int ret = 0;

	creds_user(call);
	for (name = list; ret == 0 && len > 0 && name < list + len; name += strlen(name) + 1)
		if (is_users(name) && !xattrs_find(set, name))
			ret = nx_remove(node, name);
	creds_root();
	free(list);
	return len < 0 && len != -EOPNOTSUPP ? (int)len : ret;
}

static int setxattr_job(struct posix *px, struct call *call, const struct setxattr_args *args, struct setxattr_res *res)
{
	struct node *node;
	uint32_t i;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node_iatt(px, node, &res->pre);
	pthread_rwlock_wrlock(&node->layout);
	pthread_mutex_lock(&node->lock);
	if (ret == 0 && args->alone)
		ret = remove_others(call, node, &args->xattrs);
	for (i = 0; ret == 0 && i < args->xattrs.n; i++)
		ret = set_one(px, call, node, &args->xattrs.v[i], args->flags);
	attrs_drop(node);
	pthread_mutex_unlock(&node->lock);
	pthread_rwlock_unlock(&node->layout);
	if (ret == 0) {
		node_touch(px, node, call, call->time_flags & TIME_CTIME);
		ret = node_iatt(px, node, &res->post);
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(setxattr, STABLE)

static int remove_one(struct posix *px, struct call *call, struct node *node, const char *name)
{
	int ret;

	if (strcmp(name, XATTR_GFID) == 0 || strcmp(name, XATTR_VOLUME_ID) == 0 || strcmp(name, XATTR_MDATA) == 0)
		return -EPERM;
	if (is_bit_rot(name))
		return -EINVAL;
	creds_user(call);
	ret = nx_remove(node, name);
	creds_root();
	return ret;
}

/* One of those that a heal takes off a copy before it gives it the source's: the stored times are among them, and what is not there, or is
 * this brick's own, is no reason to leave the others. */
static int remove_stale(struct call *call, struct node *node, const char *name)
{
	int ret;

	if (strcmp(name, XATTR_GFID) == 0 || strcmp(name, XATTR_VOLUME_ID) == 0 || is_bit_rot(name))
		return 0;
	creds_user(call);
	ret = nx_remove(node, name);
	creds_root();
	if (strcmp(name, XATTR_MDATA) == 0 && (ret == 0 || ret == -ENODATA)) {
		node->mdata_dirty = false;
		node->mdata_state = MDATA_ABSENT;
	}
	return ret == -ENODATA ? 0 : ret;
}

static int removexattr_job(struct posix *px, struct call *call, const struct removexattr_args *args, struct removexattr_res *res)
{
	struct node *node;
	uint32_t i;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node_iatt(px, node, &res->pre);
	pthread_rwlock_wrlock(&node->layout);
	pthread_mutex_lock(&node->lock);
	if (ret == 0 && args->name && *args->name)
		ret = remove_one(px, call, node, args->name);
	for (i = 0; ret == 0 && (!args->name || !*args->name) && i < args->many.n; i++)
		ret = remove_stale(call, node, args->many.v[i].name);
	attrs_drop(node);
	pthread_mutex_unlock(&node->lock);
	pthread_rwlock_unlock(&node->layout);
	if (ret == 0) {
		node_touch(px, node, call, call->time_flags & TIME_CTIME);
		ret = node_iatt(px, node, &res->post);
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(removexattr, STABLE)
