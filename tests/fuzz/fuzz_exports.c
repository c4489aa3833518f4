/* tests/fuzz/fuzz_exports.c: any text as an exports file: a set that can be evaluated, or a sentence with file and line. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "xlators/exports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_in6 peer = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct error err = { "" };
	struct export_set *set;
	const char *rest;
	unsigned i;

	if (size % 3 == 0) {
		if (exports_parse_lines((const char *)data, size, "exports", NULL, &set, &err) == 0)
			export_set_unref(set);
		err.text[0] = '\0';
	}
	if (exports_parse((const char *)data, size, "exports", size & 1 ? "demo" : NULL, &set, &err) < 0) {
		if (strncmp(err.text, "exports:", 8) != 0)
			abort();
		return 0;
	}
	for (i = 0; i < set->n; i++) {
		export_admit(&set->exports[i], (struct sockaddr *)&peer, "a.example.org");
		if (!export_covers(&set->exports[i], set->exports[i].path, &rest) || *rest)
			abort();
		if (export_by_id(set, set->exports[i].id) != &set->exports[i])
			abort();
	}
	export_set_unref(set);
	return 0;
}
