/* mgmt/cli.h: the CLI: words of the command line to a JSON request, the manager's JSON answer to text, JSON or XML (mgmt/README.md).
 *
 * One table, in cli_commands.c, says all there is: a command's words, the grammar of its arguments, the function that makes the request of
 * them and those that show the answer. Parsing, help, completion and rendering follow from its rows. */
#ifndef MGMT_CLI_H
#define MGMT_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/cli_out.h"
#include "mgmt/cli_xml.h"
#include "runtime/error.h"

#define CLI_SOCKET "/run/gatehouse/manager.sock"
#define CLI_LOG_DIR "/var/log/gatehouse"
#define CLI_RUN_DIR "/run/gatehouse"
#define CLI_TIMEOUT_S 30
#define CLI_TEXT_MAX (1u << 20)		/* of a request and of an answer */

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command;

struct cli_args {		/* the words after a command's own, taken one by one */
	const char *const *word;
	unsigned n;
	const struct cli_command *command;
};

struct cli_reply {
	const struct cli_command *command;
	struct cli_out *notes;	/* for remarks: they must not be taken for what was asked for */
	const json_t *request;
	const json_t *answer;	/* the whole: an object with an integer "status" */
	const json_t *result;	/* its "result"; NULL when there is none. Its members are as the manager wrote them: anything */
};

struct cli_command {
	const char *words;	/* "volume create" */
	const char *args;	/* "NAME [force]"; "" for none */
	const char *help;	/* one line */
	const char *request;	/* the manager's word for it: "volume-create"; NULL: done here, by @local */
	int (*make)(struct cli_args *args, json_t *request, struct error *err);	/* NULL: takes no words. 0 or -EINVAL */
	const char *needs;	/* the list that an answer without error has; NULL: none */
	void (*text)(struct cli_out *out, const struct cli_reply *r);
	void (*xml)(struct xml *x, const struct cli_reply *r);	/* NULL: GlusterFS has no such command, --json has all */
	bool one_host;		/* takes --mode=script and --wignore for consent to bricks of one set on one host */
	bool names_volume;	/* a failure says which volume: "volume start: demo: failed: ..." */
	bool xml_failed;	/* @xml is asked when the command failed, too */
	/* Is what it found in order? That a client may not mount is a good answer, and yet exit status 1. NULL: yes */
	bool (*in_order)(const struct cli_reply *r);
	const char *question;	/* what is asked before it is done; NULL: nothing */
	int (*local)(json_t *request, json_t **ret_result, struct error *err);	/* 0 or -errno */
};

extern const struct cli_command cli_commands[];		/* ends with a row without words */

struct cli_flags {
	bool json, xml, script, no_color, help, version;
	bool gluster;		/* called by that name: its version and its exit status */
	bool wignore;		/* GlusterFS's word for "ask nothing about where bricks are" */
	const char *print;	/* a directory to name, and nothing else */
	const char *socket;
	unsigned timeout_s;
};

struct cli_parsed {
	struct cli_flags flags;
	const struct cli_command *command;	/* NULL: help or version */
	json_t *request;			/* owned */
	const char **words;			/* what is no flag; owned. Help is about these */
	unsigned nwords;
};

/* cli_words.c */
/* 0, or -EINVAL and one sentence with the nearest right word. To be freed in both cases. */
/* Also called by the name "gluster"; the flags that say in what form an error is told are set in any case. */
int cli_parse(int argc, char **argv, struct cli_parsed *p, struct error *err);
void cli_parsed_free(struct cli_parsed *p);
/* The row whose words @word begins with, the longest one; NULL. @ret_used words are its own. */
const struct cli_command *cli_find(const char *const *word, unsigned n, unsigned *ret_used);
/* The next argument, or NULL and the sentence: "volume start: NAME is missing; usage: ..." */
const char *cli_take(struct cli_args *args, const char *what, struct error *err);
bool cli_take_word(struct cli_args *args, const char *word);	/* if the next one is this */
bool cli_take_last(struct cli_args *args, const char *word);	/* if the last one is this: "force" */
int cli_take_number(struct cli_args *args, const char *what, unsigned min, unsigned max, unsigned *ret_number, struct error *err);
/* -EINVAL: "volume start: "forse" is not understood here; did you mean "force"?" @words: what could have stood here, NULL-terminated. */
int cli_refuse(const struct cli_args *args, const char *word, const char *const *words, struct error *err);
int cli_end(const struct cli_args *args, const char *const *words, struct error *err);	/* nothing is left, or cli_refuse() */
const char *cli_nearest(const char *const *words, const char *word);	/* NULL when nothing is near */

/* cli_help.c: what is known about commands that begin with these words. False when there is none. */
bool cli_help(struct cli_out *out, const char *const *word, unsigned n);

/* cli_call.c */
struct cli_call { const char *socket; unsigned timeout_s; bool progress; };
/* The answer's bytes, malloc'ed. 0 or -errno with a sentence: what, why and the cure. */
int cli_call(const struct cli_call *call, const char *request, char **ret_answer, size_t *ret_len, struct error *err);

/* cli_render.c */
/* Bytes of a manager to an answer; -EPROTO for what is none. */
int cli_answer_parse(const char *text, size_t len, json_t **ret_answer, struct error *err);
json_t *cli_answer_failed(int error, const char *sentence);	/* one of our own */
/* One of our own before there was a command: a usage error as JSON or XML. */
void cli_render_usage(const struct cli_flags *flags, const char *sentence, struct cli_out *out);
/* Shows it: @out as the flags say, warnings and the sentence of a failure on @notes. */
enum cli_exit cli_render(const struct cli_parsed *p, const json_t *answer, struct cli_out *out, struct cli_out *notes);

/* Members of an answer, whatever they are: a wrong type counts as absent. */
const char *member_text(const json_t *object, const char *key);		/* "" when absent */
bool member_true(const json_t *object, const char *key);
int64_t member_number(const json_t *object, const char *key);		/* 0 when absent */
const json_t *member_list(const json_t *object, const char *key);	/* NULL (a list of none) when absent */
#define for_each_in(list, i, item) for ((i) = 0; (i) < json_array_size(list) && ((item) = json_array_get((list), (i)), true); (i)++)

/* cli_text.c, cli_text_volume.c: for people. cli_xml_shape.c: as `gluster --xml` has it. */
void text_message(struct cli_out *out, const struct cli_reply *r);
void text_volume_create(struct cli_out *out, const struct cli_reply *r);
void text_volume_start(struct cli_out *out, const struct cli_reply *r);
void text_peer_invite(struct cli_out *out, const struct cli_reply *r);
void text_peer_status(struct cli_out *out, const struct cli_reply *r);
void text_pool_list(struct cli_out *out, const struct cli_reply *r);
void text_exports_show(struct cli_out *out, const struct cli_reply *r);
void text_exports_test(struct cli_out *out, const struct cli_reply *r);
bool exports_test_allows(const struct cli_reply *r);
bool config_check_finds_nothing(const struct cli_reply *r);
void text_config_check(struct cli_out *out, const struct cli_reply *r);
void text_version(struct cli_out *out, const struct cli_reply *r);
void text_volume_list(struct cli_out *out, const struct cli_reply *r);
void text_volume_info(struct cli_out *out, const struct cli_reply *r);
void text_volume_status(struct cli_out *out, const struct cli_reply *r);
void text_volume_get(struct cli_out *out, const struct cli_reply *r);
void text_volume_help(struct cli_out *out, const struct cli_reply *r);
void text_volume_log(struct cli_out *out, const struct cli_reply *r);

const char *volume_type_word(const json_t *volume);	/* "Distributed-Replicate" */
const char *option_value_word(const json_t *option);	/* GlusterFS's "(null)" for none */
unsigned volume_type_sets(const json_t *volume);
unsigned volume_type_replica(const json_t *volume);	/* at least 1 */

void xml_volume_info(struct xml *x, const struct cli_reply *r);
void xml_volume_list(struct xml *x, const struct cli_reply *r);
void xml_volume_status(struct xml *x, const struct cli_reply *r);
void xml_volume_create(struct xml *x, const struct cli_reply *r);
void xml_volume_start(struct xml *x, const struct cli_reply *r);
void xml_volume_stop(struct xml *x, const struct cli_reply *r);
void xml_volume_delete(struct xml *x, const struct cli_reply *r);
void xml_volume_set(struct xml *x, const struct cli_reply *r);
void xml_volume_reset(struct xml *x, const struct cli_reply *r);
void xml_volume_get(struct xml *x, const struct cli_reply *r);
void xml_peers(struct xml *x, const struct cli_reply *r);
void xml_success(struct xml *x, const struct cli_reply *r);

/* cli_tls.c */
int cli_tls_init(json_t *request, json_t **ret_result, struct error *err);
void text_tls_init(struct cli_out *out, const struct cli_reply *r);

#endif
