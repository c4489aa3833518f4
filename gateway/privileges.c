/* gateway/privileges.c: a gateway serves the network, and bricks act for its clients: it needs no privilege but a port below 1024, from which
 * rpcbind and stock bricks want to be called. It gives up the others before it does anything.
 *
 * It stays the user that it is: user 0 owns what the manager writes for it, and so can read it again at SIGHUP. */
#include "gateway/gatewayd.h"

#include <libgen.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/volume_dir.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/privileges.h"

#define VOLFILE_MAX (16u << 20)
#define NEEDED PRIVILEGE(CAP_NET_BIND_SERVICE)
#define FILES PRIVILEGE(CAP_DAC_OVERRIDE)

static bool has_brick(const char *text)
{
	return text && strstr(text, "storage/posix");
}

/* Bricks in this very process act for all users. */
static bool has_bricks(const struct gatewayd *d)
{
	struct volume_dir dir;
	struct error err = { "" };
	char *text = NULL;
	bool found = d->conf.embed;
	size_t len;
	unsigned i;

	if (d->conf.volfile && file_read(d->conf.volfile, VOLFILE_MAX, &text, &len) == 0)
		found = has_brick(text);
	free(text);
	if (d->conf.volumes && volume_dir_read(d->conf.volumes, d->exports_path, false, &dir, &err) == 0) {
		for (i = 0; i < dir.n; i++)
			found |= has_brick(dir.files[i].text);
		volume_dir_free(&dir);
	}
	return found;
}

/* Files are replaced in the directory that they are in. */
static bool reaches_directory_of(const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	bool reached = !copy || privileges_reach(dirname(copy), W_OK | X_OK);

	free(copy);
	return reached;
}

static bool reaches(const char *path, int mode)
{
	return !path || privileges_reach(path, mode);
}

/* The first of our files that belongs to somebody else, or lies where only its owner may go; NULL: none. */
static const char *out_of_reach(const struct gatewayd *d)
{
	const struct conf *c = &d->conf;
	const char *const read[] = { c->volfile, d->exports_path, c->volumes ? NULL : c->handle_key };
	const char *const written[] = { c->log_file, c->pid_file, c->state_file };
	unsigned i;

	if (c->volumes && !reaches(c->volumes, R_OK | X_OK))
		return c->volumes;
	for (i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		if (!reaches(read[i], R_OK))
			return read[i];
	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		if (!reaches_directory_of(written[i]))
			return written[i];
	if (!c->volumes && access(c->handle_key, F_OK) < 0 && !reaches_directory_of(c->handle_key))
		return c->handle_key;
	return NULL;
}

int gatewayd_drop_privileges(const struct gatewayd *d, struct error *err)
{
	const char *file;
	int ret;

	if (has_bricks(d))
		return 0;
	ret = privileges_rest(NEEDED);
	file = geteuid() == 0 ? out_of_reach(d) : NULL;
	if (ret == 0)
		ret = privileges_rest(UINT64_MAX);
	if (file)
		log_notice("files of other users are read and written, too, because one is needed", "file=%s", log_quote(file));
	if (ret == 0)
		ret = privileges_keep(file ? NEEDED | FILES : NEEDED);
	return ret < 0 ? error_set(err, ret, "privileges cannot be given up: %s", strerror(-ret)) : 0;
}
