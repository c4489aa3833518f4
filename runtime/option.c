/* runtime/option.c: words to values by a table, and back to help.
 *
 * A row's value is parsed completely before anything is stored, so that a refused value leaves the old one. */
#include "runtime/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NEAR_MAX 3		/* edits */
#define NAME_MAX_LEN 63

struct unit { const char *suffix; uint64_t factor; };

static const struct unit size_units[] = {
	{ "", 1 }, { "b", 1 },
	{ "k", 1ull << 10 }, { "kb", 1ull << 10 }, { "kib", 1ull << 10 },
	{ "m", 1ull << 20 }, { "mb", 1ull << 20 }, { "mib", 1ull << 20 },
	{ "g", 1ull << 30 }, { "gb", 1ull << 30 }, { "gib", 1ull << 30 },
	{ "t", 1ull << 40 }, { "tb", 1ull << 40 }, { "tib", 1ull << 40 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {	/* milliseconds */
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "sec", 1000 }, { "min", 60000 }, { "h", 3600000 },
	{ NULL, 0 },
};

union value { bool on; int64_t number; uint64_t amount; const char *text; int word; };

static const char *const true_words[] = { "on", "yes", "true", "enable", "1", NULL };
static const char *const false_words[] = { "off", "no", "false", "disable", "0", NULL };

static int word_index(const char *const *words, const char *word)
{
	int i;

	for (i = 0; words[i]; i++)
		if (strcasecmp(words[i], word) == 0)
			return i;
	return -1;
}

static int parse_bool(const char *text, bool *ret_on)
{
	*ret_on = word_index(true_words, text) >= 0;
	return *ret_on || word_index(false_words, text) >= 0 ? 0 : -EINVAL;
}

static int parse_int(const char *text, int64_t *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoll(text, &end, 10);
	if (end == text || *end || isspace((unsigned char)*text))
		return -EINVAL;
	return errno == ERANGE ? -ERANGE : 0;
}

/* "12", "1.5GB", "250ms": digits, perhaps a fraction, a unit. Exact, without floating point. */
static int parse_amount(const char *text, const struct unit *units, uint64_t *ret_amount)
{
	uint64_t whole, fraction = 0, scale = 1;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	whole = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end == '.') {
		for (end++; isdigit((unsigned char)*end); end++) {
			if (scale >= 1000000)
				continue;
			fraction = fraction * 10 + (uint64_t)(*end - '0');
			scale *= 10;
		}
	}
	while (*end == ' ')
		end++;
	for (; units->suffix; units++) {
		if (strcasecmp(units->suffix, end))
			continue;
		if (__builtin_mul_overflow(whole, units->factor, &whole) ||
		    __builtin_add_overflow(whole, fraction * units->factor / scale, ret_amount))
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

static int parse(const struct option *o, const char *text, union value *ret)
{
	switch (o->type) {
	case OPT_T_BOOL:
		return parse_bool(text, &ret->on);
	case OPT_T_INT:
		return parse_int(text, &ret->number);
	case OPT_T_SIZE:
		return parse_amount(text, size_units, &ret->amount);
	case OPT_T_TIME_MS:
		return parse_amount(text, time_units, &ret->amount);
	case OPT_T_ENUM:
		ret->word = word_index(o->words, text);
		return ret->word >= 0 ? 0 : -EINVAL;
	case OPT_T_STR:
		ret->text = text;
		return 0;
	}
	return -EINVAL;
}

static int check_range(const struct option *o, const union value *v)
{
	if (o->type == OPT_T_INT)
		return v->number < o->min || v->number > o->max ? -ERANGE : 0;
	if (o->type == OPT_T_SIZE || o->type == OPT_T_TIME_MS)
		return v->amount < (uint64_t)o->min || v->amount > (uint64_t)o->max ? -ERANGE : 0;
	return 0;
}

static int store(const struct option *o, void *base, const union value *v)
{
	char *at = (char *)base + o->offset, *copy;

	switch (o->type) {
	case OPT_T_BOOL:
		*(bool *)at = v->on;
		return 0;
	case OPT_T_INT:
		*(int64_t *)at = v->number;
		return 0;
	case OPT_T_SIZE:
	case OPT_T_TIME_MS:
		*(uint64_t *)at = v->amount;
		return 0;
	case OPT_T_ENUM:
		*(int *)at = v->word;
		return 0;
	case OPT_T_STR:
		copy = strdup(v->text);
		if (!copy)
			return -ENOMEM;
		free(*(char **)at);
		*(char **)at = copy;
		return 0;
	}
	return -EINVAL;
}

/* --- what was expected, in words --- */

static void join(char *buf, size_t size, const char *const *words, const char *between)
{
	size_t len = 0;
	int n;

	buf[0] = '\0';
	for (; *words && len < size; words++) {
		n = snprintf(buf + len, size - len, "%s%s", len ? between : "", *words);
		if (n > 0)
			len += (size_t)n;
	}
}

static void size_text(uint64_t n, char *buf, size_t size)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned i = 0;

	while (i < 4 && n && n % 1024 == 0) {
		n /= 1024;
		i++;
	}
	snprintf(buf, size, "%llu%s", (unsigned long long)n, names[i]);
}

static void time_text(uint64_t ms, char *buf, size_t size)
{
	if (ms % 1000)
		snprintf(buf, size, "%llums", (unsigned long long)ms);
	else
		snprintf(buf, size, "%llus", (unsigned long long)ms / 1000);
}

void option_expected(const struct option *o, char *buf, size_t size)
{
	char lo[32], hi[32], words[160];

	switch (o->type) {
	case OPT_T_BOOL:
		snprintf(buf, size, "on or off");
		return;
	case OPT_T_INT:
		snprintf(buf, size, "a number from %lld to %lld", (long long)o->min, (long long)o->max);
		return;
	case OPT_T_SIZE:
		size_text((uint64_t)o->min, lo, sizeof(lo));
		size_text((uint64_t)o->max, hi, sizeof(hi));
		snprintf(buf, size, "a size from %s to %s", lo, hi);
		return;
	case OPT_T_TIME_MS:
		time_text((uint64_t)o->min, lo, sizeof(lo));
		time_text((uint64_t)o->max, hi, sizeof(hi));
		snprintf(buf, size, "a time from %s to %s", lo, hi);
		return;
	case OPT_T_ENUM:
		join(words, sizeof(words), o->words, ", ");
		snprintf(buf, size, "one of %s", words);
		return;
	case OPT_T_STR:
		snprintf(buf, size, "a text");
		return;
	}
}

/* --- the table --- */

const struct option *option_find(const struct option *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

/* Edit distance by one row of the usual table; names are short. */
unsigned word_distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1], i, j, diagonal, above, best;
	size_t la = strlen(a), lb = strlen(b);

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NEAR_MAX + 1;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[lb];
}

const char *option_nearest(const struct option *table, const char *name)
{
	unsigned best = NEAR_MAX + 1, d;
	const char *ret = NULL;

	for (; table->name; table++) {
		d = word_distance(table->name, name);
		if (d < best && d < strlen(name)) {
			best = d;
			ret = table->name;
		}
	}
	return ret;
}

static int unknown(const struct option *table, const char *name, struct error *err)
{
	const char *near = option_nearest(table, name);

	if (near)
		return error_set(err, -ENOENT, "no option \"%.64s\"; did you mean \"%s\"?", name, near);
	return error_set(err, -ENOENT, "no option \"%.64s\"", name);
}

int option_set(const struct option *table, void *base, const char *name, const char *value, struct error *err)
{
	const struct option *o = option_find(table, name);
	union value v;
	char want[224];
	int ret;

	if (!o)
		return unknown(table, name, err);
	ret = parse(o, value, &v);
	if (!ret)
		ret = check_range(o, &v);
	if (ret < 0) {
		option_expected(o, want, sizeof(want));
		return error_set(err, ret, "option %s: expected %s, got \"%.64s\"", name, want, value);
	}
	ret = store(o, base, &v);
	return ret < 0 ? error_set(err, ret, "option %s: out of memory", name) : 0;
}

void options_init(const struct option *table, void *base)
{
	union value zero;

	for (; table->name; table++) {
		if (table->type == OPT_T_STR)
			*(char **)((char *)base + table->offset) = NULL;
		memset(&zero, 0, sizeof(zero));
		if (!table->dflt && table->type != OPT_T_STR)
			store(table, base, &zero);
		else if (table->dflt && option_set(table, base, table->name, table->dflt, NULL) < 0)
			abort();	/* a default that its own row refuses is our bug */
	}
}

int options_check(const struct option *table, const void *base, struct error *err)
{
	const char *at;

	for (; table->name; table++) {
		if (!(table->flags & OPT_REQUIRED))
			continue;
		at = (const char *)base + table->offset;
		if (table->type == OPT_T_STR ? !*(char *const *)at : table->type == OPT_T_INT ? !*(const int64_t *)at :
		    (table->type == OPT_T_SIZE || table->type == OPT_T_TIME_MS) && !*(const uint64_t *)at)
			return error_set(err, -EINVAL, "option %s is required: %s", table->name, table->help);
	}
	return 0;
}

void options_free(const struct option *table, void *base)
{
	char **at;

	for (; table->name; table++) {
		if (table->type != OPT_T_STR)
			continue;
		at = (char **)((char *)base + table->offset);
		free(*at);
		*at = NULL;
	}
}

void options_help(const struct option *table, FILE *to)
{
	static const char *const kinds[] = { "on|off", "NUMBER", "SIZE", "TIME", "TEXT", "" };
	char left[200], words[120];

	for (; table->name; table++) {
		if (table->type == OPT_T_ENUM)
			join(words, sizeof(words), table->words, "|");
		snprintf(left, sizeof(left), "--%s=%s", table->name,
			 table->type == OPT_T_ENUM ? words : kinds[table->type]);
		fprintf(to, "  %-32s  %s", left, table->help);
		if (table->flags & OPT_REQUIRED)
			fprintf(to, " [required]\n");
		else if (table->dflt && *table->dflt)
			fprintf(to, " [%s]\n", table->dflt);
		else
			fprintf(to, "\n");
	}
}

/* --- command lines --- */

static int set_from_argv(const struct option *table, void *base, int argc, char **argv, int *at, struct error *err)
{
	const char *word = argv[*at] + 2, *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	char name[NAME_MAX_LEN + 1];
	const struct option *o;

	if (len > NAME_MAX_LEN)
		return error_set(err, -ENOENT, "no option \"%.64s\"", word);
	memcpy(name, word, len);
	name[len] = '\0';
	o = option_find(table, name);
	if (!o)
		return unknown(table, name, err);
	if (!value && o->type == OPT_T_BOOL)
		value = "on";
	else if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (!value)
		return error_set(err, -EINVAL, "option --%s needs a value", name);
	return option_set(table, base, name, value, err);
}

int options_argv(const struct option *table, void *base, int argc, char **argv, struct error *err)
{
	int i, ret;

	for (i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			return i;
		if (!argv[i][2])
			return i + 1;
		ret = set_from_argv(table, base, argc, argv, &i, err);
		if (ret < 0)
			return ret;
	}
	return argc;
}
