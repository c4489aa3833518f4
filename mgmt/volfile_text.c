/* mgmt/volfile_text.c: words, options and sections of a volfile. */
#include "mgmt/volfile_text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mgmt/text.h"

void text_open(struct text *t)
{
	t->f = need(open_memstream(&t->buf, &t->len));
}

char *text_close(struct text *t)
{
	if (fclose(t->f) != 0)
		abort();
	return t->buf;
}

/* What every parser takes without quotes, and for what it is. */
static bool is_plain(const char *word)
{
	static const char *const keywords[] = { "volume", "type", "option", "subvolumes", "subvolume", "end-volume" };
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,%*@+=";
	unsigned i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcasecmp(word, keywords[i]) == 0)
			return false;
	return *word && !word[strspn(word, plain)];
}

void put_word(FILE *f, const char *word)
{
	if (is_plain(word)) {
		fputs(word, f);
		return;
	}
	fputc('"', f);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			fputc('\\', f);
		fputc(*word, f);
	}
	fputc('"', f);
}

static void vput_word(FILE *f, const char *fmt, va_list ap)
{
	char *word;

	if (vasprintf(&word, fmt, ap) < 0)
		abort();
	put_word(f, word);
	free(word);
}

void put_section(FILE *f, const char *type, const char *fmt, ...)
{
	va_list ap;

	fputs("volume ", f);
	va_start(ap, fmt);
	vput_word(f, fmt, ap);
	va_end(ap);
	fprintf(f, "\n    type %s\n", type);
}

void put_option(FILE *f, const char *key, const char *value)
{
	if (value)
		put_optionf(f, key, "%s", value);
}

void put_optionf(FILE *f, const char *key, const char *fmt, ...)
{
	va_list ap;

	fputs("    option ", f);
	put_word(f, key);
	fputc(' ', f);
	va_start(ap, fmt);
	vput_word(f, fmt, ap);
	va_end(ap);
	fputc('\n', f);
}

void put_end(FILE *f, const char *child)
{
	if (child) {
		fputs("    subvolumes ", f);
		put_word(f, child);
		fputc('\n', f);
	}
	fputs("end-volume\n\n", f);
}
