/* mgmt/cli_tls.c: `gatehouse tls init`: a CA for the cluster, this host's certificate where daemons look for it, and a directory of
 * files to carry to each other host. Works without a manager; what exists is kept, so that hosts can be added later. */
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mgmt/cli.h"
#include "mgmt/text.h"
#include "rpc/tls_make.h"

#define CA_DIRECTORY "/var/lib/gatehouse/tls"
#define HOST_DIRECTORY "/etc/ssl"

static const char *text_or(const json_t *request, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text ? text : otherwise;
}

static int make_directory(const char *path, struct error *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "the directory %s cannot be made: %s", path, strerror(errno));
	return 0;
}

static bool is_there(const char *dir, const char *file)
{
	char *path = format("%s/%s", dir, file);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

#define NAMES_MAX 32

/* The names by which others may call a host: its own and its addresses. NULL behind the last; malloc'ed texts. */
static void find_names(const char *cn, bool own, char *names[NAMES_MAX + 1])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found = NULL, *f;
	struct ifaddrs *list = NULL, *i;
	char text[NI_MAXHOST];
	unsigned n = 0;

	names[n++] = need(strdup(cn));
	if (own)
		getifaddrs(&list);
	for (i = list; i && n < NAMES_MAX; i = i->ifa_next) {
		socklen_t len = !i->ifa_addr			     ? 0 :
				i->ifa_addr->sa_family == AF_INET  ? sizeof(struct sockaddr_in) :
				i->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
								     0;

		if (len && getnameinfo(i->ifa_addr, len, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 && !strchr(text, '%'))
			names[n++] = need(strdup(text));
	}
	if (!own)
		getaddrinfo(cn, NULL, &hints, &found);
	for (f = found; f && n < NAMES_MAX; f = f->ai_next)
		if (getnameinfo(f->ai_addr, f->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			names[n++] = need(strdup(text));
	names[n] = NULL;
	if (list)
		freeifaddrs(list);
	if (found)
		freeaddrinfo(found);
}

enum tls_role { ROLE_OWN, ROLE_HOST, ROLE_CLIENT };

/* The certificate of @cn in @to_dir, made unless its key is there. *ret_text: a line about it, malloc'ed. */
static int make_host(const char *ca_dir, const char *to_dir, const char *cn, enum tls_role role, char **ret_text, struct error *err)
{
	char *names[NAMES_MAX + 1];
	struct tls_host host = {
		.ca_dir = ca_dir, .to_dir = to_dir, .cn = cn, .hosts = (const char *const *)names, .client = role == ROLE_CLIENT
	};
	unsigned i;
	char *file = format("%s/%s", to_dir, TLS_FILE_HOST), until[32] = "?";
	bool there = is_there(to_dir, TLS_FILE_HOST_KEY);
	int64_t end = 0;
	time_t seconds;
	int ret;

	find_names(cn, role == ROLE_OWN, names);
	ret = there ? 0 : tls_make_host(&host, err);
	for (i = 0; names[i]; i++)
		free(names[i]);

	if (ret == 0 && tls_expiry(file, &end, NULL) == 0) {
		seconds = (time_t)end;
		strftime(until, sizeof(until), "%Y-%m-%d", gmtime(&seconds));
	}
	if (ret == 0)
		*ret_text = format("%s: %s, good until %s%s", cn, file, until, there ? " (it was there already)" : "");
	free(file);
	return ret;
}

static void say(json_t *lines, char *line)
{
	json_array_append_new(lines, json_string(line));
	free(line);
}

static int make_other(const char *ca_dir, const char *cn, enum tls_role role, json_t *lines, struct error *err)
{
	char *dir = format("%s/%s", ca_dir, cn), *line = NULL;
	int ret = make_directory(dir, err);

	if (ret == 0)
		ret = make_host(ca_dir, dir, cn, role, &line, err);
	if (ret == 0) {
		say(lines, line);
		say(lines, format("    copy the three files %s/glusterfs.* to %s on %s", dir, HOST_DIRECTORY, cn));
	}
	free(dir);
	return ret;
}

/* This host, and every other that has a certificate: "h1,h2,h3". malloc'ed. */
static char *all_names(const char *ca_dir, const char *own)
{
	char *names = need(strdup(own)), *longer, *dir;
	struct dirent *entry;
	DIR *d = opendir(ca_dir);

	while (d && (entry = readdir(d))) {
		dir = format("%s/%s", ca_dir, entry->d_name);
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, own) != 0 && is_there(dir, TLS_FILE_HOST)) {
			longer = format("%s,%s", names, entry->d_name);
			free(names);
			names = longer;
		}
		free(dir);
	}
	if (d)
		closedir(d);
	return names;
}

int cli_tls_init(json_t *request, json_t **ret_result, struct error *err)
{
	const char *ca_dir = text_or(request, "directory", CA_DIRECTORY), *into = text_or(request, "into", HOST_DIRECTORY);
	json_t *hosts = json_object_get(request, "hosts"), *lines = need(json_array()), *one;
	char own[65] = "localhost", *line = NULL, *names;
	size_t i;
	int ret = make_directory(ca_dir, err);

	gethostname(own, sizeof(own) - 1);
	if (ret == 0 && !is_there(ca_dir, TLS_FILE_CA_KEY))
		ret = tls_make_ca(ca_dir, "Gatehouse cluster", false, err);
	if (ret == 0)
		ret = make_host(ca_dir, into, own, ROLE_OWN, &line, err);
	if (ret == 0)
		say(lines, line);
	json_array_foreach(hosts, i, one)
		if (ret == 0 && strcmp(json_string_value(one), own) != 0)
			ret = make_other(ca_dir, json_string_value(one), ROLE_HOST, lines, err);
	json_array_foreach(json_object_get(request, "clients"), i, one)
		if (ret == 0)
			ret = make_other(ca_dir, json_string_value(one), ROLE_CLIENT, lines, err);
	if (ret < 0) {
		json_decref(lines);
		return ret;
	}
	names = all_names(ca_dir, own);
	say(lines, format("Keep %s/%s safe: whoever has it can make certificates.", ca_dir, TLS_FILE_CA_KEY));
	say(lines, format("With the files in place, on a stopped volume:"));
	say(lines, format("    gatehouse volume set NAME client.ssl on server.ssl on auth.ssl-allow '%s'", names));
	*ret_result = json_pack("{s:o, s:s, s:s}", "lines", lines, "ca", ca_dir, "names", names);
	free(names);
	return 0;
}

void text_tls_init(struct cli_out *out, const struct cli_reply *r)
{
	const json_t *line, *lines = member_list(r->result, "lines");
	size_t i;

	for_each_in(lines, i, line)
		out_lines(out, json_string_value(line));
}
