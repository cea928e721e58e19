/* What the tests of all kernels have to know of timeout_cancellation. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=wide|chain|cube nodes=1|30 workers=3 pause=0" },
	{ .knobs = "variant=wide nodes=10 workers=20 wait=park" },
	{ .knobs = "variant=heap|wheel live=1|2000 workers=2" },
	{ .knobs = "variant=call workers=1|3 limit=0|20000 work=5000" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* workers=3 nodes=10 live=10" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* workers=2 nodes=10 live=10" },
	{ 0 },
};

/* What goes through a channel after a wait for it was cancelled. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=wide workers=1 nodes=3 pause=0" },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=wide|chain|cube nodes=10 pause=0",
	  "last_awake",
	  0.01,
	  1e7 },
	{ .knobs = "variant=call", "timed_out", 0, 0 },
	{ .knobs = "variant=call limit=1000 work=20000000",
	  "timed_out",
	  90,
	  100,
	  .items = 20 },
	{ .knobs = "variant=wide nodes=10", "late", .absent = true },
	{ 0 },
};

static bool takes_its_time(const int *numbers, int nth)
{
	(void)nth;
	return (1 <= numbers[0] && numbers[0] < 4) ||
	       (numbers[0] == 4 && numbers[1] == 0);
}

static const struct demo_form demo[] = {
	{ .form = "1. Context-based timeout example:", 1 },
	{ .form = "Starting long task (will take #s.#ts)...",
	  1,
	  .since = 1,
	  .holds = takes_its_time },
	{ .form = "Task timed out: context deadline exceeded", 1, .since = 2 },
	{ .form = "2. Channel-based timeout example:", 1, .since = 3 },
	{ .form = "Channel task timed out", 1, .since = 4 },
	{ .form = "3. Context cancellation example:", 1, .since = 5 },
	{ .form = "Cancelling context...", 1, .since = 6 },
	{ .form = "Context cancelled: context canceled", 1, .since = 7 },
	{ .form = "Timeouts and Cancellation example completed!",
	  1,
	  .since = 8 },
	{ 0 },
};

const struct kernel_cases kernel_cases_timeout_cancellation = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
