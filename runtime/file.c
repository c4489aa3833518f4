/* runtime/file.c: see file.h. */
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
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

int file_replace(const char *path, const void *data, size_t len, unsigned mode)
{
	char *tmp;
	int fd, ret;

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
	ret = fd < 0 ? -errno : write_all(fd, data, len);
	if (fd >= 0)
		close(fd);
	if (ret == 0 && rename(tmp, path) < 0)
		ret = -errno;
	if (ret < 0 && fd >= 0)
		unlink(tmp);
	free(tmp);
	return ret;
}

/* The name of a file is in its directory's blocks. */
int file_flush_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, ret;

	ret = !dir ? -ENOMEM : fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(dir);
	return ret;
}

static int store_as(const char *tmp, const char *path, const void *data, size_t len, unsigned mode, bool fresh)
{
	int fd, ret;

	unlink(tmp);	/* left by a crash, with whatever mode */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return -errno;
	ret = write_all(fd, data, len);
	if (!ret && (fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0))
		ret = -errno;
	close(fd);
	if (!ret && renameat2(AT_FDCWD, tmp, AT_FDCWD, path, fresh ? RENAME_NOREPLACE : 0) < 0)
		ret = -errno;
	if (ret < 0)
		unlink(tmp);
	return ret ? ret : file_flush_directory_of(path);
}

int file_store(const char *path, const void *data, size_t len, unsigned mode, bool fresh)
{
	char *tmp;
	int ret;

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	ret = store_as(tmp, path, data, len, mode, fresh);
	free(tmp);
	return ret;
}
