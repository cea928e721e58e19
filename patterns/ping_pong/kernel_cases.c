/* What the tests of all kernels have to know of clients and servers. */
#include "testing/kernel_cases.h"

/* condvar and handoff can do all of these. */
static const struct kernel_case verified[] = {
	{ .knobs = "cap=1" },
	{ .knobs = "cap=64 pairs=3" },
	{ .knobs = "cap=2 payload=4080" },
	{ .knobs = "cap=7 payload=64 work=100" },
	{ .knobs = "cap=1 wait=park pairs=2" },
	{ .knobs = "cap=1 pairs=2", .chan = &testing_one_to_one },
	{ .knobs = "cap=0 wait=adaptive|spin", .over = "handoff" },
	{ .knobs = "cap=0 pairs=4 payload=16", .over = "handoff" },
	{ .knobs = "pairs=64", .over = "handoff", .items = 100 },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "pairs=3" },
	{ 0 },
};

/* Each round trip is timed by its client. */
static const struct kernel_case paced[] = {
	{ .knobs = "pairs=2 work=100000", .items = 21 },
	{ 0 },
};

static const struct kernel_case caught[] = {
	/* The 50th request is answered twice, and each answer comes twice. */
	{ .knobs = "cap=4",
	  "requests out of turn 50 where 51 was due replies too many in pair 0",
	  &testing_repeats,
	  .items = 60 },
	/* What strikes a request strikes its reply too and mends it, so the
	 * server sees it alone: in the link's part of the message, */
	{ .knobs = "cap=4",
	  "1 corrupt requests pair 0",
	  &testing_corrupts,
	  .items = 60 },
	/* and this in the kernel's. */
	{ .knobs = "cap=4 payload=64",
	  "1 corrupt requests pair 0",
	  &testing_corrupts_end,
	  .items = 60 },
	{ .knobs = "cap=4",
	  "requests out of turn pair 0 50 was due",
	  &testing_corrupts_end,
	  .items = 60 },
	{ 0 },
};

#define LINE(number, text)                                                     \
	{                                                                      \
		.form = text, .times = 1, .since = (number)-1                  \
	}

static const struct demo_form demo[] = {
	LINE(1, "Ping 1"),
	LINE(2, "Pong 1"),
	LINE(3, "Ping 2"),
	LINE(4, "Pong 2"),
	LINE(5, "Ping 3"),
	LINE(6, "Ping 3 waited for 250 ms: missed"),
	LINE(7, "Ping 4"),
	LINE(8, "Pong 3 comes too late"),
	LINE(9, "Pong 4"),
	LINE(10, "Ping 5"),
	LINE(11, "Pong 5"),
	LINE(12, "Ping 6"),
	LINE(13, "Pong 6"),
	LINE(14, "Ping-Pong completed: 5 of 6 returned!"),
	{ 0 },
};

const struct kernel_cases kernel_cases_ping_pong = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.demo = demo,
};
