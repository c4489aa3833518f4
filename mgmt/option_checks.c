/* mgmt/option_checks.c: what a row cannot say of a value: lists of clients, directories to export, regular expressions.
 *
 * It reads as bricks/auth.c does, and refuses what that would refuse or never match. Of exports the gateway's own parser judges
 * (xlators/exports.h). */
#include "mgmt/option_checks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "xlators/exports.h"

#define EXPORT_PATH_MAX 767	/* with a volume's name before it, the gateway's 1023 */

struct word { const char *at; size_t len; };

/* The next word of a list; empty ones are none. */
static bool next_word(const char **list, const char *end, const char *between, struct word *ret)
{
	while (*list < end && strchr(between, **list))
		(*list)++;
	ret->at = *list;
	while (*list < end && !strchr(between, **list))
		(*list)++;
	ret->len = (size_t)(*list - ret->at);
	return ret->len > 0;
}

static bool is_address(const char *text, unsigned *ret_bits)
{
	unsigned char addr[16];

	*ret_bits = 32;
	if (inet_pton(AF_INET, text, addr) == 1)
		return true;
	*ret_bits = 128;
	return inet_pton(AF_INET6, text, addr) == 1;
}

/* "192.0.2.0/24", "2001:db8::/32"; with @masks also "192.0.2.0/255.255.255.0". */
static bool is_network(const char *text, bool masks)
{
	const char *slash = strchr(text, '/');
	char addr[64], *end;
	unsigned bits, mask_bits;
	unsigned long n;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return false;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (!is_address(addr, &bits))
		return false;
	if (masks && bits == 32 && strchr(slash, '.'))
		return is_address(slash + 1, &mask_bits) && mask_bits == 32;
	n = strtoul(slash + 1, &end, 10);
	return isdigit((unsigned char)slash[1]) && !*end && n <= bits;
}

/* "192.0.2.*", "10.*.*.*", "10.*": the network that is meant. GlusterFS matches patterns with the address as text; exports(5) with names. */
static bool pattern_network(const char *text, char ret_text[CLIENT_WORD_SIZE])
{
	unsigned byte[4] = { 0 }, n = 0, stars = 0;
	const char *p = text;
	char *end;

	while (*p && n + stars < 4) {
		if (*p == '*') {
			stars++;
			p++;
		} else if (isdigit((unsigned char)*p) && !stars) {
			byte[n] = (unsigned)strtoul(p, &end, 10);
			if (byte[n++] > 255 || end - p > 3)
				return false;
			p = end;
		} else {
			return false;
		}
		if (!*p)
			break;
		if (*p++ != '.' || !*p)
			return false;
	}
	if (*p || !n || !stars)
		return false;
	snprintf(ret_text, CLIENT_WORD_SIZE, "%u.%u.%u.%u/%u", byte[0], byte[1], byte[2], byte[3], n * 8);
	return true;
}

static bool is_host_name(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(".-_", *text))
			return false;
	return true;
}

/* "*.example.org": it can match a name, and only a name. */
static bool is_host_pattern(const char *text)
{
	bool letter = false, wild = false;

	for (; *text; text++) {
		letter |= isalpha((unsigned char)*text) != 0;
		wild |= strchr("*?[", *text) != NULL;
		if (!isalnum((unsigned char)*text) && !strchr(".-_*?[]!", *text))
			return false;
	}
	return wild && letter;
}

int client_word(const char *name, const char *word, size_t len, char ret_text[CLIENT_WORD_SIZE], struct error *err)
{
	char text[CLIENT_WORD_SIZE];
	unsigned bits;

	if (!len || len > 255)
		return error_set(err, -EINVAL, "option %s: a client has 1 to 255 characters", name);
	memcpy(text, word, len);
	text[len] = '\0';
	if (pattern_network(text, ret_text))
		return 0;
	snprintf(ret_text, CLIENT_WORD_SIZE, "%s", strcmp(text, "all") ? text : "*");
	if (strcmp(ret_text, "*") == 0 || is_address(text, &bits) || is_network(text, true) || is_host_name(text) || is_host_pattern(text))
		return 0;
	return error_set(err, -EINVAL,
			 "option %s: \"%.64s\" is no client: expected an address, a network such as 192.0.2.0/24, a host name, a pattern of "
			 "host names such as *.example.org, or *",
			 name, text);
}

static int client_list(const char *name, const char *list, size_t len, const char *between, unsigned *ret_n, struct error *err)
{
	const char *end = list + len;
	char text[CLIENT_WORD_SIZE];
	struct word w;
	int ret = 0;

	for (*ret_n = 0; ret == 0 && next_word(&list, end, between, &w); (*ret_n)++)
		ret = client_word(name, w.at, w.len, text, err);
	return ret;
}

int check_client_list(const char *name, const char *value, struct error *err)
{
	unsigned n;
	int ret;

	if (strcmp(value, "none") == 0)
		return 0;
	ret = client_list(name, value, strlen(value), ", ", &n, err);
	if (ret == 0 && !n)
		return error_set(err, -EINVAL, "option %s: expected clients with commas between them, or none", name);
	return ret;
}

/* A brick compares the text of the peer's address with the pattern; it asks no name server. */
static bool is_address_word(const char *text)
{
	unsigned bits;

	if (is_address(text, &bits) || is_network(text, false) || strcmp(text, "*") == 0)
		return true;
	return strpbrk(text, "*?[") && strpbrk(text, ".:") && text[strspn(text, "0123456789abcdefABCDEF.:*?[]-!")] == '\0';
}

int check_address_list(const char *name, const char *value, struct error *err)
{
	const char *at = value, *end = value + strlen(value);
	char text[CLIENT_WORD_SIZE];
	struct word w;
	unsigned n = 0;

	if (strcmp(value, "none") == 0)
		return 0;
	for (; next_word(&at, end, ", ", &w); n++) {
		snprintf(text, sizeof(text), "%.*s", (int)w.len, w.at);
		if (w.len > 255 || !is_address_word(text))
			return error_set(err, -EINVAL,
					 "option %s: \"%.64s\" is neither an address, a network such as 192.0.2.0/24, a pattern such as "
					 "192.0.2.* nor *; a brick knows its clients by address only",
					 name, text);
	}
	return n ? 0 : error_set(err, -EINVAL, "option %s: expected addresses with commas between them, or none", name);
}

/* --- nfs.export-dir --- */

static int check_dir(const char *name, const struct export_dir *d, struct error *err)
{
	const char *at = d->path, *end = d->path + d->path_len;
	struct word w;
	size_t len = 0;

	if (d->path_len < 2 || d->path[0] != '/')
		return error_set(err, -EINVAL, "option %s: expected a directory such as /home, not \"%.*s\"", name,
				 d->path_len < 64 ? (int)d->path_len : 64, d->path);
	if (d->path_len > EXPORT_PATH_MAX)
		return error_set(err, -ENAMETOOLONG, "option %s: a directory has at most %d characters", name, EXPORT_PATH_MAX);
	for (; next_word(&at, end, "/", &w); len += w.len + 1)
		if ((w.len == 1 && w.at[0] == '.') || (w.len == 2 && w.at[0] == '.' && w.at[1] == '.'))
			return error_set(err, -EINVAL, "option %s: \".\" and \"..\" have no place in a directory", name);
	if (len != d->path_len)
		return error_set(err, -EINVAL, "option %s: a directory has single slashes only, and none at its end", name);
	return 0;
}

int export_dir_next(const char *name, const char **at, struct export_dir *ret, struct error *err)
{
	const char *close;

	memset(ret, 0, sizeof(*ret));
	if (!**at)
		return 0;
	ret->path = *at;
	ret->path_len = strcspn(*at, ",()");
	*at += ret->path_len;
	if (**at == '(') {
		close = strpbrk(*at + 1, "()");
		if (!close || *close != ')' || close == *at + 1)
			return error_set(err, -EINVAL, "option %s: expected /DIRECTORY(CLIENT|CLIENT),/DIRECTORY", name);
		ret->clients = *at + 1;
		ret->clients_len = (size_t)(close - ret->clients);
		*at = close + 1;
	}
	if (**at && (**at != ',' || !(*at)[1]))
		return error_set(err, -EINVAL, "option %s: expected /DIRECTORY(CLIENT|CLIENT),/DIRECTORY", name);
	*at += **at == ',';
	return check_dir(name, ret, err) < 0 ? -EINVAL : 1;
}

static bool named_before(const char *name, const char *value, const struct export_dir *d)
{
	struct export_dir other;

	while (export_dir_next(name, &value, &other, NULL) > 0 && other.path != d->path)
		if (other.path_len == d->path_len && memcmp(other.path, d->path, d->path_len) == 0)
			return true;
	return false;
}

int check_export_dir(const char *name, const char *value, struct error *err)
{
	const char *at = value;
	struct export_dir d;
	unsigned n;
	int ret;

	while ((ret = export_dir_next(name, &at, &d, err)) > 0) {
		if (named_before(name, value, &d))
			return error_set(err, -EINVAL, "option %s: \"%.*s\" stands there twice", name, (int)d.path_len, d.path);
		if (!d.clients_len)
			continue;
		if (client_list(name, d.clients, d.clients_len, "|", &n, err) < 0)
			return -EINVAL;
		if (!n)
			return error_set(err, -EINVAL, "option %s: no client stands between the brackets", name);
	}
	return ret;
}

/* --- nfs.exports --- */

/* "all" and "192.0.2.*" are GlusterFS's words, and names to exports(5). */
static int check_habits(const char *name, const struct export_set *set, struct error *err)
{
	char text[CLIENT_WORD_SIZE];
	unsigned i;
	int ret;

	for (i = 0; i < set->exports[0].nclients; i++) {
		const char *spec = set->exports[0].clients[i].spec;

		ret = client_word(name, spec, strlen(spec), text, err);
		if (ret < 0)
			return ret;
		if (strcmp(text, spec) != 0)
			return error_set(err, -EINVAL, "option %s: instead of \"%.64s\" write \"%s\"", name, spec, text);
	}
	return 0;
}

int check_exports(const char *name, const char *value, struct error *err)
{
	struct export_set *set;
	char *line;
	int ret;

	if (asprintf(&line, "/volume %s", value) < 0)
		return -ENOMEM;
	ret = exports_parse(line, strlen(line), NULL, "volume", &set, err);
	free(line);
	if (ret < 0) {
		error_prefix(err, "option %s", name);
		return ret;
	}
	ret = check_habits(name, set, err);
	export_set_unref(set);
	return ret;
}

/* --- others --- */

int check_least(const char *name, const char *value, struct error *err)
{
	char *end;
	double n = strtod(value, &end);

	if (isdigit((unsigned char)*value) && (strcmp(end, "%") == 0 || *end == '\0'))
		return n <= 100 || !*end ? 0 : error_set(err, -ERANGE, "option %s: more than 100%%", name);
	if (isdigit((unsigned char)*value) && strchr("KMGTPkmgtp", *end) && (strcasecmp(end + 1, "B") == 0 || !end[1]))
		return 0;
	return error_set(err, -EINVAL, "option %s: expected a percentage such as 10%% or a size such as 5GB, not \"%.64s\"", name, value);
}

int check_regex(const char *name, const char *value, struct error *err)
{
	char why[160];
	regex_t re;
	int code = regcomp(&re, value, REG_EXTENDED);

	if (code) {
		regerror(code, &re, why, sizeof(why));
		return error_set(err, -EINVAL, "option %s: \"%.64s\" is no regular expression: %s", name, value, why);
	}
	code = re.re_nsub < 1 && strcmp(value, "none") != 0;
	regfree(&re);
	if (code)
		return error_set(err, -EINVAL, "option %s: expected a group in brackets, the part of the name to hash, or \"none\"", name);
	return 0;
}

int check_path(const char *name, const char *value, struct error *err)
{
	return *value == '/' ? 0 : error_set(err, -EINVAL, "option %s: expected the absolute path of a file, not \"%.64s\"", name, value);
}

int check_on(const char *name, const char *value, struct error *err)
{
	static const char *const words[] = { "on", "yes", "true", "enable", "1" };
	unsigned i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i]) == 0)
			return 0;
	return error_set(err, -EOPNOTSUPP, "option %s: it cannot be switched off here", name);
}

int check_client_translator(const char *name, const char *value, struct error *err)
{
	const char *end = strrchr(value, '-');

	if (end && isdigit((unsigned char)end[1]) && end - value > 7 && strncmp(end - 7, "-client", 7) == 0 &&
	    end[1 + strspn(end + 1, "0123456789")] == '\0')
		return 0;
	return error_set(err, -EINVAL, "option %s: expected VOLUME-client-NUMBER, which counts the volume's bricks from 0, not \"%.64s\"", name,
			 value);
}
