/* tests/fuzz/fuzz_volfile.c: any text is a volfile or a sentence about why not; what was read can be asked. */
#include <stdint.h>
#include <stdlib.h>

#include "xlators/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { "" };
	struct volfile *vf = volfile_parse((const char *)data, size, "fuzz", &err);
	unsigned i;

	if (!vf) {
		if (!err.text[0])
			abort();
		return 0;
	}
	for (i = 0; i < volfile_count(vf); i++) {
		if (!volfile_name(vf, i) || !volfile_type(vf, i))
			abort();
		volfile_option(vf, i, "key");
	}
	volfile_free(vf);
	return 0;
}
