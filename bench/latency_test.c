/*
 * The run for latency, and the arrivals that it keeps to. The runner is tried
 * on the fake pattern.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/arrivals.h"
#include "bench/fake.h"

/* --- arrivals --- */

#define ARRIVALS 100000

/* Mean and variance of the distances: both follow from the mean alone. */
static void poisson_distances_are_exponential(void **state)
{
	int64_t *due = arrivals_poisson(ARRIVALS, 1000, 7);
	double sum = 0, squares = 0, mean, gap;
	int below = 0;

	(void)state;
	assert_non_null(due);
	for (int i = 0; i < ARRIVALS; i++) {
		gap = (double)(due[i] - (i ? due[i - 1] : 0));
		assert_true(gap >= 0);
		sum += gap;
		squares += gap * gap;
		below += gap < 693; /* the median is the mean times ln 2 */
	}
	mean = sum / ARRIVALS;
	/* Five standard deviations of each. */
	assert_true(fabs(mean - 1000) < 16);
	assert_true(fabs(sqrt(squares / ARRIVALS - mean * mean) - 1000) < 32);
	assert_true(abs(below - ARRIVALS / 2) < 800);
	free(due);
}

static void poisson_arrivals_depend_on_the_seed_alone(void **state)
{
	int64_t *first = arrivals_poisson(100, 50, 7);
	int64_t *again = arrivals_poisson(100, 50, 7);
	int64_t *other = arrivals_poisson(100, 50, 8);

	(void)state;
	assert_memory_equal(first, again, 100 * sizeof(*first));
	assert_memory_not_equal(first, other, 100 * sizeof(*first));
	free(first);
	free(again);
	free(other);
	first = arrivals_poisson(0, 50, 7);
	assert_non_null(first);
	free(first);
}

/* --- the run --- */

/* Measure latency without a machine that stalls twice: then the runner takes
 * what came through for what is possible. */
static struct result *measure_on_time(const struct plan *plan)
{
	struct result *r;
	int tries = 50;

	do {
		memset(&seen, 0, sizeof(seen));
		r = measure(plan);
	} while (seen.timed > 2 && --tries);
	return r;
}

static void latency_is_measured_at_half_the_throughput(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r;
	double ns;

	(void)state;
	plan.latency = true;
	r = measure_on_time(&plan);
	ns = result_median(r, sample_ns_per_message);
	assert_int_equal(r->n, 3);
	/* One more when the machine stalls. */
	assert_in_range(r->runs, 4, 5);
	assert_true(seen.last_pace_ns == 2 * ns);
	assert_true(seen.last_items <= 100);
	assert_int_equal(r->items, 100);
	/* One of each driver's, merged. */
	assert_int_equal(r->latency.count, 2);
	assert_int_equal(r->latency.p50, 1002);
	assert_int_equal(r->latency.max, 2000);
}

static void latency_is_measured_at_the_utilization_asked_for(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct result *r;
	double ns;

	(void)state;
	plan.latency = true;
	plan.utilization = 80;
	r = measure_on_time(&plan);
	ns = result_median(r, sample_ns_per_message);
	assert_true(seen.last_pace_ns == ns * 100 / 80);
	assert_false(seen.last_has_due);
	assert_true(r->latency.offered > 0);
	assert_true(r->latency.achieved > 0);
}

/* Whole nanoseconds are far too coarse for that. */
static void a_fast_loop_is_offered_what_was_asked_for(void **state)
{
	struct plan plan = plan_for(FASTER_THAN_THE_CLOCK);

	(void)state;
	plan.latency = true;
	plan.params.value[KNOB_ITEMS] = 1 << 20;
	for (int i = ARRIVALS_FIXED; i <= ARRIVALS_POISSON; i++) {
		const struct result *r;
		double offered;

		plan.arrivals = (enum arrivals)i;
		r = measure(&plan);
		assert_int_equal(r->verdict, VERDICT_VERIFIED);
		offered = r->latency.offered / r->latency.capacity;
		/* Chance is to have its part. */
		assert_true(fabs(offered - 0.5) <
		            (i == ARRIVALS_FIXED ? 1e-9 : 0.01));
	}
}

static bool without_arrivals;

int64_t *__real_arrivals_poisson(uint64_t n, double mean_ns, uint64_t seed);
int64_t *__wrap_arrivals_poisson(uint64_t n, double mean_ns, uint64_t seed);

int64_t *__wrap_arrivals_poisson(uint64_t n, double mean_ns, uint64_t seed)
{
	if (without_arrivals)
		return NULL;
	return __real_arrivals_poisson(n, mean_ns, seed);
}

static void what_there_is_no_memory_for_is_not_applicable(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	const struct result *r;

	(void)state;
	plan.latency = true;
	plan.arrivals = ARRIVALS_POISSON;
	without_arrivals = true;
	r = measure(&plan);
	without_arrivals = false;
	assert_int_equal(r->verdict, VERDICT_NA);
	assert_string_equal(r->why, "no memory for the times of the arrivals");
}

static void poisson_arrivals_come_with_the_cell(void **state)
{
	struct plan plan = plan_for(NO_FAULT);

	(void)state;
	plan.latency = true;
	plan.arrivals = ARRIVALS_POISSON;
	measure(&plan);
	assert_true(seen.last_pace_ns > 0);
	assert_true(seen.last_has_due);
}

/* Twice at half the throughput; then at half of what came through. */
static void a_loop_that_cannot_keep_up_gets_less(void **state)
{
	struct plan plan = plan_for(LATE_WHEN_TIMED);
	struct result *r;
	double ns;

	(void)state;
	plan.latency = true;
	r = measure(&plan);
	ns = result_median(r, sample_ns_per_message);
	assert_int_equal(r->verdict, VERDICT_VERIFIED);
	assert_int_equal(r->runs, 6);
	assert_true(r->latency.capacity < 0.5 * 1e9 / ns);
	assert_true(seen.last_pace_ns > 4 * ns);
	assert_false(r->latency.kept_up);
	/* Only the last run's. */
	assert_int_equal(r->latency.count, 2);
}

/* Its queue grows slowly, but as long as the run lasts. */
static void a_loop_that_falls_behind_slowly_does_not_keep_up(void **state)
{
	struct plan plan = plan_for(SLOW_WHEN_TIMED);
	const struct result *r;

	(void)state;
	plan.latency = true;
	plan.params.value[KNOB_ITEMS] = 20000;
	r = measure(&plan);
	assert_int_equal(r->verdict, VERDICT_VERIFIED);
	assert_false(r->latency.kept_up);
	assert_int_equal(r->runs, 6);
}

static void who_asks_for_too_much_gets_it(void **state)
{
	struct plan plan = plan_for(LATE_WHEN_TIMED);
	struct result *r;
	double ns;

	(void)state;
	plan.latency = true;
	plan.utilization = 200;
	r = measure(&plan);
	ns = result_median(r, sample_ns_per_message);
	assert_int_equal(r->runs, 4);
	assert_true(seen.last_pace_ns == ns * 100 / 200);
	assert_false(r->latency.kept_up);
}

static void latency_of_a_closed_loop_is_measured_at_full_speed(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct pattern closed = fake;
	struct result *r;

	(void)state;
	closed.closed_loop = true;
	plan.pattern = &closed;
	plan.latency = true;
	r = measure(&plan);
	assert_int_equal(r->n, 3);
	assert_int_equal(r->runs, 4);
	assert_int_equal(seen.timed, 1);
	assert_true(seen.last_pace_ns == 0);
	assert_int_equal(seen.last_items, 100);
	assert_int_equal(r->latency.count, 2);
	assert_int_equal(r->latency.max, 2000);
}

/* As many as come in `ns`, but no fewer than there are anyway. */
static uint64_t come_in(double ns, double each_ns)
{
	uint64_t n = (uint64_t)(ns / each_ns);

	return n < 100 ? 100 : n;
}

static void latency_takes_as_long_as_asked_for(void **state)
{
	struct plan plan = plan_for(NO_FAULT);

	(void)state;
	plan.latency = true;
	plan.latency_ns = 10 * WEFT_MS;
	measure(&plan);
	assert_int_equal(seen.last_items, come_in(10e6, seen.last_pace_ns));
}

static void latency_has_as_many_messages_as_asked_for(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	uint64_t most;

	(void)state;
	plan.latency = true;
	plan.latency_ns = 200 * WEFT_US;
	plan.latency_items = 300;
	measure(&plan);
	most = come_in(10 * 200e3, seen.last_pace_ns);
	assert_int_equal(seen.last_items, most < 300 ? most : 300);
	plan.latency_items = 1 << 20;
	measure(&plan);
	most = come_in(10 * 200e3, seen.last_pace_ns);
	assert_int_equal(seen.last_items, most);
}

static void latency_of_a_closed_loop_takes_as_long_too(void **state)
{
	struct plan plan = plan_for(NO_FAULT);
	struct pattern closed = fake;
	const struct result *r;

	(void)state;
	closed.closed_loop = true;
	plan.pattern = &closed;
	plan.latency = true;
	plan.latency_ns = 10 * WEFT_MS;
	r = measure(&plan);
	assert_int_equal(
	        seen.last_items,
	        come_in(10e6, result_median(r, sample_ns_per_message)));
	assert_int_equal(r->items, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latency_is_measured_at_half_the_throughput),
		cmocka_unit_test(
		        latency_is_measured_at_the_utilization_asked_for),
		cmocka_unit_test(a_fast_loop_is_offered_what_was_asked_for),
		cmocka_unit_test(poisson_arrivals_come_with_the_cell),
		cmocka_unit_test(what_there_is_no_memory_for_is_not_applicable),
		cmocka_unit_test(poisson_distances_are_exponential),
		cmocka_unit_test(poisson_arrivals_depend_on_the_seed_alone),
		cmocka_unit_test(a_loop_that_cannot_keep_up_gets_less),
		cmocka_unit_test(
		        a_loop_that_falls_behind_slowly_does_not_keep_up),
		cmocka_unit_test(who_asks_for_too_much_gets_it),
		cmocka_unit_test(
		        latency_of_a_closed_loop_is_measured_at_full_speed),
		cmocka_unit_test(latency_takes_as_long_as_asked_for),
		cmocka_unit_test(latency_has_as_many_messages_as_asked_for),
		cmocka_unit_test(latency_of_a_closed_loop_takes_as_long_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
