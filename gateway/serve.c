/* gateway/serve.c: start-up, signals and the orderly end.
 *
 * Everything that parks runs in one of a few coroutines: start(), stop() and what a signal or a timer asks for. */
#include "gateway/gatewayd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/state.h"
#include "gateway/volume_dir.h"
#include "rpc/rpcbind.h"
#include "runtime/control.h"
#include "runtime/log.h"

#define DRAIN_NS 30000000000ull
#define HOSTS_TTL_NS 60000000000ull
#define HOSTS_SOON_NS 5000000000ull	/* what did not answer at a reload is asked again */
#define POLL_NS 10000000ull

/* --- host names of exports -------------------------------------------------------------------------------------- */

static void coroutine_fn resolve_hosts(void *arg)
{
	struct gatewayd *d = arg;

	d->resolving = true;
	export_set_resolve(d->gw.exports);
	d->resolving = false;
	if (!d->stopping && d->gw.exports->has_hosts)
		timer_arm(d->loop, &d->hosts_timer, loop_now_ns(d->loop) + HOSTS_TTL_NS);
}

static void hosts_due(void *arg)
{
	struct gatewayd *d = arg;

	if (!d->resolving && !d->stopping)
		co_start(d->loop, resolve_hosts, d);
}

/* A name server that does not answer keeps no new exports waiting: its names follow. */
void coroutine_fn gatewayd_take_exports(struct gatewayd *d, struct export_set *set)
{
	struct export_set *old = d->gw.exports;
	uint64_t deadline = co_set_deadline(loop_now_ns(d->loop) + PEER_NAMES_WAIT_NS);
	unsigned i;

	if (old)
		export_set_inherit(set, old);
	export_set_resolve(set);
	co_restore_deadline(deadline);
	d->gw.exports = set;
	export_set_unref(old);
	for (i = 0; i < set->nwrong; i++)
		log_error("a line of the exports is wrong and is not served, the others are", "reason=%s",
			  log_quote(set->wrong[i].sentence));
	if (set->has_hosts && !d->stopping)
		timer_arm(d->loop, &d->hosts_timer, loop_now_ns(d->loop) + HOSTS_SOON_NS);
}

/* --- SIGHUP ----------------------------------------------------------------------------------------------------- */

struct reading { struct gatewayd *d; struct export_set *set; struct volume_dir dir; struct error err; };

static int read_dir_blocking(void *arg)
{
	struct reading *r = arg;

	return volume_dir_read(r->d->conf.volumes, r->d->exports_path, true, &r->dir, &r->err);
}

static int read_exports_blocking(void *arg)
{
	struct reading *r = arg;

	return volume_one_exports(r->d, &r->set, &r->err);
}

/* Calls in flight keep the set they began with, the next ones get the new one. */
static void coroutine_fn reload_exports(struct gatewayd *d, struct reading *r)
{
	if (loop_offload(read_exports_blocking, r) < 0) {
		log_error("exports were not reloaded, the old ones stay", "reason=\"%s\"", r->err.text);
		return;
	}
	gatewayd_take_exports(d, r->set);
	log_notice("exports reloaded", "exports=%u clients=%u wrong=%u", r->set->n, r->set->nclients, r->set->nwrong);
}

static void coroutine_fn reload_dir(struct gatewayd *d, struct reading *r)
{
	unsigned bad;

	if (loop_offload(read_dir_blocking, r) < 0) {
		log_error("nothing was reloaded, all stays as it was", "reason=\"%s\"", r->err.text);
		return;
	}
	bad = volume_dir_apply(d, &r->dir);
	volume_dir_free(&r->dir);
	log_notice("volumes and exports reloaded", "volumes=%u exports=%u clients=%u wrong=%u", d->gw.volumes.n, d->gw.exports->n,
		   d->gw.exports->nclients, bad);
}

static void coroutine_fn reload_once(struct gatewayd *d)
{
	struct reading *r = calloc(1, sizeof(*r));

	if (log_reopen() < 0)
		log_error("the log file cannot be opened again", "file=%s", d->conf.log_file);
	if (!r)
		return;
	r->d = d;
	if (d->conf.volumes)
		reload_dir(d, r);
	else
		reload_exports(d, r);
	free(r);
}

/* One at a time: what is asked for meanwhile is done after it. */
static void coroutine_fn reload(void *arg)
{
	struct gatewayd *d = arg;

	d->reloader = co_self();
	daemon_notify("RELOADING=1");
	do {
		d->reload_again = false;
		reload_once(d);
	} while (d->reload_again && !d->stopping);
	daemon_notify("READY=1");
	d->reloader = NULL;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void coroutine_fn tear_down(struct gatewayd *d)
{
	uint64_t old = co_set_deadline(loop_now_ns(d->loop) + DRAIN_NS);
	int ret = 0;

	if (d->reloader)
		co_cancel(d->reloader);
	while (d->reloader && ret == 0)
		ret = co_sleep_ns(POLL_NS);
	timer_cancel(&d->hosts_timer);
	volume_server_stop(d->vs);
	d->vs = NULL;
	if (d->rpcbind)
		rpcbind_stop(d->rpcbind);
	d->rpcbind = NULL;
	if (d->gw.tcp)
		ret = rpc_server_drain(d->gw.tcp);
	co_restore_deadline(old);
	if (ret < 0) {			/* they still use all of it: leave it to the kernel */
		log_warning("calls in flight did not end in time and were dropped", "seconds=%d",
			    (int)(DRAIN_NS / 1000000000));
		return;
	}
	if (d->gw.udp)
		rpc_server_drain(d->gw.udp);
	gateway_stop(&d->gw);
	volume_set_stop(&d->gw.volumes);
	volfile_free(d->fetched);
	control_close(d->control);
	d->control = NULL;
	if (d->signals_open)
		daemon_signals_close(&d->signals);
}

static void coroutine_fn stop(void *arg)
{
	struct gatewayd *d = arg;

	daemon_notify("STOPPING=1");
	log_notice("stopping", "connections=%u", d->gw.tcp ? rpc_server_conns(d->gw.tcp) : 0);
	tear_down(d);
	loop_stop(d->loop);
}

/* --- signals ---------------------------------------------------------------------------------------------------- */

static int state_dir_blocking(void *arg)
{
	gatewayd_state_dir(arg);
	return 0;
}

static void coroutine_fn dump(void *arg)
{
	struct gatewayd *d = arg;
	int ret;

	loop_offload(state_dir_blocking, d);
	if (d->stopping)
		return;
	ret = state_dump(&d->gw, d->conf.state_file);
	if (ret < 0)
		log_error("cannot write the state", "file=%s reason=\"%s\"", d->conf.state_file, strerror(-ret));
	else
		log_notice("state written", "file=%s", d->conf.state_file);
}

static void on_signal(void *arg, int signo)
{
	struct gatewayd *d = arg;

	if (d->stopping)
		return;
	if (d->starter && (signo == SIGHUP || signo == SIGUSR1)) {
		log_notice("not yet: still starting", "signal=%d", signo);
		return;
	}
	switch (signo) {
	case SIGHUP:
		d->reload_again = true;
		if (!d->reloader)
			co_start(d->loop, reload, d);
		return;
	case SIGUSR1:
		co_start(d->loop, dump, d);
		return;
	default:
		d->stopping = true;
		if (d->starter)
			co_cancel(d->starter);
		else
			co_start(d->loop, stop, d);
	}
}

/* --- start ------------------------------------------------------------------------------------------------------ */

/* Who may mount must be known before anybody is answered: an export that is missing voids the handles of its clients. */
static int coroutine_fn start_dir(struct gatewayd *d, struct error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	r->d = d;
	ret = loop_offload(read_dir_blocking, r);
	if (ret == 0 && !r->dir.exports)
		ret = error_set(&r->err, -EINVAL, "%s", r->dir.exports_err.text);
	if (ret == 0)
		volume_dir_apply(d, &r->dir);
	else
		error_set(err, ret, "%s", r->err.text);
	volume_dir_free(&r->dir);
	free(r);
	return ret;
}

/* "status". The manager reads it: names stay. */
static bool answer_control(void *arg, const char *word, FILE *f)
{
	if (strcmp(word, "status"))
		return false;
	fprintf(f, "{\"version\": \"%s\", \"pid\": %ld, \"up\": true}\n", PACKAGE_VERSION, (long)getpid());
	return true;
}

static int coroutine_fn bring_up(struct gatewayd *d, struct error *err)
{
	int ret;

	d->gw.loop = d->loop;
	d->gw.exports_file = d->exports_path ? d->exports_path : "--export";
	volume_set_init(&d->gw.volumes);
	timer_init(&d->hosts_timer, hosts_due, d);
	ret = daemon_signals_open(d->loop, &d->signals, on_signal, d);
	d->signals_open = ret == 0;
	if (ret == 0)
		ret = daemon_pid_file(d->conf.pid_file, err);
	if (ret == 0)
		ret = d->conf.volumes ? start_dir(d, err) : volume_one_start(d, err);
	if (ret == 0)
		ret = gateway_serve(&d->gw);
	if (ret == 0 && d->conf.control)
		ret = control_open(d->loop, d->conf.control, answer_control, d, err, &d->control);
	if (ret == 0)
		ret = gatewayd_listen(d, err);
	if (ret < 0)
		return ret;
	gatewayd_register(d);
	return 0;
}

/* A volume that is down must not keep the others from counting as started; a single one that is down is nothing to wait for. */
static void coroutine_fn tell_ready(struct gatewayd *d)
{
	struct volume *vol;
	int ret = 0;

	if (!d->conf.volumes) {
		vol = volume_ref(list_first(&d->gw.volumes.all, struct volume, in_set));
		ret = volume_wait(vol, UINT64_MAX / 4);
		volume_unref(vol);
	}
	if (ret == 0)
		daemon_notify("READY=1");
}

static void coroutine_fn start(void *arg)
{
	struct gatewayd *d = arg;
	int ret;

	d->starter = co_self();
	ret = bring_up(d, &d->err);
	d->starter = NULL;
	if (d->stopping) {
		co_start(d->loop, stop, d);	/* this coroutine was cancelled */
		return;
	}
	if (ret < 0) {
		log_error("cannot start", "reason=\"%s\"", d->err.text[0] ? d->err.text : strerror(-ret));
		d->status = 1;
		tear_down(d);
		loop_stop(d->loop);
		return;
	}
	if (d->conf.volumes)
		log_notice("serving", "volumes=%u port=%d exports=%u", d->gw.volumes.n, (int)d->conf.port, d->gw.exports->n);
	else
		log_notice("serving", "volume=%s port=%d exports=%u", d->conf.volume, (int)d->conf.port, d->gw.exports->n);
	tell_ready(d);
}

void gatewayd_run(struct gatewayd *d)
{
	co_start(d->loop, start, d);
	loop_run(d->loop);
}
