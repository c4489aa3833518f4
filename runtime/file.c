/* runtime/file.c: see file.h. */
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to @len bytes; short only at the end of the file. */
static ssize_t read_up_to(int fd, char *to, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = read(fd, to + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int read_open(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)st.st_size > max)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read_up_to(fd, text, (size_t)st.st_size);
	if (n < 0) {
		free(text);
		return (int)n;
	}
	text[n] = '\0';
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;

	if (fd < 0)
		return -errno;
	ret = read_open(fd, max, ret_text, ret_len);
	close(fd);
	return ret;
}

static int write_all(int fd, const char *from, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_aside(const char *tmp, const void *data, size_t len, unsigned mode, bool durably)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode), ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	if (ret == 0 && durably && fsync(fd) < 0)
		ret = -errno;
	close(fd);
	if (ret < 0)
		unlink(tmp);
	return ret;
}

static int replace(const char *path, const void *data, size_t len, unsigned mode, bool durably)
{
	char *tmp;
	int ret;

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	ret = write_aside(tmp, data, len, mode, durably);
	if (ret == 0 && rename(tmp, path) < 0) {
		ret = -errno;
		unlink(tmp);
	}
	free(tmp);
	return ret;
}

int file_replace(const char *path, const void *data, size_t len, unsigned mode)
{
	return replace(path, data, len, mode, false);
}

int file_flush_directory_of(const char *path)
{
	char *copy = strdup(path);
	int fd, ret = 0;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return ret;
}

int file_replace_durably(const char *path, const void *data, size_t len, unsigned mode)
{
	int ret = replace(path, data, len, mode, true);

	return ret < 0 ? ret : file_flush_directory_of(path);
}
