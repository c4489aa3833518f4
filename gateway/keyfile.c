/* gateway/keyfile.c: the key that signs file handles, in a file that only its owner can read. Start-up only: it blocks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/filehandle.h"

#define STATE_DIR "/var/lib/gatehouse"	/* ours to make; any other folder must be there */

static int key_read(int fd, const char *path, uint8_t ret_key[MAC_KEY_SIZE], struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot look at the handle key %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		return error_set(err, -EPERM,
				 "the handle key %s must be a plain file that only its owner can read: chmod 600 %s",
				 path, path);
	if (st.st_size != MAC_KEY_SIZE || read(fd, ret_key, MAC_KEY_SIZE) != MAC_KEY_SIZE)
		return error_set(err, -EINVAL, "the handle key %s does not hold exactly %d bytes: restore it from another "
				 "gateway, or remove it to have a new one made (clients must then mount again)",
				 path, MAC_KEY_SIZE);
	return 0;
}

/* Written aside and linked into place, so that two gateways starting at once end up with one and the same key. */
static int key_make(const char *path, struct error *err)
{
	uint8_t key[MAC_KEY_SIZE];
	char *tmp;
	int fd, ret = 0;

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return error_set(err, -EIO, "no random bytes for the handle key");
	if (asprintf(&tmp, "%s.%ld", path, (long)getpid()) < 0)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = error_set(err, -errno, "cannot make the handle key %s: %s", path, strerror(errno));
		free(tmp);
		return ret;
	}
	if (write(fd, key, sizeof(key)) != (ssize_t)sizeof(key) || fsync(fd) < 0 ||
	    (link(tmp, path) < 0 && errno != EEXIST))
		ret = error_set(err, -errno, "cannot write the handle key %s: %s", path, strerror(errno));
	close(fd);
	unlink(tmp);
	free(tmp);
	return ret;
}

int handle_key_load(const char *path, uint8_t ret_key[MAC_KEY_SIZE], struct error *err)
{
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (strncmp(path, STATE_DIR "/", strlen(STATE_DIR) + 1) == 0)
			mkdir(STATE_DIR, 0755);
		ret = key_make(path, err);
		if (ret < 0)
			return ret;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return error_set(err, -errno, "cannot open the handle key %s: %s", path, strerror(errno));
	ret = key_read(fd, path, ret_key, err);
	close(fd);
	return ret;
}
