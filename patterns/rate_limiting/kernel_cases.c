/* What the tests of all kernels have to know of rate limiting. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=bucket|leaky|gcra rate=* workers=8 burst=1" },
	{ .knobs = "variant=bucket|leaky|gcra mode=wait rate=300007 keys=3" },
	{ .knobs = "variant=bucket|leaky mode=wait rate=1000000000 wait=park" },
	/* Bounded, for several receivers. */
	{ .knobs = "variant=refill mode=* burst=5 rate=100000 workers=4",
	  .channels = -3 },
	{ .knobs = "variant=refill burst=64 workers=1", .channels = -4 },
	/* With a capacity of 0. */
	{ .knobs = "variant=ticker|refill mode=* burst=1 rate=100000",
	  .channels = 1 },
	{ .knobs = "variant=refill burst=3 workers=1",
	  .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* mode=wait" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ .knobs = "variant=* mode=wait" },
	{ 0 },
};

/* A broken channel is used by one sender and one receiver at a time. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=refill mode=wait workers=1 burst=64",
	  "tokens were lost",
	  &testing_drops },
	{ .knobs = "variant=refill mode=wait workers=1 burst=64",
	  "tokens more than were made",
	  &testing_repeats },
	{ .knobs = "variant=refill mode=wait workers=1 burst=64",
	  "were granted at a time that cannot be",
	  &testing_corrupts_end },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "rate=0 variant=refill",
	  "rate=0 with variant=refill: allowed 1..1000000000" },
	{ .knobs = "rate=0 variant=ticker",
	  "rate=0 with variant=ticker: allowed 1..1000000000" },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=bucket|leaky|gcra rate=0", "granted", 100, 100 },
	/* Fewer than the burst are asked for. */
	{ .knobs = "variant=bucket|leaky burst=1000", "granted", 100, 100 },
	{ .knobs = "variant=bucket|leaky burst=1000 mode=wait",
	  "wait_mean",
	  0,
	  0 },
	{ .knobs = "variant=bucket|leaky burst=1000 mode=wait",
	  "longest_wait",
	  0,
	  0 },
	/* One is there in each 10 ms. */
	{ .knobs = "variant=* burst=1 keys=1 mode=wait rate=100",
	  "longest_wait",
	  1,
	  1e7,
	  6 },
	{ .knobs = "variant=* burst=1 keys=1 mode=wait rate=100",
	  "wait_mean",
	  1,
	  1e7,
	  6 },
	/* Ten in a second: of two hundred calls all but the burst are in vain.
	 */
	{ .knobs = "variant=bucket|leaky rate=10 burst=5", "granted", 2.5, 50 },
	{ .knobs = "variant=gcra rate=1 keys=2 burst=5 workers=1",
	  "granted",
	  5,
	  50 },
	{ 0 },
};

#define TICK(s, ms)                                                            \
	{                                                                      \
		.form = "Request #r processed at 00:00:0" #s "." #ms,          \
		.times = 1, .since = 1                                         \
	}

static bool is_a_request(const int *numbers, int nth)
{
	(void)nth;
	return numbers[0] >= 1 && numbers[0] <= 10;
}

static const struct demo_form demo[] = {
	{ .form = "1. Fixed rate limiting (2 requests per second):",
	  .times = 1 },
	TICK(0, 500),
	TICK(1, 000),
	TICK(1, 500),
	TICK(2, 000),
	TICK(2, 500),
	TICK(3, 000),
	{ .form = "2. Token bucket rate limiting (3 tokens per second, burst "
	          "of 5):",
	  .times = 1,
	  .since = 7 },
	{ .form = "Token request #r granted at 00:00:03.000",
	  .times = 5,
	  .since = 8,
	  .holds = is_a_request },
	{ .form = "Token request #r denied at 00:00:03.000",
	  .times = 5,
	  .since = 8,
	  .holds = is_a_request },
	{ .form = "Rate Limiting example completed!", .times = 1, .since = 10 },
	{ 0 },
};

const struct kernel_cases kernel_cases_rate_limiting = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
