/* xlators/cluster/replicate/plan.c: which names and objects a change touches: their locks, and the counters that blame for it. */
#include <string.h>
#include <sys/stat.h>

#include "xlators/cluster/replicate/txn.h"

static const char *own_name(struct txn *t, const char *name)
{
	return name ? arena_strdup(t->arena, name) : NULL;
}

static void add_place(struct txn *t, struct inode *inode, const char *name)
{
	t->places[t->nplaces++] = (struct place){ .inode = inode_ref(inode), .name = own_name(t, name) };
}

static void add_lockee(struct txn *t, struct inode *inode, const char *name, bool entry)
{
	t->locks.v[t->locks.n++] = (struct lockee){ inode, name, entry, entry ? 0 : METADATA_LOCK_START, 0, 0, 0, false };
}

/* Most entry calls: their arguments start with the directory and the name. */
int coroutine_fn plan_name(struct txn *t)
{
	const struct mknod_args *a = t->args;

	add_place(t, a->parent, a->name);
	add_lockee(t, a->parent, t->places[0].name, true);
	return 0;
}

int coroutine_fn plan_link(struct txn *t)
{
	const struct link_args *a = t->args;

	add_place(t, a->newparent, a->newname);
	add_lockee(t, a->newparent, t->places[0].name, true);
	t->object = inode_ref(a->inode);
	return 0;
}

/* The directory behind a name is locked as a whole, too, when it goes. */
static int coroutine_fn find_directory(struct txn *t, struct inode *parent, const char *name, struct inode **ret_dir)
{
	struct lookup_args args = { .parent = parent, .name = name };
	struct lookup_res *res = arena_alloc(t->arena, sizeof(*res));
	struct call call;
	int ret;

	if (!res)
		return -ENOMEM;
	call_init(&call, t->arena);
	ret = replicate_lookup(t->xl, &call, &args, res);
	if (ret < 0)
		return ret;
	if (S_ISDIR(res->stat.mode))
		*ret_dir = inode_get(xl_inodes(t->xl), res->stat.gfid);
	return 0;
}

static void add_removed(struct txn *t)
{
	add_lockee(t, t->object, NULL, true);
	t->locks.v[t->locks.n - 1].if_there = true;
}

int coroutine_fn plan_rmdir(struct txn *t)
{
	const struct rmdir_args *a = t->args;
	int ret;

	if (a->inode)
		t->object = inode_ref(a->inode);
	else if ((ret = find_directory(t, a->parent, a->name, &t->object)) < 0)
		return ret;
	plan_name(t);
	if (t->object)
		add_removed(t);
	locks_sort(&t->locks);
	return 0;
}

int coroutine_fn plan_rename(struct txn *t)
{
	const struct rename_args *a = t->args;
	int ret;

	add_place(t, a->oldparent, a->oldname);
	add_place(t, a->newparent, a->newname);
	add_lockee(t, a->oldparent, t->places[0].name, true);
	add_lockee(t, a->newparent, t->places[1].name, true);
	if (!a->inode || !a->inode->type || S_ISDIR(a->inode->type)) {	/* only a directory may replace a directory */
		ret = find_directory(t, a->newparent, a->newname, &t->object);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		if (t->object)
			add_removed(t);
	}
	locks_sort(&t->locks);
	return 0;
}

/* Metadata: our own calls on the inode are kept apart by a span, so the data lock's owner may be used and need not be let go first. */
int coroutine_fn plan_metadata(struct txn *t)
{
	const struct setattr_args *a = t->args;		/* all of them start with the inode */
	struct copies *c = copies_of(t->xl, a->inode);
	int ret;

	if (!c)
		return -ENOMEM;
	add_place(t, a->inode, NULL);
	add_lockee(t, a->inode, NULL, false);
	memcpy(t->owner, c->owner, sizeof(t->owner));
	ret = span_enter(c, &t->span, 0, 0);
	t->in_span = ret == 0;
	return ret;
}
