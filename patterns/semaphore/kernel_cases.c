/* What the tests of all kernels have to know of the semaphore. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=weighted|sem_t permits=1 workers=8" },
	/* Bounded, with an exact count, and for several senders. */
	{ .knobs = "variant=channel permits=1 workers=8", .channels = 3 },
	{ .knobs = "variant=* permits=64 workers=8 weight=4 weights=* "
	           "burst=2" },
	{ .knobs = "variant=* mode=try wait=park" },
	{ .knobs = "permits=5 weight=3 weights=uniform work=100" },
	{ .knobs = "variant=channel workers=1 permits=3",
	  .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* permits=16 burst=1|3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ 0 },
};

/* A broken channel is used by one sender at a time. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=channel workers=1",
	  "4 tokens were lost",
	  &testing_drops },
	{ .knobs = "variant=channel workers=1",
	  "4 tokens were corrupt",
	  &testing_corrupts },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "permits=2 weight=3",
	  "weight=3 with permits=2: allowed 1..2" },
	{ .knobs = "workers=4 permits=2 burst=2",
	  "4 workers that hold up to 2 permits, got one by one: allowed with "
	  "permits=8 and more, or they wait for one another" },
	{ 0 },
};

static const struct figure_case figures[] = {
	/* Nobody is there to be waited for. */
	{ .knobs = "variant=* workers=1", "waited", 0, 0 },
	{ .knobs = "variant=* workers=1", "longest_wait", 0, 0 },
	{ 0 },
};

static const struct demo_form demo[] = {
	{ .form = "Starting 10 workers with 3 permits...", .times = 1 },
	{ .form = "Worker #w acquired a permit",
	  .times = 10,
	  .since = 1,
	  .ahead_of = 3,
	  .by = 3 },
	{ .form = "Worker #w releases its permit", .times = 10, .after = 2 },
	{ .form = "Semaphore completed! 10 workers are done, never more than 3 "
	          "at a time.",
	  .times = 1,
	  .since = 3 },
	{ 0 },
};

const struct kernel_cases kernel_cases_semaphore = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
