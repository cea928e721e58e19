/*
 * mutant: whether a kernel's verify catches what is wrong with its pattern.
 *
 *	mutant PATTERN KNOBS ITEMS TRIES CHANNEL,... WORD...
 *
 * Linked with a component or a kernel in which a bug was planted (see
 * weft_add_pattern_mutant in CMakeLists.txt). Runs a cell over these channels
 * and exits 0 when each of them was caught, with all words in the reason. A bug
 * that takes two tasks at a bad moment gets TRIES of them. That the same cell
 * is verified without the bug is for the pattern's own tests to say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/testing.h"

struct mutant {
	struct testing_cell cell;
	long tries;
	char *channels; /* names with commas between them */
	char **words;
};

static bool has_all(const char *why, char *const *words)
{
	for (; *words; words++)
		if (!strstr(why, *words))
			return false;
	return true;
}

static bool caught(const struct mutant *m, const char *chan)
{
	struct testing_cell t = m->cell;
	int err = 0;

	t.chan = weft_chan_impl_find(chan);
	for (long i = 0; i < m->tries && !err; i++)
		err = testing_cell_run(&t);
	printf("%s: %s\n", chan, err ? t.why : "was not caught");
	return err == -EIO && has_all(t.why, m->words);
}

static int run(void *arg)
{
	struct mutant *m = arg;
	char *rest = m->channels, *chan;
	int n = 0;

	while ((chan = strtok_r(rest, ",", &rest))) {
		m->cell.chan = weft_chan_impl_find(chan);
		CHECK(m->cell.chan != NULL);
		if (!testing_cell_possible(&m->cell))
			continue;
		if (!caught(m, chan))
			return 1;
		n++;
	}
	return n > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct mutant m;

	CHECK_LE(6, argc);
	m.cell = (struct testing_cell){ .pattern = pattern_find(argv[1]),
		                        .knobs = argv[2],
		                        .items = strtoull(argv[3], NULL, 10) };
	m.tries = strtol(argv[4], NULL, 10);
	m.channels = argv[5];
	m.words = argv + 6;
	CHECK(m.cell.pattern != NULL);
	return weft_run(WEFT_THREADS, &(struct weft_run_opts){ .seed = 3 }, run,
	                &m);
}
