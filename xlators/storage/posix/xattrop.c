/* xlators/storage/posix/xattrop.c: arithmetic on extended attributes, atomic for one object: the counters of replication. */
#include "xlators/storage/posix/job.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define OPERAND_MAX 4096

static bool all_zero(const uint8_t *v, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (v[i])
			return false;
	return true;
}

static void add32(uint8_t *to, const uint8_t *by, size_t len)
{
	size_t i;

	for (i = 0; i + 4 <= len; i += 4) {
		uint32_t a, b;

		memcpy(&a, to + i, 4);
		memcpy(&b, by + i, 4);
		a = htobe32(be32toh(a) + be32toh(b));
		memcpy(to + i, &a, 4);
	}
}

static void add64(uint8_t *to, const uint8_t *by, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		uint64_t a, b;

		memcpy(&a, to + i, 8);
		memcpy(&b, by + i, 8);
		a = htobe64(be64toh(a) + be64toh(b));
		memcpy(to + i, &a, 8);
	}
}

static int combine(enum xattrop op, uint8_t *value, const uint8_t *operand, size_t len)
{
	size_t i;

	switch (op) {
	case XATTROP_ADD32:
	case XATTROP_ADD32_DEFAULT:
		add32(value, operand, len);
		return 0;
	case XATTROP_ADD64:
	case XATTROP_ADD64_DEFAULT:
		add64(value, operand, len);
		return 0;
	case XATTROP_OR:
		for (i = 0; i < len; i++)
			value[i] |= operand[i];
		return 0;
	case XATTROP_AND:
		for (i = 0; i < len; i++)
			value[i] &= operand[i];
		return 0;
	case XATTROP_GET_AND_SET:
		return 0;
	}
	return -EINVAL;
}

static ssize_t read_value(const struct node *node, const char *name, uint8_t *value)
{
	const struct xattr *x;
	ssize_t n;

	if (!node->attrs) {
		n = nx_get(node, name, value, OPERAND_MAX);
		return n == -ENODATA ? 0 : n == -ERANGE ? -EINVAL : n;
	}
	x = xattrs_find(node->attrs, name);
	if (!x)
		return 0;
	if (x->len > OPERAND_MAX)
		return -EINVAL;
	memcpy(value, x->value, x->len);
	return x->len;
}

/* @value has room for OPERAND_MAX bytes. node locked. */
static int operate(struct node *node, enum xattrop op, const struct xattr *in, uint8_t *value, struct xattr *out)
{
	ssize_t had;
	size_t len;
	int ret;

	if (in->len > OPERAND_MAX || strncmp(in->name, "trusted.gfid", 12) == 0)
		return -EINVAL;
	memset(value, 0, OPERAND_MAX);
	had = read_value(node, in->name, value);
	if (had < 0)
		return had;
	len = (size_t)had > in->len ? (size_t)had : in->len;
	out->name = in->name;
	out->value = value;
	out->len = len;
	if (op == XATTROP_GET_AND_SET) {		/* answers what was there */
		ret = nx_set(node, in->name, in->value, in->len, 0);
		attrs_drop(node);
		return ret;
	}
	if (op != XATTROP_AND && all_zero(in->value, in->len))
		return 0;				/* read only: an absent value stays absent */
	ret = combine(op, value, in->value, in->len);
	if (ret == 0)
		ret = nx_set(node, in->name, value, len, 0);
	if (ret == 0)
		attrs_changed(node, in->name, value, len);
	return ret;
}

/* Keep what was there before, so that an xattrop that fails half way, for want of space, adds nothing: it will be tried again. */
struct former { uint8_t *value; ssize_t len; };

static int remember(struct call *call, const struct node *node, const struct xattr *in, uint8_t *value, struct former *f)
{
	f->len = in->len > OPERAND_MAX ? -EINVAL : read_value(node, in->name, value);
	f->value = f->len < 0 ? NULL : arena_memdup(call->arena, value, (size_t)f->len + 1);
	return f->len < 0 ? (int)f->len : f->value ? 0 : -ENOMEM;
}

static void put_back(struct node *node, const struct xattrs *operands, const struct former *f, uint32_t n)
{
	while (n--) {
		if (f[n].len)
			nx_set(node, operands->v[n].name, f[n].value, (size_t)f[n].len, 0);
		else
			nx_remove(node, operands->v[n].name);
	}
	attrs_drop(node);
}

static int xattrop_job(struct posix *px, struct call *call, const struct xattrop_args *args, struct xattrop_res *res)
{
	struct node *node;
	uint8_t *value;
	struct former *former = arena_alloc(call->arena, (args->operands.n + 1) * sizeof(*former));
	uint32_t i;
	int ret = node_of(px, args->inode, args->fd, &node);

	if (ret < 0)
		return ret;
	value = malloc(OPERAND_MAX);
	res->values.n = 0;
	res->values.v = arena_alloc(call->arena, (args->operands.n + 1) * sizeof(*res->values.v));
	if (!value || !res->values.v || !former)
		ret = -ENOMEM;
	pthread_mutex_lock(&node->lock);
	for (i = 0; ret == 0 && i < args->operands.n; i++) {
		struct xattr *out = &res->values.v[i];

		ret = remember(call, node, &args->operands.v[i], value, &former[i]);
		if (ret == 0)
			ret = operate(node, args->op, &args->operands.v[i], value, out);
		if (ret < 0 && i)
			put_back(node, &args->operands, former, i);
		if (ret == 0) {
			out->name = arena_strdup(call->arena, out->name);
			out->value = arena_memdup(call->arena, value, out->len);
			ret = out->name && out->value ? 0 : -ENOMEM;
			res->values.n++;
		}
	}
	pthread_mutex_unlock(&node->lock);
	free(value);
	node_put(px, node);
	return ret;
}
POSIX_FOP(xattrop, STABLE | RESULTS)
