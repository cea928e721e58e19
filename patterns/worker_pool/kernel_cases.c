/* What the tests of all kernels have to know of the worker pool. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=shared|stealing cap=1|64" },
	{ .knobs = "variant=shared cap=0 workers=3" },
	{ .knobs = "variant=shared|stealing tree=100 cap=64" },
	/* What has no room is done where it is, also by the only worker. */
	{ .knobs = "variant=shared workers=1 tree=1000", .items = 5000 },
	{ .knobs = "variant=thread|serial submitters=2" },
	{ .knobs = "variant=* submitters=3 workers=3 wait=park work=100" },
	{ .knobs = "variant=shared beside=1" },
	{ .knobs = "variant=shared workers=1 cap=3",
	  .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* submitters=1|3" },
	{ .knobs = "variant=shared|stealing tree=3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ .knobs = "variant=shared|stealing tree=8" },
	{ 0 },
};

/* What goes through the channel is not the items but where they are: the pool
 * itself notices, and fails. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=shared|stealing", "lost error", &testing_drops },
	{ .knobs = "variant=shared|stealing", "lost error", &testing_repeats },
	{ .knobs = "variant=shared|stealing", "lost error", &testing_corrupts },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=stealing cap=0",
	  "cap=0 with variant=stealing: allowed 1..1048576" },
	{ .knobs = "variant=serial tree=2",
	  "tree=2 without a pool: allowed 1..1" },
	{ .knobs = "variant=stealing beside=1",
	  "beside=1: allowed 0..0, or with variant=shared" },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=shared", "stolen", 0, 0 },
	{ .knobs = "variant=stealing workers=1 tree=64", "stolen", 0, 0 },
	/* Nothing is submitted by jobs. */
	{ .knobs = "variant=shared|stealing", "no_place", 0, 0 },
	/* Its own queue has room for all of them. */
	{ .knobs = "variant=stealing tree=200 cap=1", "no_place", 0, 0 },
	{ .knobs = "variant=serial", "stolen", .absent = true },
	{ 0 },
};

static bool is_worker(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[0] && numbers[0] <= 3;
}

static bool takes_its_time(const int *numbers, int nth)
{
	return is_worker(numbers, nth) && 200 <= numbers[2] && numbers[2] < 500;
}

static bool is_twice(const int *numbers, int nth)
{
	return numbers[0] == nth && numbers[1] == 2 * nth;
}

static const struct demo_form demo[] = {
	{ .form = "Worker #w started", 3, .holds = demo_counts_from_1 },
	{ .form = "Sending job #j to pool",
	  15,
	  .since = 1,
	  .holds = demo_counts_from_1 },
	{ .form = "Worker #w processing job #j (will take #tms)",
	  15,
	  .after = 2,
	  .ahead_of = 4,
	  .by = 3,
	  .holds = takes_its_time },
	{ .form = "Worker #w finished job #j",
	  15,
	  .after = 3,
	  .holds = is_worker },
	{ .form = "Result of job #j: #r", 15, .holds = is_twice },
	{ .form = "Worker Pools example completed! Processed 15 jobs with 3 "
	          "workers.",
	  1,
	  .since = 5 },
	{ 0 },
};

const struct kernel_cases kernel_cases_worker_pool = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
