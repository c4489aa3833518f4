/* runtime/json_text.h: the little that is needed to write JSON: states of daemons. */
#ifndef RUNTIME_JSON_TEXT_H
#define RUNTIME_JSON_TEXT_H

#include <stdio.h>

/* In quotes, with what needs it escaped; bytes that are no ASCII pass as they are. NULL: null. */
void json_put_text(FILE *f, const char *text);

#endif
