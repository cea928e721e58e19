/* What the tests of all kernels have to know of heartbeats. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	/* Bounded, with data. */
	{ .knobs = "variant=channel cap=1|64", .channels = -4 },
	{ .knobs = "variant=channel beaters=4 detector=phi wait=park" },
	{ .knobs = "variant=* detector=* pulses=interval interval=100",
	  .items = 60 },
	{ .knobs = "variant=* hogs=2 factor=2", .items = 20 },
	{ .knobs = "variant=channel beaters=3", .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=channel beaters=3 detector=phi" },
	{ 0 },
};

/* Each death, which here is after each beat, is timed by its beater. */
static const struct kernel_case paced[] = {
	{ .knobs = "variant=* beaters=3" },
	{ 0 },
};

/* Room for all pulses, of one life. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=channel beaters=1 lives=1 cap=512",
	  "4 beats did not come to the monitor",
	  &testing_drops },
	{ .knobs = "variant=channel beaters=1 lives=1 cap=512",
	  "4 pulses were corrupt or came twice",
	  &testing_repeats },
	{ .knobs = "variant=channel beaters=1 lives=1 cap=512",
	  "4 pulses were corrupt or came twice",
	  &testing_corrupts },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=channel",
	  "this cell of heartbeat needs bounded, which channel list does not "
	  "declare",
	  .over = "list" },
	{ 0 },
};

static const struct figure_case figures[] = {
	/* The timeout at least; far more on a busy machine. */
	{ .knobs = "variant=* beaters=1", "noticed", 1500, 1e8 },
	{ .knobs = "variant=* detector=*", "false_alarms", 0, 1e6 },
	{ 0 },
};

static const struct demo_form demo[] = {
	{ .form = "Starting 2 workers that beat every 2 s, and a monitor that "
	          "waits 5 s...",
	  .times = 1 },
	{ .form = "Worker 1: hangs", .times = 1, .since = 1 },
	{ .form = "Worker 2: is done", .times = 1, .since = 1 },
	{ .form = "Monitor: No heartbeat received! (Worker 1)",
	  .times = 1,
	  .since = 3 },
	{ .form = "Monitor: Worker 1 is alive.......! (again)",
	  .times = 1,
	  .since = 4 },
	{ .form = "Worker #w: alive......", .times = 5, .since = 1 },
	{ .form = "Monitor: Worker #w is alive.......!",
	  .times = 4,
	  .since = 1,
	  .after = 6 },
	{ .form = "Heartbeat completed! 1 silence was noticed, and the worker "
	          "that left is no death.",
	  .times = 1,
	  .since = 7 },
	{ 0 },
};

const struct kernel_cases kernel_cases_heartbeat = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
