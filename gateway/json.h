/* gateway/json.h: the little that is needed to write JSON. */
#ifndef GATEWAY_JSON_H
#define GATEWAY_JSON_H

#include <stdio.h>

/* In quotes, with what needs it escaped; bytes that are no ASCII pass as they are. NULL: null. */
void json_text(FILE *f, const char *text);

#endif
