/* What the tests of all kernels have to know of single flight. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=* workers=4 keys=3 skew=100 sleep=0|1000" },
	{ .knobs = "variant=sharded|locked|heap workers=4 gather=1 sleep=0" },
	{ .knobs = "variant=sharded keys=100 key=24|1000 shards=1|3 stats=1" },
	/* Without a channel that has no room, for two callers any will do. */
	{ .knobs = "variant=channel gather=1 sleep=0 cap=1|2", .channels = -5 },
	{ .knobs = "variant=channel gather=1 sleep=0 workers=4 cap=0",
	  .over = "handoff",
	  .channels = 1 },
	{ .knobs = "variant=channel gather=1 sleep=0",
	  .chan = &testing_one_to_one },
	{ .knobs = "variant=* workers=3 wait=park" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=*" },
	{ .knobs = "variant=sharded|locked|heap|channel gather=1" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* keys=1|10" },
	{ 0 },
};

/* With both callers in each flight, one of the channels has at least half of
 * the answers. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=channel gather=1 sleep=0",
	  "answers were corrupt",
	  &testing_corrupts },
	{ .knobs = "variant=channel gather=1 sleep=0 cap=2",
	  "answers were of a flight that had ended before the call",
	  &testing_repeats },
	{ .knobs = "variant=channel gather=1 sleep=0",
	  "the run ended with: Cannot allocate memory",
	  &testing_refuses },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "gather=1 keys=2",
	  "gather=1: allowed with keys=1, and not with variant=none, or nobody "
	  "comes to be waited for" },
	{ .knobs = "gather=1 variant=none",
	  "gather=1: allowed with keys=1, and not with variant=none, or nobody "
	  "comes to be waited for" },
	{ 0 },
};

static const struct figure_case figures[] = {
	/* One execution for five calls. */
	{ .knobs = "variant=sharded|locked|heap|channel gather=1 workers=5",
	  "saved",
	  80,
	  80 },
	{ .knobs = "variant=sharded|locked|heap|channel gather=1 workers=5",
	  "executions",
	  20,
	  20 },
	{ .knobs = "variant=none", "saved", 0, 0 },
	{ .knobs = "variant=* workers=1", "executions", 100, 100 },
	{ .knobs = "variant=sharded|channel gather=1 stats=1",
	  "late_p99",
	  0.01,
	  1e7 },
	{ .knobs = "variant=sharded", "late_p50", .absent = true },
	{ 0 },
};

/* The second number is that of the request that did the work: one for the first
 * five, one for the two that come later. */
static bool one_did_it(const int *numbers, int nth)
{
	static int first;

	if (nth == 1 || nth == 6)
		first = numbers[1];
	return numbers[1] == first;
}

static const struct demo_form demo[] = {
	{ .form = "Making 5 concurrent requests for key: user:123",
	  .times = 1 },
	{ .form = "Request #a: Starting...", .times = 8, .since = 1 },
	{ .form = "Request #a: Executing expensive operation...",
	  .times = 3,
	  .after = 2 },
	{ .form = "Duplicate call for key user:123, waiting for result...",
	  .times = 5,
	  .since = 1 },
	{ .form = "Request #a: Completed with result: Data for user:123 "
	          "(processed by request #b)",
	  .times = 7,
	  .since = 1 },
	{ .form = "Request #a: Completed with result: Data for user:456 "
	          "(processed by request #a)",
	  .times = 1,
	  .after = 3 },
	{ .form = "All results should be identical:", .times = 1 },
	{ .form = "  Request #a: Data for user:123 (processed by request #b)",
	  .times = 7,
	  .after = 5,
	  .holds = one_did_it },
	{ .form = "Making 3 concurrent requests for 2 keys",
	  .times = 1,
	  .since = 1 },
	{ .form = "Results should be identical for each key:",
	  .times = 1,
	  .since = 6 },
	{ .form = "  Request 1: Data for user:456 (processed by request 1)",
	  .times = 1,
	  .since = 7 },
	{ .form = "Singleflight example completed!", .times = 1, .since = 11 },
	{ 0 },
};

const struct kernel_cases kernel_cases_singleflight = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
