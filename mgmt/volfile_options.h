/* mgmt/volfile_options.h: which options of a volume a section gets. For volfiles.c and volfile_brick.c. */
#ifndef MGMT_VOLFILE_OPTIONS_H
#define MGMT_VOLFILE_OPTIONS_H

#include <stdio.h>

#include "mgmt/options.h"
#include "mgmt/volfiles.h"

#define PLACE(p) (1u << (p))

/* Every option of @places (PLACE(a) | PLACE(b)) that is for translators of @type: those that are set, and those that always stand
 * there. @stock: in words that stock GlusterFS reads. */
void put_options(FILE *f, const struct volume *v, unsigned places, const char *type, bool stock);
/* Without those with a key in @but, which ends with NULL. */
void put_options_but(FILE *f, const struct volume *v, unsigned places, const char *type, bool stock, const char *const *but);
/* When "client.ssl" or "server.ssl" (@which) is on. */
void put_tls(FILE *f, const struct volume *v, const char *which, const struct volfiles_tls *tls);

#endif
