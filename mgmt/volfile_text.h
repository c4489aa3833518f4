/* mgmt/volfile_text.h: writing the volfile grammar (facts/volfile.md section 1). Running out of memory aborts. For volfile*.c and exports.c. */
#ifndef MGMT_VOLFILE_TEXT_H
#define MGMT_VOLFILE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text { FILE *f; char *buf; size_t len; };

void text_open(struct text *t);
char *text_close(struct text *t);		/* malloc'ed */

/* A word, in quotes where the grammar wants that. */
void put_word(FILE *f, const char *word);
/* "volume NAME" and its type; sections are ended by put_end(). */
void put_section(FILE *f, const char *type, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void put_option(FILE *f, const char *key, const char *value);	/* NULL: nothing */
void put_optionf(FILE *f, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void put_end(FILE *f, const char *child);	/* the one subvolume, or NULL */

#endif
