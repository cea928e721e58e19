/* What the tests of all kernels have to know of select. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=recv writers=1 cap=1", .channels = 6 },
	{ .knobs = "variant=recv writers=8 cap=2 payload=64", .channels = 6 },
	{ .knobs = "variant=recv cap=3 work=100 wait=park", .channels = 6 },
	{ .knobs = "variant=send writers=3 cap=1 payload=4096", .channels = 6 },
	{ .knobs = "variant=send writers=1 cap=64", .channels = 6 },
	{ .knobs = "variant=both writers=1 cap=1", .channels = 6 },
	{ .knobs = "variant=both writers=4 cap=2", .channels = 6 },
	{ .knobs = "variant=mixed writers=2 cap=1", .channels = 6 },
	{ .knobs = "variant=mixed writers=8 cap=5 wait=spin", .channels = 6 },
	{ .knobs = "variant=bare writers=3 cap=1", .channels = 6 },
	{ .knobs = "variant=plain writers=3 cap=1",
	  .channels = 7 }, /* not spsc */
	{ .knobs = "variant=plain writers=1 cap=64", .channels = 8 },
	{ .knobs = "variant=forward writers=3 cap=2", .channels = 7 },
	{ .knobs = "variant=recv cap=0 writers=8", .over = "handoff" },
	{ .knobs = "variant=send cap=0 writers=3", .over = "handoff" },
	{ .knobs = "variant=both cap=0 writers=1|3", .over = "handoff" },
	{ .knobs = "variant=bare|plain|forward cap=0", .over = "handoff" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=*" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ 0 },
};

/* Channels for tests take one sender at a time, so one writer. */
#define PLAIN "variant=plain writers=1 payload=64"

static const struct kernel_case caught[] = {
	{ .knobs = PLAIN },
	{ .knobs = PLAIN,
	  "4 of 400 items out of order 50 after 51",
	  &testing_swaps },
	{ .knobs = PLAIN, "lost 4 of 400", &testing_corrupts_end },
	{ 0 },
};

/* variant=mixed takes two channels, and space. */
static const struct kernel_case refused[] = {
	{ .knobs = "variant=mixed writers=1",
	  "writers=1 with variant=mixed: allowed 2..64" },
	{ .knobs = "variant=mixed cap=0",
	  "cap=0 with variant=mixed: allowed "
	  "1..1048576, which all channels can "
	  "have" },
	{ 0 },
};

static const struct demo_form demo[] = {
	{ .form = "1. Select with a timeout:", 1 },
	{ .form = "Waiting 1 s for an answer that takes 2 s...",
	  1,
	  .since = 1 },
	{ .form = "Timed out after 1 s", 1, .since = 2 },
	{ .form = "The answer came after 2 s: 42", 1, .since = 3 },
	{ .form = "2. Select over two producers:", 1, .since = 4 },
	{ .form = "Producer 1 sends: #n",
	  5,
	  .since = 5,
	  .holds = demo_counts_from_1 },
	{ .form = "Producer 2 sends: #n",
	  5,
	  .since = 5,
	  .holds = demo_counts_from_1 },
	{ .form = "Received from producer 1: #n",
	  5,
	  .after = 6,
	  .in_order = true },
	{ .form = "Received from producer 2: #n",
	  5,
	  .after = 7,
	  .in_order = true },
	{ .form = "Select example completed!", 1, .since = 9 },
	{ 0 },
};

const struct kernel_cases kernel_cases_select = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.demo = demo,
};
