/* gateway/filehandle.c: file handles to bytes and back, and the key that signs them. */
#include "gateway/filehandle.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_DIR "/var/lib/gatehouse"	/* ours to make; any other folder must be there */
#define HANDLE_VERSION 1
#define AT_TYPE 1
#define AT_HINT 2
#define AT_EXPORT 4
#define AT_VOLUME 8
#define AT_GFID 24
#define AT_MAC 40

_Static_assert(AT_MAC + MAC_SIZE == FILEHANDLE_SIZE, "the MAC ends the handle");

int filehandle_encode(struct mac *mac, const struct filehandle *fh, struct wire_handle *ret_wire)
{
	uint8_t *p = ret_wire->data;
	uint16_t hint = htobe16(fh->hint);
	uint32_t export_id = htobe32(fh->export_id);

	p[0] = HANDLE_VERSION;
	p[AT_TYPE] = fh->type >> 12;
	memcpy(p + AT_HINT, &hint, sizeof(hint));
	memcpy(p + AT_EXPORT, &export_id, sizeof(export_id));
	memcpy(p + AT_VOLUME, fh->volume_id, 16);
	memcpy(p + AT_GFID, fh->gfid, 16);
	ret_wire->len = FILEHANDLE_SIZE;
	return mac_tag(mac, MAC_SIGN, p, AT_MAC, p + AT_MAC);
}

int filehandle_decode(struct mac *mac, const uint8_t *volume_id, const struct wire_handle *wire, struct filehandle *ret_fh)
{
	const uint8_t *p = wire->data;
	uint8_t tag[MAC_SIZE];
	uint16_t hint;
	uint32_t export_id;

	if (wire->len != FILEHANDLE_SIZE || p[0] != HANDLE_VERSION || mac_tag(mac, MAC_SIGN, p, AT_MAC, tag) < 0 ||
	    !mac_equal(tag, p + AT_MAC))
		return -EBADF;
	if (memcmp(p + AT_VOLUME, volume_id, 16) != 0)
		return -ESTALE;
	memcpy(&hint, p + AT_HINT, sizeof(hint));
	memcpy(&export_id, p + AT_EXPORT, sizeof(export_id));
	ret_fh->type = (uint32_t)p[AT_TYPE] << 12;
	ret_fh->hint = be16toh(hint);
	ret_fh->export_id = be32toh(export_id);
	memcpy(ret_fh->volume_id, volume_id, 16);
	memcpy(ret_fh->gfid, p + AT_GFID, 16);
	return 0;
}

static int key_read(int fd, const char *path, uint8_t ret_key[MAC_KEY_SIZE], struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot look at the handle key %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		return error_set(err, -EPERM, "the handle key %s must be a plain file that only its owner can read: chmod 600 %s",
				 path, path);
	if (st.st_size != MAC_KEY_SIZE || read(fd, ret_key, MAC_KEY_SIZE) != MAC_KEY_SIZE)
		return error_set(err, -EINVAL, "the handle key %s does not hold exactly %d bytes: restore it from another gateway, or "
				 "remove it to have a new one made (clients must then mount again)", path, MAC_KEY_SIZE);
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
	if (write(fd, key, sizeof(key)) != (ssize_t)sizeof(key) || fsync(fd) < 0 || (link(tmp, path) < 0 && errno != EEXIST))
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
