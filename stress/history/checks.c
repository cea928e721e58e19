/* Histories as checks of the conformance suite. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "stress/history/scenario.h"

/* What a variation of a check takes at most; as the suite's other repetitions,
 * a part of it for a part of them. */
#define CELL_TIME (40 * WEFT_MS)

static void prepare(struct scenarios *s, const struct cell *cell,
                    unsigned closes)
{
	*s = (struct scenarios){ .impl = cell->impl,
		                 .cap = cell->cap,
		                 .elem = cell->elem,
		                 .wait = cell->wait,
		                 .closes = closes,
		                 .count = cell_times(cell, 16000, 20),
		                 .until_ns = weft_deadline_in(
		                         CELL_TIME * cell->percent / 100) };
	rng_seed(&s->rng, weft_rand());
}

static void remark(const struct scenarios *s)
{
	snprintf(vital->note, sizeof(vital->note),
	         "in the last variation %" PRIu64 " histories of %" PRIu64
	         " calls",
	         s->done, s->calls);
}

static void small_histories_have_an_order(struct cell *cell)
{
	struct scenarios s;

	prepare(&s, cell, 0);
	scenarios_run(&s);
	remark(&s);
}

static void small_histories_with_a_close_have_an_order(struct cell *cell)
{
	struct scenarios s;

	prepare(&s, cell, 8);
	scenarios_run(&s);
	remark(&s);
}

static void long_histories_show_no_bad_pattern(struct cell *cell)
{
	struct scenarios s;

	prepare(&s, cell, 0);
	do
		scenario_run_long(&s, cell_some(cell, 300));
	while (weft_now() < s.until_ns);
	remark(&s);
}

#define NEEDS (NEEDS_DATA | NEEDS_TAGS)

const struct conform_check conform_history[] = {
	{ "small_histories_have_an_order", "2, 7, 12, 15, 53", NEEDS, 0, 0,
	  OVER_0 | OVER_1 | OVER_2 | OVER_UNBOUNDED,
	  small_histories_have_an_order },
	{ "small_histories_with_a_close_have_an_order", "20-26, 56", NEEDS, 0,
	  0, OVER_0 | OVER_1 | OVER_2 | OVER_UNBOUNDED,
	  small_histories_with_a_close_have_an_order },
	{ "long_histories_show_no_bad_pattern", "6, 7, 15, 53", NEEDS, 0, 0,
	  OVER_0 | OVER_1 | OVER_7 | OVER_UNBOUNDED,
	  long_histories_show_no_bad_pattern },
	{ .name = NULL },
};
