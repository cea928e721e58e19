/* What the tests of all kernels have to know of the supervisor. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=error workers=3 cap=0",
	  .items = 40,
	  .channels = 1 },
	{ .knobs = "variant=error|exit|thread workers=3 cap=1", .items = 40 },
	{ .knobs = "variant=error|thread|hung workers=3 strategy=one_for_all|"
	           "rest_for_one",
	  .items = 20,
	  .over = "handoff" },
	{ .knobs = "workers=5 strategy=*", .items = 50 },
	{ .knobs = "workers=2 backoff=10 intensity=3 work=1000",
	  .items = 20,
	  .over = "handoff" },
	/* Due before its manager has looked again. */
	{ .knobs = "backoff=1 strategy=one_for_all|rest_for_one", .items = 10 },
	{ .knobs = "strategy=one_for_all intensity=3",
	  .items = 20,
	  .over = "handoff" },
	{ .knobs = "variant=hung|process", .items = 8, .over = "ring" },
	{ .knobs = "workers=1 payload=64",
	  .items = 40,
	  .chan = &testing_one_to_one },
	/* One task sends for all of them. */
	{ .knobs = "variant=process workers=3",
	  .items = 7,
	  .chan = &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=error|process workers=3" },
	{ .knobs = "strategy=one_for_all|rest_for_one workers=3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "strategy=one_for_all" },
	{ 0 },
};

static const struct kernel_case caught[] = {
	{ .knobs = "workers=1 payload=16" },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=process strategy=one_for_all",
	  "strategy=one_for_all with variant=process: allowed one_for_one" },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "", "restart_p50", 1, 1e7, .items = 20 },
	{ .knobs = "backoff=2000 workers=1",
	  "restart_p50",
	  2000,
	  1e7,
	  .items = 3 },
	{ 0 },
};

/* With the seed of the tests: how it goes on follows from that alone. */
static const struct demo_form demo[] = {
	{ .form = "Worker: Started", .times = 3 },
	{ .form = "Worker: Simulated failure!", .times = 1, .after = 1 },
	{ .form = "Worker: Completed work successfully.",
	  .times = 1,
	  .after = 1 },
	{ .form = "Supervisor: Worker failed, restarting...",
	  .times = 1,
	  .after = 2 },
	{ .form = "Supervisor: Worker finished", .times = 1, .after = 3 },
	{ .form = "Worker: Stopped", .times = 1, .after = 1 },
	{ .form = "Supervisor example completed! Worker was restarted 2 times.",
	  .times = 1,
	  .since = 6 },
	{ 0 },
};

const struct kernel_cases kernel_cases_supervisor = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
