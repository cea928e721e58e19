/* Tests of the generator's kernel and of its demo. */
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
	return (struct testing_cell){ .pattern = &pattern_generator,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

TEST(the_kernel_verifies_over_every_channel)
{
	/* condvar, handoff, pipe, ring, socketpair, spsc; what is not ahead of
	 * its own accord, over list as well. */
	static const struct {
		const char *knobs;
		int channels;
	} shapes[] = {
		{ "variant=push cap=1", 6 },
		{ "variant=push cap=16 batch=5 depth=3", 6 },
		{ "variant=push payload=64 work=200", 6 },
		{ "variant=pull cap=1", 7 },
		{ "variant=pull cap=16 batch=16", 7 },
		{ "variant=pull cap=2 batch=7 payload=1024", 7 },
		{ "variant=staged cap=1 depth=5", 6 },
		{ "variant=staged cap=8 batch=4 depth=2", 6 },
		{ "variant=inline depth=10", 7 },
		{ "variant=push depth=0 wait=park", 6 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		CHECK_EQ(testing_verified_over_all(
		                 cell(NULL, shapes[i].knobs, 300)),
		         shapes[i].channels);
	return 0;
}

TEST(the_kernel_verifies_hand_to_hand)
{
	static const char *const variants[] = { "push", "pull", "staged",
		                                "inline" };
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	char knobs[100];

	for (size_t i = 0; i < 4; i++)
		for (int batch = 1; batch <= 16; batch += 5) {
			snprintf(knobs, sizeof(knobs),
			         "variant=%s cap=0 batch=%d depth=2",
			         variants[i], batch);
			for (uint64_t items = 0; items < 5; items++)
				testing_verified(cell(handoff, knobs, items));
			testing_verified(cell(handoff, knobs, 300));
		}
	return 0;
}

TEST(a_daisy_chain_verifies)
{
	testing_verified(cell(weft_chan_impl_find("handoff"),
	                      TESTING_SLOW ? "variant=staged depth=30 cap=0"
	                                   : "variant=staged depth=300 cap=0",
	                      100));
	testing_verified(cell(weft_chan_impl_find("handoff"),
	                      "variant=inline depth=1000", 100));
	return 0;
}

TEST(the_kernel_catches_what_a_broken_channel_does)
{
	testing_caught(cell(&testing_drops, "", 400), "lost 4");
	testing_caught(cell(&testing_repeats, "", 400), "delivered twice");
	testing_caught(cell(&testing_swaps, "", 400), "out of order");
	testing_caught(cell(&testing_corrupts, "", 400), "lost");
	testing_caught(cell(&testing_corrupts_end, "payload=64", 400), "lost");
	testing_caught(cell(&testing_drops, "batch=8", 400), "lost");
	/* An even number of channels would swap them back. */
	testing_caught(cell(&testing_swaps, "variant=staged depth=2", 400),
	               "out of order");
	return 0;
}

TEST(what_runs_ahead_is_not_possible_over_a_channel_that_is_never_full)
{
	static const char *const ahead[] = { "variant=push", "variant=staged" };
	struct testing_cell t = cell(weft_chan_impl_find("list"), "", 10);

	for (size_t i = 0; i < 2; i++) {
		t.knobs = ahead[i];
		CHECK(!testing_cell_possible(&t));
		CHECK_EQ(testing_cell_run(&t), -EINVAL);
	}
	return 0;
}

static double figure(const struct testing_cell *t, const char *name)
{
	for (unsigned i = 0; i < t->figures; i++)
		if (strcmp(t->figure[i].name, name) == 0)
			return t->figure[i].value;
	return -1;
}

TEST(how_long_a_stop_takes_is_told_of_what_has_to_be_stopped)
{
	static const char *const variants[] = { "push", "pull", "staged",
		                                "inline" };
	const struct weft_chan_impl *handoff = weft_chan_impl_find("handoff");
	char knobs[100];

	for (size_t i = 0; i < 4; i++)
		for (uint64_t items = 0; items < 200; items += 99) {
			struct testing_cell t = cell(handoff, knobs, items);

			snprintf(knobs, sizeof(knobs),
			         "variant=%s end=stop cap=2 depth=3",
			         variants[i]);
			CHECK_EQ(testing_cell_run(&t), 0);
			CHECK_EQ(t.consumed, items);
			CHECK(figure(&t, "stop") >= 0);
			snprintf(knobs, sizeof(knobs), "variant=%s",
			         variants[i]);
			CHECK_EQ(testing_cell_run(&t), 0);
			CHECK(figure(&t, "stop") < 0);
		}
	return 0;
}

TEST(knobs_that_do_not_go_together_are_refused)
{
	struct testing_cell t = cell(weft_chan_impl_find("handoff"),
	                             "batch=4096 payload=4096", 10);

	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strstr(t.why, "batch=4096 with payload=4096: 16777216 bytes, "
	                    "allowed 1048576") != NULL);
	return 0;
}

TEST(an_open_loop_measures_from_when_an_item_was_due)
{
	static const char *const shapes[] = { "variant=push batch=4",
		                              "variant=pull batch=4",
		                              "variant=inline",
		                              "variant=staged" };

	for (size_t i = 0; i < 4; i++) {
		struct testing_cell t =
		        cell(weft_chan_impl_find("handoff"), shapes[i], 50);

		t.pace_ns = 50 * WEFT_US;
		CHECK_EQ(testing_cell_run(&t), 0);
		CHECK_EQ(t.latencies, 50u);
		CHECK_LE(0, t.longest);
	}
	return 0;
}

/* --- the demo --- */

/* How far everything has come. */
struct progress {
	int generated, received; /* of the first part */
	int made[2], pairs;      /* of the second */
	bool completed;
};

/* Nothing is made before what was made last has been received. */
static bool follow_stream(struct progress *p, const char *line)
{
	int n[2];

	if (testing_line_is(line, "Generated: #", n)) {
		CHECK_EQ(p->generated, p->received);
		CHECK_EQ(n[0], ++p->generated);
	} else if (testing_line_is(line, "Received: #", n)) {
		CHECK_EQ(n[0], p->generated * p->generated);
		CHECK_EQ(++p->received, p->generated);
	} else if (testing_line_is(line, "Asked for #, generated #", n)) {
		CHECK_EQ(p->received, 5);
		CHECK_EQ(n[0], 5);
		CHECK_EQ(n[1], 5);
	} else {
		return false;
	}
	return true;
}

/* Each is ahead by no more than the one item in its hands. */
static bool follow_two(struct progress *p, const char *line)
{
	int n[2];

	if (testing_line_is(line, "Generator A: item #", n)) {
		CHECK_EQ(n[0], ++p->made[0]);
		CHECK_LE(p->made[0], p->pairs + 2);
	} else if (testing_line_is(line, "Generator B: item #", n)) {
		CHECK_EQ(n[0], ++p->made[1]);
		CHECK_LE(p->made[1], p->pairs + 2);
	} else if (testing_line_is(line, "Received: A# and B#", n)) {
		p->pairs++;
		CHECK_EQ(n[0], p->pairs);
		CHECK_EQ(n[1], p->pairs);
		CHECK_LE(p->pairs, p->made[0]);
		CHECK_LE(p->pairs, p->made[1]);
	} else {
		return false;
	}
	return true;
}

static void follow_line(const char *line, void *arg)
{
	struct progress *p = arg;
	int n[2];

	CHECK(!p->completed);
	if (follow_stream(p, line) || follow_two(p, line))
		return;
	if (testing_line_is(line, "Generator completed: # x # items!", n)) {
		CHECK_EQ(n[0], 2);
		CHECK_EQ(n[1], 5);
		p->completed = true;
		return;
	}
	CHECK(!strcmp(line, "An endless stream, consumed lazily:") ||
	      !strcmp(line, "Two generators, working at the same time:"));
}

TEST_MANUAL(the_demo_makes_what_is_asked_for_and_two_times_five_items)
{
	struct progress p = { 0 };

	testing_demo_lines(&pattern_generator, follow_line, &p);
	CHECK_EQ(p.generated, 5);
	CHECK_EQ(p.received, 5);
	CHECK_EQ(p.made[0], 5);
	CHECK_EQ(p.made[1], 5);
	CHECK_EQ(p.pairs, 5);
	CHECK(p.completed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_verifies_over_every_channel),
		cmocka_unit_test(the_kernel_verifies_hand_to_hand),
		cmocka_unit_test(a_daisy_chain_verifies),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(
		        what_runs_ahead_is_not_possible_over_a_channel_that_is_never_full),
		cmocka_unit_test(
		        how_long_a_stop_takes_is_told_of_what_has_to_be_stopped),
		cmocka_unit_test(knobs_that_do_not_go_together_are_refused),
		cmocka_unit_test(
		        an_open_loop_measures_from_when_an_item_was_due),
		cmocka_unit_test(
		        the_demo_makes_what_is_asked_for_and_two_times_five_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
