/* tests/unit/nfs_rig.c: see nfs_rig.h. */
#include "tests/unit/nfs_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpcgen/mount3.h"

static struct memory_disk *disk, *disk2;
const char *rig_volfile;

void rig_disk(void)
{
	rig_disk_free();
	disk = memory_disk_new("rig", 1, 0);
	disk2 = memory_disk_new("rig2", 2, 0);
}

void rig_disk_free(void)
{
	memory_disk_free(disk);
	memory_disk_free(disk2);
	disk = disk2 = NULL;
	rig_volfile = NULL;
}

static const char volfile[] =
	"volume disk\n type storage/memory\n option disk rig\nend-volume\n"
	"volume faults\n type debug/error-gen\n option enable off\n option failure 100\n subvolumes disk\nend-volume\n";

static void coroutine_fn rig_start(struct rig *rig)
{
	static const uint8_t key[MAC_KEY_SIZE] = "0123456789abcdefFEDCBA987654321";
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct volfile *vf;
	struct error err = { "" };

	rig->gw.loop = rig->loop;
	volume_set_init(&rig->gw.volumes);
	rig->gw.volumes.fixed = true;
	rig->volume = volume_new(rig->loop, "demo", key, &err);
	assert_int_equal(exports_parse(rig->exports, strlen(rig->exports), "exports", NULL, &rig->gw.exports, &err),
			 0);
	if (!rig_volfile)
		rig_volfile = volfile;
	vf = volume_parse(rig_volfile, strlen(rig_volfile), "rig", rig_volfile == volfile ? 0 : 1 << 20, true, &err);
	if (!vf || volume_start(rig->volume, vf, NULL, 0, &err) < 0 || volume_set_add(&rig->gw.volumes, rig->volume, &err) < 0)
		fail_msg("%s", err.text);
	volume_unref(rig->volume);
	assert_int_equal(gateway_serve(&rig->gw), 0);
	if (rpc_server_listen(rig->gw.tcp, (struct sockaddr *)&addr, &err, &rig->port) < 0)
		fail_msg("%s", err.text);
}

static void coroutine_fn rig_main(void *arg)
{
	struct rig *rig = arg;
	struct rpc_client_conf conf = { .name = "rig", .host = "127.0.0.1" };
	int i;

	rig_start(rig);
	conf.port = rig->port;
	rig->arena = arena_new(64u << 20);
	rig->client = rpc_client_new(rig->loop, &conf);
	for (i = 0; i < 1000 && !rpc_client_is_up(rig->client); i++)
		co_sleep_ns(1000000);
	rig->cred.flavor = RPC_FLAVOR_SYS;
	rig->result = (int)rig_mount(rig, "/demo", &rig->root);
	rig->fn(rig);
	rpc_client_free(rig->client);
	assert_int_equal(rpc_server_drain(rig->gw.tcp), 0);
	arena_free(rig->arena);
	gateway_stop(&rig->gw);
	volume_set_stop(&rig->gw.volumes);
	loop_stop(rig->loop);
}

void rig_run(const char *exports, void coroutine_fn (*fn)(struct rig *rig))
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->loop = loop_new(NULL);
	rig->exports = exports;
	rig->fn = fn;
	assert_non_null(co_start(rig->loop, rig_main, rig));
	assert_int_equal(loop_run(rig->loop), 0);
	loop_free(rig->loop);
	free(rig);
}

int coroutine_fn rig_call(struct rig *rig, const struct rpc_program *program, uint32_t proc, const void *args,
			  void *res)
{
	const struct rpc_proc *row = &program->procs[proc];
	struct rpc_call call = {
		.prog = program->prog,
		.vers = program->vers,
		.proc = proc,
		.cred = &rig->cred,
		.encode = row->decode,
		.decode = row->encode,
		.args = args,
		.res = res,
		.arena = rig->arena,
	};

	return rpc_client_call(rig->client, &call);
}

mountstat3 coroutine_fn rig_mount(struct rig *rig, const char *path, nfs_fh3 *ret_fh)
{
	dirpath args = { .len = (uint32_t)strlen(path), .text = (char *)path };
	mountres3 res;

	memset(&res, 0, sizeof(res));
	assert_int_equal(rig_call(rig, &mount3_program, MOUNTPROC3_MNT, &args, &res), 0);
	if (res.fhs_status == MNT3_OK)
		*ret_fh = res.mountres3_u.mountinfo.fhandle;
	return res.fhs_status;
}

struct exchange { uint16_t port; uint8_t *out, *in; uint32_t out_len, in_size; };

static bool read_all(int fd, uint8_t *buf, size_t len)
{
	ssize_t n;

	while (len && (n = read(fd, buf, len)) > 0) {
		buf += n;
		len -= (size_t)n;
	}
	return len == 0;
}

static int exchange_blocking(void *arg)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct exchange *x = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret = -EPROTO;
	uint32_t mark = 0, len = 0;

	addr.sin_port = htons(x->port);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    write(fd, x->out, x->out_len) == (ssize_t)x->out_len && read_all(fd, (uint8_t *)&mark, 4)) {
		len = ntohl(mark) & 0x7fffffff;
		if (len <= x->in_size && read_all(fd, x->in, len))
			ret = (int)len;
	}
	close(fd);
	return ret;
}

static uint32_t put_header(const struct rig *rig, uint8_t *buf, uint32_t xid, uint32_t proc)
{
	const uint32_t words[] = {
		0, xid, 0, 2, NFS3_PROGRAM, NFS3_VERSION, proc, RPC_FLAVOR_SYS, 20, 0, 0, rig->cred.uid, rig->cred.gid,
		0, 0,   0,
	};
	uint32_t i, be;

	for (i = 0; i < sizeof(words) / 4; i++) {
		be = htobe32(words[i]);
		memcpy(buf + i * 4, &be, 4);
	}
	return sizeof(words);
}

int coroutine_fn rig_raw(struct rig *rig, uint32_t xid, uint32_t proc, const void *args, void *res)
{
	const struct rpc_proc *row = &nfs3_program.procs[proc];
	struct iobuf *record = iobuf_new(65536);
	struct exchange x = { .port = rig->port, .out = calloc(1, 65536), .in = record->data, .in_size = 65536 };
	uint32_t head = put_header(rig, x.out, xid, proc), mark;
	struct wire w;
	XDR xdrs;
	int ret;

	memset(&w, 0, sizeof(w));
	wire_encode_init(&xdrs, &w, x.out + head, 65536 - head, rig->arena);
	assert_true(row->decode(&xdrs, (void *)args));
	x.out_len = (uint32_t)((uint8_t *)xdrs.x_private - x.out);
	mark = htobe32(0x80000000u | (x.out_len - 4));
	memcpy(x.out, &mark, 4);
	ret = loop_offload(exchange_blocking, &x);
	if (ret >= 24) {
		memset(&w, 0, sizeof(w));
		wire_decode_init(&xdrs, &w, record, 24, (uint32_t)ret - 24, rig->arena);
		ret = row->encode(&xdrs, res) ? 0 : -EPROTO;
	}
	free(x.out);
	iobuf_unref(record);
	return ret;
}

void rig_fault(struct rig *rig, const char *fops, const char *error, bool after)
{
	struct error err = { "" };

	if (fops) {
		assert_int_equal(graph_set_option(rig->volume->now->graph, "faults", "error-fops", fops, &err), 0);
		assert_int_equal(graph_set_option(rig->volume->now->graph, "faults", "error-no", error, &err), 0);
		assert_int_equal(graph_set_option(rig->volume->now->graph, "faults", "after", after ? "on" : "off", &err),
				 0);
	}
	assert_int_equal(graph_set_option(rig->volume->now->graph, "faults", "enable", fops ? "on" : "off", &err), 0);
}

filename3 rig_name(const char *text)
{
	return (filename3){ .len = (uint32_t)strlen(text), .text = (char *)text };
}

nfsstat3 coroutine_fn rig_create(struct rig *rig, const nfs_fh3 *dir, const char *name, uint32_t mode, nfs_fh3 *ret_fh)
{
	CREATE3args args = { .where = { *dir, rig_name(name) }, .how.mode = GUARDED };
	CREATE3res res;

	args.how.createhow3_u.obj_attributes.mode = (set_mode3){ .set_it = TRUE, .set_mode3_u.mode = mode };
	NFS(rig, CREATE, &args, &res);
	if (res.status == NFS3_OK) {
		assert_true(res.CREATE3res_u.resok.obj.handle_follows);
		*ret_fh = res.CREATE3res_u.resok.obj.post_op_fh3_u.handle;
	}
	return res.status;
}

nfsstat3 coroutine_fn rig_mkdir(struct rig *rig, const nfs_fh3 *dir, const char *name, uint32_t mode, nfs_fh3 *ret_fh)
{
	MKDIR3args args = { .where = { *dir, rig_name(name) } };
	MKDIR3res res;

	args.attributes.mode = (set_mode3){ .set_it = TRUE, .set_mode3_u.mode = mode };
	NFS(rig, MKDIR, &args, &res);
	if (res.status == NFS3_OK)
		*ret_fh = res.MKDIR3res_u.resok.obj.post_op_fh3_u.handle;
	return res.status;
}

nfsstat3 coroutine_fn rig_lookup(struct rig *rig, const nfs_fh3 *dir, const char *name, nfs_fh3 *ret_fh)
{
	LOOKUP3args args = { .what = { *dir, rig_name(name) } };
	LOOKUP3res res;

	NFS(rig, LOOKUP, &args, &res);
	if (res.status == NFS3_OK)
		*ret_fh = res.LOOKUP3res_u.resok.object;
	else
		assert_true(res.LOOKUP3res_u.resfail.dir_attributes.attributes_follow || res.status == NFS3ERR_STALE ||
			    res.status == NFS3ERR_BADHANDLE || res.status == NFS3ERR_ACCES ||
			    res.status == NFS3ERR_JUKEBOX);
	return res.status;
}

nfsstat3 coroutine_fn rig_getattr(struct rig *rig, const nfs_fh3 *fh, fattr3 *ret_attr)
{
	GETATTR3args args = { .object = *fh };
	GETATTR3res res;

	NFS(rig, GETATTR, &args, &res);
	if (res.status == NFS3_OK)
		*ret_attr = res.GETATTR3res_u.resok.obj_attributes;
	return res.status;
}

nfsstat3 coroutine_fn rig_write(struct rig *rig, const nfs_fh3 *fh, uint64_t offset, const void *data, uint32_t len,
				stable_how stable, WRITE3res *res)
{
	WRITE3args args = { .file = *fh, .offset = offset, .count = len, .stable = stable };

	args.data.buf = iobuf_new(len ? len : 1);
	args.data.len = len;
	memcpy(args.data.buf->data, data, len);
	NFS(rig, WRITE, &args, res);
	iobuf_unref(args.data.buf);
	return res->status;
}
