/* runtime/log.h: one event a line, message first, then key=value.
 *
 *   log_warning("brick went down", "brick=%s host=%s", name, host);
 *
 * prints "2026-11-23T10:11:12.123Z W gatehouse-gateway[123]: brick went down brick=demo-client-0 host=::1".
 * error: the operator must act; warning: degraded, says what happens next; notice: a change of state; info; debug.
 * No line per call. A message repeated more than 10 times in 5 s is counted and said once (limit per call site). */
#ifndef RUNTIME_LOG_H
#define RUNTIME_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_site { long window_s; unsigned count, dropped; };

/* @program appears in each line; @file NULL means standard error. 0 or -errno. */
int log_open(const char *program, const char *file, enum log_level level);
int log_reopen(void);				/* after rotation; 0 or -errno */
bool log_level_parse(const char *word, enum log_level *ret_level);
bool log_enabled(enum log_level level);
void log_write(struct log_site *site, enum log_level level, const char *message, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Values that come from outside go through this before %s: quotes and escapes what would break the line.
 * Returns a pointer into a small ring of static buffers of the calling thread. */
const char *log_quote(const char *text);

#define LOG_AT(level, message, ...) do { \
		static _Thread_local struct log_site log_site_; \
		if (log_enabled(level)) \
			log_write(&log_site_, (level), (message), "" __VA_ARGS__); \
	} while (0)
#define log_error(message, ...)   LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)
#define log_warning(message, ...) LOG_AT(LOG_LEVEL_WARNING, message, __VA_ARGS__)
#define log_notice(message, ...)  LOG_AT(LOG_LEVEL_NOTICE, message, __VA_ARGS__)
#define log_info(message, ...)    LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_debug(message, ...)   LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)

#endif
