/* xlators/storage/posix/node.c: the objects dealt with lately, by gfid and by inode number.
 *
 * An open descriptor names its object whatever becomes of its path, so renames invalidate nothing here; only removal does. Nodes
 * nobody uses wait in two bounded LRUs: one for the memory, a shorter one for the descriptors. Closing may block, so the loop leaves
 * that to a helper. */
#include "xlators/storage/posix/posix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define IDLE_FDS_MAX 8192

void nodes_init(struct posix *px)
{
	struct node_table *t = &px->nodes;
	struct rlimit lim;

	pthread_mutex_init(&t->lock, NULL);
	hash_init(&t->by_gfid);
	hash_init(&t->by_ino);
	list_init(&t->idle);
	list_init(&t->idle_fd);
	list_init(&t->dead);
	list_init(&t->dirty);
	t->max_idle = px->max_nodes;
	t->max_idle_fd = 64;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	/* Several bricks may share a process, and clients' connections and open files want descriptors, too. */
	t->max_idle_fd = lim.rlim_cur / 8 < IDLE_FDS_MAX ? lim.rlim_cur / 8 : IDLE_FDS_MAX;
}

static uint64_t gfid_hash(const uint8_t *gfid)
{
	uint64_t half[2];

	memcpy(half, gfid, sizeof(half));
	return (half[0] ^ half[1]) * 0x9e3779b97f4a7c15ull;
}

static uint64_t ino_hash(uint64_t ino, uint64_t born)
{
	return (ino * 0x9e3779b97f4a7c15ull) ^ (born * 0xc2b2ae3d27d4eb4full);
}

static uint64_t born_of(const struct statx *st)
{
	if (!(st->stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)st->stx_btime.tv_sec * 1000000000u + st->stx_btime.tv_nsec;
}

static struct node *find_gfid(struct node_table *t, const uint8_t *gfid)
{
	struct hash_link *l;

	for (l = hash_find(&t->by_gfid, gfid_hash(gfid)); l; l = hash_next(l)) {
		struct node *node = container_of(l, struct node, by_gfid);

		if (gfid_equal(node->gfid, gfid))
			return node;
	}
	return NULL;
}

static struct node *find_ino(struct node_table *t, uint64_t ino, uint64_t born)
{
	struct hash_link *l;

	for (l = hash_find(&t->by_ino, ino_hash(ino, born)); l; l = hash_next(l)) {
		struct node *node = container_of(l, struct node, by_ino);

		if (node->ino == ino && node->born == born)
			return node;
	}
	return NULL;
}

static void take(struct node_table *t, struct node *node)	/* table locked */
{
	if (node->refs++ || !node->hashed)
		return;
	list_remove(&node->idle);
	t->nidle--;
	if (!list_empty(&node->idle_fd)) {
		list_remove(&node->idle_fd);
		t->nidle_fd--;
	}
}

static void unhash(struct node_table *t, struct node *node)	/* table locked */
{
	if (node->hashed) {
		hash_remove(&t->by_gfid, &node->by_gfid);
		node->hashed = false;
		t->count--;
	}
	if (node->ino_hashed) {
		hash_remove(&t->by_ino, &node->by_ino);
		node->ino_hashed = false;
	}
}

static void node_free(struct node *node)
{
	if (node->fd >= 0)
		close(node->fd);
	attrs_drop(node);
	pthread_mutex_destroy(&node->lock);
	pthread_rwlock_destroy(&node->layout);
	free(node);
}

struct node *node_ref(struct posix *px, struct node *node)
{
	pthread_mutex_lock(&px->nodes.lock);
	take(&px->nodes, node);
	pthread_mutex_unlock(&px->nodes.lock);
	return node;
}

struct node *node_peek(struct posix *px, const uint8_t *gfid, bool with_fd)
{
	struct node_table *t = &px->nodes;
	struct node *node;

	pthread_mutex_lock(&t->lock);
	node = find_gfid(t, gfid);
	if (node && with_fd && node->fd < 0)
		node = NULL;
	if (node)
		take(t, node);
	pthread_mutex_unlock(&t->lock);
	return node;
}

struct node *node_peek_ino(struct posix *px, const struct statx *st)
{
	struct node_table *t = &px->nodes;
	uint64_t born = born_of(st);
	struct node *node;

	if (!born)
		return NULL;
	pthread_mutex_lock(&t->lock);
	node = find_ino(t, st->stx_ino, born);
	if (node)
		take(t, node);
	pthread_mutex_unlock(&t->lock);
	return node;
}

static struct node *node_new(const uint8_t *gfid, const struct statx *st)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	memcpy(node->gfid, gfid, 16);
	node->type = st->stx_mode & S_IFMT;
	node->ino = st->stx_ino;
	node->born = born_of(st);
	node->fd = -1;
	list_init(&node->idle);
	list_init(&node->idle_fd);
	list_init(&node->dirty);
	pthread_mutex_init(&node->lock, NULL);
	pthread_rwlock_init(&node->layout, NULL);
	return node;
}

static void hash_in(struct node_table *t, struct node *node)	/* table locked */
{
	struct node *old;

	hash_insert(&t->by_gfid, &node->by_gfid, gfid_hash(node->gfid));
	node->hashed = true;
	t->count++;
	if (!node->born)
		return;
	old = find_ino(t, node->ino, node->born);
	if (old) {
		hash_remove(&t->by_ino, &old->by_ino);
		old->ino_hashed = false;
	}
	hash_insert(&t->by_ino, &node->by_ino, ino_hash(node->ino, node->born));
	node->ino_hashed = true;
}

int node_make(struct posix *px, const uint8_t *gfid, const struct statx *st, int fd, struct node **ret_node)
{
	struct node_table *t = &px->nodes;
	struct node *fresh = node_new(gfid, st), *node;

	if (!fresh) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	pthread_mutex_lock(&t->lock);
	node = find_gfid(t, gfid);
	if (node && (node->ino != st->stx_ino || node->born != fresh->born)) {
		/* Another object has the gfid now: ours was removed behind our back. */
		take(t, node);
		unhash(t, node);
		pthread_mutex_unlock(&t->lock);
		node_put(px, node);
		pthread_mutex_lock(&t->lock);
		node = find_gfid(t, gfid);
	}
	if (node) {
		take(t, node);
	} else {
		node = fresh;
		fresh = NULL;
		node->refs = 1;
		hash_in(t, node);
	}
	if (node->fd < 0) {
		node->fd = fd;
		fd = -1;
	}
	pthread_mutex_unlock(&t->lock);
	if (fresh)
		node_free(fresh);
	if (fd >= 0)
		close(fd);
	*ret_node = node;
	return 0;
}

int node_open(struct posix *px, struct node *node)
{
	struct statx st;
	int fd, ret;

	if (__atomic_load_n(&node->fd, __ATOMIC_ACQUIRE) >= 0)
		return 0;
	ret = handle_open(px, node->gfid, &st, &fd);
	if (ret < 0)
		return ret;
	if (st.stx_ino != node->ino || born_of(&st) != node->born) {
		close(fd);
		return -ESTALE;
	}
	pthread_mutex_lock(&px->nodes.lock);
	if (node->fd < 0) {
		__atomic_store_n(&node->fd, fd, __ATOMIC_RELEASE);
		fd = -1;
	}
	pthread_mutex_unlock(&px->nodes.lock);
	if (fd >= 0)
		close(fd);
	return 0;
}

int node_get(struct posix *px, const uint8_t *gfid, struct node **ret_node)
{
	struct node *node = node_peek(px, gfid, false);
	struct statx st;
	int fd, ret;

	if (node) {
		ret = node_open(px, node);
		if (ret == 0) {
			*ret_node = node;
			return 0;
		}
		if (ret == -ESTALE)
			node_forget(px, node);
		node_put(px, node);
		if (ret != -ESTALE)
			return ret;
	}
	ret = handle_open(px, gfid, &st, &fd);
	return ret < 0 ? ret : node_make(px, gfid, &st, fd, ret_node);
}

void node_forget(struct posix *px, struct node *node)
{
	pthread_mutex_lock(&px->nodes.lock);
	unhash(&px->nodes, node);
	pthread_mutex_unlock(&px->nodes.lock);
}

/* What must be closed when memory or descriptors have become too many: at most one of each a put. Table locked. */
static int shrink(struct node_table *t, struct node **ret_dead)
{
	struct node *node;
	int fd = -1;

	*ret_dead = NULL;
	if (t->nidle_fd > t->max_idle_fd) {
		node = list_first(&t->idle_fd, struct node, idle_fd);
		list_remove(&node->idle_fd);
		t->nidle_fd--;
		fd = node->fd;
		node->fd = -1;
	}
	if (t->nidle > t->max_idle) {
		node = list_first(&t->idle, struct node, idle);
		take(t, node);
		unhash(t, node);
		*ret_dead = node;
	}
	return fd;
}

static void coroutine_fn reaper(void *arg)
{
	struct posix *px = arg;

	node_reap(px);
	px->nodes.reaping = false;
	co_gate_leave(&px->running);
}

static void put_dead(struct posix *px, struct node *node)
{
	struct node_table *t = &px->nodes;

	if (creds_in_job() || node->fd < 0) {
		node_free(node);
		return;
	}
	pthread_mutex_lock(&t->lock);
	list_append(&t->dead, &node->idle);
	pthread_mutex_unlock(&t->lock);
	if (t->reaping || !co_gate_enter(&px->running))
		return;			/* nodes_fini() sees to the rest */
	t->reaping = true;
	if (co_start(xl_loop(px->xl), reaper, px))
		return;
	t->reaping = false;
	co_gate_leave(&px->running);
}

void node_put(struct posix *px, struct node *node)
{
	struct node_table *t = &px->nodes;
	struct node *dead = NULL;
	int fd = -1;

	if (!node)
		return;
	pthread_mutex_lock(&t->lock);
	if (--node->refs) {
		node = NULL;
	} else if (node->hashed) {
		list_append(&t->idle, &node->idle);
		t->nidle++;
		if (node->fd >= 0) {
			list_append(&t->idle_fd, &node->idle_fd);
			t->nidle_fd++;
		}
		node = NULL;
		if (creds_in_job())
			fd = shrink(t, &dead);
	}
	pthread_mutex_unlock(&t->lock);
	if (node)
		put_dead(px, node);
	if (dead)
		node_free(dead);
	if (fd >= 0)
		close(fd);
}

static int reap(void *arg)
{
	struct posix *px = arg;
	struct list dead, *item;

	list_init(&dead);
	pthread_mutex_lock(&px->nodes.lock);
	list_splice(&dead, &px->nodes.dead);
	pthread_mutex_unlock(&px->nodes.lock);
	while ((item = list_pop(&dead)))
		node_free(list_entry(item, struct node, idle));
	return 0;
}

int coroutine_fn node_reap(struct posix *px)
{
	return loop_offload(reap, px);
}

void nodes_fini(struct posix *px)
{
	struct node_table *t = &px->nodes;

	while (!list_empty(&t->idle)) {
		struct node *node = list_first(&t->idle, struct node, idle);

		take(t, node);
		unhash(t, node);
		node_free(node);
	}
	reap(px);
	hash_fini(&t->by_gfid);
	hash_fini(&t->by_ino);
	pthread_mutex_destroy(&t->lock);
}
