/* mgmt/command.h: the commands, one function each, by the contract of mgmt/README.md. */
#ifndef MGMT_COMMAND_H
#define MGMT_COMMAND_H

#include "mgmt/json.h"
#include "mgmt/manager.h"

/* @rq is borrowed; the answer a new reference, never NULL. May park until the coroutine's deadline. */
typedef json_t *coroutine_fn command_fn(struct manager *m, json_t *rq);

/* command_volume.c: what changes which volumes there are and whether they run */
command_fn command_volume_create, command_volume_start, command_volume_stop, command_volume_delete;
/* command_brick.c */
command_fn command_brick_accept;
/* command_info.c: what is desired, and what is */
command_fn command_volume_list, command_volume_info, command_volume_status, command_volume_log;
/* command_options.c */
command_fn command_volume_set, command_volume_reset, command_volume_get, command_volume_help;
/* command_cluster.c */
command_fn command_peer_invite, command_peer_join;
command_fn command_peer_probe, command_peer_detach, command_peer_status, command_version, command_config_check;
/* command_exports.c */
command_fn command_exports_show, command_exports_test;

typedef int volume_change(struct manager *m, struct volume *v, void *arg, struct error *err);
/* Changes a volume's document: @change(copy, arg) edits a copy, or refuses with -errno and a sentence. When the document has changed meanwhile
 * it is tried again on the new one. 0 or -errno with a sentence. */
int coroutine_fn change_volume(struct manager *m, const char *name, volume_change *change, void *arg, struct error *err);
/* Writes @v, changed by one, in place of revision @expected (0: there is none). 0 or -errno; a sentence unless it is -ESTALE or -EEXIST. */
int coroutine_fn store_volume(struct manager *m, struct volume *v, uint64_t expected, struct error *err);
/* The volume that @rq names, or NULL with a sentence. Valid until the next park. */
struct volume *named_volume(const struct manager *m, const json_t *rq, struct error *err);
/* A success with "message", as GlusterFS words it. */
json_t *success_message(json_t *result, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void add_warning(json_t *answer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void add_unreachable(json_t *answer, const char *host, const char *reason);
/* "HOST:DIR" */
char *brick_name(const struct volume_brick *b);
/* gateway_loaded.c: what this host's gateway holds and what is stored, where they differ: a sentence each. @volume NULL: of all. */
typedef void gateway_differs(void *arg, const char *volume, const char *problem);
void coroutine_fn gateway_differences(struct manager *m, gateway_differs *tell, void *arg);
void coroutine_fn warn_of_gateway(struct manager *m, const char *volume, json_t *answer);
/* command_exports.c: warns when no client may create anything at the volume's root. */
void coroutine_fn warn_of_closed_root(struct manager *m, const char *name, json_t *answer);
json_t *brick_status_json(struct manager *m, const struct volume *v, unsigned brick);

#endif
