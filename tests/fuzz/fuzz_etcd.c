/* tests/fuzz/fuzz_etcd.c: any bytes are an answer of etcd or a sentence about why not. The first byte chooses the call. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/etcd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static void look(const struct etcd_answer *a)
{
	size_t i;

	check(memchr(a->reason, 0, sizeof(a->reason)) != NULL && a->lease >= 0);
	for (i = 0; i < a->n; i++) {
		check(a->kvs[i].revision && a->kvs[i].key && a->kvs[i].key[a->kvs[i].key_len] == 0);
		check(!a->kvs[i].value || a->kvs[i].value[a->kvs[i].len] == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { "" };
	struct etcd_answer a;
	char said[64], *exact;

	if (!size)
		return 0;
	exact = malloc(size);		/* of just this size, so that reading past the end shows */
	memcpy(exact, data + 1, size - 1);
	if (data[0] % 6 == 5) {
		check(etcd_decode_refusal(exact, size - 1, said, sizeof(said)) < 100);
	} else if (etcd_decode(data[0] % 6, exact, size - 1, &a, &err) == 0) {
		look(&a);
		etcd_answer_free(&a);
	} else {
		check(err.text[0]);
	}
	free(exact);
	return 0;
}
