/* The demo: an endless stream of which five values are made, because five are
 * asked for; then two generators of five items each that work at the same
 * time. */
#include <errno.h>
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

/* --- an endless stream, consumed lazily --- */

static int all_numbers(struct weft_gen *g, void *arg)
{
	FILE *out = arg;
	int err = 0;

	for (int number = 1; !err; number++) {
		pretend_to_work(GENERATE_MS);
		fprintf(out, "Generated: %d\n", number);
		err = weft_gen_yield(g, &number);
	}
	return err;
}

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
	struct weft_gen *g, *numbers;
	struct weft_gen_stats stats;
	int err;

	fprintf(out, "An endless stream, consumed lazily:\n");
	err = weft_gen_new(&numbers, sizeof(int), all_numbers, out, &opts);
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

struct source {
	FILE *out;
	char name;
};

static int five_items(struct weft_gen *g, void *arg)
{
	const struct source *s = arg;
	int err = 0;

	for (int item = 1; item <= ITEMS && !err; item++) {
		pretend_to_work(GENERATE_MS);
		fprintf(s->out, "Generator %c: item %d\n", s->name, item);
		err = weft_gen_yield(g, &item);
	}
	return err;
}

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
	struct source a = { out, 'A' }, b = { out, 'B' };
	struct weft_gen *in[2], *pairs;
	int err;

	fprintf(out, "Two generators, working at the same time:\n");
	err = weft_gen_new(&in[0], sizeof(int), five_items, &a, NULL);
	if (err)
		return err;
	err = weft_gen_new(&in[1], sizeof(int), five_items, &b, NULL);
	if (err)
		goto free_a;
	err = weft_gen_zip(&pairs, in, 2);
	if (err)
		goto free_b;
	err = show_pairs(out, pairs);
	weft_gen_free(pairs);
	return err;

free_b:
	weft_gen_free(in[1]);
free_a:
	weft_gen_free(in[0]);
	return err;
}

int generator_demo(FILE *out)
{
	int err = show_lazy_stream(out);

	return err ? err : show_two_generators(out);
}
