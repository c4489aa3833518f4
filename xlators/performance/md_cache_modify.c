/* xlators/performance/md_cache_modify.c: our own changes, of which no brick tells us.
 *
 * When the answer to a change arrives, the change is recorded (so that no read that was on its way is kept), and what
 * the answer brought takes the place of what was kept: of an inode if no other change of ours to it was on its way at
 * the same time, since the order in which the brick made two is not the order of their answers; else it is dropped. Of
 * a directory the answer shows one subvolume's view: it may make newer what was kept, but not take its place when
 * nothing was. Where what was kept holds from before the call to its end, it is also what the directory was
 * before the call: the brick that the name is on does not know that, because a directory's times are the newest of
 * all subvolumes. What was removed must be forgotten, too: its gfid comes from the kept name, from below
 * (cluster/distribute looks names up anyway), or is asked for. */
#include <string.h>
#include <sys/stat.h>

#include "xlators/performance/md_cache.h"

/* --- one inode --- */

struct change {
	struct md_view view;
	struct md_inode *c;		/* lives as long as the inode, which the call holds; NULL: no memory */
	uint32_t told;
	bool on;			/* something may be kept */
};

static void change_begin(struct xlator *xl, struct change *ch, struct inode *inode)
{
	ch->on = md_look(xl, &ch->view);
	ch->c = ch->on ? md_ctx(xl, inode) : md_ctx_find(xl, inode);
	if (!ch->c)
		return;
	ch->told = ch->c->told;
	if (ch->c->changing++)
		ch->c->overlap = true;
}

/* Whether the answer shows the inode as it is now. *ret_alone: no other change of ours may have come between. */
static bool change_end(struct xlator *xl, struct change *ch, struct inode *inode, bool *ret_alone)
{
	struct md_cache *md = xl->priv;
	struct md_inode *c = ch->c;

	md_record(md, md_key(inode->gfid));
	if (!c)
		return false;
	*ret_alone = !c->overlap;
	if (--c->changing == 0)
		c->overlap = false;
	md_ctx_find(xl, inode);
	return ch->on && ch->view.epoch == md->epoch && ch->told == c->told;
}

/* After a change of content or attributes. */
static void changed(struct xlator *xl, struct change *ch, struct inode *inode, int ret, const struct iatt *post,
		    bool permissions)
{
	bool alone = false, known = change_end(xl, ch, inode, &alone);
	struct md_inode *c = ch->c;

	if (!c || c->told != ch->told || ret == -ESTALE || ret == -ENOENT) {
		md_drop(xl, inode);
		return;
	}
	if (permissions)
		md_forget_decisions(c);
	c->stat_until = 0;
	c->ours = !permissions;
	if (ret < 0 || !known || !alone || !iatt_present(post))
		return;
	if (iatt_present(&c->stat) &&
	    (c->stat.mode != post->mode || c->stat.uid != post->uid || c->stat.gid != post->gid))
		md_forget_decisions(c);
	c->stat = *post;
	memcpy(c->stat.gfid, inode->gfid, 16);
	c->stat_until = ch->view.until;
}

#define CHANGES(op, permissions) \
int coroutine_fn md_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
{ \
	struct inode *inode = args->inode; \
	struct change ch; \
	int ret; \
	\
	change_begin(xl, &ch, inode); \
	ret = xl_##op(md_child(xl), call, args, res); \
	changed(xl, &ch, inode, ret, &res->post, permissions); \
	return ret; \
}

CHANGES(truncate, false)
CHANGES(writev, false)
CHANGES(fallocate, false)
CHANGES(discard, false)
CHANGES(zerofill, false)
CHANGES(setattr, args->valid & (SET_MODE | SET_UID | SET_GID))
CHANGES(setxattr, true)
CHANGES(removexattr, true)

/* --- a directory --- */

static int compare_time(const struct iatt_time *a, const struct iatt_time *b)
{
	if (a->sec != b->sec)
		return a->sec < b->sec ? -1 : 1;
	return a->nsec < b->nsec ? -1 : a->nsec > b->nsec;
}

static void newest(struct iatt_time *to, const struct iatt_time *from)
{
	if (compare_time(to, from) < 0)
		*to = *from;
}

/* False: it cannot be told which of the two is the later state. */
static bool merge_dir(struct iatt *to, const struct iatt *post, bool alone)
{
	struct iatt old = *to;
	int order = compare_time(&post->ctime, &old.ctime);
	bool later = order > 0 || alone;
	const struct iatt *other = later ? &old : post;

	if (order == 0 && !alone && (post->nlink != old.nlink || post->size != old.size || post->blocks != old.blocks))
		return false;
	if (later)
		*to = *post;
	memcpy(to->gfid, old.gfid, 16);
	newest(&to->atime, &other->atime);
	newest(&to->mtime, &other->mtime);
	newest(&to->ctime, &other->ctime);
	return true;
}

/* Refusals before anything was changed. */
static bool refused(int ret)
{
	switch (ret) {
	case -EACCES: case -EPERM: case -EEXIST: case -ENOENT: case -ENOTDIR: case -EISDIR: case -ENOTEMPTY:
	case -ENAMETOOLONG: case -EROFS: case -EXDEV: case -EINVAL: case -EMLINK:
		return true;
	default:
		return false;
	}
}

/* A directory's attributes around a change of a name: kept ones from when the call was sent, and the results' own. */
struct around { struct iatt kept, *pre, *post; };

static bool same_moment(const struct iatt *a, const struct iatt *b)
{
	return iatt_present(a) && iatt_present(b) && a->size == b->size && compare_time(&a->mtime, &b->mtime) == 0 &&
	       compare_time(&a->ctime, &b->ctime) == 0;
}

static void dir_changed(struct xlator *xl, struct change *ch, struct inode *dir, int ret, struct around *at)
{
	bool alone = false, known = change_end(xl, ch, dir, &alone);
	struct md_inode *c = ch->c;
	bool held;

	if (!c || c->told != ch->told || ret == -ESTALE) {
		md_drop(xl, dir);
		return;
	}
	if (refused(ret) && known)
		return;
	held = alone && ((struct md_cache *)xl->priv)->promised && md_stat_fresh(xl, c) && same_moment(&at->kept, &c->stat);
	if (ret < 0 || !known || !iatt_present(at->post) || !md_stat_fresh(xl, c) ||
	    !merge_dir(&c->stat, at->post, alone)) {
		c->stat_until = 0;
		c->ours = true;
	} else if (held && !iatt_present(at->pre)) {
		*at->pre = at->kept;
		*at->post = c->stat;
	}
}

/* --- a name --- */

/* A name that a call of ours is changing. On the call's stack. */
struct md_entry {
	struct list link;
	struct change dir_change;
	struct around around;
	struct inode *dir;
	const char *name;
	uint64_t id;			/* directory and name */
	uint64_t names;			/* the directory's number when the call was sent */
	bool clobbered;			/* another call changed it at the same time */
	bool victim_known;
	uint8_t victim[16];		/* what had the name, or null */
};

static void entry_begin(struct xlator *xl, struct md_entry *e, struct inode *dir, const char *name)
{
	struct md_cache *md = xl->priv;
	struct md_inode *c;
	struct list *pos;

	*e = (struct md_entry){ .dir = dir, .name = name, .id = md_name_key(md_key(dir->gfid), name) };
	change_begin(xl, &e->dir_change, dir);
	c = e->dir_change.c;
	e->names = c ? c->names : 0;
	if (c && e->dir_change.on && md_stat_fresh(xl, c))
		e->around.kept = c->stat;
	list_for_each(pos, &md->entries) {
		struct md_entry *other = list_entry(pos, struct md_entry, link);

		if (other->id == e->id)
			other->clobbered = e->clobbered = true;
	}
	list_append(&md->entries, &e->link);
}

/* What the name stands for now: @gfid, nothing (NULL), or unknown. The number may be a new one meanwhile: nothing may
 * stay under that, either. */
static void entry_end(struct xlator *xl, struct md_entry *e, int ret, struct iatt *pre, struct iatt *post, bool known,
		      const uint8_t *gfid)
{
	struct md_cache *md = xl->priv;
	struct md_inode *c = e->dir_change.c;
	uint64_t key;

	list_remove(&e->link);
	e->around.pre = pre;
	e->around.post = post;
	dir_changed(xl, &e->dir_change, e->dir, ret, &e->around);
	if (!c)
		return;
	key = md_name_key(c->names, e->name);
	md_record(md, key);
	if (known && !e->clobbered && e->dir_change.on && c->names == e->names && e->dir_change.view.epoch == md->epoch)
		md_name_keep(xl, c->names, key, e->name, e->dir_change.view.until, gfid);
	else
		md_name_drop(xl, c->names, key, e->name);
}

/* Who has the name now, as far as we are told; that must be forgotten when it loses it. */
static int coroutine_fn find_victim(struct xlator *xl, struct call *call, struct md_entry *e, bool named_below)
{
	struct lookup_args args = { .parent = e->dir, .name = e->name };
	struct lookup_res *res;
	struct md_inode *c = md_ctx_find(xl, e->dir);
	struct md_name *n = c ? md_name_find(xl, c->names, md_name_key(c->names, e->name), e->name) : NULL;
	int ret;

	e->victim_known = n || !e->dir_change.on;
	if (n)
		memcpy(e->victim, n->gfid, 16);
	if (e->victim_known || named_below)
		return 0;
	res = arena_alloc(call->arena, sizeof(*res));
	if (!res)
		return -ENOMEM;
	memset(res, 0, sizeof(*res));
	ret = xl_lookup(md_child(xl), call, &args, res);
	if (ret == 0)
		memcpy(e->victim, res->stat.gfid, 16);
	e->victim_known = ret == 0 || ret == -ENOENT;
	return ret == -ENOENT ? 0 : ret;
}

/* @told: what the layers below say lost the name, or NULL when they say nothing. Where it is not certain what did, all
 * is void. */
static void forget_victim(struct xlator *xl, struct md_entry *e, int ret, const uint8_t *told)
{
	struct md_view now;

	if (!gfid_is_null(e->victim))
		md_drop_gfid(xl, e->victim);
	if (refused(ret))
		return;
	if (told)
		md_drop_gfid(xl, told);
	else if (!e->victim_known || e->clobbered || (md_look(xl, &now) && !e->dir_change.on))
		md_void_all(xl->priv);
}

static void made(struct xlator *xl, struct md_entry *e, int ret, const struct iatt *stat, struct iatt *pre,
		 struct iatt *post)
{
	if (ret == 0 && e->dir_change.on)
		md_keep_object(xl, &e->dir_change.view, stat);
	entry_end(xl, e, ret, pre, post, ret == 0 && iatt_present(stat), stat->gfid);
}

#define MAKES(op) \
int coroutine_fn md_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
{ \
	struct md_entry e; \
	int ret; \
	\
	entry_begin(xl, &e, args->parent, args->name); \
	ret = xl_##op(md_child(xl), call, args, res); \
	made(xl, &e, ret, &res->stat, &res->preparent, &res->postparent); \
	return ret; \
}

MAKES(create)
MAKES(mknod)
MAKES(mkdir)
MAKES(symlink)

int coroutine_fn md_link(struct xlator *xl, struct call *call, const struct link_args *args, struct link_res *res)
{
	struct change ch;
	struct md_entry e;
	int ret;

	change_begin(xl, &ch, args->inode);
	entry_begin(xl, &e, args->newparent, args->newname);
	ret = xl_link(md_child(xl), call, args, res);
	changed(xl, &ch, args->inode, ret, &res->stat, false);
	entry_end(xl, &e, ret, &res->preparent, &res->postparent, ret == 0, args->inode->gfid);
	return ret;
}

int coroutine_fn md_unlink(struct xlator *xl, struct call *call, const struct unlink_args *args, struct unlink_res *res)
{
	struct md_cache *md = xl->priv;
	struct md_entry e;
	int ret;

	entry_begin(xl, &e, args->parent, args->name);
	ret = find_victim(xl, call, &e, md->removed_named);
	if (ret == 0) {
		ret = xl_unlink(md_child(xl), call, args, res);
		if (ret == 0)
			md->removed_named = !gfid_is_null(res->removed);
		forget_victim(xl, &e, ret, ret == 0 && md->removed_named ? res->removed : NULL);
	}
	entry_end(xl, &e, ret, &res->preparent, &res->postparent, ret == 0, NULL);
	return ret;
}

int coroutine_fn md_rmdir(struct xlator *xl, struct call *call, const struct rmdir_args *args, struct rmdir_res *res)
{
	struct md_entry e;
	int ret;

	entry_begin(xl, &e, args->parent, args->name);
	ret = find_victim(xl, call, &e, false);
	if (ret == 0) {
		ret = xl_rmdir(md_child(xl), call, args, res);
		forget_victim(xl, &e, ret, NULL);
	}
	entry_end(xl, &e, ret, &res->preparent, &res->postparent, ret == 0, NULL);
	return ret;
}

static const uint8_t *moved_gfid(int ret, const struct rename_res *res)
{
	return ret == 0 && iatt_present(&res->stat) ? res->stat.gfid : NULL;
}

static void renamed(struct xlator *xl, struct md_entry *from, struct md_entry *to, int ret,
		    const struct rename_res *res)
{
	struct md_cache *md = xl->priv;
	const uint8_t *replaced = to->victim;

	if (ret == 0)
		md->replaced_named = res->replaced_known;
	if (ret == 0 && res->replaced_known)
		replaced = res->replaced;
	forget_victim(xl, from, ret, moved_gfid(ret, res));
	forget_victim(xl, to, ret, ret == 0 && res->replaced_known ? replaced : NULL);
	from->clobbered |= gfid_equal(replaced, res->stat.gfid);
}

/* One directory twice, by one call and no other. */
static void overlaps_itself(struct change *ch)
{
	if (ch->c && ch->c->changing == 2)
		ch->c->overlap = false;
}

/* The object moves from one name to the other; what had the other name may be gone. When both were names of one file,
 * both stay. */
int coroutine_fn md_rename(struct xlator *xl, struct call *call, const struct rename_args *args, struct rename_res *res)
{
	struct md_cache *md = xl->priv;
	struct md_entry from, to;
	bool known;
	int ret;

	entry_begin(xl, &from, args->oldparent, args->oldname);
	entry_begin(xl, &to, args->newparent, args->newname);
	if (args->oldparent == args->newparent)
		overlaps_itself(&from.dir_change);
	find_victim(xl, call, &from, true);
	ret = find_victim(xl, call, &to, md->replaced_named);
	if (ret == 0) {
		ret = xl_rename(md_child(xl), call, args, res);
		renamed(xl, &from, &to, ret, res);
	}
	known = moved_gfid(ret, res) != NULL;
	entry_end(xl, &to, ret, &res->prenew, &res->postnew, known, res->stat.gfid);
	entry_end(xl, &from, ret, &res->preold, &res->postold, known, NULL);
	if (args->oldparent == args->newparent && iatt_present(&res->prenew)) {
		res->preold = res->prenew;
		res->postold = res->postnew;
	}
	return ret;
}
