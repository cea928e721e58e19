/*
 * Tests that every pattern of patterns.def must pass, whatever it is about:
 *
 *	patterns.common NAME
 *
 * What is special about a pattern stands in its own folder.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cell.h"
#include "testing/demo.h"
#include "testing/testing.h"

#define ITEMS (TESTING_SLOW ? 101 : 301)

/* The pattern that this process is about. */
static const struct pattern *pattern;

static const struct knob *find_knob(const char *name)
{
	for (const struct knob *k = pattern->knobs; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static struct testing_cell cell(const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = pattern,
		                      .chan = weft_chan_impl_find("handoff"),
		                      .knobs = knobs,
		                      .items = items };
}

/* --- the kernel --- */

TEST(the_default_cell_verifies_over_every_channel)
{
	/* handoff can do everything that there is. */
	CHECK_LE(1, testing_verified_over_all(cell("", ITEMS)));
	return 0;
}

/* One value of one knob's list, all other knobs at their defaults. What the
 * pattern says does not go together is left out, as a sweep does. */
static void try_value(const struct knob *k, const char *value)
{
	char knobs[100], why[PATTERN_WHY_BYTES];
	struct testing_cell t;
	struct params params;

	params_default(pattern, &params);
	CHECK_EQ(params_set(pattern, &params, k->name, value, why, sizeof(why)),
	         0);
	if (cell_accepts(&params, why, sizeof(why)))
		return;
	CHECK_LT(snprintf(knobs, sizeof(knobs), "%s=%s", k->name, value),
	         (int)sizeof(knobs));
	t = cell(knobs, ITEMS);
	if (testing_cell_possible(&t))
		testing_verified(t);
}

TEST(every_value_that_a_knob_recommends_verifies)
{
	char list[200], *rest, *value;

	for (const struct knob *k = pattern->knobs; k->name; k++) {
		if (strcmp(k->name, "items") == 0)
			continue;
		CHECK_LT(snprintf(list, sizeof(list), "%s", k->sweep),
		         (int)sizeof(list));
		rest = list;
		while ((value = strtok_r(rest, ",", &rest)))
			try_value(k, value);
	}
	return 0;
}

TEST(few_items_and_none_verify)
{
	for (uint64_t items = 0; items < 5; items++)
		testing_verified(cell("", items));
	return 0;
}

TEST(more_items_than_can_be_told_apart_are_refused)
{
	const struct knob *items = find_knob("items");
	struct testing_cell t;

	if (!items)
		return 0;
	t = cell("", (uint64_t)items->max + 1);
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	return 0;
}

TEST(a_payload_that_is_no_multiple_of_8_is_refused)
{
	struct testing_cell t = cell("payload=12", ITEMS);

	if (!find_knob("payload"))
		return 0;
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strstr(t.why, "payload=12: allowed ") != NULL);
	return 0;
}

TEST(a_channel_without_data_serves_only_who_can_do_without)
{
	struct testing_cell t = cell("", ITEMS);

	t.chan = &testing_floor;
	if (pattern->no_data)
		testing_verified(t);
	else
		CHECK_EQ(testing_cell_run(&t), -EINVAL);
	return 0;
}

/* Each item once, from when it was due or its round trip began. */
TEST(latency_is_recorded_for_every_item)
{
	struct testing_cell t = cell("", 51);

	t.pace_ns = pattern->closed_loop ? 0 : 20 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, 51u);
	CHECK_EQ(t.consumed, 51u);
	CHECK_LE(0, t.longest);
	return 0;
}

TEST(a_cell_that_was_not_driven_ends_all_the_same)
{
	struct cell c = { .pattern = pattern,
		          .chan = weft_chan_impl_find("handoff"),
		          .items = 100 };

	params_default(c.pattern, &c.params);
	CHECK_EQ(cell_init(&c, false), 0);
	CHECK_EQ(cell_setup(&c), 0);
	cell_stop(&c);
	cell_teardown(&c);
	CHECK(c.state == NULL);
	cell_teardown(&c);
	cell_fini(&c);
	return 0;
}

/* --- the demo --- */

TEST_MANUAL(the_demo_says_something_in_whole_lines)
{
	char *text = testing_demo(pattern);
	size_t length = strlen(text);

	CHECK(length > 0);
	CHECK_EQ(text[length - 1], '\n');
	free(text);
	return 0;
}

TEST_MANUAL(the_demo_can_be_shown_again)
{
	char *first = testing_demo(pattern), *again = testing_demo(pattern);

	CHECK(strlen(first) > 0 && strlen(again) > 0);
	free(first);
	free(again);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_cell_verifies_over_every_channel),
		cmocka_unit_test(every_value_that_a_knob_recommends_verifies),
		cmocka_unit_test(few_items_and_none_verify),
		cmocka_unit_test(more_items_than_can_be_told_apart_are_refused),
		cmocka_unit_test(a_payload_that_is_no_multiple_of_8_is_refused),
		cmocka_unit_test(
		        a_channel_without_data_serves_only_who_can_do_without),
		cmocka_unit_test(latency_is_recorded_for_every_item),
		cmocka_unit_test(a_cell_that_was_not_driven_ends_all_the_same),
		cmocka_unit_test(the_demo_says_something_in_whole_lines),
		cmocka_unit_test(the_demo_can_be_shown_again),
	};

	pattern = argc == 2 ? pattern_find(argv[1]) : NULL;
	if (!pattern) {
		fprintf(stderr, "usage: patterns.common NAME\n");
		return 2;
	}
	return cmocka_run_group_tests_name(pattern->name, tests, NULL, NULL);
}
