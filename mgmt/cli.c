/* mgmt/cli.c: gatehouse, the CLI: one command a run.
 *
 * Exit status: 0 done, 1 failed, 2 not understood. What a command shows goes to standard output, all else to standard error. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/cli.h"
#include "runtime/log.h"

#define ASK_TIMES 3

static bool wants_color(const struct cli_flags *flags)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !flags->no_color && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static enum cli_exit refused(const struct error *err, struct cli_out *notes, enum cli_exit ret)
{
	out_line(notes, BAD, "gatehouse: %s", err->text);
	return ret;
}

/* Asks on standard error: with --xml and --json standard output belongs to a program. */
static int ask(const struct cli_parsed *p, struct error *err)
{
	char line[64];
	int i;

	if (!p->command->question || p->flags.script)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return error_set(err, -EPERM, "%s: nothing was done, because this command asks and there is nobody to answer; add "
				 "--mode=script to say yes beforehand", p->command->words);
	for (i = 0; i < ASK_TIMES; i++) {
		fprintf(stderr, "%s Do you want to continue? (y/n) ", p->command->question);
		fflush(stderr);
		if (!fgets(line, sizeof(line), stdin))
			break;
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0)
			return 0;
		if (strcmp(line, "n") == 0 || strcmp(line, "N") == 0 || strcmp(line, "no") == 0)
			break;
	}
	return error_set(err, -ECANCELED, "%s: nothing was done, because the answer was no", p->command->words);
}

static int ask_manager(const struct cli_parsed *p, bool progress, json_t **ret_answer, struct error *err)
{
	struct cli_call call = { p->flags.socket, p->flags.timeout_s, progress };
	char *request = json_dumps(p->request, JSON_COMPACT), *text = NULL;
	size_t len;
	int ret;

	if (!request)
		return error_set(err, -ENOMEM, "out of memory");
	ret = cli_call(&call, request, &text, &len, err);
	if (ret == 0)
		ret = cli_answer_parse(text, len, ret_answer, err);
	free(request);
	free(text);
	return ret;
}

static int do_here(const struct cli_parsed *p, json_t **ret_answer, struct error *err)
{
	json_t *result = NULL;
	int ret = p->command->local(p->request, &result, err);

	if (ret < 0)
		return ret;
	*ret_answer = json_pack("{s:i, s:o}", "status", 0, "result", result ? result : json_object());
	return *ret_answer ? 0 : -ENOMEM;
}

/* Nobody is asked about a volume that is not there: that is the answer already. */
static bool asks_about_nothing(const struct cli_parsed *p, json_t **ret_answer)
{
	struct cli_parsed look = *p;
	struct error err = { "" };
	bool absent = false;

	if (!p->command->question || p->flags.script)
		return false;
	look.request = json_pack("{s:s, s:s}", "command", "volume-info", "name", member_text(p->request, "name"));
	if (ask_manager(&look, false, ret_answer, &err) == 0)
		absent = member_number(*ret_answer, "status") == ENOENT;
	json_decref(look.request);
	if (!absent)
		json_decref(*ret_answer);
	if (!absent)
		*ret_answer = NULL;
	return absent;
}

static enum cli_exit run(const struct cli_parsed *p, struct cli_out *out, struct cli_out *notes)
{
	struct error err = { "" };
	json_t *answer = NULL;
	enum cli_exit status;
	int ret;

	if (asks_about_nothing(p, &answer)) {
		status = cli_render(p, answer, out, notes);
		json_decref(answer);
		return status;
	}
	ret = ask(p, &err);
	if (ret < 0)
		return refused(&err, notes, CLI_FAILED);
	if (p->command->local)
		ret = do_here(p, &answer, &err);
	else
		ret = ask_manager(p, notes->terminal, &answer, &err);
	if (ret < 0)
		answer = cli_answer_failed(-ret, err.text);
	status = cli_render(p, answer, out, notes);
	json_decref(answer);
	return status;
}

static enum cli_exit help(const struct cli_parsed *p, struct cli_out *out, struct cli_out *notes)
{
	struct error err = { "" };

	if (cli_help(out, p->words, p->nwords))
		return CLI_OK;
	error_set(&err, -EINVAL, "there is no command \"%.64s\"; \"gatehouse help\" lists them", p->words[0]);
	return refused(&err, notes, CLI_USAGE);
}

/* gluster knows one status for all that fails, and for a failure in XML none. */
static enum cli_exit usage_error(const struct cli_flags *flags, const struct error *err, struct cli_out *out, struct cli_out *notes)
{
	cli_render_usage(flags, err->text, out);
	out_line(notes, BAD, "gatehouse: %s", err->text);
	return !flags->gluster ? CLI_USAGE : flags->xml ? CLI_OK : CLI_FAILED;
}

/* Tools read the first line, and want a GlusterFS of at least some version: ours is that of the protocol. */
static void version(const struct cli_flags *flags, struct cli_out *out)
{
	if (flags->gluster)
		out_line(out, PLAIN, "glusterfs 10.0");
	out_line(out, PLAIN, "gatehouse %s", PACKAGE_VERSION);
}

/* Also says so when the output could not be written: a full disk must not look like an empty answer. */
static enum cli_exit finish(enum cli_exit status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "gatehouse: the output could not be written: %s\n", strerror(errno));
	return CLI_FAILED;
}

int main(int argc, char **argv)
{
	struct cli_out out = { stdout, isatty(STDOUT_FILENO) }, notes = { stderr, isatty(STDERR_FILENO) };
	struct error err = { "" };
	enum cli_exit status;
	struct cli_parsed p;
	int ret;

	log_open("gatehouse", NULL, LOG_LEVEL_ERROR);	/* what the connection says of itself is said better by cli_call() */
	ret = cli_parse(argc, argv, &p, &err);
	out.color = out.terminal && wants_color(&p.flags);
	notes.color = notes.terminal && wants_color(&p.flags);
	if (ret < 0 && argc == 1) {
		cli_help(&notes, NULL, 0);
		status = CLI_USAGE;
	} else if (ret < 0) {
		status = usage_error(&p.flags, &err, &out, &notes);
	} else if (p.flags.print) {
		out_line(&out, PLAIN, "%s", p.flags.print);
		status = CLI_OK;
	} else if (p.flags.version) {
		version(&p.flags, &out);
		status = CLI_OK;
	} else if (p.flags.help) {
		status = help(&p, &out, &notes);
	} else {
		status = run(&p, &out, &notes);
	}
	cli_parsed_free(&p);
	return finish(status);
}
