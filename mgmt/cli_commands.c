/* mgmt/cli_commands.c: the table of all commands, and how the arguments of each become its request's members.
 *
 * GlusterFS's words mean here what they mean there; where GlusterFS accepts two orders or two spellings, so do we. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/cli.h"

#define REPLICA_MAX 64
#define LINES_MAX 100000
#define INVITATION_LETTERS 16

static const char *const force_words[] = { "force", NULL };

static void set_text(json_t *request, const char *key, const char *value)
{
	json_object_set_new(request, key, json_string(value));
}

static void set_number(json_t *request, const char *key, unsigned value)
{
	if (value)
		json_object_set_new(request, key, json_integer(value));
}

static void set_true(json_t *request, const char *key, bool value)
{
	if (value)
		json_object_set_new(request, key, json_true());
}

static int take_name(struct cli_args *args, json_t *request, struct error *err)
{
	const char *name = cli_take(args, "NAME", err);

	if (!name)
		return -EINVAL;
	if (!*name || strstr(name, ":/") || *name == '/')
		return error_set(err, -EINVAL, "%s: the volume's name comes first, and \"%.64s\" is none", args->command->words, name);
	set_text(request, "name", name);
	return 0;
}

/* Literals of IPv6 stand in brackets or not; the manager is told of them as others are, without. */
static const char *bare_host(const char *word, char *buf, size_t size)
{
	size_t len = strlen(word);

	if (len < 2 || len - 2 >= size || word[0] != '[' || word[len - 1] != ']')
		return word;
	memcpy(buf, word + 1, len - 2);
	buf[len - 2] = '\0';
	return buf;
}

/* --- peers ------------------------------------------------------------------------------------------------------ */

/* abcd-efgh-jkmn-pqrs */
static const char *take_invitation(struct cli_args *args, struct error *err)
{
	const char *word = cli_take(args, "WORD", err), *at;
	unsigned letters = 0;

	for (at = word; at && *at; at++)
		letters += *at != '-';
	if (!word || letters == INVITATION_LETTERS)
		return word;
	error_set(err, -EINVAL, "%s: \"%.64s\" is not understood: \"peer invite\" shows a word such as "
		  "abcd-efgh-jkmn-pqrs", args->command->words, word);
	return NULL;
}

static int make_peer(struct cli_args *args, json_t *request, struct error *err)
{
	bool force = strcmp(args->command->words, "peer detach") == 0 && args->n > 1 && cli_take_last(args, "force");
	const char *word = cli_take(args, "HOST", err);
	char buf[INET6_ADDRSTRLEN + 32];

	if (!word)
		return -EINVAL;
	if (!*word || strchr(word, '/') || (*word == '[') != (word[strlen(word) - 1] == ']'))
		return error_set(err, -EINVAL, "%s: \"%.64s\" is no host; give a name or an address, such as node2, 192.0.2.2 or "
				 "[2001:db8::2]", args->command->words, word);
	set_text(request, "host", bare_host(word, buf, sizeof(buf)));
	set_true(request, "force", force);
	if (strcmp(args->command->words, "peer join") == 0 || (args->n && strcmp(args->command->words, "peer probe") == 0)) {
		word = take_invitation(args, err);
		if (!word)
			return -EINVAL;
		set_text(request, "word", word);
	}
	return cli_end(args, force_words, err);
}

/* --- volume create ---------------------------------------------------------------------------------------------- */

static const char *const create_words[] = { "replica", "arbiter", "transport", "force", NULL };
static const char *const unknown_kinds[] = { "disperse", "disperse-data", "redundancy", "stripe", "thin-arbiter", NULL };

static int take_transport(struct cli_args *args, struct error *err)
{
	const char *word = cli_take(args, "the transport", err);

	if (!word)
		return -EINVAL;
	if (strcmp(word, "tcp") != 0)
		return error_set(err, -EINVAL, "volume create: the transport is tcp, there is no \"%.64s\"", word);
	return 0;
}

/* GlusterFS's two ways to say it: "replica 3 arbiter 1" counts the arbiter, "replica 2 arbiter 1" does not. */
static int check_arbiter(unsigned *replica, unsigned arbiter, struct error *err)
{
	if (!arbiter)
		return 0;
	if (*replica == 2)
		*replica = 3;
	if (*replica != 3)
		return error_set(err, -EINVAL, "volume create: an arbiter stands beside two copies: \"replica 3 arbiter 1\"");
	return 0;
}

static int take_kind(struct cli_args *args, json_t *request, struct error *err)
{
	unsigned replica = 0, arbiter = 0, i;
	int ret = 0;

	while (ret == 0 && args->n) {
		if (cli_take_word(args, "replica"))
			ret = cli_take_number(args, "replica N", 1, REPLICA_MAX, &replica, err);
		else if (cli_take_word(args, "arbiter"))
			ret = cli_take_number(args, "arbiter N", 1, 1, &arbiter, err);
		else if (cli_take_word(args, "transport"))
			ret = take_transport(args, err);
		else
			break;
	}
	for (i = 0; ret == 0 && args->n && unknown_kinds[i]; i++)
		if (strcmp(*args->word, unknown_kinds[i]) == 0)
			return error_set(err, -EINVAL, "volume create: there are no volumes of GlusterFS's kind \"%s\" here; take "
					 "\"replica 3\", or \"replica 3 arbiter 1\"", unknown_kinds[i]);
	if (ret == 0)
		ret = check_arbiter(&replica, arbiter, err);
	set_number(request, "replica", replica);
	set_number(request, "arbiter", arbiter);
	return ret;
}

/* HOST:/DIR. A literal of IPv6 ends at the last colon before the directory, and gets the brackets that GlusterFS lets one leave out. */
static json_t *brick(const struct cli_args *args, const char *word, struct error *err)
{
	const char *dir = *word == '[' ? strstr(word, "]:") : strstr(word, ":/");
	const char *near = cli_nearest(create_words, word);
	unsigned char address[sizeof(struct in6_addr)];
	char host[INET6_ADDRSTRLEN];
	size_t len;

	dir = dir && *word == '[' ? dir + 1 : dir;
	if (!dir || dir == word || dir[1] != '/') {
		if (near)
			cli_refuse(args, word, create_words, err);
		error_set(err, -EINVAL, "volume create: \"%.64s\" is no brick; write HOST:/DIRECTORY, such as node1:/srv/brick1 or "
			  "[2001:db8::1]:/srv/brick1", word);
		return NULL;
	}
	len = (size_t)(dir - word);
	if (len < sizeof(host)) {
		memcpy(host, word, len);
		host[len] = '\0';
		if (inet_pton(AF_INET6, host, address) == 1)
			return json_sprintf("[%s]%s", host, dir);
	}
	return json_string(word);
}

static int make_create(struct cli_args *args, json_t *request, struct error *err)
{
	json_t *bricks = json_array(), *one;
	int ret = take_name(args, request, err);
	const char *word;
	bool force;

	json_object_set_new(request, "bricks", bricks);
	if (ret == 0)
		ret = take_kind(args, request, err);
	if (ret < 0)
		return ret;
	force = cli_take_last(args, "force");
	do {
		word = cli_take(args, "HOST:DIR", err);
		one = word ? brick(args, word, err) : NULL;
		if (!one)
			return -EINVAL;
		json_array_append_new(bricks, one);
	} while (args->n);
	set_true(request, "force", force);
	return 0;
}

/* --- other commands of volumes ---------------------------------------------------------------------------------- */

static int make_name(struct cli_args *args, json_t *request, struct error *err)
{
	int ret = take_name(args, request, err);

	return ret < 0 ? ret : cli_end(args, NULL, err);
}

static int make_name_force(struct cli_args *args, json_t *request, struct error *err)
{
	int ret = take_name(args, request, err);

	if (ret < 0)
		return ret;
	set_true(request, "force", cli_take_word(args, "force"));
	return cli_end(args, force_words, err);
}

static int make_name_or_all(struct cli_args *args, json_t *request, struct error *err)
{
	int ret = 0;

	if (args->n && !cli_take_word(args, "all"))
		ret = take_name(args, request, err);
	return ret < 0 ? ret : cli_end(args, NULL, err);
}

static int make_status(struct cli_args *args, json_t *request, struct error *err)
{
	static const char *const views[] = { "detail", "clients", NULL };
	bool detail, clients;
	int ret = 0;

	detail = cli_take_last(args, "detail");
	clients = !detail && cli_take_last(args, "clients");
	if (args->n && !cli_take_word(args, "all"))
		ret = take_name(args, request, err);
	set_true(request, "detail", detail);
	set_true(request, "clients", clients);
	return ret < 0 ? ret : cli_end(args, views, err);
}

static int make_set(struct cli_args *args, json_t *request, struct error *err)
{
	json_t *options = json_array();
	const char *key, *value;
	int ret = take_name(args, request, err);

	json_object_set_new(request, "options", options);
	if (ret < 0)
		return ret;
	do {
		key = cli_take(args, "KEY", err);
		value = key ? cli_take(args, "VALUE", err) : NULL;
		if (!value)
			return -EINVAL;
		json_array_append_new(options, json_pack("{s:s, s:s}", "name", key, "value", value));
	} while (args->n);
	return 0;
}

static int make_get(struct cli_args *args, json_t *request, struct error *err)
{
	int ret = take_name(args, request, err);
	const char *key = ret < 0 ? NULL : cli_take(args, "KEY (or \"all\")", err);

	if (!key)
		return -EINVAL;
	set_text(request, "option", key);
	return cli_end(args, NULL, err);
}

static int make_reset(struct cli_args *args, json_t *request, struct error *err)
{
	int ret = take_name(args, request, err);
	bool force;

	if (ret < 0)
		return ret;
	force = cli_take_last(args, "force");
	if (args->n && !cli_take_word(args, "all"))
		set_text(request, "option", cli_take(args, "KEY", err));
	set_true(request, "force", force);
	return cli_end(args, force_words, err);
}

static bool is_one_of(const char *const *words, const char *word)
{
	for (; *words && strcmp(*words, word) != 0; words++)
		;
	return *words;
}

/* GlusterFS says "volume log rotate NAME" as well as "volume log NAME rotate". */
static int make_log(struct cli_args *args, json_t *request, struct error *err)
{
	static const char *const words[] = { "show", "rotate", "lines", NULL };
	bool first = args->n > 1 && !strstr(args->word[1], ":/") && !is_one_of(words, args->word[1]) && cli_take_word(args, "rotate");
	int ret = take_name(args, request, err);
	bool rotate = first || (ret == 0 && cli_take_word(args, "rotate"));
	const char *word;
	unsigned lines = 0;

	if (ret < 0)
		return ret;
	if (!rotate)
		cli_take_word(args, "show");
	set_text(request, "action", rotate ? "rotate" : "show");
	if (args->n && strcmp(*args->word, "lines") != 0) {
		word = cli_take(args, "BRICK", err);
		if (!strstr(word, ":/"))
			return cli_refuse(args, word, words, err);
		set_text(request, "brick", word);
	}
	if (!rotate && cli_take_word(args, "lines"))
		ret = cli_take_number(args, "lines N", 1, LINES_MAX, &lines, err);
	set_number(request, "lines", lines);
	return ret < 0 ? ret : cli_end(args, words, err);
}

/* --- exports ---------------------------------------------------------------------------------------------------- */

static int make_exports_show(struct cli_args *args, json_t *request, struct error *err)
{
	return args->n ? make_name(args, request, err) : 0;
}

static int make_exports_test(struct cli_args *args, json_t *request, struct error *err)
{
	const char *client = cli_take(args, "CLIENT", err), *path = client ? cli_take(args, "PATH", err) : NULL;
	char buf[INET6_ADDRSTRLEN + 32];

	if (!path)
		return -EINVAL;
	if (*path != '/')
		return error_set(err, -EINVAL, "exports test: the path is what a client mounts, such as /demo, not \"%.64s\"; "
				 "first comes the client, then the path", path);
	set_text(request, "client", bare_host(client, buf, sizeof(buf)));
	set_text(request, "path", path);
	return cli_end(args, NULL, err);
}

/* --- tls -------------------------------------------------------------------------------------------------------- */

static const char *const tls_words[] = { "client", "directory", "into", NULL };

/* A name becomes a directory's, and a certificate's. */
static int add_tls_host(json_t *hosts, const char *word, struct error *err)
{
	if (!*word || *word == '.' || *word == '-' || strpbrk(word, "/,") || strlen(word) > 64)
		return error_set(err, -EINVAL, "tls init: \"%.64s\" is no host's name", word);
	json_array_append_new(hosts, json_string(word));
	return 0;
}

static json_t *tls_clients(json_t *request)
{
	if (!json_object_get(request, "clients"))
		json_object_set_new(request, "clients", json_array());
	return json_object_get(request, "clients");
}

static int make_tls(struct cli_args *args, json_t *request, struct error *err)
{
	json_t *hosts = json_array();
	int ret = 0;

	json_object_set_new(request, "hosts", hosts);
	while (ret == 0 && args->n) {
		bool client = cli_take_word(args, "client"), directory = !client && cli_take_word(args, "directory");
		bool into = !client && !directory && cli_take_word(args, "into");
		const char *word = cli_take(args, directory || into ? "DIR" : "HOST", err);

		if (!word)
			return -EINVAL;
		if (!directory && !into)
			ret = add_tls_host(client ? tls_clients(request) : hosts, word, err);
		else if (*word != '/')
			ret = error_set(err, -EINVAL, "tls init: %s wants a full path, not \"%.64s\"", directory ? "directory" : "into", word);
		else
			set_text(request, directory ? "directory" : "into", word);
	}
	return ret ? ret : cli_end(args, tls_words, err);
}

/* --- bricks --- */

static int make_brick(struct cli_args *args, json_t *request, struct error *err)
{
	const char *word = cli_take(args, "HOST:DIR", err);
	size_t len = word ? strlen(word) : 0;

	if (!word)
		return -EINVAL;
	if (!strstr(word, ":/") || *word == ':')
		return error_set(err, -EINVAL, "%s: \"%.64s\" is no brick: write HOST:DIR, as \"gatehouse volume info\" shows it",
				 args->command->words, word);
	while (len > 1 && word[len - 1] == '/')
		len--;
	json_object_set_new(request, "brick", json_stringn(word, len));
	return cli_end(args, NULL, err);
}

/* --- the table -------------------------------------------------------------------------------------------------- */

const struct cli_command cli_commands[] = {
	{ "peer invite", "", "show a word by which one host may join, for 15 minutes", "peer-invite", NULL, NULL,
	  text_peer_invite, NULL },
	{ "peer join", "HOST WORD", "make this host part of the cluster of HOST, which showed the word", "peer-join", make_peer, NULL,
	  text_message, NULL },
	{ "peer probe", "HOST [WORD]", "make a host one of ours; \"peer invite\" on it shows the word", "peer-probe", make_peer,
	  NULL, text_message, xml_success },
	{ "peer detach", "HOST [force]", "part with a host that has no bricks (force: with any)", "peer-detach", make_peer, NULL,
	  text_message, xml_success },
	{ "peer status", "", "the other hosts, and which are heard of", "peer-status", NULL, "peers", text_peer_status, xml_peers },
	{ "pool list", "", "all hosts", "pool-list", NULL, "peers", text_pool_list, xml_peers },
	{ "volume create", "NAME [replica N [arbiter 1]] [transport tcp] HOST:DIR... [force]",
	  "make a volume of brick directories; each N neighbours are copies", "volume-create", make_create, NULL, text_volume_create,
	  xml_volume_create, .one_host = true, .names_volume = true },
	{ "volume start", "NAME [force]", "start its bricks and serve it (force: again, what is down)", "volume-start", make_name_force,
	  NULL, text_volume_start, xml_volume_start, .names_volume = true },
	{ "volume stop", "NAME [force]", "stop serving it", "volume-stop", make_name_force, NULL, text_message, xml_volume_stop,
	  .names_volume = true, .question = "Stopping a volume makes its data inaccessible." },
	{ "volume delete", "NAME", "forget it; the files in its bricks stay", "volume-delete", make_name, NULL, text_message,
	  xml_volume_delete, .names_volume = true,
	  .question = "Deleting a volume erases all information about it; the files in its bricks stay." },
	{ "volume info", "[NAME|all]", "what it is made of and what is set", "volume-info", make_name_or_all, "volumes",
	  text_volume_info, xml_volume_info, .xml_failed = true },
	{ "volume list", "", "the names of all volumes", "volume-list", NULL, "volumes", text_volume_list, xml_volume_list },
	{ "volume status", "[NAME|all] [detail|clients]", "its processes: where they listen, and whether they run", "volume-status",
	  make_status, "volumes", text_volume_status, xml_volume_status, .xml_failed = true },
	{ "volume set", "NAME KEY VALUE [KEY VALUE...]", "set options", "volume-set", make_set, NULL, text_message, xml_volume_set,
	  .xml_failed = true },
	{ "volume set help", "", "all options, with their defaults", "volume-help", NULL, "options", text_volume_help, NULL },
	{ "volume get", "NAME KEY|all", "what holds: the value that is set, or the default", "volume-get", make_get, "options",
	  text_volume_get, xml_volume_get, .xml_failed = true },
	{ "volume reset", "NAME [KEY|all] [force]", "unset one option, or all", "volume-reset", make_reset, NULL, text_message,
	  xml_volume_reset, .xml_failed = true },
	{ "volume log", "NAME [show|rotate] [HOST:DIR] [lines N]", "the ends of its bricks' logs, or begin new ones", "volume-log", make_log,
	  NULL, text_volume_log, NULL },
	{ "brick accept", "HOST:DIR", "its data was moved or restored there: this is the brick now", "brick-accept",
	  make_brick, NULL, text_message, xml_success },
	{ "exports show", "[NAME]", "who may mount what", "exports-show", make_exports_show, NULL, text_exports_show, NULL },
	{ "exports test", "CLIENT PATH", "may this client mount that path, and why (not)? Exit status 1: no", "exports-test",
	  make_exports_test, NULL, text_exports_test, NULL, .in_order = exports_test_allows },
	{ "config check", "", "what is wrong with the configuration. Exit status 1: something", "config-check", NULL, "problems",
	  text_config_check, NULL, .in_order = config_check_finds_nothing },
	{ "tls init", "[HOST...] [client NAME] [directory DIR] [into DIR]",
	  "make keys and certificates for TLS, of hosts and of mere clients", NULL, make_tls, NULL,
	  text_tls_init, NULL,
	  .local = cli_tls_init },
	{ "version", "", "of this program and of the manager", "version", NULL, NULL, text_version, NULL },
	{ NULL }
};
