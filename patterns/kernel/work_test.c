/* Tests of the calibrated work, and of the pace of an open loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "kernel/pace.h"
#include "kernel/work.h"

#define TASKS 4

/* The least of several: other programs on this machine make it longer. */
static int64_t least_time_of(int64_t ns)
{
	int64_t best = INT64_MAX, start, took;

	for (int i = 0; i < 20; i++) {
		start = weft_now();
		work_for(ns);
		took = weft_now() - start;
		best = took < best ? took : best;
	}
	return best;
}

/* Wide bounds: machines change their clock while we look. One that does so in
 * the midst of it is looked at again. */
static void work_takes_about_the_time_asked_for(void **state)
{
	int64_t tenth, whole;
	int tries = 10;

	(void)state;
	work_calibrate();
	do {
		tenth = least_time_of(100000);
		whole = least_time_of(1000000);
	} while ((whole < 400000 || whole > 2500000 || whole <= 4 * tenth) &&
	         --tries);
	assert_in_range(whole, 400000, 2500000);
	assert_true(whole > 4 * tenth);
}

static void no_work_returns_at_once(void **state)
{
	(void)state;
	assert_true(least_time_of(0) < 10000000);
	assert_true(least_time_of(-5) < 10000000);
}

static int calibrate(void *arg)
{
	(void)arg;
	work_calibrate();
	work_for(1000);
	return 0;
}

static int calibrate_at_once(void *arg)
{
	struct weft_task *tasks[TASKS];

	(void)arg;
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(weft_spawn(&tasks[i], NULL, calibrate, NULL), 0);
	for (int i = 0; i < TASKS; i++)
		CHECK_EQ(weft_join(tasks[i], NULL), 0);
	return 0;
}

/* First in this program, so that nothing is known when it begins. */
static void several_tasks_may_calibrate_at_once(void **state)
{
	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, NULL, calibrate_at_once, NULL),
	                 0);
}

static void work_on_a_clock_that_stands_still_ends(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL };

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, calibrate, NULL), 0);
}

/* No CPU does 300,000 multiplications, each of which needs the last, in less.
 */
static void a_spin_takes_its_time(void **state)
{
	(void)state;
	assert_true(work_spin_ns() > 50000);
	assert_true(work_spin_ns() > 50000);
}

static void a_closed_loop_sends_full_batches(void **state)
{
	struct cell cell = { .pace_ns = 0 };

	(void)state;
	assert_int_equal(pace_batch(&cell, 0, 1, 16), 16);
	assert_int_equal(pace_batch(&cell, 100, 4, 1), 1);
}

static int wait_for_item_three(void *arg)
{
	struct cell *cell = arg;

	cell->t0 = weft_now();
	CHECK_EQ(pace_batch(cell, 3, 1, 1), 1u);
	CHECK_LE(cell->t0 + 3 * WEFT_MS, weft_now());
	return 0;
}

static void an_open_loop_waits_until_the_item_is_due(void **state)
{
	struct cell cell = { .pace_ns = WEFT_MS };

	(void)state;
	assert_int_equal(
	        weft_run(WEFT_THREADS, NULL, wait_for_item_three, &cell), 0);
}

static int look_back(void *arg)
{
	struct cell *cell = arg;

	/* Items 0, 4 and 8 of this sender are due, 12 is not yet. */
	cell->t0 = weft_now();
	CHECK_EQ(weft_clock_advance(9 * WEFT_US), 0);
	CHECK_EQ(pace_batch(cell, 0, 4, 16), 3u);
	CHECK_EQ(pace_batch(cell, 0, 4, 2), 2u);
	CHECK_EQ(pace_batch(cell, 8, 4, 16), 1u);
	return 0;
}

static void several_items_may_be_due_in_a_nanosecond(void **state)
{
	struct cell cell = { .pace_ns = 0.4, .t0 = 1000 };

	(void)state;
	assert_int_equal(pace_due(&cell, 0), 1000);
	assert_int_equal(pace_due(&cell, 2), 1000);
	assert_int_equal(pace_due(&cell, 3), 1001);
	assert_int_equal(pace_due(&cell, 10000000), 1000 + 4000000);
	cell.due = (const int64_t[]){ 5 };
	assert_int_equal(pace_due(&cell, 0), 1005);
}

static void an_open_loop_sends_together_what_is_due_already(void **state)
{
	struct weft_run_opts opts = { .clock = WEFT_CLOCK_MANUAL };
	struct cell cell = { .pace_ns = WEFT_US };

	(void)state;
	assert_int_equal(weft_run(WEFT_THREADS, &opts, look_back, &cell), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_tasks_may_calibrate_at_once),
		cmocka_unit_test(a_spin_takes_its_time),
		cmocka_unit_test(work_takes_about_the_time_asked_for),
		cmocka_unit_test(no_work_returns_at_once),
		cmocka_unit_test(work_on_a_clock_that_stands_still_ends),
		cmocka_unit_test(a_closed_loop_sends_full_batches),
		cmocka_unit_test(an_open_loop_waits_until_the_item_is_due),
		cmocka_unit_test(several_items_may_be_due_in_a_nanosecond),
		cmocka_unit_test(
		        an_open_loop_sends_together_what_is_due_already),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
