/* runtime/error.c: the sentence for the operator. The first one set is the cause; later ones would only bury it. */
#include "runtime/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int ret, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->text[0])
		return ret;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return ret;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
	char head[sizeof(err->text)];
	size_t len, room, tail;
	va_list ap;
	int n;

	if (!err || !err->text[0])
		return;
	va_start(ap, fmt);
	n = vsnprintf(head, sizeof(head) - 2, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = strlen(head);
	memcpy(head + len, ": ", 2);
	len += 2;
	room = sizeof(err->text) - 1 - len;
	tail = strlen(err->text);
	if (tail > room)
		tail = room;
	memmove(err->text + len, err->text, tail);
	memcpy(err->text, head, len);
	err->text[len + tail] = '\0';
}
