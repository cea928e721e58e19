/* What the tests of all kernels have to know of producers and consumers. */
#include "testing/kernel_cases.h"

/* condvar and handoff can do all of these. */
static const struct kernel_case verified[] = {
	{ .knobs = "cap=1" },
	{ .knobs = "cap=3 producers=3 consumers=2" },
	{ .knobs = "cap=50 producers=2 consumers=4 work=100" },
	{ .knobs = "cap=64 batch=16 producers=2" },
	{ .knobs = "cap=7 batch=16 consumers=3 payload=64" },
	{ .knobs = "cap=2 payload=4096" },
	{ .knobs = "cap=1 wait=park consumers=2" },
	{ .knobs = "cap=4 prod_work=200 work=100 producers=2" },
	{ .knobs = "cap=3 stats=1 producers=2 consumers=2" },
	{ .knobs = "cap=64 stats=1 batch=16" },
	{ .knobs = "variant=try cap=1 producers=2 consumers=2" },
	{ .knobs = "variant=try cap=7 batch=16" },
	{ .knobs = "variant=pairs cap=4 producers=2 consumers=2" },
	{ .knobs = "variant=pairs cap=64 batch=16 payload=64" },
	{ .knobs = "variant=pairs cap=1 batch=16 producers=3" },
	{ .knobs = "variant=preproduced producers=3 consumers=2" },
	{ .knobs = "variant=preproduced batch=16 stats=1" },
	{ .knobs = "variant=bare cap=1|64 producers=2 consumers=2" },
	{ .knobs = "variant=bare cap=7 batch=16 payload=64" },
	{ .knobs = "variant=bare prod_work=200 work=100" },
	{ .knobs = "variant=bare pause=1000 cap=1|64" },
	{ .knobs = "", .chan = &testing_one_to_one },
	{ .knobs = "variant=bare", .chan = &testing_one_to_one },
	{ .knobs = "cap=0", .over = "handoff" },
	{ .knobs = "cap=0 producers=3 consumers=3", .over = "handoff" },
	{ .knobs = "cap=0 batch=4 wait=spin", .over = "handoff" },
	/* E5: asymmetric, and as many as Savina has. */
	{ .knobs = "producers=64 consumers=1 cap=3",
	  .over = "handoff",
	  .items = 1001 },
	{ .knobs = "producers=1 consumers=64 cap=3",
	  .over = "handoff",
	  .items = 1001 },
	{ .knobs = "producers=40 consumers=40 cap=50 prod_work=25 work=25",
	  .over = "handoff",
	  .items = 1001 },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "producers=3 consumers=3 cap=0" },
	{ .knobs = "producers=3 consumers=3 variant=try|pairs|preproduced" },
	{ .knobs = "producers=3 consumers=3 cap=0 variant=bare" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "producers=2 consumers=2 batch=4" },
	{ .knobs = "variant=try" },
	{ .knobs = "variant=bare batch=4" },
	{ .knobs = "variant=pairs producers=2 consumers=1 cap=3",
	  .items = 301 },
	/* There is no latency of what was there before the beginning. */
	{ .knobs = "variant=preproduced consumers=2",
	  .items = 301,
	  .recorded = KERNEL_CASE_NEVER },
	{ 0 },
};

static const struct kernel_case caught[] = {
	{ .knobs = "consumers=1|3" },
	{ .knobs = "payload=64 batch=8" },
	{ .knobs = "variant=try|preproduced|bare" },
	{ .knobs = "variant=pairs", "lost 4 of 400", &testing_drops },
	{ .knobs = "variant=pairs cap=1",
	  "delivered 4 of 400 twice",
	  &testing_repeats },
	/* The buffer's own books say so, too. */
	{ .knobs = "stats=1",
	  "twice counted 400 sends and 404 receives",
	  &testing_repeats },
	{ .knobs = "",
	  "4 of 400 items out of order 50 after 51",
	  &testing_swaps },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=try cap=0",
	  "cap=0 with variant=try: two that do not wait never meet, allowed 1 "
	  "and up" },
	{ .knobs = "variant=pairs cap=0",
	  "cap=0 with variant=pairs: two that do not wait never meet, allowed "
	  "1 and up" },
	{ .knobs = "variant=plain|try|pairs|preproduced pause=1000",
	  "pause=1000: how long one item takes to one consumer, allowed with "
	  "variant=bare producers=1 consumers=1 batch=1" },
	{ .knobs = "variant=bare pause=9 producers=2",
	  "pause=9: how long one item takes to one consumer, allowed with "
	  "variant=bare producers=1 consumers=1 batch=1" },
	{ .knobs = "variant=bare stats=1",
	  "stats=1 with variant=bare: a channel keeps no books, allowed 0" },
	/* In pairs, all tasks do both. */
	{ .knobs = "variant=pairs",
	  "channel one_to_one cannot have 2 senders at once (allowed: 1..1)",
	  &testing_one_to_one },
	{ 0 },
};

static const struct kernel_case counted[] = {
	{ .knobs = "producers=2 consumers=3" },
	{ .knobs = "batch=16" },
	{ .knobs = "variant=*" },
	{ 0 },
};

#define EIGHT "variant=preproduced stats=1 cap=8"

static const struct figure_case figures[] = {
	/* Eight items, one after the other, into a buffer for eight. */
	{ .knobs = EIGHT, "fill_high", 8, 8, .items = 8 },
	{ .knobs = EIGHT, "fill_mean", 4.5, 4.5, .items = 8 },
	{ .knobs = EIGHT, "fill_0", 0, 0, .items = 8 },
	{ .knobs = EIGHT, "fill_1_8", 12.5, 12.5, .items = 8 },
	{ .knobs = EIGHT, "fill_8_8", 12.5, 12.5, .items = 8 },
	/* Nobody found it full. */
	{ .knobs = EIGHT, "put_blocked", 0, 0, .items = 8 },
	/* They come only when asked for. */
	{ .knobs = "cap=4", "put_blocked", .absent = true },
	{ .knobs = "cap=4", "fill_high", .absent = true },
	{ 0 },
};

static bool is_produced(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[0] && numbers[0] <= 2 && numbers[1] < 100;
}

static bool is_consumed(const int *numbers, int nth)
{
	(void)nth;
	return 1 <= numbers[0] && numbers[0] <= 3;
}

static const struct demo_form demo[] = {
	{ .form = "Producer #p produced: #v", 20, .holds = is_produced },
	{ .form = "Producer 1 produced: #v", 10 },
	{ .form = "Producer 2 produced: #v", 10 },
	{ .form = "Consumer #c consumed: #v",
	  20,
	  .after = 1,
	  .holds = is_consumed },
	{ .form = "Producer-Consumer example completed!", 1, .since = 4 },
	{ 0 },
};

const struct kernel_cases kernel_cases_producer_consumer = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.counted = counted,
	.figures = figures,
	.demo = demo,
};
