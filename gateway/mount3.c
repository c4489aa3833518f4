/* gateway/mount3.c: the MOUNT program, versions 3 and 1, over TCP and UDP.
 *
 * MNT hands out the first handle; everything else is bookkeeping for showmount. Nothing depends on the list of mounts:
 * it is bounded, and forgotten at a restart. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/gateway.h"
#include "gateway/status.h"
#include "gateway/verdict.h"
#include "runtime/json_text.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define MOUNTS_MAX 1024
#define READY_NS 10000000000ull
#define TRY_AGAIN_NS 250000000ull
#define MNT_DEADLINE_NS 20000000000ull

struct mount { struct list link; char *host, *path; };
struct mount_list { struct list mounts; unsigned n; };	/* oldest first */

struct mount_list *mount_list_new(void)
{
	struct mount_list *list = calloc(1, sizeof(*list));

	if (list)
		list_init(&list->mounts);
	return list;
}

unsigned mount_list_count(const struct mount_list *list)
{
	return list->n;
}

void mount_list_put(FILE *f, const struct mount_list *list, const char *volume)
{
	const char *comma = "";
	struct list *pos;
	size_t len = strlen(volume);

	fprintf(f, ",\n   \"mounts\": [");
	list_for_each(pos, &list->mounts) {
		const struct mount *m = list_entry(pos, struct mount, link);

		if (strncmp(m->path + 1, volume, len) != 0 || (m->path[1 + len] && m->path[1 + len] != '/'))
			continue;
		fprintf(f, "%s{\"client\": ", comma);
		json_put_text(f, m->host);
		fprintf(f, ", \"path\": ");
		json_put_text(f, m->path);
		fprintf(f, "}");
		comma = ", ";
	}
	fprintf(f, "]");
}

static void forget(struct mount_list *list, struct mount *m)
{
	list_remove(&m->link);
	list->n--;
	free(m->host);
	free(m->path);
	free(m);
}

void mount_list_free(struct mount_list *list)
{
	if (!list)
		return;
	while (!list_empty(&list->mounts))
		forget(list, list_first(&list->mounts, struct mount, link));
	free(list);
}

/* @path NULL: all of @host. */
static void mount_list_remove(struct mount_list *list, const char *host, const char *path)
{
	struct list *pos, *tmp;

	list_for_each_safe(pos, tmp, &list->mounts) {
		struct mount *m = list_entry(pos, struct mount, link);

		if (strcmp(m->host, host) == 0 && (!path || strcmp(m->path, path) == 0))
			forget(list, m);
	}
}

static void mount_list_add(struct mount_list *list, const char *host, const char *path)
{
	struct mount *m;

	mount_list_remove(list, host, path);
	if (list->n == MOUNTS_MAX)
		forget(list, list_first(&list->mounts, struct mount, link));
	m = calloc(1, sizeof(*m));
	if (!m)
		return;
	m->host = strdup(host);
	m->path = strdup(path);
	list_append(&list->mounts, &m->link);
	list->n++;
	if (!m->host || !m->path)
		forget(list, m);
}

/* The peer's address as text, without port and brackets. */
static const char *host_text(const struct rpc_request *rq, char *buf, size_t size)
{
	char *colon, *s = (char *)sockaddr_text((const struct sockaddr *)rq->peer, buf, size);

	colon = strrchr(s, ':');
	if (colon)
		*colon = '\0';
	if (*s == '[') {
		s++;
		s[strcspn(s, "]")] = '\0';
	}
	return s;
}

/* With slashes folded and none at the end. */
static char *path_of(const struct rpc_request *rq, const dirpath *path)
{
	char *s = path->text, *to = s;
	const char *from;

	if (!s || strlen(s) != path->len)
		return NULL;
	for (from = s; *from; from++)
		if (*from != '/' || from[1] != '/')
			*to++ = *from;
	if (to > s + 1 && to[-1] == '/')
		to--;
	*to = '\0';
	return s;
}

/* Everything about one MNT: @why is what to tell about a refusal. */
struct mnt {
	struct gateway *gw;
	struct rpc_request *rq;
	const char *path;
	struct gateway_hold *hold;
	struct verdict_case why;
};

/* -ENOENT: there is no such volume; -EACCES: the path is not exported, or not to the caller. */
static int coroutine_fn find_export(struct mnt *m)
{
	const struct sockaddr *peer = (const struct sockaddr *)m->rq->peer;
	const char *path = m->path;
	struct volume *vol = *path == '/' ? volume_set_find(&m->gw->volumes, path + 1, strcspn(path + 1, "/")) : NULL;
	struct verdict_case *c = &m->why;

	c->no_volume = !vol;
	if (!vol)
		return -ENOENT;
	m->hold = gateway_hold(m->gw, m->rq, vol);
	if (!m->hold)
		return -ENOMEM;
	c->set = m->hold->set;
	c->port = export_port(peer);
	c->wants_name = export_path_needs_name(c->set, path, peer);
	if (c->wants_name)
		peer_name(m->gw->names, peer, &c->name);
	export_decide(m->hold->set, path, peer, c->name, &c->verdict);
	return c->verdict.why == EXPORT_ALLOWED ? 0 : -EACCES;
}

/* The path below the export, "." left out. Below an exported subdirectory it is taken as it is written, and the walk refuses dots. */
static const char *rest_of(struct arena *arena, const struct export_verdict *v)
{
	const char *from = v->rest;
	char *rest = arena_strdup(arena, from), *to = rest;
	size_t len;

	if (!rest || *v->export->subdir)
		return rest;
	for (; *from; from += len) {
		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (!len || (len == 1 && *from == '.'))
			continue;
		if (to > rest)
			*to++ = '/';
		memcpy(to, from, len);
		to += len;
	}
	*to = '\0';
	return rest;
}

/* mount(8) gives up at the first error: where a brick is about to come, waiting is done here. */
static int coroutine_fn walk_patiently(const struct mnt *m, struct iatt *ret_stat)
{
	const struct export_verdict *v = &m->why.verdict;
	struct graph *graph = m->hold->vg->graph;
	struct arena *arena = m->rq->arena;
	uint64_t end = loop_now_ns(graph->loop) + READY_NS;
	const char *rest = rest_of(arena, v);
	uint8_t root[16];
	int ret;

	if (!rest)
		return -ENOMEM;
	do {
		v->export->root_known = false;		/* another directory may have the name by now */
		ret = gateway_export_root(graph, arena, v->export, root);
		if (ret == 0)
			ret = gateway_walk(graph, arena, root, rest, ret_stat);
	} while (status_of(ret) == NFS3ERR_JUKEBOX && loop_now_ns(graph->loop) < end && co_sleep_ns(TRY_AGAIN_NS) == 0);
	return ret;
}

static int coroutine_fn mount_path(struct mnt *m, nfs_fh3 *ret_handle)
{
	struct iatt stat;
	int ret;

	ret = find_export(m);
	if (ret == 0)
		ret = gateway_ready(m->hold, READY_NS);
	if (ret == 0)
		ret = walk_patiently(m, &stat);
	if (ret == 0 && !S_ISDIR(stat.mode))
		ret = -ENOTDIR;
	return ret < 0 ? ret : gateway_handle(m->hold->vg, m->why.verdict.export, &stat, ret_handle);
}

/* The evaluator's sentence, or what came of looking for the directory. */
static void tell_refused(const struct mnt *m, int ret)
{
	bool judged = m->path && (m->why.no_volume || (m->hold && m->why.verdict.why != EXPORT_ALLOWED));
	char *reason = judged ? verdict_text(&m->why) : NULL;
	char text[80];

	log_notice("mount refused", "client=%s path=%s reason=%s",
		   sockaddr_text((const struct sockaddr *)m->rq->peer, text, sizeof(text)), m->path ? log_quote(m->path) : "",
		   log_quote(reason ? reason : ret == -ENOENT ? "the directory does not exist" : strerror(-ret)));
	free(reason);
}

static int coroutine_fn mount3_mnt(struct rpc_request *rq, const void *args, void *res)
{
	struct gateway *gw = rpc_server_user(rq->server);
	struct mnt m = { .gw = gw, .rq = rq, .path = path_of(rq, args), .why.file = gw->exports_file };
	mountres3 *r = res;
	char text[80];
	int ret;

	co_set_deadline(loop_now_ns(gw->loop) + MNT_DEADLINE_NS);
	ret = m.path ? mount_path(&m, &r->mountres3_u.mountinfo.fhandle) : -EINVAL;
	r->fhs_status = status_of_mount(ret);
	if (ret == 0) {
		r->mountres3_u.mountinfo.auth_flavors.n = 1;
		r->mountres3_u.mountinfo.auth_flavors.flavors[0] = RPC_FLAVOR_SYS;
		mount_list_add(gw->mounts, host_text(rq, text, sizeof(text)), m.path);
		log_info("client mounted", "client=%s path=%s", host_text(rq, text, sizeof(text)), log_quote(m.path));
	} else {
		tell_refused(&m, ret);
	}
	return RPC_OK;
}

/* Its handles would be NFSv2's, which is not served. */
static int coroutine_fn mount1_mnt(struct rpc_request *rq, const void *args, void *res)
{
	fhstatus *r = res;

	r->fhs_status = EACCES;
	return RPC_OK;
}

static mount_name name_of(struct arena *arena, const char *text, size_t max)
{
	mount_name name = { .len = (uint32_t)strnlen(text, max) };

	name.text = arena_strndup(arena, text, name.len);
	if (!name.text)
		name.len = 0;
	return name;
}

static int coroutine_fn mount_dump(struct rpc_request *rq, const void *args, void *res)
{
	struct gateway *gw = rpc_server_user(rq->server);
	mountlist *r = res;
	struct list *pos;

	r->entries = arena_alloc(rq->arena, (gw->mounts->n + 1) * sizeof(*r->entries));
	if (!r->entries)
		return RPC_SYSTEM_ERROR;
	list_for_each(pos, &gw->mounts->mounts) {
		struct mount *m = list_entry(pos, struct mount, link);

		r->entries[r->n].ml_hostname = name_of(rq->arena, m->host, MNTNAMLEN);
		r->entries[r->n++].ml_directory = name_of(rq->arena, m->path, MNTPATHLEN);
	}
	return RPC_OK;
}

static int coroutine_fn mount_umnt(struct rpc_request *rq, const void *args, void *res)
{
	struct gateway *gw = rpc_server_user(rq->server);
	const char *path = path_of(rq, args);
	char text[80];

	if (path)
		mount_list_remove(gw->mounts, host_text(rq, text, sizeof(text)), path);
	return RPC_OK;
}

static int coroutine_fn mount_umntall(struct rpc_request *rq, const void *args, void *res)
{
	struct gateway *gw = rpc_server_user(rq->server);
	char text[80];

	mount_list_remove(gw->mounts, host_text(rq, text, sizeof(text)), NULL);
	return RPC_OK;
}

static int coroutine_fn mount_export(struct rpc_request *rq, const void *args, void *res)
{
	struct gateway *gw = rpc_server_user(rq->server);
	struct gateway_hold *hold = gateway_hold(gw, rq, NULL);
	exports *r = res;
	unsigned i, j;

	r->entries = hold ? arena_alloc(rq->arena, (hold->set->n + 1) * sizeof(*r->entries)) : NULL;
	if (!r->entries)
		return RPC_SYSTEM_ERROR;
	for (i = 0; i < hold->set->n; i++) {
		const struct export *ex = &hold->set->exports[i];
		struct exportnode *node;

		if (!ex->nclients || !volume_set_find(&gw->volumes, ex->path + 1, ex->volume_len))
			continue;
		node = &r->entries[r->n++];
		node->ex_dir = name_of(rq->arena, ex->path, MNTPATHLEN);
		node->ex_groups.names = arena_alloc(rq->arena, (ex->nclients + 1) * sizeof(mount_name));
		for (j = 0; node->ex_groups.names && j < ex->nclients; j++)
			if (!ex->clients[j].options.noaccess)
				node->ex_groups.names[node->ex_groups.n++] = name_of(rq->arena, ex->clients[j].spec, MNTNAMLEN);
	}
	return RPC_OK;
}

#define TO(type) (xdrproc_t)xdr_##type
#define COMMON_ROWS \
	[MOUNTPROC3_DUMP] = { "DUMP", mount_dump, NULL, TO(mountlist), 0, sizeof(mountlist), RPC_IDEMPOTENT }, \
	[MOUNTPROC3_UMNT] = { "UMNT", mount_umnt, TO(dirpath), NULL, sizeof(dirpath), 0, RPC_IDEMPOTENT }, \
	[MOUNTPROC3_UMNTALL] = { "UMNTALL", mount_umntall, NULL, NULL, 0, 0, RPC_IDEMPOTENT }, \
	[MOUNTPROC3_EXPORT] = { "EXPORT", mount_export, NULL, TO(exports), 0, sizeof(exports), RPC_IDEMPOTENT }

static const struct rpc_proc mount3_procs[] = {
	[MOUNTPROC3_MNT] = { "MNT", mount3_mnt, TO(dirpath), TO(mountres3), sizeof(dirpath), sizeof(mountres3),
			     RPC_IDEMPOTENT },
	COMMON_ROWS,
};

static const struct rpc_proc mount1_procs[] = {
	[MOUNTPROC3_MNT] = { "MNT", mount1_mnt, TO(dirpath), TO(fhstatus), sizeof(dirpath), sizeof(fhstatus),
			     RPC_IDEMPOTENT },
	COMMON_ROWS,
};

const struct rpc_program mount3_program = { "MOUNT3", MOUNT_PROGRAM, MOUNT_V3, 6, mount3_procs, NULL };
const struct rpc_program mount1_program = { "MOUNT1", MOUNT_PROGRAM, MOUNT_V1, 6, mount1_procs, NULL };
