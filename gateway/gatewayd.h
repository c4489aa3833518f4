/* gateway/gatewayd.h: what the files of the daemon share: the gateway with its configuration, sockets and signals around it. */
#ifndef GATEWAY_GATEWAYD_H
#define GATEWAY_GATEWAYD_H

#include "gateway/gateway.h"
#include "gateway/volume_server.h"
#include "runtime/daemon.h"

struct conf {
	char *volfile, *volfile_server, *volfile_id, *volumes;
	char *volume, *volume_id, *exports, *export, *listen, *handle_key, *log_file, *pid_file, *state_file, *control, *test_export;
	bool embed, create, no_rpcbind, check, json, help, version;
	int log_level;
	int64_t replica, port, idle_inodes;
	uint64_t cache_size;
};

struct gatewayd {
	struct conf conf;
	char *export_words, *servers, *tests;	/* what options that may be repeated said in all; NULL: nothing */
	char *exports_path;		/* --exports, or the one in --volumes */
	const char **dirs;
	unsigned ndirs;
	struct loop *loop;
	struct gateway gw;
	struct volume_server *vs;	/* where the volfile comes from; NULL: from files */
	struct volfile *fetched;	/* arrived from there, not in use yet */
	struct coroutine *starter, *reloader;	/* while that goes on */
	struct rpcbind *rpcbind;
	struct daemon_signals signals;
	struct control *control;
	struct timer hosts_timer;
	struct error err;		/* why it cannot start */
	bool v4, v6, udp4, udp6, signals_open, stopping, resolving, reload_again;
	int status;
};

#define RELOAD_WAIT_NS 10000000000ull	/* for new graphs of volumes, before they take over not being up yet */

/* serve.c: from start to end, in coroutines of its own; loop_run() then returns and d->status is the exit status. */
void gatewayd_run(struct gatewayd *d);
/* Serves @set from here on; it is taken over. Waits for host names, but not for long. */
void coroutine_fn gatewayd_take_exports(struct gatewayd *d, struct export_set *set);

/* listen.c: each address of --listen. A host without IPv6 is no failure while something else is listened on. */
int coroutine_fn gatewayd_listen(struct gatewayd *d, struct error *err);
void gatewayd_register(struct gatewayd *d);

/* volume_one.c: the set of one volume: --volfile, --volfile-server, --embed. */
int coroutine_fn volume_one_start(struct gatewayd *d, struct error *err);
int volume_one_exports(struct gatewayd *d, struct export_set **ret_set, struct error *err);	/* blocks */
struct volfile *volume_one_read(struct gatewayd *d, const uint8_t *id, struct error *err);	/* blocks; not --volfile-server */

/* privileges.c: before anything runs. 0 or -errno with a sentence. */
int gatewayd_drop_privileges(const struct gatewayd *d, struct error *err);

/* main.c */
void gatewayd_state_dir(struct gatewayd *d);	/* makes the default one; blocks */
bool gatewayd_bad_name(const char *name);	/* of a volume */

/* check.c: --check and --test-export: the exit status. They block. */
int gatewayd_check(struct gatewayd *d);
int gatewayd_test_export(struct gatewayd *d);

#endif
