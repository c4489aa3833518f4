/* mgmt/json.c: see json.h. */
#include "mgmt/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/text.h"

#define DEPTH_MAX  32
#define VALUES_MAX 100000

/* Brackets and commas outside strings, counted without looking at anything else: more of them than the real depth and number at worst. */
static bool too_much(const char *text, size_t len)
{
	unsigned values = 0;
	bool quoted = false;
	int depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']'))
			depth--;
		values += !quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{');
		if (depth > DEPTH_MAX || values > VALUES_MAX)
			return true;
	}
	return false;
}

json_t *json_parse(const char *text, size_t len)
{
	return too_much(text, len) ? NULL : json_loadb(text, len, 0, NULL);
}

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy, *p;

	if (string)
		return string;
	copy = need(strdup(text));
	for (p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	string = need(json_string(copy));
	free(copy);
	return string;
}

json_t *json_failure(int status, const struct error *err)
{
	return need(json_pack("{s:i, s:o}", "status", status, "error", json_text(err->text[0] ? err->text : strerror(status))));
}

json_t *json_success(json_t *result)
{
	return need(json_pack("{s:i, s:o}", "status", 0, "result", result ? result : need(json_object())));
}

const char *json_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

int json_number(const json_t *object, const char *name)
{
	return (int)json_integer_value(json_object_get(object, name));
}

int json_flag(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}
