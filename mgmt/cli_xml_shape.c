/* mgmt/cli_xml_shape.c: what stands in an answer's XML: the elements of `gluster --xml` 10.3, in its order, so that whatever reads that reads
 * this. Elements of our own come last in theirs: <known> and <reason> where GlusterFS leaves out what it has not heard of. */
#include <string.h>

#include "mgmt/cli.h"

static void op_and_output(struct xml *x, const char *op, const char *output)
{
	xml_leaf(x, "cliOp", "%s", op);
	xml_leaf(x, "output", "%s", output);
}

static bool failed(const struct cli_reply *r)
{
	return member_number(r->answer, "status") != 0;
}

/* --- info, list ------------------------------------------------------------------------------------------------- */

static int status_number(const char *status)
{
	return strcmp(status, "Started") == 0 ? 1 : strcmp(status, "Stopped") == 0 ? 2 : 0;
}

/* GlusterFS's enum: a single set of copies is another type than several. */
static int type_number(const json_t *v)
{
	return volume_type_replica(v) == 1 ? 0 : volume_type_sets(v) > 1 ? 7 : 2;
}

/* Text beside elements, all in one line: so GlusterFS writes it. */
static void info_brick(struct xml *x, const json_t *b)
{
	fprintf(x->f, "%*s<brick uuid=\"", (int)(2 * x->depth), "");
	xml_text(x, member_text(b, "host_id"));
	fputs("\">", x->f);
	xml_text(x, member_text(b, "name"));
	fputs("<name>", x->f);
	xml_text(x, member_text(b, "name"));
	fputs("</name><hostUuid>", x->f);
	xml_text(x, member_text(b, "host_id"));
	fprintf(x->f, "</hostUuid><isArbiter>%d</isArbiter></brick>\n", member_true(b, "arbiter"));
}

static void info_options(struct xml *x, const json_t *options)
{
	const json_t *item;
	size_t i;

	xml_leaf(x, "optCount", "%zu", json_array_size(options));
	xml_open(x, "options");
	for_each_in(options, i, item) {
		xml_open(x, "option");
		xml_leaf(x, "name", "%s", member_text(item, "name"));
		xml_leaf(x, "value", "%s", member_text(item, "value"));
		xml_close(x, "option");
	}
	xml_close(x, "options");
}

static void info_volume(struct xml *x, const json_t *v)
{
	const json_t *bricks = member_list(v, "bricks"), *item;
	size_t i;

	xml_open(x, "volume");
	xml_leaf(x, "name", "%s", member_text(v, "name"));
	xml_leaf(x, "id", "%s", member_text(v, "id"));
	xml_leaf(x, "status", "%d", status_number(member_text(v, "status")));
	xml_leaf(x, "statusStr", "%s", member_text(v, "status"));
	xml_leaf(x, "snapshotCount", "0");
	xml_leaf(x, "brickCount", "%zu", json_array_size(bricks));
	xml_leaf(x, "distCount", "%u", volume_type_sets(v));
	xml_leaf(x, "replicaCount", "%u", volume_type_replica(v));
	xml_leaf(x, "arbiterCount", "%lld", (long long)member_number(v, "arbiter"));
	xml_leaf(x, "disperseCount", "0");
	xml_leaf(x, "redundancyCount", "0");
	xml_leaf(x, "type", "%d", type_number(v));
	xml_leaf(x, "typeStr", "%s", volume_type_word(v));
	xml_leaf(x, "transport", "0");
	xml_open(x, "bricks");
	for_each_in(bricks, i, item)
		info_brick(x, item);
	xml_close(x, "bricks");
	info_options(x, member_list(v, "options"));
	xml_close(x, "volume");
}

void xml_volume_info(struct xml *x, const struct cli_reply *r)
{
	const json_t *volumes = member_list(r->result, "volumes"), *item;
	size_t i;

	xml_open(x, "volInfo");
	xml_open(x, "volumes");
	for_each_in(volumes, i, item)
		info_volume(x, item);
	xml_leaf(x, "count", "%zu", json_array_size(volumes));
	xml_close(x, "volumes");
	xml_close(x, "volInfo");
}

void xml_volume_list(struct xml *x, const struct cli_reply *r)
{
	const json_t *volumes = member_list(r->result, "volumes"), *item;
	size_t i;

	xml_open(x, "volList");
	xml_leaf(x, "count", "%zu", json_array_size(volumes));
	for_each_in(volumes, i, item)
		xml_leaf(x, "volume", "%s", json_is_string(item) ? json_string_value(item) : "");
	xml_close(x, "volList");
}

/* --- status ----------------------------------------------------------------------------------------------------- */

static void node_port(struct xml *x, const json_t *p, bool online)
{
	char port[24] = "N/A";

	if (online && member_number(p, "port") > 0)
		snprintf(port, sizeof(port), "%lld", (long long)member_number(p, "port"));
	xml_leaf(x, "port", "%s", port);
	xml_open(x, "ports");
	xml_leaf(x, "tcp", "%s", port);
	xml_leaf(x, "rdma", "N/A");
	xml_close(x, "ports");
}

static void node(struct xml *x, const json_t *p, const char *hostname, const char *path)
{
	bool online = member_true(p, "known") && member_true(p, "online");

	xml_leaf(x, "hostname", "%s", hostname);
	xml_leaf(x, "path", "%s", path);
	xml_leaf(x, "peerid", "%s", member_text(p, "host_id"));
	xml_leaf(x, "status", "%d", online);
	node_port(x, p, online);
	xml_leaf(x, "pid", "%lld", online ? (long long)member_number(p, "pid") : -1);
}

static void node_ours(struct xml *x, const json_t *p)
{
	xml_leaf(x, "known", "%d", member_true(p, "known"));
	if (*member_text(p, "reason"))
		xml_leaf(x, "reason", "%s", member_text(p, "reason"));
}

static void detail_number(struct xml *x, const char *name, const json_t *detail, const char *key)
{
	xml_leaf(x, name, "%lld", (long long)member_number(detail, key));
}

static void node_detail(struct xml *x, const json_t *d)
{
	if (!json_is_object(d))
		return;
	detail_number(x, "sizeTotal", d, "size_total");
	detail_number(x, "sizeFree", d, "size_free");
	xml_leaf(x, "device", "%s", member_text(d, "device"));
	detail_number(x, "blockSize", d, "block_size");
	xml_leaf(x, "mntOptions", "%s", member_text(d, "mount_options"));
	xml_leaf(x, "fsName", "%s", member_text(d, "filesystem"));
	if (member_number(d, "inode_size") > 0)
		detail_number(x, "inodeSize", d, "inode_size");
	detail_number(x, "inodesTotal", d, "inodes_total");
	detail_number(x, "inodesFree", d, "inodes_free");
}

static void node_clients(struct xml *x, const json_t *clients)
{
	const json_t *item;
	size_t i;

	xml_open(x, "clientsStatus");
	xml_leaf(x, "clientCount", "%zu", json_array_size(clients));
	for_each_in(clients, i, item) {
		xml_open(x, "client");
		xml_leaf(x, "hostname", "%s", member_text(item, "host"));
		xml_leaf(x, "bytesRead", "%lld", (long long)member_number(item, "bytes_read"));
		xml_leaf(x, "bytesWrite", "%lld", (long long)member_number(item, "bytes_written"));
		xml_leaf(x, "opVersion", "%lld", (long long)member_number(item, "op_version"));
		xml_leaf(x, "name", "%s", member_text(item, "name"));
		xml_close(x, "client");
	}
	xml_close(x, "clientsStatus");
}

static void status_volume(struct xml *x, const json_t *s, bool detail, bool clients)
{
	const json_t *bricks = member_list(s, "bricks"), *gateways = detail || clients ? NULL : member_list(s, "gateways"), *item;
	size_t i;

	xml_open(x, "volume");
	xml_leaf(x, "volName", "%s", member_text(s, "name"));
	xml_leaf(x, "nodeCount", "%zu", json_array_size(bricks) + json_array_size(gateways));
	for_each_in(bricks, i, item) {
		xml_open(x, "node");
		node(x, item, member_text(item, "host"), member_text(item, "path"));
		if (detail)
			node_detail(x, json_object_get(item, "detail"));
		if (clients)
			node_clients(x, member_list(item, "clients"));
		node_ours(x, item);
		xml_close(x, "node");
	}
	for_each_in(gateways, i, item) {
		xml_open(x, "node");
		node(x, item, "NFS Server", member_text(item, "host"));
		node_ours(x, item);
		xml_close(x, "node");
	}
	if (!detail && !clients)
		xml_empty(x, "tasks");
	xml_close(x, "volume");
}

/* GlusterFS leaves out what is not started when it is asked about all. */
void xml_volume_status(struct xml *x, const struct cli_reply *r)
{
	const json_t *item;
	size_t i;

	if (failed(r)) {
		op_and_output(x, "volStatus", member_text(r->answer, "error"));
		return;
	}
	xml_open(x, "volStatus");
	xml_open(x, "volumes");
	for_each_in(member_list(r->result, "volumes"), i, item)
		if (strcmp(member_text(item, "status"), "Started") == 0)
			status_volume(x, item, member_true(r->request, "detail"), member_true(r->request, "clients"));
	xml_close(x, "volumes");
	xml_close(x, "volStatus");
}

/* --- commands that do something --------------------------------------------------------------------------------- */

static void name_and_id(struct xml *x, const char *element, const struct cli_reply *r)
{
	xml_open(x, element);
	xml_open(x, "volume");
	xml_leaf(x, "name", "%s", member_text(r->request, "name"));
	xml_leaf(x, "id", "%s", member_text(r->result, "id"));
	xml_close(x, "volume");
	xml_close(x, element);
}

void xml_volume_create(struct xml *x, const struct cli_reply *r)
{
	name_and_id(x, "volCreate", r);
}

void xml_volume_start(struct xml *x, const struct cli_reply *r)
{
	name_and_id(x, "volStart", r);
}

void xml_volume_stop(struct xml *x, const struct cli_reply *r)
{
	name_and_id(x, "volStop", r);
}

void xml_volume_delete(struct xml *x, const struct cli_reply *r)
{
	name_and_id(x, "volDelete", r);
}

void xml_volume_set(struct xml *x, const struct cli_reply *r)
{
	op_and_output(x, "volSet", failed(r) ? "Set volume unsuccessful" : "Set volume successful");
}

void xml_volume_reset(struct xml *x, const struct cli_reply *r)
{
	op_and_output(x, "volReset", failed(r) ? "reset volume unsuccessful" : "reset volume successful");
}

void xml_volume_get(struct xml *x, const struct cli_reply *r)
{
	const json_t *options = member_list(r->result, "options"), *item;
	size_t i;

	if (failed(r)) {
		op_and_output(x, "volGetopts", "volume get option: failed");
		return;
	}
	xml_open(x, "volGetopts");
	xml_leaf(x, "count", "%zu", json_array_size(options));
	for_each_in(options, i, item) {
		xml_open(x, "Opt");
		xml_leaf(x, "Option", "%s", member_text(item, "name"));
		xml_leaf(x, "Value", "%s%s", option_value_word(item), member_true(item, "default") ? " (DEFAULT)" : "");
		xml_close(x, "Opt");
	}
	xml_close(x, "volGetopts");
}

/* --- peers ------------------------------------------------------------------------------------------------------ */

static void hostnames(struct xml *x, const json_t *peer)
{
	const char *host = member_text(peer, "host");
	const json_t *item;
	size_t i;

	xml_open(x, "hostnames");
	xml_leaf(x, "hostname", "%s", host);
	for_each_in(member_list(peer, "hostnames"), i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), host) != 0)
			xml_leaf(x, "hostname", "%s", json_string_value(item));
	xml_close(x, "hostnames");
}

static void other(struct xml *x, const json_t *peer)
{
	xml_open(x, "peer");
	xml_leaf(x, "uuid", "%s", member_text(peer, "uuid"));
	xml_leaf(x, "hostname", "%s", member_text(peer, "host"));
	hostnames(x, peer);
	xml_leaf(x, "connected", "%d", member_true(peer, "connected"));
	xml_leaf(x, "state", "3");
	xml_leaf(x, "stateStr", "Peer in Cluster");
	xml_close(x, "peer");
}

static void self(struct xml *x, const json_t *peer)
{
	xml_open(x, "peer");
	xml_leaf(x, "uuid", "%s", member_text(peer, "uuid"));
	xml_leaf(x, "hostname", "localhost");
	xml_leaf(x, "connected", "1");
	xml_close(x, "peer");
}

/* `pool list` has this host, too, and last. */
void xml_peers(struct xml *x, const struct cli_reply *r)
{
	const json_t *peers = member_list(r->result, "peers"), *item;
	bool pool = strcmp(r->command->words, "pool list") == 0;
	size_t i;

	xml_open(x, "peerStatus");
	for_each_in(peers, i, item)
		if (!member_true(item, "self"))
			other(x, item);
	for_each_in(peers, i, item)
		if (pool && member_true(item, "self"))
			self(x, item);
	xml_close(x, "peerStatus");
}

void xml_success(struct xml *x, const struct cli_reply *r)
{
	xml_leaf(x, "output", "success");
}
