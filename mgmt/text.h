/* mgmt/text.h: small things that every part of the manager needs: memory that is there or the program ends, and text made of parts. */
#ifndef MGMT_TEXT_H
#define MGMT_TEXT_H

/* @p itself. Aborts when it is NULL: a manager that cannot have a few bytes cannot do anything right. */
void *need(void *p);
/* malloc'ed, never NULL. */
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
