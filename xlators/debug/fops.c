/* xlators/debug/fops.c: a set of fops from a list of their names, as the debug translators' options give it. */
#include "xlators/debug/fops.h"

#include <string.h>

static int fop_by_name(const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < FOP_COUNT; i++)
		if (strlen(fop_names[i]) == len && strncasecmp(fop_names[i], name, len) == 0)
			return (int)i;
	return -1;
}

int debug_fops_parse(const char *list, uint64_t *ret_set, struct error *err)
{
	const char *pos = list;
	uint64_t set = 0;

	_Static_assert(FOP_COUNT <= 64, "a bit for each fop");
	while (pos && *pos) {
		size_t len = strcspn(pos, ", ");
		int op = len ? fop_by_name(pos, len) : 0;

		if (op < 0)
			return error_set(err, -EINVAL, "there is no file operation named %.*s", (int)len, pos);
		if (len)
			set |= (uint64_t)1 << op;
		pos += len + strspn(pos + len, ", ");
	}
	*ret_set = set ? set : ~(uint64_t)0;
	return 0;
}
