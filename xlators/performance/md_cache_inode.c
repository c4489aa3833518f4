/* xlators/performance/md_cache_inode.c: what is kept of one inode, and the record of changes that tells whether a
 * call's answer may be kept.
 *
 * An answer may be older than a change that was reported while it was on its way. So each change is recorded under a
 * key of the object, and an answer is kept only when nothing with its keys was recorded since the call was sent,
 * whoever made the change. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "xlators/performance/md_cache.h"

enum {				/* facts/brick-wire.md section 13 */
	TOLD_SIZE = 8, TOLD_TIMES = 0x10, TOLD_ATIME = 0x20,
};

uint64_t md_key(const uint8_t *gfid)
{
	uint64_t half[2];

	memcpy(half, gfid, 16);
	return half[0] ^ half[1];
}

void md_record(struct md_cache *md, uint64_t key)
{
	md->changed[md->changes++ % MD_CHANGED] = key;
}

bool md_unchanged(const struct md_cache *md, const struct md_view *view, uint64_t key)
{
	uint64_t i;

	if (view->epoch != md->epoch || md->changes - view->changes > MD_CHANGED)
		return false;
	for (i = view->changes; i < md->changes; i++)
		if (md->changed[i % MD_CHANGED] == key)
			return false;
	return true;
}

static void drop_target(struct md_cache *md, struct md_inode *c)
{
	if (!c->target)
		return;
	md->used -= strlen(c->target) + 1;
	free(c->target);
	c->target = NULL;
}

void md_forget_decisions(struct md_inode *c)
{
	unsigned i;

	for (i = 0; i < MD_DECISIONS; i++)
		c->decisions[i].until = 0;
}

static void forget_all(struct md_cache *md, struct md_inode *c)
{
	c->names = ++md->next_names;
	c->stat_until = 0;
	c->stat.mode = 0;
	c->ours = false;
	drop_target(md, c);
	md_forget_decisions(c);
}

struct md_inode *md_ctx_find(struct xlator *xl, struct inode *inode)
{
	struct md_cache *md = xl->priv;
	struct md_inode *c = *inode_ctx(xl, inode);

	if (c && c->epoch != md->epoch) {
		forget_all(md, c);
		c->epoch = md->epoch;
	}
	return c;
}

struct md_inode *md_ctx(struct xlator *xl, struct inode *inode)
{
	struct md_cache *md = xl->priv;
	struct md_inode *c = md_ctx_find(xl, inode);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->epoch = md->epoch;
	c->names = ++md->next_names;
	*inode_ctx(xl, inode) = c;
	return c;
}

void md_ctx_free(struct xlator *xl, struct inode *inode, void *ctx)
{
	struct md_inode *c = ctx;

	drop_target(xl->priv, c);
	free(c);
}

bool md_stat_fresh(const struct xlator *xl, const struct md_inode *c)
{
	return c->stat_until > loop_now_ns(xl_loop(xl));
}

static bool same_time(const struct iatt_time *a, const struct iatt_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

/* Decisions stand while nothing says that the mode, owner or ACL is another. */
static bool decisions_stand(const struct md_inode *c, const struct iatt *stat)
{
	if (!iatt_present(&c->stat))
		return true;
	if (c->stat.mode != stat->mode || c->stat.uid != stat->uid || c->stat.gid != stat->gid)
		return false;
	return c->ours || same_time(&c->stat.ctime, &stat->ctime);
}

void md_keep_stat(struct xlator *xl, struct inode *inode, const struct md_view *view, const struct iatt *stat)
{
	struct md_inode *c;

	if (!iatt_present(stat) || !md_unchanged(xl->priv, view, md_key(inode->gfid)))
		return;
	c = md_ctx(xl, inode);
	if (!c)
		return;
	if (!decisions_stand(c, stat))
		md_forget_decisions(c);
	c->stat = *stat;
	memcpy(c->stat.gfid, inode->gfid, 16);
	c->stat_until = view->until;
	c->ours = false;
	if (!inode->type)
		inode->type = stat->mode & S_IFMT;
}

void md_keep_object(struct xlator *xl, const struct md_view *view, const struct iatt *stat)
{
	struct inode *inode = iatt_present(stat) ? inode_get(xl_inodes(xl), stat->gfid) : NULL;

	if (inode)
		md_keep_stat(xl, inode, view, stat);
	inode_unref(inode);
}

void md_drop(struct xlator *xl, struct inode *inode)
{
	struct md_inode *c = md_ctx_find(xl, inode);

	md_record(xl->priv, md_key(inode->gfid));
	if (!c)
		return;
	forget_all(xl->priv, c);
	c->told++;
}

void md_drop_gfid(struct xlator *xl, const uint8_t *gfid)
{
	struct inode *inode = inode_find(xl_inodes(xl), gfid);

	md_record(xl->priv, md_key(gfid));
	if (inode)
		md_drop(xl, inode);
	inode_unref(inode);
}

/* Somebody's reading is no change that anyone may rely on. Content and its times say nothing of permissions. */
void md_invalidate(struct xlator *xl, const uint8_t *gfid, uint32_t flags)
{
	struct inode *inode;
	struct md_inode *c;

	if (flags == TOLD_ATIME)
		return;
	inode = inode_find(xl_inodes(xl), gfid);
	c = inode ? md_ctx_find(xl, inode) : NULL;
	md_record(xl->priv, md_key(gfid));
	if (c && S_ISREG(inode->type) && !(flags & ~(uint32_t)(TOLD_SIZE | TOLD_TIMES | TOLD_ATIME))) {
		c->told++;
		c->stat_until = 0;
		c->ours = true;
	} else if (c) {
		md_drop(xl, inode);
	}
	inode_unref(inode);
}

static uint64_t groups_of(const struct call *call)
{
	return call->ngroups ? hash_bytes(call->groups, call->ngroups * sizeof(*call->groups), call->ngroups) : 0;
}

struct md_decision *md_decision(const struct xlator *xl, struct md_inode *c, const struct call *call)
{
	uint64_t now = loop_now_ns(xl_loop(xl)), groups = groups_of(call);
	unsigned i;

	for (i = 0; i < MD_DECISIONS; i++) {
		struct md_decision *d = &c->decisions[i];

		if (d->uid == call->uid && d->until > now && d->gid == call->gid && d->groups == groups)
			return d;
	}
	return NULL;
}

/* What two answers say about one caller holds as long as the older one. */
void md_keep_decision(struct xlator *xl, struct inode *inode, const struct md_view *view, const struct call *call,
		      uint32_t asked, uint32_t granted)
{
	struct md_decision *d;
	struct md_inode *c;

	if (!md_unchanged(xl->priv, view, md_key(inode->gfid)))
		return;
	c = md_ctx(xl, inode);
	if (!c)
		return;
	d = md_decision(xl, c, call);
	if (d && (d->asked & ~asked)) {
		if (view->until < d->until)
			d->until = view->until;
	} else {
		if (!d)
			d = &c->decisions[c->next_decision++ % MD_DECISIONS];
		*d = (struct md_decision){
			.until = view->until, .groups = groups_of(call), .uid = call->uid, .gid = call->gid
		};
	}
	d->asked |= (uint8_t)asked;
	d->granted = (uint8_t)((d->granted & ~asked) | (granted & asked));
}

void md_keep_target(struct xlator *xl, struct inode *inode, const struct md_view *view, const char *target)
{
	struct md_cache *md = xl->priv;
	size_t len = strlen(target) + 1;
	struct md_inode *c;

	if (len > MD_TARGET_MAX || len > md->size || !md_unchanged(md, view, md_key(inode->gfid)))
		return;
	c = md_ctx(xl, inode);
	if (!c)
		return;
	drop_target(md, c);
	md_names_shrink(md, md->size - len);
	if (md->used + len > md->size)
		return;
	c->target = strdup(target);
	c->target_until = view->until;
	if (c->target)
		md->used += len;
}
