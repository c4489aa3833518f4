/* tests/unit/posix_fixture.h: a brick in a fresh directory, alone in its graph, and short ways to call it.
 *
 * Tests run their body in a coroutine of a real loop. Everything needs root: trusted attributes, other users, mounts. */
#ifndef TESTS_POSIX_FIXTURE_H
#define TESTS_POSIX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "xlators/graph.h"

#define VOLUME_ID "11111111-2222-3333-4444-555555555555"

struct brick {
	struct loop *loop;
	struct graph *graph;
	struct xlator *xl;
	struct arena *arena;
	struct call call;		/* root; change it to be somebody else */
	char dir[128];
	const char *options;		/* more lines for the volfile */
	bool strict;			/* the directory must be a brick already */
	void (*body)(struct brick *b);
};

extern const char *fixture_base;	/* where brick directories are made: "/tmp" or a mount */

int fixture_mount(const char *type, const char *mkfs);	/* a file system of its own; fixture_base points to it */
void fixture_unmount(void);
void fixture_power_cut(void);	/* what is not on its disk yet is lost */
void fixture_remount(void);

void brick_new(struct brick *b, const char *options);	/* the directory */
void brick_run(struct brick *b, void (*body)(struct brick *b));	/* start, body, stop; again and again */
int brick_start_error(struct brick *b, struct error *err);	/* starting must fail: with what */
void brick_remove(struct brick *b);
void brick_test(void (*body)(struct brick *b));		/* all of these */

char *brick_path(const struct brick *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* one of a few static buffers */
const uint8_t *gfid_n(unsigned n);			/* a gfid of this number; one of a few static buffers */
char *handle_of(const struct brick *b, const uint8_t *gfid);	/* full path of its handle */
struct inode *inode_n(struct brick *b, const uint8_t *gfid);	/* reference dropped with the arena */
void as_user(struct brick *b, uint32_t uid, uint32_t gid);
void at_time(struct brick *b, uint32_t flags, int64_t sec, uint32_t nsec);

/* 0 or -errno; the result, when wanted, to @st. Parents by gfid. */
int do_create(struct brick *b, const uint8_t *parent, const char *name, unsigned n, uint32_t mode, struct iatt *st);
int do_mkdir(struct brick *b, const uint8_t *parent, const char *name, unsigned n, uint32_t mode, struct iatt *st);
int do_symlink(struct brick *b, const uint8_t *parent, const char *name, unsigned n, const char *target);
int do_lookup(struct brick *b, const uint8_t *parent, const char *name, struct iatt *st);
int do_stat(struct brick *b, const uint8_t *gfid, struct iatt *st);
int do_unlink(struct brick *b, const uint8_t *parent, const char *name);
int do_rmdir(struct brick *b, const uint8_t *parent, const char *name);
int do_rename(struct brick *b, const uint8_t *p1, const char *n1, const uint8_t *p2, const char *n2);
int do_link(struct brick *b, const uint8_t *gfid, const uint8_t *parent, const char *name, struct iatt *st);
int do_write(struct brick *b, const uint8_t *gfid, uint64_t offset, const void *data, uint32_t len, uint32_t flags,
	     struct writev_res *res);
int do_read(struct brick *b, const uint8_t *gfid, uint64_t offset, uint32_t size, struct readv_res *res);

/* An attribute of the object at a path of the local file system, as hex text ("" when absent; static buffer). */
const char *attr_hex(const char *path, const char *name);

#endif
