/* Tests of the pipeline: kernel and demo. */
#include <math.h>
#include <stdio.h>

#include "pipeline_testing.h"
#include "testing/demo.h"

/* --- the kernel --- */

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_pipeline,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

/* E11 */
TEST(the_kernel_verifies_over_every_channel)
{
	static const char *const shapes[] = {
		"cap=1",
		"cap=16 workers=3",
		"stages=1",
		"stages=5 cap=2",
		"batch=16 cap=64",
		"batch=3 workers=2 payload=64",
		"payload=4096 cap=1",
		"work=200",
		"wait=park cap=1",
		"variant=serial stages=3",
		"variant=ordered workers=3 cap=16",
		"variant=ordered workers=2 batch=5 stages=3",
		"variant=fused stages=4 batch=7",
		"variant=fused stages=1 payload=64",
		"tokens=1",
		"tokens=5 workers=2 cap=16 batch=3",
		"work=100 slow=10 stages=3",
		NULL,
	};

	/* condvar and handoff can do all of these. */
	for (size_t i = 0; shapes[i]; i++)
		CHECK_LE(2,
		         testing_verified_over_all(cell(NULL, shapes[i], 300)));
	testing_verified(cell(&testing_one_to_one, "stages=3", 300));
	/* In an ordered stage the workers take turns. */
	testing_verified(
	        cell(&testing_one_to_one, "variant=ordered workers=3", 300));
	return 0;
}

TEST(the_kernel_verifies_hand_to_hand)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	testing_verified(cell(handoff, "cap=0", 300));
	testing_verified(cell(handoff, "cap=0 workers=2", 300));
	testing_verified(cell(handoff, "cap=0 batch=4 wait=spin", 300));
	return 0;
}

TEST(the_kernel_verifies_few_items_and_none)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (uint64_t items = 0; items < 5; items++) {
		testing_verified(cell(handoff, "workers=4 cap=0", items));
		testing_verified(cell(handoff, "batch=64", items));
	}
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	testing_caught(cell(&testing_drops, "", 400), "lost");
	testing_caught(cell(&testing_repeats, "", 400), "delivered twice");
	testing_caught(cell(&testing_swaps, "", 400), "out of order");
	testing_caught(cell(&testing_corrupts, "", 400), "corrupt lost");
	testing_caught(cell(&testing_corrupts, "payload=64", 400),
	               "corrupt lost");
	testing_caught(cell(&testing_drops, "batch=8", 400), "lost");
	return 0;
}

static void expect_refused(const char *knobs, const char *why)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"), knobs, 1);

	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strcmp(t.why, why) == 0);
}

TEST(the_kernel_refuses_what_does_not_go_together)
{
	expect_refused("variant=serial workers=2",
	               "workers=2 with variant=serial: allowed 1");
	expect_refused("variant=fused workers=4",
	               "workers=4 with variant=fused: allowed 1");
	expect_refused("stages=1000 workers=5",
	               "stages=1000 with workers=5: 5002 tasks, allowed 4096");
	expect_refused("batch=4096 payload=4096",
	               "batch=4096 with payload=4096: 16777216 bytes, allowed "
	               "1048576");
	return 0;
}

TEST(every_square_leads_back_to_its_root)
{
	/* What the kernel relies on, at the end of its range. */
	for (uint64_t x = (1 << 26) - 1000; x < 1 << 26; x++)
		CHECK_EQ((uint64_t)sqrt((double)(x * x)), x);
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), "batch=4", 50);

	t.pace_ns = 50 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, 50u);
	CHECK_LE(0, t.longest);
	return 0;
}

/* --- the demo --- */

static const char heading[] = "Pipeline stages:\n"
                              "1. Generate numbers\n"
                              "2. Square numbers\n"
                              "3. Add 10\n\n";

/* How far each number has come, in order. */
struct progress {
	int number[10];
	int generated, squared, added, results;
	bool completed;
};

static void follow_line(struct progress *p, const char *line)
{
	int n[2], x;

	if (testing_line_is(line, "Generated: #", n)) {
		CHECK_LT(p->generated, 10);
		CHECK(1 <= n[0] && n[0] <= 10);
		p->number[p->generated++] = n[0];
	} else if (testing_line_is(line, "Squared # -> #", n)) {
		CHECK_LT(p->squared, p->generated);
		x = p->number[p->squared++];
		CHECK_EQ(n[0], x);
		CHECK_EQ(n[1], x * x);
	} else if (testing_line_is(line, "Added 10 to # -> #", n)) {
		CHECK_LT(p->added, p->squared);
		x = p->number[p->added++];
		CHECK_EQ(n[0], x * x);
		CHECK_EQ(n[1], x * x + 10);
	} else if (testing_line_is(line, "Result: #", n)) {
		CHECK_LT(p->results, p->added);
		x = p->number[p->results++];
		CHECK_EQ(n[0], x * x + 10);
	} else {
		CHECK(testing_line_is(line, "Pipeline completed!", n));
		p->completed = true;
	}
}

TEST_MANUAL(the_demo_takes_ten_numbers_through_three_stages)
{
	struct progress p = { 0 };
	char *text = testing_demo(&pattern_pipeline), *rest, *line;

	CHECK(strncmp(text, heading, strlen(heading)) == 0);
	rest = text + strlen(heading);
	while ((line = strtok_r(rest, "\n", &rest))) {
		CHECK(!p.completed);
		follow_line(&p, line);
	}
	CHECK_EQ(p.results, 10);
	CHECK(p.completed);
	free(text);
	return 0;
}

static void keep_number(const char *line, void *arg)
{
	char *out = arg;

	if (strncmp(line, "Generated", 9) == 0)
		sprintf(out + strlen(out), "%s\n", line);
}

static int keep_numbers(void *arg)
{
	*(char *)arg = '\0';
	testing_demo_lines(&pattern_pipeline, keep_number, arg);
	return 0;
}

static void the_numbers_of_the_demo_depend_on_the_seed_alone(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL, .seed = 7 };
	char first[400], again[400], other[400];

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, first), 0);
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, again), 0);
	opts.seed = 8;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, keep_numbers, other), 0);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
}

/* Items wait before the slowest stage, unless the source has lost its CPU: what
 * holds on any machine is that no queue has more than fit. */
TEST(figures_tell_where_items_wait)
{
	struct testing_cell t = {
		.pattern = &pattern_pipeline,
		.chan = weft_chan_impl_find("handoff"),
		.knobs = "stages=3 cap=8 work=100 slow=100",
		.items = 2000,
	};
	unsigned first;

	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_LE(3u, t.figures);
	first = t.figures - 3;
	CHECK(strcmp(t.figure[first].name, "queue0") == 0);
	CHECK(strcmp(t.figure[first + 2].name, "queue2") == 0);
	for (unsigned i = first; i < t.figures; i++)
		CHECK(0 <= t.figure[i].value && t.figure[i].value <= 8);
	/* There is room for so many, whatever the number of stages. */
	t.knobs = "stages=30 cap=8";
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK(strcmp(t.figure[t.figures - 1].name, "queue7") == 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_tell_where_items_wait),
		cmocka_unit_test(the_kernel_verifies_over_every_channel),
		cmocka_unit_test(the_kernel_verifies_hand_to_hand),
		cmocka_unit_test(the_kernel_verifies_few_items_and_none),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(the_kernel_refuses_what_does_not_go_together),
		cmocka_unit_test(every_square_leads_back_to_its_root),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(
		        the_demo_takes_ten_numbers_through_three_stages),
		cmocka_unit_test(
		        the_numbers_of_the_demo_depend_on_the_seed_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
