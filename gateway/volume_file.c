/* gateway/volume_file.c: volfiles as the gateway wants them: with its own cache on top, made for bricks inside the process, and
 * asked for the volume's identity. */
#include "gateway/volume.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/file.h"
#include "runtime/hash.h"
#include "xlators/brick_identity.h"

void volume_id_from_name(const char *name, uint8_t ret_id[16])
{
	uint64_t a = hash_bytes(name, strlen(name), 0x6761746568), b = hash_bytes(name, strlen(name), 0x6f757365);

	memcpy(ret_id, &a, 8);
	memcpy(ret_id + 8, &b, 8);
	ret_id[6] = (ret_id[6] & 0x0f) | 0x80;	/* version 8: of our own making */
	ret_id[8] = (ret_id[8] & 0x3f) | 0x80;
}

void volume_find_id(const struct volfile *vf, const char *name, uint8_t ret_id[16])
{
	const char *text;
	unsigned i;

	for (i = 0; i < volfile_count(vf); i++) {
		text = volfile_option(vf, i, "volume-id");
		if (text && gfid_parse(text, ret_id))
			return;
	}
	volume_id_from_name(name, ret_id);
}

/* One section; what is particular to it comes between the two. */
static void put_section(FILE *f, const char *name, const char *part, unsigned i, const char *type)
{
	fprintf(f, "volume %s-%s-%u\n    type %s\n", name, part, i, type);
}

static void put_child(FILE *f, const char *name, const char *part, unsigned i)
{
	fprintf(f, "    subvolumes %s-%s-%u\nend-volume\n", name, part, i);
}

/* How many of the bricks lie on this one's file system: the volume's size must not count it for each of them. */
static unsigned sharing(const struct embedded *e, const char *dir)
{
	struct stat own, st;
	unsigned i, n = 0;

	if (stat(dir, &own) < 0)
		return 1;		/* storage/posix will say what is wrong with it */
	for (i = 0; i < e->n; i++)
		n += stat(e->dirs[i], &st) == 0 && st.st_dev == own.st_dev;
	return n;
}

static void put_leaf(FILE *f, const char *name, const char *id_text, const struct embedded *e, unsigned i)
{
	const char *dir = e->dirs[i];

	put_section(f, name, "posix", i, "storage/posix");
	fprintf(f, "    option directory \"%s\"\n    option volume-id %s\n", dir, id_text);
	fprintf(f, "    option identity " IDENTITY_UNKNOWN "\n%s", e->create ? "    option create on\n" : "");
	fprintf(f, "    option shared-brick-count %u\nend-volume\n", sharing(e, dir));
	put_section(f, name, "acl", i, "features/access-control");
	put_child(f, name, "posix", i);
	put_section(f, name, "locks", i, "features/locks");
	put_child(f, name, "acl", i);
	put_section(f, name, "client", i, "features/index");
	fprintf(f, "    option index-base \"%s/.glusterfs/indices\"\n", dir);
	fprintf(f, "    option xattrop-dirty-watchlist trusted.afr.dirty\n");
	fprintf(f, "    option xattrop-pending-watchlist trusted.afr.%s-\n", name);
	put_child(f, name, "locks", i);
}

static void put_set(FILE *f, const char *name, const char *id_text, unsigned set, unsigned replica)
{
	unsigned i;

	fprintf(f, "volume %s-replicate-%u\n    type cluster/replicate\n    option afr-pending-xattr ", name, set);
	for (i = 0; i < replica; i++)
		fprintf(f, "%s%s-client-%u", i ? "," : "", name, set * replica + i);
	fprintf(f, "\n    option quorum-type auto\n    option volume-id %s\n    subvolumes", id_text);
	for (i = 0; i < replica; i++)
		fprintf(f, " %s-client-%u", name, set * replica + i);
	fprintf(f, "\nend-volume\n");
}

static void put_graph(FILE *f, const char *name, const char *id_text, const struct embedded *e)
{
	unsigned i, sets = e->n / e->replica;
	const char *kind = e->replica > 1 ? "replicate" : "client";

	for (i = 0; i < e->n; i++)
		put_leaf(f, name, id_text, e, i);
	for (i = 0; e->replica > 1 && i < sets; i++)
		put_set(f, name, id_text, i, e->replica);
	fprintf(f, "volume %s-dht\n    type cluster/distribute\n    subvolumes", name);
	for (i = 0; i < sets; i++)
		fprintf(f, " %s-%s-%u", name, kind, i);
	fprintf(f, "\nend-volume\n");
	fprintf(f, "volume %s\n    type features/utime\n    subvolumes %s-dht\nend-volume\n", name, name);
}

char *volume_embedded_volfile(const char *name, const char *id_text, const struct embedded *bricks, struct error *err)
{
	char *text = NULL;
	size_t size;
	unsigned i;
	FILE *f;

	if (!bricks->n || !bricks->replica || bricks->n % bricks->replica) {
		error_set(err, -EINVAL, "%u brick directories do not make sets of %u copies: give a multiple of %u",
			  bricks->n, bricks->replica, bricks->replica);
		return NULL;
	}
	for (i = 0; i < bricks->n; i++) {
		if (bricks->dirs[i][0] == '/' && !strpbrk(bricks->dirs[i], "\"\\`\n"))
			continue;
		error_set(err, -EINVAL,
			  "the brick directory \"%s\" must be an absolute path without quotes and backslashes",
			  bricks->dirs[i]);
		return NULL;
	}
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	put_graph(f, name, id_text, bricks);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

#define CACHE_TYPE "performance/md-cache"
#define CACHE_NAME "gateway-md-cache"
#define VOLFILE_MAX (16u << 20)

static bool has_section(const struct volfile *vf, const char *type)
{
	unsigned i;

	for (i = 0; i < volfile_count(vf); i++)
		if (strcmp(volfile_type(vf, i), type) == 0)
			return true;
	return false;
}

const char *volume_top_name(const struct volfile *vf)
{
	unsigned top = volfile_count(vf) - 1;

	return volfile_name(vf, top > 0 && strcmp(volfile_name(vf, top), CACHE_NAME) == 0 ? top - 1 : top);
}

/* A section more at the end, so that lines in error messages stay the file's own. */
static struct volfile *with_cache(const char *text, size_t len, const char *filename, const char *top,
				  uint64_t cache_size, bool sole, struct error *err)
{
	struct volfile *vf;
	char *longer = NULL;
	size_t size;
	FILE *f = open_memstream(&longer, &size);

	if (!f)
		return NULL;
	fwrite(text, 1, len, f);
	fprintf(f,
		"\nvolume " CACHE_NAME "\n    type " CACHE_TYPE
		"\n    option cache-size %llu\n%s    subvolumes \"%s\"\nend-volume\n",
		(unsigned long long)cache_size, sole ? "    option sole-client on\n" : "", top);
	vf = fclose(f) == 0 ? volfile_parse(longer, size, filename, err) : NULL;
	free(longer);
	return vf;
}

struct volfile *volume_parse(const char *text, size_t len, const char *filename, uint64_t cache_size, bool sole,
			     struct error *err)
{
	struct volfile *plain = volfile_parse(text, len, filename, err), *vf = plain;

	if (!plain || !cache_size || !volfile_count(plain) || has_section(plain, CACHE_TYPE))
		return plain;
	vf = with_cache(text, len, filename, volfile_name(plain, volfile_count(plain) - 1), cache_size, sole, err);
	volfile_free(plain);
	return vf;
}

struct volfile *volume_read(const char *path, uint64_t cache_size, struct error *err)
{
	struct volfile *vf;
	char *text;
	size_t len;
	int ret = file_read(path, VOLFILE_MAX, &text, &len);

	if (ret < 0) {
		error_set(err, ret, "cannot read the volfile %s: %s", path,
			  ret == -EFBIG ? "it is larger than 16 MiB" : strerror(-ret));
		return NULL;
	}
	vf = volume_parse(text, len, path, cache_size, false, err);
	free(text);
	return vf;
}
