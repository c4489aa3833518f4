/* tests/fuzz/fuzz_document.c: any text is a volume, a host, or a sentence about why not; a volume that was read can be written, and is read
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/document.h"
#include "mgmt/volfiles.h"
#include "xlators/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
	if (!right)
		abort();
}

static void same(const struct volume *a, const struct volume *b)
{
	unsigned i;

	must(a->nbricks == b->nbricks && a->noptions == b->noptions && a->state == b->state && a->replica == b->replica);
	must(!strcmp(a->name, b->name) && !memcmp(a->id, b->id, 16) && !memcmp(a->handle_key, b->handle_key, VOLUME_KEY_SIZE));
	for (i = 0; i < a->nbricks; i++)
		must(!strcmp(a->bricks[i].host, b->bricks[i].host) && !strcmp(a->bricks[i].path, b->bricks[i].path));
	for (i = 0; i < a->noptions; i++)
		must(!strcmp(a->options[i].name, b->options[i].name) && !strcmp(a->options[i].value, b->options[i].value));
}

static void use_volume(struct volume *v)
{
	struct error err = { "" };
	struct volume *again;
	size_t len;
	char *text = volume_text(v, &len);

	again = volume_parse(text, len, "again", &err);
	must(again);
	same(v, again);
	free(text);
	text = exports_for_volume(again);
	free(text);
	volume_free(again);
	volume_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { "" }, other = { "" };
	char *text = malloc(size + 1);
	struct volume *v;
	struct host *h;

	memcpy(text, data, size);
	text[size] = 0;
	v = volume_parse(text, size, "fuzz", &err);
	if (v)
		use_volume(v);
	else
		must(err.text[0]);
	h = host_parse(text, size, "fuzz", &other);
	if (!h)
		must(other.text[0]);
	host_free(h);
	free(text);
	return 0;
}
