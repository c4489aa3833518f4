/* mgmt/document.h: the XML of volumes and hosts, read and written with libxml2 and checked against mgmt/gatehouse.rng.
 *
 * A document that is read, changed and written keeps what this version does not know: elements of a newer one, comments. Parsing never loads
 * anything from outside the text. */
#ifndef MGMT_DOCUMENT_H
#define MGMT_DOCUMENT_H

#include <stddef.h>

#include "mgmt/volume.h"

/* @where stands before the line in sentences: a file's path, or a key of the store. NULL with a sentence: "where:line: what was expected". */
struct volume *volume_parse(const char *text, size_t len, const char *where, struct error *err);
struct host *host_parse(const char *text, size_t len, const char *where, struct error *err);
/* malloc'ed text with a NUL behind it. Never NULL (out of memory aborts). */
char *volume_text(struct volume *v, size_t *ret_len);
char *host_text(struct host *h, size_t *ret_len);
/* An independent copy, with what is not known. */
struct volume *volume_copy(struct volume *v);

/* document_scan.c: 0, or -E2BIG, -EINVAL with a sentence: what would cost the parser or the schema too much. Documents are UTF-8. */
int document_scan(const char *text, size_t len, const char *where, struct error *err);

void document_free(void *document);		/* of a struct's `document`; accepts NULL */

#endif
