/* Tests of the kernel over buffers between producers and consumers, and of the
 * demo. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/demo.h"
#include "testing/testing.h"

/* --- the kernel --- */

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_producer_consumer,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

TEST(the_kernel_verifies_over_every_channel)
{
	static const char *const shapes[] = {
		"cap=1",
		"cap=3 producers=3 consumers=2",
		"cap=50 producers=2 consumers=4 work=100",
		"cap=64 batch=16 producers=2",
		"cap=7 batch=16 consumers=3 payload=64",
		"cap=2 payload=4096",
		"cap=1 wait=park consumers=2",
		"cap=4 prod_work=200 work=100 producers=2",
		"cap=3 stats=1 producers=2 consumers=2",
		"cap=64 stats=1 batch=16",
		"variant=try cap=1 producers=2 consumers=2",
		"variant=try cap=7 batch=16",
		"variant=pairs cap=4 producers=2 consumers=2",
		"variant=pairs cap=64 batch=16 payload=64",
		"variant=pairs cap=1 batch=16 producers=3",
		"variant=preproduced producers=3 consumers=2",
		"variant=preproduced batch=16 stats=1",
		NULL,
	};

	/* condvar and handoff can do all of these. */
	for (size_t i = 0; shapes[i]; i++)
		CHECK_LE(2,
		         testing_verified_over_all(cell(NULL, shapes[i], 501)));
	testing_verified(cell(&testing_one_to_one, "", 501));
	return 0;
}

TEST(the_kernel_verifies_hand_to_hand)
{
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	testing_verified(cell(handoff, "cap=0", 300));
	testing_verified(cell(handoff, "cap=0 producers=3 consumers=3", 301));
	testing_verified(cell(handoff, "cap=0 batch=4 wait=spin", 301));
	return 0;
}

TEST(the_kernel_verifies_few_items_and_none)
{
	static const char *const shapes[] = {
		"producers=3 consumers=3 cap=0",
		"producers=3 consumers=3 variant=try",
		"producers=3 consumers=3 variant=pairs",
		"producers=3 consumers=3 variant=preproduced",
		NULL,
	};
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (size_t i = 0; shapes[i]; i++)
		for (uint64_t items = 0; items < 5; items++)
			testing_verified(cell(handoff, shapes[i], items));
	return 0;
}

/* E5: asymmetric, and as many as Savina has. */
TEST(the_kernel_verifies_very_different_sides)
{
	static const char *const shapes[] = {
		"producers=64 consumers=1 cap=3",
		"producers=1 consumers=64 cap=3",
		"producers=40 consumers=40 cap=50 prod_work=25 work=25",
		NULL,
	};
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (size_t i = 0; shapes[i]; i++)
		testing_verified(cell(handoff, shapes[i], 1001));
	return 0;
}

static void expect_refused(const char *knobs, const char *why)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"), knobs, 10);

	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK_EQ(strcmp(t.why, why), 0);
}

TEST(variants_that_could_not_go_on_are_refused)
{
	expect_refused("variant=try cap=0",
	               "cap=0 with variant=try: two that do not wait never "
	               "meet, allowed 1 and up");
	expect_refused("variant=pairs cap=0",
	               "cap=0 with variant=pairs: two that do not wait never "
	               "meet, allowed 1 and up");
	return 0;
}

TEST(everybody_takes_what_was_put_in_pairs)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "variant=pairs producers=2 consumers=1 "
	                             "cap=3",
	                             301);
	struct cell_shape c;
	struct params params;

	t.pace_ns = 10 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.consumed, 301u);
	CHECK_EQ(t.latencies, 301u);
	params_default(t.pattern, &params);
	CHECK_EQ(params_set(t.pattern, &params, "variant", "pairs", t.why,
	                    sizeof(t.why)),
	         0);
	c = params_shape(&params);
	CHECK_EQ(c.senders, 2u);
	CHECK_EQ(c.receivers, 2u);
	return 0;
}

/* There is no latency of what was there before the beginning. */
TEST(what_is_preproduced_is_not_timed)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "variant=preproduced consumers=2", 301);

	t.pace_ns = 10 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.consumed, 301u);
	CHECK_EQ(t.latencies, 0u);
	return 0;
}

TEST(what_a_channel_cannot_hold_is_not_preproduced)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("pipe"),
	             "variant=preproduced payload=4096", 1 << 20);

	CHECK_EQ(testing_cell_run(&t), -ENOTSUP);
	return 0;
}

static double figure(const struct testing_cell *t, const char *name)
{
	for (unsigned i = 0; i < t->figures; i++)
		if (strcmp(t->figure[i].name, name) == 0)
			return t->figure[i].value;
	fprintf(stderr, "there is no figure %s\n", name);
	abort();
}

/* Eight items, one after the other, into a buffer for eight. */
TEST(figures_say_how_full_it_was)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "variant=preproduced stats=1 cap=8", 8);

	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK(figure(&t, "fill_high") == 8);
	CHECK(figure(&t, "fill_mean") == 4.5);
	CHECK(figure(&t, "fill_0") == 0);
	CHECK(figure(&t, "fill_1_8") == 12.5);
	CHECK(figure(&t, "fill_8_8") == 12.5);
	/* Nobody found it full. */
	CHECK(figure(&t, "put_blocked") == 0);
	return 0;
}

static void expect_shares(const char *knobs)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), knobs, 200);
	double puts = 0;

	CHECK_EQ(testing_cell_run(&t), 0);
	for (unsigned i = 0; i < t.figures; i++) {
		const struct figure *f = &t.figure[i];

		CHECK(f->value >= 0);
		if (strcmp(f->unit, "%") == 0)
			CHECK(f->value <= 100);
		if (strcmp(f->help, "of the puts") == 0)
			puts += f->value;
	}
	CHECK(99.9 < puts && puts < 100.1);
}

TEST(shares_of_a_whole_are_no_more_than_that)
{
	expect_shares("stats=1 cap=4 work=20000");
	expect_shares("stats=1 cap=4 prod_work=20000 consumers=2");
	expect_shares("stats=1 cap=2 variant=try producers=2");
	return 0;
}

TEST(figures_come_only_when_asked_for)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), "cap=4", 200);

	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.figures, 0u);
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	static const char *const shapes[] = { "",
		                              "consumers=3",
		                              "payload=64 batch=8",
		                              "variant=try",
		                              "variant=preproduced",
		                              NULL };

	for (size_t i = 0; shapes[i]; i++) {
		testing_caught(cell(&testing_drops, shapes[i], 400),
		               "lost 4 of 400 50");
		testing_caught(cell(&testing_repeats, shapes[i], 400),
		               "delivered 4 of 400 twice 50");
		testing_caught(cell(&testing_corrupts, shapes[i], 400),
		               "corrupt lost 4 of 400");
	}
	testing_caught(cell(&testing_drops, "variant=pairs", 400),
	               "lost 4 of 400");
	testing_caught(cell(&testing_repeats, "variant=pairs cap=1", 400),
	               "delivered 4 of 400 twice");
	/* The buffer's own books say so, too. */
	testing_caught(cell(&testing_repeats, "stats=1", 400),
	               "twice counted 400 puts and 404 takes");
	testing_caught(cell(&testing_swaps, "", 400),
	               "4 of 400 items out of order 50 after 51");
	return 0;
}

TEST(a_channel_without_data_is_counted_not_verified)
{
	testing_verified(cell(&testing_floor, "producers=2 consumers=3", 1000));
	testing_verified(cell(&testing_floor, "batch=16", 1000));
	testing_verified(cell(&testing_floor, "variant=try", 1000));
	testing_verified(cell(&testing_floor, "variant=pairs", 1000));
	testing_verified(cell(&testing_floor, "variant=preproduced", 1000));
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "producers=2 consumers=2 batch=4", 51);

	t.pace_ns = 50 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, 51u);
	CHECK_EQ(t.consumed, 51u);
	return 0;
}

/* --- the demo --- */

/* Items of a value that have been produced and not consumed. */
struct progress {
	int inside[100];
	int produced[3], consumed; /* by producer, from 1 */
	bool completed;
};

static void follow_line(const char *line, void *arg)
{
	struct progress *p = arg;
	int n[2]; /* who, what */

	CHECK(!p->completed);
	if (testing_line_is(line, "Producer # produced: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 2 && n[1] < 100);
		p->produced[n[0]]++;
		p->inside[n[1]]++;
	} else if (testing_line_is(line, "Consumer # consumed: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 3 && n[1] < 100);
		CHECK_LT(0, p->inside[n[1]]);
		p->inside[n[1]]--;
		p->consumed++;
	} else {
		CHECK(testing_line_is(
		        line, "Producer-Consumer example completed!", n));
		p->completed = true;
	}
}

TEST_MANUAL(the_demo_moves_twenty_items_and_completes)
{
	struct progress p = { 0 };

	testing_demo_lines(&pattern_producer_consumer, follow_line, &p);
	CHECK_EQ(p.produced[1], 10);
	CHECK_EQ(p.produced[2], 10);
	CHECK_EQ(p.consumed, 20);
	CHECK(p.completed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_verifies_over_every_channel),
		cmocka_unit_test(the_kernel_verifies_hand_to_hand),
		cmocka_unit_test(the_kernel_verifies_few_items_and_none),
		cmocka_unit_test(the_kernel_verifies_very_different_sides),
		cmocka_unit_test(variants_that_could_not_go_on_are_refused),
		cmocka_unit_test(everybody_takes_what_was_put_in_pairs),
		cmocka_unit_test(what_is_preproduced_is_not_timed),
		cmocka_unit_test(what_a_channel_cannot_hold_is_not_preproduced),
		cmocka_unit_test(figures_say_how_full_it_was),
		cmocka_unit_test(shares_of_a_whole_are_no_more_than_that),
		cmocka_unit_test(figures_come_only_when_asked_for),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(
		        a_channel_without_data_is_counted_not_verified),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(the_demo_moves_twenty_items_and_completes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
