/* Record marking, then headers and credentials of what comes out. The bytes are cut where the input says; a simple
 * reader that sees everything at once must find the same records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/link.h"
#include "rpc/message.h"

#define LIMIT 4096u
#define FOUND_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct found { uint32_t len; uint64_t sum; };
static struct found expected[FOUND_MAX], seen[FOUND_MAX];
static unsigned nexpected, nseen;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint64_t sum_of(uint64_t sum, const uint8_t *p, uint32_t len)
{
	while (len--)
		sum = sum * 31 + *p++ + 1;
	return sum;
}

/* What the framing means, with nothing clever; true when a limit was passed. */
static int simple_reader(const uint8_t *data, size_t size)
{
	struct found now = { 0, 0 };
	uint32_t mark, len;

	nexpected = 0;
	while (size >= 4) {
		mark = rpc_get32(data);
		len = mark & 0x7fffffff;
		if (len > LIMIT - now.len)
			return 1;
		if (size - 4 < len)
			return 0;
		now.sum = sum_of(now.sum, data + 4, len);
		now.len += len;
		data += 4 + len;
		size -= 4 + len;
		if (!(mark >> 31))
			continue;
		if (nexpected < FOUND_MAX)
			expected[nexpected++] = now;
		now = (struct found){ 0, 0 };
	}
	return 0;
}

static void parse(const struct payload *record)
{
	struct arena *arena = arena_new(1 << 20);
	struct rpc_call_header h;
	struct rpc_cred cred = { 0 };
	uint32_t body;

	if (rpc_call_parse(payload_data(record), record->len, &h) == 0) {
		check(h.body <= record->len, "arguments begin past the end");
		if (rpc_auth_decode(&h, arena, &cred) == 0 && cred.lk_owner_len)
			sum_of(0, cred.lk_owner, cred.lk_owner_len);
	}
	if (rpc_reply_parse(payload_data(record), record->len, &body) == 0)
		check(body <= record->len, "the result begins past the end");
	arena_free(arena);
}

static int clever_reader(const uint8_t *data, size_t size, uint8_t cut)
{
	struct rpc_reader r;
	struct payload record;
	struct iovec space;
	int ret = 0;
	size_t n;

	nseen = 0;
	rpc_reader_init(&r, LIMIT);
	while (size && ret >= 0) {
		check(rpc_reader_space(&r, &space) == 0 && space.iov_len, "no room to read to");
		cut = (uint8_t)(cut * 5 + 1);
		n = cut % 3 ? (size_t)cut : size;
		n = n > size ? size : n;
		n = n > space.iov_len ? space.iov_len : n;
		n = n ? n : 1;
		memcpy(space.iov_base, data, n);
		rpc_reader_filled(&r, (uint32_t)n);
		data += n;
		size -= n;
		while ((ret = rpc_reader_next(&r, &record)) > 0) {
			if (nseen < FOUND_MAX)
				seen[nseen++] =
					(struct found){record.len, sum_of(0, payload_data(&record), record.len)};
			parse(&record);
		}
		rpc_reader_rest(&r);
	}
	rpc_reader_fini(&r);
	return ret < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iobuf whole = { .refs = 1, .size = (uint32_t)size };
	struct payload record = { &whole, 0, (uint32_t)size };
	uint8_t *copy;

	if (!size)
		return 0;
	check(simple_reader(data + 1, size - 1) == clever_reader(data + 1, size - 1, data[0]),
	      "one passes the limit, one does not");
	check(nexpected == nseen && !memcmp(expected, seen, nseen * sizeof(seen[0])), "other records");
	/* the input as one record: exactly its bytes, so that reading past the end shows */
	copy = malloc(size);
	memcpy(copy, data, size);
	whole.data = copy;
	parse(&record);
	free(copy);
	return 0;
}
