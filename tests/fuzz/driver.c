/* A main() for the fuzz targets where libFuzzer is not at hand (gcc): runs the files given, then mutations of them
 * until the time is over.
 *
 * Understands the two options of libFuzzer that `make fuzz` uses: -max_total_time=SECONDS and -seed=N. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INPUT_MAX 65536u
#define INPUTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct { uint8_t *data; size_t size; } inputs[INPUTS_MAX];
static unsigned ninputs;
static uint64_t state = 1;

static uint32_t dice(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % below);
}

static void add_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	FILE *f = fopen(path, "rb");

	if (!f || !data || ninputs == INPUTS_MAX) {
		free(data);
	} else {
		inputs[ninputs].data = data;
		inputs[ninputs].size = fread(data, 1, INPUT_MAX, f);
		LLVMFuzzerTestOneInput(data, inputs[ninputs++].size);
	}
	if (f)
		fclose(f);
}

static void add_path(const char *path)
{
	DIR *dir = opendir(path);
	char name[4096];
	struct dirent *e;

	if (!dir) {
		add_file(path);
		return;
	}
	while ((e = readdir(dir)))
		if (*e->d_name != '.' && snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name))
			add_file(name);
	closedir(dir);
}

static void mutate(uint8_t *buf, size_t *size)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };
	unsigned n = 1 + dice(8);
	size_t at;

	while (n--) {
		at = *size ? dice((uint32_t)*size) : 0;
		switch (dice(5)) {
		case 0:
			if (*size)
				buf[at] ^= (uint8_t)(1u << dice(8));
			break;
		case 1:
			if (*size)
				buf[at] = edges[dice(sizeof(edges))];
			break;
		case 2:
			*size = at;
			break;
		case 3:
			if (*size < INPUT_MAX - 8)
				for (unsigned i = 0; i < 4; i++)
					buf[(*size)++] = (uint8_t)(i < 3 ? 0 : dice(256));
			break;
		default:
			if (*size)
				buf[at] = (uint8_t)dice(256);
		}
	}
}

int main(int argc, char **argv)
{
	static uint8_t buf[INPUT_MAX];
	unsigned long seconds = 5, runs = 0;
	time_t end;
	size_t size;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-max_total_time=", 16))
			seconds = strtoul(argv[i] + 16, NULL, 10);
		else if (!strncmp(argv[i], "-seed=", 6))
			state = strtoul(argv[i] + 6, NULL, 10);
		else if (*argv[i] != '-')
			add_path(argv[i]);
	}
	LLVMFuzzerTestOneInput(buf, 0);
	for (end = time(NULL) + (time_t)seconds; time(NULL) < end;) {
		for (i = 0; i < 1000; i++, runs++) {
			size = 0;
			if (ninputs && dice(8)) {
				unsigned pick = dice(ninputs);

				size = inputs[pick].size;
				memcpy(buf, inputs[pick].data, size);
			} else {
				for (size = 0; size < dice(512); size++)
					buf[size] = (uint8_t)dice(256);
			}
			mutate(buf, &size);
			LLVMFuzzerTestOneInput(buf, size);
		}
	}
	printf("%lu runs over %u inputs\n", runs, ninputs);
	return 0;
}
