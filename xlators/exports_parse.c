/* xlators/exports_parse.c: the text of exports(5) to a set of exports.
 *
 * A line is "path client(options) client(options) ...". The words are taken apart once, by next_word(), which knows
 * comments, quotes, octal escapes and continued lines; what follows only looks at finished words. */
#include "xlators/exports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/hash.h"

#define FILE_MAX (1u << 20)
#define WORD_MAX 4096

static const struct export_options default_options = {
	.rw = false, .sync = true, .secure = true, .root_squash = true, .all_squash = false,
	.anonuid = 65534, .anongid = 65534,
};

struct parser {
	const char *p, *end;
	const char *filename, *volume;
	unsigned line;			/* of what comes next */
	struct error *err;
	struct export_set *set;
	char word[WORD_MAX + 1];
	struct export_options options;	/* of the line: changed by "-options" words */
	char *path;			/* of the line, once it is read */
	unsigned at, before;		/* the line's export, and how many clients that had before */
	bool at_known;
};

#define FAIL(ps, at, ret, ...) fail(ps, at, error_set((ps)->err, ret, __VA_ARGS__))
static int fail(struct parser *ps, unsigned line, int ret)
{
	if (ps->filename)
		error_prefix(ps->err, "%s:%u", ps->filename, line);
	return ret;
}

static bool at_octal(const struct parser *ps)
{
	return ps->end - ps->p >= 4 && ps->p[0] == '\\' && ps->p[1] >= '0' && ps->p[1] <= '3' && ps->p[2] >= '0' &&
	       ps->p[2] <= '7' && ps->p[3] >= '0' && ps->p[3] <= '7';
}

/* Blanks, continued lines and comments; stops at a word, a line's end or the end. */
static void skip_blanks(struct parser *ps)
{
	while (ps->p < ps->end) {
		if (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r') {
			ps->p++;
		} else if (*ps->p == '\\' && ps->end - ps->p >= 2 && ps->p[1] == '\n') {
			ps->p += 2;
			ps->line++;
		} else if (*ps->p == '#') {
			while (ps->p < ps->end && *ps->p != '\n')
				ps->p++;
		} else {
			return;
		}
	}
}

static int put_char(struct parser *ps, size_t *len, char c)
{
	if (*len == WORD_MAX)
		return FAIL(ps, ps->line, -E2BIG, "a word is longer than %d characters", WORD_MAX);
	if (!c)
		return FAIL(ps, ps->line, -EINVAL, "a NUL character");
	ps->word[(*len)++] = c;
	return 0;
}

/* 1: ps->word holds the next word of this line; 0: the line (or the text) ended; or -errno. */
static int next_word(struct parser *ps)
{
	bool quoted = false, any = false;
	size_t len = 0;
	int ret = 0;

	skip_blanks(ps);
	while (ps->p < ps->end && *ps->p != '\n' && ret == 0) {
		if (!quoted && (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r' || *ps->p == '#' ||
				(*ps->p == '\\' && ps->end - ps->p >= 2 && ps->p[1] == '\n')))
			break;
		any = true;
		if (*ps->p == '"') {
			quoted = !quoted;
			ps->p++;
		} else if (at_octal(ps)) {
			ret = put_char(ps, &len,
				       (char)((ps->p[1] - '0') * 64 + (ps->p[2] - '0') * 8 + (ps->p[3] - '0')));
			ps->p += 4;
		} else {
			ret = put_char(ps, &len, *ps->p++);
		}
	}
	if (ret < 0)
		return ret;
	if (quoted)
		return FAIL(ps, ps->line, -EINVAL, "a quote is not closed");
	ps->word[len] = '\0';
	return any;
}

enum opt { RW, RO, SYNC, ASYNC, ROOT_SQUASH, NO_ROOT_SQUASH, ALL_SQUASH, NO_ALL_SQUASH, SECURE, INSECURE, INO32, NO_INO32, NOACCESS,
	   SUBTREE_CHECK, NO_SUBTREE_CHECK, IGNORED };

static const struct { const char *name; enum opt opt; } flags[] = {
	{ "rw", RW }, { "ro", RO }, { "sync", SYNC }, { "async", ASYNC }, { "root_squash", ROOT_SQUASH },
	{ "no_root_squash", NO_ROOT_SQUASH }, { "all_squash", ALL_SQUASH }, { "no_all_squash", NO_ALL_SQUASH },
	{ "secure", SECURE }, { "insecure", INSECURE }, { "ino32", INO32 }, { "no_ino32", NO_INO32 },
	{ "noaccess", NOACCESS }, { "subtree_check", SUBTREE_CHECK }, { "no_subtree_check", NO_SUBTREE_CHECK },
	/* options of knfsd that say what is so here anyway, or that mean nothing here */
	{ "wdelay", IGNORED }, { "no_wdelay", IGNORED }, { "hide", IGNORED }, { "nohide", IGNORED }, { "crossmnt", IGNORED },
	{ "nocrossmnt", IGNORED }, { "acl", IGNORED }, { "no_acl", IGNORED }, { "secure_locks", IGNORED },
	{ "insecure_locks", IGNORED }, { "auth_nlm", IGNORED }, { "no_auth_nlm", IGNORED }, { "rdirplus", IGNORED },
	{ "nordirplus", IGNORED }, { "pnfs", IGNORED }, { "no_pnfs", IGNORED }, { "mp", IGNORED }, { "mountpoint", IGNORED },
	{ "security_label", IGNORED },
};

static void apply_flag(struct export_options *o, enum opt opt)
{
	switch (opt) {
	case RW: o->rw = true; break;
	case RO: o->rw = false; break;
	case SYNC: o->sync = true; break;
	case ASYNC: o->sync = false; break;
	case ROOT_SQUASH: o->root_squash = true; break;
	case NO_ROOT_SQUASH: o->root_squash = false; break;
	case ALL_SQUASH: o->all_squash = true; break;
	case NO_ALL_SQUASH: o->all_squash = false; break;
	case SECURE: o->secure = true; break;
	case INSECURE: o->secure = false; break;
	case INO32: o->ino32 = true; break;
	case NO_INO32: o->ino32 = false; break;
	case NOACCESS: o->noaccess = true; break;
	case SUBTREE_CHECK: o->subtree_check = true; break;
	case NO_SUBTREE_CHECK: o->subtree_check = false; break;
	case IGNORED: break;
	}
}

static int parse_id(struct parser *ps, const char *name, const char *value, uint32_t *ret_id)
{
	unsigned long long id;
	char *end;

	errno = 0;
	id = strtoull(value, &end, 10);
	if (strcmp(value, "-1") == 0 || strcmp(value, "-2") == 0) {
		*ret_id = (uint32_t)strtol(value, NULL, 10);
		return 0;
	}
	if (!isdigit((unsigned char)value[0]) || *end || errno || id > UINT32_MAX)
		return FAIL(ps, ps->line, -EINVAL, "%s wants a number from 0 to 4294967295, not \"%s\"", name, value);
	*ret_id = (uint32_t)id;
	return 0;
}

/* Is @want one of the words of @list, which have colons between them? */
static bool list_has(const char *list, const char *want)
{
	size_t len = strlen(want), n;

	for (;; list += n + 1) {
		n = strcspn(list, ":");
		if (n == len && memcmp(list, want, len) == 0)
			return true;
		if (!list[n])
			return false;
	}
}

/* NAME=VALUE of what knfsd knows and we do not: taken where it asks for nothing, refused with the reason otherwise. 1: it is another. */
static int parse_foreign(struct parser *ps, const char *word)
{
	if (strncmp(word, "fsid=", 5) == 0 || strncmp(word, "mp=", 3) == 0 || strncmp(word, "mountpoint=", 11) == 0)
		return 0;
	if (strncmp(word, "sec=", 4) == 0)
		return list_has(word + 4, "sys") ? 0
			: FAIL(ps, ps->line, -EINVAL, "only sec=sys is served, not \"%.64s\"", word);
	if (strncmp(word, "xprtsec=", 8) == 0)
		return list_has(word + 8, "none") ? 0
			: FAIL(ps, ps->line, -EINVAL,
			       "\"%.64s\" asks clients for TLS, which is not spoken to them: only xprtsec=none is served", word);
	if (strncmp(word, "refer=", 6) == 0 || strncmp(word, "replicas=", 9) == 0)
		return FAIL(ps, ps->line, -EINVAL, "\"%.64s\" sends clients of NFSv4 elsewhere, and NFSv3 alone is served", word);
	return 1;
}

static int parse_option(struct parser *ps, const char *word, struct export_options *o)
{
	unsigned i;
	int ret;

	if (!*word)
		return 0;
	if (strncmp(word, "anonuid=", 8) == 0)
		return parse_id(ps, "anonuid", word + 8, &o->anonuid);
	if (strncmp(word, "anongid=", 8) == 0)
		return parse_id(ps, "anongid", word + 8, &o->anongid);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(word, flags[i].name) != 0)
			continue;
		apply_flag(o, flags[i].opt);
		return 0;
	}
	ret = parse_foreign(ps, word);
	if (ret <= 0)
		return ret;
	return FAIL(ps, ps->line, -EINVAL,
		    "unknown option \"%.64s\": expected rw, ro, sync, async, root_squash, no_root_squash, all_squash, "
		    "no_all_squash, anonuid=N, anongid=N, secure, insecure, subtree_check, no_subtree_check, ino32, no_ino32 "
		    "or noaccess",
		    word);
}

/* "a,b,c" in place. */
static int parse_options(struct parser *ps, char *list, struct export_options *o)
{
	char *word, *next = list;
	int ret = 0;

	while (ret == 0 && (word = strsep(&next, ",")))
		ret = parse_option(ps, word, o);
	return ret;
}

static bool parse_address(const char *text, uint8_t ret_addr[16], unsigned *ret_bits)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memset(ret_addr, 0, 10);
		memset(ret_addr + 10, 0xff, 2);
		memcpy(ret_addr + 12, &v4, 4);
		*ret_bits = 32;
		return true;
	}
	*ret_bits = 128;
	return inet_pton(AF_INET6, text, ret_addr) == 1;
}

/* "24", or "255.255.255.0" after an IPv4 address. */
static bool parse_prefix(const char *text, unsigned bits, unsigned *ret_prefix)
{
	struct in_addr mask;
	uint32_t m;
	char *end;
	unsigned long n;

	if (bits == 32 && strchr(text, '.')) {
		if (inet_pton(AF_INET, text, &mask) != 1)
			return false;
		m = ntohl(mask.s_addr);
		if (~m & (~m + 1))
			return false;
		*ret_prefix = (unsigned)__builtin_popcount(m);
		return true;
	}
	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || n > bits)
		return false;
	*ret_prefix = (unsigned)n;
	return true;
}

static int parse_network(struct parser *ps, const char *spec, const char *slash, struct export_client *c)
{
	char text[64];
	size_t len = slash ? (size_t)(slash - spec) : strlen(spec);
	const char *from = spec;
	unsigned bits, prefix;

	if (len >= 2 && spec[0] == '[' && spec[len - 1] == ']') {
		from++;
		len -= 2;
	}
	if (len >= sizeof(text))
		return FAIL(ps, ps->line, -EINVAL, "\"%s\" is no network", spec);
	memcpy(text, from, len);
	text[len] = '\0';
	if (!parse_address(text, c->addr, &bits))
		return FAIL(ps, ps->line, -EINVAL, "\"%s\" is no network: expected an address before the slash", spec);
	prefix = bits;
	if (slash && !parse_prefix(slash + 1, bits, &prefix))
		return FAIL(ps, ps->line, -EINVAL,
			    "\"%s\" is no network: expected a prefix length from 0 to %u%s after the slash", spec, bits,
			    bits == 32 ? " or a netmask" : "");
	c->kind = CLIENT_NETWORK;
	c->prefix = prefix + (bits == 32 ? 96 : 0);
	return 0;
}

static bool is_address(const char *spec)
{
	uint8_t addr[16];
	unsigned bits;

	return parse_address(spec, addr, &bits) ||
	       (spec[0] == '[' && spec[strlen(spec) - 1] == ']' && strchr(spec, ':'));
}

static int parse_spec(struct parser *ps, const char *spec, struct export_client *c)
{
	const char *slash = strchr(spec, '/'), *s;

	if (strcmp(spec, "*") == 0) {
		c->kind = CLIENT_ANY;
		return 0;
	}
	if (spec[0] == '@')
		return FAIL(ps, ps->line, -EINVAL, "netgroups are not supported: \"%s\"", spec);
	if (slash || is_address(spec))
		return parse_network(ps, spec, slash, c);
	if (strlen(spec) > 255)
		return FAIL(ps, ps->line, -EINVAL, "a host name is longer than 255 characters");
	if (strpbrk(spec, "*?[")) {
		if (spec[strspn(spec, "0123456789.*?")] == '\0')
			return FAIL(ps, ps->line, -EINVAL,
				    "\"%s\" matches names, not addresses: write a network, such as 192.0.2.0/24", spec);
		c->kind = CLIENT_PATTERN;
		return 0;
	}
	for (s = spec; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_", *s))
			return FAIL(ps, ps->line, -EINVAL,
				    "\"%s\" is neither an address, a network, a host name nor a pattern", spec);
	c->kind = CLIENT_HOST;
	return 0;
}

/* "CLIENT (OPTIONS)": nfs-utils exports to everybody then, which nobody ever meant. */
static int refuse_blank(struct parser *ps, const struct export *ex)
{
	const char *before = ex->nclients > ps->before ? ex->clients[ex->nclients - 1].spec : NULL;

	if (!before)
		return FAIL(ps, ps->line, -EINVAL, "no client stands before \"%s\": for everybody write \"*%s\"", ps->word, ps->word);
	return FAIL(ps, ps->line, -EINVAL,
		    "a blank stands between \"%s\" and \"%s\", which would export to everybody: write \"%s%s\", or \"*%s\" if "
		    "everybody is meant", before, ps->word, before, ps->word, ps->word);
}

static int append_client(struct parser *ps, struct export *ex, const struct export_options *options)
{
	struct export_client *more, *c;
	char *spec;

	if (ps->set->nclients == EXPORT_CLIENTS_MAX)
		return FAIL(ps, ps->line, -E2BIG, "more than %d clients", EXPORT_CLIENTS_MAX);
	more = reallocarray(ex->clients, ex->nclients + 1, sizeof(*more));
	if (more)
		ex->clients = more;
	spec = strdup(ps->word);
	if (!more || !spec) {
		free(spec);
		return -ENOMEM;
	}
	c = &ex->clients[ex->nclients++];
	*c = (struct export_client){ .spec = spec, .line = ps->line, .options = *options };
	ps->set->nclients++;
	return parse_spec(ps, spec, c);
}

static int add_client(struct parser *ps, struct export *ex)
{
	char *open = strchr(ps->word, '(');
	struct export_options options = ps->options;
	size_t len = strlen(ps->word);
	int ret;

	if (open == ps->word || !len)
		return refuse_blank(ps, ex);
	if (open) {
		if (ps->word[len - 1] != ')' || strchr(open + 1, '('))
			return FAIL(ps, ps->line, -EINVAL, "expected client(options) without blanks, such as 192.0.2.0/24(rw,sync), not "
				    "\"%s\"", ps->word);
		ps->word[len - 1] = '\0';
		*open = '\0';
		ret = parse_options(ps, open + 1, &options);
		if (ret < 0)
			return ret;
	}
	return append_client(ps, ex, &options);
}

/* Slashes folded, none at the end; "." and ".." refused. In place. */
static int fold_path(struct parser *ps, char *path)
{
	const char *from = path;
	char *to = path;
	size_t len;

	if (*path != '/')
		return FAIL(ps, ps->line, -EINVAL, "expected a path that begins with a slash, not \"%s\"", path);
	while (*from) {
		while (*from == '/')
			from++;
		len = strcspn(from, "/");
		if ((len == 1 && from[0] == '.') || (len == 2 && from[0] == '.' && from[1] == '.'))
			return FAIL(ps, ps->line, -EINVAL, "\".\" and \"..\" have no place in an exported path");
		if (!len)
			break;
		*to++ = '/';
		memmove(to, from, len);
		to += len;
		from += len;
	}
	*to = '\0';
	return 0;
}

static int check_path(struct parser *ps, size_t *ret_volume_len)
{
	int ret = fold_path(ps, ps->word);
	size_t vlen;

	if (ret < 0)
		return ret;
	vlen = *ret_volume_len = strcspn(ps->word + 1, "/");
	if (!vlen)
		return FAIL(ps, ps->line, -EINVAL, "expected a volume's name after the slash");
	if (ps->volume && (vlen != strlen(ps->volume) || strncmp(ps->word + 1, ps->volume, vlen) != 0))
		return FAIL(ps, ps->line, -EINVAL,
			    "\"%s\" is not in the volume of this gateway: expected /%s or a directory below it",
			    ps->word, ps->volume);
	if (strlen(ps->word) > 1023)
		return FAIL(ps, ps->line, -ENAMETOOLONG, "a path is longer than 1023 characters");
	return 0;
}

static int new_export(struct parser *ps, size_t volume_len, uint32_t id)
{
	struct export_set *set = ps->set;
	struct export *ex;

	if (set->n == EXPORTS_MAX)
		return FAIL(ps, ps->line, -E2BIG, "more than %d exports", EXPORTS_MAX);
	ex = reallocarray(set->exports, set->n + 1, sizeof(*ex));
	if (!ex)
		return -ENOMEM;
	set->exports = ex;
	ex = &set->exports[set->n];
	memset(ex, 0, sizeof(*ex));
	ex->path = strdup(ps->word);
	if (!ex->path)
		return -ENOMEM;
	set->n++;
	ex->volume_len = volume_len;
	ex->volume_hash = export_name_hash(ex->path + 1, volume_len);
	ex->subdir = ex->path + 1 + volume_len + (ex->path[1 + volume_len] == '/');
	ex->id = id;
	ex->line = ps->line;
	return 0;
}

/* The export of the line's path: a new one, or that of an earlier line. */
static int find_export(struct parser *ps)
{
	struct export_set *set = ps->set;
	size_t volume_len;
	uint32_t id;
	int ret;

	ret = check_path(ps, &volume_len);
	if (ret < 0)
		return ret;
	ps->path = strdup(ps->word);
	if (!ps->path)
		return -ENOMEM;
	id = (uint32_t)hash_bytes(ps->word, strlen(ps->word), 0);
	for (ps->at = 0; ps->at < set->n && set->exports[ps->at].id != id; ps->at++)
		;
	if (ps->at < set->n && strcmp(set->exports[ps->at].path, ps->word) != 0)
		return FAIL(ps, ps->line, -EINVAL, "\"%s\" has the same export id as line %u: export another directory", ps->word,
			    set->exports[ps->at].line);
	if (ps->at == set->n)
		ret = new_export(ps, volume_len, id);
	if (ret < 0)
		return ret;
	ps->before = set->exports[ps->at].nclients;
	ps->at_known = true;
	return 0;
}

static int parse_line(struct parser *ps)
{
	struct export *ex;
	unsigned line;
	int ret;

	ps->options = default_options;
	ret = next_word(ps);
	if (ret <= 0)
		return ret;
	line = ps->line;
	ret = find_export(ps);
	if (ret < 0)
		return ret;
	ex = &ps->set->exports[ps->at];
	while ((ret = next_word(ps)) > 0) {
		if (ps->word[0] == '-')
			ret = parse_options(ps, ps->word + 1, &ps->options);
		else
			ret = add_client(ps, ex);
		if (ret < 0)
			return ret;
	}
	if (ret == 0 && ex->nclients == ps->before)
		return FAIL(ps, line, -EINVAL,
			    "\"%s\" is exported to nobody: expected clients after the path, such as 192.0.2.0/24(rw) "
			    "or *(ro)",
			    ex->path);
	return ret;
}

static int make_index(struct export_set *set)
{
	unsigned size = 4, i, at;

	while (size < set->n * 2)
		size *= 2;
	set->index = calloc(size, sizeof(*set->index));
	if (!set->index)
		return -ENOMEM;
	set->index_size = size;
	for (i = 0; i < set->n; i++) {
		at = set->exports[i].id & (size - 1);
		while (set->index[at])
			at = (at + 1) & (size - 1);
		set->index[at] = (uint16_t)(i + 1);
	}
	return 0;
}

/* The line's clients go, and the set remembers why. */
static int drop_line(struct parser *ps, unsigned line)
{
	struct export_wrong *more = reallocarray(ps->set->wrong, ps->set->nwrong + 1, sizeof(*more));
	struct export *ex = ps->at_known ? &ps->set->exports[ps->at] : NULL;
	char *sentence = strdup(ps->err->text);

	while (ex && ex->nclients > ps->before) {
		free(ex->clients[--ex->nclients].spec);
		ps->set->nclients--;
	}
	if (more)
		ps->set->wrong = more;
	if (!more || !sentence) {
		free(sentence);
		return -ENOMEM;
	}
	ps->set->wrong[ps->set->nwrong++] = (struct export_wrong){ line, ps->path, sentence };
	ps->path = NULL;
	while (ps->p < ps->end && *ps->p != '\n')	/* the rest of it, and of lines that continue it */
		next_word(ps);
	ps->err->text[0] = '\0';
	return 0;
}

static int parse_all(struct parser *ps)
{
	unsigned line;
	int ret = 0;

	while (ret == 0 && ps->p < ps->end) {
		line = ps->line;
		ps->at_known = false;
		ret = parse_line(ps);
		if (ret < 0 && ret != -ENOMEM)
			ret = drop_line(ps, line);
		free(ps->path);
		ps->path = NULL;
		if (ret == 0 && ps->p < ps->end) {	/* at the line's end */
			ps->p++;
			ps->line++;
		}
	}
	return ret;
}

static void sum_up(struct export_set *set)
{
	unsigned i, j;

	for (i = 0; i < set->n; i++) {
		struct export *ex = &set->exports[i];

		for (j = 0; j < ex->nclients; j++) {
			set->has_hosts |= ex->clients[j].kind == CLIENT_HOST;
			ex->has_patterns |= ex->clients[j].kind == CLIENT_PATTERN;
			ex->refuses_patterns |= ex->clients[j].kind == CLIENT_PATTERN && ex->clients[j].options.noaccess;
		}
	}
}

static struct parser *parser_new(const char *text, size_t len, const char *filename, const char *volume, struct error *err)
{
	static uint64_t generations;
	struct parser *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	ps->p = text;
	ps->end = text + len;
	ps->filename = filename;
	ps->volume = volume;
	ps->line = 1;
	ps->err = err;
	ps->set = calloc(1, sizeof(*ps->set));
	if (!ps->set) {
		free(ps);
		return NULL;
	}
	ps->set->refs = 1;
	ps->set->generation = ++generations << 32;
	return ps;
}

uint64_t export_text_hash(const char *text, size_t len)
{
	return hash_bytes(text, len, 0);
}

int exports_parse_lines(const char *text, size_t len, const char *filename, const char *volume,
			struct export_set **ret_set, struct error *err)
{
	struct error own = { "" };
	struct parser *ps = parser_new(text, len, filename, volume, &own);
	struct export_set *set;
	int ret;

	if (!ps)
		return -ENOMEM;
	set = ps->set;
	ret = parse_all(ps);
	free(ps);
	sum_up(set);
	set->text_hash = export_text_hash(text, len);
	if (ret == 0 && !set->nclients && volume)
		ret = set->nwrong ? error_set(err, -EINVAL, "%s", set->wrong[0].sentence)
			: error_set(err, -EINVAL, "%s: exports nothing: expected lines such as \"/%s *(rw)\"",
				    filename ? filename : "the text", volume);
	if (ret == 0)
		ret = make_index(set);
	if (ret == 0)
		*ret_set = set;
	else
		export_set_unref(set);
	return ret;
}

int exports_parse(const char *text, size_t len, const char *filename, const char *volume, struct export_set **ret_set,
		  struct error *err)
{
	struct export_set *set;
	int ret = exports_parse_lines(text, len, filename, volume, &set, err);

	if (ret < 0)
		return ret;
	if (!set->nwrong) {
		*ret_set = set;
		return 0;
	}
	error_set(err, -EINVAL, "%s", set->wrong[0].sentence);
	export_set_unref(set);
	return -EINVAL;
}

static int read_text(const char *path, char **ret_text, size_t *ret_len, struct error *err)
{
	int ret = file_read(path, FILE_MAX, ret_text, ret_len);

	if (ret == -EFBIG)
		return error_set(err, ret, "the exports file %s is larger than 1 MiB", path);
	return ret < 0 ? error_set(err, ret, "cannot read the exports file %s: %s", path, strerror(-ret)) : 0;
}

int exports_read(const char *path, const char *volume, struct export_set **ret_set, struct error *err)
{
	char *text;
	size_t len;
	int ret = read_text(path, &text, &len, err);

	if (ret < 0)
		return ret;
	ret = exports_parse_lines(text, len, path, volume, ret_set, err);
	free(text);
	return ret;
}
