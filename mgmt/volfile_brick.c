/* mgmt/volfile_brick.c: one brick of a volume: its layers from the disk up, named as glusterd names them, and who may come.
 *
 * The port is not here: the manager chooses it when it starts the brick, and the clients ask the manager. */
#include <stdlib.h>
#include <string.h>

#include "mgmt/text.h"
#include "mgmt/volfile_options.h"
#include "mgmt/volfile_text.h"
#include "xlators/brick_identity.h"

struct writer {
	FILE *f;
	const struct volume *v;
	const struct volume_brick *b;
	const struct brick_facts *facts;
	char id[GFID_TEXT_SIZE];
	char below[VOLUME_NAME_MAX + 32];	/* the section written last */
};

static void begin(struct writer *w, const char *part, const char *type)
{
	put_section(w->f, type, "%s-%s", w->v->name, part);
}

static void end(struct writer *w, const char *part, const char *type)
{
	put_options(w->f, w->v, PLACE(PLACE_BRICK), type, false);
	put_end(w->f, w->below[0] ? w->below : NULL);
	snprintf(w->below, sizeof(w->below), "%s-%s", w->v->name, part);
}

static void put_layer(struct writer *w, const char *part, const char *type)
{
	begin(w, part, type);
	end(w, part, type);
}

static void put_posix(struct writer *w)
{
	begin(w, "posix", "storage/posix");
	put_option(w->f, "directory", w->b->path);
	put_option(w->f, "volume-id", w->id);
	put_option(w->f, "identity", w->b->identity ? w->b->identity : IDENTITY_UNKNOWN);
	put_option(w->f, "glusterd-uuid", w->facts->host_uuid);
	put_option(w->f, "hostname", w->facts->hostname);
	put_optionf(w->f, "shared-brick-count", "%u", w->facts->shared_brick_count ? w->facts->shared_brick_count : 1);
	end(w, "posix", "storage/posix");
}

static void put_index(struct writer *w)
{
	begin(w, "index", "features/index");
	put_optionf(w->f, "index-base", "%s/.glusterfs/indices", w->b->path);
	put_option(w->f, "xattrop-dirty-watchlist", "trusted.afr.dirty");
	put_optionf(w->f, "xattrop-pending-watchlist", "trusted.afr.%s-", w->v->name);
	end(w, "index", "features/index");
}

/* @before and @after the brick's name, as in auth.addr.NAME.allow. */
static void put_auth(const struct writer *w, const char *before, const char *name, const char *after, const char *value)
{
	char *key;

	if (!value || !*value)
		return;
	key = format("%s%s%s", before, name, after);
	put_option(w->f, key, value);
	free(key);
}

static const char *unless_none(const char *list)
{
	return strcmp(list, "none") == 0 ? NULL : list;
}

static void put_server(const struct writer *w)
{
	const char *allow = volume_option_effective(w->v, "auth.allow"), *reject = volume_option_effective(w->v, "auth.reject");

	put_section(w->f, "protocol/server", "%s-server", w->v->name);
	put_option(w->f, "transport-type", "tcp");
	/* with nobody in it the list must still stand there: without one everybody may come */
	put_auth(w, "auth.addr.", w->b->path, ".allow", unless_none(allow) ? allow : "none");
	put_auth(w, "auth.addr.", w->b->path, ".reject", unless_none(reject));
	put_auth(w, "auth.login.", w->b->path, ".allow", w->v->login[0]);
	put_auth(w, "auth.login.", w->v->login[0], ".password", w->v->login[0][0] ? w->v->login[1] : NULL);
	put_auth(w, "auth.login.", w->b->path, ".ssl-allow", volume_option(w->v, "auth.ssl-allow"));
	put_option(w->f, "auth-path", w->b->path);
	put_tls(w->f, w->v, "server.ssl", w->facts->tls);
	put_end(w->f, w->b->path);
}

char *volfile_for_brick(const struct volume *v, unsigned brick, const struct brick_facts *facts)
{
	struct writer w = { .v = v, .b = &v->bricks[brick], .facts = facts };
	struct text t;

	text_open(&t);
	w.f = t.f;
	gfid_text(v->id, w.id);
	put_posix(&w);
	if (w.b->arbiter)
		put_layer(&w, "arbiter", "features/arbiter");
	put_layer(&w, "access-control", "features/access-control");
	put_layer(&w, "locks", "features/locks");
	put_layer(&w, "upcall", "features/upcall");
	put_layer(&w, "selinux", "features/selinux");
	put_index(&w);
	put_section(w.f, "debug/io-stats", "%s", w.b->path);
	put_option(w.f, "volume-id", w.id);
	put_option(w.f, "unique-id", w.b->path);
	put_end(w.f, w.below);
	put_server(&w);
	return text_close(&t);
}
