/* runtime/option.h: one row an option. From the row come parsing, range check, help, live change and the manual.
 *
 *   static const struct option options[] = {
 *       OPT_SIZE("cache-size", struct io_cache, size, "32MiB", 1 << 20, 1ull << 40, OPT_LIVE, "memory for pages"),
 *       OPT_END
 *   };
 *
 * Names follow GlusterFS's where it has the option. Sizes accept B, KB, MB, GB, TB (and KiB...), powers of 1024;
 * booleans on/off yes/no true/false enable/disable 1/0; times plain seconds or with ms, s, min. */
#ifndef RUNTIME_OPTION_H
#define RUNTIME_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/error.h"

enum option_type { OPT_T_BOOL, OPT_T_INT, OPT_T_SIZE, OPT_T_TIME_MS, OPT_T_STR, OPT_T_ENUM };
enum { OPT_LIVE = 1, OPT_REQUIRED = 2 };

struct option {
	const char *name;
	enum option_type type;
	size_t offset;			/* into the struct: bool, int64_t, uint64_t, uint64_t, char * (malloc), int */
	const char *dflt;		/* NULL: zero, or required */
	int64_t min, max;
	unsigned flags;
	const char *help;
	const char *const *words;	/* OPT_T_ENUM: NULL-terminated; the value is the index */
};

#define OPT_BOOL(n, st, m, d, fl, h) { n, OPT_T_BOOL, offsetof(st, m), d, 0, 1, fl, h, NULL }
#define OPT_INT(n, st, m, d, lo, hi, fl, h) { n, OPT_T_INT, offsetof(st, m), d, lo, hi, fl, h, NULL }
#define OPT_SIZE(n, st, m, d, lo, hi, fl, h) { n, OPT_T_SIZE, offsetof(st, m), d, lo, hi, fl, h, NULL }
#define OPT_TIME_MS(n, st, m, d, lo, hi, fl, h) { n, OPT_T_TIME_MS, offsetof(st, m), d, lo, hi, fl, h, NULL }
#define OPT_STR(n, st, m, d, fl, h) { n, OPT_T_STR, offsetof(st, m), d, 0, 0, fl, h, NULL }
#define OPT_ENUM(n, st, m, d, words, fl, h) { n, OPT_T_ENUM, offsetof(st, m), d, 0, 0, fl, h, words }
#define OPT_END { NULL, 0, 0, NULL, 0, 0, 0, NULL, NULL }

void options_init(const struct option *table, void *base);		/* every row's default */
/* -ENOENT: no such option (the nearest name is in @err); -EINVAL or -ERANGE: the sentence says what was expected. */
int option_set(const struct option *table, void *base, const char *name, const char *value, struct error *err);
int options_check(const struct option *table, const void *base, struct error *err);	/* required ones set? */
void options_free(const struct option *table, void *base);		/* the strings */
void options_help(const struct option *table, FILE *to);		/* "  --name=VALUE  help [default]" */
const struct option *option_find(const struct option *table, const char *name);
/* "on or off", "a number from 1 to 64", "one of none, auto": what its value may be. */
void option_expected(const struct option *o, char *buf, size_t size);
unsigned word_distance(const char *a, const char *b);	/* edits from one to the other; past three: far */
const char *option_nearest(const struct option *table, const char *name);	/* NULL when nothing is near */

/* Command lines of our programs: "--name=value", "--name value", "--bool". Stops at the first word that is no option,
 * or after "--". Returns its index in argv, or -errno. */
int options_argv(const struct option *table, void *base, int argc, char **argv, struct error *err);

#endif
