/* mgmt/text.c: see text.h. */
#include "mgmt/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

char *format(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return need(len < 0 ? NULL : text);
}
