/* mgmt/cli_out.c: text for people, made printable character by character. */
#include "mgmt/cli_out.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const style_codes[] = { "", "1", "32", "31", "33" };

/* The character that @s begins with, and its bytes; 0 bytes for what is no UTF-8. */
static unsigned utf8(const unsigned char *s, uint32_t *ret_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	unsigned i;

	if (!n)
		return 0;
	*ret_char = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)	/* the NUL at the end, too */
			return 0;
		*ret_char = *ret_char << 6 | (s[i] & 0x3f);
	}
	return *ret_char < least[n] || *ret_char > 0x10ffff || (*ret_char >= 0xd800 && *ret_char < 0xe000) ? 0 : n;
}

/* Marks that make a terminal write backwards, or that cannot be seen: a name could look like another with them. */
static bool deceives(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c;
}

static bool shows(uint32_t c, bool lines)
{
	if (c == '\n' || c == '\t')
		return lines;
	return c >= 0x20 && (c < 0x7f || c >= 0xa0) && !deceives(c);
}

char *printable(const char *text, bool lines)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c = 0;
	unsigned n;
	size_t size;
	char *ret;
	FILE *f = open_memstream(&ret, &size);

	if (!f)
		abort();
	while (*s) {
		n = utf8(s, &c);
		if (n && shows(c, lines))
			fwrite(s, 1, n, f);
		else if (n && c == '\n')
			fputs("\\n", f);
		else if (n && c == '\t')
			fputs("\\t", f);
		else if (n && c > 0xff)
			fprintf(f, "\\u%04x", c);
		else
			fprintf(f, "\\x%02x", n ? c : *s);
		s += n ? n : 1;
	}
	if (fclose(f) != 0)
		abort();
	return ret;
}

/* Each character is taken to be one column wide. */
static unsigned width(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void put(struct cli_out *out, enum cli_style style, const char *text)
{
	if (out->color && style != PLAIN && *text)
		fprintf(out->f, "\033[%sm%s\033[0m", style_codes[style], text);
	else
		fputs(text, out->f);
}

static char *format(const char *fmt, va_list ap)
{
	char *raw, *ret;

	if (vasprintf(&raw, fmt, ap) < 0)
		abort();
	ret = printable(raw, false);
	free(raw);
	return ret;
}

void out_line(struct cli_out *out, enum cli_style style, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	put(out, style, text);
	fputc('\n', out->f);
	free(text);
}

void out_lines(struct cli_out *out, const char *text)
{
	char *shown = printable(text, true);
	size_t len = strlen(shown);

	fputs(shown, out->f);
	if (len && shown[len - 1] != '\n')
		fputc('\n', out->f);
	free(shown);
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

#define COLUMNS 8
#define GAP 2

struct cell { char *text; enum cli_style style; };
struct row { struct cell cells[COLUMNS]; unsigned n; bool rule; };
struct table { struct row *rows; unsigned n, size; };

struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	table_row(t);
	return t;
}

static struct row *current(struct table *t)
{
	return &t->rows[t->n - 1];
}

void table_row(struct table *t)
{
	if (t->n == t->size) {
		t->size = t->size ? 2 * t->size : 16;
		t->rows = reallocarray(t->rows, t->size, sizeof(*t->rows));
		if (!t->rows)
			abort();
	}
	t->n++;
	memset(current(t), 0, sizeof(*current(t)));
}

void table_rule(struct table *t)
{
	current(t)->rule = true;
	table_row(t);
}

void table_cell(struct table *t, enum cli_style style, const char *fmt, ...)
{
	struct row *row = current(t);
	va_list ap;

	if (row->n == COLUMNS)
		return;
	va_start(ap, fmt);
	row->cells[row->n++] = (struct cell){ format(fmt, ap), style };
	va_end(ap);
}

static void measure(const struct table *t, unsigned *widths)
{
	unsigned i, j, w;

	memset(widths, 0, COLUMNS * sizeof(*widths));
	for (i = 0; i < t->n; i++)
		for (j = 0; j < t->rows[i].n; j++) {
			w = width(t->rows[i].cells[j].text);
			widths[j] = w > widths[j] ? w : widths[j];
		}
}

static void print_rule(unsigned columns, const unsigned *widths, struct cli_out *out)
{
	unsigned j, total = 0;

	for (j = 0; j < columns; j++)
		total += widths[j] + (j ? GAP : 0);
	while (total--)
		fputc('-', out->f);
	fputc('\n', out->f);
}

static void print_row(struct row *row, const unsigned *widths, struct cli_out *out)
{
	unsigned j;

	while (row->n && !*row->cells[row->n - 1].text)		/* no blanks at the end of a line */
		free(row->cells[--row->n].text);
	for (j = 0; j < row->n; j++) {
		put(out, row->cells[j].style, row->cells[j].text);
		if (j + 1 < row->n)
			fprintf(out->f, "%*s", (int)(widths[j] - width(row->cells[j].text) + GAP), "");
		free(row->cells[j].text);
	}
	fputc('\n', out->f);
}

void table_print(struct table *t, struct cli_out *out)
{
	unsigned widths[COLUMNS], i, head = t->rows[0].n;

	measure(t, widths);
	for (i = 0; i + 1 < t->n; i++) {	/* the last row has only been begun */
		if (t->rows[i].rule)
			print_rule(head, widths, out);
		else
			print_row(&t->rows[i], widths, out);
	}
	free(t->rows);
	free(t);
}
