/* Tests of the heartbeat's kernel where no latency is recorded, beside those of
 * all kernels, where it is: then each beater has one life, and every second one
 * leaves it alive. */
#include <string.h>

#include "kernel/cell.h"
#include "testing/testing.h"

static void verified(const char *knobs, const char *chan, uint64_t items)
{
	struct testing_cell t = { .pattern = &pattern_heartbeat,
		                  .chan = weft_chan_impl_find(chan),
		                  .knobs = knobs,
		                  .items = items };
	struct cell cell = testing_cell(&t);
	struct cell_run run = { .cell = &cell };
	uint64_t beats = 0;

	CHECK_EQ(cell_init(&cell, false), 0);
	if (cell_run(&run)) {
		fprintf(stderr, "%s over %s: %s\n", knobs, chan, run.why);
		CHECK_EQ(run.why[0], '\0');
	}
	for (unsigned i = 0; i < cell.shape.consumers; i++)
		beats += cell.share[i];
	CHECK_EQ(beats, items);
	for (unsigned i = 0; i < cell.figures; i++)
		if (items && !strstr(knobs, "phi") &&
		    strcmp(cell.figure[i].name, "noticed") == 0)
			CHECK(cell.figure[i].value >= 1500); /* the timeout */
	cell_fini(&cell);
}

TEST(deaths_are_noticed_and_those_that_leave_are_not)
{
	verified("beaters=1", "handoff", 100000);
	verified("beaters=2", "handoff", 100000);
	verified("beaters=16", "handoff", 1001);
	verified("beaters=3", "handoff", 0);
	verified("beaters=3", "handoff", 2);
	verified("beaters=4 detector=phi factor=4", "handoff", 4000);
	verified("beaters=4 hogs=2", "handoff", 100000);
	verified("beaters=4 work=1000", "handoff", 1000);
	return 0;
}

TEST(so_they_are_by_pulses)
{
	static const char *const chans[] = { "handoff", "ring", "spsc",
		                             "pipe" };

	for (int i = 0; i < 4; i++) {
		verified("variant=channel beaters=2", chans[i], 10000);
		verified("variant=channel beaters=5 cap=64", chans[i], 1001);
	}
	return 0;
}

/* More than the log has room for. */
TEST(many_beats_are_logged_now_and_then)
{
	verified("beaters=1", "handoff", TESTING_SLOW ? 1 << 20 : 1 << 25);
	return 0;
}

TEST(a_run_with_a_beat_for_each_interval_is_short)
{
	struct params p;

	params_default(&pattern_heartbeat, &p);
	CHECK_EQ(pattern_heartbeat.items(&p), 0u); /* as many as are asked */
	CHECK_EQ(params_set(&pattern_heartbeat, &p, "pulses", "interval", NULL,
	                    0),
	         0);
	CHECK_EQ(pattern_heartbeat.items(&p), 2u * 201);
	verified("pulses=interval", "handoff", 2u * 20);
	return 0;
}
