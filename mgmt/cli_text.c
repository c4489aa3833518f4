/* mgmt/cli_text.c: answers for people: hosts, exports, configuration, versions, and whatever is no more than a sentence. */
#include <string.h>

#include "mgmt/cli.h"

void text_message(struct cli_out *out, const struct cli_reply *r)
{
	const char *message = member_text(r->answer, "message");

	if (*message)
		out_line(out, PLAIN, "%s", message);
	else
		out_line(out, PLAIN, "%s: success", r->command->words);
}

/* --- hosts ------------------------------------------------------------------------------------------------------ */

static void other_names(struct cli_out *out, const json_t *peer)
{
	const json_t *name;
	bool any = false;
	size_t i;

	for_each_in(member_list(peer, "hostnames"), i, name) {
		if (!json_is_string(name) || strcmp(json_string_value(name), member_text(peer, "host")) == 0)
			continue;
		if (!any)
			out_line(out, PLAIN, "Other names:");
		any = true;
		out_line(out, PLAIN, "%s", json_string_value(name));
	}
}

void text_peer_invite(struct cli_out *out, const struct cli_reply *r)
{
	const char *host = member_text(r->result, "host"), *word = member_text(r->result, "word");
	bool cluster = member_true(r->result, "cluster");

	out_line(out, PLAIN, "One host may join by this word, once, within %lld minutes:", (long long)member_number(r->result, "minutes"));
	if (cluster)
		out_line(out, PLAIN, "    gatehouse peer join %s %s      on the host that joins", host, word);
	else
		out_line(out, PLAIN, "    gatehouse peer probe %s %s      on a host of the cluster", host, word);
}

void text_peer_status(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *peers = member_list(r->result, "peers"), *peer;
	unsigned others = 0;
	bool connected;
	size_t i;

	for_each_in(peers, i, peer)
		others += !member_true(peer, "self");
	out_line(out, PLAIN, "Number of Peers: %u", others);
	for_each_in(peers, i, peer) {
		if (member_true(peer, "self"))
			continue;
		connected = member_true(peer, "connected");
		out_line(out, PLAIN, "%s", "");
		out_line(out, PLAIN, "Hostname: %s", member_text(peer, "host"));
		out_line(out, PLAIN, "Uuid: %s", member_text(peer, "uuid"));
		out_line(out, connected ? GOOD : BAD, "State: Peer in Cluster (%s)", connected ? "Connected" : "Disconnected");
		if (!connected)
			out_line(out, PLAIN, "Last heard of: %lld s ago", (long long)member_number(peer, "silent_s"));
		other_names(out, peer);
	}
}

static void pool_row(struct cli_out *out, const json_t *peer)
{
	bool self = member_true(peer, "self"), connected = member_true(peer, "connected") || self;
	char line[1024], since[64] = "";

	if (!connected)
		snprintf(since, sizeof(since), "\tlast heard of %lld s ago", (long long)member_number(peer, "silent_s"));
	snprintf(line, sizeof(line), "%.64s\t%-22.255s\t%s%s", member_text(peer, "uuid"), self ? "localhost" : member_text(peer, "host"),
		 connected ? "Connected" : "Disconnected", since);
	out_lines(out, line);
}

/* As GlusterFS has it: this host is "localhost", and comes last; programs split the lines at tabs. */
void text_pool_list(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *peers = member_list(r->result, "peers"), *peer;
	size_t i;

	out_lines(out, "UUID\t\t\t\t\tHostname              \tState");
	for_each_in(peers, i, peer)
		if (!member_true(peer, "self"))
			pool_row(out, peer);
	for_each_in(peers, i, peer)
		if (member_true(peer, "self"))
			pool_row(out, peer);
}

/* --- exports ---------------------------------------------------------------------------------------------------- */

void text_exports_show(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *exports = member_list(r->result, "exports"), *export, *client;
	struct table *t;
	size_t i, j;

	if (!json_array_size(exports)) {
		if (*member_text(r->result, "text"))
			out_lines(out, member_text(r->result, "text"));
		else
			out_line(out, PLAIN, "Nothing is exported");
		return;
	}
	t = table_new();
	table_cell(t, STRONG, "Path");
	table_cell(t, STRONG, "Clients");
	table_cell(t, STRONG, "Options");
	table_row(t);
	for_each_in(exports, i, export)
		for_each_in(member_list(export, "clients"), j, client) {
			table_cell(t, PLAIN, "%s", member_text(export, "path"));
			table_cell(t, PLAIN, "%s", member_text(client, "who"));
			table_cell(t, PLAIN, "%s", member_text(client, "options"));
			table_row(t);
		}
	table_print(t, out);
}

bool exports_test_allows(const struct cli_reply *r)
{
	return member_true(r->result, "allowed");
}

void text_exports_test(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *line = json_object_get(r->result, "line");
	bool allowed = exports_test_allows(r);

	out_line(out, allowed ? GOOD : BAD, "%s %s mount %s", member_text(r->request, "client"), allowed ? "may" : "may NOT",
		 member_text(r->request, "path"));
	if (*member_text(r->result, "options"))
		out_line(out, PLAIN, "Options: %s", member_text(r->result, "options"));
	if (*member_text(r->result, "reason"))
		out_line(out, PLAIN, "Because: %s", member_text(r->result, "reason"));
	if (json_is_integer(line) && json_integer_value(line) > 0)
		out_line(out, PLAIN, "Line: %lld", (long long)json_integer_value(line));
	else if (json_is_string(line) && *json_string_value(line))
		out_line(out, PLAIN, "Line: %s", json_string_value(line));
}

/* --- configuration, versions ------------------------------------------------------------------------------------ */

bool config_check_finds_nothing(const struct cli_reply *r)
{
	return json_array_size(member_list(r->result, "problems")) == 0;
}

void text_config_check(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *item;
	size_t i;

	for_each_in(member_list(r->result, "problems"), i, item)
		out_line(out, BAD, "%s: %s", member_text(item, "where"), member_text(item, "problem"));
	if (config_check_finds_nothing(r))
		out_line(out, GOOD, "The configuration is in order");
}

void text_version(struct cli_out *out, const struct cli_reply *r)
{
	out_line(out, PLAIN, "gatehouse %s", PACKAGE_VERSION);
	out_line(out, PLAIN, "gatehouse-manager %s on %s (%s), store %s", member_text(r->result, "manager"), member_text(r->result, "host"),
		 member_text(r->result, "uuid"), member_text(r->result, "store"));
}
