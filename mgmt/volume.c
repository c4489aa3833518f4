/* mgmt/volume.c: volumes and hosts as values: made, changed, freed, and how things that belong to them are named. */
#include "mgmt/volume.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mgmt/document.h"
#include "mgmt/text.h"

struct volume *volume_new(const char *name)
{
	struct volume *v = need(calloc(1, sizeof(*v)));

	v->name = need(strdup(name));
	v->replica = 1;
	return v;
}

void volume_free(struct volume *v)
{
	unsigned i;

	if (!v)
		return;
	for (i = 0; i < v->nbricks; i++) {
		free(v->bricks[i].host);
		free(v->bricks[i].host_id);
		free(v->bricks[i].path);
		free(v->bricks[i].identity);
	}
	for (i = 0; i < v->noptions; i++) {
		free(v->options[i].name);
		free(v->options[i].value);
	}
	free(v->bricks);
	free(v->options);
	free(v->name);
	explicit_bzero(v->handle_key, sizeof(v->handle_key));
	document_free(v->document);
	free(v);
}

void volume_add_brick(struct volume *v, const char *host, const char *host_id, const char *path, bool arbiter)
{
	struct volume_brick *b;

	v->bricks = need(realloc(v->bricks, (v->nbricks + 1) * sizeof(*b)));
	b = &v->bricks[v->nbricks++];
	*b = (struct volume_brick){ need(strdup(host)), need(strdup(host_id)), need(strdup(path)), NULL, arbiter };
}

void volume_brick_set_identity(struct volume_brick *b, const char *identity)
{
	free(b->identity);
	b->identity = identity && *identity ? need(strdup(identity)) : NULL;
}

/* Where it stands, or would. */
static unsigned option_place(const struct volume *v, const char *name)
{
	unsigned from = 0, upto = v->noptions, middle;

	while (from < upto) {
		middle = (from + upto) / 2;
		if (strcmp(v->options[middle].name, name) < 0)
			from = middle + 1;
		else
			upto = middle;
	}
	return from;
}

static bool option_at(const struct volume *v, unsigned i, const char *name)
{
	return i < v->noptions && strcmp(v->options[i].name, name) == 0;
}

const char *volume_option(const struct volume *v, const char *name)
{
	unsigned i = option_place(v, name);

	return option_at(v, i, name) ? v->options[i].value : NULL;
}

static void option_remove(struct volume *v, unsigned i)
{
	free(v->options[i].name);
	free(v->options[i].value);
	v->noptions--;
	memmove(&v->options[i], &v->options[i + 1], (v->noptions - i) * sizeof(v->options[0]));
}

void volume_set_option(struct volume *v, const char *name, const char *value)
{
	unsigned i = option_place(v, name);
	bool there = option_at(v, i, name);

	if (!value) {
		if (there)
			option_remove(v, i);
		return;
	}
	if (there) {
		free(v->options[i].value);
	} else {
		v->options = need(realloc(v->options, (v->noptions + 1) * sizeof(v->options[0])));
		memmove(&v->options[i + 1], &v->options[i], (v->noptions - i) * sizeof(v->options[0]));
		v->noptions++;
		v->options[i].name = need(strdup(name));
	}
	v->options[i].value = need(strdup(value));
}

unsigned volume_sets(const struct volume *v)
{
	return v->replica ? v->nbricks / v->replica : 0;
}

int volume_name_check(const char *name, struct error *err)
{
	const char *p;

	if (!*name || strlen(name) > VOLUME_NAME_MAX)
		return error_set(err, -EINVAL, "a volume's name has 1 to %d characters", VOLUME_NAME_MAX);
	if (*name == '-' || strcasecmp(name, "all") == 0 || strcasecmp(name, "help") == 0)
		return error_set(err, -EINVAL, "\"%s\" cannot be a volume's name: it would be taken for a word of a command", name);
	for (p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return error_set(err, -EINVAL, "a volume's name has letters, digits, \"-\" and \"_\" only, not \"%s\"", name);
	return 0;
}

int host_name_check(const char *name, struct error *err)
{
	const char *p;

	if (!*name || strlen(name) > 255)
		return error_set(err, -EINVAL, "a host's name has 1 to 255 characters");
	for (p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.:%", *p))
			return error_set(err, -EINVAL, "a host's name or address has letters, digits, \"-\", \"_\", \".\" and \":\" only");
	return 0;
}

const char *volume_client_name(const struct volume *v, unsigned brick, char *buf, unsigned size)
{
	snprintf(buf, size, "%s-client-%u", v->name, brick);
	return buf;
}

const char *brick_path_dashes(const char *path, char *buf, unsigned size)
{
	char *p;

	snprintf(buf, size, "%s", *path == '/' ? path + 1 : path);
	for (p = buf; *p; p++)
		if (*p == '/')
			*p = '-';
	return buf;
}

const char *volume_state_word(enum volume_state state)
{
	static const char *const words[] = { "Created", "Started", "Stopped" };

	return words[state];
}

struct host *host_new(const char *uuid, const char *name)
{
	struct host *h = need(calloc(1, sizeof(*h)));

	snprintf(h->uuid, sizeof(h->uuid), "%s", uuid);
	h->name = need(strdup(name));
	return h;
}

void host_free(struct host *h)
{
	unsigned i;

	if (!h)
		return;
	for (i = 0; i < h->naddresses; i++)
		free(h->addresses[i]);
	free(h->addresses);
	free(h->name);
	free(h->store);
	document_free(h->document);
	free(h);
}

bool host_is(const struct host *h, const char *name)
{
	unsigned i;

	if (strcasecmp(h->name, name) == 0 || strcasecmp(h->uuid, name) == 0)
		return true;
	for (i = 0; i < h->naddresses; i++)
		if (strcasecmp(h->addresses[i], name) == 0)
			return true;
	return false;
}

void host_add_address(struct host *h, const char *address)
{
	if (host_is(h, address))
		return;
	h->addresses = need(realloc(h->addresses, (h->naddresses + 1) * sizeof(char *)));
	h->addresses[h->naddresses++] = need(strdup(address));
}
