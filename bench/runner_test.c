/*
 * The runner, tried on a pattern that does what each test asks of it. No
 * channel is involved.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/atomic.h>

#include "base/check.h"
#include "base/child.h"
#include "bench/isolated.h"
#include "bench/runner.h"
#include "cli/text.h"

/* --- the pattern --- */

enum { KNOB_DRIVERS, KNOB_ITEMS, KNOB_FAULT, KNOB_CAP };

enum fault {
	NO_FAULT,
	SETUP_ENOMEM,
	SETUP_EINVAL,
	SETUP_HANGS,
	WORK_HANGS, /* in driver 0 */
	STOP_HANGS,
	VERIFY_FAILS,
	LATENCY_VERIFY_FAILS,
	LATE_WHEN_TIMED, /* by half of the time it has, and 5 ms */
	SLOW_WHEN_TIMED, /* by a twentieth of the time it has */
	FASTER_THAN_THE_CLOCK,
	WORK_CRASHES,
	WORK_PARKS,        /* each driver, once at least */
	WORK_STOPS,        /* the process, and goes on for 300 ms */
	WORK_FALLS_ASLEEP, /* driver 0 */
	STOP_FALLS_ASLEEP,
};

static const struct knob knobs[] = {
	[KNOB_DRIVERS] = { .name = "drivers", .def = 2, .min = 1, .max = 64 },
	[KNOB_ITEMS] = { .name = "items", .max = 1 << 20 },
	[KNOB_FAULT] = { .name = "fault", .max = 100 },
	[KNOB_CAP] = { .name = "cap", .def = 1, .max = 1 << 20 },
	{ .name = NULL },
};

/* What the runs left behind for the test to look at; reset by plan_for(). */
static struct {
	unsigned setups, stops, verifies, teardowns;
	unsigned timed; /* setups of a run that measures latency */
	uint64_t last_items;
	double last_pace_ns;
	bool last_has_due;
	bool early;     /* a driver ran before t0 was read */
	bool unstarted; /* stop came before every driver had worked */
} seen;

static _Atomic unsigned worked;

static unsigned fault_of(const struct cell *cell)
{
	return (unsigned)cell->params.value[KNOB_FAULT];
}

/* One that has a deadline may yet come to an end: it is for the clock. */
static void hang(void)
{
	for (;;)
		weft_sleep_until(weft_deadline_in(10 * WEFT_MS));
}

static void hang_asleep(void)
{
	for (;;)
		weft_park(WEFT_FOREVER);
}

static int fake_accept(const struct params *p, struct text *why)
{
	if (p->value[KNOB_CAP] != 13)
		return 0;
	text_add(why, "cap=13: allowed are all others");
	return -EINVAL;
}

static void fake_shape(const struct params *p, struct cell_shape *out)
{
	out->drivers = out->consumers = out->senders =
	        (unsigned)p->value[KNOB_DRIVERS];
	out->elem_size = 8;
}

static int fake_setup(struct cell *cell)
{
	seen.setups++;
	seen.timed += cell->latency != NULL;
	seen.last_items = cell->items;
	seen.last_pace_ns = cell->pace_ns;
	seen.last_has_due = cell->due != NULL;
	weft_store_relaxed(&worked, 0u);
	if (fault_of(cell) == SETUP_ENOMEM)
		return -ENOMEM;
	if (fault_of(cell) == SETUP_EINVAL)
		return -EINVAL;
	if (fault_of(cell) == SETUP_HANGS)
		hang();
	return 0;
}

/* At least a microsecond for each item, and the second driver does twice as
 * much of them as the others. */
static void fake_work(struct cell *cell, unsigned driver)
{
	int64_t until = cell->t0 + (int64_t)cell->items * WEFT_US;

	if (fault_of(cell) == FASTER_THAN_THE_CLOCK)
		until = cell->t0;
	if (fault_of(cell) == WORK_STOPS) {
		if (driver == 0)
			raise(SIGSTOP);
		until = weft_now() + 300 * WEFT_MS;
	}
	if (fault_of(cell) == LATE_WHEN_TIMED && cell->pace_ns)
		until += (int64_t)(1.5 * (double)cell->items * cell->pace_ns) +
		         5 * WEFT_MS;
	if (fault_of(cell) == SLOW_WHEN_TIMED && cell->pace_ns)
		until = cell->t0 +
		        (int64_t)(1.05 * (double)cell->items * cell->pace_ns);
	if (cell->t0 == 0 || weft_now() < cell->t0)
		seen.early = true;
	if (fault_of(cell) == WORK_CRASHES)
		abort();
	if (fault_of(cell) == WORK_HANGS && driver == 0)
		hang();
	if (fault_of(cell) == WORK_FALLS_ASLEEP && driver == 0)
		hang_asleep();
	if (fault_of(cell) == WORK_PARKS)
		weft_sleep_until(weft_deadline_in(WEFT_MS));
	while (weft_now() < until)
		weft_yield();
	cell->share[driver] = driver == 1 ? 2 : 1;
	if (cell->latency)
		hist_record(&cell->latency[driver], 1000 * (driver + 1));
	weft_fetch_add_relaxed(&worked, 1u);
}

static void fake_stop(struct cell *cell)
{
	seen.stops++;
	seen.unstarted |= weft_load_relaxed(&worked) != cell->shape.drivers;
	if (fault_of(cell) == STOP_HANGS)
		hang();
	if (fault_of(cell) == STOP_FALLS_ASLEEP)
		hang_asleep();
}

static void fake_halt(struct cell *cell)
{
	(void)cell;
}

static void fake_verify(struct cell *cell, struct text *why)
{
	seen.verifies++;
	cell_figure(cell, "verifies", "times", "so far", seen.verifies);
	cell_figure(cell, "half", "", "", 0.5);
	if (fault_of(cell) == VERIFY_FAILS ||
	    (fault_of(cell) == LATENCY_VERIFY_FAILS && cell->pace_ns))
		text_add(why, "lost 3 of %llu items",
		         (unsigned long long)cell->items);
}

static void fake_teardown(struct cell *cell)
{
	(void)cell;
	seen.teardowns++;
}

static const struct pattern fake = {
	.name = "fake",
	.knobs = knobs,
	.accept = fake_accept,
	.shape = fake_shape,
	.setup = fake_setup,
	.work = fake_work,
	.halt = fake_halt,
	.stop = fake_stop,
	.verify = fake_verify,
	.teardown = fake_teardown,
};

/* A short measurement of the fake over `handoff`. */
static struct plan plan_for(enum fault fault)
{
	struct plan plan;

	memset(&seen, 0, sizeof(seen));
	plan_init(&plan, &fake, weft_chan_impl_find("handoff"));
	plan.params.value[KNOB_ITEMS] = 100;
	plan.params.value[KNOB_FAULT] = fault;
	plan.reps = 3;
	plan.latency = false;
	return plan;
}

static void no_hang(const struct result *out, void *arg)
{
	(void)arg;
	CHECK(out->verdict == VERDICT_VERIFIED);
}

static struct result *measure(const struct plan *plan)
{
	static struct result out;

	runner_measure(plan, &out, no_hang, NULL);
	return &out;
}

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

/* --- how many messages --- */

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
	fake_shape(p, out);
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

/* --- hangs: each in a child, since they end the process --- */

static void end_hung(const struct result *out, void *arg)
{
	(void)arg;
	fprintf(stderr, "result: %s: %s\n", verdict_name(out->verdict),
	        out->why);
	runner_abandon(
	        out->verdict == VERDICT_HUNG && out->peak_rss_bytes ? 42 : 43);
}

/* Measure in a child; what it prints on stderr, which the caller frees. */
static char *hung_output(enum fault fault, int64_t timeout_ns)
{
	struct plan plan = plan_for(fault);
	size_t used = 0, room = 1 << 16;
	char *text = calloc(1, room);
	int fd[2], status;
	ssize_t n;
	pid_t child;

	assert_non_null(text);
	assert_int_equal(pipe(fd), 0);
	plan.timeout_ns = timeout_ns;
	plan.seed = 77;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		dup2(fd[1], STDERR_FILENO);
		runner_measure(&plan, &out, end_hung, NULL);
		_exit(44);
	}
	close(fd[1]);
	while ((n = read(fd[0], text + used, room - used - 1)) > 0)
		used += (size_t)n;
	close(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	return text;
}

static void says(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("'%s' is not in:\n%s", what, text);
}

static void a_hang_in_the_work_shows_every_task(void **state)
{
	char *text = hung_output(WORK_HANGS, 500 * WEFT_MS);

	(void)state;
	says(text, "HUNG: fake/chan:handoff/drivers:2/fault:4/cap:1/items:100, "
	           "seed 77: 1 of 2 drivers had not ended after 0.5 s\n");
	says(text, "task driver 0 ");
	says(text, "parked on ");
	says(text, "task runner ");
	says(text, "task watchdog ");
	says(text, "result: HUNG: 1 of 2 drivers had not ended");
	free(text);
}

static void a_hang_in_setup_or_stop_is_caught_too(void **state)
{
	char *text = hung_output(SETUP_HANGS, 500 * WEFT_MS);

	(void)state;
	says(text, "result: HUNG: setup had not ended after 0.5 s");
	free(text);
	text = hung_output(STOP_HANGS, 500 * WEFT_MS);
	says(text, "result: HUNG: stop had not ended after 0.5 s");
	free(text);
}

/* Long before the limit, which the test does not live to see. */
static void a_run_in_which_all_sleep_is_hung_at_once(void **state)
{
	char *text = hung_output(WORK_FALLS_ASLEEP, 3600 * WEFT_SEC);

	(void)state;
	says(text, "seed 77: 1 of 2 drivers had not ended when all tasks were "
	           "asleep\n");
	says(text, "task driver 0 ");
	says(text, "parked on park for");
	says(text, "task runner ");
	says(text, "task watchdog ");
	says(text, "result: HUNG: 1 of 2 drivers had not ended");
	free(text);
	text = hung_output(STOP_FALLS_ASLEEP, 3600 * WEFT_SEC);
	says(text, "result: HUNG: stop had not ended when all tasks were "
	           "asleep");
	free(text);
}

/* The child stops itself in the middle of the work, as Ctrl-Z does; its parent
 * lets it go on when more time has passed than it has. */
static int never_made(void **state, const struct weft_chan_config *config)
{
	(void)state;
	(void)config;
	while (pause() < 0)
		continue;
	return 0;
}

static void end_late(int signal)
{
	_exit(signal == RUNNER_LATE ? 45 : 46);
}

static void a_channel_that_is_never_made_is_told(void **state)
{
	struct weft_chan_impl chan = *weft_chan_impl_find("handoff");
	struct plan plan = plan_for(NO_FAULT);
	int status;
	pid_t child;

	(void)state;
	chan.create = never_made;
	plan.chan = &chan;
	plan.timeout_ns = WEFT_SEC;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		runner_when_late(end_late);
		runner_measure(&plan, &out, end_hung, NULL);
		_exit(43);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 45);
}

static void a_process_that_was_stopped_is_not_hung(void **state)
{
	struct plan plan = plan_for(WORK_STOPS);
	int status;
	pid_t child;

	(void)state;
	plan.timeout_ns = WEFT_SEC;
	plan.reps = 1;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct result out;

		runner_measure(&plan, &out, end_hung, NULL);
		_exit(out.verdict == VERDICT_VERIFIED ? 0 : 43);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	usleep(1500 * 1000);
	kill(child, SIGCONT);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_process_of_its_own_brings_back_its_result(void **state)
{
	static struct result out;
	struct plan plan = plan_for(NO_FAULT);
	char why[200] = "";

	(void)state;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), 0);
	assert_int_equal(out.verdict, VERDICT_VERIFIED);
	assert_int_equal(out.n, 3);
	assert_ptr_equal(out.plan, &plan);
	assert_int_equal(seen.setups, 0);
}

static void a_process_of_its_own_may_hang_or_crash(void **state)
{
	static struct result out;
	struct plan plan = plan_for(WORK_HANGS);
	char why[200] = "";

	(void)state;
	plan.timeout_ns = 500 * WEFT_MS;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), 0);
	assert_int_equal(out.verdict, VERDICT_HUNG);
	plan = plan_for(WORK_CRASHES);
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: killed by signal 6");
}

/* A parent may have left it so, and exec() keeps it. */
static void how_it_ended_is_told_though_sigchld_is_ignored(void **state)
{
	static struct result out;
	struct plan plan = plan_for(WORK_CRASHES);
	char why[200] = "";

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: killed by signal 6");
	signal(SIGCHLD, SIG_DFL);
}

/* As when foreign code has waited for every child there is. */
static bool status_is_lost;

int __real_weft_child_wait(pid_t child, int flags, int *status);
int __wrap_weft_child_wait(pid_t child, int flags, int *status);

int __wrap_weft_child_wait(pid_t child, int flags, int *status)
{
	if (status_is_lost)
		CHECK_EQ(waitpid(child, NULL, 0), child);
	return __real_weft_child_wait(child, flags, status);
}

static void a_status_that_is_lost_is_no_pass(void **state)
{
	static struct result out;
	struct plan plan = plan_for(NO_FAULT);
	char why[200] = "";

	(void)state;
	status_is_lost = true;
	assert_int_equal(isolated_measure(&plan, &out, why, sizeof(why)), -EIO);
	says(why, "CRASHED: its exit status is lost");
	status_is_lost = false;
}

/* --- figures --- */

static void a_median_stands_in_the_middle(void **state)
{
	static struct result r;

	(void)state;
	r.n = 0;
	assert_true(result_median(&r, sample_ns_per_message) == 0);
	r.n = 4;
	for (unsigned i = 0; i < r.n; i++)
		r.sample[i] =
		        (struct sample){ .ns = 10 * (4 - i), .messages = 10 };
	assert_true(result_median(&r, sample_ns_per_message) == 2.5);
	assert_true(result_min(&r, sample_ns_per_message) == 1);
	assert_true(result_max(&r, sample_ns_per_message) == 4);
	r.n = 3;
	assert_true(result_median(&r, sample_ns_per_message) == 3);
}

static void fairness_of_nothing_is_fair(void **state)
{
	const uint64_t none[3] = { 0 }, one[3] = { 9, 0, 0 };
	double jain, least;

	(void)state;
	fairness(none, 3, &jain, &least);
	assert_true(jain == 1 && least == 1);
	fairness(one, 3, &jain, &least);
	assert_true(jain > 0.333 && jain < 0.334 && least == 0);
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
		cmocka_unit_test(a_failed_check_ends_it_and_says_why),
		cmocka_unit_test(calibration_is_verified_too),
		cmocka_unit_test(the_latency_repetition_is_verified_too),
		cmocka_unit_test(a_machine_that_says_no_is_no_failure),
		cmocka_unit_test(a_cell_the_channel_cannot_do_is_not_run),
		cmocka_unit_test(a_hang_in_the_work_shows_every_task),
		cmocka_unit_test(a_hang_in_setup_or_stop_is_caught_too),
		cmocka_unit_test(a_run_in_which_all_sleep_is_hung_at_once),
		cmocka_unit_test(a_channel_that_is_never_made_is_told),
		cmocka_unit_test(a_process_that_was_stopped_is_not_hung),
		cmocka_unit_test(a_process_of_its_own_brings_back_its_result),
		cmocka_unit_test(a_process_of_its_own_may_hang_or_crash),
		cmocka_unit_test(
		        how_it_ended_is_told_though_sigchld_is_ignored),
		cmocka_unit_test(a_status_that_is_lost_is_no_pass),
		cmocka_unit_test(a_median_stands_in_the_middle),
		cmocka_unit_test(fairness_of_nothing_is_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
