/* runtime/log.c: one write(2) a line, so that lines of several threads never mix. */
#include "runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop.h"

#define LINE_MAX_BYTES 1024
#define WINDOW_S 5
#define WINDOW_LINES 10
#define QUOTE_SLOTS 4
#define QUOTE_BYTES 256

static struct {
	char program[32];
	char *file;
	int fd;
	enum log_level level;
} state = { "gatehouse", NULL, STDERR_FILENO, LOG_LEVEL_NOTICE };

static const char *const level_words[] = { "error", "warning", "notice", "info", "debug" };

static int open_file(const char *file)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

static void use_fd(int fd)
{
	int old = state.fd;

	state.fd = fd;
	if (old != STDERR_FILENO)
		close(old);
}

int log_open(const char *program, const char *file, enum log_level level)
{
	char *copy = NULL;
	int fd = STDERR_FILENO;

	if (file) {
		fd = open_file(file);
		if (fd < 0)
			return fd;
		copy = strdup(file);
		if (!copy) {
			close(fd);
			return -ENOMEM;
		}
	}
	use_fd(fd);
	free(state.file);
	state.file = copy;
	state.level = level;
	snprintf(state.program, sizeof(state.program), "%s", program);
	return 0;
}

/* The number stays and what it means is exchanged: another thread that is writing a line never sees a closed
 * descriptor. */
int log_reopen(void)
{
	int fd, ret = 0;

	if (!state.file)
		return 0;
	fd = open_file(state.file);
	if (fd < 0)
		return fd;
	if (dup3(fd, state.fd, O_CLOEXEC) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

bool log_level_parse(const char *word, enum log_level *ret_level)
{
	unsigned i;

	for (i = 0; i < sizeof(level_words) / sizeof(level_words[0]); i++) {
		if (strcasecmp(word, level_words[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

static void wallclock(int64_t *ret_sec, uint32_t *ret_nsec)
{
	struct loop *loop = loop_self();
	struct timespec ts;

	if (loop) {
		loop_wallclock(loop, ret_sec, ret_nsec);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	*ret_sec = ts.tv_sec;
	*ret_nsec = (uint32_t)ts.tv_nsec;
}

/* False when this line is one too many. @ret_dropped: how many were left out before it. */
static bool admit(struct log_site *site, int64_t now_s, unsigned *ret_dropped)
{
	*ret_dropped = 0;
	if (!site)
		return true;
	if (!site->count || now_s - site->window_s >= WINDOW_S || now_s < site->window_s) {
		*ret_dropped = site->dropped;
		site->window_s = (long)now_s;
		site->count = site->dropped = 0;
	}
	if (site->count >= WINDOW_LINES) {
		site->dropped++;
		return false;
	}
	site->count++;
	return true;
}

static size_t append(char *line, size_t len, int added)
{
	if (added < 0)
		return len;
	len += (size_t)added;
	return len < LINE_MAX_BYTES - 1 ? len : LINE_MAX_BYTES - 1;
}

static size_t append_time(char *line, int64_t sec, uint32_t nsec)
{
	time_t t = (time_t)sec;
	struct tm tm;

	gmtime_r(&t, &tm);
	return append(line, 0, snprintf(line, LINE_MAX_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
					tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, nsec / 1000000));
}

static void write_line(char *line, size_t len)
{
	size_t i, done = 0;
	ssize_t n;

	for (i = 0; i < len; i++)	/* whatever came in through a value: one event stays one line */
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	while (done < len) {
		n = write(state.fd, line + done, len - done);
		if (n < 0 && errno != EINTR)
			return;		/* nowhere to complain to */
		if (n > 0)
			done += (size_t)n;
	}
}

void log_write(struct log_site *site, enum log_level level, const char *message, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	unsigned dropped;
	uint32_t nsec;
	int64_t sec;
	size_t len;
	va_list ap;

	wallclock(&sec, &nsec);
	if (!admit(site, sec, &dropped))
		return;
	len = append_time(line, sec, nsec);
	len = append(line, len, snprintf(line + len, sizeof(line) - len, " %c %s[%ld]: %s", "EWNID"[level],
					 state.program, (long)getpid(), message));
	if (*fmt) {
		line[len] = ' ';
		len = append(line, len, 1);
		va_start(ap, fmt);
		len = append(line, len, vsnprintf(line + len, sizeof(line) - len, fmt, ap));
		va_end(ap);
	}
	if (dropped)
		len = append(line, len, snprintf(line + len, sizeof(line) - len, " suppressed=%u", dropped));
	write_line(line, len);
}

const char *log_quote(const char *text)
{
	static _Thread_local char slots[QUOTE_SLOTS][QUOTE_BYTES];
	static _Thread_local unsigned next;
	char *out = slots[next++ % QUOTE_SLOTS], *at = out, *end = out + QUOTE_BYTES - 8;
	unsigned char c;

	if (!text)
		return "(null)";
	*at++ = '"';
	for (; (c = (unsigned char)*text) && at < end; text++) {
		if (c == '"' || c == '\\')
			at += snprintf(at, 8, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			at += snprintf(at, 8, "\\x%02x", c);
		else
			*at++ = (char)c;
	}
	if (c)
		at = stpcpy(at, "...");
	*at++ = '"';
	*at = '\0';
	return out;
}
