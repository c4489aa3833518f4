/* mgmt/options.c: what can be asked of the table of volume options (options_table.c).
 *
 * A value is judged by the row of the translator that will read it, so that `volume set` refuses exactly what a brick or a gateway would
 * refuse at its start. */
#include "mgmt/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/option_checks.h"
#include "mgmt/text.h"
#include "xlators/graph.h"

#define VALUE_MAX 4096
#define ROWS_MAX 256

union value { bool on; int64_t number; uint64_t amount; char *text; int word; };

static const struct xlator_class *class_find(const char *type)
{
	unsigned i;

	for (i = 0; xlator_classes[i]; i++)
		if (strcmp(xlator_classes[i]->name, type) == 0)
			return xlator_classes[i];
	return NULL;
}

/* The row that judges values. Every row has one: a unit test sees to it. */
static const struct option *judge(const struct volume_option_row *row)
{
	const struct xlator_class *class;
	const struct option *o = row->row;

	if (!o && row->type && row->key) {
		class = class_find(row->type);
		o = class && class->options ? option_find(class->options, row->key) : NULL;
	}
	if (!o)
		abort();
	return o;
}

/* The caller frees text of OPT_T_STR. */
static int parse(const struct volume_option_row *row, const char *value, union value *ret, struct error *err)
{
	struct option table[2] = { *judge(row), OPT_END };

	memset(ret, 0, sizeof(*ret));
	table[0].name = row->name;
	table[0].offset = 0;
	return option_set(table, ret, row->name, value, err);
}

static const char *after_dot(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

/* NULL, with how many there are, when @name is not the end of exactly one. @ret_other: a second one. */
static const struct volume_option_row *find_unprefixed(const char *name, unsigned *ret_n, const struct volume_option_row **ret_other)
{
	const struct volume_option_row *row, *found = NULL;

	*ret_n = 0;
	for (row = volume_option_rows; row->name; row++) {
		if (strcmp(after_dot(row->name), name) != 0)
			continue;
		if ((*ret_n)++)
			*ret_other = row;
		else
			found = row;
	}
	return found;
}

const struct volume_option_row *volume_option_find(const char *name)
{
	const struct volume_option_row *row, *other;
	unsigned n;

	for (row = volume_option_rows; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	row = find_unprefixed(name, &n, &other);
	return n == 1 ? row : NULL;
}

/* runtime/option.c finds the nearest in a table of its own kind. */
static const char *nearest(const char *name)
{
	struct option *names = calloc(ROWS_MAX, sizeof(*names));
	const char *near;
	unsigned i;

	if (!names)
		return NULL;
	for (i = 0; volume_option_rows[i].name && i < ROWS_MAX - 1; i++)
		names[i].name = volume_option_rows[i].name;
	near = option_nearest(names, name);
	for (i = 0; !near && names[i].name; i++)
		names[i].name = after_dot(names[i].name);
	if (!near)
		near = option_nearest(names, name);
	for (i = 0; near && names[i].name; i++)
		if (names[i].name == near)
			near = volume_option_rows[i].name;
	free(names);
	return near;
}

static int unknown(const char *name, struct error *err)
{
	const struct volume_option_row *row, *other = NULL;
	const char *near;
	unsigned n;

	row = find_unprefixed(name, &n, &other);
	if (n > 1)
		return error_set(err, -ENOENT, "%.64s may be %s or %s: give the whole name", name, row->name, other->name);
	near = nearest(name);
	if (near)
		return error_set(err, -ENOENT, "%.64s is no option; did you mean %s?", name, near);
	return error_set(err, -ENOENT, "%.64s is no option; \"volume set help\" lists them", name);
}

/* Values go into volfiles, documents and exports: one line, and nothing that a stock parser would run as a command. */
static int check_text(const char *name, const char *value, struct error *err)
{
	const unsigned char *p;

	if (strlen(value) > VALUE_MAX)
		return error_set(err, -E2BIG, "option %.64s: a value has at most %d characters", name, VALUE_MAX);
	for (p = (const unsigned char *)value; *p; p++)
		if (*p < ' ' || *p == 0x7f || *p == '`')
			return error_set(err, -EINVAL, "option %.64s: control characters and backquotes have no place in a value", name);
	return 0;
}

int volume_option_check(const char *name, const char *value, struct error *err)
{
	const struct volume_option_row *row = volume_option_find(name);
	const char *why = row ? NULL : volume_option_refused(name);
	union value parsed;
	int ret;

	if (why)
		return error_set(err, -EOPNOTSUPP, "%.64s cannot be set: %s", name, why);
	if (!row && (strncmp(name, "user.", 5) || !name[5] || strlen(name) > 255))
		return unknown(name, err);
	ret = check_text(name, value, err);
	if (ret == 0 && !row)
		ret = check_text(name, name, err);
	if (ret < 0 || !row)
		return ret;
	ret = parse(row, value, &parsed, err);
	if (ret < 0)
		return ret;
	if (judge(row)->type == OPT_T_STR)
		free(parsed.text);
	return row->check ? row->check(row->name, value, err) : 0;
}

const char *volume_option_effective(const struct volume *v, const char *name)
{
	const struct volume_option_row *row = volume_option_find(name);
	const char *value = volume_option(v, row ? row->name : name);

	if (value)
		return value;
	if (row && !v->login_only && strcmp(row->name, "auth.allow") == 0)
		return "*"; /* the default when the volume was made */
	return row ? volume_option_default(row) : "";
}

char *volume_attach_text(const struct volume *v)
{
	const char *allow = volume_option_effective(v, "auth.allow");
	const char *names = volume_option(v, "auth.ssl-allow");
	char *who, *all;

	if (strcmp(allow, "*") == 0)
		return need(strdup("every address, as root"));
	if (strcmp(allow, "none") == 0)
		who = need(strdup("daemons of this cluster"));
	else
		who = format("daemons of this cluster, and the addresses %s", allow);
	if (!names)
		return who;
	all = format("%s; certificates of %s", who, names);
	free(who);
	return all;
}

bool volume_option_on(const struct volume *v, const char *name)
{
	const struct volume_option_row *row = volume_option_find(name);
	union value parsed;

	if (!row || judge(row)->type != OPT_T_BOOL)
		abort();
	return parse(row, volume_option_effective(v, name), &parsed, NULL) == 0 && parsed.on;
}

const char *volume_option_default(const struct volume_option_row *row)
{
	const char *dflt = row->dflt ? row->dflt : judge(row)->dflt;

	return dflt ? dflt : "";
}

const char *volume_option_help(const struct volume_option_row *row)
{
	return row->help ? row->help : judge(row)->help;
}

/* Made once for each row: the table never changes. */
const char *volume_option_type(const struct volume_option_row *row)
{
	static char *texts[ROWS_MAX];
	char buf[224], **text = &texts[row - volume_option_rows];

	if (*text)
		return *text;
	option_expected(judge(row), buf, sizeof(buf));
	if (judge(row)->type == OPT_T_BOOL)
		return "boolean";
	*text = strdup(strncmp(buf, "a ", 2) == 0 ? buf + 2 : buf);
	return *text ? *text : "text";
}

const char *volume_option_plain(const struct volume_option_row *row, const char *value, char *buf, unsigned size)
{
	const struct option *o = judge(row);
	union value parsed;

	if (o->type == OPT_T_STR || parse(row, value, &parsed, NULL) < 0)
		return value;
	switch (o->type) {
	case OPT_T_BOOL:
		return parsed.on ? "on" : "off";
	case OPT_T_ENUM:
		return o->words[parsed.word];
	case OPT_T_INT:
		snprintf(buf, size, "%lld", (long long)parsed.number);
		return buf;
	case OPT_T_TIME_MS:
		parsed.amount = (parsed.amount + 999) / 1000;
		break;
	default:
		break;
	}
	snprintf(buf, size, "%llu", (unsigned long long)parsed.amount);
	return buf;
}

/* Stock clients fetch their volfile anew by themselves. */
bool volume_option_is_live(const struct volume_option_row *row)
{
	return row->place == PLACE_STOCK || row->place == PLACE_HEAL || row->place == PLACE_EXPORTS || (judge(row)->flags & OPT_LIVE);
}
