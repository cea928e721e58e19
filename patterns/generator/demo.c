/* The demo: an endless stream of which five values are made, because five are
 * asked for; then two generators of five items each that work at the same
 * time. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "gen.h"
#include "kernel/pattern.h"

#define ITEMS 5
#define GENERATE_MS 100

/* What takes time in the real thing: `ms` and up to as much again. */
static void pretend_to_work(int64_t ms)
{
	int64_t more = (int64_t)(weft_rand() % (uint64_t)ms);

	weft_sleep_until(weft_deadline_in((ms + more) * WEFT_MS));
}

struct source {
	FILE *out;
	const char *makes;
	int n;
};

static int numbered(struct weft_gen *g, void *arg)
{
	const struct source *s = arg;
	int err = 0;

	for (int i = 1; i <= s->n && !err; i++) {
		pretend_to_work(GENERATE_MS);
		fprintf(s->out, "%s %d\n", s->makes, i);
		err = weft_gen_yield(g, &i);
	}
	return err;
}

/* --- an endless stream, consumed lazily --- */

static int square(const void *in, void *out, void *arg)
{
	const int *number = in;
	int *squared = out;

	(void)arg;
	*squared = *number * *number;
	return 0;
}

static int show_numbers(FILE *out, struct weft_gen *g)
{
	int number, err;

	while (!(err = weft_gen_next(g, &number, WEFT_FOREVER)))
		fprintf(out, "Received: %d\n", number);
	return err == -EPIPE ? 0 : err;
}

static int show_lazy_stream(FILE *out)
{
	const struct weft_gen_opts opts = { .on_demand = true };
	struct source endless = { out, "Generated:", INT_MAX };
	struct weft_gen *g, *numbers;
	struct weft_gen_stats stats;
	int err;

	fprintf(out, "An endless stream, consumed lazily:\n");
	err = weft_gen_new(&numbers, sizeof(int), numbered, &endless, &opts);
	if (err)
		return err;
	g = numbers;
	err = weft_gen_take(&g, g, ITEMS);
	if (!err)
		err = weft_gen_map(&g, g, sizeof(int), square, NULL);
	if (!err)
		err = show_numbers(out, g);
	weft_gen_stats(numbers, &stats);
	if (!err)
		fprintf(out, "Asked for %d, generated %d\n\n", ITEMS,
		        (int)stats.made);
	weft_gen_free(g);
	return err;
}

/* --- two generators at the same time --- */

static int show_pairs(FILE *out, struct weft_gen *pairs)
{
	int pair[2], err, n = 0;

	while (!(err = weft_gen_next(pairs, pair, WEFT_FOREVER))) {
		fprintf(out, "Received: A%d and B%d\n", pair[0], pair[1]);
		n++;
	}
	if (err == -EPIPE)
		fprintf(out, "Generator completed: 2 x %d items!\n", n);
	return err == -EPIPE ? 0 : err;
}

static int show_two_generators(FILE *out)
{
	struct source a = { out, "Generator A: item", ITEMS };
	struct source b = { out, "Generator B: item", ITEMS };
	struct weft_gen *in[2] = { NULL, NULL }, *pairs;
	int err;

	fprintf(out, "Two generators, working at the same time:\n");
	err = weft_gen_new(&in[0], sizeof(int), numbered, &a, NULL);
	if (!err)
		err = weft_gen_new(&in[1], sizeof(int), numbered, &b, NULL);
	if (!err)
		err = weft_gen_zip(&pairs, in, 2);
	if (err) {
		weft_gen_free(in[1]);
		weft_gen_free(in[0]);
		return err;
	}
	err = show_pairs(out, pairs);
	weft_gen_free(pairs);
	return err;
}

int generator_demo(FILE *out)
{
	int err = show_lazy_stream(out);

	return err ? err : show_two_generators(out);
}
