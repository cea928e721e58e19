/* What the tests of all kernels have to know of the pipeline. */
#include "testing/kernel_cases.h"

/* E11: condvar and handoff can do all of these. */
static const struct kernel_case verified[] = {
	{ .knobs = "cap=1" },
	{ .knobs = "cap=16 workers=3" },
	{ .knobs = "stages=1" },
	{ .knobs = "stages=5 cap=2" },
	{ .knobs = "batch=16 cap=64" },
	{ .knobs = "batch=3 workers=2 payload=64" },
	{ .knobs = "payload=4096 cap=1" },
	{ .knobs = "work=200" },
	{ .knobs = "wait=park cap=1" },
	{ .knobs = "variant=serial stages=3" },
	{ .knobs = "variant=ordered workers=3 cap=16" },
	{ .knobs = "variant=ordered workers=2 batch=5 stages=3" },
	{ .knobs = "variant=fused stages=4 batch=7" },
	{ .knobs = "variant=fused stages=1 payload=64" },
	{ .knobs = "tokens=1" },
	{ .knobs = "tokens=5 workers=2 cap=16 batch=3" },
	{ .knobs = "work=100 slow=10 stages=3" },
	{ .knobs = "stages=3", .chan = &testing_one_to_one },
	/* In an ordered stage the workers take turns. */
	{ .knobs = "variant=ordered workers=3", .chan = &testing_one_to_one },
	{ .knobs = "cap=0 workers=1|2", .over = "handoff" },
	{ .knobs = "cap=0 batch=4 wait=spin", .over = "handoff" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "workers=4 cap=0" },
	{ .knobs = "batch=64" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* batch=4" },
	{ 0 },
};

static const struct kernel_case caught[] = {
	{ .knobs = "", "lost", &testing_drops },
	{ .knobs = "", "delivered twice", &testing_repeats },
	{ .knobs = "", "out of order", &testing_swaps },
	{ .knobs = "payload=8|64", "corrupt lost", &testing_corrupts },
	{ .knobs = "batch=8", "lost", &testing_drops },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=serial workers=2",
	  "workers=2 with variant=serial: allowed 1" },
	{ .knobs = "variant=fused workers=4",
	  "workers=4 with variant=fused: allowed 1" },
	{ .knobs = "stages=10000 workers=5",
	  "stages=10000 with workers=5: 50002 tasks, allowed 16384" },
	{ 0 },
};

#define SLOW_STAGE "stages=3 cap=8 work=100 slow=100"

/* Items wait before the slowest stage, unless the source has lost its CPU: what
 * holds on any machine is that no queue has more than fit. */
static const struct figure_case figures[] = {
	{ .knobs = SLOW_STAGE, "queue0", 0, 8, .items = 2000 },
	{ .knobs = SLOW_STAGE, "queue1", 0, 8, .items = 2000 },
	{ .knobs = SLOW_STAGE, "queue2", 0, 8, .items = 2000 },
	{ .knobs = SLOW_STAGE, "queue3", .absent = true },
	/* There is room for so many, whatever the number of stages. */
	{ .knobs = "stages=30 cap=8", "queue7", 0, 8, .items = 2000 },
	{ .knobs = "stages=30 cap=8", "queue8", .absent = true },
	{ 0 },
};

static bool is_small(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[0] && numbers[0] <= 10;
}

static bool is_square(const int *numbers, int nth)
{
	(void)nth;
	return numbers[1] == numbers[0] * numbers[0];
}

static bool is_ten_more(const int *numbers, int nth)
{
	(void)nth;
	return numbers[1] == numbers[0] + 10;
}

static const struct demo_form demo[] = {
	{ .form = "Pipeline stages:", 1 },
	{ .form = "1. Generate numbers", 1, .since = 1 },
	{ .form = "2. Square numbers", 1, .since = 2 },
	{ .form = "3. Add 10", 1, .since = 3 },
	{ .form = "Generated: #x", 10, .since = 4, .holds = is_small },
	{ .form = "Squared #x -> #y",
	  10,
	  .after = 5,
	  .in_order = true,
	  .holds = is_square },
	{ .form = "Added 10 to #y -> #z",
	  10,
	  .after = 6,
	  .in_order = true,
	  .holds = is_ten_more },
	{ .form = "Result: #z", 10, .after = 7, .in_order = true },
	{ .form = "Pipeline completed!", 1, .since = 8 },
	{ 0 },
};

const struct kernel_cases kernel_cases_pipeline = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
