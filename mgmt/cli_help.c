/* mgmt/cli_help.c: help, out of the table of commands. */
#include <string.h>

#include "mgmt/cli.h"

static const char *const flags_help[][2] = {
	{ "--json", "the manager's answer as JSON" },
	{ "--xml", "as \"gluster --xml\" says it" },
	{ "--mode=script", "ask nothing" },
	{ "--timeout=SECONDS", "how long to wait for the manager [30]" },
	{ "--socket=PATH", "of the manager [" CLI_SOCKET "]" },
	{ "--no-color", "no colours on a terminal; so does NO_COLOR in the environment" },
	{ "--version", "of this program" },
	{ "--wignore", "ask nothing about bricks on one host; the other flags of gluster are taken, too" },
	{ NULL, NULL }
};

/* Do the words of @c begin with these? */
static bool is_under(const struct cli_command *c, const char *const *word, unsigned n)
{
	const char *words = c->words;
	unsigned i;
	size_t len;

	for (i = 0; i < n; i++) {
		len = strlen(word[i]);
		if (strncmp(words, word[i], len) != 0 || (words[len] && words[len] != ' '))
			return false;
		words += len + (words[len] == ' ');
	}
	return true;
}

bool cli_help(struct cli_out *out, const char *const *word, unsigned n)
{
	const struct cli_command *c;
	unsigned found = 0, i;

	for (c = cli_commands; c->words; c++) {
		if (!is_under(c, word, n))
			continue;
		if (!found++ && !n)
			out_line(out, PLAIN, "usage: gatehouse [FLAG...] COMMAND");
		if (found == 1)
			out_line(out, PLAIN, n ? "usage:" : "");
		out_line(out, STRONG, "  %s%s%s", c->words, *c->args ? " " : "", c->args);
		out_line(out, PLAIN, "        %s", c->help);
	}
	if (!found)
		return false;
	out_line(out, PLAIN, "%s", "");
	if (n) {
		out_line(out, PLAIN, "\"gatehouse help\" lists all commands and flags; see gatehouse(8).");
		return true;
	}
	out_line(out, PLAIN, "Flags, anywhere:");
	for (i = 0; flags_help[i][0]; i++)
		out_line(out, PLAIN, "  %-18s %s", flags_help[i][0], flags_help[i][1]);
	out_line(out, PLAIN, "%s", "");
	out_line(out, PLAIN, "See gatehouse(8).");
	return true;
}
