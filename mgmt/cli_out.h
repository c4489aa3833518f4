/* mgmt/cli_out.h: text for people: lines and aligned tables, coloured on a terminal.
 *
 * Whatever is written here is made printable on its way: names come from other hosts, and a control character in one must not reach the
 * terminal. So nothing else of the CLI writes text to a terminal. */
#ifndef MGMT_CLI_OUT_H
#define MGMT_CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

enum cli_style { PLAIN, STRONG, GOOD, BAD, DOUBT };

struct cli_out { FILE *f; bool terminal, color; };

/* Control characters, bytes that are no UTF-8 and characters that turn the direction of writing are shown as \n, \x1b, \u202e. With @lines,
 * newlines and tabs stay. malloc'ed, never NULL (out of memory aborts). */
char *printable(const char *text, bool lines);
/* One line; its newline is added. */
void out_line(struct cli_out *out, enum cli_style style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void out_lines(struct cli_out *out, const char *text);	/* many, as they are; the last one's newline is added when it is missing */

struct table;
struct table *table_new(void);				/* its first row is the head */
void table_cell(struct table *t, enum cli_style style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void table_row(struct table *t);			/* ends a row */
void table_rule(struct table *t);			/* a row of dashes, as wide as the columns that have a head */
void table_print(struct table *t, struct cli_out *out);	/* and frees it */

#endif
