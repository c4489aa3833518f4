/* runtime/error.h: one sentence for the operator, on configuration paths only.
 *
 * Functions return 0 or -errno; where a human must act on the failure they also fill a `struct error`.
 * A NULL error is accepted everywhere. The first sentence set stays. */
#ifndef RUNTIME_ERROR_H
#define RUNTIME_ERROR_H

struct error {
	char text[512];		/* "" when nothing was said */
};

/* Sets the sentence (if none is set yet) and returns @ret, so that a caller can `return error_set(...)`. */
int error_set(struct error *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before what is set: the file, the line, the volume it is about. */
void error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
