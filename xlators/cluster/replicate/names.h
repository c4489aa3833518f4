/* xlators/cluster/replicate/names.h: refusals that say what stands under a name. */
#ifndef REPLICATE_NAMES_H
#define REPLICATE_NAMES_H

#include "xlators/cluster/replicate/replicate.h"

/* After quorum_judge(), of an entry call. */
void names_judge(const struct replicate *rp, const struct answer *ans, child_set asked,
		 child_set lacking, child_set good, struct verdict *v);

#endif
