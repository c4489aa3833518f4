/* xlators/cluster/replicate/takeback.c: undoing a change that some copies made and the others refused.
 *
 * A copy that is full, read-only or failing refuses what the others make. Where these are too few to decide, nothing must remain: a name that
 * was given is taken away, a rename is renamed back, attributes are set to what they were. What is gone cannot be brought back: a removal and a
 * rename over something are left, and the marks say so (quorum.c). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "xlators/cluster/replicate/takeback.h"

struct name { struct inode *dir; const char *name; };

const uint8_t *replicate_new_gfid(enum fop op, const void *args)
{
	switch (op) {
	case FOP_mknod: return ((const struct mknod_args *)args)->gfid;
	case FOP_mkdir: return ((const struct mkdir_args *)args)->gfid;
	case FOP_create: return ((const struct create_args *)args)->gfid;
	case FOP_symlink: return ((const struct symlink_args *)args)->gfid;
	default: return NULL;
	}
}

static bool removes(const struct take_back *b)
{
	return b->op == FOP_unlink || b->op == FOP_rmdir;
}

/* Where a name was given: makers' arguments begin with the directory and the name. */
static struct name given(const struct take_back *b)
{
	const struct rename_args *moved = b->args;
	const struct link_args *linked = b->args;
	const struct mknod_args *made = b->args;

	if (b->op == FOP_rename)
		return (struct name){ moved->newparent, moved->newname };
	if (b->op == FOP_link)
		return (struct name){ linked->newparent, linked->newname };
	return (struct name){ made->parent, made->name };
}

/* Where one was taken away. */
static struct name taken(const struct take_back *b)
{
	const struct rename_args *moved = b->args;
	const struct unlink_args *gone = b->args;

	if (b->op == FOP_rename)
		return (struct name){ moved->oldparent, moved->oldname };
	return (struct name){ gone->parent, gone->name };
}

static void find_gfid(struct take_back *b)
{
	const uint8_t *gfid = replicate_new_gfid(b->op, b->args);
	unsigned first = (unsigned)__builtin_ctzll(b->ok & b->good ? b->ok & b->good : b->ok);

	if (b->op == FOP_link)
		gfid = ((const struct link_args *)b->args)->inode->gfid;
	else if (b->op == FOP_rename)
		gfid = b->ans[first].res->rename.stat.gfid;
	memcpy(b->gfid, gfid ? gfid : gfid_root, 16);
}

/* Errors that tell of another state, not of a disk: what the copies have differs, and the quorum decides (README.md). */
static bool is_disagreement(int err)
{
	switch (-err) {
	case ENOENT: case ESTALE: case EEXIST: case ENOTEMPTY: case ENOTDIR: case EISDIR: case ELOOP: case EBUSY:
		return true;
	default:
		return false;
	}
}

bool take_back_due(const struct take_back *b)
{
	child_set refused = quorum_refusals(b->ans, b->part);

	for (unsigned i = 0; refused >> i; i++)
		if ((refused & bit(i)) && is_disagreement(b->ans[i].err))
			return false;
	return b->ok && (refused & b->good) && (refused | b->ok) == b->part;
}

struct seen { child_set same, other, nothing; };

static struct answer *coroutine_fn see(struct take_back *b, struct name n, struct seen *s)
{
	struct lookup_args args = { .parent = n.dir, .name = n.name };
	struct answer *ans = xl_fanout(b->xl, b->call, b->part, FOP_lookup, &args, NULL);

	*s = (struct seen){ 0 };
	for (unsigned i = 0; ans && b->part >> i; i++) {
		if (!(b->part & bit(i)))
			continue;
		if (ans[i].err == 0)
			*(gfid_equal(ans[i].res->lookup.stat.gfid, b->gfid) ? &s->same : &s->other) |= bit(i);
		else if (ans[i].err == -ENOENT || ans[i].err == -ESTALE)
			s->nothing |= bit(i);
	}
	return ans;
}

static bool same_time(struct iatt_time a, struct iatt_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

/* Do @st and @other agree in what @valid names? Times that were set to "now" nobody knows. */
static bool same_attributes(const struct iatt *st, const struct iatt *other, uint32_t valid)
{
	return !((valid & SET_MODE) && ((st->mode ^ other->mode) & 07777)) && !((valid & SET_UID) && st->uid != other->uid) &&
	       !((valid & SET_GID) && st->gid != other->gid) && !((valid & SET_ATIME) && !same_time(st->atime, other->atime)) &&
	       !((valid & SET_MTIME) && !same_time(st->mtime, other->mtime));
}

/* One that changed some attributes and then failed is silent. */
static void coroutine_fn look_at_attributes(struct take_back *b)
{
	const struct setattr_args *asked = b->args;
	const struct iatt *pre = &b->ans[__builtin_ctzll(b->ok)].res->setattr.pre;
	uint32_t owner = asked->valid & (SET_UID | SET_GID) ? SET_MODE | SET_UID | SET_GID : SET_MODE;
	struct stat_args args = { .inode = asked->inode };
	child_set refused = b->part & ~b->ok;

	b->there = xl_fanout(b->xl, b->call, refused, FOP_stat, &args, NULL);
	for (unsigned i = 0; refused >> i; i++) {
		if (!(refused & bit(i)))
			continue;
		if (!b->there || b->there[i].err < 0)
			b->silent |= bit(i);
		else if (same_attributes(&b->there[i].res->stat.stat, &asked->stat, asked->valid))
			b->made |= bit(i);
		else if (!same_attributes(&b->there[i].res->stat.stat, pre, owner))
			b->silent |= bit(i);
	}
}

void coroutine_fn take_back_look(struct take_back *b)
{
	struct seen now = { 0 }, before;

	b->made = b->ok;
	b->silent = b->replaced = 0;
	b->there = NULL;
	if (b->op == FOP_setattr)
		look_at_attributes(b);
	if (b->op == FOP_setattr || b->op == FOP_setxattr || b->op == FOP_removexattr || b->op == FOP_xattrop)
		return;
	find_gfid(b);
	if (!removes(b)) {
		b->there = see(b, given(b), &now);
		b->made = now.same;
		b->silent = b->part & ~(now.same | now.other | now.nothing);
		b->replaced = now.other & b->good & ~b->ok;
	}
	if (!removes(b) && b->op != FOP_rename)
		return;
	see(b, taken(b), &before);
	b->made = removes(b) ? before.nothing : now.same & before.nothing;
	b->silent |= b->part & ~(before.same | before.other | before.nothing);
}

/* Takes the word of those that refused and made it all the same: results begin with the object's attributes. */
child_set take_back_accept(struct take_back *b, struct answer *ans)
{
	child_set late = b->ok & b->good ? b->made & ~b->ok : 0;	/* what a stale copy made need not be what was asked for */

	for (unsigned i = 0; late >> i; i++) {
		if (!(late & bit(i)))
			continue;
		memset(ans[i].res, 0, fop_res_sizes[b->op]);
		ans[i].err = 0;
		if (b->there)
			memcpy(ans[i].res, b->there[i].res, sizeof(struct iatt));
		if (b->op == FOP_setattr)
			ans[i].res->setattr.post = ans[i].res->setattr.pre;
	}
	b->ok |= late;
	return late;
}

static struct answer *coroutine_fn unname(struct take_back *b)
{
	struct name n = given(b);
	struct unlink_args file = { .parent = n.dir, .name = n.name, .internal = true };
	struct rmdir_args dir = { .parent = n.dir, .name = n.name };

	if (b->op == FOP_mkdir)
		return xl_fanout(b->xl, b->call, b->made, FOP_rmdir, &dir, NULL);
	return xl_fanout(b->xl, b->call, b->made, FOP_unlink, &file, NULL);
}

static struct answer *coroutine_fn move_back(struct take_back *b)
{
	struct name from = given(b), to = taken(b);
	struct rename_args args = { .oldparent = from.dir, .oldname = from.name, .newparent = to.dir, .newname = to.name,
				    .inode = ((const struct rename_args *)b->args)->inode, .internal = true };

	return xl_fanout(b->xl, b->call, b->made, FOP_rename, &args, NULL);
}

/* Each copy gets what it had: those need not agree in what nobody was told of, such as times. */
static struct answer *coroutine_fn set_back(struct take_back *b)
{
	const struct setattr_args *asked = b->args;
	struct setattr_args args[REPLICATE_MAX];
	const void *each[REPLICATE_MAX] = { NULL };
	child_set ok;

	for (unsigned i = 0; i < REPLICATE_MAX; i++) {
		if (!(b->made & bit(i)))
			continue;
		args[i] = *asked;
		args[i].stat = b->ans[i].res->setattr.pre;
		args[i].internal = true;
		args[i].valid |= (asked->valid & SET_ATIME_NOW ? SET_ATIME : 0) | (asked->valid & SET_MTIME_NOW ? SET_MTIME : 0);
		args[i].valid &= ~(SET_ATIME_NOW | SET_MTIME_NOW);
		if (asked->valid & (SET_UID | SET_GID))		/* which took the set-id bits away */
			args[i].valid |= SET_MODE;
		each[i] = &args[i];
		if (!iatt_present(&args[i].stat))
			return NULL;
	}
	return xl_fanout_each(b->xl, b->call, b->made, FOP_setattr, each, &ok);
}

static bool can_be_undone(const struct take_back *b)
{
	if ((b->silent | b->made) & b->good & ~b->ok)
		return false;		/* made there, perhaps: then it is no refusal */
	switch (b->op) {
	case FOP_mknod: case FOP_mkdir: case FOP_create: case FOP_symlink: case FOP_link: case FOP_setattr:
		return true;
	case FOP_rename:
		return !b->replaced;
	default:
		return false;
	}
}

static child_set coroutine_fn undo(struct take_back *b)
{
	struct answer *ans;
	child_set undone = 0;

	if (!b->made || !can_be_undone(b))
		return 0;
	ans = b->op == FOP_rename ? move_back(b) : b->op == FOP_setattr ? set_back(b) : unname(b);
	for (unsigned i = 0; ans && b->made >> i; i++)
		if ((b->made & bit(i)) && (ans[i].err == 0 || ans[i].err == -ENOENT))
			undone |= bit(i);
	return undone;
}

void coroutine_fn take_back(struct take_back *b, struct verdict *v)
{
	child_set as_before = (b->part & ~(b->made | b->silent)) | undo(b);

	v->ok &= ~as_before;
	v->missed &= v->ok;
	v->confess &= v->ok;
	v->overruled &= v->ok;
	if (v->overruled)
		v->blamers |= as_before;
	if (v->ok)
		return;
	v->took_effect = false;
	v->blamers = 0;
	v->refused = !b->silent;
}
