/* xlators/volfile.c: GlusterFS's volfile grammar (facts/volfile.md section 1) into a list of sections.
 *
 * Words are cut first (with the line they stand on), then sections are read word by word. Everything lives in one
 * arena, so that whoever
 * holds the volfile holds the text. */
#include "xlators/volfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLFILE_MAX_SIZE (16u << 20)
#define VOLFILE_MAX_SECTIONS 4096
#define VOLFILE_MAX_WORDS 4096		/* of one section: options or subvolumes */

struct reader {
	const char *at, *end, *file;
	int line;
	struct volfile *vf;
	struct error *err;
	char *word;			/* the current one; NULL at the end of the text */
	int word_line;
	bool quoted;			/* then it is no keyword */
};

static int refuse(struct reader *r, int line, const char *expected, const char *found)
{
	return error_set(r->err, -EINVAL, "%s:%d: expected %s, found %s%s%s", r->file, line, expected,
			 found ? "\"" : "", found ? found : "the end of the file", found ? "\"" : "");
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end) {
		if (*r->at == '#') {
			while (r->at < r->end && *r->at != '\n')
				r->at++;
		} else if (isspace((unsigned char)*r->at)) {
			r->line += *r->at++ == '\n';
		} else {
			break;
		}
	}
}

static int refuse_character(struct reader *r)
{
	if (*r->at == '`')
		return error_set(r->err, -EINVAL, "%s:%d: text between backquotes is never executed here: write the value itself",
				 r->file, r->line);
	if (*r->at == '\0')
		return error_set(r->err, -EINVAL, "%s:%d: a NUL byte has no place in a volfile", r->file, r->line);
	return error_set(r->err, -EINVAL, "%s:%d: a word with %c in it must stand in double quotes", r->file, r->line, *r->at);
}

/* How much memory the word at hand can take: up to the blank, or the closing quote, that ends it. */
static size_t word_room(const struct reader *r)
{
	const char *p = r->at;

	if (*p != '"') {
		while (p < r->end && !isspace((unsigned char)*p))
			p++;
		return (size_t)(p - r->at) + 1;
	}
	for (p++; p < r->end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < r->end)
			p++;
	return (size_t)(p - r->at) + 1;
}

static int read_quoted(struct reader *r, char *to)
{
	int line = r->line;

	for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
		if (*r->at == '\\' && r->at + 1 < r->end)
			r->at++;
		if (*r->at == '`' || *r->at == '\0')
			return refuse_character(r);
		r->line += *r->at == '\n';
		*to++ = *r->at;
	}
	if (r->at == r->end)
		return error_set(r->err, -EINVAL, "%s:%d: this quote is never closed", r->file, line);
	r->at++;
	*to = '\0';
	return 0;
}

static int read_plain(struct reader *r, char *to)
{
	while (r->at < r->end && !isspace((unsigned char)*r->at)) {
		if (*r->at == '`' || *r->at == '\0' || *r->at == '"' || *r->at == '\\')
			return refuse_character(r);
		*to++ = *r->at++;
	}
	*to = '\0';
	return 0;
}

/* Moves on to the next word. */
static int next_word(struct reader *r)
{
	skip_blanks(r);
	r->word = NULL;
	r->word_line = r->line;
	if (r->at == r->end)
		return 0;
	r->word = arena_alloc(r->vf->arena, word_room(r));
	if (!r->word)
		return error_set(r->err, -E2BIG, "%s:%d: the file is too large", r->file, r->line);
	r->quoted = *r->at == '"';
	return r->quoted ? read_quoted(r, r->word) : read_plain(r, r->word);
}

static bool at_keyword(const struct reader *r, const char *keyword)
{
	return r->word && !r->quoted && strcasecmp(r->word, keyword) == 0;
}

static bool at_subvolumes(const struct reader *r)
{
	return at_keyword(r, "subvolumes") || at_keyword(r, "subvolume");
}

static bool at_any_keyword(const struct reader *r)
{
	return !r->word || at_keyword(r, "volume") || at_keyword(r, "type") || at_keyword(r, "option") || at_subvolumes(r) ||
	       at_keyword(r, "end-volume");
}

static int expect_word(struct reader *r, const char *what)
{
	int ret = next_word(r);

	if (ret < 0)
		return ret;
	return r->word ? 0 : refuse(r, r->word_line, what, NULL);
}

/* A list that grows in the arena by doubling; the old halves stay behind until the volfile goes. */
static void *grow(struct arena *a, void *list, unsigned n, size_t size, unsigned max)
{
	void *bigger;

	if (n && (n & (n - 1)))
		return list;
	if (n >= max)
		return NULL;
	bigger = arena_alloc(a, (n ? n * 2 : 1) * size);
	if (bigger && n)
		memcpy(bigger, list, n * size);
	return bigger;
}

static int read_option(struct reader *r, struct volfile_section *s)
{
	struct volfile_option *list;
	const char *key;
	int line = r->word_line, ret;

	ret = expect_word(r, "an option's name");
	if (ret < 0)
		return ret;
	key = r->word;
	ret = expect_word(r, "the option's value");
	if (ret < 0)
		return ret;
	list = grow(r->vf->arena, s->options, s->noptions, sizeof(*list), VOLFILE_MAX_WORDS);
	if (!list)
		return error_set(r->err, -E2BIG, "%s:%d: a section has at most %d options", r->file, line, VOLFILE_MAX_WORDS);
	s->options = list;
	list[s->noptions++] = (struct volfile_option){ key, r->word, line };
	return next_word(r);
}

int volfile_index(const struct volfile *vf, const char *name)
{
	unsigned i;

	for (i = 0; i < vf->n; i++)
		if (strcmp(vf->sections[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int read_subvolumes(struct reader *r, struct volfile_section *s)
{
	int ret = next_word(r), index;
	unsigned *list;

	if (ret < 0)
		return ret;
	if (at_any_keyword(r))
		return refuse(r, r->word_line, "the name of a volume defined above", r->word);
	while (!at_any_keyword(r)) {
		index = volfile_index(r->vf, r->word);
		if (index < 0 || (unsigned)index == r->vf->n - 1)
			return refuse(r, r->word_line, "the name of a volume defined above", r->word);
		list = grow(r->vf->arena, s->children, s->nchildren, sizeof(*list), VOLFILE_MAX_WORDS);
		if (!list)
			return error_set(r->err, -E2BIG, "%s:%d: a section has at most %d subvolumes", r->file, r->word_line,
					 VOLFILE_MAX_WORDS);
		s->children = list;
		list[s->nchildren++] = (unsigned)index;
		ret = next_word(r);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int read_body(struct reader *r, struct volfile_section *s)
{
	int ret = 0;

	while (ret == 0 && !at_keyword(r, "end-volume")) {
		if (at_keyword(r, "option"))
			ret = read_option(r, s);
		else if (at_subvolumes(r) && !s->nchildren)
			ret = read_subvolumes(r, s);
		else
			ret = refuse(r, r->word_line, s->nchildren ? "option or end-volume" : "option, subvolumes or end-volume", r->word);
	}
	return ret;
}

static struct volfile_section *section_add(struct reader *r)
{
	struct volfile *vf = r->vf;
	struct volfile_section *list = grow(vf->arena, vf->sections, vf->n, sizeof(*list), VOLFILE_MAX_SECTIONS);

	if (!list) {
		error_set(r->err, -E2BIG, "%s:%d: a volfile has at most %d volumes", r->file, r->word_line, VOLFILE_MAX_SECTIONS);
		return NULL;
	}
	vf->sections = list;
	memset(&list[vf->n], 0, sizeof(*list));
	list[vf->n].line = r->word_line;
	return &list[vf->n++];
}

/* On "volume"; leaves the reader on the word after "end-volume". */
static int read_section(struct reader *r)
{
	struct volfile_section *s;
	int ret;

	if (!at_keyword(r, "volume"))
		return refuse(r, r->word_line, "\"volume\"", r->word);
	ret = expect_word(r, "the volume's name");
	if (ret < 0)
		return ret;
	if (volfile_index(r->vf, r->word) >= 0)
		return error_set(r->err, -EINVAL, "%s:%d: a volume named \"%s\" stands above already", r->file, r->word_line, r->word);
	s = section_add(r);
	if (!s)
		return -E2BIG;
	s->name = r->word;
	ret = expect_word(r, "\"type\"");
	if (ret < 0)
		return ret;
	if (!at_keyword(r, "type"))
		return refuse(r, r->word_line, "\"type\"", r->word);
	ret = expect_word(r, "the translator's type, such as cluster/replicate");
	if (ret < 0)
		return ret;
	s->type = r->word;
	ret = expect_word(r, "option, subvolumes or end-volume");
	if (ret < 0)
		return ret;
	ret = read_body(r, s);
	return ret < 0 ? ret : next_word(r);
}

struct volfile *volfile_parse(const char *text, size_t len, const char *filename, struct error *err)
{
	struct arena *arena;
	struct reader r = { .at = text, .end = text + len, .file = filename, .line = 1, .err = err };
	int ret;

	if (len > VOLFILE_MAX_SIZE) {
		error_set(err, -E2BIG, "%s: larger than %u MiB: this is no volfile", filename, VOLFILE_MAX_SIZE >> 20);
		return NULL;
	}
	arena = arena_new((size_t)64 << 20);
	r.vf = arena_alloc(arena, sizeof(*r.vf));
	r.vf->arena = arena;
	r.vf->filename = arena_strdup(arena, filename);
	ret = next_word(&r);
	while (ret == 0 && r.word)
		ret = read_section(&r);
	if (ret == 0 && r.vf->n == 0)
		ret = refuse(&r, r.line, "\"volume\"", NULL);
	if (ret == 0)
		return r.vf;
	volfile_free(r.vf);
	return NULL;
}

struct volfile *volfile_read(const char *path, struct error *err)
{
	struct volfile *vf = NULL;
	struct stat st;
	char *text = NULL;
	ssize_t got = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set(err, -errno, "%s: cannot read the volfile: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_size > VOLFILE_MAX_SIZE) {
		error_set(err, -EINVAL, "%s: a volfile is a regular file of at most %u MiB", path, VOLFILE_MAX_SIZE >> 20);
	} else {
		text = malloc((size_t)st.st_size + 1);
		got = text ? read(fd, text, (size_t)st.st_size) : -1;
		if (got < 0)
			error_set(err, -errno, "%s: cannot read the volfile: %s", path, strerror(errno));
		else
			vf = volfile_parse(text, (size_t)got, path, err);
	}
	free(text);
	if (fd >= 0)
		close(fd);
	return vf;
}

void volfile_free(struct volfile *vf)
{
	if (vf)
		arena_free(vf->arena);
}

unsigned volfile_count(const struct volfile *vf)
{
	return vf->n;
}

const char *volfile_name(const struct volfile *vf, unsigned i)
{
	return vf->sections[i].name;
}

const char *volfile_type(const struct volfile *vf, unsigned i)
{
	return vf->sections[i].type;
}

const char *volfile_option(const struct volfile *vf, unsigned i, const char *key)
{
	const struct volfile_section *s = &vf->sections[i];
	unsigned k;

	for (k = 0; k < s->noptions; k++)
		if (strcmp(s->options[k].key, key) == 0)
			return s->options[k].value;
	return NULL;
}

static int section_set_option(struct arena *arena, struct volfile_section *s, const char *key, const char *value)
{
	struct volfile_option *list;
	bool found = false;
	unsigned k;

	for (k = 0; k < s->noptions; k++) {
		if (strcmp(s->options[k].key, key))
			continue;
		s->options[k].value = value;
		found = true;
	}
	if (found)
		return 0;
	list = arena_alloc(arena, (s->noptions + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list, s->options, s->noptions * sizeof(*list));
	list[s->noptions++] = (struct volfile_option){ key, value, s->line };
	s->options = list;
	return 0;
}

int volfile_set_option(struct volfile *vf, const char *type, const char *key, const char *value)
{
	unsigned i;
	int ret = 0;

	for (i = 0; !ret && i < vf->n; i++)
		if (!strcmp(vf->sections[i].type, type))
			ret = section_set_option(vf->arena, &vf->sections[i], key, value);
	return ret;
}
