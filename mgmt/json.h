/* mgmt/json.h: what jansson lacks for us. */
#ifndef MGMT_JSON_H
#define MGMT_JSON_H

#include <jansson.h>

#include "runtime/error.h"

/* Text of whoever: at most 32 levels deep, since reading recurses and a coroutine's stack is small. NULL when it is no JSON. */
json_t *json_parse(const char *text, size_t len);
/* A JSON string of any bytes: what is no UTF-8 becomes question marks. Never NULL. */
json_t *json_text(const char *text);
/* {"status": errno, "error": the sentence}; {"status": 0, "result":} which takes @result, {} for NULL. Never NULL. */
json_t *json_failure(int status, const struct error *err);
json_t *json_success(json_t *result);
/* Members by name: NULL, or false, when absent or of another type. */
const char *json_member(const json_t *object, const char *name);
int json_number(const json_t *object, const char *name);	/* 0 when absent */
int json_flag(const json_t *object, const char *name);		/* bool */

#endif
