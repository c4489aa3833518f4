/* mgmt/volume.h: what the store's documents say, as structs: a volume with its bricks and options, and a host.
 *
 * Plain values, owned by the struct they stand in and made by malloc. A struct that came out of a document (document.h) remembers it, so that
 * what it does not know is still there when it is written again. */
#ifndef MGMT_VOLUME_H
#define MGMT_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/error.h"
#include "xlators/gfid.h"

#define VOLUME_NAME_MAX 255
#define VOLUME_KEY_SIZE 32

enum volume_state { VOLUME_CREATED, VOLUME_STARTED, VOLUME_STOPPED };

struct volume_brick {
	char *host;			/* as the administrator named it: what clients connect to */
	char *host_id;			/* the uuid of the host that has it */
	char *path;			/* absolute, no slash at the end */
	char *identity;			/* which directory of which file system was marked (xlators/brick_identity.h); NULL: not recorded */
	bool arbiter;
};

struct volume_option { char *name, *value; };	/* names as of `volume set`: "cluster.quorum-type" */

struct volume {
	char *name;
	uint8_t id[16];
	enum volume_state state;
	unsigned replica, arbiter;	/* replica 1: only distributed. arbiter 1: the last brick of each set keeps no data */
	unsigned nbricks, noptions;
	struct volume_brick *bricks;	/* set after set, @replica bricks each */
	struct volume_option *options;	/* sorted by name */
	uint8_t handle_key[VOLUME_KEY_SIZE];	/* signs file handles on every gateway */
	char login[2][GFID_TEXT_SIZE];	/* username and password of trusted clients, uuids */
	bool login_only;		/* auth.allow is "none" unless set; volumes from before that have "*" */
	uint64_t version;		/* counts changes */
	uint64_t revision;		/* of the document in the store; 0: not stored yet */
	void *document;			/* document.c's; NULL: made here */
};

struct host {
	char uuid[GFID_TEXT_SIZE];
	char *name;			/* what others call it */
	unsigned naddresses;
	char **addresses;		/* more names and addresses it is known by */
	char *store;			/* only in the host's own host.xml: the store's url; NULL: the default */
	uint64_t revision;
	void *document;
};

struct volume *volume_new(const char *name);		/* zeroed otherwise; never NULL (out of memory aborts) */
void volume_free(struct volume *v);			/* accepts NULL */
void volume_add_brick(struct volume *v, const char *host, const char *host_id, const char *path, bool arbiter);
void volume_brick_set_identity(struct volume_brick *b, const char *identity);	/* NULL or "": none */
/* NULL when it is not set. Setting NULL unsets. */
const char *volume_option(const struct volume *v, const char *name);
void volume_set_option(struct volume *v, const char *name, const char *value);
unsigned volume_sets(const struct volume *v);		/* how many replica sets, or bricks when there are none */
/* 0, or -EINVAL with what is wrong with the name. */
int volume_name_check(const char *name, struct error *err);
/* A name or an address that can stand in a document, a volfile and a brick's name: 0, or -EINVAL with a sentence. */
int host_name_check(const char *name, struct error *err);
/* "VOLUME-client-N", as GlusterFS names it. Returns @buf. */
const char *volume_client_name(const struct volume *v, unsigned brick, char *buf, unsigned size);
/* "/b/one" to "b-one": how files that belong to a brick are named. Returns @buf. */
const char *brick_path_dashes(const char *path, char *buf, unsigned size);
const char *volume_state_word(enum volume_state state);	/* "Created", "Started", "Stopped" */

struct host *host_new(const char *uuid, const char *name);
void host_free(struct host *h);				/* accepts NULL */
bool host_is(const struct host *h, const char *name);	/* its name, uuid or one of its addresses */
void host_add_address(struct host *h, const char *address);

#endif
