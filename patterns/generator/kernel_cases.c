/* What the tests of all kernels have to know of the generator. */
#include "testing/kernel_cases.h"

/* condvar, handoff, mpsc, pipe, ring, socketpair, spsc; what is not ahead of
 * its own accord, over list as well. */
static const struct kernel_case verified[] = {
	{ .knobs = "variant=push cap=1", .channels = 7 },
	{ .knobs = "variant=push cap=16 batch=5 depth=3", .channels = 7 },
	{ .knobs = "variant=push payload=64 work=200", .channels = 7 },
	{ .knobs = "variant=pull cap=1", .channels = 8 },
	{ .knobs = "variant=pull cap=16 batch=16", .channels = 8 },
	{ .knobs = "variant=pull cap=2 batch=7 payload=1024", .channels = 8 },
	{ .knobs = "variant=staged cap=1 depth=5", .channels = 7 },
	{ .knobs = "variant=staged cap=8 batch=4 depth=2", .channels = 7 },
	{ .knobs = "variant=inline depth=10", .channels = 8 },
	{ .knobs = "variant=push depth=0 wait=park", .channels = 7 },
	{ .knobs = "variant=* cap=0 batch=1|6|11|16 depth=2",
	  .over = "handoff" },
	/* A daisy chain. */
	{ .knobs = TESTING_SLOW ? "variant=staged depth=30 cap=0"
	                        : "variant=staged depth=300 cap=0",
	  .over = "handoff",
	  .items = 100 },
	{ .knobs = "variant=inline depth=1000",
	  .over = "handoff",
	  .items = 100 },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* cap=0 batch=1|6|11|16 depth=2" },
	{ .knobs = "variant=* end=stop cap=2 depth=3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* batch=1|4" },
	{ 0 },
};

static const struct kernel_case caught[] = {
	{ .knobs = "batch=1|8" },
	{ .knobs = "", "out of order", &testing_swaps },
	{ .knobs = "payload=64", "lost", &testing_corrupts_end },
	/* An even number of channels would swap them back. */
	{ .knobs = "variant=staged depth=2", "out of order", &testing_swaps },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=push|staged",
	  "this cell of generator needs bounded, which channel list does not "
	  "declare",
	  .over = "list" },
	{ 0 },
};

static const struct figure_case figures[] = {
	/* How long a stop takes is told of what has to be stopped. */
	{ "variant=* end=stop cap=2 depth=3", "stop", 0, 1e10, .items = 99 },
	{ "variant=* end=stop cap=2 depth=3", "stop", 0, 1e10, .items = 198 },
	{ "variant=*", "stop", .absent = true },
	{ 0 },
};

static bool is_square(const int *numbers, int nth)
{
	return numbers[0] == nth * nth;
}

static bool are_a_pair(const int *numbers, int nth)
{
	return numbers[0] == nth && numbers[1] == nth;
}

/* The form, how often, and since, after, in_order, ahead_of, by and holds. */
static const struct demo_form demo[] = {
	{ .form = "An endless stream, consumed lazily:", 1 },
	/* Nothing is made before what was made last has been received. */
	{ "Generated: #n", 5, 1, 0, false, 3, 1, demo_counts_from_1 },
	{ "Received: #y", 5, 0, 0, false, 2, 0, is_square },
	{ .form = "Asked for 5, generated 5", 1, .since = 3 },
	{ .form = "Two generators, working at the same time:", 1, .since = 4 },
	/* Each is ahead by no more than the one item in its hands. */
	{ "Generator A: item #a", 5, 5, 0, false, 8, 2, demo_counts_from_1 },
	{ "Generator B: item #b", 5, 5, 0, false, 8, 2, demo_counts_from_1 },
	{ .form = "Received: A#a and B#b", 5, .after = 6, .holds = are_a_pair },
	{ .form = "Received: A#a and B#b", 5, .after = 7 },
	{ .form = "Generator completed: 2 x 5 items!", 1, .since = 9 },
	{ 0 },
};

const struct kernel_cases kernel_cases_generator = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
