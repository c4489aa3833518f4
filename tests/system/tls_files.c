/* tests/system/tls_files.c: tls_files DIR NAME...: a CA in DIR, and for each NAME a host's three files in DIR/NAME. */
#include <stdio.h>
#include <sys/stat.h>

#include "rpc/tls_make.h"

static int sorry(const struct error *err)
{
	fprintf(stderr, "tls_files: %s\n", err->text);
	return 1;
}

int main(int argc, char **argv)
{
	static const char *const hosts[] = { "localhost", "127.0.0.1", NULL };
	struct error err = { "" };
	char dir[4096];
	int i;

	if (argc < 2 || tls_make_ca(argv[1], "a cluster of tests", false, &err) < 0)
		return sorry(&err);
	for (i = 2; i < argc; i++) {
		struct tls_host host = { .ca_dir = argv[1], .to_dir = dir, .cn = argv[i], .hosts = hosts };

		snprintf(dir, sizeof(dir), "%s/%s", argv[1], argv[i]);
		mkdir(dir, 0700);
		if (tls_make_host(&host, &err) < 0)
			return sorry(&err);
	}
	return 0;
}
