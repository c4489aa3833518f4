/* mgmt/cli_words.c: the command line taken apart: flags, which may stand anywhere, the command, its arguments. Every refusal names what is
 * wrong and, when there is one near, the right word. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli.h"
#include "runtime/option.h"

#define NEAR_MAX 3		/* edits */
#define WORD_SHOWN 64		/* characters of a wrong word that a sentence repeats */

const char *cli_nearest(const char *const *words, const char *word)
{
	unsigned best = NEAR_MAX + 1, d;
	const char *ret = NULL;

	for (; *words; words++) {
		d = word_distance(*words, word);
		if (d < best && d < strlen(word)) {
			best = d;
			ret = *words;
		}
	}
	return ret;
}

/* --- flags ------------------------------------------------------------------------------------------------------ */

enum flag {
	FLAG_JSON, FLAG_XML, FLAG_MODE, FLAG_SOCKET, FLAG_TIMEOUT, FLAG_NO_COLOR, FLAG_HELP, FLAG_VERSION,
	/* of gluster's command; nolog and inet6 say what is so anyway */
	FLAG_WIGNORE, FLAG_WIGNORE_PARTITION, FLAG_NOLOG, FLAG_INET6, FLAG_LOG_FILE, FLAG_LOG_LEVEL, FLAG_GLUSTERD_SOCK, FLAG_REMOTE_HOST,
	FLAG_PRINT_LOGDIR, FLAG_PRINT_STATEDUMPDIR, FLAGS
};

static const char *const flag_words[] = {
	"--json", "--xml", "--mode", "--socket", "--timeout", "--no-color", "--help", "--version",
	"--wignore", "--wignore-partition", "--nolog", "--inet6", "--log-file", "--log-level", "--glusterd-sock", "--remote-host",
	"--print-logdir", "--print-statedumpdir", NULL
};

static bool flag_has_value(enum flag flag)
{
	return flag == FLAG_MODE || flag == FLAG_SOCKET || flag == FLAG_TIMEOUT || (flag >= FLAG_LOG_FILE && flag <= FLAG_REMOTE_HOST);
}

static int flag_find(const char *word, size_t len)
{
	int i;

	if (strcmp(word, "-h") == 0)
		return FLAG_HELP;
	for (i = 0; i < FLAGS; i++)
		if (strlen(flag_words[i]) == len && strncmp(word, flag_words[i], len) == 0)
			return i;
	return -1;
}

static int flag_timeout(struct cli_flags *flags, const char *value, struct error *err)
{
	char *end;
	unsigned long s = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || s < 1 || s > 86400)
		return error_set(err, -EINVAL, "--timeout takes a number of seconds from 1 to 86400, not \"%.*s\"", WORD_SHOWN, value);
	flags->timeout_s = (unsigned)s;
	return 0;
}

/* Each host's commands reach its own manager, and all hosts of a cluster say the same. */
static int flag_remote_host(const char *value, struct error *err)
{
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	if (strcmp(value, "localhost") == 0 || strncmp(value, "127.", 4) == 0 || strcmp(value, "::1") == 0 || strcmp(value, name) == 0)
		return 0;
	return error_set(err, -EINVAL, "--remote-host=%.*s: commands go to this host's own manager; run them on that host, by ssh",
			 WORD_SHOWN, value);
}

static int flag_set(struct cli_flags *flags, enum flag flag, const char *value, struct error *err)
{
	switch (flag) {
	case FLAG_MODE:		/* GlusterFS has "interactive", too, which is how it is without --mode */
		if (strcmp(value, "script") != 0 && strcmp(value, "interactive") != 0)
			return error_set(err, -EINVAL, "--mode takes \"script\" (nothing is asked), not \"%.*s\"", WORD_SHOWN, value);
		flags->script = *value == 's';
		return 0;
	case FLAG_SOCKET:
	case FLAG_GLUSTERD_SOCK:
		flags->socket = value;
		return 0;
	case FLAG_TIMEOUT:
		return flag_timeout(flags, value, err);
	case FLAG_REMOTE_HOST:
		return flag_remote_host(value, err);
	case FLAG_PRINT_LOGDIR:
		flags->print = CLI_LOG_DIR;
		return 0;
	case FLAG_PRINT_STATEDUMPDIR:
		flags->print = CLI_RUN_DIR;
		return 0;
	default:
		flags->wignore |= flag == FLAG_WIGNORE;
		flags->json |= flag == FLAG_JSON;
		flags->xml |= flag == FLAG_XML;
		flags->no_color |= flag == FLAG_NO_COLOR;
		flags->help |= flag == FLAG_HELP;
		flags->version |= flag == FLAG_VERSION;
		return 0;
	}
}

static int flag_unknown(const char *word, size_t len, struct error *err)
{
	char name[WORD_SHOWN + 1] = "";
	const char *near;

	memcpy(name, word, len < WORD_SHOWN ? len : WORD_SHOWN);
	near = cli_nearest(flag_words, name);
	if (near)
		return error_set(err, -EINVAL, "there is no flag %s; did you mean %s?", name, near);
	return error_set(err, -EINVAL, "there is no flag %s; a word that begins with dashes is taken as it is after \"--\"", name);
}

/* One flag at argv[i], perhaps with its value behind it. Returns how many words it took, or -EINVAL. */
static int take_flag(struct cli_flags *flags, int i, int argc, char **argv, struct error *err)
{
	const char *word = argv[i], *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	int flag = flag_find(word, len), used = 1, ret;
	bool wants = flag >= 0 && flag_has_value((enum flag)flag);

	if (flag < 0)
		return flag_unknown(word, len, err);
	if (value && !wants)
		return error_set(err, -EINVAL, "%s takes no value", flag_words[flag]);
	if (wants && !value && i + 1 == argc)
		return error_set(err, -EINVAL, "%s wants a value behind it", flag_words[flag]);
	if (wants && !value)
		used = 2;
	ret = flag_set(flags, (enum flag)flag, !wants ? "" : value ? value + 1 : argv[i + 1], err);
	return ret < 0 ? ret : used;
}

static int take_flags(struct cli_parsed *p, int argc, char **argv, struct error *err)
{
	bool rest = false;
	int i, ret;

	for (i = 1; i < argc; i += ret) {
		ret = 1;
		if (!rest && strcmp(argv[i], "--") == 0)
			rest = true;
		else if (!rest && (strncmp(argv[i], "--", 2) == 0 || strcmp(argv[i], "-h") == 0))
			ret = take_flag(&p->flags, i, argc, argv, err);
		else
			p->words[p->nwords++] = argv[i];
		if (ret < 0)
			return ret;
	}
	if (p->flags.json && p->flags.xml)
		return error_set(err, -EINVAL, "--json and --xml exclude each other; give one of them");
	return 0;
}

/* --- the command ------------------------------------------------------------------------------------------------ */

/* How many words of @words are the first of @word; all of them or 0. @begin: beginnings of the first two will do. */
static unsigned matches(const char *words, const char *const *word, unsigned n, bool begin)
{
	unsigned used = 0;
	size_t len, typed;

	for (; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		typed = used < n ? strlen(word[used]) : 0;
		if (!typed || strncmp(words, word[used], typed) != 0 || typed > len || (typed < len && !(begin && used < 2)))
			return 0;
		used++;
	}
	return used;
}

/* The row that alone begins so: "v info", "vol status". */
static const struct cli_command *find_begun(const char *const *word, unsigned n, unsigned *ret_used)
{
	const struct cli_command *c, *best = NULL;
	unsigned used, rows = 0;

	*ret_used = 0;
	for (c = cli_commands; c->words; c++) {
		used = matches(c->words, word, n, true);
		if (used < *ret_used || !used)
			continue;
		rows = used > *ret_used ? 1 : rows + 1;
		*ret_used = used;
		best = c;
	}
	if (rows == 1)
		return best;
	*ret_used = 0;
	return NULL;
}

const struct cli_command *cli_find(const char *const *word, unsigned n, unsigned *ret_used)
{
	const struct cli_command *c, *best = NULL;
	unsigned used;

	*ret_used = 0;
	for (c = cli_commands; c->words; c++) {
		used = matches(c->words, word, n, false);
		if (used > *ret_used) {
			*ret_used = used;
			best = c;
		}
	}
	return best ? best : find_begun(word, n, ret_used);
}

/* What administrators of GlusterFS will type and we do not have: no guess at a near word helps them. */
static const char *const gluster_only[] = {
	"add-brick", "barrier", "bitrot", "clear-locks", "geo-replication", "heal", "profile", "quota", "rebalance", "remove-brick",
	"replace-brick", "reset-brick", "statedump", "sync", "top", "snapshot", "global", "eventsapi", NULL
};

static bool is_one_of(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/* The row whose words are nearest to the first ones of @word. */
static const struct cli_command *nearest_command(const char *const *word, unsigned n)
{
	const struct cli_command *c, *ret = NULL;
	unsigned best = NEAR_MAX + 1, d, count;
	const char *s;
	char typed[WORD_SHOWN + 1];

	for (c = cli_commands; c->words; c++) {
		for (count = 1, s = c->words; *s; s++)
			count += *s == ' ';
		if (count > n || count > 3)
			continue;
		snprintf(typed, sizeof(typed), "%s%s%s%s%s", word[0], count > 1 ? " " : "", count > 1 ? word[1] : "",
			 count > 2 ? " " : "", count > 2 ? word[2] : "");
		d = word_distance(c->words, typed);
		if (d < best) {
			best = d;
			ret = c;
		}
	}
	return ret;
}

static bool begins_commands(const char *word)
{
	const struct cli_command *c;
	size_t len = strlen(word);

	for (c = cli_commands; c->words; c++)
		if (strncmp(c->words, word, len) == 0 && c->words[len] == ' ')
			return true;
	return false;
}

static int command_unknown(const char *const *word, unsigned n, struct error *err)
{
	const struct cli_command *near = nearest_command(word, n);
	const char *first = word[0], *second = n > 1 ? word[1] : "";

	if (n == 1 && begins_commands(first))
		return error_set(err, -EINVAL, "\"%s\" wants a word behind it; \"gatehouse %s help\" lists them", first, first);
	if (is_one_of(gluster_only, n > 1 && strcmp(first, "volume") == 0 ? second : first))
		return error_set(err, -EINVAL, "\"%.*s%s%.*s\" of GlusterFS is not part of Gatehouse; \"gatehouse help\" lists what is",
				 WORD_SHOWN, first, n > 1 ? " " : "", WORD_SHOWN, second);
	if (near)
		return error_set(err, -EINVAL, "there is no command \"%.*s%s%.*s\"; did you mean \"%s\"?", WORD_SHOWN, first,
				 n > 1 ? " " : "", WORD_SHOWN, second, near->words);
	return error_set(err, -EINVAL, "there is no command \"%.*s%s%.*s\"; \"gatehouse help\" lists them", WORD_SHOWN, first,
			 n > 1 ? " " : "", WORD_SHOWN, second);
}

/* "help", "volume help", "volume start help" and "help volume start" alike: the words it is about stay. */
static bool asks_for_help(struct cli_parsed *p)
{
	unsigned used;

	if (p->nwords && strcmp(p->words[0], "help") == 0) {
		memmove(p->words, p->words + 1, --p->nwords * sizeof(*p->words));
		return true;
	}
	if (!p->nwords || strcmp(p->words[p->nwords - 1], "help") != 0)
		return p->flags.help;
	cli_find(p->words, p->nwords, &used);
	if (used == p->nwords)		/* "volume set help" is a command */
		return p->flags.help;
	if (used && used + 1 < p->nwords)
		return p->flags.help;
	p->nwords--;
	return true;
}

static int make_request(struct cli_parsed *p, const struct cli_command *c, unsigned used, struct error *err)
{
	struct cli_args args = { p->words + used, p->nwords - used, c };

	p->request = json_object();
	if (!p->request)
		return -ENOMEM;
	if (c->request)
		json_object_set_new(p->request, "command", json_string(c->request));
	if (c->one_host && (p->flags.script || p->flags.wignore))	/* GlusterFS asks here, and takes either for a yes */
		json_object_set_new(p->request, "one_host", json_true());
	if (!c->make)
		return cli_end(&args, NULL, err);
	return c->make(&args, p->request, err);
}

/* jansson takes UTF-8 only. */
static int check_text(const struct cli_parsed *p, struct error *err)
{
	json_t *text;
	unsigned i;

	for (i = 0; i < p->nwords; i++) {
		text = json_string(p->words[i]);
		if (!text)
			return error_set(err, -EINVAL, "\"%.*s\" is not written in UTF-8", WORD_SHOWN, p->words[i]);
		json_decref(text);
	}
	return 0;
}

/* A program is answered in the form that it asked for, whatever else is wrong. */
static void look_ahead(struct cli_flags *flags, int argc, char **argv)
{
	const char *name = argc && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argc ? argv[0] : "";
	int i;

	flags->gluster = strcmp(name, "gluster") == 0;
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		flags->json |= strcmp(argv[i], "--json") == 0;
		flags->xml |= strcmp(argv[i], "--xml") == 0;
	}
}

int cli_parse(int argc, char **argv, struct cli_parsed *p, struct error *err)
{
	const struct cli_command *c;
	unsigned used;
	int ret;

	memset(p, 0, sizeof(*p));
	p->flags.socket = CLI_SOCKET;
	p->flags.timeout_s = CLI_TIMEOUT_S;
	look_ahead(&p->flags, argc, argv);
	p->words = calloc((size_t)argc + 1, sizeof(*p->words));
	if (!p->words)
		return error_set(err, -ENOMEM, "out of memory");
	ret = take_flags(p, argc, argv, err);
	if (ret == 0)
		ret = check_text(p, err);
	if (ret < 0 || p->flags.version || p->flags.print)
		return ret;
	if (asks_for_help(p)) {
		p->flags.help = true;
		return 0;
	}
	if (!p->nwords)
		return error_set(err, -EINVAL, "a command is missing; \"gatehouse help\" lists them");
	c = cli_find(p->words, p->nwords, &used);
	if (!c)
		return command_unknown(p->words, p->nwords, err);
	p->command = c;
	ret = make_request(p, c, used, err);
	if (ret == 0 && p->flags.xml && !c->xml)
		ret = error_set(err, -EINVAL, "\"%s\" has no XML, because GlusterFS has no such command; take --json", c->words);
	return ret;
}

void cli_parsed_free(struct cli_parsed *p)
{
	free(p->words);
	json_decref(p->request);
	memset(p, 0, sizeof(*p));
}

/* --- arguments -------------------------------------------------------------------------------------------------- */

static int usage(const struct cli_args *args, int ret, struct error *err)
{
	size_t len = strlen(err ? err->text : "");

	if (err && len < sizeof(err->text))
		snprintf(err->text + len, sizeof(err->text) - len, "; usage: gatehouse %s%s%s", args->command->words,
			 *args->command->args ? " " : "", args->command->args);
	return ret;
}

const char *cli_take(struct cli_args *args, const char *what, struct error *err)
{
	if (!args->n) {
		usage(args, error_set(err, -EINVAL, "%s: %s is missing", args->command->words, what), err);
		return NULL;
	}
	args->n--;
	return *args->word++;
}

bool cli_take_word(struct cli_args *args, const char *word)
{
	if (!args->n || strcmp(*args->word, word) != 0)
		return false;
	args->n--;
	args->word++;
	return true;
}

bool cli_take_last(struct cli_args *args, const char *word)
{
	if (!args->n || strcmp(args->word[args->n - 1], word) != 0)
		return false;
	args->n--;
	return true;
}

int cli_take_number(struct cli_args *args, const char *what, unsigned min, unsigned max, unsigned *ret_number, struct error *err)
{
	const char *word = cli_take(args, what, err);
	unsigned long number;
	char *end;

	if (!word)
		return -EINVAL;
	number = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || number < min || number > max)
		return error_set(err, -EINVAL, "%s: %s is a number from %u to %u, not \"%.*s\"", args->command->words, what, min, max,
				 WORD_SHOWN, word);
	*ret_number = (unsigned)number;
	return 0;
}

int cli_refuse(const struct cli_args *args, const char *word, const char *const *words, struct error *err)
{
	const char *near = words ? cli_nearest(words, word) : NULL;

	if (near)
		return error_set(err, -EINVAL, "%s: \"%.*s\" is not understood here; did you mean \"%s\"?", args->command->words,
				 WORD_SHOWN, word, near);
	return usage(args, error_set(err, -EINVAL, "%s: \"%.*s\" is not understood here", args->command->words, WORD_SHOWN, word), err);
}

int cli_end(const struct cli_args *args, const char *const *words, struct error *err)
{
	return args->n ? cli_refuse(args, *args->word, words, err) : 0;
}
