/* What an uncontended allow may cost. */
#include "rate_limiting_testing.h"
#include "testing/cost.h"

static struct weft_limiter *limiter;
static struct weft_gcra *gcra;

static void allows(void *arg)
{
	(void)arg;
	for (int i = 0; i < TESTING_COST_CALLS; i++)
		CHECK_EQ(weft_limiter_allow(limiter, 1, NULL), 0);
}

/* What is denied costs a division as well. */
static void denials(void *arg)
{
	(void)arg;
	for (int i = 0; i < TESTING_COST_CALLS; i++)
		CHECK_EQ(weft_limiter_allow(limiter, 1, NULL), -EAGAIN);
}

static void allows_of_keys(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < TESTING_COST_CALLS; i++)
		CHECK_EQ(weft_gcra_allow(gcra, i % 100, 1, NULL), 0);
}

/* So many that a burst lasts for all of a test. */
#define ALL (INT64_C(1) << 30)

static void make_one(enum weft_limiter_kind kind)
{
	limiter = make(kind, 1, WEFT_SEC, ALL);
}

TEST_OUTSIDE(an_allow_costs_at_most_5_of_a_mutex)
{
	if (COST_MEANS_NOTHING)
		skip();
	make_one(WEFT_LIMITER_BUCKET);
	testing_costs_at_most(5, "bucket", allows, NULL);
	assert_int_equal(
	        weft_limiter_allow(limiter, stats(limiter).tokens, NULL), 0);
	testing_costs_at_most(5, "bucket that denies", denials, NULL);
	weft_limiter_free(limiter);
	make_one(WEFT_LIMITER_LEAKY);
	testing_costs_at_most(5, "leaky", allows, NULL);
	weft_limiter_free(limiter);
	gcra = make_gcra(1, WEFT_SEC, ALL, 100);
	testing_costs_at_most(5, "gcra", allows_of_keys, NULL);
	weft_gcra_free(gcra);
}

TEST_OUTSIDE(an_allow_enters_no_kernel_and_takes_no_memory)
{
	make_one(WEFT_LIMITER_BUCKET);
	testing_is_all_in_user_space(allows, NULL);
	weft_limiter_free(limiter);
	make_one(WEFT_LIMITER_LEAKY);
	testing_is_all_in_user_space(allows, NULL);
	weft_limiter_free(limiter);
	gcra = make_gcra(1, WEFT_SEC, ALL, 100);
	testing_is_all_in_user_space(allows_of_keys, NULL);
	weft_gcra_free(gcra);
}
