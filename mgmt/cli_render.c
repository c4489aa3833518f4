/* mgmt/cli_render.c: an answer, shown as the flags say: JSON, XML, or text for people.
 *
 * An answer is taken for what it may be, anything: members of a wrong type count as absent, and an answer without the list that its command
 * promises is refused, because to show it as an empty one would be a lie. */
#include <errno.h>
#include <string.h>

#include "mgmt/cli.h"

#define GLUSTER_NO_VOLUME 30806		/* GlusterFS's number for "volume info" of what does not exist */

const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

bool member_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

int64_t member_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const json_t *member_list(const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key);

	return json_is_array(list) ? list : NULL;
}

/* --- an answer -------------------------------------------------------------------------------------------------- */

int cli_answer_parse(const char *text, size_t len, json_t **ret_answer, struct error *err)
{
	json_error_t why;
	json_t *answer = json_loadb(text, len, 0, &why);

	if (answer && json_is_integer(json_object_get(answer, "status"))) {
		*ret_answer = answer;
		return 0;
	}
	json_decref(answer);
	return error_set(err, -EPROTO, "the manager's answer is not understood (%s); are gatehouse and gatehouse-manager of the same version?",
			 answer ? "it has no status" : why.text);
}

json_t *cli_answer_failed(int error, const char *sentence)
{
	json_t *text = json_string(sentence);

	return json_pack("{s:i, s:o}", "status", error, "error", text ? text : json_string("(a sentence that is no UTF-8)"));
}

static const char *sentence(const json_t *answer)
{
	const char *text = member_text(answer, "error");
	int64_t status = member_number(answer, "status");

	return *text ? text : status > 0 && status < 4096 ? strerror((int)status) : "the manager does not say why";
}

/* --- its forms -------------------------------------------------------------------------------------------------- */

static void as_json(const json_t *answer, struct cli_out *out)
{
	/* A terminal gets nothing but ASCII: JSON itself escapes only the lower control characters. */
	json_dumpf(answer, out->f, JSON_INDENT(2) | (out->terminal ? JSON_ENSURE_ASCII : 0));
	fputc('\n', out->f);
}

static void as_xml(const struct cli_command *c, const struct cli_reply *r, struct cli_out *out)
{
	struct xml x = { out->f, 0 };
	int64_t status = member_number(r->answer, "status");

	xml_begin(&x);
	xml_open(&x, "cliOutput");
	xml_leaf(&x, "opRet", "%d", status ? -1 : 0);
	xml_leaf(&x, "opErrno", "%lld", (long long)(status == ENOENT && strcmp(c->words, "volume info") == 0 ? GLUSTER_NO_VOLUME : status));
	xml_leaf(&x, "opErrstr", "%s", status ? sentence(r->answer) : "");
	if (c->xml && (!status || c->xml_failed))
		c->xml(&x, r);
	xml_close(&x, "cliOutput");
}

void cli_render_usage(const struct cli_flags *flags, const char *sentence_text, struct cli_out *out)
{
	static const struct cli_command none = { .words = "" };
	struct cli_reply r = { .command = &none, .answer = cli_answer_failed(EINVAL, sentence_text) };

	if (flags->json)
		as_json(r.answer, out);
	else if (flags->xml)
		as_xml(&none, &r, out);
	json_decref((json_t *)r.answer);
}

static void notes_of(const json_t *answer, struct cli_out *notes)
{
	const json_t *item;
	size_t i;

	for_each_in(member_list(answer, "warnings"), i, item)
		if (json_is_string(item))
			out_line(notes, DOUBT, "warning: %s", json_string_value(item));
	for_each_in(member_list(answer, "unreachable"), i, item)
		out_line(notes, DOUBT, "warning: host %s is not reachable%s%s", member_text(item, "host"),
			 *member_text(item, "reason") ? ": " : "", member_text(item, "reason"));
}

/* Has a successful answer the list that its command promises? */
static bool is_whole(const struct cli_command *c, const json_t *answer)
{
	return member_number(answer, "status") || !c->needs || member_list(json_object_get(answer, "result"), c->needs);
}

static void tell_failure(const struct cli_parsed *p, const json_t *answer, struct cli_out *notes)
{
	const char *name = p->command->names_volume ? member_text(p->request, "name") : "";

	out_line(notes, BAD, "%s: %s%sfailed: %s", p->command->words, name, *name ? ": " : "", sentence(answer));
}

enum cli_exit cli_render(const struct cli_parsed *p, const json_t *answer, struct cli_out *out, struct cli_out *notes)
{
	struct cli_reply r = { p->command, notes, p->request, answer, json_object_get(answer, "result") };
	const struct cli_command *c = p->command;
	enum cli_exit ret = CLI_OK;
	json_t *broken = NULL;

	if (!is_whole(c, answer)) {
		broken = cli_answer_failed(EPROTO, "the manager's answer lacks what this command shows; are gatehouse and gatehouse-manager "
					   "of the same version?");
		r = (struct cli_reply){ c, notes, p->request, broken, NULL };
	}
	if (p->flags.json)
		as_json(r.answer, out);
	else if (p->flags.xml)
		as_xml(c, &r, out);
	else if (!member_number(r.answer, "status"))
		c->text(out, &r);
	if (c->in_order && !c->in_order(&r))
		ret = CLI_FAILED;
	if (member_number(r.answer, "status")) {
		tell_failure(p, r.answer, notes);
		/* As gluster has it: whoever asks for XML looks into it. */
		ret = p->flags.gluster && p->flags.xml ? CLI_OK : CLI_FAILED;
	}
	if (!p->flags.json)
		notes_of(answer, notes);
	json_decref(broken);
	return ret;
}
