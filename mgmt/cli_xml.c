/* mgmt/cli_xml.c: writes XML, indented as `gluster --xml` has it. */
#include "mgmt/cli_xml.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void indent(struct xml *x)
{
	fprintf(x->f, "%*s", (int)(2 * x->depth), "");
}

/* U+FFFE and U+FFFF are UTF-8, and yet no characters of XML. */
static int is_no_character(const unsigned char *s)
{
	return s[0] == 0xef && s[1] == 0xbf && (s[2] == 0xbe || s[2] == 0xbf);
}

void xml_text(struct xml *x, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", x->f);
		else if (*s == '<')
			fputs("&lt;", x->f);
		else if (*s == '>')
			fputs("&gt;", x->f);
		else if (*s == '"')
			fputs("&quot;", x->f);
		else if (*s == 0x7f)
			fputs("&#127;", x->f);
		else if (*s < 0x20 && *s != '\n' && *s != '\t')
			fputc('?', x->f);
		else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)	/* upper control characters: XML has them, a terminal obeys them */
			fprintf(x->f, "&#%u;", *++s);
		else if (is_no_character(s))
			fputc('?', x->f), s += 2;
		else
			fputc(*s, x->f);
	}
}

void xml_begin(struct xml *x)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n", x->f);
}

void xml_open(struct xml *x, const char *name)
{
	indent(x);
	fprintf(x->f, "<%s>\n", name);
	x->depth++;
}

void xml_close(struct xml *x, const char *name)
{
	x->depth--;
	indent(x);
	fprintf(x->f, "</%s>\n", name);
}

void xml_empty(struct xml *x, const char *name)
{
	indent(x);
	fprintf(x->f, "<%s/>\n", name);
}

void xml_leaf(struct xml *x, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (*text) {
		indent(x);
		fprintf(x->f, "<%s>", name);
		xml_text(x, text);
		fprintf(x->f, "</%s>\n", name);
	} else {
		xml_empty(x, name);
	}
	free(text);
}
