/*
 * Tests that every pattern of patterns.def must pass, whatever it is about:
 *
 *	patterns.common NAME
 *
 * What they have to know of a pattern says its kernel_cases.c; what is special
 * about it is tested in its own folder.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "kernel/cell.h"
#include "testing/demo.h"

#define ITEMS (TESTING_SLOW ? 201 : 501)
#define PACED_ITEMS 51
#define TEXT_BYTES 200

/* The pattern that this process is about. */
static const struct pattern *pattern;
static const struct kernel_cases *cases;

static struct testing_cell cell(const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = pattern,
		                      .chan = weft_chan_impl_find("handoff"),
		                      .knobs = knobs,
		                      .items = items };
}

/* --- rows --- */

typedef void visit_fn(const char *knobs, const void *row);

/* What the knob's `*` stands for. */
static void list_values(const char *name, char *list)
{
	const struct knob *k = &pattern->knobs[pattern_knob(pattern, name)];
	struct text l = text_in(list, TEXT_BYTES);

	for (int i = 0; k->choices && k->choices[i]; i++)
		text_add(&l, "%s%s", i ? "," : "", k->choices[i]);
	if (!k->choices)
		text_add(&l, "%s", k->sweep);
	CHECK_LT(l.used, l.bytes);
}

/* Visit all the cells that the knobs of a row stand for. */
static void visit_cells(const char *knobs, visit_fn *visit, const void *row)
{
	const char *many = strpbrk(knobs, "|*"), *begin, *value;
	char list[TEXT_BYTES], one[TEXT_BYTES], *rest = list, *word;

	if (!many) {
		visit(knobs, row);
		return;
	}
	for (begin = many; begin > knobs && begin[-1] != ' ';)
		begin--;
	value = strchr(begin, '=') + 1;
	many = value + strcspn(value, " ");
	snprintf(list, sizeof(list), "%.*s",
	         (int)(*value == '*' ? value - begin - 1 : many - value),
	         *value == '*' ? begin : value);
	if (*value == '*') {
		snprintf(one, sizeof(one), "%s", list);
		list_values(one, list);
	}
	while ((word = strtok_r(rest, ",|", &rest))) {
		CHECK_LT(snprintf(one, sizeof(one), "%.*s%s%s",
		                  (int)(value - knobs), knobs, word, many),
		         (int)sizeof(one));
		visit_cells(one, visit, row);
	}
}

static void visit_rows(const struct kernel_case *row, visit_fn *visit)
{
	for (; row && row->knobs; row++)
		visit_cells(row->knobs, visit, row);
}

static struct testing_cell cell_of(const char *knobs, const void *arg,
                                   uint64_t items)
{
	const struct kernel_case *row = arg;
	struct testing_cell t = cell(knobs, row->items ? row->items : items);

	if (row->chan)
		t.chan = row->chan;
	if (row->over)
		t.chan = weft_chan_impl_find(row->over);
	CHECK(t.chan != NULL);
	return t;
}

/* --- cells that are right --- */

TEST(the_default_cell_verifies_over_every_channel)
{
	/* handoff can do everything that there is. */
	CHECK_LE(1, testing_verified_over_all(cell("", ITEMS)));
	return 0;
}

static void verify(const char *knobs, const void *arg)
{
	const struct kernel_case *row = arg;
	struct testing_cell t = cell_of(knobs, row, ITEMS);
	int n, least = row->channels ? abs(row->channels) : 2;

	if (row->chan || row->over) {
		testing_verified(t);
		return;
	}
	n = testing_verified_over_all(t);
	if (n < least || (row->channels > 0 && n > least))
		fprintf(stderr, "%s: %d channels can do it\n", knobs, n);
	CHECK_LE(least, n);
	CHECK(row->channels <= 0 || n == row->channels);
}

TEST(cells_of_every_kind_verify_over_every_channel)
{
	visit_rows(cases->verified, verify);
	return 0;
}

/* One value of one knob's list, all other knobs at their defaults. What the
 * pattern says does not go together is left out, as a sweep does. */
static void try_value(const char *knobs, const void *row)
{
	struct testing_cell t = cell(knobs, ITEMS);

	(void)row;
	if (testing_cell_possible(&t))
		testing_verified(t);
}

TEST(every_value_that_a_knob_recommends_verifies)
{
	char knobs[TEXT_BYTES], list[TEXT_BYTES], *rest, *value;

	for (const struct knob *k = pattern->knobs; k->name; k++) {
		if (strcmp(k->name, "items") == 0)
			continue;
		snprintf(list, sizeof(list), "%s", k->sweep);
		rest = list;
		while ((value = strtok_r(rest, ",", &rest))) {
			snprintf(knobs, sizeof(knobs), "%s=%s", k->name, value);
			try_value(knobs, NULL);
		}
	}
	return 0;
}

static void verify_few(const char *knobs, const void *row)
{
	(void)row;
	for (uint64_t items = 0; items < 5; items++)
		testing_verified(cell(knobs, items));
}

TEST(few_items_and_none_verify)
{
	verify_few("", NULL);
	visit_rows(cases->few, verify_few);
	return 0;
}

static void leave_undriven(const char *knobs, const void *row)
{
	struct testing_cell t = cell(knobs, 100);
	struct cell c = testing_cell(&t);

	(void)row;
	CHECK_EQ(cell_init(&c, false), 0);
	CHECK_EQ(cell_setup(&c), 0);
	cell_stop(&c);
	cell_teardown(&c);
	CHECK(c.state == NULL);
	cell_teardown(&c);
	cell_fini(&c);
}

TEST(a_cell_that_was_not_driven_ends_all_the_same)
{
	visit_cells(pattern_knob(pattern, "variant") < 0 ? "" : "variant=*",
	            leave_undriven, NULL);
	return 0;
}

/* --- time, and figures --- */

/* Each item once, from when it was due or its round trip began. */
static void pace(const char *knobs, const void *arg)
{
	const struct kernel_case *row = arg;
	struct testing_cell t = cell_of(knobs, row, PACED_ITEMS);
	uint64_t times = row->recorded ? (uint64_t)row->recorded : 1;

	if (row->recorded == KERNEL_CASE_NEVER)
		times = 0;
	t.pace_ns = pattern->closed_loop ? 0 : 20 * WEFT_US;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.latencies, times * t.items);
	CHECK_EQ(t.consumed, t.items);
	CHECK_LE(0, t.longest);
	if (pattern->closed_loop)
		CHECK_LT(0, t.longest);
}

TEST(latency_is_recorded_for_every_item)
{
	pace("", &(struct kernel_case){ 0 });
	visit_rows(cases->paced, pace);
	return 0;
}

static void look_at_figures(const char *knobs, const void *arg)
{
	const struct figure_case *row = arg;
	struct testing_cell t = cell(knobs, row->items ? row->items : 200);
	const struct figure *f = NULL;

	CHECK_EQ(testing_cell_run(&t), 0);
	for (unsigned i = 0; i < t.figures; i++)
		if (strcmp(t.figure[i].name, row->name) == 0)
			f = &t.figure[i];
	if (!f != row->absent ||
	    (f && (f->value < row->least || f->value > row->most)))
		fprintf(stderr, "%s: %s is %g, and should not be\n", knobs,
		        row->name, f ? f->value : -1);
	CHECK_EQ(!f, row->absent);
	CHECK(!f || (row->least <= f->value && f->value <= row->most));
}

TEST(figures_tell_what_they_should)
{
	for (const struct figure_case *f = cases->figures; f && f->knobs; f++)
		visit_cells(f->knobs, look_at_figures, f);
	return 0;
}

/* --- cells that are not right, and those that cannot be --- */

/* What a channel between the only sender and the tally does to 4 of 400. */
static const struct kernel_case usual[] = {
	{ .words = "lost 4 of 400 50", .chan = &testing_drops },
	{ .words = "delivered 4 of 400 twice 50", .chan = &testing_repeats },
	{ .words = "corrupt lost 4 of 400", .chan = &testing_corrupts },
	{ .words = NULL },
};

static void expect_caught(const char *knobs, const void *arg)
{
	const struct kernel_case *row = arg;

	if (row->words) {
		testing_caught(cell_of(knobs, row, 400), row->words);
		return;
	}
	for (row = usual; row->words; row++)
		testing_caught(cell_of(knobs, row, 400), row->words);
}

TEST(what_a_broken_channel_does_is_caught)
{
	CHECK(cases->caught && cases->caught->knobs);
	visit_rows(cases->caught, expect_caught);
	return 0;
}

static void refuse(const char *knobs, const void *arg)
{
	const struct kernel_case *row = arg;
	struct testing_cell t = cell_of(knobs, row, 10);

	CHECK(!testing_cell_possible(&t));
	if (strcmp(t.why, row->words) != 0)
		fprintf(stderr, "'%s' instead of '%s'\n", t.why, row->words);
	CHECK_EQ(strcmp(t.why, row->words), 0);
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
}

TEST(what_does_not_go_together_is_refused)
{
	visit_rows(cases->refused, refuse);
	return 0;
}

TEST(more_items_than_can_be_told_apart_are_refused)
{
	int i = pattern_knob(pattern, "items");
	struct testing_cell t;

	if (i < 0)
		return 0;
	t = cell("", (uint64_t)pattern->knobs[i].max + 1);
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	return 0;
}

TEST(a_payload_that_is_no_multiple_of_8_is_refused)
{
	struct testing_cell t = cell("payload=12", ITEMS);

	if (pattern_knob(pattern, "payload") < 0)
		return 0;
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK(strstr(t.why, "payload=12: allowed ") != NULL);
	return 0;
}

TEST(batches_that_need_too_much_are_refused)
{
	struct testing_cell t = cell("batch=4096 payload=4096", 10);

	if (pattern_knob(pattern, "batch") < 0)
		return 0;
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK_EQ(strcmp(t.why, "batch=4096 with payload=4096: 16777216 bytes, "
	                       "allowed 1048576"),
	         0);
	return 0;
}

static void count(const char *knobs, const void *row)
{
	struct testing_cell t = cell_of(knobs, row, 1000);

	t.chan = &testing_floor;
	testing_verified(t);
}

TEST(a_channel_without_data_serves_only_who_can_do_without)
{
	struct testing_cell t = cell("", ITEMS);

	t.chan = &testing_floor;
	if (pattern->no_data)
		testing_verified(t);
	else
		CHECK_EQ(testing_cell_run(&t), -EINVAL);
	visit_rows(cases->counted, count);
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

TEST_MANUAL(the_demo_says_what_it_should)
{
	char *text = testing_demo(pattern);

	CHECK(cases->demo && cases->demo->form);
	testing_demo_fits(text, cases->demo);
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

static bool find(const char *name)
{
	pattern = pattern_find(name);
#define PATTERN(is, ...)                                                       \
	if (strcmp(name, #is) == 0)                                            \
		cases = &kernel_cases_##is;
#include "patterns.def"
#undef PATTERN
	return pattern && cases;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_cell_verifies_over_every_channel),
		cmocka_unit_test(cells_of_every_kind_verify_over_every_channel),
		cmocka_unit_test(every_value_that_a_knob_recommends_verifies),
		cmocka_unit_test(few_items_and_none_verify),
		cmocka_unit_test(a_cell_that_was_not_driven_ends_all_the_same),
		cmocka_unit_test(latency_is_recorded_for_every_item),
		cmocka_unit_test(figures_tell_what_they_should),
		cmocka_unit_test(what_a_broken_channel_does_is_caught),
		cmocka_unit_test(what_does_not_go_together_is_refused),
		cmocka_unit_test(more_items_than_can_be_told_apart_are_refused),
		cmocka_unit_test(a_payload_that_is_no_multiple_of_8_is_refused),
		cmocka_unit_test(batches_that_need_too_much_are_refused),
		cmocka_unit_test(
		        a_channel_without_data_serves_only_who_can_do_without),
		cmocka_unit_test(the_demo_says_something_in_whole_lines),
		cmocka_unit_test(the_demo_says_what_it_should),
		cmocka_unit_test(the_demo_can_be_shown_again),
	};

	if (argc != 2 || !find(argv[1])) {
		fprintf(stderr, "usage: patterns.common NAME\n");
		return 2;
	}
	return cmocka_run_group_tests_name(pattern->name, tests, NULL, NULL);
}
