/* What the tests of all kernels have to know of the fan. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	/* condvar, handoff and ring can do all of these. */
	{ .knobs = "variant=* cap=1", .channels = -3 },
	{ .knobs = "variant=* cap=2 batch=1", .channels = -3 },
	{ .knobs = "variant=* cap=3 workers=3 batch=1", .channels = -3 },
	{ .knobs = "variant=* cap=64 workers=5 payload=64", .channels = -3 },
	{ .knobs = "variant=* workers=1 payload=4096 cap=2", .channels = -3 },
	{ .knobs = "variant=* workers=2 wait=park cap=1 batch=1",
	  .channels = -3 },
	{ .knobs = "variant=* workers=3 batch=16 cap=50", .channels = -3 },
	{ .knobs = "variant=* cap=0", .over = "handoff" },
	{ .knobs = "variant=* cap=0 workers=4 batch=1", .over = "handoff" },
	{ .knobs = "variant=* work=200 dist=*", .over = "handoff" },
	{ .knobs = "variant=ordered window=1 workers=3", .over = "ring" },
	/* That they come in another order is mended. */
	{ .knobs = "variant=ordered workers=1 window=512",
	  .chan = &testing_swaps },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* workers=3 cap=0" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=shared|round_robin|random|least_loaded|ordered" },
	{ .knobs = "variant=merge|merge_select|serial" },
	{ .knobs = "variant=broadcast", .recorded = 2 }, /* by each worker */
	{ 0 },
};

#define ONE_WORKER                                                             \
	"variant=shared|round_robin|least_loaded|broadcast|merge workers=1"
/* Inside the channels of an ordered fan are only numbers of items. The window
 * is wide, so that a loss is noticed at the end and not waited for. */
#define WIDE "variant=ordered workers=1 window=512"

/* A broken channel is used by one sender at a time: one worker, or one queue
 * for each. */
static const struct kernel_case caught[] = {
	{ .knobs = ONE_WORKER, "lost 400 50", &testing_drops },
	{ .knobs = ONE_WORKER, "twice", &testing_repeats },
	/* Two channels in a row undo what each does to the same elements; three
	 * do not. */
	{ .knobs = "variant=broadcast workers=1",
	  "out of order",
	  &testing_swaps },
	{ .knobs = "variant=broadcast workers=1", "lost", &testing_corrupts },
	{ .knobs = "variant=broadcast workers=1 payload=64",
	  "corrupt lost",
	  &testing_corrupts_end },
	{ .knobs = WIDE, "lost error", &testing_drops },
	/* The last one, with no result behind it. */
	{ .knobs = WIDE, "lost error", &testing_drops, .items = 51 },
	{ .knobs = WIDE, "lost error", &testing_repeats },
	{ .knobs = WIDE, "lost error", &testing_corrupts },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=ordered window=65536 payload=4096",
	  "payload=4096 with a window of 65536: 536870912 bytes, allowed "
	  "268435456" },
	{ 0 },
};

#define SMALL_WINDOW "variant=ordered window=8 workers=3 work=500 dist=exp"

static const struct figure_case figures[] = {
	{ .knobs = SMALL_WINDOW, "drain", 0, 1e9 },
	{ .knobs = SMALL_WINDOW, "ahead", 0, 7 },
	{ .knobs = SMALL_WINDOW, "late_by", .absent = true },
	/* One worker cannot put anything out of order. */
	{ .knobs = "variant=shared workers=1", "late_by", 0, 0 },
	{ .knobs = "variant=shared workers=1", "late_mean", 0, 0 },
	{ 0 },
};

static bool is_worker(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[0] && numbers[0] <= 4;
}

static const struct demo_form demo[] = {
	{ .form = "Distributing 20 work items across 4 workers...", 1 },
	{ .form = "Generated work item: #i", 20, .holds = demo_counts_from_0 },
	{ .form = "Worker #w processed item #i",
	  20,
	  .after = 2,
	  .holds = is_worker },
	{ .form = "Processed: processed-data-#i-by-worker-#w", 20, .after = 3 },
	{ .form = "Fan-out/Fan-in completed! Processed 20 items.",
	  1,
	  .since = 4 },
	{ 0 },
};

const struct kernel_cases kernel_cases_fan = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
