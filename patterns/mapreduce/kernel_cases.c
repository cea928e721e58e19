/* What the tests of all kernels have to know of the mapreduce. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=* chunk=1 sorted=0|1 combine=0|1 skew=0" },
	{ .knobs = "variant=local|sharded|locked workers=4 reducers=1|3 "
	           "partitions=1|7 chunk=64",
	  .items = 4000 },
	{ .knobs = "variant=local workers=3 vocabulary=1 partitions=64 "
	           "combine=0" },
	/* For one receiver too. */
	{ .knobs = "variant=local|stream workers=1 chunk=100", .channels = -6 },
	{ .knobs = "variant=local workers=1 chunk=100",
	  .chan = &testing_one_to_one },
	{ .knobs = "variant=stream workers=4 chunk=16 wait=park",
	  .items = 3000 },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* chunk=1" },
	{ .knobs = "variant=* workers=4 reducers=2 partitions=1 sorted=0" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=* chunk=1|1000" },
	{ 0 },
};

/* An element is a chunk of one word and what is before it. */
static const struct kernel_case caught[] = {
	{ .knobs = "variant=local|locked chunk=2 workers=1 vocabulary=1000",
	  "4 words were lost",
	  &testing_drops },
	{ .knobs = "variant=sharded chunk=2 workers=1 vocabulary=1000",
	  "4 words were counted too often",
	  &testing_repeats },
	{ .knobs = "variant=local chunk=2 workers=1",
	  "4 chunks were never sent; 4 words were lost",
	  &testing_corrupts },
	{ .knobs = "variant=stream chunk=2 workers=1",
	  "the checksum is",
	  &testing_drops },
	{ .knobs = "variant=stream chunk=2 workers=1",
	  "the checksum is",
	  &testing_repeats },
	{ .knobs = "variant=stream chunk=2 workers=1",
	  "the checksum is",
	  &testing_swaps },
	{ .knobs = "variant=local|stream chunk=2 workers=1",
	  "the run ended with: Cannot allocate memory",
	  &testing_refuses },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "input=/nonexistent/text",
	  "input=/nonexistent/text: No such file or directory" },
	{ .knobs = "input=/", "input=/: Is a directory" },
	{ .knobs = "input=/dev/null", "input=/dev/null: not a regular file" },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=* vocabulary=1", "words", 1, 1 },
	/* Each is kept, or only one of each worker that has come to any. */
	{ .knobs = "variant=local combine=0", "pairs", 200, 200 },
	{ .knobs = "variant=local workers=2 vocabulary=1 chunk=1",
	  "pairs",
	  1,
	  2 },
	{ .knobs = "variant=locked workers=2 vocabulary=1 chunk=1",
	  "pairs",
	  1,
	  1 },
	{ .knobs = "variant=serial", "pairs", .absent = true },
	{ .knobs = "variant=local", "load", .absent = true },
	{ .knobs = "workers=1", "imbalance", 1, 1 },
	{ 0 },
};

static const struct demo_form demo[] = {
	{ .form = "Input data: [hello world hello go world of concurrency go "
	          "programming concurrency patterns hello concurrency go world "
	          "patterns in go]",
	  .times = 1 },
	{ .form = "Map: emitted (hello, 1)", .times = 3, .since = 1 },
	{ .form = "Map: emitted (world, 1)", .times = 3, .since = 1 },
	{ .form = "Map: emitted (go, 1)", .times = 4, .since = 1 },
	{ .form = "Map: emitted (concurrency, 1)", .times = 3, .since = 1 },
	{ .form = "Map: emitted (patterns, 1)", .times = 2, .since = 1 },
	{ .form = "Map: emitted (of, 1)", .times = 1, .since = 1 },
	{ .form = "Map: emitted (programming, 1)", .times = 1, .since = 1 },
	{ .form = "Map: emitted (in, 1)", .times = 1, .since = 1 },
	{ .form = "Shuffle: grouped hello -> [1 1 1]", .times = 1, .since = 9 },
	{ .form = "Shuffle: grouped world -> [1 1 1]", .times = 1, .since = 9 },
	{ .form = "Shuffle: grouped go -> [1 1 1 1]", .times = 1, .since = 9 },
	{ .form = "Shuffle: grouped concurrency -> [1 1 1]",
	  .times = 1,
	  .since = 9 },
	{ .form = "Shuffle: grouped patterns -> [1 1]",
	  .times = 1,
	  .since = 9 },
	{ .form = "Shuffle: grouped of -> [1]", .times = 1, .since = 9 },
	{ .form = "Shuffle: grouped programming -> [1]",
	  .times = 1,
	  .since = 9 },
	{ .form = "Shuffle: grouped in -> [1]", .times = 1, .since = 9 },
	{ .form = "Reduce: hello -> 3", .times = 1, .after = 10 },
	{ .form = "Reduce: world -> 3", .times = 1, .after = 11 },
	{ .form = "Reduce: go -> 4", .times = 1, .after = 12 },
	{ .form = "Reduce: concurrency -> 3", .times = 1, .after = 13 },
	{ .form = "Reduce: patterns -> 2", .times = 1, .after = 14 },
	{ .form = "Reduce: of -> 1", .times = 1, .after = 15 },
	{ .form = "Reduce: programming -> 1", .times = 1, .after = 16 },
	{ .form = "Reduce: in -> 1", .times = 1, .after = 17 },
	{ .form = "Word count results:", .times = 1, .since = 25 },
	{ .form = "  hello: 3", .times = 1, .since = 26 },
	{ .form = "  world: 3", .times = 1, .since = 26 },
	{ .form = "  go: 4", .times = 1, .since = 26 },
	{ .form = "  concurrency: 3", .times = 1, .since = 26 },
	{ .form = "  patterns: 2", .times = 1, .since = 26 },
	{ .form = "  of: 1", .times = 1, .since = 26 },
	{ .form = "  programming: 1", .times = 1, .since = 26 },
	{ .form = "  in: 1", .times = 1, .since = 26 },
	{ .form = "MapReduce example completed!", .times = 1, .since = 34 },
	{ 0 },
};

const struct kernel_cases kernel_cases_mapreduce = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
