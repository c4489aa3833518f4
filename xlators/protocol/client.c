/* xlators/protocol/client.c: protocol/client: a brick on the other end of a TCP connection.
 *
 * Objects go by gfid, without opening them: a brick knows an anonymous fd. Not connected means -ENOTCONN at once; a call whose connection
 * breaks ends with -ENOTCONN and may have been executed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rpc/tls.h"
#include "runtime/log.h"
#include "xlators/graph.h"
#include "xlators/protocol/client.h"

/* --- fds: only where somebody opens; gateways do not --- */

struct remote_fd {
	struct pclient *pc;
	uint64_t epoch;			/* of the connection it was opened on: another one's brick does not know it */
	int64_t number;
	bool dir;
};

static void fd_close_remote(struct fd *fd);

static int64_t fd_number(const struct pclient *pc, const struct fd *fd)
{
	const struct remote_fd *r;

	if (!fd || fd->close != fd_close_remote)
		return GF_FD_ANONYMOUS;
	r = fd->handle;
	return r->pc == pc && r->epoch == rpc_client_epoch(pc->rpc) ? r->number : GF_FD_ANONYMOUS;
}

struct release_job { struct pclient *pc; uint8_t gfid[16]; int64_t number; bool dir; };

static void coroutine_fn release_run(void *arg)
{
	struct release_job *job = arg;
	struct gf_release_req req = { .fd = job->number };
	struct gf_common_rsp rsp = { 0 };
	struct rpc_call rc = {
		.prog = GF_FOP_PROGRAM, .vers = GF_FOP_VERSION, .proc = job->dir ? GF_FOP_RELEASEDIR : GF_FOP_RELEASE, .args = &req, .res = &rsp,
	};
	struct call call;

	memcpy(req.gfid, job->gfid, 16);
	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_release_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gf_common_rsp;
	call_init(&call, arena_new(4096));
	client_rpc(job->pc, &call, &rc);	/* the brick forgets it at the end of the connection anyway */
	arena_free(call.arena);
	co_gate_leave(&job->pc->background);
	free(job);
}

static void release(struct pclient *pc, const uint8_t *gfid, int64_t number, bool dir)
{
	struct release_job *job;

	if (pc->stopping || number < 0 || !co_gate_enter(&pc->background))
		return;
	job = malloc(sizeof(*job));
	if (job) {
		*job = (struct release_job){ .pc = pc, .number = number, .dir = dir };
		memcpy(job->gfid, gfid, 16);
	}
	if (!job || !co_start(xl_loop(pc->xl), release_run, job)) {
		co_gate_leave(&pc->background);
		free(job);
	}
}

static void fd_close_remote(struct fd *fd)
{
	struct remote_fd *r = fd->handle;

	if (r->epoch == rpc_client_epoch(r->pc->rpc))
		release(r->pc, fd->inode->gfid, r->number, r->dir);
	free(r);
}

static int make_fd(struct pclient *pc, struct inode *inode, int flags, int64_t number, bool dir, struct fd **ret_fd)
{
	struct remote_fd *r = malloc(sizeof(*r));
	struct fd *fd = r ? fd_new(inode, flags) : NULL;

	if (!fd) {
		free(r);
		release(pc, inode->gfid, number, dir);
		return -ENOMEM;
	}
	*r = (struct remote_fd){ pc, rpc_client_epoch(pc->rpc), number, dir };
	fd->handle = r;
	fd->close = fd_close_remote;
	*ret_fd = fd;
	return 0;
}

/* --- fops --- */

static int coroutine_fn ask(struct xlator *xl, struct call *call, enum fop fop, uint32_t proc, struct fd *fd, const void *args, void *res)
{
	struct pclient *pc = xl->priv;
	bool commit = client_needs_commit(call, fop);
	struct client_op op = { fop, proc, commit && pc->extension, fd_number(pc, fd) };
	int ret = client_send(pc, call, &op, args, res);

	if (ret || !commit || op.durable)
		return ret;
	return client_make_durable(pc, call, fop, args, res);
}

#define BY_GFID(fop, PROC) \
	static int coroutine_fn client_##fop(struct xlator *xl, struct call *call, const struct fop##_args *args, struct fop##_res *res) \
	{ \
		return ask(xl, call, FOP_##fop, GF_FOP_##PROC, NULL, args, res); \
	}
#define BY_FD(fop, PROC) \
	static int coroutine_fn client_##fop(struct xlator *xl, struct call *call, const struct fop##_args *args, struct fop##_res *res) \
	{ \
		return ask(xl, call, FOP_##fop, GF_FOP_##PROC, args->fd, args, res); \
	}
#define BY_EITHER(fop, PROC, FPROC) \
	static int coroutine_fn client_##fop(struct xlator *xl, struct call *call, const struct fop##_args *args, struct fop##_res *res) \
	{ \
		return ask(xl, call, FOP_##fop, args->fd ? GF_FOP_##FPROC : GF_FOP_##PROC, args->fd, args, res); \
	}
BY_GFID(readlink, READLINK)
BY_GFID(mkdir, MKDIR)
BY_GFID(unlink, UNLINK)
BY_GFID(rmdir, RMDIR)
BY_GFID(symlink, SYMLINK)
BY_GFID(rename, RENAME)
BY_GFID(link, LINK)
BY_GFID(statfs, STATFS)
BY_FD(readv, READ)
BY_FD(writev, WRITE)
BY_FD(fsync, FSYNC)
BY_FD(fsyncdir, FSYNCDIR)
BY_FD(rchecksum, RCHECKSUM)
BY_FD(fallocate, FALLOCATE)
BY_FD(discard, DISCARD)
BY_FD(zerofill, ZEROFILL)
BY_FD(seek, SEEK)
BY_EITHER(stat, STAT, FSTAT)
BY_EITHER(setxattr, SETXATTR, FSETXATTR)
BY_EITHER(getxattr, GETXATTR, FGETXATTR)
BY_EITHER(removexattr, REMOVEXATTR, FREMOVEXATTR)
BY_EITHER(xattrop, XATTROP, FXATTROP)
BY_EITHER(setattr, SETATTR, FSETATTR)

static int coroutine_fn client_lookup(struct xlator *xl, struct call *call, const struct lookup_args *args, struct lookup_res *res)
{
	struct lookup_args asking = *args;
	struct xattr_want times;
	int ret;

	asking.want = args->name ? client_want_times(xl->priv, args->want, &times) : args->want;
	ret = ask(xl, call, FOP_lookup, GF_FOP_LOOKUP, NULL, &asking, res);
	if (ret == 0 && asking.want != args->want)
		client_check_times(xl->priv, call, res);
	return ret;
}

/* A stock brick compares the parent's attribute for MKDIR and CREATE only. What it does not know it stores on the new object. */
static int coroutine_fn client_mknod(struct xlator *xl, struct call *call, const struct mknod_args *args, struct mknod_res *res)
{
	const struct pclient *pc = xl->priv;
	struct mknod_args unchecked = *args;

	unchecked.preop.key = NULL;
	return ask(xl, call, FOP_mknod, GF_FOP_MKNOD, NULL, pc->extension ? args : &unchecked, res);
}

static int coroutine_fn client_truncate(struct xlator *xl, struct call *call, const struct truncate_args *args, struct truncate_res *res)
{
	return ask(xl, call, FOP_truncate, args->fd || args->handle ? GF_FOP_FTRUNCATE : GF_FOP_TRUNCATE, args->fd, args, res);
}

/* Nothing to close without an fd. */
static int coroutine_fn client_flush(struct xlator *xl, struct call *call, const struct flush_args *args, struct flush_res *res)
{
	return fd_number(xl->priv, args->fd) < 0 ? 0 : ask(xl, call, FOP_flush, GF_FOP_FLUSH, args->fd, args, res);
}

static int coroutine_fn client_open(struct xlator *xl, struct call *call, const struct open_args *args, struct open_res *res)
{
	struct client_op op = { FOP_open, GF_FOP_OPEN, false, GF_FD_ANONYMOUS };
	int ret = client_send(xl->priv, call, &op, args, res);

	return ret ? ret : make_fd(xl->priv, args->inode, (int)args->flags, op.fd, false, &res->fd);
}

static int coroutine_fn client_opendir(struct xlator *xl, struct call *call, const struct opendir_args *args, struct opendir_res *res)
{
	struct client_op op = { FOP_opendir, GF_FOP_OPENDIR, false, GF_FD_ANONYMOUS };
	int ret = client_send(xl->priv, call, &op, args, res);

	return ret ? ret : make_fd(xl->priv, args->inode, O_RDONLY | O_DIRECTORY, op.fd, true, &res->fd);
}

/* Where a directory's handle is lost a stock brick does not find it for an anonymous descriptor, but opens it. Else it is gone as was said. */
static int coroutine_fn list_opened(struct xlator *xl, struct call *call, const struct readdir_args *args, uint32_t proc,
				    struct readdir_res *res)
{
	struct readdir_args by_fd = *args;
	struct opendir_res opened = { 0 };
	int ret = client_opendir(xl, call, &(struct opendir_args){ .inode = args->inode }, &opened);

	if (ret < 0)
		return -ESTALE;
	by_fd.fd = opened.fd;
	*res = (struct readdir_res){ 0 };
	ret = ask(xl, call, FOP_readdir, proc, by_fd.fd, &by_fd, res);
	fd_unref(opened.fd);
	return ret < 0 ? -ESTALE : 0;
}

static int coroutine_fn client_readdir(struct xlator *xl, struct call *call, const struct readdir_args *args, struct readdir_res *res)
{
	const struct pclient *pc = xl->priv;
	uint32_t proc = args->plus ? GF_FOP_READDIRP : GF_FOP_READDIR;
	int ret = ask(xl, call, FOP_readdir, proc, args->fd, args, res);

	if (ret == -ESTALE && !pc->extension && fd_number(pc, args->fd) == GF_FD_ANONYMOUS)
		ret = list_opened(xl, call, args, proc, res);
	if (ret == 0 && args->plus)
		client_check_entries(xl->priv, call, res);
	return ret;
}

/* A file that nobody wants open and that must be new is made with MKNOD: CREATE would open it, and one more call would close it.
 * Not where the parent is to be compared on a stock brick, see client_mknod(). */
static int coroutine_fn create_closed(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct mknod_args mknod = {
		.parent = args->parent, .name = args->name, .mode = S_IFREG | (args->mode & 07777), .gfid = args->gfid,
		.xattrs = args->xattrs, .preop = args->preop,
	};
	struct mknod_res made = { 0 };
	int ret = ask(xl, call, FOP_mknod, GF_FOP_MKNOD, NULL, &mknod, &made);

	res->stat = made.stat;
	res->preparent = made.preparent;
	res->postparent = made.postparent;
	res->preop_failed = made.preop_failed;
	return ret;
}

static int coroutine_fn client_create(struct xlator *xl, struct call *call, const struct create_args *args, struct create_res *res)
{
	struct pclient *pc = xl->priv;
	bool commit = client_needs_commit(call, FOP_create);
	struct client_op op = { FOP_create, GF_FOP_CREATE, commit && pc->extension, GF_FD_ANONYMOUS };
	struct inode *inode;
	int ret;

	if (!args->want_fd && args->flags & O_EXCL && (pc->extension || !args->preop.key))
		return create_closed(xl, call, args, res);
	ret = client_send(pc, call, &op, args, res);
	if (ret < 0)
		return ret;
	if (commit && !op.durable)
		ret = client_make_durable(pc, call, FOP_create, args, res);
	if (ret < 0 || !args->want_fd) {
		release(pc, res->stat.gfid, op.fd, false);
		return ret;
	}
	inode = inode_get(xl_inodes(xl), res->stat.gfid);
	if (!inode)
		return -ENOMEM;
	ret = make_fd(pc, inode, (int)args->flags, op.fd, false, &res->fd);
	inode_unref(inode);
	return ret;
}

/* Our bricks tell which bits are granted. Stock ones say yes or no to all of them together: after a no, each is asked alone. */
static int coroutine_fn access_extended(struct pclient *pc, struct call *call, const struct access_args *args, struct access_res *res)
{
	struct gf_access_req req = { .mask = args->mask };
	struct gate_access_rsp rsp = { 0 };
	struct rpc_call rc = { .prog = GATE_PROGRAM, .vers = GATE_VERSION, .proc = GATE_PROC_ACCESS, .args = &req, .res = &rsp };
	int ret;

	memcpy(req.gfid, args->inode->gfid, 16);
	rc.encode = (xdrproc_t)(void (*)(void))xdr_gf_access_req;
	rc.decode = (xdrproc_t)(void (*)(void))xdr_gate_access_rsp;
	ret = client_rpc(pc, call, &rc);
	if (!ret)
		ret = client_status((const struct gfwire_head *)&rsp);
	if (!ret)
		res->granted = rsp.granted & args->mask;
	return ret == -ENOENT ? -ESTALE : ret;
}

static int coroutine_fn client_access(struct xlator *xl, struct call *call, const struct access_args *args, struct access_res *res)
{
	struct pclient *pc = xl->priv;
	struct access_args one = *args;
	uint32_t bit, granted = 0;
	int ret;

	if (pc->extension)
		return access_extended(pc, call, args, res);
	ret = ask(xl, call, FOP_access, GF_FOP_ACCESS, NULL, args, res);
	if (ret != -EACCES && ret != -EPERM && ret != -EROFS)
		return ret;
	if (args->mask & (args->mask - 1)) {
		for (bit = 1; bit <= 4; bit <<= 1) {
			one.mask = args->mask & bit;
			ret = one.mask ? ask(xl, call, FOP_access, GF_FOP_ACCESS, NULL, &one, res) : -EACCES;
			if (!ret)
				granted |= bit;
			else if (ret != -EACCES && ret != -EPERM && ret != -EROFS)
				return ret;
		}
	}
	res->granted = granted;
	return 0;
}

static int coroutine_fn client_inodelk(struct xlator *xl, struct call *call, const struct inodelk_args *args, struct inodelk_res *res)
{
	if (args->cmd == LOCK_WAIT)
		return client_inodelk_wait(xl->priv, call, args);
	return client_inodelk_now(xl->priv, call, args);
}

static int coroutine_fn client_entrylk(struct xlator *xl, struct call *call, const struct entrylk_args *args, struct entrylk_res *res)
{
	if (args->cmd == LOCK_WAIT)
		return client_entrylk_wait(xl->priv, call, args);
	return client_entrylk_now(xl->priv, call, args);
}

/* A waiting lock that is given up ends with its connection; nobody asks for those through a gateway. */
static int coroutine_fn client_lk(struct xlator *xl, struct call *call, const struct lk_args *args, struct lk_res *res)
{
	int ret;

	if (args->cmd == LOCK_WAIT)
		return ask(xl, call, FOP_lk, GF_FOP_LK, args->fd, args, res);
	co_shield();
	ret = ask(xl, call, FOP_lk, GF_FOP_LK, args->fd, args, res);
	co_unshield();
	return ret;
}

/* --- life --- */

void client_match_state(struct pclient *pc)
{
	bool connected = pc->rpc && rpc_client_is_up(pc->rpc);
	enum client_state state = connected && !pc->child_down && !pc->silent ? CLIENT_UP : CLIENT_DOWN;

	if (pc->state == state || pc->stopping)
		return;
	pc->state = state;
	if (state == CLIENT_UP)
		log_notice("brick is up", "volume=%s host=%s brick=%s extension=%s", pc->xl->name, pc->remote_host,
			   log_quote(pc->remote_subvolume), pc->extension ? "yes" : "no");
	else if (!pc->silent)
		log_warning("brick is down, trying to reach it", "volume=%s host=%s brick=%s", pc->xl->name, pc->remote_host,
			    log_quote(pc->remote_subvolume));
	xl_notify(pc->xl, state == CLIENT_UP ? XL_UP : XL_DOWN, NULL);
}

static void connection_up(void *user)
{
	client_match_state(user);
}

static void connection_down(void *user, int why)
{
	struct pclient *pc = user;

	client_silence_ended(pc);
	pc->xl->lease_s = XL_LEASE_NOBODY;
	pc->xl->graph->lease_epoch++;
	client_match_state(pc);
}

static int coroutine_fn client_init(struct xlator *xl, struct error *err)
{
	struct pclient *pc = xl->priv;
	uint8_t context[16];

	pc->xl = xl;
	xl->lease_s = XL_LEASE_NOBODY;
	client_silence_init(pc);
	co_gate_init(&pc->background);
	gfid_new(xl_loop(xl), context);
	gfid_text(context, pc->context);
	if (!*pc->remote_host || !*pc->remote_subvolume)
		return error_set(err, -EINVAL, "volume %s: remote-host and remote-subvolume must not be empty", xl->name);
	if (!pc->remote_port && tls_management(TLS_CLIENT, NULL, err, &pc->manager_tls) < 0)
		return -EINVAL;
	if (!pc->tls_enabled)
		return 0;
	pc->tls = tls_context_new(&pc->tls_conf, TLS_CLIENT, err);
	if (pc->tls)
		return 0;
	error_prefix(err, "volume %s", xl->name);
	return -EINVAL;
}

static void coroutine_fn client_start(struct xlator *xl)
{
	struct pclient *pc = xl->priv;
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct rpc_client_conf conf = {
		.name = xl->name, .host = pc->remote_host, .port = (uint16_t)pc->remote_port, .locate = client_locate,
		.handshake = client_handshake, .up = connection_up, .down = connection_down, .settled = client_settled,
		.callback = client_callback, .user = pc,
		.tls = pc->tls,
		.ping_ms = (uint32_t)pc->ping_timeout_ms / 2, .ping_timeout_ms = (uint32_t)pc->ping_timeout_ms / 2, .ping = client_ping,
	};

	if (xl->graph->from && inet_pton(AF_INET, xl->graph->from, &from.sin_addr) == 1)
		conf.from = (struct sockaddr *)&from;
	pc->rpc = rpc_client_new(xl_loop(xl), &conf);
	if (!pc->rpc) {
		log_error("no memory for a connection to a brick", "volume=%s", xl->name);
		client_match_state(pc);
	}
}

static void coroutine_fn client_fini(struct xlator *xl)
{
	struct pclient *pc = xl->priv;

	pc->stopping = true;
	pc->state = CLIENT_DOWN;
	if (pc->rpc)
		rpc_client_disconnect(pc->rpc, -ESHUTDOWN);
	client_silence_ended(pc);
	co_gate_close(&pc->background);
	client_scratch_drop(pc);
	if (pc->rpc)
		rpc_client_free(pc->rpc);
	pc->rpc = NULL;
	tls_context_unref(pc->tls);
	pc->tls = NULL;
}

#define IGNORED(name) OPT_STR(name, struct pclient, ignored, NULL, 0, "accepted for stock volfiles; changes nothing here")

static const struct option client_options[] = {
	OPT_STR("remote-host", struct pclient, remote_host, NULL, OPT_REQUIRED, "the brick's host: name or address"),
	OPT_INT("remote-port", struct pclient, remote_port, "0", 0, 65535, 0, "the brick's port; 0: ask glusterd on port 24007"),
	OPT_STR("remote-subvolume", struct pclient, remote_subvolume, NULL, OPT_REQUIRED, "the brick's name, normally its directory"),
	OPT_STR("username", struct pclient, username, NULL, 0, "for the brick's login authentication"),
	OPT_STR("password", struct pclient, password, NULL, 0, "for the brick's login authentication"),
	OPT_STR("volume-id", struct pclient, volume_id, NULL, 0, "refuse a brick of another volume"),
	OPT_TIME_MS("ping-timeout", struct pclient, ping_timeout_ms, "10", 200, 1013000, 0,
		    "how long a brick may be silent while calls wait before it counts as down"),
	OPT_TIME_MS("frame-timeout", struct pclient, frame_timeout_ms, "1800", 1000, 86400000, 0, "how long one call may take"),
	OPT_BOOL("send-gids", struct pclient, send_gids, "on", 0, "send the caller's groups"),
	OPT_BOOL("transport.socket.ssl-enabled", struct pclient, tls_enabled, "off", 0, "speak TLS with the brick"),
	TLS_OPTION_ROWS("transport.socket.", struct pclient, tls_conf),
	OPT_BOOL("transport.socket.ssl-check-name", struct pclient, tls_conf.check_name, "on", 0,
		 "the brick's certificate must be for remote-host; off for stock bricks whose certificates have other names"),
	IGNORED("transport.socket.ssl-dh-param"), IGNORED("transport.socket.ssl-ec-curve"),
	IGNORED("transport-type"), IGNORED("transport.address-family"),
	IGNORED("transport.tcp-user-timeout"), IGNORED("transport.socket.keepalive-time"), IGNORED("transport.socket.keepalive-interval"),
	IGNORED("transport.socket.keepalive-count"), IGNORED("transport.socket.nodelay"), IGNORED("transport.socket.read-fail-log"),
	IGNORED("transport.socket.lowlat"), IGNORED("strict-locks"), IGNORED("filter-O_DIRECT"), IGNORED("event-threads"),
	IGNORED("client-bind-insecure"), IGNORED("tcp-window-size"), IGNORED("manage-gids"), IGNORED("testing.old-protocol"),
	IGNORED("lk-heal"), IGNORED("grace-timeout"), IGNORED("fops-version"), IGNORED("clnt-lk-version"), IGNORED("volfile-key"),
	IGNORED("volfile-checksum"), IGNORED("process-name"), IGNORED("connecting-timeout"), IGNORED("remote-transport"), IGNORED("log-level"),
	OPT_END
};

#define F(op) .op = client_##op,
const struct xlator_class protocol_client_class = {
	.name = "protocol/client",
	.summary = "a brick reached over TCP by GlusterFS's protocol",
	.priv_size = sizeof(struct pclient),
	.options = client_options,
	.init = client_init,
	.start = client_start,
	.fini = client_fini,
	.give_up = client_give_up,
	.fops = { FOPS(F) },
};
#undef F
