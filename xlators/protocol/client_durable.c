/* xlators/protocol/client_durable.c: a change made through a stock brick, made stable before it is answered (README.md here).
 *
 * Our own bricks do this themselves. Stock ones force the log only for FSYNC of a file: so the regular file that was changed is synced;
 * for a directory, a symlink or a removed name the file system's log is forced by changing and syncing a scratch file of ours on that
 * brick, which was unlinked as soon as it was made. Changes that wait together share one force. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/log.h"
#include "xlators/graph.h"
#include "xlators/protocol/client.h"

#define SCRATCH_XATTR "user.gatehouse.commit"

struct commit_group {			/* changes made before it started are stable when it ends with 0 */
	unsigned refs;
	bool done;
	int result;
	struct co_queue waiting;
};

bool client_needs_commit(const struct call *call, enum fop op)
{
	return call->durable && op != FOP_writev && fop_modifies(op);
}

/* The file that was changed, when it is regular; its gfid is enough for FSYNC. */
static const struct iatt *changed_file(enum fop op, const void *args, const void *res)
{
	const struct iatt *st = NULL;

	switch (op) {
	case FOP_mknod: st = &((const struct mknod_res *)res)->stat; break;
	case FOP_create: st = &((const struct create_res *)res)->stat; break;
	case FOP_link: st = &((const struct link_res *)res)->stat; break;
	case FOP_rename: st = &((const struct rename_res *)res)->stat; break;
	case FOP_setattr: st = &((const struct setattr_res *)res)->post; break;
	case FOP_truncate: st = &((const struct truncate_res *)res)->post; break;
	case FOP_fallocate: st = &((const struct fallocate_res *)res)->post; break;
	case FOP_discard: st = &((const struct discard_res *)res)->post; break;
	case FOP_zerofill: st = &((const struct zerofill_res *)res)->post; break;
	case FOP_setxattr: st = &((const struct setxattr_res *)res)->post; break;
	case FOP_removexattr: st = &((const struct removexattr_res *)res)->post; break;
	default: break;
	}
	return st && S_ISREG(st->mode) ? st : NULL;
}

static int coroutine_fn sync_inode(struct pclient *pc, struct call *call, struct inode *inode, int64_t fd)
{
	struct client_op op = { .op = FOP_fsync, .proc = GF_FOP_FSYNC, .fd = fd };
	struct fsync_args args = { .inode = inode };
	struct fsync_res res = { 0 };

	return client_send(pc, call, &op, &args, &res);
}

static int coroutine_fn sync_file(struct pclient *pc, const struct iatt *st)
{
	struct inode *inode = inode_get(xl_inodes(pc->xl), st->gfid);
	struct call call;
	int ret;

	if (!inode)
		return -ENOMEM;
	call_init(&call, arena_new(16384));
	ret = sync_inode(pc, &call, inode, GF_FD_ANONYMOUS);
	arena_free(call.arena);
	inode_unref(inode);
	return ret;
}

/* --- the scratch file --- */

void client_scratch_drop(struct pclient *pc)
{
	inode_unref(pc->scratch.inode);
	pc->scratch.inode = NULL;
	pc->scratch.epoch = 0;
}

static int coroutine_fn scratch_make(struct pclient *pc, struct call *call)
{
	struct client_op op = { .op = FOP_create, .proc = GF_FOP_CREATE, .fd = GF_FD_ANONYMOUS };
	struct inode *root = inode_get(xl_inodes(pc->xl), gfid_root);
	struct unlink_args gone = { .parent = root };
	struct unlink_res gone_res = { 0 };
	struct create_res res = { 0 };
	uint64_t epoch = rpc_client_epoch(pc->rpc);
	uint8_t gfid[16];
	char name[64], text[GFID_TEXT_SIZE];
	struct create_args args = { .parent = root, .name = name, .flags = O_RDWR | O_EXCL | O_CREAT, .mode = S_IFREG | 0600, .gfid = gfid,
				    .want_fd = true };
	int ret;

	if (!root)
		return -ENOMEM;
	gfid_new(xl_loop(pc->xl), gfid);
	snprintf(name, sizeof(name), ".gatehouse-commit-%s", gfid_text(gfid, text));
	ret = client_send(pc, call, &op, &args, &res);
	if (!ret) {
		gone.name = name;
		ret = client_send(pc, call, &(struct client_op){ .op = FOP_unlink, .proc = GF_FOP_UNLINK, .fd = GF_FD_ANONYMOUS }, &gone,
				  &gone_res);
	}
	inode_unref(root);
	if (ret < 0)
		return ret;
	client_scratch_drop(pc);
	pc->scratch.inode = inode_get(xl_inodes(pc->xl), gfid);
	pc->scratch.fd = op.fd;
	pc->scratch.epoch = epoch;
	return pc->scratch.inode ? 0 : -ENOMEM;
}

/* A new value each time: an inode that did not change would force nothing. */
static int coroutine_fn scratch_touch(struct pclient *pc, struct call *call)
{
	struct client_op op = { .op = FOP_setxattr, .proc = GF_FOP_FSETXATTR, .fd = pc->scratch.fd };
	uint32_t value = ++pc->scratch.counter;
	struct xattr x = { SCRATCH_XATTR, &value, sizeof(value) };
	struct setxattr_args args = { .inode = pc->scratch.inode, .xattrs = { &x, 1 } };
	struct setxattr_res res = { 0 };

	return client_send(pc, call, &op, &args, &res);
}

static int coroutine_fn force_log(struct pclient *pc)
{
	struct call call;
	int ret = 0;

	call_init(&call, arena_new(65536));
	call.pid = PID_NO_ROOT_SQUASH;
	if (!pc->scratch.epoch || pc->scratch.epoch != rpc_client_epoch(pc->rpc))
		ret = scratch_make(pc, &call);
	if (!ret)
		ret = scratch_touch(pc, &call);
	if (!ret)
		ret = sync_inode(pc, &call, pc->scratch.inode, pc->scratch.fd);
	arena_free(call.arena);
	return ret;
}

/* Waits for @g and gives up the caller's reference to it. */
static int coroutine_fn group_wait(struct commit_group *g)
{
	int ret;

	while (!g->done)
		co_queue_wait(&g->waiting);
	ret = g->result;
	if (!--g->refs)
		free(g);
	return ret;
}

static struct commit_group *group_ref(struct commit_group *g)
{
	g->refs++;
	return g;
}

/* The group that takes changes until it starts; whoever opens one runs it, after the group before it has ended. */
static int coroutine_fn commit_wait(struct pclient *pc)
{
	struct client_scratch *s = &pc->scratch;
	struct commit_group *g;

	if (s->open)
		return group_wait(group_ref(s->open));
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	co_queue_init(&g->waiting);
	s->open = group_ref(g);
	if (s->running)
		group_wait(group_ref(s->running));
	s->open = NULL;
	s->running = g;
	g->result = force_log(pc);
	g->done = true;
	s->running = NULL;
	co_queue_wake_all(&g->waiting);
	return group_wait(g);
}

int coroutine_fn client_make_durable(struct pclient *pc, struct call *call, enum fop op, const void *args, const void *res)
{
	const struct iatt *file = changed_file(op, args, res);
	int ret;

	co_shield();	/* a group that nobody leads would hang the others; the connection's own time-outs bound this */
	ret = file ? sync_file(pc, file) : commit_wait(pc);
	co_unshield();
	return ret;
}
