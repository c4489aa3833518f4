/* tests/sim/sim_users.c: users who keep books. Each owns a directory, a sub-directory and some files that only it changes.
 *
 * The one idea: a call that waiting may cure is made again, through whatever gateway there is, until it is answered, as a hard NFS mount does;
 * so after each step the books say exactly what every later reader must see. A repeated call may find that its first try took effect. */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/sim/sim.h"

#define USERS_MAX 6
#define FILES 6
#define SIZE_MAX_ 6000u
#define STEPS 60

struct file {
	bool exists;
	unsigned dir;			/* 0: the user's directory, 1: its sub-directory */
	char name[16];
	uint8_t gfid[16];
	uint32_t size;
	uint8_t data[SIZE_MAX_];
};

struct user {
	unsigned index, serial;
	uint8_t dirs[3][16];		/* its own, "sub" in it, the one it made last */
	struct file files[FILES];
	bool unsure;			/* gave something up: its books say nothing any more */
};

static struct user users[USERS_MAX];

/* One try of a step: through this graph, with this call. */
struct step;
typedef int coroutine_fn try_fn(struct step *st, struct xlator *top, struct call *call, struct inode_table *t);
struct step {
	struct user *u;
	struct file *f, *victim;
	try_fn *fn;
	const char *what;
	bool again;			/* an earlier try may have taken effect */
	bool needs_healing;		/* may have to wait for a healer */
	bool hasty;			/* everybody has been there for a while: no reason to wait long */
	unsigned dir;
	char name[16];
	uint8_t gfid[16];
	uint32_t offset, len;
	uint8_t *data;
	bool unstable;
	bool saw_firsts;		/* at the beginning of this try */
};

/* An object that this try found may be older than what was answered: that is no promise. */
static bool may_be_old(const struct step *st, const struct xlator *top)
{
	return !st->saw_firsts || !gateway_sees_firsts(top->graph->owner);
}

static bool waiting_helps(int ret)
{
	switch (-ret) {
	case ENOTCONN: case ETIMEDOUT: case EAGAIN: case EBUSY: case ECANCELED: case ECONNRESET: case ENOLCK:
		return true;
	default:
		return false;
	}
}

static struct sim_gateway *coroutine_fn any_gateway(void)
{
	struct sim_gateway *gw;

	for (;;) {
		gw = sw.gateways[rnd(sw.ngateways)];
		if (gw)
			return gw;
		co_sleep_ns(50 * MSEC);
	}
}

static int coroutine_fn one_try(struct step *st, struct sim_gateway *gw)
{
	struct arena *arena = arena_new(32u << 20);
	struct call call;
	uint64_t old;
	int ret;

	call_init(&call, arena);
	call.durable = true;
	gw->users++;
	old = co_set_deadline(loop_now_ns(sw.loop) + 20 * SEC);
	st->saw_firsts = gateway_sees_firsts(gw);
	ret = st->fn(st, gw->graph->top, &call, gw->graph->inodes);
	co_restore_deadline(old);
	if (ret < 0 && may_be_old(st, gw->graph->top))
		ret = -ENOTCONN;
	if (gw->dead)			/* nobody hears the answer of a dead gateway */
		ret = -ENOTCONN;
	gw->users--;
	arena_free(arena);
	return ret;
}

/* A rename needs one copy that is whole in both directories and has the file. Where each copy missed something else only healing makes one,
 * and there is no healer here: the user stops, and does not know what became of it. */
static int sim_gives_up(const struct step *st, int ret)
{
	st->u->unsure = true;
	sim_trace("user %u: %s of %s waits for healing: given up", st->u->index, st->what, st->name);
	return ret;
}

static int coroutine_fn perform(struct step *st)
{
	uint64_t start = loop_now_ns(sw.loop);
	int ret;

	sw.ops++;
	st->again = false;
	while ((ret = one_try(st, any_gateway())), waiting_helps(ret) && !sw.failed) {
		st->again = true;
		sw.retries++;
		if (sw.quiet && loop_now_ns(sw.loop) - start > 600 * SEC && st->needs_healing)
			return sim_gives_up(st, ret);
		if (sw.quiet && loop_now_ns(sw.loop) - start > (st->hasty ? 30 : 600) * SEC) {
			sim_fail("user %u: %s of %s hangs: all is well for %u s, and it still answers %s", st->u->index, st->what,
				 st->name, st->hasty ? 30 : 600, strerror(-ret));
			return ret;
		}
		co_sleep_ns(100 * MSEC + rnd(400 * MSEC));
	}
	sim_trace("user %u: %s %u/%s: %d%s", st->u->index, st->what, st->dir, st->name, ret, st->again ? " (again)" : "");
	return ret;
}

static struct inode *inode_for(struct inode_table *t, const uint8_t *gfid)
{
	return inode_get(t, gfid);
}

/* ---- looking ---- */

static int coroutine_fn look(struct step *st, struct xlator *top, struct call *call, struct inode_table *t, unsigned dir, const char *name,
			     uint8_t *ret_gfid)
{
	struct inode *parent = inode_for(t, st->u->dirs[dir]);
	struct lookup_args args = { .parent = parent, .name = name };
	struct lookup_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_lookup(top, call, &args, res);

	memcpy(ret_gfid, res->stat.gfid, 16);
	inode_unref(parent);
	return ret == -ENOENT && may_be_old(st, top) ? -ENOTCONN : ret;
}

/* A name exists already: is it what an earlier try of ours made? */
static int coroutine_fn was_it_me(struct step *st, struct xlator *top, struct call *call, struct inode_table *t, unsigned dir,
				  const char *name, const uint8_t *gfid, int otherwise)
{
	uint8_t found[16];
	int ret;

	if (!st->again)
		return otherwise;
	ret = look(st, top, call, t, dir, name, found);
	if (ret < 0)
		return ret == -ENOENT ? otherwise : ret;
	return memcmp(found, gfid, 16) == 0 ? 0 : otherwise;
}

/* ---- steps ---- */

static int coroutine_fn try_mkdir(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *parent = inode_for(t, st->dir ? st->u->dirs[st->dir - 1] : gfid_root);
	struct mkdir_args args = { .parent = parent, .name = st->name, .mode = 0755, .gfid = st->gfid };
	struct lookup_args look = { .parent = parent, .name = st->name };
	struct mkdir_res *res = arena_alloc(call->arena, sizeof(*res));
	struct lookup_res *found = arena_alloc(call->arena, sizeof(*found));
	int ret = xl_mkdir(top, call, &args, res);

	if (ret == -EEXIST && st->again)	/* the name is its own; what was half made becomes whole when it is looked up */
		ret = xl_lookup(top, call, &look, found);
	inode_unref(parent);
	return ret;
}

static int coroutine_fn try_create(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *parent = inode_for(t, st->u->dirs[st->dir]);
	struct create_args args = { .parent = parent, .name = st->name, .flags = O_EXCL | O_RDWR, .mode = 0644, .gfid = st->gfid };
	struct create_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_create(top, call, &args, res);

	inode_unref(parent);
	return ret == -EEXIST ? was_it_me(st, top, call, t, st->dir, st->name, st->gfid, ret) : ret;
}

static int coroutine_fn try_write(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode = inode_for(t, st->f->gfid);
	struct iobuf *buf = iobuf_new(st->len);
	struct writev_args args = { .inode = inode, .offset = st->offset, .data = { buf, 0, st->len }, .flags = st->unstable ? 0 : O_DSYNC };
	struct writev_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret;

	memcpy(buf->data, st->data, st->len);
	ret = xl_writev(top, call, &args, res);
	if (ret == 0 && res->written != st->len)
		ret = -EIO;
	iobuf_unref(buf);
	inode_unref(inode);
	return ret;
}

static int coroutine_fn commit(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode = inode_for(t, st->f->gfid);
	struct fsync_args args = { .inode = inode };
	struct fsync_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_fsync(top, call, &args, res);

	inode_unref(inode);
	return ret;
}

/* As a client with a write verifier: another verifier between write and commit means that the write must be sent again. */
static int coroutine_fn try_write_and_commit(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct sim_gateway *gw = top->graph->owner;
	uint64_t verifier = gw->restarts;
	int ret = try_write(st, top, call, t);

	if (ret == 0 && rnd(2))
		ret = co_sleep_ns(rnd(2 * SEC));
	if (ret == 0)
		ret = commit(st, top, call, t);
	return ret == 0 && gw->restarts != verifier ? -EAGAIN : ret;
}

static int coroutine_fn try_truncate(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode = inode_for(t, st->f->gfid);
	struct truncate_args args = { .inode = inode, .offset = st->len };
	struct truncate_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_truncate(top, call, &args, res);

	inode_unref(inode);
	return ret;
}

static int coroutine_fn try_unlink(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *parent = inode_for(t, st->u->dirs[st->f->dir]);
	struct unlink_args args = { .parent = parent, .name = st->f->name };
	struct unlink_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_unlink(top, call, &args, res);

	inode_unref(parent);
	return ret == -ENOENT && st->again ? 0 : ret;
}

static int coroutine_fn try_setattr(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode = inode_for(t, st->f ? st->f->gfid : st->u->dirs[st->dir]);
	struct setattr_args args = { .inode = inode, .stat = { .mode = st->f ? 0644 : 0755 }, .valid = SET_MODE };
	struct setattr_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_setattr(top, call, &args, res);

	inode_unref(inode);
	return ret;
}

/* A rename between subvolumes that was cut short leaves the file with both names (brick-format.md B8: LINK first,
 * UNLINK last). Sent again it does
 * nothing, as POSIX wants of two names of one file: whoever repeats it has to look whether the old one is still there. */
static int coroutine_fn drop_second_name(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	uint8_t found[16];
	int ret = look(st, top, call, t, st->f->dir, st->f->name, found);

	if (ret == 0 && memcmp(found, st->f->gfid, 16) == 0)
		ret = try_unlink(st, top, call, t);
	return ret == -ENOENT ? 0 : ret;
}

static int coroutine_fn try_rename(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *from = inode_for(t, st->u->dirs[st->f->dir]), *to = inode_for(t, st->u->dirs[st->dir]);
	struct rename_args args = { .oldparent = from, .oldname = st->f->name, .newparent = to, .newname = st->name };
	struct rename_res *res = arena_alloc(call->arena, sizeof(*res));
	int ret = xl_rename(top, call, &args, res);

	inode_unref(from);
	inode_unref(to);
	if (ret == 0 && st->again)
		ret = drop_second_name(st, top, call, t);
	return ret == -ENOENT ? was_it_me(st, top, call, t, st->dir, st->name, st->f->gfid, ret) : ret;
}

static int coroutine_fn try_read(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode;
	struct readv_args args = { .size = SIZE_MAX_ };
	struct readv_res *res = arena_alloc(call->arena, sizeof(*res));
	uint8_t found[16];
	int ret = look(st, top, call, t, st->f->dir, st->f->name, found);

	if (ret < 0)
		return ret;
	if (memcmp(found, st->f->gfid, 16) != 0 && may_be_old(st, top))
		return -ENOTCONN;
	CHECK(memcmp(found, st->f->gfid, 16) == 0, "user %u: %s is another file", st->u->index, st->f->name);
	args.inode = inode = inode_for(t, st->f->gfid);
	ret = xl_readv(top, call, &args, res);
	inode_unref(inode);
	if (ret < 0)
		return ret;
	if (res->data.len != st->f->size ||
	    (st->f->size && memcmp(payload_data(&res->data), st->f->data, st->f->size) != 0)) {
		if (may_be_old(st, top))
			return -ENOTCONN;
		sim_disks_tell(st->f->gfid);
	}
	CHECK(res->data.len == st->f->size, "user %u: %s has %u bytes, not %u", st->u->index, st->f->name, res->data.len, st->f->size);
	CHECK(res->data.len != st->f->size || !st->f->size || memcmp(payload_data(&res->data), st->f->data, st->f->size) == 0,
	      "user %u: %s does not hold what was written", st->u->index, st->f->name);
	return 0;
}

/* All names of a directory, each once. */
static int coroutine_fn try_list(struct step *st, struct xlator *top, struct call *call, struct inode_table *t)
{
	struct inode *inode = inode_for(t, st->u->dirs[st->dir]);
	struct readdir_args args = { .inode = inode, .size = 700, .plus = rnd(2) };
	struct readdir_res *res = arena_alloc(call->arena, sizeof(*res));
	unsigned seen[FILES] = { 0 }, i, k;
	bool known;
	int ret;

	do {
		ret = xl_readdir(top, call, &args, res);
		for (i = 0; ret == 0 && i < res->n; i++) {
			args.offset = res->entries[i].off;
			sim_trace("user %u: lists %s at %llx", st->u->index, res->entries[i].name, (unsigned long long)args.offset);
			known = res->entries[i].name[0] == '.' || (st->dir == 0 && strcmp(res->entries[i].name, "sub") == 0) ||
				(st->dir == 1 && res->entries[i].name[0] == 'd');
			for (k = 0; k < FILES; k++)
				if (st->u->files[k].exists && st->u->files[k].dir == st->dir &&
				    strcmp(st->u->files[k].name, res->entries[i].name) == 0)
					seen[k]++, known = true;
			if (!known && may_be_old(st, top))
				ret = -ENOTCONN;
			CHECK(known || ret < 0, "user %u: %s is listed, which was removed",
			      st->u->index, res->entries[i].name);
		}
	} while (ret == 0 && !res->eof && !sw.failed);
	inode_unref(inode);
	for (k = 0; k < FILES && ret == 0; k++)
		if (seen[k] != (st->u->files[k].exists && st->u->files[k].dir == st->dir) &&
		    may_be_old(st, top))
			ret = -ENOTCONN;
	for (k = 0; k < FILES && ret == 0; k++)
		if (seen[k] != (st->u->files[k].exists && st->u->files[k].dir == st->dir)) {
			sim_disks_tell(st->u->files[k].gfid);
			sim_disks_tell(st->u->dirs[st->dir]);
		}
	for (k = 0; k < FILES && ret == 0; k++)
		CHECK(seen[k] == (st->u->files[k].exists && st->u->files[k].dir == st->dir), "user %u: %s is listed %u times", st->u->index,
		      st->u->files[k].name, seen[k]);
	return ret;
}

/* ---- a day's work ---- */

/* SIM_WATCH=user/name, a pattern, in the environment: what the disks have after each step on it. */
static bool sim_watched(const struct step *st)
{
	const char *watch = sw.verbose ? getenv("SIM_WATCH") : NULL;
	char text[32];

	snprintf(text, sizeof(text), "%u/%s", st->u->index, st->f ? st->f->name : st->name);
	return watch && fnmatch(watch, text, 0) == 0;
}

static int coroutine_fn run_step(struct step *st, try_fn *fn, const char *what)
{
	int ret;

	st->fn = fn;
	st->what = what;
	if (st->f && !st->name[0])
		snprintf(st->name, sizeof(st->name), "%s", st->f->name);
	ret = perform(st);
	if (st->needs_healing && waiting_helps(ret))
		return ret;
	if (sw.verbose && ret < 0)
		printf("user %u: %s of %u/%s (now %u/%s)\n", st->u->index, what, st->dir, st->name,
		       st->f ? st->f->dir : 0, st->f ? st->f->name : "");
	if ((ret < 0 || sim_watched(st)) && st->f)
		sim_disks_tell(st->f->gfid);
	if (ret < 0 || sim_watched(st))
		sim_disks_tell(st->u->dirs[st->dir]);
	CHECK(ret == 0 || sw.failed, "user %u: %s of %u/%s failed with %s", st->u->index, what, st->dir, st->name, strerror(-ret));
	return ret;
}

static void coroutine_fn write_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .f = f, .dir = f->dir };
	uint8_t data[1500];
	uint32_t i;

	st.offset = (uint32_t)rnd(f->size + 100);
	st.len = 1 + (uint32_t)rnd(sizeof(data) - 1);
	if (st.offset + st.len > SIZE_MAX_)
		st.offset = SIZE_MAX_ - st.len;
	for (i = 0; i < st.len; i++)
		data[i] = (uint8_t)(u->serial * 7 + i);
	u->serial++;
	st.data = data;
	st.unstable = rnd(2);
	if (run_step(&st, st.unstable ? try_write_and_commit : try_write, st.unstable ? "write and commit" : "stable write") < 0)
		return;
	if (st.offset > f->size)
		memset(f->data + f->size, 0, st.offset - f->size);
	memcpy(f->data + st.offset, data, st.len);
	if (st.offset + st.len > f->size)
		f->size = st.offset + st.len;
}

static void coroutine_fn create_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .dir = (unsigned)rnd(2) };

	snprintf(st.name, sizeof(st.name), "f%u", u->serial++);
	gfid_new(sw.loop, st.gfid);
	if (run_step(&st, try_create, "create") < 0)
		return;
	f->exists = true;
	f->dir = st.dir;
	f->size = 0;
	memcpy(f->name, st.name, sizeof(f->name));
	memcpy(f->gfid, st.gfid, 16);
	write_some(u, f);
}

static void coroutine_fn truncate_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .f = f, .dir = f->dir, .len = (uint32_t)rnd(f->size + 500) };

	if (st.len > SIZE_MAX_)
		st.len = SIZE_MAX_;
	if (run_step(&st, try_truncate, "truncate") < 0)
		return;
	if (st.len > f->size)
		memset(f->data + f->size, 0, st.len - f->size);
	f->size = st.len;
}

static void coroutine_fn remove_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .f = f, .dir = f->dir };

	if (run_step(&st, try_unlink, "remove") == 0)
		f->exists = false;
}

static void coroutine_fn rename_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .f = f, .dir = (unsigned)rnd(2), .needs_healing = true };
	struct file *victim = &u->files[rnd(FILES)];

	if (victim == f || !victim->exists || rnd(2))
		victim = NULL;
	if (victim)
		st.dir = victim->dir;
	snprintf(st.name, sizeof(st.name), victim ? "%s" : "%.1s%u", victim ? victim->name : "r", u->serial++);
	if (run_step(&st, try_rename, "rename") < 0)
		return;
	if (victim)
		victim->exists = false;
	f->dir = st.dir;
	memcpy(f->name, st.name, sizeof(f->name));
}

static void coroutine_fn read_some(struct user *u, struct file *f)
{
	struct step st = { .u = u, .f = f, .dir = f->dir };

	run_step(&st, try_read, "read");
}

static void coroutine_fn list_some(struct user *u, unsigned dir)
{
	struct step st = { .u = u, .dir = dir };

	run_step(&st, try_list, "list");
}

static void coroutine_fn make_home(struct user *u)
{
	struct step st = { .u = u };

	snprintf(st.name, sizeof(st.name), "user%u", u->index);
	memcpy(st.gfid, u->dirs[0], 16);
	run_step(&st, try_mkdir, "mkdir");
	st = (struct step){ .u = u, .dir = 1, .name = "sub" };
	memcpy(st.gfid, u->dirs[1], 16);
	run_step(&st, try_mkdir, "mkdir");
}

/* A tree is unpacked: a directory, and at once names in it, while its ranges may have reached some copies only. */
static void coroutine_fn unpack_some(struct user *u)
{
	struct step st = { .u = u, .dir = 2 };
	unsigned i, serial = u->serial++;

	snprintf(st.name, sizeof(st.name), "d%u", serial);
	gfid_new(sw.loop, st.gfid);
	memcpy(u->dirs[2], st.gfid, 16);
	if (run_step(&st, try_mkdir, "mkdir") < 0)
		return;
	for (i = 0; i < 4 && !sw.failed; i++) {
		struct step in = { .u = u, .dir = 2 };

		snprintf(in.name, sizeof(in.name), "i%u", i);
		gfid_new(sw.loop, in.gfid);
		run_step(&in, try_create, "create in a new directory");
	}
}

static void coroutine_fn user_main(void *arg)
{
	struct user *u = arg;
	unsigned i;

	make_home(u);
	for (i = 0; (i < STEPS || !sw.quiet) && i < STEPS * 10 && !sw.failed && !u->unsure; i++) {
		struct file *f = &u->files[rnd(FILES)];
		uint64_t what = rnd(16);

		if (rnd(20) == 0)
			unpack_some(u);
		else if (!f->exists)
			create_some(u, f);
		else if (what < 6)
			write_some(u, f);
		else if (what < 8)
			remove_some(u, f);
		else if (what < 11)
			rename_some(u, f);
		else if (what < 12)
			truncate_some(u, f);
		else if (what < 15)
			read_some(u, f);
		else
			list_some(u, (unsigned)rnd(2));
		co_sleep_ns(rnd(20) ? rnd(20 * MSEC) : rnd(3 * SEC));
	}
	sw.working--;
}

void sim_users_start(void)
{
	unsigned i;

	memset(users, 0, sizeof(users));
	for (i = 0; i < sw.nusers; i++) {
		users[i].index = i;
		gfid_new(sw.loop, users[i].dirs[0]);
		gfid_new(sw.loop, users[i].dirs[1]);
		sw.working++;
		co_start(sw.loop, user_main, &users[i]);
	}
}

/* Whatever a directory missed: its mode can be set, and a new name in it can be made, used and removed. */
static void coroutine_fn change_dir(struct user *u, unsigned dir)
{
	struct file *f = calloc(1, sizeof(*f));
	struct step st = { .u = u, .dir = dir, .hasty = true };

	run_step(&st, try_setattr, "setattr of a directory");
	snprintf(f->name, sizeof(f->name), "n%u", u->serial++);
	gfid_new(sw.loop, f->gfid);
	f->dir = dir;
	memcpy(st.gfid, f->gfid, 16);
	memcpy(st.name, f->name, sizeof(st.name));
	if (!sw.failed && run_step(&st, try_create, "create in the end") == 0) {
		st = (struct step){ .u = u, .f = f, .dir = dir, .hasty = true, .len = 10, .data = f->data };
		run_step(&st, try_write, "write in the end");
		run_step(&st, try_unlink, "remove in the end");
	}
	free(f);
}

void coroutine_fn sim_users_change(void)
{
	unsigned i, k;

	for (i = 0; i < sw.nusers; i++) {
		for (k = 0; k < FILES && !sw.failed && !users[i].unsure; k++) {
			struct file *f = &users[i].files[k];
			struct step st = { .u = &users[i], .f = f, .dir = f->dir, .hasty = true, .len = f->size };

			if (!f->exists)
				continue;
			run_step(&st, try_setattr, "setattr in the end");
			run_step(&st, try_truncate, "truncate in the end");
		}
		for (k = 0; k < 2 && !sw.failed; k++)
			change_dir(&users[i], k);
	}
}

void coroutine_fn sim_users_verify(void)
{
	unsigned i, k;

	for (i = 0; i < sw.nusers && !sw.failed; i++) {
		if (users[i].unsure)
			continue;
		for (k = 0; k < FILES && !sw.failed; k++)
			if (users[i].files[k].exists)
				read_some(&users[i], &users[i].files[k]);
		list_some(&users[i], 0);
		list_some(&users[i], 1);
	}
}
