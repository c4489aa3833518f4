/* xlators/cluster/distribute/hash.c: from a name to the 32-bit number that says on which subvolume it belongs.
 *
 * Every client of a volume must compute the very same number, so this follows brick-format.md B2 and B3 to the bit, with the quirk
 * that left-over bytes are taken as signed. */
#include <string.h>

#include "xlators/cluster/distribute/distribute.h"

struct mix { uint32_t h0, h1; };

static void mix_block(struct mix *m, const uint32_t w[4], unsigned rounds)
{
	uint32_t sum = 0, x = m->h0, y = m->h1;

	while (rounds--) {
		sum += 0x9e3779b9u;
		x += ((y << 4) + w[0]) ^ (y + sum) ^ ((y >> 5) + w[1]);
		y += ((x << 4) + w[2]) ^ (x + sum) ^ ((x >> 5) + w[3]);
	}
	m->h0 += x;
	m->h1 += y;
}

static uint32_t word(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t dht_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	struct mix m = { 0x9464a485u, 0x542e1a94u };
	uint32_t pad = (uint32_t)len | (uint32_t)len << 8, w[4];
	size_t rest = len;
	unsigned i;

	pad |= pad << 16;
	for (; rest >= 16; rest -= 16, p += 16) {
		for (i = 0; i < 4; i++)
			w[i] = word(p + 4 * i);
		mix_block(&m, w, 6);
	}
	for (i = 0; i < 4; i++) {
		w[i] = pad;
		if (rest >= 4) {
			w[i] = word(p);
			p += 4;
			rest -= 4;
			continue;
		}
		for (; rest; rest--, p++)
			w[i] = w[i] << 8 | (uint32_t)(int32_t)(int8_t)*p;
	}
	mix_block(&m, w, 10);
	return m.h0 ^ m.h1;
}

/* The first capture group, when @name matches and has one. */
static bool capture(const regex_t *re, const char *name, regmatch_t *ret)
{
	regmatch_t match[2];

	if (re->re_nsub < 1 || regexec(re, name, 2, match, 0) != 0)
		return false;
	if (match[1].rm_so < 0 || match[1].rm_eo <= match[1].rm_so)
		return false;
	*ret = match[1];
	return true;
}

uint32_t dht_hash_name(const struct distribute *d, const char *name)
{
	regmatch_t part;

	if ((d->have_extra && capture(&d->extra, name, &part)) || (d->have_rsync && capture(&d->rsync, name, &part)))
		return dht_hash(name + part.rm_so, (size_t)(part.rm_eo - part.rm_so));
	return dht_hash(name, strlen(name));
}

static int compile(const char *option, const char *text, regex_t *re, bool *ret_have, struct error *err)
{
	char why[160];
	int code;

	*ret_have = false;
	if (!text || !*text || strcmp(text, "none") == 0)
		return 0;
	code = regcomp(re, text, REG_EXTENDED);
	if (code) {
		regerror(code, re, why, sizeof(why));
		return error_set(err, -EINVAL, "option %s: \"%.100s\" is no regular expression: %s", option, text, why);
	}
	*ret_have = true;
	return 0;
}

int dht_regex_init(struct distribute *d, struct error *err)
{
	int ret;

	ret = compile("rsync-hash-regex", d->rsync_text, &d->rsync, &d->have_rsync, err);
	if (ret < 0)
		return ret;
	return compile("extra-hash-regex", d->extra_text, &d->extra, &d->have_extra, err);
}

void dht_regex_fini(struct distribute *d)
{
	if (d->have_rsync)
		regfree(&d->rsync);
	if (d->have_extra)
		regfree(&d->extra);
	d->have_rsync = d->have_extra = false;
}
