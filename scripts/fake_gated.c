/*
 * A `weft` for test_gate_runs.py, built by the gate itself: made-up times at
 * once.
 *
 * As on a real machine, where things lie in memory shows: a longer name of the
 * program or a larger environment makes it slower. What HEAD is 1 for is how
 * the channels of the head differ from those of the base.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "side.h"

extern char **environ;
const char *fake_patterns(void);
const char *fake_channels(void);

static double surroundings(const char *name)
{
	size_t bytes = strlen(name);

	for (char **e = environ; *e; e++)
		bytes += strlen(*e) + 1;
	return (double)bytes;
}

static const char *value(int argc, char **argv, const char *key)
{
	size_t n = strlen(key);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, n) == 0)
			return argv[i] + n;
	return "";
}

static void hang(void)
{
	const char *mark = getenv("FAKE_GATED_MARK");
	FILE *f = mark ? fopen(mark, "w") : NULL;

	if (f)
		fclose(f);
	sleep(100);
}

int main(int argc, char **argv)
{
	const char *chan = value(argc, argv, "--chan=");
	long items = atol(value(argc, argv, "--items="));
	double ns = 100 + surroundings(argv[0]);

	if (argc > 2 && strcmp(argv[1], "list") == 0) {
		puts(argv[2][0] == 'p' ? fake_patterns() : fake_channels());
		return 0;
	}
	if (strcmp(chan, "sleeps") == 0)
		hang();
	if (HEAD && strcmp(chan, "gone") == 0) {
		fputs("weft: no channel 'gone'\n", stderr);
		return 2;
	}
	if (HEAD && strcmp(chan, "slow") == 0)
		ns *= 1.3;
	if (!items)
		items = 1000;
	printf("{\"chan\":\"%s\",\"verdict\":\"%s\",\"params\":{\"items\":%ld},"
	       "\"samples\":[{\"ns\":%.0f,\"messages\":%ld}]}\n",
	       chan, HEAD && strcmp(chan, "wrong") == 0 ? "FAILED" : "VERIFIED",
	       items, ns * (double)items, items);
	return HEAD && strcmp(chan, "wrong") == 0;
}
