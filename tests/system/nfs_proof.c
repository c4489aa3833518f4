/* tests/system/nfs_proof.c: proves that an export works, with libnfs as an independent client: makes directories,
 * copies a tree in, reads it back and compares, then removes it.
 *
 * Usage: nfs_proof nfs://HOST/EXPORT?nfsport=2049&mountport=2049 SOURCE-DIRECTORY. Exit status 0 only if all of it
 * held. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nfsc/libnfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 32
#define BLOCK 65536

struct proof {
	struct nfs_context *nfs;
	unsigned dirs, files;
	uint64_t bytes;
};

static int complain(const struct proof *p, const char *what, const char *path)
{
	fprintf(stderr, "nfs_proof: %s %s: %s\n", what, path, nfs_get_error(p->nfs));
	return -1;
}

static int copy_file(struct proof *p, const char *from, const char *to)
{
	static char buf[BLOCK];
	struct nfsfh *fh;
	uint64_t at = 0;
	ssize_t n;
	int fd = open(from, O_RDONLY), ret = 0;

	if (fd < 0 || nfs_creat(p->nfs, to, 0644, &fh) < 0)
		return complain(p, "create", to);
	while (ret == 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		if (nfs_pwrite(p->nfs, fh, at, (uint64_t)n, buf) != n)
			ret = complain(p, "write", to);
		at += (uint64_t)n;
	}
	if (ret == 0 && nfs_fsync(p->nfs, fh) < 0)
		ret = complain(p, "fsync", to);
	nfs_close(p->nfs, fh);
	close(fd);
	p->files++;
	p->bytes += at;
	return ret;
}

static int compare_file(struct proof *p, const char *from, const char *to)
{
	static char want[BLOCK], got[BLOCK];
	struct nfsfh *fh;
	uint64_t at = 0;
	ssize_t n;
	int fd = open(from, O_RDONLY), ret = 0;

	if (fd < 0 || nfs_open(p->nfs, to, O_RDONLY, &fh) < 0)
		return complain(p, "open", to);
	while (ret == 0 && (n = read(fd, want, sizeof(want))) >= 0) {
		int m = nfs_pread(p->nfs, fh, at, sizeof(got), got);

		if (m < 0)
			ret = complain(p, "read", to);
		else if (m != n || memcmp(want, got, (size_t)n) != 0)
			ret = (fprintf(stderr, "nfs_proof: %s differs near byte %" PRIu64 "\n", to, at), -1);
		if (!n)
			break;
		at += (uint64_t)n;
	}
	nfs_close(p->nfs, fh);
	close(fd);
	return ret;
}

/* How often @name is listed in @dir: once is right. */
static int times_listed(struct proof *p, const char *dir, const char *name)
{
	struct nfsdirent *entry;
	struct nfsdir *d;
	int n = 0;

	if (nfs_opendir(p->nfs, dir, &d) < 0)
		return -1;
	while ((entry = nfs_readdir(p->nfs, d)))
		n += strcmp(entry->name, name) == 0;
	nfs_closedir(p->nfs, d);
	return n;
}

enum step { COPY, COMPARE, REMOVE };

static int do_tree(struct proof *p, enum step step, const char *from, const char *to, int depth);

static int do_entry(struct proof *p, enum step step, const char *from, const char *to, const char *dir,
		    const char *name, int depth)
{
	struct stat st;

	if (lstat(from, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return do_tree(p, step, from, to, depth + 1);
	if (!S_ISREG(st.st_mode))
		return 0;
	switch (step) {
	case COPY:
		return copy_file(p, from, to);
	case COMPARE:
		if (times_listed(p, dir, name) != 1)
			return (fprintf(stderr, "nfs_proof: %s is not listed exactly once\n", to), -1);
		return compare_file(p, from, to);
	default:
		return nfs_unlink(p->nfs, to) < 0 ? complain(p, "remove", to) : 0;
	}
}

static int do_tree(struct proof *p, enum step step, const char *from, const char *to, int depth)
{
	struct dirent *entry;
	int ret = 0;
	DIR *d;

	if (depth > DEPTH_MAX || !(d = opendir(from)))
		return (fprintf(stderr, "nfs_proof: cannot read %s\n", from), -1);
	if (step == COPY && nfs_mkdir(p->nfs, to) < 0)
		ret = complain(p, "mkdir", to);
	p->dirs += step == COPY;
	while (ret == 0 && (entry = readdir(d))) {
		char *sub_from, *sub_to;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&sub_from, "%s/%s", from, entry->d_name) < 0 ||
		    asprintf(&sub_to, "%s/%s", to, entry->d_name) < 0)
			abort();
		ret = do_entry(p, step, sub_from, sub_to, to, entry->d_name, depth);
		free(sub_from);
		free(sub_to);
	}
	closedir(d);
	if (ret == 0 && step == REMOVE && nfs_rmdir(p->nfs, to) < 0)
		ret = complain(p, "rmdir", to);
	return ret;
}

/* Rename, hard link and symbolic link, each seen through its other end. */
static int do_names(struct proof *p, const char *dir)
{
	char a[256], b[256], c[256], target[64];
	struct nfs_stat_64 st;
	struct nfsfh *fh;

	snprintf(a, sizeof(a), "%s/name-a", dir);
	snprintf(b, sizeof(b), "%s/name-b", dir);
	snprintf(c, sizeof(c), "%s/name-c", dir);
	if (nfs_creat(p->nfs, a, 0600, &fh) < 0)
		return complain(p, "create", a);
	nfs_close(p->nfs, fh);
	if (nfs_rename(p->nfs, a, b) < 0 || nfs_link(p->nfs, b, a) < 0 || nfs_symlink(p->nfs, "name-b", c) < 0)
		return complain(p, "rename, link or symlink in", dir);
	if (nfs_stat64(p->nfs, a, &st) < 0 || st.nfs_nlink != 2)
		return (fprintf(stderr, "nfs_proof: a linked file has %d links, not 2\n", (int)st.nfs_nlink), -1);
	memset(target, 0, sizeof(target));
	if (nfs_readlink(p->nfs, c, target, sizeof(target) - 1) < 0 || strcmp(target, "name-b") != 0)
		return complain(p, "readlink", c);
	if (nfs_unlink(p->nfs, a) < 0 || nfs_unlink(p->nfs, b) < 0 || nfs_unlink(p->nfs, c) < 0)
		return complain(p, "remove in", dir);
	return 0;
}

/* A volume whose bricks are about to come says "later" (NFS3ERR_JUKEBOX), which kernels obey by themselves and this library does not. */
static int patient_mkdir(struct proof *p, const char *path)
{
	int ret, tries;

	for (tries = 0; tries < 300; tries++) {
		ret = nfs_mkdir(p->nfs, path);
		if (ret == 0 || !strstr(nfs_get_error(p->nfs), "JUKEBOX"))
			return ret;
		usleep(200000);
	}
	return ret;
}

static int prove(struct proof *p, const char *source)
{
	char top[64], tree[80];
	int ret;

	snprintf(top, sizeof(top), "/proof-%ld", (long)getpid());
	snprintf(tree, sizeof(tree), "%s/tree", top);
	if (patient_mkdir(p, top) < 0)
		return complain(p, "mkdir", top);
	ret = do_tree(p, COPY, source, tree, 0);
	if (ret == 0)
		ret = do_tree(p, COMPARE, source, tree, 0);
	if (ret == 0)
		ret = do_names(p, top);
	if (ret == 0)
		ret = do_tree(p, REMOVE, source, tree, 0);
	if (nfs_rmdir(p->nfs, top) < 0 && ret == 0)
		ret = complain(p, "rmdir", top);
	return ret;
}

int main(int argc, char **argv)
{
	struct proof p = { .nfs = nfs_init_context() };
	struct nfs_url *url;
	int ret;

	if (argc != 3 || !p.nfs) {
		fprintf(stderr, "usage: nfs_proof nfs://HOST/EXPORT?nfsport=N&mountport=N SOURCE-DIRECTORY\n");
		return 2;
	}
	url = nfs_parse_url_dir(p.nfs, argv[1]);
	if (!url)
		return complain(&p, "understand", argv[1]) < 0 ? 2 : 2;
	ret = nfs_mount(p.nfs, url->server, url->path) < 0 ? complain(&p, "mount", argv[1]) : prove(&p, argv[2]);
	if (ret == 0)
		printf("nfs_proof: %u directories, %u files, %" PRIu64 " bytes copied, read back and compared\n",
		       p.dirs, p.files, p.bytes);
	nfs_destroy_url(url);
	nfs_destroy_context(p.nfs);
	return ret == 0 ? 0 : 1;
}
