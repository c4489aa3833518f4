/* mgmt/store.h: where documents are kept: a directory on this host, or etcd for many hosts. mgmt/README.md tells the keys.
 *
 * The whole store is mirrored in memory and kept current by a watch: reading never waits. A write names the revision it was made from. One
 * loop; functions marked so may park; a store outlives all calls to it. Documents are at most 1 MiB, 100,000 of them. */
#ifndef MGMT_STORE_H
#define MGMT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/coroutine.h"
#include "runtime/error.h"

#define STORE_DOCUMENT_MAX (1u << 20)

struct loop;
struct store;

struct store_doc {
	const char *key;		/* "volumes/demo" */
	const char *text;		/* with a NUL behind it */
	size_t len;
	uint64_t revision;		/* never 0; another one after each change */
};

struct store_conf {
	struct loop *loop;
	/* "dir:/var/lib/gatehouse/store", or "etcd://h1:2379,h2:2379" ("etcds://" under TLS with the files below) */
	const char *url;
	const char *ca, *certificate, *key;	/* PEM files, or NULL */
	const char *prefix;			/* etcd: before every key; NULL: "/gatehouse/" */
	/* A document has come, changed or gone, by whoever: also by our own writes. Runs on the loop's own stack or in the store's coroutine
	 * and never parks. May be NULL. */
	void (*changed)(void *user, const char *key);
	void *user;
};

/* Opens and reads everything once. 0, or -errno with a sentence: the directory cannot be had; an etcd that does not answer is no failure (the
 * mirror is empty then, store_silent_ms() tells, and it comes by itself), unless it refuses us. *ret_store is
 * set before changed() is called. */
int coroutine_fn store_open(const struct store_conf *conf, struct error *err, struct store **ret_store);
void coroutine_fn store_close(struct store *s);		/* what was announced goes away; accepts NULL */

/* From memory. Valid until the next park. NULL when there is none. */
const struct store_doc *store_get(struct store *s, const char *key);
/* Every document whose key begins with @prefix, in order of keys. @fn must not park nor write. */
void store_each(struct store *s, const char *prefix, void (*fn)(void *arg, const struct store_doc *doc), void *arg);

/* Writes durably. @expected: the revision it was made from, 0: there is none yet. 0; -ESTALE (it has changed), -EEXIST (expected 0, but
 * it is there), -EHOSTUNREACH with a sentence (no quorum, nobody answers), -ETIMEDOUT: it may have been written. */
int coroutine_fn store_put(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err);
int coroutine_fn store_delete(struct store *s, const char *key, uint64_t expected, struct error *err);
/* Writes what goes away by itself @ttl_s after the last call, or with us. It is kept alive by the store until announced with NULL; "once"
 * ones (requests, answers) are not kept alive. */
int coroutine_fn store_announce(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once, struct error *err);

/* Everything has been read at least once: what is not in memory is not there. */
bool store_is_loaded(const struct store *s);
/* 0 while the store answers; else for how long it has not. */
uint64_t store_silent_ms(const struct store *s);
const char *store_url(const struct store *s);
bool store_is_shared(const struct store *s);		/* others may use it, too */

/* --- implementations: store.c keeps the mirror and calls these ------------------------------------------------------ */

struct store_ops {
	const char *scheme;		/* what an url begins with */
	int coroutine_fn (*open)(struct store *s, const struct store_conf *conf, struct error *err);
	void coroutine_fn (*close)(struct store *s);
	int coroutine_fn (*put)(struct store *s, const char *key, const char *text, size_t len, uint64_t expected, struct error *err);
	int coroutine_fn (*remove)(struct store *s, const char *key, uint64_t expected, struct error *err);
	int coroutine_fn (*announce)(struct store *s, const char *key, const char *text, size_t len, unsigned ttl_s, bool once,
				     struct error *err);
	uint64_t (*silent_ms)(const struct store *s);
};
extern const struct store_ops store_dir_ops, store_etcd_ops;

void *store_private(const struct store *s);
void store_set_private(struct store *s, void *priv);
const struct store_conf *store_conf(const struct store *s);	/* the texts are copies */
/* The implementation says what is: text NULL: it is gone. Copies; calls changed() when that is news (an older or the same revision is not). */
void store_mirror(struct store *s, const char *key, const char *text, size_t len, uint64_t revision);
/* Everything that is not mirrored again between these two is gone: the first reading, and reading anew after a compaction. */
void store_mirror_begin(struct store *s);
void store_mirror_end(struct store *s);

#endif
