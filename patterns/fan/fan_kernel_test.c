/* Tests of the fan's kernel, beside those of all kernels. */
#include <string.h>

#include "testing/testing.h"

TEST(figures_tell_how_far_results_are_from_their_order)
{
	/* Some change places in their queue, and others in that of results. */
	struct testing_cell t = { .pattern = &pattern_fan,
		                  .chan = &testing_swaps,
		                  .knobs = "variant=round_robin workers=2 "
		                           "batch=1",
		                  .items = 400 };

	testing_cell_run(&t);
	CHECK_LE(3u, t.figures);
	CHECK(strcmp(t.figure[1].name, "late_by") == 0);
	CHECK(t.figure[1].value >= 1);
	CHECK(strcmp(t.figure[2].name, "late_mean") == 0);
	CHECK(t.figure[2].value > 0);
	CHECK(t.figure[2].value < t.figure[1].value);
	return 0;
}
