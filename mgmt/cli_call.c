/* mgmt/cli_call.c: one command to the manager of this host, over its local socket, and the answer back.
 *
 * Whatever goes wrong becomes one sentence with its cure. The answer's bytes are not looked at here: they are parsed on the main stack, which
 * is deep enough for any nesting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "mgmt/cli.h"
#include "rpc/rpc.h"
#include "rpcgen/gate_mgmt.h"
#include "runtime/loop.h"

#define S 1000000000ull
#define ARENA_LIMIT (4u << 20)

struct talk {
	const struct cli_call *call;
	const char *request;
	struct loop *loop;
	struct co_wait connected;
	bool waiting;
	struct timer tick;
	unsigned seconds;
	bool shown;		/* a line of progress stands on the terminal */
	char *answer;
	size_t len;
	int ret;
};

/* --- progress --------------------------------------------------------------------------------------------------- */

static void tick(void *arg)
{
	struct talk *t = arg;

	t->seconds++;
	t->shown = true;
	fprintf(stderr, "\rwaiting for the manager: %u s", t->seconds);
	fflush(stderr);
	timer_arm(t->loop, &t->tick, loop_now_ns(t->loop) + S);
}

static void progress_begin(struct talk *t)
{
	timer_init(&t->tick, tick, t);
	if (t->call->progress)
		timer_arm(t->loop, &t->tick, loop_now_ns(t->loop) + S);
}

static void progress_end(struct talk *t)
{
	timer_cancel(&t->tick);
	if (t->shown)
		fprintf(stderr, "\r%40s\r", "");
}

/* --- the call --------------------------------------------------------------------------------------------------- */

static int coroutine_fn locate(void *user, struct sockaddr_storage *ret_addrs, unsigned max)
{
	const struct talk *t = user;
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, t->call->socket, strlen(t->call->socket));	/* cli_call() has seen that it fits */
	memset(ret_addrs, 0, sizeof(*ret_addrs));
	memcpy(ret_addrs, &un, sizeof(un));
	return 1;
}

static void on_up(void *user)
{
	struct talk *t = user;

	if (t->waiting)
		co_wake(&t->connected, 0);
	t->waiting = false;
}

static void on_down(void *user, int why)
{
	struct talk *t = user;

	if (t->waiting)
		co_wake(&t->connected, why);
	t->waiting = false;
}

static int coroutine_fn exchange(struct talk *t, struct rpc_client *c, struct arena *arena)
{
	struct iobuf *buf = iobuf_new((uint32_t)strlen(t->request));
	struct gate_text question = { { buf, 0, (uint32_t)strlen(t->request) } }, answer = { { NULL } };
	struct rpc_call call = {
		.prog = GATE_MGMT_PROGRAM, .vers = GATE_MGMT_VERSION, .proc = GATE_MGMT_COMMAND, .arena = arena,
		.encode = (xdrproc_t)xdr_gate_text, .decode = (xdrproc_t)xdr_gate_text, .args = &question, .res = &answer,
	};
	int ret;

	if (!buf)
		return -ENOMEM;
	memcpy(buf->data, t->request, question.json.len);
	ret = rpc_client_call(c, &call);
	if (ret == 0) {
		t->len = answer.json.len;
		t->answer = malloc(t->len + 1);
		if (t->answer)
			memcpy(t->answer, payload_data(&answer.json), t->len);
		ret = t->answer ? 0 : -ENOMEM;
	}
	iobuf_unref(buf);
	return ret;
}

static int coroutine_fn wait_connected(struct talk *t)
{
	int ret;

	t->connected = (struct co_wait)CO_WAIT_INIT;
	t->waiting = true;
	ret = co_park(&t->connected);
	t->waiting = false;
	return ret;
}

/* -ENOTCONN from here always means that there was a connection. */
static void coroutine_fn talk(void *arg)
{
	struct talk *t = arg;
	struct rpc_client_conf conf = { .name = "manager", .locate = locate, .up = on_up, .down = on_down, .user = t };
	struct arena *arena = arena_new(ARENA_LIMIT);
	struct rpc_client *c;
	uint64_t old;

	progress_begin(t);
	old = co_set_deadline(loop_now_ns(t->loop) + t->call->timeout_s * S);
	c = rpc_client_new(t->loop, &conf);
	t->ret = c ? wait_connected(t) : -ENOMEM;
	if (t->ret == 0)
		t->ret = exchange(t, c, arena);
	co_restore_deadline(old);
	rpc_client_free(c);
	arena_free(arena);
	progress_end(t);
	loop_stop(t->loop);
}

/* --- what went wrong -------------------------------------------------------------------------------------------- */

static int explain(const struct cli_call *call, int ret, struct error *err)
{
	switch (ret) {
	case -ENOENT:		/* would read as "no such volume" */
	case -ECONNREFUSED:
		return error_set(err, -ECONNREFUSED, "the manager does not run on this host (nobody listens on %s); start it with "
				 "\"systemctl start gatehouse-manager\"", call->socket);
	case -EACCES:
	case -EPERM:
		if (geteuid() != 0)
			return error_set(err, ret, "you are not root, and only root may give commands to the manager; try \"sudo "
					 "gatehouse ...\"");
		return error_set(err, ret, "access to %s is denied even to root; a security module may do that", call->socket);
	case -EAGAIN:
		return error_set(err, ret, "the manager has too many callers at once; try again in a moment");
	case -ETIMEDOUT:
		return error_set(err, ret, "the manager gave no answer for %u s, so the command may be done or not; its log "
				 "/var/log/gatehouse/manager.log may tell why, and --timeout waits longer", call->timeout_s);
	case -ENOTCONN:
		return error_set(err, ret, "the manager ended the connection without an answer, so the command may be done or not; its "
				 "log /var/log/gatehouse/manager.log may tell why");
	case -EPROTO:
	case -EOPNOTSUPP:
		return error_set(err, ret, "what listens on %s does not understand commands; are gatehouse and gatehouse-manager of the "
				 "same version?", call->socket);
	default:
		return error_set(err, ret, "cannot talk to the manager on %s: %s", call->socket, strerror(-ret));
	}
}

int cli_call(const struct cli_call *call, const char *request, char **ret_answer, size_t *ret_len, struct error *err)
{
	struct talk t = { .call = call, .request = request, .ret = -ENOMEM };

	if (strlen(call->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(err, -ENAMETOOLONG, "--socket: the path of a socket has at most 107 bytes");
	if (strlen(request) > CLI_TEXT_MAX)
		return error_set(err, -E2BIG, "the command is longer than 1 MiB; make it shorter");
	t.loop = loop_new(NULL);
	if (t.loop && co_start(t.loop, talk, &t))
		loop_run(t.loop);
	if (t.loop)
		loop_free(t.loop);
	if (t.ret < 0) {
		free(t.answer);
		return explain(call, t.ret, err);
	}
	*ret_answer = t.answer;
	*ret_len = t.len;
	return 0;
}
