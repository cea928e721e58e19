/* What the tests of all kernels have to know of the event loop. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	/* Those that can select; pipe and socketpair as a queue, too. */
	{ .knobs = "variant=select producers=3 sources=5 cap=1",
	  .channels = 6 },
	{ .knobs = "variant=select producers=1 sources=3 cap=3 wait=park",
	  .channels = 6 },
	{ .knobs = "variant=queue producers=3 sources=5 cap=2 payload=64",
	  .channels = 7 },
	{ .knobs = "variant=queue producers=1 cap=1 wait=spin", .channels = 8 },
	{ .knobs = "variant=* sources=16 priorities=8 batch=1 timers=20" },
	{ .knobs = "variant=* producers=5 sources=2 work=100 batch=4096" },
	{ .knobs = "variant=select cap=0 producers=3", .over = "handoff" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* producers=3 sources=2" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* sources=1|4" },
	{ 0 },
};

/* Channels for tests cannot select, and take one sender. */
#define QUEUE "variant=queue producers=1 sources=1 payload=64"

static const struct kernel_case caught[] = {
	{ .knobs = QUEUE },
	{ .knobs = QUEUE, "4 of 400 items out of order", &testing_swaps },
	/* Behind an event is whose it is. */
	{ .knobs = QUEUE,
	  "lost 4 of 400 4 events were discarded",
	  &testing_corrupts_end },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=* batch=1", "turns", 1, 1 },
	{ .knobs = "variant=* batch=16", "turns", 1.0 / 16, 1 },
	{ .knobs = "variant=* timers=1", "latest", 0, 1e9 },
	{ .knobs = "variant=*", "latest", .absent = true },
	{ 0 },
};

static bool some_were_queued(const int *numbers, int nth)
{
	return nth == 1 && numbers[0] >= 1 && numbers[0] < 14 &&
	       numbers[1] == 0;
}

#define EVENTS(count, name, title, what)                                       \
	{ .form = "Event Loop: Processing " name " event: " what " (" name     \
		  "_#n)",                                                      \
	  .times = (count),                                                    \
	  .since = 1,                                                          \
	  .holds = demo_counts_from_1 },                                       \
	{                                                                      \
		.form = "  -> " title " event processed: " what " (" name      \
		        "_#n)",                                                \
		.times = (count), .holds = demo_counts_from_1                  \
	}

static const struct demo_form demo[] = {
	{ .form = "Event loop started...", .times = 1 },
	EVENTS(5, "timer", "Timer", "heartbeat"),
	EVENTS(8, "user", "User", "login"),
	EVENTS(6, "system", "System", "backup"),
	{ .form = "Shutting down event loop...", .times = 1, .since = 3 },
	{ .form = "Event Loop: Shutdown signal received, cleaning up...",
	  .times = 1,
	  .after = 8 },
	{ .form = "Event Loop: queued events: #n handled, #d discarded",
	  .times = 1,
	  .since = 9,
	  .holds = some_were_queued },
	{ .form = "Event loop example completed!", .times = 1, .since = 10 },
	{ 0 },
};

const struct kernel_cases kernel_cases_event_loop = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.figures = figures,
	.demo = demo,
};
