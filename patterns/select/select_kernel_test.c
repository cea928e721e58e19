/* Tests of the kernel of select, and of its demo. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cell.h"
#include "testing/demo.h"
#include "testing/testing.h"

/* --- the kernel --- */

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_select,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

static struct testing_cell over(const char *chan, const char *knobs,
                                uint64_t items)
{
	return cell(weft_chan_impl_find(chan), knobs, items);
}

TEST(every_variant_verifies_over_every_channel)
{
	static const struct {
		const char *knobs;
		int channels; /* that can do it */
	} shapes[] = {
		{ "variant=recv writers=1 cap=1", 5 },
		{ "variant=recv writers=8 cap=2 payload=64", 5 },
		{ "variant=recv cap=3 work=100 wait=park", 5 },
		{ "variant=send writers=3 cap=1 payload=4096", 5 },
		{ "variant=send writers=1 cap=64", 5 },
		{ "variant=both writers=1 cap=1", 5 },
		{ "variant=both writers=4 cap=2", 5 },
		{ "variant=mixed writers=2 cap=1", 5 },
		{ "variant=mixed writers=8 cap=5 wait=spin", 5 },
		{ "variant=bare writers=3 cap=1", 5 },
		{ "variant=plain writers=3 cap=1", 6 }, /* not spsc */
		{ "variant=plain writers=1 cap=64", 7 },
		{ "variant=forward writers=3 cap=2", 6 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		CHECK_EQ(testing_verified_over_all(
		                 cell(NULL, shapes[i].knobs, 501)),
		         shapes[i].channels);
	return 0;
}

TEST(every_variant_verifies_hand_to_hand)
{
	static const char *const shapes[] = {
		"variant=recv cap=0 writers=8", "variant=send cap=0 writers=3",
		"variant=both cap=0 writers=1", "variant=both cap=0 writers=3",
		"variant=bare cap=0",           "variant=plain cap=0",
		"variant=forward cap=0",        NULL,
	};

	for (size_t i = 0; shapes[i]; i++)
		testing_verified(over("handoff", shapes[i], 300));
	return 0;
}

TEST(every_variant_verifies_few_items_and_none)
{
	static const char *const shapes[] = { "variant=send",
		                              "variant=both",
		                              "variant=mixed",
		                              "variant=bare",
		                              "variant=plain",
		                              "variant=forward",
		                              NULL };

	for (size_t i = 0; shapes[i]; i++)
		for (uint64_t items = 0; items < 4; items++)
			testing_verified(over("handoff", shapes[i], items));
	return 0;
}

TEST(every_variant_measures_from_when_an_item_was_due)
{
	static const char *const shapes[] = {
		"variant=recv",    "variant=send",
		"variant=both",    "variant=mixed",
		"variant=bare",    "variant=plain",
		"variant=forward", NULL
	};

	for (size_t i = 0; shapes[i]; i++) {
		struct testing_cell t = over("ring", shapes[i], 51);

		t.pace_ns = 50 * WEFT_US;
		CHECK_EQ(testing_cell_run(&t), 0);
		CHECK_EQ(t.latencies, 51u);
		CHECK_EQ(t.consumed, 51u);
	}
	return 0;
}

static void refused(const char *knobs, const char *words)
{
	struct testing_cell t = over("handoff", knobs, 10);

	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strstr(t.why, words) != NULL);
}

TEST(mixed_takes_two_channels_and_space)
{
	refused("variant=mixed writers=1", "writers=1 with variant=mixed");
	refused("variant=mixed cap=0", "cap=0 with variant=mixed");
	return 0;
}

TEST(a_cell_of_any_variant_may_be_left_undriven)
{
	for (int64_t v = 0; pattern_select.knobs[0].choices[v]; v++) {
		struct cell c = { .pattern = &pattern_select,
			          .chan = weft_chan_impl_find("handoff"),
			          .items = 100 };

		params_default(c.pattern, &c.params);
		c.params.value[0] = v;
		CHECK_EQ(cell_init(&c, false), 0);
		CHECK_EQ(cell_setup(&c), 0);
		cell_stop(&c);
		cell_teardown(&c);
		CHECK(c.state == NULL);
		cell_fini(&c);
	}
	return 0;
}

/* Channels for tests cannot stand in a select, so without one. They take one
 * sender at a time, so one writer. */
TEST(the_kernel_catches_what_a_broken_channel_does)
{
	const char *knobs = "variant=plain writers=1 payload=64";

	testing_caught(cell(&testing_drops, knobs, 400), "lost 4 of 400 50");
	testing_caught(cell(&testing_repeats, knobs, 400),
	               "delivered 4 of 400 twice 50");
	testing_caught(cell(&testing_swaps, knobs, 400),
	               "4 of 400 items out of order 50 after 51");
	testing_caught(cell(&testing_corrupts, knobs, 400), "lost 4 of 400");
	testing_caught(cell(&testing_corrupts_end, knobs, 400),
	               "lost 4 of 400");
	return 0;
}

/* --- the demo --- */

struct progress {
	int sent[3], received[3]; /* by producer, from 1 */
	bool waited, timed_out, answered, completed;
};

static void follow_producers(struct progress *p, const char *line, int *n)
{
	if (testing_line_is(line, "Producer # sends: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 2);
		CHECK_EQ(n[1], ++p->sent[n[0]]);
	} else if (testing_line_is(line, "Received from producer #: #", n)) {
		CHECK(1 <= n[0] && n[0] <= 2);
		CHECK_EQ(n[1], ++p->received[n[0]]);
		CHECK_LE(n[1], p->sent[n[0]]);
	} else {
		CHECK(testing_line_is(line, "Select example completed!", n));
		p->completed = true;
	}
}

static void follow_line(const char *line, void *arg)
{
	struct progress *p = arg;
	int n[2];

	CHECK(!p->completed);
	if (testing_line_is(line, "1. Select with a timeout:", n)) {
		CHECK(!p->waited);
	} else if (testing_line_is(line,
	                           "Waiting 1 s for an answer that takes "
	                           "2 s...",
	                           n)) {
		p->waited = true;
	} else if (testing_line_is(line, "Timed out after 1 s", n)) {
		CHECK(p->waited);
		p->timed_out = true;
	} else if (testing_line_is(line, "The answer came after 2 s: 42", n)) {
		CHECK(p->timed_out);
		p->answered = true;
	} else if (testing_line_is(line, "2. Select over two producers:", n)) {
		CHECK(p->answered);
	} else {
		CHECK(p->answered);
		follow_producers(p, line, n);
	}
}

TEST_MANUAL(the_demo_times_out_and_receives_from_two_producers)
{
	struct progress p = { 0 };

	testing_demo_lines(&pattern_select, follow_line, &p);
	CHECK(p.completed);
	for (int i = 1; i <= 2; i++) {
		CHECK_EQ(p.sent[i], 5);
		CHECK_EQ(p.received[i], 5);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_variant_verifies_over_every_channel),
		cmocka_unit_test(every_variant_verifies_hand_to_hand),
		cmocka_unit_test(every_variant_verifies_few_items_and_none),
		cmocka_unit_test(
		        every_variant_measures_from_when_an_item_was_due),
		cmocka_unit_test(mixed_takes_two_channels_and_space),
		cmocka_unit_test(a_cell_of_any_variant_may_be_left_undriven),
		cmocka_unit_test(the_kernel_catches_what_a_broken_channel_does),
		cmocka_unit_test(
		        the_demo_times_out_and_receives_from_two_producers),
	};

	return cmocka_run_group_tests_name("select.kernel", tests, NULL, NULL);
}
