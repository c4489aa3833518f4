/* mgmt/cli_text_volume.c: volumes, for people: near enough to `gluster` that they feel at home, and aligned. What is not known is said to be
 * unknown, never guessed. */
#include <string.h>

#include "mgmt/cli.h"

/* --- list, info ------------------------------------------------------------------------------------------------- */

void text_volume_list(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *volumes = member_list(r->result, "volumes"), *name;
	size_t i;

	for_each_in(volumes, i, name)
		if (json_is_string(name))
			out_line(out, PLAIN, "%s", json_string_value(name));
	if (!json_array_size(volumes))
		out_line(r->notes, PLAIN, "No volumes present");
}

unsigned volume_type_replica(const json_t *volume)
{
	int64_t replica = member_number(volume, "replica");

	return replica < 1 || replica > 1000 ? 1 : (unsigned)replica;
}

unsigned volume_type_sets(const json_t *volume)
{
	return (unsigned)json_array_size(member_list(volume, "bricks")) / volume_type_replica(volume);
}

const char *volume_type_word(const json_t *volume)
{
	if (volume_type_replica(volume) == 1)
		return "Distribute";
	return volume_type_sets(volume) > 1 ? "Distributed-Replicate" : "Replicate";
}

static void number_of_bricks(struct cli_out *out, const json_t *v)
{
	unsigned sets = volume_type_sets(v), replica = volume_type_replica(v), bricks;

	bricks = (unsigned)json_array_size(member_list(v, "bricks"));
	if (replica == 1)
		out_line(out, PLAIN, "Number of Bricks: %u", bricks);
	else if (member_number(v, "arbiter") > 0)
		out_line(out, PLAIN, "Number of Bricks: %u x (%u + 1) = %u", sets, replica - 1, bricks);
	else
		out_line(out, PLAIN, "Number of Bricks: %u x %u = %u", sets, replica, bricks);
}

static enum cli_style state_style(const char *status)
{
	return strcmp(status, "Started") == 0 ? GOOD : DOUBT;
}

static void volume_info(struct cli_out *out, const json_t *v)
{
	const json_t *item;
	size_t i;

	out_line(out, STRONG, "Volume Name: %s", member_text(v, "name"));
	out_line(out, PLAIN, "Type: %s", volume_type_word(v));
	out_line(out, PLAIN, "Volume ID: %s", member_text(v, "id"));
	out_line(out, state_style(member_text(v, "status")), "Status: %s", member_text(v, "status"));
	out_line(out, PLAIN, "Snapshot Count: 0");
	number_of_bricks(out, v);
	out_line(out, PLAIN, "Transport-type: tcp");
	out_line(out, PLAIN, "Bricks:");
	for_each_in(member_list(v, "bricks"), i, item)
		out_line(out, PLAIN, "Brick%zu: %s%s", i + 1, member_text(item, "name"), member_true(item, "arbiter") ? " (arbiter)" : "");
	if (json_array_size(member_list(v, "options")))
		out_line(out, PLAIN, "Options Reconfigured:");
	for_each_in(member_list(v, "options"), i, item)
		out_line(out, PLAIN, "%s: %s", member_text(item, "name"), member_text(item, "value"));
}

void text_volume_info(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *volumes = member_list(r->result, "volumes"), *v;
	size_t i;

	for_each_in(volumes, i, v) {
		if (i)
			out_line(out, PLAIN, "%s", "");
		volume_info(out, v);
	}
	if (!json_array_size(volumes))
		out_line(r->notes, PLAIN, "No volumes present");
}

/* --- status ----------------------------------------------------------------------------------------------------- */

/* Port, online and pid of a brick or gateway, and what is to be said of it. */
static void process_cells(struct table *t, const json_t *p)
{
	bool known = member_true(p, "known"), online = known && member_true(p, "online");
	int64_t port = member_number(p, "port"), pid = member_number(p, "pid"), restarts = member_number(p, "restarts");
	const char *reason = member_text(p, "reason"), *trouble = member_text(p, "trouble"), *none = known ? "N/A" : "?";

	if (online && port > 0)
		table_cell(t, PLAIN, "%lld", (long long)port);
	else
		table_cell(t, PLAIN, "%s", none);
	table_cell(t, PLAIN, "%s", online ? "0" : none);	/* RDMA: scripts count columns */
	table_cell(t, online ? GOOD : known ? BAD : DOUBT, "%s", online ? "Y" : known ? "N" : "?");
	if (online && pid > 0)
		table_cell(t, PLAIN, "%lld", (long long)pid);
	else
		table_cell(t, PLAIN, "%s", none);
	if (!known)
		table_cell(t, DOUBT, "unknown%s%s", *reason ? ": " : "", reason);
	else if (!online)
		table_cell(t, BAD, "%s", reason);
	else if (*trouble)
		table_cell(t, BAD, "%s", trouble);
	else if (restarts > 0)
		table_cell(t, DOUBT, "restarted %lld time%s", (long long)restarts, restarts == 1 ? "" : "s");
	table_row(t);
}

static struct table *process_table(void)
{
	struct table *t = table_new();

	table_cell(t, STRONG, "Gluster process");
	table_cell(t, STRONG, "TCP Port");
	table_cell(t, STRONG, "RDMA Port");
	table_cell(t, STRONG, "Online");
	table_cell(t, STRONG, "Pid");
	table_row(t);
	table_rule(t);
	return t;
}

/* An older manager does not say it. */
static void attach_line(struct cli_out *out, const json_t *object)
{
	const char *who = member_text(object, "attach");

	if (*who)
		out_line(out, PLAIN, "May attach to the bricks: %s", who);
}

void text_volume_create(struct cli_out *out, const struct cli_reply *r)
{
	text_message(out, r);
	attach_line(out, r->result);
}

static void status_plain(struct cli_out *out, const json_t *s)
{
	struct table *t = process_table();
	const json_t *item;
	size_t i;

	out_line(out, STRONG, "Status of volume: %s", member_text(s, "name"));
	for_each_in(member_list(s, "bricks"), i, item) {
		table_cell(t, PLAIN, "Brick %s", member_text(item, "name"));
		process_cells(t, item);
	}
	for_each_in(member_list(s, "gateways"), i, item) {
		table_cell(t, PLAIN, "NFS Server on %s", member_text(item, "host"));
		process_cells(t, item);
	}
	table_print(t, out);
	attach_line(out, s);
	out_line(out, PLAIN, "%s", "");
	out_line(out, PLAIN, "Task Status of Volume %s", member_text(s, "name"));
	out_line(out, PLAIN, "------------------------------------------------------------------------------");
	out_line(out, PLAIN, "There are no active volume tasks");
}

/* As GlusterFS does: 1024 a step, and the letters that it takes for that. */
static void size_line(struct cli_out *out, const char *what, const json_t *detail, const char *key)
{
	static const char *const units[] = { "Bytes", "KB", "MB", "GB", "TB", "PB", "EB" };
	double size = (double)member_number(detail, key);
	unsigned i;

	if (!json_is_integer(json_object_get(detail, key))) {
		out_line(out, PLAIN, "%-20s : N/A", what);
		return;
	}
	for (i = 0; size >= 1024 && i < 6; i++)
		size /= 1024;
	out_line(out, PLAIN, "%-20s : %.*f%s", what, i ? 1 : 0, size, units[i]);
}

static void text_line(struct cli_out *out, const char *what, const json_t *object, const char *key)
{
	const char *text = member_text(object, key);

	out_line(out, PLAIN, "%-20s : %s", what, *text ? text : "N/A");
}

static void number_line(struct cli_out *out, const char *what, const json_t *object, const char *key, bool holds)
{
	int64_t number = member_number(object, key);

	if (holds && number > 0)
		out_line(out, PLAIN, "%-20s : %lld", what, (long long)number);
	else
		out_line(out, PLAIN, "%-20s : N/A", what);
}

static void brick_detail(struct cli_out *out, const json_t *b)
{
	bool known = member_true(b, "known"), online = known && member_true(b, "online");
	const json_t *d = json_object_get(b, "detail");

	out_line(out, PLAIN, "------------------------------------------------------------------------------");
	out_line(out, STRONG, "%-20s : Brick %s", "Brick", member_text(b, "name"));
	number_line(out, "TCP Port", b, "port", online);
	out_line(out, online ? GOOD : known ? BAD : DOUBT, "%-20s : %s", "Online", online ? "Y" : known ? "N" : "unknown");
	if (!online && *member_text(b, "reason"))
		text_line(out, "Reason", b, "reason");
	if (*member_text(b, "trouble"))
		text_line(out, "Trouble", b, "trouble");
	number_line(out, "Pid", b, "pid", online);
	if (member_number(b, "restarts") > 0)
		number_line(out, "Restarts", b, "restarts", true);
	text_line(out, "File System", d, "filesystem");
	text_line(out, "Device", d, "device");
	text_line(out, "Mount Options", d, "mount_options");
	number_line(out, "Inode Size", d, "inode_size", true);
	size_line(out, "Disk Space Free", d, "size_free");
	size_line(out, "Total Disk Space", d, "size_total");
	number_line(out, "Inode Count", d, "inodes_total", true);
	number_line(out, "Free Inodes", d, "inodes_free", true);
}

static void status_detail(struct cli_out *out, const json_t *s)
{
	const json_t *item;
	size_t i;

	out_line(out, STRONG, "Status of volume: %s", member_text(s, "name"));
	for_each_in(member_list(s, "bricks"), i, item)
		brick_detail(out, item);
}

static void brick_clients(struct cli_out *out, const json_t *b)
{
	const json_t *clients = member_list(b, "clients"), *item;
	struct table *t;
	size_t i;

	out_line(out, PLAIN, "----------------------------------------------");
	out_line(out, STRONG, "Brick : %s", member_text(b, "name"));
	if (!member_true(b, "known") || !member_true(b, "online")) {
		out_line(out, DOUBT, "%s%s%s", member_true(b, "known") ? "Not online" : "Unknown", *member_text(b, "reason") ? ": " : "",
			 member_text(b, "reason"));
		return;
	}
	out_line(out, PLAIN, "Clients connected : %zu", json_array_size(clients));
	if (!json_array_size(clients))
		return;
	t = table_new();
	table_cell(t, STRONG, "Hostname");
	table_cell(t, STRONG, "BytesRead");
	table_cell(t, STRONG, "BytesWritten");
	table_cell(t, STRONG, "Name");
	table_row(t);
	for_each_in(clients, i, item) {
		table_cell(t, PLAIN, "%s", member_text(item, "host"));
		table_cell(t, PLAIN, "%lld", (long long)member_number(item, "bytes_read"));
		table_cell(t, PLAIN, "%lld", (long long)member_number(item, "bytes_written"));
		table_cell(t, PLAIN, "%s", member_text(item, "name"));
		table_row(t);
	}
	table_print(t, out);
}

static void status_clients(struct cli_out *out, const json_t *s)
{
	const json_t *item;
	size_t i;

	out_line(out, STRONG, "Client connections for volume %s", member_text(s, "name"));
	for_each_in(member_list(s, "bricks"), i, item)
		brick_clients(out, item);
	out_line(out, PLAIN, "----------------------------------------------");
}

void text_volume_status(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *volumes = member_list(r->result, "volumes"), *s;
	size_t i;

	for_each_in(volumes, i, s) {
		if (i)
			out_line(out, PLAIN, "%s", "");
		if (strcmp(member_text(s, "status"), "Started") != 0)
			out_line(out, DOUBT, "Volume %s is not started", member_text(s, "name"));
		else if (member_true(r->request, "detail"))
			status_detail(out, s);
		else if (member_true(r->request, "clients"))
			status_clients(out, s);
		else
			status_plain(out, s);
	}
	if (!json_array_size(volumes))
		out_line(r->notes, PLAIN, "No volumes present");
}

/* Started, but perhaps not all of it. */
void text_volume_start(struct cli_out *out, const struct cli_reply *r)
{
	struct table *t = NULL;
	const json_t *item;
	size_t i;

	text_message(out, r);
	for_each_in(member_list(r->result, "bricks"), i, item) {
		if (member_true(item, "known") && member_true(item, "online"))
			continue;
		if (!t)
			t = process_table();
		table_cell(t, PLAIN, "Brick %s", member_text(item, "name"));
		process_cells(t, item);
	}
	if (t)
		table_print(t, out);
}

/* --- options, logs ---------------------------------------------------------------------------------------------- */

const char *option_value_word(const json_t *option)
{
	const char *value = member_text(option, "value");

	return *value ? value : "(null)";
}

void text_volume_get(struct cli_out *out, const struct cli_reply *r)
{
	struct table *t = table_new();
	const json_t *item;
	size_t i;

	table_cell(t, STRONG, "Option");
	table_cell(t, STRONG, "Value");
	table_row(t);
	table_cell(t, PLAIN, "------");
	table_cell(t, PLAIN, "-----");
	table_row(t);
	for_each_in(member_list(r->result, "options"), i, item) {
		table_cell(t, PLAIN, "%s", member_text(item, "name"));
		table_cell(t, PLAIN, "%s%s", option_value_word(item), member_true(item, "default") ? " (DEFAULT)" : "");
		table_row(t);
	}
	table_print(t, out);
}

void text_volume_help(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *item;
	size_t i;

	for_each_in(member_list(r->result, "options"), i, item) {
		if (i)
			out_line(out, PLAIN, "%s", "");
		out_line(out, STRONG, "Option: %s", member_text(item, "name"));
		out_line(out, PLAIN, "Default Value: %s", option_value_word(item));
		if (*member_text(item, "type"))
			out_line(out, PLAIN, "Type: %s", member_text(item, "type"));
		out_line(out, PLAIN, "Takes effect: %s", member_true(item, "live") ? "at once" : "when what it concerns is started again");
		out_line(out, PLAIN, "Description: %s", member_text(item, "help"));
	}
}

void text_volume_log(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *files = member_list(r->result, "files"), *item;
	bool show = strcmp(member_text(r->request, "action"), "show") == 0;
	size_t i;

	if (!show)
		text_message(out, r);
	else if (!json_array_size(files))
		out_line(r->notes, PLAIN, "There are no logs to show");
	if (!show)
		return;
	for_each_in(files, i, item) {
		if (i)
			out_line(out, PLAIN, "%s", "");
		out_line(out, STRONG, "==> %s on %s: %s <==", member_text(item, "brick"), member_text(item, "host"), member_text(item, "file"));
		out_lines(out, member_text(item, "text"));
	}
}
