/* Tests of the kernel over buffers between producers and consumers, and of the
 * demo. */
#include "testing.h"
#include "testing_demo.h"

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
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");

	for (uint64_t items = 0; items < 5; items++)
		testing_verified(
		        cell(handoff, "producers=3 consumers=3 cap=0", items));
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	static const char *const shapes[] = { "", "consumers=3",
		                              "payload=64 batch=8", NULL };

	for (size_t i = 0; shapes[i]; i++) {
		testing_caught(cell(&testing_drops, shapes[i], 400),
		               "lost 4 of 400 50");
		testing_caught(cell(&testing_repeats, shapes[i], 400),
		               "delivered 4 of 400 twice 50");
		testing_caught(cell(&testing_corrupts, shapes[i], 400),
		               "corrupt lost 4 of 400");
	}
	testing_caught(cell(&testing_swaps, "", 400),
	               "4 of 400 items out of order 50 after 51");
	return 0;
}

TEST(a_channel_without_data_is_counted_not_verified)
{
	testing_verified(cell(&testing_floor, "producers=2 consumers=3", 1000));
	testing_verified(cell(&testing_floor, "batch=16", 1000));
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
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(
		        a_channel_without_data_is_counted_not_verified),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(the_demo_moves_twenty_items_and_completes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
