/* tests/fuzz/fuzz_nfs.c: any sequence of NFS and MOUNT calls on a volume in memory, over the simulated network.
 *
 * Each call is answered by its deadline, and each answer is well formed. The input:
 *
 *     shape: 1 byte | calls: procedure 1 byte, user 1 byte, length 1 byte, that many bytes of arguments
 *
 * Bit 0 of the shape chooses one disk or two sets of two copies, bits 1 to 3 the options of the export. In arguments
 * the byte 0xee and a number n stand for a file handle: the nth that an answer has brought, the root to begin with. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/nfs3.h"
#include "rpcgen/mount3.h"
#include "runtime/log.h"
#include "xlators/storage/memory/memory.h"

#define CALLS_MAX 48
#define HANDLES 16u
#define HANDLE_MARK 0xee
#define NFS_PROCEDURES 22u
#define PROCEDURES (NFS_PROCEDURES + 6u)
#define DISKS 4u
#define PORT 2049
#define RAW_MAX 8192u
#define ANSWER_NS 60000000000ull	/* calls end 45 s after they began */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char single[] = "volume demo\n type storage/memory\n option disk fuzz0\nend-volume\n";

static struct world {
	struct loop *loop;
	struct gateway gw;
	struct memory_disk *disks[DISKS];
	struct rpc_client *client;
	const uint8_t *data;
	size_t size, at;
	uint8_t shape;
	nfs_fh3 handles[HANDLES];
	unsigned nhandles;
} w;

struct raw { uint8_t bytes[RAW_MAX]; uint32_t len; };

static void must(bool true_always)
{
	if (!true_always)
		abort();
}

/* --- the server --- */

static size_t put_set(char *text, unsigned set)
{
	size_t len = 0;

	for (unsigned i = 2 * set; i < 2 * set + 2; i++)
		len += (size_t)sprintf(text + len, "volume disk%u\n type storage/memory\n option disk fuzz%u\nend-volume\n"
				       "volume demo-client-%u\n type features/locks\n subvolumes disk%u\nend-volume\n", i, i, i, i);
	return len + (size_t)sprintf(text + len, "volume demo-replicate-%u\n type cluster/replicate\n option quorum-type auto\n"
				     " subvolumes demo-client-%u demo-client-%u\nend-volume\n", set, 2 * set, 2 * set + 1);
}

static const char *volfile(void)
{
	static char text[4096];
	size_t len = 0;

	if (!(w.shape & 1))
		return single;
	for (unsigned set = 0; set < 2; set++)
		len += put_set(text + len, set);
	sprintf(text + len, "volume demo-dht\n type cluster/distribute\n subvolumes demo-replicate-0 demo-replicate-1\nend-volume\n"
		"volume demo\n type features/utime\n subvolumes demo-dht\nend-volume\n");
	return text;
}

static void coroutine_fn server_start(const struct sockaddr_in *addr)
{
	static const uint8_t key[MAC_KEY_SIZE] = "0123456789abcdefFEDCBA987654321";
	struct volume *volume;
	struct volfile *vf;
	struct error err = { "" };
	char exports[128];
	uint16_t port;
	int len = snprintf(exports, sizeof(exports), "/demo *(%s,%s,insecure%s)\n/demo/sub *(rw,insecure)\n",
			   w.shape & 2 ? "ro" : "rw", w.shape & 4 ? "root_squash" : "no_root_squash", w.shape & 8 ? ",ino32" : "");

	w.gw.loop = w.loop;
	volume_set_init(&w.gw.volumes);
	w.gw.volumes.fixed = true;
	volume = volume_new(w.loop, "demo", key, &err);
	must(volume && exports_parse(exports, (size_t)len, "exports", NULL, &w.gw.exports, &err) == 0);
	vf = volume_parse(volfile(), strlen(volfile()), "fuzz", 1 << 20, true, &err);
	must(vf && volume_start(volume, vf, NULL, 0, &err) == 0 && volume_set_add(&w.gw.volumes, volume, &err) == 0);
	volume_unref(volume);
	must(gateway_serve(&w.gw) == 0);
	must(rpc_server_listen(w.gw.tcp, (const struct sockaddr *)addr, &err, &port) == 0);
}

/* --- the client --- */

static bool_t put_raw(XDR *xdrs, struct raw *raw)
{
	return xdr_opaque(xdrs, (char *)raw->bytes, raw->len);
}

static void add_bytes(struct raw *raw, const void *bytes, uint32_t len)
{
	if (raw->len + len > RAW_MAX - 4)
		return;
	memcpy(raw->bytes + raw->len, bytes, len);
	raw->len += len;
}

static void add_handle(struct raw *raw, unsigned n)
{
	const nfs_fh3 *fh = &w.handles[n % (w.nhandles ? w.nhandles : 1)];
	uint32_t be = htonl(fh->len);

	add_bytes(raw, &be, 4);
	add_bytes(raw, fh->data, fh->len);
}

static void arguments(struct raw *raw, const uint8_t *from, size_t len)
{
	raw->len = 0;
	for (size_t i = 0; i < len; i++) {
		if (from[i] == HANDLE_MARK && i + 1 < len)
			add_handle(raw, from[++i]);
		else
			add_bytes(raw, &from[i], 1);
	}
	while (raw->len % 4)
		raw->bytes[raw->len++] = 0;
}

static void keep_handle(const nfs_fh3 *fh)
{
	unsigned n = w.nhandles < HANDLES ? w.nhandles++ : 1 + fh->data[0] % (HANDLES - 1);

	must(fh->len && fh->len <= sizeof(fh->data));
	w.handles[n] = *fh;
}

static void learn(unsigned proc, const void *res)
{
	const CREATE3res *made = res;
	const LOOKUP3res *found = res;
	const mountres3 *mounted = res;

	switch (proc) {
	case NFSPROC3_LOOKUP:
		if (found->status == NFS3_OK)
			keep_handle(&found->LOOKUP3res_u.resok.object);
		break;
	case NFSPROC3_CREATE: case NFSPROC3_MKDIR: case NFSPROC3_SYMLINK: case NFSPROC3_MKNOD:
		if (made->status == NFS3_OK && made->CREATE3res_u.resok.obj.handle_follows)
			keep_handle(&made->CREATE3res_u.resok.obj.post_op_fh3_u.handle);
		break;
	case NFS_PROCEDURES + MOUNTPROC3_MNT:
		if (mounted->fhs_status == MNT3_OK)
			keep_handle(&mounted->mountres3_u.mountinfo.fhandle);
		break;
	default:
		break;
	}
}

/* An answer, or a refusal of arguments that are none. Silence is not an answer. */
static void coroutine_fn one_call(unsigned proc, uint8_t user, struct raw *raw)
{
	bool nfs = proc < NFS_PROCEDURES;
	const struct rpc_program *program = nfs ? &nfs3_program : &mount3_program;
	unsigned number = nfs ? proc : proc - NFS_PROCEDURES;
	const struct rpc_proc *row = number < program->nprocs ? &program->procs[number] : NULL;
	struct rpc_cred cred = { .flavor = RPC_FLAVOR_SYS, .uid = user % 3 * 500u, .gid = user % 3 * 500u };
	struct rpc_call call = { .prog = program->prog, .vers = program->vers, .proc = number, .cred = &cred,
				 .encode = (xdrproc_t)put_raw, .args = raw, .arena = arena_new(64u << 20) };
	uint64_t old = co_set_deadline(loop_now_ns(w.loop) + ANSWER_NS);
	int ret;

	call.decode = row ? row->encode : NULL;
	call.res = row && row->res_size ? arena_alloc(call.arena, row->res_size) : NULL;
	if (call.res)
		memset(call.res, 0, row->res_size);
	ret = rpc_client_call(w.client, &call);
	co_restore_deadline(old);
	must(ret == 0 || ret == -EPROTO || ret == -EOPNOTSUPP);
	if (ret == 0 && call.res)
		learn(proc, call.res);
	arena_free(call.arena);
}

static void coroutine_fn all_calls(void)
{
	static struct raw raw;
	static const uint8_t root[] = { 0, 0, 0, 5, '/', 'd', 'e', 'm', 'o' };

	arguments(&raw, root, sizeof(root));
	one_call(NFS_PROCEDURES + MOUNTPROC3_MNT, 0, &raw);
	must(w.nhandles == 1);
	for (unsigned n = 0; n < CALLS_MAX && w.at + 3 <= w.size; n++) {
		const uint8_t *head = w.data + w.at;
		size_t len = head[2] < w.size - w.at - 3 ? head[2] : w.size - w.at - 3;

		arguments(&raw, head + 3, len);
		w.at += 3 + len;
		one_call(head[0] % PROCEDURES, head[1], &raw);
	}
}

static void coroutine_fn world_main(void *arg)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(PORT) }, there = { .sin_family = AF_INET };
	struct rpc_client_conf conf = { .name = "fuzz", .host = "10.0.0.1", .port = PORT, .from = (struct sockaddr *)&there };

	here.sin_addr.s_addr = htonl(0x0a000001);
	there.sin_addr.s_addr = htonl(0x0a000002);
	server_start(&here);
	w.client = rpc_client_new(w.loop, &conf);
	while (!rpc_client_is_up(w.client))
		co_sleep_ns(1000000);
	all_calls();
	rpc_client_free(w.client);
	rpc_server_drain(w.gw.tcp);
	gateway_stop(&w.gw);
	volume_set_stop(&w.gw.volumes);
	loop_stop(w.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool quiet;
	char name[16];

	if (!quiet)
		log_open("fuzz", "/dev/null", LOG_LEVEL_ERROR);
	quiet = true;
	memset(&w, 0, sizeof(w));
	w.shape = size ? data[0] : 0;
	w.data = data;
	w.size = size;
	w.at = size ? 1 : 0;
	for (unsigned i = 0; i < DISKS; i++) {
		snprintf(name, sizeof(name), "fuzz%u", i);
		w.disks[i] = memory_disk_new(name, i + 1, 16u << 20);
	}
	w.loop = loop_new_sim(1);
	must(w.loop && co_start(w.loop, world_main, NULL));
	must(loop_run(w.loop) == 0);
	loop_free(w.loop);
	for (unsigned i = 0; i < DISKS; i++)
		memory_disk_free(w.disks[i]);
	return 0;
}
