/* xlators/storage/posix/attr.c: attributes: iatt from statx and the stored times; stat, setattr, access, statfs.
 *
 * Clients see the times of trusted.glusterfs.mdata when an object has it. A node holds the newest; the attribute follows within a second,
 * and before anything that was promised to be stable is answered. */
#include "xlators/storage/posix/job.h"

#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

#define DIRTY_MAX 4096
#define RESERVE_WHOLE 100

int object_statx(int fd, struct statx *st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_WANTED, st) < 0 ? -errno : 0;
}

/* Without asking for times: a kernel with fine-grained times would have to make the next write's time distinct, by a transaction. */
int object_statx_timeless(int fd, struct statx *st)
{
	const unsigned mask = STATX_WANTED & ~(STATX_ATIME | STATX_MTIME | STATX_CTIME);

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, st) < 0 ? -errno : 0;
}

/* Timeless, too. */
int name_statx(int dirfd, const char *name, struct statx *st)
{
	const unsigned mask = STATX_WANTED & ~(STATX_ATIME | STATX_MTIME | STATX_CTIME);

	return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, mask, st) < 0 ? -errno : 0;
}

static bool later(const struct iatt_time *a, const struct iatt_time *b)
{
	return a->sec != b->sec ? a->sec > b->sec : a->nsec > b->nsec;
}

static struct iatt_time kernel_time(const struct statx_timestamp *t)
{
	struct iatt_time out = { t->tv_sec, t->tv_nsec };

	return out;
}

/* A run that was killed may not have stored the times of its last second; the kernel's are the best there is for those. */
static void mend_torn(struct posix *px, struct node *node)
{
	struct iatt_time mtime, ctime;
	struct statx st;

	if (!px->torn_to.sec || object_statx(node->fd, &st) < 0)
		return;
	mtime = kernel_time(&st.stx_mtime);
	ctime = kernel_time(&st.stx_ctime);
	if (later(&px->torn_from, &ctime) || later(&ctime, &px->torn_to))
		return;
	if (later(&ctime, &node->mdata.ctime))
		node->mdata.ctime = ctime;
	if (!later(&px->torn_from, &mtime) && later(&mtime, &node->mdata.mtime))
		node->mdata.mtime = mtime;
}

void node_mdata_load(struct posix *px, struct node *node)
{
	uint8_t raw[MDATA_SIZE];
	ssize_t n;

	if (node->mdata_state != MDATA_UNKNOWN || node_open(px, node) < 0)
		return;
	n = nx_get(node, XATTR_MDATA, raw, sizeof(raw));
	if (n > 0 && mdata_decode(raw, n, &node->mdata)) {
		mend_torn(px, node);
		node->mdata_state = MDATA_PRESENT;
	} else {
		node->mdata_state = MDATA_ABSENT;
	}
}

static void fill(const uint8_t *gfid, const struct mdata *times, const struct statx *st, struct iatt *iatt)	/* @times NULL: the kernel's */
{
	memcpy(iatt->gfid, gfid, 16);
	iatt->mode = st->stx_mode;
	iatt->nlink = st->stx_nlink;
	if (!S_ISDIR(st->stx_mode) && iatt->nlink)
		iatt->nlink--;			/* the handle's */
	iatt->uid = st->stx_uid;
	iatt->gid = st->stx_gid;
	iatt->blksize = st->stx_blksize;
	iatt->dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	iatt->rdev = makedev(st->stx_rdev_major, st->stx_rdev_minor);
	iatt->size = st->stx_size;
	/* Never more than the size needs, as on stock bricks: space for attributes and beyond the end counts for nobody. */
	iatt->blocks = st->stx_blocks < (st->stx_size + 511) / 512 ? st->stx_blocks : (st->stx_size + 511) / 512;
	if (times) {
		iatt->atime = times->atime;
		iatt->mtime = times->mtime;
		iatt->ctime = times->ctime;
	} else {
		iatt->atime = kernel_time(&st->stx_atime);
		iatt->mtime = kernel_time(&st->stx_mtime);
		iatt->ctime = kernel_time(&st->stx_ctime);
	}
}

void iatt_fill(struct posix *px, const struct node *node, const struct statx *st, struct iatt *iatt)
{
	fill(node->gfid, node->mdata_state == MDATA_PRESENT ? &node->mdata : NULL, st, iatt);
}

int node_iatt_st(struct posix *px, struct node *node, const struct statx *st, struct iatt *ret_iatt)
{
	struct statx own;
	int ret = 0;

	pthread_mutex_lock(&node->lock);
	node_mdata_load(px, node);
	if (node->mdata_state != MDATA_PRESENT) {
		ret = node_open(px, node);
		if (ret == 0)
			ret = object_statx(node->fd, &own);
		st = &own;
	}
	if (ret == 0)
		iatt_fill(px, node, st, ret_iatt);
	pthread_mutex_unlock(&node->lock);
	return ret;
}

/* The times first: they may be older than the rest then, which makes a client look again, and never newer. So the lock need not be held
 * across the system call, where everybody who makes names in one directory would meet. */
int node_iatt(struct posix *px, struct node *node, struct iatt *ret_iatt)
{
	struct mdata times;
	struct statx st;
	bool stored;
	int ret;

	pthread_mutex_lock(&node->lock);
	node_mdata_load(px, node);
	stored = node->mdata_state == MDATA_PRESENT;
	times = node->mdata;
	pthread_mutex_unlock(&node->lock);
	ret = stored ? object_statx_timeless(node->fd, &st) : object_statx(node->fd, &st);
	if (ret == 0)
		fill(node->gfid, stored ? &times : NULL, &st, ret_iatt);
	return ret;
}

bool node_iatt_peek(struct posix *px, struct node *node, struct iatt *ret_iatt)
{
	struct statx st;
	bool known;

	if (node->fd < 0 || pthread_mutex_trylock(&node->lock))
		return false;
	known = node->mdata_state == MDATA_PRESENT ? object_statx_timeless(node->fd, &st) == 0 :
		node->mdata_state == MDATA_ABSENT && object_statx(node->fd, &st) == 0;
	if (known)
		iatt_fill(px, node, &st, ret_iatt);
	pthread_mutex_unlock(&node->lock);
	return known;
}

static int store_mdata(struct node *node)	/* node locked */
{
	uint8_t raw[MDATA_SIZE];

	mdata_encode(&node->mdata, raw);
	node->mdata_dirty = false;
	return nx_set(node, XATTR_MDATA, raw, sizeof(raw), 0);
}

/* Put on the list of those whose times are newer than on disk, with a reference. False: the list is full. */
static bool mdata_later(struct posix *px, struct node *node)	/* node locked */
{
	struct node_table *t = &px->nodes;
	bool room;

	if (node->mdata_dirty)
		return true;
	pthread_mutex_lock(&t->lock);
	room = t->ndirty < DIRTY_MAX && node->hashed;
	if (room && list_empty(&node->dirty)) {
		list_append(&t->dirty, &node->dirty);
		t->ndirty++;
		node->refs++;
	}
	pthread_mutex_unlock(&t->lock);
	node->mdata_dirty = room;
	return room;
}

static void mdata_start(struct node *node)	/* node locked: from what the kernel says */
{
	struct statx st;

	if (node->mdata_state == MDATA_PRESENT || object_statx(node->fd, &st) < 0)
		return;
	node->mdata.ctime = kernel_time(&st.stx_ctime);
	node->mdata.mtime = kernel_time(&st.stx_mtime);
	node->mdata.atime = kernel_time(&st.stx_atime);
}

/* The first time is stored at once, so that the attribute exists; later ones follow in the background. */
static void mdata_changed(struct posix *px, struct node *node)	/* node locked */
{
	if (node->mdata_state == MDATA_PRESENT && mdata_later(px, node))
		return;
	if (node->mdata_state != MDATA_PRESENT)
		attrs_drop(node);
	node->mdata_state = store_mdata(node) < 0 ? MDATA_ABSENT : MDATA_PRESENT;
}

/* Times move forward only; but a time that was never stored is the kernel's, by another clock, and counts for nothing. */
static bool move_forward(struct iatt_time *t, const struct iatt_time *to, bool first)
{
	if (!first && !later(to, t))
		return false;
	*t = *to;
	return true;
}

void node_touch_locked(struct posix *px, struct node *node, const struct call *call, uint32_t bits)
{
	struct mdata *md = &node->mdata;
	bool first = node->mdata_state == MDATA_ABSENT, changed = first;

	if (first)
		mdata_start(node);
	if (bits & TIME_CTIME)
		changed |= move_forward(&md->ctime, &call->time, first);
	if (bits & TIME_MTIME)
		changed |= move_forward(&md->mtime, &call->time, first);
	if (bits & TIME_ATIME)
		changed |= move_forward(&md->atime, &call->time, first);
	if (changed)
		mdata_changed(px, node);
}

void node_touch(struct posix *px, struct node *node, const struct call *call, uint32_t bits)
{
	bits &= TIME_CTIME | TIME_MTIME | TIME_ATIME;
	if (!bits)
		return;
	pthread_mutex_lock(&node->lock);
	node_mdata_load(px, node);
	node_touch_locked(px, node, call, bits);
	pthread_mutex_unlock(&node->lock);
}

bool mdata_crowded(struct posix *px)
{
	return __atomic_load_n(&px->nodes.ndirty, __ATOMIC_RELAXED) >= DIRTY_MAX;
}

void node_touch_parent(struct posix *px, struct node *node, const struct call *call)
{
	node_touch(px, node, call, call->time_flags >> 3);
}

int node_mdata_flush(struct posix *px, struct node *node)
{
	int ret = 0;

	pthread_mutex_lock(&node->lock);
	if (node->mdata_dirty)
		ret = store_mdata(node);
	pthread_mutex_unlock(&node->lock);
	return ret;
}

int mdata_flush_all(struct posix *px)
{
	struct node_table *t = &px->nodes;
	struct list batch, *item;
	int ret = 0, err;

	list_init(&batch);
	pthread_mutex_lock(&t->lock);
	list_splice(&batch, &t->dirty);
	t->ndirty = 0;
	while ((item = list_pop(&batch))) {
		struct node *node = list_entry(item, struct node, dirty);

		pthread_mutex_unlock(&t->lock);
		err = node_mdata_flush(px, node);
		if (err < 0)
			ret = err;
		node_put(px, node);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return ret;
}

static int stat_job(struct posix *px, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node_iatt(px, node, &res->stat);
	if (ret == 0 && args->want) {
		pthread_mutex_lock(&node->lock);
		ret = attrs_wanted(px, call, node, args->want, false, &res->xattrs);
		pthread_mutex_unlock(&node->lock);
	}
	res->counts.open_fd = node->opens;
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(stat, RESULTS)

/* Inline when the object is open and its times are known: a statx of an open descriptor reads nothing from disk. */
int coroutine_fn fop_stat(struct xlator *xl, struct call *call, const struct stat_args *args, struct stat_res *res)
{
	struct posix *px = xl->priv;
	struct node *node = args->want ? NULL : node_of_peek(px, args->inode, args->fd);
	bool done;

	if (!node)
		return stat_offload(xl, call, args, res);
	done = node_iatt_peek(px, node, &res->stat);
	res->counts.open_fd = node->opens;
	node_put(px, node);
	return done ? 0 : stat_offload(xl, call, args, res);
}

static struct timespec wanted_time(const struct iatt_time *t, bool set, bool now)
{
	struct timespec ts = { t->sec, t->nsec };

	if (now)
		ts.tv_nsec = UTIME_NOW;
	else if (!set)
		ts.tv_nsec = UTIME_OMIT;
	return ts;
}

static int set_kernel_times(struct node *node, const struct setattr_args *args)
{
	struct timespec ts[2];

	if (!(args->valid & (SET_ATIME | SET_MTIME | SET_ATIME_NOW | SET_MTIME_NOW)))
		return 0;
	ts[0] = wanted_time(&args->stat.atime, args->valid & SET_ATIME, args->valid & SET_ATIME_NOW);
	ts[1] = wanted_time(&args->stat.mtime, args->valid & SET_MTIME, args->valid & SET_MTIME_NOW);
	return utimensat(node->fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Owner before mode: a change of owner clears set-id bits that the mode may set again. */
static int set_kernel_attrs(struct node *node, const struct setattr_args *args)
{
	uid_t uid = args->valid & SET_UID ? args->stat.uid : (uid_t)-1;
	gid_t gid = args->valid & SET_GID ? args->stat.gid : (gid_t)-1;
	char proc[32];

	if (args->valid & (SET_UID | SET_GID) && fchownat(node->fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (args->valid & SET_MODE && node->type != S_IFLNK) {	/* a link's mode means nothing and cannot be set */
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", node->fd);
		if ((node->type == S_IFREG || node->type == S_IFDIR ? fchmod(node->fd, args->stat.mode & 07777) :
		     chmod(proc, args->stat.mode & 07777)) < 0)
			return -errno;
	}
	return set_kernel_times(node, args);
}

static struct iatt_time call_time(const struct call *call)
{
	struct iatt_time now;
	struct timespec ts;

	if (call->time_flags)
		return call->time;
	clock_gettime(CLOCK_REALTIME, &ts);
	now.sec = ts.tv_sec;
	now.nsec = ts.tv_nsec;
	return now;
}

/* Explicit times are the only ones that may go back. */
static void set_stored_times(struct posix *px, struct call *call, struct node *node, const struct setattr_args *args)
{
	const uint32_t times = SET_ATIME | SET_MTIME | SET_CTIME | SET_ATIME_NOW | SET_MTIME_NOW;

	pthread_mutex_lock(&node->lock);
	node_mdata_load(px, node);
	if ((args->valid & times) && (node->mdata_state == MDATA_PRESENT || call->time_flags)) {
		mdata_start(node);
		if (args->valid & (SET_ATIME | SET_ATIME_NOW))
			node->mdata.atime = args->valid & SET_ATIME_NOW ? call_time(call) : args->stat.atime;
		if (args->valid & (SET_MTIME | SET_MTIME_NOW))
			node->mdata.mtime = args->valid & SET_MTIME_NOW ? call_time(call) : args->stat.mtime;
		if (args->valid & SET_CTIME)
			node->mdata.ctime = args->stat.ctime;
		mdata_changed(px, node);
	}
	if (args->valid & (SET_MODE | SET_UID | SET_GID))
		attrs_drop(node);		/* an ACL's mask, a capability */
	pthread_mutex_unlock(&node->lock);
	node_touch(px, node, call, call->time_flags & TIME_CTIME);
}

static int setattr_job(struct posix *px, struct call *call, const struct setattr_args *args, struct setattr_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	ret = node_iatt(px, node, &res->pre);
	if (ret == 0) {
		creds_user(call);
		ret = set_kernel_attrs(node, args);
		creds_root();
	}
	if (ret == 0) {
		set_stored_times(px, call, node, args);
		ret = node_iatt(px, node, &res->post);
	}
	node_put(px, node);
	return ret;
}
POSIX_FOP(setattr, STABLE)

bool node_has_acl(struct posix *px, struct node *node)
{
	int ret = attrs_load(px, node);

	if (ret < 0)
		return true;			/* let the kernel decide */
	return xattrs_find(node->attrs, "system.posix_acl_access");
}

static bool kernel_allows(struct node *node, unsigned mask)
{
	return syscall(SYS_faccessat2, node->fd, "", mask, AT_EMPTY_PATH | AT_EACCESS) == 0;
}

/* The bits of @mask that @call has on the object. */
static int granted(struct posix *px, struct call *call, struct node *node, unsigned mask, uint32_t *ret_granted)
{
	struct statx st;
	bool acl = false;
	unsigned bit;
	int ret = object_statx_timeless(node->fd, &st);

	if (ret < 0)
		return ret;
	if (call->uid && call->pid >= 0) {
		pthread_mutex_lock(&node->lock);
		acl = node_has_acl(px, node);
		pthread_mutex_unlock(&node->lock);
	}
	*ret_granted = 0;
	if (acl)
		creds_user(call);
	for (bit = 1; bit <= 4; bit <<= 1)
		if ((mask & bit) && (acl ? kernel_allows(node, bit) : creds_mode_allows(call, &st, bit)))
			*ret_granted |= bit;
	if (acl)
		creds_root();
	return 0;
}

int entry_may(struct posix *px, struct call *call, struct node *node, unsigned mask)
{
	uint32_t allowed;
	int ret;

	if (call->pid < 0 || !call->uid)
		return 0;
	ret = granted(px, call, node, mask, &allowed);
	if (ret < 0)
		return ret;
	return allowed == mask ? 0 : -EACCES;
}

static int access_job(struct posix *px, struct call *call, const struct access_args *args, struct access_res *res)
{
	struct node *node;
	int ret = node_of(px, args->inode, NULL, &node);

	if (ret < 0)
		return ret;
	ret = granted(px, call, node, args->mask & 7, &res->granted);
	node_put(px, node);
	return ret;
}
POSIX_OFFLOADED(access, 0)

/* True when the answer follows from what is in memory. */
bool granted_peek(struct posix *px, struct call *call, struct node *node, const struct statx *st, unsigned mask, uint32_t *ret_granted)
{
	unsigned bit;

	if (call->uid && call->pid >= 0 && (!node->attrs || xattrs_find(node->attrs, "system.posix_acl_access")))
		return false;
	*ret_granted = 0;
	for (bit = 1; bit <= 4; bit <<= 1)
		if ((mask & bit) && creds_mode_allows(call, st, bit))
			*ret_granted |= bit;
	return true;
}

int coroutine_fn fop_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res)
{
	struct posix *px = xl->priv;
	struct node *node = node_of_peek(px, args->inode, NULL);
	struct statx st;
	bool done = false;

	if (node && !pthread_mutex_trylock(&node->lock)) {
		done = object_statx_timeless(node->fd, &st) == 0 && granted_peek(px, call, node, &st, args->mask & 7, &res->granted);
		pthread_mutex_unlock(&node->lock);
	}
	node_put(px, node);
	return done ? 0 : access_offload(xl, call, args, res);
}

static int statfs_job(struct posix *px, struct call *call, const struct statfs_args *args, struct statfs_res *res)
{
	uint64_t share = px->shared_brick_count > 0 ? px->shared_brick_count : 1, reserve;
	struct statvfs vfs;

	if (fstatvfs(px->root_fd, &vfs) < 0)
		return -errno;
	reserve = vfs.f_blocks / RESERVE_WHOLE * px->reserve;
	res->bsize = vfs.f_bsize;
	res->frsize = vfs.f_frsize;
	res->blocks = vfs.f_blocks / share;
	res->bfree = (vfs.f_bfree > reserve ? vfs.f_bfree - reserve : 0) / share;
	res->bavail = (vfs.f_bavail > reserve ? vfs.f_bavail - reserve : 0) / share;
	res->files = vfs.f_files / share;
	res->ffree = vfs.f_ffree / share;
	res->favail = vfs.f_favail / share;
	res->fsid = vfs.f_fsid;
	res->flag = vfs.f_flag;
	res->namemax = vfs.f_namemax;
	return 0;
}
POSIX_FOP(statfs, 0)
