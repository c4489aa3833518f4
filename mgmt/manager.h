/* mgmt/manager.h: what the parts of the manager share: this host, what is known from the store, what runs here. mgmt/README.md tells the plan.
 *
 * One loop; no locks. What is known is parsed as it comes, so a pointer to a volume or host is good until the next park. */
#ifndef MGMT_MANAGER_H
#define MGMT_MANAGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mgmt/store.h"
#include "mgmt/volume.h"
#include "mgmt/volfiles.h"
#include "runtime/daemon.h"
#include "runtime/list.h"
#include "runtime/loop.h"
#include "runtime/sync.h"

#define COMMAND_NS 1800000000ull	/* every command is answered within 2 s */
#define STATUS_TTL_S 5			/* a host that is not heard of for so long is not known */

#define PROBE_MAX (16u << 10)	/* bytes that a probe says at most */

struct rpc_request;
struct rpc_server;
struct tls_context;
struct gate_text;
struct invitation;

struct manager_conf {
	char *state_dir, *run_dir, *log_dir, *store, *host, *listen, *brick_program, *gateway_program, *log_file, *pid_file;
	char *tls_certificate, *tls_key, *tls_ca;
	char *brick_roots;
	bool stop_daemons, no_probe, no_rpcbind, trust_network, help, version;
	int log_level;
	int64_t port, nfs_port, brick_ports;
};

struct known_volume {
	struct volume *v;		/* the last one that was right; NULL: there has been none */
	char *volfiles[VOLFILE_KINDS];	/* known_volfile() has made them; NULL: not yet */
	char *name, *problem;		/* of the document as it is now; NULL: none */
};

struct daemon_said {			/* host_health.c: what a daemon answered last */
	uint64_t silent_ns;		/* since then it does not answer; 0: it does */
	char *down, *trouble;		/* why it serves nothing; what is amiss although it serves. NULL: nothing */
	bool hung, recorded;		/* recorded: which directory it serves has been offered to the volume's document */
};

struct host_brick {			/* one of this host's bricks that runs, or should */
	struct list link;
	struct manager *manager;
	char *volume, *path, *id;	/* id: VOLUME-PATH with dashes */
	char *volfile;			/* its text as it was written */
	uint16_t port;
	uint64_t version;		/* of the volume when this brick was last matched */
	unsigned shared;		/* bricks of the volume on its disk, when that was last found out; 0: never */
	struct process *process;
	struct daemon_said said;
	bool online, probing, wanted, stopping, ended;	/* stopping: its end has begun; ended: its process is gone */
};

struct host_gateway {
	struct process *process;
	struct daemon_said said;
	char *exports;			/* as it was written; NULL: nothing was */
	char **names, **volfiles;	/* of the volumes it was told of */
	unsigned n;
	uint64_t written_ns;		/* when what it reads was changed last, or it was started */
	bool online, probing;
};

struct signed_in { struct list link; char *brick; uint16_t port; int pid; };	/* portmap entries of bricks started by hand */

struct manager {
	struct manager_conf conf;
	struct loop *loop;
	char uuid[GFID_TEXT_SIZE], instance[GFID_TEXT_SIZE];
	char *name;			/* of this host */
	struct host *self;		/* as it should stand in the store */
	struct store *store;
	struct known_volume *volumes;	/* in order of names */
	unsigned nvolumes;
	struct host **hosts;
	unsigned nhosts;
	struct list bricks;		/* struct host_brick */
	struct host_gateway gateway;
	struct list signed_in;
	json_t *statuses, *own_status;	/* knowledge.c: parsed, by uuid; of this host, as of own_status_ns */
	uint64_t own_status_ns;
	struct tls_context *tls_server, *tls_client;	/* of management; borrowed; NULL: plain */
	struct rpc_server *tcp, *local;
	struct invitation *invitation;	/* invite.c; NULL: none */
	struct list spec_readers;	/* programs.c: connections that want to hear of new volfiles */
	struct daemon_signals signals;
	/* reconcile.c */
	uint64_t wanted, reached;	/* counts changes of what is desired, and how far we are */
	struct co_mutex changing;	/* one change of a document after the other: commands here never refuse each other */
	struct co_queue moved;		/* something has come nearer to what is desired */
	struct coroutine *health;	/* host_health_main(), while it runs */
	struct co_wait *idle;		/* the reconciler waits for work */
	struct co_gate background;
	bool reconciling, unfinished;	/* unfinished: something of the last pass failed and is tried again */
	bool store_given;		/* on the command line, which host.xml cannot overrule */
	bool stopping, registered, announce_due, ending, again, signals_open;	/* again: begins anew with what host.xml says now */
	struct error err;
	int status;
};

void manager_stop(struct manager *m);	/* begins the end; once */

/* --- knowledge.c: the store's documents, parsed --- */
void knowledge_changed(struct manager *m, const char *key);	/* store_conf.changed: never parks */
void knowledge_free(struct manager *m);
const struct known_volume *known_volume(const struct manager *m, const char *name);	/* NULL: there is none */
/* Good until the next park; NULL: there is no such volume, or it has never been right. */
const char *known_volfile(struct manager *m, const char *name, enum volfile_kind kind);
const struct host *known_host(const struct manager *m, const char *name);	/* by name, address or uuid; NULL */
bool is_this_host(const struct manager *m, const char *name);	/* also "localhost" and every address of an interface */
bool has_address(const struct manager *m, const char *text);	/* an interface of this host has it, or had a second ago */
/* What a host says of itself (status.c), or NULL when it has not been heard of. A new reference; read only. */
json_t *host_status(struct manager *m, const char *uuid);
const struct volfiles_tls *manager_tls(const struct manager *m);

/* --- reconcile.c --- */
void coroutine_fn reconcile_main(void *manager);
void reconcile_wanted(struct manager *m);			/* something is desired anew */
void reconcile_moved(struct manager *m);			/* something here came or went: wakes who waits, announces */
/* Parks until this host is as desired, and the bricks of @volume (NULL: any) here are online; or the deadline. 0 or -ETIMEDOUT. */
int coroutine_fn reconcile_settled(struct manager *m, const char *volume);
void coroutine_fn reconcile_end(struct manager *m);		/* waits until the pass that is going on has ended; it is the last */
void coroutine_fn reconcile_stop(struct manager *m);

/* --- host_bricks.c --- */
void coroutine_fn host_bricks_match(struct manager *m);
struct host_brick *host_brick_find(const struct manager *m, const char *volume, const char *path);
char *host_brick_id(const char *volume, const char *path);	/* VOLUME-PATH with dashes: its files' names. malloc'ed */
char *host_brick_control(const struct manager *m, uint16_t port);	/* its control socket; malloc'ed */
void coroutine_fn host_bricks_stop(struct manager *m);
void host_bricks_leave(struct manager *m);
/* For how many bricks of @v the disk of each one here is one; *ret_shared: of each brick, malloc'ed. Looks at disks, and parks. */
void coroutine_fn host_bricks_shared(struct manager *m, const struct volume *v, unsigned **ret_shared);
char *host_brick_volfile(const struct manager *m, const struct volume *v, unsigned brick, unsigned shared);
bool host_bricks_online(const struct manager *m, const char *volume);	/* every one that should be */
/* Parks until the process of @alive accepts at its port, which may change meanwhile; false: it died first, or we stop. */
bool coroutine_fn await_port(struct manager *m, const uint16_t *port, struct process *const *alive);

/* --- host_gateway.c --- */
void coroutine_fn host_gateway_match(struct manager *m);
char *host_gateway_control(const struct manager *m);
void coroutine_fn host_gateway_stop(struct manager *m);
void host_gateway_leave(struct manager *m);

/* --- host_health.c --- */
void coroutine_fn host_health_main(void *manager);
void daemon_said_clear(struct daemon_said *s);	/* its process is another one, or gone */
/* Why a daemon that runs is not online; malloc'ed, NULL: it is. */
char *daemon_reason(const struct manager *m, const struct daemon_said *s, const struct process *p);

/* --- status.c --- */
json_t *status_of_this_host(const struct manager *m);
json_t *status_indexed(json_t *status);		/* the same object, in which status_brick() finds quickly */
json_t *status_brick(const json_t *status, const char *volume, const char *path);	/* borrowed; NULL: it says nothing of it */
void coroutine_fn status_announce(struct manager *m);

/* --- requests.c: questions to one host; our own answers come at once --- */
/* *ret_answer: {"status":, "error":, "result":}, a new reference. 0; -EHOSTUNREACH with a sentence: it does not answer. */
int coroutine_fn request_ask(struct manager *m, const char *host_uuid, const char *what, json_t *args, json_t **ret_answer, struct error *err);
void requests_changed(struct manager *m, const char *key);	/* never parks */

/* --- programs.c: the services on TCP and on the unix socket --- */
int coroutine_fn programs_serve(struct manager *m, struct error *err);
void coroutine_fn programs_stop(struct manager *m);
/* Of our own program: the text of a call, parsed (NULL: there is none, or it is longer than @max), and its answer, which it takes over. */
json_t *programs_request(const struct gate_text *req, size_t max);
int programs_answer(struct rpc_request *rq, json_t *answer, struct gate_text *res);
void programs_volume_changed(struct manager *m, const char *volume);	/* who has its volfile is told to fetch it again */

/* --- command_brick.c --- */
/* Writes down which directory a brick of this host is, unless that is written already. */
void coroutine_fn brick_record_first(struct manager *m, const char *volume, const char *path, const char *identity);

/* --- command.c --- */
/* Answers one command; @request is borrowed, the answer a new reference. Never NULL. */
json_t *coroutine_fn command_run(struct manager *m, json_t *request);

/* --- join.c: the probe, and the settings of this host --- */
int host_settings_load(struct manager *m, struct error *err);	/* host.xml; made when missing. Blocks: start-up */
int coroutine_fn host_register(struct manager *m, struct error *err);	/* hosts/UUID as it should be */
/* How the host that asks has proved who it is: not at all, by a port below 1024, by a word of `peer invite`, by a host's certificate. */
enum join_proof { JOIN_NO_PROOF, JOIN_PORT, JOIN_WORD, JOIN_CERTIFICATE };
json_t *coroutine_fn join_answer(struct manager *m, json_t *request, enum join_proof proof);
/* @word: of `peer invite` at @host; NULL: by certificates, or none where the network is trusted. */
int coroutine_fn join_probe(struct manager *m, const char *host, const char *word, json_t **ret_answer, struct error *err);
int coroutine_fn join_by_word(struct manager *m, const char *host, const char *word, json_t **ret_answer, struct error *err);
void join_leave_cluster(struct manager *m);			/* our document is gone: back to a store of our own */

/* --- invite.c: a word that lets one host join once --- */
json_t *coroutine_fn invite_new(struct manager *m);		/* answers the command; an earlier word ends */
void coroutine_fn invite_end(struct manager *m);		/* if there is one */

#endif
