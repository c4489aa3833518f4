/* xlators/cluster/replicate/changelog.h: included by replicate.h, which defines what it needs. */
#ifndef REPLICATE_CHANGELOG_H
#define REPLICATE_CHANGELOG_H

/* changelog.c: what an xattrop adds, for each child its own. */
struct marks { int32_t dirty[CHANGES], pending[REPLICATE_MAX][CHANGES]; };
struct changelog {
	struct inode *inode;
	child_set to;
	child_set last;				/* of these, who is told when a quorum of the others has heard it; state.c, copies_last() */
	struct marks add[REPLICATE_MAX];
	const char *entry_create, *entry_delete;
	child_set ok, lacking;			/* result: has it on record; has no such object */
	bool held_back;				/* result: too few of the others have it: @last were not told */
	struct answer *ans;			/* result; NULL: no memory */
};
void coroutine_fn changelog_apply(struct xlator *xl, struct call *call, struct changelog *log);
void changelog_accuse(struct changelog *log, child_set by, child_set missed, enum change type, int32_t by_how_much);
void changelog_confess(struct changelog *log, child_set who, enum change type);
void changelog_dirty(struct changelog *log, child_set on, enum change type, int32_t by_how_much);

#endif
