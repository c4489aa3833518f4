/* mgmt/document_scan.c: is a document small enough to be read? Looked at before the parser sees it.
 *
 * The schema's validator calls itself for each level of elements, and compares what stands beside each other: 45 levels overflow the stack of a
 * coroutine, and 1 MiB of empty elements takes it minutes; so does 1 MiB of dashes in a comment, of which the parser complains one by one. This
 * counts tags and quotes; whether they are right is the parser's to say. */
#include "mgmt/document.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX      16
#define ELEMENTS_MAX   20000 /* with what ends one, comments and the like */
#define ATTRIBUTES_MAX 64

struct scan {
	const char *at, *end;
	unsigned depth, elements, line; /* elements: all that begins with "<" */
};

static bool begins(const struct scan *s, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, word, len) == 0;
}

/* From @opening to behind the next @word, or to the end. */
static void skip_past(struct scan *s, const char *opening, const char *word)
{
	for (s->at += strlen(opening); s->at < s->end && !begins(s, word); s->at++)
		s->line += *s->at == '\n';
	s->at += s->at < s->end ? strlen(word) : 0;
}

/* From behind "<" to behind ">". How many attributes stand in it. */
static unsigned skip_tag(struct scan *s)
{
	unsigned attributes = 0;
	char quote = 0;

	for (; s->at < s->end && (quote || *s->at != '>'); s->at++) {
		s->line += *s->at == '\n';
		if (quote && *s->at == quote) {
			quote = 0;
			attributes++;
		} else if (!quote && (*s->at == '"' || *s->at == '\'')) {
			quote = *s->at;
		}
	}
	s->at += s->at < s->end;
	return attributes;
}

static int scan_tag(struct scan *s, const char *where, struct error *err)
{
	bool closing = s->at < s->end && *s->at == '/';
	unsigned attributes = skip_tag(s);

	if (closing) {
		s->depth -= s->depth > 0;
		return 0;
	}
	if (attributes > ATTRIBUTES_MAX)
		return error_set(err, -E2BIG, "%s:%u: an element has more than %d attributes", where, s->line, ATTRIBUTES_MAX);
	if (s->at[-1] == '>' && s->at[-2] == '/')
		return 0;
	if (++s->depth > DEPTH_MAX)
		return error_set(err, -E2BIG, "%s:%u: elements stand more than %d deep in each other", where, s->line, DEPTH_MAX);
	return 0;
}

static int scan_comment(struct scan *s, const char *where, struct error *err)
{
	skip_past(s, "!--", "--");
	if (s->at < s->end && *s->at != '>')
		return error_set(err, -EINVAL, "%s:%u: a comment has \"--\" in it", where, s->line);
	return 0;
}

static int scan_one(struct scan *s, const char *where, struct error *err)
{
	if (++s->elements > ELEMENTS_MAX)
		return error_set(err, -E2BIG, "%s:%u: there are more than %d tags", where, s->line, ELEMENTS_MAX);
	if (begins(s, "!--"))
		return scan_comment(s, where, err);
	if (begins(s, "![CDATA["))
		skip_past(s, "![CDATA[", "]]>");
	else if (begins(s, "?"))
		skip_past(s, "?", "?>");
	else if (begins(s, "!"))
		return error_set(err, -EINVAL, "%s:%u: a document type declaration has no place here", where, s->line);
	else
		return scan_tag(s, where, err);
	return 0;
}

int document_scan(const char *text, size_t len, const char *where, struct error *err)
{
	struct scan s = { text, text + len, 0, 0, 1 };
	int ret = 0;

	if (memchr(text, 0, len))
		return error_set(err, -EINVAL, "%s:1: there are zero bytes in it: this is no text", where);
	while (ret == 0 && s.at < s.end) {
		if (*s.at != '<') {
			s.line += *s.at++ == '\n';
			continue;
		}
		s.at++;
		ret = scan_one(&s, where, err);
	}
	return ret;
}
