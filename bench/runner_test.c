/*
 * The runner, tried on the fake pattern: what a run is, how many messages it
 * has, and what it says when something is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/fake.h"

/* --- what a run is --- */

static void a_good_cell_is_verified(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r = measure(&plan);

	(void)state;
	assert_int_equal(r->verdict, VERDICT_VERIFIED);
	assert_string_equal(r->why, "");
	assert_int_equal(r->n, 3);
	assert_int_equal(r->runs, 3);
	assert_int_equal(r->items, 100);
	assert_int_equal(r->tasks, 2);
	assert_true(r->cpus >= 1);
	assert_true(r->peak_rss_bytes > 0);
	for (unsigned i = 0; i < r->n; i++) {
		const struct sample *s = &r->sample[i];

		assert_int_equal(s->messages, 100);
		assert_true(s->ns >= 100 * WEFT_US);
		assert_true(s->start_skew_ns >= 0);
		assert_true(s->start_skew_ns <= s->ns);
		assert_true(s->cpu_seconds >= 0);
	}
}

static void every_run_is_set_up_stopped_verified_and_torn_down(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	unsigned runs;

	(void)state;
	plan.latency = true;
	runs = measure(&plan)->runs;
	/* The run for latency is repeated when it was late. */
	assert_in_range(seen.timed, 1, 3);
	assert_int_equal(runs, 3 + seen.timed);
	assert_int_equal(seen.setups, runs);
	assert_int_equal(seen.stops, runs);
	assert_int_equal(seen.verifies, runs);
	assert_int_equal(seen.teardowns, runs);
}

static void drivers_start_after_t0_and_end_before_stop(void **state)
{
	struct plan plan = plan_for(NO_FAULT);

	(void)state;
	plan.params.value[KNOB_DRIVERS] = 16;
	plan.reps = 20;
	measure(&plan);
	assert_false(seen.early);
	assert_false(seen.unstarted);
}

static void parks_are_counted_per_sample(void **state)
{
	struct plan plan = plan_for(WORK_PARKS);
	struct result *r = measure(&plan);

	(void)state;
	for (unsigned i = 0; i < r->n; i++)
		assert_true(r->sample[i].parks >= 2);
}

static void fairness_compares_the_consumers(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r = measure(&plan);

	(void)state;
	/* Shares 1 and 2: 3^2 / (2 * 5), and 1 of the fair 1.5. */
	assert_true(result_median(r, sample_jain) > 0.899);
	assert_true(result_median(r, sample_jain) < 0.901);
	assert_true(result_median(r, sample_least_share) > 0.666);
	assert_true(result_median(r, sample_least_share) < 0.667);
}

static void the_figures_of_a_pattern_are_medians(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r = measure(&plan);

	(void)state;
	assert_int_equal(r->figures, 2);
	assert_string_equal(r->figure[0].name, "verifies");
	assert_string_equal(r->figure[0].unit, "times");
	assert_string_equal(r->figure[0].help, "so far");
	assert_true(result_figure(r, 0) == 2);
	assert_string_equal(r->figure[1].name, "half");
	assert_true(result_figure(r, 1) == 0.5);
}

/* --- how many messages --- */

static void items_are_found_to_fill_the_time(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r;

	(void)state;
	plan.params.value[KNOB_ITEMS] = 0;
	plan.time_ns = 20 * WEFT_MS;
	plan.reps = 1;
	r = measure(&plan);
	assert_int_equal(r->verdict, VERDICT_VERIFIED);
	/* A microsecond each, or more when the machine was busy. */
	assert_true(r->items <= 20000);
	assert_true(r->items >= PLAN_ITEMS_MIN);
	assert_int_equal(r->sample[0].messages, r->items);
	assert_int_equal(seen.last_items, r->items);
	assert_int_equal(r->n, 1);
	assert_true(r->runs > r->n);
	assert_int_equal(seen.verifies, r->runs);
}

static void a_time_too_short_for_it_still_moves_some(void **state)
{
	struct plan plan = plan_for(NO_FAULT);

	(void)state;
	plan.params.value[KNOB_ITEMS] = 0;
	plan.time_ns = 1;
	assert_int_equal(measure(&plan)->items, PLAN_ITEMS_MIN);
}

static void runs_that_count_come_after_runs_that_warm_up(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r;

	(void)state;
	plan.warmup_ns = 20 * WEFT_SEC;
	r = measure(&plan);
	assert_true(r->warmup.reached);
	assert_in_range(r->warmup.runs, 3, 1000);
	assert_int_equal(r->n, 3);
	assert_int_equal(r->runs, r->n + r->warmup.runs);
	assert_int_equal(seen.verifies, r->runs);
	assert_int_equal(seen.last_items, 100);
}

static void a_warm_up_that_is_cut_short_says_so(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r;

	(void)state;
	plan.warmup_ns = 1;
	r = measure(&plan);
	assert_false(r->warmup.reached);
	assert_int_equal(r->warmup.runs, 1);
	assert_int_equal(r->n, 3);
	plan.warmup_ns = 0;
	assert_int_equal(measure(&plan)->warmup.runs, 0);
}

static void a_warm_up_that_fails_is_the_end(void **state)
{
	struct plan plan = plan_for(VERIFY_FAILS);
	struct result *r;

	(void)state;
	plan.warmup_ns = WEFT_SEC;
	r = measure(&plan);
	assert_int_equal(r->verdict, VERDICT_FAILED);
	assert_int_equal(r->n, 0);
	assert_int_equal(seen.verifies, 1);
}

/* --- what goes wrong --- */

static void a_failed_check_ends_it_and_says_why(void **state)
{
	struct plan plan = plan_for(VERIFY_FAILS);
	struct result *r = measure(&plan);

	(void)state;
	assert_int_equal(r->verdict, VERDICT_FAILED);
	assert_string_equal(r->why, "lost 3 of 100 items");
	assert_int_equal(seen.setups, 1);
	assert_int_equal(seen.teardowns, 1);
	assert_int_equal(r->n, 0);
}

static void calibration_is_verified_too(void **state)
{
	struct plan plan = plan_for(VERIFY_FAILS);

	(void)state;
	plan.params.value[KNOB_ITEMS] = 0;
	assert_int_equal(measure(&plan)->verdict, VERDICT_FAILED);
	assert_int_equal(seen.setups, 1);
}

static void the_latency_repetition_is_verified_too(void **state)
{
	struct plan plan = plan_for(LATENCY_VERIFY_FAILS);
	struct result *r;

	(void)state;
	plan.latency = true;
	r = measure(&plan);
	assert_int_equal(r->verdict, VERDICT_FAILED);
	assert_int_equal(r->n, 3);
	assert_int_equal(r->latency.count, 0);
}

static void a_machine_that_says_no_is_no_failure(void **state)
{
	struct plan plan = plan_for(SETUP_ENOMEM);

	(void)state;
	assert_int_equal(measure(&plan)->verdict, VERDICT_NA);
	/* What there was is released. */
	assert_int_equal(seen.teardowns, 1);
	plan = plan_for(SETUP_EINVAL);
	assert_int_equal(measure(&plan)->verdict, VERDICT_FAILED);
	assert_int_equal(seen.teardowns, 1);
}

static void not_possible(const struct plan *plan, const char *why)
{
	struct result *r = measure(plan);

	assert_int_equal(r->verdict, VERDICT_NA);
	assert_string_equal(r->why, why);
	assert_int_equal(seen.setups, 0);
}

static void needy_shape(const struct params *p, struct cell_shape *out)
{
	fake.shape(p, out);
	out->needs = WEFT_CAN_TIMEOUT;
}

static void a_cell_the_channel_cannot_do_is_not_run(void **state)
{
	struct weft_chan_impl chan = *weft_chan_impl_find("handoff");
	struct pattern needy = fake;
	struct plan plan = plan_for(NO_FAULT);

	(void)state;
	plan.chan = &chan;
	chan.max_senders = 1;
	not_possible(&plan, "channel handoff cannot have 2 senders at once "
	                    "(allowed: 1..1)");
	chan.max_senders = 2;
	chan.can &= ~(uint64_t)WEFT_CAN_RENDEZVOUS;
	plan.params.value[KNOB_CAP] = 0;
	not_possible(&plan, "channel handoff cannot have capacity 0 (allowed: "
	                    "1 or more)");
	plan.params.value[KNOB_CAP] = 13;
	not_possible(&plan, "cap=13: allowed are all others");
	plan.params.value[KNOB_CAP] = 1;
	chan.can &= ~(uint64_t)WEFT_CAN_TIMEOUT;
	needy.needs = WEFT_CAN_TIMEOUT;
	plan.pattern = plan.params.pattern = &needy;
	not_possible(&plan, "pattern fake needs timeout, which channel "
	                    "handoff does not declare");
	needy.needs = 0;
	needy.shape = needy_shape;
	not_possible(&plan, "this cell of fake needs timeout, which channel "
	                    "handoff does not declare");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_that_count_come_after_runs_that_warm_up),
		cmocka_unit_test(a_warm_up_that_is_cut_short_says_so),
		cmocka_unit_test(a_warm_up_that_fails_is_the_end),
		cmocka_unit_test(a_good_cell_is_verified),
		cmocka_unit_test(
		        every_run_is_set_up_stopped_verified_and_torn_down),
		cmocka_unit_test(drivers_start_after_t0_and_end_before_stop),
		cmocka_unit_test(parks_are_counted_per_sample),
		cmocka_unit_test(fairness_compares_the_consumers),
		cmocka_unit_test(the_figures_of_a_pattern_are_medians),
		cmocka_unit_test(items_are_found_to_fill_the_time),
		cmocka_unit_test(a_time_too_short_for_it_still_moves_some),
		cmocka_unit_test(a_failed_check_ends_it_and_says_why),
		cmocka_unit_test(calibration_is_verified_too),
		cmocka_unit_test(the_latency_repetition_is_verified_too),
		cmocka_unit_test(a_machine_that_says_no_is_no_failure),
		cmocka_unit_test(a_cell_the_channel_cannot_do_is_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
