/* mgmt/exports.c: a volume's nfs.* options as lines of exports(5), for the gateway (man/gatehouse-exports.5).
 *
 * GlusterFS lets a rejection win over every permission; exports(5) lets the most specific client win. So what is rejected stands there with
 * the option noaccess, which the gateway judges before all others. */
#include <stdlib.h>
#include <string.h>

#include "mgmt/option_checks.h"
#include "mgmt/options.h"
#include "mgmt/volfile_text.h"
#include "mgmt/volfiles.h"
#include "xlators/exports.h"

/* In octal: blanks, quotes, backslashes and what begins a comment. */
static void put_path(FILE *f, const char *volume, const char *dir, size_t len)
{
	fprintf(f, "/%s", volume);
	for (; len; len--, dir++) {
		if ((unsigned char)*dir <= ' ' || strchr("\"\\#", *dir))
			fprintf(f, "\\%03o", (unsigned char)*dir);
		else
			fputc(*dir, f);
	}
}

static void put_id(FILE *f, const struct volume *v, const char *word, const char *option)
{
	const char *value = volume_option(v, option);
	char buf[32];

	if (value)
		fprintf(f, ",%s=%s", word, volume_option_plain(volume_option_find(option), value, buf, sizeof(buf)));
}

static bool is_read_only(const struct volume *v)
{
	const char *option = "nfs.volume-access";

	return strcmp(volume_option_plain(volume_option_find(option), volume_option_effective(v, option), NULL, 0), "read-only") == 0;
}

static void put_rights(FILE *f, const struct volume *v)
{
	fputs(is_read_only(v) ? "(ro" : "(rw", f);
	if (volume_option_on(v, "nfs.trusted-sync"))
		fputs(",async", f);
	if (!volume_option_on(v, "nfs.root-squash"))
		fputs(",no_root_squash", f);
	if (volume_option_on(v, "nfs.all-squash"))
		fputs(",all_squash", f);
	put_id(f, v, "anonuid", "nfs.anonuid");
	put_id(f, v, "anongid", "nfs.anongid");
	if (volume_option_on(v, "nfs.ports-insecure"))
		fputs(",insecure", f);
	if (volume_option_on(v, "nfs.enable-ino32"))
		fputs(",ino32", f);
	fputc(')', f);
}

/* @rights NULL: those of the volume. How many there were. */
static unsigned put_clients(FILE *f, const struct volume *v, const char *list, size_t len, const char *between, const char *rights)
{
	char client[CLIENT_WORD_SIZE];
	const char *end = list + len;
	unsigned n = 0;
	size_t word;

	if (len == 4 && memcmp(list, "none", 4) == 0)
		return 0;
	for (; list < end; list += word) {
		list += strspn(list, between);
		if (list >= end)
			break;
		word = strcspn(list, between);
		if (word > (size_t)(end - list))
			word = (size_t)(end - list);
		if (client_word("clients", list, word, client, NULL) < 0)
			continue;	/* it was checked when it was set */
		fprintf(f, " %s", client);
		if (rights)
			fputs(rights, f);
		else
			put_rights(f, v);
		n++;
	}
	return n;
}

/* A line without clients is none. @clients NULL: those of the volume. */
static void put_line(FILE *f, const struct volume *v, const char *dir, size_t dir_len, const char *clients, size_t clients_len)
{
	const char *reject = volume_option_effective(v, "nfs.rpc-auth-reject"), *allow = volume_option_effective(v, "nfs.rpc-auth-allow");
	struct text line;
	unsigned n;
	char *text;

	text_open(&line);
	put_path(line.f, v->name, dir, dir_len);
	put_clients(line.f, v, reject, strlen(reject), ", ", "(noaccess)");
	if (clients)
		n = put_clients(line.f, v, clients, clients_len, "|", NULL);
	else
		n = put_clients(line.f, v, allow, strlen(allow), ", ", NULL);
	text = text_close(&line);
	if (n)
		fprintf(f, "%s\n", text);
	free(text);
}

static void put_volume(FILE *f, const struct volume *v)
{
	const char *raw = volume_option(v, "nfs.exports");

	if (raw)
		fprintf(f, "/%s%s %s\n", v->name, volume_option_on(v, "nfs.enable-ino32") ? " -ino32" : "", raw);
	else
		put_line(f, v, "", 0, NULL, 0);
}

static void put_dirs(FILE *f, const struct volume *v)
{
	const char *at = volume_option_effective(v, "nfs.export-dir");
	struct export_dir d;

	while (export_dir_next("nfs.export-dir", &at, &d, NULL) > 0)
		put_line(f, v, d.path, d.path_len, d.clients, d.clients_len);
}

char *exports_for_volume(const struct volume *v)
{
	struct text t;

	text_open(&t);
	if (!volume_option_on(v, "nfs.disable")) {
		if (volume_option_on(v, "nfs.export-volumes"))
			put_volume(t.f, v);
		if (volume_option_on(v, "nfs.export-dirs"))
			put_dirs(t.f, v);
	}
	return text_close(&t);
}

int exports_for_volume_check(const struct volume *v, struct error *err)
{
	char *lines = exports_for_volume(v);
	struct export_set *set;
	int ret = exports_parse(lines, strlen(lines), NULL, NULL, &set, err);

	free(lines);
	if (ret == 0)
		export_set_unref(set);
	else
		error_prefix(err, "the exports of volume %s", v->name);
	return ret;
}
