/* tests/sim/sim_disks.c: the truth on the disks, after everything was stopped: the marks must tell every difference between copies.
 *
 * An object that somebody blames or that is marked dirty may differ; healing it is somebody else's work. Any other must be the same on all
 * copies of its set that nobody blames. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/sim/sim.h"

struct copy {
	struct graph *graph;
	struct call call;
	struct lookup_res found;
	int ret;
};

static struct copy copies[BRICKS_MAX];

static void coroutine_fn open_disk(unsigned brick)
{
	struct graph_conf conf = { .loop = sw.loop };
	struct error err = { "" };
	struct volfile *vf;
	char text[128];

	snprintf(text, sizeof(text), "volume disk\n type storage/memory\n option disk brick-%u\nend-volume\n", brick);
	vf = volfile_parse(text, strlen(text), "sim", &err);
	if (!vf || graph_new(vf, &conf, &err, &copies[brick].graph) < 0)
		sim_fail("brick %u: its disk cannot be read: %s", brick, err.text);
	volfile_free(vf);
	call_init(&copies[brick].call, arena_new(64u << 20));
}

static void coroutine_fn close_disk(unsigned brick)
{
	graph_free(copies[brick].graph);
	arena_free(copies[brick].call.arena);
}

static void coroutine_fn find(unsigned brick, const uint8_t *gfid)
{
	struct copy *c = &copies[brick];
	struct inode *inode = inode_get(c->graph->inodes, gfid);
	struct lookup_args args = { .inode = inode, .list_xattr = true, .content_max = 1 << 20 };

	c->ret = xl_lookup(c->graph->top, &c->call, &args, &c->found);
	inode_unref(inode);
}

static bool any_bit(const struct xattr *x)
{
	const uint8_t *p = x ? x->value : NULL;
	uint32_t i;

	for (i = 0; x && i < x->len; i++)
		if (p[i])
			return true;
	return false;
}

/* Dirty or blamed by somebody, itself included. */
static bool in_doubt(unsigned set, unsigned brick)
{
	char key[64];
	unsigned i;

	snprintf(key, sizeof(key), "trusted.afr.demo-client-%u", brick);
	for (i = set * sw.copies; i < (set + 1) * sw.copies; i++)
		if (copies[i].ret == 0 &&
		    (any_bit(xattrs_find(&copies[i].found.xattrs, key)) || any_bit(xattrs_find(&copies[i].found.xattrs, "trusted.afr.dirty"))))
			return true;
	return false;
}

static void say_xattrs(const struct xattrs *set)
{
	uint32_t i, k;

	for (i = 0; i < set->n; i++) {
		printf(" %s=", set->v[i].name);
		for (k = 0; k < set->v[i].len && k < 24; k++)
			printf(strstr(set->v[i].name, "linkto") ? "%c" : "%02x", ((const uint8_t *)set->v[i].value)[k]);
	}
}

/* With --verbose: what the disks of a set have of the object that was found last. */
static void say_copies(unsigned set)
{
	unsigned i;

	for (i = set * sw.copies; sw.verbose && i < (set + 1) * sw.copies; i++) {
		printf("  brick %u%s: %d mode=%o nlink=%u size=%u", i, sw.bricks[i].up ? "" : " (down)", copies[i].ret,
		       copies[i].found.stat.mode, copies[i].found.stat.nlink, (unsigned)copies[i].found.stat.size);
		if (copies[i].ret == 0)
			say_xattrs(&copies[i].found.xattrs);
		putchar('\n');
	}
}

/* @parent_doubt: brick's copy of the directory may lack or keep names. */
static void compare(unsigned set, const char *path, const bool *parent_doubt)
{
	unsigned i, first = BRICKS_MAX;

	for (i = set * sw.copies; i < (set + 1) * sw.copies; i++) {
		const struct lookup_res *a, *b;

		if (in_doubt(set, i) || parent_doubt[i])
			continue;
		if (first == BRICKS_MAX) {
			first = i;
			continue;
		}
		a = &copies[first].found;
		b = &copies[i].found;
		if (copies[first].ret != copies[i].ret)
			say_copies(set);
		CHECK(copies[first].ret == copies[i].ret, "%s is on brick %u (%d) but not on %u (%d), and no mark says so", path, first,
		      copies[first].ret, i, copies[i].ret);
		if (copies[i].ret < 0 || sw.failed)
			continue;
		CHECK(a->stat.mode == b->stat.mode && a->stat.uid == b->stat.uid, "%s: mode or owner differ on bricks %u and %u",
		      path, first, i);
		CHECK(a->content.len == b->content.len &&
		      (!a->content.len || memcmp(payload_data(&a->content), payload_data(&b->content), a->content.len) == 0),
		      "%s: content differs on bricks %u (%u bytes) and %u (%u bytes), and no mark says so", path, first, a->content.len, i,
		      b->content.len);
	}
}

struct dir { struct dir *next; uint8_t gfid[16]; char path[64]; };

static void push(struct dir **list, const uint8_t *gfid, const char *parent, const char *name)
{
	struct dir *d = calloc(1, sizeof(*d));

	memcpy(d->gfid, gfid, 16);
	snprintf(d->path, sizeof(d->path), "%.40s/%.20s", parent, name);
	d->next = *list;
	*list = d;
}

/* Every name that this copy of the directory has, looked at on all copies. */
static void coroutine_fn walk(unsigned set, unsigned brick, bool first, const struct dir *d, const bool *doubt, struct dir **todo)
{
	struct copy *c = &copies[brick];
	struct inode *inode = inode_get(c->graph->inodes, d->gfid);
	struct readdir_args args = { .inode = inode, .size = 65536, .plus = true };
	struct readdir_res res;
	unsigned i, k;

	if (xl_readdir(c->graph->top, &c->call, &args, &res) < 0)
		res.n = 0;
	for (i = 0; i < res.n && !sw.failed; i++) {
		char path[128];

		if (res.entries[i].name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", d->path, res.entries[i].name);
		for (k = set * sw.copies; k < (set + 1) * sw.copies; k++)
			find(k, res.entries[i].stat.gfid);
		compare(set, path, doubt);
		if (S_ISDIR(res.entries[i].stat.mode) && first)
			push(todo, res.entries[i].stat.gfid, d->path, res.entries[i].name);
	}
	inode_unref(inode);
}

static void coroutine_fn verify_set(unsigned set)
{
	struct dir *todo = NULL;
	unsigned i, n, first = set * sw.copies;

	push(&todo, gfid_root, "", "");
	while (todo) {
		struct dir *d = todo;
		bool doubt[BRICKS_MAX] = { false };

		todo = d->next;
		for (i = first; i < first + sw.copies; i++)
			find(i, d->gfid);
		for (i = first; i < first + sw.copies; i++)
			doubt[i] = in_doubt(set, i);
		/* a stale copy may have the name of an object that is elsewhere on the others */
		for (n = 0, i = first; i < first + sw.copies && !sw.failed; i++)
			if (!doubt[i])
				walk(set, i, !n++, d, doubt, &todo);
		if (!n && !sw.failed)
			walk(set, first, true, d, doubt, &todo);
		free(d);
	}
}

void coroutine_fn sim_disks_tell(const uint8_t *gfid)
{
	char text[GFID_TEXT_SIZE];
	unsigned i;

	if (!sw.verbose)
		return;
	printf("%s:\n", gfid_text(gfid, text));
	for (i = 0; i < brick_count(); i++) {
		open_disk(i);
		find(i, gfid);
		printf("  brick %u%s: %d mode=%o nlink=%u size=%u", i, sw.bricks[i].up ? "" : " (down)", copies[i].ret,
		       copies[i].found.stat.mode, copies[i].found.stat.nlink, (unsigned)copies[i].found.stat.size);
		if (copies[i].ret == 0)
			say_xattrs(&copies[i].found.xattrs);
		putchar('\n');
		close_disk(i);
	}
}

void coroutine_fn sim_disks_verify(void)
{
	unsigned i;

	for (i = 0; i < brick_count(); i++)
		open_disk(i);
	for (i = 0; i < sw.sets && !sw.failed; i++)
		verify_set(i);
	for (i = 0; i < brick_count(); i++)
		close_disk(i);
}
