/* xlators/features/index_files.c: the index's hard links, made and removed on helper threads. Everything here blocks. */
#include "xlators/features/index.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512		/* gfid text, "/", a name of 255 bytes */

const char *const index_names[INDEX_TYPES] = { "xattrop", "dirty", "entry-changes" };

static int make_dir(int at, const char *name)
{
	return mkdirat(at, name, 0600) < 0 && errno != EEXIST ? -errno : 0;
}

int index_open(const char *base, int dirfds[INDEX_TYPES])
{
	int basefd, i, ret = make_dir(AT_FDCWD, base);

	basefd = ret < 0 ? -1 : open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (basefd < 0)
		return ret < 0 ? ret : -errno;
	for (i = 0; i < INDEX_TYPES && ret == 0; i++) {
		ret = make_dir(basefd, index_names[i]);
		dirfds[i] = ret < 0 ? -1 : openat(basefd, index_names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (ret == 0 && dirfds[i] < 0)
			ret = -errno;
	}
	close(basefd);
	return ret;
}

void index_close(int dirfds[INDEX_TYPES])
{
	int i;

	for (i = 0; i < INDEX_TYPES; i++)
		if (dirfds[i] >= 0)
			close(dirfds[i]);
}

static const char *path_text(const struct index_path *p, char buf[PATH_SIZE])
{
	snprintf(buf, PATH_SIZE, "%s%s%s", p->dir, *p->dir && p->entry ? "/" : "", p->entry ? p->entry : "");
	return *buf ? buf : ".";
}

int index_make_base(const struct index_path *p, const char *base)
{
	int fd, ret = *p->dir ? make_dir(p->dirfd, p->dir) : 0;

	if (ret < 0)
		return ret;
	fd = openat(p->dirfd, base, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int index_add(const struct index_path *path, const char *base)
{
	char to[PATH_SIZE];
	int tries, ret = -ENOENT;

	path_text(path, to);
	for (tries = 0; tries < 2 && ret == -ENOENT; tries++) {
		if (linkat(path->dirfd, base, path->dirfd, to, 0) == 0)
			return 1;
		ret = -errno;
		if (ret == -ENOENT && index_make_base(path, base) < 0)
			return ret;
	}
	return ret == -EEXIST ? 0 : ret;
}

static int open_dir(const struct index_path *path, DIR **ret_dir)
{
	char buf[PATH_SIZE];
	int fd = openat(path->dirfd, path_text(path, buf), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	*ret_dir = fdopendir(fd);
	if (*ret_dir)
		return 0;
	close(fd);
	return -ENOMEM;
}

static int empty_dir(const struct index_path *path)
{
	struct dirent *e;
	DIR *dir;
	int ret = open_dir(path, &dir);

	if (ret < 0)
		return ret;
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(dir), e->d_name, 0) < 0 && errno != ENOENT)
			ret = -errno;
	closedir(dir);
	return ret;
}

int index_del(const struct index_path *path)
{
	int flags = path->entry ? 0 : AT_REMOVEDIR;
	char buf[PATH_SIZE];

	if (unlinkat(path->dirfd, path_text(path, buf), flags) == 0)
		return 1;
	if (errno == ENOTEMPTY && empty_dir(path) == 0 && unlinkat(path->dirfd, buf, flags) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int index_stat(const struct index_path *path, struct iatt *ret_st)
{
	char buf[PATH_SIZE];
	struct stat st;

	if (fstatat(path->dirfd, path_text(path, buf), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	memset(ret_st, 0, sizeof(*ret_st));
	ret_st->mode = st.st_mode;
	ret_st->nlink = (uint32_t)st.st_nlink;
	ret_st->uid = st.st_uid;
	ret_st->gid = st.st_gid;
	ret_st->blksize = (uint32_t)st.st_blksize;
	ret_st->dev = st.st_dev;
	ret_st->size = (uint64_t)st.st_size;
	ret_st->blocks = (uint64_t)st.st_blocks;
	ret_st->atime = (struct iatt_time){ st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec };
	ret_st->mtime = (struct iatt_time){ st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec };
	ret_st->ctime = (struct iatt_time){ st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec };
	return 0;
}

static bool is_shown(const struct index_path *path, const char *name)
{
	uint8_t gfid[16];

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || *path->dir)
		return true;
	return gfid_parse(name, gfid);
}

static int list_add(struct index_listing *l, unsigned max, const struct dirent *e)
{
	struct index_name *n;

	if (!l->names)
		l->names = calloc(max, sizeof(*l->names));
	if (!l->names)
		return -ENOMEM;
	n = &l->names[l->n];
	n->off = (uint64_t)e->d_off;
	n->type = e->d_name[0] == '.' ? DT_DIR : DT_UNKNOWN;
	n->name = strdup(e->d_name);
	if (!n->name)
		return -ENOMEM;
	l->n++;
	return 0;
}

int index_list(const struct index_path *path, uint64_t offset, unsigned max, struct index_listing *ret_listing)
{
	struct dirent *e = NULL;
	DIR *dir;
	int ret = open_dir(path, &dir);

	memset(ret_listing, 0, sizeof(*ret_listing));
	if (ret < 0)
		return ret;
	if (offset)
		seekdir(dir, (long)offset);
	while (ret == 0 && ret_listing->n < max) {
		errno = 0;
		e = readdir(dir);
		if (!e) {
			ret = -errno;
			break;
		}
		if (is_shown(path, e->d_name))
			ret = list_add(ret_listing, max, e);
	}
	ret_listing->eof = !e;
	closedir(dir);
	if (ret < 0)
		index_listing_free(ret_listing);
	return ret;
}

void index_listing_free(struct index_listing *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		free(l->names[i].name);
	free(l->names);
	memset(l, 0, sizeof(*l));
}

int index_tidy(const struct index_path *path)
{
	const char *type = index_names[path->type];
	struct dirent *e;
	struct stat st;
	DIR *dir;
	int ret = open_dir(path, &dir);

	if (ret < 0)
		return ret;
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, type, strlen(type)) != 0 || e->d_name[strlen(type)] != '-')
			continue;
		if (fstatat(path->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
			unlinkat(path->dirfd, e->d_name, 0);
	}
	closedir(dir);
	return 0;
}
