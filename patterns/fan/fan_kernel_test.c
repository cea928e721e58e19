/* Tests of the fan: kernel and demo. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/demo.h"
#include "testing/testing.h"

#define ITEMS (TESTING_SLOW ? 101 : 501)

static const char *const variants[] = {
	"shared",    "round_robin", "random",       "least_loaded", "ordered",
	"broadcast", "merge",       "merge_select", "serial",
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* The knobs of a cell; gone with the next call. */
static const char *knobs(const char *variant, const char *others)
{
	static char text[100];

	CHECK_LT(snprintf(text, sizeof(text), "variant=%s %s", variant, others),
	         (int)sizeof(text));
	return text;
}

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *variant, const char *others,
                                uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_fan,
		                      .chan = chan,
		                      .knobs = knobs(variant, others),
		                      .items = items };
}

TEST(every_variant_verifies_over_every_channel)
{
	static const char *const shapes[] = {
		"cap=1",
		"cap=2 batch=1",
		"cap=3 workers=3 batch=1",
		"cap=64 workers=5 payload=64",
		"workers=1 payload=4096 cap=2",
		"workers=2 wait=park cap=1 batch=1",
		"workers=3 batch=16 cap=50",
		NULL,
	};

	/* condvar, handoff and ring can do all of these. */
	for (size_t v = 0; v < VARIANTS; v++)
		for (size_t i = 0; shapes[i]; i++)
			CHECK_LE(3,
			         testing_verified_over_all(cell(
			                 NULL, variants[v], shapes[i], ITEMS)));
	return 0;
}

TEST(every_variant_verifies_hand_to_hand)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (size_t v = 0; v < VARIANTS; v++) {
		testing_verified(cell(handoff, variants[v], "cap=0", 201));
		testing_verified(cell(handoff, variants[v],
		                      "cap=0 workers=4 batch=1", 201));
	}
	return 0;
}

TEST(every_variant_verifies_few_items_and_none)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (size_t v = 0; v < VARIANTS; v++)
		for (uint64_t items = 0; items < 5; items++)
			testing_verified(cell(handoff, variants[v],
			                      "workers=3 cap=0", items));
	return 0;
}

TEST(work_may_be_spread_in_any_way)
{
	static const char *const dists[] = { "work=200 dist=const",
		                             "work=200 dist=exp",
		                             "work=200 dist=straggler" };

	for (size_t v = 0; v < VARIANTS; v++)
		for (size_t d = 0; d < 3; d++)
			testing_verified(cell(weft_chan_impl_find("handoff"),
			                      variants[v], dists[d], ITEMS));
	return 0;
}

TEST(the_smallest_window_will_do)
{
	testing_verified(cell(weft_chan_impl_find("ring"), "ordered",
	                      "window=1 workers=3", ITEMS));
	return 0;
}

/* A broken channel is used by one sender at a time: one worker, or one queue
 * for each. */
TEST(what_a_broken_channel_does_is_caught)
{
	static const char *const one_worker[] = { "shared", "round_robin",
		                                  "least_loaded", "broadcast",
		                                  "merge" };

	for (size_t i = 0; i < 5; i++) {
		const char *v = one_worker[i];

		testing_caught(cell(&testing_drops, v, "workers=1", 400),
		               "lost 400 50");
		testing_caught(cell(&testing_repeats, v, "workers=1", 400),
		               "twice");
	}
	/* Two channels in a row undo what each does to the same elements;
	 * three do not. */
	testing_caught(cell(&testing_swaps, "broadcast", "workers=1", 400),
	               "out of order");
	testing_caught(cell(&testing_corrupts, "broadcast", "workers=1", 400),
	               "lost");
	testing_caught(cell(&testing_corrupts_end, "broadcast",
	                    "workers=1 payload=64", 400),
	               "corrupt lost");
	return 0;
}

/* Inside the channels of an ordered fan are only numbers of items. The window
 * is wide, so that a loss is noticed at the end and not waited for. */
TEST(what_a_broken_channel_does_to_an_order_is_caught)
{
	const char *wide = "workers=1 window=512";

	testing_caught(cell(&testing_drops, "ordered", wide, 400),
	               "lost error");
	/* The last one, with no result behind it. */
	testing_caught(cell(&testing_drops, "ordered", wide, 51), "lost error");
	testing_caught(cell(&testing_repeats, "ordered", wide, 400),
	               "lost error");
	testing_caught(cell(&testing_corrupts, "ordered", wide, 400),
	               "lost error");
	/* That they come in another order is mended. */
	testing_verified(cell(&testing_swaps, "ordered", wide, 400));
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	for (size_t v = 0; v < VARIANTS; v++) {
		struct testing_cell t = cell(weft_chan_impl_find("handoff"),
		                             variants[v], "", 51);

		t.pace_ns = 20 * WEFT_US;
		CHECK_EQ(testing_cell_run(&t), 0);
		CHECK_EQ(t.latencies,
		         strcmp(variants[v], "broadcast") ? 51u : 102u);
		CHECK_EQ(t.consumed, 51u);
	}
	return 0;
}

TEST(figures_tell_how_far_results_are_from_their_order)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), "ordered",
	             "window=8 workers=3 work=500 dist=exp", ITEMS);

	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.figures, 2u);
	CHECK(strcmp(t.figure[0].name, "drain") == 0);
	CHECK(strcmp(t.figure[1].name, "ahead") == 0);
	CHECK(t.figure[1].value < 8);
	/* One worker cannot put anything out of order. */
	t = cell(weft_chan_impl_find("handoff"), "shared", "workers=1", ITEMS);
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK(strcmp(t.figure[1].name, "late_by") == 0);
	CHECK(t.figure[1].value == 0);
	CHECK(strcmp(t.figure[2].name, "late_mean") == 0);
	CHECK(t.figure[2].value == 0);
	/* Some change places in their queue, and others in that of results. */
	t = cell(&testing_swaps, "round_robin", "workers=2 batch=1", 400);
	testing_cell_run(&t);
	CHECK(t.figure[1].value >= 1);
	CHECK(t.figure[2].value > 0);
	CHECK(t.figure[2].value < t.figure[1].value);
	return 0;
}

TEST(a_window_that_is_too_large_is_refused)
{
	struct testing_cell t = cell(weft_chan_impl_find("ring"), "ordered",
	                             "window=65536 payload=4096", 10);

	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strstr(t.why, "payload=4096 with a window of 65536") != NULL);
	return 0;
}

/* --- the demo --- */

struct progress {
	int generated, processed, worked; /* so far */
	bool done[20];
	int by[20];
	bool headed, completed;
};

static void follow_line(const char *line, void *arg)
{
	struct progress *p = arg;
	int n[3];

	if (testing_line_is(line, "Generated work item: #", n)) {
		CHECK_EQ(n[0], p->generated++);
	} else if (testing_line_is(line, "Worker # processed item #", n)) {
		CHECK(1 <= n[0] && n[0] <= 4 && n[1] < p->generated);
		CHECK(!p->done[n[1]]);
		p->done[n[1]] = true;
		p->by[n[1]] = n[0];
		p->worked++;
	} else if (testing_line_is(line,
	                           "Processed: processed-data-#-by-worker-#",
	                           n)) {
		CHECK(n[0] < 20 && p->done[n[0]]);
		CHECK_EQ(p->by[n[0]], n[1]);
		p->by[n[0]] = 0; /* once */
		p->processed++;
	} else if (testing_line_is(line,
	                           "Distributing # work items across # "
	                           "workers...",
	                           n)) {
		CHECK(n[0] == 20 && n[1] == 4 && !p->headed);
		p->headed = true;
	} else {
		CHECK(testing_line_is(
		        line, "Fan-out/Fan-in completed! Processed # items.",
		        n));
		CHECK_EQ(n[0], 20);
		p->completed = true;
	}
}

TEST_MANUAL(the_demo_spreads_twenty_items_over_four_workers)
{
	struct progress p = { 0 };

	testing_demo_lines(&pattern_fan, follow_line, &p);
	CHECK_EQ(p.generated, 20);
	CHECK_EQ(p.worked, 20);
	CHECK_EQ(p.processed, 20);
	CHECK(p.headed && p.completed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_variant_verifies_over_every_channel),
		cmocka_unit_test(every_variant_verifies_hand_to_hand),
		cmocka_unit_test(every_variant_verifies_few_items_and_none),
		cmocka_unit_test(work_may_be_spread_in_any_way),
		cmocka_unit_test(the_smallest_window_will_do),
		cmocka_unit_test(what_a_broken_channel_does_is_caught),
		cmocka_unit_test(
		        what_a_broken_channel_does_to_an_order_is_caught),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(
		        figures_tell_how_far_results_are_from_their_order),
		cmocka_unit_test(a_window_that_is_too_large_is_refused),
		cmocka_unit_test(
		        the_demo_spreads_twenty_items_over_four_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
