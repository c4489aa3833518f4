/* xlators/protocol/gfwire_impl.h: what the files of gfwire share: dictionaries to typed fields, and the conversions named by the table. */
#ifndef XLATORS_PROTOCOL_GFWIRE_IMPL_H
#define XLATORS_PROTOCOL_GFWIRE_IMPL_H

#include "xlators/gfwire.h"

#define GFWIRE_PUT_ARGS(name) int gfwire_put_##name##_args(struct gfwire *gw, const void *from, void *to)
#define GFWIRE_GET_ARGS(name) int gfwire_get_##name##_args(struct gfwire *gw, const void *from, void *to)
#define GFWIRE_PUT_RES(name) int gfwire_put_##name##_res(struct gfwire *gw, const void *args, const void *from, void *to)
#define GFWIRE_GET_RES(name) int gfwire_get_##name##_res(struct gfwire *gw, const void *args, const void *from, void *to)
#define GFWIRE_PUT_ERROR(name) void gfwire_put_##name##_error(struct gfwire *gw, const void *args, const void *from, void *to)
#define GFWIRE_GET_ERROR(name) void gfwire_get_##name##_error(struct gfwire *gw, const void *args, const void *from, void *to)

#define GFWIRE_ARGS(F) \
	F(stat) F(fstat) F(readlink) F(mknod) F(mkdir) F(unlink) F(rmdir) F(symlink) F(rename) F(link) F(truncate) \
	F(open) F(read) F(write) F(statfs) F(flush) F(fsync) F(setxattr) F(getxattr) F(removexattr) F(opendir) F(fsyncdir) \
	F(access) F(create) F(ftruncate) F(lk) F(lookup) F(readdir) F(readdirp) F(inodelk) F(finodelk) F(entrylk) \
	F(fentrylk) F(xattrop) F(fxattrop) F(fgetxattr) F(fsetxattr) F(rchecksum) F(setattr) F(fsetattr) F(fremovexattr) \
	F(fallocate) F(discard) F(zerofill) F(seek)
#define GFWIRE_RESULTS(F) \
	F(stat) F(readlink) F(entry) F(mkentry) F(parents) F(unlink) F(rename) F(prepost) F(open) F(opendir) F(read) F(write) \
	F(statfs) F(nothing) F(fsync) F(setxattr) F(getxattr) F(access) F(create) F(lk) F(lookup) F(readdir) F(readdirp) \
	F(xattrop) F(rchecksum) F(seek)

#define F(name) GFWIRE_PUT_ARGS(name); GFWIRE_GET_ARGS(name);
GFWIRE_ARGS(F)
#undef F
#define F(name) GFWIRE_PUT_RES(name); GFWIRE_GET_RES(name);
GFWIRE_RESULTS(F)
#undef F
GFWIRE_PUT_ERROR(lookup);
GFWIRE_GET_ERROR(lookup);
GFWIRE_PUT_ERROR(mknod);
GFWIRE_GET_ERROR(mknod);
GFWIRE_PUT_ERROR(mkdir);
GFWIRE_GET_ERROR(mkdir);
GFWIRE_PUT_ERROR(create);
GFWIRE_GET_ERROR(create);

/* gfwire_dict.c. Adding to a dictionary needs dict_init() once; these do it. */
struct gfwire_ask {			/* what a request's dictionary asks to have in the reply's */
	const struct xattr_want *want;
	uint32_t count;
	const char *count_domain;
	uint32_t content_max;
	const uint8_t *gfid_req;
	bool gfidless, list_xattr;
};
int gfwire_put_ask(struct gfwire *gw, gfx_dict *d, const struct gfwire_ask *ask);
int gfwire_get_ask(struct gfwire *gw, const gfx_dict *d, struct gfwire_ask *ask);
/* The answers: counters as far as asked for by @count, then attributes. */
int gfwire_put_counts(struct gfwire *gw, gfx_dict *d, uint32_t count, const struct counts *counts);
void gfwire_get_counts(const gfx_dict *d, struct counts *counts);
int gfwire_put_xattrs(struct gfwire *gw, gfx_dict *d, const struct xattrs *set);
int gfwire_get_xattrs(struct gfwire *gw, const gfx_dict *d, struct xattrs *set);		/* all pairs */
int gfwire_get_answers(struct gfwire *gw, const gfx_dict *d, struct xattrs *set, struct counts *counts);

/* Creation: gfid, attributes of the new object, the check on the parent. */
struct gfwire_new {
	const uint8_t *gfid;
	const struct xattrs *xattrs;	/* put */
	struct xattrs found;		/* get */
	struct preop preop;
	bool internal, force_replace;
};
int gfwire_put_new(struct gfwire *gw, gfx_dict *d, const struct gfwire_new *n);
int gfwire_get_new(struct gfwire *gw, const gfx_dict *d, struct gfwire_new *n);
int gfwire_put_flag(struct gfwire *gw, gfx_dict *d, const char *key, bool set);	/* "yes" */
bool gfwire_get_flag(const gfx_dict *d, const char *key);				/* there at all, and not 0 */

#define KEY_INTERNAL "glusterfs-internal-fop"
#define KEY_SYNC_XATTRS "sync_backend_xattrs"	/* SETXATTR of distribute's healing */
#define KEY_FORCE_REPLACE "force-replace"
#define KEY_DONT_ACCOUNT "glusters.marker.dont-account"
#define KEY_PREOP_FAILED "glusterfs.preop.check.failed"
#define KEY_LINK_COUNT "get-link-count"

#endif
