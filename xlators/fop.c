/* xlators/fop.c: what can be asked of the table of fops itself. */
#include "xlators/fop.h"

#include <string.h>

#define F(op) [FOP_##op] = #op,
const char *const fop_names[FOP_COUNT] = { FOPS(F) };
#undef F
#define F(op) [FOP_##op] = sizeof(struct op##_res),
const uint32_t fop_res_sizes[FOP_COUNT] = { FOPS(F) };
#undef F
#define F(op) [FOP_##op] = sizeof(struct op##_args),
const uint32_t fop_args_sizes[FOP_COUNT] = { FOPS(F) };
#undef F

bool fop_modifies(enum fop op)
{
	switch (op) {
	case FOP_mknod:
	case FOP_mkdir:
	case FOP_unlink:
	case FOP_rmdir:
	case FOP_symlink:
	case FOP_rename:
	case FOP_link:
	case FOP_truncate:
	case FOP_writev:
	case FOP_setxattr:
	case FOP_removexattr:
	case FOP_create:
	case FOP_xattrop:
	case FOP_setattr:
	case FOP_fallocate:
	case FOP_discard:
	case FOP_zerofill:
		return true;
	default:
		return false;
	}
}

const struct xattr *xattrs_find(const struct xattrs *set, const char *name)
{
	uint32_t i;

	for (i = 0; i < set->n; i++)
		if (strcmp(set->v[i].name, name) == 0)
			return &set->v[i];
	return NULL;
}
