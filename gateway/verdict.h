/* gateway/verdict.h: the evaluator's verdict in one sentence, the same for the log, for --test-export and for `exports test`. */
#ifndef GATEWAY_VERDICT_H
#define GATEWAY_VERDICT_H

#include <stdbool.h>
#include <stdio.h>

#include "xlators/exports.h"

struct verdict_case {
	const char *file;		/* where the exports stand, as people call it */
	const struct export_set *set;
	struct export_verdict verdict;
	unsigned port;			/* of the client */
	const char *name;		/* of the client, when it mattered and is known */
	bool wants_name, no_volume;	/* no_volume: there is none of that name, so there is no verdict */
};

void verdict_put(FILE *f, const struct verdict_case *c);
char *verdict_text(const struct verdict_case *c);	/* malloc'ed; NULL: no memory */

#endif
