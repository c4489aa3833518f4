/* bricks/fdtable.c: one client's open files. The numbers go over the wire and are handed out again, lowest first. */
#include <stdlib.h>
#include <string.h>

#include "bricks/internal.h"

#define FIRST_SIZE 16u

static int grow(struct fdtable *t)
{
	uint32_t size = t->size ? 2 * t->size : FIRST_SIZE;
	struct fd **v;

	if (t->size >= t->max)
		return -EMFILE;
	if (size > t->max)
		size = t->max;
	v = realloc(t->v, size * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memset(v + t->size, 0, (size - t->size) * sizeof(*v));
	t->v = v;
	t->size = size;
	return 0;
}

int fdtable_add(struct fdtable *t, struct fd *fd, int64_t *ret_number)
{
	int ret = t->used == t->size ? grow(t) : 0;

	if (ret < 0)
		return ret;
	while (t->v[t->lowest])
		t->lowest++;
	t->v[t->lowest] = fd;
	*ret_number = t->lowest++;
	t->used++;
	return 0;
}

struct fd *fdtable_get(const struct fdtable *t, int64_t number)
{
	return number >= 0 && number < t->size ? t->v[number] : NULL;
}

void fdtable_remove(struct fdtable *t, int64_t number)
{
	struct fd *fd = fdtable_get(t, number);

	if (!fd)
		return;
	t->v[number] = NULL;
	t->used--;
	if (number < t->lowest)
		t->lowest = (uint32_t)number;
	fd_unref(fd);
}

void fdtable_clear(struct fdtable *t)
{
	uint32_t i;

	for (i = 0; i < t->size; i++)
		fd_unref(t->v[i]);
	free(t->v);
	memset(t, 0, sizeof(*t));
}
