/* What an acquire and a release of an idle resource cost. */
#include "resource_pool_testing.h"
#include "testing/cost.h"

static void resource_pairs(void *pool)
{
	struct weft_resource r;

	for (int i = 0; i < TESTING_COST_CALLS; i++) {
		CHECK_EQ(weft_respool_acquire(pool, &r, WEFT_FOREVER), 0);
		CHECK_EQ(weft_respool_release(pool, &r), 0);
	}
}

TEST_OUTSIDE(a_pair_costs_at_most_5_of_a_mutex)
{
	struct world w = { 0 };

	if (COST_MEANS_NOTHING)
		skip();
	world_open(&w, (struct weft_respool_opts){ .max = 8 });
	testing_costs_at_most(5, "resource", resource_pairs, w.pool);
	world_close(&w, 0);
}

TEST_OUTSIDE(a_pair_enters_no_kernel_and_takes_no_memory)
{
	struct world w = { 0 };

	world_open(&w, (struct weft_respool_opts){ .max = 8 });
	testing_is_all_in_user_space(resource_pairs, w.pool);
	world_close(&w, 0);
}
