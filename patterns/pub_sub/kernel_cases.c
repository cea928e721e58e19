/* What the tests of all kernels have to know of publishers and subscribers. */
#include "testing/kernel_cases.h"

static const struct kernel_case verified[] = {
	{ .knobs = "variant=* cap=1" },
	{ .knobs = "variant=* publishers=3 subscribers=4 cap=7 payload=64" },
	{ .knobs = "variant=queues|ring topics=10 publishers=2" },
	{ .knobs = "variant=* subscribers=10 wait=park" },
	{ .knobs = "policy=drop_newest cap=2 publishers=2" },
	{ .knobs = "policy=drop_oldest cap=2 publishers=2 topics=3" },
	{ .knobs = "variant=ring policy=drop_oldest cap=2 publishers=2" },
	{ .knobs = "variant=ring policy=drop_oldest cap=4 topics=3 "
	           "payload=64" },
	{ .knobs = "variant=queues|ring policy=latest publishers=2" },
	{ .knobs = "variant=bare", .chan = &testing_one_to_one },
	{ .knobs = "variant=* batch=5 cap=3 publishers=2" },
	{ .knobs = "variant=queues|ring batch=16 topics=3 cap=64" },
	{ .knobs = "variant=queues|ring batch=3 policy=drop_oldest cap=2" },
	{ .knobs = "policy=drop_newest batch=5 cap=2 publishers=2" },
	{ 0 },
};

static const struct kernel_case few[] = {
	{ .knobs = "variant=* cap=1 batch=1|7" },
	{ .knobs = "variant=queues|ring policy=drop_oldest publishers=3" },
	{ 0 },
};

static const struct kernel_case paced[] = {
	{ .knobs = "variant=*" },
	{ .knobs = "variant=queues|ring publishers=2 subscribers=4" },
	{ 0 },
};

static const struct kernel_case caught[] = {
	{ .knobs = "variant=queues|bare subscribers=1" },
	{ .knobs = "payload=64 subscribers=2" },
	{ .knobs = "subscribers=1",
	  "4 of 400 items out of order 50 after 51",
	  &testing_swaps },
	{ .knobs = "policy=drop_newest cap=500 subscribers=1",
	  "subscriber 0 received 396 and missed 0 of 400",
	  &testing_drops },
	{ .knobs = "policy=drop_oldest cap=500 subscribers=1",
	  "subscriber 0: 4 again, 0 never sent",
	  &testing_repeats },
	{ 0 },
};

static const struct kernel_case refused[] = {
	{ .knobs = "variant=ring policy=drop_newest",
	  "policy=drop_newest with variant=ring: all share what is in it, "
	  "allowed block, drop_oldest and latest" },
	{ .knobs = "variant=bare topics=2",
	  "variant=bare: allowed topics=1 and policy=block" },
	{ .knobs = "variant=bare policy=latest",
	  "variant=bare: allowed topics=1 and policy=block" },
	{ .knobs = "cap=1048576 payload=4096 subscribers=1",
	  "cap=1048576 of payload=4096: 4303355904 bytes in all, allowed "
	  "268435456" },
	{ .knobs = "variant=queues",
	  "channel one_to_one cannot have 2 senders at once (allowed: 1..1)",
	  &testing_one_to_one },
	{ 0 },
};

static const struct figure_case figures[] = {
	{ .knobs = "variant=*", "received", 100, 100 },
	/* There is room for all. */
	{ .knobs = "variant=queues|ring policy=drop_oldest cap=256",
	  "received",
	  100,
	  100 },
	{ 0 },
};

static const struct demo_form demo[] = {
	{ .form = "Publisher sending: Message #n",
	  .times = 5,
	  .holds = demo_counts_from_1 },
	{ .form = "Subscriber 1 received: Message #n",
	  .times = 5,
	  .after = 1,
	  .in_order = true },
	{ .form = "Subscriber 2 received: Message #n",
	  .times = 5,
	  .after = 1,
	  .in_order = true },
	{ .form = "Subscriber 3 received: Message #n",
	  .times = 5,
	  .after = 1,
	  .in_order = true },
	{ .form = "Pub/Sub example completed!", .times = 1, .since = 4 },
	{ 0 },
};

const struct kernel_cases kernel_cases_pub_sub = {
	.verified = verified,
	.few = few,
	.paced = paced,
	.caught = caught,
	.refused = refused,
	.figures = figures,
	.demo = demo,
};
