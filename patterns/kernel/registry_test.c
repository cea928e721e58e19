/* Tests of the registry: the list is sound, knobs are read as they should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/suggest.h"
#include "kernel/cell.h"

/* A pattern of the test's own, so that what is said about knobs does not
 * depend on what the real ones have. */
static const char *const colours[] = { "red", "green", "blue", NULL };
static const char *const no_choices[] = { NULL };

static const struct knob knobs[] = {
	{ "workers", "", "", 1, 1, 64, NULL, "1,2" },
	{ "delta", "", "", 0, -5, 5, NULL, "0" },
	{ "huge", "", "", 0, INT64_MIN, INT64_MAX, NULL, "0" },
	{ "colour", "", "", 1, 0, 2, colours, "red,blue" },
	{ "file", "", "", 0, 0, 1, no_choices, "" },
	{ .name = NULL },
};

static const struct pattern sample = { .name = "sample", .knobs = knobs };

struct answer {
	int err;
	int64_t value;
	char why[PATTERN_WHY_BYTES];
};

static struct answer set(const char *knob, const char *text)
{
	struct answer a = { .why = "" };
	struct params params;

	params_default(&sample, &params);
	a.err = params_set(&sample, &params, knob, text, a.why, sizeof(a.why));
	if (a.err != -ENOENT)
		a.value = param(&params, knob);
	return a;
}

static void expect_taken(const char *knob, const char *text, int64_t value)
{
	struct answer a = set(knob, text);

	assert_int_equal(a.err, 0);
	assert_int_equal(a.value, value);
}

/* Refused with that reason, and the value is still the default. */
static void expect_refused(const char *knob, const char *text, int64_t def,
                           const char *why)
{
	struct answer a = set(knob, text);

	assert_int_equal(a.err, -EINVAL);
	assert_string_equal(a.why, why);
	assert_int_equal(a.value, def);
}

/* --- knobs --- */

static void every_knob_starts_at_its_default(void **state)
{
	struct params params;

	(void)state;
	params_default(&sample, &params);
	for (int i = 0; knobs[i].name; i++)
		assert_int_equal(param(&params, knobs[i].name), knobs[i].def);
}

static void a_number_in_the_range_is_taken(void **state)
{
	(void)state;
	expect_taken("workers", "1", 1);
	expect_taken("workers", "64", 64);
	expect_taken("workers", "007", 7);
	expect_taken("delta", "-5", -5);
	expect_taken("huge", "9223372036854775807", INT64_MAX);
	expect_taken("huge", "-9223372036854775808", INT64_MIN);
}

static void a_number_out_of_range_is_refused_by_name(void **state)
{
	(void)state;
	expect_refused("workers", "0", 1, "workers=0: allowed 1..64");
	expect_refused("workers", "65", 1, "workers=65: allowed 1..64");
	expect_refused("delta", "-6", 0, "delta=-6: allowed -5..5");
	expect_refused("workers", "99999999999999999999", 1,
	               "workers=99999999999999999999: allowed 1..64");
	expect_refused("huge", "9223372036854775808", 0,
	               "huge=9223372036854775808: allowed "
	               "-9223372036854775808..9223372036854775807");
}

static void what_is_no_plain_integer_is_refused(void **state)
{
	static const char *const bad[] = { "",         " 1",  "1 ",  "+1",
		                           "1.0",      "1k",  "0x1", "two",
		                           "-",        "--1", "1,",  "1e1",
		                           "\xc2\xb9", "1\n", NULL };
	char why[PATTERN_WHY_BYTES];

	(void)state;
	for (size_t i = 0; bad[i]; i++) {
		snprintf(why, sizeof(why), "workers=%s: allowed 1..64", bad[i]);
		expect_refused("workers", bad[i], 1, why);
	}
}

static void a_choice_is_taken_by_its_word(void **state)
{
	(void)state;
	expect_taken("colour", "red", 0);
	expect_taken("colour", "blue", 2);
}

static void what_is_no_choice_is_refused_with_the_choices(void **state)
{
	(void)state;
	expect_refused("colour", "pink", 1,
	               "colour=pink: allowed red, green, blue");
	expect_refused("colour", "0", 1, "colour=0: allowed red, green, blue");
	expect_refused("colour", "", 1, "colour=: allowed red, green, blue");
}

static void any_text_is_taken_that_is_not_too_long(void **state)
{
	char longest[PATTERN_TEXT_BYTES + 1] = "";
	struct params params;

	(void)state;
	params_default(&sample, &params);
	assert_string_equal(params.text, "");
	assert_int_equal(
	        params_set(&sample, &params, "file", "a b=c,", NULL, 0), 0);
	assert_string_equal(params.text, "a b=c,");
	assert_int_equal(param(&params, "file"), 1);
	expect_refused("file", "", 0, "file=: allowed 1..1023 bytes");
	memset(longest, 'x', PATTERN_TEXT_BYTES);
	assert_int_equal(params_set(&sample, &params, "file", longest, NULL, 0),
	                 -EINVAL);
	assert_string_equal(params.text, "a b=c,");
	longest[PATTERN_TEXT_BYTES - 1] = '\0';
	assert_int_equal(params_set(&sample, &params, "file", longest, NULL, 0),
	                 0);
	assert_string_equal(params.text, longest);
}

static void an_unknown_knob_is_answered_with_the_nearest(void **state)
{
	struct answer a = set("wrkers", "1");

	(void)state;
	assert_int_equal(a.err, -ENOENT);
	assert_string_equal(a.why,
	                    "unknown knob 'wrkers' (did you mean 'workers'? "
	                    "knobs of sample: workers, delta, huge, colour, "
	                    "file)");
	assert_string_equal(set("zzz", "1").why,
	                    "unknown knob 'zzz' (knobs of sample: workers, "
	                    "delta, huge, colour, file)");
}

static void a_reason_is_optional_and_cut_when_it_does_not_fit(void **state)
{
	struct params params;
	char why[12];

	(void)state;
	params_default(&sample, &params);
	assert_int_equal(params_set(&sample, &params, "workers", "0", NULL, 0),
	                 -EINVAL);
	assert_int_equal(
	        params_set(&sample, &params, "workers", "0", why, sizeof(why)),
	        -EINVAL);
	assert_string_equal(why, "workers=0: ");
}

/* --- the patterns there are --- */

static void the_patterns_are_sorted_and_found_by_name(void **state)
{
	const struct pattern *p;

	(void)state;
	for (size_t i = 0; (p = pattern_at(i)); i++) {
		assert_ptr_equal(pattern_find(p->name), p);
		if (i > 0)
			assert_true(strcmp(pattern_at(i - 1)->name, p->name) <
			            0);
	}
	assert_non_null(pattern_find("pipeline"));
	assert_null(pattern_find("no_such_pattern"));
	assert_null(pattern_find(""));
	assert_null(pattern_at(SIZE_MAX));
}

static void every_pattern_is_complete(void **state)
{
	const struct pattern *p, *q;

	(void)state;
	for (size_t i = 0; (p = pattern_at(i)); i++) {
		assert_true(p->name && p->flag && p->title && p->summary);
		assert_true(p->knobs && p->setup && p->work && p->halt);
		assert_true(p->demo);
		for (size_t j = 0; j < i && (q = pattern_at(j)); j++)
			assert_string_not_equal(p->flag, q->flag);
	}
}

/* Every value of a sweep list is one that can be set. */
static void check_sweep(const struct pattern *p, const struct knob *k)
{
	char list[200], why[PATTERN_WHY_BYTES], *rest = list, *value;
	struct params params;

	assert_non_null(k->sweep);
	/* A place is for comparing the same cell, not another cell. */
	if (knob_is_text(k) || strcmp(k->name, "placement") == 0) {
		assert_string_equal(k->sweep, "");
		return;
	}
	assert_in_range(strlen(k->sweep), 1, sizeof(list) - 1);
	snprintf(list, sizeof(list), "%s", k->sweep);
	params_default(p, &params);
	while ((value = strtok_r(rest, ",", &rest)))
		assert_int_equal(params_set(p, &params, k->name, value, why,
		                            sizeof(why)),
		                 0);
}

static void check_knob(const struct knob *k)
{
	assert_true(k->unit && k->help && *k->help);
	assert_true(k->min <= k->def && k->def <= k->max);
	if (k->choices && !knob_is_text(k)) {
		assert_int_equal(k->min, 0);
		for (int64_t i = 0; i <= k->max; i++)
			assert_non_null(k->choices[i]);
		assert_null(k->choices[k->max + 1]);
	}
}

static void every_knob_of_every_pattern_is_sound(void **state)
{
	const struct pattern *p;
	const struct knob *k;

	(void)state;
	for (size_t i = 0; (p = pattern_at(i)); i++)
		for (k = p->knobs; k->name; k++) {
			assert_in_range(k - p->knobs, 0, PATTERN_KNOBS_MAX - 1);
			check_knob(k);
			check_sweep(p, k);
		}
}

static void the_defaults_of_every_pattern_go_together(void **state)
{
	char why[PATTERN_WHY_BYTES] = "";
	struct cell_shape shape;
	const struct pattern *p;
	struct params params;

	(void)state;
	for (size_t i = 0; (p = pattern_at(i)); i++) {
		params_default(p, &params);
		assert_int_equal(cell_accepts(&params, why, sizeof(why)), 0);
		shape = params_shape(&params);
		assert_true(shape.senders > 0 && shape.receivers > 0);
		assert_true(shape.drivers > 0 && shape.consumers > 0);
		assert_true(shape.elem_size > 0);
	}
}

static void expect_unacceptable(const char *pattern, const char *knob1,
                                const char *value1, const char *knob2,
                                const char *value2, const char *why)
{
	const struct pattern *p = pattern_find(pattern);
	char got[PATTERN_WHY_BYTES] = "";
	struct params params;

	params_default(p, &params);
	assert_int_equal(params_set(p, &params, knob1, value1, NULL, 0), 0);
	assert_int_equal(params_set(p, &params, knob2, value2, NULL, 0), 0);
	assert_int_equal(cell_accepts(&params, got, sizeof(got)), -EINVAL);
	assert_string_equal(got, why);
}

static void values_that_do_not_go_together_are_refused(void **state)
{
	(void)state;
	expect_unacceptable("pipeline", "payload", "12", "cap", "0",
	                    "payload=12: allowed 8..4096 in steps of 8");
	expect_unacceptable("pipeline", "stages", "1000", "workers", "64",
	                    "stages=1000 with workers=64: 64002 tasks, "
	                    "allowed 16384");
	expect_unacceptable("pipeline", "batch", "4096", "payload", "4096",
	                    "batch=4096 with payload=4096: 16777216 bytes, "
	                    "allowed 1048576");
	expect_unacceptable("producer_consumer", "payload", "9", "cap", "0",
	                    "payload=9: allowed 8..4096 in steps of 8");
	expect_unacceptable("producer_consumer", "batch", "4096", "payload",
	                    "4096",
	                    "batch=4096 with payload=4096: 16777216 bytes, "
	                    "allowed 1048576");
}

/* --- suggestions --- */

static const char *const words[] = { "producers", "consumers", "workers",
	                             "work",      "wait",      "cap",
	                             NULL };

static void a_slip_is_recognized(void **state)
{
	(void)state;
	assert_string_equal(suggest("wrkers", words), "workers");
	assert_string_equal(suggest("wokrers", words), "workers");
	assert_string_equal(suggest("consumer", words), "consumers");
	assert_string_equal(suggest("prodcuers", words), "producers");
	assert_string_equal(suggest("wiat", words), "wait");
	assert_string_equal(suggest("caps", words), "cap");
}

static void a_word_cut_short_is_recognized(void **state)
{
	(void)state;
	assert_string_equal(suggest("prod", words), "producers");
	assert_string_equal(suggest("worke", words), "workers");
}

static void of_equally_near_words_the_first_is_taken(void **state)
{
	static const char *const pair[] = { "cat", "car", NULL };

	(void)state;
	assert_string_equal(suggest("caz", pair), "cat");
}

static void a_word_that_is_nothing_like_it_is_no_suggestion(void **state)
{
	static const char *const none[] = { NULL };
	char longest[300];

	(void)state;
	assert_null(suggest("zzzzzz", words));
	assert_null(suggest("", words));
	assert_null(suggest("work", none));
	memset(longest, 'w', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(suggest(longest, words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_knob_starts_at_its_default),
		cmocka_unit_test(a_number_in_the_range_is_taken),
		cmocka_unit_test(a_number_out_of_range_is_refused_by_name),
		cmocka_unit_test(what_is_no_plain_integer_is_refused),
		cmocka_unit_test(a_choice_is_taken_by_its_word),
		cmocka_unit_test(what_is_no_choice_is_refused_with_the_choices),
		cmocka_unit_test(any_text_is_taken_that_is_not_too_long),
		cmocka_unit_test(an_unknown_knob_is_answered_with_the_nearest),
		cmocka_unit_test(
		        a_reason_is_optional_and_cut_when_it_does_not_fit),
		cmocka_unit_test(the_patterns_are_sorted_and_found_by_name),
		cmocka_unit_test(every_pattern_is_complete),
		cmocka_unit_test(every_knob_of_every_pattern_is_sound),
		cmocka_unit_test(the_defaults_of_every_pattern_go_together),
		cmocka_unit_test(values_that_do_not_go_together_are_refused),
		cmocka_unit_test(a_slip_is_recognized),
		cmocka_unit_test(a_word_cut_short_is_recognized),
		cmocka_unit_test(of_equally_near_words_the_first_is_taken),
		cmocka_unit_test(
		        a_word_that_is_nothing_like_it_is_no_suggestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
