/* What the tests of all kernels have to know of the resource pool. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=* max=1 workers=8" },
	{ .knobs = "variant=* max=8 workers=3 idle=1|0 wait=park" },
	{ .knobs = "variant=synthetic|tcp broken=500 workers=8" },
	{ .knobs = "variant=channel workers=1 max=3",
	  .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* workers=3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ 0 },
};

/* A broken channel is used by one sender at a time. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=channel workers=1 max=8",
	  "4 resources were not destroyed",
	  &testing_drops },
	{ .knobs = "variant=channel workers=1 max=8",
	  "4 resources were destroyed twice",
	  &testing_repeats },
	{ .knobs = "variant=channel workers=1 max=8",
	  "4 resources were corrupt",
	  &testing_corrupts },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "max=2 idle=3", "idle=3 with max=2: allowed 0..2" },
	{ .knobs = "variant=channel broken=1",
	  "broken=1 with variant=channel: allowed 0..0, or nothing would end "
	  "a wait" },
	{ 0 },
};

static const struct figure_case figures[] = {
	/* Nobody is there to be waited for. */
	{ .knobs = "variant=* workers=1", "waited", 0, 0 },
	{ .knobs = "variant=* workers=1", "longest_wait", 0, 0 },
	/* One is all that one worker needs. */
	{ .knobs = "variant=* workers=1", "created", 1, 1 },
	{ .knobs = "variant=* workers=1", "hits", 99.5, 99.5 },
	{ .knobs = "variant=* workers=8 max=1", "created", 1, 1 },
	{ .knobs = "variant=synthetic workers=1 broken=1000",
	  "created",
	  200,
	  200 },
	{ .knobs = "variant=synthetic workers=1 broken=1000", "hits", 0, 0 },
	{ 0 },
};

static bool is_of_5(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[1] && numbers[1] <= 5;
}

static bool is_of_4(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[1] && numbers[1] <= 4;
}

static const struct demo_form demo[] = {
	{ .form = "1. Database Connection Pool Example:", .times = 1 },
	{ .form = "Worker #w: Got DB connection #c",
	  .times = 8,
	  .since = 1,
	  .ahead_of = 4,
	  .by = 5,
	  .holds = is_of_5 },
	{ .form = "Worker #w: Executing query on connection #c",
	  .times = 8,
	  .after = 2 },
	{ .form = "Worker #w: Released DB connection #c",
	  .times = 8,
	  .after = 3 },
	{ .form = "DB pool closed. Total connections created: 5",
	  .times = 1,
	  .since = 4 },
	{ .form = "2. HTTP Client Pool Example:", .times = 1, .since = 5 },
	{ .form = "Worker #w: Got HTTP client #c",
	  .times = 6,
	  .since = 6,
	  .ahead_of = 9,
	  .by = 4,
	  .holds = is_of_4 },
	{ .form = "Worker #w: Making API request with client #c",
	  .times = 6,
	  .after = 7 },
	{ .form = "Worker #w: Released HTTP client #c",
	  .times = 6,
	  .after = 8 },
	{ .form = "HTTP client pool closed. Total clients created: 4",
	  .times = 1,
	  .since = 9 },
	{ .form = "Resource Pooling example completed!",
	  .times = 1,
	  .since = 10 },
	{ 0 },
};

const struct kernel_cases kernel_cases_resource_pool = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
