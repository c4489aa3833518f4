/* runtime/control.h: a daemon answers questions on a local socket: one word in, one text out, and the connection ends.
 *
 * It answers from its loop: a daemon whose loop hangs does not. The socket is for the daemon's own user. */
#ifndef RUNTIME_CONTROL_H
#define RUNTIME_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

struct control;
struct loop;

/* Writes the answer to @word to @f; never parks. False: there is no such question. */
typedef bool control_answer(void *arg, const char *word, FILE *f);
/* 0 or -errno with a sentence. */
int control_open(struct loop *loop, const char *path, control_answer *answer, void *arg, struct error *err, struct control **ret_control);
void control_close(struct control *c);			/* accepts NULL */

/* Asks; parks, no longer than the coroutine's deadline. The answer is malloc'ed with a NUL behind it. 0 or -errno;
 * -EMSGSIZE: it is longer than @max. */
int coroutine_fn control_ask(struct loop *loop, const char *path, const char *word, size_t max, char **ret_answer);

#endif
